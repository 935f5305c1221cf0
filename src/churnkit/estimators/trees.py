"""`ChurnClassifier`: small gradient-boosted trees."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import Any, Self

# Spinning threads once turned 5 s of training on two busy cores into 73 s; read at first import.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import lightgbm as lgb
import numpy as np
from sklearn.base import clone
from sklearn.utils import check_consistent_length

from churnkit.estimators.base import BinaryClassifier
from churnkit.estimators.order import canonical_order
from churnkit.estimators.paths import Paths

_ROWS_FOR_BINS = 100_000  # LightGBM would look at twice as many, which is when it needs most memory
_BINNING = {"bin_construct_sample_cnt": _ROWS_FOR_BINS, "feature_pre_filter": False}
# By column each sum is one thread's work; by row the sums depend on their number.
REPEATABLE = {"deterministic": True, "force_col_wise": True, **_BINNING}
"""Parameters under which LightGBM gives the same trees on any number of threads."""
_MOST_CODE = 2**31 - 1  # LightGBM keeps codes as 32-bit integers
_MOST_TIMES = 4  # as many rows as there are, where weights are repetitions
_FEWEST_TREES = 20
_LEAST_P = 1e-15


class ChurnClassifier(BinaryClassifier):
    """Small gradient-boosted trees, averaged over seeds on the log-odds scale.

    The defaults are the recipe that measured best on later-in-time tests: few leaves, many rows
    a leaf, slow learning, sampled rows and columns. For a seed the result is the same to the last
    bit, whatever the number of threads and the order of the rows.

    Parameters
    ----------
    trees
        Boosting rounds per seed.
    leaves
        Leaves per tree.
    rows_per_leaf
        Fewest rows in a leaf; at most a twentieth of the rows, so that small data still split.
    learning_rate, column_share, row_share, l2
        Shrinkage, column and row sampling per tree, and L2 penalty on leaf values.
    monotone
        For each column 1 if a higher value may only raise the log-odds, -1 if it may only lower
        them, 0 if it may do both; ``None`` stands for zeros.
    categorical
        Positions of columns that hold codes of categories: whole numbers from 0 without an
        order, NaN where missing. A code that was not there in training is as good as missing.
        ``None`` is no such column.
    seeds
        How many models are averaged.
    random_state
        First seed.
    threads
        Threads to train and predict with; ``None`` is as many as OpenMP gives.

    Attributes
    ----------
    boosters_
        The fitted LightGBM boosters, one per seed.
    classes_
        The two labels, the second being churn.
    n_features_in_
        Number of columns.
    """

    def __init__(
        self,
        trees: int = 180,
        leaves: int = 7,
        rows_per_leaf: int = 200,
        learning_rate: float = 0.05,
        column_share: float = 0.6,
        row_share: float = 0.8,
        l2: float = 5.0,
        monotone: Sequence[int] | None = None,
        categorical: Sequence[int] | None = None,
        seeds: int = 2,
        random_state: int = 0,
        threads: int | None = None,
    ) -> None:
        self.trees = trees
        self.leaves = leaves
        self.rows_per_leaf = rows_per_leaf
        self.learning_rate = learning_rate
        self.column_share = column_share
        self.row_share = row_share
        self.l2 = l2
        self.monotone = monotone
        self.categorical = categorical
        self.seeds = seeds
        self.random_state = random_state
        self.threads = threads

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ChurnClassifier:
        """Fit on X of shape (rows, columns) and a binary y of shape (rows,).

        Where all weights are whole numbers, a row of weight three is the row given three times;
        a row of weight zero is never there.

        Raises
        ------
        ValueError
            If X holds infinite values or categories that are no codes, y does not hold exactly
            two classes, ``monotone`` is not as long as X is wide or gives a category a
            direction, or ``categorical`` names other columns than X has.
        """
        X, target, weight = self._checked_to_fit(X, y, sample_weight)
        data = self._dataset(X, target, weight)
        # Small data leave threads idle within a tree: seeds side by side take a quarter less time.
        threads = self.threads or _threads_allowed()
        beside = min(self.seeds, threads)

        def boosted(seed: int) -> lgb.Booster:
            parameters = self.lightgbm_parameters(data.num_data(), seed)
            return lgb.train({**parameters, "num_threads": threads // beside}, data, self.trees)

        with ThreadPoolExecutor(beside) as pool:
            self.boosters_ = list(pool.map(boosted, self._seeds()))
        return self

    def best_trees(
        self,
        X: Any,
        y: Any,
        X_later: Any,
        y_later: Any,
        sample_weight: Any = None,
        weight_later: Any = None,
        *,
        patience: int = 50,
        most: int = 2000,
    ) -> int:
        """The number of trees with the least log loss on other rows, at least 20.

        Boosts on the first rows until ``patience`` rounds in a row have not lowered the log loss
        on the later ones, or ``most`` rounds are through; the mean over seeds. Nothing is fitted:
        set ``trees`` to the number and fit on all rows.

        Raises
        ------
        ValueError
            Like `fit`; and if ``y_later`` holds labels that ``y`` does not, or it or its weights
            are not as long as ``X_later``.
        """
        trial = clone(self)
        X, target, weight = trial._checked_to_fit(X, y, sample_weight)
        data = trial._dataset(X, target, weight)
        later = trial._later(X_later, y_later, weight_later, data)
        best = [
            lgb.train(
                {**trial.lightgbm_parameters(data.num_data(), seed), "metric": "None"},
                data,
                most,
                valid_sets=[later],
                feval=_log_loss,
                callbacks=[lgb.early_stopping(patience, verbose=False)],
            ).best_iteration
            for seed in self._seeds()
        ]
        return max(_FEWEST_TREES, round(float(np.mean(best))))

    def decision_function(self, X: Any) -> np.ndarray:
        """Log-odds of churn, shape (rows,): the mean over seeds."""
        X = self._checked(X)
        return self._mean(X, raw_score=True)

    def contributions(self, X: Any) -> np.ndarray:
        """Exact SHAP values in log-odds, shape (rows, columns); they add up to the log-odds
        less its mean over the training rows.
        """
        X = self._checked(X)
        return self._mean(X, pred_contrib=True)[:, :-1]

    def path_contributions(self, X: Any) -> np.ndarray:
        """Approximate contributions, see `churnkit.estimators.paths`; they add up to the same."""
        return self.explained(X)[1]

    def explained(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Log-odds and approximate contributions, which one search for the leaves tells."""
        X, threads = self._checked(X), self.threads or 0
        told = [paths.explained(X, threads) for paths in self._paths()]
        log_odds, shares = told[0]
        for more_log_odds, more_shares in told[1:]:
            log_odds += more_log_odds
            shares += more_shares  # in place: tables of all columns are large
        log_odds /= len(told)
        shares /= len(told)
        return log_odds, shares

    def _paths(self) -> list[Paths]:
        """The trees as they are looked up; taking boosters apart is slow, so it is done once."""
        kept: list[Paths] = vars(self).get("_looked_up", [])
        if [paths.booster for paths in kept] != self.boosters_:
            kept = [Paths.of(booster) for booster in self.boosters_]
            self._looked_up = kept
        return kept

    def parameters(self) -> dict[str, Any]:
        """What it was made with, JSON-ready; threads aside, which are of a machine, not a model."""
        return {name: value for name, value in super().parameters().items() if name != "threads"}

    def boosters(self) -> list[Any]:
        """The fitted LightGBM boosters, one per seed."""
        return list(self.boosters_)

    @classmethod
    def restored(
        cls, parameters: Mapping[str, Any], state: Mapping[str, Any], boosters: Sequence[Any]
    ) -> Self:
        """The trees from what `parameters`, `state` and `boosters` gave; threads are not kept."""
        estimator = super().restored({**parameters, "threads": None}, state, ())
        if len(boosters) != estimator.seeds:
            raise ValueError(f"{len(boosters)} boosters for {estimator.seeds} seeds")
        estimator._check_columns(estimator.n_features_in_)
        estimator.boosters_ = list(boosters)
        return estimator

    def _checked(self, X: Any) -> np.ndarray:
        return self._coded(super()._checked(X))

    def _coded(self, X: np.ndarray) -> np.ndarray:
        """The matrix, unless what it holds as categories are no codes."""
        for k in self.categorical or ():
            codes = X[:, k]
            odd = ~(np.isnan(codes) | (codes >= 0) & (codes <= _MOST_CODE) & (codes % 1 == 0))
            if odd.any():
                raise ValueError(
                    f"column {k} of X holds {codes[odd][0]!s}; categories are whole numbers from 0"
                )
        return X

    def _dataset(self, X: np.ndarray, target: np.ndarray, weight: np.ndarray | None) -> lgb.Dataset:
        """The rows in their canonical order, as LightGBM has them: binned."""
        self._check_columns(X.shape[1])
        order, weight = _in_order(self._coded(X), target, weight)
        data = binned(X, target, order, self.categorical or (), self.threads)
        if weight is not None:
            data.set_weight(weight)
        return data.construct()

    def _later(self, X: Any, y: Any, weight: Any, data: lgb.Dataset) -> lgb.Dataset:
        X = self._checked(X)
        check_consistent_length(X, y, weight)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y_later holds {unknown.tolist()[0]!r}, which y does not")
        target = np.searchsorted(self.classes_, y)
        order = canonical_order(X, target, None)
        rows = None if weight is None else np.asarray(weight, dtype=np.float64)[order]
        return lgb.Dataset(_InOrder(X, order), target[order], reference=data, weight=rows)

    def _check_columns(self, columns: int) -> None:
        if self.monotone is not None and len(self.monotone) != columns:
            raise ValueError(f"monotone has {len(self.monotone)} directions for {columns} columns")
        for k in self.categorical or ():
            if not 0 <= k < columns:
                raise ValueError(f"categorical names column {k} of {columns} (from 0)")
            if self.monotone is not None and self.monotone[k]:
                raise ValueError(f"column {k} holds categories, and monotone gives it a direction")

    def _seeds(self) -> range:
        return range(self.random_state, self.random_state + self.seeds)

    def _mean(self, X: np.ndarray, **kind: bool) -> np.ndarray:
        told = (b.predict(X, num_threads=self.threads or 0, **kind) for b in self.boosters_)
        # One by one: contributions of all seeds at once would fill the memory.
        return np.asarray(reduce(np.add, told) / len(self.boosters_))

    def lightgbm_parameters(self, rows: int, seed: int) -> dict[str, Any]:
        """The parameters of ``lightgbm.train`` for so many rows and a seed."""
        return {
            "objective": "binary",
            "num_leaves": self.leaves,
            "min_data_in_leaf": max(1, min(self.rows_per_leaf, rows // 20)),
            "learning_rate": self.learning_rate,
            "feature_fraction": self.column_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "lambda_l2": self.l2,
            "monotone_constraints": self.monotone,
            "seed": seed,
            **REPEATABLE,
            "num_threads": self.threads or 0,
            "verbose": -1,
        }


def binned(
    X: np.ndarray,
    target: np.ndarray,
    order: np.ndarray,
    categorical: Sequence[int] = (),
    threads: int | None = None,
) -> lgb.Dataset:
    """Rows in an order, as LightGBM has them: binned, and copied a few at a time.

    Parameters
    ----------
    X, target
        Matrix of shape (rows, columns), NaN where missing, and what is learnt.
    order
        Positions of the rows, see `churnkit.estimators.order.canonical_order`.
    categorical
        Positions of columns that hold codes.
    threads
        ``None`` is as many as OpenMP gives.
    """
    settings = {**_BINNING, "num_threads": threads or 0, "verbose": -1}
    # The order is that of a hash, so the first rows are a sample of all; no more are copied.
    first = order[:_ROWS_FOR_BINS]
    data = lgb.Dataset(
        X[first], target[first], categorical_feature=list(categorical), params=settings
    )
    if len(order) > len(first):
        data = lgb.Dataset(_InOrder(X, order), target[order], reference=data, params=settings)
    return data


def _threads_allowed() -> int:
    """As many as OpenMP gives: what OMP_NUM_THREADS says, or the processors of this process."""
    told = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if told.isdecimal() and int(told):
        return int(told)
    has_affinity = hasattr(os, "sched_getaffinity")  # not on macOS and Windows
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1


def _in_order(
    X: np.ndarray, target: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Positions of the rows in their canonical order, and their weights unless all are one.

    Whole weights become repetitions, unless the rows would be many times as many: LightGBM draws
    the rows of a tree and counts those of a leaf whatever they weigh.
    """
    if weight is None:
        return canonical_order(X, target, None), None
    if (weight % 1 == 0).all() and weight.sum() <= _MOST_TIMES * len(weight):
        order = canonical_order(X, target, None)
        return np.repeat(order, weight[order].astype(np.int64)), None
    order = canonical_order(X, target, weight)
    return order, weight[order]


# LightGBM tells no types.
class _InOrder(lgb.Sequence):  # type: ignore[misc]
    """The rows of a matrix in another order, copied a few at a time as LightGBM bins them."""

    def __init__(self, X: np.ndarray, order: np.ndarray) -> None:
        self.X = X
        self.order = order

    def __getitem__(self, k: Any) -> np.ndarray:
        return self.X[self.order[k]]

    def __len__(self) -> int:
        return len(self.order)


def _log_loss(p: np.ndarray, data: lgb.Dataset) -> tuple[str, float, bool]:
    """Log loss as LightGBM wants it told; its own depends on the number of threads."""
    churned = np.asarray(data.get_label()) > 0
    of_truth = np.where(churned, p, 1.0 - p)
    lost = -np.log(np.maximum(of_truth, _LEAST_P))
    return "log loss", float(np.average(lost, weights=data.get_weight())), False
