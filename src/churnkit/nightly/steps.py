"""Steps one after the other: done, kept because nothing changed, or stopped at the first fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import eq
from pathlib import Path
from time import perf_counter
from traceback import walk_tb
from typing import Any

from churnkit.errors import ChurnkitError, NothingToDo
from churnkit.nightly.journal import (
    DONE,
    FAILED,
    FORCED,
    LACKING,
    STARTED,
    Journal,
    result_digest,
)

Digests = Mapping[str, str]
"""What a step depends on → a text that is another one whenever that is."""

KEPT, NOT_RUN = "kept", "not run"


Tell = Callable[..., None]
"""Told of an event by its name, with its particulars as keywords."""


@dataclass(frozen=True)
class Made:
    """What a step came to.

    Attributes
    ----------
    told
        JSON-ready values for later steps, the summary and the metrics; of no single customer,
        but in warnings.
    wrote
        Files that hold what this step made of this day. If one of them is changed or gone, the
        step runs again.
    paths
        What is where, for people; what is not there is not told. If one of them is gone, the step
        runs again.
    rows
        How many rows or customers it was about, where that means something.
    lacking
        Why there was nothing to do it with, in words; then nothing was done.
    """

    told: Mapping[str, Any] = field(default_factory=dict)
    wrote: Sequence[Path] = ()
    paths: Mapping[str, Path] = field(default_factory=dict)
    rows: int | None = None
    lacking: str = ""


@dataclass(frozen=True)
class Step:
    """One thing to be done in the night.

    Attributes
    ----------
    name
        How it is called.
    do
        Does it; is given what became of the steps before it, by their names.
    inputs
        Tells what it depends on, besides what other steps made.
    needs
        Steps whose result it depends on.
    always
        Whether it runs in any case, since no digest tells what it looks at.
    same
        Whether inputs that are written down and those that are found are the same.
    """

    name: str
    do: Callable[[Mapping[str, Ran]], Made]
    inputs: Callable[[], Digests] = dict
    needs: tuple[str, ...] = ()
    always: bool = False
    same: Callable[[Digests, Digests], bool] = eq


@dataclass(frozen=True)
class Ran:
    """What became of a step.

    Attributes
    ----------
    name
        The step.
    state
        ``done``, ``kept`` (it was done before, and nothing changed), ``lacking`` (nothing to do it
        with), ``failed`` or ``not run``.
    why
        Why it ran again, what it lacks, or why it failed; in words, empty where that is plain.
    seconds
        How long it took, when it was done.
    rows, told, wrote, paths
        See `Made`; ``wrote`` with the sha256 of each file. Paths below the folder of the journal
        are relative to it.
    digest
        Another one whenever the result is.
    news
        Whether the result is another one than before, or was made good.
    """

    name: str
    state: str
    why: str = ""
    seconds: float = 0.0
    rows: int | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    wrote: Digests = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    news: bool = True

    def shown(self) -> dict[str, Any]:
        """The step as JSON-ready values."""
        return {
            "step": self.name,
            "state": self.state,
            "why": self.why,
            "seconds": round(self.seconds, 3),
            "rows": self.rows,
            "wrote": list(self.wrote),
        }


@dataclass(frozen=True)
class Night:
    """What became of all steps of a day.

    Attributes
    ----------
    as_of
        The day.
    steps
        Each of them, in their order.
    error
        What stopped the night, if something did.
    """

    as_of: str
    steps: tuple[Ran, ...]
    error: Exception | None = None

    @property
    def success(self) -> bool:
        """Whether no step failed."""
        return self.error is None

    @property
    def news(self) -> bool:
        """Whether anything is other than before this run."""
        return any(ran.news for ran in self.steps)

    def told(self, name: str) -> Mapping[str, Any]:
        """What a step told; nothing if it did not run."""
        return next((ran.told for ran in self.steps if ran.name == name), {})

    def require_done(self) -> None:
        """Raise what stopped the night, or `NothingToDo` if all of it had been done before.

        Raises
        ------
        Exception
            As the step raised it.
        NothingToDo
            If nothing is other than before.
        """
        if self.error is not None:
            raise self.error
        if not self.news:
            raise NothingToDo(
                f"all steps of {self.as_of} were done before, and nothing changed since",
                "Add --force to do them anew.",
            )


def run_night(
    as_of: str,
    steps: Sequence[Step],
    journal: Journal,
    *,
    force: bool = False,
    tell: Tell,
) -> Night:
    """Do the steps of a day that are not done yet, and write down what becomes of each.

    A step is kept if the journal says that it was done, with the same inputs, every file it wrote
    of this day still holds the same, and all else that it wrote is still there. The first that
    fails ends the night; the steps after it are not run.

    Parameters
    ----------
    as_of, steps
        The day, and what is to be done, in order.
    journal
        The journal of that day.
    force
        Do everything anew, whatever the journal says.
    tell
        Told ``started``, ``done``, ``kept``, ``lacking`` and ``failed`` of each step.

    Returns
    -------
    Night
        All steps; also if one failed.

    Raises
    ------
    ConfigError
        If the journal cannot be written to, or a newer churnkit wrote it.
    """
    known = journal.last()
    if force and known:
        journal.add(FORCED)
    ran: dict[str, Ran] = {}
    error: Exception | None = None
    for step in steps:
        if error is not None:
            ran[step.name] = Ran(step.name, NOT_RUN)
            continue
        before = None if force else known.get(step.name)
        started = perf_counter()
        try:
            ran[step.name] = _one(step, before, ran, journal, tell)
        except Exception as fault:
            error, seconds = fault, perf_counter() - started
            ran[step.name] = _failed(step, fault, seconds, journal, tell)
    return Night(as_of, tuple(ran.values()), error)


def _one(
    step: Step,
    before: Mapping[str, Any] | None,
    ran: Mapping[str, Ran],
    journal: Journal,
    tell: Tell,
) -> Ran:
    inputs = {**step.inputs(), **{f"step {name}": ran[name].digest for name in step.needs}}
    again = _why_again(step, before, inputs, journal)
    if before is not None and not again:
        kept = _recalled(step, before)
        tell(KEPT, step=step.name)
        return kept
    journal.add(STARTED, step.name, inputs=inputs, why=again)
    tell(STARTED, step=step.name, message=again)
    started = perf_counter()
    made = step.do(ran)
    seconds = perf_counter() - started
    wrote = journal.signed(made.wrote)
    paths = {name: journal.named(path) for name, path in made.paths.items() if path.exists()}
    state, why = (LACKING, made.lacking) if made.lacking else (DONE, again)
    digest = result_digest(state, made.lacking, made.told, wrote)
    journal.add(
        state, step.name, inputs=inputs, why=why, seconds=round(seconds, 3), rows=made.rows,
        told=dict(made.told), wrote=wrote, paths=paths, digest=digest,
    )  # fmt: skip
    tell(state, step=step.name, seconds=seconds, rows=made.rows, message=why)
    looked = before is not None and (step.always or state == LACKING)
    news = not (looked and before is not None and before.get("digest") == digest)
    return Ran(step.name, state, why, seconds, made.rows, made.told, wrote, paths, digest, news)


def _why_again(
    step: Step, before: Mapping[str, Any] | None, inputs: Digests, journal: Journal
) -> str:
    """Why a step that the journal knows runs again; empty if it need not, or is new to it."""
    if before is None:
        return ""
    if before["event"] == FAILED:
        return "it failed before"
    if before["event"] == LACKING:
        return "there was nothing to do it with"
    if not step.same(before["inputs"], inputs):
        names = {*before["inputs"], *inputs}
        changed = sorted(n for n in names if before["inputs"].get(n) != inputs.get(n))
        return f"{', '.join(changed)} changed"
    damage = journal.broken(before["wrote"]) or journal.gone(before["paths"])
    return damage or ("nothing tells beforehand" if step.always else "")


def _recalled(step: Step, before: Mapping[str, Any]) -> Ran:
    return Ran(
        step.name, KEPT, "", before["seconds"], before["rows"], before["told"], before["wrote"],
        before["paths"], before["digest"], news=False,
    )  # fmt: skip


def _failed(step: Step, fault: Exception, seconds: float, journal: Journal, tell: Tell) -> Ran:
    code = fault.exit_code if isinstance(fault, ChurnkitError) else 1
    why = fault.found if isinstance(fault, ChurnkitError) else _place(fault)
    with suppress(ChurnkitError):  # a full disk must not hide what went wrong
        journal.add(FAILED, step.name, exit_code=code, why=why, seconds=round(seconds, 3))
    tell(
        FAILED, step=step.name, seconds=seconds, exit_code=code, error=type(fault).__name__,
        message=why,
    )  # fmt: skip
    return Ran(step.name, FAILED, why, seconds)


def _place(fault: Exception) -> str:
    """Kind and place of a fault that nobody foresaw; what it says may hold anything."""
    frames = list(walk_tb(fault.__traceback__))
    frame, line = frames[-1]
    return f"{type(fault).__name__} in {Path(frame.f_code.co_filename).name}, line {line}"
