"""What other lights would have done: consecutive scorings of the past, seen by several policies."""

from churnkit.replay.policies import Replayed, replay, without_hysteresis
from churnkit.replay.weeks import WEEKS, Week, Weeks, score_weeks

__all__ = [
    "WEEKS",
    "Replayed",
    "Week",
    "Weeks",
    "replay",
    "score_weeks",
    "without_hysteresis",
]
