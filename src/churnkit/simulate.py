"""A seeded shop whose true churn is known.

Every customer has an own purchase rate, an own spend level and a hidden satisfaction that moves
from week to week. Satisfaction drives all four logs; nothing in the logs drives satisfaction back.
Purchases are therefore an inhomogeneous Poisson process with a rate that is constant within a
week, and the chance of no purchase in a window is ``exp(-integral of the rate)``, exactly.

Times are whole minutes since the start of the span. An order with a negative amount is a return,
not a purchase.

Examples
--------
>>> shop = simulate(customers=50, days=200, seed=1)
>>> shop.truth.churn_probability("2023-05-01", horizon_days=60).between(0, 1).all()
np.True_
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    import pandas as pd

    IntArray = NDArray[np.int64]
    FloatArray = NDArray[np.float64]

DAY = 24 * 60
"""Minutes of a day."""
WEEK = 7 * DAY
"""Minutes of a week."""


@dataclass(frozen=True)
class Rates:
    """The named numbers of the simulated shop.

    Satisfaction has no unit: 0 is an ordinary week, +1 a good one, -2 a customer about to leave.
    A ``*_pull`` says how strongly satisfaction acts: on the logarithm of a rate, or on the
    log-odds of a chance. A ``*_odds`` is such a log-odds at satisfaction 0.
    """

    # Who joins when.
    launch_share: float = 0.4  # of the customers, join in the first days
    launch_days: float = 28.0
    join_share: float = 0.75  # of the span, after which nobody joins

    # Satisfaction, per week.
    mood_mean: float = 0.2
    mood_spread: float = 0.5  # between customers
    mood_memory: float = 0.93  # of one week in the next
    mood_noise: float = 0.15
    shock_chance: float = 0.012  # of a bad experience
    shock_size: float = 1.4
    slide_share: float = 0.4  # of the customers slide down for good, sooner or later
    slide_wait: float = 60.0  # weeks from joining to the slide, in the mean
    slide_speed: float = 0.08
    slide_depth: float = 3.0

    # Purchases.
    purchase_gap: float = 40.0  # days, at satisfaction 0, of the mean rate
    purchase_shape: float = 2.0  # of the gamma spread of own rates; small = more unlike
    purchase_pull: float = 0.9
    purchase_lag: int = 2  # weeks after which purchases follow satisfaction; visits do at once
    season: float = 0.12  # amplitude of the year
    season_peak: float = 345.0  # day of the year
    spend: float = 35.0  # median order of a median customer
    spend_spread: float = 0.5  # between customers, of the logarithm
    order_spread: float = 0.4  # between orders, of the logarithm
    return_odds: float = -3.0
    return_pull: float = -0.8
    return_days: float = 9.0
    return_all_chance: float = 0.6  # the whole order comes back, else a part of it

    # Activity.
    visits: float = 3.0  # for each expected purchase at satisfaction 0
    visit_pull: float = 0.8
    opens: float = 1.0  # newsletters per week
    open_odds: float = -1.0
    open_pull: float = 0.8
    support_odds: float = -3.2  # per visit
    support_pull: float = -1.1
    complaint_odds: float = -4.2  # per visit
    complaint_pull: float = -1.5
    resolve_odds: float = 2.0
    resolve_pull: float = 0.5
    resolve_days: float = 4.0
    failed_odds: float = -3.0  # per purchase
    failed_pull: float = -0.6
    recover_odds: float = 1.0
    recover_pull: float = 0.6
    recover_days: float = 3.0

    # Surveys.
    answer_odds: float = -1.0
    answer_pull: float = 0.25
    answer_days: float = 2.0


RATES = Rates()
SEGMENTS = {"home": (0.7, 1.0), "office": (0.2, 2.0), "trade": (0.1, 3.5)}
"""Segment: share of the customers, factor on the spend level."""


@dataclass(frozen=True)
class Scale:
    """How an instrument reads satisfaction: ``middle + slope * satisfaction + noise``, rounded."""

    low: int
    high: int
    middle: float
    slope: float
    noise: float
    sent: float  # share of the triggers after which it is sent


SCALES = {
    "nps": Scale(low=0, high=10, middle=7.2, slope=1.7, noise=1.4, sent=0.35),
    "csat": Scale(low=1, high=5, middle=3.8, slope=0.7, noise=0.7, sent=0.25),
    "ces": Scale(low=1, high=7, middle=5.2, slope=1.0, noise=1.1, sent=0.8),
}
"""NPS and CSAT follow purchases, CES (high = ease) follows resolved tickets."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What no shop ever sees: the hidden path of every customer.

    Attributes
    ----------
    start, end
        The span ``[start, end)``, naive UTC.
    joined
        Instant of the first purchase, indexed by customer_id.
    satisfaction
        Row = customer_id, column = start of the week. No unit: 0 is an ordinary week, most values
        lie in -4..2. It is drawn for the weeks before a customer joined as well.
    purchase_rate
        Same shape: expected purchases per day, constant within the week.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    joined: pd.Series[pd.Timestamp]
    satisfaction: pd.DataFrame
    purchase_rate: pd.DataFrame

    def churn_probability(
        self, cutoff: str | date | np.datetime64, horizon_days: int
    ) -> pd.Series[float]:
        """Chance of no purchase in ``[cutoff, cutoff + horizon_days)``, given the hidden path.

        Parameters
        ----------
        cutoff
            An instant; without a zone it is UTC.
        horizon_days
            Length of the window, at least 1.

        Returns
        -------
        pandas.Series
            In 0..1, indexed by customer_id: everybody who joined before the cutoff. It is exact,
            and independent between customers: ``exp(-integral of purchase_rate)``.

        Raises
        ------
        ValueError
            If the window is empty or not inside the span.
        """
        import pandas as pd

        since = _utc_minute(cutoff)
        until = since + pd.Timedelta(days=horizon_days)
        if not self.start <= since < until <= self.end:
            raise ValueError(
                f"the window [{since}, {until}) must be non-empty and inside the simulated span "
                f"[{self.start}, {self.end})"
            )
        rate = self.purchase_rate[self.joined < since]
        integral = rate.to_numpy() @ self._days_in_week(since, until)
        return pd.Series(np.exp(-integral), index=rate.index, name="churn_probability")

    def _days_in_week(self, since: pd.Timestamp, until: pd.Timestamp) -> FloatArray:
        import pandas as pd

        starts = pd.DatetimeIndex(self.purchase_rate.columns)
        first = starts.to_numpy().clip(since.to_datetime64(), until.to_datetime64())
        # The window lies inside the span, so its end also bounds the last week.
        last = np.append(first[1:], until.to_datetime64())
        days: FloatArray = (last - first) / np.timedelta64(1, "D")
        return days


