"""Jalali dates in SQL: a table of the first days of years, taken from a calendar library."""

from __future__ import annotations

from functools import cache

_YEARS = range(1250, 1601)
_WRITTEN = r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?$"
_COMPACT = r"^(\d{4})(\d\d)(\d\d)\b"
_PARTS = ("year", "month", "day", "hour", "minute", "second")


def timestamp(cell: str) -> str:
    """SQL TIMESTAMP of Jalali text: ``1403/1/5 13:45``, ``1403-01-05`` or ``14030105``.

    NULL for other text and for days that do not exist, such as 1402/12/30.
    """
    # Bound to names, since every mention of an expression is planned anew.
    dated = f"list_transform([{_numbers(cell)}], lambda p: {_with_year(_starts())})"
    return f"list_transform({dated}, lambda p: {_instant()})[1]"


def _numbers(cell: str) -> str:
    """SQL struct of the parts of a date, 0 for those that are not written."""
    parted = f"regexp_replace({cell}, '{_COMPACT}', '\\1/\\2/\\3')"
    texts = f"regexp_extract({parted}, '{_WRITTEN}', {list(_PARTS)})"
    numbers = (f"'{name}': COALESCE(TRY_CAST(t.{name} AS BIGINT), 0)" for name in _PARTS)
    return f"list_transform([{texts}], lambda t: {{{', '.join(numbers)}}})[1]"


def _with_year(starts: tuple[int, ...]) -> str:
    """SQL struct of the parts ``p``, and of the first days of their year and of the next."""
    days = f"[{', '.join(map(str, starts))}]"
    return (
        f"{{'of': p, 'begins': list_extract({days}, p.year - {_YEARS.start - 1}), "
        f"'ends': list_extract({days}, p.year - {_YEARS.start - 2})}}"
    )


def _instant() -> str:
    """SQL TIMESTAMP of a struct ``p`` of parts and year; NULL if it does not exist."""
    last = (
        "CASE WHEN p.of.month < 7 THEN 31 WHEN p.of.month < 12 THEN 30 "
        "ELSE p.ends - p.begins - 336 END"
    )
    exists = (
        f"p.of.year >= {_YEARS.start} AND p.of.month BETWEEN 1 AND 12 "
        f"AND p.of.day BETWEEN 1 AND {last} "
        "AND p.of.hour < 24 AND p.of.minute < 60 AND p.of.second < 60"
    )
    day = "p.begins + (p.of.month - 1) * 30 + least(p.of.month - 1, 6) + p.of.day - 1"
    second = f"(({day}) * 24 + p.of.hour) * 3600 + p.of.minute * 60 + p.of.second"
    return f"CASE WHEN {exists} THEN make_timestamp(CAST({second} AS BIGINT) * 1000000) END"


@cache
def _starts() -> tuple[int, ...]:
    """Days from 1970-01-01 to the first day of each year."""
    from datetime import date

    from persiantools.jdatetime import JalaliDate

    epoch = date(1970, 1, 1)
    # The library is typed but for what makes a date of it.
    firsts = (JalaliDate(year, 1, 1).to_gregorian() for year in _YEARS)  # type: ignore[no-untyped-call]
    return tuple((first - epoch).days for first in firsts)
