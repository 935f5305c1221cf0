"""Line 7: a log or published scores whose bytes are not what was written.

What is promised depends on who wrote the file. Published scores and our own stores are checked
against a sha256: every change is found. Parquet whose writer kept checksums of its pages is checked
against those. Of any other file only what cannot be decoded is found: a flipped bit that turns a 5
into a 7 in a CSV or an unchecked page is a 7, and no reader can know.
"""

from __future__ import annotations

import gzip
import io
from itertools import product
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killed import publish
from made import LAX, file, outcome
from small import project as small_project

from churnkit.errors import DataError
from churnkit.logs import Logs
from churnkit.publishing import ScoreStore
from churnkit.sources import FileSource, read_logs
from churnkit.sources.files.pages import _COMPRESSED_SIZE, _struct

DAY = "2024-05-15"
ONE_FOLDER = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def log(**options: object) -> bytes:
    """Purchases of two thousand rows as Parquet."""
    draw = np.random.default_rng(0)
    columns = {
        "customer_id": draw.integers(0, 99, 2000).astype(str),
        "ts": (np.datetime64("2024-01-01") + draw.integers(0, 300, 2000)).astype(str),
        "amount": draw.integers(1, 500, 2000) / 100,
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, row_group_size=700, **options)
    return buffer.getvalue()


