"""How lights show themselves in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from churnkit.lights.colours import LIGHTS, SHAPES
from churnkit.notebook import Figure, Html, Table, light, panel

if TYPE_CHECKING:
    from churnkit.lights.traffic import Lights


def counted(level: np.ndarray) -> dict[str, int]:
    """Light → how many levels are of it, the worst first."""
    found = np.bincount(level, minlength=len(LIGHTS)).tolist()
    return {name: found[k] for k, name in reversed(list(enumerate(LIGHTS)))}


def chip(name: str) -> Html:
    """A light with its colour, shape and word."""
    return light(name, SHAPES[name])


def lights_table(level: np.ndarray, base: np.ndarray) -> Table:
    """Customers of each light, their share, and how many the policy alone would give it."""
    now, alone = counted(level), counted(base)
    whole = max(len(level), 1)
    rows = [(chip(name), n, Figure(f"{n / whole:.0%}"), alone[name]) for name, n in now.items()]
    return Table(("light", "customers", "share", "by the policy alone"), rows)


def lights_html(lights: Lights) -> str:
    """Customers of each light, from where on, which rules fired, and what to be warned of."""
    facts = {
        "red": _edge(lights.edges.red),
        "yellow": _edge(lights.edges.yellow),
        "overrides": f"{len(lights.override_of):,}" if lights.override_of else None,
    }
    rules = [(c.name, c.says, c.fired, c.lifted, c.lowered) for c in lights.counts if c.fired]
    silent = [count.name for count in lights.counts if not count.speaks]
    notes = [*lights.warnings]
    if silent:
        notes.append(f"These logs tell nothing of what {', '.join(silent)} looks at.")
    tables = [
        lights_table(lights.level, lights.base_level),
        Table(("rule that fired", "says", "customers", "made worse", "made better"), rules),
    ]
    return panel(f"Lights of {len(lights):,} customers", facts, tables, notes)


def _edge(edges: np.ndarray) -> str:
    """From where on a light is given: one edge, or the span of those of all customers."""
    reached = edges[np.isfinite(edges)]
    if not len(reached):
        return "never"
    low, high = float(reached.min()), float(reached.max())
    if low == high and len(reached) == len(edges):
        return f"from a churn probability of {low:.2f}"
    span = f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"
    never = "" if len(reached) == len(edges) else f"; never for {len(edges) - len(reached):,}"
    return f"from a churn probability of {span}, by customer{never}"
