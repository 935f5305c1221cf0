"""`Logs`: the checked events of all customers, sorted, as numpy columns.

`CustomerLogs` is what can be asked of logs wherever their events are: in memory (`Logs`), or on
disk (`churnkit.logs.store.StoredLogs`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np

from churnkit.clock import Cutoff, day_after, seen_before, start_of_day
from churnkit.logs.account import LogCheck
from churnkit.logs.schema import Instrument
from churnkit.logs.shown import Span, logs_html, logs_line

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

    @property
    def static_columns(self) -> tuple[str, ...]:
        """Names of the columns of the customers that are declared never to change."""

    def blocks(self) -> Iterator[Logs]:
        """Runs of whole customers, in order of their ids; each time from the first."""

    def words(self, log: str, measure: str, before: Cutoff, having: str = "") -> dict[str, int]:
        """How many events before a cutoff have each word of a text measure; only those seen.

        With ``having`` only events of which that measure is not zero are counted.
        """

    def static_words(self, before: Cutoff) -> dict[str, dict[str, int]]:
        """Static column → its words, and how many of the customers known before a cutoff have each.

        Known is who has an event of any log.
        """

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


def measures_of(
    columns: Mapping[str, Collection[str]], lines: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Log → its measures, sorted, see `CustomerLogs.measures`.

    Parameters
    ----------
    columns
        Log → its measures.
    lines
        The columns of the lines of the purchases, none if there are no lines.
    """
    of_lines = [LINE + name for name in lines]
    return {
        log: tuple(sorted([*names, *of_lines] if log == "purchases" else names))
        for log, names in columns.items()
    }


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

    def where(self, rows: np.ndarray | slice) -> Events:
        """The events for which a boolean mask holds, or those at some positions, in their order.

        Whoever gives positions sees to it that customers and times rise in the end.
        """
        columns = {name: values[rows] for name, values in self.columns.items()}
        return replace(self, customer=self.customer[rows], ts=self.ts[rows], columns=columns)

    def of(self, measure: str, word: str) -> Events:
        """The events whose text measure is that word; none if the word never occurs."""
        return self.where(self.is_word(measure, word))

    def either(self, measure: str, *words: str) -> Events:
        """The events whose text measure is one of the words."""
        return self.where(self.is_word(measure, *words))

    def other_than(self, measure: str, *words: str) -> Events:
        """The events whose text measure is any other word."""
        found = self.is_word(measure, *words)
        return self.where(~found) if found.any() else self

    def is_word(self, measure: str, *words: str) -> np.ndarray:
        """Boolean mask of the events whose text measure is one of the words."""
        asked = np.array([word in words for word in self.vocabularies[measure]], dtype=bool)
        return asked.take(self.columns[measure])

    def with_words_that_occur(self) -> Events:
        """The same events without the words that none of them has."""
        columns, vocabularies = dict(self.columns), {}
        for measure, words in self.vocabularies.items():
            occurring, columns[measure] = np.unique(self.columns[measure], return_inverse=True)
            vocabularies[measure] = tuple(words[k] for k in occurring)
        return replace(self, columns=columns, vocabularies=vocabularies)

    def words(self, measure: str, before: Cutoff, having: str = "") -> dict[str, int]:
        """How many events before a cutoff have each word of a text measure; only those seen.

        With ``having`` only events of which that measure is not zero are counted.
        """
        counted = seen_before(self.ts, before)
        if having:
            counted = counted & (self.columns[having] != 0)
        seen = self.columns[measure][counted]
        words = self.vocabularies[measure]
        counts = np.bincount(seen, minlength=len(words)).tolist()
        return {word: n for word, n in zip(words, counts, strict=True) if n}

    def between_customers(self, start: int, stop: int) -> Events:
        """The events of the customers ``start <= position < stop``, renumbered from zero."""
        theirs = self.where(slice(*np.searchsorted(self.customer, [start, stop])))
        return replace(theirs, customer=theirs.customer - start)


