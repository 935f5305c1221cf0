"""Stores that tests may write to, and bad networks in front of them.

Each process has a schema of its own in PostgreSQL and a database of its own in MySQL or MariaDB;
`sweep` drops them. Where nothing listens, the test is skipped with the address.
"""

from __future__ import annotations

import os
import re
import socket
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Thread
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import needs
import pyarrow as pa
import pytest

from churnkit.sources.stores.address import Address

POSTGRES = os.environ.get("CHURNKIT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
MYSQL = os.environ.get("CHURNKIT_TEST_MYSQL", "mysql+pymysql://root@127.0.0.1:3306/test")


class Store(ABC):
    """A store with a place in it that belongs to the tests."""

    url: str
    text = "text"  # the type of any text

    @abstractmethod
    def connected(self) -> Any:
        """A DB-API connection that commits by itself."""

    @abstractmethod
    def table(self, name: str) -> str:
        """The name under which churnkit finds a table."""

    def quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def run(self, *statements: str) -> None:
        with closing(self.connected()) as con, closing(con.cursor()) as cursor:
            for statement in statements:
                cursor.execute(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(self.connected()) as con, closing(con.cursor()) as cursor:
            cursor.execute(query)
            return [tuple(row) for row in cursor.fetchall()]

    def store(self, columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> str:
        """A new table of texts; its name for churnkit."""
        name = f"t{uuid4().hex[:8]}"
        told = ", ".join(f"{self.quoted(column)} {self.text}" for column in columns)
        filled = (
            ", ".join("NULL" if cell is None else self.cell(cell) for cell in row) for row in rows
        )
        self.run(
            f"CREATE TABLE {self.sql(name)} ({told})",
            *(f"INSERT INTO {self.sql(name)} VALUES ({cells})" for cells in filled),
        )
        return self.table(name)

    types: Mapping[str, str] = {}  # of Arrow → of the store; all else is text
    mark = "?"  # of a parameter

    def take(self, table: pa.Table) -> str:
        """A new table with the rows of one of Arrow; its name for churnkit."""
        name = f"t{uuid4().hex[:8]}"
        kinds = [self.types.get(str(kind), self.text) for kind in table.schema.types]
        columns = zip(map(self.quoted, table.column_names), kinds, strict=True)
        cells = (
            column if kind != self.text else map(_text, column)
            for column, kind in zip(table.to_pydict().values(), kinds, strict=True)
        )
        marks = ", ".join(self.mark for _ in kinds)
        with closing(self.connected()) as con, closing(con.cursor()) as cursor:
            cursor.execute(f"CREATE TABLE {self.sql(name)} ({', '.join(map(' '.join, columns))})")
            cursor.execute("BEGIN")
            cursor.executemany(
                f"INSERT INTO {self.sql(name)} VALUES ({marks})", list(zip(*cells, strict=True))
            )
            cursor.execute("COMMIT")
        return self.table(name)

    def cell(self, text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    def sql(self, name: str) -> str:
        """A table of the tests as SQL of the store writes it."""
        return self.quoted(name)

    @abstractmethod
    def drop(self) -> None:
        """Leave nothing behind."""


class Postgres(Store):
    url = POSTGRES

    def __init__(self) -> None:
        self.schema = f"churnkit_{uuid4().hex[:12]}"
        self.run(f"CREATE SCHEMA {self.schema}")

    def connected(self) -> Any:
        from adbc_driver_postgresql import dbapi

        return dbapi.connect(self.url, autocommit=True)

    def table(self, name: str) -> str:
        return f"{self.schema}.{self.quoted(name)}"

    sql = table

    def take(self, table: pa.Table) -> str:
        name = f"t{uuid4().hex[:8]}"
        with closing(self.connected()) as con, closing(con.cursor()) as cursor:
            cursor.adbc_ingest(name, table, db_schema_name=self.schema)
        return self.table(name)

    @contextmanager
    def stranger(self) -> Iterator[tuple[str, str]]:
        """A role that may do nothing but see the schema, and the URL with which it connects."""
        role = f"{self.schema}_stranger"
        self.run(
            f"CREATE ROLE {role} LOGIN PASSWORD 'geheim'",
            f"GRANT USAGE ON SCHEMA {self.schema} TO {role}",
        )
        try:
            yield role, re.sub(r"://[^/@]*@", f"://{role}:geheim@", self.url)
        finally:
            self.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")

    def drop(self) -> None:
        self.run(f"DROP SCHEMA {self.schema} CASCADE")


class MySql(Store):
    types = MappingProxyType(
        {"int64": "bigint", "double": "double", "timestamp[us]": "datetime(6)"}
    )
    mark = "%s"

    def __init__(self) -> None:
        self.schema = Address.parse(MYSQL).database
        name = f"churnkit_{uuid4().hex[:12]}"
        self.run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        self.schema, self.url = name, re.sub(r"/\w+$", f"/{name}", MYSQL)

    def connected(self) -> Any:
        import pymysql

        told = Address.parse(MYSQL).filled()
        host, port = told.host_and_port
        return pymysql.connect(
            host=host,
            port=port or 3306,
            user=told.user,
            password=told.password,
            database=self.schema,
            autocommit=True,
        )

    def table(self, name: str) -> str:
        return name

    def quoted(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def drop(self) -> None:
        self.run(f"DROP DATABASE {self.schema}")


class Sqlite(Store):
    types = MappingProxyType({"int64": "integer", "double": "real"})

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"shop {uuid4().hex[:8]} 100%.db"
        self.url = f"sqlite:///{self.path}"
        sqlite3.connect(self.path).close()

    def connected(self) -> Any:
        return sqlite3.connect(self.path, isolation_level=None)

    def table(self, name: str) -> str:
        return name

    def drop(self) -> None:
        self.path.unlink()


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


_made: list[Store] = []


@cache
def postgres() -> Postgres:
    """The PostgreSQL of the tests; the test is skipped where there is none."""
    needs.package("postgres", "adbc_driver_postgresql")
    return _kept(POSTGRES, Postgres)


@cache
def mysql() -> MySql:
    """The MySQL or MariaDB of the tests; the test is skipped where there is none."""
    pytest.importorskip("pymysql")
    return _kept(MYSQL, MySql)


def _kept(url: str, kind: Any) -> Any:
    host, port = address_of(url)
    with suppress(OSError):
        socket.create_connection((host, port), timeout=2).close()
        _made.append(kind())
        return _made[-1]
    why = f"nothing listens at {host}:{port}"
    if kind is Postgres:
        needs.missing("postgres", why)
    pytest.skip(why)


def sweep() -> None:
    """Drop what the tests of this process have made."""
    while _made:
        _made.pop().drop()
    postgres.cache_clear()
    mysql.cache_clear()


def address_of(url: str) -> tuple[str, int]:
    """Host and port of a URL that has both."""
    host, port = re.search(r"([^@/:]+):(\d+)/", url).groups()
    return host, int(port)


# ── Bad networks ────────────────────────────────────────────────────────────────────────────


@contextmanager
def listening(serve: Any) -> Iterator[int]:
    """The port of a server that handles every connection with ``serve(socket)``."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    taken.append(client)
                    Thread(target=_quietly, args=(serve, client), daemon=True).start()

        Thread(target=accept, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            for client in taken:
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
                client.close()


def _quietly(serve: Any, client: socket.socket) -> None:
    with suppress(OSError):
        serve(client)


def silent(client: socket.socket) -> None:
    """Takes what comes and never answers."""
    while client.recv(65536):
        pass


@contextmanager
def proxy(url: str, after: int, then: str, *, upwards: bool = False) -> Iterator[str]:
    """The URL through a proxy that is cut or silent once ``after`` bytes came back (or went up)."""
    host, port = address_of(url)

    def serve(client: socket.socket) -> None:
        with socket.create_connection((host, port)) as server:
            limited, free = ((client, server), (server, client))[:: 1 if upwards else -1]
            Thread(target=_quietly, args=(lambda _: _pump(*free), client), daemon=True).start()
            _pump(*limited, at_most=after)
            if then == "silence":
                silent(limited[0])
            client.shutdown(socket.SHUT_RDWR)

    with listening(serve) as own:
        yield url.replace(f"{host}:{port}", f"127.0.0.1:{own}")


@contextmanager
def overheard(url: str) -> Iterator[tuple[str, bytearray]]:
    """The URL through a proxy that notes what goes up, and that."""
    host, port = address_of(url)
    heard = bytearray()

    def serve(client: socket.socket) -> None:
        with socket.create_connection((host, port)) as server:
            Thread(target=_quietly, args=(lambda _: _pump(server, client), client)).start()
            while got := client.recv(65536):
                heard.extend(got)
                server.sendall(got)
            server.shutdown(socket.SHUT_RDWR)

    with listening(serve) as own:
        yield url.replace(f"{host}:{port}", f"127.0.0.1:{own}"), heard


def _pump(source: socket.socket, target: socket.socket, at_most: int | None = None) -> None:
    left = at_most
    while (left is None or left > 0) and (got := source.recv(min(65536, left or 65536))):
        target.sendall(got)
        left = None if left is None else left - len(got)
