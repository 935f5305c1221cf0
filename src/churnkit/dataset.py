"""Features and labels side by side, over several cutoffs, split by time and never at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np

from churnkit.clock import Cutoff, Every, cutoffs_back_from, horizon_ends_by, span_a_year
from churnkit.errors import ConfigError, GateRefused
from churnkit.features import WINDOWS, Features, FeatureSpec, build_beside, plan_features
from churnkit.features.kernel import Beside
from churnkit.features.windows import Window
from churnkit.labels import Question, run_rate, spend_ahead
from churnkit.logs import CustomerLogs
from churnkit.notebook import Figure, Table, names, panel

Season = Literal["auto", "always", "never"]

CHURNERS, STAYERS = 100, 100
"""With fewer of either, a model learns chance."""


@dataclass(frozen=True)
class Dataset:
    """Rows of customers at risk, each with what was known and what came of it.

    Attributes
    ----------
    features
        One row per customer at risk and cutoff.
    churned
        Boolean array, one per row.
    days
        Days from the cutoff to the first sign of life, infinite for churners; ``None`` where
        nobody returns, since churn is an event.
    spend
        Net money of each row within the horizon, see `churnkit.labels.spend_ahead`; ``None``
        where the logs tell no amounts.
    run_rate
        Money of the horizon at last year's rate, see `churnkit.labels.run_rate`; ``None`` like
        ``spend``.
    weight
        How many rows each stands for, above zero; ``None`` is one for each.
    untreated
        What was left out since an action may have changed what came of it, in a sentence, of the
        whole that these rows are taken from; ``None`` where no action is known of.
    """

    features: Features
    churned: np.ndarray
    days: np.ndarray | None = None
    spend: np.ndarray | None = None
    run_rate: np.ndarray | None = None
    weight: np.ndarray | None = None
    untreated: str | None = None

    def __len__(self) -> int:
        return len(self.churned)

    def __repr__(self) -> str:
        return (
            f"<Dataset: {len(self):,} rows at {_counted(len(self.cutoffs), 'cutoff')}, "
            f"{_share(self.base_rate)} churned, "
            f"{_counted(len(self.features.names), 'feature')}>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: how many rows, of whom, when, and how many of them churned."""
        facts = {
            "customers": self.customers,
            "cutoffs": len(self.cutoffs),
            "churned": f"{int(np.sum(self.churned)):,} rows, base rate {_share(self.base_rate)}",
            "features": names(self.features.names),
            "left out": self.untreated,
        }
        header = ("cutoff", "at risk", "churned", "base rate")
        title = f"Dataset: {_counted(len(self), 'row')}, one per customer at risk and cutoff"
        return panel(title, facts, [Table(header, [self._row(c) for c in self.cutoffs])])

    def _row(self, cutoff: Cutoff) -> tuple[object, ...]:
        there = self.features.cutoff == cutoff.us
        rate = float(np.average(self.churned[there], weights=self.weights[there]))
        left = int(np.sum(self.churned[there]))
        return str(cutoff), int(np.sum(there)), left, Figure(_share(rate))

    @property
    def cutoffs(self) -> tuple[Cutoff, ...]:
        """The cutoffs of the rows, rising."""
        instants = np.unique(self.features.cutoff).tolist()
        return tuple(Cutoff(us, self.features.zone) for us in instants)

    @property
    def customers(self) -> int:
        """Number of distinct customers."""
        return len(set(self.features.customer_id))

    @property
    def base_rate(self) -> float:
        """Share of rows that churned, each as often as it weighs."""
        return float(np.average(self.churned, weights=self.weight)) if len(self) else float("nan")

    @property
    def weights(self) -> np.ndarray:
        """How many rows each stands for, shape (rows,)."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def rarer(self) -> int:
        """Number of rows of the rarer of the two outcomes."""
        churners = int(np.sum(self.churned))
        return min(churners, len(self) - churners)

    def at(self, cutoffs: Sequence[Cutoff]) -> Dataset:
        """The rows of some of the cutoffs."""
        return self.where(np.isin(self.features.cutoff, [c.us for c in cutoffs]))

    def where(self, mask: np.ndarray) -> Dataset:
        """The rows for which a boolean mask holds."""
        beside = (self.days, self.spend, self.run_rate, self.weight)
        days, spend, rate, weight = (None if v is None else v[mask] for v in beside)
        features, churned = self.features.where(mask), self.churned[mask]
        return Dataset(features, churned, days, spend, rate, weight, self.untreated)


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _share(share: float) -> str:
    return "unknown" if share != share else f"{share:.1%}"


Untreating = Callable[[Dataset], Dataset]
"""Leaves out rows whose outcome an action may have changed, and weighs those that stand in."""


@dataclass(frozen=True)
class Schedule:
    """When is trained and when is tested.

    Attributes
    ----------
    every
        Days between training cutoffs, or ``week`` or ``month``.
    cutoffs
        Largest number of training cutoffs.
    tests
        Number of test cutoffs, one horizon apart.
    until
        The day at which the logs end for training; by default the last day of the log.
    """

    every: Every = "month"
    cutoffs: int = 13
    tests: int = 2
    until: Cutoff | None = None

    def last_known(self, logs: CustomerLogs, question: Question) -> Cutoff:
        """The latest cutoff whose horizon is over when the log ends.

        The last day of a log is often cut short, so the horizon must end before it begins.

        Raises
        ------
        ConfigError
            If ``until`` lies after the end of the log: nothing after it is known, and everybody
            would seem to have churned.
        """
        last = logs.last_day(question.log)
        if self.until is None:
            return _latest_over(question.horizon_days, last)
        if max(self.until, last.shifted(1)) != last.shifted(1):
            raise ConfigError(
                f"until = {self.until} lies after {last}, the last day of the {question.log} log",
                "Set it to that day or an earlier one, or leave it out.",
            )
        return _latest_over(question.horizon_days, self.until)

    def test_cutoffs(self, logs: CustomerLogs, question: Question) -> tuple[Cutoff, ...]:
        """Cutoffs to test on, in rising order; each leaves room to train before it."""
        last = self.last_known(logs, question)
        grid = cutoffs_back_from(
            last, question.horizon_days, self.tests, logs.first_day(question.log)
        )
        return tuple(c for c in grid if self.training_cutoffs(logs, question, c))

    def training_cutoffs(
        self, logs: CustomerLogs, question: Question, before: Cutoff
    ) -> tuple[Cutoff, ...]:
        """Cutoffs whose horizon is over when ``before`` begins, in rising order.

        None lies closer than one lookback to the first day of the log, since by then the
        customers at risk are not yet all known.
        """
        first = logs.first_day(question.log).shifted(question.lookback_days)
        last = _latest_over(question.horizon_days, before)
        return cutoffs_back_from(last, self.every, self.cutoffs, first)


@dataclass(frozen=True)
class Recipe:
    """How a model is made.

    Attributes
    ----------
    windows
        The windows of its features.
    season
        Whether features that tell the time of the year, and what a customer bought a year ago,
        are learnt: ``auto`` if the training cutoffs span a year, ``always`` or ``never``.
    market
        Whether features that tell what all customers together do are learnt, where the season
        is: a model sees but one value of each a cutoff, and takes the cutoffs for causes.
    monotone
        Whether trees must follow the declared directions of the features: where more is expected
        to go with more churn, they may not learn the opposite.
    trees
        Parameters of `churnkit.estimators.ChurnClassifier` that differ from its defaults.
    early_stopping
        Whether the number of trees is the one that does best on the newest training cutoff.
    calibrate
        Whether the log-odds of trees and of the logistic on all features are scaled by what
        customers left out of the fit tell, see `churnkit.estimators.Calibrated`.
    hazard
        Whether trees that learn when the silence ends, which also tell of shorter horizons,
        stand on the ladder, too.
    use
        Name of the rung that is used; ``best`` is the one that does best on earlier cutoffs.
    least
        With fewer churners or stayers in training, nothing is trained.
    """

    windows: tuple[Window, ...] = WINDOWS
    season: Season = "auto"
    market: bool = False
    monotone: bool = False
    trees: Mapping[str, Any] = field(default_factory=dict)
    early_stopping: bool = False
    calibrate: bool = False
    hazard: bool = False
    use: str = "best"
    least: int = min(CHURNERS, STAYERS)

    @property
    def asks_for_hazard(self) -> bool:
        """Whether the hazard stands on the ladder."""
        return self.hazard or self.use == "hazard"

    def spec(self, logs: CustomerLogs, cutoffs: Sequence[Cutoff]) -> FeatureSpec:
        """The columns that are learnt of: those that the logs can fill before the last cutoff."""
        seasonal = {"auto": span_a_year(cutoffs), "always": True, "never": False}[self.season]
        learnt = FeatureSpec.learn(logs, max(cutoffs), self.windows, seasonal=seasonal)
        if self.market or not seasonal:
            return learnt
        return learnt.limited_to(c.name for c in learnt.columns() if not c.feature.of_market)


def _latest_over(horizon_days: int, end: Cutoff) -> Cutoff:
    """The latest cutoff whose horizon is over when ``end`` begins."""
    last = end.shifted(-horizon_days)
    # Across the start of summer time so many local days are an hour short of the horizon.
    return last if horizon_ends_by(last, horizon_days, end) else last.shifted(-1)


def build_dataset(
    logs: CustomerLogs,
    question: Question,
    cutoffs: Sequence[Cutoff],
    spec: FeatureSpec | None = None,
    untreated: Untreating | None = None,
) -> Dataset:
    """Features and labels of every customer at risk at each cutoff.

    Parameters
    ----------
    logs, question, cutoffs
        Whose features, which customers and label, and when.
    spec
        The columns; by default those of the default `Recipe`.
    untreated
        Takes out what actions have changed, such as `churnkit.outcomes.untreating` makes it;
        by default nothing is taken out.

    Raises
    ------
    ConfigError
        If the question needs a log that is absent.
    """
    question.require(logs)
    chosen = spec or Recipe().spec(logs, cutoffs)
    plan = plan_features(logs, cutoffs, chosen)
    labels: dict[str, Beside] = {"churned": question.churned}
    if question.churn != "event":
        labels["days"] = question.days_until_return
    if logs.has_amounts:
        labels["spend"] = partial(spend_ahead, horizon_days=question.horizon_days)
        labels["run_rate"] = partial(run_rate, horizon_days=question.horizon_days)
    features, beside = build_beside(logs, plan, labels, population=question.at_risk)
    churned = beside.pop("churned").astype(bool)
    whole = Dataset(
        features, churned, beside.get("days"), beside.get("spend"), beside.get("run_rate")
    )
    return whole if untreated is None else untreated(whole)


def require_enough(dataset: Dataset, churners: int = CHURNERS, stayers: int = STAYERS) -> None:
    """Refuse a training set that is too small to learn from.

    Raises
    ------
    GateRefused
        Naming what was found and what is needed.
    """
    left = int(np.sum(dataset.churned))
    stayed = len(dataset) - left
    if left < churners or stayed < stayers:
        raise GateRefused(
            f"the training set has {left:,} churners and {stayed:,} stayers in "
            f"{len(dataset):,} rows of {dataset.customers:,} customers; "
            f"{churners} and {stayers} are needed{_left_out(dataset)}",
            "Use a longer history, or another horizon or lookback; or, for a first look, "
            "train with --allow too-little.",
        )


def _left_out(dataset: Dataset) -> str:
    return f" ({dataset.untreated})" if dataset.untreated else ""
