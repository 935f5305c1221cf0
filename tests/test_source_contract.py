"""One contract, every source: the same rows give the same logs, wherever they come from.

A kind of source is one maker below: it stores a frame of texts (``None`` is an empty cell) and
says where each row then stands. Every spec runs over every maker.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stores
from same import assert_same_logs

from churnkit.errors import DataError
from churnkit.logs import Contract, LogMapping, Logs, collect
from churnkit.sources import FileSource, FrameSource, Source, SqlSource, connect

LAX = Contract(max_rejected_share=1.0)
ODD = 'x"; DROP TABLE t; --'
PERSIAN = "چاي سبز"

LOG = pd.DataFrame(
    [
        ("00123", "2024-01-01 10:00:00", "10.5", "1", "tea", "plain"),
        ("00123", "2024-01-01 10:00:00", "4.5", "1", "milk", "plain"),
        ("Zoë", "2024-01-02 00:00:00", "7", "2", "tea", "two\nlines, a comma; a bar | a tab\t"),
        ("Zoë", "2024-01-05 08:30:00", "-7", "3", "tea", 'a "quoted" word'),
        (None, "2024-01-05 08:30:00", "1", "4", "tea", "nobody"),
        ("12345678901234567890", "2024-02-30", "1", "5", "tea", "no such day"),
        ("12345678901234567890", "2024-01-09", None, "6", "tea", "no amount"),
        ("12345678901234567890", "2024-01-09", "3", "6", None, None),
        ("12345678901234567890", "2024-01-09", "3", "6", None, None),
    ],
    columns=["customer_id", "ts", "amount", "order_id", "product_id", "note"],
)
FAULTS = {
    5: "missing_customer_id",
    6: "unreadable_ts",
    7: "missing_amount",
    9: "duplicate",
}  # row of the log → reason


@dataclass(frozen=True)
class Made:
    """A source, and the file and row number that each row of its log is told to have."""

    source: Source
    places: Sequence[tuple[str, int]]


Maker = Callable[[pd.DataFrame, Path], Made]


def in_one(source: Source, log: pd.DataFrame, file: str | None = None) -> Made:
    return Made(source, [(file or source.name, row) for row in range(1, len(log) + 1)])


# ── The makers ──────────────────────────────────────────────────────────────────────────────


def framed(convert: Callable[[pd.DataFrame], object]) -> Maker:
    return lambda log, folder: in_one(FrameSource(convert(log), "the frame"), log)


def arrow(log: pd.DataFrame) -> pa.Table:
    texts = {column: pa.array(log[column], pa.string()) for column in log}
    return pa.table(texts)


def polars(log: pd.DataFrame) -> object:
    return pytest.importorskip("polars").from_arrow(arrow(log))


def text_of(log: pd.DataFrame, delimiter: str = ",", **options: object) -> str:
    return log.to_csv(index=False, sep=delimiter, **options)


def csv_file(
    name: str, delimiter: str = ",", encoding: str = "utf-8", declared: str | None = None
) -> Maker:
    def make(log: pd.DataFrame, folder: Path) -> Made:
        return stored(folder / name, text_of(log, delimiter).encode(encoding), log, declared)

    return make


def stored(path: Path, content: bytes, log: pd.DataFrame, declared: str | None = None) -> Made:
    path.write_bytes(packed(path, content))
    return in_one(FileSource(path, encoding=declared), log)


def packed(path: Path, content: bytes) -> bytes:
    if path.suffix == ".gz":
        return gzip.compress(content)
    if path.suffix == ".zst":
        return pa.compress(content, "zstd", asbytes=True)
    return content


def split(log: pd.DataFrame, paths: Sequence[Path]) -> list[tuple[Path, pd.DataFrame]]:
    """The log cut into as many pieces as there are paths; the folders are made."""
    size = -(-len(log) // len(paths))
    pieces = [log.iloc[k * size : (k + 1) * size] for k in range(len(paths))]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    return list(zip(paths, pieces, strict=True))


def told(pieces: Sequence[tuple[Path, pd.DataFrame]]) -> list[tuple[str, int]]:
    return [(str(path), row) for path, piece in pieces for row in range(1, len(piece) + 1)]


def several_csv(log: pd.DataFrame, folder: Path) -> Made:
    pieces = split(log, [folder / f"{name}.csv" for name in "abc"])
    for number, (path, piece) in enumerate(pieces):
        columns = list(log)[number:] + list(log)[:number]  # the same ones in another order
        path.write_text(text_of(piece[columns], ",;\t"[number]), encoding="utf-8")
    return Made(FileSource(folder / "*.csv"), told(pieces))


def parquet_file(log: pd.DataFrame, folder: Path) -> Made:
    pq.write_table(arrow(log), folder / "log.parquet", row_group_size=2)
    return in_one(FileSource(folder / "log.parquet"), log)


def several_parquet(log: pd.DataFrame, folder: Path) -> Made:
    pieces = split(log, [folder / "a.parquet", folder / "b.pq"])
    for path, piece in pieces:
        pq.write_table(arrow(piece), path)
    return Made(FileSource([path for path, _ in pieces]), told(pieces))


def parquet_pattern(log: pd.DataFrame, folder: Path) -> Made:
    made = several_parquet(log, folder)
    return Made(FileSource(folder / "*.p*q*"), made.places)


def partitioned(log: pd.DataFrame, folder: Path) -> Made:
    """The order id is the name of a folder, not a column of the files."""
    places = {}
    for key, piece in log.groupby("order_id", dropna=False):
        path = folder / "log" / f"order_id={key}" / "part.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(arrow(piece.drop(columns="order_id")), path)
        places |= {index: (str(path), row) for row, index in enumerate(piece.index, 1)}
    return Made(FileSource(folder / "log"), [places[index] for index in log.index])


def json_lines(name: str) -> Maker:
    def make(log: pd.DataFrame, folder: Path) -> Made:
        lines = [json.dumps(filled(row), ensure_ascii=False) for row in log.to_dict("records")]
        return stored(folder / name, ("\n".join(lines) + "\n").encode(), log)

    return make


def filled(row: dict[str, object]) -> dict[str, object]:
    """The row without its empty cells, but for the last: a missing key and null are the same."""
    told = {key: None if pd.isna(value) else value for key, value in row.items()}
    return {key: value for key, value in told.items() if value is not None or key == "note"}


def json_array(log: pd.DataFrame, folder: Path) -> Made:
    rows = [filled(row) for row in log.to_dict("records")]
    return stored(folder / "log.json", json.dumps(rows, indent=1).encode(), log)


def book(log: pd.DataFrame, folder: Path) -> Made:
    path = folder / "book.xlsx"
    pieces = split(log, [folder / "2024", folder / "2025"])
    with pd.ExcelWriter(path, engine="openpyxl") as writer:
        for sheet, piece in pieces:
            piece.to_excel(writer, sheet_name=sheet.name, index=False)
    return Made(
        FileSource(path),
        [(f"{path} [{Path(sheet).name}]", row) for sheet, row in told(pieces)],
    )


def in_store(opened: Callable[[Path], stores.Store]) -> Maker:
    def make(log: pd.DataFrame, folder: Path) -> Made:
        store = opened(folder)
        cells = log.astype(object).where(log.notna(), None)
        table = store.store(list(log), cells.values.tolist())
        return in_one(SqlSource(store.url, table=table), log)

    return make


MAKERS: dict[str, Maker] = {
    "pandas": framed(lambda log: log),
    "polars": framed(polars),
    "arrow": framed(arrow),
    "arrow stream": framed(lambda log: arrow(log).to_reader(max_chunksize=2)),
    "csv": csv_file("log.csv"),
    "csv, semicolons": csv_file("log.csv", ";"),
    "csv, tabs": csv_file("log.tsv", "\t"),
    "csv, bars": csv_file("log.txt", "|"),
    "csv, gzip": csv_file("log.csv.gz"),
    "csv, zstd": csv_file("log.csv.zst"),
    "csv, utf-8 with a mark": csv_file("log.csv", encoding="utf-8-sig"),
    "csv, utf-16": csv_file("log.csv", encoding="utf-16"),
    "csv, utf-16 without a mark": csv_file("log.csv", encoding="utf-16-be"),
    "csv, cp1252": csv_file("log.csv", encoding="cp1252"),
    "csv, cp1256": csv_file("log.csv.gz", encoding="cp1256", declared="cp1256"),
    "csv, several": several_csv,
    "parquet": parquet_file,
    "parquet, several": several_parquet,
    "parquet, pattern": parquet_pattern,
    "parquet, partitioned": partitioned,
    "json lines": json_lines("log.jsonl"),
    "json lines, gzip": json_lines("log.ndjson.gz"),
    "json lines, zstd": json_lines("log.jsonl.zst"),
    "json array": json_array,
    "excel": book,
    "postgres": in_store(lambda _: stores.postgres()),
    "mysql": in_store(lambda _: stores.mysql()),
    "sqlite": in_store(stores.Sqlite),
}


@pytest.fixture(scope="module", autouse=True)
def swept() -> Iterator[None]:
    yield
    stores.sweep()


@pytest.fixture(params=MAKERS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[pd.DataFrame], Made]:
    """Makes the source of a frame."""
    return lambda log: MAKERS[request.param](log, tmp_path)


@pytest.fixture(scope="module")
def expected() -> Logs:
    logs = read(FrameSource(LOG, "the frame"))
    assert list(logs.customer_ids) == ["00123", "12345678901234567890", "Zoë"]
    assert logs.purchases.columns["amount"].tolist() == [1500, 300, 700, -700]
    return logs


def read(source: Source, contract: Contract = LAX) -> Logs:
    with connect(reads=source.files()) as con:
        return collect(con, {"purchases": source.attach(con, "purchases")}, contract)


# ── The contract ────────────────────────────────────────────────────────────────────────────


def test_the_same_rows_give_the_same_logs(made, expected):
    """And a row set aside is told with its file and its number there."""
    one = made(LOG)
    logs = read(one.source)
    assert_same_logs(logs, expected)
    assert logs.checks[0].read == len(LOG)
    aside = {(row["file"], row["row"]): row["reason"] for row in logs.rejected.to_pylist()}
    assert aside == {one.places[row - 1]: reason for row, reason in FAULTS.items()}


def test_rows_can_be_scanned_repeatedly(made):
    one = made(LOG)
    with connect(reads=one.source.files()) as con:
        rows = one.source.attach(con, "purchases")
        sql = f"SELECT {rows.file_sql}, {rows.row}, note FROM {rows.table}"
        scans = [con.execute(sql).fetchall() for _ in range(3)]
    assert scans[0] == scans[1] == scans[2]
    notes = [None if pd.isna(note) else note for note in LOG["note"]]
    assert sorted(scans[0], key=str) == sorted(
        ((*place, note) for place, note in zip(one.places, notes, strict=True)), key=str
    )


def test_only_columns_of_the_source_are_shown(made):
    one = made(LOG)
    with connect(reads=one.source.files()) as con:
        rows = one.source.attach(con, "purchases")
        columns = {name for name, *_ in con.execute(f"DESCRIBE {rows.table}").fetchall()}
    assert columns - set(rows.hidden) == set(LOG)
    assert set(rows.hidden) <= columns


def test_a_column_may_have_any_name(made):
    log = LOG.rename(columns={"customer_id": ODD, "ts": "the day", "amount": "rowid"})
    mapping = LogMapping({"customer_id": ODD, "ts": "the day", "amount": "rowid"})
    one = made(log)
    logs = read(one.source, Contract({"purchases": mapping}, max_rejected_share=1.0))
    assert logs.purchases.columns["amount"].tolist() == [1500, 300, 700, -700]
    assert {(row["file"], row["row"]) for row in logs.rejected.to_pylist()} == {
        one.places[row - 1] for row in FAULTS
    }


def test_two_logs_do_not_meet(made):
    visits = FrameSource(LOG.iloc[:4], "visits")
    one = made(LOG)
    with connect(reads=one.source.files()) as con:
        tables = [one.source.attach(con, "purchases"), visits.attach(con, "activity")]
        assert [height(con, rows.table) for rows in tables] == [9, 4]


def height(con: duckdb.DuckDBPyConnection, table: str) -> int:
    [(rows,)] = con.execute(f"SELECT count(*) FROM {table}").fetchall()
    return rows


def test_letters_of_all_scripts_arrive(made, request):
    if "cp1252" in request.node.name:
        pytest.skip("cp1252 has no Persian letters")
    log = LOG.iloc[:4].assign(customer_id=PERSIAN)
    one = made(log)
    with connect(reads=one.source.files()) as con:
        rows = one.source.attach(con, "purchases")
        found = con.execute(f"SELECT DISTINCT customer_id FROM {rows.table}").fetchall()
    assert found == [(PERSIAN,)]


def test_a_missing_column_is_told_with_the_source(made):
    one = made(LOG.drop(columns="ts"))
    with pytest.raises(DataError, match="ts") as error:
        read(one.source)
    assert one.source.name in error.value.found


def test_no_rows_are_no_log(made):
    with pytest.raises(DataError):
        read(made(LOG.iloc[:0]).source)


def test_the_name_tells_the_source(made):
    one = made(LOG)
    with connect(reads=one.source.files()) as con:
        assert one.source.attach(con, "purchases").source == one.source.name
