"""What is told of all customers of a run together, and the first of its lists."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from churnkit.actions import tallied, tally
from churnkit.clock import Cutoff
from churnkit.lights import LIGHTS, SIDES, RuleCount
from churnkit.logs import Texts
from churnkit.scoring.rows import run_table
from churnkit.scoring.scores import Scores

LISTED = 25
"""So many calls and changes are kept with a run; its page reads more from its rows."""


@dataclass(frozen=True)
class LightTotal:
    """The customers of one light.

    Attributes
    ----------
    customers
        How many.
    value
        The sum of their known values at risk; ``None`` where none is known.
    """

    customers: int
    value: float | None

    def __add__(self, other: LightTotal) -> LightTotal:
        known = [value for value in (self.value, other.value) if value is not None]
        return LightTotal(self.customers + other.customers, sum(known) if known else None)


@dataclass(frozen=True)
class Totals:
    """A run in a few numbers, however many customers it has.

    Attributes
    ----------
    as_of, version, policy
        The cutoff, the version of the model, and the policy in words.
    customers
        How many are at risk.
    expected
        The sum of their churn probabilities.
    lights
        Light → its customers, from content to leaving.
    unknown
        Side → customers of whom nothing is known there, see `churnkit.lights.SIDES`.
    rules
        What each rule did.
    warnings
        Sentences that belong beside the lights.
    overridden
        Customers for whom an override holds, sorted.
    before
        The day of the run before; ``None`` without one.
    transitions
        Light before → light now → customers; ``None`` without a run before.
    changes, changes_total
        The first rows whose light changed (``customer_id``, ``light_before``, ``light``,
        ``changed``), best rank first, and how many there are.
    planned
        What `churnkit.actions.tally` tells of the plan; ``None`` without one.
    calls, calls_total
        The first rows of the call list, as they are published, and how many it has.
    """

    as_of: Cutoff
    version: str
    policy: str
    customers: int
    expected: float
    lights: Mapping[str, LightTotal]
    unknown: Mapping[str, int]
    rules: tuple[RuleCount, ...]
    warnings: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()
    before: str | None = None
    transitions: Mapping[str, Mapping[str, int]] | None = None
    changes: list[dict[str, Any]] = field(default_factory=list)
    changes_total: int = 0
    planned: Mapping[str, Any] | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    calls_total: int = 0

    @classmethod
    def of(cls, scores: Scores, plan: Mapping[str, Texts] | None = None) -> Totals:
        """Those of scores.

        Parameters
        ----------
        scores
            Of all customers.
        plan
            What is planned for each, see `churnkit.actions.planned`. The call list is what is to
            be done now; without a plan, all red and yellow customers.
        """
        lights, order = scores.lights, scores.in_rank_order
        called = lights.level > 0 if plan is None else _called(plan)
        calls, changes = order[called[order]], scores.causes.rows
        first = changes[np.argsort(scores.rank[changes])[:LISTED]]
        overridden = [scores.customer[row].as_py() for row in lights.override_of]
        return cls(
            as_of=scores.as_of,
            version=scores.model.version,
            policy=scores.policy,
            customers=len(scores),
            expected=float(scores.probability.sum()),
            lights={light: _light(scores, level) for level, light in enumerate(LIGHTS)},
            unknown=scores.unknown_counts,
            rules=lights.counts,
            warnings=lights.warnings,
            overridden=tuple(sorted(overridden)),
            before=None if scores.before is None else scores.before.day,
            transitions=scores.transitions,
            changes=scores.table(first, run=False).to_pylist(),
            changes_total=len(changes),
            planned=None if plan is None else tally(plan),
            calls=run_table(scores, plan or {}, calls[:LISTED]).to_pylist(),
            calls_total=len(calls),
        )

    def __add__(self, other: Totals) -> Totals:
        both = ((light, theirs + other.lights[light]) for light, theirs in self.lights.items())
        return replace(
            self,
            customers=self.customers + other.customers,
            expected=self.expected + other.expected,
            lights=dict(both),
            unknown=_in_order_of_sides(Counter(self.unknown) + Counter(other.unknown)),
            rules=tuple(_added(*rules) for rules in zip(self.rules, other.rules, strict=True)),
            overridden=tuple(sorted((*self.overridden, *other.overridden))),
            transitions=_moves(self.transitions, other.transitions),
            changes=_first_ranks(self.changes + other.changes),
            changes_total=self.changes_total + other.changes_total,
            planned=_tallied(self.planned, other.planned),
            calls=_first_ranks(self.calls + other.calls),
            calls_total=self.calls_total + other.calls_total,
        )

    def to_json(self) -> str:
        """The totals of some customers on their way to where they are added up."""
        told = {f.name: getattr(self, f.name) for f in fields(self)} | {"as_of": None}
        told["lights"] = {light: asdict(total) for light, total in self.lights.items()}
        told["rules"] = [asdict(count) for count in self.rules]
        return json.dumps(told)

    @classmethod
    def from_json(cls, text: str, as_of: Cutoff) -> Totals:
        """The totals that `to_json` told, of a cutoff."""
        told = json.loads(text)
        told["lights"] = {light: LightTotal(**total) for light, total in told["lights"].items()}
        told["rules"] = tuple(RuleCount(**count) for count in told["rules"])
        lists = {name: tuple(told[name]) for name in ("warnings", "overridden")}
        return cls(**{**told, **lists, "as_of": as_of})

    @property
    def counts(self) -> dict[str, int]:
        """Light → customers, the worst first."""
        return {light: self.lights[light].customers for light in reversed(LIGHTS)}

    @property
    def is_valued(self) -> bool:
        """Whether the value at risk of anybody is known."""
        return any(light.value is not None for light in self.lights.values())


def _light(scores: Scores, level: int) -> LightTotal:
    mask = scores.lights.level == level
    value = scores.value_at_risk[mask]
    return LightTotal(int(mask.sum()), None if np.isnan(value).all() else float(np.nansum(value)))


def _called(plan: Mapping[str, Texts]) -> np.ndarray:
    """Boolean mask of the customers with whom something is to be done now."""
    listed = plan["listed"]
    return np.asarray(listed.code == listed.words.index("call"))


def _in_order_of_sides(counts: Mapping[str, int]) -> dict[str, int]:
    return {side: counts[side] for side in SIDES if counts[side]}


def _added(one: RuleCount, other: RuleCount) -> RuleCount:
    return replace(
        one,
        fired=one.fired + other.fired,
        lifted=one.lifted + other.lifted,
        lowered=one.lowered + other.lowered,
    )


def _moves(
    one: Mapping[str, Mapping[str, int]] | None, other: Mapping[str, Mapping[str, int]] | None
) -> Mapping[str, Mapping[str, int]] | None:
    if one is None or other is None:
        return None
    return {w: {now: n + other[w][now] for now, n in row.items()} for w, row in one.items()}


def _tallied(
    one: Mapping[str, Any] | None, other: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    return None if one is None or other is None else tallied(one, other)


def _first_ranks(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: int(row["rank"]))[:LISTED]
