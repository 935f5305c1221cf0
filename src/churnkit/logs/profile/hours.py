"""What the hours of a log say about its clock: days or seconds, and whether the zone fits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from churnkit.clock import SECOND, zone_named
from churnkit.logs.profile.counts import SLOTS, Counts
from churnkit.logs.profile.finding import Finding, agree, share, some
from churnkit.logs.profile.volumes import Timeline
from churnkit.logs.sql import literal

_NIGHT = slice(4, 20)  # quarters of an hour from 01:00 to 05:00
_AT_NIGHT, _ENOUGH = 0.4, 200
_MANY_DAYS = 20
_NAIVE_TYPES = {"TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S", "VARCHAR"}
_NAIVE_TEXT = r"^\s*\d{4}[-/]\d+[-/]\d+[ T][\d:.]+\s*$"  # ISO text without an offset or a zone
_MIXED = (0.05, 0.99)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def resolution(told: Timeline) -> str:
    """``"day"`` if every time is one and the same time of day, else ``"second"``."""
    return "day" if _is_one_time(told) else "second"


def hour_counts(told: Timeline) -> list[int]:
    """Rows by hour of the local day, 24 of them."""
    counted = np.bincount(told.slot, told.rows, SLOTS).reshape(24, 4).sum(axis=1)
    return [int(n) for n in counted]


def hour_findings(counts: Counts, told: Timeline) -> Iterator[Finding]:
    """Dates without a time, midnights among times, odd hours, hours that do not exist."""
    if _is_one_time(told):
        yield from _days_only(counts.zone, int(told.slot[0]))
        return
    yield from _midnights(told)
    yield from _at_night(counts.zone, told)
    yield from _skipped_hours(counts, told)


def _is_one_time(told: Timeline) -> bool:
    if told.exact.sum() < told.rows.sum():
        return False
    slots = np.unique(told.slot)
    if len(told.days[0]) < _MANY_DAYS:
        return len(slots) == 1 and slots[0] == 0
    # Clocks that change move a time of day by an hour, so that two of them may be one.
    return len(slots) == 1 or (len(slots) == 2 and slots[1] - slots[0] == 4)


def _days_only(zone: str, slot: int) -> Iterator[Finding]:
    if slot == 0:
        yield Finding(
            "days_only", "note",
            "all times are 00:00: the log knows days, not hours, so the order of what "
            "happened within a day is unknown",
        )  # fmt: skip
    else:
        yield Finding(
            "dates_shifted", "warn",
            f"all times are {slot // 4:02d}:{slot % 4 * 15:02d} in {zone}: perhaps dates that were "
            "written as midnight of another zone, so that some fall on the wrong day",
            "If so, give them as plain dates, or set timezone in [question] to the zone they "
            "are midnight in.",
        )  # fmt: skip


def _midnights(told: Timeline) -> Iterator[Finding]:
    at_midnight, rows = int(told.exact[told.slot == 0].sum()), int(told.rows.sum())
    if _MIXED[0] < at_midnight / rows < _MIXED[1] and at_midnight >= 20:
        yield Finding(
            "midnights_among_times", "warn",
            f"{share(at_midnight, rows)} of the rows stand at 00:00 sharp, the others have a time "
            "of day: dates without a time may be mixed in",
            "Such rows count as the first of their day, even if they happened later.",
        )  # fmt: skip


def _at_night(zone: str, told: Timeline) -> Iterator[Finding]:
    timed = np.bincount(told.slot, told.rows, SLOTS)
    timed[0] -= told.exact[told.slot == 0].sum()  # dates without a time are no night work
    night, rows = timed[_NIGHT].sum(), timed.sum()
    if rows >= _ENOUGH and night > _AT_NIGHT * rows:
        yield Finding(
            "busy_nights", "warn",
            f"{share(night, rows)} of the rows lie between 01:00 and 05:00 in {zone}",
            "Are the times in UTC and the business elsewhere, or the other way round? Set "
            "timezone in [question], or give the times with their offset.",
        )  # fmt: skip


def _skipped_hours(counts: Counts, told: Timeline) -> Iterator[Finding]:
    sql_type = counts.columns["raw_ts"]
    gaps = _gaps(counts.zone, int(told.day[0]), int(told.day[-1]))
    if not gaps or sql_type not in _NAIVE_TYPES:
        return
    # What the clock skipped was moved forward by the gap, so the hour after it is looked at.
    near = " OR ".join(f"ts BETWEEN {us} AND {us + length - 1}" for us, length in gaps)
    moved = ", ".join(str(length) for length in sorted({length for _, length in gaps}))
    as_read = f"timezone({literal(counts.zone)}, make_timestamptz(ts))"
    as_written = "TRY_CAST(CAST(raw_ts AS VARCHAR) AS TIMESTAMP)"
    naive = f"regexp_matches(raw_ts, '{_NAIVE_TEXT}')" if sql_type == "VARCHAR" else "true"
    (rows, example) = counts.one(
        f"SELECT count(*), min(CAST(raw_ts AS VARCHAR)) FROM {counts.log}_kept WHERE ({near}) "
        f"AND {naive} AND epoch_us({as_read}) - epoch_us({as_written}) IN ({moved})"
    )
    if rows:
        yield Finding(
            "skipped_hours", "warn",
            f"{some(rows, 'row')} {agree(rows, 'has', 'have')} a time that does not exist in "
            f"{counts.zone}, such as {example[:19]}: clocks skipped it",
            "The times are probably of another zone, UTC perhaps: set timezone in [question].",
        )  # fmt: skip


def _gaps(zone: str, first: int, last: int) -> list[tuple[int, int]]:
    """Instant (microseconds UTC) and length (microseconds) of each time clocks sprang forward."""
    where = zone_named(zone)
    days = [_EPOCH + timedelta(days=day) for day in range(first - 1, last + 3)]
    offsets = [day.astimezone(where).utcoffset() or timedelta(0) for day in days]
    return [
        _sprang(days[k - 1], offsets[k - 1], offsets[k], zone)
        for k in range(1, len(days))
        if offsets[k] > offsets[k - 1]
    ]


def _sprang(before: datetime, old: timedelta, new: timedelta, zone: str) -> tuple[int, int]:
    where = zone_named(zone)
    quarters = (before + timedelta(minutes=15 * k) for k in range(1, SLOTS + 1))
    at = next(q for q in quarters if q.astimezone(where).utcoffset() != old)
    return (at - _EPOCH) // timedelta(microseconds=1), round((new - old).total_seconds()) * SECOND
