"""The catalogue of features: each is a small function with a name, a unit and a meaning.

A feature function takes the index of its log and the observations (customers and cutoffs), and
returns one number per observation. What else it takes says how often it is repeated: a
``window`` makes one column per window, a ``kind`` one per kind of event, an ``instrument`` one
per survey question, a ``category`` or a ``number`` one per static column of the customers.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from string import Formatter
from typing import Any, Literal, get_args

import numpy as np

from churnkit.errors import ConfigError
from churnkit.features.windows import Window
from churnkit.index.market import STREAMS

Windows = tuple[Window, ...] | Callable[[tuple[Window, ...]], tuple[Window, ...]] | None
"""The windows of a feature: its own, a choice among those of the `FeatureSpec`, or these all."""

Direction = Literal["up", "down", ""]
"""What a higher value is expected to go with: more churn, less churn, or neither."""

_SIGNS: Mapping[Direction, int] = {"up": 1, "down": -1, "": 0}

DType = Literal["int32", "float32", "float64"]

ROW_KEYS = ("customer_id", "as_of")
"""The columns of a feature table that say what a row is about; no feature has their names."""

OWN_DIGEST = "__churnkit_digest__"
"""Where a module that was loaded from the user's own file holds the hash of that file."""

_INDEX_OF_LOG = {
    "PurchaseIndex": "purchases",
    "ActivityIndex": "activity",
    "SurveyIndex": "surveys",
    "BlockIndex": "",
}
_REPEATED = ("window", "kind", "instrument", "category", "number")
_CLASS_CODES = range(-128, 128)  # as many as one byte holds
_NAME = re.compile(
    r"[a-z][a-z0-9_]*(\{(kind|instrument)\}[a-z0-9_]*)*|\{(kind|instrument)\}_[a-z0-9_]+"
    r"|\{(category|number)\}"
)


@dataclass(frozen=True)
class Companion:
    """Another column that makes the value of a feature telling: "…, usually every 21".

    Attributes
    ----------
    name
        The column, with ``{kind}`` or ``{instrument}`` where the feature is repeated over them.
    reads
        What is added to the sentence, with ``{value}`` for the value of that column.
    where
        A column that must be known as well, if any.
    """

    name: str
    reads: str
    where: str = ""


@dataclass(frozen=True)
class Feature:
    """A registered feature.

    Attributes
    ----------
    name
        Column name without its window, with ``{kind}``, ``{instrument}``, ``{category}`` or
        ``{number}`` where repeated.
    build
        The function.
    log
        The log it reads: ``purchases``, ``activity`` or ``surveys``; empty if it reads any.
    unit, says
        Unit of the values, and their meaning in words.
    direction
        What a higher value is expected to go with.
    reads, unknown, none
        Sentences for a value, with ``{value}``, for a missing one, and for zero where the first
        would not say it well; used in the reasons of a score.
    companion
        What a sentence for a value adds to it.
    theme
        What it is about; correlated features share a theme, and a customer's reasons name each
        theme once.
    needs
        What must be there, or the feature does not exist: measures of its log (``amount``), or
        of another one (``activity.kind``); ``kind=renewal`` asks for a kind of event.
    only
        The kinds or instruments it is made for; empty means all.
    windows
        The windows it is made for, see `Windows`.
    streams
        What it asks of the market, of `churnkit.index.market.STREAMS`; such a feature depends on
        what *other* customers did before the cutoff.
    seasonal
        Whether it tells the time of the year; a model takes it only if it learnt a whole year.
    dtype
        How the values are stored: counts as ``int32``, sums of money as ``float64`` (exact to the
        cent), all else as ``float32`` (seven digits: three seconds in a year).
    classes
        Value → its name, for values that are classes.
    own
        Hash of the definition of a feature that is not built in, else empty.
    """

    name: str
    build: Callable[..., np.ndarray]
    log: str
    unit: str
    says: str
    direction: Direction
    reads: str
    unknown: str
    theme: str
    needs: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    windows: Windows = None
    streams: tuple[str, ...] = ()
    seasonal: bool = False
    dtype: DType = "float32"
    classes: Mapping[int, str] = field(default_factory=dict)
    none: str = ""
    companion: Companion | None = None
    own: str = ""

    @cached_property
    def per(self) -> tuple[str, ...]:
        """What the feature is repeated over, in the order of its arguments."""
        return tuple(inspect.signature(self.build).parameters)[2:]

    @property
    def sign(self) -> int:
        """The direction as a number: 1 up, -1 down, 0 neither."""
        return _SIGNS[self.direction]

    @property
    def of_market(self) -> bool:
        """Whether it tells the time only, by what all customers together do."""
        return self.seasonal and bool(self.streams)

    @property
    def where(self) -> str:
        """File and line of the function, for messages."""
        code = self.build.__code__
        return f"{code.co_filename}, line {code.co_firstlineno}"


