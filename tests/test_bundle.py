"""The model on disk: the same numbers come back, and nothing that was changed is ever parsed.

LightGBM's own parser believes what it reads: a changed text can crash the process, hang it, or
change scores unseen. Most tests therefore forbid it to be called at all.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone

from churnkit import bundle
from churnkit.errors import BundleError, ConfigError
from churnkit.estimators import Blend, Calibrated, ChurnClassifier, Hazard, PlainRule
from churnkit.features import Features, build_features
from churnkit.features.static import StaticColumn
from churnkit.model import ChurnModel

TREES, RULE, BLEND, CODES = "lightgbm", "rfm_logistic", "blend", "codes"
SCALED, HAZARD = "scaled", "hazard"
SMALL = ChurnClassifier(trees=20, seeds=2)
ESTIMATORS = {
    TREES: SMALL,
    RULE: PlainRule([0, 3]),
    BLEND: Blend(
        [SMALL, PlainRule(), Blend([PlainRule([1]), ChurnClassifier(trees=5, seeds=1)], [1, 1])],
        [2, 1, 1],
    ),
    CODES: ChurnClassifier(trees=20, seeds=1, categorical=[0]),
    SCALED: Calibrated(PlainRule([0, 3])),
    HAZARD: Hazard(10, 30, SMALL),
}
ALL = pytest.mark.parametrize("rung", list(ESTIMATORS))


@pytest.fixture(scope="module")
def table(logs, as_of) -> Features:
    """A row for each customer; the first column holds codes, which churn depends on."""
    features = build_features(logs, as_of)
    codes = np.random.default_rng(0).integers(70, size=len(features))
    others = {name: features.columns[name] for name in features.names[1:]}
    region = StaticColumn("region", tuple(f"region {k:02}" for k in range(70)))
    return replace(
        features,
        columns={"region": codes.astype(np.float32), **others},
        spec=replace(features.spec, static=(region,)),
    )


@pytest.fixture(scope="module")
def models(table, question) -> dict[str, ChurnModel]:
    names = table.names
    X = table.matrix(names)
    codes = X[:, 0]
    churned = codes + 10 * np.isin(codes % 7, [2, 4]) > np.median(codes) + 3
    target = {HAZARD: np.where(churned, np.inf, codes % 30)}
    return {
        rung: ChurnModel(
            rung, clone(estimator).fit(X, target.get(rung, churned)), names, table.spec, question,
            ("2024-04-15",),
        )
        for rung, estimator in ESTIMATORS.items()
    }  # fmt: skip


CARD: dict[str, Any] = {"question": "who buys nothing?", "auroc": 0.75}
CARD_TEXT = "# Card\n\nWho buys nothing? AUROC .75 – later in time.\n"


@pytest.fixture(scope="module")
def saved(models, tmp_path_factory) -> dict[str, Path]:
    """A bundle of each kind; never to be changed."""
    folder = tmp_path_factory.mktemp("saved")
    return {rung: bundle.save(models[rung], folder / rung, CARD, CARD_TEXT) for rung in models}


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


@ALL
def test_a_loaded_model_gives_the_same_bits(models, saved, table, rung):
    before, after = models[rung], bundle.load(saved[rung])
    assert np.array_equal(after.churn_probability(table), before.churn_probability(table))
    assert np.array_equal(after.contributions(table), before.contributions(table))


@ALL
def test_a_loaded_model_is_the_same_in_all_else(models, saved, rung):
    before, after = models[rung], bundle.load(saved[rung])
    for told in ("rung", "names", "spec", "question", "trained_on"):
        assert getattr(after, told) == getattr(before, told), told
    assert after.estimator.told() == before.estimator.told()
    assert str(after.estimator) == str(before.estimator)
    assert after.version == rung


@ALL
def test_saved_again_it_gives_the_same_bits(models, saved, table, tmp_path, rung):
    again = bundle.save(bundle.load(saved[rung]), tmp_path / "again", CARD, "")
    once, twice = (json.loads((f / "model.json").read_text()) for f in (saved[rung], again))
    assert twice == once
    expected = models[rung].churn_probability(table)
    assert np.array_equal(bundle.load(again).churn_probability(table), expected)


@pytest.mark.parametrize(
    ("rung", "files"),
    [
        (TREES, {"booster-0.txt", "booster-1.txt"}),
        (RULE, set()),
        (BLEND, {"booster-0.txt", "booster-1.txt", "booster-2.txt"}),
    ],
)
def test_a_bundle_is_a_folder_of_texts(saved, rung, files):
    there = {path.name for path in saved[rung].iterdir()}
    assert there == {"manifest.json", "model.json", "card.json", "card.md", *files}
    for path in saved[rung].iterdir():
        assert "\r" not in path.read_text(encoding="utf-8")


def test_a_bundle_of_the_format_before_loads_and_expects_last_years_spend(saved, copied):
    folder = forged(copied(), without_spend, "model.json")
    told = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**told, "format": 3}))
    loaded = bundle.load(folder)
    assert loaded.spend is None
    assert loaded.estimator.told() == bundle.load(saved[TREES]).estimator.told()


def without_spend(text: str) -> str:
    told = json.loads(text)
    del told["spend"]
    return json.dumps(told)


def test_the_card_comes_back(saved):
    assert bundle.card(saved[TREES]) == CARD


def test_the_same_model_has_the_same_digest(saved, models, tmp_path):
    again = bundle.save(models[TREES], tmp_path / "again", CARD, CARD_TEXT)
    assert bundle.digest(again) == bundle.digest(saved[TREES])
    assert bundle.digest(again) != bundle.digest(saved[RULE])


# ── Every change is noticed ─────────────────────────────────────────────────────────────────


@ALL
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


@pytest.mark.parametrize(
    ("written", "mend"),
    [(2, "older churnkit.*Train anew"), (5, "newer churnkit: install"), ("4", "newer churnkit")],
)
def test_another_format_is_refused_with_what_it_needs(copied, no_parser, written, mend):
    folder = copied()
    told = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**told, "format": written}))
    assert f"is a bundle of format {written}; this churnkit reads format 4" in refused(folder)
    with pytest.raises(BundleError) as refusal:
        bundle.load(folder)
    assert re.match(f"It was written by an? {mend}", refusal.value.mend)


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


def test_the_forger_of_these_tests_can_make_a_sound_bundle(copied, saved, table):
    """A threshold is changed, and with it the scores: the digest is all that tells."""
    folder = forged(copied(), in_tree(0, "threshold", 0, "1e9"))
    honest, changed = bundle.load(saved[TREES]), bundle.load(folder)
    before, after = honest.churn_probability(table), changed.churn_probability(table)
    assert not np.array_equal(before, after)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(in_tree(3, "left_child", 0, "0"), id="a node that is its own child"),
        pytest.param(in_tree(3, "left_child", 1, "0"), id="a circle"),
        pytest.param(in_tree(3, "right_child", 0, "99"), id="a node out of range"),
        pytest.param(in_tree(3, "right_child", 0, "-99"), id="a leaf out of range"),
        pytest.param(in_tree(3, "right_child", 0, "1.0"), id="half an index"),
        pytest.param(in_tree(3, "left_child", 0, "1_0"), id="an index that Python reads otherwise"),
        pytest.param(in_tree(3, "split_feature", 0, "10000"), id="a feature out of range"),
        pytest.param(in_tree(3, "split_feature", 0, "-1"), id="a feature below zero"),
        pytest.param(in_tree(3, "decision_type", 0, "1"), id="a split by categories not there"),
        pytest.param(in_tree(3, "leaf_value", 0, "nan"), id="a leaf that is no number"),
        pytest.param(in_tree(3, "leaf_value", 0, "1e999"), id="an infinite leaf"),
        pytest.param(in_tree(3, "leaf_value", 0, "1 2"), id="a leaf too many"),
        pytest.param(in_tree(3, "threshold", 0, ""), id="a threshold too few"),
        pytest.param(in_tree(3, "leaf_weight", 0, ""), id="a weight too few"),
        pytest.param(in_tree(3, "split_gain", 0, "much"), id="a gain that is no number"),
        pytest.param(in_tree(3, "num_leaves", 0, "99999999"), id="leaves that are not there"),
        pytest.param(in_tree(3, "num_cat", 0, "1"), id="categories that are not there"),
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


def categories(name: str, change: Callable[[list[str]], list[str]]) -> Callable[[str], str]:
    """Changes a line of the first tree that splits by at least two sets of categories."""

    def changed(text: str) -> str:
        head, _, rest = text.partition("\n\nTree=0\n")
        blocks = ("Tree=0\n" + rest.partition("end of trees")[0]).split("\n\n\n")[:-1]
        k = next(k for k, block in enumerate(blocks) if re.search("num_cat=[2-9]", block))
        (line,) = re.findall(f"^{name}=.*$", blocks[k], re.MULTILINE)
        numbers = change(line.partition("=")[2].split(" "))
        blocks[k] = blocks[k].replace(f"\n{line}", f"\n{name}={' '.join(numbers)}")
        return rebuilt(head, blocks)

    return changed


def by_categories(text: str) -> int:
    """Position of the first split by categories in the tree that `categories` changes."""
    block = next(b for b in text.split("\n\n\n") if re.search("num_cat=[2-9]", b))
    (types,) = re.findall("decision_type=(.*)", block)
    return [int(number) & 1 for number in types.split(" ")].index(1)


def of_the_split(value: str) -> Callable[[str], str]:
    """Another set of categories for a split."""

    def changed(text: str) -> str:
        at = by_categories(text)
        return categories("threshold", lambda n: [*n[:at], value, *n[at + 1 :]])(text)

    return changed


def test_splits_by_categories_are_what_the_next_tests_change(saved):
    text = (saved[CODES] / "booster-0.txt").read_text()
    assert categories("cat_threshold", lambda numbers: numbers)(text) == text
    assert by_categories(text) >= 0


def test_other_categories_make_a_sound_bundle(copied, saved, table):
    """The word is the digest's alone to tell."""
    changed = categories("cat_threshold", lambda n: [str(2**32 - 1), *n[1:]])
    folder = forged(copied(CODES), changed)
    before, after = (bundle.load(f).churn_probability(table) for f in (saved[CODES], folder))
    assert not np.array_equal(before, after)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(of_the_split("99"), id="a set out of range"),
        pytest.param(of_the_split("-1"), id="a set below zero"),
        pytest.param(of_the_split("0.5"), id="half a set"),
        pytest.param(of_the_split("1e99"), id="a set beyond all integers"),
        pytest.param(of_the_split("inf"), id="an infinite set"),
        pytest.param(of_the_split("nan"), id="a set that is no number"),
        pytest.param(categories("num_cat", lambda _: ["99999999"]), id="sets that are not there"),
        pytest.param(categories("num_cat", lambda _: ["-1"]), id="fewer sets than none"),
        pytest.param(categories("num_cat", lambda _: ["0"]), id="no sets"),
        pytest.param(categories("num_cat", lambda _: ["1"]), id="fewer sets than splits use"),
        pytest.param(categories("num_cat", lambda n: [*n, *n]), id="two numbers of sets"),
        pytest.param(categories("num_cat", lambda _: []), id="no number of sets"),
        pytest.param(categories("cat_boundaries", lambda n: n[:-1]), id="a bound too few"),
        pytest.param(categories("cat_boundaries", lambda n: [*n, n[-1]]), id="a bound too many"),
        pytest.param(categories("cat_boundaries", lambda n: ["-9", *n[1:]]), id="below the words"),
        pytest.param(categories("cat_boundaries", lambda n: ["1", *n[1:]]), id="a late start"),
        pytest.param(
            categories("cat_boundaries", lambda n: [*n[:-1], "9999999"]), id="beyond the words"
        ),
        pytest.param(
            categories("cat_boundaries", lambda n: [n[0], "9999999", *n[2:]]), id="there and back"
        ),
        pytest.param(
            categories("cat_boundaries", lambda n: [n[0], "0", *n[2:]]), id="a set of no words"
        ),
        pytest.param(
            categories("cat_boundaries", lambda n: [n[0], "1.0", *n[2:]]), id="half a bound"
        ),
        pytest.param(categories("cat_threshold", lambda n: n[:-1]), id="a word too few"),
        pytest.param(categories("cat_threshold", lambda n: [*n, "1"]), id="a word too many"),
        pytest.param(
            categories("cat_threshold", lambda n: [str(2**32), *n[1:]]), id="a word too long"
        ),
        pytest.param(categories("cat_threshold", lambda n: ["-1", *n[1:]]), id="a word below zero"),
        pytest.param(categories("cat_threshold", lambda n: ["x", *n[1:]]), id="a word of letters"),
        pytest.param(
            lambda text: text.replace("cat_boundaries=", "bat_boundaries="), id="no bounds"
        ),
        pytest.param(lambda text: text.replace("cat_threshold=", "bat_threshold="), id="no words"),
    ],
)
def test_categories_that_would_crash_are_refused(copied, no_parser, change):
    with pytest.raises(BundleError, match="cannot be used"):
        bundle.load(forged(copied(CODES), change))


