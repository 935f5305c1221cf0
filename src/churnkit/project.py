"""The steps of a project, each from its settings to what it wrote and what it has to tell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churnkit.audit import Audit, audit
from churnkit.clock import Cutoff, cutoffs_between, horizon_ends_by, precedes_all, reaches_back
from churnkit.config import Settings
from churnkit.enough import shortfalls
from churnkit.errors import ConfigError, DataError
from churnkit.evaluation import Progress, silent
from churnkit.features import (
    CATALOGUE,
    WINDOWS,
    FeaturePlan,
    FeatureSpec,
    build_beside,
    plan_features,
    write_features,
)
from churnkit.logs import CustomerLogs, Inspection
from churnkit.logs.account import stop_if_too_many
from churnkit.release import Release, champion, from_path, release
from churnkit.report import summarise, write_report
from churnkit.report.checkup import checkup_summary, write_checkup
from churnkit.scoring import Scores, ending_of, score, write_frame, write_scores
from churnkit.sinks import write_table
from churnkit.sources import FileSource, inspect_logs
from churnkit.sources.stores.address import Address, rooted
from churnkit.training import Training, train

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
    """
    settings.load_features()
    progress("checking the logs")
    found = inspect_logs(
        settings.sources(),
        settings.contract(),
        quarantine=settings.folder / settings.output.reports / "rejected",
        memory_limit=settings.engine.memory_limit,
    )
    question = settings.asked()
    progress("looking whether they are enough")
    too_little = shortfalls(found.logs, question, settings.schedule(), found.one_in)
    progress("looking how long customers stay away")
    rejected = next((str(path) for path in found.quarantine if path.suffix == ".csv"), None)
    profiles = list(found.profiles.values())
    summary = checkup_summary(found.logs, question, profiles, too_little, rejected, found.one_in)
    if html is not None:
        write_checkup(summary, html)
    return Checkup(found, summary, settings.quality.max_rejected_share)


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
    _require_no_input(settings, out)
    settings.load_features()
    if settings.engine.name == "spark":
        return _build_on_spark(settings, cutoffs, out, ending, progress)
    progress("reading and sorting the logs")
    with settings.open_logs() as logs:
        spec = FeatureSpec.learn(logs, max(cutoffs), settings.windows)
        _require_known(_days(logs), min(cutoffs))
        _require_history(settings, spec, _days(logs), max(cutoffs))
        plan = plan_features(logs, cutoffs, spec)
        progress(f"building {len(plan.columns)} features as of {', '.join(map(str, cutoffs))}")
        rows = _write_features(logs, plan, out, ending, settings.sha256)
        unseen = _unseen(_days(logs)[1], max(cutoffs))
    return _built(plan, out, rows, [unseen] if unseen else [])


def _require_no_input(settings: Settings, out: Path) -> None:
    """Refuse to write over what is read."""
    sources = settings.sources().values()
    files = {file.resolve() for s in sources if isinstance(s, FileSource) for file in s.files()}
    if out.resolve() in files:
        raise ConfigError(f"{out} is a log of this project", "Write to another file.")


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
    from churnkit.engines.spark import (
        parquet_of,
        plan_spark,
        spark_frames,
        spark_session,
        write_spark_features,
    )

    if ending != ".parquet":
        raise ConfigError(f"{out}: Spark writes a folder of Parquet files", "End it in .parquet.")
    if out.exists():  # before Spark works for nothing
        raise ConfigError(f"{out} is there already", "Remove it, or name another.")
    sources = parquet_of(settings.sources())
    progress(f"starting Spark at {settings.engine.master}")
    with spark_session(settings.engine.master) as session:
        progress("checking the logs on Spark")
        frames = spark_frames(session, sources)
        asked = plan_spark(frames, cutoffs, contract=settings.contract(), windows=settings.windows)
        _require_known(asked.days, min(cutoffs))
        _require_history(settings, asked.plan.spec, asked.days, max(cutoffs))
        progress(f"building {len(asked.plan.columns)} features")
        rows = write_spark_features(asked.features(), str(out.absolute()))
    # Spark keeps what is told of columns, but nothing of the table; it overlooks such a file.
    told = asked.plan.schema({"config": settings.sha256}).metadata
    beside = json.dumps({key.decode(): text.decode() for key, text in told.items()}, indent=2)
    (out / "_churnkit.json").write_text(beside + "\n", encoding="utf-8")
    return _built(asked.plan, out, rows)


