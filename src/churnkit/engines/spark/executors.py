"""What runs on the executors of Spark: Arrow batches of a partition in, Arrow batches out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import add
from typing import TYPE_CHECKING

import numpy as np

from churnkit.clock import Cutoff
from churnkit.engines.chunks import whole_customers
from churnkit.engines.judging import CELLS, ROW, WHO, Customers, Judge, Shape
from churnkit.engines.spark.strata import (
    BUCKET,
    COUNT,
    STRATUM,
    Draw,
    buckets_of,
    strata_of,
)
from churnkit.engines.spark.survey import Survey
from churnkit.features import FeaturePlan
from churnkit.features.kernel import Beside, Population
from churnkit.features.own import load_own, load_own_text, own_sources
from churnkit.labels import Question
from churnkit.logs import Contract, Logs
from churnkit.sources import connect

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

LOG, SURVEY = "log", "survey"
"""Columns: the log of a row among the rows of all logs, and what was seen of a partition."""


@dataclass(frozen=True)
class OnExecutors:
    """The work on partitions; every method takes the batches of one.

    Attributes
    ----------
    shapes
        Log → what is known of it.
    contract
        Column mappings, scales, time zone and limits.
    rows
        Rows of a chunk, all logs together.
    own
        Path and text of the files that define features which are not built in.
    """

    shapes: Mapping[str, Shape]
    contract: Contract
    rows: int
    own: tuple[tuple[str, str], ...] = ()

    def identified(self, log: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Rows of a log (`ROW`, `CELLS`) with their customer in front (`WHO`)."""
        import pyarrow as pa

        shape = self.shapes[log]
        with _engine() as con:
            customers = Customers(con, log, shape, self.contract)
            for batch in batches:
                cells = pa.Table.from_batches([batch]).select([CELLS]).flatten()
                who = customers.of(cells.rename_columns(shape.schema.names))
                yield pa.RecordBatch.from_arrays([who, *batch.columns], [WHO, ROW, CELLS])

    def surveyed(
        self,
        cutoffs: Sequence[Cutoff],
        before: Sequence[Cutoff],
        prints: Cutoff | None,
        batches: Iterator[pa.RecordBatch],
    ) -> Iterator[pa.RecordBatch]:
        """What `Survey.of` sees of the customers of a partition; nothing of an empty one."""
        import pyarrow as pa

        seen = (Survey.of(logs, cutoffs, before, prints) for logs in self._logs(batches))
        first = next(seen, None)
        if first is not None:
            told = reduce(add, seen, first).to_bytes()
            yield pa.RecordBatch.from_arrays([pa.array([told], pa.binary())], [SURVEY])

    def features(
        self, plan: FeaturePlan, batches: Iterator[pa.RecordBatch]
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a plan for the customers of a partition, without dictionaries."""
        self._load_own()
        for logs in self._logs(batches):
            yield from map(_plain, plan.batches(logs))

    def built(
        self,
        plan: FeaturePlan,
        beside: Mapping[str, Beside],
        population: Population,
        batches: Iterator[pa.RecordBatch],
    ) -> Iterator[pa.RecordBatch]:
        """The rows of a plan as plain numbers: customer, cutoff, columns, and what is beside."""
        import pyarrow as pa

        self._load_own()
        names = [column.name for column in plan.columns]
        for logs in self._logs(batches):
            for piece in plan.rows(logs, population, beside):
                ids = pa.array(piece.customer_ids, pa.string()).take(pa.array(piece.at.customer))
                columns = [pa.array(piece.columns[name]) for name in names]
                more = [pa.array(piece.beside[name].astype(np.float64)) for name in beside]
                arrays = [ids, pa.array(piece.at.us), *columns, *more]
                told = [str(k) for k in range(len(arrays))]  # Spark has names for them already
                yield pa.RecordBatch.from_arrays(arrays, told)

    def counted(
        self, question: Question, cutoffs: Sequence[Cutoff], batches: Iterator[pa.RecordBatch]
    ) -> Iterator[pa.RecordBatch]:
        """Stratum, bucket, and how many customers have both; see `strata_of`, `buckets_of`."""
        import pyarrow as pa

        for logs in self._logs(batches):
            of = np.stack([strata_of(logs, question, cutoffs), buckets_of(logs.customer_ids)])
            pairs, counts = np.unique(of, axis=1, return_counts=True)
            arrays = [pa.array(column) for column in (*pairs, counts)]
            yield pa.RecordBatch.from_arrays(arrays, [STRATUM, BUCKET, COUNT])

    def drawn(self, draw: Draw, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows, as they came, of the customers who are drawn."""
        import pyarrow as pa
        import pyarrow.compute as pc

        for chunk, logs in self._chunks(batches):
            chosen = pa.array(logs.customer_ids[draw.drawn(logs)], pa.string())
            yield from chunk.filter(pc.is_in(chunk[WHO], value_set=chosen)).to_batches()

    def _load_own(self) -> None:
        """Know the user's own features, and none of another plan that this worker served."""
        if own_sources() != self.own:
            load_own()
            for path, text in self.own:
                load_own_text(path, text)

    def _logs(self, batches: Iterator[pa.RecordBatch]) -> Iterator[Logs]:
        """The checked logs of a few whole customers at a time, see `_chunks`."""
        return (logs for _, logs in self._chunks(batches))

    def _chunks(self, batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[pa.Table, Logs]]:
        """The rows of a few whole customers at a time, and what the logs hold of them.

        The batches are sorted by `WHO`; beside it they have `ROW`, `LOG`, and a struct for each
        log, in which its rows have their cells.
        """
        first = next(batches, None)
        if first is None:
            return
        with _engine() as con:
            judge = Judge(con, self.shapes, self.contract)
            for chunk in whole_customers(chain([first], batches), WHO, self.rows):
                yield chunk, judge.logs({log: _of(chunk, log) for log in self.shapes})


@contextmanager
def _engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(threads=1) as con:  # Spark has other partitions for other processors
        yield con


def _of(chunk: pa.Table, log: str) -> pa.Table:
    import pyarrow.compute as pc

    rows = chunk.select([WHO, ROW, log]).rename_columns([WHO, ROW, CELLS])
    return rows.filter(pc.equal(chunk[LOG], log))


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [
        column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)
