"""Recency, frequency, monetary value, tenure and baskets by example."""

from __future__ import annotations

from by_example import example


@example
def test_what_happens_at_the_cutoff_or_later_is_not_seen():
    """
    Cleo, who first buys at the cutoff, is nobody yet.

    purchases:
    customer | ts                  | amount
    anna     | 2024-01-01          | 10
    anna     | 2024-02-20          | 25
    anna     | 2024-03-01          | 99
    ben      | 2024-02-29 23:59:59 | 0.10
    cleo     | 2024-03-01          | 8
    cleo     | 2024-03-09          | 8

    2024-03-01:
    customer | recency | tenure  | active_span | purchases_count_all | spend_sum_all | spend_last
    anna     | 10      | 60      | 50          | 2                   | 35            | 25
    ben      | 1/86400 | 1/86400 | 0           | 1                   | 0.10          | 0.10
    """


@example
def test_a_window_begins_with_its_first_instant():
    """
    The last 30 days before 2024-03-01 begin with 2024-01-31. A sale of nothing is a sale.

    purchases:
    customer | ts                  | amount
    anna     | 2024-01-31          | 10
    ben      | 2024-01-30 23:59:59 | 10
    cleo     | 2024-02-23          | 0
    cleo     | 2024-02-24          | 15

    2024-03-01:
    customer | purchases_count_7d | purchases_count_30d | spend_sum_30d | spend_mean_30d
    anna     | 0                  | 1                   | 10            | 10
    ben      | 0                  | 0                   | 0             |
    cleo     | 2                  | 2                   | 15            | 7.5
    """


@example
def test_a_day_begins_in_the_business_zone():
    """
    In Tehran 2024-03-01 begins at 20:30 UTC of the day before.

    purchases:
    customer | ts                        | amount
    anna     | 2024-02-29 20:29:59+00:00 | 1
    ben      | 2024-02-29 20:30:00+00:00 | 1

    2024-03-01, Asia/Tehran:
    customer | recency
    anna     | 1/86400

    2024-03-02, Asia/Tehran:
    customer | recency
    anna     | 86401/86400
    ben      | 1
    """


@example
def test_lines_of_an_order_at_one_instant_are_one_purchase():
    """
    What is bought at one instant is one purchase, whatever the orders; who never bought anything
    has no recency, but a count of 0.

    purchases:
    customer | ts         | order_id | product_id | quantity | amount
    anna     | 2024-02-01 | 7        | pen        | 2        | 3
    anna     | 2024-02-01 | 7        | ink        | 1.5      | 30
    anna     | 2024-02-01 | 7        | pen        | 1        | 2
    anna     | 2024-02-10 | 8        | pen        |          | 3
    ben      | 2024-02-01 | 9        | pen        | 10       | 20
    ben      | 2024-02-01 | 9        | ink        | -1       | -5
    cleo     | 2024-02-01 |          | pen        | 1        | 30
    cleo     | 2024-02-01 |          | ink        | 1        | 10
    dora     | 2024-02-01 |          | pen        | -1       | -3

    2024-03-01:
    customer | purchases_count_30d | spend_sum_30d | items_sum_30d | basket_mean_30d | recency
    anna     | 2                   | 38            | 4.5           | 1.5             | 20
    ben      | 1                   | 15            | 9             | 2               | 29
    cleo     | 1                   | 40            | 2             | 2               | 29
    dora     | 0                   | 0             | 0             |                 |
    """
