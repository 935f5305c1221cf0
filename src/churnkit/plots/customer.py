"""One customer: what it did, how its score went, its own intervals, and what pulls its score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from churnkit.plots.parts import ACCENT, GUIDE, INK, NOTE, SOFT, mark, row_names
from churnkit.plots.style import MARKERS, PALETTE, SHAPES, SIZE, canvas, empty, grid
from churnkit.plots.told import number, percent, ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DAYS = 730  # a timeline goes back so far at most
_KINDS = 4  # kinds of activity that get a lane
_GAPS = 30
_PULLS = 8
_BAND = 0.16
_LANE = 0.36  # half the height of what is drawn in a lane
_ISSUES = (
    ("complaint", "complaints"), ("ticket", "tickets"), ("payment", "failed payments"),
    ("cancellation", "cancellations"),
)  # fmt: skip
_ON_AXIS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)


def timeline(told: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """What a customer did before a day, a lane for each sort of thing.

    Parameters
    ----------
    told
        What `churnkit.project.explain_project` tells: ``as_of`` and ``story`` are looked at.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        Purchases as strokes, the higher the more was paid, and returns below the line; counts of
        events as bars; issues as bars from their day until they were settled, with an open end
        if they still are; answers as dots, the higher the better. Of two years at most.
    """
    lanes = list(_lanes(told["story"]))
    with canvas(ax, (SIZE[0], 0.7 + 0.46 * max(len(lanes), 2))) as ax:
        if not lanes:
            empty(ax, "nothing is known before this day")
            return ax
        end = _nth(told["as_of"])
        begin = max(min(first for _, first, _ in lanes), end - _DAYS)
        for lane, (_, _, draw) in enumerate(lanes):
            draw(ax, lane, begin, end)
        row_names(ax, [name for name, _, _ in lanes], 22)
        air = (end - begin) * 0.015 or 1.0
        ax.set_xlim(begin - air, end + air)
        ax.axvline(end, color=SOFT, linewidth=1.0)
        _days(ax, begin, end)
        return ax


_Draw = Callable[["Axes", int, int, int], None]


def _lanes(story: Mapping[str, Any]) -> Iterator[tuple[str, int, _Draw]]:
    """Name, first day, and what draws it, of each lane there is something for."""
    purchases = story["purchases"]
    if purchases and purchases["listed"]:
        rows = purchases["listed"]
        yield "purchases", _nth(rows[0]["day"]), partial(_strokes, rows)
    for kind in (story["activity"] or [])[:_KINDS]:
        spans = kind["counts"] or [{"start": d, "end": d, "count": 1} for d in kind["days"]]
        yield kind["kind"].replace("_", " "), _nth(spans[0]["start"]), partial(_bars, spans)
    for what, name in _ISSUES:
        issues = [issue for issue in story["issues"] if issue["what"] == what]
        if issues:
            yield name, _nth(issues[0]["day"]), partial(_lasting, issues)
    answers = story["answers"] or []
    if answers:
        yield "answers", _nth(answers[0]["day"]), partial(_answers, answers)


def _strokes(rows: Sequence[Any], ax: Axes, lane: int, begin: int, end: int) -> None:
    shown = [row for row in rows if _nth(row["day"]) >= begin]
    most = max((abs(row["amount"]) for row in shown if row["amount"] is not None), default=0.0)
    ax.plot([begin, end], [lane, lane], color=PALETTE["line"], linewidth=0.8)
    for row in shown:
        x, size = _nth(row["day"]), 0.6
        if row["amount"] is not None and most:
            size = 0.25 + 0.75 * math.sqrt(abs(row["amount"]) / most)
        back = row["is_return"]
        tip = lane + (1 if back else -1) * _LANE * size
        ax.plot([x, x], [lane, tip], color=SOFT if back else ACCENT, linewidth=1.4,
                solid_capstyle="butt")  # fmt: skip


def _bars(spans: Sequence[Any], ax: Axes, lane: int, begin: int, end: int) -> None:
    most = max(span["count"] for span in spans)
    foot = lane + _LANE
    ax.plot([begin, end], [foot, foot], color=PALETTE["line"], linewidth=0.8)
    for span in spans:
        first, last = max(_nth(span["start"]), begin), min(_nth(span["end"]) + 1, end)
        if last > first and span["count"]:
            wide = max(last - first, (end - begin) / 250)
            ax.bar([first], [-2 * _LANE * span["count"] / most], width=wide * 0.9, align="edge",
                   bottom=foot, color=ACCENT, alpha=0.75, linewidth=0)  # fmt: skip


def _lasting(issues: Sequence[Any], ax: Axes, lane: int, begin: int, end: int) -> None:
    for issue in issues:
        until = end if issue["open"] else _nth(issue["until"])
        start = max(_nth(issue["day"]), begin)
        if until < begin:
            continue
        colour = INK if issue["open"] else SOFT
        ax.plot([start, until], [lane, lane], color=colour, linewidth=5 if issue["open"] else 3.5,
                solid_capstyle="butt", alpha=0.9 if issue["open"] else 0.6)  # fmt: skip
        ax.plot([start], [lane], "|", color=colour, markersize=9, markeredgewidth=1.6)
        if issue["open"]:
            ax.plot([until], [lane], ">", color=colour, markersize=7)


def _answers(answers: Sequence[Any], ax: Axes, lane: int, begin: int, end: int) -> None:
    ax.plot([begin, end], [lane, lane], color=PALETTE["line"], linewidth=0.8)
    for answer in answers:
        x, good = _nth(answer["day"]), min(max(answer["good"], 0.0), 1.0)
        if x >= begin:
            ax.plot([x], [lane + _LANE * (1 - 2 * good)], "o", markersize=5.5,
                    markeredgecolor=ACCENT, markeredgewidth=1.4,
                    markerfacecolor=ACCENT if good > 0.6 else PALETTE["sheet"])  # fmt: skip


def probability(told: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """The churn probability over time, with the lights as bands and as shapes.

    Parameters
    ----------
    told
        As for `timeline`.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        Filled shapes are scorings of then, hollow ones what the model of now says of days without
        one; a line breaks where the customer was not at risk. Changes of the light are numbered as
        in `turns`.
    """
    story = told["story"]
    points = story["course"]
    with canvas(ax, (SIZE[0], 3.1)) as ax:
        there = [point for point in points if point["at_risk"]]
        if not there:
            empty(ax, "no score of this customer is known")
            return ax
        begin, end = _nth(points[0]["day"]), max(_nth(points[-1]["day"]), _nth(told["as_of"]))
        air = (end - begin) * 0.04 or 3.0
        ax.set_xlim(begin - air, end + air)
        ax.set_ylim(0, 1.06)
        _bands(ax, story["edges"])
        _joined(ax, points)
        for point in there:
            _shape(ax, point)
        for nth, point in enumerate(turns(points), 1):
            ax.axvline(_nth(point["day"]), zorder=1.5, **GUIDE)
            ax.annotate(f"{nth}", (_nth(point["day"]), 1.0), (3, 0), textcoords="offset points",
                        va="bottom", color=INK, fontweight="bold")  # fmt: skip
        ticks(ax, "y", percent, 5)
        _days(ax, begin, end)
        ax.set_title("churn probability")
        return ax


def _shape(ax: Axes, point: Mapping[str, Any]) -> None:
    """The light of a point: filled if it was scored then, else hollow."""
    light, scored = point["light"], point["source"] == "ledger"
    # A yellow ring would not be seen on a pale ground.
    ring = SOFT if scored or light == "yellow" else PALETTE[light]
    ax.plot([_nth(point["day"])], [point["churn_probability"]], MARKERS[light], markersize=8,
            zorder=4, markerfacecolor=PALETTE[light] if scored else PALETTE["sheet"],
            markeredgecolor=ring, markeredgewidth=0.8 if scored else 1.6)  # fmt: skip


def turns(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The points at which the light is another than at the one before, with ``light_before``.

    Parameters
    ----------
    points
        The ``course`` of a story.
    """
    found, before = [], ""
    for point in points:
        if not point["at_risk"]:
            continue
        if before and point["light"] != before:
            found.append({**point, "light_before": before})
        before = point["light"]
    return found


