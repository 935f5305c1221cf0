"""What is noticed about a whole log: lines or orders, returns, ids that differ little."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from churnkit.logs.profile.finding import masked
from churnkit.logs.reading import TEXT_TYPES, folded, number, trimmed
from churnkit.logs.sql import quoted
from churnkit.sources.proposal.evidence import Evidence, Looked
from churnkit.sources.proposal.names import tokens

if TYPE_CHECKING:
    import duckdb

_LEAST = 3
_PRICE_ENDS = (0, 49, 50, 90, 95, 99)
_ALL_BUT_SLIPS = 0.995
_MONEY = ("amount", "unit_price", "quantity", "discount")
_CLOCK = r"^\d{1,2}:\d{2}(:\d{2})?( ?[AaPp][Mm])?$"


def grain(con: duckdb.DuckDBPyConnection, looked: Looked, order: str) -> str:
    """``"line items"`` if several rows share an order, else ``"orders"``."""
    ((shared,),) = con.sql(
        f"SELECT avg((n > 1)::INT) FROM (SELECT count(*) AS n FROM {looked.first} "
        f"WHERE {quoted(order)} IS NOT NULL GROUP BY {quoted(order)})"
    ).fetchall()
    return "line items" if (shared or 0) > 0.02 else "orders"


def joined_by_folding(con: duckdb.DuckDBPyConnection, looked: Looked, column: str) -> int:
    """How many ids become another one when digits, letters and invisible signs are folded."""
    if looked.types[column] not in TEXT_TYPES:
        return 0
    return _joined(con, looked, column, trimmed(folded(quoted(column))))


def _joined(con: duckdb.DuckDBPyConnection, looked: Looked, column: str, sql: str) -> int:
    ((joined,),) = con.sql(
        f"SELECT count(DISTINCT {trimmed(quoted(column))}) - count(DISTINCT {sql}) "
        f"FROM {looked.all}"
    ).fetchall()
    return int(joined)


def id_remarks(con: duckdb.DuckDBPyConnection, looked: Looked, column: str) -> Iterator[str]:
    """Ids that differ only by leading zeros, ``.0``, or case: one customer may be two."""
    if looked.types[column] not in TEXT_TYPES:
        return
    plain = trimmed(quoted(column))
    ways = {
        "by leading zeros": f"ltrim({plain}, '0')",
        "by a '.0' at the end": f"regexp_replace({plain}, '^(\\d+)\\.0+$', '\\1')",
        "by upper and lower case": f"lower({plain})",
    }
    for says, sql in ways.items():
        joined = _joined(con, looked, column, sql)
        if joined:
            yield (
                f"{joined:,} ids in {column!r} differ from another only {says}: are they the same?"
            )


def no_numbers(
    con: duckdb.DuckDBPyConnection,
    looked: Looked,
    cells: Mapping[str, Evidence],
    columns: Mapping[str, str],
) -> Iterator[str]:
    """Columns of money of which some cells are no numbers, with one of these cells, masked."""
    for told in (cells[columns[c]] for c in _MONEY if c in columns):
        if not told.count or told.numbers > _ALL_BUT_SLIPS:
            continue
        value = number("v", told.type, told.decimal)
        ((example,),) = con.sql(
            f"SELECT min(v) FROM (SELECT {quoted(told.name)} AS v FROM {looked.all}) "
            f"WHERE trim(v) NOT IN ('', 'nan', 'NaN') AND {value} IS NULL"
        ).fetchall()
        such = f", such as {masked(example)}" if example else ""
        yield (
            f"{1 - told.numbers:.1%} of the cells in {told.name!r} are no numbers{such}: "
            "their rows will be set aside"
        )


def nested(cells: Mapping[str, Evidence]) -> Iterator[str]:
    """Columns of objects or lists, in which what is wanted may be hidden."""
    names = [name for name, told in cells.items() if told.is_nested]
    if names:
        hold = "holds" if len(names) == 1 else "hold"
        yield (
            f"{' and '.join(map(repr, names))} {hold} objects or lists: write what is wanted of "
            "them as columns of their own"
        )


def returns(
    con: duckdb.DuckDBPyConnection,
    looked: Looked,
    cells: Mapping[str, Evidence],
    columns: Mapping[str, str],
) -> Iterator[str]:
    """How returns and cancellations show: numbers below zero, letters before the order id."""
    measured = next((c for c in ("amount", "quantity") if c in columns), None)
    if measured is None:
        return
    told = cells[columns[measured]]
    if not told.negative:
        return
    begins = _letter_of_returns(con, looked, told, columns.get("order_id"))
    share = "less than 0.1 %" if told.negative < 0.001 else f"{told.negative:.1%}"
    what = "an amount" if measured == "amount" else "a quantity"
    yield f"{share} of the rows have {what} below zero and count as returns{begins}"


def _letter_of_returns(
    con: duckdb.DuckDBPyConnection, looked: Looked, measured: Evidence, order: str | None
) -> str:
    if order is None:
        return ""
    value = number(quoted(measured.name), measured.type, measured.decimal)
    letter = f"regexp_extract(CAST({quoted(order)} AS VARCHAR), '^[A-Za-z]+')"
    rows = con.sql(
        f"SELECT {letter} AS letter, avg(({value} < 0)::INT), count(*) AS n FROM {looked.all} "
        "GROUP BY letter ORDER BY n DESC LIMIT 20"
    ).fetchall()
    shares = {told or "": share or 0.0 for told, share, n in rows if n >= _LEAST}
    back = [told for told, share in shares.items() if told and share > 0.9]
    sold = min(shares.values(), default=1.0)
    return f"; their order ids begin with {back[0]!r}" if back and sold < 0.5 else ""


def may_be_cents(con: duckdb.DuckDBPyConnection, looked: Looked, cells: Evidence) -> bool:
    """Whether whole amounts such as 1999 look like hundredths: they end as prices do."""
    if not cells.is_whole or cells.middle < 300 or cells.distinct < 3:
        return False
    value = number(quoted(cells.name), cells.type, cells.decimal)
    ((round_, usual),) = con.sql(
        f"SELECT avg(({value} % 100 = 0)::INT), avg(({value} % 100 IN {_PRICE_ENDS})::INT) "
        f"FROM {looked.all} WHERE {value} IS NOT NULL"
    ).fetchall()
    return (round_ or 0) < 0.5 and (usual or 0) > 0.6


def clock_apart(con: duckdb.DuckDBPyConnection, looked: Looked, unused: list[str]) -> str:
    """A column that holds only the time of day; empty if there is none."""
    for name in unused:
        if not {"time", "uhrzeit", "heure", "hora", "ora", "saat", "tijd", "ساعت", "وقت"} & set(
            tokens(name)
        ):
            continue
        ((share,),) = con.sql(
            f"SELECT avg(regexp_matches(CAST({quoted(name)} AS VARCHAR), '{_CLOCK}')::INT) "
            f"FROM {looked.first}"
        ).fetchall()
        if (share or 0) > 0.9:
            return name
    return ""
