"""Stores that sort: the SQL each is sent, what it means, and how much of the answer is held.

A dialect that no server here speaks is parsed by sqlglot, and what it says of the order is run on
DuckDB as sqlglot translates it. Trino is read by its own client from a server of the tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import stores
from commands import run, told
from trino_server import Trino, trino

from churnkit.config import load_settings
from churnkit.engines.alike import alike
from churnkit.engines.store import StoreTable, sorted_chunks, store_logs
from churnkit.errors import DataError
from churnkit.logs import Contract, LogMapping, reading
from churnkit.project_sql import explain_sql
from churnkit.sources import SqlSource, connect, read_logs
from churnkit.sources.stores.address import Address
from churnkit.sources.stores.dialect import DIALECTS, dialect_of

sqlglot = pytest.importorskip("sqlglot")
exp = sqlglot.exp

# Where alphabets, UTF-16 and collations that pad or fold disagree with the bytes of UTF-8.
IDS = ["a", "B", "b", "A", "Z", "z", "ä", "é", "_", "~", "a b", "a\u0001", "aa", "a-", "10", "9",
       "ﬀ", "زهرا", "😀", "\uffee", "ß", "ss", "É"]  # fmt: skip
EDGES = ("", " ", "\t", "\u00a0", "\u2003", "\u3000")
URLS = {
    "postgres": "postgresql://db/shop", "mysql": "mysql://db/shop", "sqlite": "sqlite:///shop.db",
    "bigquery": "bigquery://project/shop", "snowflake": "snowflake://me@account/SHOP/PUBLIC",
    "databricks": "databricks://token:${TOKEN}@host?http_path=/sql/1.0/warehouses/1",
    "trino": "trino://me@host:8080/hive/shop",
}  # fmt: skip
MAPPING = LogMapping(columns={"customer_id": "who", "ts": "at", "amount": "paid"})


# ── What each dialect is sent ───────────────────────────────────────────────────────────────


def parsed(sql: str, dialect: str) -> Any:
    """The one SELECT that a statement is."""
    trees = sqlglot.parse(sql, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    assert len(trees) == 1
    assert isinstance(trees[0], exp.Select)
    return trees[0]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_asked_once_for_the_mapped_columns_by_customer_and_time(dialect):
    columns = ("who", "at", "paid")
    source = SqlSource(URLS[dialect], table="shop.orders", columns=columns)
    assert source.dialect is DIALECTS[dialect]
    tree = parsed(StoreTable("purchases", source, MAPPING).statements()["rows"], dialect)
    assert len(list(tree.find_all(exp.Select))) == 1
    assert tuple(cell.name for cell in tree.selects[:3]) == columns
    assert [type(cell) for cell in tree.selects[3:]] == (
        [exp.Window] if DIALECTS[dialect].numbers_rows else []
    )
    customer, time = tree.args["order"].expressions
    assert [column.name for column in customer.find_all(exp.Column)] == ["who"]
    assert (time.this.name, time.this.table) == ("at", "q")
    assert not any(key.args.get("desc") for key in (customer, time))
    [table] = tree.find_all(exp.Table)
    assert (table.db, table.name, tree.args.get("where")) == ("shop", "orders", None)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_query_stays_whole_within_what_is_asked(dialect):
    source = SqlSource(URLS[dialect], query="SELECT who, at FROM t WHERE x = ';' -- all\n;")
    asked = StoreTable("activity", source, MAPPING).statements()
    for name in ("columns", "rows"):
        outer = parsed(asked[name], dialect)
        inner = outer.args["from_"].this
        assert inner.alias == "q"
        assert inner.this.sql() == "SELECT who, at FROM t WHERE x = ';'"
    assert parsed(asked["columns"], dialect).args["where"].this.sql() == "1 = 0"


def test_the_customers_log_has_no_time_to_sort_by():
    asked = StoreTable("customers", SqlSource("trino://h/c", table="people")).statements()
    assert len(parsed(asked["rows"], "trino").args["order"].expressions) == 1


@pytest.mark.parametrize("dialect", ["bigquery", "snowflake", "databricks", "trino"])
def test_ids_rise_by_their_bytes_in_the_words_of_every_warehouse(dialect):
    source = SqlSource(URLS[dialect], table="orders", columns=("who",))
    tree = parsed(StoreTable("purchases", source, MAPPING).statements()["rows"], dialect)
    with duckdb.connect() as con:
        con.register("arrived", written())
        con.execute("CREATE TABLE orders AS FROM arrived")
        con.execute("SET default_collation = 'nocase'")  # as a column elsewhere may have one
        sql = tree.transform(in_bytes).sql(dialect="duckdb")
        found = con.sql(f"SELECT {WHO} FROM ({sql})").to_arrow_table()[0].to_pylist()
    assert found == sorted(found)
    assert set(found) == {name.strip("\x01") for name in IDS}


WHO = reading.customer("who", "VARCHAR", MAPPING)


def written() -> pa.Table:
    """Every id with every edge, one of each with a time that rises."""
    ids = [edge + name + edge for edge in EDGES for name in IDS]
    days = pa.array(range(len(ids)), pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp("us"))
    return pa.table({"who": ids, "at": days, "paid": [1.5] * len(ids)})


def in_bytes(node: Any) -> Any:
    """The cast of a text to bytes as DuckDB has it, whose own is one of escapes."""
    is_binary = (
        isinstance(node, exp.Cast)
        and node.to.this in exp.DataType.Type
        and (node.to.this.name in {"BINARY", "VARBINARY"})
    )
    return exp.Anonymous(this="encode", expressions=[node.this]) if is_binary else node


# ── Real stores ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def sqlite(tmp_path: Path) -> stores.Sqlite:
    return stores.Sqlite(tmp_path)


@pytest.fixture(params=["postgres", "mysql", "sqlite"])
def store(request: pytest.FixtureRequest) -> stores.Store:
    return request.getfixturevalue(request.param)


def test_ids_rise_by_their_bytes_in_every_store_there_is(store):
    source = SqlSource(store.url, table=store.take(written()))
    contract = Contract({"purchases": MAPPING})
    at_once = read_logs(source, contract=contract)
    with store_logs({"purchases": source}, contract, rows=50) as logs:
        ids = [who for block in logs.blocks() for who in block.customer_ids.tolist()]
        assert logs.checks == at_once.checks
    assert ids == sorted({name.strip("\x01") for name in IDS})


def test_what_is_explained_is_what_is_sent(store, tmp_path):
    """All of it, and nothing else of the table."""
    table = store.take(written())
    for engine in ("store", "duckdb"):
        with listened(store) as (url, heard):
            settings = project(tmp_path, url, table, f'name = "{engine}"')
            [log] = explain_sql(settings)["logs"]
            with settings.open_logs() as logs:
                assert logs.customer_count == len(IDS) - 1
        explained = [statement["sql"] for statement in log["statements"]]
        assert log["sorted"] == (engine == "store")
        if isinstance(store, stores.Postgres):
            sent = heard.decode("utf-8", "replace")
            for sql in explained:
                assert sql in sent
                sent = sent.replace(sql, "")  # also within the COPY
            assert table_name(table) not in sent
        else:
            own = [sql for sql in heard if not sql.startswith(INITIAL)]
            assert list(dict.fromkeys(own)) == list(dict.fromkeys(explained))


INITIAL = ("SELECT VERSION()", "SELECT @@", "show variables")  # what SQLAlchemy asks on its own


def table_name(table: str) -> str:
    return table.rpartition(".")[2].strip('"')


@contextmanager
def listened(store: stores.Store) -> Iterator[tuple[str, Any]]:
    """The URL of the store, and what it is sent: bytes, or the statements of SQLAlchemy."""
    if isinstance(store, stores.Postgres):
        with stores.overheard(store.url) as (url, heard):
            yield f"{url}?sslmode=disable", heard
        return
    from sqlalchemy import Engine, event

    sent: list[str] = []

    def note(_con: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield store.url, sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def project(folder: Path, url: str, table: str, engine: str, more: str = "") -> Any:
    """The settings of a project with one log."""
    path = folder / "churnkit.toml"
    path.write_text(
        f"[logs.purchases]\nurl = {json.dumps(url)}\ntable = {json.dumps(table)}\n{more}\n"
        f'[logs.purchases.columns]\ncustomer_id = "who"\nts = "at"\namount = "paid"\n'
        f"[engine]\n{engine}\n"
    )
    return load_settings(path)


def test_a_store_without_an_order_numbers_rows_as_they_arrive(mysql):
    rows = pa.table({"who": ["b", "a", None], "at": ["2024-01-02"] * 3, "paid": ["x", "1", "1"]})
    source = SqlSource(mysql.url, table=mysql.take(rows))
    contract = Contract({"purchases": MAPPING}, max_rejected_share=1)
    with store_logs({"purchases": source}, contract) as logs:
        told = {row["reason"]: row["row"] for row in logs.rejected.to_pylist()}
    assert told == {"missing_customer_id": 1, "unreadable_amount": 3}


def test_sqlite_numbers_rows_as_they_lie(sqlite):
    rows = pa.table({"who": ["b", "a", None], "at": ["2024-01-02"] * 3, "paid": ["x", "1", "1"]})
    source = SqlSource(sqlite.url, table=sqlite.take(rows))
    contract = Contract({"purchases": MAPPING}, max_rejected_share=1)
    with store_logs({"purchases": source}, contract) as logs:
        told = {row["reason"]: row["row"] for row in logs.rejected.to_pylist()}
    assert told == {"missing_customer_id": 3, "unreadable_amount": 1}


def test_only_the_named_columns_are_asked_for_and_make_rows_the_same(sqlite, tmp_path):
    day = ["2024-01-02"] * 3
    rows = pa.table({"who": ["a"] * 3, "at": day, "paid": [1.5] * 3, "line": [1, 2, 3]})
    table = sqlite.take(rows)
    for engine in ("store", "duckdb"):
        found = []
        for more in ("", "mapped_only = true"):
            settings = project(tmp_path, sqlite.url, table, f'name = "{engine}"', more)
            with settings.open_logs() as logs:
                found.append(logs.checks[0].rejected)
        assert found == [{}, {"duplicate": 2}]
    asked = explain_sql(settings)["logs"][0]["statements"][-1]["sql"]
    assert asked.startswith('SELECT q."who", q."at", q."paid"\nFROM')


# ── As much as is held ──────────────────────────────────────────────────────────────────────


def shop_of(rows: int) -> pa.Table:
    """Rows of a hundred customers, in the order of time."""
    who = [f"c{k % 100:03}" for k in range(rows)]
    at = pa.array(range(rows), pa.int64()).cast(pa.timestamp("s")).cast(pa.timestamp("us"))
    return pa.table({"who": who, "at": at, "paid": [1.0] * rows})


def test_rows_of_a_driver_come_ten_thousand_at_once_and_no_further_ahead(sqlite, monkeypatch):
    source = SqlSource(sqlite.url, table=sqlite.take(shop_of(35_000)))
    fetched = counted(monkeypatch)
    rows = source.stream(StoreTable("purchases", source, MAPPING).statements()["rows"]).items()
    assert [next(rows).num_rows for _ in range(2)] == [0, 10_000]
    assert fetched == [10_000]
    assert [batch.num_rows for batch in rows] == [10_000, 10_000, 5_000]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each call of a driver hands over."""
    from sqlalchemy.engine import cursor

    fetched: list[int] = []
    known = cursor.CursorFetchStrategy.fetchmany

    def fetchmany(self: Any, *told: Any) -> Any:
        rows = known(self, *told)
        fetched.append(len(rows))
        return rows

    monkeypatch.setattr(cursor.CursorFetchStrategy, "fetchmany", fetchmany)
    return fetched


