"""A language's file of messages: read once, checked, and asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Literal

from churnkit.errors import ConfigError
from churnkit.language.numerals import Numerals
from churnkit.language.sentences import Sentences

if TYPE_CHECKING:
    from babel import Locale
    from babel.messages import Catalog, Message

SENTENCE = "sentence"
"""Context of messages that are stored sentences, with places in braces."""

FORM = "form"
"""Context of messages that say how parts are put together, such as a day of its parts."""

_OF_A_PAGE = re.compile(r"%\((\w+)\)s")
_COMPARED = re.compile(r"([<>])[ \xa0](\S.*)")
_INTERVAL = re.compile(r"\[([^\[\],]+|[^\[\] ]+), ([^\[\]]+)\]")


@dataclass(frozen=True)
class Catalogue:
    """The messages of a language, and how it writes numbers and days.

    Attributes
    ----------
    messages
        Its messages, by their English texts.
    locale
        By whose rules numbers and days are written.
    templates
        English texts of the stored sentences: singular, and plural or ``""``.
    """

    messages: GNUTranslations
    locale: Locale
    templates: tuple[tuple[str, str], ...]

    @property
    def direction(self) -> Literal["ltr", "rtl"]:
        """The direction of its script."""
        return "rtl" if self.locale.text_direction == "rtl" else "ltr"

    @cached_property
    def numerals(self) -> Numerals:
        """How it writes numbers."""
        return Numerals.of(self.locale)

    @cached_property
    def _sentences(self) -> Sentences:
        return Sentences(self)

    def text(self, message: str) -> str:
        """A message of a page; as it is where there is none."""
        return self.messages.gettext(message) if message else ""

    def plural(self, one: str, many: str, n: int) -> str:
        """The form of a message of a page that a number asks for."""
        return self.messages.ngettext(one, many, n)

    def form(self, message: str, **parts: str) -> str:
        """Parts put together as the language does it."""
        return self.messages.pgettext(FORM, message).format(**parts)

    def sentence(self, one: str, many: str = "", n: int = 1) -> str:
        """What stands for the template of a sentence, its places still empty."""
        if many:
            return self.messages.npgettext(SENTENCE, one, many, n)
        return self.messages.pgettext(SENTENCE, one)

    def said(self, sentence: str, day: Callable[[str], str]) -> str:
        """A stored sentence; as it is where it is not known.

        Parameters
        ----------
        sentence
            English text.
        day
            Tells a day.
        """
        return self._sentences.said(sentence, day)

    def figures(self, text: str) -> str:
        """A text with its digits exchanged, and nothing else."""
        return self.numerals.figures(text)

    def number(self, written: str) -> str:
        """A number that is written in English, in the digits and signs of the language."""
        known = self.sentence(written) if written else ""
        if known != written:
            return known
        compared = _COMPARED.fullmatch(written)
        if compared is not None:
            return self.form(compared[1] + " {n}", n=self.numerals.numbers(compared[2]))
        return _INTERVAL.sub(self._interval, self.numerals.numbers(written))

    def _interval(self, found: re.Match[str]) -> str:
        return self.form("[{low}, {high}]", low=found[1], high=found[2])

    def gregorian(self, of: date, *, month: bool) -> str:
        """A day, or its month, in words."""
        from babel.dates import format_date, format_skeleton

        if month:
            return self.figures(format_skeleton("yMMMM", of, locale=self.locale))
        return self.figures(format_date(of, "long", locale=self.locale))


@cache
def catalogue_in(file: Path) -> Catalogue:
    """The catalogue in a file, read once.

    Raises
    ------
    ConfigError
        Naming file and line, if it is no catalogue, or a message has places that its English
        text has not.
    """
    from babel.messages.mofile import write_mo

    told = _read(file)
    if told.locale is None:
        named = told.locale_identifier
        raise ConfigError(
            f"{file}: its header names no language"
            + (f" that is known, but {named}" if named else ""),
            "Write one there, such as Language: fa, or a locale such as Language: ar_EG.",
        )
    for message in told:
        _require_fitting(file, message)
    compiled = BytesIO()
    try:
        write_mo(compiled, told)
        compiled.seek(0)
        translations = GNUTranslations(compiled)
    except (LookupError, ValueError) as error:
        raise ConfigError(f"{file} cannot be compiled: {error}", "Mend its header.") from error
    return Catalogue(translations, told.locale, tuple(_templates(told)))


def _read(file: Path) -> Catalog:
    from babel.messages.pofile import PoFileError, read_po

    try:
        with file.open("rb") as opened:
            return read_po(opened, abort_invalid=True)
    except PoFileError as error:
        raise ConfigError(
            f"{file}, line {error.lineno + 1}: {error}: {error.line}", "Mend the line."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", "It must be a PO file.") from error
    except (LookupError, TypeError, ValueError) as error:  # such as an encoding that is none
        raise ConfigError(f"{file} is no PO file: {error}", "Mend its header.") from error


def _templates(told: Catalog) -> Iterator[tuple[str, str]]:
    for message in told:
        if message.context == SENTENCE and message.string and not message.fuzzy:
            yield (message.id, "") if isinstance(message.id, str) else (*message.id,)


def _require_fitting(file: Path, message: Message) -> None:
    """Refuse places that nothing fills."""
    if not message.id:
        return
    ids = (message.id,) if isinstance(message.id, str) else message.id
    string = message.string or ""
    strings = (string,) if isinstance(string, str) else string
    braced = message.context in (SENTENCE, FORM)
    try:
        places = _braced if braced else _percents
        odd = {p for text in strings for p in places(text)} - {p for i in ids for p in places(i)}
    except ValueError as error:
        odd = {str(error)}
    if odd:
        raise ConfigError(
            f"{file}, line {message.lineno}: {min(odd)!r} in the translation of {ids[0]!r} is not "
            "in the English text",
            "Write its places as they stand there.",
        )


def _braced(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def _percents(text: str) -> set[str]:
    """Places of a message of a page; a sign for per cent is written twice there."""
    alone = "%" in _OF_A_PAGE.sub("", text).replace("%%", "")
    return {*_OF_A_PAGE.findall(text), *(["%"] if alone else [])}
