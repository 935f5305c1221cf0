"""What the terminal shows of policies in past weeks, and of overrides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from churnkit.terminal.console import note, out
from churnkit.terminal.tables import (
    light,
    share,
    table,
)


def show_replay(summary: Mapping[str, Any]) -> None:
    """Policies side by side, what was promised, and what the rules did."""
    console = out()
    weeks, policies = summary["weeks"], summary["policies"]
    console.print(f"{summary['question']}\n")
    console.print(
        f"{len(weeks)} weekly scorings from {weeks[0]} to {weeks[-1]} by {summary['model']}, "
        f"{summary['customers']:,.0f} customers each on average.\n"
    )
    columns = ["policy", "light", "customers", "churned", "of all churners"]
    rows = [
        [
            policy["name"] if k == 0 else "",
            light(colour["light"]),
            f"{colour['customers']:,.0f}",
            share(colour["churned"]),
            "" if colour["caught"] is None else f"{colour['caught']:.0%}",
        ]
        for policy in policies
        for k, colour in enumerate(policy["colours"])
    ]
    console.print(
        table("Lights in a week, and what came of them", columns, rows, right=[2, 4], head=2)
    )
    console.print()
    columns = ["policy", "profit a week", "new calls a week", "changed", "flicker"]
    rows = [
        [
            policy["name"],
            f"{policy['profit']:,.0f}",
            f"{policy['calls']:,.0f}",
            f"{policy['changed'] or 0:.1%}",
            f"{policy['flicker'] or 0:.1%}",
        ]
        for policy in policies
    ]
    console.print(table("If every red customer is called", columns, rows, right=range(1, 5)))
    console.print(f"\nProfit: {summary['money']} where the value of a customer is not known.")
    for policy in policies:
        _show_promises(policy)
    _show_rules(policies[0])


def _show_promises(policy: Mapping[str, Any]) -> None:
    for told in policy["promises"]:
        bound = "at least" if told["light"] == "red" else "at most"
        came = (
            "nobody had the colour"
            if told["verdict"] == "nobody"
            else f"{share(told['realised'])} of {told['customers']:,} churned: {told['verdict']}"
        )
        out().print(
            Text.assemble(
                f"{policy['name']}: ",
                light(told["light"]),
                f" promised {bound} {told['promised']:.0%}, before any rule; {came}",
            )
        )
    for warning in policy["warnings"]:
        note(f"Warning, {policy['name']}: {warning}")


def _show_rules(policy: Mapping[str, Any]) -> None:
    rows = [
        [
            rule["name"],
            *(f"{rule[what]:,.1f}" for what in ("fired", "lifted", "lowered")),
            "" if rule["speaks"] else "the logs tell nothing of it",
        ]
        for rule in policy["rules"]
    ]
    out().print()
    columns = ["rule", "fired", "lifted", "lowered", ""]
    out().print(
        table(
            f"What the rules did in a week, with {policy['name']}", columns, rows, right=[1, 2, 3]
        )
    )


def show_override(told: Mapping[str, Any]) -> None:
    """An override that was set or taken back."""
    was = Text.assemble(", before ", light(told["before"])) if told["before"] else Text("")
    who = f"by {told['owner']}: {told['reason']}"
    deed = (
        Text.assemble(light(told["light"]), f" from {told['day']} until {told['until']} {who}")
        if told["light"]
        else Text(f"no longer overridden from {told['day']} on, {who}")
    )
    out().print(Text.assemble(f"Customer {told['customer']}: ", deed, was))


def show_overrides(told: Mapping[str, Any]) -> None:
    """The overrides of a day, or all that were ever made."""
    if not told["overrides"]:
        out().print(f"No override holds on {told['as_of']}.")
        return
    rows = [
        [
            one["customer"],
            light(one["light"]) if one["light"] else "cleared",
            one["day"],
            one["until"],
            one["owner"],
            one["reason"],
            light(one["before"]) if one["before"] else "",
        ]
        for one in told["overrides"]
    ]
    columns = ["customer", "light", "from", "until", "owner", "reason", "before"]
    out().print(table("Overrides", columns, rows, named=[0], head=2))
