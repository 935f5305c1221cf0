"""Key figures month by month, and cohorts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from churnkit.plots.parts import ACCENT, GUIDE, INK, NOTE, dots, row_names, step_names
from churnkit.plots.style import PALETTE, SIZE, SMALL, canvas, empty, grid
from churnkit.plots.told import Ends, ends, item, known, number, percent, span, ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KPI_NAMES = {
    "churn_rate": "churn rate",
    "retention": "retention",
    "nrr": "net revenue retention",
    "grr": "gross revenue retention",
    "clv": "customer lifetime value",
    "nps": "NPS",
    "ces": "ease (CES)",
    "csat": "CSAT",
}
"""Measure → how it is called over a plot; others are called as they are named."""

_DARKEST = 0.5  # so that ink stays readable on every cell, by day and by night


def kpi_line(told: Any, measure: str, segment: str | None = None, ax: Axes | None = None) -> Axes:
    """A measure month by month, with its 95 % interval; a month that is not known is a gap.

    Parameters
    ----------
    told
        `Kpis`, or what ``churnkit kpi --json`` tells.
    measure
        Its name, such as ``churn_rate``.
    segment
        One of the segments; by default all customers.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        A line in a band, the last month written beside it.
    """
    months, found, unit = _figures(told, measure, segment)
    with canvas(ax) as ax:
        last = max((k for k, figure in enumerate(found) if known(figure[0])), default=None)
        if last is None:
            empty(ax, "not known in any of these months")
            return ax
        write = _writer(unit)
        at = list(range(len(months)))
        ax.fill_between(at, [f[1] for f in found], [f[2] for f in found], color=ACCENT, alpha=0.18,
                        linewidth=0)  # fmt: skip
        ax.plot(at, [f[0] for f in found], color=ACCENT, marker="o", markersize=4.5)
        ax.annotate(write(found[last][0]), (last, found[last][0]), (8, 0), va="center",
                    textcoords="offset points", color=INK, fontweight="bold")  # fmt: skip
        ax.set_xlim(-0.4, len(months) - 1 + 0.16 * max(len(months), 2))
        ax.set_ylim(*span((n for figure in found for n in figure), 0.12))
        ax.set_title(KPI_NAMES.get(measure, measure.replace("_", " ")))
        grid(ax)
        step_names(ax, months)
        ticks(ax, "y", percent if unit == "share" else write, 3)
    return ax


def segments(
    told: Any, measure: str = "churn_rate", month: str | None = None, ax: Axes | None = None
) -> Axes:
    """A measure of every segment in one month, with its 95 % interval.

    Parameters
    ----------
    told
        `Kpis`, or what ``churnkit kpi --json`` tells.
    measure
        Its name.
    month
        By default the last one.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        One row a segment; a dashed line at all customers.
    """
    plain = told.told() if hasattr(told, "told") else told
    nth = -1 if month is None else list(plain["months"]).index(month)
    rows = [
        (s["segment"], ends((s["figures"].get(measure) or [None])[nth])) for s in plain["segments"]
    ]
    whole = rows[0][1][0]
    shown = [(name, figure) for name, figure in rows[1:] or rows if known(figure[0])]
    with canvas(ax, (SIZE[0], 0.75 + 0.34 * max(len(shown), 3))) as ax:
        if not shown:
            empty(ax, "not known in this month")
            return ax
        unit = _unit(plain, measure)
        for k, (_, figure) in enumerate(shown):
            dots(ax, [k], [figure], lying=True)
            ax.text(1.01, k, _writer(unit)(figure[0]), transform=ax.get_yaxis_transform(),
                    va="center", color=INK)  # fmt: skip
        if known(whole):
            ax.axvline(whole, zorder=0.5, **GUIDE)
            ax.annotate(
                "all customers",
                (whole, -0.5),
                (4, -2),
                textcoords="offset points",
                va="top",
                **NOTE,
            )
        row_names(ax, [name for name, _ in shown], 22)
        ax.set_ylim(len(shown) - 0.5, -0.7)
        ax.set_xlim(*span([whole, *(n for _, figure in shown for n in figure)]))
        grid(ax, "x")
        ax.set_title(KPI_NAMES.get(measure, measure.replace("_", " ")))
        ticks(ax, "x", percent if unit == "share" else _writer(unit))
    return ax


def cohorts(told: Any, segment: str | None = None, ax: Axes | None = None) -> Axes:
    """Of the customers who came in one month, how many were there in each month after it.

    Parameters
    ----------
    told
        Cohorts, each with ``month``, ``customers`` and ``shares``; `Kpis`; or what
        ``churnkit kpi --json`` tells.
    segment
        One of the segments; by default all customers.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        A triangle: a row for each month in which somebody came, per cent in the cells, the darker
        the more.
    """
    rows = _cohorts(told, segment)
    columns = max((len(shares) for *_, shares in rows), default=0)
    with canvas(ax, (max(6.4, 1.5 + 0.36 * columns), 0.9 + 0.29 * max(len(rows), 4))) as ax:
        if not rows:
            empty(ax, "not known: no cohorts")
            return ax
        for k, (_, _, shares) in enumerate(rows):
            for after, share in enumerate(shares):
                _cell(ax, after, k, share)
        ax.set_xlim(-0.5, columns - 0.5)
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_yticks(range(len(rows)), [f"{month} · {number(n)}" for month, n, _ in rows])
        ax.set_xticks(range(0, columns, 1 if columns <= 13 else 6))
        ax.xaxis.tick_top()
        ax.tick_params(top=False)
        ax.spines["bottom"].set_visible(False)
        ax.set_title("months after the first; per cent that was there", pad=10)
    return ax


def _cell(ax: Axes, x: int, y: int, share: float) -> None:
    from matplotlib.patches import Rectangle

    dark = _DARKEST * share if known(share) else 0.0
    ax.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=PALETTE["accent"],
                           alpha=dark, linewidth=0))  # fmt: skip
    words = f"{100 * share:.0f}" if known(share) else "–"
    ax.text(x, y, words, ha="center", va="center", fontsize=SMALL, color=INK)


def _writer(unit: str) -> Callable[[float], str]:
    if unit == "share":
        return lambda share: f"{100 * share:z.1f}\xa0%".replace("-", "−")
    if unit == "0..1":
        return lambda n: f"{n:.2f}"
    if unit == "points":
        return lambda n: f"{n:z.0f}".replace("-", "−")
    return number


def _figures(told: Any, measure: str, segment: str | None) -> tuple[list[str], list[Ends], str]:
    """Months, the figure of each, and the unit of the measure."""
    plain = told.told() if hasattr(told, "told") else told
    figures = _segment(plain, segment)["figures"].get(measure, [])
    return list(plain["months"]), [ends(figure) for figure in figures], _unit(plain, measure)


def _unit(plain: Any, measure: str) -> str:
    return next((m["unit"] for m in plain["measures"] if m["name"] == measure), "")


def _cohorts(told: Any, segment: str | None) -> list[tuple[str, int, list[float]]]:
    plain = told.told() if hasattr(told, "told") else told
    rows = plain if isinstance(plain, Sequence) else _segment(plain, segment)["cohorts"]
    return [
        (item(row, "month"), item(row, "customers"), [ends(share)[0] for share in _shares(row)])
        for row in rows
        if item(row, "customers")
    ]


def _shares(row: Any) -> list[Any]:
    shares = item(row, "shares")
    return list(shares() if callable(shares) else shares)


def _segment(plain: Any, segment: str | None) -> Any:
    if segment is None:
        return plain["segments"][0]
    return next(found for found in plain["segments"] if found["segment"] == segment)
