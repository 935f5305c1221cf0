"""What a model must meet before it becomes the champion, and the grade it gets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal

import numpy as np

from churnkit.dataset import CHURNERS, STAYERS, Dataset, Recipe
from churnkit.errors import ConfigError, did_you_mean
from churnkit.estimators import folds_of, sigmoid
from churnkit.evaluation import Backtest, Trial
from churnkit.labels import Question
from churnkit.metrics import CLIP, Interval, auroc, ece, paired_difference, proportion
from churnkit.model import PLAIN_RULES, fit, rung_named

LEAK_AUROC = 0.98
"""A feature that ranks customers better than this by itself knows the answer."""

OPTIMISM = 0.03
"""So much AUROC may be lost from cross-validation to the later test."""

TOLERATED_ERROR, TOLERATED_MOVE, MOST_MOVED = 0.05, 0.05, 0.2
"""Mean error of the probabilities in shape; move of their level that is told, and is refused."""

GATES: dict[str, str] = {
    "too-little": "enough data",
    "chance": "better than chance",
    "beaten": "not beaten by a plain rule",
    "feature": "not beaten by a single feature",
    "leak": "no leak suspected",
    "optimism": "holds later as well as among other customers",
    "calibration": "calibrated",
}
"""What is waived, as ``--allow`` names it → the condition, in the order in which they are told."""

_BINS = 10
_FOLDS, _ROWS = 3, 10_000
_WORST_NOISE = 1.4
"""A perfect model shows less than so many noises as calibration error, 999 times in 1,000."""

Letter = Literal["A", "B", "C", "refused"]


@dataclass(frozen=True)
class Gate:
    """A condition a model must meet before it becomes the champion.

    Attributes
    ----------
    name
        The condition.
    passed
        Whether it is met.
    says
        What was found.
    key
        What ``--allow`` calls it.
    waived
        Whether it was allowed to fail, and did.
    """

    name: str
    passed: bool
    says: str
    key: str = ""
    waived: bool = False

    @property
    def open(self) -> bool:
        """Whether the model may go through: the condition is met, or waived."""
        return self.passed or self.waived


@dataclass(frozen=True)
class Grade:
    """How far a model is to be trusted: A, B, C or refused, and why in one sentence."""

    letter: Letter
    says: str

    def __str__(self) -> str:
        name = "Refused" if self.letter == "refused" else f"Grade {self.letter}"
        return f"{name}: {self.says}"


@dataclass(frozen=True)
class Calibration:
    """Whether probabilities mean what they say, told apart into their level and their shape.

    Attributes
    ----------
    predicted
        Mean probability.
    observed
        Share that churned, with its 95 % interval.
    ece
        Expected calibration error as it stands.
    shape
        What is left of it once the log-odds are shifted so that the level is right.
    limit
        Shape beyond this is more than chance and tolerance explain.
    """

    predicted: float
    observed: Interval
    ece: float
    shape: float
    limit: float

    @property
    def moved(self) -> bool:
        """Whether the base rate is another one than the model expects, beyond chance."""
        apart = abs(self.predicted - self.observed.value) > TOLERATED_MOVE
        return apart and not self.observed.low <= self.predicted <= self.observed.high

    @property
    def off(self) -> bool:
        """Whether the probabilities are wrong in shape, or their level beyond all use."""
        return self.shape > self.limit or (
            self.moved and abs(self.predicted - self.observed.value) > MOST_MOVED
        )


def require_gates_known(names: Iterable[str]) -> None:
    """Refuse to waive what is no gate.

    Raises
    ------
    ConfigError
        Naming the gates there are.
    """
    for name in names:
        if name not in GATES:
            raise ConfigError(
                f"--allow {name}: there is no such gate",
                f"{did_you_mean(name, GATES)}The gates are {', '.join(GATES)}.",
            )


def gates_of(result: Backtest, allowed: Sequence[str] = ()) -> tuple[Gate, ...]:
    """The conditions for becoming champion, each with what was found.

    Where the last trial has let its training rows go, those that need them are left out.

    Parameters
    ----------
    result
        Trials and choice.
    allowed
        Keys of `GATES` that may fail.

    Raises
    ------
    ConfigError
        If one is no gate.
    """
    require_gates_known(allowed)
    found = (looks(result) for looks in _LOOKS)
    gates = (gate for gate in found if gate is not None)
    return tuple(replace(g, waived=not g.passed and g.key in allowed) for g in gates)


def grade_of(result: Backtest, gates: Sequence[Gate]) -> Grade:
    """A, B or C against the best plain rule, on the test.

    A: clearly better (the 95 % interval of the paired difference in log loss excludes 0), and the
    probabilities hold. B: better than chance, not worse than the best rule, and they hold. C: to be
    used with care, for the base rate moved or a gate was waived. Refused: a gate failed.
    """
    failed = [gate.name for gate in gates if not gate.open]
    if failed:
        return Grade("refused", f"it fails “{'”, “'.join(failed)}”")
    careful = [f"“{gate.name}” was waived" for gate in gates if gate.waived]
    moved = base_rate_moved(result.test, result.chosen)
    if careful or moved:
        return Grade("C", f"use with care: {'; '.join([*careful, *filter(None, [moved])])}")
    rule = result.best_rule
    if result.chosen == rule:
        return Grade("B", "a plain rule, better than chance; its probabilities hold")
    gain = result.gain
    if gain.low > 0:
        clear = f"clearly better than the best plain rule ({rule}), by {gain} log loss"
        return Grade("A", f"{clear}; its probabilities hold")
    equal = f"better than chance and as good as the best plain rule ({rule}; {gain} log loss)"
    return Grade("B", f"{equal}; its probabilities hold")


def base_rate_moved(trial: Trial, rung: str) -> str:
    """In words, how the base rate moved against what a model expects; empty if it did not."""
    found = calibration_of(trial, rung)
    if not found.moved:
        return ""
    high = found.predicted > found.observed.value
    return (
        f"the base rate moved: {found.predicted:.1%} were expected to churn, "
        f"{found.observed.value:.1%} did{_range_of_rates(trial)}; rank by it, but take its "
        f"probabilities for too {'high' if high else 'low'}"
    )


def _range_of_rates(trial: Trial) -> str:
    if trial.learnt is None:
        return ""
    cutoff, churned = trial.learnt.features.cutoff, trial.learnt.churned
    rates = [churned[cutoff == c].mean() for c in np.unique(cutoff)]
    return f" (by training cutoff {min(rates):.1%} to {max(rates):.1%})"


def calibration_of(trial: Trial, rung: str) -> Calibration:
    """Whether the probabilities of a rung mean what they say, on the test of a trial.

    The limit of the shape joins a tolerance of .05 with what noise does to a perfect model: its
    calibration error over k bins of N customers is about .8 · √(k r (1 − r) / N), and hardly ever
    above 1.4 of these roots.
    """
    p, churned = trial.probabilities[rung], trial.data.churned
    rate = proportion(int(churned.sum()), len(churned))
    noise = sqrt(_BINS * rate.value * (1 - rate.value) / len(churned))
    return Calibration(
        predicted=float(np.mean(p)),
        observed=rate,
        ece=ece(churned, p, bins=_BINS),
        shape=ece(churned, _at_level(p, rate.value), bins=_BINS),
        limit=sqrt(TOLERATED_ERROR**2 + (_WORST_NOISE * noise) ** 2),
    )


def _at_level(p: np.ndarray, rate: float) -> np.ndarray:
    """The probabilities, their log-odds shifted so that their mean is ``rate``."""
    inside = np.clip(p, CLIP, 1 - CLIP)
    odds = np.log(inside) - np.log1p(-inside)
    low, high = -40.0, 40.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if sigmoid(odds + middle).mean() < rate else (low, middle)
    return sigmoid(odds + low)


# ── The gates ───────────────────────────────────────────────────────────────────────────────


def _gate(key: str, passed: bool, says: str) -> Gate:
    return Gate(GATES[key], bool(passed), says, key)


def _enough(result: Backtest) -> Gate | None:
    learnt = result.test.learnt
    if learnt is None:
        return None
    left = int(learnt.churned.sum())
    stayed = len(learnt) - left
    return _gate(
        "too-little",
        left >= CHURNERS and stayed >= STAYERS,
        f"{left:,} churners and {stayed:,} stayers in training; {CHURNERS} and {STAYERS} are "
        "needed",
    )


def _better_than_chance(result: Backtest) -> Gate:
    found = result.test.metrics[result.chosen]["auroc"]
    return _gate("chance", found.low > 0.5, f"AUROC {found} on the later test")


def _not_beaten_by_a_rule(result: Backtest) -> Gate:
    worse, rule = -result.gain, result.best_rule
    return _gate("beaten", worse.low <= 0, f"log loss {worse} against {rule} (lower is better)")


def _not_beaten_by_a_feature(result: Backtest) -> Gate | None:
    test, learnt = result.test, result.test.learnt
    if learnt is None:
        return None
    name, rising = _strongest(learnt)
    ranks = _ranks(test.data.features.column(name))
    better = paired_difference(
        "auroc",
        test.data.churned,
        test.probabilities[result.chosen],
        ranks if rising else 1 - ranks,
        test.data.features.customer_id,
        weight=test.data.weight,
    )
    return _gate(
        "feature",
        better.high >= 0,
        f"AUROC {better} against {name}, the strongest alone in training (higher is better)",
    )


def _strongest(learnt: Dataset) -> tuple[str, bool]:
    """The feature that ranks best by itself, and whether more of it goes with more churn.

    Told from training rows alone: the luckiest of many features on a test would always shine.
    """
    rows = np.random.default_rng(0).permutation(len(learnt))[:_ROWS]
    features, churned = learnt.features, learnt.churned[rows]
    forward = {name: auroc(churned, _ranks(features.column(name)[rows])) for name in features.names}
    best = max(forward, key=lambda name: abs(forward[name] - 0.5))
    return best, forward[best] >= 0.5


def _no_leak(result: Backtest) -> Gate:
    features, churned = result.test.data.features, result.test.data.churned
    alone = {name: _auroc_alone(features.column(name), churned) for name in features.names}
    name = max(alone, key=lambda n: alone[n])
    return _gate(
        "leak",
        alone[name] <= LEAK_AUROC,
        f"the strongest single feature is {name} with AUROC {alone[name]:.3f}",
    )


def _auroc_alone(values: np.ndarray, churned: np.ndarray) -> float:
    """AUROC of a feature by itself in its better direction, missing values as the lowest."""
    forward = auroc(churned, _ranks(values))
    return max(forward, 1 - forward)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Values as ranks from 0 to 1, ties alike, missing ones as the lowest."""
    ranks = np.unique(np.nan_to_num(values, nan=-np.inf, neginf=-np.inf), return_inverse=True)[1]
    return ranks / max(int(ranks.max()), 1)


