"""`PlainRule`: logistic regression on a few columns on the log scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from churnkit.estimators.base import BinaryClassifier, require_fitted, steady_product
from churnkit.estimators.order import canonical_order

_NO_SPREAD = 1e-9
_LEAST_SCALE = 1e-30


class PlainRule(BinaryClassifier):
    """Logistic regression on a few columns on the log scale.

    Each column x becomes sign(x) log(1 + |x|), standardised, with an indicator where it is
    missing. The order of the rows makes no difference, nor does a row of weight zero.

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

    _fitted = ("mean_", "scale_", "coef_", "intercept_")

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
        chosen = self._chosen(X)
        order = canonical_order(chosen, target, weight)
        rows = np.ones(len(order)) if weight is None else weight[order]
        logs, target = _log_scaled(chosen[order]), target[order]
        self._standardise_by(logs, rows)
        if not len(self.mean_):
            rate = np.average(target, weights=rows)
            self.coef_, self.intercept_ = np.zeros(0), float(np.log(rate / (1 - rate)))
            return self
        standard, missing = self._terms(logs)
        # Of a column that never changes, and of an indicator that is never set, nothing is learnt.
        told = np.concatenate([standard.any(axis=0), missing.any(axis=0)])
        some, gaps = np.split(told, 2)
        # Newton's steps need a tenth of the time of the usual solver: columns are few, rows many.
        solver = LogisticRegression(solver="newton-cholesky", max_iter=1000)
        fitted = solver.fit(np.hstack([standard[:, some], missing[:, gaps]]), target, rows)
        self.coef_ = np.zeros(len(told))
        self.coef_[told], self.intercept_ = fitted.coef_[0], float(fitted.intercept_[0])
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Log-odds of churn, shape (rows,)."""
        return self._log_odds(*self._terms(_log_scaled(self._chosen(self._checked(X)))))

    def explained(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Log-odds and contributions, of which the terms are made once."""
        X = self._checked(X)
        terms = self._terms(_log_scaled(self._chosen(X)))
        return self._log_odds(*terms), self._shares(X.shape, *terms)

    def _log_odds(self, standard: np.ndarray, missing: np.ndarray) -> np.ndarray:
        weights, if_missing = np.split(self.coef_, 2)
        known, unknown = steady_product(standard, weights), steady_product(missing, if_missing)
        return np.asarray(known + unknown + self.intercept_)

    def contributions(self, X: Any) -> np.ndarray:
        """Share of each column in the log-odds, shape (rows, columns), zero for unused ones."""
        X = self._checked(X)
        return self._shares(X.shape, *self._terms(_log_scaled(self._chosen(X))))

    def _shares(
        self, shape: tuple[int, ...], standard: np.ndarray, missing: np.ndarray
    ) -> np.ndarray:
        weights, if_missing = np.split(self.coef_, 2)
        told = np.zeros(shape)
        told[:, self._positions()] = standard * weights + missing * if_missing
        return told

    def _check_restored(self) -> None:
        super()._check_restored()
        chosen, columns = self._positions(), range(self.n_features_in_)
        require_fitted(all(type(k) is int and k in columns for k in chosen), "columns not there")
        found = [np.shape(getattr(self, name)) for name in self._fitted]
        one_each = (len(chosen),)
        shapes = [one_each, one_each, (2 * len(chosen),), ()]
        require_fitted(found == shapes, f"shapes {found} where {shapes} are needed")
        require_fitted((np.asarray(self.scale_) >= _LEAST_SCALE).all(), "a scale is no spread")

    def _positions(self) -> list[int]:
        return list(range(self.n_features_in_) if self.columns is None else self.columns)

    def _chosen(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(X[:, self._positions()], dtype=np.float64)

    def _standardise_by(self, logs: np.ndarray, rows: np.ndarray) -> None:
        weight = rows[:, None] * ~np.isnan(logs)
        total = weight.sum(axis=0)
        total[total == 0] = 1.0
        self.mean_ = (weight * np.nan_to_num(logs)).sum(axis=0) / total
        spread = weight * np.nan_to_num(logs - self.mean_) ** 2
        self.scale_ = np.sqrt(spread.sum(axis=0) / total)
        # Rounding gives a constant a tiny spread, over which another value would weigh anything.
        self.scale_[self.scale_ <= _NO_SPREAD * np.abs(self.mean_)] = 1.0

    def _terms(self, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Standardised columns, zero where missing; and whether they are missing."""
        standard = (logs - self.mean_) / self.scale_
        missing = np.isnan(standard)
        standard[missing] = 0.0
        return standard, missing


def _log_scaled(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.copysign(np.log1p(np.abs(values)), values))
