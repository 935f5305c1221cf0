"""Look-ups into sorted events: counts, sums, last values and intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np

from churnkit.clock import DAY, SECOND, happened_within
from churnkit.index.moments import Lags, Moments, Observations, lag_of, read_only
from churnkit.logs import Events

_CELLS_AT_ONCE = 1_000_000


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient as float64, NaN where the denominator is zero."""
    below = np.asarray(denominator, dtype=np.float64)
    return np.asarray(numerator / np.where(below == 0, np.nan, below))


class EventIndex:
    """Look-ups into the events of a block of customers.

    Every method returns one value per observation, shape ``(rows,)``; counts are shared, and
    read-only as the events are. Windows are half-open: ``days`` means the last ``days`` times
    24 hours before the cutoff, ``None`` all time; ``ago`` moves the end of the window so many
    days before the cutoff.

    Parameters
    ----------
    events
        Events sorted by customer and time, customers numbered from zero.
    customers
        Number of customers of the block.
    lags
        See `Moments`.
    """

    def __init__(self, events: Events, customers: int, lags: set[int] | None = None) -> None:
        self.events = replace(
            events,
            ts=read_only(events.ts),
            customer=read_only(events.customer),
            columns={name: read_only(values) for name, values in events.columns.items()},
        )
        self.customers = customers
        known = set() if lags is None else lags
        self._moments = Moments(events.customer, events.ts, customers, known)
        self._begins: dict[Observations, np.ndarray] = {}
        self._lasts: dict[Observations, np.ndarray] = {}
        self._prefixes: dict[str, np.ndarray] = {}
        self._floats: dict[str, np.ndarray] = {}
        self._until: dict[EventIndex, np.ndarray] = {}
        self._chosen: dict[Callable[[Events], np.ndarray], EventIndex] = {}

    def count(self, at: Observations, days: int | None = None, ago: int = 0) -> np.ndarray:
        """Number of events in the window, int64."""
        seen = self._moments.before(at, lag_of(ago))
        return seen if days is None else seen - self._moments.before(at, lag_of(ago + days))

    def count_ahead(self, at: Observations, days: int) -> np.ndarray:
        """Number of events with ``cutoff <= ts < cutoff + days``: the future, for labels only."""
        return self._moments.before(at, -days * DAY) - self._moments.before(at)

    def days_until_next(self, at: Observations, days: int) -> np.ndarray:
        """Days from the cutoff to the first event that `count_ahead` counts; infinite if none.

        The future, for labels only.
        """
        first = np.where(self.count_ahead(at, days) > 0, self._begin_of(at) + self.count(at), -1)
        return np.nan_to_num((self._time(first) - at.us) / DAY, nan=np.inf)

    def sum(
        self, measure: str, at: Observations, days: int | None = None, ago: int = 0
    ) -> np.ndarray:
        """Integer sum of a measure over the events of the window."""
        prefix = self._prefix(measure, lambda: self.events.columns[measure])
        begin = self._begin_of(at)
        start = begin if days is None else begin + self._moments.before(at, lag_of(ago + days))
        return prefix.take(begin + self._moments.before(at, lag_of(ago))) - prefix.take(start)

    def sum_ahead(self, measure: str, at: Observations, days: int) -> np.ndarray:
        """Integer sum of a measure over the events that `count_ahead` counts.

        The future, for labels only.
        """
        prefix = self._prefix(measure, lambda: self.events.columns[measure])
        begin = self._begin_of(at)
        end = begin + self._moments.before(at, -days * DAY)
        return prefix.take(end) - prefix.take(begin + self._moments.before(at))

    def last(self, measure: str, at: Observations, back: int = 0) -> np.ndarray:
        """The measure at the last event before the cutoff, or ``back`` events before that one.

        Float64, NaN where there is none.

        Raises
        ------
        ValueError
            If ``back`` is below zero: that event is still to come.
        """
        if back < 0:
            raise ValueError(f"the event {-back} after the last one lies in the future")
        position = self._last_of(at)
        if back:
            position = np.where(self.count(at) > back, position - back, -1)
        return self._taken(measure, lambda: self.events.columns[measure], position)

    def days_since_last(self, at: Observations) -> np.ndarray:
        """Days from the last event to the cutoff; NaN where there is none."""
        return (at.us - self._time(self._last_of(at))) / DAY

    def days_since_first(self, at: Observations) -> np.ndarray:
        """Days from the first event to the cutoff; NaN where there is none before it."""
        return (at.us - self._time(self._first_of(at))) / DAY

    def days_since_nth(self, n: int, at: Observations) -> np.ndarray:
        """Days from the n-th event (1 is the first) to the cutoff; NaN with fewer before it.

        Raises
        ------
        ValueError
            If ``n`` is below 1.
        """
        if n < 1:
            raise ValueError(f"there is no event number {n}: 1 is the first")
        position = np.where(self.count(at) >= n, self._begin_of(at) + n - 1, -1)
        return (at.us - self._time(position)) / DAY

    def gap_count(self, at: Observations) -> np.ndarray:
        """Number of intervals between successive events before the cutoff."""
        return np.maximum(self.count(at) - 1, 0)

    def gap_last(self, at: Observations) -> np.ndarray:
        """The interval that the last event ended, in days; NaN with fewer than two events."""
        position = np.where(self.count(at) > 1, self._last_of(at), -1)
        return self._taken("gap", lambda: self._gaps, position) / DAY

    def gap_mean(self, at: Observations) -> np.ndarray:
        """Mean interval between successive events in days; NaN with fewer than two events."""
        span = self._time(self._last_of(at)) - self._time(self._first_of(at))
        return ratio(span / DAY, self.gap_count(at))

    def gap_std(self, at: Observations) -> np.ndarray:
        """Sample standard deviation of the intervals in days; NaN with fewer than two of them.

        From the integer sums of seconds s and squared seconds q over n intervals:
        sqrt((q - s²/n) / (n - 1)).
        """
        n = self.gap_count(at)
        total = self._gap_sum(1, at).astype(np.float64)
        squares = self._gap_sum(2, at).astype(np.float64)
        variance = ratio(squares - ratio(total * total, n), n - 1)
        enough = n >= 2
        return np.where(enough, np.sqrt(np.maximum(variance, 0.0)) / (DAY / SECOND), np.nan)

    def gap_median(self, at: Observations) -> np.ndarray:
        """Median interval in days: the middle one, or the mean of the two middle ones."""
        n = self.gap_count(at)
        lower, upper = self._gaps_of_rank(at, (n - 1) // 2, n // 2)
        return (lower + upper) / 2 / DAY

    def gap_quantile(self, q: float, at: Observations) -> np.ndarray:
        """Nearest-rank quantile of the intervals in days: the ``ceil(q n)``-th smallest.

        Raises
        ------
        ValueError
            If ``q`` is not in (0, 1].
        """
        if not 0 < q <= 1:
            raise ValueError(f"the quantile {q} does not exist: it lies above 0 and up to 1")
        [found] = self._gaps_of_rank(at, np.ceil(q * self.gap_count(at)).astype(np.int64) - 1)
        return found / DAY

    def count_after_last(self, other: EventIndex, at: Observations) -> np.ndarray:
        """Number of events after the last event of another index, both before the cutoff.

        All events before the cutoff count where the other index has none.
        """
        if other not in self._until:
            self._until[other] = np.append(self._counts_until(other.events), 0)
        return self.count(at) - self._until[other].take(other._last_of(at))

    def days_since_first_after(self, other: EventIndex, at: Observations) -> np.ndarray:
        """Days since the first of the events that `count_after_last` counts; NaN if none."""
        later = self.count_after_last(other, at)
        first = np.where(later > 0, self._begin_of(at) + self.count(at) - later, -1)
        return (at.us - self._time(first)) / DAY

    def where(self, chosen: Callable[[Events], np.ndarray]) -> EventIndex:
        """Index of the events for which a function gives true, kept for the next asking.

        Parameters
        ----------
        chosen
            Takes the events and returns a boolean mask of them, by what each event is. A function
            of a module is asked once for all windows, one within a feature for each anew.
        """
        if chosen not in self._chosen:
            self._chosen[chosen] = EventIndex(
                self.events.where(chosen(self.events)), self.customers
            )
        return self._chosen[chosen]

    def within_first(self, days: int) -> Events:
        """The events within ``days`` of the customer's first one."""
        first = self.events.ts.take(self._begin.take(self.events.customer))
        return self.events.where(happened_within(self.events.ts, first, days))

    @cached_property
    def _begin(self) -> np.ndarray:
        """Position of the first event of each customer."""
        sizes = self._moments.per_customer
        return np.asarray(np.cumsum(sizes) - sizes)

    def _begin_of(self, at: Observations) -> np.ndarray:
        if at not in self._begins:
            self._begins[at] = self._begin.take(at.customer)
        return self._begins[at]

    def _first_of(self, at: Observations) -> np.ndarray:
        """Position of the first event before the cutoff; -1, which holds no value, if none."""
        return np.where(self.count(at) > 0, self._begin_of(at), -1)

    def _last_of(self, at: Observations) -> np.ndarray:
        """Position of the last event before the cutoff; -1, which holds no value, if none."""
        if at not in self._lasts:
            seen = self.count(at)
            self._lasts[at] = np.where(seen > 0, self._begin_of(at) + seen - 1, -1)
        return self._lasts[at]

    def _time(self, position: np.ndarray) -> np.ndarray:
        return self._taken("ts", lambda: self.events.ts, position)

    def _taken(
        self, name: str, values: Callable[[], np.ndarray], position: np.ndarray
    ) -> np.ndarray:
        """Values at some positions as float64; NaN at -1."""
        if name not in self._floats:
            self._floats[name] = np.append(values().astype(np.float64), np.nan)
        return self._floats[name].take(position)

    def _prefix(self, name: str, values: Callable[[], np.ndarray]) -> np.ndarray:
        # int64 wraps around, yet differences of prefix sums stay exact.
        if name not in self._prefixes:
            self._prefixes[name] = np.concatenate(([0], np.cumsum(values(), dtype=np.int64)))
        return self._prefixes[name]

    def _counts_until(self, other: Events) -> np.ndarray:
        """Per event of another log, how many of these its customer had until then."""
        both = np.concatenate([self.events.customer, other.customer])
        when = np.concatenate([self.events.ts, other.ts])
        is_other = np.repeat([False, True], [len(self.events), len(other)])
        order = np.lexsort((is_other, when, both))  # at one instant the other comes last
        ours = np.cumsum(~is_other[order])[is_other[order]]
        return np.asarray(ours - self._begin.take(other.customer))

    @cached_property
    def _gaps(self) -> np.ndarray:
        """Microseconds since the customer's previous event; zero at the first."""
        gaps = np.diff(self.events.ts, prepend=0)
        gaps[np.diff(self.events.customer, prepend=-1) != 0] = 0
        return gaps

    def _gap_sum(self, power: int, at: Observations) -> np.ndarray:
        prefix = self._prefix(f"gap ** {power}", lambda: (self._gaps // SECOND) ** power)
        begin = self._begin_of(at)
        return prefix.take(begin + self.count(at)) - prefix.take(begin)

    def _gaps_of_rank(self, at: Observations, *ranks: np.ndarray) -> np.ndarray:
        """The intervals before each cutoff that have some ranks (0 is the shortest).

        Microseconds, NaN where there is none, shape ``(ranks, rows)``. The intervals of each
        customer are sorted once; those that lie before a cutoff are picked from them, of so many
        cutoffs at once that a customer with millions of events does not fill the memory.
        """
        found = np.full((len(ranks), len(at)), np.nan)
        count, (order, owner) = self.gap_count(at), self._gaps_sorted
        step = max(_CELLS_AT_ONCE // (len(order) + self.customers), 1)
        for k in range(0, len(at.cutoffs), step):
            rows = np.flatnonzero((count > 0) & (at.nth // step == k // step))
            cell = (at.nth.take(rows) - k) * self.customers + at.customer.take(rows)
            cells = min(step, len(at.cutoffs) - k) * self.customers
            last, sizes = np.full(cells, -1), np.zeros(cells, dtype=np.int64)
            last[cell], sizes[cell] = self._last_of(at).take(rows), count.take(rows)
            before = np.flatnonzero(order <= last.reshape(-1, self.customers).take(owner, axis=1))
            start = (np.cumsum(sizes) - sizes).take(cell)
            for rank, values in zip(ranks, found, strict=True):
                picked = before.take(start + rank.take(rows)) % len(order)
                values[rows] = self._gaps.take(order.take(picked))
        return found

    @cached_property
    def _gaps_sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """The events that end an interval, by customer and its length, and their customers."""
        order = np.lexsort((self._gaps, self.events.customer))
        order = order[order != self._begin.take(self.events.customer)[order]]
        return order, self.events.customer.take(order)


class ByWord:
    """The events of a log by the words of a text measure."""

    def __init__(self, events: Events, measure: str) -> None:
        self._words = events.vocabularies[measure]
        code = events.columns[measure]
        # Sorting small integers stably is linear, and cheaper than one mask for each word.
        small = code.astype(np.min_scalar_type(len(self._words)))
        order = np.argsort(small, kind="stable")
        self._edges = np.searchsorted(code[order], np.arange(len(self._words) + 1))
        others = {name: v for name, v in events.columns.items() if name != measure}
        self._events = Events(events.customer, events.ts, others).where(order)

    def of(self, word: str) -> Events:
        """The events of one word; none if it never occurs."""
        k = self._words.index(word) if word in self._words else -1
        return self._events.where(slice(0) if k < 0 else slice(self._edges[k], self._edges[k + 1]))


class Parts:
    """Indexes of parts of the events of a log, each made when it is first asked for."""

    def __init__(self, customers: int, lags: Lags) -> None:
        self._customers, self._lags = customers, lags
        self._of: dict[str, EventIndex] = {}

    def of(self, name: str, part: Callable[[], Events]) -> EventIndex:
        """The index of a part, by its name and what finds it."""
        if name not in self._of:
            self._of[name] = EventIndex(part(), self._customers, self._lags.of(name))
        return self._of[name]
