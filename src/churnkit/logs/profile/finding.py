"""`Finding`: one thing about a log that its owner should know, in plain words with figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["stop", "warn", "note"]
"""``stop``: results would be wrong; ``warn``: look before you go on; ``note``: good to know."""

SEVERITIES: tuple[Severity, ...] = ("stop", "warn", "note")
_SHOWN_WHOLE = 40
_HIDDEN_BELOW = 4


@dataclass(frozen=True)
class Finding:
    """One thing found in a log.

    Attributes
    ----------
    code
        What kind of finding it is, such as ``ids_decimal``.
    severity
        See `Severity`.
    says
        The finding in plain words, with its figures.
    hint
        What to do about it; empty if there is nothing to do.
    """

    code: str
    severity: Severity
    says: str
    hint: str = ""

    def told(self) -> dict[str, str]:
        """JSON-ready values."""
        return asdict(self)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The same findings, the most severe first; equals keep their order."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def masked(text: str) -> str:
    """A value as it may be shown to anybody: its shape, with its first and last character.

    Digits become 9 and letters x or X; other signs stay, since they often are the fault. Values
    of less than four characters show nothing of themselves, long ones are cut.

    >>> masked("ann@shop.example"), masked("12,50 EUR"), masked("ten"), masked("2024-02-30")
    ('axx@xxxx.xxxxxxe', '19,99 XXR', 'xxx', '2999-99-90')
    """
    if len(text) > _SHOWN_WHOLE:
        return f"{_edged(text[:_SHOWN_WHOLE])[:-1]}… ({len(text):,} characters)"
    return _edged(text) if len(text) >= _HIDDEN_BELOW else "".join(map(_shape, text))


def outline(text: str) -> str:
    """The shape of a value, with none of its letters and digits.

    >>> outline("ann@shop.example"), outline("12748")
    ('xxx@xxxx.xxxxxxx', '99999')
    """
    return "".join(map(_shape, text[:_SHOWN_WHOLE]))


def _edged(text: str) -> str:
    return text[0] + "".join(map(_shape, text[1:-1])) + text[-1]


def _shape(sign: str) -> str:
    if sign.isalpha():
        return "X" if sign.isupper() else "x"
    if sign.isalnum():
        return "9"
    return sign if sign.isprintable() else "·"


def some(count: int, noun: str, nouns: str = "") -> str:
    """A count with its noun.

    >>> some(1, "row"), some(2500, "row"), some(2, "day", "days in a row")
    ('1 row', '2,500 rows', '2 days in a row')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {nouns or noun + 's'}"


def share(part: float, whole: float) -> str:
    """A part of a whole in per cent; none and all are kept for exactly that.

    >>> share(0, 10), share(1, 3), share(1, 9999), share(9999, 10000), share(10, 10)
    ('0%', '33.3%', '< 0.1%', '> 99.9%', '100%')
    """
    if part <= 0 or part >= whole:
        return "0%" if part <= 0 else "100%"
    if part / whole < 0.001:
        return "< 0.1%"
    return "> 99.9%" if part / whole > 0.999 else f"{part / whole:.1%}"


def listing(words: Iterable[str]) -> str:
    """Words in a row: ``a, b and c``.

    >>> listing(["a", "b", "c"]), listing(["a"])
    ('a, b and c', 'a')
    """
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def agree(count: int, one: str, many: str) -> str:
    """The form of a verb that goes with a count.

    >>> agree(1, "holds", "hold"), agree(7, "holds", "hold")
    ('holds', 'hold')
    """
    return one if count == 1 else many
