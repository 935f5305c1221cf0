"""What a model earns: a campaign that calls the customers with the highest risk, in money.

Every customer contacted costs the contact. One who was about to leave takes the offer with the
probability of acceptance, and then stays: its value is kept, less the offer. One who would have
stayed anyway takes the offer, too, for nothing. So, of a share of churners and stayers contacted,
the profit is

    churners · (acceptance · (value − offer) − contact) − stayers · (offer + contact)

per customer at risk (Verbraken, Verbeke and Baesens 2013, A novel profit maximizing metric for
measuring classification performance of customer churn prediction models).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from churnkit.errors import ConfigError
from churnkit.metrics import Floats, Interval, Tally, bootstrap, tally_of

CONCENTRATION = 20.0
"""How sure one is of the acceptance: that of the Beta(6, 14) of the paper."""

_POINTS = 51


@dataclass(frozen=True)
class Money:
    """What a campaign costs and what it may keep, all in one currency.

    The defaults are those of the paper.

    Attributes
    ----------
    contact_cost
        Cost of contacting one customer.
    offer_cost
        Cost of the offer to one who takes it.
    acceptance
        Share of churners contacted who take the offer and stay, inside (0, 1).
    value
        What a customer who stays is worth.

    Raises
    ------
    ConfigError
        If a cost is negative, the offer costs what the customer is worth or more, or the
        acceptance is not inside (0, 1).
    """

    contact_cost: float = 1.0
    offer_cost: float = 10.0
    acceptance: float = 0.3
    value: float = 200.0

    def __post_init__(self) -> None:
        if not (self.contact_cost >= 0 and self.offer_cost >= 0):
            raise ConfigError("a cost in [money] is negative", "Give costs of 0 or more.")
        if not self.offer_cost < self.value:
            raise ConfigError(
                f"offer_cost = {self.offer_cost:g} in [money], and a customer is worth "
                f"{self.value:g}: to keep one never pays",
                "Set an offer_cost below the value.",
            )
        if not 0 < self.acceptance < 1:
            raise ConfigError(
                f"acceptance = {self.acceptance:g} in [money] is no share inside (0, 1)",
                "Write 30 % as 0.3.",
            )

    @property
    def kept(self) -> float:
        """What a churner who takes the offer is worth less the offer."""
        return self.value - self.offer_cost

    @property
    def wasted(self) -> float:
        """What a stayer costs who is contacted."""
        return self.offer_cost + self.contact_cost

    @property
    def pays_from(self) -> float:
        """The churn probability above which a contact pays; above 1 where none does."""
        gained = self.acceptance * self.kept - self.contact_cost
        return self.wasted / (gained + self.wasted) if gained > 0 else float("inf")

    @property
    def rule(self) -> str:
        """The amounts in words, to be printed beside every profit."""
        return (
            f"contact {self.contact_cost:g}, offer {self.offer_cost:g}, value {self.value:g}, "
            f"{self.acceptance:.0%} accept"
        )


@dataclass(frozen=True)
class Profit:
    """What calling the customers of a test would have earned, per customer at risk.

    Attributes
    ----------
    money
        The amounts.
    expected
        Expected maximum profit: the acceptance is uncertain, but known when the share to be
        contacted is chosen.
    most
        Maximum profit at the acceptance given, at the share that earns most.
    share
        That share of customers, in [0, 1].
    everyone
        Profit of contacting all.
    curve
        Share contacted and profit, see `profit_curve`.
    """

    money: Money
    expected: Interval
    most: Interval
    share: Interval
    everyone: Interval
    curve: Floats

    @property
    def says(self) -> str:
        """The share that earns most, and what, in one sentence."""
        if self.share.value == 0:
            return "calling nobody earns most: a call costs more than it keeps"
        return (
            f"calling the top {_percent(self.share.value)} earns most: {_money(self.most)} per "
            f"customer at risk (calling everyone: {_money(self.everyone)})"
        )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _money(amount: Interval) -> str:
    return f"{amount.value:z.2f} [{amount.low:z.2f}, {amount.high:z.2f}]"


def profit_of(
    y: ArrayLike,
    p: ArrayLike,
    groups: ArrayLike | None = None,
    money: Money | None = None,
    repeats: int = 200,
    seed: int = 0,
    level: float = 0.95,
    weight: ArrayLike | None = None,
) -> Profit:
    """What calling by these probabilities would have earned, with intervals by customer.

    The share that earns most is found on the very rows that it is told of, and so is a little
    too good; its interval shows by how much it wanders.

    Parameters
    ----------
    y, p, groups, repeats, seed, level, weight
        As in `churnkit.metrics.evaluate`.
    money
        The amounts; those of the paper by default.

    Raises
    ------
    ValueError
        As `churnkit.metrics.evaluate`.
    """
    amounts = money or Money()

    def measured(tally: Tally) -> list[float]:
        share, profit = _curve(tally, amounts)
        best = int(np.argmax(profit))
        return [_expected(tally, amounts), profit[best], share[best], profit[-1]]

    found = bootstrap(measured, y, p, groups, repeats, seed, level, weight)
    expected, most, share, everyone = found
    curve = profit_curve(y, p, amounts, weight)
    return Profit(amounts, expected, most, share, everyone, curve)


def expected_maximum_profit(
    y: ArrayLike, p: ArrayLike, money: Money | None = None, weight: ArrayLike | None = None
) -> float:
    """Profit per customer at the best share to contact, averaged over an uncertain acceptance.

    The acceptance γ is Beta distributed around its mean with the concentration of the paper.
    For every γ the best share ends at a corner of the convex hull of the ROC curve, and the hull
    is the isotonic regression of the churners on `p` (Fawcett and Niculescu-Mizil 2007): each of
    its levels, with churn rate r, is contacted once γ exceeds
    (contact + (offer + contact) (1 − r) / r) / (value − offer).

    Parameters
    ----------
    y, p, weight
        As in `churnkit.metrics.auroc`.
    money
        The amounts; those of the paper by default.

    Returns
    -------
    float
        In the currency of the amounts, at least 0.

    Raises
    ------
    ValueError
        As `churnkit.metrics.auroc`.

    Examples
    --------
    >>> y, p = [0, 1, 0, 1, 0, 1, 0, 1], [.1, .2, .3, .4, .5, .7, .8, .9]
    >>> round(expected_maximum_profit(y, p), 4)
    23.8756
    """
    return _expected(tally_of(y, p, weight), money or Money())


def maximum_profit(
    y: ArrayLike, p: ArrayLike, money: Money | None = None, weight: ArrayLike | None = None
) -> float:
    """Profit per customer at the share to contact that earns most.

    Parameters, unit and errors as in `expected_maximum_profit`; the acceptance is taken as given.

    Examples
    --------
    >>> y, p = [0, 1, 0, 1, 0, 1, 0, 1], [.1, .2, .3, .4, .5, .7, .8, .9]
    >>> round(maximum_profit(y, p), 3)
    23.875
    """
    return float(_curve(tally_of(y, p, weight), money or Money())[1].max())


def profit_curve(
    y: ArrayLike,
    p: ArrayLike,
    money: Money | None = None,
    weight: ArrayLike | None = None,
    points: int = _POINTS,
) -> Floats:
    """Profit per customer at risk of contacting so many of those with the highest `p`.

    Where the end of a share falls into rows with equal `p`, each of them counts in part.

    Parameters
    ----------
    y, p, money, weight
        As in `expected_maximum_profit`.
    points
        Number of shares, evenly from 0 to 1.

    Returns
    -------
    array of shape (points, 2)
        The share contacted, and the profit.

    Raises
    ------
    ValueError
        As `churnkit.metrics.auroc`.
    """
    asked = np.linspace(0, 1, points)
    known = _curve(tally_of(y, p, weight), money or Money())
    return np.column_stack([asked, np.interp(asked, *known)])


def _curve(tally: Tally, money: Money) -> tuple[Floats, Floats]:
    """Share contacted and profit after each distinct `p`, from the highest, and before the first.

    All arrays run from 0, where nobody is contacted.
    """
    churned, stayed = (column[::-1] / tally.total.sum() for column in (tally.churned, tally.stayed))
    gained = churned * (money.acceptance * money.kept - money.contact_cost)
    profit = np.cumsum(gained - stayed * money.wasted)
    return np.append(0.0, np.cumsum(churned + stayed)), np.append(0.0, profit)


def _expected(tally: Tally, money: Money) -> float:
    from scipy.special import betainc

    churned, stayed = _hull(tally)
    gained = money.kept * churned
    # The acceptance from which on it pays to contact a piece; never, if nobody in it churned.
    costs = money.contact_cost * churned + money.wasted * stayed
    pays_from = np.minimum(np.divide(costs, gained, where=gained > 0, out=np.ones(len(gained))), 1)
    a, b = CONCENTRATION * money.acceptance, CONCENTRATION * (1 - money.acceptance)
    likely, accepted = 1 - betainc(a, b, pays_from), 1 - betainc(a + 1, b, pays_from)
    return float(np.sum(gained * money.acceptance * accepted - costs * likely))


def _hull(tally: Tally) -> tuple[Floats, Floats]:
    """Churners and stayers on each straight piece of the convex hull, as shares of all rows."""
    from scipy.optimize import isotonic_regression

    levels = isotonic_regression(tally.churned / tally.total, weights=tally.total)
    starts, whole = levels.blocks[:-1], tally.total.sum()
    return np.add.reduceat(tally.churned, starts) / whole, (
        np.add.reduceat(tally.stayed, starts) / whole
    )
