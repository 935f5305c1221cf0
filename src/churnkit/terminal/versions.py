"""What the terminal shows of versions of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from churnkit.terminal.console import hint, note, out, say
from churnkit.terminal.tables import (
    interval,
    table,
)

_WITH_TIMES = 104  # so wide a terminal shows when each model was trained


def show_release(told: Mapping[str, Any]) -> None:
    """Where a model is, whether it is used, and why."""
    role = {"champion": "now the champion", "challenger": "the challenger"}
    say(
        f"\nVersion {told['version']} in {told['bundle']}, "
        f"{role.get(told['alias'], 'not the champion')}: {told['standing']}."
    )


def show_models(models: Sequence[Mapping[str, Any]], config: Path | str | None = None) -> None:
    """Every version of the model, which of them scores, and how good each was at its test."""
    console = out()
    if not models:
        console.print("There is no model yet. Next: churnkit train")
        return
    columns = ["version", "alias", "model", "test", "auroc", "log_loss", "grade"]
    rows = [
        [
            told["version"],
            told["alias"],
            told["model"] or "",
            told["test_cutoff"] or "",
            interval(told["auroc"]),
            interval(told["log_loss"]),
            told["grade"] or "",
        ]
        for told in models
    ]
    if console.width >= _WITH_TIMES:
        columns.append("trained")
        for row, told in zip(rows, models, strict=True):
            row.append((told["trained"] or "")[:16].replace("T", " "))
    console.print(table("Models", columns, rows, head=3))
    console.print(f"\n{_questions(models)}")
    if any(told["alias"] == "challenger" for told in models):
        hint("churnkit promote challenger", config=config)


def _questions(models: Sequence[Mapping[str, Any]]) -> str:
    """What the models ask: once if it is the same for all, else with the versions that ask it."""
    asking: dict[str, list[str]] = {}
    for told in models:
        asking.setdefault(told["question"] or "what is not known", []).append(told["version"])
    if len(asking) == 1:
        return f"Asked: {next(iter(asking))}."
    return "\n".join(f"Asked by {', '.join(who)}: {what}." for what, who in asking.items())


def show_crowned(told: Mapping[str, Any]) -> None:
    """Which version scores now, and which did before."""
    if told["gates"] not in (None, "passed"):
        note(f"Warning: version {told['version']} {told['gates']}")
    before = f", in place of version {told['before']}" if told["before"] else ""
    same = told["before"] == told["version"]
    deed = "is the champion already" if same else f"is now the champion{before}"
    say(
        f"Version {told['version']} ({told['model']}) {deed}.\nIt asks: {told['question']}.\n"
        f"A copy is kept in {told['bundle']}."
    )
