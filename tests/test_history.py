"""``churnkit history``: everything said and done about one customer, day by day."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from commands import run, told

from churnkit.clock import Cutoff
from churnkit.ledger import Ledger
from churnkit.lights import clear_override, read_overrides, set_override

DAYS = ("2024-05-01", "2024-05-08", "2024-05-15")


def row(day: str, customer: str, **more: object) -> dict[str, object]:
    base = {
        "customer_id": customer, "as_of": day, "churn_probability": 0.25, "value_at_risk": None,
        "rank": 2, "light": "green", "base_light": "green", "light_before": "", "changed": "",
        "rules": "", "reasons": "", "override": "", "action": "", "arm": "", "model_version": "3",
    }  # fmt: skip
    return {**base, **more}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three weeks of a customer: fine, then called, then quiet again; and a control."""
    folder = tmp_path_factory.mktemp("history")
    (folder / "churnkit.toml").write_text('[logs.purchases]\npath = "purchases.csv"\n')
    called = {
        "churn_probability": 0.81, "light": "red", "light_before": "green", "rank": 1,
        "value_at_risk": 120.0, "changed": "risk went from 25% to 81%",
        "rules": "an open complaint",
        "reasons": "buys less; silent", "action": "Call them", "channel": "call", "owner": "ben",
        "due": "2024-05-09T12:00:00", "arm": "treated", "campaign": "spring", "listed": "call",
    }  # fmt: skip
    runs = (
        [row(DAYS[0], "C-1"), row(DAYS[0], "C-2")],
        [row(DAYS[1], "C-1", **called), row(DAYS[1], "C-2", **{**called, "arm": "control"})],
        [row(DAYS[2], "C-1", light_before="red", changed="an open complaint: ended")],
    )
    ledger = Ledger(folder / "ledger")
    for day, rows in zip(DAYS, runs, strict=True):
        ledger.write(pd.DataFrame(rows), Cutoff.parse(day))
    at = Cutoff.parse("2024-05-10")
    set_override(
        folder / "ledger", "C-1", "red", at, Cutoff.parse("2024-06-01"), "mia", "big [order]",
        "red",
    )  # fmt: skip
    clear_override(folder / "ledger", "C-1", Cutoff.parse(DAYS[2]), "mia", "done")
    entries = [vars(entry) for entry in read_overrides(folder / "ledger").entries]
    deeds = pd.DataFrame(
        {
            "customer_id": ["C-1"], "as_of": [DAYS[1]], "done": True, "result": "reached",
            "cost": 2.5, "note": None, "arm": "treated", "row": 1, "file": "done.csv", "record": 1,
        }
    )  # fmt: skip
    ledger.add_deeds(entries, deeds)
    return folder


@pytest.fixture(autouse=True)
def inside(project, monkeypatch):
    monkeypatch.chdir(project)


def test_days_tell_what_was_said_planned_done_and_overridden():
    found = told("history", "C-1")
    assert [day["day"] for day in found["days"]] == [*DAYS[:2], "2024-05-10", DAYS[2]]
    first, second, set_on, last = found["days"]
    assert first["run"]["light"] == "green"
    assert first["run"]["value_at_risk"] is None
    assert second["run"]["rules"] == ["an open complaint"]
    assert second["run"]["reasons"] == ["buys less", "silent"]
    assert (second["run"]["owner"], second["run"]["arm"]) == ("ben", "treated")
    assert [(one["done"], one["cost"], one["note"]) for one in second["outcomes"]] == [
        (True, 2.5, None)
    ]
    assert set_on["run"] is None
    assert set_on["overrides"][0]["until"] == "2024-06-01"
    assert last["overrides"][0]["light"] == ""
    assert last["run"]["changed"] == "an open complaint: ended"


def test_the_terminal_tells_it_in_lines():
    shown = run("history", "C-1").stdout
    for said in (
        "2024-05-01  ● green  25% churn, rank 2",
        "2024-05-08  ■ red  81% churn, rank 1, 120 at risk",
        "before green: risk went from 25% to 81%",
        "! an open complaint",
        "· buys less",
        "Call them (call) by ben, due 2024-05-09T12:00:00",
        "recorded: done (reached, cost 2.5)",
        "set to red until 2024-06-01 by mia: big [order]",
        "override cleared by mia: done",
    ):
        assert said in shown
    assert "held out as control of spring: otherwise Call them" in run("history", "C-2").stdout


def test_an_unknown_customer_is_told_with_a_similar_one():
    result = run("history", "C-11")
    assert result.exit_code == 2
    assert "nothing is known of customer 'C-11'" in result.stderr
    assert "Did you mean 'C-1'?" in result.stderr


def test_a_project_without_a_ledger_knows_nobody(tmp_path, monkeypatch):
    (tmp_path / "churnkit.toml").write_text('[logs.purchases]\npath = "purchases.csv"\n')
    monkeypatch.chdir(tmp_path)
    assert run("history", "C-1").exit_code == 2
