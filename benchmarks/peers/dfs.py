"""featuretools with cutoff times: its own primitives, one call for each training window.

Runs under an interpreter that has featuretools, which does not work with pandas 3 yet. It is fed
as well as the other ways: sales, returns and each kind of event are tables of their own, and what
depends on earlier rows of the customer only is a column of them.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

# Only the interpreter this runs under has featuretools: types are checked without it.
import featuretools as ft  # type: ignore[import-not-found, import-untyped, unused-ignore]
import pandas as pd

from peers.columns import (
    ACTIVITY_TRENDS,
    COLUMNS,
    COUNTED_KINDS,
    COUNTS,
    KIND_WINDOWS,
    PURCHASE_TRENDS,
    REALS,
    SPEND_TREND,
    SUMS,
    WINDOWS,
)
from peers.run import Task

_DAY_IN_SECONDS = 86_400
_EVER = {
    "recency": ("time_since_last", "sales", "ts"),
    "tenure": ("time_since_first", "sales", "ts"),
    "gap_mean": ("avg_time_between", "sales", "ts"),
    "gap_std": ("std", "sales", "gap"),
    "days_since_activity": ("time_since_last", "activity", "ts"),
    "days_since_login": ("time_since_last", "login", "ts"),
    "days_since_complaint_opened": ("time_since_last", "complaint_opened", "ts"),
    "payments_failed_open": ("last", "payments", "failed"),
    "nps_mean_all": ("mean", "nps", "score"),
    "nps_count_all": ("count", "nps", "id"),
    "days_since_nps": ("time_since_last", "nps", "ts"),
    **{f"{name}_last": ("last", name, "score") for name in ("nps", "ces", "csat")},
}
"""Column → primitive, table and the column it reads, over all time."""

_IN_SECONDS = {name for name, (does, *_) in _EVER.items() if does.startswith(("time", "avg"))}
_IN_SECONDS.add("gap_std")
Wanted = dict[str, tuple[str, str, str]]


def build(task: Task) -> dict[str, float]:
    """Read the sample of the logs, then write one file with the rows of all cutoffs."""
    tables = _read(task)
    entities, at = _entities(tables), _cutoff_times(tables, task.cutoffs)
    parts = [_calculated(entities, at, days, wanted) for days, wanted in _by_window().items()]
    rows = _derived(pd.concat(parts, axis=1))
    customers, times = (rows.index.get_level_values(k) for k in (0, 1))
    keys = {"customer_id": customers, "as_of": pd.DatetimeIndex(times).strftime("%Y-%m-%d")}
    written = pd.concat([pd.DataFrame(keys), rows.reset_index(drop=True)], axis=1)
    written.to_parquet(Path(task.out) / "sample.parquet")
    return {}


def _read(task: Task) -> dict[str, pd.DataFrame]:
    """Table → rows of the sampled customers, in the order of time."""
    some = [("customer_id", "<", f"c{task.customers:07d}")] if task.customers else None
    purchases, activity, surveys = (
        pd.read_parquet(task.log(log), filters=some).sort_values("ts", ignore_index=True)
        for log in ("purchases", "activity", "surveys")
    )
    purchases["cents"] = (purchases.pop("amount") * 100).round().astype("int64")
    sales = purchases[purchases["cents"] >= 0].copy()
    sales["gap"] = sales.groupby("customer_id")["ts"].diff().dt.total_seconds() // 1
    payments = activity[activity["event"].isin(["payment_failed", "payment_ok"])].copy()
    went_through = payments["event"] == "payment_ok"
    run = went_through.groupby(payments["customer_id"]).cumsum()
    payments["failed"] = (~went_through).groupby([payments["customer_id"], run]).cumsum()
    kinds = (*COUNTED_KINDS, "complaint_opened")
    return {
        "sales": sales,
        "returns": purchases[purchases["cents"] < 0],
        "activity": activity,
        "payments": payments,
        **{kind: activity[activity["event"] == kind] for kind in kinds},
        **{name: surveys[surveys["instrument"] == name] for name in ("nps", "ces", "csat")},
    }


def _entities(tables: dict[str, pd.DataFrame]) -> Any:
    """The entity set: customers, and every table as their child."""
    everyone = pd.concat([rows["customer_id"] for rows in tables.values()]).unique()
    entities = ft.EntitySet("shop")
    customers = pd.DataFrame({"customer_id": everyone})
    entities.add_dataframe(customers, dataframe_name="customers", index="customer_id")
    for name, rows in tables.items():
        columns = [c for c in rows.columns if c not in {"event", "instrument"}]
        numbered = rows[columns].reset_index(names="id")
        entities.add_dataframe(numbered, dataframe_name=name, index="id", time_index="ts")
        entities.add_relationship("customers", "customer_id", name, "customer_id")
    entities.add_last_time_indexes()
    return entities


def _cutoff_times(tables: dict[str, pd.DataFrame], cutoffs: list[str]) -> pd.DataFrame:
    """Every customer with a purchase or activity before a cutoff, and that cutoff."""
    life = pd.concat([tables[name][["customer_id", "ts"]] for name in _LIFE])
    first = life.groupby("customer_id")["ts"].min()
    known = [(pd.Timestamp(cutoff), first.index[first < cutoff]) for cutoff in cutoffs]
    return pd.concat(
        [pd.DataFrame({"customer_id": people, "time": at}) for at, people in known],
        ignore_index=True,
    )


_LIFE = ("sales", "returns", "activity")


def _by_window() -> dict[int | None, Wanted]:
    """Days of a training window (``None`` is all time) → what is calculated in it."""
    wanted: dict[int | None, Wanted] = {None: dict(_EVER)}
    for window, days in WINDOWS.items():
        wanted.setdefault(days, {}).update(_purchases(window) | _count("activity", window))
    for days in PURCHASE_TRENDS:
        wanted.setdefault(2 * days, {}).update(_purchases(f"{2 * days}d"))
    for days in ACTIVITY_TRENDS:
        wanted.setdefault(2 * days, {}).update(_count("activity", f"{2 * days}d"))
    for window, days in KIND_WINDOWS.items():
        for kind in COUNTED_KINDS:
            wanted[days].update(_count(kind, window))
    wanted[365].update(_count("complaint_opened", "365d") | _count("returns", "365d"))
    wanted[365]["nps_mean_365d"] = ("mean", "nps", "score")
    wanted[None].update(_count("returns", "all"))
    return wanted


def _purchases(window: str) -> Wanted:
    return {
        f"purchases_count_{window}": ("count", "sales", "id"),
        f"cents_{window}": ("sum", "sales", "cents"),
    }


def _count(table: str, window: str) -> Wanted:
    return {f"{table}_count_{window}": ("count", table, "id")}


def _calculated(entities: Any, at: pd.DataFrame, days: int | None, wanted: Wanted) -> pd.DataFrame:
    """The wanted columns of one training window, by customer and cutoff."""
    features = [
        _feature(entities[table].ww[column], does).rename(name)
        for name, (does, table, column) in wanted.items()
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # thousands, from pandas and about types it guesses
        told = ft.calculate_feature_matrix(
            features, entities, cutoff_time=at, cutoff_time_in_index=True,
            include_cutoff_time=False, training_window=f"{days} days" if days else None,
        )  # fmt: skip
    return pd.DataFrame(told).astype("float64")


def _feature(column: Any, does: str) -> Any:
    primitives = ft.primitives.utils.get_aggregation_primitives()
    primitive = primitives[does]
    in_seconds = does.startswith(("time", "avg"))
    made = primitive(unit="seconds") if in_seconds else primitive()
    return ft.Feature(column, parent_dataframe_name="customers", primitive=made)


def _derived(rows: pd.DataFrame) -> pd.DataFrame:
    """The columns of the comparison, from what was calculated."""
    for name in _IN_SECONDS:
        rows[name] /= _DAY_IN_SECONDS
    rows["active_span"] = rows["tenure"] - rows["recency"]
    rows["overdue_mean_ratio"] = rows["recency"] / rows["gap_mean"].clip(lower=1)
    for window in WINDOWS:
        rows[f"spend_sum_{window}"] = rows[f"cents_{window}"] / 100
    for days in PURCHASE_TRENDS:
        rows[f"purchases_trend_{days}d"] = _trend(rows, "purchases_count", days)
    rows[f"spend_trend_{SPEND_TREND}d"] = _trend(rows, "cents", SPEND_TREND)
    for days in ACTIVITY_TRENDS:
        rows[f"activity_trend_{days}d"] = _trend(rows, "activity_count", days)
    rows[[*COUNTS, *SUMS]] = rows[[*COUNTS, *SUMS]].fillna(0)
    types = dict.fromkeys(COUNTS, "int32") | dict.fromkeys(REALS, "float32")
    return rows[list(COLUMNS)].astype(types)


def _trend(rows: pd.DataFrame, what: str, days: int) -> pd.Series:
    """(now - before) / (now + before); missing where both windows are empty."""
    now, both = rows[f"{what}_{days}d"].fillna(0), rows[f"{what}_{2 * days}d"].fillna(0)
    return (2 * now - both) / both.where(both != 0)
