"""A real Spark cluster on this machine: a master and workers, each a process of its own.

Everything listens on the loopback only, on ports that the system chooses. What is waited for is a
line in the log of the process that tells it; nothing sleeps. Each worker leads a session of
processes, to which its executors and their Python belong, so that all of them can be killed at
once, as if a machine were lost.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

HERE = "127.0.0.1"
PATIENCE = 120  # seconds, on a machine that has much else to do

# Few rows: Java's second compiler takes longer than it saves.
QUICK = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
DRIVER = {
    "spark.driver.host": HERE,
    "spark.driver.bindAddress": HERE,
    "spark.driver.memory": "512m",
    "spark.executor.memory": "512m",
    "spark.executor.cores": "1",
    "spark.executor.extraJavaOptions": QUICK,
    "spark.executorEnv.PYTHONPATH": str(Path(__file__).parent),
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.adaptive.coalescePartitions.enabled": "false",  # or so few rows would be one part
    "spark.python.daemon.module": "warm",
    # Whoever is gone does not come back: to ask again for minutes is of no use.
    "spark.shuffle.io.maxRetries": "1",
    "spark.shuffle.io.retryWait": "100ms",
}
"""Settings of a driver on the cluster."""


def environment() -> dict[str, str]:
    """The environment of a driver on the cluster."""
    told = {"SPARK_SUBMIT_OPTS": QUICK, "SPARK_LOCAL_IP": HERE, "PYSPARK_PYTHON": sys.executable}
    return os.environ | told


class Daemon:
    """A process of Spark, and what it has said."""

    def __init__(self, name: str, *arguments: str, **environment: str) -> None:
        home = Path(str(find_spec("pyspark").origin)).parent
        command = [str(home / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}", *arguments]
        self.name, self.lines, self._ended = name, [], False
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {"SPARK_HOME": str(home)} | environment, start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def session(self) -> int:
        """The session of processes that it leads."""
        return self._process.pid

    def said(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait until it has said something so many times; the last of them."""
        found: list[re.Match[str]] = []

        def enough() -> bool:
            found[:] = filter(None, (re.search(pattern, line) for line in self.lines))
            return self._ended or len(found) >= times

        with self._news:
            self._news.wait_for(enough, PATIENCE)
        if len(found) < times:
            raise TimeoutError(f"{self.name} never said {pattern!r}:\n" + "".join(self.lines[-20:]))
        return found[times - 1]

    def kill(self) -> None:
        """End it, and all that it has started, at once."""
        for pid in of_session(self.session):
            _kill(pid)
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        self._process.stdout.close()

    def _read(self) -> None:
        for line in self._process.stdout:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


def of_session(session: int) -> list[int]:
    """The processes of a session that live, the leader first."""
    told = subprocess.run(
        ["ps", "-A", "-o", "pid=,sess=,stat="], capture_output=True, text=True, check=True
    )
    rows = (line.split() for line in told.stdout.splitlines())
    return sorted(int(pid) for pid, of, state in rows if int(of) == session and state[0] != "Z")


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it went with its parent
        os.kill(pid, signal.SIGKILL)


@dataclass
class Cluster:
    """A master with workers of one processor each."""

    folder: Path
    master: Daemon
    url: str
    memory: str = "700m"
    workers: list[Daemon] = field(default_factory=list)
    started: int = 0

    def add_worker(self) -> None:
        """Start a worker, and wait until the master knows it."""
        self.started += 1
        place = self.folder / f"worker {self.started}"
        self.workers.append(
            Daemon(
                "worker.Worker", "--host", HERE, "--port", "0", "--webui-port", "0",
                "--cores", "1", "--memory", self.memory, "--work-dir", str(place), self.url,
                **_environment(self.folder),
            )
        )  # fmt: skip
        self.master.said(r"Registering worker 127\.0\.0\.1", self.started)

    def kill_worker(self, session: int) -> None:
        """Kill the worker of a session of processes, and its executors, with SIGKILL."""
        worker = next(w for w in self.workers if w.session == session)
        self.workers.remove(worker)
        worker.kill()


@contextmanager
def cluster(folder: Path, workers: int = 2, memory: str = "700m") -> Iterator[Cluster]:
    """A standalone cluster of Spark, which is gone at the end, come what may.

    Parameters
    ----------
    folder
        Where it keeps its files.
    workers
        Number of workers.
    memory
        What each of them has for executors.
    """
    master = Daemon(
        "master.Master", "--host", HERE, "--port", "0", "--webui-port", "0",
        **_environment(folder),
    )  # fmt: skip
    made: Cluster | None = None
    try:
        url = master.said(r"Starting Spark master at (spark://127\.0\.0\.1:\d+)")[1]
        master.said("I have been elected leader")
        made = Cluster(folder, master, url, memory)
        for _ in range(workers):
            made.add_worker()
        yield made
    finally:
        for daemon in (*(made.workers if made else ()), master):
            daemon.kill()


def _environment(folder: Path) -> dict[str, str]:
    return {
        "SPARK_LOCAL_IP": HERE,
        "SPARK_PUBLIC_DNS": HERE,
        "SPARK_LOCAL_DIRS": str(folder / "local"),
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": QUICK,
    }


@contextmanager
def killing(made: Cluster, pipe: Path, deaths: int) -> Iterator[list[int]]:
    """Kill the worker of each session that is written into a pipe, so many of them.

    Another takes its place unless it is the last to be killed. Yields the sessions that were killed
    so far.
    """
    os.mkfifo(pipe)
    killed: list[int] = []
    failed: list[Exception] = []

    def watch() -> None:
        try:
            while asked := int(pipe.read_text()):  # blocks until somebody writes
                made.kill_worker(asked)
                killed.append(asked)
                if len(killed) < deaths:
                    made.add_worker()
        except Exception as error:  # told where the test sees it
            failed.append(error)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield killed
    finally:
        if watching.is_alive():
            pipe.write_text("0")
        watching.join(PATIENCE)
    if failed:
        raise failed[0]


def tripwire(folder: Path, nth: int, pipe: Path) -> Callable[[Iterator], Iterator]:
    """What lets batches of a partition through, and has the ``nth`` task that passes killed.

    The task is killed with its executor and its worker after it has handed over a batch. Tasks
    are counted by files in a folder, none of which is made twice; with 0 nobody is killed.
    """

    def through(batches: Iterator) -> Iterator:
        number = next(k for k in range(1, 10_000) if _first(folder / str(k)))
        yield from _some(batches)
        if number == nth:
            pipe.write_text(str(os.getsid(0)))
            signal.pause()  # the end comes from outside
        yield from batches

    return through


def _some(batches: Iterator) -> Iterator:
    yield from (batch for batch, _ in zip(batches, range(1), strict=False))


def _first(file: Path) -> bool:
    try:
        file.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
