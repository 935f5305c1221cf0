"""One way, once, in a process of its own: `python -m peers.run WAY TASK` prints what it took.

Needs the standard library only, so that a way can run under an interpreter without churnkit.
"""

from __future__ import annotations

import importlib
import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_KILOBYTES_IN_GB = 1024**2


@dataclass(frozen=True)
class Task:
    """What a way is asked for.

    Attributes
    ----------
    shop
        Folder of the logs, see `peers.shop`.
    out
        Empty folder for the Parquet files: the keys and columns of `peers.columns`, one row for
        each customer with a purchase or activity before a cutoff.
    cutoffs
        ISO dates; the cutoff is the start of that day in UTC.
    memory
        Memory limit of the engine, such as ``"4GB"``; pandas and featuretools have none.
    customers
        Only the first so many customers by id; ``None`` is all. Ids say nothing about when a
        customer came or how busy it is.
    """

    shop: str
    out: str
    cutoffs: list[str]
    memory: str
    customers: int | None = None

    def log(self, name: str) -> str:
        """Path of the Parquet file of a log."""
        return str(Path(self.shop) / f"{name}.parquet")

    def to_json(self) -> str:
        """The task as JSON, for the command line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Taken:
    """What one run took: wall and CPU seconds, peak memory in GB, and seconds of its parts."""

    seconds: float
    cpu: float
    peak: float
    parts: dict[str, float]


def measure(way: str, task: Task) -> Taken:
    """Run a way here. What importing its libraries takes is not measured."""
    build = importlib.import_module(f"peers.{way}").build
    cpu, start = cpu_seconds(), time.perf_counter()
    parts: dict[str, float] = build(task)
    seconds = time.perf_counter() - start
    return Taken(seconds, cpu_seconds() - cpu, peak_memory(), parts)


def alone(program: str, turn: Any) -> dict[str, Any]:
    """What a turn tells in a process of its own, in which the program is called with ``--turn``.

    Parameters
    ----------
    program
        File of the benchmark; its last line of output must be a JSON object.
    turn
        A dataclass of plain values, handed over as JSON.
    """
    command = [sys.executable, program, "--turn", json.dumps(asdict(turn))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def cpu_seconds() -> float:
    """CPU seconds of this process and of the children it has waited for."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def peak_memory() -> float:
    """Peak memory of this process in GB.

    Linux hands ``ru_maxrss`` of the starting process down to the started one, but not VmHWM.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KILOBYTES_IN_GB
    told = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
    return int(told["VmHWM"].split()[0]) / _KILOBYTES_IN_GB


def main() -> None:
    """Parse, run, and print the figures as the last line."""
    way, task = sys.argv[1:]
    print(json.dumps(asdict(measure(way, Task(**json.loads(task))))))


if __name__ == "__main__":
    main()
