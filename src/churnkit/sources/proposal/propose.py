"""Proposals: which column of a source is which, read off names and first rows, with reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from churnkit.logs import SCHEMAS, Instrument
from churnkit.sources.faults import engine_faults
from churnkit.sources.proposal import remarks
from churnkit.sources.proposal.doubts import doubts, rivals
from churnkit.sources.proposal.evidence import Evidence, Looked, evidence, look
from churnkit.sources.proposal.fit import may_be_static
from churnkit.sources.proposal.kinds import kinds_of, opened_tickets
from churnkit.sources.proposal.matching import Match, match_columns
from churnkit.sources.proposal.money import Money, settled
from churnkit.sources.proposal.names import tokens
from churnkit.sources.proposal.notation import decimal_sign, time_pattern
from churnkit.sources.proposal.provenance import Mark, marks, provenance
from churnkit.sources.proposal.refusal import by_name_only, refuse_unrecognised
from churnkit.sources.proposal.scales import Scale, refuse_wide, scales
from churnkit.sources.proposal.told import Why, why
from churnkit.sources.proposal.unnamed import recognised

if TYPE_CHECKING:
    import duckdb

    from churnkit.sources import Source

_MEASURES = ("amount", "unit_price", "quantity", "discount", "value", "score")
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
    groups
        Unused columns of the customers log that sort customers; which of them never change only
        people know, so that none is taken unasked.
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
    groups: tuple[str, ...] = ()
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
            "groups": list(self.groups),
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
    with engine_faults([source]):
        looked = look(con, log, source.attach(con, log))
        cells = {name: evidence(con, looked, name) for name in looked.types}
        return _Reading(con, log, source, looked, cells).proposal()


@dataclass(frozen=True)
class _Reading:
    """The rows of a source, looked at as one log."""

    con: duckdb.DuckDBPyConnection
    log: str
    source: Source
    looked: Looked
    cells: Mapping[str, Evidence]

    def proposal(self) -> Proposal:
        self._require()
        times = self._of("ts").times if "ts" in self.columns else None
        time_format, time_doubts = self._time_format()
        decimal, decimal_doubts = decimal_sign(
            [self._of(column) for column in _MEASURES if column in self.columns]
        )
        left = {name: self.cells[name] for name in self.unused if name not in self.origin}
        return Proposal(
            log=self.log,
            source=self.source,
            columns=self.columns,
            reasons={c: why(c, self.matches[c], self._of(c)) for c in self.columns},
            unused=tuple(left),
            time_format=time_format,
            calendar=times.calendar if times else "gregorian",
            decimal=decimal,
            fold_ids=self.joined > 0,
            provenance=self.origin,
            resolution=("day" if times.days else "second") if times else "",
            grain=self._grain(),
            missing_customer=1 - self._of("customer_id").filled if self.looked.rows else 0.0,
            kinds=self._kinds(),
            scales=self.scales,
            marks=marks(left),
            currencies=self._currencies(),
            groups=self.groups,
            looked_at=self.looked.rows,
            looked_at_all=self.looked.whole,
            noticed=tuple(self._noticed()),
            notes=(
                *rivals(self.matches, self.cells),
                *time_doubts,
                *decimal_doubts,
                *self.money.undecided,
                *remarks.no_numbers(self.con, self.looked, self.cells, self.columns),
                *doubts(self.con, self.log, self.looked, self.cells, self.columns),
                *(scale.doubt for scale in self.scales if scale.doubt),
            ),
        )

    @cached_property
    def money(self) -> Money:
        """The best matches that the rows do not contradict."""
        banned: list[tuple[str, str]] = []
        for _ in range(_TRIES):
            found = match_columns(self.log, self.cells, banned)
            whole = recognised(self.con, self.log, self.looked, self.cells, found)
            money = settled(self.con, self.looked, self.cells, whole)
            if money.banned is None or money.undecided:
                break
            banned.append(("amount", money.banned))
        return money

    @property
    def matches(self) -> Mapping[str, Match]:
        return self.money.matches

    @cached_property
    def columns(self) -> dict[str, str]:
        """Contract column → source column, in the order of the contract."""
        names = (column.name for column in SCHEMAS[self.log].columns)
        return {name: self.matches[name].column for name in names if name in self.matches}

    @cached_property
    def unused(self) -> list[str]:
        return [name for name in self.cells if name not in self.columns.values()]

    @cached_property
    def origin(self) -> tuple[str, ...]:
        """Source columns that say where a row came from."""
        return provenance(self.log, [self.cells[name] for name in self.unused])

    @cached_property
    def joined(self) -> int:
        """How many customers become another one when ids are folded."""
        return remarks.joined_by_folding(self.con, self.looked, self.columns["customer_id"])

    def _of(self, column: str) -> Evidence:
        """What the cells of a column of the contract look like."""
        return self.cells[self.columns[column]]

    def _require(self) -> None:
        for column in SCHEMAS[self.log].columns:
            if column.required and column.name not in self.matches:
                refuse_wide(self.source.name, column.name, self.cells)
                refuse_unrecognised(self.log, self.source.name, column, self.cells)

    def _time_format(self) -> tuple[str | None, tuple[str, ...]]:
        if "ts" not in self.columns or not self._of("ts").count:
            return None, ()
        return time_pattern(self.con, self.looked, self._of("ts"))

    def _grain(self) -> str:
        order = self.columns.get("order_id")
        if self.log != "purchases" or not order or not self.looked.rows:
            return ""
        return remarks.grain(self.con, self.looked, order)

    def _kinds(self) -> dict[str, str]:
        if "event" not in self.columns:
            return {}
        events = [text for text, _ in self._of("event").top]
        kinds = kinds_of(events)
        if any("ticket" in tokens(name) for name in self.cells):
            kinds = opened_tickets(events) | kinds
        return dict(sorted(kinds.items()))

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """The unused columns of the customers that sort them."""
        if self.log != "customers":
            return ()
        return tuple(name for name in self.unused if may_be_static(self.cells[name]))

    @cached_property
    def scales(self) -> tuple[Scale, ...]:
        """The questions of a survey."""
        if self.log != "surveys":
            return ()
        return scales(self.con, self.looked, self._of("instrument"), self._of("score"))

    def _currencies(self) -> tuple[str, ...]:
        """The currencies met, the most frequent first; none if there is but one."""
        met = self._of("currency").top if "currency" in self.columns else ()
        told = tuple(dict.fromkeys(code.upper() for code, _ in met))
        return told if len(told) > 1 else ()

    def _noticed(self) -> Iterator[str]:
        if self.joined:
            yield (
                f"{self.joined:,} ids in {self.columns['customer_id']!r} differ from another only "
                "by the way digits or letters are written, so that fold_ids joins them"
            )
        if self.log == "purchases":
            yield from remarks.returns(self.con, self.looked, self.cells, self.columns)
            if not {"amount", "unit_price"} & self.columns.keys():
                yield (
                    "no column is the money of a row, so that spending stays unknown"
                    f"{by_name_only(self.log, 'amount', self.cells)}"
                )
        yield from remarks.nested(self.cells)
