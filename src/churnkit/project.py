"""The steps of a project, each from its settings to what it wrote and what it has to tell."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.audit import Audit, audit
from churnkit.clock import (
    Cutoff,
    Every,
    cutoffs_between,
    horizon_ends_by,
    precedes_all,
    reaches_back,
)
from churnkit.config import Settings
from churnkit.customer import explain_customer
from churnkit.enough import shortfalls
from churnkit.errors import ConfigError, DataError
from churnkit.features import (
    CATALOGUE,
    WINDOWS,
    FeatureColumn,
    FeaturePlan,
    FeatureSpec,
    build_beside,
    plan_features,
    write_features,
)
from churnkit.gates import require_gates_known
from churnkit.ledger import Ledger
from churnkit.lights import (
    Evidence,
    Override,
    TrafficLight,
    require_features,
)
from churnkit.logs import CustomerLogs, Inspection
from churnkit.logs.account import stop_if_too_many
from churnkit.model import ChurnModel
from churnkit.origin import differences, origin
from churnkit.progress import Progress, silent
from churnkit.project_outcomes import catch_up_ledger, deeds_of, untreated
from churnkit.project_scores import Asked, Summarise, publish
from churnkit.project_spark import opened_frames, opened_to_learn
from churnkit.project_spark_scores import publish_on_spark, require_scorable
from churnkit.project_story import STORY_WEEKS, tell_story
from churnkit.release import Release, champion, from_path, release
from churnkit.report import completed, summary_of, write_report
from churnkit.report.checkup import checkup_summary, write_checkup
from churnkit.report.customer import write_customer
from churnkit.report.rolling import rolling_summary, write_rolling
from churnkit.rolling import roll
from churnkit.scoring import (
    SHOWN,
    Totals,
    ending_of,
    require_same_logs,
    write_frame,
    write_scores,
)
from churnkit.sinks import write_csv, write_table
from churnkit.sources import inspect_logs
from churnkit.sources.stores.address import Address, rooted
from churnkit.training import Training, train
from churnkit.tuning import FILE_NAME as TUNING_FILE
from churnkit.tuning import Budget, optuna_there, require_tunable, tune

if TYPE_CHECKING:
    import pandas as pd

_LEVEL_MOVED = 0.15  # so much higher or lower is the mean probability than at the test
_UNSEEN_DAYS = 7  # so long is no shop closed, nor a load late, without anybody noticing


@dataclass(frozen=True)
class Checkup:
    """What became of every row, what is odd about the whole, and what is too little.

    Attributes
    ----------
    inspection
        The logs as far as they keep the contract, and what they look like.
    summary
        JSON-ready values, see `churnkit.report.checkup.checkup_summary`; ``one_in`` is above 1 if
        the events of so many customers stand for all.
    max_rejected_share
        The limit beyond which `require_clean` refuses.
    """

    inspection: Inspection
    summary: dict[str, Any]
    max_rejected_share: float

    def require_clean(self) -> None:
        """Refuse logs of which too many rows are set aside.

        Raises
        ------
        DataError
            With the counts by reason.
        """
        for check in self.inspection.logs.checks:
            stop_if_too_many(check, self.max_rejected_share)


def check_project(
    settings: Settings, html: Path | None = None, progress: Progress = silent
) -> Checkup:
    """Look at every log; write the rows set aside beside the reports, and a page if asked.

    Raises
    ------
    DataError
        If a source or a column is missing, or no row of a log keeps the contract.
    ConfigError
        If the page would be written over a log.
    """
    if html is not None:
        settings.require_no_input(html)
    settings.load_features()
    progress("checking the logs")
    found = inspect_logs(
        settings.sources(),
        settings.contract(),
        quarantine=settings.folder / settings.output.reports / "rejected",
        memory_limit=settings.engine.memory_limit,
        progress=progress,
    )
    question = settings.asked()
    progress("looking whether they are enough")
    _require_rules(settings, found.logs)
    too_little = shortfalls(found.logs, question, settings.schedule(), found.one_in)
    progress("looking how long customers stay away")
    rejected = next((str(path) for path in found.quarantine if path.suffix == ".csv"), None)
    profiles = list(found.profiles.values())
    summary = checkup_summary(found.logs, question, profiles, too_little, rejected, found.one_in)
    if html is not None:
        write_checkup(summary, html)
    return Checkup(found, summary, settings.quality.max_rejected_share)


def _require_rules(settings: Settings, logs: CustomerLogs) -> None:
    """Refuse rules that look at features which these logs do not make."""
    last = max((logs.last_day(log) for log in logs.measures), default=None)
    if last is not None:
        spec = FeatureSpec.learn(logs, last.shifted(1), settings.windows)
        require_features(settings.light().rules, spec)


def list_features(settings: Settings | None = None) -> list[dict[str, Any]]:
    """The catalogue as JSON-ready values: the built-in features, and those of a project's file.

    ``windows`` holds days, ``None`` for all time, and nothing for a feature without windows.

    Raises
    ------
    ConfigError
        If the file of the project's own features cannot be used.
    """
    windows = WINDOWS if settings is None else settings.windows
    if settings is not None:
        settings.load_features()
    spec = FeatureSpec(logs={}, windows=windows)
    return [
        {
            "name": built.name,
            "log": built.log,
            "unit": built.unit,
            "windows": list(spec.windows_of(built)) if "window" in built.per else [],
            "direction": built.direction,
            "says": built.says,
            "needs": list(built.needs),
            "seasonal": built.seasonal,
            "own": bool(built.own),
        }
        for built in CATALOGUE.values()
    ]


def build_project(
    settings: Settings, cutoffs: Sequence[Cutoff], out: Path, progress: Progress = silent
) -> dict[str, Any]:
    """Write the features of every known customer at each cutoff, as Parquet or CSV.

    Returns
    -------
    dict
        ``cutoffs``, ``out``, ``rows``, ``features``, the number of columns, and ``warnings``.

    Raises
    ------
    ConfigError
        If the file ends otherwise, a window of the settings is longer than the history, or a
        feature of the user's own fails.
    DataError
        If a cutoff precedes all events.
    """
    ending = ending_of(out)
    if settings.engine.name != "spark":  # which writes a folder
        settings.require_no_input(out)
    settings.load_features()
    if settings.engine.name == "spark":
        return _build_on_spark(settings, cutoffs, out, ending, progress)
    progress("reading and sorting the logs")
    with settings.open_logs() as logs:
        spec = FeatureSpec.learn(logs, max(cutoffs), settings.windows)
        _require_known(_days(logs), min(cutoffs))
        _require_history(settings, spec.columns, _days(logs), max(cutoffs))
        plan = plan_features(logs, cutoffs, spec)
        progress(f"building {len(plan.columns)} features as of {', '.join(map(str, cutoffs))}")
        rows = _write_features(logs, plan, out, ending, settings.sha256, progress)
        unseen = _unseen(_days(logs)[1], max(cutoffs))
    return _built(plan, out, rows, [unseen] if unseen else [])


def _built(plan: FeaturePlan, out: Path, rows: int, warnings: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "cutoffs": [str(cutoff) for cutoff in plan.cutoffs],
        "out": str(out),
        "rows": rows,
        "features": len(plan.columns),
        "warnings": list(warnings),
    }


def _build_on_spark(
    settings: Settings, cutoffs: Sequence[Cutoff], out: Path, ending: str, progress: Progress
) -> dict[str, Any]:
    from churnkit.engines.spark import plan_spark, write_spark_features

    if ending != ".parquet":
        raise ConfigError(f"{out}: Spark writes a folder of Parquet files", "End it in .parquet.")
    if out.exists():  # before Spark works for nothing
        raise ConfigError(f"{out} is there already", "Remove it, or name another.")
    with opened_frames(settings, progress) as frames:
        progress("checking the logs on Spark")
        asked = plan_spark(frames, cutoffs, contract=settings.contract(), windows=settings.windows)
        _require_known(asked.days, min(cutoffs))
        _require_history(settings, asked.plan.spec.columns, asked.days, max(cutoffs))
        progress(f"building {len(asked.plan.columns)} features")
        rows = write_spark_features(asked.features(), str(out.absolute()))
    # Spark keeps what is told of columns, but nothing of the table; it overlooks such a file.
    told = asked.plan.schema({"config": settings.sha256}).metadata
    beside = json.dumps({key.decode(): text.decode() for key, text in told.items()}, indent=2)
    (out / "_churnkit.json").write_text(beside + "\n", encoding="utf-8")
    return _built(asked.plan, out, rows)


def _write_features(
    logs: CustomerLogs, plan: FeaturePlan, out: Path, ending: str, config: str, progress: Progress
) -> int:
    if ending == ".parquet":
        return write_features(logs, plan, out, metadata={"config": config}, progress=progress)
    table, _ = build_beside(logs, plan, {})
    write_frame(table.to_frame(), out)
    return len(table)


def audit_project(
    settings: Settings, customers: int, cutoffs: int, seed: int, progress: Progress = silent
) -> Audit:
    """Try to make the features of the project see the future, on its own logs.

    Parameters
    ----------
    settings
        The project.
    customers, cutoffs
        How many customers are looked at, and at how many moments spread over the history.
    seed
        Seed of the sample and the trials.
    progress
        Told what is being done.

    Raises
    ------
    ConfigError
        If a feature of the user's own fails.
    """
    settings.load_features()
    progress("reading and sorting the logs")
    with settings.open_logs() as logs:
        moments = cutoffs_between(*_days(logs), cutoffs)
        spec = FeatureSpec.learn(logs, max(moments), settings.windows)
        return audit(logs, spec, moments, customers, seed, progress)


def _days(logs: CustomerLogs) -> tuple[Cutoff, Cutoff]:
    """The first and the last day of all logs together."""
    first = min(logs.first_day(log) for log in logs.measures)
    return first, max(logs.last_day(log) for log in logs.measures)


def _require_known(days: tuple[Cutoff, Cutoff], cutoff: Cutoff) -> None:
    first, last = days
    if precedes_all(cutoff, first):
        raise DataError(
            f"nothing is known as of {cutoff}: the logs run from {first} to {last}",
            "Choose a later day, or fewer cutoffs.",
        )


def _require_history(
    settings: Settings,
    columns: Callable[[], Iterable[FeatureColumn]],
    known: tuple[Cutoff, Cutoff],
    last: Cutoff,
) -> None:
    """Refuse windows of the user's that no row can fill; the usual ones may be empty.

    The columns are asked for only to name one of them.
    """
    if "windows" not in settings.features.model_fields_set:
        return
    first, _ = known
    for days in settings.features.windows:
        if reaches_back(last, days, first):
            names = [column.name for column in columns() if column.window == days]
            span = (last.local.date() - first.local.date()).days
            raise ConfigError(
                f"{names[0] if names else 'a window'} looks back {days} days from {last}, "
                f"while the logs begin on {first}, {span} days before",
                f"Take {days} out of windows in [features], or give a longer history.",
            )


@dataclass(frozen=True)
class Trained:
    """A model that was trained, written and registered.

    Attributes
    ----------
    training
        The model and its evidence.
    released
        Where it is now.
    summary
        JSON-ready values: the model card, and what `churnkit.release.Release.told` tells.
    """

    training: Training
    released: Release
    summary: dict[str, Any]


def train_project(
    settings: Settings,
    progress: Progress = silent,
    allow: Sequence[str] = (),
    budget: Budget | None = None,
) -> Trained:
    """Train, test, write the bundle, register it, and make it champion if it has earned it.

    Parameters
    ----------
    settings
        The project.
    progress
        Told what is being done.
    allow
        Keys of `churnkit.gates.GATES` that may fail.
    budget
        How long to look for better settings of the trees, see `churnkit.tuning.tune`; by default
        not at all.

    Raises
    ------
    ConfigError
        If one of them is no gate, or Optuna is asked for and not installed.
    ChurnkitError
        If the registry cannot be reached; the bundle stays and can be pushed later.
    GateRefused
        If the data are too little. A model that fails its gates is kept without an error; see
        `Training.require_gates`.
    """
    require_gates_known(allow)
    recipe = settings.recipe()
    if budget is not None:
        require_tunable(recipe)  # before anybody waits
        optuna_there()
    settings.load_features()
    question, schedule, light = settings.asked(), settings.schedule(), settings.light()
    left_out = untreated(settings)
    if "too-little" in allow:
        recipe = replace(recipe, least=1)
    with opened_to_learn(settings, progress) as (logs, drawn):
        question.require(logs)
        last = schedule.last_known(logs, question)
        _require_history(
            settings,
            lambda: FeatureSpec.learn(logs, last, settings.windows).columns(),
            _days(logs),
            last,
        )
        told: dict[str, Any] | None = None
        require_features(light.rules, FeatureSpec.learn(logs, last, settings.windows))
        if budget is not None:
            path = settings.models / TUNING_FILE
            tuned = tune(logs, question, schedule, recipe, budget, path, progress, left_out)
            recipe, told = tuned.applied(recipe), tuned.told()
        trained = train(logs, question, schedule, progress, recipe=recipe, untreated=left_out)
        training = replace(
            trained, allowed=tuple(allow), money=settings.money.amounts(), tuning=told,
            sample=None if drawn is None else drawn.told(),
        )  # fmt: skip
        progress("writing and registering the model, and comparing it with the champion")
        released = release(
            training,
            settings.models,
            settings.registry(),
            light,
            logs=logs,
            origin=origin(logs, settings.contract(), settings.sha256, settings.folder),
        )
    return Trained(training, released, {**released.card, **released.told()})


def backtest_project(
    settings: Settings,
    tests: int | None = None,
    every: Every | None = None,
    html: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Test every model at every cutoff that the history allows; write a page if asked.

    Parameters
    ----------
    settings
        The project.
    tests, every
        At most so many test cutoffs, and how far apart; see `churnkit.rolling.roll`.
    html
        Where the page is written.
    progress
        Told what is being done.

    Returns
    -------
    dict
        See `churnkit.report.rolling.rolling_summary`.

    Raises
    ------
    GateRefused
        If nothing can be tested.
    """
    if html is not None:
        settings.require_no_input(html)
    settings.load_features()
    left_out = untreated(settings)
    progress("reading and sorting the logs")
    with settings.open_logs() as logs:
        found = roll(
            logs, settings.asked(), settings.schedule(), progress, settings.recipe(),
            tests=tests, every=every, untreated=left_out,
        )  # fmt: skip
        summary = {**rolling_summary(found, progress), "untreated": found.untreated}
    if html is not None:
        write_rolling(summary, html)
    return summary


