"""A feature of one's own: `file = "own_features.py"` in [features] of churnkit.toml takes it in."""

from __future__ import annotations

import numpy as np

from churnkit.features import MONEY_UNITS, Events, Observations, PurchaseIndex, Window, feature


def is_large(sales: Events) -> np.ndarray:
    """The purchases of more than 100."""
    return sales.columns["amount"] > 100 * MONEY_UNITS


@feature(
    unit="purchases",
    says="purchases above 100 {window}",
    direction="down",  # a higher value is expected to go with less churn
    needs="amount",
    dtype="int32",
)
def large_purchases_count(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    """How many purchases of more than 100 a customer made in each window."""
    return p.sales.where(is_large).count(at, window)
