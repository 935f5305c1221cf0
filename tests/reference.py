"""The features and labels once more: slow, obvious, one customer and one cutoff at a time.

Written from the definitions, without the index: raw frames are folded with pandas, then every
number is a loop over the events of one customer. Instants are microseconds UTC.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, pairwise
from statistics import median

import pandas as pd

SECOND = 1_000_000
DAY = 86_400 * SECOND
NAN = math.nan

WINDOWS = (7, 30, 90, 180, 365, None)
TREND_WINDOWS = (30, 90, 180)
LONGEST_WINDOWS = (365, None)
SEASON_WINDOWS = (30, 90)
SCALES = {
    "nps": (0, 10, "high"),
    "ces": (1, 7, "high"),
    "csat": (1, 5, "high"),
    "agent_tone": (1, 4, "low"),
}
AGENTS = ("agent_tone",)
THINGS = {"product_id": "products", "category": "categories", "channel": "channels"}
NO_SIGNS_OF_LIFE = ("cancellation", "survey_sent")
EVENTS = ("cancellation", "wishlist")
"""What ends a relation where churn is an event; the second is a sign of life elsewhere."""


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
    if "discount" in columns:
        discounts = [line.discount for line in order if not pd.isna(line.discount)]
        measures["discount"] = sum(round(discount * 100) for discount in discounts)
    return measures


def lines_bought(purchases: pd.DataFrame) -> pd.DataFrame | None:
    """What was bought and when, each thing once; nothing of rows that bring something back."""
    named = [name for name in THINGS if name in purchases]
    if not named:
        return None
    bought = purchases[purchases["amount"] >= 0] if "amount" in purchases else purchases
    lines = bought[["customer_id", "ts", *named]].drop_duplicates()
    return lines.assign(ts=microseconds(lines["ts"])).sort_values(["customer_id", "ts"])


def kinds_of_events(activity: pd.DataFrame) -> pd.DataFrame:
    """One row an event; its kind is its name in lower case with _ between the words.

    Values are in 1/1000, zero where there is none; at one instant the highest comes last.
    """
    rows = activity.drop_duplicates()
    kind = [re.sub(r"[\W_]+", "_", event.lower()).strip("_") for event in rows["event"]]
    events = {"customer_id": rows["customer_id"], "ts": microseconds(rows["ts"]), "kind": kind}
    if "value" in rows:
        events["value"] = (rows["value"].fillna(0) * 1000).round().astype("int64")
        events["valued"] = rows["value"].notna().astype("int64")
    if "ref" in rows:
        events["ref"] = rows["ref"].fillna("")
    return pd.DataFrame(events).sort_values(list(events), ignore_index=True)


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

    Known is who bought, returned, or did anything but cancel. The kinds and instruments that have
    columns are those that occur before the last cutoff.
    """
    logs = {name: FOLDS[name](frame) for name, frame in frames.items()}
    everyone = sorted(set().union(*(log["customer_id"] for log in logs.values())))
    shop = Shop(
        measures=set().union(*(log.columns for log in logs.values())),
        kinds=words(logs, "activity", "kind", max(cutoffs)),
        valued=words(with_value(logs), "activity", "kind", max(cutoffs)),
        instruments=words(logs, "surveys", "instrument", max(cutoffs)),
    )
    if "purchases" in frames and (lines := lines_bought(frames["purchases"])) is not None:
        logs["lines"] = lines
        shop.measures.update(lines.columns)
    events = {name: list(log.itertuples()) for name, log in logs.items()}
    rows = {}
    for cutoff in sorted(cutoffs):
        past = {customer: seen(events, customer, cutoff) for customer in everyone}
        market = {stream: [of(p) for p in past.values()] for stream, of in STREAMS.items()}
        for customer in everyone:
            if is_known(past[customer]):
                rows[cutoff, customer] = row_of(past[customer], cutoff, shop, market)
    keys = pd.MultiIndex.from_tuples(rows.keys(), names=["cutoff", "customer_id"])
    return pd.DataFrame(list(rows.values()), index=keys, dtype=float)


@dataclass
class Shop:
    """What the logs can tell: decides which columns there are."""

    measures: set[str]
    kinds: list[str]
    valued: list[str]
    instruments: list[str]


