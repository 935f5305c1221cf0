"""What the terminal shows of a night."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from churnkit.terminal.console import STYLES, out
from churnkit.terminal.tables import light, show_written, table

_STATES = {
    "done": ("●", STYLES["green"]),
    "kept": ("○", ""),
    "lacking": ("△", STYLES["yellow"]),
    "failed": ("■", STYLES["red"]),
    "not run": ("·", ""),
}


def show_night(summary: Mapping[str, Any]) -> None:
    """The steps and what became of each, the lights, the verdict, decisions, and the files."""
    console = out()
    rows = (
        [_step(s), s["state"], _seconds(s), s["rows"] or "", s["why"]] for s in summary["steps"]
    )
    title = f"The night of {summary['as_of']}"
    console.print(table(title, ["step", "", "seconds", "rows", "why"], rows, right=[2, 3], head=2))
    console.print()
    if summary["lights"]:
        told = [Text.assemble(light(name), f" {n:,}") for name, n in summary["lights"].items()]
        console.print(Text.assemble("Customers: ", Text(", ").join(told)))
    if summary["verdict"]:
        console.print(f"Verdict: {summary['verdict']}. {summary['reason']}")
    for decision in summary["decisions"][-1:]:
        console.print(f"A new model: {decision['decision']} ({decision['says']})")
    if summary["paths"]:
        console.print()
        show_written(console, summary["paths"])


def _step(step: Mapping[str, Any]) -> Text:
    return Text.assemble(_STATES[step["state"]], f" {step['step']}")


def _seconds(step: Mapping[str, Any]) -> str:
    return f"{step['seconds']:.1f}" if step["state"] in ("done", "failed") else ""
