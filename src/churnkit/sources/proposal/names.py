"""What the name of a column says, in whatever case, accents, letters and language."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from churnkit.logs import SCHEMAS
from churnkit.sources.proposal import words

_LETTERS = str.maketrans(
    "ıßøæœđłيىئكةۀأإٱآؤ۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩",
    "isoaedlیییکههااااو01234567890123456789",
)
_SIGNS = str.maketrans({"%": " percent ", "\u066a": " percent "})
# Not within "MwSt" or "eMail".
_CAMEL = re.compile(r"(?<=[a-z\d]{3})(?=[A-Z])|(?<=\b[Ii]s)(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_ARTICLE = re.compile(r"(?<!\w)ال(?=\w{3})")  # of Arabic
_FILLERS = frozenset({
    "of", "the", "de", "du", "del", "da", "do", "dos", "des", "la", "le", "les", "el", "en", "d",
    "l", "der", "van", "und", "and", "y", "e", "et", "و",
})  # fmt: skip
_SAYS_NOTHING = re.compile(r"^(col|column|field|unnamed|var|attr|feature|spalte|[a-z])?_*\d*$")
_MOMENTS = ("at", "on", "date", "time", "datetime", "timestamp", "ts")
_PART = 0.8  # a phrase among words that leave its meaning
_LOOSE = 0.6  # a phrase among words nobody knows
_OWN = words.STRICT | {"since"}  # columns called by words that make others something else


def tokens(name: str) -> tuple[str, ...]:
    """The words of a name, folded: case, accents, letter variants, plurals, articles.

    Examples
    --------
    >>> tokens("Customer_IDs"), tokens("InvoiceDate"), tokens("Date d'achat"), tokens("رقم العميل")
    (('customer', 'id'), ('invoice', 'date'), ('date', 'achat'), ('رقم', 'عمیل'))
    """
    apart = _CAMEL.sub(" ", _ARTICLE.sub("", name.translate(_SIGNS)))
    plain = unicodedata.normalize("NFKD", apart.casefold())
    bare = "".join(c for c in plain if not unicodedata.combining(c)).translate(_LETTERS)
    parts = re.split(r"[\W_\u0640\u200c]+", bare)
    return tuple(_bare(part) for part in parts if part and part not in _FILLERS)


def _bare(word: str) -> str:
    plural = re.fullmatch(r"[a-z]{4,}s", word) and not word.endswith(("ss", "us", "is"))
    return word[:-1] if plural or word == "ids" else word


def says_nothing(name: str) -> bool:
    """Whether a name such as ``col1``, ``x`` or ``Unnamed: 3`` tells nothing about the column."""
    return bool(_SAYS_NOTHING.match("_".join(tokens(name))))


def without_common_prefix(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Name → its words, without a first word that most of the names begin with (``ord_date``)."""
    told = {name: tokens(name) for name in names}
    firsts = [words_[0] for words_ in told.values() if len(words_) > 1]
    common = max(set(firsts), key=firsts.count, default="")
    if len(names) < 4 or firsts.count(common) < 0.75 * len(names):
        return told
    return {n: t[1:] if t[:1] == (common,) and len(t) > 1 else t for n, t in told.items()}


def name_score(parts: Sequence[str], log: str, column: str) -> float:
    """How clearly the words of a name call a column of the contract: 0 not at all, 1 outright."""
    known = _known(log, column)
    whole = known.get("".join(parts))
    if whole is not None:
        return whole
    if set(parts) & _other_things(log, column):
        return 0.0
    return max(_contained(parts, known, column), default=0.0)


def _contained(parts: Sequence[str], known: dict[str, float], column: str) -> Iterator[float]:
    for start in range(len(parts)):
        for end in range(start + 1, len(parts) + 1):
            weight = known.get("".join(parts[start:end]))
            if weight is not None:
                rest = {*parts[:start], *parts[end:]}
                plain = rest <= _beside_the_point() | known.keys() | _numbering(column)
                if plain or column not in words.STRICT:
                    yield weight * (_PART if plain else _LOOSE)
    endings = tuple(_phrases(words.ENDINGS.get(column, "")))
    if endings and any(part.endswith(endings) for part in parts):
        yield _PART * 0.95
    if column == "ts" and parts and parts[-1] in _MOMENTS:
        yield _LOOSE


@cache
def _known(log: str, column: str) -> dict[str, float]:
    """Folded phrase without gaps → weight, the highest where it stands twice."""
    if column in words.IDS:
        return _ids(column)
    told = words.phrases(log, column)
    return {p: weight for weight in sorted(told) for p in _phrases(told[weight])}


def _ids(column: str) -> dict[str, float]:
    known: dict[str, float] = {}
    numbering = list(_phrases(words.NUMBERING))
    for weight, nouns in sorted(words.IDS[column].items()):
        for noun in _phrases(nouns):
            known[noun] = weight - 0.02  # "customer" may be a name; "customer id" is none
            known |= {form: weight for n in numbering for form in (noun + n, n + noun)}
            known |= {f"{noun}s{n}": weight for n in numbering}  # "Rechnungsnummer"
    return known


def _phrases(told: str) -> Iterator[str]:
    """The phrases as they are compared: folded, without gaps."""
    return ("".join(tokens(phrase)) for phrase in told.split("|") if phrase)


@cache
def _other_things(log: str, column: str) -> frozenset[str]:
    kind = SCHEMAS[log].column(column).kind
    group = {"time": "time", "id": "id"}.get(kind, "number")
    if kind == "text":
        group = "id" if column in words.IDS else "text"
    own = {part for p in words.phrases(log, column).values() for part in _folded(p)}
    return frozenset(_folded(words.OTHER_THINGS[group])) - (own if column in _OWN else set())


@cache
def _numbering(column: str) -> frozenset[str]:
    return frozenset(_folded(words.NUMBERING)) if column in words.IDS else frozenset()


@cache
def _beside_the_point() -> frozenset[str]:
    return frozenset(_folded(words.BESIDE_THE_POINT))


def _folded(told: str) -> Iterable[str]:
    return (part for phrase in told.split("|") for part in tokens(phrase))
