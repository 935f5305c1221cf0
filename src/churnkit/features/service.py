"""Complaints and support tickets: how many are open, for how long, and how they were resolved."""

from __future__ import annotations

import numpy as np

from churnkit.clock import DAY
from churnkit.features.registry import Companion, feature
from churnkit.features.windows import Window, longest
from churnkit.index import ActivityIndex, Observations, Tickets, ratio

_COMPLAINT = ("complaint_opened", "complaint_resolved")
_TICKET = ("support_opened", "support_resolved")


def _mean_days(tickets: Tickets, at: Observations, window: Window) -> np.ndarray:
    closed = tickets.closed
    return ratio(closed.sum("took", at, window), closed.count(at, window)) / DAY


def _share_open(tickets: Tickets, at: Observations) -> np.ndarray:
    return ratio(tickets.open_count(at), tickets.opened.count(at))


@feature(
    unit="complaints",
    says="open complaints",
    reads="{value} open complaints",
    none="no open complaint",
    companion=Companion("complaints_open_days", "the oldest for {value} days"),
    theme="complaints",
    direction="up",
    dtype="int32",
)
def complaints_open(a: ActivityIndex, at: Observations) -> np.ndarray:
    return a.tickets(*_COMPLAINT).open_count(at)


@feature(
    unit="days",
    says="days since the oldest open complaint was made",
    reads="a complaint has been open for {value} days",
    unknown="no open complaint",
    theme="complaints",
    needs="kind=complaint_opened",
    direction="up",
)
def complaints_open_days(a: ActivityIndex, at: Observations) -> np.ndarray:
    return a.tickets(*_COMPLAINT).oldest_open(at)


@feature(
    unit="share",
    says="open complaints among all that were made",
    reads="{value} of its complaints are open",
    none="no open complaint",
    unknown="never complained",
    theme="complaints",
    needs="kind=complaint_opened",
    direction="up",
)
def complaints_open_share(a: ActivityIndex, at: Observations) -> np.ndarray:
    return _share_open(a.tickets(*_COMPLAINT), at)


@feature(
    unit="days",
    says="mean days until a complaint was settled, of those settled {window}",
    reads="complaints settled {window} took {value} days on average",
    unknown="no complaint settled {window}",
    theme="complaints",
    needs=("kind=complaint_opened", "kind=complaint_resolved"),
    windows=longest,
    direction="up",
)
def complaints_resolve_mean(a: ActivityIndex, at: Observations, window: Window) -> np.ndarray:
    return _mean_days(a.tickets(*_COMPLAINT), at, window)


@feature(
    unit="complaints",
    says="complaints made again {window}: there was one of the same ref before",
    reads="{value} complaints made again {window}",
    none="no complaint made again {window}",
    theme="complaints",
    needs=("ref", "kind=complaint_opened"),
    windows=longest,
    direction="up",
    dtype="int32",
)
def complaints_reopened(a: ActivityIndex, at: Observations, window: Window) -> np.ndarray:
    return a.repeated("complaint_opened").count(at, window)


@feature(
    unit="tickets",
    says="unresolved tickets",
    reads="{value} unresolved tickets",
    none="no unresolved ticket",
    companion=Companion("tickets_open_days", "the oldest for {value} days"),
    theme="tickets",
    direction="up",
    dtype="int32",
)
def tickets_open(a: ActivityIndex, at: Observations) -> np.ndarray:
    return a.tickets(*_TICKET).open_count(at)


@feature(
    unit="days",
    says="days since the oldest unresolved ticket was opened",
    reads="a ticket has been unresolved for {value} days",
    unknown="no unresolved ticket",
    theme="tickets",
    needs="kind=support_opened",
    direction="up",
)
def tickets_open_days(a: ActivityIndex, at: Observations) -> np.ndarray:
    return a.tickets(*_TICKET).oldest_open(at)


@feature(
    unit="share",
    says="unresolved tickets among all that were opened",
    reads="{value} of its tickets are unresolved",
    none="no unresolved ticket",
    unknown="never opened a ticket",
    theme="tickets",
    needs="kind=support_opened",
    direction="up",
)
def tickets_open_share(a: ActivityIndex, at: Observations) -> np.ndarray:
    return _share_open(a.tickets(*_TICKET), at)


@feature(
    unit="days",
    says="mean days until a ticket was resolved, of those resolved {window}",
    reads="tickets resolved {window} took {value} days on average",
    unknown="no ticket resolved {window}",
    theme="tickets",
    needs=("kind=support_opened", "kind=support_resolved"),
    windows=longest,
    direction="up",
)
def tickets_resolve_mean(a: ActivityIndex, at: Observations, window: Window) -> np.ndarray:
    return _mean_days(a.tickets(*_TICKET), at, window)


@feature(
    unit="tickets",
    says="tickets opened again {window}: there was one of the same ref before",
    reads="{value} tickets opened again {window}",
    none="no ticket opened again {window}",
    theme="tickets",
    needs=("ref", "kind=support_opened"),
    windows=longest,
    direction="up",
    dtype="int32",
)
def tickets_reopened(a: ActivityIndex, at: Observations, window: Window) -> np.ndarray:
    return a.repeated("support_opened").count(at, window)
