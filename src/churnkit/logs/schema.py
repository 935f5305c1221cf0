"""The contract of the four logs: their columns, units and scales, declared once.

The same declarations validate rows (`churnkit.logs.check`), name what is missing in error
messages, and tell ``churnkit init`` what to look for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from churnkit.pseudonyms import Pseudonyms
from churnkit.suppression import Suppression

MONEY_UNITS = 100
"""Amounts are summed as integers of 1/100, so that sums do not depend on row order."""

PRICE_UNITS = 1_000_000
"""Prices of one piece are kept as integers of 1/1,000,000: some cost less than a cent."""

QUANTITY_UNITS = 1000
"""Quantities are summed as integers of 1/1000."""

SCORE_UNITS = 1000
"""Survey scores are summed as integers of 1/1000."""

AMOUNT_LIMIT = 1e12
"""An amount beyond this is taken for a fault of the source, not for a sale."""

ColumnKind = Literal["id", "time", "money", "price", "number", "text", "score"]


@dataclass(frozen=True)
class Column:
    """One column of a log: its name in the contract, how it is read, and what it means.

    ``required`` columns must be mapped and filled; ``filled`` ones only if they are mapped.
    """

    name: str
    kind: ColumnKind
    says: str
    required: bool = False
    filled: bool = False


@dataclass(frozen=True)
class LogSchema:
    """The columns of one log.

    ``key`` names the columns that make two rows the same row; empty means all mapped ones.
    """

    name: str
    says: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """The column of that contract name; ``KeyError`` if there is none."""
        return {c.name: c for c in self.columns}[name]

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns without which the log says nothing."""
        return tuple(c.name for c in self.columns if c.required)


_CUSTOMER = Column("customer_id", "id", "whom the row is about; kept as text", required=True)
_TS = Column("ts", "time", "when it happened; kept as UTC", required=True)

PURCHASES = LogSchema(
    "purchases",
    "orders, invoices or their line items",
    (
        _CUSTOMER,
        _TS,
        Column("amount", "money", "money of the row; below zero is a return", filled=True),
        Column(
            "unit_price", "price", "price of one piece; times quantity where amount is not mapped"
        ),
        Column("order_id", "text", "lines that share it at one instant are one order"),
        Column("product_id", "text", "what was bought"),
        Column("category", "text", "what sort of thing was bought"),
        Column("channel", "text", "where it was bought, such as shop, web or app"),
        Column("quantity", "number", "how many pieces; below zero is a return"),
        Column("discount", "money", "money taken off the row; amount is what is left to pay"),
        Column("currency", "text", "currency of the money, such as EUR"),
    ),
)
ACTIVITY = LogSchema(
    "activity",
    "visits, tickets, complaints, payments, cancellations: anything dated that is not a sale",
    (
        _CUSTOMER,
        _TS,
        Column("event", "text", "what happened; mapped to a kind", required=True),
        Column("value", "number", "a number that came with the event"),
        Column("ref", "text", "ticket, invoice or subscription the event is about"),
    ),
)
SURVEYS = LogSchema(
    "surveys",
    "answers to NPS, CES, CSAT and other questions, and scores given by agents",
    (
        _CUSTOMER,
        _TS,
        Column("instrument", "text", "which question was answered", required=True),
        Column("score", "score", "the answer, on the declared scale", required=True),
        Column("ref", "text", "order or ticket the answer is about"),
    ),
)
CUSTOMERS = LogSchema(
    "customers",
    "one row a customer: what is known beside the logs",
    (
        _CUSTOMER,
        Column("value", "money", "yearly margin of the customer, if known better than from sales"),
        Column("since", "time", "when they became a customer"),
    ),
    key=("customer_id",),
)
SCHEMAS: Mapping[str, LogSchema] = {s.name: s for s in (PURCHASES, ACTIVITY, SURVEYS, CUSTOMERS)}

EVENT_KINDS: Mapping[str, str] = {
    "visit": "a visit to the shop or site",
    "login": "a login",
    "email_open": "an opened e-mail",
    "support_opened": "a support ticket was opened",
    "support_resolved": "a support ticket was resolved",
    "complaint_opened": "a complaint was made",
    "complaint_resolved": "a complaint was settled",
    "payment_failed": "a payment failed",
    "payment_ok": "a payment went through",
    "renewal": "a contract was renewed",
    "cancellation": "the customer cancelled",
    "survey_sent": "a survey was sent",
}
"""Event kinds that features and rules understand; others are counted under their own name."""

LEAVING = "cancellation"
"""The event kind that ends a relation."""

NO_SIGNS_OF_LIFE = (LEAVING, "survey_sent")
"""Event kinds that do not show a customer alive: the end, and what the shop does itself."""


