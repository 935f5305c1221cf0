"""Whether a model can be trusted: calibration, gains, profit, against plain rules, over time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from churnkit.plots.parts import (
    ACCENT,
    GUIDE,
    INK,
    NOTE,
    SOFT,
    axis_names,
    dots,
    row_names,
    side,
    step_names,
)
from churnkit.plots.style import PALETTE, SIZE, canvas, empty, grid, short
from churnkit.plots.told import (
    Ends,
    ends,
    item,
    known,
    number,
    percent,
    rows_of,
    score,
    span,
    ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NARROW = (3.8, 3.0)  # three stand beside each other in a report
NO_TEST = "not known: no held-out period"


def calibration(told: Any, ax: Axes | None = None) -> Axes:
    """Predicted against realised churn: on the diagonal a probability means what it says.

    Parameters
    ----------
    told
        The bins, each with ``predicted``, ``observed`` (an estimate) and ``customers``; or what
        has them: a summary, a card, a `Training`.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        With a dot and the 95 % interval of each bin.
    """
    bins = [(float(item(b, "predicted")), *ends(item(b, "observed"))) for b in _bins(told)]
    shown = [b for b in bins if known(b[0], b[1])]
    with canvas(ax, _NARROW) as ax:
        if not shown:
            empty(ax, NO_TEST)
            return ax
        most = min(1.0, max(0.02, *(n for b in shown for n in b if known(n))))
        ax.plot([0, most], [0, most], **GUIDE)
        dots(ax, [b[0] for b in shown], [b[1:] for b in shown])
        ax.set_xlim(-0.02 * most, 1.05 * most)
        ax.set_ylim(-0.02 * most, 1.05 * most)
        ax.text(0.02, 0.98, "more left than said", transform=ax.transAxes, va="top", **NOTE)
        ax.text(0.98, 0.04, "fewer left than said", transform=ax.transAxes, ha="right", **NOTE)
        grid(ax, "both")
        axis_names(ax, "churn predicted", "share that left")
        ticks(ax, "x", percent)
        ticks(ax, "y", percent)
    return ax


def lift(told: Any, ax: Axes | None = None) -> Axes:
    """Of those who leave, how many are among the likeliest so many (cumulative gains).

    Parameters
    ----------
    told
        As for `calibration`, the bins in rising order of ``predicted``.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        With the gains, a choice by lot, and one that knows who leaves.
    """
    gained = gains(_bins(told))
    with canvas(ax, _NARROW) as ax:
        if not gained:
            empty(ax, NO_TEST)
            return ax
        rate = gained[-1]["churners"] / gained[-1]["customers"]
        ax.plot([0, 1], [0, 1], **GUIDE)
        ax.plot([0, rate, 1], [0, 1, 1], **{**GUIDE, "linestyle": (0, (1, 2))})
        across, up = [p["share"] for p in gained], [p["caught"] for p in gained]
        ax.plot(across, up, color=ACCENT, marker="o", markersize=4.5)
        first = gained[1]
        words = f"{percent(first['caught'])} · {first['lift']:.1f} ×"
        ax.annotate(words, (first["share"], first["caught"]), (0.34, 0.07), va="center", color=INK,
                    arrowprops={"arrowstyle": "-", "color": SOFT, "shrinkB": 5})  # fmt: skip
        ax.text(0.66, 0.6, "by lot", **NOTE)
        ax.text(rate + 0.02, 1.02, "knowing who leaves", **NOTE)
        ax.set_xlim(-0.01, 1.02)
        ax.set_ylim(-0.02, 1.09)
        grid(ax)
        axis_names(ax, "share of customers, likeliest first", "share of churners among them")
        ticks(ax, "x", percent)
        ticks(ax, "y", percent)
    return ax


def gains(bins: Iterable[Any]) -> list[dict[str, float]]:
    """What the likeliest bins hold together, from none of them to all.

    Parameters
    ----------
    bins
        As for `calibration`, in rising order of ``predicted``.

    Returns
    -------
    list of dict
        ``customers`` and ``churners``, so many; ``share`` and ``caught``, of all customers and of
        all churners; ``lift``, how many times as many churners as by lot. Empty where it is not
        known what came of a bin, or nobody left.
    """
    likeliest = list(bins)[::-1]
    sizes = [item(b, "customers") for b in likeliest]
    left = [n * ends(item(b, "observed"))[0] for n, b in zip(sizes, likeliest, strict=True)]
    if not known(*left) or not sum(left):
        return []
    told = [{"customers": 0.0, "churners": 0.0, "share": 0.0, "caught": 0.0, "lift": math.nan}]
    for k in range(1, len(sizes) + 1):
        share, caught = sum(sizes[:k]) / sum(sizes), sum(left[:k]) / sum(left)
        told.append({"customers": sum(sizes[:k]), "churners": sum(left[:k]), "share": share,
                     "caught": caught, "lift": caught / share})  # fmt: skip
    return told


def profit(told: Any, ax: Axes | None = None) -> Axes:
    """Profit per customer at risk by the share that is called.

    Parameters
    ----------
    told
        ``curve`` (pairs of share and profit), and the estimates ``share`` (that earns most) and
        ``most`` (what it earns); or what has them under ``profit``: a summary, a card, a
        `Training`.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        With the curve, the best share and its interval, and a choice by lot.
    """
    found = item(told, "profit", told)
    curve = [(float(x), float(y)) for x, y in _pairs(item(found, "curve"))]
    best, most = ends(item(found, "share")), ends(item(found, "most"))
    with canvas(ax, _NARROW) as ax:
        if not curve or not known(best[0], most[0]):
            empty(ax, NO_TEST)
            return ax
        across, earned = zip(*curve, strict=True)
        ax.plot([across[0], across[-1]], [earned[0], earned[-1]], **GUIDE)
        ax.axhline(0, color=PALETTE["line"], linewidth=1.0)
        ax.plot(across, earned, color=ACCENT)
        dots(ax, [best[0]], [most], size=7)
        high = max(*earned, *(n for n in most if known(n)))
        low = min(0.0, *earned)
        tall = (high - low) or 1.0
        ax.set_ylim(low - 0.05 * tall, high + 0.24 * tall)
        ax.set_xlim(-0.01, 1.02)
        ax.annotate(
            f"{percent(best[0])} · {number(most[0])}", (best[0], max(n for n in most if known(n))),
            (0, 5), textcoords="offset points", ha=side(best[0]), color=INK, fontweight="bold",
        )  # fmt: skip
        grid(ax)
        axis_names(ax, "share of customers called, likeliest first", "profit per customer")
        ticks(ax, "x", percent)
        ticks(ax, "y", number)
    return ax


def models(told: Any, metric: str = "auroc", ax: Axes | None = None) -> Axes:
    """A metric of the model and of every plain rule: a dot and its interval.

    Parameters
    ----------
    told
        Rows with ``name``, ``used`` and ``metrics`` (name → estimate); or a summary or backtest
        with ``models``, a card, a `Training`, a `Backtest`.
    metric
        What is drawn, see `churnkit.metrics.METRICS`.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        One row for each; the model in use is filled and written in bold.
    """
    rows = [(name, used, ends(metrics.get(metric))) for name, used, metrics in _rungs(told)]
    shown = [row for row in rows if known(row[2][0])]
    size = (SIZE[0], 0.75 + 0.34 * max(len(shown), 4))
    with canvas(ax, size) as ax:
        if not shown:
            empty(ax, NO_TEST)
            return ax
        low, high = span(n for *_, estimate in shown for n in estimate)
        for k, (_, used, estimate) in enumerate(shown):
            dots(ax, [k], [estimate], lying=True, filled=used)
            bold = "bold" if used else "normal"
            ax.text(1.01, k, score(estimate[0]), transform=ax.get_yaxis_transform(), va="center",
                    color=INK, fontweight=bold)  # fmt: skip
            if used:
                ax.axvline(estimate[0], zorder=0.5, **GUIDE)
        row_names(ax, [name for name, *_ in shown], 22, [used for _, used, _ in shown])
        ax.set_xlim(low, high)
        grid(ax, "x")
        ax.set_title(METRIC_NAMES.get(metric, metric.replace("_", " ")))
        ticks(ax, "x", score)
    return ax


METRIC_NAMES = {
    "auroc": "AUROC, high is good",
    "average_precision": "average precision, high is good",
    "log_loss": "log loss, low is good",
    "brier": "Brier score, low is good",
    "ece": "calibration error, low is good",
    "lift_top_decile": "lift of the top tenth, high is good",
}
"""Metric → how it is called over a plot."""


def backtest(
    told: Any, metric: str = "auroc", names: Sequence[str] = (), ax: Axes | None = None
) -> Axes:
    """A metric at every test cutoff, with its intervals.

    Parameters
    ----------
    told
        A summary of ``churnkit backtest``, a card, a `Training`, a `Backtest`, a `Rolling`: what
        has ``trials``, each with ``cutoff`` and ``metrics`` (model → metric → estimate).
    metric
        What is drawn.
    names
        Models; by default the one in use and the best plain rule, where those are known.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        One line a model, named at its end; the first filled and full.
    """
    source = item(told, "backtest", told)
    trials = rows_of(source, "trials")
    asked = [n for n in (names or _chosen(source)) if n]
    lines = {n: [item(t, "metrics").get(n, {}).get(metric) for t in trials] for n in asked}
    title = METRIC_NAMES.get(metric, metric.replace("_", " "))
    return course([str(item(t, "cutoff")) for t in trials], lines, title, ax=ax)


def course(
    steps: Sequence[str],
    lines: Mapping[str, Sequence[Any]],
    name: str = "",
    across: str = "",
    *,
    share: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Estimates along ordered steps, such as test cutoffs, or more and more data.

    Parameters
    ----------
    steps
        Names of the steps, in order.
    lines
        Name → an estimate for each step, None where there is none. The first is drawn full, a
        second one hollow and dashed.
    name, across
        What is drawn, and what the steps are.
    share
        Whether the numbers are shares.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        One line each, named at its end; a step that is not known is a gap.
    """
    found = {line: [ends(estimate) for estimate in told] for line, told in lines.items()}
    with canvas(ax) as ax:
        if not any(known(e[0]) for line in found.values() for e in line):
            empty(ax, NO_TEST)
            return ax
        low, high = span(n for line in found.values() for e in line for n in e)
        ax.set_xlim(-0.3, len(steps) - 0.7 + 0.3 * max(len(steps) - 1, 1))
        ax.set_ylim(low, high)
        for nth, line in enumerate(found.values()):
            _line(ax, line, nth)
        _named(ax, found, 0.09 * (high - low))
        grid(ax)
        axis_names(ax, across, name)
        step_names(ax, steps)
        ticks(ax, "y", percent if share else score)
    return ax


