"""What is watched: how far features have moved, and promises against what came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from churnkit.plots.parts import (
    ACCENT,
    GUIDE,
    INK,
    NOTE,
    SOFT,
    axis_names,
    mark,
    step_names,
    whole,
)
from churnkit.plots.style import LIGHTS, PALETTE, SHAPES, SIZE, SMALL, canvas, empty, grid, short
from churnkit.plots.told import ends, item, known, percent, rows_of, ticks, value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = 8
_LEAST = 0.005
_LETTERS = 68


def drift(told: Any, most: int = _SHOWN, ax: Axes | None = None) -> Axes:
    """How far the features that moved most are from where the model learnt, against their limits.

    Parameters
    ----------
    told
        Features, each with ``feature`` or ``says``, ``psi``, ``limit``, ``far`` and ``sudden``;
        or what ``churnkit monitor`` tells, or its ``drift``.
    most
        So many features at most.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        A dot for the PSI of each, filled if it is beyond its limit (the stroke); on a scale of
        logarithms.
    """
    found = item(told, "drift", told)
    shown = [f for f in rows_of(found, "features") if known(value(item(f, "psi")))]
    rows = sorted(shown, key=lambda f: -value(item(f, "psi")))[:most]
    with canvas(ax, (SIZE[0], 0.6 + 0.42 * max(len(rows), 3))) as ax:
        if not rows:
            empty(ax, "not known: no feature was compared")
            return ax
        top = max(0.5, *(value(item(row, "psi")) for row in rows))
        ax.set_xscale("log")
        ax.set_xlim(_LEAST, 1.5 * top)
        ax.set_ylim(len(rows) - 0.6, -0.75)
        for k, row in enumerate(rows):
            _moved(ax, k, row)
        ax.set_yticks([])
        ax.set_xticks([0.01, 0.1, 1.0], [".01", ".10", "1"])
        ax.minorticks_off()
        ax.set_title("PSI against the training")
    return ax


def _moved(ax: Axes, k: int, row: Any) -> None:
    """One feature: its name, and below it how far it moved and its limit."""
    psi, limit = (max(value(item(row, key)), _LEAST) for key in ("psi", "limit"))
    far, name = bool(item(row, "far")), item(row, "says") or item(row, "feature")
    ax.text(0.0, k - 0.2, short(name, _LETTERS), transform=ax.get_yaxis_transform(), color=INK,
            va="bottom", fontsize=SMALL, gid=whole(name, _LETTERS))  # fmt: skip
    ax.plot([_LEAST, psi], [k, k], color=PALETTE["line"], linewidth=1.5, zorder=1)
    ax.plot([limit, limit], [k - 0.2, k + 0.2], color=SOFT, linewidth=1.6)
    colour = INK if item(row, "sudden") else ACCENT
    ax.plot([psi], [k], "o", markersize=7, color=colour, zorder=3, markeredgewidth=1.6,
            markerfacecolor=colour if far else PALETTE["sheet"])  # fmt: skip
    ax.text(1.01, k, f"{psi:.2f}", transform=ax.get_yaxis_transform(), va="center", color=INK,
            fontweight="bold" if far else "normal")  # fmt: skip


def promises(told: Any, ax: Axes | None = None) -> Axes:
    """How many of each light churned in past runs, against what was promised.

    Parameters
    ----------
    told
        The ``outcomes`` of ``churnkit monitor``, or what has them: ``runs`` (each ``day`` and
        ``lights`` → ``churned``), and ``judged`` with its ``promises``.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        A line of shapes for each light over the days of the runs; dashed, what was promised.
    """
    found = item(told, "outcomes", told) or {}
    runs = sorted(rows_of(found, "runs"), key=lambda run: str(run["day"]))
    with canvas(ax) as ax:
        lines = {light: [ends(r["lights"].get(light, {}).get("churned")) for r in runs]
                 for light in LIGHTS}  # fmt: skip
        if not any(known(e[0]) for line in lines.values() for e in line):
            empty(ax, "not known: no run whose horizon is over")
            return ax
        for light, line in lines.items():
            ax.plot([e[0] for e in line], color=SOFT, linewidth=1.2)
            for k, (churned, low, high) in enumerate(line):
                if known(low, high):
                    ax.plot([k, k], [low, high], color=SOFT, linewidth=1.8)
                if known(churned):
                    mark(ax, light, k, churned)
            last = max((k for k, e in enumerate(line) if known(e[0])), default=None)
            if last is not None:
                ax.annotate(light, (last, line[last][0]), (9, 0), va="center",
                            textcoords="offset points", color=INK)  # fmt: skip
        _promised(ax, found)
        ax.set_xlim(-0.4, len(runs) - 0.6 + 0.22 * max(len(runs), 2))
        ax.set_ylim(0, 1.02)
        grid(ax)
        axis_names(ax, "", "share that churned")
        step_names(ax, [str(run["day"]) for run in runs])
        ticks(ax, "y", percent)
    return ax


def _promised(ax: Axes, found: Any) -> None:
    judged = item(found, "judged") or {}
    for promise in item(judged, "promises") or []:
        light, share = promise["light"], value(promise["promised"])
        if light in SHAPES and known(share):
            ax.axhline(share, **GUIDE)
            words = f"{SHAPES[light]} {'≥' if light == 'red' else '≤'} {percent(share)}"
            ax.text(1.01, share, words, transform=ax.get_yaxis_transform(), va="center", **NOTE)
