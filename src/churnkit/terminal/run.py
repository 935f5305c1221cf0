"""What the terminal shows of a night."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from churnkit.lights import SHAPES
from churnkit.terminal import out, table

_STATES = {"done": "●", "kept": "○", "lacking": "△", "failed": "■", "not run": "·"}


def show_night(summary: Mapping[str, Any]) -> None:
    """The steps and what became of each, the lights, the verdict, decisions, and the files."""
    console = out()
    rows = (
        [f"{_STATES[s['state']]} {s['step']}", s["state"], _seconds(s), s["rows"] or "", s["why"]]
        for s in summary["steps"]
    )
    title = f"The night of {summary['as_of']}"
    console.print(table(title, ["step", "", "seconds", "rows", "why"], rows))
    console.print()
    if summary["lights"]:
        told = (f"{SHAPES[light]} {light} {n:,}" for light, n in summary["lights"].items())
        console.print(f"Customers: {', '.join(told)}")
    if summary["verdict"]:
        console.print(f"Verdict: {summary['verdict']}. {summary['reason']}")
    for decision in summary["decisions"][-1:]:
        console.print(f"A new model: {decision['decision']} ({decision['says']})")
    if summary["paths"]:
        console.print()
        console.print(table("Written", ["what", "where"], summary["paths"].items()))


def _seconds(step: Mapping[str, Any]) -> str:
    return f"{step['seconds']:.1f}" if step["state"] in ("done", "failed") else ""
