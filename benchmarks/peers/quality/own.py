"""churnkit: its backtest, and the tables that the other models are given.

The ladder is trained and tested at two cutoffs, the first of which chooses the default; the others
are given the logs before the last one, the rows of its training and those of its test.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from churnkit.clock import Cutoff, seen_before
from churnkit.config import load_settings
from churnkit.dataset import Dataset
from churnkit.evaluation import Trial, backtest
from churnkit.logs import MONEY_UNITS, QUANTITY_UNITS, SCORE_UNITS, CustomerLogs, Events
from churnkit.model import PLAIN_RULES
from peers.quality.run import Task, write

CONFIG, TOLD = "churnkit.toml", "told.json"
_UNITS = {"amount": MONEY_UNITS, "items": QUANTITY_UNITS, "score": SCORE_UNITS}


def predict(task: Task) -> np.ndarray:
    """Churn probabilities of the test rows by the default, those of the ladder written aside."""
    folder = Path(task.folder)
    settings = load_settings(folder / CONFIG)
    logs, question = settings.read_logs(), settings.asked()
    schedule = replace(settings.schedule(), until=settings.cutoff(task.until))
    found = backtest(logs, question, schedule, recipe=settings.recipe())
    trial = found.test
    tested = np.char.endswith(trial.data.features.customer_id.astype(str), task.ending)
    _hand_over(logs, trial, tested, folder)
    for name, p in trial.probabilities.items():
        write(task, f"ladder:{name}", p[tested])
    told = {
        "chosen": found.chosen,
        "rules": [name for name in PLAIN_RULES if name in trial.probabilities],
        "question": question.rule,
        "cutoff": str(trial.cutoff),
        "rungs": list(trial.probabilities),
    }
    (folder / TOLD).write_text(json.dumps(told), encoding="utf-8")
    return np.asarray(trial.probabilities[found.chosen][tested])


def _hand_over(logs: CustomerLogs, trial: Trial, tested: np.ndarray, folder: Path) -> None:
    if trial.learnt is None:
        raise RuntimeError("the trial has let go of what it learnt from")
    _rows(trial.learnt).to_parquet(folder / "train.parquet")
    test = _rows(trial.data)[tested].reset_index(drop=True)
    np.save(folder / "churned.npy", test.pop("churned").to_numpy())
    test.to_parquet(folder / "test.parquet")
    for name, rows in _logs_before(logs, trial.cutoff).items():
        rows.to_parquet(folder / f"{name}.parquet")


def _rows(dataset: Dataset) -> pd.DataFrame:
    features = dataset.features
    keys = {"customer_id": features.customer_id.astype(str), "cutoff": _instants(features.cutoff)}
    columns = {name: values.astype(np.float64) for name, values in features.columns.items()}
    return pd.DataFrame({**keys, "churned": dataset.churned, **columns})


def _logs_before(logs: CustomerLogs, cutoff: Cutoff) -> dict[str, pd.DataFrame]:
    """Log → its events before a cutoff, as checked and folded."""
    found: dict[str, list[pd.DataFrame]] = {}
    for block in logs.blocks():
        for name in ("purchases", "activity", "surveys"):
            events = getattr(block, name)
            if events is not None:
                known = events.where(seen_before(events.ts, cutoff))
                found.setdefault(name, []).append(_frame(known, block.customer_ids))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}


def _frame(events: Events, ids: np.ndarray) -> pd.DataFrame:
    columns = {
        name: np.asarray(events.vocabularies[name], dtype=object)[values]
        if name in events.vocabularies
        else values / _UNITS.get(name, 1)
        for name, values in events.columns.items()
    }
    keys = {"customer_id": ids[events.customer].astype(str), "ts": _instants(events.ts)}
    return pd.DataFrame({**keys, **columns})


def _instants(us: np.ndarray) -> np.ndarray:
    return us.astype("datetime64[us]")