def test_the_parameters_after_the_trees_are_never_parsed(copied, saved, table):
    """A line of them without its colon is enough to crash LightGBM."""
    odd = "\nparameters:\n[feature_contri ]\nend of parameters\n"
    folder = forged(copied(), lambda text: text + odd)
    found, expected = (bundle.load(f).churn_probability(table) for f in (folder, saved[TREES]))
    assert np.array_equal(found, expected)


def within(*keys: str, **values: Any) -> Callable[[Any], Any]:
    """Changes values of a dictionary that lies in others under these keys."""

    def change(told: Any) -> Any:
        if not keys:
            return {**told, **values}
        return {**told, keys[0]: within(*keys[1:], **values)(told[keys[0]])}

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda told: {}, id="nothing"),
        pytest.param(lambda told: [told], id="a list"),
        pytest.param(within("estimator", parameters={"shell": "rm"}), id="odd parameters"),
        pytest.param(within("estimator", kind="Popen"), id="an unknown kind"),
        pytest.param(within("estimator", state={}), id="nothing fitted"),
        pytest.param(within("estimator", "state", columns=3), id="other columns"),
        pytest.param(within("estimator", "parameters", seeds=3), id="too many seeds"),
        pytest.param(within("estimator", boosters=3), id="a booster that is not there"),
        pytest.param(within("estimator", "parameters", seeds=10**12), id="seeds without end"),
        pytest.param(within("estimator", boosters=1), id="a booster that nobody wants"),
        pytest.param(lambda told: {**told, "spec": None}, id="no features"),
        pytest.param(
            lambda told: {**told, "question": {"churn": "whim"}}, id="an unknown question"
        ),
    ],
)
def test_a_model_that_cannot_be_understood_is_refused(copied, no_parser, change, monkeypatch):
    monkeypatch.setattr("lightgbm.Booster", lambda **_: None)
    folder = forged(copied(), lambda text: json.dumps(change(json.loads(text))), "model.json")
    with pytest.raises(BundleError, match="cannot be used"):
        bundle.load(folder)


