"""The benchmark of lights: what it tells of policies, promises and the truth."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tables import features_of

from churnkit.clock import Cutoff
from churnkit.lights import Evidence, Fixed, Promise, TrafficLight
from churnkit.metrics import Interval
from churnkit.profit import Money
from churnkit.replay import Replayed, Week

ROWS = 200


@pytest.fixture
def lights(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return importlib.import_module("lights")


def week(day):
    """Half are at .9, and nine of ten of them churn; half are at .05, and nobody does."""
    p = np.repeat([0.9, 0.05], ROWS // 2)
    churned = (np.arange(ROWS) < ROWS // 2) & (np.arange(ROWS) % 10 > 0)
    unknown = np.full(ROWS, np.nan)
    return Week(Cutoff.parse(day), features_of(recency=np.ones(ROWS)), p, unknown, churned)


def replayed(policy, name="it"):
    """Two equal weeks, of which a promise has seen the like before."""
    weeks = tuple(map(week, ("2024-03-01", "2024-03-08")))
    light = TrafficLight(policy, rules=())
    fitted = light.fit(Evidence((week("2024-01-01").past,)))
    told = tuple(fitted.assign(w.probability, w.features, w.value) for w in weeks)
    return Replayed(name, light, Money(), weeks, told)


def test_a_promise_stands_beside_what_came_of_it(lights):
    (row,) = lights.promises([replayed(Fixed(), "fixed"), replayed(Promise(0.7, 0.1), "ours")])
    name, red, expected, realised, verdict, green, mean, none, kept = row
    assert (name, red, expected, verdict) == ("ours", "200", "90.0%", "kept")
    assert realised.startswith("90.0% [")
    assert (green, mean, kept) == ("200", "5.0%", "kept")
    assert none.startswith("0.0% [0.0%, ")


def test_a_colour_that_nobody_has_is_told_as_such(lights):
    (row,) = lights.promises([replayed(Promise(0.95, 0.1))])
    assert row[1:5] == ["0", "", "", "nobody"]


def test_like_warnings_are_told_once_with_the_number_of_weeks(lights):
    (said,) = lights.warned([replayed(Promise(0.95, 0.1), "high")])
    assert said.startswith("high, 2 of 2 weeks: the policy makes nobody red: that at least 95% ")


def test_expected_realised_and_true_churn_stand_side_by_side(lights):
    one = replayed(Fixed(0.4, 0.7))
    case = SimpleNamespace(truth=(np.full(ROWS, 0.25),) * 2, weeks=SimpleNamespace(shown=one.weeks))
    (row,) = lights.against_truth(case, [one])
    assert row == ["it", "90.0%", "90.0%", "25.0%", "", "", "", "5.0%", "0.0%", "25.0%"]


def test_policies_side_by_side(lights):
    (row,) = lights.side_by_side([replayed(Fixed(0.4, 0.7))])
    assert row[0] == "it"
    assert row[1::2][:3] == ["100", "0", "100"]
    assert row[4] == ""
    # 90 · (.3 · (200 − 10) − 1) − 10 · (10 + 1)
    assert row[7:] == ["100.0%", "4,930", "0", "0.0%"]


def test_shares_are_written_for_people(lights):
    assert lights.churn(Interval(0.5, 0.25, 0.75)) == "50.0% [25.0%, 75.0%]"
    assert lights.churn(Interval(float("nan"), 0.0, 1.0)) == ""
    assert lights.name_of(Promise(0.7, 0.1)) == "promise .7/.1"
    assert lights.name_of(Fixed()) == "fixed"
    assert lights.kind_of("the base rate moves: 30% are") == "the base rate moves"
