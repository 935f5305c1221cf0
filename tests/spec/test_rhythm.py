"""The customer's own rhythm by example."""

from __future__ import annotations

from by_example import example


@example
def test_rhythm_is_in_the_intervals_between_purchases():
    """
    Emil's intervals are 1, 8, 4 and 37 days: what he brought back is no purchase.

    purchases:
    customer | ts         | amount
    anna     | 2024-01-01 | 1
    anna     | 2024-01-11 | 1
    anna     | 2024-01-21 | 1
    anna     | 2024-01-31 | 1
    ben      | 2024-01-01 | 1
    ben      | 2024-01-11 | 1
    ben      | 2024-02-10 | 1
    cleo     | 2024-02-20 | 1
    emil     | 2024-01-01 | 1
    emil     | 2024-01-02 | 1
    emil     | 2024-01-10 | 1
    emil     | 2024-01-14 | 1
    emil     | 2024-02-14 | -1
    emil     | 2024-02-20 | 1

    2024-03-01:
    customer | gap_mean | gap_median | gap_std | gap_p90 | gap_last | gap_trend
    anna     | 10       | 10         | 0       | 10      | 10       | 1
    ben      | 20       | 20         | ~14.142 |         | 30       | 1.5
    cleo     |          |            |         |         |          |
    emil     | 12.5     | 6          | ~16.583 | 37      | 37       | 2.96
    """


@example
def test_overdue_is_the_wait_over_the_own_interval_or_that_of_all():
    """
    Fewer than three intervals are no rhythm of one's own: Ben and Cleo are measured by the
    interval that nine in ten of all intervals (10, 10, 10 and 30 days) stay within.

    purchases:
    customer | ts         | amount
    anna     | 2024-01-01 | 1
    anna     | 2024-01-11 | 1
    anna     | 2024-01-21 | 1
    anna     | 2024-01-31 | 1
    ben      | 2024-01-01 | 1
    ben      | 2024-01-31 | 1
    cleo     | 2024-01-01 | 1

    2024-03-01:
    customer | overdue_own_ratio | overdue_ratio | overdue_mean_ratio
    anna     | 3                 | 3             | 3
    ben      |                   | 1             | 1
    cleo     |                   | 2             |
    """


@example
def test_an_interval_below_a_day_counts_as_a_day():
    """
    Two orders within a minute are not a rhythm.

    purchases:
    customer | ts               | amount
    anna     | 2024-02-19 23:59 | 1
    anna     | 2024-02-20       | 1

    activity:
    customer | ts               | event
    anna     | 2024-02-27 23:00 | visit
    anna     | 2024-02-28       | visit

    2024-03-01:
    customer | gap_mean | overdue_mean_ratio | activity_gap_mean | activity_overdue_ratio
    anna     | 1/1440   | 10                 | 1/24              | 2
    """
