"""Plots: what reports and notebooks draw, each a function that takes what is told and returns Axes.

Every function takes the dictionaries of reports and of ``--json``, and objects of the library
where those have the same; with ``ax`` it draws there, without it on new Axes of its own. What is
not known is said in the plot.
"""

from churnkit.plots.acting import outcomes, uplift
from churnkit.plots.exploration import bands, estimates
from churnkit.plots.months import cohorts, kpi_line, segments
from churnkit.plots.people import lights, policies, probabilities, transitions
from churnkit.plots.style import PALETTE, canvas, style
from churnkit.plots.trust import backtest, calibration, course, gains, lift, models, profit
from churnkit.plots.watch import drift, promises
from churnkit.plots.why import dependence, drivers, events, gaps, horizon

__all__ = [
    "PALETTE",
    "backtest",
    "bands",
    "calibration",
    "canvas",
    "cohorts",
    "course",
    "dependence",
    "drift",
    "drivers",
    "estimates",
    "events",
    "gains",
    "gaps",
    "horizon",
    "kpi_line",
    "lift",
    "lights",
    "models",
    "outcomes",
    "policies",
    "probabilities",
    "profit",
    "promises",
    "segments",
    "style",
    "transitions",
    "uplift",
]
