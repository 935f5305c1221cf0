"""Where rows come from: files, stores and frames, which all feed the same contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from churnkit.errors import DataError
from churnkit.logs import Contract, Inspection, Logs, Rows, collect, inspect
from churnkit.logs.collect import collect_on_disk, forgotten_rows
from churnkit.logs.store import StoredLogs
from churnkit.logs.table import CUSTOMERS_AT_ONCE, EVENTS_AT_ONCE
from churnkit.progress import Progress, silent
from churnkit.sources.engine import connect, private_folder
from churnkit.sources.faults import engine_faults
from churnkit.sources.files import FileSource
from churnkit.sources.frames import FrameSource
from churnkit.sources.spark import SparkSource
from churnkit.sources.stores import SqlSource

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "FileSource",
    "FrameSource",
    "Source",
    "SparkSource",
    "SqlSource",
    "connect",
    "engine_faults",
    "inspect_logs",
    "open_logs",
    "private_folder",
    "read_logs",
    "rows_left_out",
    "source_of",
]


class Source(Protocol):
    """Anything that can show its rows as a table of a DuckDB connection."""

    @property
    def name(self) -> str:
        """How messages call the source."""

    def files(self) -> Sequence[Path]:
        """The files that the engine may read for it; none if it brings its rows itself."""

    def attach(self, con: duckdb.DuckDBPyConnection, log: str) -> Rows:
        """Make the rows readable as a table of the connection, to be scanned repeatedly."""


def read_logs(
    purchases: Any = None,
    activity: Any = None,
    surveys: Any = None,
    customers: Any = None,
    *,
    contract: Contract | None = None,
    memory_limit: str | None = None,
) -> Logs:
    """Read, check and sort the logs.

    Parameters
    ----------
    purchases, activity, surveys, customers
        Frames (pandas, polars, Arrow), paths of files, ``url#table`` of stores, or sources.
        Purchases or activity must be there; the others add to them.
    contract
        Column mappings, scales, time zone and limits; by default the columns carry the names
        of the contract.
    memory_limit
        Memory of the engine, such as ``"4GB"``; what does not fit goes to a temporary folder.

    Returns
    -------
    Logs
        Events sorted by customer and time; what was set aside is in ``checks`` and ``rejected``.

    Raises
    ------
    DataError
        If a source is missing or unreadable, lacks a column, or breaks the contract in more
        rows than allowed.
    ConfigError
        If the contract names an unknown time zone or a time format that is no pattern, or the
        memory limit is no amount of memory.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"customer_id": ["a", "a"], "ts": ["2024-01-01", "2024-02-01"]})
    >>> len(read_logs(frame).purchases)
    2
    """
    sources = _sources(purchases, activity, surveys, customers)
    with _attached(sources, memory_limit) as (con, tables):
        return collect(con, tables, contract or Contract())


@contextmanager
def open_logs(
    purchases: Any = None,
    activity: Any = None,
    surveys: Any = None,
    customers: Any = None,
    *,
    contract: Contract | None = None,
    memory_limit: str | None = None,
    spill: Path | str | None = None,
    customers_per_block: int = CUSTOMERS_AT_ONCE,
    events_per_block: int = EVENTS_AT_ONCE,
) -> Iterator[StoredLogs]:
    """Read, check and sort logs of any length into a private folder, block by block.

    Parameters
    ----------
    purchases, activity, surveys, customers, contract
        As in `read_logs`.
    memory_limit
        Memory of the engine while it sorts; what does not fit goes to the folder as well.
    spill
        Folder in which the private one is made; by default that for temporary files. It should
        have room for about as much as the logs take uncompressed.
    customers_per_block, events_per_block
        What a block holds at most; a single customer may have more events.

    Yields
    ------
    StoredLogs
        The same events as `read_logs` gives, in blocks of whole customers. They are gone, with
        the folder, when the context ends.

    Raises
    ------
    DataError
        As `read_logs`, or if the disk is full.
    ConfigError
        As `read_logs`, or if the spill folder cannot be written.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"customer_id": ["a", "a"], "ts": ["2024-01-01", "2024-02-01"]})
    >>> with open_logs(frame) as logs:
    ...     [len(block.purchases) for block in logs.blocks()]
    [2]
    """
    sources = _sources(purchases, activity, surveys, customers)
    with private_folder(spill) as folder:
        with _attached(sources, memory_limit, spill) as (con, tables):
            logs = collect_on_disk(
                con, tables, contract or Contract(), folder,
                customers=customers_per_block, events=events_per_block,
            )  # fmt: skip
        yield logs


def rows_left_out(
    sources: Mapping[str, Source], contract: Contract, memory_limit: str | None = None
) -> dict[str, int]:
    """Log → rows of people who were forgotten and whom it still holds.

    Raises
    ------
    DataError, ConfigError
        As `read_logs`.
    """
    with _attached(sources, memory_limit) as (con, tables):
        return {log: forgotten_rows(con, log, rows, contract) for log, rows in tables.items()}


def inspect_logs(
    sources: Mapping[str, Source],
    contract: Contract,
    *,
    quarantine: Path | None = None,
    memory_limit: str | None = None,
    progress: Progress = silent,
) -> Inspection:
    """Look at every row of the logs: what becomes of it, and what is odd about the whole.

    Parameters
    ----------
    sources
        Log name → where its rows come from.
    contract
        Column mappings, scales, time zone and limits.
    quarantine
        Where the rows set aside are written, without an ending; by default nowhere.
    memory_limit
        Memory of the engine.
    progress
        Told which log is being looked at.

    Raises
    ------
    DataError, ConfigError
        As `read_logs`.
    """
    with _attached(sources, memory_limit) as (con, tables):
        return inspect(con, tables, contract, quarantine, progress)


def _sources(purchases: Any, activity: Any, surveys: Any, customers: Any) -> dict[str, Source]:
    given = {
        "purchases": purchases, "activity": activity, "surveys": surveys, "customers": customers
    }  # fmt: skip
    return {log: source_of(rows, log) for log, rows in given.items() if rows is not None}


@contextmanager
def _attached(
    sources: Mapping[str, Source], memory_limit: str | None, spill: Path | str | None = None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, Rows]]]:
    """A connection with the rows of every source; errors of the engine name the source."""
    if not {"purchases", "activity"} & sources.keys():
        raise DataError(
            "there is neither a purchases nor an activity log", "Give at least one of the two."
        )
    files = [file for source in sources.values() for file in source.files()]
    with connect(memory_limit, spill, reads=files) as con, engine_faults(sources.values()):
        yield con, {log: source.attach(con, log) for log, source in sources.items()}


def source_of(rows: Any, log: str) -> Source:
    """The source that reads these rows: a file, a table of a store (``url#table``) or a frame."""
    if hasattr(rows, "attach"):
        return rows
    if isinstance(rows, str) and "://" in rows:
        return SqlSource.parse(rows)
    if isinstance(rows, str | Path) or _are_paths(rows):
        return FileSource(rows)
    return FrameSource(rows, f"the {log} frame")


def _are_paths(rows: Any) -> bool:
    is_list = isinstance(rows, list | tuple) and bool(rows)
    return is_list and all(isinstance(path, str | Path) for path in rows)
