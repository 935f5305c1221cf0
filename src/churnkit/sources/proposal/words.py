"""The words that exports use for the columns of the contract, in ten languages.

English, Persian, Arabic, German, French, Spanish, Italian, Dutch, Portuguese and Turkish, written
as people write them; `churnkit.sources.proposal.names` folds case, accents, letter variants,
plurals and articles on both sides. Words of one line weigh the same: 1 says it outright.
"""

from __future__ import annotations

from collections.abc import Mapping

Words = Mapping[float, str]
"""Weight in (0, 1] → phrases separated by ``|``."""

NUMBERING = (
    "id|no|nr|num|number|code|key|uid|uuid|guid|ref|pk|hash|n|nummer|kennung|numero|identifiant|"
    "codigo|identificador|codice|kod|kodu|numarasi|شناسه|کد|شماره|رقم|معرف|کود|رمز|آیدی"
)
"""What may stand before or after the noun of an id: ``customer no``, ``Kundennummer``."""

IDS: Mapping[str, Words] = {
    "customer_id": {
        1.0: "customer|cust|sold to party|sold to|auftraggeber|kunde|kunden|kd|debitor|debitoren|"
        "client|cliente|klant|klanten|müşteri|"
        "مشتری|عميل|زبون",
        0.95: "user|member|subscriber|buyer|account|household|shopper|utilisateur|benutzer|usuario|"
        "utente|gebruiker|kullanıcı|mitglied|mitglieds|membre|miembro|socio|membro|lid|üye|"
        "abonnent|"
        "abonné|suscriptor|abbonato|abonnee|assinante|abone|käufer|acheteur|comprador|acquirente|"
        "koper|alıcı|konto|compte|cuenta|conta|hesap|کاربر|مستخدم|عضو|مشترک|خریدار|مشتري|حساب",
        0.85: "respondent|participant|requester|patient|student|donor|visitor|guest|player|contact|"
        "loyalty card|card|person|distinct|anonymous|پاسخ دهنده",
        0.7: "company|company name|account name|organization|organisation|org|tenant|workspace|"
        "firma|"
        "entreprise|empresa|azienda|bedrijf|şirket|شرکت|شركة|customer name|client name|"
        "name of customer|requester name|user name|username|"
        "kundenname|nom du client|nombre del cliente|نام مشتری|اسم العميل",
        0.65: "email|e mail|email address|e mail address|mail|customer email|user email|"
        "requester email|guest email|contact email|buyer email|billing email|member email|"
        "client email|subscriber email|courriel|adresse e mail|correo|correo electronico|e posta|"
        "eposta|ایمیل|"
        "پست الکترونیک|البريد الإلكتروني",
        0.55: "phone|phone number|mobile|mobile number|telefon|telefonnummer|téléphone|telefono|"
        "telefone|تلفن|موبایل|شماره موبایل|رقم الهاتف|الجوال",
    },
    "order_id": {
        1.0: "order|invoice|basket|transaction|receipt|faktura|bestellung|bestell|rechnung|"
        "rechnungs|beleg|"
        "auftrag|auftrags|commande|facture|pedido|factura|ordine|fattura|bestelling|bestel|factuur|"
        "fatura|sipariş|encomenda|سفارش|فاکتور|طلب|فاتورة|معامله",
        0.9: "bill|purchase|checkout|cart|sale|document|bon|scontrino|compra|kassenbon|fiş|işlem|"
        "تراکنش|خرید|إيصال|increment|voucher|belegnr|vorgang",
        0.75: "ticket|charge|payment|paiement|pago|ödeme|پرداخت",
    },
    "product_id": {
        1.0: "product|stock|sku|article|artikel|produkt|material|produit|producto|articulo|"
        "prodotto|articolo|produto|artigo|ürün|stok|isbn|ean|upc|asin|gtin|barcode|کالا|محصول|"
        "منتج|صنف|سلعة|بارکد|الباركود",
        0.9: "item|part|variant|référence|referencia|malzeme|مادة",
        0.6: "product name|item name|product title|artikelbezeichnung|artikelname|produktname|"
        "nom du produit|nombre del producto|نام کالا|نام محصول|اسم المنتج|ürün adı",
    },
    "ref": {
        1.0: "ref|reference|ticket|subscription|case|referenz|référence|referencia|riferimento|"
        "referentie|referans|تیکت|مرجع|تذكرة",
        0.85: "invoice|order|contract|complaint|conversation|session|vertrag|contrat|contrato|"
        "contratto|sözleşme|اشتراک|قرارداد|شکایت|شكوى",
    },
}
"""Columns that name something, by their nouns."""

