"""`churnkit forget`: no byte of a person is left, nobody else's changes, and nobody comes back."""

from __future__ import annotations

import base64
import io
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import run, told

import churnkit
from churnkit import bundle
from churnkit.errors import DataError
from churnkit.forgetting import cut, read_suppression, write_suppression
from churnkit.ledger import Ledger
from churnkit.logs import Contract, LogMapping
from churnkit.mentions import Mentions
from churnkit.nightly import alone
from churnkit.project_forget import places
from churnkit.pseudonyms import Pseudonyms
from churnkit.publishing import ScoreStore
from churnkit.registry import Registry
from churnkit.release import push
from churnkit.sinks import forget_in_tables, rows_in_tables, write_table
from churnkit.sources import read_logs
from churnkit.suppression import Suppression

WHO, OTHER = "QZX-9731-person", "QZX-9731-sister"
EARLIER, DAY, TODAY = "2024-04-08", "2024-04-15", "2024-04-20"
SETTINGS = """
[question]
horizon_days = 30
lookback_days = 90

[logs.purchases]
path = "purchases.csv"

[logs.activity]
path = "activity.csv"

[logs.surveys]
path = "surveys.csv"

[output]
csv = "newest.csv"
url = "sqlite:///out.db"
"""


@pytest.fixture(scope="module")
def full(shop, training, empty_store, tmp_path_factory) -> Path:
    """A project in which a person was scored, called, overridden, recorded and told of."""
    folder = tmp_path_factory.mktemp("forget")
    some = sorted(set(shop.purchases["customer_id"]))[:150]
    for log in ("purchases", "activity", "surveys"):
        rows = getattr(shop, log)
        rows[rows["customer_id"].isin(some)].to_csv(folder / f"{log}.csv", index=False)
    (folder / "churnkit.toml").write_text(SETTINGS)
    shutil.copytree(empty_store, folder / "models")
    bundle.save(training.model, folder / "models" / "first", training.card(), "")
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        push(folder / "models" / "first", folder / "models", Registry(folder / "models"))
        patched.chdir(folder)
        first = churnkit.score(training.model, read_logs(*_logs(folder)), _cutoff(DAY)).to_run()
        called = first.sort_values("rank")["customer_id"]
        _rename({called.iloc[0]: WHO, called.iloc[1]: OTHER}, folder)
        _live(folder)
    return folder


def _logs(folder: Path) -> list[Path]:
    return [folder / f"{log}.csv" for log in ("purchases", "activity", "surveys")]


def _cutoff(day: str):
    from churnkit.clock import Cutoff

    return Cutoff.parse(day)


def _rename(names: dict[str, str], folder: Path) -> None:
    for path in _logs(folder):
        rows = pd.read_csv(path)
        rows.assign(customer_id=rows["customer_id"].replace(names)).to_csv(path, index=False)


def _live(folder: Path) -> None:
    """What a week with a person leaves behind."""
    done = folder / "done.csv"
    for given in (
        ("score", "--as-of", EARLIER),
        ("lights", "set", WHO, "red", "--as-of", EARLIER, "--until", "2024-07-01",
         "--owner", "anna", "--reason", f"spoke to {WHO}"),
        ("lights", "set", OTHER, "red", "--as-of", EARLIER, "--until", "2024-07-01",
         "--owner", "anna", "--reason", f"sister of {WHO}"),
        ("outcomes", "record", "done.csv"),
        ("run", "--as-of", DAY),
        ("report", "--as-of", DAY, "--language", "fa", "--out", "reports/persian.html"),
        ("explain", WHO, "--as-of", DAY, "--html", f"reports/{WHO}.html"),
    ):  # fmt: skip
        done.write_text(
            f"customer_id,as_of,done,note\n{WHO},{EARLIER},yes,spoke to {WHO}\n"
            f"{OTHER},{EARLIER},no,as {WHO} said\n"
        )
        assert run(*given).exit_code == 0, given
    done.unlink()
    # What a run with --incremental leaves, which a model that compares all customers never does.
    left = folder / "scores" / "increment" / f"{DAY}.parquet"
    left.parent.mkdir()
    pq.write_table(pa.table({"customer_id": [OTHER, WHO], "fingerprint": [1, 2]}), left)
    left.write_bytes(left.read_bytes() + sha256(left.read_bytes()).digest())