def test_rows_of_postgres_come_in_many_batches(postgres):
    source = SqlSource(postgres.url, table=postgres.take(shop_of(200_000)))
    asked = StoreTable("purchases", source, MAPPING).statements()["rows"]
    sizes = [batch.num_rows for batch in source.stream(asked).items()]
    assert sum(sizes) == 200_000
    assert max(sizes) < 40_000


def test_no_more_rows_are_looked_at_together_than_asked_for(postgres, sqlite, monkeypatch):
    """Whatever there are: twice the rows are twice the chunks."""
    looked: list[int] = []
    monkeypatch.setattr(
        "churnkit.engines.store.Judge.logs",
        lambda self, chunk: looked.append(sum(map(len, chunk.values()))),
    )
    monkeypatch.setattr("churnkit.engines.store.Judge.logs_of_nobody", lambda self: None)
    for place in (postgres, sqlite):
        for rows in (6_000, 12_000):
            looked.clear()
            source = SqlSource(place.url, table=place.take(shop_of(rows)))
            with connect() as con:
                for _ in sorted_chunks(
                    {"purchases": source}, Contract({"purchases": MAPPING}), con, rows=900
                ):
                    pass
            assert sum(looked) == rows
            assert max(looked) <= 2 * 900


# ── Trino, by its own client ────────────────────────────────────────────────────────────────


