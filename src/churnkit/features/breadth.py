"""How many different products, categories and channels a customer buys, and how many are new."""

from __future__ import annotations

import numpy as np

from churnkit.features.registry import feature
from churnkit.features.windows import Window, inner
from churnkit.index import Observations, PurchaseIndex


def _distinct(p: PurchaseIndex, what: str, at: Observations, window: Window) -> np.ndarray:
    return np.zeros(len(at)) if p.lines is None else p.lines.distinct(what, at, window)


@feature(
    unit="products",
    says="different products bought {window}",
    reads="bought {value} products {window}",
    none="bought no product {window}",
    theme="breadth",
    needs="line_product",
    direction="down",
    dtype="int32",
)
def products_count(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    return _distinct(p, "product", at, window)


@feature(
    unit="products",
    says="products bought {window} and never before",
    reads="bought {value} products {window} for the first time",
    none="bought no product {window} for the first time",
    theme="breadth",
    needs="line_product",
    windows=inner,
    direction="down",
    dtype="int32",
)
def products_new(p: PurchaseIndex, at: Observations, window: int) -> np.ndarray:
    return np.zeros(len(at)) if p.lines is None else p.lines.first_time("product", at, window)


@feature(
    unit="categories",
    says="different categories bought from {window}",
    reads="bought from {value} categories {window}",
    none="bought from no category {window}",
    theme="breadth",
    needs="line_category",
    direction="down",
    dtype="int32",
)
def categories_count(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    return _distinct(p, "category", at, window)


@feature(
    unit="channels",
    says="different channels bought through {window}",
    reads="bought through {value} channels {window}",
    none="bought through no channel {window}",
    theme="breadth",
    needs="line_channel",
    direction="down",
    dtype="int32",
)
def channels_count(p: PurchaseIndex, at: Observations, window: Window) -> np.ndarray:
    return _distinct(p, "channel", at, window)
