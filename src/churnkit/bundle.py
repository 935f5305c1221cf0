"""The model on disk: a folder of text files under a manifest, verified before anything is parsed.

::

    manifest.json        format version, sha256 of every other file
    model.json           rung, question, features, training cutoffs, parameters
    booster-0.txt …      LightGBM text models, for the trees
    card.json, card.md   what the model is, how it was tested, what it must not be used for

No pickle, no code. A LightGBM text file with a flipped bit can crash the process or change
scores unseen, so nothing reaches its parser before its digest is checked. Digests can be written
anew by whoever changes a file, so trees that would crash or hang the process are looked for, too.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from churnkit.atomic import whole_folder
from churnkit.errors import BundleError, ConfigError
from churnkit.estimators import ChurnClassifier, PlainRule
from churnkit.features import FeatureSpec
from churnkit.labels import Question
from churnkit.model import ChurnModel, Estimator

FORMAT = 2
_MANIFEST, _MODEL = "manifest.json", "model.json"
_CARD, _CARD_TEXT = "card.json", "card.md"
_BOOSTER = re.compile(r"booster-\d+\.txt")
_RULE_ARRAYS = ("mean_", "scale_", "coef_")
_LINKS = ("split_feature", "decision_type", "left_child", "right_child")
_OF_SPLITS = (*_LINKS, "split_gain", "internal_value", "internal_weight", "internal_count")
_OF_LEAVES = ("leaf_weight", "leaf_count")
_MOST_LEAVES = 1024  # LightGBM walks down a tree by recursion
_PLAIN_NUMBERS = re.compile(r"(?:inf|[-+.0-9e ])*")  # a missing value alone splits at "inf"
_TREE_LINE = re.compile(r"[a-z_]+=[^=]*")
_CATEGORICAL = 1  # the bit of a decision type under which LightGBM follows further indices


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
        told = json.loads(files[_MODEL])
        return ChurnModel(
            rung=told["rung"],
            estimator=_estimator(told, files),
            names=tuple(told["names"]),
            spec=FeatureSpec.from_dict(told["spec"]),
            question=Question(**told["question"]),
            trained_on=tuple(told["trained_on"]),
            version=folder.name,
        )
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
    told: dict[str, Any] = json.loads(verify(folder)[_CARD])
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
    except (OSError, *_UNREADABLE) as error:
        raise BundleError(f"{folder} is not a model bundle ({error!r})", _TRAIN_AGAIN) from error
    if written != FORMAT:
        raise BundleError(
            f"{folder} is a bundle of format {written}; this churnkit reads format {FORMAT}",
            "Train anew with this version, or install the one that wrote it.",
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


_UNREADABLE = (ValueError, KeyError, TypeError, RecursionError)
_TRAIN_AGAIN = "Use an intact copy, or train anew with churnkit train."


def _belongs(name: str) -> bool:
    return name in {_MODEL, _CARD, _CARD_TEXT} or _BOOSTER.fullmatch(name) is not None


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
        trees = [_checked_trees(text, len(told["names"])) for text in texts]
        estimator.boosters_ = [lgb.Booster(model_str=text) for text in trees]
    estimator.classes_ = np.array([False, True])
    estimator.n_features_in_ = len(told["names"])
    return estimator


def _checked_trees(text: str, features: int) -> str:
    """The part of a LightGBM text that holds the trees, once it is known to be sound.

    LightGBM believes the sizes, lengths and indices that it is told: it would follow them out of
    its memory, or in a circle. ValueError or KeyError tells what is wrong.
    """
    _require(text.isascii() and not {"\r", "\0"} & set(text), "the trees are no plain text")
    start = text.index("\nTree=") + 1
    told = _pairs(text[:start].split("\n"))
    kind = told["num_class"], told["num_tree_per_iteration"], told["max_feature_idx"]
    _require(kind == ("1", "1", str(features - 1)), "the trees are for other features")
    for k, size in enumerate(_numbers(told["tree_sizes"], int)):
        _check_tree(text[start : start + size], k, features)
        start += size
    _require(text.startswith("end of trees\n", start), "the trees are cut off")
    # What follows are parameters of the training, which LightGBM reads no more carefully.
    return text[:start] + "end of trees\n"


def _check_tree(text: str, k: int, features: int) -> None:
    first, *lines = text.removesuffix("\n\n\n").split("\n")
    # LightGBM looks for the next "=", be it on another line, and reads 22 lines at most.
    plain = all(map(_TREE_LINE.fullmatch, lines)) and len(lines) <= 20
    _require(first == f"Tree={k}" and plain, f"tree {k} is cut off")
    told = _pairs(lines)
    numbers = {name: _numbers(value, float) for name, value in told.items()}
    leaves, splits = len(numbers["leaf_value"]), len(numbers["threshold"])
    kind = told["num_leaves"], told["num_cat"], told["is_linear"]
    _require(kind == (str(leaves), "0", "0"), f"tree {k} is of another kind")
    _require(splits + 1 == leaves <= _MOST_LEAVES, f"tree {k} has {leaves} leaves")
    _require(all(map(math.isfinite, numbers["leaf_value"])), f"tree {k} gives infinite scores")
    if splits:
        short = [n for n in _OF_SPLITS if len(numbers[n]) != splits]
        short += [n for n in _OF_LEAVES if len(numbers[n]) != leaves]
        _require(not short, f"tree {k} has odd lengths: {short}")
    links = zip(range(splits), *(_numbers(told[name], int) for name in _LINKS), strict=True)
    for node, feature, decision, *children in links:
        # Nodes are numbered as they were split, so every child comes after its parent.
        sound = all(node < child < splits or -leaves <= child < 0 for child in children)
        inside = 0 <= feature < features and not decision & _CATEGORICAL
        _require(sound and inside, f"tree {k} points outside of itself")


def _numbers(text: str, read: Callable[[str], Any]) -> list[Any]:
    # Python would read "1_0" as ten, where LightGBM reads one and then nothing.
    _require(_PLAIN_NUMBERS.fullmatch(text) is not None, f"no numbers: {text[:20]!r}")
    return [read(number) for number in text.split()]


def _pairs(lines: Iterable[str]) -> dict[str, str]:
    pairs = [line.partition("=")[::2] for line in lines if line]
    told = dict(pairs)
    _require(len(told) == len(pairs), "a line stands twice")
    return told


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
