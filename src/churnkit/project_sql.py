"""The step of a project that shows the SQL with which its stores are read."""

from __future__ import annotations

from typing import Any

from churnkit.config import Settings
from churnkit.engines.store import StoreTable
from churnkit.errors import ConfigError, did_you_mean
from churnkit.sources import SqlSource
from churnkit.sources.stores.dialect import Dialect, dialect_named

_ENGINES = ("duckdb", "memory", "store")


def explain_sql(
    settings: Settings, dialect: str | None = None, engine: str | None = None
) -> dict[str, Any]:
    """The statements that each log of a project sends to its store; nothing is connected to.

    They are composed by the functions that compose them for the run. Features, training and
    scoring read the logs in the same way.

    Parameters
    ----------
    settings
        The project.
    dialect
        How the SQL is written, see `churnkit.sources.stores.dialect.DIALECTS`; by default as the
        store of each log has it.
    engine
        ``store`` sorts in the store, ``duckdb`` and ``memory`` here; by default that of the
        settings. Logs whose customers have pseudonyms are always sorted here.

    Returns
    -------
    dict
        ``engine``, and ``logs``: a list with ``log``, ``source`` (store and table, without user's
        secrets), ``dialect``, ``sorted`` (whether the store sorts) and ``statements``, a list
        with ``says`` (``session``, ``encoding``, ``columns`` or ``rows``) and ``sql``. Of a log
        that no SQL store holds, ``dialect`` is ``None`` and there are no statements. JSON-ready.

    Raises
    ------
    ConfigError
        If there is no such dialect or engine, no log is read from a store, or the store cannot
        sort as churnkit does.
    """
    spoken = None if dialect is None else dialect_named(dialect)
    named = settings.engine.name if engine is None else engine
    if engine is not None and engine not in _ENGINES:
        raise ConfigError(
            f"there is no engine {engine!r} that reads stores",
            f"{did_you_mean(engine, _ENGINES)}The engines are {', '.join(_ENGINES)}.",
        )
    sorts = named == "store" and not settings.privacy.pseudonymise
    mappings = settings.declared().mappings
    logs = []
    for log, source in settings.sources().items():
        if isinstance(source, SqlSource):
            logs.append(_told(StoreTable(log, source, mappings[log]), spoken, sorts))
        else:
            told = {"log": log, "source": source.name, "dialect": None, "sorted": False}
            logs.append(told | {"statements": []})
    if not any(told["statements"] for told in logs):
        raise ConfigError(
            "no log of this project is read from an SQL store",
            "Name a url and a table in a section such as [logs.purchases].",
        )
    return {"engine": named, "logs": logs}


def _told(table: StoreTable, spoken: Dialect | None, sorts: bool) -> dict[str, Any]:
    dialect = spoken or table.source.dialect
    rows = {"rows": table.source.wanted.rows_sql(dialect)}
    asked = table.statements(dialect) if sorts else rows
    statements = [*(("session", sql) for sql in dialect.session), *asked.items()]
    return {
        "log": table.log,
        "source": table.source.name,
        "dialect": dialect.name,
        "sorted": sorts,
        "statements": [{"says": says, "sql": sql} for says, sql in statements],
    }
