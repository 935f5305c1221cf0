"""Draws the customers whom a model learns from; `strata` says how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.clock import Cutoff
from churnkit.engines.spark.faults import spark_faults
from churnkit.engines.spark.parted import Parted
from churnkit.engines.spark.strata import BUCKET, COUNT, STRATUM, Draw
from churnkit.labels import Question

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

CUSTOMERS = 100_000
"""So many customers are learnt from by default; docs/explanation/sampling.md says why."""


@dataclass(frozen=True)
class Sample:
    """What was drawn.

    Attributes
    ----------
    at_risk
        Customers at risk at any of the cutoffs.
    taken
        Those of them who were drawn.
    """

    at_risk: int
    taken: int

    @property
    def says(self) -> str:
        """What was drawn, in a sentence."""
        share = self.taken / self.at_risk
        return (
            f"{self.taken:,} of {self.at_risk:,} customers at risk ({share:.1%}) were learnt from, "
            "drawn in proportion"
        )

    def told(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {**asdict(self), "says": self.says}


def draw(
    parted: Parted, question: Question, cutoffs: Sequence[Cutoff], customers: int
) -> tuple[Parted, Sample] | None:
    """Draw customers who are at risk at any of some cutoffs, and as large a share of the others.

    Parameters
    ----------
    parted
        The rows of all customers.
    question, cutoffs
        They make the strata.
    customers
        At most so many customers at risk.

    Returns
    -------
    Parted, Sample
        The rows of the customers who were drawn, and how many these are; ``None`` if all customers
        at risk are no more than that.

    Raises
    ------
    DataError
        If Spark fails.
    """
    strata, buckets, counts = _counted(parted, question, tuple(cutoffs))
    whole = int(counts[strata > 0].sum())
    if whole <= customers:
        return None
    below, taken = {}, 0
    for stratum in np.unique(strata).tolist():
        here = np.flatnonzero(strata == stratum)
        here = here[np.argsort(buckets[here])]
        up_to = np.cumsum(counts[here])
        n = int(np.searchsorted(up_to, up_to[-1] * customers / whole, side="right"))
        if n:
            below[stratum] = int(buckets[here[n - 1]]) + 1
            taken += int(up_to[n - 1]) if stratum else 0
    chosen = Draw(question, tuple(cutoffs), below)
    rows = parted.made(partial(parted.work.drawn, chosen), parted.frame.schema)
    return replace(parted, frame=rows), Sample(whole, taken)


def _counted(
    parted: Parted, question: Question, cutoffs: tuple[Cutoff, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Strata, buckets, and how many customers each pair of them has."""
    from pyspark.sql import functions as f

    count = partial(parted.work.counted, question, cutoffs)
    with spark_faults():
        found = (
            parted.made(count, _schema())
            .groupBy(STRATUM, BUCKET)
            .agg(f.sum(COUNT).alias(COUNT))
            .collect()
        )
    table = np.array([tuple(row) for row in found], dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _schema() -> StructType:
    from pyspark.sql.types import LongType, StructType

    told = StructType()
    for name in (STRATUM, BUCKET, COUNT):
        told.add(name, LongType())
    return told
