"""One pass over the kept rows of a log, counted by everything that its profile asks for.

The rows are grouped by time, by customer, by size of amount and so on in a single scan
(``GROUPING SETS``), so that a log of any length becomes a small table: ``<log>_counts``. All
findings are read from that table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.clock import SECOND
from churnkit.logs.schema import MONEY_UNITS
from churnkit.logs.sql import case, literal

if TYPE_CHECKING:
    import duckdb

SLOT = 15 * 60 * SECOND
"""Times are counted by quarters of an hour, which every time zone is a whole number of."""

SLOTS = 96
"""Quarters of an hour in a day."""

SIZES = 20
"""Amounts are counted by size, in so many steps of equal ratio from 1 to 10."""

_KEYS: Mapping[str, tuple[str, str]] = {
    # key → the columns of the log it needs and its SQL
    "slot": ("ts", f"ts // {SLOT}"),
    "customer_id": ("customer_id", "customer_id"),
    "below_zero": ("amount", "amount < 0"),
    "size": ("amount", f"CAST(floor({SIZES} * log10(NULLIF(abs(amount), 0))) AS INTEGER)"),
    "product_id": ("product_id", "product_id"),
    "currency": ("currency", "upper(currency)"),
    "event": ("event", "event"),
    "instrument": ("instrument", "lower(instrument)"),
    "score": ("score", "score"),
}
_PARTS: Mapping[str, tuple[str, ...]] = {
    "time": ("slot",),
    "customer": ("customer_id",),
    "money": ("below_zero", "size"),
    "product": ("product_id",),
    "currency": ("currency",),
    "event": ("event",),
    "answer": ("instrument", "score"),
}
_HUNDREDS, _CHARM = 100 * MONEY_UNITS, (0, 50, 90, 95, 99)


@dataclass(frozen=True)
class Counts:
    """The counts of one log, on the connection where they were made.

    Attributes
    ----------
    con
        Connection that holds the table ``<log>_counts``.
    log
        Name of the log.
    columns
        Columns of the judged view → SQL type.
    zone
        Business time zone.
    rows
        Kept rows that were counted.
    """

    con: duckdb.DuckDBPyConnection
    log: str
    columns: Mapping[str, str]
    zone: str
    rows: int

    def of(self, part: str) -> str:
        """SQL of the counts of one part, a relation to be used after ``FROM``."""
        return f"(SELECT * FROM {self.log}_counts WHERE part = {literal(part)})"

    def has(self, *names: str) -> bool:
        """Whether the log has all of these columns."""
        return all(name in self.columns for name in names)

    def one(self, sql: str) -> tuple[Any, ...]:
        """The single row of a query."""
        return tuple(self.con.sql(sql).fetchall()[0])

    def all(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query, which should be few."""
        return list(self.con.sql(sql).fetchall())

    def arrays(self, sql: str) -> dict[str, np.ndarray]:
        """The columns of a query as numpy arrays; none of them may hold NULL."""
        return {name: np.asarray(column) for name, column in self.con.sql(sql).fetchnumpy().items()}


def count_rows(con: duckdb.DuckDBPyConnection, log: str, zone: str) -> Counts:
    """Count the kept rows of a log in one pass; makes the temporary table ``<log>_counts``.

    The table holds ``part`` (what the row counts by), the key of the part, ``rows``, ``money``
    (sum of the amounts; 0 without them), ``first`` (microseconds UTC), ``exact`` (rows at a full
    quarter of an hour), ``whole``, ``hundreds`` and ``charm`` (amounts without cents; those that
    are multiples of 100; those whose last two digits are 00, 50, 90, 95 or 99), ``price_zero``
    and ``price_below`` (rows by the sign of their price), and ``edged`` (ids that came with
    blanks around them).
    """
    told = con.sql(f"SELECT column_name, column_type FROM (DESCRIBE {log}_judged)").fetchall()
    columns = dict(told)
    keys = {name: sql for name, (needs, sql) in _KEYS.items() if needs in columns}
    parts = {part: by for part, by in _PARTS.items() if set(by) <= keys.keys()}
    named = ", ".join(f"{sql} AS {name}" for name, sql in keys.items())
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE {log}_counts AS
        SELECT {_part(parts, tuple(keys))} AS part, {", ".join(keys)}, count(*) AS rows,
               {_measures(columns)}
        FROM (SELECT {named}, {", ".join(_measured(columns))} FROM {log}_kept)
        GROUP BY GROUPING SETS ({", ".join(f"({', '.join(by)})" for by in parts.values())})""")
    (rows,) = con.sql(
        f"SELECT COALESCE(sum(rows), 0)::BIGINT FROM {log}_counts WHERE part = 'customer'"
    ).fetchall()[0]
    return Counts(con, log, columns, zone, rows)


def _part(parts: Mapping[str, tuple[str, ...]], keys: tuple[str, ...]) -> str:
    # GROUPING has one bit a key, the first key in the highest one; a bit is 0 where it groups.
    bits = {key: 1 << (len(keys) - 1 - k) for k, key in enumerate(keys)}
    grouping = f"GROUPING({', '.join(keys)})"
    return case(
        (f"{grouping} = {sum(b for key, b in bits.items() if key not in by)}", literal(part))
        for part, by in parts.items()
    )


def _measured(columns: Mapping[str, str]) -> list[str]:
    money = "amount" if "amount" in columns else "NULL::BIGINT"
    ts = "ts" if "ts" in columns else "NULL::BIGINT"
    raw = "raw_customer_id"
    is_text = columns[raw] == "VARCHAR"
    edged = f"left({raw}, 1) = ' ' OR right({raw}, 1) = ' '" if is_text else "false"
    price = ["unit_price"] if "unit_price" in columns else []
    return [f"{money} AS cents", f"{ts} AS instant", f"{edged} AS is_edged", *price]


def _measures(columns: Mapping[str, str]) -> str:
    charm = f"abs(cents) // {MONEY_UNITS} % 100 IN ({', '.join(map(str, _CHARM))})"
    sums = {
        "money": f"COALESCE(sum(cents), 0)::DOUBLE / {MONEY_UNITS}",
        "first": "min(instant)",
        "exact": f"count_if(instant % {SLOT} = 0)",
        "edged": "count_if(is_edged)",
    }
    if "amount" in columns:
        sums |= {
            "whole": f"count_if(cents % {MONEY_UNITS} = 0)",
            "hundreds": f"count_if(cents % {_HUNDREDS} = 0)",
            "charm": f"count_if({charm})",
        }
    if "unit_price" in columns:
        sums |= {
            "price_zero": "count_if(unit_price = 0)",
            "price_below": "count_if(unit_price < 0)",
        }
    return ", ".join(f"{sql} AS {name}" for name, sql in sums.items())
