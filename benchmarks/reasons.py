"""Reasons attributed by path against exact ones, and how firm they are: `make reasons`.

On the simulated shop, and on CDNOW and Online Retail II where CHURNKIT_REAL_DATA names them. Times
are ratios within one run, the best of some rounds each: seconds depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from recipes import Case, cases
from sklearn.base import clone

from churnkit import terminal
from churnkit.dataset import Dataset, Schedule, build_dataset
from churnkit.estimators import ChurnClassifier
from churnkit.explain import drivers
from churnkit.explain.reasons import SMALLEST, Themes
from churnkit.features import Features
from churnkit.model import ChurnModel

COLUMNS = {
    "set": "set",
    "rows": "rows",
    "times_as_fast": "× as fast",
    "per_prediction": "× a prediction",
    "first": "same first theme",
    "clear": "where it leads clearly",
    "direction": "same direction",
}


STAYS = {
    "set": "set",
    "seeds": "other seeds",
    "twins": "three near copies of the strongest column",
    "noise": "noise of 1 % in all values",
}


@dataclass(frozen=True)
class Fitted:
    """The trees of a set, fitted before its test, and the rows of both."""

    case: Case
    learnt: Dataset
    test: Dataset
    model: ChurnModel


def fitted(case: Case) -> Fitted:
    """The default trees."""
    training = Schedule().training_cutoffs(case.logs, case.question, case.at)
    learnt = build_dataset(case.logs, case.question, training)
    test = build_dataset(case.logs, case.question, [case.at], learnt.features.spec)
    estimator = ChurnClassifier().fit(learnt.features.values, learnt.churned)
    names, spec = learnt.features.names, learnt.features.spec
    return Fitted(case, learnt, test, ChurnModel("lightgbm", estimator, names, spec, case.question))


def measure(fit: Fitted, rounds: int) -> dict[str, Any]:
    """How fast the paths are, and how often they name the theme that is exactly the first.

    It leads clearly where its weight is half as large again as that of the second.
    """
    estimator, X = fit.model.estimator, fit.test.features.values
    exact, slow = timed(lambda: estimator.contributions(X), rounds)
    path, quick = timed(lambda: estimator.path_contributions(X), rounds)
    _, bare = timed(lambda: estimator.decision_function(X), rounds)
    themes = Themes.of(fit.model)
    truth, told = themes.summed(exact), themes.summed(path)
    same = np.abs(told).argmax(axis=1) == np.abs(truth).argmax(axis=1)
    largest = np.sort(np.abs(truth), axis=1)
    clear = largest[:, -1] > 1.5 * largest[:, -2]
    counts = np.abs(truth) >= SMALLEST
    return {
        "set": fit.case.name,
        "rows": len(X),
        "times_as_fast": slow / quick,
        "per_prediction": quick / bare,
        "first": float(same.mean()),
        "clear": float(same[clear].mean()),
        "direction": float((np.sign(truth) == np.sign(told))[counts].mean()),
    }


def stays(fit: Fitted) -> dict[str, Any]:
    """How often the first theme of a customer stays what it was when something else changes."""
    model, features = fit.model, fit.test.features
    rng = np.random.default_rng(1)
    first = first_themes(model, features)
    name = drivers(model, features, top=1)[0].features[0].name
    learnt, tested = (with_twins(data.features, name, rng) for data in (fit.learnt, fit.test))
    [column] = [c for c in model.spec.columns() if c.name == name]
    twins = [replace(column, name=twin) for twin in learnt.names if twin not in model.names]
    # No specification could tell of such columns: this one only lists them.
    spec: Any = SimpleNamespace(columns=lambda: (*model.spec.columns(), *twins))
    copied = clone(model.estimator).fit(learnt.values, fit.learnt.churned)
    other = clone(model.estimator).set_params(random_state=1000)
    other.fit(fit.learnt.features.values, fit.learnt.churned)
    noisy = {n: v * (1 + 0.01 * rng.standard_normal(len(v))) for n, v in features.columns.items()}
    found = {
        "seeds": first_themes(replace(model, estimator=other), features),
        "twins": first_themes(
            replace(model, estimator=copied, names=learnt.names, spec=spec), tested
        ),
        "noise": first_themes(model, replace(features, columns=noisy)),
    }
    return {
        "set": fit.case.name,
        **{what: float((told == first).mean()) for what, told in found.items()},
    }


def first_themes(model: ChurnModel, features: Features) -> np.ndarray:
    """The weightiest theme of each row, exactly."""
    themes = Themes.of(model)
    by_theme = np.abs(themes.summed(model.contributions(features)))
    return np.array(themes.names)[by_theme.argmax(axis=1)]


def with_twins(features: Features, name: str, rng: np.random.Generator) -> Features:
    """The table with three columns more that are one of it but for a hundredth."""
    values = features.columns[name]
    twins = {
        f"{name}_{k}": values * (1 + 0.01 * rng.standard_normal(len(values))) for k in range(3)
    }
    return replace(features, columns={**features.columns, **twins})


def timed(work: Callable[[], np.ndarray], rounds: int) -> tuple[np.ndarray, float]:
    """What was made, and the seconds of the fastest round."""
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        made = work()
        seconds.append(time.perf_counter() - started)
    return made, min(seconds)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    fits = [fitted(case) for case in cases()]
    by_path = [measure(fit, given.rounds) for fit in fits]
    firm = [stays(fit) for fit in fits]
    if given.json:
        print(json.dumps({"figures": by_path, "stays": firm}))
        return
    show("By path against exact", COLUMNS, by_path)
    show("Customers whose first theme stays with", STAYS, firm)


def show(title: str, columns: Mapping[str, str], lines: Sequence[Mapping[str, Any]]) -> None:
    """Print one table."""
    rows = [[_cell(key, line[key]) for key in columns] for line in lines]
    terminal.out().print(terminal.table(title, [*columns.values()], rows), "")


def _cell(key: str, value: Any) -> Any:
    if key in {"set", "rows"}:
        return value
    return f"{value:.1f}" if key in {"times_as_fast", "per_prediction"} else f"{value:.1%}"


if __name__ == "__main__":
    main()