def test_trino_is_sent_what_is_explained_and_gives_the_same_logs():
    pytest.importorskip("trino")
    table = written()
    texts = pa.table({name: table[name].cast(pa.string()) for name in table.column_names})
    order = sorted(range(len(texts)), key=lambda k: cleaned(texts["who"][k].as_py()))
    server = Trino(
        table.column_names, [list(texts.take([k]).to_pylist()[0].values()) for k in order]
    )
    contract = Contract({"purchases": MAPPING})
    with trino(server) as url:
        source = SqlSource(url, table="orders")
        with store_logs({"purchases": source}, contract, rows=60) as logs:
            checks = logs.checks
    assert server.asked == list(StoreTable("purchases", source, MAPPING).statements().values())
    [expected] = read_logs(texts, contract=contract).checks
    assert (checks[0].kept, checks[0].rejected) == (expected.kept, expected.rejected)
    assert checks[0].customers == len(IDS) - 1


def cleaned(text: str) -> str:
    return text.strip("\x01 \t\u00a0\u2003\u3000")


def test_pages_of_trino_are_fetched_as_they_are_needed():
    pytest.importorskip("trino")
    server = Trino(["who", "at", "paid"], [["a", "2024-01-01", str(k)] for k in range(40_000)])
    with trino(server) as url:
        source = SqlSource(url, table="orders")
        rows = source.stream(source.wanted.rows_sql(source.dialect)).items()
        assert [next(rows).num_rows for _ in range(2)] == [0, 10_000]
        assert server.pages <= 12  # of 40
        rows.close()


