"""Exact places of rows in Spark: who is how many-th of all, with no more on the driver than counts.

Rows are parted by borders into stretches of the order, each of which fits an executor. How many
rows lie before a stretch is told by counting; the place of a row in its stretch by sorting that
alone. Borders are taken from a sample that follows from the rows themselves, so that it does not
matter how often, where or in how many parts Spark looks at them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from churnkit.engines.spark.faults import on_executors, without_pandas

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame
    from pyspark.sql.types import DataType, StructType

STRETCH, PLACE = "stretch", "place"
"""Columns: the number of the stretch of the order, and the place in all of it, from 0 on."""

ROWS = 250_000
"""Rows of a stretch, about."""

_SAMPLED = 100  # for each border


@dataclass(frozen=True)
class Order:
    """The rows of a frame in order of some columns, which tell any two rows apart.

    Attributes
    ----------
    frame
        The rows, with the column `STRETCH`.
    keys
        The columns; values rise, and the id comes last.
    starts
        How many rows come before each stretch.
    """

    frame: DataFrame
    keys: tuple[str, ...]
    starts: tuple[int, ...]

    @classmethod
    def of(cls, frame: DataFrame, keys: Sequence[str], count: int, rows: int = ROWS) -> Order:
        """The order of the rows of a frame.

        Parameters
        ----------
        frame, keys
            As of the order. None of the keys is missing.
        count
            How many rows there are.
        rows
            Rows of a stretch, about.
        """
        from pyspark.sql.types import IntegerType

        borders = _borders(frame, keys, count, max(-(-count // rows), 1))
        schema = with_column(frame, STRETCH, IntegerType())
        with_stretch = on_executors(frame, partial(stretched, tuple(keys), borders), schema)
        if not len(borders):
            return cls(with_stretch, tuple(keys), (0,))
        found = {row[0]: row[1] for row in with_stretch.groupBy(STRETCH).count().collect()}
        counts = [found.get(k, 0) for k in range(len(borders) + 1)]
        return cls(with_stretch, tuple(keys), tuple(accumulate(counts[:-1], initial=0)))

    def placed(self) -> DataFrame:
        """The rows with their `PLACE`; those of a stretch together, in order."""
        from pyspark.sql.types import LongType

        sorted_rows = self.frame.repartition(len(self.starts), STRETCH).sortWithinPartitions(
            STRETCH, *self.keys
        )
        schema = with_column(self.frame, PLACE, LongType())
        return on_executors(sorted_rows, partial(numbered, self.starts), schema)


def with_column(frame: DataFrame, name: str, kind: DataType) -> StructType:
    """The columns of a frame and one more; `StructType.add` would change the frame's."""
    from pyspark.sql.types import StructField, StructType

    return StructType([*frame.schema.fields, StructField(name, kind)])


def _borders(frame: DataFrame, keys: Sequence[str], count: int, stretches: int) -> pa.Table:
    """Keys between stretches, in order; one fewer than there are stretches."""
    from pyspark.sql import functions as f

    chosen = frame.select(*keys)
    if stretches > 1:
        step = max(count // (stretches * _SAMPLED), 1)
        chosen = chosen.where(f.expr(f"pmod(xxhash64({keys[-1]}), {step}) = 0"))
    else:
        chosen = chosen.limit(0)
    with without_pandas():
        some = in_order(chosen.toArrow(), keys)
    nth = np.unique(np.arange(1, stretches) * len(some) // stretches)
    return some.take(nth) if len(some) else some


def in_order(rows: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Rows in order of some columns."""
    import pyarrow.compute as pc

    return rows.take(pc.sort_indices(rows, sort_keys=[(key, "ascending") for key in keys]))


def stretched(
    keys: Sequence[str], borders: pa.Table, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Batches with the number of the stretch that each row lies in."""
    import pyarrow as pa

    for batch in batches:
        stretch = stretch_of(batch.select(list(keys)), keys, borders)
        yield pa.RecordBatch.from_arrays(
            [*batch.columns, pa.array(stretch, pa.int32())], [*batch.schema.names, STRETCH]
        )


def stretch_of(rows: pa.RecordBatch, keys: Sequence[str], borders: pa.Table) -> np.ndarray:
    """How many borders do not come after each row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known = len(borders)
    if not known or not len(rows):
        return np.zeros(len(rows), dtype=np.int32)
    theirs = pa.Table.from_batches([rows]).cast(borders.schema)
    both = pa.concat_tables([borders, theirs])
    # The sort is stable: of equals the border comes first.
    order = pc.sort_indices(both, sort_keys=[(key, "ascending") for key in keys]).to_numpy()
    is_border = order < known
    found = np.empty(len(rows), dtype=np.int32)
    found[order[~is_border] - known] = np.cumsum(is_border)[~is_border]
    return found


def numbered(starts: Sequence[int], batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Sorted batches of whole stretches with the place of each row."""
    import pyarrow as pa

    last, seen = -1, 0
    for batch in batches:
        stretch = batch.column(STRETCH).to_numpy(zero_copy_only=False)
        nth = np.arange(len(stretch))
        begins = np.maximum.accumulate(np.where(np.diff(stretch, prepend=last) != 0, nth, 0))
        within = nth - begins
        if len(stretch):
            if stretch[0] == last:  # it began in the batch before
                within[begins == 0] += seen
            last, seen = int(stretch[-1]), int(within[-1]) + 1
        place = np.asarray(starts, dtype=np.int64)[stretch] + within
        yield pa.RecordBatch.from_arrays(
            [*batch.columns, pa.array(place)], [*batch.schema.names, PLACE]
        )
