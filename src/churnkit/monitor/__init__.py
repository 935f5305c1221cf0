"""Whether anything is off in a run: its logs, features, scores and lights, and past promises."""

from churnkit.monitor.alarm import VERDICTS, Alarm, Found, verdict, worse_or_equal
from churnkit.monitor.look import monitor
from churnkit.monitor.stability import Stability, stability

__all__ = [
    "VERDICTS",
    "Alarm",
    "Found",
    "Stability",
    "monitor",
    "stability",
    "verdict",
    "worse_or_equal",
]
