"""The model on disk: a folder of text files under a manifest, verified before anything is parsed.

::

    manifest.json        format version, sha256 of every other file
    model.json           rung, question, features, training cutoffs, estimator, expected spend
    booster-0.txt …      LightGBM text models, of the estimator or of the members of a blend,
                         then of the expected spend
    card.json, card.md   what the model is, how it was tested, what it must not be used for

No pickle, no code. A LightGBM text file with a flipped bit can crash the process or change
scores unseen, so nothing reaches its parser before its digest is checked. Digests can be written
anew by whoever changes a file, so trees that would crash or hang the process are looked for, too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from churnkit.atomic import whole_folder
from churnkit.clock import Cutoff
from churnkit.errors import BundleError, ConfigError
from churnkit.estimators import (
    KINDS,
    BinaryClassifier,
    SpendModel,
    restored,
    restored_spend,
)
from churnkit.estimators.tree_text import MOST_LEAVES, checked_trees
from churnkit.features import FeatureSpec
from churnkit.labels import Question
from churnkit.model import ChurnModel

FORMAT = 4
_READABLE = (3, FORMAT)  # the format before told no expected spend: last year's rate stands in
_MANIFEST, _MODEL = "manifest.json", "model.json"
_CARD, _CARD_TEXT = "card.json", "card.md"
_BOOSTER = re.compile(r"booster-\d+\.txt")


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

    Raises
    ------
    BundleError
        If the model is one that `load` would refuse.
    """
    with whole_folder(folder) as aside:
        parts, boosters = _parts(model)
        _write(aside / _MODEL, json.dumps(parts, indent=1, allow_nan=False))
        for k, text in enumerate(boosters):
            _write(aside / f"booster-{k}.txt", text)
        _write(aside / _CARD, json.dumps(told, indent=1, allow_nan=False))
        _write(aside / _CARD_TEXT, card_text)
        _write(aside / _MANIFEST, json.dumps(_manifest(aside), indent=1))
    return folder


def load(folder: Path) -> ChurnModel:
    """Read a bundle after verifying every file of it.

    Raises
    ------
    BundleError
        If the folder is no bundle, was changed, misses a file, or holds one more; or if its
        model cannot be used.
    """
    from lightgbm.basic import LightGBMError

    files = verify(folder)
    try:
        told = json.loads(files[_MODEL], parse_constant=_no_number)
        estimator, spend = _estimators(told, files)
        model = ChurnModel(
            rung=told["rung"],
            estimator=estimator,
            names=tuple(told["names"]),
            spec=FeatureSpec.from_dict(told["spec"]),
            question=Question(**told["question"]),
            trained_on=tuple(told["trained_on"]),
            version=folder.name,
            spend=spend,
            middle=_middle(told),
        )
        _check_use(model)
        return model
    except (AttributeError, ConfigError, LightGBMError, *_UNREADABLE) as error:
        raise BundleError(
            f"the model of {folder} cannot be used: {error!r}", _TRAIN_AGAIN
        ) from error


def card(folder: Path) -> dict[str, Any]:
    """The model card of a bundle, after verifying every file of it.

    Raises
    ------
    BundleError
        Like `load`.
    """
    text = verify(folder)[_CARD]
    try:
        told: dict[str, Any] = json.loads(text)
        _require(isinstance(told, dict), "it is no table of names and values")
    except _UNREADABLE as error:
        raise BundleError(f"the card of {folder} cannot be read: {error}", _TRAIN_AGAIN) from error
    return told


