"""What the customer did a year ago, in the same days and in those that followed."""

from __future__ import annotations

import numpy as np

from churnkit.features.registry import feature
from churnkit.features.windows import Window, inner_two
from churnkit.index import Observations, PurchaseIndex
from churnkit.logs import MONEY_UNITS

_YEAR = 365


def _within_a_year(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    return tuple(days for days in inner_two(windows) if days is not None and days <= _YEAR)


@feature(
    unit="purchases",
    says="purchases {window}, a year earlier",
    reads="{value} purchases {window}, a year earlier",
    none="no purchase {window}, a year earlier",
    theme="last year",
    windows=_within_a_year,
    seasonal=True,
    direction="down",
    dtype="int32",
)
def purchases_count_last_year(p: PurchaseIndex, at: Observations, window: int) -> np.ndarray:
    return p.sales.count(at, window, ago=_YEAR)


@feature(
    unit="purchases",
    says="purchases a year ago in as many days as {window}, but those that followed",
    reads="{value} purchases a year ago in the days that followed (as many as {window})",
    none="no purchase a year ago in the days that followed (as many as {window})",
    theme="last year",
    windows=_within_a_year,
    seasonal=True,
    direction="down",
    dtype="int32",
)
def purchases_ahead_last_year(p: PurchaseIndex, at: Observations, window: int) -> np.ndarray:
    return p.sales.count(at, window, ago=_YEAR - window)


@feature(
    unit="money",
    says="spend {window}, a year earlier",
    reads="spent {value} {window}, a year earlier",
    none="spent nothing {window}, a year earlier",
    theme="last year",
    needs="amount",
    windows=_within_a_year,
    seasonal=True,
    direction="down",
    dtype="float64",
)
def spend_sum_last_year(p: PurchaseIndex, at: Observations, window: int) -> np.ndarray:
    return p.sales.sum("amount", at, window, ago=_YEAR) / MONEY_UNITS


@feature(
    unit="money",
    says="spend a year ago in as many days as {window}, but those that followed",
    reads="spent {value} a year ago in the days that followed (as many as {window})",
    none="spent nothing a year ago in the days that followed (as many as {window})",
    theme="last year",
    needs="amount",
    windows=_within_a_year,
    seasonal=True,
    direction="down",
    dtype="float64",
)
def spend_ahead_last_year(p: PurchaseIndex, at: Observations, window: int) -> np.ndarray:
    return p.sales.sum("amount", at, window, ago=_YEAR - window) / MONEY_UNITS
