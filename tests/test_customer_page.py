"""The story of one customer, its scores over time, and the page that shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browser import browser, opened  # noqa: F401 - fixtures
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from churnkit import bundle
from churnkit.biography import biography, own_rhythms
from churnkit.cli import app
from churnkit.clock import Cutoff, seen_before
from churnkit.config import load_settings
from churnkit.customer import explain_customer, own_logs, retrace_customer
from churnkit.errors import ConfigError
from churnkit.features import build_features
from churnkit.labels import Question
from churnkit.language import Language
from churnkit.ledger import Ledger
from churnkit.lights import (
    Capacity,
    Fixed,
    TrafficLight,
    clear_override,
    read_overrides,
    set_override,
)
from churnkit.logs import Contract, Events, Instrument, Logs
from churnkit.plots import PALETTE
from churnkit.plots import customer as pictures
from churnkit.project import explain_project
from churnkit.report.customer import render_customer, write_customer
from churnkit.scaffold import write_config
from churnkit.scoring import score
from churnkit.sections import QuestionSection
from churnkit.sources import read_logs

AT = Cutoff.parse("2024-06-01")
BUYING = Question("no_purchase", 30, 90)
VISITING = Question("no_activity", 30, 90)


def frame(names: str, *rows: tuple[Any, ...]) -> pd.DataFrame:
    made = pd.DataFrame(list(rows), columns=names.split())
    made.insert(0, "customer_id", "ann")
    return made.assign(ts=pd.to_datetime(made["ts"], format="ISO8601"))


PURCHASES = frame(
    "ts amount",
    ("2024-04-01", 10.0), ("2024-04-11", 20.5), ("2024-04-12", -5.25), ("2024-04-21", 30.0),
    ("2024-05-11 12:00", 40.0), ("2024-06-01", 99.0),
)  # fmt: skip
ACTIVITY = frame(
    "ts event ref",
    ("2024-03-01", "complaint_opened", "a"), ("2024-03-04 12:00", "complaint_resolved", "a"),
    ("2024-05-20", "support_opened", "b"), ("2024-05-30", "support_opened", "c"),
    ("2024-05-31", "support_resolved", "c"), ("2024-06-02", "support_resolved", "b"),
    ("2024-05-01", "payment_failed", None), ("2024-05-02", "payment_failed", None),
    ("2024-05-03", "payment_ok", None), ("2024-05-28", "payment_failed", None),
    ("2024-04-30", "cancellation", None), ("2024-01-10", "renewal", None),
    ("2024-03-10", "renewal", None), ("2024-05-04", "Newsletter!", None),
    *((f"2024-05-{day:02}", "visit", None) for day in range(4, 18)),
)  # fmt: skip
SURVEYS = frame(
    "ts instrument score",
    ("2024-02-01", "nps", 9), ("2024-03-01", "nps", 7), ("2024-04-01", "nps", 3),
    ("2024-04-02", "ces", 2), ("2024-04-03", "csat", 5), ("2024-04-04", "agent_tone", 1),
    ("2024-06-01", "nps", 10),
)  # fmt: skip
SCALES = (
    Instrument("nps", 0, 10), Instrument("ces", 1, 5, better="low"), Instrument("csat", 1, 5),
    Instrument("agent_tone", 0, 4, source="agent"),
)  # fmt: skip


def small(
    purchases: pd.DataFrame | None = PURCHASES,
    activity: pd.DataFrame | None = ACTIVITY,
    surveys: pd.DataFrame | None = SURVEYS,
) -> Logs:
    return read_logs(purchases, activity, surveys, contract=Contract(instruments=SCALES))


@pytest.fixture(scope="module")
def story() -> dict[str, Any]:
    return biography(small(), BUYING, AT)


# ── What the logs tell ──────────────────────────────────────────────────────────────────────


def test_purchases_are_listed_with_returns_apart(story) -> None:
    told = story["purchases"]
    assert (told["count"], told["returns"], told["earlier"]) == (4, 1, 0)
    assert (told["spent"], told["returned"]) == (100.5, 5.25)
    assert (told["first"], told["last"]) == ("2024-04-01", "2024-05-11")
    assert [(one["day"], one["amount"], one["is_return"]) for one in told["listed"]] == [
        ("2024-04-01", 10.0, False), ("2024-04-11", 20.5, False), ("2024-04-12", -5.25, True),
        ("2024-04-21", 30.0, False), ("2024-05-11", 40.0, False),
    ]  # fmt: skip


def test_what_was_amiss_tells_how_long_it_took_or_that_it_is_open(story) -> None:
    assert [
        (one["what"], one["day"], one["until"], one["days"], one["open"]) for one in story["issues"]
    ] == [
        ("complaint", "2024-03-01", "2024-03-04", 3.5, False),
        ("cancellation", "2024-04-30", "2024-05-11", 11.5, False),
        ("payment", "2024-05-01", "2024-05-03", 2.0, False),
        ("payment", "2024-05-02", "2024-05-03", 1.0, False),
        ("ticket", "2024-05-20", None, 12.0, True),
        ("payment", "2024-05-28", None, 4.0, True),
        ("ticket", "2024-05-30", "2024-05-31", 1.0, False),
    ]


def test_open_issues_are_those_that_the_features_count(logs, as_of) -> None:
    built = build_features(logs, [as_of])
    columns = {"complaint": "complaints_open", "ticket": "tickets_open",
               "payment": "payments_failed_open"}  # fmt: skip
    worst = np.argsort(-sum(built.column(name) for name in columns.values()))[:3]
    for row in worst.tolist():
        own = own_logs(logs, built.customer_id[row])
        issues = biography(own, BUYING, as_of)["issues"]
        for what, column in columns.items():
            found = sum(one["open"] for one in issues if one["what"] == what)
            assert found == built.column(column)[row]
    assert sum(built.column(name)[worst[0]] for name in columns.values()) >= 2


def test_events_are_told_by_their_days_or_folded_to_weeks(story) -> None:
    kinds = {told["kind"]: told for told in story["activity"]}
    assert list(kinds) == ["visit", "renewal", "newsletter", "payment_ok"]
    assert kinds["newsletter"]["days"] == ["2024-05-04"]
    visits = kinds["visit"]
    assert (visits["count"], visits["last"], visits["days"]) == (14, "2024-05-17", [])
    assert visits["per"] == "week"
    assert visits["counts"][-4:] == [
        {"start": "2024-05-04", "end": "2024-05-10", "count": 7},
        {"start": "2024-05-11", "end": "2024-05-17", "count": 7},
        {"start": "2024-05-18", "end": "2024-05-24", "count": 0},
        {"start": "2024-05-25", "end": "2024-05-31", "count": 0},
    ]


def test_a_long_history_is_folded_to_months() -> None:
    days = pd.date_range("2023-02-10", "2024-05-20", freq="3D")
    visits = frame("ts event", *((str(day), "visit") for day in days))
    [told] = biography(small(activity=visits), VISITING, AT)["activity"]
    assert told["per"] == "month"
    assert sum(span["count"] for span in told["counts"]) == told["count"] == len(days)
    first, *_, last = told["counts"]
    assert (first["start"], first["end"]) == ("2023-02-10", "2023-02-28")
    assert (last["start"], last["end"]) == ("2024-05-01", "2024-05-31")


def test_answers_have_their_scale_and_class(story) -> None:
    told = [
        (one["instrument"], one["score"], one["good"], one["grade"]) for one in story["answers"]
    ]
    assert told == [
        ("nps", 9.0, 0.9, "promoter"), ("nps", 7.0, 0.7, "passive"),
        ("nps", 3.0, 0.3, "detractor"), ("ces", 2.0, 0.75, "easy"), ("csat", 5.0, 1.0, "satisfied"),
        ("agent_tone", 1.0, 0.25, ""),
    ]  # fmt: skip
    assert [one["source"] for one in story["answers"]][-2:] == ["customer", "agent"]
    assert [one["better"] for one in story["answers"]][3] == "low"


def test_the_own_rhythm_says_when_the_next_was_expected(story) -> None:
    told = story["rhythm"]
    assert [gap["days"] for gap in told["gaps"]] == [10.0, 10.0, 20.5]
    assert (told["of"], told["count"], told["median"], told["p90"]) == ("purchase", 3, 10.0, 20.5)
    assert (told["silent"], told["overdue"]) == (20.5, False)
    assert (told["last"], told["expected"], told["latest"]) == (
        "2024-05-11", "2024-05-21", "2024-06-01",
    )  # fmt: skip
    later = biography(small(), BUYING, AT.shifted(1))["rhythm"]
    assert (later["silent"], later["overdue"]) == (1.0, False)
    quiet = biography(small(PURCHASES[:-1]), BUYING, AT.shifted(1))["rhythm"]
    assert (quiet["silent"], quiet["overdue"]) == (21.5, True)


def test_activity_has_the_rhythm_of_its_days() -> None:
    """Three events of a day are one sign of life."""
    days = ("2024-05-01", "2024-05-03", "2024-05-05", "2024-05-09")
    rows = [(f"{day} {hour:02}:00", "visit") for day in days for hour in (8, 9, 20)]
    told = biography(small(activity=frame("ts event", *rows)), VISITING, AT)["rhythm"]
    assert [gap["days"] for gap in told["gaps"]] == [2.0, 2.0, 4.0]
    assert (told["of"], told["silent"]) == ("activity", 23.0)


def test_renewals_tell_when_the_next_is_due(story) -> None:
    assert story["renewals"] == {
        "days": ["2024-01-10", "2024-03-10"], "due": "2024-05-09", "overdue": True,
    }  # fmt: skip


def test_days_are_those_of_the_business_zone() -> None:
    """22:30 in UTC is the next day in Tehran, an hour later in summer or not."""
    night = frame("ts amount", ("2024-03-19T22:30Z", 1.0), ("2024-05-31T20:00Z", 1.0))
    logs = read_logs(night, contract=Contract(zone="Asia/Tehran"))
    told = biography(logs, BUYING, Cutoff.parse("2024-06-01", "Asia/Tehran"))
    assert [one["day"] for one in told["purchases"]["listed"]] == ["2024-03-20", "2024-05-31"]


@pytest.mark.parametrize(
    ("logs", "question", "missing"),
    [
        (small(activity=None, surveys=None), BUYING, ["no_activity_log", "no_surveys_log"]),
        (small(PURCHASES.drop(columns="amount")), BUYING, ["no_amounts"]),
        (small(None), VISITING, ["no_purchases_log"]),
        (small(PURCHASES[:1], surveys=SURVEYS[-1:]), BUYING, ["never_answered", "no_rhythm"]),
    ],
)
def test_what_is_missing_is_named(logs, question, missing) -> None:
    told = biography(logs, question, AT)
    assert told["missing"] == missing
    if missing == ["no_amounts"]:
        assert told["purchases"]["spent"] is None
        assert {one["amount"] for one in told["purchases"]["listed"]} == {None}


LATER = [str(ts) for ts in pd.date_range("2024-06-01", periods=10, freq="13h")]
"""Moments from the cutoff itself on."""

LATER_BOUGHT = frame("ts amount", *((ts, 3.0 - 7 * (k % 2)) for k, ts in enumerate(LATER[1:])))
LATER_DID = frame(
    "ts event ref",
    *zip(LATER, sorted(set(ACTIVITY["event"])), [None, "b", None, "x", "y"] * 2, strict=True),
)
LATER_SAID = frame("ts instrument score", *((ts, "ces", 3) for ts in LATER))
FUTURE = small(
    pd.concat([PURCHASES, LATER_BOUGHT]),
    pd.concat([ACTIVITY, LATER_DID]),
    pd.concat([SURVEYS, LATER_SAID]),
)
PAST_ONLY = FUTURE.before(AT)


@given(st.data())
def test_future_rows_change_nothing(data) -> None:
    """Whichever of the later rows are there: opened, settled, bought, returned, cancelled, said."""

    def some(events: Events) -> Events:
        past = seen_before(events.ts, AT)
        kept = data.draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events)))
        return events.where(past | np.array(kept))

    after = FUTURE.each(some)
    assert biography(after, BUYING, AT) == biography(PAST_ONLY, BUYING, AT)
    assert own_rhythms(after, BUYING, AT, 20.0) == own_rhythms(PAST_ONLY, BUYING, AT, 20.0)


def test_all_customers_are_compared_with_by_their_own_medians() -> None:
    others = [PURCHASES]
    for name, days in (("ben", 2), ("cid", 40), ("old", 3)):
        start = "2023-01-01" if name == "old" else "2024-02-01"
        times = pd.date_range(start, periods=3, freq=f"{days}D")
        others.append(pd.DataFrame({"customer_id": name, "ts": times, "amount": 1.0}))
    told = own_rhythms(read_logs(pd.concat(others)), Question("no_purchase", 30, 200), AT, 20.5)
    # ann 10 days and silent for 20.5, ben 2 and 117, cid 40 and 41; the old one is not at risk.
    assert told == {"customers": 3, "median": 10.0, "silent": 41.0, "shorter": 0.0}


# ── What the model says of other days ───────────────────────────────────────────────────────

PAST = [Cutoff.parse(day) for day in ("2024-03-20", "2024-04-17", "2024-05-15")]


@pytest.fixture(scope="module")
def turning(model, logs) -> str:
    """A customer whose light by the probability changed between the last two of these days."""
    light = TrafficLight(rules=())
    base = []
    for at in PAST[1:]:
        found = score(model, logs, at, light)
        base.append(dict(zip(found.features.customer_id, found.lights.base, strict=True)))
    return next(c for c in base[1] if base[0].get(c, "") == "green" != base[1][c])


def test_earlier_days_are_told_as_they_are_explained(model, logs, turning) -> None:
    told = retrace_customer(model, logs, turning, PAST)
    assert [point["day"] for point in told["points"]] == [str(at) for at in PAST]
    for at, point in zip(PAST[1:], told["points"][1:], strict=True):
        asked = explain_customer(model, logs, turning, at)
        for name in ("churn_probability", "light", "base_light", "rules"):
            assert point[name] == asked[name]
        assert point["value_at_risk"] == pytest.approx(asked["value_at_risk"])
        assert (point["yellow_from"], point["red_from"]) == (0.4, 0.7)


def test_between_two_days_it_tells_what_moved_the_score(model, logs, turning) -> None:
    told = retrace_customer(model, logs, turning, PAST[1:])
    since = explain_customer(model, logs, turning, PAST[2], PAST[1])["since"]
    first, last = told["points"]
    assert (first["moves"], first["changed"]) == ([], "")
    assert last["moves"] == told["moved"]["moves"] == since["moves"]
    assert told["moved"]["day"] == "2024-04-17"
    assert told["moved"]["churn_probability"] == since["churn_probability"]


def test_a_change_of_the_light_is_told_with_its_cause(model, logs, turning) -> None:
    bare = TrafficLight(rules=())
    first, last = retrace_customer(model, logs, turning, PAST[1:], bare)["points"]
    was, now = (f"{point['churn_probability']:.0%}" for point in (first, last))
    assert last["changed"].startswith(f"risk went from {was} to {now} (")
    rose = [move["says"] for move in last["moves"] if move["weight"] > 0]
    assert last["changed"].endswith(f"({'; '.join(rose[:2])})")
    fixed = TrafficLight(Fixed(0.001, 0.99), rules=())
    steady = retrace_customer(model, logs, turning, PAST[1:], fixed)["points"]
    assert [point["changed"] for point in steady] == ["", ""]


def test_days_at_which_it_was_not_at_risk_are_gaps(model, logs, shop) -> None:
    first = shop.purchases[shop.purchases["amount"] > 0].groupby("customer_id")["ts"].min()
    came = Cutoff.parse(first.max().date())
    told = retrace_customer(model, logs, first.idxmax(), [came.shifted(-9), came, came.shifted(1)])
    assert [point["at_risk"] for point in told["points"]] == [False, False, True]
    assert told["points"][0] == {"day": str(came.shifted(-9)), "at_risk": False}
    assert told["moved"] is None


def test_a_policy_that_ranks_customers_sees_all_of_them(model, logs) -> None:
    light = TrafficLight(Capacity(5, 0.3), rules=())
    found = score(model, logs, PAST[2], light)
    red = found.features.customer_id[found.lights.light == "red"]
    assert len(red) == 5
    told = retrace_customer(model, logs, red[0], PAST[2:], light)["points"]
    assert told[0]["light"] == "red"


# ── The project: ledger, model, and the command ─────────────────────────────────────────────


@pytest.fixture(scope="module")
def project(
    shop: Any, training: Any, turning: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The small shop with a bundle, and a ledger of five runs of one customer."""
    folder = tmp_path_factory.mktemp("pages")
    files = shop.write(folder / "data")
    files.pop("customers", None)
    asked = QuestionSection(horizon_days=30, lookback_days=90)
    write_config(folder / "churnkit.toml", files, asked, force=True)
    bundle.save(training.model, folder / "bundle", training.card(), "")
    ledger = Ledger(folder / "ledger")
    call = {"playbook": "calls", "action": "Call them", "channel": "call", "owner": "ben",
            "due": "2024-05-09T12:00:00", "arm": "treated", "listed": "call"}  # fmt: skip
    runs = (
        ("2024-04-29", 0.2, "green", "", {}),
        ("2024-05-06", 0.8, "red", "risk went from 20% to 80%", call),
        ("2024-05-08", 0.8, "red", "", call),
        ("2024-05-13", 0.8, "red", "", call | {"due": "2024-05-20"}),
        ("2024-05-20", 0.9, "red", "", call),
    )
    for day, share, light, changed, deed in runs:
        row = {
            "customer_id": turning, "as_of": day, "churn_probability": share, "rank": 1,
            "value_at_risk": 7.0, "light": light, "base_light": light, "light_before": "",
            "changed": changed, "rules": "an open complaint" if deed else "",
            "reasons": "buys less; silent", "override": "", "model_version": "old", **deed,
        }  # fmt: skip
        ledger.write(pd.DataFrame([row]), Cutoff.parse(day))
    later = Cutoff.parse("2024-06-01")
    set_override(folder / "ledger", turning, "red", PAST[2].shifted(-1), later, "mia", "said", "")
    clear_override(folder / "ledger", turning, Cutoff.parse("2024-05-18"), "mia", "done")
    entries = [vars(entry) for entry in read_overrides(folder / "ledger").entries]
    deed = {"customer_id": turning, "as_of": "2024-05-06", "done": True, "result": "reached",
            "cost": 2.5, "note": None, "arm": "treated", "row": 1, "file": "done.csv",
            "record": 1}  # fmt: skip
    ledger.add_deeds(entries, pd.DataFrame([deed]))
    return folder


