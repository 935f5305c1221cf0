"""What policies would have done: the lights of past weeks, and what came of each colour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from math import isfinite

import numpy as np

from churnkit.lights import LIGHTS, Hysteresis, Lights, Memory, Promise, TrafficLight, level_of
from churnkit.metrics import Interval, clustered
from churnkit.profit import Money
from churnkit.replay.weeks import Week, Weeks


@dataclass(frozen=True)
class Colour:
    """One colour over all weeks.

    Attributes
    ----------
    light
        The colour.
    customers
        Customers of it in a week, on average.
    churned
        Share of them that churned, over all weeks; the interval takes a customer of several weeks
        for one.
    caught
        Share of all churners who had the colour.
    """

    light: str
    customers: float
    churned: Interval
    caught: float


@dataclass(frozen=True)
class Replayed:
    """A traffic light over consecutive weeks.

    Attributes
    ----------
    name
        What it is called beside others.
    light
        The traffic light.
    money
        What a contact costs and may keep.
    weeks
        The weeks, in rising order.
    lights
        Its lights, week by week.
    """

    name: str
    light: TrafficLight
    money: Money
    weeks: tuple[Week, ...]
    lights: tuple[Lights, ...]

    @cached_property
    def colours(self) -> tuple[Colour, ...]:
        """Red, yellow, green."""
        light = np.concatenate([one.light for one in self.lights])
        churned = np.concatenate([week.churned for week in self.weeks])
        customer = np.concatenate([week.customer for week in self.weeks])
        return tuple(
            Colour(
                light=colour,
                customers=float((light == colour).sum() / len(self.weeks)),
                churned=clustered(churned[light == colour], customer[light == colour]),
                caught=_ratio((churned & (light == colour)).sum(), churned.sum()),
            )
            for colour in reversed(LIGHTS)
        )

    def by_week(self) -> list[dict[str, object]]:
        """For each week the customers of each colour, and the share of them that churned."""
        return [
            {
                "cutoff": str(week.cutoff),
                **{c: int((one.light == c).sum()) for c in LIGHTS},
                "churned": {
                    c: _ratio(week.churned[one.light == c].sum(), (one.light == c).sum())
                    for c in LIGHTS
                },
                "edges": [_least(one.edges.yellow), _least(one.edges.red)],
                "warnings": list(one.warnings),
            }
            for week, one in zip(self.weeks, self.lights, strict=True)
        ]

    @property
    def calls_per_week(self) -> float:
        """Red customers who were not red the week before: whom one would have called anew."""
        new = 0
        for (then, earlier), (week, one) in self._pairs():
            known = dict(zip(then.customer.tolist(), earlier.light.tolist(), strict=True))
            red = week.customer[one.light == "red"]
            new += sum(known.get(customer) != "red" for customer in red.tolist())
        return new / max(len(self.weeks) - 1, 1)

    @property
    def profit(self) -> float:
        """Money that calling all red customers of a week would have earned, on average.

        A churner is won back by the acceptance and keeps its value at risk (or the value of the
        settings where that is not known); see `churnkit.profit`.
        """
        m, earned = self.money, 0.0
        for week, one in zip(self.weeks, self.lights, strict=True):
            red = one.light == "red"
            worth = np.where(np.isnan(week.value), m.value, week.value)[red]
            kept = m.acceptance * (worth - m.offer_cost) - m.contact_cost
            earned += float(np.where(week.churned[red], kept, -m.wasted).sum())
        return earned / len(self.weeks)

    @property
    def changed(self) -> float:
        """Share of customers in two consecutive weeks whose colour is another one."""
        seen = differ = 0
        for (then, earlier), (week, one) in self._pairs():
            a, b = _both(then.customer, earlier.light, week.customer, one.light)
            seen, differ = seen + len(a), differ + int((a != b).sum())
        return _ratio(differ, seen)

    @property
    def flicker(self) -> float:
        """Share of customers in three consecutive weeks whose colour went and came back."""
        seen = back = 0
        moments = list(zip(self.weeks, self.lights, strict=True))
        for (w1, l1), (w2, l2), (w3, l3) in zip(moments, moments[1:], moments[2:], strict=False):
            a, b = _both(w1.customer, l1.light, w2.customer, l2.light)
            shared = np.intersect1d(w1.customer, w2.customer)
            c = _of(w3.customer, l3.light, shared)
            there = c != ""
            seen += int(there.sum())
            back += int(((a == c) & (a != b) & there).sum())
        return _ratio(back, seen)

    def rules(self) -> list[dict[str, object]]:
        """For each rule how often it fired, lifted and lowered a colour in a week, on average."""
        n = len(self.weeks)
        return [
            {
                "name": count.name,
                "says": count.says,
                "speaks": count.speaks,
                **{
                    what: sum(getattr(c, what) for one in self.lights for c in one.counts
                              if c.name == count.name) / n
                    for what in ("fired", "lifted", "lowered")
                },
            }
            for count in self.lights[-1].counts
        ]  # fmt: skip

    def promises(self) -> list[dict[str, object]]:
        """Of a promise: for red and green what was promised, and what came of all weeks."""
        policy = self.light.policy
        if not isinstance(policy, Promise):
            return []
        promised = {"red": policy.red_churns, "green": policy.green_churns}
        base = np.concatenate([one.base for one in self.lights])
        churned = np.concatenate([week.churned for week in self.weeks])
        customer = np.concatenate([week.customer for week in self.weeks])
        told = []
        for light, share in promised.items():
            mask = base == light
            found = clustered(churned[mask], customer[mask])
            told.append(
                {
                    "light": light,
                    "promised": share,
                    "realised": found,
                    "customers": int(mask.sum()),
                    "verdict": _kept(light, share, found) if mask.any() else "nobody",
                }
            )
        return told

    def _pairs(self) -> list[tuple[tuple[Week, Lights], tuple[Week, Lights]]]:
        moments = list(zip(self.weeks, self.lights, strict=True))
        return list(pairwise(moments))


def replay(name: str, light: TrafficLight, weeks: Weeks, money: Money) -> Replayed:
    """Let a traffic light go through the weeks, each knowing what was known then.

    Parameters
    ----------
    name
        What it is called.
    light
        Policy, rules and hysteresis. The policy looks at earlier weeks whose outcome was known.
    weeks
        The scorings.
    money
        What a contact costs and may keep.
    """
    lights: list[Lights] = []
    for k, week in enumerate(weeks.shown):
        before = None if k == 0 else _memory(weeks.shown[k - 1], lights[-1], week)
        fitted = light.fit(weeks.evidence(week.cutoff))
        lights.append(fitted.assign(week.probability, week.features, week.value, before=before))
    return Replayed(name, light, money, weeks.shown, tuple(lights))


def without_hysteresis(light: TrafficLight) -> TrafficLight:
    """The same, whose colours get better at once."""
    return replace(light, hysteresis=Hysteresis(0.0, 1))


def _kept(light: str, share: float, found: Interval) -> str:
    """Whether a promise was kept, and if not, whether chance alone may have broken it."""
    short = share - found.value if light == "red" else found.value - share
    if short <= 0:
        return "kept"
    return "within chance" if found.low <= share <= found.high else "broken"


def _memory(then: Week, earlier: Lights, week: Week) -> Memory:
    held = _of(then.customer, earlier.held, week.customer)
    due = dict(zip(then.customer.tolist(), earlier.due.tolist(), strict=True))
    return Memory(
        np.array([level_of(light) if light else -1 for light in held]),
        np.array([due.get(customer, 0) for customer in week.customer.tolist()]),
    )


def _of(customer: np.ndarray, light: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The lights of some customers, empty where they have none."""
    known = dict(zip(customer.tolist(), light.tolist(), strict=True))
    return np.array([known.get(one, "") for one in asked.tolist()], dtype=object)


def _both(
    one: np.ndarray, a: np.ndarray, other: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The lights of the customers of two weeks, in the order of their ids."""
    shared = np.intersect1d(one, other)
    return _of(one, a, shared), _of(other, b, shared)


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")


def _least(edges: np.ndarray) -> float | None:
    """The lowest edge of any customer; ``None`` where nobody can reach it."""
    lowest = float(edges.min()) if len(edges) else float("inf")
    return None if not isfinite(lowest) else lowest
