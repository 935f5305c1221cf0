"""Logs on disk: the same events as in memory, block by block, in little memory."""

from __future__ import annotations

import errno
import importlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from same import assert_same_events, assert_same_logs

from churnkit.clock import Cutoff
from churnkit.errors import ConfigError, DataError
from churnkit.logs import Contract, LogMapping, Logs
from churnkit.logs.store import Told
from churnkit.logs.storing import BlockWriter, StoreWriter
from churnkit.logs.table import block_edges, rank_of_the_last
from churnkit.sources import open_logs, private_folder, read_logs

collecting = importlib.import_module("churnkit.logs.collect")  # its function has the same name

LOGS = ("purchases", "activity", "surveys")
NOON = Cutoff.parse("2024-01-02T12:00")


# ── Random logs ─────────────────────────────────────────────────────────────────────────────

CUSTOMERS = ["10", "9", "b", "A", "é", "zoë"]
MOMENTS = ["2024-01-01", "2024-01-02", "2024-01-02 12:00", "2024-01-03", "2031-05-06"]
WHO_WHEN = {"customer_id": st.sampled_from(CUSTOMERS), "ts": st.sampled_from(MOMENTS)}
CELLS = {
    "purchases": {
        "amount": st.sampled_from([-5.0, 0.0, 19.99]),
        "order_id": st.sampled_from(["1", "2", None]),
        "product_id": st.sampled_from(["p", "q", None]),
        "category": st.sampled_from(["shoes", None]),
    },
    "activity": {
        "event": st.sampled_from(["visit", "Login", "été", "wishlist"]),
        "value": st.sampled_from([None, 0.0, 2.5]),
    },
    "surveys": {"instrument": st.sampled_from(["nps", "csat"]), "score": st.integers(1, 5)},
    "customers": {
        "value": st.sampled_from([10.0, 0.07]),
        "Region": st.sampled_from(["south", "été", " ", None]),
    },
}
OPTIONAL = ("order_id", "product_id", "category")
STATIC = {"customers": LogMapping(static=("Region",))}


@st.composite
def shops(draw):
    """Raw frames by log, some of them absent, some columns too."""
    logs = draw(st.sampled_from([LOGS, ("purchases",), ("activity",), ("activity", "surveys")]))
    frames = {log: draw(frames_of(log, WHO_WHEN)) for log in logs}
    if "purchases" in frames:
        spare = draw(st.sets(st.sampled_from(OPTIONAL)))
        frames["purchases"] = frames["purchases"].drop(columns=list(spare))
    if draw(st.booleans()):
        who = {"customer_id": WHO_WHEN["customer_id"]}
        frames["customers"] = draw(frames_of("customers", who)).drop_duplicates("customer_id")
    return frames


def frames_of(log, keys):
    rows = st.lists(st.fixed_dictionaries(keys | CELLS[log]), min_size=1, max_size=15)
    return rows.map(pd.DataFrame)


def frame(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns)


def visits(customer: str, count: int) -> pd.DataFrame:
    """So many visits of a customer, one a day."""
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(count), unit="D")
    return frame(customer_id=customer, ts=days, event="visit")


def opened(**given) -> int:
    """Open logs, and tell how many blocks they have."""
    with open_logs(**given) as stored:
        return stored.block_count


def assert_same(one: Logs, other: Logs) -> None:
    """Same logs and lines, under the same declarations, as arrays of the same kind."""
    assert_same_logs(one, other)
    assert (one.lines is None) == (other.lines is None)
    if one.lines is not None:
        assert_same_events(one.lines, other.lines)
    assert (one.instruments, one.zone, one.checks) == (other.instruments, other.zone, other.checks)
    for events in one.events.values():
        assert {
            array.dtype for array in (events.customer, events.ts, *events.columns.values())
        } == {np.dtype(np.int64)}


# ── The same as in memory ───────────────────────────────────────────────────────────────────


@settings(max_examples=15)
@given(
    shops(),
    st.sampled_from(["UTC", "Asia/Tehran"]),
    st.sampled_from(MOMENTS),
    st.integers(1, 4),
    st.integers(1, 12),
)
def test_stored_logs_hold_and_answer_what_logs_in_memory_do(
    frames, zone, moment, customers, events
):
    """All laws for each example, since to read one takes much longer than to look at it."""
    contract = Contract(STATIC, zone=zone)
    logs = read_logs(**frames, contract=contract)
    in_memory = list(logs.blocks(customers, events))
    sizes = {"customers_per_block": customers, "events_per_block": events}
    with open_logs(**frames, **sizes, contract=contract) as stored:
        assert_same_answers(stored, logs, Cutoff.parse(moment))
        assert stored.rejected.equals(logs.rejected)
        assert_same_blocks(stored, in_memory)
    with new_store(logs.static_columns) as writer:
        for block in in_memory:
            writer.append(block)
        appended = writer.finish(Told(logs.instruments, logs.zone, logs.checks))
        assert_same_answers(appended, logs, Cutoff.parse(moment))
        assert_same_blocks(appended, in_memory)


