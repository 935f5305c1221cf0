"""Is the model better than a plain rule? Trials on later cutoffs, and a choice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from churnkit.clock import Cutoff
from churnkit.dataset import (
    Dataset,
    Recipe,
    Schedule,
    Untreating,
    build_dataset,
    require_enough,
)
from churnkit.errors import ConfigError, GateRefused, did_you_mean
from churnkit.labels import Question
from churnkit.logs import CustomerLogs
from churnkit.metrics import METRICS, Interval, evaluate, log_loss, paired_difference, proportion
from churnkit.model import (
    LADDER,
    PLAIN_RULES,
    ChurnModel,
    Rung,
    fit,
    ladder_for,
    medians,
    rung_named,
)
from churnkit.notebook import Figure, Table, panel
from churnkit.progress import Progress, Step, part_of, silent

_CALIBRATION_BINS = 10
_SHOWN = ("auroc", "log_loss", "ece", "lift_top_decile")
_BRACKETS = "Brackets hold 95 % bootstrap intervals, clustered by customer."
_BUILDING = 0.05
"""Share of the time of a trial in which features are built, about."""
_EFFORT = {"bgnbd": 5.0, "logistic": 20.0, "lightgbm": 40.0, "hazard": 60.0}
"""How much longer these rungs take than a plain rule, about."""
SEED_NOISE = 0.0005
"""Nats of log loss by which two seeds of the same trees differ."""


@dataclass(frozen=True)
class Trial:
    """Every rung, trained before a test cutoff and tested at it.

    Attributes
    ----------
    cutoff
        The test cutoff; every training label was known when it began.
    data
        The customers at risk at that cutoff and what came of them; of metrics and differences,
        each counts as often as it weighs.
    models
        Rung name → the fitted model.
    probabilities
        Rung name → churn probability of each row of ``data``.
    metrics
        Rung name → metric name → value with its 95 % interval, clustered by customer.
    learnt
        The rows the models were fitted on; ``None`` where they were let go.
    """

    cutoff: Cutoff
    data: Dataset
    models: dict[str, ChurnModel]
    probabilities: dict[str, np.ndarray]
    metrics: dict[str, dict[str, Interval]]
    learnt: Dataset | None = None

    def __repr__(self) -> str:
        return (
            f"<Trial: {len(self.models)} models at {self.cutoff}, {len(self.data):,} customers at "
            f"risk, {self.data.base_rate:.1%} churned>"
        )

    def difference(self, metric: str, rung: str, other: str, level: float = 0.95) -> Interval:
        """How much higher a metric is for one rung than for another, on the same customers."""
        return paired_difference(
            metric,
            self.data.churned,
            self.probabilities[rung],
            self.probabilities[other],
            self.data.features.customer_id,
            level=level,
            weight=self.data.weight,
        )

    def calibration(self, rung: str) -> list[dict[str, Any]]:
        """Mean probability against realised churn in ten bins of equal size.

        Customers are counted, not weighed: an interval knows of no more than there were.
        """
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
    untreated
        What took out of all rows what actions have changed, if anything did.
    """

    question: Question
    trials: tuple[Trial, ...]
    chosen: str
    recipe: Recipe = field(default_factory=Recipe)
    untreated: Untreating | None = None

    def __repr__(self) -> str:
        return f"<Backtest: {self.chosen} is used; tested by {self.test!r}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the models beside the plain rules, and the winner."""
        title = f"Backtest: {self.chosen} is used"
        return panel(title, self.facts, [self.metrics_table], [_BRACKETS])

    @property
    def facts(self) -> dict[str, object]:
        """What was asked, tested and found, for `churnkit.notebook.panel`."""
        test = self.test
        by_tests = ", ".join(str(t.cutoff) for t in self.trials[:-1]) or "the same test"
        at = f"{len(test.data):,} customers at risk, {test.data.base_rate:.1%} churned"
        return {
            "asks": self.question.rule,
            "chosen at": by_tests if self.recipe.use == "best" else "no test: the settings name it",
            "tested at": f"{test.cutoff}: {at}",
            "verdict": self.verdict,
        }

    @property
    def metrics_table(self) -> Table:
        """Every rung with its metrics on the test, for `churnkit.notebook.panel`."""
        metrics = self.test.metrics
        shown = [name for name in METRICS if name in _SHOWN]
        rows = [
            (
                ("→ " if rung == self.chosen else "") + rung,
                "plain rule" if rung in PLAIN_RULES else "model",
                *(Figure(str(told[name])) for name in shown),
            )
            for rung, told in metrics.items()
        ]
        header = ("", "kind", *(f"{name} ({METRICS[name].better} is good)" for name in shown))
        return Table(header, rows, strong=list(metrics).index(self.chosen))

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
    def gain(self) -> Interval:
        """How much lower the log loss of the chosen rung is than that of the best plain rule."""
        return self.test.difference("log_loss", self.best_rule, self.chosen)

    @cached_property
    def verdict(self) -> str:
        """One sentence: which model is used, and by how much it beats the best plain rule."""
        if self.chosen in PLAIN_RULES:
            return (
                f"{self.chosen} is used: no richer model did better on the earlier cutoffs"
                if self.recipe.use == "best"
                else f"{self.chosen} is used, as the settings say"
            )
        gain = self.test.difference("auroc", self.chosen, self.best_rule)
        better = "better than" if gain.low > 0 else "not clearly better than"
        return (
            f"{self.chosen} is used: {better} the best plain rule ({self.best_rule}) "
            f"by {gain} AUROC"
        )


