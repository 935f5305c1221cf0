"""The command line on a user's own files: from files to lights, and what it says when it cannot."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from commands import run, told

from churnkit.features import load_own
from churnkit.standing import standing

DATA = Path(__file__).parents[1] / "data"
QUESTION = ["--horizon", "60", "--lookback", "180"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with the sample's purchases in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(DATA / "purchases.csv", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def project(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project on the whole sample, initialised, checked and trained by the commands.

    Of few past months, since little is looked at but that the ways lead through.
    """
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(empty_store, folder / "models")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        logs = ("purchases", "activity", "surveys")
        options = [part for log in logs for part in (f"--{log}", str(next(DATA.glob(f"{log}.*"))))]
        assert run("init", *options, *QUESTION).exit_code == 0
        assert run("check").exit_code == 0
        setting("cutoffs = 13", "cutoffs = 4")
        trained = run("train")
        assert trained.exit_code == 0, trained.stderr
    return folder


def allowing(folder: Path, project: Path) -> str:
    """The settings of a project, which may name this folder besides."""
    told = (project / "churnkit.toml").read_text()
    assert "\nfolders = [" in told  # init was given logs that lie elsewhere
    return told.replace("\nfolders = [", f'\nfolders = ["{folder}", ')


@pytest.fixture
def in_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return project


