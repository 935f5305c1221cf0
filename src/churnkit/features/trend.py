"""Trend: this window against the one of the same length before it."""

from __future__ import annotations

import numpy as np

from churnkit.clock import Cutoff
from churnkit.features.registry import Window, feature
from churnkit.index import ActivityIndex, EventIndex, PurchaseIndex, ratio

TREND_WINDOWS: tuple[Window, ...] = (30, 90, 180)


def _trend(now: np.ndarray, both: np.ndarray) -> np.ndarray:
    """(now - then) / (now + then): -1 all gone, 0 unchanged, 1 all new, NaN if never any."""
    return ratio(2 * now - both, both)


def _count_trend(events: EventIndex, at: Cutoff, days: int) -> np.ndarray:
    return _trend(events.count(at, days), events.count(at, 2 * days))


@feature(
    unit="-1..1",
    says="trend of purchases {window} against the time before",
    reads="purchases {window} against the time before: {value}",
    unknown="no purchases {window} nor before",
    theme="purchases trend",
    windows=TREND_WINDOWS,
)
def purchases_trend(p: PurchaseIndex, at: Cutoff, window: int) -> np.ndarray:
    return _count_trend(p.sales, at, window)


@feature(
    unit="-1..1",
    says="trend of spend {window} against the time before",
    reads="spend {window} against the time before: {value}",
    unknown="no spend {window} nor before",
    theme="spend trend",
    needs="amount",
    windows=TREND_WINDOWS,
)
def spend_trend(p: PurchaseIndex, at: Cutoff, window: int) -> np.ndarray:
    return _trend(p.sales.sum("amount", at, window), p.sales.sum("amount", at, 2 * window))


@feature(
    unit="-1..1",
    says="trend of activity {window} against the time before",
    reads="activity {window} against the time before: {value}",
    unknown="no activity {window} nor before",
    theme="activity trend",
    windows=TREND_WINDOWS,
)
def activity_trend(a: ActivityIndex, at: Cutoff, window: int) -> np.ndarray:
    return _count_trend(a.alive, at, window)
