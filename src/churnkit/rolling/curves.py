"""Learning curves: what more customers, or more training cutoffs, would be worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from churnkit.dataset import Dataset
from churnkit.metrics import Interval, measuring, resample
from churnkit.model import fit, rung_named
from churnkit.progress import Progress, Step, silent
from churnkit.rolling.trials import MEASURED, REPEATS, Rolling

SHARES = (0.1, 0.25, 0.5, 1.0)
"""Shares of the customers that are learnt from."""


@dataclass(frozen=True)
class Point:
    """The chosen rung, learnt from a part of the training rows of the last trial.

    Attributes
    ----------
    share, cutoffs
        Share of the customers, and number of training cutoffs.
    rows, customers
        So many were learnt from.
    metrics
        Name of `MEASURED` → what was reached on the test of the last trial.
    """

    share: float
    cutoffs: int
    rows: int
    customers: int
    metrics: dict[str, Interval]


def learning_by_customers(result: Rolling, progress: Progress = silent) -> tuple[Point, ...]:
    """The chosen rung, learnt from more and more customers: each share holds the one before."""
    features = _learnt(result).features
    names, customer = np.unique(features.customer_id, return_inverse=True)
    drawn = np.random.default_rng(0).permutation(len(names))[customer]
    parts = [(share, drawn < round(share * len(names))) for share in SHARES]
    return tuple(_points(result, parts, progress))


def learning_by_cutoffs(result: Rolling, progress: Progress = silent) -> tuple[Point, ...]:
    """The chosen rung, learnt from the latest one, two, four … training cutoffs, and from all."""
    cutoff = _learnt(result).features.cutoff
    known = np.unique(cutoff)
    counts = [2**k for k in range(len(known).bit_length()) if 2**k < len(known)]
    parts = [(1.0, np.isin(cutoff, known[-count:])) for count in (*counts, len(known))]
    return tuple(_points(result, parts, progress))


def _learnt(result: Rolling) -> Dataset:
    learnt = result.trials[-1].learnt
    if learnt is None:
        raise ValueError("the last trial has let its training rows go")
    return learnt


def _points(
    result: Rolling, parts: Sequence[tuple[float, np.ndarray]], progress: Progress
) -> Iterator[Point]:
    """One point for each part that holds churners and stayers."""
    learnt, test = _learnt(result), result.trials[-1].data
    whole = sum(mask.sum() for _, mask in parts)
    done = 0
    for share, mask in parts:
        some = learnt.where(mask)
        if not 0 < some.base_rate < 1:
            continue
        progress(Step(f"learning from {len(some):,} of {len(learnt):,} rows", done, whole))
        done += len(some)
        model = fit(rung_named(result.chosen), some, result.question, result.recipe)
        columns = {"p": model.churn_probability(test.features)}
        whose, weight = test.features.customer_id, test.weight
        found = resample(
            measuring(*MEASURED), test.churned, columns, whose, None, REPEATS, weight=weight
        )
        yield Point(
            share,
            len(np.unique(some.features.cutoff)),
            len(some),
            some.customers,
            {name: found.interval("p", k) for k, name in enumerate(MEASURED)},
        )
