"""The kernel: from sorted logs to one row per customer and cutoff."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from churnkit.atomic import whole_file
from churnkit.clock import Cutoff
from churnkit.errors import ConfigError
from churnkit.features.registry import DType
from churnkit.features.spec import FeatureColumn, FeatureSpec
from churnkit.features.table import Features, arrow_columns, schema_of
from churnkit.index import BlockIndex, Lags, Market, Observations, count_market
from churnkit.logs import CustomerLogs, Logs
from churnkit.progress import Progress, silent, watched
from churnkit.runlog import masked

if TYPE_CHECKING:
    import pyarrow as pa

Population = Callable[[BlockIndex, Observations], np.ndarray]
"""Says which observations of a block get a row: a boolean array, one per observation."""

Beside = Callable[[BlockIndex, Observations], np.ndarray]
"""Something else that is wanted of every row: one value per observation."""

_ROWS_AT_ONCE = 150_000  # fewer cost more in calls, more fall out of the caches
_BEFORE_ALL = Cutoff(-(2**62))
_NUMBERS = "biufO"  # kinds of NumPy types; an array of objects may hold numbers

Given = TypeVar("Given")
Made = TypeVar("Made")


def known(block: BlockIndex, at: Observations) -> np.ndarray:
    """The customers with any purchase, return or sign of life before the cutoff."""
    seen = np.zeros(len(at), dtype=bool)
    if block.purchases is not None:
        seen |= block.purchases.sales.count(at) + block.purchases.returns.count(at) > 0
    if block.activity is not None:
        seen |= block.activity.alive.count(at) > 0
    return seen


@dataclass(frozen=True)
class FeatureRows:
    """Rows of some customers, in order of customer and cutoff.

    Attributes
    ----------
    customer_ids
        Text ids of the customers of the block.
    at
        Customer and cutoff of each row.
    columns
        Column name → values in their declared type.
    beside
        What else was asked for.
    """

    customer_ids: np.ndarray
    at: Observations
    columns: Mapping[str, np.ndarray]
    beside: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class FeaturePlan:
    """What is built: columns and cutoffs, and what all customers did before these.

    Attributes
    ----------
    spec
        The columns.
    cutoffs
        Rising cutoffs.
    market
        Needed by features that compare a customer with all; `plan_features` finds it.
    """

    spec: FeatureSpec
    cutoffs: tuple[Cutoff, ...]
    market: Market | None = None
    _lags: Lags = field(default_factory=Lags, init=False, repr=False, compare=False)

    @cached_property
    def columns(self) -> tuple[FeatureColumn, ...]:
        """The columns, each with its function."""
        return self.spec.columns()

    @property
    def streams(self) -> tuple[str, ...]:
        """What the columns ask of the market."""
        return tuple(sorted({s for c in self.columns for s in c.feature.streams}))

    def rows(
        self,
        logs: Logs,
        population: Population = known,
        beside: Mapping[str, Beside] | None = None,
    ) -> Iterator[FeatureRows]:
        """The rows of some customers, in pieces that the caches of a processor can bear."""
        customers = max(_ROWS_AT_ONCE // len(self.cutoffs), 1)
        if not self._lags and logs.customer_count:
            self._rehearse(logs)
        for part in logs.blocks(customers):
            yield self._piece(part, population, beside or {})

    def batches(self, logs: Logs, population: Population = known) -> Iterator[pa.RecordBatch]:
        """The rows of some customers as Arrow batches of the schema of `schema`."""
        import pyarrow as pa

        for piece in self.rows(logs, population):
            ids = pa.array(piece.customer_ids, pa.string()).take(pa.array(piece.at.customer))
            arrays = arrow_columns(ids, self.cutoffs, piece.at.nth, self.columns, piece.columns)
            yield pa.RecordBatch.from_arrays(arrays, schema=self._bare_schema)

    def schema(self, metadata: Mapping[str, str] | None = None) -> pa.Schema:
        """The Arrow schema of the table, see `churnkit.features.table.schema_of`."""
        return schema_of(self.columns, self.cutoffs, self.spec, metadata)

    @cached_property
    def _bare_schema(self) -> pa.Schema:
        return self.schema()

    def _rehearse(self, logs: Logs) -> None:
        """Find out what all events will be asked, from a customer without any: that is quick.

        Features that are not built in take no part, since they may fail where nothing happened.
        """
        block = BlockIndex(logs.before(_BEFORE_ALL), self._lags, self.market)
        at = Observations.of_all(1, self.cutoffs)
        for column in self.columns:
            if not column.feature.own:
                _built(column, block, at)

    def _piece(
        self, logs: Logs, population: Population, beside: Mapping[str, Beside]
    ) -> FeatureRows:
        block = BlockIndex(logs, self._lags, self.market)
        everyone = block.at(*self.cutoffs)
        at = everyone.where(population(block, everyone))
        columns = {column.name: _built(column, block, at) for column in self.columns}
        more = {name: find(block, at) for name, find in beside.items()}
        return FeatureRows(block.customer_ids, at, columns, more)

    def __getstate__(self) -> dict[str, Any]:
        return {"spec": self.spec, "cutoffs": self.cutoffs, "market": self.market, "_lags": Lags()}


@runtime_checkable
class BuiltElsewhere(Protocol):
    """Logs whose customers stay where they are: only what is made of them comes here."""

    def market(self, cutoffs: Sequence[Cutoff], streams: Sequence[str]) -> Market:
        """What all customers did before each cutoff."""

    def built(
        self, plan: FeaturePlan, beside: Mapping[str, Beside], population: Population
    ) -> tuple[Features, dict[str, np.ndarray]]:
        """What `build_beside` makes of their customers."""


def plan_features(
    logs: CustomerLogs, cutoffs: Cutoff | Sequence[Cutoff], spec: FeatureSpec | None = None
) -> FeaturePlan:
    """What is built of the logs: the columns, and what all customers did before each cutoff.

    Parameters
    ----------
    logs
        Checked logs.
    cutoffs
        One cutoff or several.
    spec
        The columns; learnt from what precedes the last cutoff by default.

    Raises
    ------
    ValueError
        If there is no cutoff.
    """
    asked = (cutoffs,) if isinstance(cutoffs, Cutoff) else tuple(sorted(set(cutoffs)))
    if not asked:
        raise ValueError("features are asked for at no cutoff: give one at least")
    chosen = spec or FeatureSpec.learn(logs, before=asked[-1])
    streams = FeaturePlan(chosen, asked).streams
    if not streams:
        return FeaturePlan(chosen, asked)
    if isinstance(logs, BuiltElsewhere):
        return FeaturePlan(chosen, asked, logs.market(asked, streams))
    return FeaturePlan(chosen, asked, count_market(logs.blocks(), asked, streams).settled())


def build_features(
    logs: CustomerLogs,
    cutoffs: Cutoff | Sequence[Cutoff],
    spec: FeatureSpec | None = None,
    *,
    population: Population = known,
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

    Returns
    -------
    Features
        Rows sorted by customer, then cutoff.

    Raises
    ------
    ConfigError
        If a feature that is not built in fails.
    """
    return build_beside(logs, plan_features(logs, cutoffs, spec), {}, population)[0]