@pytest.fixture(scope="module")
def told(project: Path, turning: str) -> dict[str, Any]:
    settings = load_settings(project / "churnkit.toml")
    return explain_project(settings, turning, PAST[2], model=project / "bundle", weeks=5)


def test_runs_of_the_ledger_stand_beside_days_by_the_model(told) -> None:
    points = told["story"]["course"]
    assert [(point["day"], point["source"]) for point in points] == [
        ("2024-04-10", "model"), ("2024-04-17", "model"), ("2024-04-24", "model"),
        ("2024-04-29", "ledger"), ("2024-05-06", "ledger"), ("2024-05-08", "ledger"),
        ("2024-05-13", "ledger"), ("2024-05-15", "model"),
    ]  # fmt: skip
    assert points[4]["churn_probability"] == 0.8
    assert points[4]["rules"] == ["an open complaint"]
    assert points[-1]["churn_probability"] == told["churn_probability"]
    [turn] = [t for t in pictures.turns(points) if t["day"] == "2024-05-06"]
    assert (turn["light_before"], turn["changed"]) == ("green", "risk went from 20% to 80%")


def test_what_is_planned_is_told_once_with_its_state(told) -> None:
    """And nothing of the run of a later day."""
    first, second = told["story"]["deeds"]
    assert (first["day"], first["last"], first["state"]) == ("2024-05-06", "2024-05-06", "done")
    assert [(one["result"], one["cost"]) for one in first["outcomes"]] == [("reached", 2.5)]
    assert (second["day"], second["last"]) == ("2024-05-08", "2024-05-13")
    assert (second["action"], second["owner"], second["due"], second["state"]) == (
        "Call them", "ben", "2024-05-20", "open",
    )  # fmt: skip


