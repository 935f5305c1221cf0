"""Does the model find the truth? In the simulated shop the true churn probability is known.

The truth stems from a hidden satisfaction, so no model that sees only the logs can reach it.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from churnkit.metrics import auroc, ece
from churnkit.model import PLAIN_RULES


@pytest.fixture(scope="module")
def last_test(training):
    return training.backtest.test


@pytest.fixture(scope="module")
def truth(shop, last_test, question) -> np.ndarray:
    """True churn probability of the customers of the last test."""
    known = shop.truth.churn_probability(str(last_test.cutoff), question.horizon_days)
    return known.loc[last_test.data.features.customer_id].to_numpy()


def ranked_by_truth(truth: np.ndarray, probability: np.ndarray) -> float:
    """AUROC as it would be over all the futures that could have happened.

    Of every two customers, the chance that the first churns and the second stays counts for the
    model if it puts the first above the second: the luck of one draw is out of it.
    """
    above = np.sign(probability[:, None] - probability[None, :]) / 2 + 0.5
    weight = truth[:, None] * (1 - truth[None, :])
    np.fill_diagonal(weight, 0.0)
    return float((weight * above).sum() / weight.sum())


def test_the_trees_are_better_than_every_plain_rule(last_test):
    scored = {n: auroc(last_test.data.churned, p) for n, p in last_test.probabilities.items()}
    trees = scored.pop("lightgbm")
    assert trees > max(scored.values())
    assert trees > 0.7


def test_they_are_better_in_all_futures_that_could_have_happened(last_test, truth):
    found = {name: ranked_by_truth(truth, p) for name, p in last_test.probabilities.items()}
    assert found["lightgbm"] > max(found[rule] for rule in PLAIN_RULES) + 0.01


def test_nobody_beats_the_truth(last_test, truth):
    best = auroc(last_test.data.churned, truth)
    assert all(auroc(last_test.data.churned, p) < best for p in last_test.probabilities.values())


def test_probabilities_go_with_the_truth(last_test, truth):
    assert spearmanr(last_test.probabilities["lightgbm"], truth).statistic > 0.75


def test_probabilities_are_calibrated(last_test, truth):
    p = last_test.probabilities["lightgbm"]
    assert abs(p.mean() - truth.mean()) < 0.05
    assert ece(last_test.data.churned, p) < 0.08


def test_probabilities_lie_nearer_to_the_truth_than_those_of_any_rule(last_test, truth):
    error = {n: np.mean((p - truth) ** 2) for n, p in last_test.probabilities.items()}
    assert min(error, key=error.__getitem__) == "lightgbm"
    assert error["lightgbm"] < error["base_rate"] / 2
