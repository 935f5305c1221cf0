"""`ChurnClassifier` against bare LightGBM with the same settings: time and memory as ratios.

    python benchmarks/model.py [--rows 1000000] [--columns 100] [--trees N] [--seeds N N]
        [--threads N] [--rounds 3] [--json]

Makes a matrix of float32 with gaps once, then takes turns, each in a process of its own: *lightgbm*
is a `lightgbm.Dataset`, a `lightgbm.train` for each seed, and `Booster.predict`; *churnkit* is
`ChurnClassifier.fit` and `predict_proba`, with the same parameters and threads. The seconds told
are those of the fastest round, since a busy machine only adds, and the CPU seconds those of the
round with the fewest. Peak memory is that of the whole process, with Python, its libraries and the
matrix, over the size of the matrix.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from peers.run import alone, cpu_seconds, peak_memory
from rich.console import Console
from rich.table import Table

from churnkit.estimators import ChurnClassifier

# Only now: churnkit tells OpenMP not to spin, which is read as LightGBM is loaded.
import lightgbm as lgb  # isort: skip

BARE, OURS = "lightgbm", "churnkit"
STEPS = ("train", "predict")
AT_MOST = {"train": 1.3, "predict": 1.2, "memory": 2.5}
_BYTES_IN_GB = 1024**3
_WIDTH = 100


@dataclass(frozen=True)
class Turn:
    """One step of one way, and the folder that holds the matrix and takes the boosters."""

    way: str
    step: str
    folder: str
    seeds: int
    trees: int
    threads: int

    def run(self) -> Taken:
        """Take the step here. Importing libraries and reading the matrix is not timed."""
        model = ChurnClassifier(trees=self.trees, seeds=self.seeds, threads=self.threads)
        X, target = (np.load(Path(self.folder) / f"{name}.npy") for name in ("X", "target"))
        kept = Path(self.folder) / f"{self.way}-{self.seeds}"
        texts = [path.read_text() for path in sorted(kept.parent.glob(f"{kept.name}-*.txt"))]
        boosters = [lgb.Booster(model_str=text) for text in texts]
        cpu, start = cpu_seconds(), time.perf_counter()
        if self.step == "train" and self.way == OURS:
            boosters = model.fit(X, target).boosters()
        elif self.step == "train":
            data = lgb.Dataset(X, target)
            settings = (model.lightgbm_parameters(len(X), seed) for seed in range(self.seeds))
            boosters = [lgb.train(each, data, self.trees) for each in settings]
        elif self.way == OURS:
            state = {"classes": [False, True], "columns": X.shape[1]}
            restored = ChurnClassifier.restored(model.parameters(), state, boosters)
            restored.set_params(threads=self.threads).predict_proba(X)
        else:
            np.mean([booster.predict(X, num_threads=self.threads) for booster in boosters], axis=0)
        taken = Taken(time.perf_counter() - start, cpu_seconds() - cpu, peak_memory())
        for k, booster in enumerate(boosters):
            booster.save_model(f"{kept}-{k}.txt")
        return taken


@dataclass(frozen=True)
class Taken:
    """Wall and CPU seconds, and peak memory in GB."""

    seconds: float
    cpu: float
    peak: float


@dataclass(frozen=True)
class Figures:
    """What both ways took for a step with so many seeds, and churnkit's ratio to LightGBM.

    Attributes
    ----------
    step, seeds
        What was run.
    lightgbm, churnkit
        The least of each figure over the rounds.
    wall, cpu
        Seconds of churnkit over those of LightGBM.
    bare_memory, memory
        Peak memory of LightGBM and of churnkit over the size of the float32 matrix.
    """

    step: str
    seeds: int
    lightgbm: Taken
    churnkit: Taken
    wall: float
    cpu: float
    bare_memory: float
    memory: float


def write_matrix(folder: Path, rows: int, columns: int) -> float:
    """Write a matrix like that of features and a target it drives; gives its size in GB."""
    rng = np.random.default_rng(0)
    X = np.empty((rows, columns), dtype=np.float32)
    for k in range(columns):
        values = rng.lognormal(size=rows)
        X[:, k] = np.floor(3 * values) if k % 2 else values
        X[rng.random(rows) < 0.1, k] = np.nan
    drive = np.nan_to_num(X[:, 0]) - np.nan_to_num(X[:, -1]) / 3
    np.save(folder / "X.npy", X)
    np.save(folder / "target.npy", drive + 3 * rng.normal(size=rows) > 1)
    return X.nbytes / _BYTES_IN_GB


def in_a_process(turn: Turn) -> Taken:
    """What a turn took in a process of its own."""
    taken = Taken(**alone(__file__, turn))
    told = (
        f"{turn.way}, {turn.step}, seeds {turn.seeds}: {taken.seconds:.2f} s, CPU {taken.cpu:.2f} s"
    )
    print(f"{told}, {taken.peak:.2f} GB", file=sys.stderr, flush=True)
    return taken


def measure(asked: argparse.Namespace, folder: str, size: float) -> Iterator[Figures]:
    """Both ways in turns, round by round, for every number of seeds and both steps."""
    for seeds in asked.seeds:
        for step in STEPS:
            turns = [
                Turn(way, step, folder, seeds, asked.trees, asked.threads) for way in (BARE, OURS)
            ]
            rounds = [[in_a_process(turn) for turn in turns] for _ in range(asked.rounds)]
            bare, ours = (_least(taken) for taken in zip(*rounds, strict=True))
            wall, cpu = ours.seconds / bare.seconds, ours.cpu / bare.cpu
            memory = (bare.peak / size, ours.peak / size)
            yield Figures(step, seeds, bare, ours, wall, cpu, *memory)


def _least(rounds: tuple[Taken, ...]) -> Taken:
    figures = zip(*((t.seconds, t.cpu, t.peak) for t in rounds), strict=True)
    return Taken(*map(min, figures))


def show(asked: argparse.Namespace, told: list[Figures]) -> None:
    """Print a table of the figures."""
    title = (
        f"{asked.rows:,} rows × {asked.columns} columns, {asked.trees} trees a seed, "
        f"{asked.threads} threads, the fastest of {asked.rounds} rounds"
    )
    limits = ", ".join(f"{name} {most:.1f}" for name, most in AT_MOST.items())
    table = Table(title=title, title_justify="left", caption=f"× at most: {limits}")
    times = ("lightgbm s", "churnkit s", "wall ×", "CPU ×")
    for name in ("step", "seeds", *times, "lightgbm memory ×", "memory ×"):
        table.add_column(name, justify="left" if name == "step" else "right", no_wrap=True)
    for figures in told:
        seconds = (figures.lightgbm.seconds, figures.churnkit.seconds)
        ratios = (figures.wall, figures.cpu, figures.bare_memory, figures.memory)
        table.add_row(figures.step, str(figures.seeds), *(f"{n:.2f}" for n in (*seconds, *ratios)))
    Console(width=_WIDTH, highlight=False).print(table)


def parsed() -> argparse.Namespace:
    """The arguments of the command line."""
    recipe = ChurnClassifier()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--trees", type=int, default=recipe.trees, help="for each seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, recipe.seeds], metavar="N")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON, not a table")
    parser.add_argument("--turn", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Parse, compare, tell; or take one turn, where this is the process of one."""
    asked = parsed()
    if asked.turn:
        print(json.dumps(asdict(Turn(**json.loads(asked.turn)).run())))
        return
    with tempfile.TemporaryDirectory() as folder:
        size = write_matrix(Path(folder), asked.rows, asked.columns)
        told = list(measure(asked, folder, size))
    if asked.json:
        print(json.dumps([asdict(figures) for figures in told]))
    else:
        show(asked, told)


if __name__ == "__main__":
    main()
