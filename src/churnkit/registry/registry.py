"""`Registry`: runs, versions and their aliases."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.atomic import scratch_folder
from churnkit.errors import ConfigError
from churnkit.registry.mlmodel import BUNDLE, MODEL, write_model
from churnkit.registry.record import Record
from churnkit.registry.store import opened, without_password

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION, CHALLENGER = "champion", "challenger"
_FORMER = "former_champions"  # the tag that holds them, the latest last
_FORMER_KEPT = 100
_AT_ONCE = 1000  # of numbers, MLflow takes so many at a time; of parameters a tenth
_NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # the model; its alias
_WITHOUT = {
    CHAMPION: "Run churnkit train first; churnkit score also takes a bundle, with --model PATH.",
    CHALLENGER: "Name a version by its number (churnkit models lists them), or run churnkit train.",
}
_SAYS = (
    "Who is about to leave: churn models of churnkit. The version with the alias `champion` "
    "scores; `churnkit models` lists them, `churnkit promote` and `churnkit rollback` move the "
    "alias. Only churnkit loads them: it verifies a bundle before it reads it."
)


@dataclass(frozen=True)
class Version:
    """A version of the registered model.

    Attributes
    ----------
    number
        Its number, as text.
    tags
        What was told of it, see `Record.tags`; and ``bundle``, the name of its folder, and
        ``trained``, when that was written.
    aliases
        Names that point to it.
    run
        Id of its run.
    """

    number: str
    tags: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    run: str = ""


@dataclass(frozen=True)
class Registry:
    """Where models are logged, numbered and named.

    Every method raises ChurnkitError if the store cannot be reached or fails.

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

    @property
    def where(self) -> str:
        """The store in words, without a password."""
        return without_password(self.tracking_uri)

    def log(self, bundle: Path, record: Record | None = None) -> str:
        """Log a training run with its bundle and register the bundle; return the new version.

        The version comes into being last, of a run that is complete; a run that could not be
        completed is marked as failed.

        Raises
        ------
        ChurnkitError
            If the store cannot be reached; the bundle stays where it is.
        """
        told = record or Record()
        with self._client() as client:
            run = client.create_run(self._experiment(client), run_name=bundle.name)
            with _failed_if_not_completed(client, run.info.run_id):
                _fill(client, run.info.run_id, told)
                with scratch_folder() as made:
                    write_model(made, bundle, told.inputs, run.info.run_id)
                    client.log_artifacts(run.info.run_id, str(made), MODEL)
                client.set_terminated(run.info.run_id)
                return self._register(client, run, bundle, told)

    def versions(self) -> list[Version]:
        """All versions, the latest first; none if nothing was registered."""
        with self._client() as client:
            return self._versions(client)

    def version(self, named: str) -> Version:
        """The version of a number or an alias.

        Raises
        ------
        ConfigError
            If there is none.
        """
        with self._client() as client:
            return self._version(client, named)

    def fetch(self, named: str, into: Path) -> tuple[Path, Version]:
        """Copy the bundle of a version (its number or alias) into a folder; return both.

        The bundle is only copied: who loads it must verify it first, and compare its digest with
        the one that was noted when it was registered.

        Raises
        ------
        ConfigError
            If there is no such version.
        """
        with self._client() as client:
            version = self._version(client, named)
            copied = client.download_artifacts(version.run, f"{MODEL}/{BUNDLE}", str(into))
            return Path(copied), version

    def promote(self, number: str) -> None:
        """Point the alias ``champion`` at a version, and remember which one had it before."""
        with self._alone() as client:
            self._crown(client, number, *self._standing(client))

    def succeed(self, number: str, met: str | None) -> str | None:
        """Promote a version, unless there is another champion by now than the one it met.

        Parameters
        ----------
        number
            The version.
        met
            Version of the champion that it was compared with; ``None`` if there was none.

        Returns
        -------
        str or None
            The champion that it did not meet, and nothing was changed; ``None`` if it was promoted.
        """
        with self._alone() as client:
            aliases, former = self._standing(client)
            now = aliases.get(CHAMPION)
            if now not in (None, met, number):
                return now
            self._crown(client, number, aliases, former)
            return None

    def challenge(self, number: str) -> None:
        """Point the alias ``challenger`` at a version."""
        with self._client() as client:
            client.set_registered_model_alias(self.name, CHALLENGER, number)

    def former_champion(self) -> Version:
        """The version that was champion before the one that is it now.

        Raises
        ------
        ConfigError
            If there was none, or none of those that were is left.
        """
        with self._client() as client:
            number, _ = self._before(client)
            return self._version(client, number)

    def roll_back(self) -> None:
        """Point the alias ``champion`` at the version that had it before; forget the later one.

        Raises
        ------
        ConfigError
            Like `former_champion`.
        """
        with self._alone() as client:
            number, earlier = self._before(client)
            client.set_registered_model_alias(self.name, CHAMPION, number)
            self._remember(client, earlier)

    @contextmanager
    def _alone(self) -> Iterator[MlflowClient]:
        """A client, while no other process that uses this folder moves the alias of the champion.

        The store has no lock: what is read, changed and written would be lost otherwise.
        """
        from filelock import FileLock

        with self._client() as client, FileLock(self.folder / ".champion.lock"):
            yield client

    def _crown(
        self, client: MlflowClient, number: str, aliases: Mapping[str, str], former: list[str]
    ) -> None:
        now = aliases.get(CHAMPION)
        if now == number:
            return
        # The memory first: if the alias then cannot be moved, it holds one name too many,
        # which is passed over.
        if now:
            self._remember(client, [*former, now])
        client.set_registered_model_alias(self.name, CHAMPION, number)
        if aliases.get(CHALLENGER) == number:
            client.delete_registered_model_alias(self.name, CHALLENGER)

    def _before(self, client: MlflowClient) -> tuple[str, list[str]]:
        """The champion before this one, and those before it."""
        aliases, former = self._standing(client)
        there = {version.number for version in self._versions(client)}
        left = [number for number in former if number in there]
        while left and left[-1] == aliases.get(CHAMPION):
            left.pop()
        if not left:
            raise ConfigError(
                f"no earlier version of the model {self.name!r} was champion in {self.where}",
                "churnkit models lists them; churnkit promote VERSION chooses one.",
            )
        return left[-1], left[:-1]

    def _standing(self, client: MlflowClient) -> tuple[dict[str, str], list[str]]:
        """Alias → version, and the versions that were champion, the latest last."""
        with _told_if_absent(self._absent()):
            model = client.get_registered_model(self.name)
        try:
            former = [str(number) for number in json.loads(model.tags.get(_FORMER, "[]"))]
        except (ValueError, TypeError):  # the pages of MLflow let anybody write there
            former = []
        return {alias: str(number) for alias, number in model.aliases.items()}, former

    def _remember(self, client: MlflowClient, former: list[str]) -> None:
        told = json.dumps(former[-_FORMER_KEPT:])
        client.set_registered_model_tag(self.name, _FORMER, told)

    def _versions(self, client: MlflowClient) -> list[Version]:
        try:
            aliases, _ = self._standing(client)
        except ConfigError:
            return []
        found: list[Version] = []
        token: str | None = None
        quote = '"' if "'" in self.name else "'"
        while token != "":
            page = client.search_model_versions(f"name={quote}{self.name}{quote}", page_token=token)
            found += [_version_of(told, aliases) for told in page]
            token = page.token or ""
        return sorted(found, key=lambda version: -int(version.number))

    def _version(self, client: MlflowClient, named: str) -> Version:
        is_number = named.isdecimal()
        absent = ConfigError(
            f"no model {self.name!r} carries the alias {named!r} in {self.where}",
            _WITHOUT.get(named, ""),
        )
        if is_number or named not in (CHAMPION, CHALLENGER):
            absent = ConfigError(
                f"there is no version {named} of the model {self.name!r} in {self.where}",
                "churnkit models lists those that are there.",
            )
        with _told_if_absent(absent):
            if is_number:
                found = client.get_model_version(self.name, named)
            else:
                found = client.get_model_version_by_alias(self.name, named)
        return _version_of(found, dict.fromkeys(found.aliases, found.version))

    def _absent(self) -> ConfigError:
        return ConfigError(
            f"there is no model {self.name!r} in {self.where}", "Run churnkit train first."
        )

    def _register(self, client: MlflowClient, run: Any, bundle: Path, told: Record) -> str:
        with _unless_there_already():
            client.create_registered_model(self.name, description=_SAYS)
        written = datetime.fromtimestamp(bundle.stat().st_mtime, UTC)
        tags = {
            **told.tags,
            "bundle": bundle.name,
            "trained": written.isoformat(timespec="seconds"),
        }
        made = client.create_model_version(
            self.name,
            f"{run.info.artifact_uri}/{MODEL}",
            run.info.run_id,
            tags=tags,
            description=told.says,
        )
        return str(made.version)

    def _experiment(self, client: MlflowClient) -> str:
        found = client.get_experiment_by_name(self.name)
        if found is not None:
            return str(found.experiment_id)
        local = self.tracking_uri.startswith("sqlite:")
        artifacts = (self.folder / "mlartifacts").resolve().as_uri() if local else None
        # The kind is what the pages of MLflow call machine learning.
        tags = {"mlflow.experimentKind": "custom_model_development", "mlflow.note.content": _SAYS}
        with _unless_there_already():  # another process may be faster
            client.create_experiment(self.name, artifact_location=artifacts, tags=tags)
        return str(client.get_experiment_by_name(self.name).experiment_id)

    def _client(self) -> AbstractContextManager[MlflowClient]:
        return opened(self.folder, self.tracking_uri)