FOREIGN, CHECKED = log(compression="zstd"), log(write_page_checksum=True)
TEXT = "customer_id,ts,amount\n" + "".join(
    f"c{n},2024-01-{1 + n % 28:02d},{n}\n" for n in range(500)
)


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def lengths(content: bytes) -> list[int]:
    """A cut in the magic, the pages, the footer, its length, and the magic at the end."""
    n = len(content)
    return [0, 1, 3, 4, 8, 100, n // 4, n // 2, n - 300, n - 9, n - 8, n - 5, n - 4, n - 1]


def read_or_refused(path: Path) -> Logs | DataError:
    """The log of a file; or why it is refused, with the name of the file."""
    try:
        return read_logs(path, contract=LAX)
    except DataError as error:
        if str(path) not in error.found:
            raise AssertionError(f"no file is named: {error}") from error
        return error


# ── The commands ────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def project(shop, training, tmp_path_factory) -> Path:
    """A project that was scored once; tests put what they change back."""
    folder = small_project(tmp_path_factory.mktemp("damaged") / "project", shop, training)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert run("score", "--model", "model", "--as-of", "2024-05-14").exit_code == 0
    return folder


def published(folder: Path) -> dict[str, bytes]:
    kept = [*folder.glob("scores/**/*"), *folder.glob("calls/**/*")]
    return {str(path): path.read_bytes() for path in kept if path.is_file()}


CONTENTS = {
    "empty": lambda content: b"",
    "the magic alone": lambda content: content[:4],
    "half": lambda content: content[: len(content) // 2],
    "without its end": lambda content: content[:-1],
    "a footer that is another": lambda content: content[:-208] + b"\xff" * 200 + content[-8:],
    "zeros": lambda content: bytes(len(content)),
    "an error page": lambda content: b"<!doctype html><title>502 Bad Gateway</title>",
}


@pytest.mark.parametrize("what", CONTENTS)
def test_07_check_and_score_name_the_damaged_file_and_publish_nothing(project, what, monkeypatch):
    monkeypatch.chdir(project)
    before, path = published(project), project / "activity.parquet"
    sound = path.read_bytes()
    path.write_bytes(CONTENTS[what](sound))
    try:
        for command in (["check"], ["score", "--model", "model", "--as-of", DAY]):
            result = run(*command)
            assert result.exit_code == 3
            assert "activity.parquet" in result.stderr
            assert "Traceback" not in result.output
            assert published(project) == before
    finally:
        path.write_bytes(sound)
    assert before


def test_07_half_a_line_of_csv_is_told_with_its_line(project, tmp_path, monkeypatch):
    """A copy that was cut off ends anywhere, mostly within a line."""
    monkeypatch.chdir(tmp_path)
    Path("churnkit.toml").write_text('[logs.purchases]\npath = "orders.csv"\n')
    lines = TEXT.splitlines(keepends=True)
    ends = {"a": "within the id", "c9,20": "within the time", 'c9,2024-01-01,"1': "within quotes"}
    for end in ends:
        file(tmp_path, "orders.csv", "".join(lines[:300]) + end)
        for command in (["check"], ["score", "--model", str(project / "model"), "--as-of", DAY]):
            result = run(*command)
            assert result.exit_code == 3, ends[end]
            told = " ".join(result.stderr.split())
            assert "orders.csv" in told
            assert "line 301" in told
    assert not list(tmp_path.rglob("*.parquet"))


# ── Files ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("content", [FOREIGN, CHECKED], ids=["foreign", "with checksums"])
def test_07_parquet_that_was_cut_off_is_never_read(content, tmp_path, seen):
    for length in lengths(content):
        path = file(tmp_path, "cut.parquet", content[:length])
        assert isinstance(read_or_refused(path), DataError), length


def test_07_flipped_bits_are_found_where_the_writer_kept_checksums(tmp_path, trials, seen):
    """Headers of pages and the footer have no checksum, so that a bit in one may go unseen."""
    rng, refused, spans = np.random.default_rng(7), 0, pages_of(file(tmp_path, "x", CHECKED))
    bits = rng.integers(8 * len(CHECKED), size=trials(30, 2_000))
    for bit in bits.tolist():
        told = read_or_refused(file(tmp_path, "flipped.parquet", flipped(CHECKED, bit)))
        refused += isinstance(told, DataError)
        if any(begin <= bit // 8 < end for begin, end in spans):
            assert isinstance(told, DataError), bit
    assert refused > 0.8 * len(bits)
    seen("bits flipped in Parquet with checksums", len(bits))
    seen("of them refused by name", refused)


def pages_of(path: Path) -> list[tuple[int, int]]:
    """Where the content of each page begins and ends."""
    found, metadata = [], pq.ParquetFile(path).metadata
    with path.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as content:
        for group, column in product(range(metadata.num_row_groups), range(3)):
            told = metadata.row_group(group).column(column)
            position = told.dictionary_page_offset or told.data_page_offset
            end = position + told.total_compressed_size
            while position < end:
                fields, position = _struct(content, position)
                found.append((position, position + fields[_COMPRESSED_SIZE]))
                position += fields[_COMPRESSED_SIZE]
    return found


def test_07_flipped_bits_of_a_foreign_file_are_named_or_read_and_never_crash(
    tmp_path, trials, seen
):
    rng, refused = np.random.default_rng(8), 0
    bits = rng.integers(8 * len(FOREIGN), size=trials(30, 2_000)).tolist()
    for bit in bits:
        told = read_or_refused(file(tmp_path, "flipped.parquet", flipped(FOREIGN, bit)))
        if isinstance(told, DataError):
            refused += 1
        else:
            check = told.checks[0]
            assert check.read == check.kept + sum(check.rejected.values())
    seen("bits flipped in Parquet without checksums", len(bits))
    seen("of them refused by name, without checksums", refused)


# ── Text ────────────────────────────────────────────────────────────────────────────────────


SOUND = 'id,n,note\nanna,1,"tea, milk"\nben,2,"a ""word"""\n"multi\nline",3,é\n'
ROWS = [
    {"id": "anna", "n": "1", "note": "tea, milk"},
    {"id": "ben", "n": "2", "note": 'a "word"'},
    {"id": "multi\nline", "n": "3", "note": "é"},
]
PACKED = {
    "x.csv.gz": gzip.compress(SOUND.encode()),
    "x.csv.zst": pa.compress(SOUND.encode(), "zstd", asbytes=True),
}


@settings(ONE_FOLDER, max_examples=80)
@given(position=st.integers(0, len(SOUND) - 1), byte=st.integers(0, 255))
def test_07_one_wrong_byte_of_text_is_read_as_it_stands_or_refused(tmp_path, position, byte):
    content = bytearray(SOUND.encode())
    content[position] = byte
    path = file(tmp_path, "x.csv", bytes(content))
    told = outcome(FileSource(path))
    if isinstance(told, DataError):
        assert str(path) in told.found
    else:
        assert len(told) in (2, 3, 4)


@pytest.mark.parametrize("name", PACKED)
@settings(ONE_FOLDER, max_examples=40)
@given(st.data())
def test_07_a_packed_file_that_was_cut_is_never_read(tmp_path, name, data):
    cut = data.draw(st.integers(1, len(PACKED[name]) - 1))
    assert isinstance(outcome(FileSource(file(tmp_path, name, PACKED[name][:cut]))), DataError)


@settings(ONE_FOLDER, max_examples=40)
@given(bit=st.integers(80, 8 * len(PACKED["x.csv.gz"]) - 1))
def test_07_a_bit_that_flips_in_a_gzip_file_never_changes_a_row(tmp_path, bit):
    """Behind its header, whose time and name do not matter; a bit that only fills up may flip."""
    path = file(tmp_path, "x.csv.gz", flipped(PACKED["x.csv.gz"], bit))
    told = outcome(FileSource(path))
    assert isinstance(told, DataError) or told == ROWS


# ── What we wrote ourselves ─────────────────────────────────────────────────────────────────


def test_07_every_bit_that_flips_in_published_scores_is_found(tmp_path, trials, seen):
    publish(tmp_path, 1)
    store, rng = ScoreStore(tmp_path), np.random.default_rng(9)
    (path,) = tmp_path.rglob("*.parquet")
    content = path.read_bytes()
    path.chmod(0o644)
    bits = rng.integers(8 * len(content), size=trials(30, 2_000)).tolist()
    for bit in bits:
        path.write_bytes(flipped(content, bit))
        with pytest.raises(DataError) as told:
            store.read(DAY)
        assert str(path.name) in told.value.found
    path.write_bytes(content)
    assert len(store.read(DAY)) == 2_000
    seen("bits flipped in published scores, all found", len(bits))
