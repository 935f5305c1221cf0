"""From a training to a model in use, and back: bundle, version, champion, and a way out."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from churnkit import bundle
from churnkit.errors import BundleError, ChurnkitError, ConfigError
from churnkit.labels import Question
from churnkit.lights import Fixed, TrafficLight
from churnkit.model import ChurnModel
from churnkit.registry import CHALLENGER, CHAMPION, Registry
from churnkit.release import champion, from_path, models, promote, push, release, rollback
from churnkit.training import Training

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def own_store(monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture(scope="module")
def failed(failing) -> Training:
    """The same model, of which one gate failed."""
    return failing("better than chance")


@pytest.fixture(scope="module")
def using(training) -> Callable[[str], Training]:
    """The same trials, after which another rung is used; its model is that of the last trial."""
    kept: dict[str, Training] = {}  # with the grade and the drivers, which take their time

    def use(rung: str, model: ChurnModel | None = None) -> Training:
        if model is None and rung in kept:
            return kept[rung]
        made = replace(
            training,
            model=model or training.backtest.test.models[rung],
            backtest=replace(training.backtest, chosen=rung),
        )
        vars(made)["gates"] = training.gates
        return made if model else kept.setdefault(rung, made)

    return use


@pytest.fixture(scope="module")
def released_once(training, empty_store, tmp_path_factory) -> Path:
    """A folder of models with one release; never to be changed."""
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        folder = shutil.copytree(empty_store, tmp_path_factory.mktemp("project") / "models")
        release(training, folder, Registry(folder))
        return folder


@pytest.fixture
def folder(released_once, tmp_path) -> Path:
    """A copy of it that may be changed; MLflow's artifacts stay where they were."""
    return shutil.copytree(released_once, tmp_path / "models")


@pytest.fixture
def empty(empty_store, tmp_path) -> Path:
    """A folder of models with an empty store."""
    return shutil.copytree(empty_store, tmp_path / "empty")


def down(folder: Path) -> Registry:
    return Registry(folder, uri=NOWHERE)


def champion_of(folder: Path) -> str:
    return Registry(folder).version(CHAMPION).number


# ── Release ─────────────────────────────────────────────────────────────────────────────────


