"""A colour gets worse at once, and better only when the risk has clearly gone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import features_of

from churnkit.errors import ConfigError
from churnkit.lights import LIGHTS, Fixed, Hysteresis, Memory, TrafficLight, level_of


def course(probabilities, hysteresis, light=None):
    """The lights of one customer, run after run."""
    chosen = light or TrafficLight(Fixed(0.4, 0.7), rules=(), hysteresis=hysteresis)
    memory, seen = None, []
    for p in probabilities:
        found = chosen.assign(np.array([p]), features_of(recency=[1.0]), before=memory)
        seen.append(found.light[0])
        memory = Memory(np.array([level_of(light) for light in found.held]), found.due)
    return seen


def test_worse_at_once():
    assert course([0.1, 0.4, 0.7], Hysteresis(0.05)) == ["green", "yellow", "red"]
    assert course([0.1, 0.9], Hysteresis(0.3, 5)) == ["green", "red"]


def test_better_only_below_the_margin():
    assert course([0.7, 0.69, 0.66, 0.64], Hysteresis(0.05)) == [
        "red", "red", "red", "yellow",
    ]  # fmt: skip


def test_it_goes_down_as_far_as_each_margin_lets_it():
    assert course([0.9, 0.1], Hysteresis(0.05)) == ["red", "green"]
    assert course([0.9, 0.37], Hysteresis(0.05)) == ["red", "yellow"]


def test_better_only_after_some_runs_below_it():
    patient = Hysteresis(0.05, runs=3)
    assert course([0.8, 0.5, 0.5, 0.5], patient) == ["red", "red", "red", "yellow"]
    # one run above the margin, and the count begins anew
    assert course([0.8, 0.5, 0.5, 0.68, 0.5, 0.5, 0.5], patient) == ["red"] * 6 + ["yellow"]


def test_switched_off_it_does_nothing():
    off = Hysteresis(0.0, 1)
    assert course([0.7, 0.6999, 0.4, 0.3999], off) == ["red", "yellow", "yellow", "green"]


def test_a_new_customer_has_no_memory():
    found = TrafficLight(rules=()).assign(
        np.array([0.66, 0.66]),
        features_of(recency=[1.0, 1.0]),
        before=Memory(np.array([2, -1]), np.zeros(2, dtype=int)),
    )
    assert found.light.tolist() == ["red", "yellow"]
    assert found.base.tolist() == ["yellow", "yellow"]


def test_rules_are_not_remembered():
    light = TrafficLight(Fixed(0.4, 0.7), hysteresis=Hysteresis(0.05))
    features = features_of(complaints_open=[1.0])
    first = light.assign(np.array([0.1]), features)
    assert first.light.tolist() == ["red"]
    memory = Memory(np.array([level_of(first.held[0])]), first.due)
    settled = light.assign(np.array([0.1]), features_of(complaints_open=[0.0]), before=memory)
    assert settled.light.tolist() == ["green"]


walks = st.lists(st.floats(0, 1), min_size=2, max_size=12)
margins = st.floats(0, 0.3)


@given(walks, margins, st.integers(1, 3))
def test_it_is_never_better_than_the_policy_alone_and_never_worse_than_the_worst(
    walk, margin, runs
):
    bare = course(walk, Hysteresis(0.0, 1))
    held = course(walk, Hysteresis(margin, runs))
    worst = 0
    for plain, kept in zip(bare, held, strict=True):
        worst = max(worst, LIGHTS.index(plain))
        assert LIGHTS.index(plain) <= LIGHTS.index(kept) <= worst


@given(walks, margins)
def test_the_colours_never_move_further_in_all(walk, margin):
    def moved(seen):
        return sum(abs(LIGHTS.index(a) - LIGHTS.index(b)) for a, b in pairwise(seen))

    assert moved(course(walk, Hysteresis(margin))) <= moved(course(walk, Hysteresis(0.0)))


@pytest.mark.parametrize(("margin", "runs"), [(-0.1, 1), (0.6, 1), (0.05, 0), (float("nan"), 1)])
def test_impossible_settings_are_refused(margin, runs):
    with pytest.raises(ConfigError, match=r"(margin|runs) = .* in \[lights\]"):
        Hysteresis(margin, runs)
