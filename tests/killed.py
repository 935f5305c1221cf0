"""Processes that publish, or fill a ledger, and are killed with kill -9 on the way.

``python killed.py`` imports what is needed once, and then forks a process for each line that it
reads: a JSON object with ``do``, ``folder``, and when to be killed: ``step`` (before the so many-th
look into the folder) or ``seconds``. It answers with a line: how the process ended.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock  # noqa: F401 - what forks would load is loaded once
import numpy as np
import pandas as pd  # noqa: F401 - Arrow asks for it
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq  # noqa: F401

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


def publish(folder: Path, seed: int, day: str = "2024-05-15", force: bool = False) -> Any:
    store = ScoreStore(folder)
    with store.lock(), store.publication(day, key_of(seed), force) as publication:
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


def _die_at(step: int, folder: str) -> None:
    seen = [0]

    def look(event: str, told: Any) -> None:
        if event in _STEPS and folder in str(told):
            seen[0] += 1
            if seen[0] == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)


def _one(told: dict[str, Any]) -> str:
    child = os.fork()
    if not child:
        try:
            if told.get("step"):
                _die_at(told["step"], told["folder"])
            _work(told)
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    if told.get("seconds") is not None:
        killer = threading.Timer(told["seconds"], os.kill, (child, signal.SIGKILL))
        killer.start()
    _, status = os.waitpid(child, 0)
    if told.get("seconds") is not None:
        killer.cancel()
    return "killed" if os.WIFSIGNALED(status) else f"exit {os.waitstatus_to_exitcode(status)}"


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
