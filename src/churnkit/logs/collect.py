"""From tables to `Logs`: judge every row, count, fold, sort and load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from churnkit.clock import zone_named
from churnkit.errors import DataError
from churnkit.logs.account import LogCheck, account, stop_if_too_many
from churnkit.logs.check import columns_of, judge
from churnkit.logs.fold import events_sql
from churnkit.logs.quarantine import list_rejected, rejected_rows
from churnkit.logs.rows import Rows
from churnkit.logs.schema import MONEY_UNITS, Contract
from churnkit.logs.sql import listed
from churnkit.logs.table import Events, Logs

if TYPE_CHECKING:
    import duckdb

_VOCABULARIES = ("kind", "instrument")


def collect(con: duckdb.DuckDBPyConnection, tables: Mapping[str, Rows], contract: Contract) -> Logs:
    """Check the tables of a connection against the contract and load what keeps it.

    Raises
    ------
    DataError
        If a column is missing, a log is empty, or too many rows are set aside.
    ConfigError
        If the time zone is unknown or a time format is no pattern.
    """
    checks = judge_all(con, tables, contract)
    for check in checks:
        stop_if_too_many(check, contract.max_rejected_share)
    return load(con, checks, contract)


def judge_all(
    con: duckdb.DuckDBPyConnection, tables: Mapping[str, Rows], contract: Contract
) -> list[LogCheck]:
    """Judge and count the rows of every log, and list those set aside.

    See `judge`, `account` and `list_rejected` for what is left behind in the connection.

    Parameters
    ----------
    con
        DuckDB connection that holds the tables.
    tables
        Log name → its rows.
    contract
        Mappings, scales and limits.

    Raises
    ------
    DataError
        If a column is missing.
    ConfigError
        If the time zone is unknown or a time format is no pattern.
    """
    zone_named(contract.zone)
    checks = []
    for log, rows in tables.items():
        _judge(con, log, rows, contract)
        checks.append(account(con, log, rows.source))
    list_rejected(con, [check.log for check in checks if check.rejected])
    return checks


def load(
    con: duckdb.DuckDBPyConnection, checks: list[LogCheck], contract: Contract, one_in: int = 1
) -> Logs:
    """Fold, sort and load the kept rows of logs that are judged and counted.

    With ``one_in`` above 1 only about one in so many customers is loaded; the counts of the
    checks stay those of all rows, and ``folded`` is not known.
    """
    logs = [check.log for check in checks if check.log != "customers"]
    for log in logs:
        events = events_sql(log, columns_of(con, log), contract.kinds, one_in)
        con.execute(f"CREATE OR REPLACE TEMP TABLE {log}_events AS {events}")
    customer_ids = _number_customers(con, logs)
    events_of = {log: _load(con, log) for log in logs}
    return Logs(
        customer_ids=customer_ids,
        **events_of,
        yearly_value=_yearly_value(con, checks, len(customer_ids)),
        instruments=contract.instruments,
        zone=contract.zone,
        checks=tuple(_folded(check, events_of) if one_in == 1 else check for check in checks),
        rejected=rejected_rows(con),
    )


def _folded(check: LogCheck, events: Mapping[str, Events]) -> LogCheck:
    return replace(check, folded=len(events[check.log]) if check.log in events else check.kept)


def _judge(con: duckdb.DuckDBPyConnection, log: str, rows: Rows, contract: Contract) -> None:
    try:
        judge(con, log, rows, contract)
    except DataError as error:
        raise DataError(f"{rows.source}: {error.found}", error.mend) from error


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
    return f"list_position([{listed(words)}], {measure}) - 1 AS {measure}"


def _yearly_value(
    con: duckdb.DuckDBPyConnection, checks: list[LogCheck], customers: int
) -> np.ndarray | None:
    if "customers" not in {c.log for c in checks} or "value" not in columns_of(con, "customers"):
        return None
    table = con.sql(
        "SELECT customer, value FROM customers_kept JOIN customer_numbers USING (customer_id) "
        "WHERE value IS NOT NULL"
    ).to_arrow_table()
    value = np.full(customers, np.nan)
    value[table.column("customer").to_numpy()] = table.column("value").to_numpy() / MONEY_UNITS
    return value
