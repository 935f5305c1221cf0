"""Features and labels side by side, over several cutoffs, split by time and never at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from churnkit.clock import Cutoff, Every, cutoffs_back_from, horizon_ends_by, span_a_year
from churnkit.errors import ConfigError, GateRefused
from churnkit.features import WINDOWS, Features, FeatureSpec, build_beside, plan_features
from churnkit.features.windows import Window
from churnkit.labels import Question
from churnkit.logs import CustomerLogs

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
    """

    features: Features
    churned: np.ndarray

    def __len__(self) -> int:
        return len(self.churned)

    @property
    def customers(self) -> int:
        """Number of distinct customers."""
        return len(set(self.features.customer_id))

    @property
    def base_rate(self) -> float:
        """Share of rows that churned."""
        return float(np.mean(self.churned)) if len(self) else float("nan")

    def at(self, cutoffs: Sequence[Cutoff]) -> Dataset:
        """The rows of some of the cutoffs."""
        mask = np.isin(self.features.cutoff, [c.us for c in cutoffs])
        return Dataset(self.features.where(mask), self.churned[mask])


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

    every: Every = 28
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
    monotone
        Whether trees must follow the declared directions of the features: where more is expected
        to go with more churn, they may not learn the opposite.
    """

    windows: tuple[Window, ...] = WINDOWS
    monotone: bool = False


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
    *,
    windows: tuple[Window, ...] = WINDOWS,
) -> Dataset:
    """Features and labels of every customer at risk at each cutoff.

    Parameters
    ----------
    logs, question, cutoffs
        Whose features, which customers and label, and when.
    spec
        The columns. By default those that the logs can fill before the last cutoff; the time of
        the year is among them only if the cutoffs span one, since else it tells nothing but which
        of a few cutoffs a row is from.
    windows
        The windows of these columns.

    Raises
    ------
    ConfigError
        If the question needs a log that is absent.
    """
    question.require(logs)
    chosen = spec or FeatureSpec.learn(logs, max(cutoffs), windows, seasonal=span_a_year(cutoffs))
    plan = plan_features(logs, cutoffs, chosen)
    features, beside = build_beside(
        logs, plan, {"churned": question.churned}, population=question.at_risk
    )
    return Dataset(features, beside["churned"].astype(bool))


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
            f"{churners} and {stayers} are needed",
            "Use a longer history, or another horizon or lookback.",
        )
