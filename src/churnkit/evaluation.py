"""Is the model better than a plain rule? Trials on later cutoffs, a choice, and gates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from churnkit.clock import Cutoff
from churnkit.dataset import Dataset, Recipe, Schedule, build_dataset, require_enough
from churnkit.errors import GateRefused
from churnkit.labels import Question
from churnkit.logs import CustomerLogs
from churnkit.metrics import Interval, auroc, evaluate, paired_difference, proportion
from churnkit.model import LADDER, PLAIN_RULES, ChurnModel, Rung, fit, ladder_for

Progress = Callable[[str], None]
"""Told what is being done now, for people who wait."""

LEAK_AUROC = 0.98
_CALIBRATION_BINS = 10
_ONE_ERROR = 0.68
"""A central interval of this level reaches one standard error to each side."""


def silent(message: str) -> None:
    """The progress that tells nobody."""


@dataclass(frozen=True)
class Trial:
    """Every rung, trained before a test cutoff and tested at it.

    Attributes
    ----------
    cutoff
        The test cutoff; every training label was known when it began.
    data
        The customers at risk at that cutoff and what came of them.
    models
        Rung name → the fitted model.
    probabilities
        Rung name → churn probability of each row of ``data``.
    metrics
        Rung name → metric name → value with its 95 % interval, clustered by customer.
    """

    cutoff: Cutoff
    data: Dataset
    models: dict[str, ChurnModel]
    probabilities: dict[str, np.ndarray]
    metrics: dict[str, dict[str, Interval]]

    def difference(self, metric: str, rung: str, other: str, level: float = 0.95) -> Interval:
        """How much higher a metric is for one rung than for another, on the same customers."""
        return paired_difference(
            metric,
            self.data.churned,
            self.probabilities[rung],
            self.probabilities[other],
            self.data.features.customer_id,
            level=level,
        )

    def calibration(self, rung: str) -> list[dict[str, Any]]:
        """Mean probability against realised churn in ten bins of equal size."""
        p, churned = self.probabilities[rung], self.data.churned
        bins = np.array_split(np.argsort(p, kind="stable"), _CALIBRATION_BINS)
        return [
            {
                "predicted": float(p[rows].mean()),
                "observed": proportion(int(churned[rows].sum()), len(rows)),
                "customers": len(rows),
            }
            for rows in bins
            if len(rows)
        ]


@dataclass(frozen=True)
class Gate:
    """A condition a model must meet before it becomes the champion."""

    name: str
    passed: bool
    says: str


@dataclass(frozen=True)
class Backtest:
    """Trials in rising order of their cutoffs; the last one is the test that is reported.

    Attributes
    ----------
    question
        What was asked.
    trials
        One per test cutoff.
    chosen
        Name of the rung that is used.
    recipe
        How the models were made.
    """

    question: Question
    trials: tuple[Trial, ...]
    chosen: str
    recipe: Recipe = field(default_factory=Recipe)

    @property
    def test(self) -> Trial:
        """The latest trial."""
        return self.trials[-1]

    @cached_property
    def best_rule(self) -> str:
        """The plain rule with the lowest log loss on the test."""
        metrics = self.test.metrics
        rules = [name for name in metrics if name in PLAIN_RULES]
        return min(rules, key=lambda name: metrics[name]["log_loss"].value)

    @cached_property
    def verdict(self) -> str:
        """One sentence: which model is used, and by how much it beats the best plain rule."""
        if self.chosen in PLAIN_RULES:
            return (
                f"{self.chosen} is used: no richer model was better by more than a standard error"
            )
        gain = self.test.difference("auroc", self.chosen, self.best_rule)
        better = "better than" if gain.low > 0 else "not clearly better than"
        return (
            f"{self.chosen} is used: {better} the best plain rule ({self.best_rule}) "
            f"by {gain} AUROC"
        )

    @cached_property
    def gates(self) -> tuple[Gate, ...]:
        """The conditions for becoming champion, each with what was found."""
        return (_better_than_chance(self), _not_beaten_by_a_rule(self), _no_leak(self))


def backtest(
    logs: CustomerLogs,
    question: Question,
    schedule: Schedule,
    progress: Progress = silent,
    recipe: Recipe | None = None,
) -> Backtest:
    """Train and test the whole ladder on later cutoffs.

    With two trials or more the rung is chosen on the earlier ones, so that the last one stays
    an untouched test. A richer rung must have a lower log loss than the plainer one by more than
    a standard error of their paired difference; ties go to the simpler (the one-standard-error
    rule of Breiman, Friedman, Olshen and Stone 1984).

    Raises
    ------
    GateRefused
        If the history is too short for a single test, or too few customers churned or stayed.
    """
    cutoffs = schedule.test_cutoffs(logs, question)
    if not cutoffs:
        raise GateRefused(_too_short(logs, question), "Use a longer history or a shorter horizon.")
    how = recipe or Recipe()
    trials = tuple(_trial(logs, question, schedule, c, progress, how) for c in cutoffs)
    return Backtest(question, trials, _choose(trials[:-1] or trials), how)


def _trial(
    logs: CustomerLogs,
    question: Question,
    schedule: Schedule,
    at: Cutoff,
    progress: Progress,
    recipe: Recipe,
) -> Trial:
    training = schedule.training_cutoffs(logs, question, at)
    progress(f"building features at {len(training)} cutoffs before {at}")
    learnt = build_dataset(logs, question, training, windows=recipe.windows)
    require_enough(learnt)
    data = build_dataset(logs, question, [at], learnt.features.spec)
    _require_both(data, at)
    models, probabilities, metrics = {}, {}, {}
    for rung in ladder_for(learnt, question):
        progress(f"fitting {rung.name} on {len(learnt):,} rows, testing at {at}")
        models[rung.name] = fit(rung, learnt, question, monotone=recipe.monotone)
        p = probabilities[rung.name] = models[rung.name].churn_probability(data.features)
        metrics[rung.name] = evaluate(data.churned, p, data.features.customer_id)
    return Trial(at, data, models, probabilities, metrics)


def _require_both(data: Dataset, at: Cutoff) -> None:
    if not 0 < data.base_rate < 1:
        found = "nobody is at risk" if not len(data) else f"of {len(data):,} customers at risk "
        all_same = "" if not len(data) else ("all churned" if data.base_rate else "none churned")
        raise GateRefused(
            f"at the test cutoff {at} {found}{all_same}",
            "Choose another horizon or lookback, or set until in [training] to a day "
            "up to which the log is complete.",
        )


def _choose(trials: tuple[Trial, ...]) -> str:
    names = [rung.name for rung in LADDER if all(rung.name in t.metrics for t in trials)]
    chosen, *richer = names
    for name in richer:
        if all(t.difference("log_loss", name, chosen, _ONE_ERROR).high < 0 for t in trials):
            chosen = name
    return chosen


def _too_short(logs: CustomerLogs, question: Question) -> str:
    first, last = logs.first_day(question.log), logs.last_day(question.log)
    days = question.lookback_days + 2 * question.horizon_days
    return (
        f"the {question.log} log runs from {first} to {last}; one training and one later test "
        f"cutoff need {days} days (lookback + twice the horizon)"
    )


def _better_than_chance(result: Backtest) -> Gate:
    found = result.test.metrics[result.chosen]["auroc"]
    return Gate("better than chance", found.low > 0.5, f"AUROC {found} on the later test")


def _not_beaten_by_a_rule(result: Backtest) -> Gate:
    rule = result.best_rule
    worse = result.test.difference("log_loss", result.chosen, rule)
    return Gate(
        "not beaten by a plain rule",
        worse.low <= 0,
        f"log loss {worse} against {rule} (lower is better)",
    )


def _no_leak(result: Backtest) -> Gate:
    features, churned = result.test.data.features, result.test.data.churned
    alone = {name: _auroc_alone(features.column(name), churned) for name in features.names}
    name = max(alone, key=lambda n: alone[n])
    return Gate(
        "no leak suspected",
        alone[name] <= LEAK_AUROC,
        f"the strongest single feature is {name} with AUROC {alone[name]:.3f}",
    )


def _auroc_alone(values: np.ndarray, churned: np.ndarray) -> float:
    """AUROC of a feature by itself in its better direction, missing values as the lowest."""
    ranks = np.unique(np.nan_to_num(values, nan=-np.inf, neginf=-np.inf), return_inverse=True)[1]
    forward = auroc(churned, ranks / max(int(ranks.max()), 1))
    return max(forward, 1 - forward)


def fit_chosen(
    logs: CustomerLogs, result: Backtest, schedule: Schedule, progress: Progress = silent
) -> tuple[ChurnModel, Dataset]:
    """The chosen rung, fitted anew on every cutoff whose horizon is over when the log ends.

    Returns
    -------
    ChurnModel, Dataset
        The model, and the rows it was fitted on.
    """
    question = result.question
    end = schedule.last_known(logs, question).shifted(question.horizon_days)
    cutoffs = schedule.training_cutoffs(logs, question, end)
    progress(f"fitting {result.chosen} on all {len(cutoffs)} cutoffs")
    learnt = build_dataset(logs, question, cutoffs, windows=result.recipe.windows)
    model = fit(_rung(result.chosen), learnt, question, monotone=result.recipe.monotone)
    return model, learnt


def _rung(name: str) -> Rung:
    return next(rung for rung in LADDER if rung.name == name)
