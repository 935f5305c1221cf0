"""Traffic lights: a colour for every customer, which people understand and can act on."""

from churnkit.lights.colours import LIGHTS, SHAPES, Light, level_of, named
from churnkit.lights.evidence import Evidence, Past
from churnkit.lights.overrides import (
    Override,
    Overrides,
    clear_override,
    read_overrides,
    set_override,
)
from churnkit.lights.policies import Capacity, Cost, Edges, Fixed, Policy, Promise
from churnkit.lights.priority import rank_of, ranking
from churnkit.lights.rules import (
    EFFECTS,
    RULE_NAMES,
    RULES,
    Condition,
    Rule,
    merged,
    require_features,
)
from churnkit.lights.traffic import (
    SIDES,
    Firing,
    Hysteresis,
    Lights,
    Memory,
    RuleCount,
    TrafficLight,
    realised,
    sides_in,
    sides_unknown,
)

__all__ = [
    "EFFECTS",
    "LIGHTS",
    "RULES",
    "RULE_NAMES",
    "SHAPES",
    "SIDES",
    "Capacity",
    "Condition",
    "Cost",
    "Edges",
    "Evidence",
    "Firing",
    "Fixed",
    "Hysteresis",
    "Light",
    "Lights",
    "Memory",
    "Override",
    "Overrides",
    "Past",
    "Policy",
    "Promise",
    "Rule",
    "RuleCount",
    "TrafficLight",
    "clear_override",
    "level_of",
    "merged",
    "named",
    "rank_of",
    "ranking",
    "read_overrides",
    "realised",
    "require_features",
    "set_override",
    "sides_in",
    "sides_unknown",
]
