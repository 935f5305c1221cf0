"""The customer's own buying rhythm: the intervals between purchases, and being overdue by them."""

from __future__ import annotations

import numpy as np

from churnkit.features.registry import Companion, feature
from churnkit.index import ActivityIndex, Observations, PurchaseIndex

GAPS_FOR_OWN_INTERVAL = 3
"""With fewer intervals a customer has no normal interval of its own."""

_TOO_FEW = "too few purchases for a rhythm of its own"
_SO_FAR = Companion("recency", "{value} days so far")


def times_interval(waiting: np.ndarray, interval: np.ndarray) -> np.ndarray:
    """Days waited over the interval, which counts as a day if it is shorter: two orders within
    a minute are not a rhythm.
    """
    return np.asarray(waiting / np.maximum(interval, 1.0))


@feature(
    unit="days",
    says="mean interval between purchases",
    reads="buys every {value} days on average",
    unknown=_TOO_FEW,
    direction="up",
)
def gap_mean(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return p.sales.gap_mean(at)


@feature(
    unit="days",
    says="median interval between purchases",
    reads="usually buys every {value} days",
    unknown=_TOO_FEW,
    direction="up",
)
def gap_median(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return p.sales.gap_median(at)


@feature(
    unit="days",
    says="spread of the intervals between purchases",
    reads="its intervals vary by {value} days",
    unknown=_TOO_FEW,
    none="buys at even intervals",
)
def gap_std(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return p.sales.gap_std(at)


@feature(
    unit="days",
    says="the interval that nine in ten of the customer's own stay within",
    reads="nine in ten times it buys again within {value} days",
    unknown=_TOO_FEW,
    direction="up",
)
def gap_p90(p: PurchaseIndex, at: Observations) -> np.ndarray:
    enough = p.sales.gap_count(at) >= GAPS_FOR_OWN_INTERVAL
    return np.where(enough, p.sales.gap_quantile(0.9, at), np.nan)


@feature(
    unit="days",
    says="the last interval between purchases",
    reads="its last interval was {value} days",
    unknown=_TOO_FEW,
    companion=Companion("gap_mean", "on average {value} days"),
    direction="up",
)
def gap_last(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return p.sales.gap_last(at)


@feature(
    unit="ratio",
    says="the last interval between purchases over the mean of all: above 1 they lengthen",
    reads="its last interval was {value} times its mean interval",
    unknown=_TOO_FEW,
    direction="up",
)
def gap_trend(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return times_interval(p.sales.gap_last(at), p.sales.gap_mean(at))


@feature(
    unit="ratio",
    says="days since the last purchase over the own 90th percentile interval",
    reads="waiting {value} times its longest normal interval",
    unknown=_TOO_FEW,
    companion=_SO_FAR,
    direction="up",
)
def overdue_own_ratio(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return times_interval(p.sales.days_since_last(at), gap_p90(p, at))


@feature(
    unit="ratio",
    says="days since the last purchase over the 90th percentile interval, the own one or, of "
    f"customers with fewer than {GAPS_FOR_OWN_INTERVAL} intervals, that of all customers",
    reads="waiting {value} times the longest normal interval",
    unknown="never bought",
    companion=_SO_FAR,
    streams=("sales",),
    direction="up",
)
def overdue_ratio(p: PurchaseIndex, at: Observations) -> np.ndarray:
    own, of_all = gap_p90(p, at), p.market.of("sales").gap_quantile(0.9, at)
    normal = np.where(np.isnan(own), of_all, own)
    return times_interval(p.sales.days_since_last(at), normal)


@feature(
    unit="ratio",
    says="days since the last purchase over the own mean interval",
    reads="waiting {value} times its mean interval",
    unknown=_TOO_FEW,
    companion=_SO_FAR,
    direction="up",
)
def overdue_mean_ratio(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return times_interval(p.sales.days_since_last(at), p.sales.gap_mean(at))


@feature(
    unit="days",
    says="mean interval between activities",
    reads="active every {value} days on average",
    unknown="too little activity for a rhythm",
    theme="activity rhythm",
    direction="up",
)
def activity_gap_mean(a: ActivityIndex, at: Observations) -> np.ndarray:
    return a.alive.gap_mean(at)


@feature(
    unit="ratio",
    says="days since the last activity over the own mean interval",
    reads="silent {value} times its mean interval",
    unknown="too little activity for a rhythm",
    companion=Companion("days_since_activity", "{value} days so far"),
    theme="activity rhythm",
    direction="up",
)
def activity_overdue_ratio(a: ActivityIndex, at: Observations) -> np.ndarray:
    return times_interval(a.alive.days_since_last(at), a.alive.gap_mean(at))
