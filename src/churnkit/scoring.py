"""From a loaded model and logs to scores, lights, ranks and a call list; and to a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from churnkit.atomic import whole_file
from churnkit.clock import Cutoff
from churnkit.errors import ConfigError, DataError
from churnkit.explain import reasons
from churnkit.features import Features, FeatureSpec, build_beside, plan_features
from churnkit.index import BlockIndex, Observations
from churnkit.labels import Question, expected_value
from churnkit.lights import Lights, Policy, assign
from churnkit.logs import CustomerLogs
from churnkit.model import ChurnModel
from churnkit.spreadsheet import FORMULA_STARTS

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Scores:
    """What is known and said about every customer at risk at one cutoff.

    Attributes
    ----------
    as_of
        The cutoff.
    model
        The model that scored.
    features
        Features of the customers at risk, one row each.
    probability
        Churn probability of each row, in [0, 1].
    value_at_risk
        Money expected over the horizon if the customer stays, NaN where unknown.
    lights
        Colours and the rules behind them.
    reasons
        Up to four reasons for each row.
    """

    as_of: Cutoff
    model: ChurnModel
    features: Features
    probability: np.ndarray
    value_at_risk: np.ndarray
    lights: Lights
    reasons: list[list[str]]

    def __len__(self) -> int:
        return len(self.probability)

    @property
    def rank(self) -> np.ndarray:
        """1 for whom to look at first: probability × value at risk, then probability, then id.

        Without any amounts the probability alone decides; an unknown value among known ones
        counts as zero.
        """
        weight = self.probability * np.nan_to_num(self.value_at_risk, nan=0.0)
        order = np.lexsort((self.features.customer_id.astype(str), -self.probability, -weight))
        rank = np.empty(len(self), dtype=np.int64)
        rank[order] = np.arange(1, len(self) + 1)
        return rank

    def to_frame(self) -> pd.DataFrame:
        """One row per customer at risk, best rank first.

        Columns: ``customer_id``, ``as_of``, ``churn_probability``, ``light``, ``rank``,
        ``value_at_risk``, ``reasons`` and ``rules`` (texts joined by "; "), ``base_light``,
        ``model_version``.
        """
        import pandas as pd

        frame = pd.DataFrame(
            {
                "customer_id": self.features.customer_id.astype(str),
                "as_of": str(self.as_of),
                "churn_probability": self.probability,
                "light": self.lights.light.astype(str),
                "rank": self.rank,
                "value_at_risk": self.value_at_risk,
                "reasons": ["; ".join(told) for told in self.reasons],
                "rules": ["; ".join(told) for told in self.lights.rules],
                "base_light": self.lights.base.astype(str),
                "model_version": self.model.version,
            }
        )
        return frame.sort_values("rank", ignore_index=True)

    def call_list(self, calls: int | None = None) -> pd.DataFrame:
        """The red and yellow customers, best rank first, at most ``calls`` of them."""
        frame = self.to_frame()
        return frame[frame["light"] != "green"].iloc[:calls].reset_index(drop=True)


def score(
    model: ChurnModel, logs: CustomerLogs, as_of: Cutoff, policy: Policy | None = None
) -> Scores:
    """Score every customer at risk at a cutoff, from what is known before it.

    Raises
    ------
    DataError
        If the logs lack a log the model was trained on, or nobody is at risk.
    """
    _same_logs(model.spec, logs)

    def value(block: BlockIndex, at: Observations) -> np.ndarray:
        return expected_value(block, at, model.question.horizon_days)

    plan = plan_features(logs, as_of, model.spec)
    features, beside = build_beside(logs, plan, {"value": value}, population=model.question.at_risk)
    if not len(features):
        raise _nobody_at_risk(model.question, logs, as_of)
    probability = model.churn_probability(features)
    return Scores(
        as_of=as_of,
        model=model,
        features=features,
        probability=probability,
        value_at_risk=beside["value"],
        lights=assign(probability, features, policy),
        reasons=reasons(model, features),
    )


def write_scores(scores: Scores, path: Path) -> None:
    """Write the scores as Parquet or CSV, by the ending; the file appears whole or not at all.

    In CSV, texts that a spreadsheet would run as a formula are preceded by an apostrophe.

    Raises
    ------
    ConfigError
        If the ending is neither ``.parquet`` nor ``.csv``, or the folder cannot be written to.
    """
    write_frame(scores.to_frame(), path)


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame under the rules of `write_scores`."""
    ending = ending_of(path)
    with whole_file(path) as aside:
        if ending == ".parquet":
            frame.to_parquet(aside, index=False)
        else:
            # Only with this line end does every Python quote a text that holds a bare CR.
            neutralised(frame).to_csv(aside, index=False, lineterminator="\r\n")


def ending_of(path: Path) -> str:
    """``.parquet`` or ``.csv``, whichever a table is to be written as.

    Raises
    ------
    ConfigError
        If the path ends with neither.
    """
    ending = path.suffix.lower()
    if ending not in {".parquet", ".csv"}:
        raise ConfigError(f"{path}: tables are not written as {ending!r}", "Use .parquet or .csv.")
    return ending


def neutralised(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with an apostrophe before every text that a spreadsheet would run."""
    texts = frame.select_dtypes(include=["object", "string", "category"])
    safe = {c: frame[c].map(_neutral, na_action="ignore") for c in texts.columns}
    return frame.assign(**safe)


def _neutral(text: object) -> object:
    is_formula = isinstance(text, str) and text.startswith(FORMULA_STARTS)
    return f"'{text}" if is_formula else text


def _same_logs(spec: FeatureSpec, logs: CustomerLogs) -> None:
    for log, measures in spec.logs.items():
        there = logs.measures.get(log)
        lacking = set(measures) - set(there or ())
        if there is None or lacking:
            what = f"{log} log" if there is None else f"{log} columns {', '.join(sorted(lacking))}"
            raise DataError(
                f"the model was trained with a {what} that is not there now",
                f"Give the same logs as at training, or train anew without: [logs.{log}].",
            )


def _nobody_at_risk(question: Question, logs: CustomerLogs, as_of: Cutoff) -> DataError:
    first, last = logs.first_day(question.log), logs.last_day(question.log)
    return DataError(
        f"nobody is at risk as of {as_of}: no {question.log} in the "
        f"{question.lookback_days} days before",
        f"The {question.log} log runs from {first} to {last}.",
    )
