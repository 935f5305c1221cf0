"""What could be known of the simulated shop: a particle filter that knows how it was made.

The shop draws a hidden satisfaction week by week, and from it all events. The filter follows some
paths of satisfaction for each customer, weighs them week by week with the chance of what the logs
tell of that week, and draws anew where few paths carry most of the weight (Gordon, Salmond and
Smith 1993). The own purchase rate, gamma distributed, is integrated out exactly. Each path is then
followed to the end of the horizon. No model of the logs can be better in the mean over all futures
than the exact posterior; what the filter leaves out (returns, times to resolve, recovered
payments) and the finite number of paths make it a little worse than that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr

from churnkit.simulate import RATES, SCALES
from peers.quality.run import Task

_START = pd.Timestamp("2023-01-01")
_WEEK = 7.0
_PATHS = 500
_CUSTOMERS_AT_ONCE = 200
_LEAST = 1e-300
_COUNTED = ("purchases", "visits", "email_open", "support_opened", "complaint_opened", "failed")


@dataclass(frozen=True)
class Seen:
    """What the logs tell of some customers.

    Attributes
    ----------
    joined
        Days from the start of the span to the first purchase, shape (customers,).
    counts
        Kind of event → how many in each week, shape (customers, weeks); the first purchase, and
        the visits that purchases bring, are no events of their own.
    failing
        Purchases in each week, of which some payments failed, the first one included.
    answers
        Position of the customer, week, instrument and score of each answer.
    """

    joined: np.ndarray
    counts: dict[str, np.ndarray]
    failing: np.ndarray
    answers: pd.DataFrame

    def some(self, rows: slice) -> Seen:
        """Some of the customers, renumbered from zero."""
        answers = self.answers[self.answers["customer"].between(rows.start, rows.stop - 1)]
        return Seen(
            self.joined[rows],
            {name: counts[rows] for name, counts in self.counts.items()},
            self.failing[rows],
            answers.assign(customer=answers["customer"] - rows.start),
        )


def predict(task: Task) -> np.ndarray:
    """Churn probabilities of the test rows."""
    test = task.table("test")
    cutoff = _days(test["cutoff"].iloc[:1])[0]
    seen = _seen(task, test["customer_id"], weeks=int(cutoff // _WEEK) + 1)
    rng = np.random.default_rng(0)
    parts = []
    for first in range(0, len(test), _CUSTOMERS_AT_ONCE):
        some = seen.some(slice(first, min(first + _CUSTOMERS_AT_ONCE, len(test))))
        parts.append(_Filter(some, rng).churn(cutoff, task.horizon_days))
    return np.concatenate(parts)


def _days(ts: pd.Series) -> np.ndarray:
    return ((ts - _START) / pd.Timedelta(days=1)).to_numpy()


def _seen(task: Task, ids: pd.Series, weeks: int) -> Seen:
    place = pd.Series(np.arange(len(ids)), index=ids.to_numpy())

    def by_week(rows: pd.DataFrame) -> np.ndarray:
        known = rows[rows["customer_id"].isin(place.index)]
        week = (_days(known["ts"]) // _WEEK).astype(int)
        counts = np.zeros((len(ids), weeks))
        np.add.at(counts, (place[known["customer_id"]].to_numpy(), week), 1)
        return counts

    purchases, activity = task.table("purchases"), task.table("activity")
    sales = purchases[purchases["is_return"] == 0]
    joined = sales.groupby("customer_id")["ts"].min().loc[ids]
    all_sales = by_week(sales)
    later = all_sales.copy()
    later[np.arange(len(ids)), (_days(joined) // _WEEK).astype(int)] -= 1
    of_kind = {kind: by_week(rows) for kind, rows in activity.groupby("kind")}
    counts = {name: of_kind.get(name, np.zeros_like(later)) for name in _COUNTED}
    counts["purchases"], counts["failed"] = later, of_kind["payment_failed"]
    counts["visits"] = np.maximum(of_kind["visit"] - all_sales, 0)
    answers = task.table("surveys")
    answers = answers[answers["customer_id"].isin(place.index)]
    told = pd.DataFrame(
        {
            "customer": place[answers["customer_id"]].to_numpy(),
            "week": (_days(answers["ts"]) // _WEEK).astype(int),
            "instrument": answers["instrument"].to_numpy(),
            "score": answers["score"].to_numpy(),
        }
    )
    return Seen(_days(joined), counts, all_sales, told)


class _Filter:
    """Paths of satisfaction, shape (customers, paths), and how they are weighed."""

    def __init__(self, seen: Seen, rng: np.random.Generator) -> None:
        self._seen, self._rng = seen, rng
        shape = len(seen.joined), _PATHS
        self._own = rng.normal(RATES.mood_mean, RATES.mood_spread, shape)
        self._swing = np.zeros(shape)
        self._slid = np.full(shape, np.inf)  # the week in which the slide began
        self._felt: list[np.ndarray] = []  # satisfaction of the last weeks, the newest last
        self._exposure = np.full(shape, RATES.purchase_shape * RATES.purchase_gap)
        self._events = np.full((shape[0], 1), RATES.purchase_shape)
        self._weight = np.zeros(shape)  # logarithms

    def churn(self, cutoff: float, horizon: int) -> np.ndarray:
        """Chance of no purchase in the horizon, shape (customers,)."""
        week = int(cutoff // _WEEK)
        for k in range(week + 1):
            self._step(k)
            self._weigh(k, np.clip(min((k + 1) * _WEEK, cutoff) - self._since(k), 0, None))
        ahead, end, begin = np.zeros_like(self._own), cutoff + horizon, cutoff
        for k in range(week, int(np.ceil(end / _WEEK))):
            if k > week:
                self._step(k)
            until = min((k + 1) * _WEEK, end)
            ahead += (until - begin) * self._buying(k)
            begin = until
        silent = (self._exposure / (self._exposure + ahead)) ** self._events
        return np.asarray((self._shares() * silent).sum(axis=1))

    def _since(self, week: int) -> np.ndarray:
        return np.maximum(week * _WEEK, self._seen.joined)[:, None]

    def _step(self, week: int) -> None:
        r, rng, shape = RATES, self._rng, self._own.shape
        shock = rng.exponential(r.shock_size, shape) * (rng.random(shape) < r.shock_chance)
        noise = rng.normal(0, r.mood_noise, shape) - shock
        self._swing = noise if week == 0 else r.mood_memory * self._swing + noise
        # Who has not begun to slide yet may be one who never does.
        waited = np.maximum(week + 1 - self._seen.joined / _WEEK, 0)[:, None]
        before = np.minimum(waited, 1)
        left = r.slide_share * np.exp(-(waited - before) / r.slide_wait)
        chance = left / (left + 1 - r.slide_share) * -np.expm1(-before / r.slide_wait)
        begins = np.isinf(self._slid) & (rng.random(shape) < chance)
        self._slid = np.where(begins, week + rng.random(shape), self._slid)
        slide = np.clip(r.slide_speed * (week - self._slid), 0, r.slide_depth)
        self._felt = [*self._felt[-r.purchase_lag :], self._own + self._swing - slide]

    def _season(self, week: int) -> float:
        day = _START.day_of_year + _WEEK * week + _WEEK / 2
        return float(1 + RATES.season * np.cos(2 * np.pi * (day - RATES.season_peak) / 365.25))

    def _buying(self, week: int) -> np.ndarray:
        """Purchases a day for an own rate of one a day."""
        return np.asarray(self._season(week) * np.exp(RATES.purchase_pull * self._felt[0]))

    def _weigh(self, week: int, days: np.ndarray) -> None:
        """Weigh the paths by the events of a week, of which so many days are known."""
        r, felt = RATES, self._felt[-1]
        counts = {name: told[:, week, None] for name, told in self._seen.counts.items()}
        visits = self._season(week) * r.visits * np.exp(r.visit_pull * felt)
        rates = {
            "purchases": self._buying(week),
            "visits": visits,
            "support_opened": visits * expit(r.support_odds + r.support_pull * felt),
            "complaint_opened": visits * expit(r.complaint_odds + r.complaint_pull * felt),
        }
        # Poisson given the own rate, which is gamma distributed given the events so far.
        exposure = days * sum(rates.values())
        events = sum(counts[name] for name in rates)
        gain = sum(counts[name] * np.log(rate) for name, rate in rates.items())
        gain = gain + self._events * np.log(self._exposure)
        gain = gain - (self._events + events) * np.log(self._exposure + exposure)
        opens = r.opens / 7 * expit(r.open_odds + r.open_pull * felt)
        gain = gain + counts["email_open"] * np.log(opens) - days * opens
        fails = expit(r.failed_odds + r.failed_pull * felt)
        paid = np.maximum(self._seen.failing[:, week, None] - counts["failed"], 0)
        gain = gain + counts["failed"] * np.log(fails) + paid * np.log1p(-fails)
        self._weight += gain
        self._exposure = self._exposure + exposure
        self._events = self._events + events
        for customer, chance in self._answers(week):
            self._weight[customer] += np.log(np.maximum(chance, _LEAST))
        self._draw_anew()

    def _answers(self, week: int) -> Iterator[tuple[int, np.ndarray]]:
        """Customer, and the chance of an answer of it on each of its paths."""
        told = self._seen.answers
        told = told[told["week"] == week]
        columns = (told[name].tolist() for name in ("customer", "instrument", "score"))
        for customer, instrument, score in zip(*columns, strict=True):
            scale = SCALES[instrument]
            middle = scale.middle + scale.slope * self._felt[-1][customer]
            most = 1.0 if score >= scale.high else ndtr((score + 0.5 - middle) / scale.noise)
            least = 0.0 if score <= scale.low else ndtr((score - 0.5 - middle) / scale.noise)
            yield customer, np.asarray(most - least)

    def _shares(self) -> np.ndarray:
        shares = np.exp(self._weight - self._weight.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def _draw_anew(self) -> None:
        """Systematic resampling of the customers whose weight lies on fewer than half the paths."""
        shares = self._shares()
        poor = np.flatnonzero(1 / (shares**2).sum(axis=1) < _PATHS / 2)
        if not len(poor):
            return
        steps = (np.arange(_PATHS) + self._rng.random((len(poor), 1))) / _PATHS
        reached = np.cumsum(shares[poor], axis=1)
        reached[:, -1] = 1.0
        row = np.arange(len(poor))[:, None]
        drawn = np.searchsorted((reached + row).ravel(), (steps + row).ravel()).reshape(steps.shape)
        drawn = np.minimum(drawn - row * _PATHS, _PATHS - 1)
        for path in (self._own, self._swing, self._slid, self._exposure, *self._felt):
            path[poor] = np.take_along_axis(path[poor], drawn, axis=1)
        self._weight[poor] = 0.0
