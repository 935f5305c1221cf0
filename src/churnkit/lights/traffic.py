"""`TrafficLight`: from probabilities to colours, and how each came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from churnkit.clock import Cutoff
from churnkit.errors import ConfigError
from churnkit.features import Features
from churnkit.lights.colours import LIGHTS, level_of, named
from churnkit.lights.evidence import Evidence
from churnkit.lights.overrides import Override
from churnkit.lights.policies import Edges, Fixed, Policy
from churnkit.lights.rules import RULES, Rule, require_sound, silent_rules
from churnkit.metrics import Interval, proportion

SIDES: Mapping[str, tuple[str, ...]] = {
    "purchases": ("recency",),
    "activity": ("days_since_activity",),
    "NPS": ("nps_last",),
    "CES": ("ces_last",),
}
"""What a light may stand on, and the features that tell whether it is known of a customer."""


@dataclass(frozen=True)
class Hysteresis:
    """A colour gets worse at once, and better only when the risk has clearly gone.

    Attributes
    ----------
    margin
        So far below the edge, in probability, counts as gone; 0 and one run switch it off.
    runs
        In so many runs one after the other.

    Raises
    ------
    ConfigError
        If the margin is not in [0, .5], or runs is not 1 or more.
    """

    margin: float = 0.05
    runs: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= 0.5:
            raise ConfigError(
                f"margin = {self.margin} in [lights] is not between 0 and 0.5",
                "It is a difference of probabilities, such as 0.05; 0 is none.",
            )
        if self.runs < 1:
            raise ConfigError(f"runs = {self.runs} in [lights] is below 1", "Set it to 1 or more.")

    def held(
        self, base: np.ndarray, probability: np.ndarray, edges: Edges, before: Memory
    ) -> tuple[np.ndarray, np.ndarray]:
        """Levels that are kept up, and for how many runs a better one has been due.

        Parameters
        ----------
        base
            Levels by the policy alone.
        probability, edges
            What they followed from.
        before
            Levels and runs of the run before, -1 for customers who were not in it.
        """
        slack = Edges(edges.yellow - self.margin, edges.red - self.margin).levels(probability)
        reached = np.minimum(slack, before.level)
        is_due = (base < before.level) & (reached < before.level)
        due = np.where(is_due, before.due + 1, 0)
        kept = np.where(due >= self.runs, reached, before.level)
        waits = is_due & (due < self.runs)
        return np.where(base < before.level, kept, base), np.where(waits, due, 0)


@dataclass(frozen=True)
class Memory:
    """What the run before left of the customers of this one.

    Attributes
    ----------
    level
        Level by policy and hysteresis, -1 where the customer was not in it.
    due
        For how many runs a better level had been due.
    """

    level: np.ndarray
    due: np.ndarray

    @classmethod
    def none(cls, rows: int) -> Memory:
        """Nothing is remembered."""
        return cls(np.full(rows, -1), np.zeros(rows, dtype=np.int64))


@dataclass(frozen=True)
class RuleCount:
    """What a rule did in a run.

    Attributes
    ----------
    name, says
        The rule.
    fired
        Customers who met its conditions.
    lifted, lowered
        Of these, whose colour it made worse, and better.
    speaks
        False if the logs tell nothing of what it looks at.
    """

    name: str
    says: str
    fired: int
    lifted: int
    lowered: int
    speaks: bool = True


@dataclass(frozen=True)
class Lights:
    """The lights of some customers and how they came about.

    Attributes
    ----------
    light
        Colour of each row.
    base
        Colour by the policy alone.
    held
        Colour by policy and hysteresis, before any rule.
    due
        For how many runs a better colour has been due, which hysteresis keeps back.
    edges
        From where on each row is yellow and red.
    rules
        For each row the rules that fired, with the change of colour where they made one, for
        example ``"open complaint: yellow → red"``; then the override, if there is one.
    fired
        For each row the names of the rules that fired.
    deciding
        For each row the name of the last rule that asked for the colour that is left, whether or
        not the customer had it already; empty without one.
    overrides
        For each row the override that holds, or ``None``.
    counts
        What each rule did, in the order of the rules.
    unknown
        For each row the sides of `SIDES` of which nothing is known.
    warnings
        Sentences that belong beside the lights.
    """

    light: np.ndarray
    base: np.ndarray
    held: np.ndarray
    due: np.ndarray
    edges: Edges
    rules: list[list[str]]
    fired: list[list[str]]
    deciding: list[str]
    overrides: list[Override | None]
    counts: tuple[RuleCount, ...]
    unknown: list[list[str]]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrafficLight:
    """Classifies customers as green, yellow or red.

    Attributes
    ----------
    policy
        Where the edges of the colours lie.
    rules
        Applied after policy and hysteresis, in this order.
    hysteresis
        When a colour gets better.

    Raises
    ------
    ConfigError
        If rules contradict each other, or one can never fire.

    Examples
    --------
    >>> light = TrafficLight(Fixed(0.4, 0.7))
    >>> light.predict(np.array([0.39, 0.4, 0.7])).tolist()
    ['green', 'yellow', 'red']
    """

    policy: Policy = field(default_factory=Fixed)
    rules: tuple[Rule, ...] = RULES
    hysteresis: Hysteresis = field(default_factory=Hysteresis)

    def __post_init__(self) -> None:
        require_sound(self.rules)

    def fit(self, evidence: Evidence) -> TrafficLight:
        """The same whose policy has looked at earlier tests; see `Promise`."""
        return replace(self, policy=self.policy.fit(evidence))

    def predict(self, probability: np.ndarray, value: np.ndarray | None = None) -> np.ndarray:
        """Colours by the policy alone.

        Parameters
        ----------
        probability
            Churn probability of each customer.
        value
            Value at risk of each; unknown by default.
        """
        edges = self._edges(probability, value, np.arange(len(probability)))
        return named(edges.levels(probability))

    def assign(
        self,
        probability: np.ndarray,
        features: Features,
        value: np.ndarray | None = None,
        *,
        before: Memory | None = None,
        overrides: Mapping[str, Override] | None = None,
        at: Cutoff | None = None,
    ) -> Lights:
        """The light of each row, and how it came about.

        First the policy, then hysteresis, then the rules in their order, then overrides.

        Parameters
        ----------
        probability
            Churn probability of each row.
        features
            Feature table with the same rows; the rules read it.
        value
            Value at risk of each row, NaN where unknown.
        before
            What the run before left; nothing by default.
        overrides
            Customer → the override that holds.
        at
            The moment, which says which rules are in force; by default that of the features, where
            all rows have one, else all rules are.
        """
        edges = self._edges(probability, value, features.customer_id)
        base = edges.levels(probability)
        memory = before or Memory.none(len(base))
        held, due = self.hysteresis.held(base, probability, edges, memory)
        moment = at or _moment_of(features)
        rules = tuple(r for r in self.rules if moment is None or r.in_force(moment))
        known = {"churn_probability": probability, "value_at_risk": _values(probability, value)}
        masks = [rule.fires(features, known) for rule in rules]
        spoken = _speak(rules, masks, held)
        theirs = [(overrides or {}).get(customer) for customer in features.customer_id.tolist()]
        level = _overridden(spoken.level, theirs, spoken.told)
        silent = silent_rules(rules, features.spec)
        return Lights(
            light=named(level),
            base=named(base),
            held=named(held),
            due=due,
            edges=edges,
            rules=spoken.told,
            fired=spoken.names,
            deciding=spoken.deciding,
            overrides=theirs,
            counts=tuple(replace(c, speaks=c.name not in silent) for c in spoken.counts),
            unknown=_unknown(features),
            warnings=edges.warnings,
        )

    def _edges(
        self, probability: np.ndarray, value: np.ndarray | None, customer: np.ndarray
    ) -> Edges:
        return self.policy.edges(probability, _values(probability, value), customer)


@dataclass(frozen=True)
class _Spoken:
    """Levels after the rules, and what the rules have to say."""

    level: np.ndarray
    told: list[list[str]]
    names: list[list[str]]
    deciding: list[str]
    counts: list[RuleCount]


def _speak(rules: Sequence[Rule], masks: Sequence[np.ndarray], held: np.ndarray) -> _Spoken:
    level, rows = held, len(held)
    told: list[list[str]] = [[] for _ in range(rows)]
    names: list[list[str]] = [[] for _ in range(rows)]
    counts = []
    for rule, mask in zip(rules, masks, strict=True):
        after = np.where(mask, rule.applied(level), level)
        for row in np.flatnonzero(mask):
            told[row].append(_told(rule, level[row], after[row]))
            names[row].append(rule.name)
        lifted, lowered = int((after > level).sum()), int((after < level).sum())
        counts.append(RuleCount(rule.name, rule.says, int(mask.sum()), lifted, lowered))
        level = after
    return _Spoken(level, told, names, _deciding(rules, masks, level), counts)


def _deciding(rules: Sequence[Rule], masks: Sequence[np.ndarray], level: np.ndarray) -> list[str]:
    """For each row the last rule that lifts to, or sets, the level that is left."""
    found = np.full(len(level), "", dtype=object)
    for rule, mask in zip(rules, masks, strict=True):
        if rule.effect != "at_most":
            found[mask & (level == level_of(rule.light))] = rule.name
    return list(found)


def _told(rule: Rule, before: int, after: int) -> str:
    return rule.says if before == after else f"{rule.says}: {LIGHTS[before]} → {LIGHTS[after]}"


def _overridden(
    level: np.ndarray, theirs: Sequence[Override | None], told: list[list[str]]
) -> np.ndarray:
    """Levels after the overrides, which are told as well."""
    after = level.copy()
    for row, override in enumerate(theirs):
        if override is not None:
            after[row] = level_of(override.light)
            told[row].append(override.says)
    return after


def _moment_of(features: Features) -> Cutoff | None:
    moments = np.unique(features.cutoff)
    return Cutoff(int(moments[0]), features.zone) if len(moments) == 1 else None


def _values(probability: np.ndarray, value: np.ndarray | None) -> np.ndarray:
    return np.full(len(probability), np.nan) if value is None else value


def _unknown(features: Features) -> list[list[str]]:
    told: list[list[str]] = [[] for _ in range(len(features))]
    for side, names in SIDES.items():
        missing = np.logical_and.reduce([np.isnan(features.column(name)) for name in names])
        for row in np.flatnonzero(missing):
            told[row].append(side)
    return told


def realised(light: np.ndarray, churned: np.ndarray) -> dict[str, Interval]:
    """Colour → share of its customers that churned, with its 95 % Wilson interval."""
    return {
        colour: proportion(int(churned[light == colour].sum()), int((light == colour).sum()))
        for colour in LIGHTS
    }
