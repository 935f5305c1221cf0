"""Scoring: what is found of each customer, then what concerns all, then what only few are told."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from churnkit.changes import Before, Change
from churnkit.clock import Cutoff
from churnkit.explain.reasons import Voices, middle_of, voices
from churnkit.features import plan_features
from churnkit.lights import Override, TrafficLight, require_features
from churnkit.logs import CustomerLogs
from churnkit.model import ChurnModel
from churnkit.scoring.population import nobody_at_risk, require_same_logs
from churnkit.scoring.scores import Causes, Scores
from churnkit.scoring.sweep import Found, Saved, Sought, Told, find, look_again, sample_at_risk

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

EXACT_REASONS, EXACT_OF_MANY = 5_000, 1_000
"""Up to so many customers at risk all reasons are exact; of more only those of the first of the
call list, as many as the second number says: attributing everybody exactly would take most of the
time of a large scoring. The same holds for what moved the scores of those whose light changed."""


def score(
    model: ChurnModel,
    logs: CustomerLogs,
    as_of: Cutoff,
    light: TrafficLight | None = None,
    within: Sequence[int] = (),
    *,
    saved: Saved | None = None,
    before: pd.DataFrame | None = None,
    overrides: Mapping[str, Override] | None = None,
    margin: float = 1.0,
    classes: Sequence[str] = (),
    keep_features: bool = True,
) -> Scores:
    """Score every customer at risk at a cutoff, from what is known before it.

    Logs are gone through block by block, and the result is the same to the last bit wherever
    blocks end.

    Parameters
    ----------
    model, logs, as_of
        What scores whom, and when.
    light
        How lights are assigned.
    within
        Shorter horizons, in days, to tell the probability of as well.
    saved
        What acting on customers is expected to keep, of their features and churn probabilities,
        each by itself: they are ranked by it instead of by risk, see `churnkit.outcomes`.
    before
        The run before, as the ledger keeps it: hysteresis goes on from it, and changes are
        explained.
    overrides
        Customer → the override that holds.
    margin
        Share of the spend that is margin, see `at_risk`.
    classes
        Static columns of the customers to keep, see `Scores.class_of`.
    keep_features
        Whether the features of all are kept; without them the memory holds any number of
        customers.

    Raises
    ------
    DataError
        If the logs lack a log the model was trained on, or nobody is at risk.
    ConfigError
        If the model does not know of a horizon in ``within``, see `ChurnModel.require_within`; or
        a rule looks at a feature that there is not.
    """
    sought = seek(model, logs, as_of, light, within, saved=saved, margin=margin, classes=classes)
    if before is not None:
        Before.require(before)
    found = find(logs, sought, keep_features=keep_features)
    if found is None:
        raise nobody_at_risk(model.question, logs, as_of)
    return decide(logs, sought, found, before, overrides or {})


def seek(
    model: ChurnModel,
    logs: CustomerLogs,
    as_of: Cutoff,
    light: TrafficLight | None = None,
    within: Sequence[int] = (),
    *,
    saved: Saved | None = None,
    margin: float = 1.0,
    classes: Sequence[str] = (),
) -> Sought:
    """What is to be found out of every customer; parameters and errors are those of `score`."""
    chosen = light or TrafficLight()
    require_features(chosen.rules, model.spec)
    for days in within:
        model.require_within(days)  # before anybody waits
    require_same_logs(model.spec, logs)
    plan = plan_features(logs, as_of, model.spec)
    middle = middle_of(model, sample_at_risk(logs, model, plan) if model.middle is None else None)
    told = tuple(sorted(set(within))), saved, margin, tuple(sorted(set(classes)))
    return Sought(model, as_of, plan, chosen, middle, *told)


def decide(
    logs: CustomerLogs,
    sought: Sought,
    found: Found,
    before: pd.DataFrame | None,
    overrides: Mapping[str, Override],
) -> Scores:
    """What concerns all customers together, and then what only few are told.

    Parameters
    ----------
    logs, sought, before, overrides
        As for `score`.
    found
        What was found of each customer at risk.
    """
    n = len(found)
    earlier = None if before is None else Before.of(before, found.customer)
    lights = sought.light.lit(
        found.probability, found.value, np.arange(n), found.firing, found.sides,
        sought.model.spec, before=None if earlier is None else earlier.memory,
        overrides=_rows_of(found.customer, overrides),
    )  # fmt: skip
    policy = sought.light.policy.says
    scores = Scores(sought.as_of, sought.model, found, lights, policy, earlier)
    return _told_again(logs, sought, scores)


def first_of(scores: Scores) -> np.ndarray:
    """Boolean mask of the customers whose reasons are exact, see `EXACT_REASONS`."""
    order = scores.in_rank_order
    acted_on = scores.lights.level[order] != 0
    first = np.concatenate([order[acted_on], order[~acted_on]])[: exact_among(len(scores))]
    mask = np.zeros(len(scores), dtype=bool)
    mask[first] = True
    return mask


def exact_among(customers: int) -> int:
    """Of how many among so many customers the reasons are exact, see `EXACT_REASONS`."""
    return EXACT_REASONS if customers <= EXACT_REASONS else EXACT_OF_MANY


@dataclass(frozen=True)
class Few:
    """Of whom more is told, as boolean masks of the rows of some scores.

    Attributes
    ----------
    first
        Whose reasons are to be made exact.
    changed
        Whose light changed since the run before.
    nearest
        For whom of these what moved the score is told exactly.
    """

    first: np.ndarray
    changed: np.ndarray
    nearest: np.ndarray

    @classmethod
    def of(cls, scores: Scores) -> Few:
        """Chosen among all customers."""
        n, before = len(scores), scores.before
        changed, nearest = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        if before is not None:
            changed = before.known & (before.level != scores.lights.level)
        order = scores.in_rank_order
        nearest[order[changed[order]][: exact_among(int(changed.sum()))]] = True
        return cls(first_of(scores) & ~scores.found.exact, changed, nearest)


@dataclass(frozen=True)
class Again:
    """What the second look at some customers told.

    Attributes
    ----------
    exact_rows, voices
        Whose reasons are exact now, and what they say; ``None`` if nobody's are.
    changed_rows, causes
        Whose light changed, and why.
    """

    exact_rows: np.ndarray
    voices: Voices | None
    changed_rows: np.ndarray
    causes: list[str]


@dataclass(frozen=True)
class Telling:
    """How the second look at customers goes, each by itself.

    Attributes
    ----------
    model, middle
        What scored, with one thread; and what reasons compare with.
    says
        Rule → its reason, also of rules whose days are over.
    """

    model: ChurnModel
    middle: np.ndarray
    says: Mapping[str, str]

    def tell(self, scores: Scores, few: Few, told: Told) -> Again:
        """What is told of some of the rows of scores, of whom features were built once more."""
        asked, moved = few.first[told.rows], few.changed[told.rows]
        exact, spoken = told.now.where(asked), None
        if asked.any():
            contributions = self.model.contributions(exact)
            spoken = voices(scores.found.phrases.themes, exact, contributions, self.middle)
        causes: list[str] = [""] * int(moved.sum())
        near = few.nearest[told.rows[moved]]
        for is_exact in (True, False):
            some = np.flatnonzero(moved)[near == is_exact]
            if scores.before is None or not len(some):
                continue
            here = told.rows[some]
            change = Change(
                self.model, scores.policy, scores.before.where(here), scores.lights.where(here),
                scores.probability[here], told.now.where(some), told.then, self.says,
                exact=is_exact,
            )  # fmt: skip
            for k, cause in zip(np.flatnonzero(near == is_exact), change.causes(), strict=True):
                causes[k] = cause
        return Again(told.rows[asked], spoken, told.rows[moved], causes)


def told_again(scores: Scores, few: Few, parts: Iterable[Again]) -> Scores:
    """Scores with exact reasons of the first customers, and why lights changed."""
    found = scores.found
    numbers, leading = found.numbers.copy(), found.leading.copy()
    changed_rows, causes = [np.empty(0, dtype=np.int64)], list[str]()
    for again in parts:
        if again.voices is not None:
            told_now = found.phrases.numbers(again.voices)
            numbers[again.exact_rows, : told_now.shape[1]] = told_now
            numbers[again.exact_rows, told_now.shape[1] :] = -1
            leading[again.exact_rows] = again.voices.leading
        changed_rows.append(again.changed_rows)
        causes += again.causes
    found = replace(found, numbers=numbers, leading=leading, exact=found.exact | few.first)
    return replace(scores, found=found, causes=Causes(np.concatenate(changed_rows), tuple(causes)))


def _told_again(logs: CustomerLogs, sought: Sought, scores: Scores) -> Scores:
    few = Few.of(scores)
    rows = np.flatnonzero(few.first | few.changed)
    if not len(rows):
        return scores
    telling = Telling(sought.model.on_threads(1), sought.middle, says_of(sought.light))
    earlier = None
    if scores.before is not None:
        earlier = Cutoff.parse(scores.before.day, sought.as_of.zone)
    tell = partial(telling.tell, scores, few)
    parts = look_again(logs, sought, earlier, scores.customer, rows, tell)
    return told_again(scores, few, parts)


def says_of(light: TrafficLight) -> dict[str, str]:
    """Rule → its reason."""
    return {rule.name: rule.says for rule in light.rules}


def _rows_of(customer: pa.Array, overrides: Mapping[str, Override]) -> dict[int, Override]:
    """Row → the override that holds, of the customers who are there."""
    found = {}
    for name, override in overrides.items():
        row = bisect_left(customer, name, key=lambda scalar: scalar.as_py())
        if row < len(customer) and customer[row].as_py() == name:
            found[row] = override
    return found