_DATES = "date|datetime|date time|time|timestamp|ts|dt|day|at|on"
_OCCASIONS = "order|invoice|purchase|transaction|sale|sales|receipt|basket|booking|event|trans"
_DATED = "|".join(
    f"{what} {when}|{when} {what}" for what in _OCCASIONS.split("|") for when in _DATES.split("|")
)
_TIMES: Words = {
    1.0: f"{_DATED}|ts|timestamp|datetime|date time|occurred at|bought at|bought on|sold at|"
    "sold on|purchased at|ordered at|placed at"
    "|belegdatum|rechnungsdatum|bestelldatum|kaufdatum|buchungsdatum|verkaufsdatum|auftragsdatum|"
    "zeitpunkt|zeitstempel|date commande|date de facture|date d'achat|date de vente|date opération|"
    "date heure|horodatage|fecha pedido|fecha de factura|fecha de compra|fecha de venta|fecha hora|"
    "fecha y hora|data ordine|data fattura|data acquisto|data vendita|data ora|data e ora|"
    "data do pedido|data da compra|data da venda|data hora|data da fatura|besteldatum|factuurdatum|"
    "orderdatum|aankoopdatum|verkoopdatum|tijdstip|tijdstempel|sipariş tarihi|fatura tarihi|"
    "satış tarihi|işlem tarihi|alışveriş tarihi|tarih saat|تاریخ سفارش|تاریخ خرید|تاریخ فاکتور|"
    "تاریخ تراکنش|تاریخ فروش|تاریخ و زمان|تاریخ و ساعت|تاريخ الطلب|تاريخ الفاتورة|تاريخ الشراء|"
    "تاريخ العملية|تاريخ البيع|تاريخ المعاملة|التاريخ والوقت|تاریخ رویداد|تاريخ الحدث",
    0.95: "created|created at|created on|created date|created time|creation date|date created|"
    "answered at|answered on|submitted at|response date|survey date|answer date|completed at|"
    "logged at|received at|time stamp|erstellt am|angelegt am|erstellungsdatum|créé le|"
    "date de création|date de réponse|date enquête|creado el|fecha de creacion|fecha respuesta|"
    "data creazione|data criação|aangemaakt op|oluşturma tarihi|تاریخ ثبت|تاریخ ایجاد|"
    "زمان ثبت|تاریخ پاسخ|تاريخ الإنشاء|تاريخ الإجابة|login time|login at|login date|visited at",
    0.9: "date|datum|fecha|data|tarih|تاریخ|dated|تاريخ",
    0.85: "time|day|tag|when|paid at|payment date|date paid|zaman|زمان|وقت|zahldatum|jour|epoch|"
    "تاریخ پرداخت|ödeme tarihi|date de paiement|fecha de pago|data pagamento|unix time|event ts",
}
_AMOUNTS: Words = {
    1.0: "amount|amt|line total|row total|line amount|net amount|sales amount|extended price|"
    "sales value|item total|transaction amount|total amount|net sales|betrag|umsatz|nettobetrag|"
    "gesamtbetrag|montant|montant total|importe|monto|importe total|importo|importo totale|bedrag|"
    "totaalbedrag|tutar|toplam tutar|satış tutarı|مبلغ|مبلغ کل|مبلغ سفارش|مبلغ فاکتور|مبلغ خرید|"
    "المبلغ|المبلغ الإجمالي|إجمالي المبلغ|valor total|montante|revenue",
    0.95: "total price|turnover|spend|order value|order total|order amount|invoice amount|"
    "invoice total|grand total|gross amount|payment amount|amount paid|umsatz netto|bruttobetrag|"
    "rechnungsbetrag|gesamtpreis|warenwert|nettowert|gesamtwert|auftragswert|"
    "payment value|paid amount|montant ttc|montant ht|total ttc|total ht|prix total|"
    "chiffre d'affaires|precio total|prezzo totale|ricavo|fatturato|omzet|orderbedrag|"
    "valor pago|valor da compra|genel toplam|ciro|مبلغ نهایی|مبلغ پرداختی|مبلغ پرداخت شده|"
    "قیمت کل|جمع کل|القيمة الإجمالية|السعر الإجمالي|sales",
    0.9: "total|summe|gesamt|totale|totaal|toplam|جمع|المجموع|الإجمالي|totals|subtotal",
    0.7: "valor|paid|net|gross|netto|brutto|wert|valeur|value|erlös|ventas|receita|bedel",
}
_MEASURES: Mapping[str, Words] = {
    "ts": _TIMES,
    "amount": _AMOUNTS,
    "unit_price": {
        1.0: "unit price|price each|item price|price per unit|price per piece|einzelpreis|"
        "stückpreis|prix unitaire|precio unitario|prezzo unitario|stukprijs|eenheidsprijs|"
        "preço unitário|birim fiyat|birim fiyatı|قیمت واحد|بهای واحد|فی|سعر الوحدة",
        0.9: "price|preis|prix|precio|prezzo|prijs|preço|fiyat|fiyatı|قیمت|سعر|السعر",
    },
    "quantity": {
        1.0: "quantity|qty|units|pieces|menge|anzahl|stückzahl|quantité|qté|cantidad|cant|unidades|"
        "quantità|qtà|pezzi|aantal|hoeveelheid|quantidade|qtd|qtde|miktar|adet|تعداد|مقدار|"
        "الكمية|كمية|العدد|quantity ordered|qty ordered|units sold",
        0.85: "items|item count|number of items|stück|nombre|no of items|pcs",
    },
    "currency": {
        1.0: "currency|currency code|curr|ccy|währung|devise|monnaie|moneda|divisa|valuta|moeda|"
        "para birimi|döviz|ارز|واحد پول|العملة|عملة",
    },
    "discount": {
        1.0: "discount amount|discount value|discount total|total discount|amount discount|"
        "rabattbetrag|nachlassbetrag|montant remise|montant réduction|importe descuento|"
        "monto descuento|valor descuento|importo sconto|valore sconto|kortingsbedrag|"
        "valor desconto|indirim tutarı|مبلغ تخفیف|مبلغ الخصم|قيمة الخصم",
        0.9: "discount|disc|rebate|rabatt|rabatte|nachlass|preisnachlass|remise|réduction|rabais|"
        "descuento|rebaja|sconto|korting|desconto|indirim|iskonto|تخفیف|خصم|حسم",
    },
    "category": {
        1.0: "category|category name|category id|category code|product category|item category|"
        "product category name|product category id|product group|item group|product type|"
        "product family|kategorie|produktkategorie|artikelkategorie|warengruppe|artikelgruppe|"
        "produktgruppe|catégorie|catégorie produit|famille produit|famille article|"
        "categoria|categoria producto|familia producto|categoria prodotto|"
        "categoria merceologica|gruppo merceologico|categorie|productcategorie|productgroep|"
        "artikelgroep|categoria produto|kategori|ürün kategorisi|ürün grubu|دسته|دسته بندی|"
        "دسته کالا|دسته محصول|دسته بندی کالا|گروه کالا|گروه محصول|فئة|فئة المنتج|تصنيف|"
        "تصنيف المنتج",
        0.85: "department|product line|item type|genre|abteilung|rayon|rubro|reparto|afdeling",
    },
    "channel": {
        1.0: "channel|channel name|channel id|channel code|sales channel|order channel|"
        "purchase channel|distribution channel|kanal|vertriebskanal|verkaufskanal|absatzkanal|"
        "bestellkanal|canal|canal vente|canal venta|canal venda|canal achat|canal compra|canale|"
        "canale di vendita|kanaal|verkoopkanaal|bestelkanaal|satış kanalı|sipariş kanalı|"
        "کانال|کانال فروش|کانال خرید|قناة|قناة البيع|قناة الشراء",
        0.75: "platform|plattform|plateforme|plataforma|piattaforma|order source|پلتفرم|المنصة",
    },
    "event": {
        1.0: "event|event type|event name|event kind|ereignis|evenement|évènement|evento|"
        "tipo de evento|tipo evento|type d'événement|gebeurtenis|olay|olay türü|رویداد|نوع رویداد|"
        "حدث|نوع الحدث|action|activity|activity type|interaction type|interaction|action type",
        0.9: "kind|type|ticket type|operation|aktion|aktivität|vorgang|accion|acción|azione|actie|"
        "ação|eylem|işlem|işlem türü|tipo|art|soort|tür|عملیات|فعالیت|نوع|إجراء|نشاط|نوع فعالیت|"
        "verb|log type|message type|category",
        0.6: "status|state|zustand|statut|estado|stato|durum|وضعیت|الحالة",
    },
    "value": {
        1.0: "value|wert|valeur|valor|valore|waarde|değer|مقدار|القيمة|ارزش",
        0.85: "amount|score|points|betrag|montant|importe|importo|bedrag|tutar|مبلغ|المبلغ",
    },
    "instrument": {
        1.0: "instrument|survey|survey type|survey name|question|question type|metric|umfrage|"
        "frage|enquête|encuesta|pregunta|sondaggio|domanda|vraag|pesquisa|pergunta|anket|soru|"
        "نظرسنجی|پرسش|سوال|شاخص|استبيان|سؤال|نوع نظرسنجی|kpi",
        0.85: "kind|type|tipo|art|soort|tür|نوع|measure",
    },
    "score": {
        1.0: "score|rating|answer|response|bewertung|antwort|punktzahl|wertung|note|réponse|"
        "puntuacion|calificacion|respuesta|punteggio|valutazione|risposta|beoordeling|antwoord|"
        "cijfer|pontuação|nota|resposta|puan|cevap|yanıt|امتیاز|نمره|پاسخ|تقييم|درجة|إجابة|النتيجة",
        0.85: "value|wert|valeur|valor|points|result|grade|stars|مقدار|القيمة",
    },
    "since": {
        1.0: "since|customer since|member since|joined|joined at|join date|registered|"
        "registered at|registration date|signup date|signed up|signed up at|sign up date|"
        "kunde seit|anmeldedatum|registrierungsdatum|client depuis|date d'inscription|"
        "cliente desde|fecha de alta|fecha de registro|cliente dal|data di iscrizione|klant sinds|"
        "kayıt tarihi|üyelik tarihi|تاریخ عضویت|تاریخ ثبت نام|عضویت از|تاريخ التسجيل|عميل منذ",
        0.75: "start|start date|started at|begin|created|created at|date created|customer created|"
        "activated at|beginn|eintritt|début|inicio|inizio|başlangıç|تاریخ شروع|تاریخ ثبت|"
        "first seen|onboarded at|first order date",
    },
}
_CUSTOMER_VALUE: Words = {
    1.0: "value|yearly value|annual value|customer value|margin|yearly margin|annual margin|"
    "annual revenue|yearly revenue|arr|acv|jahreswert|jahresumsatz|deckungsbeitrag|"
    "valeur annuelle|valor anual|valore annuo|jaarwaarde|yıllık değer|ارزش سالانه|القيمة السنوية",
    0.8: "clv|ltv|lifetime value|wert|valeur|valor|valore|ارزش|القيمة",
}