def _write_features(
    logs: CustomerLogs, plan: FeaturePlan, out: Path, ending: str, config: str
) -> int:
    if ending == ".parquet":
        return write_features(logs, plan, out, metadata={"config": config})
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
    settings: Settings, spec: FeatureSpec, known: tuple[Cutoff, Cutoff], last: Cutoff
) -> None:
    """Refuse windows of the user's that no row can fill; the usual ones may be empty."""
    if "windows" not in settings.features.model_fields_set:
        return
    first, _ = known
    for days in settings.features.windows:
        if reaches_back(last, days, first):
            names = [column.name for column in spec.columns() if column.window == days]
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
        JSON-ready values: the model card, ``bundle``, ``version`` and ``champion``.
    """

    training: Training
    released: Release
    summary: dict[str, Any]


def train_project(settings: Settings, progress: Progress = silent) -> Trained:
    """Train, test, write the bundle, register it, and make it champion if it passes its gates.

    Raises
    ------
    GateRefused
        If the data are too little. A model that fails its gates is kept without an error; see
        `Training.require_gates`.
    """
    settings.load_features()
    question, schedule = settings.asked(), settings.schedule()
    progress("reading and sorting the logs")
    with settings.open_logs() as logs:
        question.require(logs)
        last = schedule.last_known(logs, question)
        spec = FeatureSpec.learn(logs, last, settings.windows)
        _require_history(settings, spec, _days(logs), last)
        training = train(logs, question, schedule, progress, recipe=settings.recipe())
    progress("writing and registering the model")
    policy = settings.policy()
    released = release(training, settings.models, settings.registry(), policy)
    told = {
        "bundle": str(released.bundle),
        "version": released.version,
        "champion": released.champion,
    }
    return Trained(training, released, {**training.card(policy), **told})


def score_project(
    settings: Settings,
    as_of: Cutoff,
    model: Path | None = None,
    out: Path | None = None,
    report: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Score every customer at risk, write scores and report, and tell what came out.

    Parameters
    ----------
    settings
        The project.
    as_of
        The cutoff: events before it count.
    model
        Bundle to use instead of the champion.
    out, report
        Where to write; by default into the folders of the settings.
    progress
        Told what is being done.

    Returns
    -------
    dict
        The summary of the report and ``paths``: name → file.
    """
    paths = {
        "scores": out or settings.scores_path(as_of),
        "report": report or settings.report_path(as_of),
    }
    for path in paths.values():
        _require_no_input(settings, path)
    settings.load_features()
    progress("loading the model")
    warning = ""
    if model is not None:
        loaded, card = from_path(model)
    else:
        loaded, card, warning = champion(settings.models, settings.registry())
    progress("reading and sorting the logs")
    with settings.open_logs() as logs:
        progress(f"scoring as of {as_of}")
        scores = score(loaded, logs, as_of, settings.policy())
        unseen = _unseen(logs.last_day(loaded.question.log), as_of)
    write_scores(scores, paths["scores"])
    told = {name: str(path) for name, path in paths.items()}
    if settings.output.url is not None:
        progress(f"publishing to the table {settings.output.table}")
        told["table"] = _publish(scores, settings)
    warnings = [
        w for w in (warning, _other_question(settings, card), _seen(card, as_of), unseen) if w
    ]
    summary = summarise(scores, card, logs, warnings)
    write_report(summary, paths["report"])
    return {**summary, "paths": told}


def _publish(scores: Scores, settings: Settings) -> str:
    """Write the scores to the store of the settings and tell its table."""
    table = settings.output.table
    url = rooted(str(settings.output.url), settings.folder)
    write_table(scores.to_frame(), url, table)
    return f"{Address.parse(url)}, table {table}"


def _seen(card: dict[str, Any], as_of: Cutoff) -> str:
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


def _other_question(settings: Settings, card: dict[str, Any]) -> str:
    asked = settings.asked().rule
    if card["question"] == asked:
        return ""
    return f"the model answers “{card['question']}”, while churnkit.toml now asks “{asked}”"
