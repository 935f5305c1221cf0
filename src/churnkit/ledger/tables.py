"""The tables of the ledger, and how the columns of a run lie in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = 1
"""The layout of the tables; a newer one is refused."""

TABLES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "meta": {"version": "BIGINT"},
        "runs": {
            "number": "BIGINT", "run": "TEXT", "as_of": "TEXT", "sequence": "BIGINT",
            "counts": "BOOLEAN", "model_version": "TEXT", "policy": "TEXT", "config": "TEXT",
            "content": "TEXT", "customers": "BIGINT", "red": "BIGINT", "yellow": "BIGINT",
            "green": "BIGINT", "columns": "TEXT", "told": "TEXT",
        },
        "scores": {"number": "BIGINT", "place": "BIGINT", "customer_id": "TEXT"},
        "overrides": {
            "entry": "BIGINT", "customer_id": "TEXT", "day": "TEXT", "light": "TEXT",
            "before": "TEXT", "until": "TEXT", "owner": "TEXT", "reason": "TEXT",
        },
        "outcomes": {
            "record": "BIGINT", "row": "BIGINT", "customer_id": "TEXT", "as_of": "TEXT",
            "done": "BOOLEAN", "result": "TEXT", "cost": "FLOAT8", "note": "TEXT", "arm": "TEXT",
            "file": "TEXT",
        },
    }
)  # fmt: skip
"""Table → column → SQL type. ``scores`` gets a column more for each that a run brings; ``number``
names a run in both, ``counts`` says whether it took the place of the runs of its day before it."""

LIGHTS = ("red", "yellow", "green")

_ARROW = {
    "TEXT": "string", "VARCHAR": "string", "BIGINT": "int64", "FLOAT8": "double",
    "DOUBLE": "double", "DOUBLE PRECISION": "double", "BOOLEAN": "bool", "DATE": "date32",
    "TIMESTAMP": "timestamp[us]", "TIMESTAMP WITHOUT TIME ZONE": "timestamp[us]",
}  # fmt: skip
_SQL = {
    "string": "TEXT", "int64": "BIGINT", "double": "FLOAT8", "bool": "BOOLEAN",
    "date32[day]": "DATE", "timestamp[us]": "TIMESTAMP",
}  # fmt: skip


def arrow_of(sql: str) -> pa.DataType:
    """The Arrow type of the values of a column."""
    import pyarrow as pa

    return pa.type_for_alias(_ARROW[sql.upper()])


def arrow_of_table(table: str) -> pa.Schema:
    """The Arrow schema of one of the `TABLES`."""
    import pyarrow as pa

    return pa.schema([(name, arrow_of(sql)) for name, sql in TABLES[table].items()])


def sql_of(arrow: pa.DataType) -> str:
    """The SQL type under which values of a type are kept; text for what has no better one."""
    import pyarrow.types as kinds

    if kinds.is_boolean(arrow):
        return "BOOLEAN"
    if kinds.is_integer(arrow):
        return "BIGINT"
    if kinds.is_floating(arrow):
        return "FLOAT8"
    if kinds.is_date(arrow):
        return "DATE"
    if kinds.is_timestamp(arrow) and arrow.tz is None:
        return "TIMESTAMP"
    return "TEXT"


def both_hold(there: str, new: str) -> str:
    """The SQL type that holds the values of two."""
    names = {_SQL[str(arrow_of(sql))] for sql in (there, new)}
    if len(names) == 1:
        return names.pop()
    return "FLOAT8" if names == {"BIGINT", "FLOAT8"} else "TEXT"


def plain(schema: pa.Schema) -> pa.Schema:
    """The types under which the columns of a run come back."""
    import pyarrow as pa

    def type_of(arrow: pa.DataType) -> pa.DataType:
        if pa.types.is_dictionary(arrow):
            return type_of(arrow.value_type)
        kept = arrow_of(sql_of(arrow))
        is_null = pa.types.is_null(arrow)
        return arrow if is_null or (str(kept) != "string" and kept != arrow) else kept

    return pa.schema([(field.name, type_of(field.type)) for field in schema])


def told_columns(schema: pa.Schema) -> str:
    """Names and types of the columns of a run as text."""
    return json.dumps({field.name: str(field.type) for field in schema}, ensure_ascii=False)


def columns_told(text: str) -> dict[str, pa.DataType]:
    """What `told_columns` told."""
    import pyarrow as pa

    return {name: pa.type_for_alias(told) for name, told in json.loads(text).items()}


class Stream:
    """The rows of a run on their way into ``scores``, and what is to be told of all of them.

    Parameters
    ----------
    batches
        The rows.
    columns
        Name → type of the columns of the run.
    schema
        The columns of the table, in the types of the table.
    number
        The number of the run.
    """

    def __init__(
        self,
        batches: Iterator[pa.RecordBatch],
        columns: Mapping[str, pa.DataType],
        schema: pa.Schema,
        number: int,
    ) -> None:
        self._batches, self._columns = batches, columns
        self._schema, self._number = schema, number
        self.rows = 0
        self.lights = dict.fromkeys(LIGHTS, 0)
        self.first: dict[str, str] = {}

    def reader(self) -> pa.RecordBatchReader:
        """The rows as the table takes them; to be read once."""
        import pyarrow as pa

        return pa.RecordBatchReader.from_batches(self._schema, self._stored())

    def _stored(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in self._batches:
            if not batch.num_rows:
                continue
            told = {name: self._plain(batch, name) for name in self._columns}
            self._look(told)
            places = np.arange(self.rows, self.rows + batch.num_rows, dtype=np.int64)
            told["number"] = pa.array(np.full(batch.num_rows, self._number, dtype=np.int64))
            told["place"] = pa.array(places)
            self.rows += batch.num_rows
            yield pa.RecordBatch.from_arrays(
                [_as(told[field.name], field.type) for field in self._schema], schema=self._schema
            )

    def _plain(self, batch: pa.RecordBatch, name: str) -> pa.Array:
        import pyarrow as pa

        column = batch.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        return _as(column, self._columns[name])

    def _look(self, told: Mapping[str, pa.Array]) -> None:
        """Count the lights, and keep what is the same for a whole run."""
        import pyarrow.compute as pc

        for name in ("model_version", "policy"):
            if name in told and name not in self.first:
                self.first[name] = str(told[name][0].as_py() or "")
        if "light" in told:
            for light in self.lights:
                is_it = pc.equal(_as(told["light"], arrow_of("TEXT")), light)
                self.lights[light] += int(pc.sum(is_it).as_py() or 0)


def require_storable(schema: pa.Schema) -> None:
    """Refuse columns that the ledger has no room for.

    Raises
    ------
    DataError
        If a column has a name that the ledger needs, or holds lists or structures.
    """
    import pyarrow as pa

    for field in schema:
        if field.name in ("number", "place"):
            raise DataError(
                f"a run has no column {field.name!r}: the ledger needs the name", "Rename it."
            )
        if pa.types.is_nested(field.type):
            raise DataError(f"column {field.name!r} of a run holds lists", "Make it text.")


def _as(column: pa.Array, arrow: pa.DataType) -> pa.Array:
    if column.type == arrow:
        return column
    return column.cast(arrow)