def phrases(log: str, column: str) -> Words:
    """The phrases for a column that measures or dates something; empty for ids."""
    return _CUSTOMER_VALUE if (log, column) == ("customers", "value") else _MEASURES.get(column, {})


ENDINGS: Mapping[str, str] = {
    "ts": "datum|zeitpunkt|tarihi",
    "amount": "betrag|umsatz|bedrag|omzet|tutari",
    "unit_price": "preis|prijs|fiyati",
}
"""Last parts of compounds: ``Lieferscheindatum``, ``Nettoumsatz``."""

STRICT = frozenset({"category", "channel", "discount"})
"""Columns whose words mean something else beside unknown ones: ``customer category``,
``marketing channel``, ``price before discount``."""

OTHER_THINGS: Mapping[str, str] = {
    "id": "name|first|last|email|mail|phone|city|country|zip|postal|address|street|segment|type|"
    "group|gender|age|status|since|birth|note|comment|date|time|at|count|total|amount|rating|"
    "lang|language|category|class|tier|plan|company|url|ip|agent|title|value|line|position|item|"
    "stadt|land|ort|strasse|ville|pays|ciudad|pais|citta|paese|şehir|ülke|شهر|کشور|نام|آدرس|"
    "نوع|مدينة|دولة|اسم|عنوان|parent|previous|external|source|discount|price|quantity|datum",
    "time": "due|delivery|delivered|ship|shipped|shipping|dispatch|dispatched|fulfilled|birth|dob|"
    "birthday|updated|update|modified|changed|expiry|expires|expired|expire|expiration|valid|"
    "cancelled|canceled|refunded|refund|closed|resolved|solved|end|ended|loaded|load|imported|"
    "import|exported|export|extracted|ingested|synced|sync|batch|first|last|next|previous|"
    "deleted|estimated|zone|timezone|spent|duration|reply|assigned|initially|"
    "lieferdatum|liefer|fällig|fälligkeitsdatum|geburtsdatum|geburt|änderungsdatum|geändert|"
    "livraison|échéance|naissance|modification|entrega|vencimiento|nacimiento|consegna|scadenza|"
    "nascita|levering|leverdatum|verval|vervaldatum|geboorte|geboortedatum|teslimat|teslim|vade|"
    "doğum|vencimento|nascimento|تحویل|ارسال|تولد|سررسید|تسليم|استحقاق|ميلاد|name|type|id",
    "number": "tax|taxes|vat|shipping|discount|cost|fee|refund|refunded|tip|balance|compare|min|"
    "max|avg|average|count|outstanding|rate|currency|percent|pct|id|name|type|date|at|steuer|mwst|"
    "ust|versand|rabatt|kosten|taxe|tva|remise|frais|iva|descuento|envio|impuesto|sconto|"
    "spedizione|tasse|korting|btw|verzend|kdv|indirim|kargo|vergi|مالیات|تخفیف|ارسال|هزینه|"
    "ضريبة|خصم|شحن|due|canceled|cancelled|margin|weight|points|method|note|notes|status|"
    "discounted|authorized|duties|return|returned|failed|backordered|shipped|invoiced",
    "text": "id|date|time|at|count|by|note|source|channel|url|version",
}
"""Words that make a column something else: ``customer city``, ``due date``, ``tax amount``."""

BESIDE_THE_POINT = (
    "tbl|tab|dim|fact|fct|stg|raw|fk|pk|sk|src|col|field|str|txt|int|dec|utc|gmt|local|eur|usd|"
    "gbp|try|irr|sar|chf|euro|euros|toman|rial|in|shop|store|web|our|the|original|lineitem|line|"
    "item|sold to|bill to|billing|sales|sale|order|invoice|purchase|transaction|base|unique|full|"
    "actual|pseudo|global|master|"
    "internal|ms|millis|seconds|sec|s|unix|epoch|iso|تومان|ریال|ریالی|﷼|درهم|ريال|دينار|tl|ttc|ht"
)
"""Words beside a phrase that leave its meaning: ``amount eur``, ``sold to customer``."""
