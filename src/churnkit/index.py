"""The point-in-time index: sort once, then look things up.

Events are sorted by customer and time. For every instant that is asked for (a cutoff, the
start of a window, the end of a horizon) the index holds, per customer, the position after the
last event before that instant. A windowed count is then a difference of two positions, a
windowed sum a difference of two prefix sums over integers (exact, whatever the order of the
rows), and "the last value before" one look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property

import numpy as np

from churnkit.clock import DAY, SECOND, Cutoff, Window, comes_after, first_observer, seen_before
from churnkit.logs import Events, Instrument, Logs

LEAVING = "cancellation"
"""The event kind that ends a relation and is no sign of life."""


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient as float64, NaN where the denominator is zero."""
    below = np.asarray(denominator, dtype=np.float64)
    quotient = np.full(below.shape, np.nan)
    return np.divide(numerator, below, out=quotient, where=below != 0)


class EventIndex:
    """Look-ups into the events of a block of customers.

    Every method returns one value per customer, shape ``(customers,)``. Windows are half-open:
    ``days`` means the last ``days`` times 24 hours before the cutoff, ``None`` all time.

    Parameters
    ----------
    events
        Events sorted by customer and time, customers numbered from zero.
    customers
        Number of customers of the block.
    instants
        Instants (microseconds UTC) that will be asked for; others are found when needed.
    """

    def __init__(self, events: Events, customers: int, instants: Iterable[int] = ()) -> None:
        self.events = events
        self.customers = customers
        self._begin = np.searchsorted(events.customer, np.arange(customers))
        self._ends: dict[int, np.ndarray] = {}
        self._prefixes: dict[str, np.ndarray] = {}
        self.prepare(instants)

    def prepare(self, instants: Iterable[int]) -> None:
        """Find the positions for many instants in one pass over the events."""
        new = np.array(sorted(set(instants) - self._ends.keys()), dtype=np.int64)
        if not len(new):
            return
        width = len(new) + 1
        cell = self.events.customer * width + first_observer(self.events.ts, new)
        counts = np.bincount(cell, minlength=self.customers * width)
        seen = counts.reshape(self.customers, width).cumsum(axis=1)
        for k, instant in enumerate(new):
            self._ends[int(instant)] = self._begin + seen[:, k]

    def count(self, at: Cutoff, days: int | None = None) -> np.ndarray:
        """Number of events before the cutoff, within the last ``days``."""
        return self._end(at.us) - self._start(at, days)

    def count_within(self, window: Window) -> np.ndarray:
        """Number of events with ``window.start <= ts < window.end``."""
        return self._end(window.end) - self._end(window.start)

    def count_after_last(self, other: EventIndex, at: Cutoff) -> np.ndarray:
        """Number of events after the last event of another index, both before the cutoff.

        All events before the cutoff count where the other index has none.
        """
        ts, customer = self.events.ts, self.events.customer
        last = other._taken(other.events.ts, other._end(at.us) - 1, at)
        later = seen_before(ts, at) & comes_after(ts, last[customer])
        return np.bincount(customer[later], minlength=self.customers)

    def sum(self, measure: str, at: Cutoff, days: int | None = None) -> np.ndarray:
        """Integer sum of a measure over the events before the cutoff, within the last ``days``."""
        prefix = self._prefix(measure, lambda: self.events.columns[measure])
        return prefix[self._end(at.us)] - prefix[self._start(at, days)]

    def last(self, measure: str, at: Cutoff) -> np.ndarray:
        """The measure at the last event before the cutoff; NaN where there is none."""
        return self._taken(self.events.columns[measure], self._end(at.us) - 1, at)

    def days_since_last(self, at: Cutoff) -> np.ndarray:
        """Days from the last event to the cutoff; NaN where there is none."""
        return (at.us - self._taken(self.events.ts, self._end(at.us) - 1, at)) / DAY

    def days_since_first(self, at: Cutoff) -> np.ndarray:
        """Days from the first event to the cutoff; NaN where there is none before it."""
        return (at.us - self._taken(self.events.ts, self._begin, at)) / DAY

    def gap_count(self, at: Cutoff) -> np.ndarray:
        """Number of intervals between successive events before the cutoff."""
        return np.maximum(self.count(at) - 1, 0)

    def gap_mean(self, at: Cutoff) -> np.ndarray:
        """Mean interval between successive events in days; NaN with fewer than two events."""
        last = self._taken(self.events.ts, self._end(at.us) - 1, at)
        first = self._taken(self.events.ts, self._begin, at)
        return ratio((last - first) / DAY, self.gap_count(at))

    def gap_std(self, at: Cutoff) -> np.ndarray:
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

    def gap_median(self, at: Cutoff) -> np.ndarray:
        """Median interval in days: the middle one, or the mean of the two middle ones."""
        n = self.gap_count(at)
        low, high = self._gap_ranked(at, (n - 1) // 2), self._gap_ranked(at, n // 2)
        return (low + high) / 2 / DAY

    def gap_quantile(self, q: float, at: Cutoff) -> np.ndarray:
        """Nearest-rank quantile of the intervals in days: the ``ceil(q n)``-th smallest."""
        rank = np.ceil(q * self.gap_count(at)).astype(np.int64) - 1
        return self._gap_ranked(at, rank) / DAY

    def _end(self, instant: int) -> np.ndarray:
        if instant not in self._ends:
            self.prepare([instant])
        return self._ends[instant]

    def _start(self, at: Cutoff, days: int | None) -> np.ndarray:
        return self._begin if days is None else self._end(Window.before(at, days).start)

    def _prefix(self, name: str, values: Callable[[], np.ndarray]) -> np.ndarray:
        # int64 wraps around, yet differences of prefix sums stay exact.
        if name not in self._prefixes:
            self._prefixes[name] = np.concatenate(([0], np.cumsum(values(), dtype=np.int64)))
        return self._prefixes[name]

    def _taken(self, values: np.ndarray, position: np.ndarray, at: Cutoff) -> np.ndarray:
        some = self.count(at) > 0
        taken = np.full(self.customers, np.nan)
        taken[some] = values[position[some]]
        return taken

    @cached_property
    def _gaps(self) -> np.ndarray:
        """Microseconds since the customer's previous event; zero at the first."""
        gaps = np.diff(self.events.ts, prepend=0)
        gaps[np.diff(self.events.customer, prepend=-1) != 0] = 0
        return gaps

    @cached_property
    def _gaps_by_length(self) -> np.ndarray:
        """Positions of the events that end an interval, by customer and length of interval."""
        ends = np.flatnonzero(np.diff(self.events.customer, prepend=-1) == 0)
        return ends[np.lexsort((self._gaps[ends], self.events.customer[ends]))]

    def _gap_sum(self, power: int, at: Cutoff) -> np.ndarray:
        prefix = self._prefix(f"gap ** {power}", lambda: (self._gaps // SECOND) ** power)
        return prefix[self._end(at.us)] - prefix[self._begin]

    def _gap_ranked(self, at: Cutoff, rank: np.ndarray) -> np.ndarray:
        """The interval of a rank among those before the cutoff, microseconds; NaN if none."""
        customer = self.events.customer[self._gaps_by_length]
        visible = self._gaps_by_length < self._end(at.us)[customer]
        gaps = self._gaps[self._gaps_by_length[visible]]
        count = np.bincount(customer[visible], minlength=self.customers)
        first = np.cumsum(count) - count
        some = count > 0
        ranked = np.full(self.customers, np.nan)
        ranked[some] = gaps[(first + rank)[some]]
        return ranked


class _Parted:
    """One `EventIndex` for each word of a text measure, made when it is first asked for."""

    def __init__(
        self, events: Events, measure: str, customers: int, instants: Iterable[int]
    ) -> None:
        self._events, self._measure = events, measure
        self._customers, self._instants = customers, tuple(instants)
        self._of: dict[str, EventIndex] = {}

    def of(self, word: str) -> EventIndex:
        if word not in self._of:
            part = self._events.of(self._measure, word)
            self._of[word] = EventIndex(part, self._customers, self._instants)
        return self._of[word]


class PurchaseIndex:
    """Sales and returns of a block of customers, each with its own `EventIndex`."""

    def __init__(self, events: Events, customers: int, instants: Iterable[int] = ()) -> None:
        returned = events.columns["is_return"] == 1
        self.sales = EventIndex(events.where(~returned), customers, instants)
        self.returns = EventIndex(events.where(returned), customers, instants)


class ActivityIndex:
    """Events of a block of customers: kind by kind, and all signs of life together."""

    def __init__(self, events: Events, customers: int, instants: Iterable[int] = ()) -> None:
        self._events, self._customers, self._instants = events, customers, tuple(instants)
        self._by_kind = _Parted(events, "kind", customers, instants)
        self._walks: dict[str, EventIndex] = {}
        self.alive = EventIndex(events.other_than("kind", LEAVING), customers, instants)

    def of(self, kind: str) -> EventIndex:
        """Index of the events of one kind; an empty one if the kind never occurs."""
        return self._by_kind.of(kind)

    def still_open(self, opened: str, resolved: str, at: Cutoff) -> np.ndarray:
        """How many of a kind were opened before the cutoff and not resolved by then.

        Each resolution closes one that is open; with none open it is taken to close one from
        before the log, so that it hides nothing that is opened later.
        """
        if opened not in self._walks:
            both = self._events.either("kind", opened, resolved)
            step = np.where(both.is_word("kind", opened), 1, -1)
            counted = replace(both, columns={"open": _never_below_zero(both.customer, step)})
            self._walks[opened] = EventIndex(counted, self._customers, self._instants)
        return np.nan_to_num(self._walks[opened].last("open", at), nan=0.0)


def _never_below_zero(customer: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Running sum of the steps of each customer, held at zero from below."""
    total = np.cumsum(step)
    first = np.searchsorted(customer, customer)
    own = total - (total - step)[first] if len(step) else total
    # Each customer's values lie far below those before, so one running minimum serves all.
    apart = customer * (2 * len(step) + 1)
    lowest = np.minimum.accumulate(own - apart) + apart
    return own - np.minimum(lowest, 0)


class SurveyIndex:
    """Answers of a block of customers, instrument by instrument."""

    def __init__(
        self,
        events: Events,
        customers: int,
        instruments: Iterable[Instrument],
        instants: Iterable[int] = (),
    ) -> None:
        self._by_instrument = _Parted(events, "instrument", customers, instants)
        self.scales = {scale.name: scale for scale in instruments}

    def of(self, instrument: str) -> EventIndex:
        """Index of the answers to one instrument; an empty one if nobody ever answered."""
        return self._by_instrument.of(instrument)


class BlockIndex:
    """The indexes of all logs of a block of customers.

    Attributes
    ----------
    customer_ids
        Text ids of the customers, in the order of every look-up.
    purchases, activity, surveys
        The index of each log, ``None`` where the log is absent.
    yearly_value
        Declared yearly margin per customer, ``None`` if there is none.
    """

    def __init__(self, logs: Logs, instants: Iterable[int] = ()) -> None:
        n, asked = len(logs.customer_ids), tuple(instants)
        self.customer_ids = logs.customer_ids
        self.yearly_value = logs.yearly_value
        self.purchases: PurchaseIndex | None = None
        self.activity: ActivityIndex | None = None
        self.surveys: SurveyIndex | None = None
        if logs.purchases is not None:
            self.purchases = PurchaseIndex(logs.purchases, n, asked)
        if logs.activity is not None:
            self.activity = ActivityIndex(logs.activity, n, asked)
        if logs.surveys is not None:
            self.surveys = SurveyIndex(logs.surveys, n, logs.instruments, asked)

    def of(self, log: str) -> PurchaseIndex | ActivityIndex | SurveyIndex | None:
        """The index of a log by its name, ``None`` where the log is absent."""
        index: PurchaseIndex | ActivityIndex | SurveyIndex | None = getattr(self, log)
        return index