def score_project(
    settings: Settings,
    as_of: Cutoff,
    model: Path | None = None,
    out: Path | None = None,
    report: Path | None = None,
    progress: Progress = silent,
    within: Sequence[int] = (),
    *,
    force: bool = False,
    incremental: bool = False,
) -> dict[str, Any]:
    """Score every customer at risk, publish that, write the report, and tell what came out.

    What was published from the same logs, model, settings and run before is not published again.
    The store is locked from beginning to end, so that of two runs one does the work.

    Parameters
    ----------
    settings
        The project.
    as_of
        The cutoff: events before it count.
    model
        Bundle to use instead of the champion.
    out
        A .parquet or .csv file for the scores in the order of their ranks, beside what is
        published.
    report
        Where to write the report; by default into the folder of the settings.
    progress
        Told what is being done.
    within
        Shorter horizons, in days, whose probabilities are published as well; the columns of a
        table in a store stay the same.
    force
        Publish anew what is published already, and score days long after the end of the logs.
    incremental
        Score only the customers whose rows have changed since the run of the day that is
        published, where everything else is as it was; else all, and the summary says why.

    Returns
    -------
    dict
        The summary of the report, ``paths``: name → file, and ``published``: ``run``,
        ``unchanged`` (nothing was to be done), ``scored`` (customers looked at, ``None`` where
        nothing was) and ``says``.

    Raises
    ------
    Busy
        If another process is publishing to the store.
    ConfigError
        If something cannot be written where it should, or the model does not know of a horizon in
        ``within``.
    DataError
        If nobody is at risk, or the logs end more than a horizon before the cutoff; or if the
        store of the settings refuses, when everything else is done.
    """
    paths = {"report": report or settings.report_path(as_of)}
    if out is not None:
        paths["out"] = out
    _require_apart(settings, **paths)
    is_spark = settings.engine.name == "spark"
    if is_spark:
        require_scorable(settings, incremental=incremental, out=out is not None)
    settings.load_features()
    actions = settings.actions()
    actions.holdout.arms([])  # what cannot be planned is told before anybody waits
    settings.require_same_key()
    progress("loading the model")
    loaded, card, warnings = _model_in_use(settings, model)
    for days in within:
        loaded.require_within(days)
    asked = Asked(
        settings, loaded, card, as_of, tuple(sorted(set(within))), actions, tuple(warnings)
    )
    store = settings.score_store()
    with store.lock():
        catch_up_ledger(settings)  # the run before may have ended between publishing and this

        def look(logs: CustomerLogs) -> Summarise:
            require_same_logs(loaded.spec, logs)
            return partial(_summary, unseen=_unseen_by_far(logs, asked, force))

        if is_spark:
            published = publish_on_spark(asked, store, progress, look, force=force)
        else:
            progress("reading and sorting the logs")
            with settings.open_logs() as logs:
                published = publish(
                    asked, store, logs, progress, look(logs),
                    force=force, incremental=incremental, anew=out is not None,
                )  # fmt: skip
        warned = _kept_run(settings, as_of)
        summary = {**published.summary}
        summary["warnings"] = [*([warned] if warned else []), *summary["warnings"]]
        progress("keeping the ledger")
        catch_up_ledger(settings)
        store.prune(settings.output.keep_runs, settings.output.keep_days)
    file = store.path(str(as_of))
    _write_page(settings, summary, file, paths["report"])
    if out is not None and published.scores is not None:
        write_scores(published.scores, out)
    told = {"scores": str(file), "ledger": settings.open_ledger().says}
    told |= {name: str(path) for name, path in paths.items()}
    if settings.output.csv is not None:
        spreadsheet = settings.folder / settings.output.csv
        settings.require_no_input(spreadsheet)
        write_csv(file, spreadsheet)
        told["csv"] = str(spreadsheet)
    if settings.output.url is not None:  # last, since a store may refuse
        progress(f"publishing to the table {settings.output.table}")
        told["table"] = _publish(store.read(str(as_of)), settings, published.manifest.run)
    return {**summary, "paths": told, "published": published.told()}


