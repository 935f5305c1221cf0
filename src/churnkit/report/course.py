"""A drawing of estimates along ordered steps: test cutoffs, or more and more data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from churnkit.report.charts import Scale, markup, tag
from churnkit.report.wording import Estimate, known, percent, score

if TYPE_CHECKING:
    from markupsafe import Markup

_LEFT, _TOP, _WIDE, _HIGH = 52, 12, 330, 180
_MOST_NAMES = 5
_KINDS = ("used", "rule")


def course_plot(
    steps: Sequence[str], lines: Mapping[str, Sequence[Estimate | None]], as_percent: bool = False
) -> Markup:
    """Lines of estimates over steps, with their intervals; empty where nothing is known.

    Parameters
    ----------
    steps
        Names of the steps, in order.
    lines
        Name → an estimate for each step, ``None`` where there is none. The first is drawn full,
        a second one pale.
    as_percent
        Whether the numbers are shares.
    """
    ends = [e[key] for told in lines.values() for e in told if e for key in e]
    there = [end for end in ends if known(end)]
    if not there:
        return markup("")
    air = 0.08 * (max(there) - min(there)) or 0.05
    up = Scale(min(there) - air, max(there) + air)
    write = percent if as_percent else score
    drawn = [
        part
        for (name, told), kind in zip(lines.items(), _KINDS, strict=False)
        for part in _line(name, steps, told, up, kind)
    ]
    return tag(
        "svg", *(part for tick in up.ticks(4) for part in _level(up, tick, write(tick))),
        *_names(steps), *drawn,
        class_="plot", viewBox=f"0 0 {_LEFT + _WIDE + 24} {_TOP + _HIGH + 28}", role="img",
        aria_label=f"{' and '.join(lines)} from {steps[0]} to {steps[-1]}",
    )  # fmt: skip


def _line(
    name: str, steps: Sequence[str], told: Sequence[Estimate | None], up: Scale, kind: str
) -> list[Markup]:
    shift = 0 if kind == "used" else 4  # so that one interval does not hide the other
    places, parts = [], []
    for nth, (step, estimate) in enumerate(zip(steps, told, strict=True)):
        value, low, high = ((estimate or {}).get(key) for key in ("value", "low", "high"))
        if not known(value):
            continue
        x, y = _across(nth, len(steps)) + shift, _down(up, value)
        places.append((x, y))
        if known(low) and known(high):
            ends = {"y1": _down(up, low), "y2": _down(up, high)}
            parts.append(tag("line", class_=f"span {kind}", x1=x, x2=x, **ends))
        says = f"{name}, {step}: {score(value)}"
        parts.append(tag("circle", tag("title", says), class_=f"dot {kind}", cx=x, cy=y, r="4"))
    joined = [
        tag("line", class_=f"thin {kind}", x1=x1, y1=y1, x2=x2, y2=y2)
        for (x1, y1), (x2, y2) in pairwise(places)
    ]
    return [*joined, *parts]


def _level(up: Scale, tick: float, words: str) -> list[Markup]:
    y = _down(up, tick)
    return [
        tag("line", class_="grid", x1=_LEFT, x2=_LEFT + _WIDE, y1=y, y2=y),
        tag("text", words, x=_LEFT - 7, y=y + 4, text_anchor="end"),
    ]


def _names(steps: Sequence[str]) -> list[Markup]:
    every = -(-len(steps) // _MOST_NAMES)
    return [
        tag("text", step, x=_across(nth, len(steps)), y=_TOP + _HIGH + 20, text_anchor="middle")
        for nth, step in enumerate(steps)
        if nth % every == 0
    ]


def _across(nth: int, steps: int) -> float:
    return round(_LEFT + _WIDE * (nth + 0.5) / steps, 1)


def _down(up: Scale, value: float) -> float:
    return round(_TOP + _HIGH * (1 - up.at(value)), 1)
