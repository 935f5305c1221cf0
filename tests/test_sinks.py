"""Publishing to a table: a date is replaced whole or not at all, and never mixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import stores
from stores import Postgres, Sqlite, Store

from churnkit.errors import ConfigError, DataError
from churnkit.sinks import write_table

MAY, JUNE = "2024-05-15", "2024-06-15"
TABLE = 'scores; "x" --'


@pytest.fixture(params=["postgres", "mysql", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each store in turn, without the table."""
    if request.param == "sqlite":
        yield Sqlite(tmp_path)
        return
    store = request.getfixturevalue(request.param)
    yield store
    store.run(f"DROP TABLE IF EXISTS {store.sql(TABLE)}")


@pytest.fixture
def table(postgres: Postgres) -> Iterator[str]:
    """The name of a table of PostgreSQL that does not exist yet."""
    name = postgres.table("scores")
    yield name
    postgres.run(f"DROP TABLE IF EXISTS {name}")


def frame(light: str = "red", customers: str = "abc", as_of: str = MAY) -> pd.DataFrame:
    ids = list(customers)
    return pd.DataFrame(
        {
            "customer_id": ids,
            "as_of": as_of,
            "churn_probability": np.linspace(0.1, 0.9, len(ids)),
            "light": light,
            "rank": range(1, len(ids) + 1),
            "value_at_risk": [np.nan, *[12.5] * (len(ids) - 1)],
            "reasons": "خرید کمتر; it's 100%",
        }
    )


def large(rows: int, light: str, as_of: str = MAY) -> pd.DataFrame:
    ids = [f"c{i}" for i in range(rows)]
    return pd.DataFrame({"customer_id": ids, "as_of": as_of, "light": light})


def publish(store: Store, rows: pd.DataFrame, **options: Any) -> int:
    return write_table(rows, store.url, store.table(TABLE), **options)


def held(store: Store) -> list[tuple[Any, ...]]:
    return sorted(store.rows(f"SELECT as_of, customer_id, light FROM {store.sql(TABLE)}"))


# ── What the table holds afterwards ─────────────────────────────────────────────────────────


def test_a_missing_table_is_made_and_filled(store: Store) -> None:
    assert publish(store, frame()) == 3
    assert sorted(store.rows(f"SELECT * FROM {store.sql(TABLE)}")) == [
        ("a", MAY, pytest.approx(0.1), "red", 1, None, "خرید کمتر; it's 100%"),
        ("b", MAY, pytest.approx(0.5), "red", 2, 12.5, "خرید کمتر; it's 100%"),
        ("c", MAY, pytest.approx(0.9), "red", 3, 12.5, "خرید کمتر; it's 100%"),
    ]


def test_publishing_again_changes_nothing(store: Store) -> None:
    for _ in range(2):
        publish(store, frame())
        assert held(store) == [(MAY, "a", "red"), (MAY, "b", "red"), (MAY, "c", "red")]


def test_a_date_is_replaced_and_other_dates_are_left(store: Store) -> None:
    publish(store, frame(as_of=JUNE))
    publish(store, frame())
    publish(store, frame("green", customers="bcd"))
    assert held(store) == [
        (MAY, "b", "green"), (MAY, "c", "green"), (MAY, "d", "green"),
        (JUNE, "a", "red"), (JUNE, "b", "red"), (JUNE, "c", "red"),
    ]  # fmt: skip


def test_ids_that_differ_only_in_case_are_two_customers(store: Store) -> None:
    publish(store, frame(customers="aA"))
    assert len(held(store)) == 2


def test_a_frame_without_rows_publishes_nothing(store: Store) -> None:
    publish(store, frame())
    assert publish(store, frame().iloc[:0]) == 0
    assert len(held(store)) == 3


def test_every_kind_of_column_finds_a_type(store: Store) -> None:
    moment = datetime(2024, 5, 15, 12, tzinfo=ZoneInfo("Asia/Tehran"))
    rows = frame(customers="a").assign(
        flag=True, day=moment.date(), at=pd.Timestamp(moment), kind=pd.Categorical(["x"]),
        several=[["a", "ب"]], **{'odd "name"; --': 1},
    )  # fmt: skip
    publish(store, rows)
    publish(store, rows)
    (row,) = store.rows(f"SELECT flag, day, at, kind, several FROM {store.sql(TABLE)}")
    assert bool(row[0]) is True
    assert str(row[1]) == "2024-05-15"
    assert str(row[2]).startswith("2024-05-15 08:30:00")  # UTC
    assert row[3:] == ("x", '["a", "ب"]')


def test_only_what_changed_is_touched(postgres: Postgres, table: str) -> None:
    write_table(frame(), postgres.url, table)
    versions = f"SELECT customer_id, xmin::text FROM {table} ORDER BY 1"
    before = postgres.rows(versions)
    changed = frame()
    changed.loc[1, "light"] = "green"
    write_table(changed, postgres.url, table)
    after = postgres.rows(versions)
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True]


