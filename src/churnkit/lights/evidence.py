"""What came of customers that were scored before: what a promise can be founded on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

GRID = np.arange(1, 100) / 100
"""Edges that a promise may take: whole per cents, so that they are known before any outcome."""


@dataclass(frozen=True)
class Past:
    """One earlier test, counted at every edge of `GRID`.

    Attributes
    ----------
    cutoff
        Its day.
    customers, churned
        All customers of the test, and those who churned.
    reach, reached_churned, reached_expected
        For each edge, how many were scored at or above it, how many of these churned, and how many
        were expected to: the sum of their probabilities.
    expected
        The sum of the probabilities of all.
    """

    cutoff: str
    customers: int
    churned: int
    reach: np.ndarray
    reached_churned: np.ndarray
    reached_expected: np.ndarray
    expected: float

    @classmethod
    def of(cls, cutoff: str, probability: np.ndarray, churned: np.ndarray) -> Past:
        """Counted from the scores of a test and what came of them, one row a customer."""
        left = np.asarray(churned, dtype=bool)
        return cls(
            cutoff=cutoff,
            customers=len(left),
            churned=int(left.sum()),
            reach=reach_of(probability),
            reached_churned=reach_of(probability[left]),
            reached_expected=expected_from(probability),
            expected=float(probability.sum()),
        )

    def told(self) -> dict[str, Any]:
        """The counts as JSON-ready values."""
        return {
            "cutoff": self.cutoff,
            "customers": self.customers,
            "churned": self.churned,
            "reach": self.reach.tolist(),
            "reached_churned": self.reached_churned.tolist(),
            "reached_expected": self.reached_expected.round(6).tolist(),
            "expected": round(self.expected, 6),
        }


@dataclass(frozen=True)
class Evidence:
    """Earlier tests, in the order of their days; each knew nothing of its own outcome."""

    tests: tuple[Past, ...] = ()

    @classmethod
    def from_told(cls, told: Sequence[Mapping[str, Any]]) -> Evidence:
        """The evidence that `told` told."""
        return cls(
            tuple(
                Past(
                    cutoff=str(one["cutoff"]),
                    customers=int(one["customers"]),
                    churned=int(one["churned"]),
                    reach=np.array(one["reach"], dtype=np.int64),
                    reached_churned=np.array(one["reached_churned"], dtype=np.int64),
                    reached_expected=np.array(one["reached_expected"], dtype=float),
                    expected=float(one["expected"]),
                )
                for one in told
            )
        )

    def told(self) -> list[dict[str, Any]]:
        """The tests as JSON-ready values."""
        return [test.told() for test in self.tests]

    @property
    def base_rates(self) -> list[float]:
        """Share of all customers who churned, test by test."""
        return [test.churned / test.customers for test in self.tests if test.customers]


def reach_of(probability: np.ndarray) -> np.ndarray:
    """For each edge of `GRID` how many probabilities lie at or above it."""
    below = np.searchsorted(np.sort(probability), GRID, side="left")
    return np.asarray(len(probability) - below, dtype=np.int64)


def expected_from(probability: np.ndarray) -> np.ndarray:
    """For each edge of `GRID` the sum of the probabilities at or above it."""
    rising = np.sort(probability)
    below = np.concatenate([[0.0], np.cumsum(rising)])
    return np.asarray(below[-1] - below[np.searchsorted(rising, GRID, side="left")])
