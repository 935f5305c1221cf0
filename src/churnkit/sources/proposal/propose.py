"""Proposals: which column of a source is which, read off names and first rows, with reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from churnkit.errors import DataError
from churnkit.logs import SCHEMAS, Instrument
from churnkit.sources.files import reading_error
from churnkit.sources.proposal import remarks
from churnkit.sources.proposal.evidence import Evidence, Looked, evidence, look
from churnkit.sources.proposal.fit import each_once
from churnkit.sources.proposal.kinds import kinds_of, opened_tickets
from churnkit.sources.proposal.matching import Match, called, match_columns
from churnkit.sources.proposal.moments import Moments, share_in_order
from churnkit.sources.proposal.money import Money, settled
from churnkit.sources.proposal.names import tokens
from churnkit.sources.proposal.provenance import Mark, marks, provenance
from churnkit.sources.proposal.scales import Scale, refuse_wide, scales
from churnkit.sources.proposal.told import Why, why
from churnkit.sources.proposal.unnamed import recognised

if TYPE_CHECKING:
    import duckdb

    from churnkit.sources import Source

_MEASURES = ("amount", "unit_price", "quantity", "value", "score")
_TRIES = 4


@dataclass(frozen=True)
class Proposal:
    """What a source seems to hold, read as one log of the contract.

    Attributes
    ----------
    log, source
        The log it is read as, and the file or table.
    columns
        Contract column → source column.
    reasons
        Contract column → why it was chosen and how sure that is.
    unused
        Source columns that nothing is made of.
    time_format, calendar, decimal, fold_ids, provenance
        As in `LogMapping`.
    resolution
        ``"day"`` if all times are at midnight, else ``"second"``; empty without times.
    grain
        ``"line items"`` if several rows share an order, ``"orders"`` if none do; else empty.
    missing_customer
        Share of the rows looked at that have no customer.
    kinds
        Source event name → event kind, for the names that are not a kind already.
    scales
        The survey questions met, with their scales and why.
    marks
        Rows that may be meant to be left out; nothing is excluded unasked.
    currencies
        Currencies met if there are several.
    looked_at, looked_at_all
        Number of rows looked at, and whether these are all there are.
    noticed
        Sentences about what the rows show.
    notes
        Sentences about what could not be decided from the rows looked at.
    """

    log: str
    source: Source
    columns: Mapping[str, str]
    reasons: Mapping[str, Why]
    unused: tuple[str, ...]
    time_format: str | None = None
    calendar: str = "gregorian"
    decimal: str | None = None
    fold_ids: bool = False
    provenance: tuple[str, ...] = ()
    resolution: str = ""
    grain: str = ""
    missing_customer: float = 0.0
    kinds: Mapping[str, str] = field(default_factory=dict)
    scales: tuple[Scale, ...] = ()
    marks: tuple[Mark, ...] = ()
    currencies: tuple[str, ...] = ()
    looked_at: int = 0
    looked_at_all: bool = True
    noticed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The survey questions met."""
        return tuple(scale.instrument for scale in self.scales)

    def told(self) -> dict[str, Any]:
        """The proposal as JSON-ready values."""
        return {
            "log": self.log,
            "path": self.source.name,
            "columns": dict(self.columns),
            "reasons": {c: {"why": r.why, "sure": r.sure} for c, r in self.reasons.items()},
            "unused": list(self.unused),
            "time_format": self.time_format,
            "calendar": self.calendar,
            "decimal": self.decimal,
            "fold_ids": self.fold_ids,
            "provenance": list(self.provenance),
            "resolution": self.resolution,
            "grain": self.grain,
            "kinds": dict(self.kinds),
            "looked_at": self.looked_at,
            "noticed": list(self.noticed),
            "undecided": list(self.notes),
        }


def propose(con: duckdb.DuckDBPyConnection, log: str, source: Source) -> Proposal:
    """Look at the names and first rows of a source and propose how to read it as a log.

    Raises
    ------
    DataError
        If the source cannot be read, or a column the log cannot do without is not recognised.
    """
    import duckdb

    try:
        looked = look(con, log, source.attach(con, log))
        cells = {name: evidence(con, looked, name) for name in looked.types}
        return _Reading(con, log, source, looked, cells).proposal()
    except duckdb.Error as error:
        raise reading_error(source.name, error) from error


