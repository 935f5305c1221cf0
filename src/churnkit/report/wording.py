"""Numbers as the page writes them: ``1,234``, ``83 %``, ``.730``, and words for what is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeGuard

UNKNOWN = "not known"
_PROPER = {"auroc": "AUROC", "brier": "Brier score", "ece": "ECE"}

Estimate = Mapping[str, float | None]
"""A value with its interval: keys ``value``, ``low`` and ``high``, each of which may be None."""


def known(value: float | None) -> TypeGuard[float]:
    """Whether a number is there and finite."""
    return value is not None and math.isfinite(value)


def number(value: float | None) -> str:
    """A count or an amount of money; cents only where they matter.

    >>> number(1234), number(1234.6), number(3.456), number(None)
    ('1,234', '1,235', '3.46', 'not known')
    """
    if not known(value):
        return UNKNOWN
    digits = 0 if value == int(value) or abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def percent(share: float | None) -> str:
    """A share in [0, 1] in whole per cent; 0 and 100 are kept for exactly that.

    The space before the sign is one that does not break.

    >>> [percent(share).split() for share in (0.83, 0.001, 0.999)]
    [['83', '%'], ['<', '1', '%'], ['>', '99', '%']]
    """
    if not known(share):
        return UNKNOWN
    if 0 < share < 0.005:
        words = "< 1 %"
    elif 0.995 <= share < 1:
        words = "> 99 %"
    else:
        words = f"{100 * share:.0f} %"
    return words.replace(" ", "\xa0")


def plain(value: float | None) -> str:
    """A number for programs, with six digits that count; empty where it is not known.

    >>> plain(0.83141592), plain(1234.0), plain(None)
    ('0.831416', '1234', '')
    """
    return f"{value:.6g}" if known(value) else ""


def score(value: float | None) -> str:
    """A metric: three decimals below one, two from there on.

    >>> score(0.73), score(-0.0123), score(3.214), score(-0.0001), score(None)
    ('.730', '−.012', '3.21', '.000', 'not known')
    """
    if not known(value):
        return UNKNOWN
    size = f"{abs(value):.3f}"
    size = size[1:] if size.startswith("0") else f"{abs(value):.2f}"
    return f"−{size}" if value < 0 and float(size) else size


def interval(estimate: Estimate | None, as_percent: bool = False) -> str:
    """The interval in brackets, or nothing where either end is missing.

    >>> interval({"value": 0.73, "low": 0.71, "high": 0.75})
    '[.710, .750]'
    >>> interval(None)
    ''
    """
    low, high = (estimate or {}).get("low"), (estimate or {}).get("high")
    if not (known(low) and known(high)):
        return ""
    write = percent if as_percent else score
    return f"[{write(low)}, {write(high)}]"


def code(name: str) -> str:
    """A code such as ``missing_customer_id`` in plain words.

    >>> code("missing_customer_id"), code("auroc")
    ('missing customer id', 'AUROC')
    """
    return _PROPER.get(name, name.replace("_", " "))
