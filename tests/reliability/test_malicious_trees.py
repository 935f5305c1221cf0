"""Line 9: a bundle that was changed on purpose, with digests that fit.

Whoever changes a file can write the manifest anew, so the digests tell of accidents only. What a
bundle says is therefore looked at before LightGBM is, and what cannot be sound is refused.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged import (
    BGNBD,
    BLEND,
    CODES,
    GAMMA,
    HAZARD,
    KINDS,
    NAMES,
    RICH,
    RULE,
    SCALED,
    TREES,
    by_categories,
    categories,
    chain,
    customers,
    forged,
    grown,
    in_head,
    in_tree,
    of_the_split,
    parted,
    rebuilt,
    save,
    sign,
    told_anew,
    within,
)
from mutants import CHANGES, outcome, survived

from churnkit import bundle
from churnkit.errors import BundleError
from churnkit.estimators.tree_text import DEEPEST


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> dict[str, Path]:
    """A bundle of each kind; never to be changed."""
    folder = tmp_path_factory.mktemp("saved")
    return {kind: save(kind, folder / kind) for kind in KINDS}


@pytest.fixture
def copied(saved, tmp_path) -> Callable[..., Path]:
    """Makes a copy of a bundle that may be changed."""
    return lambda kind=TREES: shutil.copytree(saved[kind], tmp_path / kind)


@pytest.fixture
def no_parser(monkeypatch) -> None:
    """LightGBM must not be asked to read anything."""

    def explode(*_, **__):
        raise AssertionError("LightGBM was given a text that is not sound")

    monkeypatch.setattr("lightgbm.Booster", explode)


def log_odds(folder: Path) -> np.ndarray:
    return bundle.load(folder).estimator.decision_function(customers())


# ── What the forger can do ──────────────────────────────────────────────────────────────────


def test_09_the_forger_of_these_tests_can_make_sound_bundles(copied, saved):
    """A number is changed, and with it the scores: the digest is all that tells."""
    folder = forged(copied(), in_tree(0, "threshold", 0, "1e9"))
    assert not np.array_equal(log_odds(saved[TREES]), log_odds(folder))
    changed = categories("cat_threshold", lambda n: [str(2**32 - 1), *n[1:]])
    assert not np.array_equal(log_odds(saved[CODES]), log_odds(forged(copied(CODES), changed)))


@pytest.mark.parametrize("kind", KINDS)
def test_09_a_bundle_signed_anew_as_it_was_is_as_sound(copied, saved, kind):
    folder = copied(kind)
    sign(folder)
    assert np.array_equal(log_odds(folder), log_odds(saved[kind]))
    for name in {"booster-0.txt"} & {path.name for path in folder.iterdir()}:
        assert outcome(folder, name, rebuilt(*parted((folder / name).read_text()))) == "sound"


def test_09_a_deep_tree_that_can_be_walked_is_sound(copied, tmp_path):
    assert np.isfinite(log_odds(forged(copied(), chain(DEEPEST)))).all()
    with pytest.raises(BundleError, match=f"{DEEPEST + 1} nodes deep"):
        bundle.load(forged(copied(CODES), chain(DEEPEST + 1)))


# ── Trees ───────────────────────────────────────────────────────────────────────────────────


TREES_THAT_HARM = {
    "a node that is its own child": in_tree(3, "left_child", 0, "0"),
    "a circle": in_tree(3, "left_child", 1, "0"),
    "a node out of range": in_tree(3, "right_child", 0, "99"),
    "a leaf out of range": in_tree(3, "right_child", 0, "-99"),
    "a node with two parents": grown(
        lambda k, n: (k + 1, k + 1) if k + 1 < n else (~n, ~n + 1), 40
    ),
    "a leaf with two parents": grown(lambda k, n: (~k, k + 1 if k + 1 < n else ~k), 10),
    "half an index": in_tree(3, "right_child", 0, "1.0"),
    "an index that Python reads otherwise": in_tree(3, "left_child", 0, "1_0"),
    "a feature out of range": in_tree(3, "split_feature", 0, "10000"),
    "a feature below zero": in_tree(3, "split_feature", 0, "-1"),
    "a split by categories not there": in_tree(3, "decision_type", 0, "1"),
    "a kind of missing that is none": in_tree(3, "decision_type", 0, "14"),
    "a kind of split that is none": in_tree(3, "decision_type", 0, "258"),
    "a threshold that is no number": in_tree(3, "threshold", 0, "nan"),
    "a leaf that is no number": in_tree(3, "leaf_value", 0, "nan"),
    "an infinite leaf": in_tree(3, "leaf_value", 0, "1e999"),
    "a leaf that makes sums infinite": in_tree(3, "leaf_value", 0, "1e308"),
    "a leaf too many": in_tree(3, "leaf_value", 0, "1 2"),
    "a threshold too few": in_tree(3, "threshold", 0, ""),
    "a weight too few": in_tree(3, "leaf_weight", 0, ""),
    "two spaces": in_tree(3, "leaf_weight", 0, " 1"),
    "no row in a leaf": in_tree(3, "leaf_count", 0, "0"),
    "fewer rows than none": in_tree(3, "leaf_count", 0, "-5"),
    "half a row": in_tree(3, "leaf_count", 0, "1.5"),
    "more rows than there can be": in_tree(3, "internal_count", 0, "4294967296"),
    "rows that do not add up": in_tree(3, "internal_count", 0, "7"),
    "a gain that is no number": in_tree(3, "split_gain", 0, "much"),
    "an infinite gain": in_tree(3, "split_gain", 0, "inf"),
    "an infinite node": in_tree(3, "internal_value", 0, "-inf"),
    "leaves that are not there": in_tree(3, "num_leaves", 0, "99999999"),
    "categories that are not there": in_tree(3, "num_cat", 0, "1"),
    "linear leaves": in_tree(3, "is_linear", 0, "1"),
    "lines of linear leaves": in_tree(3, "shrinkage", 0, "1\nleaf_const=1 2 3"),
    "a line given twice": in_tree(3, "shrinkage", 0, "1\nleft_child=0 0 0 0 0 0"),
    "a line without a name": in_tree(3, "split_gain", 0, "1\n2"),
    "a line too few": lambda text: text.replace("shrinkage=", "shrinking="),
    "a tree too deep to walk": chain(2000),
    "a tree too deep to attribute": chain(1000),
    "trees that are another's": lambda text: text.replace("Tree=1\n", "Tree=0\n"),
    "a false size": lambda text: text.replace("tree_sizes=", "tree_sizes=9"),
    "a size below zero": lambda text: text.replace("tree_sizes=", "tree_sizes=-"),
    "a size without end": lambda text: text.replace("tree_sizes=", "tree_sizes=" + "9" * 5000),
    "no sizes": lambda text: text.replace("tree_sizes=", "sizes="),
    "other features": in_head("max_feature_idx", "9"),
    "names that end a text": in_head("feature_names", '"],"tree_info":[] b c d e f'),
    "other names": in_head("feature_names", "a b c d e f"),
    "a range that only begins": in_head("feature_infos", " ".join(["["] * len(NAMES))),
    "a range without an end": in_head("feature_infos", " ".join(["[1"] * len(NAMES))),
    "a range too few": in_head("feature_infos", "[0:1]"),
    "other classes": in_head("num_class", "9"),
    "trees of several classes": in_head("num_tree_per_iteration", "3"),
    "another version": in_head("version", "v3"),
    "another objective": in_head("objective", "multiclass num_class:3"),
    "the mean of trees": in_head("label_index", "0\naverage_output"),
    "other line ends": lambda text: text.replace("\n", "\r\n"),
    "a NUL byte": lambda text: text.replace("shrinkage", "\0shrinkage"),
    "other digits": lambda text: text.replace("num_cat=0", "num_cat=۰"),
    "half a text": lambda text: text[: len(text) // 3],
    "no text": lambda _: "",
    "a page": lambda _: "<html>",
}


@pytest.mark.parametrize("change", TREES_THAT_HARM.values(), ids=TREES_THAT_HARM)
def test_09_trees_that_would_crash_hang_or_lie_are_refused(copied, no_parser, change):
    with pytest.raises(BundleError, match="cannot be used") as refusal:
        bundle.load(forged(copied(), change))
    assert refusal.value.exit_code == 5


def test_09_the_parameters_after_the_trees_are_never_parsed(copied, saved):
    """A line of them without its colon is enough to crash LightGBM."""
    odd = "\nparameters:\n[feature_contri ]\nend of parameters\n"
    folder = forged(copied(), lambda text: text + odd)
    assert np.array_equal(log_odds(folder), log_odds(saved[TREES]))


# ── Categories ──────────────────────────────────────────────────────────────────────────────


def test_09_splits_by_categories_are_what_the_next_tests_change(saved):
    text = (saved[CODES] / "booster-0.txt").read_text()
    assert parted(categories("cat_threshold", lambda n: n)(text))[1] == parted(text)[1]
    assert min(by_categories(text)) >= 0


CATEGORIES_THAT_HARM = {
    "a set out of range": of_the_split("99"),
    "a set below zero": of_the_split("-1"),
    "half a set": of_the_split("0.5"),
    "a set beyond all integers": of_the_split("1e99"),
    "an infinite set": of_the_split("inf"),
    "a set that is no number": of_the_split("nan"),
    "sets that are not there": categories("num_cat", lambda _: ["99999999"]),
    "fewer sets than none": categories("num_cat", lambda _: ["-1"]),
    "no sets": categories("num_cat", lambda _: ["0"]),
    "fewer sets than splits use": categories("num_cat", lambda _: ["1"]),
    "two numbers of sets": categories("num_cat", lambda n: [*n, *n]),
    "no number of sets": categories("num_cat", lambda _: []),
    "a bound too few": categories("cat_boundaries", lambda n: n[:-1]),
    "a bound too many": categories("cat_boundaries", lambda n: [*n, n[-1]]),
    "below the words": categories("cat_boundaries", lambda n: ["-9", *n[1:]]),
    "a late start": categories("cat_boundaries", lambda n: ["1", *n[1:]]),
    "beyond the words": categories("cat_boundaries", lambda n: [*n[:-1], "9999999"]),
    "there and back": categories("cat_boundaries", lambda n: [n[0], "9999999", *n[2:]]),
    "a set of no words": categories("cat_boundaries", lambda n: [n[0], "0", *n[2:]]),
    "half a bound": categories("cat_boundaries", lambda n: [n[0], "1.0", *n[2:]]),
    "a word too few": categories("cat_threshold", lambda n: n[:-1]),
    "a word too many": categories("cat_threshold", lambda n: [*n, "1"]),
    "a word too long": categories("cat_threshold", lambda n: [str(2**32), *n[1:]]),
    "a word below zero": categories("cat_threshold", lambda n: ["-1", *n[1:]]),
    "a word of letters": categories("cat_threshold", lambda n: ["x", *n[1:]]),
    "no bounds": lambda text: text.replace("cat_boundaries=", "bat_boundaries="),
    "no words": lambda text: text.replace("cat_threshold=", "bat_threshold="),
}


@pytest.mark.parametrize("change", CATEGORIES_THAT_HARM.values(), ids=CATEGORIES_THAT_HARM)
def test_09_categories_that_would_crash_are_refused(copied, no_parser, change):
    with pytest.raises(BundleError, match="cannot be used"):
        bundle.load(forged(copied(CODES), change))


# ── What tells the model ────────────────────────────────────────────────────────────────────


def fewer_boosters(told: Any) -> Any:
    first = told["estimator"]["state"]["members"][0]
    first["boosters"], first["parameters"]["seeds"] = 1, 1
    return told


def nested(told: Any) -> Any:
    """Estimators in one another, whose slopes are multiplied."""
    for _ in range(9):
        inner = told["estimator"]
        state = {**inner["state"], "slope_": 1e30, "shift_": 0.0, "estimator": inner}
        told = {**told, "estimator": {**inner, "kind": "Calibrated", "state": state,
                                      "parameters": {"folds": 3}}}  # fmt: skip
    return told


STATE = ("estimator", "state")
PARAMETERS = ("estimator", "parameters")
MODELS_THAT_HARM: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "nothing": (TREES, lambda told: {}),
    "a list": (TREES, lambda told: [told]),
    "odd parameters": (TREES, within("estimator", parameters={"shell": "rm"})),
    "an unknown kind": (TREES, within("estimator", kind="Popen")),
    "nothing fitted": (TREES, within("estimator", state={})),
    "other columns": (TREES, within(*STATE, columns=3)),
    "columns without end": (BGNBD, within(*STATE, columns=2**63)),
    "one class": (TREES, within(*STATE, classes=[1])),
    "too many seeds": (TREES, within(*PARAMETERS, seeds=3)),
    "seeds without end": (TREES, within(*PARAMETERS, seeds=10**12)),
    "a booster that is not there": (TREES, within("estimator", boosters=3)),
    "a booster that nobody wants": (TREES, within("estimator", boosters=1)),
    "boosters that no member tells of": (BLEND, fewer_boosters),
    "a category that is no column": (TREES, within(*PARAMETERS, categorical=[6])),
    "codes that are no category": (CODES, within(*PARAMETERS, categorical=[0, 1])),
    "no features": (TREES, lambda told: {**told, "spec": None}),
    "odd windows": (TREES, within("spec", windows=["x"])),
    "windows without end": (TREES, within("spec", windows=[10**18])),
    "an unknown question": (TREES, lambda told: {**told, "question": {"churn": "whim"}}),
    "columns without names": (TREES, within(names=list(range(6)))),
    "columns that no feature makes": (TREES, within(names=[*NAMES[:5], "shoe_size"])),
    "no training": (TREES, within(trained_on=[])),
    "an odd cutoff": (TREES, within(trained_on=["long ago"])),
    "an endless horizon": (TREES, within("question", horizon_days=1e300)),
    "a lookback of yes": (TREES, within("question", lookback_days=True)),
    "medians without end": (TREES, within(middle=[1e999] * 6)),
    "a coefficient only": (RULE, within(*STATE, coef_=[1.0])),
    "letters": (RULE, within(*STATE, coef_=["x"] * 4)),
    "no number": (RULE, within(*STATE, intercept_=float("nan"))),
    "an infinite number": (RULE, within(*STATE, intercept_=float("inf"))),
    "a number too large": (RULE, within(*STATE, coef_=[1e300] * 4)),
    "no column": (RULE, within(*PARAMETERS, columns=[0, 9999])),
    "no spread": (RULE, within(*STATE, scale_=[0.0, 1.0])),
    "a spread below zero": (RULE, within(*STATE, scale_=[-1.0, 1.0])),
    "two numbers": (RULE, within(*STATE, intercept_=[1.0, 2.0])),
    "no members": (BLEND, within(*STATE, members=[])),
    "a weight only": (BLEND, within(*STATE, weights_=[1.0])),
    "a weight below zero": (BLEND, within(*STATE, weights_=[2.0, -1.0, 0.0])),
    "empty members": (BLEND, within(*STATE, members=[{}, {}, {}])),
    "another kind": (BLEND, within("estimator", kind="ChurnClassifier")),
    "two slopes": (SCALED, within(*STATE, slope_=[1.0, 2.0])),
    "an infinite slope": (SCALED, within(*STATE, slope_=float("inf"))),
    "slopes upon slopes": (SCALED, nested),
    "two bases": (HAZARD, within(*STATE, base_=[0.0, 1.0])),
    "days without end": (HAZARD, within(*PARAMETERS, horizon_days=10**15)),
    "steps without end": (HAZARD, within(*PARAMETERS, horizon_days=30_000, step_days=1)),
    "no step": (HAZARD, within(*PARAMETERS, step_days=0)),
    "half a day": (HAZARD, within(*PARAMETERS, step_days=7.5)),
    "another horizon": (HAZARD, within("question", horizon_days=60)),
    "a rate of nothing": (BGNBD, within(*STATE, r_=0.0)),
    "a rate below zero": (BGNBD, within(*STATE, alpha_=-1.0)),
    "no chance": (BGNBD, within(*STATE, a_=float("nan"))),
    "two means": (BGNBD, within(*STATE, reference_=[1.0, 2.0])),
    "the same column thrice": (BGNBD, within(*PARAMETERS, columns=[1, 2, 9])),
    "spend of nothing": (GAMMA, within("spend", money=[1.0, 1.0, 1.0])),
    "spend without end": (GAMMA, within("spend", level=1e300)),
    "spend that is no number": (GAMMA, within("spend", purchases=[float("nan"), 1, 1, 1])),
    "spend by other columns": (GAMMA, within("spend", columns=[1, 2, 99])),
    "no floor": (RICH, within("spend", floor=-1.0)),
    "no level": (RICH, within("spend", level=float("inf"))),
    "another kind of spend": (RICH, within("spend", kind="GammaGamma")),
}


@pytest.mark.parametrize(("kind", "change"), MODELS_THAT_HARM.values(), ids=MODELS_THAT_HARM)
def test_09_a_model_that_cannot_be_understood_or_gives_no_number_is_refused(copied, kind, change):
    with pytest.raises(BundleError, match="cannot be used") as refusal:
        bundle.load(told_anew(copied(kind), change))
    assert refusal.value.exit_code == 5


@pytest.mark.parametrize("card", ["{oops", "[]", "3", "[" * 99_999, '{"a": ' * 99_999])
def test_09_a_card_that_is_none_is_refused(copied, card):
    with pytest.raises(BundleError, match=r"the card of .* cannot be read"):
        bundle.card(forged(copied(), lambda _: card, "card.json"))


def test_09_a_file_that_is_no_text_is_refused(copied, no_parser):
    folder = copied()
    (folder / "card.md").write_bytes(b"\xff\xfe")
    sign(folder)
    with pytest.raises(BundleError, match="is no text"):
        bundle.load(folder)


# ── At random ───────────────────────────────────────────────────────────────────────────────


def test_09_whatever_is_changed_in_bundles_of_trees_the_process_lives(copied, trials, seen):
    """Each mutant is loaded, and asked, in another process, whose end would be seen."""
    found = survived([copied(CODES) / "booster-0.txt"], trials(150, 20_000))
    assert set(found) == {"refused", "sound"}
    seen("mutated trees refused", found["refused"])
    seen("mutated trees that give finite numbers", found["sound"])


def test_09_the_same_of_what_tells_models_with_trees(copied, trials, seen):
    files = [copied(kind) / "model.json" for kind in (HAZARD, BLEND, RICH)]
    found = survived(files, trials(15, 2_000))
    seen("mutated models with trees, none of which crashed", found.total())


def test_09_whatever_is_changed_in_a_model_it_gives_finite_numbers_or_is_refused(
    copied, trials, seen
):
    """In this process, where there are no trees that could end it."""
    refused = sound = 0
    kinds = (RULE, SCALED, BGNBD, GAMMA)
    for k, kind in enumerate(kinds):
        folder = copied(kind)
        text = (folder / "model.json").read_text()
        for seed in range(k, trials(80, 8_000), len(kinds)):
            changed = CHANGES["model.json"](text, np.random.default_rng(seed))
            found = outcome(folder, "model.json", changed)
            refused, sound = refused + (found == "refused"), sound + (found == "sound")
    seen("mutated models refused", refused)
    seen("mutated models that give finite numbers", sound)
