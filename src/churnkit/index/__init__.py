"""The point-in-time index: sort once, then look things up.

Events are sorted by customer and time. For every instant that is asked for (a cutoff, the
start of a window, the end of a horizon) the index holds, per customer, the position after the
last event before that instant. A windowed count is then a difference of two positions, a
windowed sum a difference of two prefix sums over integers (exact, whatever the order of the
rows), and "the last value before" one look-up. All cutoffs are looked up at once.
"""

from churnkit.index.block import ActivityIndex, BlockIndex, PurchaseIndex, SurveyIndex
from churnkit.index.events import EventIndex, ratio
from churnkit.index.lines import LineIndex
from churnkit.index.market import Market, MarketCounts, count_market
from churnkit.index.moments import Lags, Observations
from churnkit.index.tickets import Tickets

__all__ = [
    "ActivityIndex",
    "BlockIndex",
    "EventIndex",
    "Lags",
    "LineIndex",
    "Market",
    "MarketCounts",
    "Observations",
    "PurchaseIndex",
    "SurveyIndex",
    "Tickets",
    "count_market",
    "ratio",
]
