"""Features, scores and lights of a shop that fills a machine, on it and on a local Spark cluster.

    python benchmarks/scale.py [--events 100000000] [--customers 5000000] [--ways scan machine]
        [--memory-limit 2GB] [--folder FOLDER] [--json]

Generates the logs of a shop and fits a model on a smaller one. Then, each in a process of its own:
*scan* decodes every column that the features need and keeps nothing; *machine* does on this machine
what a weekly run does, from the Parquet files of the logs to published scores: it checks, sorts and
builds features, scores, explains, colours, ranks and plans everybody at risk. *cluster* does the
same on a standalone Spark cluster of one master and two workers on the loopback interface. Told are
wall and CPU seconds, their ratio to the bare scan, the peak memory, and the share of each stage;
of the cluster also what was shuffled and written. Exit 1 if the machine needed more than 4 GB, or
the two published different scores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path

from features import say, shop_of
from peers.run import Task, cpu_seconds, peak_memory
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
from churnkit.publishing import Publication, ScoreStore
from churnkit.sources import open_logs

SCAN, MACHINE = "scan", "machine"
MEMORY_AT_MOST = 4.0
_LOGS = ("purchases", "activity", "surveys")
_WIDTH = 100

collect = import_module("churnkit.logs.collect")  # the package has a function of that name
project_scores = import_module("churnkit.project_scores")
sweep = import_module("churnkit.scoring.sweep")

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
    content
        Hash of what was published.
    """

    way: str
    wall: float
    cpu: float
    peak: float
    rows: int = 0
    content: str = ""
    stages: dict[str, float] = field(default_factory=dict)


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
        return {SCAN: self._scan, MACHINE: self._machine}[self.way]()

    def _scan(self) -> Taken:
        taken = measure_way("bare", Task(self.shop, "", [], self.memory_limit))
        return Taken(self.way, taken.seconds, taken.cpu, taken.peak)

    def _machine(self) -> Taken:
        settings, model = self._settings(), bundle.load(Path(self.model))
        begun, cpu = time.perf_counter(), cpu_seconds()
        with clocked(STAGES) as spent:
            rows, content = self._published(settings, model)
        wall, used = time.perf_counter() - begun, cpu_seconds() - cpu
        return Taken(self.way, wall, used, peak_memory(), rows, content, spent)

    def _published(self, settings: Settings, model: ChurnModel) -> tuple[int, str]:
        asked = Asked(settings, model, {}, AS_OF, (), settings.actions())
        store: ScoreStore = settings.score_store()
        files = [f"{self.shop}/{log}.parquet" for log in _LOGS]
        with store.lock(), open_logs(*files, memory_limit=self.memory_limit) as logs:
            done = publish(asked, store, logs, silent, lambda *_: {}, force=True)
        return done.manifest.rows, done.manifest.content

    def _settings(self) -> Settings:
        return load_settings(Path(self.project) / "churnkit.toml")


def make_project(folder: Path, shop: Path, way: str) -> Path:
    """A project of that shop, which holds nothing but its settings."""
    project = folder / f"project-{way}"
    project.mkdir(parents=True)
    logs = "".join(f'[logs.{log}]\npath = "{shop / f"{log}.parquet"}"\n' for log in _LOGS)
    question = "[question]\nhorizon_days = 30\nlookback_days = 365\n"
    (project / "churnkit.toml").write_text(question + logs, encoding="utf-8")
    return project


def in_a_process(turn: Turn) -> Taken:
    """What a turn took in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--turn", json.dumps(asdict(turn))],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    taken = Taken(**json.loads(done.stdout.splitlines()[-1]))
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


def stages_of(taken: Taken) -> Table:
    """CPU seconds of each stage, and their share."""
    table = Table(title=f"{taken.way}: CPU seconds by stage", title_justify="left")
    for name in ("stage", "CPU s", "share"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for stage, seconds in taken.stages.items():
        table.add_row(stage, f"{seconds:.1f}", f"{seconds / sum(taken.stages.values()):.0%}")
    return table


def faults(told: list[Taken]) -> list[str]:
    """What breaks a promise."""
    found = [
        f"{taken.way} took {taken.peak:.2f} GB, more than {MEMORY_AT_MOST}"
        for taken in told
        if taken.way == MACHINE and taken.peak > MEMORY_AT_MOST
    ]
    if len({taken.content for taken in told if taken.content}) > 1:
        found.append("the ways published different scores")
    return found


def parsed() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000_000)
    parser.add_argument("--customers", type=int, default=5_000_000)
    parser.add_argument("--ways", nargs="+", choices=(SCAN, MACHINE), default=[SCAN, MACHINE])
    parser.add_argument("--memory-limit", default="2GB", help="of the engine as it sorts")
    parser.add_argument("--folder", type=Path, help="where the logs are kept; else temporary")
    parser.add_argument("--json", action="store_true", help="print JSON, not tables")
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
    if asked.json:
        print(json.dumps([asdict(taken) for taken in told]))
    else:
        show(asked, told)
    if broken := faults(told):
        sys.exit("\n".join(broken))


if __name__ == "__main__":
    main()
