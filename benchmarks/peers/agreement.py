"""Whether two ways wrote the same rows: cell by cell, or by checksums where there are too many.

Counts and sums must be equal to the last bit, reals within a millionth of their size, or within a
millionth where they are small: a spread near zero is what rounding leaves of two large numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from peers.columns import COLUMNS, COUNTS, REALS, SUMS

_TOLERANCE = 1e-6
_EXACT = (*COUNTS, *SUMS)


@dataclass(frozen=True)
class Checksum:
    """Rows, and of each column how many values there are, their sum and that of their sizes.

    Sums are added up as integers of a hundredth, which is exact in any order.
    """

    rows: int
    filled: Mapping[str, int]
    total: Mapping[str, float]
    size: Mapping[str, float]


def checksum(out: Path) -> Checksum:
    """The checksum of the Parquet files of a folder."""
    hundredths = (f"CAST(round({name} * 100) AS HUGEINT)" for name in SUMS)
    added = dict(zip(COLUMNS, (*COUNTS, *hundredths, *REALS), strict=True))
    filled = (f"count({name})" for name in COLUMNS)
    totals = (f"COALESCE(sum({value}), 0)" for value in added.values())
    sizes = (f"COALESCE(sum(abs({value})), 0)" for value in added.values())
    told = ", ".join(["count(*)", *filled, *totals, *sizes])
    rows, *values = _only_row(f"SELECT {told} FROM ({_values(out)})")
    width = len(COLUMNS)
    counted, total, size = (
        dict(zip(COLUMNS, values[k * width :][:width], strict=True)) for k in range(3)
    )
    return Checksum(rows, counted, total, size)


def differing_sums(own: Checksum, reference: Checksum) -> Iterator[str]:
    """What tells two checksums apart, in words."""
    if own.rows != reference.rows:
        yield f"{own.rows:,} rows, not {reference.rows:,}"
    for name in COLUMNS:
        if own.filled[name] != reference.filled[name]:
            yield f"{name}: {own.filled[name]:,} values, not {reference.filled[name]:,}"
        mine, other = own.total[name], reference.total[name]
        allowed = 0 if name in _EXACT else _TOLERANCE * max(reference.size[name], 1)
        if abs(mine - other) > allowed:
            yield f"{name}: the sum is {mine}, not {other}"


def differing_cells(own: Path, reference: Path, all_rows: bool = True) -> Iterator[str]:
    """What tells the Parquet files of two folders apart, in words.

    With ``all_rows`` false the first may hold a part of the rows only.
    """
    apart = (f"count(*) FILTER ({_apart(name)})" for name in COLUMNS)
    found = _only_row(
        f"SELECT (SELECT count(*) FROM own), (SELECT count(*) FROM other), count(*), "
        f"{', '.join(apart)} FROM own JOIN other USING (customer_id, as_of)",
        own=_values(own), other=_values(reference),
    )  # fmt: skip
    mine, others, common, *differing = found
    if mine != common or (all_rows and others != common):
        yield f"{mine:,} rows against {others:,}, {common:,} of them in both"
    for name, cells in zip(COLUMNS, differing, strict=True):
        if cells:
            yield f"{name}: {cells:,} of {common:,} values differ"


def _values(out: Path) -> str:
    """SQL of the rows of a folder in one form, whatever types they were written in."""
    # By default DuckDB believes statistics that leave NaN out, and drops the test for it.
    columns = ", ".join(f"nullif(CAST({n} AS DOUBLE), 'nan'::DOUBLE) AS {n}" for n in COLUMNS)
    return (
        f"SELECT CAST(customer_id AS VARCHAR) AS customer_id, CAST(as_of AS VARCHAR) AS as_of, "
        f"{columns} FROM read_parquet('{out}/*.parquet', can_have_nan = true)"
    )


def _apart(name: str) -> str:
    own, other = f"own.{name}", f"other.{name}"
    if name in _EXACT:
        return f"{own} IS DISTINCT FROM {other}"
    allowed = f"{_TOLERANCE} * greatest(abs({own}), abs({other}), 1)"
    return f"({own} IS NULL) <> ({other} IS NULL) OR abs({own} - {other}) > {allowed}"


def _only_row(sql: str, **tables: str) -> tuple[int, ...]:
    views = "; ".join(f"CREATE TEMP VIEW {name} AS {rows}" for name, rows in tables.items())
    with duckdb.connect() as con:
        if views:
            con.execute(views)
        (row,) = con.sql(sql).fetchall()
    return tuple(row)