def test_rows_of_trino_that_come_unsorted_are_refused():
    pytest.importorskip("trino")
    server = Trino(["who", "at", "paid"], [["b", "2024-01-01", "1"], ["a", "2024-01-01", "1"]])
    with trino(server) as url:
        opened = store_logs(
            {"purchases": SqlSource(url, table="orders")}, Contract({"purchases": MAPPING})
        )
        with pytest.raises(DataError, match="'a' after 'b'"):
            opened.__enter__()


# ── Types that change half-way ──────────────────────────────────────────────────────────────


def batch(*cells: object, kind: pa.DataType | None = None) -> pa.RecordBatch:
    struct = pa.StructArray.from_arrays([pa.array(cells, kind)], ["x"])
    return pa.RecordBatch.from_arrays([pa.array(["a"] * len(cells)), struct], ["who", "cells"])


def values(*batches: pa.RecordBatch) -> list[object]:
    return [cell["x"] for cell in alike(batches)["cells"].to_pylist()]


def test_gaps_take_the_type_of_the_others_and_mixed_types_are_text():
    assert values(batch(None), batch(1, None)) == [None, 1, None]
    assert values(batch(2.0, 2.5, None), batch("z"), batch(True)) == ["2", "2.5", None, "z", "true"]
    assert values(batch(1, 2).slice(1), batch("q")) == ["2", "q"]
    assert alike([batch(1), batch(2)]).schema.field("cells").type.field(0).type == pa.int64()


def test_an_id_may_be_a_number_in_one_batch_and_a_text_in_the_next(sqlite, monkeypatch):
    monkeypatch.setattr("churnkit.sources.stores.alchemy._BATCH_ROWS", 30)
    sqlite.run("CREATE TABLE orders (who, at, paid)")
    with sqlite.connected() as con:
        con.executemany(
            "INSERT INTO orders VALUES (?, '2024-01-01', ?)",
            [(1000 + k if k < 70 else f"z{k}", k if k % 2 else None) for k in range(100)],
        )
    source = SqlSource(sqlite.url, table="orders")
    contract = Contract({"purchases": MAPPING}, max_rejected_share=1)
    with store_logs({"purchases": source}, contract, rows=45) as logs:
        [check] = logs.checks
    [expected] = read_logs(source, contract=contract).checks
    assert check == replace(expected, columns=check.columns)
    assert (check.customers, check.rejected) == (50, {"missing_amount": 50})


