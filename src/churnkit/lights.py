"""Traffic lights: a colour for every probability, lifted or lowered by rules people understand.

● green: content and unlikely to leave. ▲ yellow: a possible problem, not yet solved but not
critical. ■ red: likely to leave, has complained or said it is unhappy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from churnkit.errors import ConfigError
from churnkit.features import Features
from churnkit.metrics import Interval, proportion

Light = Literal["green", "yellow", "red"]

LIGHTS: tuple[Light, ...] = ("green", "yellow", "red")
"""From content to leaving."""

SHAPES: Mapping[str, str] = {"green": "●", "yellow": "▲", "red": "■"}
"""A shape for each colour, for those who cannot tell colours apart."""

_COMPARISONS: Mapping[str, Callable[[np.ndarray, float], np.ndarray]] = {
    ">=": np.greater_equal,
    ">": np.greater,
    "<=": np.less_equal,
    "<": np.less,
}


@dataclass(frozen=True)
class Condition:
    """A feature compared with a number; a missing feature never meets it."""

    feature: str
    comparison: str
    value: float

    def holds(self, features: Features) -> np.ndarray:
        """Boolean mask of the rows that meet the condition."""
        met = _COMPARISONS[self.comparison](features.column(self.feature), self.value)
        return np.asarray(met)


@dataclass(frozen=True)
class Rule:
    """Lifts a customer to at least a colour when all its conditions hold."""

    name: str
    says: str
    at_least: Light
    conditions: tuple[Condition, ...]

    def fires(self, features: Features) -> np.ndarray:
        """Boolean mask of the rows for which the rule fires."""
        return np.logical_and.reduce([c.holds(features) for c in self.conditions])


RULES: tuple[Rule, ...] = (
    Rule(
        "silent_30d",
        "no activity for 30 days",
        "yellow",
        (Condition("days_since_activity", ">=", 30),),
    ),
    Rule(
        "own_interval",
        "later than its own normal buying interval",
        "yellow",
        (Condition("overdue_own_ratio", ">", 1),),
    ),
    Rule(
        "detractor",
        "answered as a detractor in the last 180 days",
        "yellow",
        (Condition("nps_class", "<=", -1), Condition("days_since_nps", "<=", 180)),
    ),
    Rule("unresolved_ticket", "unresolved ticket", "yellow", (Condition("tickets_open", ">", 0),)),
    Rule(
        "failed_payment",
        "failed payment",
        "yellow",
        (Condition("payments_failed_open", ">", 0),),
    ),
    Rule("open_complaint", "open complaint", "red", (Condition("complaints_open", ">", 0),)),
)
"""The built-in rules, weakest first; later ones see the colour that earlier ones left."""

RULE_NAMES = tuple(rule.name for rule in RULES)


@dataclass(frozen=True)
class Policy:
    """Fixed thresholds on the probability, and the rules that are on.

    Attributes
    ----------
    yellow, red
        Lower edges, inclusive: red from ``red`` on, yellow from ``yellow`` on, else green.
    rules
        Applied in order after the thresholds.

    Raises
    ------
    ConfigError
        If the edges are not 0 < yellow < red < 1.
    """

    yellow: float = 0.4
    red: float = 0.7
    rules: tuple[Rule, ...] = field(default=RULES)

    def __post_init__(self) -> None:
        if not 0 < self.yellow < self.red < 1:
            raise ConfigError(
                f"the thresholds yellow = {self.yellow} and red = {self.red} are out of order",
                "Set 0 < yellow < red < 1 in [lights].",
            )

    def base(self, probability: np.ndarray) -> np.ndarray:
        """Level of each probability by the thresholds alone: 0 green, 1 yellow, 2 red."""
        return np.searchsorted([self.yellow, self.red], probability, side="right")


@dataclass(frozen=True)
class Lights:
    """The lights of some customers and how they came about.

    Attributes
    ----------
    light
        Colour of each row.
    base
        Colour by probability alone.
    rules
        For each row the rules that fired, with the change of colour where they made one,
        for example ``"open complaint: yellow → red"``.
    """

    light: np.ndarray
    base: np.ndarray
    rules: list[list[str]]


def assign(probability: np.ndarray, features: Features, policy: Policy | None = None) -> Lights:
    """The light of each row.

    Parameters
    ----------
    probability
        Churn probability of each row, shape (rows,).
    features
        Feature table with the same rows; the rules read it.
    policy
        Thresholds and rules.
    """
    chosen = policy or Policy()
    names = np.array(LIGHTS, dtype=object)
    base = level = chosen.base(probability)
    fired: list[list[str]] = [[] for _ in probability]
    for rule in chosen.rules:
        fires = rule.fires(features)
        lifted = np.where(fires, np.maximum(level, LIGHTS.index(rule.at_least)), level)
        for row in np.flatnonzero(fires):
            fired[row].append(_told(rule, names[level[row]], names[lifted[row]]))
        level = lifted
    return Lights(names[level], names[base], fired)


def _told(rule: Rule, before: str, after: str) -> str:
    return rule.says if before == after else f"{rule.says}: {before} → {after}"


def realised(lights: Lights, churned: np.ndarray) -> dict[str, Interval]:
    """Colour → share of its customers that churned, with its 95 % Wilson interval."""
    return {
        light: proportion(
            int(churned[lights.light == light].sum()), int((lights.light == light).sum())
        )
        for light in LIGHTS
    }