def test_what_a_person_set_is_told_up_to_the_day(told) -> None:
    [entry] = told["story"]["overrides"]
    assert (entry["day"], entry["light"], entry["owner"]) == ("2024-05-14", "red", "mia")


def test_a_customer_without_a_scoring_is_told_so(project, logs, turning, scores) -> None:
    other = next(c for c in scores.features.customer_id if c != turning)
    settings = load_settings(project / "churnkit.toml")
    told = explain_project(settings, other, PAST[2], model=project / "bundle", weeks=0)
    assert told["story"]["missing"][-1] == "no_scorings"
    assert [point["source"] for point in told["story"]["course"]] == ["model"]
    assert "No scoring of this customer is in the ledger" in render_customer(told)


def run(project: Path, *arguments: str) -> Result:
    options = ["--config", str(project / "churnkit.toml"), "--model", str(project / "bundle")]
    whole = ["explain", *arguments, "--as-of", "2024-05-15", *options]
    return CliRunner().invoke(app, whole, env={"COLUMNS": "200"}, catch_exceptions=False)


def test_the_command_writes_the_page_of_what_it_tells(project, turning, told, tmp_path) -> None:
    page = tmp_path / "page.html"
    result = run(project, turning, "--html", str(page), "--weeks", "5", "--json")
    shown = json.loads(result.stdout)
    assert shown == json.loads(json.dumps(told))
    assert page.read_text(encoding="utf-8") == render_customer(shown)


