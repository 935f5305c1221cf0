"""BG/NBD and Pareto/NBD of PyMC-Marketing: P(no purchase in the horizon).

Fitted the classical way, to the purchase histories of all customers who bought before the test
cutoff, at the mode of the posterior under the default priors. At most so many customers are
drawn for the fit; its four parameters need no more.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# The types are checked where PyMC-Marketing is not installed.
from pymc_marketing import clv  # type: ignore[import-not-found, unused-ignore]

from peers.quality.run import Task

_CUSTOMERS = 5_000
_DAY = 86_400
_SEED = 0


def predict(task: Task, model: str) -> np.ndarray:
    """Churn probabilities of the test rows; the model is ``bgnbd`` or ``pareto``."""
    test = task.table("test")
    histories = _histories(task.table("purchases"), test["cutoff"].iloc[0])
    drawn = histories.sample(min(len(histories), _CUSTOMERS), random_state=_SEED)
    asked = histories.set_index("customer_id").loc[test["customer_id"]].reset_index()
    if model == "bgnbd":
        fitted = clv.BetaGeoModel(drawn)
        fitted.fit(method="map", progressbar=False)
        p = fitted.expected_probability_no_purchase(t=task.horizon_days, data=asked)
    else:
        fitted = clv.ParetoNBDModel(drawn)
        fitted.fit(method="map", progressbar=False)
        p = fitted.expected_purchase_probability(
            data=asked, n_purchases=0, future_t=task.horizon_days
        )
    return np.clip(np.asarray(p).ravel(), 0.0, 1.0)


def _histories(purchases: pd.DataFrame, cutoff: pd.Timestamp) -> pd.DataFrame:
    """Repeat purchases, days to the last one and days since the first, customer by customer."""
    bought = purchases[purchases["is_return"] == 0].groupby("customer_id")["ts"]
    first, last = bought.min(), bought.max()
    return pd.DataFrame(
        {
            "frequency": bought.size() - 1,
            "recency": (last - first).dt.total_seconds() / _DAY,
            "T": (cutoff - first).dt.total_seconds() / _DAY,
        }
    ).reset_index()
