"""`Logs`: the checked events of all customers, sorted, as numpy columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.clock import Cutoff, day_after, seen_before, start_of_day, zone_named
from churnkit.errors import DataError
from churnkit.logs.check import (
    LogCheck,
    columns_of,
    judge,
    literal,
    rejected_by_reason,
    rejected_rows,
    stop_if_too_many,
)
from churnkit.logs.fold import events_sql
from churnkit.logs.schema import MONEY_UNITS, Contract, Instrument

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_STRAGGLERS = 0.9999
_VOCABULARIES = ("kind", "instrument")


@dataclass(frozen=True)
class Events:
    """The events of one log, sorted by customer, time and content.

    Attributes
    ----------
    customer
        Position of the customer in `Logs.customer_ids`, int64, rising.
    ts
        Microseconds UTC, int64, rising within a customer.
    columns
        Measure → int64 array of the same length, in the units of `churnkit.logs.schema`;
        text measures hold positions in their vocabulary.
    vocabularies
        Text measure → its sorted words.
    """

    customer: np.ndarray
    ts: np.ndarray
    columns: Mapping[str, np.ndarray]
    vocabularies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ts)

    def where(self, mask: np.ndarray) -> Events:
        """The events for which the boolean mask holds, in the same order."""
        columns = {name: values[mask] for name, values in self.columns.items()}
        return replace(self, customer=self.customer[mask], ts=self.ts[mask], columns=columns)

    def of(self, measure: str, word: str) -> Events:
        """The events whose text measure is that word; none if the word never occurs."""
        return self.where(self.is_word(measure, word))

    def either(self, measure: str, *words: str) -> Events:
        """The events whose text measure is one of the words."""
        return self.where(np.logical_or.reduce([self.is_word(measure, word) for word in words]))

    def other_than(self, measure: str, word: str) -> Events:
        """The events whose text measure is any other word."""
        return self.where(~self.is_word(measure, word))

    def is_word(self, measure: str, word: str) -> np.ndarray:
        """Boolean mask of the events whose text measure is that word."""
        words = self.vocabularies[measure]
        return self.columns[measure] == (words.index(word) if word in words else -1)

    def between_customers(self, start: int, stop: int) -> Events:
        """The events of the customers ``start <= position < stop``, renumbered from zero."""
        lo, hi = np.searchsorted(self.customer, [start, stop])
        columns = {name: values[lo:hi] for name, values in self.columns.items()}
        return replace(
            self, customer=self.customer[lo:hi] - start, ts=self.ts[lo:hi], columns=columns
        )


@dataclass(frozen=True)
class Logs:
    """Everything known about the customers, checked, sorted and ready for the kernel.

    Attributes
    ----------
    customer_ids
        Sorted text ids, one per customer of any log.
    purchases, activity, surveys
        The events of each log, ``None`` where the log is absent.
    yearly_value
        Yearly margin per customer in money, NaN where unknown; ``None`` without that column.
    instruments
        The declared survey scales.
    zone
        Business time zone.
    checks
        What became of the rows of each log.
    rejected
        Arrow table of the rows set aside, ``None`` if the logs were cut from others.
    """

    customer_ids: np.ndarray
    purchases: Events | None = None
    activity: Events | None = None
    surveys: Events | None = None
    yearly_value: np.ndarray | None = None
    instruments: tuple[Instrument, ...] = ()
    zone: str = "UTC"
    checks: tuple[LogCheck, ...] = ()
    rejected: pa.Table | None = None

    @property
    def events(self) -> dict[str, Events]:
        """Log name → events, for the logs that are present."""
        logs = {"purchases": self.purchases, "activity": self.activity, "surveys": self.surveys}
        return {name: events for name, events in logs.items() if events is not None}

    @property
    def has_amounts(self) -> bool:
        """Whether purchases come with money."""
        return self.purchases is not None and "amount" in self.purchases.columns

    def before(self, cutoff: Cutoff) -> Logs:
        """The same logs as they stood at a cutoff: events with ``ts < cutoff`` only."""
        return self._with({n: e.where(seen_before(e.ts, cutoff)) for n, e in self.events.items()})

    def blocks(self, customers: int = 20_000) -> Iterator[Logs]:
        """The logs cut into runs of whole customers, in order."""
        for start in range(0, len(self.customer_ids), customers):
            stop = min(start + customers, len(self.customer_ids))
            cut = {n: e.between_customers(start, stop) for n, e in self.events.items()}
            value = None if self.yearly_value is None else self.yearly_value[start:stop]
            yield replace(
                self._with(cut), customer_ids=self.customer_ids[start:stop], yearly_value=value
            )

    def first_day(self, of: str) -> Cutoff:
        """Start of the first day of a log, in the business zone."""
        return start_of_day(int(self.events[of].ts.min()), self.zone)

    def last_day(self, of: str) -> Cutoff:
        """Start of the last day of a log, in the business zone.

        The day by which 99.99 % of the events have come: a handful of stragglers, such as
        mistyped years, does not move the end of the log.
        """
        ts = self.events[of].ts
        return start_of_day(int(np.quantile(ts, _STRAGGLERS, method="inverted_cdf")), self.zone)

    def day_after_last(self, of: str) -> Cutoff:
        """Start of the day after the last day of a log: all of it is known by then."""
        return day_after(self.last_day(of).us, self.zone)

    def _with(self, events: Mapping[str, Events]) -> Logs:
        return replace(self, **events, rejected=None)  # type: ignore[arg-type]


def collect(
    con: duckdb.DuckDBPyConnection, tables: Mapping[str, tuple[str, str]], contract: Contract
) -> Logs:
    """Check the tables of a connection against the contract and load what keeps it.

    Parameters
    ----------
    con
        DuckDB connection that holds the tables.
    tables
        Log name → (SQL table expression, name of the source for messages).
    contract
        Mappings, scales and limits.

    Raises
    ------
    DataError
        If a column is missing, a log is empty, or too many rows are set aside.
    ConfigError
        If the time zone is unknown or a time format is no pattern.
    """
    zone_named(contract.zone)
    checks, rejected = [], []
    for log, (table, source) in tables.items():
        _judge(con, log, table, source, contract)
        if log != "customers":
            events = events_sql(log, columns_of(con, log), contract.kinds)
            con.execute(f"CREATE OR REPLACE TEMP TABLE {log}_events AS {events}")
        check = _checked(con, log, source)
        stop_if_too_many(check, contract.max_rejected_share)
        checks.append(check)
        rejected.append(rejected_rows(con, log, source))
    logs = [log for log in tables if log != "customers"]
    customer_ids = _number_customers(con, logs)
    return Logs(
        customer_ids=customer_ids,
        **{log: _load(con, log) for log in logs},
        yearly_value=_yearly_value(con, len(customer_ids)) if "customers" in tables else None,
        instruments=contract.instruments,
        zone=contract.zone,
        checks=tuple(checks),
        rejected=_stacked(rejected),
    )


def _judge(
    con: duckdb.DuckDBPyConnection, log: str, table: str, source: str, contract: Contract
) -> None:
    try:
        judge(con, log, table, contract)
    except DataError as error:
        raise DataError(f"{source}: {error.found}", error.mend) from error


def _checked(con: duckdb.DuckDBPyConnection, log: str, source: str) -> LogCheck:
    span = "min(ts), max(ts)" if "ts" in columns_of(con, log) else "NULL, NULL"
    kept, customers, first, last = _row(
        con,
        f"SELECT count(*), count(DISTINCT customer_id), {span} "
        f"FROM {log}_judged WHERE reason IS NULL",
    )
    (read,) = _row(con, f"SELECT count(*) FROM {log}_judged")
    folded = kept
    if log != "customers":
        (folded,) = _row(con, f"SELECT count(*) FROM {log}_events")
    reasons = rejected_by_reason(con, log)
    return LogCheck(log, source, read, kept, folded, reasons, customers, first, last)


def _row(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    return tuple(con.sql(sql).fetchall()[0])


def _number_customers(con: duckdb.DuckDBPyConnection, logs: list[str]) -> np.ndarray:
    everyone = " UNION ".join(f"SELECT DISTINCT customer_id FROM {log}_events" for log in logs)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE customer_numbers AS SELECT customer_id, "
        f"row_number() OVER (ORDER BY customer_id) - 1 AS customer FROM ({everyone})"
    )
    ids = con.sql("SELECT customer_id FROM customer_numbers ORDER BY customer").to_arrow_table()
    return ids.column(0).to_numpy().astype(object)


def _load(con: duckdb.DuckDBPyConnection, log: str) -> Events:
    types = con.sql(f"SELECT column_name FROM (DESCRIBE {log}_events)").fetchall()
    measures = [n for (n,) in types if n not in {"customer_id", "ts"}]
    words = {m: _vocabulary(con, log, m) for m in measures if m in _VOCABULARIES}
    numbers = ", ".join(_as_number(m, words.get(m)) for m in measures)
    table = con.sql(
        f"SELECT customer, ts, {numbers} "
        f"FROM {log}_events JOIN customer_numbers USING (customer_id) "
        f"ORDER BY customer, ts, {', '.join(measures)}"
    ).to_arrow_table()
    arrays = {name: table.column(name).to_numpy().astype(np.int64) for name in table.column_names}
    return Events(arrays.pop("customer"), arrays.pop("ts"), arrays, words)


def _vocabulary(con: duckdb.DuckDBPyConnection, log: str, measure: str) -> tuple[str, ...]:
    rows = con.sql(f"SELECT DISTINCT {measure} AS word FROM {log}_events ORDER BY word").fetchall()
    return tuple(word for (word,) in rows)


def _as_number(measure: str, words: tuple[str, ...] | None) -> str:
    if words is None:
        return f"COALESCE({measure}, 0) AS {measure}"
    listed = ", ".join(map(literal, words))
    return f"list_position([{listed}], {measure}) - 1 AS {measure}"


def _yearly_value(con: duckdb.DuckDBPyConnection, customers: int) -> np.ndarray | None:
    if "value" not in columns_of(con, "customers"):
        return None
    table = con.sql(
        "SELECT customer, value FROM customers_judged JOIN customer_numbers USING (customer_id) "
        "WHERE reason IS NULL AND value IS NOT NULL"
    ).to_arrow_table()
    value = np.full(customers, np.nan)
    value[table.column("customer").to_numpy()] = table.column("value").to_numpy() / MONEY_UNITS
    return value


def _stacked(tables: list[pa.Table]) -> pa.Table:
    import pyarrow as pa

    return pa.concat_tables(tables)
