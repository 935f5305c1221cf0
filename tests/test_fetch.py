"""Public sets: what comes from a web server is the published file to the last bit, or nothing.

A web server on this machine plays the public one, with every fault that a public one can have.
"""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import os
import random
import resource
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.request import Request

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from churnkit.cli import app
from churnkit.errors import ConfigError, DataError
from churnkit.fetch import CATALOGUE, Fetched, Fingerprint, Patience, PublicSet, fetch_set, web
from churnkit.progress import Step

REAL = os.environ.get("CHURNKIT_REAL_DATA", "")
CONTENT = random.Random(7).randbytes(200_000)
NO_WAIT = Patience(timeout=5.0, tries=3, sleep=lambda seconds: None)


def archive(member: str = "log.bin", content: bytes = CONTENT, **others: bytes) -> bytes:
    """A zip with one member, and perhaps others."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in {**others, member: content}.items():
            made.writestr(name, text)
    return sink.getvalue()


ARCHIVE = archive()


def fingerprint(content: bytes) -> Fingerprint:
    return Fingerprint(len(content), hashlib.sha256(content).hexdigest())


@dataclass
class Site:
    """What the server holds, the fault it has, and what it was asked."""

    content: bytes = ARCHIVE
    etag: str = '"one"'
    ranges: bool = True
    faults: list[Callable[[http.server.BaseHTTPRequestHandler], None]] = field(default_factory=list)
    asked: list[Message] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    sent: int = 0
    url: str = ""

    def starts(self) -> list[int]:
        """From which byte on the file was asked for, each time."""
        return [int((h["Range"] or "bytes=0-")[6:-1]) for h in self.asked]


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the site's one file; a fault, if one is left, answers instead."""

    site: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.site.asked.append(self.headers)
        self.site.paths.append(self.path)
        if self.site.faults:
            self.site.faults.pop(0)(self)
        else:
            self.serve()

    def serve(self, cut: int | None = None) -> None:
        """The file from where it is asked for; the connection ends after ``cut`` bytes."""
        site, start = self.site, 0
        if site.ranges and self.headers["Range"] and self.headers["If-Range"] == site.etag:
            start = int(self.headers["Range"][6:-1])
        if start and start >= len(site.content):
            return self.answer(416, b"", {"Content-Range": f"bytes */{len(site.content)}"})
        whole = f"bytes {start}-{len(site.content) - 1}/{len(site.content)}"
        headers = {"ETag": site.etag} | ({"Content-Range": whole} if start else {})
        return self.answer(206 if start else 200, site.content[start:], headers, cut)

    def answer(
        self, code: int, body: bytes, headers: dict[str, str] | None = None, cut: int | None = None
    ) -> None:
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.site.sent += len(body[:cut])  # before they arrive: then it is asked about at once
        self.wfile.write(body[:cut])
        self.close_connection = True

    def log_message(self, *told: Any) -> None: ...


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    handler = type("Its", (Handler,), {"site": site})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        site.url = f"http://127.0.0.1:{server.server_port}/log.zip"
        yield site
        server.shutdown()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(Site()) as served:
        yield served


def shop(site: Site, **changed: Any) -> PublicSet:
    """A tiny public set that the site publishes."""
    known = PublicSet(
        name="shop", what="a tiny shop", url=site.url, member="log.bin",
        published=fingerprint(CONTENT), file="shop.bin", kept=fingerprint(CONTENT),
        licence="CC0", citation="Nobody (2026).", page="https://example.org/shop",
    )  # fmt: skip
    return replace(known, **changed)


def fetched(site: Site, folder: Path, patience: Patience = NO_WAIT, **options: Any) -> Fetched:
    return fetch_set(shop(site), folder, patience=patience, **options)


def refusal(site: Site, folder: Path, patience: Patience = NO_WAIT, **changed: Any) -> str:
    """What is said when the set cannot be had; nothing that looks like it may be left."""
    with pytest.raises(DataError) as error:
        fetch_set(shop(site, **changed), folder, patience=patience)
    assert not (folder / "shop.bin").exists()
    return str(error.value)


