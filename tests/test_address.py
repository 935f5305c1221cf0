"""What a store's URL, table and query say, and that their secrets stay secret."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.errors import ConfigError
from churnkit.logs.rows import distinct_names
from churnkit.sources import SqlSource
from churnkit.sources.stores.address import Address, require_no_password, rooted
from churnkit.sources.stores.dialect import dialect_named
from churnkit.sources.stores.statement import bare_query, table_parts

ODD = 'x"; DROP TABLE t; --'

# ── What is asked ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("told", "parts"),
    [
        ("orders", ("orders",)),
        ("public.orders", ("public", "orders")),
        ('public."odd.name"', ("public", "odd.name")),
        ('"a""b"', ('a"b',)),
        (ODD, (ODD,)),
        ("project.data.orders", ("project", "data", "orders")),
    ],
)
def test_a_table_is_named_by_schema_and_name(told: str, parts: tuple[str, ...]) -> None:
    assert table_parts(told) == parts


@pytest.mark.parametrize("told", ["", ".", "a.", ".b"])
def test_a_table_needs_a_name(told: str) -> None:
    with pytest.raises(ConfigError, match="not the name of a table"):
        table_parts(told)


@pytest.mark.parametrize(
    ("query", "dialect", "bare"),
    [
        ("SELECT 1", "postgresql", "SELECT 1"),
        (" select 1 ;; ", "postgresql", "select 1"),
        (
            "/* a; */ WITH x AS (SELECT 1) TABLE x -- ;",
            "postgresql",
            "WITH x AS (SELECT 1) TABLE x",
        ),
        ("SELECT ';--', \";\", $t$;$t$;", "postgresql", "SELECT ';--', \";\", $t$;$t$"),
        ("SELECT '\\'; SELECT '", "mysql", "SELECT '\\'; SELECT '"),
        ("SELECT '\\' AS a;", "sqlite", "SELECT '\\' AS a"),
        ("(SELECT 1) UNION (SELECT 2)", "sqlite", "(SELECT 1) UNION (SELECT 2)"),
    ],
)
def test_a_query_loses_only_what_ends_it(query: str, dialect: str, bare: str) -> None:
    assert bare_query(query, dialect_named(dialect)) == bare


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "empty"), ("-- nothing", "empty"), (";", "empty"),
        ("SELECT 1; SELECT 2", "several statements"),
        ("UPDATE t SET a = 1", "begins with 'UPDATE'"),
        ("selec 1", "begins with 'selec'"),
    ],
)  # fmt: skip
def test_only_one_query_that_reads_is_taken(query: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        bare_query(query, dialect_named("postgres"))


def test_names_are_told_apart_whatever_their_case() -> None:
    assert distinct_names(["a", "A", "", "a_2", "a"]) == ("a", "A_2", "column3", "a_2_4", "a_5")


def test_the_command_line_names_store_and_table_in_one_word() -> None:
    source = SqlSource.parse("postgresql://reader@db:5433/shop?sslmode=require#public.orders")
    assert source.table == "public.orders"
    assert source.name == "postgresql://reader@db:5433/shop, table public.orders"
    assert Address.parse(source.url).options == (("sslmode", "require"),)


@pytest.mark.parametrize("asked", [{}, {"table": "t", "query": "SELECT 1"}])
def test_either_a_table_or_a_query_is_named(asked: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="a table or a query"):
        SqlSource("sqlite:///shop.db", **asked)


# ── Secrets ─────────────────────────────────────────────────────────────────────────────────


@given(st.text(min_size=1))
def test_any_password_survives_the_url_and_is_never_shown(password: str) -> None:
    url = f"postgresql://reader:{quote('§' + password + '§', safe='')}@db/shop"
    address = Address.parse(url)
    assert address.password == f"§{password}§"
    assert Address.parse(address.url()).password == address.password
    shown = f"{address} {address!r} {SqlSource(url, table='t')!r} {SqlSource(url, table='t').name}"
    assert address.password not in shown
    assert "§" not in address.filled().masked(f"of {address.password}, {quote(address.password)}")


def test_a_name_in_the_url_is_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PW", "p@ss:w/ö#r?d%20")
    address = Address.parse("postgresql://reader:${SHOP_PW}@db/shop")
    assert address.filled().password == "p@ss:w/ö#r?d%20"
    assert "reader:p%40ss%3Aw%2F%C3%B6%23r%3Fd%2520@db" in address.filled().url()
    assert "${SHOP_PW}" not in str(address)


def test_or_the_content_of_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" geheim \n")
    monkeypatch.setenv("SHOP_PW_FILE", str(tmp_path / "secret"))
    assert Address.parse("mysql://reader:${SHOP_PW}@db/shop").filled().password == " geheim "
    monkeypatch.setenv("SHOP_PW", "nearer")
    assert Address.parse("mysql://reader:${SHOP_PW}@db/shop").filled().password == "nearer"


def test_or_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address = Address.parse("postgresql://reader:${SHOP_PW}@db/shop")
    with pytest.raises(ConfigError, match="environment variable SHOP_PW, or SHOP_PW_FILE"):
        address.filled()
    monkeypatch.setenv("SHOP_PW_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        address.filled()


def test_a_name_may_stand_anywhere_in_the_url_or_be_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DB_PORT", "5433")
    monkeypatch.setenv("DATABASE_URL", "postgresql://reader:geheim@db:${DB_PORT}/shop")
    source = SqlSource("${DATABASE_URL}", table="orders")
    assert source.name == "${DATABASE_URL}, table orders"
    filled = Address.parse(source.url).filled()
    assert (filled.host, filled.password) == ("db:5433", "geheim")
    assert filled.masked("no geheim at 5433") == "no *** at ***"


def test_a_port_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PORT", "none")
    with pytest.raises(ConfigError, match="port"):
        Address.parse("mysql://db:${DB_PORT}/shop").filled()


@pytest.mark.parametrize(
    ("host", "parts"),
    [
        ("db", ("db", None)), ("db:3306", ("db", 3306)), ("", ("", None)),
        ("[::1]", ("::1", None)), ("[::1]:3306", ("::1", 3306)),
    ],
)  # fmt: skip
def test_a_host_may_have_a_port(host: str, parts: tuple[str, int | None]) -> None:
    assert Address.parse(f"mysql://{host}/shop").host_and_port == parts


def test_a_host_may_be_the_folder_of_a_socket() -> None:
    address = Address.parse("postgresql://me@%2Frun%2Fpostgresql/shop")
    assert address.host == "/run/postgresql"
    assert address.url().startswith("postgresql://me@%2Frun%2Fpostgresql/shop?")


def test_a_name_does_not_stand_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "${DATABASE_URL}")
    with pytest.raises(ConfigError, match="stands for another name"):
        Address.parse("${DATABASE_URL}").filled()


def test_a_sqlite_file_may_be_named_from_a_folder() -> None:
    assert rooted("sqlite:///shop.db", Path("/srv")) == "sqlite:////srv/shop.db"
    assert rooted("sqlite:////shop.db", Path("/srv")) == "sqlite:////shop.db"
    assert rooted("mysql://db/shop", Path("/srv")) == "mysql://db/shop"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader:geheim@db/shop",
        "postgresql://reader:geheim${X}@db/shop",
        "postgresql://db/shop?user=reader&password=geheim",
        "snowflake://reader@account/shop?token=geheim",
    ],
)
def test_a_configuration_file_must_not_hold_a_password(url: str) -> None:
    with pytest.raises(ConfigError, match="holds a password") as error:
        require_no_password(url)
    assert "geheim" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader:${PW}@db/shop",
        "postgresql://reader@db/shop?passfile=/run/secrets/pgpass",
        "postgresql://?service=shop",
        "${DATABASE_URL}",
        "sqlite:////data/shop@home.db",
    ],
)
def test_it_may_say_where_the_password_is(url: str) -> None:
    require_no_password(url)


@pytest.mark.parametrize(
    "url",
    [
        "geheim", "postgresql://reader:ge@heim@db/shop", "postgresql://reader:geheim/x@db/shop",
        "postgresql://reader:geheim?x@db/shop", "postgresql://reader:geheim#x@db/shop",
        "postgresql://reader:12#geheim@db/shop", "sqlite://geheim", "://reader:geheim@db",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_taken_apart_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match="cannot be taken apart") as error:
        SqlSource.parse(f"{url}#orders" if "#" not in url else url)
    assert "geheim" not in str(error.value)
