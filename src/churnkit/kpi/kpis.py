"""`kpis`: from logs to key figures, block by block."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from churnkit.clock import Cutoff, has_come, start_of_day
from churnkit.errors import ConfigError, DataError, did_you_mean
from churnkit.kpi.figures import Figure
from churnkit.kpi.measures import Measure, Valuing, figures_of, measures_of
from churnkit.kpi.months import Months, whole_months
from churnkit.kpi.result import EVERYBODY, Cohort, Kpis
from churnkit.kpi.sums import YEAR, Asked, Sums
from churnkit.kpi.surveys import Survey, surveys_of
from churnkit.labels import Question
from churnkit.logs import CustomerLogs

MOST_SEGMENTS = 50
"""Segments told apart, those with the most customers; the others are one."""

_STALE_DAYS = 7
_OTHERS, _UNKNOWN = "other", "unknown"


def kpis(
    logs: CustomerLogs,
    as_of: Cutoff,
    question: Question | None = None,
    months: int = 12,
    segment: str = "",
    lookback_days: int | None = None,
    margin: float = 1.0,
    discount: float = 0.1,
) -> Kpis:
    """Key figures of the last whole months before an instant; only events before it count.

    Logs of any length need the memory of one block. The sums are whole numbers: no figure depends
    on the order of the customers or on how they are cut into blocks.

    Parameters
    ----------
    logs
        The logs.
    as_of
        The instant; months that are over by then are shown.
    question
        Says who is active (`Question.at_risk`): a sign of life in the lookback before an instant,
        and no event since that ends the relation. By default one who bought within 180 days, or
        was active where there are no purchases.
    months
        At most so many are shown.
    segment
        Static column of the customers whose texts are the segments, as the logs name it.
    lookback_days
        Another lookback than the question's.
    margin
        Share of the spend that is margin, in (0, 1]; for lifetime values.
    discount
        Discount of a year, at least 0; for lifetime values.

    Returns
    -------
    Kpis
        Its `rules` tell every definition.

    Raises
    ------
    ConfigError
        If the logs do not answer the question, there is no such column, or a number is impossible.
    DataError
        If no month that the log has seen is over, or nothing happened in any that would be shown.

    Examples
    --------
    >>> from churnkit.simulate import simulate
    >>> from churnkit.sources import read_logs
    >>> shop = simulate(customers=200, days=400, seed=1)
    >>> found = kpis(read_logs(shop.purchases), Cutoff.parse("2024-02-01"), months=2)
    >>> found.months, found.figure("active_end", "2024-01").value > 100
    (('2023-12', '2024-01'), True)
    """
    _require_possible(months, margin, discount)
    asked = question or Question("no_purchase" if "purchases" in logs.measures else "no_activity")
    if lookback_days is not None:
        asked = replace(asked, lookback_days=lookback_days)
    asked.require(logs)
    # A lifetime value looks back over a year, so that more months are summed than shown.
    over = whole_months(logs.first_day(asked.log), as_of, months + YEAR - 1)
    sums, surveys, refused = _summed(logs, asked, over, segment)
    shown = min(months, len(over))
    _require_signs_of_life(sums, asked, over, shown)
    by = Valuing(margin, discount)
    return _Telling(sums, surveys, by, shown, refused).kpis(as_of)


def _require_possible(months: int, margin: float, discount: float) -> None:
    if months < 1:
        raise ConfigError(f"{months} months are none", "Ask for one at least.")
    if not 0 < margin <= 1:
        raise ConfigError(f"a margin of {margin:g} is no share of the spend", "Use 0.3 for 30 %.")
    if not 0 <= discount < np.inf:
        raise ConfigError(f"a discount of {discount:g} a year is none", "Use 0.1 for 10 %.")


def _summed(
    logs: CustomerLogs, question: Question, over: Months, segment: str
) -> tuple[Sums, tuple[Survey, ...], tuple[str, ...]]:
    there = logs.measures
    scales, refused = surveys_of(logs.instruments) if "surveys" in there else ((), ())
    known = over.known_since(question.lookback_days)
    asked = Asked(
        question, over, known, scales, segment, _words(logs, segment, over),
        first_money=logs.first_day("purchases") if logs.has_amounts else None,
        leaves="activity" in there,
    )  # fmt: skip
    sums = Sums(asked)
    for block in logs.blocks():
        sums.add(block)
    answered = [s for s in scales if any(sums.of[f"{s.name}_answers"].ravel())]
    return sums, tuple(answered), refused


def _words(logs: CustomerLogs, segment: str, over: Months) -> tuple[str, ...]:
    """The segments told apart, sorted, of the customers known before the end of the months."""
    if not segment:
        return ()
    if segment not in logs.static_columns:
        raise ConfigError(
            f"there is no static column {segment!r} of the customers",
            f"{did_you_mean(segment, logs.static_columns)}Name it in static of [logs.customers].",
        )
    counts = logs.static_words(over.end)[segment]
    return tuple(sorted(sorted(counts, key=lambda word: (-counts[word], word))[:MOST_SEGMENTS]))


def _require_signs_of_life(sums: Sums, question: Question, over: Months, shown: int) -> None:
    last = start_of_day(sums.last_us, over.end.zone)
    if not has_come(over.edges[-1 - shown], Cutoff(sums.last_us)):
        raise DataError(
            f"nothing is known of {over.names[-shown]} to {over.names[-1]}: the last "
            f"{question.sign_of_life} before {over.end} is of {last}",
            "Choose an earlier day, or load newer logs.",
        )


@dataclass(frozen=True)
class _Telling:
    """From sums to what is told."""

    sums: Sums
    surveys: tuple[Survey, ...]
    by: Valuing
    shown: int
    refused: tuple[str, ...]

    @property
    def asked(self) -> Asked:
        return self.sums.asked

    def kpis(self, as_of: Cutoff) -> Kpis:
        groups = self._groups()
        measures = measures_of(self.asked.money, self.surveys)
        return Kpis(
            as_of=as_of,
            question=self.asked.question.rule,
            months=self.asked.months.names[-self.shown :],
            column=self.asked.column,
            segments=tuple(groups),
            measures=measures,
            figures={name: self._figures(group, measures) for name, group in groups.items()},
            cohorts={name: self._cohorts(group) for name, group in groups.items()},
            rules=self._rules(),
            warnings=tuple(self._warnings()),
        )

    def _groups(self) -> dict[str, int | None]:
        """Segment → its group; all customers together first."""
        asked, words = self.asked, self.asked.words
        groups: dict[str, int | None] = {_unlike(EVERYBODY, words): None}
        if not asked.column:
            return groups
        groups |= {word: k for k, word in enumerate(words)}
        for k, name in enumerate((_OTHERS, _UNKNOWN), start=len(words)):
            if any(any(sums[k]) for sums in self.sums.of.values()):
                groups[_unlike(name, groups)] = k
        return groups

    def _figures(
        self, group: int | None, measures: tuple[Measure, ...]
    ) -> dict[str, tuple[Figure, ...]]:
        months = self.asked.months
        first = len(months) - self.shown
        since = {
            "": (True,) * len(months),
            "lookback": self.asked.known,
            "month before": tuple(
                map(all, zip(self.asked.known, self._month_before_known(), strict=True))
            ),
        }
        by_month = [
            figures_of(self.sums.cell(group, k), measures, self.surveys, self.by)
            for k in range(first, len(months))
        ]
        return {
            measure.name: tuple(
                told[measure.name] if is_known else Figure()
                for told, is_known in zip(by_month, since[measure.since][first:], strict=True)
            )
            for measure in measures
        }

    def _month_before_known(self) -> tuple[bool, ...]:
        """Whether the money of the whole month before each month is known."""
        first = self.asked.first_money
        return tuple(
            first is not None and has_come(first, start) for start in self.asked.months.edges[:-2]
        )

    def _cohorts(self, group: int | None) -> tuple[Cohort, ...]:
        there, names = self.sums.cohorts_of(group), self.asked.months.names
        first = len(names) - self.shown
        sizes = self.sums.of["new"].sum(axis=0) if group is None else self.sums.of["new"][group]
        return tuple(
            Cohort(names[k], int(sizes[k]), tuple(int(n) for n in there[k, k:]))
            for k in range(first, len(names))
        )

    def _rules(self) -> dict[str, str]:
        question = self.asked.question
        what = f"a {question.sign_of_life}" if question.log == "purchases" else "activity"
        gone = f", and no {question.events_in_words} since that" if self.asked.leaves else ""
        told = {
            "active": f"Active at an instant: with {what} in the {question.lookback_days} days "
            f"before it{gone}.",
            "churn": "Churn rate: active at the start of the month and not at its end, of those "
            "active at its start; newcomers are left out. Retention is 1 less the churn rate.",
            "cohorts": _cohort_rule(question, what),
        }
        if self.asked.money:
            told["revenue"] = (
                "Revenue retention: of those active at the start of the month, (start − churned − "
                "contraction + expansion) / start, where start is what they spent in the month "
                "before; gross leaves the expansion out. Above 100 % net is negative churn. "
                "Returns count as negative, and money is in the unit of the log."
            )
            told["value"] = (
                "CLV: margin of a month / (1 + discount of a month − retention of a month), over "
                f"the months known of the year that ends with the month; the margin is "
                f"{self.by.margin:.0%} of the spend of those active at the start, the discount "
                f"{self.by.discount:.0%} a year."
            )
        told |= {survey.name: f"{survey.rule}." for survey in self.surveys}
        if self.surveys:
            told["response"] = (
                "A customer answers once a month, with the last answer. Response rate: those who "
                "answered, of those active at the start of the month or with "
                f"{what} in it."
            )
        return told

    def _warnings(self) -> Iterable[str]:
        asked, months = self.asked, self.asked.months
        unknown = [
            name
            for name, known in zip(months.names, asked.known, strict=True)
            if name in months.names[-self.shown :] and not known
        ]
        if unknown:
            yield (
                f"who was active is not known {_span(unknown)}: the log begins on "
                f"{months.first_day}, less than {asked.question.lookback_days} days before; "
                "a shorter --lookback would tell"
            )
        last = start_of_day(self.sums.last_us, months.end.zone)
        if has_come(last.shifted(_STALE_DAYS + 1), months.end):
            yield (
                f"the last {asked.question.sign_of_life} is of {last}: what follows may be the end "
                "of the log rather than customers who left"
            )
        if not asked.money:
            yield "the logs have no amounts: nothing is told of revenue and lifetime value"
        if not self.surveys:
            yield "the logs have no answers to NPS, CES or CSAT"
        yield from self.refused


def _cohort_rule(question: Question, what: str) -> str:
    first = "purchase" if question.log == "purchases" else "activity"
    if question.churn == "event":
        return (
            f"Cohorts: customers by the month of their first {first}; the share of them that was "
            "active at the end of each month."
        )
    return (
        f"Cohorts: customers by the month of their first {first} in the log; the share of them "
        f"with {what} in each month."
    )


def _unlike(name: str, taken: Iterable[str]) -> str:
    """The name, in brackets as long as it is taken."""
    there = set(taken)
    while name in there:
        name = f"({name})"
    return name


def _span(months: list[str]) -> str:
    return f"in {months[0]}" if len(months) == 1 else f"from {months[0]} to {months[-1]}"
