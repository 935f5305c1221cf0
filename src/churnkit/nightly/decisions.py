"""When a new model is trained without anybody asking, and the record of every such decision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churnkit.clock import Cutoff, has_come
from churnkit.errors import ConfigError
from churnkit.nightly.lines import JsonLines

FILE_NAME = "decisions.jsonl"
TRAINING, INTERRUPTED, PROMOTED = "training", "interrupted", "promoted"
_AGE = re.compile(r"age:([1-9]\d{0,3})d")
_TEXTS = ("as_of", "decision", "says", "rule", "why", "champion_before", "champion_after")
_VERDICTS = {"watch": ("watch", "retrain"), "retrain": ("retrain",)}


@dataclass(frozen=True)
class RetrainRule:
    """A reason to train anew.

    Attributes
    ----------
    name
        As it is written: ``watch``, ``retrain``, or ``age:90d``.
    """

    name: str

    @property
    def days(self) -> int | None:
        """From how many days on a model is too old; ``None`` for a rule about the verdict."""
        match = _AGE.fullmatch(self.name)
        return int(match[1]) if match else None

    def fires(self, verdict: str, age_days: int) -> str:
        """Why it fires, in words; empty if it does not.

        Parameters
        ----------
        verdict
            ``ok``, ``watch`` or ``retrain``; empty if nothing could be said.
        age_days
            Days since the newest outcome that the model learnt from.
        """
        if self.days is None:
            fired = verdict in _VERDICTS[self.name]
            return f"the verdict is {verdict}" if fired else ""
        if age_days < self.days:
            return ""
        return f"the newest outcome that the model learnt from is {age_days} days old"


def retrain_rule(text: str) -> RetrainRule:
    """A rule as it is written: ``watch``, ``retrain``, or ``age:90d`` with another number of days.

    Raises
    ------
    ConfigError
        If it is none of them.
    """
    if text in _VERDICTS or _AGE.fullmatch(text):
        return RetrainRule(text)
    raise ConfigError(
        f"{text!r} is no rule for training anew",
        "Use watch (the verdict is watch or retrain), retrain, or an age such as age:90d.",
    )


@dataclass(frozen=True)
class Decisions:
    """Every decision about training anew that nobody made by hand, in the order of its making.

    Attributes
    ----------
    folder
        Folder of the file; that of the ledger.
    """

    folder: Path

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / FILE_NAME

    def add(self, decision: Mapping[str, Any]) -> None:
        """Write one down; see `JsonLines.append`."""
        JsonLines(self.path).append(decision)

    def all(self) -> list[dict[str, Any]]:
        """All of them, the oldest first, without damaged lines; see `JsonLines.read`."""
        return [decision for decision in JsonLines(self.path).read() if _is_whole(decision)]

    def cut_off(self, as_of: str) -> dict[str, Any] | None:
        """The training of that day that was begun and of which no end is known."""
        last = next((d for d in reversed(self.all()) if d["as_of"] == as_of), None)
        return last if last is not None and last["decision"] == TRAINING else None

    def trained_away(self, as_of: str, before: str, now: str) -> bool:
        """Whether a training of that day made one model champion in the place of another.

        Of a training that was cut off it is assumed.
        """
        began = [d for d in self.all() if d["as_of"] == as_of and d["champion_before"] == before]
        made = {d["champion_after"] for d in began if d["decision"] == PROMOTED}
        return now in made or (bool(began) and began[-1]["decision"] == TRAINING)

    def last_training(self, zone: str) -> Cutoff | None:
        """The latest day on which a training was begun and not cut off; ``None`` if there is none.

        One that failed counts, so that what fails every night is not tried every night.
        """
        days: list[Cutoff] = []
        for decision in self.all():
            if decision["decision"] == TRAINING:
                days.append(Cutoff.parse(decision["as_of"], zone))
            if decision["decision"] == INTERRUPTED and days:
                days.pop()
        return max(days, default=None)


def _is_whole(decision: Mapping[str, Any]) -> bool:
    """Whether a line holds what is asked of a decision later, and a day that is one."""
    if not all(isinstance(decision.get(key), str) for key in _TEXTS):
        return False
    try:
        Cutoff.parse(decision["as_of"])
    except ConfigError:
        return False
    return True


def waiting_until(last: Cutoff | None, days: int, as_of: Cutoff) -> Cutoff | None:
    """The day before which nothing is trained again, if that has not come yet.

    Parameters
    ----------
    last
        When a training was last begun, if ever.
    days
        How far apart trainings are, at least.
    as_of
        The day of the run.
    """
    if last is None:
        return None
    due = last.shifted(days)
    return None if has_come(due, as_of) else due
