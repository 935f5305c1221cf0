"""Text files as bytes and as UTF-8: unpacked, decoded, in a private copy where needed."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from churnkit.errors import DataError
from churnkit.logs.sql import spill_folder
from churnkit.sources.files.magic import must_be_text

if TYPE_CHECKING:
    import duckdb

SAMPLE = 1_000_000
"""Bytes looked at to tell a dialect, and read at a time."""

_PACKED = {".gz": "gzip", ".zst": "zstd"}


def unpacked_name(path: Path) -> str:
    """The name of a file in lower case, without ``.gz`` or ``.zst``."""
    name = path.name.lower()
    return name.removesuffix(".gz").removesuffix(".zst")


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked; a damaged or unreadable file is a `DataError`."""
    import gzip
    import zlib

    try:
        with _open(path) as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, gzip.BadGzipFile) and "Not a gzipped" in str(error):
            raise DataError(
                f"{path} cannot be read: it is not packed as its name says ({error})",
                "Rename it, or export it again.",
            ) from error
        raise DataError(f"{path} cannot be read: {error}", "Copy or export it again.") from error


def _open(path: Path) -> IO[bytes]:
    import gzip

    packed = _PACKED.get(path.suffix.lower())
    if packed == "gzip":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if packed == "zstd":
        import pyarrow as pa

        return pa.input_stream(str(path), compression="zstd")
    return path.open("rb")


def head_of(path: Path) -> tuple[bytes, bytes]:
    """The first megabyte of a text file, and the first megabyte that is more than ASCII.

    Raises
    ------
    DataError
        If the file is empty, or something else than text.
    """
    with opened(path) as file:
        head = telling = file.read(SAMPLE)
        while telling and telling.isascii():
            telling = file.read(SAMPLE)
    must_be_text(path, head)
    if not head:
        raise DataError(f"{path} is empty", "Export it again.")
    return head, telling


@contextmanager
def as_utf8(
    con: duckdb.DuckDBPyConnection, path: Path, encoding: str, *, one_line_end: bool = False
) -> Iterator[Path]:
    """The file as plain UTF-8 without a mark: itself, or a private copy that is removed again.

    Packed files are always unpacked into a copy: that verifies their checksum, which the engine
    does not. The copy lies in the connection's temporary folder and is written piece by piece.

    Parameters
    ----------
    con
        The connection whose temporary folder is used.
    path, encoding
        The file, and the Python codec of its text.
    one_line_end
        Write every line end as a line feed.

    Raises
    ------
    DataError
        If the file is damaged, does not keep its encoding, or there is no room for the copy.
    """
    if encoding == "utf-8" and path.suffix.lower() not in _PACKED and not one_line_end:
        yield path
        return
    import tempfile

    with tempfile.NamedTemporaryFile(dir=spill_folder(con)) as copy:
        for text in _pieces(path, encoding, one_line_end):
            _write(copy.file, text.encode(errors="replace"), path)
        yield Path(copy.name)


def _pieces(path: Path, encoding: str, one_line_end: bool) -> Iterator[str]:
    import io

    decoder = codecs.getincrementaldecoder(encoding)()
    lines = io.IncrementalNewlineDecoder(None, translate=one_line_end)
    before = 1
    with opened(path) as file:
        for position, piece in enumerate(_read(file)):
            try:
                text = decoder.decode(piece, final=not piece)
            except UnicodeError as error:
                raise _undecodable(path, encoding, before, error) from error
            before += _line_ends(text)
            text = lines.decode(text, final=not piece)
            yield text.removeprefix("\ufeff") if position == 0 else text


def _read(file: IO[bytes]) -> Iterator[bytes]:
    """The pieces of a file, the last of them empty."""
    while piece := file.read(SAMPLE):
        yield piece
    yield b""


def _line_ends(text: str) -> int:
    return max(text.count("\n"), text.count("\r"))


def _undecodable(path: Path, encoding: str, line: int, error: UnicodeError) -> DataError:
    bad = ""
    if isinstance(error, UnicodeDecodeError):
        line += _line_ends(error.object[: error.start].decode(encoding, errors="ignore"))
        bad = " " + error.object[error.start : error.start + 4].hex(" ")
    return DataError(
        f"{path}, line {line}: the bytes{bad} are no text in {encoding}",
        "Declare the encoding the file has, or export it as UTF-8.",
    )


def _write(copy: IO[bytes], piece: bytes, path: Path) -> None:
    try:
        copy.write(piece)
        copy.flush()
    except OSError as error:
        raise DataError(
            f"{path}: there is no room for a working copy ({error.strerror})",
            "Make room in the folder for temporary files, or point TMPDIR elsewhere.",
        ) from error
