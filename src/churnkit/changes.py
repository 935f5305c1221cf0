"""Why the light of a customer changed since the run before.

A colour follows from the policy's edges, the score, what hysteresis keeps up, the rules and an
override, in this order, and the cause of a change is looked for in the same order. The score is
named unless rules or a person decided the colour both then and now; rules and overrides only if
they decided it then or now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from churnkit.errors import DataError
from churnkit.explain import all_moves
from churnkit.explain.reasons import APPROXIMATE, approximates
from churnkit.features import Features
from churnkit.lights import LIGHTS, Lights, Memory, level_of
from churnkit.logs import Texts
from churnkit.model import ChurnModel

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_MOVES_TOLD = 2
NEEDED = (
    "customer_id", "as_of", "policy", "model_version", "churn_probability", "light", "base_light",
    "held_light", "better_due", "fired", "override",
)  # fmt: skip
"""The columns of a run that the next one must know."""


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
    level, base_level, held_level
        Levels: the final one, that of the policy alone, and that before any rule; -1 for customers
        who were not in it, int8.
    due
        For how many runs a better colour had been due.
    fired_texts, override_texts
        Names of the rules that fired, joined by "; ", and the override in words.
    """

    day: str
    policy: str
    version: str
    known: np.ndarray
    probability: np.ndarray
    level: np.ndarray
    base_level: np.ndarray
    held_level: np.ndarray
    due: np.ndarray
    fired_texts: Texts
    override_texts: Texts

    @staticmethod
    def require(run: pd.DataFrame) -> None:
        """Refuse what is no run.

        Raises
        ------
        DataError
            If it has no row, or lacks a column.
        """
        lacking = [name for name in NEEDED if name not in run.columns]
        if lacking or run.empty:
            what = f"no column {lacking[0]}" if lacking else "no customer"
            raise DataError(
                f"the run before has {what}: it was not written by this churnkit",
                "Remove the latest run-….parquet from the ledger, or score its day anew.",
            )

    @classmethod
    def of(cls, run: pd.DataFrame, customers: pa.Array | np.ndarray) -> Before:
        """A run of the ledger, put into the order of some customers."""
        import pyarrow as pa
        import pyarrow.compute as pc

        now = pa.array(customers, pa.string())
        then = pa.array(run["customer_id"], pa.string())
        place = pc.index_in(now, value_set=then)
        nth = place.fill_null(len(run)).to_numpy(zero_copy_only=False)  # one behind the last
        first = run.iloc[0]
        told = str(first["as_of"]), str(first["policy"]), str(first["model_version"])
        return cls.beside(run, nth, *told)

    @classmethod
    def beside(
        cls, run: pd.DataFrame, nth: np.ndarray, day: str, policy: str, version: str
    ) -> Before:
        """Rows of a run, put beside some customers.

        Parameters
        ----------
        run
            Some rows, or all.
        nth
            Position of each customer's row, one behind the last for those who have none.
        day, policy, version
            What the whole run is called.
        """

        def levels(column: str) -> np.ndarray:
            texts = _texts(run[column])
            level = [level_of(word) if word in LIGHTS else -1 for word in texts.words]
            return np.array([*level, -1], dtype=np.int8)[np.append(texts.code, -1)[nth]]

        def words(column: str) -> Texts:
            texts = _texts(run[column])
            return replace(texts, code=np.append(texts.code, -1)[nth])

        return cls(
            day=day,
            policy=policy,
            version=version,
            known=nth < len(run),
            probability=np.append(run["churn_probability"].to_numpy(dtype=float), np.nan)[nth],
            level=levels("light"),
            base_level=levels("base_light"),
            held_level=levels("held_light"),
            due=np.append(run["better_due"].fillna(0).to_numpy(dtype=np.int64), 0)[nth],
            fired_texts=words("fired"),
            override_texts=words("override"),
        )

    @property
    def light(self) -> np.ndarray:
        """Colours; empty for customers who were not in the run."""
        return _named(self.level)

    @property
    def base(self) -> np.ndarray:
        """Colours of the policy alone."""
        return _named(self.base_level)

    @property
    def held(self) -> np.ndarray:
        """Colours before any rule."""
        return _named(self.held_level)

    @property
    def fired(self) -> list[list[str]]:
        """Names of the rules that fired."""
        return [told.split("; ") if told else [] for told in self.fired_texts.as_list()]

    @property
    def override(self) -> list[str]:
        """The override in words; empty without."""
        return [told or "" for told in self.override_texts.as_list()]

    @property
    def memory(self) -> Memory:
        """What hysteresis must know of it."""
        return Memory(self.held_level.astype(np.int64), self.due)

    def where(self, rows: np.ndarray) -> Before:
        """The run before, of some of the customers."""
        arrays = ("known", "probability", "level", "base_level", "held_level", "due")
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in arrays},
            fired_texts=self.fired_texts.where(rows),
            override_texts=self.override_texts.where(rows),
        )


