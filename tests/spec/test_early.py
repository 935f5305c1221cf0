"""The first days of a customer by example."""

from __future__ import annotations

from by_example import example


@example
def test_what_comes_30_days_after_the_first_purchase_is_no_early_life():
    """
    Anna's third purchase comes 30 days after the first, to the second; of Ben's first 30 days
    only ten have passed.

    purchases:
    customer | ts                  | amount
    anna     | 2024-01-01          | 10
    anna     | 2024-01-30 23:59:59 | 20
    anna     | 2024-01-31          | 40
    ben      | 2024-02-20          | 5
    ben      | 2024-03-01          | 5

    2024-03-01:
    customer | purchases_count_first_30d | spend_sum_first_30d | days_to_second_purchase
    anna     | 2                         | 30                  | 2591999/86400
    ben      | 1                         | 5                   |

    2024-03-02:
    customer | purchases_count_first_30d | spend_sum_first_30d | days_to_second_purchase
    anna     | 2                         | 30                  | 2591999/86400
    ben      | 2                         | 10                  | 10
    """
