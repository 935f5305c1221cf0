"""JSON lines: every key at the top of any line is a column, every value is kept as text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.errors import DataError
from churnkit.logs.rows import Rows, distinct_names
from churnkit.logs.sql import listed, quoted
from churnkit.sources.engine import this_file
from churnkit.sources.files.damage import engine_says
from churnkit.sources.files.encoding import encoding_of
from churnkit.sources.files.stack import Stack
from churnkit.sources.files.text import as_utf8, head_of

if TYPE_CHECKING:
    import duckdb

MOST_KEYS = 1000
"""More keys than this are taken for data written as keys."""

LONGEST_LINE = 16_000_000
"""Bytes of the longest line; a longer one is taken for a fault of the file."""


def stack_json(
    con: duckdb.DuckDBPyConnection,
    log: str,
    files: Sequence[Path],
    source: str,
    encoding: str | None = None,
) -> Rows:
    """Read files of one JSON object a line, or of one array of objects, into a temporary table.

    Nested values are kept as JSON text; a key that a line lacks is missing in its row.

    Parameters
    ----------
    con, log
        The connection, and the log the rows are of.
    files
        The files, in the order their rows are wanted.
    source
        How messages call all of them.
    encoding
        What is declared, for all files; JSON is UTF-8 unless it says otherwise.

    Raises
    ------
    DataError
        If a file is no JSON, holds something else than objects, or has too many keys.
    """
    encodings = {path: _encoding(path, encoding) for path in files}
    keys: dict[str, None] = {}
    for path in files:
        keys |= dict.fromkeys(_keys(con, path, encodings[path]))
    if not keys:
        raise DataError(f"{source} holds no JSON objects", "Export it again.")
    columns = distinct_names(list(keys))
    stack = Stack(con, log, columns)
    for path in files:
        stack.begin(str(path))
        with _objects(con, path, encodings[path]) as objects:
            stack.add(f"({_told(dict(zip(columns, keys, strict=True)), objects)})")
    return stack.rows(source)


def _told(columns: Mapping[str, str], objects: str) -> str:
    """SQL that makes columns of the keys; the text is parsed once for all of them."""
    pointers = listed("/" + k.replace("~", "~0").replace("/", "~1") for k in columns.values())
    told = ", ".join(f"v[{n}] AS {quoted(column)}" for n, column in enumerate(columns, 1))
    return (
        f"SELECT {told} FROM (SELECT json_extract_string(json, [{pointers}]) AS v FROM {objects})"
    )


def _encoding(path: Path, declared: str | None) -> str:
    head, telling = head_of(path)
    return encoding_of(path, head, telling, declared).name


def _keys(con: duckdb.DuckDBPyConnection, path: Path, encoding: str) -> list[str]:
    """The keys of all objects of a file: those of the first object in its order, then the rest."""
    with _objects(con, path, encoding) as objects:
        [(others,)] = con.execute(
            f"SELECT count(*) FILTER (json_type(json) <> 'OBJECT') FROM {objects}"
        ).fetchall()
        if others:
            raise ValueError("a value is no object")
        first = con.execute(f"SELECT json_keys(json) FROM {objects} LIMIT 1").fetchall()
        rest = con.execute(
            f"SELECT DISTINCT unnest(json_keys(json)) AS key FROM {objects} ORDER BY key "
            f"LIMIT {MOST_KEYS + 1}"
        ).fetchall()
    if len(rest) > MOST_KEYS:
        raise DataError(
            f"{path} has more than {MOST_KEYS} keys, so they seem to be data",
            "Write one object a line with the same few keys.",
        )
    return [*(first[0][0] if first else ()), *(key for (key,) in rest)]


@contextmanager
def _objects(con: duckdb.DuckDBPyConnection, path: Path, encoding: str) -> Iterator[str]:
    """SQL of a table of the objects of a file; what breaks on the way is told with its line."""
    import duckdb

    with as_utf8(con, path, encoding) as plain:
        array = _is_array(path, plain)
        try:
            yield (
                f"read_json_objects({this_file(plain)}, compression = 'none', "
                f"format = '{'array' if array else 'newline_delimited'}')"
            )
        except duckdb.OutOfMemoryException:
            raise
        except (duckdb.Error, ValueError) as error:
            says = engine_says(error) or str(error)
            line, says = (None if array else _first_fault(plain)) or (0, says)
            raise DataError(
                f"{path}{f', line {line}' if line else ''}: {says.replace(str(plain), path.name)}",
                "Write one JSON object a line, or export the file again.",
            ) from error


def _is_array(path: Path, plain: Path) -> bool:
    with plain.open("rb") as file:
        if not file.read(1000).lstrip().startswith(b"["):
            return False
        file.seek(max(0, plain.stat().st_size - 1000))
        if file.read().rstrip().endswith(b"]"):
            return True
    raise DataError(f"{path} ends before its array does", "Export it again.")


def _first_fault(plain: Path) -> tuple[int, str] | None:
    """The first line that is no JSON object, and why."""
    with plain.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
            says = _fault(line)
            if says:
                return number, says
    return None


def _fault(line: bytes) -> str:
    if len(line) >= LONGEST_LINE:
        return f"the line is longer than {LONGEST_LINE:,} bytes"
    try:
        told = json.loads(line) if line.strip() else {}
    except json.JSONDecodeError as error:
        return f"no JSON at character {error.colno} ({error.msg})"
    except (UnicodeDecodeError, RecursionError) as error:
        return f"no JSON ({error})"
    return "" if isinstance(told, dict) else "a value that is no object"
