"""Reasons: which themes raise and lower the log-odds of a customer, and what changed them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from churnkit.explain.words import (
    as_told,
    beside,
    change,
    companion_as_told,
    manner_of,
    sentence,
    unit_codes,
)
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

    @cached_property
    def manners(self) -> tuple[np.ndarray, tuple[FeatureColumn, ...]]:
        """In which manner each column is told, by its number; and a column of each manner."""
        told = [manner_of(column) for column in self.columns]
        distinct = list(dict.fromkeys(told))
        numbers = np.array([distinct.index(manner) for manner in told])
        return numbers, tuple(self.columns[told.index(manner)] for manner in distinct)

    def summed(self, contributions: np.ndarray) -> np.ndarray:
        """Contributions added up by theme, shape (rows, themes)."""
        # Column by column: NumPy adds a row up in an order that depends on how the table lies.
        parts = (sum(contributions[:, k] for k in columns) for columns in self.members)
        return np.stack(list(parts), axis=1)


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


@dataclass(frozen=True)
class Voices:
    """What the reasons of some customers say, as numbers; `Phrases` puts them into words.

    A sentence has a head, which tells who speaks, its way and its value, and perhaps a tail, which
    tells the value of its companion. Of each there are few, of their combinations many.

    Attributes
    ----------
    heads
        The distinct heads: position of the column, whether it raises the log-odds, its value,
        ``None`` where it is missing.
    tails
        The distinct tails: position of the column, the unit of time of its value (see
        `churnkit.explain.words.unit_codes`), the value of its companion.
    numbers
        Positions of head and tail of each sentence, -1 for none, int32 of shape (rows, told, 2).
    leading
        Position of the leading theme of each row, -1 for none, shape (rows,).
    """

    heads: list[tuple[int, int, float | None]]
    tails: list[tuple[int, int, float]]
    numbers: np.ndarray
    leading: np.ndarray


class Phrases:
    """The heads and tails of the sentences of a run, each put into words once.

    Parameters
    ----------
    themes
        The columns of the model.

    Attributes
    ----------
    themes
        The same.
    heads, tails
        Their texts, by their numbers.
    """

    def __init__(self, themes: Themes) -> None:
        self.themes = themes
        self.heads: list[str] = []
        self.tails: list[str] = []
        self._heads: dict[Any, int] = {}
        self._tails: dict[Any, int] = {}

    def numbers(self, voices: Voices) -> np.ndarray:
        """The numbers of what voices say, of the shape of theirs."""
        # Most were told before; of those that were not one is put into words after the other.
        heads = [self._heads.get(key, -1) for key in voices.heads]
        tails = [self._tails.get(key, -1) for key in voices.tails]
        of_head, of_tail = (np.array([*told, -1], dtype=np.int32) for told in (heads, tails))
        for k in np.flatnonzero(of_head[:-1] < 0).tolist():
            of_head[k] = self._head(voices.heads[k])
        for k in np.flatnonzero(of_tail[:-1] < 0).tolist():
            of_tail[k] = self._tail(voices.tails[k])
        places = of_head[voices.numbers[..., 0]], of_tail[voices.numbers[..., 1]]
        return np.stack(places, axis=-1)

    def number_of(self, text: str) -> int:
        """The number of the text of a head, such as one of an earlier run."""
        return _numbered(text, text, self._heads, self.heads)

    def tail_of(self, text: str) -> int:
        """The number of the text of a tail."""
        return _numbered(text, text, self._tails, self.tails)

    def lines(self, numbers: np.ndarray, exact: np.ndarray) -> list[list[str]]:
        """The sentences of each row in words; ≈ marks those of the rows that are not exact."""
        marks, tails = np.where(exact, "", APPROXIMATE).tolist(), (*self.tails, "")
        return [
            [mark + self.heads[head] + tails[tail] for head, tail in row if head >= 0]
            for mark, row in zip(marks, numbers.tolist(), strict=True)
        ]

    def _head(self, key: tuple[int, int, float | None]) -> int:
        speaker, raises, value = key
        says = sentence(self.themes.columns[speaker], np.nan if value is None else value)
        return _numbered(key, f"{UP if raises else DOWN} {says}", self._heads, self.heads)

    def _tail(self, key: tuple[int, int, float]) -> int:
        speaker, unit, value = key
        text = beside(self.themes.columns[speaker], unit, value)
        return _numbered(key, text, self._tails, self.tails)


def _numbered(key: Any, text: str, known: dict[Any, int], texts: list[str]) -> int:
    number = known.setdefault(key, len(texts))
    if number == len(texts):
        texts.append(text)
    return number


def reasons(
    model: ChurnModel,
    features: Features,
    top: int = 4,
    *,
    exact: np.ndarray | None = None,
    middle: np.ndarray | None = None,
) -> Reasons:
    """Up to ``top`` reasons for each row, the weightiest first.

    Each theme speaks through one feature that pulls its way: the weightiest whose value lies
    where more (or less) churn is expected of it, compared with the median; only if there is none,
    the weightiest. An arrow tells whether it goes with more (↑) or less (↓) churn.

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
    middle
        What values are compared with; `middle_of` the rows by default.
    """
    phrases = Phrases(Themes.of(model))
    compared = middle_of(model, features) if middle is None else middle
    said: list[list[str]] = [[] for _ in range(len(features))]
    leading = [""] * len(features)
    names = (*phrases.themes.names, "")  # -1 is the last one
    for rows, is_exact in _pieces(model, features, exact):
        some = features.where(rows)
        found = model.contributions(some) if is_exact else model.explained(some)[1]
        heard = voices(phrases.themes, some, found, compared, top)
        lines = phrases.lines(phrases.numbers(heard), np.full(len(rows), is_exact))
        for row, told, theme in zip(rows, lines, heard.leading.tolist(), strict=True):
            said[row], leading[row] = told, names[theme]
    return Reasons(said, leading)


def approximates(model: ChurnModel) -> bool:
    """Whether path attributions of a model differ from exact contributions: it has trees."""
    return bool(model.estimator.boosters())


def _pieces(
    model: ChurnModel, features: Features, exact: np.ndarray | None
) -> Iterator[tuple[np.ndarray, bool]]:
    """Rows that are attributed together, and whether exactly."""
    parts = [(np.arange(len(features)), True)]
    if exact is not None and approximates(model):
        parts = [(np.flatnonzero(exact), True), (np.flatnonzero(~exact), False)]
    for rows, is_exact in parts:
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            yield rows[start : start + _ROWS_AT_ONCE], is_exact


def voices(
    themes: Themes,
    features: Features,
    contributions: np.ndarray,
    middle: np.ndarray,
    top: int = 4,
) -> Voices:
    """Who speaks of each row, and what it has to say.

    Parameters
    ----------
    themes, features
        The columns of the model, and some customers.
    contributions
        What each column adds to the log-odds of each row, shape (rows, columns).
    middle
        See `middle_of`.
    top
        How many themes are told at most.
    """
    names = [column.name for column in themes.columns]

    def expected(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        # Only of the themes told: a table of all values would cost more than all else here.
        values = [features.columns[names[k]][rows] for k in columns]
        return _pull(np.stack(values, dtype=np.float64), middle, themes.signs, columns)

    spoken = _spoken(themes, contributions, expected, top)
    speaker, raises = spoken.spokesman, (spoken.weight > 0).astype(np.int64)
    value, other = (np.full(speaker.shape, np.nan) for _ in range(2))
    spoke = list(_each(speaker, speaker >= 0))
    for k, rows, slots in spoke:
        value[rows, slots] = features.columns[names[k]][rows]
    # Columns that are told alike are rounded together: there are many columns, of few rows each.
    manner, alike = themes.manners
    for nth, rows, slots in _each(manner[speaker], speaker >= 0):
        value[rows, slots] = as_told(alike[nth], value[rows, slots])
    for k, rows, slots in spoke:
        if themes.columns[k].companion is not None:
            told = value[rows, slots]
            other[rows, slots] = _companions(themes.columns[k], features, rows, told)
    numbers = np.full((*speaker.shape, 2), -1, dtype=np.int32)
    there, tailed = speaker >= 0, ~np.isnan(other)
    first, numbers[there, 0] = _distinct(speaker[there], raises[there], value[there])
    # NaN is no key, since it is not equal to itself.
    heads = [(who, way, None if told != told else told) for who, way, told in first]
    units = unit_codes(value[tailed])
    tails, numbers[tailed, 1] = _distinct(speaker[tailed], units, other[tailed])
    return Voices(heads, tails, numbers, _leading(themes, spoken))


_UP_TO = 8  # of the middle number of a triple


def _distinct(
    first: np.ndarray, second: np.ndarray, value: np.ndarray
) -> tuple[list[tuple[int, int, float]], np.ndarray]:
    """The distinct triples of two small numbers and a value, and the position of each row's."""
    known, nth = np.unique(value, return_inverse=True)  # all NaN are one
    code = (first * _UP_TO + second) * (len(known) + 1) + nth
    _, at, place = np.unique(code, return_index=True, return_inverse=True)
    columns = (first[at].tolist(), second[at].tolist(), value[at].tolist())
    return list(zip(*columns, strict=True)), place