@dataclass(frozen=True)
class Texts:
    """One text per customer.

    Attributes
    ----------
    words
        The texts that may occur, each once.
    code
        Position of each customer's text in ``words``, -1 where it is missing, int64.
    """

    words: tuple[str, ...]
    code: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str | None]) -> Texts:
        """The texts of customers; ``None`` where missing.

        >>> Texts.of(["b", None, "a", "b"]).words
        ('a', 'b')
        """
        words = tuple(sorted({text for text in texts if text is not None}))
        number: dict[str | None, int] = {word: k for k, word in enumerate(words)}
        return cls(words, np.array([number.get(text, -1) for text in texts], dtype=np.int64))

    def where(self, rows: np.ndarray | slice) -> Texts:
        """Those of the customers for which a mask holds, or at some positions."""
        return replace(self, code=self.code[rows])

    def counts(self) -> dict[str, int]:
        """How many customers have each text; only those that occur."""
        found = np.bincount(self.code + 1, minlength=len(self.words) + 1)[1:].tolist()
        return {word: n for word, n in zip(self.words, found, strict=True) if n}

    def as_list(self) -> list[str | None]:
        """The text of each customer."""
        known: tuple[str | None, ...] = (*self.words, None)  # -1 is the last one
        return [known[k] for k in self.code.tolist()]


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
    static
        Column of the customers log that is declared never to change → its text per customer.
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
    static: Mapping[str, Texts] = field(default_factory=dict)
    instruments: tuple[Instrument, ...] = ()
    zone: str = "UTC"
    checks: tuple[LogCheck, ...] = ()
    rejected: pa.Table | None = None

    def __repr__(self) -> str:
        return logs_line(self.customer_count, self._spans)

    def _repr_html_(self) -> str:
        """What a notebook shows: each log, and what was set aside."""
        told = () if self.rejected is None else self.checks  # of events as they were read
        return logs_html(self.customer_count, self.zone, self._spans, told)

    @property
    def _spans(self) -> dict[str, Span]:
        return {
            log: Span.of(events.customer, events.ts, self.zone)
            for log, events in self.events.items()
        }

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
        columns = {log: events.columns for log, events in self.events.items()}
        return measures_of(columns, () if self.lines is None else self.lines.columns)

    @property
    def has_amounts(self) -> bool:
        """Whether purchases come with money."""
        return self.purchases is not None and "amount" in self.purchases.columns

    @property
    def customer_count(self) -> int:
        """Number of customers of any log."""
        return len(self.customer_ids)

    @property
    def static_columns(self) -> tuple[str, ...]:
        """Names of the columns of the customers that are declared never to change."""
        return tuple(self.static)

    def before(self, cutoff: Cutoff) -> Logs:
        """The same logs as they stood at a cutoff: events with ``ts < cutoff`` and their words."""
        return self.each(
            lambda events: events.where(seen_before(events.ts, cutoff)).with_words_that_occur()
        )

    def each(self, change: Callable[[Events], Events]) -> Logs:
        """The same logs with the events of each, and the lines, changed."""
        return self.with_events(
            {log: change(events) for log, events in self.events.items()},
            None if self.lines is None else change(self.lines),
        )

    def with_events(self, events: Mapping[str, Events], lines: Events | None) -> Logs:
        """The same customers with other events by log, and other lines; a log not given is absent.

        What was set aside is told no longer.
        """
        return replace(
            self,
            purchases=events.get("purchases"),
            activity=events.get("activity"),
            surveys=events.get("surveys"),
            lines=lines,
            rejected=None,
        )

    def blocks(
        self, customers: int = CUSTOMERS_AT_ONCE, events: int = EVENTS_AT_ONCE
    ) -> Iterator[Logs]:
        """The logs cut into runs of whole customers, in order; see `block_edges`."""
        edges = block_edges(self._events_per_customer(), customers, events)
        for start, stop in pairwise(edges):
            yield self._between_customers(start, stop)

    def words(self, log: str, measure: str, before: Cutoff, having: str = "") -> dict[str, int]:
        """How many events before a cutoff have each word of a text measure; only those seen.

        With ``having`` only events of which that measure is not zero are counted.
        """
        return self.events[log].words(measure, before, having)

    def static_words(self, before: Cutoff) -> dict[str, dict[str, int]]:
        """Static column → its words, and how many of the customers known before a cutoff have each.

        Known is who has an event of any log.
        """
        known = np.zeros(self.customer_count, dtype=bool)
        for events in self.events.values():
            known[events.customer[seen_before(events.ts, before)]] = True
        return {name: texts.where(known).counts() for name, texts in self.static.items()}

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
            self.each(lambda events: events.between_customers(start, stop)),
            customer_ids=self.customer_ids[start:stop],
            yearly_value=value,
            static={n: texts.where(slice(start, stop)) for n, texts in self.static.items()},
        )
