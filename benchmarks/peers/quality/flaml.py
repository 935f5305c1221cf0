"""FLAML on churnkit's features at all training cutoffs, customers kept together."""

from __future__ import annotations

import numpy as np

# The types are checked where FLAML is not installed.
from flaml import AutoML  # type: ignore[import-not-found, unused-ignore]

from peers.quality.run import Task

_SEED = 0


def predict(task: Task) -> np.ndarray:
    """Churn probabilities of the test rows."""
    train = task.table("train")
    model = AutoML()
    model.fit(
        task.features(train),
        train["churned"].to_numpy().astype(int),
        task="classification",
        metric="log_loss",
        time_budget=task.seconds,
        eval_method="cv",
        split_type="group",
        groups=train["customer_id"].to_numpy(),
        seed=_SEED,
        verbose=0,
    )
    return np.asarray(model.predict_proba(task.features(task.table("test"))))[:, 1]
