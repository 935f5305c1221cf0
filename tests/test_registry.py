"""The registry on real MLflow stores, a local file and a server: versions, aliases, and failure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from churnkit.clock import Cutoff
from churnkit.errors import ChurnkitError, ConfigError
from churnkit.registry import CHALLENGER, CHAMPION, Measured, Record, Registry
from churnkit.registry.store import without_password

NOWHERE = "http://127.0.0.1:9"
FIRST, SECOND = Cutoff.parse("2024-03-15"), Cutoff.parse("2024-04-14")


@pytest.fixture(autouse=True)
def own_store(monkeypatch) -> None:
    """No store but that of the test, and no patience with one that is down."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture
def local(empty_store, tmp_path) -> Registry:
    return Registry(shutil.copytree(empty_store, tmp_path / "models"))


@pytest.fixture(params=["local", "server"])
def registry(request, tmp_path) -> Registry:
    """A store of its own: a local file, or a name of its own at a server."""
    if request.param == "local":
        return request.getfixturevalue("local")
    uri = request.getfixturevalue("server")
    return Registry(tmp_path / "models", name=f"model of {tmp_path.name}", uri=uri)


def bundle(folder: Path, says: str = "first") -> Path:
    """A folder of files; the registry does not look into them."""
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"says": says}))
    (folder / "model.json").write_text("{}")
    return folder


def says(path: Path) -> str:
    return json.loads((path / "manifest.json").read_text())["says"]


def logged(registry: Registry, folder: Path, *names: str) -> list[str]:
    """The versions of bundles of these names."""
    return [registry.log(bundle(folder / name, name)) for name in names]


def champion_of(registry: Registry) -> str:
    return registry.version(CHAMPION).number


def run_of(registry: Registry, client: Any) -> Any:
    experiment = client.get_experiment_by_name(registry.name).experiment_id
    [run] = client.search_runs([experiment])
    return run


# ── Versions and the champion ───────────────────────────────────────────────────────────────


def test_there_and_back(registry, tmp_path):
    kept = bundle(tmp_path / "bundle-a")
    version = registry.log(kept, Record({"horizon_days": 30}))
    registry.promote(version)
    path, champion = registry.fetch(CHAMPION, tmp_path / "into")
    assert champion.number == version == "1"
    assert champion.aliases == (CHAMPION,)
    assert {p.name: p.read_bytes() for p in path.iterdir()} == {
        p.name: p.read_bytes() for p in kept.iterdir()
    }


def test_versions_count_up_and_the_champion_moves(registry, tmp_path):
    assert logged(registry, tmp_path, "one", "two") == ["1", "2"]
    for version, name in (("2", "two"), ("1", "one")):
        registry.promote(version)
        path, _ = registry.fetch(CHAMPION, tmp_path / f"copy-{version}")
        assert (says(path), champion_of(registry)) == (name, version)


def test_versions_are_listed_with_what_was_told_of_them(registry, tmp_path):
    registry.log(bundle(tmp_path / "rung-2024"), Record(tags={"model": "recency"}))
    logged(registry, tmp_path, "another")
    registry.promote("1")
    registry.challenge("2")
    later, earlier = registry.versions()
    assert (later.number, later.aliases) == ("2", (CHALLENGER,))
    assert (earlier.number, earlier.aliases) == ("1", (CHAMPION,))
    assert (earlier.tags["model"], earlier.tags["bundle"]) == ("recency", "rung-2024")


def test_a_version_tells_when_its_bundle_was_written(registry, tmp_path):
    kept = bundle(tmp_path / "kept")
    os.utime(kept, (1_700_000_000, 1_700_000_000))
    registry.log(kept)
    assert registry.versions()[0].tags["trained"] == "2023-11-14T22:13:20+00:00"


def test_nothing_is_listed_where_nothing_was_registered(registry):
    assert registry.versions() == []


def test_models_of_two_names_do_not_mix(registry, tmp_path):
    other = Registry(registry.folder, name="other's", uri=registry.uri)
    logged(registry, tmp_path, "a")
    before = len(other.versions())
    number = other.log(bundle(tmp_path / "b", "b"))
    other.promote(number)
    assert says(other.fetch(CHAMPION, tmp_path / "into")[0]) == "b"
    assert len(other.versions()) == before + 1
    assert len(registry.versions()) == 1
    with pytest.raises(ConfigError):
        registry.fetch(CHAMPION, tmp_path)


