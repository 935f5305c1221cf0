"""What executors tell of customers who were scored: lights, more of a few, totals, rows, files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from churnkit.actions import TierEdges, wanted
from churnkit.clock import Cutoff
from churnkit.engines.judging import WHO
from churnkit.engines.spark.order import STRETCH
from churnkit.engines.spark.scorer import (
    CAUSE,
    CHANGED,
    CUSTOMER,
    LEADING,
    LEVEL,
    PROBABILITY,
    RANK,
    REASONS,
    VALUE,
    Scorer,
)
from churnkit.features import FeaturePlan
from churnkit.lights import Everyone, worth
from churnkit.publishing import write_part
from churnkit.scoring import ROWS_AT_ONCE, Totals
from churnkit.scoring.rows import plan_of, run_table, theirs_of
from churnkit.scoring.run import Few, Telling, says_of, told_again
from churnkit.scoring.scores import joined_reasons
from churnkit.scoring.sweep import built_again

if TYPE_CHECKING:
    import pyarrow as pa

AGAIN, FIRST, NEAREST = "again", "first", "nearest"
"""Columns: what was found of a customer of whom more is told; and what is to be exact."""

TOLD, FIRST_KEY, THEN_KEY, WEIGHT, OWNER, KEY = (
    "told",
    "first_key",
    "then_key",
    "weight",
    "owner",
    "key",
)
"""Columns: something as text; the keys of the ranking; the weight; who acts; a value as a number
that can be sorted."""

Batches = Iterator["pa.RecordBatch"]


def counted(batches: Batches) -> Batches:
    """`Everyone` of a partition, as JSON."""
    found = [Everyone.of(*_arrays(batch, PROBABILITY, VALUE)) for batch in batches]
    for everyone in found[:1]:
        yield _one(sum(found[1:], everyone).to_json())


def weighed(is_any_known: bool, batches: Batches) -> Batches:
    """Customers with the keys by which they are ranked: the order in which both rise."""
    import pyarrow as pa

    for batch in batches:
        probability, value = _arrays(batch, PROBABILITY, VALUE)
        weight = worth(value, is_any_known)
        # Adding zero makes one of the two zeros that there are.
        keys = -(probability * weight) + 0.0, -probability + 0.0
        arrays = [pa.array(column) for column in (probability, weight, *keys)]
        yield pa.RecordBatch.from_arrays(
            [*arrays, batch.column(CUSTOMER)], [PROBABILITY, WEIGHT, FIRST_KEY, THEN_KEY, CUSTOMER]
        )


def lit(scorer: Scorer, batches: Batches) -> Batches:
    """Customers with their level, and whether it is another than in the run before."""
    import pyarrow as pa

    for batch in batches:
        if not len(batch):
            continue
        scores = scorer.scores(pa.Table.from_batches([batch]))
        level, before = scores.lights.level, scores.before
        changed = np.zeros(len(level), dtype=bool)
        if before is not None:
            changed = before.known & (before.level != level)
        more = [pa.array(level.astype(np.int32)), pa.array(changed)]
        names = [*batch.schema.names, LEVEL, CHANGED]
        yield pa.RecordBatch.from_arrays([*batch.columns, *more], names)


@dataclass(frozen=True)
class Second:
    """The second look: exact reasons of the first customers, and why lights changed.

    Attributes
    ----------
    scorer
        How customers are scored.
    plan, earlier
        The features of the cutoff, and of that of the run before, if there was one.
    """

    scorer: Scorer
    plan: FeaturePlan
    earlier: Cutoff | None

    @cached_property
    def telling(self) -> Telling:
        """How it is told."""
        sought = self.scorer.sought
        return Telling(sought.model, sought.middle, says_of(sought.light))

    def __getstate__(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def told(self, batches: Batches) -> Batches:
        """Reasons, leading theme and cause of each customer of a partition.

        Beside their rows, customers have what was found of them in `AGAIN`.
        """
        import pyarrow as pa

        scorer = self.scorer
        scorer.work._load_own()
        for chunk, logs in scorer.work._chunks(batches):
            rows = _once(chunk)
            scores = scorer.scores(rows)
            few = Few(*(rows[name].to_numpy() for name in (FIRST, CHANGED, NEAREST)))
            built = built_again(logs, self.plan, scorer.model, scorer.as_of, self.earlier)
            scores = told_again(scores, few, [self.telling.tell(scores, few, built)])
            found = scores.found
            yield pa.RecordBatch.from_pydict(
                {
                    CUSTOMER: found.customer,
                    REASONS: joined_reasons(found.phrases, found.numbers, found.exact),
                    LEADING: pa.array(found.leading.astype(np.int32)),
                    CAUSE: pa.array(scores.changed, pa.string()),
                }
            )


def _once(chunk: pa.Table) -> pa.Table:
    """What was found of the customers of a chunk, each once, in order."""
    import pyarrow as pa

    who = chunk[WHO].combine_chunks().dictionary_encode().indices.to_numpy()
    first = np.flatnonzero(np.diff(who, prepend=-1))
    rows = chunk.select([AGAIN]).take(pa.array(first)).combine_chunks()
    return pa.Table.from_struct_array(rows[AGAIN].combine_chunks())


def takers(scorer: Scorer, tiers: TierEdges, batches: Batches) -> Batches:
    """Rank and owner of the customers who take somebody's time."""
    import pyarrow as pa

    for batch in batches:
        if not len(batch):
            continue
        scores = scorer.scores(pa.Table.from_batches([batch]))
        asked = wanted(theirs_of(scores, scorer.actions, scorer.segment), scorer.actions, tiers)
        owner = asked.owner.where(asked.takes_time)
        yield pa.RecordBatch.from_pydict(
            {
                RANK: pa.array(scores.rank[asked.takes_time]),
                OWNER: pa.array(owner.as_list(), pa.string()),
            }
        )


