"""`StoredLogs`: checked logs on disk, as blocks of whole customers.

A store is a folder with an Arrow IPC file for each log, one for the lines and one for the
customers. Each file has one record batch for each block, so that a block is read by itself, and
logs of any length need the memory of one block.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from churnkit.clock import Cutoff, day_after, seen_before, start_of_day
from churnkit.logs.account import LogCheck
from churnkit.logs.check import STATIC
from churnkit.logs.schema import Instrument
from churnkit.logs.shown import Span, logs_html, logs_line
from churnkit.logs.table import Events, Logs, Texts, measures_of, rank_of_the_last

if TYPE_CHECKING:
    import pyarrow as pa

LINES = "lines"
"""How the lines of the purchases are called beside the logs."""

CUSTOMERS = "customers"
"""How the ids and yearly values of the customers are called beside the logs."""


def path_of(folder: Path, name: str) -> Path:
    """The file of a log, of the lines or of the customers in the folder of a store."""
    return folder / f"{name}.arrow"


@contextmanager
def open_batches(path: Path, columns: tuple[str, ...] = ()) -> Iterator[pa.RecordBatchFileReader]:
    """A reader of the batches of an Arrow file, of all columns or of some."""
    import pyarrow as pa

    # Read, not mapped: mapped pages would count as memory of the process.
    with pa.OSFile(str(path)) as file:
        names = pa.ipc.open_file(file).schema.names if columns else []
        options = pa.ipc.IpcReadOptions(
            use_threads=False, included_fields=[names.index(name) for name in columns]
        )
        yield pa.ipc.open_file(file, options=options)


def _integers(batch: pa.RecordBatch, name: str) -> np.ndarray:
    return batch.column(name).to_numpy().astype(np.int64, copy=False)


def _places(words: Sequence[str]) -> np.ndarray:
    """Position that each word has among them once they are sorted."""
    ranks = np.empty(len(words), dtype=np.int64)
    ranks[sorted(range(len(words)), key=words.__getitem__)] = np.arange(len(words))
    return ranks


def texts_of(column: pa.Array | pa.ChunkedArray) -> Texts:
    """The texts of an Arrow column, with their words sorted."""
    import pyarrow as pa

    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = pa.chunked_array(chunks, pa.string()).dictionary_encode().unify_dictionaries()
    if not parts.num_chunks:
        return Texts((), np.empty(0, dtype=np.int64))
    words = parts.chunk(0).dictionary.to_pylist()
    ranks = np.append(_places(words), -1)  # -1, which stands for a missing text, is the last one
    numbers = [part.indices.fill_null(-1).to_numpy().astype(np.int64) for part in parts.chunks]
    return Texts(tuple(sorted(words)), ranks[np.concatenate(numbers)])


@dataclass(frozen=True)
class Told:
    """What is known of logs beside their events; `Logs` says what each is."""

    instruments: tuple[Instrument, ...] = ()
    zone: str = "UTC"
    checks: tuple[LogCheck, ...] = ()
    rejected: pa.Table | None = None


@dataclass(frozen=True)
class EventFile:
    """The events of one log on disk, or the lines of the purchases.

    Attributes
    ----------
    path
        Arrow file with ``customer`` (numbered from zero in each block), ``ts`` and the measures,
        as integers of any width.
    measures
        Names of the measures, in the order of the file.
    rows
        Number of events.
    words
        Text measure → its words, in the order of the numbers that stand for them in the file.
    """

    path: Path
    measures: tuple[str, ...]
    rows: int
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def vocabularies(self) -> dict[str, tuple[str, ...]]:
        """Text measure → its words, sorted."""
        return {measure: tuple(sorted(words)) for measure, words in self.words.items()}

    def events(self, batch: pa.RecordBatch) -> Events:
        """The events of one batch of the file."""
        arrays = {name: _integers(batch, name) for name in batch.schema.names}
        for measure, ranks in self._ranks.items():
            arrays[measure] = ranks[arrays[measure]]
        return Events(arrays.pop("customer"), arrays.pop("ts"), arrays, self.vocabularies)

    def columns(self, *names: str) -> Iterator[tuple[np.ndarray, ...]]:
        """Some columns of each block."""
        with open_batches(self.path, names) as batches:
            for k in range(batches.num_record_batches):
                batch = batches.get_batch(k)
                yield tuple(_integers(batch, name) for name in names)

    def last_us(self) -> int:
        """The time that `rank_of_the_last` points to, without holding all times."""
        few = self.rows - rank_of_the_last(self.rows)
        latest = np.empty(0, dtype=np.int64)
        for (ts,) in self.columns("ts"):
            latest = np.concatenate((latest, ts))
            spare = len(latest) - few
            if spare > 0:
                latest = np.partition(latest, spare)[spare:]
        return int(latest.min())

    def first_us(self) -> int:
        """The time of the first event."""
        return min(int(ts.min()) for (ts,) in self.columns("ts") if len(ts))

    @cached_property
    def _ranks(self) -> dict[str, np.ndarray]:
        """Text measure → position of each of its words in the vocabulary, unless it is its own."""
        return {
            measure: _places(words)
            for measure, words in self.words.items()
            if words != self.vocabularies[measure]
        }


class StoredLogs:
    """Checked logs on disk, read block by block; they answer what `CustomerLogs` can be asked.

    Blocks can be read several times, and by several threads at once.

    Parameters
    ----------
    folder
        Where the files are.
    files
        Log → its file; the lines of the purchases are one of them.
    blocks, customers
        How many there are.
    has_values
        Whether the yearly values of customers are known.
    static
        Names of the columns of the customers that are declared never to change.
    told
        What is known beside the events.
    """

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, EventFile],
        *,
        blocks: int,
        customers: int,
        has_values: bool,
        told: Told,
        static: tuple[str, ...] = (),
    ) -> None:
        self.block_count, self.customer_count = blocks, customers
        self.instruments, self.zone = told.instruments, told.zone
        self.checks, self.rejected = told.checks, told.rejected
        self.static_columns = static
        self._folder, self._files, self._has_values = folder, dict(files), has_values
        self._days: dict[tuple[str, str], Cutoff] = {}

    def __repr__(self) -> str:
        return logs_line(self.customer_count, self._spans)

    def _repr_html_(self) -> str:
        """What a notebook shows: each log, and what was set aside."""
        return logs_html(self.customer_count, self.zone, self._spans, self.checks)

    @property
    def _spans(self) -> dict[str, Span]:
        """As they were counted when the logs were read: no file is opened for it."""

        def day(us: int | None) -> str:
            return "" if us is None else str(start_of_day(us, self.zone))

        return {
            c.log: Span(c.folded or 0, c.customers, day(c.first), day(c.last))
            for c in self.checks
            if c.log in self._files
        }

    @property
    def measures(self) -> dict[str, tuple[str, ...]]:
        """Log → its measures, sorted; those of the purchases hold the columns of the lines too.

        These have `LINE` before their names.
        """
        columns = {name: file.measures for name, file in self._files.items()}
        lines = columns.pop(LINES, ())
        return measures_of(columns, lines)

    @property
    def has_amounts(self) -> bool:
        """Whether purchases come with money."""
        return "amount" in self.measures.get("purchases", ())

    def blocks(self) -> Iterator[Logs]:
        """Runs of whole customers, in order of their ids; each time from the first."""
        with self._opened() as read:
            for k in range(self.block_count):
                yield read(k)

    def block(self, k: int) -> Logs:
        """The ``k``-th block, counted from zero."""
        with self._opened() as read:
            return read(k)

    def words(self, log: str, measure: str, before: Cutoff, having: str = "") -> dict[str, int]:
        """How many events before a cutoff have each word of a text measure; only those seen.

        With ``having`` only events of which that measure is not zero are counted.
        """
        words = self._files[log].words[measure]
        counts = np.zeros(len(words), dtype=np.int64)
        needed = ("ts", measure, having) if having else ("ts", measure)
        for ts, number, *others in self._files[log].columns(*needed):
            counted = np.logical_and.reduce([seen_before(ts, before), *others])
            counts += np.bincount(number[counted], minlength=len(words))
        return {word: n for word, n in sorted(zip(words, counts.tolist(), strict=True)) if n}

    def static_words(self, before: Cutoff) -> dict[str, dict[str, int]]:
        """Static column → its words, and how many of the customers known before a cutoff have each.

        Known is who has an event of any log.
        """
        counts: dict[str, Counter[str]] = {name: Counter() for name in self.static_columns}
        if counts:
            for block in self.blocks():
                for name, words in block.static_words(before).items():
                    counts[name].update(words)
        return {name: dict(sorted(words.items())) for name, words in counts.items()}

    def first_day(self, of: str) -> Cutoff:
        """Start of the first day of a log, in the business zone."""
        return self._day("first", of, self._files[of].first_us)

    def last_day(self, of: str) -> Cutoff:
        """Start of the last day of a log, stragglers left aside; see `Logs.last_day`."""
        return self._day("last", of, self._files[of].last_us)

    def day_after_last(self, of: str) -> Cutoff:
        """Start of the day after the last day of a log: all of it is known by then."""
        return day_after(self.last_day(of).us, self.zone)

    def _day(self, which: str, log: str, us: Callable[[], int]) -> Cutoff:
        if (which, log) not in self._days:
            self._days[which, log] = start_of_day(us(), self.zone)
        return self._days[which, log]

    @contextmanager
    def _opened(self) -> Iterator[Callable[[int], Logs]]:
        """What reads a block by its number, as long as the files are open."""
        with ExitStack() as stack:
            opened = {
                name: stack.enter_context(open_batches(file.path))
                for name, file in self._files.items()
            }
            customers = stack.enter_context(open_batches(path_of(self._folder, CUSTOMERS)))

            def read(k: int) -> Logs:
                events = {n: self._files[n].events(b.get_batch(k)) for n, b in opened.items()}
                return self._logs(customers.get_batch(k), events)

            yield read

    def _logs(self, customers: pa.RecordBatch, events: dict[str, Events]) -> Logs:
        ids, value = (
            customers.column(name).to_numpy(zero_copy_only=False)
            for name in ("customer_id", "value")
        )
        return Logs(
            customer_ids=ids,
            **events,
            yearly_value=value if self._has_values else None,
            static={name: texts_of(customers[STATIC + name]) for name in self.static_columns},
            instruments=self.instruments,
            zone=self.zone,
            checks=self.checks,
        )
