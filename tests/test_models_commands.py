"""`churnkit models`, `promote`, `rollback` and `models push`, at a local store and at a server."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from commands import run, told

from churnkit.config import Settings, load_settings
from churnkit.dataset import Recipe, Schedule
from churnkit.errors import ChurnkitError
from churnkit.labels import Question
from churnkit.lights import Fixed, TrafficLight
from churnkit.logs import Logs
from churnkit.origin import origin
from churnkit.registry import Registry
from churnkit.release import release
from churnkit.simulate import Shop
from churnkit.training import Training, train

NOWHERE = "http://ann:secret@127.0.0.1:9"
SETTINGS = """
[question]
churn = "no_purchase"
horizon_days = 30
lookback_days = 90

[logs.purchases]
path = "purchases.csv"

[logs.activity]
path = "activity.csv"

[logs.surveys]
path = "surveys.csv"

[output]
url = "sqlite:///out.db"

[mlflow]
name = "{name}"
"""
# The day after the outcomes of the test, so that no score looks better than it is.
AS_OF = ("score", "--as-of", "2024-05-15")


def refused(*arguments: str) -> tuple[int, str]:
    """Exit code and message of a command that refuses."""
    result = run(*arguments)
    assert result.exit_code != 0, result.stdout
    assert "Traceback" not in result.stderr
    return result.exit_code, result.stderr


def released(training: Training, light: TrafficLight | None = None) -> None:
    """A release as `churnkit train` makes it in the project of the working folder."""
    settings = load_settings(Path("churnkit.toml"))
    with settings.open_logs() as logs:
        release(
            training,
            settings.models,
            settings.registry(),
            light,
            logs=logs,
            origin=origin(logs, settings.contract(), settings.sha256, settings.folder),
        )


@pytest.fixture(scope="module")
def files(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The logs of the shop as files."""
    folder = tmp_path_factory.mktemp("shop")
    for log in ("purchases", "activity", "surveys"):
        getattr(shop, log).to_csv(folder / f"{log}.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def prepared(files, empty_store, training, tmp_path_factory) -> Path:
    """A project with two versions in a store of its own; never to be changed."""
    with pytest.MonkeyPatch.context() as patched:
        folder = a_project(files, tmp_path_factory.mktemp("prepared") / "project", patched)
        shutil.copytree(empty_store, folder / "models")
        for _ in range(2):
            released(training)
        return folder


def a_project(files: Path, folder: Path, patched: pytest.MonkeyPatch, name: str = "ours") -> Path:
    """A new folder with logs and settings, in which one works from now on."""
    shutil.copytree(files, folder, dirs_exist_ok=True)
    patched.chdir(folder)
    patched.delenv("MLFLOW_TRACKING_URI", raising=False)
    patched.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (folder / "churnkit.toml").write_text(SETTINGS.format(name=name))
    return folder


def moved(store: Path, before: Path, now: Path) -> None:
    """Let an MLflow store that was copied look for its artifacts in the copy."""
    with closing(sqlite3.connect(store)) as con, con:
        for table, column in con.execute(
            "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c "
            "WHERE t.type = 'table' AND c.type LIKE '%CHAR%'"
        ).fetchall():
            con.execute(
                f"UPDATE {table} SET {column} = replace({column}, ?, ?) "
                f"WHERE instr({column}, ?) > 0",
                (str(before), str(now), str(before)),
            )


@pytest.fixture(params=["local", "server"])
def project(request, files, training, tmp_path, monkeypatch) -> Path:
    """A project with two versions in its registry: champion and challenger."""
    folder = tmp_path / "project"
    if request.param == "local":
        prepared = request.getfixturevalue("prepared")
        shutil.copytree(prepared / "models", folder / "models")
        moved(folder / "models" / "mlflow.db", prepared, folder)
        return a_project(files, folder, monkeypatch)
    a_project(files, folder, monkeypatch, tmp_path.name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", request.getfixturevalue("server"))
    for _ in range(2):
        released(training)
    return folder


@pytest.fixture(scope="module")
def hazard(logs: Logs, question: Question) -> Training:
    """A training of which the hazard is used."""
    recipe = Recipe(use="hazard", trees={"trees": 10, "seeds": 1})
    return train(logs, question, Schedule(every=28, cutoffs=2, tests=1), recipe=recipe)


def aliases() -> dict[str, str]:
    return {model["version"]: model["alias"] for model in told("models")["models"]}


def test_the_whole_way_of_a_model(project):
    assert aliases() == {"2": "challenger", "1": "champion"}
    shown = run("models").stdout
    for word in ("champion", "challenger", "2024-04-14", "lightgbm", "[", "no purchase within"):
        assert word in shown
    assert told(*AS_OF)["model_version"] == "1"
    assert "Version 2 (lightgbm) is now the champion, in place of version 1." in " ".join(
        run("promote", "2").stdout.split()
    )
    assert aliases() == {"2": "champion", "1": ""}
    assert told(*AS_OF)["model_version"] == "2"
    assert told("rollback")["version"] == "1"
    assert aliases() == {"2": "", "1": "champion"}
    scored = told(*AS_OF)
    assert (scored["model_version"], scored["warnings"]) == ("1", [])
    code, said = refused("rollback")
    assert (code, "no earlier version" in said) == (2, True)


@pytest.mark.parametrize("project", ["local"], indirect=True)
class TestLocally:
    def test_a_version_that_is_not_there(self, project):
        code, said = refused("promote", "7")
        assert (code, "there is no version 7" in said) == (2, True)
        assert aliases()["1"] == "champion"

    def test_the_challenger_may_be_promoted_by_its_name(self, project):
        assert told("promote", "challenger")["version"] == "2"
        assert "is the champion already" in run("promote", "2").stdout

    def test_a_project_without_a_model(self, files, tmp_path, monkeypatch, project):
        (project / "churnkit.toml").write_text(SETTINGS.format(name="another"))
        assert told("models") == {"models": []}
        assert "There is no model yet. Next: churnkit train" in run("models").stdout
        code, said = refused(*AS_OF)
        assert (code, "churnkit train" in said) == (2, True)
        for command in (("promote", "1"), ("rollback",)):
            assert refused(*command)[0] == 2

    def test_a_bundle_that_was_edited(self, project):
        run_of = Registry(project / "models", load_settings(Path("churnkit.toml")).mlflow.name)
        kept = [p for p in (project / "models" / "mlartifacts").rglob("bundle")
                if run_of.version("1").run in str(p)]  # fmt: skip
        (kept[0] / "model.json").write_text("{}")
        code, said = refused(*AS_OF)
        assert (code, "model.json was changed" in said) == (5, True)
        assert told("promote", "2")["version"] == "2"
        code, said = refused("rollback")
        assert (code, "model.json was changed" in said) == (5, True)
        assert told(*AS_OF)["model_version"] == "2"

    def test_while_the_server_is_down_scoring_goes_on_and_the_rest_says_why(
        self, project, monkeypatch
    ):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", NOWHERE)
        scored = told(*AS_OF)
        assert scored["model_version"] == "1"
        assert "http://***@127.0.0.1:9 failed" in scored["warnings"][0]
        for command in (("models",), ("promote", "2"), ("rollback",)):
            code, said = refused(*command)
            assert (code, "http://***@127.0.0.1:9 failed" in said) == (1, True)
            assert "secret" not in said

    def test_what_was_kept_is_pushed_later(self, project, training, monkeypatch):
        with monkeypatch.context() as patched:
            patched.setenv("MLFLOW_TRACKING_URI", NOWHERE)
            with pytest.raises(ChurnkitError) as failure:
                released(training, TrafficLight(Fixed(0.3, 0.6)))
            *_, command = str(failure.value).partition("churnkit ")
            code, said = refused(*command.split())
            assert (code, command in said, "secret" in said) == (1, True, False)
        pushed = told(*command.split())
        assert (pushed["version"], pushed["alias"]) == ("3", "challenger")
        assert "it is version 3 already" in run(*command.split()).stdout

    def test_settings_that_changed_since_are_named(self, project):
        settings = project / "churnkit.toml"
        settings.write_text(
            settings.read_text().replace("horizon_days = 30", "horizon_days = 60")
            + '[features]\nwindows = [14, 30]\n[logs.activity.kinds]\nvisit = "login"\n'
        )
        code, said = refused(*AS_OF)
        assert code == 2
        for difference in (
            "the champion (version 1) does not fit churnkit.toml any more",
            "horizon_days was 30 and is 60",
            "windows was 7, 30, 90, 180, 365 and is 14, 30",
            "'visit' in kinds was not there and is login",
            "churnkit train",
            "--model PATH",
        ):
            assert difference in said
        scored = told(*AS_OF, "--model", "models/lightgbm-2024-04-14")
        assert "the model does not fit churnkit.toml: horizon_days was 30 and is 60" in scored[
            "warnings"
        ]  # fmt: skip

    def test_settings_of_training_may_change(self, project):
        with (project / "churnkit.toml").open("a") as settings:
            settings.write("[training]\nevery = 14\n[lights]\nred = 0.9\n")
        assert told(*AS_OF)["warnings"] == []

    def test_shorter_horizons_stand_in_the_file_and_the_call_lists_and_in_no_table(
        self, project, hazard
    ):
        released(hazard)
        bundle = next(path for path in Path("models").glob("hazard-*") if path.is_dir())
        of_hazard = (*AS_OF, "--model", str(bundle))
        shown = run(*of_hazard, "--within", "20", "--within", "10")
        assert shown.exit_code == 0, shown.stderr
        heading = next(line for line in shown.stdout.splitlines() if line.startswith("rank"))
        assert heading.split()[3:8] == ["churn", "10", "d", "20", "d"]
        scored = told(*of_hazard, "--within", "10", "--within", "20")
        assert list(scored["calls"][0]["within_days"]) == ["10", "20"]
        assert "Within 20 d" in Path(scored["paths"]["report"]).read_text(encoding="utf-8")
        written = pd.read_parquet(scored["paths"]["scores"])
        table = scored["paths"]["table"].rpartition(" ")[2]
        with closing(sqlite3.connect("out.db")) as con:
            published = pd.read_sql(f"SELECT * FROM {table}", con)
        shorter = ["churn_probability_10d", "churn_probability_20d"]
        assert {*written.columns} >= {*published.columns, *shorter}
        assert not {*shorter} & {*published.columns}
        assert len(published) == len(written)

    def test_a_store_that_refuses_leaves_scores_and_report(self, project):
        with closing(sqlite3.connect("out.db")) as con:
            con.execute("CREATE TABLE churn_scores (as_of TEXT, customer_id TEXT)")
        code, said = refused(*AS_OF, "--out", "scores.csv", "--report", "report.html")
        assert (code, "nothing was written" in said) == (3, True)
        assert Path("scores.csv").exists()
        assert "<!doctype html" in Path("report.html").read_text(encoding="utf-8")

    def test_what_cannot_be_scored_is_refused_before_the_logs_are_read(self, project, monkeypatch):
        def read(_: Settings) -> None:
            raise AssertionError("the logs are read")

        monkeypatch.setattr(Settings, "open_logs", read)
        for reason, *options in (
            ("lightgbm) knows of 30 days only", "--within", "10"),
            ("Use .parquet or .csv", "--out", "scores.xlsx"),
            ("to hold the scores and the report", "--out", "a.csv", "--report", "x/../a.csv"),
            ("is a log of this project", "--report", "activity.csv"),
        ):
            code, said = refused(*AS_OF, *options)
            assert (code, reason in said) == (2, True)
        assert not Path("a.csv").exists()

    def test_options_before_a_subcommand_hold_for_it(self, project):
        shutil.move("churnkit.toml", "other.toml")
        bundle = "models/lightgbm-2024-04-14"
        code, said = refused("models", "push", bundle)
        assert (code, "churnkit.toml: no such file" in said) == (2, True)
        pushed = run("models", "--config", "other.toml", "--json", "push", bundle)
        assert pushed.exit_code == 0, pushed.stderr
        assert json.loads(pushed.stdout)["bundle"] == bundle
        own = ("models", "--config", "nowhere.toml", "push", bundle, "--config", "other.toml")
        assert bundle in run(*own).stdout
