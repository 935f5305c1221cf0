"""The ledger in a file of DuckDB, which many may read at once, or one write to."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.atomic import made_folder, whole_file
from churnkit.errors import Busy, ChurnkitError, ConfigError, DataError
from churnkit.ledger.book import make_tables, require_known
from churnkit.logs.sql import literal, quoted
from churnkit.sources.engine import opened_database

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

FILE_NAME = "ledger.duckdb"
_TAKEN = ("Could not set lock", "Conflicting lock", "different configuration")
_NO_ROOM = ("No space left", "File too large", "Read-only file system", "Permission denied",
            "Could not write", "Cannot open file", "could not be offloaded")  # fmt: skip
_NAP = 0.05
_BATCH = 65_536
_MEMORY = "1GB"  # what does not fit goes to a folder beside the file


class DuckSession:
    """A connection to the file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._con = connection

    def rows(self, sql: str) -> pa.Table:
        """What a query finds."""
        return self._con.sql(sql).to_arrow_table()

    def run(self, sql: str) -> None:
        """Run a statement."""
        self._con.execute(sql)

    def append(self, table: str, reader: pa.RecordBatchReader) -> None:
        """Add rows, in the columns and types of the table."""
        told = ", ".join(map(quoted, reader.schema.names))
        self._con.register("part", reader)
        self._con.execute(f"INSERT INTO {self.name(table)} ({told}) SELECT {told} FROM part")
        self._con.unregister("part")

    def columns(self, table: str) -> dict[str, str]:
        """Column → SQL type; empty if there is no such table."""
        sql = (
            "SELECT column_name, data_type FROM duckdb_columns() "
            f"WHERE table_name = {literal(table)} ORDER BY column_index"
        )
        return {name: str(kind) for name, kind in self._con.execute(sql).fetchall()}

    def name(self, table: str) -> str:
        """A table as SQL writes it."""
        return quoted(table)


class DuckBook:
    """The file of a folder.

    Parameters
    ----------
    folder
        Where it lies; made when something is added first.
    seconds
        How long others are waited for.
    """

    def __init__(self, folder: Path, seconds: float) -> None:
        self.path, self._seconds = folder / FILE_NAME, seconds

    @property
    def says(self) -> str:
        """How messages call it."""
        return str(self.path)

    @contextmanager
    def reading(self) -> Iterator[DuckSession | None]:
        """Look into it; ``None`` if there is none yet."""
        if not self.path.exists():
            yield None
            return
        with self._faults(), self._connected(read_only=True) as con:
            session = DuckSession(con)
            yield session if require_known(session, self.says) else None

    @contextmanager
    def writing(self) -> Iterator[DuckSession]:
        """Add to it: all that the block adds, or nothing if it fails."""
        made_folder(self.path.parent)
        with self._faults(), self._connected(read_only=False) as con:
            session = DuckSession(con)
            con.begin()
            if not require_known(session, self.says):
                make_tables(session)
            yield session
            con.commit()

    def wipe(self) -> None:
        """Write the file anew, since the pages of deleted rows stay in it until others need them.

        The old file stays locked meanwhile, and is replaced in one step.
        """
        if not self.path.exists():
            return
        with self._faults(), whole_file(self.path) as aside:
            aside.unlink()  # the engine makes its own files
            with (
                self._connected(read_only=False) as old,
                closing(opened_database(aside, read_only=False, memory=_MEMORY)) as new,
            ):
                told = old.execute("SELECT table_name, sql FROM duckdb_tables()").fetchall()
                for table, made in told:
                    new.execute(made)
                    rows = old.sql(f"SELECT * FROM {quoted(table)}").to_arrow_reader(_BATCH)
                    DuckSession(new).append(table, rows)
        here, name = self.path.parent, self.path.name
        for left in (*here.glob(f".{name}.*.wal"), *here.glob(f"{name}.wal"), here / f"{name}.tmp"):
            _removed(left)  # of a process that was killed

    @contextmanager
    def _connected(self, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        con = self._connect(read_only)
        try:
            yield con
        finally:
            con.close()

    def _connect(self, read_only: bool) -> duckdb.DuckDBPyConnection:
        import duckdb

        until = time.monotonic() + self._seconds
        while True:
            try:
                return opened_database(self.path, read_only=read_only, memory=_MEMORY)
            except duckdb.Error as error:
                if not any(sign in str(error) for sign in _TAKEN):
                    raise
            if time.monotonic() > until:
                raise Busy(
                    f"another process is writing to {self.path}",
                    "Try again when it is done; it is free as soon as that process has ended.",
                )
            time.sleep(_NAP)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except ChurnkitError:
            raise
        except duckdb.Error as error:
            raise self._told(error) from error

    def _told(self, error: Any) -> ChurnkitError:
        said = str(error).splitlines()[0]
        if any(sign in str(error) for sign in _NO_ROOM):
            return ConfigError(
                f"{self.path} cannot be written ({said})",
                "Check the folder, its permissions and the free space; nothing was changed.",
            )
        return DataError(
            f"{self.path} cannot be read ({said})",
            "Bring it back from a backup; or move it away, and the next churnkit score makes it "
            "anew from the published scores, overrides and outcomes that are still kept.",
        )


def _removed(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
