"""CSV and Parquet files as tables of a DuckDB connection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.errors import DataError
from churnkit.logs.check import literal

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

    def attach(self, con: duckdb.DuckDBPyConnection, log: str) -> str:
        """Make the file readable as a table of the connection and return its SQL expression."""
        self._must_exist()
        sql = self._scan()
        view = f"{log}_source"
        import duckdb

        try:
            con.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS SELECT * FROM {sql}")
        except duckdb.Error as error:
            raise _unreadable(self.name, error) from error
        return view

    def _must_exist(self) -> None:
        if not self.path.exists():
            raise DataError(
                f"{self.name}: no such file",
                "Check the path; relative paths start at the folder of churnkit.toml.",
            )
        if not self.path.is_file():
            raise DataError(f"{self.name} is not a file", "Name one CSV or Parquet file.")
        if self.path.stat().st_size == 0:
            raise DataError(f"{self.name} is empty", "Export it again.")

    def _scan(self) -> str:
        kind = self.path.name.lower().removesuffix(".gz")
        if kind.endswith((".parquet", ".pq")):
            return f"read_parquet({literal(self.name)})"
        if kind.endswith((".csv", ".tsv", ".txt")):
            delimiter = literal(_delimiter(self.path))
            return (
                f"read_csv({literal(self.name)}, all_varchar = true, header = true, "
                f"delim = {delimiter}, quote = '\"', escape = '\"', nullstr = '')"
            )
        raise DataError(
            f"{self.name}: files of this ending are not read", "Use .csv, .csv.gz or .parquet."
        )


def _delimiter(path: Path) -> str:
    """The delimiter that occurs most often in the header line; a comma if none does."""
    import gzip

    opened = gzip.open if path.suffix == ".gz" else Path.open
    try:
        with opened(path, "rt", encoding="utf-8-sig") as file:
            header = file.readline(1_000_000)
    except (UnicodeDecodeError, OSError, EOFError) as error:
        raise DataError(
            f"{path}: the header cannot be read as UTF-8 text ({error})", "Export it as UTF-8."
        ) from error
    return max(_DELIMITERS, key=header.count)


def _unreadable(name: str, error: Exception) -> DataError:
    first = next((line for line in str(error).splitlines() if line.strip()), "")
    return DataError(
        f"{name} cannot be read: {first}", "Open the file and mend or export it again."
    )


def reading_error(sources: str, error: Exception) -> DataError:
    """The error of a scan that broke half-way, told with the source and the engine's line."""
    return _unreadable(sources, error)
