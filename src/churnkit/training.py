"""Training, whole: trials, choice, gates, the final model, and the card that tells of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from inspect import signature
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit import __version__
from churnkit.clock import Cutoff, horizon_ends_by
from churnkit.dataset import Dataset, Recipe, Schedule, Untreating
from churnkit.errors import GateRefused
from churnkit.evaluation import Backtest, Trial, backtest, fit_chosen
from churnkit.explain import Driver, drivers
from churnkit.features import Features
from churnkit.gates import Gate, Grade, gates_of, grade_of
from churnkit.labels import Question
from churnkit.lights import LIGHTS, Evidence, Past, TrafficLight, realised
from churnkit.logs import CustomerLogs
from churnkit.metrics import METRICS, Interval, evaluate
from churnkit.model import ChurnModel
from churnkit.notebook import panel
from churnkit.profit import Money, Profit, profit_of
from churnkit.progress import Progress, Step, part_of, silent
from churnkit.spend import MEASURES, WAYS, Worth, fit_spend, worth_of

if TYPE_CHECKING:
    import pandas as pd

_QUARTILES = (0.25, 0.5, 0.75)
_TESTING, _TESTED = 0.75, 0.8
"""Share of the time of a training that its tests take, and when they are judged, about."""


@dataclass(frozen=True)
class Training:
    """A trained model and the evidence for it.

    Attributes
    ----------
    model
        The chosen model, fitted on all cutoffs.
    backtest
        The trials it was chosen and tested by.
    learnt
        The rows of the final fit.
    allowed
        Keys of `churnkit.gates.GATES` that may fail.
    money
        What a campaign costs and may keep.
    tuning
        What a search for better settings came to, as JSON-ready values; ``None`` without one.
    worth
        What tells the expected spend, and the evidence for it; ``None`` without amounts.
    sample
        What was drawn of the customers before anything was learnt, as JSON-ready values;
        ``None`` if they were all there.
    """

    model: ChurnModel
    backtest: Backtest
    learnt: Dataset
    allowed: tuple[str, ...] = ()
    money: Money = field(default_factory=Money)
    tuning: Mapping[str, Any] | None = None
    worth: Worth | None = None
    sample: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        model = self.model
        return f"<Training: {model.rung} on {len(model.names):,} features; {self.backtest!r}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the model, how far it is to be trusted, and the evidence."""
        failed = ", ".join(gate.name for gate in self.gates if not gate.passed)
        facts = {
            **self.backtest.facts,
            "grade": str(self.grade),
            "gates": f"not met: {failed}" if failed else "all met",
            **self.model.facts,
        }
        return panel(f"Training: {self.model.rung} is used", facts, [self.backtest.metrics_table])

    @cached_property
    def gates(self) -> tuple[Gate, ...]:
        """What the model must meet to become champion."""
        return gates_of(self.backtest, self.allowed)

    @cached_property
    def grade(self) -> Grade:
        """How far the model is to be trusted."""
        return grade_of(self.backtest, self.gates)

    @cached_property
    def profit(self) -> Profit:
        """What calling by the model would have earned on the test."""
        test, rung = self.backtest.test, self.model.rung
        columns = test.data.churned, test.probabilities[rung], test.data.features.customer_id
        return profit_of(*columns, money=self.money, weight=test.data.weight)

    def require_gates(self) -> None:
        """Refuse a model that fails a gate.

        Raises
        ------
        GateRefused
            Naming every gate that failed and what was found.
        """
        failed = [gate for gate in self.gates if not gate.open]
        if failed:
            told = [f"{gate.name}: {gate.says}" for gate in failed]
            waived = " ".join(f"--allow {gate.key}" for gate in failed)
            raise GateRefused(
                "the model does not become champion; " + "; ".join(told),
                "It is kept in its bundle. Look at the features and the definition of churn; "
                f"or, if you know better, train with {waived}.",
            )

    def table(self) -> pd.DataFrame:
        """Model against plain rules on the test: one row per rung, texts with 95 % intervals."""
        import pandas as pd

        rows = {name: {m: str(i) for m, i in told.items()} for name, told in self._metrics.items()}
        table = pd.DataFrame.from_dict(rows, orient="index")
        table.insert(0, "used", ["✓" if name == self.model.rung else "" for name in rows])
        return table.rename_axis("model")

    def evidence(self, known_by: Cutoff | None = None) -> Evidence:
        """What came of the tests, for policies that look at it.

        Parameters
        ----------
        known_by
            Only tests whose outcome was known at this cutoff; by default all.

        Notes
        -----
        Customers are counted, not weighed, since a bound that holds for so many of them takes
        each for one that chance drew by itself.
        """
        days = self.model.question.horizon_days
        return Evidence(
            tuple(
                Past.of(str(t.cutoff), t.probabilities[self.model.rung], t.data.churned)
                for t in self.backtest.trials
                if known_by is None or horizon_ends_by(t.cutoff, days, known_by)
            )
        )

    def lights(self, light: TrafficLight | None = None) -> list[dict[str, Any]]:
        """Red, yellow, green: customers of the test, and the share of them that churned.

        A policy that looks at earlier tests sees those whose outcome was known when the test began.
        Customers are counted, not weighed, as in `evidence`.
        """
        test = self.backtest.test
        fitted = (light or TrafficLight()).fit(self.evidence(test.cutoff))
        rate = test.data.run_rate
        model = test.models[self.model.rung]
        value = None if rate is None else model.expected_spend(test.data.features, rate)
        p = test.probabilities[self.model.rung]
        colours = fitted.assign(p, test.data.features, value).light
        churned = realised(colours, test.data.churned)
        return [
            {
                "light": colour,
                "customers": int((colours == colour).sum()),
                "churned": interval_dict(churned[colour]),
            }
            for colour in reversed(LIGHTS)
        ]

    def card(
        self, light: TrafficLight | None = None, origin: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The model card as JSON-ready values.

        The lights of the test are those of ``light``; ``origin`` is what `churnkit.origin.origin`
        tells, where that is known.
        """
        question, lights = self.model.question, self.lights(light)
        made = self.model.estimator.recipe()
        return {
            "churnkit": __version__,
            "model": self.model.rung,
            "question": question.rule,
            "churn": question.churn,
            "horizon_days": question.horizon_days,
            "lookback_days": question.lookback_days,
            "timezone": self.learnt.features.zone,
            "features": len(self.model.names),
            "inputs": _inputs(self.learnt.features, self.model.names),
            "estimator": {"kind": made.pop("kind"), "parameters": made},
            "seeds": {"bootstrap": signature(evaluate).parameters["seed"].default},
            "origin": dict(origin or {}),
            "training": {
                "cutoffs": list(self.model.trained_on),
                "rows": len(self.learnt),
                "customers": self.learnt.customers,
                "base_rate": self.learnt.base_rate,
            },
            "sample": None if self.sample is None else dict(self.sample),
            "untreated": self.learnt.untreated,
            "verdict": self.backtest.verdict,
            "grade": self.grade.letter,
            "grade_says": self.grade.says,
            "gates": [asdict(gate) for gate in self.gates],
            "tuning": None if self.tuning is None else dict(self.tuning),
            "warnings": out_of_order(lights),
            "profit": _profit(self.profit),
            "spend": None if self.worth is None else _worth(self.worth),
            "trials": [_trial(trial) for trial in self.backtest.trials],
            "calibration": _calibration(self.backtest.test, self.model.rung),
            "lights": lights,
            "evidence": self.evidence().told(),
            "drivers": [asdict(driver) for driver in self._drivers],
        }

    @cached_property
    def _drivers(self) -> list[Driver]:
        """Drivers of the model of the test, on the customers of the test."""
        test = self.backtest.test
        return drivers(test.models[self.model.rung], test.data.features, test.data.churned)

    @property
    def _metrics(self) -> dict[str, dict[str, Interval]]:
        return self.backtest.test.metrics


def train(
    logs: CustomerLogs,
    question: Question | None = None,
    schedule: Schedule | None = None,
    progress: Progress = silent,
    *,
    recipe: Recipe | None = None,
    untreated: Untreating | None = None,
) -> Training:
    """Test the whole ladder on later cutoffs, choose, and fit the choice on all of them.

    Parameters
    ----------
    logs
        Checked logs.
    question
        What churn means; no purchase within 90 days by default.
    schedule
        When is trained and tested.
    progress
        Told what is being done.
    recipe
        How the models are made.
    untreated
        Takes out of all rows, of training and of tests, what actions have changed, such as
        `churnkit.outcomes.untreating` makes it; by default nothing is taken out.

    Raises
    ------
    GateRefused
        If the data are too little for a training and a later test.
    ConfigError
        If the question needs a log that is absent.
    """
    asked, when = question or Question(), schedule or Schedule()
    asked.require(logs)
    testing = part_of(progress, 0, 1, weight=_TESTING)
    trials = backtest(logs, asked, when, testing, recipe, untreated)
    progress(Step("trying what tells the expected spend", _TESTING, 1))
    worth = worth_of(trials)
    last = part_of(progress, _TESTED, 1)
    model, learnt = fit_chosen(logs, trials, when, last)
    if worth is not None:
        model = replace(model, spend=fit_spend(worth.used, learnt, asked))
    return Training(model, trials, learnt, worth=worth)


def card_text(card: Mapping[str, Any]) -> str:
    """The model card as Markdown."""
    test, training = card["trials"][-1], card["training"]
    cutoffs = training["cutoffs"]
    gates = [f"- {gate_word(gate)}: {gate['name']} ({gate['says']})" for gate in card["gates"]]
    return f"""# Churn model: {card["model"]}

Asks: {card["question"]}.

{card["verdict"]}.

{Grade(card["grade"], card["grade_says"])}.
{_tuning(card)}
Trained on {training["rows"]:,} rows of {training["customers"]:,} customers at {len(cutoffs)}
cutoffs from {cutoffs[0]} to {cutoffs[-1]}; {training["base_rate"]:.1%} churned.
{card["features"]} features.
{_sample(card)}{_untreated(card)}
## Test at {test["cutoff"]}

{test["customers"]:,} customers at risk, {test["base_rate"]:.1%} churned.
{_untreated(test)}Brackets hold 95 % bootstrap intervals, clustered by customer.

{_markdown_table(test["metrics"])}

## Gates

{chr(10).join(gates)}

## Profit

With {card["profit"]["money"]["rule"]}: {card["profit"]["says"]}.

## Spend

{_spend_text(card["spend"])}

## Made by

{chr(10).join(_made_by(card))}

## Limits

- Probabilities hold for customers at risk under the rule above, and only as far as the time of
  scoring resembles the time of training.
- Reasons are associations, not effects: they do not say what would keep a customer.
"""


def _made_by(card: Mapping[str, Any]) -> Iterator[str]:
    """Program, settings and logs, as a list."""
    origin = card["origin"]
    yield f"- churnkit {card['churnkit']}"
    if origin.get("commit"):
        yield f"- commit {origin['commit']} of the project"
    if origin.get("config_sha256"):
        yield f"- churnkit.toml with sha256 {origin['config_sha256']}"
    for log in origin.get("logs", ()):
        yield (
            f"- {log['log']}: {log['rows']:,} rows of {log['customers']:,} customers from "
            f"{log['source']}" + (f", sha256 {log['sha256']}" if log["sha256"] else "")
        )


def _markdown_table(metrics: Mapping[str, Any]) -> str:
    lines = ["| model | " + " | ".join(METRICS) + " |", "|---" * (len(METRICS) + 1) + "|"]
    for rung, told in metrics.items():
        cells = [str(interval_of(told[name])) for name in METRICS]
        lines.append(f"| {rung} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _inputs(features: Features, names: Sequence[str]) -> list[dict[str, Any]]:
    """Name and type of each feature, and the quartiles of its column: no customer's own values."""
    types = {"int32": "integer", "float32": "float", "float64": "double"}
    return [
        {
            "name": name,
            "type": types[features.columns[name].dtype.name],
            "example": _quartiles(features.columns[name]),
        }
        for name in names
    ]


def _quartiles(values: np.ndarray) -> list[float | None]:
    there = values[np.isfinite(values)]
    if not len(there):
        return [None] * len(_QUARTILES)
    return np.quantile(there, _QUARTILES, method="inverted_cdf").tolist()


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "cutoff": str(trial.cutoff),
        "customers": len(trial.data),
        "base_rate": trial.data.base_rate,
        "untreated": trial.data.untreated,
        "metrics": {
            rung: {metric: interval_dict(found) for metric, found in told.items()}
            for rung, told in trial.metrics.items()
        },
    }


