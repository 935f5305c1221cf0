"""Why a column was chosen and how sure that is, in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from churnkit.sources.files.encoding import Sure
from churnkit.sources.proposal.evidence import Evidence
from churnkit.sources.proposal.matching import Match
from churnkit.sources.proposal.moments import Moments

_GRADES: tuple[Sure, ...] = ("a guess", "likely", "sure")


@dataclass(frozen=True)
class Why:
    """The reason for a column.

    Attributes
    ----------
    why
        What speaks for it.
    sure
        ``"sure"``, ``"likely"`` or ``"a guess"``.
    """

    why: str
    sure: Sure


def why(column: str, match: Match, cells: Evidence) -> Why:
    """Why a source column is taken for a column of the contract."""
    return Why("; ".join(_reasons(column, match, cells)), _GRADES[_grade(match, cells)])


def _grade(match: Match, cells: Evidence) -> int:
    if match.name == 0:
        return 0
    grade = 2 if match.name >= 0.88 else 1 if match.name >= 0.6 else 0
    doubts = (match.content < -0.1) + bool(match.rival) + (not cells.count and grade > 1)
    return max(grade - doubts, 0)


def _reasons(column: str, match: Match, cells: Evidence) -> Iterator[str]:
    if match.name:
        yield "the name says it" if match.name >= 0.88 else "the name points to it"
    if match.says:
        yield match.says
    content = _content(column, cells)
    if content:
        yield content
    if match.rival:
        yield f"{match.rival!r} could be it as well"


def _content(column: str, cells: Evidence) -> str:
    if not cells.count:
        return "no row fills it"
    if column in {"ts", "since"}:
        return _when(cells.times) if cells.times else "no known pattern of times"
    if cells.ambiguous:
        return "numbers"
    if column in {"amount", "unit_price", "quantity", "discount", "value", "score"}:
        return f"numbers from {cells.low:,.10g} to {cells.high:,.10g}"
    if cells.distinct == cells.count:
        return f"{cells.distinct:,} values, each once" if cells.count > 1 else "one value"
    if cells.distinct == 1:
        return "1 value that repeats"
    return f"{cells.distinct:,} values that repeat"


def _when(times: Moments) -> str:
    step = "days" if times.days else "times"
    return f"{step} from {_day(times.first)} to {_day(times.last)}"


def _day(us: int) -> str:
    return datetime.fromtimestamp(us // 1_000_000, UTC).date().isoformat()
