"""Parts that several plots are made of: dots with intervals, names of axes, shapes of lights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from churnkit.plots.style import MARKERS, PALETTE, SMALL, short
from churnkit.plots.told import known

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, SOFT, ACCENT = PALETTE["ink"], PALETTE["soft"], PALETTE["accent"]
GUIDE: dict[str, Any] = {"color": SOFT, "linewidth": 1.1, "linestyle": (0, (4, 3))}
"""A line to compare with, which is nobody's data."""

WHOLE = "whole:"
"""How the id of a text begins that holds, after the most letters it has room for, all of it."""

NOTE: dict[str, Any] = {"fontsize": SMALL, "color": SOFT}
"""A remark inside a plot."""


def dots(
    ax: Axes,
    at: Sequence[float],
    estimates: Sequence[Sequence[float]],
    *,
    lying: bool = False,
    filled: bool = True,
    size: float = 6.0,
) -> None:
    """Dots with their intervals at places along an axis; intervals lie or stand."""
    colour = ACCENT if filled else SOFT
    for place, (middle, low, high) in zip(at, estimates, strict=True):
        if known(low, high):
            x, y = ([low, high], [place, place]) if lying else ([place, place], [low, high])
            ax.plot(x, y, color=colour, linewidth=2.0, zorder=2.5)
        if known(middle):
            x, y = ([middle], [place]) if lying else ([place], [middle])
            ax.plot(x, y, "o", markersize=size, zorder=3, markeredgewidth=1.6,
                    markeredgecolor=colour,
                    markerfacecolor=colour if filled else PALETTE["sheet"])  # fmt: skip


def mark(ax: Axes, light: str, x: float, y: float, size: float = 8.0, **options: Any) -> None:
    """The shape of a light in its colour, with an outline that is seen on any ground."""
    ax.plot([x], [y], MARKERS[light], markersize=size, color=PALETTE[light], zorder=4,
            markeredgecolor=SOFT, markeredgewidth=0.8, **options)  # fmt: skip


def axis_names(ax: Axes, across: str, up: str) -> None:
    """Names of both axes; that of the upright one stands over it, so that it need not be turned."""
    ax.set_xlabel(across)
    ax.set_title(up)


def step_names(ax: Axes, steps: Sequence[str], most: int = 3) -> None:
    """Names of steps along the lower axis: the first, the last, and some between."""
    last = len(steps) - 1
    count = min(most, len(steps))
    places = sorted({round(k * last / max(count - 1, 1)) for k in range(count)})
    ax.set_xticks(places, [steps[k] for k in places])


def row_names(ax: Axes, names: Sequence[object], most: int, bold: Sequence[bool] = ()) -> None:
    """Names of rows, the first on top; one that is too long is cut.

    The whole name goes with it, so that a page can tell it in another language before it is cut.
    """
    ax.set_yticks(range(len(names)), [short(name, most) for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    for text, name in zip(ax.get_yticklabels(), names, strict=True):
        text.set(color=INK, gid=whole(name, most))
    for text, heavy in zip(ax.get_yticklabels(), bold, strict=False):
        text.set_fontweight("bold" if heavy else "normal")


def whole(name: object, most: int) -> str:
    """The id of a text that shows a name cut to so many letters."""
    return f"{WHOLE}{most}:{short(name, 500)}"


def side(place: float) -> str:
    """How a text is aligned that stands over a place from 0 to 1."""
    return "left" if place < 0.2 else "right" if place > 0.8 else "center"
