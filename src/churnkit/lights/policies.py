"""Policies: from where on a customer is yellow, and from where on red.

A policy gives every customer two edges on its churn probability, lower edges inclusive: red from
the red edge on, yellow from the yellow edge on, else green. What follows (hysteresis, what a
change came from) is then the same whatever the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, sqrt
from typing import Any, ClassVar, Protocol

import numpy as np

from churnkit.errors import ConfigError
from churnkit.lights.evidence import GRID, Everyone, Evidence, Past
from churnkit.lights.priority import ranking, worth
from churnkit.profit import Money

NEVER = float("inf")
"""An edge that no probability reaches."""

LEAST_IN_BAND = 50
"""Customers of a test that a promise is tried on first; fewer prove little of either side."""

_PLAUSIBLE_ERRORS = 4.0


@dataclass(frozen=True)
class Edges:
    """The lower edges of every customer.

    Attributes
    ----------
    yellow, red
        On the churn probability, shape (rows,); infinite where the colour is never reached.
    warnings
        Sentences that belong beside the lights.
    """

    yellow: np.ndarray
    red: np.ndarray
    warnings: tuple[str, ...] = ()

    @classmethod
    def same(cls, rows: int, yellow: float, red: float, warnings: Sequence[str] = ()) -> Edges:
        """The same edges for all."""
        # Read-only, and without memory of their own.
        yellows, reds = (np.broadcast_to(np.float64(edge), rows) for edge in (yellow, red))
        return cls(yellows, reds, tuple(warnings))

    def levels(self, probability: np.ndarray) -> np.ndarray:
        """0 green, 1 yellow, 2 red of each row."""
        reds = probability >= self.red
        return np.where(reds, 2, (probability >= self.yellow).astype(np.int64))


@dataclass(frozen=True)
class Reached:
    """Whom the calls of a week reach, see `Capacity`.

    Attributes
    ----------
    candidates
        How many customers are from the yellow edge on.
    last
        Probability, weight and id (or row) of the last one who is called; ``None`` where there is
        time for more than there are candidates.
    """

    candidates: int
    last: tuple[float, float, Any] | None


@dataclass(frozen=True)
class Among:
    """What edges follow from beside a customer's own numbers: what is known of all customers.

    Attributes
    ----------
    everyone
        Their counts and sums.
    reached
        Whom calls reach; ``None`` where the policy does not ask.
    """

    everyone: Everyone
    reached: Reached | None = None


class Policy(Protocol):
    """What gives the edges."""

    name: ClassVar[str]

    @property
    def says(self) -> str:
        """The policy with its settings, in words; the same words are the same policy."""
        ...

    def fit(self, evidence: Evidence) -> Policy:
        """The policy after it has looked at earlier tests; most need not."""
        ...

    def edges(
        self,
        probability: np.ndarray,
        value: np.ndarray,
        customer: np.ndarray,
        among: Among | None = None,
    ) -> Edges:
        """The edges of customers that are scored together.

        Parameters
        ----------
        probability
            Churn probability of each.
        value
            Value at risk of each, NaN where unknown.
        customer
            Its id, which decides where all else is equal.
        among
            What is known of all customers, where these are only some of them.
        """
        ...


def require_order(yellow: float, red: float, where: str) -> None:
    """Refuse edges that are not 0 < yellow < red < 1.

    Raises
    ------
    ConfigError
        If they are not.
    """
    if not 0 < yellow < red < 1:
        raise ConfigError(
            f"the thresholds yellow = {yellow} and red = {red} are out of order",
            f"Set 0 < yellow < red < 1 in {where}.",
        )


@dataclass(frozen=True)
class Fixed:
    """The same edges for everybody, whoever chose them.

    Raises
    ------
    ConfigError
        If the edges are not 0 < yellow < red < 1.
    """

    yellow: float = 0.4
    red: float = 0.7
    name: ClassVar[str] = "fixed"

    def __post_init__(self) -> None:
        require_order(self.yellow, self.red, "[lights]")

    @property
    def says(self) -> str:
        """The edges in words."""
        return f"fixed: red from {self.red:g}, yellow from {self.yellow:g}"

    def fit(self, evidence: Evidence) -> Fixed:
        """Itself."""
        del evidence
        return self

    def edges(
        self,
        probability: np.ndarray,
        value: np.ndarray,
        customer: np.ndarray,
        among: Among | None = None,
    ) -> Edges:
        """Two numbers for all."""
        del value, customer, among
        return Edges.same(len(probability), self.yellow, self.red)


@dataclass(frozen=True)
class Capacity:
    """Red are as many as can be called in a week: the first by probability × value at risk.

    Only customers from the yellow edge on are candidates; those who are left are yellow. Without
    any value the probability alone decides; an unknown value among known ones counts as zero.

    Attributes
    ----------
    calls_per_week
        How many, at least 1.
    yellow
        The lower edge of yellow, inside (0, 1).

    Raises
    ------
    ConfigError
        If nobody can be called, or the edge is no probability.
    """

    calls_per_week: int = 100
    yellow: float = 0.4
    name: ClassVar[str] = "capacity"

    def __post_init__(self) -> None:
        if self.calls_per_week < 1:
            raise ConfigError(
                f"{self.calls_per_week} calls a week: nobody could be called",
                "Set per_week in [calls] to 1 or more, or take another policy.",
            )
        if not 0 < self.yellow < 1:
            raise ConfigError(
                f"yellow = {self.yellow} in [lights] is no probability inside (0, 1)",
                "Set it to, say, 0.4.",
            )

    @property
    def says(self) -> str:
        """The capacity in words."""
        return (
            f"capacity: red are the first {self.calls_per_week:,} by probability × value at risk, "
            f"yellow the others from {self.yellow:g}"
        )

    def fit(self, evidence: Evidence) -> Capacity:
        """Itself."""
        del evidence
        return self

    def edges(
        self,
        probability: np.ndarray,
        value: np.ndarray,
        customer: np.ndarray,
        among: Among | None = None,
    ) -> Edges:
        """The red edge of each is where its weight would equal that of the last who is called."""
        is_known = None if among is None else among.everyone.valued > 0
        weight = worth(value, is_known)
        reached = None if among is None else among.reached
        if reached is None:
            reached = self._reached(probability, value, weight, customer)
        candidate = probability >= self.yellow
        if reached.last is not None:
            p, last_weight, _ = reached.last
            with np.errstate(divide="ignore", invalid="ignore"):
                red = p * last_weight / weight
            red = np.where(np.isnan(red), NEVER, np.maximum(red, self.yellow))
            # Of equals only the first are called.
            red = np.maximum(red, np.nextafter(probability, 2))
            chosen = candidate & _up_to(probability, weight, customer, reached.last)
        else:
            red = np.full(len(probability), self.yellow if reached.candidates else NEVER)
            chosen = candidate
        red[chosen] = np.minimum(red[chosen], probability[chosen])
        return Edges(np.full(len(probability), self.yellow), red)

    def _reached(
        self, probability: np.ndarray, value: np.ndarray, weight: np.ndarray, customer: np.ndarray
    ) -> Reached:
        order = ranking(probability, value, customer)
        candidates = order[probability[order] >= self.yellow]
        if len(candidates) < self.calls_per_week:
            return Reached(len(candidates), None)
        last = candidates[self.calls_per_week - 1]
        told = float(probability[last]), float(weight[last]), customer[last]
        return Reached(len(candidates), told)


def _up_to(
    probability: np.ndarray,
    weight: np.ndarray,
    customer: np.ndarray,
    last: tuple[float, float, Any],
) -> np.ndarray:
    """Whether each row comes no later than the last one, in the order of `ranking`."""
    p, last_weight, who = last
    first, then = probability * weight, p * last_weight
    tied = (probability > p) | ((probability == p) & np.asarray(customer <= who, dtype=bool))
    return np.asarray((first > then) | ((first == then) & tied))


@dataclass(frozen=True)
class Cost:
    """Red where a contact with an offer pays, yellow where it would at a higher risk.

    It pays when p > (d + f) / (γ(V − d) + d): f costs the contact, d the offer, γ is the share of
    leavers who accept it and V what the customer is worth; see `churnkit.profit`. Where it just
    breaks even the customer is red.

    Attributes
    ----------
    money
        f, d, γ, and V where the value of a customer is not known.
    yellow_share
        Yellow from this share of the red edge on, inside (0, 1).

    Raises
    ------
    ConfigError
        If the share is not inside (0, 1).
    """

    money: Money = field(default_factory=Money)
    yellow_share: float = 0.5
    name: ClassVar[str] = "cost"

    def __post_init__(self) -> None:
        if not 0 < self.yellow_share < 1:
            raise ConfigError(
                f"yellow_share = {self.yellow_share} in [lights] is no share inside (0, 1)",
                "Write half of the red edge as 0.5.",
            )

    @property
    def says(self) -> str:
        """The amounts in words."""
        return (
            f"cost: red where a contact pays ({self.money.rule} where the value is not known), "
            f"yellow from {self.yellow_share:.0%} of that"
        )

    def fit(self, evidence: Evidence) -> Cost:
        """Itself."""
        del evidence
        return self

    def edges(
        self,
        probability: np.ndarray,
        value: np.ndarray,
        customer: np.ndarray,
        among: Among | None = None,
    ) -> Edges:
        """Each customer has the edges of its own value."""
        del probability, customer, among
        m = self.money
        worth = np.where(np.isnan(value), m.value, value)
        gain = m.acceptance * (worth - m.offer_cost) + m.offer_cost
        pays = (worth > m.offer_cost) & (gain > 0)
        red = np.where(pays, m.wasted / np.where(pays, gain, 1.0), NEVER)
        return Edges(self.yellow_share * red, red)


@dataclass(frozen=True)
class Promise:
    """Red keeps a promise: of its customers at least so many churn; of green at most so many.

    The red edge is the lowest one such that in *every* earlier test the realised churn at or above
    it is at least ``red_churns``, each with the confidence, by the exact one-sided binomial bound
    (Clopper and Pearson 1934). Edges are tried from the highest down and the search ends at the
    first that fails: fixed-sequence testing, which keeps the chance of a false promise below
    1 − confidence though many edges are tried (Angelopoulos, Bates, Candès, Jordan and Lei, Learn
    then Test, 2021). Green is found likewise, from the lowest edge up.

    It assumes that within a test customers churn independently of each other given their scores,
    and that the time ahead is like one of the tests. Where the base rate leaves what the tests have
    seen, it warns.

    Attributes
    ----------
    red_churns, green_churns
        The promised shares: at least of red, at most of green.
    confidence
        In [.75, 1): below, the bound is none for customers of unlike risk.
    evidence
        The earlier tests; given by `fit`.

    Raises
    ------
    ConfigError
        If not 0 < green_churns < red_churns < 1, or the confidence is out of its range.
    """

    red_churns: float = 0.7
    green_churns: float = 0.1
    confidence: float = 0.95
    evidence: Evidence | None = None
    name: ClassVar[str] = "promise"

    def __post_init__(self) -> None:
        if not 0 < self.green_churns < self.red_churns < 1:
            raise ConfigError(
                f"the promises green_churns = {self.green_churns} and red_churns = "
                f"{self.red_churns} are out of order",
                "Set 0 < green_churns < red_churns < 1 in [lights].",
            )
        if not 0.75 <= self.confidence < 1:
            raise ConfigError(
                f"confidence = {self.confidence} in [lights] is not in [0.75, 1)",
                "The usual one is 0.95.",
            )

    @property
    def says(self) -> str:
        """The promise in words."""
        return (
            f"promise: at least {self.red_churns:.0%} of red churn and at most "
            f"{self.green_churns:.0%} of green, with {self.confidence:.0%} confidence"
        )

    def fit(self, evidence: Evidence) -> Promise:
        """The policy with the tests it is founded on."""
        return Promise(self.red_churns, self.green_churns, self.confidence, evidence)

    def edges(
        self,
        probability: np.ndarray,
        value: np.ndarray,
        customer: np.ndarray,
        among: Among | None = None,
    ) -> Edges:
        """Two numbers for all, and a warning where a promise cannot be made or may not hold."""
        del value, customer
        everyone = Everyone.of(probability) if among is None else among.everyone
        reds, greens = self.red(everyone), self.green(everyone)
        red = NEVER if reds.edge is None else reds.edge
        yellow = 0.0 if greens.edge is None else greens.edge
        told = (
            self._cannot("red", f"at least {self.red_churns:.0%}", reds),
            self._cannot("green", f"at most {self.green_churns:.0%}", greens),
            self._moved(everyone),
        )
        warnings = [said for said in told if said]
        return Edges.same(len(probability), min(yellow, red), red, warnings)

    def red(self, everyone: Everyone) -> Bound:
        """The lower edge of red, for customers who are scored together."""
        tests = self._tests
        n, now = everyone.reach, everyone.expected
        bands = [(t.reached_churned, t.reached_expected, t.reach) for t in tests]
        worst = _worst(bands, now, n, self.confidence)
        tried = np.flatnonzero(~np.isnan(worst))[::-1]
        return Bound.of(tried, worst, worst >= self.red_churns, floor)

    def green(self, everyone: Everyone) -> Bound:
        """The edge below which all are green, the lower edge of yellow."""
        # Of green the customers who stay are counted, so that one bound serves both.
        n = everyone.customers - everyone.reach
        now = n - (everyone.total - everyone.expected)
        bands = []
        for t in self._tests:
            below = t.customers - t.reach
            stayed = below - (t.churned - t.reached_churned)
            bands.append((stayed, below - (t.expected - t.reached_expected), below))
        worst = 1 - _worst(bands, now, n, self.confidence)
        tried = np.flatnonzero(~np.isnan(worst))
        return Bound.of(tried, worst, worst <= self.green_churns, ceil)

    @property
    def _tests(self) -> tuple[Past, ...]:
        return self.evidence.tests if self.evidence is not None else ()

    def _cannot(self, light: str, promised: str, found: Bound) -> str:
        if found.edge is not None:
            return ""
        why = (
            "there is no earlier test whose outcome is known"
            if not self._tests
            else f"every earlier test has fewer than {LEAST_IN_BAND} customers to try it on"
            if found.could is None
            else f"what could be promised is {found.could:.0%}"
        )
        return f"the policy makes nobody {light}: that {promised} churn cannot be promised; {why}"

    def _moved(self, everyone: Everyone) -> str:
        rates = self.evidence.base_rates if self.evidence is not None else []
        if not rates or not everyone.customers:
            return ""
        now = everyone.total / everyone.customers
        least = min(test.customers for test in self._tests if test.customers)
        noise = _PLAUSIBLE_ERRORS * sqrt(0.25 * (1 / least + 1 / everyone.customers))
        if not min(rates) - noise <= now <= max(rates) + noise:
            return (
                f"the base rate moves: {now:.0%} are expected to churn, and in the tests that the "
                f"promise is founded on {_span(rates)} did; it may not hold"
            )
        if max(rates) - min(rates) > noise:
            return (
                f"the base rate moves: in the tests that the promise is founded on {_span(rates)} "
                "churned; it may not hold"
            )
        return ""


@dataclass(frozen=True)
class Bound:
    """An edge that keeps a promise, if there is one.

    Attributes
    ----------
    edge
        The edge, a value of `GRID`; ``None`` if the promise cannot be made.
    could
        The share that could be promised of the narrowest band; ``None`` if nothing can.
    """

    edge: float | None
    could: float | None

    @classmethod
    def of(
        cls,
        tried: np.ndarray,
        worst: np.ndarray,
        kept: np.ndarray,
        whole: Callable[[float], int],
    ) -> Bound:
        """Of the edges in the order in which they are tried: the last before the first failure."""
        if not len(tried):
            return cls(None, None)
        passed = np.logical_and.accumulate(kept[tried])
        edge = float(GRID[tried[passed][-1]]) if passed[0] else None
        return cls(edge, min(max(whole(100 * float(worst[tried[0]])) / 100, 0.0), 1.0))


def _lower(successes: np.ndarray, n: np.ndarray, confidence: float) -> np.ndarray:
    """Exact lower confidence bound of a share (Clopper and Pearson 1934); 0 without successes."""
    from scipy.stats import beta

    with np.errstate(invalid="ignore"):
        bound = beta.ppf(1 - confidence, successes, n - successes + 1)
    return np.where(successes > 0, bound, 0.0)


def _worst(
    bands: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    expected: np.ndarray,
    n: np.ndarray,
    confidence: float,
) -> np.ndarray:
    """The lowest share that any test allows to promise, for each edge.

    NaN at edges that some test, or the customers at hand, has too few for.

    Parameters
    ----------
    bands
        Of each test: how many had it, how many were expected to, and of how many.
    expected, n
        How many of the customers at hand are expected to have it, and of how many.
    """
    if not bands:
        return np.full(len(GRID), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        now, worst = expected / n, np.full(len(GRID), np.inf)
        for had, foreseen, of in bands:
            bound = _lower(had, of, confidence)
            shifted = now + np.minimum(bound - foreseen / of, 0.0)
            worst = np.minimum(worst, np.minimum(bound, shifted))
            worst[of < LEAST_IN_BAND] = np.nan
    return np.where(n > 0, worst, np.nan)


def _span(rates: Sequence[float]) -> str:
    low, high = f"{min(rates):.0%}", f"{max(rates):.0%}"
    return low if low == high else f"{low} to {high}"
