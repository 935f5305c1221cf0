"""The population stability index, and from where on it is neither chance nor a trifle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

BINS = 10
"""Deciles of the reference."""

MODERATE, LARGE = 0.10, 0.25
"""The conventions: below the first nothing moved, from the second on much did (Siddiqi 2006)."""

LEVEL = 0.001
"""Chance of any false alarm in one run, shared by all that are compared in it."""

_SMOOTHING = 0.5


@dataclass(frozen=True)
class Stability:
    """How far a distribution has moved.

    Attributes
    ----------
    psi
        Σ (c − b) ln(c / b) over the bins, b the shares of the reference and c those of now.
    chance
        The mean PSI of samples of these sizes if nothing moved.
    beyond_chance
        What the PSI of such samples exceeds only at the level asked for.
    customers, reference
        How many now, and in the reference.
    missing
        Share that is missing now.
    was_missing
        Share that was missing in the reference.
    """

    psi: float
    chance: float
    beyond_chance: float
    customers: int
    reference: int
    missing: float
    was_missing: float

    @property
    def limit(self) -> float:
        """Large enough to matter and beyond chance, both."""
        return max(LARGE, self.beyond_chance)

    @property
    def moved(self) -> bool:
        """Whether the PSI is beyond the limit."""
        return self.psi > self.limit


def stability(
    now: np.ndarray,
    reference: np.ndarray,
    *,
    compared: int = 1,
    independent: int | None = None,
    classes: bool = False,
) -> Stability:
    """The PSI of a column against a reference, with the limits that its sizes allow.

    Bins are the deciles of the reference, fewer where values tie; missing values, and each class
    of a column of classes, are bins of their own. Every bin gets half a row more, so that an empty
    one does not make the index infinite.

    If nothing moved, the PSI is about (1/N + 1/M) · χ² with one degree of freedom less than there
    are bins (Yurdakul and Naranjo 2020): with 35 rows it exceeds .25 by chance alone, with ten
    million .001 is beyond chance and means nothing. So a column has moved only if it is beyond
    both `LARGE` and chance at `LEVEL`, divided by the number of columns compared (Bonferroni).

    Parameters
    ----------
    now, reference
        Values, NaN where missing; neither may be empty.
    compared
        How many columns are compared in this run.
    independent
        How many rows of the reference are independent, such as its customers where each is there
        several times; by default all.
    classes
        Whether values are codes whose order means nothing.
    """
    edges = _edges(reference, classes)
    b, c = _counts(reference, edges), _counts(now, edges)
    used = (b + c) > 0
    k = int(used.sum())
    share_b, share_c = ((n[used] + _SMOOTHING) / (n.sum() + _SMOOTHING * k) for n in (b, c))
    n, m = len(now), len(reference) if independent is None else independent
    noise = 1 / n + 1 / m
    return Stability(
        psi=float(((share_c - share_b) * np.log(share_c / share_b)).sum()),
        chance=noise * (k - 1),
        beyond_chance=noise * _chi_square(k - 1, LEVEL / compared),
        customers=n,
        reference=m,
        missing=float(c[-1] / n),
        was_missing=float(b[-1] / len(reference)),
    )


def _edges(reference: np.ndarray, classes: bool) -> np.ndarray:
    there = reference[~np.isnan(reference)]
    if not len(there):
        return np.empty(0)
    if classes:
        return np.unique(there)
    inner = np.quantile(there, np.arange(1, BINS) / BINS, method="inverted_cdf")
    return np.unique(inner)


def _counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Rows in each bin: up to the first edge, …, above the last; and missing ones at the end."""
    there = values[~np.isnan(values)]
    inside = np.bincount(np.searchsorted(edges, there, side="left"), minlength=len(edges) + 1)
    return np.append(inside, len(values) - len(there)).astype(float)


@lru_cache(maxsize=4096)
def _chi_square(degrees: int, level: float) -> float:
    """What χ² exceeds with this chance; 0 without a degree of freedom."""
    from scipy.special import chdtri

    return float(chdtri(degrees, level)) if degrees else 0.0
