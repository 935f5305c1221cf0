"""Streams that come sorted by customer, cut into tables of whole customers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from churnkit.engines.alike import alike
from churnkit.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 500_000
"""Rows of a chunk, all logs together: enough to be worth a pass, little enough for any memory."""


def whole_customers(
    batches: Iterator[pa.RecordBatch], key: str, rows: int = ROWS
) -> Iterator[pa.Table]:
    """Cut a stream sorted by customer into tables of at least ``rows`` rows.

    See `aligned`, of which this is the case of one log.
    """
    for chunk in aligned({"": batches}, key, rows):
        yield chunk[""]


def aligned(
    streams: Mapping[str, Iterator[pa.RecordBatch]], key: str, rows: int = ROWS
) -> Iterator[dict[str, pa.Table]]:
    """Cut streams that are sorted by customer into chunks of the same whole customers.

    No more is held than one chunk and one batch of each stream.

    Parameters
    ----------
    streams
        Log name → batches in which ``key`` rises in the byte order of UTF-8. Batches may be
        empty; each stream has at least one, so that its columns are known.
    key
        Column of the customer. Rows in which it is missing are nobody's; they go into any chunk.
    rows
        Rows of all logs together that make a chunk. The last one may be smaller, that of a heavy
        customer is larger.

    Yields
    ------
    dict of str to pyarrow.Table
        Log name → the rows of the customers of the chunk, in the order of the stream; none for a
        log that lacks them all. None of the chunks is empty.

    Raises
    ------
    DataError
        If a stream is not sorted: a customer could come back after its chunk was closed.
    """
    piece = max(rows // max(len(streams), 1), 1)  # so that no chunk is much larger than asked for
    waiting = {log: _Waiting(log, _sliced(b, piece), key) for log, b in streams.items()}
    while True:
        end = _fill(list(waiting.values()), rows)
        if not any(w.has_rows for w in waiting.values()):
            return
        yield {log: w.cut(end) for log, w in waiting.items()}


def _sliced(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, max(len(batch), 1), rows):
            yield batch.slice(start, rows)


def _fill(waiting: list[_Waiting], rows: int) -> str | None:
    """Read until the rows before some customer suffice; that customer, ``None`` for the end."""
    while still_read := [w for w in waiting if w.is_open]:
        # What the others hold cannot be closed until the one furthest behind has caught up.
        behind = min(still_read, key=lambda w: w.last)
        if sum(w.rows_before(behind.last) for w in waiting) >= rows:
            return behind.last
        behind.read()
    return None


class _Waiting:
    """What was read of one stream and not handed over yet."""

    def __init__(self, log: str, batches: Iterator[pa.RecordBatch], key: str) -> None:
        self._log, self._batches, self._key = log, batches, key
        self._pieces: deque[_Piece] = deque()
        self._nobodys: list[pa.RecordBatch] = []
        self._nothing: pa.Table | None = None
        self.is_open = True
        self.last = ""  # the last customer read; no id is empty
        self.read()

    @property
    def has_rows(self) -> bool:
        return bool(self._pieces or self._nobodys)

    def read(self) -> None:
        """Take one more batch, or learn that there is none."""
        import pyarrow as pa

        batch = next(self._batches, None)
        if batch is None:
            self.is_open = False
            return
        if self._nothing is None:
            self._nothing = pa.Table.from_batches([batch.slice(0, 0)])
        keys = batch.column(self._key)
        if keys.null_count:
            self._nobodys.append(batch.filter(keys.is_null()))
            batch = batch.filter(keys.is_valid())
        if len(batch):
            self._append(batch)

    def rows_before(self, end: str) -> int:
        """How many rows come before those of a customer."""
        nobodys = sum(map(len, self._nobodys))
        return nobodys + sum(piece.rows_before(end) for piece in self._pieces)

    def cut(self, end: str | None) -> pa.Table:
        """Hand over the rows before those of a customer, or all of them."""
        taken, self._nobodys = self._nobodys, []
        while self._pieces and (end is None or self._pieces[0].last < end):
            taken.append(self._pieces.popleft().batch)
        if self._pieces and end is not None and (some := self._pieces[0].rows_before(end)):
            piece = self._pieces[0]
            taken.append(piece.batch.slice(0, some))
            self._pieces[0] = _Piece(piece.batch.slice(some), self._key)
        return alike(taken) if taken else self._nothing

    def _append(self, batch: pa.RecordBatch) -> None:
        piece = _Piece(batch, self._key)
        self._require_rising(piece)
        self.last = piece.last
        self._pieces.append(piece)

    def _require_rising(self, piece: _Piece) -> None:
        fall = piece.fall(self.last)
        if fall is None:
            return
        before, after = fall
        name = f"the {self._log} log" if self._log else "the log"
        raise DataError(
            f"{name} does not come sorted by customer: {after!r} after {before!r}",
            'It must rise in the byte order of UTF-8, as by ORDER BY … COLLATE "C"; or let '
            'churnkit sort: engine = "duckdb".',
        )


class _Piece:
    """A batch that is not empty, with the first and last of its customers at hand."""

    def __init__(self, batch: pa.RecordBatch, key: str) -> None:
        self.batch = batch
        self._keys = batch.column(key)
        # Python compares texts by code point, which is the byte order of UTF-8.
        self.first: str = self._keys[0].as_py()
        self.last: str = self._keys[-1].as_py()

    def rows_before(self, end: str) -> int:
        import pyarrow.compute as pc

        if self.last < end:
            return len(self.batch)
        if self.first >= end:
            return 0
        return pc.sum(pc.less(self._keys, end)).as_py()

    def fall(self, last: str) -> tuple[str, str] | None:
        """The first two neighbours in falling order, of which the one may be of the last batch."""
        import pyarrow.compute as pc

        if self.first < last:
            return last, self.first
        falls = pc.less(self._keys[1:], self._keys[:-1])
        if not pc.any(falls).as_py():
            return None
        k = pc.index(falls, True).as_py()
        return self._keys[k].as_py(), self._keys[k + 1].as_py()
