"""Why customers leave here: themes, how the risk goes with a value, silences, own intervals."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from churnkit.horizon import FEW_RETURN
from churnkit.plots.parts import ACCENT, GUIDE, INK, NOTE, axis_names, dots, row_names
from churnkit.plots.style import PALETTE, SIZE, canvas, empty, grid
from churnkit.plots.told import item, known, number, percent, rows_of, span, ticks, value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARROWS = {"up": "↑", "down": "↓", "mixed": "↕"}
"""Direction of a driver → its arrow: up, the higher the more leave."""

_SHARES = ("share", "0..1")
_USUAL = "own median"
_NO_DRIVERS = "not known: this model tells no drivers"


def drivers(told: Any, ax: Axes | None = None) -> Axes:
    """Share of the model's decisions that rests on each theme, with its direction.

    Parameters
    ----------
    told
        Drivers, each with ``theme``, ``share`` and ``direction``; or a summary or a card that has
        them.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        One bar a theme, the largest on top; ↑ the more, the more leave.
    """
    rows = rows_of(told, "drivers")
    with canvas(ax, (SIZE[0], 0.5 + 0.31 * max(len(rows), 2))) as ax:
        if not rows:
            empty(ax, _NO_DRIVERS)
            return ax
        shares = [float(item(row, "share")) for row in rows]
        ax.barh(range(len(rows)), shares, height=0.56, color=ACCENT)
        for k, (row, share) in enumerate(zip(rows, shares, strict=True)):
            ax.annotate(
                f"{ARROWS[item(row, 'direction')]} {percent(share)}", (share, k), (6, 0),
                textcoords="offset points", va="center", color=INK,
            )  # fmt: skip
        row_names(ax, [item(row, "theme") for row in rows], 24)
        ax.set_xlim(0, 1.22 * max(*shares, 0.01))
        ax.set_xticks([])
        ax.spines["bottom"].set_visible(False)
        ax.set_title("share of the decisions")
    return ax


def dependence(told: Any, most: float | None = None, ax: Axes | None = None) -> Axes:
    """Mean churn probability by the value of one feature, all else as it is.

    Parameters
    ----------
    told
        ``says``, ``unit``, ``values`` (rising) and ``probabilities``; or a driver that has them
        under ``dependence``.
    most
        Top of the scale, so that several plots share one; by default just above the highest.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        A line through the quantiles of the feature.
    """
    found = item(told, "dependence", told)
    across = [float(x) for x in item(found, "values") or []]
    up = [float(p) for p in item(found, "probabilities") or []]
    with canvas(ax, (3.4, 2.3)) as ax:
        if not across or not known(*up):
            empty(ax, "not known: the feature is not a number")
            return ax
        ax.plot(across, up, color=ACCENT, marker="o", markersize=4.5)
        ax.set_ylim(0, min(1.02, most or 1.15 * max(*up, 0.02)))
        ax.set_xlim(*span(across, 0.05))
        unit = item(found, "unit") or ""
        axis_names(ax, "" if ".." in unit or unit == "share" else unit, "churn probability")
        grid(ax)
        ticks(ax, "x", percent if unit in _SHARES else number)
        ticks(ax, "y", percent, 3)
    return ax


def horizon(told: Any, few: float = FEW_RETURN, ax: Axes | None = None) -> Axes:
    """How many come back within as many days again, by the days they have been silent.

    Parameters
    ----------
    told
        ``curve`` (each ``days`` and ``within``) and ``suggested_days``: what
        `churnkit.horizon.advice` gives, or a summary that has it under ``horizon``.
    few
        Below this share few return.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        With the suggested horizon marked.
    """
    found = item(told, "horizon", told)
    points = [(int(item(p, "days")), float(item(p, "within"))) for p in item(found, "curve") or []]
    chosen = item(found, "suggested_days")
    with canvas(ax) as ax:
        if not points:
            empty(ax, "not known: too few silences have ended")
            return ax
        ax.axhline(few, **GUIDE)
        ax.text(0.99, few, "few return", transform=ax.get_yaxis_transform(), ha="right",
                va="bottom", **NOTE)  # fmt: skip
        ax.plot(range(len(points)), [within for _, within in points], color=ACCENT)
        for k, (days, within) in enumerate(points):
            dots(ax, [k], [(within, float("nan"), float("nan"))], size=9 if days == chosen else 5)
            if days == chosen:
                ax.annotate(f"{days} days", (k, within), (5, 7), textcoords="offset points",
                            color=INK, fontweight="bold")  # fmt: skip
        ax.set_xticks(range(len(points)), [str(days) for days, _ in points])
        ax.set_xlim(-0.5, len(points) - 0.5)
        ax.set_ylim(0, max(0.25, 1.2 * max(within for _, within in points)))
        grid(ax)
        axis_names(ax, "days silent", "come back within as many days again")
        ticks(ax, "y", percent)
    return ax


def gaps(told: Any, silent: float | None = None, most: int = 24, ax: Axes | None = None) -> Axes:
    """The intervals between a customer's own purchases, and the silence that runs now.

    Parameters
    ----------
    told
        Days between one purchase and the next, in order of time; or what has them under ``gaps``
        and the running silence under ``silent``.
    silent
        Days since the last purchase.
    most
        So many of the latest intervals are drawn; the median is that of all.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        One bar an interval, the running one hollow, and a line at the median.
    """
    days = [float(d) for d in rows_of(told, "gaps")]
    running = silent if silent is not None else item(told, "silent")
    with canvas(ax, (SIZE[0], 2.2)) as ax:
        if not days:
            empty(ax, "not known: fewer than two purchases")
            return ax
        usual, days = median(days), days[-most:]
        ax.bar(range(len(days)), days, width=0.7, color=ACCENT)
        if running is not None:
            ax.bar([len(days)], [running], width=0.7, facecolor="none", edgecolor=INK,
                   linewidth=1.4, linestyle=(0, (3, 2)))  # fmt: skip
            ax.annotate("silent now", (len(days), running), (0, 4), textcoords="offset points",
                        ha="center", color=INK, fontweight="bold")  # fmt: skip
        ax.axhline(usual, **GUIDE)
        ax.text(1.01, usual, f"{_USUAL} · {number(usual)}", transform=ax.get_yaxis_transform(),
                va="center", **NOTE)  # fmt: skip
        ax.set_xlim(-0.6, len(days) + 0.6)
        ax.set_ylim(0, 1.18 * max(*days, running or 0.0, 1.0))
        ax.set_xticks([])
        ax.set_title("days between purchases")
        grid(ax)
        ticks(ax, "y", number, 3)
    return ax


def events(told: Any, key: str = "rows", name: str = "rows", ax: Axes | None = None) -> Axes:
    """How much happened, month by month.

    Parameters
    ----------
    told
        Months in order, each with ``month`` (``2024-05``), a number under ``key``, and perhaps
        ``partial``; or a dictionary of month → number.
    key
        What is drawn.
    name
        What it counts, in the plural.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        One bar a month; hollow where the log covers only a part of it.
    """
    months = _months(told, key)
    with canvas(ax, (SIZE[0], 2.0)) as ax:
        if not any(n for _, n, _ in months):
            empty(ax, f"not known: no {name}")
            return ax
        for k, (_, n, partial) in enumerate(months):
            ax.bar([k], [n], width=0.76, edgecolor=ACCENT, linewidth=1.0,
                   facecolor=PALETTE["sheet"] if partial else ACCENT)  # fmt: skip
        ax.set_xlim(-0.6, len(months) - 0.4)
        ax.set_title(name)
        starts = [k for k, (month, *_) in enumerate(months) if month.endswith("-01")]
        named = starts[:: -(-len(starts) // 5)] if len(starts) > 1 else [0, len(months) - 1]
        ax.set_xticks(sorted(set(named)), [months[k][0] for k in sorted(set(named))])
        grid(ax)
        ticks(ax, "y", number, 3)
    return ax


def _months(told: Any, key: str) -> list[tuple[str, float, bool]]:
    if isinstance(told, Sequence):
        return [(item(m, "month"), value(item(m, key)), bool(item(m, "partial"))) for m in told]
    return [(str(month), value(n), False) for month, n in dict(told or {}).items()]
