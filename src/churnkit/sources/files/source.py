"""Files as tables of a DuckDB connection: delimited text, Parquet, JSON lines, Excel books."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from glob import glob
from itertools import takewhile
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from churnkit.errors import ConfigError, DataError
from churnkit.logs.rows import Rows
from churnkit.reach import Reach
from churnkit.sources.files.delimited import Dialect, dialect_of, stack_delimited
from churnkit.sources.files.excel import stack_books
from churnkit.sources.files.jsonlines import stack_json
from churnkit.sources.files.parquet import damaged_file, view_of_parquet
from churnkit.sources.files.text import unpacked_name

if TYPE_CHECKING:
    import duckdb

_ENDINGS = {
    "text": (".csv", ".tsv", ".txt"),
    "json": (".jsonl", ".ndjson", ".json"),
    "parquet": (".parquet", ".pq", ".parq"),
    "excel": (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
}
_MAY_BE_PACKED = ("text", "json")
_OPTIONS = {"encoding": ("text", "json"), "delimiter": ("text",), "sheet": ("excel",)}
_PATTERN = re.compile(r"[*?\[]")
_NOT_HERE = "Check the path; relative paths start at the folder of churnkit.toml."


@dataclass(frozen=True)
class FileSource:
    """Files of one kind that together are one log.

    Parameters
    ----------
    path
        A file, a pattern such as ``data/*.csv``, a folder of Parquet files (where folders such
        as ``year=2024`` are columns), or a sequence of these. Delimited text is ``.csv``,
        ``.tsv`` or ``.txt``, JSON is ``.jsonl``, ``.ndjson`` or ``.json``; both may be packed as
        ``.gz`` or ``.zst``. Books are ``.xlsx``, ``.xlsm``, ``.xlsb``, ``.xls`` or ``.ods``.
    encoding
        Python codec of a text file; by default it is told from the bytes.
    delimiter
        What separates the columns of delimited text; by default the header line tells.
    sheet
        The only sheet to read of a book; by default all with the header of the first.
    reach
        Where files may be, links in their paths followed; by default anywhere.
    """

    path: Path | str | Sequence[Path | str]
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    reach: Reach | None = None

    @property
    def name(self) -> str:
        """The path or paths, for messages."""
        paths = self._paths()
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        return f"{paths[0]}{more}" if paths else "no file"

    def attach(self, con: duckdb.DuckDBPyConnection, log: str) -> Rows:
        """Make the rows readable as a table of the connection, to be scanned repeatedly.

        Parquet files are read anew at each scan; others are read once, into a temporary table.

        Raises
        ------
        DataError
            If a file is missing, empty, damaged, of an unknown kind, or differs from the others.
        ConfigError
            If an option is not known or not meant for files of this kind.
        """
        files = self.files()
        kind = self._kind(files)
        if kind == "parquet":
            return view_of_parquet(con, log, files, self.name, self.root())
        if kind == "json":
            return stack_json(con, log, files, self.name, self.encoding)
        if kind == "excel":
            return stack_books(con, log, files, self.name, self.sheet)
        return stack_delimited(con, log, files, self.name, self.encoding, self.delimiter)

    def dialect(self) -> Dialect | None:
        """How the first file is written and how sure that is; ``None`` if it is no CSV.

        Raises
        ------
        DataError, ConfigError
            As `attach` does.
        """
        files = self.files()
        if self._kind(files) != "text":
            return None
        return dialect_of(files[0], self.encoding, self.delimiter)

    def files(self) -> list[Path]:
        """The files that the path means, each once; those of a pattern or folder are sorted.

        Raises
        ------
        DataError
            If there is none, or one cannot be read.
        ConfigError
            If one is out of reach.
        """
        if not self._paths():
            raise DataError("no file is named", "Name one file at least.")
        found = list(dict.fromkeys(file for path in self._paths() for file in _meant(path)))
        for file in found:
            if self.reach is not None:
                self.reach.require_path(file, "a log")
            _must_be_readable(file)
        return found

    def kind(self) -> str:
        """``text``, ``json``, ``excel`` or ``parquet``, by the endings of the files.

        Raises
        ------
        DataError
            As `attach` does.
        """
        return self._kind(self.files())

    def damage(self) -> str:
        """Which Parquet file cannot be read to its end, and why; empty if all can."""
        files = self.files()
        found = damaged_file(files) if _kind_of(files[0]) == "parquet" else None
        return f"{found[0]} cannot be read: {found[1]}" if found else ""

    def _paths(self) -> list[Path]:
        return [Path(p) for p in ([self.path] if isinstance(self.path, str | Path) else self.path)]

    def root(self) -> Path | None:
        """The folder below which names of folders are columns; ``None`` if there is none."""
        paths = self._paths()
        if len(paths) > 1 or paths[0].is_file():
            return None
        if paths[0].is_dir():
            return paths[0]
        return before_pattern(paths[0])

    def _kind(self, files: Sequence[Path]) -> str:
        kind = _kind_of(files[0])
        other = next((file for file in files if _kind_of(file) != kind), None)
        if other:
            raise DataError(
                f"{other} and {files[0]} are files of different kinds", "Name files of one kind."
            )
        for option, kinds in _OPTIONS.items():
            if getattr(self, option) is not None and kind not in kinds:
                raise ConfigError(
                    f"{self.name}: `{option}` is not for files of this kind", "Leave it out."
                )
        return kind


def before_pattern(path: Path) -> Path:
    """The folder in which a pattern begins; the path itself if it is none."""
    return Path(*takewhile(lambda part: not _PATTERN.search(part), path.parts))


def _meant(path: Path) -> list[Path]:
    """The files a path means; a file of that very name goes before the pattern."""
    if _is(path, Path.is_dir):
        return _parquet_below(path)
    if _is(path, Path.exists) or not _PATTERN.search(str(path)):
        return [path]
    matches = sorted(glob(str(path), recursive=True))  # noqa: PTH207 - the pattern may be absolute
    found = [file for file in map(Path, matches) if file.is_file()]
    if not found:
        raise DataError(f"{path}: no file matches this pattern", _NOT_HERE)
    return found


def _is(path: Path, so: Callable[[Path], bool]) -> bool:
    try:
        return so(path)
    except (OSError, ValueError):  # no file can have this name
        return False


def _parquet_below(folder: Path) -> list[Path]:
    for name, says in (("_delta_log", "a Delta table"), ("metadata", "an Iceberg table")):
        if (folder / name).is_dir():
            raise DataError(
                f"{folder} is {says}; its folder also keeps rows that were deleted",
                "Export the current rows as Parquet.",
            )
    found = sorted(
        file
        for file in folder.rglob("*")
        if file.name.lower().endswith(_ENDINGS["parquet"])
        and not any(part.startswith(("_", ".")) for part in file.relative_to(folder).parts)
    )
    if not found:
        raise DataError(
            f"{folder} is a folder without Parquet files",
            "For files of another kind name a pattern, such as folder/*.csv.",
        )
    return found


def _must_be_readable(path: Path) -> None:
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):  # opening a pipe would wait for a writer
            raise DataError(f"{path} is not a file", "Name a file.")
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file", _NOT_HERE) from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}", "Check the path.") from error
    if status.st_size == 0:
        raise DataError(f"{path} is empty", "Export it again.")


def _kind_of(path: Path) -> str:
    name, unpacked = path.name.lower(), unpacked_name(path)
    for kind, endings in _ENDINGS.items():
        if (unpacked if kind in _MAY_BE_PACKED else name).endswith(endings):
            return kind
    raise DataError(
        f"{path}: files of this ending are not read",
        "Use .csv, .parquet, .jsonl or .xlsx; text may be packed as .gz or .zst.",
    )
