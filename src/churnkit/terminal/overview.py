"""What ``churnkit`` alone shows: the way from logs to lights, and how far this folder is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from churnkit import __version__
from churnkit.standing import Standing
from churnkit.terminal.console import STYLES, Plain, out, printable

_WAY: Mapping[str, str] = {
    "init": "look at your logs, and write churnkit.toml",
    "check": "what became of every row, and what is odd",
    "train": "learn from the past; it must beat the plain rules",
    "score": "a light, reasons and a rank for every customer",
    "calls": "who calls whom, and by when",
    "run": "all of it every night, and whether anything is off",
}
_LOOK: Mapping[str, str] = {"demo": "a simulated shop, the whole way in two minutes"}
_THEN: Mapping[str, str] = {
    "report": "a page for everybody",
    "explain": "why this customer",
    "lights": "other policies, and overrides",
    "outcomes": "whether acting helps",
    "monitor": "whether anything is off",
    "kpi": "key figures, month by month",
    "history": "all that was said and done about a customer",
}
_WIDTH = 100  # wider lines are not read more easily
_NAME = 9


def show_overview(there: Standing | None) -> None:
    """The way, a look, what comes then, and the project of this folder.

    Parameters
    ----------
    there
        What there is of a project in this folder.
    """
    console = out()
    width = min(console.width, _WIDTH)
    says = "which customers are about to leave, why, and whom to call first"
    head = Text.assemble((f"churnkit {__version__}", "bold"), f"  {says}")
    for shown in (head, Text(), *_sections(there), *_here(there)):
        console.print(shown, width=width)
    _show_next(console, there)
    end = "churnkit COMMAND --help tells more, churnkit --help tells of all commands."
    console.print(Text(end, style="dim"), width=width)


def _sections(there: Standing | None) -> Iterator[Any]:
    done = () if there is None else there.done
    for title, commands in (("From logs to lights", _WAY), ("Look first", _LOOK), ("Then", _THEN)):
        yield Text(title, style="bold")
        marks = _WAY if there is not None else {}
        yield _commands(commands, {name: name in done for name in marks})
        yield Text()


def _commands(commands: Mapping[str, str], marks: Mapping[str, bool]) -> Padding:
    """Names with what they do; those of the way with a mark for what left something here."""
    made = Table.grid(padding=(0, 2, 0, 0))
    if marks:
        made.add_column(width=1)
    made.add_column(width=_NAME, no_wrap=True)
    made.add_column()
    for name, says in commands.items():
        mark = Text("●", style=STYLES["green"]) if marks.get(name) else Text("○", style="dim")
        shown = mark if name in marks else Text()
        made.add_row(*([shown] if marks else []), Text(name, style="bold"), Text(says))
    return Padding(made, (0, 0, 0, 2), expand=False)


def _here(there: Standing | None) -> Iterator[Any]:
    yield Text("This folder", style="bold")
    if there is None:
        yield Padding(Text("no churnkit.toml here yet"), (0, 0, 0, 2), expand=False)
        return
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(width=_NAME, no_wrap=True)
    made.add_column(overflow="fold")
    for name, says in _told(there).items():
        made.add_row(Text(name), Text(printable(says, lines=False)))
    yield Padding(made, (0, 0, 0, 2), expand=False)


def _told(there: Standing) -> dict[str, str]:
    if there.fault:
        return {"settings": f"{there.settings} cannot be read: {there.fault}"}
    days = f", {len(there.days)} days in all" if len(there.days) > 1 else ""
    return {
        "settings": f"{there.settings}: {', '.join(there.logs) or 'no logs'}",
        "model": f"version {there.champion}, {there.model}" if there.champion else "none yet",
        "published": f"{there.newest}{days}" if there.newest else "nothing yet",
        **({} if there.report is None else {"report": str(there.report)}),
    }


def _show_next(console: Plain, there: Standing | None) -> None:
    leads = ("churnkit demo", "churnkit init --purchases FILE") if there is None else there.next
    console.print()
    for k, command in enumerate(leads):
        before = "       or " if k else "  Next:  "
        console.print(Text.assemble((before.ljust(9), "dim"), (command, "bold")), soft_wrap=True)
    console.print()
