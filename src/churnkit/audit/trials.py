"""The trials: each changes logs where no feature may notice it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from churnkit.audit.sample import each, only
from churnkit.clock import DAY, Cutoff, seen_before
from churnkit.features import Feature
from churnkit.logs import Events, Logs

_WEEKS = 13  # a quarter: another month, another season
_DELAY, _AHEAD = 30, 60  # days by which events are moved, and within which some are made up
_ALONE = 20


@dataclass(frozen=True)
class Variant:
    """Changed logs, and the cutoff at which their features must be what they were.

    Attributes
    ----------
    logs, cutoff
        What is built.
    old_ids
        New id → old id, if the customers have new ones.
    """

    logs: Logs
    cutoff: Cutoff
    old_ids: Mapping[str, str] = field(default_factory=dict)


def _nothing(_: Feature) -> bool:
    return False


@dataclass(frozen=True)
class Trial:
    """One way to change logs.

    Attributes
    ----------
    name, fault
        What is done, and what a feature does wrong that changes thereby.
    variants
        Makes the changed logs of a cutoff.
    spares
        The features that may change.
    without_clocks
        Whether it is done in UTC: weeks are not all of one length where clocks are changed.
    """

    name: str
    fault: str
    variants: Callable[[Logs, Cutoff, np.random.Generator], Iterator[Variant]]
    spares: Callable[[Feature], bool] = _nothing
    without_clocks: bool = False


def _again(logs: Logs, cutoff: Cutoff, _: np.random.Generator) -> Iterator[Variant]:
    yield Variant(logs, cutoff)


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
        columns = {name: values[row] for name, values in events.columns.items()}
        return _in_order(replace(events, customer=customer, ts=ts, columns=columns))

    yield Variant(each(logs, change), cutoff)


def _added(logs: Logs, cutoff: Cutoff, rng: np.random.Generator) -> Iterator[Variant]:
    """All events happen once more: each third at the cutoff itself, the others after it."""

    def change(events: Events) -> Events:
        past = np.flatnonzero(seen_before(events.ts, cutoff))
        later = rng.integers(1, _AHEAD * DAY, len(past))
        later[::3] = 0
        row = np.concatenate((np.arange(len(events)), past))
        columns = {name: values[row] for name, values in events.columns.items()}
        ts = np.concatenate((events.ts, cutoff.us + later))
        return _in_order(replace(events, customer=events.customer[row], ts=ts, columns=columns))

    yield Variant(each(logs, change), cutoff)


def _moved(logs: Logs, cutoff: Cutoff, _: np.random.Generator) -> Iterator[Variant]:
    weeks = _WEEKS * 7 * DAY
    moved = each(logs, lambda events: replace(events, ts=events.ts + weeks))
    yield Variant(moved, replace(cutoff, us=cutoff.us + weeks))


def _renamed(logs: Logs, cutoff: Cutoff, rng: np.random.Generator) -> Iterator[Variant]:
    """Customers have other names, and come in another order."""
    new = rng.permutation(logs.customer_count)
    old = np.argsort(new)
    names = np.array([f"customer {k:09d}" for k in range(len(new))], dtype=object)
    renamed = each(logs, lambda e: _in_order(replace(e, customer=new[e.customer])))
    value = None if logs.yearly_value is None else logs.yearly_value[old]
    renamed = replace(renamed, customer_ids=names, yearly_value=value)
    yield Variant(renamed, cutoff, dict(zip(names, logs.customer_ids[old], strict=True)))


def _alone(logs: Logs, cutoff: Cutoff, rng: np.random.Generator) -> Iterator[Variant]:
    """Some of the customers that have a past, one at a time."""
    past = logs.before(cutoff).events.values()
    known = np.unique(np.concatenate([events.customer for events in past]))
    for customer in rng.permutation(known)[:_ALONE]:
        yield Variant(only(logs, np.array([customer])), cutoff)


def _in_order(events: Events) -> Events:
    """Events that were changed, by customer and time again."""
    order = np.lexsort((events.ts, events.customer))
    columns = {name: values[order] for name, values in events.columns.items()}
    return replace(events, customer=events.customer[order], ts=events.ts[order], columns=columns)


REPEATED = Trial("built twice", "it is not the same twice, as if it were random", _again)
"""What the other trials rely on."""

TRIALS: tuple[Trial, ...] = (
    REPEATED,
    Trial("the future dropped", "it sees what happens at or after the cutoff", _dropped),
    Trial("the future changed", "it sees what happens at or after the cutoff", _changed),
    Trial("events added to the future", "it sees what happens at or after the cutoff", _added),
    Trial(
        f"everything {_WEEKS} weeks later",
        "it depends on the date, and does not say so (seasonal=True)",
        _moved,
        spares=lambda feature: feature.seasonal,
        without_clocks=True,
    ),
    Trial("customers renamed", "it depends on ids, or on the order of customers", _renamed),
    Trial(
        "a customer alone",
        "it depends on other customers, and does not say so (streams=…)",
        _alone,
        spares=lambda feature: bool(feature.streams),
    ),
)
"""All trials, in the order in which they are made."""
