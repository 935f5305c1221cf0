"""The ledger in tables of PostgreSQL, which many may read and write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from churnkit.errors import Busy, ConfigError
from churnkit.ledger.book import make_tables, require_known
from churnkit.ledger.tables import TABLES
from churnkit.logs.sql import literal, quoted
from churnkit.sources.stores.address import Address
from churnkit.sources.stores.postgres import transaction, vacuum

if TYPE_CHECKING:
    import pyarrow as pa

PREFIX = "churnkit_ledger_"
"""Before the name of each table; they lie in the first schema of the search path."""

_NAP = 0.1
_STATEMENT = 3_600.0  # seconds: a run of millions of rows takes its time


class PostgresSession:
    """A cursor in a transaction."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def rows(self, sql: str) -> pa.Table:
        """What a query finds."""
        self._cursor.execute(sql)
        return self._cursor.fetch_arrow_table()

    def run(self, sql: str) -> None:
        """Run a statement."""
        self._cursor.execute(sql)

    def append(self, table: str, reader: pa.RecordBatchReader) -> None:
        """Add rows, in the columns and types of the table."""
        self._cursor.adbc_ingest(PREFIX + table, reader, mode="append")

    def columns(self, table: str) -> dict[str, str]:
        """Column → SQL type; empty if there is no such table."""
        found = self.rows(
            "SELECT attname::text AS name, format_type(atttypid, atttypmod) AS kind "
            f"FROM pg_attribute WHERE attrelid = to_regclass({literal(self.name(table))}) "
            "AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        )
        return dict(zip(found["name"].to_pylist(), found["kind"].to_pylist(), strict=True))

    def name(self, table: str) -> str:
        """A table as SQL writes it."""
        return quoted(PREFIX + table)


class PostgresBook:
    """The tables of a database.

    Parameters
    ----------
    url
        As for `churnkit.sources.SqlSource`; ``?options=-csearch_path%3DNAME`` names a schema.
    seconds
        How long other writers are waited for.

    Raises
    ------
    ConfigError
        If the url is of another store, or a ``${NAME}`` in it is not set.
    """

    def __init__(self, url: str, seconds: float) -> None:
        self._address, self._seconds = Address.parse(url).filled(), seconds
        self.says = f"the ledger at {Address.parse(url)}"
        if self._address.dialect != "postgresql":
            raise ConfigError(
                f"no ledger is kept in {self._address.dialect}",
                "Give the url of a PostgreSQL, or none for a file of DuckDB.",
            )

    @contextmanager
    def reading(self) -> Iterator[PostgresSession | None]:
        """Look into it; ``None`` if there is none yet."""
        with transaction(self.says, self._address, _STATEMENT) as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            session = PostgresSession(cursor)
            yield session if require_known(session, self.says) else None

    @contextmanager
    def writing(self) -> Iterator[PostgresSession]:
        """Add to it: all that the block adds, or nothing if it fails."""
        with transaction(self.says, self._address, _STATEMENT) as cursor:
            session = PostgresSession(cursor)
            self._wait_for_others(session)
            if not require_known(session, self.says):
                make_tables(session)
                for column in ("number", "customer_id"):
                    session.run(f"CREATE INDEX ON {session.name('scores')} ({column})")
            yield session

    def wipe(self) -> None:
        """Write the tables anew; the log and the backups of the server are its own."""
        names = [quoted(PREFIX + table) for table in TABLES]
        vacuum(self.says, self._address, names)

    def _wait_for_others(self, session: PostgresSession) -> None:
        """One writer at a time, until the transaction ends."""
        until = time.monotonic() + self._seconds
        lock = f"hashtextextended(current_schema() || {literal(PREFIX)}, 0)"
        ask = f"SELECT pg_try_advisory_xact_lock({lock}) AS got"
        while not session.rows(ask)["got"][0].as_py():
            if time.monotonic() > until:
                raise Busy(f"another process is writing to {self.says}", "Try again later.")
            time.sleep(_NAP)
