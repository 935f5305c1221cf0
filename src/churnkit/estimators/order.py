"""An order of rows that what they hold decides, so that it tells nothing how they came."""

from __future__ import annotations

import numpy as np

_BLOCK = 1024  # rows whose numbers stay in the cache while they are hashed


def canonical_order(X: np.ndarray, target: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Positions of the rows with a weight above zero, the same rows in the same order always.

    Rows are sorted by a 64-bit hash of their numbers, target and weight (multilinear hashing:
    the sum of 32-bit words, each times an odd number of its own, modulo 2^64). Equal rows are
    interchangeable. Values of float32 hash like the same values of float64.

    Parameters
    ----------
    X
        Matrix of float32 or float64, shape (rows, columns).
    target, weight
        A number for each row, shape (rows,); ``weight`` may be ``None``, which is one for each.
    """
    rows, columns = X.shape
    # Raw bits, since numpy promises them to be the same in all its versions.
    factors = np.random.PCG64(0).random_raw(2 * (columns + 2)) | np.uint64(1)
    hashes = np.empty(rows, dtype=np.uint64)
    block = np.ones((_BLOCK, columns + 2))
    for start in range(0, rows, _BLOCK):
        part = slice(start, min(start + _BLOCK, rows))
        told = block[: part.stop - start]
        told[:, :columns], told[:, columns] = X[part], target[part]
        if weight is not None:
            told[:, columns + 1] = weight[part]
        words = told.view(np.uint32)
        # Small whole numbers have bits in the upper half only, which alone would collide.
        hashes[part] = np.einsum("ij,j->i", words ^ (words >> 16), factors)
    order = np.argsort(hashes)
    return order if weight is None else order[weight[order] > 0]
