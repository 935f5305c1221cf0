"""Languages: how texts, numbers and days are written for the people who read them.

What is stored, in scores, ledgers, cards and JSON, is English. A language is a view of it: pages,
call lists and customer pages are written in one, and another can be asked for at any later time.

A language is one file, ``CODE.po`` beside this one: its messages, its plural forms, and in its
header the locale by whose rules numbers and days are written. English needs none.
"""

from churnkit.language.view import (
    CALENDARS,
    ENGLISH,
    Calendar,
    Direction,
    Language,
    language_named,
    languages,
    require_language,
)

__all__ = [
    "CALENDARS",
    "ENGLISH",
    "Calendar",
    "Direction",
    "Language",
    "language_named",
    "languages",
    "require_language",
]
