"""The documentation site: it is built without a warning, hangs together, and needs no network."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from browser import browser, opened  # noqa: F401 - fixtures

import churnkit

pytest.importorskip("sphinx")

DOCS = Path(__file__).parents[1] / "docs"


@dataclass
class Page(HTMLParser):
    """What a page of the site links to, loads, and can be linked to by."""

    text: str
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.ids |= {told[name] for name in ("id", "name") if name in told}
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        elif tag == "link" and set(told.get("rel", "").split()) & {"stylesheet", "icon", "preload"}:
            self.loads.append(told["href"])
        elif "src" in told:
            self.loads.append(told["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make site` builds it, in a folder of its own; warnings are errors."""
    folder = tmp_path_factory.mktemp("site")
    command = ["-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q"]
    places = ["-d", str(folder / "doctrees"), str(DOCS), str(folder / "html")]
    built = subprocess.run(
        [sys.executable, *command, *places], capture_output=True, text=True, check=False
    )
    assert built.stderr == ""
    assert built.returncode == 0
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def inside(page: Path, links: list[str]) -> list[tuple[Path, str]]:
    """The files of the site that links of a page lead to, with the place on them."""
    parts = [urlsplit(link) for link in links]
    return [
        ((page.parent / unquote(part.path)).resolve() if part.path else page, part.fragment)
        for part in parts
        if not part.scheme and not part.netloc
    ]


def test_every_internal_link_leads_somewhere(pages: dict[Path, Page]) -> None:
    lost = [
        (page.name, target.name, place)
        for page, read in pages.items()
        for target, place in inside(page, read.links)
        if not target.is_file() or (target in pages and place and place not in pages[target].ids)
    ]
    assert lost == []


def test_nothing_is_loaded_from_another_host(site: Path, pages: dict[Path, Page]) -> None:
    assert any(read.loads for read in pages.values())
    for page, read in pages.items():
        assert [load for load in read.loads if urlsplit(load).netloc] == [], page.name
        assert [t.name for t, _ in inside(page, read.loads) if not t.is_file()] == [], page.name
    for style in site.rglob("*.css"):
        taken = re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")]+)", style.read_text("utf-8"))
        assert [url for url in taken if urlsplit(url).netloc] == [], style.name


def test_every_page_can_be_reached_from_the_first(site: Path, pages: dict[Path, Page]) -> None:
    reached, coming = set(), [site / "index.html"]
    while coming:
        page = coming.pop()
        if page in reached or page not in pages:
            continue
        reached.add(page)
        coming += [target for target, _ in inside(page, pages[page].links)]
    made = {page.relative_to(site).as_posix() for page in pages}
    missed = made - {page.relative_to(site).as_posix() for page in reached}
    assert missed <= {"search.html", "genindex.html", "py-modindex.html"}


def test_every_source_is_a_page(site: Path) -> None:
    sources = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    assert [str(page) for page in sources if not (site / page).is_file()] == []


def test_every_public_name_is_told(pages: dict[Path, Page], site: Path) -> None:
    told = pages[site / "reference" / "python.html"].ids
    names = {f"churnkit.{name}" for name in churnkit.__all__ if not name.startswith("__")}
    assert {name for name in names if not {name, f"module-{name}"} & told} == set()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["index", "tutorial/first-list", "model", "reference/python"])
def test_page_in_a_browser(site: Path, opened: Any, name: str, width: int, scheme: str) -> None:  # noqa: F811
    """No error, nothing asked of the network, and no page that is scrolled sideways."""
    page = opened(
        site / f"{name}.html", viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    assert page.page.locator("h1").first.is_visible()
    assert not page.too_wide
