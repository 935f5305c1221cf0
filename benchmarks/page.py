"""What the report of many customers weighs, and how soon it can be used: `make page`.

A shop is simulated, trained and scored as by `churnkit demo`; its scored customers are repeated
under other ids until there are as many as asked for, and `churnkit.report` makes their page. It is
opened again and again in the Chromium of the machine (CHURNKIT_BROWSER names another one), with a
new profile each time. Usable is the page when its script has made the call list ready.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from churnkit import terminal
from churnkit.demo import run
from churnkit.lights import LIGHTS
from churnkit.report import completed, write_report
from churnkit.report.calls import write_whole_list

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SCREENS: Mapping[str, Mapping[str, Any]] = {
    "desk": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}},
}
TIMES = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  return { usable: page.domContentLoadedEventEnd, painted: paint ? paint.startTime : NaN };
}"""
COLUMNS = {
    "calls": "calls",
    "screen": "screen",
    "kb": "KB",
    "gzipped": "KB gzipped",
    "painted": "painted after ms",
    "usable": "usable after ms",
    "slowest": "at the worst",
}


def many(folder: Path, customers: int) -> tuple[dict[str, Any], Path]:
    """The summary and the rows of a run of so many customers."""
    with terminal.progress() as progress:
        told = run(folder, customers=2000, progress=progress)
    rows = pd.read_parquet(told["paths"]["scores"])
    copies = -(-customers // len(rows))
    all_of_them = pd.concat([rows] * copies, ignore_index=True).iloc[:customers]
    copy = np.arange(customers) // len(rows)
    ids = [f"{name}-{k}" for name, k in zip(all_of_them["customer_id"], copy, strict=True)]
    rank = np.empty(customers, dtype=np.int64)
    rank[np.lexsort((copy, all_of_them["rank"]))] = np.arange(1, customers + 1)
    path = folder / "many.parquet"
    all_of_them.assign(customer_id=ids, rank=rank).to_parquet(path, index=False)
    return {**told, "lights": lights(told["lights"], all_of_them)}, path


def lights(told: list[dict[str, Any]], rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The lights of so many customers."""
    value = rows.groupby("light")["value_at_risk"].sum().reindex(LIGHTS)
    count = rows["light"].value_counts().reindex(LIGHTS, fill_value=0)
    return [
        {
            **light,
            "customers": int(count[light["light"]]),
            "share": float(count[light["light"]] / len(rows)),
            "value_at_risk": float(value[light["light"]]),
        }
        for light in told
    ]


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser of the machine."""
    from playwright.sync_api import sync_playwright

    named = os.environ.get("CHURNKIT_BROWSER")
    path = named or next((found for name in BROWSERS if (found := shutil.which(name))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser: Browser, page: Path, rounds: int, **screen: Any) -> dict[str, float]:
    """Medians of so many openings, in milliseconds; the first warms the machine up."""
    told = []
    for _ in range(rounds + 1):
        context = browser.new_context(**screen)
        there = context.new_page()
        there.goto(page.as_uri())
        there.wait_for_selector(".list.ready")
        told.append(there.evaluate(TIMES))
        context.close()
    kept = told[1:]
    return {
        "painted": statistics.median(one["painted"] for one in kept),
        "usable": statistics.median(one["usable"] for one in kept),
        "slowest": max(one["usable"] for one in kept),
    }


def timed(what: str, do: Callable[[], Any]) -> Any:
    """What it gives, once it has told how long it took."""
    started = time.perf_counter()
    found = do()
    print(f"{what}: {time.perf_counter() - started:.1f} s")
    return found


def main() -> None:
    """Print what the pages weigh and how soon they can be used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--calls", type=int, nargs="+", default=[100, 1_000, 5_000])
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        told, scores = many(Path(folder), asked.customers)
        listed = Path(folder) / "report.csv"
        timed("the whole list as CSV", lambda: write_whole_list(scores, listed))
        print(f"{asked.customers:,} customers scored, {listed.stat().st_size / 1e6:.1f} MB of CSV")
        whole = {"name": listed.name, "link": f"./{listed.name}", "rows": asked.customers}
        for calls in asked.calls:
            page = Path(folder) / f"report-{calls}.html"
            looked = {"kpis": told["kpis"], "watch": told["watch"], "whole": whole}
            summary = completed(told, scores, calls, **looked)
            timed(f"the page with {calls:,} calls", lambda: write_report(summary, page))  # noqa: B023
            content = page.read_bytes()
            weight = {"kb": len(content) / 1024, "gzipped": len(gzip.compress(content)) / 1024}
            rows += [
                {
                    "calls": calls,
                    "screen": name,
                    **weight,
                    **opened(browser, page, asked.rounds, **s),
                }
                for name, s in SCREENS.items()
            ]
    shown = [
        [f"{row[key]:,.0f}" if isinstance(row[key], float | int) else row[key] for key in COLUMNS]
        for row in rows
    ]
    terminal.out().print(terminal.table("The page", list(COLUMNS.values()), shown))


if __name__ == "__main__":
    main()
