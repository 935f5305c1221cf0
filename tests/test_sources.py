"""Where rows come from: every source gives the same logs, and a broken one gives one message."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from same import assert_same_logs

from churnkit.errors import DataError
from churnkit.logs import Contract, LogMapping, Logs
from churnkit.sources import read_logs

LAX = Contract(max_rejected_share=1.0)

CSV = """\
customer_id,ts,amount,order_id,product_id,note
00123,2024-01-01 10:00:00,10.5,1,tea,plain
00123,2024-01-01 10:00:00,4.5,1,milk,plain
anna,2024-01-02 00:00:00,7,2,tea,"two
lines, and a comma"
anna,2024-01-05 08:30:00,-7,3,tea,"a ""quoted"" word"
,2024-01-05 08:30:00,1,4,tea,nobody
ben,2024-02-30 00:00:00,1,5,tea,no such day
ben,2024-01-09 00:00:00,,6,tea,no amount
ben,2024-01-09 00:00:00,3,6,,
ben,2024-01-09 00:00:00,3,6,,
"""
FAULTS = [
    (5, "missing_customer_id"),
    (6, "unreadable_ts"),
    (7, "missing_amount"),
    (9, "duplicate"),
]


def set_aside(logs: Logs) -> list[tuple[int, str]]:
    return [(row["row"], row["reason"]) for row in logs.rejected.to_pylist()]


def as_texts() -> pd.DataFrame:
    return pd.read_csv(io.StringIO(CSV), dtype=str, keep_default_na=False)


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


class Speaker:
    """A frame of some other library: all that is known of it is the Arrow C stream."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


# ── One set of rows, every source ───────────────────────────────────────────────────────────


def delimited(delimiter: str, **options: object) -> bytes:
    return as_texts().to_csv(index=False, sep=delimiter, **options).encode()


def parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


FILES = {
    "comma.csv": CSV.encode(),
    "semicolon.csv": delimited(";"),
    "tab.tsv": delimited("\t"),
    "bar.txt": delimited("|"),
    "all_quoted.csv": delimited(",", quoting=1),
    "windows.csv": delimited(",", lineterminator="\r\n"),
    "bom.csv": b"\xef\xbb\xbf" + CSV.encode(),
    "packed.csv.gz": gzip.compress(CSV.encode()),
    "PACKED.CSV.GZ": gzip.compress(b"\xef\xbb\xbf" + CSV.encode()),
    "texts.parquet": parquet(as_texts()),
    "numbers.pq": parquet(as_texts().assign(amount=pd.to_numeric(as_texts()["amount"]))),
}
FRAMES = {
    "pandas": as_texts,
    "pandas objects": lambda: as_texts().astype(object).replace("", None),
    "pandas categories": lambda: as_texts().astype("category"),
    "arrow": lambda: pa.Table.from_pandas(as_texts()),
    "arrow dictionaries": lambda: pa.Table.from_pandas(as_texts().astype("category")),
    "arrow batches": lambda: pa.Table.from_pandas(as_texts()).to_reader(max_chunksize=2),
    "arrow stream": lambda: Speaker(pa.Table.from_pandas(as_texts())),
}


@pytest.fixture(scope="module")
def expected() -> Logs:
    logs = read_logs(as_texts(), contract=LAX)
    assert list(logs.customer_ids) == ["00123", "anna", "ben"]
    assert logs.purchases.columns["amount"].tolist() == [1500, 700, -700, 300]
    assert set_aside(logs) == FAULTS
    return logs


@pytest.mark.parametrize("name", FILES)
def test_every_file_gives_the_same_logs(name, expected, tmp_path):
    path = file(tmp_path, name, FILES[name])
    logs = read_logs(path, contract=LAX)
    assert_same_logs(logs, expected)
    assert set_aside(logs) == FAULTS
    assert {row["source"] for row in logs.rejected.to_pylist()} == {str(path)}


@pytest.mark.parametrize("name", FRAMES)
def test_every_frame_gives_the_same_logs(name, expected):
    logs = read_logs(FRAMES[name](), contract=LAX)
    assert_same_logs(logs, expected)
    assert set_aside(logs) == FAULTS


# ── Frames ──────────────────────────────────────────────────────────────────────────────────


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
        (pd.DataFrame(index=["a"]), "at least one column"),
    ],
)
def test_what_is_no_log(rows, found):
    with pytest.raises(DataError, match=r"^the purchases frame") as told:
        read_logs(rows)
    assert found in told.value.found
    assert told.value.mend


