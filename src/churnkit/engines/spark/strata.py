"""Which customers a model learns from, where they are more than one machine needs.

A customer is drawn with all its cutoffs or not at all, so that rows of one customer never stand
for two. Strata are the last cutoff at which it is at risk, and whether it churned then; of each the
same share is taken, so that probabilities stay what they are and need no weights. Within a stratum
those with the lowest numbers come along, and a customer's number is a keyed hash of its id: another
run draws the same, and a larger sample holds the smaller one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from churnkit.clock import Cutoff
from churnkit.index import BlockIndex
from churnkit.labels import Question
from churnkit.logs import Logs

STRATUM, BUCKET, COUNT = "stratum", "bucket", "customers"
"""Columns of what is counted before customers are drawn."""

_KEY = b"churnkit training sample"
_BUCKET_SHIFT = 44  # leaves the exponent and eight bits: 256 buckets for each halving


@dataclass(frozen=True)
class Draw:
    """Says who is drawn, a chunk of customers at a time.

    Attributes
    ----------
    question, cutoffs
        They make the strata.
    below
        Stratum → the first bucket that is not drawn; none of a stratum that is not there.
    """

    question: Question
    cutoffs: tuple[Cutoff, ...]
    below: Mapping[int, int]

    def drawn(self, logs: Logs) -> np.ndarray:
        """Boolean mask of the customers of some logs."""
        strata = strata_of(logs, self.question, self.cutoffs)
        first = np.zeros(2 * len(self.cutoffs) + 1, dtype=np.int64)
        first[list(self.below)] = list(self.below.values())
        return np.asarray(buckets_of(logs.customer_ids) < first[strata])


def strata_of(logs: Logs, question: Question, cutoffs: Sequence[Cutoff]) -> np.ndarray:
    """The stratum of each customer: 0 if never at risk, else ``1 + 2 k + churned``.

    ``k`` is the position of the last cutoff at which it is at risk.
    """
    strata = np.zeros(logs.customer_count, dtype=np.int64)
    block = BlockIndex(logs)
    everyone = block.at(*cutoffs)
    at = everyone.where(question.at_risk(block, everyone))
    strata[at.customer] = 1 + 2 * at.nth + question.churned(block, at)  # the last one stays
    return strata


def buckets_of(customer_ids: Iterable[str]) -> np.ndarray:
    """The bucket of each customer, int64: whole numbers that rise with its keyed hash.

    Each holds 1/256 of the customers up to it or less, so that any share can be cut off closely.
    """
    told = b"".join(blake2b(c.encode(), digest_size=8, key=_KEY).digest() for c in customer_ids)
    numbers = np.frombuffer(told, dtype=">u8").astype(np.uint64)
    # The bits of a double in (0, 1] rise with it.
    between = ((numbers >> np.uint64(11)) + np.uint64(1)).astype(np.float64) / 2.0**53
    return between.view(np.int64) >> _BUCKET_SHIFT
