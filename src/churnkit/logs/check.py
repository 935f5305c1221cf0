"""The contract as one SQL pass: every row is either kept or set aside with a reason.

A log arrives as a table of a DuckDB connection, whatever its source. Rows are read as they
are, typed, judged by the rules of their columns, and compared for exact repetition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from churnkit.errors import ConfigError, DataError, did_you_mean
from churnkit.logs.schema import (
    AMOUNT_LIMIT,
    MONEY_UNITS,
    QUANTITY_UNITS,
    SCHEMAS,
    SCORE_UNITS,
    Column,
    Contract,
    Instrument,
    LogMapping,
    LogSchema,
)

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_PLAUSIBLE = ("1970-01-01", "2200-01-01")
_UNITS = {"money": MONEY_UNITS, "number": QUANTITY_UNITS, "score": SCORE_UNITS}
_NAIVE = r"^\d+[-/]\d+[-/]\d+([ T][\d:.]+)?$"  # ISO text without an offset or a zone
_ZONED = re.compile(r"(?<!%)(%%)*%[zZ]")
_EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000}
_TEXT_TYPES = {"VARCHAR", '"NULL"'}
_EDGES = r"^[\s\p{Z}]+|[\s\p{Z}]+$"  # also the no-break spaces of spreadsheets and web pages


@dataclass(frozen=True)
class Reason:
    """Why a row is set aside: a code, the SQL that finds it, and what to do about it."""

    code: str
    column: str
    sql: str
    mend: str


@dataclass(frozen=True)
class LogCheck:
    """What became of the rows of one log.

    Attributes
    ----------
    log, source
        Name of the log and of the file or frame it was read from.
    read, kept, folded
        Rows read, rows that keep the contract, and what is left when lines of one order and
        rows of one instant are folded.
    rejected
        Reason code → rows set aside for it; ``duplicate`` counts exact repetitions.
    customers
        Distinct customers among the kept rows.
    first, last
        Time of the first and last kept row, microseconds UTC; ``None`` for an empty log.
    """

    log: str
    source: str
    read: int
    kept: int
    folded: int
    rejected: Mapping[str, int]
    customers: int
    first: int | None
    last: int | None

    @property
    def faulty(self) -> int:
        """Rows set aside for a fault; exact repetitions are not faults."""
        return sum(n for code, n in self.rejected.items() if code != "duplicate")


def quoted(identifier: str) -> str:
    """SQL identifier, whatever characters it holds."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """SQL string, whatever characters it holds."""
    return "'" + text.replace("'", "''") + "'"


def judge(con: duckdb.DuckDBPyConnection, log: str, table: str, contract: Contract) -> None:
    """Create the table ``<log>_judged``: every row of ``table`` typed, with its reason.

    The result holds ``row`` (1 is the first), the typed contract columns, ``reason`` (NULL for
    a row that keeps the contract) and ``found`` (the text of the value at fault).

    Raises
    ------
    DataError
        If a required column is not mapped, or a mapped one is not in the source.
    ConfigError
        If the time format is no pattern.
    """
    schema = SCHEMAS[log]
    mapping = contract.mappings.get(log, LogMapping())
    _require_pattern(con, log, mapping.time_format)
    types = dict(con.sql(f"SELECT column_name, column_type FROM (DESCRIBE {table})").fetchall())
    columns = _mapped(schema, mapping, types)
    raw = ", ".join(f"{quoted(src)} AS {quoted('raw_' + c.name)}" for c, src in columns)
    typed = ", ".join(
        f"{_typed(c, types[src], mapping, contract.zone)} AS {c.name}" for c, src in columns
    )
    reasons = list(_reasons(schema, [c for c, _ in columns], contract.instruments))
    code = _case((r.sql, literal(r.code)) for r in reasons)
    found = _case((r.sql, f"CAST(raw_{r.column} AS VARCHAR)") for r in reasons)
    names = ", ".join(c.name for c, _ in columns)
    same = ", ".join(schema.key) or names
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE {log}_judged AS
        WITH raw AS (SELECT row_number() OVER () AS row, {raw} FROM {table}),
             typed AS (SELECT *, {typed} FROM raw),
             judged AS (SELECT row, {names}, {code} AS reason, {found} AS found FROM typed),
             told AS (SELECT *, row_number() OVER (PARTITION BY {same}, reason ORDER BY row) AS nth
                      FROM judged)
        SELECT row, {names}, found,
               CASE WHEN reason IS NULL AND nth > 1 THEN 'duplicate' ELSE reason END AS reason
        FROM told""")


def columns_of(con: duckdb.DuckDBPyConnection, log: str) -> tuple[str, ...]:
    """Contract columns that the judged table of a log holds."""
    names = con.sql(f"SELECT column_name FROM (DESCRIBE {log}_judged)").fetchall()
    return tuple(n for (n,) in names if n not in {"row", "found", "reason"})


