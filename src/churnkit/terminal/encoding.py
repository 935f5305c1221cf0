"""Terminals that cannot write every character: signs become plain ones, never an error."""

from __future__ import annotations

import codecs
import sys

_ERRORS = "churnkit.plain"
_PLAIN = {
    "●": "o", "▲": "^", "■": "#", "○": "-", "△": "~", "·": ".", "→": ">", "←": "<", "↑": "+",
    "↓": "-", "–": "-", "—": "-", "…": "~", "×": "x", "≤": "<", "≥": ">", "−": "-", "█": "#",
    "“": '"', "”": '"', "‘": "'", "’": "'", "\xa0": " ", "\u202f": " ", "✓": "+", "━": "=",
    "╸": "=", "╺": "-", "\ufffd": "?", **{bar: str(k) for k, bar in enumerate("▁▂▃▄▅▆▇", 1)},
}  # fmt: skip


def plain_where_needed() -> None:
    """Make the standard streams write a plain sign for one that their encoding lacks.

    A light is told by its word as well. Of letters that an encoding lacks the code is written, so
    that two ids never look the same.
    """
    codecs.register_error(_ERRORS, _instead)
    for stream in (sys.stdout, sys.stderr):
        if not (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf"):
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(errors=_ERRORS)


def _instead(error: UnicodeError) -> tuple[str, int]:
    """What is written instead of characters that cannot be: one sign for one, to keep columns."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    told = (
        _PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in lacking
    )
    return "".join(told), error.end
