"""Activity by example."""

from __future__ import annotations

from by_example import example


@example
def test_activity_is_counted_together_and_kind_by_kind():
    """
    A kind is the name of an event in small letters, with _ between its words. A cancellation is
    no sign of life, nor is a survey that the shop sends: Cleo, of whom nothing else is known, has
    no row.

    activity:
    customer | ts         | event
    anna     | 2024-01-01 | visit
    anna     | 2024-02-20 | Visit
    anna     | 2024-02-20 | login
    anna     | 2024-02-28 | cancellation
    anna     | 2024-02-29 | survey_sent
    ben      | 2024-01-31 | Newsletter: opened!
    ben      | 2024-03-01 | visit
    cleo     | 2024-02-01 | cancellation
    cleo     | 2024-02-01 | survey_sent

    2024-03-01:
    customer | days_since_activity | activity_tenure | activity_count_30d | visit_count_all
    anna     | 10                  | 60              | 2                  | 2
    ben      | 30                  | 30              | 1                  | 0

    2024-03-01:
    customer | newsletter_opened_count_30d | days_since_newsletter_opened | days_since_cancellation
    anna     | 0                           |                              | 2
    ben      | 1                           | 30                           |
    """


@example
def test_events_are_mapped_to_kinds():
    """
    kinds:
    event          | kind
    Ticket created | support_opened

    activity:
    customer | ts         | event
    anna     | 2024-02-01 | ticket created

    2024-03-01:
    customer | support_opened_count_all | tickets_open
    anna     | 1                        | 1
    """
