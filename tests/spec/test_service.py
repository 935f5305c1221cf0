"""Complaints and tickets by example."""

from __future__ import annotations

from by_example import example


@example
def test_a_resolution_closes_the_oldest_that_is_open():
    """
    Dora's first resolution closes a complaint from before the log, and hides nothing later;
    Cleo's comes at the cutoff.

    activity:
    customer | ts         | event
    anna     | 2024-02-01 | complaint_opened
    anna     | 2024-02-05 | complaint_opened
    anna     | 2024-02-09 | complaint_resolved
    ben      | 2024-02-01 | complaint_opened
    ben      | 2024-02-02 | complaint_resolved
    cleo     | 2024-02-01 | complaint_opened
    cleo     | 2024-03-01 | complaint_resolved
    dora     | 2024-02-01 | complaint_resolved
    dora     | 2024-02-10 | complaint_opened
    emil     | 2024-02-01 | visit

    2024-03-01:
    customer | complaints_open | complaints_open_days | complaints_open_share
    anna     | 1               | 25                   | 1/2
    ben      | 0               |                      | 0
    cleo     | 1               | 29                   | 1
    dora     | 1               | 20                   | 1
    emil     | 0               |                      |

    2024-03-02:
    customer | complaints_open | complaints_resolve_mean_all
    anna     | 1               | 8
    ben      | 0               | 1
    cleo     | 0               | 29
    dora     | 1               |
    emil     | 0               |
    """


@example
def test_a_resolution_closes_a_ticket_of_its_own_ref():
    """
    Anna's ticket a came back after it was resolved; Ben's ticket b was never opened.

    activity:
    customer | ts         | event            | ref
    anna     | 2024-01-01 | support_opened   | a
    anna     | 2024-01-02 | support_opened   | b
    anna     | 2024-01-11 | support_resolved | b
    anna     | 2024-01-12 | support_resolved | a
    anna     | 2024-02-20 | support_opened   | a
    ben      | 2024-02-01 | support_opened   | a
    ben      | 2024-02-02 | support_resolved | b

    2024-03-01:
    customer | tickets_open | tickets_open_days | tickets_open_share | tickets_resolve_mean_365d
    anna     | 1            | 10                | 1/3                | 10
    ben      | 1            | 29                | 1                  |
    """


@example
def test_what_comes_back_under_its_ref_was_opened_again():
    """
    activity:
    customer | ts         | event            | ref
    anna     | 2024-01-01 | support_opened   | a
    anna     | 2024-01-02 | support_resolved | a
    anna     | 2024-01-03 | support_opened   | b
    anna     | 2024-02-20 | support_opened   | a
    anna     | 2024-02-20 | complaint_opened | a
    ben      | 2022-01-01 | complaint_opened | a
    ben      | 2023-03-01 | complaint_opened | a
    ben      | 2023-03-02 | complaint_opened | a
    ben      | 2024-02-20 | complaint_opened |
    ben      | 2024-02-21 | complaint_opened |
    ben      | 2024-03-01 | complaint_opened | a

    2024-03-01:
    customer | tickets_reopened_365d | complaints_reopened_365d | complaints_reopened_all
    anna     | 1                     | 0                        | 0
    ben      | 0                     | 1                        | 2
    """
