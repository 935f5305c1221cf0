"""pandas as a good analyst writes it: a groupby for each window and cutoff.

Ids become integers and money becomes cents once, the logs are sorted by time once, so that a window
is a slice; what depends on earlier rows of the customer only is worked out once as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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

_DAY = pd.Timedelta(days=1)
_INSTRUMENTS = ("nps", "ces", "csat")


@dataclass(frozen=True)
class Tables:
    """Rows by what they are, each sorted by time, with the integer ``c`` of their customer."""

    ids: pd.Index
    sales: pd.DataFrame
    returns: pd.DataFrame
    activity: pd.DataFrame
    kinds: dict[str, pd.DataFrame]
    payments: pd.DataFrame
    answers: dict[str, pd.DataFrame]


def build(task: Task) -> dict[str, float]:
    """Read and prepare the logs, then write one file for each cutoff."""
    tables = _read(task)
    for cutoff in task.cutoffs:
        _rows(tables, pd.Timestamp(cutoff)).to_parquet(Path(task.out) / f"{cutoff}.parquet")
    return {}


def _read(task: Task) -> Tables:
    logs = {log: pd.read_parquet(task.log(log)) for log in ("purchases", "activity", "surveys")}
    codes, ids = pd.factorize(pd.concat([rows.pop("customer_id") for rows in logs.values()]))
    begin = 0
    for log, rows in logs.items():
        rows["c"] = codes[begin : begin + len(rows)]
        begin += len(rows)
        logs[log] = rows.sort_values("ts", ignore_index=True)
    purchases, activity, surveys = logs.values()
    purchases["cents"] = (purchases.pop("amount") * 100).round().astype("int64")
    sales = purchases[purchases["cents"] >= 0].copy()
    sales["gap"] = sales.groupby("c")["ts"].diff().dt.total_seconds() // 1
    kinds = {kind: activity[activity["event"] == kind] for kind in activity["event"].unique()}
    return Tables(
        pd.Index(ids, name="customer_id"),
        sales,
        purchases[purchases["cents"] < 0],
        activity[["c", "ts"]],
        kinds,
        _failed_in_a_row(activity),
        {name: surveys[surveys["instrument"] == name] for name in _INSTRUMENTS},
    )


def _failed_in_a_row(activity: pd.DataFrame) -> pd.DataFrame:
    """Payments, each with how many have failed since the last one that went through."""
    payments = activity[activity["event"].isin(["payment_failed", "payment_ok"])].copy()
    went_through = payments["event"] == "payment_ok"
    run = went_through.groupby(payments["c"]).cumsum()
    payments["failed"] = (~went_through).groupby([payments["c"], run]).cumsum()
    return payments[["c", "ts", "failed"]]


def _rows(tables: Tables, at: pd.Timestamp) -> pd.DataFrame:
    """The rows of one cutoff."""
    made = _purchases(tables, at) | _activity(tables, at) | _surveys(tables, at)
    known = made["purchases_count_all"].index
    known = known.union(made["returns_count_all"].index).union(made["activity_count_all"].index)
    rows = pd.DataFrame({name: made[name].reindex(known) for name in COLUMNS})
    rows[list(COUNTS)] = rows[list(COUNTS)].fillna(0).astype("int32")
    rows[list(SUMS)] = rows[list(SUMS)].fillna(0.0)
    rows[list(REALS)] = rows[list(REALS)].astype("float32")
    rows.insert(0, "customer_id", tables.ids[known])
    rows.insert(1, "as_of", str(at.date()))
    return rows


def _purchases(tables: Tables, at: pd.Timestamp) -> dict[str, pd.Series]:
    bought = _before(tables.sales, at).groupby("c", sort=False)
    first, last, count = bought["ts"].min(), bought["ts"].max(), bought.size()
    made = {
        "recency": _days(at - last),
        "tenure": _days(at - first),
        "active_span": _days(last - first),
        "gap_mean": _days(last - first) / (count - 1).where(count > 1),
        "gap_std": bought["gap"].std() / 86_400,
        "returns_count_365d": _before(tables.returns, at, 365).groupby("c", sort=False).size(),
        "returns_count_all": _before(tables.returns, at).groupby("c", sort=False).size(),
    }
    made["overdue_mean_ratio"] = made["recency"] / made["gap_mean"].clip(lower=1)
    cents = {}
    for window, days in WINDOWS.items():
        within = _before(tables.sales, at, days).groupby("c", sort=False)
        made[f"purchases_count_{window}"], cents[window] = within.size(), within["cents"].sum()
        made[f"spend_sum_{window}"] = cents[window] / 100
    for days in PURCHASE_TRENDS:
        both = _before(tables.sales, at, 2 * days).groupby("c", sort=False).size()
        made[f"purchases_trend_{days}d"] = _trend(made[f"purchases_count_{days}d"], both)
    made[f"spend_trend_{SPEND_TREND}d"] = _trend(
        cents[f"{SPEND_TREND}d"], cents[f"{2 * SPEND_TREND}d"]
    )
    return made


def _activity(tables: Tables, at: pd.Timestamp) -> dict[str, pd.Series]:
    made = {
        f"activity_count_{window}": _before(tables.activity, at, days).groupby("c").size()
        for window, days in WINDOWS.items()
    }
    for kind in COUNTED_KINDS:
        for window, days in KIND_WINDOWS.items():
            within = _before(tables.kinds[kind], at, days)
            made[f"{kind}_count_{window}"] = within.groupby("c", sort=False).size()
    for days in ACTIVITY_TRENDS:
        both = _before(tables.activity, at, 2 * days).groupby("c", sort=False).size()
        made[f"activity_trend_{days}d"] = _trend(made[f"activity_count_{days}d"], both)
    complaints = tables.kinds["complaint_opened"]
    made["complaint_opened_count_365d"] = _before(complaints, at, 365).groupby("c").size()
    made["days_since_activity"] = _days_since_last(tables.activity, at)
    made["days_since_login"] = _days_since_last(tables.kinds["login"], at)
    made["days_since_complaint_opened"] = _days_since_last(complaints, at)
    made["payments_failed_open"] = _last(tables.payments, "failed", at)
    return made


def _surveys(tables: Tables, at: pd.Timestamp) -> dict[str, pd.Series]:
    nps = tables.answers["nps"]
    ever = _before(nps, at).groupby("c", sort=False)["score"]
    return {
        **{f"{name}_last": _last(rows, "score", at) for name, rows in tables.answers.items()},
        "nps_mean_365d": _before(nps, at, 365).groupby("c", sort=False)["score"].mean(),
        "nps_mean_all": ever.mean(),
        "nps_count_all": ever.size(),
        "days_since_nps": _days_since_last(nps, at),
    }


def _before(rows: pd.DataFrame, at: pd.Timestamp, days: int | None = None) -> pd.DataFrame:
    """The rows before the cutoff, within the last ``days``; rows are sorted by time."""
    end = rows["ts"].searchsorted(at)
    begin = 0 if days is None else rows["ts"].searchsorted(at - days * _DAY)
    return rows.iloc[begin:end]


def _last(rows: pd.DataFrame, column: str, at: pd.Timestamp) -> pd.Series:
    return _before(rows, at).groupby("c", sort=False)[column].last()


def _days_since_last(rows: pd.DataFrame, at: pd.Timestamp) -> pd.Series:
    return _days(at - _last(rows, "ts", at))


def _days(lengths: pd.Series) -> pd.Series:
    return lengths.dt.total_seconds() / 86_400


def _trend(now: pd.Series, both: pd.Series) -> pd.Series:
    """(now - before) / (now + before); missing where both windows are empty."""
    return (2 * now.reindex(both.index, fill_value=0) - both) / both.where(both != 0)
