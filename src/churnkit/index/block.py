"""The indexes of all logs of a block of customers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from churnkit.clock import Cutoff
from churnkit.index.events import ByWord, EventIndex, Parts
from churnkit.index.lines import LineIndex
from churnkit.index.market import Market
from churnkit.index.moments import Lags, Observations, read_only
from churnkit.index.tickets import Tickets, numbered_runs
from churnkit.logs import NO_SIGNS_OF_LIFE, Events, Instrument, Logs


class PurchaseIndex:
    """Sales and returns of a block of customers, each with its own `EventIndex`.

    Attributes
    ----------
    sales, returns
        Occasions with money coming in, and with money going back.
    lines
        What was bought; ``None`` if the log tells neither products nor categories nor channels.
    market
        What all customers did.
    """

    def __init__(
        self,
        events: Events,
        customers: int,
        lags: Lags | None = None,
        lines: Events | None = None,
        market: Market | None = None,
    ) -> None:
        known = Lags() if lags is None else lags
        returned = events.columns["is_return"] == 1
        self.sales = EventIndex(events.where(~returned), customers, known.of("sales"))
        self.returns = EventIndex(events.where(returned), customers, known.of("returns"))
        self.lines = None if lines is None else LineIndex(lines, customers, known)
        self.market = market or Market()
        self._parts = Parts(customers, known)

    def early_sales(self, days: int) -> EventIndex:
        """Index of the sales within ``days`` of the customer's first one."""
        return self._parts.of(f"first {days} days", lambda: self.sales.within_first(days))


class ActivityIndex:
    """Events of a block of customers: kind by kind, and all signs of life together.

    Attributes
    ----------
    alive
        Index of the signs of life: all events but cancellations and surveys sent.
    market
        What all customers did.
    """

    def __init__(
        self,
        events: Events,
        customers: int,
        lags: Lags | None = None,
        market: Market | None = None,
    ) -> None:
        known = Lags() if lags is None else lags
        self._events, self._parts = events, Parts(customers, known)
        self._by_kind = ByWord(events, "kind")
        self._tickets: dict[tuple[str, str], Tickets] = {}
        self.alive = EventIndex(
            events.other_than("kind", *NO_SIGNS_OF_LIFE), customers, known.of("alive")
        )
        self.market = market or Market()

    def of(self, kind: str) -> EventIndex:
        """Index of the events of one kind; an empty one if the kind never occurs."""
        return self._parts.of(f"kind {kind}", lambda: self._by_kind.of(kind))

    def either(self, *kinds: str) -> EventIndex:
        """Index of the events of several kinds together."""
        if len(kinds) == 1:
            return self.of(kinds[0])
        name = f"either of {', '.join(kinds)}"
        return self._parts.of(name, lambda: self._events.either("kind", *kinds))

    def alive_without(self, *kinds: str) -> EventIndex:
        """Index of the signs of life that are of none of these kinds."""
        others = [kind for kind in kinds if kind not in NO_SIGNS_OF_LIFE]
        if not others:
            return self.alive
        dead = (*NO_SIGNS_OF_LIFE, *others)
        name = f"alive without {', '.join(others)}"
        return self._parts.of(name, lambda: self._events.other_than("kind", *dead))

    def tickets(self, opened: str, resolved: str) -> Tickets:
        """What one kind of event opened and another resolved."""
        kinds = opened, resolved
        if kinds not in self._tickets:
            both = self._events.either("kind", *kinds)
            is_open = both.is_word("kind", opened)
            self._tickets[kinds] = Tickets(both, is_open, self._parts, f"{opened}, {resolved}")
        return self._tickets[kinds]

    def repeated(self, kind: str) -> EventIndex:
        """Index of the events of a kind whose ``ref`` had one of that kind before."""
        return self._parts.of(f"repeated {kind}", lambda: _with_known_ref(self.of(kind).events))


def _with_known_ref(events: Events) -> Events:
    ref = events.columns["ref"]
    order = np.lexsort((ref, events.customer))  # stable: at one ref the times stay in order
    again = np.zeros(len(events), dtype=bool)
    again[order] = np.diff(numbered_runs(events.customer[order], ref[order]), prepend=-1) == 0
    return events.where(again & (ref != 0))


class SurveyIndex:
    """Answers of a block of customers, instrument by instrument.

    Attributes
    ----------
    scales
        Instrument → its declared scale.
    """

    def __init__(
        self,
        events: Events,
        customers: int,
        instruments: Iterable[Instrument],
        lags: Lags | None = None,
    ) -> None:
        self._events, self._parts = events, Parts(customers, Lags() if lags is None else lags)
        self._by_instrument = ByWord(events, "instrument")
        self.scales = {scale.name: scale for scale in instruments}

    def of(self, instrument: str) -> EventIndex:
        """Index of the answers to one instrument; an empty one if nobody ever answered."""
        return self._parts.of(
            f"instrument {instrument}", lambda: self._by_instrument.of(instrument)
        )

    def given_by(self, source: str) -> EventIndex:
        """Index of the answers to all instruments of one source: ``customer`` or ``agent``."""
        return self._parts.of(f"source {source}", lambda: self._from(source))

    def _from(self, source: str) -> Events:
        words = self._events.vocabularies["instrument"]
        theirs = [k for k, word in enumerate(words) if self.scales[word].source == source]
        return self._events.where(np.isin(self._events.columns["instrument"], theirs))


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
    static
        Column that is declared never to change → its text per customer.
    market
        What all customers did.
    zone
        Business time zone.
    """

    def __init__(self, logs: Logs, lags: Lags | None = None, market: Market | None = None) -> None:
        n, known = len(logs.customer_ids), Lags() if lags is None else lags
        self.customer_ids = read_only(logs.customer_ids)
        value = logs.yearly_value
        self.yearly_value = None if value is None else read_only(value)
        self.static = dict(logs.static)
        self.market, self.zone = market or Market(), logs.zone
        self.purchases: PurchaseIndex | None = None
        self.activity: ActivityIndex | None = None
        self.surveys: SurveyIndex | None = None
        if logs.purchases is not None:
            self.purchases = PurchaseIndex(logs.purchases, n, known, logs.lines, self.market)
        if logs.activity is not None:
            self.activity = ActivityIndex(logs.activity, n, known, self.market)
        if logs.surveys is not None:
            self.surveys = SurveyIndex(logs.surveys, n, logs.instruments, known)

    def at(self, *cutoffs: Cutoff) -> Observations:
        """Every customer of the block at each cutoff, sorted by customer, then cutoff."""
        return Observations.of_all(len(self.customer_ids), cutoffs)
