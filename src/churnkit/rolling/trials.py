"""`Rolling`: trials at many cutoffs, and every rung over all of them together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from churnkit.clock import Cutoff, Every, cutoffs_back_from
from churnkit.dataset import Recipe, Schedule, Untreating
from churnkit.errors import GateRefused
from churnkit.evaluation import Trial, asked_for, choose, trial_at
from churnkit.labels import Question
from churnkit.logs import CustomerLogs
from churnkit.metrics import Interval, Resampled, measuring, resample
from churnkit.model import PLAIN_RULES
from churnkit.progress import Progress, part_of, silent

MOST_TESTS = 180
"""At most so many test cutoffs."""

MEASURED = ("auroc", "log_loss")
"""What is averaged over cutoffs, and told of segments and parts of the data."""

REPEATS = 200
"""Resamples behind each interval."""


@dataclass(frozen=True)
class Pooled:
    """A rung over all cutoffs together.

    Attributes
    ----------
    name
        The rung.
    metrics
        Name of `MEASURED` → its mean over the cutoffs, with a 95 % interval clustered by customer.
    behind
        Name of `MEASURED` → the same of the chosen rung less that of this one, paired.
    """

    name: str
    metrics: dict[str, Interval]
    behind: dict[str, Interval]


@dataclass(frozen=True)
class Rolling:
    """Trials at all the cutoffs that the history allows, in rising order.

    Attributes
    ----------
    question
        What was asked.
    trials
        One per test cutoff; only the last one keeps its training rows.
    skipped
        Cutoff → why nothing could be tested at it.
    recipe
        How the models were made.
    """

    question: Question
    trials: tuple[Trial, ...]
    skipped: dict[Cutoff, str]
    recipe: Recipe

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The rungs that all trials have."""
        first, *others = self.trials
        return tuple(name for name in first.metrics if all(name in t.metrics for t in others))

    @cached_property
    def chosen(self) -> str:
        """The rung that training would use: chosen on all cutoffs but the last."""
        if self.recipe.use == "best":
            return choose(self.trials[:-1] or self.trials)
        return asked_for(self.recipe.use, self.trials)

    @cached_property
    def best_rule(self) -> str:
        """The plain rule with the lowest log loss over all cutoffs."""
        rules = [name for name in self.names if name in PLAIN_RULES]
        return min(rules, key=lambda name: self._resampled.value[name][MEASURED.index("log_loss")])

    @cached_property
    def pooled(self) -> tuple[Pooled, ...]:
        """Every rung over all cutoffs together."""
        found, chosen = self._resampled, self.chosen
        return tuple(
            Pooled(
                name,
                {m: found.interval(name, k) for k, m in enumerate(MEASURED)},
                {m: found.difference(chosen, name, k) for k, m in enumerate(MEASURED)},
            )
            for name in self.names
        )

    @property
    def verdict(self) -> str:
        """One sentence: by how much the chosen rung beats the best plain rule."""
        over = f"over {len(self.trials)} cutoffs" if len(self.trials) > 1 else "at one cutoff"
        if self.chosen == self.best_rule:
            return f"{self.chosen}, a plain rule, is used: no richer model is better {over}"
        gains = next(one.behind for one in self.pooled if one.name == self.best_rule)
        gain = gains["log_loss"]
        better = "better than" if gain.high < 0 else "worse than" if gain.low > 0 else "as good as"
        return (
            f"{self.chosen} is used: {better} the best plain rule ({self.best_rule}) {over}, "
            f"by {gains['auroc']} AUROC and {-gain} log loss"
        )

    @cached_property
    def churned(self) -> np.ndarray:
        """What came of each row of all tests."""
        return np.concatenate([t.data.churned for t in self.trials])

    @cached_property
    def customer(self) -> np.ndarray:
        """Customer of each row of all tests."""
        return np.concatenate([t.data.features.customer_id for t in self.trials])

    @cached_property
    def cutoff(self) -> np.ndarray:
        """Cutoff of each row of all tests, microseconds UTC."""
        return np.concatenate([t.data.features.cutoff for t in self.trials])

    @cached_property
    def weight(self) -> np.ndarray:
        """How many rows each row of all tests stands for."""
        return np.concatenate([t.data.weights for t in self.trials])

    @property
    def untreated(self) -> str | None:
        """What was left out of the last test, as `churnkit.dataset.Dataset.untreated`."""
        return self.trials[-1].data.untreated

    def probability(self, rung: str) -> np.ndarray:
        """What a rung said of each row of all tests."""
        return np.concatenate([t.probabilities[rung] for t in self.trials])

    @cached_property
    def _resampled(self) -> Resampled:
        columns = {name: self.probability(name) for name in self.names}
        return resample(
            measuring(*MEASURED),
            self.churned,
            columns,
            self.customer,
            self.cutoff,
            REPEATS,
            weight=self.weight,
        )


def roll(
    logs: CustomerLogs,
    question: Question,
    schedule: Schedule,
    progress: Progress = silent,
    recipe: Recipe | None = None,
    *,
    tests: int | None = None,
    every: Every | None = None,
    untreated: Untreating | None = None,
) -> Rolling:
    """Train and test the whole ladder at every cutoff that the history allows.

    Each test knows nothing but what was known at its cutoff: labels, features, and the words of
    the logs that make features, are learnt anew before each.

    Parameters
    ----------
    logs, question
        Checked logs, and what churn means.
    schedule
        How training cutoffs lie; its number of tests does not count here.
    progress
        Told what is being done.
    recipe
        How the models are made.
    tests
        At most so many test cutoffs, the latest ones; by default all.
    every
        How far apart they are; one horizon by default, so that no day of an outcome counts twice.
    untreated
        As for `churnkit.training.train`.

    Raises
    ------
    GateRefused
        If nothing can be tested at any cutoff.
    ConfigError
        If the recipe names a rung that the logs cannot feed.
    """
    question.require(logs)
    how = recipe or Recipe()
    trials: list[Trial] = []
    skipped: dict[Cutoff, str] = {}
    cutoffs = cutoffs_to_test(logs, question, schedule, tests, every)
    for nth, at in enumerate(cutoffs, 1):
        told = part_of(progress, nth - 1, len(cutoffs), f"test {nth} of {len(cutoffs)}: ")
        try:
            found = trial_at(logs, question, schedule, at, told, how, untreated=untreated)
        except GateRefused as error:
            skipped[at] = error.found
        else:
            if how.use != "best":
                asked_for(how.use, [found])  # before hours are spent on the rest
            trials = [*(replace(t, learnt=None) for t in trials), found]
    if not trials:
        why = next(iter(skipped.values()), "the history is too short for one training and one test")
        raise GateRefused(
            f"there is no cutoff to test at: {why}", "Use a longer history or a shorter horizon."
        )
    return Rolling(question, tuple(trials), skipped, how)


def cutoffs_to_test(
    logs: CustomerLogs,
    question: Question,
    schedule: Schedule,
    tests: int | None = None,
    every: Every | None = None,
) -> tuple[Cutoff, ...]:
    """The cutoffs that `roll` tests at, in rising order, each with room to train before it."""
    last = schedule.last_known(logs, question)
    apart = every or question.horizon_days
    grid = cutoffs_back_from(last, apart, tests or MOST_TESTS, logs.first_day(question.log))
    return tuple(c for c in grid if schedule.training_cutoffs(logs, question, c))
