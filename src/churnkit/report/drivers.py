"""Drawings of drivers: how the probability goes with the value of a feature, all else equal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from churnkit.report.charts import Scale, markup, tag
from churnkit.report.wording import percent

if TYPE_CHECKING:
    from markupsafe import Markup

_LEFT, _TOP, _WIDE, _HIGH = 44, 10, 250, 130
_SHARES = ("share", "0..1")


def dependence_plots(drivers: Sequence[Mapping[str, Any]]) -> list[Markup]:
    """Partial dependence of each driver on one scale of probabilities; empty where there is none.

    Parameters
    ----------
    drivers
        Each with ``dependence``: ``None``, or ``feature``, ``unit``, ``values`` (rising) and
        ``probabilities``.
    """
    found = [driver["dependence"] for driver in drivers]
    most = max((p for told in found if told for p in told["probabilities"]), default=0.0)
    up = Scale(0.0, min(1.0, max(0.02, 1.1 * most)))
    return [_plot(told, up) if told else markup("") for told in found]


def _plot(told: Mapping[str, Any], up: Scale) -> Markup:
    along = Scale(told["values"][0], told["values"][-1])
    points = [
        (_x(along.at(value)), _y(up.at(p)), value, p)
        for value, p in zip(told["values"], told["probabilities"], strict=True)
    ]
    lines = [
        tag("line", class_="span used", x1=x1, y1=y1, x2=x2, y2=y2)
        for (x1, y1, *_), (x2, y2, *_) in pairwise(points)
    ]
    dots = [
        tag("circle", tag("title", f"{_value(value, told['unit'])}: {percent(p)}"),
            class_="dot used", cx=x, cy=y, r="4")
        for x, y, value, p in points
    ]  # fmt: skip
    return tag(
        "svg", *_frame(along, up, told["unit"]), *lines, *dots,
        class_="plot small", viewBox=f"0 0 {_LEFT + _WIDE + 16} {_TOP + _HIGH + 40}", role="img",
        aria_label=f"Mean churn probability by {told['feature']}",
    )  # fmt: skip


def _frame(along: Scale, up: Scale, unit: str) -> list[Markup]:
    """Grid and tick labels of both axes, and the unit of the lower one."""
    parts = []
    for tick in up.ticks(3):
        y = _y(up.at(tick))
        parts += [
            tag("line", class_="grid", x1=_x(0), x2=_x(1), y1=y, y2=y),
            tag("text", percent(tick), x=_LEFT - 7, y=y + 4, text_anchor="end"),
        ]
    for tick in along.ticks(4):
        middle = {"x": _x(along.at(tick)), "y": _y(0) + 17, "text_anchor": "middle"}
        parts.append(tag("text", _value(tick, unit), **middle))
    words = "" if unit in _SHARES else unit
    return [*parts, tag("text", words, x=_x(0.5), y=_y(0) + 34, text_anchor="middle")]


def _value(value: float, unit: str) -> str:
    return percent(value) if unit in _SHARES else f"{value:,.4g}"


def _x(place: float) -> float:
    return round(_LEFT + _WIDE * place, 1)


def _y(place: float) -> float:
    return round(_TOP + _HIGH * (1 - place), 1)
