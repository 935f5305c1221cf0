"""What all customers together do, so that a season does not look like churn."""

from __future__ import annotations

import numpy as np

from churnkit.features.registry import feature
from churnkit.features.trend import activity_trend, purchases_trend, trend
from churnkit.features.windows import inner
from churnkit.index import ActivityIndex, Market, Observations, PurchaseIndex, ratio


def _trend_of_all(market: Market, stream: str, at: Observations, days: int) -> np.ndarray:
    crowd = market.of(stream)
    return trend(crowd.count(at, days), crowd.count(at, 2 * days))


@feature(
    unit="-1..1",
    says="trend of the purchases of all customers {window} against the time before",
    reads="purchases of all customers {window} against the time before: {value}",
    unknown="nobody bought anything {window} nor before",
    theme="season",
    windows=inner,
    streams=("sales",),
    seasonal=True,
)
def market_trend(p: PurchaseIndex, at: Observations, window: int) -> np.ndarray:
    return _trend_of_all(p.market, "sales", at, window)


@feature(
    unit="-1..1",
    says="trend of the activity of all customers {window} against the time before",
    reads="activity of all customers {window} against the time before: {value}",
    unknown="nobody was active {window} nor before",
    theme="season",
    windows=inner,
    streams=("activity",),
    seasonal=True,
)
def market_activity_trend(a: ActivityIndex, at: Observations, window: int) -> np.ndarray:
    return _trend_of_all(a.market, "activity", at, window)


@feature(
    unit="purchases",
    says="mean number of purchases {window} per customer who ever bought",
    reads="the average customer made {value} purchases {window}",
    unknown="nobody ever bought anything",
    theme="season",
    windows=inner,
    streams=("sales",),
    seasonal=True,
)
def market_purchases_mean(p: PurchaseIndex, at: Observations, window: int) -> np.ndarray:
    crowd = p.market.of("sales")
    return ratio(crowd.count(at, window), crowd.customers(at))


@feature(
    unit="-2..2",
    says="trend of purchases {window}, less that of all customers",
    reads="purchases {window} next to all customers: {value}",
    unknown="no purchases {window} nor before",
    theme="purchases trend",
    windows=inner,
    streams=("sales",),
    direction="down",
)
def trend_against_market(p: PurchaseIndex, at: Observations, window: int) -> np.ndarray:
    return purchases_trend(p, at, window) - market_trend(p, at, window)


@feature(
    unit="-2..2",
    says="trend of activity {window}, less that of all customers",
    reads="activity {window} next to all customers: {value}",
    unknown="no activity {window} nor before",
    theme="activity trend",
    windows=inner,
    streams=("activity",),
    direction="down",
)
def activity_trend_against_market(a: ActivityIndex, at: Observations, window: int) -> np.ndarray:
    return activity_trend(a, at, window) - market_activity_trend(a, at, window)
