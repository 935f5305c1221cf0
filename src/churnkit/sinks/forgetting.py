"""Taking people out of the tables that were published to a store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from churnkit.errors import ConfigError
from churnkit.logs.sql import listed, literal, quoted
from churnkit.mentions import NOTES, Mentions
from churnkit.sinks.publication import HISTORY, RUN
from churnkit.sinks.stores import DIALECTS
from churnkit.sources.stores import dialect
from churnkit.sources.stores.address import Address
from churnkit.sources.stores.alchemy import connection
from churnkit.sources.stores.postgres import transaction, vacuum
from churnkit.sources.stores.statement import table_parts, table_sql

if TYPE_CHECKING:
    from sqlalchemy import ColumnClause, Connection, TableClause

_ID = "customer_id"


def tables_with_history(tables: Sequence[str]) -> tuple[str, ...]:
    """The tables, each followed by that of all its runs.

    >>> tables_with_history(["shop.churn_scores"])
    ('shop.churn_scores', '"shop"."churn_scores_history"')
    """
    told: list[str] = []
    for table in tables:
        *schema, name = table_parts(table)
        told += [table, ".".join(map(quoted, (*schema, f"{name}{HISTORY}")))]
    return tuple(told)


def rows_in_tables(
    url: str, tables: Sequence[str], mentions: Mentions, timeout_seconds: float = 300.0
) -> dict[str, Counter[str]]:
    """Table → customer → rows of those who are sought, of the tables that are there.

    Parameters
    ----------
    url, timeout_seconds
        As for `churnkit.sinks.write_table`, which says what may go wrong.
    tables
        Names of tables.
    mentions
        Who is sought.
    """
    address, name = Address.parse(url).filled(), str(Address.parse(url))
    found: dict[str, Counter[str]] = {}
    if address.dialect == "postgresql":
        with transaction(name, address, timeout_seconds) as cursor:
            for table in _there_in_postgres(cursor, tables):
                rows = _all(
                    cursor,
                    f"SELECT {_ID}::text, count(*) FROM {table_sql(table, _POSTGRES)} "
                    f"WHERE {_ID}::text IN ({listed(mentions.names)}) GROUP BY 1",
                )
                found[table] = Counter({str(who): int(n) for who, n in rows})
        return found
    _require_known(address)
    with connection(name, address, timeout_seconds) as con:
        from sqlalchemy import func, select

        for table, clause in _there(con, tables).items():
            who = clause.c[_ID]
            asked = select(who, func.count()).where(who.in_(mentions.names)).group_by(who)
            found[table] = Counter({str(customer): int(n) for customer, n in con.execute(asked)})
    return found


def forget_in_tables(
    url: str,
    tables: Sequence[str],
    mentions: Mentions,
    renamed: Mapping[str, str] | None = None,
    timeout_seconds: float = 300.0,
) -> None:
    """Delete the rows of some customers, in one transaction, and have the tables written anew.

    MySQL and MariaDB are left to write over the old pages in their own time.

    Parameters
    ----------
    url, tables, mentions, timeout_seconds
        As for `rows_in_tables`.
    renamed
        Run → what it is called since it was published anew; so that the table of all runs does not
        get it a second time.
    """
    address, name = Address.parse(url).filled(), str(Address.parse(url))
    if address.dialect == "postgresql":
        with transaction(name, address, timeout_seconds) as cursor:
            there = _there_in_postgres(cursor, tables)
            for table in there:
                _forget_in_postgres(cursor, table, mentions, renamed or {})
        vacuum(name, address, [table_sql(table, _POSTGRES) for table in there])
        return
    _require_known(address)
    with connection(name, address, timeout_seconds, write=True) as con:
        if address.dialect == "sqlite":
            con.exec_driver_sql("PRAGMA secure_delete = ON")
        for table, clause in _there(con, tables).items():
            con.execute(clause.delete().where(clause.c[_ID].in_(mentions.names)))
            _mask(con, clause, mentions)
            if _is_history(table):
                _rename(con, clause, renamed or {})
        con.commit()
        if address.dialect == "sqlite":
            con.exec_driver_sql("VACUUM")


def _require_known(address: Address) -> None:
    if address.dialect not in DIALECTS:
        raise ConfigError(
            f"tables are not written to {address.dialect}",
            "Use PostgreSQL, MySQL, MariaDB or SQLite, or write a .parquet or .csv file.",
        )


_POSTGRES = dialect.DIALECTS["postgres"]


def _is_history(table: str) -> bool:
    return table_parts(table)[-1].endswith(HISTORY)


def _there(con: Connection, tables: Sequence[str]) -> dict[str, TableClause]:
    """The tables that are there, as SQLAlchemy has them."""
    from sqlalchemy import column, inspect, table
    from sqlalchemy.sql import quoted_name

    looked, found = inspect(con), {}
    for told in tables:
        *schema, name = table_parts(told)
        within = ".".join(schema) or None
        if looked.has_table(name, schema=within):
            names = [c["name"] for c in looked.get_columns(name, schema=within)]
            columns: list[ColumnClause[Any]] = [column(quoted_name(c, quote=True)) for c in names]
            found[told] = table(quoted_name(name, quote=True), *columns, schema=within)
    return found


def _mask(con: Connection, clause: TableClause, mentions: Mentions) -> None:
    """Take their names out of texts that speak of others."""
    from sqlalchemy import select

    for name in {*clause.c.keys()} & {*NOTES}:
        cell = clause.c[name]
        for text in con.scalars(select(cell).where(cell != "").distinct()).all():
            if mentions.in_text(str(text)):
                told = mentions.without(str(text))
                con.execute(clause.update().where(cell == text).values({name: told}))


def _rename(con: Connection, clause: TableClause, renamed: Mapping[str, str]) -> None:
    from sqlalchemy import select

    run = clause.c[RUN]
    for old, new in renamed.items():
        if con.execute(select(run).where(run == new).limit(1)).first() is None:
            con.execute(clause.update().where(run == old).values({RUN: new}))
        else:  # somebody published it since
            con.execute(clause.delete().where(run == old))


def _there_in_postgres(cursor: Any, tables: Sequence[str]) -> list[str]:
    told = [f"to_regclass({literal(table_sql(t, _POSTGRES))})::text" for t in tables]
    return [t for t, name in zip(tables, _all(cursor, f"SELECT {', '.join(told)}")[0], strict=True)
            if name is not None]  # fmt: skip


def _forget_in_postgres(
    cursor: Any, table: str, mentions: Mentions, renamed: Mapping[str, str]
) -> None:
    name = table_sql(table, _POSTGRES)
    cursor.execute(f"DELETE FROM {name} WHERE {_ID}::text IN ({listed(mentions.names)})")
    columns = _all(
        cursor,
        "SELECT attname::text FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped "
        f"AND attrelid = to_regclass({literal(name)})",
    )
    for cell in sorted({column for (column,) in columns} & {*NOTES}):
        for (text,) in _all(cursor, f"SELECT DISTINCT {cell}::text FROM {name}"):
            if text and mentions.in_text(text):
                told = literal(mentions.without(text))
                cursor.execute(f"UPDATE {name} SET {cell} = {told} WHERE {cell} = {literal(text)}")
    for old, new in renamed.items() if _is_history(table) else ():
        is_old, is_new = (f"{RUN} = {literal(run)}" for run in (old, new))
        if _all(cursor, f"SELECT 1 FROM {name} WHERE {is_new} LIMIT 1"):
            cursor.execute(f"DELETE FROM {name} WHERE {is_old}")
        else:
            cursor.execute(f"UPDATE {name} SET {RUN} = {literal(new)} WHERE {is_old}")


def _all(cursor: Any, sql: str) -> list[tuple[Any, ...]]:
    cursor.execute(sql)
    return list(cursor.fetchall())
