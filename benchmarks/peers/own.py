"""churnkit: the logs read, checked and sorted once, then the features of all cutoffs, written."""

from __future__ import annotations

import time
from pathlib import Path

from churnkit.clock import Cutoff
from churnkit.features import FeatureSpec, plan_features, write_features
from churnkit.sources import open_logs
from peers.columns import COLUMNS
from peers.run import Task


def build(task: Task) -> dict[str, float]:
    """Read and build; tells the seconds of both parts."""
    cutoffs = [Cutoff.parse(day) for day in task.cutoffs]
    start = time.perf_counter()
    with open_logs(
        task.log("purchases"),
        task.log("activity"),
        task.log("surveys"),
        memory_limit=task.memory,
    ) as logs:
        opened = time.perf_counter()
        spec = FeatureSpec.learn(logs, before=cutoffs[-1]).limited_to(COLUMNS)
        plan = plan_features(logs, cutoffs, spec)
        write_features(logs, plan, Path(task.out) / "rows.parquet")
        written = time.perf_counter()
    return {"read, check, sort": opened - start, "features, written": written - opened}
