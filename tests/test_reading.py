"""How cells are read: ids, numbers and times as exports of many countries write them."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from persiantools.jdatetime import JalaliDate
from tables import logs_of

from churnkit.clock import Cutoff
from churnkit.errors import DataError
from churnkit.logs import Contract, LogMapping, Logs, reading
from churnkit.sources import connect, read_logs

PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


@pytest.fixture(scope="module")
def con():
    with connect() as connection:
        yield connection


def value(con: duckdb.DuckDBPyConnection, sql: str, cell: str) -> object:
    """What an expression over the column ``x`` makes of a cell."""
    return con.execute(f"SELECT {sql} FROM (SELECT $1::VARCHAR AS x)", [cell]).fetchall()[0][0]


def purchases(mapping: LogMapping, table: str, zone: str = "UTC") -> Logs:
    contract = Contract({"purchases": mapping}, zone=zone, max_rejected_share=1.0)
    return logs_of(purchases=table, contract=contract)


def faults(logs: Logs) -> list[tuple[int, str]]:
    return [(row["row"], row["reason"]) for row in logs.rejected.to_pylist()]


# ── Numbers ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cell", "plain", "comma", "point"),
    [
        # cell, as plain numbers, where the comma is declared, where the point is declared
        ("1234.5", 1234.5, None, 1234.5),
        ("1234,5", None, 1234.5, None),
        ("1.234,50", None, 1234.5, None),
        ("1,234.50", None, None, 1234.5),
        ("1.234", 1.234, 1234, 1.234),
        ("1,234", None, 1.234, 1234),
        ("12,34,567", None, None, None),
        ("1 234 567,8", None, 1234567.8, None),
        ("1\u202f234,8", None, 1234.8, None),
        ("1'234.50", None, None, 1234.5),
        ("-7", -7, -7, -7),
        ("−7", -7, -7, -7),
        ("+7", 7, 7, 7),
        (" 7\u00a0", 7, 7, 7),
        ("۱۲۳۴٫۵", 1234.5, None, 1234.5),
        ("١٬٢٣٤", 1234, 1234, 1234),
        ("\u200f۷", 7, 7, 7),
        ("1e3", 1000, None, None),
        (".5", 0.5, None, 0.5),
        ("-,5", None, -0.5, None),
        ("", None, None, None),
        ("12 euro", None, None, None),
        ("1-2", None, None, None),
    ],
)
def test_a_number_is_read_as_its_log_declares(con, cell, plain, comma, point):
    for decimal, expected in ((None, plain), (",", comma), (".", point)):
        assert value(con, reading.number("x", "VARCHAR", decimal), cell) == expected, decimal


@settings(max_examples=30)
@given(cents=st.integers(-(10**11), 10**11), digits=st.sampled_from([None, PERSIAN, ARABIC]))
def test_money_survives_the_way_it_is_written(con, cents, digits):
    english = f"{cents / 100:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    for text, decimal in ((english, "."), (german, ","), (english.replace(",", ""), None)):
        told = text.translate(digits) if digits else text
        read = value(con, reading.number("x", "VARCHAR", decimal), told)
        assert round(read * 100) == cents


def test_an_undeclared_comma_is_set_aside_and_not_guessed():
    logs = purchases(
        LogMapping(),
        """
        customer | ts         | amount
        anna     | 2024-01-01 | 1.234
        anna     | 2024-01-02 | 1,234
        """,
    )
    assert faults(logs) == [(2, "unreadable_amount")]


# ── Price times quantity, currencies ────────────────────────────────────────────────────────


def test_a_price_is_multiplied_by_its_quantity_where_there_is_no_amount():
    logs = purchases(
        LogMapping(),
        """
        customer | ts         | unit_price | quantity
        anna     | 2024-01-01 | 2.55       | 6
        anna     | 2024-01-02 | 0.333      | 1000
        anna     | 2024-01-03 | 4          | -2
        anna     | 2024-01-04 | 4          |
        anna     | 2024-01-05 |            | 3
        anna     | 2024-01-06 | 1e11       | 1e11
        """,
    )
    assert logs.purchases.columns["amount"].tolist() == [1530, 33_300, -800]
    assert logs.purchases.columns["is_return"].tolist() == [0, 0, 1]
    assert faults(logs) == [(4, "missing_amount"), (5, "missing_amount"), (6, "amount_too_large")]


def test_an_amount_is_not_multiplied():
    logs = logs_of(
        purchases="""
            customer | ts         | amount | unit_price | quantity
            anna     | 2024-01-01 | 5      | 2          | 3
        """
    )
    assert logs.purchases.columns["amount"].tolist() == [500]


def test_a_price_alone_is_no_amount():
    with pytest.raises(DataError, match="has a unit_price, but neither amount nor quantity"):
        logs_of(purchases="customer | ts | unit_price\nanna | 2024-01-01 | 5")


def test_currencies_are_summed_in_their_declared_worth():
    logs = purchases(
        LogMapping(rates={"GBP": 1, "eur": 0.86}),
        """
        customer | ts         | amount | currency
        anna     | 2024-01-01 | 10     | GBP
        anna     | 2024-01-02 | 10     | Eur
        anna     | 2024-01-03 | 10     | USD
        anna     | 2024-01-04 | 10     |
        """,
    )
    assert logs.purchases.columns["amount"].tolist() == [1000, 860]
    assert faults(logs) == [(3, "unknown_currency"), (4, "unknown_currency")]
    assert "[logs.purchases.rates]" in logs.rejected.to_pylist()[0]["mend"]


def test_rates_need_a_column_for_the_currency():
    table = "customer | ts | amount\nanna | 2024-01-01 | 5"
    with pytest.raises(DataError, match="has rates, but no column for currency"):
        purchases(LogMapping(rates={"EUR": 1.0}), table)


# ── Times ───────────────────────────────────────────────────────────────────────────────────


def test_every_jalali_day_is_the_day_of_the_calendar(con):
    first = date(1925, 3, 22)
    days = [first + timedelta(days=k) for k in range(60_000)]
    told = [JalaliDate(day).isoformat() for day in days]
    midnights = (np.array(days, dtype="datetime64[us]")).astype(np.int64)
    read = reading.instant("x", "VARCHAR", LogMapping(calendar="jalali"), "UTC")
    for variant in (str, dashless, slashed, persian):
        frame = pd.DataFrame({"x": list(map(variant, told)), "midnight": midnights})
        con.register("days", frame)
        wrong = con.sql(f"SELECT x FROM days WHERE midnight IS DISTINCT FROM {read}").fetchall()
        assert wrong == []


def dashless(day: str) -> str:
    return day.replace("-", "")


def slashed(day: str) -> str:
    return day.replace("-", "/").replace("/0", "/")


def persian(day: str) -> str:
    return day.translate(PERSIAN)


@pytest.mark.parametrize(
    "cell",
    [
        "1402/12/30",  # 1402 is no leap year
        "1403/13/01",
        "1403/00/10",
        "1403/07/31",  # only the first six months have 31 days
        "1403/06/32",
        "1403/1/0",
        "1403111",  # the first of November, or the eleventh of January?
        "2024/01/01",
        "1403/01/01 24:00",
        "1403/01/01 10:60",
        "1403/01",
        "",
    ],
)
def test_jalali_days_that_do_not_exist_are_set_aside(con, cell):
    read = reading.instant("x", "VARCHAR", LogMapping(calendar="jalali"), "UTC")
    assert value(con, read, cell) is None


def test_jalali_times_are_those_of_the_business_zone():
    # Nowruz of 1401 was the last that moved the clocks of Tehran.
    logs = purchases(
        LogMapping(calendar="jalali"),
        """
        customer | ts                 | amount
        anna     | ۱۴۰۳/۱۲/۳۰ ۱۲:۰۰   | 10
        anna     | 1402/12/30         | 10
        anna     | 1401/06/15 12:00   | 10
        anna     | 1402/06/15 12:00   | 10
        """,
        zone="Asia/Tehran",
    )
    assert faults(logs) == [(2, "unreadable_ts")]
    assert [str(Cutoff(int(ts))) for ts in logs.purchases.ts] == [
        "2022-09-06T07:30:00+00:00",
        "2023-09-06T08:30:00+00:00",
        "2025-03-20T08:30:00+00:00",
    ]


@pytest.mark.parametrize("digits", [PERSIAN, ARABIC])
def test_iso_times_may_be_written_in_other_digits(con, digits):
    read = reading.instant("x", "VARCHAR", LogMapping(), "UTC")
    assert value(con, read, "2024-01-02 03:04".translate(digits)) == 1704164640_000000


@pytest.mark.parametrize("gap", ["  ", "\t", " T"])
def test_a_time_without_a_zone_is_in_the_business_zone_whatever_the_gap(con, gap):
    read = reading.instant("x", "VARCHAR", LogMapping(), "Asia/Tehran")
    expected = value(con, read, "2024-01-02 03:04")
    assert value(con, read, f"2024-01-02{gap}03:04") in {expected, None}
    assert value(con, read, f"2024-01-02{gap}03:04:00+03:30") in {expected, None}


@pytest.mark.parametrize("word", ["epoch", "infinity", "now", "today"])
def test_words_that_the_engine_takes_for_times_are_none(con, word):
    assert value(con, reading.instant("x", "VARCHAR", LogMapping(), "UTC"), word) is None


@pytest.mark.parametrize(
    ("day", "mapping"),
    [
        (20240102, LogMapping(time_format="%Y%m%d")),
        (14021012, LogMapping(calendar="jalali")),
    ],
)
def test_days_may_be_written_as_numbers_with_gaps_between(day, mapping):
    frame = pd.DataFrame({"customer_id": ["anna", "ben"], "ts": [day, None], "amount": 1})
    logs = read_logs(frame, contract=Contract({"purchases": mapping}, max_rejected_share=1.0))
    assert [str(Cutoff(int(ts))) for ts in logs.purchases.ts] == ["2024-01-02"]
    assert faults(logs) == [(2, "missing_ts")]


def test_a_pattern_reads_other_digits_too(con):
    read = reading.instant("x", "VARCHAR", LogMapping(time_format="%d/%m/%Y"), "UTC")
    assert value(con, read, "02/01/2024".translate(ARABIC)) == 1704153600_000000


@pytest.mark.parametrize(("unit", "factor"), [("epoch_s", 1), ("epoch_ms", 1000)])
@pytest.mark.parametrize("sql_type", ["VARCHAR", "BIGINT", "DOUBLE"])
def test_epochs_are_read_from_numbers_and_text(con, unit, factor, sql_type):
    read = reading.instant("x", sql_type, LogMapping(time_format=unit), "Asia/Tehran")
    moment = con.execute(f"SELECT {read} FROM (SELECT $1::{sql_type} AS x)", [1704153600 * factor])
    assert moment.fetchall() == [(1704153600_000000,)]


# ── Ids ─────────────────────────────────────────────────────────────────────────────────────

SAME_CUSTOMER = ["علي كريمي ۱۲", "علی کریمی 12", "علی\u200c کریمی ١٢", "\u200fعلی کریمی ۱۲ "]


def test_letter_and_digit_variants_are_one_customer_where_declared():
    table = {"customer_id": SAME_CUSTOMER, "ts": ["2024-01-01"] * 4}
    folding = Contract({"purchases": LogMapping(fold_ids=True)})
    (check,) = read_logs(pd.DataFrame(table), contract=folding).checks
    assert (check.customers, check.rejected) == (1, {"duplicate": 3})
    assert read_logs(pd.DataFrame(table), contract=folding).customer_ids.tolist() == [
        "علی کریمی 12"
    ]


def test_without_the_declaration_they_are_several_customers():
    table = {"customer_id": SAME_CUSTOMER, "ts": ["2024-01-01"] * 4}
    assert len(read_logs(pd.DataFrame(table)).customer_ids) == 4


@settings(max_examples=30)
@given(text=st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_folding_leaves_plain_ids_alone(con, text):
    assert value(con, reading.folded("x"), text) == text


@settings(max_examples=30)
@given(text=st.text(max_size=12))
def test_folding_twice_is_folding_once(con, text):
    once = value(con, reading.folded("x"), text.replace("\0", ""))
    assert value(con, reading.folded("x"), once) == once


BLANKS = " \t\n\r\x0b\x0c\u00a0\u2003\u3000"


@settings(max_examples=30)
@given(
    text=st.text(min_size=1, max_size=8).filter(lambda t: "\0" not in t),
    before=st.text(BLANKS, max_size=3),
    after=st.text(BLANKS, max_size=3),
)
def test_blanks_at_the_edges_are_no_part_of_a_text(con, text, before, after):
    plain = value(con, reading.trimmed("x"), text)
    assert value(con, reading.trimmed("x"), before + plain + after) == plain
    assert (value(con, reading.is_blank("x", reading.text("x", "VARCHAR"), "VARCHAR"), text)) == (
        plain == ""
    )
