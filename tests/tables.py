"""Logs drawn as little tables in a string, so that a spec reads like an example."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from churnkit.clock import Cutoff
from churnkit.features import Features, FeatureSpec, build_features
from churnkit.logs import Logs
from churnkit.sources import read_logs


def drawn(table: str) -> pd.DataFrame:
    """The frame of a table drawn with ``|``; every cell is text, an empty one is missing.

    >>> drawn('''
    ...     customer | ts         | amount
    ...     anna     | 2024-01-01 | 10
    ...     ben      | 2024-01-02 |
    ... ''')["amount"].tolist()
    ['10', None]
    """
    header, *rows = (
        [cell.strip() for cell in line.split("|")] for line in table.split("\n") if line.strip()
    )
    names = ["customer_id" if name == "customer" else name for name in header]
    return pd.DataFrame(
        [[cell or None for cell in row] for row in rows], columns=names, dtype=object
    )


def logs_of(**tables: str) -> Logs:
    """The logs of drawn tables; the contract may be given beside them."""
    contract = tables.pop("contract", None)
    return read_logs(**{log: drawn(table) for log, table in tables.items()}, contract=contract)


def feature_of(logs: Logs, name: str, at: str) -> dict[str, float | None]:
    """Customer → value of a feature at a cutoff, ``None`` where it is missing."""
    features = build_features(logs, Cutoff.parse(at, logs.zone))
    assert name in features.names
    pairs = zip(features.customer_id, features.column(name).tolist(), strict=True)
    return {customer: None if value != value else value for customer, value in pairs}


def features_of(spec: FeatureSpec | None = None, **columns: Sequence[float]) -> Features:
    """A feature table of these columns and no others; customers are c0, c1 …"""
    values = {name: np.array(column, dtype=float) for name, column in columns.items()}
    rows = len(next(iter(values.values())))
    ids = np.array([f"c{k}" for k in range(rows)], dtype=object)
    return Features(ids, np.zeros(rows, dtype=np.int64), values, spec or FeatureSpec({}))