def test_a_table_may_have_types_and_a_key_of_its_own(postgres: Postgres, table: str) -> None:
    postgres.run(
        f"CREATE TABLE {table} (as_of date, customer_id bigint, churn_probability numeric(6, 4), "
        "light varchar(9), UNIQUE (customer_id, as_of))"
    )
    rows = frame(customers="12")[["customer_id", "as_of", "churn_probability", "light"]]
    for light in ("red", "green"):
        write_table(rows.assign(light=light), postgres.url, table)
    assert postgres.rows(f"SELECT as_of::text, customer_id, light FROM {table} ORDER BY 2") == [
        (MAY, 1, "green"), (MAY, 2, "green"),
    ]  # fmt: skip


def test_the_key_may_be_another(store: Store) -> None:
    rows = frame()[["customer_id", "as_of", "light"]]
    publish(store, rows, key=("customer_id",))
    publish(store, rows.assign(light="green").iloc[:1], key=("customer_id",))
    assert [light for _, _, light in held(store)] == ["green", "red", "red"]


# ── What is refused, and leaves the table as it was ─────────────────────────────────────────


def unchanged(store: Store, attempt: Callable[[], object], *reasons: str) -> None:
    """The attempt is refused with these words, and the table is as it was."""
    publish(store, frame())
    before = held(store)
    with pytest.raises(DataError) as error:
        attempt()
    assert held(store) == before
    for reason in reasons:
        assert reason in str(error.value)


def test_other_columns_are_told_by_name(store: Store) -> None:
    other = frame().rename(columns={"light": "colour"})
    unchanged(store, lambda: publish(store, other), "lacks colour", "has also light")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (frame().drop(columns="as_of"), "no 'as_of'"),
        (frame(customers="aab"), "the key as_of, customer_id of row 2 is incomplete or stands"),
        (frame().assign(customer_id=["a", None, "c"]), "incomplete"),
    ],
)
def test_a_faulty_key_is_told(store: Store, rows: pd.DataFrame, reason: str) -> None:
    unchanged(store, lambda: publish(store, rows), reason)


def test_a_value_that_the_store_refuses_half_way(store: Store) -> None:
    publish(store, large(10, "old"))
    before = held(store)
    if isinstance(store, Sqlite):
        store.run(
            f"CREATE TRIGGER refuse BEFORE INSERT ON {store.sql(TABLE)} "
            "WHEN NEW.customer_id = 'bad' BEGIN SELECT RAISE(ABORT, 'no such customer'); END"
        )
    rows = large(3000, "new")
    bad = {"Postgres": "\0", "MySql": "x" * 300}  # no NUL in a text; no key so long
    rows.loc[2400, "customer_id"] = bad.get(type(store).__name__, "bad")
    with pytest.raises(DataError):
        publish(store, rows)
    assert held(store) == before


def test_a_key_that_the_table_would_change_is_refused(postgres: Postgres, table: str) -> None:
    postgres.run(
        f"CREATE TABLE {table} (as_of date, customer_id int, PRIMARY KEY (as_of, customer_id))"
    )
    rows = pd.DataFrame({"as_of": [MAY, MAY], "customer_id": ["7", "007"]})
    with pytest.raises(DataError, match="customer_id '999' does not stay the same"):
        write_table(rows, postgres.url, table)
    noon = pd.DataFrame({"as_of": [f"{MAY}T12:00:00+03:30"], "customer_id": ["7"]})
    with pytest.raises(DataError, match=r"as_of .* type date"):
        write_table(noon, postgres.url, table)
    assert postgres.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_table_without_that_key_is_told(postgres: Postgres, table: str) -> None:
    postgres.run(f"CREATE TABLE {table} (as_of text, customer_id text, light text)")
    with pytest.raises(DataError, match="primary key"):
        write_table(frame()[["as_of", "customer_id", "light"]], postgres.url, table)


def test_a_missing_schema_is_told(postgres: Postgres) -> None:
    with pytest.raises(DataError, match='schema "nowhere" does not exist'):
        write_table(frame(), postgres.url, "nowhere.scores")


def test_who_may_not_make_the_table_may_still_write_to_it(postgres: Postgres, table: str) -> None:
    with postgres.stranger() as (role, url):
        with pytest.raises(DataError, match="permission denied"):
            write_table(frame(), url, table)
        write_table(frame(), postgres.url, table)
        postgres.run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role}")
        assert write_table(frame(), url, table) == 3


def test_only_stores_with_transactions_are_written_to() -> None:
    with pytest.raises(ConfigError, match="not written to bigquery"):
        write_table(frame(), "bigquery://project/data", "scores")


