"""Small SVG drawings, made by hand: no script, no library, no address.

Positions along a row are percentages, so that a drawing follows the width of its cell while
its dots stay round and its text keeps its size. Colours come from the page's style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from churnkit.report.wording import Estimate, known, number, percent, score

if TYPE_CHECKING:
    from markupsafe import Markup

SHAPES = {"red": "■", "yellow": "▲", "green": "●"}
"""The shape of each light, for those who do not see its colour."""

_ROW = 52
_LEFT, _TOP, _SIDE = 62, 10, 290


@dataclass(frozen=True)
class Scale:
    """A stretch of numbers laid along an axis, ``low`` < ``high``."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Place of a value, from 0 (``low``) to 1 (``high``); values outside are pulled in."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    def ticks(self, about: int = 5) -> list[float]:
        """Round numbers inside the stretch, at most ``about`` + 1 of them.

        >>> Scale(0.58, 0.76).ticks()
        [0.6, 0.65, 0.7, 0.75]
        """
        least = (self.high - self.low) / about
        ten = 10.0 ** math.floor(math.log10(least))
        step = next(m * ten for m in (1, 2, 5, 10) if m * ten >= least * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(k * step, 10) for k in range(first, last + 1)]


def bar(share: float | None) -> Markup:
    """One horizontal bar, ``share`` in [0, 1] of the width of its cell."""
    width = pct(min(max(share, 0.0), 1.0)) if known(share) else "0%"
    return row(
        tag("rect", class_="track", width="100%", height="8", rx="4"),
        tag("rect", class_="bar", width=width, height="8", rx="4"),
        height=8,
    )


def lights_bar(lights: Sequence[Mapping[str, Any]]) -> Markup:
    """All customers as one bar, cut by light; empty where no share is known."""
    shown = [light for light in lights if known(light["share"]) and light["share"] > 0]
    starts = [sum(light["share"] for light in shown[:i]) for i in range(len(shown))]
    says = ", ".join(f"{light['light']} {percent(light['share'])}" for light in shown)
    parts = [_light(light, start) for light, start in zip(shown, starts, strict=True)]
    return row(*parts, height=34, label=f"Customers by light: {says}") if parts else markup("")


def _light(light: Mapping[str, Any], start: float) -> Markup:
    name, share = light["light"], light["share"]
    # A narrow piece has no room for words on a phone; its card below has them.
    words = f"{SHAPES[name]} {name}" if share >= 0.22 else SHAPES[name] if share >= 0.06 else ""
    return markup(
        tag("rect", tag("title", f"{name}: {percent(share)}"), class_=f"fill-{name}",
             x=pct(start), width=pct(share), height="34"),
        tag("text", words, class_=f"on-{name}", x=pct(start + share / 2), y="22",
             text_anchor="middle"),
    )  # fmt: skip


def interval_rows(models: Sequence[Mapping[str, Any]], metric: str) -> list[Markup]:
    """One metric of every model on one scale: a dot for the value, a line for the interval.

    Parameters
    ----------
    models
        Each with ``used`` and ``metrics`` (metric name to estimate). The model in use is drawn
        full, and a dashed line carries its value through every row.
    metric
        Name of the metric to draw.

    Returns
    -------
    list of Markup
        One drawing per model and one more, the axis, at the end; empty where nothing is known.
    """
    estimates = [model["metrics"].get(metric) or {} for model in models]
    ends = _finite(estimates)
    if not ends:
        return []
    air = 0.08 * (max(ends) - min(ends)) or 0.05
    scale = Scale(min(ends) - air, max(ends) + air)
    pairs = list(zip(estimates, models, strict=True))
    beat = [e["value"] for e, model in pairs if model["used"] and known(e.get("value"))]
    lines = [_upright(scale.at(tick), "grid") for tick in scale.ticks()]
    lines += [_upright(scale.at(value), "guide") for value in beat]
    rows = [[*lines, *_whisker(e, scale, model["used"])] for e, model in pairs]
    return [*(row(*parts, height=_ROW) for parts in rows), _axis(scale)]


def _axis(scale: Scale) -> Markup:
    words = [
        tag("text", score(tick), x=pct(scale.at(tick)), y="14", text_anchor="middle")
        for tick in scale.ticks()
    ]
    return row(*words, height=18)


def _finite(estimates: Iterable[Estimate]) -> list[float]:
    """Every value and interval end that is known."""
    numbers = (number for estimate in estimates for number in estimate.values())
    return [number for number in numbers if known(number)]


