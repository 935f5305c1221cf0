"""Frames of any library and any types give the same logs; the caller keeps them as they were."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from made import GOOD_ROW, HEADER, LAX, file
from same import assert_same_logs

from churnkit.errors import DataError
from churnkit.logs import Contract, Logs
from churnkit.sources import FrameSource, read_logs
from churnkit.sources.faults import reading_error


def set_aside(logs: Logs) -> list[tuple[int, str]]:
    return [(row["row"], row["reason"]) for row in logs.rejected.to_pylist()]


class Speaker:
    """A frame of some other library: all that is known of it is the Arrow C stream."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def as_texts() -> pd.DataFrame:
    return pd.DataFrame(
        {"customer_id": ["a", "", "b"], "ts": ["2024-01-01"] * 3, "amount": ["1", "2", "3"]}
    )


FRAMES = {
    "pandas objects": lambda: as_texts().astype(object).replace("", None),
    "pandas categories": lambda: as_texts().astype("category"),
    "arrow dictionaries": lambda: pa.Table.from_pandas(as_texts().astype("category")),
    "arrow batches": lambda: pa.Table.from_pandas(as_texts()).to_reader(max_chunksize=2),
    "arrow stream": lambda: Speaker(pa.Table.from_pandas(as_texts())),
}


@pytest.mark.parametrize("name", FRAMES)
def test_every_frame_gives_the_same_logs(name):
    logs = read_logs(FRAMES[name](), contract=LAX)
    assert_same_logs(logs, read_logs(as_texts(), contract=LAX))
    assert set_aside(logs) == [(2, "missing_customer_id")]


@pytest.fixture(scope="module")
def plain() -> Logs:
    """Three purchases, from text."""
    return typed(
        customer_id=["1", "2", "3"],
        ts=["2024-01-01 10:00:00", "2024-01-02", "2024-01-03"],
        amount=["1.5", "2", "3"],
    )


def typed(zone: str = "UTC", **columns: object) -> Logs:
    return read_logs(pd.DataFrame(columns), contract=Contract(zone=zone))


MOMENTS = pd.to_datetime(["2024-01-01 10:00", "2024-01-02 00:00", "2024-01-03 00:00"])
ID_TYPES = {
    "int64": [1, 2, 3],
    "int8": np.array([1, 2, 3], dtype="int8"),
    "uint64": np.array([1, 2, 3], dtype="uint64"),
    "float64": [1.0, 2.0, 3.0],
    "Int64": pd.array([1, 2, 3], dtype="Int64"),
    "string": pd.array(["1", "2", "3"], dtype="string"),
    "category": pd.Categorical(["1", "2", "3"]),
    "object of mixed type": pd.Series([1, 2.0, "3"], dtype=object),
    "decimals": [Decimal(1), Decimal(2), Decimal(3)],
    "arrow": pd.array([1, 2, 3], dtype=pd.ArrowDtype(pa.int32())),
}
TIME_TYPES = {
    "seconds": MOMENTS.astype("datetime64[s]"),
    "nanoseconds": MOMENTS.astype("datetime64[ns]"),
    "zoned": MOMENTS.tz_localize("UTC").tz_convert("Asia/Tehran"),
    "zoned nanoseconds": MOMENTS.astype("datetime64[ns]").tz_localize("UTC"),
    "arrow": pd.array(MOMENTS, dtype=pd.ArrowDtype(pa.timestamp("us"))),
    "category": pd.Categorical(MOMENTS.astype(str)),
    "object of one type": pd.Series(list(MOMENTS), dtype=object),
    "object of mixed type": pd.Series([MOMENTS[0], "2024-01-02", date(2024, 1, 3)], dtype=object),
}
AMOUNT_TYPES = {
    "float64": [1.5, 2.0, 3.0],
    "float32": np.array([1.5, 2, 3], dtype="float32"),
    "Float64": pd.array([1.5, 2, 3], dtype="Float64"),
    "decimals": [Decimal("1.50"), Decimal(2), Decimal(3)],
    "object of mixed type": pd.Series([1.5, "2.00", 3], dtype=object),
    "category": pd.Categorical([1.5, 2, 3]),
}


@pytest.mark.parametrize("name", ID_TYPES)
def test_ids_of_any_type(name, plain):
    ids = ID_TYPES[name]
    assert_same_logs(typed(customer_id=ids, ts=MOMENTS, amount=[1.5, 2, 3]), plain)


