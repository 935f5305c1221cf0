"""CSV and its kin: the delimiter is told by the header line, every value stays text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.errors import ConfigError, DataError
from churnkit.logs.rows import Rows, distinct_names
from churnkit.logs.sql import literal
from churnkit.sources.engine import this_file
from churnkit.sources.files.damage import LONGEST_ROW, broken_line, last_line_must_end
from churnkit.sources.files.encoding import Encoding, Sure, encoding_of
from churnkit.sources.files.stack import Stack
from churnkit.sources.files.text import as_utf8, head_of

if TYPE_CHECKING:
    import duckdb

DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Dialect:
    """How a file of delimited text is written.

    Attributes
    ----------
    delimiter
        The character between two columns.
    encoding
        Name of the Python codec of the text, how sure it is, and why.
    columns
        The column names, each once whatever its case.
    skip
        Lines before the header: 1 if the first line is Excel's ``sep=;``.
    sure, why
        How sure the delimiter is, and the reason.
    """

    delimiter: str
    encoding: Encoding
    columns: tuple[str, ...]
    skip: int
    sure: Sure
    why: str


def dialect_of(path: Path, encoding: str | None = None, delimiter: str | None = None) -> Dialect:
    """Delimiter, encoding and header of a file; what is declared is not guessed.

    Raises
    ------
    DataError
        If the file is not delimited text, or its encoding cannot be told.
    ConfigError
        If the declared encoding is not known, or the delimiter is not one character.
    """
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0'):
        raise ConfigError(f"delimiter {delimiter!r} is not one character", "Write , or ; or \\t.")
    head, telling = head_of(path)
    told = encoding_of(path, head, telling, encoding)
    return _read_off(path, head.decode(told.name, errors="replace"), told, delimiter)


def _read_off(path: Path, head: str, encoding: Encoding, declared: str | None) -> Dialect:
    head = head.removeprefix("\ufeff")
    first = re.match(r"sep=(.)[\r\n]+", head, re.IGNORECASE)
    if first:
        return Dialect(
            declared or first[1], encoding, _header(head[first.end() :], first[1], path),
            skip=1, sure="sure", why="the first line says so",
        )  # fmt: skip
    if declared:
        columns = _header(head, declared, path)
        return Dialect(declared, encoding, columns, 0, "sure", "declared")
    delimiter, sure, why = _delimiter(head)
    return Dialect(delimiter, encoding, _header(head, delimiter, path), 0, sure, why)


def _delimiter(head: str) -> tuple[str, Sure, str]:
    """The delimiter that occurs most often in the header line; a comma if none does."""
    lines = re.split(r"[\r\n]+", re.sub(r'"[^"]*"', "", head).lstrip("\r\n"))
    delimiter = max(DELIMITERS, key=lines[0].count)
    times = lines[0].count(delimiter)
    if not times:
        return delimiter, "a guess", "the header line has none"
    alike = [line.count(delimiter) == times for line in lines[1:-1][:100] if line]
    sure: Sure = "sure" if alike and all(alike) else "likely"
    return delimiter, sure, f"{times + 1} columns in the header line"


def _header(head: str, delimiter: str, path: Path) -> tuple[str, ...]:
    import csv
    import io

    try:
        header = next(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter), [])
    except csv.Error as error:
        raise DataError(f"{path} has no header line ({error})", "Is it a CSV file?") from error
    if not any(header):
        raise DataError(f"{path}: the first line is blank", "Begin the file with its header line.")
    if "\0" in "".join(header):
        raise DataError(f"{path}: there is a NUL byte in the header line", "Export it again.")
    return distinct_names(header)


def stack_delimited(
    con: duckdb.DuckDBPyConnection,
    log: str,
    files: Sequence[Path],
    source: str,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Rows:
    """Read the files once into a temporary table; all of them have the same columns.

    Parameters
    ----------
    con, log
        The connection, and the log the rows are of.
    files
        The files, in the order their rows are wanted.
    source
        How messages call all of them.
    encoding, delimiter
        What is declared, for all files.

    Raises
    ------
    DataError
        If a file is no delimited text, is damaged, or has other columns than the first.
    """
    dialects = {path: dialect_of(path, encoding, delimiter) for path in files}
    _must_agree(dialects)
    stack = Stack(con, log, dialects[files[0]].columns)
    for path, dialect in dialects.items():
        stack.begin(str(path))
        _load(stack, path, dialect)
    return stack.rows(source)


def _must_agree(dialects: Mapping[Path, Dialect]) -> None:
    (first, expected), *others = dialects.items()
    known = {c.lower(): c for c in expected.columns}
    for path, dialect in others:
        own = {c.lower(): c for c in dialect.columns}
        lacks = [known[c] for c in known if c not in own]
        more = [own[c] for c in own if c not in known]
        told = [f"lacks {', '.join(map(repr, lacks))}"] * bool(lacks)
        told += [f"has {', '.join(map(repr, more))} besides"] * bool(more)
        if told:
            raise DataError(
                f"{path} {' and '.join(told)}, compared with {first}",
                "Give files with the same columns, in any order.",
            )


def _load(stack: Stack, path: Path, dialect: Dialect) -> None:
    try:
        _insert(stack, path, dialect)
    except _MixedLineEnds:
        _insert(stack, path, dialect, one_line_end=True)


class _MixedLineEnds(Exception):
    """The engine wants one kind of line end in a file."""


def _insert(stack: Stack, path: Path, dialect: Dialect, *, one_line_end: bool = False) -> None:
    import duckdb

    encoding = dialect.encoding.name
    with as_utf8(stack.con, path, encoding, one_line_end=one_line_end) as plain:
        try:
            last_line_must_end(path, plain)
            stack.add(_scan(plain, dialect))
        except duckdb.OutOfMemoryException:
            raise
        except (duckdb.Error, UnicodeError) as error:
            if "invalid state" in str(error) and not one_line_end:
                raise _MixedLineEnds from error
            raise broken_line(path, plain, dialect, error) from error


def _scan(plain: Path, dialect: Dialect) -> str:
    columns = ", ".join(f"{literal(c)}: 'VARCHAR'" for c in dialect.columns)
    return (
        f"read_csv({this_file(plain)}, auto_detect = false, columns = {{{columns}}}, "
        f"header = true, skip = {dialect.skip}, delim = {literal(dialect.delimiter)}, "
        "quote = '\"', escape = '\"', nullstr = '', compression = 'none', "
        f"max_line_size = {LONGEST_ROW}, hive_partitioning = false)"
    )
