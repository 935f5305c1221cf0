"""Small SVG drawings, made by hand: no script, no library, no address.

Positions along a row are percentages, so that a drawing follows the width of its cell while
its dots stay round and its text keeps its size. Colours come from the page's style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from churnkit.language import ENGLISH, Language
from churnkit.report.wording import Estimate, known, percent, score

if TYPE_CHECKING:
    from markupsafe import Markup

SHAPES = {"red": "■", "yellow": "▲", "green": "●"}
"""The shape of each light, for those who do not see its colour."""

_ROW = 52


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


def slim_bar(share: float | None) -> Markup:
    """One thin bar in few letters, for long tables; ``share`` in [0, 1] of its width."""
    from markupsafe import Markup

    width = round(100 * min(max(share, 0.0), 1.0)) if known(share) else 0
    return Markup(  # noqa: S704 - nothing in it but a whole number
        '<svg class="slim" viewBox="0 0 100 6" aria-hidden="true">'
        f'<path d="M0 3H100"/><path d="M0 3H{width}"/></svg>'
    )


def lights_bar(lights: Sequence[Mapping[str, Any]], language: Language = ENGLISH) -> Markup:
    """All customers as one bar, cut by light; empty where no share is known."""
    shown = [light for light in lights if known(light["share"]) and light["share"] > 0]
    starts = [sum(light["share"] for light in shown[:i]) for i in range(len(shown))]
    says = ", ".join(
        f"{language.said(light['light'])} {language.digits(percent(light['share']))}"
        for light in shown
    )
    parts = [_light(light, start, language) for light, start in zip(shown, starts, strict=True)]
    label = language.text("Customers by light: %(says)s", says=says)
    return row(*parts, height=34, label=label) if parts else markup("")


def _light(light: Mapping[str, Any], start: float, language: Language) -> Markup:
    name, share, said = light["light"], light["share"], language.said(light["light"])
    # A narrow piece has no room for words on a phone; its card below has them.
    words = f"{SHAPES[name]} {said}" if share >= 0.22 else SHAPES[name] if share >= 0.06 else ""
    written = language.digits(percent(share))
    if language.direction == "rtl":  # the first light is where reading begins
        start = 1 - start - share
    return markup(
        tag("rect", tag("title", f"{said}: {written}"), class_=f"fill-{name}",
             x=pct(start), width=pct(share), height="34"),
        tag("text", words, class_=f"on-{name}", x=pct(start + share / 2), y="22",
             text_anchor="middle"),
    )  # fmt: skip


def interval_rows(
    models: Sequence[Mapping[str, Any]], metric: str, language: Language = ENGLISH
) -> list[Markup]:
    """One metric of every model on one scale: a dot for the value, a line for the interval.

    Parameters
    ----------
    models
        Each with ``used`` and ``metrics`` (metric name to estimate). The model in use is drawn
        full, and a dashed line carries its value through every row.
    metric
        Name of the metric to draw.
    language
        In whose digits the axis is written.

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
    return [*(row(*parts, height=_ROW) for parts in rows), _axis(scale, language)]


def _axis(scale: Scale, language: Language) -> Markup:
    words = [
        tag(
            "text",
            language.digits(score(tick)),
            x=pct(scale.at(tick)),
            y="14",
            text_anchor="middle",
        )
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
