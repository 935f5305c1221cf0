"""Every choice of the recipe against its alternatives, on later tests: `make recipes`.

On the simulated shop, and on CDNOW and Online Retail II where CHURNKIT_REAL_DATA names them. Each
line changes one thing; the time is that of its trial as a ratio to the default's in the same run.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from churnkit import terminal
from churnkit.clock import Cutoff
from churnkit.config import load_settings
from churnkit.dataset import Recipe, Schedule
from churnkit.evaluation import trial_at
from churnkit.labels import Question
from churnkit.logs import CustomerLogs
from churnkit.scaffold import write_config
from churnkit.sections import QuestionSection
from churnkit.simulate import simulate
from churnkit.sources import read_logs

CDNOW, RETAIL = "cdnow/transactions.parquet", "online_retail_ii/orders.parquet"
PLAIN_LIGHTGBM = {
    "trees": 100, "leaves": 31, "rows_per_leaf": 20, "learning_rate": 0.1, "column_share": 1.0,
    "row_share": 1.0, "l2": 0.0, "seeds": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A set with its question, and the cutoff at which it is tested."""

    name: str
    logs: CustomerLogs
    question: Question
    at: Cutoff


@dataclass(frozen=True)
class Choice:
    """One way to make the model."""

    says: str
    recipe: Recipe = field(default_factory=Recipe)
    schedule: Schedule = field(default_factory=Schedule)
    rung: str = "lightgbm"


def trees(**changed: float) -> Recipe:
    """The default with other trees."""
    return Recipe(trees=changed)


CHOICES = (
    Choice("the default trees"),
    Choice("logistic", rung="logistic"),
    Choice("blend: half logistic", rung="blend"),
    Choice("28 days apart", schedule=Schedule(every=28, cutoffs=13)),
    Choice("14 days apart, 26 cutoffs", schedule=Schedule(every=14, cutoffs=26)),
    Choice("six cutoffs", schedule=Schedule(cutoffs=6)),
    Choice("one cutoff", schedule=Schedule(cutoffs=1)),
    Choice("never the season", Recipe(season="never")),
    Choice("always the season", Recipe(season="always")),
    Choice("the season with all customers", Recipe(market=True)),
    Choice("early stopping", Recipe(early_stopping=True)),
    Choice("monotone", Recipe(monotone=True)),
    Choice("calibrated on customers left out", Recipe(calibrate=True)),
    Choice("hazard in three steps", Recipe(hazard=True), rung="hazard"),
    Choice("one seed", trees(seeds=1)),
    Choice("15 leaves", trees(leaves=15)),
    Choice("300 trees at rate .03", trees(trees=300, learning_rate=0.03)),
    Choice("360 trees", trees(trees=360)),
    Choice("LightGBM's defaults", Recipe(trees=PLAIN_LIGHTGBM)),
    Choice("LightGBM's defaults, one cutoff", Recipe(trees=PLAIN_LIGHTGBM), Schedule(cutoffs=1)),
)


def cases() -> Iterator[Case]:
    """Every set that is there."""
    shop = simulate()
    logs, question = read_logs(shop.purchases, shop.activity, shop.surveys), Question()
    yield Case("simulated shop, 90 d", logs, question, _last_test(logs, question))
    folder = Path(os.environ.get("CHURNKIT_REAL_DATA", ""))
    for name, file, days, at in (
        ("CDNOW, 90 d", CDNOW, 90, "1998-04-01"),
        ("Online Retail II, 30 d", RETAIL, 30, "2011-11-08"),
        ("Online Retail II, 60 d", RETAIL, 60, "2011-10-09"),
        ("Online Retail II, 90 d", RETAIL, 90, "2011-09-09"),
    ):
        if (folder / file).exists():
            with tempfile.TemporaryDirectory() as scratch:
                config = Path(scratch) / "churnkit.toml"
                asked = QuestionSection(horizon_days=days)
                write_config(config, {"purchases": folder / file}, asked)
                settings = load_settings(config)
                yield Case(name, settings.read_logs(), settings.asked(), Cutoff.parse(at))


def _last_test(logs: CustomerLogs, question: Question) -> Cutoff:
    return Schedule().test_cutoffs(logs, question)[-1]


def measure(case: Case) -> Iterator[list[str]]:
    """A row of the table for each choice; the first is what the times are compared with."""
    baseline = 0.0
    for choice in CHOICES:
        started = time.perf_counter()
        found = trial_at(
            case.logs, case.question, choice.schedule, case.at,
            recipe=choice.recipe, rungs=[choice.rung],
        )  # fmt: skip
        seconds = time.perf_counter() - started
        baseline = baseline or seconds
        told = found.metrics[choice.rung]
        scores = (told[metric].value for metric in ("log_loss", "auroc", "ece"))
        yield [choice.says, *(f"{score:.4f}" for score in scores), f"{seconds / baseline:.2f}"]


def main() -> None:
    """Print one table a set."""
    for case in cases():
        title = f"{case.name}: {case.question.rule}; test at {case.at}"
        columns = ["choice", "log loss", "AUROC", "ECE", "time"]
        terminal.out().print(terminal.table(title, columns, measure(case)), "")


if __name__ == "__main__":
    main()
