"""How a source writes times and decimals, where its rows decide it, and what they leave open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from churnkit.sources.proposal.evidence import Evidence, Looked
from churnkit.sources.proposal.moments import Moments, share_in_order

if TYPE_CHECKING:
    import duckdb

_READ_ALIKE = 0.95
_IN_ORDER, _IN_DISORDER = 0.999, 0.97


def time_pattern(
    con: duckdb.DuckDBPyConnection, looked: Looked, cells: Evidence
) -> tuple[str | None, tuple[str, ...]]:
    """The ``time_format`` of a column of times, and sentences about what is not sure of it."""
    times = cells.times
    if times is None:
        return None, (f"the times in {cells.name!r} are in no known pattern: set time_format",)
    odd = f"{1 - times.share:.1%} of the times in {cells.name!r} do not read like the rest"
    doubts = (odd,) if times.share < _READ_ALIKE else ()
    if times.rival is None:
        return times.time_format, doubts
    told = _pattern_in_order(con, looked, cells, times, times.rival)
    if told:
        return told, doubts
    says = f"the times in {cells.name!r} also read as {times.rival}: check which it is"
    return times.time_format, (*doubts, says)


def _pattern_in_order(
    con: duckdb.DuckDBPyConnection, looked: Looked, cells: Evidence, times: Moments, rival: str
) -> str:
    """The pattern under which the rows follow one another in time, if only one does."""
    order = {
        pattern: share_in_order(con, looked.first, cells.name, cells.type, pattern)
        for pattern in (times.time_format or "", rival)
    }
    best, other = sorted(order, key=lambda p: -order[p])
    return best if order[best] > _IN_ORDER and order[other] < _IN_DISORDER else ""


def decimal_sign(measured: Sequence[Evidence]) -> tuple[str | None, tuple[str, ...]]:
    """The ``decimal`` that columns of numbers need, and sentences about what is not sure of it."""
    signs = {c.decimal: c for c in measured if c.decimal is not None and not c.ambiguous}
    if len(signs) > 1:
        names = " and ".join(repr(c.name) for c in signs.values())
        return ",", (f"{names} do not write decimals the same way: mend one of them",)
    if signs:
        return next(iter(signs)), ()
    doubtful = next((c.name for c in measured if c.ambiguous), "")
    if not doubtful:
        return None, ()
    says = f"is the comma in {doubtful!r} one of thousands (as written here) or of decimals?"
    return ".", (says,)
