"""The driver of `test_spark_cluster`: ``python on_cluster.py MASTER FOLDER``.

It takes the logs and the model of the folder, works on the cluster, and writes what came out: the
features as they are written by churnkit, then once more and the scores, each of them with a worker
killed half-way.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from cluster import DRIVER, tripwire

from churnkit import bundle
from churnkit.clock import Cutoff
from churnkit.engines.spark import (
    plan_spark,
    spark_scores,
    spark_session,
    write_spark_features,
)

LOGS = ("purchases", "activity", "surveys")
CUTOFFS = ("2024-03-15", "2024-05-15")


def main(master: str, folder: Path) -> None:
    """Do all of it in one application."""
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
    with spark_session(master, DRIVER) as session:
        frames = {log: session.read.parquet(str(folder / f"{log}.parquet")) for log in LOGS}
        plan = plan_spark(frames, [Cutoff.parse(day) for day in CUTOFFS])
        write_spark_features(plan.features(), str(folder / "features"))
        disturbed(plan.features(), folder, "features")
        model = bundle.load(folder / "model")
        with spark_scores(frames, model, Cutoff.parse(CUTOFFS[-1])) as scores:
            disturbed(scores.run, folder, "scores")


def disturbed(rows: Any, folder: Path, name: str) -> None:
    """Bring rows here, while the worker of the second task that makes them is killed."""
    tasks = folder / f"tasks of {name}"
    tasks.mkdir()
    through = tripwire(tasks, 2, folder / "pipe")
    found = rows.mapInArrow(through, rows.schema).toArrow()
    pq.write_table(found, folder / f"{name} disturbed.parquet")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
