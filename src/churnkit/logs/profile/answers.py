"""Survey answers against the scale that is declared for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from churnkit.logs.profile.counts import Counts
from churnkit.logs.profile.finding import Finding, agree, share, some
from churnkit.logs.schema import SCORE_UNITS, Instrument
from churnkit.logs.sql import literal

_ENOUGH = 50
_DECIMALS = 0.01


@dataclass(frozen=True)
class Answers:
    """The answers to one survey question.

    Attributes
    ----------
    instrument
        Name of the question.
    rows, outside
        Answers on the declared scale, and those set aside for lying outside of it.
    lowest, highest, values
        Smallest and largest kept answer and how many different ones there are.
    decimals
        Kept answers that are no whole numbers.
    low, high, better
        The declared scale.
    """

    instrument: str
    rows: int
    outside: int
    lowest: float | None
    highest: float | None
    values: int
    decimals: int
    low: float
    high: float
    better: str

    def told(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)

    @property
    def scale(self) -> str:
        """The declared scale in words, such as ``0–10``."""
        return f"{self.low:g}–{self.high:g}"


def answers(counts: Counts, instruments: Sequence[Instrument]) -> list[Answers]:
    """Every question that was answered, the most answered first."""
    kept = {
        name: tuple(rest)
        for name, *rest in counts.all(
            "SELECT instrument, sum(rows)::BIGINT, min(score), max(score), count(*), "
            f"COALESCE(sum(rows) FILTER (score % {SCORE_UNITS} <> 0), 0)::BIGINT "
            f"FROM {counts.of('answer')} GROUP BY instrument"
        )
    }
    outside = dict(
        counts.all(
            f"SELECT lower(instrument), count(*) FROM {counts.log}_judged "
            "WHERE reason = 'score_outside_scale' GROUP BY ALL"
        )
    )
    met = [i for i in instruments if i.name in kept or i.name in outside]
    made = [_answers(i, kept.get(i.name), outside.get(i.name, 0)) for i in met]
    return sorted(made, key=lambda a: (-a.rows - a.outside, a.instrument))


def _answers(of: Instrument, kept: tuple[Any, ...] | None, outside: int) -> Answers:
    rows, low, high, values, decimals = kept or (0, None, None, 0, 0)
    lowest, highest = (None if score is None else score / SCORE_UNITS for score in (low, high))
    return Answers(
        of.name, rows, outside, lowest, highest, values, decimals, of.low, of.high, of.better
    )


def answer_findings(counts: Counts, told: Sequence[Answers]) -> Iterator[Finding]:
    """Scales that do not fit, directions to be sure of, answers given twice on a day."""
    for of in told:
        yield from _outside(of)
        if of.rows >= _ENOUGH and of.lowest is not None and of.highest is not None:
            yield from _unused_ends(of, of.lowest, of.highest)
        yield from _direction(of)
        if of.decimals > _DECIMALS * of.rows:
            yield Finding(
                "scores_with_decimals", "note",
                f"{share(of.decimals, of.rows)} of the {of.instrument} scores are no whole "
                "numbers: are they means of several answers?",
            )  # fmt: skip
    yield from _several_a_day(counts)


def _outside(of: Answers) -> Iterator[Finding]:
    if of.outside:
        all_of = of.rows + of.outside
        yield Finding(
            "answers_outside_scale", "stop" if of.outside > 0.2 * all_of else "warn",
            f"{share(of.outside, all_of)} of the {of.instrument} answers ({of.outside:,}) lie "
            f"outside the declared scale {of.scale} and are set aside",
            _check(of),
        )  # fmt: skip


def _unused_ends(of: Answers, lowest: float, highest: float) -> Iterator[Finding]:
    middle = of.low + (of.high - of.low) / 2
    if highest <= middle:
        yield Finding(
            "scale_half_used", "warn",
            f"no {of.instrument} answer is above {highest:g}, on a declared scale of "
            f"{of.scale}: was it asked on a shorter scale?",
            _check(of),
        )  # fmt: skip
    elif of.instrument == "nps" and (of.low, of.high) == (0, 10) and lowest >= 1:
        yield Finding(
            "scale_from_one", "note",
            f"no nps answer is 0, in {of.rows:,} of them ({lowest:g} to {highest:g}): is the scale "
            "1–10?",
            "If so, declare nps = { low = 1, high = 10 } in [logs.surveys.instruments].",
        )  # fmt: skip
    elif lowest > middle:
        yield Finding(
            "scale_half_used", "note",
            f"no {of.instrument} answer is below {lowest:g}, on a declared scale of {of.scale}",
            _check(of),
        )  # fmt: skip


def _check(of: Answers) -> str:
    return f"Check the scale of {of.instrument} in [logs.surveys.instruments]."


def _direction(of: Answers) -> Iterator[Finding]:
    if of.instrument == "ces" and of.rows:
        good = of.high if of.better == "high" else of.low
        yield Finding(
            "ces_direction", "note",
            f"ces is read on {of.scale} with {good:g} for the least effort, as declared; the "
            "answers cannot show which end is which",
            "CES of 2010 ran 1–5 with 5 for the most effort: then declare better = \"low\".",
        )  # fmt: skip


def _several_a_day(counts: Counts) -> Iterator[Finding]:
    day = f"CAST(timezone({literal(counts.zone)}, make_timestamptz(ts)) AS DATE)"
    (groups, rows) = counts.one(
        "SELECT count(*), COALESCE(sum(n), 0)::BIGINT FROM (SELECT count(*) AS n FROM "
        f"{counts.log}_kept GROUP BY customer_id, lower(instrument), {day} HAVING count(*) > 1)"
    )
    if groups:
        yield Finding(
            "several_answers_a_day", "note",
            f"{some(groups, 'time')} a customer answered the same question more than once on a day "
            f"({some(rows, 'row')}); {agree(rows, 'it counts', 'all of them count')}",
            "Are these corrections of one answer, or answers about several orders?",
        )  # fmt: skip
