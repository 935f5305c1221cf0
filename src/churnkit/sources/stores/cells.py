"""Values of Python, as drivers hand them over, in columns of Arrow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from types import NoneType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def batch_of(
    rows: Sequence[Sequence[Any]], names: Sequence[str], instants: Sequence[bool]
) -> pa.RecordBatch:
    """Rows as columns of Arrow, each of the one type its values share, else of text.

    Exact decimals are text, and so are whole numbers beyond 64 bits.

    Parameters
    ----------
    rows
        The rows; there may be none.
    names
        Names of the columns.
    instants
        Which columns hold times of UTC that do not say so.
    """
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    cells = zip(columns, instants, strict=True)
    return pa.RecordBatch.from_arrays(
        [_array([_in_utc(v) for v in c] if instant else c) for c, instant in cells], names
    )


def _in_utc(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _array(values: Sequence[Any]) -> pa.Array:
    """The values as the one type they share; else as text."""
    import pyarrow as pa

    arrow = {
        frozenset(): pa.null(),
        frozenset({bool}): pa.bool_(),
        frozenset({int}): pa.int64(),
        frozenset({float}): pa.float64(),
        frozenset({str}): pa.string(),
        frozenset({date}): pa.date32(),
        frozenset({datetime}): pa.timestamp("us"),
        frozenset({"zoned"}): pa.timestamp("us", "UTC"),
    }.get(_kinds(values))
    try:
        if arrow is not None:
            return pa.array(values, arrow)
    except (pa.ArrowException, OverflowError):
        pass  # a whole number beyond 64 bits: as text it is exact
    return pa.array([_text(value) for value in values], pa.string())


def _kinds(values: Sequence[Any]) -> frozenset[Any]:
    kinds = set(map(type, values)) - {NoneType}
    if datetime not in kinds:
        return frozenset(kinds)
    zoned = {bool(v.tzinfo) for v in values if isinstance(v, datetime)}
    return frozenset(kinds - {datetime} | {"zoned" if is_zoned else datetime for is_zoned in zoned})


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return str(int(value))
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
