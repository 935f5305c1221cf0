"""Sums over customers, month by month and segment by segment, block after block.

All of them are whole numbers (customers, minor units of money, thousandths of a score), so that no
figure depends on the order of the customers or on how they are cut into blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from churnkit.clock import Cutoff, seen_before
from churnkit.index import BlockIndex, EventIndex, Observations
from churnkit.kpi.months import Months
from churnkit.kpi.surveys import Survey
from churnkit.labels import Question
from churnkit.logs import Logs

YEAR = 12
"""Lifetime values look back over so many months."""

_INT64 = 2**63 - 1
_MONEY_PAIRS = (
    ("revenue_start", "revenue_start"),
    ("revenue_end", "revenue_end"), ("revenue_end", "revenue_start"),
    ("revenue_kept", "revenue_kept"), ("revenue_kept", "revenue_start"),
)  # fmt: skip
_LIFE = ("months", "stayed", "spent")

Table = dict[str, np.ndarray]
"""Name → one value per customer and month of a block, shape ``(customers, months)``, int64."""


@dataclass(frozen=True)
class Asked:
    """What is summed, and by what.

    Attributes
    ----------
    question
        Says who is active.
    months
        The months.
    known
        Per month, whether the log covers the lookback before it.
    surveys
        The surveys that have an index.
    column, words
        Static column of the segments, and the segments told apart; the rest of the texts share
        the group after the last word, customers without a text the one after that. Without a
        column all customers are one group.
    first_money
        First day of the purchases with amounts; ``None`` if there are none.
    leaves
        Whether events can end a relation: whether there is an activity log.
    """

    question: Question
    months: Months
    known: tuple[bool, ...]
    surveys: tuple[Survey, ...] = ()
    column: str = ""
    words: tuple[str, ...] = ()
    first_money: Cutoff | None = None
    leaves: bool = False

    @property
    def money(self) -> bool:
        """Whether there are amounts."""
        return self.first_money is not None

    @property
    def groups(self) -> int:
        """How many groups of customers there are."""
        return len(self.words) + 2 if self.column else 1


@dataclass
class Sums:
    """What the blocks so far come to.

    Attributes
    ----------
    of
        Name → sums of Python integers, shape ``(groups, months)``.
    cohorts
        Customers by group, month of the first sign of life, and month in which they were there,
        shape ``(groups, months, months)``.
    last_us
        Time of the last sign of life before the end of the months; 0 if there is none.
    """

    asked: Asked
    of: dict[str, np.ndarray] = field(default_factory=dict)
    cohorts: np.ndarray = field(default_factory=lambda: np.zeros(0))
    last_us: int = 0

    def __post_init__(self) -> None:
        months = len(self.asked.months)
        self.cohorts = np.zeros((self.asked.groups, months, months), dtype=np.int64)

    def add(self, logs: Logs) -> None:
        """Add the customers of a block."""
        asked, index = self.asked, BlockIndex(logs)
        at = index.at(*asked.months.edges)
        group = _groups(logs, asked)
        alive = asked.question.signs_of_life(index)
        self.last_us = max(self.last_us, _last(alive, asked.months.end))
        table = _customers(index, alive, at, asked)
        if asked.money:
            table |= _money(index, at, table)
        for survey in asked.surveys:
            table |= _answers(index, at, survey, table["customers"])
        order, starts = _runs(group)
        there = group[order[starts]] if len(group) else np.zeros(0, dtype=np.int64)
        for name, values in _with_products(table, asked):
            found = self.of.setdefault(name, _zeros(asked))
            if len(there):
                found[there] += np.add.reduceat(values[order], starts, axis=0).astype(object)
        self._add_cohorts(table, group)

    def cell(self, group: int | None, month: int) -> dict[str, int]:
        """The sums of a group, or of all customers, in a month."""
        if group is None:
            return {name: int(sums[:, month].sum()) for name, sums in self.of.items()}
        return {name: int(sums[group, month]) for name, sums in self.of.items()}

    def cohorts_of(self, group: int | None) -> np.ndarray:
        """Customers of a group, or all, by month of the first sign of life and month."""
        return np.asarray(self.cohorts.sum(axis=0) if group is None else self.cohorts[group])

    def _add_cohorts(self, table: Table, group: np.ndarray) -> None:
        rows = np.flatnonzero(table["new"].any(axis=1))
        began = table["new"][rows].argmax(axis=1)
        contract = self.asked.question.churn == "event"
        there = table["active_end" if contract else "appeared"][rows]
        np.add.at(self.cohorts, (group[rows], began), there)


def _zeros(asked: Asked) -> np.ndarray:
    return np.zeros((asked.groups, len(asked.months)), dtype=object)


def _groups(logs: Logs, asked: Asked) -> np.ndarray:
    """The group of each customer of a block."""
    customers = len(logs.customer_ids)
    if not asked.column:
        return np.zeros(customers, dtype=np.int64)
    texts, place = logs.static[asked.column], {word: k for k, word in enumerate(asked.words)}
    of_word = [place.get(word, len(asked.words)) for word in texts.words]
    return np.array([*of_word, len(asked.words) + 1], dtype=np.int64)[texts.code]  # -1 is the last


def _runs(group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Customers by their groups, and where each group begins."""
    order = np.argsort(group, kind="stable")
    return order, np.flatnonzero(np.diff(group[order], prepend=-1))


