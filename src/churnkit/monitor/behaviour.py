"""Whether some customers do something else than the others: the shape, apart from the level.

A season moves all customers together. What is compared is therefore each group of customers with
the rest of them, week by week: if one of them buys half as often while the others go on, its share
of all events falls, whatever the market does. Groups are the values of the static columns, and
tiers of how often customers bought and how long they are known, by the same rule in every week.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import asin, log, sqrt

import numpy as np

from churnkit.clock import Cutoff, reaches_back
from churnkit.features import FeatureSpec, build_beside, plan_features
from churnkit.features.kernel import Beside
from churnkit.features.static import StaticColumn
from churnkit.index import BlockIndex, Observations
from churnkit.labels import Question
from churnkit.logs import CustomerLogs
from churnkit.monitor.alarm import Alarm, Found
from churnkit.monitor.sample import one_in, some
from churnkit.monitor.volumes import BESIDE, LEAST_WEEKS, YEAR

SHIFT = 1.3
"""A group that does so many times more or less than the rest, against before, is told …"""

SURPRISE = 4.0
"""… if it is so many standard errors away from what it did."""

CUSTOMERS = 200_000
"""Of more customers about so many are looked at."""

_WEEK = 7
_LEAST_EVENTS = 30
_OFTEN = (2, 4, 8)
_KNOWN = (90,)
_SETTLED = 180  # days after which the customers of the first days are no newcomers any more
_MOST_CLASSES = 12
_SEASON_SHARE = 0.5


@dataclass(frozen=True)
class Groups:
    """What groups of customers did in weeks that end with a run.

    Attributes
    ----------
    column
        What they are groups of.
    names
        Their names.
    events, customers
        Events of each group and week, and its customers at risk when the week began, shape
        (weeks, groups); the last row is the week before the run.
    """

    column: str
    names: tuple[str, ...]
    events: np.ndarray
    customers: np.ndarray


@dataclass(frozen=True)
class Shift:
    """One group against the rest, in the last week and in those before.

    Attributes
    ----------
    column, group
        Which.
    events, expected
        What it did, and what its share of before would have been.
    ratio
        How much more it did against the rest than before.
    surprise
        That in standard errors.
    customers
        Its customers at risk.
    """

    column: str
    group: str
    events: float
    expected: float
    ratio: float
    surprise: float
    customers: int

    @property
    def moved(self) -> bool:
        """Whether it is beyond both limits."""
        return abs(self.surprise) >= SURPRISE and abs(log(self.ratio)) >= log(SHIFT)


def behaviour(
    logs: CustomerLogs, question: Question, as_of: Cutoff, static: Sequence[StaticColumn]
) -> tuple[Found, list[Shift]]:
    """Groups of customers who do something else than the rest, against before.

    What the same week of last year did likewise is a season, and a note.

    Parameters
    ----------
    logs, question
        Whose signs of life are counted.
    as_of
        The cutoff of the run: its week is the one before.
    static
        The static columns as features know them.

    Returns
    -------
    tuple
        What was found, and all groups, the most surprising first.
    """
    found = Found()
    first = logs.first_day(question.log)
    weeks = _weeks_known(first, as_of, question, 0)
    if weeks <= LEAST_WEEKS:
        found.too_little("behaviour of groups", f"the {question.log} log begins on {first}")
        return found, []
    last_year = _weeks_known(first, as_of, question, YEAR)
    backs = [*range(weeks)]
    if last_year > LEAST_WEEKS:
        backs += [YEAR // _WEEK + k for k in range(last_year)]
    tables = _groups(logs, question, as_of, static, backs)
    shifts = [shift for table in tables for shift in _one_by_one(_between(table, 0, weeks))]
    then: dict[tuple[str, str], Shift] = {}
    if last_year > LEAST_WEEKS:
        earlier = (shifts_of(_between(table, weeks, last_year)) for table in tables)
        then = {(s.column, s.group): s for told in earlier for s in told}
    shifts.sort(key=lambda shift: -abs(shift.surprise))
    for shift in shifts:
        if not shift.moved:
            continue
        season = then.get((shift.column, shift.group))
        if season is not None and _alike(shift, season):
            found.notes.append(f"{_says(shift)}, as at this time last year: a season")
        else:
            found.alarms.append(_alarm(shift))
    return found, shifts


def _weeks_known(first: Cutoff, as_of: Cutoff, question: Question, back: int) -> int:
    """Weeks before a day at whose beginning it was known who is at risk, at most nine."""
    days = (as_of.local.date() - first.local.date()).days - back
    least = min(question.lookback_days, 90)
    return max(min((days - least) // _WEEK, BESIDE + 1), 0)


def _groups(
    logs: CustomerLogs,
    question: Question,
    as_of: Cutoff,
    static: Sequence[StaticColumn],
    backs: Sequence[int],
) -> list[Groups]:
    """The groups in the weeks that lie so many weeks back, in that order."""
    starts = [as_of.shifted(-_WEEK * (k + 1)) for k in backs]
    asked: dict[str, Beside] = {
        "events": lambda block, at: question.signs_of_life(block).count_ahead(at, _WEEK),
        "how often": partial(_often, question=question),
    }
    named: dict[str, tuple[str, ...]] = {"how often": _steps(_OFTEN, "times")}
    if not reaches_back(min(starts), _SETTLED, logs.first_day(question.log)):
        asked["known for"] = partial(_known, question=question)
        named["known for"] = _steps(_KNOWN, "days")
    for column in static:
        if column.words is not None and 1 < len(column.classes) <= _MOST_CLASSES:
            asked[column.name] = partial(_class, column=column)
            named[column.name] = tuple(column.classes.values())
    plan = plan_features(logs, starts, FeatureSpec({}))
    share = one_in(logs.customer_count, CUSTOMERS)
    rows, told = build_beside(logs, plan, asked, population=some(question.at_risk, share))
    place = {cutoff.us: k for k, cutoff in enumerate(starts)}
    week = np.array([place[us] for us in rows.cutoff.tolist()], dtype=np.int64)
    return [
        _table(column, names, week, told[column], told["events"], len(starts))
        for column, names in named.items()
    ]


def _table(
    column: str,
    names: tuple[str, ...],
    week: np.ndarray,
    code: np.ndarray,
    events: np.ndarray,
    weeks: int,
) -> Groups:
    known = ~np.isnan(code)
    place = week[known] * len(names) + code[known].astype(np.int64)
    size = weeks * len(names)
    counts = np.bincount(place, weights=events[known], minlength=size).reshape(weeks, -1)
    customers = np.bincount(place, minlength=size).reshape(weeks, -1)
    return Groups(column, names, counts, customers)


def _between(table: Groups, first: int, count: int) -> Groups:
    part = slice(first, first + count)
    return Groups(table.column, table.names, table.events[part], table.customers[part])


def _often(block: BlockIndex, at: Observations, question: Question) -> np.ndarray:
    count = question.signs_of_life(block).count(at, question.lookback_days)
    return np.searchsorted(_OFTEN, count, side="right").astype(float)


def _known(block: BlockIndex, at: Observations, question: Question) -> np.ndarray:
    days = question.signs_of_life(block).days_since_first(at)
    return np.searchsorted(_KNOWN, days, side="right").astype(float)


def _class(block: BlockIndex, at: Observations, column: StaticColumn) -> np.ndarray:
    if column.name not in block.static:
        return np.full(len(at), np.nan)
    return column.values(block.static[column.name]).take(at.customer)


def _steps(edges: Sequence[int], unit: str) -> tuple[str, ...]:
    below = f"fewer than {edges[0]} {unit}"
    between = (f"{a} to {b - 1} {unit}" for a, b in pairwise(edges))
    return (below, *between, f"{edges[-1]} {unit} or more")


def _one_by_one(table: Groups) -> list[Shift]:
    """The shift of each group; the others are compared without those that have moved.

    Else the whole rest would seem to do more, because one group does less.
    """
    moved: list[Shift] = []
    while True:
        shifts = sorted(shifts_of(table), key=lambda shift: -abs(shift.surprise))
        if not shifts or not shifts[0].moved:
            return moved + shifts
        moved.append(shifts[0])
        keep = [k for k, name in enumerate(table.names) if name != shifts[0].group]
        names = tuple(table.names[k] for k in keep)
        table = Groups(table.column, names, table.events[:, keep], table.customers[:, keep])


def shifts_of(table: Groups) -> list[Shift]:
    """Each group of a table against the rest; the first row is the week that is looked at.

    The events of a group are compared with what its customers would have done at the rate, against
    the rest, of the weeks before: a share of the events of both, on the arcsine scale, whose error
    does not depend on the share (Anscombe 1948). Weeks that vary more than chance make it wider.
    """
    found = []
    total_events, total_customers = table.events.sum(axis=1), table.customers.sum(axis=1)
    for k, name in enumerate(table.names):
        x, n = table.events[:, k], table.customers[:, k]
        rest_x, rest_n = total_events - x, total_customers - n
        if min(n[0], rest_n[0]) < 1 or min(x[1:].mean(), rest_x[1:].mean()) < _LEAST_EVENTS:
            continue
        odds = (x[1:].sum() / max(n[1:].sum(), 1)) / (rest_x[1:].sum() / max(rest_n[1:].sum(), 1))
        share = np.divide(odds * n, odds * n + rest_n)
        both = x + rest_x
        away = np.array([
            2 * (asin(sqrt(xi / bi)) - asin(sqrt(si))) * sqrt(bi) if bi else 0.0
            for xi, bi, si in zip(x, both, share, strict=True)
        ])  # fmt: skip
        wide = max(float(np.mean(away[1:] ** 2)), 1.0) * (1 + 1 / (len(away) - 1))
        was, now = odds, ((x[0] + 0.5) / n[0]) / ((rest_x[0] + 0.5) / rest_n[0])
        found.append(
            Shift(
                table.column, name, float(x[0]), float(share[0] * both[0]), float(now / was),
                float(away[0] / sqrt(wide)), int(n[0]),
            )
        )  # fmt: skip
    return found


def _alike(shift: Shift, then: Shift) -> bool:
    """Whether last year it moved the same way, and at least half as far."""
    return log(then.ratio) * log(shift.ratio) > 0 and abs(log(then.ratio)) >= _SEASON_SHARE * abs(
        log(shift.ratio)
    )


def _says(shift: Shift) -> str:
    return (
        f"customers of {shift.column} {shift.group} did {shift.ratio:.0%} of what the rest of the "
        f"market would lead one to expect in the last week ({shift.events:,.0f} against "
        f"{shift.expected:,.0f})"
    )


def _alarm(shift: Shift) -> Alarm:
    return Alarm(
        "behaviour_shift", "watch", "behaviour", f"{shift.column}={shift.group}", _says(shift),
        shift.ratio, SHIFT if shift.ratio > 1 else 1 / SHIFT,
        "Find out what changed for them (prices, offers, a rival, a load that is missing); scores "
        "of these customers rest on what they used to do.",
    )  # fmt: skip
