"""Tables of plain values that fit: words wrap, headers fold, and then each row becomes a card."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from churnkit.lights import SHAPES
from churnkit.terminal.console import STYLES, printable

_GAP = 2
_PROSE = 24  # texts longer than this, of several words, may wrap
_LEAST_PROSE, _WIDEST_PROSE = 18, 100  # narrower is a strip, wider is not read
_LONGEST_WORD = 48  # a longer one may break
_HEADER_WIDTHS = (100, 14, 8, 0)  # so wide at most, or as wide as its cells
_BETWEEN = " · "


def light(name: str) -> Text:
    """A light: its shape in its colour, and its word."""
    return marked(name, name) if name in SHAPES else Text(printable(name, lines=False))


def marked(name: str, word: str, style: str = "") -> Text:
    """A word with the shape of a light before it, which has the colour."""
    return Text.assemble((SHAPES[name], STYLES[name]), Text(f" {printable(word)}", style=style))


def share(told: Mapping[str, Any]) -> str:
    """A share with its interval, in whole per cent."""
    if told["value"] is None:
        return "nobody to tell"
    return f"{told['value']:.0%} [{told['low']:.0%}, {told['high']:.0%}]"


def interval(told: Mapping[str, Any]) -> str:
    """A metric with its interval."""
    from churnkit.training import interval_of

    return str(interval_of(told))


def table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    right: Collection[int] = (),
    named: Collection[int] = (),
    widest: Mapping[int, int] | None = None,
    head: int = 1,
) -> Listing:
    """A table of plain values; numbers are aligned to the right.

    Parameters
    ----------
    title
        What stands above it.
    columns
        Names of the columns; an empty one tells nothing of its own.
    rows
        Cells, of which a `rich.text.Text` is shown as it is.
    right
        Columns of texts that are aligned to the right as well.
    named
        Columns to be copied from, which never wrap.
    widest
        Column of prose → its greatest width, for those that are not to have all the room.
    head
        So many of the first columns name a row, and are the head of its card.
    """
    listed = [list(row) for row in rows]
    numeric = {
        k
        for k in range(len(columns))
        if listed and all(isinstance(row[k], int | float) for row in listed)
    }
    cells = [[_cell(value) for value in row] for row in listed]
    return Listing(
        title, tuple(columns), cells, numeric | set(right), set(named), widest or {}, head
    )


class Listing:
    """A table that decides, once it knows the width, whether its columns stand side by side."""

    def __init__(
        self,
        title: str,
        columns: tuple[str, ...],
        cells: list[list[Text]],
        right: set[int],
        whole: set[int],
        widest_of: Mapping[int, int],
        head: int,
    ) -> None:
        self._title, self._columns, self._cells = title, columns, cells
        self._right, self._widest, self._head = right, widest_of, head
        widest = [
            max((line for row in cells for line in _lines(row[k])), key=cell_len, default="")
            for k in range(len(columns))
        ]
        self._width = [cell_len(text) for text in widest]
        self._prose = {
            k
            for k, text in enumerate(widest)
            if cell_len(text) > _PROSE and " " in text and k not in whole | right
        }

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The title, and below it a table or cards."""
        if self._title:
            yield Text(printable(self._title), style="bold")
        for most in _HEADER_WIDTHS:
            heads = [
                _folded(name, max(self._width[k], most)) for k, name in enumerate(self._columns)
            ]
            widths = self._widths(heads, options.max_width)
            if widths is not None:
                yield self._grid(heads, widths)
                return
        for row in self._cells:
            yield from self._card(row, options.max_width)

    def _widths(self, heads: Sequence[str], room: int) -> list[int] | None:
        """The width of each column, or None if they do not stand side by side in the room."""
        natural = [
            max(self._width[k], *map(cell_len, head.split("\n"))) for k, head in enumerate(heads)
        ]
        least = list(natural)
        for k in self._prose:
            natural[k] = min(natural[k], self._widest.get(k, _WIDEST_PROSE))
            least[k] = min(natural[k], max(self._longest_word(k), _LEAST_PROSE))
        left = room - _GAP * (len(heads) - 1)
        if sum(least) > left:
            return None
        while sum(natural) > left:  # the widest that may gives way
            k = max(self._prose, key=lambda k: (natural[k] > least[k], natural[k]))
            natural[k] -= 1
        return natural

    def _longest_word(self, k: int) -> int:
        words = [self._columns[k], *(word for row in self._cells for word in row[k].plain.split())]
        return min(max(map(cell_len, words)), _LONGEST_WORD)

    def _grid(self, heads: Sequence[str], widths: Sequence[int]) -> Table:
        made = Table(box=None, pad_edge=False)
        for k, head in enumerate(heads):
            made.add_column(
                Text(head),
                justify="right" if k in self._right else "left",
                overflow="fold",
                width=widths[k] if widths[k] < self._width[k] else None,
                no_wrap=k not in self._prose,
                vertical="top",
            )
        for row in self._cells:
            made.add_row(*row)
        return made

    def _card(self, row: Sequence[Text], room: int) -> Iterator[Any]:
        """What the first cell names, then what is short side by side, then what is long."""
        told = [k for k, cell in enumerate(row) if cell.plain.strip()]
        heads = [k for k in told if k < self._head] or told[:1]
        others = [k for k in told if k not in heads]
        numbered = bool(heads) and heads[0] in self._right
        before = f"{self._columns[heads[0]]} " if numbered else ""
        first = Text("  ").join(row[k].copy() for k in heads)
        first.stylize("bold")
        yield Text.assemble((printable(before), "bold"), first)
        named = len(self._columns) > self._head + 1  # a lone text needs no name
        short = [k for k in others if k not in self._prose]
        for line in _flowed([self._pair(k, row[k], named) for k in short], room - _GAP):
            yield Padding(line, (0, 0, 0, _GAP))
        for k in others:
            if k in self._prose:
                yield Padding(self._pair(k, row[k], named), (0, 0, 0, _GAP))

    def _pair(self, k: int, cell: Text, named: bool) -> Text:
        name = printable(self._columns[k]).strip() if named else ""
        return Text.assemble((f"{name} " if name else "", "dim"), cell)


def _flowed(parts: Sequence[Text], room: int) -> Iterator[Text]:
    """Parts side by side in as many lines as they need; none is broken that fits a line."""
    line = Text()
    for part in parts:
        if line and line.cell_len + len(_BETWEEN) + part.cell_len > room:
            yield line
            line = Text()
        line = Text.assemble(line, (_BETWEEN, "dim"), part) if line else part.copy()
    if line:
        yield line


def _folded(name: str, width: int) -> str:
    """A header over several lines, no wider than its cells where its words allow."""
    lines: list[str] = []
    room = max(width, *map(cell_len, name.split() or [""]))
    if cell_len(name) <= room:
        return printable(name)
    for word in printable(name).split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join(lines)


def _lines(cell: Text) -> list[str]:
    return cell.plain.split("\n")


def _cell(value: Any) -> Text:
    if isinstance(value, Text):
        return value
    return Text(f"{value:,}" if isinstance(value, int) else printable(str(value), lines=False))


def show_written(console: Console, paths: Mapping[str, Any], title: str = "Written") -> None:
    """What was written, and where; paths stay whole, to be copied."""
    room = max(map(cell_len, ("what", *paths)))
    console.print(Text(title, style="bold"))
    console.print(Text(f"{'what':{room}}  where", style="bold"), soft_wrap=True)
    for what, where in paths.items():
        console.print(f"{what:{room}}  {printable(str(where), lines=False)}", soft_wrap=True)
