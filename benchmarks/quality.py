"""Our default against plain rules, BTYD, featuretools and AutoML, later in time: `make quality`.

    python benchmarks/quality.py [--sets cdnow retail-30 …] [--models trees btyd:bgnbd …]
        [--seconds 120] [--folder FOLDER] [--json]

Reads the sets from the folder that CHURNKIT_REAL_DATA names (see its README files), each the way
`churnkit init` proposes, and simulates a shop, of which the truth is known. All models get the
logs before the test cutoff, the same training cutoffs with their labels, and the same test rows;
each runs in a process of its own, with the interpreter that its variable names:

    CHURNKIT_BTYD          pip install pymc-marketing pyarrow
    CHURNKIT_FEATURETOOLS  pip install featuretools lightgbm pyarrow "pandas<3"
    CHURNKIT_FLAML         pip install "flaml[automl]" pyarrow
    CHURNKIT_AUTOGLUON     pip install "autogluon.tabular[lightgbm,xgboost,catboost]" pyarrow

A model whose variable is not set is left out with a note. The seconds are those of the whole way
from the logs to the probabilities, for AutoML and LightGBM from churnkit's features; AutoML may
take ``--seconds``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from peers.quality.own import CONFIG, TOLD
from peers.quality.run import Task
from rich.console import Console

from churnkit import terminal
from churnkit.metrics import Interval, evaluate, paired_difference
from churnkit.scaffold import write_config
from churnkit.sections import QuestionSection
from churnkit.simulate import Shop, simulate

OWN, OPTIMUM = "own", "optimum"
MODELS = {
    "trees": ("LightGBM defaults, one cutoff", ""),
    "btyd:bgnbd": ("BG/NBD (PyMC-Marketing)", "CHURNKIT_BTYD"),
    "btyd:pareto": ("Pareto/NBD (PyMC-Marketing)", "CHURNKIT_BTYD"),
    "dfs": ("featuretools + LightGBM", "CHURNKIT_FEATURETOOLS"),
    "flaml": ("FLAML", "CHURNKIT_FLAML"),
    "gluon": ("AutoGluon", "CHURNKIT_AUTOGLUON"),
    OPTIMUM: ("optimum given the logs", ""),
}
"""Model → what it is called, and the variable that names its interpreter; none is this one."""

_OF_PURCHASES = ("btyd:bgnbd", "btyd:pareto")
_SHOWN = ("auroc", "log_loss", "ece")
_WIDTH = 110


@dataclass(frozen=True)
class Case:
    """A set, the question asked of it, and the day of the test.

    Attributes
    ----------
    title
        What it is called.
    files
        Log → its file in the folder of the real logs; none for the simulated shop.
    question
        What is asked.
    at
        The test cutoff.
    static
        Columns of the customers that never change.
    ending
        Only the customers whose ids end so are tested.
    """

    title: str
    files: dict[str, str]
    question: QuestionSection
    at: date
    static: tuple[str, ...] = ()
    ending: str = ""

    @property
    def until(self) -> date:
        """The day on which the horizon of the test ends."""
        return self.at + timedelta(days=self.question.horizon_days)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that can answer the question."""
        buys = self.question.churn == "no_purchase"
        return tuple(
            name
            for name in MODELS
            if (buys or name not in _OF_PURCHASES) and (name != OPTIMUM or not self.files)
        )


def _orders(horizon_days: int, at: date) -> Case:
    title = f"Online Retail II, orders, {horizon_days} d"
    files = {"purchases": "online_retail_ii/orders.parquet"}
    return Case(title, files, QuestionSection(horizon_days=horizon_days), at)


CASES = {
    "cdnow": Case(
        "CDNOW, 90 d",
        {"purchases": "cdnow/transactions.parquet"},
        QuestionSection(horizon_days=90, lookback_days=180),
        date(1998, 4, 1),
    ),
    "retail-30": _orders(30, date(2011, 11, 8)),
    "retail-60": _orders(60, date(2011, 10, 9)),
    "retail-90": _orders(90, date(2011, 9, 9)),
    "oulad": Case(
        "OULAD, withdrawal in days 61–150 of the courses 2014J",
        {"activity": "oulad/events.parquet", "customers": "oulad/enrolments.parquet"},
        QuestionSection(churn="event", events=("unregister",), lookback_days=365),
        date(2014, 12, 1),
        (
            "code_module",
            "gender",
            "region",
            "highest_education",
            "imd_band",
            "age_band",
            "num_of_prev_attempts",
            "studied_credits",
            "disability",
        ),
        "_2014J",
    ),
    "simulated": Case(
        "Simulated shop, 60 d", {}, QuestionSection(horizon_days=60), date(2024, 10, 31)
    ),
}
"""Name on the command line → the set."""


