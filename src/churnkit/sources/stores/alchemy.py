"""Any SQL store that SQLAlchemy has a dialect for: a URL and an extra, no code."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from churnkit.errors import ConfigError, DataError
from churnkit.logs.rows import distinct_names
from churnkit.sources.stores.address import Address
from churnkit.sources.stores.cells import batch_of
from churnkit.sources.stores.dialect import dialect_of

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import URL, Connection, CursorResult, Engine

_BATCH_ROWS = 10_000
_DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
_EXTRAS = {
    "mysql": "mysql", "mariadb": "mysql", "bigquery": "bigquery", "snowflake": "snowflake",
    "databricks": "databricks", "trino": "trino",
}  # fmt: skip
_MYSQL = {"mysql", "mariadb"}
_MYSQL_TIMESTAMP = 7  # the wire type of TIMESTAMP, an instant; DATETIME (12) is a wall clock


class StoreRows:
    """The rows of a query of an SQL store as a stream of Arrow batches.

    The driver is asked to stream, and for no more than a batch at once.

    Exact decimals arrive as text; a column of a batch that mixes types does too.

    Parameters
    ----------
    name
        How messages call what is read.
    address
        A filled address.
    query
        One statement that reads.
    seconds
        The longest wait for an answer, where the driver can be told.
    """

    def __init__(self, name: str, address: Address, query: str, seconds: float) -> None:
        self._name, self._address, self._query = name, address, query
        self._seconds = seconds
        self._driver_connection: Any = None

    def items(self) -> Generator[pa.RecordBatch]:
        """The rows in batches of ten thousand; the first batch is empty."""
        with connection(self._name, self._address, self._seconds) as con:
            self._driver_connection = con.connection.dbapi_connection
            for statement in dialect_of(self._address).session:
                con.exec_driver_sql(statement)
            con.commit()
            # Without parameters a driver leaves % and : in the query alone.
            reading = con.execution_options(
                stream_results=True, max_row_buffer=_BATCH_ROWS, no_parameters=True
            )
            result = reading.exec_driver_sql(self._query)
            described = _described(result)
            names = distinct_names([column[0] for column in described])
            instants = _instants(self._address.dialect, described)
            try:
                yield batch_of([], names, instants)
                for rows in result.partitions(_BATCH_ROWS):
                    yield batch_of(rows, names, instants)
            except BaseException:
                _forget_rest(result.cursor)
                raise

    def cancel(self) -> None:
        """Interrupt the query where the driver can; else it ends with the connection."""
        interrupt = getattr(self._driver_connection, "interrupt", None)
        if interrupt is not None:
            interrupt()


@contextmanager
def connection(
    name: str, address: Address, seconds: float, *, write: bool = False
) -> Iterator[Connection]:
    """A connection that is closed at the end, and dropped at once if the block fails.

    Raises
    ------
    ConfigError
        If no dialect or driver for the address is installed.
    DataError
        If the store cannot be reached or refuses; the message holds no secret.
    """
    engine = _engine(address, seconds, write=write)
    try:
        with engine.connect() as con:
            try:
                yield con
            except BaseException:
                con.invalidate()  # closing in the ordinary way would first read the rest
                raise
    except (ConfigError, DataError):
        raise
    except Exception as error:  # drivers raise what they like
        raise _failure(name, address, error) from None


def _engine(address: Address, seconds: float, *, write: bool) -> Engine:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import NoSuchModuleError
    from sqlalchemy.pool import NullPool

    options: dict[str, Any] = {}
    if address.dialect in _MYSQL:
        options = {
            "connect_timeout": 10,
            "read_timeout": math.ceil(seconds),
            "write_timeout": math.ceil(seconds),
        }
    try:
        return create_engine(_url(address, write=write), poolclass=NullPool, connect_args=options)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise _not_installed(address, error) from None


def _url(address: Address, *, write: bool) -> URL:
    from sqlalchemy import URL

    options: dict[str, Any] = dict(address.options)
    if address.dialect == "sqlite":
        mode = "rwc" if write else "ro"  # reading must not make an empty database
        return URL.create(
            address.scheme,
            database=f"file:{quote(_file(address, write=write))}",
            query=options | {"mode": mode, "uri": "true"},
        )
    host, port = address.host_and_port
    return URL.create(
        _DRIVERS.get(address.scheme, address.scheme),
        username=address.user or None,
        password=address.password or None,
        host=host or None,
        port=port,
        database=address.database or None,
        query=options,
    )


def _file(address: Address, *, write: bool) -> str:
    path = Path(address.database)
    if not address.database or (not write and not path.is_file()):
        raise DataError(
            f"{address}: no such file",
            "Write sqlite:///folder/shop.db, or sqlite:////folder/shop.db from the root.",
        )
    return str(path)


def _not_installed(address: Address, error: Exception) -> ConfigError:
    extra = _EXTRAS.get(address.dialect)
    if extra:
        return ConfigError(
            f"{address.dialect} is read by a driver that is not installed",
            f"pip install 'churnkit[{extra}]'",
        )
    module = getattr(error, "name", None)
    known = ", ".join(["postgresql", "sqlite", *_EXTRAS])
    return ConfigError(
        f"no driver for {address.scheme}:// is installed",
        f"pip install {module}" if module else f"Stores known by name: {known}.",
    )


def _failure(name: str, address: Address, error: Exception) -> DataError:
    cause = getattr(error, "orig", None) or error
    said = next((a for a in reversed(cause.args) if isinstance(a, str)), "") or str(cause)
    return DataError(
        f"{name}: {address.masked(' '.join(said.split()))}",
        "Check the url, that the store is up, and the names of tables and columns.",
    )


def _described(result: CursorResult[Any]) -> Sequence[Sequence[Any]]:
    if result.cursor is None or not result.cursor.description:
        raise ConfigError("the query has no columns", "Write a query that reads: SELECT.")
    return result.cursor.description


def _forget_rest(cursor: Any) -> None:
    """Keep PyMySQL from reading what is left of a result when its connection is gone."""
    unread: Any = getattr(cursor, "_result", None)
    if hasattr(unread, "unbuffered_active"):
        unread.unbuffered_active = False


def _instants(dialect: str, described: Sequence[Sequence[Any]]) -> list[bool]:
    """Which columns hold instants that the driver hands over as wall-clock times of UTC."""
    return [dialect in _MYSQL and column[1] == _MYSQL_TIMESTAMP for column in described]
