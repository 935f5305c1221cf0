"""Trends by example."""

from __future__ import annotations

from by_example import example


@example
def test_trend_is_this_window_against_the_one_before():
    """
    (now - then) / (now + then); the 30 days before 2024-03-01 begin with 2024-01-31, those before
    them with 2024-01-01.

    purchases:
    customer | ts                  | amount
    anna     | 2024-01-15          | 10
    anna     | 2024-02-10          | 10
    anna     | 2024-02-11          | 10
    anna     | 2024-02-12          | 10
    ben      | 2024-01-01          | 10
    cleo     | 2024-01-31          | 0
    dora     | 2023-12-31 23:59:59 | 10
    emil     | 2024-01-30          | 30
    emil     | 2024-02-01          | 10

    2024-03-01:
    customer | purchases_trend_30d | spend_trend_30d | purchases_trend_90d
    anna     | 0.5                 | 0.5             | 1
    ben      | -1                  | -1              | 1
    cleo     | 1                   |                 | 1
    dora     |                     |                 | 1
    emil     | 0                   | -0.5            | 1
    """


@example
def test_a_cancellation_is_no_activity():
    """
    activity:
    customer | ts         | event
    anna     | 2024-01-15 | visit
    anna     | 2024-02-10 | visit
    anna     | 2024-02-11 | cancellation

    2024-03-01:
    customer | activity_trend_30d
    anna     | 0
    """
