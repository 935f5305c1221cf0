"""The steps of a project that are about acting: lists for those who call, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from churnkit.actions import counted, export, export_table
from churnkit.clock import Cutoff, has_come
from churnkit.config import Settings
from churnkit.dataset import Untreating
from churnkit.errors import Busy, ChurnkitError, DataError
from churnkit.features import Features
from churnkit.ledger import CaughtUp
from churnkit.lights import read_overrides
from churnkit.logs import CustomerLogs
from churnkit.model import ChurnModel
from churnkit.outcomes import (
    Deeds,
    Ranking,
    churned_since,
    first_assigned,
    outcome_report,
    ranking_of,
    record,
    untreating,
    with_risk,
)
from churnkit.progress import Progress, silent
from churnkit.pseudonyms import FINGERPRINT, require_same
from churnkit.release import champion, from_path
from churnkit.scoring import at_risk
from churnkit.sources.stores.address import Address, rooted

Saved = Callable[[Features, np.ndarray], np.ndarray]
"""Features and churn probabilities → what acting on each customer is expected to keep."""


def export_calls(settings: Settings, as_of: Cutoff, folder: Path | None = None) -> dict[str, Any]:
    """Write what is to be done by the run of a day: a list per owner, for CRM and calendar.

    What people read in it is in the language of [output].

    Parameters
    ----------
    settings
        The project.
    as_of
        The day of a run in the ledger.
    folder
        Where the files go; by default a folder of the day beside the reports.

    Returns
    -------
    dict
        ``as_of``, ``call`` and ``waiting`` (customers), ``by_owner``, ``by_channel``, ``warnings``
        and ``paths``; with a store in [output] also ``table``.

    Raises
    ------
    DataError
        If there is no run of that day, or the store refuses.
    """
    run = settings.open_ledger().read(str(as_of))
    out = folder or settings.folder / settings.output.reports / f"calls-{as_of}"
    paths = export(run, out, settings.spoken())  # refuses what is no plan
    counts = counted(run)
    told = {
        "as_of": str(as_of),
        **{name: counts[name] for name in ("call", "waiting", "by_owner", "by_channel")},
        "warnings": _planned_otherwise(settings, as_of),
        "paths": {name: str(path) for name, path in paths.items()},
    }
    if settings.output.url is not None:
        url, table = rooted(str(settings.output.url), settings.folder), settings.output.calls_table
        export_table(run, url, table)
        told["table"] = f"{Address.parse(url)}, table {table}"
    return told


def _planned_otherwise(settings: Settings, as_of: Cutoff) -> list[str]:
    """A warning if the settings have changed since the run that the lists follow."""
    try:
        planned = settings.score_store().manifest(str(as_of)).told.get("config")
    except ChurnkitError:
        return []  # the ledger may outlive what was published
    if planned in (None, settings.sha256):
        return []
    what = f"churnkit.toml has changed since the run of {as_of}, and the lists are those of the run"
    return [f"{what}: churnkit score --as-of {as_of} plans anew"]


def deeds_of(settings: Settings) -> Deeds:
    """The recorded outcomes of a project."""
    return Deeds(settings.outcomes)


def untreated(settings: Settings) -> Untreating | None:
    """What takes treated customers out of rows; ``None`` if no treatment is recorded."""
    horizon_days = settings.asked().horizon_days
    return untreating(settings.open_ledger(), deeds_of(settings), horizon_days)


def record_outcomes(settings: Settings, file: Path) -> dict[str, Any]:
    """Keep what was done and what came of it; see `churnkit.outcomes.record`."""
    ledger, deeds = settings.open_ledger(), deeds_of(settings)
    found = record(file, ledger, deeds.folder, settings.ids_mapping(), settings.called())
    with suppress(Busy):  # the next scoring adds it
        ledger.add_deeds(outcomes=deeds.history())
    return {**found.told(), "says": found.says}


def catch_up_ledger(settings: Settings) -> CaughtUp:
    """Add to the ledger what was published, overridden and recorded, and is not there yet.

    Everything it holds is kept elsewhere first, so that nothing is lost with a process that ends
    before; see `churnkit.ledger.Ledger.catch_up`.

    Raises
    ------
    ConfigError
        If what is there calls customers otherwise than the settings do.
    """
    names, store = settings.require_same_key(), settings.score_store()
    for day in store.days()[-1:]:
        newest = store.manifest(day)
        require_same(str(newest.told.get(FINGERPRINT, "")), names, f"the run of {day}")
    overrides = [asdict(entry) for entry in read_overrides(settings.ledger).entries]
    return settings.open_ledger().catch_up(store, overrides, deeds_of(settings).history())


def report_outcomes(
    settings: Settings,
    campaign: str | None = None,
    least: float | None = None,
    bundle: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Churn of treated against control; and whether to rank by what acting keeps.

    Parameters
    ----------
    settings
        The project.
    campaign, least
        See `churnkit.outcomes.outcome_report`.
    bundle
        Bundle of the model whose features tell the ranking, instead of the champion.
    progress
        Told what is being done.

    Returns
    -------
    dict
        What `churnkit.outcomes.OutcomeReport.told` tells, and ``ranking``: ``use`` (risk or
        uplift), ``says``, and the evidence if there is enough.
    """
    settings.load_features()
    progress("reading and sorting the logs")
    with settings.open_logs() as logs:
        progress("comparing treated with control")
        question = settings.asked()
        found = outcome_report(
            settings.open_ledger(), deeds_of(settings), logs, question, campaign, least
        )
        progress("looking whether to rank by what acting keeps")
        ranked = _told_of_ranking(settings, bundle, logs)
    return {**found.told(), "ranking": ranked}


