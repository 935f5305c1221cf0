"""Model against plain rules on the real logs: `make quality`.

Reads the sets from the folder that CHURNKIT_REAL_DATA names (see its README files), takes each
the way `churnkit init` proposes, and prints the table of the later-in-time test.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from churnkit import terminal
from churnkit.config import load_settings
from churnkit.report import model_rows
from churnkit.scaffold import write_config
from churnkit.sections import QuestionSection
from churnkit.training import train


@dataclass(frozen=True)
class Case:
    """A set, the log it is read as, and the question asked of it."""

    name: str
    log: str
    file: str
    question: QuestionSection


NO_PURCHASE, NO_ACTIVITY = QuestionSection(), QuestionSection(churn="no_activity")
CASES = (
    Case("CDNOW", "purchases", "cdnow/transactions.parquet", NO_PURCHASE),
    Case("Online Retail II, orders", "purchases", "online_retail_ii/orders.parquet", NO_PURCHASE),
    Case(
        "Online Retail II, raw lines",
        "purchases",
        "online_retail_ii/transactions.parquet",
        NO_PURCHASE,
    ),
    Case("OULAD", "activity", "oulad/events.parquet", NO_ACTIVITY),
)


def measure(case: Case, folder: Path) -> None:
    """Train on one set and print its test."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "churnkit.toml"
        write_config(config, {case.log: folder / case.file}, case.question)
        settings = load_settings(config)
        training = train(settings.read_logs(), settings.asked(), settings.schedule())
    card = training.card()
    console = terminal.out()
    console.print(f"\n{case.name}: {card['question']}")
    console.print(terminal.models_table(model_rows(card), card["trials"][-1]))
    console.print(f"{card['verdict']}. {time.perf_counter() - started:.0f} s, reading included.")


def main() -> None:
    """Measure every set that is there."""
    told = os.environ.get("CHURNKIT_REAL_DATA")
    if not told:
        sys.exit("Set CHURNKIT_REAL_DATA to the folder with the real logs.")
    for case in CASES:
        if (Path(told) / case.file).exists():
            measure(case, Path(told))
        else:
            terminal.note(f"{case.name}: {case.file} is not there")


if __name__ == "__main__":
    main()