def _bands(ax: Axes, edges: Mapping[str, float | None]) -> None:
    """The lights that the policy gives, before any rule."""
    red = 1.0 if edges["red"] is None else edges["red"]
    yellow = red if edges["yellow"] is None else min(edges["yellow"], red)
    for light, low, high in (("green", 0.0, yellow), ("yellow", yellow, red), ("red", red, 1.0)):
        if high > low:
            ax.axhspan(low, high, color=PALETTE[light], alpha=_BAND, linewidth=0, zorder=0.5)
        if high - low > 0.08:
            ax.annotate(f"{SHAPES[light]} {light}", (1, (low + high) / 2), (4, 0), va="center",
                        xycoords=("axes fraction", "data"), textcoords="offset points",
                        **NOTE)  # fmt: skip


def _joined(ax: Axes, points: Sequence[Mapping[str, Any]]) -> None:
    """A line from point to point; dashed where one of both is not a scoring."""
    for one, other in pairwise(points):
        if one["at_risk"] and other["at_risk"]:
            scored = one["source"] == other["source"] == "ledger"
            ax.plot([_nth(p["day"]) for p in (one, other)],
                    [p["churn_probability"] for p in (one, other)], color=INK, linewidth=1.4,
                    linestyle="-" if scored else (0, (3, 2)), zorder=3)  # fmt: skip


