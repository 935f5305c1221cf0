"""The key figures as a page: lines month by month, segments, and the cohort triangle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from churnkit.atomic import whole_file
from churnkit.language import ENGLISH, Language
from churnkit.report.page import environment
from churnkit.report.wording import Estimate, known

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

_DRAWN = ("churn_rate", "nrr", "clv", "nps", "ces", "csat")
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


def render_kpis(told: Mapping[str, Any], language: Language = ENGLISH) -> str:
    """One self-contained HTML page: no script, no network, the same text for the same figures."""
    figures = told["segments"][0]["figures"]
    template = environment(language).get_template("kpi.html.j2")
    return template.render(
        told,
        told=told,
        drawn=[name for name in _DRAWN if name in figures],
        tables={
            title: [name for name in names if name in figures] for title, names in _TABLES.items()
        },
        of_segments=[name for name in _OF_SEGMENTS if name in figures],
        names=NAMES, words=figure_in_words, span=interval_in_words, shade=shade,
    )  # fmt: skip


def write_kpis(told: Mapping[str, Any], path: Path, language: Language = ENGLISH) -> None:
    """Write the page; the file appears whole or not at all."""
    with whole_file(path) as aside:
        aside.write_text(render_kpis(told, language), encoding="utf-8")


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
