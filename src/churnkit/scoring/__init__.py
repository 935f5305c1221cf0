"""From a loaded model and logs to scores, lights, ranks and a call list; and to a file."""

from churnkit.scoring.files import ending_of, write_frame, write_scores
from churnkit.scoring.population import at_risk, at_risk_beside, require_same_logs
from churnkit.scoring.run import EXACT_REASONS, score
from churnkit.scoring.scores import ROWS_AT_ONCE, SHOWN, Causes, Scores
from churnkit.scoring.sweep import Found, Saved, Sought
from churnkit.scoring.totals import Totals

__all__ = [
    "EXACT_REASONS",
    "ROWS_AT_ONCE",
    "SHOWN",
    "Causes",
    "Found",
    "Saved",
    "Scores",
    "Sought",
    "Totals",
    "at_risk",
    "at_risk_beside",
    "ending_of",
    "require_same_logs",
    "score",
    "write_frame",
    "write_scores",
]