def test_ids_that_are_objects_are_text():
    frame = pd.DataFrame({"customer_id": [UUID(int=1)], "ts": "2024-01-01"})
    assert list(read_logs(frame).customer_ids) == [str(UUID(int=1))]


# ── CSV ─────────────────────────────────────────────────────────────────────────────────────

HEADER = "customer_id,ts,amount\n"


def customers(path: Path) -> list[str]:
    return list(read_logs(path, contract=LAX).customer_ids)


def test_no_line_is_taken_for_a_comment_or_skipped(tmp_path):
    rows = "a,2024-01-01,1\n#b,2024-01-01,1\n\n//c,2024-01-01,1\n"
    assert customers(file(tmp_path, "x.csv", HEADER + rows)) == ["#b", "//c", "a"]


def test_null_is_a_name_like_any_other(tmp_path):
    rows = 'NULL,2024-01-01,1\n"",2024-01-01,1\nNone,2024-01-01,1\n'
    assert customers(file(tmp_path, "x.csv", HEADER + rows)) == ["NULL", "None"]


def test_the_last_line_may_lack_its_end(tmp_path):
    assert customers(file(tmp_path, "x.csv", HEADER + "a,2024-01-01,1")) == ["a"]


def test_the_delimiter_is_read_off_the_header_outside_of_quotes(tmp_path):
    content = '"amount, EUR, net";customer_id;ts\n5;"a,b,c,d";2024-01-01\n'
    assert customers(file(tmp_path, "x.csv", content)) == ["a,b,c,d"]


def test_columns_without_a_name_or_with_the_same_are_told_apart(tmp_path):
    content = "customer_id,ts,,x,X,x\na,2024-01-01,1,2,3,4\n"
    path = file(tmp_path, "x.csv", content)
    for column, amount in {"column2": 1, "x": 2, "X_4": 3, "x_5": 4}.items():
        mapping = LogMapping({"customer_id": "customer_id", "ts": "ts", "amount": column})
        logs = read_logs(path, contract=Contract({"purchases": mapping}))
        assert logs.purchases.columns["amount"].tolist() == [100 * amount]


@pytest.mark.parametrize("name", ["a*.csv", "a?.csv", "[ab].csv", "it's.csv", "x=1 y.csv"])
def test_a_file_name_is_no_pattern(name, tmp_path):
    file(tmp_path, "ab.csv", HEADER + "wrong,2024-01-01,1\n")
    assert customers(file(tmp_path, name, HEADER + "right,2024-01-01,1\n")) == ["right"]


def test_the_names_of_folders_are_no_columns(tmp_path):
    folder = tmp_path / "amount=7"
    folder.mkdir()
    for name, content in (("x.csv", b"customer_id,ts\na,2024-01-01\n"), ("x.parquet", None)):
        frame = pd.DataFrame({"customer_id": ["a"], "ts": "2024-01-01"})
        path = file(folder, name, content or parquet(frame))
        assert not read_logs(path).has_amounts


def test_a_path_may_be_text(tmp_path):
    assert customers(str(file(tmp_path, "x.csv", HEADER + "a,2024-01-01,1\n"))) == ["a"]


def test_rows_are_counted_across_a_long_file(tmp_path):
    rows = "".join(f"c{n},2024-01-01,{n if n % 9 else ''}\n" for n in range(1, 30_001))
    logs = read_logs(file(tmp_path, "x.csv", HEADER + rows), contract=LAX)
    assert logs.rejected["row"].to_pylist() == list(range(9, 30_001, 9))


# ── Broken files ────────────────────────────────────────────────────────────────────────────


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("orders.csv", CSV)
    return buffer.getvalue()


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


