"""Which kind of event a name means, in ten languages."""

from __future__ import annotations

import re
from collections.abc import Iterable

from churnkit.logs import EVENT_KINDS
from churnkit.sources.proposal.names import tokens

# Said of a word that begins so. The order counts: what ends something is looked for first.
_ENDED = (
    "resol|clos|solv|settl|done|gelost|geschlossen|erledigt|resolu|ferme|clotur|resuelt|cerrad|"
    "risolt|chius|opgelost|gesloten|resolvid|encerrad|fechad|cozul|kapat|حل|بسته|اغلاق|مغلق|تمحل"
)
_TICKET = (
    "ticket|support|case|helpdesk|incident|anfrage|supportanfrage|demande|solicitud|richiesta|"
    "destek|talep|تیکت|پشتیبانی|درخواست|تذکره|دعم"
)
_COMPLAINT = (
    "complain|beschwerde|reklamation|plainte|reclam|queja|klacht|sikayet|شکایت|شکوی|شکوه|اعتراض"
)
_PAYMENT = (
    "payment|charge|zahlung|lastschrift|paiement|prelevement|pago|pagamento|betaling|odeme|پرداخت|"
    "دفع|تراکنش|invoice"
)
_FAILED = (
    "fail|declin|refus|reject|return|unpaid|fehlgeschlagen|abgelehnt|geplatzt|echou|rechaz|fallid|"
    "rifiutat|fallit|mislukt|geweigerd|recusad|falhou|basarisiz|redd|ناموفق|رد|فاشل|فشل|مرفوض"
)
_PAID = (
    "ok|success|succe|paid|erfolg|bezahlt|reussi|exitos|riuscit|gelukt|voldaan|sucesso|pago|"
    "basarili|موفق|ناجح|تم"
)
_OPENED = "open|read|geoffnet|ouvert|abiert|apert|lettura|geopend|abert|acil|باز|فتح"
_NEW = (
    "open|creat|new|submit|eroffnet|neu|erstellt|ouvert|cree|abiert|cread|nuev|apert|creat|"
    "geopend|aangemaakt|abert|criad|acil|olustur|ثبت|جدید|ایجاد|باز|فتح|انشاء"
)
_CANCELLED = (
    "unregist|unsubscri|cancel|churn|terminat|deactivat|kundig|gekundigt|"
    "resili|annul|desabonn|baja|cancelac|disdett|annull|recess|disiscri|opgezegd|opzeg|"
    "desist|rescis|iptal|fesih|abonelikten|لغو|انصراف|فسخ|الغاء"
)
_ACCOUNT = "account|konto|compte|cuenta|conto|rekening|hesap|حساب"
_SHUT = (
    "clos|gelosch|geschlossen|ferme|supprim|cerrad|chius|gesloten|encerrad|kapat|delet|بسته|حذف|"
    "اغلاق"
)
_RENEWED = "renew|autorenew|verlanger|renouvel|renov|rinnov|verleng|yenile|تمدید|تجدید"
_MAIL = "email|mail|newsletter|courriel|correo|eposta|ایمیل|برید"
_LOGIN = (
    "login|logon|signin|logged|anmeld|einloggen|eingeloggt|connexion|accesso|inloggen|ingelogd|"
    "entrar|giris|ورود|دخول"
)
_VISIT = "visit|pageview|session|besuch|visite|visita|bezoek|ziyaret|بازدید|زیاره"
_SURVEY = (
    "survey|questionnaire|umfrage|enquete|encuesta|sondaggio|pesquisa|anket|نظرسنجی|استبیان|"
    "nps|csat"
)
_SENT = (
    "sent|send|invit|verschickt|versand|gesendet|envoy|enviad|inviat|verstuurd|verzonden|"
    "gonder|ارسال|مرسل"
)
_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("survey_sent", (_SURVEY, _SENT)),
    ("complaint_resolved", (_COMPLAINT, _ENDED)),
    ("complaint_opened", (_COMPLAINT,)),
    ("support_resolved", (_TICKET, _ENDED)),
    ("support_opened", (_TICKET, _NEW)),
    ("payment_failed", (_PAYMENT, _FAILED)),
    ("payment_ok", (_PAYMENT, _PAID)),
    ("cancellation", (_CANCELLED,)),
    ("cancellation", (_ACCOUNT, _SHUT)),
    ("renewal", (_RENEWED,)),
    ("email_open", (_MAIL, _OPENED)),
    ("login", (_LOGIN,)),
    ("visit", (_VISIT,)),
)
_TOGETHER = {"log in": "login", "sign in": "signin", "page view": "pageview", "e mail": "email",
             "log on": "logon", "auto renew": "autorenew", "inicio sesion": "login"}  # fmt: skip
_TICKET_TYPES = {"question", "incident", "problem", "task", "request", "bug"}
# What is cancelled with these words is no contract: the customer stays.
_SMALLER = (
    "order|meeting|appointment|booking|delivery|newsletter|email|mail|item|bestell|termin|commande|"
    "pedido|cita|ordine|bestelling|siparis|سفارش|طلب|نوبت|موعد"
)


def kinds_of(events: Iterable[str]) -> dict[str, str]:
    """Event → kind, for the events whose name means a kind but is none itself."""
    told = {event: kind_of(event) for event in events if event.lower() not in EVENT_KINDS}
    return {event: kind for event, kind in told.items() if kind}


def kind_of(event: str) -> str:
    """The kind that the name of an event means; empty if none is sure.

    Examples
    --------
    >>> kind_of("Ticket geschlossen"), kind_of("پرداخت ناموفق"), kind_of("wrote a review")
    ('support_resolved', 'payment_failed', '')
    """
    words = " ".join(tokens(event))
    for apart, together in _TOGETHER.items():
        words = words.replace(apart, together)
    parts = words.split()
    kind = next((kind for kind, needed in _KINDS if _all_said(parts, needed)), "")
    return "" if kind == "cancellation" and _all_said(parts, (_SMALLER,)) else kind


def _all_said(parts: list[str], needed: tuple[str, ...]) -> bool:
    return all(any(re.match(f"({stems})", part) for part in parts) for stems in needed)


def opened_tickets(types: Iterable[str]) -> dict[str, str]:
    """Kinds of the types of tickets that help desks export, one row a ticket."""
    return {told: "support_opened" for told in types if told.lower() in _TICKET_TYPES}
