"""What holds the tables: the few things that the ledger asks of a store."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from churnkit.errors import ConfigError
from churnkit.ledger.tables import FORMAT, TABLES
from churnkit.logs.sql import quoted

if TYPE_CHECKING:
    import pyarrow as pa


class Session(Protocol):
    """An open store, in one transaction."""

    def rows(self, sql: str) -> pa.Table:
        """What a query finds."""

    def run(self, sql: str) -> None:
        """Run a statement."""

    def append(self, table: str, reader: pa.RecordBatchReader) -> None:
        """Add rows, in the columns and types of the table."""

    def columns(self, table: str) -> dict[str, str]:
        """Column → SQL type; empty if there is no such table."""

    def name(self, table: str) -> str:
        """A table as SQL writes it."""


class Book(Protocol):
    """A store of the ledger."""

    @property
    def says(self) -> str:
        """How messages call it; never holds a password."""

    def reading(self) -> AbstractContextManager[Session | None]:
        """Look into it; ``None`` if there is none yet."""

    def writing(self) -> AbstractContextManager[Session]:
        """Add to it: all that the block adds, or nothing if it fails. Nobody else writes then."""

    def wipe(self) -> None:
        """Leave nothing on the disk of what was deleted."""


def require_known(session: Session, says: str) -> bool:
    """Whether the tables are there.

    Raises
    ------
    ConfigError
        If a newer churnkit made them.
    """
    if not session.columns("meta"):
        return False
    found = session.rows(f"SELECT version FROM {session.name('meta')}").column(0).to_pylist()
    if found and max(found) > FORMAT:
        raise ConfigError(
            f"{says} was written by a newer churnkit (format {max(found)}; this one knows "
            f"{FORMAT})",
            "Update churnkit: pip install --upgrade churnkit.",
        )
    return bool(found)


def make_tables(session: Session) -> None:
    """Make the tables."""
    for table, columns in TABLES.items():
        told = ", ".join(f"{quoted(name)} {sql}" for name, sql in columns.items())
        session.run(f"CREATE TABLE {session.name(table)} ({told})")
    session.run(f"INSERT INTO {session.name('meta')} VALUES ({FORMAT})")
