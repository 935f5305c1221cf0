"""The contract in SQL: every row is either kept or set aside with a reason.

A log arrives as a table of a DuckDB connection, whatever its source. `judge` makes a view of it
in which each row is typed and judged by the rules of its columns; nothing is copied, so that a
pass over the view costs a scan.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from churnkit.errors import ConfigError, DataError, did_you_mean
from churnkit.logs import reading
from churnkit.logs.forgotten import find_forgotten
from churnkit.logs.rows import Rows
from churnkit.logs.schema import (
    AMOUNT_LIMIT,
    MONEY_UNITS,
    PRICE_UNITS,
    QUANTITY_UNITS,
    SCHEMAS,
    SCORE_UNITS,
    Column,
    Contract,
    Instrument,
    LogMapping,
    LogSchema,
)
from churnkit.logs.sql import case, listed, literal, quoted

if TYPE_CHECKING:
    import duckdb

STATIC = "static_"
"""How the columns that are declared static are called beside those of the contract."""

DUPLICATE, EXCLUDED, FORGOTTEN = "duplicate", "excluded", "forgotten"
NO_FAULTS = {DUPLICATE, EXCLUDED, FORGOTTEN}
_TAKE_OUT = "Of somebody who was forgotten (churnkit forget): take the row out of the log, too."
_PLAUSIBLE = ("1970-01-01", "2200-01-01")
_UNITS = {
    "money": MONEY_UNITS,
    "price": PRICE_UNITS,
    "number": QUANTITY_UNITS,
    "score": SCORE_UNITS,
}
_PRODUCT = "(number_unit_price * number_quantity)"


@dataclass(frozen=True)
class Reason:
    """Why a row is set aside: a code, the SQL that finds it, and what to do about it."""

    code: str
    column: str
    sql: str
    mend: str


def judge(con: duckdb.DuckDBPyConnection, log: str, rows: Rows, contract: Contract) -> None:
    """Create the view ``<log>_judged``: every row of a source typed, with its reason.

    The view holds ``file`` and ``row`` (1 is the first of its file), ``raw_<column>`` as the
    source has it, the typed contract columns, ``rest`` (a hash of the source columns that are
    read as nothing), ``plain`` (whether the texts of the row are what reading makes of them),
    ``code`` (0 for a row that keeps the contract), ``reason`` (NULL for such a row) and ``found``
    (the text of the value at fault; where customers have pseudonyms, its shape), and the text of
    each static column under its name, with `STATIC` in front. The ids are still those of the log,
    see `churnkit.logs.account.account`. The table ``<log>_reasons`` says what each code means.

    Raises
    ------
    DataError
        If a required column is not mapped, or one that the mapping names is not in the source.
    ConfigError
        If the time format is no pattern.
    """
    schema, mapping = SCHEMAS[log], contract.mappings.get(log, LogMapping())
    _require_pattern(con, log, mapping.time_format)
    types = source_types(con, rows)
    columns = _mapped(schema, mapping, types)
    sql_types = {c.name: types[src] for c, src in columns}
    _require_what_is_named(log, mapping, types, sql_types)
    raw = ", ".join(
        f"{quoted(src)} AS {quoted('raw_' + name)}"
        for name, src in [*((c.name, src) for c, src in columns), *_static(mapping)]
    )
    numbers = ", ".join(_numbers(sql_types, schema, mapping)) or "NULL"
    typed = ", ".join(
        [
            *(_typed(c, sql_types[c.name], mapping, contract.zone) for c, _ in columns),
            *_typed_static(mapping, types),
        ]
    )
    is_forgotten = find_forgotten(con, log, _ids(rows, columns, sql_types, mapping), contract)
    reasons = list(_reasons(schema, sql_types, contract.instruments, mapping, is_forgotten))
    coded = list(enumerate(reasons, start=1))
    code = case(((r.sql, str(k)) for k, r in coded), otherwise="0")
    reason = case((f"code = {k}", literal(r.code)) for k, r in coded)
    found = case((f"code = {k}", _cell(r.column)) for k, r in coded if r.column)
    if contract.pseudonyms is not None:  # in a row whose cells have moved it may be an id
        found = reading.shape(found)
    con.execute(f"""
        CREATE OR REPLACE TEMP VIEW {log}_judged AS
        WITH raw AS (SELECT {rows.file_sql} AS file, {rows.row} AS row, {raw},
                            {_rest(types, columns, mapping)} AS rest,
                            {_excluded(mapping, types)} AS is_excluded FROM {rows.table}),
             numbers AS (SELECT *, {numbers} FROM raw),
             typed AS (SELECT *, {typed}{_row_total(sql_types)} FROM numbers),
             judged AS (SELECT *, {_plain(sql_types, schema, mapping)} AS plain,
                               CAST({code} AS UTINYINT) AS code FROM typed)
        SELECT *, {reason} AS reason, {found} AS found FROM judged""")
    # Once: to describe the view is to plan all of its expressions, which takes tens of ms.
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {log}_columns AS SELECT column_name AS name, "
        f"column_type AS type FROM (DESCRIBE {log}_judged)"
    )
    told = ", ".join(f"({k}, {literal(r.code)}, {literal(r.mend)})" for k, r in coded)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {log}_reasons (code UTINYINT, reason TEXT, mend TEXT)"
    )
    con.execute(f"INSERT INTO {log}_reasons VALUES {told}")


def columns_of(con: duckdb.DuckDBPyConnection, log: str) -> tuple[str, ...]:
    """Contract columns that the judged view of a log holds."""
    names = judged_types(con, log)
    return tuple(c.name for c in SCHEMAS[log].columns if c.name in names)


def judged_types(con: duckdb.DuckDBPyConnection, log: str) -> dict[str, str]:
    """Columns of the judged view of a log, and their SQL types."""
    return dict(con.execute(f"SELECT name, type FROM {log}_columns").fetchall())


def all_reasons(log: str) -> list[Reason]:
    """Every reason for which a row of a log can be set aside, repetitions included."""
    schema = SCHEMAS[log]
    mapping = LogMapping(exclude={"": ("",)}, rates={"": 1.0} if log == "purchases" else {})
    cells = {column.name: "VARCHAR" for column in schema.columns}
    return [
        *_reasons(schema, cells, (), mapping, is_forgotten="false"),
        Reason(DUPLICATE, "", "false", repetition(log)),
    ]


def repetition(log: str) -> str:
    """What to do about the rows of a log that are set aside as repetitions."""
    if SCHEMAS[log].key:  # they may differ in all else
        return f"The first row of each {' and '.join(SCHEMAS[log].key)} counts; keep only that one."
    return "Counted once; nothing to mend."


def source_types(con: duckdb.DuckDBPyConnection, rows: Rows) -> dict[str, str]:
    """Columns of the source and their SQL types."""
    told = con.sql(f"SELECT column_name, column_type FROM (DESCRIBE FROM {rows.table})").fetchall()
    return {name: sql_type for name, sql_type in told if name not in rows.hidden}


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
                f"the source has {_named(types)}.",
            )
    for name, source in chosen.items():
        _require_in_source(schema.name, source, f"mapped to {name}", types)
    if "unit_price" in chosen and not {"amount", "quantity"} & chosen.keys():
        raise DataError(
            f"the {schema.name} log has a unit_price, but neither amount nor quantity",
            f"Map quantity too, or map {chosen['unit_price']!r} to amount if it is the whole "
            "price of the row.",
        )
    return [(schema.column(name), source) for name, source in chosen.items()]


def _require_what_is_named(
    log: str, mapping: LogMapping, types: Mapping[str, str], sql_types: Mapping[str, str]
) -> None:
    for column in mapping.exclude:
        _require_in_source(log, column, "named by exclude", types)
    for column in mapping.provenance:
        _require_in_source(log, column, "named by provenance", types)
    for column in mapping.static:
        _require_in_source(log, column, "named by static", types)
    if len(mapping.static_names()) < len(mapping.static):
        raise ConfigError(
            f"two of the static columns {', '.join(map(repr, mapping.static))} have one name "
            "in small letters",
            "Leave one of them out, or rename it in the source.",
        )
    if mapping.rates and "currency" not in sql_types:
        raise DataError(
            f"the {log} log has rates, but no column for currency",
            f"Map currency in [logs.{log}.columns], or leave the rates out.",
        )


def _require_in_source(log: str, column: str, use: str, types: Mapping[str, str]) -> None:
    if column not in types:
        raise DataError(
            f"the {log} log has no column {column!r} ({use})",
            f"{did_you_mean(column, types)}The source has {_named(types)}.",
        )


def _named(names: Mapping[str, str]) -> str:
    return ", ".join(map(repr, names))


def _require_pattern(con: duckdb.DuckDBPyConnection, log: str, time_format: str | None) -> None:
    import duckdb

    if time_format is None or time_format in reading.EPOCHS:
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


def _numbers(sql_types: Mapping[str, str], schema: LogSchema, mapping: LogMapping) -> Iterator[str]:
    """SQL of the numbers as the source means them, before they become whole units."""
    for name, sql_type in sql_types.items():
        kind = schema.column(name).kind
        if kind in _UNITS:
            worth = _worth(mapping) if kind in {"money", "price"} else ""
            cell = reading.number(f"raw_{name}", sql_type, mapping.decimal)
            yield f"{cell}{worth} AS number_{name}"


def _worth(mapping: LogMapping) -> str:
    """SQL factor that turns money of the row's currency into that of the log."""
    rates = ((_is_currency(name), str(float(rate))) for name, rate in mapping.rates.items())
    return f" * {case(rates)}" if mapping.rates else ""


