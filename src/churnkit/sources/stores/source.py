"""Tables and queries of SQL stores: read once, in batches, with a watch over silent servers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.errors import ConfigError, DataError
from churnkit.logs.rows import Rows
from churnkit.sources.stores.address import Address
from churnkit.sources.stores.alchemy import StoreRows
from churnkit.sources.stores.dialect import Dialect, dialect_of
from churnkit.sources.stores.postgres import PostgresRows
from churnkit.sources.stores.staging import Staging
from churnkit.sources.stores.statement import Wanted, table_parts
from churnkit.sources.stores.watch import Silence, Stream, watched

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


@dataclass(frozen=True)
class SqlSource:
    """A table or a query of PostgreSQL or of any store that SQLAlchemy has a dialect for.

    Parameters
    ----------
    url
        ``postgresql://reader:${DB_PASSWORD}@host:5432/shop?sslmode=require``. A ``${NAME}`` is
        the environment variable NAME, or the content of the file that NAME_FILE names, and is
        looked up when rows are read; the url may be one ``${NAME}`` as a whole.
    table
        ``orders`` or ``public.orders``; parts in double quotes may hold dots.
    query
        One statement that reads, instead of a table.
    timeout_seconds
        The longest time without a row before reading is given up.
    columns
        Ask for these columns only, named as the store has them; by default for all.

    Raises
    ------
    ConfigError
        If the url is none, or not exactly one of table and query is given.

    Examples
    --------
    >>> SqlSource("postgresql://reader:secret@db/shop", table="public.orders")
    SqlSource('postgresql://reader@db/shop, table public.orders')
    """

    url: str = field(repr=False)
    table: str | None = None
    query: str | None = None
    timeout_seconds: float = 300.0
    columns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        Address.parse(self.url)
        if (self.table is None) == (self.query is None):
            raise ConfigError(
                f"{Address.parse(self.url)}: name a table or a query, and not both",
                "On the command line a table stands behind #: postgresql://host/shop#orders.",
            )
        if self.table is not None:
            table_parts(self.table)

    def __repr__(self) -> str:
        return f"SqlSource({self.name!r})"

    @classmethod
    def parse(cls, text: str) -> SqlSource:
        """The source that ``postgresql://reader@host/shop#public.orders`` names.

        Raises
        ------
        ConfigError
            If it is no URL, or names no table.
        """
        url, _, table = text.partition("#")
        if "@" in table and "@" not in url:  # the # belongs to an unescaped password
            url = text
        return cls(url, table=table or None)

    @property
    def name(self) -> str:
        """Store and table, for messages; never a password."""
        what = "query" if self.table is None else f"table {self.table}"
        return f"{Address.parse(self.url)}, {what}"

    def files(self) -> Sequence[Path]:
        """None: the store hands its rows over."""
        return ()

    def attach(self, con: duckdb.DuckDBPyConnection, log: str) -> Rows:
        """Read all rows, once and in batches, into a temporary table of the connection.

        Raises
        ------
        ConfigError
            If a ``${NAME}`` is not set, a driver is not installed, or the query does not read.
        DataError
            If the store is down, silent, refuses, or breaks off half-way.
        """
        staged = Staging(con, f"{log}_source")
        stream = self.stream(self.wanted.rows_sql(self.dialect))
        try:
            with closing(watched(stream, self.timeout_seconds)) as batches:
                for batch in batches:
                    staged.add(batch)
            staged.flush()
        except Silence:
            raise self._silent(staged.rows) from None
        except DataError as error:
            raise DataError(f"{error.found}{_so_far(staged.rows)}", error.mend) from None
        return Rows(f"{log}_source", self.name, row=staged.row)

    @property
    def wanted(self) -> Wanted:
        """What is asked of the store, from which every statement is composed."""
        return Wanted(self.table, self.query, self.columns)

    @property
    def dialect(self) -> Dialect:
        """How the store writes SQL.

        Raises
        ------
        ConfigError
            If the url is one ``${NAME}`` that is not set.
        """
        address = Address.parse(self.url)
        # Who asks for the dialect needs no password.
        return dialect_of(address.filled() if address.is_one_name else address)

    def stream(self, query: str) -> Stream[pa.RecordBatch]:
        """The rows of a query that the store runs when they are asked for.

        Raises
        ------
        ConfigError
            If a ``${NAME}`` in the url is not set.
        """
        address = Address.parse(self.url).filled()
        rows = PostgresRows if address.dialect == "postgresql" else StoreRows
        return rows(self.name, address, query, self.timeout_seconds)

    def _silent(self, rows: int) -> DataError:
        return DataError(
            f"{self.name}: the store has sent nothing for {self.timeout_seconds:g} seconds"
            f"{_so_far(rows)}",
            "Look whether it is busy or the network is cut; a query that needs longer before its "
            "first row needs a longer timeout_seconds.",
        )


def _so_far(rows: int) -> str:
    return f"; {rows:,} rows had been read" if rows else ""
