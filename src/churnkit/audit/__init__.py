"""The audit: features are built again where they must not change, and compared to the last bit.

A feature sees what its customer did before the cutoff and, if it says so, what all customers did
before it. Nothing that happens from the cutoff on may change it, nor another cutoff, nor another
name, nor another date of everything, nor, unless it asks for the market, other customers.
`TRIALS` holds the ways in which the logs are changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from churnkit.audit.sample import sample
from churnkit.audit.trials import REPEATED, TRIALS, Trial, Variant
from churnkit.clock import Cutoff
from churnkit.errors import ConfigError, DataError, GateRefused
from churnkit.features import FeatureColumn, Features, FeatureSpec, build_features
from churnkit.logs import CustomerLogs, Logs
from churnkit.progress import Progress, Step, silent

__all__ = ["TRIALS", "Audit", "Leak", "Trial", "audit", "value_in_words"]

_NAMES_TOLD = 8


@dataclass(frozen=True)
class Leak:
    """A feature that changed where it must not.

    Attributes
    ----------
    feature
        Name of the column.
    where
        File and line of its function.
    trial, fault, mend
        What was done, what the feature does wrong, and how to mend it.
    customer_id, cutoff
        The first customer and cutoff that show it.
    value, other
        The feature before and after; ``None`` where it is missing.
    customers
        How many customers show it.
    """

    feature: str
    where: str
    trial: str
    fault: str
    mend: str
    customer_id: str
    cutoff: str
    value: float | None
    other: float | None
    customers: int


@dataclass(frozen=True)
class Audit:
    """What was tried, and what was found.

    Attributes
    ----------
    columns, customers
        How many features, and of how many customers.
    cutoffs
        The moments, as text.
    trials
        Names of the trials.
    compared
        How many pairs of values were compared.
    leaks
        One for each trial and feature that it showed, in the order of the trials.
    """

    columns: int
    customers: int
    cutoffs: tuple[str, ...]
    trials: tuple[str, ...]
    compared: int
    leaks: tuple[Leak, ...]

    def told(self) -> dict[str, Any]:
        """The audit as JSON-ready values."""
        return asdict(self)

    def require_clean(self) -> None:
        """Refuse features that leak.

        Raises
        ------
        GateRefused
            Naming the features, and one customer that shows what the first does wrong.
        """
        if not self.leaks:
            return
        names = list(dict.fromkeys(leak.feature for leak in self.leaks))
        more = ", …" if len(names) > _NAMES_TOLD else ""
        first = self.leaks[0]
        raise GateRefused(
            f"{len(names)} of {self.columns} features are not point-in-time: "
            f"{', '.join(names[:_NAMES_TOLD])}{more}. {first.feature} ({first.where}) of customer "
            f"{first.customer_id} as of {first.cutoff} was {value_in_words(first.value)} and, in "
            f"the trial “{first.trial}”, {value_in_words(first.other)}: {first.fault}",
            first.mend,
        )


def value_in_words(value: float | None) -> str:
    """A value of a feature as text, to the last bit; ``missing`` if there is none.

    >>> value_in_words(3.0), value_in_words(0.1), value_in_words(None)
    ('3', '0.1', 'missing')
    """
    return "missing" if value is None else str(value).removesuffix(".0")


def audit(
    logs: CustomerLogs,
    spec: FeatureSpec,
    cutoffs: Sequence[Cutoff],
    customers: int = 200,
    seed: int = 0,
    progress: Progress = silent,
) -> Audit:
    """Try to make the features of some customers change where they must not.

    Parameters
    ----------
    logs
        Checked logs.
    spec
        The columns to try.
    cutoffs
        The moments, each tried by itself.
    customers
        How many are looked at, most of them with events before and after a cutoff.
    seed
        Seed of their choice, and of what is changed.
    progress
        Told what is being done.

    Raises
    ------
    DataError
        If none of the customers is known at any of the cutoffs.
    ConfigError
        If a feature of the user's own fails.
    """
    progress(f"choosing {customers} customers")
    some = sample(logs, cutoffs, customers, seed)
    search = _Search(some, spec, {c: build_features(some, c, spec) for c in cutoffs})
    for number, trial in enumerate(TRIALS, start=1):
        doing = f"trial {number} of {len(TRIALS)}: {trial.name}"
        progress(Step(doing, number - 1, len(TRIALS)))
        search.make(trial, np.random.default_rng([seed, number]))
    if not search.compared:
        raise DataError(
            f"nobody is known as of {' or '.join(map(str, cutoffs))}",
            "Ask for more cutoffs, or give a longer log.",
        )
    return Audit(
        columns=len(spec.columns()),
        customers=some.customer_count,
        cutoffs=tuple(map(str, cutoffs)),
        trials=tuple(trial.name for trial in TRIALS),
        compared=search.compared,
        leaks=tuple(search.leaks()),
    )


class _Search:
    """The trials made so far on some logs, and what they showed."""

    def __init__(self, logs: Logs, spec: FeatureSpec, known: Mapping[Cutoff, Features]) -> None:
        self.compared = 0
        self._logs, self._spec, self._known = logs, spec, known
        self._random: set[str] = set()
        self._first: dict[tuple[str, str], Leak] = {}
        self._shown_by: dict[tuple[str, str], set[str]] = {}

    def make(self, trial: Trial, rng: np.random.Generator) -> None:
        """Make a trial at every cutoff; what is not even the same twice is left out."""
        columns = [
            c
            for c in self._spec.columns()
            if c.name not in self._random and not trial.spares(c.feature)
        ]
        for cutoff, known in self._known.items():
            logs, at, before = self._logs, cutoff, known
            if trial.without_clocks and logs.zone != "UTC":
                logs, at = replace(logs, zone="UTC"), replace(cutoff, zone="UTC")
                before = build_features(logs, at, self._spec)
            for variant in trial.variants(logs, at, rng):
                after = _built_in(trial, variant, self._spec)
                self._compare(trial, columns, cutoff, before, after)
        if trial is REPEATED:
            self._random = {feature for _, feature in self._first}

    def leaks(self) -> Iterator[Leak]:
        """What was found, each with the number of customers that show it."""
        for key, leak in self._first.items():
            yield replace(leak, customers=len(self._shown_by[key]))

    def _compare(
        self,
        trial: Trial,
        columns: Sequence[FeatureColumn],
        cutoff: Cutoff,
        before: Features,
        after: Features,
    ) -> None:
        ids, row, other = np.intersect1d(
            before.customer_id, after.customer_id, assume_unique=True, return_indices=True
        )
        self.compared += len(ids) * len(columns)
        for column in columns:
            was, now = before.columns[column.name][row], after.columns[column.name][other]
            differs = np.flatnonzero((was != now) & ~(np.isnan(was) & np.isnan(now)))
            if len(differs):
                key, first = (trial.name, column.name), differs[0]
                self._shown_by.setdefault(key, set()).update(ids[differs].tolist())
                self._first.setdefault(
                    key,
                    Leak(
                        feature=column.name,
                        where=column.feature.where,
                        trial=trial.name,
                        fault=trial.fault,
                        mend=trial.mend,
                        customer_id=str(ids[first]),
                        cutoff=str(cutoff),
                        value=_number(was[first]),
                        other=_number(now[first]),
                        customers=0,
                    ),
                )


def _built_in(trial: Trial, variant: Variant, spec: FeatureSpec) -> Features:
    """The features of changed logs, under the ids that their customers had before."""
    try:
        built = build_features(variant.logs, (variant.cutoff, *variant.beside), spec)
    except ConfigError as error:
        raise ConfigError(
            f"{error.found} (as of {variant.cutoff}, in the trial “{trial.name}”)", error.mend
        ) from error
    built = built.where(built.cutoff == variant.cutoff.us)
    if not variant.old_ids:
        return built
    ids = np.array([variant.old_ids[new] for new in built.customer_id], dtype=object)
    return replace(built, customer_id=ids)


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else value.item()
