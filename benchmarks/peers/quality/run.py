"""One model, once, in a process of its own: `python -m peers.quality.run MODEL TASK`.

Writes the churn probabilities of the test rows to the folder of the task and prints the seconds;
what importing its libraries takes is not measured. Needs NumPy and pandas only, so that a model
can run under an interpreter without churnkit.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

KEYS = ["customer_id", "cutoff"]


@dataclass(frozen=True)
class Task:
    """What a model is asked for.

    Attributes
    ----------
    folder
        Where everything lies. ``train.parquet`` and ``test.parquet`` hold `KEYS` and churnkit's
        features, ``train.parquet`` also ``churned``; each log, such as ``purchases.parquet``,
        holds the events before the test cutoff.
    horizon_days
        Length of the time ahead.
    until
        ISO day on which the test's horizon ends.
    seconds
        How long a model that can use any time may take.
    ending
        Only the customers whose ids end so are tested.
    """

    folder: str
    horizon_days: int
    until: str
    seconds: int
    ending: str = ""

    def table(self, name: str) -> pd.DataFrame:
        """One of the tables."""
        import pandas as pd

        return pd.read_parquet(Path(self.folder) / f"{name}.parquet")

    def has(self, name: str) -> bool:
        """Whether a table is there."""
        return (Path(self.folder) / f"{name}.parquet").exists()

    def features(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The features of ``train`` or ``test``."""
        return rows.drop(columns=[*KEYS, "churned"], errors="ignore")

    def probabilities(self, model: str) -> Path:
        """Where a model's probabilities go, one for each row of ``test``."""
        return Path(self.folder) / f"{model}.npy"

    def to_json(self) -> str:
        """The task as JSON, for the command line."""
        return json.dumps(asdict(self))


def write(task: Task, model: str, p: np.ndarray) -> None:
    """Write the probabilities of the rows of ``test``."""
    import numpy as np

    np.save(task.probabilities(model), np.asarray(p, dtype=np.float64))


def main() -> None:
    """Parse, run, write the probabilities, and print the seconds as the last line."""
    model, told = sys.argv[1:]
    module, _, variant = model.partition(":")
    task = Task(**json.loads(told))
    predict = importlib.import_module(f"peers.quality.{module}").predict
    start = time.perf_counter()
    p = predict(task, variant) if variant else predict(task)
    seconds = time.perf_counter() - start
    write(task, model, p)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