def verify(folder: Path) -> dict[str, str]:
    """File name → text of a bundle whose files all match the manifest.

    Raises
    ------
    BundleError
        If they do not.
    """
    try:
        manifest = json.loads(_regular(folder / _MANIFEST).decode("utf-8"))
        digests, written = dict(manifest["sha256"]), manifest["format"]
    except (OSError, *_UNREADABLE) as error:
        raise BundleError(f"{folder} is not a model bundle ({error!r})", _TRAIN_AGAIN) from error
    if written not in _READABLE:
        raise BundleError(
            f"{folder} is a bundle of format {written}; this churnkit reads format {FORMAT}",
            _another_format(written),
        )
    there = {path.name for path in folder.iterdir()} - {_MANIFEST}
    strange = {name for name in there if not _belongs(name)}
    odd = there ^ digests.keys() | {_MODEL, _CARD, _CARD_TEXT} - there | strange
    if odd:
        raise BundleError(
            f"{folder} lacks files or holds others than its manifest: {', '.join(sorted(odd))}",
            _TRAIN_AGAIN,
        )
    return {name: _verified(folder / name, digest) for name, digest in digests.items()}


def digest(folder: Path) -> str:
    """The sha256 of a bundle's manifest, which stands for the whole of it."""
    return hashlib.sha256((folder / _MANIFEST).read_bytes()).hexdigest()


def fingerprint(model: ChurnModel) -> str:
    """A hash of all that a model scores with; its name is not in it.

    Raises
    ------
    BundleError
        If the model is one that is not kept.
    """
    parts, boosters = _parts(model)
    told = json.dumps([parts, boosters], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


_UNREADABLE = (
    ArithmeticError, LookupError, MemoryError, RecursionError, TypeError, ValueError,
)  # fmt: skip
_LONGEST = 36_500  # days
_TRIED = (0.5, 7.0, 1e4, 0.0, -1e4, 1e12)
"""What a model is asked about when it is loaded, beside missing values."""
_TRAIN_AGAIN = "Use an intact copy, or train anew with churnkit train."


def _another_format(written: object) -> str:
    if isinstance(written, int) and written < FORMAT:
        return (
            "It was written by an older churnkit, and its model is told in another way. Train anew "
            "with churnkit train, or go on scoring with the churnkit that wrote it."
        )
    return "It was written by a newer churnkit: install that one, or train anew with this one."


def _belongs(name: str) -> bool:
    return name in {_MODEL, _CARD, _CARD_TEXT} or _is_booster(name)


def _is_booster(name: str) -> bool:
    return _BOOSTER.fullmatch(name) is not None


def _verified(path: Path, expected: str) -> str:
    try:
        content = _regular(path)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error}", _TRAIN_AGAIN) from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise BundleError(
            f"{path} was changed: its sha256 is not the one in the manifest", _TRAIN_AGAIN
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{path} is no text: {error}", _TRAIN_AGAIN) from error


def _regular(path: Path) -> bytes:
    """What is in a file; a pipe or a device in its place might never end."""
    if path.exists() and not path.is_file():
        raise OSError(f"{path.name} is no file")
    return path.read_bytes()


def _parts(model: ChurnModel) -> tuple[dict[str, Any], list[str]]:
    """The model as JSON-ready values, and its boosters as texts."""
    estimator = model.estimator
    told: dict[str, Any] = {
        "rung": model.rung,
        "question": asdict(model.question),
        "names": list(model.names),
        "spec": model.spec.to_dict(),
        "trained_on": list(model.trained_on),
        "estimator": estimator.told(),
        "spend": None if model.spend is None else model.spend.told(),
    }
    if model.middle is not None:
        told["middle"] = [None if np.isnan(value) else value for value in model.middle]
    columns = len(model.names)
    boosters = [(b, columns + estimator.columns_added) for b in estimator.boosters()]
    boosters += [(b, columns) for b in (model.spend.boosters() if model.spend else ())]
    try:
        texts = [checked_trees(b.model_to_string(), known) for b, known in boosters]
    except ValueError as error:
        raise BundleError(
            f"the model cannot be kept: {error}",
            f"Train with up to {MOST_LEAVES} leaves a tree, and a LightGBM that churnkit knows.",
        ) from error
    return told, texts


