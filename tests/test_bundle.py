"""The model on disk: the same numbers come back, and what is no bundle is refused.

Damaged bundles and malicious ones are in tests/reliability.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged import forged, sign
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
