"""The page: one summary dict in, one HTML text out."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit import plots
from churnkit.atomic import whole_file
from churnkit.language import ENGLISH, Language
from churnkit.report import charts, wording
from churnkit.report.figures import svg
from churnkit.report.listing import listing

if TYPE_CHECKING:
    from jinja2 import Environment


_SCRIPT = Path(__file__).with_name("page.js")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d).*)?", re.DOTALL)


def render(summary: Mapping[str, Any], language: Language = ENGLISH) -> str:
    """One self-contained HTML page: no network, the same text for the same summary.

    Its only script is a file of churnkit, ``page.js``, which searches, sorts, filters and exports
    the call list; the page allows no other, and needs none to be read.

    Parameters
    ----------
    summary
        What the page tells, as JSON-ready values: those of `churnkit.report.summarise`, completed
        by `churnkit.report.completed`. A part that is missing (None or an empty list) is named in
        words.
    language
        In which the page is written.

    Returns
    -------
    str
        The page. Every text of the summary is escaped in it.

    Raises
    ------
    jinja2.UndefinedError
        If a key is missing.
    """
    template = environment(language).get_template("page.html.j2")
    return template.render(summary, script=_script())


@cache
def _script() -> dict[str, Any]:
    """The script of the page, and the digest by which the page allows it."""
    from markupsafe import Markup

    text = _SCRIPT.read_text(encoding="utf-8")
    digest = base64.b64encode(sha256(text.encode()).digest()).decode()
    return {"text": Markup(text), "digest": f"sha256-{digest}"}  # noqa: S704 - our own file


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
        language.text, language.plural, newstyle=True
    )
    words = (wording.number, wording.percent, wording.score, wording.interval)
    made.filters.update({word.__name__: _written(word, language) for word in words})
    made.filters.update(
        code=wording.code,
        said=language.said,
        day=partial(_moment, language=language),
        plain=wording.plain,
        css=_css,
    )
    made.globals.update(bar=charts.bar, slim_bar=charts.slim_bar)
    for drawing in (charts.lights_bar, charts.interval_rows):
        made.globals[drawing.__name__] = partial(drawing, language=language)
    made.globals.update(
        shapes=charts.SHAPES, language=language, listing=listing, turned=_turned, aside=_aside
    )
    made.globals.update(plots=plots, figure=partial(svg, language=language))
    return made


def _moment(text: str, between: str = " ", *, language: Language) -> str:
    """A day, or a day and a time of day, as the language writes them; other texts as they are."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        return language.day(text)  # perhaps a month
    day, time = language.day(found[1]), found[2]
    return day if time is None else f"{day}{between}{language.digits(time)}"


def _css(text: str) -> Any:
    """A text as a string of a style sheet, in which nothing of it can end or begin anything."""
    from markupsafe import Markup

    written = "".join(c if c.isalnum() else f"\\{ord(c):x} " for c in text)
    return Markup(f'"{written}"')  # noqa: S704 - nothing but letters, digits and escapes


def _turned(transitions: Mapping[str, Mapping[str, int]], light: str) -> dict[str, int]:
    """How many customers came into a light since the run before, and how many went."""
    came = sum(row[light] for was, row in transitions.items() if was != light)
    gone = sum(n for now, n in transitions[light].items() if now != light)
    return {"come": came, "gone": gone}


def _aside(data: Any) -> int:
    """Rows of all logs that were set aside."""
    return sum(sum(log["rejected"].values()) for log in data)


def _written(word: Callable[..., str], language: Language) -> Callable[..., str]:
    """A filter for numbers, in the digits of the language."""
    return lambda *told, **options: language.digits(word(*told, **options))


def write_report(summary: Mapping[str, Any], path: Path, language: Language = ENGLISH) -> None:
    """Write the page of a summary; the file appears whole or not at all."""
    with whole_file(path) as aside:
        aside.write_text(render(summary, language), encoding="utf-8")
