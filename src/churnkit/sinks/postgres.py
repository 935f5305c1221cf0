"""Publishing to PostgreSQL: COPY aside, then one transaction that replaces a date."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from churnkit.errors import DataError
from churnkit.logs.profile.finding import outline
from churnkit.logs.sql import literal, quoted
from churnkit.sinks.publication import RUN, Publication
from churnkit.sources.stores.address import Address
from churnkit.sources.stores.dialect import DIALECTS
from churnkit.sources.stores.postgres import transaction
from churnkit.sources.stores.statement import table_sql

if TYPE_CHECKING:
    import pyarrow as pa

_ASIDE = "churnkit_publication"


class PostgresPublication:
    """A publication as a stream of its steps; the last one is followed by the commit."""

    def __init__(self, told: Publication, address: Address, seconds: float) -> None:
        self._told, self._address, self._seconds = told, address, seconds
        self._table = table_sql(told.table, DIALECTS["postgres"])
        self._cursor: Any = None

    def items(self) -> Generator[str]:
        """Each step when it is done."""
        with transaction(self._told.name, self._address, self._seconds) as cursor:
            self._cursor = cursor
            cursor.execute(f"SET LOCAL statement_timeout = {int(self._seconds * 900)}")
            yield "connected"
            cursor.adbc_ingest(_ASIDE, self._told.rows, mode="create", temporary=True)
            yield "copied aside"
            types = self._locked_types()
            yield "locked"
            self._require_kept_keys(types)
            cursor.execute(self._upsert(types))
            yield "upserted"
            cursor.execute(self._delete(types))
            yield "replaced"
            if self._told.run:
                self._add_to_history()
                yield "added to the history"

    def cancel(self) -> None:
        """Ask the server to end the statement."""
        if self._cursor is not None:
            self._cursor.adbc_cancel()

    def _locked_types(self) -> dict[str, str]:
        """The type of each column of the table, which nobody else may write to from now on."""
        # Two first runs must not both make the table; LOCK TABLE needs it to be there.
        self._all(
            f"SELECT pg_advisory_xact_lock(hashtextextended({literal(self._table)}, 0))::text"
        )
        if not self._described():
            self._cursor.execute(self._create())
        self._cursor.execute(f"LOCK TABLE {self._table} IN SHARE ROW EXCLUSIVE MODE")
        types = self._described()
        self._told.require_same_columns(types)
        return types

    def _add_to_history(self) -> None:
        """Add the rows to the table of all runs, unless they are there."""
        past = PostgresPublication(self._told.history(), self._address, self._seconds)
        past._cursor = self._cursor
        types = past._locked_types()
        cells = ", ".join(f"{quoted(c)}::{types[c]}" for c in self._told.columns)
        self._cursor.execute(
            f"INSERT INTO {past._table} ({_listed((RUN, *self._told.columns))}) "
            f"SELECT {literal(self._told.run)}, {cells} FROM pg_temp.{_ASIDE} "
            "ON CONFLICT DO NOTHING"
        )

    def _described(self) -> dict[str, str]:
        return dict(
            self._all(
                "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
                f"WHERE attrelid = to_regclass({literal(self._table)}) "
                "AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
            )
        )

    def _create(self) -> str:
        columns = ", ".join(
            f"{quoted(field.name)} {_type(field.type)}" for field in self._told.rows.schema
        )
        return f"CREATE TABLE {self._table} ({columns}, PRIMARY KEY ({_listed(self._told.key)}))"

    def _require_kept_keys(self, types: dict[str, str]) -> None:
        """A key that the type of its column changes would name another row."""
        self._cursor.execute("SET LOCAL datestyle = 'ISO'")
        for column in self._told.key:
            cell = f"{quoted(column)}::text"
            lost = self._all(
                f"SELECT {cell} FROM pg_temp.{_ASIDE} "
                f"WHERE {cell}::{types[column]}::text <> {cell} LIMIT 1"
            )
            if lost:
                raise DataError(
                    f"{self._told.name}: {column} {outline(lost[0][0])!r} does not stay the same "
                    f"in a column of type {types[column]}",
                    f"Make {column} a column of type text; nothing was written.",
                )

    def _upsert(self, types: dict[str, str]) -> str:
        told = self._told
        cells = ", ".join(f"{quoted(c)}::{types[c]}" for c in told.columns)
        there, new = (f"({_listed(told.others, of)})" for of in ("t.", "excluded."))
        update = (
            f"UPDATE SET {', '.join(f'{quoted(c)} = excluded.{quoted(c)}' for c in told.others)} "
            f"WHERE {there} IS DISTINCT FROM {new}"
        )
        return (
            f"INSERT INTO {self._table} AS t ({_listed(told.columns)}) "
            f"SELECT {cells} FROM pg_temp.{_ASIDE} "
            f"ON CONFLICT ({_listed(told.key)}) DO {update if told.others else 'NOTHING'}"
        )

    def _delete(self, types: dict[str, str]) -> str:
        date = quoted(self._told.key[0])
        same = " AND ".join(f"s.{quoted(c)}::{types[c]} = t.{quoted(c)}" for c in self._told.key)
        return (
            f"DELETE FROM {self._table} AS t WHERE {date} IN "
            f"(SELECT DISTINCT {date}::{types[self._told.key[0]]} FROM pg_temp.{_ASIDE}) "
            f"AND NOT EXISTS (SELECT FROM pg_temp.{_ASIDE} AS s WHERE {same})"
        )

    def _all(self, sql: str) -> list[tuple[Any, ...]]:
        self._cursor.execute(sql)
        return list(self._cursor.fetchall())


def _listed(columns: Any, of: str = "") -> str:
    return ", ".join(f"{of}{quoted(column)}" for column in columns)


def _type(arrow: pa.DataType) -> str:
    import pyarrow.types as kinds

    if kinds.is_boolean(arrow):
        return "boolean"
    if kinds.is_integer(arrow):
        return "bigint"
    if kinds.is_floating(arrow):
        return "double precision"
    if kinds.is_date(arrow):
        return "date"
    if kinds.is_timestamp(arrow):
        return "timestamptz" if arrow.tz else "timestamp"
    return "text"
