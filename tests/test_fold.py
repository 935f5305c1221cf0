"""From rows to events: what is one order, what is one occasion, and what is never joined."""

from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import logs_of

from churnkit.logs import Logs
from churnkit.sources import read_logs


def occasions(logs: Logs, *measures: str) -> list[tuple[object, ...]]:
    """Customer, day and measures of every occasion; money in whole units of it, not in cents."""
    purchases = logs.purchases
    days = purchases.ts.astype("datetime64[us]").astype("datetime64[D]").astype(str)
    units = {"amount": 100, "items": 1000}
    told = [(purchases.columns[m] / units.get(m, 1)).tolist() for m in measures]
    customers = [logs.customer_ids[code] for code in purchases.customer]
    return list(zip(customers, days.tolist(), *told, strict=True))


def test_lines_of_one_order_at_one_instant_are_one_occasion():
    logs = logs_of(
        purchases="""
            customer | ts         | amount | order_id | product_id | quantity
            anna     | 2024-01-01 | 10     | A1       | tea        | 2
            anna     | 2024-01-01 | 5      | A1       | milk       | 1
            anna     | 2024-01-01 | 2.5    | A1       | tea        | 0.5
        """
    )
    assert occasions(logs, "amount", "items", "products") == [("anna", "2024-01-01", 17.5, 3.5, 2)]
    assert logs.checks[0].kept == 3
    assert logs.checks[0].folded == 1


def test_orders_at_one_instant_are_one_occasion():
    logs = logs_of(
        purchases="""
            customer | ts         | amount | order_id | product_id
            anna     | 2024-01-01 | 10     | A1       | tea
            anna     | 2024-01-01 | 5      | A2       | tea
            ben      | 2024-01-01 | 7      | A2       | tea
        """
    )
    assert occasions(logs, "amount", "products") == [
        ("anna", "2024-01-01", 15, 2),
        ("ben", "2024-01-01", 7, 1),
    ]


def test_lines_of_one_order_at_different_instants_are_never_joined():
    # Else the money that came on the third would be seen from the first on.
    logs = logs_of(
        purchases="""
            customer | ts         | amount | order_id
            anna     | 2024-01-01 | 10     | A1
            anna     | 2024-01-03 | 5      | A1
        """
    )
    assert occasions(logs, "amount") == [("anna", "2024-01-01", 10), ("anna", "2024-01-03", 5)]


def test_sales_and_returns_at_one_instant_stay_apart():
    logs = logs_of(
        purchases="""
            customer | ts         | amount | order_id
            anna     | 2024-01-01 | 10     | A1
            anna     | 2024-01-01 | -4     | R1
            anna     | 2024-01-01 | 5      | A2
            anna     | 2024-01-01 | -1     | R2
        """
    )
    assert occasions(logs, "is_return", "amount") == [
        ("anna", "2024-01-01", 0, 15),
        ("anna", "2024-01-01", 1, -5),
    ]


def test_an_order_is_a_return_by_its_sum():
    logs = logs_of(
        purchases="""
            customer | ts         | amount | order_id
            anna     | 2024-01-01 | 10     | A1
            anna     | 2024-01-01 | -4     | A1
            ben      | 2024-01-01 | 10     | B1
            ben      | 2024-01-01 | -14    | B1
            cleo     | 2024-01-01 | 10     | C1
            cleo     | 2024-01-01 | -10    | C1
        """
    )
    assert occasions(logs, "is_return", "amount") == [
        ("anna", "2024-01-01", 0, 6),
        ("ben", "2024-01-01", 1, -4),
        ("cleo", "2024-01-01", 0, 0),
    ]


def test_rows_without_an_order_number_stand_alone():
    logs = logs_of(
        purchases="""
            customer | ts         | amount | order_id
            anna     | 2024-01-01 | 10     |
            anna     | 2024-01-01 | -4     |
        """
    )
    assert occasions(logs, "is_return", "amount") == [
        ("anna", "2024-01-01", 0, 10),
        ("anna", "2024-01-01", 1, -4),
    ]


def test_without_order_numbers_an_instant_is_an_occasion():
    logs = logs_of(
        purchases="""
            customer | ts               | amount
            anna     | 2024-01-01 10:00 | 10
            anna     | 2024-01-01 10:00 | 5
            anna     | 2024-01-01 10:01 | 1
        """
    )
    assert occasions(logs, "amount") == [("anna", "2024-01-01", 15), ("anna", "2024-01-01", 1)]


def test_an_amount_of_zero_is_a_sale():
    logs = logs_of(
        purchases="""
            customer | ts         | amount
            anna     | 2024-01-01 | 0
            anna     | 2024-01-02 | -0.001
        """
    )
    assert occasions(logs, "is_return") == [("anna", "2024-01-01", 0), ("anna", "2024-01-02", 0)]


def test_without_amounts_every_row_is_a_sale_of_unknown_money():
    logs = logs_of(
        purchases="""
            customer | ts         | quantity
            anna     | 2024-01-01 | 1
            anna     | 2024-01-01 | 2
            anna     | 2024-01-02 | -1
        """
    )
    assert not logs.has_amounts
    assert occasions(logs, "is_return", "items") == [
        ("anna", "2024-01-01", 0, 3),
        ("anna", "2024-01-02", 0, -1),
    ]


def test_quantities_and_products_that_are_missing_count_nothing():
    logs = logs_of(
        purchases="""
            customer | ts         | amount | product_id | quantity
            anna     | 2024-01-01 | 1      |            |
            anna     | 2024-01-02 | 1      | tea        | 2
        """
    )
    assert occasions(logs, "products", "items") == [
        ("anna", "2024-01-01", 0, 0),
        ("anna", "2024-01-02", 1, 2),
    ]


def test_activity_and_surveys_are_not_folded():
    logs = logs_of(
        activity="""
            customer | ts         | event | ref
            anna     | 2024-01-01 | visit | a
            anna     | 2024-01-01 | visit | b
        """,
        surveys="""
            customer | ts         | instrument | score
            anna     | 2024-01-01 | nps        | 9
            anna     | 2024-01-01 | nps        | 8
        """,
    )
    assert len(logs.activity) == 2
    assert logs.surveys.columns["score"].tolist() == [8000, 9000]


LINES = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from("ab"),
        "ts": st.sampled_from(["2024-01-01", "2024-01-02"]),
        "amount": st.integers(-500, 500).map(lambda cents: str(cents / 100)),
        "order_id": st.sampled_from(["1", "2", ""]),
        "product_id": st.integers(0, 99).map(str),
    }
)


@settings(max_examples=10, deadline=None)
@given(lines=st.lists(LINES, min_size=1, max_size=40, unique_by=lambda line: tuple(line.values())))
def test_folding_loses_no_money_and_leaves_at_most_a_sale_and_a_return_an_instant(lines):
    logs = read_logs(pd.DataFrame(lines))
    purchases = logs.purchases
    cents = sum(round(100 * float(line["amount"])) for line in lines)
    assert purchases.columns["amount"].sum() == cents
    assert ((purchases.columns["amount"] < 0) == purchases.columns["is_return"]).all()
    instants = list(
        zip(purchases.customer, purchases.ts, purchases.columns["is_return"], strict=True)
    )
    assert len(set(instants)) == len(instants) == logs.checks[0].folded
