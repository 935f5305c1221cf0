"""The recipe of the trees against slower and faster ones: `make recipes`.

On the simulated shop, and on CDNOW and Online Retail II where CHURNKIT_REAL_DATA names them. The
time of a fit is given as a ratio to the default's in the same run.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from churnkit import terminal
from churnkit.config import load_settings
from churnkit.dataset import Dataset, Schedule, build_dataset
from churnkit.estimators import ChurnClassifier
from churnkit.labels import Question
from churnkit.logs import Logs
from churnkit.metrics import auroc, log_loss
from churnkit.scaffold import write_config
from churnkit.sections import QuestionSection
from churnkit.simulate import simulate
from churnkit.sources import read_logs

RECIPES = {
    "default": ChurnClassifier(),
    "300 trees, rate .03, 3 seeds": ChurnClassifier(trees=300, learning_rate=0.03, seeds=3),
    "one seed": ChurnClassifier(seeds=1),
    "90 trees, rate .1": ChurnClassifier(trees=90, learning_rate=0.1),
    "LightGBM's defaults": ChurnClassifier(
        trees=100, leaves=31, rows_per_leaf=20, learning_rate=0.1,
        column_share=1.0, row_share=1.0, l2=0.0, seeds=1,
    ),
}  # fmt: skip


def sets() -> Iterator[tuple[str, Logs, Question]]:
    """Name, logs and question of every set that is there."""
    shop = simulate()
    logs = read_logs(shop.purchases, shop.activity, shop.surveys)
    yield "simulated shop", logs, Question(horizon_days=60)
    folder = os.environ.get("CHURNKIT_REAL_DATA")
    for name, file in (
        ("CDNOW", "cdnow/transactions.parquet"),
        ("Online Retail II", "online_retail_ii/orders.parquet"),
    ):
        if folder and (Path(folder) / file).exists():
            with tempfile.TemporaryDirectory() as scratch:
                config = Path(scratch) / "churnkit.toml"
                write_config(config, {"purchases": Path(folder) / file}, QuestionSection())
                settings = load_settings(config)
                yield name, settings.read_logs(), settings.asked()


def split(logs: Logs, question: Question) -> tuple[Dataset, Dataset]:
    """Training rows and the rows of the latest test cutoff."""
    schedule = Schedule()
    at = schedule.test_cutoffs(logs, question)[-1]
    learnt = build_dataset(logs, question, schedule.training_cutoffs(logs, question, at))
    return learnt, build_dataset(logs, question, [at], learnt.features.spec)


def measure(learnt: Dataset, test: Dataset) -> Iterator[list[str]]:
    """A row of the table for each recipe; the first is what the times are compared with."""
    baseline = 0.0
    for name, recipe in RECIPES.items():
        started = time.perf_counter()
        recipe.fit(learnt.features.values, learnt.churned)
        seconds = time.perf_counter() - started
        baseline = baseline or seconds
        p = recipe.predict_proba(test.features.values)[:, 1]
        scores = (log_loss(test.churned, p), auroc(test.churned, p))
        yield [name, *(f"{score:.4f}" for score in scores), f"{seconds / baseline:.2f}"]


def main() -> None:
    """Print one table a set."""
    for name, logs, question in sets():
        learnt, test = split(logs, question)
        title = f"{name}: {len(learnt):,} rows × {len(learnt.features.names)} features"
        columns = ["recipe", "log loss", "AUROC", "time of fit"]
        terminal.out().print(terminal.table(title, columns, measure(learnt, test)), "")


if __name__ == "__main__":
    main()
