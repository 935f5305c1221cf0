"""The SQL with which stores are read, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from churnkit.terminal.console import out, printable

_SAYS = {
    "session": "what the session may do",
    "encoding": "the encoding of texts",
    "columns": "the columns, before anything is sorted",
    "rows": "the rows",
}


def show_sql(told: Mapping[str, Any]) -> None:
    """The statements of each log as a script; what is said of them stands in comments."""
    console = out()
    for line in _lines(told):
        style = "dim" if line.startswith("-- ") else ""
        console.print(Text(printable(line), style=style), soft_wrap=True)


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    for number, log in enumerate(told["logs"]):
        yield from ([""] if number else [])
        # A name may hold a line feed, after which the comment would end.
        yield f"-- {log['log']}: {' '.join(log['source'].splitlines())}"
        if not log["statements"]:
            yield "-- read without SQL"
            continue
        yield f"-- {log['dialect']}, {'sorted by the store' if log['sorted'] else 'sorted here'}"
        for says, group in _grouped(log["statements"]):
            yield f"-- {_SAYS[says]}"
            yield from (f"{sql};" for sql in group)


def _grouped(statements: list[dict[str, str]]) -> Iterator[tuple[str, list[str]]]:
    for says in dict.fromkeys(statement["says"] for statement in statements):
        yield says, [s["sql"] for s in statements if s["says"] == says]
