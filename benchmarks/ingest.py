"""The contract checks against a bare scan of the same columns: time and memory as ratios.

    python benchmarks/ingest.py [--rows 10000000] [--memory 4GB] [--format parquet|csv] [--rounds 3]

Generates a shop's order lines once (in a temporary folder), then takes turns, each in a process of
its own: *bare* decodes every column with DuckDB and keeps nothing; *checks* judges every row by
the contract, counts rows by what became of them, customers and span, and finds exact repetitions;
*inspect* is all that ``churnkit check`` reads, with the profile of the log and the events of a
part of the customers. The figures told are the medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

from churnkit.logs import Contract
from churnkit.logs.collect import judge_all
from churnkit.sources import FileSource, connect, inspect_logs

COLUMNS = ("customer_id", "ts", "amount", "order_id", "product_id", "quantity")
WAYS = ("bare", "checks", "inspect")


def generate(path: Path, rows: int) -> None:
    """Write order lines: heavy-tailed customers, three lines an order, one fault in 10,000."""
    form = "FORMAT parquet" if path.suffix == ".parquet" else "FORMAT csv, HEADER"
    with duckdb.connect() as con:
        con.execute(
            f"""COPY (
                SELECT 'c' || CAST(pow(hash(i // 3) % 1000000 / 1e6, 3) * {rows} / 20 AS BIGINT)
                           AS customer_id,
                       TIMESTAMP '2021-01-01' + to_seconds((hash(i // 3 * 7) % 94608000)::INT)
                           AS ts,
                       CASE WHEN i % 10000 = 0 THEN NULL
                            ELSE ((hash(i * 3) % 10000)::INT - 500) / 100 END AS amount,
                       'o' || (i // 3) AS order_id,
                       'p' || hash(i * 5) % 5000 AS product_id,
                       1 + hash(i * 11) % 5 AS quantity
                FROM range({rows}) t(i)) TO '{path}' ({form})"""
        )


def bare(path: Path, memory: str) -> None:
    """Decode every column."""
    read = "read_parquet" if path.suffix == ".parquet" else "read_csv"
    text = "" if path.suffix == ".parquet" else ", all_varchar = true"
    columns = ", ".join(f"bit_xor(hash({name}))" for name in COLUMNS)
    with connect(memory, reads=[path]) as con:
        con.sql(f"SELECT {columns} FROM {read}('{path}'{text})").fetchall()


def checks(path: Path, memory: str) -> None:
    """Judge, count, find repetitions."""
    with connect(memory, reads=[path]) as con:
        rows = FileSource(path).attach(con, "purchases")
        judge_all(con, {"purchases": rows}, Contract())


def inspect(path: Path, memory: str) -> None:
    """Everything ``churnkit check`` reads."""
    inspect_logs({"purchases": FileSource(path)}, Contract(), memory_limit=memory)


def measured(way: str, path: Path, memory: str) -> tuple[float, float]:
    """Seconds and peak memory in GB of one way, in a process of its own."""
    arguments = [sys.executable, __file__, "--one", way, "--path", str(path), "--memory", memory]
    told = subprocess.run(arguments, check=True, capture_output=True, text=True)
    seconds, gigabytes = json.loads(told.stdout)
    return seconds, gigabytes


def one(way: str, path: Path, memory: str) -> None:
    """Run one way here and print what it took."""
    duckdb.sql("SELECT 1").to_arrow_table()  # what is imported once is not measured
    start = time.perf_counter()
    {"bare": bare, "checks": checks, "inspect": inspect}[way](path, memory)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(json.dumps([seconds, peak]))


def compare(path: Path, rows: int, memory: str, rounds: int) -> Table:
    """The ways in turns, as ratios to the bare scan."""
    taken: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            taken[way].append(measured(way, path, memory))
    told = Table(title=f"{rows:,} rows of {path.suffix[1:]}, limit {memory}, {rounds} rounds")
    for name in ("way", "seconds", "× bare", "peak GB"):
        told.add_column(name, justify="left" if name == "way" else "right")
    base = statistics.median(seconds for seconds, _ in taken["bare"])
    for way, figures in taken.items():
        seconds, peak = (statistics.median(column) for column in zip(*figures, strict=True))
        told.add_row(way, f"{seconds:.2f}", f"{seconds / base:.1f}", f"{peak:.2f}")
    return told


def main() -> None:
    """Parse and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--memory", default="4GB")
    parser.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        one(asked.one, asked.path, asked.memory)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"lines.{asked.format}"
        generate(path, asked.rows)
        Console().print(compare(path, asked.rows, asked.memory, asked.rounds))


if __name__ == "__main__":
    main()
