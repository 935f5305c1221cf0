"""Rules: conditions that people understand, which lift, lower or set a colour.

Rules are data. A condition compares one feature with one number or one name; there is no other
language in it. The rules apply in the order in which they stand, each to what the one before it
left, so that the last word counts; see `contradiction` for orders that make no sense.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import inf
from typing import Any, Literal

import numpy as np

from churnkit.clock import Cutoff
from churnkit.errors import ConfigError, did_you_mean
from churnkit.features import Features, FeatureSpec
from churnkit.lights.colours import LIGHTS, Light, level_of

Effect = Literal["at_least", "at_most", "set"]

EFFECTS: tuple[Effect, ...] = ("at_least", "at_most", "set")

SCORES = ("churn_probability", "value_at_risk")
"""What a condition may look at beside the features."""

_COMPARISONS: Mapping[str, Callable[..., Any]] = {
    ">=": np.greater_equal,
    ">": np.greater,
    "<=": np.less_equal,
    "<": np.less,
    "==": np.equal,
    "!=": np.not_equal,
}
_LONGEST = 500  # signs of a condition
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_COMPARED = re.compile(
    rf"\s*(?P<feature>\S+)\s+(?P<comparison>>=|<=|==|!=|>|<)\s+"
    rf"(?:(?P<number>{_NUMBER})|'(?P<quoted>[^']*)'|\"(?P<doubly>[^\"]*)\")\s*"
)
_KNOWN = re.compile(r"\s*(?P<feature>\S+)\s+is\s+(?P<state>known|unknown)\s*")


@dataclass(frozen=True)
class Condition:
    """A feature compared with a number or with the name of a category, or known or not.

    A missing feature meets no comparison, not even ``!=``.

    Attributes
    ----------
    feature
        Name of a feature, or one of `SCORES`.
    comparison
        One of >=, >, <=, <, ==, !=; or ``is``.
    value
        A number, the name of a category (with == and != only), or after ``is`` one of ``known``
        and ``unknown``.
    """

    feature: str
    comparison: str
    value: float | str

    @classmethod
    def parse(cls, text: str) -> Condition:
        """The condition of a text such as ``recency >= 60``, ``segment == 'trade'`` or
        ``nps_last is unknown``.

        Raises
        ------
        ConfigError
            If it is none.
        """
        if len(text) > _LONGEST:
            raise ConfigError(
                f"{text[:40]!r} … is no condition: it has {len(text):,} signs",
                "Write each condition on its own, such as recency >= 60.",
            )
        state = _KNOWN.fullmatch(text)
        if state:
            return cls(state["feature"], "is", state["state"])
        found = _COMPARED.fullmatch(text)
        is_name = found is not None and found["number"] is None
        if found is None or (is_name and found["comparison"] not in ("==", "!=")):
            raise ConfigError(
                f"{text!r} is no condition",
                "Write a feature, a comparison and a number, with spaces between them, such as "
                "recency >= 60; a category as segment == 'trade'; or nps_last is unknown.",
            )
        if is_name:
            name = found["quoted"] or found["doubly"] or ""
            return cls(found["feature"], found["comparison"], name)
        return cls(found["feature"], found["comparison"], float(found["number"]))

    def __str__(self) -> str:
        """The text that `parse` reads."""
        is_name = isinstance(self.value, str) and self.comparison != "is"
        shown = repr(self.value) if is_name else self.value
        return f"{self.feature} {self.comparison} {shown:{'' if isinstance(shown, str) else 'g'}}"

    def holds(
        self, features: Features, scores: Mapping[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """Boolean mask of the rows that meet the condition.

        Parameters
        ----------
        features
            The feature table.
        scores
            What is known beside it, by the names of `SCORES`.
        """
        beside = scores or {}
        values = beside.get(self.feature)
        if values is None:
            values = features.column(self.feature)
        if self.comparison == "is":
            return np.asarray(np.isnan(values) == (self.value == "unknown"))
        compare = _COMPARISONS[self.comparison]
        if isinstance(self.value, str):
            if self.feature not in features.columns:
                return np.zeros(len(features), dtype=bool)
            names = features.class_of(self.feature)
            known = np.array([name is not None for name in names], dtype=bool)
            return known & np.asarray(compare(names, self.value), dtype=bool)
        return ~np.isnan(values) & np.asarray(compare(values, self.value))

    @property
    def span(self) -> _Span:
        """The values that meet it."""
        if isinstance(self.value, str):
            return _Span(names=frozenset({f"{self.comparison} {self.value}"}))
        low, high = -inf, inf
        if self.comparison in (">=", ">", "=="):
            low = self.value
        if self.comparison in ("<=", "<", "=="):
            high = self.value
        holes = frozenset({self.value}) if self.comparison in (">", "<", "!=") else frozenset()
        return _Span(low, high, holes)


@dataclass(frozen=True)
class _Span:
    """Values between two ends, but for some; or what is told of a name."""

    low: float = -inf
    high: float = inf
    holes: frozenset[float] = frozenset()
    names: frozenset[str] = frozenset()

    def met(self, other: _Span) -> _Span:
        """What lies in both."""
        return _Span(
            max(self.low, other.low),
            min(self.high, other.high),
            self.holes | other.holes,
            self.names | other.names,
        )

    @property
    def empty(self) -> bool:
        """Whether no value lies in it."""
        equal = {name for name in self.names if name.startswith("== ")}
        unequal = {name.removeprefix("!= ") for name in self.names if name.startswith("!= ")}
        clash = len(equal) > 1 or {name.removeprefix("== ") for name in equal} & unequal
        bounded = (self.low, self.high) != (-inf, inf) or bool(self.holes)
        both = "is unknown" in self.names and (bounded or len(self.names) > 1)
        point = self.low == self.high and self.low in self.holes
        return self.low > self.high or point or bool(clash) or both

    def inside(self, other: _Span) -> bool:
        """Whether every value of this one lies in the other."""
        holes = all(h in self.holes or not self.low <= h <= self.high for h in other.holes)
        within = other.low <= self.low and self.high <= other.high and holes
        # Whatever is compared is known.
        implied = self.names if "is unknown" in self.names else {*self.names, "is known"}
        return within and other.names <= implied


@dataclass(frozen=True)
class Rule:
    """Changes the colour of every customer who meets all its conditions.

    Attributes
    ----------
    name
        Names it in settings, counts and playbooks.
    says
        The reason that people read.
    light
        The colour it is about.
    conditions
        All must hold.
    effect
        ``at_least`` lifts to the colour, ``at_most`` lowers to it, ``set`` does either.
    start, end
        First and last day on which it applies; without one there is no such end.
    """

    name: str
    says: str
    light: Light
    conditions: tuple[Condition, ...]
    effect: Effect = "at_least"
    start: date | None = None
    end: date | None = None

    def fires(
        self, features: Features, scores: Mapping[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """Boolean mask of the rows for which the rule fires."""
        return np.logical_and.reduce([c.holds(features, scores) for c in self.conditions])

    def applied(self, levels: np.ndarray) -> np.ndarray:
        """What becomes of some levels where it fires."""
        level = level_of(self.light)
        if self.effect == "at_least":
            return np.maximum(levels, level)
        return (
            np.minimum(levels, level) if self.effect == "at_most" else np.full_like(levels, level)
        )

    def in_force(self, at: Cutoff) -> bool:
        """Whether it applies on the local day of a cutoff."""
        day = at.local.date()
        return (self.start or day) <= day <= (self.end or day)

    @property
    def outcomes(self) -> frozenset[int]:
        """The levels that may be left where it fires."""
        every = range(len(LIGHTS))
        return frozenset(self.applied(np.array(every)).tolist())

    @property
    def spans(self) -> dict[str, _Span]:
        """The values that meet all conditions, feature by feature."""
        spans: dict[str, _Span] = {}
        for c in self.conditions:
            spans[c.feature] = spans[c.feature].met(c.span) if c.feature in spans else c.span
        return spans


def _when(*conditions: str) -> tuple[Condition, ...]:
    return tuple(Condition.parse(text) for text in conditions)


RULES: tuple[Rule, ...] = (
    Rule("silent_30d", "no activity for 30 days", "yellow", _when("days_since_activity >= 30")),
    Rule(
        "own_interval",
        "later than its own normal buying interval",
        "yellow",
        _when("overdue_own_ratio > 1"),
    ),
    Rule(
        "detractor",
        "answered as a detractor in the last 180 days",
        "yellow",
        _when("nps_class <= -1", "days_since_nps <= 180"),
    ),
    Rule(
        "low_ease",
        "found it hard to get its matter settled in the last 180 days",
        "yellow",
        _when("ces_ease_last <= 0.34", "days_since_ces <= 180"),
    ),
    Rule("unresolved_ticket", "unresolved ticket", "yellow", _when("tickets_open > 0")),
    Rule("failed_payment", "failed payment", "yellow", _when("payments_failed_open > 0")),
    Rule(
        "renewal_due",
        "renewal due within 30 days, and activity has halved",
        "yellow",
        _when("days_to_renewal <= 30", "activity_trend_30d <= -0.33"),
    ),
    Rule("open_complaint", "open complaint", "red", _when("complaints_open > 0")),
)
"""The built-in rules, weakest first; later ones see the colour that earlier ones left."""

RULE_NAMES = tuple(rule.name for rule in RULES)


def require_sound(rules: Sequence[Rule]) -> None:
    """Refuse rules that can never do anything, by themselves or because of a later one.

    Raises
    ------
    ConfigError
        Naming the rule, or both of a contradiction.
    """
    for rule in rules:
        for feature, span in rule.spans.items():
            if span.empty:
                raise ConfigError(
                    f"the rule {rule.name!r} never fires: no {feature} meets all its conditions",
                    "Mend its conditions.",
                )
        if rule.start is not None and rule.end is not None and rule.end < rule.start:
            raise ConfigError(
                f"the rule {rule.name!r} ends on {rule.end}, before it starts on {rule.start}",
                "Mend one of the days.",
            )
    for k, later in enumerate(rules):
        for earlier in rules[:k]:
            if contradiction(earlier, later):
                raise ConfigError(
                    f"the rules {earlier.name!r} and {later.name!r} contradict each other: "
                    f"whenever the first says {_told(earlier)}, the second says {_told(later)}",
                    f"Switch one of them off, narrow the conditions of {later.name!r}, or let "
                    "them apply on different days.",
                )


def contradiction(earlier: Rule, later: Rule) -> bool:
    """Whether a later rule always undoes an earlier one.

    That is so if it fires wherever the earlier one does, on one day at least, and leaves no colour
    that the earlier one could have left. A later rule with *narrower* conditions is an exception,
    and welcome.
    """
    theirs, ours = earlier.spans, later.spans
    covers = all(f in theirs and theirs[f].inside(span) for f, span in ours.items())
    return covers and _on_one_day(earlier, later) and not earlier.outcomes & later.outcomes


def _on_one_day(one: Rule, other: Rule) -> bool:
    starts = [day for day in (one.start, other.start) if day is not None]
    ends = [day for day in (one.end, other.end) if day is not None]
    return not starts or not ends or max(starts) <= min(ends)


def _told(rule: Rule) -> str:
    return f"{rule.effect.replace('_', ' ')} {rule.light}"


def require_features(rules: Sequence[Rule], spec: FeatureSpec) -> None:
    """Refuse rules on features that the logs of a model do not make.

    The built-in rules are excepted: where a log is absent they have nothing to say.

    Raises
    ------
    ConfigError
        Naming the rule and the feature.
    """
    known = [column.name for column in spec.columns()]
    for rule in rules:
        if rule in RULES:
            continue
        for condition in rule.conditions:
            name = condition.feature
            if name not in known and name not in SCORES:
                raise ConfigError(
                    f"the rule {rule.name!r} looks at {name!r}; these logs make no such feature",
                    f"{did_you_mean(name, [*known, *SCORES])}churnkit features list shows them.",
                )
            _require_fitting(rule, condition, spec)


def _require_fitting(rule: Rule, condition: Condition, spec: FeatureSpec) -> None:
    """A name is compared with categories only, a number with anything else."""
    if condition.comparison == "is":
        return
    column = next((c for c in spec.columns() if c.name == condition.feature), None)
    is_category = column is not None and column.is_category
    if is_category == isinstance(condition.value, str):
        return
    names = dict(column.feature.classes).values() if column is not None else ()
    raise ConfigError(
        f"the rule {rule.name!r} says {condition}, and {condition.feature} is "
        f"{'a category' if is_category else 'a number'}",
        f"Compare it with one of {', '.join(map(repr, names))}."
        if is_category
        else "Compare it with a number.",
    )


def silent_rules(rules: Sequence[Rule], spec: FeatureSpec) -> tuple[str, ...]:
    """Names of the rules that cannot speak, since no log tells what they look at."""
    known = {column.name for column in spec.columns()} | set(SCORES)
    return tuple(
        rule.name for rule in rules if any(c.feature not in known for c in rule.conditions)
    )


def merged(built_in: Sequence[Rule], own: Sequence[Rule]) -> tuple[Rule, ...]:
    """The built-in rules, then those of the user; one of a built-in name takes its place.

    Raises
    ------
    ConfigError
        If two rules of the user's have one name.
    """
    names = [rule.name for rule in own]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(
            f"two rules of [[lights.rules]] are called {twice[0]!r}", "Give each its own name."
        )
    by_name = {rule.name: rule for rule in own}
    first = tuple(by_name.pop(rule.name, rule) for rule in built_in)
    return (*first, *by_name.values())
