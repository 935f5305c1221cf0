"""LightGBM's text of trees, looked at before LightGBM is: what it says must hang together.

LightGBM believes the sizes, lengths and indices that it is told: it would follow them out of its
memory, or in a circle. What prints its trees, and what attributes predictions to columns, believes
even more: a row of counts with a zero in it divides by it, a node with two parents is walked twice,
and twice as often at each level below. Only what LightGBM itself writes of a model with numbered
columns is let through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

MOST_LEAVES, DEEPEST = 1024, 200
"""LightGBM walks down a tree by recursion, and attribution takes the square of its depth."""
_LARGEST = 1e30  # sums and products of such numbers are still finite
_MOST_ROWS = 2**31 - 1
_WORD = 2**32  # categories are bits of words of 32
_CATEGORICAL = 1  # the bit of a decision type under which a threshold is an index of categories
_DECISIONS = range(12)  # one bit by categories, one to the left by default, a missing type of three
_PLAIN_NUMBERS = re.compile(r"(?:(?:inf|[-+.0-9e]+)(?: (?:inf|[-+.0-9e]+))*)?")
_TREE_LINE = re.compile(r"[a-z_]+=[^=]*")
_HEAD = {
    "version": r"v4",
    "num_class": r"1",
    "num_tree_per_iteration": r"1",
    "label_index": r"0",
    "objective": r"(?:binary|tweedie)(?: [a-z_]+:\d{1,3}(?:\.\d{1,17})?)*",
    "monotone_constraints": r"-?[01](?: -?[01])*",
    "feature_infos": r"{0}(?: {0})*".format(
        r"(?:none|\[[-+.0-9einf]+:[-+.0-9einf]+\]|-?\d+(?::-?\d+)*)"
    ),
    "tree_sizes": r"\d+(?: \d+)*",
}
_OPTIONAL = {"monotone_constraints"}
_LINKS = ("split_feature", "decision_type", "left_child", "right_child")
_MEASURED_SPLITS = ("split_gain", "internal_value", "internal_weight")
_OF_SPLITS = (*_LINKS, *_MEASURED_SPLITS, "internal_count")
_OF_LEAVES = ("leaf_weight", "leaf_count")
_OF_CATEGORIES = {"cat_boundaries", "cat_threshold"}
_OF_TREES = {
    *_OF_SPLITS, *_OF_LEAVES, "num_leaves", "num_cat", "threshold", "leaf_value", "is_linear",
    "shrinkage",
}  # fmt: skip


def checked_trees(text: str, features: int) -> str:
    """The part of a LightGBM text that holds the trees, once it is known to be sound.

    Parameters
    ----------
    text
        What LightGBM wrote, or somebody else did.
    features
        How many columns the trees may ask about, numbered from 0.

    Returns
    -------
    str
        Up to the end of the trees. What follows are parameters of the training, which LightGBM
        reads no more carefully, and which may differ between machines that train the same trees.

    Raises
    ------
    KeyError, OverflowError, ValueError
        If it is not sound; they tell what is wrong.
    """
    _require(text.isascii() and not {"\r", "\0"} & set(text), "the trees are no plain text")
    start = text.index("\nTree=") + 1
    told = _pairs(text[:start].removeprefix("tree\n").split("\n"))
    _check_head(told, features)
    for k, size in enumerate(_numbers(told["tree_sizes"], int)):
        _check_tree(text[start : start + size], k, features)
        start += size
    _require(text.startswith("end of trees\n", start), "the trees are cut off")
    return text[:start] + "end of trees\n"


def _check_head(told: Mapping[str, str], features: int) -> None:
    names = " ".join(f"Column_{k}" for k in range(features))
    ours = told["max_feature_idx"], told["feature_names"]
    _require(ours == (str(features - 1), names), "the trees are for other features")
    there = told.keys() - {"max_feature_idx", "feature_names"}
    _require(there | _OPTIONAL == _HEAD.keys(), "the trees have an odd head")
    odd = [name for name in there if not re.fullmatch(_HEAD[name], told[name])]
    _require(not odd, f"the trees are of another kind: {odd}")
    for name in {"feature_infos", "monotone_constraints"} & there:
        _require(told[name].count(" ") + 1 == features, "the trees are for other features")


def _check_tree(text: str, k: int, features: int) -> None:
    first, *lines = text.removesuffix("\n\n\n").split("\n")
    # LightGBM looks for the next "=", be it on another line.
    plain = all(map(_TREE_LINE.fullmatch, lines))
    _require(first == f"Tree={k}" and plain, f"tree {k} is cut off")
    told = _pairs(lines)
    _require(told.keys() | _OF_CATEGORIES == _OF_TREES | _OF_CATEGORIES, f"tree {k} has odd lines")
    leaves, splits = (len(_numbers(told[name], float)) for name in ("leaf_value", "threshold"))
    kind = told["num_leaves"], told["is_linear"]
    _require(kind == (str(leaves), "0"), f"tree {k} is of another kind")
    _require(splits + 1 == leaves <= MOST_LEAVES, f"tree {k} has {leaves} leaves")
    short = [n for n in _OF_SPLITS if len(told[n].split()) != splits]
    # Of a tree that is but a leaf, LightGBM tells no weight.
    short += [n for n in _OF_LEAVES if splits and len(told[n].split()) != leaves]
    _require(not short, f"tree {k} has odd lengths: {short}")
    _check_measures(told, k)
    _check_links(told, k, features)
    _check_counts(told, k)


def _check_measures(told: Mapping[str, str], k: int) -> None:
    """Leaves that no sum of scores can make infinite, and numbers that can be printed."""
    for name in ("leaf_value", "leaf_weight", "shrinkage", *_MEASURED_SPLITS):
        plain = all(abs(number) <= _LARGEST for number in _numbers(told[name], float))
        _require(plain, f"the {name} of tree {k} is not finite, or far too large")


def _check_links(told: Mapping[str, str], k: int, features: int) -> None:
    """One way to every node and every leaf, by splits that ask about what there is."""
    categories = range(_sets_of_categories(told, k))
    columns = [_numbers(told[name], int) for name in _LINKS]
    thresholds = _numbers(told["threshold"], float)
    depth = dict.fromkeys(range(min(1, len(thresholds))), 1)
    reached: list[int] = []
    nodes = zip(range(len(thresholds)), thresholds, *columns, strict=True)
    for node, threshold, feature, decision, *children in nodes:
        # Nodes are numbered as they were split, so every child comes after its parent.
        sound = all(child < 0 or child > node for child in children)
        known = threshold in categories or not decision & _CATEGORICAL
        inside = 0 <= feature < features and decision in _DECISIONS and known
        _require(sound and inside, f"tree {k} points outside of itself")
        depth.update(dict.fromkeys(children, depth.get(node, 1) + 1))
        reached += children
    splits = len(thresholds)
    all_once = sorted(reached) == [*range(-splits - 1, 0), *range(1, splits)]
    _require(all_once or not splits, f"tree {k} is no tree")
    deepest = max(depth.values(), default=1) - 1  # the leaves are no nodes
    _require(deepest <= DEEPEST, f"tree {k} is {deepest} nodes deep")


def _check_counts(told: Mapping[str, str], k: int) -> None:
    """Rows in every leaf, and in every node as many as below it."""
    of_leaves, of_nodes = (_numbers(told[name], int) for name in ("leaf_count", "internal_count"))
    plain = all(1 <= rows <= _MOST_ROWS for rows in (*of_leaves, *of_nodes))
    links = (_numbers(told[name], int) for name in ("left_child", "right_child"))
    add_up = all(
        rows == sum(of_nodes[child] if child >= 0 else of_leaves[~child] for child in children)
        for rows, children in zip(of_nodes, zip(*links, strict=True), strict=True)
    )
    _require(plain and add_up, f"the counts of tree {k} do not add up")


def _sets_of_categories(told: Mapping[str, str], k: int) -> int:
    """How many sets of categories the splits of a tree name, once all of them are sound."""
    (sets,) = _numbers(told["num_cat"], int)
    if not sets:
        _require(not _OF_CATEGORIES & told.keys(), f"tree {k} has odd categories")
        return 0
    bounds, words = (_numbers(told[name], int) for name in sorted(_OF_CATEGORIES))
    whole = len(bounds) == sets + 1 and bounds[0] == 0 and bounds[-1] == len(words)
    rising = all(one < next_one for one, next_one in pairwise(bounds))
    plain = all(0 <= word < _WORD for word in words)
    _require(whole and rising and plain, f"tree {k} has odd categories")
    return sets


def _numbers(text: str, read: Callable[[str], Any]) -> Sequence[Any]:
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