def _write_page(settings: Settings, summary: Mapping[str, Any], run: Path, page: Path) -> None:
    """The page of a run with what is known of it now; ``churnkit report`` tells more."""
    rows = sum(light["customers"] for light in summary["lights"])
    name = os.path.relpath(run, settings.folder)
    whole = {"name": Path(name).as_posix(), "link": None, "rows": rows}
    write_report(completed(summary, run, whole=whole), page, settings.spoken())


def _summary(asked: Asked, logs: CustomerLogs, totals: Totals, unseen: str) -> dict[str, Any]:
    """What the report of a run tells."""
    card, as_of = asked.card, asked.as_of
    told_of = (
        _careful(card), *card["warnings"], *totals.warnings, _seen(card, as_of), unseen,
        *_unmet(asked.overrides, totals), _unvalued(totals), _unlike_the_test(totals, card),
    )  # fmt: skip
    warnings = [*asked.warnings, *(warning for warning in told_of if warning)]
    return summary_of(totals, card, logs, warnings)


def _unseen_by_far(logs: CustomerLogs, asked: Asked, force: bool) -> str:
    """A warning if the logs end long before the cutoff.

    Raises
    ------
    DataError
        If they end more than a horizon before it, unless that is forced: then all customers look
        as if they had left.
    """
    last, as_of = logs.last_day(asked.model.question.log), asked.as_of
    unseen = _unseen(last, as_of)
    horizon_days = asked.model.question.horizon_days
    if horizon_days > _UNSEEN_DAYS and not force and horizon_ends_by(last, 1 + horizon_days, as_of):
        raise DataError(
            unseen.replace(": what", f", more than the {horizon_days} days of the horizon: what"),
            f"Bring the logs up to date, or score an earlier day: --as-of {last.shifted(1)}. "
            "--force scores it all the same.",
        )
    return unseen


