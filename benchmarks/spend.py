"""What a customer who stays will spend, by each way of `churnkit.spend`: `make spend`.

On the simulated shop, and on CDNOW and Online Retail II where CHURNKIT_REAL_DATA names them; each
is fitted before the test cutoff and judged on those who stayed after it. The time is that of
fitting. Brackets hold 95 % intervals, clustered by customer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from recipes import Case, cases

from churnkit import terminal
from churnkit.dataset import Schedule
from churnkit.evaluation import Trial, trial_at
from churnkit.metrics import Interval
from churnkit.spend import fit_spend, spend_trial

COLUMNS = (
    "way", "expected / spent", "deviance", "less than run_rate", "mean error", "rank correlation",
    "top tenth holds", "seconds",
)  # fmt: skip


def measure(case: Case, trial: Trial) -> Iterator[list[str]]:
    """A row of the table for each way."""
    tested = spend_trial(trial, case.question)
    assert tested is not None
    assert trial.learnt is not None
    for way, expected in tested.expected.items():
        started = time.perf_counter()
        fit_spend(way, trial.learnt, case.question)
        seconds = time.perf_counter() - started
        told = tested.metrics(way)
        yield [
            way,
            f"{np.mean(expected) / np.mean(tested.spent):.2f}",
            money(told["deviance"]),
            "" if way == "run_rate" else money(tested.gain(way)),
            money(told["mae"]),
            str(told["spearman"]),
            str(told["captured"]),
            f"{seconds:.1f}",
        ]


def money(amount: Interval) -> str:
    """An amount and its interval with one decimal."""
    return f"{amount.value:,.1f} [{amount.low:,.1f}, {amount.high:,.1f}]"


def main() -> None:
    """Print one table a set."""
    for case in cases():
        trial = trial_at(
            case.logs, case.question, Schedule(), case.at, rungs=["base_rate", "bgnbd"]
        )
        stayed = ~trial.data.churned
        title = (
            f"{case.name}: net spend in the {case.question.horizon_days} days from {case.at} of "
            f"{stayed.sum():,} customers who stayed"
        )
        terminal.out().print(terminal.table(title, list(COLUMNS), measure(case, trial)), "")


if __name__ == "__main__":
    main()
