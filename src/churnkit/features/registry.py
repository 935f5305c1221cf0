"""The catalogue of features: each is a small function with a name, a unit and a meaning.

A feature function takes the index of its log and the cutoff, and returns one number per
customer. What else it takes says how often it is repeated: a ``window`` makes one column per
window, a ``kind`` one per kind of event, an ``instrument`` one per survey question.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from churnkit.clock import DAY, Cutoff
from churnkit.errors import ConfigError
from churnkit.logs import Logs

Window = int | None
"""A window in days before the cutoff; ``None`` is all time."""

WINDOWS: tuple[Window, ...] = (7, 30, 90, 180, 365, None)
_KINDS_KEPT = 20

_INDEX_OF_LOG = {
    "PurchaseIndex": "purchases",
    "ActivityIndex": "activity",
    "SurveyIndex": "surveys",
}


@dataclass(frozen=True)
class Feature:
    """A registered feature.

    Attributes
    ----------
    name
        Column name without its window, with ``{kind}`` or ``{instrument}`` where repeated.
    build
        The function.
    log
        The log it reads: ``purchases``, ``activity`` or ``surveys``.
    unit, says
        Unit of the values, and their meaning in words.
    reads, unknown
        Sentences for a value, with ``{value}``, and for a missing one; used in the reasons of
        a score.
    theme
        What it is about; correlated features share a theme, and a customer's reasons name each
        theme once.
    needs
        Measure of the log without which the feature does not exist, for example ``amount``.
    only
        The kinds or instruments it is made for; empty means all.
    windows
        The windows it is made for, ``None`` stands for those of the `FeatureSpec`.
    """

    name: str
    build: Callable[..., np.ndarray]
    log: str
    unit: str
    says: str
    reads: str
    unknown: str
    theme: str
    needs: str = ""
    only: tuple[str, ...] = ()
    windows: tuple[Window, ...] | None = None

    @property
    def per(self) -> tuple[str, ...]:
        """What the feature is repeated over, in the order of its arguments."""
        return tuple(inspect.signature(self.build).parameters)[2:]


@dataclass(frozen=True)
class FeatureColumn:
    """One column of the feature table: a feature with its window, kind or instrument."""

    name: str
    feature: Feature
    build: Callable[[Any, Cutoff], np.ndarray]
    says: str
    reads: str
    unknown: str
    theme: str


CATALOGUE: dict[str, Feature] = {}
"""All registered features by name."""


def feature(
    *,
    unit: str,
    says: str,
    reads: str = "",
    unknown: str = "",
    theme: str = "",
    name: str = "",
    needs: str = "",
    only: tuple[str, ...] = (),
    windows: tuple[Window, ...] | None = None,
) -> Callable[[Callable[..., np.ndarray]], Callable[..., np.ndarray]]:
    """Register a function as a feature; see `Feature` for the arguments.

    The log is read off the annotation of the first parameter.
    """

    def register(build: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        index, *_ = inspect.signature(build).parameters.values()
        built = Feature(
            name=name or build.__name__,
            build=build,
            log=_INDEX_OF_LOG[getattr(index.annotation, "__name__", index.annotation)],
            unit=unit,
            says=says,
            reads=reads or says + ": {value}",
            unknown=unknown or says + ": unknown",
            theme=theme or build.__module__.rpartition(".")[2],
            needs=needs,
            only=only,
            windows=windows,
        )
        CATALOGUE[built.name] = built
        return build

    return register


@dataclass(frozen=True)
class FeatureSpec:
    """Which columns a feature table has; kept with the model, so that scoring builds the same.

    Attributes
    ----------
    logs
        Log name → its measures.
    kinds
        Event kinds that get columns of their own; the others count in ``activity_count`` only.
    instruments
        Survey questions that get columns.
    windows
        Windows in days; ``None`` is all time.
    """

    logs: Mapping[str, tuple[str, ...]]
    kinds: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    windows: tuple[Window, ...] = field(default=WINDOWS)

    @classmethod
    def learn(
        cls, logs: Logs, before: Cutoff, windows: tuple[Window, ...] = WINDOWS
    ) -> FeatureSpec:
        """The columns that the logs can fill, judged by what is known before a cutoff."""
        known = logs.before(before).events
        return cls(
            logs={name: tuple(sorted(events.columns)) for name, events in logs.events.items()},
            kinds=_frequent(known, "activity", "kind"),
            instruments=_frequent(known, "surveys", "instrument"),
            windows=windows,
        )

    def to_dict(self) -> dict[str, Any]:
        """The specification as JSON-ready values."""
        return {
            "logs": {name: list(measures) for name, measures in self.logs.items()},
            "kinds": list(self.kinds),
            "instruments": list(self.instruments),
            "windows": list(self.windows),
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> FeatureSpec:
        """The specification told by `to_dict`."""
        return cls(
            logs={name: tuple(measures) for name, measures in told["logs"].items()},
            kinds=tuple(told["kinds"]),
            instruments=tuple(told["instruments"]),
            windows=tuple(told["windows"]),
        )

    def columns(self) -> tuple[FeatureColumn, ...]:
        """All columns, in the order of the catalogue.

        Raises
        ------
        ConfigError
            If an event kind or survey question makes a column that another feature has.
        """
        columns = tuple(c for f in CATALOGUE.values() for c in self._columns_of(f))
        _must_differ([c.name for c in columns])
        return columns

    def instants(self, cutoffs: tuple[Cutoff, ...]) -> set[int]:
        """Every instant the windows of these cutoffs begin or end at, microseconds UTC."""
        starts = {days for days in self.windows if days}
        lengths = starts | {2 * days for days in starts} | {0}
        return {c.us - days * DAY for c in cutoffs for days in lengths}

    def _columns_of(self, built: Feature) -> Iterator[FeatureColumn]:
        measures = self.logs.get(built.log)
        if measures is None or (built.needs and built.needs not in measures):
            return
        choices = {
            "window": self.windows if built.windows is None else built.windows,
            "kind": tuple(k for k in self.kinds if not built.only or k in built.only),
            "instrument": tuple(i for i in self.instruments if not built.only or i in built.only),
        }
        for chosen in product(*(choices[over] for over in built.per)):
            yield _column(built, dict(zip(built.per, chosen, strict=True)))


def _column(built: Feature, arguments: dict[str, Any]) -> FeatureColumn:
    words = {over: value for over, value in arguments.items() if over != "window"}
    name = built.name
    if "window" in arguments:
        days = arguments["window"]
        name += "_all" if days is None else f"_{days}d"
        words["window"] = "of all time" if days is None else f"in the last {days} days"
    told = {k: str(v).replace("_", " ") for k, v in words.items()}
    return FeatureColumn(
        name=name.format(**words),
        feature=built,
        build=partial(built.build, **arguments),
        says=built.says.format(**told),
        reads=built.reads.format(**told, value="{value}"),
        unknown=built.unknown.format(**told),
        theme=built.theme.format(**told),
    )


def _must_differ(names: list[str]) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ConfigError(
            f"two features are called {twice[0]}",
            "Give the event or survey question of that name another one in churnkit.toml.",
        )


def _frequent(events: Mapping[str, Any], log: str, measure: str) -> tuple[str, ...]:
    """Words of a text measure, the most frequent ones if there are many, sorted."""
    if log not in events:
        return ()
    words = events[log].vocabularies[measure]
    counts = np.bincount(events[log].columns[measure], minlength=len(words))
    order = sorted(range(len(words)), key=lambda k: (-counts[k], words[k]))
    return tuple(sorted(words[k] for k in order[:_KINDS_KEPT] if counts[k]))
