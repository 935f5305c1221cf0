"""Fingerprints of customers: who has other rows than at an earlier run, and whether anybody has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from churnkit.clock import Cutoff, seen_before
from churnkit.features.kernel import in_order
from churnkit.logs import CustomerLogs, Events, Logs, Texts
from churnkit.progress import Progress, silent, watched
from churnkit.publishing import content_hash

if TYPE_CHECKING:
    import pyarrow as pa

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Fingerprints:
    """A number for each customer with an event before a cutoff, in order of their ids.

    It follows from all its rows before the cutoff and what is declared of it, in whatever order
    they came; two customers of other rows share one with a chance of 2⁻⁶⁴. It shows what has
    changed by itself, and is no proof against somebody who wants to hide a change.

    Attributes
    ----------
    customer
        Ids, an Arrow array of texts.
    value
        uint64.
    """

    customer: pa.Array
    value: np.ndarray

    @property
    def table(self) -> pa.Table:
        """Columns ``customer_id`` and ``fingerprint``."""
        import pyarrow as pa

        return pa.table({"customer_id": self.customer, "fingerprint": pa.array(self.value)})

    @property
    def sha256(self) -> str:
        """A hash of all of them."""
        return content_hash(self.table)

    def changed_since(self, earlier: Fingerprints) -> tuple[list[str], list[str]]:
        """Ids of the customers who are new or changed, and of those who are gone, sorted."""
        import pyarrow as pa
        import pyarrow.compute as pc

        place = pc.index_in(self.customer, value_set=earlier.customer)
        at = place.fill_null(len(earlier.value)).to_numpy(zero_copy_only=False)
        # Zero is nobody's fingerprint.
        differs = np.append(earlier.value, np.uint64(0))[at] != self.value
        gone = pc.invert(pc.is_in(earlier.customer, value_set=self.customer))
        return self.customer.filter(pa.array(differs)).to_pylist(), earlier.customer.filter(
            gone
        ).to_pylist()


def fingerprints(logs: CustomerLogs, before: Cutoff, progress: Progress = silent) -> Fingerprints:
    """The fingerprint of every customer with an event before a cutoff.

    ``progress`` is told how many customers are done.
    """
    import pyarrow as pa

    def look(block: Logs) -> tuple[pa.Array, np.ndarray]:
        value = prints_of(block, before)
        return pa.array(block.customer_ids[value != 0], pa.string()), value[value != 0]

    doing = "comparing the logs with those of the last run"
    blocks = watched(logs.blocks(), logs.customer_count, progress, doing)
    found = list(in_order(look, blocks))
    ids = [customer for customer, _ in found]
    values = [np.empty(0, dtype=np.uint64), *(value for _, value in found)]
    return Fingerprints(
        pa.concat_arrays(ids) if ids else pa.array([], pa.string()), np.concatenate(values)
    )


def prints_of(block: Logs, before: Cutoff) -> np.ndarray:
    """The fingerprint of each customer of a block, uint64; 0 of those without an event before."""
    total = np.zeros(block.customer_count, dtype=np.uint64)
    seen = np.zeros(block.customer_count, dtype=bool)
    logs = {**block.events, **({} if block.lines is None else {"lines": block.lines})}
    for name, events in logs.items():
        rows = seen_before(events.ts, before)
        hashes = np.where(rows, _of_rows(name, events), np.uint64(0))
        total += _mixed(_summed(hashes, events.customer, block.customer_count), name)
        if name != "lines":
            seen[events.customer[rows]] = True
    for name, column in _declared(block):
        total += _mixed(column, name)
    total = _mixed(total, "customer")
    total[total == 0] = 1
    return np.where(seen, total, np.uint64(0))


def _of_rows(log: str, events: Events) -> np.ndarray:
    """A number for each event."""
    found = _whole(events.ts).copy()
    for measure, column in events.columns.items():
        weight = np.uint64(_number_of(measure) | 1)
        if measure in events.vocabularies:
            found += (_of_words(events.vocabularies[measure]) * weight).take(column)
        else:
            found += _whole(column) * weight
    return _mixed(found, log)


def _declared(block: Logs) -> Iterator[tuple[str, np.ndarray]]:
    """What is declared of each customer, as numbers."""
    if block.yearly_value is not None:
        value = block.yearly_value.astype(np.float64)
        yield "value", np.where(np.isnan(value), np.nan, value + 0.0).view(np.uint64)
    for name, texts in block.static.items():
        yield f"static {name}", _of_texts(texts)


def _of_texts(texts: Texts) -> np.ndarray:
    return np.append(_of_words(texts.words), np.uint64(0))[texts.code]  # -1 is the last one


def _of_words(words: tuple[str, ...]) -> np.ndarray:
    return np.array([_number_of(word) for word in words], dtype=np.uint64)


def _number_of(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest())


def _whole(values: np.ndarray) -> np.ndarray:
    return values.astype(np.int64, copy=False).view(np.uint64)


def _summed(values: np.ndarray, customer: np.ndarray, customers: int) -> np.ndarray:
    """Sum of the values of each customer, modulo 2⁶⁴; rows are sorted by customer."""
    running = np.concatenate(([np.uint64(0)], np.cumsum(values, dtype=np.uint64)))
    ends = np.cumsum(np.bincount(customer, minlength=customers))
    return np.diff(running[ends], prepend=np.uint64(0))


def _mixed(values: np.ndarray, name: str) -> np.ndarray:
    """Values scattered over all numbers, otherwise for each name (SplitMix64, Steele 2014)."""
    found = values * _GOLDEN + np.uint64(_number_of(name))
    found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(found ^ (found >> np.uint64(31)))
