"""Batches that arrive once, kept in a temporary table that can be read again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.logs.rows import row_number
from churnkit.logs.sql import quoted

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_BATCH = "churnkit_batch"
_PIECE_BYTES = 2**25
_NOTHING = '"NULL"'  # the type of a column that holds no value yet
_WHOLE = 2**53  # up to here every whole number has a float of its own


class Staging:
    """A temporary table of a DuckDB connection that takes batches in order.

    Rows keep the order in which they came. A column whose type differs between batches becomes
    text, whole numbers without ``.0``.

    Parameters
    ----------
    con
        The connection.
    table
        Name of the table, made anew by the first batch.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, table: str) -> None:
        self._con, self._table = con, table
        self._types: dict[str, str] = {}
        self._waiting: list[pa.RecordBatch] = []
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Append a batch; every batch has the same columns, the first may be empty."""
        if self._waiting and self._waiting[0].schema != batch.schema:
            self.flush()
        self._waiting.append(batch)
        self.rows += batch.num_rows
        # The engine takes a few large pieces several times faster than many small ones.
        if sum(waiting.nbytes for waiting in self._waiting) >= _PIECE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Append what still waits; to be called at the end."""
        if not self._waiting:
            return
        import pyarrow as pa

        self._con.register(_BATCH, pa.Table.from_batches(self._waiting))
        try:
            self._append(self._described())
        finally:
            self._con.unregister(_BATCH)
        self._waiting.clear()

    @property
    def row(self) -> str:
        """SQL expression of the number of a row; 1 is the first."""
        return row_number(self._types)

    def _described(self) -> dict[str, str]:
        told = self._con.execute(f"SELECT column_name, column_type FROM (DESCRIBE {_BATCH})")
        return dict(told.fetchall())

    def _append(self, arriving: dict[str, str]) -> None:
        if not self._types:
            self._create(arriving)
        for column, sql_type in arriving.items():
            if sql_type not in {self._types[column], _NOTHING}:
                self._widen(column, sql_type)
        cells = ", ".join(
            quoted(column) if sql_type == self._types[column] else _text(column, sql_type)
            for column, sql_type in arriving.items()
        )
        self._con.execute(f"INSERT INTO {self._table} SELECT {cells} FROM {_BATCH}")

    def _create(self, arriving: dict[str, str]) -> None:
        self._types = arriving
        columns = ", ".join(f"{quoted(c)} {_stored(t)}" for c, t in arriving.items())
        self._con.execute(f"CREATE OR REPLACE TEMP TABLE {self._table} ({columns})")

    def _widen(self, column: str, sql_type: str) -> None:
        before = self._types[column]
        after = sql_type if before == _NOTHING else "VARCHAR"
        self._types[column] = after
        self._con.execute(
            f"ALTER TABLE {self._table} ALTER {quoted(column)} TYPE {after} "
            f"USING {'NULL' if before == _NOTHING else _text(column, before)}"
        )


def _stored(sql_type: str) -> str:
    return "VARCHAR" if sql_type == _NOTHING else sql_type


def _text(column: str, sql_type: str) -> str:
    cell = quoted(column)
    if sql_type == _NOTHING:
        return "NULL"
    if sql_type != "DOUBLE":
        return f"CAST({cell} AS VARCHAR)"
    return (
        f"CASE WHEN {cell} = trunc({cell}) AND abs({cell}) <= {_WHOLE} "
        f"THEN CAST(CAST({cell} AS BIGINT) AS VARCHAR) ELSE CAST({cell} AS VARCHAR) END"
    )
