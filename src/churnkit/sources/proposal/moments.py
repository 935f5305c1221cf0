"""Which way a column of times is written: the format and calendar under which its cells read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from churnkit.clock import DAY
from churnkit.logs.reading import TEXT_TYPES, folded, instant, trimmed
from churnkit.logs.schema import LogMapping
from churnkit.logs.sql import quoted

if TYPE_CHECKING:
    import duckdb

_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %H:%M:%S")
_DATES = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y",
    "%d-%m-%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y",
    "%b %d %Y", "%Y.%m.%d",
)  # fmt: skip
_PATTERNS = (
    *(date + clock for date in _DATES for clock in _CLOCKS),
    "%Y-%m-%d %H:%M:%S %z", "%Y/%m/%d %I:%M:%S %p", "%Y-%m-%d %I:%M %p", "%Y-%m-%d %H.%M.%S",
    "%d/%b/%Y:%H:%M:%S %z", "%b %d, %Y, %I:%M:%S %p", "%b %d, %Y, %I:%M %p",
    "%a %b %d %H:%M:%S %Y", "%a, %d %b %Y %H:%M:%S %z",
)  # fmt: skip
_PARTS = {
    "%Y": r"\d{4}", "%y": r"\d{2}", "%b": "[A-Za-z]{3}", "%B": "[A-Za-z]{3,9}", "%a": "[A-Za-z]{3}",
    "%p": "[AaPp][Mm]", "%z": r"[-+]\d\d:?\d\d",
}  # fmt: skip
_OTHERS = {
    r"1[345]\d\d[-/.]?\d{1,2}[-/.]?\d{1,2}([ T].*)?": LogMapping(calendar="jalali"),
    r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T].*)?": LogMapping(),
    r"\d{9,10}(\.\d*)?": LogMapping(time_format="epoch_s"),
    r"\d{12,13}(\.0*)?": LogMapping(time_format="epoch_ms"),
    r"(19|20)\d{6}": LogMapping(time_format="%Y%m%d"),
    r"(19|20)\d{12}": LogMapping(time_format="%Y%m%d%H%M%S"),
}
_PLAUSIBLE = "BETWEEN epoch_us(TIMESTAMP '1990-01-01') AND epoch_us(TIMESTAMP '2100-01-01')"
_NUMBER = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL.*|DOUBLE|FLOAT)$")
_LOOKED_AT = 200
_MOST = 0.5
_YEARS = 40 * 366 * DAY


@dataclass(frozen=True)
class Moments:
    """How the cells of a column read as times.

    Attributes
    ----------
    time_format, calendar
        As in `LogMapping`; ``None`` for ISO text and real timestamps.
    share
        Share of the filled cells that read so, 0 to 1.
    days
        Whether all times are at midnight: the log knows days, not hours.
    first, last
        Earliest and latest, microseconds UTC with naive times taken as UTC.
    rival
        Another pattern that reads the cells just as well, if there is one.
    """

    time_format: str | None
    calendar: str
    share: float
    days: bool
    first: int
    last: int
    rival: str | None = None


def moments(con: duckdb.DuckDBPyConnection, values: str, sql_type: str) -> Moments | None:
    """How the values of a column read as times; ``None`` if most of them do not.

    Parameters
    ----------
    con
        Connection that holds the values.
    values
        Table of distinct filled values ``v`` and how often each occurs, ``n``.
    sql_type
        Type of the column.
    """
    candidates = _candidates(con, values, sql_type)
    read = [_readings(con, values, sql_type, mapping) for mapping in candidates]
    sound = [m for m in read if m.share > _MOST and _is_sound(m, sql_type)]
    if not sound:
        return None
    best = max(sound, key=lambda m: m.share)  # the first of equals
    return _with_rival(best, [m for m in sound if m is not best])


def _candidates(con: duckdb.DuckDBPyConnection, values: str, sql_type: str) -> list[LogMapping]:
    """The formats that cells of this shape may be in."""
    if sql_type.startswith(("TIMESTAMP", "DATE")):
        return [LogMapping()]
    if sql_type not in TEXT_TYPES and not _NUMBER.match(sql_type):
        return []
    rows = con.sql(
        f"SELECT {trimmed(folded('v'))} FROM {values} ORDER BY hash(v) LIMIT {_LOOKED_AT}"
    ).fetchall()
    texts = [text for (text,) in rows if text]
    return [
        mapping
        for shape, mapping in _shapes().items()
        if sum(map(bool, map(shape.fullmatch, texts))) > _MOST * len(texts)
    ]


@cache
def _shapes() -> dict[re.Pattern[str], LogMapping]:
    """Shape of a cell → the format that such cells may be in."""
    patterns = {_shape(p): LogMapping(time_format=p) for p in _PATTERNS}
    return {re.compile(s): mapping for s, mapping in _OTHERS.items()} | patterns


def _shape(pattern: str) -> re.Pattern[str]:
    # The same shape is kept once for each pattern: "%d/%m/%Y" and "%m/%d/%Y" look alike.
    parts = re.split("(%[A-Za-z])", pattern)
    told = (_PARTS.get(p, r"\d{1,2}") if p.startswith("%") else re.escape(p) for p in parts)
    return re.compile(f"{''.join(told)}(?#{pattern})")


def _readings(
    con: duckdb.DuckDBPyConnection, values: str, sql_type: str, mapping: LogMapping
) -> Moments:
    us = instant("v", sql_type, mapping, "UTC")
    ((share, days, first, last),) = con.sql(
        f"SELECT sum(n) FILTER (us {_PLAUSIBLE}) / sum(n), bool_and(us % {DAY} = 0) "
        f"FILTER (us {_PLAUSIBLE}), min(us) FILTER (us {_PLAUSIBLE}), max(us) FILTER "
        f"(us {_PLAUSIBLE}) FROM (SELECT {us} AS us, n FROM {values})"
    ).fetchall()
    return Moments(
        mapping.time_format, mapping.calendar, share or 0.0, bool(days), first or 0, last or 0
    )


def _is_sound(read: Moments, sql_type: str) -> bool:
    """Whether numbers that read as times are more than numbers that happen to."""
    if read.time_format in {"epoch_s", "epoch_ms"}:
        return 7 * DAY < read.last - read.first < _YEARS
    return sql_type in TEXT_TYPES or read.last - read.first < _YEARS


def _with_rival(best: Moments, others: list[Moments]) -> Moments:
    rival = next(
        (m for m in others if m.share >= best.share and _days_first(m) != _days_first(best)), None
    )
    told = rival.time_format if rival else None
    return Moments(
        best.time_format, best.calendar, best.share, best.days, best.first, best.last, told
    )


def _days_first(read: Moments) -> bool:
    return (read.time_format or "").startswith("%d")


def share_in_order(
    con: duckdb.DuckDBPyConnection, table: str, column: str, sql_type: str, time_format: str
) -> float:
    """Share of the rows, as the file has them, that are not earlier than the row before."""
    us = instant(quoted(column), sql_type, LogMapping(time_format=time_format), "UTC")
    ((share,),) = con.sql(
        f"SELECT avg((us >= before)::INT) FROM (SELECT {us} AS us, lag({us}) OVER () AS before "
        f"FROM {table}) WHERE before IS NOT NULL"
    ).fetchall()
    return float(share or 0.0)
