"""How checked logs show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from churnkit.clock import start_of_day
from churnkit.logs.account import LogCheck
from churnkit.notebook import Table, panel

_REASONS_TOLD = 4


@dataclass(frozen=True)
class Span:
    """The events of a log as they are now.

    Attributes
    ----------
    events, customers
        How many.
    first, last
        Local day of the first and the last of them; empty without events.
    """

    events: int
    customers: int
    first: str = ""
    last: str = ""

    @classmethod
    def of(cls, customer: np.ndarray, ts: np.ndarray, zone: str) -> Span:
        """Of events that are sorted by customer."""
        if not len(ts):
            return cls(0, 0)
        customers = 1 + int(np.count_nonzero(np.diff(customer)))
        days = (str(start_of_day(int(us), zone)) for us in (ts.min(), ts.max()))
        return cls(len(ts), customers, *days)


def logs_html(
    customers: int, zone: str, spans: Mapping[str, Span], checks: Sequence[LogCheck] = ()
) -> str:
    """Each log: rows, events, customers, from when to when, and what was set aside.

    Parameters
    ----------
    customers
        Of any log.
    zone
        Business time zone.
    spans
        Log → its events.
    checks
        What became of the rows; none where events were left out or changed since.
    """
    read = {check.log: check for check in checks}
    title = f"Logs: {_some(customers, 'customer')}, days in {zone}"
    rows = [_row(log, spans.get(log), read.get(log)) for log in dict.fromkeys((*spans, *read))]
    if not checks:
        header = ("log", "events", "customers", "first", "last")
        return panel(title, tables=[Table(header, [(row[0], *row[2:6]) for row in rows])])
    whole = ("log", "rows", "events", "customers", "first", "last", "set aside")
    return panel(title, tables=[Table(whole, rows)])


def logs_line(customers: int, spans: Mapping[str, Span]) -> str:
    """The same in one line."""
    told = ", ".join(f"{log} {span.events:,}" for log, span in spans.items()) or "none"
    days = [day for span in spans.values() for day in (span.first, span.last) if day]
    between = f"; {min(days)} to {max(days)}" if days else ""
    return f"<Logs: {_some(customers, 'customer')}; events: {told}{between}>"


def _row(log: str, span: Span | None, check: LogCheck | None) -> tuple[object, ...]:
    """Name, rows, events, customers, first, last, set aside."""
    rows = None if check is None else check.read
    aside = None if check is None else _set_aside(check.rejected.items())
    if span is None:  # the customers: a log without events
        return log, rows, None, None if check is None else check.customers, None, None, aside
    return log, rows, span.events, span.customers, span.first, span.last, aside


def _set_aside(rejected: Iterable[tuple[str, int]]) -> str:
    counted = list(rejected)
    told = [f"{n:,} {reason}" for reason, n in counted[:_REASONS_TOLD]]
    others = sum(n for _, n in counted[_REASONS_TOLD:])
    return ", ".join([*told, *([f"{others:,} for other reasons"] if others else [])]) or "none"


def _some(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
