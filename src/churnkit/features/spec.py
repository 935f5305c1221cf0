"""`FeatureSpec`: which columns a feature table has, kept with the model that learnt from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from churnkit.clock import Cutoff
from churnkit.errors import ConfigError, DataError, did_you_mean
from churnkit.features.registry import CATALOGUE, ROW_KEYS, Companion, Feature, own_features
from churnkit.features.static import StaticColumn
from churnkit.features.windows import WINDOWS, Window, in_words, suffix
from churnkit.index import Observations
from churnkit.logs import EVENT_KINDS, CustomerLogs

_KINDS_KEPT = 20


@dataclass(frozen=True)
class FeatureColumn:
    """One column of the feature table: a feature with its window, kind or instrument."""

    name: str
    feature: Feature
    build: Callable[[Any, Observations], np.ndarray]
    window: Window
    says: str
    reads: str
    unknown: str
    none: str
    companion: Companion | None
    theme: str

    @property
    def is_category(self) -> bool:
        """Whether the values are codes of categories, 0, 1, …, whose order means nothing."""
        return "category" in self.feature.per


@dataclass(frozen=True)
class FeatureSpec:
    """Which columns a feature table has; kept with the model, so that scoring builds the same.

    Attributes
    ----------
    logs
        Log name → its measures.
    kinds
        Event kinds that get columns of their own; the others count in ``activity_count`` only.
    valued
        Those of the kinds whose events come with a value.
    instruments
        Survey questions that get columns.
    static
        Static columns of the customers, with their categories.
    windows
        Windows in days, rising; ``None``, all time, comes last.
    seasonal
        Whether there are columns that tell the time of the year.
    own
        Features that are not built in: name → hash of the definition.
    names
        The columns that are built, in this order; ``None`` stands for all.
    """

    logs: Mapping[str, tuple[str, ...]]
    kinds: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    windows: tuple[Window, ...] = field(default=WINDOWS)
    seasonal: bool = True
    own: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] | None = None
    valued: tuple[str, ...] = ()
    static: tuple[StaticColumn, ...] = ()

    @classmethod
    def learn(
        cls,
        logs: CustomerLogs,
        before: Cutoff,
        windows: tuple[Window, ...] = WINDOWS,
        *,
        seasonal: bool = True,
    ) -> FeatureSpec:
        """The columns that the logs can fill, judged by what is known before a cutoff."""
        measures, kinds = dict(logs.measures), _kept(logs, "activity", "kind", before)
        has_value = "valued" in measures.get("activity", ())
        valued = logs.words("activity", "kind", before, "valued") if has_value else {}
        static = logs.static_words(before) if logs.static_columns else {}
        return cls(
            logs=measures,
            kinds=kinds,
            instruments=_kept(logs, "surveys", "instrument", before),
            windows=windows,
            seasonal=seasonal,
            own=own_features(),
            valued=tuple(kind for kind in kinds if kind in valued),
            static=tuple(StaticColumn.learn(name, n) for name, n in static.items() if n),
        )

    def limited_to(self, names: Iterable[str]) -> FeatureSpec:
        """The same with some of the columns only.

        Raises
        ------
        ConfigError
            If one of them does not exist.
        """
        chosen = tuple(names)
        known = [column.name for column in replace(self, names=None).columns()]
        unknown = [name for name in chosen if name not in known]
        if unknown:
            raise ConfigError(
                f"there is no feature {unknown[0]!r} in these logs",
                f"{did_you_mean(unknown[0], known)}churnkit features list shows them.",
            )
        return replace(self, names=chosen)

    def to_dict(self) -> dict[str, Any]:
        """The specification as JSON-ready values."""
        return {
            "logs": {name: list(measures) for name, measures in self.logs.items()},
            "kinds": list(self.kinds),
            "valued": list(self.valued),
            "instruments": list(self.instruments),
            "static": [
                {"name": c.name, "words": c.words and list(c.words), "others": c.others}
                for c in self.static
            ],
            "windows": list(self.windows),
            "seasonal": self.seasonal,
            "own": dict(self.own),
            "names": None if self.names is None else list(self.names),
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> FeatureSpec:
        """The specification told by `to_dict`."""
        return cls(
            logs={name: tuple(measures) for name, measures in told["logs"].items()},
            kinds=tuple(told["kinds"]),
            instruments=tuple(told["instruments"]),
            windows=tuple(told["windows"]),
            seasonal=told["seasonal"],
            own=dict(told["own"]),
            names=None if told["names"] is None else tuple(told["names"]),
            # Models of before there were such columns do not tell them.
            valued=tuple(told.get("valued", ())),
            static=tuple(
                StaticColumn(c["name"], c["words"] and tuple(c["words"]), c["others"])
                for c in told.get("static", ())
            ),
        )

    def categorical(self, names: Sequence[str]) -> tuple[int, ...]:
        """Positions, among some names of columns, of those whose values are codes of categories."""
        codes = {column.name for column in self.columns() if column.is_category}
        return tuple(k for k, name in enumerate(names) if name in codes)

    def columns(self) -> tuple[FeatureColumn, ...]:
        """The columns, in the order of the catalogue or of ``names``.

        Raises
        ------
        ConfigError
            If an event kind or survey question makes a column that another feature has, or a
            feature that is not built in is unknown or not what it was.
        DataError
            If a feature that is not built in needs what the logs do not hold.
        """
        columns = [c for f in self._features() for c in self._columns_of(f)]
        _must_differ(columns)
        if self.names is None:
            return tuple(columns)
        by_name = {c.name: c for c in columns}
        return tuple(by_name[name] for name in self.names)

    def _features(self) -> Iterator[Feature]:
        for name, digest in self.own.items():
            _must_be_known(name, digest)
        for built in CATALOGUE.values():
            if (not built.own or built.name in self.own) and (self.seasonal or not built.seasonal):
                yield built

    def _columns_of(self, built: Feature) -> Iterator[FeatureColumn]:
        lacking = self._lacking(built)
        if lacking:
            if built.own:
                raise DataError(
                    f"feature {built.name!r} ({built.where}) needs {lacking}, which is not there",
                    "Map it in churnkit.toml, or take the feature out.",
                )
            return
        choices = {
            "window": self.windows_of(built),
            "kind": tuple(k for k in self._kinds_of(built) if not built.only or k in built.only),
            "instrument": tuple(i for i in self.instruments if not built.only or i in built.only),
            "category": tuple(c for c in self.static if c.words is not None),
            "number": tuple(c for c in self.static if c.words is None),
        }
        for chosen in product(*(choices[over] for over in built.per)):
            yield _column(built, dict(zip(built.per, chosen, strict=True)))

    def _kinds_of(self, built: Feature) -> tuple[str, ...]:
        return self.valued if "value" in built.needs else self.kinds

    def windows_of(self, built: Feature) -> tuple[Window, ...]:
        """The windows that a feature is made for, if it is repeated over windows."""
        if callable(built.windows):
            return built.windows(self.windows)
        return self.windows if built.windows is None else built.windows

    def _lacking(self, built: Feature) -> str:
        """What a feature needs and the logs do not hold; empty if nothing."""
        if built.log and built.log not in self.logs:
            return f"a {built.log} log"
        for need in built.needs:
            if need.startswith("kind="):
                if need.removeprefix("kind=") not in self.kinds:
                    return f"an event of the kind {need.removeprefix('kind=')}"
                continue
            log, _, measure = need.rpartition(".")
            if measure not in self.logs.get(log or built.log, ()):
                return f"{measure} in the {log or built.log} log"
        return ""


def _column(built: Feature, arguments: dict[str, Any]) -> FeatureColumn:
    name, words = built.name, _in_words(arguments)
    verbatim = {k: str(v) for k, v in arguments.items()}
    if "window" in arguments:
        name += suffix(arguments["window"])
    if "category" in arguments:
        built = replace(built, classes=arguments["category"].classes)
    return FeatureColumn(
        name=name.format(**verbatim),
        feature=built,
        build=partial(built.build, **arguments),
        window=arguments.get("window"),
        says=built.says.format(**words),
        reads=built.reads.format(**_still_braced(words), value="{value}"),
        unknown=built.unknown.format(**words),
        none=built.none.format(**words),
        companion=built.companion and _companion(built.companion, verbatim, words),
        theme=built.theme.format(**words),
    )


def _companion(told: Companion, verbatim: Mapping[str, str], words: Mapping[str, str]) -> Companion:
    return Companion(
        told.name.format(**verbatim),
        told.reads.format(**_still_braced(words), value="{value}"),
        told.where.format(**verbatim),
    )


def _in_words(arguments: Mapping[str, Any]) -> dict[str, str]:
    told = {key: str(value).replace("_", " ") for key, value in arguments.items()}
    return told | ({"window": in_words(arguments["window"])} if "window" in arguments else {})


def _still_braced(words: Mapping[str, str]) -> dict[str, str]:
    """The words for a text that is filled in twice: their own braces are no places in it."""
    return {key: word.replace("{", "{{").replace("}", "}}") for key, word in words.items()}


def _must_be_known(name: str, digest: str) -> None:
    known = CATALOGUE.get(name)
    if known is None or not known.own:
        raise ConfigError(
            f"feature {name!r} is not built in, and its definition is not loaded",
            "Name the file that defines it in [features] of churnkit.toml.",
        )
    if known.own != digest:
        raise ConfigError(
            f"feature {name!r} ({known.where}) is not what the model learnt from: it was changed",
            "Restore the definition, or train anew.",
        )


def _must_differ(columns: Sequence[FeatureColumn]) -> None:
    by_name: dict[str, FeatureColumn] = {}
    for column in columns:
        if column.name in ROW_KEYS:
            raise ConfigError(
                f"a static column is called {column.name} like a key of the table of features",
                "Take it out of static in [logs.customers], or rename it in the source.",
            )
        other = by_name.setdefault(column.name, column)
        if other is not column:
            features = " and ".join(
                f"{c.feature.name} ({c.feature.where})" for c in (other, column)
            )
            raise ConfigError(
                f"two features are called {column.name}: {features}",
                "Give the event or survey question of that name another one in churnkit.toml, take "
                "the static column out, or rename your feature.",
            )


def _kept(logs: CustomerLogs, log: str, measure: str, before: Cutoff) -> tuple[str, ...]:
    """The words that occur, sorted; of many those that features know, and the most frequent."""
    counts = logs.words(log, measure, before) if log in logs.measures else {}
    some = [word for word, count in counts.items() if count]
    first = sorted(some, key=lambda word: (word not in EVENT_KINDS, -counts[word], word))
    return tuple(sorted(first[:_KINDS_KEPT]))
