"""PostgreSQL sorts on the server; whole customers are streamed, checked and kept on disk."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.engines.chunks import ROWS, aligned
from churnkit.engines.judging import (
    CELLS,
    ROW,
    WHO,
    Customers,
    Judge,
    Shape,
    added,
    first_rejected,
    nothing_read,
)
from churnkit.errors import ConfigError, DataError
from churnkit.logs import SCHEMAS, Contract, LogMapping, Logs
from churnkit.logs.account import stop_if_too_many
from churnkit.logs.sql import literal, quoted
from churnkit.logs.store import StoredLogs, Told
from churnkit.logs.storing import StoreWriter
from churnkit.sources import SqlSource, connect, engine_faults, private_folder
from churnkit.sources.stores.address import Address
from churnkit.sources.stores.postgres import PostgresRows, table_sql
from churnkit.sources.stores.statement import bare_query
from churnkit.sources.stores.watch import Silence, watched

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

# What reading trims off an id: control characters (PostgreSQL stores no U+0000) and separators.
_BLANKS = "".join(
    map(chr, [*range(1, 0x21), *range(0x7F, 0xA1), 0x1680, *range(0x2000, 0x200B)])
) + "\u2028\u2029\u202f\u205f\u3000"  # fmt: skip
_LET_CHURNKIT_SORT = 'Let churnkit sort: engine = "duckdb".'


@dataclass(frozen=True)
class _SortedTable:
    """The rows of a table or query in the order of the cleaned ids of customers."""

    log: str
    source: SqlSource
    mapping: LogMapping

    def shape(self) -> Shape:
        """Its columns, asked for before the server sorts anything."""
        with closing(self._batches(f"SELECT * FROM (\n{self._query}\n) AS q LIMIT 0")) as batches:
            return Shape(self.source.name, next(batches).schema)

    def chunks(self, customers: Customers) -> Generator[pa.RecordBatch]:
        """The rows as chunks have them, numbered as the unsorted table has them."""
        id_column = quoted(self.mapping.columns.get("customer_id", "customer_id"))
        query = (
            f"SELECT *, row_number() OVER () FROM (\n{self._query}\n) AS q "
            f'ORDER BY btrim(q.{id_column}::text, {literal(_BLANKS)}) COLLATE "C"'
        )
        with closing(self._batches(query)) as batches:
            for batch in batches:
                *names, number = batch.schema.names
                yield _chunked(customers, batch.select(names), batch.column(number))

    def require_same_order(self) -> None:
        """Refuse what the server cannot sort as churnkit does.

        Raises
        ------
        ConfigError
            If the store is not PostgreSQL, its texts are not in UTF-8, or ids are to be folded.
        """
        dialect = Address.parse(self.source.url).filled().dialect
        if dialect != "postgresql":
            raise ConfigError(
                f"{self.source.name}: only PostgreSQL sorts on the server, this is {dialect}",
                _LET_CHURNKIT_SORT,
            )
        if self.mapping.fold_ids:
            raise ConfigError(
                f"{self.source.name}: ids of the {self.log} log are to be folded (fold_ids), which "
                "the server cannot do",
                _LET_CHURNKIT_SORT,
            )
        with closing(self._batches("SELECT current_setting('server_encoding')")) as batches:
            told = [encoding for batch in batches for encoding in batch.column(0).to_pylist()]
        if told != ["UTF8"]:
            raise ConfigError(
                f"{self.source.name}: the database is encoded in {told[0]}, which does not sort "
                "ids as UTF-8 does",
                _LET_CHURNKIT_SORT,
            )

    @property
    def _query(self) -> str:
        if self.source.query is not None:
            return bare_query(self.source.query)
        return f"SELECT * FROM {table_sql(self.source.table or '')}"

    def _batches(self, query: str) -> Generator[pa.RecordBatch]:
        address, seconds = Address.parse(self.source.url).filled(), self.source.timeout_seconds
        try:
            yield from watched(PostgresRows(self.source.name, address, query, seconds), seconds)
        except Silence:
            raise DataError(
                f"{self.source.name}: the server has sent nothing for {seconds:g} seconds",
                "It may still be sorting: raise timeout_seconds, or give it more work_mem. "
                f"{_LET_CHURNKIT_SORT}",
            ) from None


@contextmanager
def postgres_logs(
    sources: Mapping[str, SqlSource],
    contract: Contract | None = None,
    *,
    memory_limit: str | None = None,
    spill: Path | str | None = None,
    rows: int = ROWS,
) -> Iterator[StoredLogs]:
    """Logs that PostgreSQL sorts, checked and kept in a private folder, block by block.

    The server does the sorting, with its own memory and disk (``work_mem``); here no more than
    a chunk of each log is held.

    Parameters
    ----------
    sources
        Log → table or query of PostgreSQL. Each is read by one statement, in one read-only
        transaction of a connection of its own.
    contract
        Column mappings, scales, time zone and limits; by default the columns carry the names of
        the contract.
    memory_limit, spill
        As in `churnkit.sources.open_logs`; there must be room for the checked events.
    rows
        Rows that are looked at together, all logs taken together; a customer may have more.

    Yields
    ------
    StoredLogs
        The same events as `churnkit.sources.open_logs` gives. They are gone, with the folder,
        when the context ends.

    Raises
    ------
    ConfigError
        If the server cannot sort as churnkit does, or the spill folder cannot be written.
    DataError
        If a log lacks a column, is empty, or breaks the contract in more rows than allowed; if a
        server is down, silent, breaks off or sorts otherwise; if the disk is full.
    """
    agreed = contract or Contract()
    known = {log: sources[log] for log in SCHEMAS if log in sources}
    with private_folder(spill) as folder:
        with (
            engine_faults(known.values()),
            connect(memory_limit, spill) as con,
            closing(sorted_chunks(known, agreed, con, rows)) as chunks,
            StoreWriter(folder, agreed.static if "customers" in known else ()) as writer,
        ):
            logs = _kept(chunks, writer, known, agreed)
        yield logs


def _kept(
    chunks: Iterable[Logs],
    writer: StoreWriter,
    sources: Mapping[str, SqlSource],
    contract: Contract,
) -> StoredLogs:
    """Write the blocks of all chunks, unless too many of their rows were set aside."""
    checks = {log: nothing_read(log, source.name) for log, source in sources.items()}
    rejected: list[pa.Table] = []
    for logs in chunks:
        for check in logs.checks:
            checks[check.log] = added(checks[check.log], check)
        rejected = [first_rejected([*rejected, logs.rejected], checks)]
        for block in logs.blocks():
            writer.append(block)
    for check in checks.values():
        stop_if_too_many(check, contract.max_rejected_share)
    return writer.finish(
        Told(contract.instruments, contract.zone, tuple(checks.values()), rejected[0])
    )


def sorted_chunks(
    sources: Mapping[str, SqlSource],
    contract: Contract,
    con: duckdb.DuckDBPyConnection,
    rows: int = ROWS,
) -> Generator[Logs]:
    """The checked logs of a few whole customers at a time, in the order of their ids.

    Parameters
    ----------
    sources
        Log → table or query of PostgreSQL.
    contract
        Column mappings, scales, time zone and limits; no chunk is refused for its faults.
    con
        A connection made by `churnkit.sources.connect`, used for nothing else meanwhile.
    rows
        Rows of a chunk, all logs together.

    Raises
    ------
    ConfigError
        If the server cannot sort as churnkit does.
    DataError
        If a log lacks a column, or a server is down, silent or breaks off.
    """
    tables = [_SortedTable(*told) for told in _with_mappings(sources, contract)]
    for table in tables:
        table.require_same_order()
    shapes = {table.log: table.shape() for table in tables}
    judge = Judge(con, shapes, contract)
    judge.logs_of_nobody()  # what can be refused without a row is refused before anything sorts
    with ExitStack() as streams:
        batches = {}
        for table in tables:
            customers = Customers(con, shapes[table.log], table.mapping)
            batches[table.log] = streams.enter_context(closing(table.chunks(customers)))
        for chunk in aligned(batches, WHO, rows):
            yield judge.logs(chunk)


def _with_mappings(
    sources: Mapping[str, SqlSource], contract: Contract
) -> Iterator[tuple[str, SqlSource, LogMapping]]:
    for log, source in sources.items():
        yield log, source, contract.mappings.get(log, LogMapping())


def _chunked(customers: Customers, cells: pa.RecordBatch, number: pa.Array) -> pa.RecordBatch:
    import pyarrow as pa

    who = customers.of(pa.Table.from_batches([cells]))
    told = pa.StructArray.from_arrays(cells.columns, fields=list(cells.schema))
    return pa.RecordBatch.from_arrays([who, number, told], [WHO, ROW, CELLS])
