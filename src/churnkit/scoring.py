"""From a loaded model and logs to scores, lights, ranks and a call list; and to a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from churnkit.atomic import whole_file
from churnkit.changes import Before, Change, transitions
from churnkit.clock import Cutoff
from churnkit.errors import ConfigError, DataError
from churnkit.explain import reasons
from churnkit.features import Features, FeatureSpec, build_beside, plan_features
from churnkit.features.kernel import Beside
from churnkit.labels import Question, declared_margin, run_rate
from churnkit.lights import (
    Lights,
    Override,
    TrafficLight,
    rank_of,
    ranking,
    require_features,
)
from churnkit.logs import CustomerLogs
from churnkit.model import ChurnModel
from churnkit.spreadsheet import neutralised

if TYPE_CHECKING:
    import pandas as pd

EXACT_REASONS = 5_000
"""Customers whose reasons are exact: the first of the call list, and as many as it leaves of all
others; attributing everybody exactly would take most of the time of a large scoring."""


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
        Margin expected over the horizon if the customer stays, NaN where unknown.
    lights
        Colours and the rules behind them.
    reasons
        Up to four reasons for each row; ≈ marks those that are not exact.
    leading
        For each row the theme that raises its probability most; empty where none does.
    policy
        The policy of the lights, in words.
    within
        Days, fewer than the horizon → churn probability of each row in that time.
    before
        The run before, if there was one.
    changed
        For each row why its light changed since then; empty where it did not.
    saved
        What acting on each is expected to keep, as a share of customers like it; ``None`` where
        customers are ranked by risk.
    """

    as_of: Cutoff
    model: ChurnModel
    features: Features
    probability: np.ndarray
    value_at_risk: np.ndarray
    lights: Lights
    reasons: list[list[str]]
    leading: list[str]
    policy: str = ""
    within: Mapping[int, np.ndarray] = field(default_factory=dict)
    before: Before | None = None
    changed: list[str] = field(default_factory=list)
    saved: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.probability)

    @cached_property
    def rank(self) -> np.ndarray:
        """1 for whom to look at first: probability × value at risk, then probability, then id.

        With ``saved``, that takes the place of the probability.

        Without any amounts the probability alone decides; an unknown value among known ones
        counts as zero.
        """
        customer = self.features.customer_id
        weight = self.probability if self.saved is None else self.saved
        return rank_of(ranking(weight, self.value_at_risk, customer))

    def to_frame(self) -> pd.DataFrame:
        """One row per customer at risk, best rank first.

        Columns: ``customer_id``, ``as_of``, ``churn_probability``, ``light``, ``rank``,
        ``value_at_risk``, ``reasons`` and ``rules`` (texts joined by "; "), ``base_light``,
        ``light_before`` and ``changed`` (why it differs), ``unknown`` (the sides of which nothing
        is known), ``model_version``; and ``churn_probability_30d`` where 30 days were asked for,
        too.
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
                "light_before": self.light_before,
                "changed": self.changed or [""] * len(self),
                "unknown": ["; ".join(sides) for sides in self.lights.unknown],
                "model_version": self.model.version,
                **{f"churn_probability_{days}d": p for days, p in self.within.items()},
            }
        )
        return frame.sort_values("rank", ignore_index=True)

    @property
    def light_before(self) -> list[str]:
        """The light of each row in the run before; empty where there was none."""
        return [""] * len(self) if self.before is None else [str(x) for x in self.before.light]

    @property
    def reason_groups(self) -> list[str]:
        """What each row is foremost about: playbooks are chosen by it.

        The last rule that asks for its colour, whatever the score; else the theme that raises its
        probability most; else ``score``, where no theme does.
        """
        both = zip(self.lights.deciding, self.leading, strict=True)
        return [rule or theme or "score" for rule, theme in both]

    @property
    def transitions(self) -> dict[str, dict[str, int]] | None:
        """Light before → light now → customers; ``None`` without a run before."""
        return None if self.before is None else transitions(self.before, self.lights)

    def to_run(self) -> pd.DataFrame:
        """What the ledger keeps: one row per customer at risk, best rank first.

        Columns of `to_frame` but those of shorter horizons; and ``policy``, ``yellow_from``,
        ``red_from``, ``held_light`` and ``better_due`` (what hysteresis must know), ``fired``
        (names of the rules), ``override`` (in words), ``reason`` (see `reason_groups`).
        """
        import pandas as pd

        lights = self.lights
        beside = pd.DataFrame(
            {
                "policy": self.policy,
                "yellow_from": lights.edges.yellow,
                "red_from": lights.edges.red,
                "held_light": lights.held.astype(str),
                "better_due": lights.due,
                "fired": ["; ".join(names) for names in lights.fired],
                "override": ["" if o is None else o.says for o in lights.overrides],
                "reason": self.reason_groups,
            }
        ).iloc[np.argsort(self.rank)]
        frame = replace(self, within={}).to_frame()
        return frame.assign(**{name: beside[name].to_numpy() for name in beside.columns})

    def class_of(self, column: str) -> np.ndarray:
        """The value of a static column for each row of `to_run`; empty where it is not known.

        Every value is empty if the model does not know the column.
        """
        if column not in self.features.columns:
            return np.full(len(self), "", dtype=object)
        told = self.features.class_of(column)[np.argsort(self.rank)]
        return np.array([value or "" for value in told], dtype=object)

    def call_list(self, calls: int | None = None) -> pd.DataFrame:
        """The red and yellow customers, best rank first, at most ``calls`` of them."""
        frame = self.to_frame()
        return frame[frame["light"] != "green"].iloc[:calls].reset_index(drop=True)


def score(
    model: ChurnModel,
    logs: CustomerLogs,
    as_of: Cutoff,
    light: TrafficLight | None = None,
    within: Sequence[int] = (),
    *,
    saved: Callable[[Features, np.ndarray], np.ndarray] | None = None,
    before: pd.DataFrame | None = None,
    overrides: Mapping[str, Override] | None = None,
    margin: float = 1.0,
) -> Scores:
    """Score every customer at risk at a cutoff, from what is known before it.

    Parameters
    ----------
    model, logs, as_of
        What scores whom, and when.
    light
        How lights are assigned.
    within
        Shorter horizons, in days, to tell the probability of as well.
    saved
        What acting on customers is expected to keep, of their features and churn probabilities:
        they are ranked by it instead of by risk, see `churnkit.outcomes`.
    before
        The run before, as the ledger keeps it: hysteresis goes on from it, and changes are
        explained.
    overrides
        Customer → the override that holds.
    margin
        Share of the spend that is margin, see `at_risk`.

    Raises
    ------
    DataError
        If the logs lack a log the model was trained on, or nobody is at risk.
    ConfigError
        If the model does not know of a horizon in ``within``, see `ChurnModel.require_within`; or
        a rule looks at a feature that there is not.
    """
    chosen = light or TrafficLight()
    require_features(chosen.rules, model.spec)
    if before is not None:
        Before.require(before)
    for days in within:
        model.require_within(days)  # before anybody waits
    then, features, value = _now_and_then(model, logs, as_of, before, margin)
    if not len(features):
        raise _nobody_at_risk(model.question, logs, as_of)
    probability = model.churn_probability(features)
    sooner = {days: model.churn_within(features, days) for days in sorted(set(within))}
    earlier = None if before is None else Before.of(before, features.customer_id)
    lights = chosen.assign(
        probability,
        features,
        value,
        before=None if earlier is None else earlier.memory,
        overrides=overrides,
        at=as_of,
    )
    kept = None if saved is None else saved(features, probability)
    order = ranking(probability if kept is None else kept, value, features.customer_id)
    first = np.lexsort((rank_of(order), lights.light == "green"))[:EXACT_REASONS]
    why = reasons(model, features, exact=np.isin(np.arange(len(features)), first))
    policy = chosen.policy.says
    changed = [""] * len(features)
    if earlier is not None:
        says = {rule.name: rule.says for rule in chosen.rules}
        change = Change(model, policy, earlier, lights, probability, features, then, says)
        changed = change.causes()
    return Scores(
        as_of=as_of,
        model=model,
        features=features,
        probability=probability,
        value_at_risk=value,
        lights=lights,
        reasons=why.sentences,
        leading=why.leading,
        policy=policy,
        within=sooner,
        before=earlier,
        changed=changed,
        saved=kept,
    )


def _now_and_then(
    model: ChurnModel,
    logs: CustomerLogs,
    as_of: Cutoff,
    before: pd.DataFrame | None,
    margin: float,
) -> tuple[Features, Features, np.ndarray]:
    """Features at the run before (none without one) and at this one, and the value at risk now."""
    if before is None:
        features, value = at_risk(model, logs, [as_of], margin)
        return features.where(np.zeros(len(features), dtype=bool)), features, value
    earlier = Cutoff.parse(str(before["as_of"].iloc[0]), as_of.zone)
    both, value = at_risk(model, logs, sorted({earlier, as_of}), margin)
    now = both.cutoff == as_of.us
    return both.where(both.cutoff == earlier.us), both.where(now), value[now]


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
    _same_logs(model.spec, logs)

    plan, days = plan_features(logs, cutoffs, model.spec), model.question.horizon_days
    asked: dict[str, Beside] = {
        **labels,
        "declared": partial(declared_margin, horizon_days=days),
        "run_rate": partial(run_rate, horizon_days=days),
    }
    features, beside = build_beside(logs, plan, asked, population=model.question.at_risk)
    expected = margin * model.expected_spend(features, beside["run_rate"])
    declared = beside["declared"]
    value = np.where(np.isnan(declared), expected, declared)
    return features, value, {name: beside[name] for name in labels}


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

    lacking = {column.name for column in spec.static} - set(logs.static_columns)
    if lacking:
        raise DataError(
            f"the model was trained with static columns of the customers that are not there now: "
            f"{', '.join(sorted(lacking))}",
            "Name them in static of [logs.customers] as at training, or train anew without.",
        )


def _nobody_at_risk(question: Question, logs: CustomerLogs, as_of: Cutoff) -> DataError:
    first, last = logs.first_day(question.log), logs.last_day(question.log)
    return DataError(
        f"nobody is at risk as of {as_of}: no {question.log} in the "
        f"{question.lookback_days} days before",
        f"The {question.log} log runs from {first} to {last}.",
    )
