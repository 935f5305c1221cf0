"""What spreadsheets do with the texts of a CSV file."""

from __future__ import annotations

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A cell that begins with one of these is run as a formula; full-width forms are, too."""