def _light(settings: Settings, card: Mapping[str, Any]) -> TrafficLight:
    """The traffic light, once it has looked at the tests of the model."""
    return settings.light().fit(Evidence.from_told(card.get("evidence", ())))


def _kept_run(settings: Settings, as_of: Cutoff) -> str:
    """A warning that the run of the day stays as it was, since outcomes are recorded for it."""
    recorded = deeds_of(settings).current()
    if str(as_of) not in set(recorded["as_of"]):
        return ""
    return (
        f"outcomes are recorded for the run of {as_of}: the ledger keeps it as it was, with who "
        "was acted on and who was held out"
    )


def _unmet(overrides: Mapping[str, Override], totals: Totals) -> Iterator[str]:
    """A warning of overrides for customers who are not at risk now; ``lights list`` names them."""
    gone = len(set(overrides) - set(totals.overridden))
    if gone:
        yield f"overrides hold for customers who are not at risk now: {gone:,}"


def _unvalued(totals: Totals) -> str:
    """A warning if nobody's money is known."""
    if totals.is_valued:
        return ""
    return (
        "nothing tells what the customers are worth: value at risk is unknown, and the rank "
        "follows the probability alone (map amount of [logs.purchases], or value of "
        "[logs.customers])"
    )


def _unlike_the_test(totals: Totals, card: Mapping[str, Any]) -> str:
    """A warning if far more or fewer are expected to churn than at the test of the model."""
    then = [group["predicted"] for group in card["calibration"]]
    if not then:
        return ""
    customers = [group["customers"] for group in card["calibration"]]
    now, was = totals.expected / totals.customers, float(np.average(then, weights=customers))
    if abs(now - was) < _LEVEL_MOVED:
        return ""
    return (
        f"{now:.0%} of the customers are expected to churn now, {was:.0%} were at the test of "
        f"{card['trials'][-1]['cutoff']}: the season or the customers have changed, and the "
        "probabilities may say too much or too little; the order of the list is surer than its "
        "colours"
    )