def intervals(told: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """A customer's own intervals as bars, what is usual for it, and its silence until now.

    Parameters
    ----------
    told
        As for `timeline`; the ``rhythm`` of the story is drawn.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        A bar for each of the newest intervals, oldest first, and a dashed one for today's
        silence; the grey ground reaches to the interval that nine in ten stay within.
    """
    rhythm = told["story"]["rhythm"]
    gaps = [gap["days"] for gap in rhythm["gaps"]][-_GAPS:]
    with canvas(ax, (SIZE[0], 2.7)) as ax:
        if rhythm["silent"] is None:
            empty(ax, "nothing is known before this day")
            return ax
        n = len(gaps)
        if rhythm["p90"] is not None:
            ax.axhspan(0, rhythm["p90"], color=PALETTE["track"], linewidth=0, zorder=0.5)
        ax.bar(range(n), gaps, width=0.72, color=ACCENT, linewidth=0)
        ax.bar([n], [rhythm["silent"]], width=0.72, facecolor=PALETTE["sheet"], edgecolor=INK,
               linestyle=(0, (2, 1.5)), linewidth=1.6)  # fmt: skip
        top = max([*gaps, rhythm["silent"], rhythm["p90"] or 0.0, 1.0])
        ax.set_ylim(0, 1.12 * top)
        ax.set_xlim(-0.8, max(n, 3) + 0.8)
        usual = (("usually", rhythm["median"], "top"), ("nine in ten", rhythm["p90"], "bottom"))
        for name, days, place in usual:
            if days is not None:
                ax.axhline(days, **GUIDE)
                ax.annotate(name, (1, days), (4, 0), xycoords=("axes fraction", "data"),
                            textcoords="offset points", va=place, **NOTE)  # fmt: skip
        ends = {0: rhythm["gaps"][-n]["end"]} if n > 3 else {}
        ax.set_xticks([*ends, n], [*ends.values(), "until now"])
        ticks(ax, "y", number, 4)
        grid(ax)
        ax.set_title("days")
        return ax


def reasons(told: Mapping[str, Any], ax: Axes | None = None) -> Axes:
    """From where everybody starts to the customer's probability: what each theme adds.

    Parameters
    ----------
    told
        What `churnkit.customer.explain_customer` tells.
    ax
        Where to draw; by default new Axes.

    Returns
    -------
    matplotlib.axes.Axes
        A waterfall in log-odds, so that the parts add up; the axis tells probabilities. ↑ raises
        the probability, ↓ lowers it.
    """
    steps, sums = _steps(told), [told["start"]]
    for _, weight in steps:
        sums.append(sums[-1] + weight)
    names = ["where everybody starts", *(_arrowed(*step) for step in steps), "together"]
    with canvas(ax, (SIZE[0], 0.8 + 0.33 * len(names))) as ax:
        low, high = min(sums) - 0.25, max(sums) + 0.25
        for row, (before, after) in enumerate(pairwise(sums), 1):
            colour = PALETTE["red"] if after > before else PALETTE["green"]
            ax.barh([row], [after - before], left=[before], height=0.62, color=colour, linewidth=0)
            ax.plot([before, before], [row - 1, row + 0.31], color=SOFT, linewidth=0.8)
        last = len(names) - 1
        ax.plot([sums[-1], sums[-1]], [last - 1, last], color=SOFT, linewidth=0.8)
        ax.plot([sums[0]], [0], "D", color=SOFT, markersize=7)
        mark(ax, told["base_light"], sums[-1], last)
        for row, odds in ((0, sums[0]), (last, sums[-1])):
            ax.annotate(percent(_probability(odds)), (odds, row), (9, 0), va="center", color=INK,
                        textcoords="offset points", fontweight="bold")  # fmt: skip
        row_names(ax, names, 26, [False, *(False for _ in steps), True])
        ax.set_xlim(low, high + 0.12 * (high - low))
        on_axis = _spread([p for p in _ON_AXIS if low <= _odds(p) <= high], low, high)
        ax.set_xticks([_odds(p) for p in on_axis], [percent(p) for p in on_axis])
        grid(ax, "x")
        return ax


def _spread(shares: Sequence[float], low: float, high: float) -> list[float]:
    """Those of the probabilities that do not crowd each other on an axis."""
    kept: list[float] = []
    for p in sorted(shares, key=lambda p: abs(p - 0.5)):
        if all(abs(_odds(p) - _odds(other)) > 0.2 * (high - low) for other in kept):
            kept.append(p)
    return sorted(kept)


def _steps(told: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The weightiest themes, and all else."""
    shown, others = told["reasons"][:_PULLS], told["reasons"][_PULLS:]
    rest = told["rest"] + sum(reason["weight"] for reason in others)
    steps = [(reason["theme"], reason["weight"]) for reason in shown]
    return [*steps, ("all else", rest)] if abs(rest) > 1e-9 else steps


def _arrowed(name: str, weight: float) -> str:
    return f"{'↑' if weight > 0 else '↓'} {name}"


def _odds(p: float) -> float:
    return math.log(p / (1 - p))


def _probability(odds: float) -> float:
    return 1 / (1 + math.exp(-odds))


def _nth(day: str) -> int:
    return date.fromisoformat(day[:10]).toordinal()


def _days(ax: Axes, begin: int, end: int) -> None:
    """The first day, the last, and one between, where there is room for it."""
    places = sorted({begin, (begin + end) // 2, end}) if end - begin > 6 else [end]
    ax.set_xticks(places, [date.fromordinal(place).isoformat() for place in places])
    for text, place in zip(ax.get_xticklabels(), places, strict=True):
        text.set_horizontalalignment(
            "left" if place == begin and len(places) > 1 else "right" if place == end else "center"
        )