@pytest.fixture
def project(full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = shutil.copytree(full, tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


# ── Every byte ──────────────────────────────────────────────────────────────────────────────


def traces(who: str, folder: Path) -> dict[str, str]:
    """File → how it names somebody: in its bytes, or in what is compressed in them."""
    signs = [who.encode(), who.encode("utf-16-le"), base64.b64encode(who.encode())[:-4]]
    found = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        if who in path.name or any(sign in content for sign in signs):
            found[str(path.relative_to(folder))] = "bytes"
        elif any(who in text for text in _unpacked(path, content)):
            found[str(path.relative_to(folder))] = "values"
    return found


def _unpacked(path: Path, content: bytes) -> Iterator[str]:
    if content[:4] == b"PAR1":
        whole = content if content.endswith(b"PAR1") else content[:-32]
        table = pq.read_table(io.BytesIO(whole))
        yield str(table.schema.metadata)
        yield from (str(column.to_pylist()) for column in table.columns)
    elif path.suffix == ".duckdb":
        with duckdb.connect(str(path), read_only=True) as con:
            for (table,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                yield str(con.execute(f'SELECT * FROM "{table}"').fetchall())
    elif content.startswith(b"SQLite"):
        con = sqlite3.connect(path)
        for (table,) in con.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            yield str(con.execute(f'SELECT * FROM "{table}"').fetchall())
        con.close()


def rows_of_others(folder: Path) -> dict[str, list]:
    """Every row of everybody else that is kept, wherever that is."""
    with duckdb.connect(str(folder / "ledger" / "ledger.duckdb"), read_only=True) as con:
        ledger = con.execute(
            f"SELECT * FROM scores WHERE customer_id <> '{WHO}' ORDER BY number, place"
        ).df()
    store = ScoreStore(folder / "scores")
    days = {day: store.read(day) for day in store.days()}
    con = sqlite3.connect(folder / "out.db")
    tables = {
        name: con.execute(f"SELECT * FROM {name} WHERE customer_id <> ? ORDER BY 1, 2", [WHO])
        for name in ("churn_scores", "churn_scores_history", "churn_calls")
    }
    found = {name: [row[1:] for row in rows] for name, rows in tables.items()}
    con.close()
    frames = {"ledger": ledger, **days}
    found |= {n: f[f["customer_id"] != WHO].astype(str).to_numpy().tolist()
              for n, f in frames.items()}  # fmt: skip
    # What was said of others by the name of the person is the one thing that is changed of them.
    return {name: [str(row).replace(WHO, "…") for row in rows] for name, rows in found.items()}


LOGS = {"purchases.csv", "activity.csv", "surveys.csv"}


def test_no_byte_is_left_and_nobody_else_changes(project: Path) -> None:
    there = traces(WHO, project)
    assert len({*there} - LOGS) > 12, there
    others = rows_of_others(project)
    found = told("forget", WHO, "--on", TODAY, "--yes")
    assert {*traces(WHO, project)} == LOGS
    assert rows_of_others(project) == others
    [proof] = found["forgotten"]
    rows = {place["place"]: (place["before"], place["after"]) for place in proof["places"]}
    assert rows["published scores"] == (2, 0)
    assert rows["ledger, outcomes"] == rows["outcomes"] == rows["overrides"] == (1, 0)
    assert rows["table churn_scores_history"] == (2, 0)
    assert rows["pages and lists"][0] >= 5
    assert {"what an incremental run left", "table churn_calls"} <= rows.keys()
    assert "purchases.csv (" in proof["remains"][0]
    assert [m["champion"] for m in proof["models"]] == [True]
    for name, digest in proof["sha256"].items():
        assert sha256((project / name).read_bytes()).hexdigest() == digest
    text = Path(found["paths"][0]["text"]).read_text()
    assert text.startswith(f"Forgotten on {TODAY} by churnkit ")
    assert proof["customer"] in text
    assert json.loads(Path(found["paths"][0]["json"]).read_text()) == proof


def test_everything_still_works_and_the_person_does_not_come_back(project: Path) -> None:
    assert run("forget", WHO, "--on", TODAY, "--yes").exit_code == 0
    again = run("run", "--as-of", DAY)
    assert (again.exit_code, "nothing changed since" in again.stderr) == (99, True), again.stdout
    assert WHO not in set(churnkit.read_scores(folder="scores")["customer_id"])
    assert len(ScoreStore(Path("scores")).runs()) == 2
    assert run("history", OTHER).stdout.count("sister of …") >= 1
    assert run("history", WHO).exit_code == 2
    with duckdb.connect("ledger/ledger.duckdb", read_only=True) as con:
        runs = con.execute("SELECT run, customers, red + yellow + green FROM runs").fetchall()
    store = ScoreStore(Path("scores"))
    assert runs == [(one.run, one.rows, one.rows) for one in store.runs()]
    scored = told("score", "--as-of", DAY)
    assert not scored["published"]["unchanged"]  # the logs are others now
    assert run("report", "--as-of", DAY).exit_code == 0
    assert {*traces(WHO, project)} == LOGS
    assert told("check")["logs"][0]["rejected"]["forgotten"] > 0
    assert run("forget", WHO, "--on", TODAY, "--yes").exit_code == 99


class _Killed(BaseException):
    """What a test has in place of a kill."""


@pytest.mark.parametrize("at", [1, 4, 9])
def test_what_was_cut_short_is_finished_by_the_same_command(
    project: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before one of the places is emptied; in each of them it is all or nothing."""

    def killed() -> None:
        raise _Killed

    whole: Callable = places.places_of

    def cut_short(*given):
        told = whole(*given)
        told[at] = replace(told[at], remove=killed)
        return told

    with monkeypatch.context() as patched:
        patched.setattr("churnkit.project_forget.places_of", cut_short)
        with pytest.raises(_Killed):
            run("forget", WHO, "--on", TODAY, "--yes")
    assert len(churnkit.read_scores(folder="scores")) > 100
    found = told("forget", WHO, "--on", "2024-05-01", "--yes")
    assert {*traces(WHO, project)} == LOGS
    [proof] = found["forgotten"]
    assert proof["on"] == TODAY
    assert next(p for p in proof["places"] if p["place"] == "published scores")["before"] == 2
    assert len(list(Path("ledger/forgotten").glob("*.json"))) == 2  # the list, and one proof


def test_a_dry_run_changes_nothing(project: Path) -> None:
    def all_files() -> dict[Path, bytes]:
        files = (p for p in project.rglob("*") if p.is_file() and "lock" not in p.name)
        return {path: path.read_bytes() for path in files}

    before = all_files()
    shown = run("forget", WHO, "--on", TODAY, "--dry-run")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("Would be forgotten: customers: 1; rows: ")
    assert "published scores: 2 (scores)" in shown.stdout
    assert all_files() == before


def test_nobody_is_forgotten_by_mistake(project: Path, tmp_path: Path) -> None:
    asked = run("forget", WHO, "--on", TODAY)
    assert (asked.exit_code, "--yes" in asked.stderr) == (2, True)
    unknown = run("forget", "QZX-9731-persom", "--on", TODAY, "--yes")
    assert unknown.exit_code == 99
    assert f"Did you mean '{WHO}'?" in unknown.stderr
    assert run("forget", "--on", TODAY, "--yes").exit_code == 2
    with alone(Path("ledger")):
        assert run("forget", WHO, "--on", TODAY, "--yes").exit_code == 75
    with ScoreStore(Path("scores")).lock():
        assert run("forget", WHO, "--on", TODAY, "--yes").exit_code == 75
    assert not Path("ledger/forgotten").exists()


def test_several_at_once_and_one_who_was_never_scored(project: Path, tmp_path: Path) -> None:
    only_browses = pd.DataFrame({"customer_id": ["only-browses"], "ts": ["2024-01-02 10:00:00"],
                                 "event": ["visit"]})  # fmt: skip
    only_browses.to_csv("activity.csv", mode="a", header=False, index=False)
    (tmp_path / "ids.txt").write_text(f"{WHO}\n\nonly-browses\nnobody-at-all\n", encoding="utf-8")
    found = told("forget", OTHER, "--file", str(tmp_path / "ids.txt"), "--on", TODAY, "--yes")
    assert (len(found["forgotten"]), found["unknown"]) == (3, ["nobody-at-all"])
    assert {*traces(WHO, project), *traces(OTHER, project)} == LOGS
    listed = read_suppression(Path("ledger"))
    assert listed is not None
    assert [listed.covers(name) for name in (WHO, OTHER, "only-browses", "C00001")] == [
        True, True, True, False,
    ]  # fmt: skip


# ── At the door ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("key", [None, b"a key only for this very test, 12345"])
def test_rows_of_the_forgotten_are_set_aside_first_of_all_and_not_listed(key) -> None:
    names = None if key is None else Pseudonyms(key)
    gone = "12748" if names is None else names.of("12748")
    listed = Suppression.of_nobody()
    contract = Contract(
        mappings={"purchases": LogMapping(fold_ids=True)}, pseudonyms=names,
        suppression=listed.with_hashes(listed.hash_of(gone)), max_rejected_share=0,
    )  # fmt: skip
    frame = pd.DataFrame(
        {"customer_id": ["۱۲۷۴۸", " 12748", "1274", "12748"],
         "ts": ["2024-01-01", "2024-01-02", "2024-01-03", "no day at all"]}
    )  # fmt: skip
    logs = read_logs(frame, contract=contract)
    assert logs.customer_count == 1
    assert dict(logs.checks[0].rejected) == {"forgotten": 3}
    assert logs.rejected.num_rows == 0
    nobody = replace(contract, suppression=Suppression.of_nobody(), max_rejected_share=1)
    assert read_logs(frame, contract=nobody).customer_count == 2


def test_a_damaged_list_stops_every_run(tmp_path: Path) -> None:
    assert read_suppression(tmp_path) is None
    listed = Suppression.of_nobody().with_hashes(Suppression("00").hash_of("a"))
    path = write_suppression(listed, tmp_path)
    assert read_suppression(tmp_path) == listed
    for damage in ("{", "[]", '{"format": 1, "salt": "x", "hashes": []}', "{}"):
        path.write_text(damage)
        with pytest.raises(DataError, match="nobody knows who is to be left out"):
            read_suppression(tmp_path)


# ── Files for people ────────────────────────────────────────────────────────────────────────


def left(name: str, text: str, *names: str) -> tuple[str | None, dict[str, int]]:
    found = cut(name, text.encode(), Mentions(names))
    assert found is not None
    return None if found.content is None else found.content.decode(), dict(found.rows)


def test_rows_are_cut_to_the_byte() -> None:
    head, said = "\ufeffrank,customer_id,reasons\r\n", '"said ""no"",\r\nand left"'
    text = f"{head}1,a,{said}\r\n2,'=b,x\r\n12,2,y\r\n"
    assert left("c.csv", text, "a") == (
        "\ufeffrank,customer_id,reasons\r\n2,'=b,x\r\n12,2,y\r\n", {"a": 1},
    )  # fmt: skip
    assert left("c.csv", text, "=b")[0] == text.replace("2,'=b,x\r\n", "")
    assert left("c.csv", text, "2") == (text.replace("12,2,y\r\n", ""), {"2": 1})
    assert cut("c.csv", text.encode(), Mentions(["12", "x"])) is None
    first = '<tr><td class="n">7</td><td class="id"><bdi>a&lt;b</bdi></td></tr>\n'
    second = '<tr><td class="n">8</td><td class="id" data-says="x"><bdi>7</bdi></td></tr>\n'
    page = f"<table>\n{first}{second}</table>"
    assert left("p.html", page, "a<b") == (f"<table>\n{second}</table>", {"a<b": 1})
    assert left("p.html", page, "7") == (f"<table>\n{first}</table>", {"7": 1})
    assert left("p.html", "<h1><bdi>7</bdi></h1><p>all of it", "7") == (None, {"7": 1})
    assert left("p.html", "<p>for &#39;a7&#39; others", "a7")[0] == "<p>for &#39;…&#39; others"
    assert left("p.html", "<p>somewhere C00042 else", "C00042")[0] is None
    events = '{"customer_id": "1", "rank": 2}\n{"customer_id": "2", "rank": 1}\n'
    assert left("w.jsonl", events, "1") == ('{"customer_id": "2", "rank": 1}\n', {"1": 1})


def test_entries_of_a_calendar_are_found_though_their_lines_are_folded() -> None:
    from icalendar import Calendar, Event

    long_id = "a, b; c\\" + "0123456789" * 9
    calendar = Calendar()
    for who in (long_id, "x"):
        entry = Event()
        entry.add("summary", f"call about service: {who}")
        calendar.add_component(entry)
    text = calendar.to_ical().decode()
    kept, rows = left("c.ics", text, long_id)
    assert rows == {long_id: 1}
    assert kept.count("BEGIN:VEVENT") == 1
    assert "SUMMARY:call about service: x" in kept
    assert left("c.ics", text, "x")[1] == {"x": 1}


# ── Stores ──────────────────────────────────────────────────────────────────────────────────


def test_postgres_forgets_in_tables_and_ledger(postgres) -> None:
    people = {"customer_id": ["a-person", "b"], "rules": ["", "friend of a-person"]}
    rows = pd.DataFrame({"as_of": ["2024-01-01"] * 2, **people, "light": ["red", "green"]})
    table, name = postgres.table("scores"), Mentions(["a-person"])
    write_table(rows, postgres.url, table, run="0123456789ab")
    past = table.replace('scores"', 'scores_history"')
    assert rows_in_tables(postgres.url, [table, past, "no_such"], name) == {
        table: {"a-person": 1}, past: {"a-person": 1},
    }  # fmt: skip
    forget_in_tables(postgres.url, [table, past], name, {"0123456789ab": "0123456789ab-2"})
    assert postgres.rows(f"SELECT customer_id, rules FROM {table}") == [("b", "friend of …")]
    assert postgres.rows(f"SELECT run, customer_id FROM {past}") == [("0123456789ab-2", "b")]
    ledger = Ledger(Path("unused"), f"{postgres.url}?options=-csearch_path%3D{postgres.schema}")
    ledger.write(rows, _cutoff("2024-01-01"))
    assert ledger.rows_of(name)["scores"] == {"a-person": 1}
    ledger.forget(name)
    assert ledger.read("2024-01-01")["customer_id"].tolist() == ["b"]
    assert ledger.runs()[["customers", "red", "green"]].to_numpy().tolist() == [[1, 0, 1]]
