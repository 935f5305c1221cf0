"""From a training to a model in use, and back: bundle, version, champion, and a way out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from churnkit import bundle
from churnkit.errors import BundleError, ChurnkitError, ConfigError
from churnkit.registry import Registry
from churnkit.release import champion, from_path, release
from churnkit.training import Training

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def own_store(monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")


@pytest.fixture(scope="module")
def failed(failing) -> Training:
    """The same model, of which one gate failed."""
    return failing("better than chance")


@pytest.fixture(scope="module")
def released_once(training, tmp_path_factory) -> Path:
    """A folder of models with one release; never to be changed."""
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        folder = tmp_path_factory.mktemp("project") / "models"
        release(training, folder, Registry(folder))
        return folder


@pytest.fixture
def models(released_once, tmp_path) -> Path:
    """A copy of it that may be changed; MLflow's artifacts stay where they were."""
    return shutil.copytree(released_once, tmp_path / "models")


def down(models: Path) -> Registry:
    return Registry(models, uri=NOWHERE)


# ── Release ─────────────────────────────────────────────────────────────────────────────────


def test_a_release_is_a_bundle_a_version_and_a_champion(training, models):
    told = release(training, models, Registry(models))
    assert told.bundle == models / "lightgbm-2024-04-14-2"
    assert (told.version, told.champion) == ("2", True)
    assert bundle.card(told.bundle) == training.card()
    assert (told.bundle / "card.md").read_text().startswith("# Churn model: lightgbm")


def test_the_champion_gives_the_scores_of_the_training(training, models, scores):
    model, card, warning = champion(models, Registry(models))
    found = model.churn_probability(scores.features)
    assert np.array_equal(found, training.model.churn_probability(scores.features))
    assert (model.version, card["model"], warning) == ("1", "lightgbm", "")


def test_folder_names_do_not_collide(training, models, monkeypatch):
    monkeypatch.setattr(Registry, "log", lambda *_: "9")
    monkeypatch.setattr(Registry, "promote", lambda *_: None)
    names = [release(training, models, Registry(models)).bundle.name for _ in range(3)]
    assert names == [f"lightgbm-2024-04-14-{k}" for k in (2, 3, 4)]
    assert bundle.load(models / "lightgbm-2024-04-14").rung == "lightgbm"


def test_the_registry_is_told_what_counts(training, models):
    registry = Registry(models)
    with registry._client() as client:
        version = client.get_model_version_by_alias("churnkit", "champion")
        run = client.get_run(version.run_id)
    assert run.data.params["horizon_days"] == "30"
    assert run.data.params["test_cutoff"] == "2024-04-14"
    assert run.data.params["estimator.leaves"] == "7"
    expected = training.backtest.test.metrics["lightgbm"]["auroc"].value
    assert run.data.metrics["lightgbm.auroc"] == expected
    assert run.data.tags["mlflow.note.content"].startswith("# Churn model: lightgbm")


def test_no_customer_is_told_to_the_registry(training, models):
    ids = set(training.learnt.features.customer_id)
    told = [path.read_bytes() for path in models.rglob("*") if path.is_file()]
    assert len(ids) > 1000
    assert not [c for c in sorted(ids)[:50] if any(c.encode() in content for content in told)]


# ── A model that fails its gates ────────────────────────────────────────────────────────────


def test_it_is_kept_and_registered_but_not_used(failed, models):
    told = release(failed, models, Registry(models))
    assert (told.version, told.champion) == ("2", False)
    assert bundle.load(told.bundle).rung == "lightgbm"
    assert champion(models, Registry(models))[0].version == "1"
    assert champion(models, down(models))[0].version == "1"


def test_without_an_earlier_one_there_is_no_champion(failed, tmp_path, monkeypatch):
    monkeypatch.setattr(Registry, "log", lambda *_: "1")
    release(failed, tmp_path / "models", down(tmp_path / "models"))
    with pytest.raises(ChurnkitError, match="failed"):
        champion(tmp_path / "models", down(tmp_path / "models"))


# ── The registry is down ────────────────────────────────────────────────────────────────────


def test_scoring_goes_on_with_the_last_local_champion(training, models, scores):
    model, card, warning = champion(models, down(models))
    assert (model.version, card["model"]) == ("1", "lightgbm")
    assert NOWHERE in warning
    assert warning.endswith(f"using {models / 'lightgbm-2024-04-14'}")
    found = model.churn_probability(scores.features)
    assert np.array_equal(found, training.model.churn_probability(scores.features))


def test_a_changed_local_champion_is_refused(models):
    (models / "lightgbm-2024-04-14" / "card.md").write_text("trust me")
    with pytest.raises(BundleError, match=r"card\.md was changed"):
        champion(models, down(models))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"bundle": "x"}', "<html>"])
def test_a_damaged_pointer_is_refused(models, text):
    (models / "champion.json").write_text(text)
    with pytest.raises(BundleError, match=r"champion\.json cannot be read"):
        champion(models, down(models))


def test_training_loses_nothing(training, tmp_path):
    folder = tmp_path / "models"
    with pytest.raises(ChurnkitError, match="failed"):
        release(training, folder, down(folder))
    [kept] = [path for path in folder.iterdir() if path.is_dir()]
    assert from_path(kept)[0].rung == "lightgbm"
    assert not (folder / "champion.json").exists()


def test_the_pointer_moves_with_the_champion(training, models, monkeypatch):
    monkeypatch.setattr(Registry, "log", lambda *_: "5")
    monkeypatch.setattr(Registry, "promote", lambda *_: None)
    written = release(training, models, Registry(models)).bundle
    told = json.loads((models / "champion.json").read_text())
    assert told == {"bundle": written.name, "version": "5"}
    assert champion(models, down(models))[0].version == "5"


# ── No way out ──────────────────────────────────────────────────────────────────────────────


def test_a_changed_champion_of_the_registry_is_refused(models, tmp_path, monkeypatch):
    """The registry is asked first, and what it hands out is verified; there is no other try."""
    tampered = shutil.copytree(models / "lightgbm-2024-04-14", tmp_path / "tampered")
    (tampered / "booster-0.txt").write_text("tree")
    monkeypatch.setattr(Registry, "champion", lambda *_: (tampered, "1"))
    with pytest.raises(BundleError, match=r"booster-0\.txt was changed"):
        champion(models, Registry(models))


def test_a_registry_without_a_champion_is_no_reason_to_use_the_local_one(models):
    other = Registry(models, name="other")
    with pytest.raises(ConfigError, match="no model 'other' carries the alias"):
        champion(models, other)


def test_a_bundle_may_be_named_by_its_folder(models, training):
    model, card = from_path(models / "lightgbm-2024-04-14")
    assert model.version == "lightgbm-2024-04-14"
    assert card == training.card()


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(BundleError, match="is not a model bundle"):
        from_path(tmp_path)
