"""Where rows come from: files and frames today; every source feeds the same contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol

from churnkit.errors import DataError
from churnkit.logs import Contract, Logs, Rows, collect
from churnkit.logs.sql import literal
from churnkit.sources.files import FileSource, reading_error
from churnkit.sources.frames import FrameSource

if TYPE_CHECKING:
    import duckdb

__all__ = ["FileSource", "FrameSource", "Source", "connect", "read_logs", "source_of"]


class Source(Protocol):
    """Anything that can show its rows as a table of a DuckDB connection."""

    @property
    def name(self) -> str:
        """How messages call the source."""

    def attach(self, con: duckdb.DuckDBPyConnection, log: str) -> Rows:
        """Make the rows readable as a table of the connection, to be scanned repeatedly."""


def read_logs(
    purchases: Any = None,
    activity: Any = None,
    surveys: Any = None,
    customers: Any = None,
    *,
    contract: Contract | None = None,
) -> Logs:
    """Read, check and sort the logs.

    Parameters
    ----------
    purchases, activity, surveys, customers
        Frames (pandas, polars, Arrow) or paths of CSV or Parquet files. Purchases or activity
        must be there; the others add to them.
    contract
        Column mappings, scales, time zone and limits; by default the columns carry the names
        of the contract.

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
        If the contract names an unknown time zone or a time format that is no pattern.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"customer_id": ["a", "a"], "ts": ["2024-01-01", "2024-02-01"]})
    >>> len(read_logs(frame).purchases)
    2
    """
    given = {
        "purchases": purchases, "activity": activity, "surveys": surveys, "customers": customers
    }  # fmt: skip
    sources = {log: source_of(rows, log) for log, rows in given.items() if rows is not None}
    if not {"purchases", "activity"} & sources.keys():
        raise DataError(
            "there is neither a purchases nor an activity log", "Give at least one of the two."
        )
    import duckdb

    with connect() as con:
        try:
            tables = {log: source.attach(con, log) for log, source in sources.items()}
            return collect(con, tables, contract or Contract())
        except duckdb.Error as error:
            raise reading_error(" or ".join(s.name for s in sources.values()), error) from error


def source_of(rows: Any, log: str) -> Source:
    """The source that reads these rows: a path becomes a file, anything else a frame."""
    if isinstance(rows, str | Path):
        return FileSource(Path(rows))
    return FrameSource(rows, f"the {log} frame")


@contextmanager
def connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection in memory whose session zone is UTC, whatever the machine's is.

    What does not fit into memory goes into a private folder that is removed at the end; nothing
    is fetched from a network.
    """
    import duckdb

    with TemporaryDirectory(prefix="churnkit-") as spill, duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"SET temp_directory = {literal(spill)}")
        con.execute("SET autoinstall_known_extensions = false")
        con.execute("SET autoload_known_extensions = false")
        yield con
