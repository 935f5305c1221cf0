"""The events of an activity log: which are declared, known, or counted under their own name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from churnkit.logs.profile.counts import Counts
from churnkit.logs.profile.finding import Finding, agree, share, some
from churnkit.logs.schema import EVENT_KINDS

_SHOWN = 50
_MANY = 200
_RARE_ROWS, _RARE_SHARE = 20, 0.001
_LONGEST = 40


@dataclass(frozen=True)
class EventName:
    """One event name of the source.

    Attributes
    ----------
    event, rows
        The name as the source has it, and its rows.
    kind
        The kind it counts as, or its own name.
    how
        ``declared`` in churnkit.toml, ``known`` by its name, or under its ``own name``.
    """

    event: str
    rows: int
    kind: str
    how: str

    def told(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


def event_names(counts: Counts, kinds: Mapping[str, str]) -> list[EventName]:
    """The most frequent event names, at most 50 of them."""
    declared = {event.strip().lower(): kind.strip().lower() for event, kind in kinds.items()}
    rows = counts.all(
        f"SELECT event, rows FROM {counts.of('event')} ORDER BY rows DESC, event LIMIT {_SHOWN}"
    )
    return [_named(event, count, declared) for event, count in rows]


def _named(event: str, rows: int, declared: Mapping[str, str]) -> EventName:
    name, shown = event.lower(), event[:_LONGEST]
    if name in declared:
        return EventName(shown, rows, declared[name], "declared")
    if (kind := _slug(name)) in EVENT_KINDS:
        return EventName(shown, rows, kind, "known")
    return EventName(shown, rows, shown, "own name")


def _slug(name: str) -> str:
    """A name as it is written where it is no declared one, see `churnkit.logs.fold`."""
    return re.sub(r"[\W_]+", "_", name).strip("_")


def event_findings(counts: Counts, told: Sequence[EventName]) -> Iterator[Finding]:
    """Events that features do not understand, rare ones, and columns that are no event names."""
    (names, rare, rare_rows) = counts.one(
        f"SELECT count(*), count_if(rows < {_limit(counts)}), "
        f"COALESCE(sum(rows) FILTER (rows < {_limit(counts)}), 0)::BIGINT FROM {counts.of('event')}"
    )
    if names > _MANY:
        yield Finding(
            "many_events", "warn",
            f"{names:,} different event names: is the column mapped to event free text?",
            "Map a column with a few dozen different values, or map them to kinds at the source.",
        )  # fmt: skip
    elif rare:
        yield Finding(
            "rare_events", "note",
            f"{some(rare, 'event name')} {agree(rare, 'is', 'are')} rare: {some(rare_rows, 'row')} "
            f"of {counts.rows:,} in all",
        )  # fmt: skip
    own = [name for name in told if name.how == "own name"]
    if own and names <= _MANY:
        yield _unknown(counts, own)


def _limit(counts: Counts) -> float:
    return min(_RARE_ROWS, _RARE_SHARE * counts.rows)


def _unknown(counts: Counts, own: Sequence[EventName]) -> Finding:
    shown = ", ".join(f"{name.event} ({name.rows:,})" for name in own[:6])
    more = f" and {some(len(own) - 6, 'other')}" if len(own) > 6 else ""
    return Finding(
        "events_of_own_name", "note",
        f"{share(sum(name.rows for name in own), counts.rows)} of the rows count under their own "
        f"event name: {shown}{more}",
        "If one of them is a complaint, a failed payment, a cancellation and so on, say so in "
        "[logs.activity.kinds]: rules and features know those.",
    )  # fmt: skip
