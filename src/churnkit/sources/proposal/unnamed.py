"""Columns whose header says nothing, told by their content: only where one reading is left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from churnkit.logs import SCHEMAS
from churnkit.logs.sql import quoted
from churnkit.sources.proposal.evidence import Evidence, Looked
from churnkit.sources.proposal.fit import CURRENCIES, QUESTIONS, dates, names_something
from churnkit.sources.proposal.kinds import kind_of
from churnkit.sources.proposal.matching import Match
from churnkit.sources.proposal.names import name_score, says_nothing, tokens

if TYPE_CHECKING:
    import duckdb

_ENOUGH = 20


def recognised(
    con: duckdb.DuckDBPyConnection,
    log: str,
    looked: Looked,
    cells: Mapping[str, Evidence],
    matches: Mapping[str, Match],
) -> dict[str, Match]:
    """The matches, with columns added that only their content tells.

    A required column may be recognised under any name that says nothing else; an optional one
    only under a name that says nothing at all, such as ``col3``.
    """
    found = dict(matches)
    taken = {match.column for match in found.values()}
    free = {name: c for name, c in cells.items() if name not in taken and c.count >= 3}
    for column, tell in _TELLERS[log].items():
        if column in found:
            continue
        open_ = [c for n, c in free.items() if _is_open(log, column, n)]
        only = tell(con, looked, open_)
        if only is not None:
            found[column] = Match(only.name, 0.0, 0.3, says=_SAYS[column])
            free.pop(only.name)
    return found


def _is_open(log: str, column: str, name: str) -> bool:
    """Whether the name leaves room for this column of the contract."""
    if says_nothing(name):
        return True
    if not SCHEMAS[log].column(column).required or column == "customer_id":
        return False
    calls_it = any(
        name_score(tokens(name), any_log, other.name)
        for any_log, schema in SCHEMAS.items()
        for other in schema.columns
        if other.name != column
    )
    return column == "ts" and not calls_it and len(tokens(name)) == 1


def _only(cells: Iterable[Evidence]) -> Evidence | None:
    found = list(cells)
    return found[0] if len(found) == 1 else None


def _time(_: object, __: object, cells: list[Evidence]) -> Evidence | None:
    return _only(c for c in cells if c.times is not None and c.times.share > 0.95)


def _customer(
    con: duckdb.DuckDBPyConnection, looked: Looked, cells: list[Evidence]
) -> Evidence | None:
    ids = [c for c in cells if _repeats_like_a_customer(c)]
    if len(ids) < 2:
        return _only(ids)
    # Orders belong to one customer each; products and shops do not.
    owners = [c for c in ids if any(_decides(con, looked, o, c) for o in cells if o is not c)]
    return _only(owners)


def _repeats_like_a_customer(cells: Evidence) -> bool:
    few = cells.is_whole and cells.low >= 0 and cells.high < 1000 and cells.repeats > 20
    return (
        names_something(cells)
        and cells.times is None
        and cells.distinct >= _ENOUGH
        and 1.2 <= cells.repeats <= 500
        and cells.length <= 40
        and cells.spaced < 0.05
        and cells.negative == 0
        and not few
    )


def _decides(
    con: duckdb.DuckDBPyConnection, looked: Looked, one: Evidence, other: Evidence
) -> bool:
    """Whether every value of one column comes with one value of the other, and not inversely."""
    if not names_something(one) or one.times or one.repeats < 1.05 or one.spaced > 0.05:
        return False
    if one.distinct < 1.2 * other.distinct:
        return False
    first, second = quoted(one.name), quoted(other.name)
    ((alone,),) = con.sql(
        f"SELECT avg((n = 1)::INT) FROM (SELECT count(DISTINCT {second}) AS n "
        f"FROM {looked.first} GROUP BY {first} HAVING count(*) > 1)"
    ).fetchall()
    return alone is not None and alone > 0.98


def _money(_: object, __: object, cells: list[Evidence]) -> Evidence | None:
    decimals = (c for c in cells if c.is_number and c.whole < 0.9 and not dates(c))
    return _only(decimals)


def _currency(_: object, __: object, cells: list[Evidence]) -> Evidence | None:
    codes = (c for c in cells if {code.upper() for code, _ in c.top} <= CURRENCIES)
    return _only(codes)


def _event(_: object, __: object, cells: list[Evidence]) -> Evidence | None:
    return _only(c for c in cells if c.distinct <= 100 and any(kind_of(t) for t, _ in c.top))


def _instrument(_: object, __: object, cells: list[Evidence]) -> Evidence | None:
    return _only(c for c in cells if {t.lower() for t, _ in c.top} & QUESTIONS)


def _score(_: object, __: object, cells: list[Evidence]) -> Evidence | None:
    small = (c for c in cells if c.is_number and c.low >= 0 and c.high <= 100 and c.distinct <= 101)
    return _only(small)


_Teller = Callable[["duckdb.DuckDBPyConnection", Looked, list[Evidence]], Evidence | None]
_EVENTS: Mapping[str, _Teller] = {"ts": _time, "customer_id": _customer}
_TELLERS: Mapping[str, Mapping[str, _Teller]] = {
    "purchases": {**_EVENTS, "currency": _currency, "amount": _money},
    "activity": {"ts": _time, "event": _event, "customer_id": _customer},
    "surveys": {"ts": _time, "instrument": _instrument, "score": _score, "customer_id": _customer},
    "customers": {},
}
_SAYS = {
    "ts": "the only column of times",
    "customer_id": "the only column of ids that repeat as customers do",
    "amount": "the only column of numbers with decimals",
    "currency": "its values are codes of currencies",
    "event": "its values are names of events",
    "instrument": "its values are names of survey questions",
    "score": "the only column of small numbers",
}
