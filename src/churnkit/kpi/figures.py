"""Figures with their intervals, from exact whole-number sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isnan, nan, sqrt
from statistics import NormalDist
from typing import Any

from churnkit.metrics import proportion

LEVEL = 0.95
"""Confidence of every interval."""

_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
_PSEUDO = (0.75, 1.5, 0.75)  # promoters, passives, detractors that Rocks (2016) adds
_FEWEST_LOST = 10  # with fewer lost customers the interval of a lifetime would be too narrow


@dataclass(frozen=True)
class Figure:
    """A figure between the ends of its 95 % interval.

    Attributes
    ----------
    value, low, high
        NaN where not known; a count or a sum has no interval.
    n
        How many customers, or answers, it is about.
    """

    value: float = nan
    low: float = nan
    high: float = nan
    n: int = 0

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return not isnan(self.value)

    def told(self) -> dict[str, Any]:
        """JSON-ready values; ``None`` where not known."""
        ends = {name: getattr(self, name) for name in ("value", "low", "high")}
        return {**{name: None if isnan(x) else x for name, x in ends.items()}, "n": self.n}


def count(number: int) -> Figure:
    """So many customers."""
    return Figure(float(number), n=number)


def share(part: int, whole: int) -> Figure:
    """A share with its Wilson score interval (Wilson 1927); not known of nobody.

    >>> share(1, 4).value
    0.25
    """
    if whole == 0:
        return Figure()
    found = proportion(part, whole, LEVEL)
    return Figure(found.value, found.low, found.high, whole)


def ratio(sums: Mapping[str, int], top: str, below: str, n: int) -> Figure:
    """Ratio of two sums over customers, with the interval of a ratio of means.

    The customers are the independent units: with r = Σy / Σx the standard error is
    √(Σ(y − r·x)² · n / (n − 1)) / Σx (Cochran 1977, Sampling Techniques, §2.11 and §6.4).

    Parameters
    ----------
    sums
        Whole numbers: ``top`` (Σy), ``below`` (Σx), and the sums of products under the two names
        with ``*`` between them, such as ``kept*kept``, ``kept*start`` and ``start*start``.
    top, below
        Names of y and of x.
    n
        How many customers; with fewer than two there is no interval.

    Returns
    -------
    Figure
        Not known where Σx is not above 0.
    """
    if sums[below] <= 0:
        return Figure(n=n)
    found = Fraction(sums[top], sums[below])
    if n < 2:
        return Figure(float(found), n=n)
    spread = (
        sums[f"{top}*{top}"]
        - 2 * found * sums[f"{top}*{below}"]
        + found**2 * sums[f"{below}*{below}"]
    )
    half = _Z * sqrt(spread * Fraction(n, n - 1)) / sums[below]
    return Figure(float(found), float(found) - half, float(found) + half, n)


def net_promoters(promoters: int, detractors: int, n: int) -> Figure:
    """Net promoter score, −100 to 100, with an adjusted Wald interval.

    Per cent of promoters less per cent of detractors (Reichheld 2003). The variance is that of a
    trinomial, (p + d − (p − d)²) / n, once 3/4 of a promoter, 3/2 of a passive and 3/4 of a
    detractor are added (Rocks 2016, Interval Estimation for the "Net Promoter Score", The American
    Statistician 70): without them all answers alike would give an interval of no width.

    >>> net_promoters(5, 3, 10).value
    20.0
    """
    if n == 0:
        return Figure()
    value = (promoters - detractors) / n
    more = n + sum(_PSEUDO)
    up, down = (promoters + _PSEUDO[0]) / more, (detractors + _PSEUDO[2]) / more
    half = _Z * sqrt((up + down - (up - down) ** 2) / more)
    low, high = max(up - down - half, -1.0), min(up - down + half, 1.0)
    return Figure(100 * value, 100 * min(low, value), 100 * max(high, value), n)


def mean_on_scale(total: int, squares: int, n: int, low: Fraction, high: Fraction) -> Figure:
    """Mean of answers as a place on their scale, from 0 at ``low`` to 1 at ``high``.

    The interval is Student's (1908), pulled into 0 to 1; answers that are all alike, and a single
    one, tell nothing of their spread and have none.

    Parameters
    ----------
    total, squares
        Sum of the answers and of their squares.
    n
        How many answers.
    low, high
        Ends of the scale in the unit of the answers; ``low`` above ``high`` turns it round.
    """
    if n == 0:
        return Figure()
    mean, width = Fraction(total, n), high - low
    value = float((mean - low) / width)
    spread = squares - n * mean**2
    if n < 2 or spread == 0:
        return Figure(value, n=n)
    from scipy.special import stdtrit

    error = sqrt(spread / (width**2 * n * (n - 1)))
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * error
    return Figure(value, max(value - half, 0.0), min(value + half, 1.0), n)


def lifetime_value(sums: Mapping[str, int], n: int, margin: Fraction, discount: float) -> Figure:
    """What a customer who is active now will still bring, with an interval by the delta method.

    With m the margin of a month per customer active at its start, r the share of them still
    active at its end and d the discount of a month, the sum over the months to come is
    m / (1 + d) + m·r / (1 + d)² + … = **m / (1 + d − r)**: the constant retention model (Berger
    and Nasr 1998, Customer lifetime value, case 1; Gupta and Lehmann 2003, Customers as assets),
    each month's margin coming at its end from whoever was active at its start. The customers are
    the independent units: all months of one make one term of the variance.

    Parameters
    ----------
    sums
        Whole numbers over customer-months: ``months``, ``stayed``, ``spent`` (in minor units), and
        the sums over customers of the products of what each has of them, such as
        ``spent*months``.
    n
        How many customers.
    margin
        Margin of one minor unit of spend.
    discount
        Discount of a month.

    Returns
    -------
    Figure
        Not known where nobody was lost: a lifetime has no end to be seen then. Without an interval
        where fewer than ten were lost, since it would be too narrow.
    """
    months, stayed = sums["months"], sums["stayed"]
    lost = months - stayed
    if lost == 0:
        return Figure(n=n)
    r, m = Fraction(stayed, months), Fraction(sums["spent"], months)
    ends = 1 + discount - float(r)
    value = float(m * margin) / ends
    if lost < _FEWEST_LOST or n < 2:
        return Figure(value, n=n)
    products = {
        key: sums[key]
        for key in ("spent*spent", "spent*months", "spent*stayed", "stayed*stayed",
                    "stayed*months", "months*months")
    }  # fmt: skip
    spent = products["spent*spent"] - 2 * m * products["spent*months"]
    spent += m**2 * products["months*months"]
    kept = products["stayed*stayed"] - 2 * r * products["stayed*months"]
    kept += r**2 * products["months*months"]
    both = products["spent*stayed"] - r * products["spent*months"]
    both += m * r * products["months*months"] - m * products["stayed*months"]
    by_m, by_r = float(margin) / ends, value / ends
    variance = by_m**2 * float(spent) + 2 * by_m * by_r * float(both) + by_r**2 * float(kept)
    half = _Z * sqrt(max(variance, 0.0) * n / (n - 1)) / months
    return Figure(value, value - half, value + half, n)
