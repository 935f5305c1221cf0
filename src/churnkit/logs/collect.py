"""From tables to `Logs` or `StoredLogs`: judge every row, count, fold, sort and load or store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from churnkit.clock import zone_named
from churnkit.errors import DataError
from churnkit.logs.account import LogCheck, account, stop_if_too_many
from churnkit.logs.check import FORGOTTEN, STATIC, columns_of, judge, source_types
from churnkit.logs.fold import events_sql, lines_sql
from churnkit.logs.quarantine import list_rejected, rejected_rows
from churnkit.logs.rows import Rows
from churnkit.logs.schema import MONEY_UNITS, Contract
from churnkit.logs.sql import literal, quoted
from churnkit.logs.store import CUSTOMERS, LINES, EventFile, StoredLogs, Told, path_of, texts_of
from churnkit.logs.storing import write_stream
from churnkit.logs.table import CUSTOMERS_AT_ONCE, EVENTS_AT_ONCE, Events, Logs, block_edges

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_ROWS_AT_ONCE = 1_000_000
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
    return load(con, _accepted(con, tables, contract), contract)


def collect_on_disk(
    con: duckdb.DuckDBPyConnection,
    tables: Mapping[str, Rows],
    contract: Contract,
    folder: Path,
    *,
    customers: int = CUSTOMERS_AT_ONCE,
    events: int = EVENTS_AT_ONCE,
) -> StoredLogs:
    """Check the tables of a connection against the contract and store what keeps it.

    Parameters
    ----------
    con, tables, contract
        As in `collect`.
    folder
        An empty folder.
    customers, events
        What a block holds at most, see `churnkit.logs.table.block_edges`.

    Raises
    ------
    DataError, ConfigError
        As `collect`.
    OSError
        If the folder is full or cannot be written.
    """
    checks = _accepted(con, tables, contract)
    return _store(con, checks, contract, folder, (customers, events))


def _accepted(
    con: duckdb.DuckDBPyConnection, tables: Mapping[str, Rows], contract: Contract
) -> list[LogCheck]:
    checks = judge_all(con, tables, contract)
    for check in checks:
        stop_if_too_many(check, contract.max_rejected_share)
    return checks


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
        found = account(con, log, rows.source, contract.pseudonyms)
        checks.append(replace(found, columns=source_types(con, rows)))
    list_rejected(con, [check.log for check in checks if check.rejected])
    return checks


def forgotten_rows(con: duckdb.DuckDBPyConnection, log: str, rows: Rows, contract: Contract) -> int:
    """Rows of a log that are set aside since their customers were forgotten."""
    _judge(con, log, rows, contract)
    (n,) = con.sql(
        f"SELECT count(*) FROM {log}_judged WHERE reason = {literal(FORGOTTEN)}"
    ).fetchall()[0]
    return int(n)


def load(
    con: duckdb.DuckDBPyConnection, checks: list[LogCheck], contract: Contract, one_in: int = 1
) -> Logs:
    """Fold, sort and load the kept rows of logs that are judged and counted.

    With ``one_in`` above 1 only about one in so many customers is loaded; the counts of the
    checks stay those of all rows, and ``folded`` is not known.
    """
    streams = _fold(con, checks, contract, one_in)
    _number_customers(con, streams)
    static = _static(checks, contract)
    customers = con.sql(_customers_sql(con, checks, static)).to_arrow_table()
    events = {name: _load(con, name) for name in streams}
    rows = {name: len(events[name]) for name in streams}
    return Logs(
        customer_ids=customers.column("customer_id").to_numpy().astype(object),
        **events,
        yearly_value=customers.column("value").to_numpy() if _has_values(con, checks) else None,
        static={name: texts_of(customers.column(STATIC + name)) for name in static},
        instruments=contract.instruments,
        zone=contract.zone,
        checks=_folded(checks, rows) if one_in == 1 else tuple(checks),
        rejected=rejected_rows(con),
    )


def _store(
    con: duckdb.DuckDBPyConnection,
    checks: list[LogCheck],
    contract: Contract,
    folder: Path,
    at_once: tuple[int, int],
) -> StoredLogs:
    """Fold and sort the kept rows of logs that are judged and counted into blocks in a folder."""
    streams = _fold(con, checks, contract)
    sizes = _number_customers(con, streams)
    edges = block_edges(sizes, *at_once)
    static = _static(checks, contract)
    customers = _stream(con, _customers_sql(con, checks, static))
    write_stream(path_of(folder, CUSTOMERS), customers, edges)
    files = {name: _store_events(con, name, folder, edges) for name in streams}
    folded = _folded(checks, {name: file.rows for name, file in files.items()})
    return StoredLogs(
        folder,
        files,
        blocks=len(edges) - 1,
        customers=len(sizes),
        has_values=_has_values(con, checks),
        static=static,
        told=Told(contract.instruments, contract.zone, folded, rejected_rows(con)),
    )


def _folded(checks: list[LogCheck], rows: Mapping[str, int]) -> tuple[LogCheck, ...]:
    return tuple(replace(check, folded=rows.get(check.log, check.kept)) for check in checks)


def _judge(con: duckdb.DuckDBPyConnection, log: str, rows: Rows, contract: Contract) -> None:
    try:
        judge(con, log, rows, contract)
    except DataError as error:
        raise DataError(f"{rows.source}: {error.found}", error.mend) from error


def _fold(
    con: duckdb.DuckDBPyConnection, checks: list[LogCheck], contract: Contract, one_in: int = 1
) -> list[str]:
    """Create the table ``<name>_events`` of each log and of the lines; their names."""
    logs = [check.log for check in checks if check.log != CUSTOMERS]
    folds = {log: events_sql(log, columns_of(con, log), contract.kinds, one_in) for log in logs}
    lines = lines_sql(columns_of(con, "purchases"), one_in) if "purchases" in logs else None
    if lines is not None:
        folds[LINES] = lines
    for name, sql in folds.items():
        con.execute(f"CREATE OR REPLACE TEMP TABLE {name}_events AS {sql}")
    return list(folds)


def _number_customers(con: duckdb.DuckDBPyConnection, names: list[str]) -> np.ndarray:
    """Create the table ``customer_numbers``: ids in order; how many events each has."""
    everyone = " UNION ALL ".join(f"SELECT customer_id FROM {name}_events" for name in names)
    con.execute(
        "CREATE OR REPLACE TEMP TABLE customer_numbers AS SELECT customer_id, events, "
        "CAST(row_number() OVER (ORDER BY customer_id) - 1 AS INTEGER) AS customer "
        f"FROM (SELECT customer_id, count(*) AS events FROM ({everyone}) GROUP BY customer_id)"
    )
    sizes = con.sql("SELECT events FROM customer_numbers ORDER BY customer").to_arrow_table()
    return sizes.column("events").to_numpy()


def _customers_sql(
    con: duckdb.DuckDBPyConnection, checks: list[LogCheck], static: tuple[str, ...]
) -> str:
    """SQL of the customers in order: ``customer``, ``customer_id``, ``value`` in money, and the
    columns that are declared static.
    """
    value = "NULL::DOUBLE"
    if _has_values(con, checks):
        value = f"CAST(value AS DOUBLE) / {MONEY_UNITS}"
    told = "".join(f", {quoted(STATIC + name)}" for name in static)
    is_known = CUSTOMERS in {check.log for check in checks}
    known = "LEFT JOIN customers_kept USING (customer_id)" if is_known else ""
    return (
        f"SELECT customer, customer_id, {value} AS value{told} FROM customer_numbers {known} "
        "ORDER BY customer"
    )


def _static(checks: list[LogCheck], contract: Contract) -> tuple[str, ...]:
    """Names of the static columns of the customers, if they are there."""
    return contract.static if CUSTOMERS in {check.log for check in checks} else ()


def _has_values(con: duckdb.DuckDBPyConnection, checks: list[LogCheck]) -> bool:
    return CUSTOMERS in {c.log for c in checks} and "value" in columns_of(con, CUSTOMERS)


def _load(con: duckdb.DuckDBPyConnection, name: str) -> Events:
    words = _number_words(con, name)
    table = con.sql(_sorted_sql(con, name, words)).to_arrow_table()
    arrays = {
        column: table.column(column).to_numpy().astype(np.int64) for column in table.column_names
    }
    return Events(arrays.pop("customer"), arrays.pop("ts"), arrays, words)


def _store_events(
    con: duckdb.DuckDBPyConnection, name: str, folder: Path, edges: Sequence[int]
) -> EventFile:
    path, measures, words = path_of(folder, name), _measures(con, name), _number_words(con, name)
    rows = write_stream(path, _stream(con, _sorted_sql(con, name, words)), edges)
    con.execute(f"DROP TABLE {name}_events")  # gives its memory to the next
    return EventFile(path, tuple(measures), rows, words)


def _stream(con: duckdb.DuckDBPyConnection, sql: str) -> pa.RecordBatchReader:
    return con.sql(sql).to_arrow_reader(_ROWS_AT_ONCE)


def _sorted_sql(con: duckdb.DuckDBPyConnection, name: str, texts: Collection[str]) -> str:
    """SQL of the events by number of the customer, all of them numbers; equal events tie."""
    measures = _measures(con, name)
    numbers = ", ".join(_as_number(name, measure, measure in texts) for measure in measures)
    return (
        f"SELECT customer, ts, {numbers} "
        f"FROM {name}_events JOIN customer_numbers USING (customer_id) "
        f"ORDER BY customer, ts, {', '.join(measures)}"
    )


def _measures(con: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    told = con.sql(f"SELECT column_name FROM (DESCRIBE {name}_events)").fetchall()
    return [column for (column,) in told if column not in {"customer_id", "ts"}]


def _number_words(con: duckdb.DuckDBPyConnection, name: str) -> dict[str, tuple[str, ...]]:
    """Text measure → its words in order; the type ``<name>_<measure>`` numbers them so."""
    words = {}
    for measure in _measures(con, name):
        if measure in _VOCABULARIES:
            con.execute(
                f"CREATE OR REPLACE TEMP TYPE {name}_{measure} AS ENUM "
                f"(SELECT DISTINCT {measure} FROM {name}_events ORDER BY {measure})"
            )
            told = con.sql(f"SELECT unnest(enum_range(NULL::{name}_{measure}))").fetchall()
            words[measure] = tuple(word for (word,) in told)
    return words


def _as_number(name: str, measure: str, is_text: bool) -> str:
    if is_text:
        return f"enum_code(CAST({measure} AS {name}_{measure})) AS {measure}"
    return f"COALESCE({measure}, 0) AS {measure}"
