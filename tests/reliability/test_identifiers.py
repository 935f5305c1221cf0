"""Line 22: names of tables and columns that would be SQL if they were not quoted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import commands
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stores

from churnkit.config import Settings, load_settings
from churnkit.engines.store import StoreTable
from churnkit.logs import LogMapping
from churnkit.sources import SqlSource
from churnkit.sources.stores.dialect import DIALECTS

DROP = 'x"; DROP TABLE t; --'
NAMES = (
    DROP, "x`; DROP TABLE t; --", "x'; DROP TABLE t; --", "x\\`; DROP TABLE t; --", "x]; --",
    'x""; --', "/* x", "مشتری", "select", "a b", "q", "%s :x {y} ?", "tab\there", "line\nfeed",
    "x\\",
)  # fmt: skip
ROWS = [["a", "2024-01-01", "1.5"], ["a", "2024-02-01", "2.5"], ["b", "2024-02-01", "7"]]


def named(name: str) -> list[str]:
    """Columns of a log, all of which have the name in theirs."""
    return [name, f"{name} 2", f"{name} 3"]


def project(folder: Path, name: str, source: str, engine: str) -> Settings:
    """Settings that map the columns of the one log."""
    columns = zip(("customer_id", "ts", "amount"), named(name), strict=True)
    lines = "".join(f"{column} = {toml(source)}\n" for column, source in columns)
    (folder / "churnkit.toml").write_text(
        f"[logs.purchases]\n{source}\n[logs.purchases.columns]\n{lines}"
        f"[engine]\nname = {toml(engine)}\n"
    )
    return load_settings(folder / "churnkit.toml")


def toml(text: str) -> str:
    return json.dumps(text)  # the escapes of JSON are those of TOML


def spent(settings: Settings) -> list[tuple[str, int]]:
    """Customer and what was spent, as the checked logs have it, in hundredths."""
    found = []
    with settings.open_logs() as logs:
        for block in logs.blocks():
            who = block.customer_ids[block.purchases.customer].tolist()
            found += zip(who, block.purchases.columns["amount"].tolist(), strict=True)
    return found


EXPECTED = [("a", 150), ("a", 250), ("b", 700)]


def test_22_a_file_and_its_columns_may_have_any_name(
    tmp_path: Path, seen: Callable[[str, int], None]
) -> None:
    kept = tmp_path / "t.parquet"
    for name in (DROP, "x'; DROP TABLE t; --"):
        rows = pa.table(dict(zip(named(name), map(list, zip(*ROWS, strict=True)), strict=True)))
        pq.write_table(rows, kept)
        pq.write_table(rows, tmp_path / f"{name}.parquet")
        quoted = ",".join('"' + column.replace('"', '""') + '"' for column in named(name))
        lines = "\n".join([quoted, *(",".join(row) for row in ROWS)])
        (tmp_path / f"{name}.csv").write_text(lines, encoding="utf-8")
        for file in (f"{name}.parquet", f"{name}.csv"):
            for engine in ("duckdb", "memory"):
                told = f"path = {toml(file)}\nprovenance = [{toml(named(name)[0])}]"
                assert spent(project(tmp_path, name, told, engine)) == EXPECTED
        assert pq.read_table(kept).equals(rows)
    seen("names of files and columns read", 4)


@pytest.mark.parametrize("kind", ["postgres", "mysql", "sqlite"])
def test_22_a_table_of_a_store_and_its_columns_may_have_any_name(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, seen: Callable[[str, int], None]
) -> None:
    store = stores.Sqlite(tmp_path) if kind == "sqlite" else request.getfixturevalue(kind)
    canary = store.store(["a"], [["alive"]])
    store.run(f"CREATE TABLE {store.sql('t')} (a int)")
    for name in NAMES:
        source = SqlSource(store.url, made(store, name), columns=tuple(named(name)))
        wanted = source.wanted
        asked = (
            wanted.rows_sql(source.dialect),
            wanted.sorted_sql(source.dialect, *named(name)[:2]),
        )
        for sql in asked:
            batches = list(source.stream(sql).items())
            assert list(batches[0].schema.names[:3]) == named(name)
            rows = [list(row.values())[:3] for batch in batches for row in batch.to_pylist()]
            assert sorted(rows) == ROWS
        columns = StoreTable("purchases", source, LogMapping({"customer_id": named(name)[0]}))
        assert columns.shape().schema.names == named(name)
    for engine in ("store", "duckdb"):
        told = f"url = {toml(store.url)}\ntable = {toml(made(store, DROP))}"
        assert spent(project(tmp_path, DROP, told, engine)) == EXPECTED
    assert store.rows(f"SELECT * FROM {store.sql('t')}") == []
    assert SqlSource(store.url, canary).wanted.table == canary
    seen("names of tables and columns read in each store", 4 * len(NAMES))


def made(store: stores.Store, name: str) -> str:
    """A table of that name, made anew; as the configuration names it."""
    store.run(
        f"DROP TABLE IF EXISTS {store.sql(name)}",
        f"CREATE TABLE {store.sql(name)} "
        f"({', '.join(f'{store.quoted(column)} varchar(30)' for column in named(name))})",
        *(
            f"INSERT INTO {store.sql(name)} VALUES ({', '.join(map(store.cell, row))})"
            for row in ROWS
        ),
    )
    schema = f"{store.schema}." if isinstance(store, stores.Postgres) else ""
    return schema + '"' + name.replace('"', '""') + '"'


@pytest.mark.parametrize("dialect", DIALECTS)
def test_22_every_dialect_is_told_one_select_of_whatever_names(
    dialect: str, tmp_path: Path, seen: Callable[[str, int], None]
) -> None:
    sqlglot = pytest.importorskip("sqlglot")
    for name in NAMES:
        table = f'shop."{name.replace(chr(34), chr(34) * 2)}"'
        told = f'url = "trino://h/c"\ntable = {toml(table)}\nmapped_only = true'
        project(tmp_path, name, told, "store")
        config = str(tmp_path / "churnkit.toml")
        [log] = commands.told("explain-sql", "--dialect", dialect, "--config", config)["logs"]
        for statement in log["statements"]:
            trees = sqlglot.parse(
                statement["sql"], read=dialect, error_level=sqlglot.ErrorLevel.RAISE
            )
            if statement["says"] not in {"columns", "rows"}:
                continue
            [tree] = trees
            assert isinstance(tree, sqlglot.exp.Select)
            assert len(list(tree.find_all(sqlglot.exp.Select))) == 1
            assert [cell.name for cell in tree.selects[:3]] == named(name)
            [found] = tree.find_all(sqlglot.exp.Table)
            assert (found.db, found.name) == ("shop", name)
            order = tree.args.get("order")
            keys = {column.name for column in order.find_all(sqlglot.exp.Column)} if order else None
            assert keys == (set(named(name)[:2]) if statement["says"] == "rows" else None)
        script = commands.run("explain-sql", "--dialect", dialect, "--config", config).stdout
        sqlglot.parse(script, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
    seen("names parsed in each of seven dialects", 4 * len(NAMES))


def test_22_what_no_name_can_hold_is_refused(tmp_path: Path) -> None:
    for dialect, name in (("postgres", "a\0b"), ("trino", "a\0b"), ("bigquery", "a.b")):
        told = 'url = "trino://h/c"\ntable = "orders"\nmapped_only = true'
        project(tmp_path, name, told, "store")
        config = str(tmp_path / "churnkit.toml")
        result = commands.run("explain-sql", "--dialect", dialect, "--config", config)
        assert result.exit_code == 2
        assert f"which no name in {dialect} may hold" in result.stderr
