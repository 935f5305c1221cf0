"""Drivers: which themes move the scores of all customers, which way, and how leavers differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from churnkit.explain.reasons import Themes
from churnkit.explain.words import sentence, short
from churnkit.features import FeatureColumn, Features
from churnkit.model import ChurnModel

_FEATURES_TOLD = 3
_ROWS_ATTRIBUTED = 2_000
_ROWS_AVERAGED = 1_000
_QUANTILES = np.linspace(0.05, 0.95, 9)
_CLEAR_DIRECTION = 0.3
_CLEAR_SHARE = 0.01
_MOSTLY_MISSING = 0.5


@dataclass(frozen=True)
class DrivingFeature:
    """How much one feature moves the scores of all customers.

    Attributes
    ----------
    name, says
        Feature name and meaning.
    weight
        Its share of the mean absolute contributions of all features, in [0, 1].
    direction
        ``up`` if high values go with more churn, ``down`` if with less, else ``mixed``;
        ``mixed`` for categories, whose codes have no order.
    expected
        The direction that the feature declares, empty if it declares none.
    unexpected
        Whether the direction contradicts the declared one.
    """

    name: str
    says: str
    weight: float
    direction: str
    expected: str
    unexpected: bool


@dataclass(frozen=True)
class Dependence:
    """Partial dependence (Friedman 2001): the mean probability if all had the same value.

    Attributes
    ----------
    feature, says, unit
        Feature name, meaning and unit.
    values
        Quantiles of its known values, rising.
    probabilities
        Mean churn probability with the feature set to each of them, all else as it is.
    """

    feature: str
    says: str
    unit: str
    values: list[float]
    probabilities: list[float]


@dataclass(frozen=True)
class Separation:
    """How those who left differ from those who stayed, in one feature: an association.

    Attributes
    ----------
    feature
        Feature name.
    measure
        What is compared: ``median`` of the known values, or the share of customers whose value
        is ``zero``, ``missing`` or of one ``class``.
    left, stayed
        The measure among those who left, and among those who stayed.
    says
        Both in words.
    """

    feature: str
    measure: str
    left: float
    stayed: float
    says: str


@dataclass(frozen=True)
class Driver:
    """How much one theme moves the scores of all customers.

    Attributes
    ----------
    theme
        What it is about; correlated features share one effect, and a theme.
    share
        Its share of the mean absolute contributions of all themes, in [0, 1].
    direction
        Which way the contributions of the theme go with its strongest feature: ``up``, ``down``
        or ``mixed``.
    features
        The strongest features, the strongest first.
    separation
        How those who left differ; ``None`` if they do not, or nobody has told who left.
    dependence
        Of the strongest feature that takes several numbers; ``None`` if there is none.
    """

    theme: str
    share: float
    direction: str
    features: list[DrivingFeature]
    separation: Separation | None = None
    dependence: Dependence | None = None


def drivers(
    model: ChurnModel, features: Features, churned: np.ndarray | None = None, top: int = 8
) -> list[Driver]:
    """The themes that move the scores most, the strongest first; none for the base rate.

    Parameters
    ----------
    model, features
        The model, and customers it did not learn from, best those of a test. Contributions are
        those of at most 2,000 of them, partial dependences those of at most 1,000.
    churned
        Boolean: who of them left.
    top
        How many themes are told at most.
    """
    themes, some = Themes.of(model), _evenly(features, _ROWS_ATTRIBUTED)
    contributions = model.contributions(some)
    by_theme = themes.summed(contributions)
    strength = np.abs(by_theme).sum(axis=0)
    size = np.abs(contributions).sum(axis=0)
    found = []
    for k in np.argsort(-strength, kind="stable")[:top]:
        if not strength[k]:
            break
        members = themes.members[k]
        strongest = [c for c in members[np.argsort(-size[members], kind="stable")] if size[c]]
        columns = [themes.columns[c] for c in strongest]
        telling = [_driving(themes.columns[c], some, contributions[:, c], size) for c in strongest]
        found.append(
            Driver(
                theme=themes.names[k],
                share=float(strength[k] / strength.sum()),
                direction=_direction(columns[0], some, by_theme[:, k]),
                features=telling[:_FEATURES_TOLD],
                separation=None if churned is None else _separation(columns, features, churned),
                dependence=_dependence(columns, model, some),
            )
        )
    return found


def _driving(
    column: FeatureColumn, features: Features, contributions: np.ndarray, size: np.ndarray
) -> DrivingFeature:
    direction = _direction(column, features, contributions)
    expected = column.feature.direction
    return DrivingFeature(
        name=column.name,
        says=column.says,
        weight=float(np.abs(contributions).sum() / size.sum()),
        direction=direction,
        expected=expected,
        unexpected={direction, expected} == {"up", "down"},
    )


def _direction(column: FeatureColumn, features: Features, contributions: np.ndarray) -> str:
    values = features.column(column.name)
    known = ~np.isnan(values)
    if column.is_category:
        return "mixed"
    if known.sum() < 2 or np.ptp(values[known]) == 0 or np.ptp(contributions[known]) == 0:
        return "mixed"
    ranks = [np.argsort(np.argsort(x[known], kind="stable")) for x in (values, contributions)]
    agreement = float(np.corrcoef(ranks[0], ranks[1])[0, 1])
    if abs(agreement) < _CLEAR_DIRECTION:
        return "mixed"
    return "up" if agreement > 0 else "down"


def _evenly(features: Features, rows: int) -> Features:
    """At most so many rows, spread evenly over the customers: a sample without a seed."""
    if len(features) <= rows:
        return features
    return features.where(np.linspace(0, len(features) - 1, rows).round().astype(np.int64))


def _dependence(
    columns: Sequence[FeatureColumn], model: ChurnModel, features: Features
) -> Dependence | None:
    """That of the first of the columns that takes several numbers."""
    some = _evenly(features, _ROWS_AVERAGED)
    for column in columns:
        values = some.column(column.name)
        grid = _grid(column, values[~np.isnan(values)])
        if len(grid) > 1:
            everywhere = _mean_probabilities(model, some, column.name, grid)
            told = (grid.tolist(), everywhere.tolist())
            return Dependence(column.name, column.says, column.feature.unit, *told)
    return None


def _grid(column: FeatureColumn, known: np.ndarray) -> np.ndarray:
    if column.feature.classes or not len(known):
        return np.empty(0)
    return np.unique(np.quantile(known, _QUANTILES, method="closest_observation"))


def _mean_probabilities(
    model: ChurnModel, features: Features, name: str, grid: np.ndarray
) -> np.ndarray:
    """Mean churn probability if everybody had the same value, for each of some values."""
    rows = len(features)
    many = features.where(np.tile(np.arange(rows), len(grid)))
    given = np.repeat(grid.astype(many.columns[name].dtype), rows)
    changed = replace(many, columns={**many.columns, name: given})
    return model.churn_probability(changed).reshape(len(grid), rows).mean(axis=1)


def _separation(
    columns: Sequence[FeatureColumn], features: Features, churned: np.ndarray
) -> Separation | None:
    """That of the first of the columns in which those who left and those who stayed differ."""
    found = (_difference(column, features.column(column.name), churned) for column in columns)
    return next((told for told in found if told is not None), None)


def _difference(
    column: FeatureColumn, values: np.ndarray, churned: np.ndarray
) -> Separation | None:
    left, stayed = values[churned], values[~churned]
    if not len(left) or not len(stayed):
        return None
    missing = [float(np.isnan(group).mean()) for group in (left, stayed)]
    if max(missing) > _MOSTLY_MISSING:
        return _of_shares(column, "missing", column.unknown, *missing)
    left, stayed = (group[~np.isnan(group)] for group in (left, stayed))
    if column.feature.classes:
        return _of_classes(column, left, stayed)
    gone, here = float(np.median(left)), float(np.median(stayed))
    if (
        short(column, gone, like=here) != short(column, here, like=gone)
        and "{value}" in column.reads
    ):
        says = (
            f"those who left: {sentence(column, gone)}; "
            f"those who stayed: {short(column, here, like=gone)} (medians)"
        )
        return Separation(column.name, "median", gone, here, says)
    if column.none and gone == here == 0:
        shares = [float((group == 0).mean()) for group in (left, stayed)]
        return _of_shares(column, "zero", column.none, *shares)
    return None


def _of_classes(column: FeatureColumn, left: np.ndarray, stayed: np.ndarray) -> Separation | None:
    """That of the class whose share differs most."""
    shares = {c: ((left == c).mean(), (stayed == c).mean()) for c in column.feature.classes}
    most = max(shares, key=lambda c: abs(shares[c][0] - shares[c][1]))
    return _of_shares(column, "class", sentence(column, most), *map(float, shares[most]))


def _of_shares(
    column: FeatureColumn, measure: str, what: str, left: float, stayed: float
) -> Separation | None:
    if abs(left - stayed) < _CLEAR_SHARE:
        return None
    says = f"{what}: {left:.0%} of those who left, {stayed:.0%} of those who stayed"
    return Separation(column.name, measure, left, stayed, says)
