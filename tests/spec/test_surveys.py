"""Answers and what they mean by example."""

from __future__ import annotations

from by_example import example


@example
def test_a_score_belongs_to_a_class():
    """
    NPS: promoters 9 and 10, passives 7 and 8, detractors 0 to 6. Satisfied are 4 and 5 of 1 to 5,
    easy is above the middle of 1 to 7. Emil never answered: his score is missing, not neutral.

    activity:
    customer | ts         | event
    anna     | 2024-02-01 | visit
    ben      | 2024-02-01 | visit
    cleo     | 2024-02-01 | visit
    emil     | 2024-02-01 | visit

    surveys:
    customer | ts         | instrument | score
    anna     | 2024-02-20 | NPS        | 9
    ben      | 2024-02-20 | nps        | 8
    cleo     | 2024-02-20 | nps        | 6
    cleo     | 2024-03-01 | nps        | 10
    anna     | 2024-02-20 | ces        | 7
    ben      | 2024-02-20 | ces        | 4
    anna     | 2024-02-20 | csat       | 4
    ben      | 2024-02-20 | csat       | 3

    2024-03-01:
    customer | nps_last | nps_class | ces_ease_last | ces_class | csat_class | nps_count_all
    anna     | 9        | 1         | 1             | 1         | 1          | 1
    ben      | 8        | 0         | 0.5           | 0         | 0          | 1
    cleo     | 6        | -1        |               |           |            | 1
    emil     |          |           |               |           |            | 0
    """


@example
def test_answers_change_and_fall_silent():
    """
    The year before 2024-03-01 begins with 2023-03-02, the one before it with 2022-03-02. Anna
    answers every 300 days in the mean.

    activity:
    customer | ts         | event
    anna     | 2022-01-01 | visit
    ben      | 2022-01-01 | visit

    surveys:
    customer | ts                  | instrument | score
    anna     | 2022-05-06          | nps        | 9
    anna     | 2023-03-01 23:59:59 | nps        | 5
    anna     | 2023-03-02          | nps        | 8
    anna     | 2023-12-27          | nps        | 2
    ben      | 2024-02-20          | nps        | 10

    2024-03-01:
    customer | nps_change | nps_mean_365d | nps_trend_365d | nps_silence_ratio | days_since_nps
    anna     | -6         | 5             | -2             | 65/200            | 65
    ben      |            | 10            |                |                   | 10
    """


@example
def test_good_is_one_end_of_the_declared_scale():
    """
    On a scale of effort the low end is good. Agents' scores are answers like others.

    instruments:
    name       | low | high | better | source
    ces        | 1   | 5    | low    | customer
    agent_tone | 0   | 100  | high   | agent

    activity:
    customer | ts         | event
    anna     | 2024-02-01 | visit
    ben      | 2024-02-01 | visit

    surveys:
    customer | ts         | instrument | score
    anna     | 2024-02-10 | ces        | 5
    anna     | 2024-02-20 | ces        | 2
    ben      | 2024-02-20 | agent_tone | 62.5

    2024-03-01:
    customer | ces_good_last | ces_good_mean_365d | ces_ease_mean_365d | agent_tone_good_last
    anna     | 0.75          | 0.375              | 0.375              |
    ben      |               |                    |                    | 0.625
    """


@example
def test_silence_is_the_share_of_surveys_sent_that_brought_no_answer():
    """
    What agents score is no answer of the customer. Cleo answered more often than she was asked.

    instruments:
    name       | low | high | source
    agent_tone | 0   | 100  | agent

    activity:
    customer | ts         | event
    anna     | 2024-01-01 | visit
    ben      | 2024-01-01 | visit
    cleo     | 2024-01-01 | visit
    anna     | 2024-01-01 | survey_sent
    anna     | 2024-02-01 | survey_sent
    ben      | 2024-02-01 | survey_sent
    cleo     | 2024-02-01 | survey_sent
    dora     | 2024-02-01 | visit
    dora     | 2024-03-01 | survey_sent

    surveys:
    customer | ts         | instrument | score
    anna     | 2024-02-03 | nps        | 9
    ben      | 2024-02-03 | agent_tone | 9
    ben      | 2024-03-01 | nps        | 9
    cleo     | 2024-02-03 | nps        | 9
    cleo     | 2024-02-03 | csat       | 5

    2024-03-01:
    customer | survey_silence_365d
    anna     | 1/2
    ben      | 1
    cleo     | 0
    dora     |
    """
