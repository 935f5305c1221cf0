"""Policies over past weeks: hand-worked counts, and that no week knows a later one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tables import features_of

from churnkit.clock import Cutoff, horizon_ends_by
from churnkit.lights import Capacity, Fixed, Hysteresis, Promise, TrafficLight
from churnkit.metrics import clustered
from churnkit.profit import Money
from churnkit.replay import Week, Weeks, replay, score_weeks, without_hysteresis
from churnkit.report.replay import render_replay, replay_summary

FIRST = Cutoff.parse("2024-01-07")
BARE = TrafficLight(Fixed(0.4, 0.7), rules=(), hysteresis=Hysteresis(0.0, 1))


def week(nth: int, probabilities: dict[str, float], churned: set[str], value: float = 200) -> Week:
    """One scoring of some customers by name."""
    p = np.array(list(probabilities.values()))
    cutoff = FIRST.shifted(7 * nth)
    features = features_of(recency=[1.0] * len(p))
    names = np.array(list(probabilities), dtype=object)
    features = replace(features, customer_id=names, cutoff=np.full(len(p), cutoff.us))
    left = np.array([name in churned for name in probabilities])
    return Week(cutoff, features, p, np.full(len(p), float(value)), left)


@pytest.fixture
def four(model) -> Weeks:
    """Anna flickers, Ben is red and leaves, Cleo is green, Dora comes in the third week."""
    shown = (
        week(0, {"anna": 0.5, "ben": 0.8, "cleo": 0.1}, {"ben"}),
        week(1, {"anna": 0.39, "ben": 0.8, "cleo": 0.1}, {"ben"}),
        week(2, {"anna": 0.5, "ben": 0.8, "cleo": 0.1, "dora": 0.9}, {"ben"}),
        week(3, {"anna": 0.5, "cleo": 0.1, "dora": 0.9}, set()),
    )
    return Weeks(model, (), shown)


def test_counts_of_the_weeks(four):
    found = replay("fixed", BARE, four, Money())
    red, yellow, green = found.colours
    assert (red.customers, yellow.customers, green.customers) == (5 / 4, 3 / 4, 5 / 4)
    assert red.churned.value == pytest.approx(3 / 5)
    assert (red.caught, yellow.caught, green.caught) == (1.0, 0.0, 0.0)


def test_changed_and_flicker_are_counted_by_hand(four):
    found = replay("fixed", BARE, four, Money())
    # Pairs: 3 + 3 + 3; anna changes twice, nobody else ever.
    assert found.changed == pytest.approx(2 / 9)
    # Triples: anna, ben, cleo, then anna and cleo; anna went and came back once.
    assert found.flicker == pytest.approx(1 / 5)
    calm = replay("calm", replace(BARE, hysteresis=Hysteresis(0.05)), four, Money())
    assert (calm.changed, calm.flicker) == (0.0, 0.0)
    assert replay("bare", without_hysteresis(calm.light), four, Money()).flicker > 0


def test_new_calls_are_those_who_were_not_red_the_week_before(four):
    found = replay("fixed", BARE, four, Money())
    assert found.calls_per_week == pytest.approx(1 / 3)  # dora, in three weeks


def test_profit_is_worked_by_hand(four):
    # Ben, who leaves, three times: .3 · (200 − 10) − 1 = 56; dora, who stays, twice: −11.
    found = replay("fixed", BARE, four, Money())
    assert found.profit == pytest.approx((3 * 56 - 2 * 11) / 4)


def test_unknown_values_are_those_of_the_settings(four):
    blank = tuple(replace(w, value=np.full(len(w.value), np.nan)) for w in four.shown)
    found = replay("fixed", BARE, replace(four, shown=blank), Money())
    assert found.profit == replay("fixed", BARE, four, Money()).profit


def test_rules_are_averaged_over_the_weeks(four):
    found = replay("own", TrafficLight(Fixed(0.4, 0.7)), four, Money())
    told = {one["name"]: one for one in found.rules()}
    assert told["open_complaint"]["fired"] == 0
    assert not told["open_complaint"]["speaks"]


def test_a_policy_sees_only_outcomes_that_are_over(four):
    days = four.model.question.horizon_days
    for cutoff in (FIRST, FIRST.shifted(days), FIRST.shifted(days + 7)):
        seen = [test.cutoff for test in four.evidence(cutoff).tests]
        over = [w for w in four.shown if horizon_ends_by(w.cutoff, days, cutoff)]
        assert seen == [str(w.cutoff) for w in over]


def test_what_comes_of_a_week_moves_no_earlier_light(model, logs, question, schedule):
    weeks = score_weeks(logs, question, schedule, weeks=3)
    light = TrafficLight(Promise(0.6, 0.2), rules=())
    before = replay("promise", light, weeks, Money())
    flipped = replace(weeks.shown[-1], churned=~weeks.shown[-1].churned)
    after = replay("promise", light, replace(weeks, shown=(*weeks.shown[:-1], flipped)), Money())
    for one, other in zip(before.lights, after.lights, strict=True):
        assert one.light.tolist() == other.light.tolist()
    first = weeks.shown[0].cutoff
    assert weeks.evidence(first).tests
    last = Cutoff.parse(weeks.model.trained_on[-1])
    assert horizon_ends_by(last, question.horizon_days, weeks.learning[0].cutoff)


def test_an_interval_takes_a_customer_of_several_weeks_for_one():
    once = np.array([True] * 30 + [False] * 70)
    names = np.arange(100)
    plain = clustered(once, names)
    tenfold = clustered(np.repeat(once, 10), np.repeat(names, 10))
    assert tenfold.value == plain.value
    assert tenfold.low == pytest.approx(plain.low, abs=0.005)
    assert tenfold.high == pytest.approx(plain.high, abs=0.005)
    naive = clustered(np.repeat(once, 10), np.arange(1000))
    assert naive.high - naive.low < 0.5 * (tenfold.high - tenfold.low)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_where_all_are_alike_the_interval_is_that_of_the_rows(share):
    found = clustered(np.full(20, bool(share)), np.arange(20))
    assert found.value == share
    assert 0.1 < found.high - found.low < 0.2


def test_a_summary_without_money_or_red_stays_whole(four):
    quiet = TrafficLight(Fixed(0.98, 0.99), rules=(), hysteresis=Hysteresis(0.0, 1))
    made = [
        replay("quiet", quiet, four, Money()),
        replay("few", TrafficLight(Capacity(1)), four, Money()),
    ]
    summary = replay_summary(four, made)
    red = summary["policies"][0]["colours"][0]
    assert (red["customers"], red["churned"]["value"], red["caught"]) == (0.0, None, 0.0)
    page = render_replay(summary)
    assert "not known" in page
    assert "<script" not in page
