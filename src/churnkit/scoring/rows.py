"""The rows of a run as they are published: what scoring tells, what is planned, the segment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from churnkit.actions import Actions, Limits, Theirs, planned
from churnkit.features.kernel import in_order
from churnkit.lights import LIGHTS
from churnkit.logs import Texts
from churnkit.scoring.scores import ROWS_AT_ONCE, Scores, words

if TYPE_CHECKING:
    import pyarrow as pa


def theirs_of(scores: Scores, actions: Actions, segment: str) -> Theirs:
    """What planning must know of the customers of some scores.

    Parameters
    ----------
    scores, actions
        The scores, and how they are turned into deeds.
    segment
        The static column that tells the segment; empty for none.
    """
    return Theirs(
        ids=lambda rows: scores.customer.take(_positions(rows)).to_pylist(),
        rank=scores.rank,
        value=scores.value_at_risk,
        light=Texts(LIGHTS, scores.lights.level),
        reason=scores.reason,
        segment=scores.class_texts(segment),
        static={name: scores.class_texts(name) for name in actions.playbooks.columns},
    )


def plan_of(
    scores: Scores, actions: Actions, segment: str, limits: Limits | None = None
) -> dict[str, Texts]:
    """The segment of each customer, and what is planned for it.

    Parameters
    ----------
    scores, actions, segment
        As for `theirs_of`.
    limits
        Those of all customers, where the scores are of some of them only.
    """
    theirs = theirs_of(scores, actions, segment)
    return {"segment": theirs.segment, **planned(theirs, actions, scores.as_of, limits)}


def run_table(scores: Scores, plan: Mapping[str, Texts], rows: np.ndarray) -> pa.Table:
    """Some rows of a run: what scoring tells, what is planned, the segment."""
    table = scores.table(rows)
    for days, p in scores.within.items():
        table = table.append_column(f"churn_probability_{days}d", [p[rows]])
    for name, texts in plan.items():
        table = table.append_column(name, words(texts.words, texts.code[rows]))
    return table


def run_tables(scores: Scores, plan: Mapping[str, Texts]) -> Iterator[pa.Table]:
    """The rows of a run in order of the ids, a few at a time; the next are made meanwhile."""
    starts = range(0, len(scores), ROWS_AT_ONCE)

    def rows_from(start: int) -> pa.Table:
        return run_table(scores, plan, np.arange(start, min(start + ROWS_AT_ONCE, len(scores))))

    return in_order(rows_from, starts)


def _positions(rows: np.ndarray) -> pa.Array:
    import pyarrow as pa

    return pa.array(rows)