def assert_same_blocks(stored, in_memory):
    assert stored.block_count == len(in_memory)
    for on_disk, block in zip(stored.blocks(), in_memory, strict=True):
        assert_same(on_disk, block)


def assert_same_answers(stored, logs, before):
    for asked in ("measures", "has_amounts", "customer_count", "instruments", "zone", "checks"):
        assert getattr(stored, asked) == getattr(logs, asked), asked
    for log, events in logs.events.items():
        assert stored.first_day(log) == logs.first_day(log)
        assert stored.last_day(log) == logs.last_day(log)
        assert stored.day_after_last(log) == logs.day_after_last(log)
        for measure in events.vocabularies:
            assert stored.words(log, measure, before) == logs.words(log, measure, before)


@pytest.mark.parametrize("count", [1, 9_999, 10_000, 10_001, 25_000])
def test_stragglers_do_not_move_the_last_day_wherever_they_are_stored(count):
    ts = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(count), unit="h")
    bought = frame(customer_id=np.arange(count).astype(str), ts=ts, amount=1.0)
    bought.loc[0, "ts"] = pd.Timestamp("2099-01-01")
    with open_logs(bought, customers_per_block=3000) as stored:
        assert stored.last_day("purchases") == read_logs(bought).last_day("purchases")
        assert (str(stored.last_day("purchases")) == "2099-01-01") == (count < 10_000)


def test_the_days_of_a_log_are_found_though_some_blocks_have_none_of_it():
    asked = frame(customer_id="b", ts=["2024-01-03", "2024-01-05"], instrument="nps", score=9)
    seen = pd.concat([visits(who, 1) for who in "abc"])
    with open_logs(activity=seen, surveys=asked, customers_per_block=1) as stored:
        days = stored.first_day("surveys"), stored.last_day("surveys")
        assert tuple(map(str, days)) == ("2024-01-03", "2024-01-05")
        assert stored.words("surveys", "instrument", NOON) == {}


def test_the_rank_of_the_last_event_is_that_of_the_quantile():
    for count in (1, 2, 9_999, 10_001, 123_456):
        ranked = np.quantile(np.arange(count), 0.9999, method="inverted_cdf")
        assert rank_of_the_last(count) == ranked


def test_lines_belong_to_the_purchases_and_are_no_log_of_their_own():
    bought = frame(customer_id="a", ts="2024-01-01", amount=[5, 5, -5], product_id=["p", "q", "r"])
    with open_logs(bought) as stored:
        (block,) = stored.blocks()
    assert stored.measures == {"purchases": ("amount", "is_return", "line_product", "products")}
    assert block.events.keys() == {"purchases"}
    assert len(block.lines) == 2


def test_lines_after_a_cutoff_are_not_seen_before_it():
    bought = frame(customer_id="a", ts=["2024-01-01", "2024-01-03"], amount=5, category=["x", "y"])
    logs = read_logs(bought)
    assert len(logs.before(NOON).lines) == 1
    assert logs.before(NOON).lines.columns["category"][0] == logs.lines.columns["category"][0]


def test_words_that_come_only_later_are_not_told():
    seen = frame(
        customer_id=["a", "b", "b"], ts=["2024-01-01", "2024-01-02", "2024-01-03"],
        event=["visit", "visit", "login"],
    )  # fmt: skip
    with open_logs(activity=seen, customers_per_block=1) as stored:
        assert stored.words("activity", "kind", NOON) == {"visit": 2}


# ── Odd shapes ──────────────────────────────────────────────────────────────────────────────


def test_a_customer_with_more_events_than_a_block_has_one_alone():
    log = pd.concat([visits("a", 3), visits("b", 100), visits("c", 3)])
    with open_logs(activity=log, events_per_block=10) as stored:
        blocks = list(stored.blocks())
    assert [list(block.customer_ids) for block in blocks] == [["a"], ["b"], ["c"]]
    assert [len(block.activity) for block in blocks] == [3, 100, 3]