def test_the_story_is_told_on_a_terminal(project, turning) -> None:
    shown = run(project, turning, "--story", "--weeks", "1").stdout
    assert "Its own interval: " in shown
    assert "To be done: Call them (ben, due 2024-05-20)" in shown
    assert re.search(r"2024-05-06 +scored then +■ red +80% +risk went from 20% to 80%", shown)


@pytest.mark.parametrize("what", ["data", "settings"])
def test_what_is_read_is_not_written_over(project, turning, what) -> None:
    logs = load_settings(project / "churnkit.toml").sources()["purchases"].files()
    file = logs[0] if what == "data" else project / "churnkit.toml"
    before = file.read_bytes()
    result = run(project, turning, "--html", str(file))
    assert result.exit_code == 2
    assert ("is a log" if what == "data" else "holds the settings") in result.stderr
    assert file.read_bytes() == before


def test_a_language_that_is_not_there_is_refused_before_anything_is_read(project, turning) -> None:
    settings = load_settings(project / "churnkit.toml")
    with pytest.raises(ConfigError, match="no language 'xx'"):
        explain_project(settings, turning, PAST[2], language="xx", html=project / "x.html")


# ── The page ────────────────────────────────────────────────────────────────────────────────

NASTY = "</script><script>alert(1)</script>\u202e\u0633\u0644\u0627\u0645 🙂 " + "x" * 500