def build_beside(
    logs: CustomerLogs,
    plan: FeaturePlan,
    beside: Mapping[str, Beside],
    population: Population = known,
) -> tuple[Features, dict[str, np.ndarray]]:
    """The features of a plan, and something else of every row, such as its label.

    Returns
    -------
    tuple
        The table, and name → one value per row, in the order of the table.
    """
    if isinstance(logs, BuiltElsewhere):
        return logs.built(plan, beside, population)

    def whole(block: Logs) -> list[FeatureRows]:
        return list(plan.rows(block, population, beside))

    pieces = list(chain.from_iterable(in_order(whole, logs.blocks())))
    ids = [piece.customer_ids[piece.at.customer] for piece in pieces]
    columns = {
        column.name: _joined([p.columns[column.name] for p in pieces], column.feature.dtype)
        for column in plan.columns
    }
    features = Features(
        _joined(ids, object), _joined([p.at.us for p in pieces], np.int64),
        columns, plan.spec, logs.zone,
    )  # fmt: skip
    return features, {name: _joined([p.beside[name] for p in pieces], None) for name in beside}


def write_features(
    logs: CustomerLogs,
    plan: FeaturePlan,
    path: Path,
    *,
    population: Population = known,
    metadata: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> int:
    """Write the features of a plan as Parquet, block by block; the file appears whole or not.

    ``progress`` is told how many customers are done.

    Returns
    -------
    int
        Number of rows, which are sorted by customer, then cutoff.

    Raises
    ------
    ConfigError
        If a feature that is not built in fails, or the folder cannot be written to.
    """
    import pyarrow.parquet as pq

    def whole(block: Logs) -> list[pa.RecordBatch]:
        return list(plan.batches(block, population))

    schema, rows = plan.schema(metadata), 0
    # What costs more than it saves is left out: dictionaries of numbers, and their statistics.
    plain = {"use_dictionary": ["as_of"], "write_statistics": ["customer_id"], "compression": "lz4"}
    with whole_file(path) as aside, pq.ParquetWriter(aside, schema, **plain) as writer:
        doing = f"building {len(plan.columns)} features as of {', '.join(map(str, plan.cutoffs))}"
        blocks = watched(logs.blocks(), logs.customer_count, progress, doing)
        for batch in chain.from_iterable(in_order(whole, blocks)):
            writer.write_batch(batch)
            rows += len(batch)
    return rows


def in_order(make: Callable[[Given], Made], given: Iterable[Given]) -> Iterator[Made]:
    """What is made of each, in order, by as many threads as there are processors."""
    threads = os.cpu_count() or 1
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for one in given:
            waiting.append(pool.submit(make, one))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _built(column: FeatureColumn, block: BlockIndex, at: Observations) -> np.ndarray:
    """The values of one column at the observations, in its declared type."""
    index = block if not column.feature.log else getattr(block, column.feature.log)
    if index is None:  # the log was there when the columns were chosen
        values = np.zeros(len(at)) if column.feature.dtype == "int32" else np.full(len(at), np.nan)
    elif column.feature.own:
        values = _checked(column, index, at)
    else:
        values = column.build(index, at)
    return values.astype(column.feature.dtype)


def _checked(column: FeatureColumn, index: Any, at: Observations) -> np.ndarray:
    """The values of a feature that is not built in, or a message that names it."""
    name, told = f"feature {column.name!r} ({column.feature.where})", column.feature
    try:
        made = np.asarray(column.build(index, at))
        values = made.astype(np.float64) if made.dtype.kind in _NUMBERS else made
    except (Exception, SystemExit) as error:  # an exit would end the run as if all were well
        said = masked(str(error))  # what it quotes may be of a customer
        raise ConfigError(
            f"{name} failed: {type(error).__name__}: {said}", "Mend the function."
        ) from error
    if values.shape != (len(at),) or values.dtype != np.float64:
        is_number = values.dtype == np.float64
        what = f"the shape {values.shape}" if is_number else f"values of the type {values.dtype}"
        raise ConfigError(
            f"{name} returned {what} for {len(at)} observations",
            "Return one number per observation: an array of the length of its second argument.",
        )
    wrong = _beyond(told.dtype, values)
    if wrong.any():
        raise ConfigError(
            f"{name} returned {values[wrong][0]} for {int(wrong.sum())} of {len(at)} observations",
            "Return NaN where a value is missing; churnkit.index.ratio divides so. int32 holds "
            "whole numbers up to 2,147,483,647, none of them missing; float32 goes up to 3e38.",
        )
    if told.classes:
        _must_be_classes(name, values[~np.isnan(values)], told.classes)
    return values


def _must_be_classes(name: str, values: np.ndarray, classes: Mapping[int, str]) -> None:
    strange = values[~np.isin(values, list(classes))]
    if len(strange):
        raise ConfigError(
            f"{name} returned {strange[0]:g}, which is none of its classes",
            f"Return one of {', '.join(map(str, classes))}, or name the class of that number, too.",
        )


def _beyond(dtype: DType, values: np.ndarray) -> np.ndarray:
    """The values that a type cannot hold."""
    if dtype == "int32":
        return ~((np.abs(values) <= np.iinfo(dtype).max) & (values == np.round(values)))
    return np.abs(values) > np.finfo(dtype).max


def _joined(parts: list[np.ndarray], dtype: Any) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0, dtype=dtype)