@pytest.mark.parametrize("name", TIME_TYPES)
def test_times_of_any_type(name, plain):
    times = TIME_TYPES[name]
    assert_same_logs(typed(customer_id=["1", "2", "3"], ts=times, amount=[1.5, 2, 3]), plain)


@pytest.mark.parametrize("name", AMOUNT_TYPES)
def test_amounts_of_any_type(name, plain):
    amounts = AMOUNT_TYPES[name]
    assert_same_logs(typed(customer_id=["1", "2", "3"], ts=MOMENTS, amount=amounts), plain)


def test_zoned_times_do_not_depend_on_the_business_zone():
    zoned = MOMENTS.tz_localize("America/New_York")
    here, there = (typed(zone, customer_id="a", ts=zoned) for zone in ("UTC", "Asia/Tehran"))
    assert_same_logs(here, there)


def test_gaps_of_every_kind_are_gaps():
    gaps = [None, float("nan"), pd.NA, pd.NaT, ""]
    frame = pd.DataFrame({"customer_id": pd.Series(["a", *gaps], dtype=object), "ts": "2024-01-01"})
    assert set_aside(read_logs(frame, contract=LAX)) == [
        (row, "missing_customer_id") for row in range(2, 7)
    ]


def test_the_caller_keeps_its_frame_as_it_was():
    frame = pd.DataFrame({7: 1, "customer_id": [1, "1"], "ts": MOMENTS[:2].tz_localize("UTC")})
    before = frame.copy()
    read_logs(frame)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ({"customer_id": ["a"]}, "a dict is not a log"),
        ([("a", "2024-01-01")], "a list is not a log"),
        (np.zeros((2, 2)), "a ndarray is not a log"),
        (pd.Series(["a"], name="customer_id"), "cannot be read"),
        (pd.DataFrame({"customer_id": [object()], "ts": "2024-01-01"}), "column customer_id"),
        (pd.DataFrame({"customer_id": [2**70, 1], "ts": "2024-01-01"}), "too large"),
        (pd.DataFrame([["a", "b", "c"]], columns=["ts", "x", "x"]), "two columns 'x'"),
        (pd.DataFrame(index=["a"]), "has no columns"),
        (pa.table({}).to_reader(), "has no columns"),
    ],
)
def test_what_is_no_log(rows, found):
    with pytest.raises(DataError, match=r"^the purchases frame") as told:
        read_logs(rows)
    assert found in told.value.found
    assert told.value.mend


def test_a_stream_that_breaks_off_is_told_without_its_traceback():
    def batches():
        yield pa.record_batch({"customer_id": ["a"], "ts": ["2024-01-01"]})
        raise ValueError("the pipe broke")

    schema = pa.schema({"customer_id": pa.string(), "ts": pa.string()})
    with pytest.raises(DataError) as told:
        read_logs(pa.RecordBatchReader.from_batches(schema, batches()))
    assert told.value.found.startswith("the purchases frame breaks off: ")
    assert "the pipe broke" in told.value.found
    assert "Traceback" not in str(told.value)


def test_what_the_engine_cannot_read_of_a_frame_is_no_damaged_file():
    told = reading_error([FrameSource(None, "the frame")], duckdb.Error("Error: odd type"))
    assert told.found == "the frame cannot be read: odd type"
    assert "damaged" not in told.mend


def test_ids_that_are_objects_are_text():
    frame = pd.DataFrame({"customer_id": [UUID(int=1)], "ts": "2024-01-01"})
    assert list(read_logs(frame).customer_ids) == [str(UUID(int=1))]


# ── Paths ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", [Path, str])
def test_a_path_is_a_file(kind, tmp_path):
    path = file(tmp_path, "x.csv", HEADER + GOOD_ROW)
    assert list(read_logs(kind(path)).customer_ids) == ["a"]


def test_a_broken_log_beside_a_good_one_is_named(tmp_path):
    good = file(tmp_path, "good.csv", HEADER + GOOD_ROW)
    bad = file(tmp_path, "bad.csv", "customer_id,ts,event\na,2024-01-01\n")
    with pytest.raises(DataError, match=r"bad\.csv, line 2: 2 fields"):
        read_logs(good, activity=bad)
