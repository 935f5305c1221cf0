"""``churnkit run``: the whole night."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from typing import Annotated

import typer

from churnkit.cli.application import TOML, AsOf, Config, Json, app
from churnkit.cli.values import RETRAIN, offered
from churnkit.errors import ChurnkitError


class LogFormat(StrEnum):
    """How a run tells what it does, on standard error."""

    text = "text"
    json = "json"


@app.command(epilog="Example: `churnkit run --as-of 2011-12-10 --log-format json`")
def run(
    as_of: AsOf,
    force: Annotated[bool, typer.Option("--force", help="Do every step anew.")] = False,
    backfill: Annotated[
        bool,
        typer.Option("--backfill", help="Allow a day that is earlier than the newest published."),
    ] = False,
    retrain_if: Annotated[
        list[str] | None,
        typer.Option(
            "--retrain-if",
            metavar="RULE",
            autocompletion=offered(RETRAIN),
            help="Train anew if the verdict is watch or worse (`watch`), if it is `retrain`, or if "
            "what the model knows is so old (`age:90d`); may be repeated, and adds to [run].",
        ),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="What is told on standard error.")
    ] = LogFormat.text,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Do the whole night: check, score, call lists, KPIs, monitoring, perhaps training, report.

    Goes on where an earlier run of the day stopped. Exit code 99 if all of it was done and nothing
    changed, 75 if another run is at work; else that of the step that failed.
    """
    with _told_as(log_format):
        from churnkit import runlog, terminal
        from churnkit.config import load_settings
        from churnkit.progress import silent
        from churnkit.project_run import run_project
        from churnkit.terminal.run import show_night

        settings, text = load_settings(config), log_format == LogFormat.text
        with terminal.progress() if text else nullcontext(silent) as progress:
            night = run_project(
                settings,
                settings.cutoff(as_of),
                force=force,
                backfill=backfill,
                retrain_if=tuple(retrain_if or ()),
                progress=progress,
                tell=runlog.tell,
            )
        if text:
            for warning in night.summary["warnings"]:
                terminal.note(f"Warning: {warning}")
        if as_json:
            terminal.print_json(night.summary)
        else:
            show_night(night.summary)
        night.require_done()


@contextmanager
def _told_as(log_format: LogFormat) -> Iterator[None]:
    """With JSON, what ends the run is told as JSON, too, and nothing else is."""
    if log_format == LogFormat.text:
        yield
        return
    from churnkit import runlog

    with runlog.as_json():
        try:
            yield
        except ChurnkitError as error:
            runlog.tell(
                "ended",
                exit_code=error.exit_code,
                error=type(error).__name__,
                message=error.found,
            )
            raise typer.Exit(error.exit_code) from error
        except typer.Exit:
            raise
        except Exception as error:
            runlog.tell("ended", exit_code=1, error=type(error).__name__)
            raise typer.Exit(1) from error
