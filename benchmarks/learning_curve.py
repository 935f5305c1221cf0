"""What more rows are worth, and what spreading them over processes costs: `make curve`.

A simulated shop. Trees learn from more and more of its customers, each sample within the next, and
all are judged on the same customers at a later cutoff; differences from the largest are paired, and
brackets hold 95 % bootstrap intervals, clustered by customer. Then the same rows are learnt from by
one process with two threads, and by two processes with one thread each that LightGBM joins over
sockets (tree_learner=data), customers whole on either side.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lightgbm as lgb
import numpy as np

from churnkit import terminal
from churnkit.clock import Cutoff
from churnkit.dataset import Dataset, Recipe, Schedule, build_dataset
from churnkit.labels import Question
from churnkit.metrics import METRICS, evaluate, paired_difference
from churnkit.model import ChurnModel, fit, rung_named
from churnkit.simulate import simulate
from churnkit.sources import open_logs

QUESTION = Question(horizon_days=30, lookback_days=90)
SCHEDULE = Schedule(every=28, cutoffs=8, tests=1)
SIZES = (5_000, 15_000, 50_000, 150_000, 500_000, 1_500_000)
SHOWN = ("auroc", "log_loss", "ece")
BARE = {
    "objective": "binary", "learning_rate": 0.05, "num_leaves": 7, "min_data_in_leaf": 200,
    "feature_fraction": 0.6, "lambda_l2": 5.0, "verbosity": -1, "deterministic": True,
    "force_col_wise": True, "seed": 0,
}  # fmt: skip
ROUNDS = 180


def rows_of(customers: int) -> tuple[Dataset, Dataset, Cutoff]:
    """What is learnt from, and what it is tested on, of a shop of so many customers."""
    shop = simulate(customers=customers, days=500)
    with open_logs(shop.purchases, shop.activity, shop.surveys) as logs:
        (at,) = SCHEDULE.test_cutoffs(logs, QUESTION)
        before = SCHEDULE.training_cutoffs(logs, QUESTION, at)
        learnt = build_dataset(logs, QUESTION, before, Recipe().spec(logs, before))
        return learnt, build_dataset(logs, QUESTION, [at], learnt.features.spec), at


def samples(learnt: Dataset) -> Iterator[Dataset]:
    """Whole customers in the order of a draw, up to about each size, and in the end all."""
    names, customer = np.unique(learnt.features.customer_id, return_inverse=True)
    place = np.random.default_rng(0).permutation(len(names))[customer]
    per_customer = len(learnt) / len(names)
    for size in SIZES:
        if size < 0.8 * len(learnt):
            yield learnt.where(place < round(size / per_customer))
    yield learnt


def curve(learnt: Dataset, test: Dataset) -> list[dict[str, Any]]:
    """One entry for each sample: rows, customers, seconds, and what was reached on the test."""
    found: list[dict[str, Any]] = []
    for sample in samples(learnt):
        started = time.perf_counter()
        model: ChurnModel = fit(rung_named("lightgbm"), sample, QUESTION, Recipe())
        seconds = time.perf_counter() - started
        p = model.churn_probability(test.features)
        found.append(
            {"rows": len(sample), "customers": sample.customers, "seconds": seconds, "p": p}
        )
    for entry in found:
        entry["metrics"] = evaluate(test.churned, entry["p"], test.features.customer_id)
        entry["lost"] = paired_difference(
            "log_loss", test.churned, entry["p"], found[-1]["p"], test.features.customer_id
        )
    return found


def spread(learnt: Dataset, test: Dataset) -> list[dict[str, Any]]:
    """The same rows learnt from by one process, and by two that are joined by sockets."""
    names = learnt.features.names
    customer = np.unique(learnt.features.customer_id, return_inverse=True)[1]
    X, y = learnt.features.matrix(names), learnt.churned.astype(np.float32)
    found: list[dict[str, Any]] = []
    for way, machines in (("one process, two threads", 1), ("two processes, sockets", 2)):
        with TemporaryDirectory() as told:
            folder = Path(told)
            for k in range(machines):
                mine = customer % machines == k
                np.save(folder / f"X{k}.npy", X[mine])
                np.save(folder / f"y{k}.npy", y[mine])
            seconds, cpu = joined(folder, machines)
            booster = lgb.Booster(model_file=str(folder / "model.txt"))
        p = np.asarray(booster.predict(test.features.matrix(names)))
        found.append({"way": way, "seconds": seconds, "cpu": cpu, "p": p})
    for entry in found:
        entry["metrics"] = evaluate(test.churned, entry["p"], test.features.customer_id)
        entry["lost"] = paired_difference(
            "log_loss", test.churned, entry["p"], found[0]["p"], test.features.customer_id
        )
    return found


def joined(folder: Path, machines: int) -> tuple[float, float]:
    """Seconds until the slowest of some processes has learnt from its part, and the CPU of all."""
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(machines)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [str(one.getsockname()[1]) for one in sockets]
    command = [sys.executable, __file__, "--folder", str(folder), "--ports", *ports, "--machine"]
    started = [
        subprocess.Popen([*command, str(k)], stdout=subprocess.PIPE, text=True)
        for k in range(machines)
    ]
    said = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise RuntimeError("a process of LightGBM failed")
    # LightGBM says something of its network before.
    walls, cpus = zip(*(json.loads(text.splitlines()[-1]) for text in said), strict=True)
    return max(walls), sum(cpus)


def learn_part(folder: Path, machine: int, ports: Sequence[str]) -> tuple[float, float]:
    """Learn from one part, together with the processes at the other ports; seconds, and CPU."""
    parameters: dict[str, Any] = BARE | {"num_threads": 2 // len(ports)}
    if len(ports) > 1:
        parameters |= {
            "tree_learner": "data", "num_machines": len(ports), "pre_partition": True,
            "machines": ",".join(f"127.0.0.1:{port}" for port in ports),
            "local_listen_port": int(ports[machine]),
        }  # fmt: skip
    data = lgb.Dataset(np.load(folder / f"X{machine}.npy"), np.load(folder / f"y{machine}.npy"))
    started, before = time.perf_counter(), time.process_time()
    booster = lgb.train(parameters, data, ROUNDS)
    seconds, cpu = time.perf_counter() - started, time.process_time() - before
    if machine == 0:
        booster.save_model(str(folder / "model.txt"))
    return seconds, cpu


def told(entry: dict[str, Any], base: float, *first: str) -> list[str]:
    """A row of a table."""
    metrics = [str(entry["metrics"][name]) for name in SHOWN]
    return [*first, *metrics, str(entry["lost"]), f"{entry['seconds'] / base:.2f}"]


def main() -> None:
    """Print the curve, then one process against two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=40_000)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--ports", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--machine", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.machine is not None:
        print("\n" + json.dumps(learn_part(asked.folder, asked.machine, asked.ports)))
        return
    learnt, test, at = rows_of(asked.customers)
    out = terminal.out()
    metrics = [f"{name} ({METRICS[name].better} is good)" for name in SHOWN]
    points = curve(learnt, test)
    title = f"Trees from more and more rows, tested on {len(test):,} customers at {at}"
    rows = [
        told(entry, points[-1]["seconds"], f"{entry['rows']:,}", f"{entry['customers']:,}")
        for entry in points
    ]
    header = ["rows", "customers", *metrics, "log loss above the last", "time of the last"]
    out.print(terminal.table(title, header, rows), "")
    ways = spread(learnt, test)
    title = f"{len(learnt):,} rows in one process and in two"
    cpu = ways[0]["cpu"]
    rows = [
        [*told(entry, ways[0]["seconds"], entry["way"]), f"{entry['cpu'] / cpu:.2f}"]
        for entry in ways
    ]
    header = ["way", *metrics, "log loss above one process", "time of one process", "CPU of it"]
    out.print(terminal.table(title, header, rows))


if __name__ == "__main__":
    main()
