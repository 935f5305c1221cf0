"""featuretools with LightGBM: its own primitives in windows like churnkit's, stacked cutoffs."""

from __future__ import annotations

import warnings

# The types are checked where featuretools is not installed.
import featuretools as ft  # type: ignore[import-not-found, import-untyped, unused-ignore]
import lightgbm as lgb
import numpy as np
import pandas as pd

from peers.quality.run import KEYS, Task

_WINDOWS = (30, 90, 180, 365, None)
_IN_WINDOWS = ["count", "sum", "mean", "std", "max"]
_EVER = ["time_since_last", "time_since_first"]
"""Primitives that take the customers one by one in Python, so of all time only."""
_ROWS = 30_000
_SEED = 0


def predict(task: Task) -> np.ndarray:
    """Churn probabilities of the test rows."""
    train, test = task.table("train"), task.table("test")
    if len(train) > _ROWS:
        train = train.sample(_ROWS, random_state=_SEED)
    asked = pd.concat([train[KEYS], test[KEYS]], ignore_index=True)
    asked["customer_id"], ids = pd.factorize(asked["customer_id"])
    X = _features(task, asked, ids).to_numpy(dtype=np.float64)
    model = lgb.LGBMClassifier(verbose=-1)
    model.fit(X[: len(train)], train["churned"].to_numpy())
    return np.asarray(model.predict_proba(X[len(train) :]))[:, 1]


def _features(task: Task, asked: pd.DataFrame, ids: pd.Index) -> pd.DataFrame:
    """The features of each row that is asked for, in its order.

    Customers are numbers, since texts such as ``00123`` are guessed to be some.
    """
    entities = _entities(task, ids)
    at = asked.rename(columns={"cutoff": "time"})
    parts = []
    for days in _WINDOWS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            matrix, _ = ft.dfs(
                entityset=entities,
                target_dataframe_name="customers",
                cutoff_time=at,
                agg_primitives=_IN_WINDOWS if days else [*_IN_WINDOWS, *_EVER],
                trans_primitives=[],
                training_window=f"{days} days" if days else None,
                include_cutoff_time=False,
                cutoff_time_in_index=True,
                max_depth=1,
            )
        numbers = matrix.select_dtypes(["number", "bool"]).add_suffix(f" {days}")
        parts.append(numbers.loc[pd.MultiIndex.from_frame(at)])
    return pd.concat(parts, axis=1)


def _entities(task: Task, ids: pd.Index) -> ft.EntitySet:
    """Customers, and a table for sales, returns and each kind of event."""
    made = ft.EntitySet("shop")
    customers = pd.DataFrame({"customer_id": np.arange(len(ids))})
    made.add_dataframe(dataframe_name="customers", dataframe=customers, index="customer_id")
    for name, rows in _tables(task):
        rows = rows.assign(customer_id=ids.get_indexer(pd.Index(rows["customer_id"])))
        known = rows[rows["customer_id"] >= 0].reset_index(drop=True)
        if len(known):
            known.insert(0, "id", np.arange(len(known)))
            made.add_dataframe(dataframe_name=name, dataframe=known, index="id", time_index="ts")
            made.add_relationship("customers", "customer_id", name, "customer_id")
    return made


def _tables(task: Task) -> list[tuple[str, pd.DataFrame]]:
    told = []
    if task.has("purchases"):
        purchases = task.table("purchases")
        columns = [c for c in ("customer_id", "ts", "amount", "items") if c in purchases]
        for name, is_return in (("sales", 0), ("returns", 1)):
            told.append((name, purchases.loc[purchases["is_return"] == is_return, columns]))
    for log, kind in (("activity", "kind"), ("surveys", "instrument")):
        if task.has(log):
            rows = task.table(log)
            columns = [c for c in ("customer_id", "ts", "value", "score") if c in rows]
            told += [(f"{log} {word}", part[columns]) for word, part in rows.groupby(kind)]
    return told
