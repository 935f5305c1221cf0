"""What ``init`` reads off a file: which column is which, and what it cannot know."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from churnkit.errors import DataError
from churnkit.logs import Instrument
from churnkit.sources import connect
from churnkit.sources.files import FileSource
from churnkit.sources.propose import Proposal, propose


@pytest.fixture(scope="module")
def con():
    with connect() as connection:
        yield connection


@pytest.fixture
def proposed(con, tmp_path):
    """Writes rows as CSV (or Parquet) and proposes how to read them as a log."""

    def look(log: str, content: str | pd.DataFrame) -> Proposal:
        path = Path(tmp_path / (f"{log}.csv" if isinstance(content, str) else f"{log}.parquet"))
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            content.to_parquet(path)
        return propose(con, log, FileSource(path))

    return look


# ── Columns by their names ──────────────────────────────────────────────────────────────────

EXPORTS = {
    "Online Retail": (
        "purchases",
        "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country",
        {
            "customer_id": "Customer ID",
            "ts": "InvoiceDate",
            "amount": "Price",
            "order_id": "Invoice",
            "product_id": "StockCode",
            "quantity": "Quantity",
        },
        ("Description", "Country"),
    ),
    "CDNOW": (
        "purchases",
        "customer_id,timestamp,amount,quantity",
        {
            "customer_id": "customer_id",
            "ts": "timestamp",
            "amount": "amount",
            "quantity": "quantity",
        },
        (),
    ),
    "a shop in capitals": (
        "purchases",
        "CUSTOMER_NO,ORDER-DATE,NET AMOUNT,ORDER_NO,SKU,QTY",
        {
            "customer_id": "CUSTOMER_NO",
            "ts": "ORDER-DATE",
            "amount": "NET AMOUNT",
            "order_id": "ORDER_NO",
            "product_id": "SKU",
            "quantity": "QTY",
        },
        (),
    ),
    "the most telling name wins": (
        "purchases",
        "user,customer,date,timestamp,price,total",
        {"customer_id": "customer", "ts": "timestamp", "amount": "total"},
        ("user", "date", "price"),
    ),
    "no amount": (
        "purchases",
        "member_id,purchase_date",
        {"customer_id": "member_id", "ts": "purchase_date"},
        (),
    ),
    "OULAD": (
        "activity",
        "customer_id,timestamp,event_type,score,day,is_banked",
        {
            "customer_id": "customer_id",
            "ts": "timestamp",
            "event": "event_type",
            "value": "score",
        },
        ("day", "is_banked"),
    ),
    "tickets": (
        "activity",
        "Account,Created At,Action,Ticket ID",
        {"customer_id": "Account", "ts": "Created At", "event": "Action", "ref": "Ticket ID"},
        (),
    ),
    "answers": (
        "surveys",
        "client_id,answered_at,question,rating,case_id,comment",
        {
            "customer_id": "client_id",
            "ts": "answered_at",
            "instrument": "question",
            "score": "rating",
            "ref": "case_id",
        },
        ("comment",),
    ),
    "customers": (
        "customers",
        "Customer Number,Segment,Yearly Value",
        {"customer_id": "Customer Number", "value": "Yearly Value"},
        ("Segment",),
    ),
}


@pytest.mark.parametrize("export", EXPORTS)
def test_columns_are_recognised_by_name(export, proposed):
    log, header, columns, unused = EXPORTS[export]
    proposal = proposed(log, f"{header}\n{',' * header.count(',')}\n")
    assert proposal.log == log
    assert proposal.columns == columns
    assert proposal.unused == unused


def test_no_column_is_used_twice(proposed):
    proposal = proposed("activity", "customer_id,ts,type,value\na,2024-01-01,visit,1\n")
    assert sorted(proposal.columns.values()) == ["customer_id", "ts", "type", "value"]


@pytest.mark.parametrize(
    ("log", "header", "missing"),
    [
        ("purchases", "who,ts,amount", "customer_id"),
        ("purchases", "customer_id,when,amount", "ts"),
        ("activity", "customer_id,ts,what", "event"),
        ("surveys", "customer_id,ts,score", "instrument"),
        ("surveys", "customer_id,ts,survey", "score"),
        ("customers", "name,value", "customer_id"),
    ],
)
def test_a_required_column_that_is_not_recognised(log, header, missing, proposed):
    with pytest.raises(DataError) as told:
        proposed(log, f"{header}\n")
    assert f"{log}.csv: no column looks like {missing}" in told.value.found
    assert all(repr(column) in told.value.found for column in header.split(","))
    assert f"Rename the column to '{missing}'" in told.value.mend
    assert f"[logs.{log}.columns]" in told.value.mend


def test_a_price_beside_a_quantity_may_be_that_of_one_piece(proposed):
    line = "customer_id,ts,quantity,{}\na,2024-01-01,3,10\n"
    assert proposed("purchases", line.format("Price")).notes == (
        "is 'Price' the money of the whole row, or the price of one piece?",
    )
    assert proposed("purchases", line.format("amount")).notes == ()
    assert proposed("purchases", "customer_id,ts,price\na,2024-01-01,3\n").notes == ()


# ── Times ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("times", "time_format"),
    [
        (["2024-01-31", "2024-02-01"], None),
        (["2024-01-31 10:00:00+01:00"], None),
        (["31/01/2024", "01/02/2024"], "%d/%m/%Y"),
        (["01/31/2024", "02/01/2024"], "%m/%d/%Y"),
        (["31.01.2024 10:00"], "%d.%m.%Y %H:%M"),
        (["01/31/2024 10:00:59"], "%m/%d/%Y %H:%M:%S"),
        (["20240131", " 20240201 "], "%Y%m%d"),
        (["31/01/2024", "", "31/01/2024"], "%d/%m/%Y"),
        ([], None),
    ],
)
def test_the_pattern_of_times_is_read_off_the_rows(times, time_format, proposed):
    proposal = proposed("purchases", "customer_id,ts\n" + "".join(f"a,{t}\n" for t in times))
    assert proposal.time_format == time_format
    assert proposal.notes == ()


def test_days_and_months_that_could_be_either_are_told(proposed):
    proposal = proposed("purchases", "customer_id,Order Date\na,01/02/2024\na,03/04/2024\n")
    assert proposal.time_format == "%d/%m/%Y"
    assert proposal.notes == ("the times in 'Order Date' also read as %m/%d/%Y: check which it is",)


def test_one_day_above_twelve_tells_which_it_is(proposed):
    rows = "".join(f"a,01/{day:02d}/2024\n" for day in range(1, 14))
    assert proposed("purchases", "customer_id,ts\n" + rows).time_format == "%m/%d/%Y"


def test_times_in_no_known_pattern_are_told(proposed):
    proposal = proposed("purchases", "customer_id,ts\na,3rd of May\n")
    assert proposal.time_format is None
    assert proposal.notes == ("the times in 'ts' are in no known pattern: set time_format",)


def test_real_timestamps_need_no_pattern(proposed):
    frame = pd.DataFrame({"customer_id": ["a"], "ts": pd.to_datetime(["2024-01-01"])})
    assert proposed("purchases", frame).time_format is None


# ── Missing customers ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("ids", "share"), [(["a", "b"], 0.0), (["a", "", " ", "b"], 0.5), ([], 0.0)]
)
def test_the_share_of_rows_without_a_customer(ids, share, proposed):
    rows = "".join(f'"{customer}",2024-01-01\n' for customer in ids)
    assert proposed("purchases", "customer_id,ts\n" + rows).missing_customer == share


# ── Kinds and instruments ───────────────────────────────────────────────────────────────────

KINDS = {
    "unregister": "cancellation",
    "Subscription cancelled": "cancellation",
    "account-closed": "cancellation",
    "closed account": "cancellation",
    "Complaint": "complaint_opened",
    "complaint_closed": "complaint_resolved",
    "Ticket created": "support_opened",
    "support case closed": "support_resolved",
    "Payment declined": "payment_failed",
    "payment success": "payment_ok",
    "Log-in": "login",
    "sign_in": "login",
    "page_view": "visit",
    "e-mail opened": "email_open",
    "auto-renewed": "renewal",
    "register": "",
    "submit_TMA": "",
}


def test_kinds_are_proposed_by_the_name_of_the_event(proposed):
    rows = "".join(f" {event} ,a,2024-01-01\n" for event in KINDS)
    proposal = proposed("activity", "event,customer_id,ts\n" + rows)
    assert proposal.kinds == {event: kind for event, kind in KINDS.items() if kind}


def test_events_that_are_a_kind_already_need_no_entry(proposed):
    rows = "visit,a,2024-01-01\nCancellation,a,2024-01-01\n,a,2024-01-01\n"
    assert proposed("activity", "event,customer_id,ts\n" + rows).kinds == {}


def test_questions_are_proposed_with_the_scale_they_are_known_for_or_seen_with(proposed):
    rows = "NPS,9\nces,5\nSoft Skills,40\nsoft skills,95.5\nmood,nan\nmood,2\nyes,1\n,3\nodd,?\n"
    proposal = proposed(
        "surveys",
        "instrument,score,customer_id,ts,name\n"
        + "".join(f"{row},a,2024-01-01,x\n" for row in rows.splitlines()),
    )
    assert proposal.instruments == (
        Instrument("ces", 1, 7),
        Instrument("mood", 2, 3),
        Instrument("nps", 0, 10),
        Instrument("odd", 0, 1),
        Instrument("soft skills", 40, 95.5),
        Instrument("yes", 1, 2),
    )


# ── Files that cannot be read ───────────────────────────────────────────────────────────────


def test_a_broken_file_is_named(proposed):
    with pytest.raises(DataError, match=r"purchases.csv cannot be read.*Line: 3"):
        proposed("purchases", "customer_id,ts\na,2024-01-01\na\n")


def test_a_missing_file_is_named(con, tmp_path):
    with pytest.raises(DataError, match=r"orders.csv: no such file"):
        propose(con, "purchases", FileSource(tmp_path / "orders.csv"))