def fewer_boosters(told: Any) -> Any:
    first = told["estimator"]["state"]["members"][0]
    first["boosters"], first["parameters"]["seeds"] = 1, 1
    return told


@pytest.mark.parametrize(
    ("rung", "change"),
    [
        pytest.param(RULE, within("estimator", "state", coef_=[1.0]), id="a coefficient only"),
        pytest.param(RULE, within("estimator", "state", coef_=["x"] * 4), id="letters"),
        pytest.param(RULE, within("estimator", "state", intercept_=float("nan")), id="no number"),
        pytest.param(RULE, within("estimator", "parameters", columns=[0, 9999]), id="no column"),
        pytest.param(BLEND, within("estimator", "state", members=[]), id="no members"),
        pytest.param(BLEND, within("estimator", "state", weights_=[1.0]), id="a weight only"),
        pytest.param(BLEND, within("estimator", "state", members=[{}, {}, {}]), id="empty ones"),
        pytest.param(BLEND, fewer_boosters, id="boosters that no member tells of"),
        pytest.param(BLEND, within("estimator", kind="ChurnClassifier"), id="another kind"),
        pytest.param(RULE, within("estimator", "state", scale_=[0.0, 1.0]), id="no spread"),
        pytest.param(RULE, within("estimator", "state", intercept_=[1.0, 2.0]), id="two numbers"),
        pytest.param(TREES, within(names=list(range(222))), id="columns without names"),
        pytest.param(TREES, within(trained_on=[]), id="no training"),
        pytest.param(TREES, within(trained_on=["long ago"]), id="an odd cutoff"),
        pytest.param(TREES, within("question", horizon_days=1e300), id="an endless horizon"),
        pytest.param(TREES, within("question", lookback_days=True), id="a lookback of yes"),
        pytest.param(TREES, within("spec", windows=["x"]), id="odd windows"),
        pytest.param(CODES, within("estimator", "parameters", categorical=[0, 1]), id="codes"),
        pytest.param(SCALED, within("estimator", "state", slope_=[1.0, 2.0]), id="two slopes"),
        pytest.param(HAZARD, within("estimator", "state", base_=[0.0, 1.0]), id="two bases"),
        pytest.param(
            HAZARD, within("estimator", "parameters", horizon_days=10**15), id="days without end"
        ),
        pytest.param(
            HAZARD,
            within("estimator", "parameters", horizon_days=30_000, step_days=1),
            id="steps without end",
        ),
        pytest.param(HAZARD, within("estimator", "parameters", step_days=0), id="no step"),
        pytest.param(HAZARD, within("estimator", "parameters", step_days=7.5), id="half a day"),
        pytest.param(HAZARD, within("question", horizon_days=60), id="another horizon"),
    ],
)
def test_fitted_values_that_give_no_probability_are_refused(copied, change, rung):
    folder = forged(copied(rung), lambda text: json.dumps(change(json.loads(text))), "model.json")
    with pytest.raises(BundleError, match="cannot be used"):
        bundle.load(folder)


