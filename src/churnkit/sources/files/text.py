"""Text files as UTF-8: what they are packed in, how they are encoded, and how sure that is."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, cast

from churnkit.errors import ConfigError, DataError

if TYPE_CHECKING:
    import duckdb

Sure = Literal["sure", "likely", "a guess"]

SAMPLE = 1_000_000
"""Bytes looked at to tell a dialect, and read at a time."""

_PACKED = {".gz": "gzip", ".zst": "zstd"}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HIGH = re.compile(rb"[\x80-\xff]")
# Arabic and Persian words are runs of high bytes; the accented letters of Europe stand alone.
_HIGH_RUNS = re.compile(rb"[\x80-\xff]{3,}")
_AMID = re.compile("(?<=[A-Za-z])[‚“”„…](?=[a-z])")
_TYPOGRAPHY = frozenset("€£§°«»–—‘’‚“”„…©®™ºª´·ß\xa0")


@dataclass(frozen=True)
class Encoding:
    """The encoding of a text file.

    Attributes
    ----------
    name
        Name of a Python codec, such as ``"utf-8"`` or ``"cp1256"``.
    sure, why
        How sure that is, and the reason in a few words.
    """

    name: str
    sure: Sure
    why: str


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
    """The first megabyte of a file, and the first megabyte that is more than ASCII."""
    with opened(path) as file:
        head = telling = file.read(SAMPLE)
        while telling and telling.isascii():
            telling = file.read(SAMPLE)
    return head, telling


def encoding_of(path: Path, head: bytes, telling: bytes, declared: str | None) -> Encoding:
    """The encoding of a text file: declared, marked, UTF-8, or by evidence.

    Parameters
    ----------
    path
        The file, for messages.
    head, telling
        As `head_of` gives them.
    declared
        Name of a Python codec; it wins.

    Raises
    ------
    ConfigError
        If the declared name is no text encoding.
    DataError
        If the evidence speaks for none of the known encodings, or the file is no text.
    """
    codec = _codec(declared) if declared else ""
    for mark, name in _MARKS:
        if head.startswith(mark) and name[:5] in (codec[:5] or name):
            return Encoding(name, "sure", "the file begins with its mark")
    if codec:
        return Encoding(codec, "sure", "declared")
    if b"\0" in head:
        return _wide(path, head)
    return _narrow(path, telling)


def _codec(declared: str) -> str:
    try:
        info = codecs.lookup(declared)
        "".encode(info.name)  # refuses codecs between bytes and bytes, such as hex
    except LookupError as error:
        raise ConfigError(
            f"encoding {declared!r} is not known", "Write utf-8, utf-16, cp1252 or cp1256."
        ) from error
    # Their plain names would look for a mark at the beginning and take its absence their own way.
    return {"utf-16": "utf-16-le", "utf-8-sig": "utf-8"}.get(info.name, info.name)


def _wide(path: Path, head: bytes) -> Encoding:
    """UTF-16 without a mark: the high halves of digits and signs are NUL."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) > 10 * min(even, odd) and max(even, odd) > len(head) / 10:
        name = "utf-16-le" if odd > even else "utf-16-be"
        return Encoding(name, "likely", "every other byte of digits and signs is zero")
    line = head[: head.index(0)].count(b"\n") + 1
    raise DataError(
        f"{path}, line {line}: there is a NUL byte, so the file is damaged or no text",
        "Export it again as CSV in UTF-8.",
    )


def _narrow(path: Path, telling: bytes) -> Encoding:
    if not telling:
        return Encoding("utf-8", "sure", "plain ASCII")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(telling)
    except UnicodeDecodeError:
        return _by_letters(path, telling)
    return Encoding("utf-8", "sure", "its letters are valid UTF-8")


def _by_letters(path: Path, telling: bytes) -> Encoding:
    replaced = telling.decode("utf-8", errors="replace")
    bad = replaced.count("\ufffd")
    if sum(not c.isascii() for c in replaced) > 2 * bad:
        return Encoding("utf-8", "likely", f"valid UTF-8 but for {bad} bytes")
    high, runs = _HIGH.findall(telling), b"".join(_HIGH_RUNS.findall(telling))
    sure: Sure = "likely" if len(high) >= 20 else "a guess"
    if 2 * len(runs) >= len(high) and _is_arabic(runs):
        return Encoding("cp1256", sure, "its words are of Arabic letters")
    if 2 * len(runs) < len(high) and _is_western(telling):
        return Encoding("cp1252", sure, "not UTF-8; its letters are Western ones")
    raise DataError(
        f"{path}: the text is neither UTF-8 nor surely cp1252 or cp1256",
        'Declare it, for example encoding = "cp1250", or export the file as UTF-8.',
    )


def _is_arabic(runs: bytes) -> bool:
    letters = _share(
        runs.decode("cp1256"),
        lambda c: ("\u0600" <= c <= "\u06ff" and c.isalpha()) or c == "\u200c",
    )
    # Lam, mim, nun, ha, waw and ya; KOI8 would give letters without any of them.
    late = sum(byte >= 0xE0 for byte in runs)
    return letters > 0.9 and late > 0.15 * len(runs)


def _is_western(telling: bytes) -> bool:
    text = telling.decode("cp1252", errors="replace")
    signs = "".join(c for c in text if not c.isascii())
    amid = len(_AMID.findall(text))  # as the accented letters of MS-DOS would look
    western = _share(signs, lambda c: c.isalpha() or c in _TYPOGRAPHY)
    return western - amid / len(signs) > 0.95


def _share(text: str, is_so: Callable[[str], bool]) -> float:
    return sum(map(is_so, text)) / len(text) if text else 0.0


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

    with tempfile.NamedTemporaryFile(dir=_temporary(con)) as copy:
        for text in _pieces(path, encoding, one_line_end):
            _write(copy.file, text.encode(errors="replace"), path)
        yield Path(copy.name)


def _temporary(con: duckdb.DuckDBPyConnection) -> str | None:
    [(folder,)] = con.execute("SELECT current_setting('temp_directory')").fetchall()
    return folder if Path(folder).is_dir() else None


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
