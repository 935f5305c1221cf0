"""`TrafficLight`: from probabilities to colours, and how each came about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from churnkit.clock import Cutoff
from churnkit.errors import ConfigError
from churnkit.features import Features, FeatureSpec
from churnkit.lights.colours import LIGHTS, SHAPES, level_of, named
from churnkit.lights.evidence import Evidence
from churnkit.lights.overrides import Override
from churnkit.lights.policies import Among, Edges, Fixed, Policy
from churnkit.lights.rules import RULES, Rule, require_sound, silent_rules
from churnkit.lights.shown import counted, lights_html
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
class Firing:
    """Which rules fired for some customers: the combinations that occur, and one for each row.

    Attributes
    ----------
    rules
        The rules in force.
    combinations
        Boolean, shape (combinations, rules).
    code
        Position of each row's combination, int32.
    """

    rules: tuple[Rule, ...]
    combinations: np.ndarray
    code: np.ndarray

    @classmethod
    def of(cls, rules: Sequence[Rule], masks: Sequence[np.ndarray], rows: int) -> Firing:
        """From one mask of the rows for each rule."""
        table = np.stack(masks, axis=1) if masks else np.zeros((rows, 0), dtype=bool)
        return cls.joined(rules, [_combined(table)])

    @classmethod
    def joined(
        cls, rules: Sequence[Rule], parts: Iterable[tuple[np.ndarray, np.ndarray]]
    ) -> Firing:
        """From combinations and codes of runs of rows."""
        known: dict[bytes, int] = {}
        codes = [np.empty(0, dtype=np.int32)]
        for combinations, code in parts:
            places = [known.setdefault(row.tobytes(), len(known)) for row in combinations]
            codes.append(np.array(places, dtype=np.int32)[code])
        shape = (len(known), len(rules))
        table = np.frombuffer(b"".join(known), dtype=bool).reshape(shape)
        return cls(tuple(rules), table, np.concatenate(codes))

    def where(self, rows: np.ndarray) -> Firing:
        """Those of some rows."""
        return replace(self, code=self.code[rows])


def _combined(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows of a boolean table, and the position of each row's among them."""
    if not table.shape[1] or not len(table):
        return table[:1], np.zeros(len(table), dtype=np.int32)
    packed = np.ascontiguousarray(np.packbits(table, axis=1))
    keys = packed.view(f"V{packed.shape[1]}")[:, 0]
    _, first, code = np.unique(keys, return_index=True, return_inverse=True)
    return table[first], code.astype(np.int32)


@dataclass(frozen=True)
class _Said:
    """What the rules say where a combination of them meets a level: one entry of a table."""

    level: int
    told: tuple[str, ...]
    names: tuple[str, ...]
    deciding: str


