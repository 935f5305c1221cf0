"""One pass over a judged log: rows by code, span, customers, and which rows may be repetitions.

Only hashes leave the engine, 8 bytes a row and customer, and are sorted in memory: nothing of the
log itself is sorted, grouped or copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from churnkit.logs.check import columns_of
from churnkit.logs.schema import SCHEMAS

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

ROWS_AT_ONCE = 100_000_000
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
    passes = max(-(-total // ROWS_AT_ONCE), 1)
    parts = []
    for k in range(passes):
        part = _Pass(total)
        only = f"WHERE hash({who}) % {passes} = {k}" if passes > 1 else ""
        for batch in _batches(con, log, who, same, only):
            part.add(batch, must_be_plain=not as_read)
        part.sort()
        parts.append(part)
    return Tally(
        rows=np.sum([part.rows for part in parts], axis=0),
        first=min(filter(_is_known, (part.first for part in parts)), default=None),
        last=max(filter(_is_known, (part.last for part in parts)), default=None),
        customers=sum(part.customers() for part in parts),
        suspects=np.concatenate([part.suspects() for part in parts]),
        same=same,
    )


def _identity(
    con: duckdb.DuckDBPyConnection, log: str, *, as_read: bool
) -> tuple[str, tuple[str, ...]]:
    """SQL of whom a row is about, and of the columns by which two rows are the same row."""
    types = dict(
        con.sql(f"SELECT column_name, column_type FROM (DESCRIBE {log}_judged)").fetchall()
    )
    schema, columns = SCHEMAS[log], columns_of(con, log)
    texts = {c.name for c in schema.columns if c.kind in {"id", "text"}}

    def cheapest(name: str) -> str:
        is_raw = name in texts and not (as_read and types[f"raw_{name}"] == "VARCHAR")
        return f"raw_{name}" if is_raw else name

    return cheapest("customer_id"), tuple(cheapest(name) for name in schema.key or columns)


def _batches(
    con: duckdb.DuckDBPyConnection, log: str, who: str, same: tuple[str, ...], only: str
) -> Iterator[pa.RecordBatch]:
    ts = "COALESCE(ts, 0)" if "ts" in columns_of(con, log) else "0::BIGINT"
    yield from con.sql(
        f"SELECT code, {ts} AS ts, hash({who}) AS who, hash({', '.join(same)}) AS h, "
        f"plain OR code > 0 AS plain FROM {log}_judged {only}"
    ).to_arrow_reader(_BATCH)


def _is_known(ts: int | None) -> TypeGuard[int]:
    return ts is not None


class _Pass:
    """What the batches of one pass add up to."""

    def __init__(self, at_most: int) -> None:
        self.rows = np.zeros(256, dtype=np.int64)
        self.first: int | None = None
        self.last: int | None = None
        # Memory is taken only as these are filled.
        self._who = np.empty(at_most, dtype=np.uint64)
        self._hashes = np.empty(at_most, dtype=np.uint64)
        self._filled = 0

    def add(self, batch: pa.RecordBatch, *, must_be_plain: bool) -> None:
        """Add a batch of ``code``, ``ts``, ``who``, ``h`` and ``plain``."""
        code, ts, who, hashes, plain = (c.to_numpy(zero_copy_only=False) for c in batch.columns)
        if must_be_plain and not plain.all():
            raise _NotPlainError
        self.rows += np.bincount(code, minlength=256)
        good = code == 0
        span = slice(self._filled, self._filled + int(good.sum()))
        self._who[span], self._hashes[span] = who[good], hashes[good]
        self._filled = span.stop
        self._widen(ts[good])

    def _widen(self, ts: np.ndarray) -> None:
        known = [moment for moment in (self.first, self.last) if moment is not None]
        if len(ts):
            self.first = min(*known, int(ts.min())) if known else int(ts.min())
            self.last = max(*known, int(ts.max())) if known else int(ts.max())

    def sort(self) -> None:
        """Sort the hashes, two at a time: the library lets other threads run meanwhile."""
        self._who, self._hashes = self._who[: self._filled], self._hashes[: self._filled]
        with ThreadPoolExecutor(max_workers=2) as pool:
            list(pool.map(np.ndarray.sort, (self._who, self._hashes)))

    def customers(self) -> int:
        """Distinct customers of the rows that keep the contract, once sorted."""
        return int(self._filled > 0) + int((self._who[1:] != self._who[:-1]).sum())

    def suspects(self) -> np.ndarray:
        """Hashes that occur more than once among the rows that keep the contract, once sorted."""
        return np.unique(self._hashes[1:][self._hashes[1:] == self._hashes[:-1]])