def _not_optimistic(result: Backtest) -> Gate | None:
    test, chosen = result.test, result.chosen
    rules = [r for r in test.metrics if r in PLAIN_RULES and r not in (chosen, "base_rate")]
    if test.learnt is None or chosen == "base_rate" or not rules:
        return None
    rule = min(rules, key=lambda name: test.metrics[name]["log_loss"].value)
    rows = _some_customers(test.learnt, _ROWS)
    now = {name: test.metrics[name]["auroc"].value for name in (chosen, rule)}
    # One seed ranks as two do, for half the time.
    recipe = replace(result.recipe, trees={**result.recipe.trees, "seeds": 1})
    before = {name: cross_validated_auroc(rows, result.question, name, recipe) for name in now}
    lost, also = (before[name] - now[name] for name in (chosen, rule))
    return _gate(
        "optimism",
        not (lost > OPTIMISM and lost - also > OPTIMISM),
        f"AUROC {before[chosen]:.3f} cross-validated by customer, {now[chosen]:.3f} on the later "
        f"test; of {rule}, {before[rule]:.3f} and {now[rule]:.3f}",
    )


def cross_validated_auroc(
    rows: Dataset, question: Question, rung: str, recipe: Recipe | None = None
) -> float:
    """AUROC among customers left out of the fit, as a mean over the cutoffs.

    All rows of a customer are in one fold: in another, its label would be known nearly. Each
    cutoff is ranked by itself, for a test is one cutoff, and base rates differ between them.

    Parameters
    ----------
    rows
        Rows of several cutoffs.
    question, rung, recipe
        What is asked, what is fitted, and how.

    Returns
    -------
    float
        In [0, 1]; nan if a fold or every cutoff holds one class only.
    """
    features, churned, weight = rows.features, rows.churned, rows.weights
    fold = folds_of(features.customer_id, _FOLDS)
    p = np.empty(len(rows))
    for k in range(_FOLDS):
        out = fold == k
        if not 0 < churned[~out].mean() < 1:
            return float("nan")
        model = fit(rung_named(rung), rows.where(~out), question, recipe)
        p[out] = model.churn_probability(features.where(out))
    at = [features.cutoff == cutoff for cutoff in np.unique(features.cutoff)]
    both = [now for now in at if 0 < churned[now].mean() < 1]
    found = [auroc(churned[now], p[now], weight[now]) for now in both]
    return float(np.mean(found)) if found else float("nan")


def _some_customers(rows: Dataset, most: int) -> Dataset:
    """The rows of so many customers, drawn by lot, that there are about ``most`` of them."""
    names, customer = np.unique(rows.features.customer_id, return_inverse=True)
    kept = np.random.default_rng(0).random(len(names)) < most / len(rows)
    return rows.where(kept[customer]) if len(rows) > most else rows


def _calibrated(result: Backtest) -> Gate:
    found = calibration_of(result.test, result.chosen)
    return _gate(
        "calibration",
        not found.off,
        f"ECE {found.shape:.3f} at the level of the test, up to {found.limit:.3f} is taken; "
        f"{found.predicted:.1%} expected, {found.observed.value:.1%} churned",
    )


_LOOKS: tuple[Callable[[Backtest], Gate | None], ...] = (
    _enough,
    _better_than_chance,
    _not_beaten_by_a_rule,
    _not_beaten_by_a_feature,
    _no_leak,
    _not_optimistic,
    _calibrated,
)
