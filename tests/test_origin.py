"""What a model was made from: digests of logs, commits, and settings that no longer match."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.features import WINDOWS
from churnkit.labels import Question
from churnkit.logs import Contract, Instrument, Logs
from churnkit.logs.digest import digests
from churnkit.model import ChurnModel
from churnkit.origin import differences, origin
from churnkit.simulate import Shop
from churnkit.sources import open_logs, read_logs
from churnkit.training import Training

FEW = 60


@pytest.fixture(scope="module")
def small(shop: Shop) -> dict[str, pd.DataFrame]:
    """Some of the rows of the shop."""
    some = sorted(shop.purchases["customer_id"].unique())[:FEW]
    frames = {log: getattr(shop, log) for log in ("purchases", "activity", "surveys")}
    return {log: frame[frame["customer_id"].isin(some)] for log, frame in frames.items()}


@pytest.fixture(scope="module")
def small_logs(small: dict[str, pd.DataFrame]) -> Logs:
    return read_logs(**small)


# ── Digests ─────────────────────────────────────────────────────────────────────────────────


def test_the_order_of_rows_and_the_engine_do_not_count(small, small_logs):
    read = digests(small_logs)
    shuffled = {log: frame.sample(frac=1, random_state=1) for log, frame in small.items()}
    assert digests(read_logs(**shuffled)) == read
    with open_logs(**shuffled) as stored:
        assert digests(stored) == read
    assert sorted(read) == ["activity", "customers", "purchases", "surveys"]


@settings(max_examples=25)
@given(st.integers(1, FEW), st.integers(1, 400))
def test_nor_does_where_blocks_end(small_logs, customers, events):
    class Cut:
        def blocks(self):
            return small_logs.blocks(customers, events)

    assert digests(Cut()) == digests(small_logs)


@pytest.mark.parametrize(
    ("log", "column", "value"),
    [
        ("purchases", "amount", 0.01),
        ("purchases", "ts", pd.Timestamp("2023-06-01 12:00:01")),
        ("activity", "event", "visit_of_another_kind"),
        ("surveys", "score", 4),
    ],
)
def test_every_value_counts(small, small_logs, log, column, value):
    before = digests(small_logs)
    changed = small[log].copy()
    changed[column] = changed[column].where(changed.index != changed.index[-1], value)
    after = digests(read_logs(**{**small, log: changed}))
    assert after[log] != before[log]
    assert {name for name in before if before[name] != after[name]} == {log}


def test_whose_it_is_counts(small):
    """Two customers who change their places give another log."""
    purchases = small["purchases"]
    one, other = sorted(purchases["customer_id"].unique())[:2]
    swapped = purchases.assign(
        customer_id=purchases["customer_id"].replace({one: other, other: one})
    )
    before, after = (digests(read_logs(purchases=frame)) for frame in (purchases, swapped))
    assert before["purchases"] != after["purchases"]
    assert before["customers"] == after["customers"]


def test_what_is_declared_of_customers_counts(small):
    ids = sorted(small["purchases"]["customer_id"].unique())
    told = [
        digests(read_logs(
            purchases=small["purchases"],
            customers=pd.DataFrame({"customer_id": ids, "value": np.arange(FEW) + more}),
        ))
        for more in (0.0, 1.0)
    ]  # fmt: skip
    assert told[0]["customers"] != told[1]["customers"]
    assert told[0]["purchases"] == told[1]["purchases"]


# ── Origin ──────────────────────────────────────────────────────────────────────────────────


def test_the_origin_tells_logs_declarations_and_settings(logs: Logs, tmp_path):
    contract = Contract(kinds={"app_open": "visit"}, instruments=(Instrument("nps", 1, 10),))
    told = origin(logs, contract, "c0ffee", tmp_path)
    assert told["config_sha256"] == "c0ffee"
    assert told["kinds"] == {"app_open": "visit"}
    assert told["instruments"] == {"nps": "1 to 10, high is better, by the customer"}
    by_log = {log["log"]: log for log in told["logs"]}
    assert list(by_log) == ["purchases", "activity", "surveys"]
    found = digests(logs)
    assert {name: log["sha256"] for name, log in by_log.items()} == {
        name: found[name] for name in by_log
    }
    assert by_log["purchases"]["first"] == str(logs.first_day("purchases"))
    assert by_log["purchases"]["customers"] <= logs.customer_count


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")
def test_the_commit_of_the_project_and_whether_files_were_changed_since(logs, tmp_path):
    def git(*arguments: str) -> str:
        named = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        command = ["git", "-C", str(tmp_path), *named, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit() -> str:
        return origin(logs, Contract(), "", tmp_path)["commit"]

    settings = tmp_path / "churnkit.toml"
    git("init", "--quiet")
    settings.write_text("a = 1\n")
    assert commit() == ""
    git("add", ".")
    git("commit", "--quiet", "-m", "first")
    git("tag", "v1")
    assert commit() == git("rev-parse", "HEAD")
    settings.write_text("a = 2\n")
    assert commit() == git("rev-parse", "HEAD") + "-dirty"


def test_a_folder_that_is_under_no_git_has_no_commit(logs, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert origin(logs, Contract(), "", tmp_path)["commit"] == ""
    monkeypatch.setenv("PATH", "")
    assert origin(logs, Contract(), "", tmp_path)["commit"] == ""


# ── Settings that no longer match ───────────────────────────────────────────────────────────

KINDS = {"app_open": "visit", "shut": "complaint_resolved"}


@pytest.fixture(scope="module")
def card(training: Training, logs: Logs) -> dict:
    contract = Contract(kinds=KINDS)
    return {"timezone": "UTC", "origin": origin(logs, contract, "", Path())}


def told(model: ChurnModel, card: dict, **now) -> list[str]:
    asked = {"question": model.question, "windows": WINDOWS, "contract": Contract(kinds=KINDS)}
    return differences(model, card, **{**asked, **now})


def test_a_model_fits_the_settings_it_was_made_with(model, card):
    assert told(model, card) == []


def test_each_difference_is_named_with_what_was_and_what_is(model, card):
    assert told(model, card, question=Question(horizon_days=60, lookback_days=90)) == [
        "horizon_days was 30 and is 60"
    ]
    assert told(model, card, question=Question("no_activity", 30, 90)) == [
        "churn was no_purchase and is no_activity"
    ]
    assert told(model, card, windows=(14, 30, None)) == [
        "windows was 7, 30, 90, 180, 365 and is 14, 30"
    ]
    other = {"app_open": "login", "chat": "support_opened"}
    assert told(model, card, contract=Contract(kinds=other, zone="Asia/Tehran")) == [
        "timezone was UTC and is Asia/Tehran",
        "'app_open' in kinds was visit and is login",
        "'chat' in kinds was not there and is support_opened",
        "'shut' in kinds was complaint_resolved and is not there",
    ]
    scale = Contract(kinds=KINDS, instruments=(Instrument("ces", 1, 5, "low"),))
    ces, csat, *_ = told(model, card, contract=scale)
    now = "1 to 5, low is better, by the customer"
    assert ces == f"'ces' in instruments was 1 to 7, high is better, by the customer and is {now}"
    assert csat.startswith("'csat' in instruments was 1 to 5, ")
    assert csat.endswith(" and is not there")


def test_features_of_the_users_own_that_were_changed(model, card, monkeypatch):
    made = replace(model, spec=replace(model.spec, own={"visits": "1", "orders": "2", "old": "3"}))
    now = {"visits": "1", "orders": "9", "new": "4"}
    monkeypatch.setattr("churnkit.origin.own_features", lambda: now)
    assert told(made, card) == [
        "your feature new is new to it",
        "its feature old is in no file of yours now",
        "your feature orders was changed",
    ]


def test_what_a_card_does_not_tell_is_not_compared(model):
    bare = {"timezone": "UTC", "origin": {}}
    assert told(model, bare, contract=Contract(kinds={"a": "visit"})) == []
