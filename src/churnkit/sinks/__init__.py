"""Where results go: tables of SQL stores, and files, whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from churnkit.errors import ConfigError, DataError
from churnkit.sinks.csv import write_csv
from churnkit.sinks.forgetting import forget_in_tables, rows_in_tables, tables_with_history
from churnkit.sinks.postgres import PostgresPublication
from churnkit.sinks.publication import Publication
from churnkit.sinks.stores import DIALECTS, StorePublication
from churnkit.sources.stores.address import Address
from churnkit.sources.stores.watch import Silence, watched

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "forget_in_tables",
    "rows_in_tables",
    "tables_with_history",
    "write_csv",
    "write_table",
]


def write_table(
    frame: pd.DataFrame,
    url: str,
    table: str,
    key: Sequence[str] = ("as_of", "customer_id"),
    *,
    run: str = "",
    timeout_seconds: float = 300.0,
) -> int:
    """Publish a frame to a table of PostgreSQL, MySQL, MariaDB or SQLite.

    In one transaction, the table is made if it is not there, rows whose key is there are updated,
    new ones are added, and rows of the frame's dates (the values of the first key column) that
    the frame does not hold are deleted. Readers see the old state or the new one; writers wait
    for each other; publishing the same again changes nothing. MySQL and MariaDB cannot take back
    that a table was made: there a first publication that fails leaves it empty.

    Parameters
    ----------
    frame
        One row per key; every other column may hold missing values.
    url
        The store, as for `churnkit.sources.stores.SqlSource`.
    table
        ``churn_scores`` or ``schema.churn_scores``.
    key
        The columns that name a row; what stands in the first one is replaced as a whole.
    run
        The run that the rows are of. With one, they are in the same transaction added to
        ``<table>_history``, to which rows are only ever added, with the run in a column ``run``;
        the same run adds nothing again.
    timeout_seconds
        The longest wait for a lock, a statement or the server.

    Returns
    -------
    int
        How many rows the table now holds for the frame's dates.

    Raises
    ------
    ConfigError
        If the url is none, a ``${NAME}`` is not set, or a driver is not installed.
    DataError
        If the frame has no such key, the table has other columns, or the store is down, silent
        or refuses; the table is then as it was.
    """
    address = Address.parse(url).filled()
    told = Publication.of(frame, f"{Address.parse(url)}, table {table}", table, tuple(key), run)
    if told.rows.num_rows == 0:
        return 0
    try:
        for _ in watched(_stream(told, address, timeout_seconds), timeout_seconds):
            pass
    except Silence:
        raise DataError(
            f"{told.name}: the store has not answered for {timeout_seconds:g} seconds",
            "The table holds the old rows of this date or all the new ones: publish again.",
        ) from None
    return told.rows.num_rows


def _stream(
    told: Publication, address: Address, seconds: float
) -> PostgresPublication | StorePublication:
    if address.dialect == "postgresql":
        return PostgresPublication(told, address, seconds)
    if address.dialect in DIALECTS:
        return StorePublication(told, address, seconds)
    raise ConfigError(
        f"tables are not written to {address.dialect}",
        "Use PostgreSQL, MySQL, MariaDB or SQLite, or write a .parquet or .csv file.",
    )
