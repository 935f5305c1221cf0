"""Recency, frequency and monetary value, tenure and baskets."""

from __future__ import annotations

import numpy as np

from churnkit.features.registry import feature
from churnkit.features.windows import Window
from churnkit.index import Observations, PurchaseIndex, ratio
from churnkit.logs import MONEY_UNITS, QUANTITY_UNITS


@feature(
    unit="days",
    says="days since the last purchase",
    reads="last purchase {value} days ago",
    unknown="never bought",
    theme="recency",
    direction="up",
)
def recency(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return p.sales.days_since_last(at)


@feature(
    unit="purchases",
    says="purchases {window}",
    reads="purchases {window}: {value}",
    theme="frequency",
    direction="down",
    dtype="int32",
)
def purchases_count(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    return p.sales.count(at, window)


@feature(
    unit="money",
    says="spend {window}",
    reads="spend {window}: {value}",
    theme="monetary",
    needs="amount",
    direction="down",
    dtype="float64",
)
def spend_sum(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    return p.sales.sum("amount", at, window) / MONEY_UNITS


@feature(
    unit="money",
    says="mean spend per purchase {window}",
    reads="mean spend per purchase {window}: {value}",
    unknown="no purchase {window}",
    theme="monetary",
    needs="amount",
    dtype="float64",
)
def spend_mean(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    return ratio(p.sales.sum("amount", at, window), p.sales.count(at, window) * MONEY_UNITS)


@feature(
    unit="money",
    says="amount of the last purchase",
    reads="amount of the last purchase: {value}",
    theme="monetary",
    needs="amount",
    dtype="float64",
)
def spend_last(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return p.sales.last("amount", at) / MONEY_UNITS


@feature(
    unit="pieces",
    says="pieces bought {window}",
    reads="pieces bought {window}: {value}",
    theme="basket",
    needs="items",
    direction="down",
    dtype="float64",
)
def items_sum(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    return p.sales.sum("items", at, window) / QUANTITY_UNITS


@feature(
    unit="products",
    says="mean number of products per purchase {window}",
    reads="products per purchase {window}: {value}",
    unknown="no purchase {window}",
    theme="basket",
    needs="products",
)
def basket_mean(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    return ratio(p.sales.sum("products", at, window), p.sales.count(at, window))


@feature(
    unit="days",
    says="days since the first purchase",
    reads="customer for {value} days",
    unknown="never bought",
    theme="tenure",
    direction="down",
)
def tenure(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return p.sales.days_since_first(at)


@feature(
    unit="days",
    says="days from the first to the last purchase",
    reads="{value} days from the first to the last purchase",
    unknown="never bought",
    theme="tenure",
    direction="down",
)
def active_span(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return p.sales.days_since_first(at) - p.sales.days_since_last(at)
