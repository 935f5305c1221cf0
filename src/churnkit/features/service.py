"""Complaints, tickets and payments that are still open at the cutoff."""

from __future__ import annotations

import numpy as np

from churnkit.clock import Cutoff
from churnkit.features.registry import feature
from churnkit.index import ActivityIndex


@feature(unit="complaints", says="open complaints", reads="{value} open complaints")
def complaints_open(a: ActivityIndex, at: Cutoff) -> np.ndarray:
    return _still_open(a, "complaint_opened", "complaint_resolved", at)


@feature(unit="tickets", says="unresolved tickets", reads="{value} unresolved tickets")
def tickets_open(a: ActivityIndex, at: Cutoff) -> np.ndarray:
    return _still_open(a, "support_opened", "support_resolved", at)


@feature(
    unit="payments",
    says="failed payments since the last one that went through",
    reads="{value} failed payments still open",
)
def payments_failed_open(a: ActivityIndex, at: Cutoff) -> np.ndarray:
    failed, paid = a.of("payment_failed"), a.of("payment_ok")
    since_failed, since_paid = failed.days_since_last(at), paid.days_since_last(at)
    unpaid = ~np.isnan(since_failed) & ~(since_paid <= since_failed)
    return np.where(unpaid, np.maximum(failed.count(at) - paid.count(at), 1), 0)


def _still_open(a: ActivityIndex, opened: str, resolved: str, at: Cutoff) -> np.ndarray:
    return np.maximum(a.of(opened).count(at) - a.of(resolved).count(at), 0)
