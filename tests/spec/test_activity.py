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


@example
def test_values_of_events_are_told_kind_by_kind():
    """
    An event without a value counts, but says nothing of the value. Logins never have one.

    activity:
    customer | ts         | event | value
    anna     | 2022-01-01 | quiz  | 100
    anna     | 2024-01-01 | quiz  | 60
    anna     | 2024-02-01 | quiz  | 0
    anna     | 2024-02-10 | quiz  |
    anna     | 2024-03-01 | quiz  | 7
    anna     | 2024-02-10 | login |
    ben      | 2024-02-10 | quiz  |
    cleo     | 2024-02-10 | quiz  | 50
    cleo     | 2024-02-10 | quiz  | 20.5

    2024-03-01:
    customer | quiz_value_last | quiz_value_mean_365d | quiz_value_mean_all | quiz_count_all
    anna     | 0               | 30                   | 160/3               | 4
    ben      |                 |                      |                     | 1
    cleo     | 50              | 35.25                | 35.25               | 2
    """
