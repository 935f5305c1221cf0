"""What the content of a column says: how many values, how often each, which numbers, which times.

Looked at are the first rows of a source and, of long ones, a sample spread over the rest; all of
it inside the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from churnkit.logs.reading import TEXT_TYPES, number, trimmed
from churnkit.logs.rows import Rows
from churnkit.logs.sql import literal, quoted
from churnkit.sources.proposal.moments import Moments, moments

if TYPE_CHECKING:
    import duckdb

FIRST_ROWS = 100_000
SPREAD_ROWS = 50_000
MOST_FREQUENT = 60
_SEED = 7
_BLOCK = 1024
_ALMOST_ALL = 0.98
_VALUES = "values_looked_at"
_DIGIT = r"[0-9\x{0660}-\x{0669}\x{06F0}-\x{06F9}]"
_SHAPES = {
    "spaced": r"\S\s+\S",
    "addresses": r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
    "files": r"\.(csv|tsv|txt|xlsx?|xlsb|ods|parquet|jsonl?|ndjson|gz|zip)$|[/\\].+[/\\]",
    "numbered": r"^(#|[A-Z]{1,5}[-#]?)\d{2,}$",
    "nested": r"(?s)^(\{\s*[\"'}].*|\[.*\])$",
    "numeric": rf"^\W*{_DIGIT}[\d\W\x{{0660}}-\x{{0669}}\x{{06F0}}-\x{{06F9}}]*([eE][+-]?\d+)?$",
    "dated": (
        rf"{_DIGIT}[-/.]{_DIGIT}|{_DIGIT}[- ][A-Za-z]{{3}}"
        r"|^\W*[A-Za-z]{3,9},? ([A-Za-z]{3} )?\d"
    ),
}
"""Shape → pattern; ``numeric`` and ``dated`` are wide, and only say where to look closer."""

YES = frozenset(["true", "yes", "y", "t", "ja", "oui", "si", "sí", "sim", "evet", "بله", "نعم"])
_NO = frozenset(["false", "no", "n", "f", "nein", "non", "nee", "não", "hayır", "خیر", "لا"])


@dataclass(frozen=True)
class Looked:
    """The rows looked at, as tables of the connection.

    Attributes
    ----------
    first
        The first rows, in their order.
    all
        These and the rows spread over the rest of the source.
    rows
        How many ``all`` holds.
    whole
        Whether that is all of the source.
    types
        Source column → SQL type.
    """

    first: str
    all: str
    rows: int
    whole: bool
    types: Mapping[str, str]


@dataclass(frozen=True)
class Evidence:
    """What the cells of one column look like; shares are of the filled cells, 0 to 1.

    Attributes
    ----------
    name, type
        Source column and its SQL type.
    filled
        Share of the rows that have a cell.
    count, distinct
        Filled cells and distinct values among them.
    numbers, whole, negative
        Cells that are numbers; numbers without decimals; numbers below zero.
    low, high, middle
        Smallest, largest and median number.
    decimal
        Which sign the decimals need: ``","``, ``"."`` (with commas that group) or none.
    ambiguous
        Whether point and comma could stand for either.
    length, spaced, addresses, files, numbered, nested
        Mean length; cells with a blank inside; e-mail addresses; names or paths of files;
        running numbers such as ``#1001``; objects and lists, as JSON has them.
    top
        The most frequent values and how often each occurs.
    times
        How the cells read as times, if they do.
    """

    name: str
    type: str
    filled: float
    count: int
    distinct: int
    numbers: float = 0.0
    whole: float = 0.0
    negative: float = 0.0
    low: float = 0.0
    high: float = 0.0
    middle: float = 0.0
    decimal: str | None = None
    ambiguous: bool = False
    length: float = 0.0
    spaced: float = 0.0
    addresses: float = 0.0
    files: float = 0.0
    numbered: float = 0.0
    nested: float = 0.0
    top: tuple[tuple[str, int], ...] = ()
    times: Moments | None = None

    @property
    def repeats(self) -> float:
        """Mean number of cells of one value; 0 without cells."""
        return self.count / self.distinct if self.distinct else 0.0

    @property
    def is_boolean(self) -> bool:
        """Whether the column says yes or no."""
        told = {text.lower() for text, _ in self.top}
        return (
            self.type == "BOOLEAN"
            or (self.distinct == 2 and bool(told & YES) and told <= YES | _NO)
            or (self.distinct == 1 and told <= {"true", "false"})
        )

    @property
    def is_nested(self) -> bool:
        """Whether the cells are objects or lists, of which no single column can be made."""
        return self.nested > 0.5

    @property
    def is_number(self) -> bool:
        """Whether almost all cells are numbers."""
        return self.numbers >= _ALMOST_ALL and self.type != "BOOLEAN"

    @property
    def is_whole(self) -> bool:
        """Whether almost all cells are whole numbers."""
        return self.is_number and self.whole >= _ALMOST_ALL


def look(con: duckdb.DuckDBPyConnection, log: str, rows: Rows) -> Looked:
    """Copy the first rows of a source, and a spread sample of the rest, into the connection."""
    own = f"SELECT {_without(rows.hidden)} FROM {rows.table}"
    first, seen = f"{log}_first_rows", f"{log}_looked_at"
    con.execute(f"CREATE OR REPLACE TEMP TABLE {first} AS {own} LIMIT {FIRST_ROWS}")
    count = _count(con, rows.table)
    whole = count <= FIRST_ROWS
    spread = "" if whole else f" UNION ALL ({own} {_spread(rows, count)})"
    kind = "VIEW" if whole else "TABLE"
    con.execute(f"CREATE OR REPLACE TEMP {kind} {seen} AS SELECT * FROM {first}{spread}")
    types = dict(con.sql(f"SELECT column_name, column_type FROM (DESCRIBE {first})").fetchall())
    return Looked(first, seen, _count(con, seen), whole, types)


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    ((count,),) = con.sql(f"SELECT count(*) FROM {table}").fetchall()
    return int(count)


def _spread(rows: Rows, count: int) -> str:
    """SQL that keeps about `SPREAD_ROWS` of the rows, in blocks, the same ones each time."""
    blocks = max(count // SPREAD_ROWS, 1)
    if "OVER" in rows.row:  # a number that is counted may not stand in a condition
        return f"USING SAMPLE {100 / blocks:.6f} PERCENT (system, {_SEED})"
    return f"WHERE hash(({rows.row}) // {_BLOCK}) % {blocks} = 0"


def _without(hidden: tuple[str, ...]) -> str:
    return f"* EXCLUDE ({', '.join(map(quoted, hidden))})" if hidden else "*"


def evidence(con: duckdb.DuckDBPyConnection, looked: Looked, column: str) -> Evidence:
    """What the cells of a column look like."""
    sql_type, cell = looked.types[column], quoted(column)
    text = f"CAST({cell} AS VARCHAR)"
    value = text if _is_nested(sql_type) else cell
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {_VALUES} AS SELECT v, n, {trimmed('v')} AS told FROM ("
        f"SELECT {value} AS v, count(*) AS n FROM {looked.all} "
        f"WHERE {cell} IS NOT NULL AND trim({text}) NOT IN ('', 'nan', 'NaN') GROUP BY 1)"
    )
    seen = _texts(con)
    count, numeric, dated = seen.pop("count"), seen.pop("numeric"), seen.pop("dated")
    share = count / looked.rows if looked.rows else 0.0
    if count and numeric > 0.5:
        seen |= _numbers(con, sql_type)
    if count and max(numeric, dated) > 0.5:
        seen |= {"times": moments(con, _VALUES, sql_type)}
    return Evidence(column, sql_type, share, int(count), **seen)


def _is_nested(sql_type: str) -> bool:
    return sql_type.endswith("]") or sql_type.startswith(("STRUCT", "MAP", "UNION", "JSON", "ENUM"))


def _texts(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Counts and shapes of the cells as text, in one pass over the distinct values."""
    told = con.sql(
        "SELECT coalesce(sum(n), 0) AS count, count(*) AS distinct_, "
        "sum(n * length(told)) / sum(n) AS length, "
        + ", ".join(
            f"sum(n) FILTER (regexp_matches(told, {literal(shape)})) / sum(n) AS {name}"
            for name, shape in _SHAPES.items()
        )
        + f" FROM {_VALUES}"
    )
    seen = dict(zip(told.columns, (x or 0.0 for x in told.fetchall()[0]), strict=True))
    seen["distinct"] = int(seen.pop("distinct_"))
    top = con.sql(
        f"SELECT told, sum(n) AS k FROM {_VALUES} WHERE told IS NOT NULL GROUP BY told "
        f"ORDER BY k DESC, told LIMIT {MOST_FREQUENT}"
    ).fetchall()
    return seen | {"top": tuple((text, int(k)) for text, k in top)}


