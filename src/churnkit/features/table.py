"""`Features`: the table of features, one row per customer and cutoff."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from churnkit import __version__
from churnkit.clock import Cutoff
from churnkit.features.spec import FeatureColumn, FeatureSpec
from churnkit.notebook import names, panel

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import DTypeLike


@dataclass(frozen=True)
class Features:
    """A table of features, one row per customer and cutoff, sorted by customer, then cutoff.

    Attributes
    ----------
    customer_id
        Text id of each row.
    cutoff
        Cutoff of each row, microseconds UTC.
    columns
        Column name → its values in their declared type; floats hold NaN where missing.
    spec
        What the columns were made from.
    zone
        Business time zone of the cutoffs.
    """

    customer_id: np.ndarray
    cutoff: np.ndarray
    columns: Mapping[str, np.ndarray]
    spec: FeatureSpec
    zone: str = "UTC"

    def __len__(self) -> int:
        return len(self.customer_id)

    def __repr__(self) -> str:
        when = ", ".join(self._days[:1] + self._days[1:][-1:])
        return f"<Features: {len(self):,} rows, {len(self.names):,} columns; as of {when or '–'}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: how many rows and columns, and as of when."""
        days = self._days
        facts = {
            "as of": ", ".join(days) if len(days) < 4 else f"{days[0]} … {days[-1]} ({len(days)})",
            "columns": names(self.names),
        }
        return panel(f"Features: {len(self):,} rows, one per customer and cutoff", facts)

    @property
    def _days(self) -> list[str]:
        return [str(Cutoff(us, self.zone)) for us in np.unique(self.cutoff).tolist()]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names."""
        return tuple(self.columns)

    @cached_property
    def values(self) -> np.ndarray:
        """All columns as one float32 array of shape (rows, columns), which models learn from."""
        return self.matrix(self.names)

    def matrix(self, names: Sequence[str], dtype: DTypeLike = np.float32) -> np.ndarray:
        """Some columns as one array of shape (rows, names): float32, or float64 as they are."""
        matrix = np.empty((len(self), len(names)), dtype=dtype)
        for k, name in enumerate(names):
            matrix[:, k] = self.columns[name]
        return matrix

    def column(self, name: str) -> np.ndarray:
        """The values of one column; all NaN if the table does not have it."""
        return self.columns[name] if name in self.columns else np.full(len(self), np.nan)

    def classes(self, name: str) -> dict[int, str]:
        """Value → its name, of a column whose values are classes; else none.

        Raises
        ------
        KeyError
            If there is no such column.
        """
        return dict(self._by_name[name].feature.classes)

    def class_of(self, name: str) -> np.ndarray:
        """The class of each row by its name, such as a region; ``None`` where missing.

        Raises
        ------
        KeyError
            If there is no such column.
        """
        values, classes = self.columns[name], self.classes(name)
        return np.array([classes.get(value) for value in values.tolist()], dtype=object)

    @cached_property
    def _by_name(self) -> dict[str, FeatureColumn]:
        return {column.name: column for column in self.spec.columns()}

    def where(self, mask: np.ndarray) -> Features:
        """The rows for which the boolean mask holds, in the same order."""
        chosen = {name: values[mask] for name, values in self.columns.items()}
        return Features(self.customer_id[mask], self.cutoff[mask], chosen, self.spec, self.zone)

    def to_arrow(self, metadata: Mapping[str, str] | None = None) -> pa.Table:
        """An Arrow table: ``customer_id``, ``as_of``, then the features; missing is null.

        Each column tells its unit and meaning, the table what it was made from; classes and
        ``as_of`` are dictionaries.

        Parameters
        ----------
        metadata
            More to be told of the table.
        """
        import pyarrow as pa

        cutoffs, nth = np.unique(self.cutoff, return_inverse=True)
        asked = [Cutoff(int(us), self.zone) for us in cutoffs]
        ids = pa.array(self.customer_id.astype(object), pa.string())
        columns = self.spec.columns()
        schema = schema_of(columns, asked, self.spec, metadata)
        return pa.table(arrow_columns(ids, asked, nth, columns, self.columns), schema=schema)

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame: ``customer_id``, ``as_of``, then the features; classes as categories."""
        return self.to_arrow().to_pandas()


def schema_of(
    columns: Sequence[FeatureColumn],
    cutoffs: Sequence[Cutoff],
    spec: FeatureSpec,
    metadata: Mapping[str, str] | None = None,
) -> pa.Schema:
    """The Arrow schema of a feature table, with units and meanings.

    Metadata of a column: ``unit``, ``says``, ``direction``. Metadata of the table: ``churnkit``
    (its version), ``cutoffs``, ``spec`` (JSON), and what else is given.
    """
    import pyarrow as pa

    fields = [
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("as_of", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        *(_field(column) for column in columns),
    ]
    told = {
        "churnkit": __version__,
        "cutoffs": json.dumps([str(c) for c in cutoffs]),
        "spec": json.dumps(spec.to_dict()),
        **(metadata or {}),
    }
    return pa.schema(fields, metadata=told)


def _field(column: FeatureColumn) -> pa.Field:
    import pyarrow as pa

    kind = column.feature
    of_classes = pa.dictionary(pa.int8(), pa.string())
    arrow = of_classes if kind.classes else getattr(pa, kind.dtype)()
    told = {"unit": kind.unit, "says": column.says, "direction": kind.direction}
    return pa.field(column.name, arrow, nullable=kind.dtype != "int32", metadata=told)


def arrow_columns(
    ids: pa.Array,
    cutoffs: Sequence[Cutoff],
    nth: np.ndarray,
    columns: Sequence[FeatureColumn],
    values: Mapping[str, np.ndarray],
) -> list[pa.Array]:
    """The arrays of a feature table in the order of `schema_of`.

    Parameters
    ----------
    ids, nth
        Customer id, and position of the cutoff, of each row.
    """
    import pyarrow as pa

    as_of = pa.DictionaryArray.from_arrays(
        pa.array(nth, pa.int32()), pa.array([str(c) for c in cutoffs], pa.string())
    )
    return [ids, as_of, *(_array(column, values[column.name]) for column in columns)]


def _nullable(values: np.ndarray) -> pa.Array:
    """Numbers as Arrow keeps them, without a copy; NaN is null."""
    import pyarrow as pa

    dtype = getattr(pa, values.dtype.name)()
    known = None
    if values.dtype.kind == "f":
        known = pa.py_buffer(np.packbits(~np.isnan(values), bitorder="little"))
    return pa.Array.from_buffers(dtype, len(values), [known, pa.py_buffer(values)])


def _array(column: FeatureColumn, values: np.ndarray) -> pa.Array:
    import pyarrow as pa

    classes = column.feature.classes
    if not classes:
        return _nullable(values)
    known, missing = sorted(classes), np.isnan(values)
    nth = np.searchsorted(known, np.where(missing, known[0], values)).astype(np.int8)
    return pa.DictionaryArray.from_arrays(
        pa.array(nth, mask=missing), pa.array([classes[k] for k in known], pa.string())
    )
