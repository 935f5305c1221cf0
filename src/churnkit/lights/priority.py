"""Whom to look at first: the most valuable of those who are likely to leave."""

from __future__ import annotations

import numpy as np


def worth(value: np.ndarray, is_any_known: bool | None = None) -> np.ndarray:
    """The weight of each value at risk: an unknown one is 0, but 1 for all if none is known.

    Parameters
    ----------
    value
        Value at risk of each row, NaN where unknown.
    is_any_known
        Whether any is known of all customers, where these rows are only some of them.
    """
    if np.isnan(value).all() if is_any_known is None else not is_any_known:
        return np.ones(len(value))
    return np.nan_to_num(value, nan=0.0)


def ranking(probability: np.ndarray, value: np.ndarray, customer: np.ndarray) -> np.ndarray:
    """Rows in the order of probability × value at risk, then of probability, then of id.

    Parameters
    ----------
    probability
        Churn probability of each row, or whatever else is to rank.
    value
        Value at risk of each row, NaN where unknown; an unknown one among known ones counts as
        zero.
    customer
        Ids; or the rows' numbers, where they are in order of their ids.
    """
    if customer.dtype.kind in "iu":
        return np.lexsort((customer, -probability, -(probability * worth(value))))
    return np.lexsort((customer.astype(str), -probability, -(probability * worth(value))))


def rank_of(order: np.ndarray) -> np.ndarray:
    """The rank of each row, from 1 on, in an order of rows."""
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    return rank