def _texts(column: pd.Series) -> Texts:
    """A column of a run as texts; a missing one is as an empty one."""
    import pandas as pd

    code, words = pd.factorize(column)
    return Texts(tuple(str(word) for word in words), code.astype(np.int64))


def _named(levels: np.ndarray) -> np.ndarray:
    return np.array([*LIGHTS, ""], dtype=object)[levels]  # -1 is the last one


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
    exact
        Whether what moved a score is told exactly, or by path attributions; ≈ marks the latter.
    """

    model: ChurnModel
    policy: str
    before: Before
    lights: Lights
    probability: np.ndarray
    features: Features
    then: Features
    says: Mapping[str, str] = field(default_factory=dict)
    exact: bool = True

    @property
    def changed(self) -> np.ndarray:
        """Boolean mask of the customers who were in both runs with different colours."""
        return self.before.known & (self.before.level != self.lights.level)

    def causes(self) -> list[str]:
        """For each row why its colour changed; empty where it did not, or is the first."""
        told = [""] * len(self.probability)
        for row in np.flatnonzero(self.changed).tolist():
            told[row] = "; ".join(self._causes_of(row)) or "the rules changed"
        return told

    def _causes_of(self, row: int) -> Iterator[str]:
        lights, before = self.lights, self.before
        lifted_now = lights.level[row] != lights.held_level[row]
        lifted_then = before.level[row] != before.held_level[row]
        differs = lights.held_level[row] != before.held_level[row]
        if differs and not (lifted_now and lifted_then):
            yield from self._of_the_score(row)
        if lifted_now or lifted_then:
            yield from self._of_the_rules(row)

    def _of_the_rules(self, row: int) -> Iterator[str]:
        """Which rules and overrides came and went."""
        override = self.lights.override_of.get(row)
        said = "" if override is None else override.says
        if said != self._override_then[row]:
            yield said or "the override ended"
        if said:
            return  # a person decides, whatever the rules say
        yield from rules_turned(self._fired_then[row], self.lights.fired[row], self._says)

    @cached_property
    def _fired_then(self) -> list[list[str]]:
        return self.before.fired

    @cached_property
    def _override_then(self) -> list[str]:
        return self.before.override

    @cached_property
    def _says(self) -> dict[str, str]:
        return {**self.says, **{count.name: count.says for count in self.lights.counts}}

    def _of_the_score(self, row: int) -> Iterator[str]:
        """Why the colour before any rule changed."""
        base = self.before.base_level[row]
        mid = float(self._by_the_new_model[row])
        by_edges, by_model = self._by_edges[row], self._by_model[row]
        now = self.lights.base_level[row]
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
            held = LIGHTS[self.before.held_level[row]]
            yield f"its risk is clearly below the edge of {held} by now"

    @cached_property
    def _by_edges(self) -> np.ndarray:
        """Levels that the edges of now give to the scores of then."""
        return self.lights.edges.levels(self.before.probability)

    @cached_property
    def _by_model(self) -> np.ndarray:
        """Levels that the edges and the model of now give to the earlier day."""
        return self.lights.edges.levels(self._by_the_new_model)

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
        mark = "" if self.exact or not approximates(self.model) else APPROXIMATE
        return f" ({mark}{'; '.join(told[:_MOVES_TOLD])})" if told else ""

    @cached_property
    def _moves(self) -> dict[int, list[tuple[float, str]]]:
        """Row of a changed customer → what each theme did to its score, weightiest first."""
        ids = self.features.customer_id
        rows = [r for r in np.flatnonzero(self.changed).tolist() if ids[r] in self._row_then]
        then = np.array([self._row_then[ids[row]] for row in rows], dtype=np.intp)
        now = self.features.where(np.array(rows, dtype=np.intp))
        told = all_moves(self.model, self.then.where(then), now, exact=self.exact)
        return dict(zip(rows, told, strict=True))


def rules_turned(then: Sequence[str], now: Sequence[str], says: Mapping[str, str]) -> Iterator[str]:
    """Which rules came and went.

    Parameters
    ----------
    then, now
        Names of the rules that fired at the earlier and at the later moment.
    says
        Rule → its reason; a rule that is no more is told by its name.
    """
    for name in now:
        if name not in then:
            yield f"{says[name]}: fired"
    for name in then:
        if name not in now:
            yield f"{says.get(name, name)}: ended"


def transitions(before: Before, lights: Lights) -> dict[str, dict[str, int]]:
    """Light before → light now → customers who were in both runs."""
    was, now = before.level[before.known], lights.level[before.known]
    found = np.bincount(was.astype(np.int64) * len(LIGHTS) + now, minlength=len(LIGHTS) ** 2)
    table = found.reshape(len(LIGHTS), -1).tolist()
    return {w: dict(zip(LIGHTS, row, strict=True)) for w, row in zip(LIGHTS, table, strict=True)}
