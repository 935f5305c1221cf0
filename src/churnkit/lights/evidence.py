"""What came of customers that were scored before: what a promise can be founded on."""

from __future__ import annotations

import json
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
    return Everyone.of(probability).expected


_UNITS, _HALF = 53, 27  # probabilities are summed in units of 2⁻⁵³, in two halves of the digits
_ROWS_SUMMED = 10_000_000  # so that no sum of a half leaves the whole numbers of a float


@dataclass(frozen=True)
class Everyone:
    """What policies must know of all customers who are scored together.

    Parts of them add up to the last bit, in whatever order: sums are over whole numbers.

    Attributes
    ----------
    customers
        How many.
    valued
        Of how many the value at risk is known.
    cells
        How many have a probability between two neighbouring edges of `GRID`: below the first one,
        from the first to the second …, int64 of shape (100,).
    sums
        The sums of the probabilities of these, in units of 2⁻⁵³.
    """

    customers: int
    valued: int
    cells: np.ndarray
    sums: tuple[int, ...]

    @classmethod
    def of(cls, probability: np.ndarray, value: np.ndarray | None = None) -> Everyone:
        """Counted from probabilities and, where somebody asks for them, values at risk."""
        cells = np.zeros(len(GRID) + 1, dtype=np.int64)
        sums = [0] * len(cells)
        for start in range(0, len(probability), _ROWS_SUMMED):
            some = probability[start : start + _ROWS_SUMMED]
            cell = np.searchsorted(GRID, some, side="right")
            units = np.rint(np.ldexp(some, _UNITS)).astype(np.int64)
            high = np.bincount(cell, units >> _HALF, len(cells))
            low = np.bincount(cell, units & ((1 << _HALF) - 1), len(cells))
            cells += np.bincount(cell, minlength=len(cells))
            for k, (more, less) in enumerate(zip(high.tolist(), low.tolist(), strict=True)):
                sums[k] += (int(more) << _HALF) + int(less)
        valued = 0 if value is None else int((~np.isnan(value)).sum())
        return cls(len(probability), valued, cells, tuple(sums))

    def __add__(self, other: Everyone) -> Everyone:
        sums = (a + b for a, b in zip(self.sums, other.sums, strict=True))
        return Everyone(
            self.customers + other.customers,
            self.valued + other.valued,
            self.cells + other.cells,
            tuple(sums),
        )

    def to_json(self) -> str:
        """What is known of some customers on its way to where it is added up."""
        cells = self.cells.tolist()
        return json.dumps([self.customers, self.valued, cells, self.sums])

    @classmethod
    def from_json(cls, text: str) -> Everyone:
        """What `to_json` told."""
        customers, valued, cells, sums = json.loads(text)
        return cls(customers, valued, np.array(cells, dtype=np.int64), tuple(sums))

    @property
    def reach(self) -> np.ndarray:
        """For each edge of `GRID` how many probabilities lie at or above it."""
        return np.cumsum(self.cells[::-1])[::-1][1:]

    @property
    def expected(self) -> np.ndarray:
        """For each edge of `GRID` the sum of the probabilities at or above it."""
        found, above = [], 0
        for units in self.sums[:0:-1]:
            above += units
            found.append(above / 2**_UNITS)
        return np.array(found[::-1])

    @property
    def total(self) -> float:
        """The sum of all probabilities."""
        return sum(self.sums) / 2**_UNITS
