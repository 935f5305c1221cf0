"""One kernel, several ways to bring whole customers to it: the same result to the last bit.

The reference is Arrow tables read at once into memory. Every other engine gets the same rows and
must give the same features, set the same rows aside, and refuse in the same words.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import needs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import stores
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.clock import Cutoff
from churnkit.engines import spark
from churnkit.engines.chunks import aligned, whole_customers
from churnkit.engines.judging import WHO, Customers, Judge, Shape, added, first_rejected
from churnkit.engines.spark.faults import gist
from churnkit.engines.store import StoreTable, store_logs
from churnkit.errors import ConfigError, DataError
from churnkit.features import FeatureSpec, build_features
from churnkit.features.own import load_own
from churnkit.logs import Contract, CustomerLogs, LogCheck, LogMapping
from churnkit.logs.store import StoredLogs, Told
from churnkit.logs.storing import StoreWriter
from churnkit.pseudonyms import Pseudonyms
from churnkit.sources import (
    FileSource,
    SqlSource,
    connect,
    open_logs,
    private_folder,
    read_logs,
)

CUTOFFS = tuple(Cutoff.parse(day) for day in ("2023-03-01", "2023-07-01", "2024-01-01"))
YEAR, MONTH = 365 * 86_400, 28 * 86_400
LAX = Contract(max_rejected_share=0.5)
FEW_ROWS = 1100  # of a chunk: customers straddle many borders


# ── Shops ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Shop:
    """Raw rows, and how they are to be read."""

    tables: Mapping[str, pa.Table]
    contract: Contract = LAX
    cutoffs: tuple[Cutoff, ...] = CUTOFFS
    partitions: int = 4  # of Spark; more than the smallest shop has customers


def dirty_shop() -> Shop:
    """Sixty customers, one with 5 % of all events; ids written in several ways, faulty rows.

    Rows are repeated, in another place of the log. One row in twenty names nobody. Surveys know
    two customers only, and one of the customers log is in no other log.
    """
    rng = np.random.default_rng(20240101)
    orders = dirty(rng, 1500, amount=amounts, order_id=order_ids, **dict.fromkeys(GOODS, goods))
    events = dirty(rng, 3000, event=kinds, ref=order_ids, value=values)
    answers = pa.table(
        {
            "customer_id": ["anna", " زهرا", "anna", "anna "] * 50,
            "ts": moments(rng, 200),
            "instrument": ["nps", "NPS ", "csat", "mood"] * 50,
            "score": pa.array(rng.integers(0, 12, 200).astype(float)),
        }
    )
    customers = pa.table(
        {
            "customer_id": ["anna", "7", " 7", "stranger", "12", "émile"],
            "value": ["10.5", "20", "30", None, "", ""],
            "since": ["2020-01-01", "", "2021-13-01", "2022-01-01", "", ""],
            "Region": ["north", " Süd", "east", "far", None, "north "],
            "born in": pa.array([1980, None, 1990, 2000, 1985, 1970], pa.int64()),
            "vip": pa.array([True, False, None, True, None, True]),
        }
    )
    logs = {"purchases": orders, "activity": events, "surveys": answers, "customers": customers}
    contract = Contract(
        {"customers": LogMapping(static=("Region", "born in", "vip"))},
        {"Ticket open": "support_opened"},
        max_rejected_share=0.9,
    )
    return Shop(logs, contract, partitions=2)  # each of several chunks


GOODS = ("product_id", "category", "channel")
PEOPLE = ("7", "12", "123", "anna", "Zoe", "émile", "زهرا", "z" * 40, "a b", "~", "😀", "O'Neil")


def dirty(rng: np.random.Generator, rows: int, **columns: Any) -> pa.Table:
    """Rows of many customers, one in thirty of them said twice."""
    people = np.array([*PEOPLE, *(f"c{k:03}" for k in range(48))], dtype=object)
    weight = 1 / (5 + np.arange(len(people)))
    who = rng.choice(people, rows, p=weight / weight.sum())
    who[rng.random(rows) < 0.06] = "big"
    edge = np.array(["", " ", "\t", "\u00a0", "\u2003"], dtype=object)
    written = edge[rng.integers(0, 5, rows) * (rng.random(rows) < 0.2)] + who
    written += edge[rng.integers(0, 5, rows) * (rng.random(rows) < 0.2)]
    nobody = rng.random(rows) < 0.05
    written[nobody] = np.array([None, "", "  "], dtype=object)[rng.integers(0, 3, nobody.sum())]
    told = {name: make(rng, rows) for name, make in columns.items()}
    table = pa.table({"customer_id": written, "ts": moments(rng, rows), **told})
    again = rng.integers(0, rows, rows // 30)
    return table.take(np.concatenate((np.arange(rows), again)))


def moments(rng: np.random.Generator, rows: int) -> pa.Array:
    """Times of two years, many of them equal; a few are missing or out of this world."""
    seconds = rng.integers(0, 2 * YEAR, rows)
    at = np.where(rng.random(rows) < 0.3, seconds // MONTH * MONTH, seconds) + 1_641_000_000
    at[rng.random(rows) < 0.01] = 9_999_999_999
    return pa.array(at * 1_000_000, mask=rng.random(rows) < 0.01).cast(pa.timestamp("us"))


def amounts(rng: np.random.Generator, rows: int) -> np.ndarray:
    told = np.array([f"{a:.2f}" for a in rng.normal(30, 20, rows)], dtype=object)
    told[rng.random(rows) < 0.01] = "a lot"
    return told


def values(rng: np.random.Generator, rows: int) -> np.ndarray:
    told = rng.integers(-50, 100, rows).astype(str).astype(object)
    told[rng.random(rows) < 0.5] = None
    return told


def order_ids(rng: np.random.Generator, rows: int) -> np.ndarray:
    told = rng.integers(0, 300, rows).astype(str).astype(object)
    told[rng.random(rows) < 0.3] = None
    return told


def goods(rng: np.random.Generator, rows: int) -> np.ndarray:
    return np.array(["tea", " tea", "milk", None, ""], dtype=object)[rng.integers(0, 5, rows)]


def kinds(rng: np.random.Generator, rows: int) -> np.ndarray:
    words = ["visit", "Visit ", "login", "Ticket open", "support_resolved", "payment_failed",
             "payment_ok", "cancellation", "Überweisung", "renewal"]  # fmt: skip
    return np.array(words, dtype=object)[rng.integers(0, len(words), rows)]


def numbered_shop() -> Shop:
    """Three customers: 10, 2.5 and 7, who is 7.0 in one log, which has gaps, and 7 in the other."""
    purchases = pa.table(
        {
            "customer_id": pa.array([7.0, 10.0, None, 7.0, 2.5] * 4),
            "ts": pa.array(np.arange(20) * 86_400_000_000 + 1_672_531_200_000_000).cast(
                pa.timestamp("us")
            ),
            "amount": pa.array(np.arange(20) / 8),
        }
    )
    activity = pa.table(
        {
            "customer_id": pa.array([10, 7] * 5, pa.int64()),
            "ts": purchases["ts"].slice(0, 10),
            "event": ["visit"] * 10,
        }
    )
    return Shop({"purchases": purchases, "activity": activity}, cutoffs=CUTOFFS[:1])


def zoned_shop() -> Shop:
    """Days begin in Tehran: naive times are its own, zoned ones are instants."""
    naive = pa.array(np.arange(40) * 43_200_000_000 + 1_672_525_800_000_000, pa.int64())
    mapping = LogMapping(columns={"customer_id": "Who", "ts": "When it was", "event": "what"})
    activity = pa.table(
        {
            "When it was": naive.cast(pa.timestamp("us", "UTC")),
            "Who": ["a", "b"] * 20,
            "what": ["login"] * 40,
        }
    )
    purchases = pa.table(
        {"customer_id": ["b", "c"] * 20, "ts": naive.cast(pa.timestamp("us")), "note": ["x"] * 40}
    )
    contract = Contract({"activity": mapping}, zone="Asia/Tehran", max_rejected_share=0.5)
    days = ("2023-01-05", "2023-01-20")
    cutoffs = tuple(Cutoff.parse(day, "Asia/Tehran") for day in days)
    return Shop({"purchases": purchases, "activity": activity}, contract, cutoffs)


def named_shop() -> Shop:
    """The dirty shop under pseudonyms, whose order has nothing to do with that of the ids."""
    shop, names = dirty_shop(), Pseudonyms(b"a key of nobody but of this test")
    return replace(shop, contract=replace(shop.contract, pseudonyms=names))


SHOPS = {"dirty": dirty_shop, "named": named_shop, "numbered": numbered_shop, "zoned": zoned_shop}


# ── Engines ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Outcome:
    """Features as plain Arrow columns, what became of the rows, and those set aside."""

    features: pa.Table
    checks: tuple[LogCheck, ...]
    rejected: Counter[tuple[str, ...]] | None


SAID = ("log", "reason", "found", "mend")


def outcome(logs: CustomerLogs, cutoffs: Sequence[Cutoff]) -> Outcome:
    table = build_features(logs, cutoffs).to_arrow()
    rejected = Counter(zip(*(logs.rejected[c].to_pylist() for c in SAID), strict=True))
    return Outcome(plain(table), nameless(logs.checks), rejected)


def plain(table: pa.Table) -> pa.Table:
    """The table without dictionaries and metadata, sorted by customer and cutoff."""
    columns = {
        name: pa.chunked_array([c.cast(c.type.value_type) for c in column.chunks])
        if pa.types.is_dictionary(column.type)
        else column
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    return pa.table(columns).sort_by([("customer_id", "ascending"), ("as_of", "ascending")])


def nameless(checks: Sequence[LogCheck]) -> tuple[LogCheck, ...]:
    """The checks without the name of the source, and the types it has for columns."""
    return tuple(replace(c, source="", columns=dict.fromkeys(c.columns, "")) for c in checks)


def by_pandas(shop: Shop) -> Outcome:
    frames = {log: table.to_pandas() for log, table in shop.tables.items()}
    return outcome(read_logs(**frames, contract=shop.contract), shop.cutoffs)


def by_polars(shop: Shop) -> Outcome:
    import polars as pl

    frames = {log: pl.from_arrow(table) for log, table in shop.tables.items()}
    return outcome(read_logs(**frames, contract=shop.contract), shop.cutoffs)


@cache
def as_read_at_once(name: str) -> Outcome:
    """What every engine must make of a shop."""
    return by_arrow(SHOPS[name]())


def by_arrow(shop: Shop) -> Outcome:
    return outcome(read_logs(**shop.tables, contract=shop.contract), shop.cutoffs)


def by_duckdb(shop: Shop) -> Outcome:
    """Blocks on disk, each of at most five customers."""
    with open_logs(
        **shop.tables, contract=shop.contract, customers_per_block=5, events_per_block=FEW_ROWS
    ) as logs:
        return outcome(logs, shop.cutoffs)


def by_store(shop: Shop, store: stores.Store) -> Outcome:
    """Sorted by a store."""
    sources = {log: stored(table, store) for log, table in shop.tables.items()}
    rows = FEW_ROWS if isinstance(store, stores.Postgres) else 3 * FEW_ROWS
    with store_logs(sources, shop.contract, rows=rows) as logs:
        return outcome(logs, shop.cutoffs)


def stored(table: pa.Table, store: stores.Store) -> SqlSource:
    """The table in a store of the tests."""
    return SqlSource(store.url, table=store.take(table))


def frames_of(session: Any, tables: Mapping[str, pa.Table]) -> dict[str, Any]:
    """The tables in Spark, in several partitions, times without a zone as such."""
    from pyspark.sql.pandas.types import from_arrow_schema

    with pandas_unmentioned():
        return {
            log: session.createDataFrame(table, from_arrow_schema(table.schema))
            for log, table in tables.items()
        }


@contextmanager
def pandas_unmentioned() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
        yield


def by_spark(shop: Shop, session: Any) -> Outcome:
    plan = spark.plan_spark(
        frames_of(session, shop.tables), shop.cutoffs, contract=shop.contract,
        partitions=shop.partitions, rows=FEW_ROWS,
    )  # fmt: skip
    with pandas_unmentioned():
        return Outcome(plain(plan.features().toArrow()), nameless(plan.checks), None)


@pytest.fixture
def sqlite(tmp_path: Path) -> stores.Sqlite:
    return stores.Sqlite(tmp_path)


STORES = ("postgres", "mysql", "sqlite")


@pytest.fixture(params=["pandas", "polars", "duckdb", *STORES, "spark"])
def engine(request: pytest.FixtureRequest) -> Any:
    """What makes an `Outcome` of a `Shop`."""
    if request.param == "spark":
        session = request.getfixturevalue("session")
        return lambda shop: by_spark(shop, session)
    if request.param in STORES:
        store = request.getfixturevalue(request.param)
        return lambda shop: by_store(shop, store)
    return globals()[f"by_{request.param}"]


# ── Parity ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", SHOPS)
def test_every_engine_gives_the_same_features_to_the_last_bit(engine, name):
    shop = SHOPS[name]()
    expected, found = as_read_at_once(name), engine(shop)
    assert found.features.schema.equals(expected.features.schema)
    for column in expected.features.column_names:
        assert found.features[column].equals(expected.features[column]), column
    assert found.checks == expected.checks
    assert found.rejected in (None, expected.rejected)


def in_chunks(shop: Shop, rows: int, folder: Path) -> StoredLogs:
    """The logs of a shop, sorted here and checked a few rows at a time."""
    shapes = {log: Shape(f"the {log} frame", t.schema) for log, t in shop.tables.items()}
    with connect() as con, StoreWriter(folder) as writer:
        judge, checks, rejected = Judge(con, shapes, shop.contract), {}, []
        streams = {
            log: by_customer(con, log, shapes[log], t, shop.contract)
            for log, t in shop.tables.items()
        }
        for chunk in aligned(streams, WHO, rows):
            logs = judge.logs(chunk)
            checks |= {c.log: added(checks[c.log], c) if checks else c for c in logs.checks}
            rejected.append(logs.rejected)
            writer.append(logs)
        told = Told(checks=tuple(checks.values()), rejected=first_rejected(rejected, checks))
        return writer.finish(replace(told, instruments=shop.contract.instruments))


def by_customer(
    con: Any, log: str, shape: Shape, cells: pa.Table, contract: Contract
) -> Iterator[pa.RecordBatch]:
    who = Customers(con, log, shape, contract).of(cells)
    struct = pa.StructArray.from_arrays(
        [c.combine_chunks() for c in cells.columns], fields=list(shape.schema)
    )
    rows = pa.table([who, pa.array(range(1, len(cells) + 1)), struct], schema=shape.chunk)
    yield from rows.take(pc.sort_indices(who)).to_batches()


few_ids = st.sampled_from(["a", " a", "b", "b\u00a0", "é", "", None])
few_days = st.sampled_from(["2023-01-01", "2023-01-02 10:00", "2023-02-01", "someday"])


def rows_of(**columns: st.SearchStrategy[Any]) -> st.SearchStrategy[pa.Table]:
    """A log with at least one row that keeps the contract."""
    names = ("customer_id", "ts", *columns)
    good = ("kept", "2023-01-01", *("1" for _ in columns))
    rows = st.lists(st.tuples(few_ids, few_days, *columns.values()), max_size=25)
    return rows.map(
        lambda drawn: pa.table(
            dict(zip(names, map(list, zip(good, *drawn, strict=True)), strict=True))
        )
    )


@settings(max_examples=8)
@given(
    purchases=rows_of(
        amount=st.sampled_from(["1", "-2.5", "x"]), order_id=st.sampled_from(["1", "2", None])
    ),
    activity=rows_of(event=st.sampled_from(["visit", "Login", "cancellation"])),
    rows=st.integers(1, 30),
)
def test_what_is_checked_in_chunks_is_as_if_checked_at_once(purchases, activity, rows):
    shop = Shop({"purchases": purchases, "activity": activity}, Contract(max_rejected_share=1))
    with private_folder() as folder:
        found = outcome(in_chunks(shop, rows, folder), shop.cutoffs)
    assert found == by_arrow(shop)


def test_the_dirty_shop_is_as_dirty_as_it_says():
    shop, done = dirty_shop(), as_read_at_once("dirty")
    named = [who for t in shop.tables.values() for who in t["customer_id"].to_pylist() if who]
    assert sum(who.strip() == "big" for who in named) > 0.05 * len(named)
    assert len(named) > 4 * FEW_ROWS
    assert {reason for check in done.checks for reason in check.rejected} == {
        "duplicate", "implausible_ts", "missing_customer_id", "score_outside_scale",
        "unknown_instrument", "unreadable_amount", "unreadable_since", "missing_ts",
    }  # fmt: skip
    assert set(PEOPLE) | {"big"} <= set(done.features["customer_id"].to_pylist())


def test_an_empty_log_is_refused_in_the_same_words(engine):
    answers = {"customer_id": [], "ts": [], "instrument": [], "score": []}
    types = [pa.string(), pa.timestamp("us"), pa.string(), pa.float64()]
    empty = pa.table({n: pa.array([], t) for n, t in zip(answers, types, strict=True)})
    shop = numbered_shop()
    with pytest.raises(DataError, match="the surveys log is empty"):
        engine(replace(shop, tables={**shop.tables, "surveys": empty}))


def test_too_many_faulty_rows_are_refused_in_the_same_words(engine):
    with pytest.raises(DataError, match=r"20\.0% of 20 rows .* \(4 missing_customer_id\)"):
        engine(replace(numbered_shop(), contract=Contract()))


def test_sorted_by_a_store_the_first_row_counts_and_rows_keep_their_numbers(postgres):
    shop = dirty_shop()
    sources = {log: stored(table, postgres) for log, table in shop.tables.items()}
    at_once = read_logs(**sources, contract=shop.contract)
    with store_logs(sources, shop.contract, rows=FEW_ROWS) as logs:
        assert logs.rejected.equals(at_once.rejected)
        assert logs.checks == at_once.checks
        values = np.concatenate([block.yearly_value for block in logs.blocks()])
        np.testing.assert_array_equal(values, at_once.yearly_value)
        assert logs.block_count > 3


def test_the_zone_of_the_session_changes_nothing(session):
    zone = session.conf.get("spark.sql.session.timeZone")
    session.conf.set("spark.sql.session.timeZone", "America/New_York")
    try:
        assert by_spark(zoned_shop(), session).features == as_read_at_once("zoned").features
    finally:
        session.conf.set("spark.sql.session.timeZone", zone)


# ── Streams cut into whole customers ────────────────────────────────────────────────────────


def batch_of(keys: Sequence[str | None]) -> pa.RecordBatch:
    arrays = [pa.array(keys, pa.string()), pa.array(range(len(keys)), pa.int64())]
    return pa.RecordBatch.from_arrays(arrays, ["who", "row"])


def keys_of(table: pa.Table) -> list[str | None]:
    return table["who"].to_pylist()


def in_batches(keys: Sequence[str | None], length: int) -> Iterator[pa.RecordBatch]:
    """The keys in batches, of which the first is empty, as streams of stores have it."""
    yield batch_of([])
    for start in range(0, len(keys), length):
        yield batch_of(keys[start : start + length])


many_keys = st.lists(st.sampled_from(["", "a", "b", "é", "ab", "z", "😀"]), max_size=60).map(
    lambda keys: [key or None for key in sorted(keys)]
)


@given(one=many_keys, other=many_keys, length=st.integers(1, 9), rows=st.integers(1, 20))
def test_chunks_hold_whole_customers_of_every_log_in_order(one, other, length, rows):
    streams = {"one": in_batches(one, length), "other": in_batches(other, length + 1)}
    chunks = list(aligned(streams, "who", rows))
    for log, keys in {"one": one, "other": other}.items():
        assert Counter(k for c in chunks for k in keys_of(c[log])) == Counter(keys)
    customers = [{*keys_of(c["one"]), *keys_of(c["other"])} - {None} for c in chunks]
    assert sum(map(len, customers)) == len(set().union(*customers))
    told = [customer for known in customers for customer in sorted(known)]
    assert told == sorted(told)
    assert all(len(c["one"]) + len(c["other"]) >= rows for c in chunks[:-1])


def test_no_more_is_read_than_a_chunk_needs():
    read = []

    def watched() -> Iterator[pa.RecordBatch]:
        for k in range(1000):
            read.append(k)
            yield batch_of([f"c{k:04}"] * 10)

    chunks = whole_customers(watched(), "who", rows=50)
    assert len(next(chunks)) == 50
    assert len(read) == 6
    assert len(next(chunks)) == 50
    assert len(read) == 11


def test_a_heavy_customer_makes_a_larger_chunk():
    keys = ["a"] * 3 + ["b"] * 500 + ["c"] * 3
    sizes = [len(chunk) for chunk in whole_customers(in_batches(keys, 7), "who", rows=10)]
    assert sizes == [503, 3]


def test_rows_of_nobody_are_handed_over_without_waiting_for_a_customer():
    read = []

    def watched() -> Iterator[pa.RecordBatch]:
        for k in range(100):
            read.append(k)
            yield batch_of([None] * 10)

    assert len(next(whole_customers(watched(), "who", rows=30))) == 30
    assert len(read) == 3


def test_a_customer_who_comes_back_is_refused_with_both_ids():
    with pytest.raises(DataError) as told:
        list(aligned({"purchases": in_batches(["a", "c", "b"], 2)}, "who", 1))
    assert told.value.found == "the purchases log does not come sorted by customer: 'b' after 'c'"
    assert "COLLATE" in told.value.mend


def test_a_stream_without_a_batch_gives_no_chunk():
    assert list(whole_customers(iter([]), "who")) == []


# ── What chunks add up to ───────────────────────────────────────────────────────────────────


def test_checks_of_chunks_add_up():
    one = LogCheck("purchases", "x", 10, 7, 6, {"duplicate": 1, "missing_ts": 2}, 3, 50, 90)
    other = LogCheck("purchases", "x", 5, 2, 2, {"missing_ts": 1, "amount_too_large": 2}, 1, 40, 60)
    assert added(one, other) == LogCheck(
        "purchases", "x", 15, 9, 8,
        {"missing_ts": 3, "amount_too_large": 2, "duplicate": 1}, 4, 40, 90,
    )  # fmt: skip


def test_a_chunk_of_which_nothing_is_kept_has_no_first_and_last():
    none = LogCheck("activity", "x", 3, 0, 0, {"missing_ts": 3}, 0, None, None)
    some = LogCheck("activity", "x", 1, 1, 1, {}, 1, 5, 5)
    assert (added(none, some).first, added(some, none).last) == (5, 5)
    assert (added(none, none).first, added(none, none).last) == (None, None)


def test_of_many_rows_set_aside_the_first_of_each_log_and_reason_are_shown(monkeypatch):
    monkeypatch.setattr("churnkit.engines.judging.SHOWN", 2)

    def rejected(*rows: tuple[str, int, str]) -> pa.Table:
        columns = zip(*rows, strict=True)
        return pa.table(dict(zip(("log", "row", "reason"), map(list, columns), strict=True)))

    parts = [
        rejected(("purchases", 9, "late"), ("purchases", 5, "late"), ("activity", 1, "late")),
        rejected(("purchases", 7, "late"), ("purchases", 8, "odd")),
    ]
    told = first_rejected(parts, ["purchases", "activity"]).to_pylist()
    assert [(row["log"], row["row"]) for row in told] == [
        ("purchases", 5), ("purchases", 7), ("purchases", 8), ("activity", 1),
    ]  # fmt: skip


# ── PostgreSQL ──────────────────────────────────────────────────────────────────────────────


def refused(sources: Mapping[str, SqlSource], contract: Contract | None = None) -> str:
    """What reading the sources sorted says; it must fail."""
    with pytest.raises((ConfigError, DataError)) as told, store_logs(sources, contract):
        pass
    assert told.value.mend
    return told.value.found


PURCHASE = "'2024-01-01'::timestamp AS ts"


def test_ids_that_the_server_sorts_otherwise_are_refused_rather_than_split(postgres):
    query = f"SELECT id::float8 AS customer_id, {PURCHASE} FROM (VALUES (1e15), (1.5e15)) AS v(id)"
    assert refused({"purchases": SqlSource(postgres.url, query=query)}) == (
        "the purchases log does not come sorted by customer: '1000000000000000' after "
        "'1500000000000000'"
    )


def test_ids_that_are_to_be_folded_are_left_to_churnkit(postgres):
    contract = Contract({"purchases": LogMapping(fold_ids=True)})
    source = SqlSource(postgres.url, query=f"SELECT 'a' AS customer_id, {PURCHASE}")
    assert "fold_ids" in refused({"purchases": source}, contract)


def test_a_store_whose_order_is_not_known_is_not_asked_to_sort():
    found = refused({"purchases": SqlSource("oracle://db/shop", table="t")})
    assert found == "churnkit does not know how oracle sorts texts"


def test_a_sqlite_file_in_utf_16_is_left_to_churnkit(tmp_path):
    with closing(sqlite3.connect(tmp_path / "shop.db")) as shop:
        shop.execute("PRAGMA encoding = 'UTF-16le'")
        shop.execute("CREATE TABLE t (customer_id, ts)")
    found = refused({"purchases": SqlSource(f"sqlite:///{tmp_path / 'shop.db'}", table="t")})
    assert "encoded in UTF-16le" in found


def test_a_database_in_another_encoding_is_left_to_churnkit(postgres, monkeypatch):
    # Not made for real: to drop a database, the server waits for everybody else's slowest query.
    told = pa.RecordBatch.from_pydict({"current_setting": ["LATIN1"]})
    monkeypatch.setattr(StoreTable, "_batches", lambda *_: (batch for batch in [told]))
    source = SqlSource(postgres.url, query=f"SELECT 'a' AS customer_id, {PURCHASE}")
    assert "encoded in LATIN1" in refused({"purchases": source})


def test_a_column_that_is_missing_is_named_before_anything_is_sorted(postgres):
    query = f"SELECT 'a' AS customer, {PURCHASE}, pg_sleep(60)::text AS never"
    found = refused({"purchases": SqlSource(postgres.url, query=query, timeout_seconds=5)})
    assert "has no column for customer_id" in found


def test_a_server_that_sorts_too_long_is_given_up_with_what_helps(postgres):
    query = f"SELECT 'a' AS customer_id, {PURCHASE}, pg_sleep(60)::text AS never"
    source = SqlSource(postgres.url, query=query, timeout_seconds=0.5)
    assert "the server has sent nothing for 0.5 seconds" in refused({"purchases": source})


def test_nothing_is_left_behind(postgres, tmp_path):
    source = SqlSource(postgres.url, query=f"SELECT 'a' AS customer_id, {PURCHASE}")
    with store_logs({"purchases": source}, spill=tmp_path) as logs:
        assert logs.customer_count == 1
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


# ── Spark ───────────────────────────────────────────────────────────────────────────────────

OWN = """
import numpy as np
from churnkit.features import feature
from churnkit.index import Observations, PurchaseIndex

