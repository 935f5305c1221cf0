"""Complaints and support tickets: which resolution closed which."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from churnkit.clock import DAY, seen_before
from churnkit.index.events import Parts
from churnkit.index.moments import Observations
from churnkit.logs import Events

_NEVER = 2**62


class Tickets:
    """Complaints or support tickets: what was opened, and what closed it.

    A resolution closes the longest open ticket of its ``ref``, or of its customer where the log
    has no refs. With none open it is taken to close one from before the log, so that it hides
    nothing that is opened later.

    Attributes
    ----------
    opened
        Index of the openings.
    closed
        Index of the resolutions that closed one, with ``took``: microseconds it had been open.
    """

    def __init__(self, events: Events, is_open: np.ndarray, parts: Parts, name: str) -> None:
        ref = events.columns.get("ref", np.zeros(len(events), dtype=np.int64))
        order = np.lexsort((ref, events.customer))  # stable: at one ref the times stay in order
        queue = numbered_runs(events.customer[order], ref[order])
        opens = is_open[order]
        level = _never_below_zero(queue, np.where(opens, 1, -1))
        closes = ~opens & (np.diff(queue, prepend=-1) == 0) & (np.diff(level, prepend=0) < 0)
        # First in, first out: the n-th close of a queue ends its n-th opening.
        nth = np.cumsum(closes) - 1 - np.searchsorted(queue[closes], queue)
        ended = np.flatnonzero(opens)[np.searchsorted(queue[opens], queue[closes]) + nth[closes]]
        until = np.full(len(events), _NEVER)
        until[order[ended]] = events.ts[order[closes]]
        since = np.full(len(events), _NEVER)
        since[order[closes]] = events.ts[order[ended]]
        opening = replace(events, columns={"until": until}).where(is_open)
        closing = replace(events, columns={"took": events.ts - since}).where(since != _NEVER)
        self.opened = parts.of(f"{name} opened", lambda: opening)
        self.closed = parts.of(f"{name} closed", lambda: closing)

    def open_count(self, at: Observations) -> np.ndarray:
        """Number of tickets opened and not resolved before the cutoff."""
        return self.opened.count(at) - self.closed.count(at)

    def oldest_open(self, at: Observations) -> np.ndarray:
        """Days since the oldest ticket was opened that is still open; NaN if none is."""
        events = self.opened.events
        since = np.full((len(at.cutoffs), self.opened.customers), np.nan)
        for k, cutoff in enumerate(at.cutoffs):
            is_open = seen_before(events.ts, cutoff)
            is_open &= ~seen_before(events.columns["until"], cutoff)
            customer, first = np.unique(events.customer[is_open], return_index=True)
            since[k, customer] = events.ts[is_open][first]
        return (at.us - since[at.nth, at.customer]) / DAY


def numbered_runs(*keys: np.ndarray) -> np.ndarray:
    """Number from zero of the run of equal keys that each element belongs to."""
    if not len(keys[0]):
        return np.empty(0, dtype=np.int64)
    fresh = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.concatenate(([0], np.cumsum(fresh)))


def _never_below_zero(queue: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Running sum of the steps of each queue, held at zero from below."""
    total = np.cumsum(step)
    first = np.searchsorted(queue, queue)
    own = total - (total - step)[first] if len(step) else total
    # Each queue's values lie far below those before, so one running minimum serves all.
    apart = queue * (2 * len(step) + 1)
    lowest = np.minimum.accumulate(own - apart) + apart
    return own - np.minimum(lowest, 0)
