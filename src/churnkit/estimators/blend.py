"""`Blend`: several estimators as one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Self

import numpy as np
from sklearn.base import clone

from churnkit.estimators.base import BinaryClassifier


class Blend(BinaryClassifier):
    """Several estimators, each fitted on the same rows: the weighted mean of their log-odds.

    Parameters
    ----------
    members
        The estimators; they stay as they are, clones are fitted.
    weights
        How much each counts, zero or more; only their proportions matter.

    Attributes
    ----------
    members_
        The fitted members.
    weights_
        The weights, adding up to 1, shape (members,).
    classes_, n_features_in_
        The two labels, the second being churn; number of columns.
    """

    _fitted = ("weights_",)

    def __init__(self, members: Sequence[BinaryClassifier], weights: Sequence[float]) -> None:
        self.members = members
        self.weights = weights

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Blend:
        """Fit every member on X of shape (rows, columns) and a binary y of shape (rows,).

        Raises
        ------
        ValueError
            If a member refuses the data, or the weights are not one number ≥ 0 for each member,
            at least one above zero.
        """
        X, target, weight = self._checked_to_fit(X, y, sample_weight)
        self.weights_ = _shares(self.weights, len(self.members))
        self.members_ = [clone(member).fit(X, target, weight) for member in self.members]
        return self

    @classmethod
    def of(cls, members: Sequence[BinaryClassifier], weights: Sequence[float]) -> Self:
        """The blend of members that are fitted already, all on the same rows."""
        blend = cls([clone(member) for member in members], weights)
        blend.weights_ = _shares(weights, len(members))
        blend.members_ = list(members)
        blend.classes_, blend.n_features_in_ = members[0].classes_, members[0].n_features_in_
        return blend

    def decision_function(self, X: Any) -> np.ndarray:
        """Log-odds of churn, shape (rows,): the weighted mean of the members."""
        return self._mean("decision_function", self._checked(X))

    def contributions(self, X: Any) -> np.ndarray:
        """Share of each column in the log-odds, shape (rows, columns): the weighted mean."""
        return self._mean("contributions", self._checked(X))

    def path_contributions(self, X: Any) -> np.ndarray:
        """Approximate contributions, shape (rows, columns): the weighted mean."""
        return self._mean("path_contributions", self._checked(X))

    def explained(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Log-odds and approximate contributions: the weighted means of the members."""
        X = self._checked(X)
        told = [member.explained(X) for member in self.members_]
        log_odds, shares = zip(*told, strict=True)
        return self._weighed(log_odds), self._weighed(shares)

    def recipe(self) -> dict[str, Any]:
        """Kind and weights, and the recipes of the members."""
        return {**super().recipe(), "members": [member.recipe() for member in self.members_]}

    def parameters(self) -> dict[str, Any]:
        """The weights; the members tell of themselves in the state."""
        return {"weights": np.asarray(self.weights).tolist()}

    def state(self) -> dict[str, Any]:
        """What fitting found, JSON-ready, with all that the members tell."""
        return {**super().state(), "members": [member.told() for member in self.members_]}

    def boosters(self) -> list[Any]:
        """The boosters of all members, in their order."""
        return [booster for member in self.members_ for booster in member.boosters()]

    @classmethod
    def restored(
        cls, parameters: Mapping[str, Any], state: Mapping[str, Any], boosters: Sequence[Any]
    ) -> Self:
        """The blend from what `parameters`, `state` and `boosters` gave."""
        from churnkit.estimators import restored  # the package knows all kinds, Blend among them

        told, left = state["members"], iter(boosters)
        members = [restored(member, list(islice(left, member["boosters"]))) for member in told]
        if len(list(left)):
            raise ValueError("there are boosters that no member of the blend tells of")
        unfitted = [clone(member) for member in members]
        estimator = super().restored({**parameters, "members": unfitted}, state, ())
        estimator.weights_ = _shares(estimator.weights_.tolist(), len(members))
        estimator.members_ = members
        return estimator

    def _mean(self, told: str, X: np.ndarray) -> np.ndarray:
        parts = (getattr(member, told)(X) for member in self.members_)
        return self._weighed(parts)

    def _weighed(self, parts: Iterable[np.ndarray]) -> np.ndarray:
        return np.asarray(sum(w * part for w, part in zip(self.weights_, parts, strict=True)))


def _shares(weights: Sequence[float], members: int) -> np.ndarray:
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != (members,) or not (shares >= 0).all() or not 0 < shares.sum() < np.inf:
        raise ValueError(
            f"a blend of {members} members needs as many weights ≥ 0, one of them above zero, "
            f"and has {list(weights)}"
        )
    return np.asarray(shares / shares.sum())
