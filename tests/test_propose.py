"""What ``init`` reads off a file: which column is which, and what it cannot know."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from churnkit.errors import DataError
from churnkit.logs import Instrument
from churnkit.sources import connect
from churnkit.sources.files import FileSource
from churnkit.sources.proposal import Proposal, propose


@pytest.fixture
def proposed(tmp_path):
    """Writes rows as CSV (or Parquet) and proposes how to read them as a log."""

    def look(log: str, content: str | pd.DataFrame) -> Proposal:
        path = Path(tmp_path / (f"{log}.csv" if isinstance(content, str) else f"{log}.parquet"))
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            content.to_parquet(path)
        with connect(reads=[path]) as con:
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
            "unit_price": "Price",
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
        ("purchases", "customer_id,whenever,amount", "ts"),
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


# ── Money ───────────────────────────────────────────────────────────────────────────────────


def sold(header: str, rows: list[str]) -> str:
    """Purchases of ten customers, the rest of each row as given."""
    told = (f"c{k % 10},2024-01-{1 + k % 28:02d},{row}\n" for k, row in enumerate(rows))
    return f"customer_id,ts,{header}\n" + "".join(told)


def test_a_price_beside_a_quantity_may_be_that_of_one_piece(proposed):
    (note,) = proposed("purchases", sold("quantity,Price", ["3,10"])).notes
    assert note.startswith("is 'Price' the money of the whole row, or the price of one piece")
    assert proposed("purchases", sold("quantity,amount", ["3,10"])).notes == ()
    assert proposed("purchases", sold("price", ["3"])).columns["amount"] == "price"


def test_a_price_that_is_the_same_whatever_the_quantity_is_that_of_one_piece(proposed):
    rows = [f"{k % 4},{1 + k % 3},{5 + k % 4}" for k in range(60)]
    told = proposed("purchases", sold("sku,quantity,price", rows))
    assert told.columns["unit_price"] == "price"
    assert "products cost the same whatever the quantity" in told.reasons["unit_price"].why
    assert told.notes == ()


def test_a_price_that_grows_with_the_quantity_is_the_money_of_the_row(proposed):
    rows = [f"{k % 4},{1 + k % 3},{(5 + k % 4) * (1 + k % 3)}" for k in range(60)]
    told = proposed("purchases", sold("sku,quantity,price", rows))
    assert told.columns["amount"] == "price"
    assert "unit_price" not in told.columns
    assert "grows with the quantity" in told.reasons["amount"].why


def test_a_price_above_zero_where_the_quantity_is_below_is_that_of_one_piece(proposed):
    rows = [f"{-1 if k % 3 else 2},{1 + k}" for k in range(60)]
    told = proposed("purchases", sold("quantity,price", rows))
    assert told.columns["unit_price"] == "price"
    assert told.notes == ()


def test_an_amount_that_is_price_times_quantity_needs_no_guess(proposed):
    rows = [f"{1 + k % 3},{k}.50,{(1 + k % 3) * (k + 0.5)}" for k in range(60)]
    told = proposed("purchases", sold("quantity,unit price,amount", rows))
    assert (told.columns["amount"], told.columns["unit_price"]) == ("amount", "unit price")
    assert told.unused == ()
    assert "it is 'unit price' times 'quantity'" in told.reasons["amount"].why
    assert "only looked at" in told.reasons["unit_price"].why


@pytest.mark.parametrize(
    ("amounts", "decimal", "undecided"),
    [
        (["1.50", "12.00"], None, 0),
        (["1,50", "12,00"], ",", 0),
        (["1.234,50", "12"], ",", 0),
        (["1,234.50", "12"], ".", 0),
        (["1,234", "1,500"], ".", 1),  # thousands, or three decimals
        (["۱۲٫۵۰", "۱٬۲۳۴"], None, 0),
    ],
)
def test_decimals_are_told_by_how_the_numbers_are_written(amounts, decimal, undecided, proposed):
    told = proposed("purchases", sold("amount", [f'"{amount}"' for amount in amounts * 3]))
    assert told.columns["amount"] == "amount"
    assert told.decimal == decimal
    assert len(told.notes) == undecided


def test_numbers_written_in_two_ways_are_told(proposed):
    told = proposed("purchases", sold("amount,quantity", ['"1,50",1', '"2,75","2.5"'] * 5))
    assert told.decimal == ","
    assert told.notes == ()  # 2.5 is plain; under a comma it is no number, which the check tells


def test_returns_and_how_their_orders_are_called(proposed):
    rows = [f"{'C' if k % 5 == 0 else ''}{5000 + k},{-3 if k % 5 == 0 else 4}" for k in range(50)]
    (said,) = proposed("purchases", sold("invoice,amount", rows)).noticed
    assert said == (
        "20.0% of the rows have an amount below zero and count as returns; "
        "their order ids begin with 'C'"
    )


@pytest.mark.parametrize(
    ("name", "cells", "is_money"),
    [
        ("discount", ["0.00", "2.50", "1.99"], True),
        ("discount", ["150", "0", "4000"], True),
        ("discount", ["0.2", "0", "0.15"], False),  # a share
        ("discount", ["20%", "0%", "15%"], False),
        ("discount", ["20", "0", "15"], False),  # rather percent
        ("discount amount", ["20", "0", "15"], True),  # the name says otherwise
        ("discount %", ["20", "0", "15.5"], False),
        ("discount", ["0", "0", "0"], False),
        ("discount", ["-2.50", "-1.99", "-4.20"], False),  # below zero would add to the money
        ("discount", ["SUMMER", "", "SPRING"], False),  # a code
        ("discount", ["2.50", "", ""], True),  # few rows have one
    ],
)
def test_a_discount_is_money_and_no_rate(name, cells, is_money, proposed):
    told = proposed("purchases", sold(f"amount,{name}", [f"9.90,{cell}" for cell in cells] * 20))
    assert told.columns.get("discount") == (name if is_money else None)
    assert told.columns["amount"] == "amount"


def test_a_discount_that_needs_a_comma_of_decimals_declares_it(proposed):
    told = proposed("purchases", sold("amount,rabatt", ['12,"1,50"', '12,"2,25"'] * 20))
    assert (told.columns["discount"], told.decimal) == ("rabatt", ",")
    assert "numbers from 1.5 to 2.25" in told.reasons["discount"].why


def test_discounts_of_which_some_are_no_numbers_are_told(proposed):
    told = proposed("purchases", sold("amount,discount", ["9,2.50"] * 95 + ["9,none"] * 5))
    assert any(n.startswith("5.0% of the cells in 'discount' are no numb") for n in told.notes)


@pytest.mark.parametrize(
    ("name", "cell", "column"),
    [
        ("category", "tea {d}", "category"),
        ("category_id", "{d}", "category"),
        ("category", "a word about cup {k}, never the same twice", None),
        ("category", "0.{d}5", None),
        ("sales channel", "web", "channel"),
        ("platform", "app {d}", "channel"),
        ("channel", "true", None),
        ("marketing channel", "web", None),
        ("customer category", "gold", None),
    ],
)
def test_sorts_and_channels_are_few_words_that_repeat(name, cell, column, proposed):
    rows = [f'9.90,"{cell.format(k=k, d=k % 7)}"' for k in range(1200)]
    told = proposed("purchases", sold(f"amount,{name}", rows))
    found = {c: source for c, source in told.columns.items() if c in {"category", "channel"}}
    assert found == ({column: name} if column else {})
    assert told.unused == (() if column else (name,))


def test_several_currencies_are_told(proposed):
    rows = ["5,EUR", "7,USD", "9,EUR"] * 5
    assert proposed("purchases", sold("amount,currency", rows)).currencies == ("EUR", "USD")
    assert proposed("purchases", sold("amount,currency", rows[:1])).currencies == ()


def test_without_money_that_is_told(proposed):
    told = proposed("purchases", sold("shop", ["north"]))
    assert told.noticed == ("no column is the money of a row, so that spending stays unknown",)


# ── What is no part of what happened ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("column", "value", "is_origin"),
    [
        ("sheet", "2009-2010", True),
        ("in_both_sheets", "true", True),
        ("source_file", "export_{k}.csv", True),
        ("source", "C:\\data\\jan.xlsx", True),
        ("source", "web", False),
        ("loaded_at", "2024-05-0{d}", True),
        ("import_duty", "3.50", False),
        ("_fivetran_synced", "2024-05-01", True),
        ("batch_id", "77", True),
        ("row", "{k}", True),
        ("Unnamed: 0", "{k}", True),
        ("index", "{k}", True),
        ("line_no", "{d}", False),
        ("row", "{d}", False),  # runs anew in every order
    ],
)
def test_where_a_row_came_from_is_no_part_of_it(column, value, is_origin, proposed):
    rows = [f"{k // 9},7,{value.format(k=k, d=1 + k % 9)}" for k in range(90)]
    told = proposed("purchases", sold(f"order_id,amount,{column}", rows))
    assert told.provenance == ((column,) if is_origin else ())
    assert told.unused == (() if is_origin else (column,))


@pytest.mark.parametrize(
    ("column", "marked", "values"),
    [
        ("is_test", "true", ("true",)),
        ("deleted", "1", ("1",)),
        ("void", "Yes", ("Yes",)),
        ("order status", "Cancelled", ("Cancelled",)),
        ("وضعیت", "لغو شده", ("لغو شده",)),
        ("colour", "true", ()),
    ],
)
def test_marked_rows_are_told_and_left_to_people(column, marked, values, proposed):
    other = {"true": "false", "1": "0", "Yes": "No"}.get(marked, "paid")
    rows = [f"5,{marked if k % 10 == 0 else other}" for k in range(50)]
    told = proposed("purchases", sold(f"amount,{column}", rows))
    assert [(m.column, m.values, m.share) for m in told.marks] == (
        [(column, values, 0.1)] if values else []
    )


def test_a_mark_on_most_rows_is_none(proposed):
    assert proposed("purchases", sold("amount,is_test", ["5,true"] * 9)).marks == ()


# ── How sure ────────────────────────────────────────────────────────────────────────────────


def test_a_clear_name_with_fitting_rows_is_sure(proposed):
    told = proposed("purchases", sold("amount", ["5.50"] * 60))
    assert {column: reason.sure for column, reason in told.reasons.items()} == {
        "customer_id": "sure",
        "ts": "sure",
        "amount": "sure",
    }
    assert told.reasons["customer_id"].why == "the name says it; 10 values that repeat"
    assert told.reasons["ts"].why == "the name says it; days from 2024-01-01 to 2024-01-28"


def test_a_header_without_rows_is_never_sure(proposed):
    told = proposed("purchases", "customer_id,ts,amount\n")
    assert {reason.sure for reason in told.reasons.values()} == {"likely"}


def test_two_columns_that_say_the_same_are_told(proposed):
    told = proposed("purchases", "order no,invoice no,client,date\n1,2,a,2024-01-01\n")
    assert told.reasons["order_id"].sure == "likely"
    assert "'invoice no' could be it as well" in told.reasons["order_id"].why


def test_the_content_overrules_the_name(proposed):
    rows = "".join(f"Ann,{100 + k % 7},x,2024-01-01\n" for k in range(60))
    told = proposed("purchases", "customer name,customer,date,order date\n" + rows)
    assert told.columns["customer_id"] == "customer"
    assert told.columns["ts"] == "order date"  # the other one holds no dates


def test_what_is_told_is_ready_for_json(proposed):
    told = proposed("purchases", sold("amount", ["5.50"] * 3)).told()
    assert json.loads(json.dumps(told)) == told
    assert told["reasons"]["amount"]["sure"] == "sure"


# ── Ids ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("ids", "fold_ids", "doubts"),
    [
        (["12", "۱۲", "13"], True, 0),
        (["علي", "علی"], True, 0),
        (["۱۲", "۱۳"], False, 0),  # all written one way: nothing to join
        (["007", "7"], False, 1),
        (["12.0", "12"], False, 1),
        (["ab", "AB"], False, 1),
        (["12", "13"], False, 0),
    ],
)
def test_ids_that_differ_only_in_writing(ids, fold_ids, doubts, proposed):
    rows = "".join(f"{name},2024-01-0{k}\n" for k in range(1, 9) for name in ids)
    told = proposed("activity", "customer,ts,event\n" + rows.replace("\n", ",visit\n"))
    assert told.fold_ids == fold_ids
    assert len(told.notes) == doubts


# ── Times ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("times", "time_format"),
    [
        (["2024-01-31 10:00:00 +0100"], "%Y-%m-%d %H:%M:%S %z"),
        (["31-Jan-2024"], "%d-%b-%Y"),
        (["Jan 31, 2024 9:05:00 PM"], "%b %d, %Y %I:%M:%S %p"),
        (["1/31/2024 9:05", "1/31/2024 21:05"], "%m/%d/%Y %H:%M"),
        (["31.01.24"], "%d.%m.%y"),
        (["1706659200", "1716659200"], "epoch_s"),
        (["1706659200000", "1716659200000"], "epoch_ms"),
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
    proposal = proposed("purchases", "customer_id,ts\n" + "".join(f'a,"{t}"\n' for t in times))
    assert proposal.time_format == time_format
    assert proposal.notes == ()


def test_days_and_months_that_could_be_either_are_told(proposed):
    proposal = proposed("purchases", "customer_id,Order Date\na,01/02/2024\na,03/04/2024\n")
    assert proposal.time_format == "%d/%m/%Y"
    assert proposal.notes == ("the times in 'Order Date' also read as %m/%d/%Y: check which it is",)


def test_one_day_above_twelve_tells_which_it_is(proposed):
    rows = "".join(f"a,01/{day:02d}/2024\n" for day in range(1, 14))
    assert proposed("purchases", "customer_id,ts\n" + rows).time_format == "%m/%d/%Y"


def test_the_order_of_the_rows_tells_days_from_months(proposed):
    rows = "".join(f"a,{day:02d}/{month:02d}/2024\n" for month in (1, 2, 3) for day in range(1, 13))
    told = proposed("purchases", "customer_id,ts\n" + rows)
    assert (told.time_format, told.notes) == ("%d/%m/%Y", ())


@pytest.mark.parametrize(
    ("times", "calendar", "resolution"),
    [
        (["1402/01/31", "1402/12/29"], "jalali", "day"),
        (["۱۴۰۲/۰۱/۳۱ ۱۰:۳۰", "۱۴۰۳/۰۱/۱۵ ۰۸:۰۰"], "jalali", "second"),
        (["14020131", "14021229"], "jalali", "day"),
        (["2024-01-31 10:30"], "gregorian", "second"),
        (["2024-01-31"], "gregorian", "day"),
    ],
)
def test_calendar_and_resolution(times, calendar, resolution, proposed):
    told = proposed("purchases", "customer_id,ts\n" + "".join(f"a,{t}\n" for t in times))
    assert (told.calendar, told.resolution, told.time_format) == (calendar, resolution, None)


def test_a_time_of_day_that_stands_apart_is_told(proposed):
    told = proposed("purchases", "customer_id,date,time\na,2024-01-31,10:15\nb,2024-02-01,9:00\n")
    assert told.columns["ts"] == "date"
    assert told.notes == ("the time of day stands apart in 'time': join it to 'date' to use it",)


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
        Instrument("mood", 1, 5),
        Instrument("nps", 0, 10),
        Instrument("odd", 0, 1),
        Instrument("soft skills", 0, 100),
        Instrument("yes", 1, 5),
    )
    assert [s.instrument.name for s in proposal.scales if "check" in s.why] == [
        "mood", "odd", "soft skills", "yes"
    ]  # fmt: skip


# ── What is not taken, and why ──────────────────────────────────────────────────────────────


def test_objects_are_no_ids(proposed):
    rows = [{"customer": f'{{"id":"u{k % 9}"}}', "ts": "2024-01-01"} for k in range(60)]
    with pytest.raises(DataError, match="'customer' by name, but not by content") as told:
        proposed("purchases", pd.DataFrame(rows))
    assert "as a column of its own, called customer_id" in told.value.mend


def test_objects_beside_the_columns_that_are_read_are_told(proposed):
    rows = {"customer_id": ["a", "b"], "ts": ["2024-01-01"] * 2, "items": ['[{"sku":"A"}]'] * 2}
    told = proposed("purchases", pd.DataFrame(rows))
    assert "product_id" not in told.columns
    assert any("'items' holds objects or lists" in sentence for sentence in told.noticed)


def test_a_uid_is_a_customer_but_for_the_uid_of_an_order(proposed):
    rows = "".join(f"u{k % 9},2024-01-{1 + k % 28:02d},login\n" for k in range(60))
    assert proposed("activity", f"uid,ts,event\n{rows}").columns["customer_id"] == "uid"
    with pytest.raises(DataError, match="no column looks like customer_id"):
        proposed("activity", f"order_uid,ts,event\n{rows}")


def test_amounts_of_which_some_are_no_numbers_are_read_and_told(proposed):
    told = proposed("purchases", sold("amount", ["5.50", "7.25", "8.10", "n/a"] * 15))
    assert told.columns["amount"] == "amount"
    assert told.reasons["amount"].sure == "likely"
    assert any(n.startswith("25.0% of the cells in 'amount' are no numbers") for n in told.notes)


def test_money_that_is_no_number_is_shown_masked(proposed):
    told = proposed("purchases", sold("amount", ["€ 12.34"] * 60))
    assert "amount" not in told.columns
    assert any("('amount' by name, but not by content, such as € 99.94)" in n for n in told.noticed)


def test_days_as_spreadsheets_number_them_are_told_to_be_written_as_dates(proposed):
    with pytest.raises(DataError, match="'date' by name, but not by content") as told:
        proposed("purchases", "customer_id,date\na,44929.123\nb,44930.5\n")
    assert "YYYY-MM-DD" in told.value.mend


def test_a_file_without_names_of_columns_is_told_so(proposed):
    with pytest.raises(DataError, match="the first row holds data") as told:
        proposed("purchases", "10,2023-01-03 02:57:00,33.88\n11,2023-01-04 02:57:00,5.10\n")
    assert "customer_id,ts" in told.value.mend


def test_a_scale_that_is_not_the_usual_one_is_told(proposed):
    rows = "".join(f"a{k % 9},2024-01-01,nps,{1 + k % 10}\n" for k in range(200))
    told = proposed("surveys", f"customer_id,ts,instrument,score\n{rows}")
    assert any(n.startswith("'nps' is read on 1 to 10: check the scale") for n in told.notes)


def test_one_value_repeats_and_two_repeat(proposed):
    told = proposed("activity", "customer_id,ts,event\n" + "a,2024-01-01,login\n" * 3)
    assert told.reasons["event"].why == "the name says it; 1 value that repeats"


# ── Files that cannot be read ───────────────────────────────────────────────────────────────


def test_a_broken_file_is_named(proposed):
    with pytest.raises(DataError, match=r"purchases.csv, line 3: 1 field"):
        proposed("purchases", "customer_id,ts\na,2024-01-01\na\n")


def test_a_missing_file_is_named(tmp_path):
    with connect() as con, pytest.raises(DataError, match=r"orders.csv: no such file"):
        propose(con, "purchases", FileSource(tmp_path / "orders.csv"))
