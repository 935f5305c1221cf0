"""Languages: one file each, nothing untold, and what is told keeps its values."""

from __future__ import annotations

import html
import json
import re
import runpy
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from babel import Locale, localedata
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from churnkit.errors import ConfigError
from churnkit.explain.words import change, sentence
from churnkit.features import FeatureColumn, FeatureSpec
from churnkit.features.static import StaticColumn
from churnkit.language import ENGLISH, Language, language_named, languages
from churnkit.language.numerals import _ZEROS
from churnkit.lights import RULES
from churnkit.logs import EVENT_KINDS
from churnkit.report.page import render
from churnkit.report.summary import summarise
from churnkit.scoring import Scores
from churnkit.sections import OutputSection
from churnkit.training import Training

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "src" / "churnkit" / "language"
messages: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "messages.py"))

OURS = ("ar", "fa")
PROPER = ("NPS", "CES", "CSAT", "CLV", "NRR", "GRR", "AUROC", "PSI", "CSV", "BG", "NBD", "Holm")
MODELS = (
    "base_rate", "recency", "overdue", "rfm_logistic", "bgnbd", "logistic", "lightgbm", "blend",
    "hazard", "run_rate", "gamma_gamma",
)  # fmt: skip
LETTERS = re.compile(r"[A-Za-z]{2,}")


@pytest.fixture(scope="module")
def template() -> Any:
    return messages["gathered"]()


@pytest.fixture(scope="module")
def fa() -> Language:
    return language_named("fa")


@pytest.fixture(scope="module")
def ar() -> Language:
    return language_named("ar")


@pytest.fixture(params=OURS, scope="module")
def theirs(request: pytest.FixtureRequest) -> Language:
    return language_named(request.param)


def latin(text: str, *known: str) -> list[str]:
    """Words of another script in a text, but for those that are known."""
    for word in sorted(known, key=len, reverse=True):
        text = re.sub(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])", "", text)
    return LETTERS.findall(text)


# ── Catalogues ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("code", OURS)
def test_a_catalogue_has_the_messages_of_the_code(code: str, template: Any) -> None:
    differences = messages["differences"](FOLDER / f"{code}.po", template)
    assert not differences, f"run make messages, and translate what is new: {differences[:5]}"


@pytest.mark.parametrize("code", OURS)
def test_every_message_is_translated_with_its_places(code: str) -> None:
    places = re.compile(r"%\(\w+\)s|\{\w+\}")
    for message in messages["read"](FOLDER / f"{code}.po"):
        if not message.id:
            continue
        plural = not isinstance(message.id, str)
        ids = message.id if plural else (message.id,)
        strings = message.string if plural else (message.string,)
        assert all(text.strip() for text in strings), f"not translated: {ids[0]}"
        assert not message.fuzzy, ids[0]
        # "two days" may say its number in a word; the form of many has all places.
        assert Counter(places.findall(strings[-1])) == Counter(places.findall(ids[-1])), ids
        assert all(set(places.findall(s)) <= set(places.findall(ids[-1])) for s in strings), ids


def test_the_code_is_told_apart_from_its_ways(tmp_path: Path) -> None:
    """The extractor: values are places, a choice of words is a message for each."""
    (tmp_path / "module.py").write_text(
        '"""A docstring with words."""\n'
        "def says(n, when):\n"
        "    if n < 0:\n"
        "        raise ConfigError(f'there are {n} rows', 'Mend it.')\n"
        "    return f\"{n:,} {'day' if n == 1 else 'days'} before {when.day}{rest(n)}\"\n",
        encoding="utf-8",
    )
    of_code = messages["of_code"]
    of_code.__globals__["SOURCE"], before = tmp_path, of_code.__globals__["SOURCE"]
    try:
        found = {text for text, _ in of_code("module.py", ("says",))}
        with pytest.raises(SystemExit, match=r"module\.py has no gone"):
            list(of_code("module.py", ("gone",)))
    finally:
        of_code.__globals__["SOURCE"] = before
    assert found == {"{n} day before {day_etc}", "{n} days before {day_etc}"}


# ── Adding one, and what may be wrong with it ───────────────────────────────────────────────

