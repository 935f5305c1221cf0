"""What tells tables of different values apart, however they were cut into chunks and written."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


class ContentHash:
    """The hash of a table that arrives in pieces.

    It follows from names and types of the columns, their values and the order of the rows: neither
    from the borders of chunks nor from how texts are encoded, from metadata or from what writes the
    file. Every NaN is the same; a missing value is none.

    Parameters
    ----------
    schema
        Names and types of the columns.

    Raises
    ------
    DataError
        If a column is of a type that is not published.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._columns = [_Column(field.name, field.type) for field in schema]
        self.rows = 0

    def add(self, table: pa.Table) -> None:
        """The next rows, with columns in the order of the schema."""
        for column, chunks in zip(self._columns, table.columns, strict=True):
            row = self.rows
            for chunk in chunks.chunks:
                column.add(chunk, row)
                row += len(chunk)
        self.rows += table.num_rows

    def hexdigest(self) -> str:
        """The hash of all rows so far, as 64 hex digits."""
        told = sha256(f"{self.rows} rows".encode())
        for column in self._columns:
            told.update(column.digest())
        return told.hexdigest()


def content_hash(table: pa.Table) -> str:
    """The `ContentHash` of a whole table."""
    told = ContentHash(table.schema)
    told.add(table)
    return told.hexdigest()


class _Column:
    """Values and gaps of one column, each as a stream of bytes that chunks do not cut."""

    def __init__(self, name: str, arrow: pa.DataType) -> None:
        self._name, self._kind = name, _kind(name, arrow)
        self._values, self._lengths, self._gaps = sha256(), sha256(), sha256()

    def add(self, chunk: pa.Array, row: int) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not len(chunk):
            return
        if pa.types.is_dictionary(chunk.type):
            chunk = chunk.dictionary_decode()
        if chunk.null_count:
            gaps = np.flatnonzero(chunk.is_null().to_numpy(zero_copy_only=False)) + row
            self._gaps.update(gaps.astype("<i8").tobytes())
        if self._kind == "text":
            self._add_texts(chunk.cast(pa.large_string()))
        elif self._kind == "bool":
            self._values.update(_bytes(pc.fill_null(chunk, False).cast(pa.uint8())))
        elif self._kind.startswith("timestamp"):
            whole = chunk.cast(pa.timestamp("us", chunk.type.tz), safe=False).view(pa.int64())
            self._values.update(_bytes(pc.fill_null(whole, 0)))
        elif self._kind.startswith("date"):
            self._values.update(_bytes(pc.fill_null(chunk.view(pa.int32()), 0)))
        elif self._kind != "null":
            self._values.update(_bytes(pc.fill_null(chunk, 0)))

    def _add_texts(self, chunk: pa.Array) -> None:
        import pyarrow.compute as pc

        whole = pc.fill_null(chunk, "") if chunk.null_count else chunk
        _, ends, letters = whole.buffers()
        ends = np.frombuffer(ends, dtype=np.int64)[whole.offset : whole.offset + len(whole) + 1]
        self._lengths.update(np.diff(ends).astype("<u4").tobytes())
        if letters is not None:
            self._values.update(memoryview(letters)[int(ends[0]) : int(ends[-1])])

    def digest(self) -> bytes:
        told = sha256(f"{len(self._name)} {self._name} {self._kind}".encode())
        for part in (self._values, self._lengths, self._gaps):
            told.update(part.digest())
        return told.digest()


def _bytes(chunk: pa.Array) -> Any:
    values = chunk.to_numpy(zero_copy_only=False)
    if values.dtype.kind == "f":
        unknown = np.isnan(values)
        if unknown.any():  # one NaN for all that there are
            values = np.where(unknown, values.dtype.type(np.nan), values)
    return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False)).data


def _kind(name: str, arrow: pa.DataType) -> str:
    """What kind of values a type holds, however it is stored."""
    import pyarrow.types as kinds

    if kinds.is_dictionary(arrow):
        return _kind(name, arrow.value_type)
    if kinds.is_string(arrow) or kinds.is_large_string(arrow) or kinds.is_string_view(arrow):
        return "text"
    if kinds.is_timestamp(arrow):
        return f"timestamp {arrow.tz or ''}"
    is_plain = kinds.is_integer(arrow) or kinds.is_floating(arrow) or kinds.is_boolean(arrow)
    if is_plain or kinds.is_date32(arrow) or kinds.is_null(arrow):
        return str(arrow)
    raise DataError(
        f"column {name!r} of type {arrow} cannot be published",
        "Make it text, numbers, truth values, days or times.",
    )
