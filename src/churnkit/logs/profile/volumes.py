"""When the rows of a log happened: months, days without any, strays, and ends cut short."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from churnkit.logs.profile.counts import SLOT, SLOTS, Counts
from churnkit.logs.profile.finding import Finding, agree, listing, share, some
from churnkit.logs.sql import literal

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY = SLOT * SLOTS
_STRAY_SHARE, _STRAY_GAP = 0.005, 180
_LEAST_SILENCE, _SILENCE_RATIO = 3, 3
_USUAL_SILENCE = 0.95
_BUSY_DAY = 5
_THIN_MONTH, _USUAL_MONTH = 0.1, 50
_MANY_WEEKS = 8
_LATE_START = 3


@dataclass(frozen=True)
class Month:
    """A month of a log in the business zone.

    Attributes
    ----------
    month
        ``YYYY-MM``.
    rows
        Kept rows.
    money
        Sum of the amounts, ``None`` for a log without them.
    days, of
        Days of the month between the first and the last day of the log, and days it has.
    """

    month: str
    rows: int
    money: float | None
    days: int
    of: int

    def told(self) -> dict[str, Any]:
        """JSON-ready values; ``partial`` says whether the log covers only a part of the month."""
        return {**asdict(self), "partial": self.days < self.of}


@dataclass(frozen=True)
class Timeline:
    """Rows by local day and quarter of an hour, in rising order.

    Attributes
    ----------
    day
        Days since 1970-01-01 in the business zone, int64.
    slot
        Quarter of an hour of the local day, 0 to 95.
    rows, exact, money
        Rows, those of them at the full quarter, and the sum of their amounts.
    """

    day: np.ndarray
    slot: np.ndarray
    rows: np.ndarray
    exact: np.ndarray
    money: np.ndarray

    @cached_property
    def days(self) -> tuple[np.ndarray, np.ndarray]:
        """The days with rows, and the rows of each."""
        days, at = np.unique(self.day, return_inverse=True)
        return days, np.bincount(at, self.rows).astype(np.int64)

    @property
    def busy(self) -> bool:
        """Whether a usual day has so many rows that a day without any says something."""
        return bool(np.median(self.days[1]) >= _BUSY_DAY)

    def between(self, first: int, last: int) -> Timeline:
        """The same, of the days ``first`` to ``last`` inclusive."""
        kept = (self.day >= first) & (self.day <= last)
        told = (self.day, self.slot, self.rows, self.exact, self.money)
        return Timeline(*(column[kept] for column in told))


def timeline(counts: Counts) -> Timeline:
    """Rows by local day and quarter of an hour."""
    local = f"make_timestamp(slot * {SLOT})"
    if counts.zone != "UTC":
        local = f"timezone({literal(counts.zone)}, make_timestamptz(slot * {SLOT}))"
    told = counts.arrays(f"""
        SELECT epoch_us(local) // {_DAY} AS day, epoch_us(local) % {_DAY} // {SLOT} AS slot,
               sum(rows)::BIGINT AS rows, sum(exact)::BIGINT AS exact, sum(money) AS money
        FROM (SELECT *, {local} AS local FROM {counts.of("time")} WHERE slot IS NOT NULL)
        GROUP BY ALL ORDER BY day, slot""")
    return Timeline(**told)


def bulk(told: Timeline) -> tuple[Timeline, list[Finding]]:
    """The timeline without strays, and what is to be said of them.

    Strays are at most one row in 200 that a gap of half a year parts from all others: mistyped
    years, defaults such as 1970-01-01, tests with a date far ahead.
    """
    days, rows = told.days
    before, after = np.cumsum(rows), np.cumsum(rows[::-1])[::-1]
    gaps = np.diff(days)
    few = _STRAY_SHARE * rows.sum()
    early = np.flatnonzero((gaps >= _STRAY_GAP) & (before[:-1] <= few))
    late = np.flatnonzero((gaps >= _STRAY_GAP) & (after[1:] <= few))
    first = int(early[-1]) + 1 if len(early) else 0
    last = int(late[0]) if len(late) else len(days) - 1
    found = [
        *_strays("before", int(before[first - 1]) if first else 0, days[0]),
        *_strays("after", int(after[last + 1]) if last + 1 < len(days) else 0, days[-1]),
    ]
    return told.between(int(days[first]), int(days[last])), found


def _strays(side: str, rows: int, day: int) -> Iterator[Finding]:
    if rows:
        yield Finding(
            "stray_times", "warn",
            f"{some(rows, 'row')} {agree(rows, 'lies', 'lie')} half a year or more {side} all "
            f"others, as far as {date_of(day)}",
            "Look at them: a mistyped year, a default date, a test? They are kept as they are.",
        )  # fmt: skip


def months(told: Timeline, with_money: bool) -> list[Month]:
    """Every month from the first to the last day, those without rows included."""
    first, last = int(told.day[0]), int(told.day[-1])
    month = _month(told.day)
    count = int(month[-1] - month[0]) + 1
    rows = np.bincount(month - month[0], told.rows, count)
    money = np.bincount(month - month[0], told.money, count)
    made = []
    for k in range(count):
        name = np.datetime64(int(month[0]) + k, "M")
        starts, ends = (int((name + j).astype("datetime64[D]").astype(np.int64)) for j in (0, 1))
        covered = min(ends, last + 1) - max(starts, first)
        worth = round(float(money[k]), 2) if with_money else None
        made.append(Month(str(name), int(rows[k]), worth, covered, ends - starts))
    return made


def volume_findings(told: Timeline, of: list[Month]) -> Iterator[Finding]:
    """Months without rows or with hardly any, runs of empty days, weekdays, ends cut short."""
    empty = list(_empty_months(of))
    yield from empty
    if told.busy:
        yield from _thin_months(of)
        yield from _silences(told, known=bool(empty))
        yield from _weekdays(told)
    yield from _partial(of)


def date_of(day: int) -> str:
    """ISO date of a number of days since 1970-01-01."""
    return str(np.datetime64(int(day), "D"))


def _month(day: np.ndarray) -> np.ndarray:
    return day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _empty_months(of: list[Month]) -> Iterator[Finding]:
    empty = [m.month for m in of if not m.rows]
    if empty:
        shown = listing(empty[:6]) if len(empty) <= 6 else f"{', '.join(empty[:6])} …"
        yield Finding(
            "empty_months", "warn",
            f"no rows in {shown} ({len(empty)} of {some(len(of), 'month')})",
            "Was a file or a load left out? Customers look silent through such a gap.",
        )  # fmt: skip


def _thin_months(of: list[Month]) -> Iterator[Finding]:
    full = [m for m in of if m.rows and m.days == m.of]
    thin = [m for k, m in enumerate(full) if m.rows < _THIN_MONTH * _around(full, k)]
    if thin:
        shown = listing(f"{m.month} ({some(m.rows, 'row')})" for m in thin[:6])
        usual = np.median([m.rows for m in full])
        yield Finding(
            "thin_months", "warn",
            f"hardly any rows in {shown}{' …' if len(thin) > 6 else ''}, where a usual month has "
            f"{usual:,.0f}",
            "Is a load missing?",
        )  # fmt: skip


def _around(full: list[Month], k: int) -> float:
    """Rows of a usual month among the six around one; 0 where too few are known."""
    beside = [m.rows for m in full[max(k - 3, 0) : k] + full[k + 1 : k + 4]]
    usual = float(np.median(beside)) if len(beside) >= 3 else 0.0
    return usual if usual >= _USUAL_MONTH else 0.0


def _silences(told: Timeline, *, known: bool) -> Iterator[Finding]:
    """Runs of days without rows, beyond the log's own rhythm; a month long ones may be known."""
    days = told.days[0]
    empty = np.diff(days) - 1
    if not len(empty):
        return
    usual = float(np.quantile(empty, _USUAL_SILENCE))
    runs = np.flatnonzero(empty >= max(_LEAST_SILENCE, _SILENCE_RATIO * usual))
    if not len(runs):
        return
    longest = sorted(runs[np.argsort(-empty[runs], kind="stable")[:3]])
    shown = listing(f"{empty[k]} days from {date_of(days[k] + 1)}" for k in longest)
    more = f"; the longest of {len(runs)} such pauses" if len(runs) > len(longest) else ""
    month_long = bool((empty[runs] > 31).any())
    yield Finding(
        "silent_days", "warn" if month_long and not known else "note",
        f"no rows on {shown}{more}",
        "Was the shop closed, or is a load missing? Customers look silent through such a gap.",
    )  # fmt: skip


