"""MLflow: runs, versions and aliases. The only module that imports it."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.errors import ChurnkitError, ConfigError

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION = "champion"
_BUNDLE = "bundle"
_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # the model; its alias


@dataclass(frozen=True)
class Registry:
    """Where models are logged, numbered and named.

    Parameters
    ----------
    folder
        Folder of the local store (``mlflow.db`` and ``mlartifacts``), used unless a tracking
        server is given.
    name
        Name of the experiment and of the registered model.
    uri
        Tracking server or store; empty means the local store. The environment variable
        ``MLFLOW_TRACKING_URI`` takes precedence.
    """

    folder: Path
    name: str = "churnkit"
    uri: str = ""

    @property
    def tracking_uri(self) -> str:
        """The store that is used."""
        told = os.environ.get("MLFLOW_TRACKING_URI") or self.uri
        path = str((self.folder / "mlflow.db").resolve())
        # These two are not read as themselves in the path of a SQLAlchemy URL.
        return told or "sqlite:///" + path.replace("%", "%25").replace("?", "%3F")

    def log(
        self,
        bundle: Path,
        parameters: Mapping[str, Any],
        metrics: Mapping[str, float],
        note: str = "",
    ) -> str:
        """Log a training run with its bundle and register the bundle; return the new version.

        The note, in Markdown, is what the registry's pages show of the run.

        Raises
        ------
        ChurnkitError
            If the store cannot be reached; the bundle is kept.
        """
        with self._client() as client:
            from mlflow.entities import Metric, Param, RunTag

            run = client.create_run(self._experiment(client), run_name=bundle.name)
            client.log_batch(
                run.info.run_id,
                metrics=[Metric(key, value, 0, 0) for key, value in metrics.items()],
                params=[Param(key, str(value)) for key, value in parameters.items()],
                tags=[RunTag("mlflow.note.content", note)],
            )
            client.log_artifacts(run.info.run_id, str(bundle), _BUNDLE)
            client.set_terminated(run.info.run_id)
            return self._register(client, run)

    def promote(self, version: str) -> None:
        """Point the alias ``champion`` at a version."""
        with self._client() as client:
            client.set_registered_model_alias(self.name, CHAMPION, version)

    def champion(self, into: Path) -> tuple[Path, str]:
        """Copy the champion's bundle into a folder; return its path and version.

        The bundle is only copied: who loads it must verify it first.

        Raises
        ------
        ConfigError
            If no version carries the alias.
        ChurnkitError
            If the store cannot be reached.
        """
        with self._client() as client:
            from mlflow.exceptions import MlflowException

            try:
                version = client.get_model_version_by_alias(self.name, CHAMPION)
            except MlflowException as error:
                if error.error_code not in _NOT_THERE:
                    raise
                raise ConfigError(
                    f"no model {self.name!r} carries the alias {CHAMPION!r} in "
                    f"{_without_password(self.tracking_uri)}",
                    "Run churnkit train first, or name a bundle with --model PATH.",
                ) from error
            copied = client.download_artifacts(version.run_id, _BUNDLE, str(into))
            return Path(copied), str(version.version)

    def _register(self, client: MlflowClient, run: Any) -> str:
        with _unless_there_already():
            client.create_registered_model(self.name)
        source = f"{run.info.artifact_uri}/{_BUNDLE}"
        return str(client.create_model_version(self.name, source, run.info.run_id).version)

    def _experiment(self, client: MlflowClient) -> str:
        found = client.get_experiment_by_name(self.name)
        if found is not None:
            return str(found.experiment_id)
        local = self.tracking_uri.startswith("sqlite:")
        artifacts = (self.folder / "mlartifacts").resolve().as_uri() if local else None
        with _unless_there_already():  # another process may be faster
            client.create_experiment(self.name, artifact_location=artifacts)
        return str(client.get_experiment_by_name(self.name).experiment_id)

    @contextmanager
    def _client(self) -> Iterator[MlflowClient]:
        """A client; the first use of a local store is made by one process at a time."""
        from filelock import FileLock

        # No telemetry: churnkit asks no network but the store it is given.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("DO_NOT_TRACK", "true")
        # A server that is down shall be noticed within a minute, not within half an hour.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from mlflow import MlflowClient
            from mlflow.exceptions import MlflowException
            from sqlalchemy.exc import SQLAlchemyError

            for noisy in ("mlflow", "alembic"):
                logging.getLogger(noisy).setLevel(logging.WARNING)
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with FileLock(self.folder / ".mlflow.lock"):
                    client = MlflowClient(self.tracking_uri)
                    client.search_experiments(max_results=1)
                yield client
            except (MlflowException, SQLAlchemyError, OSError) as error:
                raise ChurnkitError(
                    _without_password(
                        f"the MLflow store {self.tracking_uri} failed: {_first_line(error)}"
                    ),
                    "Check MLFLOW_TRACKING_URI and the store; the model bundle is kept.",
                ) from error


@contextmanager
def _unless_there_already() -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _without_password(text: str) -> str:
    return re.sub(r"(\w://)[^/@\s]+@", r"\1***@", text)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [repr(error)])[0]
