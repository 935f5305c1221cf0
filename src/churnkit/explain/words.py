"""A feature and its value as a person would say them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import isnan, nan
from types import MappingProxyType

import numpy as np

from churnkit.features import FeatureColumn
from churnkit.features.registry import Companion

_DAYS = "{value} days"
_COUNTED = re.compile(r"(\{value\} (?:\w+ )?)(\w+)s\b")  # "3 visits", "3 nps answers"
_IN_A_DAY = {"day": 1, "hour": 24, "minute": 24 * 60, "second": 24 * 60 * 60}
_UNITS = tuple(_IN_A_DAY)
_TREND_EDGES = (-0.999, -0.5, -0.1, 0.1, 0.5, 0.999)
_NEXT_TO_ALL_EDGES = (-0.5, -0.1, 0.1, 0.5)
_NOBODY: Mapping[str, float] = MappingProxyType({})


def sentence(column: FeatureColumn, value: float, others: Mapping[str, float] | None = None) -> str:
    """A feature and its value in words.

    What ``reads`` calls ``{value} days`` is told in days, hours, minutes or seconds; shares are
    told in percent, and trends as more or less than before.

    Parameters
    ----------
    column, value
        The feature, and its value, NaN if it is missing.
    others
        Column → value of the same customer; what the feature's companion says is added then.
    """
    if isnan(value):
        return column.unknown
    told = column.none if value == 0 and column.none else _filled(column, value)
    return told + _beside(column, value, others or _NOBODY)


def change(column: FeatureColumn, value: float, before: float) -> str:
    """A value in words, and what it was before: "no purchase for 74 days (was 21)"."""
    now = sentence(column, value)
    if isnan(before) and isnan(value):
        return now
    if isnan(before) or isnan(value):
        return f"{now} (before: {sentence(column, before)})"
    was = short(column, before, like=value)
    told_now = short(column, value, like=before)
    return now if was == told_now or "{value}" not in column.reads else f"{now} (was {was})"


def short(column: FeatureColumn, value: float, like: float = nan) -> str:
    """The value alone, as its sentence has it; without its unit of time if ``like`` shares it."""
    if isnan(value):
        return "unknown"
    if column.feature.classes:
        return column.feature.classes[int(value)]
    if _DAYS in column.reads:
        same = not isnan(like) and _unit(like) == _unit(value)
        return _in_unit(value) if same else _span(value)
    return _IN_WORDS.get(column.feature.unit, number)(value)


def _filled(column: FeatureColumn, value: float) -> str:
    if column.feature.classes:
        return column.reads.format(value=short(column, value))
    if _DAYS in column.reads:
        return column.reads.replace(_DAYS, "{value}").format(value=_span(value))
    reads, in_words = column.reads, _IN_WORDS.get(column.feature.unit, number)
    if column.feature.dtype == "int32" and value == 1:
        reads = _COUNTED.sub(_one, reads)
    return reads.format(value=in_words(value))


def _one(counted: re.Match[str]) -> str:
    """The singular of what is counted."""
    before, stem = counted.groups()
    if stem == "time":
        return "once"
    return before + (stem.removesuffix("ie") + "y" if stem.endswith("ie") else stem)


def _beside(column: FeatureColumn, value: float, others: Mapping[str, float]) -> str:
    """What the companion of a feature adds; nothing if its value is not known."""
    companion = column.companion
    if companion is None or value == 0:
        return ""
    other = others.get(companion.name, nan)
    habit = others.get(companion.where, nan) if companion.where else other
    if isnan(other) or isnan(habit) or not other:
        return ""
    return beside(column, int(unit_codes(np.array([value]))[0]), other)


def beside(column: FeatureColumn, unit: int, other: float) -> str:
    """What the companion of a feature adds to its sentence, with the comma before it.

    Parameters
    ----------
    column
        A feature that has a companion.
    unit
        The unit of time in which its value is told, see `unit_codes`.
    other
        The value of the companion, neither missing nor zero.
    """
    reads = "" if column.companion is None else column.companion.reads
    same = _DAYS in column.reads and _UNITS[unit] == _unit(other)
    told = reads.replace(_DAYS, _in_unit(other) if same else _span(other))
    return ", " + told.format(value=number(other))


def unit_codes(days: np.ndarray) -> np.ndarray:
    """The unit in which so many days are told: 0 days, 1 hours, 2 minutes, 3 seconds."""
    size = np.abs(np.asarray(days, dtype=np.float64))
    some = [size * per_day >= 1 for per_day in _IN_A_DAY.values()]
    return np.select([size == 0, *some], [0, 0, 1, 2, 3], default=3)


def number(value: float) -> str:
    """A number with two or three digits that count."""
    digits = 0 if abs(value) >= 10 else 1 if abs(value) >= 1 else 2
    shown = f"{round(value, digits) + 0.0:,.{digits}f}"  # + 0.0: there is no "-0"
    return shown.rstrip("0").rstrip(".") if digits else shown


def manner_of(column: FeatureColumn) -> str:
    """How values are told: ``class``, ``days``, ``number``, ``share``, ``trend``, ``next to all``.

    `as_told` is the same for all columns of one manner.
    """
    if column.feature.classes:
        return "class"
    if _DAYS in column.reads:
        return "days"
    words = _IN_WORDS.get(column.feature.unit)
    if words is None:
        return "number"
    return "share" if words is _share else "trend" if words is _trend else "next to all"


def as_told(column: FeatureColumn, values: np.ndarray) -> np.ndarray:
    """Values rounded to what their sentences tell: equal ones have the same sentence.

    No value becomes zero, and days below one keep their digits, which are told as hours or less.
    """
    manner = manner_of(column)
    if manner == "class":
        return values
    if manner == "days":
        return np.where(np.abs(values) < 1, values, _rounded(values))
    if manner == "number":
        return _kept_from_zero(values, _rounded(values))
    if manner == "share":
        return _kept_from_zero(values, np.round(values, 2))
    edges = _TREND_EDGES if manner == "trend" else _NEXT_TO_ALL_EDGES
    inner = np.array(edges)
    typical = np.array([inner[0] - 1, *(inner[:-1] + np.diff(inner) * 0.75), inner[-1] + 1])
    told = typical[np.searchsorted(inner, values, side="right").clip(max=len(inner))]
    return np.where(np.isnan(values) | (values == 0), values, told)


def companion_as_told(companion: Companion, values: np.ndarray) -> np.ndarray:
    """What `as_told` gives, of values of a companion."""
    rounded = _kept_from_zero(values, _rounded(values))
    return np.where(np.abs(values) < 1, values, rounded) if _DAYS in companion.reads else rounded


def _rounded(values: np.ndarray) -> np.ndarray:
    """Values with the digits that `number` tells."""
    size = np.abs(values)
    some = np.where(size >= 1, np.round(values, 1), np.round(values, 2))
    return np.where(size >= 10, np.round(values), some)


def _kept_from_zero(values: np.ndarray, rounded: np.ndarray) -> np.ndarray:
    return np.where((rounded == 0) & (values != 0), values, rounded)


def _unit(days: float) -> str:
    """The unit in which so many days are at least one: "every 0 days" would say nothing."""
    fitting = (unit for unit, per_day in _IN_A_DAY.items() if abs(days) * per_day >= 1)
    return next(fitting, "second" if days else "day")


def _in_unit(days: float) -> str:
    return number(days * _IN_A_DAY[_unit(days)])


def _span(days: float) -> str:
    told, unit = _in_unit(days), _unit(days)
    return f"{told} {unit}" if told == "1" else f"{told} {unit}s"


def _share(value: float) -> str:
    return f"{value:.0%}"


def _next_to_all(value: float) -> str:
    words = ("far behind", "behind", "alike", "ahead", "far ahead")
    return words[int(np.searchsorted(_NEXT_TO_ALL_EDGES, value, side="right"))]


def _trend(value: float) -> str:
    words = ("none any more", "much less", "less", "as before", "more", "much more", "none before")
    return words[int(np.searchsorted(_TREND_EDGES, value, side="right"))]


_IN_WORDS: dict[str, Callable[[float], str]] = {
    "-1..1": _trend,
    "-2..2": _next_to_all,
    "0..1": _share,
    "share": _share,
}