def rejected_by_reason(con: duckdb.DuckDBPyConnection, log: str) -> dict[str, int]:
    """Reason code → number of rows set aside, the most frequent first."""
    rows = con.sql(
        f"SELECT reason, count(*) AS n FROM {log}_judged WHERE reason IS NOT NULL "
        "GROUP BY reason ORDER BY n DESC, reason"
    ).fetchall()
    return dict(rows)


def rejected_rows(con: duckdb.DuckDBPyConnection, log: str, source: str) -> pa.Table:
    """The rows set aside: log, source, row, reason, the value at fault, and the mend."""
    mends = {r.code: r.mend for r in _reasons(SCHEMAS[log], SCHEMAS[log].columns, ())}
    mend = _case(
        [(f"reason = {literal(code)}", literal(text)) for code, text in mends.items()], "''"
    )
    return con.sql(
        f"SELECT {literal(log)} AS log, {literal(source)} AS source, row, reason, found, "
        f"{mend} AS mend FROM {log}_judged WHERE reason IS NOT NULL ORDER BY row"
    ).to_arrow_table()


def stop_if_too_many(check: LogCheck, limit: float) -> None:
    """Refuse a log of which more than the declared share of rows breaks the contract.

    Raises
    ------
    DataError
        With the counts by reason, or if nothing at all is left.
    """
    counts = ", ".join(f"{n:,} {code}" for code, n in check.rejected.items())
    if check.read == 0:
        raise DataError(f"{check.source}: the {check.log} log is empty", "Check the path.")
    if check.kept == 0:
        raise DataError(
            f"{check.source}: none of {check.read:,} rows keeps the contract ({counts})",
            "Check the column mapping in churnkit.toml against the file.",
        )
    if check.faulty > limit * check.read:
        raise DataError(
            f"{check.source}: {check.faulty / check.read:.1%} of {check.read:,} rows are set "
            f"aside ({counts}), more than the allowed {limit:.1%}",
            "Mend the rows (churnkit check lists them), or raise max_rejected_share in "
            "[quality] of churnkit.toml if they are expected.",
        )


def _mapped(
    schema: LogSchema, mapping: LogMapping, types: Mapping[str, str]
) -> list[tuple[Column, str]]:
    own = {c.name: c.name for c in schema.columns if c.name in types}
    chosen = dict(mapping.columns) or own
    for name in schema.required:
        if name not in chosen:
            raise DataError(
                f"the {schema.name} log has no column for {name} ({schema.column(name).says})",
                f"{did_you_mean(name, types)}Map it in [logs.{schema.name}.columns]; "
                f"the source has {_listed(types)}.",
            )
    for name, source in chosen.items():
        if source not in types:
            raise DataError(
                f"the {schema.name} log has no column {source!r} (mapped to {name})",
                f"{did_you_mean(source, types)}The source has {_listed(types)}.",
            )
    return [(schema.column(name), source) for name, source in chosen.items()]


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(map(repr, names))


def _require_pattern(con: duckdb.DuckDBPyConnection, log: str, time_format: str | None) -> None:
    import duckdb

    if time_format is None or time_format in _EPOCHS:
        return
    try:
        con.sql(f"SELECT try_strptime('', {literal(time_format)})").fetchall()
        readable = "%" in time_format
    except duckdb.Error:
        readable = False
    if not readable:
        raise ConfigError(
            f"time_format = {time_format!r} of the {log} log is no pattern for times",
            'Write it like "%d/%m/%Y %H:%M", or "epoch_s" or "epoch_ms" for numbers.',
        )


def _typed(column: Column, sql_type: str, mapping: LogMapping, zone: str) -> str:
    raw = f"raw_{column.name}"
    if column.kind == "time":
        return f"epoch_us({_utc(raw, sql_type, mapping.time_format, zone)})"
    if column.kind in {"id", "text"}:
        return _text(raw, sql_type)
    scaled = f"ROUND(TRY_CAST({raw} AS DOUBLE) * {_UNITS[column.kind]})"
    return f"TRY_CAST({scaled} AS BIGINT)"


def _text(raw: str, sql_type: str) -> str:
    if sql_type in {"DOUBLE", "FLOAT"}:
        # A column of whole numbers with a gap in it reaches us as 13085.0.
        whole = f"CASE WHEN {raw} = trunc({raw}) THEN TRY_CAST({raw} AS BIGINT) END"
        return (
            f"CASE WHEN isfinite({raw}) "
            f"THEN COALESCE(CAST({whole} AS VARCHAR), CAST({raw} AS VARCHAR)) END"
        )
    return f"NULLIF({_trimmed(raw)}, '')"


def _trimmed(raw: str) -> str:
    return f"regexp_replace(CAST({raw} AS VARCHAR), {literal(_EDGES)}, '', 'g')"


