"""What the name of a column says, in ten languages and however it is written."""

from __future__ import annotations

import pytest

from churnkit.logs import SCHEMAS
from churnkit.sources.proposal.kinds import kind_of
from churnkit.sources.proposal.names import name_score, says_nothing, tokens, without_common_prefix

SAID = {
    "customer_id": "Customer ID|CUSTOMER_NO|customerNumber|cust_id|tbl_customer_id|user-id|Kd-Nr.|"
    "Kundennummer|KundenNr|N° client|Numéro de client|Código de cliente|codice_cliente|klantnummer|"
    "ID do cliente|Müşteri No|MÜŞTERİ_KODU|کد مشتری|شناسه‌مشتري|شمارهٔ مشتری|رقم العميل|كود العميل",
    "ts": "ts|InvoiceDate|ORDER-DATE|created_at|Created (UTC)|Belegdatum|Rechnungsdatum|"
    "Date de commande|Date d'achat|Fecha de compra|data_ordine|besteldatum|Data da compra|"
    "Sipariş Tarihi|تاریخ سفارش|تاريخ الفاتورة|order_purchase_timestamp",
    "amount": "amount|NET AMOUNT|Grand Total|Betrag (EUR)|Nettobetrag|Montant TTC|Importe|importo|"
    "Bedrag|Valor total|Tutar|مبلغ کل (تومان)|المبلغ الإجمالي|مبلغ‌پرداختی",
    "order_id": "order_id|Invoice No|InvoiceNo|Rechnungsnummer|Belegnr.|N° de commande|Nº pedido|"
    "numero_ordine|Bestelnummer|Sipariş No|شماره سفارش|رقم الفاتورة",
    "product_id": "sku|StockCode|Product ID|Artikelnummer|کد کالا|رقم الصنف|Ürün Kodu|Lineitem sku",
    "unit_price": "Unit Price|UnitPrice|price|Einzelpreis|Prix unitaire HT|prezzo unitario|"
    "Birim Fiyat|قیمت واحد|سعر الوحدة",
    "quantity": "qty|Quantity|Menge|Quantité|cantidad|quantità|aantal|Adet|تعداد|الكمية",
    "discount": "discount|Discount Amount|Lineitem discount|Rabatt|Rabattbetrag (EUR)|Remise|"
    "Montant de la remise|Descuento|Importe del descuento|sconto|Korting|Desconto|İndirim|تخفیف|"
    "مبلغ تخفیف|قيمة الخصم|الخصم",
    "category": "category|Product Category|category_id|Warengruppe|Kategorie|Catégorie|Famille de "
    "produits|Categoría|categoria merceologica|productgroep|Kategori|دسته‌بندی|گروه کالا|الفئة",
    "channel": "channel|Sales Channel|Vertriebskanal|Kanal|Canal de vente|Canal de venta|canale|"
    "verkoopkanaal|Satış Kanalı|کانال فروش|قناة البيع",
    "currency": "currency|Währung|devise|moneda|valuta|Para Birimi|ارز|العملة",
}
SAID_BUT = {  # names that hold the word of a column and mean something else
    "customer_id": "customer_city|customer_since|Customer Rating|user_agent|account type|"
    "customer count|کشور مشتری",
    "ts": "due_date|Lieferdatum|birth date|updated_at|تاریخ تولد|expiry date|ship_date|loaded_at",
    "amount": "tax_amount|shipping total|discount amount|amount refunded|MwSt Betrag|مبلغ تخفیف",
    "order_id": "order date|order status|order total|invoice amount",
    "quantity": "qty_refunded|quantity returned",
    "unit_price": "compare at price|price currency|discounted price",
    "discount": "Discount %|Rabatt in %|discount_rate|discount percent|price after discount|"
    "amount before discount|discount code|discount reason|discounted price|Rabattsatz|درصد تخفیف|"
    "taux de remise|shipping discount",
    "category": "customer category|tax category|category count|shipping category|Ticketkategorie",
    "channel": "marketing channel|utm_channel|payment channel|channel url|acquisition channel",
}


