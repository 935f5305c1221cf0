"""`Hazard`: when the next sign of life comes, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import fsum
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted, validate_data

from churnkit.estimators.base import (
    FLOATS,
    BinaryClassifier,
    require_fitted,
    sigmoid,
    steady_product,
)
from churnkit.estimators.trees import ChurnClassifier

_LEAST_RISK = 1e-12
_MOST_STEPS, _LONGEST = 1000, 36_500


class Hazard(BinaryClassifier):
    """Discrete-time hazard: the chance that the silence ends in each step of the horizon.

    A row becomes one row for each step until the silence ends, with the number of the step as one
    more column, and trees learn whether it ends there (Singer and Willett 1993). The chance of
    silence until the end of a step is the product of the chances that it did not end before, so
    one model answers for every horizon up to the longest.

    Parameters
    ----------
    step_days
        Length of a step; the last one is shorter where the horizon is no whole number of steps.
    horizon_days
        The longest time ahead it can be asked for, which is what `predict_proba` tells of.
    trees
        How the trees are made; ``None`` is `ChurnClassifier` with its defaults. A clone is fitted.

    Attributes
    ----------
    trees_
        The fitted trees, whose last column is the number of the step.
    base_
        Mean log-odds of silence over the training rows.
    classes_, n_features_in_
        False and True, which stands for churn; number of columns of X.

    References
    ----------
    Singer and Willett (1993), It's About Time: Using Discrete-Time Survival Analysis to Study
    Duration and the Timing of Events, Journal of Educational Statistics 18(2).
    """

    columns_added = 1  # the step
    _fitted = ("base_",)

    def __init__(
        self, step_days: int = 30, horizon_days: int = 90, trees: ChurnClassifier | None = None
    ) -> None:
        self.step_days = step_days
        self.horizon_days = horizon_days
        self.trees = trees

    def fit(self, X: Any, days: Any, sample_weight: Any = None) -> Self:
        """Fit on X of shape (rows, columns) and the days until the first sign of life.

        Parameters
        ----------
        X
            What is known at the cutoff, NaN where missing.
        days
            Shape (rows,), from 0 on; of those at the horizon or later, infinity among them, only
            that they are so late is used.
        sample_weight
            Shape (rows,).

        Raises
        ------
        ValueError
            If X holds infinite values, a number of days is missing or negative, a length is not
            positive, or all or none of the customers give a sign of life at once.
        """
        X = validate_data(self, X, dtype=FLOATS, ensure_all_finite="allow-nan")
        until = np.asarray(days, dtype=np.float64)
        self._check(X, until)
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        edges = self._edges()
        step, row = np.nonzero(until >= edges[:-1, None])
        ends = until[row] < edges[step + 1]
        self.classes_ = np.array([False, True])
        self.trees_ = clone(self.trees or ChurnClassifier())
        self.trees_.fit(
            np.column_stack([X[row], step.astype(X.dtype)]),
            ends,
            None if weight is None else weight[row],
        )
        self.base_ = 0.0
        each, log_odds = np.ones(len(X)) if weight is None else weight, self.decision_function(X)
        self.base_ = fsum(each * log_odds) / fsum(each)  # exact, whatever the order of the rows
        return self

    def predict_survival(self, X: Any, days: float) -> np.ndarray:
        """Chance of no sign of life in so many days, shape (rows,).

        Within a step the hazard is taken as constant.

        Raises
        ------
        ValueError
            If ``days`` is negative or longer than the horizon.
        """
        if not 0 <= days <= self.horizon_days:
            raise ValueError(
                f"asked for {days} days; it knows of 0 to {self.horizon_days}, its horizon"
            )
        edges = self._edges()
        over = np.clip((days - edges[:-1]) / np.diff(edges), 0, 1)
        log_odds = self._log_odds_of_ends(self._checked(X))
        return np.asarray(np.exp(-steady_product(np.logaddexp(0, log_odds).T, over)))

    def decision_function(self, X: Any) -> np.ndarray:
        """Log-odds of no sign of life in the horizon, shape (rows,)."""
        return _log_odds_of_silence(self._log_odds_of_ends(self._checked(X)))

    def contributions(self, X: Any) -> np.ndarray:
        """Share of each column in the log-odds, shape (rows, columns).

        SHAP values of the steps, weighted by how much each step matters for the whole half-way
        between the mean customer and this one. What that leaves of the log-odds less their mean
        over the training rows, above all the part of the step itself, is spread over the columns
        in proportion to their shares, so that they add up to it.
        """
        return self._shares("contributions", X)

    def path_contributions(self, X: Any) -> np.ndarray:
        """What `contributions` gives, from path attributions of the steps."""
        return self._shares("path_contributions", X)

    def recipe(self) -> dict[str, Any]:
        """Kind and lengths, and the recipe of the trees."""
        return {**super().recipe(), "trees": self.trees_.recipe()}

    def parameters(self) -> dict[str, Any]:
        """The lengths; the trees tell of themselves in the state."""
        return {"step_days": self.step_days, "horizon_days": self.horizon_days}

    def state(self) -> dict[str, Any]:
        """What fitting found, JSON-ready, with all that the trees tell."""
        return {**super().state(), "trees": self.trees_.told()}

    def boosters(self) -> list[Any]:
        """The boosters of the trees."""
        return self.trees_.boosters()

    @classmethod
    def restored(
        cls, parameters: Mapping[str, Any], state: Mapping[str, Any], boosters: Sequence[Any]
    ) -> Self:
        """The model from what `parameters`, `state` and `boosters` gave."""
        for name in ("step_days", "horizon_days"):
            if type(parameters[name]) is not int or not 1 <= parameters[name] <= _LONGEST:
                raise ValueError(f"{name} is {parameters[name]!r}, no number of days")
        if parameters["horizon_days"] > _MOST_STEPS * parameters["step_days"]:
            raise ValueError(f"it has more than {_MOST_STEPS} steps")
        told = state["trees"]
        trees = ChurnClassifier.restored(told["parameters"], told["state"], boosters)
        estimator = super().restored({**parameters, "trees": clone(trees)}, state, ())
        estimator.trees_ = trees
        return estimator

    def _check_restored(self) -> None:
        super()._check_restored()
        require_fitted(np.shape(self.base_) == (), "the base is one number")

    def _edges(self) -> np.ndarray:
        """Where the steps begin, in days, and the end of the last one."""
        begins = np.arange(0, self.horizon_days, self.step_days, dtype=np.float64)
        return np.append(begins, self.horizon_days)

    def _check(self, X: np.ndarray, until: np.ndarray) -> None:
        for name in ("step_days", "horizon_days"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; at least one day is needed")
        if until.shape != (len(X),):
            raise ValueError(f"days has shape {until.shape} for {len(X)} rows")
        if not (until >= 0).all():
            raise ValueError(f"days holds {until[~(until >= 0)][0]}; it counts from 0 on")

    def _steps(self, X: np.ndarray) -> Iterator[np.ndarray]:
        """The table as the trees know it at each step."""
        for step in range(len(self._edges()) - 1):
            yield np.column_stack([X, np.full(len(X), step, dtype=X.dtype)])

    def _log_odds_of_ends(self, X: np.ndarray) -> np.ndarray:
        """Log-odds that the silence ends in each step, given that it lasted, (steps, rows)."""
        check_is_fitted(self)
        return np.stack([self.trees_.decision_function(known) for known in self._steps(X)])

    def _shares(self, told: str, X: Any) -> np.ndarray:
        X = self._checked(X)
        ends = self._log_odds_of_ends(X)
        parts = np.stack([getattr(self.trees_, told)(known) for known in self._steps(X)])
        half_way = ends - parts.sum(axis=2) / 2
        silence = np.exp(-np.logaddexp(0, half_way).sum(axis=0))
        slope = -sigmoid(half_way) / np.maximum(1 - silence, _LEAST_RISK)
        shares = sum(s[:, None] * part[:, :-1] for s, part in zip(slope, parts, strict=True))
        left = _log_odds_of_silence(ends) - self.base_ - shares.sum(axis=1)
        return np.asarray(shares + left[:, None] * _proportions(shares))


def _log_odds_of_silence(log_odds_of_ends: np.ndarray) -> np.ndarray:
    """From those of the silence ending in each step, shape (steps, rows)."""
    silence = np.minimum(-np.logaddexp(0, log_odds_of_ends).sum(axis=0), -_LEAST_RISK)
    return np.asarray(silence - np.log(-np.expm1(silence)))


def _proportions(shares: np.ndarray) -> np.ndarray:
    """How large each share of a row is, adding up to 1; all alike where all are nothing."""
    size = np.abs(shares)
    whole = size.sum(axis=1, keepdims=True)
    return np.where(whole > 0, size / np.where(whole > 0, whole, 1.0), 1.0 / shares.shape[1])
