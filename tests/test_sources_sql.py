"""SQL stores: every type arrives sensibly, secrets stay secret, and nobody waits for ever."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from pathlib import Path
from threading import Timer
from typing import Any
from uuid import uuid4

import pytest
import stores
from stores import Postgres, Sqlite, Store

from churnkit.errors import ChurnkitError, ConfigError, DataError
from churnkit.sources import connect
from churnkit.sources.stores import SqlSource
from churnkit.sources.stores.address import Address

ODD = 'x"; DROP TABLE t; --'


@pytest.fixture
def sqlite(tmp_path: Path) -> Sqlite:
    return Sqlite(tmp_path)


@pytest.fixture(params=["postgres", "mysql", "sqlite"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each store in turn."""
    return request.getfixturevalue(request.param)


def read(source: SqlSource) -> list[tuple[Any, ...]]:
    """The rows of a source, in order, with their numbers."""
    with connect() as con:
        rows = source.attach(con, "purchases")
        return con.execute(f"SELECT {rows.row}, * FROM {rows.table} ORDER BY 1").fetchall()


def types(source: SqlSource) -> dict[str, str]:
    with connect() as con:
        rows = source.attach(con, "purchases")
        return {name: kind for name, kind, *_ in con.execute(f"DESCRIBE {rows.table}").fetchall()}


