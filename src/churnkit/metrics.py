"""How good are the churn probabilities: six metrics, each with an interval.

Every metric here sees the rows only through a tally: for each distinct probability, the weight
of the churners and of the stayers who got it. So ties are fair, row order does not matter, and a
weight of k gives the very number that k copies of the row give. The bootstrap stands on that:
drawing customers with replacement is giving their rows whole-number weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import nan, sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

TOP_SHARE = 0.1
"""The share of customers that `lift_top_decile` looks at."""

CLIP = 1e-15
"""`log_loss` keeps probabilities this far from 0 and 1, so that it stays finite."""


@dataclass(frozen=True)
class Interval:
    """A value between the ends of its confidence interval, in the unit of the value.

    Examples
    --------
    >>> print(Interval(0.7301, 0.717, 0.7432))
    .730 [.717, .743]
    """

    value: float
    low: float
    high: float

    def __neg__(self) -> Interval:
        """The same difference, taken the other way round."""
        return Interval(-self.value, -self.high, -self.low)

    def __str__(self) -> str:
        return f"{_short(self.value)} [{_short(self.low)}, {_short(self.high)}]"


def _short(number: float) -> str:
    return re.sub(r"^(-?)0\.", r"\1.", f"{number:z.3f}")


@dataclass(frozen=True)
class Metric:
    """A metric: its name, which way is better, what it says, and `function(y, p, weight)`."""

    name: str
    better: Literal["high", "low"]
    says: str
    function: Callable[[ArrayLike, ArrayLike, ArrayLike | None], float]


# ── The metrics ─────────────────────────────────────────────────────────────────────────────


def auroc(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Area under the ROC curve: how often a churner scores above a stayer, ties counting half.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        1 = churned, 0 = stayed.
    p : array-like of shape (n_rows,)
        Probability of churn, in [0, 1].
    weight : array-like of shape (n_rows,), optional
        Weight of each row, finite and >= 0. Without it every row weighs 1.

    Returns
    -------
    float
        In [0, 1]; 0.5 is guessing. nan when only one class is there.

    Raises
    ------
    ValueError
        If the columns are empty or of different lengths, `y` holds anything but 0 and 1, `p`
        leaves [0, 1] or is nan, a weight is negative or not finite, or all weights are 0.

    References
    ----------
    Hanley & McNeil (1982), The meaning and use of the area under a ROC curve.

    Examples
    --------
    >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    return _auroc(tally_of(y, p, weight))


def average_precision(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Precision averaged over the churners, going down the list from the highest `p`.

    The step-wise sum Σ (recall_k − recall_(k−1)) · precision_k over the distinct `p`, without
    interpolation. Parameters and errors as in `auroc`.

    Returns
    -------
    float
        In (0, 1]; guessing gives about the churn rate. nan when nobody churned.

    Examples
    --------
    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.8333
    """
    return _average_precision(tally_of(y, p, weight))


def log_loss(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Mean of −ln(probability given to what happened), with `p` clipped to [1e-15, 1 − 1e-15].

    Parameters and errors as in `auroc`.

    Returns
    -------
    float
        In nats, in [0, 34.54]; 0 is perfect, 0.693 is `p` = 0.5 throughout.

    Examples
    --------
    >>> round(log_loss([0, 1], [0.5, 0.5]), 4)
    0.6931
    """
    return _log_loss(tally_of(y, p, weight))


def brier(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Mean squared difference between `p` and what happened (Brier 1950, the one-class form).

    Parameters and errors as in `auroc`.

    Returns
    -------
    float
        In [0, 1]; 0 is perfect, 0.25 is `p` = 0.5 throughout.

    Examples
    --------
    >>> brier([0, 1], [0.5, 1.0])
    0.125
    """
    return _brier(tally_of(y, p, weight))


def ece(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None, bins: int = 10) -> float:
    """Expected calibration error of P(churn): Σ (n_b / N) · |observed churn − mean p|.

    The rows, in order of `p`, are cut into `bins` bins of equal weight. Where a border falls
    into a row, or into rows with equal `p`, each side gets its share of them. Without ties and
    weights, and with N a multiple of `bins`, these are the usual bins of N / `bins` rows.
    Parameters and errors as in `auroc`.

    Noise alone makes it positive: a perfect model shows about sqrt(bins · p(1 − p) / N) · 0.8.

    Parameters
    ----------
    y, p, weight
        As in `auroc`.
    bins : int
        Number of bins, at least 1.

    Returns
    -------
    float
        In [0, 1], in units of probability; 0 is perfect.

    Raises
    ------
    ValueError
        As `auroc`, and if `bins` is below 1.

    Examples
    --------
    >>> ece([0, 1, 1, 1], [0.25, 0.25, 0.75, 0.75], bins=2)
    0.25
    """
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}")
    return _ece(tally_of(y, p, weight), bins)


