"""`ChurnModel`, which scores customers, and the ladder of models from plain to rich."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Literal

import numpy as np
from sklearn.base import clone

from churnkit.clock import Cutoff, horizon_ends_by
from churnkit.dataset import CHURNERS, Dataset, Recipe
from churnkit.errors import ConfigError, DataError
from churnkit.estimators import (
    BgNbd,
    BinaryClassifier,
    Blend,
    Calibrated,
    ChurnClassifier,
    Hazard,
    PlainRule,
    SpendModel,
    sigmoid,
)
from churnkit.features import FeatureColumn, Features, FeatureSpec
from churnkit.labels import Question
from churnkit.notebook import names, panel

Estimator = BinaryClassifier
Kind = Literal["rule", "bgnbd", "trees", "hazard", "blend"]

HAZARD_STEPS = 3
"""So many parts of the horizon are told apart by the hazard."""

_WINDOWED = re.compile(r"(\w+)_(\d+)d")


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    Attributes
    ----------
    name, says
        Name in tables, and what the model looks at.
    kind
        What sort of model it is.
    columns
        Log of the question → feature names; ``None`` for a model that takes them all.
    members
        The rungs that a blend is made of.
    """

    name: str
    says: str
    kind: Kind = "rule"
    columns: Mapping[str, tuple[str, ...]] | None = None
    members: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether it is a rule that people could write down: it looks at a few columns."""
        return self.columns is not None

    def names_in(self, features: Features, question: Question) -> tuple[str, ...]:
        """The feature names it looks at, as far as the table has them.

        Where the table has other windows, the nearest one stands in.
        """
        if self.columns is None:
            return features.names
        found = _nearest(self.columns.get(question.log, ()), features)
        return tuple(dict.fromkeys(found))

    def exists_for(self, features: Features, question: Question) -> bool:
        """Whether the table holds what it looks at; the base rate needs nothing."""
        names = self.names_in(features, question)
        if self.kind == "bgnbd":  # it needs each of its columns, and asks of purchases only
            wanted = (self.columns or {}).get(question.log, ())
            return question.churn == "no_purchase" and names == wanted
        return self.columns == {} or bool(names)

    def estimator(self, features: Features, question: Question, recipe: Recipe) -> Estimator:
        """A fresh estimator of this rung, unless it is a blend, for a feature table."""
        chosen = self.names_in(features, question)
        positions = [features.names.index(name) for name in chosen]
        categorical = features.spec.categorical(features.names)
        match self.kind:
            case "bgnbd":
                return BgNbd(positions, question.horizon_days)
            case "trees":
                signs = _signs(features.spec) if recipe.monotone else None
                return ChurnClassifier(
                    **recipe.trees, monotone=signs, categorical=categorical or None
                )
            case "hazard":
                # It learns when the silence ends, which is the other way round; and the last
                # column, the step, has no direction.
                signs = [*(-s for s in _signs(features.spec)), 0] if recipe.monotone else None
                trees = ChurnClassifier(
                    **recipe.trees, monotone=signs, categorical=categorical or None
                )
                step_days = ceil(question.horizon_days / HAZARD_STEPS)
                return Hazard(step_days, question.horizon_days, trees)
            case _:
                # The codes of categories have no order that a weight could follow.
                return PlainRule([k for k in positions if k not in set(categorical)])


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
    return [column.feature.sign for column in spec.columns()]


LADDER: tuple[Rung, ...] = (
    Rung("base_rate", "the share of churners, the same for everyone", columns={}),
    Rung(
        "recency",
        "days since the last sign of life alone",
        columns={"purchases": ("recency",), "activity": ("days_since_activity",)},
    ),
    Rung(
        "overdue",
        "recency over the customer's own mean interval",
        columns={"purchases": ("overdue_mean_ratio",), "activity": ("activity_overdue_ratio",)},
    ),
    Rung(
        "rfm_logistic",
        "logistic regression on recency, frequency, monetary value and tenure",
        columns={
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
    Rung(
        "bgnbd",
        "BG/NBD: the chance of no purchase in the horizon, by count, span and tenure",
        "bgnbd",
        columns={"purchases": ("purchases_count_all", "active_span", "tenure")},
    ),
    Rung("logistic", "logistic regression on all features, on the log scale"),
    Rung("lightgbm", "small gradient-boosted trees on all features", "trees"),
    Rung("hazard", "trees on when the silence ends, part by part of the horizon", "hazard"),
    Rung(
        "blend",
        "the mean of lightgbm and logistic, on the log-odds scale",
        "blend",
        members=("logistic", "lightgbm"),
    ),
)
"""From plain to rich: the order in which ties are decided."""

PLAIN_RULES = tuple(rung.name for rung in LADDER if rung.plain)


def rung_named(name: str) -> Rung:
    """The rung of the ladder with a name."""
    return next(rung for rung in LADDER if rung.name == name)


def ladder_for(dataset: Dataset, question: Question, recipe: Recipe) -> tuple[Rung, ...]:
    """The rungs that the features of a dataset can feed; the hazard if it is asked for."""
    hazard = dataset.days is not None and recipe.asks_for_hazard
    there = (rung for rung in LADDER if rung.exists_for(dataset.features, question))
    return tuple(rung for rung in there if hazard or rung.kind != "hazard")


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
    spend
        What tells the spend of a customer who stays; ``None`` is last year's rate.
    middle
        Median of the known values of each column in training, NaN where none is known; reasons
        compare customers with it. ``None`` where it was not kept.
    """

    rung: str
    estimator: Estimator
    names: tuple[str, ...]
    spec: FeatureSpec
    question: Question
    trained_on: tuple[str, ...] = ()
    version: str = "unregistered"
    spend: SpendModel | None = None
    middle: tuple[float, ...] | None = None

    def __repr__(self) -> str:
        return (
            f"<ChurnModel: {self.rung} on {len(self.names):,} features; {self.question.rule}; "
            f"version {self.version}>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: what it is, what it asks, and what it learnt from."""
        return panel(f"ChurnModel: {self.rung}", self.facts)

    @property
    def facts(self) -> dict[str, object]:
        """What it is, what it asks and what it learnt from, for `churnkit.notebook.panel`."""
        when = self.trained_on
        return {
            "kind": rung_named(self.rung).says,
            "asks": self.question.rule,
            "features": names(self.names),
            "trained on": f"{len(when)} cutoffs, {when[0]} to {when[-1]}" if when else None,
            "version": self.version,
        }

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

    def churn_within(self, features: Features, days: int) -> np.ndarray:
        """Probability of churn in so many days, shape (rows,): of a hazard, up to its horizon.

        Raises
        ------
        ConfigError
            If the model knows of its own horizon only, or the time is longer.
        """
        self.require_within(days)
        if days == self.question.horizon_days:
            return self.churn_probability(features)
        if not len(features):
            return np.empty(0)
        return self.estimator.predict_survival(self._matrix(features), days)

    def require_within(self, days: int) -> None:
        """Refuse a time of which the model tells no probability; see `churn_within`.

        Raises
        ------
        ConfigError
            If the model knows of its own horizon only, or the time is longer.
        """
        if days == self.question.horizon_days:
            return
        if not isinstance(self.estimator, Hazard):
            raise ConfigError(
                f"the model in use ({self.rung}) knows of {self.question.horizon_days} days only",
                'A hazard tells of every shorter time: set use = "hazard" in [model], train, and '
                "promote it, or name its bundle with --model.",
            )
        if not 0 < days < self.question.horizon_days:
            raise ConfigError(
                f"the model knows of up to {self.question.horizon_days} days, and {days} are asked",
                "Ask for fewer, or train with a longer horizon.",
            )

    def contributions(self, features: Features) -> np.ndarray:
        """What each feature adds to the log-odds of each row, shape (rows, len(names))."""
        if not len(features):
            return np.empty((0, len(self.names)))
        return self.estimator.contributions(self._matrix(features))

    def explained(self, features: Features) -> tuple[np.ndarray, np.ndarray]:
        """`churn_probability` to the last bit, and approximate contributions of its features.

        Where the model has trees these are path attributions, see `churnkit.estimators.paths`, and
        cost little more than the probability alone; else they are exact. Shapes (rows,) and
        (rows, len(names)).
        """
        if not len(features):
            return np.empty(0), np.empty((0, len(self.names)))
        log_odds, contributions = self.estimator.explained(self._matrix(features))
        return sigmoid(log_odds), contributions

    def on_threads(self, threads: int) -> ChurnModel:
        """The same model, predicting churn with so many threads; 0 is as many as there are."""
        return replace(self, estimator=self.estimator.on_threads(threads))

    def expected_spend(self, features: Features, run_rate: np.ndarray) -> np.ndarray:
        """Net money of each row over the horizon if the customer stays, shape (rows,).

        Parameters
        ----------
        features
            The rows.
        run_rate
            Money of the horizon at last year's rate, see `churnkit.labels.run_rate`. Where it is
            NaN, nothing is known and nothing is told; who has but returned is expected to spend 0.

        Raises
        ------
        DataError
            If the table lacks features the model was trained on.
        """
        if self.spend is None or not len(features):
            return run_rate
        found = self.spend.predict(self._matrix(features), run_rate)
        only_returned = (features.column("purchases_count_all") == 0) & (run_rate == 0)
        return np.where(np.isnan(run_rate), np.nan, np.where(only_returned, 0.0, found))

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


def medians(features: Features, names: Sequence[str]) -> tuple[float, ...]:
    """The median of the known values of some columns, NaN of a column that is never known."""
    columns = (features.columns[name] for name in names)
    known = (values[~np.isnan(values)] for values in columns)
    return tuple(float(np.median(values)) if len(values) else np.nan for values in known)


def fit(
    rung: Rung,
    dataset: Dataset,
    question: Question,
    recipe: Recipe | None = None,
    fitted: Mapping[str, ChurnModel] | None = None,
) -> ChurnModel:
    """Fit one rung of the ladder on a dataset that holds churners and stayers.

    Parameters
    ----------
    rung, dataset, question
        What is fitted, on what, and what was asked.
    recipe
        How the models are made.
    fitted
        Rung name → the model fitted on the same dataset; a blend takes its members from there.
    """
    features = dataset.features
    estimator = _fitted(rung, dataset, question, recipe or Recipe(), fitted or {})
    cutoffs = [Cutoff(int(us), features.zone) for us in np.unique(features.cutoff)]
    return ChurnModel(
        rung.name, estimator, features.names, features.spec, question, _as_text(cutoffs)
    )


def _fitted(
    rung: Rung,
    dataset: Dataset,
    question: Question,
    recipe: Recipe,
    fitted: Mapping[str, ChurnModel],
) -> Estimator:
    if rung.kind == "blend":
        members = [
            fitted[name].estimator
            if name in fitted
            else _fitted(rung_named(name), dataset, question, recipe, fitted)
            for name in rung.members
        ]
        return Blend.of(members, [1.0] * len(members))
    estimator = rung.estimator(dataset.features, question, recipe)
    if rung.kind == "trees" and recipe.early_stopping:
        estimator.set_params(trees=_best_trees(estimator, dataset, question))
    if recipe.calibrate and rung.kind != "hazard" and not rung.plain:
        estimator = Calibrated(estimator)
    return fit_to(dataset, estimator, dataset.features.names)


def fit_to(dataset: Dataset, estimator: Estimator, names: Sequence[str]) -> Estimator:
    """A clone of an estimator, fitted on columns of a dataset to what its kind learns from.

    A hazard learns the days until the return; what is calibrated leaves out whole customers. Each
    row counts as often as it weighs.

    Raises
    ------
    ConfigError
        If a hazard is to learn where nobody returns, since churn is an event.
    """
    fresh, X = clone(estimator), dataset.features.matrix(names)
    match fresh:
        case Blend():
            members = [fit_to(dataset, member, names) for member in fresh.members]
            return Blend.of(members, fresh.weights)
        case Hazard():
            if dataset.days is None:
                raise ConfigError("churn is an event, and no silence ends", "Use another model.")
            return fresh.fit(X, dataset.days, dataset.weight)
        case Calibrated():
            whose = dataset.features.customer_id
            return fresh.fit(X, dataset.churned, dataset.weight, groups=whose)
        case _:
            return fresh.fit(X, dataset.churned, dataset.weight)


def _best_trees(trees: Any, dataset: Dataset, question: Question) -> int:
    """How many trees do best on the newest cutoff, judged by what was known when it began."""
    newest = Cutoff(int(dataset.features.cutoff.max()), dataset.features.zone)
    cutoffs = [Cutoff(int(us), newest.zone) for us in np.unique(dataset.features.cutoff)]
    known = [c for c in cutoffs if horizon_ends_by(c, question.horizon_days, newest)]
    before, later = dataset.at(known), dataset.at([newest])
    if min(before.rarer, later.rarer) < CHURNERS:
        return trees.trees
    return trees.best_trees(
        before.features.values,
        before.churned,
        later.features.values,
        later.churned,
        before.weight,
        later.weight,
    )


def _as_text(cutoffs: Sequence[Cutoff]) -> tuple[str, ...]:
    return tuple(str(c) for c in cutoffs)
