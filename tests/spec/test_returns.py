"""Returns by example."""

from __future__ import annotations

from by_example import example


@example
def test_an_order_below_zero_is_a_return_and_no_purchase():
    """
    Ben's order of February counts by its sum; what he brought back a day later is a return.

    purchases:
    customer | ts               | order_id | amount
    anna     | 2024-02-01       | 1        | 30
    anna     | 2024-02-20       | 2        | -10
    ben      | 2024-02-01       | 3        | 20
    ben      | 2024-02-01       | 3        | -5
    ben      | 2024-02-02       | 3        | -5
    cleo     | 2024-02-29 12:00 | 4        | -3
    dora     | 2024-01-01       | 5        | 8

    2024-03-01:
    customer | returns_count_30d | returns_sum_30d | returns_share_30d | returns_amount_share_30d
    anna     | 1                 | 10              | 1/2               | 1/4
    ben      | 1                 | 5               | 1/2               | 1/4
    cleo     | 1                 | 3               | 1                 | 1
    dora     | 0                 | 0               |                   |
    """


@example
def test_a_return_at_the_cutoff_is_not_seen():
    """
    purchases:
    customer | ts         | amount
    anna     | 2024-02-01 | 30
    anna     | 2024-03-01 | -30

    2024-03-01:
    customer | returns_count_all | days_since_return | returns_share_all
    anna     | 0                 |                   | 0
    """