def test_customers_who_never_answered_have_an_empty_log_of_answers():
    asked = frame(customer_id="b", ts="2024-01-01", instrument="nps", score=[9])
    seen = pd.concat([visits("a", 2), visits("b", 1)])
    with open_logs(activity=seen, surveys=asked, customers_per_block=1) as stored:
        unasked, answered = stored.blocks()
    assert (len(unasked.surveys), len(answered.surveys)) == (0, 1)
    assert unasked.surveys.of("instrument", "nps").ts.tolist() == []


def test_logs_of_returns_alone_have_no_lines():
    returned = frame(customer_id="a", ts="2024-01-01", amount=[-5.0], category="x")
    with open_logs(returned) as stored:
        (block,) = stored.blocks()
    assert len(block.purchases) == 1
    assert len(block.lines) == 0


def test_a_log_without_rows_is_refused_as_it_is_in_memory():
    empty = frame(customer_id=[], ts=[], instrument=[], score=[]).astype(str)
    with pytest.raises(DataError, match="the surveys log is empty"):
        opened(activity=visits("a", 1), surveys=empty)


def test_a_shop_of_one_customer_is_one_block():
    with open_logs(activity=visits("only", 1)) as stored:
        assert [list(block.customer_ids) for block in stored.blocks()] == [["only"]]
        assert (stored.customer_count, stored.block_count) == (1, 1)


def test_more_kinds_than_a_byte_can_number_keep_their_names():
    kinds = [f"kind_{k:03}" for k in range(300)]
    log = frame(customer_id="a", ts="2024-01-01", event=kinds)
    with open_logs(activity=log) as stored:
        (block,) = stored.blocks()
    assert block.activity.vocabularies["kind"] == tuple(kinds)
    assert block.activity.columns["kind"].tolist() == list(range(300))


@pytest.mark.parametrize(
    ("sizes", "customers", "events", "edges"),
    [
        ([], 2, 5, [0]),
        ([1, 1, 1, 1, 1], 2, 100, [0, 2, 4, 5]),
        ([3, 2, 1], 100, 5, [0, 2, 3]),
        ([9, 9], 100, 5, [0, 1, 2]),
        ([0, 0, 9], 100, 5, [0, 2, 3]),
    ],
)
def test_a_block_is_full_by_customers_or_by_events(sizes, customers, events, edges):
    assert block_edges(np.array(sizes, dtype=np.int64), customers, events) == edges


# ── Reading again and again ─────────────────────────────────────────────────────────────────


@contextmanager
def stored_visits():
    """Ten customers, one block each; customer ``k`` has ``k + 1`` visits."""
    log = pd.concat([visits(str(k), k + 1) for k in range(10)])
    with open_logs(activity=log, customers_per_block=1) as stored:
        yield stored


def test_every_iteration_begins_at_the_first_customer():
    with stored_visits() as stored:
        one, other = stored.blocks(), stored.blocks()
        next(one)
        assert [list(b.customer_ids) for b in (next(one), next(other))] == [["1"], ["0"]]
        assert len(list(stored.blocks())) == 10


def test_a_block_can_be_read_by_its_number():
    with stored_visits() as stored:
        for k, block in enumerate(stored.blocks()):
            assert_same(stored.block(k), block)


def test_threads_can_read_at_once():
    with stored_visits() as stored, ThreadPoolExecutor(4) as pool:
        counts = pool.map(lambda _: [len(b.activity) for b in stored.blocks()], range(20))
        assert list(counts) == [list(range(1, 11))] * 20


# ── Blocks that come from elsewhere ─────────────────────────────────────────────────────────


@contextmanager
def new_store(static=()):
    with private_folder() as folder, StoreWriter(folder, static) as writer:
        yield writer


CHUNKS = [("a", "visit"), ("b", "login"), ("c", "pause")]


def test_chunks_with_words_of_their_own_share_one_vocabulary():
    chunks = [read_logs(activity=visits(who, 1).assign(event=kind)) for who, kind in CHUNKS]
    with new_store() as writer:
        for chunk in chunks:
            writer.append(chunk)
        stored = writer.finish(Told())
        blocks = list(stored.blocks())
        assert stored.words("activity", "kind", NOON) == {"login": 1, "pause": 1, "visit": 1}
    assert {b.activity.vocabularies["kind"] for b in blocks} == {("login", "pause", "visit")}
    for block, (_, kind) in zip(blocks, CHUNKS, strict=True):
        assert len(block.activity.of("kind", kind)) == 1


