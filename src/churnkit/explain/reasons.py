"""Reasons: which themes raise and lower the log-odds of a customer, and what changed them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from churnkit.explain.words import change, sentence
from churnkit.features import FeatureColumn, Features
from churnkit.model import ChurnModel

UP, DOWN = "↑", "↓"
APPROXIMATE = "≈"
SMALLEST = 0.02
"""In log-odds, about half a percent of probability; less is not told."""

_ROWS_AT_ONCE = 20_000
_SHARED = ("season",)  # themes that are about everybody


@dataclass(frozen=True)
class Themes:
    """The columns of a model by what they are about.

    Attributes
    ----------
    columns
        The columns, in the order of the contributions.
    names
        The themes, sorted.
    """

    columns: tuple[FeatureColumn, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, model: ChurnModel) -> Themes:
        """The themes of the columns of a model."""
        by_name = {column.name: column for column in model.spec.columns()}
        columns = tuple(by_name[name] for name in model.names)
        return cls(columns, tuple(sorted({column.theme for column in columns})))

    @cached_property
    def members(self) -> tuple[np.ndarray, ...]:
        """Positions of the columns of each theme."""
        theme = np.array([column.theme for column in self.columns])
        return tuple(np.flatnonzero(theme == name) for name in self.names)

    @cached_property
    def signs(self) -> np.ndarray:
        """The expected direction of each column: 1 up, -1 down, 0 neither."""
        return np.array([column.feature.sign for column in self.columns], dtype=np.int8)

    def summed(self, contributions: np.ndarray) -> np.ndarray:
        """Contributions added up by theme, shape (rows, themes)."""
        parts = [contributions[:, columns].sum(axis=1) for columns in self.members]
        return np.stack(parts, axis=1)


@dataclass(frozen=True)
class Reason:
    """What one theme adds to the log-odds of a customer, or to their change.

    Attributes
    ----------
    theme
        What it is about.
    weight
        What its features add together, in log-odds: above 0 towards churn.
    says
        The sentence of the feature that speaks for it.
    features
        Its features, the weightiest first: ``name``, ``says``, ``weight``, ``value`` and, of a
        change, the value ``before``; ``None`` is missing.
    """

    theme: str
    weight: float
    says: str
    features: list[dict[str, str | float | None]]


@dataclass(frozen=True)
class Reasons:
    """The reasons of some customers.

    Attributes
    ----------
    sentences
        For each row its reasons, the weightiest first.
    leading
        For each row the theme that raises its log-odds most, of those that are about the customer
        (not the time of the year and what all do); empty where none is told to.
    """

    sentences: list[list[str]]
    leading: list[str]


def reasons(
    model: ChurnModel, features: Features, top: int = 4, *, exact: np.ndarray | None = None
) -> Reasons:
    """Up to ``top`` reasons for each row, the weightiest first.

    Each theme speaks through one feature that pulls its way: the weightiest whose value lies
    where more (or less) churn is expected of it, compared with the median of the rows; only if
    there is none, the weightiest. An arrow tells whether it goes with more (↑) or less (↓) churn.

    Parameters
    ----------
    model, features
        The model, and the customers at risk at one cutoff.
    top
        How many themes are told at most.
    exact
        Boolean mask of the rows whose contributions are exact; the others of a model with trees
        are attributed by their paths, see `churnkit.estimators.paths`, and marked ≈. All by
        default.
    """
    themes = Themes.of(model)
    said: list[list[str]] = [[] for _ in range(len(features))]
    leading = [""] * len(features)
    middle = _middle(themes, features)
    for rows, mark in _pieces(model, features, exact):
        some = features.where(rows)
        values = some.matrix(model.names, np.float64)
        found = model.estimator.path_contributions(values) if mark else model.contributions(some)
        spoken = _spoken(themes, found, _expected_pull(themes, values, middle), top)
        sentences = _sentences(themes, some, values, spoken)
        for row, told, theme in zip(rows, sentences, _leading(themes, spoken), strict=True):
            said[row] = [mark + line for line in told]
            leading[row] = theme
    return Reasons(said, leading)


def _pieces(
    model: ChurnModel, features: Features, exact: np.ndarray | None
) -> Iterator[tuple[np.ndarray, str]]:
    """Rows that are attributed together, and the mark of their reasons."""
    parts = [(np.arange(len(features)), "")]
    if exact is not None and model.estimator.boosters():
        parts = [(np.flatnonzero(exact), ""), (np.flatnonzero(~exact), APPROXIMATE)]
    for rows, mark in parts:
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            yield rows[start : start + _ROWS_AT_ONCE], mark


@dataclass(frozen=True)
class _Spoken:
    """The weightiest themes of each row, and the column that speaks for each.

    All of shape (rows, themes told); a spokesman of -1 stands for a theme that is not told.
    """

    weight: np.ndarray
    theme: np.ndarray
    spokesman: np.ndarray


def _spoken(
    themes: Themes,
    contributions: np.ndarray,
    expected: np.ndarray,
    top: int,
    pulls: np.ndarray | None = None,
) -> _Spoken:
    """Who speaks: of the columns that pull the way of their theme the weightiest expected to.

    Without ``pulls`` columns pull by their contributions.
    """
    by_theme, pulling = themes.summed(contributions), contributions if pulls is None else pulls
    theme = np.argsort(-np.abs(by_theme), axis=1, kind="stable")[:, :top]
    weight = np.take_along_axis(by_theme, theme, axis=1)
    spokesman = np.full(theme.shape, -1)
    for k, columns in enumerate(themes.members):
        rows, slots = np.nonzero((theme == k) & (np.abs(weight) >= SMALLEST))
        way = np.sign(weight[rows, slots])[:, None]
        pull = pulling[np.ix_(rows, columns)] * way
        plausible = (expected[np.ix_(rows, columns)] == way) & (pull >= SMALLEST)
        pull[plausible.any(axis=1)[:, None] & ~plausible] = -np.inf
        spokesman[rows, slots] = columns[pull.argmax(axis=1)]
    return _Spoken(weight, theme, spokesman)


def _sentences(
    themes: Themes, features: Features, values: np.ndarray, spoken: _Spoken
) -> list[list[str]]:
    rows = zip(spoken.weight.tolist(), spoken.spokesman.tolist(), strict=True)
    return [
        [
            f"{UP if weight > 0 else DOWN} {_said(themes, features, values, row, speaker)}"
            for weight, speaker in zip(weights, speakers, strict=True)
            if speaker >= 0
        ]
        for row, (weights, speakers) in enumerate(rows)
    ]


def _leading(themes: Themes, spoken: _Spoken) -> list[str]:
    """The weightiest theme of each row that is its own and told to raise; empty without one."""
    shared = np.array([name in _SHARED for name in themes.names], dtype=bool)
    raises = (spoken.weight > 0) & (spoken.spokesman >= 0) & ~shared[spoken.theme]
    if not raises.size:
        return [""] * len(raises)
    first = np.take_along_axis(spoken.theme, raises.argmax(axis=1)[:, None], axis=1)[:, 0]
    any_of = np.asarray(raises.any(axis=1))
    return [themes.names[theme] if any_of[row] else "" for row, theme in enumerate(first)]


def _said(themes: Themes, features: Features, values: np.ndarray, row: int, speaker: int) -> str:
    column = themes.columns[speaker]
    return sentence(column, float(values[row, speaker]), _others(column, features, row))


def _others(column: FeatureColumn, features: Features, row: int) -> dict[str, float]:
    """The values that the companion of a column looks at."""
    if column.companion is None:
        return {}
    names = (column.companion.name, column.companion.where)
    return {n: float(features.columns[n][row]) for n in names if n in features.columns}


def _middle(themes: Themes, features: Features) -> np.ndarray:
    """Median of the known values of each column of which a direction is expected, else NaN."""
    middle = np.full(len(themes.columns), np.nan)
    for k in np.flatnonzero(themes.signs):
        values = features.column(themes.columns[k].name)
        known = values[~np.isnan(values)]
        if len(known):
            middle[k] = np.median(known)
    return middle


def _expected_pull(themes: Themes, values: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Where each value lies: 1 on the side of more churn, -1 of less, 0 where nothing is expected.

    The sides are those of the median of the rows.
    """
    return np.nan_to_num(np.sign(values - middle)).astype(np.int8) * themes.signs


