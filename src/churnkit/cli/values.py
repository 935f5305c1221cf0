"""What a shell is offered for values: names that are known without looking at anybody's data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import click

Offer = Callable[[str], list[tuple[str, str]]]
"""What begins with the text typed so far, each with what it means."""

GATES: Mapping[str, str] = {
    "too-little": "enough data",
    "chance": "better than chance",
    "beaten": "not beaten by a plain rule",
    "feature": "not beaten by a single feature",
    "leak": "no leak suspected",
    "optimism": "holds later as well as among other customers",
    "calibration": "calibrated",
}
POLICIES: Mapping[str, str] = {
    "fixed": "edges of probability",
    "capacity": "as many reds as can be called",
    "cost": "red where calling pays",
    "promise": "edges that keep a promise",
}
LIGHTS: Mapping[str, str] = {
    "green": "content, unlikely to leave",
    "yellow": "a possible problem",
    "red": "likely to leave",
}
RETRAIN: Mapping[str, str] = {
    "watch": "if the verdict is watch or worse",
    "retrain": "if the verdict is retrain",
    "age:90d": "if what the model knows is so old",
}
EVERY: Mapping[str, str] = {"week": "seven days apart", "month": "a month apart"}
ENGINES: Mapping[str, str] = {
    "store": "the store sorts the rows of a customer together",
    "duckdb": "rows come as they lie, and are sorted here",
}
SQL_DIALECTS: Mapping[str, str] = {
    "postgres": "PostgreSQL",
    "mysql": "MySQL and MariaDB",
    "sqlite": "SQLite",
    "bigquery": "Google BigQuery",
    "snowflake": "Snowflake",
    "databricks": "Databricks SQL",
    "trino": "Trino",
}
VERSIONS: Mapping[str, str] = {"challenger": "the version that may become champion"}


def offered(values: Mapping[str, str]) -> Offer:
    """An offer of fixed values."""

    def offer(incomplete: str) -> list[tuple[str, str]]:
        return [(name, says) for name, says in values.items() if name.startswith(incomplete)]

    return offer


def published_days(ctx: click.Context, incomplete: str) -> list[tuple[str, str]]:
    """The days that the project of the command has published, the newest first."""
    from pathlib import Path

    from churnkit.standing import standing

    there = standing(Path(ctx.params.get("config") or "churnkit.toml"))
    days = () if there is None else there.days
    return [(day, "published") for day in reversed(days) if day.startswith(incomplete)]


def public_sets(incomplete: str) -> list[tuple[str, str]]:
    """The public sets that can be fetched."""
    from churnkit.fetch.catalogue import CATALOGUE

    return [(name, CATALOGUE[name].what) for name in CATALOGUE if name.startswith(incomplete)]
