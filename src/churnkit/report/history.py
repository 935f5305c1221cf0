"""Drawings over time: rows by month and by hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from churnkit.report.charts import markup, pct, row, tag
from churnkit.report.wording import number

if TYPE_CHECKING:
    from markupsafe import Markup

_HEIGHT, _WORDS = 84, 20
_MOST_LABELS = 6


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
