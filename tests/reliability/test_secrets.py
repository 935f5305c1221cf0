"""Line 24: what was planted in logs, settings and the environment comes out nowhere."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from commands import run
from small import SETTINGS
from small import project as small_project

import churnkit.project
from churnkit import bundle, cli, runlog
from churnkit.clock import Cutoff
from churnkit.dataset import Recipe
from churnkit.lights import set_override
from churnkit.registry import Registry
from churnkit.release import push
from churnkit.sources import read_logs
from churnkit.training import train

DAY, TODAY = "2024-05-15", "2024-05-20"
PASSWORD, TOKEN, KEY = "hunter2-Zq8", "tok-4f9a17c2", "k3y-of-the-holdout-77"
SECRETS = (PASSWORD, TOKEN, KEY)
IDS = ("anna.schmidt@shop.example", "+49-151-23456789", "Zahra Ahmadi")
"""Ids that say who the customers are; pages and lists hold them, since that is their purpose."""
PEOPLE = ("Otto Unbekannt", "otto@mail.example", "+43-664-7654321", "DE89-3704-0044-0532")
"""What stands in columns of which nothing is ever told: references, comments, free text."""


@pytest.fixture(scope="module")
def planted(shop, training, empty_store, tmp_path_factory) -> Path:
    """A project whose logs are full of people, and whose environment is full of secrets."""
    folder = small_project(tmp_path_factory.mktemp("planted"), shop, training, 120)
    for log, columns in {
        "purchases": ("order_id", "ref", "delivered_to"),
        "activity": ("ref", "comment"),
        "surveys": ("comment", "agent_said"),
    }.items():
        rows = pd.read_parquet(folder / f"{log}.parquet")
        known = sorted(set(rows["customer_id"]))[: len(IDS)]
        rows["customer_id"] = rows["customer_id"].replace(dict(zip(known, IDS, strict=True)))
        for k, column in enumerate(columns):
            rows[column] = [f"{PEOPLE[(k + i) % len(PEOPLE)]} #{i}" for i in range(len(rows))]
        rows.to_parquet(folder / f"{log}.parquet", index=False)
    shutil.copytree(empty_store, folder / "models")
    return folder


@pytest.fixture
def project(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = shutil.copytree(planted, tmp_path / "project")
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name in ("SHOP_PASSWORD", "MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, PASSWORD)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", TOKEN)
    (tmp_path / "holdout.key").write_text(KEY)
    monkeypatch.setenv("HOLDOUT_KEY_FILE", str(tmp_path / "holdout.key"))
    return folder


def written(folder: Path) -> dict[str, str]:
    """Every file below a folder as text: its bytes, and what is compressed in them."""
    found = {}
    for path in (p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        told = content.decode("utf-8", "replace")
        if content[:4] == b"PAR1":
            table = pq.read_table(path)
            told += str([column.to_pylist() for column in table.columns])
        if content.startswith(b"SQLite"):
            told += "\n".join(sqlite3.connect(path).iterdump())
        found[str(path.relative_to(folder))] = told
    return found


def holds(text: str, planted: tuple[str, ...]) -> list[str]:
    return [one for one in planted if one in text]


def test_24_a_whole_night_tells_no_secret_and_nobody(
    project: Path, training, seen: Callable[[str, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Logs of a run, registry, pages and tables of a night that trains, scores and reports."""
    more = (
        '[holdout]\nshare = 0.2\nkey = "${HOLDOUT_KEY}"\n\n'
        f'[run]\nhealthcheck_url = "http://127.0.0.1:9/{TOKEN}"\nmetrics_file = "churnkit.prom"\n'
    )
    Path("churnkit.toml").write_text(SETTINGS + more)
    bundle.save(training.model, Path("models/first"), training.card(), "")
    push(Path("models/first"), Path("models"), Registry(Path("models")))
    scored = run("score", "--as-of", "2024-05-01")
    assert (scored.exit_code, holds(scored.stderr, (*SECRETS, *PEOPLE, *IDS))) == (0, [])
    whole = (Cutoff.parse("2024-05-01"), Cutoff.parse("2024-07-01"))
    for who in (IDS[0], PEOPLE[1]):
        set_override(Path("ledger"), who, "red", *whole, "anna", "left long ago")
    night = run("run", "--as-of", DAY, "--log-format", "json")
    assert night.exit_code == 0, night.stderr
    assert "customers who are not at risk now: " in night.stderr
    assert len(night.stderr.splitlines()) > 20
    assert holds(night.stderr + night.stdout, (*SECRETS, *PEOPLE, *IDS)) == []
    models, rest = written(Path("models")), written(Path("reports"))
    assert {name: found for name, text in models.items()
            if (found := holds(text, (*SECRETS, *PEOPLE, *IDS)))} == {}  # fmt: skip
    (Path("ledger") / "overrides.jsonl").unlink()  # which the person was written into by hand
    Path("ledger/ledger.duckdb").unlink()
    rest |= written(Path("ledger")) | written(Path("scores"))
    rest["metrics"] = Path("churnkit.prom").read_text()
    assert {name: found for name, text in rest.items()
            if (found := holds(text, (*SECRETS, *PEOPLE)))} == {}  # fmt: skip
    assert holds(rest["metrics"], IDS) == []
    journal = next(text for name, text in rest.items() if name.startswith("nights"))
    assert holds(journal, IDS) == []
    seen("files searched", len(models) + len(rest))
    seen("lines of the run's log", len(night.stderr.splitlines()))


