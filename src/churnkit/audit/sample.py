"""A few customers of logs of any length, as logs in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from churnkit.clock import Cutoff, seen_before
from churnkit.logs import CustomerLogs, Events, Logs, Texts

_CROSSING_SHARE = 0.75


def sample(logs: CustomerLogs, cutoffs: Sequence[Cutoff], customers: int, seed: int) -> Logs:
    """The logs of some customers, most of whom have events on both sides of a cutoff.

    Parameters
    ----------
    logs
        Logs of any length, which are read twice.
    cutoffs
        Cutoffs that customers are to have events before and after.
    customers
        How many are taken, as far as there are so many.
    seed
        Seed of the choice, which does not depend on the blocks of the logs.
    """
    crossing = np.concatenate([_cross(block, cutoffs) for block in logs.blocks()])
    order = np.argsort(np.random.default_rng(seed).random(len(crossing)))
    both, others = order[crossing[order]], order[~crossing[order]]
    many = int(np.ceil(customers * _CROSSING_SHARE))
    rest = np.concatenate((others, both[many:]))
    chosen = np.sort(np.concatenate((both[:many], rest))[:customers])
    return joined(list(_of(logs, chosen)))


def _cross(block: Logs, cutoffs: Sequence[Cutoff]) -> np.ndarray:
    """Whether each customer has events before and after the same cutoff."""
    crossing = np.zeros(block.customer_count, dtype=bool)
    for cutoff in cutoffs:
        before, after = (np.zeros(block.customer_count, dtype=bool) for _ in range(2))
        for events in block.events.values():
            seen = seen_before(events.ts, cutoff)
            before[events.customer[seen]] = True
            after[events.customer[~seen]] = True
        crossing |= before & after
    return crossing


def _of(logs: CustomerLogs, chosen: np.ndarray) -> Iterator[Logs]:
    """The part of each block that belongs to the customers of these positions."""
    start = 0
    for block in logs.blocks():
        stop = start + block.customer_count
        lo, hi = np.searchsorted(chosen, [start, stop])
        if lo != hi:
            yield only(block, chosen[lo:hi] - start)
        start = stop


def only(logs: Logs, chosen: np.ndarray) -> Logs:
    """The logs of the customers of some positions, which rise."""
    number = np.full(logs.customer_count, -1)
    number[chosen] = np.arange(len(chosen))

    def cut(events: Events) -> Events:
        kept = events.where(number[events.customer] != -1)
        return replace(kept, customer=number[kept.customer])

    return replace(
        logs.each(cut),
        customer_ids=logs.customer_ids[chosen],
        yearly_value=None if logs.yearly_value is None else logs.yearly_value[chosen],
        static={name: texts.where(chosen) for name, texts in logs.static.items()},
    )


def joined(parts: Sequence[Logs]) -> Logs:
    """The logs of several blocks as one."""
    starts = np.cumsum([0, *(part.customer_count for part in parts)])
    first = parts[0]
    events = {
        name: _concatenated([part.events[name] for part in parts], starts) for name in first.events
    }
    lines = [part.lines for part in parts if part.lines is not None]
    values = [part.yearly_value for part in parts if part.yearly_value is not None]
    return replace(
        first.with_events(events, _concatenated(lines, starts) if lines else None),
        customer_ids=np.concatenate([part.customer_ids for part in parts]),
        yearly_value=np.concatenate(values) if values else None,
        static={
            name: Texts.of([text for part in parts for text in part.static[name].as_list()])
            for name in first.static
        },
    )


def _concatenated(parts: Sequence[Events], starts: np.ndarray) -> Events:
    customers = [part.customer + start for part, start in zip(parts, starts, strict=False)]
    columns = {m: np.concatenate([part.columns[m] for part in parts]) for m in parts[0].columns}
    ts = np.concatenate([part.ts for part in parts])
    return replace(parts[0], customer=np.concatenate(customers), ts=ts, columns=columns)
