"""Training, whole: trials, choice, gates, the final model, and the card that tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from churnkit import __version__
from churnkit.dataset import Dataset, Recipe, Schedule
from churnkit.errors import GateRefused
from churnkit.evaluation import Backtest, Gate, Progress, Trial, backtest, fit_chosen, silent
from churnkit.explain import Driver, drivers
from churnkit.labels import Question
from churnkit.lights import LIGHTS, Policy, assign, realised
from churnkit.logs import CustomerLogs
from churnkit.metrics import METRICS, Interval
from churnkit.model import ChurnModel

if TYPE_CHECKING:
    import pandas as pd


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
    """

    model: ChurnModel
    backtest: Backtest
    learnt: Dataset

    @property
    def gates(self) -> tuple[Gate, ...]:
        """What the model must meet to become champion."""
        return self.backtest.gates

    def require_gates(self) -> None:
        """Refuse a model that fails a gate.

        Raises
        ------
        GateRefused
            Naming every gate that failed and what was found.
        """
        failed = [f"{gate.name}: {gate.says}" for gate in self.gates if not gate.passed]
        if failed:
            raise GateRefused(
                "the model does not become champion; " + "; ".join(failed),
                "It is kept in its bundle. Look at the features and the definition of churn.",
            )

    def table(self) -> pd.DataFrame:
        """Model against plain rules on the test: one row per rung, texts with 95 % intervals."""
        import pandas as pd

        rows = {name: {m: str(i) for m, i in told.items()} for name, told in self._metrics.items()}
        table = pd.DataFrame.from_dict(rows, orient="index")
        table.insert(0, "used", ["✓" if name == self.model.rung else "" for name in rows])
        return table.rename_axis("model")

    def lights(self, policy: Policy | None = None) -> list[dict[str, Any]]:
        """Red, yellow, green: customers of the test, and the share of them that churned."""
        test = self.backtest.test
        lights = assign(test.probabilities[self.model.rung], test.data.features, policy)
        churned = realised(lights, test.data.churned)
        return [
            {
                "light": light,
                "customers": int((lights.light == light).sum()),
                "churned": interval_dict(churned[light]),
            }
            for light in reversed(LIGHTS)
        ]

    def card(self, policy: Policy | None = None) -> dict[str, Any]:
        """The model card as JSON-ready values; the lights of the test follow the policy."""
        question = self.model.question
        return {
            "churnkit": __version__,
            "model": self.model.rung,
            "question": question.rule,
            "churn": question.churn,
            "horizon_days": question.horizon_days,
            "lookback_days": question.lookback_days,
            "features": len(self.model.names),
            "training": {
                "cutoffs": list(self.model.trained_on),
                "rows": len(self.learnt),
                "customers": self.learnt.customers,
                "base_rate": self.learnt.base_rate,
            },
            "verdict": self.backtest.verdict,
            "gates": [{"name": g.name, "passed": g.passed, "says": g.says} for g in self.gates],
            "trials": [_trial(trial) for trial in self.backtest.trials],
            "calibration": _calibration(self.backtest.test, self.model.rung),
            "lights": self.lights(policy),
            "drivers": [asdict(driver) for driver in self._drivers()],
        }

    def _drivers(self) -> list[Driver]:
        """Drivers of the model of the test, on the customers of the test."""
        test = self.backtest.test
        return drivers(test.models[self.model.rung], test.data.features)

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

    Raises
    ------
    GateRefused
        If the data are too little for a training and a later test.
    ConfigError
        If the question needs a log that is absent.
    """
    asked, when = question or Question(), schedule or Schedule()
    asked.require(logs)
    trials = backtest(logs, asked, when, progress, recipe)
    model, learnt = fit_chosen(logs, trials, when, progress)
    return Training(model, trials, learnt)


def card_text(card: Mapping[str, Any]) -> str:
    """The model card as Markdown."""
    test, training = card["trials"][-1], card["training"]
    cutoffs = training["cutoffs"]
    gates = [
        f"- {'passed' if gate['passed'] else 'FAILED'}: {gate['name']} ({gate['says']})"
        for gate in card["gates"]
    ]
    return f"""# Churn model: {card["model"]}

Asks: {card["question"]}.

{card["verdict"]}.

Trained on {training["rows"]:,} rows of {training["customers"]:,} customers at {len(cutoffs)}
cutoffs from {cutoffs[0]} to {cutoffs[-1]}; {training["base_rate"]:.1%} churned.
{card["features"]} features.

## Test at {test["cutoff"]}

{test["customers"]:,} customers at risk, {test["base_rate"]:.1%} churned.
Brackets hold 95 % bootstrap intervals, clustered by customer.

{_markdown_table(test["metrics"])}

## Gates

{chr(10).join(gates)}

## Limits

- Probabilities hold for customers at risk under the rule above, and only as far as the time of
  scoring resembles the time of training.
- Reasons are associations, not effects: they do not say what would keep a customer.
"""


def _markdown_table(metrics: Mapping[str, Any]) -> str:
    lines = ["| model | " + " | ".join(METRICS) + " |", "|---" * (len(METRICS) + 1) + "|"]
    for rung, told in metrics.items():
        cells = [str(interval_of(told[name])) for name in METRICS]
        lines.append(f"| {rung} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "cutoff": str(trial.cutoff),
        "customers": len(trial.data),
        "base_rate": trial.data.base_rate,
        "metrics": {
            rung: {metric: interval_dict(found) for metric, found in told.items()}
            for rung, told in trial.metrics.items()
        },
    }


def _calibration(trial: Trial, rung: str) -> list[dict[str, Any]]:
    bins = trial.calibration(rung)
    return [{**told, "observed": interval_dict(told["observed"])} for told in bins]


def interval_of(told: Mapping[str, float | None]) -> Interval:
    """The interval that `interval_dict` told."""
    return Interval(**{key: float("nan") if v is None else v for key, v in told.items()})


def interval_dict(interval: Interval) -> dict[str, float | None]:
    """An interval as JSON-ready values, ``None`` where it is undefined."""
    told = {"value": interval.value, "low": interval.low, "high": interval.high}
    return {key: None if value != value else float(value) for key, value in told.items()}
