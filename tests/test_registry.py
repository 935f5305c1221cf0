"""The registry on a real MLflow store: versions, the champion, and a store that is down."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from churnkit.errors import ChurnkitError, ConfigError
from churnkit.registry import Registry

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def own_store(monkeypatch) -> None:
    """No store but that of the test, and no patience with one that is down."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory) -> Path:
    """The folder of a store that was opened once; opening it first takes seconds."""
    folder = tmp_path_factory.mktemp("empty") / "models"
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        with Registry(folder)._client():
            return folder


@pytest.fixture
def registry(empty_store, tmp_path) -> Registry:
    return Registry(shutil.copytree(empty_store, tmp_path / "models"))


def bundle(folder: Path, says: str = "first") -> Path:
    """A folder of files; the registry does not look into them."""
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"says": says}))
    (folder / "model.json").write_text("{}")
    return folder


def says(path: Path) -> str:
    return json.loads((path / "manifest.json").read_text())["says"]


# ── Versions and the champion ───────────────────────────────────────────────────────────────


def test_there_and_back(registry, tmp_path):
    logged = bundle(tmp_path / "bundle-a")
    version = registry.log(logged, {"horizon_days": 30}, {"lightgbm.auroc": 0.73}, "# A card")
    registry.promote(version)
    path, promoted = registry.champion(tmp_path)
    assert promoted == version == "1"
    assert {p.name: p.read_bytes() for p in path.iterdir()} == {
        p.name: p.read_bytes() for p in logged.iterdir()
    }


def test_versions_count_up_and_the_champion_moves(registry, tmp_path):
    one = registry.log(bundle(tmp_path / "one", "one"), {}, {})
    two = registry.log(bundle(tmp_path / "two", "two"), {}, {})
    assert (one, two) == ("1", "2")
    for version in (two, one):
        registry.promote(version)
        path, promoted = registry.champion(tmp_path / f"copy-{version}")
        assert (says(path), promoted) == ({"1": "one", "2": "two"}[version], version)


def test_a_run_tells_what_was_trained_and_how_well(registry, tmp_path):
    registry.log(
        bundle(tmp_path / "rung-2024"), {"horizon_days": 30}, {"auroc": 0.73}, "# Churn model"
    )
    with registry._client() as client:
        [run] = client.search_runs([client.get_experiment_by_name("churnkit").experiment_id])
        assert run.info.run_name == "rung-2024"
        assert run.info.status == "FINISHED"
        assert run.data.params == {"horizon_days": "30"}
        assert run.data.metrics == {"auroc": 0.73}
        assert run.data.tags["mlflow.note.content"] == "# Churn model"


def test_models_of_two_names_do_not_mix(registry, tmp_path):
    other = Registry(registry.folder, name="other")
    assert registry.log(bundle(tmp_path / "a", "a"), {}, {}) == "1"
    assert other.log(bundle(tmp_path / "b", "b"), {}, {}) == "1"
    other.promote("1")
    assert says(other.champion(tmp_path)[0]) == "b"
    with pytest.raises(ConfigError):
        registry.champion(tmp_path)


def test_another_run_may_be_first_with_the_experiment(registry, tmp_path, monkeypatch):
    registry.log(bundle(tmp_path / "a"), {}, {})
    from mlflow import MlflowClient

    found = MlflowClient.get_experiment_by_name
    answers = iter([lambda *_: None])  # asked a moment too early
    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", lambda *a: next(answers, found)(*a))
    assert registry.log(bundle(tmp_path / "b"), {}, {}) == "2"


# ── No champion ─────────────────────────────────────────────────────────────────────────────


def no_champion(registry: Registry, into: Path) -> None:
    with pytest.raises(ConfigError, match="no model 'churnkit' carries the alias") as refused:
        registry.champion(into)
    assert refused.value.exit_code == 2
    assert "churnkit train" in refused.value.mend


def test_an_empty_store_has_no_champion(registry, tmp_path):
    no_champion(registry, tmp_path)


def test_a_model_that_was_not_promoted_is_no_champion(registry, tmp_path):
    registry.log(bundle(tmp_path / "a"), {}, {})
    no_champion(registry, tmp_path)


def test_a_version_that_is_not_there_is_not_promoted(registry, tmp_path):
    registry.log(bundle(tmp_path / "a"), {}, {})
    with pytest.raises(ChurnkitError, match="version=7"):
        registry.promote("7")


# ── Which store ─────────────────────────────────────────────────────────────────────────────


def test_without_a_server_the_store_is_a_local_file(tmp_path):
    assert Registry(tmp_path).tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"


def test_a_server_may_be_given(tmp_path):
    assert Registry(tmp_path, uri="http://mlflow.internal").tracking_uri == "http://mlflow.internal"


def test_the_environment_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    assert Registry(tmp_path, uri="http://mlflow.internal").tracking_uri == "http://elsewhere"