def why(model: ChurnModel, features: Features, row: int) -> list[Reason]:
    """What every theme adds to the log-odds of one customer, exactly, the weightiest first.

    Parameters
    ----------
    model, features
        The model, and all customers at risk at one cutoff, so that the same features speak as
        among the reasons of all.
    row
        The customer's.
    """
    themes, one = Themes.of(model), features.where(np.array([row]))
    found, values = model.contributions(one), one.matrix(model.names, np.float64)
    expected = _expected_pull(themes, values, _middle(themes, features))
    spoken = _spoken(themes, found, expected, len(themes.names))

    def told(k: int) -> dict[str, str | float | None]:
        return {"says": _said(themes, one, values, 0, k), "value": _known(values[0, k])}

    return list(_reasons_of(themes, spoken, found[0], told))


def moves(model: ChurnModel, before: Features, after: Features) -> list[Reason]:
    """What every theme added to the change of the log-odds of one customer, the weightiest first.

    The weights of all themes add up to the change: both moments start from the same mean. Themes
    speak through a feature that changed, in the direction that is expected of it if there is one.

    Parameters
    ----------
    model
        The model.
    before, after
        One row each: the customer at the earlier and the later moment.
    """
    themes, changes, then, now, spoken = _moved(model, before, after)

    def told(k: int) -> dict[str, str | float | None]:
        says = change(themes.columns[k], float(now[0, k]), float(then[0, k]))
        return {"says": says, "value": _known(now[0, k]), "before": _known(then[0, k])}

    return list(_reasons_of(themes, spoken, changes[0], told))


