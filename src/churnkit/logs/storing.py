"""Writing a store: block by block from logs in memory, or log by log from sorted streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from churnkit.logs.check import STATIC
from churnkit.logs.store import CUSTOMERS, LINES, EventFile, StoredLogs, Told, path_of
from churnkit.logs.table import Events, Logs

if TYPE_CHECKING:
    import pyarrow as pa


class BlockWriter:
    """Writes an Arrow file batch by batch, one for each block."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        import pyarrow as pa

        self.rows = 0
        self._file = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._file, schema)

    def __enter__(self) -> BlockWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the next block."""
        self._writer.write_batch(batch)
        self.rows += len(batch)

    def close(self) -> None:
        """Finish the file; once more does nothing."""
        if not self._file.closed:
            with self._file:  # also if there is no room for the end of it
                self._writer.close()


def write_stream(path: Path, batches: pa.RecordBatchReader, edges: Iterable[int]) -> int:
    """Write a stream that is sorted by ``customer`` as blocks, in each of which they count from 0.

    Parameters
    ----------
    path
        Where to.
    batches
        A stream with a column ``customer`` of int32.
    edges
        The first customer of each block, and after the last block the number of customers.

    Returns
    -------
    int
        Number of rows.
    """
    with BlockWriter(path, batches.schema) as writer:
        for block in _blocks(batches, edges):
            writer.write(block)
    return writer.rows


def _blocks(batches: pa.RecordBatchReader, edges: Iterable[int]) -> Iterator[pa.RecordBatch]:
    nothing = _empty(batches.schema)
    rest = nothing
    for start, stop in pairwise(edges):
        parts = []
        while rest is not None:
            end = int(np.searchsorted(rest.column("customer").to_numpy(), stop))
            parts.append(rest.slice(0, end))
            if end < len(rest):
                rest = rest.slice(end)
                break
            rest = next(batches, None)
        yield _counted_from(start, _joined([part for part in parts if len(part)] or [nothing]))


def _joined(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    import pyarrow as pa

    return parts[0] if len(parts) == 1 else pa.concat_batches(parts)


def _counted_from(start: int, block: pa.RecordBatch) -> pa.RecordBatch:
    import pyarrow as pa
    import pyarrow.compute as pc

    customer = pc.subtract(block.column("customer"), pa.scalar(start, pa.int32()))
    return block.set_column(block.schema.get_field_index("customer"), "customer", customer)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_pylist([], schema=schema)


class StoreWriter:
    """Writes checked logs that come as blocks of whole customers, in order of their ids.

    Parameters
    ----------
    folder
        An empty folder.
    static
        Names of the static columns that the logs have.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> logs = Logs(np.array(["a"], dtype=object), Events(np.array([0]), np.array([5]), {}))
    >>> with TemporaryDirectory() as folder, StoreWriter(Path(folder)) as writer:
    ...     writer.append(logs)
    ...     stored = writer.finish(Told())
    ...     [len(block.purchases) for block in stored.blocks()]
    [1]
    """

    def __init__(self, folder: Path, static: tuple[str, ...] = ()) -> None:
        self._folder, self._static = folder, static
        self._logs: dict[str, _LogWriter] = {}
        self._schema = _customers_schema(static)
        self._customers = BlockWriter(path_of(folder, CUSTOMERS), self._schema)
        self._blocks = 0
        self._has_values = False

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def append(self, logs: Logs) -> None:
        """Write logs as the next block; a log that other blocks have may be absent."""
        there = dict(logs.events)
        if logs.lines is not None:
            there[LINES] = logs.lines
        for name, events in there.items():
            if name not in self._logs:
                self._logs[name] = _LogWriter(path_of(self._folder, name), events, self._blocks)
        for name, writer in self._logs.items():
            writer.append(there.get(name))
        self._append_customers(logs)
        self._blocks += 1

    def finish(self, told: Told) -> StoredLogs:
        """What was written, with what is known beside the events."""
        self._close()
        return StoredLogs(
            self._folder,
            {name: writer.file() for name, writer in self._logs.items()},
            blocks=self._blocks,
            customers=self._customers.rows,
            has_values=self._has_values,
            static=self._static,
            told=told,
        )

    def _append_customers(self, logs: Logs) -> None:
        import pyarrow as pa

        value = logs.yearly_value
        self._has_values |= value is not None
        unknown = np.full(logs.customer_count, np.nan)
        columns = [logs.customer_ids, unknown if value is None else value]
        columns += [pa.array(logs.static[name].as_list(), pa.string()) for name in self._static]
        self._customers.write(pa.record_batch(columns, schema=self._schema))

    def _close(self) -> None:
        for writer in self._logs.values():
            writer.close()
        self._customers.close()


class _LogWriter:
    """Writes one log of a store; words are numbered in the order in which they come."""

    def __init__(self, path: Path, like: Events, missed: int) -> None:
        import pyarrow as pa

        self._path, self._measures = path, tuple(like.columns)
        self._numbers: dict[str, dict[str, int]] = {measure: {} for measure in like.vocabularies}
        names = ("customer", "ts", *self._measures)
        self._schema = pa.schema([(name, pa.int64()) for name in names])
        self._file = BlockWriter(path, self._schema)
        for _ in range(missed):
            self.append(None)

    def append(self, events: Events | None) -> None:
        import pyarrow as pa

        if events is None:
            self._file.write(_empty(self._schema))
            return
        columns = {"customer": events.customer, "ts": events.ts, **events.columns}
        columns |= {m: self._numbered(m, events) for m in events.vocabularies}
        self._file.write(pa.record_batch(columns, schema=self._schema))

    def _numbered(self, measure: str, events: Events) -> np.ndarray:
        numbers, words = self._numbers[measure], events.vocabularies[measure]
        here = np.array([numbers.setdefault(word, len(numbers)) for word in words], dtype=np.int64)
        return here[events.columns[measure]]

    def close(self) -> None:
        self._file.close()

    def file(self) -> EventFile:
        words = {measure: tuple(numbers) for measure, numbers in self._numbers.items()}
        return EventFile(self._path, self._measures, self._file.rows, words)


def _customers_schema(static: tuple[str, ...]) -> pa.Schema:
    import pyarrow as pa

    columns = [("customer_id", pa.string()), ("value", pa.float64())]
    return pa.schema([*columns, *((STATIC + name, pa.string()) for name in static)])