TURKISH = """\
msgid ""
msgstr ""
"Language: tr\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"
"Content-Type: text/plain; charset=utf-8\\n"

msgid "Call list"
msgstr "Arama listesi"

msgid "%(shown)s customer"
msgid_plural "%(shown)s customers"
msgstr[0] "%(shown)s müşteri"
msgstr[1] "%(shown)s müşteri!"

msgctxt "sentence"
msgid "no purchase for {span}"
msgstr "{span} alışveriş yok"

msgctxt "sentence"
msgid "{n} day"
msgid_plural "{n} days"
msgstr[0] "{n} gün"
msgstr[1] "{n} gün"

msgctxt "sentence"
msgid "red"
msgstr "kırmızı"
"""


def test_a_language_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "tr.po").write_text(TURKISH, encoding="utf-8")
    tr = language_named("tr", folder=tmp_path)

    assert languages(tmp_path) == ("en", "tr")
    assert (tr.code, tr.direction) == ("tr", "ltr")
    assert tr.text("Call list") == "Arama listesi"
    assert tr.text("Not translated") == "Not translated"
    assert tr.texts("%(shown)s customer", "%(shown)s customers", 1, shown=1) == "1 müşteri"
    assert tr.texts("%(shown)s customer", "%(shown)s customers", 2, shown=1234) == "1.234 müşteri!"
    assert tr.said("↑ no purchase for 74 days") == "↑ 74 gün alışveriş yok"
    assert tr.digits("1,234.5") == "1.234,5"
    assert tr.digits("83 %") == "%83"
    assert tr.digits("[.710, .750]") == "[0,710, 0,750]"
    assert tr.day("2024-12-31") == "31 Aralık 2024"


def test_an_unknown_language_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"no language 'farsi'\nDid you mean 'fa'\? There are ar"):
        language_named("farsi")


def test_an_unknown_calendar_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="no calendar 'jalaly'\nDid you mean 'jalali'"):
        language_named("fa", "jalaly")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (TURKISH.replace('msgid "red"', "nonsense"), "tr.po, line 26"),
        (
            TURKISH.replace("{span} alış", "{days} alış"),
            "tr.po, line 16: 'days' in the translation",
        ),
        (TURKISH.replace("{span} alış", "{span alış"), "tr.po, line 16"),
        (TURKISH.replace("%(shown)s müşteri!", "%(n)s"), "tr.po, line 10: 'n' in the translation"),
        (TURKISH.replace("müşteri!", "% müşteri"), "tr.po, line 10: '%' in the translation"),
        (TURKISH.replace("Language: tr", "Language: qq"), "tr.po: .*qq"),
        (TURKISH.replace('"Language: tr\\n"\n', ""), "tr.po: its header names no language"),
    ],
)
def test_a_broken_file_is_refused_with_its_place(tmp_path: Path, text: str, found: str) -> None:
    (tmp_path / "tr.po").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=found):
        language_named("tr", folder=tmp_path)


def test_a_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tr.po").write_bytes(TURKISH.encode("utf-16"))
    with pytest.raises(ConfigError, match=r"tr\.po"):
        language_named("tr", folder=tmp_path)


def test_settings_name_a_language_and_a_calendar() -> None:
    told = OutputSection(language="fa", calendar="jalali")
    assert (told.language, told.calendar) == ("fa", "jalali")
    with pytest.raises(ConfigError, match="no language 'farsi'\nDid you mean 'fa'"):
        OutputSection(language="farsi")
    with pytest.raises(ValidationError, match="'gregorian' or 'jalali'"):
        OutputSection(calendar="lunar")


# ── Numbers and days ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "fa", "ar"),
    [
        ("1,234", "۱٬۲۳۴", "١٬٢٣٤"),
        (".730", "۰٫۷۳۰", "٠٫٧٣٠"),
        ("3.21", "۳٫۲۱", "٣٫٢١"),
        ("83\xa0%", "۸۳٪", "٨٣٪\u061c"),
        ("12%", "۱۲٪", "١٢٪\u061c"),
        ("<\xa01\xa0%", "کمتر از ۱٪", "أقل من ١٪\u061c"),
        (">\xa099\xa0%", "بیش از ۹۹٪", "أكثر من ٩٩٪\u061c"),
        ("[.710, .750]", "[۰٫۷۱۰ تا ۰٫۷۵۰]", "[٠٫٧١٠ إلى ٠٫٧٥٠]"),
        ("not known", "نامعلوم", "غير معروف"),
        ("17:00", "۱۷:۰۰", "١٧:٠٠"),
        ("", "", ""),
        ("C03233", "C03233", "C03233"),
    ],
)
def test_numbers_in_local_digits(written: str, fa: str, ar: str) -> None:
    assert language_named("fa").digits(written) == fa
    assert language_named("ar").digits(written) == ar
    assert ENGLISH.digits(written) == written