def page_of(logs: Logs, **changes: Any) -> dict[str, Any]:
    """What a page is made from, of hand-made logs: of a red customer, unless told otherwise."""
    story = biography(logs, BUYING, AT)
    story["rhythm"]["everyone"] = own_rhythms(logs, BUYING, AT, 20.5)
    point = {"churn_probability": 0.6, "value_at_risk": None, "light": "yellow", "rules": [],
             "base_light": "yellow", "changed": ""}  # fmt: skip
    course = [
        {"day": "2024-05-11", "source": "model", "at_risk": True, **point, "moves": []},
        {"day": "2024-05-18", "source": "model", "at_risk": False},
        {"day": "2024-05-25", "source": "ledger", "at_risk": True, **point, "reasons": [NASTY]},
        {"day": "2024-06-01", "source": "ledger", "at_risk": True, **point, "light": "red",
         "reasons": [], "changed": f"{NASTY}: fired"},
    ]  # fmt: skip
    deed = {"day": "2024-05-25", "last": "2024-06-01", "action": NASTY, "owner": NASTY, "due": "",
            "state": "done",
            "outcomes": [{"done": True, "result": NASTY, "cost": 2.5, "note": NASTY}]}  # fmt: skip
    override = {"day": "2024-05-30", "light": "red", "before": "", "until": "2024-06-10",
                "owner": NASTY, "reason": NASTY}  # fmt: skip
    story |= {"course": course, "moved": None, "edges": {"yellow": 0.4, "red": 0.7},
              "deeds": [deed], "overrides": [override]}  # fmt: skip
    reason = {"theme": NASTY, "weight": 0.8, "says": NASTY, "features": []}
    other = {"theme": "visit", "weight": -0.3, "says": "many visits", "features": []}
    told = {
        "customer_id": NASTY, "question": "no purchase", "model": "lightgbm", "model_version": "1",
        "as_of": "2024-06-01", "churn_probability": 0.6, "log_odds": 0.405, "light": "red",
        "base_light": "yellow", "rules": [f"{NASTY}: yellow → red"], "unknown": ["CES"],
        "value_at_risk": None, "start": -0.2, "reasons": [reason, other], "rest": 0.105,
        "since": None, "warnings": [NASTY], "story": story,
    }  # fmt: skip
    return told | changes


