"""Processes that publish, fill a ledger or run a command, and are killed with kill -9 on the way.

``python killed.py`` imports what is needed once, and then forks a process for each line that it
reads: a JSON object with ``do``, ``folder``, and when to be killed: ``step`` (before the so many-th
look into the folder), ``seconds``, or both (so many seconds after that step). It answers with a
line: how the process ended; after ``steps`` with how many it made, and ``race`` has a line for each
of its processes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import filelock  # noqa: F401 - what forks would load is loaded once
import numpy as np
import pandas as pd  # noqa: F401 - Arrow asks for it
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq  # noqa: F401

from churnkit.errors import ChurnkitError
from churnkit.publishing import ScoreStore

_STEPS = ("open", "os.mkdir", "os.rename", "os.remove", "os.chmod", "os.scandir")
ROWS = 2_000


def table_of(seed: int, day: str = "2024-05-15", rows: int = ROWS) -> pa.Table:
    """A run that follows from a number."""
    draw = np.random.default_rng(seed)
    probability = draw.random(rows)
    return pa.table(
        {
            "customer_id": [f"c{k}" for k in range(rows)],
            "as_of": [day] * rows,
            "churn_probability": probability,
            "light": np.where(probability > 0.7, "red", "green"),
            "model_version": [str(seed)] * rows,
        }
    )


def key_of(seed: int) -> str:
    return f"{seed:04x}{0:012x}"


def publish(
    folder: Path,
    seed: int,
    day: str = "2024-05-15",
    force: bool = False,
    held: Callable[[], object] = lambda: None,
) -> Any:
    store = ScoreStore(folder)
    with store.lock(), store.publication(day, key_of(seed), force) as publication:
        held()
        table = table_of(seed, day)
        for start in range(0, ROWS, 500):
            publication.write(table.slice(start, 500))
        return publication.publish({"model": {"version": str(seed)}})


def _work(told: dict[str, Any]) -> None:
    folder = Path(told["folder"])
    if told["do"] == "publish":
        publish(folder, told["seed"], told.get("day", "2024-05-15"))
    elif told["do"] == "hold":
        with ScoreStore(folder).lock():
            (folder / "held.part").write_text(str(os.getpid()))
            (folder / "held.part").rename(folder / "held")
            time.sleep(60)
    elif told["do"] == "ledger":
        from churnkit.ledger import Ledger

        Ledger(folder / "ledger").catch_up(ScoreStore(folder))
    elif told["do"] == "command":
        _command(told)


def _command(told: dict[str, Any]) -> None:
    """A command of churnkit in a project; what it says goes into a file."""
    from churnkit.cli import app

    said = os.open(told["said"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(said, stream)
    if told.get("largest"):
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (told["largest"], told["largest"]))
    app([*told["arguments"], "--config", str(Path(told["folder"]) / "churnkit.toml")])


def _warm() -> None:
    """Load what a command loads, once for all of them; nothing here uses the names."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    import duckdb  # noqa: F401
    import lightgbm  # noqa: F401
    import mlflow
    import sklearn.linear_model  # noqa: F401

    mlflow.MlflowClient("http://127.0.0.1:9")  # loads what asks a server, and asks nothing
    import churnkit.cli
    import churnkit.project
    import churnkit.project_run
    import churnkit.terminal.console  # noqa: F401


def _at_step(step: int | None, folder: str, act: Callable[[], None]) -> list[int]:
    """Act at a step of this process; how many there were so far."""
    seen = [0]

    def look(event: str, told: Any) -> None:
        if event in _STEPS and folder in str(told):
            seen[0] += 1
            if seen[0] == step:
                act()

    sys.addaudithook(look)
    return seen


def _die(seconds: float = 0.0) -> None:
    if seconds:
        threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
    else:
        os.kill(os.getpid(), signal.SIGKILL)


def _child(told: dict[str, Any]) -> NoReturn:
    """Do it and end; nobody else's code runs after that."""
    code, made = 0, None
    try:
        if told.get("step"):
            _at_step(told["step"], told["folder"], partial(_die, told.get("seconds") or 0.0))
        elif told.get("steps"):
            made = _at_step(None, told["folder"], lambda: None)
        _work(told)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException as error:
        sys.stderr.write(f"{error!r}\n")
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    if made is not None:
        Path(told["steps"]).write_text(str(made[0]))
    os._exit(code)


def _one(told: dict[str, Any]) -> str:
    if told["do"] == "race":
        return _race(told)
    if told["do"] == "command":
        _warm()
    child = os.fork()
    if not child:
        _child(told)
    killer = None
    if told.get("seconds") is not None and not told.get("step"):
        killer = threading.Timer(told["seconds"], os.kill, (child, signal.SIGKILL))
        killer.start()
    _, status = os.waitpid(child, 0)
    if killer is not None:
        killer.cancel()
    return _ended(status)


def _ended(status: int) -> str:
    return "killed" if os.WIFSIGNALED(status) else f"exit {os.waitstatus_to_exitcode(status)}"


def _race(told: dict[str, Any]) -> str:
    """Processes that publish to one store at once: how each ended, the winner's seed last.

    Whoever gets the lock holds it until all others have tried, so that the race is one.
    """
    start, go = os.pipe()
    hold, release = os.pipe()
    racers = {}
    for seed in told["seeds"]:
        child = os.fork()
        if not child:
            for other in (go, release):
                os.close(other)
            os.read(start, 1)  # returns once the other end is closed
            _racer(told, seed, hold)
        racers[child] = seed
    for mine in (start, hold, go):
        os.close(mine)
    ends = {}
    while len(ends) < len(racers) - 1:
        child, status = os.wait()
        ends[racers[child]] = _ended(status)
    os.close(release)
    child, status = os.wait()
    winner = racers[child]
    return json.dumps([*(ends.values()), _ended(status), winner])


def _racer(told: dict[str, Any], seed: int, hold: int) -> NoReturn:
    code = 0
    try:
        publish(Path(told["folder"]), seed, told["day"], held=lambda: os.read(hold, 1))
    except ChurnkitError as error:
        code = error.exit_code
    except BaseException as error:
        sys.stderr.write(f"{error!r}\n")
        code = 1
    os._exit(code)


class Zygote:
    """A process that forks others."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def begin(self, **told: Any) -> None:
        """Start one and do not wait for its end."""
        assert self._process.stdin is not None
        told["folder"] = str(told["folder"])
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()

    def end(self) -> str:
        """How it ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def __call__(self, **told: Any) -> str:
        self.begin(**told)
        return self.end()


@contextmanager
def zygote() -> Iterator[Zygote]:
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Zygote(process)
        process.stdin.close()  # type: ignore[union-attr]


if __name__ == "__main__":
    for line in sys.stdin:
        print(_one(json.loads(line)), flush=True)
