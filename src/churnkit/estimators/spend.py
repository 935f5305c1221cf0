"""What a customer who stays will spend in the horizon: two models of it, told apart by kind.

`GammaGamma` is how often a customer will buy times what it spends a time; `SpendTrees` learns the
spend from all features. Both are fitted on customers who stayed and answer for those who do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

# First of all, since it keeps OpenMP from spinning.
from churnkit.estimators.trees import REPEATABLE, binned  # isort: skip

import lightgbm as lgb
import numpy as np
from scipy.optimize import minimize
from scipy.special import digamma, gammaln, hyp2f1

from churnkit.estimators.btyd import BgNbd
from churnkit.estimators.order import canonical_order

TREES, LEAVES, LEARNING_RATE, ROWS_PER_LEAF = 60, 7, 0.1, 200
POWER = 1.5
"""The variance of the spend grows with this power of its mean (Tweedie)."""

_LOG_BOUNDS = (-9.0, 9.0)
_MOST_LOG = 50.0
_FLOOR = 0.5  # of the mean spend; a fifth measured as well, a twentieth worse
_NEAR_ONE = 1e-6
_MOST_CUSTOMERS = 20_000
_SEED = 0
_LEAST, _LARGEST = 1e-30, 1e30  # of what is read back; no fit gives less or more


@dataclass(frozen=True)
class GammaGamma:
    """Expected purchases of BG/NBD times the expected spend of one, of customers who stay.

    A customer who has spent m in the mean of n purchases spends, in the mean of all to come, ::

        p (gamma + n m) / (p n + q - 1)

    if the spend of its purchases is gamma(p, nu) distributed, and its own nu is gamma(q, gamma)
    distributed (Fader and Hardie 2013): few purchases tell little, and the mean of all customers
    speaks for the rest. It buys ``E[N | N >= 1]`` times, see `purchases_of_stayers`.

    Attributes
    ----------
    columns
        Positions in X of the number of purchases (from 1 on), the days since the first, and the
        mean spend of one.
    horizon_days
        Days ahead.
    purchases
        r, alpha, a and b of `churnkit.estimators.BgNbd`.
    money
        p, q and gamma; gamma in money.
    level
        What stayers spent over what the formula says: it takes in returns, and who stays.

    References
    ----------
    Fader, Hardie and Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2).
    Fader and Hardie (2013), The Gamma-Gamma Model of Monetary Value.
    """

    columns: tuple[int, ...]
    horizon_days: int
    purchases: tuple[float, ...]
    money: tuple[float, ...]
    level: float = 1.0

    @classmethod
    def fitted(
        cls,
        X: np.ndarray,
        spend: np.ndarray,
        bgnbd: BgNbd,
        spend_column: int,
        latest: np.ndarray,
        weight: np.ndarray | None = None,
    ) -> GammaGamma:
        """Fit on rows of customers who stayed.

        Parameters
        ----------
        X
            Matrix of shape (rows, columns), NaN where missing.
        spend
            What each row spent in the horizon.
        bgnbd
            Fitted on the same columns.
        spend_column
            Position of the mean spend of a purchase.
        latest
            Boolean mask: the rows that tell of a customer, one of each.
        weight
            How many rows each stands for; ``None`` is one for each.
        """
        counted, _, since = bgnbd.columns
        columns = counted, since, spend_column
        count, mean = (X[latest, k].astype(np.float64) for k in (counted, spend_column))
        parameters = bgnbd.r_, bgnbd.alpha_, bgnbd.a_, bgnbd.b_
        rows = None if weight is None else weight[latest]
        money = fitted_money(count, mean, rows)
        bare = cls(columns, bgnbd.horizon_days, parameters, money)
        order = canonical_order(X, spend, weight)
        return replace(bare, level=_level(spend, bare.predict(X), weight, order))

    def predict(self, X: np.ndarray, run_rate: np.ndarray | None = None) -> np.ndarray:
        """Expected spend of each row if it stays, shape (rows,), at least 0."""
        del run_rate  # what the trees start from
        count, tenure, mean = X[:, list(self.columns)].astype(np.float64).T
        # Who has never bought is taken for one who bought once, just now.
        repeats = np.where(count >= 1, count - 1, 0.0)
        tenure = np.clip(np.nan_to_num(tenure), 0.0, None)
        times = purchases_of_stayers(repeats, tenure, float(self.horizon_days), *self.purchases)
        return self.level * times * self._spend_of_one(count, mean)

    def told(self) -> dict[str, Any]:
        """All of it, JSON-ready; `restored_spend` makes it again."""
        return {"kind": "GammaGamma", **{k: _plain(v) for k, v in vars(self).items()}}

    def boosters(self) -> list[Any]:
        """None: it has no trees."""
        return []

    def _spend_of_one(self, count: np.ndarray, mean: np.ndarray) -> np.ndarray:
        p, q, gamma = self.money
        known = (count >= 1) & (mean > 0)
        n, m = np.where(known, count, 0.0), np.where(known, mean, 0.0)
        return np.asarray(p * (gamma + n * m) / (p * n + q - 1))


def purchases_of_stayers(
    repeats: np.ndarray,
    tenure: np.ndarray,
    horizon: float,
    r: float,
    alpha: float,
    a: float,
    b: float,
) -> np.ndarray:
    """E[N | N >= 1]: purchases in the horizon of a customer who makes one, under BG/NBD.

    Fader, Hardie and Lee (2005, equation 10) have E[N]; whoever buys has not left before, so
    that the odds of having left cancel out::

        E[N | N >= 1] = (c / (a - 1)) (1 - w ** (a - 1) F(a - 1, c - r - x; c; 1 - w)) / (1 - u)

    with x repeat purchases, c = a + b + x - 1, w = (alpha + T) / (alpha + T + H),
    u = w ** (r + x) and F the hypergeometric function after Euler's transformation, which keeps
    it small. When the customer was last seen does not matter any more.

    Parameters
    ----------
    repeats, tenure
        x from 0 on, and T, the days since the first purchase.
    horizon
        H in days.
    r, alpha, a, b
        The parameters, all above 0.

    Returns
    -------
    array
        At least 1, and at most what a customer who never leaves buys.
    """
    a = a if abs(a - 1) > _NEAR_ONE else 1 + _NEAR_ONE
    c = a + b + repeats - 1  # at c = 0, as at a = 1, the two sides of the product cancel
    c = np.where(np.abs(c) > _NEAR_ONE, c, _NEAR_ONE)
    kept = (alpha + tenure) / (alpha + tenure + horizon)
    buys = -np.expm1((r + repeats) * np.log(kept))
    with np.errstate(all="ignore"):
        found = c / (a - 1) * (1 - kept ** (a - 1) * hyp2f1(a - 1, c - r - repeats, c, 1 - kept))
    most = (r + repeats) * horizon / (alpha + tenure)
    # Far out the function is no number: such customers hardly ever leave.
    return np.asarray(np.clip(np.nan_to_num(found, nan=np.inf), buys, most) / buys)


def fitted_money(
    count: np.ndarray, mean: np.ndarray, weight: np.ndarray | None = None
) -> tuple[float, float, float]:
    """p, q and gamma by maximum likelihood (Fader and Hardie 2013, equation 1a).

    Parameters
    ----------
    count, mean
        Number of purchases and their mean spend, of each customer; who has spent nothing takes
        no part, and of many customers an even part of those sorted by both.
    weight
        How many customers each stands for; ``None`` is one for each.
    """
    there = (count >= 1) & (mean > 0)
    n, m = count[there], mean[there]
    if not len(n):
        return 1.0, 2.0, 1.0
    w = None if weight is None else weight[there]
    order = np.lexsort((m, n) if w is None else (w, m, n))[:: -(-len(n) // _MOST_CUSTOMERS)]
    n, m, w = n[order], m[order], None if w is None else w[order]
    unit = float(np.average(m, weights=w))
    start = np.log([2.0, 2.0, 2.0])  # the last: q - 1, since the mean must be finite
    start[1] = np.log(1.0)
    found = minimize(
        _money_loss, start, args=(n, m / unit, w), jac=True, method="L-BFGS-B",
        bounds=[_LOG_BOUNDS] * 3,
    )  # fmt: skip
    p, q_above, gamma = np.exp(found.x)
    return float(p), float(1 + q_above), float(gamma * unit)


def _money_loss(
    logs: np.ndarray, n: np.ndarray, m: np.ndarray, w: np.ndarray | None
) -> tuple[float, np.ndarray]:
    """Mean negative log-likelihood, and its slope by the logarithms of p, q - 1 and gamma."""
    p, above, gamma = np.exp(logs)
    q = 1 + above
    told = np.log(gamma + n * m)
    value = (
        gammaln(p * n + q) - gammaln(p * n) - gammaln(q) + q * np.log(gamma)
        + (p * n - 1) * np.log(m) + p * n * np.log(n) - (p * n + q) * told
    )  # fmt: skip
    both = digamma(p * n + q)
    by_p = n * (both - digamma(p * n) + np.log(m) + np.log(n) - told)
    by_q = both - digamma(q) + np.log(gamma) - told
    by_gamma = q / gamma - (p * n + q) / (gamma + n * m)
    loss, *slope = (np.average(v, weights=w) for v in (value, by_p, by_q, by_gamma))
    return -float(loss), -np.array([p, above, gamma]) * slope


@dataclass(frozen=True)
class SpendTrees:
    """Small gradient-boosted trees on all features, of the spend of customers who stay.

    The Tweedie objective has a log link and lets the variance grow with the mean, so that no
    single large order draws it away. The trees start from what the customer spends at last year's
    rate, returns taken off, and learn by which factor that is wrong: who sent all of a huge order
    back is not expected to spend it again. One seed; the same to the last bit in any order of the
    rows.

    Attributes
    ----------
    booster
        The fitted LightGBM booster.
    floor
        Added to the rate of each customer, since somebody who spent nothing may yet.
    level
        What stayers spent over what the booster says: the objective alone, with its penalties,
        stays below their mean.
    """

    booster: Any
    floor: float
    level: float = 1.0

    @classmethod
    def fitted(
        cls,
        X: np.ndarray,
        spend: np.ndarray,
        run_rate: np.ndarray,
        categorical: Sequence[int] = (),
        weight: np.ndarray | None = None,
    ) -> SpendTrees:
        """Fit on rows of customers who stayed; their spend is at least 0, and not all 0.

        Parameters
        ----------
        X
            Matrix of shape (rows, columns), NaN where missing.
        spend
            What each row spent in the horizon.
        run_rate
            What each would have spent at last year's rate, see `churnkit.labels.run_rate`.
        categorical
            Positions of columns that hold codes.
        weight
            How many rows each stands for; ``None`` is one for each.
        """
        order = canonical_order(np.column_stack([X, run_rate]), spend, weight)
        each = np.ones(len(spend)) if weight is None else weight
        floor = _FLOOR * float(np.average(spend[order], weights=each[order])) or 1.0
        settings = {
            **REPEATABLE,
            "objective": "tweedie",
            "tweedie_variance_power": POWER,
            "num_leaves": LEAVES,
            "learning_rate": LEARNING_RATE,
            "min_data_in_leaf": max(1, min(ROWS_PER_LEAF, len(X) // 20)),
            "feature_fraction": 0.6,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "lambda_l2": 5.0,
            "seed": _SEED,
            "verbose": -1,
        }
        data = binned(X, spend, order, categorical)
        data.set_init_score(np.log(_start(run_rate, floor)[order]))
        if weight is not None:
            data.set_weight(weight[order])
        bare = cls(lgb.train(settings, data, TREES), floor)
        return replace(bare, level=_level(spend, bare.predict(X, run_rate), weight, order))

    def predict(self, X: np.ndarray, run_rate: np.ndarray) -> np.ndarray:
        """Expected spend of each row if it stays, shape (rows,), at least 0."""
        logs = self.booster.predict(X, raw_score=True)
        factor = np.exp(np.clip(logs, -_MOST_LOG, _MOST_LOG))
        return np.asarray(self.level * _start(run_rate, self.floor) * factor)

    def told(self) -> dict[str, Any]:
        """All but the booster, JSON-ready."""
        return {"kind": "SpendTrees", "floor": self.floor, "level": self.level}

    def boosters(self) -> list[Any]:
        """The booster."""
        return [self.booster]


SpendModel = GammaGamma | SpendTrees


def restored_spend(told: Mapping[str, Any], boosters: Sequence[Any]) -> SpendModel:
    """A model of the spend from what its ``told`` and ``boosters`` gave.

    Raises
    ------
    KeyError, TypeError, ValueError
        If they do not make one.
    """
    match told["kind"], list(boosters):
        case "SpendTrees", [booster]:
            return SpendTrees(booster, _positive(told, "floor"), _positive(told, "level"))
        case "GammaGamma", []:
            return _checked(told)
    raise ValueError(f"{len(boosters)} boosters for the spend model {told['kind']!r}")


def _checked(told: Mapping[str, Any]) -> GammaGamma:
    columns, days = tuple(told["columns"]), told["horizon_days"]
    numbers = {name: tuple(map(float, told[name])) for name in ("purchases", "money")}
    sizes = len(columns), len(numbers["purchases"]), len(numbers["money"])
    whole = all(type(k) is int and k >= 0 for k in (*columns, days))
    positive = all(_LEAST <= x <= _LARGEST for values in numbers.values() for x in values)
    if sizes != (3, 4, 3) or not whole or not positive or numbers["money"][1] <= 1:
        raise ValueError("the gamma-gamma model of the spend has odd numbers")
    if days < 1:
        raise ValueError("the gamma-gamma model of the spend looks no day ahead")
    return GammaGamma(
        columns, days, numbers["purchases"], numbers["money"], _positive(told, "level")
    )


def _positive(told: Mapping[str, Any], name: str) -> float:
    value = float(told[name])
    if not _LEAST <= value <= _LARGEST:
        raise ValueError(f"the {name} of the spend is {value}")
    return value


def _start(run_rate: np.ndarray, floor: float) -> np.ndarray:
    """Where the trees start; of whom no rate is known, from the floor alone."""
    return np.asarray(np.nan_to_num(run_rate) + floor)


def _level(
    spend: np.ndarray, said: np.ndarray, weight: np.ndarray | None, order: np.ndarray
) -> float:
    """What was spent over what was said; 1 where either is nothing."""
    # Sums in one order, so that the level does not depend on that of the rows.
    each = 1.0 if weight is None else weight[order]
    spent, told = float((each * spend[order]).sum()), float((each * said[order]).sum())
    return spent / told if spent > 0 and told > 0 else 1.0


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
