"""`Rows`: the rows of a source as the engine sees them, whatever the source is."""

from __future__ import annotations

from dataclasses import dataclass

from churnkit.logs.sql import literal


@dataclass(frozen=True)
class Rows:
    """A table of a DuckDB connection that holds the rows of a source; it can be read repeatedly.

    Attributes
    ----------
    table
        SQL table expression.
    source
        How messages call the source; never holds a password.
    file
        SQL expression of the text that names the file, sheet or table a row came from;
        by default that is ``source``.
    row
        SQL expression of the number of a row in its file; 1 is the first row of data.
    hidden
        Columns of the table that the source itself does not have, such as ``filename``.
    """

    table: str
    source: str
    file: str = ""
    row: str = "row_number() OVER ()"
    hidden: tuple[str, ...] = ()

    @property
    def file_sql(self) -> str:
        """SQL expression of the file of a row."""
        return self.file or literal(self.source)
