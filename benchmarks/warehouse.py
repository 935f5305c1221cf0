"""Features of logs that lie in PostgreSQL, streamed as the server sorts them, against a bare COPY.

    python benchmarks/warehouse.py [--rows 10000000] [--customers 1000000]
        [--url postgresql://postgres@127.0.0.1:5432/test] [--memory-limit 1GB] [--rounds 1] [--json]

Loads a simulated shop (purchases, activity, surveys) into tables of a schema of its own, which is
dropped whatever happens. Then takes turns, each in a process of its own: *bare* has the server sort
the same columns by customer and time and drains them (ADBC, which is a COPY), and keeps nothing;
*store* is churnkit with ``engine = "store"``: the server sorts, every row is checked, the features
of one cutoff are built and written; *duckdb* is churnkit with ``engine = "duckdb"``: rows come as
they lie and are sorted here. Told are the wall seconds of the fastest round, the peak memory of the
process, and the ratio to bare. Both ways of churnkit must write the same features.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from peers.run import alone, cpu_seconds, peak_memory
from peers.shop import LOGS, write_shop
from rich.console import Console
from rich.table import Table

from churnkit.clock import Cutoff
from churnkit.engines.store import StoreTable, store_logs
from churnkit.features import FeatureSpec, plan_features, write_features
from churnkit.sources import SqlSource, open_logs

BARE, STORE, DUCKDB = "bare", "store", "duckdb"
WAYS = (BARE, STORE, DUCKDB)
AS_OF = Cutoff.parse("2024-12-01")
_SILENT_SECONDS = 1800.0  # a busy server may sort for long before its first row
_BARE_ORDER = 'customer_id COLLATE "C", ts'
_WIDTH = 100


@dataclass(frozen=True)
class Turn:
    """One way, the store, the schema of the tables, and the memory of the engine."""

    way: str
    url: str
    schema: str
    memory_limit: str

    def sources(self) -> dict[str, SqlSource]:
        """Log → its table."""
        return {
            log: SqlSource(self.url, f"{self.schema}.{log}", timeout_seconds=_SILENT_SECONDS)
            for log in LOGS
        }

    def run(self) -> Taken:
        """Take the turn here."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "features.parquet"
            cpu, begun = cpu_seconds(), time.perf_counter()
            rows, read = self._drained() if self.way == BARE else self._features(out)
            taken = Taken(
                rows, time.perf_counter() - begun, read - begun, cpu_seconds() - cpu, peak_memory()
            )
            return taken if self.way == BARE else replace(taken, sha256=_content(out))

    def _drained(self) -> tuple[int, float]:
        rows = 0
        with closing(_connected(self.url)) as con, closing(con.cursor()) as cursor:
            for log in LOGS:
                cursor.execute(f"SELECT * FROM {self.schema}.{log} ORDER BY {_BARE_ORDER}")
                rows += sum(len(batch) for batch in cursor.fetch_record_batch())
        return rows, time.perf_counter()

    def _features(self, out: Path) -> tuple[int, float]:
        opened = store_logs if self.way == STORE else _opened
        with opened(self.sources(), memory_limit=self.memory_limit) as logs:
            read = time.perf_counter()
            spec = FeatureSpec.learn(logs, before=AS_OF)
            write_features(logs, plan_features(logs, [AS_OF], spec), out)
            return sum(check.read for check in logs.checks), read


@dataclass(frozen=True)
class Taken:
    """Rows read; wall seconds of all and until the logs are sorted; CPU; peak in GB; features."""

    rows: int
    wall: float
    until_sorted: float
    cpu: float
    peak: float
    sha256: str = ""


def _opened(sources: Mapping[str, SqlSource], *, memory_limit: str) -> Any:
    return open_logs(**dict[str, Any](sources), memory_limit=memory_limit)


def _content(file: Path) -> str:
    """The sha256 of the rows, whatever the groups in which they lie."""
    with duckdb.connect() as con:
        told = con.execute(
            "SELECT count(*), sum(hash(t)::HUGEINT) FROM read_parquet($file) AS t",
            {"file": str(file)},
        ).fetchall()
    columns = pq.read_schema(file).names
    return hashlib.sha256(repr((columns, told)).encode()).hexdigest()


def _connected(url: str) -> Any:
    from adbc_driver_postgresql import dbapi

    return dbapi.connect(url, autocommit=True)


