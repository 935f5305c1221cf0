"""The customer's own buying rhythm: the intervals between purchases, and being overdue by them."""

from __future__ import annotations

import numpy as np

from churnkit.clock import Cutoff
from churnkit.features.registry import feature
from churnkit.index import PurchaseIndex, ratio

GAPS_FOR_OWN_INTERVAL = 3
"""With fewer intervals a customer has no normal interval of its own."""


@feature(
    unit="days", says="mean interval between purchases", reads="usually buys every {value} days"
)
def gap_mean(p: PurchaseIndex, at: Cutoff) -> np.ndarray:
    return p.sales.gap_mean(at)


@feature(
    unit="days", says="median interval between purchases", reads="half the intervals under {value} days"
)
def gap_median(p: PurchaseIndex, at: Cutoff) -> np.ndarray:
    return p.sales.gap_median(at)


@feature(
    unit="days",
    says="spread of the intervals between purchases",
    reads="intervals spread by {value} days",
)
def gap_std(p: PurchaseIndex, at: Cutoff) -> np.ndarray:
    return p.sales.gap_std(at)


@feature(
    unit="days",
    says="the interval that nine in ten of the customer's own stay within",
    reads="nine in ten intervals within {value} days",
)
def gap_p90(p: PurchaseIndex, at: Cutoff) -> np.ndarray:
    enough = p.sales.gap_count(at) >= GAPS_FOR_OWN_INTERVAL
    return np.where(enough, p.sales.gap_quantile(0.9, at), np.nan)


@feature(
    unit="ratio",
    says="days since the last purchase over the own 90th percentile interval",
    reads="waiting {value} times the longest normal interval",
)
def overdue_ratio(p: PurchaseIndex, at: Cutoff) -> np.ndarray:
    return ratio(p.sales.days_since_last(at), gap_p90(p, at))


@feature(
    unit="ratio",
    says="days since the last purchase over the own mean interval",
    reads="waiting {value} times the mean interval",
)
def overdue_mean_ratio(p: PurchaseIndex, at: Cutoff) -> np.ndarray:
    return ratio(p.sales.days_since_last(at), p.sales.gap_mean(at))
