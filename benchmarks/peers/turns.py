"""The ways in turns, each run in a process of its own, and whether they wrote the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from peers.agreement import Checksum, checksum, differing_cells, differing_sums
from peers.columns import monthly_cutoffs
from peers.run import Taken, Task
from peers.shop import LOGS

MODULES = {
    "bare": "bare", "churnkit": "own", "sql": "sql", "pandas": "frames", "featuretools": "dfs"
}  # fmt: skip
"""Way → its module; the first that writes all rows is what the others are compared with."""

SAMPLED = "featuretools"
SAMPLED_CUTOFFS = 3
_CELLS_UP_TO = 3_000_000
_TRY_FEATURETOOLS = (
    "import featuretools, pandas, pyarrow; "
    "raise SystemExit(int(pandas.__version__.split('.')[0]) >= 3)"
)


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Attributes
    ----------
    shop
        Folder of the logs.
    scratch
        Folder for what the ways write; it is removed as soon as it has been compared.
    ways
        Names of `MODULES`, in the order of their turns.
    cutoffs
        Numbers of monthly cutoffs.
    rounds
        How often each way has its turn.
    memory
        Memory limit of the engines.
    featuretools
        An interpreter that has featuretools.
    sample
        How many customers featuretools gets, at `SAMPLED_CUTOFFS` cutoffs at most.
    """

    shop: Path
    scratch: Path
    ways: tuple[str, ...]
    cutoffs: tuple[int, ...]
    rounds: int
    memory: str
    featuretools: str
    sample: int

    def task(self, way: str, cutoffs: int, out: Path) -> Task:
        """What a way is asked for at one turn."""
        asked = Task(str(self.shop), str(out), monthly_cutoffs(cutoffs), self.memory)
        if way != SAMPLED:
            return asked
        return replace(asked, cutoffs=asked.cutoffs[-SAMPLED_CUTOFFS:], customers=self.sample)


@dataclass(frozen=True)
class Figures:
    """What a way took for so many cutoffs, in the fastest of its rounds.

    Attributes
    ----------
    way, cutoffs
        What was run.
    events, rows
        Events read, and rows (customer × cutoff) written.
    taken
        Seconds and memory; ``None`` if the way could not run.
    note
        Why it could not, or what it was asked beside the others.
    differences
        What it wrote that the way it is compared with did not.
    """

    way: str
    cutoffs: int
    events: int = 0
    rows: int = 0
    taken: Taken | None = None
    note: str = ""
    differences: tuple[str, ...] = ()

    @property
    def rows_per_second(self) -> float:
        """Rows written in a second, 0 for a way that writes none."""
        return self.rows / self.taken.seconds if self.taken else 0.0

    @property
    def events_per_second(self) -> float:
        """Events read in a second."""
        return self.events / self.taken.seconds if self.taken else 0.0


def take_turns(plan: Plan, say: Callable[[str], None]) -> list[Figures]:
    """Run every way for every number of cutoffs, round by round, and tell the fastest of each.

    Parameters
    ----------
    plan
        What is compared.
    say
        Called with a line of progress at every turn.
    """
    rounds = []
    for nth in range(plan.rounds):
        turns = []
        for cutoffs in plan.cutoffs:
            for turn in _one_round(plan, cutoffs):
                say(f"round {nth + 1}, {cutoffs} cutoffs, {turn.way}: {_told(turn)}")
                turns.append(turn)
        rounds.append(turns)
    return [_fastest(turns) for turns in zip(*rounds, strict=True)]


def _one_round(plan: Plan, cutoffs: int) -> Iterator[Figures]:
    """Every way once; what the first has written stays until the last has been compared."""
    reference = None
    for way in plan.ways:
        out = plan.scratch / way
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        turn = _turn(plan, way, cutoffs, out)
        if turn.rows and reference is None and way != SAMPLED:
            reference = _Reference(out)
        elif turn.rows and reference is not None:
            turn = replace(turn, differences=reference.differences(out, way))
        yield turn
        if reference is None or out != reference.out:
            shutil.rmtree(out)
    shutil.rmtree(plan.scratch)


def _turn(plan: Plan, way: str, cutoffs: int, out: Path) -> Figures:
    python = plan.featuretools if way == SAMPLED else sys.executable
    if way == SAMPLED and not _has_featuretools(python):
        note = 'not installed: pip install featuretools pyarrow "pandas<3"'
        return Figures(way, cutoffs, note=note)
    task = plan.task(way, cutoffs, out)
    done = subprocess.run(
        [python, "-m", "peers.run", MODULES[way], task.to_json()],
        cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        fault = (done.stderr.strip() or f"ended by signal {-done.returncode}").splitlines()[-1]
        return Figures(way, cutoffs, differences=(f"failed: {fault}",))
    taken = Taken(**json.loads(done.stdout.splitlines()[-1]))
    rows = _count(out) if any(out.iterdir()) else 0
    note = f"a sample of {rows:,} rows" if task.customers else ""
    return Figures(way, cutoffs, _events(task), rows, taken, note)


def _has_featuretools(python: str) -> bool:
    found = subprocess.run([python, "-W", "ignore", "-c", _TRY_FEATURETOOLS], capture_output=True)
    return found.returncode == 0


class _Reference:
    """What the first way wrote."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self._sums: Checksum = checksum(out)

    def differences(self, out: Path, way: str) -> tuple[str, ...]:
        """What another way wrote otherwise."""
        if way == SAMPLED:
            return tuple(differing_cells(out, self.out, all_rows=False))
        if self._sums.rows <= _CELLS_UP_TO:
            return tuple(differing_cells(out, self.out))
        return tuple(differing_sums(checksum(out), self._sums))


def _events(task: Task) -> int:
    some = f"WHERE customer_id < 'c{task.customers:07d}'" if task.customers else ""
    return sum(_only(f"read_parquet('{task.log(log)}') {some}") for log in LOGS)


def _count(out: Path) -> int:
    return _only(f"read_parquet('{out}/*.parquet')")


def _only(rows: str) -> int:
    """How many rows there are."""
    with duckdb.connect() as con:
        ((count,),) = con.sql(f"SELECT count(*) FROM {rows}").fetchall()
    return int(count)


def _told(turn: Figures) -> str:
    if turn.differences:
        return f"{turn.differences[0]} ({len(turn.differences)} differences)"
    return f"{turn.taken.seconds:.2f} s" if turn.taken else turn.note


def _fastest(turns: tuple[Figures, ...]) -> Figures:
    """The fastest of a way's rounds; what ever differed is kept."""
    differences = tuple(dict.fromkeys(d for turn in turns for d in turn.differences))
    ran = [turn for turn in turns if turn.taken] or turns
    best = min(ran, key=lambda turn: turn.taken.seconds if turn.taken else 0.0)
    return replace(best, differences=differences)
