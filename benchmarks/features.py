"""Features of every customer at 1, 12 and 24 monthly cutoffs, against other ways of building them.

    python benchmarks/features.py [--events 1000000] [--cutoffs 1 12 24] [--rounds 3]
        [--ways bare churnkit sql pandas featuretools] [--featuretools PYTHON]
        [--memory-limit 4GB] [--folder FOLDER] [--json]

Generates a shop's purchases, activity and surveys, then takes turns, each in a process of its own:
*bare* decodes the needed columns with DuckDB and keeps nothing; *churnkit* checks the rows and
builds the features; *sql* is hand-written SQL, one query for each cutoff; *pandas* is a groupby for
each window and cutoff; *featuretools* calculates a sample of the customers and cutoffs with an
interpreter of its own. All but the first write the same 53 columns to Parquet, and what they wrote
is compared: cell by cell, or by checksums beyond three million rows. The figures told are those of
the fastest round, since a busy machine only adds; the ratio is the time for a row over churnkit's.
Exit 1 if ways disagree.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

from peers.columns import COLUMNS
from peers.shop import write_shop
from peers.turns import MODULES, Figures, Plan, take_turns
from rich.console import Console
from rich.table import Table

_MOST_CUSTOMERS = 5_000_000
_EVENTS_UP_TO = {"pandas": 10_000_000, "featuretools": 1_000_000}
_WIDTH = 110


def shop_of(folder: Path, events: int, customers: int) -> Path:
    """Folder with the logs of that size, generated unless they are there from an earlier run."""
    shop = folder / f"shop-{events}-{customers}"
    if not shop.exists():
        start = time.perf_counter()
        unfinished = shop.with_suffix(".unfinished")
        rows = write_shop(unfinished, events, customers)
        unfinished.rename(shop)
        say(f"generated {rows} in {time.perf_counter() - start:.1f} s")
    return shop


def say(line: str) -> None:
    """A line of progress."""
    print(line, file=sys.stderr, flush=True)


def time_of_a_row(figures: Figures) -> float:
    """Seconds for a row; of a way that writes none, seconds for the whole."""
    if figures.taken is None:
        return 0.0
    return figures.taken.seconds / (figures.rows or 1)


def ratio_to_churnkit(figures: Figures, told: Sequence[Figures]) -> float | None:
    """How many times as long as churnkit a way takes, ``None`` if either did not run."""
    for own in told:
        if own.way == "churnkit" and own.cutoffs == figures.cutoffs and own.taken:
            if figures.taken is None:
                return None
            if figures.rows:
                return time_of_a_row(figures) / time_of_a_row(own)
            return figures.taken.seconds / own.taken.seconds
    return None


def growth(told: Sequence[Figures]) -> Iterator[tuple[str, int, int, float]]:
    """Way, fewer cutoffs, more cutoffs, and how many times as long the more take."""
    by_way: dict[str, list[Figures]] = {}
    for figures in told:
        if figures.taken and figures.rows and figures.way != "featuretools":
            by_way.setdefault(figures.way, []).append(figures)
    for way, steps in by_way.items():
        for few, many in pairwise(steps):
            if few.taken and many.taken:
                yield way, few.cutoffs, many.cutoffs, many.taken.seconds / few.taken.seconds


def table_of(told: Sequence[Figures], cutoffs: int) -> Table:
    """The ways side by side for one number of cutoffs."""
    table = Table(title=f"{cutoffs} monthly cutoff{'s' * (cutoffs > 1)}", title_justify="left")
    for name in ("way", "wall s", "CPU s", "events/s", "rows/s", "peak GB", "× churnkit"):
        table.add_column(name, justify="left" if name == "way" else "right", no_wrap=True)
    for figures in told:
        if figures.cutoffs == cutoffs:
            table.add_row(*cells(figures, ratio_to_churnkit(figures, told)))
            for part, seconds in figures.taken.parts.items() if figures.taken else ():
                table.add_row(f"  {part}", f"{seconds:.2f}")
    return table


def cells(figures: Figures, ratio: float | None) -> Iterator[str]:
    """The cells of a way's row."""
    yield figures.way
    if figures.taken:
        yield f"{figures.taken.seconds:.2f}"
        yield f"{figures.taken.cpu:.2f}"
        yield f"{figures.events_per_second:,.0f}"
        yield f"{figures.rows_per_second:,.0f}" if figures.rows else "–"
        yield f"{figures.taken.peak:.2f}"
        yield "–" if ratio is None else f"{ratio:.2f}"


