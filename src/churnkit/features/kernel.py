"""The kernel: from sorted logs to one row per customer and cutoff."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from churnkit.clock import Cutoff
from churnkit.features.registry import FeatureColumn, FeatureSpec
from churnkit.index import BlockIndex
from churnkit.logs import Logs

if TYPE_CHECKING:
    import pandas as pd

Population = Callable[[BlockIndex, Cutoff], np.ndarray]
"""Says which customers of a block get a row at a cutoff: a boolean array, one per customer."""


@dataclass(frozen=True)
class Features:
    """A table of features, one row per customer and cutoff.

    Attributes
    ----------
    customer_id
        Text id of each row.
    cutoff
        Cutoff of each row, microseconds UTC; rows are sorted by cutoff, then customer.
    values
        Float64 array of shape (rows, columns), NaN where a value is missing.
    names
        Column names.
    spec
        What the columns were made from.
    zone
        Business time zone of the cutoffs.
    """

    customer_id: np.ndarray
    cutoff: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]
    spec: FeatureSpec
    zone: str = "UTC"

    def __len__(self) -> int:
        return len(self.customer_id)

    def column(self, name: str) -> np.ndarray:
        """The values of one column; all NaN if the table does not have it."""
        if name not in self.names:
            return np.full(len(self), np.nan)
        return np.asarray(self.values[:, self.names.index(name)])

    def where(self, mask: np.ndarray) -> Features:
        """The rows for which the boolean mask holds, in the same order."""
        return Features(
            self.customer_id[mask], self.cutoff[mask], self.values[mask],
            self.names, self.spec, self.zone,
        )  # fmt: skip

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame: ``customer_id``, ``as_of``, then the features."""
        import pandas as pd

        as_of = np.array([str(Cutoff(int(us), self.zone)) for us in np.unique(self.cutoff)])
        keys = {
            "customer_id": self.customer_id.astype(str),
            "as_of": as_of[np.searchsorted(np.unique(self.cutoff), self.cutoff)],
        }
        return pd.concat(
            [pd.DataFrame(keys), pd.DataFrame(self.values, columns=list(self.names))], axis=1
        )


def known(block: BlockIndex, at: Cutoff) -> np.ndarray:
    """The customers with any purchase or activity but a cancellation before the cutoff."""
    seen = np.zeros(len(block.customer_ids), dtype=bool)
    if block.purchases is not None:
        seen |= block.purchases.sales.count(at) + block.purchases.returns.count(at) > 0
    if block.activity is not None:
        seen |= block.activity.alive.count(at) > 0
    return seen


def build_features(
    logs: Logs,
    cutoffs: Cutoff | Sequence[Cutoff],
    spec: FeatureSpec | None = None,
    *,
    population: Population = known,
    customers_per_block: int = 20_000,
) -> Features:
    """The features of every customer of the population, as they stood at each cutoff.

    Only events with ``ts < cutoff`` enter; by default so does the choice of columns.

    Parameters
    ----------
    logs
        Checked logs.
    cutoffs
        One cutoff or several.
    spec
        The columns; learnt from what precedes the last cutoff by default.
    population
        Which customers get a row; by default all with a sign of life before the cutoff.
    customers_per_block
        How many customers are held in an index at once; the rows do not depend on it.

    Returns
    -------
    Features
        Rows sorted by cutoff, then customer.
    """
    asked = (cutoffs,) if isinstance(cutoffs, Cutoff) else tuple(sorted(set(cutoffs)))
    chosen = spec or FeatureSpec.learn(logs, before=asked[-1])
    columns = chosen.columns()
    parts = []
    for part in logs.blocks(customers_per_block):
        block = BlockIndex(part, chosen.instants(asked))
        for at in asked:
            some = population(block, at)
            values = _rows(block, at, columns)[some]
            moment = np.full(len(values), at.us, dtype=np.int64)
            parts.append((block.customer_ids[some], moment, values))
    names = tuple(c.name for c in columns)
    return _sorted(parts, names, chosen, logs.zone)


def _rows(block: BlockIndex, at: Cutoff, columns: Sequence[FeatureColumn]) -> np.ndarray:
    """All columns at one cutoff, shape (customers of the block, columns)."""
    rows = np.empty((len(block.customer_ids), len(columns)))
    for k, column in enumerate(columns):
        index = block.of(column.feature.log)
        rows[:, k] = np.nan if index is None else column.build(index, at)
    return rows


def _sorted(
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    names: tuple[str, ...],
    spec: FeatureSpec,
    zone: str,
) -> Features:
    if not parts:
        empty = np.empty(0, dtype=np.int64)
        return Features(empty.astype(object), empty, np.empty((0, len(names))), names, spec, zone)
    customer_id, cutoff, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(cutoff, kind="stable")
    return Features(customer_id[order], cutoff[order], values[order], names, spec, zone)
