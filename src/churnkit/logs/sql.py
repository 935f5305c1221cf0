"""Names and texts as SQL writes them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def quoted(identifier: str) -> str:
    """SQL identifier, whatever characters it holds."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """SQL string, whatever characters it holds."""
    return "'" + text.replace("'", "''") + "'"


def listed(texts: Iterable[str]) -> str:
    """SQL strings separated by commas."""
    return ", ".join(map(literal, texts))


def spill_folder(con: duckdb.DuckDBPyConnection) -> Path:
    """The folder for temporary files of a connection, which may not be there yet."""
    [(folder,)] = con.execute("SELECT current_setting('temp_directory')").fetchall()
    return Path(folder)


def case(branches: Iterable[tuple[str, str]], otherwise: str = "NULL") -> str:
    """SQL ``CASE``: the value of the first condition that holds."""
    told = " ".join(f"WHEN {condition} THEN {value}" for condition, value in branches)
    return f"CASE {told} ELSE {otherwise} END" if told else otherwise