def test_24_what_is_trained_from_people_names_none(
    planted: Path, question, schedule, seen: Callable[[str, int], None], tmp_path: Path
) -> None:
    """Parameters, tags, metrics and artifacts of a model that learnt from the planted logs."""
    logs = read_logs(*(planted / f"{log}.parquet" for log in ("purchases", "activity", "surveys")))
    assert {*IDS} <= {*logs.customer_ids}
    trained = train(logs, question, schedule, recipe=Recipe(use="rfm_logistic", least=1))
    bundle.save(trained.model, tmp_path / "model", trained.card(), "")
    found = {name: holds(text, (*PEOPLE, *IDS)) for name, text in written(tmp_path).items()}
    assert {name: people for name, people in found.items() if people} == {}
    seen("files of a model searched", len(found))


FAULTS = {
    "a cell that is no number": ("amount", PEOPLE[0]),
    "a cell that is no time": ("ts", PEOPLE[1]),
    "cells that have moved": ("ts", IDS[0]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_24_no_error_quotes_a_cell(project: Path, fault: str, seen) -> None:
    column, cell = FAULTS[fault]
    rows = pd.read_parquet("purchases.parquet").astype(str)
    rows[column] = cell
    rows.to_csv("purchases.csv", index=False)
    text = Path("churnkit.toml").read_text().replace("purchases.parquet", "purchases.csv")
    Path("churnkit.toml").write_text(text)
    told = 0
    for given in (
        ("check",),
        ("score", "--as-of", DAY, "--model", "model"),
        ("run", "--as-of", DAY, "--log-format", "json"),
    ):
        result = run(*given)
        assert result.exit_code == 3, (given, result.stdout, result.stderr)
        assert holds(result.stderr + result.stdout, (*PEOPLE, *IDS, *SECRETS)) == []
        told += 1
    seen("refusals read", told)


def test_24_outcomes_that_are_refused_name_nobody(project: Path) -> None:
    assert run("score", "--as-of", DAY, "--model", "model").exit_code == 0
    rows = [
        f"{IDS[0]},{DAY},{PEOPLE[0]},", f"{IDS[1]},{PEOPLE[1]},yes,",
        f"{IDS[2]},{DAY},yes,{IDS[1]}", f"{PEOPLE[1]},{DAY},yes,",
        f"{IDS[0]},2024-01-01,no,", f"{IDS[0]},{DAY},yes,",
    ]  # fmt: skip
    Path("done.csv").write_text("customer_id,as_of,done,cost\n" + "\n".join(rows) + "\n")
    refused = run("outcomes", "record", "done.csv")
    assert refused.exit_code == 3
    assert "row 1, column done: looks like 'Xxxx Xxxxxxxxx', and should be yes" in refused.stderr
    assert holds(refused.stderr, (*PEOPLE, *IDS)) == []


def test_24_a_fault_that_nobody_foresaw_tells_its_place_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_, **__):
        try:
            raise KeyError(IDS[0])
        except KeyError as error:
            raise RuntimeError(f"{PEOPLE[0]} with {os.environ['SHOP_PASSWORD']}") from error

    monkeypatch.setattr(churnkit.project, "check_project", broken)
    monkeypatch.setattr(sys, "argv", ["churnkit", "check"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    assert ended.value.code == 1
    assert "KeyError\nand then\n" in told.err
    assert "test_secrets.py, line" in told.err
    assert holds(told.err + told.out, (*PEOPLE, *IDS, *SECRETS)) == []
    monkeypatch.setenv("CHURNKIT_TRACEBACK", "1")
    with pytest.raises(SystemExit):
        cli.main()
    assert PEOPLE[0] in capsys.readouterr().err  # who asks for it is told


def test_24_a_feature_of_ones_own_that_fails_quotes_nobody(project: Path) -> None:
    Path("own.py").write_text(
        "from churnkit.features import feature\n\n\n"
        '@feature(log="purchases", unit="1", says="odd", theme="odd")\n'
        "def odd(p, at):\n"
        f'    raise ValueError("could not convert string to float: {IDS[0]!r}")\n'
    )
    text = Path("churnkit.toml").read_text()
    Path("churnkit.toml").write_text(f'{text}\n[features]\nfile = "own.py"\n')
    failed = run("features", "build", "--as-of", DAY, "--out", "f.parquet")
    assert failed.exit_code == 2
    assert holds(failed.stderr, IDS) == []


ADDRESSES = {
    "url of a log": f'[logs.customers]\nurl = "postgresql://ann:{PASSWORD}@db/shop"\ntable = "c"\n',
    "url of the tables": f'[output]\nurl = "mysql://ann:{PASSWORD}@db/shop"\n',
    "an option of a url": f'[output]\nurl = "trino://ann@db/shop?access_token={TOKEN}"\n',
    "url of the ledger": f'[output]\nledger_url = "postgresql://ann:{PASSWORD}@db/shop"\n',
    "address of MLflow": f'[mlflow]\ntracking_uri = "https://ann:{PASSWORD}@mlflow.example"\n',
    "an option of MLflow": f'[mlflow]\ntracking_uri = "postgresql://db/m?password={PASSWORD}"\n',
    "no address at all": f'[output]\nurl = "postgresql:/ann:{PASSWORD}@db"\n',
    "not a number": f'[output]\nkeep_runs = "https://ann:{PASSWORD}@db"\n',
    "a pinged address": f'[run]\nhealthcheck_url = "htp://ann:{PASSWORD}@ping.example"\n',
}


@pytest.mark.parametrize("where", ADDRESSES)
def test_24_settings_that_hold_a_password_are_refused_without_it(project: Path, where: str) -> None:
    Path("churnkit.toml").write_text(SETTINGS + "\n" + ADDRESSES[where])
    refused = run("check")
    assert refused.exit_code == 2, refused.stdout
    assert holds(refused.stderr, SECRETS) == []


def test_24_an_address_from_the_environment_is_told_without_its_password(project: Path) -> None:
    more = (
        '[logs.customers]\nurl = "postgresql://ann:${SHOP_PASSWORD}@127.0.0.1:9/s"\ntable = "c"\n'
    )
    Path("churnkit.toml").write_text(f"{SETTINGS}\n{more}")
    for given in (("check",), ("run", "--as-of", DAY, "--log-format", "json")):
        refused = run(*given)
        assert refused.exit_code == 3
        assert "Connection refused" in refused.stderr
        assert holds(refused.stderr + refused.stdout, SECRETS) == []
    assert holds(runlog.masked(f"no table 't' in postgresql://ann:{PASSWORD}@db/s"), SECRETS) == []
