"""What the terminal shows of one customer: why, and what moved it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from churnkit.terminal.console import STYLES, hint, note, out, printable
from churnkit.terminal.tables import (
    light,
    table,
)

_PULLS = ("", "log-odds", "", "theme", "associated with")
_THEMES_SHOWN = 8
_PULL_BAR, _SHORT_BAR, _WITH_BAR = 16, 6, 72


def show_explained(told: Mapping[str, Any], config: Path | str | None = None) -> None:
    """Why a customer has its probability and light, and what moved them."""
    console = out()
    for warning in told["warnings"]:
        note(f"Warning: {warning}")
    console.print(_state_of(told, f"{told['customer_id']} as of {told['as_of']}: "))
    if told["unknown"]:
        console.print(f"Nothing is known of {', '.join(told['unknown'])}.")
    console.print(f"Asked is: {told['question']} (model {told['model']})\n")
    start = [["", f"{told['start']:+.2f}", "", "", "where everybody starts"]]
    bar = _PULL_BAR if console.width >= _WITH_BAR else _SHORT_BAR
    rows = [*start, *_pulls(told["reasons"], told["rest"], bar)]
    console.print(table("Why", _PULLS, rows, right=[1], head=4))
    says = f"Together {told['log_odds']:+.2f} in log-odds, that is {told['churn_probability']:.0%}."
    console.print(f"{says} Associations, not causes.")
    since = told["since"]
    if since is not None:
        console.print()
        console.print(_state_of(since, f"Since {since['as_of']}, then: "))
        rows = _pulls(since["moves"], since["rest"], bar)
        console.print(table("What moved it", _PULLS, rows, right=[1], head=4))
        console.print(f"Together {since['change']:+.2f} in log-odds.")
    hint(f"churnkit history {shlex.quote(told['customer_id'])}", config=config)


def _state_of(told: Mapping[str, Any], before: str) -> Text:
    rules = "".join(f"; ! {rule}" for rule in told["rules"])
    churn = f"{told['churn_probability']:.0%} churn, "
    return Text.assemble((printable(before), "bold"), churn, light(told["light"]), printable(rules))


def _pulls(pulls: Sequence[Mapping[str, Any]], rest: float, bar: int) -> list[list[Any]]:
    """Themes with their weights as bars, red towards churn and green away from it."""
    shown, others = pulls[:_THEMES_SHOWN], pulls[_THEMES_SHOWN:]
    most = max((abs(pull["weight"]) for pull in shown), default=1.0)
    rows = [
        [
            "↑" if pull["weight"] > 0 else "↓",
            f"{pull['weight']:+.2f}",
            Text(
                "█" * max(round(bar * abs(pull["weight"]) / most), 1),
                style=STYLES["red" if pull["weight"] > 0 else "green"],
            ),
            pull["theme"],
            pull["says"],
        ]
        for pull in shown
    ]
    left = rest + sum(pull["weight"] for pull in others)
    return [*rows, ["", f"{left:+.2f}", "", "", "all else"]]
