"""How a model would have done all along: tested at every cutoff that the history allows."""

from churnkit.rolling.curves import Point, learning_by_customers, learning_by_cutoffs
from churnkit.rolling.segments import Segment, segments
from churnkit.rolling.trials import MEASURED, Pooled, Rolling, cutoffs_to_test, roll

__all__ = [
    "MEASURED",
    "Point",
    "Pooled",
    "Rolling",
    "Segment",
    "cutoffs_to_test",
    "learning_by_customers",
    "learning_by_cutoffs",
    "roll",
    "segments",
]
