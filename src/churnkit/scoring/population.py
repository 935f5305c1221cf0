"""Who is at risk at a cutoff: features, and the value at risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from churnkit.clock import Cutoff
from churnkit.errors import DataError
from churnkit.features import Features, FeatureSpec, build_beside, plan_features
from churnkit.features.kernel import Beside
from churnkit.labels import Question, declared_margin, run_rate
from churnkit.logs import CustomerLogs
from churnkit.model import ChurnModel


def at_risk(
    model: ChurnModel, logs: CustomerLogs, cutoffs: Sequence[Cutoff], margin: float = 1.0
) -> tuple[Features, np.ndarray]:
    """Features of every customer at risk at each cutoff, and the value at risk of each row.

    That is the margin expected over the horizon if the customer stays: what is declared for it
    where something is, else the margin of the spend that the model expects; NaN where the logs
    tell no money of the customer.

    Parameters
    ----------
    model, logs, cutoffs
        The model, checked logs, and when.
    margin
        Share of the spend that is margin, in (0, 1].

    Raises
    ------
    DataError
        If the logs lack a log the model was trained on.
    """
    features, value, _ = at_risk_beside(model, logs, cutoffs, {}, margin)
    return features, value


def at_risk_beside(
    model: ChurnModel,
    logs: CustomerLogs,
    cutoffs: Sequence[Cutoff],
    labels: Mapping[str, Beside],
    margin: float = 1.0,
) -> tuple[Features, np.ndarray, Mapping[str, np.ndarray]]:
    """What `at_risk` tells, and more of each row that is read in the same pass.

    Parameters
    ----------
    model, logs, cutoffs, margin
        As for `at_risk`.
    labels
        Name → what is looked up for each row.

    Returns
    -------
    Features, numpy.ndarray, Mapping
        The features, the value at risk, and name → what was looked up.
    """
    require_same_logs(model.spec, logs)
    plan = plan_features(logs, cutoffs, model.spec)
    asked = {**labels, **money_beside(model)}
    features, beside = build_beside(logs, plan, asked, population=model.question.at_risk)
    value = value_at_risk(model, features, beside, margin)
    return features, value, {name: beside[name] for name in labels}


def money_beside(model: ChurnModel) -> dict[str, Beside]:
    """What `value_at_risk` must know of each row beside its features."""
    days = model.question.horizon_days
    return {
        "declared": partial(declared_margin, horizon_days=days),
        "run_rate": partial(run_rate, horizon_days=days),
    }


def value_at_risk(
    model: ChurnModel, features: Features, beside: Mapping[str, np.ndarray], margin: float
) -> np.ndarray:
    """The value at risk of each row, see `at_risk`.

    Parameters
    ----------
    model, features, margin
        As for `at_risk`.
    beside
        What was looked up by `money_beside`.
    """
    expected = margin * model.expected_spend(features, beside["run_rate"])
    return np.where(np.isnan(beside["declared"]), expected, beside["declared"])


def require_same_logs(spec: FeatureSpec, logs: CustomerLogs) -> None:
    """Refuse logs that lack what a model was trained with.

    Raises
    ------
    DataError
        Naming the log and the columns.
    """
    for log, measures in spec.logs.items():
        there = logs.measures.get(log)
        lacking = set(measures) - set(there or ())
        if there is None or lacking:
            what = f"{log} log" if there is None else f"{log} columns {', '.join(sorted(lacking))}"
            raise DataError(
                f"the model was trained with a {what} that is not there now",
                f"Give the same logs as at training, or train anew without: [logs.{log}].",
            )

    lacking = {column.name for column in spec.static} - set(logs.static_columns)
    if lacking:
        raise DataError(
            f"the model was trained with static columns of the customers that are not there now: "
            f"{', '.join(sorted(lacking))}",
            "Name them in static of [logs.customers] as at training, or train anew without.",
        )


def nobody_at_risk(question: Question, logs: CustomerLogs, as_of: Cutoff) -> DataError:
    """What is told where nobody is at risk."""
    first, last = logs.first_day(question.log), logs.last_day(question.log)
    return DataError(
        f"nobody is at risk as of {as_of}: no {question.log} in the "
        f"{question.lookback_days} days before",
        f"The {question.log} log runs from {first} to {last}.",
    )
