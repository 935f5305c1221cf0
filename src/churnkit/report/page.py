"""The page: one summary dict in, one HTML text out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.atomic import whole_file
from churnkit.report import charts, wording
from churnkit.report.drivers import dependence_plots

if TYPE_CHECKING:
    from jinja2 import Environment


def render(summary: Mapping[str, Any]) -> str:
    """One self-contained HTML page: no script, no network, the same text for the same summary.

    Parameters
    ----------
    summary
        What the page tells, as JSON-ready values. A part that is missing (None or an empty
        list) is named in words. Keys: ``as_of``, ``question``, ``churnkit``,
        ``model_version``, ``model_name``, ``verdict``, ``grade``, ``warnings``, ``lights`` (red,
        yellow, green), ``held_out_cutoff``, ``policy``, ``spend`` (what value at risk stands on),
        ``unknown`` (side → customers of whom nothing is known there), ``rules``, ``before`` (day
        of the run before, None for a first one), ``transitions``, ``changes``, ``changes_total``,
        ``planned``, ``metrics`` (the first one is drawn), ``models``, ``calibration``,
        ``profit``, ``drivers``, ``calls``, ``calls_total``, ``data``.

    Returns
    -------
    str
        The page. Every text of the summary is escaped in it.

    Raises
    ------
    jinja2.UndefinedError
        If a key is missing.
    """
    return environment().get_template("page.html.j2").render(summary)


@cache
def environment() -> Environment:
    """Where the pages are made: texts are escaped, and a missing key is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("churnkit.report", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    words = (wording.number, wording.percent, wording.score, wording.interval, wording.code)
    made.filters.update({word.__name__: word for word in words})
    drawings = (
        charts.bar, charts.lights_bar, charts.interval_rows, charts.calibration_plot,
        charts.profit_plot, dependence_plots,
    )  # fmt: skip
    made.globals.update({drawing.__name__: drawing for drawing in drawings})
    made.globals["shapes"] = charts.SHAPES
    return made


def write_report(summary: Mapping[str, Any], path: Path) -> None:
    """Write the page of a summary; the file appears whole or not at all."""
    with whole_file(path) as aside:
        aside.write_text(render(summary), encoding="utf-8")
