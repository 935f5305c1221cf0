"""CPU seconds and peak memory of everything a process starts, by what it is.

Asks the system every half second, so that what a process used in its last moments may be missed; a
peak is the system's own of each process (``VmHWM``), and so is not.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_EVERY_SECONDS = 0.5
_KILOBYTES_IN_GB, _BYTES_IN_GB = 1024**2, 1024**3


@dataclass
class Family:
    """What the processes that another has started used.

    Attributes
    ----------
    cpu
        Process → CPU seconds.
    peak
        Process → its peak memory in GB.
    kind
        Process → what it is: ``driver``, ``master``, ``worker``, ``executor``, ``python`` or its
        name.
    most
        Memory of all of them together in GB, when it was most; pages that processes share count
        for each.
    """

    cpu: dict[int, float] = field(default_factory=dict)
    peak: dict[int, float] = field(default_factory=dict)
    kind: dict[int, str] = field(default_factory=dict)
    most: float = 0.0

    def look(self, root: psutil.Process) -> None:
        """Note what all of them have used up to now."""
        together = 0
        for process in root.children(recursive=True):
            with suppress(psutil.Error, OSError, KeyError):
                times = process.cpu_times()
                self.kind[process.pid] = _kind(process)
                self.cpu[process.pid] = times.user + times.system
                self.peak[process.pid] = _peak(process.pid)
                together += process.memory_info().rss
        self.most = max(self.most, together / _BYTES_IN_GB)

    def cpu_by_kind(self) -> dict[str, float]:
        """Kind → CPU seconds of all its processes."""
        found: dict[str, float] = {}
        for pid, kind in self.kind.items():
            found[kind] = found.get(kind, 0.0) + self.cpu[pid]
        return found

    def peak_by_kind(self) -> dict[str, float]:
        """Kind → peak memory in GB of the largest of its processes."""
        found: dict[str, float] = {}
        for pid, kind in self.kind.items():
            found[kind] = max(found.get(kind, 0.0), self.peak[pid])
        return found


_MAIN_CLASSES = {
    "org.apache.spark.deploy.master.Master": "master",
    "org.apache.spark.deploy.worker.Worker": "worker",
    "org.apache.spark.executor.CoarseGrainedExecutorBackend": "executor",
    "org.apache.spark.deploy.SparkSubmit": "driver",
}


def _kind(process: psutil.Process) -> str:
    told = process.cmdline()
    named = next((kind for name, kind in _MAIN_CLASSES.items() if name in told), None)
    return named or ("python" if "python" in process.name() else process.name())


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    told = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(told["VmHWM"].split()[0]) / _KILOBYTES_IN_GB


@contextmanager
def watched_family() -> Iterator[Family]:
    """The processes that this one starts as long as the context lasts, directly or not."""
    family, done, root = Family(), threading.Event(), psutil.Process()

    def watch() -> None:
        while not done.wait(_EVERY_SECONDS):
            family.look(root)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield family
    finally:
        family.look(root)
        done.set()
        watcher.join()
