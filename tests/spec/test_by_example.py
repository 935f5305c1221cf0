"""What the examples rest on: the tables are read as they look, and a wrong one fails."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from by_example import check, is_told, titled

from churnkit.features import CATALOGUE, Feature

TEXT = """
This is an explanation: it has no table.

purchases:
customer | ts         | amount
anna     | 2024-02-20 | 20

2024-03-01:
customer | recency | gap_mean
anna     | 10      |
"""


def test_a_table_has_a_title_and_all_else_explains():
    assert [title for title, _ in titled(TEXT)] == ["purchases", "2024-03-01"]


def test_a_true_example_passes():
    check(TEXT)


@pytest.mark.parametrize(
    ("true", "false"),
    [
        ("| 10 ", "| 11 "),
        ("| 10      |", "| 10      | 3"),
        (
            "anna",
            "ben",
        ),
    ],
)
def test_a_false_example_fails(true, false):
    logs, _, expected = TEXT.partition("2024-03-01:")
    with pytest.raises(AssertionError):
        check(logs + "2024-03-01:" + expected.replace(true, false))


@pytest.mark.parametrize(
    ("value", "cell", "told"),
    [
        (np.float32(1 / 3), "1/3", True),
        (np.float32(0.3333), "1/3", False),
        (np.float64(0.1), "0.1", True),
        (np.float32(14.142), "~14.14", True),
        (np.float32(14.15), "~14.14", False),
        (np.float32(np.nan), None, True),
        (np.float32(0), None, False),
        (np.float32(np.nan), "0", False),
        (np.int32(3), "3", True),
    ],
)
def test_a_cell_tells_a_value_in_the_precision_of_the_feature(value, cell, told):
    assert is_told(value, cell) is told


def pattern(built: Feature) -> str:
    """What the names of the columns of a feature match."""
    name = re.sub(r"\{\w+\}", "[a-z0-9_]+", built.name)
    return name + (r"_(\d+d|all)" if "window" in built.per else "")


@pytest.mark.parametrize(
    "built", [f for f in CATALOGUE.values() if not f.own], ids=lambda f: f.name
)
def test_every_feature_is_told_by_an_example_of_its_family(built):
    family = built.build.__module__.rpartition(".")[2]
    examples = (Path(__file__).parent / f"test_{family}.py").read_text(encoding="utf-8")
    assert re.search(rf"\| {pattern(built)} *(\||\n)", examples)
