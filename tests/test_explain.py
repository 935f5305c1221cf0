"""Reasons and drivers: what is said of a customer, in which order, and in which words."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.estimators import PlainRule
from churnkit.explain import drivers, reasons, sentence
from churnkit.features import Features, FeatureSpec
from churnkit.labels import Question
from churnkit.model import ChurnModel

SPEC = FeatureSpec(
    logs={"purchases": ("amount",), "activity": ("kind",), "surveys": ("instrument", "score")},
    kinds=("complaint_opened", "visit"),
    instruments=("csat", "nps"),
)
COLUMNS = {column.name: column for column in SPEC.columns()}
NAMES = tuple(COLUMNS)


def table(**columns: list[float]) -> Features:
    """A feature table of some columns; all others are zero."""
    rows = len(next(iter(columns.values())))
    values = {name: np.array(columns.get(name, np.zeros(rows)), dtype=float) for name in NAMES}
    ids = np.array([f"c{k}" for k in range(rows)], dtype=object)
    return Features(ids, np.zeros(rows, dtype=np.int64), values, SPEC)


def rule(missing: dict[str, float] | None = None, /, **weights: float) -> ChurnModel:
    """A model whose log-odds are the sum of weight × log(1 + value), or what a gap adds."""
    gaps = missing or {}
    names = list({**weights, **gaps})
    estimator = PlainRule([NAMES.index(name) for name in names])
    estimator.mean_, estimator.scale_ = np.zeros(len(names)), np.ones(len(names))
    estimator.coef_ = np.array([told.get(n, 0.0) for told in (weights, gaps) for n in names])
    estimator.intercept_ = 0.0
    estimator.classes_ = np.array([False, True])
    estimator.n_features_in_ = len(NAMES)
    return ChurnModel("rfm_logistic", estimator, NAMES, SPEC, Question())


# ── Reasons ─────────────────────────────────────────────────────────────────────────────────


def test_an_arrow_tells_more_churn_from_less():
    who = table(recency=[40], visit_count_30d=[7])
    [told] = reasons(rule(recency=1.0, visit_count_30d=-1.0), who)
    assert told == ["↑ last purchase 40 days ago", "↓ visit in the last 30 days: 7"]


def test_the_weightiest_comes_first():
    who = table(recency=[40], visit_count_30d=[7])
    [told] = reasons(rule(recency=0.1, visit_count_30d=-1.0), who)
    assert told == ["↓ visit in the last 30 days: 7", "↑ last purchase 40 days ago"]


def test_every_row_has_its_own_reasons():
    who = table(recency=[40, 0, 3], visit_count_30d=[0, 7, 0])
    assert reasons(rule(recency=1.0, visit_count_30d=-1.0), who) == [
        ["↑ last purchase 40 days ago"],
        ["↓ visit in the last 30 days: 7"],
        ["↑ last purchase 3 days ago"],
    ]


def test_no_theme_is_told_twice():
    everything = dict.fromkeys(NAMES, 1.0)
    [told] = reasons(rule(**everything), table(**{name: [1.0] for name in NAMES}), top=1000)
    assert len(told) == len({column.theme for column in COLUMNS.values()})
    assert len(set(told)) == len(told)


def test_there_are_at_most_four_reasons():
    everything = dict.fromkeys(NAMES, 1.0)
    who = table(**{name: [1.0, 0.0] for name in NAMES})
    assert [len(told) for told in reasons(rule(**everything), who)] == [4, 0]
    assert [len(told) for told in reasons(rule(**everything), who, top=2)] == [2, 0]


def test_features_of_one_theme_are_added_up():
    """Three weak signs of one thing are told before one stronger sign of another."""
    who = table(visit_count_7d=[5], visit_count_30d=[5], visit_count_90d=[5], recency=[5])
    weights = {"visit_count_7d": -0.5, "visit_count_30d": -0.4, "visit_count_90d": -0.4}
    [told] = reasons(rule(recency=1.0, **weights), who)
    assert told == ["↓ visit in the last 7 days: 5", "↑ last purchase 5 days ago"]


def test_a_theme_speaks_through_a_feature_that_pulls_its_way():
    """Two against one: the strongest single feature pulls the other way and stays silent."""
    who = table(visit_count_7d=[5], visit_count_30d=[6], visit_count_90d=[7])
    weights = {"visit_count_7d": 1.0, "visit_count_30d": -0.8, "visit_count_90d": -0.7}
    assert reasons(rule(**weights), who) == [["↓ visit in the last 30 days: 6"]]


def pulling(**pulls: list[float]) -> SimpleNamespace:
    """A model with these contributions, one a row; all others are zero."""
    rows = len(next(iter(pulls.values())))
    told = np.stack([pulls.get(name, [0.0] * rows) for name in NAMES], axis=1)
    return SimpleNamespace(names=NAMES, spec=SPEC, contributions=lambda _: told)


def test_a_theme_speaks_through_a_value_on_the_expected_side():
    """Purchases go with less churn: that many of them speak for more churn would puzzle people."""
    who = table(purchases_count_7d=[0, 5, 9], purchases_count_30d=[9, 5, 0])
    model = pulling(purchases_count_7d=[0.3, 0.3, 0.3], purchases_count_30d=[0.9, 0.9, 0.9])
    assert reasons(model, who) == [
        ["↑ purchases in the last 7 days: 0"],
        ["↑ purchases in the last 30 days: 5"],  # both stand at their median: the weightier speaks
        ["↑ purchases in the last 30 days: 0"],
    ]


def test_for_less_churn_the_other_side_is_expected():
    who = table(purchases_count_7d=[0, 5, 9], purchases_count_30d=[9, 5, 0])
    model = pulling(purchases_count_7d=[-0.9] * 3, purchases_count_30d=[-0.3] * 3)
    few, _, many = reasons(model, who)
    assert few == ["↓ purchases in the last 30 days: 9"]
    assert many == ["↓ purchases in the last 7 days: 9"]


def test_an_expected_value_that_hardly_counts_does_not_speak():
    who = table(purchases_count_7d=[0, 5, 9], purchases_count_30d=[9, 5, 0])
    model = pulling(purchases_count_7d=[0.019] * 3, purchases_count_30d=[0.9] * 3)
    assert reasons(model, who)[0] == ["↑ purchases in the last 30 days: 9"]


def test_a_missing_value_lies_on_no_side():
    who = table(purchases_count_7d=[np.nan, 5, 9], purchases_count_30d=[0, 5, 9])
    model = pulling(purchases_count_7d=[0.9] * 3, purchases_count_30d=[0.3] * 3)
    assert reasons(model, who)[0] == ["↑ purchases in the last 30 days: 0"]


def test_what_hardly_counts_is_not_told():
    """From 0.02 in log-odds on, about half a percent of probability."""
    who = table(visit_count_30d=[np.e - 1])
    assert reasons(rule(visit_count_30d=-0.019), who) == [[]]
    assert reasons(rule(visit_count_30d=-0.021), who) == [["↓ visit in the last 30 days: 1.7"]]


def test_a_missing_value_speaks_its_own_sentence():
    never = table(nps_last=[np.nan], recency=[np.nan])
    assert reasons(rule({"nps_last": 0.5, "recency": -0.2}), never) == [
        ["↑ no nps answer", "↓ never bought"]
    ]


def test_the_base_rate_has_no_reasons(rules, scores):
    assert not any(reasons(rules["base_rate"], scores.features))


def test_nobody_has_no_reasons(model, scores):
    nobody = scores.features.where(np.zeros(len(scores), dtype=bool))
    assert reasons(model, nobody) == []


def test_reasons_of_trees_follow_the_themes(model, scores):
    told = [column.theme for column in model.spec.columns()]
    themes = sorted(set(told))
    member = np.array(told)[:, None] == np.array(themes)
    by_theme = model.contributions(scores.features) @ member
    for reason, theme in zip(scores.reasons, by_theme, strict=True):
        strongest = theme[np.argsort(-np.abs(theme))][: len(reason)]
        assert len(reason) == min(4, np.sum(np.abs(theme) >= 0.02))
        assert [line[0] for line in reason] == ["↑" if pull > 0 else "↓" for pull in strongest]


def test_reasons_are_in_whole_words(scores):
    said = {line[2:] for reason in scores.reasons for line in reason}
    assert len(said) > 100
    assert not [line for line in said if "nan" in line.split() or "{" in line or not line]


# ── Words ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("recency", 4.26, "last purchase 4.3 days ago"),
        ("recency", 41.6, "last purchase 42 days ago"),
        ("spend_sum_365d", 12345.6, "spend in the last 365 days: 12,346"),
        ("purchases_count_30d", 0, "purchases in the last 30 days: 0"),
        ("recency", np.nan, "never bought"),
        ("recency", 1, "last purchase 1 day ago"),
        ("recency", 0, "last purchase 0 days ago"),
        ("gap_mean", 0.25, "usually buys every 6 hours"),
        ("gap_mean", 1 / 24, "usually buys every 1 hour"),
        ("gap_mean", 1 / 144, "usually buys every 10 minutes"),
        ("gap_mean", 3 / 86400, "usually buys every 3 seconds"),
        ("gap_trend", 2.0, "its last interval was 2 times its mean interval"),
        ("gap_trend", 0.04, "its last interval was 0.04 times its mean interval"),
        ("nps_change", -6, "last nps answer against the one before: -6"),
        ("nps_change", -0.001, "last nps answer against the one before: 0"),
        ("returns_share_30d", 0.375, "share of returns in the last 30 days: 38%"),
        ("days_since_visit", np.nan, "no visit so far"),
        ("nps_class", -1, "last nps answer: detractor"),
        ("nps_class", 0, "last nps answer: passive"),
        ("nps_class", 1, "last nps answer: promoter"),
        ("nps_class", np.nan, "no nps answer"),
        ("nps_mean_365d", np.nan, "no nps answer in the last 365 days"),
        ("nps_mean_all", np.nan, "no nps answer so far"),
        ("purchases_count_all", 13, "purchases so far: 13"),
        ("csat_class", 0, "last csat answer: not satisfied"),
        ("csat_class", 1, "last csat answer: satisfied"),
        ("year_sin", 0.5, "the time of the year"),
        ("purchases_trend_30d", np.nan, "no purchases in the last 30 days nor before"),
    ],
)
def test_a_value_in_words(name, value, said):
    assert sentence(COLUMNS[name], value) == said


@pytest.mark.parametrize(
    ("now", "before", "said"),
    [
        (0, 5, "none any more"),
        (1, 5, "much less"),
        (1, 3, "less"),
        (4, 5, "less"),
        (9, 10, "as before"),
        (5, 5, "as before"),
        (10, 9, "as before"),
        (5, 4, "more"),
        (3, 1, "much more"),
        (5, 0, "none before"),
    ],
)
def test_trends_in_words(now, before, said):
    trend = (now - before) / (now + before)
    assert sentence(COLUMNS["spend_trend_90d"], trend) == (
        f"spend in the last 90 days against the time before: {said}"
    )


@pytest.mark.parametrize(
    ("less", "said"),
    [(-1.3, "far behind"), (-0.3, "behind"), (0, "alike"), (0.3, "ahead"), (0.7, "far ahead")],
)
def test_trends_are_told_next_to_those_of_all(less, said):
    assert sentence(COLUMNS["trend_against_market_90d"], less) == (
        f"trend of purchases in the last 90 days next to that of all customers: {said}"
    )


@given(st.sampled_from(NAMES), st.floats(-1, 1))
def test_every_column_has_a_sentence_for_every_value(name, value):
    whole = round(value) if "class" in COLUMNS[name].feature.unit else value
    whole = max(whole, 0) if name == "csat_class" else whole
    assert "{" not in sentence(COLUMNS[name], whole)
    assert sentence(COLUMNS[name], float("nan")) == COLUMNS[name].unknown != ""


# ── Drivers ─────────────────────────────────────────────────────────────────────────────────


def test_drivers_are_the_strongest_first(model, scores):
    told = drivers(model, scores.features, top=15)
    weights = [driver.weight for driver in told]
    assert len(told) == 15
    assert weights == sorted(weights, reverse=True)
    assert 0.5 < sum(weights) < 1


def test_the_weights_of_all_drivers_add_up_to_one(model, scores):
    assert sum(d.weight for d in drivers(model, scores.features, top=1000)) == pytest.approx(1)


def test_drivers_tell_their_direction():
    who = table(recency=[1, 2, 3, 4], visit_count_30d=[5, 1, 9, 2], spend_sum_30d=[1, 2, 3, 4])
    told = drivers(rule(recency=2.0, visit_count_30d=-1.0), who)
    assert [(d.name, d.theme, d.direction) for d in told] == [
        ("recency", "recency", "up"),
        ("visit_count_30d", "visit", "down"),
    ]
    assert told[0].says == "days since the last purchase"


def test_a_driver_that_goes_against_what_is_expected_says_so():
    who = table(recency=[1, 2, 3, 4], purchases_count_30d=[5, 1, 9, 2])
    told = drivers(rule(recency=-2.0, purchases_count_30d=-1.0), who)
    assert [(d.name, d.direction, d.expected, d.unexpected) for d in told] == [
        ("recency", "down", "up", True),
        ("purchases_count_30d", "down", "down", False),
    ]


def test_a_driver_of_which_nothing_is_expected_is_never_unexpected():
    [driver] = drivers(rule(spend_mean_all=1.0), table(spend_mean_all=[1, 2, 3, 4]))
    assert (driver.direction, driver.expected, driver.unexpected) == ("up", "", False)


def test_a_driver_that_pulls_both_ways_is_mixed():
    """High and low values go with churn, those between do not."""
    values = table(recency=[1, 2, 3, 4, 5, 6])
    pulls = np.zeros(values.values.shape)
    pulls[:, NAMES.index("recency")] = [3, 2, 1, 1, 2, 3]
    both_ways = SimpleNamespace(names=NAMES, spec=SPEC, contributions=lambda _: pulls)
    assert [d.direction for d in drivers(both_ways, values)] == ["mixed"]


def test_a_driver_seen_at_one_value_has_no_direction():
    who = table(recency=[5, 5, 5])
    assert [d.direction for d in drivers(rule(recency=1.0), who)] == ["mixed"]


def test_where_it_is_missing_does_not_count_for_the_direction():
    who = table(recency=[1, 2, 3, np.nan, np.nan, np.nan])
    [driver] = drivers(rule({"recency": 9.0}, recency=1.0), who)
    assert driver.direction == "up"


def test_the_base_rate_has_no_drivers(rules, scores):
    assert drivers(rules["base_rate"], scores.features) == []


def test_nobody_has_no_drivers(model, scores):
    assert drivers(model, scores.features.where(np.zeros(len(scores), dtype=bool))) == []
