"""What older versions wrote is read or taken over with a message; what a newer one wrote is not.

The projects in tests/upgrades were made by those versions; make.py there tells how.
"""

from __future__ import annotations

import json
import tarfile
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest
from commands import run, told

from churnkit import bundle
from churnkit.config import json_schema, load_settings
from churnkit.errors import ConfigError, OldFormat
from churnkit.lights import read_overrides
from churnkit.nightly import Journal
from churnkit.publishing.manifest import sealed

KEPT = Path(__file__).parent / "upgrades"
DAYS, AFTER = ("2023-11-20", "2023-11-27"), "2023-11-28"


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch) -> Path:
    """A project as a version left it; MLflow is away, so that the champion is the local one."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with tarfile.open(KEPT / f"{request.param}.tar.xz") as tar:
        tar.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kept(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("project", names, indirect=True)


def test_what_is_kept_is_small_and_lists_one_of_each():
    there = sorted(KEPT.glob("*.tar.xz"))
    assert [path.name for path in there] == [
        "models_and_lights.tar.xz", "nights.tar.xz", "today.tar.xz",
    ]  # fmt: skip
    assert sum(path.stat().st_size for path in there) < 300_000


# ── The whole project ───────────────────────────────────────────────────────────────────────


@kept("models_and_lights", "nights", "today")
def test_an_older_project_goes_on_where_it_was(project):
    """Its settings, bundle, ledger, overrides, outcomes and published runs are all in use."""
    settings = load_settings(project / "churnkit.toml")
    there = sorted((project / "ledger").glob("run-*.parquet"))
    scored = run("score", "--as-of", AFTER, "--json")
    assert scored.exit_code == 0, scored.stderr
    assert ("were taken over" in scored.stderr) == bool(there)
    found = json.loads(scored.stdout)
    ledger, store = settings.open_ledger(), settings.score_store()
    assert ledger.days() == (*DAYS, AFTER)
    assert (len(ledger.overrides()), len(ledger.outcomes())) == (1, 1)
    [override] = read_overrides(settings.ledger).at(settings.cutoff(AFTER)).values()
    now = store.read(AFTER).set_index("customer_id")
    assert now.loc[override.customer, "light"] == "red"
    before = ledger.read(DAYS[-1]).set_index("customer_id")["light"]
    both = now.index.intersection(before.index)
    assert len(both) > 20
    assert (now.loc[both, "light_before"] == before[both]).all()
    assert found["model_version"] == "1"
    assert run("report").exit_code == 0


@kept("models_and_lights")
def test_runs_of_a_ledger_of_files_are_taken_over_once_and_the_files_stay(project):
    files = {path: path.read_bytes() for path in (project / "ledger").glob("run-*.parquet")}
    assert len(files) == len(DAYS)
    settings = load_settings(project / "churnkit.toml")
    ledger, store = settings.open_ledger(), settings.score_store()
    with pytest.warns(OldFormat, match=rf"the runs of {DAYS[0]}, {DAYS[1]} were taken over"):
        ledger.catch_up(store)
    ledger.catch_up(store)  # without a word
    for day, path in zip(DAYS, sorted(files), strict=True):
        was = pd.read_parquet(path)
        pd.testing.assert_frame_equal(ledger.read(day, [*was]), was, check_dtype=False)
    assert ledger.runs()["counts"].all()
    assert {path: path.read_bytes() for path in files} == files


@kept("models_and_lights")
def test_of_older_runs_all_are_taken_over_or_none(project):
    broken = project / "ledger" / f"run-{DAYS[1]}.parquet"
    broken.write_bytes(broken.read_bytes()[:-20])
    refused = run("score", "--as-of", AFTER)
    assert refused.exit_code == 3
    assert str(broken.name) in refused.stderr
    assert load_settings(project / "churnkit.toml").open_ledger().days() == ()


@kept("nights", "today")
def test_an_older_journal_and_published_runs_are_read(project):
    steps = Journal(project / "ledger" / "nights" / f"{DAYS[1]}.jsonl", project).last()
    assert {step["event"] for step in steps.values()} <= {"done", "lacking"}
    assert {"check", "score", "calls", "kpi", "monitor", "report"} <= {*steps}
    store = load_settings(project / "churnkit.toml").score_store()
    assert store.days() == DAYS
    assert [manifest.as_of for manifest in store.runs()] == [*DAYS]
    assert all(len(store.read(day)) > 20 for day in DAYS)


@kept("models_and_lights", "nights", "today")
def test_an_older_bundle_is_read(project):
    [folder] = (path for path in (project / "models").iterdir() if path.is_dir())
    assert bundle.load(folder).rung == "lightgbm"
    assert bundle.card(folder)["model"] == "lightgbm"


# ── A report that tells less than a page shows ──────────────────────────────────────────────


@kept("nights")
def test_a_run_whose_report_lacks_something_is_told_and_published_anew(project):
    store = load_settings(project / "churnkit.toml").score_store()
    lacking(store, "calibration")
    refused = run("report")
    assert refused.exit_code == 2
    assert "its report lacks 'calibration'" in refused.stderr
    assert f"churnkit score --as-of {DAYS[1]} --force" in refused.stderr
    assert not (project / "reports").exists() or not list((project / "reports").glob("*.html"))
    assert told("score", "--as-of", DAYS[1], "--force")["published"]["unchanged"] is False
    assert run("report").exit_code == 0


def lacking(store, key: str) -> None:
    """Publish the newest run once more, as a version did that did not tell the key."""
    pointer = json.loads((store.folder / "current.json").read_text())
    day = pointer["newest"]
    file = store.folder / f"as_of={day}" / f"{pointer['days'][day]['run']}.json"
    values = json.loads(file.read_text())
    del values["summary"][key]
    file.write_text(signed(values))
    pointer["days"][day]["manifest"] = sha256(file.read_bytes()).hexdigest()
    (store.folder / "current.json").write_text(signed(pointer))


def signed(values: dict) -> str:
    return sealed({k: v for k, v in values.items() if k not in ("format", "seal")})


# ── churnkit.toml ───────────────────────────────────────────────────────────────────────────

TOML = '{first}[logs.purchases]\npath = "orders.csv"\n\n{last}'


def loaded(folder: Path, first: str = "", last: str = ""):
    path = folder / "churnkit.toml"
    path.write_text(TOML.format(first=first, last=last))
    return load_settings(path)


@pytest.mark.parametrize("first", ["", "version = 1\n"])
def test_settings_without_a_version_mean_what_they_meant(tmp_path, first):
    assert loaded(tmp_path, first).version == 1


def test_a_key_of_older_settings_is_read_where_it_was_with_what_to_write(tmp_path):
    with pytest.warns(OldFormat, match=r"monotone of \[training\] is now monotone of \[model\]"):
        settings = loaded(tmp_path, last="[training]\nmonotone = true\n")
    assert settings.model.monotone
    says = run("features", "list", "--config", str(tmp_path / "churnkit.toml")).stderr
    assert says.startswith("Warning: ")
    assert "version = 1 in the first line" in says


@pytest.mark.parametrize(
    ("first", "last"),
    [("version = 1\n", ""), ("", "[model]\nmonotone = false\n")],
    ids=["of today", "twice"],
)
def test_a_key_of_older_settings_is_unknown_in_those_of_today(tmp_path, first, last):
    with pytest.raises(ConfigError, match="monotone"):
        loaded(tmp_path, first, f"[training]\nmonotone = true\n{last}")


def test_settings_of_a_newer_churnkit_are_refused_before_their_keys(tmp_path):
    with pytest.raises(ConfigError, match=r"made by a newer churnkit \(version 2; .* knows 1\)"):
        loaded(tmp_path, "version = 2\nnever_heard_of = 1\n")


@pytest.mark.parametrize("value", ["0", "-1", "true", '"1"', "1.0"])
def test_what_is_no_version_of_settings_is_refused(tmp_path, value):
    with pytest.raises(ConfigError, match="is no version"):
        loaded(tmp_path, f"version = {value}\n")


def test_settings_are_written_with_their_version(tmp_path, shop):
    shop.purchases.head(2_000).to_csv(tmp_path / "orders.csv", index=False)
    path = tmp_path / "churnkit.toml"
    assert (
        run("init", "--purchases", str(tmp_path / "orders.csv"), "--config", str(path)).exit_code
        == 0
    )
    assert "\nversion = 1  #" in path.read_text()
    assert json_schema()["properties"]["version"]["const"] == 1
