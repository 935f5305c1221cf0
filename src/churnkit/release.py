"""From a training to a model in use (bundle, registry, champion), and back to the model."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churnkit import bundle
from churnkit.atomic import whole_file
from churnkit.clock import Cutoff
from churnkit.errors import BundleError, ChurnkitError
from churnkit.lights import Policy
from churnkit.model import ChurnModel
from churnkit.registry import Registry
from churnkit.training import Training, card_text

_POINTER = "champion.json"


@dataclass(frozen=True)
class Release:
    """A trained model that was written and logged.

    Attributes
    ----------
    bundle
        Folder of the bundle.
    version
        Version in the registry.
    champion
        Whether it passed its gates and is now used for scoring.
    """

    bundle: Path
    version: str
    champion: bool


def release(
    training: Training, folder: Path, registry: Registry, policy: Policy | None = None
) -> Release:
    """Write the bundle, log and register it, and make it champion if it passes its gates.

    A model that fails a gate is kept and registered but does not become champion; call
    `Training.require_gates` to turn that into an error.

    Raises
    ------
    ChurnkitError
        If the registry cannot be reached; the bundle is written by then and stays.
    """
    card = training.card(policy)
    note = card_text(card)
    written = bundle.save(training.model, _new_folder(training, folder), card, note)
    version = registry.log(written, _parameters(training), _metrics(training), note)
    passed = all(gate.passed for gate in training.gates)
    if passed:
        registry.promote(version)
        _point_at(folder, written, version)
    return Release(written, version, passed)


def champion(folder: Path, registry: Registry) -> tuple[ChurnModel, dict[str, Any], str]:
    """The champion, its card, and a warning (empty when all is well).

    If the registry cannot be reached, the last local champion is used and the warning says so.

    Raises
    ------
    ConfigError
        If there is no champion.
    BundleError
        If the bundle was changed.
    """
    try:
        with tempfile.TemporaryDirectory() as copied:
            path, version = registry.champion(Path(copied))
            return bundle.load(path).called(version), bundle.card(path), ""
    except ChurnkitError as error:
        local = _pointed_at(folder)
        if local is None or type(error) is not ChurnkitError:
            raise
        path, version = local
        return bundle.load(path).called(version), bundle.card(path), f"{error.found}; using {path}"


def from_path(path: Path) -> tuple[ChurnModel, dict[str, Any]]:
    """The model of a bundle folder, named after it, and its card.

    Raises
    ------
    BundleError
        If the folder is no intact bundle.
    """
    return bundle.load(path), bundle.card(path)


def _new_folder(training: Training, folder: Path) -> Path:
    last = training.model.trained_on[-1]
    stem = f"{training.model.rung}-{Cutoff.parse(last).local.date()}"
    taken = {path.name for path in folder.glob(f"{stem}*")} if folder.exists() else set()
    return folder / next(
        name for name in (stem, *(f"{stem}-{k}" for k in range(2, 10**6))) if name not in taken
    )


def _point_at(folder: Path, written: Path, version: str) -> None:
    with whole_file(folder / _POINTER) as aside:
        aside.write_text(json.dumps({"bundle": written.name, "version": version}))


def _pointed_at(folder: Path) -> tuple[Path, str] | None:
    pointer = folder / _POINTER
    if not pointer.exists():
        return None
    try:
        told = json.loads(pointer.read_text(encoding="utf-8"))
        return folder / told["bundle"], str(told["version"])
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{pointer} cannot be read: {error!r}", "Run churnkit train.") from error


def _parameters(training: Training) -> dict[str, Any]:
    question = training.model.question
    return {
        "model": training.model.rung,
        "churn": question.churn,
        "horizon_days": question.horizon_days,
        "lookback_days": question.lookback_days,
        "features": len(training.model.names),
        "training_cutoffs": len(training.model.trained_on),
        "training_rows": len(training.learnt),
        "test_cutoff": str(training.backtest.test.cutoff),
        **{f"estimator.{k}": v for k, v in training.model.estimator.get_params().items()},
    }


def _metrics(training: Training) -> dict[str, float]:
    test = training.backtest.test.metrics
    return {
        f"{rung}.{metric}": found.value
        for rung, told in test.items()
        for metric, found in told.items()
        if found.value == found.value
    }
