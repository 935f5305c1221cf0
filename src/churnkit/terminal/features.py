"""What the terminal shows of features: the catalogue, a table that was built, and the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from churnkit.audit import value_in_words
from churnkit.logs.profile.finding import some
from churnkit.terminal.console import note, out, say
from churnkit.terminal.tables import (
    table,
)

_EXPECTED = {"up": "more churn", "down": "less churn", "": ""}
_FEATURES_WIDTH = {"log": 140, "unit": 140, "windows": 100, "higher means": 120}


def show_features(features: Sequence[Mapping[str, Any]]) -> None:
    """Every feature with its meaning and, as far as the width allows, what else is known of it."""
    console = out()
    told_of = {
        "feature": [told["name"] + ("_{window}" if told["windows"] else "") for told in features],
        "log": [told["log"] or "all" for told in features],
        "unit": [told["unit"] for told in features],
        "windows": [
            " ".join("all" if days is None else str(days) for days in told["windows"])
            for told in features
        ],
        "higher means": [_EXPECTED[told["direction"]] for told in features],
        "meaning": [
            told["says"].replace("{window}", "in the window")
            + (" (your own)" if told["own"] else "")
            for told in features
        ],
    }
    columns = [name for name in told_of if console.width >= _FEATURES_WIDTH.get(name, 0)]
    rows = list(zip(*(told_of[name] for name in columns), strict=True))
    console.print(table(f"{len(rows)} features", columns, rows, named=[0]))
    hidden = [name for name in told_of if name not in columns]
    if hidden:
        note(f"Not shown for want of width: {', '.join(hidden)}; --json tells everything.")


def show_built(told: Mapping[str, Any]) -> None:
    """What a feature table holds, and where it is."""
    for warning in told["warnings"]:
        note(f"Warning: {warning}")
    cutoffs = told["cutoffs"]
    when = cutoffs[0] if len(cutoffs) == 1 else f"{cutoffs[0]} to {cutoffs[-1]}"
    say(
        f"Wrote {some(told['rows'], 'row')} × {told['features']} features to {told['out']}\n"
        f"As of {when}, {some(len(cutoffs), 'cutoff')}."
    )


def show_audit(told: Mapping[str, Any]) -> None:
    """What was compared, and every leak with a customer that shows it."""
    console = out()
    console.print(
        f"{told['columns']} features × {some(told['customers'], 'customer')} × "
        f"{some(len(told['cutoffs']), 'cutoff')} ({', '.join(told['cutoffs'])}) × "
        f"{len(told['trials'])} trials: {told['compared']:,} values compared to the last bit."
    )
    console.print(f"Trials: {', '.join(told['trials'])}.\n")
    if not told["leaks"]:
        console.print("None of them sees the future.")
        return
    columns = ["feature", "trial", "customer", "as of", "was", "became", "customers"]
    keys = ["feature", "trial", "customer_id", "cutoff", "value", "other", "customers"]
    rows = [
        [value_in_words(leak[key]) if key in {"value", "other"} else leak[key] for key in keys]
        for leak in told["leaks"]
    ]
    console.print(table("Leaks", columns, rows, head=2))
    console.print()
    trials: dict[tuple[str, str], list[str]] = {}
    for leak in told["leaks"]:
        showing = trials.setdefault((leak["fault"], leak["mend"]), [])
        showing += [leak["trial"]] if leak["trial"] not in showing else []
    meanings = [[", ".join(names), fault, mend] for (fault, mend), names in trials.items()]
    console.print(table("What that means", ["trial", "the feature", "mend"], meanings))
