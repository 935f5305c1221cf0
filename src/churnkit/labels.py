"""Who is at risk at a cutoff, and who has churned by the end of the horizon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from churnkit.clock import AFTER_ALL
from churnkit.errors import ConfigError, did_you_mean
from churnkit.index import (
    BlockIndex,
    EventIndex,
    Observations,
    PurchaseIndex,
    ratio,
)
from churnkit.logs import LEAVING, MONEY_UNITS, CustomerLogs, kind_named

Churn = Literal["no_purchase", "no_activity", "event"]

_YEAR = 365
_LOG_OF: dict[str, str] = {
    "no_purchase": "purchases",
    "no_activity": "activity",
    "event": "activity",
}
_NAMES_TOLD = 12


@dataclass(frozen=True)
class Question:
    """What churn means here, for whom it is asked, and how far ahead.

    Attributes
    ----------
    churn
        ``no_purchase``: no sale within the horizon (returns do not count);
        ``no_activity``: no event within the horizon (cancellations and surveys sent are no
        signs of life); ``event``: one of ``events`` within the horizon, as where customers have
        a contract.
    horizon_days
        Length of the time ahead, in days of 24 hours.
    lookback_days
        A customer is at risk if a sale (or an event) lies in so many days before the cutoff,
        and no cancellation, or none of ``events`` if that is asked, has followed it.
    events
        Kinds of events, or events under their own names, with which a customer leaves; names are
        kept as the activity log has them (``Un-subscribed`` is ``un_subscribed``).

    Raises
    ------
    ConfigError
        If the definition is unknown, a length is not positive, or events are named where they
        do not count, or none where they do.
    """

    churn: Churn = "no_purchase"
    horizon_days: int = 90
    lookback_days: int = 180
    events: tuple[str, ...] = (LEAVING,)

    def __post_init__(self) -> None:
        events = tuple(dict.fromkeys(map(kind_named, self.events)))
        object.__setattr__(self, "events", events)
        if self.churn not in _LOG_OF:
            raise ConfigError(
                f"churn = {self.churn!r} is not a definition of churn",
                f"Use one of {', '.join(_LOG_OF)}.",
            )
        if self.churn != "event" and events != (LEAVING,):
            raise ConfigError(
                f"churn = {self.churn!r} looks at no events, and {', '.join(events)} is named",
                'Ask for churn = "event", or leave events out.',
            )
        if not all(events) or not events:
            raise ConfigError(
                f"events = {list(events)} does not say which event is the end",
                f'Name one of the activity log, such as "{LEAVING}".',
            )
        for name in ("horizon_days", "lookback_days"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} = {getattr(self, name)}", "Use at least one day.")

    @property
    def log(self) -> str:
        """The log that holds the signs of life."""
        return _LOG_OF[self.churn]

    @property
    def sign_of_life(self) -> str:
        """What a sign of life is called: ``purchase`` or ``activity``."""
        return "purchase" if self.log == "purchases" else "activity"

    @property
    def rule(self) -> str:
        """The whole question in words, to be printed beside every figure."""
        what = self.sign_of_life
        if self.churn == "event":
            events = self.events_in_words
            return (
                f"{events} within {self.horizon_days} days, of customers with {what} "
                f"in the {self.lookback_days} days before and no {events} since"
            )
        return (
            f"no {what} within {self.horizon_days} days, of customers with {what} "
            f"in the {self.lookback_days} days before"
        )

    @property
    def events_in_words(self) -> str:
        """The events that are churn: ``cancellation or non renewal``."""
        return " or ".join(event.replace("_", " ") for event in self.events)

    def require(self, logs: CustomerLogs) -> None:
        """Refuse logs that cannot answer the question.

        Raises
        ------
        ConfigError
            If the log with the signs of life is absent, or an event that is asked for never
            occurs in it.
        """
        if self.log not in logs.measures:
            raise self._absent()
        if self.churn == "event":
            known = logs.words("activity", "kind", AFTER_ALL)
            for event in self.events:
                if event not in known:
                    raise _never_occurs(event, known)

    def at_risk(self, block: BlockIndex, at: Observations) -> np.ndarray:
        """Boolean mask: the observations that the question is asked about."""
        alive = self.signs_of_life(block)
        recent = alive.count(at, self.lookback_days) > 0
        return np.asarray(recent & ~self._has_left(block, alive, at))

    def churned(self, block: BlockIndex, at: Observations) -> np.ndarray:
        """Boolean mask over ``at <= ts < at + horizon``: no sign of life, or one of the events."""
        if self.churn != "event":
            return self.signs_of_life(block).count_ahead(at, self.horizon_days) == 0
        if block.activity is None:
            raise self._absent()
        return block.activity.either(*self.events).count_ahead(at, self.horizon_days) > 0

    def days_until_return(self, block: BlockIndex, at: Observations) -> np.ndarray:
        """Days from the cutoff to the first sign of life in ``at <= ts < at + horizon``.

        Float64, infinite where there is none: exactly where `churned` holds.

        Raises
        ------
        ConfigError
            If churn is an event, which nobody returns from.
        """
        if self.churn == "event":
            raise ConfigError(
                f"churn = 'event' has no day of return: {self.events_in_words} is the end",
                "Use another model than the hazard, or another definition of churn.",
            )
        return self.signs_of_life(block).days_until_next(at, self.horizon_days)

    def signs_of_life(self, block: BlockIndex) -> EventIndex:
        """The events that show a customer to be there: not those with which one leaves.

        Raises
        ------
        ConfigError
            If the log that holds them is absent.
        """
        if self.log == "purchases" and block.purchases is not None:
            return block.purchases.sales
        if self.log == "activity" and block.activity is not None:
            return block.activity.alive_without(*self.events)
        raise self._absent()

    def _has_left(self, block: BlockIndex, alive: EventIndex, at: Observations) -> np.ndarray:
        """Whether the last event that ends a relation is not followed by any sign of life."""
        if block.activity is None:
            return np.zeros(len(at), dtype=bool)
        since_left = block.activity.either(*self.events).days_since_last(at)
        return np.asarray(since_left <= alive.days_since_last(at))

    def _absent(self) -> ConfigError:
        return ConfigError(
            f"churn = {self.churn!r} needs a {self.log} log, and there is none",
            f"Add [logs.{self.log}] or choose another definition of churn.",
        )


def _never_occurs(event: str, known: Mapping[str, int]) -> ConfigError:
    names = sorted(known, key=lambda name: (-known[name], name))
    more = f" and {len(names) - _NAMES_TOLD} more" if len(names) > _NAMES_TOLD else ""
    return ConfigError(
        f"churn is the event {event!r}, and the activity log has no such event",
        f"{did_you_mean(event, names)}It has {', '.join(names[:_NAMES_TOLD])}{more}: name one of "
        "them in events of [question], or say in [logs.activity.kinds] which of them is meant.",
    )


def spend_ahead(block: BlockIndex, at: Observations, horizon_days: int) -> np.ndarray:
    """Net money in ``at <= ts < at + horizon``: sales less returns, at least 0.

    The label of expected spend, exact to the minor unit; NaN where the log has no amounts.
    """
    p = _priced(block)
    if p is None:
        return np.full(len(at), np.nan)
    net = [index.sum_ahead("amount", at, horizon_days) for index in (p.sales, p.returns)]
    return np.asarray(np.maximum(sum(net), 0) / MONEY_UNITS)


def run_rate(block: BlockIndex, at: Observations, horizon_days: int) -> np.ndarray:
    """Money of the horizon if a customer goes on as in the year before the cutoff.

    Spend less returns of that year, spread evenly, at least 0. A customer younger than a year is
    taken by its own age, but not less than the horizon, so that one first purchase is not blown
    up. NaN where nothing is known: no amounts, or neither a sale nor a return so far; 0 for who
    has but returned.
    """
    p = _priced(block)
    if p is None:
        return np.full(len(at), np.nan)
    spent = (p.sales.sum("amount", at, _YEAR) + p.returns.sum("amount", at, _YEAR)) / MONEY_UNITS
    age = np.clip(p.sales.days_since_first(at), horizon_days, _YEAR)
    found = np.maximum(ratio(spent, age) * horizon_days, 0.0)
    only_returned = (p.sales.count(at) == 0) & (p.returns.count(at) > 0)
    return np.where(only_returned, 0.0, found)


def declared_margin(block: BlockIndex, at: Observations, horizon_days: int) -> np.ndarray:
    """The declared yearly margin of each customer, over the horizon and at least 0; else NaN."""
    if block.yearly_value is None:
        return np.full(len(at), np.nan)
    return np.maximum(block.yearly_value[at.customer] / _YEAR * horizon_days, 0.0)


def _priced(block: BlockIndex) -> PurchaseIndex | None:
    """The purchases, if they tell amounts."""
    p = block.purchases
    return p if p is not None and "amount" in p.sales.events.columns else None
