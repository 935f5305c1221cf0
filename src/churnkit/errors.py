"""Everything that can go wrong, in one tree; each branch owns one exit code.

::

    ChurnkitError                 1   unexpected
    ├── ConfigError               2   usage, churnkit.toml
    ├── DataError                 3   the data breaks its contract
    ├── GateRefused               4   a quality gate said no
    ├── BundleError               5   the model bundle is not what it claims
    ├── Busy                     75   another run holds the lock
    └── NothingToDo              99   all of it is done already
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar

_LONGEST = 4_000


class ChurnkitError(Exception):
    """A fault that is told to the user in one message, without a traceback.

    Parameters
    ----------
    found
        What is wrong and where (file, row, column or key), as a sentence.
    mend
        What to do about it; printed on a line of its own.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, found: str, mend: str = "") -> None:
        if len(found) > _LONGEST:  # what was found may be repeated in it, and as long as a file
            found = f"{found[:_LONGEST]} …"
        super().__init__(found)
        self.found = found
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.found}\n{self.mend}" if self.mend else self.found


class ConfigError(ChurnkitError):
    """The command line or ``churnkit.toml`` asks for something impossible."""

    exit_code = 2


class DataError(ChurnkitError):
    """A log is missing, unreadable or breaks its contract."""

    exit_code = 3


class GateRefused(ChurnkitError):
    """A quality gate refused: too little data, a suspected leak, a model no better than chance."""

    exit_code = 4


class BundleError(ChurnkitError):
    """A model bundle is damaged, incomplete, or holds what it must not."""

    exit_code = 5


class Busy(ChurnkitError):
    """Another run is at work in the same place; to be tried again later."""

    exit_code = 75


class NothingToDo(ChurnkitError):
    """What was asked for is there already, made from the same inputs."""

    exit_code = 99


class OldFormat(UserWarning):
    """Something that an older churnkit wrote was read as it was meant, or taken over."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The question that offers the most similar of the known names; empty if none is similar."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"Did you mean {close[0]!r}? " if close else ""
