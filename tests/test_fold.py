"""From rows to events: what is one order, what is one occasion, and what is never joined."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
from duckdb import DuckDBPyConnection
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import drawn, logs_of

from churnkit.logs import Contract, LogMapping, Logs
from churnkit.logs.check import columns_of
from churnkit.logs.collect import judge_all
from churnkit.logs.fold import events_sql, lines_sql
from churnkit.sources import FrameSource, connect, read_logs

LAX = Contract(max_rejected_share=1.0)


def occasions(logs: Logs, *measures: str) -> list[tuple[object, ...]]:
    """Customer, day and measures of every occasion; money in whole units of it, not in cents."""
    purchases = logs.purchases
    days = purchases.ts.astype("datetime64[us]").astype("datetime64[D]").astype(str)
    units = {"amount": 100, "discount": 100, "items": 1000}
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


def test_discounts_are_summed_like_the_money_they_come_off():
    logs = logs_of(
        purchases="""
            customer | ts         | amount | discount | order_id
            anna     | 2024-01-01 | 10     | 2.50     | A1
            anna     | 2024-01-01 | 5      |          | A1
            anna     | 2024-01-01 | 7      | 0.25     | A2
            anna     | 2024-01-01 | -4     | -1       | R1
            ben      | 2024-01-01 | 3      |          | B1
        """
    )
    assert occasions(logs, "is_return", "amount", "discount") == [
        ("anna", "2024-01-01", 0, 22, 2.75),
        ("anna", "2024-01-01", 1, -4, -1),
        ("ben", "2024-01-01", 0, 3, 0),
    ]


def test_discounts_are_turned_into_the_money_of_the_log():
    rates = Contract(mappings={"purchases": LogMapping(rates={"EUR": 1.0, "USD": 0.5})})
    logs = logs_of(
        purchases="""
            customer | ts         | amount | discount | currency
            anna     | 2024-01-01 | 10     | 2        | USD
            anna     | 2024-01-02 | 10     | 2        | EUR
        """,
        contract=rates,
    )
    assert occasions(logs, "discount") == [("anna", "2024-01-01", 1), ("anna", "2024-01-02", 2)]


def test_every_row_is_an_order_where_no_column_says_otherwise():
    table = """
        customer | ts         | amount | product_id | quantity | discount
        anna     | 2024-01-01 | 10     | tea        | 1        | 1
        anna     | 2024-01-01 | 5      | tea        | 2        |
        anna     | 2024-01-01 | 4      |            |          | 0.5
        anna     | 2024-01-01 | -4     | tea        | -1       |
        ben      | 2024-01-01 | 0      |            |          |
    """
    alone, numbered = drawn(table), drawn(table).assign(order_id=list("12345"))
    measures = ("is_return", "amount", "items", "products", "discount")
    told = occasions(read_logs(alone), *measures)
    assert told == [
        ("anna", "2024-01-01", 0, 19, 3, 2, 1.5),
        ("anna", "2024-01-01", 1, -4, -1, 1, 0),
        ("ben", "2024-01-01", 0, 0, 0, 0, 0),
    ]
    assert occasions(read_logs(numbered), *measures) == told


# ── What was bought ─────────────────────────────────────────────────────────────────────────


@contextmanager
def judged(**cells: object) -> Iterator[tuple[DuckDBPyConnection, tuple[str, ...]]]:
    """A connection with judged purchases, of anna on one day unless the cells say otherwise."""
    frame = pd.DataFrame({"customer_id": "anna", "ts": "2024-01-01", **cells}, dtype=object)
    with connect() as con:
        judge_all(con, {"purchases": FrameSource(frame, "a frame").attach(con, "purchases")}, LAX)
        yield con, columns_of(con, "purchases")


def lines(*things: str, **cells: list[object]) -> list[tuple[int | None, ...]]:
    """The numbers of the things bought, line by line, in some order."""
    with judged(**cells) as (con, columns):
        told = con.sql(lines_sql(columns))
        assert told.columns == ["customer_id", "ts", *things]
        assert {str(t) for t in told.types[1:]} == {"BIGINT"}
        return [line[2:] for line in told.fetchall()]


def test_a_line_is_a_distinct_thing_bought_at_an_instant():
    told = lines(
        "product", "category", "channel",
        product_id=["tea", "tea", "tea", "milk", None],
        category=["food", "food", "drink", "food", None],
        channel=["web", "web", "web", "web", "shop"],
        order_id=["1", "2", "3", "4", "5"],
    )  # fmt: skip
    assert len(told) == 4
    for numbers in zip(*told, strict=True):
        assert len(set(numbers) - {None}) == 2
        assert all(number is None or number > 0 for number in numbers)
    assert [line[:2] for line in told if None in line] == [(None, None)]


def test_the_same_text_is_the_same_number_in_every_column_and_row():
    told = lines("product", "channel", product_id=["x", "y"], channel=["x", "x"])
    (number,) = {channel for _, channel in told}
    assert sorted(product == number for product, _ in told) == [False, True]


def test_what_is_brought_back_was_not_bought():
    told = lines("channel", channel=["web", "shop", "app"], amount=["5", "-5", "0"])
    assert len(told) == 2
    assert len(lines("channel", channel=["web", "shop"], quantity=["1", "-1"])) == 2  # no money


def test_without_things_there_are_no_lines():
    with judged(amount=["1"], quantity=["2"]) as (_, columns):
        assert lines_sql(columns) is None


def test_lines_of_some_customers_are_those_whose_events_are_read():
    names = [f"c{k}" for k in range(400)]
    with judged(customer_id=names, category="food") as (con, columns):
        of_lines, of_events = (
            {customer for customer, *_ in con.sql(sql).fetchall()}
            for sql in (lines_sql(columns, 4), events_sql("purchases", columns, {}, 4))
        )
    assert of_lines == of_events
    assert 50 < len(of_lines) < 150


# ── What events are about ───────────────────────────────────────────────────────────────────


def test_events_about_the_same_thing_share_its_number():
    logs = logs_of(
        activity="""
            customer | ts               | event            | ref
            anna     | 2024-01-01 10:00 | support_opened   | T1
            anna     | 2024-01-02 10:00 | support_opened   | T2
            anna     | 2024-01-03 10:00 | support_resolved | T1
            anna     | 2024-01-04 10:00 | visit            |
        """
    )
    first, second, third, none = logs.activity.columns["ref"].tolist()
    assert first == third
    assert 0 < first != second > 0
    assert none == 0


def test_events_without_such_a_column_have_no_numbers():
    logs = logs_of(activity="customer | ts | event\nanna | 2024-01-01 | visit")
    assert list(logs.activity.columns) == ["kind"]


def test_a_survey_that_was_sent_is_a_kind_of_event():
    logs = logs_of(activity="customer | ts | event\nanna | 2024-01-01 | Survey sent")
    assert logs.activity.vocabularies["kind"] == ("survey_sent",)


# ── Any purchases ───────────────────────────────────────────────────────────────────────────

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
