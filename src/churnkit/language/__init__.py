"""Languages: how texts, numbers and days are written for the people who read them.

What is stored, in scores, ledgers, cards and JSON, is English. A language is a view of it: pages,
call lists and customer pages are written in one, and another can be asked for at any later time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["ltr", "rtl"]


@dataclass(frozen=True)
class Language:
    """A language, with the calendar in which it tells days.

    Attributes
    ----------
    code
        Such as ``en``, ``fa``, ``ar``.
    direction
        The direction of its script.
    """

    code: str = "en"
    direction: Direction = "ltr"

    def text(self, message: str, **values: object) -> str:
        """A message of a page in this language, with its values in place."""
        return message % values if values else message

    def texts(self, one: str, many: str, n: int, **values: object) -> str:
        """A message that depends on a number, ``n``."""
        return (one if n == 1 else many) % {"n": n, **values}

    def said(self, sentence: str) -> str:
        """A stored English sentence in this language; as it is where that is not known."""
        return sentence

    def digits(self, written: str) -> str:
        """A number that is written in English, in the digits and signs of this language."""
        return written

    def day(self, day: str) -> str:
        """A day such as ``2024-12-31`` in the calendar of this language."""
        return day


ENGLISH = Language()
