"""Policies: where the edges of the colours lie, and what each of them holds itself to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from churnkit.errors import ConfigError
from churnkit.lights import (
    Capacity,
    Cost,
    Everyone,
    Evidence,
    Fixed,
    Past,
    Promise,
    TrafficLight,
)
from churnkit.lights.evidence import GRID
from churnkit.lights.policies import LEAST_IN_BAND
from churnkit.profit import Money

UNKNOWN = np.full(6, np.nan)
IDS = np.array(list("abcdef"), dtype=object)


def levels(policy, probability, value=None):
    p = np.asarray(probability, dtype=float)
    worth = np.full(len(p), np.nan) if value is None else np.asarray(value, dtype=float)
    ids = np.array([f"c{k:04d}" for k in range(len(p))], dtype=object)
    return policy.edges(p, worth, ids).levels(p).tolist()


# ── Capacity ────────────────────────────────────────────────────────────────────────────────


def test_capacity_takes_the_first_by_probability_times_value():
    policy = Capacity(calls_per_week=2, yellow=0.4)
    assert levels(policy, [0.9, 0.5, 0.6, 0.39], [10, 100, 50, 10_000]) == [1, 2, 2, 0]


def test_without_any_value_the_probability_decides():
    assert levels(Capacity(1), [0.5, 0.9, 0.6]) == [1, 2, 1]


def test_an_unknown_value_among_known_ones_comes_last():
    assert levels(Capacity(1), [0.99, 0.5], [np.nan, 1]) == [1, 2]


def test_of_equals_the_first_id_is_called():
    assert levels(Capacity(2), [0.5] * 4, [7] * 4) == [2, 2, 1, 1]


def test_with_room_for_all_every_candidate_is_red():
    assert levels(Capacity(10), [0.5, 0.4, 0.3]) == [2, 2, 0]


chances = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(chances, st.integers(1, 10), st.data())
def test_capacity_is_never_exceeded_and_never_wasted(p, calls, data):
    value = data.draw(
        st.lists(st.floats(0, 1e6) | st.just(float("nan")), min_size=len(p), max_size=len(p))
    )
    found = np.array(levels(Capacity(calls), p, value))
    candidates = int((np.array(p) >= 0.4).sum())
    assert (found == 2).sum() == min(calls, candidates)
    assert ((found > 0) == (np.array(p) >= 0.4)).all()


@pytest.mark.parametrize("calls", [0, -3])
def test_nobody_to_call_is_refused(calls):
    with pytest.raises(ConfigError, match=f"{calls} calls a week: nobody could be called"):
        Capacity(calls)


# ── Cost ────────────────────────────────────────────────────────────────────────────────────


def test_cost_is_red_where_a_contact_pays():
    # (10 + 1) / (.3 · (200 − 10) + 10) = 11 / 67
    edge = 11 / 67
    below = np.nextafter(edge, 0)
    assert levels(Cost(), [edge, below, edge / 2, np.nextafter(edge / 2, 0)]) == [2, 1, 1, 0]


def test_the_own_value_of_a_customer_counts():
    # Of 1,000: 11 / 307 = .036; of 20: 11 / 13 = .846; of 10 no offer ever pays.
    p = [0.04, 0.04, 0.84, 0.85, 1.0]
    assert levels(Cost(), p, [1000, 20, 20, 20, 10]) == [2, 0, 1, 2, 0]


@given(st.floats(1, 1e4), st.floats(0.01, 0.99), st.floats(0, 50), st.floats(0, 50))
def test_at_the_edge_of_cost_a_contact_breaks_even(value, acceptance, contact, offer):
    money = Money(contact, offer, acceptance, max(value, offer + 1))
    edge = Cost(money).edges(np.array([0.5]), np.array([np.nan]), IDS[:1]).red[0]
    worth = money.value - money.offer_cost
    earned = edge * (acceptance * worth - contact) - (1 - edge) * (contact + offer)
    assert earned == pytest.approx(0, abs=1e-6 * (1 + money.value))


# ── Promise ─────────────────────────────────────────────────────────────────────────────────


def past(p, churned, day="2024-01-01"):
    return Past.of(day, np.asarray(p, dtype=float), np.asarray(churned, dtype=bool))


def crowd(seed, n=4000, shift=0.0):
    """Customers whose probabilities are true, or off by a shift."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1.2, 1.2, n)
    return p, rng.random(n) < np.clip(p + shift, 0, 1)


def edges(policy, p):
    found = policy.edges(p, np.full(len(p), np.nan), np.arange(len(p)).astype(object))
    return found, found.yellow[0], found.red[0]


def test_a_promise_is_the_widest_band_that_the_tests_bear_out():
    p, churned = crowd(1)
    _, yellow, red = edges(Promise(0.7, 0.1).fit(Evidence((past(p, churned),))), p)
    # With p uniform enough, churn at or above an edge e is about its mean.
    assert churned[p >= red].mean() >= 0.7
    assert churned[p < yellow].mean() <= 0.1
    one_step_wider = churned[p >= red - 0.05].mean()
    assert one_step_wider < 0.72


def test_the_bound_is_the_exact_binomial_one():
    # 60 customers, 50 of whom churned: the bound is the share under which 50 or more of 60
    # happen with a chance of 5 %.
    p = np.concatenate([np.full(60, 0.8), np.full(60, 0.05)])
    churned = np.concatenate([np.arange(60) < 50, np.zeros(60, dtype=bool)])
    could = Promise(0.99, 0.01).fit(Evidence((past(p, churned),))).red(Everyone.of(p)).could
    assert could is not None
    assert binom.sf(49, 60, could) <= 0.05 < binom.sf(49, 60, could + 0.01)


