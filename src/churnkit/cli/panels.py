"""The groups of commands in the help, in the order in which they are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

PANELS: Mapping[str, Sequence[str]] = {
    "Begin": ("demo", "fetch", "init", "check", "train"),
    "Every week": ("score", "calls", "report", "run", "schedule"),
    "Lights and actions": ("explain", "history", "lights", "outcomes"),
    "Model": ("backtest", "models", "promote", "rollback"),
    "Privacy": ("reveal", "forget"),
    "Look deeper": ("kpi", "monitor", "features", "audit", "explain-sql"),
}
"""Panel → its commands."""

ORDER = tuple(name for names in PANELS.values() for name in names)
"""All commands, in the order of the help."""


def panel_of(name: str) -> str | None:
    """The panel of a command, None of one that has none."""
    return next((panel for panel, names in PANELS.items() if name in names), None)