@dataclass(frozen=True)
class Lights:
    """The lights of some customers and how they came about.

    It keeps numbers; what is told in words of each row is made when it is asked for.

    Attributes
    ----------
    level, base_level, held_level
        Levels, see `churnkit.lights.colours`: the final one, that of the policy alone, and that of
        policy and hysteresis, before any rule; int8.
    due
        For how many runs a better colour has been due, which hysteresis keeps back.
    edges
        From where on each row is yellow and red.
    firing
        Which rules fired for each row.
    override_of
        Row → the override that holds.
    counts
        What each rule did, in the order of the rules.
    sides
        For each row which of `SIDES` are unknown, as bits: the first side is 1, the next 2 …
    warnings
        Sentences that belong beside the lights.
    """

    level: np.ndarray
    base_level: np.ndarray
    held_level: np.ndarray
    due: np.ndarray
    edges: Edges
    firing: Firing
    override_of: Mapping[int, Override]
    counts: tuple[RuleCount, ...]
    sides: np.ndarray
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.level)

    def __repr__(self) -> str:
        told = ", ".join(f"{SHAPES[name]} {name} {n:,}" for name, n in counted(self.level).items())
        return f"<Lights: {len(self):,} customers; {told}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: customers of each light, and the rules that fired."""
        return lights_html(self)

    @property
    def light(self) -> np.ndarray:
        """Colour of each row."""
        return named(self.level)

    @property
    def base(self) -> np.ndarray:
        """Colour by the policy alone."""
        return named(self.base_level)

    @property
    def held(self) -> np.ndarray:
        """Colour by policy and hysteresis, before any rule."""
        return named(self.held_level)

    @cached_property
    def rules(self) -> list[list[str]]:
        """For each row the rules that fired, with the change of colour where they made one, for
        example ``"open complaint: yellow → red"``; then the override, if there is one.
        """
        found = [list(said.told) for said in self._said]
        for row, override in self.override_of.items():
            found[row].append(override.says)
        return found

    @cached_property
    def fired(self) -> list[list[str]]:
        """For each row the names of the rules that fired."""
        return [list(said.names) for said in self._said]

    @cached_property
    def deciding(self) -> list[str]:
        """For each row the name of the last rule that asked for the colour that is left, whether
        or not the customer had it already; empty without one.
        """
        return [said.deciding for said in self._said]

    @cached_property
    def overrides(self) -> list[Override | None]:
        """For each row the override that holds, or ``None``."""
        return [self.override_of.get(row) for row in range(len(self))]

    @cached_property
    def unknown(self) -> list[list[str]]:
        """For each row the sides of `SIDES` of which nothing is known."""
        told = {bits: sides_in(bits) for bits in np.unique(self.sides).tolist()}
        return [list(told[bits]) for bits in self.sides.tolist()]

    @property
    def said_code(self) -> np.ndarray:
        """Position of each row in the tables of what rules say, int32."""
        return self.firing.code * len(LIGHTS) + self.held_level

    @cached_property
    def said_of(self) -> dict[str, list[str]]:
        """What rules say as tables: ``rules``, ``fired`` (joined by "; ") and ``deciding``.

        `said_code` tells the place of each row. Overrides are not in it.
        """
        table = _table(self.firing)
        return {
            "rules": ["; ".join(said.told) for said in table],
            "fired": ["; ".join(said.names) for said in table],
            "deciding": [said.deciding for said in table],
        }

    @property
    def _said(self) -> list[_Said]:
        table = _table(self.firing)
        return [table[k] for k in self.said_code.tolist()]

    def where(self, rows: np.ndarray) -> Lights:
        """The lights of some rows, by their positions; the counts stay those of all."""
        place = {row: k for k, row in enumerate(rows.tolist())} if self.override_of else {}
        theirs = {place[row]: o for row, o in self.override_of.items() if row in place}
        edges = replace(self.edges, yellow=self.edges.yellow[rows], red=self.edges.red[rows])
        return replace(
            self, level=self.level[rows], base_level=self.base_level[rows],
            held_level=self.held_level[rows], due=self.due[rows], edges=edges,
            firing=self.firing.where(rows), override_of=theirs, sides=self.sides[rows],
        )  # fmt: skip


def sides_in(bits: int) -> tuple[str, ...]:
    """The sides that some bits stand for."""
    return tuple(side for k, side in enumerate(SIDES) if bits >> k & 1)


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
        moment = at or _moment_of(features)
        values = _values(probability, value)
        theirs = overrides or {}
        there = np.flatnonzero([customer in theirs for customer in features.customer_id.tolist()])
        return self.lit(
            probability,
            values,
            features.customer_id,
            self.firing(probability, features, values, moment),
            sides_unknown(features),
            features.spec,
            before=before,
            overrides={int(k): theirs[features.customer_id[k]] for k in there},
        )

    def in_force(self, at: Cutoff | None) -> tuple[Rule, ...]:
        """The rules in force at a moment; without one all."""
        return tuple(rule for rule in self.rules if at is None or rule.in_force(at))

    def firing(
        self, probability: np.ndarray, features: Features, value: np.ndarray, at: Cutoff | None
    ) -> Firing:
        """Which rules fire for some rows; each row by itself.

        Parameters are those of `assign`.
        """
        rules = self.in_force(at)
        known = {"churn_probability": probability, "value_at_risk": value}
        return Firing.of(rules, [r.fires(features, known) for r in rules], len(features))

    def lit(
        self,
        probability: np.ndarray,
        value: np.ndarray,
        customer: np.ndarray,
        firing: Firing,
        sides: np.ndarray,
        spec: FeatureSpec,
        *,
        before: Memory | None = None,
        overrides: Mapping[int, Override],
        among: Among | None = None,
    ) -> Lights:
        """The lights of all rows together, from what is known of each.

        Parameters
        ----------
        probability, value, customer
            Churn probability, value at risk (NaN where unknown) and id of each row.
        firing, sides
            What `firing` and `sides_unknown` told of the rows.
        spec
            What the features were made from.
        before
            What the run before left; nothing by default.
        overrides
            Row → the override that holds.
        among
            What is known of all customers, where these are only some of them.
        """
        edges = self.policy.edges(probability, value, customer, among)
        base = edges.levels(probability)
        memory = before or Memory.none(len(base))
        held, due = self.hysteresis.held(base, probability, edges, memory)
        after = np.array([said.level for said in _table(firing)], dtype=np.int8)
        level = after[firing.code * len(LIGHTS) + held]
        for row, override in overrides.items():
            level[row] = level_of(override.light)
        silent = silent_rules(firing.rules, spec)
        return Lights(
            level=level,
            base_level=base.astype(np.int8),
            held_level=held.astype(np.int8),
            due=due,
            edges=edges,
            firing=firing,
            override_of=overrides,
            counts=tuple(replace(c, speaks=c.name not in silent) for c in _counts(firing, held)),
            sides=sides,
            warnings=edges.warnings,
        )

    def _edges(
        self, probability: np.ndarray, value: np.ndarray | None, customer: np.ndarray
    ) -> Edges:
        return self.policy.edges(probability, _values(probability, value), customer)


