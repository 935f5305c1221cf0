"""A fault that nobody foresaw: where it came about, and nothing of what it says."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from traceback import extract_tb

from churnkit.terminal.console import note

WHOLE = "CHURNKIT_TRACEBACK"
"""The environment variable that shows what such a fault says, set to 1."""


def tell_unexpected(error: BaseException) -> None:
    """Tell kind and place of a fault on standard error, so that it can be reported.

    What it says, and what caused it says, may quote a row of somebody: it is shown only where the
    environment asks for it.
    """
    if os.environ.get(WHOLE) == "1":
        note("".join(traceback.format_exception(error)))
        return
    for line in _lines(error):
        note(line)
    note(
        f"Error: a bug of churnkit. What the fault says is left out, since it may hold data of "
        f"customers; {WHOLE}=1 shows it. Please report the lines above."
    )


def _lines(error: BaseException) -> Iterator[str]:
    """The chain of faults, each with the places it went through."""
    before = error.__cause__ or error.__context__
    if before is not None:
        yield from _lines(before)
        yield "and then"
    for frame in extract_tb(error.__traceback__):
        yield f"  {frame.filename}, line {frame.lineno}, in {frame.name}"
    yield type(error).__name__
