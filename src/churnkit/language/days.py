"""Days in words, in the calendar and the language of who reads them."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from churnkit.language.catalogue import Catalogue

DAY = r"\d{4}-\d\d(?:-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)?)?)?"
"""What is a day, a minute of a day, or a month, in a text."""

_PARTS = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d)(?:[ T](\d\d:\d\d))?)?")
_WHOLE = re.compile(DAY)
MONTHS = (
    "Farvardin", "Ordibehesht", "Khordad", "Tir", "Mordad", "Shahrivar",
    "Mehr", "Aban", "Azar", "Dey", "Bahman", "Esfand",
)  # fmt: skip
"""The months of the Jalali calendar."""


def told(day: str, catalogue: Catalogue | None, *, jalali: bool) -> str:
    """A day in a language; a text that is none stays as it is.

    Parameters
    ----------
    day
        Such as ``2024-12-31``, with a time of the day or without, or ``2024-12``.
    catalogue
        That of the language; ``None`` for English.
    jalali
        Whether days are told in the Jalali calendar. A month is one of the Gregorian calendar,
        and stays it.
    """
    whole = _WHOLE.fullmatch(day.strip())
    if whole is None:
        return day
    year, month, number, time = _PARTS.match(whole[0]).groups()  # type: ignore[union-attr]
    try:
        of = date(int(year), int(month), int(number or 1))
    except ValueError:
        return day
    words = _words(of, catalogue, month=number is None, jalali=jalali)
    if time is None:
        return words
    if catalogue is None:
        return f"{words}, {time}"
    return catalogue.form("{day}, {time}", day=words, time=catalogue.figures(time))


def _words(of: date, catalogue: Catalogue | None, *, month: bool, jalali: bool) -> str:
    if jalali and not month and of.year > 622:
        return _jalali(of, catalogue)
    if catalogue is None:
        return of.isoformat()[: 7 if month else 10]
    return catalogue.gregorian(of, month=month)


def _jalali(of: date, catalogue: Catalogue | None) -> str:
    from persiantools.jdatetime import JalaliDate

    there = JalaliDate.to_jalali(of)  # type: ignore[no-untyped-call]
    month = MONTHS[there.month - 1]
    if catalogue is None:
        return f"{there.day} {month} {there.year}"
    return catalogue.form(
        "{day} {month} {year}",
        day=catalogue.figures(str(there.day)),
        month=catalogue.form(month),
        year=catalogue.figures(str(there.year)),
    )