def with_value(logs: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The activity that came with a value, if the log tells values."""
    if "valued" not in logs.get("activity", ()):
        return {}
    return {"activity": logs["activity"].query("valued == 1")}


def words(logs: dict[str, pd.DataFrame], log: str, measure: str, cutoff: int) -> list[str]:
    return sorted(set(logs[log].query("ts < @cutoff")[measure])) if log in logs else []


def seen(events: dict[str, list], customer: str, cutoff: int) -> dict[str, list]:
    """The events of a customer before the cutoff by log, the latest last."""
    return {
        name: [e for e in log if e.customer_id == customer and e.ts < cutoff]
        for name, log in events.items()
    }


def is_known(past: dict[str, list]) -> bool:
    return bool(past.get("purchases") or alive(past))


def sales(past: dict[str, list]) -> list:
    return [e for e in past.get("purchases", []) if not e.is_return]


def alive(past: dict[str, list]) -> list:
    return [e for e in past.get("activity", []) if e.kind not in NO_SIGNS_OF_LIFE]


def renewals(past: dict[str, list]) -> list:
    return of_kind(past.get("activity", []), "renewal")


STREAMS = {"sales": sales, "activity": alive, "renewals": renewals}


def of_kind(events: list, kind: str) -> list:
    return [e for e in events if e.kind == kind]


def row_of(past, cutoff, shop, market) -> dict[str, float]:
    """The features of one customer at one cutoff."""
    row = calendar_features(cutoff)
    if "purchases" in past:
        bought, returned = sales(past), [e for e in past["purchases"] if e.is_return]
        row |= purchase_features(bought, returned, cutoff, shop.measures)
        row |= returns_features(bought, returned, cutoff, shop.measures)
        row |= early_features(bought, cutoff, shop.measures)
        row |= rhythm_features(bought, cutoff, market["sales"])
        row |= season_features(bought, cutoff, shop.measures)
        row |= market_features(bought, cutoff, market["sales"])
        row |= breadth_features(past.get("lines", []), cutoff, shop.measures)
    if "activity" in past:
        row |= activity_features(past["activity"], alive(past), cutoff, shop.kinds)
        row |= value_features(past["activity"], cutoff, shop.valued)
        row |= activity_market_features(alive(past), cutoff, market["activity"])
        row |= service_features(past["activity"], cutoff, shop)
        row |= payment_features(past["activity"], cutoff, shop.kinds)
    if "renewal" in shop.kinds:
        row["days_to_renewal"] = days_to_renewal(renewals(past), cutoff, market["renewals"])
    for instrument in shop.instruments:
        given = [e for e in past["surveys"] if e.instrument == instrument]
        row |= survey_features(given, cutoff, instrument)
    if "survey_sent" in shop.kinds and "surveys" in past:
        row |= silence_features(past["activity"], past["surveys"], cutoff)
    return row


def within(events: list, days: int | None, cutoff: int) -> list:
    return [e for e in events if days is None or e.ts >= cutoff - days * DAY]


def between(events: list, start: int, end: int) -> list:
    return [e for e in events if start <= e.ts < end]


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
    now = within(events, days, cutoff)
    then = between(events, cutoff - 2 * days * DAY, cutoff - days * DAY)
    return over(of(now) - of(then), of(now) + of(then))


def cents(sales: list) -> int:
    return sum(s.amount for s in sales)


# ── Purchases, rhythm, trend ────────────────────────────────────────────────────────────────


def purchase_features(bought, returned, cutoff, measures) -> dict[str, float]:
    row = {
        "recency": days_since_last(bought, cutoff),
        "tenure": days_since_first(bought, cutoff),
        "active_span": days_since_first(bought, cutoff) - days_since_last(bought, cutoff),
    }
    for days in WINDOWS:
        recent, name = within(bought, days, cutoff), window_name(days)
        row[f"purchases_count_{name}"] = len(recent)
        if "amount" in measures:
            row[f"spend_sum_{name}"] = cents(recent) / 100
            row[f"spend_mean_{name}"] = over(cents(recent), len(recent) * 100)
        if "items" in measures:
            row[f"items_sum_{name}"] = sum(s.items for s in recent) / 1000
        if "products" in measures:
            row[f"basket_mean_{name}"] = over(sum(s.products for s in recent), len(recent))
        if "discount" in measures:
            off = sum(s.discount for s in recent)
            row[f"discount_sum_{name}"] = off / 100
            if "amount" in measures:
                row[f"discount_share_{name}"] = over(off, cents(recent) + off)
    if "amount" in measures:
        row["spend_last"] = bought[-1].amount / 100 if bought else NAN
    for days in TREND_WINDOWS:
        row[f"purchases_trend_{days}d"] = trend(len, bought, days, cutoff)
        if "amount" in measures:
            row[f"spend_trend_{days}d"] = trend(cents, bought, days, cutoff)
    return row


def returns_features(bought, returned, cutoff, measures) -> dict[str, float]:
    row = {"days_since_return": days_since_last(returned, cutoff)}
    for days in WINDOWS:
        kept, back = within(bought, days, cutoff), within(returned, days, cutoff)
        name = window_name(days)
        row[f"returns_count_{name}"] = len(back)
        row[f"returns_share_{name}"] = over(len(back), len(back) + len(kept))
        if "amount" in measures:
            row[f"returns_sum_{name}"] = -cents(back) / 100
            row[f"returns_amount_share_{name}"] = over(-cents(back), cents(kept) - cents(back))
    return row


def early_features(bought, cutoff, measures) -> dict[str, float]:
    early = [s for s in bought if s.ts < bought[0].ts + 30 * DAY]
    second = days_since_first(bought[1:], cutoff)
    row = {
        "purchases_count_first_30d": len(early),
        "days_to_second_purchase": days_since_first(bought, cutoff) - second,
    }
    return row | ({"spend_sum_first_30d": cents(early) / 100} if "amount" in measures else {})


def breadth_features(lines, cutoff, measures) -> dict[str, float]:
    row = {}
    for column, things in THINGS.items():
        if column in measures:
            for days in WINDOWS:
                found = different(within(lines, days, cutoff), column)
                row[f"{things}_count_{window_name(days)}"] = len(found)
    if "product_id" in measures:
        for days in TREND_WINDOWS:
            before = different(between(lines, 0, cutoff - days * DAY), "product_id")
            found = different(within(lines, days, cutoff), "product_id")
            row[f"products_new_{days}d"] = len(found - before)
    return row


def different(lines, column) -> set[str]:
    return {getattr(line, column) for line in lines if not pd.isna(getattr(line, column))}


def rhythm_features(bought, cutoff, market) -> dict[str, float]:
    gaps = gaps_between(bought)
    p90 = nearest_rank(gaps, 9, 10) / DAY if len(gaps) >= 3 else NAN
    normal = market_gap(market, 9, 10) if math.isnan(p90) else p90
    mean, last = gap_mean(bought), gaps[-1] / DAY if gaps else NAN
    return {
        "gap_mean": mean,
        "gap_median": median(gaps) / DAY if gaps else NAN,
        "gap_std": gap_std(gaps),
        "gap_p90": p90,
        "gap_last": last,
        "gap_trend": last / max(mean, 1.0),
        "overdue_own_ratio": overdue(bought, p90, cutoff),
        "overdue_ratio": overdue(bought, normal, cutoff),
        "overdue_mean_ratio": overdue(bought, mean, cutoff),
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


# ── The season, and what all customers did ──────────────────────────────────────────────────


def calendar_features(cutoff) -> dict[str, float]:
    day = datetime.fromtimestamp(cutoff / SECOND, UTC).timetuple().tm_yday - 1
    angle = 2 * math.pi * (day / 365.25)
    return {
        "year_sin": math.sin(angle),
        "year_cos": math.cos(angle),
        "half_year_sin": math.sin(2 * angle),
        "half_year_cos": math.cos(2 * angle),
    }


def season_features(bought, cutoff, measures) -> dict[str, float]:
    a_year_ago, row = cutoff - 365 * DAY, {}
    for days in SEASON_WINDOWS:
        same = between(bought, a_year_ago - days * DAY, a_year_ago)
        ahead = between(bought, a_year_ago, a_year_ago + days * DAY)
        row[f"purchases_count_last_year_{days}d"] = len(same)
        row[f"purchases_ahead_last_year_{days}d"] = len(ahead)
        if "amount" in measures:
            row[f"spend_sum_last_year_{days}d"] = cents(same) / 100
            row[f"spend_ahead_last_year_{days}d"] = cents(ahead) / 100
    return row


def market_features(bought, cutoff, market) -> dict[str, float]:
    everything, row = sorted(chain.from_iterable(market), key=lambda e: e.ts), {}
    for days in TREND_WINDOWS:
        of_all = trend(len, everything, days, cutoff)
        customers = sum(bool(events) for events in market)
        row[f"market_trend_{days}d"] = of_all
        row[f"trend_against_market_{days}d"] = trend(len, bought, days, cutoff) - of_all
        recent = within(everything, days, cutoff)
        row[f"market_purchases_mean_{days}d"] = over(len(recent), customers)
    return row


def activity_market_features(alive, cutoff, market) -> dict[str, float]:
    everything, row = sorted(chain.from_iterable(market), key=lambda e: e.ts), {}
    for days in TREND_WINDOWS:
        of_all = trend(len, everything, days, cutoff)
        row[f"market_activity_trend_{days}d"] = of_all
        row[f"activity_trend_against_market_{days}d"] = trend(len, alive, days, cutoff) - of_all
    return row


def market_gap(market, part: int, whole: int) -> float:
    """The nearest-rank quantile of the intervals of all customers, in days rounded up."""
    days = [-(-gap // DAY) for events in market for gap in gaps_between(events)]
    return nearest_rank(days, part, whole) if days else NAN


# ── Activity, service, payments ─────────────────────────────────────────────────────────────


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
        such = of_kind(events, kind)
        row[f"days_since_{kind}"] = days_since_last(such, cutoff)
        for days in WINDOWS:
            row[f"{kind}_count_{window_name(days)}"] = len(within(such, days, cutoff))
    return row


def value_features(events, cutoff, kinds) -> dict[str, float]:
    row = {}
    for kind in kinds:
        such = [e for e in of_kind(events, kind) if e.valued]
        row[f"{kind}_value_last"] = such[-1].value / 1000 if such else NAN
        for days in LONGEST_WINDOWS:
            recent = within(such, days, cutoff)
            mean = over(sum(e.value for e in recent), len(recent) * 1000)
            row[f"{kind}_value_mean_{window_name(days)}"] = mean
    return row


def service_features(events, cutoff, shop) -> dict[str, float]:
    row = {}
    for name, what in (("complaints", "complaint"), ("tickets", "support")):
        still_open, closed = served(events, what)
        opened = of_kind(events, f"{what}_opened")
        row[f"{name}_open"] = len(still_open)
        if f"{what}_opened" not in shop.kinds:
            continue
        row[f"{name}_open_days"] = (cutoff - min(still_open)) / DAY if still_open else NAN
        row[f"{name}_open_share"] = over(len(still_open), len(opened))
        for days in LONGEST_WINDOWS:
            if f"{what}_resolved" in shop.kinds:
                took = [end - start for start, end in closed if days is None or
                        end >= cutoff - days * DAY]  # fmt: skip
                mean = over(sum(took), len(took)) / DAY
                row[f"{name}_resolve_mean_{window_name(days)}"] = mean
            if "ref" in shop.measures:
                again = within(repeated(opened), days, cutoff)
                row[f"{name}_reopened_{window_name(days)}"] = len(again)
    return row


def served(events, what: str) -> tuple[list[int], list[tuple[int, int]]]:
    """When those that are open were opened, and those that were closed were opened and closed.

    A resolution closes the oldest open one of its ref; with none open it closes nothing.
    """
    queues, closed = defaultdict(list), []
    for event in sorted(events, key=lambda e: (e.ts, e.kind)):
        queue = queues[getattr(event, "ref", "")]
        if event.kind == f"{what}_opened":
            queue.append(event.ts)
        if event.kind == f"{what}_resolved" and queue:
            closed.append((queue.pop(0), event.ts))
    return list(chain.from_iterable(queues.values())), closed


def repeated(events) -> list:
    """The events whose ref has come before."""
    known, again = set(), []
    for event in events:
        if event.ref in known:
            again.append(event)
        known |= {event.ref} - {""}
    return again


def payment_features(events, cutoff, kinds) -> dict[str, float]:
    failed, went_through = of_kind(events, "payment_failed"), of_kind(events, "payment_ok")
    paid = max((e.ts for e in went_through), default=-math.inf)
    still_open = [e for e in failed if e.ts > paid]
    row = {"payments_failed_open": len(still_open)}
    if "payment_failed" in kinds:
        row["payments_failed_open_days"] = days_since_first(still_open, cutoff)
    if {"payment_failed", "payment_ok"} <= set(kinds):
        for days in WINDOWS:
            bad, good = (len(within(e, days, cutoff)) for e in (failed, went_through))
            row[f"payments_failed_share_{window_name(days)}"] = over(bad, bad + good)
    return row


def days_to_renewal(own, cutoff, market) -> float:
    interval = gap_mean(own) if len(own) > 1 else market_gap(market, 1, 2)
    return interval - days_since_last(own, cutoff)


# ── Surveys ─────────────────────────────────────────────────────────────────────────────────


def survey_features(given, cutoff, instrument) -> dict[str, float]:
    last = given[-1].score / 1000 if given else NAN
    change = (given[-1].score - given[-2].score) / 1000 if len(given) > 1 else NAN
    recent = within(given, 365, cutoff)
    before = between(given, cutoff - 730 * DAY, cutoff - 365 * DAY)
    row = {
        f"{instrument}_last": last,
        f"{instrument}_good_last": goodness(last, instrument),
        f"{instrument}_change": change,
        f"{instrument}_trend_365d": mean_score(recent) - mean_score(before),
        f"{instrument}_silence_ratio": overdue(given, gap_mean(given), cutoff),
        f"days_since_{instrument}": days_since_last(given, cutoff),
    }
    for days in LONGEST_WINDOWS:
        recent, name = within(given, days, cutoff), window_name(days)
        mean = mean_score(recent)
        row[f"{instrument}_count_{name}"] = len(recent)
        row[f"{instrument}_mean_{name}"] = mean
        row[f"{instrument}_good_mean_{name}"] = goodness(mean, instrument)
        if instrument == "ces":
            row[f"ces_ease_mean_{name}"] = goodness(mean, "ces")
    if instrument == "ces":
        ease = row["ces_ease_last"] = goodness(last, "ces")
        row["ces_class"] = NAN if math.isnan(last) else float(ease > 0.5)
    if instrument == "nps":
        row["nps_class"] = nps_class(last)
    if instrument == "csat":
        row["csat_class"] = NAN if math.isnan(last) else float(last >= 4)
    return row


def mean_score(given: list) -> float:
    return over(sum(e.score for e in given), len(given) * 1000)


def goodness(score: float, instrument: str) -> float:
    """Position on the scale, 0 worst to 1 best."""
    low, high, better = SCALES[instrument]
    share = (score - low) / (high - low)
    return share if better == "high" else 1 - share


def silence_features(events, surveys, cutoff) -> dict[str, float]:
    """The share of surveys sent that brought no answer of a customer; agents answer unasked."""
    sent, row = of_kind(events, "survey_sent"), {}
    given = [e for e in surveys if e.instrument not in AGENTS]
    for days in LONGEST_WINDOWS:
        silent = 1 - over(len(within(given, days, cutoff)), len(within(sent, days, cutoff)))
        row[f"survey_silence_{window_name(days)}"] = max(silent, 0.0)
    return row


def nps_class(score: float) -> float:
    """Promoters 9–10, passives 7–8, detractors 0–6."""
    if math.isnan(score):
        return NAN
    return 1.0 if score >= 9 else 0.0 if score >= 7 else -1.0


# ── Labels ──────────────────────────────────────────────────────────────────────────────────


def signs_of_life(logs: dict[str, pd.DataFrame], churn: str) -> pd.DataFrame:
    if churn == "no_purchase":
        return logs["purchases"][logs["purchases"]["is_return"] == 0]
    return logs["activity"][~logs["activity"]["kind"].isin(NO_SIGNS_OF_LIFE)]


def labels(frames, churn: str, cutoff: int, horizon_days: int, lookback_days: int) -> pd.DataFrame:
    """``at_risk`` and ``churned`` of every customer of any log; an event is a cancellation or a
    wish, which then is no sign of life.
    """
    logs = {name: FOLDS[name](frame) for name, frame in frames.items()}
    everyone = sorted(set().union(*(log["customer_id"] for log in logs.values())))
    life = signs_of_life(logs, churn)
    ends = ["cancellation"]
    if churn == "event":
        ends = list(EVENTS)
        life = life[~life["kind"].isin(ends)]
    before, after = life[life["ts"] < cutoff], life[life["ts"] >= cutoff]
    last = before.groupby("customer_id")["ts"].max().reindex(everyone)
    first_after = after.groupby("customer_id")["ts"].min().reindex(everyone)
    left = pd.Series(NAN, index=everyone)
    if "activity" in logs:
        gone = logs["activity"][logs["activity"]["kind"].isin(ends)]
        left = gone[gone["ts"] < cutoff].groupby("customer_id")["ts"].max().reindex(everyone)
        goes = gone[gone["ts"] >= cutoff].groupby("customer_id")["ts"].min().reindex(everyone)
    end = cutoff + horizon_days * DAY
    return pd.DataFrame(
        {
            "at_risk": (last >= cutoff - lookback_days * DAY) & ~(left >= last),
            "churned": goes < end if churn == "event" else ~(first_after < end),
        }
    )
