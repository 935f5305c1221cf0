"""From colours to deeds: who does what for whom by when, who is left alone, and the files.

Everything here works on plain columns, one row a customer at risk; it knows no model.
"""

from churnkit.actions.calls import CHANNELS, Calls, Turns
from churnkit.actions.due import Within, WorkingWeek
from churnkit.actions.exports import export, export_table
from churnkit.actions.holdout import Holdout, arm
from churnkit.actions.planning import (
    PLANNED,
    Actions,
    Limits,
    Theirs,
    Wanted,
    counted,
    plan,
    planned,
    tallied,
    tally,
    wanted,
)
from churnkit.actions.playbooks import SHIPPED, SHIPPED_REASONS, Playbook, Playbooks
from churnkit.actions.tiers import TIERS, TierEdges, Tiers

__all__ = [
    "CHANNELS",
    "PLANNED",
    "SHIPPED",
    "SHIPPED_REASONS",
    "TIERS",
    "Actions",
    "Calls",
    "Holdout",
    "Limits",
    "Playbook",
    "Playbooks",
    "Theirs",
    "TierEdges",
    "Tiers",
    "Turns",
    "Wanted",
    "Within",
    "WorkingWeek",
    "arm",
    "counted",
    "export",
    "export_table",
    "plan",
    "planned",
    "tallied",
    "tally",
    "wanted",
]
