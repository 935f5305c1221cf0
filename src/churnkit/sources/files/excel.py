"""Excel books: sheets of the same header are one log, every cell is kept as text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.errors import ConfigError, DataError, did_you_mean
from churnkit.logs.rows import Rows, distinct_names
from churnkit.sources.files.stack import Stack

if TYPE_CHECKING:
    import duckdb
    from python_calamine import CalamineWorkbook

_BATCH = 20_000
_FEWEST = 2
"""Filled cells of a header line; what stands above it with fewer is a title."""


def stack_books(
    con: duckdb.DuckDBPyConnection,
    log: str,
    files: Sequence[Path],
    source: str,
    sheet: str | None = None,
) -> Rows:
    """Read the sheets that share the header of the first one into a temporary table.

    Sheets that are hidden, empty or of another header are left out and noted. Rows without any
    filled cell are passed over. Whole numbers have no decimals, times are ISO text.

    Parameters
    ----------
    con, log
        The connection, and the log the rows are of.
    files
        The books, in the order their rows are wanted.
    source
        How messages call all of them.
    sheet
        The only sheet to read; by default all that fit together.

    Raises
    ------
    DataError
        If a book is damaged, protected by a password, or has no sheet that fits.
    ConfigError
        If a book has no sheet of the given name.
    """
    pile = _Pile(con, log)
    for path in files:
        with _book(path) as book:
            for name in [sheet] if sheet else _visible(path, book, pile.notes):
                pile.put(path, name, _filled(book, path, name))
    without = [path for path in files if path not in pile.read]
    if without or not pile.stack:
        fits = f" with the columns of {next(iter(pile.read))}" if pile.read else ""
        told = "; ".join(pile.notes) or "It holds no sheet of rows under a header."
        raise DataError(f"{without[0]} has no sheet{fits or ' that looks like a log'}", told)
    return pile.stack.rows(source, pile.notes)


class _Pile:
    """The sheets read so far, and what was left out."""

    def __init__(self, con: duckdb.DuckDBPyConnection, log: str) -> None:
        self._con, self._log = con, log
        self.stack: Stack | None = None
        self.read: set[Path] = set()
        self.notes: list[str] = []

    def put(self, path: Path, name: str, rows: Iterator[list[str | None]]) -> None:
        """Add a sheet, or note why it is left out."""
        told = f"{path} [{name}]"
        above, header = _header(rows)
        columns = distinct_names([c or "" for c in header])
        first = next(rows, None)
        if first is None:
            self.notes.append(f"{told} is left out: it has no rows under a header")
            return
        if self.stack and not _alike(columns, self.stack.columns):
            self.notes.append(f"{told} is left out: its columns are {', '.join(columns)}")
            return
        if above:
            self.notes.append(f"{told}: what stands above the header is left out: {above[0]!r}")
        self.stack = self.stack or Stack(self._con, self._log, columns)
        self.stack.begin(told)
        self.read.add(path)
        self._add(self.stack, columns, chain([first], rows))

    def _add(self, stack: Stack, columns: Sequence[str], rows: Iterator[list[str | None]]) -> None:
        import pyarrow as pa

        while batch := list(islice(rows, _BATCH)):
            texts = [pa.array(cells, pa.string()) for cells in zip(*batch, strict=True)]
            self._con.register("churnkit_batch", pa.table(texts, names=list(columns)))
            stack.add("churnkit_batch")
            self._con.unregister("churnkit_batch")


def _header(rows: Iterator[list[str | None]]) -> tuple[list[str], list[str | None]]:
    """The texts that stand alone above the header, and the header."""
    above: list[str] = []
    for row in rows:
        filled = [cell for cell in row if cell is not None]
        if len(filled) >= _FEWEST:
            return above, row
        above.append(filled[0])
    return above, []


def _alike(columns: Sequence[str], others: Sequence[str]) -> bool:
    return {c.lower() for c in columns} == {c.lower() for c in others}


def _visible(path: Path, book: CalamineWorkbook, notes: list[str]) -> list[str]:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    tables = [m for m in book.sheets_metadata if m.typ == SheetTypeEnum.WorkSheet]
    seen = [m.name for m in tables if m.visible == SheetVisibleEnum.Visible]
    notes.extend(
        f"{path} [{m.name}] is left out: it is hidden" for m in tables if m.name not in seen
    )
    return seen


def _filled(book: CalamineWorkbook, path: Path, name: str) -> Iterator[list[str | None]]:
    """The rows of a sheet that hold anything, as text."""
    if name not in book.sheet_names:
        told = ", ".join(map(repr, book.sheet_names))
        raise ConfigError(
            f"{path} has no sheet {name!r}",
            f"{did_you_mean(name, book.sheet_names)}It has {told}.",
        )
    for row in book.get_sheet_by_name(name).iter_rows():
        cells = [_text(value) for value in row]
        if any(cell is not None for cell in cells):
            yield cells


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2**63 else repr(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    return str(value)


@contextmanager
def _book(path: Path) -> Iterator[CalamineWorkbook]:
    from python_calamine import CalamineError, PasswordError, load_workbook

    with path.open("rb") as file:
        old = file.read(8).startswith(b"\xd0\xcf\x11\xe0")
    if old and path.suffix.lower() != ".xls":
        raise DataError(
            f"{path} is protected by a password, or an old book under a new name",
            "Save it as .xlsx without a password.",
        )
    try:
        with load_workbook(path) as book:
            yield book
    except PasswordError as error:
        raise DataError(
            f"{path} is protected by a password", "Save it without a password."
        ) from error
    except CalamineError as error:
        raise DataError(
            f"{path} cannot be read: {error}", "The book is damaged; save or export it again."
        ) from error