def _whisker(estimate: Estimate, scale: Scale, used: bool) -> list[Markup]:
    kind = "used" if used else "rule"
    value, low, high = (estimate.get(key) for key in ("value", "low", "high"))
    parts = []
    if known(low) and known(high):
        ends = {"x1": pct(scale.at(low)), "x2": pct(scale.at(high))}
        parts.append(tag("line", class_=f"span {kind}", y1=_ROW / 2, y2=_ROW / 2, **ends))
    if known(value):
        x = pct(scale.at(value))
        parts.append(tag("circle", class_=f"dot {kind}", cx=x, cy=_ROW / 2, r="5"))
    return parts


def _upright(place: float, kind: str) -> Markup:
    return tag("line", class_=kind, x1=pct(place), x2=pct(place), y1="0", y2=_ROW)


def calibration_plot(bins: Sequence[Mapping[str, Any]]) -> Markup:
    """Predicted against realised churn with intervals; empty where no bin is known.

    Parameters
    ----------
    bins
        Each with ``predicted`` (mean probability), ``observed`` (estimate of the share that
        churned) and ``customers``.
    """
    shown = [b for b in bins if known(b["predicted"]) and known((b["observed"] or {}).get("value"))]
    if not shown:
        return markup("")
    ends = [*_finite(b["observed"] for b in shown), *(b["predicted"] for b in shown)]
    scale = Scale(0.0, min(1.0, max(0.02, *ends) * 1.05))
    diagonal = tag("line", class_="guide", x1=_x(0), y1=_y(0), x2=_x(1), y2=_y(1))
    return tag(
        "svg", *_frame(scale, "predicted", "realised"), diagonal, *(_bin(b, scale) for b in shown),
        class_="plot", viewBox=f"0 0 {_LEFT + _SIDE + 18} {_TOP + _SIDE + 46}", role="img",
        aria_label="Predicted against realised churn",
    )  # fmt: skip


def gains_plot(bins: Sequence[Mapping[str, Any]]) -> Markup:
    """Of those who leave, how many are among the likeliest so many; empty where no bin is known.

    The dashed lines are a choice by lot and one that knows who leaves.

    Parameters
    ----------
    bins
        As for `calibration_plot`, in rising order of ``predicted``.
    """
    gained = gains(bins)
    if not gained:
        return markup("")
    everyone = Scale(0.0, 1.0)
    rate = gained[-1]["churners"] / gained[-1]["customers"]
    points = " ".join(f"{_x(g['share'])},{_y(g['caught'])}" for g in gained)
    dots = [
        tag("circle", tag("title", f"{percent(g['share'])} of the customers hold "
            f"{percent(g['caught'])} of those who leave"),
            class_="dot used", cx=_x(g["share"]), cy=_y(g["caught"]), r="4")
        for g in gained[1:]
    ]  # fmt: skip
    return tag(
        "svg", *_frame(everyone, "share of customers, likeliest first", "share of churners"),
        tag("line", class_="guide", x1=_x(0), y1=_y(0), x2=_x(1), y2=_y(1)),
        tag("line", class_="guide", x1=_x(0), y1=_y(0), x2=_x(rate), y2=_y(1)),
        tag("polyline", class_="curve", points=points), *dots,
        class_="plot", viewBox=f"0 0 {_LEFT + _SIDE + 18} {_TOP + _SIDE + 46}", role="img",
        aria_label="Share of churners among the likeliest customers",
    )  # fmt: skip


