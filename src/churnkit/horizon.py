"""How long is gone? The advice on the churn horizon that the logs themselves give.

After every purchase (or activity) a customer falls silent, until the next one or until the end of
the log. The lengths of these silences, with those still running at the end taken as censored, give
the product-limit estimate of how many outlast ``d`` days (E. L. Kaplan and P. Meier,
Nonparametric estimation from incomplete observations, JASA 53 (1958) 457–481), and from it the
share of customers, silent for ``h`` days, who come back within the next ``h``. A horizon after
which many come back calls customers churned who are not.

Where an event says who left, no silence has to be waited for: told is how many leave, and when.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from churnkit.clock import DAY, seen_before
from churnkit.index import ActivityIndex, Observations, PurchaseIndex
from churnkit.labels import Question
from churnkit.logs import Events, Logs

CANDIDATES = (7, 14, 30, 45, 60, 90, 120, 180, 270, 365)
"""Horizons that are looked at, in days, as far as the history allows."""

FEW_RETURN = 0.2
"""From the suggested horizon on, at most so large a share comes back within as long again."""

_WOBBLE = 0.02  # so much above it a single candidate may lie
_SILENCES, _AT_END = 50, 20
_MOST_RETURNS, _HALF_RETURNS = 0.9, 0.5


@dataclass(frozen=True)
class Return:
    """What became of the customers who had been silent for a horizon.

    Attributes
    ----------
    days
        The horizon.
    silences
        Silences of at least so many days that were seen.
    within
        Share in [0, 1] that ended within as many days again; product-limit estimate.
    """

    days: int
    silences: int
    within: float


@dataclass(frozen=True)
class HorizonAdvice:
    """The horizon that the logs suggest, and the curve it was read from.

    Attributes
    ----------
    log
        The log whose silences were measured.
    asked_days
        Horizon of the question.
    suggested_days
        The shortest candidate from which on at most `FEW_RETURN` come back within as many days
        again, if half of all returns come sooner; else the shortest that nine of ten returns
        come before; ``None`` if the history is too short for either, or that is longer than any
        candidate.
    parts
        Whether the suggestion is of the first kind: it parts those who left from those who
        pause.
    asked
        What became of silences as long as the asked horizon; ``None`` if the history is too
        short for it.
    curve
        The candidates the history allows, rising.
    nine_of_ten_days
        Days within which nine of ten returns came, as far as the history reaches; ``None``
        without returns.
    says
        The advice in plain words.
    """

    log: str
    asked_days: int
    suggested_days: int | None
    parts: bool
    asked: Return | None
    curve: tuple[Return, ...]
    nine_of_ten_days: int | None
    says: str

    def told(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {**asdict(self), "curve": [asdict(point) for point in self.curve]}


def advice(logs: Logs, question: Question) -> HorizonAdvice:
    """The churn horizon that the silences of the customers suggest.

    Two signs of life less than a day apart are one occasion. Silences are pooled over customers,
    so that a frequent customer adds more short ones; a silence of ``h`` days adds one to each
    candidate up to ``h``, whoever's it is.

    Raises
    ------
    ConfigError
        If the log of the question is absent.
    """
    question.require(logs)
    if question.churn == "event":
        return _of_events(logs, question)
    ended, running = silences(logs, question)
    survival = Silence.of(ended, running)
    curve = tuple(p for h in CANDIDATES if (p := survival.returned(h)) is not None)
    nine_of_ten = survival.returns_by(_MOST_RETURNS)
    parting = _parting(curve, survival.returns_by(_HALF_RETURNS))
    suggested = parting or (_candidate(nine_of_ten) if curve else None)
    asked = survival.returned(question.horizon_days)
    found = HorizonAdvice(
        question.log, question.horizon_days, suggested, parting is not None, asked, curve,
        nine_of_ten, "",
    )  # fmt: skip
    return replace(found, says=_says(found))


def _parting(curve: tuple[Return, ...], half: int | None) -> int | None:
    """The shortest horizon from which on few return."""
    many = max((p.days for p in curve if p.within > FEW_RETURN + _WOBBLE), default=0)
    return next((p.days for p in curve if p.days > many and p.days >= (half or 0)), None)


def _candidate(days: int | None) -> int | None:
    """The shortest candidate of at least so many days."""
    return None if days is None else next((h for h in CANDIDATES if h >= days), None)


def silences(logs: Logs, question: Question) -> tuple[np.ndarray, np.ndarray]:
    """Whole days of the silences that ended, and of those still running at the end of the log.

    Returns
    -------
    tuple of np.ndarray
        Two int64 arrays; the first has no silence of less than a day, the second one entry per
        customer.
    """
    end = logs.day_after_last(question.log)
    alive = _signs_of_life(logs, question)
    alive = alive.where(seen_before(alive.ts, end))
    last = np.diff(alive.customer, append=-1) != 0
    ended = (np.diff(alive.ts, append=0) // DAY)[~last]
    return ended[ended > 0], (end.us - alive.ts[last]) // DAY


def _of_events(logs: Logs, question: Question) -> HorizonAdvice:
    """How many left by the events of the question, how soon, and how many do in one horizon.

    Leavings per customer-day on the way give the share of a horizon, as if they came evenly.
    """
    end = logs.day_after_last(question.log)
    activity = ActivityIndex(logs.events[question.log], len(logs.customer_ids))
    everyone = Observations.of_all(len(logs.customer_ids), [end])
    alive = activity.alive_without(*question.events)
    began, silent = alive.days_since_first(everyone), alive.days_since_last(everyone)
    since_left = activity.either(*question.events).days_since_last(everyone)
    known, left = ~np.isnan(began), since_left <= silent
    stayed = np.where(left, began - since_left, began)
    return HorizonAdvice(
        question.log, question.horizon_days, None, False, None, (), None,
        _says_of_events(question, stayed[left], float(stayed[known].sum()), int(known.sum())),
    )  # fmt: skip


def _says_of_events(question: Question, stayed: np.ndarray, days: float, customers: int) -> str:
    leave = f"The event {question.events_in_words} says who left: no silence has to be waited for"
    how = "take the horizon in which you can still act"
    if not len(stayed):
        return f"{leave}, {how}. So far all have come back."
    within = 1 - np.exp(-len(stayed) / max(days, 1.0) * question.horizon_days)
    return (
        f"{leave}, {how}. {len(stayed):,} of {customers:,} customers left, half of them within "
        f"{int(np.median(stayed))} days of their first sign of life; of those who are there, "
        f"{_one_in(float(within))} leave in {question.horizon_days} days on average."
    )


def _signs_of_life(logs: Logs, question: Question) -> Events:
    customers = len(logs.customer_ids)
    if question.log == "purchases" and logs.purchases is not None:
        return PurchaseIndex(logs.purchases, customers).sales.events
    return ActivityIndex(logs.events["activity"], customers).alive.events


@dataclass(frozen=True)
class Silence:
    """Silences by length in whole days.

    Attributes
    ----------
    at_risk
        Silences that lasted ``d`` days or more, for ``d`` = 0, 1, …
    ended
        Those of them that ended on that day.
    """

    at_risk: np.ndarray
    ended: np.ndarray

    @classmethod
    def of(cls, ended: np.ndarray, running: np.ndarray) -> Silence:
        """Silences from the lengths of those that ended and of those that were still running."""
        days = int(max(ended.max(initial=0), running.max(initial=0))) + 1
        ends = np.bincount(ended, minlength=days)
        every = ends + np.bincount(running, minlength=days)
        return cls(np.cumsum(every[::-1])[::-1], ends)

    def outlast(self, start: int, stop: int) -> float:
        """Share in [0, 1] of the silences of ``start`` days that do not end before ``stop``."""
        at_risk, ended = self.at_risk[start:stop], self.ended[start:stop]
        return float(np.prod(1 - ended / np.maximum(at_risk, 1)))

    def returned(self, days: int) -> Return | None:
        """What became of silences of so many days; ``None`` where too few were seen."""
        if len(self.at_risk) < 2 * days or self.at_risk[2 * days - 1] < _AT_END:
            return None
        seen = int(self.at_risk[days])
        return Return(days, seen, 1 - self.outlast(days, 2 * days)) if seen >= _SILENCES else None

    def returns_by(self, part: float) -> int | None:
        """Days within which a part of all returns come, as far as enough silences reach."""
        reliable = int(np.count_nonzero(self.at_risk >= _AT_END))
        left = np.cumprod(1 - self.ended[:reliable] / self.at_risk[:reliable])
        if not reliable or left[-1] == 1:
            return None
        return int(np.argmax(1 - left >= part * (1 - left[-1]))) + 1


def _says(found: HorizonAdvice) -> str:
    if found.suggested_days is None and found.curve and found.nine_of_ten_days:
        return (
            f"{_opening(found.asked_days, found.asked)} Nine of ten returns come within "
            f"{found.nine_of_ten_days} days, later than any horizon that is looked at: customers "
            "pause too long here for silence to tell who left."
        )
    if found.suggested_days is None:
        return "The history is too short to say after how many silent days customers are gone."
    return f"{_opening(found.asked_days, found.asked)} {_compared(found)}"


def _opening(days: int, asked: Return | None) -> str:
    if asked is None:
        return f"The history is too short to see what follows {days} silent days."
    return (
        f"Of the customers silent for {days} days {_one_in(asked.within)} came back within the "
        f"next {days}."
    )


def _compared(found: HorizonAdvice) -> str:
    asked, suggested = found.asked_days, found.suggested_days or 0
    if not found.parts:
        longest = found.curve[-1]
        return (
            f"After {longest.days} days it still is {_one_in(longest.within)}: customers pause "
            f"long here, and no horizon parts those who left. Nine of ten returns come within "
            f"{found.nine_of_ten_days} days, so {suggested} days is the safe horizon; a shorter "
            "one asks who pauses."
        )
    within = next(p.within for p in found.curve if p.days == suggested)
    if asked == suggested:
        return "From there on few return: the shortest horizon that fits the data."
    if asked < suggested:
        return (
            f"{suggested} days is what the data suggest ({_one_in(within)} after that): a shorter "
            "horizon takes some for gone who only pause."
        )
    return (
        f"From {suggested} days on it is {_one_in(within)} or fewer: the horizon fits the data, "
        f"and one as short as {suggested} days would warn earlier."
    )


def _one_in(part: float) -> str:
    """A share as people say it.

    >>> _one_in(0.34), _one_in(0.5), _one_in(0.8), _one_in(0.004), _one_in(0)
    ('1 in 3', '1 in 2', '8 in 10', 'fewer than 1 in 100', 'none')
    """
    if part <= 0:
        return "none"
    if part < 0.01:
        return "fewer than 1 in 100"
    if part < 0.29:
        return f"1 in {round(1 / part)}"
    tenths = round(10 * part)
    simple = {3: "1 in 3", 5: "1 in 2", 10: "nearly all"}
    return simple.get(tenths, f"{tenths} in 10")
