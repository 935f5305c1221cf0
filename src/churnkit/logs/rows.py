"""`Rows`: the rows of a source as the engine sees them, whatever the source is."""

from __future__ import annotations

from collections.abc import Iterable
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
    notes
        Sentences about what was left out or made equal, such as sheets of another shape.
    """

    table: str
    source: str
    file: str = ""
    row: str = "row_number() OVER ()"
    hidden: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def file_sql(self) -> str:
        """SQL expression of the file of a row."""
        return self.file or literal(self.source)


def distinct_names(names: Iterable[str]) -> tuple[str, ...]:
    """The column names, each once whatever its case.

    Examples
    --------
    >>> distinct_names(["id", "", "ID"])
    ('id', 'column2', 'ID_3')
    """
    kept: dict[str, str] = {}
    for position, told in enumerate(names, start=1):
        name = told or f"column{position}"
        while name.lower() in kept:
            name = f"{name}_{position}"
        kept[name.lower()] = name
    return tuple(kept.values())


def free_name(wanted: str, columns: Iterable[str]) -> str:
    """The wanted name, made longer until no column has it in any case.

    Examples
    --------
    >>> free_name("file", ["id", "FILE"])
    'file_'
    """
    taken = {c.lower() for c in columns}
    while wanted in taken:
        wanted += "_"
    return wanted


def row_number(columns: Iterable[str]) -> str:
    """SQL of the number of a row of a temporary table that was filled in order; 1 is the first.

    Examples
    --------
    >>> row_number(["id"]), row_number(["id", "RowID"])
    ('rowid + 1', 'row_number() OVER ()')
    """
    # A column of that name hides the engine's own, which costs nothing to read.
    return "rowid + 1" if free_name("rowid", columns) == "rowid" else "row_number() OVER ()"