def _last(alive: EventIndex, end: Cutoff) -> int:
    times = alive.events.ts
    return int(times[seen_before(times, end)].max(initial=0))


def _customers(index: BlockIndex, alive: EventIndex, at: Observations, asked: Asked) -> Table:
    """Who is there at the edges of each month, who came, and who went."""
    active = _by_edge(asked.question.at_risk(index, at), at)
    seen = _by_edge(alive.count(at), at)
    start, end = active[:, 1:-1], active[:, 2:]
    appeared, known = np.diff(seen, axis=1)[:, 1:] > 0, seen[:, 1:-1] > 0
    churned, new = start & ~end, appeared & ~known
    told = {
        "active_start": start,
        "active_end": end,
        "appeared": appeared,
        "customers": start | appeared,
        "retained": start & end,
        "churned": churned,
        "churned_by_event": churned & _left(index, at, asked.question),
        "new": new,
        "new_lost": new & ~end,
        "won_back": end & ~start & known,
    }
    return {name: values.astype(np.int64) for name, values in told.items()}


def _by_edge(values: np.ndarray, at: Observations) -> np.ndarray:
    """One row a customer, one column an edge."""
    return values.reshape(-1, len(at.cutoffs))


def _left(index: BlockIndex, at: Observations, question: Question) -> np.ndarray:
    """Whether an event that ends a relation came in each month."""
    if index.activity is None:
        return np.zeros((1, 1), dtype=bool)
    events = _by_edge(index.activity.either(*question.events).count(at), at)
    return np.asarray(np.diff(events, axis=1)[:, 1:] > 0)


def _money(index: BlockIndex, at: Observations, table: Table) -> Table:
    """Net spend in minor units; who is active at the start brings that of the month before."""
    if index.purchases is None:
        return {}
    sold, returned = (
        _by_edge(part.sum("amount", at), at)
        for part in (index.purchases.sales, index.purchases.returns)
    )
    spent = np.diff(sold + returned, axis=1)
    before, now = spent[:, :-1], spent[:, 1:]
    start, churned, stayed = (table[name] for name in ("active_start", "churned", "retained"))
    return {
        "revenue": now,
        "revenue_start": before * start,
        "revenue_churned": before * churned,
        "expansion": np.maximum(now - before, 0) * stayed,
        "contraction": np.maximum(before - now, 0) * stayed,
        "revenue_end": now * stayed,
        "revenue_kept": np.minimum(now, before) * stayed,
        "spent_by_active": now * start,
    }


def _answers(index: BlockIndex, at: Observations, survey: Survey, customers: np.ndarray) -> Table:
    """The last answer of each customer in each month, counted as the survey counts."""
    if index.surveys is None:
        return {}
    answers = index.surveys.of(survey.name)
    gave = np.diff(_by_edge(answers.count(at), at), axis=1)[:, 1:] > 0
    score = np.where(gave, _by_edge(answers.last("score", at), at)[:, 2:], 0.0).astype(np.int64)
    told = {"answers": gave, "active": gave & (customers > 0), **survey.counted(score)}
    return {f"{survey.name}_{name}": values * gave for name, values in told.items()}


def _with_products(table: Table, asked: Asked) -> Iterator[tuple[str, np.ndarray]]:
    """What is summed: the table itself, squares of answers, and products of money and months."""
    yield from ((name, values.astype(np.int64, copy=False)) for name, values in table.items())
    for survey in asked.surveys:
        if survey.is_mean:
            score = table[f"{survey.name}_score"]
            yield f"{survey.name}_score*score", score * score
    if asked.money:
        for one, other in _MONEY_PAIRS:
            yield f"{one}*{other}", _product(table[one], table[other])
        yield from _of_a_year(table, asked)


def _of_a_year(table: Table, asked: Asked) -> Iterator[tuple[str, np.ndarray]]:
    """What each customer comes to over the year that ends with each month."""
    known = np.array(asked.known, dtype=np.int64)
    monthly = (table["active_start"], table["retained"], table["spent_by_active"])
    year = {name: _trailing(values * known) for name, values in zip(_LIFE, monthly, strict=True)}
    yield from ((f"life_{name}", values) for name, values in year.items())
    yield "life_customers", (year["months"] > 0).astype(np.int64)
    for k, one in enumerate(_LIFE):
        for other in _LIFE[: k + 1]:
            yield f"life_{one}*{other}", _product(year[one], year[other])


def _trailing(values: np.ndarray) -> np.ndarray:
    """Sum over the last twelve months, the first of them with fewer."""
    total = np.cumsum(values, axis=1)
    total[:, YEAR:] -= total[:, :-YEAR].copy()
    return total


def _product(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Products that can be summed over all rows without passing the limit of int64."""
    largest = [int(np.abs(values).max(initial=0)) for values in (one, other)]
    if largest[0] * largest[1] * max(len(one), 1) > _INT64:
        return np.asarray(one.astype(object) * other.astype(object))
    return one * other


def life(cell: Mapping[str, int]) -> dict[str, int]:
    """The sums of a cell that `churnkit.kpi.figures.lifetime_value` looks at."""
    return {name.removeprefix("life_"): n for name, n in cell.items() if name.startswith("life_")}
