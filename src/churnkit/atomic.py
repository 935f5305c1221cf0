"""Files and folders that appear whole or not at all: write aside, flush to disk, replace.

What is written aside is locked by its writer for as long as that lives. So what a killed process
left is told from what another one is writing now, and the next who writes the same removes it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import gettempdir

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
    made_folder(path.parent)
    with _held_beside(path, partial(Path.touch, exist_ok=False)) as aside, writable(path):
        yield aside
        flush(aside)
        aside.replace(path)
        flush(path.parent)


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
    made_folder(path.parent)
    with _held_beside(path, Path.mkdir) as aside, writable(path):
        yield aside
        for file in aside.rglob("*"):
            flush(file)
        _become(aside, path)


@contextmanager
def scratch_folder(within: Path | str | None = None) -> Iterator[Path]:
    """A new folder for this process and user alone, which is removed at the end.

    Parameters
    ----------
    within
        A folder that is there; by default where temporary files go.

    Raises
    ------
    ConfigError
        If it cannot be made there.
    """
    beside = Path(within or gettempdir()).absolute() / "churnkit-scratch"
    with _held_beside(beside, partial(Path.mkdir, mode=0o700)) as folder:
        yield folder


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


@contextmanager
def _held_beside(path: Path, make: Callable[[Path], None]) -> Iterator[Path]:
    """Something new beside a path, locked and then removed; of killed processes nothing stays."""
    with writable(path):
        _remove_left(path)
        aside, held = _new_and_held(path, make)
    try:
        yield aside
    finally:
        _removed(aside)
        if held is not None:
            os.close(held)


def _new_and_held(path: Path, make: Callable[[Path], None]) -> tuple[Path, int | None]:
    """Something new, and the descriptor that locks it; ``None`` where nothing can be locked."""
    while True:
        aside = new_beside(path, make)
        try:
            held = _locked(aside)
        except (BlockingIOError, FileNotFoundError):
            continue  # whoever removes what is left took it between the making and the lock
        except OSError:
            return aside, None
        if os.fstat(held).st_nlink:
            return aside, held
        os.close(held)


def _locked(path: Path) -> int:
    """A descriptor that locks it until it is closed, at the latest when its process ends."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_left(path: Path) -> None:
    """Remove what killed processes of this user left beside a path."""
    ours = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}")
    with os.scandir(path.parent) as there:
        left = [Path(entry.path) for entry in there if ours.fullmatch(entry.name)]
    for aside in left:
        with suppress(OSError):  # somebody writes it now, or it is another user's
            held = _locked(aside)
            try:
                if os.fstat(held).st_uid == os.geteuid():
                    _removed(aside)
            finally:
                os.close(held)


def _removed(aside: Path) -> None:
    if aside.is_dir() and not aside.is_symlink():
        shutil.rmtree(aside, ignore_errors=True)
    else:
        aside.unlink(missing_ok=True)


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
