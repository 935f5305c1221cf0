"""The rows set aside: where each stands, why, what was found, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.atomic import whole_file
from churnkit.logs.check import DUPLICATE, repetition
from churnkit.logs.sql import literal

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SHOWN = 10_000
"""Rows of each reason that are kept in memory; a quarantine on disk holds them all."""

_ENDINGS = (".parquet", ".csv")
# A spreadsheet runs a cell that begins so as a formula.
_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"


def rejected_rows(con: duckdb.DuckDBPyConnection, logs: Iterable[str]) -> pa.Table:
    """The rows set aside, at most `SHOWN` of each log and reason.

    Columns: ``log``, ``file``, ``row`` (1 is the first row of data of the file), ``reason``,
    ``found`` (the text at fault) and ``mend``.
    """
    first = f"QUALIFY row_number() OVER (PARTITION BY reason ORDER BY file, row) <= {SHOWN}"
    return con.sql(_all_of(f"{sql} {first}" for sql in _rejected(logs))).to_arrow_table()


def write_quarantine(con: duckdb.DuckDBPyConnection, logs: Iterable[str], path: Path) -> list[Path]:
    """Write all rows set aside as Parquet and CSV, beside each other, in the place of older ones.

    If there are none, older files are removed and none is written. In CSV, texts that a
    spreadsheet would run as a formula are preceded by an apostrophe.

    Parameters
    ----------
    con
        Connection whose logs are judged and counted.
    logs
        Names of the logs.
    path
        The files without their ending.

    Raises
    ------
    ConfigError
        If the folder cannot be written to.
    """
    rows = _all_of(_rejected(logs))
    (count,) = con.sql(f"SELECT count(*) FROM ({rows})").fetchall()[0]
    if not count:
        for ending in _ENDINGS:
            path.with_suffix(ending).unlink(missing_ok=True)
        return []
    safe = ", ".join(
        f"CASE WHEN regexp_matches({c}, '{_FORMULA}') THEN '''' || {c} ELSE {c} END AS {c}"
        for c in ("file", "found")
    )
    formats = {
        ".parquet": (rows, "FORMAT parquet"),
        ".csv": (f"SELECT * REPLACE ({safe}) FROM ({rows})", "FORMAT csv, HEADER"),
    }
    written = []
    for ending, (sql, form) in formats.items():
        target = path.with_suffix(ending)
        with whole_file(target) as aside:
            con.execute(f"COPY ({sql}) TO {literal(str(aside))} ({form})")
        written.append(target)
    return written


def _rejected(logs: Iterable[str]) -> Iterator[str]:
    for log in logs:
        yield f"""
            SELECT * FROM (
                SELECT {literal(log)} AS log, file, row, {log}_reasons.reason, found, mend
                FROM {log}_judged JOIN {log}_reasons USING (code) WHERE code > 0
                UNION ALL
                SELECT {literal(log)}, file, row, {literal(DUPLICATE)}, NULL,
                       {literal(repetition(log))}
                FROM {log}_repeats)"""


def _all_of(selections: Iterable[str]) -> str:
    """SQL of all selections, log by log, in the order of the sources."""
    numbered = (f"SELECT *, {k} AS nth FROM ({sql})" for k, sql in enumerate(selections))
    return f"SELECT * EXCLUDE nth FROM ({' UNION ALL '.join(numbered)}) ORDER BY nth, file, row"