def lift_top_decile(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Churn rate among the tenth with the highest `p`, over the churn rate of all.

    Where the border of the tenth falls into rows with equal `p`, each of them counts with the
    same share, so the order of rows does not matter. Parameters and errors as in `auroc`.

    Returns
    -------
    float
        In [0, 10]; 1 is guessing, and exactly 1 for a constant `p`. nan when nobody churned.

    Examples
    --------
    >>> lift_top_decile([1, 0, 0, 0, 0, 0, 0, 0, 0, 1], [0.9] + [0.1] * 9)
    5.0
    """
    return _lift_top_decile(tally_of(y, p, weight))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "auroc",
            "high",
            "How often a customer who left was scored above one who stayed.",
            auroc,
        ),
        Metric(
            "average_precision",
            "high",
            "The precision of the call list, averaged over the customers who left.",
            average_precision,
        ),
        Metric(
            "log_loss",
            "low",
            "How surprised the model was by what happened, in nats per customer.",
            log_loss,
        ),
        Metric(
            "brier",
            "low",
            "The mean squared distance between the probability and what happened.",
            brier,
        ),
        Metric(
            "ece",
            "low",
            "How far the probabilities lie from the churn seen, averaged over ten equal bins.",
            ece,
        ),
        Metric(
            "lift_top_decile",
            "high",
            "How many times the average churn rate the tenth with the highest risk has.",
            lift_top_decile,
        ),
    )
}
"""The metrics by name, in the order in which they are shown."""


# ── Intervals ───────────────────────────────────────────────────────────────────────────────


def evaluate(
    y: ArrayLike,
    p: ArrayLike,
    groups: ArrayLike | None = None,
    repeats: int = 200,
    seed: int = 0,
    level: float = 0.95,
    weight: ArrayLike | None = None,
) -> dict[str, Interval]:
    """All `METRICS`, each with a percentile bootstrap interval clustered by customer.

    Whole customers are drawn with replacement, since the rows of one customer (several
    cutoffs) are not independent. The same seed gives the same result, in any order of rows.

    A resample is noisier than the data it was drawn from, which only adds to a calibration
    error: the interval of `ece` lies high, and may lie above its value.

    Parameters
    ----------
    y : array-like of shape (n_rows,)
        1 = churned, 0 = stayed.
    p : array-like of shape (n_rows,)
        Probability of churn, in [0, 1].
    groups : array-like of shape (n_rows,), optional
        Customer id of each row. Without it every row is its own customer.
    repeats : int
        Number of resamples, at least 1.
    seed : int
        Seed of the resampling.
    level : float
        Coverage aimed at, inside (0, 1).
    weight : array-like of shape (n_rows,), optional
        Weight of each row, as in `auroc`; it goes with the row into every resample.

    Returns
    -------
    dict of str to Interval
        In the order of `METRICS`. A metric that is undefined (see `auroc`) is nan with ends
        nan; resamples in which it is undefined, as they lost a class, are skipped.

    Raises
    ------
    ValueError
        As `auroc`; or if `groups` has another length or missing ids, `repeats` is below 1, or
        `level` is not inside (0, 1).

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapters 8 and 13.
    """
    found = bootstrap(measuring(*METRICS), y, p, groups, repeats, seed, level, weight)
    return dict(zip(METRICS, found, strict=True))


def bootstrap(
    measure: Callable[[Tally], Sequence[float]],
    y: ArrayLike,
    p: ArrayLike,
    groups: ArrayLike | None = None,
    repeats: int = 200,
    seed: int = 0,
    level: float = 0.95,
    weight: ArrayLike | None = None,
) -> list[Interval]:
    """Whatever is measured on a tally, each value with its interval as `evaluate` makes it.

    Parameters
    ----------
    measure : callable
        Takes a `Tally` and gives so many numbers, nan where one is undefined.
    y, p, groups, repeats, seed, level, weight
        As in `evaluate`.

    Returns
    -------
    list of Interval
        One for each number.

    Raises
    ------
    ValueError
        As `evaluate`.
    """
    _check_level(level)
    found = resample(measure, y, {"p": p}, groups, repeats=repeats, seed=seed, weight=weight)
    return [found.interval("p", k, level) for k in range(found.value["p"].shape[-1])]


@dataclass(frozen=True)
class Resampled:
    """Numbers measured on some columns of probabilities, and again on every resample.

    Attributes
    ----------
    value
        Column → its numbers, shape (numbers,).
    drawn
        Column → its numbers on every resample, the same for all columns, (repeats, numbers).
    """

    value: Mapping[str, Floats]
    drawn: Mapping[str, Floats]

    def interval(self, column: str, nth: int = 0, level: float = 0.95) -> Interval:
        """The nth number of a column, with its percentile interval."""
        return _percentiles(float(self.value[column][nth]), self.drawn[column][:, nth], level)

    def difference(self, column: str, other: str, nth: int = 0, level: float = 0.95) -> Interval:
        """How much higher the nth number of a column is than that of another, paired."""
        return _percentiles(
            float(self.value[column][nth] - self.value[other][nth]),
            self.drawn[column][:, nth] - self.drawn[other][:, nth],
            level,
        )


def resample(
    measure: Callable[[Tally], Sequence[float]],
    y: ArrayLike,
    columns: Mapping[str, ArrayLike],
    groups: ArrayLike | None = None,
    parts: ArrayLike | None = None,
    repeats: int = 200,
    seed: int = 0,
    weight: ArrayLike | None = None,
) -> Resampled:
    """Measure several columns of probabilities on the same resamples of customers.

    Parameters
    ----------
    measure, y, groups, repeats, seed, weight
        As in `bootstrap`.
    columns
        Name → probabilities of churn.
    parts : array-like of shape (n_rows,), optional
        What each row is a part of, such as its cutoff. Each part is measured by itself, and the
        mean is taken over those in which a number is defined: customers of different cutoffs are
        never ranked against each other.

    Returns
    -------
    Resampled
        Numbers of each column.

    Raises
    ------
    ValueError
        As `evaluate`.
    """
    rows = {name: _Rows.of(y, p, name) for name, p in columns.items()}
    first = next(iter(rows.values()))
    each = _weights(weight, len(first.y))
    customer = _customers(groups, each, first.y, *(one.p for one in rows.values()))
    _check_bootstrap(repeats, 0.5)
    places = _places(parts, len(customer))
    pieces = {n: [_Rows.of(r.y[at], r.p[at]) for at in places] for n, r in rows.items()}

    def measured(name: str, weight: Floats) -> Floats:
        pairs = zip(pieces[name], places, strict=True)
        found = [measure(piece.tally(weight[at])) for piece, at in pairs if weight[at].any()]
        return _mean_of_defined(np.array(found))

    measures = {name: partial(measured, name) for name in rows}
    return _resampled(measures, customer, each, repeats, seed)


def resample_rows(
    measures: Mapping[str, Callable[[Floats], Sequence[float]]],
    groups: ArrayLike,
    repeats: int = 200,
    seed: int = 0,
    weight: ArrayLike | None = None,
) -> Resampled:
    """Measure anything that weighs rows, such as money, on the same resamples of customers.

    Parameters
    ----------
    measures
        Name → what takes a weight for each row, not all 0, and gives so many numbers, nan where
        one is undefined.
    groups, repeats, seed, weight
        As in `evaluate`.

    Returns
    -------
    Resampled
        Numbers of each name.

    Raises
    ------
    ValueError
        If `groups` has missing ids, `repeats` is below 1, or a weight is as in `auroc` it may not.
    """
    _check_bootstrap(repeats, 0.5)
    customer = _codes(np.asarray(groups))
    each = _weights(weight, len(customer))
    return _resampled(measures, customer, each, repeats, seed)


def _resampled(
    measures: Mapping[str, Callable[[Floats], Sequence[float] | Floats]],
    customer: Codes,
    each: Floats,
    repeats: int,
    seed: int,
) -> Resampled:
    """What each measure gives for the weights of the rows, and for those of every resample."""
    value = {name: np.array(measure(each)) for name, measure in measures.items()}
    drawn: dict[str, list[Floats]] = {name: [] for name in measures}
    for times in _resamples(customer, repeats, seed):
        for name, measure in measures.items():
            drawn[name].append(np.array(measure(times * each)))
    return Resampled(value, {name: np.array(found) for name, found in drawn.items()})


def _places(parts: ArrayLike | None, rows: int) -> list[Codes]:
    """The rows of each part."""
    if parts is None:
        return [np.arange(rows)]
    code = _codes(np.asarray(parts))
    _check_lengths({"y": rows, "parts": len(code)})
    return [np.flatnonzero(code == k) for k in range(int(code.max()) + 1)]


def _mean_of_defined(found: Floats) -> Floats:
    """Mean of each column over its rows that are not nan; nan where all are."""
    there = ~np.isnan(found)
    total, count = np.where(there, found, 0.0).sum(axis=0), there.sum(axis=0)
    return np.divide(total, count, where=count > 0, out=np.full(len(total), nan))


def paired_difference(
    metric: str,
    y: ArrayLike,
    p: ArrayLike,
    q: ArrayLike,
    groups: ArrayLike | None = None,
    repeats: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    weight: ArrayLike | None = None,
) -> Interval:
    """`metric` of `p` minus `metric` of `q`, both on the same resamples of customers.

    Pairing removes the luck of the draw that both models share, so a small difference shows
    long before the two single intervals part.

    Parameters
    ----------
    metric : str
        A key of `METRICS`.
    y : array-like of shape (n_rows,)
        1 = churned, 0 = stayed.
    p, q : array-like of shape (n_rows,)
        Probabilities of churn of the two models, in [0, 1].
    groups, repeats, seed, level, weight
        As in `evaluate`.

    Returns
    -------
    Interval
        Above 0 where `p` has the higher metric; exactly 0 when `p` and `q` are equal. nan
        where the metric is undefined.

    Raises
    ------
    ValueError
        As `evaluate`, or if `metric` is not known.
    """
    if metric not in _ON_TALLY:
        raise ValueError(f"unknown metric {metric!r}; known are {', '.join(METRICS)}")
    _check_level(level)
    columns = {"p": p, "q": q}
    found = resample(
        measuring(metric), y, columns, groups, repeats=repeats, seed=seed, weight=weight
    )
    return found.difference("p", "q", 0, level)


def proportion(successes: int, n: int, level: float = 0.95) -> Interval:
    """A share with its Wilson score interval (Wilson 1927), sound for small `n` and rare events.

    Parameters
    ----------
    successes : int
        How many of the `n` had it, in 0..n.
    n : int
        How many there were. With 0 the value is nan and the interval [0, 1].
    level : float
        Coverage aimed at, inside (0, 1).

    Returns
    -------
    Interval
        The share and its ends, in [0, 1].

    Raises
    ------
    ValueError
        If `successes` is not in 0..n, or `level` is not inside (0, 1).

    Examples
    --------
    >>> print(proportion(7, 10))
    .700 [.397, .892]
    """
    _check_level(level)
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie in 0..n, got {successes} of {n}")
    if n == 0:
        return Interval(nan, 0.0, 1.0)
    z, share = NormalDist().inv_cdf((1 + level) / 2), successes / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / (1 + z * z / n)
    # Rounding may leave an end a hair inside the share where the two are equal (0 or n of n).
    return Interval(share, min(max(middle - half, 0.0), share), max(min(middle + half, 1.0), share))


def clustered(churned: np.ndarray, customer: np.ndarray, level: float = 0.95) -> Interval:
    """A share of rows with its interval, where rows of one customer are one observation.

    The Wilson interval for as many rows as would vary as much if they were independent: the
    variance is that of a ratio of sums over customers (Kish 1965, Survey Sampling).
    """
    n = len(churned)
    plain = proportion(int(churned.sum()), n, level)
    if not 0 < plain.value < 1:
        return plain
    _, of = np.unique(customer, return_inverse=True)
    residual = np.bincount(of, weights=churned - plain.value)
    variance = float((residual**2).sum()) / n**2
    independent = plain.value * (1 - plain.value) / n
    rows = max(round(n * min(independent / variance, 1.0)), 1)
    wide = proportion(round(plain.value * rows), rows, level)
    shift = plain.value - wide.value
    return Interval(plain.value, max(wide.low + shift, 0.0), min(wide.high + shift, 1.0))


# ── The tally ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Tally:
    """For each distinct `p`, rising: the weight of churners and of stayers, not both 0."""

    p: Floats
    churned: Floats
    stayed: Floats

    @property
    def total(self) -> Floats:
        """Weight of all rows at each `p`."""
        return self.churned + self.stayed


@dataclass(frozen=True)
class _Rows:
    """Checked rows, each with its cell of the tally; sorted once, tallied for every resample."""

    y: Floats
    p: Floats
    distinct: Floats
    cell: Codes

    @classmethod
    def of(cls, y: ArrayLike, p: ArrayLike, name: str = "p") -> _Rows:
        labels, score = _labels(y), _probabilities(name, p)
        _check_lengths({"y": len(labels), name: len(score)})
        distinct, place = np.unique(score, return_inverse=True)
        return cls(labels, score, distinct, 2 * place + labels.astype(np.intp))

    def tally(self, weight: Floats | None = None) -> Tally:
        counts = np.bincount(self.cell, weight, 2 * len(self.distinct)).reshape(-1, 2)
        # A level that nobody drew must leave no trace, or sums would round differently.
        present = counts.any(axis=1)
        stayed, churned = counts[present].T.astype(np.float64)
        return Tally(self.distinct[present], churned, stayed)


def tally_of(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None = None) -> Tally:
    """The tally of checked rows; parameters and errors as in `auroc`."""
    rows = _Rows.of(y, p)
    return rows.tally(_weights(weight, len(rows.y)))


def _auroc(tally: Tally) -> float:
    below = np.cumsum(tally.stayed) - tally.stayed / 2
    return _ratio(np.sum(tally.churned * below), tally.churned.sum() * tally.stayed.sum())


def _average_precision(tally: Tally) -> float:
    churned = tally.churned[::-1]
    precision = np.cumsum(churned) / np.cumsum(tally.total[::-1])
    return _ratio(np.sum(churned * precision), churned.sum())


def _log_loss(tally: Tally) -> float:
    p = np.clip(tally.p, CLIP, 1 - CLIP)
    surprise = -tally.churned * np.log(p) - tally.stayed * np.log(1 - p)
    return _ratio(surprise.sum(), tally.total.sum())


def _brier(tally: Tally) -> float:
    squares = tally.churned * (1 - tally.p) ** 2 + tally.stayed * tally.p**2
    return _ratio(squares.sum(), tally.total.sum())


def _ece(tally: Tally, bins: int = 10) -> float:
    mass = _running(tally.total)
    # A bin's n_b · (observed − mean p) is the rise of this sum between the bin's borders.
    excess = _running(tally.churned - tally.total * tally.p) / mass[-1]
    at_borders = np.interp(np.linspace(0, 1, bins + 1), mass / mass[-1], excess)
    return float(np.abs(np.diff(at_borders)).sum())


def _lift_top_decile(tally: Tally) -> float:
    called, caught = _running(tally.total[::-1]), _running(tally.churned[::-1])
    if caught[-1] == 0:
        return nan
    return float(np.interp(TOP_SHARE, called / called[-1], caught / caught[-1])) / TOP_SHARE


_ON_TALLY: dict[str, Callable[[Tally], float]] = {
    "auroc": _auroc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier": _brier,
    "ece": _ece,
    "lift_top_decile": _lift_top_decile,
}


def measuring(*names: str) -> Callable[[Tally], list[float]]:
    """What measures some of the `METRICS` on a tally, for `bootstrap` and `resample`."""
    found = [_ON_TALLY[name] for name in names]
    return lambda tally: [measure(tally) for measure in found]


def _ratio(above: np.float64, below: np.float64) -> float:
    return float(above / below) if below > 0 else nan


def _running(steps: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(steps)])


# ── The bootstrap ───────────────────────────────────────────────────────────────────────────


def _customers(groups: ArrayLike | None, *columns: Floats) -> Codes:
    """A code 0..k−1 per row: its customer or, without groups, its rank by the columns.

    Rows that tie in every column are interchangeable, so either code is free of row order.
    """
    rows = len(columns[0])
    if groups is None:
        rank = np.empty(rows, np.intp)
        rank[np.lexsort(columns)] = np.arange(rows)
        return rank
    ids = np.asarray(groups)
    if ids.ndim != 1:
        raise ValueError(f"groups must have one dimension, got shape {ids.shape}")
    _check_lengths({"y": rows, "groups": len(ids)})
    return _codes(ids)


def _codes(ids: NDArray[np.generic]) -> Codes:
    code: Codes
    try:
        names, code = np.unique(ids, return_inverse=True)
        missing = bool(names[-1] != names[-1])
    except TypeError as error:
        raise ValueError(f"groups must be ids of one type, none missing: {error}") from error
    if missing:
        raise ValueError("groups holds nan; every row needs a customer id")
    return code


def _resamples(customer: Codes, repeats: int, seed: int) -> Iterator[Floats]:
    """For each resample, how often each row's customer was drawn."""
    rng, n = np.random.default_rng(seed), int(customer.max()) + 1
    for _ in range(repeats):
        times: Floats = np.bincount(rng.integers(n, size=n), minlength=n).astype(np.float64)
        yield times[customer]


def _percentiles(value: float, drawn: Floats, level: float) -> Interval:
    defined = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not len(defined):
        return Interval(value, nan, nan)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


# ── Checks ──────────────────────────────────────────────────────────────────────────────────


def _labels(y: ArrayLike) -> Floats:
    labels = _column("y", y)
    _check_rows("y", labels, (labels == 0) | (labels == 1), "be 0 (stayed) or 1 (churned)")
    return labels


def _probabilities(name: str, p: ArrayLike) -> Floats:
    score = _column(name, p)
    _check_rows(name, score, (score >= 0) & (score <= 1), "be a probability in [0, 1]")
    return score


def _weights(weight: ArrayLike | None, rows: int) -> Floats:
    """Checked weights; 1 for each row where there are none."""
    if weight is None:
        return np.ones(rows)
    weights = _column("weight", weight)
    _check_lengths({"y": rows, "weight": len(weights)})
    _check_rows("weight", weights, (weights >= 0) & np.isfinite(weights), "be finite and >= 0")
    if not weights.any():
        raise ValueError("all weights are 0")
    return weights


def _column(name: str, values: ArrayLike) -> Floats:
    try:
        column = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers: {error}") from error
    if column.ndim != 1:
        raise ValueError(f"{name} must have one dimension, got shape {column.shape}")
    if not len(column):
        raise ValueError(f"{name} is empty")
    return column


def _check_rows(name: str, column: Floats, good: NDArray[np.bool_], rule: str) -> None:
    if not good.all():
        row = int(np.argmin(good))
        raise ValueError(f"{name} must {rule}; row {row} (counted from 0) is {column[row]}")


def _check_lengths(lengths: dict[str, int]) -> None:
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {rows}" for name, rows in lengths.items())
        raise ValueError(f"lengths differ: {told} rows")


def _check_bootstrap(repeats: int, level: float) -> None:
    _check_level(level)
    if repeats < 1:
        raise ValueError(f"repeats must be at least 1, got {repeats}")


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must lie inside (0, 1), got {level}")
