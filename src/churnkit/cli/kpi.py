"""`churnkit kpi`: the key figures of each month and segment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churnkit.cli.application import TOML, AsOf, Config, Json, app


@app.command(epilog="Example: `churnkit kpi --as-of 2011-12-01 --html kpi.html`")
def kpi(
    as_of: AsOf,
    months: Annotated[
        int, typer.Option(min=1, max=120, help="So many of the last whole months.")
    ] = 12,
    segment: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Static column of the customers; by default that of [calls], none if empty.",
        ),
    ] = None,
    lookback: Annotated[
        int | None,
        typer.Option(
            min=1, max=3650, help="Active: a sign of life in so many days; by default [question]."
        ),
    ] = None,
    discount: Annotated[
        float, typer.Option(min=0, max=10, help="Discount of a year, for lifetime values.")
    ] = 0.1,
    html: Annotated[Path | None, typer.Option("--html", help="A page with all of it.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A table: .csv or .parquet.")
    ] = None,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Tell churn, retention, revenue, lifetime value and surveys, month by month.

    Whole months up to the day, of all customers and of each segment, with intervals; and how many
    of each month's new customers came back. Every definition is told beside the figures.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project_kpi import kpi_project
    from churnkit.terminal.kpi import show_kpis

    settings = load_settings(config)
    with terminal.progress() as progress:
        told = kpi_project(
            settings, settings.cutoff(as_of), months, segment, lookback, discount, html, out,
            progress,
        )  # fmt: skip
    if as_json:
        terminal.print_json(told)
    else:
        show_kpis(told)
