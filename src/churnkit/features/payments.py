"""Payments that failed, and contracts that are due to be renewed."""

from __future__ import annotations

import numpy as np

from churnkit.features.registry import Companion, feature
from churnkit.features.windows import Window
from churnkit.index import ActivityIndex, Observations, ratio


@feature(
    unit="payments",
    says="failed payments since the last one that went through",
    reads="{value} failed payments still open",
    none="no failed payment is open",
    companion=Companion("payments_failed_open_days", "for {value} days"),
    theme="payments",
    direction="up",
    dtype="int32",
)
def payments_failed_open(a: ActivityIndex, at: Observations) -> np.ndarray:
    return a.of("payment_failed").count_after_last(a.of("payment_ok"), at)


@feature(
    unit="days",
    says="days since the first payment failed after which none went through",
    reads="payments have failed for {value} days",
    unknown="no failed payment is open",
    theme="payments",
    needs="kind=payment_failed",
    direction="up",
)
def payments_failed_open_days(a: ActivityIndex, at: Observations) -> np.ndarray:
    return a.of("payment_failed").days_since_first_after(a.of("payment_ok"), at)


@feature(
    unit="share",
    says="failed payments among all {window}",
    reads="{value} of its payments failed {window}",
    unknown="no payment {window}",
    none="no payment failed {window}",
    theme="payments",
    needs=("kind=payment_failed", "kind=payment_ok"),
    direction="up",
)
def payments_failed_share(a: ActivityIndex, at: Observations, window: Window) -> np.ndarray:
    failed = a.of("payment_failed").count(at, window)
    return ratio(failed, failed + a.of("payment_ok").count(at, window))


@feature(
    unit="days",
    says="days until the next renewal is due: as long after the last as the customer's mean "
    "interval or, of customers who renewed once, the median interval of all; below 0 it is overdue",
    reads="next renewal in {value} days (below 0 it is overdue)",
    unknown="never renewed",
    theme="renewals",
    needs="kind=renewal",
    streams=("renewals",),
    direction="down",
)
def days_to_renewal(a: ActivityIndex, at: Observations) -> np.ndarray:
    renewals = a.of("renewal")
    own, of_all = renewals.gap_mean(at), a.market.of("renewals").gap_quantile(0.5, at)
    return np.where(np.isnan(own), of_all, own) - renewals.days_since_last(at)
