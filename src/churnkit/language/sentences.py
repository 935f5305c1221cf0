"""Stored English sentences in another language: found again by their templates.

A sentence that is stored was made of a template and its values. The templates are messages of the
catalogue, with a place in braces for each value. Each is a pattern here; of those that fit, the one
that says most by itself holds, and its values are told by the same means.

The text may be anybody's: patterns give back nothing that they once took (their groups are
atomic), so that no text takes longer than its length allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING

from churnkit.language.days import DAY
from churnkit.language.numerals import PLAIN, isolated

if TYPE_CHECKING:
    from churnkit.language.catalogue import Catalogue

_SIZE = rf"[-−+]?(?:{PLAIN})"
_UNITS = r"(?:day|hour|minute|second)s?"
_NAME = r"[^;:,()]{1,80}?"
_ANY = r"[^;]+?"
_WHOLE = r"[^;()]+(?:\([^;()]*\))?"  # what stands in parentheses itself, and may hold some
_MORE = r"(?:[^\w][\s\S]*?)?"  # right after a word: what may follow it, with its comma
_ALL = r"[\s\S]+"
TYPES = {
    "value": rf"(?:[<>][ \xa0])?{_SIZE}(?:[ \xa0]?%)?",
    "n": _SIZE,
    "share": rf"(?:[<>] )?{_SIZE}%",
    "span": rf"{_SIZE} {_UNITS}",
    "window": r"(?:so far|in the last [\d,]{1,12} days?)",
    "day": DAY,
    "words": r"[^;:,()]{1,80}",
    "was": _WHOLE,
    "before": _WHOLE,
    "light": r"(?:red|yellow|green)",
    "turned": r"(?:red|yellow|green)",
    "kind": _NAME,
    "instrument": _NAME,
    "category": _NAME,
}
"""Name of a place → what may stand in it; in any other place, anything without a semicolon."""

COUNTS = ("n", "value")
"""Places by whose number a sentence takes its plural form."""

_WIDE = ("words", "kind", "instrument", "category", "was", "before")
_NUMBERS = ("value", "n", "share", "span")
_MARK = re.compile(r"(?:[!↑↓↕→≈] ?)+")
_SIZED = re.compile(_SIZE)
_IS_DAY = re.compile(DAY)
_JOINTS = {"; ": "{a}; {b}", ", ": "{a}, {b}"}
_DEPTH = 8
_LETTERS_ENOUGH = 3
_LETTERS_SURE = 8
_LATIN = re.compile(r"[A-Za-z]")
_KEEPS_ITS_PLACE = re.compile(r"[A-Za-z][\w .-]*(?<=\w)")
_CODES = re.compile(r"[A-Za-z]\w*(?:, [A-Za-z]\w*)+")
_DIGITS = 10  # of a number that is read
_LARGE = 1_000_000  # fractions take the plural form of what is many


@dataclass(frozen=True)
class _Template:
    """A template of sentences."""

    one: str
    many: str
    pattern: re.Pattern[str]
    letters: int
    first: str
    is_one: bool


class Sentences:
    """The sentences of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._exact: dict[str, str] = {}
        found: list[_Template] = []
        for one, many in catalogue.templates:
            for text in filter(None, (one, many)):
                if "{" in text:
                    found.append(_template(one, many, text))
                else:
                    self._exact[text] = catalogue.sentence(one, many, 1 if text == one else 2)
        found.sort(key=lambda template: -template.letters)
        self._any = [template for template in found if not template.first]
        self._by_first = {
            word: [t for t in found if t.first in ("", word)]
            for word in {t.first for t in found} - {""}
        }

    def said(self, sentence: str, day: Callable[[str], str]) -> str:
        """A sentence, told; as it is where it is not known."""
        told = _Telling(self, self._catalogue, day).of(sentence, 0)
        return sentence if told is None else told

    def exact(self, text: str) -> str | None:
        """What stands for a text that has no places."""
        return self._exact.get(text)

    def fitting(self, text: str, *, specific: bool) -> tuple[_Template, re.Match[str]] | None:
        """The template that made a text, and its values; only one with words of its own, or not."""
        for template in self._by_first.get(text.split(" ", 1)[0], self._any):
            if (template.letters >= _LETTERS_ENOUGH) == specific:
                match = template.pattern.fullmatch(text)
                if match is not None:
                    return template, match
        return None


