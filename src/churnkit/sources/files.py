"""CSV and Parquet files as tables of a DuckDB connection."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.errors import DataError
from churnkit.logs import Rows
from churnkit.logs.sql import literal

if TYPE_CHECKING:
    import duckdb

_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class FileSource:
    """A CSV (``.csv``, ``.tsv``, ``.txt``, also ``.gz``) or Parquet file.

    Raises
    ------
    DataError
        When attached: if the file is missing, empty, of an unknown kind, or unreadable.
    """

    path: Path

    @property
    def name(self) -> str:
        """The path, for messages."""
        return str(self.path)

    def attach(self, con: duckdb.DuckDBPyConnection, log: str) -> Rows:
        """Make the file readable as a table of the connection and return its SQL expression."""
        self._must_exist()
        sql = self._scan()
        view = f"{log}_source"
        import duckdb

        try:
            con.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT * FROM {sql}")
        except (duckdb.Error, UnicodeError) as error:
            raise _unreadable(self.name, error) from error
        return Rows(view, self.name)

    def _must_exist(self) -> None:
        try:
            size = self.path.stat().st_size
        except FileNotFoundError as error:
            raise DataError(
                f"{self.name}: no such file",
                "Check the path; relative paths start at the folder of churnkit.toml.",
            ) from error
        except (OSError, ValueError) as error:
            raise DataError(f"{self.name} cannot be read: {error}", "Check the path.") from error
        if not self.path.is_file():
            raise DataError(f"{self.name} is not a file", "Name one CSV or Parquet file.")
        if size == 0:
            raise DataError(f"{self.name} is empty", "Export it again.")

    def _scan(self) -> str:
        kind = self.path.name.lower().removesuffix(".gz")
        pattern = literal(re.sub(r"([*?\[])", r"[\1]", self.name))  # this file, no others
        if kind.endswith((".parquet", ".pq")):
            return f"read_parquet({pattern}, hive_partitioning = false)"
        if kind.endswith((".csv", ".tsv", ".txt")):
            return _csv_scan(pattern, _head(self.path), self.name)
        raise DataError(
            f"{self.name}: files of this ending are not read", "Use .csv, .csv.gz or .parquet."
        )


def _csv_scan(pattern: str, head: str, name: str) -> str:
    """SQL that reads a CSV file by its header; nothing but the delimiter is guessed."""
    delimiter = _delimiter(head)
    columns = ", ".join(f"{literal(c)}: 'VARCHAR'" for c in _header(head, delimiter, name))
    return (
        f"read_csv({pattern}, auto_detect = false, columns = {{{columns}}}, header = true, "
        f"delim = {literal(delimiter)}, quote = '\"', escape = '\"', nullstr = '', "
        "hive_partitioning = false)"
    )


def _head(path: Path) -> str:
    """The first million bytes of a text file, without a byte order mark.

    Bytes that are no UTF-8 are marked here; in the rows the engine names their line.
    """
    import gzip
    import zlib

    opened = gzip.open if path.suffix.lower() == ".gz" else Path.open
    try:
        with opened(path, "rb") as file:
            return bytes(file.read(1_000_000)).decode("utf-8-sig", errors="replace")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}", "Export it again.") from error


def _delimiter(head: str) -> str:
    """The delimiter that occurs most often in the header line; a comma if none does."""
    unquoted = re.sub(r'"[^"]*"', "", head).lstrip("\r\n")
    return max(_DELIMITERS, key=re.split(r"[\r\n]", unquoted)[0].count)


def _header(head: str, delimiter: str, name: str) -> Sequence[str]:
    """The column names, each once whatever its case: the second ``Price`` becomes ``Price_3``."""
    import csv
    import io

    try:
        header = next(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), [])
    except csv.Error as error:
        raise DataError(f"{name} has no header line ({error})", "Is it a CSV file?") from error
    if not any(header):
        raise DataError(f"{name}: the first line is blank", "Begin the file with its header line.")
    if set("\0\ufffd") & set("".join(header)):
        raise DataError(f"{name} is not UTF-8 text", "Export it as CSV in UTF-8.")
    names: dict[str, str] = {}
    for position, told in enumerate(header):
        column = told or f"column{position}"
        while column.lower() in names:
            column = f"{column}_{position}"
        names[column.lower()] = column
    return list(names.values())


def _unreadable(name: str, error: Exception) -> DataError:
    told = re.split(r"\n\s*Possible|\n\s*\n", str(error).partition(": ")[2].strip())[0]
    lines = "; ".join(line.strip() for line in told.splitlines())
    return DataError(
        f"{name} cannot be read: {lines[:400]}", "Open the file and mend or export it again."
    )


def reading_error(sources: str, error: Exception) -> DataError:
    """The error of a scan that broke half-way, told with the source and the engine's line."""
    return _unreadable(sources, error)