def test_a_store_that_is_down_or_silent_is_told_without_the_password() -> None:
    with stores.listening(stores.silent) as port:
        url = f"postgresql://me:geheim@127.0.0.1:{port}/shop"
        with pytest.raises(DataError, match=r"not answered for 0\.5 seconds") as silent:
            write_table(frame(), url, "scores", timeout_seconds=0.5)
    with pytest.raises(DataError, match="refused") as down:
        write_table(frame(), url, "scores")
    assert "geheim" not in f"{silent.value} {down.value}"


# ── Killed half-way, and several at once ────────────────────────────────────────────────────


@pytest.mark.parametrize("after", [30_000, 3_000_000])
def test_a_connection_cut_half_way_changes_nothing(
    postgres: Postgres, table: str, after: int
) -> None:
    write_table(large(100, "old"), postgres.url, table)
    with (
        stores.proxy(postgres.url, after=after, then="cut", upwards=True) as url,
        pytest.raises(DataError, match=r"connection|closed"),
    ):
        write_table(large(200_000, "new"), f"{url}?sslmode=disable", table)
    assert postgres.rows(f"SELECT light, count(*) FROM {table} GROUP BY 1") == [("old", 100)]


def test_a_writer_killed_before_its_commit_changes_nothing(postgres: Postgres, table: str) -> None:
    write_table(large(100, "old"), postgres.url, table)
    postgres.run(
        f"CREATE OR REPLACE FUNCTION {postgres.schema}.die() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'",
        f"CREATE TRIGGER die AFTER DELETE ON {table} EXECUTE FUNCTION {postgres.schema}.die()",
    )
    with pytest.raises(DataError, match="terminating connection"):
        write_table(large(50, "new"), postgres.url, table)
    assert postgres.rows(f"SELECT light, count(*) FROM {table} GROUP BY 1") == [("old", 100)]


def test_a_table_that_somebody_holds_is_given_up(postgres: Postgres, table: str) -> None:
    write_table(frame(), postgres.url, table)
    with postgres.connected() as con, con.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f"LOCK TABLE {table} IN SHARE MODE")
        with pytest.raises(DataError, match="lock"):
            write_table(frame("green"), postgres.url, table, timeout_seconds=1)
        cursor.execute("ROLLBACK")


def test_writers_of_one_date_wait_for_each_other(store: Store) -> None:
    """Four first runs at once: the table is made once and holds what one of them published."""
    told = {light: large(500, light).iloc[:n] for n, light in enumerate("wxyz", start=400)}
    failed: list[Exception] = []

    def write(rows: pd.DataFrame) -> None:
        try:
            publish(store, rows)
        except Exception as error:
            failed.append(error)

    writers = [Thread(target=write, args=(rows,)) for rows in told.values()]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == []
    lights = {light for _, _, light in held(store)}
    assert len(lights) == 1
    assert len(held(store)) == len(told[lights.pop()])


def test_readers_never_see_a_mixture(store: Store) -> None:
    publish(store, large(300, "w"))
    seen: set[tuple[str, ...]] = set()
    done = Event()

    def look() -> None:
        while not done.wait(0.002):
            seen.add(tuple(sorted({light for _, _, light in held(store)})))

    reader = Thread(target=look)
    reader.start()
    try:
        for light in "xyz":
            publish(store, large(300, light))
    finally:
        done.set()
        reader.join()
    assert seen <= {("w",), ("x",), ("y",), ("z",)}
    assert seen


# ── The history ─────────────────────────────────────────────────────────────────────────────


def past(store: Store) -> list[tuple[Any, ...]]:
    name = store.sql(f"{TABLE}_history")
    return sorted(store.rows(f"SELECT run, as_of, customer_id, light FROM {name}"))


@pytest.fixture
def with_history(store: Store) -> Iterator[Store]:
    yield store
    if not isinstance(store, Sqlite):
        store.run(f"DROP TABLE IF EXISTS {store.sql(f'{TABLE}_history')}")


def test_every_run_stays_in_the_history_and_the_same_run_adds_nothing(with_history: Store) -> None:
    publish(with_history, frame(customers="ab"), run="r1")
    publish(with_history, frame(customers="ab"), run="r1")
    publish(with_history, frame("green", customers="bc"), run="r2")
    assert past(with_history) == [
        ("r1", MAY, "a", "red"), ("r1", MAY, "b", "red"),
        ("r2", MAY, "b", "green"), ("r2", MAY, "c", "green"),
    ]  # fmt: skip
    assert held(with_history) == [(MAY, "b", "green"), (MAY, "c", "green")]


def test_a_history_that_refuses_leaves_the_table_as_it_was(with_history: Store) -> None:
    publish(with_history, frame(customers="ab"), run="r1")
    before, known = held(with_history), past(with_history)
    name = with_history.sql(f"{TABLE}_history")
    with_history.run(f"ALTER TABLE {name} ADD COLUMN more int")
    with pytest.raises(DataError, match="has also more"):
        publish(with_history, frame("green", customers="bc"), run="r2")
    assert (held(with_history), past(with_history)) == (before, known)
