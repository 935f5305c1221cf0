"""Numbers as a language writes them: its digits, its signs, and the places of these."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel import Locale

_ZEROS = {
    "adlm": 0x1E950, "arab": 0x660, "arabext": 0x6F0, "beng": 0x9E6, "cakm": 0x11136,
    "deva": 0x966, "hmnp": 0x1E140, "latn": 0x30, "mtei": 0xABF0, "mymr": 0x1040, "nkoo": 0x7C0,
    "olck": 0x1C50, "tibt": 0xF20,
}  # fmt: skip
"""Where the digits of a numbering system begin: all that are the default of a locale."""

PLAIN = r"(?:\d{1,3}(?:,\d{3}){1,9}|\d{1,30})(?:\.\d{1,30})?|\.\d{1,30}"
"""An unsigned number as it is written in English."""

_NUMBER = re.compile(rf"(?<![\w.])([-−+]?)({PLAIN})([ \xa0]?%)?(?!\w|\.\d)")
_OPEN, _CLOSE = "\u2068", "\u2069"  # first strong isolate, pop directional isolate


@dataclass(frozen=True)
class Numerals:
    """How numbers are written.

    Attributes
    ----------
    digits
        English digit → digit.
    decimal, group
        The signs between digits.
    signs
        English sign → sign.
    percent
        What stands before and after a number in per cent.
    isolates
        Whether signed numbers are set apart from what surrounds them, as in scripts that are
        read from the right, where a sign would land on the wrong side.
    """

    digits: Mapping[int, str]
    decimal: str
    group: str
    signs: Mapping[str, str]
    percent: tuple[str, str]
    isolates: bool

    @classmethod
    def of(cls, locale: Locale) -> Numerals:
        """Those of a locale, by its default numbering system."""
        system = locale.default_numbering_system
        known = locale.number_symbols
        symbols = known.get(system) or known["latn"]
        zero = _ZEROS.get(system, _ZEROS["latn"])
        minus = str(symbols.get("minusSign", "-")).replace("-", "−")
        sign = str(symbols.get("percentSign", "%"))
        pattern = locale.percent_formats[None]
        before, after = (part[0].replace("%", sign) for part in (pattern.prefix, pattern.suffix))
        return cls(
            digits={ord("0") + k: chr(zero + k) for k in range(10)},
            decimal=str(symbols["decimal"]),
            group=str(symbols["group"]),
            signs={"": "", "-": minus, "−": minus, "+": str(symbols.get("plusSign", "+"))},
            percent=(before, after),
            isolates=locale.text_direction == "rtl",
        )

    def figures(self, text: str) -> str:
        """A text with its digits exchanged, and nothing else: of a year, or a time of the day."""
        return text.translate(self.digits)

    def numbers(self, text: str) -> str:
        """A text with the numbers in it as the language writes them."""
        return _NUMBER.sub(self._number, text)

    def _number(self, found: re.Match[str]) -> str:
        sign, size, percent = found.groups()
        size = f"0{size}" if size.startswith(".") else size
        whole, _, part = size.partition(".")
        written = whole.replace(",", self.group) + (self.decimal + part if part else "")
        before, after = self.percent if percent else ("", "")
        told = self.signs[sign] + before + written.translate(self.digits) + after
        return f"{_OPEN}{told}{_CLOSE}" if sign and self.isolates else told


def isolated(text: str) -> str:
    """A text of another direction, set apart from what surrounds it."""
    return f"{_OPEN}{text}{_CLOSE}"
