"""Every connection of DuckDB: it reads the files it is given, and can do nothing else outside.

Whatever SQL runs on one, were it written by an attacker, opens no other file, attaches no database,
loads no extension, asks no network and changes none of these settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.atomic import scratch_folder
from churnkit.errors import ConfigError
from churnkit.logs.sql import listed, literal

if TYPE_CHECKING:
    import duckdb

# Extensions could do anything, secrets would be kept in the home folder, and what stands for a
# table could be a variable of Python.
_NOTHING_MORE = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "enable_external_access": "false",
    "lock_configuration": "true",
}


@contextmanager
def connect(
    memory_limit: str | None = None,
    spill: Path | str | None = None,
    *,
    reads: Iterable[Path] = (),
    threads: int | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection in memory whose session zone is UTC, whatever the machine's is.

    What does not fit into memory goes into a private folder (see `spill_folder`) that is removed
    at the end: the only place that the connection can write to.

    Parameters
    ----------
    memory_limit
        Memory of the engine, such as ``"4GB"``; by default most of the machine's.
    spill
        Where the private folder is made; by default where temporary files go.
    reads
        The files that it may read; links are followed now, and not to elsewhere later.
    threads
        By default one for each core.

    Raises
    ------
    ConfigError
        If the spill folder cannot be written, or the memory limit is no amount of memory.
    """
    import duckdb

    with private_folder(spill) as folder, duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"SET temp_directory = {literal(str(folder))}")
        if memory_limit is not None:
            _limit_memory(con, memory_limit)
        if threads is not None:
            con.execute(f"SET threads = {threads}")
        # The engine goes on while a batch that it handed over is being looked at.
        con.execute("SET streaming_buffer_size = '64MB'")
        con.execute(f"SET allowed_directories = [{listed(_spellings([folder]))}]")
        con.execute(f"SET allowed_paths = [{listed(_spellings(reads))}]")
        for setting, value in _NOTHING_MORE.items():
            con.execute(f"SET {setting} = {value}")
        yield con


def opened_database(path: Path, *, read_only: bool, memory: str) -> duckdb.DuckDBPyConnection:
    """A connection to a database in a file, which sees that file and nothing else.

    What does not fit into memory goes to a folder beside the file.

    Raises
    ------
    duckdb.Error
        If the file cannot be opened.
    """
    import duckdb

    # All at once, since connections of a process to one file share their settings.
    settings = {"memory_limit": memory, **_NOTHING_MORE}
    return duckdb.connect(path, read_only=read_only, config=settings)


@contextmanager
def private_folder(within: Path | str | None = None) -> Iterator[Path]:
    """A new folder that is removed at the end, by default where temporary files go.

    Raises
    ------
    ConfigError
        If it cannot be made there.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(scratch_folder(within))
        except ConfigError as error:
            raise ConfigError(
                f"the spill folder: {error.found}",
                "Name a folder that exists, may be written and has room.",
            ) from error
        yield folder


def this_file(path: Path) -> str:
    """SQL string of a path, whose signs are no pattern."""
    return literal(_unpatterned(path))


def _unpatterned(path: Path) -> str:
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def _spellings(paths: Iterable[Path]) -> list[str]:
    """The paths as the engine may meet them: as given, with its signs made plain, and resolved."""
    told = (t for p in paths for t in (str(p), _unpatterned(p), str(_resolved(p))))
    return list(dict.fromkeys(told))


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError):  # no file can have this name, which reading it tells better
        return path


def _limit_memory(con: duckdb.DuckDBPyConnection, amount: str) -> None:
    import duckdb

    try:
        con.execute(f"SET memory_limit = {literal(amount)}")
    except duckdb.Error as error:
        raise ConfigError(
            f"memory_limit = {amount!r} is no amount of memory", 'Write it like "4GB".'
        ) from error
