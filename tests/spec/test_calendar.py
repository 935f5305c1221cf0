"""The time of the year by example."""

from __future__ import annotations

from by_example import example


@example
def test_the_year_goes_round_in_a_circle():
    """
    0 and 1 at New Year, and a day before it nearly the same.

    activity:
    customer | ts         | event
    anna     | 2023-12-01 | visit

    2024-01-01:
    customer | year_sin | year_cos
    anna     | 0        | 1

    2024-04-01:
    customer | year_sin | year_cos
    anna     | ~1.0000  | ~0.0054

    2024-12-31:
    customer | year_sin | year_cos
    anna     | ~-0.0043 | ~1.0000
    """


@example
def test_the_half_year_goes_round_twice_a_year():
    """
    A season with two peaks, such as sales in winter and in summer, needs it.

    activity:
    customer | ts         | event
    anna     | 2023-12-01 | visit

    2024-01-01:
    customer | half_year_sin | half_year_cos
    anna     | 0             | 1

    2024-04-01:
    customer | half_year_sin | half_year_cos
    anna     | ~0.0108       | ~-0.9999

    2024-08-15:
    customer | half_year_sin | half_year_cos
    anna     | ~0.9990       | ~0.0441
    """


@example
def test_the_day_of_the_year_is_that_of_the_business_zone():
    """
    2024-01-01 begins in Tehran when it is 2023-12-31 in London.

    activity:
    customer | ts         | event
    anna     | 2023-12-01 | visit

    2024-01-01, Asia/Tehran:
    customer | year_sin | year_cos
    anna     | 0        | 1
    """
