"""How each SQL store writes names, finds the customer in an id, and sorts by bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from churnkit.errors import ConfigError, did_you_mean
from churnkit.logs.sql import quoted
from churnkit.sources.stores.address import Address

# What reading trims off an id: control characters (most stores have no U+0000) and separators.
_BLANKS = (
    *range(1, 0x21), *range(0x7F, 0xA1), 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F,
    0x205F, 0x3000,
)  # fmt: skip
_A_LINE = 15  # of them in a line of SQL
_EDGES = r"^[\p{Cc}\p{Z}]+|[\p{Cc}\p{Z}]+$"  # the same as a pattern
_FILED = {"postgresql": "postgres", "mariadb": "mysql"}  # of a url → under which it is known here


@dataclass(frozen=True)
class Dialect:
    """What churnkit must know of a store to ask it for rows.

    Attributes
    ----------
    name
        ``postgres``, ``mysql`` …; of a store known to SQLAlchemy only, its name there.
    quoted
        Identifier → as SQL writes it, whatever characters it holds.
    in_bytes
        SQL of an id → SQL that sorts in the byte order of UTF-8 of the text that churnkit makes of
        the id; ``None`` where churnkit does not know how.
    numbers_rows
        Whether rows have a number that reading the table unsorted would give them, too; where a
        table has no order, they are numbered as they arrive.
    session
        What is said first, so that the session only reads and its times are UTC; elsewhere drivers
        hand over instants, and only queries that read are sent.
    encoding
        A query for the encoding of texts and the only answer with which bytes are those of UTF-8;
        ``None`` where there is no other.
    has_escapes
        Whether a backslash within a text between single quotes escapes what follows.
    never
        Characters that no name may hold: drivers written in C end a statement at U+0000, and
        BigQuery takes a name between backticks apart at its dots.
    """

    name: str
    quoted: Callable[[str], str] = quoted
    in_bytes: Callable[[str], str] | None = None
    numbers_rows: bool = False
    session: tuple[str, ...] = ()
    encoding: tuple[str, str] | None = None
    has_escapes: bool = False
    never: str = "\0"

    def identifier(self, name: str) -> str:
        """A name as SQL of the store writes it.

        Raises
        ------
        ConfigError
            If it holds a character that no name of the store may hold.
        """
        found = next((sign for sign in self.never if sign in name), None)
        if found is not None:
            raise ConfigError(
                f"the name {name!r} holds {found!r}, which no name in {self.name} may hold",
                "Check the name of the table or column.",
            )
        return self.quoted(name)


def _doubled_backticks(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _escaped_backticks(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _blanks(prefix: str) -> str:
    """SQL text of all blanks, by their escapes, in lines that can be read."""
    lines = (_BLANKS[k : k + _A_LINE] for k in range(0, len(_BLANKS), _A_LINE))
    texts = ("".join(rf"\u{code:04X}" for code in line) for line in lines)
    return " ||\n    ".join(f"{prefix}'{text}'" for text in texts)


def _postgres(cell: str) -> str:
    return f'btrim({cell}::text,\n    {_blanks("E")}) COLLATE "C"'


def _sqlite(cell: str) -> str:
    lines = (_BLANKS[k : k + _A_LINE] for k in range(0, len(_BLANKS), _A_LINE))
    codes = ",\n    ".join(", ".join(map(str, line)) for line in lines)
    return f"trim(CAST({cell} AS TEXT), char(\n    {codes})) COLLATE BINARY"


def _mysql(cell: str) -> str:
    # Every collation of MySQL, binary ones of text too, may pad with blanks; bytes are not padded.
    edges = _EDGES.replace("\\", "\\\\")
    text = f"CONVERT(CAST({cell} AS CHAR) USING utf8mb4)"
    return f"CAST(REGEXP_REPLACE({text},\n    '{edges}', '') AS BINARY)"


def _bigquery(cell: str) -> str:
    return f"CAST(REGEXP_REPLACE(CAST({cell} AS STRING), r'{_EDGES}', '') AS BYTES)"


def _snowflake(cell: str) -> str:
    return f"TO_BINARY(TRIM(CAST({cell} AS VARCHAR),\n    {_blanks('')}), 'UTF-8')"


def _databricks(cell: str) -> str:
    return f"CAST(regexp_replace(CAST({cell} AS STRING), r'{_EDGES}', '') AS BINARY)"


def _trino(cell: str) -> str:
    return f"to_utf8(regexp_replace(CAST({cell} AS VARCHAR), '{_EDGES}', ''))"


DIALECTS = {
    dialect.name: dialect
    for dialect in (
        Dialect(
            "postgres",
            in_bytes=_postgres,
            numbers_rows=True,
            session=("SET TRANSACTION READ ONLY",),
            encoding=("SELECT current_setting('server_encoding')", "UTF8"),
        ),
        Dialect(
            "mysql",
            quoted=_doubled_backticks,
            in_bytes=_mysql,
            session=(
                "SET SESSION time_zone = '+00:00'",
                "SET SESSION sql_mode = REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', '')",
                "SET SESSION TRANSACTION READ ONLY",
            ),
            has_escapes=True,
        ),
        Dialect(
            "sqlite",
            in_bytes=_sqlite,
            numbers_rows=True,
            session=("PRAGMA query_only = ON",),
            encoding=("PRAGMA encoding", "UTF-8"),
        ),
        Dialect(
            "bigquery",
            quoted=_escaped_backticks,
            in_bytes=_bigquery,
            has_escapes=True,
            never="\0.",
        ),
        Dialect("snowflake", in_bytes=_snowflake, has_escapes=True),
        Dialect("databricks", quoted=_doubled_backticks, in_bytes=_databricks, has_escapes=True),
        Dialect("trino", in_bytes=_trino),
    )
}
"""The stores whose ways are known, by name."""


def dialect_named(name: str) -> Dialect:
    """The dialect of that name.

    Raises
    ------
    ConfigError
        If there is none.
    """
    known = DIALECTS.get(_FILED.get(name, name))
    if known is None:
        raise ConfigError(
            f"there is no dialect {name!r}",
            f"{did_you_mean(name, DIALECTS)}The dialects are {', '.join(DIALECTS)}.",
        )
    return known


def dialect_of(address: Address) -> Dialect:
    """The dialect of the store at an address; of one that only SQLAlchemy knows, its quoting."""
    name = _FILED.get(address.dialect, address.dialect)
    return DIALECTS.get(name) or Dialect(name, quoted=_by_sqlalchemy(address.scheme))


def _by_sqlalchemy(scheme: str) -> Callable[[str], str]:
    from sqlalchemy import URL
    from sqlalchemy.exc import NoSuchModuleError

    try:
        dialect = URL.create(scheme).get_dialect()()
    except (NoSuchModuleError, ModuleNotFoundError):
        return quoted  # nothing will be asked: who connects is told what to install
    return dialect.identifier_preparer.quote_identifier