def _told_of_ranking(
    settings: Settings, bundle: Path | None, logs: CustomerLogs
) -> Mapping[str, Any]:
    try:
        if bundle is None:
            model, *_ = champion(settings.models, settings.registry())
        else:
            model, _ = from_path(bundle)
        return _ranking(settings, model, logs).told()
    except ChurnkitError as error:
        return {"use": "risk", "says": f"customers are ranked by risk: {error.found}"}


def saved_by_acting(
    settings: Settings, model: ChurnModel, logs: CustomerLogs, as_of: Cutoff
) -> tuple[Saved | None, str]:
    """What ranks customers by what acting keeps, if that is clearly better than risk; and why.

    Only runs before the cutoff and outcomes that were known then are learnt from.

    Returns
    -------
    tuple
        The function (``None``: rank by risk), and a sentence.
    """
    try:
        found = _ranking(settings, model, logs, as_of)
    except ChurnkitError as error:
        return None, f"customers are ranked by risk: {error.found}"
    if found.use == "risk":
        return None, found.says
    return (lambda features, risk: _saved(found, features, risk)), found.says


def _saved(found: Ranking, features: Features, risk: np.ndarray) -> np.ndarray:
    X = features.matrix(features.names, np.float64)
    return np.asarray(found.learner.saved(with_risk(X, risk)))


def _ranking(
    settings: Settings, model: ChurnModel, logs: CustomerLogs, as_of: Cutoff | None = None
) -> Ranking:
    assigned, end = first_assigned(settings.open_ledger(), None), None
    if as_of is not None:
        begun = {d: has_come(settings.cutoff(d), as_of) for d in assigned["as_of"].unique()}
        assigned = assigned[assigned["as_of"].map(begun).astype(bool)].reset_index(drop=True)
        end = min(as_of, logs.last_day(model.question.log))
    if not len(assigned):
        raise DataError("nobody was ever assigned to an action", "Score, act, and record first.")
    churned = churned_since(logs, model.question, assigned, end)
    cutoffs = sorted({settings.cutoff(day) for day in assigned["as_of"]})
    features, _ = at_risk(model, logs, cutoffs)
    return ranking_of(features, assigned, churned)
