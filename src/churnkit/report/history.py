"""Drawings over time: rows by month and by hour, and how many come back after a silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from churnkit.report.charts import Scale, markup, pct, row, tag
from churnkit.report.wording import number, percent

if TYPE_CHECKING:
    from markupsafe import Markup

_HEIGHT, _WORDS = 84, 20
_MOST_LABELS = 6
_LEFT, _TOP, _WIDE, _HIGH = 46, 12, 340, 200


def month_bars(months: Sequence[Mapping[str, Any]], key: str, noun: str) -> Markup:
    """One bar a month, a paler one where the log covers only a part of it.

    Parameters
    ----------
    months
        Each with ``month`` (``YYYY-MM``), the number under ``key``, and perhaps ``partial``.
    key
        What is drawn, such as ``rows``.
    noun
        What it counts, in the plural.
    """
    bars = [(m["month"], m[key], m.get("partial", False)) for m in months]
    return _bars(bars, noun, [k for k, m in enumerate(months) if m["month"].endswith("-01")])


def hour_bars(hours: Sequence[int]) -> Markup:
    """One bar for each hour of the day."""
    return _bars([(f"{k:02d}:00", n, False) for k, n in enumerate(hours)], "rows", [0, 6, 12, 18])


def _bars(bars: Sequence[tuple[str, int, bool]], noun: str, labelled: Sequence[int]) -> Markup:
    most = max((n for _, n, _ in bars), default=0)
    if not most:
        return markup("")
    step = 1 / len(bars)
    parts = [_bar(k * step, step, bar, most, noun) for k, bar in enumerate(bars)]
    parts += [_label(k * step, bars[k][0]) for k in _thinned(labelled, len(bars))]
    says = f"{noun} from {bars[0][0]} to {bars[-1][0]}, at most {number(most)}"
    return row(*parts, height=_HEIGHT + _WORDS, label=says)


def _bar(left: float, step: float, bar: tuple[str, int, bool], most: int, noun: str) -> Markup:
    name, n, partial = bar
    tall = max(_HEIGHT * n / most, 1.0) if n else 0.0
    title = tag("title", f"{name}: {number(n)} {noun}{', a part of the month' if partial else ''}")
    kind = "bar part" if partial else "bar"
    if not n:
        kind, tall = "none", 3.0
    return tag(
        "rect", title, class_=kind, x=pct(left + 0.08 * step), width=pct(0.84 * step),
        y=round(_HEIGHT - tall, 1), height=round(tall, 1),
    )  # fmt: skip


def _label(left: float, name: str) -> Markup:
    return tag("text", name, x=pct(left), y=_HEIGHT + 16)


def _thinned(labelled: Sequence[int], bars: int) -> list[int]:
    """At most a few labels, the first bar always; none so close to the end that it is cut."""
    every = -(-len(labelled) // _MOST_LABELS) or 1
    chosen = [k for k in labelled[::every] if k > 0.15 * bars]
    return [0, *(k for k in chosen if k <= 0.85 * bars)]


def return_curve(horizon: Mapping[str, Any], few: float) -> Markup:
    """Share that comes back after each candidate horizon; empty without candidates.

    Parameters
    ----------
    horizon
        The told advice: ``curve`` (each ``days`` and ``within``), ``suggested_days``.
    few
        Share below which few return; drawn as a dashed line.
    """
    curve = horizon["curve"]
    if not curve:
        return markup("")
    scale = Scale(0.0, max(0.25, 1.1 * max(point["within"] for point in curve)))
    places = [(_across(k, len(curve)), _down(scale, p["within"])) for k, p in enumerate(curve)]
    parts = [part for tick in scale.ticks() for part in _level(scale, tick)]
    parts.append(_flat(scale, few, "guide"))
    pairs = pairwise(places)
    parts += [
        tag("line", class_="span used", x1=x1, y1=y1, x2=x2, y2=y2) for (x1, y1), (x2, y2) in pairs
    ]
    for point, (x, y) in zip(curve, places, strict=True):
        parts += _point(point, x, y, point["days"] == horizon["suggested_days"])
    middle = _LEFT + _WIDE / 2
    parts.append(tag("text", "days silent", x=middle, y=_TOP + _HIGH + 38, text_anchor="middle"))
    return tag(
        "svg", *parts, class_="plot", viewBox=f"0 0 {_LEFT + _WIDE + 24} {_TOP + _HIGH + 46}",
        role="img", aria_label="Share that comes back within as many days again, by days silent",
    )  # fmt: skip


def _point(point: Mapping[str, Any], x: float, y: float, suggested: bool) -> list[Markup]:
    days, within = point["days"], point["within"]
    says = f"silent for {days} days: {percent(within)} come back within the next {days}"
    return [
        tag("circle", tag("title", says), class_="dot used", cx=x, cy=y, r="8" if suggested else 5),
        tag("text", str(days), x=x, y=_TOP + _HIGH + 18, text_anchor="middle"),
    ]


def _level(scale: Scale, tick: float) -> list[Markup]:
    words = tag("text", percent(tick), x=_LEFT - 7, y=_down(scale, tick) + 4, text_anchor="end")
    return [_flat(scale, tick, "grid"), words]


def _flat(scale: Scale, value: float, kind: str) -> Markup:
    y = _down(scale, value)
    return tag("line", class_=kind, x1=_LEFT, x2=_LEFT + _WIDE, y1=y, y2=y)


def _across(k: int, count: int) -> float:
    return round(_LEFT + _WIDE * (k + 0.5) / count, 1)


def _down(scale: Scale, value: float) -> float:
    return round(_TOP + _HIGH * (1 - scale.at(value)), 1)
