"""``churnkit history``: everything said and done about one customer."""

from __future__ import annotations

from typing import Annotated

import typer

from churnkit.cli.application import TOML, Config, Json, app


@app.command(epilog="Example: `churnkit history C-1042`")
def history(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="Id, as in the scores.")],
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Tell everything said and done about one customer, day by day.

    Probability, light and why it changed, rules, override, what was planned, and what came of it,
    as the ledger has it.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project_history import history_project
    from churnkit.terminal.history import show_history

    told = history_project(load_settings(config), customer)
    if as_json:
        terminal.print_json(told)
    else:
        show_history(told)
