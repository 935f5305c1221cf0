"""Exports for a CRM: whole files, of what is to be done, that say what the plan says."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from churnkit.actions import (
    Actions,
    Calls,
    Holdout,
    Playbook,
    Playbooks,
    export,
    export_table,
    plan,
)
from churnkit.actions.exports import CALENDAR, WEBHOOK, _file_of
from churnkit.clock import Cutoff
from churnkit.errors import ConfigError, DataError
from churnkit.language import language_named
from churnkit.spreadsheet import FORMULA_STARTS

TEHRAN = Cutoff.parse("2024-06-03", "Asia/Tehran")
HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "＝1",
    "a\nb",
    "a\r\nBEGIN:VALARM",
    "\rEND:VEVENT",
    "</script><script>alert(1)</script>",
    "\u200f\u202eمریم",
    "\u2028\u2029",
    "a,b;c\\d\"e'",
    "x" * 500,
    "é" * 200,
    "\x07bell\x00",
    "🙂",
    " ",
    "",
]
BOOKS = Playbooks(
    (
        Playbook("ring", "ring up", "call", "4 working hours", ("red",), owner="{manager}"),
        Playbook("write", "write", "mail", "2 working days", owner="marketing"),
    )
)


def planned(
    ids: list[str], calls: Calls | None = None, share: float = 0.0, managers: list | None = None
) -> pd.DataFrame:
    rows = len(ids)
    run = pd.DataFrame(
        {
            "customer_id": pd.Series(ids, dtype=object),
            "as_of": "2024-06-03",
            "churn_probability": np.linspace(0.9, 0.1, rows),
            "value_at_risk": [np.nan if k % 3 == 2 else 1.5 * k for k in range(rows)],
            "rank": range(1, rows + 1),
            "light": pd.Series([("red", "yellow")[k % 2] for k in range(rows)], dtype=object),
            "reason": "score",
            "reasons": "no purchase for 74 days (was 21); spent 3, not 5",
            "segment": "",
        }
    )
    named = np.array(managers or ["anna"] * rows, dtype=object)
    actions = Actions(BOOKS, calls=calls or Calls(), holdout=Holdout(share))
    return plan(run, actions, TEHRAN, {"manager": named})


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))


def events(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_bytes().decode().split("\n")[:-1]]


def entries(path: Path) -> list:
    return Calendar.from_ical(path.read_bytes()).walk("VEVENT")


# ── What is in which file ───────────────────────────────────────────────────────────────────


def test_the_files_by_hand(tmp_path):
    written = export(planned(["c1", "c2", "c3"], managers=["anna", "anna", "bob"]), tmp_path / "x")
    assert written == {
        name: tmp_path / "x" / name
        for name in ("owner-anna.csv", "owner-bob.csv", "owner-marketing.csv", WEBHOOK, CALENDAR)
    }
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == sorted(written)
    assert table(written["owner-anna.csv"]) == [
        {
            "rank": "1", "customer_id": "c1", "light": "red", "action": "ring up",
            "channel": "call", "owner": "anna", "due": "2024-06-03T13:00:00+03:30",
            "tier": "low", "churn_probability": "0.9", "value_at_risk": "0.0",
            "reasons": "no purchase for 74 days (was 21); spent 3, not 5", "playbook": "ring",
            "campaign": "retention", "as_of": "2024-06-03",
        }
    ]  # fmt: skip
    assert [row["customer_id"] for row in table(written["owner-bob.csv"])] == ["c3"]
    first, _, third = events(written[WEBHOOK])
    assert first["event"] == "churnkit.action"
    assert (first["customer_id"], first["rank"], first["churn_probability"]) == ("c1", 1, 0.9)
    assert third["value_at_risk"] is None
    one, other = entries(written[CALENDAR])  # mails are no dates
    assert str(one["summary"]) == "ring up: c1"
    assert str(one["description"]) == "no purchase for 74 days (was 21); spent 3, not 5"
    assert one["dtend"].dt == datetime(2024, 6, 3, 9, 30, tzinfo=UTC)
    assert one["dtend"].dt - one["dtstart"].dt == timedelta(minutes=15)
    assert one["dtstamp"].dt == datetime(2024, 6, 3, tzinfo=UTC)
    assert other["categories"].cats == ["bob"]


def test_who_waits_or_is_held_out_is_in_no_file(tmp_path):
    ids = [f"customer-{k:03}" for k in range(200)]
    told = planned(ids, Calls(30), 0.3)
    assert set(told["listed"]) == {"call", "waiting", ""}
    assert set(told["arm"]) == {"treated", "control", ""}
    written = export(told, tmp_path)
    listed = set(told.loc[told["listed"] == "call", "customer_id"])
    tables = [row for name in written if name.endswith(".csv") for row in table(written[name])]
    assert sorted(row["customer_id"] for row in tables) == sorted(listed)
    assert {event["customer_id"] for event in events(written[WEBHOOK])} == listed
    assert len(entries(written[CALENDAR])) == 30
    everything = b"".join(path.read_bytes() for path in written.values()).decode()
    assert not [who for who in ids if who in everything and who not in listed]


def test_the_table_of_an_owner_is_in_order_of_rank(tmp_path):
    shuffled = planned([f"c{k}" for k in range(40)]).sample(frac=1, random_state=3)
    ranks = [int(row["rank"]) for row in table(export(shuffled, tmp_path)["owner-anna.csv"])]
    assert ranks == sorted(ranks)


def test_nothing_to_do(tmp_path):
    written = export(planned([]), tmp_path)
    assert sorted(written) == [CALENDAR, WEBHOOK]
    assert events(written[WEBHOOK]) == entries(written[CALENDAR]) == []


def test_the_table_of_an_owner_with_nothing_left_to_do_goes(tmp_path):
    (tmp_path / "notes.csv").write_text("mine")
    export(planned(["c1", "c2"], managers=["bob", "bob"]), tmp_path)
    export(planned(["c1", "c2"]), tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"owner-anna.csv", "owner-marketing.csv", WEBHOOK, CALENDAR, "notes.csv"}


# ── Whatever customers and owners are called ────────────────────────────────────────────────


def read_back(told: pd.DataFrame, folder: Path) -> None:
    """Every file says of every customer to be called or written to what the plan says."""
    written = export(told, folder)
    listed = told[told["listed"] == "call"].sort_values("rank")
    ids = listed["customer_id"].tolist()
    assert [event["customer_id"] for event in events(written[WEBHOOK])] == ids
    rows = {
        int(row["rank"]): row
        for name in written
        if name.endswith(".csv")
        for row in table(written[name])
    }
    for rank, who, owner in zip(listed["rank"], ids, listed["owner"], strict=True):
        for text, cell in ((who, rows[rank]["customer_id"]), (owner, rows[rank]["owner"])):
            assert cell == (f"'{text}" if text.startswith(FORMULA_STARTS) else text)
    calls = listed[listed["channel"] == "call"]
    dates = entries(written[CALENDAR])
    assert len(dates) == len(calls)
    for entry, who in zip(dates, calls["customer_id"], strict=True):
        assert shown(str(entry["summary"])) == shown(f"ring up: {who}")
        assert not entry.subcomponents
    assert len({str(entry["uid"]) for entry in dates}) == len(dates)


def shown(text: str) -> str:
    """What is left of a text without spaces and control characters."""
    return "".join(c for c in text if c.isprintable() and not c.isspace())


def test_hostile_customers_and_owners(tmp_path):
    read_back(planned(HOSTILE), tmp_path / "customers")
    read_back(
        planned([f"c{k}" for k in range(len(HOSTILE))], managers=HOSTILE), tmp_path / "owners"
    )


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(TEXT, unique=True, max_size=6), st.data())
def test_any_customers_and_owners(tmp_path, ids, data):
    managers = data.draw(st.lists(TEXT, min_size=len(ids), max_size=len(ids)))
    read_back(planned(ids, managers=managers), tmp_path)


def test_no_line_of_a_calendar_is_made_by_a_customer(tmp_path):
    """Every line but the folded ones begins with a property of ours."""
    told = planned([f"{who} {k}" for who in HOSTILE for k in (1, 2)])
    written = export(told, tmp_path)[CALENDAR].read_bytes()
    assert not {c for c in written if c < 0x20} - set(b"\r\n")
    lines = written.split(b"\r\n")
    assert not [line for line in lines if b"\r" in line or b"\n" in line or len(line) > 75]
    ours = (
        b"BEGIN:V", b"END:V", b"VERSION", b"PRODID", b"METHOD", b"SUMMARY", b"DTSTA", b"DTEND",
        b"UID", b"CATEGORIES", b"DESCRIPTION", b"TRANSP", b" ",
    )  # fmt: skip
    assert not [line for line in lines if line and not line.startswith(ours)]
    assert not [line for line in lines if line == b"BEGIN:VALARM"]


def test_an_event_is_one_line_that_no_page_can_be_broken_out_of_with(tmp_path):
    written = export(planned(HOSTILE), tmp_path)[WEBHOOK].read_bytes()
    assert len(written.decode().splitlines()) == len(HOSTILE)
    assert b"<" not in written
    assert written.isascii()


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("anna", "owner-anna.csv"),
        ("retention team", "owner-retention_team.csv"),
        ("مریم", "owner-مریم.csv"),
        ("Anna", "owner-anna-"),
        ("a_b", "owner-a_b-"),
        ("../../etc/passwd", "owner--etc-passwd-"),
        ("..", "owner---"),
        ("anna/1\x00", "owner-anna-1--"),
        ("x" * 300, f"owner-{'x' * 40}-"),
    ],
)
def test_the_name_of_a_file(owner, name):
    hashed = (
        "" if name.endswith(".csv") else hashlib.sha256(owner.encode()).hexdigest()[:8] + ".csv"
    )
    assert _file_of(owner) == name + hashed


@given(st.lists(st.text("aAäÄ -_./\\:ﬀ1", max_size=5), unique=True, max_size=30))
def test_no_two_owners_share_a_file(owners):
    names = {_file_of(owner).casefold() for owner in owners}
    assert len(names) == len(owners)
    assert all(Path(name).name == name and len(name.encode()) < 200 for name in names)


def test_who_is_called_like_a_hash_gets_one_too():
    stolen = _file_of("Anna").removeprefix("owner-").removesuffix(".csv")
    assert _file_of(stolen) != _file_of("Anna")


# ── Whole or not at all, and the same every time ────────────────────────────────────────────


def test_the_same_plan_gives_the_same_bytes(tmp_path):
    one, other = (
        {name: path.read_bytes() for name, path in export(planned(HOSTILE), folder).items()}
        for folder in (tmp_path / "one", tmp_path / "other")
    )
    assert one == other


def test_deliveries_tell_cutoff_customer_and_playbook_apart(tmp_path):
    told = planned(["c1", "c2", "c3", "c4"])
    again = told.assign(as_of="2024-06-10")
    seen = [
        event["delivery"]
        for frame in (told, again)
        for event in events(export(frame, tmp_path)[WEBHOOK])
    ]
    assert len(set(seen)) == len(seen) == 8


def test_a_file_that_cannot_be_written_is_left_as_it_was(tmp_path):
    old = export(planned(["c1"]), tmp_path)["owner-anna.csv"]
    before = old.read_bytes()
    (tmp_path / CALENDAR).unlink()
    (tmp_path / CALENDAR).mkdir()  # in the way
    with pytest.raises(ConfigError, match="cannot be written"):
        export(planned(["c1"], managers=["bob"]), tmp_path)
    assert old.read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_what_is_no_plan_is_named(tmp_path):
    with pytest.raises(DataError, match="the plan has no 'listed'"):
        export(planned(["c1"]).drop(columns="listed"), tmp_path)
    assert not list(tmp_path.iterdir())


# ── The table of a store ────────────────────────────────────────────────────────────────────


def test_the_table_of_a_store_holds_the_lists(tmp_path):
    import sqlite3

    told = planned([f"c{k}" for k in range(60)], Calls(5), 0.3)
    url = f"sqlite:///{tmp_path / 'crm.db'}"
    listed = told[told["listed"] != ""]
    for _ in range(2):  # publishing again changes nothing
        assert export_table(told, url, "actions") == len(listed)
    with sqlite3.connect(tmp_path / "crm.db") as con:
        rows = con.execute("SELECT customer_id, listed, due FROM actions ORDER BY rank").fetchall()
    con.close()
    assert rows == list(listed[["customer_id", "listed", "due"]].itertuples(index=False, name=None))
    assert not set(told.loc[told["arm"] == "control", "customer_id"]) & {row[0] for row in rows}


# ── Speed ───────────────────────────────────────────────────────────────────────────────────


def test_a_large_run_is_planned_in_seconds():
    ids = [f"customer {k}" for k in range(100_000)]
    start = time.process_time()
    assert len(planned(ids, Calls(500), 0.1)) == len(ids)
    assert time.process_time() - start < 6


def test_what_people_read_is_in_their_language(tmp_path: Path) -> None:
    run = planned(["c1", "c2"], managers=["anna", "anna"])
    run = run.assign(reasons="↑ no purchase for 74 days; a reason of ours")
    there = export(run, tmp_path / "fa", language_named("fa"))
    plain = export(run, tmp_path / "en")

    assert there.keys() == plain.keys()
    text = there["owner-anna.csv"].read_text(encoding="utf-8")
    assert text.startswith("\ufeff")  # or a spreadsheet takes the letters for others
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    english = table(plain["owner-anna.csv"])
    assert rows[0].keys() == english[0].keys()
    assert rows[0]["light"] == "قرمز"
    assert rows[0]["reasons"] == "↑ ۷۴ روز بدون خرید؛ a reason of ours"
    assert rows[0]["due"] == english[0]["due"]

    event = json.loads(there[WEBHOOK].read_text(encoding="utf-8").splitlines()[0])
    assert event["light"] == "red"
    assert event["reasons"] == rows[0]["reasons"]
    entries = Calendar.from_ical(there[CALENDAR].read_bytes()).walk("VEVENT")
    assert "۷۴ روز بدون خرید" in str(entries[0]["description"])
