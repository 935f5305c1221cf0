"""What the terminal shows of looking at logs: proposals, what was read, and what is odd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from churnkit.logs.profile.finding import some
from churnkit.terminal.console import STYLES, out, printable, say
from churnkit.terminal.tables import (
    Listing,
    table,
)

_SEVERITIES = {"stop": ("■", STYLES["red"]), "warn": ("▲", STYLES["yellow"]), "note": ("○", "dim")}
_BLOCKS = "▁▂▃▄▅▆▇█"
_MONTHS_SHOWN = 36
_BAR, _LEAST_BAR, _BESIDE_BAR = 40, 8, 36


def show_proposals(config: Path, proposals: Sequence[Mapping[str, Any]]) -> None:
    """Which column is read as what and why, what is not used, and what could not be decided."""
    console = out()
    rows = [
        [p["log"], name, column, p["reasons"][name]["sure"], p["reasons"][name]["why"]]
        for p in proposals
        for name, column in p["columns"].items()
    ]
    console.print(table("Columns", ["log", "means", "column", "how sure", "why"], rows, head=2))
    console.print()
    for proposal in proposals:
        for sentence in _said_of(proposal):
            console.print(sentence)
    say(f"Wrote {config}. Look it over, then: churnkit check")


def _said_of(proposal: Mapping[str, Any]) -> Iterator[str]:
    log = proposal["log"]
    if proposal["unused"]:
        yield f"Not used of {log}: {', '.join(proposal['unused'])}"
    if proposal["provenance"]:
        yield f"Says only where rows of {log} are from: {', '.join(proposal['provenance'])}"
    if proposal["groups"]:
        yield (
            f"Could be features: {', '.join(proposal['groups'])}. Name those that never change for "
            f"a customer, and are known from the first day, in static of [logs.{log}]"
        )
    yield from (f"Noticed in {log}: {sentence}" for sentence in proposal["noticed"])
    yield from (f"Undecided in {log}: {sentence}" for sentence in proposal["undecided"])


def show_checkup(summary: Mapping[str, Any]) -> None:
    """What became of every row, what to look at, when, who, and whether it is enough."""
    console = out()
    console.print(_read_table(summary["logs"]))
    _show_set_aside(console, summary)
    _show_findings(console, summary["findings"])
    _show_months(console, summary["profiles"])
    _show_customers(console, summary["coverage"], summary["one_in"])
    _show_horizon(console, summary["horizon"])
    console.print(f"\nThe question: {summary['question']}")
    for sentence in summary["too_little"]:
        console.print(f"Too little: {sentence}")
    if not summary["too_little"]:
        console.print("The logs are enough for it. Next: churnkit train")


def _read_table(checks: Sequence[Mapping[str, Any]]) -> Listing:
    columns = ["log", "rows", "kept", "events", "customers", "from", "to"]
    keys = ["log", "read", "kept", "folded", "customers", "first", "last"]
    return table("What was read", columns, ([c[key] or "" for key in keys] for c in checks))


def _show_set_aside(console: Console, summary: Mapping[str, Any]) -> None:
    from churnkit.report.checkup import set_aside_rows

    rows = [
        [row["log"], row["reason"], row["rows"], next(iter(row["examples"]), "")]
        for row in set_aside_rows(summary)
    ]
    console.print()
    if not rows:
        console.print("Nothing was set aside.")
        return
    console.print(table("What was set aside", ["log", "reason", "rows", "first, masked"], rows))
    if summary["rejected"]:
        say(f"Rows set aside are listed in {summary['rejected']}")


def _show_findings(console: Console, findings: Sequence[Mapping[str, Any]]) -> None:
    console.print()
    if not findings:
        console.print("Nothing stands out.")
        return
    console.print(Text("What to look at", style="bold"))
    told = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        mark, style = _SEVERITIES[finding["severity"]]
        says = Text(printable(f"{finding['log']}: {finding['says']}"))
        if finding["hint"]:
            says.append(printable(f"\n{finding['hint']}"), style="dim")
        told.add_row(Text(mark, style=style), says)
    console.print(told)


def _show_months(console: Console, profiles: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        [
            profile["log"],
            _blocks([month["rows"] for month in months]),
            f"{months[0]['month']} to {months[-1]['month']}",
            max(month["rows"] for month in months),
        ]
        for profile in profiles
        if (months := profile["months"][-_MONTHS_SHOWN:])
    ]
    if rows:
        console.print()
        console.print(table("Rows by month", ["log", "", "months", "at most"], rows))


def _blocks(numbers: Sequence[int]) -> str:
    """A small plot of block characters; a dot where there is nothing."""
    most = max([*numbers, 1])
    return "".join(_BLOCKS[max(-(-8 * n // most) - 1, 0)] if n else "·" for n in numbers)


def _show_customers(console: Console, coverage: Mapping[str, Any], one_in: int) -> None:
    customers, once = coverage["customers"], coverage["once"]
    console.print()
    if one_in > 1:
        console.print(f"What follows is read from one in {one_in:,} customers.")
    console.print(
        f"{some(customers, 'customer')} in {coverage['log']}, "
        f"{once / customers:.0%} of them once only"
    )
    for other in coverage["shared"]:
        console.print(f"  {other['both'] / customers:.0%} of them also in {other['log']}")


def _show_horizon(console: Console, horizon: Mapping[str, Any]) -> None:
    console.print(f"\n{horizon['says']}")
    if not horizon["curve"]:
        return
    bar = min(_BAR, max(console.width - _BESIDE_BAR, _LEAST_BAR))
    rows = [
        [
            point["days"],
            f"{point['within']:.0%}",
            "█" * round(bar * point["within"]),
            "← suggested" if point["days"] == horizon["suggested_days"] else "",
        ]
        for point in horizon["curve"]
    ]
    console.print(table("Came back within as long again", ["days silent", "share", "", ""], rows))
