"""Checksums of Parquet pages, which the engine does not look at.

A flipped bit in a page mostly goes unseen and changes values. Writers such as Spark keep a CRC-32
of every page in its header; this module walks over the pages and compares, without decoding them.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Sequence
from pathlib import Path

# Fields of a page header, and types of Thrift's compact protocol, by their numbers.
_COMPRESSED_SIZE, _CRC = 3, 4
_TRUE, _FALSE, _BYTE, _I64, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 6, 7, 8, 9, 10, 12


def wrong_page(path: Path, chunks: Sequence[tuple[int, int]]) -> int | None:
    """Where the first page stands whose checksum is wrong.

    Parameters
    ----------
    path
        The Parquet file.
    chunks
        Begin and length in bytes of every column chunk.

    Returns
    -------
    int or None
        The byte the page begins at; ``None`` if all are right or the file has no checksums.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for begin, length in chunks:
            at, end = begin, begin + length
            while at < end:
                page = at
                try:
                    fields, at = _struct(content, at)
                    size, crc = fields[_COMPRESSED_SIZE], fields.get(_CRC)
                except (IndexError, KeyError, RecursionError):
                    return None if page == chunks[0][0] else page
                if crc is None:
                    return None
                if (
                    size < 0
                    or at + size > end
                    or zlib.crc32(content[at : at + size]) != crc % 2**32
                ):
                    return page
                at += size
    return None


def _struct(content: mmap.mmap, at: int) -> tuple[dict[int, int], int]:
    """The whole numbers of a struct by field, and where it ends; the rest is passed over."""
    fields: dict[int, int] = {}
    number = 0
    while head := content[at]:
        delta, kind = head >> 4, head & 15
        at += 1
        if delta:
            number += delta
        else:
            number, at = _zigzag(content, at)
        if _BYTE < kind <= _I64:
            fields[number], at = _zigzag(content, at)
        else:
            at = _after(content, at, kind)
    return fields, at + 1


def _after(content: mmap.mmap, at: int, kind: int) -> int:
    """Where a value that is of no interest ends."""
    if kind in (_TRUE, _FALSE):
        return at
    if kind in (_BYTE, _DOUBLE):
        return at + (1 if kind == _BYTE else 8)
    if kind <= _I64:
        return _varint(content, at)[1]
    if kind == _BINARY:
        length, at = _varint(content, at)
        return at + length
    if kind in (_LIST, _SET):
        return _after_list(content, at)
    if kind == _STRUCT:
        return _struct(content, at)[1]
    raise IndexError(kind)


def _after_list(content: mmap.mmap, at: int) -> int:
    size, kind = content[at] >> 4, content[at] & 15
    at += 1
    if size == 15:
        size, at = _varint(content, at)
    for _ in range(size):
        at = at + 1 if kind in (_TRUE, _FALSE) else _after(content, at, kind)
    return at


def _zigzag(content: mmap.mmap, at: int) -> tuple[int, int]:
    value, at = _varint(content, at)
    return (value >> 1) ^ -(value & 1), at


def _varint(content: mmap.mmap, at: int) -> tuple[int, int]:
    value = shift = 0
    while (byte := content[at]) & 0x80:
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
    return value | byte << shift, at + 1
