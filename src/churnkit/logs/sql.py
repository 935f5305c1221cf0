"""Names and texts as SQL writes them."""

from __future__ import annotations

from collections.abc import Iterable


def quoted(identifier: str) -> str:
    """SQL identifier, whatever characters it holds."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """SQL string, whatever characters it holds."""
    return "'" + text.replace("'", "''") + "'"


def listed(texts: Iterable[str]) -> str:
    """SQL strings separated by commas."""
    return ", ".join(map(literal, texts))


def case(branches: Iterable[tuple[str, str]], otherwise: str = "NULL") -> str:
    """SQL ``CASE``: the value of the first condition that holds."""
    told = " ".join(f"WHEN {condition} THEN {value}" for condition, value in branches)
    return f"CASE {told} ELSE {otherwise} END" if told else otherwise