def _require_apart(settings: Settings, report: Path, out: Path | None = None) -> None:
    """Refuse scores and a report that cannot be written, or only over something else."""
    settings.require_no_input(report)
    if out is None:
        return
    ending_of(out)
    settings.require_no_input(out)
    if out.resolve() == report.resolve():
        raise ConfigError(f"{report} is to hold the scores and the report", "Name two files.")


def _model_in_use(
    settings: Settings, model: Path | None
) -> tuple[ChurnModel, dict[str, Any], list[str]]:
    """The model of a bundle, or else the champion; its card, and warnings.

    A champion that no longer fits the settings is refused; whoever names a bundle is warned.
    """
    if model is not None:
        loaded, card = from_path(model)
        odd = _odd(settings, loaded, card)
        return loaded, card, [f"the model does not fit churnkit.toml: {said}" for said in odd]
    loaded, card, warning = champion(settings.models, settings.registry())
    odd = _odd(settings, loaded, card)
    if odd:
        raise ConfigError(
            f"the champion (version {loaded.version}) does not fit churnkit.toml any more: "
            f"{'; '.join(odd)}",
            "Train anew with churnkit train, set churnkit.toml back, promote a version that fits "
            "(churnkit models), or name a bundle with --model PATH to use it as it is.",
        )
    return loaded, card, [warning] if warning else []


