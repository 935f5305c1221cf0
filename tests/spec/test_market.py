"""What all customers do by example."""

from __future__ import annotations

from by_example import example


@example
def test_a_trend_is_seen_against_that_of_all():
    """
    Of all six purchases four are of the last 30 days, which begin with 2024-01-31: the trend of
    all is (4 - 2) / 6. Anna bought once before and once since.

    purchases:
    customer | ts                  | amount
    anna     | 2024-01-30 23:59:59 | 1
    anna     | 2024-01-31          | 1
    ben      | 2024-01-01          | 1
    ben      | 2024-02-10          | 1
    ben      | 2024-02-11          | 1
    cleo     | 2024-02-12          | 1
    cleo     | 2024-03-01          | 1
    dora     | 2024-03-01          | 1

    2024-03-01:
    customer | market_trend_30d | market_purchases_mean_30d | trend_against_market_30d
    anna     | 1/3              | 4/3                       | -1/3
    ben      | 1/3              | 4/3                       | 0
    cleo     | 1/3              | 4/3                       | 2/3
    """


@example
def test_activity_of_all_is_without_cancellations():
    """
    activity:
    customer | ts         | event
    anna     | 2024-01-15 | visit
    anna     | 2024-02-10 | visit
    ben      | 2024-02-10 | visit
    ben      | 2024-02-11 | visit
    ben      | 2024-02-12 | cancellation

    2024-03-01:
    customer | market_activity_trend_30d | activity_trend_against_market_30d
    anna     | 1/2                       | -1/2
    ben      | 1/2                       | 1/2
    """