def test_what_a_release_leaves_holds_no_pickle_and_no_code(released_once):
    """Bundle, artefacts of MLflow, plots and all."""
    files = [path for path in released_once.rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        assert path.suffix not in {".pkl", ".pickle", ".joblib", ".npy", ".py", ".pyc", ".so"}, path
        content = path.read_bytes()
        # A pickle of protocol 2 or later begins with PROTO and ends with STOP.
        assert not (content[:1] == b"\x80" and content[-1:] == b"."), path
        if path.name != "mlflow.db":
            for sign in (b"cloudpickle", b"loader_module", b"python_function", b"sklearn."):
                assert sign not in content, (path, sign)
    assert [path for path in files if path.name == "MLmodel"]


def test_a_release_is_a_bundle_a_version_and_a_champion(training, empty):
    told = release(training, empty, Registry(empty))
    assert told.bundle == empty / "lightgbm-2024-04-14"
    assert (told.version, told.alias, told.champion) == ("1", "champion", True)
    assert told.says == "the first champion"
    assert bundle.card(told.bundle) == told.card == json.loads(json.dumps(training.card()))
    assert (told.bundle / "card.md").read_text().startswith("# Churn model: lightgbm")


def test_the_card_tells_where_the_model_comes_from(training, empty):
    origin = {
        "config_sha256": "c0" * 32,
        "commit": "c0ffee-dirty",
        "logs": [{"log": "purchases", "source": "orders.csv", "sha256": "ab" * 32,
                  "rows": 7, "customers": 5}],
    }  # fmt: skip
    told = release(training, empty, Registry(empty), origin=origin)
    assert bundle.card(told.bundle)["origin"] == origin
    text = (told.bundle / "card.md").read_text()
    for said in ("commit c0ffee-dirty", "c0" * 32, "7 rows of 5 customers from orders.csv"):
        assert said in text


def test_the_champion_gives_the_scores_of_the_training(training, folder, scores):
    model, card, warning = champion(folder, Registry(folder))
    found = model.churn_probability(scores.features)
    assert np.array_equal(found, training.model.churn_probability(scores.features))
    assert (model.version, card["model"], warning) == ("1", "lightgbm", "")


def test_folder_names_do_not_collide(training, folder):
    names = [release(training, folder, Registry(folder)).bundle.name for _ in range(3)]
    assert names == [f"lightgbm-2024-04-14-{k}" for k in (2, 3, 4)]
    assert bundle.load(folder / "lightgbm-2024-04-14").rung == "lightgbm"


def test_a_folder_that_another_training_made_meanwhile_is_no_hindrance(
    training, empty, monkeypatch
):
    save, met = bundle.save, []

    def saved(model: ChurnModel, path: Path, *told: Any) -> Path:
        if not met:
            met.append(path)
            save(model, path, *told)
        return save(model, path, *told)

    monkeypatch.setattr(bundle, "save", saved)
    assert release(training, empty, Registry(empty)).bundle.name == "lightgbm-2024-04-14-2"
    assert met == [empty / "lightgbm-2024-04-14"]


# ── What MLflow shows ───────────────────────────────────────────────────────────────────────


def test_the_registry_is_told_what_counts(training, folder, tmp_path):
    registry = Registry(folder)
    with registry._client() as client:
        version = client.get_model_version_by_alias("churnkit", "champion")
        run = client.get_run(version.run_id)
        history = client.get_metric_history(version.run_id, "rfm_logistic/auroc")
        files = Path(client.download_artifacts(version.run_id, "", str(tmp_path / "run")))
    expected = {
        "horizon_days": "30",
        "test_cutoffs": "2024-03-15, 2024-04-14",
        "estimator": "ChurnClassifier",
        "estimator.leaves": "7",
        "estimator.random_state": "0",
        "seeds.bootstrap": "0",
    }
    assert expected.items() <= run.data.params.items()
    found = training.backtest.test.metrics["lightgbm"]["auroc"]
    assert [run.data.metrics[f"lightgbm/auroc{end}"] for end in ("", "_low", "_high")] == [
        found.value, found.low, found.high
    ]  # fmt: skip
    assert run.data.metrics["auroc"] == found.value
    trials = training.backtest.trials
    assert [(m.step, m.timestamp * 1000, m.value) for m in history] == [
        (k, trial.cutoff.us, trial.metrics["rfm_logistic"]["auroc"].value)
        for k, trial in enumerate(trials, start=1)
    ]
    assert run.data.tags["mlflow.note.content"].startswith("# Churn model: lightgbm")
    assert (files / "card.md").read_text().startswith("# Churn model: lightgbm")
    drawn = {path.name for path in (files / "plots").iterdir()}
    assert drawn >= {"ladder.svg", "calibration.svg", "gains.svg", "drivers.svg"}
    assert version.tags["sha256"] == bundle.digest(files / "model" / "bundle")


def test_signature_and_example_are_those_of_the_features(training, folder, tmp_path):
    with Registry(folder)._client() as client:
        from mlflow.models import Model

        run = client.get_model_version_by_alias("churnkit", "champion").run_id
        found = client.download_artifacts(run, "model", str(tmp_path))
        described = Model.load(found)
        example = described.load_input_example(found)
    names = list(training.model.names)
    assert [column["name"] for column in described.signature.inputs.to_dict()] == names
    assert list(example.columns) == names
    recency = training.learnt.features.column("recency")
    assert (
        example["recency"].tolist()
        == np.quantile(recency, [0.25, 0.5, 0.75], method="inverted_cdf").tolist()
    )


def test_no_customer_is_told_to_the_registry(training, folder):
    ids = set(training.learnt.features.customer_id)
    told = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert len(ids) > 1000
    assert not [c for c in sorted(ids)[:50] if any(c.encode() in content for content in told)]


def test_versions_are_listed_with_their_tests(training, failed, folder):
    registry = Registry(folder)
    release(failed, folder, registry)
    later, earlier = models(registry)
    found = training.backtest.test.metrics["lightgbm"]["auroc"]
    assert earlier["auroc"] == {
        end: pytest.approx(getattr(found, end), abs=5e-5) for end in ("value", "low", "high")
    }
    assert (earlier["version"], earlier["alias"], earlier["gates"]) == ("1", "champion", "passed")
    assert (later["version"], later["alias"]) == ("2", "")
    assert later["gates"] == "failed: better than chance"
    assert {told["test_cutoff"] for told in (later, earlier)} == {"2024-04-14"}
    assert later["question"] == training.model.question.rule
    assert later["grade"] == failed.grade.letter
    assert len(earlier["trained"]) == len("2024-04-14T00:00:00+00:00")


# ── A model that fails its gates ────────────────────────────────────────────────────────────


def test_it_is_kept_and_registered_but_not_used(failed, folder, logs):
    told = release(failed, folder, Registry(folder), logs=logs)
    assert (told.version, told.alias, told.compared) == ("2", "", None)
    assert bundle.load(told.bundle).rung == "lightgbm"
    assert champion(folder, Registry(folder))[0].version == "1"
    assert champion(folder, down(folder))[0].version == "1"


def test_without_an_earlier_one_there_is_no_champion(failed, empty):
    release(failed, empty, Registry(empty))
    with pytest.raises(ConfigError, match="carries the alias"):
        champion(empty, Registry(empty))


def test_a_gate_that_was_waived_is_told_and_no_hindrance(training, empty):
    waived = replace(training)
    first, *others = training.gates
    vars(waived)["gates"] = (replace(first, passed=False, waived=True), *others)
    assert release(waived, empty, Registry(empty)).champion
    assert models(Registry(empty))[0]["gates"] == f"passed; waived: {first.name}"


# ── Challenger and champion ─────────────────────────────────────────────────────────────────


def test_one_that_is_better_takes_its_place(using, training, logs, empty):
    release(using("recency"), empty, Registry(empty))
    told = release(training, empty, Registry(empty), logs=logs)
    assert (told.version, told.alias) == ("2", "champion")
    assert told.compared.champion == "1"
    assert told.compared.log_loss.high < 0 < told.compared.auroc.low
    expected = training.backtest.test.difference("log_loss", "lightgbm", "recency")
    assert told.compared.log_loss == expected
    assert told.says.startswith("better than version 1 on the same ")
    assert champion(empty, Registry(empty))[0].version == "2"
    assert champion(empty, down(empty))[0].version == "2"


def test_one_that_is_not_better_is_the_challenger(using, logs, folder):
    told = release(using("recency"), folder, Registry(folder), logs=logs)
    assert (told.version, told.alias) == ("2", CHALLENGER)
    assert not told.compared.better
    assert "version 1 stays the champion" in told.says
    assert "churnkit promote 2" in told.says
    assert champion(folder, Registry(folder))[0].version == "1"
    assert champion(folder, down(folder))[0].version == "1"


def test_a_champion_that_knows_the_outcome_of_the_test_is_made_anew(using, logs, folder):
    """The champion learnt from the test; what is compared is its recipe before it."""
    challenger = using("recency")
    told = release(challenger, folder, Registry(folder), logs=logs)
    assert "worse than version 1 made anew of what was known before the test" in told.says
    test = challenger.backtest.test
    assert told.compared.log_loss == test.difference("log_loss", "recency", "lightgbm")


def test_the_same_recipe_again_is_not_compared_with_itself(training, logs, folder):
    told = release(training, folder, Registry(folder), logs=logs)
    assert (told.version, told.alias) == ("2", CHALLENGER)
    assert told.says.startswith("made like version 1")
    assert told.compared.log_loss.value == told.compared.log_loss.high == 0


def test_a_champion_with_features_of_its_own_is_given_them(using, training, logs, empty):
    """What the challenger does not look at is built for the champion."""
    test = training.backtest.test
    few = test.models["rfm_logistic"]
    narrow = replace(training.model, spec=few.spec.limited_to(["recency"]), names=("recency",))
    fitted = type(few.estimator)([0]).fit(test.data.features.matrix(["recency"]), test.data.churned)
    rival = replace(narrow, estimator=fitted, rung="recency", trained_on=few.trained_on)
    rival = replace(rival, spend=None, middle=None)  # these know of more than that
    release(using("recency", rival), empty, Registry(empty))
    told = release(training, empty, Registry(empty), logs=logs)
    assert told.compared.log_loss is not None
    assert told.champion


def test_another_question_is_no_contest(training, using, logs, folder):
    other = replace(training.model, question=Question(horizon_days=60, lookback_days=90))
    told = release(using("lightgbm", other), folder, Registry(folder), logs=logs)
    assert (told.version, told.alias) == ("2", CHALLENGER)
    assert "not compared with version 1, which answers another question: " in told.says
    assert told.told()["comparison"]["log_loss"] is None


def test_without_logs_there_is_no_contest(training, folder):
    told = release(training, folder, Registry(folder))
    assert told.alias == CHALLENGER
    assert "not compared with version 1, since the logs are not at hand" in told.says


def test_logs_that_lack_what_the_champion_needs_are_no_contest(using, training, logs, empty):
    release(using("recency"), empty, Registry(empty))
    told = release(training, empty, Registry(empty), logs=replace(logs, surveys=None))
    assert told.alias == CHALLENGER
    assert "not compared with version 1: the model was trained with a surveys log" in told.says


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_a_champion_that_is_lost_does_not_stop_the_one_after_it(training, logs, empty, harm):
    registry = Registry(empty)
    release(training, empty, registry)
    [kept] = (empty / "mlartifacts").rglob("bundle")
    if harm == "gone":
        shutil.rmtree(kept)
    else:
        (kept / "card.md").write_text("trust me")
    told = release(training, empty, registry, logs=logs)
    assert told.alias == CHALLENGER
    assert "not compared with version 1, which cannot be loaded: " in told.says
    promote(told.version, empty, registry)
    assert champion(empty, registry)[0].version == "2"


@pytest.fixture
def meanwhile(monkeypatch) -> Callable[[Callable[[], object]], None]:
    """What another process does while the next version is being logged."""

    def do(what: Callable[[], object]) -> None:
        log = Registry.log

        def logged(self: Registry, *told: Any) -> str:
            monkeypatch.setattr(Registry, "log", log)
            what()
            return log(self, *told)

        monkeypatch.setattr(Registry, "log", logged)

    return do


def test_a_champion_that_it_did_not_meet_stays(using, training, logs, empty, meanwhile):
    registry = Registry(empty)
    for _ in range(2):
        release(using("recency"), empty, registry)
    meanwhile(lambda: promote("2", empty, registry))
    told = release(training, empty, registry, logs=logs)
    assert (told.version, told.alias, told.compared.better) == ("3", CHALLENGER, True)
    assert told.says.startswith("better than version 1 on the same ")
    assert "version 2 became champion meanwhile, and they were not compared" in told.says
    assert "churnkit promote 3" in told.says
    assert champion(empty, registry)[0].version == "2"
    assert champion(empty, down(empty))[0].version == "2"


def test_of_two_that_would_be_the_first_champion_the_later_is_challenger(
    using, training, empty, meanwhile
):
    registry = Registry(empty)
    meanwhile(lambda: release(using("recency"), empty, registry))
    told = release(training, empty, registry)
    assert (told.version, told.alias, told.compared) == ("2", CHALLENGER, None)
    assert told.says.startswith("version 1 became champion meanwhile, ")
    assert champion_of(empty) == "1"
    assert champion(empty, down(empty))[0].version == "1"


def test_what_a_comparison_found_is_told_to_the_registry(using, logs, folder):
    told = release(using("recency"), folder, Registry(folder), logs=logs)
    assert models(Registry(folder))[0]["standing"] == told.compared.says


# ── Promoting and rolling back ──────────────────────────────────────────────────────────────


def test_by_hand_any_version_may_be_champion(training, folder):
    registry = Registry(folder)
    written = release(training, folder, registry).bundle
    told = promote(CHALLENGER, folder, registry)
    assert (told["version"], told["before"], told["bundle"]) == ("2", "1", str(written))
    assert champion(folder, registry)[0].version == "2"
    assert champion(folder, down(folder))[0].version == "2"


def test_and_the_one_before_again(training, folder):
    registry = Registry(folder)
    release(training, folder, registry)
    promote("2", folder, registry)
    told = rollback(folder, registry)
    assert (told["version"], told["before"]) == ("1", "2")
    assert champion(folder, registry)[0].version == "1"
    assert champion(folder, down(folder))[0].version == "1"
    with pytest.raises(ConfigError, match="no earlier version"):
        rollback(folder, registry)


@pytest.mark.parametrize("manifest", ["as it was", "written anew"])
def test_a_version_whose_bundle_was_edited_is_not_promoted(training, empty, manifest):
    registry = Registry(empty)
    for _ in range(2):
        release(training, empty, registry)
    run = registry.version("2").run
    [kept] = [p for p in (empty / "mlartifacts").rglob("bundle") if run in str(p)]
    (kept / "card.md").write_text("trust me")
    if manifest == "written anew":
        told = json.loads((kept / "manifest.json").read_text())
        told["sha256"]["card.md"] = hashlib.sha256(b"trust me").hexdigest()
        (kept / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(BundleError) as refused:
        promote("2", empty, registry)
    assert refused.value.exit_code == 5
    said = {"as it was": "card.md was changed", "written anew": "not the one that was registered"}
    assert said[manifest] in str(refused.value)
    assert champion_of(empty) == "1"


def test_a_champion_of_another_machine_is_kept_here_once_it_was_used(released_once, tmp_path):
    here = tmp_path / "here"
    elsewhere = Registry(here, uri=Registry(released_once).tracking_uri)
    assert champion(here, elsewhere)[2] == ""
    model, _, warning = champion(here, down(here))
    assert model.version == "1"
    assert warning.endswith(f"using {here / 'lightgbm-2024-04-14'}")


@pytest.mark.parametrize("name", ["a[b]", "lightgbm-2024-04-14"])
def test_of_a_champion_one_copy_is_kept_whatever_its_name(released_once, tmp_path, name):
    shutil.copytree(released_once / "lightgbm-2024-04-14", tmp_path / name)
    store = Registry(tmp_path / "store")
    push(tmp_path / name, tmp_path / "store", store)
    here = tmp_path / "here"
    for _ in range(2):
        champion(here, Registry(here, uri=store.tracking_uri))
    assert [path.name for path in here.iterdir() if path.is_dir()] == [name]


def test_a_folder_that_is_made_while_the_champion_is_copied_is_no_hindrance(
    released_once, tmp_path, monkeypatch
):
    here = tmp_path / "here"
    copy = shutil.copytree

    def copied(path: Path, aside: Path, **how: Any) -> Path:
        (here / "lightgbm-2024-04-14" / "of another").mkdir(parents=True, exist_ok=True)
        return copy(path, aside, **how)

    with monkeypatch.context() as patched:
        patched.setattr("churnkit.release.shutil.copytree", copied)
        champion(here, Registry(here, uri=Registry(released_once).tracking_uri))
    assert champion(here, down(here))[2].endswith(f"using {here / 'lightgbm-2024-04-14-2'}")


# ── The registry is down ────────────────────────────────────────────────────────────────────


def test_a_changed_local_champion_is_refused(folder):
    (folder / "lightgbm-2024-04-14" / "card.md").write_text("trust me")
    with pytest.raises(BundleError, match=r"card\.md was changed"):
        champion(folder, down(folder))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"bundle": "x"}', "<html>"])
def test_a_damaged_pointer_is_refused(folder, text):
    (folder / "champion.json").write_text(text)
    with pytest.raises(BundleError, match=r"champion\.json cannot be read"):
        champion(folder, down(folder))


def test_another_bundle_in_the_place_of_the_local_champion_is_refused(using, folder, tmp_path):
    with pytest.raises(ChurnkitError):
        release(using("recency"), tmp_path / "away", down(tmp_path / "away"))
    [other] = (tmp_path / "away").glob("recency*")
    kept = folder / "lightgbm-2024-04-14"
    shutil.rmtree(kept)
    shutil.copytree(other, kept)
    with pytest.raises(BundleError, match="is not the bundle of version 1") as refused:
        champion(folder, down(folder))
    assert NOWHERE in refused.value.mend


def test_a_pointer_of_an_older_churnkit_which_noted_no_digest_is_followed(folder):
    pointer = folder / "champion.json"
    told = json.loads(pointer.read_text())
    assert told.pop("sha256") == bundle.digest(folder / told["bundle"])
    pointer.write_text(json.dumps(told))
    assert champion(folder, down(folder))[0].version == "1"


# ── Pushing what was kept ───────────────────────────────────────────────────────────────────


def shown(folder: Path) -> dict[str, Any]:
    """All that the registry holds of its only version, but ids and times."""
    with Registry(folder)._client() as client:
        version = client.get_model_version("churnkit", "1")
        run = client.get_run(version.run_id)
        copied = Path(client.download_artifacts(version.run_id, "", str(folder / "copied")))
    files = {p.relative_to(copied).as_posix(): p.read_bytes()
             for p in copied.rglob("*") if p.is_file() and p.name != "MLmodel"}  # fmt: skip
    tags = {key: text for key, text in version.tags.items() if key != "trained"}
    return {"params": run.data.params, "metrics": run.data.metrics, "run tags": run.data.tags,
            "tags": tags, "says": version.description, "aliases": version.aliases,
            "data": [d.dataset.to_dictionary() for d in run.inputs.dataset_inputs],
            "files": files}  # fmt: skip


def test_what_is_pushed_later_is_what_would_have_been_logged(training, empty_store, tmp_path):
    at_once, later = (shutil.copytree(empty_store, tmp_path / name) for name in ("a", "b"))
    origin = {"commit": "c0ffee", "logs": [{"log": "purchases", "source": "orders.csv",
              "sha256": "ab" * 32, "rows": 7, "customers": 5}]}  # fmt: skip
    light = TrafficLight(Fixed(0.3, 0.6))
    release(training, at_once, Registry(at_once), light, origin=origin)
    with pytest.raises(ChurnkitError) as failure:
        release(training, later, down(later), light, origin=origin)
    kept = Path(failure.value.mend.split()[-1])
    told = push(kept, later, Registry(later))
    assert (told.version, told.alias, told.bundle) == ("1", "champion", kept)
    assert shown(later) == shown(at_once)
    assert champion(later, down(later))[0].version == "1"


def test_what_is_there_already_is_not_pushed_again(folder):
    told = push(folder / "lightgbm-2024-04-14", folder, Registry(folder))
    assert (told.version, told.alias, told.says) == ("1", "champion", "it is version 1 already")
    assert len(models(Registry(folder))) == 1


@pytest.fixture
def cut_off(monkeypatch) -> Callable[..., Path]:
    """A training whose registry fails between version and alias; the bundle that is kept."""

    def train(training: Training, folder: Path, **told: Any) -> Path:
        from mlflow import MlflowClient

        def cut(*_: Any) -> None:
            raise OSError("the line is cut")

        with monkeypatch.context() as patched:
            patched.setattr(MlflowClient, "set_registered_model_alias", cut)
            with pytest.raises(ChurnkitError, match="the line is cut") as failure:
                release(training, folder, Registry(folder), **told)
        return Path(failure.value.mend.split()[-1])

    return train


def test_a_version_that_was_cut_off_before_its_alias_gets_it(training, empty, cut_off):
    kept = cut_off(training, empty)
    assert [model["alias"] for model in models(Registry(empty))] == [""]
    told = push(kept, empty, Registry(empty))
    assert (told.version, told.alias) == ("1", CHAMPION)
    assert told.says == "it is version 1 already; the first champion"
    assert champion(empty, Registry(empty))[0].version == "1"
    assert champion(empty, down(empty))[0].version == "1"


def test_where_there_is_a_champion_it_is_told_how_it_gets_it(using, folder, logs, cut_off):
    kept = cut_off(using("recency"), folder, logs=logs)
    told = push(kept, folder, Registry(folder))
    assert (told.version, told.alias) == ("2", "")
    assert told.says.startswith("it is version 2 already; version 1 is the champion ")
    assert "churnkit promote 2" in told.says
    assert champion_of(folder) == "1"


def test_a_bundle_from_elsewhere_that_is_the_first_champion_is_kept_here(training, empty, tmp_path):
    away = tmp_path / "away"
    with pytest.raises(ChurnkitError):
        release(training, away, down(away))
    told = push(away / "lightgbm-2024-04-14", empty, Registry(empty))
    assert told.champion
    shutil.rmtree(away)
    model, _, warning = champion(empty, down(empty))
    assert model.version == "1"
    assert warning.endswith(f"using {empty / 'lightgbm-2024-04-14'}")


def test_artifacts_that_cannot_be_stored_leave_the_bundle_to_be_pushed(
    training, empty, monkeypatch
):
    from mlflow import MlflowClient

    def cut(*_: Any) -> None:
        raise ModuleNotFoundError("No module named 'boto3'", name="boto3")

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "log_artifacts", cut)
        with pytest.raises(ChurnkitError, match="No module named 'boto3'") as failure:
            release(training, empty, Registry(empty))
    kept = empty / "lightgbm-2024-04-14"
    assert failure.value.mend.endswith(f"churnkit models push {kept}")
    assert push(kept, empty, Registry(empty)).champion