@dataclass(frozen=True)
class Score:
    """What a model reached.

    Attributes
    ----------
    name
        What it is called.
    p
        Churn probabilities of the test rows.
    metrics
        Metric → value with its 95 % interval, clustered by customer.
    seconds
        How long it took; ``None`` if it was not alone in its process.
    peer
        Whether our default is compared with it.
    """

    name: str
    p: np.ndarray
    metrics: dict[str, Interval]
    seconds: float | None = None
    peer: bool = True


@dataclass
class Result:
    """One set: the scores, ours first, and what could not be run."""

    title: str
    question: str
    cutoff: str
    churned: np.ndarray
    customers: np.ndarray
    scores: list[Score] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, p: np.ndarray, seconds: float | None, *, peer: bool = True) -> None:
        """Score the probabilities of one more model."""
        metrics = evaluate(self.churned, p, self.customers)
        self.scores.append(Score(name, p, metrics, seconds, peer))

    def against_best(self, metric: str) -> tuple[str, Interval]:
        """The best peer by a metric, and how much higher ours is than it."""
        sign = -1 if metric == "auroc" else 1
        peers = [score for score in self.scores if score.peer]
        best = min(peers, key=lambda score: sign * score.metrics[metric].value)
        return best.name, self.gain_over(best, metric)

    def gain_over(self, other: Score, metric: str) -> Interval:
        """How much higher ours is than another by a metric, on the same customers."""
        ours = self.scores[0].p
        return paired_difference(metric, self.churned, ours, other.p, self.customers)


def measured(case: Case, models: list[str], folder: Path, data: Path, seconds: int) -> Result:
    """Run ours, then the others, on one set."""
    shop = None if case.files else simulate()
    files = _files(case, data) if shop is None else _written(shop, folder)
    write_config(folder / CONFIG, files, case.question, force=True)
    _declare_static(folder / CONFIG, case.static)
    task = Task(str(folder), case.question.horizon_days, str(case.until), seconds, case.ending)
    took = _run(OWN, sys.executable, task)
    told = json.loads((folder / TOLD).read_text(encoding="utf-8"))
    test = task.table("test")
    result = Result(
        case.title, told["question"], told["cutoff"],
        np.load(folder / "churned.npy"), test["customer_id"].to_numpy(),
    )  # fmt: skip
    result.add(f"churnkit ({told['chosen']})", np.load(task.probabilities(OWN)), took, peer=False)
    for rung in told["rungs"]:
        if rung != told["chosen"]:
            p = np.load(task.probabilities(f"ladder:{rung}"))
            result.add(f"  {rung}", p, None, peer=rung in told["rules"])
    for name in case.models:
        if name in models:
            _add(result, name, task)
    if shop is not None:
        true = shop.truth.churn_probability(case.at, case.question.horizon_days)
        result.add("the hidden truth", true.loc[result.customers].to_numpy(), None, peer=False)
    return result


def _declare_static(config: Path, names: tuple[str, ...]) -> None:
    """Take what `churnkit init` proposes in a comment, but these columns."""
    if names:
        text = config.read_text(encoding="utf-8")
        listed = ", ".join(f'"{name}"' for name in names)
        config.write_text(
            re.sub("^# static = .*$", f"static = [{listed}]", text, flags=re.MULTILINE),
            encoding="utf-8",
        )


def _add(result: Result, name: str, task: Task) -> None:
    title, variable = MODELS[name]
    python = os.environ.get(variable) if variable else sys.executable
    if not python:
        result.notes.append(f"{title}: left out, {variable} names no interpreter")
        return
    try:
        took = _run(name, python, task)
    except RuntimeError as error:
        result.notes.append(f"{title}: {error}")
        return
    result.add(title, np.load(task.probabilities(name)), took, peer=name != OPTIMUM)


