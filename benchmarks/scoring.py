"""Scoring from source to published scores, against bare features and bare predictions.

    python benchmarks/scoring.py [--customers 1000000] [--rung lightgbm] [--rounds 2]
        [--memory-limit 1500MB] [--folder FOLDER] [--json]

Generates a shop of ten events a customer and fits a model on a smaller one. Then takes turns, each
in a process of its own. Both read, check and sort the same logs; then *bare* builds the features of
everybody at risk block by block on all cores, asks LightGBM for a prediction of each row, and keeps
that, while *churnkit* compares the logs with the last run, scores, explains, colours, ranks and
plans for everybody, and publishes it: one Parquet file with its manifest, flushed to the disk. Told
are the whole, from the Parquet files of the logs to the end, and the work after sorting alone. The
seconds are those of the fastest round; the ratio is churnkit's to bare, in wall and in CPU seconds,
of which the latter hardly depends on what else the machine does. Peak memory is that of the whole
process, with Python and the sorting of the logs. Exit 1 if a ratio of the whole, wall or CPU, or
the memory is above its limit.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from peers.run import alone, cpu_seconds, peak_memory
from peers.shop import write_shop
from rich.console import Console
from rich.table import Table

from churnkit import bundle
from churnkit.clock import Cutoff
from churnkit.config import load_settings
from churnkit.dataset import Schedule, build_dataset
from churnkit.features import Features, plan_features
from churnkit.features.kernel import FeatureRows, in_order
from churnkit.labels import Question
from churnkit.logs import CustomerLogs, Logs
from churnkit.model import ChurnModel, fit, medians, rung_named
from churnkit.progress import silent
from churnkit.project_scores import Asked, publish
from churnkit.sources import open_logs

BARE, OURS = "bare", "churnkit"
AT_MOST, MEMORY_AT_MOST = 1.25, 4.0
AS_OF = Cutoff.parse("2024-12-01")
QUESTION = Question(horizon_days=30, lookback_days=365)
_EVENTS_A_CUSTOMER = 10
_LEARNT_FROM = 60_000
_LOGS = ("purchases", "activity", "surveys")
_WIDTH = 100
_SECONDS = {
    "whole, wall": "wall", "whole, CPU": "cpu",
    "after sorting, wall": "wall_after", "after sorting, CPU": "cpu_after",
}  # fmt: skip


@dataclass(frozen=True)
class Turn:
    """One way, with the folder of the logs, that of the model, and one to publish to."""

    way: str
    shop: str
    model: str
    project: str
    memory_limit: str

    def run(self) -> Taken:
        """Take the turn here."""
        model = bundle.load(Path(self.model))
        begun = _Clock.now()
        opened = open_logs(
            *(f"{self.shop}/{log}.parquet" for log in _LOGS), memory_limit=self.memory_limit
        )
        with opened as logs:
            sorted_ = _Clock.now()
            rows = _bare(model, logs) if self.way == BARE else _ours(model, logs, self.project)
            done = _Clock.now()
        whole, after = done.since(begun), done.since(sorted_)
        return Taken(rows, whole.wall, whole.cpu, after.wall, after.cpu, peak_memory())


@dataclass(frozen=True)
class _Clock:
    """Wall and CPU seconds, as they stand or as they passed."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> _Clock:
        return cls(time.perf_counter(), cpu_seconds())

    def since(self, earlier: _Clock) -> _Clock:
        return _Clock(self.wall - earlier.wall, self.cpu - earlier.cpu)


@dataclass(frozen=True)
class Taken:
    """Customers at risk; wall and CPU seconds of all, and after sorting; peak memory in GB."""

    rows: int
    wall: float
    cpu: float
    wall_after: float
    cpu_after: float
    peak: float


def _bare(model: ChurnModel, logs: CustomerLogs) -> int:
    """Features and predictions of everybody at risk, by as many threads as there are cores."""
    plan = plan_features(logs, AS_OF, model.spec)

    def predicted(piece: FeatureRows) -> np.ndarray:
        ids = piece.customer_ids[piece.at.customer]
        X = Features(ids, piece.at.us, piece.columns, plan.spec).matrix(model.names)
        boosters = model.estimator.boosters()
        told = [booster.predict(X, num_threads=1, raw_score=True) for booster in boosters]
        return np.asarray(np.mean(told, axis=0)) if len(X) else np.empty(0)

    def look(block: Logs) -> np.ndarray:
        return np.concatenate([predicted(p) for p in plan.rows(block, QUESTION.at_risk)])

    return len(np.concatenate(list(in_order(look, logs.blocks()))))


def _ours(model: ChurnModel, logs: CustomerLogs, project: str) -> int:
    """Scores, published."""
    settings = load_settings(Path(project) / "churnkit.toml")
    store, actions = settings.score_store(), settings.actions()
    asked = Asked(settings, model, {}, AS_OF, (), actions)
    with store.lock():
        found = publish(asked, store, logs, silent, lambda *_: {}, force=True)
    return found.manifest.rows