@feature(unit="purchases", says="twice the purchases", dtype="int32")
def twice(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return 2 * p.sales.count(at)

@feature(unit="purchases", says="what fails")
def fails(p: PurchaseIndex, at: Observations) -> np.ndarray:
    raise ValueError("no!")
"""


@pytest.fixture
def own_features(tmp_path: Path) -> Iterator[None]:
    """A file with two features of the user's own."""
    file = tmp_path / "own.py"
    file.write_text(OWN)
    load_own(file)
    yield
    load_own()


def own_columns(shop: Shop, *names: str) -> FeatureSpec:
    logs = read_logs(**shop.tables, contract=shop.contract)
    return FeatureSpec.learn(logs, shop.cutoffs[-1]).limited_to(names)


def test_features_of_ones_own_travel_to_the_executors(session, own_features, tmp_path):
    shop = numbered_shop()
    spec = own_columns(shop, "purchases_count_all", "twice")
    frames = frames_of(session, shop.tables)
    features = spark.spark_features(frames, shop.cutoffs, spec, shop.contract)
    assert spark.write_spark_features(features, str(tmp_path / "features [1]")) == 3
    rows = session.read.parquet(str(tmp_path / "features ?1?"))
    assert {tuple(row) for row in rows.collect()} == {
        ("10", "2023-03-01", 4, 8), ("2.5", "2023-03-01", 4, 8), ("7", "2023-03-01", 8, 16),
    }  # fmt: skip
    assert rows.schema["twice"].metadata["says"] == "twice the purchases"
    with pytest.raises(ConfigError, match="is there already"):
        spark.write_spark_features(features, str(tmp_path / "features [1]"))


def test_what_fails_on_an_executor_is_told_as_churnkit_tells_it(session, own_features, tmp_path):
    shop = numbered_shop()
    spec, frames = own_columns(shop, "fails"), frames_of(session, shop.tables)
    features = spark.spark_features(frames, shop.cutoffs, spec, shop.contract)
    with pytest.raises(ConfigError, match=r"feature 'fails' .* failed: ValueError: no!"):
        spark.write_spark_features(features, str(tmp_path / "features"))


def test_what_is_no_fault_of_churnkit_is_told_in_one_line(session):
    from pyspark.sql import functions as f

    with pytest.raises(DataError) as told, spark.spark_faults():
        session.range(1).select(f.raise_error(f.lit("out of tea"))).collect()
    assert "out of tea" in told.value.found
    assert "\n" not in told.value.found


def test_of_what_python_and_java_say_together_the_reason_is_told():
    said = """An error occurred while calling o1.collectToPython.
    : org.apache.spark.SparkException: Job aborted: Lost task 0.3: PythonException: Traceback:
    Traceback (most recent call last):
      File "/opt/pyspark/worker.py", line 1, in main
    ModuleNotFoundError: No module named 'churnkit'

    \tat org.apache.spark.api.python.BasePythonRunner.read(PythonRunner.scala:1)
    \t... 1 more
    Driver stacktrace:
    \tat java.base/java.lang.Thread.run(Thread.java:840)
    """
    assert gist(RuntimeError(said)) == "ModuleNotFoundError: No module named 'churnkit'"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda frame: {"purchase": frame}, "there is no log 'purchase'"),
        (lambda frame: {"surveys": frame}, "neither a purchases nor an activity log"),
        (lambda frame: {"purchases": frame.drop("customer_id")}, "no column for customer_id"),
        (lambda frame: {"purchases": frame.withColumnRenamed("amount", "TS")}, "two columns 'ts'"),
        (lambda frame: {"purchases": frame.selectExpr("*", "interval 1 year")}, "Arrow"),
    ],
)
def test_frames_that_are_no_logs_are_refused_before_spark_works(session, change, found):
    frame = frames_of(session, numbered_shop().tables)["purchases"]
    with pytest.raises((ConfigError, DataError), match=found):
        spark.plan_spark(change(frame), CUTOFFS)