def _files(case: Case, data: Path) -> dict[str, Path | str]:
    return {log: data / file for log, file in case.files.items()}


def _written(shop: Shop, folder: Path) -> dict[str, Path | str]:
    written = shop.write(folder / "shop")
    return {log: path for log, path in written.items() if log != "customers"}


def _run(model: str, python: str, task: Task) -> float:
    """Seconds that a model took.

    Raises
    ------
    RuntimeError
        If it failed, with the last line of what it said.
    """
    done = subprocess.run(
        [python, "-W", "ignore", "-m", "peers.quality.run", model, task.to_json()],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"ended by signal {-done.returncode}"]
        raise RuntimeError(f"failed: {said[-1]}")
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


def show(result: Result, console: Console) -> None:
    """Print the table of a set, and how ours compares with the best."""
    console.print(f"\n{result.title}: {result.question}")
    console.print(
        terminal.table(
            f"Test at {result.cutoff}: {len(result.churned):,} customers, "
            f"{result.churned.mean():.1%} churned (95 % intervals)",
            ["model", "AUROC", "log loss", "ECE", "seconds"],
            (list(_cells(score, k == 0)) for k, score in enumerate(result.scores)),
        )
    )
    for metric in ("auroc", "log_loss"):
        name, gain = result.against_best(metric)
        words = metric.replace("_", " ").replace("auroc", "AUROC")
        console.print(f"ours − {name.strip()}, the best peer by {words}: {gain}")
        for score in result.scores:
            if score.name == MODELS[OPTIMUM][0]:
                console.print(f"ours − {score.name}, {words}: {result.gain_over(score, metric)}")
    for note in result.notes:
        console.print(note)


def _cells(score: Score, ours: bool) -> Iterator[str]:
    yield ("→ " if ours else "  ") + score.name
    yield str(score.metrics["auroc"])
    yield str(score.metrics["log_loss"])
    yield f"{score.metrics['ece'].value:.3f}"
    yield "" if score.seconds is None else f"{score.seconds:.0f}"


def as_dict(result: Result) -> dict[str, Any]:
    """A set as JSON-ready values."""
    scores = [
        {"model": s.name.strip(), "seconds": s.seconds, "peer": s.peer}
        | {m: [s.metrics[m].value, s.metrics[m].low, s.metrics[m].high] for m in _SHOWN}
        for s in result.scores
    ]
    gains = {}
    for metric in ("auroc", "log_loss"):
        name, gain = result.against_best(metric)
        gains[metric] = {"best": name.strip(), "gain": [gain.value, gain.low, gain.high]}
    return {
        "set": result.title, "question": result.question, "cutoff": result.cutoff,
        "customers": len(result.churned), "base_rate": float(result.churned.mean()),
        "scores": scores, "against_best": gains, "notes": result.notes,
    }  # fmt: skip


def parsed() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=CASES, default=list(CASES), metavar="SET",
                        help=f"of {', '.join(CASES)}")  # fmt: skip
    parser.add_argument("--models", nargs="*", choices=MODELS, default=list(MODELS),
                        metavar="MODEL", help=f"of {', '.join(MODELS)}")  # fmt: skip
    parser.add_argument("--seconds", type=int, default=120, help="what AutoML may take")
    parser.add_argument("--folder", type=Path, help="where the tables stay; else temporary")
    parser.add_argument("--json", action="store_true", help="print JSON, not tables")
    return parser.parse_args()


def main() -> None:
    """Measure every set that is there."""
    asked = parsed()
    named = os.environ.get("CHURNKIT_REAL_DATA")
    data = Path(named or "")
    results = []
    for name in asked.sets:
        case = CASES[name]
        missing = [f for f in case.files.values() if not (named and (data / f).exists())]
        if missing:
            terminal.note(f"{case.title}: {missing[0]} is not in CHURNKIT_REAL_DATA")
            continue
        with tempfile.TemporaryDirectory() as scratch:
            folder = (asked.folder or Path(scratch)).resolve() / name
            folder.mkdir(parents=True, exist_ok=True)
            result = measured(case, asked.models, folder, data, asked.seconds)
        results.append(result)
        if not asked.json:
            show(result, Console(width=_WIDTH, highlight=False))
    if asked.json:
        print(json.dumps([as_dict(result) for result in results]))


if __name__ == "__main__":
    main()
