"""One run at a time: a lock that dies with its process, however that ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from churnkit.atomic import made_folder, writable
from churnkit.errors import Busy

_NAME = ".run.lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder for as long as the context lasts.

    The operating system lets go of it when the process ends, be it by ``kill -9``. The file stays
    and means nothing.

    Raises
    ------
    Busy
        If another process holds it; nobody waits.
    ConfigError
        If the folder cannot be written to.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(made_folder(folder) / _NAME, timeout=0)
    with writable(folder / _NAME):
        try:
            lock.acquire()
        except Timeout:
            raise Busy(
                f"another run is at work in {folder}",
                "Try again when it is over; the lock goes with the process that holds it.",
            ) from None
    try:
        yield
    finally:
        lock.release()
