"""Why: what drives churn here, the reasons behind one probability, and what moved it.

Contributions are exact SHAP values (trees) or weighted terms (rules) in log-odds, added up by
theme, since correlated features share one effect at random. They say what a probability is
*associated with*, not what would change it.
"""

from churnkit.explain.drivers import Dependence, Driver, DrivingFeature, Separation, drivers
from churnkit.explain.reasons import DOWN, UP, Reason, Reasons, all_moves, moves, reasons, why
from churnkit.explain.words import sentence

__all__ = [
    "DOWN",
    "UP",
    "Dependence",
    "Driver",
    "DrivingFeature",
    "Reason",
    "Reasons",
    "Separation",
    "all_moves",
    "drivers",
    "moves",
    "reasons",
    "sentence",
    "why",
]
