"""The page: one summary dict in, one HTML text out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.atomic import whole_file
from churnkit.language import ENGLISH, Language
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
def environment(language: Language = ENGLISH) -> Environment:
    """Where the pages are made: texts are escaped, and a missing key is an error.

    In templates ``_("…")``, ``ngettext`` and ``{% trans %}`` are messages of the page; ``|said``
    tells a stored English sentence in the language; numbers and days go through their filters.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("churnkit.report", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_callables(  # type: ignore[attr-defined]
        language.text, lambda one, many, n: language.texts(one, many, n), newstyle=True
    )
    words = (wording.number, wording.percent, wording.score, wording.interval)
    made.filters.update({word.__name__: _written(word, language) for word in words})
    made.filters.update(code=wording.code, said=language.said, day=language.day)
    drawings = (
        charts.bar, charts.lights_bar, charts.interval_rows, charts.calibration_plot,
        charts.profit_plot, dependence_plots,
    )  # fmt: skip
    made.globals.update({drawing.__name__: drawing for drawing in drawings})
    made.globals.update(shapes=charts.SHAPES, language=language)
    return made


def _written(word: Callable[..., str], language: Language) -> Callable[..., str]:
    """A filter for numbers, in the digits of the language."""
    return lambda *told, **options: language.digits(word(*told, **options))


def write_report(summary: Mapping[str, Any], path: Path) -> None:
    """Write the page of a summary; the file appears whole or not at all."""
    with whole_file(path) as aside:
        aside.write_text(render(summary), encoding="utf-8")
