"""`churnkit report`: a published run on one page, and everybody who was scored beside it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from commands import run, told
from test_report import Reader

from churnkit import bundle
from churnkit.config import load_settings
from churnkit.errors import DataError
from churnkit.project import score_project
from churnkit.project_report import report_project
from churnkit.report.calls import first_calls, write_whole_list
from churnkit.spreadsheet import FORMULA_STARTS

DAY, EARLIER = "2024-05-15", "2024-05-08"
LOGS = ("purchases", "activity", "surveys")
SETTINGS = """
[question]
horizon_days = 30
lookback_days = 90
""" + "".join(f'[logs.{log}]\npath = "{log}.parquet"\n' for log in LOGS)
LOOKED: dict[str, Any] = {"kpis": None, "watch": None}


@pytest.fixture(scope="module")
def scored(shop, training, tmp_path_factory) -> Path:
    """A project with two published runs; never to be changed."""
    folder = tmp_path_factory.mktemp("reported")
    for log in LOGS:
        getattr(shop, log).to_parquet(folder / f"{log}.parquet", index=False)
    bundle.save(training.model, folder / "model", training.card(), "")
    (folder / "churnkit.toml").write_text(SETTINGS)
    settings = load_settings(folder / "churnkit.toml")
    for day in (EARLIER, DAY):
        score_project(settings, settings.cutoff(day), folder / "model")
    return folder


@pytest.fixture
def project(scored, tmp_path, monkeypatch) -> Path:
    folder = shutil.copytree(scored, tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


def written(project: Path, **asked: Any) -> dict[str, Any]:
    """What the report of the project tells, with key figures and monitoring as if looked at."""
    settings = load_settings(project / "churnkit.toml")
    return report_project(settings, **{"known": LOOKED, **asked})


def text_of(path: str) -> str:
    return Reader(Path(path).read_text(encoding="utf-8")).text


def test_the_newest_run_is_told_with_all_its_calls_and_everybody_beside_it(project):
    summary = written(project)
    assert summary["as_of"] == DAY
    run_of_day = load_settings(project / "churnkit.toml").score_store().read(DAY)
    called = run_of_day[run_of_day["listed"] == "call"].sort_values("rank")
    assert [c["customer_id"] for c in summary["calls"]] == called["customer_id"].tolist()
    assert summary["calls_total"] == len(called)
    everybody = pd.read_csv(summary["paths"]["list"])
    assert everybody["rank"].tolist() == list(range(1, len(run_of_day) + 1))
    page = Path(summary["paths"]["report"])
    assert page.parent == Path(summary["paths"]["list"]).parent
    assert f'href="./report-{DAY}.csv"' in page.read_text(encoding="utf-8")
    assert f"{len(run_of_day):,} customers, best rank first" in text_of(str(page))


def fails(*_: Any, **__: Any) -> None:
    raise DataError("too little is known")


def test_key_figures_are_looked_at_and_what_fails_is_a_warning_and_no_end(project, monkeypatch):
    monkeypatch.setattr("churnkit.project_report.monitor_project", fails)
    shown = told("report", "--as-of", DAY, "--calls", "5")
    assert (len(shown["calls"]), shown["kpis"]["as_of"], shown["watch"]) == (5, DAY, None)
    assert shown["warnings"][-1] == "monitoring could not be told: too little is known"
    text = text_of(shown["paths"]["report"])
    assert f"The first 5 of {shown['calls_total']:,} customers" in text
    assert shown["kpis"]["says"][0] in text
    assert shown["warnings"][-1] in text


def test_what_monitoring_finds_is_shown(project, monkeypatch):
    monkeypatch.setattr("churnkit.project_report.kpi_project", fails)
    found = {"verdict": "retrain"}
    monkeypatch.setattr("churnkit.project_report.monitor_project", lambda *_, **__: found)
    written_of: dict[str, Any] = {}
    monkeypatch.setattr(
        "churnkit.project_report.write_report", lambda summary, *_: written_of.update(summary)
    )
    summary = written(project, known=None)
    assert (summary["watch"], written_of["watch"]) == (found, found)
    assert summary["warnings"][-1] == "key figures could not be told: too little is known"


def test_the_page_of_score_says_that_report_adds_figures_and_a_spreadsheet(project):
    text = text_of(str(project / "reports" / f"report-{DAY}.html"))
    assert "churnkit report writes them as a spreadsheet" in text
    assert "churnkit report adds" in text


def test_the_page_goes_where_it_is_wanted_and_over_no_log(project):
    summary = written(project, out=Path("away/küche 1.html"))
    assert Path("away/küche 1.csv").exists()
    assert 'href="./k%C3%BCche%201.csv"' in Path("away/küche 1.html").read_text(encoding="utf-8")
    assert summary["paths"]["report"] == "away/küche 1.html"
    refused = run("report", "--out", "purchases.parquet")
    assert refused.exit_code == 2
    assert "is a log of this project" in refused.stderr


def test_nothing_published_is_said_with_the_way_out(project):
    shutil.rmtree(project / "scores")
    nothing = run("report")
    assert nothing.exit_code == 3
    assert "no scores are published" in nothing.stderr
    assert "churnkit score --as-of DATE" in nothing.stderr


def test_a_day_that_is_not_published_is_said_with_those_that_are(project):
    other = run("report", "--as-of", "2024-03-01")
    assert other.exit_code == 3
    assert f"There are {EARLIER}, {DAY}" in other.stderr


def test_a_run_of_a_version_that_kept_no_report_is_to_be_published_anew(project, monkeypatch):
    from churnkit.publishing import ScoreStore

    manifest = ScoreStore.manifest
    monkeypatch.setattr(ScoreStore, "manifest", lambda *asked: replace(manifest(*asked), told={}))
    old = run("report")
    assert old.exit_code == 2
    assert f"churnkit score --as-of {DAY} --force" in " ".join(old.stderr.split())


def test_an_unknown_language_is_refused(project):
    refused = run("report", "--language", "xx")
    assert refused.exit_code == 2
    assert "there is no language 'xx'" in refused.stderr


# ── The list and its file ───────────────────────────────────────────────────────────────────


def rows(ids: list[str], **more: Any) -> pd.DataFrame:
    """A published run of these customers, the last one first."""
    told = {
        "customer_id": ids, "as_of": DAY, "churn_probability": 0.5, "light": "red",
        "rank": range(len(ids), 0, -1), "value_at_risk": -2.5, "reasons": "↑ a; ↓ b", "rules": "",
        "light_before": "", "changed": "",
    }  # fmt: skip
    return pd.DataFrame({**told, **more})


def test_cells_starting_with_formula_signs_are_neutralised_in_the_list_and_numbers_are_not(
    tmp_path,
):
    ids = [f"{start}2+2" for start in FORMULA_STARTS]
    rows(ids, owner=ids).to_parquet(tmp_path / "run.parquet", index=False)
    assert write_whole_list(tmp_path / "run.parquet", tmp_path / "list.csv") == len(ids)
    found = pd.read_csv(tmp_path / "list.csv", dtype=str, keep_default_na=False)
    for column in ("customer_id", "owner"):
        assert sorted(found[column]) == sorted(f"'{name}" for name in ids)
    assert set(found["value_at_risk"]) == {"-2.5"}
    assert found["rank"].astype(int).is_monotonic_increasing
    assert pd.read_parquet(tmp_path / "run.parquet")["customer_id"].tolist() == ids


def test_a_run_without_a_plan_lists_red_and_yellow_customers(tmp_path):
    rows(list("abcd"), light=["red", "green", "yellow", "red"]).to_parquet(tmp_path / "run.parquet")
    calls, total = first_calls(tmp_path / "run.parquet", 2)
    assert [call["customer_id"] for call in calls] == ["d", "c"]
    assert total == 3
    assert calls[0]["reasons"] == ["↑ a", "↓ b"]
    assert (calls[0]["rules"], calls[0]["action"], calls[0]["within_days"]) == ([], "", {})
    assert first_calls(tmp_path / "run.parquet", 0) == ([], 3)


def test_shorter_horizons_of_a_run_are_told_by_their_days(tmp_path):
    rows(["a"], churn_probability_10d=0.25).to_parquet(tmp_path / "run.parquet")
    [[call], _] = first_calls(tmp_path / "run.parquet")
    assert call["within_days"] == {"10": 0.25}
    write_whole_list(tmp_path / "run.parquet", tmp_path / "list.csv")
    assert "churn_probability_10d" in pd.read_csv(tmp_path / "list.csv").columns


def test_a_damaged_run_is_named(tmp_path):
    (tmp_path / "run.parquet").write_text("half a fil")
    with pytest.raises(DataError, match=r"run\.parquet cannot be read"):
        first_calls(tmp_path / "run.parquet")


def files() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("out", "says"),
    [
        ("churnkit.toml", "holds the settings of this project"),
        (".", "is a folder"),
        ("scores", "is a folder"),
        ("calls.csv", "is to hold the page and the list"),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_report_is_written_over_nothing_that_is_read_and_refusal_leaves_no_file(out, says):
    before = files()
    refused = run("report", "--out", out)
    assert refused.exit_code == 2
    assert says in " ".join(refused.stderr.split())
    assert files() == before


@pytest.mark.parametrize("command", [["kpi", "--as-of", DAY], ["check"], ["score", "--as-of", DAY]])
@pytest.mark.usefixtures("project")
def test_no_page_is_written_over_the_settings(command):
    before = Path("churnkit.toml").read_bytes()
    option = "--report" if command[0] == "score" else "--html"
    refused = run(*command, option, "churnkit.toml")
    assert refused.exit_code == 2
    assert "holds the settings" in refused.stderr
    assert Path("churnkit.toml").read_bytes() == before


def test_a_page_without_its_calls_does_not_say_that_there_are_none(project):
    summary = written(project, calls=0)
    text = text_of(summary["paths"]["report"])
    assert f"The first 0 of {summary['calls_total']:,} customers" in text
    assert "nobody to call" not in text
