"""The trees and the plain rules as scikit-learn classifiers: their contract and their promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from churnkit.estimators import ChurnClassifier, PlainRule, sigmoid

BAGGED = (
    "each tree sees a sample of the rows, and a row of weight two is drawn as one row: it is "
    "not the same as the row given twice"
)


def expected_failures(estimator: BaseEstimator) -> dict[str, str]:
    if isinstance(estimator, PlainRule):
        return {}
    kinds = ("dense", "sparse")
    return {f"check_sample_weight_equivalence_on_{kind}_data": BAGGED for kind in kinds}


@parametrize_with_checks(
    [ChurnClassifier(trees=60), PlainRule()], expected_failed_checks=expected_failures
)
def test_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)


def table(rows: int = 3000, columns: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Numbers with gaps, and a target that the first columns drive."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns))
    y = X[:, 0] - X[:, 1] * (X[:, 2] > 0) + rng.normal(size=rows) > 0
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, y


X, Y = table()
SMALL = ChurnClassifier(trees=30)
BOTH = pytest.mark.parametrize("estimator", [SMALL, PlainRule([0, 1])], ids=["trees", "rule"])


@pytest.fixture(scope="module")
def trees() -> ChurnClassifier:
    return clone(SMALL).fit(X, Y)


def texts(estimator: ChurnClassifier) -> list[str]:
    return [booster.model_to_string() for booster in estimator.boosters_]


# ── Probabilities ───────────────────────────────────────────────────────────────────────────


@BOTH
def test_probabilities_are_of_staying_and_of_churn(estimator):
    p = clone(estimator).fit(X, Y).predict_proba(X)
    assert p.shape == (len(X), 2)
    assert np.allclose(p.sum(axis=1), 1)
    assert p[Y, 1].mean() > p[~Y, 1].mean() + 0.1


@BOTH
def test_the_likelier_class_is_predicted(estimator):
    fitted = clone(estimator).fit(X, np.where(Y, "left", "here"))
    # Classes are sorted, so the one that comes last stands for churn.
    likelier = np.where(fitted.predict_proba(X)[:, 1] > 0.5, "left", "here")
    assert np.array_equal(fitted.predict(X), likelier)


def test_sigmoid_is_exact_at_any_size():
    assert sigmoid(np.array([-np.inf, -800, 0, 800, np.inf])).tolist() == [0, 0, 0.5, 1, 1]


@given(st.floats(-30, 30))
def test_sigmoid_is_the_logistic_function(log_odds):
    assert sigmoid(np.array([log_odds]))[0] == pytest.approx(1 / (1 + np.exp(-log_odds)), abs=1e-15)


# ── Directions ──────────────────────────────────────────────────────────────────────────────


def moved(column: int) -> np.ndarray:
    other = X.copy()
    other[:, column] += 0.5
    return other


def test_trees_never_go_against_a_given_direction():
    """Without one they do: the target depends on the second column either way."""
    free, bound = (
        ChurnClassifier(trees=30, monotone=told).fit(X, Y)
        for told in (None, [1, -1, *[0] * (X.shape[1] - 2)])
    )
    for column, sign in ((0, 1), (1, -1)):
        change = sign * (bound.decision_function(moved(column)) - bound.decision_function(X))
        assert (change >= -1e-12).all()
        assert change.max() > 0
    against = free.decision_function(moved(1)) - free.decision_function(X)
    assert (against > 1e-6).any()


def test_zeros_give_no_direction(trees):
    zeros = ChurnClassifier(trees=30, monotone=[0] * X.shape[1]).fit(X, Y)
    np.testing.assert_array_equal(zeros.decision_function(X), trees.decision_function(X))


def test_there_is_a_direction_for_each_column():
    with pytest.raises(ValueError, match="monotone has 2 directions for 12 columns"):
        ChurnClassifier(monotone=[1, -1]).fit(X, Y)


# ── Contributions ───────────────────────────────────────────────────────────────────────────


def test_contributions_add_up_to_the_log_odds_less_a_constant(trees):
    left = trees.decision_function(X) - trees.contributions(X).sum(axis=1)
    assert trees.contributions(X).shape == X.shape
    assert np.ptp(left) < 1e-6
    assert np.ptp(trees.decision_function(X)) > 1


def test_contributions_of_a_rule_add_up_to_the_log_odds_less_the_intercept():
    rule = PlainRule([4, 0]).fit(X, Y)
    told = rule.contributions(X)
    assert np.allclose(told.sum(axis=1) + rule.intercept_, rule.decision_function(X))
    assert np.flatnonzero(np.abs(told).sum(axis=0)).tolist() == [0, 4]


# ── The same numbers every time ─────────────────────────────────────────────────────────────


def test_the_model_does_not_depend_on_the_number_of_threads():
    many_rows, target = table(rows=20_000)
    models = []
    for threads in (1, 2, 5):
        with threadpool_limits(threads, user_api="openmp"):
            models.append(texts(ChurnClassifier(trees=8).fit(many_rows, target)))
    assert models[0] == models[1] == models[2]


def test_the_same_seed_gives_the_same_model(trees):
    assert texts(clone(trees).fit(X, Y)) == texts(trees)


def test_another_seed_gives_another_model(trees):
    other = clone(trees).set_params(random_state=5).fit(X, Y)
    assert not np.array_equal(other.decision_function(X), trees.decision_function(X))


def test_seeds_are_averaged_on_the_log_odds(trees):
    one_by_one = [clone(trees).set_params(random_state=k, seeds=1).fit(X, Y) for k in range(2)]
    mean = np.mean([model.decision_function(X) for model in one_by_one], axis=0)
    assert np.allclose(mean, trees.decision_function(X))


# ── Missing values ──────────────────────────────────────────────────────────────────────────


def test_that_a_value_is_missing_can_tell_something():
    known = np.where(Y, 1.0, np.nan)[:, None]
    for estimator in (SMALL, PlainRule()):
        p = clone(estimator).fit(known, Y).predict_proba(known)[:, 1]
        assert p[Y].min() > p[~Y].max()


@BOTH
def test_a_column_without_any_value_gives_finite_probabilities(estimator):
    empty = X.copy()
    empty[:, 0] = np.nan
    p = clone(estimator).fit(empty, Y).predict_proba(empty)
    assert np.isfinite(p).all()


@BOTH
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_are_refused(estimator, value):
    spoilt = X.copy()
    spoilt[7, 3] = value
    with pytest.raises(ValueError, match="infinity"):
        clone(estimator).fit(spoilt, Y)
    with pytest.raises(ValueError, match="infinity"):
        clone(estimator).fit(X, Y).predict_proba(spoilt)


# ── Targets ─────────────────────────────────────────────────────────────────────────────────


@BOTH
@pytest.mark.parametrize("only", [True, "stayed", 1])
def test_a_single_class_is_refused_by_its_name(estimator, only):
    with pytest.raises(ValueError, match=f"one class only: {only!r}$"):
        clone(estimator).fit(X[:50], [only] * 50)


@BOTH
def test_more_than_two_classes_are_refused(estimator):
    with pytest.raises(ValueError, match="Only binary classification is supported"):
        clone(estimator).fit(X[:60], ["a", "b", "c"] * 20)


# ── Few rows ────────────────────────────────────────────────────────────────────────────────


def test_trees_still_split_when_rows_are_few():
    few = clone(SMALL).fit(X[:120], Y[:120])
    assert few._parameters(120, 0)["min_data_in_leaf"] == 6
    assert np.ptp(few.decision_function(X)) > 0


def test_a_constant_column_moves_nobody():
    constant = np.full((200, 1), 3.0)
    for estimator in (SMALL, PlainRule()):
        fitted = clone(estimator).fit(constant, Y[:200])
        assert np.allclose(fitted.predict_proba(constant)[:, 1], Y[:200].mean(), atol=1e-3)


# ── Plain rules ─────────────────────────────────────────────────────────────────────────────


def test_the_base_rate_is_the_share_of_churners():
    rule = PlainRule([]).fit(X, Y)
    assert rule.predict_proba(X[:3])[:, 1] == pytest.approx(Y.mean())
    assert not rule.contributions(X).any()


def test_the_base_rate_heeds_weights():
    weight = np.where(Y, 3.0, 1.0)
    rule = PlainRule([]).fit(X, Y, weight)
    assert rule.predict_proba(X[:1])[0, 1] == pytest.approx(np.average(Y, weights=weight))


def test_a_rule_looks_at_its_columns_only():
    rule = PlainRule([1]).fit(X, Y)
    other = np.random.default_rng(1).permutation(X)
    other[:, 1] = X[:, 1]
    assert np.array_equal(rule.decision_function(other), rule.decision_function(X))


def test_a_rule_does_not_depend_on_the_unit_of_a_large_amount():
    """On the log scale a change of unit is a shift, which standardising takes away."""
    rng = np.random.default_rng(0)
    spend = rng.lognormal(8, 1, size=(2000, 1))
    left = spend[:, 0] * rng.lognormal(0, 1, 2000) < np.exp(8)
    in_euros = PlainRule().fit(spend, left).predict_proba(spend)
    in_cents = PlainRule().fit(spend * 100, left).predict_proba(spend * 100)
    assert np.allclose(in_euros, in_cents, atol=1e-3)