def _is_currency(name: str) -> str:
    return f"upper(TRIM({_cell('currency')})) = {literal(name.strip().upper())}"


def _ids(
    rows: Rows, columns: list[tuple[Column, str]], sql_types: Mapping[str, str], mapping: LogMapping
) -> str:
    """SQL of the ids of a log, as reading makes them of its cells."""
    source = next(source for column, source in columns if column.name == "customer_id")
    told = reading.customer(quoted(source), sql_types["customer_id"], mapping)
    return f"SELECT {told} AS customer_id FROM {rows.table}"


def _cell(column: str) -> str:
    return f"CAST(raw_{column} AS VARCHAR)"


def _typed(column: Column, sql_type: str, mapping: LogMapping, zone: str) -> str:
    raw = f"raw_{column.name}"
    if column.kind == "time":
        sql = reading.instant(raw, sql_type, mapping, zone)
    elif column.kind == "id":
        sql = reading.customer(raw, sql_type, mapping)
    elif column.kind == "text":
        sql = reading.text(raw, sql_type)
    else:
        sql = _whole(f"number_{column.name}", _UNITS[column.kind])
    return f"{sql} AS {column.name}"


def _static(mapping: LogMapping) -> Iterator[tuple[str, str]]:
    """What the columns declared static are called here, and in the source."""
    yield from ((STATIC + name, source) for name, source in mapping.static_names().items())


