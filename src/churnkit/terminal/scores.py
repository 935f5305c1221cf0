"""What the terminal shows of scores: lights, the call list, and what was written."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from churnkit.logs.profile.finding import some
from churnkit.terminal.console import PIPED_WIDTH, hint, note, out, printable
from churnkit.terminal.tables import (
    Listing,
    light,
    share,
    show_written,
    table,
)
from churnkit.terminal.training import models_table

_WITH_DEEDS, _DEED_WIDTH = 112, 30  # what to do gets a column of its own, of that width
_AS_CARDS, _INDENT = 72, 5  # a narrower terminal shows a card for each call


def show_scores(
    summary: Mapping[str, Any], calls: int = 10, config: Path | str | None = None
) -> None:
    """Model against rules, the lights, the first calls, and what was written."""
    console = out()
    console.print(f"As of {summary['as_of']}: {summary['question']}\n")
    for warning in summary["warnings"]:
        note(f"Warning: {warning}")
    console.print(models_table(summary["models"], summary["test"], console.width))
    console.print(f"\n{summary['verdict']}\n")
    console.print(lights_table(summary["lights"], summary["held_out_cutoff"]))
    console.print(f"\n{summary['policy']}")
    for line in _said_of_lights(summary):
        console.print(line)
    console.print()
    console.print(calls_table(summary["calls"][:calls], console.width))
    console.print()
    show_written(console, summary["paths"])
    console.print(f"\n{summary['published']['says']}")
    first = [
        f"churnkit explain {shlex.quote(call['customer_id'])}" for call in summary["calls"][:1]
    ]
    settings = summary["paths"].get("settings", config)
    after = [f"{what} --as-of {summary['as_of']}" for what in ("churnkit calls", *first)]
    hint(*after, config=settings)


def _said_of_lights(summary: Mapping[str, Any]) -> Iterator[str]:
    """What rules did, which lights changed, and what is planned."""
    did = [
        f"{rule['name']} {rule['fired']:,} (changed {rule['lifted'] + rule['lowered']:,})"
        for rule in summary["rules"]
        if rule["fired"]
    ]
    if did:
        yield f"rules fired: {', '.join(did)}"
    moved = summary["transitions"]
    if moved is not None:
        turned = [
            f"{n:,} {was} → {now}"
            for was, row in moved.items()
            for now, n in row.items()
            if n and was != now
        ]
        yield f"since {summary['before']}: {', '.join(turned) or 'no light changed'}"
    planned = summary["planned"]
    if planned is not None:
        waiting = f", {planned['waiting']:,} wait" if planned["waiting"] else ""
        held = f", {planned['control']:,} are held out as controls" if planned["control"] else ""
        yield f"to be done now: {some(planned['call'], 'customer')}{waiting}{held}"
    if summary["unknown"]:
        sides = [f"{side} of {some(n, 'customer')}" for side, n in summary["unknown"].items()]
        yield f"nothing is known of {', '.join(sides)}"


def lights_table(lights: Sequence[Mapping[str, Any]], held_out: str) -> Listing:
    """Customers of each light now, and how those of the test turned out."""
    return table(
        "Lights",
        ["light", "customers", "value at risk", f"at {held_out}", "of these churned"],
        (
            [
                light(told["light"]),
                told["customers"],
                "unknown" if told["value_at_risk"] is None else f"{told['value_at_risk']:,.0f}",
                told["held_out"]["customers"],
                share(told["held_out"]["churned"]),
            ]
            for told in lights
        ),
        right=[2],
    )


def calls_table(calls: Sequence[Mapping[str, Any]], width: int = PIPED_WIDTH) -> Any:
    """The first rows of the call list with their reasons, and shorter horizons if asked for.

    Where the width is narrow, what to do and why share a column; where it is narrower yet, each
    call is a card.
    """
    if width < _AS_CARDS:
        return Group(Text("Call list", style="bold"), *chain.from_iterable(map(_card, calls)))
    within = list(calls[0]["within_days"]) if calls else []
    last = ["what to do", "why"] if width >= _WITH_DEEDS else ["what to do, and why"]
    columns = ["rank", "customer", "light", "churn", *(f"{days} d" for days in within), "value"]
    rows = (
        [
            call["rank"],
            call["customer_id"],
            light(call["light"]),
            f"{call['churn_probability']:.0%}",
            *(f"{call['within_days'][days]:.0%}" for days in within),
            "" if call["value_at_risk"] is None else f"{call['value_at_risk']:,.0f}",
            *_deed_and_why(call, len(last) == 1),
        ]
        for call in calls
    )
    right = range(3, len(columns))
    widest = {len(columns): _DEED_WIDTH} if len(last) == 2 else {}
    return table("Call list", [*columns, *last], rows, right=right, named=[1], widest=widest)


def _card(call: Mapping[str, Any]) -> Iterator[Any]:
    """One call: who, how likely and how much, what to do, and a line for every reason."""
    value = call["value_at_risk"]
    figures = [
        f"{call['churn_probability']:.0%} churn",
        *(f"{days} d {share:.0%}" for days, share in call["within_days"].items()),
        *([] if value is None else [f"value {value:,.0f}"]),
    ]
    who = Text(printable(call["customer_id"], lines=False), style="bold")
    yield Text.assemble(f"{call['rank']:>3}  ", who, "  ", light(call["light"]))
    changed = [f"changed: {call['changed']}"] if call["changed"] else []
    why = [*(f"! {rule}" for rule in call["rules"]), *call["reasons"], *changed]
    for told in (" · ".join(figures), _deed(call), *why):
        if told:
            yield Padding(Text(printable(told, lines=False)), (0, 0, 0, _INDENT))


def _deed_and_why(call: Mapping[str, Any], together: bool) -> list[Any]:
    """What is to be done and why, in two cells or below each other in one."""
    deed, changed = _deed(call), [f"changed: {call['changed']}"] if call["changed"] else []
    why = "; ".join([*(f"! {rule}" for rule in call["rules"]), *call["reasons"], *changed])
    if not together:
        return [deed, why]
    above, below = (Text(printable(told, lines=False)) for told in (deed, why))
    return [Text("\n").join(told for told in (above, below) if told)]


def _deed(call: Mapping[str, Any]) -> str:
    """What is to be done, by whom, by when."""
    if not call["action"]:
        return ""
    until = f" by {call['due'][:16].replace('T', ' ')}" if call["due"] else ""
    return f"{call['action']} ({call['owner']}{until})"


def show_calls(told: Mapping[str, Any], config: Path | str | None = None) -> None:
    """Who has how many to act on, and what was written."""
    console = out()
    for warning in told["warnings"]:
        note(f"Warning: {warning}")
    waiting = f"; {told['waiting']:,} wait for want of time" if told["waiting"] else ""
    console.print(f"As of {told['as_of']}: {some(told['call'], 'customer')} to act on{waiting}.\n")
    console.print(table("Owners", ["owner", "customers"], told["by_owner"].items()))
    console.print()
    written = {**told["paths"], **({"table": told["table"]} if "table" in told else {})}
    show_written(console, written)
    hint("churnkit outcomes record FILE", config=config)
