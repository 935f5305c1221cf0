"""Are the logs enough for the question? Told in words, before anything is trained."""

from __future__ import annotations

import numpy as np

from churnkit.dataset import CHURNERS, STAYERS, Schedule, build_dataset
from churnkit.features import FeatureSpec
from churnkit.labels import Question
from churnkit.logs import Logs

CUSTOMERS = 500


def shortfalls(logs: Logs, question: Question, schedule: Schedule) -> list[str]:
    """Sentences about what is too little; empty when the logs are enough.

    Looked at: the number of customers, the length of the history (two horizons and one
    lookback), and the churners and stayers in training and test.

    Raises
    ------
    ConfigError
        If the question needs a log that is absent.
    """
    question.require(logs)
    return [
        *_customers(logs, question),
        *(_history(logs, question) or _both(logs, question, schedule)),
    ]


def _customers(logs: Logs, question: Question) -> list[str]:
    customers = len(np.unique(logs.events[question.log].customer))
    if customers >= CUSTOMERS:
        return []
    return [f"{customers:,} customers in the {question.log} log; {CUSTOMERS} are wanted"]


def _history(logs: Logs, question: Question) -> list[str]:
    first, last = logs.first_day(question.log), logs.last_day(question.log)
    days = (last.local.date() - first.local.date()).days
    needed = 2 * question.horizon_days + question.lookback_days
    if days >= needed:
        return []
    return [
        (
            f"the {question.log} log covers {days} days ({first} to {last}); "
            f"{needed} are needed: two horizons and one lookback"
        )
    ]


def _both(logs: Logs, question: Question, schedule: Schedule) -> list[str]:
    # Labels need no features, so the cheapest table will do.
    nothing = FeatureSpec(logs={})
    tests = schedule.test_cutoffs(logs, question)
    if not tests:
        return ["no test cutoff leaves room for a training before it"]
    training = schedule.training_cutoffs(logs, question, tests[-1])
    said = []
    for what, cutoffs in (("training", training), (f"the test at {tests[-1]}", tests[-1:])):
        churned = build_dataset(logs, question, cutoffs, nothing).churned
        left, stayed = int(churned.sum()), int((~churned).sum())
        if left < CHURNERS or stayed < STAYERS:
            said.append(
                f"{left:,} churners and {stayed:,} stayers in {what}; "
                f"{CHURNERS} and {STAYERS} are wanted"
            )
    return said
