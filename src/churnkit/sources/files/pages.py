"""Checksums of Parquet pages, which the engine does not look at.

A flipped bit in a page mostly goes unseen and changes values. Writers such as Spark keep a CRC-32
of every page in its header; this module walks over the pages and compares, without decoding them.
The headers themselves have none: a bit that flips in one may still go unseen.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Sequence
from pathlib import Path

# Fields of a page header, and types of Thrift's compact protocol, by their numbers.
_COMPRESSED_SIZE, _CRC = 3, 4
_TRUE, _FALSE, _BYTE, _I64, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 6, 7, 8, 9, 10, 12
_WIDTHS = {_TRUE: 1, _FALSE: 1, _BYTE: 1, _DOUBLE: 8}  # of the elements of a list, in bytes
_LONGEST = 63  # bits of a number


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
            position, limit = begin, begin + length
            while position < limit:
                page = position
                try:
                    fields, position = _struct(content, position)
                    size, crc = fields[_COMPRESSED_SIZE], fields.get(_CRC)
                except (IndexError, KeyError, RecursionError):
                    return None if page == chunks[0][0] else page
                if crc is None:
                    return None
                if (
                    size < 0
                    or position + size > limit
                    or zlib.crc32(content[position : position + size]) != crc % 2**32
                ):
                    return page
                position += size
    return None


def _struct(content: mmap.mmap, position: int) -> tuple[dict[int, int], int]:
    """The whole numbers of a struct by field, and where it ends; the rest is passed over."""
    fields: dict[int, int] = {}
    number = 0
    while head := content[position]:
        delta, kind = head >> 4, head & 15
        position += 1
        if delta:
            number += delta
        else:
            number, position = _zigzag(content, position)
        if _BYTE < kind <= _I64:
            fields[number], position = _zigzag(content, position)
        else:
            position = _after(content, position, kind)
    return fields, position + 1


def _after(content: mmap.mmap, position: int, kind: int) -> int:
    """Where a value that is of no interest ends."""
    if kind in (_TRUE, _FALSE):
        return position
    if kind in (_BYTE, _DOUBLE):
        return position + _WIDTHS[kind]
    if kind <= _I64:
        return _varint(content, position)[1]
    if kind == _BINARY:
        length, position = _varint(content, position)
        return position + length
    if kind in (_LIST, _SET):
        return _after_list(content, position)
    if kind == _STRUCT:
        return _struct(content, position)[1]
    raise IndexError(kind)


def _after_list(content: mmap.mmap, position: int) -> int:
    size, kind = content[position] >> 4, content[position] & 15
    position += 1
    if size == 15:
        size, position = _varint(content, position)
    if kind in _WIDTHS:  # a damaged size may be larger than any file
        return position + size * _WIDTHS[kind]
    for _ in range(size):  # each is a byte at least, so that the end of the file is the end of it
        position = _after(content, position, kind)
    return position


def _zigzag(content: mmap.mmap, position: int) -> tuple[int, int]:
    value, position = _varint(content, position)
    return (value >> 1) ^ -(value & 1), position


def _varint(content: mmap.mmap, position: int) -> tuple[int, int]:
    value = shift = 0
    while (byte := content[position]) & 0x80:
        value |= (byte & 0x7F) << shift
        shift += 7
        position += 1
        if shift > _LONGEST:
            raise IndexError("a number without end")
    return value | byte << shift, position + 1
