"""Broken text files: the file, the line and what was found in one message; never a wrong log."""

from __future__ import annotations

import errno
import gzip
import io
import resource
import zipfile

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from made import GOOD_ROW, HEADER, failure, file, read

from churnkit.errors import DataError
from churnkit.sources import FileSource, connect
from churnkit.sources.faults import engine_faults, reading_error
from churnkit.sources.files.damage import engine_says

LOG = HEADER + "".join(f"c{n},2024-01-{1 + n % 28:02d},{n}\n" for n in range(5000))


def archive(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def book() -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame({"customer_id": ["a"]}).to_excel(buffer, index=False)
    return buffer.getvalue()


def zstd(text: str) -> bytes:
    return pa.compress(text.encode(), "zstd", asbytes=True)


def flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]


PAGE = "<!DOCTYPE html>\n<html>\n<body><p>Please log in</p></body>\n</html>\n"
BROKEN: dict[str, tuple[str | bytes, str]] = {
    # file name: (content, what is said after the file)
    "empty.csv": ("", " is empty"),
    "empty.csv.gz": (gzip.compress(b""), " is empty"),
    "empty.jsonl": ("", " is empty"),
    "empty.parquet": ("", " is empty"),
    "empty.xlsx": ("", " is empty"),
    "blank.csv": ("\n\n", ": the first line is blank"),
    "header_only.csv": (HEADER, "the purchases log is empty"),
    "header_without_end.csv": (HEADER.strip(), "the purchases log is empty"),
    "more.csv": (HEADER + GOOD_ROW + "b,2024-01-02,2,9\n", ", line 3: 4 fields where the header"),
    "fewer.csv": (HEADER + GOOD_ROW + "b,2024-01-02\n", ", line 3: 2 fields where the header"),
    "half.csv": (HEADER + GOOD_ROW + "b,2024", ", line 3: 2 fields where the header has 3"),
    "all_more.csv": (HEADER + "a,2024-01-01,1,9\n" * 3, ", line 2: 4 fields"),
    "two_exports.csv": (HEADER + GOOD_ROW * 9 + "a,b\nc,d\n", ", line 11: 2 fields"),
    "again.csv.gz": (gzip.compress((HEADER + GOOD_ROW * 9 + "a\n").encode()), ", line 11: 1 field"),
    "quoted.csv": (HEADER + '"a\nb\nc",2024-01-01,1\n' + "d,e\n", ", line 5: 2 fields"),
    "sep.csv": ("sep=;\na;b\n1;2\n3\n", ", line 4: 1 field"),
    "blanks.csv": (HEADER + GOOD_ROW + "\n\n   \n", ", line 5: 1 field"),
    "remark.csv": (HEADER + GOOD_ROW + "# a remark\n", ", line 3: 1 field"),
    "title.csv": ("Orders 2024\n\n" + HEADER + GOOD_ROW, ", line 3: 3 fields"),
    "quote.csv": (HEADER + GOOD_ROW + '"a,2024-01-01,1\n' + GOOD_ROW, ", line 3: a quoted text"),
    "quotes.csv": (HEADER + GOOD_ROW + '"a" b,2024-01-01,1\n', ", line 3: a quoted text is broken"),
    "nul.csv": (HEADER + GOOD_ROW + "b\0,2024-01-01,1\n", ", line 3: there is a NUL byte"),
    "nul_header.csv": ("customer\0id,ts\na,2024-01-01\n", ", line 1: there is a NUL byte"),
    "zeros.csv": (HEADER + GOOD_ROW + "\0" * 512, ", line 3: there is a NUL byte"),
    "late_nul.csv": (
        HEADER + GOOD_ROW * 100_000 + "b\0,2024-01-01,1\n",
        ", row 100001: there is a NUL byte",
    ),
    "long.csv": (HEADER + GOOD_ROW + "x" * 2_500_000 + "\n", ", line 3: the line is longer"),
    "long_mid.csv": (HEADER + "x" * 40_000_000 + "\n" + GOOD_ROW, ", line 2: the line is longer"),
    "long_end.csv": (
        HEADER + GOOD_ROW * 2_000_000 + "a,2024-01-01," + "1" * 80_000_000,
        ", line 2000002: the line is longer",
    ),
    "long_quoted.csv": (HEADER + '"' + "x\n" * 2_000_000 + '",2024-01-01,1\n', "quote"),
    "long_header.csv": ('"' + "x" * 500_000, " has no header line"),
    "binary.csv": (bytes(range(256)) * 9, ", line 1: there is a NUL byte"),
    "zip.csv": (archive(orders__csv=LOG), " is a zip archive"),
    "book.csv": (book(), " is an Excel book"),
    "old_book.csv": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), " is an old Excel book"),
    "gzip.csv": (gzip.compress(LOG.encode()), " is packed with gzip"),
    "zstd.txt": (zstd(LOG), " is packed with zstd"),
    "parquet.csv": (b"PAR1" + bytes(100), " is a Parquet file"),
    "page.csv": (PAGE, " is a web page"),
    "page.jsonl": ("\n " + PAGE.lower(), " is a web page"),
    "paper.csv": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", " is a PDF"),
    "pointer.csv": ("version https://git-lfs.github.com/spec/v1\n", " is a Git LFS pointer"),
    "zip.csv.gz": (gzip.compress(archive(orders__csv=LOG)), " is a zip archive"),
    "plain.csv.gz": (LOG, " cannot be read: it is not packed as its name says"),
    "plain.csv.zst": (LOG, " cannot be read: "),
    "cut.csv.gz": (gzip.compress(LOG.encode())[:60], " cannot be read: "),
    "short.csv.gz": (gzip.compress(LOG.encode())[:-4], " cannot be read: "),
    "flipped.csv.gz": (flipped(gzip.compress(LOG.encode()), 3000), " cannot be read: "),
    "sum.csv.gz": (flipped(gzip.compress(LOG.encode()), -6), " cannot be read: "),
    "cut.csv.zst": (zstd(LOG)[:-40], " cannot be read: "),
    "orders.csv.zip": (archive(orders__csv=LOG), ": files of this ending are not read"),
    "orders": (LOG, ": files of this ending are not read"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_by_name_in_one_message(name, tmp_path):
    content, says = BROKEN[name]
    path = file(tmp_path, name, content)
    found = failure(FileSource(path)).found
    assert found.startswith(str(path))
    assert says in found


def test_a_line_of_two_gigabytes_is_refused_at_once(tmp_path):
    """It is neither loaded nor, as the engine would, dropped."""
    path = file(tmp_path, "x.csv", HEADER + GOOD_ROW + "b,2024-01-01,1")
    with path.open("r+b") as text:
        text.truncate(2**31)  # zeros, and no end
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "line 3: there is a NUL byte" in failure(FileSource(path)).found
    with path.open("r+b") as text:  # beyond what is looked at to tell the dialect
        text.write((HEADER + GOOD_ROW * 100_000 + "b,2024-01-01,1").encode())
    assert "line 100002: the line is longer than" in failure(FileSource(path)).found
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # kB


# ── Paths ───────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_is_not_there(tmp_path):
    told = failure(FileSource(tmp_path / "orders.csv"))
    assert told.found == f"{tmp_path / 'orders.csv'}: no such file"
    assert "relative paths" in told.mend


@pytest.mark.parametrize("name", ["folder", "folder.csv", "folder.parquet"])
def test_a_folder_without_parquet_files_is_no_log(name, tmp_path):
    file(tmp_path, f"{name}/orders.csv", LOG)
    assert "is a folder without Parquet files" in failure(FileSource(tmp_path / name)).found


@pytest.mark.parametrize("name", ["x" * 300 + ".csv", "nul\0.csv", "\udcff.csv"])
def test_a_name_that_no_file_can_have(name, tmp_path):
    with pytest.raises(DataError, match=r"cannot be read|no such file"):
        read(FileSource(tmp_path / name))


def test_a_pipe_is_no_file(tmp_path):
    """Reading it would wait for ever."""
    import os

    os.mkfifo(tmp_path / "pipe.csv")
    assert "is not a file" in failure(FileSource(tmp_path / "pipe.csv")).found


def test_a_disk_that_is_full_is_told(tmp_path, monkeypatch):
    path = file(tmp_path, "x.csv.gz", gzip.compress(LOG.encode()))

    class Full(io.BytesIO):
        name = "full"

        @property
        def file(self) -> Full:
            return self

        def write(self, piece: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", lambda **_: Full())
    assert "no room for a working copy (No space left" in failure(FileSource(path)).found


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_too_little_memory_is_no_fault_of_the_file(ending, tmp_path):
    row = {"csv": "anna,2024-01-01,1\n", "jsonl": '{"customer_id": "a", "ts": "2024-01-01"}\n'}
    head = HEADER if ending == "csv" else ""
    source = FileSource(file(tmp_path, f"x.{ending}", head + row[ending] * 400_000))
    with duckdb.connect() as con:
        con.execute(f"SET temp_directory = '{tmp_path / 'spill'}'")
        con.execute("SET memory_limit = '3MB'")
        con.execute("SET max_temp_directory_size = '1MB'")
        with pytest.raises(duckdb.Error) as raised:
            source.attach(con, "purchases")
    told = reading_error([source], raised.value)
    assert told.found == f"{source.name}: there is not enough memory or room for temporary files"


def test_a_full_disk_is_no_fault_of_the_file():
    error = duckdb.IOException(
        'IO Error: Could not write file "/tmp/churnkit-x/duckdb_temp_storage": No space left on '
        "device"
    )
    told = reading_error([FileSource("x.csv")], error)
    assert told.found == "x.csv: there is not enough memory or room for temporary files"


@pytest.mark.parametrize(
    "error",
    [
        duckdb.OutOfMemoryException("failed to pin block of size 256.0 KiB"),
        OSError(errno.ENOSPC, "there is not enough space on the disk"),
        OSError("Out of Memory Error: failed to pin block"),  # within a stream
        OSError("IO Error: Could not write file: No space left on device"),
    ],
)
def test_where_there_is_no_room_the_source_is_named(error):
    with pytest.raises(DataError) as told, engine_faults([FileSource("x.csv")]):
        raise error
    assert told.value.found == "x.csv: there is not enough memory or room for temporary files"


def test_whoever_stops_the_engine_within_a_stream_stops_the_run():
    with pytest.raises(KeyboardInterrupt), engine_faults([FileSource("x.csv")]):
        raise OSError("Invalid Input Error: KeyboardInterrupt: ")


def test_what_is_no_fault_of_the_engine_passes_as_it_is():
    fault = PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(PermissionError) as told, engine_faults([FileSource("x.csv")]):
        raise fault
    assert told.value is fault


# ── What the engine says ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Invalid Input Error: No magic bytes: x\n\nLINE 1: SELECT", "No magic bytes: x"),
        ("Out of buffer", "Out of buffer"),
        ("don't know what type: \x0f", "don't know what type: \ufffd"),
        ("don't know what type: \r\n\nLINE 1: DESCRIBE SELECT 1\n  ^^^", "don't know what type:"),
    ],
)
def test_what_the_engine_says_is_told_whether_or_not_it_names_its_kind(message, told):
    assert engine_says(duckdb.Error(message)) == told


def test_the_connection_can_be_used_after_a_failure(tmp_path):
    bad, good = file(tmp_path, "bad.csv", HEADER + "a\n"), file(tmp_path, "good.csv", LOG)
    with connect(reads=[bad, good]) as con:
        with pytest.raises(DataError):
            FileSource(bad).attach(con, "purchases")
        rows = FileSource(good).attach(con, "purchases")
        assert con.execute(f"SELECT count(*) FROM {rows.table}").fetchall() == [(5000,)]
