"""`Logs`: the checked events of all customers, sorted, as numpy columns.

`CustomerLogs` is what can be asked of logs wherever their events are: in memory (`Logs`), or on
disk (`churnkit.logs.store.StoredLogs`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np

from churnkit.clock import Cutoff, day_after, seen_before, start_of_day
from churnkit.logs.account import LogCheck
from churnkit.logs.schema import Instrument

if TYPE_CHECKING:
    import pyarrow as pa

CUSTOMERS_AT_ONCE = 20_000
"""Customers of a block, at most."""

EVENTS_AT_ONCE = 500_000
"""Events of a block, at most, as long as it is not one customer who has more."""

LINE = "line_"
"""How the columns of the lines are called among the measures of the purchases."""


class CustomerLogs(Protocol):
    """What can be asked of checked logs, wherever their events are kept."""

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The declared survey scales."""

    @property
    def zone(self) -> str:
        """Business time zone."""

    @property
    def checks(self) -> tuple[LogCheck, ...]:
        """What became of the rows of each log."""

    @property
    def rejected(self) -> pa.Table | None:
        """Arrow table of the rows set aside, ``None`` if the logs were cut from others."""

    @property
    def measures(self) -> dict[str, tuple[str, ...]]:
        """Log → its measures, sorted; those of the purchases hold the columns of the lines too.

        These have `LINE` before their names. A log that is absent is left out.
        """

    @property
    def has_amounts(self) -> bool:
        """Whether purchases come with money."""

    @property
    def customer_count(self) -> int:
        """Number of customers of any log."""

    def blocks(self) -> Iterator[Logs]:
        """Runs of whole customers, in order of their ids; each time from the first."""

    def words(self, log: str, measure: str, before: Cutoff) -> dict[str, int]:
        """How many events before a cutoff have each word of a text measure; only those seen."""

    def first_day(self, of: str) -> Cutoff:
        """Start of the first day of a log, in the business zone."""

    def last_day(self, of: str) -> Cutoff:
        """Start of the last day of a log, stragglers left aside; see `Logs.last_day`."""

    def day_after_last(self, of: str) -> Cutoff:
        """Start of the day after the last day of a log: all of it is known by then."""


def rank_of_the_last(count: int) -> int:
    """Position, among so many sorted events, of the one whose day is the last of a log.

    99.99 % of the events have come by then: a handful of stragglers, such as mistyped years,
    does not move the end of the log.
    """
    return -(-count * 9999 // 10_000) - 1


def block_edges(sizes: np.ndarray, customers: int, events: int) -> list[int]:
    """Where blocks of whole customers begin, and where the last of them ends.

    Parameters
    ----------
    sizes
        Events per customer.
    customers, events
        What a block holds at most; a single customer may have more events.

    Examples
    --------
    >>> block_edges(np.array([1, 1, 1, 9, 1]), customers=2, events=5)
    [0, 2, 3, 4, 5]
    """
    total = np.concatenate(([0], np.cumsum(sizes)))
    edges = [0]
    while edges[-1] + 1 < len(total):
        start = edges[-1]
        full = int(np.searchsorted(total, total[start] + events, side="right")) - 1
        edges.append(min(max(full, start + 1), start + customers, len(sizes)))
    return edges


@dataclass(frozen=True)
class Events:
    """The events of one log, sorted by customer, time and content.

    Attributes
    ----------
    customer
        Position of the customer in `Logs.customer_ids`, int64, rising.
    ts
        Microseconds UTC, int64, rising within a customer.
    columns
        Measure → int64 array of the same length, in the units of `churnkit.logs.schema`;
        text measures hold positions in their vocabulary.
    vocabularies
        Text measure → its sorted words.
    """

    customer: np.ndarray
    ts: np.ndarray
    columns: Mapping[str, np.ndarray]
    vocabularies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ts)

    def where(self, mask: np.ndarray) -> Events:
        """The events for which the boolean mask holds, in the same order."""
        columns = {name: values[mask] for name, values in self.columns.items()}
        return replace(self, customer=self.customer[mask], ts=self.ts[mask], columns=columns)

    def of(self, measure: str, word: str) -> Events:
        """The events whose text measure is that word; none if the word never occurs."""
        return self.where(self.is_word(measure, word))

    def either(self, measure: str, *words: str) -> Events:
        """The events whose text measure is one of the words."""
        return self.where(np.logical_or.reduce([self.is_word(measure, word) for word in words]))

    def other_than(self, measure: str, *words: str) -> Events:
        """The events whose text measure is any other word."""
        found = [self.is_word(measure, w) for w in words if w in self.vocabularies[measure]]
        return self.where(~np.logical_or.reduce(found)) if found else self

    def is_word(self, measure: str, word: str) -> np.ndarray:
        """Boolean mask of the events whose text measure is that word."""
        words = self.vocabularies[measure]
        return self.columns[measure] == (words.index(word) if word in words else -1)

    def with_words_that_occur(self) -> Events:
        """The same events without the words that none of them has."""
        columns, vocabularies = dict(self.columns), {}
        for measure, words in self.vocabularies.items():
            occurring, columns[measure] = np.unique(self.columns[measure], return_inverse=True)
            vocabularies[measure] = tuple(words[k] for k in occurring)
        return replace(self, columns=columns, vocabularies=vocabularies)

    def words(self, measure: str, before: Cutoff) -> dict[str, int]:
        """How many events before a cutoff have each word of a text measure; only those seen."""
        seen = self.columns[measure][seen_before(self.ts, before)]
        words = self.vocabularies[measure]
        counts = np.bincount(seen, minlength=len(words)).tolist()
        return {word: n for word, n in zip(words, counts, strict=True) if n}

    def between_customers(self, start: int, stop: int) -> Events:
        """The events of the customers ``start <= position < stop``, renumbered from zero."""
        lo, hi = np.searchsorted(self.customer, [start, stop])
        columns = {name: values[lo:hi] for name, values in self.columns.items()}
        return replace(
            self, customer=self.customer[lo:hi] - start, ts=self.ts[lo:hi], columns=columns
        )


