"""``churnkit monitor``: whether anything is off in a run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from churnkit.cli.application import TOML, AsOf, Config, Json, app


class FailOn(StrEnum):
    """From which verdict on the exit code is 4."""

    watch = "watch"
    retrain = "retrain"


@app.command(epilog="Example: `churnkit monitor --as-of 2011-12-10 --fail-on retrain`")
def monitor(
    as_of: AsOf,
    model: Annotated[
        Path | None, typer.Option("--model", help="A bundle instead of the champion.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="A page with all of it.")] = None,
    fail_on: Annotated[
        FailOn | None, typer.Option("--fail-on", help="Exit with 4 from this verdict on.")
    ] = None,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Look whether anything is off: logs, features, scores, lights, and what came of past runs.

    The verdict is ok, watch or retrain, with the reason in a sentence and a list of alarms. What a
    season does is a note. A check for which there are too few data says so.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.errors import GateRefused
    from churnkit.monitor import worse_or_equal
    from churnkit.project_monitor import monitor_project
    from churnkit.terminal.monitor import show_monitor

    settings = load_settings(config)
    with terminal.progress() as progress:
        told = monitor_project(settings, settings.cutoff(as_of), html, progress, model=model)
    if as_json:
        terminal.print_json(told)
    else:
        show_monitor(told)
    if fail_on is not None and worse_or_equal(told["verdict"], fail_on.value):
        raise GateRefused(
            f"the verdict of {told['as_of']} is {told['verdict']}: {told['reason']}",
            "The alarms above say what to do.",
        )
