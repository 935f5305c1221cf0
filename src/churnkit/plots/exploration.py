"""What is looked at before there is a model: shares by band, and estimates side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from churnkit.plots.parts import GUIDE, INK, axis_names, dots, row_names
from churnkit.plots.style import SIZE, canvas, empty, grid
from churnkit.plots.told import ends, item, known, number, percent, rows_of, score, span, ticks
from churnkit.plots.why import ARROWS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def bands(told: Any, name: str = "", ax: Axes | None = None) -> Axes:
    """Share that churned in each band of a feature, with its interval.

    Parameters
    ----------
    told
        What `churnkit.screening.churn_by_band` gives: each ``label``, ``rows`` and the estimate
        ``churned``.
    name
        What is cut into bands.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        A dot and its interval for each band, the share of all dashed.
    """
    shown = [b for b in rows_of(told, "bands") if known(ends(item(b, "churned"))[0])]
    with canvas(ax) as ax:
        if not shown:
            empty(ax, "not known: no rows")
            return ax
        sizes = [float(item(b, "rows")) for b in shown]
        shares = [ends(item(b, "churned")) for b in shown]
        whole = sum(n * s[0] for n, s in zip(sizes, shares, strict=True)) / sum(sizes)
        ax.axhline(whole, **GUIDE)
        dots(ax, range(len(shown)), shares)
        ax.set_xticks(range(len(shown)), [str(item(b, "label")) for b in shown])
        ax.tick_params(axis="x", labelsize=8.5 if len(shown) > 5 else 9)
        ax.set_xlim(-0.5, len(shown) - 0.5)
        ax.set_ylim(0, min(1.02, 1.1 * max(n for s in shares for n in s if known(n))))
        grid(ax)
        axis_names(ax, name, "share that churned")
        ticks(ax, "y", percent)
    return ax


def estimates(
    told: Any,
    against: float | None = None,
    name: str = "",
    *,
    shares: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Estimates side by side: one row each, a dot and its interval.

    Parameters
    ----------
    told
        Name → estimate (an `Interval`, or a dictionary with ``value``, ``low`` and ``high``); or
        what `churnkit.screening.screen_features` gives.
    against
        What they are compared with, such as 0 or chance; a dashed line.
    name
        What is estimated.
    shares
        Whether they are shares, to be written in per cent.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        The first row on top, each value written beside it.
    """
    rows = [(label, found) for label, found in _named(told) if known(found[0])]
    write = percent if shares else _written
    with canvas(ax, (SIZE[0] + 0.8, 0.75 + 0.3 * max(len(rows), 3))) as ax:
        if not rows:
            empty(ax, "not known: nothing was estimated")
            return ax
        for k, (_, found) in enumerate(rows):
            dots(ax, [k], [found], lying=True)
            ax.text(1.01, k, write(found[0]), transform=ax.get_yaxis_transform(), va="center",
                    color=INK)  # fmt: skip
        if against is not None:
            ax.axvline(against, zorder=0.5, **GUIDE)
        row_names(ax, [label for label, _ in rows], 34)
        there = [n for _, found in rows for n in found]
        ax.set_xlim(*span(there if against is None else [*there, against]))
        grid(ax, "x")
        ax.set_title(name)
        ticks(ax, "x", write)
    return ax


def _written(value: float) -> str:
    return score(value) if abs(value) < 10 else number(value)


def _named(told: Any) -> list[tuple[str, tuple[float, float, float]]]:
    if isinstance(told, dict):
        return [(str(label), ends(found)) for label, found in told.items()]
    return [(_feature(row), ends(item(row, "auroc"))) for row in told]


def _feature(row: Any) -> str:
    """The name of a screened feature after its arrow: up, the higher the more leave."""
    return f"{ARROWS.get(item(row, 'direction'), '')} {item(row, 'feature')}".strip()