def test_a_pushed_bundle_does_not_push_the_champion_away(using, folder, tmp_path):
    with pytest.raises(ChurnkitError):
        release(using("recency"), tmp_path / "away", down(tmp_path / "away"))
    [kept] = (tmp_path / "away").glob("recency*")
    told = push(kept, folder, Registry(folder))
    assert (told.version, told.alias) == ("2", CHALLENGER)
    assert "not compared with version 1, since the logs are not at hand" in told.says


def test_a_bundle_that_failed_its_gates_is_pushed_without_an_alias(failed, empty):
    with pytest.raises(ChurnkitError):
        release(failed, empty, down(empty))
    [kept] = empty.glob("lightgbm*")
    assert push(kept, empty, Registry(empty)).alias == ""
    again = push(kept, empty, Registry(empty))
    assert (again.alias, again.says) == ("", "it is version 1 already")
    assert models(Registry(empty))[0]["alias"] == ""


def test_a_bundle_that_was_edited_is_not_pushed(folder):
    kept = folder / "lightgbm-2024-04-14"
    (kept / "card.json").write_text("{}")
    with pytest.raises(BundleError, match=r"card\.json was changed"):
        push(kept, folder, Registry(folder))


def test_while_the_registry_is_down_pushing_says_how_to_go_on(folder):
    kept = folder / "lightgbm-2024-04-14"
    with pytest.raises(ChurnkitError) as failure:
        push(kept, folder, down(folder))
    assert failure.value.mend.endswith(f"churnkit models push {kept}")


# ── No way out ──────────────────────────────────────────────────────────────────────────────


def test_a_changed_champion_of_the_registry_is_refused(training, empty):
    """The registry is asked first, and what it hands out is verified; there is no other try."""
    release(training, empty, Registry(empty))
    [kept] = (empty / "mlartifacts").rglob("bundle")
    (kept / "booster-0.txt").write_text("tree")
    with pytest.raises(BundleError, match=r"booster-0\.txt was changed"):
        champion(empty, Registry(empty))


def test_a_registry_without_a_champion_is_no_reason_to_use_the_local_one(folder):
    other = Registry(folder, name="other")
    with pytest.raises(ConfigError, match="no model 'other' carries the alias"):
        champion(folder, other)


def test_a_bundle_may_be_named_by_its_folder(folder, training):
    model, card = from_path(folder / "lightgbm-2024-04-14")
    assert model.version == "lightgbm-2024-04-14"
    assert card == json.loads(json.dumps(training.card()))


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(BundleError, match="is not a model bundle"):
        from_path(tmp_path)