def test_the_worst_of_the_tests_decides():
    good, bad = crowd(1), crowd(2, shift=-0.15)
    lenient = edges(Promise().fit(Evidence((past(*good),))), good[0])[2]
    strict = edges(Promise().fit(Evidence((past(*good), past(*bad)))), good[0])[2]
    assert strict > lenient


def test_where_fewer_are_expected_to_churn_now_the_edge_is_higher():
    # In the band of the tests the mean probability was higher than it is today.
    p, churned = crowd(1)
    policy = Promise().fit(Evidence((past(p, churned),)))
    usual = edges(policy, p)[2]
    fewer_at_the_top = np.concatenate([p[p < 0.6], p[(p >= 0.6) & (p < 0.75)]])
    assert edges(policy, fewer_at_the_top)[2] > usual


def test_a_promise_that_cannot_be_kept_leaves_red_empty_and_says_what_could_be():
    p, churned = crowd(3)
    capped = p * 0.6
    found, _, red = edges(Promise(0.95, 0.1).fit(Evidence((past(capped, churned),))), capped)
    assert red == np.inf
    assert not (found.levels(capped) == 2).any()
    assert "nobody red: that at least 95% churn cannot be promised; what could be promised" in (
        " ".join(found.warnings)
    )


def test_green_that_cannot_be_promised_leaves_all_at_least_yellow():
    p = np.full(200, 0.5)
    found, _, _ = edges(Promise().fit(Evidence((past(p, np.arange(200) < 100),))), p)
    assert (found.levels(p) >= 1).all()
    assert "nobody green" in " ".join(found.warnings)


@pytest.mark.parametrize("evidence", [Evidence(), Evidence((past([0.9] * 9, [True] * 9),))])
def test_without_enough_evidence_nothing_is_promised(evidence):
    p, _ = crowd(1)
    found, _, red = edges(Promise().fit(evidence), p)
    assert red == np.inf
    said = " ".join(found.warnings)
    assert "no earlier test whose outcome is known" in said or f"fewer than {LEAST_IN_BAND}" in said


def test_a_base_rate_that_moves_is_told():
    p, churned = crowd(1)
    same, *_ = edges(Promise().fit(Evidence((past(p, churned),))), p)
    assert not same.warnings
    moved, *_ = edges(Promise().fit(Evidence((past(p, churned),))), p * 0.6)
    assert any(said.startswith("the base rate moves: 30% are expected") for said in moved.warnings)
    two = Evidence((past(p, churned), past(*crowd(2, shift=-0.2))))
    between, *_ = edges(Promise().fit(two), p)
    assert any("in the tests that the promise is founded on" in said for said in between.warnings)


def test_a_promise_is_kept_as_often_as_it_says():
    # 300 times: thresholds from one test, the true share of the band is known exactly.
    broken = made = 0
    for seed in range(300):
        p, churned = crowd(seed, n=600)
        _, _, red = edges(Promise(0.7, 0.1).fit(Evidence((past(p, churned),))), p)
        band = p[p >= red]
        if len(band):
            made, broken = made + 1, broken + (band.mean() < 0.7)
    assert made > 250
    assert broken / made <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / made)


@pytest.mark.parametrize(
    ("red", "green", "confidence"), [(0.1, 0.7, 0.95), (0.5, 0.5, 0.95), (0.7, 0.1, 0.4)]
)
def test_promises_out_of_order_are_refused(red, green, confidence):
    with pytest.raises(ConfigError, match=r"out of order|not in \[0.75, 1\)"):
        Promise(red, green, confidence)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=40))
def test_evidence_goes_through_a_card_and_back(rows):
    p, churned = [row[0] for row in rows], [row[1] for row in rows]
    told = Evidence((past(p, churned),)).told()
    again = Evidence.from_told(told)
    assert again.told() == told
    assert again.tests[0].reach.tolist() == [sum(x >= edge for x in p) for edge in GRID]


# ── All of them ─────────────────────────────────────────────────────────────────────────────

POLICIES = [
    Fixed(),
    Capacity(3),
    Cost(),
    Promise().fit(Evidence((past(*crowd(1)),))),
]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_lower_edges_are_inclusive(policy, p):
    chance = np.array(p)
    ids = np.array([f"c{k}" for k in range(len(p))], dtype=object)
    found = policy.edges(chance, np.full(len(p), 100.0), ids)
    assert (found.yellow <= found.red).all()
    expected = np.where(chance >= found.red, 2, np.where(chance >= found.yellow, 1, 0))
    assert (found.levels(chance) == expected).all()
    for edge in (found.yellow, found.red):
        reachable = np.isfinite(edge)
        at, below = edge[reachable], np.nextafter(edge[reachable], -1)
        rest = type(found)(found.yellow[reachable], found.red[reachable])
        assert (rest.levels(at) > rest.levels(below)).all()


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_nobody_has_no_edges(policy):
    assert len(TrafficLight(policy, rules=()).predict(np.empty(0))) == 0


def test_policies_say_what_they_are():
    assert [policy.says.split(":")[0] for policy in POLICIES] == [p.name for p in POLICIES]
