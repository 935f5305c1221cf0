"""Settings of the trees, looked for with Optuna on what was known well before the test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from churnkit.clock import Cutoff, cutoffs_back_from
from churnkit.dataset import Dataset, Recipe, Schedule, Untreating, build_dataset
from churnkit.errors import ConfigError, GateRefused
from churnkit.estimators import ChurnClassifier
from churnkit.evaluation import trial_at
from churnkit.labels import Question
from churnkit.logs import CustomerLogs
from churnkit.metrics import Interval, log_loss, paired_difference
from churnkit.model import fit, rung_named
from churnkit.progress import Progress, Step, part_of, silent

TRIALS = 30
"""Settings that are tried if nothing else is said."""

FILE_NAME = "tuning.journal"

_RUNG = "lightgbm"
_HOLD_TREES = ("best", "lightgbm", "blend")
_INNER = 3
_SPACE: dict[str, tuple[float, float, bool]] = {
    "trees": (50, 800, True),
    "leaves": (3, 31, True),
    "rows_per_leaf": (20, 1000, True),
    "learning_rate": (0.01, 0.2, True),
    "column_share": (0.2, 1.0, False),
    "row_share": (0.4, 1.0, False),
    "l2": (0.1, 50.0, True),
}
"""Setting → lowest, highest, and whether it is looked for on the log scale."""

_WHOLE = ("trees", "leaves", "rows_per_leaf")


@dataclass(frozen=True)
class Budget:
    """When the search ends: whichever comes first.

    Attributes
    ----------
    trials
        Settings tried in all, those of an earlier, interrupted search among them; ``None`` for
        as many as the time allows.
    minutes
        Minutes of this search; ``None`` for no limit.
    """

    trials: int | None = TRIALS
    minutes: float | None = None


def budget_of(asked: bool, trials: int | None, minutes: float | None) -> Budget | None:
    """What the command line asks for: a limit asks for a search, and one is enough."""
    if trials is None and minutes is None:
        return Budget() if asked else None
    return Budget(trials, minutes)


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes
    ----------
    trees
        The best settings.
    tried
        Settings tried, those of earlier searches among them.
    searched_at
        Cutoffs that they were tried at.
    judged_at
        The later cutoff at which the best met the default.
    gain
        Log loss of the default less that of the best at ``judged_at``, paired, with its 95 %
        interval clustered by customer.
    """

    trees: Mapping[str, Any]
    tried: int
    searched_at: tuple[Cutoff, ...]
    judged_at: Cutoff
    gain: Interval

    @property
    def kept(self) -> bool:
        """Whether the gain is one: its whole interval lies above 0."""
        return self.gain.low > 0

    @property
    def says(self) -> str:
        """What came out, in one sentence."""
        fate = "it is used" if self.kept else "no gain beyond chance, and it is dropped"
        return (
            f"the best of {self.tried} settings of the trees gains {self.gain} log loss on the "
            f"default at {self.judged_at}: {fate}"
        )

    def applied(self, recipe: Recipe) -> Recipe:
        """The recipe with these settings, or as it was if they are dropped."""
        return replace(recipe, trees={**recipe.trees, **self.trees}) if self.kept else recipe

    def told(self) -> dict[str, Any]:
        """The outcome as JSON-ready values."""
        return {
            "settings": dict(self.trees),
            "tried": self.tried,
            "searched_at": [str(cutoff) for cutoff in self.searched_at],
            "judged_at": str(self.judged_at),
            "gain": {key: float(getattr(self.gain, key)) for key in ("value", "low", "high")},
            "kept": self.kept,
            "says": self.says,
        }


@dataclass(frozen=True)
class _Split:
    """What was known at a cutoff, and what came after it."""

    learnt: Dataset
    data: Dataset

    @classmethod
    def at(
        cls,
        logs: CustomerLogs,
        question: Question,
        schedule: Schedule,
        at: Cutoff,
        recipe: Recipe,
        untreated: Untreating | None = None,
    ) -> _Split:
        training = schedule.training_cutoffs(logs, question, at)
        learnt = build_dataset(logs, question, training, recipe.spec(logs, training), untreated)
        return cls(learnt, build_dataset(logs, question, [at], learnt.features.spec, untreated))

    @property
    def usable(self) -> bool:
        return self.learnt.rarer > 0 and self.data.rarer > 0

    def log_loss(self, question: Question, recipe: Recipe) -> float:
        model = fit(rung_named(_RUNG), self.learnt, question, recipe)
        p = model.churn_probability(self.data.features)
        return log_loss(self.data.churned, p, self.data.weight)


