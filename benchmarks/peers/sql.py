"""The best hand-written SQL: DuckDB, one query for each cutoff.

What speeds it up was tried one by one: ids become integers and money becomes cents once; whatever
depends on earlier rows of the customer only (the interval since the last sale, the payments failed
in a row) is worked out once, by window functions; and a query reads all rows for the few columns
of all time, but only the last year, which the order of time lets it find, for the many others.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from peers.columns import (
    ACTIVITY_TRENDS,
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

_YEAR = 365
_DAYS = {days for days in WINDOWS.values() if days}
_SALE_DAYS = sorted(_DAYS | {2 * days for days in PURCHASE_TRENDS if 2 * days < _YEAR})
_ACTIVE_DAYS = sorted(_DAYS | {2 * days for days in ACTIVITY_TRENDS})


def build(task: Task) -> dict[str, float]:
    """Prepare the tables, then copy the result of one query for each cutoff to a file."""
    with TemporaryDirectory() as spill, duckdb.connect() as con:
        con.execute(f"SET memory_limit = '{task.memory}'")
        con.execute(f"SET temp_directory = '{spill}'")
        con.execute("SET preserve_insertion_order = false")
        _prepare(con, task)
        for cutoff in task.cutoffs:
            con.execute(f"COPY ({_query(cutoff)}) TO '{Path(task.out) / cutoff}.parquet'")
    return {}


def _prepare(con: duckdb.DuckDBPyConnection, task: Task) -> None:
    purchases, activity, surveys = (
        f"read_parquet('{task.log(log)}')" for log in ("purchases", "activity", "surveys")
    )
    con.execute(f"""
        CREATE TEMP TABLE ids AS
        SELECT customer_id, CAST(row_number() OVER () AS INTEGER) AS c FROM (
            SELECT customer_id FROM {purchases}
            UNION SELECT customer_id FROM {activity}
            UNION SELECT customer_id FROM {surveys});
        CREATE TEMP TABLE sales AS
        SELECT c, ts, CAST(round(amount * 100) AS BIGINT) AS cents,
               (epoch_us(ts) - epoch_us(lag(ts) OVER (PARTITION BY c ORDER BY ts))) // 1000000
               AS gap
        FROM {purchases} JOIN ids USING (customer_id) WHERE amount >= 0;
        CREATE TEMP TABLE returned AS
        SELECT c, ts FROM {purchases} JOIN ids USING (customer_id) WHERE amount < 0;
        CREATE TYPE kinds AS ENUM (SELECT DISTINCT event FROM {activity});
        CREATE TEMP TABLE activity AS
        SELECT c, ts, CAST(event AS kinds) AS kind FROM {activity} JOIN ids USING (customer_id);
        CREATE TEMP TABLE payments AS
        WITH runs AS (
            SELECT c, ts, kind = 'payment_failed' AS failed,
                   count(*) FILTER (kind = 'payment_ok') OVER (PARTITION BY c ORDER BY ts) AS run
            FROM activity WHERE kind IN ('payment_failed', 'payment_ok'))
        SELECT c, ts, count(*) FILTER (failed) OVER (PARTITION BY c, run ORDER BY ts) AS failed
        FROM runs;
        CREATE TEMP TABLE surveys AS
        SELECT c, ts, instrument, score FROM {surveys} JOIN ids USING (customer_id)""")


def _query(cutoff: str) -> str:
    """SQL of the rows of one cutoff."""
    at = f"TIMESTAMP '{cutoff}'"
    return f"""
        WITH {_purchases(at)}, {_activity(at)}, {_surveys(at)},
        wide AS (
            SELECT * FROM ever_bought FULL JOIN ever_returned USING (c)
            FULL JOIN ever_active USING (c) LEFT JOIN bought USING (c)
            LEFT JOIN active USING (c) LEFT JOIN unpaid USING (c) LEFT JOIN answered USING (c)
            JOIN ids USING (c))
        SELECT customer_id, '{cutoff}' AS as_of, {_columns(at)} FROM wide"""


def _purchases(at: str) -> str:
    told = ", ".join(
        f"{_within(at, days)} AS sales_{days}d, "
        f"sum(cents) FILTER (ts >= {at} - INTERVAL {days} DAY) AS cents_{days}d"
        for days in _SALE_DAYS
    )
    return f"""
        ever_bought AS (
            SELECT c, count(*) AS sales_all, sum(cents) AS cents_all, min(ts) AS first_sale,
                   max(ts) AS last_sale, stddev_samp(gap) AS gap_spread
            FROM sales WHERE ts < {at} GROUP BY c),
        ever_returned AS (
            SELECT c, count(*) AS returns_all, {_within(at, _YEAR)} AS returns_{_YEAR}d
            FROM returned WHERE ts < {at} GROUP BY c),
        bought AS (SELECT c, {told} FROM sales WHERE {_last_year(at)} GROUP BY c)"""


def _activity(at: str) -> str:
    told = [f"{_within(at, days)} AS active_{days}d" for days in _ACTIVE_DAYS]
    told += [
        f"{_within(at, days, f'kind = {kind!r}')} AS {kind}_{window}"
        for kind in COUNTED_KINDS
        for window, days in KIND_WINDOWS.items()
    ]
    return f"""
        ever_active AS (
            SELECT c, count(*) AS active_all, max(ts) AS last_active,
                   max(ts) FILTER (kind = 'login') AS last_login,
                   max(ts) FILTER (kind = 'complaint_opened') AS last_complaint
            FROM activity WHERE ts < {at} GROUP BY c),
        active AS (
            SELECT c, {", ".join(told)},
                   count(*) FILTER (kind = 'complaint_opened') AS complaints
            FROM activity WHERE {_last_year(at)} GROUP BY c),
        unpaid AS (
            SELECT c, arg_max(failed, ts) AS failed FROM payments WHERE ts < {at} GROUP BY c)"""


def _surveys(at: str) -> str:
    nps = "instrument = 'nps'"
    return f"""
        answered AS (
            SELECT c, count(*) FILTER ({nps}) AS nps_count, max(ts) FILTER ({nps}) AS nps_at,
                   arg_max(score, ts) FILTER ({nps}) AS nps_last,
                   avg(score) FILTER ({nps}) AS nps_mean_all,
                   avg(score) FILTER ({nps} AND ts >= {at} - INTERVAL {_YEAR} DAY)
                   AS nps_mean_{_YEAR}d,
                   arg_max(score, ts) FILTER (instrument = 'ces') AS ces_last,
                   arg_max(score, ts) FILTER (instrument = 'csat') AS csat_last
            FROM surveys WHERE ts < {at} GROUP BY c)"""


def _last_year(at: str) -> str:
    return f"ts < {at} AND ts >= {at} - INTERVAL {_YEAR} DAY"


def _within(at: str, days: int, condition: str = "") -> str:
    """SQL count of the rows within so many days before the cutoff."""
    also = f"{condition} AND " if condition else ""
    return f"count(*) FILTER ({also}ts >= {at} - INTERVAL {days} DAY)"


def _columns(at: str) -> str:
    """SQL of the columns, from what the joined aggregates hold."""
    gap_mean = f"{_days('last_sale', 'first_sale')} / nullif(sales_all - 1, 0)"
    at_least_one = f"CASE WHEN {gap_mean} < 1 THEN 1 ELSE {gap_mean} END"
    made = {
        "recency": _days(at, "last_sale"),
        "tenure": _days(at, "first_sale"),
        "active_span": _days("last_sale", "first_sale"),
        "gap_mean": gap_mean,
        "gap_std": "gap_spread / 86400",
        "overdue_mean_ratio": f"{_days(at, 'last_sale')} / {at_least_one}",
        **{f"purchases_count_{w}": f"sales_{w}" for w in WINDOWS},
        **{f"spend_sum_{w}": f"cents_{w} / 100" for w in WINDOWS},
        "returns_count_365d": "returns_365d",
        "returns_count_all": "returns_all",
        **{f"purchases_trend_{d}d": _trend("sales", d) for d in PURCHASE_TRENDS},
        f"spend_trend_{SPEND_TREND}d": _trend("cents", SPEND_TREND),
        "days_since_activity": _days(at, "last_active"),
        "days_since_login": _days(at, "last_login"),
        "days_since_complaint_opened": _days(at, "last_complaint"),
        **{f"activity_count_{w}": f"active_{w}" for w in WINDOWS},
        **{f"{kind}_count_{w}": f"{kind}_{w}" for kind in COUNTED_KINDS for w in KIND_WINDOWS},
        "complaint_opened_count_365d": "complaints",
        "payments_failed_open": "failed",
        **{f"activity_trend_{d}d": _trend("active", d) for d in ACTIVITY_TRENDS},
        "nps_last": "nps_last",
        "nps_mean_365d": "nps_mean_365d",
        "nps_mean_all": "nps_mean_all",
        "nps_count_all": "nps_count",
        "days_since_nps": _days(at, "nps_at"),
        "ces_last": "ces_last",
        "csat_last": "csat_last",
    }
    told = [f"CAST(COALESCE({made[name]}, 0) AS INTEGER) AS {name}" for name in COUNTS]
    told += [f"COALESCE({made[name]}, 0) AS {name}" for name in SUMS]
    return ", ".join([*told, *(f"CAST({made[name]} AS FLOAT) AS {name}" for name in REALS)])


def _days(until: str, since: str) -> str:
    return f"(epoch_us({until}) - epoch_us({since})) / 86400e6"


def _trend(what: str, days: int) -> str:
    """SQL of (now - before) / (now + before), NULL where both windows are empty."""
    now, both = f"COALESCE({what}_{days}d, 0)", f"{what}_{2 * days}d"
    return f"(2 * {now} - {both}) / nullif({both}, 0)"
