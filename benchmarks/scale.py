"""Features, scores and lights of a shop that fills a machine, on it and on a local Spark cluster.

    python benchmarks/scale.py [--events 100000000] [--customers 5000000]
        [--ways scan machine cluster] [--memory-limit 2GB] [--folder FOLDER] [--keep FILE]

Generates the logs of a shop and fits a model on a smaller one. Then, each in a process of its own:
*scan* decodes every column that the features need and keeps nothing; *machine* does on this machine
what a weekly run does, from the Parquet files of the logs to published scores: it checks, sorts and
builds features, scores, explains, colours, ranks and plans everybody at risk. *cluster* does the
same on a standalone Spark cluster of one master and two workers on the loopback interface. Told are
wall and CPU seconds, their ratio to the bare scan, the peak memory, and the share of each stage;
of the cluster also what Spark read and shuffled, and what its processes used. What was measured is
kept as JSON if a file is named, for `benchmarks/cost.py`. Exit 1 if the machine needed more than
4 GB, or the two published different scores.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from features import say, shop_of
from peers import eventlog
from peers.eventlog import Application
from peers.processes import watched_family
from peers.run import Task, alone, cpu_seconds, peak_memory
from peers.run import measure as measure_way
from peers.stages import Stage, clocked
from rich.console import Console
from rich.table import Table
from scoring import AS_OF, make_model

from churnkit import bundle
from churnkit.config import Settings, load_settings
from churnkit.features.kernel import FeaturePlan
from churnkit.lights import TrafficLight
from churnkit.model import ChurnModel
from churnkit.progress import silent
from churnkit.project_scores import Asked, publish
from churnkit.publishing import Publication
from churnkit.sources import open_logs

SCAN, MACHINE, CLUSTER = "scan", "machine", "cluster"
WAYS = (SCAN, MACHINE, CLUSTER)
MEMORY_AT_MOST = 4.0
_LOGS = ("purchases", "activity", "surveys")
_WIDTH = 100

collect = import_module("churnkit.logs.collect")  # the package has a function of that name
project_scores = import_module("churnkit.project_scores")
sweep = import_module("churnkit.scoring.sweep")

SPARK = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.executor.memory": "2g",
    "spark.executor.cores": "1",
}
"""Settings of the driver: an executor of one core on each worker."""

STAGES = (
    Stage("read, judge and count every row", collect, "judge_all", alone=True),
    Stage("fold rows to events, number customers", collect, "_fold", alone=True),
    Stage("fold rows to events, number customers", collect, "_number_customers", alone=True),
    Stage("sort, and store in blocks", collect, "_store_events", alone=True),
    Stage("compare with the run before", project_scores, "fingerprints", alone=True),
    Stage("features", FeaturePlan, "_piece"),
    Stage("probabilities and what drives them", ChurnModel, "explained"),
    Stage("value at risk", sweep, "value_at_risk"),
    Stage("reasons", sweep, "voices"),
    Stage("lights: rules", TrafficLight, "firing"),
    Stage("lights: edges, ranks, changes", project_scores, "decide", alone=True),
    Stage("plan", project_scores, "planned_for", alone=True),
    Stage("publish", Publication, "write", alone=True),
    Stage("publish", Publication, "publish", alone=True),
)


@dataclass(frozen=True)
class Taken:
    """What a way took: wall and CPU seconds, peak memory in GB, CPU seconds by stage.

    Attributes
    ----------
    rows
        Customers who were scored; 0 of a scan.
    published
        Folder of what was published.
    spark
        Of the cluster: bytes and tasks that Spark tells of, CPU seconds and peak memory in GB of
        each kind of process.
    """

    way: str
    wall: float
    cpu: float
    peak: float
    rows: int = 0
    published: str = ""
    stages: dict[str, float] = field(default_factory=dict)
    spark: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Turn:
    """One way, with the folders of the logs, of the model, and of the project to publish in."""

    way: str
    shop: str
    model: str
    project: str
    memory_limit: str

    def run(self) -> Taken:
        """Take the turn here."""
        ways = {SCAN: self._scan, MACHINE: self._machine, CLUSTER: self._cluster}
        return ways[self.way]()

    def _scan(self) -> Taken:
        taken = measure_way("bare", Task(self.shop, "", [], self.memory_limit))
        return Taken(self.way, taken.seconds, taken.cpu, taken.peak)

    def _machine(self) -> Taken:
        settings, model = self._settings(), bundle.load(Path(self.model))
        asked = Asked(settings, model, {}, AS_OF, (), settings.actions())
        store = settings.score_store()
        files = [f"{self.shop}/{log}.parquet" for log in _LOGS]
        begun, cpu = time.perf_counter(), cpu_seconds()
        with (
            clocked(STAGES) as spent,
            store.lock(),
            open_logs(*files, memory_limit=self.memory_limit) as logs,
        ):
            done = publish(asked, store, logs, silent, lambda *_: {}, force=True)
        wall, used = time.perf_counter() - begun, cpu_seconds() - cpu
        rows, place = done.manifest.rows, str(store.path(str(AS_OF)))
        return Taken(self.way, wall, used, peak_memory(), rows, place, spent)

    def _cluster(self) -> Taken:
        sys.path.append(str(Path(__file__).parents[1] / "tests"))
        cluster = import_module("cluster").cluster  # of the tests

        from churnkit.engines.spark import spark_scores, spark_session

        settings, store = self._settings(), self._settings().score_store()
        told = Path(self.project) / "events"
        told.mkdir()
        os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
        with watched_family() as family, cluster(Path(self.project), memory="3g") as here:
            conf = {**SPARK, **eventlog.settings(told)}
            begun, cpu = time.perf_counter(), time.process_time()
            with spark_session(here.url, conf) as session, store.lock():
                frames = {log: session.read.parquet(f"{self.shop}/{log}.parquet") for log in _LOGS}
                actions, light = settings.actions(), settings.light()
                asked = spark_scores(frames, Path(self.model), AS_OF, light=light, actions=actions)
                with asked as scores:
                    rows = scores.publish(store, sha256(b"scale").hexdigest(), {}).rows
            wall, used = time.perf_counter() - begun, time.process_time() - cpu
        place = str(store.path(str(AS_OF)))
        kinds, peaks = family.cpu_by_kind(), family.peak_by_kind()
        spark = {**asdict(Application.of(told)), "cpu": kinds, "peak": peaks}
        used += sum(kinds.values())
        return Taken(self.way, wall, used, family.most, rows, place, {}, spark)

    def _settings(self) -> Settings:
        return load_settings(Path(self.project) / "churnkit.toml")


def make_project(folder: Path, shop: Path, way: str) -> Path:
    """A project of that shop, which holds nothing but its settings."""
    project = folder / f"project-{way}"
    project.mkdir(parents=True)
    logs = "".join(f'[logs.{log}]\npath = "{shop / f"{log}.parquet"}"\n' for log in _LOGS)
    question = "[question]\nhorizon_days = 30\nlookback_days = 365\n"
    reach = f'[security]\nfolders = ["{shop}"]\n'
    (project / "churnkit.toml").write_text(question + reach + logs, encoding="utf-8")
    return project


def in_a_process(turn: Turn) -> Taken:
    """What a turn took in a process of its own."""
    taken = Taken(**alone(__file__, turn))
    say(f"{taken.way}: {taken.wall:.1f} s, CPU {taken.cpu:.1f} s, {taken.peak:.2f} GB")
    return taken


def measure(asked: argparse.Namespace, kept: Path, scratch: Path) -> list[Taken]:
    """What each way took."""
    shop, model = shop_of(kept, asked.events, asked.customers), make_model(kept, "lightgbm")
    turns = [
        Turn(way, str(shop), str(model), str(make_project(scratch, shop, way)), asked.memory_limit)
        for way in asked.ways
    ]
    return [in_a_process(turn) for turn in turns]


def show(asked: argparse.Namespace, told: list[Taken]) -> None:
    """Print a table of the ways, and one of the stages of each."""
    console = Console(width=_WIDTH, highlight=False)
    scan = next((taken for taken in told if taken.way == SCAN), None)
    title = f"{asked.events:,} events, {asked.customers:,} customers"
    table = Table(title=title, title_justify="left")
    for name in ("", "scored", "wall s", "CPU s", "× scan, wall", "× scan, CPU", "peak GB"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for taken in told:
        times = ("", "")
        if scan is not None and taken is not scan:
            times = (f"{taken.wall / scan.wall:.0f}", f"{taken.cpu / scan.cpu:.0f}")
        figures = (f"{taken.wall:.1f}", f"{taken.cpu:.1f}", *times, f"{taken.peak:.2f}")
        table.add_row(taken.way, f"{taken.rows:,}" if taken.rows else "", *figures)
    console.print(table)
    for taken in told:
        if taken.stages:
            console.print(stages_of(taken))
        if taken.spark:
            console.print(spark_of(taken))


def stages_of(taken: Taken) -> Table:
    """CPU seconds of each stage, and their share."""
    table = Table(title=f"{taken.way}: CPU seconds by stage", title_justify="left")
    for name in ("stage", "CPU s", "share"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for stage, seconds in taken.stages.items():
        table.add_row(stage, f"{seconds:.1f}", f"{seconds / sum(taken.stages.values()):.0%}")
    return table


def spark_of(taken: Taken) -> Table:
    """What Spark tells of the run, and what its processes used."""
    spark = taken.spark
    table = Table(title=f"{taken.way}: what Spark did", title_justify="left")
    table.add_column("")
    table.add_column("", justify="right")
    for says in ("read", "shuffled", "written", "spilled", "returned"):
        table.add_row(f"{says}, GB", f"{spark[says] / 1e9:.3f}")
    table.add_row("tasks", f"{spark['tasks']:,}")
    table.add_row("busy with tasks, s", f"{spark['busy']:.0f}")
    for kind, seconds in sorted(spark["cpu"].items()):
        table.add_row(f"{kind}: CPU s", f"{seconds:.0f}")
        table.add_row(f"{kind}: peak of one, GB", f"{spark['peak'][kind]:.2f}")
    return table


def faults(told: list[Taken]) -> list[str]:
    """What breaks a promise."""
    found = [
        f"{taken.way} took {taken.peak:.2f} GB, more than {MEMORY_AT_MOST}"
        for taken in told
        if taken.way == MACHINE and taken.peak > MEMORY_AT_MOST
    ]
    published = [taken.published for taken in told if taken.published]
    if len(published) > 1 and (apart := differing_columns(*published)):
        found.append(f"the ways published different {', '.join(apart)}")
    return found


def differing_columns(one: str, other: str) -> list[str]:
    """Columns of two published runs that differ, numbers by more than 1e-12."""
    import duckdb

    with duckdb.connect() as con:
        for name, place in (("one", one), ("other", other)):
            files = f"{place}/*.parquet" if Path(place).is_dir() else place
            con.sql(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{files}')")
        told = con.sql("SELECT column_name, column_type FROM (DESCRIBE one)").fetchall()
        tests = [
            f"abs(one.{name} - other.{name}) > 1e-12"
            if kind == "DOUBLE"
            else f"one.{name} IS DISTINCT FROM other.{name}"
            for name, kind in told
        ]
        counts = ", ".join(f"count(*) FILTER ({test})" for test in tests)
        both = "one FULL JOIN other USING (customer_id)"
        [row] = con.sql(f"SELECT {counts} FROM {both}").fetchall()
    return [name for (name, _), count in zip(told, row, strict=True) if count]


def parsed() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000_000)
    parser.add_argument("--customers", type=int, default=5_000_000)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=[*WAYS])
    parser.add_argument("--memory-limit", default="2GB", help="of the engine as it sorts")
    parser.add_argument("--folder", type=Path, help="where the logs are kept; else temporary")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="what was measured, as JSON")
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Parse, measure, tell; or take one turn, where this is the process of one."""
    asked = parsed()
    if asked.turn:
        print(json.dumps(asdict(Turn(**json.loads(asked.turn)).run())))
        return
    if asked.folder:
        asked.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        scratch = Path(temporary).resolve()
        told = measure(asked, (asked.folder or scratch).resolve(), scratch)
        broken = faults(told)
    show(asked, told)
    if asked.keep:
        measured = {"events": asked.events, "customers": asked.customers}
        kept = measured | {taken.way: asdict(replace(taken, published="")) for taken in told}
        asked.keep.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if broken:
        sys.exit("\n".join(broken))


if __name__ == "__main__":
    main()
