"""Publishing to MySQL, MariaDB and SQLite: in one transaction a date is deleted and written."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from churnkit.errors import DataError
from churnkit.sinks.publication import RUN, Publication
from churnkit.sources.stores.address import Address
from churnkit.sources.stores.alchemy import connection
from churnkit.sources.stores.statement import table_parts

if TYPE_CHECKING:
    import pyarrow as pa
    from sqlalchemy import Connection, Table

DIALECTS = ("mysql", "mariadb", "sqlite")
_ROWS_AT_ONCE = 1_000


class StorePublication:
    """A publication as a stream of its steps; the last one is followed by the commit."""

    def __init__(self, told: Publication, address: Address, seconds: float) -> None:
        self._told, self._address, self._seconds = told, address, seconds

    def items(self) -> Generator[str]:
        """Each step when it is done."""
        told, date = self._told, self._told.key[0]
        with connection(told.name, self._address, self._seconds, write=True) as con:
            self._wait_for_others(con)
            table = _table(told, con.dialect.name)
            self._make(con, table)
            yield "made"
            dates = told.rows[date].unique().to_pylist()
            con.execute(table.delete().where(table.c[date].in_(dates)))
            for batch in told.rows.to_batches(_ROWS_AT_ONCE):
                con.execute(table.insert(), batch.to_pylist())
                yield "written"
            if told.run:
                yield from self._add_to_history(con)
            con.commit()

    def _add_to_history(self, con: Connection) -> Iterator[str]:
        """Add the rows to the table of all runs, unless they are there."""
        from sqlalchemy import select

        past = StorePublication(self._told.history(), self._address, self._seconds)
        table = _table(past._told, con.dialect.name)
        past._make(con, table)
        date = self._told.key[0]
        dates = self._told.rows[date].unique().to_pylist()
        same = (table.c[RUN] == self._told.run) & table.c[date].in_(dates)
        if con.execute(select(table.c[RUN]).where(same).limit(1)).first() is None:
            for batch in past._told.rows.to_batches(_ROWS_AT_ONCE):
                con.execute(table.insert(), batch.to_pylist())
                yield "added to the history"

    def cancel(self) -> None:
        """Nothing to ask: what is not committed goes with the connection."""

    def _make(self, con: Connection, table: Table) -> None:
        from sqlalchemy import inspect

        table.create(con, checkfirst=True)
        there = inspect(con).get_columns(table.name, schema=table.schema)
        self._told.require_same_columns([column["name"] for column in there])

    def _wait_for_others(self, con: Connection) -> None:
        """One writer at a time, until the connection ends."""
        if con.dialect.name == "sqlite":
            con.exec_driver_sql(f"PRAGMA busy_timeout = {int(self._seconds * 800)}")
            con.exec_driver_sql("BEGIN IMMEDIATE")
            return
        from sqlalchemy import func, select

        lock = f"churnkit:{self._told.table}"[:64]
        if con.scalar(select(func.get_lock(lock, int(self._seconds * 0.8)))) != 1:
            raise DataError(
                f"{self._told.name}: somebody else is writing to it", "Try again later."
            )


def _table(told: Publication, dialect: str) -> Table:
    from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, Table

    *schema, name = table_parts(told.table)
    columns = (
        Column(
            field.name,
            _type(field.type, dialect, is_key=field.name in told.key),
            autoincrement=False,
            quote=True,
        )
        for field in told.rows.schema
    )
    return Table(
        name,
        MetaData(),
        *columns,
        PrimaryKeyConstraint(*told.key),
        schema=".".join(schema) or None,
        quote=True,
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
    )


def _type(arrow: pa.DataType, dialect: str, *, is_key: bool) -> Any:
    import pyarrow.types as kinds
    from sqlalchemy import BigInteger, Boolean, Date, DateTime, Double, String, Text

    if kinds.is_boolean(arrow):
        return Boolean()
    if kinds.is_integer(arrow):
        return BigInteger()
    if kinds.is_floating(arrow):
        return Double()
    if kinds.is_date(arrow):
        return Date()
    if kinds.is_timestamp(arrow):
        return DateTime()
    # Two ids that differ only in case are two customers; a key must have a length in MySQL.
    exact = None if dialect == "sqlite" else "utf8mb4_bin"
    return String(255, collation=exact) if is_key else Text()
