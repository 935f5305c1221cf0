"""Batches of one stream whose columns change their type half-way, made one table.

Drivers of many stores tell the type of a column only by its values, so that a batch of gaps, or of
numbers where others hold texts, has a column of another type.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_WHOLE = 2.0**53  # up to here every whole number has a float of its own


def alike(batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """The batches as one table.

    A column of two types becomes text, whole numbers without ``.0``, as it does where a source is
    read at once; gaps have any type. The same holds for the fields of structs.

    Parameters
    ----------
    batches
        At least one; all have the same columns.
    """
    import pyarrow as pa

    schemas = [batch.schema for batch in batches]
    if all(schema.equals(schemas[0]) for schema in schemas[1:]):
        return pa.Table.from_batches(batches)
    types = [
        reduce(_common, (schema.field(name).type for schema in schemas))
        for name in schemas[0].names
    ]
    return pa.concat_tables(
        pa.table([_as(c, t) for c, t in zip(b.columns, types, strict=True)], names=b.schema.names)
        for b in batches
    )


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """The type that holds what both hold."""
    import pyarrow as pa

    if one.equals(other) or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        pairs = zip(one, other, strict=True)
        return pa.struct([(field.name, _common(field.type, to.type)) for field, to in pairs])
    return pa.string()


def _as(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if column.type.equals(wanted):
        return column
    if not pa.types.is_struct(wanted):
        return _text(column) if pa.types.is_string(wanted) else column.cast(wanted)
    # Fields as they lie there: a struct of a chunk has no gaps of its own.
    fields = [_as(column.field(k), field.type) for k, field in enumerate(wanted)]
    return pa.StructArray.from_arrays(fields, fields=list(wanted))


def _text(column: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    text = column.cast(pa.string())
    if not pa.types.is_floating(column.type):
        return text
    whole = pc.and_(pc.equal(column, pc.trunc(column)), pc.less_equal(pc.abs(column), _WHOLE))
    count = pc.if_else(whole, column, None).cast(pa.int64(), safe=False)
    return pc.coalesce(count.cast(pa.string()), text)
