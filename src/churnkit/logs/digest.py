"""A digest of the content of logs: the same however its rows were ordered."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.logs.table import LINE, CustomerLogs, Events, Logs, Texts

if TYPE_CHECKING:
    from hashlib import _Hash


def digests(logs: CustomerLogs) -> dict[str, str]:
    """The sha256 of each log as it is after checking and folding.

    ``purchases`` hold what was bought, too, where that is known: as the hashes that the engine
    makes of it, so that another version of the engine may give another digest. ``customers`` are
    the ids of all logs with what is declared of them. Neither the order of the rows counts, nor
    where they were read from.
    """
    found: dict[str, _Content] = {}
    for block in logs.blocks():
        for name, events in block.events.items():
            found.setdefault(name, _Content()).add_events(events, block)
        if block.lines is not None:
            found.setdefault("purchases", _Content()).add_events(block.lines, block, LINE)
        found.setdefault("customers", _Content()).add_customers(block)
    return {name: content.hexdigest() for name, content in found.items()}


class _Content:
    """What was seen of a log: each column is hashed by itself, so that blocks may end anywhere."""

    def __init__(self) -> None:
        self._columns: dict[str, _Hash] = {}
        self._words: dict[str, tuple[str, ...]] = {}

    def add_events(self, events: Events, block: Logs, prefix: str = "") -> None:
        """The events of the customers of a block, each customer's number of them included."""
        each = np.bincount(events.customer, minlength=len(block.customer_ids))
        self._add_ids(f"{prefix}id", block.customer_ids[each > 0])
        for name, values in {"each": each[each > 0], "ts": events.ts, **events.columns}.items():
            self._add(prefix + name, values, "<i8")
        self._words.update({prefix + name: words for name, words in events.vocabularies.items()})

    def add_customers(self, block: Logs) -> None:
        """The customers of a block with what is declared of them."""
        self._add_ids("id", block.customer_ids)
        if block.yearly_value is not None:
            self._add("value", block.yearly_value, "<f8")
        for name, texts in block.static.items():
            self._add_static(name, texts)

    def hexdigest(self) -> str:
        """The sha256 of all columns and words together."""
        whole = hashlib.sha256()
        for name, column in sorted(self._columns.items()):
            whole.update(f"{name} {column.hexdigest()}\n".encode())
        for name, words in sorted(self._words.items()):
            whole.update(f"{name} {words!r}\n".encode())
        return whole.hexdigest()

    def _add_static(self, name: str, texts: Texts) -> None:
        self._add(name, texts.code, "<i8")
        self._words[name] = texts.words

    def _add_ids(self, name: str, ids: np.ndarray) -> None:
        # With its length before each, so that no two lists of ids read the same.
        text = "".join(f"{len(customer)}:{customer}" for customer in ids.tolist())
        self._column(name).update(text.encode())

    def _add(self, name: str, values: Any, dtype: str) -> None:
        self._column(name).update(np.ascontiguousarray(values, dtype=dtype).tobytes())

    def _column(self, name: str) -> _Hash:
        return self._columns.setdefault(name, hashlib.sha256())
