"""A table that files are read into one after the other, and that knows which row is whose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from churnkit.errors import DataError
from churnkit.logs.rows import Rows, free_name, row_number
from churnkit.logs.sql import literal, quoted

if TYPE_CHECKING:
    import duckdb


@dataclass
class Stack:
    """A temporary table of text columns that files are read into, in their order.

    Rows keep the order they are read in, so the number of a row in its file is its place in the
    table less the rows of the files before it.

    Parameters
    ----------
    con
        The connection that holds the table.
    log
        The log the rows are of; the table is ``<log>_source``.
    columns
        The columns, all of them text.
    """

    con: duckdb.DuckDBPyConnection
    log: str
    columns: Sequence[str]
    _files: list[str] = field(default_factory=list, init=False)
    _before: list[int] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        told = ", ".join(f"{quoted(c)} VARCHAR" for c in self.columns)
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE {self.table} ({told}, {quoted(self._file)} UINTEGER)"
        )

    @property
    def table(self) -> str:
        """Name of the table."""
        return f"{self.log}_source"

    @property
    def _file(self) -> str:
        return free_name("file_number", self.columns)

    def begin(self, file: str) -> None:
        """The rows added from now on are of this file."""
        self._files.append(file)
        self._before.append(self._height())

    def add(self, rows: str) -> None:
        """Add the rows of an SQL table expression, which holds the columns by name."""
        told = ", ".join(map(quoted, self.columns))
        self.con.execute(f"INSERT INTO {self.table} SELECT {told}, {len(self._files)} FROM {rows}")

    def rows(self, source: str, notes: Sequence[str] = ()) -> Rows:
        """What was read, for the checks.

        Raises
        ------
        DataError
            If a text holds a NUL byte: such a file was damaged.
        """
        files = ", ".join(map(literal, self._files))
        before = ", ".join(map(str, self._before))
        rows = Rows(
            self.table,
            source,
            file=f"([{files}])[{quoted(self._file)}]",
            row=f"{row_number(self.columns)} - ([{before}])[{quoted(self._file)}]",
            hidden=(self._file,),
            notes=tuple(notes),
        )
        self._must_hold_no_nul(rows)
        return rows

    def _must_hold_no_nul(self, rows: Rows) -> None:
        found = " OR ".join(f"contains({quoted(c)}, chr(0))" for c in self.columns)
        numbered = f"SELECT {rows.file}, {rows.row}, {found} AS found FROM {self.table}"
        at = self.con.execute(f"FROM ({numbered}) WHERE found LIMIT 1").fetchall()
        if at:
            file, row, _ = at[0]
            raise DataError(f"{file}, row {row}: there is a NUL byte", "Export the file again.")

    def _height(self) -> int:
        [(height,)] = self.con.execute(f"SELECT count(*) FROM {self.table}").fetchall()
        return height
