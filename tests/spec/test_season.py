"""Last year by example."""

from __future__ import annotations

from by_example import example


@example
def test_last_year_is_looked_up_365_days_earlier():
    """
    A year before 2024-03-01 is 2023-03-02: the days before it are the same window a year ago, the
    days from it on are those that followed.

    purchases:
    customer | ts                  | amount
    anna     | 2023-01-30 23:59:59 | 1
    anna     | 2023-01-31          | 2
    anna     | 2023-03-01 23:59:59 | 4
    anna     | 2023-03-02          | 8
    anna     | 2023-03-31 23:59:59 | 16
    anna     | 2023-04-01          | 32
    ben      | 2024-02-29          | 1

    2024-03-01:
    customer | purchases_count_last_year_30d | purchases_ahead_last_year_30d
    anna     | 2                             | 2
    ben      | 0                             | 0

    2024-03-01:
    customer | spend_sum_last_year_30d | spend_ahead_last_year_30d | spend_sum_last_year_90d
    anna     | 6                       | 24                        | 7
    ben      | 0                       | 0                         | 0
    """
