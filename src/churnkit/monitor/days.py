"""The logs day by day up to a run: how many events, of what name, how large; read in one pass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from churnkit.clock import Cutoff, first_observer
from churnkit.inputs import WORDS
from churnkit.logs import MONEY_UNITS, QUANTITY_UNITS, SCORE_UNITS, CustomerLogs, Events

DAYS = 52 * 7 + 15 * 7
"""Days that are looked at: a year, and as many weeks before as a week of then is compared with."""

UNITS = {"amount": MONEY_UNITS, "discount": MONEY_UNITS, "quantity": QUANTITY_UNITS,
         "value": QUANTITY_UNITS}  # fmt: skip
"""Measures whose size is looked at, and what one unit of the log is."""

_BIN, _LOWEST, _BINS = 0.05, -3.0, 320  # decades: from a thousandth to 10^13


@dataclass(eq=False)
class LogDays:
    """One log, day by day; the last entry is the day before the run.

    Attributes
    ----------
    rows
        Events of each day, shape (days,).
    words
        Name of an event or a question → events of each day.
    sizes
        Measure → how many of each day have which size, shape (days, bins); see `decades`.
    blank, negative
        Measure → events of each day in which it is zero or missing, and below zero.
    scores
        Question → answers, their sum and the sum of their squares, each day, shape (3, days).
    begun
        Position of the first day that the log covers; the number of days if it has no event.
    """

    rows: np.ndarray
    words: dict[str, np.ndarray] = field(default_factory=dict)
    sizes: dict[str, np.ndarray] = field(default_factory=dict)
    blank: dict[str, np.ndarray] = field(default_factory=dict)
    negative: dict[str, np.ndarray] = field(default_factory=dict)
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    begun: int = 0

    @property
    def age(self) -> int:
        """Days since the log began, at most so many as are looked at."""
        return len(self.rows) - self.begun

    @property
    def behind(self) -> int:
        """Whole days without any event at the end."""
        there = np.flatnonzero(self.rows)
        return len(self.rows) - 1 - int(there[-1]) if len(there) else len(self.rows)


def decades(quantile: float, counts: np.ndarray) -> float:
    """A quantile, as a decimal logarithm, of sizes that are counted in the bins of `LogDays`.

    Interpolated within its bin; NaN if nothing is counted.
    """
    total = counts.sum()
    if not total:
        return float("nan")
    passed = np.cumsum(counts)
    k = int(np.searchsorted(passed, quantile * total, side="left"))
    before = passed[k - 1] if k else 0
    within = (quantile * total - before) / max(counts[k], 1)
    return float(_LOWEST + _BIN * (k + min(max(within, 0.0), 1.0)))


def share_above(decade: float, counts: np.ndarray) -> float:
    """Share of counted sizes that lie above a size, given as a decimal logarithm."""
    first = int(np.clip(np.ceil((decade - _LOWEST) / _BIN), 0, _BINS))
    total = counts.sum()
    return float(counts[first:].sum() / total) if total else 0.0


def days_of(logs: CustomerLogs, as_of: Cutoff, days: int = DAYS) -> dict[str, LogDays]:
    """Every log day by day, in the business zone, before a run.

    Parameters
    ----------
    logs
        Checked logs; what happened at the cutoff or later is not looked at.
    as_of
        The cutoff of the run.
    days
        How many days back.
    """
    edges = np.array([as_of.shifted(k - days).us for k in range(days + 1)], dtype=np.int64)
    found = {log: LogDays(np.zeros(days, dtype=np.int64)) for log in logs.measures}
    early = dict.fromkeys(found, False)
    for block in logs.blocks():
        for log, events in block.events.items():
            day = first_observer(events.ts, edges) - 1
            early[log] |= bool((day == -1).any())
            inside = (day != -1) & (day != days)
            _count(found[log], log, events, np.flatnonzero(inside), day)
    for log, told in found.items():
        there = np.flatnonzero(told.rows)
        told.begun = 0 if early[log] else int(there[0]) if len(there) else days
    return found


def _count(told: LogDays, log: str, events: Events, rows: np.ndarray, day: np.ndarray) -> None:
    """Add the events of a block."""
    days, of = len(told.rows), day[rows]
    told.rows += np.bincount(of, minlength=days)
    measure = WORDS.get(log)
    if measure is not None:
        codes = events.columns[measure][rows]
        words = events.vocabularies[measure]
        _count_words(told, words, codes, of)
        if log == "surveys":
            score = events.columns["score"][rows] / SCORE_UNITS
            _count_scores(told, words, codes, of, score)
    for name in _measured(events):
        _count_sizes(told, name, events.columns[name][rows] / UNITS[name], of)


def _measured(events: Events) -> Iterable[str]:
    return (name for name in UNITS if name in events.columns)


def _count_words(told: LogDays, words: tuple[str, ...], codes: np.ndarray, of: np.ndarray) -> None:
    days = len(told.rows)
    counts = np.bincount(codes * days + of, minlength=len(words) * days).reshape(-1, days)
    for k in np.flatnonzero(counts.any(axis=1)).tolist():
        told.words[words[k]] = told.words.get(words[k], 0) + counts[k]


def _count_scores(
    told: LogDays, words: tuple[str, ...], codes: np.ndarray, of: np.ndarray, score: np.ndarray
) -> None:
    days = len(told.rows)
    place, size = codes * days + of, len(words) * days
    sums = [np.bincount(place, weights=score**power, minlength=size) for power in range(3)]
    by_word = np.stack(sums).reshape(3, -1, days)
    for k in np.flatnonzero(by_word[0].any(axis=1)).tolist():
        told.scores[words[k]] = told.scores.get(words[k], 0) + by_word[:, k]


def _count_sizes(told: LogDays, name: str, value: np.ndarray, of: np.ndarray) -> None:
    days = len(told.rows)
    there = value != 0
    size = np.log10(np.abs(value[there]))
    k = np.clip(((size - _LOWEST) / _BIN).astype(np.int64), 0, _BINS - 1)
    counts = np.bincount(of[there] * _BINS + k, minlength=days * _BINS).reshape(days, _BINS)
    told.sizes[name] = told.sizes.get(name, 0) + counts
    told.blank[name] = told.blank.get(name, 0) + np.bincount(of[~there], minlength=days)
    told.negative[name] = told.negative.get(name, 0) + np.bincount(of[value < 0], minlength=days)