# ── Parts ───────────────────────────────────────────────────────────────────────────────────


def _line(ax: Axes, line: Sequence[Ends], nth: int) -> None:
    """One line over steps; a second one is hollow, dashed, and a little aside."""
    first = nth == 0
    at = [k + 0.06 * nth for k in range(len(line))]
    ax.plot(at, [e[0] for e in line], color=ACCENT if first else SOFT, linewidth=1.6,
            linestyle="-" if first else (0, (4, 2)))  # fmt: skip
    dots(ax, at, line, filled=first)


def _named(ax: Axes, lines: Mapping[str, Sequence[Ends]], room: float) -> None:
    """Names at the ends of lines, the lower ones pushed down where two would meet."""
    last = {n: [(k, e[0]) for k, e in enumerate(line) if known(e[0])] for n, line in lines.items()}
    first, above = next(iter(lines)), math.inf
    for name, (*_, (k, y)) in sorted(
        ((n, found) for n, found in last.items() if found), key=lambda pair: -pair[1][-1][1]
    ):
        above = min(y, above - room)
        ax.annotate(short(name, 16), (k, above), (10, 0), va="center", textcoords="offset points",
                    color=INK if name == first else SOFT,
                    fontweight="bold" if name == first else "normal")  # fmt: skip


def _pairs(curve: Any) -> list[Any]:
    return [] if curve is None else list(curve)


def _bins(told: Any) -> list[Any]:
    """The bins of calibration of whatever has some."""
    result = item(told, "backtest", told)
    if hasattr(result, "test") and hasattr(result, "chosen"):
        return list(result.test.calibration(result.chosen))
    return rows_of(told, "calibration")


def _rungs(told: Any) -> list[tuple[str, bool, Any]]:
    """Name, whether in use, and metrics of every model."""
    result = item(told, "backtest", told)
    if hasattr(result, "test"):
        return [(n, n == result.chosen, m) for n, m in result.test.metrics.items()]
    rows = rows_of(result, "models")
    if not rows and item(result, "trials"):
        last, used = item(result, "trials")[-1], item(result, "model")
        return [(name, name == used, metrics) for name, metrics in last["metrics"].items()]
    return [(item(r, "name"), bool(item(r, "used")), item(r, "metrics") or {}) for r in rows]


def _chosen(result: Any) -> list[str]:
    """The model in use and the best plain rule."""
    return [item(result, "chosen") or item(result, "model"), item(result, "best_rule")]
