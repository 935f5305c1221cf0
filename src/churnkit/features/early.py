"""The first days of a customer, as far as they lie before the cutoff."""

from __future__ import annotations

import numpy as np

from churnkit.features.registry import feature
from churnkit.index import Observations, PurchaseIndex
from churnkit.logs import MONEY_UNITS

_DAYS = 30


@feature(
    unit="purchases",
    says=f"purchases in the first {_DAYS} days as a customer",
    reads=f"{{value}} purchases in the first {_DAYS} days",
    theme="early life",
    direction="down",
    dtype="int32",
)
def purchases_count_first_30d(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return p.early_sales(_DAYS).count(at)


@feature(
    unit="money",
    says=f"spend in the first {_DAYS} days as a customer",
    reads=f"spent {{value}} in the first {_DAYS} days",
    theme="early life",
    needs="amount",
    direction="down",
    dtype="float64",
)
def spend_sum_first_30d(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return p.early_sales(_DAYS).sum("amount", at) / MONEY_UNITS


@feature(
    unit="days",
    says="days from the first to the second purchase",
    reads="came back {value} days after the first purchase",
    unknown="no second purchase",
    theme="early life",
    direction="up",
)
def days_to_second_purchase(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return p.sales.days_since_first(at) - p.sales.days_since_nth(2, at)