@pytest.mark.parametrize("card", ["{oops", "[]", "3"])
def test_a_card_that_is_none_is_refused(copied, card):
    with pytest.raises(BundleError, match=r"the card of .* cannot be read"):
        bundle.card(forged(copied(), lambda _: card, "card.json"))


def test_a_file_that_is_no_text_is_refused(copied, no_parser):
    folder = copied()
    (folder / "card.md").write_bytes(b"\xff\xfe")
    sign(folder)
    assert "is no text" in refused(folder)


def test_what_threads_a_model_was_trained_with_is_not_kept(models, tmp_path):
    for threads in (1, 2):
        model = models[CODES]
        estimator = clone(model.estimator).set_params(threads=threads)
        X = np.random.default_rng(0).integers(5, size=(400, len(model.names))).astype(float)
        estimator.fit(X, X[:, 1] > 2)
        bundle.save(replace(model, estimator=estimator), tmp_path / str(threads), CARD, "")
    assert bundle.digest(tmp_path / "1") == bundle.digest(tmp_path / "2")
    assert bundle.load(tmp_path / "2").estimator.threads is None


# ── Saving ──────────────────────────────────────────────────────────────────────────────────


def test_saving_replaces_no_bundle(models, saved):
    before = bundle.digest(saved[RULE])
    with pytest.raises(ConfigError, match="cannot be written"):
        bundle.save(models[TREES], saved[RULE], CARD, "")
    assert bundle.digest(saved[RULE]) == before
    assert bundle.load(saved[RULE]).rung == RULE


def test_trees_that_could_not_be_loaded_are_not_saved(models, table, tmp_path):
    """A tree of leaves without end: LightGBM walks down by recursion."""
    X = np.random.default_rng(0).normal(size=(12_000, len(table.names)))
    wild = ChurnClassifier(trees=1, leaves=1100, rows_per_leaf=1, l2=0.0, seeds=1)
    wild.fit(X, np.random.default_rng(1).random(12_000) < 0.5)
    with pytest.raises(BundleError, match="cannot be kept: tree 0 has 1100 leaves") as refusal:
        bundle.save(replace(models[TREES], estimator=wild), tmp_path / "wild", CARD, "")
    assert "up to 1024 leaves" in refusal.value.mend
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_nothing_half_written(models, tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        bundle.save(models[TREES], tmp_path / "new", {"auroc": float("nan")}, "")
    assert not list(tmp_path.iterdir())
