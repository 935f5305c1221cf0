"""The ladder from plain to rich: which rungs some logs can feed, and what each looks at."""

from __future__ import annotations

import numpy as np
import pytest

from churnkit.clock import Cutoff
from churnkit.dataset import Dataset, build_dataset
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
