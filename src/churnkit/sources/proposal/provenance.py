"""Columns that are no part of what happened: where a row came from, and marks of rows to drop."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from churnkit.sources.proposal.evidence import YES, Evidence
from churnkit.sources.proposal.names import tokens


def _words(told: str) -> frozenset[str]:
    return frozenset(told.split("|"))


_LOADS = _words(
    "load|loaded|import|imported|export|exported|extract|extracted|ingest|ingested|"
    "ingestion|sync|synced|etl|dwh|inserted"
)
_OF_LOADS = _words(
    "at|on|date|time|ts|datetime|timestamp|id|by|job|batch|run|file|name|utc|no|nr|number|"
    "key|from|source|sheet|path"
)
_ROWS = {
    ("row",), ("row", "id"), ("row", "no"), ("row", "number"), ("row", "num"), ("rownum",),
    ("rownumber",), ("rowid",), ("index",), ("idx",), ("unnamed", "0"), ("level", "0"),
    ("column0",), ("zeile",), ("zeilennummer",), ("index", "level", "0"), ("ردیف",),
}  # fmt: skip
_SYNCERS = ("_airbyte", "_fivetran", "_sdc", "_dlt", "_dbt", "_etl", "_hoodie", "__index_level_")
_FILE_WORDS = _words("file|filename|filepath|source|origin|path|datei|fichier|archivo")
_SHEETS = _words("sheet|worksheet|tabellenblatt")
_MARKS = _words(
    "test|deleted|void|voided|banked|cancelled|canceled|cancellation|cancel|fraud|"
    "fraudulent|spam|bot|internal|dummy|draft|invalid|staff|employee|storno|storniert|"
    "geloscht|annule|anulado|annullato|iptal|deneme|حذف|لغو|تست|ابطال|آزمایشی"
)
_STATUS = _words("status|state|zustand|statut|estado|stato|durum|وضعیت|حاله")
_NOT_SOLD = (
    "cancel", "refund", "void", "fail", "declin", "pending", "draft", "trash", "expired", "unpaid",
    "storn", "annul", "anul", "iptal", "reject", "return", "لغو", "مرجوع", "ناموفق", "ملغ", "fraud",
)  # fmt: skip
_RARE = 0.35


def provenance(log: str, cells: Collection[Evidence]) -> tuple[str, ...]:
    """Columns that say where a row came from: sheet, file, load, number of the row."""
    return tuple(c.name for c in cells if _says_where_from(log, c))


def _says_where_from(log: str, cells: Evidence) -> bool:
    parts = tokens(cells.name)
    if cells.name.lower().startswith(_SYNCERS):
        return True
    if _SHEETS & set(parts):
        return not cells.is_number or cells.distinct <= 50
    if _FILE_WORDS & set(parts):
        return cells.files > 0.5 and log != "activity"
    if _LOADS & set(parts):
        return set(parts) <= _LOADS | _OF_LOADS
    if "batch" in parts:
        return set(parts) <= {"batch"} | _OF_LOADS
    return parts in _ROWS and _numbers_all_rows(cells)


def _numbers_all_rows(cells: Evidence) -> bool:
    """Whether the numbers run through the file, and not through each order anew."""
    return cells.is_whole and cells.repeats <= 5 and cells.low >= 0


@dataclass(frozen=True)
class Mark:
    """Rows that may be meant to be left out.

    Attributes
    ----------
    column, values
        Source column and the values that mark such rows.
    share
        Share of the filled cells that hold one of them.
    """

    column: str
    values: tuple[str, ...]
    share: float


def marks(cells: Mapping[str, Evidence]) -> tuple[Mark, ...]:
    """Columns that mark a small part of the rows as tests, deleted, cancelled or unpaid."""
    return tuple(mark for c in cells.values() for mark in _marks(c))


def _marks(cells: Evidence) -> Iterator[Mark]:
    parts = set(tokens(cells.name))
    if parts & _MARKS and cells.distinct <= 2:
        found = [(text, n) for text, n in cells.top if text.lower() in {*YES, "1"}]
    elif parts & _STATUS and cells.distinct <= 50:
        found = [(text, n) for text, n in cells.top if _is_no_sale(text)]
    else:
        return
    share = sum(n for _, n in found) / max(cells.count, 1)
    if 0 < share <= _RARE:
        yield Mark(cells.name, tuple(text for text, _ in found), share)


def _is_no_sale(text: str) -> bool:
    return any(part.startswith(_NOT_SOLD) for part in tokens(text))
