"""What a look at a run may say: alarms, notes, checks that could not be made, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["watch", "retrain"]
Area = Literal["inputs", "features", "behaviour", "scores", "lights", "outcomes"]

VERDICTS = ("ok", "watch", "retrain")
"""From good to bad."""


@dataclass(frozen=True)
class Alarm:
    """Something that a person should look at.

    Attributes
    ----------
    code
        What kind of alarm, for programs.
    severity
        ``watch``: look at it; ``retrain``: the model no longer does what its test showed.
    area
        What it is about.
    subject
        Log, column, feature, segment or light; empty where there is none.
    what
        What was found, in a sentence without a full stop.
    figure, limit
        The number that was found, and the one it went beyond; ``None`` where there is none.
    do
        What to do about it.
    """

    code: str
    severity: Severity
    area: Area
    subject: str
    what: str
    figure: float | None
    limit: float | None
    do: str

    def told(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


@dataclass
class Found:
    """What checks have found so far.

    Attributes
    ----------
    alarms
        What should be looked at.
    notes
        What is worth a sentence and no alarm, such as a season.
    untried
        Pairs of a check that could not be made, and why.
    """

    alarms: list[Alarm] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    untried: list[tuple[str, str]] = field(default_factory=list)

    def add(self, other: Found) -> None:
        """Take over what other checks have found."""
        self.alarms += other.alarms
        self.notes += other.notes
        self.untried += other.untried

    def too_little(self, check: str, why: str) -> None:
        """A check that could not be made; the same words are said once."""
        if (check, why) not in self.untried:
            self.untried.append((check, why))


def verdict(alarms: Sequence[Alarm]) -> tuple[str, str]:
    """Ok, watch or retrain; and the reason, in a sentence.

    As long as the inputs are in alarm, nothing is to be retrained on them.

    Examples
    --------
    >>> verdict([])
    ('ok', 'nothing is out of the ordinary')
    """
    if not alarms:
        return "ok", "nothing is out of the ordinary"
    broken = [alarm for alarm in alarms if alarm.area == "inputs"]
    stale = [alarm for alarm in alarms if alarm.severity == "retrain"]
    if stale and broken:
        return "watch", (
            f"{_first(broken)}; and {_first(stale)}: mend the logs first, and retrain on them then"
        )
    if stale:
        return "retrain", _first(stale)
    return "watch", _first(broken or alarms, of=len(alarms))


def _first(alarms: Sequence[Alarm], of: int = 0) -> str:
    """The first of some alarms, and how many others there are, of all or of these."""
    more = max(of, len(alarms)) - 1
    return alarms[0].what + (f" (and {more} more)" if more else "")


def worse_or_equal(found: str, limit: str) -> bool:
    """Whether a verdict is at least as bad as another."""
    return VERDICTS.index(found) >= VERDICTS.index(limit)


def listed(names: Iterable[str], most: int = 5) -> str:
    """Names as they stand in a sentence: the first few, and how many more."""
    told = list(names)
    more = f" and {len(told) - most} more" if len(told) > most else ""
    return ", ".join(told[:most]) + more
