"""A shop's logs of any size: heavy-tailed customers who come, are active for a while, and go."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20_220_101
START, END = np.datetime64("2022-01-01", "us"), np.datetime64("2025-01-01", "us")
LOGS = ("purchases", "activity", "surveys")

_DAY = 86_400_000_000
_EVENTS_AT_ONCE = 4_000_000
_ROWS_PER_GROUP = 500_000
_OLD_CUSTOMERS, _OLD_SEEN_BY_DAY = 0.35, 30
_MEAN_LIFE_DAYS = 730
_TAIL = 1.8
_RETURNS = 0.04
_LOG_SHARES = (0.20, 0.75, 0.05)
_KIND_SHARES = {
    "visit": 0.50, "login": 0.20, "email_open": 0.18, "support_opened": 0.02,
    "support_resolved": 0.018, "complaint_opened": 0.01, "complaint_resolved": 0.008,
    "payment_failed": 0.014, "payment_ok": 0.05,
}  # fmt: skip
_SCALES = {"nps": (0, 10), "ces": (1, 7), "csat": (1, 5)}


@dataclass(frozen=True)
class Customers:
    """When each customer comes and goes (microseconds since the start), and how busy it is."""

    first: np.ndarray
    left: np.ndarray
    rate: np.ndarray


def write_shop(folder: Path, events: int, customers: int) -> dict[str, int]:
    """Write about ``events`` events of ``customers`` customers: one Parquet file for each log.

    Rows are in the order of time, no two at the same microsecond; the same arguments always give
    the same rows.

    Returns
    -------
    dict
        Rows of each log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    people = _customers(rng, customers, events)
    ids = pa.array(np.char.add("c", np.char.zfill(np.arange(customers).astype(str), 7)))
    rows = dict.fromkeys(LOGS, 0)
    writers: dict[str, pq.ParquetWriter] = {}
    edges = np.linspace(0, _span(), events // _EVENTS_AT_ONCE + 2).astype(np.int64)
    for begin, end in pairwise(edges):
        for log, table in _slice(rng, people, ids, int(begin), int(end)).items():
            if log not in writers:
                writers[log] = pq.ParquetWriter(folder / f"{log}.parquet", table.schema)
            writers[log].write_table(table, row_group_size=_ROWS_PER_GROUP)
            rows[log] += len(table)
    for writer in writers.values():
        writer.close()
    return rows


def _span() -> int:
    return int((END - START).astype(np.int64))


def _customers(rng: np.random.Generator, customers: int, events: int) -> Customers:
    """Some are there from the start, the others come evenly; each has one event at least."""
    share = rng.random(customers)
    old = share < _OLD_CUSTOMERS
    newcomer = (share - _OLD_CUSTOMERS) / (1 - _OLD_CUSTOMERS) * _span()
    first = np.where(old, share / _OLD_CUSTOMERS * _OLD_SEEN_BY_DAY * _DAY, newcomer)
    left = np.minimum(first + rng.exponential(_MEAN_LIFE_DAYS * _DAY, customers), _span())
    weight = rng.lognormal(0.0, _TAIL, customers)
    expected = float((weight * (left - first)).sum())
    return Customers(first, left, weight * max(events - customers, 0) / expected)


def _slice(
    rng: np.random.Generator, people: Customers, ids: pa.Array, begin: int, end: int
) -> dict[str, pa.Table]:
    """The rows of all logs in a part of the span."""
    since, until = np.maximum(people.first, begin), np.minimum(people.left, end)
    length = np.maximum(until - since, 0)
    who = np.repeat(np.arange(len(ids)), rng.poisson(people.rate * length))
    when = since[who] + rng.random(len(who)) * length[who]
    new = np.flatnonzero((people.first >= begin) & (people.first < end))
    who, when = np.concatenate((who, new)), np.concatenate((when, people.first[new]))
    order = np.argsort(when)
    who, ts = who[order], START + _apart(when[order].astype(np.int64)).astype("timedelta64[us]")
    log = rng.choice(len(LOGS), len(who), p=_LOG_SHARES).astype(np.int8)
    fill = {"purchases": _purchases, "activity": _activity, "surveys": _surveys}
    tables = {}
    for k, name in enumerate(LOGS):
        of_log = log == k
        keys = {"customer_id": ids.take(pa.array(who[of_log])), "ts": pa.array(ts[of_log])}
        tables[name] = pa.table(keys | fill[name](rng, int(of_log.sum())))
    return tables


def _apart(sorted_times: np.ndarray) -> np.ndarray:
    """The same times, each at least a microsecond after the one before."""
    place = np.arange(len(sorted_times))
    return np.asarray(np.maximum.accumulate(sorted_times - place) + place)


def _purchases(rng: np.random.Generator, rows: int) -> dict[str, pa.Array]:
    cents = np.maximum(np.rint(rng.lognormal(8.0, 0.9, rows)), 1)
    return {"amount": pa.array(np.where(rng.random(rows) < _RETURNS, -cents, cents) / 100)}


def _activity(rng: np.random.Generator, rows: int) -> dict[str, pa.Array]:
    drawn = rng.choice(len(_KIND_SHARES), rows, p=list(_KIND_SHARES.values()))
    return {"event": pa.array(list(_KIND_SHARES)).take(pa.array(drawn))}


def _surveys(rng: np.random.Generator, rows: int) -> dict[str, pa.Array]:
    asked = rng.integers(0, len(_SCALES), rows)
    low, high = np.array(list(_SCALES.values())).T
    return {
        "instrument": pa.array(list(_SCALES)).take(pa.array(asked)),
        "score": pa.array(rng.integers(low[asked], high[asked] + 1).astype(np.int32)),
    }
