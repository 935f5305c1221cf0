"""One customer's story before a cutoff: what it bought, did and said, and its own rhythm.

It is told from the customer's own rows before the cutoff and nothing later, as plain values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from churnkit.clock import DAY, Cutoff, first_observer, has_come, seen_before, start_of_day
from churnkit.features import CATALOGUE
from churnkit.features.rhythm import GAPS_FOR_OWN_INTERVAL
from churnkit.index import ActivityIndex, BlockIndex, EventIndex, Observations, SurveyIndex
from churnkit.labels import Question
from churnkit.logs import LEAVING, MONEY_UNITS, SCORE_UNITS, CustomerLogs, Events, Logs

_TICKETS = {
    "complaint": ("complaint_opened", "complaint_resolved"),
    "ticket": ("support_opened", "support_resolved"),
}
_FAILED, _PAID, _RENEWAL = "payment_failed", "payment_ok", "renewal"
_TOLD_AS_ISSUES = (*(kind for kinds in _TICKETS.values() for kind in kinds), _FAILED, LEAVING)
_ONE_BY_ONE = 12  # events of a kind that are told by their days
_WEEKS = 26  # so long a story is told by weeks, a longer one by months
_LISTED = 400  # purchases, issues and answers of one customer, the newest of them
_GAPS_LISTED = 60
_FOREVER_DAYS = 40_000


def biography(own: Logs, question: Question, at: Cutoff) -> dict[str, Any]:
    """What is known of a customer before a cutoff.

    Parameters
    ----------
    own
        The logs of this customer alone; what lies at or after the cutoff is not looked at.
    question
        Says what a sign of life is, whose intervals are the customer's rhythm.
    at
        The cutoff.

    Returns
    -------
    dict
        JSON-ready; days are of the business zone, money is that of the log.

        - ``purchases``: ``None`` without that log, else ``count``, ``returns``, ``spent`` and
          ``returned`` (money, ``None`` where unknown), ``first`` and ``last`` (days of sales),
          ``earlier`` (so many older ones are not listed) and ``listed``, each ``day``,
          ``amount`` (below 0 of a return) and ``is_return``;
        - ``activity``: ``None`` without that log, else for each kind of event ``kind``,
          ``count``, ``last``, ``days`` of few events, and ``counts`` of many: ``start`` and
          ``end`` (first and last day) and ``count``, by week or by month as ``per`` says. What is
          an issue is told there;
        - ``issues``: what was amiss: ``what`` (``complaint``, ``ticket``, ``payment``,
          ``cancellation``), ``day``, ``until`` (day, ``None`` if it still is), ``days`` it took or
          has taken so far, ``open``;
        - ``renewals``: ``None`` without any, else ``days``, and ``due``, the day on which the next
          is due by the customer's own mean interval, and ``overdue`` (``None`` with one alone);
        - ``answers``: ``None`` without surveys, else for each ``day``, ``instrument``, ``score``,
          ``low``, ``high``, ``better`` (the scale), ``good`` (0 worst to 1 best), ``source`` and
          ``grade`` (such as ``detractor``; empty where there is none);
        - ``rhythm``: ``of`` (``purchase`` or ``activity``), ``count`` of intervals, ``median`` and
          ``p90`` in days (``None`` if there are too few), ``silent`` (days since the last),
          ``last``, ``expected`` and ``latest`` (days: the last and the median, or ``p90``, after
          it), ``overdue`` (whether the silence is longer than ``p90``), ``needed`` (intervals that
          make a rhythm), and ``gaps``, the newest: ``start``, ``end``, ``days``;
        - ``missing``: codes of what is not known: ``no_purchases_log``, ``no_amounts``,
          ``no_activity_log``, ``no_surveys_log``, ``never_answered``, ``no_rhythm``.
    """
    known = own.before(at)
    block, days = BlockIndex(known), _Days.of(known, at)
    told = {
        "purchases": _purchases(known, days),
        "activity": _activity(known, days),
        "issues": _issues(block, question, at, days),
        "renewals": _renewals(block, at, days),
        "answers": _answers(known, at, days),
        "rhythm": _rhythm(block, question, at, days),
    }
    return {**told, "missing": list(_missing(known, told))}


def own_rhythms(
    logs: CustomerLogs, question: Question, at: Cutoff, silent: float
) -> dict[str, Any]:
    """The intervals of all customers at risk at a cutoff, to compare one of them with.

    Parameters
    ----------
    logs, question, at
        All customers, what is asked, and when.
    silent
        Days since the last sign of life of the one.

    Returns
    -------
    dict
        ``customers``, so many; medians over them of their own ``median`` interval and of the days
        since their last one, ``silent``; and ``shorter``, the share of them that has been silent
        for less than the one.
    """
    medians, waits = [], []
    for whole in logs.blocks():
        known = whole.before(at)
        block = BlockIndex(known)
        rows = block.at(at)
        rows = rows.where(question.at_risk(block, rows))
        signs = _occasions(block, question, _Days.of(known, at))
        medians.append(signs.gap_median(rows))
        waits.append(signs.days_since_last(rows))
    median, wait = np.concatenate(medians), np.concatenate(waits)
    own = median[~np.isnan(median)]
    return {
        "customers": len(wait),
        "median": float(np.median(own)) if len(own) else None,
        "silent": float(np.median(wait)) if len(wait) else None,
        "shorter": float((wait < silent).mean()) if len(wait) else None,
    }


# ── Days ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Days:
    """The local days from the first event to a cutoff.

    Attributes
    ----------
    starts
        Where each begins, microseconds UTC, rising.
    names
        Their ISO dates.
    """

    starts: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def of(cls, logs: Logs, at: Cutoff) -> _Days:
        """The days of what is known before a cutoff; none if nothing is."""
        first = [int(events.ts.min()) for events in logs.events.values() if len(events)]
        begins = []
        if first:
            # The day after comes from the calendar, since some days have 23 hours or 25.
            day = start_of_day(min(first), logs.zone)
            while not has_come(at, day):
                begins.append(day)
                day = day.shifted(1)
        return cls(
            np.array([day.us for day in begins], dtype=np.int64),
            tuple(day.local.date().isoformat() for day in begins),
        )

    def nth(self, ts: np.ndarray) -> np.ndarray:
        """The position of the day of each timestamp."""
        return np.asarray(first_observer(ts, self.starts) - 1)

    def named(self, ts: np.ndarray) -> list[str]:
        """The day of each timestamp."""
        return [self.names[k] for k in self.nth(ts).tolist()]


# ── Purchases and activity ──────────────────────────────────────────────────────────────────


def _purchases(known: Logs, days: _Days) -> dict[str, Any] | None:
    events = known.purchases
    if events is None:
        return None
    returned = events.columns["is_return"] == 1
    cents = events.columns.get("amount")
    money = [None] * len(events) if cents is None else (cents / MONEY_UNITS).tolist()
    named = days.named(events.ts)
    sold = [day for day, back in zip(named, returned.tolist(), strict=True) if not back]
    rows = [
        {"day": day, "amount": amount, "is_return": back}
        for day, amount, back in zip(named, money, returned.tolist(), strict=True)
    ]
    return {
        "count": len(sold),
        "returns": len(rows) - len(sold),
        "spent": None if cents is None else float(cents[~returned].sum() / MONEY_UNITS),
        "returned": None if cents is None else float(-cents[returned].sum() / MONEY_UNITS),
        "first": sold[0] if sold else None,
        "last": sold[-1] if sold else None,
        "earlier": max(len(rows) - _LISTED, 0),
        "listed": rows[-_LISTED:],
    }


def _activity(known: Logs, days: _Days) -> list[dict[str, Any]] | None:
    events = known.activity
    if events is None:
        return None
    kinds = [kind for kind in events.vocabularies["kind"] if kind not in _TOLD_AS_ISSUES]
    told = (_kind(kind, days.nth(events.of("kind", kind).ts), days) for kind in kinds)
    return sorted(told, key=lambda kind: (-kind["count"], kind["kind"]))


def _kind(kind: str, nth: np.ndarray, days: _Days) -> dict[str, Any]:
    few = len(nth) <= _ONE_BY_ONE
    return {
        "kind": kind,
        "count": len(nth),
        "last": days.names[nth[-1]],
        "days": [days.names[k] for k in nth.tolist()] if few else [],
        "per": "week" if len(days.names) <= 7 * _WEEKS else "month",
        "counts": [] if few else list(_counts(nth, days)),
    }


def _counts(nth: np.ndarray, days: _Days) -> Iterator[dict[str, Any]]:
    """Events by week, counted back from the end, or by month of the calendar."""
    last = len(days.names)
    if last <= 7 * _WEEKS:
        edges = sorted({0, *range(last, 0, -7)})
    else:
        edges = [k for k in range(last) if k == 0 or days.names[k].endswith("-01")] + [last]
    for start, end in pairwise(edges):
        count = int(((nth >= start) & (nth < end)).sum())
        yield {"start": days.names[start], "end": days.names[end - 1], "count": count}


# ── What was amiss ──────────────────────────────────────────────────────────────────────────


def _issues(block: BlockIndex, question: Question, at: Cutoff, days: _Days) -> list[dict[str, Any]]:
    """Complaints, tickets, failed payments and cancellations, in order of their days."""
    activity = block.activity
    if activity is None:
        return []
    found = [
        *(issue for what in _TICKETS for issue in _tickets(activity, what, at)),
        *_until_next("payment", activity.of(_FAILED), activity.of(_PAID), block.zone),
        *_until_next(LEAVING, activity.of(LEAVING), question.signs_of_life(block), block.zone, 1),
    ]
    told = [
        {
            "what": what,
            "day": days.named(np.array([start]))[0],
            "until": None if end is None else days.named(np.array([end]))[0],
            "days": ((at.us if end is None else end) - start) / DAY,
            "open": end is None,
        }
        for start, what, end in sorted(found, key=lambda issue: issue[:2])
    ]
    return told[-_LISTED:]


_Issue = tuple[int, str, int | None]
"""When it began, what it is, and when it was settled."""


def _tickets(activity: ActivityIndex, what: str, at: Cutoff) -> Iterator[_Issue]:
    opened = activity.tickets(*_TICKETS[what]).opened.events
    until = opened.columns["until"]
    closed = seen_before(until, at).tolist()
    for start, end, done in zip(opened.ts.tolist(), until.tolist(), closed, strict=True):
        yield start, what, end if done else None


def _until_next(
    what: str, begun: EventIndex, ends: EventIndex, zone: str, later: int = 0
) -> Iterator[_Issue]:
    """What lasts until the next event of another index, at least so many microseconds later."""
    starts = begun.events.ts.tolist()
    moments = [Cutoff(us + later, zone) for us in sorted(set(starts))]
    if not moments:
        return
    waits = ends.days_until_next(Observations.of_all(1, moments), _FOREVER_DAYS)
    wait = {m.us - later: w for m, w in zip(moments, waits.tolist(), strict=True)}
    for start in starts:
        lasted = wait[start]
        yield start, what, None if np.isinf(lasted) else start + later + round(lasted * DAY)


def _renewals(block: BlockIndex, at: Cutoff, days: _Days) -> dict[str, Any] | None:
    renewed = None if block.activity is None else block.activity.of(_RENEWAL)
    if renewed is None or not len(renewed.events):
        return None
    rows = block.at(at)
    left = float((renewed.gap_mean(rows) - renewed.days_since_last(rows))[0])
    known = not np.isnan(left)
    return {
        "days": days.named(renewed.events.ts)[-_LISTED:],
        "due": _day(at, left) if known else None,
        "overdue": left < 0 if known else None,
    }


# ── Answers ─────────────────────────────────────────────────────────────────────────────────


def _answers(known: Logs, at: Cutoff, days: _Days) -> list[dict[str, Any]] | None:
    if known.surveys is None:
        return None
    newest = slice(max(len(known.surveys) - _LISTED, 0), None)
    events = known.surveys.where(newest).with_words_that_occur()
    words = events.vocabularies["instrument"]
    scales = {scale.name: scale for scale in known.instruments}
    grades = _grades(events, known, at)
    rows = zip(
        days.named(events.ts),
        [words[k] for k in events.columns["instrument"].tolist()],
        (events.columns["score"] / SCORE_UNITS).tolist(),
        grades,
        strict=True,
    )
    told = []
    for day, name, score, grade in rows:
        scale = scales[name]
        share = (score - scale.low) / (scale.high - scale.low)
        told.append(
            {
                "day": day, "instrument": name, "score": score, "low": scale.low,
                "high": scale.high, "better": scale.better,
                "good": share if scale.better == "high" else 1 - share,
                "source": scale.source, "grade": grade,
            }
        )  # fmt: skip
    return told


def _grades(events: Events, known: Logs, at: Cutoff) -> list[str]:
    """The class of each answer, by the features that know classes; empty where none does."""
    n = len(events)
    # As if each were the only answer of a customer of its own, the features tell it of each.
    alone = Events(np.arange(n), events.ts, events.columns, events.vocabularies)
    index, rows = SurveyIndex(alone, n, known.instruments), Observations.of_all(n, [at])
    told = [""] * n
    for feature in CATALOGUE.values():
        if feature.log != "surveys" or not feature.classes or feature.own:
            continue
        for name in set(feature.only) & set(events.vocabularies["instrument"]):
            for row, code in enumerate(feature.build(index, rows, name).tolist()):
                if not np.isnan(code):
                    told[row] = feature.classes[int(code)]
    return told


# ── The customer's own rhythm ───────────────────────────────────────────────────────────────


def _occasions(block: BlockIndex, question: Question, days: _Days) -> EventIndex:
    """The signs of life: sales as they are, activity by days, since one visit is many events."""
    signs = question.signs_of_life(block)
    if question.log == "purchases" or not len(signs.events):
        return signs
    customer, start = signs.events.customer, days.starts[days.nth(signs.events.ts)]
    fresh = np.append(True, (np.diff(customer) != 0) | (np.diff(start) != 0))
    return EventIndex(Events(customer[fresh], start[fresh], {}), signs.customers)


def _rhythm(block: BlockIndex, question: Question, at: Cutoff, days: _Days) -> dict[str, Any]:
    signs, rows = _occasions(block, question, days), block.at(at)
    count, silent = int(signs.gap_count(rows)[0]), _known(signs.days_since_last(rows)[0])
    enough = count >= GAPS_FOR_OWN_INTERVAL
    median = _known(signs.gap_median(rows)[0]) if enough else None
    p90 = _known(signs.gap_quantile(0.9, rows)[0]) if enough else None
    return {
        "of": question.sign_of_life,
        "count": count,
        "needed": GAPS_FOR_OWN_INTERVAL,
        "median": median,
        "p90": p90,
        "silent": silent,
        "last": None if silent is None else _day(at, -silent),
        "expected": None if silent is None or median is None else _day(at, median - silent),
        "latest": None if silent is None or p90 is None else _day(at, p90 - silent),
        "overdue": None if silent is None or p90 is None else silent > p90,
        "gaps": [
            {"start": _day_of(one, at), "end": _day_of(other, at), "days": (other - one) / DAY}
            for one, other in pairwise(signs.events.ts[-_GAPS_LISTED - 1 :].tolist())
        ],
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _day(at: Cutoff, days: float) -> str:
    """The local day that lies so many days of 24 hours after a cutoff."""
    return _day_of(at.us + round(days * DAY), at)


def _day_of(us: int, at: Cutoff) -> str:
    return Cutoff(us, at.zone).local.date().isoformat()


def _missing(known: Logs, told: dict[str, Any]) -> Iterator[str]:
    if known.purchases is None:
        yield "no_purchases_log"
    elif not known.has_amounts:
        yield "no_amounts"
    if known.activity is None:
        yield "no_activity_log"
    if told["answers"] is None:
        yield "no_surveys_log"
    elif not told["answers"]:
        yield "never_answered"
    if told["rhythm"]["median"] is None:
        yield "no_rhythm"