@dataclass(frozen=True)
class _Telling:
    """A sentence as it is told, with all that is in it."""

    sentences: Sentences
    catalogue: Catalogue
    day: Callable[[str], str]

    def of(self, text: str, depth: int) -> str | None:
        """A text in the language; None if nothing in it is known."""
        plain = text.strip()
        if not plain or depth > _DEPTH:
            return None
        told = self._told(plain, depth)
        if told is None:
            return None
        at = text.index(plain)
        return text[:at] + told + text[at + len(plain) :]

    def _told(self, text: str, depth: int) -> str | None:
        known = self.sentences.exact(text) or self._plain(text)
        if known is not None:
            return known
        mark = _MARK.match(text)
        if mark is not None:
            return self._marked(mark[0], text[mark.end() :], depth)
        for way in (self._specific, self._with_a_stop, self._joined, self._listed, self._beside):
            known = way(text, depth)
            if known is not None:
                return known
        return self._filled(text, depth, specific=False)

    def _with_a_stop(self, text: str, depth: int) -> str | None:
        """A sentence that a page has put a full stop to."""
        if not text.endswith("."):
            return None
        bare = text[:-1]
        told = self.sentences.exact(bare) or self._specific(bare, depth)
        told = told or self._listed(bare, depth)
        return None if told is None else f"{told}."

    def _plain(self, text: str) -> str | None:
        """A day or a number."""
        if _IS_DAY.fullmatch(text):
            return self.day(text)
        if _LATIN.search(text) or not any(sign.isdigit() for sign in text):
            return None
        return self.catalogue.number(text)

    def _marked(self, mark: str, rest: str, depth: int) -> str | None:
        """A text after a mark; where more follow, each part by itself."""
        parts = _split(rest, "; ")
        if len(parts) > 1:
            return self._put_together("{a}; {b}", [mark + parts[0], *parts[1:]], depth)
        told = self.of(rest, depth + 1)
        return None if told is None else mark + told

    def _specific(self, text: str, depth: int) -> str | None:
        return self._filled(text, depth, specific=True)

    def _filled(self, text: str, depth: int, *, specific: bool) -> str | None:
        """A text whose template is known."""
        found = self.sentences.fitting(text, specific=specific)
        if found is None:
            return None
        template, match = found
        values = match.groupdict()
        count = "1" if template.is_one else _count(values)
        form = self.catalogue.sentence(template.one, template.many, _plural(count))
        values |= self._in_units(values)
        if not specific and all(self.of(value, depth + 1) is None for value in values.values()):
            return None
        told = {name: self._value(value, depth) for name, value in values.items()}
        if template.is_one and template.many:
            told |= {name: self.catalogue.number("1") for name in COUNTS if name not in told}
        return form.format(**told)

    def _in_units(self, values: dict[str, str]) -> Iterator[tuple[str, str]]:
        """Values; one that leaves out the unit of time that the one before it told has it again."""
        before = ""
        for name, value in values.items():
            unit = ""
            if name not in _NUMBERS:
                unit = self._unit(before) if before and _SIZED.fullmatch(value) else ""
                before = value
            yield name, f"{value} {unit}" if unit else value

    def _value(self, value: str, depth: int) -> str:
        joint = value[:2]
        if joint in _JOINTS:
            return self._together(_JOINTS[joint], ["", self._value(value[2:], depth)])
        told = self.of(value, depth + 1)
        if told is not None:
            return told
        if self.catalogue.direction == "rtl" and _LATIN.search(value):
            if _CODES.fullmatch(value):
                return self._together("{a}, {b}", [isolated(one) for one in value.split(", ")])
            return value if _KEEPS_ITS_PLACE.fullmatch(value) else isolated(value)
        return value

    def _unit(self, text: str) -> str:
        """The unit of the time that a sentence tells, or that its first part does."""
        for part in (text, _split(text, ", ")[0]):
            found = self.sentences.fitting(part, specific=True)
            if found is not None and "span" in found[1].groupdict():
                return found[1]["span"].rpartition(" ")[2].removesuffix("s") + "s"
        return ""

    def _joined(self, text: str, depth: int) -> str | None:
        """Sentences one after the other; those that are not known stay as they are."""
        parts = _split(text, "; ")
        return self._put_together("{a}; {b}", parts, depth) if len(parts) > 1 else None

    def _put_together(self, joined: str, parts: list[str], depth: int) -> str | None:
        told = [self.of(part, depth + 1) for part in parts]
        if all(one is None for one in told):
            return None
        pairs = zip(parts, told, strict=True)
        return self._together(joined, [one if one is not None else part for part, one in pairs])

    def _together(self, joined: str, parts: list[str]) -> str:
        middle = self.catalogue.form(joined, a="\0", b="\0").strip("\0")
        return middle.join(parts)

    def _listed(self, text: str, depth: int) -> str | None:
        """What stands between commas, if all of it is known."""
        parts = _split(text, ", ")
        if len(parts) == 1:
            return None
        unit = self._unit(parts[0])
        told = []
        for nth, part in enumerate(parts):
            one = self._of_one_unit(part, unit, depth) if nth and unit else None
            one = self.of(part, depth + 1) if one is None else one
            if one is None:
                return None
            told.append(one)
        return self._together("{a}, {b}", told)

    def _of_one_unit(self, part: str, unit: str, depth: int) -> str | None:
        """What is added to a sentence leaves out the unit that it has just told."""
        size = _SIZED.search(part)
        if size is None or re.match(rf" {_UNITS}\b", part[size.end() :]):
            return None
        return self._filled(
            f"{part[: size.end()]} {unit}{part[size.end() :]}", depth, specific=True
        )

    def _beside(self, text: str, depth: int) -> str | None:
        """A text, and another one in parentheses after it."""
        head, middle, rest = text.partition(" (")
        if not rest.endswith(")"):
            return None
        if text.startswith("(") and not middle:
            head, rest = "", text[1:]
        before, inside = self.of(head, depth + 1), self.of(rest[:-1], depth + 1)
        if before is None and inside is None:
            return None
        return f"{before or head} ({inside or rest[:-1]})"