CATALOGUE: dict[str, Feature] = {}
"""All registered features by name, the built-in ones first."""


def feature(
    *,
    unit: str,
    says: str,
    direction: Direction = "",
    reads: str = "",
    unknown: str = "",
    none: str = "",
    companion: Companion | None = None,
    theme: str = "",
    name: str = "",
    needs: str | tuple[str, ...] = (),
    only: str | tuple[str, ...] = (),
    windows: Windows = None,
    streams: str | tuple[str, ...] = (),
    seasonal: bool = False,
    dtype: DType = "float32",
    classes: Mapping[int, str] | None = None,
) -> Callable[[Callable[..., np.ndarray]], Callable[..., np.ndarray]]:
    """Register a function as a feature; see `Feature` for the arguments.

    The log is read off the annotation of the first parameter: `PurchaseIndex`, `ActivityIndex`,
    `SurveyIndex`, or `BlockIndex` for all logs. The sentences and ``theme`` may hold ``{window}``,
    ``{kind}`` and ``{instrument}``.

    Raises
    ------
    ConfigError
        If the name is no column name or belongs to another feature, or the parameters or another
        argument are not understood.

    Examples
    --------
    >>> from churnkit.index import Observations, PurchaseIndex
    >>> @feature(unit="purchases", says="purchases in the days {window} a year ago", windows=(30,))
    ... def doctest_year_ago(p: PurchaseIndex, at: Observations, window: int) -> np.ndarray:
    ...     return p.sales.count(at, window, ago=365)
    >>> CATALOGUE.pop("doctest_year_ago").log
    'purchases'
    """

    def register(build: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        own = "" if build.__module__.startswith("churnkit.") else _digest(build)
        chosen = name or build.__name__
        parameters = _understood(chosen, build)
        known = CATALOGUE.get(chosen)
        if known is not None and not _replaces(build, known.build):
            raise ConfigError(
                f"two features are called {chosen!r}: {known.where}, and {_where(build)}",
                "Give one of them another name.",
            )
        told = Feature(
            name=chosen,
            build=build,
            log=_INDEX_OF_LOG[parameters[0]],
            unit=unit,
            says=says,
            direction=direction,
            reads=reads or says + ": {value}",
            unknown=unknown or says + ": unknown",
            none=none,
            companion=companion,
            theme=theme or (chosen if own else build.__module__.rpartition(".")[2]),
            needs=_several(needs),
            only=_several(only),
            windows=windows,
            streams=_several(streams),
            seasonal=seasonal,
            dtype=dtype,
            classes=classes or {},
            own=own,
        )
        for wrong, mend in _faults(told):
            raise ConfigError(f"feature {chosen!r} ({told.where}) {wrong}", mend)
        CATALOGUE[chosen] = told
        return build

    return register


def _understood(name: str, build: Callable[..., np.ndarray]) -> list[str]:
    """The parameters of a feature function, the first as the name of its index."""
    index, *others = inspect.signature(build).parameters.values()
    annotation = getattr(index.annotation, "__name__", str(index.annotation))
    told = [annotation.rpartition(".")[2], *(p.name for p in others)]
    if told[0] not in _INDEX_OF_LOG:
        raise ConfigError(
            f"feature {name!r} ({_where(build)}): its first parameter is annotated {annotation}",
            f"Annotate it with one of {', '.join(_INDEX_OF_LOG)}.",
        )
    if not others or not set(told[2:]) <= set(_REPEATED):
        raise ConfigError(
            f"feature {name!r} ({_where(build)}) takes {', '.join(told[1:]) or 'one parameter'}",
            f"Let it take the index, the observations, and any of {', '.join(_REPEATED)}.",
        )
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} ({_where(build)}) is no name of a feature",
            "Use small Latin letters, digits and _, beginning with a letter.",
        )
    return told


