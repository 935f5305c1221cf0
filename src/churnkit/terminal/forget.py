"""What was removed of people who were forgotten, and what remains, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from churnkit.terminal.console import note, out, say


def show_forgotten(told: Mapping[str, Any]) -> None:
    """Where rows of theirs were, all of them together; what remains; and the proof of each."""
    proofs = told["forgotten"]
    rows: dict[tuple[str, str], int] = {}
    for place in (place for proof in proofs for place in proof["places"]):
        key = (place["place"], place["says"])
        rows[key] = rows.get(key, 0) + place["before"]
    what = "Would be forgotten" if told["dry_run"] else "Forgotten"
    say(f"{what}: customers: {len(proofs):,}; rows: {sum(rows.values()):,}")
    for (name, says), n in rows.items():
        say(f"{name}: {n:,} ({says})", indent=2)
    out().print()
    say("What remains:")
    for sentence in dict.fromkeys(s for proof in proofs for s in proof["remains"]):
        say(f"- {sentence}", indent=2)
    for paths in told["paths"]:
        say(f"Proof: {paths['text']}")
    for customer in told["unknown"]:
        note(f"Nothing is known of {customer!r}; write the id as it stands in the logs.")
