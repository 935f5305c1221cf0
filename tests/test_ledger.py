"""The ledger: rows are added, none is changed, and what was published is the truth.

Every promise is held in a file of DuckDB and in tables of PostgreSQL.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from killed import key_of, publish, table_of, zygote

from churnkit.clock import Cutoff
from churnkit.errors import Busy, ConfigError, DataError
from churnkit.ledger import CaughtUp, Ledger
from churnkit.publishing import ScoreStore

DAY, NEXT = "2024-05-15", "2024-05-22"
Maker = Callable[..., Ledger]


@pytest.fixture(params=["duckdb", "postgres"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Maker]:
    """Opens the one ledger of the test."""
    if request.param == "duckdb":
        yield lambda **told: Ledger(tmp_path / "ledger", **told)
        return
    server = request.getfixturevalue("postgres")
    schema = f"{server.schema}_ledger"
    server.run(f"DROP SCHEMA IF EXISTS {schema} CASCADE", f"CREATE SCHEMA {schema}")
    url = f"{server.url}?options=-csearch_path%3D{schema}"
    yield lambda **told: Ledger(tmp_path / "ledger", url, **told)
    server.run(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture
def ledger(make: Maker) -> Ledger:
    return make()


@pytest.fixture
def store(tmp_path: Path) -> ScoreStore:
    return ScoreStore(tmp_path / "scores")


def run_of(day: str = DAY, ids: str = "ab", **more: Any) -> pd.DataFrame:
    told = {"churn_probability": np.linspace(0.9, 0.1, len(ids)), "light": "red", "rules": "é; ب"}
    frame = pd.DataFrame({"customer_id": list(ids), "as_of": day, **told})
    value = [np.nan, *[1.5] * (len(ids) - 1)]
    return frame.assign(**{"value_at_risk": value, "better_due": 0, **more})


def write(ledger: Ledger, frame: pd.DataFrame) -> None:
    ledger.write(frame, Cutoff.parse(frame["as_of"].iloc[0]))


def deeds(*rows: tuple[int, str, str]) -> pd.DataFrame:
    """Records as `Deeds.history` gives them: number, customer, day."""
    told = {"done": True, "result": "reached", "cost": 2.5, "note": None, "arm": "treated"}
    columns = ["record", "customer_id", "as_of"]
    frame = pd.DataFrame(rows, columns=columns).assign(**told, file="done.csv", superseded=False)
    return frame.assign(row=range(1, len(rows) + 1))


OVERRIDE = {
    "customer": "a", "day": DAY, "light": "red", "before": "green", "until": "2024-06-01",
    "owner": "mia", "reason": "said so; it's 100%",
}  # fmt: skip


# ── What is added comes back ────────────────────────────────────────────────────────────────


def test_a_run_comes_back_as_it_was_in_order_and_types(ledger):
    frame = run_of(ids="zbya", flag=[True, False, True, True], gone=None)
    write(ledger, frame)
    found = ledger.read(DAY)
    pd.testing.assert_frame_equal(found.drop(columns="gone"), frame.drop(columns="gone"))
    assert found["gone"].isna().all()
    assert ledger.columns(DAY) == tuple(frame.columns)
    pd.testing.assert_frame_equal(
        ledger.read(DAY, ["light", "customer_id"]), frame[["light", "customer_id"]]
    )


def test_a_ledger_without_runs_has_none(ledger):
    assert ledger.days() == ()
    assert ledger.before(Cutoff.parse(DAY)) is None
    assert ledger.like("a") == ()
    assert all(frame.empty for frame in ledger.of_customer("a").values())
    assert ledger.runs().empty
    with pytest.raises(DataError, match=f"there is no run of {DAY}"):
        ledger.read(DAY)


def test_the_run_before_and_the_latest(ledger):
    for day in (DAY, "2024-05-01", NEXT):
        write(ledger, run_of(day))
    assert ledger.days() == ("2024-05-01", DAY, NEXT)
    assert ledger.before(Cutoff.parse(NEXT))["as_of"].iloc[0] == DAY
    assert ledger.latest(Cutoff.parse(NEXT))["as_of"].iloc[0] == NEXT
    assert ledger.latest(Cutoff.parse("2024-04-01")) is None


def test_a_column_that_is_not_there_is_told(ledger):
    write(ledger, run_of())
    with pytest.raises(DataError, match="no column 'lights'") as error:
        ledger.read(DAY, ["lights"])
    assert "Did you mean 'light'?" in error.value.mend


def test_runs_may_have_columns_and_types_of_their_own(ledger):
    first = run_of(more=[1, 2])
    second = run_of(NEXT, more=[0.5, 2.5], other="x")
    third = run_of("2024-05-29", more="text", better_due="soon")
    for frame in (first, second, third):
        write(ledger, frame)
    for frame in (first, second, third):
        pd.testing.assert_frame_equal(ledger.read(frame["as_of"].iloc[0]), frame)


def test_columns_that_have_no_room_are_refused(ledger):
    with pytest.raises(DataError, match="'place'"):
        write(ledger, run_of(place=1))
    with pytest.raises(DataError, match="lists"):
        write(ledger, run_of(more=[[1], [2]]))
    assert ledger.days() == ()


# ── Which run counts ────────────────────────────────────────────────────────────────────────


def test_the_newest_run_of_a_day_counts_and_the_same_is_added_once(ledger):
    for ids in ("ab", "abc", "abc", "ab"):
        write(ledger, run_of(ids=ids))
    assert ledger.runs()["customers"].tolist() == [2, 3, 2]
    assert len(ledger.read(DAY)) == 2


def test_the_run_that_outcomes_were_recorded_for_goes_on_counting(ledger):
    write(ledger, run_of(ids="ab"))
    write(ledger, run_of(NEXT))
    assert ledger.add_deeds(outcomes=deeds((1, "a", DAY))) == (0, 1)
    write(ledger, run_of(ids="abc"))
    write(ledger, run_of(NEXT, ids="abc"))
    assert (len(ledger.read(DAY)), len(ledger.read(NEXT))) == (2, 3)
    assert ledger.runs()["counts"].tolist() == [True, True, False, True]
    assert ledger.of_customer("c")["runs"]["as_of"].tolist() == [NEXT]


def test_runs_tell_what_they_are(ledger, store):
    manifest = publish(store.folder, 3, DAY)
    ledger.catch_up(store)
    (told,) = ledger.runs().to_dict("records")
    frame = store.read(DAY)
    assert (told["run"], told["sequence"], told["counts"]) == (manifest.run, 1, True)
    assert (told["content"], told["model_version"]) == (manifest.content, "3")
    assert told["customers"] == len(frame)
    assert told["red"] == (frame["light"] == "red").sum() > 0
    assert json.loads(told["told"])["key"] == key_of(3)


# ── Catching up ─────────────────────────────────────────────────────────────────────────────


def test_catching_up_adds_what_is_not_there_once(ledger, store):
    runs = [publish(store.folder, seed, day) for seed, day in ((1, DAY), (2, NEXT), (3, DAY))]
    told = ([OVERRIDE, {**OVERRIDE, "light": "", "until": ""}], deeds((1, "c1", DAY)))
    first = ledger.catch_up(store, *told)
    assert first.runs == tuple(f"{m.as_of}/{m.run}" for m in (runs[0], runs[2], runs[1]))
    assert (first.overrides, first.outcomes, first.damaged) == (2, 1, ())
    again = ledger.catch_up(store, *told)
    assert again == CaughtUp()
    assert len(ledger.runs()) == 3
    pd.testing.assert_frame_equal(ledger.read(NEXT), table_of(2, NEXT).to_pandas())
    # Outcomes come first: they were recorded for the first run, and the last does not count.
    pd.testing.assert_frame_equal(ledger.read(DAY), table_of(1, DAY).to_pandas())
    more = ledger.catch_up(store, [*told[0], OVERRIDE], deeds((1, "c1", DAY), (2, "c2", NEXT)))
    assert (more.runs, more.overrides, more.outcomes) == ((), 1, 1)
    assert ledger.overrides()["light"].tolist() == ["red", "", "red"]
    assert ledger.outcomes()["record"].tolist() == [1, 2]


def test_a_damaged_published_run_is_told_and_the_others_are_added(ledger, store):
    bad, good = publish(store.folder, 1, DAY), publish(store.folder, 2, NEXT)
    (store.folder / f"as_of={DAY}" / bad.file.name).write_bytes(b"nothing")
    told = ledger.catch_up(store)
    assert (told.runs, told.damaged) == ((f"{NEXT}/{good.run}",), (f"{DAY}/{bad.run}",))
    assert ledger.days() == (NEXT,)


def test_everything_of_a_customer_is_found(ledger):
    write(ledger, run_of(ids="ab"))
    write(ledger, run_of(NEXT, ids="b"))
    ledger.add_deeds([OVERRIDE], deeds((1, "a", DAY), (1, "b", DAY), (2, "a", DAY)))
    found = ledger.of_customer("a")
    assert found["runs"]["as_of"].tolist() == [DAY]
    assert found["overrides"]["reason"].tolist() == ["said so; it's 100%"]
    assert found["outcomes"]["record"].tolist() == [1, 2]
    assert all(frame.empty for frame in ledger.of_customer("x' OR 'a'='a").values())


def test_similar_ids_are_found(ledger):
    frame = pd.DataFrame({"customer_id": ["C-1042", "C-2000", "long-id-1042"], "as_of": DAY})
    write(ledger, frame)
    assert ledger.like("c-1024") == ("C-1042", "C-2000")


# ── What is in the way ──────────────────────────────────────────────────────────────────────


def test_a_newer_ledger_is_refused(make, request):
    write(make(), run_of())
    if make().url is None:
        with duckdb.connect(make().folder / "ledger.duckdb") as con:
            con.execute("INSERT INTO meta VALUES (99)")
    else:
        server = request.getfixturevalue("postgres")
        server.run(f"INSERT INTO {server.schema}_ledger.churnkit_ledger_meta VALUES (99)")
    for attempt in (lambda: make().days(), lambda: write(make(), run_of(NEXT))):
        with pytest.raises(ConfigError, match=r"newer churnkit \(format 99"):
            attempt()


def test_a_run_that_fails_half_way_leaves_nothing(ledger, store, monkeypatch):
    write(ledger, run_of())
    publish(store.folder, 1, NEXT)

    def full(*_: Any) -> None:
        raise ConfigError("the disk is full", "")

    with monkeypatch.context() as patched:
        patched.setattr("churnkit.ledger.ledger.told_columns", full)  # after the rows were added
        with pytest.raises(ConfigError):
            ledger.catch_up(store)
    assert ledger.days() == (DAY,)
    assert ledger.of_customer("c1")["runs"].empty
    assert len(ledger.catch_up(store).runs) == 1
    assert len(ledger.read(NEXT)) == len(table_of(1))


def test_no_row_is_ever_changed_or_removed_but_of_those_who_are_forgotten():
    source = Path(__file__).parents[1] / "src" / "churnkit" / "ledger"
    others = (path for path in source.glob("*.py") if path.name != "forgetting.py")
    told = "\n".join(path.read_text(encoding="utf-8") for path in others)
    assert not re.search(r"\b(UPDATE|DELETE|TRUNCATE|DROP|MERGE|REPLACE)\b", told)


@pytest.mark.parametrize("damage", ["cut", "emptied", "foreign", "flipped"])
def test_a_damaged_file_is_named_with_a_way_out(tmp_path, damage):
    ledger = Ledger(tmp_path)
    path = ledger.write(run_of(ids="ab" * 500), Cutoff.parse(DAY))
    data = path.read_bytes()
    path.write_bytes(
        {
            "cut": data[: len(data) // 2], "emptied": b"", "foreign": b"hello " * 5_000,
            "flipped": data[:8_200] + bytes([data[8_200] ^ 1]) + data[8_201:],
        }[damage]
    )  # fmt: skip
    with pytest.raises(DataError, match=r"ledger\.duckdb cannot be read") as error:
        ledger.read(DAY)
    assert "makes it anew from the published scores" in error.value.mend


def test_readers_wait_a_little_for_a_writer_and_are_then_told_that_it_is_busy(tmp_path):
    ledger = Ledger(tmp_path, wait_seconds=0.2)
    path = ledger.write(run_of(), Cutoff.parse(DAY))
    hold = f"import duckdb, sys\ncon = duckdb.connect({str(path)!r})\nprint(1, flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        writer.stdout.readline()
        with pytest.raises(Busy, match="another process is writing") as error:
            ledger.days()
        assert error.value.exit_code == 75
        writer.stdin.close()
        patient = Ledger(tmp_path, wait_seconds=30)
        assert patient.days() == (DAY,)


def test_a_second_writer_to_postgres_is_busy(postgres, tmp_path):
    url = f"{postgres.url}?options=-csearch_path%3D{postgres.schema}"
    ledger = Ledger(tmp_path, url, wait_seconds=0.2)
    with ledger._book.writing() as session:
        session.columns("meta")
        with pytest.raises(Busy):
            Ledger(tmp_path, url, wait_seconds=0.2).write(run_of(), Cutoff.parse(DAY))


def test_only_postgres_is_taken_by_url(tmp_path):
    with pytest.raises(ConfigError, match="no ledger is kept in mysql"):
        Ledger(tmp_path, "mysql://root@localhost/test").days()


def test_kill_9_while_catching_up_is_mended_by_the_next(tmp_path):
    publish(tmp_path, 1, DAY)
    publish(tmp_path, 2, NEXT)
    with zygote() as fork:
        assert fork(do="ledger", folder=tmp_path) == "exit 0"  # both duckdb and the file are there
        for number, seed in enumerate(range(3, 8)):
            publish(tmp_path, seed, NEXT)
            fork(do="ledger", folder=tmp_path, seconds=0.01 + 0.015 * number)
            kept = Ledger(tmp_path / "ledger")
            pd.testing.assert_frame_equal(kept.read(DAY), table_of(1, DAY).to_pandas())
    kept.catch_up(ScoreStore(tmp_path))
    found = kept.runs()
    assert sorted(found["run"]) == sorted(key_of(seed)[:12] for seed in range(1, 8))
    assert set(found["customers"]) == {len(table_of(1))}
    pd.testing.assert_frame_equal(kept.read(NEXT), table_of(7, NEXT).to_pandas())