def _several(words: str | tuple[str, ...]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def _faults(told: Feature) -> Iterator[tuple[str, str]]:
    """What would fail, or mean something else, once features are built; and how to mend it."""
    repeated = set(told.per)
    if told.name in ROW_KEYS:
        yield "is called like a key of the table", "Give it another name."
    named, nameable = set(_places(told.name)), repeated - {"window"}
    if not named <= nameable or (named < nameable and len(told.only) != 1):
        yield (
            f"takes {' and '.join(sorted(nameable)) or 'neither kind nor instrument'}",
            "Let its name hold {kind} or {instrument} if the function takes one, and only then.",
        )
    for argument in ("unit", "says", "reads", "unknown", "none", "theme"):
        known = repeated | ({"value"} if argument == "reads" else set())
        yield from _faults_of_text(argument, getattr(told, argument), known)
    if told.companion is not None:
        yield from _faults_of_text("companion", told.companion.name, nameable)
        yield from _faults_of_text("companion", told.companion.reads, repeated | {"value"})
    yield from _faults_of_choice("dtype", (told.dtype,), get_args(DType))
    yield from _faults_of_choice("direction", (told.direction,), get_args(Direction))
    yield from _faults_of_choice("streams", told.streams, STREAMS)
    if told.windows is not None and not callable(told.windows):
        yield from _faults_of_windows(told.windows, repeated)
    if not all(isinstance(code, int) and code in _CLASS_CODES for code in told.classes):
        yield (
            f"has the classes {list(told.classes)}",
            "Number them by whole numbers from -128 to 127.",
        )


def _places(template: str) -> list[str]:
    """The names in the braces of a text, as they stand there."""
    return [
        name + ("!" + how if how else "") + (":" + form if form else "")
        for _, name, form, how in Formatter().parse(template)
        if name is not None
    ]


def _faults_of_text(argument: str, text: Any, known: Collection[str]) -> Iterator[tuple[str, str]]:
    if not isinstance(text, str):
        yield f"has {argument} = {text!r}", "Write a text."
        return
    try:
        odd = [place for place in _places(text) if place not in known]
    except ValueError:  # a brace that is not closed
        odd = [text]
    if odd:
        listed = ", ".join(f"{{{word}}}" for word in sorted(known)) or "nothing"
        yield (
            f"has {argument} = {text!r}, where {odd[0]!r} is not understood",
            f"In braces may stand here: {listed}. Write {{{{ and }}}} for braces themselves.",
        )


def _faults_of_choice(
    argument: str, given: tuple[Any, ...], known: Collection[str]
) -> Iterator[tuple[str, str]]:
    for one in given:
        if one not in known:
            listed = ", ".join(repr(word) for word in known if word)
            yield f"has {argument} = {one!r}", f"Take one of {listed}, or leave it out."


def _faults_of_windows(windows: Any, repeated: set[str]) -> Iterator[tuple[str, str]]:
    days = windows if isinstance(windows, tuple | list) else ()
    sound = all(one is None or (isinstance(one, int) and one > 0) for one in days)
    if not days or not sound or len(set(days)) < len(days):
        yield f"has windows = {windows!r}", "Give days, each once, such as (30, 90); None is all."
    elif "window" not in repeated:
        yield "has windows, but its function takes none", "Let it take window, too."


def _replaces(build: Callable[..., np.ndarray], known: Callable[..., np.ndarray]) -> bool:
    """Whether a function is a later version of another, as in a notebook's cell run again."""
    places = [(b.__module__, b.__qualname__) for b in (build, known)]
    return places[0] == places[1] and OWN_DIGEST not in build.__globals__


def _where(build: Callable[..., np.ndarray]) -> str:
    return f"{build.__code__.co_filename}, line {build.__code__.co_firstlineno}"


def own_features() -> dict[str, str]:
    """Name → hash of the definition, of the registered features that are not built in."""
    return {f.name: f.own for f in CATALOGUE.values() if f.own}


def _digest(build: Callable[..., np.ndarray]) -> str:
    """Hash of the definition of a feature: of the file that was loaded as a whole, or its own."""
    import textwrap

    whole: str | None = build.__globals__.get(OWN_DIGEST)
    if whole is not None:
        return whole
    try:
        return digest_of(ast.parse(textwrap.dedent(inspect.getsource(build))))
    except (OSError, SyntaxError):  # typed into an interpreter that keeps no source
        return _hashed(build.__code__.co_code.hex() + repr(build.__code__.co_consts))


def digest_of(tree: ast.AST) -> str:
    """Hash of Python code; comments, spaces and places do not count."""
    return _hashed(_spelled(tree))


def _spelled(part: object) -> str:
    # Unlike ast.dump the same in every Python: later ones know more fields, which are empty.
    if isinstance(part, ast.AST):
        fields = [(k, v) for k, v in ast.iter_fields(part) if v is not None and v != []]
        return f"{type(part).__name__}({', '.join(f'{k}={_spelled(v)}' for k, v in fields)})"
    if isinstance(part, list):
        return f"[{', '.join(map(_spelled, part))}]"
    return repr(part)


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