def make_shop(folder: Path, customers: int) -> Path:
    """The logs of so many customers, generated unless they are there from an earlier run."""
    shop = folder / f"shop-{customers}"
    if not shop.exists():
        unfinished = shop.with_suffix(".unfinished")
        write_shop(unfinished, customers * _EVENTS_A_CUSTOMER, customers)
        unfinished.rename(shop)
    return shop


def make_model(folder: Path, rung: str) -> Path:
    """The bundle of a model that learnt from a smaller shop."""
    shop, kept = make_shop(folder, _LEARNT_FROM), folder / f"model-{rung}"
    if not kept.exists():
        with open_logs(*(f"{shop}/{log}.parquet" for log in _LOGS)) as logs:
            cutoffs = Schedule(cutoffs=2).training_cutoffs(logs, QUESTION, AS_OF)
            learnt = build_dataset(logs, QUESTION, cutoffs)
            fitted = fit(rung_named(rung), learnt, QUESTION)
            found = medians(learnt.features, fitted.names)
            model = ChurnModel(**{**vars(fitted), "middle": found})
        bundle.save(model, kept, {}, "")
    return kept


def in_a_process(turn: Turn) -> Taken:
    """What a turn took in a process of its own."""
    taken = Taken(**alone(__file__, turn))
    told = f"{turn.way}: {taken.rows:,} at risk, {taken.wall:.2f} s, CPU {taken.cpu:.2f} s"
    after = f"after sorting {taken.wall_after:.2f} s, CPU {taken.cpu_after:.2f} s"
    print(f"{told}; {after}; {taken.peak:.2f} GB", file=sys.stderr, flush=True)
    return taken


def measure(asked: argparse.Namespace, folder: Path) -> tuple[Taken, Taken]:
    """The least of each figure of both ways, over the rounds, in which they take turns."""
    shop, model = make_shop(folder, asked.customers), make_model(folder, asked.rung)
    project = folder / "project"
    project.mkdir(exist_ok=True)
    (project / "churnkit.toml").write_text(
        "[question]\nhorizon_days = 30\nlookback_days = 365\n"
        f'[security]\nfolders = ["{shop}"]\n'
        f'[logs.purchases]\npath = "{shop / "purchases.parquet"}"\n'
    )
    turns = [
        Turn(way, str(shop), str(model), str(project), asked.memory_limit) for way in (BARE, OURS)
    ]
    rounds = [[in_a_process(turn) for turn in turns] for _ in range(asked.rounds)]
    bare, ours = (_least(taken) for taken in zip(*rounds, strict=True))
    return bare, ours


def _least(rounds: tuple[Taken, ...]) -> Taken:
    seconds = {name: min(getattr(t, name) for t in rounds) for name in _SECONDS.values()}
    return Taken(rows=rounds[0].rows, peak=max(t.peak for t in rounds), **seconds)


def ratios(bare: Taken, ours: Taken) -> dict[str, float]:
    """Name of each of the seconds → times as long as bare."""
    return {name: getattr(ours, name) / getattr(bare, name) for name in _SECONDS.values()}


def show(asked: argparse.Namespace, bare: Taken, ours: Taken) -> None:
    """Print a table of the figures."""
    title = f"{asked.customers:,} customers, {ours.rows:,} of them at risk, {asked.rung}"
    limits = f"× of the whole at most {AT_MOST}, memory at most {MEMORY_AT_MOST} GB"
    table = Table(title=title, title_justify="left", caption=limits)
    table.add_column("")
    for name in (BARE, OURS, "×"):
        table.add_column(name, justify="right", no_wrap=True)
    times = ratios(bare, ours)
    for says, name in _SECONDS.items():
        told = (f"{getattr(taken, name):.2f} s" for taken in (bare, ours))
        table.add_row(says, *told, f"{times[name]:.2f}")
    table.add_row("peak memory", f"{bare.peak:.2f} GB", f"{ours.peak:.2f} GB", "")
    Console(width=_WIDTH, highlight=False).print(table)


def parsed() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--rung", choices=("lightgbm",), default="lightgbm")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--memory-limit", default="1500MB", help="of the engine as it sorts")
    parser.add_argument("--folder", type=Path, help="where the logs are kept; else temporary")
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Parse, compare, tell; or take one turn, where this is the process of one."""
    asked = parsed()
    if asked.turn:
        print(json.dumps(asdict(Turn(**json.loads(asked.turn)).run())))
        return
    if asked.folder:
        asked.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        bare, ours = measure(asked, (asked.folder or Path(temporary)).resolve())
    times = ratios(bare, ours)
    if asked.json:
        print(json.dumps({"bare": asdict(bare), "churnkit": asdict(ours), "times": times}))
    else:
        show(asked, bare, ours)
    if max(times["wall"], times["cpu"]) > AT_MOST or ours.peak > MEMORY_AT_MOST:
        sys.exit("above the limit")


if __name__ == "__main__":
    main()
