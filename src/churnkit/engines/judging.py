"""Chunks of whole customers through the one check there is, and what all chunks add up to.

Every rule of the contract looks at the rows of one customer only (what is a repetition, what is
one order), so that logs may be checked a few customers at a time with the same result. What is
told of a log as a whole is added up: see `added` and `first_rejected`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from churnkit.errors import DataError
from churnkit.logs import Contract, LogCheck, LogMapping, Logs, Rows, reading
from churnkit.logs.collect import judge_all, load
from churnkit.logs.naming import know_key, pseudonym_sql
from churnkit.logs.quarantine import SHOWN
from churnkit.logs.rows import free_name
from churnkit.logs.sql import quoted

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


WHO, ROW, CELLS = "who", "row", "cells"
"""Columns of a chunk: the customer, as the kept rows have it; the number of the row in its
source; and a struct of all that the source says."""


@dataclass(frozen=True)
class Shape:
    """What is known of a log before its rows come.

    Attributes
    ----------
    source
        How messages call the source.
    schema
        Its columns.
    """

    source: str
    schema: pa.Schema

    @property
    def chunk(self) -> pa.Schema:
        """The columns of a chunk: `WHO`, `ROW` and `CELLS`."""
        import pyarrow as pa

        cells = pa.struct(list(self.schema))
        return pa.schema([(WHO, pa.string()), (ROW, pa.int64()), (CELLS, cells)])


class Judge:
    """Reads chunks of whole customers: checks, folds and sorts their rows.

    Parameters
    ----------
    con
        A connection made by `churnkit.sources.connect`, which the judge has to itself.
    shapes
        Log → what is known of it.
    contract
        Column mappings, scales, time zone and limits.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, shapes: Mapping[str, Shape], contract: Contract
    ) -> None:
        self._con, self._shapes, self._contract = con, shapes, contract

    def logs_of_nobody(self) -> Logs:
        """The logs without a row, which tell the measures of each log.

        Raises
        ------
        DataError
            If a log lacks a column, or there is neither a purchases nor an activity log.
        ConfigError
            If the contract names an unknown time zone or a time format that is no pattern.
        """
        if not {"purchases", "activity"} & self._shapes.keys():
            raise DataError(
                "there is neither a purchases nor an activity log", "Give at least one of the two."
            )
        return self.logs({log: s.chunk.empty_table() for log, s in self._shapes.items()})

    def logs(self, chunk: Mapping[str, pa.Table]) -> Logs:
        """The checked events of a chunk, none of which is refused however many are set aside.

        Parameters
        ----------
        chunk
            Log → all rows of some customers, as `Shape.chunk` has them.
        """
        tables = {log: self._attach(log, rows) for log, rows in chunk.items()}
        return load(self._con, judge_all(self._con, tables, self._contract), self._contract)

    def _attach(self, log: str, rows: pa.Table) -> Rows:
        import pyarrow as pa

        shape = self._shapes[log]
        names = shape.schema.names
        row = free_name(ROW, (name.lower() for name in names))
        columns = [*rows[CELLS].flatten(), rows[ROW]]
        self._con.register(f"{log}_chunk", pa.table(columns, names=[*names, row]))
        return Rows(f"{log}_chunk", shape.source, row=quoted(row), hidden=(row,))


class Customers:
    """Finds the customers of the rows of one log.

    Parameters
    ----------
    con
        A connection made by `churnkit.sources.connect`.
    log, shape
        The log, and what is known of it; it has a column for the customer.
    contract
        How the logs are read, and what customers are called.
    """

    def __init__(
        self, con: duckdb.DuckDBPyConnection, log: str, shape: Shape, contract: Contract
    ) -> None:
        self._con = con
        self._mapping = contract.mappings.get(log, LogMapping())
        self._column = self._mapping.columns.get("customer_id", "customer_id")
        self._pseudonyms = contract.pseudonyms
        self._read: dict[pa.DataType, str] = {}  # type of the id → SQL that reads it
        self._sql_of(shape.schema.empty_table())

    def of(self, cells: pa.Table) -> pa.Array:
        """The customer of each row as the kept rows have it, null where it names nobody."""
        import pyarrow as pa

        sql = self._sql_of(cells)
        self._con.register("arrived", cells)
        if self._pseudonyms is not None:
            know_key(self._con, self._pseudonyms)
        who = self._con.sql(f"SELECT {sql} AS who FROM arrived").to_arrow_table()["who"]
        return pa.concat_arrays(who.chunks or [pa.array([], pa.string())])

    def _sql_of(self, cells: pa.Table) -> str:
        """SQL that reads ids of the type that these cells have; stores may change it half-way."""
        arrow = cells.schema.field(self._column).type
        if arrow not in self._read:
            self._con.register("arrived", cells.slice(0, 0))
            told = self._con.sql("SELECT column_name, column_type FROM (DESCRIBE FROM arrived)")
            types = dict(told.fetchall())
            sql = reading.customer(quoted(self._column), types[self._column], self._mapping)
            self._read[arrow] = sql if self._pseudonyms is None else pseudonym_sql(f"({sql})")
        return self._read[arrow]


def nothing_read(log: str, source: str) -> LogCheck:
    """The check of a log of which no row was read yet, to which chunks are added."""
    return LogCheck(log, source, 0, 0, 0, {}, 0, None, None)


def added(one: LogCheck, other: LogCheck) -> LogCheck:
    """What became of the rows of two parts of a log that share no customer."""
    counts = Counter(one.rejected) + Counter(other.rejected)
    firsts = [moment for moment in (one.first, other.first) if moment is not None]
    lasts = [moment for moment in (one.last, other.last) if moment is not None]
    return replace(
        one,
        read=one.read + other.read,
        kept=one.kept + other.kept,
        folded=(one.folded or 0) + (other.folded or 0),
        rejected=dict(sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))),
        customers=one.customers + other.customers,
        first=min(firsts, default=None),
        last=max(lasts, default=None),
        columns=one.columns or other.columns,
    )


def first_rejected(parts: Sequence[pa.Table], logs: Iterable[str]) -> pa.Table:
    """Of the rows set aside in parts of logs those that reading them at once would show.

    Parameters
    ----------
    parts
        At least one table made by `churnkit.logs.quarantine.rejected_rows`.
    logs
        The logs, in the order in which they are told.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = pa.concat_tables(parts)
    told = [rows.slice(0, 0)]
    for log in logs:
        of_log = rows.filter(pc.field("log") == log)
        shown = [
            of_log.filter(pc.field("reason") == reason).sort_by("row").slice(0, SHOWN)
            for reason in pc.unique(of_log["reason"]).to_pylist()
        ]
        told += [pa.concat_tables(shown).sort_by("row")] if shown else []
    return pa.concat_tables(told).combine_chunks()