def bare_page() -> dict[str, Any]:
    """One purchase, and nothing else that is known."""
    told = page_of(small(PURCHASES[:1].drop(columns="amount"), None, None))
    told["story"] |= {"course": [], "deeds": [], "overrides": []}
    told["story"]["edges"] = {"yellow": None, "red": None}
    return told | {"customer_id": "ann", "reasons": [], "rules": [], "warnings": []}


Opens = Callable[..., Any]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, told: dict[str, Any]) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("customers")
    made = {"real": told, "nasty": page_of(small()), "bare": bare_page()}
    for name, one in made.items():
        write_customer(one, folder / f"{name}.html")
    write_customer(made["nasty"], folder / "rtl.html", Language("fa", "rtl"))
    return {path.stem: path for path in folder.glob("*.html")}


@pytest.mark.parametrize(
    ("name", "scheme"), [("real", "light"), ("nasty", "dark"), ("bare", "dark"), ("rtl", "light")]
)
def test_pages_are_accessible_and_fit_a_phone(opened: Opens, pages, name, scheme) -> None:  # noqa: F811
    phone = {"width": 390, "height": 844}
    shown = opened(pages[name], viewport=phone, color_scheme=scheme)
    shown.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert not shown.too_wide
    assert shown.violations() == []
    shown.page.set_viewport_size({"width": 1280, "height": 900})
    assert not shown.too_wide