def _table(firing: Firing) -> list[_Said]:
    """What the rules say of each combination of them at each level, in this order."""
    return [
        _spoken(firing.rules, fires.tolist(), held)
        for fires in firing.combinations
        for held in range(len(LIGHTS))
    ]


def _spoken(rules: Sequence[Rule], fires: Sequence[bool], held: int) -> _Said:
    """What rules make of a level, and how they tell it."""
    level, told = held, []
    fired = [rule for rule, speaks in zip(rules, fires, strict=True) if speaks]
    for rule in fired:
        after = _after(rule, level)
        told.append(_told(rule, level, after))
        level = after
    return _Said(level, tuple(told), tuple(rule.name for rule in fired), _deciding(fired, level))


def _after(rule: Rule, level: int) -> int:
    return int(rule.applied(np.array(level)))


def _deciding(fired: Sequence[Rule], level: int) -> str:
    """The last rule that lifts to, or sets, the level that is left."""
    asked = [r.name for r in fired if r.effect != "at_most" and level_of(r.light) == level]
    return asked[-1] if asked else ""


def _counts(firing: Firing, held: np.ndarray) -> list[RuleCount]:
    """What each rule did."""
    cells = len(firing.combinations) * len(LIGHTS)
    rows = np.bincount(firing.code * len(LIGHTS) + held, minlength=cells).reshape(-1, len(LIGHTS))
    did = np.zeros((len(firing.rules), 3), dtype=np.int64)  # fired, lifted, lowered
    for fires, each in zip(firing.combinations, rows, strict=True):
        for start, customers in enumerate(each.tolist()):
            level = start
            for k in np.flatnonzero(fires):
                after = _after(firing.rules[k], level)
                did[k] += np.array([1, after > level, after < level]) * customers
                level = after
    return [
        RuleCount(rule.name, rule.says, int(fired), int(lifted), int(lowered))
        for rule, (fired, lifted, lowered) in zip(firing.rules, did, strict=True)
    ]


def _told(rule: Rule, before: int, after: int) -> str:
    return rule.says if before == after else f"{rule.says}: {LIGHTS[before]} → {LIGHTS[after]}"


def _moment_of(features: Features) -> Cutoff | None:
    moments = np.unique(features.cutoff)
    return Cutoff(int(moments[0]), features.zone) if len(moments) == 1 else None


def _values(probability: np.ndarray, value: np.ndarray | None) -> np.ndarray:
    return np.full(len(probability), np.nan) if value is None else value


def sides_unknown(features: Features) -> np.ndarray:
    """Which of `SIDES` are unknown of each row, as bits (see `Lights`), uint8."""
    bits = np.zeros(len(features), dtype=np.uint8)
    for k, names in enumerate(SIDES.values()):
        missing = np.logical_and.reduce([np.isnan(features.column(name)) for name in names])
        bits |= np.uint8(1 << k) * missing.astype(np.uint8)
    return bits


def realised(light: np.ndarray, churned: np.ndarray) -> dict[str, Interval]:
    """Colour → share of its customers that churned, with its 95 % Wilson interval."""
    return {
        colour: proportion(int(churned[light == colour].sum()), int((light == colour).sum()))
        for colour in LIGHTS
    }
