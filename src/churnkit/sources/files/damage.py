"""Where a text file is broken: the line, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from churnkit.errors import DataError
from churnkit.logs.profile.finding import outline

if TYPE_CHECKING:
    from churnkit.sources.files.delimited import Dialect

LONGEST_ROW = 2_000_000
"""Bytes of the longest row; a longer one is taken for a fault of the file."""

_TOO_LONG = f"the line is longer than {LONGEST_ROW:,} characters"
_MEND = "Open the file there and mend it, or export it again."


def last_line_must_end(path: Path, plain: Path) -> None:
    """Refuse a last line without an end, which the engine would drop when it is very long.

    Parameters
    ----------
    path, plain
        The file, and its text as UTF-8.

    Raises
    ------
    DataError
        If no line ends in the last `LONGEST_ROW` bytes.
    """
    with plain.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - LONGEST_ROW - 1))
        tail = file.read()
    if size > LONGEST_ROW and b"\n" not in tail and b"\r" not in tail:
        raise _told(path, _last_line(plain), _TOO_LONG)


def broken_line(path: Path, plain: Path, dialect: Dialect, error: Exception) -> DataError:
    """The error that names the line at which a delimited file breaks.

    Parameters
    ----------
    path, plain
        The file, and its text as UTF-8.
    dialect
        How its rows should be.
    error
        What the engine says; told when no line is found to be wrong.
    """
    line, says = _first_fault(plain, dialect) or (0, engine_says(error))
    return _told(path, line, says)


def engine_says(error: Exception) -> str:
    """The first lines of the engine's message, on one line and without control characters."""
    said = re.sub(r"^([A-Za-z ]+ )?Error: ", "", str(error))  # not every message tells its kind
    told = re.split(r"\n\s*Possible|\n\s*\n|\nLINE \d", said.strip())[0]
    lines = "; ".join(line.strip() for line in told.splitlines())
    return "".join(c if c.isprintable() else "\ufffd" for c in lines[:400])


def _told(path: Path, line: int, says: str) -> DataError:
    return DataError(f"{path}{f', line {line}' if line else ''}: {says}", _MEND)


def _last_line(plain: Path) -> int:
    """Number of the last line, or of the first that is too long."""
    with _text(plain) as file:
        lines = _Lines(file)
        for _ in lines:
            pass
    return lines.count


def _first_fault(plain: Path, dialect: Dialect) -> tuple[int, str] | None:
    import csv

    with _text(plain) as file:
        lines = _Lines(file)
        rows = csv.reader(lines, delimiter=dialect.delimiter, strict=True)
        begin = 1
        try:
            for row in rows:
                says = _row_fault(row, len(dialect.columns))
                if says and begin > dialect.skip:
                    return begin, says
                begin = lines.count + 1
        except csv.Error as error:
            # A long text is no fault to the engine, so the reader lost its way earlier.
            unsure = "field larger" in str(error)
            return None if unsure else (begin, lines.fault or f"a quoted text is broken ({error})")
    return (lines.count, lines.fault) if lines.fault else None


def _text(plain: Path) -> IO[str]:
    return plain.open(encoding="utf-8", errors="surrogateescape", newline="")


class _Lines:
    """The lines of a text file, counted; one that is too long is a fault and ends them."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.count = 0
        self.fault = ""

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(LONGEST_ROW):
            self.count += 1
            if len(line) >= LONGEST_ROW:
                self.fault = _TOO_LONG
                return
            yield line


def _row_fault(row: list[str], columns: int) -> str:
    if any("\udc80" <= c <= "\udcff" for c in "".join(row)):
        return f"the bytes are no text in UTF-8: {_shown(row)}"
    # The engine takes a delimiter at the end of a line for nothing.
    if not row or len(row) == columns or (len(row) == columns + 1 and not row[-1]):
        return ""
    fields = "1 field" if len(row) == 1 else f"{len(row)} fields"
    return f"{fields} where the header has {columns}: {_shown(row)}"


def _shown(row: list[str]) -> str:
    # Whoever reads the log of a run need not know what a customer is called, or did.
    told = "; ".join(map(outline, row))
    return told if len(told) <= 80 else told[:79] + "…"