def _utc(raw: str, sql_type: str, time_format: str | None, zone: str) -> str:
    if sql_type.startswith(("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")):
        return f"TRY_CAST({raw} AS TIMESTAMPTZ)"  # nanoseconds are a type of their own
    if sql_type.startswith(("TIMESTAMP", "DATE")):
        return _in_zone(f"TRY_CAST({raw} AS TIMESTAMP)", zone)
    if time_format in _EPOCHS:
        return (
            f"make_timestamptz(TRY_CAST(TRY_CAST({raw} AS DOUBLE) * {_EPOCHS[time_format]} "
            "AS BIGINT))"
        )
    if time_format:
        parsed = f"try_strptime({_trimmed(raw)}, {literal(time_format)})"
        return parsed if _ZONED.search(time_format) else _in_zone(parsed, zone)
    if sql_type not in _TEXT_TYPES:
        raise DataError(
            f"the time column has the type {sql_type}, which does not say what its numbers count",
            'Set time_format = "epoch_s", "epoch_ms" or a pattern such as "%Y%m%d" for the log.',
        )
    text = _trimmed(raw)
    is_naive = f"regexp_matches({text}, {literal(_NAIVE)})"
    naive = _in_zone(f"TRY_CAST({text} AS TIMESTAMP)", zone)
    return f"CASE WHEN {is_naive} THEN {naive} ELSE TRY_CAST({text} AS TIMESTAMPTZ) END"


def _in_zone(timestamp: str, zone: str) -> str:
    # Beyond these years the engine stops at the row instead of setting it aside.
    sane = f"{timestamp} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31'"
    return f"timezone({literal(zone)}, CASE WHEN {sane} THEN {timestamp} END)"


def _reasons(
    schema: LogSchema,
    columns: list[Column] | tuple[Column, ...],
    instruments: tuple[Instrument, ...],
) -> Iterator[Reason]:
    for column in columns:
        yield from _column_reasons(column)
    if schema.name == "surveys":
        yield from _scale_reasons(instruments)


def _column_reasons(column: Column) -> Iterator[Reason]:
    name, raw = column.name, f"raw_{column.name}"
    blank = f"({raw} IS NULL OR TRIM(CAST({raw} AS VARCHAR)) = '')"
    if column.kind in {"id", "text"}:  # NaN is a gap, not a name
        blank = f"{name} IS NULL"
    if column.required or column.filled:
        yield Reason(f"missing_{name}", name, blank, f"Fill {name}: {column.says}.")
    if column.kind in _UNITS:
        yield from _number_reasons(name, raw, blank)
    if column.kind == "time":
        yield from _time_reasons(name)


def _number_reasons(name: str, raw: str, blank: str) -> Iterator[Reason]:
    number = f"TRY_CAST({raw} AS DOUBLE)"
    unreadable, infinite = f"NOT {blank} AND {number} IS NULL", f"NOT isfinite({number})"
    too_large = f"abs({number}) > {AMOUNT_LIMIT}"
    yield Reason(f"unreadable_{name}", name, unreadable, "Write a plain number.")
    yield Reason(f"{name}_not_finite", name, infinite, "NaN and infinity are no numbers.")
    yield Reason(f"{name}_too_large", name, too_large, "Check the unit.")


def _time_reasons(name: str) -> Iterator[Reason]:
    early, late = (f"epoch_us(TIMESTAMP '{day}')" for day in _PLAUSIBLE)
    mend = "Write YYYY-MM-DD HH:MM:SS, or set time_format for this log."
    span = f"Times must lie between {_PLAUSIBLE[0]} and {_PLAUSIBLE[1]}."
    yield Reason(f"unreadable_{name}", name, f"{name} IS NULL", mend)
    yield Reason(f"implausible_{name}", name, f"NOT {name} BETWEEN {early} AND {late}", span)


def _scale_reasons(instruments: tuple[Instrument, ...]) -> Iterator[Reason]:
    known = ", ".join(literal(i.name) for i in instruments) or "''"
    outside = " OR ".join(
        f"(lower(instrument) = {literal(i.name)} "
        f"AND NOT score BETWEEN {i.low * SCORE_UNITS} AND {i.high * SCORE_UNITS})"
        for i in instruments
    )
    yield Reason(
        "unknown_instrument", "instrument", f"lower(instrument) NOT IN ({known})",
        "Declare it with its scale in [logs.surveys.instruments].",
    )  # fmt: skip
    yield Reason(
        "score_outside_scale", "score", outside or "false",
        "Check the scale declared in [logs.surveys.instruments].",
    )  # fmt: skip


def _case(branches: Any, otherwise: str = "NULL") -> str:
    told = " ".join(f"WHEN {condition} THEN {value}" for condition, value in branches)
    return f"CASE {told} ELSE {otherwise} END"