def _companions(
    column: FeatureColumn, features: Features, rows: np.ndarray, value: np.ndarray
) -> np.ndarray:
    """What the companion of a column has to tell of some rows; NaN where it has nothing."""
    companion = column.companion
    if companion is None or companion.name not in features.columns:
        return np.full(len(rows), np.nan)
    other = features.columns[companion.name][rows].astype(np.float64)
    habit = features.column(companion.where)[rows] if companion.where else other
    silent = np.isnan(value) | (value == 0) | np.isnan(habit) | (other == 0)
    return np.where(silent, np.nan, companion_as_told(companion, other))


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
    expected: Callable[[np.ndarray, np.ndarray], np.ndarray],
    top: int,
    pulls: np.ndarray | None = None,
) -> _Spoken:
    """Who speaks: of the columns that pull the way of their theme the weightiest expected to.

    ``expected`` tells for some rows and columns where their values lie, see `_pull`, shape
    (columns, rows). Without ``pulls`` columns pull by their contributions.
    """
    by_theme, pulling = themes.summed(contributions), contributions if pulls is None else pulls
    theme = np.argsort(-np.abs(by_theme), axis=1, kind="stable")[:, :top]
    weight = np.take_along_axis(by_theme, theme, axis=1)
    spokesman = np.full(theme.shape, -1)
    for k, rows, slots in _each(theme, np.abs(weight) >= SMALLEST):
        columns, way = themes.members[k], np.sign(weight[rows, slots])
        pull = np.stack([pulling[:, column][rows] for column in columns]) * way
        plausible = (expected(rows, columns) == way) & (pull >= SMALLEST)
        pull[plausible.any(axis=0) & ~plausible] = -np.inf
        spokesman[rows, slots] = columns[pull.argmax(axis=0)]
    return _Spoken(weight, theme, spokesman)