def _fill(client: MlflowClient, run: str, told: Record) -> None:
    """Tell a run everything but the model."""
    from mlflow.entities import Metric, Param, RunTag

    params = [Param(key, str(value)) for key, value in told.parameters.items()]
    metrics = [
        Metric(one.name, one.value, one.cutoff.us // 1000, one.trial) for one in told.metrics
    ]
    program, commit = told.source
    tags = {
        "mlflow.note.content": told.note,
        "mlflow.source.name": program,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": commit,
    }
    client.log_batch(run, tags=[RunTag(key, text) for key, text in tags.items() if text])
    few = _AT_ONCE // 10
    for k in range(0, len(params), few):
        client.log_batch(run, params=params[k : k + few])
    for k in range(0, len(metrics), _AT_ONCE):
        client.log_batch(run, metrics=metrics[k : k + _AT_ONCE])
    _tell_of_logs(client, run, told)
    for path, text in told.files.items():
        client.log_text(run, text, path)


def _tell_of_logs(client: MlflowClient, run: str, told: Record) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    context = [InputTag("mlflow.data.context", "training")]
    inputs = [
        DatasetInput(
            Dataset(
                name=log["log"],
                # MLflow has no room for more, and none for nothing; the profile has.
                digest=(log["sha256"] or "not taken")[:32],
                source_type="local",
                source=json.dumps({"uri": log["source"]}),
                profile=json.dumps(log),
            ),
            context,
        )
        for log in told.logs
    ]
    if inputs:
        client.log_inputs(run, inputs)


def _version_of(told: Any, aliases: Mapping[str, str]) -> Version:
    number = str(told.version)
    theirs = tuple(sorted(alias for alias, pointed in aliases.items() if str(pointed) == number))
    return Version(number, dict(told.tags), theirs, str(told.run_id))


@contextmanager
def _failed_if_not_completed(client: MlflowClient, run: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        # The store may be what failed; then the run stays as it is.
        with suppress(Exception):
            client.set_terminated(run, "FAILED")
        raise


@contextmanager
def _told_if_absent(absent: ConfigError) -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code not in _NOT_THERE:
            raise
        raise absent from error


@contextmanager
def _unless_there_already() -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