def told(names: dict[str, str]) -> list[tuple[str, str]]:
    return [(column, name) for column, line in names.items() for name in line.split("|")]


def score(column: str, name: str) -> float:
    (log, *_) = (
        log for log, schema in SCHEMAS.items() if column in {c.name for c in schema.columns}
    )
    return name_score(tokens(name), log, column)


@pytest.mark.parametrize(("column", "name"), told(SAID))
def test_names_say_which_column_they_are(column, name):
    scores = {c.name: score(c.name, name) for c in SCHEMAS["purchases"].columns}
    assert scores[column] >= 0.7
    assert max(scores, key=lambda c: scores[c]) == column


@pytest.mark.parametrize(("column", "name"), told(SAID_BUT))
def test_names_that_only_hold_the_word_say_nothing(column, name):
    assert score(column, name) == 0


def test_numbers_of_things_go_before_the_things():
    assert score("customer_id", "customer id") > score("customer_id", "customer")
    assert score("customer_id", "customer") > score("customer_id", "email")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CustomerID", ("customer", "id")),
        ("HTTPStatus", ("http", "status")),
        ("dates", ("date",)),
        ("Größe", ("grosse",)),
        ("İŞLEM", ("islem",)),
        ("d'achat", ("achat",)),
        ("كد\u200cمشتري", ("کد", "مشتری")),
        ("مبلغ۲", ("مبلغ2",)),
        ("", ()),
        ("___", ()),
    ],
)
def test_the_words_of_a_name(name, expected):
    assert tokens(name) == expected


def test_a_prefix_of_all_columns_is_left_out():
    names = ["ord_id", "ord_date", "ord_total", "ord_client"]
    assert without_common_prefix(names)["ord_date"] == ("date",)
    assert without_common_prefix([*names, "x", "y"])["ord_date"] == ("ord", "date")


@pytest.mark.parametrize("name", ["col1", "x", "B", "Unnamed: 3", "field_2", "V12", "_c0", "", "7"])
def test_names_that_say_nothing(name):
    assert says_nothing(name)


@pytest.mark.parametrize("name", ["id", "ts", "price", "مشتری", "column_date"])
def test_names_that_say_something(name):
    assert not says_nothing(name)


KINDS = {
    "cancellation": "unregister|Subscription cancelled|closed account|Kündigung|résiliation|baja|"
    "disdetta|opgezegd|cancelamento|iptal edildi|لغو اشتراک|إلغاء الاشتراك|account_closed",
    "complaint_opened": "Complaint|Beschwerde|plainte|queja|reclamo|klacht|şikayet|شکایت|شكوى",
    "complaint_resolved": "complaint_closed|Beschwerde erledigt",
    "support_opened": "Ticket created|ticket eröffnet|ثبت تیکت",
    "support_resolved": "support case closed|ticket_solved|Ticket geschlossen",
    "payment_failed": "Payment declined|Zahlung fehlgeschlagen|Paiement refusé|pago rechazado|"
    "پرداخت ناموفق|charge.failed",
    "payment_ok": "payment success|invoice.paid|پرداخت موفق",
    "login": "Log-in|sign_in|user.login|Anmeldung|connexion|giriş|ورود|تسجيل الدخول",
    "visit": "page_view|session_start|Besuch|ziyaret|بازدید",
    "email_open": "e-mail opened|newsletter geöffnet",
    "survey_sent": "Survey sent|NPS invitation|Umfrage verschickt|enquête envoyée|encuesta enviada|"
    "anket gönderildi|ارسال نظرسنجی",
    "renewal": "auto-renewed|Verlängerung|renouvellement|rinnovo|yenileme|تمدید|تجديد",
    "": "register|submit_TMA|logout|order cancelled|cancelled meeting|newsletter unsubscribed|open|"
    "return|remarketing|Bestellung storniert|لغو سفارش",
}


@pytest.mark.parametrize(("kind", "event"), told(KINDS))
def test_events_mean_a_kind_or_none(kind, event):
    assert kind_of(event) == kind