@dataclass(frozen=True)
class Instrument:
    """A survey question with its declared scale.

    Attributes
    ----------
    name
        Name in the features, for example ``nps``; kept in lower case.
    low, high
        Both ends of the scale, inclusive.
    better
        Which end is good for the customer: ``"high"`` or ``"low"``.
    source
        Who gives it: ``"customer"``, or ``"agent"`` who rates a call.
    """

    name: str
    low: float
    high: float
    better: Literal["high", "low"] = "high"
    source: Literal["customer", "agent"] = "customer"

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"scale of {self.name}: {self.low} is not below {self.high}")
        object.__setattr__(self, "name", self.name.strip().lower())  # as in the log


DEFAULT_INSTRUMENTS: tuple[Instrument, ...] = (
    Instrument("nps", 0, 10),
    Instrument("ces", 1, 7),
    Instrument("csat", 1, 5),
    Instrument("intent", 1, 5),
)
"""NPS 0–10, CES 2.0 (1–7, high = ease), CSAT 1–5, intent 1–5 (how likely to buy again).

A shop that asks otherwise declares it.
"""


def _as_name(column: str) -> str:
    words = re.sub(r"\W+", "_", column.strip().lower()).strip("_")
    return words if words[:1].isalpha() else f"c_{words}"


@dataclass(frozen=True)
class LogMapping:
    """How one source becomes a log of the contract.

    Attributes
    ----------
    columns
        Contract column → source column. Contract columns left out are taken to be absent,
        an empty mapping means that the source uses the contract's names.
    time_format
        ``strptime`` pattern of text timestamps, ``"epoch_s"`` or ``"epoch_ms"`` for numbers;
        ``None`` for ISO text and for real timestamps.
    calendar
        Calendar of text timestamps; Jalali ones are ``YYYY-MM-DD`` with ``-``, ``/`` or ``.``,
        or ``YYYYMMDD``, and may be followed by a time of day, without a zone of its own;
        they need no ``time_format``.
    decimal
        What separates the decimals of numbers written as text; the other one of point and
        comma may then group thousands. ``None`` reads plain numbers such as ``1234.5`` only.
    fold_ids
        Write Persian and Arabic digits and letter variants in ids one way, and drop invisible
        characters, so that one customer is not two.
    provenance
        Source columns that say where a row came from (a sheet, a file, a load), not what
        happened: two rows that differ only in them are one.
    static
        Source columns of the customers log that are declared never to change, so that what they
        say today was known at every cutoff; these, and no others, become features.
    exclude
        Source column → values whose rows are set aside on purpose, which is no fault; ``""``
        stands for empty cells.
    rates
        Currency → what one unit of it is worth; rows of other currencies are set aside. Empty:
        money of all currencies is summed as it stands.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    time_format: str | None = None
    calendar: Literal["gregorian", "jalali"] = "gregorian"
    decimal: Literal[".", ","] | None = None
    fold_ids: bool = False
    provenance: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    exclude: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)

    def static_names(self) -> dict[str, str]:
        """Static column under the name of its feature → column of the source.

        The name is that of the source in small letters, all else written as ``_``.

        >>> LogMapping(static=("IMD band", "2nd-region")).static_names()
        {'imd_band': 'IMD band', 'c_2nd_region': '2nd-region'}
        """
        return {_as_name(column): column for column in self.static}


@dataclass(frozen=True)
class Contract:
    """All declarations under which logs are read.

    Attributes
    ----------
    mappings
        Log name → `LogMapping`.
    kinds
        Source event name → event kind; unmapped events keep their own name.
    instruments
        The survey questions that may occur.
    zone
        Business time zone: naive timestamps are in it, and days begin in it. In the hour that
        clocks skip they move forward by it; in the hour that comes twice they are the second.
    max_rejected_share
        Share of a log's rows that may be set aside for a fault before reading stops;
        repetitions and rows excluded on purpose are none.
    pseudonyms
        What customers are called from then on in place of their ids, whatever the log; ids are
        folded before, where a mapping says so. ``None`` keeps the ids.
    suppression
        Whose rows are set aside first of all, as if they were not there; by the ids, or by the
        pseudonyms where there are some.
    """

    mappings: Mapping[str, LogMapping] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    instruments: tuple[Instrument, ...] = DEFAULT_INSTRUMENTS
    zone: str = "UTC"
    max_rejected_share: float = 0.05
    pseudonyms: Pseudonyms | None = None
    suppression: Suppression | None = None

    @property
    def static(self) -> tuple[str, ...]:
        """Names of the static columns of the customers, as their features are called."""
        return tuple(self.mappings.get("customers", LogMapping()).static_names())
