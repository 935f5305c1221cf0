"""One pass over a judged log: rows by code, span, customers, and which rows may be repetitions.

Only hashes leave the engine, 8 bytes a row, and are sorted: nothing of the log itself is sorted,
grouped or copied. The hashes of a long log are parted by their size and wait on disk, so that no
more than `ROWS_AT_ONCE` are in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from churnkit.logs.check import columns_of, judged_types
from churnkit.logs.schema import SCHEMAS

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ROWS_AT_ONCE = 20_000_000
_BATCH = 1_000_000


@dataclass(frozen=True)
class Tally:
    """What one pass over a log tells.

    Attributes
    ----------
    rows
        Rows by code, shape (256,); code 0 are the rows that keep the contract.
    first, last
        Time of the first and last of these, microseconds UTC; ``None`` if there is none, 0 if the
        log has no times.
    customers
        Distinct customers among them.
    suspects
        Hashes, uint64, that several of them share.
    same
        SQL expressions of the columns by which rows are the same row.
    """

    rows: np.ndarray
    first: int | None
    last: int | None
    customers: int
    suspects: np.ndarray
    same: tuple[str, ...]


def tally(con: duckdb.DuckDBPyConnection, log: str) -> Tally:
    """Count the rows of a judged log."""
    try:
        return _tally(con, log, as_read=False)
    except _NotPlainError:
        return _tally(con, log, as_read=True)


class _NotPlainError(Exception):
    """Texts need trimming or folding: they are the same only after it, which costs more."""


def _tally(con: duckdb.DuckDBPyConnection, log: str, *, as_read: bool) -> Tally:
    """The tally by hashes of source texts, or of the texts as read where these differ."""
    who, same = _identity(con, log, as_read=as_read)
    (total,) = con.sql(f"SELECT count(*) FROM {log}_judged").fetchall()[0]
    (spill,) = con.sql("SELECT current_setting('temp_directory')").fetchall()[0]
    # The engine makes a folder of its own only once it needs one.
    with TemporaryDirectory(dir=spill if Path(spill).is_dir() else None) as folder:
        seen = _Seen(_Hashes(Path(folder), parts=max(-(-total // ROWS_AT_ONCE), 1)))
        for batch in _batches(con, log, who, same):
            seen.add(batch, must_be_plain=not as_read)
        return Tally(
            rows=seen.rows,
            first=seen.first,
            last=seen.last,
            customers=seen.customers.count(),
            suspects=seen.hashes.repeated(),
            same=same,
        )


def _identity(
    con: duckdb.DuckDBPyConnection, log: str, *, as_read: bool
) -> tuple[str, tuple[str, ...]]:
    """SQL of whom a row is about, and of the columns by which two rows are the same row."""
    types = judged_types(con, log)
    schema, columns = SCHEMAS[log], columns_of(con, log)
    texts = {c.name for c in schema.columns if c.kind in {"id", "text"}}

    def cheapest(name: str) -> str:
        is_raw = name in texts and not (as_read and types[f"raw_{name}"] == "VARCHAR")
        return f"raw_{name}" if is_raw else name

    return cheapest("customer_id"), tuple(cheapest(name) for name in schema.key or columns)


def _batches(
    con: duckdb.DuckDBPyConnection, log: str, who: str, same: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    ts = "COALESCE(ts, 0)" if "ts" in columns_of(con, log) else "0::BIGINT"
    yield from con.sql(
        f"SELECT code, {ts} AS ts, hash({who}) AS who, hash({', '.join(same)}) AS h, "
        f"plain OR code > 0 AS plain FROM {log}_judged"
    ).to_arrow_reader(_BATCH)


class _Seen:
    """What the batches of a log add up to."""

    def __init__(self, hashes: _Hashes) -> None:
        self.rows = np.zeros(256, dtype=np.int64)
        self.first: int | None = None
        self.last: int | None = None
        self.customers = _Distinct()
        self.hashes = hashes

    def add(self, batch: pa.RecordBatch, *, must_be_plain: bool) -> None:
        """Add a batch of ``code``, ``ts``, ``who``, ``h`` and ``plain``."""
        code, ts, who, hashes, plain = (c.to_numpy(zero_copy_only=False) for c in batch.columns)
        if must_be_plain and not plain.all():
            raise _NotPlainError
        if code.any():
            good = code == 0
            self.rows += np.bincount(code, minlength=256)
            ts, who, hashes = ts[good], who[good], hashes[good]
        else:  # the usual case, for a third of the price
            self.rows[0] += len(code)
            # What is kept must not keep the whole batch.
            who, hashes = who.copy(), hashes.copy()
        self._widen(ts)
        self.customers.add(who)
        self.hashes.add(hashes)

    def _widen(self, ts: np.ndarray) -> None:
        known = [moment for moment in (self.first, self.last) if moment is not None]
        if len(ts):
            self.first = min(*known, int(ts.min())) if known else int(ts.min())
            self.last = max(*known, int(ts.max())) if known else int(ts.max())


class _Distinct:
    """Counts distinct hashes, in memory for about three times as many."""

    def __init__(self) -> None:
        self._known = np.empty(0, dtype=np.uint64)
        self._new: list[np.ndarray] = []

    def add(self, hashes: np.ndarray) -> None:
        self._new.append(hashes)
        if sum(map(len, self._new)) > max(2 * len(self._known), 4 * _BATCH):
            self._merge()

    def count(self) -> int:
        self._merge()
        return len(self._known)

    def _merge(self) -> None:
        hashes = np.sort(np.concatenate((self._known, *self._new)))
        self._known = hashes[np.diff(hashes, prepend=~hashes[:1]) != 0]
        self._new = []


class _Hashes:
    """Finds the hashes that occur more than once, part by part.

    Parameters
    ----------
    folder
        Where the parts wait if there are several.
    parts
        Into how many ranges the hashes are divided.
    """

    def __init__(self, folder: Path, parts: int) -> None:
        self._folder, self._parts = folder, parts
        self._bounds = np.array([2**64 * k // parts for k in range(1, parts)], dtype=np.uint64)
        self._only: list[np.ndarray] = []

    def add(self, hashes: np.ndarray) -> None:
        if self._parts == 1:
            self._only.append(hashes)
            return
        ordered = np.sort(hashes)
        for part, some in enumerate(np.split(ordered, np.searchsorted(ordered, self._bounds))):
            with self._file(part).open("ab") as file:
                file.write(some.data)

    def repeated(self) -> np.ndarray:
        """The hashes that were added more than once, each once, uint64."""
        return np.concatenate([_repeated(self._taken(part)) for part in range(self._parts)])

    def _taken(self, part: int) -> np.ndarray:
        if self._parts > 1:
            return np.fromfile(self._file(part), dtype=np.uint64)
        return np.concatenate([np.empty(0, dtype=np.uint64), *self._only])

    def _file(self, part: int) -> Path:
        return self._folder / f"{part}.hashes"


def _repeated(hashes: np.ndarray) -> np.ndarray:
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
