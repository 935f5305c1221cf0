"""What is being done, how far it is and how long it takes yet, for people who wait."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from churnkit.progress import Progress, Step, silent
from churnkit.terminal.console import Plain, printable

_BAR, _WITH_BAR = 20, 76  # so wide a bar, on so wide a terminal
_ROW = 60  # a narrower terminal shows what is being done, and how long it takes yet


@contextmanager
def progress() -> Iterator[Progress]:
    """A function that shows what is being done; silent unless standard error is a terminal.

    A line with the share that is done, the time since the beginning and the time left, which is
    gone in the end. A terminal that cannot go back gets a line for each thing that is done.
    """
    console = Plain(stderr=True, highlight=False)
    if not sys.stderr.isatty():
        yield silent
    elif console.is_dumb_terminal:
        yield _Lines(console)
    else:
        columns = _columns(console)
        with Bars(*columns, console=console, transient=True, expand=True,
                  redirect_stdout=sys.stdout.isatty()) as bars:  # fmt: skip
            yield _Line(bars)


@dataclass
class Pace:
    """How long something takes yet, from how much of it was done in how much time.

    A step that begins anew, or counts otherwise, has a pace of its own.
    """

    of: float = 0.0
    done: float = 0.0
    _first: float = field(default=0.0, repr=False)
    _since: float = field(default=0.0, repr=False)
    _end: float | None = field(default=None, repr=False)

    def told(self, done: float, of: float, at: float) -> None:
        """So much of so much is done, so many seconds after the beginning."""
        if of != self.of or done < self.done:
            self.of, self._first, self._since, self._end = of, done, at, None
        elif done > self.done:
            self._end = at + (of - done) * (at - self._since) / (done - self._first)
        self.done = done

    def left(self, at: float) -> float | None:
        """Seconds left, so many seconds after the beginning; None if nothing is known yet."""
        return None if self._end is None else max(self._end - at, 0.0)


class _Lines:
    """A line for each thing that is being done."""

    def __init__(self, console: Console) -> None:
        self._console, self._last = console, ""

    def __call__(self, message: str) -> None:
        if message != self._last:
            self._console.print(printable(message, lines=False), soft_wrap=True)
        self._last = str(message)


class _Line:
    """One line that changes."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task = bars.add_task("starting", total=1.0, pace=Pace(), known=False)

    def __call__(self, message: str) -> None:
        known = isinstance(message, Step) and message.of > 0
        if isinstance(message, Step) and message.of > 0:
            task = self._bars.tasks[0]
            task.fields["pace"].told(message.done, message.of, task.elapsed or 0.0)
            self._bars.update(self._task, completed=message.done, total=message.of)
        says = printable(message, lines=False)
        self._bars.update(self._task, description=says, known=known)


class _Share(BarColumn):
    """A bar, where it is known how far it is."""

    def render(self, task: Task) -> Text:  # type: ignore[override]
        return super().render(task) if task.fields["known"] else Text("")  # type: ignore[return-value]


class _Times(ProgressColumn):
    """How much is done, the time since the beginning, and the time left where that is known."""

    max_refresh = 0.5

    def __init__(self, wide: bool) -> None:
        super().__init__()
        self._wide = wide

    def render(self, task: Task) -> Text:
        """What is known of the three."""
        at, known = task.elapsed or 0.0, task.fields["known"]
        left = task.fields["pace"].left(at) if known else None
        told = [f"{task.percentage:.0f}%"] if known else []
        told += [minutes(at)] if self._wide or left is None else []
        told += [f"{minutes(left)} left"] if left else []
        return Text("  ".join(told), style="dim")


def minutes(seconds: float) -> str:
    """A time in minutes and seconds, from an hour on in hours too.

    >>> minutes(7.4), minutes(185), minutes(3661)
    ('0:07', '3:05', '1:01:01')
    """
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    if hours:
        return f"{hours}:{rest // 60:02}:{rest % 60:02}"
    return f"{rest // 60}:{rest % 60:02}"


def _columns(console: Console) -> list[ProgressColumn]:
    spinner = "dots" if console.encoding.startswith("utf") else "line"
    what = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns: list[ProgressColumn] = [
        SpinnerColumn(spinner, style="dim"),
        TextColumn("{task.description}", markup=False, table_column=what),
    ]
    if console.width >= _WITH_BAR:
        columns.append(_Share(_BAR, complete_style="color(28)", finished_style="color(28)"))
    columns.append(_Times(console.width >= _ROW))
    return columns