@dataclass(frozen=True)
class _Reading:
    """The rows of a source, looked at as one log."""

    con: duckdb.DuckDBPyConnection
    log: str
    source: Source
    looked: Looked
    cells: Mapping[str, Evidence]

    def proposal(self) -> Proposal:
        money = self._matches()
        matches = money.matches
        self._require(matches)
        columns = {
            c.name: matches[c.name].column for c in SCHEMAS[self.log].columns if c.name in matches
        }
        unused = [name for name in self.cells if name not in columns.values()]
        origin = provenance(self.log, [self.cells[name] for name in unused])
        times = self.cells[columns["ts"]].times if "ts" in columns else None
        time_format, time_notes = self._time_format(columns.get("ts"), times)
        decimal, number_notes = self._decimal(columns)
        customer = columns["customer_id"]
        joined = remarks.joined_by_folding(self.con, self.looked, customer)
        return Proposal(
            log=self.log,
            source=self.source,
            columns=columns,
            reasons={c: why(c, matches[c], self.cells[s]) for c, s in columns.items()},
            unused=tuple(name for name in unused if name not in origin),
            time_format=time_format,
            calendar=times.calendar if times else "gregorian",
            decimal=decimal,
            fold_ids=joined > 0,
            provenance=origin,
            resolution=("day" if times.days else "second") if times else "",
            grain=self._grain(columns),
            missing_customer=1 - self.cells[customer].filled if self.looked.rows else 0.0,
            kinds=self._kinds(columns),
            scales=self._scales(columns),
            marks=marks({name: self.cells[name] for name in unused if name not in origin}),
            currencies=self._currencies(columns),
            looked_at=self.looked.rows,
            looked_at_all=self.looked.whole,
            noticed=tuple(self._noticed(columns, joined)),
            notes=(
                *self._rivals(matches),
                *time_notes,
                *number_notes,
                *money.undecided,
                *self._doubts(columns, unused),
            ),
        )

    def _matches(self) -> Money:
        """The best match that the rows do not contradict."""
        banned: list[tuple[str, str]] = []
        for _ in range(_TRIES):
            found = match_columns(self.log, self.cells, banned)
            whole = recognised(self.con, self.log, self.looked, self.cells, found)
            money = settled(self.con, self.looked, self.cells, whole)
            if money.banned is None or money.undecided:
                break
            banned.append(("amount", money.banned))
        return money

    def _require(self, matches: Mapping[str, Match]) -> None:
        for column in SCHEMAS[self.log].columns:
            if column.required and column.name not in matches:
                refuse_wide(self.source.name, column.name, self.cells)
                near = called(self.log, column.name, self.cells)
                but = f" ({' and '.join(map(repr, near))} by name, but not by content)"
                raise DataError(
                    f"{self.source.name}: no column looks like {column.name} ({column.says})"
                    f"{but if near else ''}; there are {', '.join(map(repr, self.cells))}",
                    f"Rename the column to {column.name!r} in the source, or write churnkit.toml "
                    f"by hand with {column.name} under [logs.{self.log}.columns].",
                )

    def _time_format(
        self, column: str | None, times: Moments | None
    ) -> tuple[str | None, tuple[str, ...]]:
        if column is None or not self.cells[column].count:
            return None, ()
        if times is None:
            return None, (f"the times in {column!r} are in no known pattern: set time_format",)
        odd = f"{1 - times.share:.1%} of the times in {column!r} do not read like the rest"
        notes = (odd,) if times.share < 0.95 else ()
        if times.rival is None:
            return times.time_format, notes
        told, decided = self._day_or_month_first(column, times, times.rival)
        other = times.rival if told == times.time_format else times.time_format
        says = f"the times in {column!r} also read as {other}: check which it is"
        return told, notes if decided else (*notes, says)

    def _day_or_month_first(
        self, column: str, times: Moments, rival: str
    ) -> tuple[str | None, bool]:
        """The pattern under which the rows follow one another in time, if only one does."""
        order = {
            pattern: share_in_order(
                self.con, self.looked.first, column, self.looked.types[column], pattern
            )
            for pattern in (times.time_format or "", rival)
        }
        best, other = sorted(order, key=lambda p: -order[p])
        if order[best] > 0.999 and order[other] < 0.97:
            return best, True
        return times.time_format, False

    def _decimal(self, columns: Mapping[str, str]) -> tuple[str | None, tuple[str, ...]]:
        measured = [self.cells[columns[c]] for c in _MEASURES if c in columns]
        signs = {c.decimal: c for c in measured if c.decimal is not None and not c.ambiguous}
        doubtful = [c for c in measured if c.ambiguous]
        if len(signs) > 1:
            names = " and ".join(repr(c.name) for c in signs.values())
            return ",", (f"{names} do not write decimals the same way: mend one of them",)
        if signs:
            return next(iter(signs)), ()
        if doubtful:
            name = doubtful[0].name
            return ".", (
                f"is the comma in {name!r} one of thousands (as written here) or of decimals?",
            )
        return None, ()

    def _grain(self, columns: Mapping[str, str]) -> str:
        order = columns.get("order_id")
        known = self.log == "purchases" and order and self.looked.rows
        return remarks.grain(self.con, self.looked, order) if known and order else ""

    def _kinds(self, columns: Mapping[str, str]) -> dict[str, str]:
        if "event" not in columns:
            return {}
        events = [text for text, _ in self.cells[columns["event"]].top]
        kinds = kinds_of(events)
        if "ticket" in tokens(columns["event"]) or any("ticket" in tokens(n) for n in self.cells):
            kinds = opened_tickets(events) | kinds
        return dict(sorted(kinds.items()))

    def _scales(self, columns: Mapping[str, str]) -> tuple[Scale, ...]:
        if self.log != "surveys":
            return ()
        asked, score = (self.cells[columns[c]] for c in ("instrument", "score"))
        return scales(self.con, self.looked, asked, score)

    def _currencies(self, columns: Mapping[str, str]) -> tuple[str, ...]:
        """The currencies met, the most frequent first; none if there is but one."""
        met = self.cells[columns["currency"]].top if "currency" in columns else ()
        told = tuple(dict.fromkeys(code.upper() for code, _ in met))
        return told if len(told) > 1 else ()

    def _noticed(self, columns: Mapping[str, str], joined: int) -> Iterator[str]:
        if joined:
            yield (
                f"{joined:,} ids in {columns['customer_id']!r} differ from another only by the "
                "way digits or letters are written, so that fold_ids joins them"
            )
        if self.log == "purchases":
            yield from remarks.returns(self.con, self.looked, self.cells, columns)
            if not {"amount", "unit_price"} & columns.keys():
                yield "no column is the money of a row, so that spending stays unknown"

    def _rivals(self, matches: Mapping[str, Match]) -> Iterator[str]:
        for column in ("customer_id", "ts", "amount"):
            match = matches.get(column)
            if match and match.rival:
                told = ", or is it ".join(
                    f"{name!r} ({self.cells[name].distinct:,} values)"
                    for name in (match.column, match.rival)
                )
                yield f"is {column} {told}?"

    def _doubts(self, columns: Mapping[str, str], unused: list[str]) -> Iterator[str]:
        customer = columns["customer_id"]
        yield from remarks.id_remarks(self.con, self.looked, customer)
        if self.log in {"purchases", "activity"} and each_once(self.cells[customer]):
            yield f"every row has its own {customer!r}: is that the customer?"
        if self.log == "purchases":
            yield from self._money_doubts(columns)
        clock = remarks.clock_apart(self.con, self.looked, unused)
        if clock and "ts" in columns:
            ts = columns["ts"]
            yield f"the time of day stands apart in {clock!r}: join it to {ts!r} to use it"

    def _money_doubts(self, columns: Mapping[str, str]) -> Iterator[str]:
        told = columns.get("amount") or columns.get("unit_price")
        if told and remarks.may_be_cents(self.con, self.looked, self.cells[told]):
            yield f"the numbers in {told!r} are whole: are they cents? Then divide them by 100"