def _estimators(
    told: Mapping[str, Any], files: Mapping[str, str]
) -> tuple[BinaryClassifier, SpendModel | None]:
    """What tells the churn, and what tells the spend; the boosters of the latter come last."""
    import lightgbm as lgb

    columns, added = len(told["names"]), KINDS[told["estimator"]["kind"]].columns_added
    texts = [files[f"booster-{k}.txt"] for k in range(sum(map(_is_booster, files)))]
    first, spend = told["estimator"]["boosters"], told.get("spend")
    known = [columns + (added if k < first else 0) for k in range(len(texts))]
    trees = [checked_trees(text, n) for text, n in zip(texts, known, strict=True)]
    boosters = [lgb.Booster(model_str=text) for text in trees]
    if spend is None:
        return restored(told["estimator"], boosters), None
    estimator = restored(told["estimator"], boosters[:first])
    return estimator, restored_spend(spend, boosters[first:])


def _middle(told: Mapping[str, Any]) -> tuple[float, ...] | None:
    """The medians of training; bundles written before they were kept have none."""
    if told.get("middle") is None:
        return None
    middle = tuple(np.nan if value is None else float(value) for value in told["middle"])
    _require(len(middle) == len(told["names"]), "it has another number of medians than columns")
    _require(not np.isinf(middle).any(), "its medians are not finite")
    return middle


def _check_use(model: ChurnModel) -> None:
    """Refuse what would fail only when it scores: ValueError and the like tell what is wrong."""
    columns, question = len(model.names), model.question
    _require(all(isinstance(name, str) for name in model.names), "its columns have no names")
    windows = (days for days in model.spec.windows if days is not None)
    for days in (question.horizon_days, question.lookback_days, *windows):
        sound = type(days) is int and 1 <= days <= _LONGEST
        _require(sound, f"{days!r} is no number of days")
    for part in (model.estimator, model.spend):
        horizon = getattr(part, "horizon_days", question.horizon_days)
        _require(horizon == question.horizon_days, "it answers for another horizon than asked")
    _require(bool(model.trained_on), "it does not tell what it was trained on")
    for cutoff in model.trained_on:
        Cutoff.parse(cutoff)
    codes: list[int] = []
    if not model.spec.own:  # features of a project are known only once its file is read
        made = {column.name for column in model.spec.columns()}
        _require(made.issuperset(model.names), "it looks at columns that its features do not make")
        codes = list(model.spec.categorical(model.names))
    known = np.repeat([[np.nan], *([value] for value in _TRIED)], columns, axis=1)
    known[1:, codes] = np.arange(len(_TRIED))[:, None]
    with np.errstate(all="ignore"):
        for rows in (known[:1], known[1:]):  # some kinds look for missing values in all rows first
            _check_numbers(model, rows)


def _check_numbers(model: ChurnModel, rows: np.ndarray) -> None:
    """Refuse a model that does not tell of every row what there is to tell."""
    log_odds, by_path = model.estimator.explained(rows)
    found = {
        "log-odds": (log_odds, (len(rows),)),
        "approximate contributions": (by_path, rows.shape),
        "contributions": (model.estimator.contributions(rows), rows.shape),
    }
    if model.spend is not None:
        spent = model.spend.predict(rows, np.full(len(rows), 100.0))
        found["spend"] = (np.where(spent < 0, np.nan, spent), (len(rows),))
    for what, (numbers, shape) in found.items():
        _require(numbers.shape == shape, f"it gives {what} of another shape")
        _require(bool(np.isfinite(numbers).all()), f"it gives no {what} for every customer")


def _no_number(text: str) -> float:
    raise ValueError(f"it holds {text}")


def _require(sound: bool, otherwise: str) -> None:
    if not sound:
        raise ValueError(otherwise)


def _manifest(folder: Path) -> dict[str, Any]:
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }
    return {"format": FORMAT, "sha256": digests}


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
