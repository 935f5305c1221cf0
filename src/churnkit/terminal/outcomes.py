"""What the terminal shows of what acting came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from churnkit.terminal.console import out, printable
from churnkit.terminal.tables import Listing, light, share, table

_WITH_INTERVALS = 112  # so wide a terminal shows the intervals of outcomes


def show_outcomes(told: Mapping[str, Any]) -> None:
    """Treated against control by light and action, what it saved, and how to rank."""
    console = out()
    console.print(f"Asked is: {told['question']}; lists from {told['first']} to {told['last']}.\n")
    groups = [*told["groups"], told["together"]]
    console.print(_outcomes_table(groups, console.width))
    console.print()
    for one in groups:
        name = f"{one['light']}, {one['action']}" if one["light"] else "All together"
        console.print(printable(f"{name}: {one['says']}."))
    worth = told["together"]["saved_value"]
    if worth is not None:
        console.print(
            f"\nSaved among those treated: {worth['value']:,.0f} "
            f"[{worth['low']:,.0f}, {worth['high']:,.0f}] of value at risk, "
            f"for {told['together']['cost']:,.0f} recorded as cost."
        )
    for sentence in (*told["notes"], told["ranking"]["says"]):
        console.print(printable(sentence))


def _outcomes_table(groups: Sequence[Mapping[str, Any]], width: int) -> Listing:
    """Treated beside control; where it is narrow, intervals are left to the sentences below."""
    wide = width >= _WITH_INTERVALS

    def churned(told: Mapping[str, Any] | None) -> str:
        if told is None or told["value"] is None:
            return "nobody to tell" if wide else "nobody"
        return share(told) if wide else f"{told['value']:.0%}"

    columns = ["light", "action", "treated", "churned", "control", "churned", "open"]
    rows = [
        [
            light(one["light"]) if one["light"] else "all",
            one["action"],
            one["treated"],
            churned(one["churn_treated"]),
            one["control"],
            churned(one["churn_control"]),
            one["open"],
        ]
        for one in groups
    ]
    if wide:
        columns.insert(-1, "difference")
        for row, one in zip(rows, groups, strict=True):
            row.insert(-1, "" if one["difference"] is None else _points(one["difference"]))
    return table(
        f"Churn by what chance assigned{', in points' if wide else ''}", columns, rows, head=2
    )


def _points(told: Mapping[str, Any]) -> str:
    """A difference of shares in points, with its interval."""
    value, low, high = (100 * told[key] for key in ("value", "low", "high"))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"
