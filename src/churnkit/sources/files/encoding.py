"""How a text file is encoded: by declaration, mark or evidence, and how sure that is."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from churnkit.errors import ConfigError, DataError

Sure = Literal["sure", "likely", "a guess"]

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
