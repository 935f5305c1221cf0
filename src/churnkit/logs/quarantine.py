"""The rows set aside: where each stands, why, what was found, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING

from churnkit.atomic import whole_file
from churnkit.logs.check import DUPLICATE, FORGOTTEN, repetition
from churnkit.logs.sql import listed, literal, spill_folder
from churnkit.spreadsheet import FORMULA_STARTS

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SHOWN = 10_000
"""Rows of each reason that are kept in memory; a quarantine on disk holds them all."""

_ENDINGS = (".parquet", ".csv")
_ALL = "SELECT * EXCLUDE nth FROM rejected"


def list_rejected(con: duckdb.DuckDBPyConnection, logs: Iterable[str]) -> None:
    """Create the table ``rejected``: every row set aside of these logs, in their order, numbered
    within its log and reason. Rows of people who were forgotten are counted and not listed.

    Columns: ``log``, ``file``, ``row`` (1 is the first row of data of the file), ``reason``,
    ``found`` (the text at fault) and ``mend``. A source is read once more for it, so only logs
    of which rows were set aside should be named.
    """
    con.execute(
        "CREATE OR REPLACE TEMP TABLE rejected "
        "(log TEXT, file TEXT, row BIGINT, reason TEXT, found TEXT, mend TEXT, nth BIGINT)"
    )
    for log in logs:
        con.execute(
            "INSERT INTO rejected "
            "SELECT *, row_number() OVER (PARTITION BY reason ORDER BY file, row) AS nth "
            f"FROM ({_rejected(log)}) ORDER BY file, row"
        )


def rejected_rows(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """The rows of the table ``rejected``, at most `SHOWN` of each log and reason."""
    return con.sql(f"{_ALL} WHERE nth <= {SHOWN}").to_arrow_table()


def write_quarantine(con: duckdb.DuckDBPyConnection, path: Path) -> list[Path]:
    """Write the table ``rejected`` as Parquet and CSV, beside each other, in the place of older
    ones.

    If it is empty, older files are removed and none is written. In CSV, texts that a
    spreadsheet would run as a formula are preceded by an apostrophe.

    Parameters
    ----------
    con
        Connection with the table that `list_rejected` makes.
    path
        The files without their ending.

    Raises
    ------
    ConfigError
        If the folder cannot be written to.
    """
    files = [path.with_suffix(ending) for ending in _ENDINGS]
    (count,) = con.sql("SELECT count(*) FROM rejected").fetchall()[0]
    if not count:
        for file in files:
            file.unlink(missing_ok=True)
        return []
    safe = f"SELECT * REPLACE ({_neutral('file')}, {_neutral('found')}) FROM ({_ALL})"
    copies = ((_ALL, "FORMAT parquet"), (safe, "FORMAT csv, HEADER"))
    for file, (rows, form) in zip(files, copies, strict=True):
        with whole_file(file) as aside:
            # The engine can write nowhere else.
            copy = spill_folder(con) / f"rejected{file.suffix}"
            con.execute(f"COPY ({rows}) TO {literal(str(copy))} ({form})")
            copyfile(copy, aside)
            copy.unlink()
    return files


def _neutral(column: str) -> str:
    is_formula = f"left({column}, 1) IN ({listed(FORMULA_STARTS)})"
    return f"CASE WHEN {is_formula} THEN '''' || {column} ELSE {column} END AS {column}"


def _rejected(log: str) -> str:
    return f"""
        SELECT {literal(log)} AS log, file, row, {log}_reasons.reason, found, mend
        FROM {log}_judged JOIN {log}_reasons USING (code)
        WHERE code > 0 AND {log}_reasons.reason <> {literal(FORGOTTEN)}
        UNION ALL
        SELECT {literal(log)}, file, row, {literal(DUPLICATE)}, NULL, {literal(repetition(log))}
        FROM {log}_repeats"""
