"""Customers by light: how many, how likely, and from where to where they went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from churnkit.plots.parts import INK, NOTE, SOFT, axis_names, mark, row_names
from churnkit.plots.style import (
    LIGHTS,
    NORMAL,
    ON_LIGHT,
    PALETTE,
    SHAPES,
    SIZE,
    bare,
    canvas,
    empty,
    grid,
)  # fmt: skip
from churnkit.plots.told import ends, item, known, number, percent, rows_of, ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS = 20
_GAP = 0.11  # between the lights of one side, as a share of all customers
_WIDE = 0.05
_ROOM = 0.07  # a band that is higher has room for a number


def lights(told: Any, ax: Axes | None = None) -> Axes:
    """How many customers have each light.

    Parameters
    ----------
    told
        Light → customers; a list with ``light`` and ``customers``; or what has one of these under
        ``lights``: a summary, `Scores`.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        One bar a light, with its shape, its word, its count and its share.
    """
    counts = _counts(told)
    whole = sum(counts.values())
    with canvas(ax, (SIZE[0], 1.7)) as ax:
        if not whole:
            empty(ax, "nobody was given a light")
            return ax
        most = max(counts.values())
        for k, light in enumerate(LIGHTS):
            n = counts[light]
            ax.barh([k], [n], height=0.62, color=PALETTE[light], edgecolor=SOFT, linewidth=0.6)
            ax.annotate(f"{number(n)} · {percent(n / whole)}", (n, k), (7, 0), va="center",
                        textcoords="offset points", color=INK)  # fmt: skip
        bare(ax)
        ax.set_yticks(range(3), [f"{SHAPES[light]} {light}" for light in LIGHTS])
        ax.tick_params(axis="y", labelcolor=INK)
        ax.set_ylim(2.5, -0.5)
        ax.set_xlim(0, 1.32 * most)
    return ax


def transitions(told: Any, ax: Axes | None = None) -> Axes:
    """From which light to which customers went between two runs, as bands that flow.

    Parameters
    ----------
    told
        Light before → light now → customers; or what has it under ``transitions``: a summary, a
        step of ``churnkit monitor``, `Scores`.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        Before on the left, now on the right; who kept the light flows pale.
    """
    moved = item(told, "transitions") if not _is_counts(told) else told
    flow = {(a, b): float((moved or {}).get(a, {}).get(b, 0)) for a in LIGHTS for b in LIGHTS}
    whole = sum(flow.values())
    with canvas(ax, (SIZE[0], 3.1)) as ax:
        if not whole:
            empty(ax, "not known: no run before")
            return ax
        left = _stacked([sum(flow[a, b] for b in LIGHTS) / whole for a in LIGHTS])
        right = _stacked([sum(flow[a, b] for a in LIGHTS) / whole for b in LIGHTS])
        _bands(ax, flow, whole, left, right)
        for k, light in enumerate(LIGHTS):
            gone = sum(flow[light, b] for b in LIGHTS)
            come = sum(flow[a, light] for a in LIGHTS)
            _post(ax, light, -_WIDE, left[k], gone, "right")
            _post(ax, light, 1.0, right[k], come, "left")
        bare(ax)
        ax.set_xlim(-0.42, 1.42)
        ax.set_ylim(-0.02, 1.13 + 2 * _GAP)
        ax.text(-_WIDE, 1.11 + 2 * _GAP, "light before", ha="left", va="top", **NOTE)
        ax.text(1 + _WIDE, 1.11 + 2 * _GAP, "light now", ha="right", va="top", **NOTE)
    return ax


def probabilities(told: Any, ax: Axes | None = None) -> Axes:
    """How many customers have which churn probability, cut by light.

    Parameters
    ----------
    told
        `Scores`; a table with ``churn_probability`` and ``light``; or light → probabilities.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        Bars of a twentieth each, stacked green, yellow, red.
    """
    by_light = _by_light(told)
    counts = {light: [0] * _BINS for light in LIGHTS}
    for light, found in by_light.items():
        for p in filter(known, found):
            counts[light][min(int(p * _BINS), _BINS - 1)] += 1
    with canvas(ax) as ax:
        if not any(map(sum, counts.values())):
            empty(ax, "nobody was given a probability")
            return ax
        floor = [0] * _BINS
        for light in reversed(LIGHTS):
            places = [(k + 0.5) / _BINS for k in range(_BINS)]
            ax.bar(places, counts[light], width=0.92 / _BINS, bottom=floor, color=PALETTE[light],
                   edgecolor=SOFT, linewidth=0.5)  # fmt: skip
            floor = [a + b for a, b in zip(floor, counts[light], strict=True)]
        _key(ax, max(floor))
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1.22 * max(floor))
        grid(ax)
        axis_names(ax, "churn probability", "customers")
        ticks(ax, "x", percent)
        ticks(ax, "y", number)
    return ax


def policies(told: Any, ax: Axes | None = None) -> Axes:
    """Policies side by side: how they cut the customers, and how many of each light churned.

    Parameters
    ----------
    told
        Policies, each with ``name`` and ``colours`` (``light``, ``customers`` a week and the
        estimate ``churned``); or a summary of ``churnkit lights simulate``.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        One bar a policy, cut by light; in it the share that churned.
    """
    rows = rows_of(told, "policies")
    with canvas(ax, (SIZE[0], 0.7 + 0.38 * max(len(rows), 2))) as ax:
        if not rows:
            empty(ax, "not known: no policy was tried")
            return ax
        for k, row in enumerate(rows):
            _cut(ax, k, {item(c, "light"): c for c in item(row, "colours")})
        bare(ax)
        row_names(ax, [item(row, "name") for row in rows], 22)
        ax.set_xlim(0, 1)
        ax.set_title("customers by light, and share that churned")
    return ax


def _cut(ax: Axes, k: int, colours: Mapping[str, Any]) -> None:
    """One bar from 0 to 1, cut by light."""
    sizes = {light: float(item(colours.get(light), "customers") or 0) for light in LIGHTS}
    whole = sum(sizes.values()) or 1.0
    start = 0.0
    for light in LIGHTS:
        share = sizes[light] / whole
        ax.barh([k], [share], left=[start], height=0.66, color=PALETTE[light],
                edgecolor=PALETTE["sheet"], linewidth=1.0)  # fmt: skip
        churned = ends(item(colours.get(light), "churned"))[0]
        words = f"{SHAPES[light]} {percent(churned)}" if known(churned) else SHAPES[light]
        if share >= 0.05:
            ax.text(start + share / 2, k, words if share >= 0.17 else SHAPES[light], ha="center",
                    va="center", color=ON_LIGHT[light], fontsize=NORMAL)  # fmt: skip
        start += share


def _key(ax: Axes, most: float) -> None:
    """The lights named in the plot, from left to right as the probability rises."""
    for light, x in zip(reversed(LIGHTS), (0.06, 0.36, 0.7), strict=True):
        mark(ax, light, x, 1.13 * most, 7)
        ax.annotate(light, (x, 1.13 * most), (8, 0), textcoords="offset points", va="center",
                    color=INK)  # fmt: skip


def _stacked(shares: Sequence[float]) -> list[tuple[float, float]]:
    """Bottom and height of posts that stand on each other with gaps, the first on top."""
    posts: list[tuple[float, float]] = []
    top = 1.0 + 2 * _GAP
    for share in shares:
        posts.append((top - share, share))
        top -= share + _GAP
    return posts


def _bands(
    ax: Axes,
    flow: Mapping[tuple[str, str], float],
    whole: float,
    left: Sequence[tuple[float, float]],
    right: Sequence[tuple[float, float]],
) -> None:
    """The bands between the posts, each as high as so many customers."""
    out = [bottom + high for bottom, high in left]
    into = [bottom + high for bottom, high in right]
    for a, was in enumerate(LIGHTS):
        for b, now in enumerate(LIGHTS):
            high = flow[was, now] / whole
            if not high:
                continue
            _band(ax, out[a], into[b], high, was, pale=a == b)
            if a != b and high > 0.004:
                _count_of(ax, flow[was, now], out[a] - high / 2, into[b] - high / 2, high)
            out[a] -= high
            into[b] -= high


def _band(ax: Axes, start: float, end: float, high: float, light: str, *, pale: bool) -> None:
    from matplotlib.colors import to_rgba
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points = [
        (0.0, start), (0.5, start), (0.5, end), (1.0, end),
        (1.0, end - high), (0.5, end - high), (0.5, start - high), (0.0, start - high),
        (0.0, start),
    ]  # fmt: skip
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    shape = Path(points, [int(code) for code in codes])
    edge = "none" if pale else SOFT  # a dark band on a dark ground has its outline
    ax.add_patch(PathPatch(shape, facecolor=to_rgba(PALETTE[light], 0.16 if pale else 0.62),
                           edgecolor=edge, linewidth=0.6, zorder=2 if pale else 3))  # fmt: skip


def _count_of(ax: Axes, n: float, start: float, end: float, high: float) -> None:
    """How many a band holds, near its end: on it, or beside it if it is narrow."""
    t = 0.8
    x = 1.5 * t * (1 - t) + t**3  # the curve of `_band`
    y = start + (end - start) * (3 * t**2 * (1 - t) + t**3)
    aside = 0.0 if high > _ROOM else high / 2 + 0.01
    up = end > start
    align = "center" if not aside else "bottom" if up else "top"
    ax.text(x, y + (aside if up else -aside), number(n), ha="center", va=align, color=INK,
            fontsize=NORMAL, zorder=5)  # fmt: skip


def _post(ax: Axes, light: str, x: float, post: tuple[float, float], n: float, align: str) -> None:
    """One light of one side: a post, its name and its count."""
    from matplotlib.patches import Rectangle

    bottom, high = post
    ax.add_patch(Rectangle((x, bottom), _WIDE, high, facecolor=PALETTE[light], edgecolor=SOFT,
                           linewidth=0.6, zorder=4))  # fmt: skip
    at = (x, bottom + high / 2) if align == "right" else (x + _WIDE, bottom + high / 2)
    aside = -7 if align == "right" else 7
    ax.annotate(f"{SHAPES[light]} {light}", at, (aside, 1), textcoords="offset points", ha=align,
                va="bottom", color=INK)  # fmt: skip
    ax.annotate(number(n), at, (aside, -1), textcoords="offset points", ha=align, va="top",
                color=INK, fontweight="bold")  # fmt: skip


def _is_counts(told: Any) -> bool:
    return isinstance(told, Mapping) and set(told) <= set(LIGHTS)


def _counts(told: Any) -> dict[str, int]:
    """Light → customers."""
    found = told if _is_counts(told) or isinstance(told, Sequence) else item(told, "lights")
    if isinstance(found, Mapping):
        return {light: int(found.get(light, 0)) for light in LIGHTS}
    if isinstance(found, Sequence):
        by_name = {item(row, "light"): int(item(row, "customers")) for row in found}
        return {light: by_name.get(light, 0) for light in LIGHTS}
    names = [] if found is None else [str(light) for light in item(found, "light")]
    return {light: names.count(light) for light in LIGHTS}


def _by_light(told: Any) -> dict[str, list[float]]:
    """Light → probabilities."""
    if _is_counts(told):
        return {light: [float(p) for p in found] for light, found in told.items()}
    if hasattr(told, "probability"):
        pairs: Iterable[Any] = zip(told.lights.light, told.probability, strict=True)
    else:
        pairs = zip(told["light"], told["churn_probability"], strict=True)
    by_light: dict[str, list[float]] = {light: [] for light in LIGHTS}
    for light, p in pairs:
        by_light[str(light)].append(float(p))
    return by_light