def test_a_sign_stays_before_its_number(fa: Language) -> None:
    """In a line that is read from the right a bare sign would land behind the number."""
    assert fa.digits("−.012") == "\u2068\u200e−۰٫۰۱۲\u2069"
    low, high = fa.digits("[−.012, .030]").strip("[]").split(" تا ")
    assert (low, high) == ("\u2068\u200e−۰٫۰۱۲\u2069", "۰٫۰۳۰")


def test_the_digits_of_every_language_are_known() -> None:
    whole = ("ar_EG", "sd_Arab_PK", "az_Arab_IR", "mni_Mtei_IN", "hnj_Hmnp")
    codes = [code for code in localedata.locale_identifiers() if "_" not in code]
    systems = {Locale.parse(code).default_numbering_system for code in (*codes, *whole)}
    assert systems <= _ZEROS.keys()
    assert all(chr(zero).isdigit() and int(chr(zero)) == 0 for zero in _ZEROS.values())


@pytest.mark.parametrize(
    ("day", "gregorian", "jalali"),
    [
        ("2024-12-31", "۳۱ دسامبر ۲۰۲۴", "۱۱ دی ۱۴۰۳"),
        ("2024-03-20", "۲۰ مارس ۲۰۲۴", "۱ فروردین ۱۴۰۳"),
        ("2024-03-19", "۱۹ مارس ۲۰۲۴", "۲۹ اسفند ۱۴۰۲"),
        ("2024-12-31 17:00", "۳۱ دسامبر ۲۰۲۴، ۱۷:۰۰", "۱۱ دی ۱۴۰۳، ۱۷:۰۰"),
        ("2024-12-31T17:00:00+03:30", "۳۱ دسامبر ۲۰۲۴، ۱۷:۰۰", "۱۱ دی ۱۴۰۳، ۱۷:۰۰"),
        ("2024-12", "دسامبر ۲۰۲۴", "دسامبر ۲۰۲۴"),
        ("2024-13-45", "2024-13-45", "2024-13-45"),
        ("soon", "soon", "soon"),
    ],
)
def test_days(day: str, gregorian: str, jalali: str) -> None:
    assert language_named("fa").day(day) == gregorian
    assert language_named("fa", "jalali").day(day) == jalali


def test_english_days_stay_as_they_are_unless_another_calendar_is_chosen() -> None:
    assert ENGLISH.day("2024-12-31") == "2024-12-31"
    assert language_named("en", "jalali").day("2024-12-31") == "11 Dey 1403"
    assert language_named("ar").day("2024-12-31") == "٣١ ديسمبر ٢٠٢٤"
    assert language_named("ar", "jalali").day("2024-12-31") == "١١ دي ١٤٠٣"


@pytest.mark.parametrize(
    ("n", "told"),
    [
        ("0", "٠ يوم"),
        ("1", "يوم واحد"),
        ("2", "يومين"),
        ("3", "٣ أيام"),
        ("11", "١١ يومًا"),
        ("100", "١٠٠ يوم"),
        ("1,002", "١٬٠٠٢ يوم"),
        ("3.5", "٣٫٥ يوم"),
    ],
)
def test_plural_forms_of_arabic(n: str, told: str, ar: Language) -> None:
    counted = f"{n} day" if n == "1" else f"{n} days"
    assert ar.said(f"no purchase for {counted}") == f"دون شراء منذ {told}"


@pytest.mark.parametrize(("n", "told"), [(1, "عميل واحد"), (2, "عميلان"), (1986, "١٬٩٨٦ عميلًا")])
def test_plural_forms_of_a_page(n: int, told: str, ar: Language) -> None:
    assert ar.texts("%(shown)s customer", "%(shown)s customers", n, shown=n) == told