def tune(
    logs: CustomerLogs,
    question: Question,
    schedule: Schedule,
    recipe: Recipe | None = None,
    budget: Budget | None = None,
    storage: Path | None = None,
    progress: Progress = silent,
    untreated: Untreating | None = None,
) -> Tuned:
    """Look for better settings of the trees than those of the recipe.

    Going back from the test, one horizon apart: at the cutoff before it the best settings meet
    those of the recipe; at the ones before that settings are tried. Each cutoff is learnt for from
    what was known when it began, and the test takes no part.

    Parameters
    ----------
    logs, question, schedule, recipe
        As in `churnkit.evaluation.backtest`.
    budget
        When the search ends.
    storage
        File in which every setting tried is kept; a search over the same rows, the same question
        and the same recipe goes on where it ended. Without it nothing is kept.
    progress
        Told what is being done.
    untreated
        As in `churnkit.evaluation.backtest`.

    Raises
    ------
    ConfigError
        If Optuna is not installed, or the recipe names a rung without trees.
    GateRefused
        If the history is too short.
    """
    how, limits = recipe or Recipe(), budget or Budget()
    require_tunable(how)
    optuna = optuna_there()
    *searched, judged = _inner_cutoffs(logs, question, schedule)
    progress(f"building features to tune at {', '.join(map(str, searched))}")
    splits = [_Split.at(logs, question, schedule, at, how, untreated) for at in searched]
    usable = [split for split in splits if split.usable]
    if not usable:
        raise _too_short("no cutoff before it holds churners and stayers")
    tried, best = _search(optuna, usable, question, how, limits, storage, progress)
    progress(f"judging the best settings at {judged}")
    gain = _gain(logs, question, schedule, judged, how, best, progress, untreated)
    return Tuned(best, tried, tuple(searched), judged, gain)


def require_tunable(recipe: Recipe) -> None:
    """Refuse a recipe that does not use the trees whose settings are looked for.

    Raises
    ------
    ConfigError
        Naming the rung it uses.
    """
    if recipe.use not in _HOLD_TREES:
        raise ConfigError(
            f"--tune looks for settings of {_RUNG}, and use = {recipe.use!r} is another model",
            'Set use = "best" in [model], or train without --tune.',
        )


def _inner_cutoffs(
    logs: CustomerLogs, question: Question, schedule: Schedule
) -> tuple[Cutoff, ...]:
    """The cutoffs before the test, in rising order, the last of which judges."""
    *_, test = schedule.test_cutoffs(logs, question) or (None,)
    if test is None:
        raise _too_short("there is not even a test")
    back = cutoffs_back_from(test, question.horizon_days, 1 + _INNER, logs.first_day(question.log))
    inner = [c for c in back[:-1] if schedule.training_cutoffs(logs, question, c)]
    if len(inner) < 2:
        raise _too_short(f"before the test at {test} there is room for {len(inner)} of 2 cutoffs")
    return tuple(inner)


def _too_short(why: str) -> GateRefused:
    return GateRefused(
        f"the history is too short to tune: {why}", "Train without --tune, or on a longer history."
    )