@dataclass(frozen=True, eq=False)
class Shop:
    """The logs of a simulated shop, and the truth behind them.

    The logs are sorted by (ts, customer_id), customers by customer_id. ``ts`` is naive UTC, on
    whole minutes, inside the span.

    Attributes
    ----------
    purchases
        customer_id, ts, order_id (unique), amount (2 decimals, never 0; < 0 is a return).
    activity
        customer_id, ts, event: visit, email_open, support_opened, support_resolved,
        complaint_opened, complaint_resolved, payment_failed, payment_ok.
    surveys
        customer_id, ts, instrument, score: nps 0..10, ces 1..7 (high = ease), csat 1..5.
    customers
        customer_id, since (the day of the first purchase, at midnight), segment.
    truth
        The hidden path and the exact churn probability.
    """

    purchases: pd.DataFrame
    activity: pd.DataFrame
    surveys: pd.DataFrame
    customers: pd.DataFrame
    truth: Truth

    def write(self, folder: Path) -> dict[str, Path]:
        """Write the four logs as Parquet; the truth stays here.

        Parameters
        ----------
        folder
            Made when missing. Files of the same name are replaced.

        Returns
        -------
        dict
            Log name to the file ``<log name>.parquet``.
        """
        folder.mkdir(parents=True, exist_ok=True)
        names = ("purchases", "activity", "surveys", "customers")
        paths = {name: folder / f"{name}.parquet" for name in names}
        for name, path in paths.items():
            getattr(self, name).to_parquet(path, index=False)
        return paths


