"""Why the light of a customer changed since the run before.

A colour follows from the policy's edges, the score, what hysteresis keeps up, the rules and an
override, in this order, and the cause of a change is looked for in the same order. The score is
named unless rules or a person decided the colour both then and now; rules and overrides only if
they decided it then or now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import DataError
from churnkit.explain import all_moves
from churnkit.features import Features
from churnkit.lights import LIGHTS, Lights, Memory, level_of, named
from churnkit.model import ChurnModel

if TYPE_CHECKING:
    import pandas as pd

_MOVES_TOLD = 2
_NEEDED = (
    "customer_id", "as_of", "policy", "model_version", "churn_probability", "light", "base_light",
    "held_light", "better_due", "fired", "override",
)  # fmt: skip


@dataclass(frozen=True)
class Before:
    """The run before, in the order of the customers of this one.

    Attributes
    ----------
    day
        Its day.
    policy, version
        Policy and model of the run, in words.
    known
        Boolean mask of the customers who were in it; the other columns mean nothing for the rest.
    probability
        Churn probability of each.
    light, base, held
        Colours: the final one, that of the policy alone, and that before any rule.
    due
        For how many runs a better colour had been due.
    fired, override
        Names of the rules that fired, and the override in words; empty without.
    """

    day: str
    policy: str
    version: str
    known: np.ndarray
    probability: np.ndarray
    light: np.ndarray
    base: np.ndarray
    held: np.ndarray
    due: np.ndarray
    fired: list[list[str]]
    override: list[str]

    @staticmethod
    def require(run: pd.DataFrame) -> None:
        """Refuse what is no run.

        Raises
        ------
        DataError
            If it has no row, or lacks a column.
        """
        lacking = [name for name in _NEEDED if name not in run.columns]
        if lacking or run.empty:
            what = f"no column {lacking[0]}" if lacking else "no customer"
            raise DataError(
                f"the run before has {what}: it was not written by this churnkit",
                "Remove the latest run-….parquet from the ledger, or score its day anew.",
            )

    @classmethod
    def of(cls, run: pd.DataFrame, customers: np.ndarray) -> Before:
        """A run of the ledger, put into the order of some customers."""
        theirs = run.set_index("customer_id").reindex(customers.astype(str))
        known = theirs["as_of"].notna().to_numpy()

        def texts(column: str) -> np.ndarray:
            return theirs[column].fillna("").to_numpy(dtype=object)

        first = run.iloc[0]
        return cls(
            day=str(first["as_of"]),
            policy=str(first["policy"]),
            version=str(first["model_version"]),
            known=known,
            probability=theirs["churn_probability"].to_numpy(dtype=float),
            light=texts("light"),
            base=texts("base_light"),
            held=texts("held_light"),
            due=theirs["better_due"].fillna(0).to_numpy(dtype=np.int64),
            fired=[[name for name in told.split("; ") if name] for told in texts("fired")],
            override=list(texts("override")),
        )

    @property
    def memory(self) -> Memory:
        """What hysteresis must know of it."""
        levels = np.array([level_of(light) if light else -1 for light in self.held], dtype=np.int64)
        return Memory(levels, self.due)


@dataclass(frozen=True)
class Change:
    """Two runs side by side.

    Attributes
    ----------
    model, policy
        Those of the later run.
    before
        The earlier run.
    lights, probability, features
        The later run, one row each.
    then
        Features of the customers at risk at the earlier run, for what moved a score.
    says
        Rule → its reason, also of rules whose days are over.
    """

    model: ChurnModel
    policy: str
    before: Before
    lights: Lights
    probability: np.ndarray
    features: Features
    then: Features
    says: Mapping[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> np.ndarray:
        """Boolean mask of the customers who were in both runs with different colours."""
        differs = self.before.light != self.lights.light.astype(object)
        return np.asarray(self.before.known & differs)

    def causes(self) -> list[str]:
        """For each row why its colour changed; empty where it did not, or is the first."""
        told = [""] * len(self.probability)
        for row in np.flatnonzero(self.changed):
            told[row] = "; ".join(self._causes_of(int(row))) or "the rules changed"
        return told

    def _causes_of(self, row: int) -> Iterator[str]:
        lights, before = self.lights, self.before
        lifted_now = lights.light[row] != lights.held[row]
        lifted_then = before.light[row] != before.held[row]
        if lights.held[row] != before.held[row] and not (lifted_now and lifted_then):
            yield from self._of_the_score(row)
        if lifted_now or lifted_then:
            yield from self._of_the_rules(row)

    def _of_the_rules(self, row: int) -> Iterator[str]:
        """Which rules and overrides came and went."""
        lights, before = self.lights, self.before
        override = lights.overrides[row]
        said = "" if override is None else override.says
        if said != before.override[row]:
            yield said or "the override ended"
        if said:
            return  # a person decides, whatever the rules say
        fired, fired_then = lights.fired[row], before.fired[row]
        for name in fired:
            if name not in fired_then:
                yield f"{self._says[name]}: fired"
        for name in fired_then:
            if name not in fired:
                yield f"{self._says.get(name, name)}: ended"

    @cached_property
    def _says(self) -> dict[str, str]:
        return {**self.says, **{count.name: count.says for count in self.lights.counts}}

    def _of_the_score(self, row: int) -> Iterator[str]:
        """Why the colour before any rule changed."""
        base = self.before.base[row]
        mid = float(self._by_the_new_model[row])
        by_edges, by_model = self._by_edges[row], self._by_model[row]
        now = self.lights.base[row]
        if by_edges != base:
            yield (
                "the policy changed"
                if self.policy != self.before.policy
                else "the edges of the policy moved"
            )
        if by_model != by_edges:
            yield f"the model changed ({self.before.version} → {self.model.version})"
        if now != by_model:
            p = float(self.probability[row])
            yield f"risk went from {mid:.0%} to {p:.0%}{self._moved(row, p > mid)}"
        if now == base and by_edges == base and by_model == by_edges:
            yield f"its risk is clearly below the edge of {self.before.held[row]} by now"

    @cached_property
    def _by_edges(self) -> np.ndarray:
        """Colours that the edges of now give to the scores of then."""
        return named(self.lights.edges.levels(self.before.probability))

    @cached_property
    def _by_model(self) -> np.ndarray:
        """Colours that the edges and the model of now give to the earlier day."""
        return named(self.lights.edges.levels(self._by_the_new_model))

    @cached_property
    def _row_then(self) -> dict[str, int]:
        return {customer: k for k, customer in enumerate(self.then.customer_id.tolist())}

    @cached_property
    def _by_the_new_model(self) -> np.ndarray:
        """What the model of this run says of the earlier day; what was said, if it is the same."""
        told = self.before.probability.copy()
        if self.model.version == self.before.version or not len(self.then):
            return told
        anew = self.model.churn_probability(self.then)
        for row, customer in enumerate(self.features.customer_id.tolist()):
            if customer in self._row_then:
                told[row] = anew[self._row_then[customer]]
        return told

    def _moved(self, row: int, rose: bool) -> str:
        """What moved the score, the themes that went its way."""
        told = [says for weight, says in self._moves.get(row, ()) if (weight > 0) == rose]
        return f" ({'; '.join(told[:_MOVES_TOLD])})" if told else ""

    @cached_property
    def _moves(self) -> dict[int, list[tuple[float, str]]]:
        """Row of a changed customer → what each theme did to its score, weightiest first."""
        ids = self.features.customer_id
        rows = [r for r in np.flatnonzero(self.changed).tolist() if ids[r] in self._row_then]
        then = np.array([self._row_then[ids[row]] for row in rows], dtype=np.intp)
        now = self.features.where(np.array(rows, dtype=np.intp))
        return dict(zip(rows, all_moves(self.model, self.then.where(then), now), strict=True))


def transitions(before: Before, lights: Lights) -> dict[str, dict[str, int]]:
    """Light before → light now → customers who were in both runs."""
    now = lights.light.astype(object)
    return {
        was: {
            is_now: int((before.known & (before.light == was) & (now == is_now)).sum())
            for is_now in LIGHTS
        }
        for was in LIGHTS
    }
