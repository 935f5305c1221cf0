"""Key figures of a purchase log once more: slowly, in pandas, from the words of docs/kpi.md."""

from __future__ import annotations

import pandas as pd


def month_by_hand(purchases: pd.DataFrame, month: str, lookback_days: int) -> dict[str, float]:
    """What a month (UTC) comes to, from frames of ``customer_id``, ``ts`` and ``amount``."""
    start = pd.Timestamp(f"{month}-01")
    end, before = start + pd.DateOffset(months=1), start - pd.DateOffset(months=1)
    sales = purchases[purchases["amount"] >= 0]

    def active(at: pd.Timestamp) -> set[str]:
        recent = (sales["ts"] >= at - pd.Timedelta(days=lookback_days)) & (sales["ts"] < at)
        return set(sales.loc[recent, "customer_id"])

    def spend(from_: pd.Timestamp, to: pd.Timestamp) -> pd.Series:
        rows = purchases[(purchases["ts"] >= from_) & (purchases["ts"] < to)]
        return rows.groupby("customer_id")["amount"].sum()

    first = sales.groupby("customer_id")["ts"].min()
    there, later = active(start), active(end)
    new = set(first[(first >= start) & (first < end)].index)
    cohort = sorted(there)
    was = spend(before, start).reindex(cohort, fill_value=0.0)
    now = spend(start, end).reindex(cohort, fill_value=0.0)
    stayed = [c in later for c in cohort]
    gained = (now - was)[stayed]
    told = {
        "active_start": len(there),
        "active_end": len(later),
        "churned": len(there - later),
        "new": len(new),
        "won_back": len(later - there - new),
        "revenue": spend(start, end).sum(),
        "revenue_start": was.sum(),
        "revenue_churned": was[[not s for s in stayed]].sum(),
        "expansion": gained[gained > 0].sum(),
        "contraction": -gained[gained < 0].sum(),
        "nrr": now[stayed].sum() / was.sum(),
    }
    told["churn_rate"] = told["churned"] / told["active_start"]
    told["grr"] = (was.sum() - told["revenue_churned"] - told["contraction"]) / was.sum()
    return {name: float(value) for name, value in told.items()}


def cohorts_by_hand(purchases: pd.DataFrame, months: list[str]) -> dict[str, list[int]]:
    """Month of the first sale → how many of these customers bought in it and in each later one."""
    sales = purchases[purchases["amount"] >= 0].assign(
        month=lambda rows: rows["ts"].dt.strftime("%Y-%m")
    )
    first = sales.groupby("customer_id")["month"].min().rename("first")
    table = (
        sales.join(first, on="customer_id")
        .groupby(["first", "month"])["customer_id"]
        .nunique()
        .unstack(fill_value=0)
    )
    table = table.reindex(index=months, columns=months, fill_value=0)
    return {month: [int(n) for n in table.loc[month, months[k:]]] for k, month in enumerate(months)}
