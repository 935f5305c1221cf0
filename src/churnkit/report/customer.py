"""The page of one customer: why now, what it did, and how its score came about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from churnkit.atomic import whole_file
from churnkit.language import ENGLISH, Language
from churnkit.plots import customer as pictures
from churnkit.report.page import environment

_FOREMOST = 3
_SILENT_SIDES = {
    "no_activity_log": ("activity",), "no_surveys_log": ("NPS", "CES"),
    "never_answered": ("NPS", "CES"),
}  # fmt: skip


def render_customer(told: Mapping[str, Any], language: Language = ENGLISH) -> str:
    """One self-contained HTML page: no script, no network, the same text for the same values.

    Parameters
    ----------
    told
        What ``churnkit explain --story --json`` tells, see `churnkit.project.explain_project`.
    language
        In which the page is written.

    Returns
    -------
    str
        The page. Every text is escaped in it.

    Raises
    ------
    jinja2.UndefinedError
        If a key is missing.
    """
    template = environment(language).get_template("customer.html.j2")
    return template.render(
        told, told=told, pictures=pictures, foremost=_foremost(told), unheard=_unheard(told),
        turns=pictures.turns(told["story"]["course"]),
    )  # fmt: skip


def _foremost(told: Mapping[str, Any]) -> list[str]:
    """What speaks most for the light: rules that gave it, other rules, then themes of its way."""
    later = list(reversed(told["rules"]))  # the last rule that changes the light decides it
    rules = [rule for rule in later if "→" in rule] + [rule for rule in later if "→" not in rule]
    way = -1 if told["light"] == "green" else 1
    themes = [reason["says"] for reason in told["reasons"] if way * reason["weight"] > 0]
    return [*rules, *themes][:_FOREMOST]


def _unheard(told: Mapping[str, Any]) -> list[str]:
    """The sides of which nothing is known, but those whose whole log is missing."""
    silent = {side for what in told["story"]["missing"] for side in _SILENT_SIDES.get(what, ())}
    return [side for side in told["unknown"] if side not in silent]


def write_customer(told: Mapping[str, Any], path: Path, language: Language = ENGLISH) -> None:
    """Write the page; the file appears whole or not at all."""
    with whole_file(path) as aside:
        aside.write_text(render_customer(told, language), encoding="utf-8")
