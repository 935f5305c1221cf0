"""Recency, frequency and monetary value, tenure, baskets and returns."""

from __future__ import annotations

import numpy as np

from churnkit.clock import Cutoff
from churnkit.features.registry import Window, feature
from churnkit.index import PurchaseIndex, ratio
from churnkit.logs import MONEY_UNITS, QUANTITY_UNITS


@feature(
    unit="days",
    says="days since the last purchase",
    reads="last purchase {value} days ago",
    unknown="never bought",
    theme="recency",
)
def recency(p: PurchaseIndex, at: Cutoff) -> np.ndarray:
    return p.sales.days_since_last(at)


@feature(
    unit="purchases",
    says="purchases {window}",
    reads="purchases {window}: {value}",
    theme="frequency",
)
def purchases_count(p: PurchaseIndex, at: Cutoff, window: Window) -> np.ndarray:
    return p.sales.count(at, window)


@feature(
    unit="money",
    says="spend {window}",
    reads="spend {window}: {value}",
    theme="monetary",
    needs="amount",
)
def spend_sum(p: PurchaseIndex, at: Cutoff, window: Window) -> np.ndarray:
    return p.sales.sum("amount", at, window) / MONEY_UNITS


@feature(
    unit="money",
    says="mean spend a purchase {window}",
    reads="mean spend a purchase {window}: {value}",
    unknown="no purchase {window}",
    theme="monetary",
    needs="amount",
)
def spend_mean(p: PurchaseIndex, at: Cutoff, window: Window) -> np.ndarray:
    return ratio(p.sales.sum("amount", at, window), p.sales.count(at, window) * MONEY_UNITS)


@feature(
    unit="money",
    says="amount of the last purchase",
    reads="amount of the last purchase: {value}",
    theme="monetary",
    needs="amount",
)
def spend_last(p: PurchaseIndex, at: Cutoff) -> np.ndarray:
    return p.sales.last("amount", at) / MONEY_UNITS


@feature(
    unit="pieces",
    says="pieces bought {window}",
    reads="pieces bought {window}: {value}",
    theme="basket",
    needs="items",
)
def items_sum(p: PurchaseIndex, at: Cutoff, window: Window) -> np.ndarray:
    return p.sales.sum("items", at, window) / QUANTITY_UNITS


@feature(
    unit="products",
    says="mean number of products a purchase {window}",
    reads="products a purchase {window}: {value}",
    unknown="no purchase {window}",
    theme="basket",
    needs="products",
)
def basket_mean(p: PurchaseIndex, at: Cutoff, window: Window) -> np.ndarray:
    return ratio(p.sales.sum("products", at, window), p.sales.count(at, window))


@feature(
    unit="days",
    says="days since the first purchase",
    reads="customer for {value} days",
    unknown="never bought",
    theme="tenure",
)
def tenure(p: PurchaseIndex, at: Cutoff) -> np.ndarray:
    return p.sales.days_since_first(at)


@feature(
    unit="days",
    says="days from the first to the last purchase",
    reads="{value} days from the first to the last purchase",
    unknown="never bought",
    theme="tenure",
)
def active_span(p: PurchaseIndex, at: Cutoff) -> np.ndarray:
    return p.sales.days_since_first(at) - p.sales.days_since_last(at)


@feature(
    unit="returns",
    says="returns {window}",
    reads="returns {window}: {value}",
    theme="returns",
)
def returns_count(p: PurchaseIndex, at: Cutoff, window: Window) -> np.ndarray:
    return p.returns.count(at, window)


@feature(
    unit="money",
    says="money returned {window}",
    reads="money returned {window}: {value}",
    theme="returns",
    needs="amount",
)
def returns_sum(p: PurchaseIndex, at: Cutoff, window: Window) -> np.ndarray:
    return -p.returns.sum("amount", at, window) / MONEY_UNITS


@feature(
    unit="days",
    says="days since the last return",
    reads="last return {value} days ago",
    unknown="never returned anything",
    theme="returns",
)
def days_since_return(p: PurchaseIndex, at: Cutoff) -> np.ndarray:
    return p.returns.days_since_last(at)
