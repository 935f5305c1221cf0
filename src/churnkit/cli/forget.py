"""``churnkit forget``: a person out of everything that was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churnkit.cli.application import TOML, Config, Json, app


@app.command(epilog="Example: `churnkit forget C-1042 --on 2026-11-23 --yes`")
def forget(
    on: Annotated[
        str, typer.Option("--on", metavar="DATE", help="Today: the day that the proof bears.")
    ],
    customers: Annotated[
        list[str] | None, typer.Argument(metavar="CUSTOMER", help="Id, as in the logs; several.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Ids, one a line, besides those named here.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be removed.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Take people out of everything that was written, and leave them out of every run since.

    Scores, ledger, overrides, outcomes, tables, pages and lists; other customers stay as they are.
    Tells what remains, and writes a proof that holds no id. What was cut short is finished by the
    same command. Exit code 99 if nothing is known of them, 75 if another run is at work.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project_forget import forget_project, read_customers
    from churnkit.terminal.forget import show_forgotten

    settings = load_settings(config)
    named = [*(customers or ()), *(read_customers(file) if file is not None else ())]
    day = settings.cutoff(on)
    if not (yes or dry_run):
        _ask(len(named))
    with terminal.progress() as progress:
        told = forget_project(settings, named, day, dry_run=dry_run, progress=progress)
    if as_json:
        terminal.print_json(told)
    else:
        show_forgotten(told)


def _ask(number: int) -> None:
    """Go on only if somebody who can be asked says so."""
    import sys

    from churnkit.errors import ConfigError

    if not sys.stdin.isatty():
        raise ConfigError(
            "what is forgotten cannot be brought back, and nobody is here to be asked",
            "Look first with --dry-run, then add --yes.",
        )
    typer.confirm(f"Forget {number:,}? It cannot be brought back.", abort=True, err=True)
