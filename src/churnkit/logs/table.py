"""`Logs`: the checked events of all customers, sorted, as numpy columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from churnkit.clock import Cutoff, day_after, seen_before, start_of_day
from churnkit.logs.account import LogCheck
from churnkit.logs.schema import Instrument

if TYPE_CHECKING:
    import pyarrow as pa

_STRAGGLERS = 0.9999


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

    def other_than(self, measure: str, word: str) -> Events:
        """The events whose text measure is any other word."""
        return self.where(~self.is_word(measure, word))

    def is_word(self, measure: str, word: str) -> np.ndarray:
        """Boolean mask of the events whose text measure is that word."""
        words = self.vocabularies[measure]
        return self.columns[measure] == (words.index(word) if word in words else -1)

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
    def has_amounts(self) -> bool:
        """Whether purchases come with money."""
        return self.purchases is not None and "amount" in self.purchases.columns

    def before(self, cutoff: Cutoff) -> Logs:
        """The same logs as they stood at a cutoff: events with ``ts < cutoff`` only."""
        return self._with({n: e.where(seen_before(e.ts, cutoff)) for n, e in self.events.items()})

    def blocks(self, customers: int = 20_000) -> Iterator[Logs]:
        """The logs cut into runs of whole customers, in order."""
        for start in range(0, len(self.customer_ids), customers):
            stop = min(start + customers, len(self.customer_ids))
            cut = {n: e.between_customers(start, stop) for n, e in self.events.items()}
            value = None if self.yearly_value is None else self.yearly_value[start:stop]
            yield replace(
                self._with(cut), customer_ids=self.customer_ids[start:stop], yearly_value=value
            )

    def first_day(self, of: str) -> Cutoff:
        """Start of the first day of a log, in the business zone."""
        return start_of_day(int(self.events[of].ts.min()), self.zone)

    def last_day(self, of: str) -> Cutoff:
        """Start of the last day of a log, in the business zone.

        The day by which 99.99 % of the events have come: a handful of stragglers, such as
        mistyped years, does not move the end of the log.
        """
        ts = self.events[of].ts
        return start_of_day(int(np.quantile(ts, _STRAGGLERS, method="inverted_cdf")), self.zone)

    def day_after_last(self, of: str) -> Cutoff:
        """Start of the day after the last day of a log: all of it is known by then."""
        return day_after(self.last_day(of).us, self.zone)

    def _with(self, events: Mapping[str, Events]) -> Logs:
        return replace(self, **events, rejected=None)  # type: ignore[arg-type]
