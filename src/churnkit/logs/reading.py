"""How a cell becomes a value: SQL that reads ids, numbers and times from what sources hold.

Every function returns an SQL expression that is NULL where the cell cannot be read.
"""

from __future__ import annotations

import re

from churnkit.errors import DataError
from churnkit.logs import jalali
from churnkit.logs.schema import LogMapping
from churnkit.logs.sql import literal

TEXT_TYPES = {"VARCHAR", '"NULL"'}
EPOCHS = {"epoch_s": 1_000_000, "epoch_ms": 1_000}
_NAIVE = r"^\d+[-/]\d+[-/]\d+([T\s]+[\d:.]+)?$"  # ISO text without an offset or a zone
_USUAL = ("____-__-__ __:__:__", "____-__-__T__:__:__", "____-__-__ __:__", "____-__-__")
_ZONED = re.compile(r"(?<!%)(%%)*%[zZ]")
_BLANKS = r"[\p{Cc}\p{Z}]"  # also the no-break spaces of spreadsheets and web pages
_EDGES = rf"^{_BLANKS}+|{_BLANKS}+$"
_INVISIBLE = r"[\x{00AD}\x{0640}\x{200B}-\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2069}\x{FEFF}]"
_DIGITS = ("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
_LETTERS = ("يىكﻙﻚةۀأإٱ", "ییکککههااا")
_SIGNS = ("٫−", ".-")  # the Arabic decimal separator; the minus sign of typesetters


def text(raw: str, sql_type: str) -> str:
    """Text without blanks at its edges; NULL if nothing is left."""
    if sql_type in {"DOUBLE", "FLOAT"}:
        # A column of whole numbers with a gap in it reaches us as 13085.0.
        whole = f"CASE WHEN {raw} = trunc({raw}) THEN TRY_CAST({raw} AS BIGINT) END"
        return (
            f"CASE WHEN isfinite({raw}) "
            f"THEN COALESCE(CAST({whole} AS VARCHAR), CAST({raw} AS VARCHAR)) END"
        )
    if sql_type not in TEXT_TYPES:
        return f"CAST({raw} AS VARCHAR)"
    return f"NULLIF({trimmed(raw)}, '')"


def customer(raw: str, sql_type: str, mapping: LogMapping) -> str:
    """The text of an id; letter and digit variants are written one way if the mapping says so."""
    plain = text(raw, sql_type)
    if not mapping.fold_ids or sql_type not in TEXT_TYPES:
        return plain
    return f"NULLIF({trimmed(folded(raw))}, '')"


def folded(raw: str) -> str:
    """Text whose Persian and Arabic digits and letters are written one way, nothing invisible."""
    letters = f"translate({_ascii_digits(raw)}, {literal(_LETTERS[0])}, {literal(_LETTERS[1])})"
    return f"nfc_normalize({letters})"


def shape(text: str) -> str:
    """What a text looks like and not what it says: letters are written x, digits 9."""
    return f"regexp_replace(regexp_replace({text}, '\\p{{L}}', 'x', 'g'), '\\p{{N}}', '9', 'g')"


def trimmed(raw: str) -> str:
    """Text without blanks of any kind at its edges."""
    cell = f"CAST({raw} AS VARCHAR)"
    # Most cells have nothing to trim, and the pattern is the dearest part of reading.
    cut = f"regexp_replace({cell}, '{_EDGES}', '', 'g')"
    return f"CASE WHEN {needs_no_trim(cell)} THEN {cell} ELSE {cut} END"


def needs_no_trim(cell: str) -> str:
    """Whether text surely has no blanks at its edges: it begins and ends with a visible sign."""
    return f"({_begins_visibly(cell)} AND {_begins_visibly(f'reverse({cell})')})"


def is_blank(raw: str, value: str, sql_type: str) -> str:
    """Whether nothing is left of a cell, of which ``value`` is the text that was read."""
    if sql_type not in TEXT_TYPES:
        return f"{value} IS NULL"
    return f"CASE WHEN {_begins_visibly(raw)} THEN false ELSE {value} IS NULL END"


def _begins_visibly(cell: str) -> str:
    # As one comparison of text this is a tenth of the price of a pattern.
    return f"({cell} BETWEEN '!' AND '~\U0010ffff')"


def number(raw: str, sql_type: str, decimal: str | None) -> str:
    """A DOUBLE; only a declared separator of decimals lets the other one group thousands."""
    if sql_type not in TEXT_TYPES:
        return f"TRY_CAST({raw} AS DOUBLE)"
    plain = f"translate(replace({_ascii_digits(raw)}, '٬', ''), {_pair(_SIGNS)})"
    if decimal is None:
        # Within CASE, the engine does not work out the dear part beforehand for every row.
        dear = f"CASE WHEN {raw} IS NOT NULL THEN TRY_CAST({trimmed(plain)} AS DOUBLE) END"
        return f"COALESCE(TRY_CAST({raw} AS DOUBLE), {dear})"
    point, group = (r"\.", ",") if decimal == "." else (",", r"\.")
    gap = rf"(?:{group}|{_BLANKS}|'')"
    shape = rf"^[+-]?((\d{{1,3}}({gap}\d{{3}})+|\d+)({point}\d+)?|{point}\d+)$"
    bare = f"regexp_replace({trimmed(plain)}, '{gap}', '', 'g')"
    grouped = f"regexp_matches({trimmed(plain)}, '{shape}')"
    return f"CASE WHEN {grouped} THEN TRY_CAST(replace({bare}, '{decimal}', '.') AS DOUBLE) END"


def instant(raw: str, sql_type: str, mapping: LogMapping, zone: str) -> str:
    """Microseconds since 1970-01-01 UTC; cells without a zone are in the business zone.

    Raises
    ------
    DataError
        If the cells are numbers and nothing says what they count.
    """
    time_format = mapping.time_format
    if sql_type.startswith(("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")):
        return _micros(f"TRY_CAST({raw} AS TIMESTAMPTZ)")  # nanoseconds are a type of their own
    if sql_type.startswith(("TIMESTAMP", "DATE")):
        return _local(f"TRY_CAST({raw} AS TIMESTAMP)", zone)
    if time_format in EPOCHS:
        return f"TRY_CAST({number(raw, sql_type, None)} * {EPOCHS[time_format]} AS BIGINT)"
    if mapping.calendar == "jalali":
        return _local(jalali.timestamp(_written(raw, sql_type)), zone)
    if time_format:
        parsed = f"try_strptime({_written(raw, sql_type)}, {literal(time_format)})"
        return _micros(parsed) if _ZONED.search(time_format) else _local(parsed, zone)
    if sql_type not in TEXT_TYPES:
        raise DataError(
            f"the time column has the type {sql_type}, which does not say what its numbers count",
            'Set time_format = "epoch_s", "epoch_ms" or a pattern such as "%Y%m%d" for the log.',
        )
    return _iso(raw, zone)


def _written(raw: str, sql_type: str) -> str:
    """Text of a date, also of one that is written as a number such as 20240131."""
    return text(_ascii_digits(raw) if sql_type in TEXT_TYPES else raw, sql_type)


def _iso(raw: str, zone: str) -> str:
    """ISO text with or without a zone."""
    usual = " OR ".join(f"{raw} LIKE '{shape}'" for shape in _USUAL)
    quick = _at_zone(f"TRY_CAST({raw} AS TIMESTAMP)", zone)
    cell = trimmed(_ascii_digits(raw))
    naive = _local(f"TRY_CAST({cell} AS TIMESTAMP)", zone)
    zoned = _micros(f"TRY_CAST({cell} AS TIMESTAMPTZ)")
    slow = (
        f"WHEN regexp_matches({cell}, '{_NAIVE}') THEN {naive} "
        f"WHEN regexp_matches({cell}, '^\\d') THEN {zoned}"  # not words such as epoch
    )
    return (
        f"COALESCE(CASE WHEN ({usual}) AND {raw} >= '0001' THEN {quick} END, "
        f"CASE WHEN {raw} IS NULL THEN NULL {slow} END)"
    )


def _ascii_digits(raw: str) -> str:
    """Text with its digits in ASCII and without invisible signs; text in ASCII is left alone."""
    cell = f"CAST({raw} AS VARCHAR)"
    plain = f"translate(regexp_replace({cell}, '{_INVISIBLE}', '', 'g'), {_pair(_DIGITS)})"
    return f"CASE WHEN strlen({cell}) = length({cell}) THEN {cell} ELSE {plain} END"


def _pair(signs: tuple[str, str]) -> str:
    return f"{literal(signs[0])}, {literal(signs[1])}"


def _micros(timestamp: str) -> str:
    return f"CASE WHEN isfinite({timestamp}) THEN epoch_us({timestamp}) END"


def _local(timestamp: str, zone: str) -> str:
    # Beyond these years the engine stops at the row instead of setting it aside.
    sane = f"{timestamp} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31'"
    return _at_zone(f"CASE WHEN {sane} THEN {timestamp} END", zone)


def _at_zone(timestamp: str, zone: str) -> str:
    at = timestamp if zone == "UTC" else f"timezone({literal(zone)}, {timestamp})"
    return f"epoch_us({at})"
