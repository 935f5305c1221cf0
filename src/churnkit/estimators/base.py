"""What all estimators of churn share: targets, probabilities from log-odds, their way to disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

FLOATS = (np.float64, np.float32)
"""The types of a matrix that is taken as it comes; any other becomes float64."""
_ROWS_AT_A_TIME = 16_384
_LARGEST = 1e30  # no fit gives more, and what is made of such numbers is still finite


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """Probability of given log-odds, shape kept."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * log_odds)))


def require_fitted(sound: Any, otherwise: str) -> None:
    """ValueError, if what was fitted is not sound."""
    if not sound:
        raise ValueError(otherwise)


def steady_product(matrix: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """``matrix @ weights``, of which each row is the same to the last bit whatever is beside it.

    A library for linear algebra cuts a matrix into tiles by its size, and so rounds otherwise.
    Here the columns are added one after the other.
    """
    total = np.zeros(len(matrix))
    for k in np.flatnonzero(weights):
        total += matrix[:, k] * weights[k]
    return total


# scikit-learn tells no types, nor can what is derived from it.
class BinaryClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """What all estimators share: targets, probabilities from log-odds, missing values.

    Class 1 is churn; the matrix may hold NaN, which means missing. A subclass fits
    (``_checked_to_fit`` looks at what it is given), gives log-odds and contributions, and names in
    ``_fitted`` the numbers and arrays that fitting found.
    """

    classes_: np.ndarray
    n_features_in_: int
    columns_added: ClassVar[int] = 0
    """Columns that its boosters know beside those of X."""
    _fitted: ClassVar[tuple[str, ...]] = ()

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

    def contributions(self, X: Any) -> np.ndarray:
        """Share of each column in the log-odds, shape (rows, columns)."""
        raise NotImplementedError

    def path_contributions(self, X: Any) -> np.ndarray:
        """What `contributions` gives, approximately where boosters would make it slow."""
        return self.contributions(X)

    def explained(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """What `decision_function` and `path_contributions` give, to the last bit."""
        return self.decision_function(X), self.path_contributions(X)

    def on_threads(self, threads: int) -> Self:
        """The same fitted estimator, predicting with so many threads; it shares what it learnt."""
        same = copy(self)
        if hasattr(same, "threads"):
            same.threads = threads
        for name, part in vars(self).items():
            if isinstance(part, BinaryClassifier):
                setattr(same, name, part.on_threads(threads))
            elif isinstance(part, list) and part and isinstance(part[0], BinaryClassifier):
                setattr(same, name, [member.on_threads(threads) for member in part])
        return same

    def told(self) -> dict[str, Any]:
        """Kind, parameters, state and number of boosters, JSON-ready: all but the boosters.

        `churnkit.estimators.restored` makes the estimator of it again.
        """
        return {
            "kind": type(self).__name__,
            "parameters": self.parameters(),
            "state": self.state(),
            "boosters": len(self.boosters()),
        }

    def recipe(self) -> dict[str, Any]:
        """Kind and parameters, with those of the estimators inside, JSON-ready.

        Two fitted estimators with the same recipe differ by what they were fitted on only.
        """
        return {"kind": type(self).__name__, **self.parameters()}

    def parameters(self) -> dict[str, Any]:
        """What it was made with, JSON-ready."""
        told = self.get_params(deep=False)
        return {k: v.tolist() if hasattr(v, "tolist") else v for k, v in told.items()}

    def state(self) -> dict[str, Any]:
        """What fitting found, JSON-ready; boosters aside."""
        found = {name: np.asarray(getattr(self, name)).tolist() for name in self._fitted}
        return {"classes": self.classes_.tolist(), "columns": self.n_features_in_, **found}

    def boosters(self) -> list[Any]:
        """The fitted LightGBM boosters; none but for trees."""
        return []

    @classmethod
    def restored(
        cls, parameters: Mapping[str, Any], state: Mapping[str, Any], boosters: Sequence[Any]
    ) -> Self:
        """A fitted estimator from what `parameters`, `state` and `boosters` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            If they do not make one.
        """
        if boosters:
            raise ValueError(f"{len(boosters)} boosters for {cls.__name__}, which has none")
        estimator = cls(**parameters)
        estimator.classes_ = np.array(state["classes"])
        estimator.n_features_in_ = int(state["columns"])
        for name in cls._fitted:
            value = np.asarray(state[name], dtype=np.float64)
            setattr(estimator, name, value if value.ndim else float(value))
        estimator._check_restored()
        return estimator

    def _check_restored(self) -> None:
        """Refuse what no fit gives; a subclass adds what it knows. ValueError tells what is odd."""
        for name in self._fitted:
            found = np.abs(getattr(self, name))
            require_fitted((found <= _LARGEST).all(), f"{name} is not finite, or far too large")
        require_fitted(self.classes_.shape == (2,), "there are not two classes")

    def _checked(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        checked = validate_data(self, X, reset=False, dtype=FLOATS, ensure_all_finite=False)
        return _finite(checked)

    def _checked_to_fit(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """The matrix as float32 if it came so, else float64; 1 for churn; weights if there are."""
        X, y = validate_data(self, X, y, dtype=FLOATS, ensure_all_finite=False)
        check_classification_targets(y)
        if type_of_target(y) != "binary":
            raise ValueError(
                f"Only binary classification is supported. The type of the target is "
                f"{type_of_target(y)}."
            )
        self.classes_, target = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"the target holds one class only: {self.classes_.tolist()[0]!r}")
        if sample_weight is None:
            return _finite(X), target, None
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        self._check_weighed(target, weight)
        return _finite(X), target, weight

    def _check_weighed(self, target: np.ndarray, weight: np.ndarray) -> None:
        for label, total in zip(self.classes_.tolist(), np.bincount(target, weight), strict=True):
            if not total:
                raise ValueError(f"no row of the class {label!r} has a weight above zero")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags


def _finite(X: np.ndarray) -> np.ndarray:
    """The matrix, unless it holds infinity: looked at in parts, since it may fill the memory."""
    for start in range(0, len(X), _ROWS_AT_A_TIME):
        infinite = np.isinf(X[start : start + _ROWS_AT_A_TIME]).any(axis=0)
        if infinite.any():
            columns = ", ".join(map(str, np.flatnonzero(infinite)[:5]))
            raise ValueError(
                f"X holds infinity in column {columns}; missing values are NaN, all others finite"
            )
    return X
