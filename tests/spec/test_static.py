"""Static columns of the customers by example."""

from __future__ import annotations

from by_example import example


@example
def test_what_never_changes_becomes_a_feature():
    """
    A column of which every text is a number is a number, any other is a category. Cleo is in no
    list, and Dora, of whom nothing is known before the cutoff, has no row.

    purchases:
    customer | ts         | amount
    anna     | 2024-02-01 | 10
    ben      | 2024-02-01 | 10
    cleo     | 2024-02-01 | 10
    dora     | 2024-03-01 | 10

    customers:
    customer | Region     | born in | plan no.
    anna     | north      | 1980    | A1
    ben      | South-West |         | 7
    dora     | east       | 2001    | B2

    2024-03-01:
    customer | region     | born_in | plan_no
    anna     | north      | 1980    | A1
    ben      | South-West |         | 7
    cleo     |            |         |
    """
