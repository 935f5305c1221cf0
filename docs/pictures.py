"""Take the pictures of docs/images: pages in Chromium, and a terminal, of a simulated shop.

`python docs/pictures.py` makes a demo, scores it on four days, and takes the pictures;
`python docs/pictures.py FOLDER` takes them of a project that is there. The browser is the Chromium
of the machine, or the one that ``CHURNKIT_BROWSER`` names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
DAYS = ("2024-12-10", "2024-12-17", "2024-12-24", "2024-12-31")
CUSTOMER = "C00594"  # with a ticket, a complaint and a rhythm of its own
WIDE, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 780}
COLOURS = 128  # of a picture: enough for flat pages, and a third of the weight
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def churnkit(folder: Path, *arguments: str) -> None:
    """Run a command in a folder; what it prints is of no interest."""
    command = [sys.executable, "-m", "churnkit", *arguments]
    subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True)


def demo(parent: Path) -> Path:
    """A simulated shop, scored on four days, with everything of the last night."""
    churnkit(parent, "demo", "--out", "shop")
    shop = parent / "shop"
    for day in DAYS:
        churnkit(shop, "score", "--as-of", day, "--force")
    churnkit(shop, "run", "--as-of", DAYS[-1])
    return shop


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHURNKIT_BROWSER") or next(filter(None, map(shutil.which, BROWSERS)))
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


def save(name: str, png: bytes) -> None:
    """Write a picture with few colours."""
    picture = Image.open(BytesIO(png)).convert("RGB")
    few = picture.quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(IMAGES / f"{name}.png", optimize=True)
    print(f"{name}.png: {(IMAGES / f'{name}.png').stat().st_size / 1024:.0f} KB")


def shot(
    chromium: Any, page: Path, name: str, at: str = "", size: dict[str, int] = WIDE, **options: Any
) -> None:
    """A picture of what a page shows at once, from the element ``at`` on."""
    context = chromium.new_context(viewport=size, reduced_motion="reduce", **options)
    opened = context.new_page()
    opened.goto(page.resolve().as_uri())
    if at:
        # Twice: parts that were not drawn before get their height when they come into sight.
        for _ in range(2):
            opened.locator(at).first.evaluate("e => e.scrollIntoView({behavior: 'instant'})")
            opened.wait_for_timeout(300)
    save(name, opened.screenshot())
    context.close()


def take(project: Path) -> None:
    """All pictures of a project."""
    IMAGES.mkdir(exist_ok=True)
    reports = project / "reports"
    report, customer = reports / f"report-{DAYS[-1]}.html", reports / "customer.html"
    churnkit(project, "report", "--as-of", DAYS[-1], "--out", str(report))
    churnkit(project, "explain", CUSTOMER, "--as-of", DAYS[-1], "--html", str(customer))
    terminals = [sys.executable, str(ROOT / "docs" / "terminal_pictures.py"), str(project)]
    subprocess.run(terminals, check=True)
    with browser() as chromium:
        shot(chromium, report, "report-top")
        shot(chromium, report, "report-dark", color_scheme="dark")
        shot(chromium, report, "report-calls", at="#part-calls")
        shot(chromium, report, "report-phone", size=PHONE)
        shot(chromium, customer, "customer")


def main(folders: list[str]) -> None:
    """Take the pictures of a project, or of a demo that is made for it."""
    if folders:
        take(Path(folders[0]).resolve())
        return
    with tempfile.TemporaryDirectory() as scratch:
        take(demo(Path(scratch)))


if __name__ == "__main__":
    main(sys.argv[1:])
