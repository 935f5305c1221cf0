"""Every row is accounted for: exact repetitions, rows excluded on purpose, and the quarantine."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import drawn, logs_of

from churnkit.errors import DataError
from churnkit.logs import Contract, LogMapping, Rows, account, inspect, quarantine, tally
from churnkit.sources import connect, inspect_logs, read_logs, source_of

LAX = Contract(max_rejected_share=1.0)


def with_mapping(**keys: object) -> Contract:
    return Contract({"purchases": LogMapping(**keys)}, max_rejected_share=1.0)


# ── When two rows are one ───────────────────────────────────────────────────────────────────

TWO_ARTICLES = """
    customer | ts         | amount | order_id | article
    anna     | 2024-01-01 | 5      | A1       | tea
    anna     | 2024-01-01 | 5      | A1       | milk
    anna     | 2024-01-01 | 5      | A1       | milk
"""


def test_two_articles_at_one_price_are_two_lines_though_the_article_is_not_mapped():
    columns = {name: name for name in ("customer_id", "ts", "amount", "order_id")}
    logs = logs_of(purchases=TWO_ARTICLES, contract=with_mapping(columns=columns))
    assert logs.purchases.columns["amount"].tolist() == [1000]
    assert logs.checks[0].rejected == {"duplicate": 1}


def test_a_column_of_provenance_must_be_there():
    with pytest.raises(DataError, match=r"no column 'aricle' \(named by provenance\)\nDid you"):
        logs_of(purchases=TWO_ARTICLES, contract=with_mapping(provenance=("aricle",)))


def test_rows_that_differ_only_in_their_provenance_are_one():
    table = """
        customer | ts         | amount | sheet
        anna     | 2024-01-01 | 5      | 2009-2010
        anna     | 2024-01-01 | 5      | 2010-2011
    """
    assert logs_of(purchases=table).checks[0].kept == 2
    logs = logs_of(purchases=table, contract=with_mapping(provenance=("sheet",)))
    assert logs.checks[0].rejected == {"duplicate": 1}


CELLS = {
    "customer_id": st.sampled_from(["a", "a ", "b", "\u00a0b", "c"]),
    "ts": st.sampled_from(["2024-01-01", "2024-01-01 00:00", "2024-01-02"]),
    "amount": st.sampled_from(["1", "1.0", "2"]),
    "order_id": st.sampled_from(["x", "x\t", None]),
    "note": st.sampled_from(["n", "m", None]),
}
ROWS = st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=30)


@settings(max_examples=25)
@given(rows=ROWS, at_once=st.integers(1, 40))
def test_repetitions_are_those_of_a_plain_comparison(rows, at_once):
    """Hashes in several passes find the rows that Python finds by comparing all of them."""

    def content(row):
        day = row["ts"][:10]
        order = row["order_id"].strip() if row["order_id"] else None
        return row["customer_id"].strip(), day, float(row["amount"]), order, row["note"]

    seen, expected = set(), []
    for number, row in enumerate(rows, start=1):
        if content(row) in seen:
            expected.append(number)
        seen.add(content(row))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally, "ROWS_AT_ONCE", at_once)
        logs = read_logs(pd.DataFrame(rows, dtype=object))
    assert [row["row"] for row in logs.rejected.to_pylist()] == expected
    (check,) = logs.checks
    assert check.kept == len(seen)
    assert check.customers == len({who for who, *_ in seen})


def test_rows_of_equal_hashes_are_compared_in_full(monkeypatch):
    """Were two different rows to share a hash, none would be lost."""

    def all_alike(con, log):
        (alike,) = con.sql("SELECT hash(1)").fetchall()[0]
        suspects = np.array([alike], dtype=np.uint64)
        return replace(tally.tally(con, log), suspects=suspects, same=("1",))

    monkeypatch.setattr(account, "tally", all_alike)
    told = {"customer_id": ["a", "a", "b"], "ts": ["2024-01-01"] * 3, "amount": [1, 1, 2]}
    assert read_logs(pd.DataFrame(told)).checks[0].rejected == {"duplicate": 1}


def test_of_two_rows_about_one_customer_the_first_counts():
    logs = logs_of(
        purchases="customer | ts | amount\nanna | 2024-01-01 | 5",
        customers="""
            customer | value
            anna     | 100
            anna     | 200
        """,
    )
    assert logs.yearly_value.tolist() == [100.0]
    assert logs.checks[1].rejected == {"duplicate": 1}


def test_what_is_done_about_a_second_row_of_a_customer_is_told():
    logs = logs_of(
        purchases="customer | ts | amount\nanna | 2024-01-01 | 5\nanna | 2024-01-01 | 5",
        customers="customer | value\nanna | 100\nanna | 200",
    )
    assert [row["mend"] for row in logs.rejected.to_pylist()] == [
        "Counted once; nothing to mend.",
        "The first row of each customer_id counts; keep only that one.",
    ]


# ── Rows excluded on purpose ────────────────────────────────────────────────────────────────


def test_rows_can_be_excluded_by_any_column_of_the_source():
    table = """
        customer | ts         | amount | kind  | is_test
        anna     | 2024-01-01 | 5      | sale  | false
        anna     | 2024-01-02 | 5      | POST  | false
        anna     | 2024-01-03 | x      | sale  | true
        anna     | 2024-01-04 | 5      |       |
    """
    contract = Contract(
        {"purchases": LogMapping(exclude={"kind": ("POST", "M"), "is_test": ("true",)})},
        max_rejected_share=0.0,
    )
    (check,) = logs_of(purchases=table, contract=contract).checks
    assert (check.kept, check.rejected, check.faulty) == (2, {"excluded": 2}, 0)


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        ([5.0, None, 7.0], "5"),
        ([5, 6, 7], "5"),
        ([0.25, None, 7.0], "0.25"),
        (["\u00a0POST\t", "sale", None], " POST"),
        ([None, "sale", "M"], ""),
        ([" ", "sale", "M"], ""),
        ([True, False, None], "true"),
    ],
)
def test_values_to_exclude_are_written_as_ids_are_read(cells, value):
    frame = pd.DataFrame(
        {"customer_id": ["a", "b", "c"], "ts": "2024-01-01", "amount": 5, "by": cells}
    )
    logs = read_logs(frame, contract=with_mapping(exclude={"by": (value,)}))
    assert [(row["row"], row["reason"]) for row in logs.rejected.to_pylist()] == [(1, "excluded")]


def test_a_column_to_exclude_by_must_be_there():
    contract = with_mapping(exclude={"is_tset": ("true",)})
    with pytest.raises(DataError, match=r"no column 'is_tset' \(named by exclude\)\nDid you mean"):
        logs_of(
            purchases="customer | ts | amount | is_test\nanna | 2024-01-01 | 5 | no",
            contract=contract,
        )


# ── The quarantine ──────────────────────────────────────────────────────────────────────────

MESS = """
    customer | ts         | amount
    anna     | 2024-01-01 | 5
    anna     | 2024-01-01 | 5
             | 2024-01-02 | 5
    ben      | soon       | 5
    ben      | 2024-01-02 | =1+1
