"""Screening: what a single feature tells of who leaves, before any model is made.

One feature at a time is a first look, not a choice: features that tell the same are all on top, one
that tells much only beside another is not, and the best of two hundred is partly the luckiest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from churnkit.dataset import Dataset
from churnkit.errors import ConfigError, did_you_mean
from churnkit.features import FeatureColumn
from churnkit.metrics import Interval, auroc, bootstrap, clustered, measuring

_LEAST_ROWS = 30  # of either outcome
_WHOLE_FROM = 5
_WINDOW = re.compile(r"_(\d+d|all)$")
_REPEATS = 200


@dataclass(frozen=True)
class ScreenedFeature:
    """How well one feature alone parts those who left from those who stayed.

    Attributes
    ----------
    feature, says
        Name and meaning.
    direction
        ``up`` if high values go with more churn, else ``down``.
    auroc
        How often one who left has the worse value than one who stayed, ties counting half: .5 is
        chance. Of the rows where the value is known, with a 95 % interval clustered by customer.
    known
        Share of the rows where it is known, in [0, 1].
    """

    feature: str
    says: str
    direction: str
    auroc: Interval
    known: float


@dataclass(frozen=True)
class Band:
    """The rows whose feature lies between two values.

    Attributes
    ----------
    label
        The values, as text; ``unknown`` for rows without one.
    rows
        How many.
    churned
        Share of them that churned, with a 95 % interval clustered by customer.
    """

    label: str
    rows: int
    churned: Interval


def screen_features(
    dataset: Dataset, top: int = 12, least_known: float = 0.1
) -> list[ScreenedFeature]:
    """The features that part those who left from those who stayed, the best first.

    Of a feature that there is for several windows, only the best one is told.

    Parameters
    ----------
    dataset
        Rows with what came of them; codes of categories have no order and are left out.
    top
        How many are told at most.
    least_known
        Features that are known of a smaller share of the rows are left out.

    Raises
    ------
    ConfigError
        If all rows churned, or none did.
    """
    if not 0 < dataset.base_rate < 1:
        raise ConfigError(
            "nobody churned, or everybody did: nothing parts them",
            "Take other cutoffs, or another horizon.",
        )
    found = sorted(_alone(dataset, least_known), key=lambda one: (-abs(one[1] - 0.5), one[0].name))
    best: dict[str, tuple[FeatureColumn, float]] = {}
    for column, area in found:
        best.setdefault(_WINDOW.sub("", column.name), (column, area))
    return [_screened(dataset, column, area) for column, area in list(best.values())[:top]]


def churn_by_band(dataset: Dataset, feature: str, bands: int = 5) -> list[Band]:
    """Share that churned in bands of a feature, of about equal size, the lowest values first.

    Parameters
    ----------
    dataset
        Rows with what came of them.
    feature
        Name of a column; of classes, such as a region, each is a band.
    bands
        How many at most; rows where the value is unknown are one more.

    Raises
    ------
    ConfigError
        If there is no such feature.
    """
    features = dataset.features
    if feature not in features.columns:
        raise ConfigError(
            f"there is no feature {feature!r}",
            f"{did_you_mean(feature, features.names)}features.names has them all.",
        )
    values = features.columns[feature].astype(np.float64)
    known = ~np.isnan(values)
    classes = features.classes(feature)
    parts = (
        [(name, values == code) for code, name in classes.items()]
        if classes
        else list(_cut(values, known, bands))
    )
    banded = ((label, rows) for label, rows in [*parts, ("unknown", ~known)] if rows.any())
    return [_band(dataset, label, rows) for label, rows in banded]


def _alone(dataset: Dataset, least_known: float) -> Iterator[tuple[FeatureColumn, float]]:
    """Each feature that has an order and is known of enough rows, with its area."""
    for column in dataset.features.spec.columns():
        if column.is_category or column.feature.classes:
            continue
        values, churned, known = _known(dataset, column.name)
        rarer = min(int(churned.sum()), int((~churned).sum()))
        enough = rarer >= _LEAST_ROWS and known.mean() >= least_known
        if enough and np.ptp(values) > 0:
            yield column, auroc(churned, _ranks(values))


def _screened(dataset: Dataset, column: FeatureColumn, area: float) -> ScreenedFeature:
    values, churned, known = _known(dataset, column.name)
    worse = _ranks(values if area >= 0.5 else -values)
    whose = dataset.features.customer_id[known]
    (found,) = bootstrap(measuring("auroc"), churned, worse, whose, _REPEATS)
    direction = "up" if area >= 0.5 else "down"
    return ScreenedFeature(column.name, column.says, direction, found, float(known.mean()))


def _known(dataset: Dataset, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Known values, what came of these rows, and which they are."""
    values = dataset.features.columns[name]
    known = ~np.isnan(values)
    return values[known].astype(np.float64), dataset.churned[known], known


def _ranks(values: np.ndarray) -> np.ndarray:
    """Values as places between 0 and 1; equal ones share a place."""
    distinct, place = np.unique(values, return_inverse=True)
    return np.asarray((place + 0.5) / len(distinct))


def _cut(values: np.ndarray, known: np.ndarray, bands: int) -> Iterator[tuple[str, np.ndarray]]:
    """Label and rows of bands that hold about as many rows each; equal values stay together."""
    there = values[known]
    inner = np.quantile(there, np.arange(1, bands) / bands, method="inverted_cdf")
    for above, upto in _neighbours(np.unique(np.append(inner, there.max(initial=-np.inf)))):
        rows = known & (values > above) & (values <= upto)
        if rows.any():
            yield _label(values[rows]), rows


def _neighbours(edges: np.ndarray) -> Iterator[tuple[float, float]]:
    yield from zip([-np.inf, *edges[:-1].tolist()], edges.tolist(), strict=True)


def _label(values: np.ndarray) -> str:
    """The lowest and the highest value, in whole numbers where that is fine enough."""
    ends = float(values.min()), float(values.max())
    coarse = max(map(abs, ends)) >= _WHOLE_FROM or all(end == int(end) for end in ends)
    low, high = (f"{end:,.0f}" if coarse else f"{end:.2g}" for end in ends)
    return low if low == high else f"{low} to {high}"


def _band(dataset: Dataset, label: str, rows: np.ndarray) -> Band:
    churned, whose = dataset.churned[rows], dataset.features.customer_id[rows]
    return Band(label, int(rows.sum()), clustered(churned, whose))
