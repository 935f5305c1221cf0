"""What all customers together did before a cutoff: how much, how many, and at what intervals.

The counts of blocks are whole numbers and add up, so that the market is the same whatever the
blocks are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from churnkit.clock import DAY, Cutoff, first_observer
from churnkit.index.moments import Observations
from churnkit.logs import NO_SIGNS_OF_LIFE, Events, Logs

_DAYS = _LONGEST_GAP = 3650  # ten years

STREAMS = ("sales", "activity", "renewals")
"""What is counted: sales, signs of activity, and renewals of contracts."""


@dataclass(frozen=True)
class _Counts:
    """Counts of one stream, one row per cutoff.

    Attributes
    ----------
    by_age
        Events in each of the last days before the cutoff, shape ``(cutoffs, _DAYS)``.
    customers
        Customers with any event before the cutoff, shape ``(cutoffs,)``.
    gaps
        Intervals between events that ended before the cutoff, by whole days (rounded up), shape
        ``(cutoffs, _LONGEST_GAP + 1)``.
    """

    by_age: np.ndarray
    customers: np.ndarray
    gaps: np.ndarray

    def __add__(self, other: _Counts) -> _Counts:
        return _Counts(
            self.by_age + other.by_age, self.customers + other.customers, self.gaps + other.gaps
        )

    def where(self, rows: list[int]) -> _Counts:
        """The counts of some cutoffs, by their positions."""
        return _Counts(self.by_age[rows], self.customers[rows], self.gaps[rows])


@dataclass(frozen=True)
class MarketCounts:
    """What the customers of some blocks did before each cutoff; counts of blocks add up."""

    cutoffs: tuple[Cutoff, ...]
    streams: Mapping[str, _Counts]

    def __add__(self, other: MarketCounts) -> MarketCounts:
        return MarketCounts(
            self.cutoffs, {name: self.streams[name] + other.streams[name] for name in self.streams}
        )

    def at(self, cutoffs: Sequence[Cutoff], streams: Sequence[str] = STREAMS) -> MarketCounts:
        """The counts of some of the streams before some of the cutoffs, in their order."""
        rows = [self.cutoffs.index(cutoff) for cutoff in cutoffs]
        chosen = {s: self.streams[s] for s in streams}
        return MarketCounts(
            tuple(cutoffs),
            {
                s: _Counts(c.by_age[rows], c.customers[rows], c.gaps[rows])
                for s, c in chosen.items()
            },
        )

    def settled(self) -> Market:
        """What features ask of the counts."""
        return Market({name: Crowd(c) for name, c in self.streams.items()})


class Crowd:
    """What all customers did in one stream; every method returns one value per observation."""

    def __init__(self, counts: _Counts) -> None:
        self._within = np.pad(np.cumsum(counts.by_age, axis=1), ((0, 0), (1, 0)))
        self._customers = counts.customers
        self._gaps = np.cumsum(counts.gaps, axis=1)

    def count(self, at: Observations, days: int, ago: int = 0) -> np.ndarray:
        """Events of all customers in the window; those of the last ten years at most."""
        start, end = min(ago + days, _DAYS), min(ago, _DAYS)
        return at.each(self._within[:, start] - self._within[:, end])

    def customers(self, at: Observations) -> np.ndarray:
        """Customers with any event before the cutoff."""
        return at.each(self._customers)

    def gap_quantile(self, q: float, at: Observations) -> np.ndarray:
        """Nearest-rank quantile of all intervals, in whole days rounded up; NaN if none."""
        total = self._gaps[:, -1]
        rank = np.maximum(np.ceil(q * total), 1)
        days = (self._gaps < rank[:, None]).sum(axis=1)
        return at.each(np.where(total > 0, days, np.nan))


@dataclass(frozen=True)
class Market:
    """What all customers did before each cutoff; nothing is known of it by default.

    Attributes
    ----------
    crowds
        Stream → what was done in it.
    """

    crowds: Mapping[str, Crowd] = field(default_factory=dict)

    def of(self, stream: str) -> Crowd:
        """What all customers did in one of the `STREAMS`.

        Raises
        ------
        ValueError
            If nobody counted it.
        """
        if stream not in self.crowds:
            raise ValueError(f"the market was not counted: ask for it by streams=({stream!r},)")
        return self.crowds[stream]


def count_market(
    blocks: Iterable[Logs], cutoffs: Sequence[Cutoff], streams: Sequence[str] = STREAMS
) -> MarketCounts:
    """Count what the customers of the blocks did before each cutoff.

    Parameters
    ----------
    blocks
        Logs of whole customers, each customer in one of them.
    cutoffs
        Rising cutoffs.
    streams
        What is counted, of `STREAMS`; a stream whose log is absent has no events.
    """
    asked = tuple(cutoffs)
    nothing = np.empty(0, dtype=np.int64)
    counts = MarketCounts(asked, {s: _counted(nothing, nothing, asked) for s in streams})
    for logs in blocks:
        counts += MarketCounts(asked, {s: _counted(*_stream(logs, s), asked) for s in streams})
    return counts


def _stream(logs: Logs, stream: str) -> tuple[np.ndarray, np.ndarray]:
    """Customer and time of the events of a stream, sorted."""
    events = logs.purchases if stream == "sales" else logs.activity
    if events is None:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    chosen = _mask(events, stream)  # `Events.where` would copy the measures, too
    return events.customer[chosen], events.ts[chosen]


def _mask(events: Events, stream: str) -> np.ndarray:
    if stream == "sales":
        return np.asarray(events.columns["is_return"] == 0)
    if stream == "renewals":
        return events.is_word("kind", "renewal")
    return ~events.is_word("kind", *NO_SIGNS_OF_LIFE)


def _counted(customer: np.ndarray, ts: np.ndarray, cutoffs: tuple[Cutoff, ...]) -> _Counts:
    instants = np.array([c.us for c in cutoffs], dtype=np.int64)
    by_age = np.zeros((len(cutoffs), _DAYS), dtype=np.int64)
    for phase in {c.us % DAY for c in cutoffs}:
        # All cutoffs at one time of day share their days.
        last = (instants - phase) // DAY
        by_day = np.bincount(np.maximum(ts - phase, 0) // DAY, minlength=max(last.max(), 0))
        for k in np.flatnonzero(instants % DAY == phase):
            ages = by_day[max(last[k] - _DAYS, 0) : max(last[k], 0)][::-1]
            by_age[k, : len(ages)] = ages
    fresh = np.diff(customer, prepend=-1) != 0
    seen_by = first_observer(ts, instants)
    newcomers = np.bincount(seen_by[fresh], minlength=len(cutoffs) + 1).cumsum()[:-1]
    days = np.minimum(-(-np.diff(ts, prepend=0)[~fresh] // DAY), _LONGEST_GAP)
    cell = seen_by[~fresh] * (_LONGEST_GAP + 1) + days
    found = np.bincount(cell, minlength=(len(cutoffs) + 1) * (_LONGEST_GAP + 1))
    gaps = found.reshape(len(cutoffs) + 1, -1).cumsum(axis=0)[:-1]
    return _Counts(by_age, newcomers, gaps)
