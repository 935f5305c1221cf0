"""What the rows of a log leave open, as questions to whoever knows the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from churnkit.sources.proposal import remarks
from churnkit.sources.proposal.evidence import Evidence, Looked
from churnkit.sources.proposal.fit import each_once
from churnkit.sources.proposal.matching import Match

if TYPE_CHECKING:
    import duckdb


def rivals(matches: Mapping[str, Match], cells: Mapping[str, Evidence]) -> Iterator[str]:
    """Columns that matter and that two source columns could be."""
    for column in ("customer_id", "ts", "amount"):
        match = matches.get(column)
        if match and match.rival:
            told = ", or is it ".join(
                f"{name!r} ({cells[name].distinct:,} values)"
                for name in (match.column, match.rival)
            )
            yield f"is {column} {told}?"


def doubts(
    con: duckdb.DuckDBPyConnection,
    log: str,
    looked: Looked,
    cells: Mapping[str, Evidence],
    columns: Mapping[str, str],
) -> Iterator[str]:
    """Ids that may be one customer or none, amounts that may be cents, a clock that stands apart.

    Parameters
    ----------
    con, log, looked
        The rows looked at, and the log they are read as.
    cells
        Source column → what its cells look like.
    columns
        Contract column → source column.
    """
    customer = columns["customer_id"]
    yield from remarks.id_remarks(con, looked, customer)
    if log in {"purchases", "activity"} and each_once(cells[customer]):
        yield f"every row has its own {customer!r}: is that the customer?"
    money = columns.get("amount") or columns.get("unit_price")
    if log == "purchases" and money and remarks.may_be_cents(con, looked, cells[money]):
        yield f"the numbers in {money!r} are whole: are they cents? Then divide them by 100"
    unused = [name for name in cells if name not in columns.values()]
    clock = remarks.clock_apart(con, looked, unused)
    if clock and "ts" in columns:
        yield f"the time of day stands apart in {clock!r}: join it to {columns['ts']!r} to use it"
