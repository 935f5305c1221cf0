"""What was done, what came of it, and whether acting helps."""

from churnkit.outcomes.assigned import churned_since, first_assigned, with_deeds
from churnkit.outcomes.effect import sample_size
from churnkit.outcomes.record import Recorded, record
from churnkit.outcomes.report import Effect, OutcomeReport, outcome_report, report_of
from churnkit.outcomes.store import Deeds
from churnkit.outcomes.treated import Untreated, all_assigned, untreating, without_treated
from churnkit.outcomes.uplift import (
    Ranking,
    Uplift,
    choose_ranking,
    gains,
    ranking_of,
    with_risk,
)

__all__ = [
    "Deeds",
    "Effect",
    "OutcomeReport",
    "Ranking",
    "Recorded",
    "Untreated",
    "Uplift",
    "all_assigned",
    "choose_ranking",
    "churned_since",
    "first_assigned",
    "gains",
    "outcome_report",
    "ranking_of",
    "record",
    "report_of",
    "sample_size",
    "untreating",
    "with_deeds",
    "with_risk",
    "without_treated",
]
