"""A night on one page: what became of each step of the day, and where to look further."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from churnkit.atomic import whole_file
from churnkit.report.page import environment

_VERDICTS = {"ok": ("●", "green"), "watch": ("▲", "yellow"), "retrain": ("■", "red")}
_PAGES = ("check", "report", "monitor", "kpi", "calls")


def night_summary(
    as_of: str, told: Mapping[str, Mapping[str, Any]], paths: Mapping[str, Path], page: Path
) -> dict[str, Any]:
    """What the page of a night shows, as JSON-ready values.

    Parameters
    ----------
    as_of
        The day.
    told
        Step → what it told, see `churnkit.project_run`.
    paths
        Name → what was written.
    page
        Where the page will lie: links are relative to it.

    Returns
    -------
    dict
        ``as_of``, ``lights`` (light → customers), ``model``, ``warnings`` of the scores,
        ``calls`` and ``waiting``, ``verdict`` and ``reason`` (``None`` if nothing could be said),
        ``logs``, ``decision`` (``None`` without one) and ``links``.
    """
    score, monitor = told.get("score", {}), told.get("monitor", {})
    calls, decision = told.get("calls", {}), told.get("retrain")
    here = page.resolve().parent
    return {
        "as_of": as_of,
        "lights": score.get("lights", {}),
        "model": score.get("model"),
        "warnings": list(score.get("warnings", ())),
        "calls": calls.get("call", 0),
        "waiting": calls.get("waiting", 0),
        "verdict": monitor.get("verdict"),
        "reason": monitor.get("reason"),
        "logs": [
            {"log": name, **{key: log[key] for key in ("kept", "last")},
             "rejected": sum(log["rejected"].values())}
            for name, log in told.get("check", {}).get("logs", {}).items()
        ],
        "decision": decision and {key: decision[key] for key in ("decision", "says")},
        "links": {
            name: Path(os.path.relpath(paths[name].resolve(), here)).as_posix()
            for name in _PAGES
            if name in paths
        },
    }  # fmt: skip


def render_night(summary: Mapping[str, Any]) -> str:
    """One self-contained HTML page: no script, no network, the same text for the same summary."""
    template = environment().get_template("night.html.j2")
    return template.render(summary, verdicts=_VERDICTS)


def write_night(summary: Mapping[str, Any], path: Path) -> None:
    """Write the page of a summary; the file appears whole or not at all."""
    with whole_file(path) as aside:
        aside.write_text(render_night(summary), encoding="utf-8")


def write_values(values: Mapping[str, Any], path: Path) -> None:
    """Write JSON-ready values; undefined numbers are null. The file appears whole or not at all."""
    with whole_file(path) as aside:
        told = json.dumps(_defined(values), ensure_ascii=False, indent=1, allow_nan=False)
        aside.write_text(f"{told}\n", encoding="utf-8")


def read_values(path: Path) -> dict[str, Any]:
    """What `write_values` wrote."""
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return told


def _defined(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _defined(of) for key, of in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(of) for of in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