@contextmanager
def loaded(url: str, rows: int, customers: int) -> Iterator[str]:
    """A schema with the tables of a shop, dropped at the end."""
    schema = f"churnkit_warehouse_{uuid4().hex[:8]}"
    with closing(_connected(url)) as con, closing(con.cursor()) as cursor:
        cursor.execute(f"CREATE SCHEMA {schema}")
    try:
        with tempfile.TemporaryDirectory() as folder:
            told = write_shop(Path(folder), rows, customers)
            for log in LOGS:
                _load(url, schema, log, Path(folder) / f"{log}.parquet")
        print(f"loaded {sum(told.values()):,} rows into {schema}", file=sys.stderr, flush=True)
        yield schema
    finally:
        with closing(_connected(url)) as con, closing(con.cursor()) as cursor:
            cursor.execute(f"DROP SCHEMA {schema} CASCADE")
        print(f"dropped {schema}", file=sys.stderr, flush=True)


def _load(url: str, schema: str, log: str, file: Path) -> None:
    rows = pq.ParquetFile(file)
    batches = pa.RecordBatchReader.from_batches(rows.schema_arrow, rows.iter_batches())
    with closing(_connected(url)) as con, closing(con.cursor()) as cursor:
        cursor.adbc_ingest(log, batches, db_schema_name=schema)
        cursor.execute(f"ANALYZE {schema}.{log}")


def in_a_process(turn: Turn) -> Taken:
    """What a turn took in a process of its own."""
    taken = Taken(**alone(__file__, turn))
    told = f"{turn.way}: {taken.rows:,} rows, {taken.wall:.1f} s, {taken.peak:.2f} GB"
    print(told, file=sys.stderr, flush=True)
    return taken


def measure(asked: argparse.Namespace) -> dict[str, Taken]:
    """Way → the fastest of its turns."""
    with loaded(asked.url, asked.rows, asked.customers) as schema:
        turns = [Turn(way, asked.url, schema, asked.memory_limit) for way in WAYS]
        print(statement(turns[1]), file=sys.stderr, flush=True)
        rounds = [[in_a_process(turn) for turn in turns] for _ in range(asked.rounds)]
    by_way = dict(zip(WAYS, zip(*rounds, strict=True), strict=True))
    return {way: min(taken, key=lambda t: t.wall) for way, taken in by_way.items()}


def statement(turn: Turn) -> str:
    """What the server is asked for the rows of the purchases."""
    return StoreTable("purchases", turn.sources()["purchases"]).statements()["rows"]


def show(asked: argparse.Namespace, taken: Mapping[str, Taken]) -> None:
    """Print a table of the figures."""
    bare = taken[BARE]
    table = Table(
        title=f"{bare.rows:,} rows of {asked.customers:,} customers in PostgreSQL",
        caption=f"the engine held to {asked.memory_limit}",
        title_justify="left",
    )
    table.add_column("")
    for name in ("wall", "until sorted", "features", "CPU here", "peak memory", "× bare"):
        table.add_column(name, justify="right", no_wrap=True)
    for way, each in taken.items():
        features = "" if way == BARE else f"{each.wall - each.until_sorted:.1f} s"
        table.add_row(
            way, f"{each.wall:.1f} s", f"{each.until_sorted:.1f} s", features,
            f"{each.cpu:.1f} s", f"{each.peak:.2f} GB", f"{each.wall / bare.wall:.2f}",
        )  # fmt: skip
    Console(width=_WIDTH, highlight=False).print(table)


def parsed() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--url", default="postgresql://postgres@127.0.0.1:5432/test")
    parser.add_argument("--memory-limit", default="1GB", help="of the engine here")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    return parser.parse_args()


def _interrupted(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(f"signal {number}")


def main() -> None:
    """Parse, load, compare, tell; or take one turn, where this is the process of one."""
    asked = parsed()
    if asked.turn:
        print(json.dumps(asdict(Turn(**json.loads(asked.turn)).run())))
        return
    signal.signal(signal.SIGTERM, _interrupted)  # so that the schema is dropped then, too
    taken = measure(asked)
    if asked.json:
        print(json.dumps({way: asdict(each) for way, each in taken.items()}))
    else:
        show(asked, taken)
    if taken[STORE].sha256 != taken[DUCKDB].sha256:
        sys.exit("the features differ")


if __name__ == "__main__":
    main()
