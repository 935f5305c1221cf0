"""A file from the web: streamed to a part beside its place, gone on from, never mixed, bounded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse, responses
from pathlib import Path
from urllib.error import HTTPError

from churnkit import __version__
from churnkit.errors import ConfigError, DataError
from churnkit.fetch import web
from churnkit.progress import Progress, Step

_PASSING = (408, 425, 429)
_GONE = (404, 410)


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Parameters
    ----------
    timeout
        Seconds without an answer, or with less than a kilobyte a second, after which an attempt
        ends.
    tries
        Attempts in all.
    sleep
        Waits between attempts: 1, 2, 4 … seconds.
    """

    timeout: float = 30.0
    tries: int = 5
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Download:
    """Brings a file into ``part``, from where an earlier run was cut off if it is the same file.

    The server's mark of the file (ETag or Last-Modified) lies beside it in ``<part>.tag``; without
    one, or if the file has changed since, it comes from the beginning.

    Parameters
    ----------
    url
        Where the file is.
    part
        Where it grows.
    limit
        Bytes beyond which it cannot be the file that is meant.
    patience
        How long the server is waited for.
    progress
        Is told what is being done.
    """

    url: str
    part: Path
    limit: int
    patience: Patience
    progress: Progress

    def run(self) -> None:
        """Fetch the file to its end.

        Raises
        ------
        DataError
            If the server does not give it; what arrived is kept in ``part``.
        ConfigError
            If ``part`` cannot be written.
        """
        said = ""
        for attempt in range(self.patience.tries):
            if attempt:
                self.progress(f"trying again: {said}")
                self.patience.sleep(2.0 ** (attempt - 1))
            try:
                return self._attempt()
            except web.Interrupted as fault:
                said = str(fault)
        raise DataError(
            f"{self.url} could not be fetched in {self.patience.tries} attempts: {said}",
            f"Check the network (and HTTPS_PROXY, if there is a proxy). {self._kept()}",
        )

    def forget(self) -> None:
        """Remove the part and the mark of the file it belongs to."""
        with self._writable():
            self._tag.unlink(missing_ok=True)
            self.part.unlink(missing_ok=True)

    @property
    def _tag(self) -> Path:
        return self.part.with_name(f"{self.part.name}.tag")

    def _attempt(self) -> None:
        with self._writable():
            mark = self._tag.read_text("latin-1") if self._tag.exists() else ""
            have = self.part.stat().st_size if mark and self.part.exists() else 0
        asked = {"Range": f"bytes={have}-", "If-Range": mark} if have else {}
        try:
            answer = web.ask(
                self.url, {"User-Agent": f"churnkit/{__version__}", **asked}, self.patience.timeout
            )
        except HTTPError as error:
            with error:
                self._refused(error, have)
        else:
            with answer:
                self._write(answer, self._start(answer, have, mark))

    def _refused(self, error: HTTPError, have: int) -> None:
        if have and error.code == 416:
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return  # an earlier run had it all
            self.forget()
            raise web.Interrupted("what is here is longer than the file")
        told = f"the server answered {error.code} {responses.get(error.code, '')}".strip()
        if error.code >= 500 or error.code in _PASSING:
            raise web.Interrupted(told)
        gone = "It may have moved: its page is told by churnkit fetch --list."
        raise DataError(
            f"{self.url} could not be fetched: {told}",
            gone if error.code in _GONE else f"Try later, or fetch it by hand. {self._kept()}",
        )

    def _start(self, answer: HTTPResponse, have: int, mark: str) -> int:
        """Where the answer's first byte belongs; an answer that does not join on is given up."""
        if answer.status != 206:
            return 0
        joins = (answer.headers.get("Content-Range") or "").startswith(f"bytes {have}-")
        same = web.mark(answer.headers) in ("", mark)
        if have and joins and same and not web.packed(answer.headers):
            return have
        self.forget()
        raise web.Interrupted("the answer does not join on to what is here")

    def _write(self, answer: HTTPResponse, size: int) -> None:
        length = web.length(answer.headers)
        whole = None if length is None or web.packed(answer.headers) else size + length
        self._require_bounded(size + (length or 0))
        if not size:
            self.forget()
        with self._writable(), self.part.open("ab") as sink:
            mark = web.mark(answer.headers)
            if mark and not web.packed(answer.headers):
                self._tag.write_text(mark, "latin-1")
            for piece in web.body(answer, self.patience.timeout):
                sink.write(piece)
                size += len(piece)
                self._require_bounded(size)
                self.progress(self._fetched(size, whole))

    def _fetched(self, size: int, whole: int | None) -> str:
        """So many bytes are here, of so many where the server says how many there are."""
        if not whole:
            return f"fetching from {web.host(self.url)}: {size / 1e6:,.0f} MB"
        return Step(f"fetching {whole / 1e6:,.1f} MB from {web.host(self.url)}", size, whole)

    def _require_bounded(self, size: int) -> None:
        if size <= self.limit:
            return
        self.forget()
        raise DataError(
            f"{web.host(self.url)} sends more than the {self.limit:,} bytes that the file can have",
            "It is not the file that was published; nothing of it was kept.",
        )

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigError(
                f"{self.part} cannot be written ({error.strerror or error})",
                f"Check the folder, its permissions and the free space. {self._kept()}",
            ) from error

    def _kept(self) -> str:
        if not self._tag.exists():
            return "The next run begins anew."
        return f"What arrived is kept in {self.part}; the next run goes on from there."
