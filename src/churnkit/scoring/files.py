"""Tables of scores as files: Parquet or CSV, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.atomic import whole_file
from churnkit.errors import ConfigError
from churnkit.scoring.scores import ROWS_AT_ONCE, Scores
from churnkit.spreadsheet import neutralised

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def write_scores(scores: Scores, path: Path) -> None:
    """Write the scores as Parquet or CSV, by the ending; the file appears whole or not at all.

    Rows are in order of their ranks, and made a few at a time. In CSV, texts that a spreadsheet
    would run as a formula are preceded by an apostrophe.

    Raises
    ------
    ConfigError
        If the ending is neither ``.parquet`` nor ``.csv``, or the folder cannot be written to.
    """
    ending = ending_of(path)
    with whole_file(path) as aside:
        if ending == ".parquet":
            _write_parquet(_tables(scores), aside)
        else:
            for k, table in enumerate(_tables(scores)):
                _write_csv(table.to_pandas(), aside, first=k == 0)


def _tables(scores: Scores) -> Iterator[pa.Table]:
    for start in range(0, len(scores), ROWS_AT_ONCE):
        yield scores.table(scores.in_rank_order[start : start + ROWS_AT_ONCE], run=False)


def _write_parquet(tables: Iterator[pa.Table], path: Path) -> None:
    import pyarrow.parquet as pq

    first = next(tables)
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)


def _write_csv(frame: pd.DataFrame, path: Path, *, first: bool = True) -> None:
    # Only with this line end does every Python quote a text that holds a bare CR.
    with path.open("w" if first else "a", encoding="utf-8", newline="") as file:
        neutralised(frame).to_csv(file, index=False, header=first, lineterminator="\r\n")


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame under the rules of `write_scores`."""
    ending = ending_of(path)
    with whole_file(path) as aside:
        if ending == ".parquet":
            frame.to_parquet(aside, index=False)
        else:
            _write_csv(frame, aside)


def ending_of(path: Path) -> str:
    """``.parquet`` or ``.csv``, whichever a table is to be written as.

    Raises
    ------
    ConfigError
        If the path ends with neither.
    """
    ending = path.suffix.lower()
    if ending not in {".parquet", ".csv"}:
        raise ConfigError(f"{path}: tables are not written as {ending!r}", "Use .parquet or .csv.")
    return ending
