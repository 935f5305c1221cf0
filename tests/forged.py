"""Small models of every kind, and bundles of them that somebody changed and then signed anew."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from churnkit import bundle
from churnkit.estimators import (
    BgNbd,
    BinaryClassifier,
    Blend,
    Calibrated,
    ChurnClassifier,
    GammaGamma,
    Hazard,
    PlainRule,
    SpendModel,
    SpendTrees,
)
from churnkit.features import FeatureSpec
from churnkit.features.static import StaticColumn
from churnkit.labels import Question
from churnkit.model import ChurnModel

NAMES = (
    *("recency", "purchases_count_all", "active_span", "tenure", "spend_mean_all"),
    "region",
)
REGIONS = 70
HORIZON = 30
CARD: dict[str, Any] = {"question": "who buys nothing?", "auroc": 0.75}
CARD_TEXT = "# Card\n\nWho buys nothing? AUROC .75 – later in time.\n"

Change = Callable[[str], str]


# ── Models ──────────────────────────────────────────────────────────────────────────────────


@cache
def customers(rows: int = 1200) -> np.ndarray:
    """Rows of features that histories could have, shape (rows, len(NAMES))."""
    rng = np.random.default_rng(0)
    count, tenure = rng.integers(1, 30, rows), rng.uniform(1, 900, rows)
    span = np.where(count > 1, tenure * rng.random(rows), 0.0)
    spend = np.exp(rng.normal(3, 1, rows))
    region = rng.integers(0, REGIONS, rows)
    X = np.column_stack([tenure - span, count, span, tenure, spend, region]).astype(float)
    X[::11, 4] = np.nan
    return X


def churned(X: np.ndarray) -> np.ndarray:
    region = X[:, 5]
    late = X[:, 0] / 300 + np.isin(region % 7, [2, 4]) - X[:, 1] / 20
    return np.asarray(late + np.random.default_rng(1).normal(0, 0.5, len(X)) > 0.2)


def by_region(X: np.ndarray) -> np.ndarray:
    """Whom trees tell apart by sets of regions."""
    region = X[:, 5]
    return np.asarray(region + 10 * np.isin(region % 7, [2, 4]) > np.median(region) + 3)


TREES, RULE, BLEND, CODES, SCALED, HAZARD, BGNBD, GAMMA, RICH = (
    *("trees", "rule", "blend", "codes", "scaled", "hazard", "bgnbd", "gamma", "rich"),
)


def estimator_of(kind: str) -> BinaryClassifier:
    few = ChurnClassifier(trees=6, seeds=2, rows_per_leaf=5)
    rule, histories = PlainRule([0, 3]), BgNbd((1, 2, 3), HORIZON)
    kinds: dict[str, BinaryClassifier] = {
        TREES: few,
        RULE: rule,
        CODES: ChurnClassifier(trees=8, seeds=1, rows_per_leaf=5, categorical=[5]),
        BLEND: Blend([few, PlainRule(), Blend([rule, Calibrated(few)], [1, 1])], [2, 1, 1]),
        SCALED: Calibrated(rule),
        HAZARD: Hazard(10, HORIZON, few),
        BGNBD: histories,
        GAMMA: histories,
        RICH: few,
    }
    return kinds[kind]


KINDS = (TREES, RULE, BLEND, CODES, SCALED, HAZARD, BGNBD, GAMMA, RICH)


@cache
def model(kind: str) -> ChurnModel:
    """A small fitted model."""
    X, y = customers(), (by_region if kind == CODES else churned)(customers())
    target = np.where(y, np.inf, X[:, 5] % HORIZON) if kind == HAZARD else y
    fitted = estimator_of(kind).fit(X, target)
    words = tuple(f"region {k:02}" for k in range(REGIONS))
    spec = FeatureSpec({"purchases": ("amount",)}, static=(StaticColumn("region", words),))
    question = Question(horizon_days=HORIZON, lookback_days=90)
    spend, middle = _spend(kind, X, y, fitted), tuple(np.nanmedian(X, axis=0))
    return ChurnModel(
        kind, fitted, NAMES, spec.limited_to(NAMES), question, ("2024-04-15",), spend=spend,
        middle=middle,
    )  # fmt: skip


def _spend(kind: str, X: np.ndarray, y: np.ndarray, fitted: BinaryClassifier) -> SpendModel | None:
    X, spent = X[~y], 20 * X[~y, 1]
    if kind == GAMMA:
        return GammaGamma.fitted(X, spent, fitted, 4, np.ones(len(X), dtype=bool))
    return SpendTrees.fitted(X, spent, spent) if kind == RICH else None


def save(kind: str, folder: Path) -> Path:
    """A sound bundle of a small model."""
    return bundle.save(model(kind), folder, CARD, CARD_TEXT)


# ── Forging ─────────────────────────────────────────────────────────────────────────────────


def sign(folder: Path, written: int = bundle.FORMAT) -> None:
    """A manifest that fits the files as they are."""
    (folder / "manifest.json").unlink()
    (folder / "manifest.json").write_text(
        json.dumps({**bundle._manifest(folder), "format": written})
    )


def forged(folder: Path, change: Change, name: str = "booster-0.txt") -> Path:
    """A bundle of which one file is another, and its manifest says so."""
    text = (folder / name).read_text()
    assert change(text) != text
    (folder / name).write_text(change(text), newline="")
    sign(folder)
    return folder


def parted(text: str) -> tuple[str, list[str]]:
    """Head and trees of a LightGBM text."""
    head, _, rest = text.partition("\n\nTree=0\n")
    return head, ("Tree=0\n" + rest.partition("end of trees")[0]).split("\n\n\n")[:-1]


def rebuilt(head: str, trees: list[str]) -> str:
    """The LightGBM text of a head and trees, with the sizes of the trees as they are."""
    sizes = " ".join(str(len(tree) + 3) for tree in trees)
    lines = [line for line in head.split("\n") if not line.startswith("tree_sizes=")]
    body = "".join(f"{tree}\n\n\n" for tree in trees)
    return "\n".join([*lines, f"tree_sizes={sizes}", "", body]) + "end of trees\n"


def line_of(name: str, change: Callable[[list[str]], list[str]], k: int = 3) -> Change:
    """Changes the numbers of a line of a tree."""

    def changed(text: str) -> str:
        head, trees = parted(text)
        (line,) = re.findall(f"^{name}=.*$", trees[k], re.MULTILINE)
        numbers = change(line.partition("=")[2].split(" "))
        trees[k] = trees[k].replace(f"\n{line}", f"\n{name}={' '.join(numbers)}")
        return rebuilt(head, trees)

    return changed


def in_tree(k: int, name: str, position: int, value: str) -> Change:
    """Changes a number of one line of a tree."""

    def placed(numbers: list[str]) -> list[str]:
        numbers[position] = value
        return numbers

    return line_of(name, placed, k)


def in_head(name: str, value: str) -> Change:
    """Changes a line of the head."""
    return lambda text: re.sub(f"(?m)^{name}=.*$", lambda _: f"{name}={value}", text, count=1)


def by_categories(text: str) -> tuple[int, int]:
    """The first tree with two sets of categories at least, and its first split by one."""
    _, trees = parted(text)
    k = next(k for k, tree in enumerate(trees) if re.search("num_cat=[2-9]", tree))
    (types,) = re.findall("decision_type=(.*)", trees[k])
    return k, [int(number) & 1 for number in types.split(" ")].index(1)


def categories(name: str, change: Callable[[list[str]], list[str]]) -> Change:
    """Changes a line of the first tree that splits by at least two sets of categories."""
    return lambda text: line_of(name, change, by_categories(text)[0])(text)


def of_the_split(value: str) -> Change:
    """Another set of categories for a split."""
    return lambda text: in_tree(by_categories(text)[0], "threshold", by_categories(text)[1], value)(
        text
    )


def grown(links: Callable[[int, int], tuple[int, int]], splits: int) -> Change:
    """A tree of so many splits in place of all, whose node k of n has the children told."""
    nodes = range(splits)
    of_splits = "split_feature split_gain threshold internal_value internal_weight internal_count"
    lines = {name: [1] * splits for name in of_splits.split()}
    lines |= {name: [1] * (splits + 1) for name in ("leaf_value", "leaf_weight", "leaf_count")}
    lines |= {"internal_count": [splits + 1 - k for k in nodes]}
    lines |= {"left_child": [links(k, splits)[0] for k in nodes]}
    lines |= {"right_child": [links(k, splits)[1] for k in nodes]}
    lines |= {"decision_type": [2] * splits, "num_leaves": [splits + 1], "num_cat": [0]}
    lines |= {"is_linear": [0], "shrinkage": [1]}
    told = [f"{name}={' '.join(map(str, numbers))}" for name, numbers in lines.items()]
    return lambda text: rebuilt(parted(text)[0], ["\n".join(["Tree=0", *told])])


def chain(splits: int) -> Change:
    """A sound tree, each node below the one before it."""
    return grown(lambda k, n: (~k, k + 1 if k + 1 < n else ~n), splits)


def within(*keys: str | int, **values: Any) -> Callable[[Any], Any]:
    """Changes values of a dictionary that lies in others under these keys."""

    def change(told: Any) -> Any:
        if not keys:
            return {**told, **values}
        if isinstance(told, list):
            return [
                within(*keys[1:], **values)(t) if k == keys[0] else t for k, t in enumerate(told)
            ]
        return {**told, keys[0]: within(*keys[1:], **values)(told[keys[0]])}

    return change


def told_anew(folder: Path, change: Callable[[Any], Any], name: str = "model.json") -> Path:
    """A bundle of which one JSON document is another, and its manifest says so."""
    return forged(folder, lambda text: json.dumps(change(json.loads(text))), name)