def _odd(settings: Settings, model: ChurnModel, card: dict[str, Any]) -> list[str]:
    return differences(model, card, settings.asked(), settings.windows, settings.contract())


def explain_project(
    settings: Settings,
    customer: str,
    as_of: Cutoff,
    since: Cutoff | None = None,
    model: Path | None = None,
    progress: Progress = silent,
    *,
    weeks: int | None = None,
    html: Path | None = None,
    language: str | None = None,
) -> dict[str, Any]:
    """Tell why one customer has its probability, and what moved it since an earlier day.

    Parameters
    ----------
    settings, customer
        The project, and the id of the customer.
    as_of, since
        The cutoff, and an earlier one to compare with.
    model
        Bundle to use instead of the champion.
    progress
        Told what is being done.
    weeks
        Tell the story, too, with what the model says of so many weeks before; by default it is
        told for a page only.
    html
        A page of it.
    language
        That of the page, by its code; by default that of the settings.

    Returns
    -------
    dict
        What `churnkit.customer.explain_customer` tells, and ``warnings``; with weeks or a page also
        ``story``, see `churnkit.project_story.tell_story`.

    Raises
    ------
    ConfigError
        If the page would be written over a log or the settings, or there is no such language.
    """
    if html is not None:
        settings.require_no_input(html)
    spoken, story = settings.spoken(language), None
    if html is not None and weeks is None:
        weeks = STORY_WEEKS
    settings.load_features()
    progress("loading the model")
    loaded, card, warnings = _model_in_use(settings, model)
    light, customer = _light(settings, card), settings.customer_named(customer)
    progress("reading and sorting the logs")
    with settings.open_logs() as logs:
        progress(f"looking at {customer} as of {as_of}")
        told = explain_customer(
            loaded, logs, customer, as_of, since, light, margin=settings.money.margin
        )
        if weeks is not None:
            story = tell_story(settings, loaded, logs, customer, as_of, weeks, light, progress)
        unseen = _unseen(logs.last_day(loaded.question.log), as_of)
    warnings += [w for w in (_seen(card, since or as_of), unseen) if w]
    ledger = settings.open_ledger()
    lit = {**told, **_as_scored(ledger, customer, told)}
    if told["since"] is not None:
        lit["since"] = {**told["since"], **_as_scored(ledger, customer, told["since"], loaded)}
    lit |= {"warnings": warnings} if story is None else {"warnings": warnings, "story": story}
    if html is not None:
        write_customer(lit, html, spoken)
    return lit


