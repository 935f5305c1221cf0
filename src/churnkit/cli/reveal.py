"""``churnkit reveal``: the ids behind the pseudonyms of a list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from churnkit.cli.application import TOML, Config, Json, app


@app.command(epilog="Example: `churnkit reveal crm/anna.csv --out anna.csv`")
def reveal(
    file: Annotated[Path, typer.Argument(help="A list with the column customer_id.")],
    out: Annotated[Path, typer.Option("--out", help="A .parquet or .csv file, for you alone.")],
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Write a list anew with the ids of the logs in place of pseudonyms, for whoever calls.

    It takes the logs and the key: every id is hashed, since there is no other way back. Nothing is
    written but that file, which only its owner may read.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project_reveal import reveal_project

    settings = load_settings(config)
    with terminal.progress() as progress:
        told = reveal_project(settings, file, out, progress)
    if as_json:
        terminal.print_json(told)
        return
    terminal.say(f"Wrote {told['out']}: rows: {told['rows']:,}, revealed: {told['revealed']:,}")
    if told["unknown"]:
        terminal.note(f"In no log or forgotten, and left empty: {told['unknown']:,}")
