"""Line 6: MLflow refuses, hangs, fails or is not found, while somebody scores or trains."""

from __future__ import annotations

import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import small
from commands import run, told

from churnkit import bundle
from churnkit.config import load_settings
from churnkit.errors import ChurnkitError
from churnkit.registry import Registry
from churnkit.release import champion, from_path, push, release
from churnkit.simulate import Shop
from churnkit.training import Training

DAY = "2024-05-15"
NOWHERE = "http://127.0.0.1:9"


@contextmanager
def refusing() -> Iterator[str]:
    """Nobody listens there."""
    yield NOWHERE


@contextmanager
def unknown() -> Iterator[str]:
    """No name server knows it."""
    yield "http://mlflow.invalid:5000"


@contextmanager
def hanging() -> Iterator[str]:
    """It takes every call and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as deaf:
        yield f"http://127.0.0.1:{deaf.getsockname()[1]}"


class _Broken(BaseHTTPRequestHandler):
    def _fail(self) -> None:
        self.send_error(500)

    do_GET = do_POST = do_PATCH = _fail  # noqa: N815 - the names of http.server

    def log_message(self, *_: object) -> None:
        """Nobody wants to know."""


@contextmanager
def broken() -> Iterator[str]:
    """It answers every call with 500."""
    with HTTPServer(("127.0.0.1", 0), _Broken) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


AWAY = {function.__name__: function for function in (refusing, unknown, hanging, broken)}


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")


@pytest.fixture(params=AWAY)
def away(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that is of no use."""
    with ExitStack() as stack:
        yield stack.enter_context(AWAY[request.param]())


@pytest.fixture(scope="module")
def seen_once(
    shop: Shop, training: Training, empty_store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A project whose champion was seen once; never to be changed."""
    folder = tmp_path_factory.mktemp("away") / "project"
    small.project(folder, shop, training, customers=40)
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        models = shutil.copytree(empty_store, folder / "models")
        shutil.move(folder / "model", models / "model")
        push(models / "model", models, Registry(models))
    return folder


@pytest.fixture
def project(
    seen_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Makes a project that asks a server."""

    def made(uri: str) -> Path:
        folder = shutil.copytree(seen_once, tmp_path / "project")
        with (folder / "churnkit.toml").open("a") as settings:
            settings.write(f'\n[mlflow]\ntracking_uri = "{uri}"\n')
        monkeypatch.chdir(folder)
        return folder

    return made


def test_06_scoring_goes_on_with_the_verified_local_bundle_and_says_so(project, away, training):
    folder = project(away)
    found = told("score", "--as-of", DAY)
    [warning] = [said for said in found["warnings"] if "MLflow" in said]
    assert away in warning
    assert warning.endswith(f"using {Path('models') / 'model'}")
    manifest = load_settings(folder / "churnkit.toml").score_store().manifest(DAY)
    assert manifest.told["model"]["version"] == "1"
    assert manifest.told["model"]["sha256"] == bundle.fingerprint(training.model)


@pytest.mark.parametrize("damage", ["booster", "pointer", "another"])
def test_06_a_local_bundle_that_is_not_what_was_seen_is_refused(project, training, damage):
    folder = project(NOWHERE)
    if damage == "booster":
        file = folder / "models" / "model" / "booster-0.txt"
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(bytes(data))
    elif damage == "pointer":
        (folder / "models" / "champion.json").write_text("<html>")
    else:
        shutil.rmtree(folder / "models" / "model")
        bundle.save(training.model, folder / "models" / "model", training.card(), "another")
    result = run("score", "--as-of", DAY)
    assert result.exit_code == 5, result.stderr
    assert "Traceback" not in result.stderr
    assert load_settings(folder / "churnkit.toml").score_store().days() == ()


def test_06_scores_of_the_local_bundle_are_those_of_the_training(seen_once, training, scores):
    model, card, warning = champion(
        seen_once / "models", Registry(seen_once / "models", uri=NOWHERE)
    )
    assert (model.version, card["model"]) == ("1", "lightgbm")
    assert NOWHERE in warning
    found = model.churn_probability(scores.features)
    assert np.array_equal(found, training.model.churn_probability(scores.features))


def test_06_training_loses_nothing_and_says_how_to_go_on(training, tmp_path, empty_store, away):
    folder = tmp_path / "models"
    with pytest.raises(ChurnkitError, match="failed") as failure:
        release(training, folder, Registry(folder, uri=away))
    [kept] = [path for path in folder.iterdir() if path.is_dir()]
    assert failure.value.exit_code == 1
    assert f"churnkit models push {kept}" in failure.value.mend
    assert from_path(kept)[0].rung == "lightgbm"
    assert bundle.card(kept) == json.loads(json.dumps(training.card()))
    assert not (folder / "champion.json").exists()
    if away == NOWHERE:  # once is enough: the server is back
        back = shutil.copytree(empty_store, tmp_path / "back")
        assert push(kept, folder, Registry(back)).alias == "champion"


def test_06_without_a_champion_that_was_seen_nothing_is_published(project):
    folder = project(NOWHERE)
    (folder / "models" / "champion.json").unlink()
    result = run("score", "--as-of", DAY)
    assert result.exit_code == 1
    assert NOWHERE in result.stderr
    assert "Traceback" not in result.stderr
    assert load_settings(folder / "churnkit.toml").score_store().days() == ()