def left(folder: Path) -> set[str]:
    """The names of visible files in a folder."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def cut(after: int) -> Callable[[Any], None]:
    return lambda handler: handler.serve(after)


def answers(code: int, body: bytes = b"", **headers: str) -> Callable[[Any], None]:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.answer(code, body, told)


class TestAFetch:
    def test_brings_the_file_as_published_with_its_licence_beside_it(
        self, site: Site, tmp_path: Path
    ) -> None:
        made = fetched(site, tmp_path / "new" / "data")
        assert made.downloaded
        assert made.path.read_bytes() == CONTENT
        assert left(made.path.parent) == {"shop.bin", "shop.bin.LICENCE.txt"}
        for said in ("CC0", "Nobody (2026).", site.url, fingerprint(CONTENT).sha256):
            assert said in made.notice.read_text()

    def test_downloads_nothing_if_the_file_is_there_and_verified(
        self, site: Site, tmp_path: Path
    ) -> None:
        fetched(site, tmp_path)
        assert not fetched(site, tmp_path).downloaded
        assert len(site.asked) == 1

    def test_leaves_a_different_file_of_that_name_alone(self, site: Site, tmp_path: Path) -> None:
        (tmp_path / "shop.bin").write_bytes(b"mine")
        with pytest.raises(DataError, match="not shop as published") as error:
            fetched(site, tmp_path)
        assert "--force" in error.value.mend
        assert (tmp_path / "shop.bin").read_bytes() == b"mine"
        assert site.asked == []

    def test_leaves_a_folder_of_that_name_alone(self, site: Site, tmp_path: Path) -> None:
        (tmp_path / "shop.bin").mkdir()
        with pytest.raises(DataError, match="Is a directory"):
            fetched(site, tmp_path)

    def test_replaces_it_when_forced(self, site: Site, tmp_path: Path) -> None:
        (tmp_path / "shop.bin").write_bytes(b"mine")
        assert fetched(site, tmp_path, force=True).path.read_bytes() == CONTENT

    def test_keeps_the_old_file_when_forced_in_vain(self, site: Site, tmp_path: Path) -> None:
        (tmp_path / "shop.bin").write_bytes(b"mine")
        site.content = archive(content=CONTENT[::-1])
        with pytest.raises(DataError):
            fetched(site, tmp_path, force=True)
        assert (tmp_path / "shop.bin").read_bytes() == b"mine"

    def test_gives_the_file_another_form_where_the_set_says_so(
        self, site: Site, tmp_path: Path
    ) -> None:
        known = shop(site, convert=_hexed, kept=fingerprint(HEXED))
        made = fetch_set(known, tmp_path, patience=NO_WAIT)
        assert made.path.read_bytes() == HEXED
        assert "no row was left out" in made.notice.read_text()
        assert not fetch_set(known, tmp_path, patience=NO_WAIT).downloaded

    def test_says_what_it_is_doing(self, site: Site, tmp_path: Path) -> None:
        site.faults = [cut(150_000)]
        told: list[str] = []
        fetched(site, tmp_path, progress=told.append)
        assert told[-1] == "verifying shop.bin"
        assert any(line.startswith("trying again: the connection ended") for line in told)
        arriving = [line for line in told if isinstance(line, Step)]
        assert {line.of for line in arriving} == {len(ARCHIVE)}
        assert arriving[-1].done == len(ARCHIVE)

    def test_goes_through_the_proxy_of_the_environment(
        self, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", site.url.removesuffix("/log.zip"))
        monkeypatch.setenv("no_proxy", "")
        public = "http://sets.example/log.zip"
        assert fetch_set(shop(site, url=public), tmp_path, patience=NO_WAIT).downloaded
        assert site.paths == [public]

    def test_is_alone_with_its_file(self, site: Site, tmp_path: Path) -> None:
        inner: list[BaseException] = []

        def try_beside(message: str) -> None:
            with pytest.raises(ConfigError, match="another churnkit fetch") as error:
                fetched(site, tmp_path)
            inner.append(error.value)

        fetched(site, tmp_path, progress=try_beside)
        assert inner


def _hexed(content: bytes) -> bytes:
    return content.hex().encode()


HEXED = _hexed(CONTENT)


class TestACutConnection:
    def test_is_gone_on_from_in_the_same_run(self, site: Site, tmp_path: Path) -> None:
        site.faults = [cut(50_000), cut(50_000)]
        assert fetched(site, tmp_path).path.read_bytes() == CONTENT
        assert site.starts() == [0, 50_000, 100_000]
        assert site.sent == len(ARCHIVE)

    def test_is_gone_on_from_in_a_later_run(self, site: Site, tmp_path: Path) -> None:
        site.faults = [cut(50_000), cut(0), cut(0)]
        said = refusal(site, tmp_path)
        assert "in 3 attempts: the connection ended after 0 of" in said
        assert "shop.bin.part; the next run goes on from there" in said
        assert left(tmp_path) == {"shop.bin.part", "shop.bin.part.tag"}
        fetched(site, tmp_path)
        assert site.asked[-1]["If-Range"] == '"one"'
        assert site.sent == len(ARCHIVE)
        assert left(tmp_path) == {"shop.bin", "shop.bin.LICENCE.txt"}

    def test_waits_longer_before_each_attempt(self, site: Site, tmp_path: Path) -> None:
        site.faults = [cut(10)] * 5
        waited: list[float] = []
        refusal(site, tmp_path, Patience(5.0, 5, waited.append))
        assert waited == [1, 2, 4, 8]

    def test_starts_over_if_the_file_has_changed(self, site: Site, tmp_path: Path) -> None:
        site.content, site.etag = archive(content=CONTENT[::-1]), '"old"'
        site.faults = [cut(50_000), cut(0), cut(0)]
        refusal(site, tmp_path)
        site.content, site.etag = ARCHIVE, '"one"'
        assert fetched(site, tmp_path).path.read_bytes() == CONTENT
        assert site.asked[-1]["If-Range"] == '"old"'

    def test_starts_over_if_a_server_would_join_what_has_changed(
        self, site: Site, tmp_path: Path
    ) -> None:
        rest = f"bytes 50000-{len(ARCHIVE) - 1}/{len(ARCHIVE)}"
        changed = answers(206, ARCHIVE[50_000:], ETag='"two"', Content_Range=rest)
        site.faults = [cut(50_000), changed]
        assert fetched(site, tmp_path).path.read_bytes() == CONTENT
        assert site.starts() == [0, 50_000, 0]

    @pytest.mark.parametrize("told", ["", "bytes 7-9/10", "nonsense"])
    def test_starts_over_if_the_answer_does_not_join_on(
        self, site: Site, tmp_path: Path, told: str
    ) -> None:
        site.faults = [cut(50_000), answers(206, b"x" * 100, ETag='"one"', Content_Range=told)]
        assert fetched(site, tmp_path).path.read_bytes() == CONTENT
        assert site.starts() == [0, 50_000, 0]

    def test_starts_over_at_a_server_that_cannot_go_on(self, site: Site, tmp_path: Path) -> None:
        site.ranges, site.faults = False, [cut(50_000)]
        assert fetched(site, tmp_path).path.read_bytes() == CONTENT
        assert site.starts() == [0, 50_000]
        assert site.sent == 50_000 + len(ARCHIVE)

    @pytest.mark.parametrize("etag", ["", 'W/"weak"'])
    def test_starts_over_if_nothing_tells_the_file_from_a_later_one(
        self, site: Site, tmp_path: Path, etag: str
    ) -> None:
        site.etag, site.faults = etag, [cut(50_000)]
        assert fetched(site, tmp_path).path.read_bytes() == CONTENT
        assert site.starts() == [0, 0]

    def test_trusts_the_time_of_change_where_there_is_no_mark(
        self, site: Site, tmp_path: Path
    ) -> None:
        changed = "Wed, 21 Oct 2015 07:28:00 GMT"
        site.faults = [
            lambda h: h.answer(200, ARCHIVE, {"Last-Modified": changed, "ETag": 'W/"x"'}, 9)
        ]
        fetched(site, tmp_path)
        assert site.asked[-1]["If-Range"] == changed

    def test_needs_no_byte_more_if_all_had_arrived(self, site: Site, tmp_path: Path) -> None:
        (tmp_path / "shop.bin.part").write_bytes(ARCHIVE)
        (tmp_path / "shop.bin.part.tag").write_text('"one"')
        assert fetched(site, tmp_path).path.read_bytes() == CONTENT
        assert site.sent == 0

    def test_starts_over_if_more_is_here_than_there(self, site: Site, tmp_path: Path) -> None:
        (tmp_path / "shop.bin.part").write_bytes(ARCHIVE + b"more")
        (tmp_path / "shop.bin.part.tag").write_text('"one"')
        assert fetched(site, tmp_path).path.read_bytes() == CONTENT
        assert site.starts() == [len(ARCHIVE) + 4, 0]

    @settings(
        max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(cuts=st.lists(st.integers(0, len(ARCHIVE)), max_size=6))
    def test_anywhere_and_any_number_of_times_gives_the_same_file(
        self, tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
    ) -> None:
        with serving(Site(faults=[cut(after) for after in cuts])) as site:
            patience = Patience(5.0, len(cuts) + 1, lambda seconds: None)
            made = fetched(site, tmp_path_factory.mktemp("cuts"), patience)
            assert made.path.read_bytes() == CONTENT
            assert site.sent == len(ARCHIVE)


class TestAServer:
    @pytest.mark.parametrize("code", [404, 410])
    def test_that_has_it_no_more_is_asked_once(self, site: Site, tmp_path: Path, code: int) -> None:
        site.faults = [answers(code)]
        said = refusal(site, tmp_path)
        assert f"answered {code}" in said
        assert "may have moved" in said
        assert len(site.asked) == 1

    @pytest.mark.parametrize("code", [400, 401, 403, 416, 451])
    def test_that_refuses_is_asked_once(self, site: Site, tmp_path: Path, code: int) -> None:
        site.faults = [answers(code)]
        assert f"answered {code}" in refusal(site, tmp_path)
        assert len(site.asked) == 1

    @pytest.mark.parametrize("code", [429, 500, 502, 503])
    def test_in_trouble_is_asked_again(self, site: Site, tmp_path: Path, code: int) -> None:
        site.faults = [answers(code)]
        assert fetched(site, tmp_path).downloaded
        site.faults = [answers(code)] * 3
        assert f"in 3 attempts: the server answered {code}" in refusal(site, tmp_path / "b")

    def test_in_trouble_half_way_costs_nothing_that_is_here(
        self, site: Site, tmp_path: Path
    ) -> None:
        site.faults = [cut(50_000), answers(503)]
        fetched(site, tmp_path)
        assert site.starts() == [0, 50_000, 50_000]

    def test_that_is_down_is_named(self, site: Site, tmp_path: Path) -> None:
        nobody = "http://127.0.0.1:9/log.zip"
        said = refusal(site, tmp_path, url=nobody)
        assert f"{nobody} could not be fetched in 3 attempts: Connection refused" in said
        assert "HTTPS_PROXY" in said

    def test_that_says_nothing_is_left(self, site: Site, tmp_path: Path) -> None:
        over = threading.Event()
        site.faults = [lambda handler: over.wait(5)] * 2
        said = refusal(site, tmp_path, Patience(0.2, 2, lambda seconds: None))
        over.set()
        assert "nothing came for 0.2 seconds" in said

    def test_that_trickles_is_left_though_it_never_quite_stops(
        self, site: Site, tmp_path: Path
    ) -> None:
        over = threading.Event()

        def trickle(handler: Any) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(ARCHIVE)))
            handler.end_headers()
            with closing(handler.wfile):
                for byte in ARCHIVE:
                    handler.wfile.write(bytes([byte]))
                    if over.wait(0.05):
                        return

        site.faults = [trickle]
        began = time.monotonic()
        said = refusal(site, tmp_path, Patience(0.3, 1, lambda seconds: None))
        over.set()
        assert "bytes came in 0.3 seconds" in said
        assert time.monotonic() - began < 30

    def test_that_speaks_no_http_is_named(self, site: Site, tmp_path: Path) -> None:
        site.faults = [lambda handler: handler.wfile.write(b"SSH-2.0-nothing\r\n\r\n")] * 3
        assert "SSH-2.0-nothing" in refusal(site, tmp_path)

    def test_that_announces_too_little_gives_no_file(self, site: Site, tmp_path: Path) -> None:
        site.faults = [answers(200, ARCHIVE, Content_Length="1000")]
        assert "a damaged archive, or none" in refusal(site, tmp_path)
        assert left(tmp_path) == set()

    def test_that_announces_too_much_is_left_at_once(self, site: Site, tmp_path: Path) -> None:
        site.faults = [answers(200, b"", Content_Length="1000000000000")]
        assert "sends more than the 1,248,576 bytes" in refusal(site, tmp_path)

    def test_without_end_is_left_in_time(self, site: Site, tmp_path: Path) -> None:
        def endless(handler: Any) -> None:
            handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
            while True:
                try:
                    handler.wfile.write(b"0" * 65536)
                except OSError:
                    handler.close_connection = True
                    return

        site.faults = [endless]
        assert "sends more than" in refusal(site, tmp_path)
        assert left(tmp_path) == set()

    def test_that_sends_in_chunks_is_understood(self, site: Site, tmp_path: Path) -> None:
        def chunked(handler: Any, end: bytes = b"0\r\n\r\n") -> None:
            handler.answer(200, b"", {"Content-Length": "", "Transfer-Encoding": "chunked"})
            for k in range(0, len(ARCHIVE), 30_000):
                piece = ARCHIVE[k : k + 30_000]
                handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            handler.wfile.write(end)

        site.faults = [chunked]
        assert fetched(site, tmp_path).path.read_bytes() == CONTENT
        site.faults = [lambda handler: chunked(handler, b"ffff\r\nshort")] * 3
        assert "in 3 attempts" in refusal(site, tmp_path / "cut")


class TestPackedContent:
    """A server or proxy may gzip what it was asked to send as it is."""

    def test_is_asked_for_as_it_is(self, site: Site, tmp_path: Path) -> None:
        fetched(site, tmp_path)
        assert site.asked[0]["Accept-Encoding"] == "identity"

    def test_is_unpacked(self, site: Site, tmp_path: Path) -> None:
        packed = gzip.compress(ARCHIVE)
        site.faults = [answers(200, packed, Content_Encoding="gzip", ETag='"p"')]
        assert fetched(site, tmp_path).path.read_bytes() == CONTENT

    def test_that_was_cut_is_not_joined_with_what_is_not_packed(
        self, site: Site, tmp_path: Path
    ) -> None:
        packed = gzip.compress(ARCHIVE)
        headers = {"Content-Encoding": "gzip", "ETag": '"p"'}
        site.faults = [lambda handler: handler.answer(200, packed, headers, 40_000)]
        assert fetched(site, tmp_path).path.read_bytes() == CONTENT
        assert site.starts() == [0, 0]

    @pytest.mark.parametrize("body", [gzip.compress(ARCHIVE)[:-20], b"not gzip at all"])
    def test_that_is_damaged_is_refused(self, site: Site, tmp_path: Path, body: bytes) -> None:
        site.faults = [answers(200, body, Content_Encoding="gzip")] * 3
        assert "what the server packed" in refusal(site, tmp_path)

    def test_in_another_way_is_refused(self, site: Site, tmp_path: Path) -> None:
        site.faults = [answers(200, b"?", Content_Encoding="br")]
        assert "'br'" in refusal(site, tmp_path)


class TestARedirect:
    def test_within_the_web_is_followed(self, site: Site, tmp_path: Path) -> None:
        site.faults = [answers(302, Location="/elsewhere"), cut(50_000)]
        assert fetched(site, tmp_path).path.read_bytes() == CONTENT
        assert site.paths == ["/log.zip", "/elsewhere", "/log.zip"]

    @pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize("place", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x"])
    def test_out_of_the_web_is_refused(
        self, site: Site, tmp_path: Path, code: int, place: str
    ) -> None:
        site.faults = [answers(code, Location=place)]
        scheme = place.partition(":")[0]
        assert f"leads on to an address with {scheme}:" in refusal(site, tmp_path)
        assert len(site.asked) == 1

    def test_out_of_encryption_is_refused(self) -> None:
        headers = Message()
        headers["Location"] = "http://sets.example/log.zip"
        request = Request("https://sets.example/log.zip")
        with pytest.raises(DataError, match="address with http:"):
            web._Redirects().http_error_302(request, io.BytesIO(), 302, "Found", headers)

    def test_in_a_circle_ends(self, site: Site, tmp_path: Path) -> None:
        site.faults = [answers(302, Location="/log.zip")] * 30
        assert "answered 302" in refusal(site, tmp_path)

    def test_with_a_secret_in_its_address_does_not_tell_it(
        self, site: Site, tmp_path: Path
    ) -> None:
        site.faults = [answers(302, Location="/x?signature=s3cret"), answers(403)]
        assert "s3cret" not in refusal(site, tmp_path)


class TestWhatIsNotThePublishedFile:
    def test_is_removed_and_both_digests_are_told(self, site: Site, tmp_path: Path) -> None:
        other = CONTENT[:-1] + b"?"
        site.content = archive(content=other)
        said = refusal(site, tmp_path)
        assert fingerprint(other).sha256 in said
        assert fingerprint(CONTENT).sha256 in said
        assert left(tmp_path) == set()

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"<!DOCTYPE html><title>Log in</title>", "b'<!DOCTYPE html><title>Lo'"),
            (b"", "a damaged archive, or none"),
            (archive("other.bin"), "0 files called 'log.bin'"),
            (archive("../log.bin"), "0 files called 'log.bin'"),
            (archive("/log.bin"), "0 files called 'log.bin'"),
            (archive(content=CONTENT + b"longer"), "log.bin of 200,006 bytes instead of 200,000"),
            (ARCHIVE[:-30], "a damaged archive, or none"),
        ],
    )  # fmt: skip
    def test_is_refused_as_an_archive(
        self, site: Site, tmp_path: Path, content: bytes, said: str
    ) -> None:
        site.content = content
        assert said in refusal(site, tmp_path)
        assert left(tmp_path) == set()

    def test_may_not_lie_twice_in_the_archive(self, site: Site, tmp_path: Path) -> None:
        # ZipFile warns of a second member of one name, so one of another name is renamed.
        site.content = archive(**{"log.bix": b"x"}).replace(b"log.bix", b"log.bin")
        assert "2 files called 'log.bin'" in refusal(site, tmp_path)

    def test_may_not_be_encrypted_nor_packed_strangely(self, site: Site, tmp_path: Path) -> None:
        entry = ARCHIVE.rindex(b"PK\x01\x02")
        for offset, value in ((8, b"\x01\x00"), (10, b"\x0e\x00")):
            at = entry + offset
            site.content = ARCHIVE[:at] + value + ARCHIVE[at + 2 :]
            assert "encrypted or packed in an unusual way" in refusal(site, tmp_path)

    def test_may_not_grow_beyond_what_the_archive_says(self, site: Site, tmp_path: Path) -> None:
        bomb = archive(content=bytes(300_000_000))
        told = (300_000_000).to_bytes(4, "little")
        site.content = bomb.replace(told, len(CONTENT).to_bytes(4, "little"))
        assert site.content != bomb
        began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        refusal(site, tmp_path)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - began < 100_000
        assert left(tmp_path) == set()

    def test_does_not_reach_outside_its_place(self, site: Site, tmp_path: Path) -> None:
        site.content = archive(**{"../evil": b"x", "/tmp/evil": b"x", "beside": b"x"})
        fetched(site, tmp_path / "data")
        assert left(tmp_path) == {"data"}
        assert left(tmp_path / "data") == {"shop.bin", "shop.bin.LICENCE.txt"}

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        at=st.one_of(st.integers(0, 60), st.integers(len(ARCHIVE) - 90, len(ARCHIVE) - 1)),
        value=st.integers(0, 255),
    )
    def test_is_found_out_whatever_byte_of_the_archive_is_changed(
        self, tmp_path_factory: pytest.TempPathFactory, at: int, value: int
    ) -> None:
        content = ARCHIVE[:at] + bytes([value]) + ARCHIVE[at + 1 :]
        folder = tmp_path_factory.mktemp("flip")
        with serving(Site(content=content)) as site:
            try:
                assert fetched(site, folder).path.read_bytes() == CONTENT
            except DataError:
                assert left(folder) == set()


class TestADisk:
    def test_that_is_full_is_named_and_what_arrived_is_kept(
        self, site: Site, tmp_path: Path
    ) -> None:
        with no_file_longer_than(70_000), pytest.raises(ConfigError) as error:
            fetched(site, tmp_path)
        assert "shop.bin.part cannot be written" in str(error.value)
        assert "the next run goes on from there" in error.value.mend
        assert fetched(site, tmp_path).path.read_bytes() == CONTENT
        assert 0 < site.starts()[-1] <= 70_000

    def test_that_is_full_at_the_end_keeps_the_archive(self, site: Site, tmp_path: Path) -> None:
        content = bytes(100_000)
        site.content = archive(content=content)
        known = shop(site, published=fingerprint(content), kept=fingerprint(content))
        with no_file_longer_than(70_000), pytest.raises(ConfigError):
            fetch_set(known, tmp_path, patience=NO_WAIT)
        assert left(tmp_path) == {"shop.bin.part", "shop.bin.part.tag"}

    def test_where_the_folder_is_a_file_is_told_before_anything_is_asked(
        self, site: Site, tmp_path: Path
    ) -> None:
        (tmp_path / "data").write_text("")
        with pytest.raises(ConfigError, match="cannot be written"):
            fetched(site, tmp_path / "data")
        assert site.asked == []


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """To a program, a limit on the length of files is like a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestTheCatalogue:
    @pytest.mark.parametrize("known", CATALOGUE.values(), ids=lambda known: known.name)
    def test_is_complete(self, known: PublicSet) -> None:
        assert CATALOGUE[known.name] is known
        assert known.url.startswith("https://")
        assert known.page.startswith("https://")
        assert known.licence
        assert known.citation
        for told in (known.published, known.kept):
            assert len(bytes.fromhex(told.sha256)) == 32
            assert told.size > 0
        assert (known.published == known.kept) == (known.convert is None)
        assert "/" not in known.file

    @pytest.mark.skipif(not REAL, reason="CHURNKIT_REAL_DATA names no folder")
    def test_holds_the_digest_of_cdnow_as_its_rows_give_it(self) -> None:
        """The published file written anew from another copy of its rows has the same digest."""
        import duckdb

        told = Path(REAL) / "cdnow" / "transactions.parquet"
        with duckdb.connect() as con:
            rows = con.sql(
                f"SELECT customer_id, strftime(timestamp, '%Y%m%d'), quantity, amount FROM '{told}'"
            ).fetchall()
        text = "".join(f" {c:05d} {day} {n:2d} {worth:7.2f}\r\n" for c, day, n, worth in rows)
        known = CATALOGUE["cdnow"]
        assert fingerprint(text.encode()) == known.published
        assert known.convert is not None
        assert fingerprint(known.convert(text.encode())) == known.kept

    def test_gives_cdnow_a_header_and_dates(self) -> None:
        convert = CATALOGUE["cdnow"].convert
        assert convert is not None
        assert convert(b" 00001 19970101  1   11.77\r\n 23570 19970326 12  142.96\r\n") == (
            b"customer_id,date,quantity,amount\n00001,1997-01-01,1,11.77\n"
            b"23570,1997-03-26,12,142.96\n"
        )


