"""Whom the logs are about: customers that several logs share, newcomers, one-time buyers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from churnkit.clock import Cutoff, first_observer
from churnkit.labels import Question
from churnkit.logs import Events, Logs
from churnkit.logs.profile import Finding
from churnkit.logs.profile.finding import agree, some

_STRAYS = 0.0001
_ALL_BUT_FEW, _FIRST_PART = 0.99, 0.25
_SPAN_DAYS, _ENOUGH = 180, 100
_HARDLY_ANY = 0.05
_WRITTEN: Mapping[str, Callable[[str], str]] = {
    "leading zeros": lambda text: text.lstrip("0"),
    "a .0 at the end": lambda text: text.removesuffix(".0"),
    "capital letters": str.lower,
}
_MOST = 0.5


@dataclass(frozen=True)
class Shared:
    """How many customers of the question's log another log knows.

    Attributes
    ----------
    log
        The other log.
    customers
        Customers of the other log.
    both
        Customers of both logs.
    """

    log: str
    customers: int
    both: int


@dataclass(frozen=True)
class Coverage:
    """Whom the logs are about.

    Attributes
    ----------
    log
        The log of the question.
    customers
        Its customers.
    once
        Those of them with one occasion only.
    shared
        One entry for each other log of events.
    newcomers
        Month (``YYYY-MM``, business zone) → customers whose first event of the log it holds,
        every month from the first newcomers to the last in rising order.
    findings
        What to look at.
    """

    log: str
    customers: int
    once: int
    shared: tuple[Shared, ...]
    newcomers: dict[str, int]
    findings: tuple[Finding, ...]

    def told(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            **asdict(self),
            "shared": [asdict(other) for other in self.shared],
            "newcomers": [{"month": m, "customers": n} for m, n in self.newcomers.items()],
            "findings": [finding.told() for finding in self.findings],
        }


def coverage(logs: Logs, question: Question) -> Coverage:
    """Look at the customers of the question's log.

    Raises
    ------
    ConfigError
        If that log is absent.
    """
    question.require(logs)
    events = logs.events[question.log]
    starts = np.flatnonzero(np.diff(events.customer, prepend=-1))
    first, customers = events.ts[starts], events.customer[starts]
    shared = tuple(
        Shared(name, len(theirs), len(np.intersect1d(customers, theirs, assume_unique=True)))
        for name, other in logs.events.items()
        if name != question.log
        for theirs in [np.unique(other.customer)]
    )
    once = int((np.diff(starts, append=len(events)) == 1).sum())
    findings = (
        *_few_shared(logs, question.log, customers, shared),
        *_single_cohort(logs, question.log, first),
        *_once(question.log, once, len(customers)),
        *_only_returns(events),
    )
    return Coverage(
        question.log, len(customers), once, shared,
        _by_month(first, logs.last_day(question.log)), findings,
    )  # fmt: skip


def _few_shared(
    logs: Logs, log: str, customers: np.ndarray, shared: tuple[Shared, ...]
) -> Iterator[Finding]:
    for other in shared:
        if other.both < _HARDLY_ANY * min(len(customers), other.customers):
            theirs = np.unique(logs.events[other.log].customer)
            yield Finding(
                "few_shared_customers", "warn" if other.both else "stop",
                f"{other.both or 'none'} of {some(other.customers, 'customer')} of {other.log} "
                f"{agree(max(other.both, 1), 'is', 'are')} in {log}",
                _why_apart(logs.customer_ids[customers], logs.customer_ids[theirs])
                or "Are the ids written alike in both logs? Compare a few of each.",
            )  # fmt: skip


def _why_apart(ids: np.ndarray, others: np.ndarray) -> str:
    """What the ids of two logs would agree in, were it not for how they are written."""
    for what, plain in _WRITTEN.items():
        ours = {plain(text) for text in ids}
        joined = sum(plain(text) in ours for text in others)
        if joined > len(others) / 2:
            return f"{joined:,} of them would be, but for {what}: write the ids alike in both logs."
    return ""


def _single_cohort(logs: Logs, log: str, first: np.ndarray) -> Iterator[Finding]:
    began, ends = logs.first_day(log), logs.day_after_last(log)
    days = (ends.local.date() - began.local.date()).days
    newest = int(np.quantile(first, _ALL_BUT_FEW, method="inverted_cdf"))
    until = (newest - began.us) / (ends.us - began.us)
    if len(first) < _ENOUGH or days < _SPAN_DAYS or until > _FIRST_PART:
        return
    day = Cutoff(newest, logs.zone).local.date()
    after = int(first_observer(np.array([newest]), np.sort(first))[0])
    later = len(first) - after
    who = f"only {some(later, 'new customer')}" if later else "no new customers"
    yield Finding(
        "single_cohort", "warn",
        f"{who} after {day}: {after:,} of {len(first):,} first appear in the first "
        f"{until:.0%} of the {log} log, a single cohort",
        "What is learnt from one cohort may not hold for newcomers; how long somebody has been a "
        "customer tells little here.",
    )  # fmt: skip


def _once(log: str, once: int, customers: int) -> Iterator[Finding]:
    if customers >= _ENOUGH and once > _MOST * customers:
        what = "bought" if log == "purchases" else "appeared"
        yield Finding(
            "mostly_once", "note",
            f"{once / customers:.0%} of the {customers:,} customers {what} once only: of their "
            "rhythm nothing is known",
        )  # fmt: skip


def _only_returns(events: Events) -> Iterator[Finding]:
    if "is_return" not in events.columns:
        return
    sales = np.unique(events.customer[events.columns["is_return"] == 0])
    only = len(np.unique(events.customer)) - len(sales)
    if only:
        yield Finding(
            "only_returns", "note",
            f"{some(only, 'customer')} with returns, but no purchase in the log",
        )  # fmt: skip


def _by_month(ts: np.ndarray, last_day: Cutoff) -> dict[str, int]:
    """Timestamps by local month up to that of the last day; the few before all others count to
    the first month shown, the few after it to the last.
    """
    zone = last_day.zone
    low = int(np.quantile(ts, _STRAYS, method="inverted_cdf"))
    from_, to = f"{Cutoff(low, zone).local:%Y-%m}", f"{last_day.local:%Y-%m}"
    months = [str(m) for m in np.arange(np.datetime64(from_, "M"), np.datetime64(to, "M") + 1)]
    begins = np.array(
        [Cutoff.parse(f"{month}-01", zone).us for month in months[1:]], dtype=np.int64
    )
    counted = np.bincount(first_observer(ts, begins), minlength=len(months))
    return {month: int(n) for month, n in zip(months, counted, strict=True)}
