"""What acting came to: treated against control, and by what to rank whom to treat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from churnkit.plots.parts import ACCENT, INK, NOTE, SOFT, axis_names, dots, row_names
from churnkit.plots.style import PALETTE, SHAPES, SIZE, canvas, empty, grid
from churnkit.plots.told import ends, item, known, percent, rows_of, span, ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def outcomes(told: Any, ax: Axes | None = None) -> Axes:
    """Churn of treated against control, for each light and action, with 95 % intervals.

    Parameters
    ----------
    told
        What ``churnkit outcomes`` tells, an `OutcomeReport`, or its ``groups``.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        Two dots a group: filled treated, hollow control; its verdict beside it.
    """
    rows = [g for g in _groups(told) if known(ends(item(g, "churn_treated"))[0])]
    with canvas(ax, (SIZE[0], 1.0 + 0.48 * max(len(rows), 2))) as ax:
        if not rows:
            empty(ax, "not known: no horizon of a treated customer is over")
            return ax
        pairs = [(ends(item(g, "churn_treated")), ends(item(g, "churn_control"))) for g in rows]
        for k, (treated, control) in enumerate(pairs):
            dots(ax, [k - 0.15], [treated], lying=True)
            dots(ax, [k + 0.15], [control], lying=True, filled=False)
            ax.text(1.01, k, item(rows[k], "verdict"), transform=ax.get_yaxis_transform(),
                    va="center", color=INK)  # fmt: skip
        treated, control = pairs[0]
        ax.annotate("were treated", (treated[0], -0.15), (0, 7), textcoords="offset points",
                    ha="center", color=ACCENT, fontsize=NOTE["fontsize"])  # fmt: skip
        if known(control[0]):
            ax.annotate("left alone", (control[0], 0.15), (0, -7), textcoords="offset points",
                        ha="center", va="top", **NOTE)  # fmt: skip
        row_names(ax, [_group(g) for g in rows], 22)
        ax.set_ylim(len(rows) - 0.45, -0.65)
        ax.set_xlim(*span(n for pair in pairs for e in pair for n in e))
        grid(ax, "x")
        ax.set_title("share that churned")
        ticks(ax, "x", percent)
    return ax


def uplift(told: Any, ax: Axes | None = None) -> Axes:
    """What treating so many customers keeps, ranked by uplift, by risk, or by lot.

    Parameters
    ----------
    told
        A `Ranking`, or what it tells: ``kept``, each with ``share``, ``uplift`` and ``risk``.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        Two lines, uplift full and risk dashed.
    """
    plain = told.told() if hasattr(told, "told") else told
    kept = rows_of(plain, "kept")
    with canvas(ax) as ax:
        if not kept:
            empty(ax, "not known: nobody was treated and left alone by chance")
            return ax
        across = [row["share"] for row in kept]
        ways = (("uplift", "by uplift", ACCENT, "-"), ("risk", "by risk", SOFT, (0, (4, 2))))
        for name, says, colour, dash in ways:
            up = [row[name] for row in kept]
            ax.plot(across, up, color=colour, linestyle=dash, marker="o", markersize=5,
                    markerfacecolor=colour if name == "uplift" else PALETTE["sheet"])  # fmt: skip
            ax.annotate(says, (across[-1], up[-1]), (8, 0), textcoords="offset points",
                        va="center", color=INK if name == "uplift" else SOFT)  # fmt: skip
        ax.axhline(0, color=PALETTE["line"])
        ax.set_xlim(0, 1.3 * across[-1])
        ax.set_ylim(*span([0.0, *(row[name] for row in kept for name in ("uplift", "risk"))]))
        ax.set_xticks(across)
        axis_names(ax, "share of customers treated", "kept by treating them")
        grid(ax)
        ax.xaxis.set_major_formatter(lambda share, _: percent(share))
    return ax


def _groups(told: Any) -> list[Any]:
    groups = rows_of(told, "groups")
    return groups or [g for g in [item(told, "together")] if g is not None]


def _group(told: Any) -> str:
    light, action = item(told, "light"), item(told, "action")
    if not light and not action:
        return "all customers"
    return f"{SHAPES.get(light, '')} {action or light}".strip()