def backtest(
    logs: CustomerLogs,
    question: Question,
    schedule: Schedule,
    progress: Progress = silent,
    recipe: Recipe | None = None,
    untreated: Untreating | None = None,
) -> Backtest:
    """Train and test the whole ladder on later cutoffs.

    With two trials or more the rung is chosen on the earlier ones, so that the last one stays
    an untouched test; see `choose`. A recipe may name the rung instead. ``untreated`` is applied
    to all rows, see `churnkit.dataset.build_dataset`.

    Raises
    ------
    GateRefused
        If the history is too short for a single test, or too few customers churned or stayed.
    """
    cutoffs = schedule.test_cutoffs(logs, question)
    if not cutoffs:
        raise GateRefused(_too_short(logs, question), "Use a longer history or a shorter horizon.")
    how = recipe or Recipe()
    trials: tuple[Trial, ...] = ()
    for nth, cutoff in enumerate(cutoffs):
        told = part_of(progress, nth, len(cutoffs))
        trial = trial_at(logs, question, schedule, cutoff, told, how, untreated=untreated)
        trials = (*trials, trial)
        if how.use != "best":
            asked_for(how.use, trials)  # before more time is spent
    chosen = choose(trials[:-1] or trials) if how.use == "best" else how.use
    return Backtest(question, trials, chosen, how, untreated)


def trial_at(
    logs: CustomerLogs,
    question: Question,
    schedule: Schedule,
    at: Cutoff,
    progress: Progress = silent,
    recipe: Recipe | None = None,
    rungs: Collection[str] | None = None,
    untreated: Untreating | None = None,
) -> Trial:
    """Train rungs on what was known at a cutoff, and test them on what came after.

    Parameters
    ----------
    logs, question, schedule, at
        What is asked of which logs, how training cutoffs lie, and where the test begins.
    progress
        Told what is being done.
    recipe
        How the models are made.
    rungs
        Names of the rungs; by default the whole ladder.
    untreated
        Takes out what actions have changed, in training and at the test.

    Raises
    ------
    GateRefused
        If too few customers churned or stayed, in training or at the test.
    """
    how = recipe or Recipe()
    training = schedule.training_cutoffs(logs, question, at)
    progress(Step(f"building features at {len(training)} cutoffs before {at}", 0, 1))
    learnt = build_dataset(logs, question, training, how.spec(logs, training), untreated)
    require_enough(learnt, how.least, how.least)
    data = build_dataset(logs, question, [at], learnt.features.spec, untreated)
    _require_both(data, at)
    fitting = part_of(progress, _BUILDING, 1, weight=1 - _BUILDING)
    return trial_of(learnt, data, question, at, fitting, how, rungs)


