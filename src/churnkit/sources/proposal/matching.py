"""Which column of a source is which column of the contract: the best assignment over all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from churnkit.logs import SCHEMAS
from churnkit.sources.proposal.evidence import Evidence
from churnkit.sources.proposal.fit import fit
from churnkit.sources.proposal.names import name_score, without_common_prefix

ENOUGH = 0.5
_NEEDED_FIRST = 0.5
_BARE_ID = {
    "customers": "customer_id",
    "purchases": "order_id",
    "activity": "ref",
    "surveys": "ref",
}
_CLOSE = 0.06


@dataclass(frozen=True)
class Match:
    """A column of the contract found in a source.

    Attributes
    ----------
    column
        Source column.
    name, content
        How clearly its name says so, 0 to 1; what its content adds or takes.
    rival
        Another source column that fits about as well; empty if none does.
    says
        What speaks for it beside name and content, told in words.
    """

    column: str
    name: float
    content: float
    rival: str = ""
    says: str = ""

    @property
    def score(self) -> float:
        """Name and content together."""
        return self.name + self.content


def match_columns(
    log: str, cells: Mapping[str, Evidence], banned: Collection[tuple[str, str]] = ()
) -> dict[str, Match]:
    """Contract column → the source column that is it, each at most once.

    Parameters
    ----------
    log
        Name of the log.
    cells
        Source column → what its cells look like.
    banned
        Pairs of contract and source column that are known to be wrong.
    """
    scored = {
        (column.name, name): found
        for column in SCHEMAS[log].columns
        for name, found in _scored(log, column.name, cells)
        if (column.name, name) not in banned and found.score >= ENOUGH
    }
    chosen = _assigned(log, scored, list(cells))
    return {
        column: _with_rival(column, match, scored, {m.column for m in chosen.values()})
        for column, match in chosen.items()
    }


def called(log: str, column: str, cells: Mapping[str, Evidence]) -> list[str]:
    """Source columns that are called like a column of the contract, whatever they hold."""
    parts = without_common_prefix(list(cells))
    return [name for name in cells if name_score(parts[name], log, column) >= ENOUGH]


def _scored(log: str, column: str, cells: Mapping[str, Evidence]) -> Iterable[tuple[str, Match]]:
    for name, parts in without_common_prefix(list(cells)).items():
        says = name_score(parts, log, column)
        if parts == ("id",) and _BARE_ID[log] == column:
            says = 0.6
        if parts == ("uid",) and column == "customer_id":
            says = 0.8  # of a user, unless another word stands beside it
        if parts == ("name",) and column == "order_id" and cells[name].numbered > 0.95:
            says = 0.7  # the shop calls its orders #1001
        content = fit(log, column, cells[name]) if says else None
        if content is not None:
            yield name, Match(name, says, content)


def _assigned(
    log: str, scored: Mapping[tuple[str, str], Match], names: list[str]
) -> dict[str, Match]:
    """The assignment of the highest total score; required columns before optional ones."""
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    columns = [column.name for column in SCHEMAS[log].columns]
    gain = np.zeros((len(columns), len(names)))
    for (column, name), match in scored.items():
        needed = SCHEMAS[log].column(column).required
        # The earlier of equal columns, as in the file.
        tie = 1e-6 * (len(names) - names.index(name))
        gain[columns.index(column), names.index(name)] = match.score + tie + _NEEDED_FIRST * needed
    pairs = zip(*linear_sum_assignment(gain, maximize=True), strict=True)
    found = ((columns[i], names[j]) for i, j in pairs)
    return {pair[0]: scored[pair] for pair in found if pair in scored}


def _with_rival(
    column: str,
    match: Match,
    scored: Mapping[tuple[str, str], Match],
    taken: Collection[str],
) -> Match:
    rivals = [
        other
        for (role, name), other in scored.items()
        if role == column and name not in taken and other.score >= match.score - _CLOSE
    ]
    rival = max(rivals, key=lambda other: other.score).column if rivals else ""
    return Match(match.column, match.name, match.content, rival, match.says)
