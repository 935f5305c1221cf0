"""The step of a project that looks whether anything is off: ``churnkit monitor``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from churnkit.clock import Cutoff, precedes_all
from churnkit.config import Settings
from churnkit.errors import BundleError, ChurnkitError, ConfigError, DataError
from churnkit.model import ChurnModel
from churnkit.monitor import monitor
from churnkit.outcomes import Deeds
from churnkit.progress import Progress, silent
from churnkit.publishing import ScoreStore
from churnkit.release import champion, from_path
from churnkit.report.monitor import write_monitor

_RUNS = 13  # manifests that are read: what is habit shows in a quarter of weekly runs


def monitor_project(
    settings: Settings,
    as_of: Cutoff,
    html: Path | None = None,
    progress: Progress = silent,
    *,
    model: Path | None = None,
) -> dict[str, Any]:
    """Look at the run of a day: inputs, drift, lights, and what came of past runs.

    The ledger and the manifests of published runs are used where they are there; without any the
    logs alone are looked at.

    Parameters
    ----------
    settings
        The project.
    as_of
        The day of the run.
    html
        Where the page is written.
    progress
        Told what is being done.
    model
        Bundle to use instead of the champion.

    Returns
    -------
    dict
        What `churnkit.monitor.monitor` tells. Its ``verdict`` is ``ok``, ``watch`` or ``retrain``.

    Raises
    ------
    DataError
        If a log is missing or breaks its contract, or nothing is known at that day.
    BundleError
        If the model was changed.
    ConfigError
        If the page would be written over a log.
    """
    if html is not None:
        settings.require_no_input(html)
    settings.load_features()
    progress("loading the model")
    loaded, card, notes = _model(settings, model)
    progress("reading and sorting the logs")
    with settings.open_logs() as logs:
        first = min(logs.first_day(log) for log in logs.measures)
        if precedes_all(as_of, first):
            raise DataError(
                f"nothing is known as of {as_of}: the logs begin on {first}", "Name a later day."
            )
        progress(f"looking at the run of {as_of}")
        told = monitor(
            logs,
            as_of,
            settings.asked(),
            ledger=settings.open_ledger(),
            deeds=Deeds(settings.outcomes),
            model=loaded,
            card=card,
            before=_inputs_before(settings, as_of, notes),
            closed=[str(day) for day in settings.monitor.closed],
        )
    summary = {**told, "notes": [*told["notes"], *notes]}
    if html is not None:
        write_monitor(summary, html, settings.spoken())
    return summary


def _model(
    settings: Settings, path: Path | None
) -> tuple[ChurnModel | None, dict[str, Any] | None, list[str]]:
    """The model in use and its card, and what is to be noted; ``None`` if there is none yet."""
    try:
        if path is not None:
            return *from_path(path), []
        loaded, card, warning = champion(settings.models, settings.registry())
    except BundleError:
        raise
    except ConfigError as error:
        return None, None, [error.found]
    return loaded, card, [warning] if warning else []


def _inputs_before(settings: Settings, as_of: Cutoff, notes: list[str]) -> list[dict[str, Any]]:
    """What the logs of the published runs before a day were, in rising order."""
    try:
        return list(_told(ScoreStore(settings.folder / settings.output.scores), as_of))
    except ChurnkitError as error:
        notes.append(f"what the logs of earlier runs were is not known: {error.found}")
        return []


def _told(store: ScoreStore, as_of: Cutoff) -> Iterator[dict[str, Any]]:
    earlier = [d for d in store.days() if precedes_all(Cutoff.parse(d, as_of.zone), as_of)]
    for day in [d for d in earlier if d != str(as_of)][-_RUNS:]:
        told = store.manifest(day).told.get("inputs")
        if isinstance(told, dict) and "logs" in told:
            yield told
