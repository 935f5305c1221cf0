"""What breaks half-way through reading: the errors of the engine, told with the source."""

from __future__ import annotations

import errno
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from churnkit.errors import DataError
from churnkit.sources.files.damage import engine_says
from churnkit.sources.files.source import FileSource

if TYPE_CHECKING:
    from churnkit.sources import Source

# Streams raise errors of the system, which tell by their text alone what the engine met.
_NO_ROOM = ("No space left on device", "File too large", "quota exceeded", "Out of Memory Error")
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


@contextmanager
def engine_faults(sources: Collection[Source]) -> Iterator[None]:
    """Tell faults of the engine, and a disk or memory that is full, with the names of the sources.

    Parameters
    ----------
    sources
        The sources that are being read.

    Raises
    ------
    DataError
        If the engine cannot go on.
    KeyboardInterrupt
        If it was stopped while it handed over rows.
    """
    import duckdb

    try:
        yield
    except (duckdb.Error, OSError) as error:
        # Whoever stops the engine while it hands over batches finds it in its error.
        if "KeyboardInterrupt" in str(error):
            raise KeyboardInterrupt from error
        if not _is_of_the_engine(error) and not _lacks_room(error):
            raise
        raise reading_error(sources, error) from error


def reading_error(sources: Collection[Source], error: Exception) -> DataError:
    """The error of a scan that broke half-way, told with the file and the engine's line.

    Parameters
    ----------
    sources
        The sources that were being read.
    error
        What the engine raised.
    """
    names = " or ".join(source.name for source in sources)
    if _lacks_room(error):
        return DataError(
            f"{names}: there is not enough memory or room for temporary files",
            "Close other programs, raise memory_limit, or name a spill folder with room, both in "
            "[engine].",
        )
    files = [source for source in sources if isinstance(source, FileSource)]
    damage = next(filter(None, (source.damage() for source in files)), "")
    named = re.search(r'[Ff]ile "([^"]+)"|file \'([^\']+)\'', str(error))
    name = (named[1] or named[2]) if named else names
    return DataError(
        damage or f"{name} cannot be read: {engine_says(error)}",
        "The file is damaged; mend it, or copy or export it again."
        if files
        else "Look at its columns, or write the rows to a Parquet file and give that.",
    )


def _is_of_the_engine(error: Exception) -> bool:
    """Whether the engine raised it; what it meets within a stream comes without a number."""
    return not isinstance(error, OSError) or error.errno is None


def _lacks_room(error: Exception) -> bool:
    import duckdb

    is_full = isinstance(error, OSError) and error.errno in _FULL
    is_short = isinstance(error, duckdb.OutOfMemoryException)
    return is_full or is_short or any(text in str(error) for text in _NO_ROOM)
