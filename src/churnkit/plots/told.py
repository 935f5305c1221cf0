"""What plots are told: values of dictionaries and of objects of the library alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Ends = tuple[float, float, float]
"""Value, low and high; NaN where not known."""


def item(thing: Any, key: str, default: Any = None) -> Any:
    """What a dictionary holds under a key, or an object as an attribute of that name."""
    if isinstance(thing, Mapping):
        return thing.get(key, default)
    return getattr(thing, key, default)


def value(number: Any) -> float:
    """A number; NaN for None."""
    return math.nan if number is None else float(number)


def ends(estimate: Any) -> Ends:
    """An estimate as three numbers: a dictionary, an `Interval`, a `Figure`, a number, or None."""
    if estimate is None or isinstance(estimate, int | float):
        return value(estimate), math.nan, math.nan
    return (
        value(item(estimate, "value")),
        value(item(estimate, "low")),
        value(item(estimate, "high")),
    )


def known(*numbers: float) -> bool:
    """Whether all are finite."""
    return all(math.isfinite(number) for number in numbers)


def rows_of(told: Any, key: str) -> list[Any]:
    """A list as it is, or what a dictionary or an object has under a key; empty for None."""
    found = told if isinstance(told, Sequence) else item(told, key)
    return list(found or [])


# ── How numbers are written ─────────────────────────────────────────────────────────────────


def percent(share: float) -> str:
    """A share in whole per cent, with a space that does not break.

    >>> percent(0.301).split(), percent(0.001).split()
    (['30', '%'], ['<', '1', '%'])
    """
    few = 0 < share < 0.005
    return "<\xa01\xa0%" if few else f"{100 * share:.0f}\xa0%".replace("-", "−")


def number(n: float) -> str:
    """A count or an amount of money.

    >>> number(1234), number(3.456), number(-2)
    ('1,234', '3.46', '−2')
    """
    whole = n == int(n) or abs(n) >= 10
    return f"{n:z,.{0 if whole else 2}f}".replace("-", "−")


def score(metric: float) -> str:
    """A metric: three decimals below one, two from there on.

    >>> score(0.73), score(3.214)
    ('.730', '3.21')
    """
    size = f"{abs(metric):.3f}"
    size = size[1:] if size.startswith("0") else f"{abs(metric):.2f}"
    return f"−{size}" if metric < 0 and float(size) else size


def ticks(ax: Axes, axis: str, write: Callable[[float], str], most: int = 4) -> None:
    """A few round ticks along ``x`` or ``y``; per cent get decimals where they need some."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    along = ax.xaxis if axis == "x" else ax.yaxis
    along.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
    if write is percent:
        low, high = sorted(along.get_view_interval())
        digits = 1 if high - low < 0.04 else 0
        write = lambda share: f"{100 * share:z.{digits}f}\xa0%".replace("-", "−")  # noqa: E731
    along.set_major_formatter(FuncFormatter(lambda at, _: write(at)))


def span(numbers: Iterable[float], air: float = 0.08) -> tuple[float, float]:
    """Lowest and highest of the finite numbers, with some air around them."""
    there = [n for n in numbers if math.isfinite(n)]
    low, high = min(there), max(there)
    more = air * (high - low) or 0.05 * abs(high) or 0.05
    return low - more, high + more
