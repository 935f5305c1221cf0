"""What the terminal shows: tables made of plain values, and progress for those who wait.

Every command has its module. The names below are loaded when they are first used, so that a
message costs no more than it must.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "hint": "console",
    "note": "console",
    "out": "console",
    "print_json": "console",
    "printable": "console",
    "progress": "waiting",
    "say": "console",
    "show_audit": "features",
    "show_built": "features",
    "show_calls": "scores",
    "show_checkup": "checkup",
    "show_crowned": "versions",
    "show_explained": "explained",
    "show_features": "features",
    "show_fetched": "sets",
    "show_models": "versions",
    "show_outcomes": "outcomes",
    "show_override": "lights",
    "show_overrides": "lights",
    "show_proposals": "checkup",
    "show_release": "versions",
    "show_replay": "lights",
    "show_rolling": "training",
    "show_scores": "scores",
    "show_sets": "sets",
    "show_training": "training",
    "table": "tables",
}

__all__ = [
    "hint",
    "note",
    "out",
    "print_json",
    "printable",
    "progress",
    "say",
    "show_audit",
    "show_built",
    "show_calls",
    "show_checkup",
    "show_crowned",
    "show_explained",
    "show_features",
    "show_fetched",
    "show_models",
    "show_outcomes",
    "show_override",
    "show_overrides",
    "show_proposals",
    "show_release",
    "show_replay",
    "show_rolling",
    "show_scores",
    "show_sets",
    "show_training",
    "table",
]

if TYPE_CHECKING:
    from churnkit.terminal.checkup import show_checkup, show_proposals
    from churnkit.terminal.console import hint, note, out, print_json, printable, say
    from churnkit.terminal.explained import show_explained
    from churnkit.terminal.features import show_audit, show_built, show_features
    from churnkit.terminal.lights import show_override, show_overrides, show_replay
    from churnkit.terminal.outcomes import show_outcomes
    from churnkit.terminal.scores import show_calls, show_scores
    from churnkit.terminal.sets import show_fetched, show_sets
    from churnkit.terminal.tables import table
    from churnkit.terminal.training import show_rolling, show_training
    from churnkit.terminal.versions import show_crowned, show_models, show_release
    from churnkit.terminal.waiting import progress


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
