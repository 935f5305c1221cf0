"""Files and folders that appear whole or not at all: write aside, flush to disk, replace."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from churnkit.errors import ConfigError


class AlreadyThere(ConfigError):
    """A folder of that name came into being while this one was filled."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to that replaces ``path`` only if the block succeeds.

    Raises
    ------
    ConfigError
        If the folder cannot be written to; an existing file stays as it was.
    """
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = new_beside(path, partial(Path.touch, exist_ok=False))
    try:
        with writable(path):
            yield aside
            flush(aside)
            aside.replace(path)
            flush(path.parent)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that becomes ``path`` only if the block succeeds; ``path`` must be new.

    Raises
    ------
    AlreadyThere
        If there is a folder of that name by now, which stays as it is.
    ConfigError
        If the parent folder cannot be written to.
    """
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = new_beside(path, Path.mkdir)
    try:
        with writable(path):
            yield aside
            for file in aside.rglob("*"):
                flush(file)
            _become(aside, path)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def made_folder(path: Path) -> Path:
    """The folder itself, made when missing.

    Raises
    ------
    ConfigError
        If it cannot be made.
    """
    with writable(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def new_beside(path: Path, make: Callable[[Path], None]) -> Path:
    """Something new beside a path; who may read it follows from the umask, as for any file."""
    while True:
        aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            make(aside)
        except FileExistsError:
            continue
        return aside


def _become(aside: Path, path: Path) -> None:
    try:
        aside.rename(path)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        raise AlreadyThere(
            f"{path} cannot be written ({error.strerror})",
            "There is a folder of that name already, and it was not changed. Try again.",
        ) from error


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turn what the disk refuses in the block into a message that names the path.

    Raises
    ------
    ConfigError
        In place of an `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written ({error.strerror or error})",
            "Check the folder, its permissions and the free space; nothing was changed.",
        ) from error


def flush(path: Path) -> None:
    """Have a file, or the names in a folder, written to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
