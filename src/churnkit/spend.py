"""What a customer is worth: expected spend over the horizon if it stays, tried, chosen, told.

Three ways, from plain to rich. Each is fitted on customers who stayed before a test cutoff, and
judged on those who stayed after it, by mean Poisson deviance: it is strictly consistent for the
mean (Gneiting 2011), so that what is expected is not bent towards the usual customer, as absolute
errors would bend it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike

from churnkit.clock import Cutoff
from churnkit.dataset import Dataset
from churnkit.estimators import BgNbd, GammaGamma, SpendModel, SpendTrees
from churnkit.evaluation import Backtest, Trial
from churnkit.labels import Question
from churnkit.metrics import TOP_SHARE, Floats, Interval, Resampled, resample_rows
from churnkit.model import fit_to, rung_named

WAYS = {
    "run_rate": "the spend of the last year goes on",
    "gamma_gamma": "BG/NBD purchases times gamma-gamma spend of one",
    "lightgbm": "small trees on all features",
}
"""Name → what it looks at, from plain to rich: the order in which ties are decided."""

MEASURES = ("deviance", "mae", "spearman", "captured")
"""Mean Poisson deviance and mean absolute error in money, rank correlation with the spend, and
the share of all spend that the top tenth holds."""

TIE = 0.01
"""Share of the deviance by which two seeds of the same trees differ."""

_LEAST = 0.01
_MEAN_SPEND = "spend_mean_all"


def ways_for(learnt: Dataset, question: Question) -> tuple[str, ...]:
    """The ways that the rows can feed; none where the logs tell no amounts."""
    if learnt.spend is None or learnt.run_rate is None:
        return ()
    if not np.nansum(learnt.spend[~learnt.churned]) > 0:
        return ("run_rate",)
    rung, names = rung_named("bgnbd"), learnt.features.names
    has_histories = rung.exists_for(learnt.features, question) and _MEAN_SPEND in names
    return tuple(way for way in WAYS if way != "gamma_gamma" or has_histories)


def fit_spend(
    way: str, learnt: Dataset, question: Question, bgnbd: BgNbd | None = None
) -> SpendModel | None:
    """Fit one of `WAYS` on the rows of customers who stayed.

    Parameters
    ----------
    way
        One of those that `ways_for` gives.
    learnt, question
        What is learnt from, and what was asked.
    bgnbd
        The rung of that name, if it has been fitted on the same rows.

    Returns
    -------
    SpendModel or None
        ``None`` for ``run_rate``, which learns nothing.
    """
    if way == "run_rate" or learnt.spend is None:
        return None
    features, names = learnt.features, learnt.features.names
    X, stayed = features.matrix(names), ~learnt.churned
    weight = None if learnt.weight is None else learnt.weight[stayed]
    if way == "lightgbm" and learnt.run_rate is not None:
        rate = learnt.run_rate[stayed]
        codes = features.spec.categorical(names)
        return SpendTrees.fitted(X[stayed], learnt.spend[stayed], rate, codes, weight)
    how_often = bgnbd or _bgnbd(learnt, question)
    return GammaGamma.fitted(
        X[stayed],
        learnt.spend[stayed],
        how_often,
        names.index(_MEAN_SPEND),
        _latest(features.customer_id[stayed]),
        weight,
    )


def _bgnbd(learnt: Dataset, question: Question) -> BgNbd:
    names = rung_named("bgnbd").names_in(learnt.features, question)
    positions = [learnt.features.names.index(name) for name in names]
    fresh = BgNbd(positions, question.horizon_days)
    found: BgNbd = fit_to(learnt, fresh, learnt.features.names)
    return found


def _latest(ids: np.ndarray) -> np.ndarray:
    """Mask of the last row of each customer; rows are sorted by customer, then cutoff."""
    return np.append(ids[1:] != ids[:-1], np.ones(min(len(ids), 1), dtype=bool))


@dataclass(frozen=True)
class SpendTrial:
    """The ways, fitted before a test cutoff, on the customers who stayed after it.

    Attributes
    ----------
    cutoff
        The test cutoff.
    spent
        Net money of each of them within the horizon.
    expected
        Way → what was expected of each of them.
    customers
        Their ids.
    weight
        How many each stands for; ``None`` is one for each.
    """

    cutoff: Cutoff
    spent: Floats
    expected: Mapping[str, Floats]
    customers: np.ndarray
    weight: np.ndarray | None = None

    @property
    def weights(self) -> np.ndarray:
        """How many each stands for."""
        return np.ones(len(self.spent)) if self.weight is None else self.weight

    @cached_property
    def measured(self) -> Resampled:
        """`MEASURES` of each way, on the same resamples of customers."""
        told = {way: measuring(self.spent, found) for way, found in self.expected.items()}
        return resample_rows(told, self.customers, weight=self.weight)

    def metrics(self, way: str) -> dict[str, Interval]:
        """Each of `MEASURES` with its 95 % interval, clustered by customer."""
        return {name: self.measured.interval(way, k) for k, name in enumerate(MEASURES)}

    def gain(self, way: str) -> Interval:
        """How much lower its deviance is than that of the run rate, on the same customers."""
        return self.measured.difference("run_rate", way, MEASURES.index("deviance"))


def spend_trial(trial: Trial, question: Question) -> SpendTrial | None:
    """Fit every way on what a trial learnt from, and test it on who stayed after its cutoff.

    ``None`` where the logs tell no amounts, nobody of known spend stayed, or the trial let go of
    the rows it learnt from.
    """
    learnt, data = trial.learnt, trial.data
    if learnt is None or data.spend is None or data.run_rate is None:
        return None
    stayed = ~data.churned & ~np.isnan(data.run_rate)
    if not stayed.any():
        return None
    rows, known = data.where(stayed), trial.models.get("bgnbd")
    bgnbd = known.estimator if known is not None else None
    carrier = next(iter(trial.models.values()))
    expected = {}
    for way in ways_for(learnt, question):
        model = replace(carrier, spend=fit_spend(way, learnt, question, bgnbd))
        expected[way] = model.expected_spend(rows.features, data.run_rate[stayed])
    whose = rows.features.customer_id
    return SpendTrial(trial.cutoff, data.spend[stayed], expected, whose, rows.weight)


@dataclass(frozen=True)
class Worth:
    """Which way tells the expected spend, and the evidence for it.

    Attributes
    ----------
    used
        One of `WAYS`.
    trials
        One per test cutoff, in rising order; the last is the test that is reported.
    """

    used: str
    trials: tuple[SpendTrial, ...]

    @property
    def test(self) -> SpendTrial:
        """The latest trial."""
        return self.trials[-1]

    @property
    def says(self) -> str:
        """One sentence: which way is used, and what it gains over the run rate."""
        if self.used == "run_rate":
            return "run_rate is used: no richer way did better on the earlier cutoffs"
        gain = self.test.gain(self.used)
        better = "better than" if gain.low > 0 else "not clearly better than"
        return f"{self.used} is used: {better} run_rate by {gain} Poisson deviance"


def worth_of(tested: Backtest) -> Worth | None:
    """Try every way on the trials of a backtest and choose; ``None`` without amounts.

    With two trials or more the way is chosen on the earlier ones, as the rung is.
    """
    found = (spend_trial(trial, tested.question) for trial in tested.trials)
    trials = tuple(trial for trial in found if trial is not None)
    if not trials:
        return None
    return Worth(choose_way(trials[:-1] or trials), trials)


def choose_way(trials: Sequence[SpendTrial]) -> str:
    """The way with the lowest deviance over all trials together; ties go to the plainer.

    A tie is a difference below `TIE` of the lowest.
    """
    ways = [way for way in WAYS if all(way in trial.expected for trial in trials)]
    spent = np.concatenate([trial.spent for trial in trials])
    weight = np.concatenate([trial.weights for trial in trials])
    lost = {
        way: poisson_deviance(spent, np.concatenate([t.expected[way] for t in trials]), weight)
        for way in ways
    }
    lowest = min(lost.values())
    return next(way for way in ways if lost[way] <= lowest * (1 + TIE))


# ── Measures ────────────────────────────────────────────────────────────────────────────────


def poisson_deviance(
    spent: ArrayLike, expected: ArrayLike, weight: np.ndarray | None = None
) -> float:
    """Mean Poisson deviance 2 (y ln(y / m) - y + m), in money.

    Parameters
    ----------
    spent, expected
        y and m of each row, at least 0; m is taken for .01 where it is less, so that who was
        expected to spend nothing and did costs much, but not everything.
    weight
        Of each row; ``None`` is one for each.

    Examples
    --------
    >>> round(poisson_deviance([10, 20], [10, 10]), 4)
    3.8629
    """
    return float(np.average(_deviances(spent, expected), weights=weight))


def measuring(spent: ArrayLike, expected: ArrayLike) -> Callable[[Floats], list[float]]:
    """What gives `MEASURES` for a weight of each row, for `churnkit.metrics.resample_rows`."""
    y, m = (np.asarray(values, dtype=np.float64) for values in (spent, expected))
    deviances, misses = _deviances(y, m), np.abs(y - m)
    (_, y_place), (_, m_place) = (np.unique(v, return_inverse=True) for v in (y, m))

    def measured(weight: Floats) -> list[float]:
        total = weight.sum()
        return [
            float(weight @ deviances / total),
            float(weight @ misses / total),
            _rank_correlation(y_place, m_place, weight),
            _captured(y, m_place, weight),
        ]

    return measured


def _deviances(spent: ArrayLike, expected: ArrayLike) -> Floats:
    y = np.asarray(spent, dtype=np.float64)
    m = np.maximum(np.asarray(expected, dtype=np.float64), _LEAST)
    logs = np.log(np.where(y > 0, y, m) / m)
    return np.asarray(2 * (y * logs - y + m))


def _rank_correlation(y_place: np.ndarray, m_place: np.ndarray, weight: Floats) -> float:
    """Spearman's of weighted rows: that of each row as often as it weighs."""
    total = weight.sum()
    ranks = [_middle_ranks(place, weight) - total / 2 for place in (y_place, m_place)]
    y, m = ranks
    both, ours, theirs = (float(weight @ product) for product in (y * m, y * y, m * m))
    return both / sqrt(ours * theirs) if ours * theirs > 0 else nan


def _middle_ranks(place: np.ndarray, weight: Floats) -> Floats:
    mass = np.bincount(place, weight)
    return np.asarray((np.cumsum(mass) - mass / 2)[place])


def _captured(y: Floats, m_place: np.ndarray, weight: Floats) -> float:
    """Share of all spend in the top tenth by what was expected; equals at its edge in part."""
    people = np.cumsum(np.bincount(m_place, weight)[::-1])
    money = np.cumsum(np.bincount(m_place, weight * y)[::-1])
    if not money[-1] > 0:
        return nan
    shares = np.append(0.0, people / people[-1]), np.append(0.0, money / money[-1])
    return float(np.interp(TOP_SHARE, *shares))
