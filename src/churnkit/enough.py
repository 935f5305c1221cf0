"""Are the logs enough for the question? Told in words, before anything is trained."""

from __future__ import annotations

import numpy as np

from churnkit.dataset import CHURNERS, STAYERS, Schedule, build_dataset
from churnkit.features import FeatureSpec
from churnkit.labels import Question
from churnkit.logs import Logs
from churnkit.logs.profile.finding import some

CUSTOMERS = 500


def shortfalls(logs: Logs, question: Question, schedule: Schedule, one_in: int = 1) -> list[str]:
    """Sentences about what is too little; empty when the logs are enough.

    Looked at: the number of customers, the length of the history (two horizons and one
    lookback), and the churners and stayers in training and test. If the logs hold one in
    ``one_in`` customers only, these numbers are estimates.

    Raises
    ------
    ConfigError
        If the question needs a log that is absent.
    """
    question.require(logs)
    return [
        *_customers(logs, question, one_in),
        *(_history(logs, question) or _both(logs, question, schedule, one_in)),
    ]


def _customers(logs: Logs, question: Question, one_in: int) -> list[str]:
    customers = len(np.unique(logs.events[question.log].customer)) * one_in
    if customers >= CUSTOMERS:
        return []
    return [f"{some(customers, 'customer')} in the {question.log} log; {CUSTOMERS} are wanted"]


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


def _both(logs: Logs, question: Question, schedule: Schedule, one_in: int) -> list[str]:
    # Labels need no features, so the cheapest table will do.
    nothing = FeatureSpec(logs={})
    tests = schedule.test_cutoffs(logs, question)
    if not tests:
        return ["no test cutoff leaves room for a training before it"]
    training = schedule.training_cutoffs(logs, question, tests[-1])
    said = []
    for what, cutoffs in (("training", training), (f"the test at {tests[-1]}", tests[-1:])):
        churned = build_dataset(logs, question, cutoffs, nothing).churned
        left, stayed = (int(some.sum()) * one_in for some in (churned, ~churned))
        if left < CHURNERS or stayed < STAYERS:
            said.append(
                f"{left:,} churners and {stayed:,} stayers in {what}; "
                f"{CHURNERS} and {STAYERS} are wanted"
            )
    return said
