"""Reasons and drivers: what is said of a customer, in which order, and in which words."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from churnkit import explain
from churnkit.estimators import PlainRule
from churnkit.explain import drivers, moves, sentence, why
from churnkit.explain.reasons import Themes, _each
from churnkit.explain.words import change
from churnkit.features import Features, FeatureSpec
from churnkit.labels import Question
from churnkit.model import ChurnModel
from churnkit.scoring import score

SPEC = FeatureSpec(
    logs={"purchases": ("amount",), "activity": ("kind",), "surveys": ("instrument", "score")},
    kinds=("complaint_opened", "survey_sent", "visit"),
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


def reasons(model: ChurnModel, features: Features, top: int = 4, **exact) -> list[list[str]]:
    """The sentences of each row."""
    return explain.reasons(model, features, top, **exact).sentences


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


@given(st.lists(st.lists(st.integers(-1, 4), min_size=3, max_size=3), min_size=1), st.data())
def test_each_number_of_a_table_comes_with_its_places(numbers, data):
    table = np.array(numbers)
    asked = data.draw(st.lists(st.booleans(), min_size=table.size, max_size=table.size))
    there = np.array(asked).reshape(table.shape) & (table >= 0)
    told = [(k, rows.tolist(), slots.tolist()) for k, rows, slots in _each(table, there)]
    expected = [
        (k, *(found.tolist() for found in np.nonzero((table == k) & there)))
        for k in np.unique(table[there]).tolist()
    ]
    assert told == expected


# ── Reasons ─────────────────────────────────────────────────────────────────────────────────


def test_an_arrow_tells_more_churn_from_less():
    who = table(recency=[40], visit_count_30d=[7])
    [told] = reasons(rule(recency=1.0, visit_count_30d=-1.0), who)
    assert told == ["↑ no purchase for 40 days", "↓ visit 7 times in the last 30 days"]


def test_the_weightiest_comes_first():
    who = table(recency=[40], visit_count_30d=[7])
    [told] = reasons(rule(recency=0.1, visit_count_30d=-1.0), who)
    assert told == ["↓ visit 7 times in the last 30 days", "↑ no purchase for 40 days"]


def test_every_row_has_its_own_reasons():
    who = table(recency=[40, 0, 3], visit_count_30d=[0, 7, 0])
    assert reasons(rule(recency=1.0, visit_count_30d=-1.0), who) == [
        ["↑ no purchase for 40 days"],
        ["↓ visit 7 times in the last 30 days"],
        ["↑ no purchase for 3 days"],
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
    assert told == ["↓ visit 5 times in the last 7 days", "↑ no purchase for 5 days"]


def test_a_theme_speaks_through_a_feature_that_pulls_its_way():
    """Two against one: the strongest single feature pulls the other way and stays silent."""
    who = table(visit_count_7d=[5], visit_count_30d=[6], visit_count_90d=[7])
    weights = {"visit_count_7d": 1.0, "visit_count_30d": -0.8, "visit_count_90d": -0.7}
    assert reasons(rule(**weights), who) == [["↓ visit 6 times in the last 30 days"]]


def pulling(**pulls: list[float]) -> SimpleNamespace:
    """A model with these contributions, one a row; all others are zero."""
    rows = len(next(iter(pulls.values())))
    told = np.stack([pulls.get(name, [0.0] * rows) for name in NAMES], axis=1)
    return SimpleNamespace(names=NAMES, spec=SPEC, middle=None, contributions=lambda _: told)


def test_a_theme_speaks_through_a_value_on_the_expected_side():
    """Purchases go with less churn: that many of them speak for more churn would puzzle people."""
    who = table(purchases_count_7d=[0, 5, 9], purchases_count_30d=[9, 5, 0])
    model = pulling(purchases_count_7d=[0.3, 0.3, 0.3], purchases_count_30d=[0.9, 0.9, 0.9])
    assert reasons(model, who) == [
        ["↑ no purchase in the last 7 days"],
        ["↑ 5 purchases in the last 30 days"],  # both stand at their median: the weightier speaks
        ["↑ no purchase in the last 30 days"],
    ]


def test_for_less_churn_the_other_side_is_expected():
    who = table(purchases_count_7d=[0, 5, 9], purchases_count_30d=[9, 5, 0])
    model = pulling(purchases_count_7d=[-0.9] * 3, purchases_count_30d=[-0.3] * 3)
    few, _, many = reasons(model, who)
    assert few == ["↓ 9 purchases in the last 30 days"]
    assert many == ["↓ 9 purchases in the last 7 days"]


def test_an_expected_value_that_hardly_counts_does_not_speak():
    who = table(purchases_count_7d=[0, 5, 9], purchases_count_30d=[9, 5, 0])
    model = pulling(purchases_count_7d=[0.019] * 3, purchases_count_30d=[0.9] * 3)
    assert reasons(model, who)[0] == ["↑ 9 purchases in the last 30 days"]


def test_a_missing_value_lies_on_no_side():
    who = table(purchases_count_7d=[np.nan, 5, 9], purchases_count_30d=[0, 5, 9])
    model = pulling(purchases_count_7d=[0.9] * 3, purchases_count_30d=[0.3] * 3)
    assert reasons(model, who)[0] == ["↑ no purchase in the last 30 days"]


def test_what_hardly_counts_is_not_told():
    """From 0.02 in log-odds on, about half a percent of probability."""
    who = table(visit_count_30d=[np.e - 1])
    assert reasons(rule(visit_count_30d=-0.019), who) == [[]]
    assert reasons(rule(visit_count_30d=-0.021), who) == [["↓ visit 1.7 times in the last 30 days"]]


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
        ("recency", 4.26, "no purchase for 4.3 days"),
        ("recency", 41.6, "no purchase for 42 days"),
        ("spend_sum_365d", 12345.6, "spent 12,346 in the last 365 days"),
        ("purchases_count_30d", 0, "no purchase in the last 30 days"),
        ("recency", np.nan, "never bought"),
        ("recency", 1, "no purchase for 1 day"),
        ("recency", 0, "bought just now"),
        ("gap_mean", 0.25, "buys every 6 hours on average"),
        ("gap_mean", 1 / 24, "buys every 1 hour on average"),
        ("gap_mean", 1 / 144, "buys every 10 minutes on average"),
        ("gap_mean", 3 / 86400, "buys every 3 seconds on average"),
        ("gap_trend", 2.0, "its last interval was 2 times its mean interval"),
        ("gap_trend", 0.04, "its last interval was 0.04 times its mean interval"),
        ("nps_change", -6, "last nps answer against the one before: -6"),
        ("nps_change", -0.001, "last nps answer against the one before: 0"),
        ("nps_change", 0, "last nps answer as the one before"),
        ("returns_share_30d", 0.375, "38% of its orders in the last 30 days were returns"),
        ("days_since_visit", np.nan, "no visit so far"),
        ("nps_class", -1, "last nps answer: detractor"),
        ("nps_class", 0, "last nps answer: passive"),
        ("nps_class", 1, "last nps answer: promoter"),
        ("nps_class", np.nan, "no nps answer"),
        ("nps_mean_365d", np.nan, "no nps answer in the last 365 days"),
        ("nps_mean_all", np.nan, "no nps answer so far"),
        ("purchases_count_all", 1, "1 purchase so far"),
        ("visit_count_30d", 0, "no visit in the last 30 days"),
        ("visit_count_30d", 1, "visit once in the last 30 days"),
        ("visit_count_30d", 2, "visit 2 times in the last 30 days"),
        ("complaints_open", 1, "1 open complaint"),
        ("spend_sum_30d", 0, "spent nothing in the last 30 days"),
        ("spend_sum_30d", 1, "spent 1 in the last 30 days"),
        ("overdue_ratio", 1, "waiting 1 times the longest normal interval"),
        ("csat_good_last", 0.75, "last csat answer: 75% of full marks"),
        ("purchases_count_all", 13, "13 purchases so far"),
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
        f"purchases in the last 90 days next to all customers: {said}"
    )


@given(st.sampled_from(NAMES), st.floats(-1, 1))
def test_every_column_has_a_sentence_for_every_value(name, value):
    whole = round(value) if "class" in COLUMNS[name].feature.unit else value
    whole = max(whole, 0) if name == "csat_class" else whole
    assert "{" not in sentence(COLUMNS[name], whole)
    assert sentence(COLUMNS[name], float("nan")) == COLUMNS[name].unknown != ""


def test_a_companion_makes_a_value_telling():
    habits = {"gap_median": 21.0, "gap_p90": 30.0}
    assert sentence(COLUMNS["recency"], 74, habits) == "no purchase for 74 days, usually every 21"
    hours = {"gap_median": 0.25, "gap_p90": 1.0}
    assert sentence(COLUMNS["recency"], 3, hours) == "no purchase for 3 days, usually every 6 hours"


def test_two_purchases_are_no_habit():
    once = {"gap_median": 21.0, "gap_p90": np.nan}
    assert sentence(COLUMNS["recency"], 74, once) == "no purchase for 74 days"


@pytest.mark.parametrize(
    ("name", "value", "others", "said"),
    [
        ("recency", 74, {"gap_p90": 30.0}, "no purchase for 74 days"),
        ("recency", np.nan, {"gap_median": 21.0, "gap_p90": 30.0}, "never bought"),
        (
            "complaints_open",
            2,
            {"complaints_open_days": 31.0},
            "2 open complaints, the oldest for 31 days",
        ),
        ("complaints_open", 0, {"complaints_open_days": np.nan}, "no open complaint"),
        ("nps_last", 4, {"days_since_nps": 12.0}, "last nps answer: 4, 12 days ago"),
        (
            "spend_last",
            30,
            {"spend_mean_all": 55.0},
            "spent 30 at the last purchase, on average 55",
        ),
    ],
)
def test_what_stands_beside_a_value(name, value, others, said):
    assert sentence(COLUMNS[name], value, others) == said


def test_every_companion_is_a_column():
    told = {c.name: c.companion for c in SPEC.columns() if c.companion is not None}
    assert len(told) > 10
    names = {name for c in told.values() for name in (c.name, c.where) if name}
    assert names <= {
        *COLUMNS,
        "activity_gap_mean",
        "payments_failed_open_days",
        "tickets_open_days",
    }


@pytest.mark.parametrize(
    ("name", "value", "before", "said"),
    [
        ("recency", 74, 21, "no purchase for 74 days (was 21)"),
        ("recency", 2, 0.25, "no purchase for 2 days (was 6 hours)"),
        ("purchases_count_90d", 0, 3, "no purchase in the last 90 days (was 3)"),
        ("purchases_count_90d", 3, 0, "3 purchases in the last 90 days (was 0)"),
        ("nps_class", -1, 1, "last nps answer: detractor (was promoter)"),
        ("nps_last", 4, np.nan, "last nps answer: 4 (before: no nps answer)"),
        ("nps_mean_all", np.nan, 9, "no nps answer so far (before: mean nps answer so far: 9)"),
        ("nps_last", np.nan, np.nan, "no nps answer"),
        ("recency", 74, 74.2, "no purchase for 74 days"),
        ("year_sin", 0.5, -0.5, "the time of the year"),
        ("returns_share_all", 0.5, 0.25, "50% of its orders so far were returns (was 25%)"),
    ],
)
def test_a_change_in_words(name, value, before, said):
    assert change(COLUMNS[name], value, before) == said


def test_the_leading_theme_is_the_one_that_raises_most_and_is_its_own():
    who = table(recency=[40, 0, 0], visit_count_30d=[0, 5, 0], year_cos=[1, 1, 1])
    found = explain.reasons(rule(recency=1.0, visit_count_30d=-1.0, year_cos=9.0), who)
    assert found.leading == ["recency", "", ""]
    assert all(told[0] == "↑ the time of the year" for told in found.sentences)


# ── What is exact, and what is quick ────────────────────────────────────────────────────────


def test_reasons_that_are_not_exact_are_marked(model, scores):
    exact = np.arange(len(scores)) % 2 == 0
    told = reasons(model, scores.features, exact=exact)
    assert [line for row in np.flatnonzero(exact) for line in told[row]] == [
        line for row in np.flatnonzero(exact) for line in scores.reasons[row]
    ]
    quick = [line for row in np.flatnonzero(~exact) for line in told[row]]
    assert quick
    assert all(line.startswith(("≈↑ ", "≈↓ ")) for line in quick)


def test_the_call_list_has_exact_reasons_before_all_others(model, logs, as_of, monkeypatch):
    for name in ("EXACT_REASONS", "EXACT_OF_MANY"):
        monkeypatch.setattr(f"churnkit.scoring.run.{name}", 10)
    scores = score(model, logs, as_of)
    exact = [not line.startswith("≈") for line in scores.to_frame()["reasons"]]
    calls = (scores.to_frame()["light"] != "green").to_numpy()
    assert calls.sum() > 10
    assert np.flatnonzero(exact).tolist() == np.flatnonzero(calls)[:10].tolist()


def test_the_reasons_of_a_rule_are_always_exact():
    who = table(recency=[40, 3])
    model = rule(recency=1.0)
    nobody = np.zeros(2, dtype=bool)
    assert reasons(model, who, exact=nobody) == reasons(model, who)


def test_quick_reasons_mostly_name_the_same_theme_first(model, scores):
    exact = reasons(model, scores.features, top=1)
    quick = reasons(model, scores.features, top=1, exact=np.zeros(len(scores), dtype=bool))
    same = [a == [line.removeprefix("≈") for line in b] for a, b in zip(exact, quick, strict=True)]
    assert np.mean(same) > 0.7


# ── Why, and what moved it ──────────────────────────────────────────────────────────────────


def test_why_tells_every_theme_with_its_features(model, scores):
    told = why(model, scores.features, 7)
    total = model.contributions(scores.features)[7].sum()
    assert sum(reason.weight for reason in told) == pytest.approx(total, abs=0.3)
    assert [abs(r.weight) for r in told] == sorted((abs(r.weight) for r in told), reverse=True)
    for reason in told:
        assert sum(f["weight"] for f in reason.features) == pytest.approx(reason.weight)
        assert reason.says in {f["says"] for f in reason.features}


def test_why_begins_with_the_reasons_of_the_score(model, scores):
    for row in range(0, len(scores), 97):
        told = [
            f"{'↑' if r.weight > 0 else '↓'} {r.says}" for r in why(model, scores.features, row)
        ]
        assert told[:4] == scores.reasons[row]


def test_moves_tell_what_was_and_what_is():
    before, after = table(recency=[21], visit_count_30d=[7]), table(recency=[74])
    model = rule(recency=1.0, visit_count_30d=-1.0)
    assert [(m.theme, m.says) for m in moves(model, before, after)] == [
        ("visit", "no visit in the last 30 days (was 7)"),
        ("recency", "no purchase for 74 days (was 21)"),
    ]
    weights = [move.weight for move in moves(model, before, after)]
    assert weights == pytest.approx([np.log(8), np.log(75 / 22)])


@given(st.lists(st.floats(0, 1000), min_size=6, max_size=6))
def test_moves_add_up_to_the_change_of_the_log_odds(values):
    names = ("recency", "visit_count_30d", "spend_sum_30d")
    then, now = (
        table(**{name: [value] for name, value in zip(names, some, strict=True)})
        for some in (values[:3], values[3:])
    )
    model = rule(recency=1.0, visit_count_30d=-0.5, spend_sum_30d=0.3)
    change_of_log_odds = np.subtract(
        *(model.estimator.decision_function(f.matrix(NAMES))[0] for f in (now, then))
    )
    told = sum(move.weight for move in moves(model, then, now))
    assert told == pytest.approx(change_of_log_odds, abs=3 * 0.02)  # less is not told


def test_a_move_speaks_through_a_feature_that_changed():
    """The tenth of a log-odds of the other comes from what stands beside it."""
    then = table(visit_count_7d=[5], visit_count_30d=[5])
    now = table(visit_count_7d=[5], visit_count_30d=[4])
    pulls = iter([pulled(visit_count_7d=0.9, visit_count_30d=0.1), pulled()])
    model = SimpleNamespace(names=NAMES, spec=SPEC, contributions=lambda _: next(pulls))
    [move] = moves(model, then, now)
    assert move.says == "visit 4 times in the last 30 days (was 5)"
    assert move.weight == pytest.approx(1.0)


def pulled(**pulls: float) -> np.ndarray:
    return np.array([[pulls.get(name, 0.0) for name in NAMES]])


# ── Stable under what hangs together ────────────────────────────────────────────────────────


def first_themes(model: ChurnModel, features: Features) -> np.ndarray:
    """The weightiest theme of each row."""
    themes = Themes.of(model)
    by_theme = np.abs(themes.summed(model.contributions(features)))
    return np.array(themes.names)[by_theme.argmax(axis=1)]


def with_twins(features: Features, name: str, noise: float) -> Features:
    """The table with two columns more, which are nearly the same as one of it."""
    rng, values = np.random.default_rng(5), features.columns[name]
    twins = {f"{name}_{k}": values * (1 + noise * rng.standard_normal(len(values))) for k in "ab"}
    return replace(features, columns={**features.columns, **twins})


def test_near_copies_of_a_column_leave_the_first_theme_what_it_was(training, model, scores):
    """They share its theme, whatever share of its effect each of the three happens to get."""
    name = drivers(model, scores.features)[0].features[0].name
    [column] = [c for c in model.spec.columns() if c.name == name]
    twins = [replace(column, name=f"{name}_{k}") for k in "ab"]
    spec = SimpleNamespace(columns=lambda: (*model.spec.columns(), *twins))
    learnt = with_twins(training.learnt.features, name, 0.01)
    estimator = clone(model.estimator).fit(learnt.values, training.learnt.churned)
    again = ChurnModel("lightgbm", estimator, learnt.names, spec, model.question)
    features = with_twins(scores.features, name, 0.01)
    split = np.abs(again.contributions(features)).mean(axis=0)
    of_twins = [split[again.names.index(twin.name)] for twin in twins]
    assert min(of_twins) > 0
    same = first_themes(model, scores.features) == first_themes(again, features)
    assert same.mean() > 0.8


def test_a_little_noise_leaves_the_first_theme_what_it_was(model, scores):
    rng = np.random.default_rng(3)
    noisy = {
        name: values * (1 + 0.01 * rng.standard_normal(len(values)))
        for name, values in scores.features.columns.items()
    }
    features = replace(scores.features, columns=noisy)
    assert (first_themes(model, scores.features) == first_themes(model, features)).mean() > 0.95


# ── Drivers ─────────────────────────────────────────────────────────────────────────────────


def test_drivers_are_the_strongest_first(model, scores):
    told = drivers(model, scores.features, top=5)
    shares = [driver.share for driver in told]
    assert len(told) == 5
    assert shares == sorted(shares, reverse=True)
    assert 0.5 < sum(shares) < 1
    for driver in told:
        weights = [feature.weight for feature in driver.features]
        assert weights == sorted(weights, reverse=True)
        assert 1 <= len(weights) <= 3


def test_the_shares_of_all_themes_add_up_to_one(model, scores):
    few = scores.features.where(np.arange(len(scores)) < 50)
    assert sum(d.share for d in drivers(model, few, top=1000)) == pytest.approx(1)


def test_correlated_features_are_one_driver():
    """Two windows that tell the same: one theme holds the effect of both."""
    who = table(visit_count_30d=[5, 1, 9, 2], visit_count_90d=[5, 1, 9, 2], recency=[1, 2, 3, 4])
    both = drivers(rule(visit_count_30d=-0.4, visit_count_90d=-0.6, recency=1.0), who)
    one = drivers(rule(visit_count_90d=-1.0, recency=1.0), who)
    assert [(d.theme, d.direction, d.share) for d in both] == [
        (d.theme, d.direction, pytest.approx(d.share)) for d in one
    ]
    visit = next(d for d in both if d.theme == "visit")
    assert [f.name for f in visit.features] == ["visit_count_90d", "visit_count_30d"]


def test_drivers_tell_their_direction():
    who = table(recency=[1, 2, 3, 4], visit_count_30d=[5, 1, 9, 2], spend_sum_30d=[1, 2, 3, 4])
    told = drivers(rule(recency=2.0, visit_count_30d=-1.0), who)
    assert [(d.features[0].name, d.theme, d.direction) for d in told] == [
        ("recency", "recency", "up"),
        ("visit_count_30d", "visit", "down"),
    ]
    assert told[0].features[0].says == "days since the last purchase"


def test_a_driver_that_goes_against_what_is_expected_says_so():
    who = table(recency=[1, 2, 3, 4], purchases_count_30d=[5, 1, 9, 2])
    told = drivers(rule(recency=-2.0, purchases_count_30d=-1.0), who)
    features = [f for driver in told for f in driver.features]
    assert [(f.name, f.direction, f.expected, f.unexpected) for f in features] == [
        ("recency", "down", "up", True),
        ("purchases_count_30d", "down", "down", False),
    ]


def test_a_driver_of_which_nothing_is_expected_is_never_unexpected():
    [driver] = drivers(rule(spend_mean_all=1.0), table(spend_mean_all=[1, 2, 3, 4]))
    [feature] = driver.features
    assert (feature.direction, feature.expected, feature.unexpected) == ("up", "", False)


def test_a_driver_that_pulls_both_ways_is_mixed():
    """High and low values go with churn, those between do not."""
    pulls = np.zeros((6, len(NAMES)))
    pulls[:, NAMES.index("recency")] = [3, 2, 1, 1, 2, 3]
    both_ways = SimpleNamespace(
        names=NAMES, spec=SPEC, contributions=lambda _: pulls, churn_probability=flat
    )
    [driver] = drivers(both_ways, table(recency=[1, 2, 3, 4, 5, 6]))
    assert (driver.direction, driver.features[0].direction) == ("mixed", "mixed")


def flat(features: Features) -> np.ndarray:
    return np.full(len(features), 0.5)


def test_a_driver_seen_at_one_value_has_no_direction_and_no_dependence():
    who = table(recency=[5, 5, 5])
    [driver] = drivers(rule(recency=1.0), who)
    assert (driver.direction, driver.dependence) == ("mixed", None)


def test_where_it_is_missing_does_not_count_for_the_direction():
    who = table(recency=[1, 2, 3, np.nan, np.nan, np.nan])
    [driver] = drivers(rule({"recency": 9.0}, recency=1.0), who)
    assert driver.direction == "up"


def test_the_base_rate_has_no_drivers(rules, scores):
    assert drivers(rules["base_rate"], scores.features) == []


def test_nobody_has_no_drivers(model, scores):
    assert drivers(model, scores.features.where(np.zeros(len(scores), dtype=bool))) == []


def test_the_dependence_is_the_mean_with_everybody_at_one_value():
    who = table(recency=[1, 2, 3, 40], visit_count_30d=[5, 1, 9, 2])
    model = rule(recency=1.0, visit_count_30d=-0.5)
    [told] = [d.dependence for d in drivers(model, who) if d.theme == "recency"]
    assert (told.feature, told.unit) == ("recency", "days")
    assert set(told.values) <= {1, 2, 3, 40}
    assert list(told.values) == sorted(told.values)
    for value, probability in zip(told.values, told.probabilities, strict=True):
        same = table(recency=[value] * 4, visit_count_30d=[5, 1, 9, 2])
        assert probability == pytest.approx(model.churn_probability(same).mean())


def test_classes_have_no_dependence():
    [driver] = drivers(rule(nps_class=-1.0), table(nps_class=[-1, 0, 1, 1]))
    assert driver.dependence is None


LEFT = np.array([True, True, True, False, False, False])


@pytest.mark.parametrize(
    ("columns", "measure", "says"),
    [
        (
            {"recency": [70, 74, 80, 10, 21, 30]},
            "median",
            "those who left: no purchase for 74 days; those who stayed: 21 (medians)",
        ),
        (
            {"purchases_count_90d": [0, 0, 1, 3, 4, 9]},
            "median",
            "those who left: no purchase in the last 90 days; those who stayed: 4 (medians)",
        ),
        (
            {"complaints_open": [2, 0, 0, 0, 0, 0]},
            "zero",
            "no open complaint: 67% of those who left, 100% of those who stayed",
        ),
        (
            {"nps_last": [np.nan, np.nan, 3, 9, 9, np.nan]},
            "missing",
            "no nps answer: 67% of those who left, 33% of those who stayed",
        ),
        (
            {"nps_class": [-1, -1, -1, 1, 1, 0]},
            "class",
            "last nps answer: detractor: 100% of those who left, 0% of those who stayed",
        ),
        (
            {"survey_silence_all": [0.7, 0.8, 0.9, 0, 0, 0]},
            "median",
            "those who left: 80% of the surveys unanswered so far; those who stayed: 0% (medians)",
        ),
    ],
)
def test_what_separates_those_who_left(columns, measure, says):
    [name] = columns
    [driver] = drivers(rule({name: 0.1}, **{name: 1.0}), table(**columns), LEFT)
    assert (driver.separation.feature, driver.separation.measure) == (name, measure)
    assert driver.separation.says == says


@pytest.mark.parametrize(
    "columns",
    [
        {"recency": [1, 2, 3, 1, 2, 3]},
        {"complaints_open": [0, 0, 1, 1, 0, 0]},
        {"year_sin": [0.1, 0.2, 0.3, 0.7, 0.8, 0.9]},
    ],
)
def test_where_nothing_separates_nothing_is_told(columns):
    [name] = columns
    [driver] = drivers(rule(**{name: 1.0}), table(**columns), LEFT)
    assert driver.separation is None


def test_the_next_feature_of_a_theme_speaks_where_the_first_does_not_separate():
    who = table(visit_count_30d=[0, 9, 0, 0, 9, 0], visit_count_90d=[1, 2, 3, 7, 8, 9])
    [driver] = drivers(rule(visit_count_30d=-9.0, visit_count_90d=-0.1), who, LEFT)
    assert driver.features[0].name == "visit_count_30d"
    assert driver.separation.feature == "visit_count_90d"


def test_without_anybody_who_left_nothing_separates():
    [driver] = drivers(rule(recency=1.0), table(recency=[1, 2, 3]), np.zeros(3, dtype=bool))
    assert driver.separation is None
    [driver] = drivers(rule(recency=1.0), table(recency=[1, 2, 3]))
    assert driver.separation is None
