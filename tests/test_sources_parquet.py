"""Parquet: columns are joined by name, types only where no value changes, damage names its file."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import LAX, failure, file, notes, read, table

from churnkit.errors import DataError
from churnkit.sources import FileSource, connect, read_logs
from churnkit.sources.faults import engine_faults, reading_error
from churnkit.sources.files import pages as pages_module
from churnkit.sources.frames import FrameSource
from churnkit.sources.proposal import propose


def parquet(folder: Path, name: str, **columns: object) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def values(source: FileSource, column: str = "x") -> list[object]:
    return [row[column] for row in table(source)]


# ── Files and folders ───────────────────────────────────────────────────────────────────────


def test_a_file_of_several_row_groups_keeps_its_order(tmp_path):
    log = pa.table({"customer_id": [*"abc", None] * 50, "ts": ["2024-01-01"] * 200})
    pq.write_table(log, tmp_path / "x.parquet", row_group_size=7)
    logs = read(FileSource(tmp_path / "x.parquet"))
    aside = [r["row"] for r in logs.rejected.to_pylist() if r["reason"] == "missing_customer_id"]
    assert aside == list(range(4, 201, 4))


def test_folders_of_a_folder_are_columns(tmp_path):
    for year, month in ((2023, "12"), (2024, "01")):
        parquet(tmp_path, f"log/year={year}/month={month}/part-0.snappy.parquet", x=[f"{year}"])
    file(tmp_path, "log/_SUCCESS", "")
    file(tmp_path, "log/year=2023/.part-0.parquet.crc", "crc")
    assert table(FileSource(tmp_path / "log")) == [
        {"x": "2023", "year": "2023", "month": "12"},
        {"x": "2024", "year": "2024", "month": "01"},
    ]
    assert table(FileSource(tmp_path / "log" / "*" / "month=01" / "*.parquet")) == [
        {"x": "2024", "year": "2024", "month": "01"}
    ]


def test_values_of_folders_are_read_as_they_were_written(tmp_path):
    for folder in ("shop=a%20b%2Fc", "shop=__HIVE_DEFAULT_PARTITION__", "shop=it's [1]"):
        parquet(tmp_path, f"log/{folder}/x.parquet", x=["1"])
    assert sorted(map(str, values(FileSource(tmp_path / "log"), "shop"))) == [
        "None", "a b/c", "it's [1]",
    ]  # fmt: skip


def test_folders_above_the_log_are_no_columns(tmp_path):
    path = parquet(tmp_path, "shop=7/log/x.parquet", x=["1"])
    for source in (path, path.parent, path.parent / "*.parquet", [path]):
        assert table(FileSource(source)) == [{"x": "1"}]


@pytest.mark.parametrize("path", [".", "*/*.parquet", "year=*/x.parquet", "**/*.parquet"])
def test_folders_are_columns_of_a_path_from_here_too(path, tmp_path, monkeypatch):
    parquet(tmp_path, "year=2024/x.parquet", x=["1"])
    monkeypatch.chdir(tmp_path)
    assert table(FileSource(path)) == [{"x": "1", "year": "2024"}]


def test_a_column_of_the_files_goes_before_the_folders(tmp_path):
    parquet(tmp_path, "log/Shop=7/x.parquet", x=["1"], shop=["8"])
    assert table(FileSource(tmp_path / "log")) == [{"x": "1", "shop": "8"}]


def test_folders_must_name_the_same_columns(tmp_path):
    parquet(tmp_path, "log/year=2023/x.parquet", x=["1"])
    other = parquet(tmp_path, "log/z/x.parquet", x=["1"])
    assert failure(FileSource(tmp_path / "log")).found.startswith(f"{other}: its folders name")


@pytest.mark.parametrize(("folder", "says"), [("_delta_log", "Delta"), ("metadata", "Iceberg")])
def test_tables_that_keep_deleted_rows_are_refused(folder, says, tmp_path):
    parquet(tmp_path, "log/x.parquet", x=["1"])
    (tmp_path / "log" / folder).mkdir()
    assert says in failure(FileSource(tmp_path / "log")).found


def test_columns_named_like_the_helpers_are_kept(tmp_path):
    path = parquet(tmp_path, "x.parquet", filename=["a"], churnkit_file=["b"], rowid=["c"])
    assert table(FileSource(path)) == [{"filename": "a", "churnkit_file": "b", "rowid": "c"}]
    taken = parquet(tmp_path, "y.parquet", file_row_number=[1])
    assert "has a column 'file_row_number'" in failure(FileSource(taken)).found


def test_files_are_not_copied(tmp_path):
    path = parquet(tmp_path, "x.parquet", x=["1"])
    with connect(reads=[path]) as con:
        rows = FileSource(path).attach(con, "purchases")
        [(kind,)] = con.execute(
            f"SELECT table_type FROM information_schema.tables WHERE table_name = '{rows.table}'"
        ).fetchall()
        assert kind == "VIEW"


# ── Columns that change between files ───────────────────────────────────────────────────────

NOON = datetime.fromisoformat("2024-01-01 12:00")
JOINED = {
    # values of the first file, of the second, what both are
    "widths": (pa.array([1], pa.int8()), pa.array([2**40]), [1, 2**40]),
    "signs": (pa.array([-1]), pa.array([2**63], pa.uint64()), [-1, 2**63]),
    "ids that became text": (pa.array([123]), pa.array(["00123"]), ["123", "00123"]),
    "ids that were text": (pa.array(["A-7"]), pa.array([2**60 + 1]), ["A-7", str(2**60 + 1)]),
    "gaps made it a float": (pa.array([2**53]), pa.array([1.0, None]), [float(2**53), 1.0, None]),
    "nothing but gaps": (pa.nulls(1), pa.array(["a"]), [None, "a"]),
    "decimals": (pa.array([Decimal("1.50")]), pa.array([2]), [Decimal("1.50"), Decimal(2)]),
    "days and times": (pa.array([NOON.date()]), pa.array([NOON]), [NOON.replace(hour=0), NOON]),
    "units": (
        pa.array([NOON], pa.timestamp("ms")), pa.array([NOON], pa.timestamp("ns")), [NOON] * 2,
    ),
    "words": (pa.array(["a"]).dictionary_encode(), pa.array(["b"]), ["a", "b"]),
}  # fmt: skip


@pytest.mark.parametrize("name", JOINED)
def test_types_are_joined_where_no_value_changes(name, tmp_path):
    first, second, both = JOINED[name]
    parquet(tmp_path, "1.parquet", x=first)
    parquet(tmp_path, "2.parquet", x=second)
    assert values(FileSource(tmp_path / "*.parquet")) == both
    said = notes(FileSource(tmp_path / "*.parquet"))
    assert any("read as text" in note for note in said) == ("text" in name)


REFUSED = {
    "numbers and text": (pa.array([1.0]), pa.array(["1"])),
    "times and text": (pa.array([NOON]), pa.array(["2024-01-01"])),
    "times with and without a zone": (pa.array([NOON]), pa.array([NOON.replace(tzinfo=UTC)])),
    "truth and numbers": (pa.array([True]), pa.array([1])),
    "bytes and text": (pa.array([b"a"]), pa.array(["a"])),
    "numbers and times": (pa.array([1]), pa.array([NOON])),
    "numbers and lists": (pa.array([1]), pa.array([[1]])),
    "long ids and floats": (pa.array([2**53 + 1]), pa.array([1.0])),
    "ids and short floats": (pa.array([2**24 + 1], pa.int32()), pa.array([1.0], pa.float32())),
}


@pytest.mark.parametrize("name", REFUSED)
def test_types_are_not_joined_where_a_value_would_change(name, tmp_path):
    first, second = (
        parquet(tmp_path, f"{n}.parquet", x=column) for n, column in enumerate(REFUSED[name])
    )
    told = failure(FileSource([first, second])).found
    assert str(first) in told
    assert str(second) in told
    assert "column 'x' is" in told


def test_a_column_that_some_files_lack_is_noted(tmp_path):
    first = parquet(tmp_path, "1.parquet", x=["a"])
    second = parquet(tmp_path, "2.parquet", X=["b"], coupon=["c"])
    source = FileSource(tmp_path / "*.parquet")
    assert table(source) == [{"x": "a", "coupon": None}, {"x": "b", "coupon": "c"}]
    assert notes(source) == (f"{first}: no column 'coupon'; it is empty in these rows",)
    assert notes(FileSource([first])) == notes(FileSource([second])) == ()


# ── Damage ──────────────────────────────────────────────────────────────────────────────────


def log_of(rows: int) -> bytes:
    draw = np.random.default_rng(0)
    buffer = io.BytesIO()
    days = np.datetime64("2024-01-01") + draw.integers(0, 300, rows)
    pq.write_table(
        pa.table({"customer_id": draw.integers(0, 99, rows).astype(str), "ts": days.astype(str)}),
        buffer,
        compression="zstd",
    )
    return buffer.getvalue()


SOUND = log_of(2000)
DAMAGED = {
    "text": b"customer_id,ts\na,2024-01-01\n",
    "cut": SOUND[:-200],
    "head only": SOUND[:100],
    "footer": SOUND[:-9] + bytes([SOUND[-9] ^ 0xFF]) + SOUND[-8:],
    "page": SOUND[:500] + bytes(b ^ 0xFF for b in SOUND[500:900]) + SOUND[900:],
    "zeros": SOUND[:500] + bytes(400) + SOUND[900:],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_the_damaged_one_of_several_files_is_named(name, tmp_path):
    paths = [file(tmp_path, f"{n}.parquet", SOUND) for n in range(3)]
    paths[1].write_bytes(DAMAGED[name])
    with pytest.raises(DataError) as told:
        readable(FileSource(paths))
    assert told.value.found.startswith(f"{paths[1]} cannot be read: ")
    assert str(paths[0]) not in told.value.found


def readable(source: FileSource) -> None:
    with connect(reads=source.files()) as con:
        rows = source.attach(con, "purchases")
        with engine_faults([source]):
            con.execute(f"SELECT bit_xor(hash(COLUMNS(*))) FROM {rows.table}").fetchall()


def test_a_damaged_page_is_told_by_read_logs(tmp_path):
    path = file(tmp_path, "x.parquet", DAMAGED["page"])
    with pytest.raises(DataError, match=r"x\.parquet cannot be read"):
        read_logs(path, contract=LAX)


def test_a_damaged_page_is_told_by_a_proposal_with_its_file(tmp_path):
    paths = [file(tmp_path, f"{n}.parquet", SOUND) for n in range(2)]
    paths[1].write_bytes(DAMAGED["page"])
    with connect(reads=paths) as con, pytest.raises(DataError) as told:
        propose(con, "purchases", FileSource(paths))
    assert told.value.found.startswith(f"{paths[1]} cannot be read: ")


def test_an_error_that_names_its_file_is_told_so():
    error = duckdb.Error('Invalid Input Error: Failed to read file "b.parquet": bad page')
    told = reading_error([FrameSource(None, "a.parquet"), FrameSource(None, "b.parquet")], error)
    assert told.found.startswith("b.parquet cannot be")


def test_an_error_that_names_none_is_told_with_all():
    error = duckdb.Error("Error: dictionary offset out of range")
    told = reading_error([FrameSource(None, "a"), FrameSource(None, "b")], error)
    assert told.found == "a or b cannot be read: dictionary offset out of range"


# ── Checksums of pages ──────────────────────────────────────────────────────────────────────


def checked_log(version: str = "1.0", **options: object) -> bytes:
    draw = np.random.default_rng(0)
    columns = {
        "customer_id": draw.integers(0, 99, 3000).astype(str),
        "ts": np.datetime64("2024-01-01") + draw.integers(0, 300, 3000),
        "amount": draw.normal(size=3000),
        "tags": [["a", "b"], None, []] * 1000,
        "is_new": draw.integers(0, 2, 3000) == 1,
    }
    buffer = io.BytesIO()
    pq.write_table(
        pa.table(columns), buffer, write_page_checksum=True, data_page_version=version,
        row_group_size=1000, data_page_size=2000, **options,
    )  # fmt: skip
    return buffer.getvalue()


CHECKED = {
    "v1": checked_log(),
    "v2": checked_log("2.0"),
    "plain": checked_log(compression="none", use_dictionary=False, write_statistics=False),
    "indexed": checked_log(compression="gzip", write_page_index=True),
}


@pytest.mark.parametrize("name", CHECKED)
def test_pages_that_keep_their_checksums_are_read(name, tmp_path):
    assert len(table(FileSource(file(tmp_path, "x.parquet", CHECKED[name])))) == 3000


@pytest.mark.parametrize("name", CHECKED)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_bit_that_flips_in_a_page_is_found(tmp_path, name, data):
    """The engine alone reads most such files as if they were sound; headers have no checksum."""
    content = bytearray(CHECKED[name])
    begin, end = data.draw(st.sampled_from(pages_of(CHECKED[name])))
    position = data.draw(st.integers(begin, end - 1))
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    path = file(tmp_path, "x.parquet", bytes(content))
    assert "does not keep its checksum" in failure(FileSource(path)).found


def pages_of(content: bytes) -> list[tuple[int, int]]:
    """Begin and end of the pages behind their headers; they stand one after the other."""
    groups = pq.ParquetFile(io.BytesIO(content)).metadata
    last = groups.row_group(groups.num_row_groups - 1).column(groups.num_columns - 1)
    begin = last.dictionary_page_offset if last.has_dictionary_page else last.data_page_offset
    position, pages = 4, []
    while position < begin + last.total_compressed_size:
        header, body = pages_module._struct(content, position)
        position = body + header[pages_module._COMPRESSED_SIZE]
        pages.append((body, position))
    return [(body, after) for body, after in pages if body < after]


def test_the_damaged_page_is_told_with_its_file(tmp_path):
    paths = [file(tmp_path, f"{n}.parquet", CHECKED["v1"]) for n in range(3)]
    content = bytearray(CHECKED["v1"])
    content[600] ^= 1
    paths[1].write_bytes(content)
    told = failure(FileSource(paths)).found
    assert told.startswith(f"{paths[1]} cannot be read: the page at byte ")
