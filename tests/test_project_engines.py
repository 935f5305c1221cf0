"""The engines of ``[engine]`` through the commands: the same table, or what stands in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import needs
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stores
from commands import run, told

from churnkit.features import load_own

HOURS = 8000  # of 2023, so that the logs end on the last day of November
BUILD = ("features", "build", "--as-of", "2023-10-01", "--out")
OWN = """
import numpy as np
from churnkit.features import Observations, PurchaseIndex, feature

@feature(unit="purchases", says="twice the purchases", dtype="int32")
def twice(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return 2 * p.sales.count(at)
"""


# ── A project ───────────────────────────────────────────────────────────────────────────────


def shop() -> dict[str, pa.Table]:
    """Forty customers buy or visit, somebody every hour."""
    rng = np.random.default_rng(7)
    hours = np.arange(HOURS) * 3_600_000_000 + 1_672_531_200_000_000
    who = np.char.add("c", rng.integers(0, 40, HOURS).astype(str))
    seen = {"customer_id": who, "ts": pa.array(hours, pa.timestamp("us"))}
    bought = {name: pa.array(column)[::3] for name, column in seen.items()}
    amounts = np.round(rng.normal(30, 20, HOURS), 2)[::3]
    return {
        "purchases": pa.table({**bought, "amount": amounts}),
        "activity": pa.table({**seen, "event": rng.choice(["visit", "login"], HOURS)}),
    }


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a project with a Parquet file for each log."""
    monkeypatch.chdir(tmp_path)
    for log, table in shop().items():
        pq.write_table(table, f"{log}.parquet")
    yield tmp_path
    load_own()


FILES = {"purchases": 'path = "purchases.parquet"', "activity": 'path = "activity.parquet"'}


def settings(engine: str, logs: dict[str, str] = FILES, **sections: str) -> str:
    """A file with these settings; its name."""
    parts = {f"logs.{log}": lines for log, lines in logs.items()}
    parts |= {"engine": f'name = "{engine}"\nmaster = "local[2]"', **sections}
    Path(f"{engine}.toml").write_text("\n".join(f"[{n}]\n{lines}" for n, lines in parts.items()))
    return f"{engine}.toml"


def refused(config: str, *arguments: str) -> str:
    """What a command says that ends with exit code 2, in a line on what is wrong and a mend."""
    result = run(*arguments, "--config", config)
    assert result.exit_code == 2, result.stderr
    found, mend = result.stderr.strip().splitlines()[-2:]
    assert mend
    return found


def rows(path: str) -> pa.Table:
    """A feature table without dictionaries and metadata, sorted."""
    table = pq.read_table(path)
    plain = [
        pa.chunked_array([c.dictionary_decode() for c in column.chunks])
        if pa.types.is_dictionary(column.type)
        else column
        for column in table.columns
    ]
    names = table.column_names
    return pa.table(plain, names=names).sort_by(
        [("customer_id", "ascending"), ("as_of", "ascending")]
    )


# ── Memory and PostgreSQL ───────────────────────────────────────────────────────────────────


def in_postgres(postgres: stores.Postgres) -> dict[str, str]:
    """Settings of the logs as tables of the store."""
    with closing(postgres.connected()) as con, closing(con.cursor()) as cursor:
        for log, table in shop().items():
            cursor.adbc_ingest(log, table, db_schema_name=postgres.schema, mode="replace")
    return {
        log: f'url = "{postgres.url}"\ntable = "{postgres.schema}.{log}"'
        for log in ("purchases", "activity")
    }


def test_memory_and_disk_and_postgres_write_the_same_table(here, postgres):
    tables = in_postgres(postgres)
    options = {"features": 'windows = [30, 90]\nfile = "own.py"'}
    Path("own.py").write_text(OWN)
    for engine, logs in {"duckdb": FILES, "memory": FILES, "store": tables}.items():
        config = settings(engine, logs, **options)
        result = run(*BUILD, f"{engine}.parquet", "--cutoffs", "3", "--config", config)
        assert result.exit_code == 0, result.stderr
    expected = rows("duckdb.parquet")
    assert {"purchases_count_30d", "twice"} <= set(expected.column_names)
    assert len(expected) == 120
    assert rows("memory.parquet") == expected
    assert rows("store.parquet") == expected


def test_a_store_does_not_sort_files_and_says_which_log_is_one(here, postgres):
    logs = in_postgres(postgres) | {"activity": FILES["activity"]}
    found = refused(settings("store", logs), *BUILD, "f.parquet")
    assert found.endswith("the activity log is read from activity.parquet")


@pytest.mark.parametrize("engine", ["duckdb", "memory", "store"])
def test_a_cutoff_before_all_events_is_refused_whatever_sorts(here, postgres, engine):
    logs = in_postgres(postgres) if engine == "store" else FILES
    early = ("features", "build", "--as-of", "2022-10-01", "--out", "f.parquet")
    result = run(*early, "--config", settings(engine, logs))
    assert result.exit_code == 3
    assert "nothing is known as of 2022-10-01" in result.stderr


# ── Spark ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", ["backtest", "audit"])
def test_what_spark_does_not_do_is_told(here, command):
    assert refused(settings("spark"), command) == (
        "Error: Spark builds features, trains and scores, and nothing else"
    )


def test_spark_writes_no_csv(here):
    assert "Spark writes a folder of Parquet files" in refused(settings("spark"), *BUILD, "f.csv")


def test_without_pyspark_the_extra_is_named(here, monkeypatch):
    monkeypatch.setattr("churnkit.engines.spark.session.find_spec", lambda name: None)
    result = run(*BUILD, "f.parquet", "--config", settings("spark"))
    assert result.exit_code == 2
    assert "pip install 'churnkit[spark]'" in result.stderr


def spoken(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a command says in a process of its own, where Spark starts anew."""
    command = [sys.executable, "-m", "churnkit", *arguments]
    # For so few rows, Java's second compiler takes longer than it saves.
    quick = {"SPARK_SUBMIT_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | quick | environment, timeout=300
    )


def test_spark_writes_the_same_table_and_says_no_more_than_others(here, java):
    options = {"features": 'windows = [30, 90]\nfile = "own.py"'}
    Path("own.py").write_text(OWN)
    expected = told(
        *BUILD, "duckdb.parquet", "--cutoffs", "2", "--config", settings("duckdb", **options)
    )
    config = settings("spark", **options)
    done = spoken(*BUILD, "spark.parquet", "--cutoffs", "2", "--config", config, "--json")
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "incubator modules" not in line]
    assert said == []  # Java itself says that one
    assert json.loads(done.stdout) == expected | {"out": "spark.parquet"}
    assert rows("spark.parquet") == rows("duckdb.parquet")


def test_without_java_that_is_said(here, tmp_path):
    needs.package("spark", "pyspark")
    done = spoken(*BUILD, "f.parquet", "--config", settings("spark"), JAVA_HOME=str(tmp_path))
    assert done.returncode == 2
    assert "Install Java 17 or later" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_spark_cannot_do_is_told_before_it_starts(here, monkeypatch):
    monkeypatch.setattr("churnkit.engines.spark.spark_session", None)
    Path("orders.csv").write_text("customer_id,ts\na,2023-01-01\n")
    csv = settings("spark", FILES | {"purchases": 'path = "orders.csv"'})
    assert "Spark reads the purchases log from Parquet files and its own tables" in refused(
        csv, *BUILD, "f.parquet"
    )
    Path("f.parquet").mkdir()
    assert refused(settings("spark"), *BUILD, "f.parquet") == "Error: f.parquet is there already"


def test_spark_refuses_cutoffs_and_windows_as_others_do(here, session, monkeypatch):
    # One session for both, since workers that run already are much quicker.
    monkeypatch.setattr(
        "churnkit.engines.spark.spark_session", lambda *_, **__: nullcontext(session)
    )
    early = ("features", "build", "--as-of", "2022-10-01", "--out", "f.parquet")
    result = run(*early, "--config", settings("spark"))
    assert result.exit_code == 3
    assert "nothing is known as of 2022-10-01: the logs run from 2023-01-01" in result.stderr
    wide = settings("spark", features="windows = [7, 3650]")
    found = refused(wide, *BUILD, "f.parquet")
    assert found.startswith("Error: purchases_count_3650d looks back 3650 days from 2023-10-01")
    assert not Path("f.parquet").exists()


@pytest.mark.parametrize("command", [BUILD, ("score", "--as-of", "2023-10-01", "--out")])
def test_no_log_is_written_over(here, command):
    before = Path("purchases.parquet").read_bytes()
    assert "is a log of this project" in refused(settings("duckdb"), *command, "purchases.parquet")
    assert Path("purchases.parquet").read_bytes() == before
