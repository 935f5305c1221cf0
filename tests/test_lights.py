"""Traffic lights: thresholds whose lower edges belong to them, and rules that only ever lift."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import features_of, logs_of

from churnkit.clock import Cutoff
from churnkit.errors import ConfigError
from churnkit.features import Features, FeatureSpec, build_features
from churnkit.lights import (
    LIGHTS,
    RULE_NAMES,
    RULES,
    Condition,
    Fixed,
    Lights,
    Rule,
    TrafficLight,
    realised,
)

NO_RULES = TrafficLight(rules=())


def assign(
    probability: np.ndarray, features: Features, light: TrafficLight | None = None
) -> Lights:
    """The lights of customers of whom no value is known."""
    return (light or TrafficLight()).assign(probability, features)


def lit(
    probability: float, light: TrafficLight | None = None, **values: float
) -> tuple[str, list[str]]:
    """The light and the rules of one customer with these features."""
    columns = {name: [value] for name, value in values.items()} or {"recency": [1.0]}
    lights = assign(np.array([probability]), features_of(**columns), light)
    return lights.light[0], lights.rules[0]


# ── Thresholds ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("probability", "light"),
    [
        (0.0, "green"),
        (np.nextafter(0.4, 0), "green"),
        (0.4, "yellow"),
        (np.nextafter(0.7, 0), "yellow"),
        (0.7, "red"),
        (1.0, "red"),
    ],
)
def test_lower_edges_belong_to_the_colour(probability, light):
    assert lit(probability) == (light, [])


edges = st.tuples(
    st.floats(0, 1, exclude_min=True, exclude_max=True),
    st.floats(0, 1, exclude_min=True, exclude_max=True),
).filter(lambda pair: pair[0] < pair[1])


@given(edges, st.floats(0, 1))
def test_the_colour_follows_from_the_edges(pair, probability):
    yellow, red = pair
    expected = "red" if probability >= red else "yellow" if probability >= yellow else "green"
    light = TrafficLight(Fixed(yellow, red), rules=())
    assert lit(probability, light) == (expected, [])
    assert lit(yellow, light)[0] == "yellow"
    assert lit(red, light)[0] == "red"


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_more_risk_is_never_a_better_colour(probabilities):
    levels = [LIGHTS.index(light) for light in NO_RULES.predict(np.sort(probabilities))]
    assert (np.diff(levels) >= 0).all()


@pytest.mark.parametrize(
    ("yellow", "red"), [(0.7, 0.4), (0.5, 0.5), (0, 0.7), (0.4, 1), (-0.1, 0.5), (np.nan, 0.7)]
)
def test_thresholds_out_of_order_are_refused(yellow, red):
    with pytest.raises(ConfigError, match=f"yellow = {yellow} and red = {red} are out of order"):
        Fixed(yellow, red)


# ── The built-in rules ──────────────────────────────────────────────────────────────────────

FIRES = [
    ("silent_30d", "yellow", "no activity for 30 days", {"days_since_activity": 30}),
    (
        "own_interval",
        "yellow",
        "later than its own normal buying interval",
        {"overdue_own_ratio": 1.1},
    ),
    (
        "detractor",
        "yellow",
        "answered as a detractor in the last 180 days",
        {"nps_class": -1, "days_since_nps": 180},
    ),
    (
        "low_ease",
        "yellow",
        "found it hard to get its matter settled in the last 180 days",
        {"ces_ease_last": 1 / 3, "days_since_ces": 180},
    ),
    ("unresolved_ticket", "yellow", "unresolved ticket", {"tickets_open": 1}),
    ("failed_payment", "yellow", "failed payment", {"payments_failed_open": 2}),
    (
        "renewal_due",
        "yellow",
        "renewal due within 30 days, and activity has halved",
        {"days_to_renewal": 30, "activity_trend_30d": -0.34},
    ),
    ("open_complaint", "red", "open complaint", {"complaints_open": 1}),
]


@pytest.mark.parametrize(("name", "light", "says", "values"), FIRES, ids=[f[0] for f in FIRES])
def test_a_rule_lifts_and_is_recorded_with_its_change(name, light, says, values):
    assert lit(0.1, **values) == (light, [f"{says}: green → {light}"])


def test_every_rule_has_its_example():
    assert [example[0] for example in FIRES] == list(RULE_NAMES)


@pytest.mark.parametrize(
    "values",
    [
        {"days_since_activity": 29.9},
        {"overdue_own_ratio": 1.0},
        {"nps_class": 0, "days_since_nps": 10},
        {"nps_class": -1, "days_since_nps": 180.1},
        {"nps_class": -1},
        {"ces_ease_last": 0.5, "days_since_ces": 10},
        {"ces_ease_last": 0.0, "days_since_ces": 181},
        {"days_to_renewal": 31, "activity_trend_30d": -1},
        {"days_to_renewal": 5, "activity_trend_30d": -0.3},
        {"tickets_open": 0},
        {"payments_failed_open": 0},
        {"complaints_open": 0},
    ],
    ids=str,
)
def test_short_of_its_conditions_a_rule_does_not_fire(values):
    assert lit(0.1, **values) == ("green", [])


def test_a_missing_value_fires_no_rule():
    every = {c.feature: np.nan for rule in RULES for c in rule.conditions}
    assert lit(0.1, **every) == ("green", [])


def test_a_missing_column_fires_no_rule():
    assert lit(0.1, recency=500.0) == ("green", [])


def test_a_rule_that_changes_nothing_is_recorded_without_a_change():
    assert lit(0.5, tickets_open=1) == ("yellow", ["unresolved ticket"])
    assert lit(0.9, complaints_open=1) == ("red", ["open complaint"])


@pytest.mark.parametrize("light", LIGHTS)
def test_no_rule_ever_lowers_the_light(light):
    probability = {"green": 0.1, "yellow": 0.5, "red": 0.9}[light]
    for _, at_least, _, values in FIRES:
        found, _ = lit(probability, **values)
        assert found == max(light, at_least, key=LIGHTS.index)


def test_later_rules_see_the_colour_that_earlier_ones_left():
    assert lit(0.1, tickets_open=1, payments_failed_open=1, complaints_open=1) == (
        "red",
        ["unresolved ticket: green → yellow", "failed payment", "open complaint: yellow → red"],
    )


def test_the_order_of_the_rules_is_that_of_the_light():
    values = {"tickets_open": 1, "complaints_open": 1}
    assert lit(0.1, TrafficLight(rules=RULES[::-1]), **values) == (
        "red",
        ["open complaint: green → red", "unresolved ticket"],
    )


def test_a_rule_can_be_switched_off():
    without = TrafficLight(rules=tuple(rule for rule in RULES if rule.name != "open_complaint"))
    assert lit(0.1, without, complaints_open=1) == ("green", [])
    assert lit(0.1, without, tickets_open=1)[0] == "yellow"


def test_a_rule_of_ones_own():
    rule = Rule("rare", "buys rarely", "red", (Condition("gap_mean", ">", 60),))
    assert lit(0.1, TrafficLight(rules=(rule,)), gap_mean=61) == (
        "red",
        ["buys rarely: green → red"],
    )


@pytest.mark.parametrize(
    ("comparison", "met"),
    [(">=", [False, True, True]), (">", [False, False, True]),
     ("<=", [True, True, False]), ("<", [True, False, False])],
)  # fmt: skip
def test_conditions_compare(comparison, met):
    condition = Condition("recency", comparison, 5)
    assert condition.holds(features_of(recency=[4, 5, 6])).tolist() == met
    assert not condition.holds(features_of(recency=[np.nan])).any()


def test_every_condition_of_a_rule_must_hold():
    rule = Rule("both", "", "red", (Condition("a", ">", 0), Condition("b", ">", 0)))
    assert rule.fires(features_of(a=[0, 0, 1, 1], b=[0, 1, 0, 1])).tolist() == [
        False,
        False,
        False,
        True,
    ]


# ── From the logs ───────────────────────────────────────────────────────────────────────────


def test_rules_read_the_features_of_the_logs():
    logs = logs_of(
        purchases="""
            customer | ts         | amount
            anna     | 2024-02-20 | 10
            ben      | 2024-02-20 | 10
            cleo     | 2024-02-20 | 10
        """,
        activity="""
            customer | ts         | event
            anna     | 2024-02-25 | complaint_opened
            ben      | 2024-02-24 | complaint_opened
            ben      | 2024-02-25 | complaint_resolved
            cleo     | 2024-01-01 | visit
        """,
        surveys="""
            customer | ts         | instrument | score
            ben      | 2024-02-26 | nps        | 3
            cleo     | 2024-02-26 | nps        | 9
        """,
    )
    features = build_features(logs, Cutoff.parse("2024-03-01"))
    lights = assign(np.full(3, 0.1), features)
    said = dict(
        zip(features.customer_id, zip(lights.light, lights.rules, strict=True), strict=True)
    )
    assert said == {
        "anna": ("red", ["open complaint: green → red"]),
        "ben": ("yellow", ["answered as a detractor in the last 180 days: green → yellow"]),
        "cleo": ("yellow", ["no activity for 30 days: green → yellow"]),
    }


def test_every_rule_reads_features_that_exist():
    every_log = {"purchases": (), "activity": (), "surveys": ()}
    spec = FeatureSpec(every_log, kinds=("renewal",), instruments=("nps", "ces"))
    known = {column.name for column in spec.columns()}
    assert {c.feature for rule in RULES for c in rule.conditions} <= known


def test_lights_of_many_rows_keep_their_order():
    lights = assign(np.array([0.9, 0.1, 0.5, 0.1]), features_of(complaints_open=[0, 0, 0, 1]))
    assert lights.light.tolist() == ["red", "green", "yellow", "red"]
    assert lights.base.tolist() == ["red", "green", "yellow", "green"]
    assert lights.rules == [[], [], [], ["open complaint: green → red"]]


def test_no_rows_have_no_lights():
    lights = assign(np.empty(0), features_of(complaints_open=[]))
    assert (len(lights.light), len(lights.base), lights.rules) == (0, 0, [])


# ── What became of each colour ──────────────────────────────────────────────────────────────


def test_realised_churn_of_each_colour():
    colours = np.array(["red"] * 10 + ["green"] * 5, dtype=object)
    churned = np.array([True] * 7 + [False] * 3 + [False] * 5)
    told = realised(colours, churned)
    assert str(told["red"]) == ".700 [.397, .892]"
    assert str(told["green"]) == ".000 [.000, .434]"
    assert str(told["yellow"]) == "nan [.000, 1.000]"
