"""`Calibrated`: another estimator, its log-odds stretched and shifted so that they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils import check_consistent_length

from churnkit.estimators.base import BinaryClassifier, require_fitted

_NO_PENALTY = 1e9


class Calibrated(BinaryClassifier):
    """Another estimator with Platt scaling: its log-odds times a slope, plus a shift.

    Slope and shift are learnt by logistic regression from the log-odds of groups that were left
    out of the fit, so that they tell how far the estimator trusts itself too much.

    Parameters
    ----------
    estimator
        What is calibrated; it stays as it is, a clone is fitted.
    folds
        The groups are left out in so many parts.

    Attributes
    ----------
    estimator_
        The estimator, fitted on all rows.
    slope_, shift_
        1 and 0 where a part or what is left of it would hold one class only.
    classes_, n_features_in_
        The two labels, the second being churn; number of columns.

    References
    ----------
    Platt (1999), Probabilistic Outputs for Support Vector Machines and Comparisons to Regularized
    Likelihood Methods, Advances in Large Margin Classifiers.
    """

    _fitted = ("slope_", "shift_")

    def __init__(self, estimator: BinaryClassifier, folds: int = 3) -> None:
        self.estimator = estimator
        self.folds = folds

    def fit(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> Calibrated:
        """Fit on X of shape (rows, columns) and a binary y of shape (rows,).

        Parameters
        ----------
        X, y, sample_weight
            As the estimator takes them.
        groups
            Shape (rows,): rows of one group, such as a customer, are left out together; by
            default each row is one.

        Raises
        ------
        ValueError
            If the estimator refuses the data, or there are not as many groups as rows.
        """
        X, target, weight = self._checked_to_fit(X, y, sample_weight)
        fold = folds_of(np.arange(len(X)) if groups is None else groups, self.folds)
        check_consistent_length(X, fold)
        self.slope_, self.shift_ = self._scaling(X, target, weight, fold)
        self.estimator_ = clone(self.estimator).fit(X, target, weight)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Log-odds of churn, shape (rows,)."""
        X = self._checked(X)
        return np.asarray(self.slope_ * self.estimator_.decision_function(X) + self.shift_)

    def contributions(self, X: Any) -> np.ndarray:
        """Share of each column in the log-odds, shape (rows, columns): stretched alike."""
        X = self._checked(X)
        return np.asarray(self.slope_ * self.estimator_.contributions(X))

    def path_contributions(self, X: Any) -> np.ndarray:
        """Approximate contributions, shape (rows, columns): stretched alike."""
        X = self._checked(X)
        return np.asarray(self.slope_ * self.estimator_.path_contributions(X))

    def explained(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Log-odds and approximate contributions, both stretched."""
        log_odds, shares = self.estimator_.explained(self._checked(X))
        return np.asarray(self.slope_ * log_odds + self.shift_), np.asarray(self.slope_ * shares)

    def recipe(self) -> dict[str, Any]:
        """Kind and folds, and the recipe of the estimator."""
        return {**super().recipe(), "estimator": self.estimator_.recipe()}

    def parameters(self) -> dict[str, Any]:
        """The folds; the estimator tells of itself in the state."""
        return {"folds": self.folds}

    def state(self) -> dict[str, Any]:
        """What fitting found, JSON-ready, with all that the estimator tells."""
        return {**super().state(), "estimator": self.estimator_.told()}

    def boosters(self) -> list[Any]:
        """The boosters of the estimator."""
        return self.estimator_.boosters()

    @classmethod
    def restored(
        cls, parameters: Mapping[str, Any], state: Mapping[str, Any], boosters: Sequence[Any]
    ) -> Self:
        """The estimator from what `parameters`, `state` and `boosters` gave."""
        from churnkit.estimators import restored  # the package knows all kinds, this among them

        inner = restored(state["estimator"], boosters)
        calibrated = super().restored({**parameters, "estimator": clone(inner)}, state, ())
        calibrated.estimator_ = inner
        return calibrated

    def _check_restored(self) -> None:
        super()._check_restored()
        shapes = np.shape(self.slope_), np.shape(self.shift_)
        require_fitted(shapes == ((), ()), "slope and shift are one number each")

    def _scaling(
        self, X: np.ndarray, target: np.ndarray, weight: np.ndarray | None, fold: np.ndarray
    ) -> tuple[float, float]:
        left_out = np.empty(len(X))
        for k in range(self.folds):
            out = fold == k
            if len(np.unique(target[~out])) < 2 or not out.any():
                return 1.0, 0.0
            rest = None if weight is None else weight[~out]
            fitted = clone(self.estimator).fit(X[~out], target[~out], rest)
            left_out[out] = fitted.decision_function(X[out])
        # In an order of their own, since sums are rounded by the order of the rows.
        order = np.lexsort((np.ones(len(X)) if weight is None else weight, target, left_out))
        rows = None if weight is None else weight[order]
        found = LogisticRegression(C=_NO_PENALTY).fit(left_out[order, None], target[order], rows)
        return float(found.coef_[0, 0]), float(found.intercept_[0])


def folds_of(groups: Any, folds: int) -> np.ndarray:
    """A part from 0 to ``folds`` − 1 for each row; all rows of a group lie in one."""
    names, group = np.unique(groups, return_inverse=True)
    return np.asarray((np.random.default_rng(0).permutation(len(names)) % folds)[group])