def gains(bins: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """What the likeliest bins hold together, from none of them to all.

    Returns
    -------
    list of dict
        ``customers`` and ``churners``, so many; ``share`` and ``caught``, of all customers and of
        all churners; ``lift``, how many times as many churners as by lot. Empty where it is not
        known what came of a bin, or nobody left.
    """
    observed = [(b["observed"] or {}).get("value") for b in bins]
    if not all(map(known, observed)):
        return []
    sizes = [b["customers"] for b in reversed(bins)]
    left = [n * value for n, value in zip(sizes, reversed(observed), strict=True)]
    if not sum(left):
        return []
    told = [{"customers": 0.0, "churners": 0.0, "share": 0.0, "caught": 0.0, "lift": math.nan}]
    for k in range(1, len(sizes) + 1):
        share, caught = sum(sizes[:k]) / sum(sizes), sum(left[:k]) / sum(left)
        told.append({"customers": sum(sizes[:k]), "churners": sum(left[:k]), "share": share,
                     "caught": caught, "lift": caught / share})  # fmt: skip
    return told


def profit_plot(profit: Mapping[str, Any]) -> Markup:
    """Profit per customer at risk by the share that is called; empty where nothing is known.

    The dashed lines are a choice by lot and the share that earns most.

    Parameters
    ----------
    profit
        ``curve``, pairs of share and profit in rising order of share; ``share`` and ``most``, the
        estimates of the share that earns most and of what it earns.
    """
    curve, best = profit["curve"], profit["share"]["value"]
    if not curve or not known(best):
        return markup("")
    earned = [point[1] for point in curve]
    lowest, highest = min(0.0, *earned), max(0.0, *earned)
    air = 0.08 * (highest - lowest) or 0.5
    along, up = Scale(0.0, 1.0), Scale(lowest - air, highest + air)
    places = [(_x(share), _y(up.at(value))) for share, value in curve]
    says = f"calling the top {percent(best)} earns {number(profit['most']['value'])} per customer"
    x, y = _x(best), _y(up.at(profit["most"]["value"]))
    return tag(
        "svg", *_frame(along, "share of customers called, likeliest first", "profit", up, number),
        tag("line", class_="guide", x1=places[0][0], y1=places[0][1],
            x2=places[-1][0], y2=places[-1][1]),
        tag("line", class_="guide", x1=x, x2=x, y1=_y(0), y2=y),
        *(tag("line", class_="span used", x1=x1, y1=y1, x2=x2, y2=y2)
          for (x1, y1), (x2, y2) in pairwise(places)),
        tag("circle", tag("title", says), class_="dot used", cx=x, cy=y, r="5"),
        class_="plot", viewBox=f"0 0 {_LEFT + _SIDE + 18} {_TOP + _SIDE + 46}", role="img",
        aria_label="Profit by the share of customers called",
    )  # fmt: skip


def _frame(
    along: Scale,
    across: str,
    up: str,
    upward: Scale | None = None,
    words: Callable[[float], str] = percent,
) -> list[Markup]:
    """Grid, tick labels and the names of both axes; the upright one has the same scale or its own.

    The lower one is a share.
    """
    parts, rising = [], upward or along
    for tick in along.ticks():
        x = _x(along.at(tick))
        parts += [
            tag("line", class_="grid", x1=x, x2=x, y1=_y(0), y2=_y(1)),
            tag("text", percent(tick), x=x, y=_y(0) + 18, text_anchor="middle"),
        ]
    for tick in rising.ticks():
        y = _y(rising.at(tick))
        parts += [
            tag("line", class_="grid", x1=_x(0), x2=_x(1), y1=y, y2=y),
            tag("text", words(tick), x=_LEFT - 7, y=y + 4, text_anchor="end"),
        ]
    middle = _y(0.5)
    turned = f"rotate(-90 12 {middle})"
    return [
        *parts,
        tag("text", across, x=_x(0.5), y=_y(0) + 38, text_anchor="middle"),
        tag("text", up, x=12, y=middle, text_anchor="middle", transform=turned),
    ]


def _bin(group: Mapping[str, Any], scale: Scale) -> Markup:
    observed = group["observed"]
    x, y = _x(scale.at(group["predicted"])), _y(scale.at(observed["value"]))
    says = f"predicted {percent(group['predicted'])}, realised {percent(observed['value'])}"
    parts = [tag("circle", tag("title", says), class_="dot used", cx=x, cy=y, r="5")]
    if known(observed["low"]) and known(observed["high"]):
        ends = {"y1": _y(scale.at(observed["low"])), "y2": _y(scale.at(observed["high"]))}
        parts.insert(0, tag("line", class_="span used", x1=x, x2=x, **ends))
    return markup(*parts)


def _x(place: float) -> float:
    return round(_LEFT + _SIDE * place, 1)


def _y(place: float) -> float:
    return round(_TOP + _SIDE * (1 - place), 1)


def pct(place: float) -> str:
    """A place from 0 to 1 as SVG writes it, such as ``12.50%``."""
    return f"{100 * place:.2f}%"


def row(*inside: Markup, height: int, label: str = "") -> Markup:
    """A drawing as wide as its cell; without a label it only repeats the number beside it."""
    told = {"role": "img", "aria_label": label} if label else {"aria_hidden": "true"}
    return tag("svg", *inside, class_="row", width="100%", height=height, **told)


def tag(name: str, *inside: str, **attributes: object) -> Markup:
    """One element; texts and attribute values are escaped."""
    from markupsafe import Markup

    pairs = (
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(name, Markup("").join(pairs), markup(*inside))


def markup(*parts: str) -> Markup:
    """Parts in a row; plain text among them is escaped."""
    from markupsafe import Markup

    return Markup("").join(parts)
