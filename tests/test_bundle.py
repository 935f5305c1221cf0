"""The model on disk: the same numbers come back, and nothing that was changed is ever parsed.

LightGBM's own parser believes what it reads: a changed text can crash the process, hang it, or
change scores unseen. Most tests therefore forbid it to be called at all.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from churnkit import bundle
from churnkit.errors import BundleError, ConfigError
from churnkit.training import card_text

TREES, RULE = "lightgbm", "rfm_logistic"
BOTH = pytest.mark.parametrize("rung", [TREES, RULE])


@pytest.fixture(scope="module")
def models(model, rules):
    return {TREES: model, RULE: rules[RULE]}


@pytest.fixture(scope="module")
def card(training) -> dict[str, Any]:
    return training.card()


@pytest.fixture(scope="module")
def saved(models, card, tmp_path_factory) -> dict[str, Path]:
    """A bundle of trees and one of a rule; never to be changed."""
    folder = tmp_path_factory.mktemp("saved")
    return {
        rung: bundle.save(models[rung], folder / rung, card, card_text(card))
        for rung in (TREES, RULE)
    }


@pytest.fixture
def copied(saved, tmp_path):
    """Makes a copy of a bundle that may be changed."""
    return lambda rung=TREES: shutil.copytree(saved[rung], tmp_path / rung)


@pytest.fixture
def no_parser(monkeypatch) -> None:
    """LightGBM must not be asked to read anything."""

    def explode(*_, **__):
        raise AssertionError("LightGBM was given an unverified text")

    monkeypatch.setattr("lightgbm.Booster", explode)


def refused(folder: Path) -> str:
    """What is said of a bundle that neither loads nor shows its card."""
    with pytest.raises(BundleError) as refusal:
        bundle.load(folder)
    assert refusal.value.exit_code == 5
    with pytest.raises(BundleError):
        bundle.card(folder)
    return refusal.value.found


# ── There and back ──────────────────────────────────────────────────────────────────────────


@BOTH
def test_a_loaded_model_gives_the_same_bits(models, saved, scores, rung):
    before, after = models[rung], bundle.load(saved[rung])
    features = scores.features
    assert np.array_equal(after.churn_probability(features), before.churn_probability(features))
    assert np.array_equal(after.contributions(features), before.contributions(features))


@BOTH
def test_a_loaded_model_is_the_same_in_all_else(models, saved, rung):
    before, after = models[rung], bundle.load(saved[rung])
    for told in ("rung", "names", "spec", "question", "trained_on"):
        assert getattr(after, told) == getattr(before, told), told
    assert after.estimator.get_params() == before.estimator.get_params()
    assert after.version == rung


@BOTH
def test_saved_again_it_gives_the_same_bits(models, saved, scores, card, tmp_path, rung):
    again = bundle.save(bundle.load(saved[rung]), tmp_path / "again", card, "")
    once, twice = (json.loads((f / "model.json").read_text()) for f in (saved[rung], again))
    assert twice == once
    expected = models[rung].churn_probability(scores.features)
    assert np.array_equal(bundle.load(again).churn_probability(scores.features), expected)


@pytest.mark.parametrize(
    ("rung", "files"),
    [
        (TREES, {"booster-0.txt", "booster-1.txt"}),
        (RULE, set()),
    ],
)
def test_a_bundle_is_a_folder_of_texts(saved, rung, files):
    there = {path.name for path in saved[rung].iterdir()}
    assert there == {"manifest.json", "model.json", "card.json", "card.md", *files}
    for path in saved[rung].iterdir():
        assert "\r" not in path.read_text(encoding="utf-8")


def test_the_card_comes_back(saved, card):
    assert bundle.card(saved[TREES]) == card


def test_the_same_model_has_the_same_digest(saved, models, card, tmp_path):
    again = bundle.save(models[TREES], tmp_path / "again", card, card_text(card))
    assert bundle.digest(again) == bundle.digest(saved[TREES])
    assert bundle.digest(again) != bundle.digest(saved[RULE])


# ── Every change is noticed ─────────────────────────────────────────────────────────────────


@BOTH
def test_flipped_bits_are_refused(saved, copied, no_parser, rung):
    """A sample of all bits of all files, as many of each file."""
    folder, rng = copied(rung), np.random.default_rng(7)
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for bit in rng.integers(8 * len(content), size=60):
            flipped = bytearray(content)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            with pytest.raises(BundleError):
                bundle.load(folder)
        path.write_bytes(content)
    assert bundle.verify(folder).keys() == bundle.verify(saved[rung]).keys()


def test_every_flipped_bit_of_the_manifest_is_refused(copied, no_parser):
    folder = copied(RULE)
    content = (folder / "manifest.json").read_bytes()
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        (folder / "manifest.json").write_bytes(flipped)
        with pytest.raises(BundleError):
            bundle.verify(folder)


@pytest.mark.parametrize(
    "name", ["manifest.json", "model.json", "booster-1.txt", "card.json", "card.md"]
)
class TestOneFile:
    def test_cut_off_it_is_refused(self, copied, no_parser, name):
        folder = copied()
        content = (folder / name).read_bytes()
        for length in (0, 1, len(content) // 2, len(content) - 1):
            (folder / name).write_bytes(content[:length])
            assert refused(folder)

    def test_missing_it_is_refused(self, copied, no_parser, name):
        folder = copied()
        (folder / name).unlink()
        assert {name, "bundle"} & set(re.findall(r"[\w.-]+", refused(folder)))

    def test_a_folder_in_its_place_is_refused(self, copied, no_parser, name):
        folder = copied()
        (folder / name).unlink()
        (folder / name).mkdir()
        assert refused(folder)

    def test_an_error_page_in_its_place_is_refused(self, copied, no_parser, name):
        folder = copied()
        (folder / name).write_text("<!doctype html><title>502 Bad Gateway</title>")
        assert refused(folder)


# ── What is no bundle ───────────────────────────────────────────────────────────────────────


def plant(folder: Path, name: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("raise SystemExit('this must never run')")


@pytest.mark.parametrize(
    "name", ["model.pkl", "code/churnkit.py", "loader.py", "MLmodel", ".hidden", "booster-2.txt"]
)
def test_a_file_too_many_is_refused(copied, no_parser, name):
    folder = copied()
    plant(folder, name)
    assert name.partition("/")[0] in refused(folder)


@pytest.mark.parametrize("name", ["model.pkl", "loader.py", "MLmodel", ".hidden", "booster-x.txt"])
def test_a_file_that_does_not_belong_is_refused_though_the_manifest_names_it(
    copied, no_parser, name
):
    folder = copied()
    plant(folder, name)
    sign(folder)
    assert name in refused(folder)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert "is not a model bundle" in refused(tmp_path / "nowhere")


def test_an_empty_folder_is_refused(tmp_path):
    assert "is not a model bundle" in refused(tmp_path)


def test_a_file_is_no_bundle(tmp_path):
    (tmp_path / "model").write_text("tree")
    assert "is not a model bundle" in refused(tmp_path / "model")


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", "7", '{"format": 2}', '{"format": 2, "sha256": 7}', "[" * 99_999],
    ids=lambda text: text[:30],
)
def test_a_manifest_that_tells_nothing_is_refused(copied, no_parser, text):
    folder = copied()
    (folder / "manifest.json").write_text(text)
    assert "is not a model bundle" in refused(folder)


def test_another_format_is_refused_by_its_number(copied, no_parser):
    folder = copied()
    told = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**told, "format": 1}))
    assert "is a bundle of format 1; this churnkit reads format 2" in refused(folder)


# ── Signed anew ─────────────────────────────────────────────────────────────────────────────

# Digests tell of accidents. Whoever changes a file on purpose can write them anew.


def sign(folder: Path) -> None:
    """A manifest that fits the files as they are."""
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").write_text(json.dumps(bundle._manifest(folder)))


def forged(folder: Path, change, name: str = "booster-0.txt") -> Path:
    text = (folder / name).read_text()
    assert change(text) != text
    (folder / name).write_text(change(text), newline="")
    sign(folder)
    return folder


def in_tree(k: int, name: str, position: int, value: str):
    """Changes a number of one line of a tree, and keeps the sizes in the head right."""

    def change(text: str) -> str:
        head, _, rest = text.partition("\n\nTree=0\n")
        blocks = ("Tree=0\n" + rest.partition("end of trees")[0]).split("\n\n\n")[:-1]
        lines = blocks[k].split("\n")
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{name}="))
        numbers = lines[at].partition("=")[2].split(" ")
        numbers[position] = value
        lines[at] = f"{name}={' '.join(numbers)}"
        blocks[k] = "\n".join(lines)
        return rebuilt(head, blocks)

    return change


def very_deep(text: str) -> str:
    """A sound tree of 2000 leaves, one below the other, in place of the first."""
    head, _, _ = text.partition("\n\nTree=0\n")
    nodes = range(1999)
    of_splits = "split_feature split_gain threshold internal_value internal_weight internal_count"
    lines = {name: [1] * 1999 for name in of_splits.split()}
    lines |= {name: [1] * 2000 for name in ("leaf_value", "leaf_weight", "leaf_count")}
    lines |= {"left_child": [~k for k in nodes], "right_child": [*range(1, 1999), ~1999]}
    lines |= {"decision_type": [2] * 1999, "num_leaves": [2000], "num_cat": [0], "is_linear": [0]}
    told = [f"{name}={' '.join(map(str, numbers))}" for name, numbers in lines.items()]
    return rebuilt(head, ["\n".join(["Tree=0", *told])])


def rebuilt(head: str, blocks: list[str]) -> str:
    sizes = " ".join(str(len(block) + 3) for block in blocks)
    lines = [line for line in head.split("\n") if not line.startswith("tree_sizes=")]
    body = "".join(f"{block}\n\n\n" for block in blocks)
    return "\n".join([*lines, f"tree_sizes={sizes}", "", body]) + "end of trees\n"


def test_the_forger_of_these_tests_can_make_a_sound_bundle(copied, saved, scores):
    """A threshold is changed, and with it the scores: the digest is all that tells."""
    folder = forged(copied(), in_tree(0, "threshold", 0, "1e9"))
    honest, changed = bundle.load(saved[TREES]), bundle.load(folder)
    features = scores.features
    before, after = honest.churn_probability(features), changed.churn_probability(features)
    assert not np.array_equal(before, after)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(in_tree(3, "left_child", 0, "0"), id="a node that is its own child"),
        pytest.param(in_tree(3, "left_child", 2, "1"), id="a circle"),
        pytest.param(in_tree(3, "right_child", 0, "99"), id="a node out of range"),
        pytest.param(in_tree(3, "right_child", 0, "-99"), id="a leaf out of range"),
        pytest.param(in_tree(3, "right_child", 0, "1.0"), id="half an index"),
        pytest.param(in_tree(3, "left_child", 0, "1_0"), id="an index that Python reads otherwise"),
        pytest.param(in_tree(3, "split_feature", 0, "10000"), id="a feature out of range"),
        pytest.param(in_tree(3, "split_feature", 0, "-1"), id="a feature below zero"),
        pytest.param(in_tree(3, "decision_type", 0, "1"), id="a categorical split"),
        pytest.param(in_tree(3, "leaf_value", 0, "nan"), id="a leaf that is no number"),
        pytest.param(in_tree(3, "leaf_value", 0, "1e999"), id="an infinite leaf"),
        pytest.param(in_tree(3, "leaf_value", 0, "1 2"), id="a leaf too many"),
        pytest.param(in_tree(3, "threshold", 0, ""), id="a threshold too few"),
        pytest.param(in_tree(3, "leaf_weight", 0, ""), id="a weight too few"),
        pytest.param(in_tree(3, "split_gain", 0, "much"), id="a gain that is no number"),
        pytest.param(in_tree(3, "num_leaves", 0, "99999999"), id="leaves that are not there"),
        pytest.param(in_tree(3, "num_cat", 0, "1"), id="categories"),
        pytest.param(in_tree(3, "is_linear", 0, "1"), id="linear leaves"),
        pytest.param(lambda text: text.replace("tree_sizes=", "tree_sizes=9"), id="a false size"),
        pytest.param(lambda text: text.replace("tree_sizes=", "sizes="), id="no sizes"),
        pytest.param(
            lambda text: text.replace("feature_idx=", "feature_idx=9"), id="other features"
        ),
        pytest.param(lambda text: text.replace("num_class=1", "num_class=9"), id="other classes"),
        pytest.param(
            lambda text: text.replace("split_gain=", "left_child=0 0 0 0 0 0\nsplit_gain=", 1),
            id="a line given twice",
        ),
        pytest.param(in_tree(3, "split_gain", 0, "1\n2"), id="a line without a name"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="other line ends"),
        pytest.param(very_deep, id="a tree too deep to walk"),
        pytest.param(lambda text: text[: len(text) // 3], id="half a text"),
        pytest.param(lambda _: "", id="no text"),
        pytest.param(lambda _: "<html>", id="a page"),
    ],
)
def test_trees_that_would_crash_or_hang_are_refused(copied, no_parser, change):
    with pytest.raises(BundleError, match="cannot be used"):
        bundle.load(forged(copied(), change))


def test_the_parameters_after_the_trees_are_never_parsed(copied, saved, scores):
    """A line of them without its colon is enough to crash LightGBM."""
    folder = forged(copied(), lambda text: text.replace("[feature_contri: ]", "[feature_contri ]"))
    features = scores.features
    found, expected = (bundle.load(f).churn_probability(features) for f in (folder, saved[TREES]))
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda told: {}, id="nothing"),
        pytest.param(lambda told: [told], id="a list"),
        pytest.param(lambda told: {**told, "parameters": {"shell": "rm"}}, id="odd parameters"),
        pytest.param(lambda told: {**told, "spec": None}, id="no features"),
        pytest.param(
            lambda told: {**told, "question": {"churn": "whim"}}, id="an unknown question"
        ),
        pytest.param(
            lambda told: {**told, "parameters": {**told["parameters"], "seeds": 3}},
            id="a booster that is not there",
        ),
    ],
)
def test_a_model_that_cannot_be_understood_is_refused(copied, no_parser, change, monkeypatch):
    monkeypatch.setattr("lightgbm.Booster", lambda **_: None)
    folder = forged(copied(), lambda text: json.dumps(change(json.loads(text))), "model.json")
    with pytest.raises(BundleError, match="cannot be used"):
        bundle.load(folder)


# ── Saving ──────────────────────────────────────────────────────────────────────────────────


def test_saving_replaces_no_bundle(models, saved, card):
    before = bundle.digest(saved[RULE])
    with pytest.raises(ConfigError, match="cannot be written"):
        bundle.save(models[TREES], saved[RULE], card, "")
    assert bundle.digest(saved[RULE]) == before
    assert bundle.load(saved[RULE]).rung == RULE


def test_a_failure_leaves_nothing_half_written(models, tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        bundle.save(models[TREES], tmp_path / "new", {"auroc": float("nan")}, "")
    assert not list(tmp_path.iterdir())
