"""What was taken off the price."""

from __future__ import annotations

import numpy as np

from churnkit.features.registry import feature
from churnkit.features.windows import Window
from churnkit.index import Observations, PurchaseIndex, ratio
from churnkit.logs import MONEY_UNITS


@feature(
    unit="money",
    says="discount {window}",
    reads="discount {window}: {value}",
    none="no discount {window}",
    theme="discounts",
    needs="discount",
    dtype="float64",
)
def discount_sum(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    return p.sales.sum("discount", at, window) / MONEY_UNITS


@feature(
    unit="share",
    says="discount as a share of the full price {window}",
    reads="{value} of the price taken off {window}",
    none="no discount {window}",
    unknown="no purchase {window}",
    theme="discounts",
    needs=("amount", "discount"),
    direction="up",
)
def discount_share(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    discount = p.sales.sum("discount", at, window)
    return ratio(discount, p.sales.sum("amount", at, window) + discount)
