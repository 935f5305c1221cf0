"""pandas frames, Arrow tables and whatever speaks the Arrow C stream as tables of DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from churnkit.errors import DataError
from churnkit.logs.rows import Rows, row_number

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True)
class FrameSource:
    """A frame in memory; object columns of mixed types are read as text.

    A stream of Arrow batches, which can be read only once, is taken into the connection.
    """

    frame: Any
    name: str

    def files(self) -> Sequence[Path]:
        """None: it is in memory."""
        return ()

    def attach(self, con: duckdb.DuckDBPyConnection, log: str) -> Rows:
        """Make the frame readable as a table of the connection."""
        import pyarrow as pa

        if isinstance(self.frame, pa.RecordBatchReader):
            return _streamed(con, log, self.frame, self.name)
        rows = _arrow(self.frame, self.name)
        _must_have_columns(rows.schema, self.name)
        con.register(f"{log}_source", rows)
        return Rows(f"{log}_source", self.name)


def _streamed(
    con: duckdb.DuckDBPyConnection, log: str, batches: pa.RecordBatchReader, name: str
) -> Rows:
    """Read a stream of Arrow batches into a temporary table of the connection, batch by batch."""
    import duckdb

    _must_have_columns(batches.schema, name)
    con.register(f"{log}_stream", batches)
    try:
        con.execute(f"CREATE OR REPLACE TEMP TABLE {log}_source AS SELECT * FROM {log}_stream")
    except duckdb.InvalidInputException as error:
        # What follows is the traceback of whoever feeds the stream.
        says = str(error).partition(" Detail: ")[0].partition("failed: ")[2] or str(error)
        raise DataError(f"{name} breaks off: {says}", "Mend what feeds the stream.") from error
    finally:
        con.unregister(f"{log}_stream")
    return Rows(f"{log}_source", name, row=row_number(batches.schema.names))


def _must_have_columns(schema: pa.Schema, name: str) -> None:
    if not len(schema):
        raise DataError(f"{name} has no columns", "Pass one with a column for customer and time.")


def _arrow(frame: Any, name: str) -> pa.Table:
    import pandas as pd
    import pyarrow as pa

    try:
        if isinstance(frame, pa.Table):
            return frame
        if isinstance(frame, pd.DataFrame):
            return pa.Table.from_pandas(_plain(frame, name), preserve_index=False)
        if hasattr(frame, "__arrow_c_stream__"):
            return pa.table(frame)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise DataError(
            f"{name} cannot be read: {': '.join(map(str, reversed(error.args)))}",
            "Make the column text, numbers or times, or leave it out.",
        ) from error
    raise DataError(
        f"{name}: a {type(frame).__name__} is not a log",
        "Pass a pandas frame, an Arrow table, a polars frame or the path of a file.",
    )


def _plain(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The frame with mixed columns as text and zoned times as Arrow keeps them."""
    plain = frame.rename(columns=str)
    twice = plain.columns[plain.columns.duplicated()]
    if len(twice):
        raise DataError(f"{name} has two columns {twice[0]!r}", "Rename or drop one of them.")
    texts = {c: plain[c].map(_text, na_action="ignore") for c in plain if _is_mixed(plain[c])}
    return with_arrow_zones(plain.assign(**cast("dict[str, Any]", texts)))


def with_arrow_zones(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with zoned times as Arrow keeps them: instants, in their own unit."""
    import pandas as pd
    import pyarrow as pa

    # Converted here, since pyarrow asks pandas for zoned times in a way that pandas gives up.
    return frame.astype(
        {
            column: pd.ArrowDtype(pa.timestamp(dtype.unit, "UTC"))
            for column, dtype in frame.dtypes.items()
            if isinstance(dtype, pd.DatetimeTZDtype)
        }
    )


def _is_mixed(column: pd.Series) -> bool:
    from pandas.api.types import is_object_dtype

    return is_object_dtype(column.dtype) and column.dropna().map(type).nunique() > 1


def _text(value: object) -> str:
    # The 123.0 of a column with gaps and the 123 of one without are the same id.
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**63:
        return str(int(value))
    return str(value)
