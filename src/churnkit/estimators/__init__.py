"""Models of churn: gradient-boosted trees, the plain rules they must beat, and their blend.

All are scikit-learn classifiers over a float matrix in which NaN means missing. Class 1 is
churn. None uses class weights: the lights need probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from churnkit.estimators.base import BinaryClassifier, sigmoid
from churnkit.estimators.blend import Blend
from churnkit.estimators.btyd import BgNbd
from churnkit.estimators.calibrated import Calibrated, folds_of
from churnkit.estimators.hazard import Hazard
from churnkit.estimators.logistic import PlainRule
from churnkit.estimators.spend import GammaGamma, SpendModel, SpendTrees, restored_spend
from churnkit.estimators.trees import ChurnClassifier

__all__ = [
    "KINDS",
    "BgNbd",
    "BinaryClassifier",
    "Blend",
    "Calibrated",
    "ChurnClassifier",
    "GammaGamma",
    "Hazard",
    "PlainRule",
    "SpendModel",
    "SpendTrees",
    "folds_of",
    "restored",
    "restored_spend",
    "sigmoid",
]

KINDS: dict[str, type[BinaryClassifier]] = {
    kind.__name__: kind for kind in (ChurnClassifier, PlainRule, BgNbd, Hazard, Blend, Calibrated)
}
"""Every kind of estimator by its class name, as `BinaryClassifier.told` has it."""
_DEEPEST = 4  # the numbers of all levels are multiplied


def restored(told: Mapping[str, Any], boosters: Sequence[Any]) -> BinaryClassifier:
    """A fitted estimator from what `BinaryClassifier.told` and `BinaryClassifier.boosters` gave.

    Raises
    ------
    KeyError, TypeError, ValueError
        If they do not make one.
    """
    if _levels(told) > _DEEPEST:
        raise ValueError(f"estimators lie more than {_DEEPEST} deep in one another")
    if len(boosters) != told["boosters"]:
        raise ValueError(f"{len(boosters)} boosters where {told['boosters']!r} are told of")
    return KINDS[told["kind"]].restored(told["parameters"], told["state"], boosters)


def _levels(told: Mapping[str, Any]) -> int:
    state = told["state"]
    inside = [*state.get("members", ()), *(state[k] for k in ("estimator",) if k in state)]
    return 1 + max(map(_levels, inside), default=0)