def _template(one: str, many: str, text: str) -> _Template:
    """The template that a message is, in its singular or plural."""
    pattern, letters, grouped = "", 0, False
    pieces = list(Formatter().parse(text))
    for nth, (literal, name, _, _) in enumerate(pieces):
        pattern += re.escape(literal)
        letters += sum(map(str.isalpha, literal))
        if name is None:
            continue
        holds = TYPES.get(name) or _free(literal, last=nth + 1 == len(pieces), letters=letters)
        if name in TYPES and name not in _WIDE:
            letters += _LETTERS_ENOUGH
        else:
            # What follows a place must be found; then the place is as long as it is for good.
            pattern += (")" if grouped else "") + "(?>"
            grouped = True
        pattern += f"(?P<{name}>{holds})"
    compiled = re.compile(pattern + r"\Z" + (")" if grouped else ""))
    return _Template(one, many, compiled, letters, _first(pieces[0][0]), text == one)


def _free(before: str, *, last: bool, letters: int) -> str:
    """What may stand in a place of no type, by what stands before it."""
    if before[-1:].isalnum():
        return _MORE
    return _ALL if last and letters >= _LETTERS_SURE else _ANY


def _first(literal: str) -> str:
    """The word with which every such sentence begins; empty if there is none."""
    word, space, _ = literal.partition(" ")
    return word if space else ""


def _split(text: str, at: str) -> list[str]:
    """The parts of a text between separators that stand in no parentheses."""
    parts: list[str] = []
    inside = 0
    for part in text.split(at):
        if inside:
            parts[-1] += at + part
        else:
            parts.append(part)
        inside = max(0, inside + part.count("(") - part.count(")"))
    return text.split(at) if inside else parts


def _count(values: dict[str, str]) -> str:
    return next((values[name] for name in COUNTS if values.get(name)), "2")


def _plural(count: str) -> int:
    """The number by which a plural form is chosen."""
    digits = count.replace(",", "").strip("<>−-+% \xa0")
    return int(digits) if digits.isdecimal() and len(digits) < _DIGITS else _LARGE
