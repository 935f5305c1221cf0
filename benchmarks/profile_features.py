"""Where the time of a feature table goes: `python benchmarks/profile_features.py`.

Builds the table of `benchmarks/features.py` once and adds up the CPU seconds of its steps. The
steps of the engine run one after another, each on all cores; those of the features run in several
threads, so that their wall time is less.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from importlib import import_module
from pathlib import Path

import pyarrow.parquet as pq
from features import shop_of
from peers import own
from peers.columns import monthly_cutoffs
from peers.run import Task
from peers.stages import Stage, clocked
from rich.console import Console
from rich.table import Table

from churnkit.features import kernel

collect = import_module("churnkit.logs.collect")  # the package has a function of that name

STAGES = (
    Stage("read, judge and count every row", collect, "judge_all", alone=True),
    Stage("fold rows to events", collect, "_fold", alone=True),
    Stage("number the customers", collect, "_number_customers", alone=True),
    Stage("sort, and store in blocks", collect, "_store_events", alone=True),
    Stage("look up and compute", kernel.FeaturePlan, "_piece"),
    Stage("make Arrow of it", kernel, "arrow_columns"),
    Stage("write Parquet", pq.ParquetWriter, "write_batch"),
)


def main() -> None:
    """Parse, build once, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--cutoffs", type=int, default=12)
    parser.add_argument("--memory-limit", default="4GB")
    parser.add_argument("--folder", type=Path, help="where the logs are kept; else temporary")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as scratch:
        customers = min(asked.events // 10, 5_000_000)
        shop = shop_of(asked.folder or Path(scratch), asked.events, customers)
        days = monthly_cutoffs(asked.cutoffs)
        start = time.perf_counter()
        with clocked(STAGES) as spent:
            own.build(Task(str(shop), scratch, days, asked.memory_limit))
        wall, cpu = time.perf_counter() - start, sum(spent.values())
    table = Table(title=f"{asked.events:,} events, {asked.cutoffs} cutoffs: {wall:.1f} s")
    for name in ("step", "CPU s", "share"):
        table.add_column(name, justify="left" if name == "step" else "right")
    for step, seconds in spent.items():
        table.add_row(step, f"{seconds:.2f}", f"{seconds / cpu:.0%}")
    table.add_row("together", f"{cpu:.2f}", "100%")
    Console(width=100, highlight=False).print(table)


if __name__ == "__main__":
    main()
