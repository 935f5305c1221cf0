"""PostgreSQL through ADBC: rows arrive as Arrow batches over COPY, the types kept exact."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from churnkit.errors import ConfigError, DataError
from churnkit.logs.rows import distinct_names
from churnkit.sources.stores.address import Address
from churnkit.sources.stores.dialect import DIALECTS

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_BYTES = 2**20  # a small batch tells early that rows still come
_KEPT = {
    "bool", "int2", "int4", "int8", "float8", "text", "varchar", "bpchar", "name", "numeric",
    "date", "timestamp", "timestamptz",
}  # fmt: skip
# float4 by way of its shortest text, else 10.1 would arrive as 10.1000003814697.
_CAST = {"money": "numeric", "float4": "text::float8"}
_FIRST_DAY = -2_440_588  # 4714-11-24 BC, where PostgreSQL's calendar begins; 0 is 1970-01-01
_CONNECTING = "Check host, port, user, password and database, and that the server is up."
_MENDS = {
    "25006": "Only a query that reads is run; nothing was changed.",
    "28": "Check user and password.",
    "3D000": "Check the database at the end of the url.",
    "3F000": "Check the schema in front of the name of the table.",
    "42P10": "Give the table a primary key of the columns that name a row.",
    "42P01": "Check schema and table, upper and lower case too.",
    "42501": "Ask its owner for that right.",
    "42": "Try the query in psql and mend it.",
    "53": "The server is at its limit: try again later.",
    "55P03": "Somebody else holds a lock on it: try again later.",
}
_ANY = "Look into the log of the server and try again; nothing was changed."


class PostgresRows:
    """The rows of a table or query of PostgreSQL as a stream of Arrow batches.

    The transaction is read-only. Whole numbers, floats, texts, truth values and times keep their
    type, exact decimals arrive as text, and everything else as the text that psql shows.

    Parameters
    ----------
    name
        How messages call what is read.
    address
        A filled address.
    query
        One statement that reads.
    seconds
        The longest wait for a lock.
    """

    def __init__(self, name: str, address: Address, query: str, seconds: float) -> None:
        self._name, self._address, self._query = name, address, query
        self._seconds = seconds
        self._cursor: Any = None

    def items(self) -> Generator[pa.RecordBatch]:
        """The rows in batches of about a million bytes; the first batch is empty."""
        with transaction(self._name, self._address, self._seconds) as cursor:
            self._cursor = cursor
            for statement in DIALECTS["postgres"].session:
                cursor.execute(statement)
            schema = cursor.adbc_execute_schema(self._query)
            cursor.adbc_statement.set_options(
                **{"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)}
            )
            cursor.execute(_typed(self._query, schema))
            names = distinct_names(schema.names)
            with cursor.fetch_record_batch() as reader:
                yield _nothing_of(reader.schema, names)
                for batch in reader:
                    yield _plain(batch, names)

    def cancel(self) -> None:
        """Ask the server to end the query."""
        if self._cursor is not None:
            self._cursor.adbc_cancel()


@contextmanager
def transaction(name: str, address: Address, seconds: float) -> Iterator[Any]:
    """A cursor in a transaction that is committed if the block succeeds, else rolled back.

    Parameters
    ----------
    name
        How messages call what is read or written.
    address
        A filled address.
    seconds
        The longest wait for a lock.

    Raises
    ------
    ConfigError
        If the driver is not installed.
    DataError
        If the server cannot be reached or refuses; the message holds no secret.
    """
    driver = _driver()
    import pyarrow as pa

    try:
        with _connected(driver, address) as con, con.cursor() as cursor:
            # The server gives up a little before the client does, for it knows the reason.
            cursor.execute(f"SET LOCAL lock_timeout = {int(seconds * 800)}")
            # So that a query does not run on when this process is killed; not every server has it.
            cursor.execute(
                "SELECT set_config(name, '10s', true) FROM pg_settings "
                "WHERE name = 'client_connection_check_interval'"
            )
            cursor.fetchall()
            yield cursor
            con.commit()
    except (driver.Error, pa.ArrowException, OSError) as error:
        raise _failure(name, address, error) from None


def vacuum(name: str, address: Address, tables: Sequence[str]) -> None:
    """Have tables written anew, so that nothing of deleted rows is left in their files.

    Parameters
    ----------
    name, address
        As for `transaction`.
    tables
        The tables, as SQL writes them.

    Raises
    ------
    DataError
        If the server cannot be reached or refuses.
    """
    driver = _driver()
    import pyarrow as pa

    try:
        with _connected(driver, address, autocommit=True) as con, con.cursor() as cursor:
            for table in tables:
                cursor.execute(f"VACUUM FULL {table}")
    except (driver.Error, pa.ArrowException, OSError) as error:
        raise _failure(name, address, error) from None


@contextmanager
def _connected(driver: Any, address: Address, *, autocommit: bool = False) -> Iterator[Any]:
    con = driver.connect(
        address.url(
            connect_timeout="10", client_encoding="UTF8", fallback_application_name="churnkit"
        ),
        autocommit=autocommit,
    )
    try:
        yield con
    finally:
        with suppress(driver.Error):  # a connection that broke has nothing to roll back
            con.close()


def _driver() -> Any:
    try:
        from adbc_driver_postgresql import dbapi
    except ImportError:
        raise ConfigError(
            "PostgreSQL is read and written by a driver that is not installed",
            "pip install 'churnkit[postgres]'",
        ) from None
    return dbapi


def _failure(name: str, address: Address, error: Exception) -> DataError:
    state = getattr(error, "sqlstate", None) or ""
    told = str(error)
    mend = next((mend for start, mend in _MENDS.items() if state.startswith(start)), _ANY)
    if "[libpq] Failed to connect" in told:
        mend = _CONNECTING
    said = told.partition("\n\nQuery was:")[0].partition("\nLINE ")[0].partition(". SQLSTATE")[0]
    said = re.split(r"(?:ERROR|FATAL):\s+|\[libpq\] [\w ]+: |^[A-Z_]+: ", said)[-1]
    return DataError(f"{name}: {address.masked(' '.join(said.split()))}", mend)


def _typed(query: str, schema: pa.Schema) -> str:
    """The query with every column that Arrow would not carry as psql shows it cast to text."""
    if not len(schema):
        raise ConfigError("the query has no columns", "Write a query that reads: SELECT.")
    types = [field.metadata[b"POSTGRESQL:type"].decode() for field in schema]
    cells = (
        f"c{i}" if t in _KEPT else f"c{i}::{_CAST.get(t, 'text')}" for i, t in enumerate(types)
    )
    names = ", ".join(f"c{i}" for i in range(len(types)))
    return f"SELECT {', '.join(cells)} FROM (\n{query}\n) AS q({names})"


def _plain(batch: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    """The batch with the names given and without types that only ADBC knows."""
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([_finite(_stored(c)) for c in batch.columns], names)


def _nothing_of(schema: pa.Schema, names: Sequence[str]) -> pa.RecordBatch:
    import pyarrow as pa

    types = (getattr(field.type, "storage_type", field.type) for field in schema)
    return pa.RecordBatch.from_arrays([pa.array([], t) for t in types], names)


def _stored(column: pa.Array) -> pa.Array:
    return getattr(column, "storage", column)


def _finite(column: pa.Array) -> pa.Array:
    """Times whose ``infinity`` is written as the engine writes it.

    ADBC counts from 1970 what PostgreSQL counts from 2000, and its infinite times overflow into
    years before its calendar begins.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(column.type):
        whole, per_day, infinity = pa.int64(), 86_400_000_000, 2**63 - 1
    elif pa.types.is_date32(column.type):
        whole, per_day, infinity = pa.int32(), 1, 2**31 - 1
    else:
        return column
    count = column.view(whole)
    lost = pc.less(count, pa.scalar(_FIRST_DAY * per_day, whole))
    return pc.if_else(lost, pa.scalar(infinity, whole), count).view(column.type)
