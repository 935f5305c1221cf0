"""Lines 3, 4 and 5: two at once, the same again, and four first runs on an empty store."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import small
from commands import run, told
from killed import Zygote, key_of, publish, table_of, zygote

from churnkit import bundle
from churnkit.config import load_settings
from churnkit.errors import Busy
from churnkit.publishing import ScoreStore
from churnkit.registry import CHAMPION, Registry
from churnkit.simulate import Shop
from churnkit.training import Training

DAY, NEXT = "2024-05-15", "2024-05-22"
SOMEWHERE = """
[output]
csv = "scores.csv"
url = "sqlite:///scores.db"
table = "scores"
"""
SCORE = ("score", "--model", "model", "--as-of", DAY)
RACERS = 3


@pytest.fixture(scope="module")
def forks() -> Iterator[Zygote]:
    with zygote() as ready:
        yield ready


@pytest.fixture
def project(
    shop: Shop, training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    folder = small.project(tmp_path / "project", shop, training, customers=60, more=SOMEWHERE)
    monkeypatch.chdir(folder)
    return folder


# ── 3: two at once ──────────────────────────────────────────────────────────────────────────


def test_03_of_two_runs_one_is_busy_and_kill_9_frees_the_lock(forks, project):
    store = load_settings(project / "churnkit.toml").score_store()
    forks.begin(do="hold", folder=store.folder)
    while not (store.folder / "held").exists():
        pass
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    refused = run(*SCORE)
    assert refused.exit_code == 75
    assert "another run is publishing" in refused.stderr
    assert {path: path.read_bytes() for path in before} == before
    assert store.days() == ()
    os.kill(int((store.folder / "held").read_text()), signal.SIGKILL)
    assert forks.end() == "killed"
    assert run(*SCORE).exit_code == 0
    assert store.days() == (DAY,)


def test_03_two_stores_of_one_process_lock_each_other_out(tmp_path):
    store = ScoreStore(tmp_path)
    with store.lock(), pytest.raises(Busy) as error, ScoreStore(tmp_path).lock():
        pass
    assert error.value.exit_code == 75


def test_03_of_many_runs_at_once_one_publishes_and_the_others_are_told(
    forks, tmp_path, trials, seen
):
    """Processes of their own for each run; who is first is for the operating system to say."""
    store, rounds, winners = ScoreStore(tmp_path), trials(20, 1_000), Counter[int]()
    for number in range(rounds):
        seeds = [1 + number * RACERS + k for k in range(RACERS)]
        *ends, winner = json.loads(forks(do="race", folder=tmp_path, day=DAY, seeds=seeds))
        assert sorted(ends) == ["exit 0", *["exit 75"] * (RACERS - 1)]
        shown = store.manifest(DAY)
        assert shown.run == key_of(winner)[:12]
        assert shown.sequence == number + 1
        winners[seeds.index(winner)] += 1
        if number % 10 == 0:
            pd.testing.assert_frame_equal(store.read(DAY), table_of(winner, DAY).to_pandas())
            with store.lock():
                store.prune(keep=2)
    assert len(winners) > 1  # a race it was
    seen("rounds with one winner each", rounds)
    seen("runs at once in all of them", rounds * RACERS)


# ── 4: the same again ───────────────────────────────────────────────────────────────────────


def rows_of(project: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the table, its history and the ledger."""
    with sqlite3.connect(project / "scores.db") as con:
        found = {
            name: sorted(con.execute(f"SELECT * FROM {name}").fetchall(), key=repr)
            for name in ("scores", "scores_history")
        }
    con.close()
    ledger = load_settings(project / "churnkit.toml").open_ledger()
    found["runs"] = [tuple(row) for row in ledger.runs().astype(str).to_numpy()]
    there = ledger.read(DAY)
    assert there["customer_id"].is_unique
    return found | {"ledger": [tuple(row) for row in there.astype(str).to_numpy()]}


def test_04_a_rerun_has_the_same_content_and_adds_no_row(project, tmp_path, monkeypatch):
    fresh = shutil.copytree(project, tmp_path / "elsewhere")
    first, rows = told(*SCORE)["published"], rows_of(project)
    assert len(rows["ledger"]) == len(rows["scores"]) > 20
    store = load_settings(project / "churnkit.toml").score_store()
    content = store.manifest(DAY).content
    again = told(*SCORE)["published"]
    assert (again["run"], again["unchanged"]) == (first["run"], True)
    assert store.manifest(DAY).content == content
    assert rows_of(project) == rows
    forced = told(*SCORE, "--force")["published"]
    assert forced["run"] == f"{first['run']}-2"
    assert store.manifest(DAY).content == content
    now = rows_of(project)
    assert (now["scores"], now["ledger"]) == (rows["scores"], rows["ledger"])
    assert len(now["scores_history"]) == 2 * len(rows["scores"])  # each run once
    assert len({*now["scores_history"]}) == len(now["scores_history"])
    monkeypatch.chdir(fresh)  # another machine
    assert told(*SCORE)["published"]["run"] == first["run"]
    assert load_settings(fresh / "churnkit.toml").score_store().manifest(DAY).content == content


def test_04_publishing_the_same_leaves_every_file_as_it_was(tmp_path):
    first = publish(tmp_path, 1, DAY)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert publish(tmp_path, 1, DAY) == first
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


# ── 5: four first runs on an empty store ────────────────────────────────────────────────────

FIRST_RUNS = """
import os, sys

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow  # once, so that the four are quick and therefore at once
import churnkit.project
from churnkit.cli import app

start, go = os.pipe()
for k in range(4):
    if os.fork() == 0:
        os.close(go)
        os.read(start, 1)
        try:
            app(["models", "push", f"models/model-{k}"])
        except SystemExit as end:
            os._exit(end.code or 0)
os.close(go)
print([os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(4)])
"""


def test_05_four_first_runs_at_once_on_an_empty_tracking_store_all_succeed(
    shop, training, tmp_path, monkeypatch, trials, seen
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    card = training.card()
    for number in range(trials(1, 5)):
        folder = small.project(tmp_path / str(number), shop, training, customers=10)
        for k in range(4):  # four bundles that are not the same
            bundle.save(training.model, folder / "models" / f"model-{k}", card, f"the {k}th")
        done = subprocess.run(
            [sys.executable, "-c", FIRST_RUNS], cwd=folder, capture_output=True, text=True,
            timeout=1200, check=True,
        )  # fmt: skip
        assert done.stdout.splitlines()[-1] == "[0, 0, 0, 0]", done.stderr
        registry = Registry(folder / "models")
        versions = registry.versions()
        assert [version.number for version in versions] == ["4", "3", "2", "1"]
        assert len({version.tags["sha256"] for version in versions}) == 4
        assert sum(CHAMPION in version.aliases for version in versions) == 1
    seen("empty stores, four first runs each", number + 1)
