"""Parquet files as one view: columns by name, hive partitions, types that may be joined safely."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.errors import DataError
from churnkit.logs.rows import Rows, free_name
from churnkit.logs.sql import literal, quoted
from churnkit.sources.engine import connect, this_file
from churnkit.sources.files.damage import engine_says
from churnkit.sources.files.pages import wrong_page

if TYPE_CHECKING:
    import duckdb

_ROW = "file_row_number"
_WHOLE, _DECIMAL, _TEXT, _NOTHING = "whole numbers", "decimal numbers", "text", "nothing"
_FAMILIES = (
    (_WHOLE, r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER"),
    (_DECIMAL, r"FLOAT|DOUBLE|DECIMAL\(.*\)"),
    (_TEXT, r"VARCHAR|ENUM\(.*\)"),
    ("times without a zone", r"DATE|TIMESTAMP(_S|_MS|_NS)?"),
    (_NOTHING, r'"?NULL"?'),
)
"""Types that are joined without a change of value; any other type is a family of its own."""


def view_of_parquet(
    con: duckdb.DuckDBPyConnection, log: str, files: Sequence[Path], source: str, root: Path | None
) -> Rows:
    """Show Parquet files as one view, which is read anew at each scan.

    Columns are joined by name; one that a file lacks is missing in its rows, which is noted. A
    column of whole numbers in one file and of text in another is text in all: ids keep their
    digits. Any other change of type is refused, since it would change values.

    Parameters
    ----------
    con, log
        The connection, and the log the rows are of; the view is ``<log>_source``.
    files
        The files.
    source
        How messages call all of them.
    root
        The folder below which ``key=value`` in a path is a column; none if ``None``.

    Raises
    ------
    DataError
        If a file is damaged, or its columns cannot be joined with those of the others.
    """
    types = {path: _types(con, path) for path in files}
    for path in files:
        _must_keep_checksums(con, path)
    notes = _must_join(con, types)
    columns = list(dict.fromkeys(c for own in types.values() for c in own))
    file = free_name("churnkit_file", columns)
    told = _partitions(files, root, columns, file) if root else ""
    paths = ", ".join(map(this_file, files))
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW {log}_source AS SELECT *{told} FROM read_parquet([{paths}], "
        f"union_by_name = true, filename = {literal(file)}, {_ROW} = true, "
        "hive_partitioning = false)"
    )
    return Rows(
        f"{log}_source", source, quoted(file), f"{_ROW} + 1", hidden=(file, _ROW), notes=notes
    )


def damaged_file(files: Sequence[Path]) -> tuple[Path, str] | None:
    """The first file that cannot be read to its end, and what the engine says of it."""
    import duckdb

    with connect(reads=files) as con:
        for path in files:
            try:
                con.execute(
                    f"SELECT bit_xor(hash(COLUMNS(*))) FROM read_parquet({this_file(path)})"
                ).fetchall()
            except (duckdb.Error, UnicodeError) as error:
                return path, engine_says(error)
    return None


def _types(con: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Column → type of one file."""
    import duckdb

    try:
        rows = con.execute(
            f"DESCRIBE SELECT * FROM read_parquet({this_file(path)}, hive_partitioning = false)"
        ).fetchall()
    except (duckdb.Error, UnicodeError) as error:
        raise DataError(
            f"{path} cannot be read: {engine_says(error)}",
            "The file is damaged or no Parquet file; copy or export it again.",
        ) from error
    if _ROW in {column.lower() for column, *_ in rows}:
        raise DataError(f"{path} has a column {_ROW!r}", "Rename it: the engine uses that name.")
    return {column: kind for column, kind, *_ in rows}