# ── Sentences ───────────────────────────────────────────────────────────────────────────────


def columns() -> tuple[FeatureColumn, ...]:
    """Every feature there is, of logs that hold all there can be."""
    everything = {
        "purchases": (
            "amount", "items", "products", "discount", "line_product", "line_category",
            "line_channel",
        ),
        "activity": ("kind", "value", "valued", "ref"),
        "surveys": ("instrument", "score"),
    }  # fmt: skip
    return FeatureSpec(
        logs=everything,
        kinds=tuple(EVENT_KINDS),
        valued=("renewal",),
        instruments=("ces", "csat", "nps"),
        static=(StaticColumn("Plan", ("basic", "pro")), StaticColumn("Age")),
    ).columns()


VALUES = (0.0, 0.004, 0.3, 1.0, 2.0, 11.0, 74.0, 1234.0, float("nan"))
IDS = ("Plan", "Age", "basic", "pro", *PROPER)


def told_of(column: FeatureColumn) -> Iterator[str]:
    """What is said of a feature."""
    values = [float(v) for v in column.feature.classes] or list(VALUES)
    companions = {"gap_median": 21.0, "gap_p90": 40.0, "recency": 74.0, "activity_gap_mean": 3.7}
    companions |= {f"days_since_{name}": 20.0 for name in ("nps", "ces", "csat")}
    companions |= {"spend_mean_all": 30.0, "complaints_open_days": 0.2, "gap_mean": 12.0}
    yield column.says
    yield column.theme
    for value in values:
        yield sentence(column, value, companions)
        yield change(column, value, values[0])
        yield change(column, value, float("nan"))


def test_every_sentence_of_every_feature_is_told(theirs: Language) -> None:
    left = {
        said: theirs.said(said)
        for column in columns()
        for said in told_of(column)
        if latin(theirs.said(said), *IDS)
    }
    assert not left


def test_values_are_kept(fa: Language) -> None:
    """Numbers of a sentence are those of the English one; ٫ and ٬ are its signs."""
    local = str.maketrans("۰۱۲۳۴۵۶۷۸۹٫", "0123456789.", "٬")
    for column in columns():
        for value in (0.3, 3.0, 74.0, 1234.0):
            if column.feature.classes:
                continue
            said = sentence(column, value)
            numbers = re.findall(r"[\d.]*\d", said.replace(",", ""))
            told = re.findall(r"[\d.]*\d", fa.said(said).translate(local))
            assert Counter(map(float, numbers)) == Counter(map(float, told)), said


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("no purchase for 74 days, usually every 21", "۷۴ روز بدون خرید، معمولاً هر ۲۱ روز"),
        ("↑ no purchase for 5 hours", "↑ ۵ ساعت بدون خرید"),
        ("! open complaint: yellow → red", "! شکایت باز: زرد ← قرمز"),
        ("active once in the last 90 days", "یک بار فعال در ۹۰ روز گذشته"),
        ("active 1,234 times so far", "۱٬۲۳۴ بار فعال تاکنون"),
        ("last nps answer: 3, 20 days ago", "آخرین پاسخ NPS: ۳، ۲۰ روز پیش"),
        ("≈no visit so far (was 8)", "≈تاکنون بدون بازدید (پیش‌تر ۸)"),
        (
            "open complaint; a rule of ours; failed payment",
            "شکایت باز؛ a rule of ours؛ پرداخت ناموفق",
        ),
        (
            "risk went from 39% to 42% (no purchase for 74 days (was 21); open complaint)",
            "خطر از ۳۹٪ به ۴۲٪ (۷۴ روز بدون خرید (پیش‌تر ۲۱ روز)؛ شکایت باز) رسید",
        ),
        (
            "set to red by anna until 2024-12-31: she said so",
            "anna آن را تا ۳۱ دسامبر ۲۰۲۴ قرمز کرده: she said so",
        ),
        (
            "the logs have no amounts: nothing is told of revenue and lifetime value.",
            "لاگ‌ها مبلغ ندارند: از درآمد و ارزش طول عمر چیزی گفته نمی‌شود.",
        ),
        ("red", "قرمز"),
        ("2024-12-31", "۳۱ دسامبر ۲۰۲۴"),
        ("42", "۴۲"),
    ],
)
def test_sentences(said: str, told: str, fa: Language) -> None:
    assert fa.said(said) == told
    assert ENGLISH.said(said) == said


