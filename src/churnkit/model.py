"""`ChurnModel`, which scores customers, and the ladder of models from plain to rich."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from churnkit.clock import Cutoff
from churnkit.dataset import Dataset
from churnkit.errors import DataError
from churnkit.estimators import ChurnClassifier, PlainRule, sigmoid
from churnkit.features import FeatureColumn, Features, FeatureSpec
from churnkit.labels import Question

Estimator = ChurnClassifier | PlainRule

_SIGNS = {"up": 1, "down": -1, "": 0}
_WINDOWED = re.compile(r"(\w+)_(\d+)d")


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    Attributes
    ----------
    name, says
        Name in tables, and what the model looks at.
    columns
        Log of the question → feature names; ``None`` for a model that takes them all.
    """

    name: str
    says: str
    columns: dict[str, tuple[str, ...]] | None = None

    def names_in(self, features: Features, question: Question) -> tuple[str, ...]:
        """The feature names it looks at, as far as the table has them.

        Where the table has other windows, the nearest one stands in.
        """
        if self.columns is None:
            return features.names
        found = _nearest(self.columns.get(question.log, ()), features)
        return tuple(dict.fromkeys(found))

    def exists_for(self, features: Features, question: Question) -> bool:
        """Whether the table holds anything for it to look at; the base rate needs nothing."""
        return self.columns == {} or bool(self.names_in(features, question))

    def estimator(
        self, features: Features, question: Question, *, monotone: bool = False
    ) -> Estimator:
        """A fresh estimator of this rung for a feature table."""
        if self.columns is None:
            return ChurnClassifier(monotone=_signs(features.spec) if monotone else None)
        chosen = self.names_in(features, question)
        return PlainRule([features.names.index(name) for name in chosen])


def _nearest(names: Sequence[str], features: Features) -> Iterator[str]:
    columns = [c for c in features.spec.columns() if c.name in features.names]
    for name in names:
        if name in features.names:
            yield name
        elif windowed := _WINDOWED.fullmatch(name):
            others = [c for c in columns if c.feature.name == windowed[1] and c.window is not None]
            if others:
                yield _closest(others, int(windowed[2])).name


def _closest(columns: Sequence[FeatureColumn], days: int) -> FeatureColumn:
    return min(columns, key=lambda c: abs((c.window or 0) - days))


def _signs(spec: FeatureSpec) -> list[int]:
    """The declared direction of each column: 1 up, -1 down, 0 neither."""
    return [_SIGNS[column.feature.direction] for column in spec.columns()]


LADDER: tuple[Rung, ...] = (
    Rung("base_rate", "the share of churners, the same for everyone", {}),
    Rung(
        "recency",
        "days since the last sign of life alone",
        {"purchases": ("recency",), "activity": ("days_since_activity",)},
    ),
    Rung(
        "overdue",
        "recency over the customer's own mean interval",
        {"purchases": ("overdue_mean_ratio",), "activity": ("activity_overdue_ratio",)},
    ),
    Rung(
        "rfm_logistic",
        "logistic regression on recency, frequency, monetary value and tenure",
        {
            "purchases": (
                "recency",
                "purchases_count_90d",
                "purchases_count_365d",
                "purchases_count_all",
                "spend_sum_365d",
                "spend_sum_all",
                "tenure",
            ),
            "activity": (
                "days_since_activity",
                "activity_count_90d",
                "activity_count_365d",
                "activity_count_all",
                "activity_tenure",
            ),
        },
    ),
    Rung("lightgbm", "small gradient-boosted trees on all features"),
)
"""From plain to rich: the order in which ties are decided."""

PLAIN_RULES = tuple(rung.name for rung in LADDER if rung.columns is not None)


def ladder_for(dataset: Dataset, question: Question) -> tuple[Rung, ...]:
    """The rungs that the features of a dataset can feed."""
    return tuple(rung for rung in LADDER if rung.exists_for(dataset.features, question))


@dataclass(frozen=True)
class ChurnModel:
    """A fitted model with everything needed to score: its features, and what it was asked.

    Attributes
    ----------
    rung
        Name of its step on the ladder.
    estimator
        The fitted classifier.
    names
        Feature names in the order of the estimator's columns.
    spec
        How the features are built.
    question
        What churn means.
    trained_on
        Training cutoffs, as text.
    version
        Version in the registry, or where it was loaded from.
    """

    rung: str
    estimator: Estimator
    names: tuple[str, ...]
    spec: FeatureSpec
    question: Question
    trained_on: tuple[str, ...] = ()
    version: str = "unregistered"

    def churn_probability(self, features: Features) -> np.ndarray:
        """Probability of churn for each row, shape (rows,), in [0, 1].

        Raises
        ------
        DataError
            If the table lacks features the model was trained on.
        """
        if not len(features):
            return np.empty(0)
        return sigmoid(self.estimator.decision_function(self._matrix(features)))

    def contributions(self, features: Features) -> np.ndarray:
        """What each feature adds to the log-odds of each row, shape (rows, len(names))."""
        if not len(features):
            return np.empty((0, len(self.names)))
        return self.estimator.contributions(self._matrix(features))

    def called(self, version: str) -> ChurnModel:
        """The same model under a version name."""
        return replace(self, version=version)

    def _matrix(self, features: Features) -> np.ndarray:
        missing = [name for name in self.names if name not in features.names]
        if missing:
            raise DataError(
                f"the features lack {len(missing)} columns of the model: {', '.join(missing[:5])}",
                "Build them with the specification of the model (model.spec).",
            )
        return features.matrix(self.names)


def fit(rung: Rung, dataset: Dataset, question: Question, *, monotone: bool = False) -> ChurnModel:
    """Fit one rung of the ladder on a dataset that holds churners and stayers.

    Trees follow the declared directions of the features if ``monotone`` is set.
    """
    features = dataset.features
    estimator = rung.estimator(features, question, monotone=monotone)
    estimator.fit(features.values, dataset.churned)
    cutoffs = [Cutoff(int(us), features.zone) for us in np.unique(features.cutoff)]
    return ChurnModel(
        rung.name, estimator, features.names, features.spec, question, _as_text(cutoffs)
    )


def _as_text(cutoffs: Sequence[Cutoff]) -> tuple[str, ...]:
    return tuple(str(c) for c in cutoffs)
