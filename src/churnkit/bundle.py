"""The model on disk: a folder of text files under a manifest, verified before anything is parsed.

::

    manifest.json        format version, sha256 of every other file
    model.json           rung, question, features, training cutoffs, parameters
    booster-0.txt …      LightGBM text models, for the trees
    card.json, card.md   what the model is, how it was tested, what it must not be used for

No pickle, no code. A LightGBM text file with a flipped bit can crash the process or change
scores unseen, so nothing reaches its parser before its digest is checked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from churnkit import __version__
from churnkit.atomic import whole_folder
from churnkit.errors import BundleError
from churnkit.estimators import ChurnClassifier, PlainRule
from churnkit.features import FeatureSpec
from churnkit.labels import Question
from churnkit.model import ChurnModel, Estimator

FORMAT = 1
_MANIFEST, _MODEL = "manifest.json", "model.json"
_RULE_ARRAYS = ("mean_", "scale_", "coef_")


def save(model: ChurnModel, folder: Path, told: Mapping[str, Any], card_text: str) -> Path:
    """Write a bundle; the folder appears whole or not at all.

    Parameters
    ----------
    model
        The fitted model.
    folder
        Folder to make; it must not exist.
    told, card_text
        The model card, as JSON-ready values and as Markdown.

    Returns
    -------
    Path
        The folder.
    """
    with whole_folder(folder) as aside:
        parts, boosters = _parts(model)
        _write(aside / _MODEL, json.dumps(parts, indent=1))
        for k, text in enumerate(boosters):
            _write(aside / f"booster-{k}.txt", text)
        _write(aside / "card.json", json.dumps(told, indent=1, allow_nan=False))
        _write(aside / "card.md", card_text)
        _write(aside / _MANIFEST, json.dumps(_manifest(aside), indent=1))
    return folder


def load(folder: Path) -> ChurnModel:
    """Read a bundle after verifying every file of it.

    Raises
    ------
    BundleError
        If the folder is no bundle, was changed, misses a file, or holds one more.
    """
    files = verify(folder)
    told = json.loads(files[_MODEL])
    try:
        return ChurnModel(
            rung=told["rung"],
            estimator=_estimator(told, files),
            names=tuple(told["names"]),
            spec=FeatureSpec.from_dict(told["spec"]),
            question=Question(**told["question"]),
            trained_on=tuple(told["trained_on"]),
            version=folder.name,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{folder / _MODEL} cannot be read: {error!r}", _TRAIN_AGAIN) from error


def card(folder: Path) -> dict[str, Any]:
    """The model card of a bundle, after verifying every file of it.

    Raises
    ------
    BundleError
        Like `load`.
    """
    told: dict[str, Any] = json.loads(verify(folder)["card.json"])
    return told


def verify(folder: Path) -> dict[str, str]:
    """File name → text of a bundle whose files all match the manifest.

    Raises
    ------
    BundleError
        If they do not.
    """
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        digests, written = dict(manifest["sha256"]), manifest["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{folder} is not a model bundle ({error!r})", _TRAIN_AGAIN) from error
    if written != FORMAT:
        raise BundleError(
            f"{folder} is a bundle of format {written}; this churnkit reads format {FORMAT}",
            "Train anew with this version, or install the one that wrote it.",
        )
    there = {path.name for path in folder.iterdir()} - {_MANIFEST}
    if there != digests.keys():
        odd = ", ".join(sorted(there ^ digests.keys()))
        raise BundleError(
            f"{folder} lacks files or holds others than its manifest: {odd}", _TRAIN_AGAIN
        )
    return {name: _verified(folder / name, digest) for name, digest in digests.items()}


def digest(folder: Path) -> str:
    """The sha256 of a bundle's manifest, which stands for the whole of it."""
    return hashlib.sha256((folder / _MANIFEST).read_bytes()).hexdigest()


_TRAIN_AGAIN = "Use an intact copy, or train anew with churnkit train."


def _verified(path: Path, expected: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error}", _TRAIN_AGAIN) from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise BundleError(
            f"{path} was changed: its sha256 is not the one in the manifest", _TRAIN_AGAIN
        )
    return content.decode("utf-8")


def _parts(model: ChurnModel) -> tuple[dict[str, Any], list[str]]:
    """The model as JSON-ready values, and its boosters as texts."""
    estimator = model.estimator
    told: dict[str, Any] = {
        "rung": model.rung,
        "question": asdict(model.question),
        "names": list(model.names),
        "spec": model.spec.to_dict(),
        "trained_on": list(model.trained_on),
        "parameters": estimator.get_params(),
    }
    if isinstance(estimator, ChurnClassifier):
        return told, [booster.model_to_string() for booster in estimator.boosters_]
    told["rule"] = {name: getattr(estimator, name).tolist() for name in _RULE_ARRAYS}
    told["rule"]["intercept_"] = estimator.intercept_
    return told, []


def _estimator(told: Mapping[str, Any], files: Mapping[str, str]) -> Estimator:
    import lightgbm as lgb

    estimator: Estimator
    if "rule" in told:
        estimator = PlainRule(**told["parameters"])
        for name in _RULE_ARRAYS:
            setattr(estimator, name, np.array(told["rule"][name], dtype=np.float64))
        estimator.intercept_ = told["rule"]["intercept_"]
    else:
        estimator = ChurnClassifier(**told["parameters"])
        texts = [files[f"booster-{k}.txt"] for k in range(estimator.seeds)]
        estimator.boosters_ = [lgb.Booster(model_str=text) for text in texts]
    estimator.classes_ = np.array([False, True])
    estimator.n_features_in_ = len(told["names"])
    return estimator


def _manifest(folder: Path) -> dict[str, Any]:
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }
    return {"format": FORMAT, "churnkit": __version__, "sha256": digests}


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
