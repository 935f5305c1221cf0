"""Path attribution: what each split did, by hand on small trees, and what it adds up to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from churnkit.estimators import Blend, ChurnClassifier, PlainRule
from churnkit.estimators.paths import path_contributions


class Stumps:
    """A booster of two hand-made trees over two columns, as LightGBM tells of it."""

    def dump_model(self) -> dict[str, Any]:
        recent = {"leaf_index": 0, "leaf_value": -1.0, "leaf_count": 60}
        poor = {"leaf_index": 1, "leaf_value": 2.0, "leaf_count": 10}
        rich = {"leaf_index": 2, "leaf_value": 0.0, "leaf_count": 30}
        silent = {"split_feature": 1, "left_child": poor, "right_child": rich}
        root = {"split_feature": 0, "left_child": recent, "right_child": silent}
        return {"tree_info": [{"tree_structure": root}, {"tree_structure": {"leaf_value": 0.3}}]}

    def predict(self, X: np.ndarray, pred_leaf: bool, num_threads: int) -> np.ndarray:
        assert (pred_leaf, num_threads) == (True, 0)
        first = np.where(X[:, 0] <= 1, 0, np.where(X[:, 1] <= 1, 1, 2))
        return np.column_stack([first, np.zeros(len(X), dtype=int)])


def test_each_split_is_put_down_to_its_column() -> None:
    """Root: (60 × -1 + 10 × 2 + 30 × 0) / 100 = -.4; the silent: 20 / 40 = .5."""
    told = path_contributions(Stumps(), np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0]]))
    assert told == pytest.approx(np.array([[-0.6, 0.0], [0.9, 1.5], [0.9, -0.5]]))


def test_a_column_asked_twice_gets_both_changes() -> None:
    class Twice(Stumps):
        def dump_model(self) -> dict[str, Any]:
            told = super().dump_model()
            told["tree_info"][0]["tree_structure"]["right_child"]["split_feature"] = 0
            return told

    told = path_contributions(Twice(), np.array([[2.0, 0.0]]))
    assert told == pytest.approx(np.array([[2.4, 0.0]]))


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    """Six columns, of which two count, a tenth of the values missing; and who churned."""
    rng = np.random.default_rng(11)
    X = rng.normal(size=(900, 6))
    churned = rng.random(900) < 1 / (1 + np.exp(-2 * X[:, 0] + X[:, 1]))
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, churned


@pytest.fixture(scope="module")
def trees(rows: tuple[np.ndarray, np.ndarray]) -> ChurnClassifier:
    return ChurnClassifier(trees=40, rows_per_leaf=20).fit(*rows)


def test_paths_and_shap_values_begin_at_the_same_mean(trees, rows) -> None:
    X, _ = rows
    log_odds = trees.decision_function(X)
    starts = [
        log_odds - told(X).sum(axis=1) for told in (trees.path_contributions, trees.contributions)
    ]
    assert np.ptp(starts[0]) < 1e-9
    assert starts[0] == pytest.approx(starts[1], abs=1e-9)


def test_paths_tell_much_the_same_as_shap_values(trees, rows) -> None:
    X, _ = rows
    exact, quick = trees.contributions(X), trees.path_contributions(X)
    assert not np.allclose(exact, quick)
    assert np.corrcoef(exact.ravel(), quick.ravel())[0, 1] > 0.98
    assert (np.abs(exact).argmax(axis=1) == np.abs(quick).argmax(axis=1)).mean() > 0.9


def test_a_row_is_attributed_alone_as_among_others(trees, rows) -> None:
    X, _ = rows
    together = trees.path_contributions(np.tile(X, (25, 1)))  # more rows than are taken at once
    assert np.array_equal(together[-1:], trees.path_contributions(X[-1:]))


def test_a_rule_is_exact_and_a_blend_is_the_mean_of_its_members(rows) -> None:
    X, churned = rows
    members = [ChurnClassifier(trees=20, rows_per_leaf=20), PlainRule([0, 1])]
    blend = Blend(members, [3, 1]).fit(X, churned)
    of_trees, of_rule = (member.path_contributions(X) for member in blend.members_)
    assert np.array_equal(of_rule, blend.members_[1].contributions(X))
    assert blend.path_contributions(X) == pytest.approx(0.75 * of_trees + 0.25 * of_rule)