def test_a_store_named_by_the_environment_is_used(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", registry.tracking_uri)
    other = Registry(tmp_path / "other")
    other.promote(other.log(bundle(tmp_path / "a", "by environment"), {}, {}))
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert says(registry.champion(tmp_path)[0]) == "by environment"


@pytest.mark.parametrize("name", ["with space", "50 %20?x=1#", "مدل"])
def test_a_store_may_lie_in_a_folder_of_any_name(empty_store, tmp_path, name):
    registry = Registry(shutil.copytree(empty_store, tmp_path / name))
    registry.promote(registry.log(bundle(tmp_path / "a", name), {}, {}))
    assert says(registry.champion(tmp_path)[0]) == name
    assert (tmp_path / name / "mlflow.db").exists()
    assert (tmp_path / name / "mlartifacts").is_dir()


# ── A store that fails ──────────────────────────────────────────────────────────────────────


def fails(registry: Registry, tmp_path: Path) -> str:
    """What is said by every call; they all fail alike."""
    logged = bundle(tmp_path / "kept")
    said = set()
    for call in (
        lambda: registry.log(logged, {}, {}),
        lambda: registry.promote("1"),
        lambda: registry.champion(tmp_path),
    ):
        with pytest.raises(ChurnkitError) as failure:
            call()
        assert type(failure.value) is ChurnkitError
        assert failure.value.exit_code == 1
        said.add(failure.value.found)
    assert says(logged) == "first"
    assert len(said) == 1
    return said.pop()


def test_a_server_that_is_down(tmp_path):
    assert f"the MLflow store {NOWHERE} failed" in fails(
        Registry(tmp_path / "models", uri=NOWHERE), tmp_path
    )


def test_a_password_is_not_told(tmp_path):
    url = NOWHERE.replace("://", "://ann:secret@")
    said = fails(Registry(tmp_path / "models", uri=url), tmp_path)
    assert "http://***@127.0.0.1:9" in said
    assert "secret" not in said


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "models").write_text("a file")
    assert "failed: " in fails(Registry(tmp_path / "models"), tmp_path)


def test_an_unknown_kind_of_store(tmp_path):
    said = fails(Registry(tmp_path / "models", uri="carrier-pigeon://loft"), tmp_path)
    assert "the MLflow store carrier-pigeon://loft failed" in said


def test_a_damaged_store(tmp_path, monkeypatch):
    monkeypatch.setattr("mlflow.store.db.utils.MAX_RETRY_COUNT", 1)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mlflow.db").write_text("this is no database" * 100)
    assert "file is not a database" in fails(Registry(tmp_path / "models"), tmp_path)


def test_artifacts_that_are_gone(registry, tmp_path):
    registry.promote(registry.log(bundle(tmp_path / "a"), {}, {}))
    shutil.rmtree(registry.folder / "mlartifacts")
    with pytest.raises(ChurnkitError) as failure:
        registry.champion(tmp_path)
    assert type(failure.value) is ChurnkitError


# ── Other processes ─────────────────────────────────────────────────────────────────────────

FIRST_USES = """
import os, sys
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow  # once, so that the four are quick and therefore at once
from churnkit.registry import Registry

folder = Path(sys.argv[1])
for k in range(4):
    if os.fork() == 0:
        version = Registry(folder / "models").log(folder / "bundle", {"a": 1}, {"b": 0.5})
        (folder / f"version-{k}").write_text(version)
        os._exit(0)
for _ in range(4):
    os.wait()
"""

NO_TELEMETRY = """
import os, sys
from pathlib import Path

asked = []
sys.addaudithook(
    lambda event, args: asked.append(os.environ.get("MLFLOW_DISABLE_TELEMETRY"))
    if event == "import" and args[0] == "mlflow" else None
)
from churnkit.errors import ChurnkitError
from churnkit.registry import Registry

try:
    Registry(Path(sys.argv[1]), uri=sys.argv[2]).champion(Path(sys.argv[1]))
except ChurnkitError:
    from mlflow.telemetry import get_telemetry_client
    print(asked[0], get_telemetry_client())
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Under a test runner MLflow's telemetry is off in any case, so what tells of one is hidden.
    hidden = {"PYTEST_CURRENT_TEST", "PYTEST_VERSION", "CI", "MLFLOW_DISABLE_TELEMETRY"}
    told = {key: value for key, value in os.environ.items() if key not in hidden}
    command = [sys.executable, "-c", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=told, timeout=1200, check=True
    )


def test_four_first_uses_at_once_all_succeed(tmp_path):
    bundle(tmp_path / "bundle")
    said = run(FIRST_USES, str(tmp_path)).stderr
    versions = sorted(path.read_text() for path in tmp_path.glob("version-*"))
    assert versions == ["1", "2", "3", "4"], said


def test_no_telemetry_even_when_the_first_call_is_for_the_champion(tmp_path):
    assert run(NO_TELEMETRY, str(tmp_path), NOWHERE).stdout.split() == ["true", "None"]
