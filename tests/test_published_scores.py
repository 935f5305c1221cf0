"""`churnkit score` publishes: once for the same, anew for another, and never half."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import run, told
from small import SETTINGS

import churnkit
from churnkit import bundle
from churnkit.config import load_settings

DAY = "2024-05-15"
SCORE = ("score", "--model", "model", "--as-of", DAY)


@pytest.fixture(scope="module")
def scored(shop, training, tmp_path_factory) -> Path:
    """A project that was scored once; never to be changed."""
    folder = tmp_path_factory.mktemp("scored")
    for log in ("purchases", "activity", "surveys"):
        getattr(shop, log).to_parquet(folder / f"{log}.parquet", index=False)
    bundle.save(training.model, folder / "model", training.card(), "")
    (folder / "churnkit.toml").write_text(SETTINGS)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        (folder / "first.json").write_text(json.dumps(told(*SCORE, "--out", "ranked.parquet")))
    return folder


@pytest.fixture
def project(scored, tmp_path, monkeypatch) -> Path:
    folder = shutil.copytree(scored, tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


def first_of(project: Path) -> dict:
    found: dict = json.loads((project / "first.json").read_text())
    return found


def test_the_same_is_published_once_and_told_again(project):
    first, again = first_of(project), told(*SCORE)
    assert again["published"]["unchanged"]
    assert "nothing has changed" in again["published"]["says"]
    assert again["published"]["run"] == first["published"]["run"]
    known = ("lights", "calls", "planned", "warnings", "rules", "policy")
    assert {name: again[name] for name in known} == {name: first[name] for name in known}


def test_published_rows_are_those_of_the_file_in_order_of_the_ids(project):
    published = load_settings(project / "churnkit.toml").score_store().read(DAY)
    ranked = pd.read_parquet(project / "ranked.parquet")
    assert published["customer_id"].is_monotonic_increasing
    assert (ranked["rank"] == np.arange(1, len(ranked) + 1)).all()
    same = published.sort_values("rank", ignore_index=True)[ranked.columns]
    pd.testing.assert_frame_equal(same, ranked, check_exact=True)
    assert published["churn_probability"].notna().all()
    assert {"segment", "playbook", "due", "arm", "listed", "reason"} <= {*published.columns}


def test_another_row_or_force_is_another_run(project):
    forced = told(*SCORE, "--force")["published"]
    assert not forced["unchanged"]
    frame = pd.read_parquet(project / "purchases.parquet")
    day = frame["ts"] < pd.Timestamp(DAY)
    frame.loc[frame.index[day][0], "amount"] += 1
    frame.to_parquet(project / "purchases.parquet", index=False)
    changed = told(*SCORE, "--incremental")["published"]
    assert len({first_of(project)["published"]["run"], forced["run"], changed["run"]}) == 3
    assert "compares each customer with all others" in changed["says"]
    assert changed["scored"] > 100
    runs = load_settings(project / "churnkit.toml").open_ledger().runs()
    assert changed["run"] in set(runs["run"])


def test_a_ledger_that_lags_behind_what_was_published_is_made_up_for_before_scoring(project):
    """As if the first run had been killed between publishing and the ledger."""
    shutil.rmtree("ledger")
    told("score", "--model", "model", "--as-of", "2024-05-17")
    runs = {day: churnkit.read_scores(day) for day in (DAY, "2024-05-17")}
    before = runs[DAY].set_index("customer_id")["light"]
    now = runs["2024-05-17"].set_index("customer_id")["light_before"]
    both = before.index.intersection(now.index)
    assert len(both) > 100
    assert (before[both] == now[both]).all()


def test_who_publishes_meanwhile_is_left_alone(project):
    store = load_settings(project / "churnkit.toml").score_store()
    before = store.manifest(DAY)
    with store.lock():
        result = run(*SCORE, "--force")
    assert result.exit_code == 75
    assert store.manifest(DAY) == before


def test_a_day_far_after_the_logs_is_refused_and_nothing_is_published(project):
    result = run("score", "--model", "model", "--as-of", "2024-09-01")
    assert result.exit_code == 3
    assert "more than the 30 days of the horizon" in result.stderr
    assert "--as-of 2024-05-" in result.stderr
    assert load_settings(project / "churnkit.toml").score_store().days() == (DAY,)


def test_a_day_before_the_logs_is_refused(project):
    result = run("score", "--model", "model", "--as-of", "2010-01-01")
    assert result.exit_code == 3
    assert "nobody is at risk as of 2010-01-01" in result.stderr
