"""A store sorts its own rows; whole customers are streamed, checked and kept on disk."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from churnkit.logs.store import StoredLogs, Told
from churnkit.logs.storing import StoreWriter
from churnkit.sources import SqlSource, connect, engine_faults, open_logs, private_folder
from churnkit.sources.stores.dialect import Dialect
from churnkit.sources.stores.watch import Silence, watched

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_LET_CHURNKIT_SORT = 'Let churnkit sort: engine = "duckdb".'


@dataclass(frozen=True)
class StoreTable:
    """A table or query of a store, which sorts its rows for one log.

    Parameters
    ----------
    log
        The log.
    source
        Where its rows come from.
    mapping
        How they are read.
    """

    log: str
    source: SqlSource
    mapping: LogMapping = field(default_factory=LogMapping)

    def statements(self, dialect: Dialect | None = None) -> dict[str, str]:
        """The queries that the store is sent, in order; nothing is connected to.

        Parameters
        ----------
        dialect
            By default that of the store.

        Returns
        -------
        dict of str to str
            ``encoding`` (of texts; not every store has several), ``columns`` (asked for before
            anything is sorted) and ``rows``. PostgreSQL gets the rows within a COPY, with a cast
            to text of each column that Arrow would not carry as psql shows it.

        Raises
        ------
        ConfigError
            If the query does not read, or the store cannot sort as churnkit does.
        """
        spoken = dialect or self.source.dialect
        if self.mapping.fold_ids:
            raise ConfigError(
                f"{self.source.name}: ids of the {self.log} log are to be folded (fold_ids), which "
                "the store cannot do",
                _LET_CHURNKIT_SORT,
            )
        wanted, column = self.source.wanted, self.mapping.columns
        customer = column.get("customer_id", "customer_id")
        time = column.get("ts", "ts") if "ts" in SCHEMAS[self.log].required else None
        return {
            **({} if spoken.encoding is None else {"encoding": spoken.encoding[0]}),
            "columns": wanted.columns_sql(spoken),
            "rows": wanted.sorted_sql(spoken, customer, time),
        }

    def require_same_order(self) -> None:
        """Refuse what the store cannot sort as churnkit does.

        Raises
        ------
        ConfigError
            If churnkit does not know how the store sorts, ids are to be folded, or texts are not
            in UTF-8.
        """
        asked, encoding = self.statements(), self.source.dialect.encoding
        if encoding is None:
            return
        with closing(self._batches(asked["encoding"])) as batches:
            told = [text for batch in batches for text in batch.column(0).to_pylist()]
        if told != [encoding[1]]:
            raise ConfigError(
                f"{self.source.name}: the database is encoded in {told[0]}, which does not sort "
                "ids as UTF-8 does",
                _LET_CHURNKIT_SORT,
            )

    def shape(self) -> Shape:
        """Its columns, asked for before the store sorts anything."""
        with closing(self._batches(self.statements()["columns"])) as batches:
            return Shape(self.source.name, next(batches).schema)

    def chunks(self, customers: Customers) -> Generator[pa.RecordBatch]:
        """The rows as chunks have them, numbered as the unsorted table has them if it has an order.

        Where a table has none, rows are numbered as they arrive.
        """
        import numpy as np
        import pyarrow as pa

        numbered, come = self.source.dialect.numbers_rows, 0
        with closing(self._batches(self.statements()["rows"])) as batches:
            for batch in batches:
                names = batch.schema.names[:-1] if numbered else batch.schema.names
                arrived = pa.array(np.arange(come + 1, come + 1 + len(batch)))
                number = batch.column(len(names)).cast(pa.int64()) if numbered else arrived
                yield _chunked(customers, batch.select(names), number)
                come += len(batch)

    def _batches(self, query: str) -> Generator[pa.RecordBatch]:
        seconds = self.source.timeout_seconds
        try:
            yield from watched(self.source.stream(query), seconds)
        except Silence:
            raise DataError(
                f"{self.source.name}: the server has sent nothing for {seconds:g} seconds",
                "It may still be sorting: raise timeout_seconds, or give it more memory to sort "
                f"in. {_LET_CHURNKIT_SORT}",
            ) from None


@contextmanager
def store_logs(
    sources: Mapping[str, SqlSource],
    contract: Contract | None = None,
    *,
    memory_limit: str | None = None,
    spill: Path | str | None = None,
    rows: int = ROWS,
) -> Iterator[StoredLogs]:
    """Logs that their store sorts, checked and kept in a private folder, block by block.

    The store does the sorting, with its own memory and disk; here no more than a chunk of each
    log is held. With pseudonyms, whose order the server cannot know, the rows are
    named as they come and sorted here, within ``memory_limit`` and the spill folder.

    Parameters
    ----------
    sources
        Log → table or query of a store whose dialect is known, see
        `churnkit.sources.stores.dialect`. Each is read by one statement, on a connection of its
        own.
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
        If a store cannot sort as churnkit does, or the spill folder cannot be written.
    DataError
        If a log lacks a column, is empty, or breaks the contract in more rows than allowed; if a
        server is down, silent, breaks off or sorts otherwise; if the disk is full.
    """
    agreed = contract or Contract()
    known: dict[str, Any] = {log: sources[log] for log in SCHEMAS if log in sources}
    if agreed.pseudonyms is not None:
        with open_logs(**known, contract=agreed, memory_limit=memory_limit, spill=spill) as logs:
            yield logs
        return
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
    """The checked logs of a few whole customers at a time, in the order of their ids in the store.

    Parameters
    ----------
    sources
        Log → table or query of a store.
    contract
        Column mappings, scales, time zone and limits; no chunk is refused for its faults.
    con
        A connection made by `churnkit.sources.connect`, used for nothing else meanwhile.
    rows
        Rows of a chunk, all logs together.

    Raises
    ------
    ConfigError
        If a store cannot sort as churnkit does.
    DataError
        If a log lacks a column, or a server is down, silent or breaks off.
    """
    tables = [StoreTable(*told) for told in _with_mappings(sources, contract)]
    for table in tables:
        table.require_same_order()
    shapes = {table.log: table.shape() for table in tables}
    judge = Judge(con, shapes, contract)
    judge.logs_of_nobody()  # what can be refused without a row is refused before anything sorts
    with ExitStack() as streams:
        batches = {}
        for table in tables:
            customers = Customers(con, table.log, shapes[table.log], contract)
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