class TestTheWay:
    def test_init_says_what_it_chose_and_what_comes_next(self, here: Path) -> None:
        result = run("init", "--purchases", "purchases.csv", *QUESTION)
        assert result.exit_code == 0
        assert "customer_id" in result.stdout
        assert "churnkit check" in result.stdout
        text = (here / "churnkit.toml").read_text()
        assert "horizon_days = 60" in text
        assert 'path = "purchases.csv"' in text

    def test_init_says_what_it_could_not_decide(self, here: Path) -> None:
        (here / "lines.csv").write_text("customer,date,quantity,price,note\na,2024-01-01,2,3,x\n")
        shown = run("init", "--purchases", "lines.csv").stdout
        assert "Not used of purchases: note" in shown
        assert "Undecided in purchases: is 'price' the money of the whole row" in shown

    def test_init_asks_about_an_event_and_names_what_could_be_a_feature(self, here: Path) -> None:
        (here / "e.csv").write_text("user,time,event\na,2024-01-01,login\na,2024-01-02,gone\n")
        (here / "c.csv").write_text("user,region\na,north\nb,south\nc,north\n")
        asked = ["--churn", "event", "--event", "gone", "--event", "Moved away"]
        shown = run("init", "--activity", "e.csv", "--customers", "c.csv", *asked)
        assert shown.exit_code == 0, shown.stderr
        assert "Could be features: region. Name those that never change" in shown.stdout
        assert 'events = ["gone", "Moved away"]' in (here / "churnkit.toml").read_text()
        checked = run("check")
        assert checked.exit_code == 2
        assert "the event 'moved_away', and the activity log has no such event" in checked.stderr
        assert "It has gone, login: name one" in checked.stderr

    def test_check_counts_every_row(self, in_project: Path) -> None:
        checked = told("check")
        logs = {log["log"]: log for log in checked["logs"]}
        assert logs["purchases"]["read"] == len(pd.read_csv(DATA / "purchases.csv"))
        for log in logs.values():
            assert log["kept"] + sum(log["rejected"].values()) == log["read"]
        assert checked["too_little"] == []

    def test_features_are_those_of_a_past_moment(self, in_project: Path, tmp_path: Path) -> None:
        out = tmp_path / "features.parquet"
        made = told("features", "build", "--as-of", "2024-06-01", "--out", str(out))
        frame = pd.read_parquet(out)
        assert len(frame) == made["rows"]
        assert len(frame.columns) == made["features"] + 2
        assert set(frame["as_of"]) == {"2024-06-01"}
        purchases = pd.read_csv(DATA / "purchases.csv", parse_dates=["ts"])
        before = purchases[(purchases["ts"] < "2024-06-01") & (purchases["amount"] >= 0)]
        last = before.groupby("customer_id")["ts"].max()
        days = (pd.Timestamp("2024-06-01") - last) / pd.Timedelta(days=1)
        assert (frame.set_index("customer_id")["recency"].dropna() - days).abs().max() < 1e-4

    def test_features_of_several_months_stand_in_one_table(
        self, in_project: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "features.parquet"
        options = ["--as-of", "2024-05-31", "--every", "month", "--cutoffs", "4"]
        made = told("features", "build", *options, "--out", str(out))
        months = ["2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31"]
        assert made["cutoffs"] == months
        frame = pd.read_parquet(out)
        assert sorted(set(frame["as_of"])) == months
        assert len(frame) == made["rows"]
        alone = tmp_path / "alone.parquet"
        told("features", "build", "--as-of", "2024-05-31", "--out", str(alone))
        last = frame[frame["as_of"] == "2024-05-31"].drop(columns="as_of")
        pd.testing.assert_frame_equal(
            last.reset_index(drop=True), pd.read_parquet(alone).drop(columns="as_of")
        )

    def test_features_tell_their_units_and_the_settings_they_come_from(
        self, in_project: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "features.parquet"
        told("features", "build", "--as-of", "2024-06-01", "--out", str(out))
        schema = pq.read_schema(out)
        settings = (in_project / "churnkit.toml").read_bytes()
        assert schema.metadata[b"config"].decode() == hashlib.sha256(settings).hexdigest()
        assert schema.metadata[b"cutoffs"] == b'["2024-06-01"]'
        assert schema.field("recency").metadata[b"unit"] == b"days"

    @pytest.mark.parametrize(("every", "apart"), [("7", 7), ("week", 7), ("10", 10)])
    def test_cutoffs_may_be_days_apart(
        self, in_project: Path, tmp_path: Path, every: str, apart: int
    ) -> None:
        options = ["--as-of", "2024-06-01", "--out", str(tmp_path / "f.csv"), "--every", every]
        days = pd.to_datetime(told("features", "build", *options)["cutoffs"])
        assert len(days) == 12
        assert set(days.diff()[1:].days) == {apart}
        frame = pd.read_csv(tmp_path / "f.csv")
        assert set(pd.to_datetime(frame["as_of"])) == set(days)

    def test_engines_build_the_same(self, in_project: Path, tmp_path: Path) -> None:
        frames = []
        text = allowing(tmp_path, in_project)
        (tmp_path / "spill").mkdir()
        for engine in (
            'name = "memory"',
            f'name = "duckdb"\nmemory_limit = "200MB"\nspill = "{tmp_path / "spill"}"',
        ):
            config = in_project / "engine.toml"
            config.write_text(f"{text}\n[engine]\n{engine}\n")
            out = tmp_path / "features.parquet"
            options = ["--as-of", "2024-06-01", "--out", str(out), "--config", str(config)]
            told("features", "build", *options)
            frames.append(pd.read_parquet(out))
        pd.testing.assert_frame_equal(*frames)
        assert list((tmp_path / "spill").iterdir()) == []

    def test_the_catalogue_is_listed_without_any_project(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        listed = {f["name"]: f for f in told("features", "list")["features"]}
        assert listed["recency"] == {
            "name": "recency",
            "log": "purchases",
            "unit": "days",
            "windows": [],
            "direction": "up",
            "says": "days since the last purchase",
            "needs": [],
            "seasonal": False,
            "own": False,
        }
        assert listed["spend_sum"]["windows"] == [7, 30, 90, 180, 365, None]
        monkeypatch.setenv("COLUMNS", "150")
        shown = run("features", "list").stdout
        assert "spend_sum_{window}" in shown
        assert "more churn" in shown

    @pytest.mark.parametrize(
        ("width", "hidden"),
        [(80, "log, unit, windows, higher means"), (120, "log, unit"), (160, "")],
    )
    def test_the_catalogue_shows_whole_names_and_what_else_fits(
        self, monkeypatch: pytest.MonkeyPatch, width: int, hidden: str
    ) -> None:
        monkeypatch.setenv("COLUMNS", str(width))
        shown = run("features", "list")
        names = [f["name"] for f in told("features", "list")["features"]]
        assert [name for name in names if name not in shown.stdout] == []
        assert "spend in the window" in shown.stdout
        assert max(map(len, shown.stdout.splitlines())) <= width
        assert ("Not shown" in shown.stderr) == bool(hidden)
        assert hidden in shown.stderr

    def test_the_audit_finds_nothing_in_the_built_in_features(self, in_project: Path) -> None:
        found = told("audit", "--customers", "20", "--cutoffs", "2")
        assert found["leaks"] == []
        assert found["customers"] == 20
        assert len(found["cutoffs"]) == 2
        assert (
            "None of them sees the future"
            in run("audit", "--customers", "5", "--cutoffs", "1").stdout
        )

    def test_train_shows_the_model_beside_the_plain_rules(self, in_project: Path) -> None:
        trained = told("train")
        assert set(trained["trials"][-1]["metrics"]) == {
            "base_rate", "recency", "overdue", "rfm_logistic", "bgnbd", "logistic", "lightgbm",
            "blend",
        }  # fmt: skip
        # The project was trained before, and the same model again is no better.
        assert trained["alias"] == "challenger"
        assert trained["standing"].startswith("made like version 1")
        assert (Path(trained["bundle"]) / "manifest.json").exists()
        assert (in_project / "models" / "mlflow.db").exists()

    def test_check_writes_a_page(self, in_project: Path, tmp_path: Path) -> None:
        page = tmp_path / "check.html"
        shown = run("check", "--html", str(page))
        assert "Came back within as long again" in shown.stdout
        text = page.read_text(encoding="utf-8")
        assert "purchases" in text
        assert "<script" not in text

    def test_score_publishes_to_a_store_where_one_is_declared(
        self, in_project: Path, tmp_path: Path
    ) -> None:
        config = in_project / "publishing.toml"
        url = f"sqlite:///{tmp_path / 'shop.db'}"
        text = allowing(tmp_path, in_project)
        config.write_text(text.replace("[output]", f'[output]\nurl = "{url}"'))
        for _ in range(2):
            scored = told("score", "--as-of", "2024-12-01", "--config", str(config))
        assert scored["paths"]["table"] == f"{url}, table churn_scores"
        written = pd.read_parquet(scored["paths"]["scores"]).sort_values("customer_id")
        with closing(sqlite3.connect(tmp_path / "shop.db")) as con:
            table = pd.read_sql("SELECT * FROM churn_scores ORDER BY customer_id", con)
        assert table["customer_id"].tolist() == written["customer_id"].tolist()
        assert (table["churn_probability"].to_numpy() == written["churn_probability"]).all()

    def test_a_store_is_read_like_a_file(self, here: Path) -> None:
        frame = pd.read_csv("purchases.csv")
        with closing(sqlite3.connect("shop.db")) as con:
            frame.to_sql("orders", con, index=False)
        assert run("init", "--purchases", "sqlite:///shop.db#orders", *QUESTION).exit_code == 0
        text = (here / "churnkit.toml").read_text()
        assert 'url = "sqlite:///shop.db"' in text
        assert 'table = "orders"' in text
        (stored,) = told("check")["logs"]
        assert run("init", "--purchases", "purchases.csv", "--force", *QUESTION).exit_code == 0
        (filed,) = told("check")["logs"]
        assert stored | {"source": ""} == filed | {"source": ""}

    @pytest.mark.parametrize("ending", ["parquet", "csv"])
    def test_score_writes_one_row_per_customer_at_risk(
        self, in_project: Path, tmp_path: Path, ending: str
    ) -> None:
        out = tmp_path / f"scores.{ending}"
        scored = told("score", "--as-of", "2025-01-01", "--out", str(out))
        frame = pd.read_parquet(out) if ending == "parquet" else pd.read_csv(out)
        assert {
            "customer_id", "as_of", "churn_probability", "light", "rank", "value_at_risk",
            "reasons", "model_version",
        } <= set(frame.columns)  # fmt: skip
        assert frame["customer_id"].is_unique
        assert frame["churn_probability"].between(0, 1).all()
        assert set(frame["light"]) <= {"green", "yellow", "red"}
        assert sorted(frame["rank"]) == list(range(1, len(frame) + 1))
        assert frame["light"].value_counts().to_dict() == {
            light["light"]: light["customers"] for light in scored["lights"] if light["customers"]
        }
        report = Path(scored["paths"]["report"]).read_text(encoding="utf-8")
        assert report.startswith("<!doctype html")

    def test_score_with_a_bundle_instead_of_the_champion(self, in_project: Path) -> None:
        bundle = next(path.parent for path in (in_project / "models").glob("*/manifest.json"))
        scored = told("score", "--as-of", "2025-01-01", "--model", str(bundle))
        assert scored["model_version"] == bundle.name

    def test_scoring_a_day_the_model_learnt_from_warns(self, in_project: Path) -> None:
        result = run("score", "--as-of", "2024-06-01", "--out", "past.csv")
        assert result.exit_code == 0
        assert "these scores look better than they would have been" in result.stderr

    def test_a_glance_finds_what_training_and_scoring_left(self, in_project: Path) -> None:
        there = standing(in_project / "churnkit.toml")
        assert there is not None
        assert there.champion == told("models")["models"][-1]["version"]
        assert (in_project / "models" / there.model / "manifest.json").is_file()
        published = (path.name for path in (in_project / "scores").glob("as_of=*"))
        assert there.days == tuple(sorted(name.removeprefix("as_of=") for name in published))
        assert there.newest == max(there.days, default="")

    def test_terminal_shows_rules_lights_calls_and_paths(self, in_project: Path) -> None:
        shown = run("score", "--as-of", "2025-01-01").stdout
        for part in ("rfm_logistic", "■ red", "▲ yellow", "● green", "Call list", "Written"):
            assert part in shown

    def test_piped_output_holds_no_colour_codes(self, in_project: Path) -> None:
        assert "\x1b[" not in run("score", "--as-of", "2025-01-01").stdout


class TestHelp:
    @pytest.mark.parametrize(
        "command",
        [
            "init", "check", "features list", "features build", "audit", "train", "score", "demo",
            "models", "models push", "promote", "rollback",
        ],
    )  # fmt: skip
    def test_every_help_holds_an_example(self, command: str) -> None:
        result = run(*command.split(), "--help")
        assert result.exit_code == 0
        assert f"Example: churnkit {command}" in " ".join(result.stdout.split())

    def test_help_tells_the_way(self) -> None:
        assert "init → check → train → score" in run("--help").output

    def test_version(self) -> None:
        import churnkit

        assert run("--version").stdout.strip() == f"churnkit {churnkit.__version__}"


def fails(code: int, *arguments: str) -> str:
    """The one message of a command that must fail with that exit code."""
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    assert result.stderr.startswith("Error: ")
    return result.stderr


def setting(old: str, new: str) -> None:
    path = Path("churnkit.toml")
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's purchases with a churnkit.toml for them; never to be changed."""
    folder = tmp_path_factory.mktemp("initialised")
    shutil.copy(DATA / "purchases.csv", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run("init", "--purchases", "purchases.csv", *QUESTION).exit_code == 0
    return folder


@pytest.fixture
def ready(here: Path, initialised: Path) -> Path:
    """The working folder with a churnkit.toml for the sample's purchases."""
    return shutil.copytree(initialised, here, dirs_exist_ok=True)


class TestBadInput:
    def test_a_missing_file(self, here: Path) -> None:
        said = fails(3, "init", "--purchases", "nowhere.csv")
        assert "nowhere.csv: no such file" in said
        assert not (here / "churnkit.toml").exists()

    def test_init_never_overwrites_without_force(self, ready: Path) -> None:
        before = (ready / "churnkit.toml").read_text()
        assert "--force" in fails(2, "init", "--purchases", "purchases.csv")
        assert (ready / "churnkit.toml").read_text() == before
        assert run("init", "--purchases", "purchases.csv", "--force").exit_code == 0

    def test_no_log_at_all(self, here: Path) -> None:
        assert "--purchases FILE" in fails(2, "init")

    def test_no_configuration(self, here: Path) -> None:
        assert "churnkit init" in fails(2, "check")

    def test_a_column_that_is_not_there(self, ready: Path) -> None:
        setting('amount = "amount"', 'amount = "amuont"')
        assert "Did you mean 'amount'?" in fails(3, "check")

    def test_unreadable_dates(self, ready: Path) -> None:
        (ready / "purchases.csv").write_text(
            "customer_id,ts,order_id,amount\n" + "a,yesterday,1,5\n" * 3 + "a,2024-01-01,2,5\n"
        )
        said = fails(3, "train")
        assert "unreadable_ts" in said
        assert "purchases.csv" in said

    def test_an_unreadable_date_is_told_with_its_row(self, ready: Path) -> None:
        rows = [f"c{k % 40},2024-01-{k % 28 + 1:02d} {k % 24:02d}:00,{k},5\n" for k in range(200)]
        rows[6] = "c1,yesterday,7,5\n"
        (ready / "purchases.csv").write_text("customer_id,ts,order_id,amount\n" + "".join(rows))
        assert run("check").exit_code == 0
        rejected = pd.read_csv(ready / "reports" / "rejected.csv")
        assert rejected[["row", "reason", "found"]].to_numpy().tolist() == [
            [7, "unreadable_ts", "yesterday"]
        ]

    def test_a_score_outside_its_scale(self, ready: Path) -> None:
        (ready / "nps.csv").write_text(
            "customer_id,ts,instrument,score\n"
            + "".join(f"C0000{k},2024-01-0{k},nps,{k * 20}\n" for k in range(1, 9))
        )
        assert run(
            "init", "--purchases", "purchases.csv", "--surveys", "nps.csv", "--force"
        ).exit_code == 0  # fmt: skip
        said = fails(3, "train")
        assert "score_outside_scale" in said
        assert "nps.csv" in said

    def test_an_empty_log(self, ready: Path) -> None:
        (ready / "purchases.csv").write_text("")
        assert "purchases.csv is empty" in fails(3, "check")
        (ready / "purchases.csv").write_text("customer_id,ts,order_id,amount\n")
        assert "log is empty" in fails(3, "check")

    def test_one_customer(self, ready: Path) -> None:
        rows = "".join(f"a,20{23 + k // 12}-{k % 12 + 1:02d}-01,{k},5\n" for k in range(24))
        (ready / "purchases.csv").write_text("customer_id,ts,order_id,amount\n" + rows)
        said = fails(4, "train")
        assert "churners" in said
        assert not (ready / "models").exists()

    def test_a_single_class(self, ready: Path) -> None:
        days = pd.date_range("2022-01-01", "2024-12-31", freq="10D")
        pd.DataFrame(
            [(f"c{c}", day, f"{c}-{day:%j%y}", 5) for c in range(150) for day in days],
            columns=["customer_id", "ts", "order_id", "amount"],
        ).to_csv(ready / "purchases.csv", index=False)
        assert "0 churners" in fails(4, "train")

    def test_a_history_that_is_too_short(self, ready: Path) -> None:
        frame = pd.read_csv(ready / "purchases.csv")
        frame[frame["ts"] < "2023-03-01"].to_csv(ready / "purchases.csv", index=False)
        assert "300 days" in fails(4, "train")

    def test_an_unknown_key(self, ready: Path) -> None:
        setting("horizon_days", "horizon_day")
        said = fails(2, "check")
        assert "'horizon_day' in [question] is an unknown key" in said
        assert "Did you mean 'horizon_days'?" in said

    def test_a_date_that_is_none(self, ready: Path) -> None:
        said = fails(2, "features", "build", "--as-of", "soon", "--out", "f.parquet")
        assert "'soon' is not a date" in said
        assert not (ready / "f.parquet").exists()

    @pytest.mark.parametrize(
        ("options", "code", "said"),
        [
            (["--as-of", "2022-01-01"], 3, "nothing is known as of 2022-01-01: the logs run from"),
            (["--as-of", "2024-06-01", "--cutoffs", "36"], 3, "nothing is known as of 2021-07-01"),
            (["--as-of", "2024-06-01", "--every", "year"], 2, "'year' apart"),
            (["--as-of", "0009-01-01", "--cutoffs", "180"], 2, "before the year 1"),
        ],
    )
    def test_cutoffs_that_cannot_be(
        self, ready: Path, options: list[str], code: int, said: str
    ) -> None:
        assert said in fails(code, "features", "build", *options, "--out", "f.parquet")
        assert not (ready / "f.parquet").exists()

    def test_a_table_that_is_neither_parquet_nor_csv(self, ready: Path) -> None:
        said = fails(2, "features", "build", "--as-of", "2024-06-01", "--out", "f.xlsx")
        assert "Use .parquet or .csv" in said

    def test_a_window_longer_than_the_history(self, ready: Path) -> None:
        setting("# [features]\n", "[features]\nwindows = [30, 2000]\n")
        said = fails(2, "features", "build", "--as-of", "2024-06-01", "--out", "f.parquet")
        assert "purchases_count_2000d looks back 2000 days from 2024-06-01" in said
        assert "while the logs begin on 2023-01-01, 517 days before" in said
        assert "purchases_count_2000d looks back" in fails(2, "train")

    def test_a_moment_long_after_the_logs_is_told(self, ready: Path) -> None:
        """Whatever happened in between is missing, and nobody seems to be there any more."""
        options = ["--out", "f.parquet", "--as-of"]
        assert told("features", "build", *options, "2025-01-06")["warnings"] == []
        assert "the log ends on 2024-12-30, 152 days before 2025-06-01" in (
            run("features", "build", *options, "2025-06-01").stderr
        )

    def test_the_usual_windows_may_be_longer_than_the_history(self, ready: Path) -> None:
        made = told("features", "build", "--as-of", "2023-02-01", "--out", "f.parquet")
        assert made["rows"] > 0

    def test_scoring_before_training(self, ready: Path) -> None:
        assert "churnkit train" in fails(2, "score", "--as-of", "2025-01-01")
        assert not (ready / "scores").exists()

    def test_a_bundle_that_was_changed(self, in_project: Path, tmp_path: Path) -> None:
        bundle = next(path.parent for path in (in_project / "models").glob("*/manifest.json"))
        broken = shutil.copytree(bundle, tmp_path / "broken")
        (broken / "model.json").write_text((broken / "model.json").read_text() + " ")
        said = fails(5, "score", "--as-of", "2025-01-01", "--model", str(broken))
        assert "model.json was changed" in said

    def test_scoring_long_after_the_log(self, in_project: Path, tmp_path: Path) -> None:
        [warning] = told("score", "--as-of", "2025-02-01", "--out", str(tmp_path / "late.csv"))[
            "warnings"
        ]
        assert warning.startswith("the log ends on 2024-12-30, 32 days before 2025-02-01")

    def test_scoring_when_nobody_is_at_risk(self, in_project: Path) -> None:
        said = fails(3, "score", "--as-of", "2030-01-01", "--out", "late.csv")
        assert "the log ends on 2024-12-30" in said
        assert "more than the 60 days of the horizon" in said
        said = fails(3, "score", "--as-of", "2030-01-01", "--out", "late.csv", "--force")
        assert "nobody is at risk as of 2030-01-01" in said
        assert not (in_project / "late.csv").exists()

    def test_an_ending_that_is_not_written(self, in_project: Path) -> None:
        said = fails(2, "score", "--as-of", "2025-01-01", "--out", "scores.xlsx")
        assert "Use .parquet or .csv" in said

    def test_an_unknown_definition_of_churn_is_a_usage_error(self, here: Path) -> None:
        result = run("init", "--purchases", "purchases.csv", "--churn", "boredom")
        assert result.exit_code == 2


OWN = """\
import numpy as np
from churnkit.features import Observations, PurchaseIndex, feature

@feature(unit="purchases", says="purchases, doubled", dtype="int32")
def doubled(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return 2 * p.sales.count(at)
"""


class TestOwnFeatures:
    @pytest.fixture(autouse=True)
    def _nothing_stays(self) -> Iterator[None]:
        yield
        load_own()

    @pytest.fixture
    def own(self, ready: Path) -> Path:
        """A file of own features that churnkit.toml names."""
        setting("# [features]\n", '[features]\nfile = "own.py"\n')
        (ready / "own.py").write_text(OWN)
        return ready / "own.py"

    def test_they_are_listed_and_built(self, own: Path) -> None:
        listed = {f["name"]: f for f in told("features", "list")["features"]}
        assert listed["doubled"]["own"]
        assert "purchases, doubled (your own)" in run("features", "list").stdout
        told("features", "build", "--as-of", "2024-06-01", "--out", "f.parquet")
        frame = pd.read_parquet("f.parquet")
        assert (frame["doubled"] == 2 * frame["purchases_count_all"]).all()

    def test_they_are_no_part_of_a_project_without_them(self, own: Path) -> None:
        run("features", "list")
        setting('file = "own.py"', "")
        assert "doubled" not in {f["name"] for f in told("features", "list")["features"]}

    def test_a_model_is_not_used_with_another_definition(
        self, own: Path, empty_store: Path
    ) -> None:
        setting("cutoffs = 13", "cutoffs = 3")
        setting("tests = 2", "tests = 1")
        shutil.copytree(empty_store, "models")
        bundle = Path(told("train")["bundle"])
        scored = told("score", "--as-of", "2025-01-01")
        assert scored["calls_total"] > 0
        assert not [path for path in bundle.rglob("*") if path.suffix == ".py"]
        assert "2 * p.sales.count" not in (bundle / "model.json").read_text()
        own.write_text("# the same, with a comment\n" + OWN)
        assert told("score", "--as-of", "2025-01-01")["calls"] == scored["calls"]
        own.write_text(OWN.replace("2 *", "3 *"))
        said = fails(2, "score", "--as-of", "2025-01-01", "--out", "changed.csv")
        assert "the champion (version 1) does not fit churnkit.toml any more" in said
        assert "your feature doubled was changed" in said
        setting('file = "own.py"', "")
        said = fails(2, "score", "--as-of", "2025-01-01", "--out", "changed.csv")
        assert "its feature doubled is in no file of yours now" in said
        assert not Path("changed.csv").exists()

    @pytest.mark.parametrize(
        ("returned", "said"),
        [
            ("1 / 0", "failed: ZeroDivisionError"),
            ("p.sales.count(at)[:3]", "the shape (3,)"),
            ("np.full(len(at), np.inf)", "returned inf for"),
        ],
    )
    def test_one_that_fails_is_named_with_its_line(
        self, own: Path, returned: str, said: str
    ) -> None:
        own.write_text(OWN.replace("2 * p.sales.count(at)", returned))
        message = fails(2, "features", "build", "--as-of", "2024-06-01", "--out", "f.parquet")
        assert "feature 'doubled'" in message
        assert "own.py, line 4" in message
        assert said in message
        assert not Path("f.parquet").exists()

    @pytest.mark.parametrize("command", ["check", "train", "audit", "features list"])
    def test_a_file_that_cannot_be_used(self, own: Path, command: str) -> None:
        own.write_text("def doubled(:\n")
        assert "own.py, line 1: invalid syntax" in fails(2, *command.split())
        own.unlink()
        assert "own.py: no such file" in fails(2, *command.split())

    def test_the_audit_names_one_that_sees_the_future(self, own: Path) -> None:
        own.write_text(OWN.replace("p.sales.count(at)", "p.sales.count_ahead(at, 60)"))
        options = ["audit", "--customers", "40", "--cutoffs", "1"]
        result = run(*options, "--json")
        assert result.exit_code == 4
        leaks = json.loads(result.stdout)["leaks"]
        assert {leak["feature"] for leak in leaks} == {"doubled"}
        assert "the future dropped" in {leak["trial"] for leak in leaks}
        assert f"customer {leaks[0]['customer_id']}" in fails(4, *options)
        shown = run(*options).stdout
        assert "Leaks" in shown
        assert leaks[0]["customer_id"] in shown


ENDED = """
import os, sys
from threading import Timer
from churnkit import cli
from churnkit.sources import connect

@cli.app.command()
def wait(number: int) -> None:
    with connect() as con:
        Timer(0.3, os.kill, (os.getpid(), number)).start()
        while True:
            con.execute("SELECT sum(hash(range)) FROM range(10_000_000)").fetchall()

cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_ended_leaves_no_temporary_files(number: int, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ENDED, "wait", str(int(number))],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 128 + number
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []
