"""Whom a model knows well, and whom it does not: by tenure, value and declared categories."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from churnkit.evaluation import Trial
from churnkit.metrics import Interval, measuring, resample
from churnkit.rolling.trials import MEASURED, REPEATS, Rolling

FEW = 30
"""Of a segment with fewer churners or stayers no metric is told."""

_AGES = ((90, "up to 90 days"), (365, "91 to 365 days"), (730, "1 to 2 years"))
_OLDER = "over 2 years"
_THIRDS = ("lowest third", "middle third", "highest third")
_BANDS = (*(name for _, name in _AGES), _OLDER, *_THIRDS)
_TENURES, _VALUES = ("tenure", "activity_tenure"), ("spend_sum_365d", "spend_sum_all")


@dataclass(frozen=True)
class Segment:
    """Customers of one kind, over all cutoffs together.

    Attributes
    ----------
    by, name
        What tells them apart, and which of them they are.
    rows, customers, base_rate
        How many, and the share of rows that churned.
    metrics
        Name of `MEASURED` → the chosen rung among them, as a mean over the cutoffs; empty where
        there are too few.
    gain
        How much lower its log loss is than that of the best plain rule; ``None`` where there are
        too few.
    """

    by: str
    name: str
    rows: int
    customers: int
    base_rate: float
    metrics: dict[str, Interval]
    gain: Interval | None


def segments(result: Rolling) -> tuple[Segment, ...]:
    """The chosen rung among customers of each tenure, value and declared category.

    Value is what was spent; its thirds are those of each cutoff.
    """
    return tuple(
        _segment(result, by, name, named == name)
        for by, named in _kinds(result)
        for name in _in_order(set(named.tolist()) - {""})
    )


def _in_order(names: set[str]) -> list[str]:
    bands = {name: place for place, name in enumerate(_BANDS)}
    return sorted(names, key=lambda name: (bands.get(name, len(bands)), name))


def _kinds(result: Rolling) -> Iterator[tuple[str, np.ndarray]]:
    """What tells customers apart, and the segment of each row of all tests; "" is unknown."""
    names = set.intersection(*(set(t.data.features.names) for t in result.trials))
    for by, columns, banded in (("tenure", _TENURES, _ages), ("value", _VALUES, _thirds)):
        for name in [name for name in columns if name in names][:1]:
            yield by, _over(result, name, banded)
    for column in result.trials[-1].data.features.spec.static:
        if column.words is not None and column.name in names:
            yield column.name, np.concatenate([_words(t, column.name) for t in result.trials])


def _over(result: Rolling, name: str, banded: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return np.concatenate([banded(t.data.features.column(name)) for t in result.trials])


def _ages(days: np.ndarray) -> np.ndarray:
    ends = [end for end, _ in _AGES]
    names = np.array([*(name for _, name in _AGES), _OLDER], dtype=object)
    return _named(names, np.searchsorted(ends, days), days)


def _thirds(spent: np.ndarray) -> np.ndarray:
    there = spent[~np.isnan(spent)]
    ends = np.quantile(there, [1 / 3, 2 / 3]) if len(there) else [0.0, 0.0]
    return _named(np.array(_THIRDS, dtype=object), np.searchsorted(ends, spent), spent)


def _words(trial: Trial, name: str) -> np.ndarray:
    """The category of each row, as the trial's own training learnt them."""
    features = trial.data.features
    column = next(c for c in features.spec.static if c.name == name)
    codes = features.column(name)
    words = np.array([*(column.words or ()), "other"], dtype=object)
    return _named(words, np.nan_to_num(codes).astype(int), codes)


def _named(names: np.ndarray, place: np.ndarray, values: np.ndarray) -> np.ndarray:
    unknown = np.isnan(values)
    return np.where(unknown, "", names[np.where(unknown, 0, place)])


def _segment(result: Rolling, by: str, name: str, rows: np.ndarray) -> Segment:
    churned, customer, weight = result.churned[rows], result.customer[rows], result.weight[rows]
    rate = float(np.average(churned, weights=weight))
    counts = (by, name, len(churned), len(set(customer)), rate)
    if min(churned.sum(), (~churned).sum()) < FEW:
        return Segment(*counts, {}, None)
    columns = {rung: result.probability(rung)[rows] for rung in (result.chosen, result.best_rule)}
    cutoff = result.cutoff[rows]
    found = resample(
        measuring(*MEASURED), churned, columns, customer, cutoff, REPEATS, weight=weight
    )
    metrics = {m: found.interval(result.chosen, k) for k, m in enumerate(MEASURED)}
    gain = found.difference(result.best_rule, result.chosen, MEASURED.index("log_loss"))
    return Segment(*counts, metrics, gain)
