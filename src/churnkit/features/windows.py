"""Windows: how they are called, and which of them a feature takes."""

from __future__ import annotations

Window = int | None
"""A window in days before the cutoff; ``None`` is all time."""

WINDOWS: tuple[Window, ...] = (7, 30, 90, 180, 365, None)
"""The windows of the built-in features, in days; ``None`` is all time."""


def suffix(window: Window) -> str:
    """How the name of a column ends: ``_90d``, or ``_all``."""
    return "_all" if window is None else f"_{window}d"


def in_words(window: Window) -> str:
    """How sentences name a window."""
    return "so far" if window is None else f"in the last {window} days"


def inner(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    """What a trend compares: neither the shortest nor the longest window, if there are more."""
    finite = tuple(days for days in windows if days is not None)
    return finite[1:-1] or finite


def inner_two(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    """The two shortest of `inner`."""
    return inner(windows)[:2]


def longest(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    """The longest window, and all time."""
    finite = tuple(days for days in windows if days is not None)
    return (*finite[-1:], None)