def test_a_page_stays_whole_whatever_a_customer_is_called(opened: Opens, pages) -> None:  # noqa: F811
    page = opened(pages["nasty"]).page
    assert page.locator("h1").inner_text() == NASTY
    assert page.locator("script").count() == 0
    assert page.locator("footer").inner_text().startswith("Only what happened before 2024-06-01")
    assert page.locator("h1 bdi").count() == 1


def test_a_page_shows_the_state_and_every_part(opened: Opens, pages, told) -> None:  # noqa: F811
    page = opened(pages["real"]).page
    assert page.locator(".figures .badge").inner_text().endswith(told["light"])
    assert page.locator("svg[role=img]").count() == 4
    assert [h.inner_text() for h in page.locator("h2").all()][:5] == [
        "What is planned, and what was done", "Why this probability",
        "Probability and light over time", "What it did", "Its own rhythm",
    ]  # fmt: skip
    assert page.locator("table", has_text="Call them").locator(".tag").inner_text() == "open"
    assert "risk went from 20% to 80%" in page.locator("ol.turns").inner_text()
    page.locator("summary", has_text="Day by day").click()
    rows = page.locator("details[open] tbody tr")
    assert rows.count() == len(told["story"]["course"])
    assert "the model of now" in rows.nth(0).inner_text()
    assert "as scored then" in rows.nth(1).inner_text()


