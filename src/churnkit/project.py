"""The steps of a project, each from its settings to what it wrote and what it has to tell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churnkit.clock import Cutoff, horizon_ends_by
from churnkit.config import Settings
from churnkit.enough import shortfalls
from churnkit.evaluation import Progress, silent
from churnkit.logs import Inspection
from churnkit.logs.account import stop_if_too_many
from churnkit.release import Release, champion, from_path, release
from churnkit.report import summarise, write_report
from churnkit.report.checkup import checkup_summary, write_checkup
from churnkit.scoring import Scores, score, write_scores
from churnkit.sinks import write_table
from churnkit.sources import inspect_logs
from churnkit.sources.stores.address import Address, rooted
from churnkit.training import Training, train


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
    progress("reading the logs")
    logs = settings.read_logs()
    training = train(logs, settings.asked(), settings.schedule(), progress)
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
    progress("loading the model")
    warning = ""
    if model is not None:
        loaded, card = from_path(model)
    else:
        loaded, card, warning = champion(settings.models, settings.registry())
    progress("reading the logs")
    logs = settings.read_logs()
    progress(f"scoring as of {as_of}")
    scores = score(loaded, logs, as_of, settings.policy())
    paths = {
        "scores": out or settings.scores_path(as_of),
        "report": report or settings.report_path(as_of),
    }
    write_scores(scores, paths["scores"])
    told = {name: str(path) for name, path in paths.items()}
    if settings.output.url is not None:
        progress(f"publishing to the table {settings.output.table}")
        told["table"] = _publish(scores, settings)
    warnings = [w for w in (warning, _other_question(settings, card), _seen(card, as_of)) if w]
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


def _other_question(settings: Settings, card: dict[str, Any]) -> str:
    asked = settings.asked().rule
    if card["question"] == asked:
        return ""
    return f"the model answers “{card['question']}”, while churnkit.toml now asks “{asked}”"
