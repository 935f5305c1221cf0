"""Discounts by example."""

from __future__ import annotations

from by_example import example


@example
def test_a_discount_is_a_share_of_the_full_price():
    """
    The amount is what was left to pay. Of returns no discount counts.

    purchases:
    customer | ts         | amount | discount
    anna     | 2024-02-01 | 75     | 25
    anna     | 2024-02-02 | 100    |
    anna     | 2024-02-03 | -75    | 25
    ben      | 2024-01-30 | 10     | 10
    cleo     | 2024-02-01 | 0      | 10
    dora     | 2024-02-01 | 0      | 0
    dora     | 2024-03-01 | 8      | 2

    2024-03-01:
    customer | discount_sum_30d | discount_sum_all | discount_share_30d | discount_share_all
    anna     | 25               | 25               | 1/8                | 1/8
    ben      | 0                | 10               |                    | 1/2
    cleo     | 10               | 10               | 1                  | 1
    dora     | 0                | 0                |                    |
    """
