"""A feature that knows who left is refused, and where nothing can be learnt nothing is claimed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from churnkit.dataset import Recipe, Schedule, build_dataset
from churnkit.errors import GateRefused
from churnkit.evaluation import backtest
from churnkit.features import FeatureSpec
from churnkit.gates import gates_of
from churnkit.labels import Question
from churnkit.sources import read_logs
from churnkit.training import train

QUESTION = Question(horizon_days=30, lookback_days=90)
CHEAP = Recipe(trees={"trees": 20, "seeds": 1, "learning_rate": 0.2, "rows_per_leaf": 20})
ONE_TEST = Schedule(every=28, cutoffs=3, tests=1)


@pytest.fixture(scope="module")
def planted(shop, logs):
    """A clerk closes the account of leavers, and dates the entry back to before they left."""
    [test] = ONE_TEST.test_cutoffs(logs, QUESTION)
    dated_back = []
    for cutoff in (*ONE_TEST.training_cutoffs(logs, QUESTION, test), test):
        data = build_dataset(logs, QUESTION, [cutoff], FeatureSpec(logs={}))
        left = data.features.customer_id[data.churned]
        day_before = pd.Timestamp(str(cutoff.shifted(-1)))
        dated_back.append(
            pd.DataFrame({"customer_id": left, "ts": day_before, "event": "account_closed"})
        )
    dated = read_logs(shop.purchases, pd.concat([shop.activity, *dated_back]))
    return train(dated, QUESTION, ONE_TEST, recipe=replace(CHEAP, use="lightgbm"))


def test_15_an_event_planted_before_the_churn_is_refused_as_a_leak(planted):
    with pytest.raises(
        GateRefused, match=r"no leak suspected: .* is account_closed_count_7d with AUROC 1\.000"
    ) as refused:
        planted.require_gates()
    assert refused.value.exit_code == 4
    assert "--allow leak" in refused.value.mend
    assert planted.grade.letter == "refused"


def test_15_a_leak_that_is_allowed_is_waived_and_the_card_says_so(planted):
    failed = [gate.key for gate in planted.gates if not gate.passed]
    waived = replace(planted, allowed=tuple(failed))
    waived.require_gates()
    told = {gate["key"]: gate for gate in waived.card()["gates"]}
    assert told["leak"]["waived"]
    assert not told["leak"]["passed"]
    assert waived.card()["grade"] == "C"
    assert "“no leak suspected” was waived" in waived.card()["grade_says"]


@dataclass(frozen=True)
class Shuffled(Question):
    """The same question, but who churned is drawn by lot."""

    def churned(self, block, at):
        return np.random.default_rng(at.us).permutation(super().churned(block, at))


def test_15_shuffled_labels_give_nothing_to_learn(logs):
    result = backtest(logs, Shuffled(horizon_days=30, lookback_days=90), ONE_TEST, recipe=CHEAP)
    assert result.test.metrics["lightgbm"]["auroc"].value == pytest.approx(0.5, abs=0.05)
    failed = [gate.key for gate in gates_of(result) if not gate.passed]
    assert "chance" in failed