def _calibration(trial: Trial, rung: str) -> list[dict[str, Any]]:
    bins = trial.calibration(rung)
    return [{**told, "observed": interval_dict(told["observed"])} for told in bins]


def out_of_order(lights: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sentences about lights (red first) of which a worse one churned less, beyond chance."""
    told = [light for light in lights if light["churned"]["value"] is not None]
    return [
        f"{worse['churned']['value']:.1%} of the {worse['light']} customers of the test churned, "
        f"and {better['churned']['value']:.1%} of the {better['light']} ones: the lights do not "
        "tell who is at risk; look at the rules in [lights]"
        for worse, better in pairwise(told)
        if worse["churned"]["high"] < better["churned"]["low"]
    ]


def gate_word(told: Mapping[str, Any]) -> str:
    """What became of a gate of a card: passed, waived or FAILED."""
    return "passed" if told["passed"] else "waived" if told["waived"] else "FAILED"


def _untreated(told: Mapping[str, Any]) -> str:
    """What was left out of training, or of a test; cards of earlier versions do not tell."""
    says = told.get("untreated")
    return f"Treated customers: {says}.\n" if says else ""


def _sample(card: Mapping[str, Any]) -> str:
    """What was drawn of the customers; cards of earlier versions do not tell."""
    told = card.get("sample")
    return f"Sample: {told['says']}.\n" if told else ""


def _tuning(card: Mapping[str, Any]) -> str:
    return f"\nTuning: {card['tuning']['says']}.\n" if card["tuning"] else ""


def _profit(profit: Profit) -> dict[str, Any]:
    told = {key: getattr(profit, key) for key in ("expected", "most", "share", "everyone")}
    return {
        "money": {**asdict(profit.money), "rule": profit.money.rule},
        "pays_from": profit.money.pays_from if profit.money.pays_from < 1 else None,
        "says": profit.says,
        **{key: interval_dict(found) for key, found in told.items()},
        "curve": profit.curve.tolist(),
    }


def _worth(worth: Worth) -> dict[str, Any]:
    test = worth.test
    return {
        "used": worth.used,
        "says": worth.says,
        "cutoff": str(test.cutoff),
        "stayers": len(test.spent),
        "ways": {
            way: {
                "says": WAYS[way],
                **{name: interval_dict(i) for name, i in test.metrics(way).items()},
            }
            for way in test.expected
        },
    }


def _spend_text(spend: Mapping[str, Any] | None) -> str:
    """What tells the spend of a customer who stays, beside the run rate, as Markdown."""
    if spend is None:
        return "The logs tell no amounts: what a customer is worth is unknown."
    lines = ["| way | " + " | ".join(MEASURES) + " |", "|---" * (len(MEASURES) + 1) + "|"]
    for way, told in spend["ways"].items():
        cells = [str(interval_of(told[name])) for name in MEASURES]
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    where = f"On {spend['stayers']:,} customers who stayed after {spend['cutoff']}:"
    return "\n".join([f"{spend['says']}. {where}", "", *lines])


def interval_of(told: Mapping[str, float | None]) -> Interval:
    """The interval that `interval_dict` told."""
    return Interval(**{key: float("nan") if v is None else v for key, v in told.items()})


def interval_dict(interval: Interval) -> dict[str, float | None]:
    """An interval as JSON-ready values, ``None`` where it is undefined."""
    told = {"value": interval.value, "low": interval.low, "high": interval.high}
    return {key: None if value != value else float(value) for key, value in told.items()}