def _typed_static(mapping: LogMapping, types: Mapping[str, str]) -> Iterator[str]:
    for name, source in _static(mapping):
        # As of ids, letter variants would make two categories of one.
        sql = reading.customer(quoted(f"raw_{name}"), types[source], mapping)
        yield f"{sql} AS {quoted(name)}"


def _whole(number: str, units: int) -> str:
    return f"TRY_CAST(ROUND({number} * {units}) AS BIGINT)"


def _row_total(sql_types: Mapping[str, str]) -> str:
    """SQL of the amount where the source has only the price of one piece."""
    return f", {_whole(_PRODUCT, MONEY_UNITS)} AS amount" if _is_priced(sql_types) else ""


def _is_priced(sql_types: Mapping[str, str]) -> bool:
    return "unit_price" in sql_types and "amount" not in sql_types


def _rest(types: Mapping[str, str], columns: list[tuple[Column, str]], mapping: LogMapping) -> str:
    """SQL hash of what tells two rows apart beside the mapped columns; NULL if nothing does."""
    known = {source for _, source in columns} | set(mapping.provenance)
    others = [quoted(name) for name in types if name not in known]
    return f"hash({', '.join(others)})" if others else "NULL"


def _plain(sql_types: Mapping[str, str], schema: LogSchema, mapping: LogMapping) -> str:
    """SQL that says whether every text of a row equals what reading makes of it."""
    texts = [
        n for n, t in sql_types.items() if _is_text(schema.column(n)) and t in reading.TEXT_TYPES
    ]
    tests = [f"COALESCE({reading.needs_no_trim(f'raw_{name}')}, true)" for name in texts]
    if mapping.fold_ids and "customer_id" in texts:
        tests.append("strlen(raw_customer_id) = length(raw_customer_id)")
    return " AND ".join(tests) or "true"


def _is_text(column: Column) -> bool:
    return column.kind in {"id", "text"}


def _excluded(mapping: LogMapping, types: Mapping[str, str]) -> str:
    tests = (
        f"COALESCE({reading.text(quoted(column), types[column])}, '') "
        f"IN ({listed(map(str.strip, values))})"
        for column, values in mapping.exclude.items()
        if values
    )
    return " OR ".join(tests) or "false"


