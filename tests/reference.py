"""The features and labels once more: slow, obvious, one customer and one cutoff at a time.

Written from the definitions, without the index: raw frames are folded with pandas, then every
number is a loop over the events of one customer. Instants are microseconds UTC.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from itertools import pairwise
from statistics import median

import pandas as pd

SECOND = 1_000_000
DAY = 86_400 * SECOND
NAN = math.nan

WINDOWS = (7, 30, 90, 180, 365, None)
TREND_WINDOWS = (30, 90, 180)
SURVEY_WINDOWS = (365, None)
SCALES = {"nps": (0, 10), "ces": (1, 7), "csat": (1, 5)}
KINDS_KEPT = 20


# ── From raw rows to events ─────────────────────────────────────────────────────────────────


def microseconds(ts: pd.Series) -> pd.Series:
    return ts.astype("datetime64[us]").astype("int64")


def occasions(purchases: pd.DataFrame) -> pd.DataFrame:
    """Sales and returns: one row per customer, instant and side, in cents, 1/1000 and counts.

    Lines that share an order at one instant are one order, a line without one stands alone. An
    order below zero is a return.
    """
    lines = purchases.drop_duplicates()
    orders = defaultdict(list)
    for number, line in enumerate(lines.assign(ts=microseconds(lines["ts"])).itertuples()):
        order_id = getattr(line, "order_id", None)
        order = ("line", number) if pd.isna(order_id) else ("order", order_id)
        orders[line.customer_id, line.ts, order].append(line)
    folded = pd.DataFrame(
        {"customer_id": customer, "ts": ts, **order_measures(order, lines.columns)}
        for (customer, ts, _), order in orders.items()
    )
    returned = folded["amount"] < 0 if "amount" in folded else False
    folded.insert(2, "is_return", returned)
    folded["is_return"] = folded["is_return"].astype(int)
    return folded.groupby(["customer_id", "ts", "is_return"], as_index=False).sum()


def order_measures(order: list, columns: pd.Index) -> dict[str, int]:
    measures = {}
    if "amount" in columns:
        measures["amount"] = sum(round(line.amount * 100) for line in order)
    if "quantity" in columns:
        quantities = [line.quantity for line in order if not pd.isna(line.quantity)]
        measures["items"] = sum(round(quantity * 1000) for quantity in quantities)
    if "product_id" in columns:
        named = {line.product_id for line in order if not pd.isna(line.product_id)}
        measures["products"] = len(named)
    return measures


def kinds_of_events(activity: pd.DataFrame) -> pd.DataFrame:
    """One row an event; its kind is its name in lower case with _ between the words."""
    rows = activity.drop_duplicates()
    kind = [re.sub(r"[\W_]+", "_", event.lower()).strip("_") for event in rows["event"]]
    events = {"customer_id": rows["customer_id"], "ts": microseconds(rows["ts"]), "kind": kind}
    return pd.DataFrame(events).sort_values(["customer_id", "ts", "kind"], ignore_index=True)


def answers(surveys: pd.DataFrame) -> pd.DataFrame:
    """One row an answer, scores in 1/1000; of answers at one instant the highest comes last."""
    rows = surveys.drop_duplicates()
    events = {
        "customer_id": rows["customer_id"],
        "ts": microseconds(rows["ts"]),
        "instrument": rows["instrument"].str.lower(),
        "score": (rows["score"] * 1000).round().astype("int64"),
    }
    order = ["customer_id", "ts", "instrument", "score"]
    return pd.DataFrame(events).sort_values(order, ignore_index=True)


FOLDS = {"purchases": occasions, "activity": kinds_of_events, "surveys": answers}


# ── The table of features ───────────────────────────────────────────────────────────────────


def features(frames: dict[str, pd.DataFrame], cutoffs: list[int]) -> pd.DataFrame:
    """All features, one row per cutoff and known customer, indexed by both.

    Known is who bought, returned, or did anything but cancel. The kinds (the 20 most frequent)
    and instruments that have columns are those that occur before the last cutoff.
    """
    logs = {name: FOLDS[name](frame) for name, frame in frames.items()}
    past = {name: log[log["ts"] < max(cutoffs)] for name, log in logs.items()}
    kinds, instruments = [], []
    if "activity" in past:
        counts = Counter(past["activity"]["kind"])
        kinds = sorted(sorted(counts), key=counts.__getitem__, reverse=True)[:KINDS_KEPT]
    if "surveys" in past:
        instruments = list(past["surveys"]["instrument"].unique())
    everyone = sorted(set().union(*(log["customer_id"] for log in logs.values())))
    measures = set(logs["purchases"].columns) if "purchases" in logs else set()
    events = {name: list(log.itertuples()) for name, log in logs.items()}
    rows = {
        (cutoff, customer): row
        for cutoff in sorted(cutoffs)
        for customer in everyone
        if (row := _row(seen(events, customer, cutoff), cutoff, measures, kinds, instruments))
    }
    keys = pd.MultiIndex.from_tuples(rows.keys(), names=["cutoff", "customer_id"])
    return pd.DataFrame(list(rows.values()), index=keys, dtype=float)


def seen(events: dict[str, list], customer: str, cutoff: int) -> dict[str, list]:
    """The events of a customer before the cutoff by log, the latest last."""
    return {
        name: [e for e in log if e.customer_id == customer and e.ts < cutoff]
        for name, log in events.items()
    }


def _row(events, cutoff, measures, kinds, instruments) -> dict[str, float]:
    """The features of one customer at one cutoff; empty for one who is not yet known."""
    alive = [e for e in events.get("activity", []) if e.kind != "cancellation"]
    if not events.get("purchases") and not alive:
        return {}
    row = {}
    if "purchases" in events:
        sales = [e for e in events["purchases"] if not e.is_return]
        returns = [e for e in events["purchases"] if e.is_return]
        row |= purchase_features(sales, returns, cutoff, measures)
    if "activity" in events:
        row |= activity_features(events["activity"], alive, cutoff, kinds)
        row |= service_features(events["activity"])
    for instrument in instruments:
        given = [e for e in events["surveys"] if e.instrument == instrument]
        row |= survey_features(given, cutoff, instrument)
    return row


def within(events: list, days: int | None, cutoff: int) -> list:
    return [e for e in events if days is None or e.ts >= cutoff - days * DAY]


def window_name(days: int | None) -> str:
    return "all" if days is None else f"{days}d"


def over(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator else NAN


def days_since_last(events: list, cutoff: int) -> float:
    return (cutoff - events[-1].ts) / DAY if events else NAN


def days_since_first(events: list, cutoff: int) -> float:
    return (cutoff - events[0].ts) / DAY if events else NAN


def trend(of, events: list, days: int, cutoff: int) -> float:
    """(now - then) / (now + then) of two windows of equal length, one after the other."""
    now, both = within(events, days, cutoff), within(events, 2 * days, cutoff)
    then = both[: len(both) - len(now)]
    return over(of(now) - of(then), of(now) + of(then))


def cents(sales: list) -> int:
    return sum(s.amount for s in sales)


# ── Purchases, rhythm, trend ────────────────────────────────────────────────────────────────


def purchase_features(sales, returns, cutoff, measures) -> dict[str, float]:
    row = {
        "recency": days_since_last(sales, cutoff),
        "tenure": days_since_first(sales, cutoff),
        "active_span": days_since_first(sales, cutoff) - days_since_last(sales, cutoff),
        "days_since_return": days_since_last(returns, cutoff),
    }
    for days in WINDOWS:
        bought, brought_back = within(sales, days, cutoff), within(returns, days, cutoff)
        name = window_name(days)
        row[f"purchases_count_{name}"] = len(bought)
        row[f"returns_count_{name}"] = len(brought_back)
        if "amount" in measures:
            row[f"spend_sum_{name}"] = cents(bought) / 100
            row[f"spend_mean_{name}"] = over(cents(bought), len(bought) * 100)
            row[f"returns_sum_{name}"] = -cents(brought_back) / 100
        if "items" in measures:
            row[f"items_sum_{name}"] = sum(s.items for s in bought) / 1000
        if "products" in measures:
            row[f"basket_mean_{name}"] = over(sum(s.products for s in bought), len(bought))
    if "amount" in measures:
        row["spend_last"] = sales[-1].amount / 100 if sales else NAN
    for days in TREND_WINDOWS:
        row[f"purchases_trend_{days}d"] = trend(len, sales, days, cutoff)
        if "amount" in measures:
            row[f"spend_trend_{days}d"] = trend(cents, sales, days, cutoff)
    return row | rhythm_features(sales, cutoff)


def rhythm_features(sales, cutoff) -> dict[str, float]:
    gaps = gaps_between(sales)
    p90 = nearest_rank(gaps, 9, 10) / DAY if len(gaps) >= 3 else NAN
    return {
        "gap_mean": gap_mean(sales),
        "gap_median": median(gaps) / DAY if gaps else NAN,
        "gap_std": gap_std(gaps),
        "gap_p90": p90,
        "overdue_ratio": overdue(sales, p90, cutoff),
        "overdue_mean_ratio": overdue(sales, gap_mean(sales), cutoff),
    }


def gaps_between(events: list) -> list[int]:
    return [later.ts - earlier.ts for earlier, later in pairwise(events)]


def gap_mean(events: list) -> float:
    return over((events[-1].ts - events[0].ts) / DAY, len(events) - 1) if events else NAN


def gap_std(gaps: list[int]) -> float:
    """sqrt((q - s²/n) / (n - 1)) from the sums of whole seconds s and of their squares q."""
    if len(gaps) < 2:
        return NAN
    seconds = [gap // SECOND for gap in gaps]
    s, q, n = float(sum(seconds)), float(sum(x * x for x in seconds)), len(seconds)
    return math.sqrt(max((q - s * s / n) / (n - 1), 0.0)) / 86_400


def nearest_rank(values: list[int], part: int, whole: int) -> int:
    """The smallest value that part/whole of the values do not exceed."""
    n = len(values)
    return next(v for v in sorted(values) if sum(w <= v for w in values) * whole >= part * n)


def overdue(events: list, interval: float, cutoff: int) -> float:
    """Days waited over the interval, which counts as a day if it is shorter."""
    if math.isnan(interval):
        return NAN
    return days_since_last(events, cutoff) / max(interval, 1.0)


# ── Activity and service ────────────────────────────────────────────────────────────────────


def activity_features(events, alive, cutoff, kinds) -> dict[str, float]:
    row = {
        "days_since_activity": days_since_last(alive, cutoff),
        "activity_tenure": days_since_first(alive, cutoff),
        "activity_gap_mean": gap_mean(alive),
        "activity_overdue_ratio": overdue(alive, gap_mean(alive), cutoff),
    }
    for days in WINDOWS:
        row[f"activity_count_{window_name(days)}"] = len(within(alive, days, cutoff))
    for days in TREND_WINDOWS:
        row[f"activity_trend_{days}d"] = trend(len, alive, days, cutoff)
    for kind in kinds:
        of_kind = [e for e in events if e.kind == kind]
        row[f"days_since_{kind}"] = days_since_last(of_kind, cutoff)
        for days in WINDOWS:
            row[f"{kind}_count_{window_name(days)}"] = len(within(of_kind, days, cutoff))
    return row


def service_features(events) -> dict[str, float]:
    paid = max((e.ts for e in events if e.kind == "payment_ok"), default=-math.inf)
    failed = [e for e in events if e.kind == "payment_failed" and e.ts > paid]
    return {
        "complaints_open": still_open(events, "complaint"),
        "tickets_open": still_open(events, "support"),
        "payments_failed_open": len(failed),
    }


def still_open(events, what: str) -> int:
    """A resolution closes one that is open; with none open it closes nothing."""
    count = 0
    for event in sorted(events, key=lambda e: (e.ts, e.kind)):
        if event.kind == f"{what}_opened":
            count += 1
        if event.kind == f"{what}_resolved":
            count = max(count - 1, 0)
    return count


# ── Surveys ─────────────────────────────────────────────────────────────────────────────────


def survey_features(given, cutoff, instrument) -> dict[str, float]:
    last = given[-1].score / 1000 if given else NAN
    row = {f"{instrument}_last": last, f"days_since_{instrument}": days_since_last(given, cutoff)}
    for days in SURVEY_WINDOWS:
        recent, name = within(given, days, cutoff), window_name(days)
        mean = over(sum(e.score for e in recent), len(recent) * 1000)
        row[f"{instrument}_count_{name}"] = len(recent)
        row[f"{instrument}_mean_{name}"] = mean
        if instrument == "ces":
            row[f"ces_ease_mean_{name}"] = ease(mean)
    if instrument == "ces":
        row["ces_ease_last"] = ease(last)
        row["ces_class"] = NAN if math.isnan(last) else float(ease(last) > 0.5)
    if instrument == "nps":
        row["nps_class"] = nps_class(last)
    if instrument == "csat":
        row["csat_class"] = NAN if math.isnan(last) else float(last >= 4)
    return row


def ease(score: float) -> float:
    low, high = SCALES["ces"]
    return (score - low) / (high - low)


def nps_class(score: float) -> float:
    """Promoters 9–10, passives 7–8, detractors 0–6."""
    if math.isnan(score):
        return NAN
    return 1.0 if score >= 9 else 0.0 if score >= 7 else -1.0


# ── Labels ──────────────────────────────────────────────────────────────────────────────────


def signs_of_life(logs: dict[str, pd.DataFrame], churn: str) -> pd.DataFrame:
    if churn == "no_purchase":
        return logs["purchases"][logs["purchases"]["is_return"] == 0]
    return logs["activity"][logs["activity"]["kind"] != "cancellation"]


def labels(frames, churn: str, cutoff: int, horizon_days: int, lookback_days: int) -> pd.DataFrame:
    """``at_risk`` and ``churned`` of every customer of any log."""
    logs = {name: FOLDS[name](frame) for name, frame in frames.items()}
    everyone = sorted(set().union(*(log["customer_id"] for log in logs.values())))
    life = signs_of_life(logs, churn)
    before, after = life[life["ts"] < cutoff], life[life["ts"] >= cutoff]
    last = before.groupby("customer_id")["ts"].max().reindex(everyone)
    first_after = after.groupby("customer_id")["ts"].min().reindex(everyone)
    left = pd.Series(NAN, index=everyone)
    if "activity" in logs:
        gone = logs["activity"][logs["activity"]["kind"] == "cancellation"]
        gone = gone[gone["ts"] < cutoff]
        left = gone.groupby("customer_id")["ts"].max().reindex(everyone)
    return pd.DataFrame(
        {
            "at_risk": (last >= cutoff - lookback_days * DAY) & ~(left >= last),
            "churned": ~(first_after < cutoff + horizon_days * DAY),
        }
    )
