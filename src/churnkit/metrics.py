"""How good are the churn probabilities: six metrics, each with an interval.

Every metric here sees the rows only through a tally: for each distinct probability, the weight
of the churners and of the stayers who got it. So ties are fair, row order does not matter, and a
weight of k gives the very number that k copies of the row give. The bootstrap stands on that:
drawing customers with replacement is giving their rows whole-number weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
    return _auroc(_tally(y, p, weight))


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
    return _average_precision(_tally(y, p, weight))


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
    return _log_loss(_tally(y, p, weight))


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
    return _brier(_tally(y, p, weight))


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
    return _ece(_tally(y, p, weight), bins)


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
    return _lift_top_decile(_tally(y, p, weight))


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
    rows = _Rows.of(y, p)
    customer = _customers(groups, rows.y, rows.p)
    value = _all_metrics(rows.tally())
    _check_bootstrap(repeats, level)
    drawn = [_all_metrics(rows.tally(w)) for w in _resamples(customer, repeats, seed)]
    columns = np.array(drawn).T
    return {
        name: _percentiles(at, column, level)
        for name, at, column in zip(METRICS, value, columns, strict=True)
    }


def paired_difference(
    metric: str,
    y: ArrayLike,
    p: ArrayLike,
    q: ArrayLike,
    groups: ArrayLike | None = None,
    repeats: int = 1000,
    seed: int = 0,
    level: float = 0.95,
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
    groups, repeats, seed, level
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
    measure, one, other = _ON_TALLY[metric], _Rows.of(y, p), _Rows.of(y, q, name="q")
    customer = _customers(groups, one.y, one.p, other.p)
    _check_bootstrap(repeats, level)
    value = measure(one.tally()) - measure(other.tally())
    drawn = [
        measure(one.tally(weight)) - measure(other.tally(weight))
        for weight in _resamples(customer, repeats, seed)
    ]
    return _percentiles(value, np.array(drawn), level)


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


# ── The tally ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Tally:
    """For each distinct `p`, rising: the weight of churners and of stayers, not both 0."""

    p: Floats
    churned: Floats
    stayed: Floats

    @property
    def total(self) -> Floats:
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

    def tally(self, weight: Floats | None = None) -> _Tally:
        counts = np.bincount(self.cell, weight, 2 * len(self.distinct)).reshape(-1, 2)
        # A level that nobody drew must leave no trace, or sums would round differently.
        present = counts.any(axis=1)
        stayed, churned = counts[present].T.astype(np.float64)
        return _Tally(self.distinct[present], churned, stayed)


def _tally(y: ArrayLike, p: ArrayLike, weight: ArrayLike | None) -> _Tally:
    rows = _Rows.of(y, p)
    return rows.tally(None if weight is None else _weights(weight, len(rows.y)))


def _auroc(tally: _Tally) -> float:
    below = np.cumsum(tally.stayed) - tally.stayed / 2
    return _ratio(np.sum(tally.churned * below), tally.churned.sum() * tally.stayed.sum())


def _average_precision(tally: _Tally) -> float:
    churned = tally.churned[::-1]
    precision = np.cumsum(churned) / np.cumsum(tally.total[::-1])
    return _ratio(np.sum(churned * precision), churned.sum())


def _log_loss(tally: _Tally) -> float:
    p = np.clip(tally.p, CLIP, 1 - CLIP)
    surprise = -tally.churned * np.log(p) - tally.stayed * np.log(1 - p)
    return _ratio(surprise.sum(), tally.total.sum())


def _brier(tally: _Tally) -> float:
    squares = tally.churned * (1 - tally.p) ** 2 + tally.stayed * tally.p**2
    return _ratio(squares.sum(), tally.total.sum())


def _ece(tally: _Tally, bins: int = 10) -> float:
    mass = _running(tally.total)
    # A bin's n_b · (observed − mean p) is the rise of this sum between the bin's borders.
    excess = _running(tally.churned - tally.total * tally.p) / mass[-1]
    at_borders = np.interp(np.linspace(0, 1, bins + 1), mass / mass[-1], excess)
    return float(np.abs(np.diff(at_borders)).sum())


def _lift_top_decile(tally: _Tally) -> float:
    called, caught = _running(tally.total[::-1]), _running(tally.churned[::-1])
    if caught[-1] == 0:
        return nan
    return float(np.interp(TOP_SHARE, called / called[-1], caught / caught[-1])) / TOP_SHARE


_ON_TALLY: dict[str, Callable[[_Tally], float]] = {
    "auroc": _auroc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier": _brier,
    "ece": _ece,
    "lift_top_decile": _lift_top_decile,
}


def _all_metrics(tally: _Tally) -> list[float]:
    return [_ON_TALLY[name](tally) for name in METRICS]


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


def _weights(weight: ArrayLike, rows: int) -> Floats:
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
