"""How a web server is asked: over the web only, encrypted once begun, and never waited for long."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from email.message import Message
from http.client import HTTPException, HTTPResponse
from ssl import SSLCertVerificationError
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from churnkit.errors import DataError

_CHUNK = 1 << 16
_SLOWEST = 1024  # bytes a second
_TOLD = 200  # characters of what a server or the system says


class Interrupted(Exception):
    """An attempt that failed for a reason that may pass."""


def ask(url: str, headers: Mapping[str, str], timeout: float) -> HTTPResponse:
    """The answer of a server, its body still to be read.

    Raises
    ------
    HTTPError
        If the server answers with an error.
    Interrupted
        If no answer comes.
    DataError
        If the server cannot prove who it is, or leads to an address that is not followed.
    """
    request = Request(url, headers={"Accept-Encoding": "identity", **headers})  # noqa: S310
    try:
        return _opener().open(request, timeout=timeout)
    except HTTPError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, SSLCertVerificationError):
            raise DataError(
                f"{host(url)} does not prove who it is ({reason.verify_message})",
                "Check the clock and the certificates of this machine (SSL_CERT_FILE), or fetch "
                "the file by hand.",
            ) from error
        raise Interrupted(_said(reason, timeout)) from error


def body(response: HTTPResponse, timeout: float) -> Iterator[bytes]:
    """The content as it arrives, unpacked if the server packed it unasked, to its announced end.

    Raises
    ------
    Interrupted
        If it ends early, stalls, or comes with less than a kilobyte a second.
    """
    pieces = _arriving(response, timeout)
    yield from _unpacked(pieces) if packed(response.headers) else pieces


def packed(headers: Message) -> bool:
    """Whether the content is gzipped, though it was asked for as it is.

    Raises
    ------
    DataError
        If it is packed in another way.
    """
    told = (headers.get("Content-Encoding") or "identity").strip().lower()
    if told in ("identity", "gzip", "x-gzip"):
        return told != "identity"
    raise DataError(
        f"the server packs the file in a way that was not asked for ({told[:_TOLD]!r})",
        "Fetch it by hand; a proxy between may be the cause.",
    )


def mark(headers: Message) -> str:
    """What tells this content from a later one, or nothing.

    Weak marks do not promise equal bytes, so parts are not joined by them.
    """
    etag = headers.get("ETag") or ""
    return etag if etag.startswith('"') else headers.get("Last-Modified") or ""


def length(headers: Message) -> int | None:
    """Bytes that are announced to follow, packed as they are; None if that is not said."""
    told = headers.get("Content-Length") or ""
    return int(told) if told.isascii() and told.isdigit() else None


def host(url: str) -> str:
    """Scheme and host of an address: what may be shown of it, whatever its query holds."""
    split = urlsplit(url)
    return f"{split.scheme}://{split.hostname}"


def _arriving(response: HTTPResponse, timeout: float) -> Iterator[bytes]:
    wanted = length(response.headers)
    total, got, since = 0, 0, time.monotonic()
    while (wanted is None or total < wanted) and (piece := _read(response, timeout)):
        yield piece
        total, got = total + len(piece), got + len(piece)
        if time.monotonic() - since >= timeout:
            if got < _SLOWEST * timeout:
                raise Interrupted(f"only {got:,} bytes came in {timeout:g} seconds")
            got, since = 0, time.monotonic()
    if total < (wanted or 0):
        raise Interrupted(f"the connection ended after {total:,} of {wanted:,} bytes")


def _read(response: HTTPResponse, timeout: float) -> bytes:
    try:
        # read1 gives what is there; read would wait for a whole chunk of a trickle.
        return response.read1(_CHUNK)
    except (OSError, HTTPException, ValueError) as error:
        raise Interrupted(_said(error, timeout)) from error


def _unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    unpack = zlib.decompressobj(wbits=31)
    try:
        for piece in pieces:
            yield unpack.decompress(piece)
    except zlib.error as error:
        raise Interrupted("what the server packed cannot be unpacked") from error
    if not unpack.eof:
        raise Interrupted("what the server packed ends too early")


def _said(error: object, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing came for {timeout:g} seconds"
    told = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(told)[:_TOLD]


def _opener() -> OpenerDirector:
    """Opens http and https, through the proxies of the environment, and nothing else."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(), HTTPHandler(), HTTPSHandler(), _Redirects(),
        HTTPErrorProcessor(), HTTPDefaultErrorHandler(), UnknownHandler(),
    ):  # fmt: skip
        opener.add_handler(handler)
    return opener


class _Redirects(HTTPRedirectHandler):
    """Follows a server to another address, but neither out of the web nor out of encryption."""

    def http_error_302(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any) -> Any:
        scheme = urlsplit(headers.get("Location") or "").scheme
        if scheme not in ("", "https", req.type):
            fp.close()
            raise DataError(
                f"{host(req.full_url)} leads on to an address with {scheme}:, which is not "
                "followed",
                "Fetch the file by hand if you trust that address.",
            )
        return super().http_error_302(req, fp, code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302
