"""What was bought: different products, categories and channels in a window."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from churnkit.clock import DAY
from churnkit.index.moments import Lags, Moments, Observations, lag_of
from churnkit.logs import Events

_NEVER = 2**62


class LineIndex:
    """What was bought: products, categories and channels of the sales of a block.

    Parameters
    ----------
    lines
        One event per customer, instant and thing; see `churnkit.logs.Logs`.
    """

    def __init__(self, lines: Events, customers: int, lags: Lags) -> None:
        self._lines, self._customers, self._lags = lines, customers, lags
        self._moments: dict[str, Moments] = {}
        self._bought: dict[str, _Bought] = {}

    def distinct(self, what: str, at: Observations, days: int | None = None) -> np.ndarray:
        """Number of different products, categories or channels in the window.

        A thing counts from when it is bought until it is bought again or leaves the window, so
        that the number is a difference of two counts.
        """
        if days is None:
            return self._new(what).before(at)
        bought = self._bought_of(what)
        begins = self._moments_of(f"{what} bought", lambda: (bought.customer, bought.ts))
        ends = self._moments_of(f"{what} over {days}", lambda: bought.over(days))
        return begins.before(at) - ends.before(at)

    def first_time(self, what: str, at: Observations, days: int) -> np.ndarray:
        """Number of things bought in the window and never before it."""
        new = self._new(what)
        return new.before(at) - new.before(at, lag_of(days))

    def _new(self, what: str) -> Moments:
        return self._moments_of(f"{what} new", lambda: self._bought_of(what).new())

    def _moments_of(self, name: str, find: Callable[[], tuple[np.ndarray, np.ndarray]]) -> Moments:
        if name not in self._moments:
            lags = self._lags.of(f"lines {name}")
            self._moments[name] = Moments(*find(), self._customers, lags)
        return self._moments[name]

    def _bought_of(self, what: str) -> _Bought:
        if what not in self._bought:
            self._bought[what] = _bought(self._lines, what)
        return self._bought[what]


class _Bought(NamedTuple):
    """The things bought, by customer, thing and time.

    Attributes
    ----------
    customer, ts
        Who bought it, and when.
    again
        When the customer bought it next; long after all time if never.
    is_first
        Whether the customer had not bought it before.
    """

    customer: np.ndarray
    ts: np.ndarray
    again: np.ndarray
    is_first: np.ndarray

    def over(self, days: int) -> tuple[np.ndarray, np.ndarray]:
        """Customer and time at which each is bought again or leaves a window."""
        return self.customer, np.minimum(self.again, self.ts + days * DAY)

    def new(self) -> tuple[np.ndarray, np.ndarray]:
        """Customer and time of what is bought for the first time."""
        return self.customer[self.is_first], self.ts[self.is_first]


def _bought(lines: Events, what: str) -> _Bought:
    named = np.flatnonzero(lines.columns[what])
    thing, customer = lines.columns[what][named], lines.customer[named]
    # Lines come sorted by customer and time, so that a stable sort keeps the times in order.
    order = np.lexsort((thing, customer))
    customer, thing, ts = customer[order], thing[order], lines.ts[named][order]
    same = (customer[1:] == customer[:-1]) & (thing[1:] == thing[:-1])
    again = np.full(len(ts), _NEVER)
    again[:-1][same] = ts[1:][same]
    is_first = np.ones(len(ts), dtype=bool)
    is_first[1:] = ~same
    return _Bought(customer, ts, again, is_first)
