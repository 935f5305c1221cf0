"""The questions of a survey and the scales their answers were given on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from churnkit.errors import DataError
from churnkit.logs import DEFAULT_INSTRUMENTS, Instrument
from churnkit.logs.reading import number, trimmed
from churnkit.logs.sql import case, literal, quoted
from churnkit.sources.proposal.evidence import Evidence, Looked
from churnkit.sources.proposal.names import tokens

if TYPE_CHECKING:
    import duckdb

_USUAL = ((1, 5), (1, 7), (0, 10), (0, 100))
_SURELY_SEEN = 100  # answers after which an end of the scale that nobody chose does not exist
_STRAY = 0.2  # answers beyond the known scale that are rather slips than another scale
_KNOWN = {scale.name: scale for scale in DEFAULT_INSTRUMENTS}
_WIDE = {
    "nps": ("nps", "promoter", "recommend", "empfehlen", "recommand", "recomend", "consigli",
            "aanbevelen", "tavsiye", "توصیه", "توصی"),
    "ces": ("ces", "effort", "easy", "ease"),
    "csat": ("csat", "satisf", "zufrieden", "soddisfa", "tevreden", "memnun", "رضایت", "رضا"),
    "intent": ("intent", "intend", "repurchas", "rebuy", "wiederkauf", "rachat", "recompra",
               "riacquist", "herhaalaankoop"),
}  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """A question with its scale and why it is thought to be this one."""

    instrument: Instrument
    why: str

    @property
    def doubt(self) -> str:
        """What its owner should look at; empty if it is the scale the question is known for."""
        if not self.why.startswith("check"):
            return ""
        return f"{self.instrument.name!r} is read on {_ends(self.instrument)}: {self.why}"


def scales(
    con: duckdb.DuckDBPyConnection, looked: Looked, asked: Evidence, score: Evidence
) -> tuple[Scale, ...]:
    """The questions met, each with the scale it is known for or was seen with."""
    answers = (
        f"SELECT lower({trimmed(quoted(asked.name))}) AS name, "
        f"{number(quoted(score.name), score.type, score.decimal)} AS score FROM {looked.all}"
    )
    rows = con.sql(
        "SELECT name, count(*) FILTER (isfinite(score)), min(score) FILTER (isfinite(score)), "
        f"max(score) FILTER (isfinite(score)), coalesce(avg(({_outside()})::INT), 0) "
        f"FROM ({answers}) WHERE name <> '' GROUP BY name ORDER BY name"
    ).fetchall()
    return tuple(_scale(*row) for row in rows)


def _outside() -> str:
    """SQL: whether an answer lies outside the scale that its question is known for."""
    return case(
        (
            (f"name = {literal(s.name)}", f"NOT score BETWEEN {s.low} AND {s.high}")
            for s in _KNOWN.values()
        ),
        otherwise="false",
    )


def _scale(name: str, answers: int, low: float | None, high: float | None, outside: float) -> Scale:
    known = _KNOWN.get(name)
    if low is None or high is None:
        return Scale(known or Instrument(name, 0, 1), "check: no answer is a number")
    seen = f"{answers:,} answers from {low:g} to {high:g}"
    if known is None:
        return Scale(Instrument(name, *_around(low, high)), f"check the scale: {seen}")
    if outside and (outside <= _STRAY or name == "nps" or high > 100 or low < 0):
        says = f"check the scale: {seen}, of which {outside:.1%} beyond it will be set aside"
        return Scale(known, says)
    if outside:
        told = Instrument(name, *_around(low, high), known.better)
        return Scale(told, f"check the scale: {seen}, beyond the usual {_ends(known)}")
    return _within(known, answers, low, high, seen)


def _within(known: Instrument, answers: int, low: float, high: float, seen: str) -> Scale:
    if answers >= _SURELY_SEEN and known.name == "nps" and low >= 1:
        return Scale(Instrument("nps", 1, known.high), f"check the scale: {seen}, never 0")
    if answers >= _SURELY_SEEN and known.name == "ces" and high <= 5:
        better: Literal["low"] = "low"  # CES 1.0 asks how much effort it was
        says = f"check the scale: {seen}; 1 to 5 is usually effort, where low is good"
        return Scale(Instrument("ces", 1, 5, better), says)
    return Scale(known, f"its usual scale; {seen}")


def _around(low: float, high: float) -> tuple[float, float]:
    """The narrowest usual scale that holds the answers, else what was seen."""
    fits = (scale for scale in _USUAL if scale[0] <= low and high <= scale[1])
    if low >= 1 and 7 < high <= 10:
        return 1, 10
    return next(fits, (low, high if high > low else low + 1))


def _ends(scale: Instrument) -> str:
    return f"{scale.low:g} to {scale.high:g}"


def refuse_wide(source: str, missing: str, cells: Mapping[str, Evidence]) -> None:
    """Refuse a survey with a column for each question, and say how to turn it.

    Raises
    ------
    DataError
        If ``instrument`` or ``score`` is missing because columns carry the names of questions.
    """
    asked = {name: told for name in cells if (told := _question(name)) and _is_answer(cells[name])}
    if not asked or missing not in {"instrument", "score"}:
        return
    listed = ", ".join(map(repr, asked))
    raise DataError(
        f"{source}: no column says which question was answered ({missing}); the answers stand in "
        f"{'a column of their own' if len(asked) == 1 else 'one column for each question'}: "
        f"{listed}",
        _how_to_turn(asked, [name for name in cells if name not in asked]),
    )


def _question(name: str) -> str:
    parts = tokens(name)
    return next(
        (told for told, stems in _WIDE.items() if any(p.startswith(stems) for p in parts)), ""
    )


def _is_answer(cells: Evidence) -> bool:
    return not cells.count or (cells.numbers > 0.9 and cells.low >= 0 and cells.high <= 100)


def _how_to_turn(asked: Mapping[str, str], others: Iterable[str]) -> str:
    names = {name: told for name, told in asked.items() if name != told}
    renamed = f".rename(columns={names!r})" if names else ""
    kept = list(others)[:12]
    return (
        "Write one row for each answer, for example with pandas: "
        f"frame{renamed}.melt(id_vars={kept!r}, value_vars={list(asked.values())!r}, "
        "var_name='instrument', value_name='score').dropna(subset='score')."
    )
