"""``churnkit explain-sql``: the SQL with which the logs are read."""

from __future__ import annotations

from typing import Annotated

import typer

from churnkit.cli.application import TOML, Config, Json, app
from churnkit.cli.values import ENGINES, SQL_DIALECTS, offered


@app.command(
    "explain-sql", epilog="Example: `churnkit explain-sql --dialect snowflake --engine store`"
)
def explain_sql(
    dialect: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="postgres, mysql, sqlite, bigquery, snowflake, databricks or trino; by default "
            "that of each url.",
            autocompletion=offered(SQL_DIALECTS),
        ),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="store or duckdb; by default that of [engine].",
            autocompletion=offered(ENGINES),
        ),
    ] = None,
    config: Config = TOML,
    as_json: Json = False,
) -> None:
    """Show the SQL with which each log is read from its store.

    Features, training and scoring send the same statements. Nothing is connected to, and no
    password is shown.
    """
    from churnkit import terminal
    from churnkit.config import load_settings
    from churnkit.project_sql import explain_sql as explained
    from churnkit.terminal.sql import show_sql

    told = explained(load_settings(config), dialect, engine)
    if as_json:
        terminal.print_json(told)
    else:
        show_sql(told)
