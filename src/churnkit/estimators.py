"""Models of churn: gradient-boosted trees, and the plain rules they must beat.

All are scikit-learn classifiers over a float matrix in which NaN means missing. Class 1 is
churn. None uses class weights: the lights need probabilities.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

# Spinning threads once turned 5 s of training on two busy cores into 73 s; read at first import.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import lightgbm as lgb
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """Probability of given log-odds, shape kept."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * log_odds)))


class _BinaryClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """What trees and rules share: targets, probabilities from log-odds, missing values."""

    classes_: np.ndarray

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of shape (rows, 2): of staying and of churn."""
        churn = sigmoid(self.decision_function(X))
        return np.column_stack([1.0 - churn, churn])

    def predict(self, X: Any) -> np.ndarray:
        """The likelier class of each row."""
        churn = self.decision_function(X) > 0
        return np.asarray(self.classes_[churn.astype(int)])

    def decision_function(self, X: Any) -> np.ndarray:
        """Log-odds of churn, shape (rows,)."""
        raise NotImplementedError

    def _checked(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        checked = validate_data(self, X, reset=False, ensure_all_finite="allow-nan")
        return np.asarray(checked, dtype=np.float64)

    def _checked_to_fit(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        X, y = validate_data(self, X, y, ensure_all_finite="allow-nan")
        check_classification_targets(y)
        if type_of_target(y) != "binary":
            raise ValueError(
                f"Only binary classification is supported. The type of the target is "
                f"{type_of_target(y)}."
            )
        self.classes_, target = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"the target holds one class only: {self.classes_.tolist()[0]!r}")
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, X)
        return np.asarray(X, dtype=np.float64), target, weight

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags


class ChurnClassifier(_BinaryClassifier):
    """Small gradient-boosted trees, averaged over seeds on the log-odds scale.

    The defaults are the recipe that measured best on later-in-time tests: few leaves, many rows
    a leaf, slow learning, sampled rows and columns. The result does not depend on the number of
    threads.

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
    seeds
        How many models are averaged.
    random_state
        First seed.

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
        seeds: int = 2,
        random_state: int = 0,
    ) -> None:
        self.trees = trees
        self.leaves = leaves
        self.rows_per_leaf = rows_per_leaf
        self.learning_rate = learning_rate
        self.column_share = column_share
        self.row_share = row_share
        self.l2 = l2
        self.monotone = monotone
        self.seeds = seeds
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ChurnClassifier:
        """Fit on X of shape (rows, columns) and a binary y of shape (rows,).

        Raises
        ------
        ValueError
            If X holds infinite values, y does not hold exactly two classes, or ``monotone`` is
            not as long as X is wide.
        """
        X, target, weight = self._checked_to_fit(X, y, sample_weight)
        if self.monotone is not None and len(self.monotone) != X.shape[1]:
            raise ValueError(
                f"monotone has {len(self.monotone)} directions for {X.shape[1]} columns"
            )
        data = lgb.Dataset(X, target, weight=weight, params={"verbose": -1})
        self.boosters_ = [
            lgb.train(self._parameters(len(X), seed), data, self.trees)
            for seed in range(self.random_state, self.random_state + self.seeds)
        ]
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Log-odds of churn, shape (rows,): the mean over seeds."""
        X = self._checked(X)
        return np.mean([b.predict(X, raw_score=True) for b in self.boosters_], axis=0)

    def contributions(self, X: Any) -> np.ndarray:
        """Exact SHAP values in log-odds, shape (rows, columns); they add up to the log-odds
        less its mean over the training rows.
        """
        X = self._checked(X)
        told = np.mean([b.predict(X, pred_contrib=True) for b in self.boosters_], axis=0)
        return np.asarray(told[:, :-1])

    def _parameters(self, rows: int, seed: int) -> dict[str, Any]:
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
            "deterministic": True,
            "force_row_wise": True,
            "verbose": -1,
        }


class PlainRule(_BinaryClassifier):
    """Logistic regression on a few columns on the log scale.

    Each column x becomes sign(x) log(1 + |x|), standardised, with an indicator where it is
    missing.

    Parameters
    ----------
    columns
        Positions of the columns it looks at; ``None`` is all, none at all is the base rate.

    Attributes
    ----------
    mean_, scale_
        Mean and standard deviation of the log-scaled columns, missing values aside.
    coef_
        Weights of the columns, then of their missing indicators, shape (2 * columns,).
    intercept_
        Log-odds where every column stands at its mean.
    """

    def __init__(self, columns: Sequence[int] | None = None) -> None:
        self.columns = columns

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> PlainRule:
        """Fit on X of shape (rows, columns) and a binary y of shape (rows,).

        Raises
        ------
        ValueError
            If X holds infinite values or y does not hold exactly two classes.
        """
        X, target, weight = self._checked_to_fit(X, y, sample_weight)
        rows = np.ones(len(X)) if weight is None else weight
        self._standardise_by(self._log_scaled(X), rows)
        if not len(self.mean_):
            rate = np.average(target, weights=rows)
            self.coef_, self.intercept_ = np.zeros(0), float(np.log(rate / (1 - rate)))
            return self
        fitted = LogisticRegression(max_iter=1000).fit(self._terms(X), target, rows)
        self.coef_, self.intercept_ = fitted.coef_[0], float(fitted.intercept_[0])
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Log-odds of churn, shape (rows,)."""
        return np.asarray(self._terms(self._checked(X)) @ self.coef_ + self.intercept_)

    def contributions(self, X: Any) -> np.ndarray:
        """Share of each column in the log-odds, shape (rows, columns), zero for unused ones."""
        X = self._checked(X)
        weighted = self._terms(X) * self.coef_
        used = len(self.mean_)
        told = np.zeros(X.shape)
        told[:, self._chosen()] = weighted[:, :used] + weighted[:, used:]
        return told

    def _chosen(self) -> list[int]:
        return list(range(self.n_features_in_) if self.columns is None else self.columns)

    def _standardise_by(self, logs: np.ndarray, rows: np.ndarray) -> None:
        weight = rows[:, None] * ~np.isnan(logs)
        total = weight.sum(axis=0)
        total[total == 0] = 1.0
        self.mean_ = (weight * np.nan_to_num(logs)).sum(axis=0) / total
        spread = weight * np.nan_to_num(logs - self.mean_) ** 2
        self.scale_ = np.sqrt(spread.sum(axis=0) / total)
        self.scale_[self.scale_ == 0] = 1.0

    def _log_scaled(self, X: np.ndarray) -> np.ndarray:
        chosen = X[:, self._chosen()]
        return np.asarray(np.sign(chosen) * np.log1p(np.abs(chosen)))

    def _terms(self, X: np.ndarray) -> np.ndarray:
        standard = (self._log_scaled(X) - self.mean_) / self.scale_
        missing = np.isnan(standard)
        return np.hstack([np.where(missing, 0.0, standard), missing.astype(float)])