@dataclass(frozen=True)
class Logs:
    """Everything known about the customers, checked, sorted and ready for the kernel.

    Attributes
    ----------
    customer_ids
        Sorted text ids, one per customer of any log.
    purchases, activity, surveys
        The events of each log, ``None`` where the log is absent.
    lines
        What was bought: for each customer and instant of a sale the distinct ``product``,
        ``category`` and ``channel``, those of them that are mapped, as hashes, 0 where the cell
        is blank. ``None`` if none is mapped. They belong to the purchases and are no log.
    yearly_value
        Yearly margin per customer in money, NaN where unknown; ``None`` without that column.
    instruments
        The declared survey scales.
    zone
        Business time zone.
    checks
        What became of the rows of each log.
    rejected
        Arrow table of the rows set aside, see `churnkit.logs.quarantine.rejected_rows`; ``None``
        if the logs were cut from others.
    """

    customer_ids: np.ndarray
    purchases: Events | None = None
    activity: Events | None = None
    surveys: Events | None = None
    lines: Events | None = None
    yearly_value: np.ndarray | None = None
    instruments: tuple[Instrument, ...] = ()
    zone: str = "UTC"
    checks: tuple[LogCheck, ...] = ()
    rejected: pa.Table | None = None

    @property
    def events(self) -> dict[str, Events]:
        """Log name → events, for the logs that are present."""
        logs = {"purchases": self.purchases, "activity": self.activity, "surveys": self.surveys}
        return {name: events for name, events in logs.items() if events is not None}

    @property
    def measures(self) -> dict[str, tuple[str, ...]]:
        """Log → its measures, sorted; those of the purchases hold the columns of the lines too.

        These have `LINE` before their names.
        """
        names = {log: set(events.columns) for log, events in self.events.items()}
        if self.lines is not None:
            names["purchases"] |= {LINE + name for name in self.lines.columns}
        return {log: tuple(sorted(measures)) for log, measures in names.items()}

    @property
    def has_amounts(self) -> bool:
        """Whether purchases come with money."""
        return self.purchases is not None and "amount" in self.purchases.columns

    @property
    def customer_count(self) -> int:
        """Number of customers of any log."""
        return len(self.customer_ids)

    def before(self, cutoff: Cutoff) -> Logs:
        """The same logs as they stood at a cutoff: events with ``ts < cutoff`` and their words."""
        return self._cut(
            lambda events: events.where(seen_before(events.ts, cutoff)).with_words_that_occur()
        )

    def blocks(
        self, customers: int = CUSTOMERS_AT_ONCE, events: int = EVENTS_AT_ONCE
    ) -> Iterator[Logs]:
        """The logs cut into runs of whole customers, in order; see `block_edges`."""
        edges = block_edges(self._events_per_customer(), customers, events)
        for start, stop in pairwise(edges):
            yield self._between_customers(start, stop)

    def words(self, log: str, measure: str, before: Cutoff) -> dict[str, int]:
        """How many events before a cutoff have each word of a text measure; only those seen."""
        return self.events[log].words(measure, before)

    def first_day(self, of: str) -> Cutoff:
        """Start of the first day of a log, in the business zone."""
        return start_of_day(int(self.events[of].ts.min()), self.zone)

    def last_day(self, of: str) -> Cutoff:
        """Start of the last day of a log, in the business zone.

        The day by which 99.99 % of the events have come: a handful of stragglers, such as
        mistyped years, does not move the end of the log.
        """
        ts = self.events[of].ts
        rank = rank_of_the_last(len(ts))
        return start_of_day(int(np.partition(ts, rank)[rank]), self.zone)

    def day_after_last(self, of: str) -> Cutoff:
        """Start of the day after the last day of a log: all of it is known by then."""
        return day_after(self.last_day(of).us, self.zone)

    def _events_per_customer(self) -> np.ndarray:
        n = len(self.customer_ids)
        sizes = np.zeros(n, dtype=np.int64)
        for events in (*self.events.values(), self.lines):
            if events is not None:
                sizes += np.bincount(events.customer, minlength=n)
        return sizes

    def _between_customers(self, start: int, stop: int) -> Logs:
        value = None if self.yearly_value is None else self.yearly_value[start:stop]
        return replace(
            self._cut(lambda events: events.between_customers(start, stop)),
            customer_ids=self.customer_ids[start:stop],
            yearly_value=value,
        )

    def _cut(self, cut: Callable[[Events], Events]) -> Logs:
        events = {name: cut(events) for name, events in self.events.items()}
        lines = None if self.lines is None else cut(self.lines)
        return replace(self, **events, lines=lines, rejected=None)  # type: ignore[arg-type]
