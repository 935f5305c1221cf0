"""What is asked of an SQL store: a table by its name, or one query that reads."""

from __future__ import annotations

import re

from churnkit.errors import ConfigError

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


def bare_query(query: str, dialect: str = "postgresql") -> str:
    r"""A query without the semicolon and comments at its end.

    Raises
    ------
    ConfigError
        If there is no query, more than one, or one that does not begin as queries that read do.

    Examples
    --------
    >>> bare_query("SELECT ';' -- one\n ; -- done")
    "SELECT ';'"
    """
    pattern = _BACKSLASH if dialect in {"mysql", "mariadb", "bigquery"} else _STANDARD
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