def _weekdays(told: Timeline) -> Iterator[Finding]:
    days, rows = told.days
    if days[-1] - days[0] < 7 * _MANY_WEEKS:
        return
    by_weekday = np.bincount((days + 3) % 7, rows, 7)  # 1970-01-01 was a Thursday
    closed = [k for k in range(7) if by_weekday[k] < 0.002 * rows.sum()]
    if closed:
        some_rows = by_weekday[closed].sum()
        how = f"hardly any rows ({share(some_rows, rows.sum())})" if some_rows else "no rows"
        yield Finding(
            "closed_weekdays", "note",
            f"{how} on {listing(WEEKDAYS[k] + 's' for k in closed)}",
            "Nothing to do if the shop is closed then.",
        )  # fmt: skip


def _partial(of: list[Month]) -> Iterator[Finding]:
    first, last = of[0], of[-1]
    if len(of) > 1 and last.of - last.days > 1:
        yield Finding(
            "late_partial_month", "note",
            f"the last month, {last.month}, ends on day {last.days} of {last.of}: that it has "
            f"only {some(last.rows, 'row')} is no fall in trade",
        )  # fmt: skip
    if len(of) > 1 and first.of - first.days >= _LATE_START:
        yield Finding(
            "early_partial_month", "note",
            f"the first month, {first.month}, begins on day {first.of - first.days + 1} "
            f"of {first.of}",
        )  # fmt: skip
