"""Breadth by example."""

from __future__ import annotations

from by_example import example


@example
def test_a_thing_bought_again_counts_once():
    """
    Anna's ink of January is no new product in February; the window of 30 days begins with
    2024-01-31, and of what is bought at the cutoff nothing is known.

    purchases:
    customer | ts                  | product_id | category | channel | amount
    anna     | 2024-01-02          | ink        | paper    | web     | 1
    anna     | 2024-01-30 23:59:59 | pen        | paper    | web     | 1
    anna     | 2024-01-31          | ink        | paper    | shop    | 1
    anna     | 2024-02-10          | ink        | paper    | shop    | 1
    anna     | 2024-02-10          | cup        | kitchen  | shop    | 1
    anna     | 2024-03-01          | bag        | travel   | app     | 1
    ben      | 2024-01-02          | pen        |          | web     | 1

    2024-03-01:
    customer | products_count_30d | products_count_all | products_new_30d | categories_count_30d
    anna     | 2                  | 3                  | 1                | 2
    ben      | 0                  | 1                  | 0                | 0

    2024-03-02:
    customer | products_new_30d | channels_count_30d | channels_count_all | categories_count_all
    anna     | 2                | 2                  | 3                  | 3
    ben      | 0                | 0                  | 1                  | 0
    """


@example
def test_what_is_brought_back_was_not_bought_by_that():
    """
    purchases:
    customer | ts         | product_id | amount
    anna     | 2024-02-10 | ink        | -4
    anna     | 2024-02-11 | pen        | 4

    2024-03-01:
    customer | products_count_all
    anna     | 1
    """