def sortable(batches: Batches) -> Batches:
    """Known values as whole numbers in the same order."""
    import pyarrow as pa

    for batch in batches:
        (value,) = _arrays(batch, VALUE)
        bits = (value[~np.isnan(value)] + 0.0).view(np.int64)
        yield pa.RecordBatch.from_arrays([pa.array(_flipped(bits))], [KEY])


def value_of(key: int) -> float:
    """The value that `sortable` made a number of."""
    return float(_flipped(np.array([key], dtype=np.int64)).view(np.float64)[0])


def _flipped(bits: np.ndarray) -> np.ndarray:
    """Of negative numbers the other bits turned, since they rise as those fall; its own inverse."""
    return bits ^ ((bits >> 63) & np.int64(0x7FFFFFFFFFFFFFFF))


def totalled(scorer: Scorer, batches: Batches) -> Batches:
    """`Totals` of a partition, as JSON."""
    import pyarrow as pa

    found: Totals | None = None
    for batch in batches:
        if not len(batch):
            continue
        scores = scorer.scores(pa.Table.from_batches([batch]))
        plan = plan_of(scores, scorer.actions, scorer.segment, scorer.limits)
        told = Totals.of(scores, plan)
        found = told if found is None else found + told
    if found is not None:
        yield _one(found.to_json())


def published(scorer: Scorer, batches: Batches) -> Batches:
    """The rows of a run, as they are published."""
    import pyarrow as pa

    for batch in batches:
        if len(batch):
            yield from _run_table(scorer, pa.Table.from_batches([batch])).to_batches()


def written(scorer: Scorer, folder: Path, batches: Batches) -> Batches:
    """The files of the parts of a run that a partition holds; what is told of each, as JSON.

    The batches are sorted by `STRETCH`, which is the number of the part, and by customer.
    """
    pieces = chain.from_iterable(map(_by_part, batches))
    for number, slices in groupby(pieces, key=itemgetter(0)):
        tables = _of_size((piece for _, piece in slices), ROWS_AT_ONCE)
        part = write_part(folder, number, (_run_table(scorer, rows) for rows in tables))
        yield _one(part.to_json())


def _by_part(batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
    part = batch.column(STRETCH).to_numpy()
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(part)], strict=True):
        yield int(part[start]), batch.slice(start, stop - start)


def _of_size(batches: Batches, rows: int) -> Iterator[pa.Table]:
    """Tables of exactly so many rows, the last one of fewer."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        while sum(map(len, waiting)) >= rows:
            whole = pa.Table.from_batches(waiting)
            yield whole.slice(0, rows)
            waiting = whole.slice(rows).to_batches()
    if waiting and sum(map(len, waiting)):
        yield pa.Table.from_batches(waiting)


def _run_table(scorer: Scorer, rows: pa.Table) -> pa.Table:
    scores = scorer.scores(rows)
    plan = plan_of(scores, scorer.actions, scorer.segment, scorer.limits)
    return run_table(scores, plan, np.arange(len(rows)))


def _arrays(batch: pa.RecordBatch, *names: str) -> tuple[np.ndarray, ...]:
    return tuple(batch.column(name).to_numpy(zero_copy_only=False) for name in names)


def _one(text: str) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_arrays([pa.array([text], pa.string())], [TOLD])
