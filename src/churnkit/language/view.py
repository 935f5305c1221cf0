"""`Language`: a view of what is stored in English, made by `language_named`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from churnkit.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from churnkit.language.catalogue import Catalogue

Direction = Literal["ltr", "rtl"]
Calendar = Literal["gregorian", "jalali"]

CALENDARS: tuple[Calendar, ...] = get_args(Calendar)

_CATALOGUES = Path(__file__).parent
_CODE = "en"


@dataclass(frozen=True)
class Language:
    """A language, with the calendar in which it tells days.

    Attributes
    ----------
    code
        Such as ``en``, ``fa``, ``ar``.
    direction
        The direction of its script.
    calendar
        ``gregorian`` or ``jalali``.
    file
        Its catalogue; English has none.
    """

    code: str = _CODE
    direction: Direction = "ltr"
    calendar: Calendar = "gregorian"
    file: Path | None = None

    def text(self, message: str, **values: object) -> str:
        """A message of a page in this language, with its values in place.

        Parameters
        ----------
        message
            English text, with values as ``%(name)s``; without values a ``%`` is just that.
        **values
            Texts as they are to stand there; numbers are written in the digits of the language.
        """
        told = message if self.file is None else self._catalogue.text(message)
        return told % self._written(values) if values else told

    def texts(self, one: str, many: str, n: int, **values: object) -> str:
        """A message that depends on a number, ``n``, in the plural form that it asks for."""
        told = self.plural(one, many, n)
        return told % self._written({"n": n, **values})

    def plural(self, one: str, many: str, n: int) -> str:
        """The form of a message that a number asks for, its places still empty."""
        if self.file is None:
            return one if n == 1 else many
        return self._catalogue.plural(one, many, n)

    def said(self, sentence: str) -> str:
        """A stored English sentence in this language; as it is where that is not known.

        Numbers and days in it are told in this language, too. Ids, names and texts of the user's
        stay as they are.
        """
        if self.file is not None:
            return _said(self, sentence)
        return self.day(sentence)

    def digits(self, written: str) -> str:
        """A number that is written in English, in the digits and signs of this language.

        Parameters
        ----------
        written
            What `churnkit.report.wording` writes: ``1,234``, ``−.012``, ``83 %``, ``< 1 %``,
            ``[.710, .750]``, ``not known``.
        """
        return written if self.file is None else self._catalogue.number(written)

    def day(self, day: str) -> str:
        """A day in the calendar of this language; a text that is none stays as it is.

        Parameters
        ----------
        day
            Such as ``2024-12-31``, ``2024-12-31 17:00``, ``2024-12-31T17:00:00+00:00`` or, of a
            month, ``2024-12``. Months are those of the Gregorian calendar, whatever is chosen.
        """
        if self.file is None and self.calendar == "gregorian":
            return day
        return _day(self, day)

    def _written(self, values: dict[str, object]) -> dict[str, object]:
        return {name: self.told(value) for name, value in values.items()}

    def told(self, value: object) -> object:
        """A number as this language writes it; anything else as it is."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return value
        return self.digits(f"{value:,}")

    @property
    def _catalogue(self) -> Catalogue:
        from churnkit.language.catalogue import catalogue_in

        return catalogue_in(self.file)


ENGLISH = Language()


def languages(folder: Path = _CATALOGUES) -> tuple[str, ...]:
    """Codes of the languages there are, sorted: English, and one for each catalogue."""
    return tuple(sorted({_CODE, *(path.stem for path in folder.glob("*.po"))}))


def language_named(code: str, calendar: str = "gregorian", folder: Path = _CATALOGUES) -> Language:
    """The language of a code, in a calendar.

    Parameters
    ----------
    code
        One of `languages`.
    calendar
        One of `CALENDARS`.
    folder
        Where its catalogue is.

    Raises
    ------
    ConfigError
        If there is no such language or calendar, or its catalogue is broken.
    """
    for chosen in CALENDARS:
        if calendar == chosen:
            return _made(code, chosen, folder)
    raise ConfigError(
        f"there is no calendar {calendar!r}",
        f"{did_you_mean(calendar, CALENDARS)}There are {' and '.join(CALENDARS)}.",
    )


def require_language(code: str, folder: Path = _CATALOGUES) -> str:
    """The code itself, if there is such a language.

    Raises
    ------
    ConfigError
        If not, with those there are.
    """
    known = languages(folder)
    if code not in known:
        raise ConfigError(
            f"there is no language {code!r}",
            f"{_meant(code, known)}There are {', '.join(known)}; docs/languages.md tells "
            "how to add one.",
        )
    return code


def _meant(code: str, known: tuple[str, ...]) -> str:
    """The question that offers a similar code, or the one that a longer name begins with."""
    return did_you_mean(code, known) or did_you_mean(code.casefold()[:2], known)


def _made(code: str, calendar: Calendar, folder: Path) -> Language:
    require_language(code, folder)
    if code == _CODE:
        return Language(calendar=calendar)
    from churnkit.language.catalogue import catalogue_in

    file = folder / f"{code}.po"
    return Language(code.replace("_", "-"), catalogue_in(file).direction, calendar, file)


@lru_cache(maxsize=1 << 15)
def _said(language: Language, sentence: str) -> str:
    return language._catalogue.said(sentence, language.day)


@lru_cache(maxsize=1 << 12)
def _day(language: Language, day: str) -> str:
    from churnkit.language.days import told

    catalogue = None if language.file is None else language._catalogue
    return told(day, catalogue, jalali=language.calendar == "jalali")