def test_another_run_may_be_first_with_the_experiment(local, tmp_path, monkeypatch):
    logged(local, tmp_path, "a")
    from mlflow import MlflowClient

    found = MlflowClient.get_experiment_by_name
    answers = iter([lambda *_: None])  # asked a moment too early
    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", lambda *a: next(answers, found)(*a))
    assert logged(local, tmp_path, "b") == ["2"]


# ── What a run tells ────────────────────────────────────────────────────────────────────────


def test_a_run_tells_what_was_trained_from_what_and_how_well(registry, tmp_path):
    sha256 = "0123456789abcdef" * 4
    told = Record(
        parameters={"horizon_days": 30, **{f"estimator.{k}": k for k in range(150)}},
        metrics=[Measured("auroc", 0.71, 1, FIRST), Measured("auroc", 0.73, 2, SECOND)],
        note="# Churn model",
        says="It is good.",
        source=("churnkit 1.2.3", "c0ffee"),
        logs=[{"log": "purchases", "source": "orders.csv", "sha256": sha256, "rows": 3}],
        files={"plots/ladder.svg": "<svg/>"},
    )
    registry.log(bundle(tmp_path / "rung-2024"), told)
    with registry._client() as client:
        run = run_of(registry, client)
        assert (run.info.run_name, run.info.status) == ("rung-2024", "FINISHED")
        assert len(run.data.params) == 151
        assert run.data.params["horizon_days"] == "30"
        assert run.data.metrics == {"auroc": 0.73}
        history = client.get_metric_history(run.info.run_id, "auroc")
        assert [(m.step, m.value) for m in history] == [(1, 0.71), (2, 0.73)]
        assert [m.timestamp for m in history] == [FIRST.us // 1000, SECOND.us // 1000]
        assert run.data.tags["mlflow.note.content"] == "# Churn model"
        assert run.data.tags["mlflow.source.name"] == "churnkit 1.2.3"
        assert run.data.tags["mlflow.source.git.commit"] == "c0ffee"
        [data] = run.inputs.dataset_inputs
        assert (data.dataset.name, data.dataset.digest) == ("purchases", sha256[:32])
        assert json.loads(data.dataset.profile)["sha256"] == sha256
        drawn = client.download_artifacts(run.info.run_id, "plots/ladder.svg", str(tmp_path))
        assert Path(drawn).read_text() == "<svg/>"
        version = client.get_model_version(registry.name, "1")
        assert (version.run_id, version.description) == (run.info.run_id, "It is good.")


def test_a_version_has_a_signature_and_an_example(registry, tmp_path):
    inputs = [
        {"name": "recency", "type": "float", "example": [1.5, None]},
        {"name": "purchases_count_all", "type": "integer", "example": [1, 4]},
    ]
    registry.log(bundle(tmp_path / "a"), Record(inputs=inputs))
    with registry._client() as client:
        from mlflow.models import Model

        found = client.download_artifacts(
            client.get_model_version(registry.name, "1").run_id, "model", str(tmp_path)
        )
        described = Model.load(found)
        columns = described.signature.inputs.to_dict()
        assert [(c["name"], c["type"]) for c in columns] == [
            ("recency", "float"), ("purchases_count_all", "integer")
        ]  # fmt: skip
        assert [c["name"] for c in described.signature.outputs.to_dict()] == ["churn_probability"]
        example = described.load_input_example(found)
        assert list(example.columns) == ["recency", "purchases_count_all"]
        assert example["purchases_count_all"].tolist() == [1, 4]
        assert example["recency"].isna().tolist() == [False, True]


def test_mlflow_itself_finds_nothing_to_load(local, tmp_path):
    """There is no code and no pickle beside a bundle, which only churnkit verifies and loads."""
    local.log(bundle(tmp_path / "a"), Record(inputs=[]))
    with local._client() as client:
        from mlflow.models import Model

        found = client.download_artifacts(local.versions()[0].run, "model", str(tmp_path))
        assert list(Model.load(found).flavors) == ["churnkit"]
        assert "loader_module" not in (Path(found) / "MLmodel").read_text()
        kept = {p.relative_to(found).as_posix() for p in Path(found).rglob("*") if p.is_file()}
        assert kept == {"MLmodel", "bundle/manifest.json", "bundle/model.json"}


def test_more_numbers_than_fit_one_request(registry, tmp_path):
    many = [Measured(f"rung/{k}", float(k), 1, FIRST) for k in range(2100)]
    registry.log(bundle(tmp_path / "a"), Record(metrics=many))
    with registry._client() as client:
        assert len(run_of(registry, client).data.metrics) == 2100


# ── No champion ─────────────────────────────────────────────────────────────────────────────


def no_champion(registry: Registry, into: Path) -> None:
    with pytest.raises(ConfigError, match="carries the alias 'champion'") as refused:
        registry.fetch(CHAMPION, into)
    assert refused.value.exit_code == 2
    assert "churnkit train" in refused.value.mend


def test_an_empty_store_has_no_champion(registry, tmp_path):
    no_champion(registry, tmp_path)


def test_a_model_that_was_not_promoted_is_no_champion(registry, tmp_path):
    logged(registry, tmp_path, "a")
    no_champion(registry, tmp_path)


def test_without_a_challenger_no_option_is_named_that_promote_does_not_have(local, tmp_path):
    logged(local, tmp_path, "a")
    with pytest.raises(ConfigError, match="carries the alias 'challenger'") as refused:
        local.version(CHALLENGER)
    assert "by its number" in refused.value.mend
    assert "--model" not in refused.value.mend


@pytest.mark.parametrize("named", ["7", "0", "blessed", "v1", "", "٧"])
def test_a_version_that_is_not_there(local, tmp_path, named):
    logged(local, tmp_path, "a")
    with pytest.raises(ConfigError, match=f"there is no version {named} of the model 'churnkit'"):
        local.version(named)


# ── Promoting and rolling back ──────────────────────────────────────────────────────────────


def test_rolling_back_goes_from_champion_to_champion(registry, tmp_path):
    for version in logged(registry, tmp_path, *"abcd"):
        if version != "3":  # a challenger that never was it
            registry.promote(version)
    for former in ("2", "1"):
        assert registry.former_champion().number == former
        registry.roll_back()
        assert champion_of(registry) == former
    with pytest.raises(ConfigError, match="no earlier version of the model") as refused:
        registry.roll_back()
    assert "churnkit promote VERSION" in refused.value.mend
    assert champion_of(registry) == "1"


def test_after_rolling_back_another_may_be_promoted_and_rolled_back(local, tmp_path):
    for version in logged(local, tmp_path, *"abc"):
        local.promote(version)
    local.roll_back()
    local.promote("1")
    assert champion_of(local) == "1"
    local.roll_back()
    assert champion_of(local) == "2"
    local.roll_back()
    assert champion_of(local) == "1"


def test_promoting_the_champion_changes_nothing(local, tmp_path):
    for version in logged(local, tmp_path, *"ab"):
        local.promote(version)
    local.promote("2")
    local.roll_back()
    assert champion_of(local) == "1"


def test_a_challenger_that_is_promoted_challenges_no_longer(registry, tmp_path):
    for version in logged(registry, tmp_path, *"ab"):
        registry.challenge(version)
    registry.promote(registry.version(CHALLENGER).number)
    assert [version.aliases for version in registry.versions()] == [(CHAMPION,), ()]


def test_a_version_succeeds_only_the_champion_that_it_met(registry, tmp_path):
    logged(registry, tmp_path, *"abcd")
    assert registry.succeed("1", None) is None
    assert registry.succeed("2", None) == "1"
    assert registry.succeed("2", "1") is None
    assert registry.succeed("3", "1") == "2"
    assert champion_of(registry) == "2"
    assert registry.former_champion().number == "1"


def test_where_the_champion_is_gone_meanwhile_the_version_takes_its_place(local, tmp_path):
    logged(local, tmp_path, *"ab")
    assert local.succeed("2", "1") is None
    assert champion_of(local) == "2"


@pytest.mark.parametrize("move", ["promote", "succeed", "roll_back"])
def test_while_the_champion_is_moved_no_other_process_moves_it(local, tmp_path, monkeypatch, move):
    for version in logged(local, tmp_path, *"abc")[:2]:
        local.promote(version)
    from filelock import FileLock, Timeout
    from mlflow import MlflowClient

    point, barred = MlflowClient.set_registered_model_alias, []

    def look(*given: Any) -> None:
        try:
            FileLock(local.folder / ".champion.lock").acquire(timeout=0)
        except Timeout:
            barred.append(given[2])
        point(*given)

    monkeypatch.setattr(MlflowClient, "set_registered_model_alias", look)
    given = {"promote": ["3"], "succeed": ["3", "2"], "roll_back": []}[move]
    getattr(local, move)(*given)
    assert barred == [CHAMPION]


def test_rolling_back_passes_over_versions_that_were_deleted(registry, tmp_path):
    for version in logged(registry, tmp_path, *"abc"):
        registry.promote(version)
    with registry._client() as client:
        client.delete_model_version(registry.name, "2")
    registry.roll_back()
    assert champion_of(registry) == "1"


def test_an_alias_moved_on_the_pages_of_mlflow_is_remembered_from_the_next_promotion(
    local, tmp_path
):
    logged(local, tmp_path, *"abc")
    local.promote("1")
    with local._client() as client:
        client.set_registered_model_alias(local.name, CHAMPION, "2")
    local.promote("3")
    local.roll_back()
    assert champion_of(local) == "2"


@pytest.mark.parametrize("text", ["", "7", "{", '{"a": 1}', "null"])
def test_a_memory_that_somebody_wrote_over_is_no_memory(local, tmp_path, text):
    for version in logged(local, tmp_path, *"ab"):
        local.promote(version)
    with local._client() as client:
        client.set_registered_model_tag(local.name, "former_champions", text)
    with pytest.raises(ConfigError, match="no earlier version"):
        local.roll_back()
    local.promote("1")
    assert champion_of(local) == "1"


def test_there_is_nothing_to_roll_back_before_the_first_model(local):
    with pytest.raises(ConfigError, match="there is no model 'churnkit'"):
        local.roll_back()


# ── Which store ─────────────────────────────────────────────────────────────────────────────


def test_without_a_server_the_store_is_a_local_file(tmp_path):
    assert Registry(tmp_path).tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"


def test_a_server_may_be_given(tmp_path):
    assert Registry(tmp_path, uri="http://mlflow.internal").tracking_uri == "http://mlflow.internal"


def test_the_environment_comes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    assert Registry(tmp_path, uri="http://mlflow.internal").tracking_uri == "http://elsewhere"


def test_a_store_named_by_the_environment_is_used(local, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", local.tracking_uri)
    other = Registry(tmp_path / "other")
    other.promote(*logged(other, tmp_path, "by environment"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert says(local.fetch(CHAMPION, tmp_path / "into")[0]) == "by environment"


@pytest.mark.parametrize("name", ["with space", "50 %20?x=1#", "مدل"])
def test_a_store_may_lie_in_a_folder_of_any_name(empty_store, tmp_path, name):
    registry = Registry(shutil.copytree(empty_store, tmp_path / name))
    registry.promote(registry.log(bundle(tmp_path / "a", name)))
    assert says(registry.fetch(CHAMPION, tmp_path / "into")[0]) == name
    assert (tmp_path / name / "mlflow.db").exists()
    assert (tmp_path / name / "mlartifacts").is_dir()


# ── A store that fails ──────────────────────────────────────────────────────────────────────


def fails(registry: Registry, tmp_path: Path) -> str:
    """What is said by every call; they all fail alike."""
    kept = bundle(tmp_path / "kept")
    said = set()
    for call in (
        lambda: registry.log(kept),
        lambda: registry.promote("1"),
        lambda: registry.versions(),
        lambda: registry.roll_back(),
        lambda: registry.fetch(CHAMPION, tmp_path),
    ):
        with pytest.raises(ChurnkitError) as failure:
            call()
        assert type(failure.value) is ChurnkitError
        assert failure.value.exit_code == 1
        said.add(failure.value.found)
    assert says(kept) == "first"
    assert len(said) == 1
    return said.pop()


def test_a_server_that_is_down(tmp_path):
    assert f"the MLflow store {NOWHERE} failed" in fails(
        Registry(tmp_path / "models", uri=NOWHERE), tmp_path
    )


@pytest.mark.parametrize("word", ["secret", "se/cret", "se@cret", "se:c/r@et"])
def test_a_password_is_not_told(tmp_path, word):
    url = NOWHERE.replace("://", f"://ann:{word}@")
    registry = Registry(tmp_path / "models", uri=url)
    said = fails(registry, tmp_path)
    assert "http://***@127.0.0.1:9" in said
    assert registry.where == "http://***@127.0.0.1:9"
    assert "cret" not in said
    assert "ann" not in said


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://host/x?password=cret", "https://host/x?password=***"),
        ("https://host/x?a=b&Access_Token=cret&c=d", "https://host/x?a=b&Access_Token=***&c=d"),
        ("https://host/x?p%61ssword=c@cret", "https://host/x?p%61ssword=***"),
        ("mysql://ann:cret@host/x?secret=cret", "mysql://***@host/x?secret=***"),
        ("postgresql://host/x?passfile=/p&sslmode=require", None),
    ],
)
def test_a_secret_option_is_not_told(tmp_path, address, shown):
    assert Registry(tmp_path / "models", uri=address).where == (shown or address)
    told = without_password(f"the MLflow store {address} failed: no such host")
    assert told == f"the MLflow store {shown or address} failed: no such host"


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


def test_artifacts_that_are_gone(local, tmp_path):
    local.promote(*logged(local, tmp_path, "a"))
    shutil.rmtree(local.folder / "mlartifacts")
    with pytest.raises(ChurnkitError) as failure:
        local.fetch(CHAMPION, tmp_path)
    assert type(failure.value) is ChurnkitError


@pytest.mark.parametrize(
    "call", ["log_batch", "log_inputs", "log_text", "log_artifacts", "create_model_version"]
)
@pytest.mark.parametrize("fault", [OSError("the line is cut"), KeyboardInterrupt()])
def test_a_run_that_is_cut_off_is_marked_and_registers_nothing(
    registry, tmp_path, monkeypatch, call, fault
):
    from mlflow import MlflowClient

    def cut(*_: Any, **__: Any) -> None:
        raise fault

    told = Record(
        parameters={"a": 1},
        logs=[{"log": "purchases", "source": "", "sha256": "0"}],
        files={"card.md": "#"},
    )
    kept = bundle(tmp_path / "kept")
    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, call, cut)
        with pytest.raises((ChurnkitError, KeyboardInterrupt)):
            registry.log(kept, told)
    assert registry.versions() == []
    with registry._client() as client:
        assert run_of(registry, client).info.status == "FAILED"


@pytest.mark.parametrize(
    ("fault", "mend"),
    [
        (ModuleNotFoundError("No module named 'boto3'", name="boto3"), "Install boto3"),
        (RuntimeError("Unable to locate credentials"), "Check MLFLOW_TRACKING_URI"),
    ],
)
def test_what_a_store_of_artifacts_raises_is_told(local, tmp_path, monkeypatch, fault, mend):
    from mlflow import MlflowClient

    def cut(*_: Any, **__: Any) -> None:
        raise fault

    monkeypatch.setattr(MlflowClient, "log_artifacts", cut)
    with pytest.raises(ChurnkitError, match=r"the MLflow store sqlite:.* failed: ") as failure:
        local.log(bundle(tmp_path / "kept"))
    assert type(failure.value) is ChurnkitError
    assert failure.value.found.endswith(str(fault))
    assert failure.value.mend.startswith(mend)


# ── Other processes ─────────────────────────────────────────────────────────────────────────

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
    Registry(Path(sys.argv[1]), uri=sys.argv[2]).version("champion")
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


def test_no_telemetry_even_when_the_first_call_is_for_the_champion(tmp_path):
    assert run(NO_TELEMETRY, str(tmp_path), NOWHERE).stdout.split() == ["true", "None"]