def _numbers(con: duckdb.DuckDBPyConnection, sql_type: str) -> dict[str, Any]:
    shares = _shares_of_numbers(con, sql_type)
    best = max(shares.values())
    decimal = next(d for d, share in shares.items() if share >= best - 0.002)
    ((low, high, middle, whole, negative),) = con.sql(
        "SELECT min(x), max(x), quantile_cont(x, 0.5), sum(n) FILTER (x = trunc(x)) / sum(n), "
        "sum(n) FILTER (x < 0) / sum(n) FROM "
        f"(SELECT {number('v', sql_type, decimal)} AS x, n FROM {_VALUES}) WHERE isfinite(x)"
    ).fetchall()
    if low is None:
        return {}
    return {
        "numbers": best, "decimal": decimal, "low": low, "high": high, "middle": middle,
        "whole": whole or 0.0, "negative": negative or 0.0,
        "ambiguous": decimal is not None and abs(shares["."] - shares[","]) < 0.002,
    }  # fmt: skip


def _shares_of_numbers(con: duckdb.DuckDBPyConnection, sql_type: str) -> dict[str | None, float]:
    """Share of the cells that are numbers by what is declared of their decimals."""
    plain = _shares(con, sql_type, None)
    if sql_type not in TEXT_TYPES or plain[None] > 0.998:
        return plain
    return plain | _shares(con, sql_type, ".", ",")


def _shares(
    con: duckdb.DuckDBPyConnection, sql_type: str, *decimals: str | None
) -> dict[str | None, float]:
    told = ", ".join(
        f"coalesce(sum(n) FILTER ({number('v', sql_type, d)} IS NOT NULL) / sum(n), 0)"
        for d in decimals
    )
    (found,) = con.sql(f"SELECT {told} FROM {_VALUES}").fetchall()
    return dict(zip(decimals, found, strict=True))
