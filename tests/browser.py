"""A real browser for the tests of pages: the Chromium of the machine, driven by Playwright.

Where there is none, the tests that ask for it are skipped; ``CHURNKIT_BROWSER`` names another one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def chromium() -> str | None:
    """The browser of the machine."""
    named = os.environ.get("CHURNKIT_BROWSER")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Opened:
    """A page in the browser, and what went wrong in it."""

    page: Page
    errors: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def violations(self) -> list[str]:
        """What axe finds against the rules of accessibility, with the elements it is about."""
        from axe_playwright_python.sync_playwright import Axe

        told = Axe().run(self.page).response["violations"]
        return [f"{v['id']}: {[n['target'] for n in v['nodes']][:5]}" for v in told]

    @property
    def too_wide(self) -> bool:
        """Whether the page must be scrolled sideways."""
        root = "document.documentElement"
        return bool(self.page.evaluate(f"{root}.scrollWidth > {root}.clientWidth"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, running for the tests of a module: its event loop would disturb those of others."""
    path = chromium()
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Containers have little shared memory, and their root may open no sandbox.
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        running = playwright.chromium.launch(executable_path=path, args=options)
        yield running
        running.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Any]:
    """A function that opens an HTML file; what is opened must raise no error and ask no network.

    Its options are those of `Browser.new_context`, such as ``viewport`` and ``color_scheme``.
    """
    contexts, pages = [], []

    def opens(path: Path, **options: Any) -> Opened:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        found = Opened(context.new_page())
        pages.append(found)
        found.page.on("pageerror", lambda error: found.errors.append(str(error)))
        found.page.on(
            "console",
            lambda said: found.errors.append(said.text) if said.type == "error" else None,
        )
        found.page.on("request", lambda request: found.asked.append(request.url))
        found.page.goto(path.resolve().as_uri())
        return found

    yield opens
    for context in contexts:
        context.close()
    for found in pages:
        assert found.errors == []
        assert [url for url in found.asked if not url.startswith(("file:", "blob:", "data:"))] == []
