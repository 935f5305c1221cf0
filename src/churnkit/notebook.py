"""How objects show themselves in a notebook: small tables of HTML, made from plain values.

The look is that of the notebook: no colours but those of the lights, no fonts, no script, nothing
from elsewhere. Every text is escaped, and long texts and long tables are cut, so that what is shown
stays small whatever is behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

MOST_ROWS = 16
"""Rows of a table that are shown; of a longer one its beginning and its end."""

MOST_TEXT = 160
"""Characters of a text that are shown."""

MOST_NAMES = 300
"""Names of a list that are shown."""

_LINE = "1px solid rgba(128, 128, 128, .45)"
_CELL = "padding:.15em .6em;vertical-align:top;white-space:normal;"
# The ink that is read best on each colour.
_CHIPS = {
    "red": "background:#A3001B;color:#fff",
    "yellow": "background:#FFC72C;color:#000",
    "green": "background:#1B9E77;color:#000",
}


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


class Figure(str):
    """A number as text: it stands at the end of its cell."""

    __slots__ = ()


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    header
        Names of the columns.
    rows
        Texts, whole numbers, `Figure` or `Html`; ``None`` is an empty cell. The first cell of a row
        names it.
    caption
        What it holds.
    strong
        Position of a row that stands out, if one does.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""
    strong: int | None = None


def panel(
    title: str,
    facts: Mapping[str, object] | None = None,
    tables: Sequence[Table] = (),
    notes: Sequence[str] = (),
) -> str:
    """A title, facts by their names, tables and notes as one piece of HTML.

    Parameters
    ----------
    title
        What is shown.
    facts
        Name → value, as in the rows of a `Table`; what is ``None`` or empty is left out.
    tables, notes
        What stands below.
    """
    told = [(name, value) for name, value in (facts or {}).items() if value not in (None, "")]
    parts = [
        f'<div style="margin:.4em 0"><strong>{_text(title)}</strong></div>',
        _facts(told),
        *(_table(table) for table in tables if table.rows),
        *(f'<div style="margin:.3em 0;max-width:60em">{_text(note)}</div>' for note in notes),
    ]
    return f'<div style="overflow-x:auto">{"".join(parts)}</div>'


def light(word: str, shape: str) -> Html:
    """A light with its colour, its shape and its word."""
    style = _CHIPS.get(word, "")
    return Html(
        f'<span style="{style};padding:0 .45em;border-radius:.3em;white-space:nowrap">'
        f"{escape(shape)} {escape(word)}</span>"
    )


def names(of: Sequence[str]) -> Html:
    """How many names there are; they themselves unfold."""
    if not of:
        return Html("none")
    told = ", ".join(_text(name) for name in of[:MOST_NAMES])
    more = f" and {len(of) - MOST_NAMES:,} more" if len(of) > MOST_NAMES else ""
    return Html(
        f'<details><summary style="cursor:pointer">{len(of):,}</summary>'
        f'<div style="max-width:50em">{told}{more}</div></details>'
    )


def _facts(told: Sequence[tuple[str, object]]) -> str:
    rows = "".join(
        f'<tr><th scope="row" style="{_CELL}text-align:start;font-weight:normal;opacity:.75">'
        f'{_text(name)}</th><td style="{_CELL}text-align:start">{_shown(value)}</td></tr>'
        for name, value in told
    )
    return f'<table style="{_BORDERLESS}"><tbody>{rows}</tbody></table>' if rows else ""


_BORDERLESS = "border-collapse:collapse;border:none;margin:0 0 .4em 0"


def _table(table: Table) -> str:
    head = "".join(
        f'<th scope="col" style="{_CELL}text-align:{end};border-bottom:{_LINE}">{_text(name)}</th>'
        for name, end in zip(table.header, _ends(table), strict=True)
    )
    caption = (
        f'<caption style="text-align:start;padding:.2em .6em;opacity:.75">{_text(table.caption)}'
        "</caption>"
        if table.caption
        else ""
    )
    return (
        f'<table style="{_BORDERLESS};font-variant-numeric:tabular-nums">{caption}'
        f"<thead><tr>{head}</tr></thead><tbody>{_body(table)}</tbody></table>"
    )


def _body(table: Table) -> str:
    rows = [_row(row, k == table.strong) for k, row in enumerate(table.rows)]
    hidden = len(rows) - MOST_ROWS
    if hidden <= 0:
        return "".join(rows)
    first = MOST_ROWS // 2
    gap = (
        f'<tr><td colspan="{len(table.header)}" style="{_CELL}text-align:start;opacity:.75">'
        f"… {hidden:,} more …</td></tr>"
    )
    return "".join([*rows[:first], gap, *rows[first + hidden :]])


def _row(row: Sequence[object], strong: bool) -> str:
    weight = "bold" if strong else "normal"
    first, *others = (
        f'style="{_CELL}text-align:{_end(value)};font-weight:{weight}">{_shown(value)}'
        for value in row
    )
    cells = "".join(f"<td {cell}</td>" for cell in others)
    return f'<tr><th scope="row" {first}</th>{cells}</tr>'


def _ends(table: Table) -> list[str]:
    """Where the head of each column stands: above the first value that is there."""
    columns = zip(*table.rows, strict=True)
    return [_end(next((v for v in column if v is not None), "")) for column in columns]


def _end(value: object) -> str:
    return "end" if isinstance(value, int | Figure) else "start"


def _shown(value: object) -> str:
    if isinstance(value, Html):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else _text(str(value))


def _text(text: str) -> str:
    return escape(text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…")
