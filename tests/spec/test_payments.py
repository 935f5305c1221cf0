"""Payments and renewals by example."""

from __future__ import annotations

from by_example import example


@example
def test_a_failed_payment_is_open_until_one_goes_through():
    """
    At one instant the payment that went through comes last.

    activity:
    customer | ts         | event
    anna     | 2024-01-01 | payment_failed
    anna     | 2024-01-03 | payment_ok
    anna     | 2024-02-20 | payment_failed
    anna     | 2024-02-25 | payment_failed
    ben      | 2024-02-01 | payment_failed
    ben      | 2024-02-01 | payment_ok
    cleo     | 2024-01-31 | payment_failed
    cleo     | 2024-03-01 | payment_ok
    dora     | 2024-01-01 | payment_ok
    dora     | 2024-03-01 | payment_failed

    2024-03-01:
    customer | payments_failed_open | payments_failed_open_days | payments_failed_share_30d
    anna     | 2                    | 10                        | 1
    ben      | 0                    |                           | 1/2
    cleo     | 1                    | 30                        | 1
    dora     | 0                    |                           |
    """


@example
def test_a_contract_is_renewed_at_its_own_interval_or_that_of_all():
    """
    Ben has renewed once: he is expected after the median of all intervals, which are Anna's 30 and
    Cleo's 30 and 60 days. Cleo's own mean is 45 days, and she is overdue.

    activity:
    customer | ts         | event
    anna     | 2024-01-21 | renewal
    anna     | 2024-02-20 | renewal
    ben      | 2024-02-20 | renewal
    cleo     | 2023-09-12 | renewal
    cleo     | 2023-10-12 | renewal
    cleo     | 2023-12-11 | renewal
    dora     | 2024-02-01 | visit
    dora     | 2024-03-01 | renewal

    2024-03-01:
    customer | days_to_renewal | renewal_count_all
    anna     | 20              | 2
    ben      | 20              | 1
    cleo     | -36             | 3
    dora     |                 | 0
    """
