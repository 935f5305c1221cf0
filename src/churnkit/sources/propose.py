"""Proposals: which column of a file is which, read off its header and first rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from churnkit.errors import DataError
from churnkit.logs import DEFAULT_INSTRUMENTS, EVENT_KINDS, SCHEMAS, Instrument
from churnkit.logs.sql import literal, quoted
from churnkit.sources.files import FileSource, reading_error

if TYPE_CHECKING:
    import duckdb

ROWS_LOOKED_AT = 100_000
_ALMOST_ALL = 0.99

# Names as they are met in exports, the most telling first; compared without case and signs.
_NAMES: Mapping[str, Sequence[str]] = {
    "customer_id": (
        "customer_id", "customer", "customer_no", "customer_number", "client_id", "client",
        "cust_id", "user_id", "user", "member_id", "account_id", "account", "household_id",
        "subscriber_id", "buyer_id",
    ),
    "ts": (
        "ts", "timestamp", "datetime", "event_time", "invoice_date", "order_date",
        "purchase_date", "transaction_date", "order_time", "created_at", "occurred_at",
        "answered_at", "event_date", "date_time", "date", "time", "day",
    ),
    "amount": (
        "amount", "total_amount", "net_amount", "total", "total_price", "revenue", "sales",
        "sales_value", "spend", "order_value", "gross_amount", "line_total", "price",
    ),
    "order_id": (
        "order_id", "order", "order_no", "invoice", "invoice_no", "invoice_id", "basket_id",
        "transaction_id", "receipt_id", "receipt",
    ),
    "product_id": (
        "product_id", "product", "stock_code", "sku", "item_id", "article_id", "article",
    ),
    "quantity": ("quantity", "qty", "units", "items", "pieces"),
    "event": ("event", "event_type", "event_name", "action", "activity", "kind", "type"),
    "value": ("value", "yearly_value", "margin", "score"),
    "ref": ("ref", "reference", "ticket_id", "subscription_id", "invoice_id", "case_id"),
    "instrument": ("instrument", "survey", "question", "survey_type", "metric", "kind", "type"),
    "score": ("score", "rating", "answer", "response", "value"),
}  # fmt: skip

_KINDS: Mapping[str, str] = {
    r"unregister|unsubscri|cancel|churn|terminat|clos(e|ed)_account|account_clos": "cancellation",
    r"complain\w*_(resol|clos|settl)": "complaint_resolved",
    r"complain": "complaint_opened",
    r"(ticket|support|case)\w*_(resol|clos|solv)": "support_resolved",
    r"(ticket|support|case)\w*_(open|creat)": "support_opened",
    r"payment\w*_(fail|declin|refus)|failed_payment": "payment_failed",
    r"payment\w*_(ok|success|paid)": "payment_ok",
    r"log_?in|sign_?in": "login",
    r"visit|page_?view|session": "visit",
    r"(e_?)?mail\w*_open": "email_open",
    r"renew": "renewal",
}

_TIME_FORMATS = (
    "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S",
    "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y%m%d",
)  # fmt: skip


@dataclass(frozen=True)
class Proposal:
    """What a file seems to hold, read as one log of the contract.

    Attributes
    ----------
    log, source
        The log it is read as, and the file.
    columns
        Contract column → source column.
    unused
        Source columns that nothing is made of.
    time_format
        Pattern of text timestamps that are not ISO.
    missing_customer
        Share of the rows looked at that have no customer.
    kinds
        Source event name → event kind, for the names that are not a kind already.
    instruments
        The survey questions met, with their scales.
    notes
        Sentences about what could not be decided from the rows looked at.
    """

    log: str
    source: FileSource
    columns: Mapping[str, str]
    unused: tuple[str, ...]
    time_format: str | None = None
    missing_customer: float = 0.0
    kinds: Mapping[str, str] = field(default_factory=dict)
    instruments: tuple[Instrument, ...] = ()
    notes: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """The proposal as JSON-ready values."""
        return {
            "log": self.log,
            "path": self.source.name,
            "columns": dict(self.columns),
            "unused": list(self.unused),
            "undecided": list(self.notes),
        }


def propose(con: duckdb.DuckDBPyConnection, log: str, source: FileSource) -> Proposal:
    """Look at the header and first rows of a file and propose how to read it as a log.

    Raises
    ------
    DataError
        If the file cannot be read, or a column the log cannot do without is not recognised.
    """
    import duckdb

    try:
        return _read_off(con, log, source, source.attach(con, log).table)
    except duckdb.Error as error:
        raise reading_error(source.name, error) from error


def _read_off(con: duckdb.DuckDBPyConnection, log: str, source: FileSource, view: str) -> Proposal:
    first = f"(SELECT * FROM {view} LIMIT {ROWS_LOOKED_AT})"
    types = dict(con.sql(f"SELECT column_name, column_type FROM (DESCRIBE {view})").fetchall())
    columns = _recognised(log, source, types)
    time_format, notes = _time_format(con, first, columns.get("ts"), types)
    return Proposal(
        log=log,
        source=source,
        columns=columns,
        unused=tuple(name for name in types if name not in columns.values()),
        time_format=time_format,
        missing_customer=_share_blank(con, first, columns["customer_id"]),
        kinds=_kinds(con, first, columns["event"]) if "event" in columns else {},
        instruments=_instruments(con, first, columns) if log == "surveys" else (),
        notes=(*notes, *_price_note(columns)),
    )


def _recognised(log: str, source: FileSource, types: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for column in SCHEMAS[log].columns:
        free = {_plain(name): name for name in types if name not in found.values()}
        match = next((free[_plain(n)] for n in _NAMES.get(column.name, ()) if _plain(n) in free), None)
        if match is not None:
            found[column.name] = match
        elif column.required:
            raise DataError(
                f"{source.name}: no column looks like {column.name} ({column.says}); "
                f"there are {', '.join(map(repr, types))}",
                f"Rename the column to {column.name!r} in the file, or write churnkit.toml by hand "
                f"with {column.name} under [logs.{log}.columns].",
            )
    return found


def _price_note(columns: Mapping[str, str]) -> tuple[str, ...]:
    amount = columns.get("amount", "")
    if "quantity" not in columns or _plain(amount) != "price":
        return ()
    return (f"is {amount!r} the money of the whole row, or the price of one piece?",)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _time_format(
    con: duckdb.DuckDBPyConnection, first: str, column: str | None, types: Mapping[str, str]
) -> tuple[str | None, tuple[str, ...]]:
    if column is None or types[column] != "VARCHAR":
        return None, ()
    text = f"TRIM({quoted(column)})"
    told = f"FROM {first} WHERE {text} <> ''"
    (iso,) = _one(con, f"SELECT avg((TRY_CAST({text} AS TIMESTAMP) IS NOT NULL)::INT) {told}")
    if iso is None or iso > 0.5:
        return None, ()
    read = ", ".join(
        f"avg((try_strptime({text}, {literal(p)}) IS NOT NULL)::INT)" for p in _TIME_FORMATS
    )
    shares = _one(con, f"SELECT {read} {told}")
    fits = [p for p, share in zip(_TIME_FORMATS, shares, strict=True) if share > _ALMOST_ALL]
    if len(fits) > 1:
        return fits[0], (f"the times in {column!r} also read as {fits[1]}: check which it is",)
    if not fits:
        return None, (f"the times in {column!r} are in no known pattern: set time_format",)
    return fits[0], ()


def _share_blank(con: duckdb.DuckDBPyConnection, first: str, column: str) -> float:
    blank = f"TRIM(COALESCE(CAST({quoted(column)} AS VARCHAR), '')) = ''"
    (share,) = _one(con, f"SELECT avg(({blank})::INT) FROM {first}")
    return float(share or 0.0)


def _kinds(con: duckdb.DuckDBPyConnection, first: str, column: str) -> dict[str, str]:
    rows = con.sql(
        f"SELECT DISTINCT TRIM(CAST({quoted(column)} AS VARCHAR)) FROM {first} "
        f"WHERE {quoted(column)} IS NOT NULL ORDER BY 1 LIMIT 200"
    ).fetchall()
    told = {event: _kind_of(event) for (event,) in rows if event.lower() not in EVENT_KINDS}
    return {event: kind for event, kind in told.items() if kind}


def _kind_of(event: str) -> str:
    name = re.sub(r"\W+", "_", event.lower())
    return next((kind for pattern, kind in _KINDS.items() if re.search(pattern, name)), "")


def _instruments(
    con: duckdb.DuckDBPyConnection, first: str, columns: Mapping[str, str]
) -> tuple[Instrument, ...]:
    answers = (
        f"SELECT lower(TRIM(CAST({quoted(columns['instrument'])} AS VARCHAR))) AS name, "
        f"TRY_CAST({quoted(columns['score'])} AS DOUBLE) AS score FROM {first}"
    )
    rows = con.sql(
        "SELECT name, min(score) FILTER (isfinite(score)), max(score) FILTER (isfinite(score)) "
        f"FROM ({answers}) WHERE name <> '' GROUP BY name ORDER BY name"
    ).fetchall()
    known = {scale.name: scale for scale in DEFAULT_INSTRUMENTS}
    return tuple(known.get(name) or _observed(name, low, high) for name, low, high in rows)


def _observed(name: str, low: float | None, high: float | None) -> Instrument:
    start = 0.0 if low is None else low
    end = start + 1 if high is None or high <= start else high
    return Instrument(name, start, end)


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    return tuple(con.sql(sql).fetchall()[0])
