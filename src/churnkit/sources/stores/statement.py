"""What is asked of an SQL store: a table by its name, or one query that reads.

`Wanted` composes every statement that reads rows, for those who run it and those who explain it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from churnkit.errors import ConfigError
from churnkit.sources.stores.dialect import Dialect

_PART = r'"(?:[^"]|"")+"|[^."][^.]*'
_READS = re.compile(r"(SELECT|WITH|VALUES|TABLE|FROM|\()", re.IGNORECASE)
_PIECE = r"""
    (?P<comment>--[^\n]*|/\*.*?\*/) | (?P<blank>\s+) | (?P<end>;)
  | {string} | "(?:[^"]|"")*" | `[^`]*` | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$
  | [\w.]+ | .
"""
_FLAGS = re.VERBOSE | re.DOTALL
_STANDARD = re.compile(
    _PIECE.replace("{string}", r"[eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*'"), _FLAGS
)
_BACKSLASH = re.compile(_PIECE.replace("{string}", r"'(?:[^'\\]|''|\\.)*'"), _FLAGS)


@dataclass(frozen=True)
class Wanted:
    """A table or a query of a store, and the columns that are wanted of it.

    Attributes
    ----------
    table, query
        One of the two; see `table_parts` and `bare_query`.
    columns
        Names as the store has them; none stands for all there are.
    """

    table: str | None = None
    query: str | None = None
    columns: tuple[str, ...] = ()

    def rows_sql(self, dialect: Dialect) -> str:
        """The rows as the store hands them out."""
        if self.query is not None and not self.columns:
            return bare_query(self.query, dialect)
        return self._selected(dialect)

    def columns_sql(self, dialect: Dialect) -> str:
        """No row, which tells the columns."""
        return f"{self._selected(dialect)}\nWHERE 1 = 0"

    def sorted_sql(self, dialect: Dialect, customer: str, time: str | None) -> str:
        """The rows by customer, in the byte order of their ids, and by time where there is one.

        Where the dialect numbers rows, the number is the last column.

        Raises
        ------
        ConfigError
            If nothing is known of how the dialect sorts.
        """
        if dialect.in_bytes is None:
            raise ConfigError(
                f"churnkit does not know how {dialect.name} sorts texts",
                'Let churnkit sort: engine = "duckdb".',
            )
        order = [dialect.in_bytes(f"q.{dialect.identifier(customer)}")]
        order += [f"q.{dialect.identifier(time)}"] if time is not None else []
        joined = ",\n  ".join(order)
        number = ", row_number() OVER ()" if dialect.numbers_rows else ""
        return f"{self._selected(dialect, number)}\nORDER BY\n  {joined}"

    def _selected(self, dialect: Dialect, more: str = "") -> str:
        return f"SELECT {self._cells(dialect)}{more}\nFROM {self._place(dialect)}"

    def _cells(self, dialect: Dialect) -> str:
        return ", ".join(f"q.{dialect.identifier(name)}" for name in self.columns) or "q.*"

    def _place(self, dialect: Dialect) -> str:
        if self.query is not None:
            return f"(\n{bare_query(self.query, dialect)}\n) AS q"
        return f"{table_sql(self.table or '', dialect)} AS q"


def table_sql(table: str, dialect: Dialect) -> str:
    """The name of a table as SQL of a store writes it, whatever characters it holds."""
    return ".".join(map(dialect.identifier, table_parts(table)))


def table_parts(table: str) -> tuple[str, ...]:
    """Schema and name of a table such as ``public.orders``; a part in double quotes may hold dots.

    Raises
    ------
    ConfigError
        If there is no name.

    Examples
    --------
    >>> table_parts('public."odd.name"')
    ('public', 'odd.name')
    """
    if not re.fullmatch(rf"(?:{_PART})(?:\.(?:{_PART}))*", table):
        raise ConfigError(f"{table!r} is not the name of a table", "Write it as schema.table.")
    return tuple(
        part[1:-1].replace('""', '"') if part.startswith('"') and part.endswith('"') else part
        for part in re.findall(_PART, table)
    )


def bare_query(query: str, dialect: Dialect) -> str:
    r"""A query without the semicolon and comments at its end.

    Raises
    ------
    ConfigError
        If there is no query, more than one, or one that does not begin as queries that read do.

    Examples
    --------
    >>> from churnkit.sources.stores.dialect import dialect_named
    >>> bare_query("SELECT ';' -- one\n ; -- done", dialect_named("postgres"))
    "SELECT ';'"
    """
    pattern = _BACKSLASH if dialect.has_escapes else _STANDARD
    told = [t for t in pattern.finditer(query) if t.lastgroup not in {"comment", "blank"}]
    while told and told[-1].lastgroup == "end":
        told.pop()
    if not told:
        raise ConfigError("the query is empty", "Write a SELECT, or name a table.")
    if any(piece.lastgroup == "end" for piece in told):
        raise ConfigError("the query holds several statements", "Write one SELECT.")
    if not _READS.match(told[0][0]):
        raise ConfigError(
            f"the query begins with {told[0][0]!r}", "Write a query that reads: SELECT."
        )
    return query[told[0].start() : told[-1].end()]
