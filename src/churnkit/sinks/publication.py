"""What is published: rows, the table they go to, and the key that names them."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from churnkit.errors import DataError
from churnkit.logs.sql import quoted
from churnkit.sources.frames import with_arrow_zones
from churnkit.sources.stores.statement import table_parts

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

HISTORY, RUN = "_history", "run"
"""What the name of the table of all runs ends with, and its column that names the run."""


@dataclass(frozen=True)
class Publication:
    """Rows on their way to a table.

    Attributes
    ----------
    name
        How messages call the table; never holds a password.
    table
        The table, with or without a schema.
    rows
        The rows; every key stands for one of them.
    key
        The columns that name a row; the first one is replaced value by value.
    run
        The run that the rows are of; with one they are added to the `history` as well.
    """

    name: str
    table: str
    rows: pa.Table
    key: tuple[str, ...]
    run: str = ""

    @classmethod
    def of(
        cls, frame: pd.DataFrame, name: str, table: str, key: tuple[str, ...], run: str = ""
    ) -> Publication:
        """The publication of a frame.

        Raises
        ------
        DataError
            If a key column is not there or has gaps, or a key stands in two rows.
        """
        lacking = [column for column in key if column not in frame.columns]
        if lacking:
            raise DataError(f"{name}: the rows have no {lacking[0]!r}", "It is part of the key.")
        keys = frame[list(key)]
        faulty = (keys.duplicated() | keys.isna().any(axis=1)).to_numpy()
        if faulty.any():
            raise DataError(
                f"{name}: the key {', '.join(key)} of row {int(faulty.argmax()) + 1} is incomplete "
                "or stands in two rows",
                "Publish one row per key.",
            )
        if run and RUN in frame.columns:
            raise DataError(f"{name}: the rows have a {RUN!r}", "The history needs the name.")
        return cls(name, table, _arrow(frame, name), key, run)

    def history(self) -> Publication:
        """The same rows on their way to the table of all runs, named by run and key."""
        import pyarrow as pa

        *schema, table = table_parts(self.table)
        runs = pa.array([self.run] * self.rows.num_rows, pa.string())
        return Publication(
            name=f"{self.name}{HISTORY}",
            table=".".join(map(quoted, (*schema, f"{table}{HISTORY}"))),
            rows=self.rows.add_column(0, RUN, runs),
            key=(RUN, *self.key),
        )

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.rows.column_names)

    @property
    def others(self) -> list[str]:
        """Names of the columns that are no part of the key."""
        return [column for column in self.columns if column not in self.key]

    def require_same_columns(self, there: Collection[str]) -> None:
        """Refuse a table that does not have the columns of the rows.

        Raises
        ------
        DataError
            If the table lacks a column, or has one more.
        """
        lacking = [column for column in self.columns if column not in there]
        more = [column for column in there if column not in self.columns]
        if lacking or more:
            told = f"lacks {', '.join(lacking)}" if lacking else ""
            also = f"has also {', '.join(more)}" if more else ""
            raise DataError(
                f"{self.name}: the table {' and '.join(filter(None, [told, also]))}",
                "Name another table, or change the columns of this one; nothing was written.",
            )


def _arrow(frame: pd.DataFrame, name: str) -> pa.Table:
    import pyarrow as pa

    try:
        rows = pa.Table.from_pandas(with_arrow_zones(frame), preserve_index=False)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise DataError(
            f"{name}: the rows cannot be written: {', '.join(map(str, reversed(error.args)))}",
            "Make the column text, numbers or times.",
        ) from error
    return pa.table({field.name: _flat(rows[field.name]) for field in rows.schema})


def _flat(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Categories as their values, times in microseconds, lists and structures as JSON text."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("us", column.type.tz), safe=False)
    if pa.types.is_nested(column.type):
        told = column.to_pylist()
        return pa.chunked_array(
            [[None if v is None else json.dumps(v, ensure_ascii=False, default=str) for v in told]]
        )
    return column
