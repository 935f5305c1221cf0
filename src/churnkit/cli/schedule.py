"""``churnkit schedule``: ready files for what starts the night."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from churnkit.cli.application import TOML, Config, Json, app


class Scheduler(StrEnum):
    """What starts the night."""

    cron = "cron"
    systemd = "systemd"
    airflow = "airflow"
    dagster = "dagster"
    prefect = "prefect"
    github = "github"


@app.command(epilog="Example: `churnkit schedule systemd --at 02:30 --out ~/.config/systemd/user`")
def schedule(
    scheduler: Annotated[Scheduler, typer.Argument(help="What starts the night.")],
    at: Annotated[str, typer.Option("--at", metavar="HH:MM", help="Time of day.")] = "02:30",
    zone: Annotated[
        str | None,
        typer.Option("--zone", metavar="NAME", help="Its time zone; by default the business zone."),
    ] = None,
    executable: Annotated[
        Path | None,
        typer.Option("--executable", help="The churnkit to start; by default this one."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write into, instead of printing.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Print a ready file that runs the whole night of this project with a scheduler.

    Exit code 99 (nothing to do) is no failure in it, and after 75 (another run is at work) it
    tries again. Nothing is installed.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.schedule import (
        TARGETS,
        NightlyJob,
        executable_here,
        executable_named,
        write_files,
    )

    business = load_settings(config).question.timezone
    program = executable_here() if executable is None else executable_named(executable)
    files = TARGETS[scheduler.value](NightlyJob(config.absolute(), program, at, zone or business))
    paths = [] if out is None else write_files(files, out, force=force)
    if as_json:
        told = {"files": [{"name": f.name, "text": f.text} for f in files]}
        terminal.print_json({**told, "paths": [str(path) for path in paths]})
    elif paths:
        for path in paths:
            terminal.say(f"Wrote {path}.")
    else:
        typer.echo("\n".join(file.text for file in files), nl=False)
