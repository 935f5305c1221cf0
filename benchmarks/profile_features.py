"""Where the time of a feature table goes: `python benchmarks/profile_features.py`.

Builds the table of `benchmarks/features.py` once and adds up the CPU seconds of its steps. The
steps of the engine run one after another, each on all cores; those of the features run in several
threads, so that their wall time is less.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from features import shop_of
from peers import own
from peers.columns import monthly_cutoffs
from peers.run import Task
from rich.console import Console
from rich.table import Table

from churnkit.features import kernel

collect = import_module("churnkit.logs.collect")  # the package has a function of that name

STEPS: tuple[tuple[str, Any, str, Callable[[], float]], ...] = (
    ("read, judge and count every row", collect, "judge_all", time.process_time),
    ("fold rows to events", collect, "_fold", time.process_time),
    ("number the customers", collect, "_number_customers", time.process_time),
    ("sort, and store in blocks", collect, "_store_events", time.process_time),
    ("look up and compute", kernel.FeaturePlan, "_piece", time.thread_time),
    ("make Arrow of it", kernel, "arrow_columns", time.thread_time),
    ("write Parquet", pq.ParquetWriter, "write_batch", time.thread_time),
)
"""What is done, where the function is, and the clock that sees its work."""


@contextmanager
def clocked(spent: dict[str, float]) -> Iterator[None]:
    """Add up the CPU seconds of the steps as long as the context lasts."""
    with ExitStack() as undo:
        for step, owner, name, clock in STEPS:
            plain = getattr(owner, name)
            setattr(owner, name, _clocked(plain, step, clock, spent))
            undo.callback(setattr, owner, name, plain)
        yield


def _clocked(
    work: Callable[..., Any], step: str, clock: Callable[[], float], spent: dict[str, float]
) -> Callable[..., Any]:
    lock = threading.Lock()

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = clock()
        try:
            return work(*args, **kwargs)
        finally:
            took = clock() - start
            with lock:
                spent[step] += took

    return timed


def main() -> None:
    """Parse, build once, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--cutoffs", type=int, default=12)
    parser.add_argument("--memory-limit", default="4GB")
    parser.add_argument("--folder", type=Path, help="where the logs are kept; else temporary")
    asked = parser.parse_args()
    spent = dict.fromkeys((step for step, *_ in STEPS), 0.0)
    with tempfile.TemporaryDirectory(dir=asked.folder) as scratch:
        customers = min(asked.events // 10, 5_000_000)
        shop = shop_of(asked.folder or Path(scratch), asked.events, customers)
        days = monthly_cutoffs(asked.cutoffs)
        cpu, start = time.process_time(), time.perf_counter()
        with clocked(spent):
            own.build(Task(str(shop), scratch, days, asked.memory_limit))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - start
    spent["all else"] = cpu - sum(spent.values())
    table = Table(title=f"{asked.events:,} events, {asked.cutoffs} cutoffs: {wall:.1f} s")
    for name in ("step", "CPU s", "share"):
        table.add_column(name, justify="left" if name == "step" else "right")
    for step, seconds in spent.items():
        table.add_row(step, f"{seconds:.2f}", f"{seconds / cpu:.0%}")
    table.add_row("together", f"{cpu:.2f}", "100%")
    Console(width=100, highlight=False).print(table)


if __name__ == "__main__":
    main()