# ── The command ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of a store that nobody can reach, and a file that is not there."""
    monkeypatch.chdir(tmp_path)
    Path("churnkit.toml").write_text(
        """
[logs.purchases]
url = "snowflake://reader:${SHOP_PASSWORD}@account/SHOP/PUBLIC?warehouse=W&token=${SHOP_TOKEN}"
table = "ORDERS"
[logs.activity]
path = "activity.csv"
[engine]
name = "store"
"""
    )
    return tmp_path


def test_nothing_is_connected_to_and_no_secret_looked_up_or_shown(shop, monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", "geheim")
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("connected"))
    document = told("explain-sql")
    purchases, activity = document["logs"]
    assert purchases["source"] == "snowflake://reader@account/SHOP/PUBLIC, table ORDERS"
    assert [s["says"] for s in purchases["statements"]] == ["columns", "rows"]
    assert activity == {
        "log": "activity", "source": "activity.csv", "dialect": None, "sorted": False,
        "statements": [],
    }  # fmt: skip
    shown = run("explain-sql").stdout
    assert "geheim" not in shown + json.dumps(document)
    assert "SHOP_PASSWORD" not in shown
    assert purchases["statements"][-1]["sql"] + ";" in shown


def test_the_script_of_another_dialect_parses_whole(shop):
    for dialect in DIALECTS:
        script = run("explain-sql", "--dialect", dialect).stdout
        assert f"-- {dialect}, sorted by the store" in script
        trees = sqlglot.parse(script, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
        asked = [tree for tree in trees if isinstance(tree, exp.Select) and tree.find(exp.Table)]
        assert len(asked) == 2


def test_rows_that_are_sorted_here_are_asked_for_as_they_lie(shop):
    assert told("explain-sql", "--engine", "duckdb")["logs"][0]["statements"] == [
        {"says": "rows", "sql": 'SELECT q.*\nFROM "ORDERS" AS q'}
    ]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--dialect", "postgre"], "Did you mean 'postgres'?"),
        (["--engine", "spark"], "The engines are duckdb, memory, store."),
    ],
)
def test_what_does_not_exist_is_refused(shop, arguments, found):
    result = run("explain-sql", *arguments)
    assert result.exit_code == 2
    assert found in result.stderr


def test_a_project_of_files_has_no_sql(shop):
    Path("files.toml").write_text('[logs.activity]\npath = "activity.csv"\n')
    result = run("explain-sql", "--config", "files.toml")
    assert result.exit_code == 2
    assert "no log of this project is read from an SQL store" in result.stderr


def test_ids_that_are_to_be_folded_are_refused_as_by_the_run(shop):
    text = Path("churnkit.toml").read_text()
    Path("churnkit.toml").write_text(text.replace('"ORDERS"', '"ORDERS"\nfold_ids = true'))
    result = run("explain-sql")
    assert result.exit_code == 2
    assert "are to be folded" in result.stderr


def test_the_engine_keeps_its_older_name(shop):
    text = Path("churnkit.toml").read_text()
    Path("churnkit.toml").write_text(text.replace('"store"', '"postgres"'))
    assert told("explain-sql")["engine"] == "store"


# ── The real dialects ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "package"),
    [("databricks", "databricks.sqlalchemy"), ("trino", "trino.sqlalchemy"),
     ("snowflake", "snowflake.sqlalchemy"), ("mysql", "pymysql"), ("sqlite", "sqlite3")],
)  # fmt: skip
def test_names_are_quoted_as_the_dialect_of_sqlalchemy_quotes_them(name, package):
    pytest.importorskip(package)
    from sqlalchemy import URL

    scheme = "mysql+pymysql" if name == "mysql" else name
    preparer = URL.create(scheme).get_dialect()().identifier_preparer
    for hostile in ('x"; DROP TABLE t; --', "x`; DROP TABLE t; --", "select", "مشتری"):
        # Without the doubling of %, which is for statements with parameters.
        assert DIALECTS[name].identifier(hostile) == preparer.quote_identifier(hostile)


def test_a_store_that_only_sqlalchemy_knows_is_quoted_by_it():
    known = dialect_of(Address.parse("mssql+pyodbc://db/shop"))
    assert known.identifier("a]b") == "[a]]b]"
    assert known.in_bytes is None
