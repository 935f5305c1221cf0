"""A public set in its place: fetched, taken out of its archive, verified, with its licence."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churnkit.atomic import whole_file
from churnkit.errors import ConfigError, DataError
from churnkit.fetch.catalogue import Fingerprint, PublicSet
from churnkit.fetch.download import Download, Patience
from churnkit.progress import Progress, silent

_CHUNK = 1 << 16
# An archive of one file is hardly longer than the file.
_SLACK = 1 << 20
# A damaged archive makes zipfile seek to places that do not exist, among other things.
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, OSError,
)  # fmt: skip


@dataclass(frozen=True)
class Fetched:
    """A public set that is here and is what its authors published.

    Parameters
    ----------
    known
        The set.
    path
        Its file.
    notice
        The text with its origin and licence.
    downloaded
        Whether it was fetched now; False if it was here already.
    """

    known: PublicSet
    path: Path
    notice: Path
    downloaded: bool

    def told(self) -> dict[str, Any]:
        """As plain values, for the terminal and for programs."""
        return {
            **self.known.told(self.path.parent),
            "notice": str(self.notice),
            "downloaded": self.downloaded,
            "check": "sha256 as in churnkit's catalogue",
        }


def fetch_set(
    known: PublicSet,
    folder: Path,
    *,
    force: bool = False,
    patience: Patience | None = None,
    progress: Progress = silent,
) -> Fetched:
    """Fetch a public set into a folder; nothing is downloaded if it is there and verified.

    Parameters
    ----------
    force
        Fetch it even if a file of its name is there, and replace that.
    patience
        How long the server is waited for.
    progress
        Is told what is being done.

    Raises
    ------
    DataError
        If the server does not give it, or gives something else than was published.
    ConfigError
        If the folder cannot be written to, or another run is fetching it.
    """
    target = folder / known.file
    notice = folder / f"{known.file}.LICENCE.txt"
    there = not force and _is_there(target, known)
    if not there:
        with _alone(target):
            _bring(known, target, patience or Patience(), progress)
    if not (there and notice.exists()):
        with whole_file(notice) as aside:
            aside.write_text(known.notice(), encoding="utf-8")
    return Fetched(known, target, notice, downloaded=not there)


def _is_there(target: Path, known: PublicSet) -> bool:
    if not target.exists():
        return False
    try:
        found: Fingerprint | str = Fingerprint.of(target)
    except OSError as error:
        found = error.strerror or str(error)
    if found == known.kept:
        return True
    raise DataError(
        f"{target} is there but is not {known.name} as published",
        f"found:    {found}\nexpected: {known.kept}\nMove it away, or replace it with --force.",
    )


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(target.with_name(f".{target.name}.lock"), timeout=0)
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"another churnkit fetch is writing {target}", "Wait until it has finished."
        ) from error
    except OSError as error:
        raise ConfigError(
            f"{target} cannot be written ({error.strerror or error})",
            "Check the folder, its permissions and the free space; --to names another.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _bring(known: PublicSet, target: Path, patience: Patience, progress: Progress) -> None:
    part = target.with_name(f"{target.name}.part")
    limit = known.published.size + _SLACK
    download = Download(known.url, part, limit, patience, progress)
    download.run()
    progress(f"verifying {known.file}")
    try:
        with whole_file(target) as aside:
            with aside.open("wb") as sink:
                sink.writelines(_content(part, known))
            _require(Fingerprint.of(aside), known.published, known)
            if known.convert:
                aside.write_bytes(known.convert(aside.read_bytes()))
                _require(Fingerprint.of(aside), known.kept, known)
    except DataError:
        # Going on from a wrong file would give a wrong file.
        download.forget()
        raise
    download.forget()


def _require(found: Fingerprint, expected: Fingerprint, known: PublicSet) -> None:
    if found != expected:
        raise DataError(
            f"what {known.url} gave is not {known.name} as published; it was removed",
            f"found:    {found}\nexpected: {expected}\n"
            "Run it again; if that is no help, the file was changed at its source.",
        )


def _content(archive: Path, known: PublicSet) -> Iterator[bytes]:
    """The one named member of an archive that is not trusted, and no byte more than it may have."""
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(_member(opened, known)) as source:
            # zipfile ends at the size that the archive says, which is the published one.
            yield from iter(lambda: source.read(_CHUNK), b"")
    except _DAMAGED as error:
        raise _not_archive(known, f"a damaged archive, or none ({_opening(archive)})") from error


def _member(opened: zipfile.ZipFile, known: PublicSet) -> zipfile.ZipInfo:
    """The member by its exact name; its path in the archive never becomes a path here."""
    named = [info for info in opened.infolist() if info.filename == known.member]
    if len(named) != 1:
        raise _not_archive(known, f"{len(named)} files called {known.member!r}")
    [member] = named
    if member.file_size != known.published.size:
        raise _not_archive(
            known,
            f"{known.member} of {member.file_size:,} bytes instead of {known.published.size:,}",
        )
    if member.flag_bits & 1 or member.compress_type not in (
        zipfile.ZIP_STORED,
        zipfile.ZIP_DEFLATED,
    ):
        raise _not_archive(known, f"{known.member} encrypted or packed in an unusual way")
    return member


def _not_archive(known: PublicSet, held: str) -> DataError:
    return DataError(
        f"what {known.url} gave is not {known.name} as published: {held}; it was removed",
        "Run it again; if that is no help, a proxy or login page may stand between, or the file "
        "was changed at its source.",
    )


def _opening(archive: Path) -> str:
    with archive.open("rb") as file:
        return f"it begins with {file.read(24)!r}"
