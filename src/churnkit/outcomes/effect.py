"""The effect of an action from two arms: differences with intervals, and what is still needed.

Every function takes strata, within each of which chance alone made the arms, so that groups with
different shares of control are never pooled as if they were one. They are weighed by
n₁n₀/(n₁ + n₀) (Mantel and Haenszel 1959): with equal shares that is their size.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from churnkit.metrics import Interval

Floats = NDArray[np.float64]

LEVEL, POWER = 0.95, 0.8
"""Coverage of intervals; chance that an effect that is there is found."""

_WIDEST = 40.0  # standard errors: no two-sided p can be told from 0 beyond
_LEAST_REACHED = 0.1  # by so much more of the treated, or an effect per contact is a wild guess


@dataclass(frozen=True)
class Arms:
    """How many customers there were in each arm of each stratum, and how many of them churned.

    All arrays have the shape (strata,), or (strata, trials) for several trials at once.
    """

    treated: Floats
    treated_churned: Floats
    control: Floats
    control_churned: Floats

    @classmethod
    def of(cls, stratum: ArrayLike, treated: ArrayLike, churned: ArrayLike) -> Arms:
        """Counted from one entry per customer; ``stratum`` is a code from 0."""
        codes, arm = np.asarray(stratum), np.asarray(treated, dtype=bool)
        left, strata = np.asarray(churned, dtype=float), int(np.max(codes, initial=-1)) + 1

        def count(mask: NDArray[np.bool_], what: Floats | None = None) -> Floats:
            chosen = None if what is None else what[mask]
            return np.bincount(codes[mask], chosen, strata).astype(float)

        return cls(count(arm), count(arm, left), count(~arm), count(~arm, left))

    @property
    def weight(self) -> Floats:
        """Mantel–Haenszel weights that sum to 1; a stratum that lacks an arm has none.

        All NaN if every stratum lacks one.
        """
        total = self.treated + self.control
        both = self.treated * self.control
        raw = np.divide(both, total, where=total > 0, out=np.zeros_like(total))
        whole = raw.sum(axis=0)
        return np.asarray(np.divide(raw, whole, where=whole > 0, out=np.full_like(raw, np.nan)))

    def rates(self) -> tuple[float, float]:
        """Churn of treated and of control, over the strata by their weights."""
        treated, control = (float(np.nansum(self.weight * r)) for r in self._shares())
        return treated, control

    def _shares(self) -> tuple[Floats, Floats]:
        return (
            _share(self.treated_churned, self.treated),
            _share(self.control_churned, self.control),
        )


def _share(part: Floats, whole: Floats) -> Floats:
    return np.asarray(np.divide(part, whole, where=whole > 0, out=np.full(whole.shape, np.nan)))


def difference(arms: Arms, level: float = LEVEL) -> tuple[Floats, Floats, Floats]:
    """Churn of treated less churn of control, and the ends of its interval.

    Newcombe's hybrid score interval: with the Wilson interval [l, u] of each share p, the lower
    end is d − √((p₁ − l₁)² + (u₀ − p₀)²), the upper one d + √((u₁ − p₁)² + (p₀ − l₀)²). Over
    strata the squares are summed with squared weights (Zou and Donner 2008).

    Returns
    -------
    tuple
        Difference, lower and upper end, in [−1, 1]; of shape () or (trials,). NaN where no
        stratum has both arms.

    References
    ----------
    Newcombe (1998), Interval estimation for the difference between independent proportions,
    method 10; Zou and Donner (2008), Construction of confidence limits about effect measures.

    Examples
    --------
    >>> told = difference(Arms(*(np.array([n]) for n in (70.0, 56.0, 80.0, 48.0))))
    >>> [round(float(x), 4) for x in told]
    [0.2, 0.0524, 0.3339]
    """
    return _hybrid(arms, NormalDist().inv_cdf((1 + level) / 2))


def _hybrid(arms: Arms, z: float) -> tuple[Floats, Floats, Floats]:
    weight = arms.weight
    p1, p0 = arms._shares()
    low1, high1 = _wilson(p1, arms.treated, z)
    low0, high0 = _wilson(p0, arms.control, z)
    there = weight > 0
    middle = _summed(there, weight * (p1 - p0))
    down = np.sqrt(_summed(there, weight**2 * ((p1 - low1) ** 2 + (high0 - p0) ** 2)))
    up = np.sqrt(_summed(there, weight**2 * ((high1 - p1) ** 2 + (p0 - low0) ** 2)))
    # A share of nobody beside a share of all is at the end itself, but for the last bit.
    low, value, high = (np.clip(end, -1.0, 1.0) for end in (middle - down, middle, middle + up))
    return value, low, high


def _summed(there: NDArray[np.bool_], terms: Floats) -> Floats:
    total = np.where(there, terms, 0.0).sum(axis=0)
    return np.asarray(np.where(there.any(axis=0), total, np.nan))


def _wilson(p: Floats, n: Floats, z: float) -> tuple[Floats, Floats]:
    """The ends of `churnkit.metrics.proportion`, for many shares at once."""
    size = np.where(n > 0, n, np.nan)
    middle = (p + z * z / (2 * size)) / (1 + z * z / size)
    half = z * np.sqrt(p * (1 - p) / size + (z / (2 * size)) ** 2) / (1 + z * z / size)
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


def p_value(arms: Arms) -> float:
    """The two-sided p of no effect that agrees with `difference`: its interval at level 1 − p
    just touches 0. NaN where no stratum has both arms.
    """
    from scipy.optimize import brentq

    value = float(_hybrid(arms, 0.0)[0])
    if np.isnan(value) or value == 0:
        return float("nan") if np.isnan(value) else 1.0

    def beyond(z: float) -> float:
        _, low, high = _hybrid(arms, z)
        return float(high) if value < 0 else -float(low)

    if beyond(_WIDEST) < 0:
        return 0.0
    return 2 * NormalDist().cdf(-float(brentq(beyond, 0.0, _WIDEST)))


def holm(p: ArrayLike) -> Floats:
    """Adjust p for how many there are, so that any false finding at all stays below the level.

    Holm (1979), A simple sequentially rejective multiple test procedure. NaN stays NaN and does
    not count.

    Examples
    --------
    >>> [round(float(x), 3) for x in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    raw = np.asarray(p, dtype=float)
    known = np.flatnonzero(~np.isnan(raw))
    order = known[np.argsort(raw[known], kind="stable")]
    steps = raw[order] * (len(order) - np.arange(len(order)))
    adjusted = raw.copy()
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def per_contact(
    stratum: ArrayLike, treated: ArrayLike, churned: ArrayLike, done: ArrayLike
) -> Interval | None:
    """What being reached does to those whom assignment makes be reached: Wald's ratio.

    The difference of churn between the arms over the difference in the share reached (Imbens and
    Angrist 1994; Angrist, Imbens and Rubin 1996); its standard error is that of two-stage least
    squares, which lets variances differ. It holds if assignment acts through the contact alone
    and keeps nobody from being reached.

    Returns
    -------
    Interval or None
        Below zero a contact keeps customers; ``None`` where assignment hardly moved who was
        reached (by less than 0.1).
    """
    codes, arm = np.asarray(stratum), np.asarray(treated, dtype=bool)
    left, reached = np.asarray(churned, dtype=float), np.asarray(done, dtype=float)
    weight = Arms.of(codes, arm, left).weight
    effect, moved = (_contrast(codes, arm, what, weight)[0] for what in (left, reached))
    if not moved >= _LEAST_REACHED:
        return None
    ratio = effect / moved
    error = sqrt(_contrast(codes, arm, left - ratio * reached, weight)[1]) / moved
    return _normal(ratio, error)


def saved_value(
    stratum: ArrayLike, treated: ArrayLike, churned: ArrayLike, value: ArrayLike
) -> Interval | None:
    """Value that acting has kept among the treated: their value × the difference of lost shares.

    The share lost of an arm is Σ value · churned / Σ value. So customers are weighed by what they
    are worth, which differs from value × effect where the effect differs with the value. The error
    is that of a ratio of means (Cochran 1977, §6.4); strata are summed. Customers of unknown value
    are left out.

    Returns
    -------
    Interval or None
        In the currency of the values; ``None`` where no stratum has values in both arms.
    """
    codes, arm = np.asarray(stratum), np.asarray(treated, dtype=bool)
    left, worth = np.asarray(churned, dtype=float), np.asarray(value, dtype=float)
    found = []
    for code in np.unique(codes):
        sides = [_lost(left[m], worth[m]) for m in _sides(codes == code, arm, worth)]
        if all(side is not None for side in sides):
            (lost1, error1, whole1), (lost0, error0, _) = sides  # type: ignore[misc]
            found.append(((lost0 - lost1) * whole1, (error1**2 + error0**2) * whole1**2))
    if not found:
        return None
    return _normal(sum(f[0] for f in found), sqrt(sum(f[1] for f in found)))


def _sides(
    here: NDArray[np.bool_], arm: NDArray[np.bool_], worth: Floats
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    known = here & ~np.isnan(worth)
    return known & arm, known & ~arm


def _lost(left: Floats, worth: Floats) -> tuple[float, float, float] | None:
    """Share of the value that was lost, its standard error, and the value."""
    whole, n = float(worth.sum()), len(worth)
    if n < 2 or whole <= 0:
        return None
    share = float((worth * left).sum() / whole)
    error = sqrt(n / (n - 1) * float((worth**2 * (left - share) ** 2).sum())) / whole
    return share, error, whole


def _contrast(
    codes: NDArray[np.intp], arm: NDArray[np.bool_], what: Floats, weight: Floats
) -> tuple[float, float]:
    """Mean of treated less mean of control over the strata, and its variance."""
    total = spread = 0.0
    for code in np.flatnonzero(weight > 0):
        for mask, sign in ((arm, 1.0), (~arm, -1.0)):
            side = what[(codes == code) & mask]
            total += sign * weight[code] * side.mean()
            # One customer alone tells no spread; the widest there can be stands in.
            spread += weight[code] ** 2 * (side.var(ddof=1) if len(side) > 1 else 0.25) / len(side)
    return total, spread


def _normal(value: float, error: float) -> Interval:
    half = NormalDist().inv_cdf((1 + LEVEL) / 2) * error
    return Interval(float(value), float(value - half), float(value + half))


def sample_size(
    control: float, treated: float, ratio: float = 1.0, power: float = POWER, level: float = LEVEL
) -> tuple[int, int] | None:
    """Customers that treatment and control need for a difference to be found.

    With r customers in the control for each treated one and p̄ = (p₁ + r p₀)/(r + 1), n₁ =
    (z_α √((r + 1) p̄ q̄) + z_β √(r p₁q₁ + p₀q₀))² / (r (p₁ − p₀)²) and n₀ = r n₁
    (Fleiss, Levin and Paik 2003, Statistical methods for rates and proportions, §4.3, without
    the correction for continuity).

    Parameters
    ----------
    control, treated
        Churn in each arm, in [0, 1].
    ratio
        Customers in the control for each treated one, above 0.
    power, level
        Chance of finding it; 1 − the chance of finding what is not there.

    Returns
    -------
    tuple of int, or None
        Treated and control; ``None`` if there is no difference.

    Examples
    --------
    >>> sample_size(0.75, 0.5, power=0.9)
    (77, 77)
    """
    if control == treated:
        return None
    z_level = NormalDist().inv_cdf((1 + level) / 2)
    z_power = NormalDist().inv_cdf(power)
    mean = (treated + ratio * control) / (ratio + 1)
    noise = z_level * sqrt((ratio + 1) * mean * (1 - mean)) + z_power * sqrt(
        ratio * treated * (1 - treated) + control * (1 - control)
    )
    n = noise**2 / (ratio * (treated - control) ** 2)
    return ceil(n), ceil(ratio * n)
