"""`churnkit monitor`, as one uses it week after week, and its page."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from commands import run, told

from churnkit import bundle
from churnkit.language import language_named
from churnkit.report.monitor import render_monitor
from churnkit.simulate import Shop
from churnkit.training import Training
from tests.test_language import MODELS, OURS, PROPER, latin, words_of

SETTINGS = """
[question]
churn = "no_purchase"
horizon_days = 30
lookback_days = 90

[logs.purchases]
path = "purchases.parquet"

[logs.activity]
path = "activity.parquet"

[logs.surveys]
path = "surveys.parquet"
"""
DAYS = ("2024-04-01", "2024-04-08", "2024-05-13")


@pytest.fixture(scope="module")
def scored(shop: Shop, training: Training, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was scored on three days; never to be changed."""
    folder = tmp_path_factory.mktemp("scored")
    for log in ("purchases", "activity", "surveys"):
        getattr(shop, log).to_parquet(folder / f"{log}.parquet", index=False)
    bundle.save(training.model, folder / "model", training.card(), "")
    (folder / "churnkit.toml").write_text(SETTINGS)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for day in DAYS:
            told("score", "--as-of", day, "--model", "model")
    return folder


@pytest.fixture
def project(scored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = shutil.copytree(scored, tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def quiet(scored: Path) -> dict[str, Any]:
    """What is told of a quiet day."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(scored)
        return told("monitor", "--as-of", DAYS[-1], "--model", "model")


def test_a_quiet_day_is_ok_and_tells_what_came_of_past_runs(quiet: dict[str, Any]) -> None:
    assert quiet["verdict"] == "ok"
    assert quiet["since"] == DAYS[1]
    assert [one["day"] for one in quiet["outcomes"]["runs"]] == [DAYS[1], DAYS[0]]
    assert {one["log"] for one in quiet["inputs"]} == {"purchases", "activity", "surveys"}


def test_people_read_the_verdict_first_and_get_a_page(project: Path) -> None:
    shown = run("monitor", "--as-of", DAYS[-1], "--model", "model", "--html", "watch.html")
    assert shown.exit_code == 0
    assert shown.stdout.startswith(f"● ok {DAYS[-1]}: nothing is out of the ordinary")
    assert "What came of the runs of" in shown.stdout
    assert "● ok" in Path("watch.html").read_text(encoding="utf-8")


def test_a_changed_unit_ends_with_4_only_from_the_verdict_asked_for_on(project: Path) -> None:
    purchases = pd.read_parquet("purchases.parquet")
    purchases.loc[purchases["ts"] >= "2024-04-10", "amount"] *= 100
    purchases.to_parquet("purchases.parquet", index=False)
    asked = ("monitor", "--as-of", DAYS[-1], "--model", "model", "--fail-on")
    assert run(*asked, "retrain").exit_code == 0
    refused = run(*asked, "watch")
    assert refused.exit_code == 4
    assert "▲ watch" in refused.stdout
    assert "times larger" in refused.stderr


def test_a_column_that_came_since_the_run_before_is_seen(project: Path) -> None:
    purchases = pd.read_parquet("purchases.parquet")
    purchases.assign(coupon="x").to_parquet("purchases.parquet", index=False)
    found = told("monitor", "--as-of", DAYS[-1], "--model", "model")
    assert [alarm["code"] for alarm in found["alarms"]] == ["schema_change"]


def test_a_day_that_is_declared_closed_raises_no_alarm(project: Path) -> None:
    purchases = pd.read_parquet("purchases.parquet")
    day = purchases["ts"].dt.normalize() == pd.Timestamp("2024-05-08")
    purchases[~day].to_parquet("purchases.parquet", index=False)
    Path("churnkit.toml").write_text(f"{SETTINGS}\n[monitor]\nclosed = [2024-05-08]\n")
    assert told("monitor", "--as-of", DAYS[-1], "--model", "model")["verdict"] == "ok"


def test_without_any_model_the_logs_are_looked_at(project: Path, empty_store: Path) -> None:
    shutil.rmtree("ledger")
    shutil.rmtree("scores")
    shutil.copytree(empty_store, "models")
    found = told("monitor", "--as-of", "2024-05-14")
    assert (found["verdict"], found["model"], found["since"]) == ("ok", None, None)
    assert any("champion" in note for note in found["notes"])


def test_a_day_before_the_data_is_refused(project: Path) -> None:
    refused = run("monitor", "--as-of", "2019-01-01", "--model", "model")
    assert refused.exit_code == 3
    assert "nothing is known as of 2019-01-01" in refused.stderr


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_is_whole_and_asks_no_network(quiet: dict[str, Any]) -> None:
    page = render_monitor(quiet)
    parsed = _Tags()
    parsed.feed(page)
    names = {tag for tag, _ in parsed.tags}
    assert "script" not in names
    assert not {"link", "img", "iframe"} & names
    assert "default-src 'none'" in page
    for heading in ("Alarms", "Logs", "What came of past runs", "Scores and lights", "Features"):
        assert f">{heading}</h2>" in page


@pytest.mark.parametrize("code", OURS)
def test_the_page_is_in_one_language(quiet: dict[str, Any], code: str) -> None:
    """Names of features are what the settings and the files call them, too."""
    features = [feature["feature"] for feature in quiet["drift"]["features"]]
    page = render_monitor(quiet, language_named(code))
    left = [text for text in words_of(page) if latin(text, "model", *PROPER, *MODELS, *features)]
    assert f'<html lang="{code}" dir="rtl">' in page
    assert not left


def test_what_the_logs_say_is_escaped_in_the_page(quiet: dict[str, Any]) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    alarm = {
        "code": "new_names", "severity": "watch", "area": "inputs", "subject": evil, "what": evil,
        "figure": 1.0, "limit": None, "do": evil,
    }  # fmt: skip
    page = render_monitor(
        {**quiet, "verdict": "watch", "reason": evil, "alarms": [alarm], "notes": [evil]}
    )
    assert "<img" not in page
    assert "&lt;img" in page
    assert re.search(r"▲ watch", page)