def as_json(plan: Plan, told: Sequence[Figures]) -> str:
    """Everything told, for programs."""
    figures = [
        asdict(f)
        | {"events_per_second": f.events_per_second, "rows_per_second": f.rows_per_second}
        | {"ratio": ratio_to_churnkit(f, told)}
        for f in told
    ]
    grown = [dict(zip(("way", "from", "to", "ratio"), g, strict=True)) for g in growth(told)]
    conditions = {"rounds": plan.rounds, "memory_limit": plan.memory, "cores": os.cpu_count()}
    return json.dumps(conditions | {"columns": len(COLUMNS), "figures": figures, "growth": grown})


def show(plan: Plan, told: Sequence[Figures]) -> None:
    """Print a table for each number of cutoffs, the notes, and how the time grows with cutoffs."""
    console = Console(width=_WIDTH, highlight=False)
    console.print(
        f"{len(COLUMNS)} columns; {os.cpu_count()} cores, limit {plan.memory}, "
        f"the fastest of {plan.rounds} rounds"
    )
    for cutoffs in plan.cutoffs:
        console.print(table_of(told, cutoffs), "")
    for figures in told:
        if figures.note:
            console.print(f"{figures.way}, cutoffs {figures.cutoffs}: {figures.note}")
    for way, few, many, times in growth(told):
        console.print(f"{way}: {many} cutoffs take {times:.2f} times as long as {few}")


def planned(asked: argparse.Namespace, scratch: Path) -> Plan:
    """What the arguments ask for, with the logs made."""
    folder = asked.folder.resolve() if asked.folder else scratch
    events = asked.events
    customers = asked.customers or min(max(events // 10, 1), _MOST_CUSTOMERS)
    affordable = (way for way in MODULES if events <= _EVENTS_UP_TO.get(way, events))
    return Plan(
        shop=shop_of(folder, events, customers),
        scratch=scratch / "written",
        ways=tuple(asked.ways or affordable),
        cutoffs=tuple(asked.cutoffs),
        rounds=asked.rounds,
        memory=asked.memory_limit,
        featuretools=asked.featuretools,
        sample=asked.sample,
    )


def parsed() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--customers", type=int, help="a tenth of the events, 5 million at most")
    parser.add_argument("--cutoffs", type=int, nargs="+", default=[1, 12, 24], metavar="N")
    parser.add_argument(
        "--ways", nargs="+", choices=MODULES, metavar="WAY",
        help=f"of {', '.join(MODULES)}; by default those that the size allows",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory-limit", default="4GB")
    parser.add_argument(
        "--featuretools", default=sys.executable, metavar="PYTHON",
        help='an interpreter with featuretools, pyarrow and "pandas<3"',
    )  # fmt: skip
    parser.add_argument(
        "--sample", type=int, default=20_000, help="customers that featuretools gets"
    )
    parser.add_argument("--folder", type=Path, help="where the logs are kept; else temporary")
    parser.add_argument("--json", action="store_true", help="print JSON, not tables")
    return parser.parse_args()


def main() -> None:
    """Parse, compare, tell."""
    asked = parsed()
    if asked.folder:
        asked.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        scratch = Path(temporary).resolve()
        plan = planned(asked, scratch)
        told = take_turns(plan, say)
    if asked.json:
        print(as_json(plan, told))
    else:
        show(plan, told)
    apart = [f"{f.way}, {f.cutoffs} cutoffs: {d}" for f in told for d in f.differences]
    if apart:
        sys.exit("\n".join(apart))


if __name__ == "__main__":
    main()