def _as_scored(
    ledger: Ledger, customer: str, told: Mapping[str, Any], model: ChurnModel | None = None
) -> dict[str, Any]:
    """Light and rules of the run of that day, if there is one by the same model.

    Hysteresis and overrides are in it, which the day alone does not tell.
    """
    if told["as_of"] not in ledger.days():
        return {}
    run = ledger.read(told["as_of"])
    theirs = run[run["customer_id"] == customer]
    version = told.get("model_version", "" if model is None else model.version)
    if not len(theirs) or theirs["model_version"].iloc[0] != version:
        return {}
    row = theirs.iloc[0]
    rules = [rule for rule in str(row["rules"]).split("; ") if rule]
    return {"light": str(row["light"]), "base_light": str(row["base_light"]), "rules": rules}


def _publish(rows: pd.DataFrame, settings: Settings, run: str) -> str:
    """Write the scores to the store of the settings and tell its table."""
    table = settings.output.table
    url = rooted(str(settings.output.url), settings.folder)
    # Shorter horizons are asked for now and then, and a table has the same columns every time.
    shown = rows[list(SHOWN)].sort_values("rank", ignore_index=True)
    write_table(shown, url, table, run=run)
    return f"{Address.parse(url)}, table {table}"


def _careful(card: Mapping[str, Any]) -> str:
    """A warning of a model that is to be used with care."""
    return f"the model has grade C: {card['grade_says']}" if card["grade"] == "C" else ""


def _seen(card: Mapping[str, Any], as_of: Cutoff) -> str:
    last = Cutoff.parse(card["training"]["cutoffs"][-1], as_of.zone)
    if horizon_ends_by(last, card["horizon_days"], as_of):
        return ""
    return (
        f"the model learnt from what happened up to {card['horizon_days']} days after {last}, "
        f"later than {as_of}: these scores look better than they would have been then"
    )


def _unseen(last: Cutoff, cutoff: Cutoff) -> str:
    """A warning if the logs end, on the day of ``last``, long before a cutoff."""
    if not horizon_ends_by(last, 1 + _UNSEEN_DAYS, cutoff):
        return ""
    days = (cutoff.local.date() - last.local.date()).days - 1
    return (
        f"the log ends on {last}, {days:,} days before {cutoff}: what happened since is not known, "
        "and all customers look silent"
    )