def _must_keep_checksums(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    # A chunk begins with its dictionary, if it has one.
    chunks = con.execute(
        "SELECT least(data_page_offset, coalesce(nullif(dictionary_page_offset, 0), "
        "data_page_offset)) AS begin, total_compressed_size "
        f"FROM parquet_metadata({this_file(path)}) WHERE total_compressed_size > 0 ORDER BY begin"
    ).fetchall()
    page = wrong_page(path, chunks)
    if page is not None:
        raise DataError(
            f"{path} cannot be read: the page at byte {page} does not keep its checksum",
            "The file is damaged; copy or export it again.",
        )


def _must_join(
    con: duckdb.DuckDBPyConnection, types: Mapping[Path, Mapping[str, str]]
) -> tuple[str, ...]:
    """What is noteworthy about joining the columns of the files; what cannot be joined raises."""
    lower = {path: {c.lower(): kind for c, kind in own.items()} for path, own in types.items()}
    notes = []
    for column in dict.fromkeys(c for own in types.values() for c in own):
        having = {path: own[column.lower()] for path, own in lower.items() if column.lower() in own}
        lacking = [path for path in types if path not in having]
        if lacking:
            notes.append(f"{_named(lacking)}: no column {column!r}; it is empty in these rows")
        notes.extend(_joined(con, column, having))
    return tuple(dict.fromkeys(notes))


def _joined(
    con: duckdb.DuckDBPyConnection, column: str, having: Mapping[Path, str]
) -> tuple[str, ...]:
    """How the types of one column are joined, if they differ in more than their width."""
    examples: dict[str, tuple[Path, str]] = {}
    for path, kind in having.items():
        examples.setdefault(_family(kind), (path, kind))
    examples.pop(_NOTHING, None)
    if len(examples) < 2:
        return ()
    (first, here), (other, there) = list(examples.values())[:2]
    told = f"column {column!r} is {there} in {other} and {here} in {first}"
    if examples.keys() == {_WHOLE, _TEXT}:
        return (f"{told}; read as text",)
    if examples.keys() == {_WHOLE, _DECIMAL}:
        _must_be_exact(con, column, having, told)
        return ()
    raise DataError(
        f"{other}: {told}",
        "Write the column with one type in all files; joining these types would change values.",
    )


def _must_be_exact(
    con: duckdb.DuckDBPyConnection, column: str, having: Mapping[Path, str], told: str
) -> None:
    """Refuse whole numbers that floating point would round, such as long ids."""
    exact = 2**24 if "FLOAT" in having.values() else 2**53
    for path in (path for path, kind in having.items() if _family(kind) == _WHOLE):
        [(most,)] = con.execute(
            f"SELECT max(abs({quoted(column)}::HUGEINT)) FROM read_parquet({this_file(path)})"
        ).fetchall()
        if (most or 0) > exact:
            raise DataError(
                f"{path}: {told}, and numbers as large as {most} would be rounded",
                "Write the column as whole numbers or as text in all files.",
            )


def _family(kind: str) -> str:
    return next((name for name, known in _FAMILIES if re.fullmatch(known, kind)), kind)


def _named(files: Sequence[Path]) -> str:
    more = len(files) - 1
    return f"{files[0]}{f' and {more} other files' if more else ''}"


def _partitions(files: Sequence[Path], root: Path, columns: Sequence[str], file: str) -> str:
    """SQL columns of the keys that the folders name; a column of the files goes before."""
    keys = {path: _keys(path, root) for path in files}
    first = keys[files[0]]
    for path, own in keys.items():
        if set(own) != set(first):
            raise DataError(
                f"{path}: its folders name the columns {own}, those of {files[0]} {first}",
                "Name a folder whose files are all partitioned alike.",
            )
    taken = {c.lower() for c in columns}
    own = [key for key in first if key.lower() not in taken]
    return "".join(f", {_partition(key, file, root)} AS {quoted(key)}" for key in own)


def _keys(path: Path, root: Path) -> list[str]:
    folders = path.relative_to(root).parts[:-1]
    return [folder.partition("=")[0] for folder in folders if re.match("[^=]+=", folder)]


def _partition(key: str, file: str, root: Path) -> str:
    """SQL text of the value that the folders of a file give a key."""
    above = 0 if root == Path() else len(str(root))  # paths from here do not begin with "."
    below = f"'/' || substr({quoted(file)}, {above + 1})"
    found = literal(f"/{re.escape(key)}=([^/]*)/")
    value = f"url_decode(regexp_extract({below}, {found}, 1))"
    return f"nullif(nullif({value}, '__HIVE_DEFAULT_PARTITION__'), '')"