def _each(numbers: np.ndarray, there: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Each number of a table from zero on, with the rows and slots where it stands, in order.

    Only those places count that the boolean table names.
    """
    place = np.flatnonzero(there)
    number = numbers.ravel()[place].astype(np.int16)  # NumPy sorts so small ones by their digits
    order = np.argsort(number, kind="stable")
    place, number = place[order], number[order]
    edges = np.flatnonzero(np.diff(number, prepend=-1))
    for start, stop in pairwise([*edges.tolist(), len(number)]):
        rows, slots = np.divmod(place[start:stop], numbers.shape[1])
        yield int(number[start]), rows, slots


def _leading(themes: Themes, spoken: _Spoken) -> np.ndarray:
    """The weightiest theme of each row that is its own and told to raise, -1 without one."""
    shared = np.array([name in _SHARED for name in themes.names], dtype=bool)
    raises = (spoken.weight > 0) & (spoken.spokesman >= 0) & ~shared[spoken.theme]
    if not raises.size:
        return np.full(len(raises), -1, dtype=np.int16)
    first = np.take_along_axis(spoken.theme, raises.argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.where(raises.any(axis=1), first, -1).astype(np.int16)


def _said(themes: Themes, features: Features, values: np.ndarray, row: int, speaker: int) -> str:
    column, rows = themes.columns[speaker], np.array([row])
    value = as_told(column, values[rows, speaker])
    other = float(_companions(column, features, rows, value)[0])
    tail = "" if np.isnan(other) else beside(column, int(unit_codes(value)[0]), other)
    return sentence(column, float(value[0])) + tail


def middle_of(model: ChurnModel, features: Features | None) -> np.ndarray:
    """What the values of each column of the model are compared with, shape (columns,).

    The median of the known values in training, where the model tells it, else in these rows; NaN
    for columns of which no direction is expected.
    """
    themes = Themes.of(model)
    if model.middle is not None:
        return np.where(themes.signs != 0, np.array(model.middle, dtype=np.float64), np.nan)
    middle = np.full(len(themes.columns), np.nan)
    if features is None:
        return middle
    for k in np.flatnonzero(themes.signs):
        values = features.column(themes.columns[k].name)
        known = values[~np.isnan(values)]
        if len(known):
            middle[k] = np.median(known)
    return middle


def _pull(
    values: np.ndarray, middle: np.ndarray, signs: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Where values lie: 1 on the side of more churn, -1 of less, 0 where nothing is expected.

    The sides are those of the middle of their columns, which stand at some positions.
    """
    compared = middle[columns][:, None]
    sides = (values > compared).astype(np.int8) - (values < compared).astype(np.int8)
    return np.asarray(sides * signs[columns][:, None])


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
    middle = middle_of(model, features)

    def expected(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return _pull(values[np.ix_(rows, columns)].T, middle, themes.signs, columns)

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
    model: ChurnModel, before: Features, after: Features, *, exact: bool = True
) -> list[list[tuple[float, str]]]:
    """For each of many customers the weights and sentences of `moves`, the weightiest first.

    Parameters
    ----------
    model
        The model.
    before, after
        The same customers in the same order, at the earlier and at the later moment.
    exact
        Whether contributions are exact, or attributed by paths, which is far faster.
    """
    if not len(after):
        return []
    themes, _, then, now, spoken = _moved(model, before, after, exact=exact)
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
    model: ChurnModel, before: Features, after: Features, *, exact: bool = True
) -> tuple[Themes, np.ndarray, np.ndarray, np.ndarray, _Spoken]:
    """Themes, changes of contributions, values then and now, and who speaks of each row."""
    themes = Themes.of(model)
    then, now = before.matrix(model.names, np.float64), after.matrix(model.names, np.float64)
    told = model.contributions if exact else lambda rows: model.explained(rows)[1]
    changes = told(after) - told(before)
    went = np.nan_to_num(np.sign(now - then)).astype(np.int8)
    changed = (now != then) & ~(np.isnan(now) & np.isnan(then))
    towards, pulls = went * themes.signs, np.where(changed, changes, 0.0)

    def expected(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.asarray(towards[np.ix_(rows, columns)].T)

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
