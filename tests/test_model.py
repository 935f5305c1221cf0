"""The ladder from plain to rich: which rungs some logs can feed, and what each looks at."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from churnkit.bundle import load, save
from churnkit.clock import Cutoff
from churnkit.dataset import Dataset, Recipe, Schedule, build_dataset
from churnkit.errors import ConfigError
from churnkit.estimators import ChurnClassifier
from churnkit.evaluation import backtest, fit_chosen
from churnkit.labels import Question
from churnkit.metrics import auroc
from churnkit.model import LADDER, PLAIN_RULES, fit, ladder_for, rung_named
from churnkit.scoring import score
from churnkit.sources import read_logs

AT = [Cutoff.parse("2024-04-14")]
EVERY_RUNG = [
    "base_rate", "recency", "overdue", "rfm_logistic", "bgnbd", "logistic", "lightgbm", "blend",
]  # fmt: skip
PLAIN = EVERY_RUNG[:5]
WITH_HAZARD = [*EVERY_RUNG[:7], "hazard", "blend"]


@pytest.fixture(scope="module")
def few(shop):
    """The purchases and visits of three hundred customers."""
    return {
        log: frame[frame["customer_id"].between("C00200", "C00499")]
        for log, frame in (("purchases", shop.purchases), ("activity", shop.activity))
    }


def dataset(question: Question, **frames) -> Dataset:
    return build_dataset(read_logs(**frames), question, AT)


def names(data: Dataset, question: Question) -> dict[str, tuple[str, ...]]:
    """Rung → the features it looks at."""
    rungs = ladder_for(data, question, Recipe())
    return {rung.name: rung.names_in(data.features, question) for rung in rungs}


def test_the_ladder_rises_from_plain_to_rich():
    assert [rung.name for rung in LADDER] == WITH_HAZARD
    assert list(PLAIN_RULES) == PLAIN


def test_purchases_feed_every_rung(few, question):
    data = dataset(question, purchases=few["purchases"])
    told = names(data, question)
    assert list(told) == EVERY_RUNG
    assert told["base_rate"] == ()
    assert told["recency"] == ("recency",)
    assert told["overdue"] == ("overdue_mean_ratio",)
    assert "spend_sum_365d" in told["rfm_logistic"]
    assert told["lightgbm"] == data.features.names


def test_without_amounts_the_rules_do_without(few, question):
    no_amounts = few["purchases"][["customer_id", "ts"]]
    told = names(dataset(question, purchases=no_amounts), question)
    assert list(told) == EVERY_RUNG
    assert [name for name in told["rfm_logistic"] if "spend" in name] == []
    assert "purchases_count_90d" in told["rfm_logistic"]


def test_activity_feeds_every_rung_of_its_question(few):
    question = Question("no_activity", horizon_days=30, lookback_days=90)
    told = names(dataset(question, activity=few["activity"]), question)
    assert list(told) == [name for name in EVERY_RUNG if name != "bgnbd"]
    assert told["recency"] == ("days_since_activity",)


def test_the_rules_of_a_question_look_at_its_log_only(few):
    question = Question("no_activity", horizon_days=30, lookback_days=90)
    told = names(dataset(question, **few), question)
    plain = [name for rung in PLAIN_RULES if rung in told for name in told[rung]]
    assert plain
    assert not [name for name in plain if "activity" not in name]


@pytest.mark.parametrize(
    ("windows", "counts"),
    [
        ((7, 30, 90, 180, 365, None), ["90d", "365d", "all"]),
        ((60, 400, None), ["60d", "400d", "all"]),
        ((28, None), ["28d", "all"]),
        ((91, 92, 300, 1000, None), ["91d", "300d", "all"]),
        ((None,), ["all"]),
    ],
)
def test_rules_take_the_nearest_window_there_is(few, question, windows, counts):
    logs = read_logs(few["purchases"])
    data = build_dataset(logs, question, AT, Recipe(windows=windows).spec(logs, AT))
    told = names(data, question)["rfm_logistic"]
    assert [n for n in told if "count" in n] == [f"purchases_count_{c}" for c in counts]
    spent = [c for c in counts if c not in ("60d", "90d", "91d")]
    assert [n for n in told if "spend" in n] == [f"spend_sum_{c}" for c in spent]


def seasonal(data: Dataset) -> list[str]:
    return [column.name for column in data.features.spec.columns() if column.feature.seasonal]


def test_the_season_is_learnt_from_a_whole_year_only(few, question):
    logs, last = read_logs(few["purchases"]), AT[0]
    assert seasonal(build_dataset(logs, question, [last.shifted(-364), last])) == []
    year = build_dataset(logs, question, [last.shifted(-365), last])
    assert len(seasonal(year)) > 0
    assert set(seasonal(year)) <= set(year.features.names)


@pytest.mark.parametrize(("season", "learnt"), [("always", True), ("never", False)])
def test_the_settings_say_whether_the_season_is_learnt(few, question, season, learnt):
    logs, last = read_logs(few["purchases"]), AT[0]
    for cutoffs in (AT, [last.shifted(-365), last]):
        spec = Recipe(season=season).spec(logs, cutoffs)
        assert any(column.feature.seasonal for column in spec.columns()) == learnt


def test_what_all_customers_do_is_learnt_only_if_asked(few, question):
    logs, last = read_logs(few["purchases"]), AT[0]
    year = [last.shifted(-365), last]
    told = {c.name for c in Recipe().spec(logs, year).columns()}
    asked = {c.name for c in Recipe(market=True).spec(logs, year).columns()}
    assert asked - told == {f"market_{what}_{days}d" for what in ("trend", "purchases_mean")
                            for days in (30, 90, 180)}  # fmt: skip
    assert {"year_sin", "trend_against_market_90d", "purchases_count_last_year_30d"} <= told


def test_the_test_has_the_columns_of_the_training(logs, question):
    schedule = Schedule(every="month", cutoffs=3, tests=1)
    recipe = Recipe(windows=(45, None))
    result = backtest(logs, question, schedule, recipe=recipe)
    counts = [n for n in result.test.data.features.names if n.startswith("purchases_count_")]
    assert {"purchases_count_45d", "purchases_count_all"} <= set(counts)
    assert not {"purchases_count_30d", "purchases_count_90d"} & set(counts)
    model, learnt = fit_chosen(logs, result, schedule)
    assert model.names == learnt.features.names == result.test.data.features.names
    days = [text.rpartition("-")[2] for text in model.trained_on]
    assert len(set(days)) == 1  # the same day of every month


def test_trees_follow_the_declared_directions_only_if_asked(few, question):
    data = dataset(question, **few)
    trees, recency_alone = rung_named("lightgbm"), rung_named("recency")
    bindings = (Recipe(monotone=monotone) for monotone in (False, True))
    free, bound = (fit(trees, data, question, recipe) for recipe in bindings)
    assert free.estimator.monotone is None
    signs = dict(zip(data.features.names, bound.estimator.monotone, strict=True))
    assert signs["recency"] == 1
    assert signs["purchases_count_90d"] == -1
    assert signs["spend_mean_90d"] == 0
    recency = data.features.names.index("recency")
    longer = data.features.values.copy()
    longer[:, recency] += 30
    before, after = (bound.estimator.decision_function(x) for x in (data.features.values, longer))
    assert (after >= before - 1e-12).all()
    rule = fit(recency_alone, data, question, Recipe(monotone=True))
    assert rule.churn_probability(data.features).shape == (len(data),)


def test_the_trees_take_their_settings_from_the_recipe(few, question):
    data = dataset(question, **few)
    model = fit(rung_named("lightgbm"), data, question, Recipe(trees={"trees": 7, "seeds": 2}))
    assert [booster.num_trees() for booster in model.estimator.boosters_] == [7, 7]


def test_calibration_looks_at_customers_left_out_if_asked(logs, question):
    data = build_dataset(logs, question, AT)
    few = {"trees": 20, "seeds": 1}
    plain, calibrated = (
        fit(rung_named("lightgbm"), data, question, Recipe(trees=few, calibrate=on))
        for on in (False, True)
    )
    log_odds = plain.estimator.decision_function(data.features.values)
    found = calibrated.estimator
    assert np.allclose(
        found.decision_function(data.features.values), found.slope_ * log_odds + found.shift_
    )
    assert found.slope_ != 1
    rule = fit(rung_named("rfm_logistic"), data, question, Recipe(calibrate=True))
    assert type(rule.estimator).__name__ == "PlainRule"


def test_a_blend_is_the_mean_of_its_members_and_takes_them_where_they_are_fitted(few, question):
    data, recipe = dataset(question, **few), Recipe(trees={"trees": 7, "seeds": 1})
    members = {n: fit(rung_named(n), data, question, recipe) for n in ("logistic", "lightgbm")}
    blend = fit(rung_named("blend"), data, question, recipe, members)
    alone = fit(rung_named("blend"), data, question, recipe)
    X = data.features.values
    mean = sum(m.estimator.decision_function(X) for m in members.values()) / 2
    assert blend.estimator.decision_function(X) == pytest.approx(mean, abs=1e-12)
    assert alone.estimator.decision_function(X) == pytest.approx(mean, abs=1e-12)
    assert blend.estimator.members_ == [m.estimator for m in members.values()]


def test_early_stopping_looks_at_the_newest_cutoff_only(logs, question):
    cutoffs = [AT[0].shifted(-28 * k) for k in (4, 3, 2, 1, 0)]
    data = build_dataset(logs, question, cutoffs)
    recipe = Recipe(early_stopping=True, trees={"seeds": 1})
    stopped = fit(rung_named("lightgbm"), data, question, recipe).estimator
    known = data.at(cutoffs[:-2])  # their 30 days were over when the newest began
    newest = data.at(cutoffs[-1:])
    best = ChurnClassifier(seeds=1).best_trees(
        known.features.values, known.churned, newest.features.values, newest.churned
    )
    assert stopped.trees == best != ChurnClassifier().trees


def test_too_few_rows_to_stop_by_are_not_looked_at(few, question):
    data = dataset(question, **few)
    recipe = Recipe(early_stopping=True, trees={"trees": 9, "seeds": 1})
    assert fit(rung_named("lightgbm"), data, question, recipe).estimator.trees == 9


@pytest.mark.parametrize("rung", LADDER, ids=WITH_HAZARD)
def test_every_rung_gives_probabilities(few, question, rung):
    data = dataset(question, **few)
    model = fit(rung, data, question)
    p = model.churn_probability(data.features)
    assert model.rung == rung.name
    assert model.trained_on == ("2024-04-14",)
    assert p.shape == (len(data),)
    assert ((p > 0) & (p < 1)).all()
    assert abs(p.mean() - data.base_rate) < 0.03
    assert model.contributions(data.features).shape == data.features.values.shape


def test_nobody_has_no_probability(model, scores):
    nobody = scores.features.where(np.zeros(len(scores), dtype=bool))
    assert model.churn_probability(nobody).shape == (0,)
    assert model.contributions(nobody).shape == (0, len(model.names))


def test_a_model_goes_by_its_version(model):
    assert model.version == "unregistered"
    assert model.called("7").version == "7"
    assert model.called("7").estimator is model.estimator


@pytest.fixture(scope="module")
def data(logs, question) -> Dataset:
    cutoffs = [Cutoff.parse(day) for day in ("2024-01-15", "2024-02-15", "2024-03-15")]
    return build_dataset(logs, question, cutoffs)


@pytest.fixture(scope="module")
def hazard(data, question):
    return fit(rung_named("hazard"), data, question, Recipe(trees={"trees": 60, "seeds": 1}))


class TestTheHazard:
    """Trees on when the silence ends: on the ladder if asked for, and for shorter horizons too."""

    def test_days_of_return_are_those_of_the_stayers(self, data, question):
        assert np.array_equal(np.isinf(data.days), data.churned)
        assert data.days[~data.churned].max() < question.horizon_days

    @pytest.mark.parametrize("recipe", [Recipe(hazard=True), Recipe(use="hazard")])
    def test_it_stands_on_the_ladder_if_asked_for(self, data, question, recipe):
        assert "hazard" in [rung.name for rung in ladder_for(data, question, recipe)]
        assert "hazard" not in [rung.name for rung in ladder_for(data, question, Recipe())]

    def test_where_nobody_returns_there_is_none(self, data, question):
        leaving = replace(data, days=None)
        assert "hazard" not in [r.name for r in ladder_for(leaving, question, Recipe(hazard=True))]

    def test_it_ranks_like_the_trees(self, hazard, logs, question):
        test = dataset_of(logs, question)
        found = auroc(test.churned, hazard.churn_probability(test.features))
        trees = fit(rung_named("lightgbm"), test, question, Recipe(trees={"trees": 5, "seeds": 1}))
        assert found > 0.7
        assert hazard.names == trees.names

    def test_the_longer_the_silence_the_fewer_are_so_silent(self, hazard, logs, question):
        features = dataset_of(logs, question).features
        found = [hazard.churn_within(features, days) for days in (1, 10, 20, question.horizon_days)]
        assert all((later <= sooner).all() for sooner, later in pairwise(found))
        assert np.array_equal(found[-1], hazard.churn_probability(features))

    def test_it_tells_as_many_silent_as_there_are(self, hazard, data):
        for days in (10, 20):
            p = hazard.churn_within(data.features, days)
            assert p.mean() == pytest.approx(np.mean(data.days >= days), abs=0.03)

    @pytest.mark.parametrize("days", [0, -5, 31])
    def test_it_knows_no_longer_time_than_its_horizon(self, hazard, data, days):
        with pytest.raises(ConfigError, match="the model knows of up to 30 days"):
            hazard.churn_within(data.features, days)

    def test_others_know_their_horizon_only(self, model, data):
        with pytest.raises(ConfigError, match=r"lightgbm\) knows of 30 days only"):
            model.churn_within(data.features, 20)

    def test_what_it_cannot_tell_is_refused_without_any_rows(self, hazard, model):
        hazard.require_within(10)
        model.require_within(30)
        for days in (0, 31):
            with pytest.raises(ConfigError, match="the model knows of up to 30 days"):
                hazard.require_within(days)
        with pytest.raises(ConfigError, match=r"lightgbm\) knows of 30 days only"):
            model.require_within(20)

    def test_monotone_trees_of_it_learn_the_other_way_round(self, data, question):
        made = rung_named("hazard").estimator(data.features, question, Recipe(monotone=True))
        trees = rung_named("lightgbm").estimator(data.features, question, Recipe(monotone=True))
        assert made.trees.monotone == [*(-sign for sign in trees.monotone), 0]

    def test_scores_hold_the_shorter_horizons(self, hazard, logs, as_of):
        scores = score(hazard, logs, as_of, within=[10, 20, 10])
        frame = scores.to_frame()
        assert list(frame.columns[-2:]) == ["churn_probability_10d", "churn_probability_20d"]
        assert (frame["churn_probability_10d"] >= frame["churn_probability_20d"]).all()
        assert (frame["churn_probability_20d"] >= frame["churn_probability"]).all()

    def test_it_comes_back_from_its_bundle(self, hazard, data, tmp_path):
        save(hazard, tmp_path / "hazard", {}, "")
        again = load(tmp_path / "hazard")
        for days in (10, 30):
            assert np.array_equal(
                again.churn_within(data.features, days), hazard.churn_within(data.features, days)
            )


def dataset_of(logs, question: Question) -> Dataset:
    return build_dataset(logs, question, AT)