"""


@pytest.fixture
def written(tmp_path):
    sources = {
        "purchases": source_of(drawn(MESS), "purchases"),
        "activity": source_of(
            drawn("customer|ts|event\nanna|never|visit\nben|2024-01-01|visit"), "activity"
        ),
    }
    return inspect_logs(sources, LAX, quarantine=tmp_path / "out" / "rejected")


def test_every_row_set_aside_is_listed_with_file_row_reason_and_mend(written):
    parquet, _ = written.quarantine
    rows = pq.read_table(parquet).to_pylist()
    assert [(r["log"], r["file"], r["row"], r["reason"], r["found"]) for r in rows] == [
        ("purchases", "the purchases frame", 2, "duplicate", None),
        ("purchases", "the purchases frame", 3, "missing_customer_id", None),
        ("purchases", "the purchases frame", 4, "unreadable_ts", "soon"),
        ("purchases", "the purchases frame", 5, "unreadable_amount", "=1+1"),
        ("activity", "the activity frame", 1, "unreadable_ts", "never"),
    ]
    assert all(row["mend"] for row in rows)
    assert rows == written.logs.rejected.to_pylist()


def test_the_csv_says_the_same_but_runs_in_no_spreadsheet(written):
    parquet, text = written.quarantine
    with text.open(encoding="utf-8", newline="") as file:
        told = list(csv.DictReader(file))
    expected = pq.read_table(parquet).to_pylist()
    for row, plain in zip(told, expected, strict=True):
        assert row | {"found": ""} == {k: str(v) for k, v in plain.items()} | {"found": ""}
    assert [row["found"] for row in told] == ["", "", "soon", "'=1+1", "never"]


def test_nothing_is_written_where_nothing_is_set_aside(tmp_path):
    sources = {"purchases": source_of(drawn("customer|ts\nanna|2024-01-01"), "purchases")}
    assert inspect_logs(sources, LAX, quarantine=tmp_path / "rejected").quarantine == ()
    assert list(tmp_path.iterdir()) == []


def test_in_memory_only_the_first_rows_of_each_reason_are_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(quarantine, "SHOWN", 2)
    frame = pd.DataFrame({"customer_id": ["a"] + [None] * 5, "ts": "2024-01-01"})
    found = inspect_logs({"purchases": source_of(frame, "")}, LAX, quarantine=tmp_path / "rejected")
    assert [row["row"] for row in found.logs.rejected.to_pylist()] == [2, 3]
    assert pq.read_table(found.quarantine[0]).num_rows == 5


# ── Long logs ───────────────────────────────────────────────────────────────────────────────


def test_of_a_long_log_some_customers_are_loaded_and_all_rows_are_judged(monkeypatch):
    from churnkit.logs import inspection

    monkeypatch.setattr(inspection, "ROWS_LOADED", 1000)
    generator = np.random.default_rng(7)
    customers = generator.integers(0, 500, 4000).astype(str)
    days = np.datetime64("2024-01-01") + generator.integers(0, 300, 4000)
    purchases = pd.DataFrame({"customer_id": customers, "ts": days, "amount": 1.0})
    visits = pd.DataFrame({"customer_id": customers, "ts": days, "event": "visit"})
    sources = {"purchases": source_of(purchases, ""), "activity": source_of(visits, "")}
    found = inspect_logs(sources, LAX)
    assert found.one_in == 4
    assert [check.read for check in found.logs.checks] == [4000, 4000]
    assert found.logs.checks[0].customers == len(set(customers))
    assert 0.15 < len(found.logs.customer_ids) / len(set(customers)) < 0.35
    # The same customers of every log, each with all of their events.
    some = set(found.logs.customer_ids)
    assert len(found.logs.activity) == len(visits[visits.customer_id.isin(some)].drop_duplicates())


def test_how_many_events_a_long_log_has_is_not_told_from_some_of_its_customers(monkeypatch):
    from churnkit.logs import inspection

    monkeypatch.setattr(inspection, "ROWS_LOADED", 100)
    frame = pd.DataFrame(
        {"customer_id": np.arange(200).astype(str), "ts": "2024-01-01", "amount": 1}
    )
    found = inspect_logs({"purchases": source_of(frame, "")}, LAX)
    assert (found.one_in, found.logs.checks[0].folded) == (2, None)


def test_where_some_customers_leave_a_log_empty_all_are_loaded(monkeypatch):
    from churnkit.logs import inspection

    monkeypatch.setattr(inspection, "ROWS_LOADED", 1)
    purchases = pd.DataFrame({"customer_id": ["a"] * 3, "ts": "2024-01-01", "amount": [1, 2, 3]})
    ids = np.arange(500).astype(str)
    visits = pd.DataFrame({"customer_id": ids, "ts": "2024-01-01", "event": "visit"})
    sources = {"purchases": source_of(purchases, ""), "activity": source_of(visits, "")}
    found = inspect_logs(sources, LAX)
    assert found.one_in == 1
    assert {log: len(events) for log, events in found.logs.events.items()} == {
        "purchases": 1,
        "activity": 500,
    }


def test_inspecting_reads_the_same_logs():
    with connect() as con:
        con.register("drawn", drawn(MESS))
        found = inspect(con, {"purchases": Rows("drawn", "the purchases frame")}, LAX)
    assert found.one_in == 1
    assert found.logs.checks == logs_of(purchases=MESS, contract=LAX).checks
    assert found.profiles["purchases"].rows == 1
