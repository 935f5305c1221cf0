"""The step of a project that tells a published run on one page: ``churnkit report``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from churnkit.clock import Cutoff
from churnkit.config import Settings
from churnkit.errors import ConfigError, DataError, GateRefused
from churnkit.progress import Progress, silent
from churnkit.project_kpi import kpi_project
from churnkit.project_monitor import monitor_project
from churnkit.project_scores import SUMMARY_FORMAT
from churnkit.publishing import Manifest, ScoreStore
from churnkit.report import completed, write_report
from churnkit.report.calls import CALLS, write_whole_list

Told = Mapping[str, Any]


def report_project(
    settings: Settings,
    as_of: Cutoff | None = None,
    out: Path | None = None,
    calls: int = CALLS,
    language: str | None = None,
    progress: Progress = silent,
    *,
    known: Mapping[str, Told | None] | None = None,
) -> dict[str, Any]:
    """Write the page of a published run, and everybody who was scored as a spreadsheet beside it.

    Nothing is scored: what the page tells is what was published, and what key figures and
    monitoring say of the logs now.

    Parameters
    ----------
    settings
        The project.
    as_of
        The day of the run; by default the newest that is published.
    out
        The page; by default ``report-DAY.html`` among the reports.
    calls
        At most so many calls are on the page.
    language
        Code of the language of the page; by default that of the settings.
    progress
        Told what is being done.
    known
        What ``kpis`` and ``watch`` are, if somebody has looked already: see
        `churnkit.report.completed`.

    Returns
    -------
    dict
        The summary that the page shows, and ``paths``: ``report`` and ``list``.

    Raises
    ------
    DataError
        If nothing is published, or nothing for that day, or it is damaged.
    ConfigError
        If there is no such language, or a file cannot be written where it should, or only over
        another that is read.
    """
    speaks = settings.spoken(language)
    store = settings.score_store()
    day = str(as_of) if as_of is not None else _newest(store)
    manifest = store.manifest(day)
    told = _published(manifest)
    page = out or settings.report_path(settings.cutoff(day))
    settings.require_no_input(page)
    spreadsheet = page.with_suffix(".csv")
    if page.suffix.lower() == ".csv":
        raise ConfigError(f"{page} is to hold the page and the list", "Name it .html.")
    settings.require_no_input(spreadsheet)
    lacking: list[str] = []
    if known is None:
        known, lacking = _looked(settings, settings.cutoff(day), progress)
    progress("writing the page")
    rows = write_whole_list(store.path(day), spreadsheet)
    whole = {"name": spreadsheet.name, "link": f"./{quote(spreadsheet.name)}", "rows": rows}
    looked = (known.get("kpis"), known.get("watch"))
    with _older_told(manifest):
        told = {**told, "warnings": [*told["warnings"], *lacking]}
        summary = completed(told, store.path(day), calls, *looked, whole)
        write_report(summary, page, speaks)
    return {**summary, "paths": {"report": str(page), "list": str(spreadsheet)}}


def _newest(store: ScoreStore) -> str:
    days = store.days()
    if not days:
        raise DataError(
            f"no scores are published in {store.folder}",
            "churnkit score --as-of DATE publishes some, and writes their report, too.",
        )
    return days[-1]


def _published(manifest: Manifest) -> dict[str, Any]:
    """What a run told its report."""
    told = manifest.told.get("summary")
    if not isinstance(told, Mapping):
        raise _another(manifest, "it kept no report")
    return dict(told)


@contextmanager
def _older_told(manifest: Manifest) -> Iterator[None]:
    """What a run of another version lacks is no fault of this one."""
    from jinja2 import UndefinedError

    try:
        yield
    except (LookupError, TypeError, UndefinedError) as error:
        if manifest.told.get("summary_format") == SUMMARY_FORMAT:
            raise
        raise _another(manifest, f"its report lacks {error}") from error


def _another(manifest: Manifest, why: str) -> ConfigError:
    return ConfigError(
        f"no page can be made of the run of {manifest.as_of}, which another version of churnkit "
        f"({manifest.churnkit}) published: {why}",
        f"Publish it anew: churnkit score --as-of {manifest.as_of} --force.",
    )


def _looked(
    settings: Settings, as_of: Cutoff, progress: Progress
) -> tuple[dict[str, Told | None], list[str]]:
    """Key figures and monitoring of a day; and why there are none."""
    looks: Mapping[str, tuple[str, Callable[[], Told]]] = {
        "kpis": ("key figures", lambda: kpi_project(settings, as_of, progress=progress)),
        "watch": ("monitoring", lambda: monitor_project(settings, as_of, progress=progress)),
    }
    found: dict[str, Told | None] = {}
    lacking = []
    for name, (says, look) in looks.items():
        progress(f"looking at {says}")
        try:
            found[name] = look()
        except (DataError, GateRefused) as error:
            found[name] = None
            lacking.append(f"{says} could not be told: {error.found}")
    return found, lacking
