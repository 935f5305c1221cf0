"""The ladder from plain to rich: which rungs some logs can feed, and what each looks at."""

from __future__ import annotations

import numpy as np
import pytest

from churnkit.clock import Cutoff
from churnkit.dataset import Dataset, Recipe, Schedule, build_dataset
from churnkit.evaluation import backtest, fit_chosen
from churnkit.labels import Question
from churnkit.model import LADDER, PLAIN_RULES, fit, ladder_for
from churnkit.sources import read_logs

AT = [Cutoff.parse("2024-04-14")]
EVERY_RUNG = ["base_rate", "recency", "overdue", "rfm_logistic", "lightgbm"]


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
    return {r.name: r.names_in(data.features, question) for r in ladder_for(data, question)}


def test_the_ladder_rises_from_plain_to_rich():
    assert [rung.name for rung in LADDER] == EVERY_RUNG
    assert list(PLAIN_RULES) == EVERY_RUNG[:-1]


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
    assert list(told) == EVERY_RUNG
    assert told["recency"] == ("days_since_activity",)


def test_the_rules_of_a_question_look_at_its_log_only(few):
    question = Question("no_activity", horizon_days=30, lookback_days=90)
    told = names(dataset(question, **few), question)
    plain = [name for rung in PLAIN_RULES for name in told[rung]]
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
    data = build_dataset(read_logs(few["purchases"]), question, AT, windows=windows)
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
    free, bound = (fit(LADDER[-1], data, question, monotone=m) for m in (False, True))
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
    rule = fit(LADDER[1], data, question, monotone=True)
    assert rule.churn_probability(data.features).shape == (len(data),)


@pytest.mark.parametrize("rung", LADDER, ids=EVERY_RUNG)
def test_every_rung_gives_probabilities(few, question, rung):
    data = dataset(question, **few)
    model = fit(rung, data, question)
    p = model.churn_probability(data.features)
    assert model.rung == rung.name
    assert model.trained_on == ("2024-04-14",)
    assert p.shape == (len(data),)
    assert ((p > 0) & (p < 1)).all()
    assert abs(p.mean() - data.base_rate) < 0.01
    assert model.contributions(data.features).shape == data.features.values.shape


def test_nobody_has_no_probability(model, scores):
    nobody = scores.features.where(np.zeros(len(scores), dtype=bool))
    assert model.churn_probability(nobody).shape == (0,)
    assert model.contributions(nobody).shape == (0, len(model.names))


def test_a_model_goes_by_its_version(model):
    assert model.version == "unregistered"
    assert model.called("7").version == "7"
    assert model.called("7").estimator is model.estimator