def texts(source: SqlSource) -> dict[str, list[str | None]]:
    """Column → its values as the engine writes them."""
    with connect() as con:
        rows = source.attach(con, "purchases")
        table = con.sql(f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM {rows.table}").to_arrow_table()
        return dict(zip(table.column_names, (c.to_pylist() for c in table.columns), strict=True))


def refused(source: SqlSource, error: type[ChurnkitError] = DataError) -> str:
    """What is said when a source cannot be read, long before the usual patience of 300 seconds."""
    begun = time.monotonic()
    with connect() as con, pytest.raises(error) as caught:
        source.attach(con, "purchases")
    assert time.monotonic() - begun < 30
    return str(caught.value)


# ── A table or a query of any store ─────────────────────────────────────────────────────────


def test_a_table_is_read_in_its_order_with_row_numbers(store: Store) -> None:
    table = store.store(["customer_id", "note"], [["00123", "سلام"], ["Zoë", None], ["c", "it's"]])
    rows = read(SqlSource(store.url, table=table))
    assert rows == [(1, "00123", "سلام"), (2, "Zoë", None), (3, "c", "it's")]


def test_a_query_may_end_in_a_semicolon_and_hold_comments(store: Store) -> None:
    table = store.sql(store.store(["a"], [["x;y"], ["z"]]).split(".")[-1].strip('"'))
    query = f"-- what we want\nSELECT a, ';' AS b /* ; */ FROM {table} WHERE a <> 'z'; -- done;"
    assert read(SqlSource(store.url, query=query)) == [(1, "x;y", ";")]


def test_percent_signs_and_colons_of_a_query_are_left_alone(store: Store) -> None:
    assert read(SqlSource(store.url, query="SELECT ':a %s 100%' AS a")) == [(1, ":a %s 100%")]


def test_columns_of_one_name_are_distinct_names(store: Store) -> None:
    assert list(types(SqlSource(store.url, query='SELECT 1 AS id, 2 AS id, 3 AS "ID"'))) == [
        "id", "id_2", "ID_3",
    ]  # fmt: skip


def test_a_table_without_rows_has_its_columns(store: Store) -> None:
    source = SqlSource(store.url, table=store.store(["customer_id", "ts"], []))
    assert read(source) == []
    assert list(types(source)) == ["customer_id", "ts"]


@pytest.mark.parametrize(
    "query", ["DELETE FROM {t}", "SELECT 1; DELETE FROM {t}", "DROP TABLE {t}"]
)
def test_a_statement_that_changes_data_is_not_sent(store: Store, query: str) -> None:
    table = store.store(["a"], [["x"]]).split(".")[-1].strip('"')
    told = refused(SqlSource(store.url, query=query.format(t=store.sql(table))), ConfigError)
    assert "SELECT" in told
    assert store.rows(f"SELECT * FROM {store.sql(table)}") == [("x",)]


def test_a_query_that_changes_data_in_disguise_is_refused_by_the_store(
    postgres: Postgres, sqlite: Sqlite
) -> None:
    table = postgres.store(["a"], [["x"]])
    postgres.run(
        f"CREATE FUNCTION {postgres.schema}.sly() RETURNS int LANGUAGE sql "
        f"AS 'DELETE FROM {table}; SELECT 1'"
    )
    disguised = [
        f"WITH gone AS (DELETE FROM {table} RETURNING a) SELECT * FROM gone",
        f"SELECT {postgres.schema}.sly()",
    ]
    for query in disguised:
        refused(SqlSource(postgres.url, query=query))
    assert "nothing was changed" in refused(SqlSource(postgres.url, query=disguised[1]))
    assert postgres.rows(f"SELECT * FROM {table}") == [("x",)]
    other = sqlite.store(["a"], [["x"]])
    refused(SqlSource(sqlite.url, query=f"WITH x AS (SELECT 1) DELETE FROM {other} RETURNING a"))
    assert sqlite.rows(f"SELECT * FROM {other}") == [("x",)]


def test_many_rows_keep_their_order_and_number(postgres: Postgres) -> None:
    query = "SELECT g::bigint AS g, repeat('x', 60) FROM generate_series(1, 400000) AS g"
    with connect() as con:
        rows = SqlSource(postgres.url, query=query).attach(con, "purchases")
        told = con.execute(
            f"SELECT count(*), count(*) FILTER (g <> n) FROM (SELECT g, {rows.row} AS n "
            f"FROM {rows.table})"
        ).fetchone()
    assert told == (400_000, 0)


# ── Types ───────────────────────────────────────────────────────────────────────────────────

ARRIVES = {
    "1.23456789012345678901234567890::numeric": "1.23456789012345678901234567890",
    "12.30::numeric(12, 2)": "12.30",
    "'NaN'::numeric": "nan",
    "'12.34'::money": "12.34",
    "10.1::real": "10.1",
    "0.1::double precision": "0.1",
    "9223372036854775807::bigint": "9223372036854775807",
    "true": "true",
    "'e8573e08-141c-468a-9695-2d1f51b85244'::uuid": "e8573e08-141c-468a-9695-2d1f51b85244",
    "'sad'::{s}.mood": "sad",
    "5.5::{s}.euro": "5.50",
    "'00123'::{s}.code": "00123",
    """'{{"a":  1}}'::json""": '{"a":  1}',
    """'{{"b": [1, 2]}}'::jsonb""": '{"b": [1, 2]}',
    "'سلام'::varchar(9)": "سلام",
    "timestamptz '2024-01-01 10:00+03:30'": "2024-01-01 06:30:00+00",
    "timestamp '2024-01-01 10:00:00.123456'": "2024-01-01 10:00:00.123456",
    "timestamptz 'infinity'": "infinity",
    "timestamp '-infinity'": "infinity",
    "date 'infinity'": "infinity",
    "date '2024-02-29'": "2024-02-29",
    "time '10:11:12'": "10:11:12",
    "interval '1 month 2 days'": "1 mon 2 days",
    "ARRAY[1, NULL, 3]": "{1,NULL,3}",
    "ARRAY['sad'::{s}.mood]": "{sad}",
    "'\\x00ff'::bytea": "\\x00ff",
    "'10.0.0.1'::inet": "10.0.0.1/32",
    "'[1,5)'::int4range": "[1,5)",
    "ROW(1, 'z')::{s}.pair": "(1,z)",
    "B'101'": "101",
    "4000000000::oid": "4000000000",
    "'pg_class'::regclass": "pg_class",
}


@pytest.fixture(scope="module")
def own_types(postgres: Postgres) -> str:
    s = postgres.schema
    postgres.run(
        f"CREATE TYPE {s}.mood AS ENUM ('sad', 'glad')",
        f"CREATE DOMAIN {s}.euro AS numeric(10, 2)",
        f"CREATE DOMAIN {s}.code AS text",
        f"CREATE TYPE {s}.pair AS (a int, b text)",
    )
    return s


def test_every_type_of_postgres_arrives_as_psql_shows_it(
    postgres: Postgres, own_types: str
) -> None:
    asked = [f"{sql.format(s=own_types)} AS c{i}" for i, sql in enumerate(ARRIVES)]
    row = ", ".join(asked)
    found = texts(SqlSource(postgres.url, query=f"SELECT {row}"))
    assert [values[0] for values in found.values()] == list(ARRIVES.values())


def test_a_missing_value_of_any_type_is_missing(postgres: Postgres, own_types: str) -> None:
    told = [sql.format(s=own_types) for sql in ARRIVES]
    cells = ", ".join(f"CASE WHEN g = 2 THEN {sql} END AS c{i}" for i, sql in enumerate(told))
    found = texts(SqlSource(postgres.url, query=f"SELECT {cells} FROM generate_series(1, 2) AS g"))
    assert list(found.values()) == [[None, value] for value in ARRIVES.values()]


def test_times_and_whole_numbers_of_postgres_keep_their_type(postgres: Postgres) -> None:
    query = "SELECT 1 AS i, 1.5::float8 AS f, true AS b, timestamp 'epoch' AS t, date 'epoch' AS d"
    assert types(SqlSource(postgres.url, query=query)) == {
        "i": "INTEGER", "f": "DOUBLE", "b": "BOOLEAN", "t": "TIMESTAMP", "d": "DATE",
    }  # fmt: skip


def test_types_of_mysql_arrive_exactly(mysql: stores.MySql) -> None:
    mysql.run(
        "CREATE TABLE kinds (d decimal(20, 4), dt datetime(6), ts timestamp(6) NULL, da date, "
        "e enum('a', 'b'), u bigint unsigned, f float, t varchar(9), zero datetime, j json)",
        "SET time_zone = '+03:30'",
    )
    with mysql.connected() as con, con.cursor() as cursor:
        cursor.execute("SET time_zone = '+03:30', sql_mode = ''")
        cursor.execute(
            "INSERT INTO kinds VALUES (12345678901234.5678, '2024-01-01 10:00:00.123456', "
            "'2024-01-01 10:00:00', '2024-02-29', 'a', 18446744073709551615, 10.1, 'سلام', "
            """'0000-00-00', '{"a": 1}')"""
        )
    assert texts(SqlSource(mysql.url, table="kinds")) == {
        "d": ["12345678901234.5678"],
        "dt": ["2024-01-01 10:00:00.123456"],
        "ts": ["2024-01-01 06:30:00+00"],  # an instant, whatever the zone of the session
        "da": ["2024-02-29"],
        "e": ["a"],
        "u": ["18446744073709551615"],
        "f": ["10.1"],
        "t": ["سلام"],
        "zero": ["0000-00-00 00:00:00"],
        "j": ['{"a": 1}'],
    }


def test_mixed_values_of_sqlite_become_text_whenever_they_turn_up(sqlite: Sqlite) -> None:
    sqlite.run("CREATE TABLE mixed (early, late, number numeric, whole, sparse)")
    with sqlite.connected() as con:
        con.execute("BEGIN")
        con.executemany(
            "INSERT INTO mixed VALUES (?, ?, ?, ?, ?)",
            [
                ("00123" if i % 2 else 123, i if i < 15_000 else "late", 10.0, 2.0**60, None)
                for i in range(15_001)
            ],
        )
        con.execute("INSERT INTO mixed VALUES (X'6162', 7.0, 10.5, 1, 3)")
        con.commit()
    source = SqlSource(sqlite.url, table="mixed")
    assert types(source) == {
        "early": "VARCHAR", "late": "VARCHAR", "number": "VARCHAR", "whole": "VARCHAR",
        "sparse": "BIGINT",
    }  # fmt: skip
    rows = read(source)
    assert rows[0] == (1, "123", "0", "10", "1.152921504606847e+18", None)
    assert rows[14_999][:3] == (15_000, "00123", "14999")
    assert rows[15_000][:3] == (15_001, "123", "late")
    assert rows[15_001] == (15_002, "ab", "7", "10.5", "1", 3)


# ── Faults ──────────────────────────────────────────────────────────────────────────────────


def test_a_server_that_repeats_the_password_is_not_quoted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_PW", "geheim")
    said = b"SFATAL\0C28P01\0Mpassword geheim of SHOP is wrong\0\0"

    def answer(client: Any) -> None:
        client.recv(1000)
        client.sendall(b"E" + (len(said) + 4).to_bytes(4, "big") + said)

    with stores.listening(answer) as port, caplog.at_level(logging.DEBUG):
        url = f"postgresql://reader:${{SHOP_PW}}@127.0.0.1:{port}/shop?sslmode=disable"
        told = refused(SqlSource(url, table="t"))
    assert "password *** of SHOP is wrong" in told
    assert "geheim" not in told + caplog.text


MANY = "SELECT g, repeat('x', 100) AS x FROM generate_series(1, 100000) AS g"


def test_a_server_that_is_down_is_told_with_host_and_port() -> None:
    for scheme in ("postgresql", "mysql"):
        with stores.listening(stores.silent) as port:
            pass
        told = refused(SqlSource(f"{scheme}://reader:geheim@127.0.0.1:{port}/shop", table="t"))
        assert f"127.0.0.1:{port}" in told
        assert "refused" in told
        assert "geheim" not in told


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_takes_the_call_and_says_nothing_is_given_up(scheme: str) -> None:
    with stores.listening(stores.silent) as port:
        source = SqlSource(f"{scheme}://127.0.0.1:{port}/shop", table="t", timeout_seconds=0.5)
        assert "sent nothing for 0.5 seconds" in refused(source)


def test_a_connection_is_given_up_after_ten_seconds_unless_the_url_says_otherwise() -> None:
    assert "connect_timeout=3" in Address.parse("postgresql://db/a?connect_timeout=3").url(
        connect_timeout="10"
    )


def test_a_connection_cut_half_way_is_told_with_how_far_it_came(postgres: Postgres) -> None:
    with stores.proxy(postgres.url, after=5_000_000, then="cut") as url:
        told = refused(SqlSource(f"{url}?sslmode=disable", query=MANY))
    assert "closed the connection" in told
    assert "rows had been read" in told


def test_so_is_one_that_falls_silent(postgres: Postgres) -> None:
    with stores.proxy(postgres.url, after=5_000_000, then="silence") as url:
        source = SqlSource(f"{url}?sslmode=disable", query=MANY, timeout_seconds=1)
        told = refused(source)
    assert "sent nothing for 1 seconds" in told
    assert "rows had been read" in told


def test_so_is_one_that_the_server_ends(postgres: Postgres) -> None:
    query = (
        "SELECT g, repeat('x', 100) AS x, CASE WHEN g = 50000 THEN "
        "pg_terminate_backend(pg_backend_pid()) END FROM generate_series(1, 100000) AS g"
    )
    told = refused(SqlSource(postgres.url, query=query))
    assert "terminating connection" in told
    assert "rows had been read" in told


def test_a_mysql_connection_cut_half_way_is_told(mysql: stores.MySql) -> None:
    query = "WITH RECURSIVE a(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM a WHERE x < 900) "
    query += "SELECT a.x, repeat('x', 100) AS y FROM a JOIN a AS b"
    with stores.proxy(mysql.url, after=4_000_000, then="cut") as url:
        told = refused(SqlSource(url, query=query))
    assert "rows had been read" in told


def test_a_query_that_is_given_up_ends_on_the_server_too(postgres: Postgres) -> None:
    own = f"pg_sleep(60)::text AS t{uuid4().hex}"
    source = SqlSource(postgres.url, query=f"SELECT {own}", timeout_seconds=0.5)
    assert "needs a longer timeout_seconds" in refused(source)
    running = (
        "SELECT count(*) FROM pg_stat_activity WHERE "
        f"strpos(query, '{own}') > 0 AND pid <> pg_backend_pid()"
    )
    until = time.monotonic() + 5
    while postgres.rows(running) != [(0,)] and time.monotonic() < until:
        time.sleep(0.05)
    assert postgres.rows(running) == [(0,)]


def test_a_locked_table_is_told(postgres: Postgres) -> None:
    table = postgres.store(["a"], [["x"]])
    with postgres.connected() as con, con.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        # Long enough for a busy machine to connect before the server gives up at 80 %.
        told = refused(SqlSource(postgres.url, table=table, timeout_seconds=3))
        cursor.execute("ROLLBACK")
    assert "lock" in told


def test_ctrl_c_works_while_a_store_is_silent() -> None:
    with stores.listening(stores.silent) as port, connect() as con:
        source = SqlSource(f"postgresql://127.0.0.1:{port}/shop", table="t")
        Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            source.attach(con, "purchases")


@pytest.mark.parametrize(
    ("change", "asked", "reason"),
    [
        ("", {"table": "nowhere.orders"}, 'relation "nowhere.orders" does not exist'),
        ("", {"query": "SELECT nope FROM pg_class"}, 'column "nope" does not exist'),
        ("", {"query": "SELECT 1 / 0 AS a"}, "division by zero"),
        ("/nowhere", {"table": "t"}, 'database "nowhere" does not exist'),
    ],
)
def test_what_is_wrong_is_told_as_the_server_says_it(
    postgres: Postgres, change: str, asked: dict[str, str], reason: str
) -> None:
    url = postgres.url.rpartition("/")[0] + change if change else postgres.url
    source = SqlSource(url, **asked)
    told = refused(source)
    assert told.startswith(f"{source.name}: ")
    assert reason in told
    assert "COPY" not in told


def test_a_table_that_may_not_be_read_is_told(postgres: Postgres) -> None:
    table = postgres.store(["a"], [["x"]])
    with postgres.stranger() as (_, url):
        told = refused(SqlSource(url, table=table))
    assert "permission denied" in told
    assert "geheim" not in told


def test_reading_makes_no_database_of_a_mistyped_name(tmp_path: Path) -> None:
    told = refused(SqlSource(f"sqlite:///{tmp_path}/nowhere.db", table="t"))
    assert "nowhere.db: no such file" in told
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_text("customer_id,ts\n" * 100)
    assert "not a database" in refused(SqlSource(f"sqlite:///{tmp_path}/shop.db", table="t"))


@pytest.mark.parametrize("kind", ["mysql", "sqlite"])
def test_a_missing_table_is_told(kind: str, request: pytest.FixtureRequest) -> None:
    store = request.getfixturevalue(kind)
    told = refused(SqlSource(store.url, table="nowhere"))
    assert "nowhere" in told.partition(", table nowhere: ")[2]


@pytest.mark.parametrize(
    ("url", "module", "mend"),
    [
        ("postgresql://db/shop", "adbc_driver_postgresql", "pip install 'churnkit[postgres]'"),
        ("mysql://db/shop", "pymysql", "pip install 'churnkit[mysql]'"),
        ("bigquery://project/data", "sqlalchemy_bigquery", "pip install 'churnkit[bigquery]'"),
        ("snowflake://me@account/shop", "snowflake", "pip install 'churnkit[snowflake]'"),
        ("elsewhere://db/shop", "elsewhere", "postgresql, sqlite, mysql"),
    ],
)
def test_a_driver_that_is_not_installed_is_named(
    url: str, module: str, mend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert mend in refused(SqlSource(url, table="t"), ConfigError)
