"""Trend: this window against the one of the same length before it."""

from __future__ import annotations

import numpy as np

from churnkit.features.registry import feature
from churnkit.features.windows import inner
from churnkit.index import ActivityIndex, EventIndex, Observations, PurchaseIndex, ratio


def trend(now: np.ndarray, both: np.ndarray) -> np.ndarray:
    """(now - then) / (now + then): -1 all gone, 0 unchanged, 1 all new, NaN if never any."""
    return ratio(2 * now - both, both)


def _count_trend(events: EventIndex, at: Observations, days: int) -> np.ndarray:
    return trend(events.count(at, days), events.count(at, 2 * days))


@feature(
    unit="-1..1",
    says="trend of purchases {window} against the time before",
    reads="purchases {window} against the time before: {value}",
    unknown="no purchases {window} nor before",
    theme="purchases trend",
    windows=inner,
    direction="down",
)
def purchases_trend(p: PurchaseIndex, at: Observations, window: int) -> np.ndarray:
    return _count_trend(p.sales, at, window)


@feature(
    unit="-1..1",
    says="trend of spend {window} against the time before",
    reads="spend {window} against the time before: {value}",
    unknown="no spend {window} nor before",
    theme="spend trend",
    needs="amount",
    windows=inner,
    direction="down",
)
def spend_trend(p: PurchaseIndex, at: Observations, window: int) -> np.ndarray:
    return trend(p.sales.sum("amount", at, window), p.sales.sum("amount", at, 2 * window))


@feature(
    unit="-1..1",
    says="trend of activity {window} against the time before",
    reads="activity {window} against the time before: {value}",
    unknown="no activity {window} nor before",
    theme="activity trend",
    windows=inner,
    direction="down",
)
def activity_trend(a: ActivityIndex, at: Observations, window: int) -> np.ndarray:
    return _count_trend(a.alive, at, window)
