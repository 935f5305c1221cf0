"""The trials: each changes logs where no feature may notice it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from churnkit.audit.sample import only
from churnkit.clock import DAY, Cutoff, seen_before
from churnkit.features import Feature
from churnkit.logs import Events, Logs

_WEEKS = 13  # a quarter: another month, another season
_DELAY, _AHEAD = 30, 60  # days by which events are moved, and within which some are made up
_ALONE = 20

_FUTURE = "it sees what happens at or after the cutoff"
_BY_METHODS = (
    "Read events by the methods that take the observations, such as p.sales.count(at, 30)."
)


@dataclass(frozen=True)
class Variant:
    """Changed logs, and the cutoff at which their features must be what they were.

    Attributes
    ----------
    logs, cutoff
        What is built.
    old_ids
        New id → old id, if the customers have new ones.
    beside
        Other cutoffs that are built with it.
    """

    logs: Logs
    cutoff: Cutoff
    old_ids: Mapping[str, str] = field(default_factory=dict)
    beside: tuple[Cutoff, ...] = ()


def _nothing(_: Feature) -> bool:
    return False


@dataclass(frozen=True)
class Trial:
    """One way to change logs.

    Attributes
    ----------
    name, fault, mend
        What is done, what a feature does wrong that changes thereby, and how to mend it.
    variants
        Makes the changed logs of a cutoff.
    spares
        The features that may change.
    without_clocks
        Whether it is done in UTC: weeks are not all of one length where clocks are changed.
    """

    name: str
    fault: str
    mend: str
    variants: Callable[[Logs, Cutoff, np.random.Generator], Iterator[Variant]]
    spares: Callable[[Feature], bool] = _nothing
    without_clocks: bool = False


def _again(logs: Logs, cutoff: Cutoff, _: np.random.Generator) -> Iterator[Variant]:
    yield Variant(logs, cutoff)


def _among_others(logs: Logs, cutoff: Cutoff, _: np.random.Generator) -> Iterator[Variant]:
    """As in training, which asks for many cutoffs at once."""
    yield Variant(logs, cutoff, beside=(cutoff.shifted(-_DELAY), cutoff.shifted(_DELAY)))


def _dropped(logs: Logs, cutoff: Cutoff, _: np.random.Generator) -> Iterator[Variant]:
    yield Variant(logs.before(cutoff), cutoff)


def _changed(logs: Logs, cutoff: Cutoff, rng: np.random.Generator) -> Iterator[Variant]:
    """The events from the cutoff on come later, to others, and are others."""

    def change(events: Events) -> Events:
        late = np.flatnonzero(~seen_before(events.ts, cutoff))
        customer, ts, row = events.customer.copy(), events.ts.copy(), np.arange(len(events))
        customer[late] = rng.permutation(customer[late])
        ts[late] += rng.integers(0, _DELAY * DAY, len(late))
        row[late] = rng.permutation(late)
        return _in_order(replace(events.where(row), customer=customer, ts=ts))

    yield Variant(logs.each(change), cutoff)


def _added(logs: Logs, cutoff: Cutoff, rng: np.random.Generator) -> Iterator[Variant]:
    """What came before the cutoff comes once more: each third at the cutoff, the others later."""

    def change(events: Events) -> Events:
        past = np.flatnonzero(seen_before(events.ts, cutoff))
        later = rng.integers(1, _AHEAD * DAY, len(past))
        later[::3] = 0
        row = np.concatenate((np.arange(len(events)), past))
        ts = np.concatenate((events.ts, cutoff.us + later))
        return _in_order(replace(events.where(row), ts=ts))

    yield Variant(logs.each(change), cutoff)


def _moved(logs: Logs, cutoff: Cutoff, _: np.random.Generator) -> Iterator[Variant]:
    weeks = _WEEKS * 7 * DAY
    moved = logs.each(lambda events: replace(events, ts=events.ts + weeks))
    yield Variant(moved, replace(cutoff, us=cutoff.us + weeks))


def _renamed(logs: Logs, cutoff: Cutoff, rng: np.random.Generator) -> Iterator[Variant]:
    """Customers have other names, and come in another order."""
    new = rng.permutation(logs.customer_count)
    old = np.argsort(new)
    names = np.array([f"customer {k:09d}" for k in range(len(new))], dtype=object)
    renamed = logs.each(lambda e: _in_order(replace(e, customer=new[e.customer])))
    value = None if logs.yearly_value is None else logs.yearly_value[old]
    static = {name: texts.where(old) for name, texts in logs.static.items()}
    renamed = replace(renamed, customer_ids=names, yearly_value=value, static=static)
    yield Variant(renamed, cutoff, dict(zip(names, logs.customer_ids[old], strict=True)))


def _alone(logs: Logs, cutoff: Cutoff, rng: np.random.Generator) -> Iterator[Variant]:
    """Some of the customers that have a past, one at a time."""
    past = logs.before(cutoff).events.values()
    known = np.unique(np.concatenate([events.customer for events in past]))
    for customer in rng.permutation(known)[:_ALONE]:
        yield Variant(only(logs, np.array([customer])), cutoff)


def _in_order(events: Events) -> Events:
    """Events that were changed, by customer and time again."""
    return events.where(np.lexsort((events.ts, events.customer)))


REPEATED = Trial(
    "built twice",
    "it is not the same twice, as if it were random",
    "Compute it from the events and the cutoff alone, without random numbers or what is kept "
    "from call to call.",
    _again,
)
"""What the other trials rely on."""

TRIALS: tuple[Trial, ...] = (
    REPEATED,
    Trial(
        "other cutoffs beside",
        "its value at one cutoff depends on the others that are asked for",
        "Return for each observation what holds at its own cutoff: at.us, not one of at.cutoffs.",
        _among_others,
    ),
    Trial("the future dropped", _FUTURE, _BY_METHODS, _dropped),
    Trial("the future changed", _FUTURE, _BY_METHODS, _changed),
    Trial("events added to the future", _FUTURE, _BY_METHODS, _added),
    Trial(
        f"everything {_WEEKS} weeks later",
        "it depends on the date, and does not say so",
        "Say seasonal=True if it means the season; else count from the cutoff, at.us.",
        _moved,
        spares=lambda feature: feature.seasonal,
        without_clocks=True,
    ),
    Trial(
        "customers renamed",
        "it depends on ids, or on the order of customers",
        "Return for each observation what its customer did: at.customer is only a position.",
        _renamed,
    ),
    Trial(
        "a customer alone",
        "it depends on other customers, and does not say so",
        'Compare with all customers by the market, such as p.market.of("sales"), and say '
        'streams=("sales",).',
        _alone,
        spares=lambda feature: bool(feature.streams),
    ),
)
"""All trials, in the order in which they are made."""
