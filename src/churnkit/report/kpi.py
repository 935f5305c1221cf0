"""The key figures as a page: lines month by month, segments, and the cohort triangle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.atomic import whole_file
from churnkit.report.charts import Scale, markup, tag
from churnkit.report.page import environment
from churnkit.report.wording import Estimate, known

if TYPE_CHECKING:
    from markupsafe import Markup

NAMES: Mapping[str, str] = {
    "active_start": "start", "active_end": "end", "churned": "churned",
    "churned_by_event": "by event", "new": "new", "new_lost": "new, lost", "won_back": "won back",
    "churn_rate": "churn", "retention": "retention",
    "revenue": "revenue", "revenue_start": "at start", "revenue_churned": "churned",
    "contraction": "contraction", "expansion": "expansion", "nrr": "NRR", "grr": "GRR",
    "clv": "CLV", "clv_margin": "margin/month", "clv_retention": "retention",
    "nps": "NPS", "nps_response": "answered", "ces": "CES", "ces_response": "answered",
    "csat": "CSAT", "csat_response": "answered",
}  # fmt: skip
"""Measure → its name at the head of a column."""

_CHARTS: Mapping[str, str] = {
    "churn_rate": "Churn rate", "nrr": "Net revenue retention", "clv": "Customer lifetime value",
    "nps": "NPS", "ces": "Ease (CES)", "csat": "CSAT",
}  # fmt: skip
_TABLES: Mapping[str, Sequence[str]] = {
    "Customers": (
        "active_start", "churned", "churned_by_event", "churn_rate", "retention", "new",
        "new_lost", "won_back", "active_end",
    ),
    "Revenue": (
        "revenue", "revenue_start", "revenue_churned", "contraction", "expansion", "nrr", "grr",
    ),
    "Lifetime value": ("clv", "clv_margin", "clv_retention"),
    "Surveys": ("nps", "nps_response", "ces", "ces_response", "csat", "csat_response"),
}  # fmt: skip
_OF_SEGMENTS = (
    "active_end", "churn_rate", "new", "won_back", "nrr", "grr", "clv", "nps", "ces", "csat",
)  # fmt: skip
_LEFT, _TOP, _WIDE, _HIGH = 56, 12, 330, 170
_MOST_MONTHS_NAMED = 5
_SHADES = 9
_UNKNOWN = "–"
_POINTS, _EASE = {"nps"}, {"ces"}
_SHARES = {
    "churn_rate", "retention", "nrr", "grr", "clv_retention", "csat",
    "nps_response", "ces_response", "csat_response",
}  # fmt: skip


def short_name(measure: str) -> str:
    """What stands at the head of a column."""
    return NAMES[measure]


def figure_in_words(measure: str, figure: Estimate) -> str:
    """The value of a measure as it is written; a dash where it is not known.

    >>> figure_in_words("ces", {"value": 0.312}), figure_in_words("nps", {"value": -12.4})
    ('0.31', '−12')
    """
    value = figure["value"]
    if not known(value):
        return _UNKNOWN
    if measure in _SHARES:
        words = f"{100 * value:z.1f}\u00a0%"
    elif measure in _EASE:
        words = f"{value:.2f}"
    elif measure in _POINTS or abs(value) >= 10 or value == int(value):
        words = f"{value:z,.0f}"
    else:
        words = f"{value:z.2f}"
    return words.replace("-", "−")


def render_kpis(told: Mapping[str, Any]) -> str:
    """One self-contained HTML page: no script, no network, the same text for the same figures."""
    figures = told["segments"][0]["figures"]
    template = environment().get_template("kpi.html.j2")
    return template.render(
        told,
        charts=[
            (title, name, month_line(title, name, told["months"], figures[name]))
            for name, title in _CHARTS.items()
            if name in figures
        ],
        tables={
            title: [name for name in names if name in figures] for title, names in _TABLES.items()
        },
        of_segments=[name for name in _OF_SEGMENTS if name in figures],
        names=NAMES, words=figure_in_words, span=interval_in_words, shade=shade,
    )  # fmt: skip


def write_kpis(told: Mapping[str, Any], path: Path) -> None:
    """Write the page; the file appears whole or not at all."""
    with whole_file(path) as aside:
        aside.write_text(render_kpis(told), encoding="utf-8")


def interval_in_words(measure: str, figure: Estimate) -> str:
    """The interval in brackets; empty where there is none."""
    low, high = figure["low"], figure["high"]
    if not (known(low) and known(high)):
        return ""
    ends = (figure_in_words(measure, {"value": end}) for end in (low, high))
    return f"[{', '.join(ends)}]"


def shade(share: float | None) -> int:
    """How dark the cell of a share is, from 0 to 9.

    >>> shade(0.0), shade(0.55), shade(1.0), shade(None)
    (0, 5, 9, 0)
    """
    return round(_SHADES * share) if known(share) else 0


def month_line(
    title: str, measure: str, months: Sequence[str], figures: Sequence[Estimate]
) -> Markup:
    """A line of a measure over the months with its intervals; months not known are a gap.

    Empty where nothing is known.
    """
    ends = [e[key] for e in figures for key in ("value", "low", "high")]
    there = [end for end in ends if known(end)]
    if not there:
        return markup("")
    air = 0.08 * (max(there) - min(there)) or abs(there[0]) * 0.05 or 0.05
    up = Scale(min(there) - air, max(there) + air)
    return tag(
        "svg", *_levels(measure, up), *_month_names(months),
        *_line(measure, months, figures, up),
        class_="plot", viewBox=f"0 0 {_LEFT + _WIDE + 20} {_TOP + _HIGH + 28}", role="img",
        aria_label=f"{title} from {months[0]} to {months[-1]}",
    )  # fmt: skip


def _line(
    measure: str, months: Sequence[str], figures: Sequence[Estimate], up: Scale
) -> list[Markup]:
    places: list[tuple[float, float] | None] = []
    parts: list[Markup] = []
    for nth, (month, figure) in enumerate(zip(months, figures, strict=True)):
        value, low, high = (figure[key] for key in ("value", "low", "high"))
        if not known(value):
            places.append(None)
            continue
        x, y = _across(nth, len(months)), _down(up, value)
        places.append((x, y))
        if known(low) and known(high):
            span = {"y1": _down(up, low), "y2": _down(up, high)}
            parts.append(tag("line", class_="span used", x1=x, x2=x, **span))
        says = f"{month}: {figure_in_words(measure, figure)} {interval_in_words(measure, figure)}"
        parts.append(
            tag("circle", tag("title", says.strip()), class_="dot used", cx=x, cy=y, r="4")
        )
    joined = [
        tag("line", class_="thin", x1=one[0], y1=one[1], x2=other[0], y2=other[1])
        for one, other in pairwise(places)
        if one is not None and other is not None
    ]
    return [*joined, *parts]


def _levels(measure: str, up: Scale) -> list[Markup]:
    parts = []
    for tick in up.ticks(4):
        y = _down(up, tick)
        words = figure_in_words(measure, {"value": tick})
        parts += [
            tag("line", class_="grid", x1=_LEFT, x2=_LEFT + _WIDE, y1=y, y2=y),
            tag("text", words, x=_LEFT - 7, y=y + 4, text_anchor="end"),
        ]
    return parts


def _month_names(months: Sequence[str]) -> list[Markup]:
    every = -(-len(months) // _MOST_MONTHS_NAMED)
    return [
        tag("text", month, x=_across(nth, len(months)), y=_TOP + _HIGH + 20, text_anchor="middle")
        for nth, month in enumerate(months)
        if nth % every == 0
    ]


def _across(nth: int, months: int) -> float:
    return round(_LEFT + _WIDE * (nth + 0.5) / months, 1)


def _down(up: Scale, value: float) -> float:
    return round(_TOP + _HIGH * (1 - up.at(value)), 1)
