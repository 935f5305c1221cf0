"""Exports as shops, help desks and accounts write them: each must be proposed right, or refused.

The rows are invented; headers and ways of writing are those of the products named.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from churnkit.config import FILE_NAME, load_settings
from churnkit.errors import DataError
from churnkit.logs import Instrument, Logs
from churnkit.scaffold import write_config
from churnkit.sections import QuestionSection
from churnkit.sources import connect
from churnkit.sources.files import FileSource
from churnkit.sources.proposal import Proposal, propose

ROWS = 240


def csv(header: str, row: Callable[[int, random.Random], str], rows: int = ROWS) -> str:
    """An export of so many rows, each made of its number and a seeded source of chance."""
    chance = random.Random(7)
    return "\n".join([header, *(row(k, chance) for k in range(rows))]) + "\n"


def day(k: int) -> tuple[int, int, int]:
    """Year, month and day of a row; the rows follow one another in time."""
    return 2023 + k // 336, 1 + k // 28 % 12, 1 + k % 28


@pytest.fixture
def looked_at(tmp_path) -> Callable[..., Proposal]:
    """Proposes how to read an export."""

    def look(log: str, text: str, encoding: str = "utf-8") -> Proposal:
        path = tmp_path / f"{log}.csv"
        path.write_text(text, encoding=encoding)
        with connect(reads=[path]) as con:
            return propose(con, log, FileSource(path))

    return look


def read(folder: Path, log: str, text: str) -> Logs:
    """The log as it is read when ``churnkit.toml`` is taken as it was written."""
    (folder / f"{log}.csv").write_text(text, encoding="utf-8")
    churn = "no_purchase" if log == "purchases" else "no_activity"
    write_config(folder / FILE_NAME, {log: folder / f"{log}.csv"}, QuestionSection(churn=churn))
    return load_settings(folder / FILE_NAME).read_logs()


# ── Shops ───────────────────────────────────────────────────────────────────────────────────

SHOPIFY = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Accepts Marketing,Currency,Subtotal,"
    "Shipping,Taxes,Total,Discount Code,Discount Amount,Created at,Lineitem quantity,"
    "Lineitem name,Lineitem price,Lineitem compare at price,Lineitem sku,Billing Name,"
    "Billing City,Cancelled at,Payment Method,Refunded Amount,Id,Risk Level,Source"
)


def shopify(k: int, chance: random.Random) -> str:
    year, month, date = day(k // 2)
    at = f"{year}-{month:02d}-{date:02d} 10:{k % 60:02d}:00 +0100"
    customer = f"c{k // 2 * 7 % 40}@example.org"
    price, count = chance.choice(["19.90", "5.00", "7.45"]), chance.randint(1, 4)
    if k % 2:  # the further lines of an order leave its totals blank
        return (
            f"#{1001 + k // 2},{customer},,,,,,,,,,,,{at},{count},Mug,{price},,SKU-{k % 9},,,,,,,,"
        )
    status = "refunded" if k % 40 == 0 else "paid"
    return (
        f"#{1001 + k // 2},{customer},{status},{at},fulfilled,yes,EUR,25.00,4.90,4.10,"
        f"{chance.randint(20, 60)}.90,,0.00,{at},{count},Mug,{price},,SKU-{k % 9},Ann Lee,Graz,,"
        f"Card,0.00,{5_100_000_000_000 + k},Low,web"
    )


def test_shopify(looked_at):
    told = looked_at("purchases", csv(SHOPIFY, shopify))
    assert told.columns == {
        "customer_id": "Email",
        "ts": "Created at",
        "unit_price": "Lineitem price",
        "order_id": "Name",
        "product_id": "Lineitem sku",
        "quantity": "Lineitem quantity",
        "currency": "Currency",
    }
    assert told.time_format == "%Y-%m-%d %H:%M:%S %z"
    assert told.grain == "line items"
    assert [(m.column, m.values) for m in told.marks] == [("Financial Status", ("refunded",))]
    assert told.provenance == ()


def magento(k: int, chance: random.Random) -> str:
    date = day(k)[2]
    total = chance.randint(1000, 9999) / 100
    return (
        (
            f"{k + 1},1000{k:05d},Main Store,Jan {date}, 2024 9:{k % 60:02d}:00 AM,A B,A B,"
            f"{total},{total},complete,a{k % 50}@example.org,{k % 50 + 1},4.5,0"
        )
        .replace(f"Jan {date}, 2024", f'"Jan {date}, 2024')
        .replace(" AM,", ' AM",')
    )


def test_magento(looked_at):
    header = (
        "ID,Increment ID,Purchase Point,Purchase Date,Bill-to Name,Ship-to Name,"
        "Grand Total (Base),Grand Total (Purchased),Status,Customer Email,Customer ID,"
        "Shipping and Handling,Total Refunded"
    )
    told = looked_at("purchases", csv(header, magento))
    assert told.columns == {
        "customer_id": "Customer ID",
        "ts": "Purchase Date",
        "amount": "Grand Total (Base)",
        "order_id": "Increment ID",
    }
    assert told.time_format == "%b %d, %Y %I:%M:%S %p"
    assert told.reasons["customer_id"].sure == "sure"
    assert told.grain == "orders"


def woocommerce(k: int, chance: random.Random) -> str:
    year, month, date = day(k // 3)
    return (
        f"{5000 + k // 3},{5000 + k // 3},{year}-{month:02d}-{date:02d} 12:00,completed,"
        f"{k // 3 % 30},x{k // 3 % 30}@example.org,{20 + k // 3 % 50}.00,P{k % 11},Tee,"
        f"{chance.randint(1, 3)},{chance.choice(['9.90', '12.50'])}"
    )


def test_woocommerce_repeats_the_total_of_the_order_on_every_line(looked_at):
    header = (
        "Order ID,Order Number,Order Date,Order Status,Customer User ID,Customer Email,"
        "Order Total,SKU,Item Name,Quantity,Item Price"
    )
    told = looked_at("purchases", csv(header, woocommerce))
    assert told.columns == {
        "customer_id": "Customer User ID",
        "ts": "Order Date",
        "unit_price": "Item Price",
        "order_id": "Order ID",
        "product_id": "SKU",
        "quantity": "Quantity",
    }


def test_a_repeated_total_is_told_where_nothing_else_is_there(looked_at):
    header = "Order ID,Order Date,Customer ID,Order Total,SKU"
    text = csv(
        header, lambda k, _: f"{k // 3},2024-01-{1 + k // 3 % 28:02d},{k // 9},{k // 3 * 3}.5,P{k}"
    )
    told = looked_at("purchases", text)
    assert told.columns["amount"] == "Order Total"
    assert any("the same on all lines of an order" in note for note in told.notes)


def stripe(k: int, chance: random.Random) -> str:
    status = "failed" if k % 30 == 0 else "succeeded"
    return (
        f"ch_{k:024x},{1_700_000_000 + k * 40_000},{chance.choice([1999, 4950, 900])},0,usd,"
        f"{status},cus_{k % 60:014d},pro plan,true,card_{k % 60}"
    )


def test_stripe(looked_at):
    header = (
        "id,created,amount,amount_refunded,currency,status,customer,description,captured,card_id"
    )
    told = looked_at("purchases", csv(header, stripe))
    assert told.columns == {
        "customer_id": "customer",
        "ts": "created",
        "amount": "amount",
        "order_id": "id",
        "currency": "currency",
    }
    assert told.time_format == "epoch_s"
    assert [(m.column, m.values) for m in told.marks] == [("status", ("failed",))]
    assert told.notes == (
        "the numbers in 'amount' are whole: are they cents? Then divide them by 100",
    )


PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")


def digikala(k: int, chance: random.Random) -> str:
    customer = str(1000 + k % 40)
    told = customer.translate(PERSIAN) if k % 3 else customer
    date = f"14{2 + k // 186:02d}/{1 + k // 31 % 6:02d}/{1 + k % 31:02d}".translate(PERSIAN)
    total = f"{chance.randint(50, 900) * 1000:,}".replace(",", "٬").translate(PERSIAN)
    count = str(chance.randint(1, 3)).translate(PERSIAN)
    return f"DKC-{k},{told},{date},تهران,کالای {k % 12},DKP-{k % 12},{count},{total},0,ارسال شده"


def test_a_persian_shop(looked_at, tmp_path):
    header = (
        "شماره سفارش,کد مشتری,تاریخ ثبت سفارش,شهر,نام کالا,کد کالا,تعداد,مبلغ کل (تومان),"
        "تخفیف,وضعیت سفارش"
    )
    told = looked_at("purchases", csv(header, digikala))
    assert told.columns == {
        "customer_id": "کد مشتری",
        "ts": "تاریخ ثبت سفارش",
        "amount": "مبلغ کل (تومان)",
        "order_id": "شماره سفارش",
        "product_id": "کد کالا",
        "quantity": "تعداد",
    }
    assert (told.calendar, told.time_format, told.resolution) == ("jalali", None, "day")
    assert told.fold_ids
    assert told.noticed[0].startswith("40 ids in 'کد مشتری' differ from another only by the way")
    (check,) = read(tmp_path, "purchases", csv(header, digikala)).checks
    assert (check.kept, check.customers) == (ROWS, 40)


def arabic_till(k: int, chance: random.Random) -> str:
    year, month, date = day(k)
    return (
        f"{7000 + k},{date:02d}/{month:02d}/{year} 18:{k % 60:02d},{k % 25 + 1},"
        f"قهوة,{k % 8},{chance.randint(1, 5)},{chance.randint(10, 90)}.50,نقدا"
    )


def test_an_arabic_till(looked_at):
    header = (
        "رقم الفاتورة,التاريخ والوقت,رقم العميل,اسم الصنف,رقم الصنف,الكمية,المبلغ الإجمالي,الدفع"
    )
    told = looked_at("purchases", csv(header, arabic_till))
    assert told.columns == {
        "customer_id": "رقم العميل",
        "ts": "التاريخ والوقت",
        "amount": "المبلغ الإجمالي",
        "order_id": "رقم الفاتورة",
        "product_id": "رقم الصنف",
        "quantity": "الكمية",
    }
    assert told.time_format == "%d/%m/%Y %H:%M"


def german_erp(k: int, chance: random.Random) -> str:
    year, month, date = day(k)
    amount = f"{chance.randint(100, 9_999_99) / 100:,.2f}".translate(str.maketrans(",.", ".,"))
    return f"{10_000 + k % 60};Muster GmbH;R{k:05d};{date:02d}.{month:02d}.{year};{amount};19,0;EUR"


def test_a_german_ledger(looked_at, tmp_path):
    header = "Kundennummer;Name;Belegnr.;Belegdatum;Betrag;MwSt;Währung"
    told = looked_at("purchases", csv(header, german_erp))
    assert told.columns == {
        "customer_id": "Kundennummer",
        "ts": "Belegdatum",
        "amount": "Betrag",
        "order_id": "Belegnr.",
        "currency": "Währung",
    }
    assert (told.time_format, told.decimal) == ("%d.%m.%Y", ",")
    (check,) = read(tmp_path, "purchases", csv(header, german_erp)).checks
    assert (check.kept, check.customers) == (ROWS, 60)


def test_a_french_shop(looked_at):
    def row(k: int, chance: random.Random) -> str:
        year, month, date = day(k)
        price, count = chance.randint(100, 900) / 100, chance.randint(1, 6)
        told = [f"{price:.2f}".replace(".", ","), f"{price * count:.2f}".replace(".", ",")]
        head = f"C{k % 50:04d};{date:02d}/{month:02d}/{year};F{k};REF{k % 7}"
        return f"{head};{count};{told[0]};{told[1]}"

    header = "N° client;Date de commande;N° facture;Référence;Quantité;Prix unitaire HT;Montant TTC"
    told = looked_at("purchases", csv(header, row))
    assert told.columns == {
        "customer_id": "N° client",
        "ts": "Date de commande",
        "amount": "Montant TTC",
        "unit_price": "Prix unitaire HT",
        "order_id": "N° facture",
        "product_id": "Référence",
        "quantity": "Quantité",
    }
    assert told.decimal == ","
    assert "'Prix unitaire HT' times 'Quantité'" in told.reasons["amount"].why


def superstore(k: int, chance: random.Random) -> str:
    year, month, date = day(k // 3)
    product, share = chance.randint(100, 139), chance.choice(["0", "0.2", "0.45"])
    sort, lesser = chance.choice(["Furniture,Chairs", "Technology,Phones"]).split(",")
    return (
        f"{k + 1},CA-{2000 + k // 3},{month}/{date}/{year},{month}/{date}/{year},CG-{k // 3 % 40},"
        f"Claire,Consumer,FUR-{product},{sort},{lesser},Bush {product},"
        f"{chance.randint(500, 90_000) / 100},{chance.randint(1, 9)},{share},{k / 10 - 9:.4f}"
    )


def test_a_share_called_discount_is_no_money(looked_at):
    header = (
        "Row ID,Order ID,Order Date,Ship Date,Customer ID,Customer Name,Segment,Product ID,"
        "Category,Sub-Category,Product Name,Sales,Quantity,Discount,Profit"
    )
    told = looked_at("purchases", csv(header, superstore))
    assert told.columns == {
        "customer_id": "Customer ID",
        "ts": "Order Date",
        "amount": "Sales",
        "order_id": "Order ID",
        "product_id": "Product ID",
        "category": "Category",
        "quantity": "Quantity",
    }
    assert "Discount" in told.unused


def german_shop(k: int, chance: random.Random) -> str:
    year, month, date = day(k)
    cents = chance.randint(500, 9000)
    money, off = (f"{c / 100:.2f}".replace(".", ",") for c in (cents, cents // 10 * (k % 3)))
    sort, channel = chance.choice(["Tee", "Kaffee"]), chance.choice(["Filiale", "Onlineshop"])
    return (
        f"{300 + k % 60};B{k:05d};{date:02d}.{month:02d}.{year};A{k % 17};{sort};{channel};"
        f"{money};{off};10 %"
    )


def test_a_shop_with_sorts_channels_and_discounts(looked_at, tmp_path):
    header = (
        "Kundennummer;Bestellnummer;Bestelldatum;Artikelnummer;Warengruppe;Vertriebskanal;"
        "Umsatz;Rabattbetrag;Rabatt %"
    )
    text = csv(header, german_shop)
    told = looked_at("purchases", text)
    assert told.columns == {
        "customer_id": "Kundennummer",
        "ts": "Bestelldatum",
        "amount": "Umsatz",
        "order_id": "Bestellnummer",
        "product_id": "Artikelnummer",
        "category": "Warengruppe",
        "channel": "Vertriebskanal",
        "discount": "Rabattbetrag",
    }
    assert told.reasons["discount"].sure == "sure"
    logs = read(tmp_path, "purchases", text)
    assert logs.checks[0].kept == ROWS
    assert logs.purchases.columns["discount"].sum() > 0


SMALL = {
    "Spanish": (
        "Código de cliente;Fecha de compra;Nº pedido;Importe;Forma de pago",
        "{customer};{date:02d}/{month:02d}/{year};{k};{amount};Visa",
        ["Código de cliente", "Fecha de compra", "Importe", "Nº pedido"],
    ),
    "Italian": (
        "Codice cliente;Data ordine;Numero ordine;Totale;Data consegna",
        "{customer};{date:02d}/{month:02d}/{year};{k};{amount};{date:02d}/{month:02d}/{year}",
        ["Codice cliente", "Data ordine", "Totale", "Numero ordine"],
    ),
    "Dutch": (
        "Klantnummer;Besteldatum;Ordernummer;Bedrag;Verzendkosten",
        "{customer};{date}-{month}-{year};{k};{amount};4,95",
        ["Klantnummer", "Besteldatum", "Bedrag", "Ordernummer"],
    ),
    "Portuguese": (
        "ID do cliente;Data da compra;Número do pedido;Valor total;Frete",
        "{customer};{date:02d}/{month:02d}/{year};{k};{amount};4,95",
        ["ID do cliente", "Data da compra", "Valor total", "Número do pedido"],
    ),
    "Turkish": (
        "Müşteri No;Sipariş Tarihi;Sipariş No;Tutar;KDV",
        "{customer};{date:02d}.{month:02d}.{year};{k};{amount};4,95",
        ["Müşteri No", "Sipariş Tarihi", "Tutar", "Sipariş No"],
    ),
}


@pytest.mark.parametrize("language", SMALL)
def test_small_shops(language, looked_at):
    header, line, expected = SMALL[language]

    def row(k: int, chance: random.Random) -> str:
        year, month, date = day(k)
        amount = f"{chance.randint(100, 99_999) / 100:.2f}".replace(".", ",")
        return line.format(
            customer=100 + k % 50, year=year, month=month, date=date, k=9000 + k, amount=amount
        )

    told = looked_at("purchases", csv(header, row))
    assert list(told.columns) == ["customer_id", "ts", "amount", "order_id"]
    assert list(told.columns.values()) == expected
    assert told.decimal == ","
    assert {reason.sure for reason in told.reasons.values()} == {"sure"}


# ── Public sets and services that mislead ───────────────────────────────────────────────────


def test_an_id_that_is_new_in_every_row_is_not_the_customer(looked_at):
    text = csv(
        "order_id,customer_id,customer_unique_id,order_purchase_timestamp,payment_value",
        lambda k, _: f"o{k},c{k},u{k % 50},2024-01-{1 + k % 28:02d} 10:00:00,{k}.50",
    )
    assert looked_at("purchases", text).columns["customer_id"] == "customer_unique_id"


def test_where_every_row_has_its_own_customer_that_is_told(looked_at):
    text = csv("order_id,customer_id,date", lambda k, _: f"o{k},c{k},2024-01-{1 + k % 28:02d}")
    assert "every row has its own 'customer_id': is that the customer?" in (
        looked_at("purchases", text).notes
    )


def test_numbers_that_are_no_times_are_not_taken_for_them(looked_at):
    text = csv("household_key,DAY,TRANS_TIME,SALES_VALUE", lambda k, _: f"{k % 9},{k},1631,2.50")
    with pytest.raises(DataError, match=r"'DAY' by name, but not by content, .*'TRANS_TIME' by"):
        looked_at("purchases", text)


def test_account_or_user_is_left_to_people(looked_at):
    text = csv(
        "account_id,user_id,action,happened_at",
        lambda k, _: f"A{k % 9},U{k % 60},login,2024-01-{1 + k % 28:02d}T10:00:00Z",
    )
    told = looked_at("activity", text)
    assert told.notes == (
        "is customer_id 'account_id' (9 values), or is it 'user_id' (60 values)?",
    )
    assert told.reasons["customer_id"].sure == "likely"


# ── Headers that say nothing ────────────────────────────────────────────────────────────────


def nameless(k: int, chance: random.Random) -> str:
    order = k // 2
    year, month, date = day(order)
    return (
        f"{70_000 + order},{4000 + order * 7 % 45},{year}-{month:02d}-{date:02d},"
        f"{chance.randint(1, 5)},{chance.randint(100, 999) / 100 + 0.001:.2f}"
    )


def test_columns_without_names_are_told_by_their_content(looked_at):
    told = looked_at("purchases", csv("col1,col2,col3,col4,col5", nameless, 600))
    assert told.columns == {"customer_id": "col2", "ts": "col3", "amount": "col5"}
    assert {reason.sure for reason in told.reasons.values()} == {"a guess"}
    assert "the only column of times" in told.reasons["ts"].why


def test_columns_without_names_are_refused_where_two_could_be_the_customer(looked_at):
    text = csv("a,b,c,d", lambda k, _: f"{4000 + k * 7 % 45},{100 + k * 5 % 61},2024-01-02,1.50")
    with pytest.raises(DataError, match="no column looks like customer_id") as told:
        looked_at("purchases", text)
    assert "Rename the column to 'customer_id'" in told.value.mend


# ── Activity ────────────────────────────────────────────────────────────────────────────────


def test_zendesk_tickets(looked_at):
    header = (
        "ID,Requester,Requester id,Requester email,Group,Subject,Status,Priority,Ticket type,"
        "Created at,Updated at,Assigned at,Solved at,Satisfaction Score"
    )

    def row(k: int, chance: random.Random) -> str:
        year, month, date = day(k)
        at = f"{year}-{month:02d}-{date:02d} 09:00"
        kind = chance.choice(["Question", "Incident", "Problem"])
        return (
            f"{k + 1},Ann {k % 30},{3600 + k % 30},a{k % 30}@example.org,Support,Help {k},"
            f"Solved,Normal,{kind},{at},{at},{at},{at},Offered"
        )

    told = looked_at("activity", csv(header, row))
    assert told.columns == {
        "customer_id": "Requester id",
        "ts": "Created at",
        "event": "Ticket type",
        "ref": "ID",
    }
    assert told.kinds == dict.fromkeys(["Incident", "Problem", "Question"], "support_opened")


def test_logins_of_a_service_in_milliseconds(looked_at, tmp_path):
    def row(k: int, chance: random.Random) -> str:
        event = chance.choice(["user.login", "page_view", "subscription.cancelled", "invoice.paid"])
        return f"{k:08x},{1_700_000_000_123 + k * 7_000_000},u-{k % 35},acct-{k % 5},{event},web"

    text = csv("event_id,timestamp,user_id,account_id,event,source", row)
    told = looked_at("activity", text)
    assert told.columns["customer_id"] == "user_id"
    assert told.columns["ts"] == "timestamp"
    assert told.columns["event"] == "event"
    assert told.time_format == "epoch_ms"
    assert told.provenance == ()
    assert told.kinds == {
        "invoice.paid": "payment_ok",
        "page_view": "visit",
        "subscription.cancelled": "cancellation",
        "user.login": "login",
    }
    (check,) = read(tmp_path, "activity", text).checks
    assert (check.kept, check.customers) == (ROWS, 35)


# ── Surveys ─────────────────────────────────────────────────────────────────────────────────


def test_a_form_with_a_column_for_each_question_is_refused_with_the_way_to_turn_it(looked_at):
    header = (
        "Timestamp,Email Address,How likely are you to recommend us to a friend?,"
        "How easy was it to solve your problem?,What could be better?"
    )
    text = csv(
        header, lambda k, c: f"1/{1 + k % 28}/2024 10:00:00,a{k}@x.org,{c.randint(0, 10)},4,"
    )
    with pytest.raises(DataError, match="one column for each question") as told:
        looked_at("surveys", text)
    assert "melt(id_vars=['Timestamp', 'Email Address'" in told.value.mend
    assert "value_vars=['nps', 'ces']" in told.value.mend


def test_intent_is_a_question_too(looked_at):
    text = csv("date,customer,Repurchase intent", lambda k, c: f"2024-01-01,{k},{c.randint(1, 5)}")
    with pytest.raises(DataError, match="in a column of their own: 'Repurchase intent'") as told:
        looked_at("surveys", text)
    assert "value_vars=['intent']" in told.value.mend
    rows = csv(
        "date,customer,survey,score", lambda k, c: f"2024-01-01,{k},Intent,{c.randint(1, 5)}"
    )
    assert looked_at("surveys", rows).scales[0].why.startswith("its usual")


@pytest.mark.parametrize(
    ("low", "high", "rows", "scale"),
    [
        (0, 10, 300, Instrument("nps", 0, 10)),
        (1, 10, 300, Instrument("nps", 1, 10)),  # nobody ever said 0
        (1, 10, 60, Instrument("nps", 0, 10)),  # too few to tell
        (1, 5, 300, Instrument("nps", 1, 10)),
    ],
)
def test_the_scale_of_the_nps_is_what_was_asked(low, high, rows, scale, looked_at):
    def row(k: int, chance: random.Random) -> str:
        score = low if k == 0 else high if k == 1 else chance.randint(low, high)
        return f"{k % 90},2024-01-{1 + k % 28:02d},NPS,{score}"

    told = looked_at("surveys", csv("customer,date,survey,score", row, rows))
    assert told.instruments == (scale,)
    assert ("check the scale" in told.scales[0].why) == (scale.low != 0)


@pytest.mark.parametrize(
    ("asked", "high", "scale"),
    [
        ("csat", 7, Instrument("csat", 1, 7)),
        ("csat", 100, Instrument("csat", 0, 100)),
        ("ces", 10, Instrument("ces", 1, 10)),
        ("nps", 100, Instrument("nps", 0, 10)),  # that is no NPS, and its rows will say so
        ("csat", 5000, Instrument("csat", 1, 5)),
    ],
)
def test_answers_beyond_the_usual_scale(asked, high, scale, looked_at):
    text = csv("customer,date,survey,score", lambda k, c: f"{k},2024-01-01,{asked},{1 + k % high}")
    told = looked_at("surveys", text)
    assert told.instruments == (scale,)
    assert "check the scale" in told.scales[0].why


def test_a_stray_answer_makes_no_other_scale(looked_at):
    text = csv(
        "customer,date,survey,score", lambda k, c: f"{k},2024-01-01,nps,{11 if k == 9 else 5}"
    )
    told = looked_at("surveys", text)
    assert told.instruments == (Instrument("nps", 0, 10),)
    assert "0.4% beyond it will be set aside" in told.scales[0].why


def test_effort_on_one_to_five_is_better_when_it_is_low(looked_at):
    text = csv(
        "customer,date,metric,rating", lambda k, c: f"{k % 90},2024-01-01,CES,{c.randint(1, 5)}"
    )
    told = looked_at("surveys", text)
    assert told.instruments == (Instrument("ces", 1, 5, "low"),)
    assert "check the scale" in told.scales[0].why
