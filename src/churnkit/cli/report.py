"""``churnkit report``: a published run on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churnkit.cli.application import TOML, Config, Json, Language, app
from churnkit.cli.values import published_days


@app.command(epilog="Example: `churnkit report --as-of 2011-12-10 --language fa`")
def report(
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="DATE",
            help="The day of a scoring; the newest by default.",
            autocompletion=published_days,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The page; by default a report.")
    ] = None,
    calls: Annotated[
        int, typer.Option(min=0, max=100_000, help="So many calls at most are on the page.")
    ] = 1000,
    language: Language = None,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Write one page of a published run: lights, call list, trust, causes, and what to watch.

    It needs no network and no script to be read. Everybody who was scored is in a spreadsheet
    beside it. Nothing is scored; key figures and monitoring are those of the logs now.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project_report import report_project

    settings = load_settings(config)
    day = None if as_of is None else settings.cutoff(as_of)
    with terminal.progress() as progress:
        told = report_project(settings, day, out, calls, language, progress)
    if as_json:
        terminal.print_json(told)
    else:
        show = terminal.table("Written", ["what", "where"], told["paths"].items())
        terminal.out().print(show)