def all_moves(
    model: ChurnModel, before: Features, after: Features
) -> list[list[tuple[float, str]]]:
    """For each of many customers the weights and sentences of `moves`, the weightiest first.

    Parameters
    ----------
    model
        The model.
    before, after
        The same customers in the same order, at the earlier and at the later moment.
    """
    if not len(after):
        return []
    themes, _, then, now, spoken = _moved(model, before, after)
    rows = zip(spoken.weight.tolist(), spoken.spokesman.tolist(), then, now, strict=True)
    return [
        [
            (weight, change(themes.columns[k], float(is_now[k]), float(was[k])))
            for weight, k in zip(weights, speakers, strict=True)
            if k >= 0
        ]
        for weights, speakers, was, is_now in rows
    ]


def _moved(
    model: ChurnModel, before: Features, after: Features
) -> tuple[Themes, np.ndarray, np.ndarray, np.ndarray, _Spoken]:
    """Themes, changes of contributions, values then and now, and who speaks of each row."""
    themes = Themes.of(model)
    then, now = before.matrix(model.names, np.float64), after.matrix(model.names, np.float64)
    changes = model.contributions(after) - model.contributions(before)
    went = np.nan_to_num(np.sign(now - then)).astype(np.int8)
    changed = (now != then) & ~(np.isnan(now) & np.isnan(then))
    expected, pulls = went * themes.signs, np.where(changed, changes, 0.0)
    spoken = _spoken(themes, changes, expected, len(themes.names), pulls)
    return themes, changes, then, now, spoken


def _reasons_of(
    themes: Themes,
    spoken: _Spoken,
    weights: np.ndarray,
    told: Callable[[int], dict[str, str | float | None]],
) -> Iterator[Reason]:
    """The themes of the only row that are told, each with its features that count at all."""
    rows = zip(spoken.theme[0], spoken.weight[0], spoken.spokesman[0], strict=True)
    for theme, weight, speaker in rows:
        if speaker < 0:
            continue
        columns = themes.members[theme]
        order = columns[np.argsort(-np.abs(weights[columns]), kind="stable")]
        yield Reason(
            theme=themes.names[theme],
            weight=float(weight),
            says=str(told(int(speaker))["says"]),
            features=[
                {"name": themes.columns[k].name, "weight": float(weights[k]), **told(int(k))}
                for k in order
                if weights[k]
            ],
        )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