def simulate(
    customers: int = 6000, days: int = 730, start: str = "2023-01-01", seed: int = 7
) -> Shop:
    """Run a shop for some days.

    Parameters
    ----------
    customers
        How many join, at least 1.
    days
        Length of the span ``[start, start + days)``, at least 1.
    start
        First instant; without a zone it is UTC.
    seed
        The same seed gives identical frames.

    Returns
    -------
    Shop
        Four logs and the truth.

    Raises
    ------
    ValueError
        If there is no customer or no day.
    """
    if customers < 1 or days < 1:
        raise ValueError(f"need at least 1 customer and 1 day, got {customers} and {days}")
    # One stream for each log, so that a change in one leaves the others as they were.
    live, sell, act, ask = np.random.default_rng(seed).spawn(4)
    hidden = _hidden(live, customers, days * DAY, _utc_minute(start))
    bought = _purchases(sell, hidden)
    tickets = _tickets(act, hidden)
    return Shop(
        purchases=_orders(sell, hidden, bought),
        activity=_activity(act, hidden, bought, tickets),
        surveys=_surveys(ask, hidden, bought, tickets),
        customers=_customers(hidden),
        truth=_truth(hidden),
    )


@dataclass(frozen=True, eq=False)
class _Hidden:
    """The state of the shop: one entry or row for each customer, one column for each week."""

    start: pd.Timestamp
    minutes: int
    names: pd.Index[str]
    segment: NDArray[np.str_]
    joined: IntArray
    spend: FloatArray
    satisfaction: FloatArray
    purchase_rate: FloatArray  # per day
    visit_rate: FloatArray  # per day

    def week_edges(self) -> IntArray:
        """Minutes at which weeks begin, and the end of the span."""
        edges: IntArray = np.minimum(np.arange(self.satisfaction.shape[1] + 1) * WEEK, self.minutes)
        return edges

    def mood(self, events: pd.DataFrame) -> FloatArray:
        """Satisfaction of the customer in the week of the event."""
        week = np.minimum(events["at"] // WEEK, self.satisfaction.shape[1] - 1)
        felt: FloatArray = self.satisfaction[events["who"], week]
        return felt

    def clock(self, at: IntArray) -> NDArray[np.datetime64]:
        """Minutes since the start as instants."""
        begin = self.start.to_datetime64().astype("datetime64[m]")
        instants: NDArray[np.datetime64] = begin + at.astype("timedelta64[m]")
        return instants.astype("datetime64[us]")


def _utc_minute(when: str | date | np.datetime64) -> pd.Timestamp:
    # Events lie on whole minutes: `ts >= when` and `ts >= when rounded up` are the same.
    import pandas as pd

    instant = pd.Timestamp(when)
    if instant.tzinfo is not None:
        instant = instant.tz_convert("UTC").tz_localize(None)
    return instant.ceil("min")


def _chance(log_odds: FloatArray) -> FloatArray:
    chance: FloatArray = 1 / (1 + np.exp(-log_odds))
    return chance


# The hidden state


def _hidden(rng: np.random.Generator, customers: int, minutes: int, start: pd.Timestamp) -> _Hidden:
    r = RATES
    joined = _joined(rng, customers, minutes)
    satisfaction = _satisfaction(rng, joined, weeks=-(-minutes // WEEK))
    own_rate = rng.gamma(r.purchase_shape, 1 / (r.purchase_shape * r.purchase_gap), customers)
    usual = own_rate[:, None] * _season(start, satisfaction.shape[1])
    segment = rng.choice(list(SEGMENTS), customers, p=[share for share, _ in SEGMENTS.values()])
    return _Hidden(
        start=start,
        minutes=minutes,
        names=_names(customers),
        segment=segment,
        joined=joined,
        spend=_spend(rng, segment),
        satisfaction=satisfaction,
        purchase_rate=usual * np.exp(r.purchase_pull * _delayed(satisfaction, r.purchase_lag)),
        visit_rate=usual * r.visits * np.exp(r.visit_pull * satisfaction),
    )


def _names(customers: int) -> pd.Index[str]:
    import pandas as pd

    width = max(5, len(str(customers - 1)))
    return pd.Index([f"C{row:0{width}d}" for row in range(customers)], name="customer_id")


def _joined(rng: np.random.Generator, customers: int, minutes: int) -> IntArray:
    last = max(1, int(RATES.join_share * minutes))
    launch = min(last, int(RATES.launch_days * DAY))
    return rng.integers(0, np.where(rng.random(customers) < RATES.launch_share, launch, last))


def _spend(rng: np.random.Generator, segment: NDArray[np.str_]) -> FloatArray:
    factor = np.array([SEGMENTS[name][1] for name in segment])
    return RATES.spend * factor * rng.lognormal(0, RATES.spend_spread, len(segment))


def _season(start: pd.Timestamp, weeks: int) -> FloatArray:
    middle = start.day_of_year + 7 * np.arange(weeks) + 3.5
    turn = 2 * np.pi * (middle - RATES.season_peak) / 365.25
    season: FloatArray = 1 + RATES.season * np.cos(turn)
    return season


def _satisfaction(rng: np.random.Generator, joined: IntArray, weeks: int) -> FloatArray:
    r, shape = RATES, (len(joined), weeks)
    own = rng.normal(r.mood_mean, r.mood_spread, (len(joined), 1))
    shocks = rng.exponential(r.shock_size, shape) * (rng.random(shape) < r.shock_chance)
    swings = _autoregression(rng.normal(0, r.mood_noise, shape) - shocks, r.mood_memory)
    return own + swings - _slide(rng, joined, weeks)


def _autoregression(steps: FloatArray, memory: float) -> FloatArray:
    path = steps.copy()
    for week in range(1, path.shape[1]):
        path[:, week] += memory * path[:, week - 1]
    return path


def _slide(rng: np.random.Generator, joined: IntArray, weeks: int) -> FloatArray:
    slides = rng.random(len(joined)) < RATES.slide_share
    begin = joined / WEEK + rng.exponential(RATES.slide_wait, len(joined))
    sliding = np.maximum(np.arange(weeks) - begin[:, None], 0)
    return np.where(
        slides[:, None], np.minimum(RATES.slide_speed * sliding, RATES.slide_depth), 0.0
    )


def _delayed(path: FloatArray, weeks: int) -> FloatArray:
    return path[:, np.maximum(np.arange(path.shape[1]) - weeks, 0)]


# Events: frames of `who` (row of the customer) and `at` (minutes since the start). They may run
# past the end of the span; `_log` cuts them.


def _poisson(rng: np.random.Generator, hidden: _Hidden, rate: FloatArray) -> pd.DataFrame:
    # Inhomogeneous Poisson process from the join time on; `rate` is per day, one cell a week.
    import pandas as pd

    edges = hidden.week_edges()
    since = np.maximum(edges[:-1], hidden.joined[:, None])
    until = np.maximum(edges[1:], since)
    count = rng.poisson(rate * (until - since) / DAY)
    cell = np.repeat(np.arange(count.size), count.ravel())
    at = rng.integers(since.ravel()[cell], until.ravel()[cell])
    return pd.DataFrame({"who": cell // count.shape[1], "at": at})


def _some(
    rng: np.random.Generator, events: pd.DataFrame, chance: FloatArray | float
) -> pd.DataFrame:
    return events[rng.random(len(events)) < chance]


def _later(rng: np.random.Generator, events: pd.DataFrame, days: float) -> pd.DataFrame:
    wait = np.ceil(rng.exponential(days * DAY, len(events))).astype(np.int64)
    return events.assign(at=events["at"] + wait)


def _log(hidden: _Hidden, events: pd.DataFrame) -> pd.DataFrame:
    # The row order of names is their text order, so sorting by row sorts by customer_id.
    events = events[events["at"] < hidden.minutes].sort_values(["at", "who"])
    events.insert(0, "customer_id", hidden.names.take(events["who"].to_numpy()))
    events.insert(1, "ts", hidden.clock(events["at"].to_numpy()))
    return events.drop(columns=["who", "at"]).reset_index(drop=True)


# The logs


def _purchases(rng: np.random.Generator, hidden: _Hidden) -> pd.DataFrame:
    import pandas as pd

    first = pd.DataFrame({"who": np.arange(len(hidden.joined)), "at": hidden.joined})
    bought = pd.concat([first, _poisson(rng, hidden, hidden.purchase_rate)], ignore_index=True)
    amount = hidden.spend[bought["who"]] * rng.lognormal(0, RATES.order_spread, len(bought))
    return bought.assign(amount=np.maximum(amount, 1).round(2))


def _returns(rng: np.random.Generator, hidden: _Hidden, bought: pd.DataFrame) -> pd.DataFrame:
    chance = _chance(RATES.return_odds + RATES.return_pull * hidden.mood(bought))
    back = _later(rng, _some(rng, bought, chance), RATES.return_days)
    whole = rng.random(len(back)) < RATES.return_all_chance
    part = np.where(whole, 1.0, rng.uniform(0.1, 0.9, len(back)))
    return back.assign(amount=-(part * back["amount"]).round(2))


def _orders(rng: np.random.Generator, hidden: _Hidden, bought: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    log = _log(hidden, pd.concat([bought, _returns(rng, hidden, bought)]))
    log.insert(2, "order_id", pd.Series([f"O{number:07d}" for number in range(len(log))]))
    return log


def _tickets(rng: np.random.Generator, hidden: _Hidden) -> dict[str, pd.DataFrame]:
    # Tickets come out of visits: the unhappy write more, but those who left write no more.
    r = RATES
    kinds = {
        "support": (r.support_odds, r.support_pull),
        "complaint": (r.complaint_odds, r.complaint_pull),
    }
    tickets = {}
    for kind, (odds, pull) in kinds.items():
        rate = hidden.visit_rate * _chance(odds + pull * hidden.satisfaction)
        opened = tickets[f"{kind}_opened"] = _poisson(rng, hidden, rate)
        solved = _some(rng, opened, _chance(r.resolve_odds + r.resolve_pull * hidden.mood(opened)))
        tickets[f"{kind}_resolved"] = _later(rng, solved, r.resolve_days)
    return tickets


def _payments(
    rng: np.random.Generator, hidden: _Hidden, bought: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    # Every purchase asks for a payment; some fail at first, and some of those for good.
    import pandas as pd

    r, mood = RATES, hidden.mood(bought)
    fails = rng.random(len(bought)) < _chance(r.failed_odds + r.failed_pull * mood)
    failed, paid = bought[fails], bought[~fails]
    mended = _some(rng, failed, _chance(r.recover_odds + r.recover_pull * mood[fails]))
    late = _later(rng, mended, r.recover_days)
    return {"payment_failed": failed, "payment_ok": pd.concat([paid, late])}


def _activity(
    rng: np.random.Generator,
    hidden: _Hidden,
    bought: pd.DataFrame,
    tickets: dict[str, pd.DataFrame],
) -> pd.DataFrame:
    import pandas as pd

    opens = RATES.opens / 7 * _chance(RATES.open_odds + RATES.open_pull * hidden.satisfaction)
    kinds = {
        "visit": pd.concat([bought, _poisson(rng, hidden, hidden.visit_rate)]),
        "email_open": _poisson(rng, hidden, opens),
        **tickets,
        **_payments(rng, hidden, bought),
    }
    events = [frame[["who", "at"]].assign(event=kind) for kind, frame in kinds.items()]
    return _log(hidden, pd.concat(events))


def _surveys(
    rng: np.random.Generator,
    hidden: _Hidden,
    bought: pd.DataFrame,
    tickets: dict[str, pd.DataFrame],
) -> pd.DataFrame:
    import pandas as pd

    resolved = pd.concat([tickets["support_resolved"], tickets["complaint_resolved"]])
    triggers = {"nps": bought, "csat": bought, "ces": resolved}
    answers = [_answers(rng, hidden, after, name) for name, after in triggers.items()]
    return _log(hidden, pd.concat(answers))


def _answers(
    rng: np.random.Generator, hidden: _Hidden, after: pd.DataFrame, instrument: str
) -> pd.DataFrame:
    scale = SCALES[instrument]
    asked = _some(rng, after[["who", "at"]], scale.sent)
    chance = _chance(RATES.answer_odds + RATES.answer_pull * hidden.mood(asked))
    answers = _later(rng, _some(rng, asked, chance), RATES.answer_days)
    felt = scale.middle + scale.slope * hidden.mood(answers)
    score = np.rint(felt + rng.normal(0, scale.noise, len(answers))).clip(scale.low, scale.high)
    return answers.assign(instrument=instrument, score=score.astype(np.int64))


def _customers(hidden: _Hidden) -> pd.DataFrame:
    import pandas as pd

    since = pd.DatetimeIndex(hidden.clock(hidden.joined)).normalize()
    return pd.DataFrame(
        {"customer_id": hidden.names, "since": since, "segment": hidden.segment.tolist()}
    )


def _truth(hidden: _Hidden) -> Truth:
    import pandas as pd

    weeks = pd.DatetimeIndex(hidden.clock(hidden.week_edges()[:-1]), name="week")
    return Truth(
        start=hidden.start,
        end=hidden.start + pd.Timedelta(minutes=hidden.minutes),
        joined=pd.Series(hidden.clock(hidden.joined), index=hidden.names, name="joined"),
        satisfaction=pd.DataFrame(hidden.satisfaction, index=hidden.names, columns=weeks),
        purchase_rate=pd.DataFrame(hidden.purchase_rate, index=hidden.names, columns=weeks),
    )
