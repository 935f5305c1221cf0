"""What ``churnkit check`` finds: what became of every row, and what is too little to learn from."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from churnkit.clock import Cutoff
from churnkit.config import FILE_NAME, load_settings
from churnkit.dataset import Schedule
from churnkit.enough import shortfalls
from churnkit.errors import ConfigError, DataError
from churnkit.labels import Question
from churnkit.logs import Logs
from churnkit.project import Checkup, backtest_project, check_project
from churnkit.project_kpi import kpi_project
from churnkit.project_lights import simulate_lights
from churnkit.project_monitor import monitor_project
from churnkit.sources import read_logs

ORDERS = """\
customer_id,ts,amount
anna,2024-01-01,10
anna,2024-01-01,10
anna,2024-03-01,ten
ben,2024-02-01,7
=cmd|' /C calc'!A0,soon,1
,2024-02-02,@SUM(A1)
,2024-02-02,1
"""
ANSWERS = "customer_id,ts,instrument,score\nanna,2024-01-05,nps,9\nanna,2024-01-05,nps,-1\n"


@pytest.fixture
def project(tmp_path) -> Path:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    (tmp_path / "answers.csv").write_text(ANSWERS, encoding="utf-8")
    (tmp_path / FILE_NAME).write_text(
        '[logs.purchases]\npath = "orders.csv"\n[logs.surveys]\npath = "answers.csv"\n'
        "[question]\nhorizon_days = 30\nlookback_days = 60\n"
        '[quality]\nmax_rejected_share = 0.5\n[output]\nreports = "out"\n',
        encoding="utf-8",
    )
    return tmp_path


def checked(project: Path) -> Checkup:
    return check_project(load_settings(project / FILE_NAME))


# ── Every row is accounted for ──────────────────────────────────────────────────────────────


def test_the_summary_tells_every_log_and_is_ready_for_json(project):
    summary = checked(project).summary
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summary["question"] == Question(horizon_days=30, lookback_days=60).rule
    assert summary["logs"] == [
        {
            "log": "purchases",
            "source": str(project / "orders.csv"),
            "read": 7,
            "kept": 2,
            "folded": 2,
            "customers": 2,
            "first": "2024-01-01",
            "last": "2024-02-01",
            "rejected": {
                "missing_customer_id": 2,
                "duplicate": 1,
                "unreadable_amount": 1,
                "unreadable_ts": 1,
            },
        },
        {
            "log": "surveys",
            "source": str(project / "answers.csv"),
            "read": 2,
            "kept": 1,
            "folded": 1,
            "customers": 1,
            "first": "2024-01-05",
            "last": "2024-01-05",
            "rejected": {"score_outside_scale": 1},
        },
    ]


def test_the_rows_set_aside_are_written_beside_the_reports(project):
    summary = checked(project).summary
    assert summary["rejected"] == str(project / "out" / "rejected.csv")
    with (project / "out" / "rejected.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["log"], r["row"], r["reason"], r["found"]) for r in rows] == [
        ("purchases", "2", "duplicate", ""),
        ("purchases", "3", "unreadable_amount", "ten"),
        ("purchases", "5", "unreadable_ts", "soon"),
        ("purchases", "6", "missing_customer_id", ""),
        ("purchases", "7", "missing_customer_id", ""),
        ("surveys", "2", "score_outside_scale", "'-1"),
    ]
    assert rows[1]["file"] == str(project / "orders.csv")
    assert rows[1]["mend"] == "Write a plain number, or declare decimal for this log."


def test_no_spreadsheet_runs_a_value_that_was_set_aside(project):
    wicked = ["=1+1", "+1x", "-1x", "@SUM(A1)", "\t=1", "plain"]
    rows = [f'a,2024-01-01,"{value}"' for value in wicked]
    orders = "customer_id,ts,amount\n" + "\n".join(["a,2024-01-01,1"] * 9 + rows)
    (project / "orders.csv").write_text(orders, encoding="utf-8")
    checked(project)
    told = pd.read_csv(project / "out" / "rejected.csv")
    found = told.loc[told["reason"] == "unreadable_amount", "found"].tolist()
    assert found == ["'=1+1", "'+1x", "'-1x", "'@SUM(A1)", "'\t=1", "plain"]


def test_an_old_list_does_not_outlive_its_rows(project):
    checked(project)
    (project / "orders.csv").write_text("customer_id,ts\na,2024-01-01\n", encoding="utf-8")
    (project / "answers.csv").write_text(ANSWERS.replace("-1", "1"), encoding="utf-8")
    checked(project)
    assert list((project / "out").iterdir()) == []


def test_the_list_is_written_though_nothing_is_left(project):
    (project / "answers.csv").write_text(ANSWERS.replace("nps", "mood"), encoding="utf-8")
    with pytest.raises(DataError, match="none of 2 rows"):
        checked(project)
    told = pd.read_parquet(project / "out" / "rejected.parquet")
    assert (told["reason"] == "unknown_instrument").sum() == 2


@pytest.mark.parametrize("log", ["orders.csv", "answers.csv"])
def test_no_page_is_written_over_a_log(project, log):
    before = (project / log).read_bytes()
    with pytest.raises(ConfigError, match="is a log of this project"):
        check_project(load_settings(project / FILE_NAME), html=project / "x" / ".." / log)
    assert (project / log).read_bytes() == before
    assert not (project / "out").exists()


def test_no_other_page_is_written_over_a_log(project):
    settings, log = load_settings(project / FILE_NAME), project / "orders.csv"
    before, day = log.read_bytes(), settings.cutoff("2024-02-01")
    for step in (
        lambda: backtest_project(settings, html=log),
        lambda: monitor_project(settings, day, html=log),
        lambda: simulate_lights(settings, html=log),
        lambda: kpi_project(settings, day, html=log),
    ):
        with pytest.raises(ConfigError, match="is a log of this project"):
            step()
    assert log.read_bytes() == before


def test_no_page_is_written_over_the_database_of_a_log(project):
    with closing(sqlite3.connect(project / "shop.db")) as con:
        pd.read_csv(project / "orders.csv").to_sql("orders", con, index=False)
    before = (project / "shop.db").read_bytes()
    settings = (project / FILE_NAME).read_text(encoding="utf-8")
    stored = settings.replace('path = "orders.csv"', 'url = "sqlite:///shop.db"\ntable = "orders"')
    (project / FILE_NAME).write_text(stored, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"shop\.db is a log of this project"):
        check_project(load_settings(project / FILE_NAME), html=project / "shop.db")
    assert (project / "shop.db").read_bytes() == before


def test_clean_logs_leave_no_file(project):
    (project / "orders.csv").write_text("customer_id,ts\na,2024-01-01\n", encoding="utf-8")
    (project / "answers.csv").write_text(ANSWERS.replace("-1", "1"), encoding="utf-8")
    found = checked(project)
    assert found.summary["rejected"] is None
    assert not (project / "out").exists()
    found.require_clean()


# ── Too many rows set aside ─────────────────────────────────────────────────────────────────


def test_too_many_rows_set_aside_are_shown_before_they_are_refused(project):
    found = checked(project)
    assert found.summary["logs"][0]["kept"] == 2
    assert found.inspection.logs.rejected.num_rows == 6
    with pytest.raises(DataError, match=r"orders.csv: 57.1% of 7 rows are set aside") as told:
        found.require_clean()
    assert told.value.exit_code == 3
    assert "2 missing_customer_id" in told.value.found
    assert "max_rejected_share" in told.value.mend


def test_any_log_can_be_the_one_that_is_refused(project):
    (project / "orders.csv").write_text("customer_id,ts\na,2024-01-01\n", encoding="utf-8")
    (project / "answers.csv").write_text(ANSWERS + "b,,nps,1\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"answers.csv: 66.7% of 3 rows"):
        checked(project).require_clean()


def test_a_log_of_which_nothing_is_left_stops_the_check(project):
    (project / "answers.csv").write_text(ANSWERS.replace("nps", "mood"), encoding="utf-8")
    with pytest.raises(DataError, match=r"answers.csv: none of 2 rows.*2 unknown_instrument"):
        checked(project)


def test_a_question_about_a_log_that_is_not_there(project):
    text = (project / FILE_NAME).read_text() + '[question]\nchurn = "no_activity"\n'
    text = text.replace("[question]\nhorizon_days = 30\nlookback_days = 60\n", "")
    (project / FILE_NAME).write_text(text)
    with pytest.raises(ConfigError, match="needs a activity log"):
        checked(project)


# ── Too little for the question ─────────────────────────────────────────────────────────────

ASKED = Question(horizon_days=30, lookback_days=60)
NEEDED = "120 are needed: two horizons and one lookback"
START = pd.Timestamp("2023-01-01")


def buying_every(days: int, customers: int = 600, until: int = 300) -> Logs:
    """Purchases of customers who buy every so many days, each beginning on a day of its own."""
    bought = [
        (customer, START + pd.Timedelta(day, "D"))
        for customer in range(customers)
        for day in range(customer % min(days, until), until, days)
    ]
    return read_logs(pd.DataFrame(bought, columns=["customer_id", "ts"]))


def told_of(logs: Logs, schedule: Schedule | None = None) -> list[str]:
    return shortfalls(logs, ASKED, schedule or Schedule())


def test_enough_is_told_by_silence():
    assert told_of(buying_every(45, customers=500)) == []


def test_too_few_customers():
    assert told_of(buying_every(45, customers=499)) == [
        "499 customers in the purchases log; 500 are wanted"
    ]


def test_too_short_a_history():
    assert told_of(buying_every(45, until=120)) == [
        f"the purchases log covers 119 days (2023-01-01 to 2023-04-30); {NEEDED}"
    ]
    assert not any("covers" in said for said in told_of(buying_every(45, until=121)))


def test_one_shortfall_does_not_hide_the_other():
    few, short = told_of(buying_every(10, customers=5, until=20))
    assert few.startswith("5 customers")
    assert short.startswith("the purchases log covers 14 days")


def test_nobody_leaves():
    said = told_of(buying_every(10))
    assert len(said) == 2
    assert said[0].startswith("0 churners and ")
    assert said[0].endswith(" stayers in training; 100 and 100 are wanted")
    assert "0 churners and 600 stayers in the test at 2023-09-27" in said[1]


def test_nobody_stays():
    said = told_of(buying_every(1000, until=300))
    assert any(" churners and 0 stayers in training" in sentence for sentence in said)


def test_no_room_for_a_training():
    early = Schedule(until=Cutoff.parse("2023-02-01"))
    assert told_of(buying_every(45), early) == [
        "no test cutoff leaves room for a training before it"
    ]


def test_the_check_passes_the_shortfalls_on(project):
    assert checked(project).summary["too_little"] == [
        "2 customers in the purchases log; 500 are wanted",
        f"the purchases log covers 31 days (2024-01-01 to 2024-02-01); {NEEDED}",
    ]