def test_a_plan_knows_the_first_and_the_last_day_of_all_logs(session):
    shop = zoned_shop()
    logs = read_logs(**shop.tables, contract=shop.contract)
    frames = frames_of(session, shop.tables)
    plan = spark.plan_spark(frames, shop.cutoffs, contract=shop.contract, partitions=1)
    assert plan.days == (logs.first_day("purchases"), logs.last_day("activity"))
    assert str(plan.days[0]) == "2022-12-31"


def test_only_parquet_files_are_read_by_spark_and_no_session_is_needed_to_say_so(tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text("customer_id,ts\n")
    with pytest.raises(ConfigError, match="Spark reads the purchases log from Parquet files and"):
        spark.readable_of({"purchases": FileSource(file)})
    with pytest.raises(ConfigError, match="the activity log from Parquet"):
        spark.readable_of({"activity": SqlSource("sqlite:///shop.db", table="t")})
    with pytest.raises(DataError, match="no such file"):
        spark.readable_of({"purchases": FileSource(tmp_path / "orders.parquet")})


def test_a_file_with_the_signs_of_a_pattern_is_read_alone(session, tmp_path):
    pq.write_table(pa.table({"who": ["right"]}), tmp_path / "p[1] {a,b}*.parquet")
    pq.write_table(pa.table({"who": ["wrong"]}), tmp_path / "p1 a.parquet")
    folder = tmp_path / "in [parts]" / "year=2024"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"who": ["part"]}), folder / "part.parquet")
    files = {"purchases": tmp_path / "p[1] {a,b}*.parquet", "activity": folder.parent}
    frames = spark.spark_frames(session, {log: FileSource(path) for log, path in files.items()})
    assert [tuple(row) for row in frames["purchases"].collect()] == [("right",)]
    assert [tuple(row) for row in frames["activity"].collect()] == [("part", 2024)]


