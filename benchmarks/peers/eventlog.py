"""What Spark itself tells of an application, in the log of its events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Application:
    """Sums over all tasks that ended well.

    Attributes
    ----------
    tasks
        How many.
    read, shuffled, written, spilled
        Bytes of input, of shuffle files written, of output, and put on the disk for want of memory.
    busy
        Seconds in which tasks ran, added up.
    returned
        Bytes of results that came to the driver.
    """

    tasks: int = 0
    read: int = 0
    shuffled: int = 0
    written: int = 0
    spilled: int = 0
    busy: float = 0.0
    returned: int = 0

    @classmethod
    def of(cls, folder: Path) -> Application:
        """Sums of the one application whose uncompressed event log lies in a folder."""
        found = cls()
        for metrics in _tasks(folder):
            found.tasks += 1
            found.read += metrics["Input Metrics"]["Bytes Read"]
            found.shuffled += metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]
            found.written += metrics["Output Metrics"]["Bytes Written"]
            found.spilled += metrics["Disk Bytes Spilled"]
            found.busy += metrics["Executor Run Time"] / 1000
            found.returned += metrics["Result Size"]
        return found


def settings(folder: Path) -> dict[str, str]:
    """Settings with which Spark writes the log there."""
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": folder.as_uri(),
        "spark.eventLog.compress": "false",
        "spark.eventLog.rolling.enabled": "false",
    }


def _tasks(folder: Path) -> Iterator[dict[str, Any]]:
    for path in folder.iterdir():
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                event = json.loads(line)
                if event["Event"] == "SparkListenerTaskEnd" and event.get("Task Metrics"):
                    yield event["Task Metrics"]
