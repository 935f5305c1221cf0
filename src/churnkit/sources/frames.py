"""pandas frames, Arrow tables and whatever speaks the Arrow C stream as tables of DuckDB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from churnkit.errors import DataError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True)
class FrameSource:
    """A frame in memory; object columns of mixed types are read as text."""

    frame: Any
    name: str

    def attach(self, con: duckdb.DuckDBPyConnection, log: str) -> str:
        """Make the frame readable as a table of the connection and return its SQL expression."""
        view = f"{log}_source"
        con.register(view, _arrow(self.frame, self.name))
        return view


def _arrow(frame: Any, name: str) -> pa.Table:
    import pandas as pd
    import pyarrow as pa

    if isinstance(frame, pa.Table):
        return frame
    if isinstance(frame, pd.DataFrame):
        return pa.Table.from_pandas(_as_text_where_mixed(frame), preserve_index=False)
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.table(frame)
    raise DataError(
        f"{name}: a {type(frame).__name__} is not a log",
        "Pass a pandas frame, an Arrow table, a polars frame or the path of a file.",
    )


def _as_text_where_mixed(frame: pd.DataFrame) -> pd.DataFrame:
    from pandas.api.types import is_object_dtype

    mixed = [
        column
        for column in frame.columns
        if is_object_dtype(frame.dtypes[column]) and frame[column].map(type).nunique() > 1
    ]
    texts = {c: frame[c].where(frame[c].isna(), frame[c].map(str)) for c in mixed}
    return frame.assign(**texts).rename(columns=str)