@pytest.mark.parametrize(
    "text",
    [
        "our own rule: ring up, then write; twice", "VIP: ring up", "C03233", "lightgbm-2024-10-31",
        "  ", "", "مشتری خوب", "<b>bold</b>", "{value}", "%(n)s", "a\nb", "…", "(", "1.2.3-rc4",
    ],
)  # fmt: skip
def test_what_is_not_ours_stays_as_it_was_written(text: str, theirs: Language) -> None:
    assert theirs.said(text) == text


@given(st.text(max_size=300))
def test_any_text_is_told_without_a_fault(text: str) -> None:
    assert isinstance(language_named("fa").said(text), str)


@pytest.mark.parametrize(
    "part",
    [
        "a: ",
        "1,",
        "(",
        ") (",
        "no ",
        " (was ",
        "a; ",
        "a, ",
        "last ",
        "1 ",
        "those who left: ",
        "x",
    ],
)
def test_no_text_makes_the_matching_explode(part: str, fa: Language) -> None:
    """A pattern that goes back would be at it for ever."""
    text = (part * 10_000)[:10_000]
    assert len(fa.said(text)) > 1_000


def test_a_foreign_text_inside_keeps_its_direction(fa: Language) -> None:
    told = fa.said("set to red by 7 of 9 (Hansen) until 2024-12-31: she said so.")
    assert told.startswith("\u20687 of 9 (Hansen)\u2069 ")
    assert told.endswith("\u2068she said so.\u2069")


def test_codes_in_a_list_stand_in_the_order_of_the_language(fa: Language) -> None:
    told = fa.said(
        "4 of 208 features are distributed otherwise than where the model learnt (gap_p90, gap_std "
        "and 1 more); realised outcomes tell whether it harms the scores"
    )
    assert "(\u2068gap_p90\u2069، \u2068gap_std\u2069 و ۱ تای دیگر)" in told


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("better than version 3 on the same 900 customers: log loss .1, AUROC .2", "بهتر از نسخهٔ"),
        (
            "a in the b log is 100 times smaller since the run before than in the weeks before",
            "۱۰۰ برابر کوچک‌تر از هفته‌ها",
        ),
    ],
)
def test_what_is_compared_is_told_whole(said: str, told: str, fa: Language) -> None:
    assert told in fa.said(said)


def test_rules_are_told(theirs: Language) -> None:
    assert not [rule.says for rule in RULES if latin(theirs.said(rule.says))]


# ── Pages ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def summary(scores: Scores, training: Training, logs: Any, card_of: Callable[..., Any]) -> Any:
    warnings = ["the logs have no answers to NPS, CES or CSAT"]
    return json.loads(json.dumps(summarise(scores, card_of(training), logs, warnings)))


@pytest.fixture(scope="module")
def card_of() -> Callable[[Training], Any]:
    return lambda training: training.card()


def words_of(page: str) -> Iterator[str]:
    """What a page shows and says, text by text."""
    bare = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)
    attributes = re.findall(r' (?:aria-label|placeholder|title|data-says)="([^"]*)"', bare)
    bare = re.sub(r"<bdi>.*?</bdi>", "", bare)  # texts of the user's
    for text in (*re.split(r"<[^>]*>", bare), *attributes):
        if text.strip():
            yield html.unescape(text)


def test_a_page_is_in_one_language(summary: Any, theirs: Language) -> None:
    page = render(
        {**summary, "kpis": None, "watch": None, "whole": None, "lift": summary.get("lift", [])},
        theirs,
    )
    known = (
        *PROPER,
        *MODELS,
        "churnkit",
        "changed",
        "report",
        "monitor",
        "kpi",
        "dev0",
        "unregistered",
    )
    left = [t for t in words_of(page) if latin(re.sub(r"C\d+|\{\w+\}", "", t), *known)]
    assert f'<html lang="{theirs.code}" dir="rtl">' in page
    assert not left