def trial_of(
    learnt: Dataset,
    data: Dataset,
    question: Question,
    at: Cutoff,
    progress: Progress = silent,
    recipe: Recipe | None = None,
    rungs: Collection[str] | None = None,
) -> Trial:
    """Fit rungs on some rows, and test them on others of a later cutoff.

    Parameters
    ----------
    learnt, data
        Rows to learn from, whose outcomes were known at the cutoff, and rows at it.
    question, at, progress, recipe, rungs
        As in `trial_at`.
    """
    how = recipe or Recipe()
    models: dict[str, ChurnModel] = {}
    probabilities, metrics = {}, {}
    ladder = [r for r in ladder_for(learnt, question, how) if rungs is None or r.name in rungs]
    whole = sum(map(_effort, ladder))
    for k, rung in enumerate(ladder):
        doing = f"fitting {rung.name} on {len(learnt):,} rows, testing at {at}"
        progress(Step(doing, sum(map(_effort, ladder[:k])), whole))
        models[rung.name] = fit(rung, learnt, question, how, models)
        p = probabilities[rung.name] = models[rung.name].churn_probability(data.features)
        whose, weight = data.features.customer_id, data.weight
        metrics[rung.name] = evaluate(data.churned, p, whose, weight=weight)
    return Trial(at, data, models, probabilities, metrics, learnt)


def _effort(rung: Rung) -> float:
    """How long a rung takes beside the others, for those who wait."""
    return _EFFORT.get(rung.name, 1.0)


def _require_both(data: Dataset, at: Cutoff) -> None:
    if not 0 < data.base_rate < 1:
        found = "nobody is at risk" if not len(data) else f"of {len(data):,} customers at risk "
        all_same = "" if not len(data) else ("all churned" if data.base_rate else "none churned")
        left_out = f"; {data.untreated}" if data.untreated else ""
        raise GateRefused(
            f"at the test cutoff {at} {found}{all_same}{left_out}",
            "Choose another horizon or lookback, or set until in [training] to a day "
            "up to which the log is complete.",
        )


def choose(trials: Sequence[Trial]) -> str:
    """The rung with the lowest log loss over all trials together; ties go to the simpler.

    A tie is a difference that another seed of the trees would make, `SEED_NOISE`.
    """
    names = [rung.name for rung in LADDER if all(rung.name in t.metrics for t in trials)]
    churned = np.concatenate([t.data.churned for t in trials])
    weight = np.concatenate([t.data.weights for t in trials])
    lost = {
        name: log_loss(churned, np.concatenate([t.probabilities[name] for t in trials]), weight)
        for name in names
    }
    lowest = min(lost.values())
    return next(name for name in names if lost[name] <= lowest + SEED_NOISE)


def asked_for(name: str, trials: Sequence[Trial]) -> str:
    """The rung of that name.

    Raises
    ------
    ConfigError
        If the logs cannot feed it.
    """
    known = [rung.name for rung in LADDER if all(rung.name in t.metrics for t in trials)]
    if name not in known:
        raise ConfigError(
            f"use = {name!r} is no model that these logs can feed",
            f"{did_you_mean(name, known)}There are {', '.join(known)}; or best.",
        )
    return name


def _too_short(logs: CustomerLogs, question: Question) -> str:
    first, last = logs.first_day(question.log), logs.last_day(question.log)
    days = question.lookback_days + 2 * question.horizon_days
    return (
        f"the {question.log} log runs from {first} to {last}; one training and one later test "
        f"cutoff need {days} days (lookback + twice the horizon)"
    )


def fit_chosen(
    logs: CustomerLogs, result: Backtest, schedule: Schedule, progress: Progress = silent
) -> tuple[ChurnModel, Dataset]:
    """The chosen rung, fitted anew on every cutoff whose horizon is over when the log ends.

    Returns
    -------
    ChurnModel, Dataset
        The model, and the rows it was fitted on.

    Raises
    ------
    GateRefused
        If actions have touched so many that too few churners or stayers are left.
    """
    question = result.question
    end = schedule.last_known(logs, question).shifted(question.horizon_days)
    cutoffs = schedule.training_cutoffs(logs, question, end)
    progress(f"fitting {result.chosen} on all {len(cutoffs)} cutoffs")
    spec = result.recipe.spec(logs, cutoffs)
    learnt = build_dataset(logs, question, cutoffs, spec, result.untreated)
    if result.untreated is not None:  # it may have left nobody to learn from
        require_enough(learnt, result.recipe.least, result.recipe.least)
    fitted = fit(rung_named(result.chosen), learnt, question, result.recipe)
    return replace(fitted, middle=medians(learnt.features, fitted.names)), learnt
