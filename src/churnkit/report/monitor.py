"""What a look at a run found, as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.atomic import whole_file
from churnkit.language import ENGLISH, Language
from churnkit.report.charts import pct, row, tag
from churnkit.report.page import environment
from churnkit.report.wording import number

if TYPE_CHECKING:
    from markupsafe import Markup

LIGHT_OF = {"ok": "green", "watch": "yellow", "retrain": "red"}
"""Verdict → the light whose colour and shape it has."""

_TALL = 34


def render_monitor(summary: Mapping[str, Any], language: Language = ENGLISH) -> str:
    """One self-contained HTML page: no script, no network, the same text for the same summary.

    Parameters
    ----------
    summary
        What `churnkit.monitor.monitor` tells.
    language
        In which the page is written.
    """
    template = environment(language).get_template("monitor.html.j2")
    return template.render(summary, light_of=LIGHT_OF, day_bars=day_bars)


def write_monitor(summary: Mapping[str, Any], path: Path, language: Language = ENGLISH) -> None:
    """Write the page of a summary; the file appears whole or not at all."""
    with whole_file(path) as aside:
        aside.write_text(render_monitor(summary, language), encoding="utf-8")


def day_bars(days: Sequence[int], language: Language = ENGLISH) -> Markup:
    """One bar a day, the last one the day before the run."""
    most = max([*days, 1])
    wide = 1 / max(len(days), 1)
    bars = [
        tag(
            "rect", class_="bar", x=pct(k * wide), width=pct(0.7 * wide),
            y=round(_TALL * (1 - n / most), 1), height=round(_TALL * n / most, 1),
        )
        for k, n in enumerate(days)
    ]  # fmt: skip
    says = language.text(
        "Events of each of the last %(days)s days, at most %(most)s",
        days=len(days),
        most=language.digits(number(most)),
    )
    return row(*bars, height=_TALL, label=says)
