"""Simulated campaigns whose true effect is known: who stays if called, and who if let alone.

Every customer has two risks of churn, without and with the action, and a kind that says how they
differ (Radcliffe and Surry 1999; Ascarza 2018 shows why risk alone does not tell them apart):
persuadables stay if called, sure things stay anyway, lost causes leave anyway, and sleeping dogs
leave because they are called. Chance decides who is assigned to the action; features tell the
kinds apart through noise.

Examples
--------
>>> campaign = draw_campaign(Population(customers=1000), seed=1)
>>> campaign.average_effect < 0  # acting lowers churn
True
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

    FloatArray = NDArray[np.float64]
    BoolArray = NDArray[np.bool_]

_HIGH, _LOW = 0.5, 0.25  # the edges of the lights of a simulated run


@dataclass(frozen=True)
class Kind:
    """One kind of customers.

    Attributes
    ----------
    share
        Share of all customers, in [0, 1].
    alone, acted
        Churn probability of a middling one if let alone, and if reached by the action,
        inside (0, 1).
    """

    share: float
    alone: float
    acted: float


KINDS: Mapping[str, Kind] = {
    "persuadable": Kind(0.20, alone=0.50, acted=0.20),
    "sure_thing": Kind(0.45, alone=0.08, acted=0.07),
    "lost_cause": Kind(0.20, alone=0.75, acted=0.74),
    "sleeping_dog": Kind(0.15, alone=0.30, acted=0.55),
}
"""Calling whoever is at the highest risk calls lost causes first, and many sleeping dogs."""

PLAIN_KINDS: Mapping[str, Kind] = {
    "sure_thing": Kind(0.50, alone=0.08, acted=0.07),
    "wavering": Kind(0.30, alone=0.35, acted=0.22),
    "persuadable": Kind(0.20, alone=0.65, acted=0.35),
}
"""Here the action helps more, the higher the risk: to rank by risk is right."""


@dataclass(frozen=True)
class Population:
    """What is drawn.

    Attributes
    ----------
    customers
        Their number.
    kinds
        Name → kind; the shares are taken relative to their sum.
    control
        Share held out as control, inside (0, 1).
    reached
        Chance that one who is assigned to the action is reached by it.
    leaked
        Chance that one of the control is reached nevertheless.
    spread
        Standard deviation of risks within a kind, in log-odds.
    tell
        How strongly features tell of the kind, in standard deviations of their noise.
    noise
        Number of features that tell nothing.
    value
        Median value of a customer over the horizon; values are log-normal.
    """

    customers: int = 2_000
    kinds: Mapping[str, Kind] = field(default_factory=lambda: KINDS)
    control: float = 0.2
    reached: float = 1.0
    leaked: float = 0.0
    spread: float = 0.4
    tell: float = 2.0
    noise: int = 3
    value: float = 100.0


@dataclass(frozen=True)
class Campaign:
    """A campaign as it went, with the truth behind it; one entry per customer.

    Attributes
    ----------
    customer_id
        Text ids, rising.
    kind
        Name of the kind.
    alone, acted
        Churn probability if let alone, and if reached by the action.
    value
        Value over the horizon if the customer stays.
    features
        Shape (customers, features): one that tells of each kind, one of the risk within it, and
        noise.
    risk
        What a good risk model says: the probability of churn if let alone, seen through noise.
    treated
        Whether chance assigned the action; all others are the control.
    done
        Whether the customer was reached by it.
    churned
        What came of it.
    """

    customer_id: NDArray[np.object_]
    kind: NDArray[np.str_]
    alone: FloatArray
    acted: FloatArray
    value: FloatArray
    features: FloatArray
    risk: FloatArray
    treated: BoolArray
    done: BoolArray
    churned: BoolArray
    reached: float
    leaked: float

    def __len__(self) -> int:
        return len(self.treated)

    @cached_property
    def effect(self) -> FloatArray:
        """Churn probability if assigned to the action, less that if assigned to the control.

        Below zero the action helps. It is the effect of being *assigned*: what being reached
        does, times the share by which the action reaches more of the treated than of the control.
        """
        return (self.acted - self.alone) * (self.reached - self.leaked)

    @property
    def average_effect(self) -> float:
        """The exact mean of `effect` over the customers of the campaign."""
        return float(self.effect.mean())

    @property
    def effect_if_reached(self) -> float:
        """The exact mean effect of being reached by the action."""
        return float((self.acted - self.alone).mean())

    @property
    def saved_value(self) -> float:
        """The exact value that assigning the treated to the action was expected to save."""
        return float(-(self.effect * self.value)[self.treated].sum())

    def assigned(self, as_of: str = "2024-06-01", campaign: str = "simulated") -> pd.DataFrame:
        """The run of one day as the ledger keeps it, as far as outcomes need it.

        Columns: ``customer_id``, ``as_of``, ``churn_probability``, ``value_at_risk``, ``light``
        (from 0.5 red, from 0.25 yellow), ``playbook``, ``action``, ``arm``, ``campaign``. Every
        customer is treatable.
        """
        import pandas as pd

        light = np.where(self.risk >= _LOW, np.where(self.risk >= _HIGH, "red", "yellow"), "green")
        return pd.DataFrame(
            {
                "customer_id": self.customer_id,
                "as_of": as_of,
                "churn_probability": self.risk,
                "value_at_risk": self.value,
                "light": light,
                "playbook": np.where(light == "red", "call", "mail"),
                "action": np.where(light == "red", "call", "send a mail"),
                "arm": np.where(self.treated, "treated", "control"),
                "campaign": campaign,
            }
        )

    def deeds(self, as_of: str = "2024-06-01", cost: float = 1.0) -> pd.DataFrame:
        """What was done, as it is recorded: one row per customer reached, treated or not."""
        import pandas as pd

        told = {"customer_id": self.customer_id[self.done], "as_of": as_of, "done": "yes"}
        return pd.DataFrame({**told, "cost": cost})


def draw_campaign(population: Population | None = None, seed: int = 0) -> Campaign:
    """A campaign by its seed.

    Parameters
    ----------
    population
        What is drawn.
    seed
        The same seed gives the same campaign.
    """
    asked, rng = population or Population(), np.random.default_rng(seed)
    n, kinds = asked.customers, list(asked.kinds.values())
    shares = np.array([kind.share for kind in kinds])
    of = rng.choice(len(kinds), size=n, p=shares / shares.sum())
    own = rng.normal(0, asked.spread, n)
    alone, acted = (
        _sigmoid(_logit(np.array(risks))[of] + own)
        for risks in ([k.alone for k in kinds], [k.acted for k in kinds])
    )
    treated = rng.random(n) >= asked.control
    done = rng.random(n) < np.where(treated, asked.reached, asked.leaked)
    return Campaign(
        customer_id=np.array([f"c{k:06}" for k in range(n)], dtype=object),
        kind=np.array(list(asked.kinds))[of],
        alone=alone,
        acted=acted,
        value=asked.value * np.exp(rng.normal(0, 0.8, n)),
        features=_features(rng, of, own, len(kinds), asked),
        risk=_sigmoid(_logit(alone) + rng.normal(0, 0.3, n)),
        treated=treated,
        done=done,
        churned=rng.random(n) < np.where(done, acted, alone),
        reached=asked.reached,
        leaked=asked.leaked,
    )


def _features(
    rng: np.random.Generator, of: NDArray[np.intp], own: FloatArray, kinds: int, asked: Population
) -> FloatArray:
    seen = rng.normal(size=(len(of), kinds + 1 + asked.noise))
    seen[np.arange(len(of)), of] += asked.tell
    seen[:, kinds] = own + asked.spread * seen[:, kinds]
    return seen


def _logit(p: FloatArray) -> FloatArray:
    return np.asarray(np.log(p / (1 - p)))


def _sigmoid(log_odds: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-log_odds)))