PAGE = "<!DOCTYPE html>\n<html>\n<body><p>Please log in</p></body>\n</html>\n"
GOOD_ROW = "a,2024-01-01,1\n"
BROKEN = {
    # file name: (content, what is said)
    "empty.csv": ("", "is empty"),
    "empty.parquet": ("", "is empty"),
    "blank.csv": ("\n\n", "the first line is blank"),
    "header_only.csv": (HEADER, "the purchases log is empty"),
    "header_without_end.csv": (HEADER.strip(), "the purchases log is empty"),
    "more_fields.csv": (HEADER + GOOD_ROW + "b,2024-01-02,2,9\n", "Line: 3"),
    "fewer_fields.csv": (HEADER + GOOD_ROW + "b,2024-01-02\n", "Line: 3"),
    "all_more_fields.csv": (HEADER + "a,2024-01-01,1,9\n" * 3, "Line: 2"),
    "two_exports.csv": (HEADER + GOOD_ROW * 9 + "a,b\n" + "c,d\n" * 9, "Line: 11"),
    "remark.csv": (HEADER + GOOD_ROW + "#b,2024-01-02,1\n# a remark\n", "Line: 4"),
    "title_line.csv": ("Orders 2024\n\n" + HEADER + GOOD_ROW, "has 'Orders 2024'"),
    "open_quote.csv": (HEADER + '"a,2024-01-01,1\n' + GOOD_ROW, "Line: 2"),
    "latin.csv": ((HEADER + GOOD_ROW + "Müller,2024-01-01,1\n").encode("latin-1"), "Line: 3"),
    "latin_header.csv": ("Größe,ts\na,b\n".encode("latin-1"), "is not UTF-8 text"),
    "utf16.csv": ((HEADER + GOOD_ROW).encode("utf-16"), "is not UTF-8 text"),
    "zip.csv": (zipped(), "is not UTF-8 text"),
    "page.csv": (PAGE, "<!DOCTYPE html>"),
    "binary.csv": (bytes(range(256)) * 9, "is not UTF-8 text"),
    "one_long_line.csv": ('"' + "x" * 500_000, "no header line"),
    "not_packed.csv.gz": (HEADER + GOOD_ROW, "Not a gzipped file"),
    "cut.csv.gz": (gzip.compress(CSV.encode())[:60], "ended before"),
    "flipped.csv.gz": (flipped(gzip.compress(CSV.encode() * 9), 40), "cannot be read"),
    "text.parquet": (HEADER + GOOD_ROW, "cannot be read"),
    "cut.parquet": (parquet(as_texts())[:-200], "cannot be read"),
    "head.parquet": (parquet(as_texts())[:100], "cannot be read"),
    "footer.parquet": (flipped(parquet(as_texts()), -9), "cannot be read"),
    "orders.xlsx": (zipped(), "files of this ending are not read"),
    "orders": (CSV, "files of this ending are not read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_by_name_in_one_message(name, tmp_path):
    content, found = BROKEN[name]
    path = file(tmp_path, name, content)
    with pytest.raises(DataError) as told:
        read_logs(path)
    assert told.value.found.startswith(str(path))
    assert found in told.value.found + told.value.mend
    assert len(str(told.value)) < 800
    assert "\n" not in told.value.found
    assert told.value.mend


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"orders.csv: no such file") as told:
        read_logs(tmp_path / "orders.csv")
    assert "relative paths" in told.value.mend


@pytest.mark.parametrize("name", ["folder.csv", "folder.parquet"])
def test_a_folder_is_no_file(name, tmp_path):
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="is not a file"):
        read_logs(tmp_path / name)


@pytest.mark.parametrize("name", ["x" * 300 + ".csv", "nul\0.csv", "\udcff.csv"])
def test_a_name_that_no_file_can_have(name, tmp_path):
    with pytest.raises(DataError, match=r"cannot be read|no such file"):
        read_logs(tmp_path / name)


def test_a_broken_log_beside_a_good_one_is_named(tmp_path):
    good = file(tmp_path, "good.csv", HEADER + GOOD_ROW)
    bad = file(tmp_path, "bad.csv", "customer_id,ts,event\na,2024-01-01\n")
    with pytest.raises(DataError) as told:
        read_logs(good, activity=bad)
    assert "bad.csv" in told.value.found


PARQUET = parquet(as_texts())


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    position=st.integers(0, len(PARQUET) - 1),
    bit=st.integers(0, 7),
    cut=st.integers(1, len(PARQUET)) | st.none(),
)
def test_a_damaged_parquet_file_is_read_or_refused(tmp_path, position, bit, cut):
    damaged = bytearray(PARQUET)
    damaged[position] ^= 1 << bit
    path = file(tmp_path, "damaged.parquet", bytes(damaged[:cut]))
    told = outcome(path)
    if isinstance(told, DataError):
        assert "damaged.parquet" in told.found
    else:
        assert told.checks[0].read == told.checks[0].kept + len(told.rejected)


def outcome(path: Path) -> Logs | DataError:
    try:
        return read_logs(path, contract=LAX)
    except DataError as error:
        return error


def test_parquet_of_several_row_groups_keeps_its_order(tmp_path):
    table = pa.table({"customer_id": [*"abc", None] * 50, "ts": ["2024-01-01"] * 200})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=7)
    logs = read_logs(tmp_path / "x.parquet", contract=LAX)
    missing = [row for row, reason in set_aside(logs) if reason == "missing_customer_id"]
    assert missing == list(range(4, 201, 4))