def test_a_damaged_file_and_a_folder_that_cannot_be_are_named(session, tmp_path):
    damaged = tmp_path / "orders.parquet"
    damaged.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(DataError, match=r"orders\.parquet: Spark cannot read it: .*[Ff]ooter"):
        spark.spark_frames(session, {"purchases": FileSource(damaged)})
    with pytest.raises(DataError, match=r"out: Spark cannot write it: .* is not a directory"):
        spark.write_spark_features(session.range(1), str(damaged / "out"))


def test_a_session_that_runs_is_to_be_handed_in(session):
    with (
        pytest.raises(ConfigError, match="runs in this process already"),
        spark.spark_session("local[2]"),
    ):
        pass


def test_without_pyspark_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("churnkit.engines.spark.session.find_spec", lambda name: None)
    with pytest.raises(ConfigError) as told, spark.spark_session("local[2]"):
        pass
    assert told.value.mend == "pip install 'churnkit[spark]'"


def test_without_java_that_is_said(tmp_path):
    needs.package("spark", "pyspark")
    code = (
        "from churnkit.engines.spark import spark_session\n"
        "from churnkit.errors import ConfigError\n"
        "try:\n    with spark_session('local[2]'): pass\n"
        "except ConfigError as error: print(error.mend)"
    )
    environment = os.environ | {"JAVA_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert b"Install Java 17 or later" in done.stdout