@pytest.fixture
def in_catalogue(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PublicSet:
    """The tiny set among those that the command knows, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(CATALOGUE, "shop", shop(site))
    return CATALOGUE["shop"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["fetch", *arguments], catch_exceptions=False)


@pytest.mark.usefixtures("in_catalogue")
class TestTheCommand:
    def test_lists_what_it_knows(self) -> None:
        assert "online-retail-ii" in run("--list").stdout
        sets = json.loads(run("--list", "--json").stdout)["sets"]
        assert {"cdnow", "online-retail-ii", "shop"} == {known["name"] for known in sets}

    def test_shows_the_licence_first_and_the_next_step_last(self, tmp_path: Path) -> None:
        done = run("shop")
        assert done.exit_code == 0
        assert "Licence: CC0" in done.stderr
        assert "Verified: sha256 as in churnkit's catalogue" in done.stdout
        assert done.stdout.splitlines()[-1] == "Next: churnkit init --purchases data/shop.bin"
        assert (tmp_path / "data" / "shop.bin").read_bytes() == CONTENT

    def test_says_that_it_is_there_already(self) -> None:
        run("shop")
        again = run("shop")
        assert again.exit_code == 0
        assert "Already there, nothing was downloaded" in again.stdout

    def test_tells_programs_the_same(self) -> None:
        told = json.loads(run("shop", "--to", "my logs", "--json").stdout)
        assert told["path"] == "my logs/shop.bin"
        assert told["downloaded"] is True
        assert told["sha256"] == fingerprint(CONTENT).sha256
        assert told["init"] == "churnkit init --purchases 'my logs/shop.bin'"

    @pytest.mark.parametrize(
        ("name", "said"), [("cdnw", "Did you mean 'cdnow'"), ("", "no public")]
    )
    def test_knows_what_it_does_not_know(self, name: str, said: str) -> None:
        done = run(name)
        assert done.exit_code == 2
        assert said in done.stderr

    def test_exits_with_3_if_it_is_not_what_was_published(self, site: Site) -> None:
        site.content = archive(content=CONTENT[::-1])
        done = run("shop")
        assert done.exit_code == 3
        assert done.stdout == ""
        assert "expected: 200,000 bytes, sha256" in done.stderr
