"""Where people read: texts shown as they are, notes, hints, and one JSON document for programs."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

# Of the 256 colours those that are seen on black and on white; terminals with fewer take the next.
STYLES: Mapping[str, str] = {"green": "color(28)", "yellow": "color(136)", "red": "color(160)"}
"""Light → the colour of its shape. The word beside it keeps the colour of text."""
FILE = "churnkit.toml"
"""Where the settings of a project are looked for."""
PIPED_WIDTH = 160
"""Columns of what is no terminal, so that a pipe gets the same everywhere."""

# What a terminal obeys, cannot write, or turns the rest of the line round for. Joiners and marks
# of direction, which Persian and emoji need, are none of it.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_UNPRINTABLE_BUT_LINES = re.compile(rf"(?!\n){_UNPRINTABLE.pattern}")


def printable(text: str, *, lines: bool = True) -> str:
    """The text with U+FFFD for every character that a terminal would not show but obey.

    Ids and categories come from the logs, and a log may hold escape sequences.

    Parameters
    ----------
    text
        Any text.
    lines
        Whether line feeds are meant, and stay.
    """
    return (_UNPRINTABLE_BUT_LINES if lines else _UNPRINTABLE).sub("\ufffd", text)


class Plain(Console):
    """Shows texts as they are: brackets in them are no markup, and nothing in them is obeyed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text, of which nothing is markup and nothing is obeyed."""
        return super().render_str(printable(text), **options)


def out() -> Plain:
    """The console of results; wide when piped, unless COLUMNS says otherwise."""
    measured = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Plain(width=None if measured else PIPED_WIDTH, highlight=False)


def note(message: str) -> None:
    """A line for people, on standard error."""
    Plain(stderr=True, highlight=False, soft_wrap=True).print(message)


def say(sentence: str, indent: int = 0) -> None:
    """One sentence; a pipe gets it as one line, a terminal in lines of whole words.

    Parameters
    ----------
    sentence
        What is told.
    indent
        Columns by which every line is moved in.
    """
    console, told = out(), Text(printable(sentence))
    if console.is_terminal:
        console.print(Padding(told, (0, 0, 0, indent), expand=False) if indent else told)
    else:
        console.print(Text(" " * indent).append_text(told), soft_wrap=True)


def hint(*commands: str, config: Path | str | None = None) -> None:
    """What to type next, for people at a terminal; who reads a pipe has not asked.

    Parameters
    ----------
    commands
        Commands, the most likely one first.
    config
        The settings of the project, which they name unless they stand where they are looked for.
    """
    console = out()
    if not console.is_terminal:
        return
    console.print()
    here = config is None or Path(config) == Path(FILE)
    elsewhere = "" if here else f" --config {shlex.quote(str(config))}"
    for k, command in enumerate(commands):
        told = printable(f"{command}{elsewhere}", lines=False)
        console.print(Text.assemble(("      " if k else "Next: ", "dim"), told), soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on standard output; undefined numbers are null."""
    ascii_only = not (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    told = json.dumps(_defined(value), ensure_ascii=ascii_only, indent=1)
    # JSON escapes the first 32 characters only; the others stand nowhere but in texts.
    told = _UNPRINTABLE_BUT_LINES.sub(lambda match: f"\\u{ord(match[0]):04x}", told)
    sys.stdout.write(told + "\n")


def _defined(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _defined(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