def test_a_log_that_some_chunks_lack_is_empty_there():
    asked = frame(customer_id="b", ts="2024-01-01", instrument="nps", score=[9])
    worth = frame(customer_id=["c"], value=[7.5])
    with new_store() as writer:
        writer.append(read_logs(activity=visits("a", 2)))
        writer.append(read_logs(activity=visits("b", 1), surveys=asked))
        writer.append(read_logs(activity=visits("c", 1), customers=worth))
        blocks = list(writer.finish(Told()).blocks())
    assert [len(block.surveys) for block in blocks] == [0, 1, 0]
    np.testing.assert_array_equal(
        [block.yearly_value[0] for block in blocks], [np.nan, np.nan, 7.5]
    )


# ── The folder ──────────────────────────────────────────────────────────────────────────────


def test_the_folder_is_removed_at_the_end(tmp_path):
    with open_logs(activity=visits("a", 1), spill=tmp_path) as stored:
        assert list(tmp_path.rglob("*.arrow"))
        assert stored.block_count == 1
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_removed_when_reading_fails(tmp_path):
    unknown = frame(customer_id="a", ts="2024-01-01", instrument="mood", score=[1])
    with pytest.raises(DataError, match="none of 1 rows"):
        opened(activity=visits("a", 1), surveys=unknown, spill=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_removed_when_the_work_fails(tmp_path):
    with pytest.raises(KeyError), open_logs(activity=visits("a", 1), spill=tmp_path) as stored:
        stored.first_day("purchases")
    assert list(tmp_path.iterdir()) == []


def test_a_spill_folder_must_be_there(tmp_path):
    missing = tmp_path / "scratch"
    with pytest.raises(ConfigError, match=r"scratch cannot be written \(No such file"):
        opened(activity=visits("a", 1), spill=missing)


def test_a_spill_folder_is_no_file(tmp_path):
    file = tmp_path / "scratch"
    file.touch()
    with pytest.raises(ConfigError, match=r"scratch cannot be written \(Not a directory\)"):
        opened(activity=visits("a", 1), spill=file)


def test_a_full_disk_is_told_as_such(tmp_path, monkeypatch):
    def full(self, batch):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(BlockWriter, "write", full)
    with pytest.raises(DataError, match="the activity frame: there is not enough memory or room"):
        opened(activity=visits("a", 1), spill=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only some systems have a full disk")
def test_a_file_for_whose_end_there_is_no_room_is_closed_all_the_same():
    writer = BlockWriter(Path("/dev/full"), pa.schema([("ts", pa.int64())]))
    with pytest.raises(OSError, match="No space left") as told:
        writer.close()
    assert told.value.errno == errno.ENOSPC
    writer.close()


@pytest.mark.parametrize("amount", ["lots", "4 potatoes"])
def test_a_limit_that_is_no_amount_of_memory_is_named(tmp_path, amount):
    with pytest.raises(ConfigError, match=f"memory_limit = '{amount}' is no amount of memory"):
        opened(activity=visits("a", 1), memory_limit=amount, spill=tmp_path)
    assert list(tmp_path.iterdir()) == []


# ── More rows than memory ───────────────────────────────────────────────────────────────────

ROWS = 1_000_000


@pytest.fixture(scope="module")
def long_log(tmp_path_factory) -> Path:
    """A million visits of a hundred thousand customers, the log in order of time."""
    path = tmp_path_factory.mktemp("long") / "activity.parquet"
    duckdb.sql(f"""
        COPY (SELECT 'customer-of-the-shop-' || hash(i) % 100000 AS customer_id,
                     TIMESTAMP '2023-01-01' + to_seconds(i * 10) AS ts,
                     'kind ' || hash(i + 1) % 7 AS event FROM range({ROWS}) t(i))
        TO '{path}'""")
    return path


def test_what_does_not_fit_into_memory_is_sorted_on_disk(long_log, tmp_path, monkeypatch):
    spilled = []

    def watched(path, batches, edges):
        spilled.extend(f.stat().st_size for f in tmp_path.rglob("duckdb_temp*"))
        return write_stream(path, batches, edges)

    write_stream = collecting.write_stream
    monkeypatch.setattr(collecting, "write_stream", watched)
    logs = read_logs(activity=long_log)
    with open_logs(activity=long_log, memory_limit="64MB", spill=tmp_path) as stored:
        assert sum(spilled) > 10_000_000
        assert stored.checks == logs.checks
        for on_disk, block in zip(stored.blocks(), logs.blocks(), strict=True):
            assert_same(on_disk, block)
