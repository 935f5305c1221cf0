"""What the terminal shows: tables made of plain values, and progress for those who wait."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from churnkit.lights import SHAPES

_STYLES = {"green": "green", "yellow": "yellow", "red": "red"}
_PIPED_WIDTH = 160
_METRIC_WIDTH = 20


def out() -> Console:
    """The console of results; wide when piped, unless COLUMNS says otherwise."""
    measured = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if measured else _PIPED_WIDTH, highlight=False)


def note(message: str) -> None:
    """A line for people, on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(message))


def print_json(value: Any) -> None:
    """One JSON document on standard output; undefined numbers are null."""
    sys.stdout.write(json.dumps(_defined(value), ensure_ascii=False, indent=1) + "\n")


def _nobody(message: str) -> None:
    """Shows nothing: nobody is looking."""


@contextmanager
def progress() -> Iterator[Any]:
    """A function that shows what is being done; silent unless standard error is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _nobody
        return
    with console.status("starting") as status:
        yield lambda message: status.update(Text(message))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table of plain values; numbers are aligned to the right."""
    listed = [list(row) for row in rows]
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for k, name in enumerate(columns):
        numeric = all(isinstance(row[k], int | float) for row in listed) and bool(listed)
        made.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        made.add_row(*(_cell(value) for value in row))
    return made


def logs_table(checks: Sequence[Mapping[str, Any]]) -> Table:
    """Rows read, kept and folded of each log."""
    return table(
        "Logs",
        ["log", "rows", "kept", "events", "customers", "from", "to", "set aside"],
        (
            [
                c["log"], c["read"], c["kept"], c["folded"], c["customers"],
                c["first"] or "", c["last"] or "",
                ", ".join(f"{n:,} {reason}" for reason, n in c["rejected"].items()) or "none",
            ]
            for c in checks
        ),
    )  # fmt: skip


def models_table(
    models: Sequence[Mapping[str, Any]], test: Mapping[str, Any], width: int = _PIPED_WIDTH
) -> Table:
    """Model against plain rules at one test cutoff, each metric with its interval.

    Metrics that do not fit the width are left to ``--json``.
    """
    metrics = list(models[0]["metrics"])[: max((width - 16) // _METRIC_WIDTH, 1)]
    return table(
        f"Test at {test['cutoff']}: {test['customers']:,} customers at risk, "
        f"{test['base_rate']:.1%} churned (95 % intervals)",
        ["model", *metrics],
        (
            [
                ("→ " if m["used"] else "  ") + m["name"],
                *(_interval(m["metrics"][name]) for name in metrics),
            ]
            for m in models
        ),
    )


def lights_table(lights: Sequence[Mapping[str, Any]], held_out: str) -> Table:
    """Customers of each light now, and how those of the test turned out."""
    return table(
        "Lights",
        ["light", "customers", "value at risk", f"at {held_out}", "of these churned"],
        (
            [
                _light(told["light"]),
                told["customers"],
                "unknown" if told["value_at_risk"] is None else f"{told['value_at_risk']:,.0f}",
                told["held_out"]["customers"],
                _share(told["held_out"]["churned"]),
            ]
            for told in lights
        ),
    )


def calls_table(calls: Sequence[Mapping[str, Any]]) -> Table:
    """The first rows of the call list with their reasons."""
    return table(
        "Call list",
        ["rank", "customer", "light", "churn", "value", "why"],
        (
            [
                call["rank"],
                call["customer_id"],
                _light(call["light"]),
                f"{call['churn_probability']:.0%}",
                "" if call["value_at_risk"] is None else f"{call['value_at_risk']:,.0f}",
                "; ".join([*(f"! {rule}" for rule in call["rules"]), *call["reasons"]]),
            ]
            for call in calls
        ),
    )


def show_proposals(config: Path, proposals: Sequence[Mapping[str, Any]]) -> None:
    """Which column is read as what, what is not used, and what could not be decided."""
    console = out()
    rows = [[p["log"], name, col] for p in proposals for name, col in p["columns"].items()]
    console.print(table("Columns", ["log", "means", "column"], rows))
    console.print()
    for proposal in proposals:
        if proposal["unused"]:
            console.print(f"Not used of {proposal['log']}: {', '.join(proposal['unused'])}")
        for note_of in proposal["undecided"]:
            console.print(f"Undecided in {proposal['log']}: {note_of}")
    console.print(f"Wrote {config}. Look it over, then: churnkit check")


def show_checkup(summary: Mapping[str, Any]) -> None:
    """What became of every row, and what is too little."""
    console = out()
    console.print(logs_table(summary["logs"]))
    if summary["rejected"]:
        console.print(f"\nRows set aside are listed in {summary['rejected']}")
    console.print(f"\nThe question: {summary['question']}")
    for sentence in summary["too_little"]:
        console.print(f"Too little: {sentence}")
    if not summary["too_little"]:
        console.print("The logs are enough for it. Next: churnkit train")


def show_training(summary: Mapping[str, Any], models: Sequence[Mapping[str, Any]]) -> None:
    """Model against plain rules, the lights of the test, the gates, and where the model is."""
    console = out()
    test = summary["trials"][-1]
    console.print(f"The question: {summary['question']}\n")
    console.print(models_table(models, test, console.width))
    console.print(f"\n{summary['verdict']}\n")
    rows = [[_light(t["light"]), t["customers"], _share(t["churned"])] for t in summary["lights"]]
    console.print(table("Lights of the test", ["light", "customers", "of these churned"], rows))
    console.print()
    for gate in summary["gates"]:
        console.print(
            f"{'passed' if gate['passed'] else 'FAILED'}: {gate['name']} ({gate['says']})"
        )
    role = "now the champion" if summary["champion"] else "not the champion"
    console.print(f"\nVersion {summary['version']} in {summary['bundle']}, {role}.")


def show_scores(summary: Mapping[str, Any], calls: int = 10) -> None:
    """Model against rules, the lights, the first calls, and what was written."""
    console = out()
    console.print(f"As of {summary['as_of']}: {summary['question']}\n")
    for warning in summary["warnings"]:
        note(f"Warning: {warning}")
    console.print(models_table(summary["models"], summary["test"], console.width))
    console.print(f"\n{summary['verdict']}\n")
    console.print(lights_table(summary["lights"], summary["held_out_cutoff"]))
    console.print()
    console.print(calls_table(summary["calls"][:calls]))
    console.print()
    console.print(table("Written", ["what", "where"], summary["paths"].items()))


def _light(light: str) -> Text:
    return Text(f"{SHAPES[light]} {light}", style=_STYLES[light])


def _cell(value: Any) -> Text:
    if isinstance(value, Text):
        return value
    return Text(f"{value:,}" if isinstance(value, int) else str(value))


def _interval(told: Mapping[str, Any]) -> str:
    from churnkit.training import interval_of

    return str(interval_of(told))


def _share(told: Mapping[str, Any]) -> str:
    if told["value"] is None:
        return "nobody to tell"
    return f"{told['value']:.0%} [{told['low']:.0%}, {told['high']:.0%}]"


def _defined(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _defined(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
