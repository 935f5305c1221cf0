"""Whom acting keeps: an uplift learnt from outcomes, and whether it ranks better than risk.

The X-learner (Künzel, Sekhon, Bickel and Yu 2019, Metalearners for estimating heterogeneous
treatment effects using machine learning): a risk model for each arm; what each customer's own
outcome says the action did, the other arm imputed; a regression of that on the features for each
arm; and their mean, weighed by the share treated. It is written here since no library was fit, see
docs/outcomes.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from churnkit.clock import Cutoff
from churnkit.errors import GateRefused
from churnkit.metrics import CLIP, Floats, Interval
from churnkit.training import interval_dict

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from churnkit.estimators import BinaryClassifier
    from churnkit.features import Features

LEAST_CUSTOMERS, LEAST_CHURNERS = 300, 50
"""Customers, and churners and stayers among them, that each arm needs to learn from."""

SHARES = (0.1, 0.2, 0.3, 0.5)
"""Shares of customers to be treated at which a ranking is judged in the table."""

_FOLDS, _REPEATS = 5, 400
_RIDGE = 100.0


class Uplift:
    """How much less likely each customer is to churn if assigned to the action."""

    def fit(self, X: Floats, treated: ArrayLike, churned: ArrayLike) -> Uplift:
        """Learn from customers whom chance assigned.

        Parameters
        ----------
        X
            Features as they stood when the arm was assigned, see `with_risk`; NaN is missing.
        treated, churned
            Arm by assignment, and what came of it, one per row.
        """
        arm, left = np.asarray(treated, dtype=bool), np.asarray(churned, dtype=float)
        self._share = float(arm.mean())
        self._risk = [_risk().fit(X[m], left[m] > 0) for m in (~arm, arm)]
        alone, acted = self.risks(X)
        self._saved = [
            _regression().fit(X[~arm], (left - acted)[~arm]),
            _regression().fit(X[arm], (alone - left)[arm]),
        ]
        return self

    def risks(self, X: Floats) -> tuple[Floats, Floats]:
        """Churn probability of each row in the control, and if assigned to the action."""
        alone, acted = (model.predict_proba(X)[:, 1] for model in self._risk)
        return alone, acted

    def saved(self, X: Floats) -> Floats:
        """Churn probability that assigning the action takes away; below zero it does harm."""
        of_control, of_treated = (model.predict(X) for model in self._saved)
        # The larger arm has the better risk model, which the smaller one is compared with.
        return np.asarray(self._share * of_control + (1 - self._share) * of_treated)


def with_risk(X: Floats, risk: ArrayLike) -> Floats:
    """Features and, as the last column, the log-odds of the churn probability of the model in use.

    What it learnt from all customers need not be learnt anew from the few of a campaign.
    """
    p = np.clip(np.asarray(risk, dtype=float), CLIP, 1 - CLIP)
    return np.column_stack([X, np.log(p / (1 - p))])


def _risk() -> BinaryClassifier:
    from churnkit.estimators import PlainRule

    return PlainRule()


def _regression() -> Pipeline:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    return make_pipeline(
        FunctionTransformer(_log_scaled),
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
        Ridge(_RIDGE),
    )


def _log_scaled(X: Floats) -> Floats:
    return np.asarray(np.copysign(np.log1p(np.abs(X)), X))


@dataclass(frozen=True)
class Ranking:
    """By what the call list is to be ordered, and the evidence.

    Attributes
    ----------
    use
        ``uplift`` only if it is clearly better.
    says
        Why, in a sentence.
    uplift, risk
        What each ranking gains over treating at random, see `gains`.
    better
        The first less the second.
    kept
        Share of customers treated → what treating so many by uplift, and by risk, keeps.
    learner
        Fitted on everybody, on the features `with_risk`.
    """

    use: Literal["uplift", "risk"]
    says: str
    uplift: Interval
    risk: Interval
    better: Interval
    kept: dict[float, tuple[float, float]]
    learner: Uplift

    def told(self) -> dict[str, Any]:
        """The evidence as JSON-ready values."""
        return {
            "use": self.use,
            "says": self.says,
            **{name: interval_dict(getattr(self, name)) for name in ("uplift", "risk", "better")},
            "kept": [
                {"share": share, "uplift": by_uplift, "risk": by_risk}
                for share, (by_uplift, by_risk) in self.kept.items()
            ],
        }


def choose_ranking(
    X: Floats,
    treated: ArrayLike,
    churned: ArrayLike,
    risk: ArrayLike,
    customer_id: ArrayLike,
    value: ArrayLike | None = None,
    seed: int = 0,
) -> Ranking:
    """Whether to order the call list by uplift or by risk.

    Every customer is judged by a learner that did not see it (five folds by customer), and the
    two orders are compared on the same customers. Uplift is used only if the whole 95 % interval
    of its advantage lies above zero.

    Parameters
    ----------
    X, treated, churned
        As in `Uplift.fit`; one row per customer, all horizons over.
    risk
        Churn probability by the model in use, when the arm was assigned.
    customer_id
        Text ids, which decide the folds whatever the order of the rows.
    value
        What each customer is worth; then both orders are by value times share, and gains are
        money. Unknown (NaN) counts as nothing.
    seed
        Of the resampling.

    Raises
    ------
    GateRefused
        If an arm has fewer customers, churners or stayers than the least.
    """
    arm, left = np.asarray(treated, dtype=bool), np.asarray(churned, dtype=float)
    _require_enough(arm, left)
    worth = np.ones(len(arm)) if value is None else np.nan_to_num(np.asarray(value, float))
    order = np.argsort(np.asarray(customer_id).astype(str), kind="stable")
    X, arm, left, worth = with_risk(X, risk)[order], arm[order], left[order], worth[order]
    by_risk = np.asarray(risk, dtype=float)[order] * worth
    saved, benefit = _out_of_fold(X, arm, left, np.asarray(customer_id)[order])
    by_uplift, kept = saved * worth, benefit * worth
    gain = _intervals(by_uplift, by_risk, kept, seed)
    use, says = _verdict(gain[2], value is not None)
    table = {s: (_at(by_uplift, kept, s), _at(by_risk, kept, s)) for s in SHARES}
    return Ranking(use, says, *gain, kept=table, learner=Uplift().fit(X, arm, left))


def ranking_of(
    features: Features, assigned: pd.DataFrame, churned: Floats, *, by_value: bool = False
) -> Ranking:
    """`choose_ranking` for customers of the ledger.

    Customers whose horizon is not over, or who have no row in the features, are left out.

    Parameters
    ----------
    features
        The table of the model in use at the days of assignment, as `churnkit.scoring.at_risk`
        builds it.
    assigned, churned
        As `churnkit.outcomes.first_assigned` and `churnkit.outcomes.churned_since` give them.
    by_value
        Whether the orders are by value at risk times share, and gains are money.

    Raises
    ------
    GateRefused
        As `choose_ranking`.
    """
    cutoffs = {str(Cutoff(int(us), features.zone)): us for us in np.unique(features.cutoff)}
    there = _pairs(features.customer_id, features.cutoff)
    wanted = _pairs(assigned["customer_id"], assigned["as_of"].map(cutoffs).fillna(-1))
    place = there.get_indexer(wanted)
    known = (place >= 0) & ~np.isnan(churned)
    rows = assigned[known]
    return choose_ranking(
        features.matrix(features.names, np.float64)[place[known]],
        rows["arm"] == "treated",
        churned[known],
        rows["churn_probability"],
        rows["customer_id"],
        rows["value_at_risk"] if by_value else None,
    )


def _pairs(ids: Any, cutoffs: Any) -> pd.MultiIndex:
    import pandas as pd

    return pd.MultiIndex.from_arrays([np.asarray(ids, object), np.asarray(cutoffs, np.int64)])


def gains(score: ArrayLike, benefit: ArrayLike, weight: ArrayLike | None = None) -> Any:
    """What treating by a ranking keeps more than treating at random, over all shares treated.

    The area between the curve "kept by treating the top share" and the straight line of a random
    order, per customer: Σ benefit · (½ − (rank − ½)/n) / n. It is the Qini coefficient (Radcliffe
    2007) in the form of Yadlowsky et al. (2021, Evaluating treatment prioritization rules via
    rank-weighted average treatment effects).

    Parameters
    ----------
    score
        The higher, the earlier treated; ties share their ranks.
    benefit
        An unbiased estimate of what treating each customer keeps.

    weight
        Of each customer, 1 by default; of shape (trials, customers) for several trials at once.

    Examples
    --------
    >>> float(gains([2, 1], [1.0, 0.0]))
    0.125
    """
    rank, kept = np.asarray(score, dtype=float), np.asarray(benefit, dtype=float)
    order = np.argsort(-rank, kind="stable")
    starts = np.flatnonzero(np.diff(rank[order], prepend=np.inf) != 0)
    each = np.ones(len(kept)) if weight is None else np.asarray(weight, dtype=float)
    customers = np.add.reduceat(each[..., order], starts, axis=-1)
    together = np.add.reduceat((each * kept)[..., order], starts, axis=-1)
    total = customers.sum(axis=-1, keepdims=True)
    middle = (np.cumsum(customers, axis=-1) - customers / 2) / total
    return np.sum(together * (0.5 - middle), axis=-1) / total[..., 0]


def _out_of_fold(
    X: Floats, arm: np.ndarray, left: Floats, ids: np.ndarray
) -> tuple[Floats, Floats]:
    """Uplift, and the doubly robust benefit, of each customer by learners that did not see it.

    The benefit is (risk alone − risk if acted) + control · (left − risk alone)/(1 − e) − treated ·
    (left − risk if acted)/e with the share e treated: unbiased whatever the risks say, since chance
    made the arms; the better they are, the less it scatters.
    """
    from churnkit.estimators import folds_of

    fold = folds_of(ids, _FOLDS)
    saved, benefit, share = np.empty(len(left)), np.empty(len(left)), float(arm.mean())
    for k in range(_FOLDS):
        out = fold == k
        learner = Uplift().fit(X[~out], arm[~out], left[~out])
        alone, acted = learner.risks(X[out])
        of_control = np.where(arm[out], 0.0, left[out] - alone) / (1 - share)
        of_treated = np.where(arm[out], left[out] - acted, 0.0) / share
        saved[out] = learner.saved(X[out])
        benefit[out] = alone - acted + of_control - of_treated
    return saved, benefit


def _intervals(
    by_uplift: Floats, by_risk: Floats, kept: Floats, seed: int
) -> tuple[Interval, Interval, Interval]:
    """Gain of both orders and their difference, on the same resamples of customers."""
    n = len(kept)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=_REPEATS)
    mine, rival = (gains(score, kept) for score in (by_uplift, by_risk))
    others = [gains(score, kept, drawn) for score in (by_uplift, by_risk)]
    return (
        _percentiles(mine, others[0]),
        _percentiles(rival, others[1]),
        _percentiles(mine - rival, others[0] - others[1]),
    )


def _percentiles(value: float, drawn: Floats) -> Interval:
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(value), float(low), float(high))


def _at(score: Floats, kept: Floats, share: float) -> float:
    first = np.argsort(-score, kind="stable")[: round(share * len(score))]
    return float(kept[first].sum())


def _verdict(better: Interval, money: bool) -> tuple[Literal["uplift", "risk"], str]:
    unit = 1.0 if money else 100.0
    what = "in money" if money else "customers in 100"
    told = f"{unit * better.value:+.2f} [{unit * better.low:+.2f}, {unit * better.high:+.2f}]"
    told = f"over all shares treated it keeps {told} {what} more than ranking by risk"
    if better.low > 0:
        return "uplift", f"ranking by uplift is clearly better: {told}"
    return "risk", f"ranking by uplift is not clearly better, so risk stays: {told}"


def _require_enough(arm: np.ndarray, left: Floats) -> None:
    for name, mask in (("treated", arm), ("control", ~arm)):
        n, churners = int(mask.sum()), int(left[mask].sum())
        if n < LEAST_CUSTOMERS or min(churners, n - churners) < LEAST_CHURNERS:
            raise GateRefused(
                f"{n:,} {name} customers have an outcome, {churners:,} of them churned: too few to "
                "learn whom acting keeps",
                f"{LEAST_CUSTOMERS} are needed in each arm, {LEAST_CHURNERS} of them churned and "
                f"{LEAST_CHURNERS} stayed. Until then the list is ordered by risk.",
            )
