"""Who is at risk at a cutoff, and who has churned by the end of the horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from churnkit.errors import ConfigError
from churnkit.index import (
    BlockIndex,
    EventIndex,
    Observations,
    PurchaseIndex,
    ratio,
)
from churnkit.logs import LEAVING, MONEY_UNITS, CustomerLogs

Churn = Literal["no_purchase", "no_activity"]

_YEAR = 365
_LOG_OF: dict[str, str] = {"no_purchase": "purchases", "no_activity": "activity"}


@dataclass(frozen=True)
class Question:
    """What churn means here, for whom it is asked, and how far ahead.

    Attributes
    ----------
    churn
        ``no_purchase``: no sale within the horizon (returns do not count);
        ``no_activity``: no event within the horizon (cancellations and surveys sent are no
        signs of life).
    horizon_days
        Length of the time ahead, in days of 24 hours.
    lookback_days
        A customer is at risk if a sale (or an event) lies in so many days before the cutoff,
        and no cancellation has followed it.

    Raises
    ------
    ConfigError
        If the definition is unknown or a length is not positive.
    """

    churn: Churn = "no_purchase"
    horizon_days: int = 90
    lookback_days: int = 180

    def __post_init__(self) -> None:
        if self.churn not in _LOG_OF:
            raise ConfigError(
                f"churn = {self.churn!r} is not a definition of churn",
                f"Use one of {', '.join(_LOG_OF)}.",
            )
        for name in ("horizon_days", "lookback_days"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} = {getattr(self, name)}", "Use at least one day.")

    @property
    def log(self) -> str:
        """The log that holds the signs of life."""
        return _LOG_OF[self.churn]

    @property
    def rule(self) -> str:
        """The whole question in words, to be printed beside every figure."""
        what = "purchase" if self.log == "purchases" else "activity"
        return (
            f"no {what} within {self.horizon_days} days, of customers with {what} "
            f"in the {self.lookback_days} days before"
        )

    def require(self, logs: CustomerLogs) -> None:
        """Refuse logs that cannot answer the question.

        Raises
        ------
        ConfigError
            If the log with the signs of life is absent.
        """
        if self.log not in logs.measures:
            raise self._absent()

    def at_risk(self, block: BlockIndex, at: Observations) -> np.ndarray:
        """Boolean mask: the observations that the question is asked about."""
        alive = self._signs_of_life(block)
        recent = alive.count(at, self.lookback_days) > 0
        return np.asarray(recent & ~_has_left(block, alive, at))

    def churned(self, block: BlockIndex, at: Observations) -> np.ndarray:
        """Boolean mask: no sign of life in ``at <= ts < at + horizon``."""
        return self._signs_of_life(block).count_ahead(at, self.horizon_days) == 0

    def _signs_of_life(self, block: BlockIndex) -> EventIndex:
        if self.log == "purchases" and block.purchases is not None:
            return block.purchases.sales
        if self.log == "activity" and block.activity is not None:
            return block.activity.alive
        raise self._absent()

    def _absent(self) -> ConfigError:
        return ConfigError(
            f"churn = {self.churn!r} needs a {self.log} log, and there is none",
            f"Add [logs.{self.log}] or choose another definition of churn.",
        )


def _has_left(block: BlockIndex, alive: EventIndex, at: Observations) -> np.ndarray:
    """Whether the last cancellation is not followed by any sign of life."""
    if block.activity is None:
        return np.zeros(len(at), dtype=bool)
    since_left = block.activity.of(LEAVING).days_since_last(at)
    return np.asarray(since_left <= alive.days_since_last(at))


def expected_value(block: BlockIndex, at: Observations, horizon_days: int) -> np.ndarray:
    """Money expected from each customer over the horizon if it stays, NaN where unknown.

    The declared yearly value where there is one, else the spend (less returns) of the year
    before the cutoff; both spread evenly. A customer younger than a year is taken by its own
    age, but not less than the horizon, so that one first purchase is not blown up.
    """
    per_day = np.full(len(at), np.nan)
    if block.purchases is not None and "amount" in block.purchases.sales.events.columns:
        per_day = _spend_per_day(block.purchases, at, horizon_days)
    if block.yearly_value is not None:
        declared = block.yearly_value[at.customer] / _YEAR
        per_day = np.where(np.isnan(declared), per_day, declared)
    return np.maximum(per_day * horizon_days, 0.0)


def _spend_per_day(p: PurchaseIndex, at: Observations, horizon_days: int) -> np.ndarray:
    spent = p.sales.sum("amount", at, _YEAR) + p.returns.sum("amount", at, _YEAR)
    age = np.clip(p.sales.days_since_first(at), horizon_days, _YEAR)
    return ratio(spent / MONEY_UNITS, age)
