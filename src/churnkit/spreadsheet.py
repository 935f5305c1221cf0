"""What spreadsheets do with the texts of a CSV file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A cell that begins with one of these is run as a formula; full-width forms are, too."""


def neutralised(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with an apostrophe before every text that a spreadsheet would run."""
    texts = frame.select_dtypes(include=["object", "string", "category"])
    safe = {c: frame[c].map(_neutral, na_action="ignore") for c in texts.columns}
    return frame.assign(**safe)


def _neutral(text: object) -> object:
    is_formula = isinstance(text, str) and text.startswith(FORMULA_STARTS)
    return f"'{text}" if is_formula else text
