"""What ``churnkit check`` found, as one summary and as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from churnkit import __version__
from churnkit.atomic import whole_file
from churnkit.coverage import coverage
from churnkit.horizon import advice
from churnkit.labels import Question
from churnkit.logs import Logs
from churnkit.logs.check import DUPLICATE, repetition
from churnkit.logs.profile import SEVERITIES, LogProfile
from churnkit.report.history import hour_bars, month_bars
from churnkit.report.page import environment
from churnkit.report.summary import check_dict
from churnkit.report.wording import number


def checkup_summary(
    logs: Logs,
    question: Question,
    profiles: Sequence[LogProfile],
    too_little: Sequence[str],
    rejected: str | None = None,
    one_in: int = 1,
) -> dict[str, Any]:
    """Everything a checkup shows, as JSON-ready values.

    Parameters
    ----------
    logs
        The checked logs.
    question
        What is asked of them.
    profiles
        What each log looks like.
    too_little
        Sentences of `churnkit.enough.shortfalls`.
    rejected
        Where the rows set aside are listed; ``None`` if there are none.
    one_in
        If above 1, the events of so many customers stand for all.

    Returns
    -------
    dict
        ``question``, ``horizon_days``, ``zone``, ``churnkit``, ``one_in``, ``logs`` (see
        `churnkit.report.check_dict`), ``rejected``, ``too_little``, ``profiles`` (each
        `LogProfile.told`), ``coverage``, ``horizon``, and ``findings``: all of them, the most
        severe first, each with its ``log``.

    Raises
    ------
    ConfigError
        If the log of the question is absent.
    """
    covered, advised = coverage(logs, question), advice(logs, question)
    found = [{"log": p.log, **f.told()} for p in profiles for f in p.findings]
    of_some = f" (among one in {one_in:,} customers)" if one_in > 1 else ""
    found += [
        {"log": question.log, **f.told(), "says": f"{f.says}{of_some}"} for f in covered.findings
    ]
    return {
        "question": question.rule,
        "horizon_days": question.horizon_days,
        "zone": logs.zone,
        "churnkit": __version__,
        "one_in": one_in,
        "logs": [check_dict(check, logs.zone) for check in logs.checks],
        "rejected": rejected,
        "too_little": list(too_little),
        "profiles": [p.told() for p in profiles],
        "coverage": covered.told(),
        "horizon": advised.told(),
        "findings": sorted(found, key=lambda f: SEVERITIES.index(f["severity"])),
    }


def render_checkup(summary: Mapping[str, Any]) -> str:
    """One self-contained HTML page: no script, no network, the same text for the same summary.

    Parameters
    ----------
    summary
        What `checkup_summary` makes.

    Returns
    -------
    str
        The page. Every text of the summary is escaped in it.

    Raises
    ------
    jinja2.UndefinedError
        If a key is missing.
    """
    return (
        environment()
        .get_template("checkup.html.j2")
        .render(
            summary,
            verdict=verdict(summary),
            set_aside=list(set_aside_rows(summary)),
            month_bars=month_bars,
            hour_bars=hour_bars,
        )
    )


def write_checkup(summary: Mapping[str, Any], path: Path) -> None:
    """Write the page of a summary; the file appears whole or not at all."""
    with whole_file(path) as aside:
        aside.write_text(render_checkup(summary), encoding="utf-8")


def verdict(summary: Mapping[str, Any]) -> str:
    """The findings and shortfalls of a summary counted in one sentence."""
    severities = [finding["severity"] for finding in summary["findings"]]
    stops = severities.count("stop") + len(summary["too_little"])
    warns = severities.count("warn")
    if not stops and not warns:
        return "The logs look sound, and they are enough for the question."
    told = []
    if stops:
        told.append(f"{stops} {'thing stands' if stops == 1 else 'things stand'} in the way")
    if warns:
        told.append(f"{warns} {'thing' if warns == 1 else 'things'} to look at")
    return ", ".join(told) + "."


def set_aside_rows(summary: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every reason of every log: ``log``, ``reason``, ``rows``, ``examples`` in words, ``mend``.

    Counts are those of the check, so that repetitions are among them.
    """
    for log in summary["logs"]:
        profile = next((p for p in summary["profiles"] if p["log"] == log["log"]), None)
        told = {s["reason"]: s for s in profile["set_aside"]} if profile else {}
        for reason, rows in log["rejected"].items():
            of = told.get(reason, {"examples": [], "mend": ""})
            examples = [_example(example) for example in of["examples"]]
            yield {
                "log": log["log"], "reason": reason, "rows": rows, "examples": examples,
                "mend": of["mend"] or (repetition(log["log"]) if reason == DUPLICATE else ""),
            }  # fmt: skip


def _example(told: Mapping[str, Any]) -> str:
    file = str(told["file"]).replace("\\", "/").rsplit("/", 1)[-1]
    found = "nothing" if told["found"] is None else told["found"]
    return f"{file}, row {number(told['row'])}: {found}"