def _search(
    optuna: ModuleType,
    splits: Sequence[_Split],
    question: Question,
    recipe: Recipe,
    budget: Budget,
    storage: Path | None,
    progress: Progress,
) -> tuple[int, dict[str, Any]]:
    """How many settings were tried in all, and the best of them."""
    # One seed tells settings apart as well as three, at a third of the cost.
    quick = replace(recipe, trees={**recipe.trees, "seeds": 1})
    default = {name: value for name, value in _default(quick).items() if name in _SPACE}

    def lost(trial: Any) -> float:
        settings = _suggested(trial)
        said = _where(study, budget)
        of = budget.trials
        progress(said if of is None else Step(said, len(_finished(study)), of))
        made = replace(quick, trees={**quick.trees, **settings})
        return float(np.mean([split.log_loss(question, made) for split in splits]))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=_digest(splits, question, quick),
        storage=None if storage is None else _kept_in(optuna, storage),
        load_if_exists=True,
    )
    # A search that goes on must not draw what it drew before.
    study.sampler = optuna.samplers.TPESampler(seed=len(study.trials))
    if default not in [trial.params for trial in _finished(study)]:
        study.enqueue_trial(default)
    left = None if budget.trials is None else budget.trials - len(_finished(study))
    seconds = None if budget.minutes is None else 60 * budget.minutes
    if left is None or left > 0:
        study.optimize(lost, n_trials=left, timeout=seconds)
    return len(_finished(study)), dict(study.best_params)


def _finished(study: Any) -> list[Any]:
    """The settings whose log loss is known; one that was interrupted is tried again."""
    return [trial for trial in study.trials if trial.value is not None]


def _where(study: Any, budget: Budget) -> str:
    of = "" if budget.trials is None else f" of {budget.trials}"
    done = _finished(study)
    best = f", the best so far has log loss {study.best_value:.4f}" if done else ""
    return f"trying settings {len(done) + 1}{of}{best}"


def _default(recipe: Recipe) -> dict[str, Any]:
    """The settings of the recipe, none left out, as far as the search may reach them."""
    told = {**ChurnClassifier().get_params(), **recipe.trees}
    return {
        name: type(told[name])(min(max(told[name], low), high))
        for name, (low, high, _) in _SPACE.items()
    }


def _suggested(trial: Any) -> dict[str, Any]:
    return {
        name: (
            trial.suggest_int(name, low, high, log=log)
            if name in _WHOLE
            else trial.suggest_float(name, low, high, log=log)
        )
        for name, (low, high, log) in _SPACE.items()
    }


def _gain(
    logs: CustomerLogs,
    question: Question,
    schedule: Schedule,
    at: Cutoff,
    recipe: Recipe,
    best: Mapping[str, Any],
    progress: Progress,
    untreated: Untreating | None,
) -> Interval:
    """How much lower the log loss is than the default's, on the same customers."""
    tuned = replace(recipe, trees={**recipe.trees, **best})
    old, new = (
        trial_at(logs, question, schedule, at, part_of(progress, k, 2), how, [_RUNG], untreated)
        for k, how in enumerate((recipe, tuned))
    )
    return paired_difference(
        "log_loss",
        old.data.churned,
        old.probabilities[_RUNG],
        new.probabilities[_RUNG],
        old.data.features.customer_id,
        weight=old.data.weight,
    )


def _digest(splits: Sequence[_Split], question: Question, recipe: Recipe) -> str:
    """A name that only a search over the same rows, with the same question and recipe, has."""
    found = hashlib.sha256()
    # All of the recipe but how the columns are chosen, which are looked at themselves below.
    told = {"question": question.rule, "space": _SPACE, "trees": dict(recipe.trees),
            "monotone": recipe.monotone, "early_stopping": recipe.early_stopping,
            "calibrate": recipe.calibrate}  # fmt: skip
    found.update(json.dumps(told, sort_keys=True).encode())
    for dataset in (part for split in splits for part in (split.learnt, split.data)):
        features = dataset.features
        found.update(json.dumps(features.names).encode())
        found.update(features.cutoff.tobytes())
        found.update(dataset.churned.tobytes())
        if dataset.weight is not None:
            found.update(dataset.weight.tobytes())
        for name in features.names:
            found.update(np.ascontiguousarray(features.columns[name]).tobytes())
    return f"churnkit-{found.hexdigest()[:16]}"


def _kept_in(optuna: ModuleType, path: Path) -> Any:
    """A journal: lines of JSON that are only ever added to, so that nothing is lost on a stop."""
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = JournalFileOpenLock(str(path))
    return optuna.storages.JournalStorage(JournalFileBackend(str(path), lock_obj=lock))


def optuna_there() -> ModuleType:
    """Optuna, which searches.

    Raises
    ------
    ConfigError
        If it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(
            "tuning needs Optuna, which is not installed", "pip install 'churnkit[tune]'"
        ) from error
    return optuna
