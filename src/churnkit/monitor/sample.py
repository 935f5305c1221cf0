"""Of very many customers some, the same in every run: chosen by a hash of the id."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from churnkit.features.kernel import Population
from churnkit.index import BlockIndex, Observations


def one_in(customers: int, most: int) -> int:
    """One in how many customers is looked at, so that it is about so many at most.

    >>> one_in(1_000, 50_000), one_in(120_000, 50_000)
    (1, 3)
    """
    return max(-(-customers // most), 1)


def chosen(ids: np.ndarray, share: int) -> np.ndarray:
    """Boolean mask of one in so many ids; all if it is one in 1."""
    if share == 1:
        return np.ones(len(ids), dtype=bool)
    hashed = (blake2b(str(name).encode(), digest_size=8).digest() for name in ids.tolist())
    return np.array([int.from_bytes(told, "big") % share == 0 for told in hashed], dtype=bool)


def some(population: Population, share: int) -> Population:
    """One in so many customers of a population."""
    if share == 1:
        return population

    def of(block: BlockIndex, at: Observations) -> np.ndarray:
        picked = chosen(block.customer_ids, share)[at.customer]
        return np.asarray(population(block, at) & picked)

    return of
