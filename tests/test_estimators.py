"""The trees and the plain rules as scikit-learn classifiers: their contract and their promises."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from churnkit.estimators import (
    Blend,
    Calibrated,
    ChurnClassifier,
    PlainRule,
    folds_of,
    restored,
    sigmoid,
)
from churnkit.estimators.order import canonical_order
from churnkit.metrics import log_loss

TREES_AND_RULE = Blend([ChurnClassifier(trees=30, seeds=1), PlainRule()], [2, 1])


def what_cannot_hold(estimator) -> dict[str, str]:
    """Checks that an estimator cannot pass, with the reason."""
    if not isinstance(estimator, Calibrated):
        return {}
    repeated = "a row that is given twice is two rows to leave out, one of weight two is one"
    return {
        "check_sample_weight_equivalence_on_dense_data": repeated,
        "check_sample_weight_equivalence_on_sparse_data": repeated,
    }


@parametrize_with_checks(
    [ChurnClassifier(trees=60), PlainRule(), TREES_AND_RULE, Calibrated(PlainRule())],
    expected_failed_checks=what_cannot_hold,
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
SMALL = ChurnClassifier(trees=30, seeds=2, learning_rate=0.05)
BLEND = Blend([SMALL, PlainRule([0, 1])], [3, 1])
ALL = pytest.mark.parametrize(
    "estimator", [SMALL, PlainRule([0, 1]), BLEND], ids=["trees", "rule", "blend"]
)


@pytest.fixture(scope="module")
def trees() -> ChurnClassifier:
    return clone(SMALL).fit(X, Y)


def texts(estimator: ChurnClassifier) -> list[str]:
    """The trees as text, without the parameters after them, which tell the threads."""
    told = (booster.model_to_string() for booster in estimator.boosters_)
    return [text.partition("end of trees")[0] for text in told]


# ── Probabilities ───────────────────────────────────────────────────────────────────────────


@ALL
def test_probabilities_are_of_staying_and_of_churn(estimator):
    p = clone(estimator).fit(X, Y).predict_proba(X)
    assert p.shape == (len(X), 2)
    assert np.allclose(p.sum(axis=1), 1)
    assert p[Y, 1].mean() > p[~Y, 1].mean() + 0.1


@ALL
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
    zeros = clone(trees).set_params(monotone=[0] * X.shape[1]).fit(X, Y)
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


def wide_weights(rows: int) -> np.ndarray:
    """Weights of all sizes: their sums depend on the order in which they are added."""
    return np.random.default_rng(4).lognormal(sigma=4, size=rows)


@pytest.mark.parametrize("weighed", [False, True])
def test_the_model_does_not_depend_on_the_number_of_threads(weighed):
    rows = 30_000
    many, target = table(rows)
    weight = wide_weights(rows) if weighed else None
    fitted = [
        ChurnClassifier(trees=10, seeds=1, threads=threads).fit(many, target, weight)
        for threads in (1, 2, 8)
    ]
    assert texts(fitted[0]) == texts(fitted[1]) == texts(fitted[2])
    scores = [model.decision_function(many) for model in fitted]
    assert np.array_equal(scores[0], scores[1])
    assert np.array_equal(scores[0], scores[2])


def test_the_model_does_not_depend_on_the_number_of_threads_of_others():
    many, target = table(rows=20_000)
    models = []
    for threads in (1, 2, 5):
        with threadpool_limits(threads, user_api="openmp"):
            models.append(texts(ChurnClassifier(trees=8, seeds=1).fit(many, target)))
    assert models[0] == models[1] == models[2]


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("rows_for_bins", [500, 100_000])
def test_the_model_does_not_depend_on_the_order_of_the_rows(monkeypatch, weighed, rows_for_bins):
    """Bins are made from a part of many rows; shuffled, it must be the same part."""
    monkeypatch.setattr("churnkit.estimators.trees._ROWS_FOR_BINS", rows_for_bins)
    weight = wide_weights(len(X)) if weighed else None
    codes, target = with_codes()
    shuffled = np.random.default_rng(5).permutation(len(X))
    one, other = (clone(SMALL).set_params(categorical=[0]) for _ in range(2))
    one.fit(codes, target, weight)
    other.fit(codes[shuffled], target[shuffled], None if weight is None else weight[shuffled])
    assert texts(one) == texts(other)
    assert re.search("num_cat=[1-9]", texts(one)[0])
    assert np.array_equal(one.decision_function(codes), other.decision_function(codes))


@ALL
def test_a_score_does_not_depend_on_the_order_of_the_rows_learnt_from(estimator):
    shuffled = np.random.default_rng(6).permutation(len(X))
    one, other = clone(estimator).fit(X, Y), clone(estimator).fit(X[shuffled], Y[shuffled])
    assert np.array_equal(one.decision_function(X), other.decision_function(X))


@given(st.integers(0, 2**32), st.integers(2, 40), st.integers(0, 3))
def test_the_canonical_order_is_that_of_the_rows_however_they_come(seed, rows, columns):
    rng = np.random.default_rng(seed)
    told = rng.integers(3, size=(rows, columns)) / rng.choice([1.0, 3.0])
    target, weight = rng.integers(2, size=rows), rng.integers(3, size=rows).astype(float)
    shuffled = rng.permutation(rows)
    once, again = (
        canonical_order(told, target, weight),
        canonical_order(told[shuffled], target[shuffled], weight[shuffled]),
    )
    whole = np.column_stack([told, target, weight])
    assert np.array_equal(whole[once], whole[shuffled][again])
    assert np.array_equal(np.sort(once), np.flatnonzero(weight))


def test_the_canonical_order_puts_rows_of_every_kind_apart():
    """Rows of the same hash would keep the order they came in: small numbers must not collide."""
    grid = np.stack(np.meshgrid(*[np.arange(20.0)] * 4), axis=-1).reshape(-1, 4)
    backwards = canonical_order(grid[::-1], np.zeros(len(grid)), None)
    forwards = canonical_order(grid, np.zeros(len(grid)), None)
    assert np.array_equal(grid[forwards], grid[::-1][backwards])
    ranks = np.argsort(forwards)
    assert abs(np.corrcoef(ranks, np.arange(len(grid)))[0, 1]) < 0.02


@ALL
def test_the_type_of_the_numbers_makes_no_difference(estimator):
    short = X.astype(np.float32)
    one, other = clone(estimator).fit(short, Y), clone(estimator).fit(short.astype(float), Y)
    assert np.array_equal(one.decision_function(short), other.decision_function(short))


def test_a_matrix_of_short_floats_is_never_copied_whole(trees):
    short = X.astype(np.float32)
    assert np.shares_memory(trees._checked(short), short)
    assert np.shares_memory(clone(trees)._checked_to_fit(short, Y, None)[0], short)


def test_the_same_seed_gives_the_same_model(trees):
    assert texts(clone(trees).fit(X, Y)) == texts(trees)


def test_another_seed_gives_another_model(trees):
    other = clone(trees).set_params(random_state=5).fit(X, Y)
    assert not np.array_equal(other.decision_function(X), trees.decision_function(X))


def test_seeds_are_averaged_on_the_log_odds(trees):
    one_by_one = [clone(trees).set_params(random_state=k, seeds=1).fit(X, Y) for k in range(2)]
    mean = np.mean([model.decision_function(X) for model in one_by_one], axis=0)
    assert np.allclose(mean, trees.decision_function(X))


# ── Weights ─────────────────────────────────────────────────────────────────────────────────


@ALL
def test_a_weight_of_three_is_the_row_given_three_times(estimator):
    weight = np.random.default_rng(2).integers(4, size=len(X))
    weighed = clone(estimator).fit(X, Y, weight)
    repeated = clone(estimator).fit(X.repeat(weight, axis=0), Y.repeat(weight))
    assert np.allclose(weighed.decision_function(X), repeated.decision_function(X), atol=1e-3)


def test_trees_of_whole_weights_are_those_of_repeated_rows_to_the_last_bit():
    weight = np.random.default_rng(2).integers(4, size=len(X))
    weighed = clone(SMALL).fit(X, Y, weight)
    assert texts(weighed) == texts(clone(SMALL).fit(X.repeat(weight, axis=0), Y.repeat(weight)))


@ALL
def test_rows_of_weight_zero_are_not_there(estimator):
    weight = np.where(np.arange(len(X)) < 2000, wide_weights(len(X)), 0.0)
    weighed = clone(estimator).fit(X, Y, weight)
    without = clone(estimator).fit(X[:2000], Y[:2000], weight[:2000])
    assert np.array_equal(weighed.decision_function(X), without.decision_function(X))


@ALL
@pytest.mark.parametrize("heavy", [2.5, 1000.0])
def test_heavier_churners_raise_the_probability(estimator, heavy):
    plain = clone(estimator).fit(X, Y).predict_proba(X)[:, 1]
    raised = clone(estimator).fit(X, Y, np.where(Y, heavy, 1.0)).predict_proba(X)[:, 1]
    assert raised.mean() > plain.mean() + 0.1


@ALL
def test_weights_below_zero_are_refused(estimator):
    with pytest.raises(ValueError, match="Negative values"):
        clone(estimator).fit(X, Y, np.where(Y, -1.0, 1.0))


@ALL
def test_a_class_without_weight_is_refused_by_its_name(estimator):
    with pytest.raises(ValueError, match="no row of the class True has a weight above zero"):
        clone(estimator).fit(X, Y, np.where(Y, 0.0, 1.0))


# ── Categories ──────────────────────────────────────────────────────────────────────────────


def with_codes() -> tuple[np.ndarray, np.ndarray]:
    """The first column holds 40 codes, or none; those that drive the target have no order."""
    rng = np.random.default_rng(3)
    codes = rng.integers(40, size=len(X)).astype(float)
    target = np.isin(codes, [1, 5, 8, 21, 22, 30, 39]) ^ (rng.random(len(X)) < 0.1)
    codes[rng.random(len(X)) < 0.1] = np.nan
    return np.column_stack([codes, X[:, 1:]]), target


CODED, LEFT = with_codes()
BY_CODE = clone(SMALL).set_params(categorical=[0], trees=60)


@pytest.fixture(scope="module")
def by_code() -> ChurnClassifier:
    return clone(BY_CODE).fit(CODED, LEFT)


def test_categories_are_split_by_their_codes_and_not_by_their_order(by_code):
    as_numbers = clone(BY_CODE).set_params(categorical=None).fit(CODED, LEFT)
    coded, numbers = (
        log_loss(LEFT, model.predict_proba(CODED)[:, 1]) for model in (by_code, as_numbers)
    )
    assert coded < 0.85 * numbers


def test_an_unknown_code_is_as_good_as_missing(by_code):
    missing, unknown, huge = CODED[:200].copy(), CODED[:200].copy(), CODED[:200].copy()
    missing[:, 0], unknown[:, 0], huge[:, 0] = np.nan, 77, 2**31 - 1
    expected = by_code.decision_function(missing)
    assert np.array_equal(by_code.decision_function(unknown), expected)
    assert np.array_equal(by_code.decision_function(huge), expected)
    assert not np.array_equal(by_code.decision_function(CODED[:200]), expected)


def test_contributions_of_categories_add_up(by_code):
    left = by_code.decision_function(CODED) - by_code.contributions(CODED).sum(axis=1)
    assert np.ptp(left) < 1e-6


@pytest.mark.parametrize("value", [-1.0, 0.5, 2.0**31])
def test_what_is_no_code_is_refused_with_its_column(by_code, value):
    odd = CODED.copy()
    odd[9, 0] = value
    expected = re.escape(f"column 0 of X holds {value}; categories are whole numbers from 0")
    with pytest.raises(ValueError, match=expected):
        clone(by_code).fit(odd, LEFT)
    with pytest.raises(ValueError, match=expected):
        by_code.predict_proba(odd)


@pytest.mark.parametrize("position", [-1, 12])
def test_categories_are_columns_of_the_matrix(position):
    with pytest.raises(ValueError, match=f"categorical names column {position} of 12"):
        ChurnClassifier(categorical=[position]).fit(X, Y)


def test_categories_have_no_direction():
    monotone = [1, *[0] * (X.shape[1] - 1)]
    with pytest.raises(ValueError, match="column 0 holds categories, and monotone gives it"):
        ChurnClassifier(categorical=[0], monotone=monotone).fit(CODED, LEFT)


# ── How many trees ──────────────────────────────────────────────────────────────────────────

EARLY, LATER = slice(0, 2000), slice(2000, None)


def best_trees(estimator: ChurnClassifier, y: np.ndarray = Y, **told: int) -> int:
    return estimator.best_trees(X[EARLY], y[EARLY], X[LATER], y[LATER], **told)


def test_the_best_number_of_trees_beats_few_and_many():
    quick = ChurnClassifier(learning_rate=0.1, seeds=2)
    best = best_trees(quick)

    def loss(number: int) -> float:
        fitted = clone(quick).set_params(trees=number).fit(X[EARLY], Y[EARLY])
        return log_loss(Y[LATER], fitted.predict_proba(X[LATER])[:, 1])

    assert 20 < best < 500
    assert loss(best) < loss(20)
    assert loss(best) < loss(6 * best)


def test_where_nothing_can_be_learnt_twenty_trees_remain():
    coin = np.random.default_rng(9).random(len(X)) < 0.5
    assert best_trees(ChurnClassifier(seeds=1), coin, patience=10) == 20


def test_no_more_trees_are_tried_than_allowed():
    assert best_trees(ChurnClassifier(learning_rate=0.01, seeds=1), most=30) == 30


def test_looking_for_the_best_number_fits_nothing():
    estimator = ChurnClassifier(seeds=1)
    best_trees(estimator, most=20)
    assert not hasattr(estimator, "classes_")
    assert estimator.get_params() == ChurnClassifier(seeds=1).get_params()


def test_the_best_number_is_the_mean_over_seeds():
    one_by_one = [
        best_trees(ChurnClassifier(learning_rate=0.1, seeds=1, random_state=k)) for k in range(2)
    ]
    both = best_trees(ChurnClassifier(learning_rate=0.1, seeds=2))
    assert both == round(np.mean(one_by_one))


def test_the_best_number_depends_neither_on_threads_nor_on_the_order_of_rows():
    one = best_trees(ChurnClassifier(learning_rate=0.1, seeds=1, threads=1))
    shuffled = np.random.default_rng(5).permutation(2000)
    later = X[LATER][::-1], Y[LATER][::-1]
    other = ChurnClassifier(learning_rate=0.1, seeds=1, threads=2)
    assert other.best_trees(X[EARLY][shuffled], Y[EARLY][shuffled], *later) == one


def test_the_best_number_is_found_where_rows_are_more_than_bins_are_made_from(monkeypatch):
    quick = ChurnClassifier(learning_rate=0.1, seeds=1)
    few, many = best_trees(quick), []
    for rows in (1500, 1999):
        monkeypatch.setattr("churnkit.estimators.trees._ROWS_FOR_BINS", rows)
        many.append(best_trees(quick))
    assert all(0.5 < number / few < 2 for number in many)


def test_there_is_a_later_label_for_each_later_row():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ChurnClassifier().best_trees(X, Y, X, Y[1:])


def test_later_labels_must_be_known():
    with pytest.raises(ValueError, match="y_later holds 'gone', which y does not"):
        ChurnClassifier().best_trees(X, np.where(Y, "left", "here"), X, ["gone"] * len(X))


# ── Missing values ──────────────────────────────────────────────────────────────────────────


def test_that_a_value_is_missing_can_tell_something():
    known = np.where(Y, 1.0, np.nan)[:, None]
    for estimator in (SMALL, PlainRule()):
        p = clone(estimator).fit(known, Y).predict_proba(known)[:, 1]
        assert p[Y].min() > p[~Y].max()


@ALL
def test_a_column_without_any_value_gives_finite_probabilities(estimator):
    empty = X.copy()
    empty[:, 0] = np.nan
    p = clone(estimator).fit(empty, Y).predict_proba(empty)
    assert np.isfinite(p).all()


@ALL
def test_a_column_of_one_value_gives_finite_probabilities(estimator):
    same = X.copy()
    same[:, 0] = 3.3
    fitted = clone(estimator).fit(same, Y)
    same[0, 0] = 1e6
    assert np.isfinite(fitted.decision_function(same)).all()
    assert abs(fitted.contributions(same)[0, 0]) < 20


@ALL
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_are_refused_with_their_column(estimator, value):
    spoilt = X.copy()
    spoilt[7, 3] = value
    with pytest.raises(ValueError, match="X holds infinity in column 3"):
        clone(estimator).fit(spoilt, Y)
    with pytest.raises(ValueError, match="X holds infinity in column 3"):
        clone(estimator).fit(X, Y).predict_proba(spoilt)


def test_infinite_values_far_down_are_found():
    long = np.zeros((40_000, 2), dtype=np.float32)
    long[39_999] = np.inf
    with pytest.raises(ValueError, match="X holds infinity in column 0, 1"):
        PlainRule().fit(long, np.arange(40_000) % 2)


# ── Targets ─────────────────────────────────────────────────────────────────────────────────


@ALL
@pytest.mark.parametrize("only", [True, "stayed", 1])
def test_a_single_class_is_refused_by_its_name(estimator, only):
    with pytest.raises(ValueError, match=f"one class only: {only!r}$"):
        clone(estimator).fit(X[:50], [only] * 50)


@ALL
def test_more_than_two_classes_are_refused(estimator):
    with pytest.raises(ValueError, match="Only binary classification is supported"):
        clone(estimator).fit(X[:60], ["a", "b", "c"] * 20)


# ── Few rows ────────────────────────────────────────────────────────────────────────────────


def test_trees_still_split_when_rows_are_few():
    few = clone(SMALL).fit(X[:120], Y[:120])
    assert few.lightgbm_parameters(120, 0)["min_data_in_leaf"] == 6
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


# ── Blends ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def blend() -> Blend:
    return clone(BLEND).fit(X, Y)


def test_a_blend_is_the_weighted_mean_of_the_log_odds(blend, trees):
    rule = PlainRule([0, 1]).fit(X, Y)
    for told in ("decision_function", "contributions"):
        of_trees, of_rule, of_blend = (getattr(e, told)(X) for e in (trees, rule, blend))
        assert np.allclose(of_blend, 0.75 * of_trees + 0.25 * of_rule)
        assert not np.allclose(of_blend, of_trees)


def test_a_blend_of_blends_is_a_blend(blend):
    nested = Blend([BLEND, PlainRule([0, 1])], [2, 2]).fit(X, Y)
    rule = PlainRule([0, 1]).fit(X, Y)
    mean = (blend.decision_function(X) + rule.decision_function(X)) / 2
    assert np.allclose(nested.decision_function(X), mean)


def test_the_members_of_a_blend_stay_as_they_are(blend):
    assert not any(hasattr(member, "classes_") for member in BLEND.members)
    assert [type(member) for member in blend.members_] == [ChurnClassifier, PlainRule]


def test_a_blend_gives_its_members_the_weights_of_the_rows():
    weight = wide_weights(len(X))
    members = [clone(member).fit(X, Y, weight) for member in BLEND.members]
    expected = [0.75, 0.25] @ np.array([member.decision_function(X) for member in members])
    assert np.allclose(clone(BLEND).fit(X, Y, weight).decision_function(X), expected)


@pytest.mark.parametrize("weights", [[1], [1, 1, 1], [], [1, -1], [0, 0], [1, np.nan], [1, np.inf]])
def test_a_blend_has_a_weight_for_each_member(weights):
    with pytest.raises(ValueError, match="a blend of 2 members needs as many weights ≥ 0"):
        Blend(BLEND.members, weights).fit(X, Y)


def test_a_member_without_weight_moves_nobody(trees):
    alone = Blend([SMALL, PlainRule()], [1, 0]).fit(X, Y)
    assert np.array_equal(alone.decision_function(X), trees.decision_function(X))


# ── Calibration ─────────────────────────────────────────────────────────────────────────────


class TestCalibrated:
    """Log-odds stretched and shifted by what groups left out of the fit tell."""

    bold = ChurnClassifier(trees=60, seeds=1, learning_rate=0.4, leaves=31, rows_per_leaf=5)

    def test_trees_that_trust_themselves_too_much_are_toned_down(self):
        more, outcome = table(seed=1)
        fitted = Calibrated(self.bold).fit(X, Y)
        told = [
            log_loss(outcome, estimator.predict_proba(more)[:, 1])
            for estimator in (fitted, fitted.estimator_)
        ]
        assert 0 < fitted.slope_ < 0.7
        assert told[0] < told[1] - 0.05

    def test_the_order_of_customers_stays(self):
        fitted = Calibrated(SMALL).fit(X, Y)
        assert np.array_equal(
            np.argsort(fitted.decision_function(X)),
            np.argsort(fitted.estimator_.decision_function(X)),
        )

    def test_contributions_are_stretched_alike(self):
        fitted = Calibrated(SMALL).fit(X, Y)
        for told in ("contributions", "path_contributions"):
            inner = getattr(fitted.estimator_, told)(X)
            assert np.allclose(getattr(fitted, told)(X), fitted.slope_ * inner)

    def test_rows_of_a_customer_are_left_out_together(self):
        twice, outcome = np.vstack([X[:800]] * 2), np.concatenate([Y[:800]] * 2)
        customer = np.tile(np.arange(800), 2)
        knowing = Calibrated(self.bold).fit(twice, outcome)
        honest = Calibrated(self.bold).fit(twice, outcome, groups=customer)
        assert honest.slope_ < 0.5 * knowing.slope_

    def test_folds_hold_whole_groups_of_about_the_same_number(self):
        group = np.random.default_rng(0).permutation(np.arange(2100) % 300)
        fold = folds_of(group, 3)
        assert all(len(np.unique(fold[group == g])) == 1 for g in range(300))
        assert np.bincount(fold[np.unique(group, return_index=True)[1]]).tolist() == [100, 100, 100]

    def test_where_a_part_holds_one_class_nothing_is_changed(self):
        outcome = np.zeros(len(X), dtype=bool)
        outcome[0] = True
        fitted = Calibrated(PlainRule([0])).fit(X, outcome)
        assert (fitted.slope_, fitted.shift_) == (1.0, 0.0)

    def test_the_order_of_the_rows_changes_nothing(self):
        customer = np.arange(len(X)) % 700
        order = np.random.default_rng(3).permutation(len(X))
        one = Calibrated(SMALL).fit(X, Y, groups=customer)
        other = Calibrated(SMALL).fit(X[order], Y[order], groups=customer[order])
        assert (one.slope_, one.shift_) == (other.slope_, other.shift_)
        assert np.array_equal(one.decision_function(X), other.decision_function(X))

    def test_groups_are_as_many_as_rows(self):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            Calibrated(PlainRule()).fit(X, Y, groups=[1, 2])


# ── To disk and back ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "estimator",
    [BY_CODE, PlainRule([0, 1]), PlainRule([]), BLEND, Calibrated(BLEND, folds=2)],
    ids=str,
)
def test_what_is_told_as_json_makes_the_same_estimator(estimator):
    fitted = clone(estimator).fit(CODED, LEFT)
    again = restored(json.loads(json.dumps(fitted.told())), fitted.boosters())
    assert again.told() == fitted.told()
    for told in ("predict", "decision_function", "contributions"):
        assert np.array_equal(getattr(again, told)(CODED), getattr(fitted, told)(CODED))
    assert np.array_equal(clone(again).fit(CODED, LEFT).classes_, [False, True])


def test_a_rule_takes_no_boosters(trees):
    rule = PlainRule().fit(X, Y)
    with pytest.raises(ValueError, match="boosters"):
        PlainRule.restored(rule.parameters(), rule.state(), trees.boosters())
