"""Why: what drives churn here, and the reasons behind one customer's probability.

Contributions are exact SHAP values (trees) or weighted terms (rules) in log-odds. They say
what a probability is *associated with*, not what would change it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from churnkit.features import FeatureColumn, Features
from churnkit.model import ChurnModel

UP, DOWN = "↑", "↓"
_SMALLEST = 0.02
_CLEAR_DIRECTION = 0.3


@dataclass(frozen=True)
class Driver:
    """How much a feature moves the scores of all customers.

    Attributes
    ----------
    name, says, theme
        Feature name, meaning, and what it is about.
    weight
        Its share of all mean absolute contributions, in [0, 1].
    direction
        ``up`` if high values go with more churn, ``down`` if with less, else ``mixed``.
    expected
        The direction that the feature declares, empty if it declares none.
    unexpected
        Whether the direction contradicts the declared one.
    """

    name: str
    says: str
    theme: str
    weight: float
    direction: str
    expected: str
    unexpected: bool


def drivers(model: ChurnModel, features: Features, top: int = 15) -> list[Driver]:
    """The features that move the scores most, the strongest first; empty for the base rate."""
    contributions = model.contributions(features)
    size = np.abs(contributions).mean(axis=0) if len(features) else np.zeros(len(model.names))
    if not size.sum():
        return []
    columns = {c.name: c for c in model.spec.columns()}
    order = [k for k in np.argsort(-size, kind="stable")[:top] if size[k]]
    return [
        _driver(
            columns[model.names[k]],
            float(size[k] / size.sum()),
            _direction(features.column(model.names[k]), contributions[:, k]),
        )
        for k in order
    ]


def _driver(column: FeatureColumn, weight: float, direction: str) -> Driver:
    expected = column.feature.direction
    return Driver(
        name=column.name,
        says=column.says,
        theme=column.theme,
        weight=weight,
        direction=direction,
        expected=expected,
        unexpected={direction, expected} == {"up", "down"},
    )


def reasons(model: ChurnModel, features: Features, top: int = 4) -> list[list[str]]:
    """Up to ``top`` reasons for each row, the weightiest first.

    Contributions are added up by theme, since correlated features share one effect at random;
    each theme speaks through one feature that pulls its way: the weightiest whose value lies
    where more (or less) churn is expected of it, compared with the median of the rows; only if
    there is none, the weightiest. An arrow tells whether it goes with more (↑) or less (↓) churn.
    """
    columns = {c.name: c for c in model.spec.columns()}
    told = [columns[name] for name in model.names]
    names = sorted({c.theme for c in told})
    theme = np.array([names.index(c.theme) for c in told])
    contributions = model.contributions(features)
    by_theme = np.stack([contributions[:, theme == k].sum(axis=1) for k in range(len(names))], 1)
    values = np.stack([features.column(name) for name in model.names], 1)
    expected = _expected_pull(values, told)
    return [
        _reasons_of_row(
            by_theme[row], contributions[row], values[row], expected[row], theme, told, top
        )
        for row in range(len(features))
    ]


def _reasons_of_row(
    by_theme: np.ndarray,
    contributions: np.ndarray,
    values: np.ndarray,
    expected: np.ndarray,
    theme: np.ndarray,
    told: list[FeatureColumn],
    top: int,
) -> list[str]:
    said = []
    for k in np.argsort(-np.abs(by_theme), kind="stable")[:top]:
        if abs(by_theme[k]) < _SMALLEST:
            break
        way = np.sign(by_theme[k])
        pull = np.where(theme == k, contributions * way, -np.inf)
        plausible = (expected == way) & (pull >= _SMALLEST)
        spokesman = int(np.argmax(np.where(plausible, pull, -np.inf) if plausible.any() else pull))
        arrow = UP if way > 0 else DOWN
        said.append(f"{arrow} {sentence(told[spokesman], values[spokesman])}")
    return said


def _expected_pull(values: np.ndarray, told: list[FeatureColumn]) -> np.ndarray:
    """Where each value lies: 1 on the side of more churn, -1 of less, 0 where nothing is expected.

    The sides are those of the median of the rows.
    """
    pull = np.zeros(values.shape, dtype=np.int8)
    for k, column in enumerate(told):
        known = ~np.isnan(values[:, k])
        if column.feature.direction and known.any():
            sign = 1 if column.feature.direction == "up" else -1
            middle = np.median(values[known, k])
            pull[known, k] = sign * np.sign(values[known, k] - middle)
    return pull


def sentence(column: FeatureColumn, value: float) -> str:
    """A feature and its value in words.

    What ``reads`` calls ``{value} days`` is told in days, hours, minutes or seconds; shares are
    told in percent, and trends as more or less than before.
    """
    if np.isnan(value):
        return column.unknown
    if column.feature.classes:
        return column.reads.format(value=column.feature.classes[int(value)])
    in_words = _IN_WORDS.get(column.feature.unit, _number)
    return column.reads.replace("{value} days", _span(value)).format(value=in_words(value))


def _number(value: float) -> str:
    digits = 0 if abs(value) >= 10 else 1 if abs(value) >= 1 else 2
    shown = f"{round(value, digits) + 0.0:,.{digits}f}"  # + 0.0: there is no "-0"
    return shown.rstrip("0").rstrip(".") if digits else shown


def _span(days: float) -> str:
    """Days in the unit in which they are at least one: "every 0 days" would say nothing."""
    fitting = (unit for unit, per_day in _IN_A_DAY.items() if abs(days) * per_day >= 1)
    unit = next(fitting, "second" if days else "day")
    number = _number(days * _IN_A_DAY[unit])
    return f"{number} {unit}" if number == "1" else f"{number} {unit}s"


def _share(value: float) -> str:
    return f"{value:.0%}"


def _next_to_all(value: float) -> str:
    edges = (-0.5, -0.1, 0.1, 0.5)
    words = ("far behind", "behind", "alike", "ahead", "far ahead")
    return words[int(np.searchsorted(edges, value, side="right"))]


def _trend(value: float) -> str:
    edges = (-0.999, -0.5, -0.1, 0.1, 0.5, 0.999)
    words = ("none any more", "much less", "less", "as before", "more", "much more", "none before")
    return words[int(np.searchsorted(edges, value, side="right"))]


_IN_A_DAY = {"day": 1, "hour": 24, "minute": 24 * 60, "second": 24 * 60 * 60}

_IN_WORDS: dict[str, Callable[[float], str]] = {
    "-1..1": _trend,
    "-2..2": _next_to_all,
    "share": _share,
}


def _direction(values: np.ndarray, contributions: np.ndarray) -> str:
    known = ~np.isnan(values)
    if known.sum() < 2 or np.ptp(values[known]) == 0 or np.ptp(contributions[known]) == 0:
        return "mixed"
    ranks = [np.argsort(np.argsort(x[known], kind="stable")) for x in (values, contributions)]
    agreement = float(np.corrcoef(ranks[0], ranks[1])[0, 1])
    if abs(agreement) < _CLEAR_DIRECTION:
        return "mixed"
    return "up" if agreement > 0 else "down"
