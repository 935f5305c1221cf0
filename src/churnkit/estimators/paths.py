"""Path attribution: what the splits on the way of a row through each tree did to its log-odds.

The value of a node is the mean of its leaves over the training rows. On the way from the root to
a leaf each split changes it, and the change is put down to the column of the split (Saabas 2014).
That adds up to the log-odds as SHAP values do, and costs little more than a prediction; but only
the splits on the one way count, so that of columns that act together the one asked last gets more
than its share. Approximate, for the rows that nobody looks at one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Paths:
    """The trees of a booster, each as what it adds at each of its leaves.

    Attributes
    ----------
    booster
        One output, no linear leaves.
    trees
        Of each tree: column → what its splits add on the way to each leaf.
    values
        Of each tree: the log-odds of each leaf.
    """

    booster: Any
    trees: list[dict[int, np.ndarray]]
    values: list[np.ndarray]

    @classmethod
    def of(cls, booster: Any) -> Self:
        """The trees of a LightGBM booster."""
        roots = [told["tree_structure"] for told in booster.dump_model()["tree_info"]]
        return cls(booster, [_leaves(root) for root in roots], [_values(root) for root in roots])

    def explained(self, X: np.ndarray, threads: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Log-odds as the booster predicts them, to the last bit, and the path attributions.

        Finding the leaves costs as much as predicting, and tells both. Shapes (rows,) and
        (rows, columns); arguments as for `path_contributions`.
        """
        found, log_odds = np.zeros((X.shape[1], len(X))), np.zeros(len(X))
        for start in range(0, len(X), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            leaf = self.booster.predict(X[rows], pred_leaf=True, num_threads=threads)
            reached = leaf.reshape(len(leaf), len(self.trees)).T.astype(np.intp, order="C")
            here, sums, totals = np.empty(len(leaf)), list(found[:, rows]), log_odds[rows]
            # With clipping, which never happens, and into one array NumPy looks up twice as fast.
            for tree, values, leaf_of_row in zip(self.trees, self.values, reached, strict=True):
                # In the order of LightGBM, so that the sum is the same to the last bit.
                totals += values.take(leaf_of_row, None, here, "clip")
                for column, of_leaf in tree.items():
                    total = sums[column]  # `sums[column] +=` would store it once more
                    total += of_leaf.take(leaf_of_row, None, here, "clip")
        return log_odds, found.T


def path_contributions(booster: Any, X: np.ndarray, threads: int = 0) -> np.ndarray:
    """Path attributions of a LightGBM booster in log-odds, shape (rows, columns).

    With the mean log-odds over the training rows they add up to the log-odds of each row.

    Parameters
    ----------
    booster
        One output, no linear leaves.
    X
        Shape (rows, columns), NaN where missing.
    threads
        How many predict; 0 leaves it to LightGBM.
    """
    return Paths.of(booster).explained(X, threads)[1]


_MEAN = "mean"  # what `_marked` adds to a node


def _leaves(root: dict[str, Any]) -> dict[int, np.ndarray]:
    """Column → what its splits add on the way to each leaf, of one tree."""
    _marked(root)
    ways = dict(_ways(root, {}))
    columns = sorted({column for way in ways.values() for column in way})
    return {c: _floats(ways[k].get(c, 0.0) for k in range(len(ways))) for c in columns}


def _values(root: Mapping[str, Any]) -> np.ndarray:
    """The value of each leaf, by its number."""
    leaves = dict(_leaf_values(root))
    return _floats(leaves[k] for k in range(len(leaves)))


def _floats(numbers: Iterable[float]) -> np.ndarray:
    # LightGBM prints a leaf of 0.0 as 0, and NumPy would make whole numbers of a tree of such.
    return np.array(list(numbers), dtype=np.float64)


def _leaf_values(node: Mapping[str, Any]) -> Iterator[tuple[int, float]]:
    if "left_child" not in node:
        yield node.get("leaf_index", 0), node["leaf_value"]
        return
    yield from _leaf_values(node["left_child"])
    yield from _leaf_values(node["right_child"])


def _ways(
    node: Mapping[str, Any], so_far: dict[int, float]
) -> Iterator[tuple[int, dict[int, float]]]:
    """Number of each leaf, and what the splits on the way to it add, by column."""
    if "left_child" not in node:
        yield node.get("leaf_index", 0), so_far
        return
    here, column = node[_MEAN], node["split_feature"]
    for side in ("left_child", "right_child"):
        change = node[side][_MEAN] - here
        yield from _ways(node[side], {**so_far, column: so_far.get(column, 0.0) + change})


def _marked(node: dict[str, Any]) -> tuple[float, int]:
    """Sum over the training rows below a node, and how many they are; nodes keep their means."""
    if "left_child" in node:
        (left, before), (right, after) = (_marked(node[f"{s}_child"]) for s in ("left", "right"))
        value, rows = left + right, before + after
    else:
        rows = node.get("leaf_count", 1)
        value = node["leaf_value"] * rows
    node[_MEAN] = value / rows
    return value, rows
