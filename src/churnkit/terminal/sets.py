"""What the terminal shows of public sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from churnkit.terminal.console import out, say
from churnkit.terminal.tables import (
    table,
)


def show_sets(sets: Sequence[Mapping[str, Any]]) -> None:
    """The public sets that can be fetched, with licence and page."""
    console = out()
    rows = [[s["name"], s["what"], s["licence"], s["page"]] for s in sets]
    console.print(table("Public sets", ["name", "what", "licence", "page"], rows))
    console.print("\nNext: churnkit fetch NAME")


def show_fetched(told: Mapping[str, Any]) -> None:
    """Where a public set is, how it was verified, and how it is read."""
    deed = "Fetched" if told["downloaded"] else "Already there, nothing was downloaded:"
    say(f"{deed} {told['path']} ({told['bytes']:,} bytes)")
    say(f"Verified: {told['check']}, {told['sha256']}")
    say(f"Licence and citation: {told['notice']}")
    say(f"Next: {told['init']}")