def _reasons(
    schema: LogSchema,
    sql_types: Mapping[str, str],
    instruments: tuple[Instrument, ...],
    mapping: LogMapping,
    is_forgotten: str = "",
) -> Iterator[Reason]:
    if is_forgotten:  # first of all, so that nothing else is told of such a row
        yield Reason(FORGOTTEN, "", is_forgotten, _TAKE_OUT)
    if mapping.exclude:
        yield Reason(EXCLUDED, "", "is_excluded", "Set aside on purpose, by exclude.")
    if mapping.rates:  # money of it has no worth to be judged by
        yield _currency_reason(mapping)
    for name, sql_type in sql_types.items():
        yield from _column_reasons(schema.column(name), sql_type)
    if _is_priced(sql_types):
        large = f"abs({_PRODUCT}) > {AMOUNT_LIMIT}"
        yield Reason("amount_too_large", "unit_price", large, "Check the unit.")
        yield Reason("missing_amount", "unit_price", "amount IS NULL", "Fill price and quantity.")
    if schema.name == "surveys":
        yield from _scale_reasons(instruments)


def _column_reasons(column: Column, sql_type: str) -> Iterator[Reason]:
    name = column.name
    blank = _blank(column, sql_type)
    if column.required or column.filled:
        yield Reason(f"missing_{name}", name, blank, f"Fill {name}: {column.says}.")
    if column.kind in _UNITS:
        yield from _number_reasons(name, blank)
    if column.kind == "time":
        yield from _time_reasons(name, "" if column.required else f" AND NOT {blank}")


def _blank(column: Column, sql_type: str) -> str:
    """SQL that says whether a cell holds nothing."""
    raw = f"raw_{column.name}"
    if _is_text(column):  # NaN is a gap, not a name
        return f"({reading.is_blank(raw, column.name, sql_type)})"
    empty = f"({raw} IS NULL OR TRIM({raw}) = '')" if sql_type == "VARCHAR" else f"{raw} IS NULL"
    # What was read is not blank; said first, it spares looking at the text again.
    value = column.name if column.kind == "time" else f"number_{column.name}"
    return f"({value} IS NULL AND {empty})"


def _currency_reason(mapping: LogMapping) -> Reason:
    known = " OR ".join(map(_is_currency, mapping.rates))
    return Reason(
        "unknown_currency", "currency", f"NOT COALESCE({known}, false)",
        "Say in [logs.purchases.rates] what one unit of it is worth.",
    )  # fmt: skip


def _number_reasons(name: str, blank: str) -> Iterator[Reason]:
    number = f"number_{name}"
    unreadable, infinite = f"{number} IS NULL AND NOT {blank}", f"NOT isfinite({number})"
    too_large = f"abs({number}) > {AMOUNT_LIMIT}"
    mend = "Write a plain number, or declare decimal for this log."
    yield Reason(f"unreadable_{name}", name, unreadable, mend)
    yield Reason(f"{name}_not_finite", name, infinite, "NaN and infinity are no numbers.")
    yield Reason(f"{name}_too_large", name, too_large, "Check the unit.")


def _time_reasons(name: str, given: str) -> Iterator[Reason]:
    early, late = (f"epoch_us(TIMESTAMP '{day}')" for day in _PLAUSIBLE)
    mend = (
        "Write YYYY-MM-DD HH:MM:SS of a day that exists, or set time_format or calendar for this "
        "log."
    )
    span = f"Times must lie between {_PLAUSIBLE[0]} and {_PLAUSIBLE[1]}."
    yield Reason(f"unreadable_{name}", name, f"{name} IS NULL{given}", mend)
    yield Reason(f"implausible_{name}", name, f"NOT {name} BETWEEN {early} AND {late}", span)


def _scale_reasons(instruments: tuple[Instrument, ...]) -> Iterator[Reason]:
    known = listed(i.name for i in instruments) or "''"
    outside = " OR ".join(
        f"(lower(instrument) = {literal(i.name)} "
        f"AND NOT score BETWEEN {i.low * SCORE_UNITS} AND {i.high * SCORE_UNITS})"
        for i in instruments
    )
    yield Reason(
        "unknown_instrument", "instrument",
        f"lower(instrument) NOT IN ({known})",
        "Declare it with its scale in [logs.surveys.instruments].",
    )  # fmt: skip
    yield Reason(
        "score_outside_scale", "score", outside or "false",
        "Check the scale declared in [logs.surveys.instruments].",
    )  # fmt: skip
