"""Consecutive scorings of the past: what a model would have said, week by week.

One model is chosen and fitted on what was known before the first of the weeks, and scores all of
them, as a model that is in use does. What it says of a week is then known with what came of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np

from churnkit.clock import Cutoff, cutoffs_back_from, horizon_ends_by
from churnkit.dataset import Recipe, Schedule, Untreating
from churnkit.errors import GateRefused
from churnkit.evaluation import asked_for, choose, trial_at
from churnkit.features import Features
from churnkit.labels import Question
from churnkit.lights import Evidence, Past
from churnkit.logs import CustomerLogs
from churnkit.model import ChurnModel
from churnkit.progress import Progress, silent
from churnkit.scoring import at_risk_beside

WEEKS = 8
"""Weeks that are shown by default."""

LEARNING_WEEKS = 8
"""Weeks before whose outcome is known when the first one is shown, for policies to look at."""


@dataclass(frozen=True)
class Week:
    """One scoring, and what came of it.

    Attributes
    ----------
    cutoff
        When it was.
    features
        The customers at risk.
    probability, value, churned
        Churn probability, value at risk (NaN where unknown) and outcome of each.
    """

    cutoff: Cutoff
    features: Features
    probability: np.ndarray
    value: np.ndarray
    churned: np.ndarray

    @property
    def customer(self) -> np.ndarray:
        """Ids of the customers."""
        return self.features.customer_id

    @cached_property
    def past(self) -> Past:
        """The week as later ones may look back at it, once its outcome is known."""
        return Past.of(str(self.cutoff), self.probability, self.churned)


@dataclass(frozen=True)
class Weeks:
    """Consecutive scorings by one model.

    Attributes
    ----------
    model
        The model, fitted before the first of them.
    learning
        Weeks that only serve as evidence, in rising order.
    shown
        The weeks that are replayed, in rising order.
    """

    model: ChurnModel
    learning: tuple[Week, ...]
    shown: tuple[Week, ...]

    def evidence(self, at: Cutoff) -> Evidence:
        """The earlier weeks whose outcome was known at a cutoff."""
        days = self.model.question.horizon_days
        return Evidence(
            tuple(
                week.past
                for week in (*self.learning, *self.shown)
                if horizon_ends_by(week.cutoff, days, at)
            )
        )


def score_weeks(
    logs: CustomerLogs,
    question: Question,
    schedule: Schedule,
    progress: Progress = silent,
    recipe: Recipe | None = None,
    weeks: int = WEEKS,
    margin: float = 1.0,
    untreated: Untreating | None = None,
) -> Weeks:
    """Fit a model before, and score the latest weeks whose outcome is known.

    Parameters
    ----------
    logs, question, schedule, recipe
        As for `churnkit.evaluation.backtest`.
    progress
        Told what is being done.
    weeks
        How many are shown, at least 2.
    margin
        Share of spend that is margin, for the value at risk.
    untreated
        Leaves customers who were acted on out of what the model learns; what came of the weeks
        shown is what came of them after all that was done.

    Raises
    ------
    GateRefused
        If the history is too short for a training and so many weeks after it.
    """
    question.require(logs)
    how = recipe or Recipe()
    cutoffs, before = _room(logs, question, schedule, weeks)
    trial = trial_at(logs, question, schedule, cutoffs[0], progress, how, untreated=untreated)
    # The outcome of this one trial is known when the first week is shown.
    rung = choose([trial]) if how.use == "best" else asked_for(how.use, [trial])
    model = trial.models[rung]
    progress(f"scoring {len(cutoffs)} weeks from {cutoffs[0]} to {cutoffs[-1]} by {rung}")
    scored = _scored(model, logs, cutoffs, margin)
    return Weeks(model, scored[:before], scored[before:])


def _room(
    logs: CustomerLogs, question: Question, schedule: Schedule, weeks: int
) -> tuple[tuple[Cutoff, ...], int]:
    """The cutoffs of all weeks, and how many of them only serve as evidence.

    These span a horizon, so that the outcome of the first is known when the first week is shown,
    and then as many more as the history allows.
    """
    last, first = schedule.last_known(logs, question), logs.first_day(question.log)
    horizon = ceil(question.horizon_days / 7)
    for more in range(LEARNING_WEEKS, -1, -1):
        before = horizon + more
        cutoffs = cutoffs_back_from(last, "week", weeks + before, first)
        enough = len(cutoffs) == weeks + before
        if enough and schedule.training_cutoffs(logs, question, cutoffs[0]):
            return cutoffs, before
    raise GateRefused(
        f"the history is too short: {weeks} weeks to show, {horizon} until their first outcome is "
        "known, and before them a training",
        "Show fewer weeks with --weeks, or use a longer history or a shorter horizon.",
    )


def _scored(
    model: ChurnModel, logs: CustomerLogs, cutoffs: tuple[Cutoff, ...], margin: float
) -> tuple[Week, ...]:
    labels = {"churned": model.question.churned}
    features, value, beside = at_risk_beside(model, logs, cutoffs, labels, margin)
    left = beside["churned"].astype(bool)
    probability = model.churn_probability(features)
    weeks = []
    for cutoff in cutoffs:
        then = features.cutoff == cutoff.us
        week = Week(cutoff, features.where(then), probability[then], value[then], left[then])
        weeks.append(week)
    return tuple(weeks)