def test_what_is_not_known_is_said(opened: Opens, pages) -> None:  # noqa: F811
    page = opened(pages["bare"]).page
    said = page.locator("section[aria-labelledby=missing]").inner_text()
    for sentence in (
        "Purchases come without amounts", "There is no log of activity", "There are no surveys",
        "fewer than 3 intervals",
    ):  # fmt: skip
        assert sentence in said
    assert "CES" not in said  # its log is missing, which is said already
    assert "no score of this customer is known" in page.locator("svg").nth(1).inner_html()
    assert "Nothing about this customer stands out." in page.locator("main").inner_text()


def test_a_page_prints_what_is_unfolded(opened: Opens, pages) -> None:  # noqa: F811
    page = opened(pages["real"]).page
    page.locator("summary", has_text="Day by day").click()
    page.emulate_media(media="print")
    folded, unfolded = page.locator("details:not([open])"), page.locator("details[open]")
    assert folded.count() > 2
    assert not folded.first.is_visible()
    assert unfolded.locator("table").is_visible()
    assert page.pdf(format="A4")[:5] == b"%PDF-"


def test_right_to_left_turns_the_page(opened: Opens, pages) -> None:  # noqa: F811
    page = opened(pages["rtl"]).page
    assert page.evaluate("getComputedStyle(document.body).direction") == "rtl"
    h2 = page.locator("h2").first.bounding_box()
    assert page.evaluate("getComputedStyle(document.querySelector('h2')).textAlign") == "start"
    assert h2["x"] > 60
    edge = page.evaluate("getComputedStyle(document.querySelector('.state')).borderRightWidth")
    assert edge == "8px"


def test_the_same_values_make_the_same_page() -> None:
    told = page_of(small())
    assert render_customer(deepcopy(told)) == render_customer(told)


# ── Pictures ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("draw", ["timeline", "probability", "intervals", "reasons"])
@pytest.mark.parametrize("told", [page_of(small()), bare_page()], ids=["whole", "bare"])
def test_pictures_are_drawn_on_given_axes(draw, told) -> None:
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert getattr(pictures, draw)(told, ax) is ax
    ax.get_figure().canvas.draw()


def test_the_waterfall_ends_at_the_probability() -> None:
    ax = pictures.reasons(page_of(small()))
    assert [text.get_text() for text in ax.texts] == ["45\xa0%", "60\xa0%"]
    bars = [(bar.get_x(), bar.get_width()) for bar in ax.patches]
    assert bars == [pytest.approx(pair) for pair in ((-0.2, 0.8), (0.6, -0.3), (0.3, 0.105))]


def test_the_timeline_has_a_lane_for_each_sort_of_thing() -> None:
    ax = pictures.timeline(page_of(small()))
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "purchases", "visit", "renewal", "newsletter", "payment ok", "complaints", "tickets",
        "failed payments", "cancellations", "answers",
    ]  # fmt: skip


def test_a_line_breaks_where_the_customer_was_not_at_risk() -> None:
    ax = pictures.probability(page_of(small()))
    joined = [line for line in ax.lines if line.get_color() == PALETTE["ink"]]
    assert len(joined) == 1  # between the two scorings, and none over the gap
