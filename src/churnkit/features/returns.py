"""What a customer brought back."""

from __future__ import annotations

import numpy as np

from churnkit.features.registry import feature
from churnkit.features.windows import Window
from churnkit.index import Observations, PurchaseIndex, ratio
from churnkit.logs import MONEY_UNITS


@feature(
    unit="returns",
    says="returns {window}",
    reads="{value} returns {window}",
    none="no return {window}",
    theme="returns",
    dtype="int32",
)
def returns_count(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    return p.returns.count(at, window)


@feature(
    unit="share",
    says="returns among purchases and returns {window}",
    reads="{value} of its orders {window} were returns",
    unknown="no purchase nor return {window}",
    none="no return {window}",
    theme="returns",
    direction="up",
)
def returns_share(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    returned = p.returns.count(at, window)
    return ratio(returned, p.sales.count(at, window) + returned)


@feature(
    unit="money",
    says="money returned {window}",
    reads="returned goods for {value} {window}",
    none="no return {window}",
    theme="returns",
    needs="amount",
    dtype="float64",
)
def returns_sum(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    return -p.returns.sum("amount", at, window) / MONEY_UNITS


@feature(
    unit="share",
    says="money returned among money spent and returned {window}",
    reads="returned goods for {value} of its money {window}",
    unknown="no money spent nor returned {window}",
    none="no return {window}",
    theme="returns",
    needs="amount",
    direction="up",
)
def returns_amount_share(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    returned = -p.returns.sum("amount", at, window)
    return ratio(returned, p.sales.sum("amount", at, window) + returned)


@feature(
    unit="days",
    says="days since the last return",
    reads="last return {value} days ago",
    unknown="never returned anything",
    theme="returns",
)
def days_since_return(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return p.returns.days_since_last(at)
