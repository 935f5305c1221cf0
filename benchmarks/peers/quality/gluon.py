"""AutoGluon on churnkit's features; the newest training cutoff tells its models apart."""

from __future__ import annotations

import tempfile

import numpy as np

# The types are checked where AutoGluon is not installed.
from autogluon.tabular import TabularPredictor  # type: ignore[import-not-found, unused-ignore]

from peers.quality.run import Task


def predict(task: Task) -> np.ndarray:
    """Churn probabilities of the test rows."""
    train = task.table("train")
    rows = task.features(train).assign(churned=train["churned"].astype(int))
    newest = train["cutoff"] == train["cutoff"].max()
    with tempfile.TemporaryDirectory() as folder:
        model = TabularPredictor("churned", eval_metric="log_loss", path=folder, verbosity=0)
        model.fit(rows[~newest], tuning_data=rows[newest], time_limit=task.seconds)
        p = model.predict_proba(task.features(task.table("test")))
    return np.asarray(p[1])
