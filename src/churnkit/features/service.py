"""Complaints, tickets and payments that are still open at the cutoff."""

from __future__ import annotations

import numpy as np

from churnkit.clock import Cutoff
from churnkit.features.registry import feature
from churnkit.index import ActivityIndex


@feature(
    unit="complaints", says="open complaints", reads="open complaints: {value}", theme="complaints"
)
def complaints_open(a: ActivityIndex, at: Cutoff) -> np.ndarray:
    return a.still_open("complaint_opened", "complaint_resolved", at)


@feature(
    unit="tickets", says="unresolved tickets", reads="unresolved tickets: {value}", theme="tickets"
)
def tickets_open(a: ActivityIndex, at: Cutoff) -> np.ndarray:
    return a.still_open("support_opened", "support_resolved", at)


@feature(
    unit="payments",
    says="failed payments since the last one that went through",
    reads="failed payments still open: {value}",
    theme="payments",
)
def payments_failed_open(a: ActivityIndex, at: Cutoff) -> np.ndarray:
    return a.of("payment_failed").count_after_last(a.of("payment_ok"), at)
