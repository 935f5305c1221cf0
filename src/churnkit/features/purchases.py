"""Recency, frequency and monetary value, tenure and baskets."""

from __future__ import annotations

import numpy as np

from churnkit.features.registry import Companion, feature
from churnkit.features.windows import Window
from churnkit.index import Observations, PurchaseIndex, ratio
from churnkit.logs import MONEY_UNITS, QUANTITY_UNITS


@feature(
    unit="days",
    says="days since the last purchase",
    reads="no purchase for {value} days",
    unknown="never bought",
    none="bought just now",
    companion=Companion("gap_median", "usually every {value} days", where="gap_p90"),
    theme="recency",
    direction="up",
)
def recency(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return p.sales.days_since_last(at)


@feature(
    unit="purchases",
    says="purchases {window}",
    reads="{value} purchases {window}",
    none="no purchase {window}",
    theme="frequency",
    direction="down",
    dtype="int32",
)
def purchases_count(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    return p.sales.count(at, window)


@feature(
    unit="money",
    says="spend {window}",
    reads="spent {value} {window}",
    none="spent nothing {window}",
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
    reads="spent {value} per purchase {window}",
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
    reads="spent {value} at the last purchase",
    companion=Companion("spend_mean_all", "on average {value}"),
    theme="monetary",
    needs="amount",
    dtype="float64",
)
def spend_last(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return p.sales.last("amount", at) / MONEY_UNITS


@feature(
    unit="pieces",
    says="pieces bought {window}",
    reads="bought {value} pieces {window}",
    none="bought nothing {window}",
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
    reads="{value} products per purchase {window}",
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
    none="bought at one time only",
    theme="tenure",
    direction="down",
)
def active_span(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return p.sales.days_since_first(at) - p.sales.days_since_last(at)
