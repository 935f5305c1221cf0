"""The step of a project that tells its key figures, month by month."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from churnkit.clock import Cutoff
from churnkit.config import Settings
from churnkit.errors import ConfigError, did_you_mean
from churnkit.kpi import kpis
from churnkit.progress import Progress, silent
from churnkit.report.kpi import write_kpis
from churnkit.scoring import ending_of, write_frame


def kpi_project(
    settings: Settings,
    as_of: Cutoff,
    months: int = 12,
    segment: str | None = None,
    lookback_days: int | None = None,
    discount: float = 0.1,
    html: Path | None = None,
    out: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """The key figures of a project; write a page and a table if asked.

    Parameters
    ----------
    settings
        The project; [question] says who is active, [money] the margin.
    as_of
        Months that are over by then are shown; only events before it count.
    months
        At most so many.
    segment
        Static column of the customers, as the source or the features name it; by default that of
        [calls], and ``""`` for none.
    lookback_days
        Another lookback than that of [question].
    discount
        Discount of a year, for lifetime values.
    html
        Where the page is written.
    out
        Where the table is written: ``month``, ``segment``, ``measure``, ``value``, ``low``,
        ``high``, ``n``, as ``.csv`` or ``.parquet``.
    progress
        Told what is being done.

    Returns
    -------
    dict
        See `churnkit.kpi.Kpis.told`; with ``paths`` of what was written.

    Raises
    ------
    ConfigError
        If there is no such column, or a file would be written over a log or ends otherwise.
    DataError
        If no month that the logs have seen is over by then.
    """
    paths = {name: path for name, path in (("html", html), ("table", out)) if path is not None}
    for path in paths.values():
        settings.require_no_input(path)
    if out is not None:
        ending_of(out)
    column = _column(settings, settings.calls.segment if segment is None else segment)
    progress("reading and sorting the logs")
    with settings.open_logs() as logs:
        progress("summing up the months")
        found = kpis(
            logs, as_of, settings.asked(), months, column, lookback_days,
            settings.money.margin, discount,
        )  # fmt: skip
    told = {**found.told(), "paths": {name: str(path) for name, path in paths.items()}}
    if html is not None:
        write_kpis(told, html, settings.spoken())
    if out is not None:
        write_frame(found.to_frame(), out)
    return told


def _column(settings: Settings, segment: str) -> str:
    """The static column as the logs name it."""
    if not segment:
        return ""
    section = settings.logs.customers
    names = {} if section is None else section.mapping().static_names()
    found = next((name for name, column in names.items() if segment in (name, column)), None)
    if found is None:
        known = [*names.values(), *names]
        raise ConfigError(
            f"there is no static column {segment!r} of the customers",
            f"{did_you_mean(segment, known)}Name it in static of [logs.customers].",
        )
    return found
