"""Are the ids of customers healthy? One customer under two ids looks like two who left."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from churnkit.logs.naming import AS_READ
from churnkit.logs.profile.counts import Counts
from churnkit.logs.profile.finding import Finding, agree, masked, outline, share, some
from churnkit.logs.reading import folded, trimmed
from churnkit.logs.schema import LogMapping
from churnkit.logs.sql import listed

_LONG = 64
_FEW = 0.1
_GUEST_SHARE, _GUEST_CUSTOMERS, _GUEST_RATIO = 0.05, 100, 10
_NOBODY = (
    "0", "-1", "n/a", "na", "nan", "none", "null", "nil", "unknown", "guest", "anonymous",
    "anon", "undefined", "test", "dummy", "gast", "invité", "invitado", "مهمان", "ناشناس", "زائر",
)  # fmt: skip


def id_findings(
    counts: Counts, mapping: LogMapping, *, has_pseudonyms: bool = False
) -> Iterator[Finding]:
    """Ids that are one customer written in two ways, or many customers written in one.

    With pseudonyms the ids behind them are looked at, and nothing of one is shown but its outline.
    """
    shown = outline if has_pseudonyms else masked
    ids = f"(SELECT customer_id AS id, rows, edged FROM {counts.of('customer')})"
    if has_pseudonyms:
        named = f"JOIN {counts.log}_names ON customer_id = pseudonym"
        ids = f"(SELECT {AS_READ} AS id, rows, edged FROM {counts.of('customer')} {named})"
    yield from _decimals(counts, ids)
    yield from _leading_zeros(counts, ids)
    yield from _cases(counts, ids)
    yield from _variants(counts, ids, mapping)
    yield from _mixed(counts, ids, shown)
    yield from _long(counts, ids)
    yield from _nobody(counts, ids, mapping)
    yield from _guest(counts, ids, shown)
    yield from _blanks(counts, ids)


def _joined(counts: Counts, ids: str, written: str, only: str = "true") -> int:
    """How many ids would fall together with another if all were written that way."""
    (ids_, ways) = counts.one(f"SELECT count(*), count(DISTINCT {written}) FROM {ids} WHERE {only}")
    return int(ids_ - ways)


def _decimals(counts: Counts, ids: str) -> Iterator[Finding]:
    shape = r"regexp_matches(id, '^\d+\.0+$')"
    (count,) = counts.one(f"SELECT count(*) FROM {ids} WHERE {shape}")
    if count:
        twins = _joined(counts, ids, r"regexp_replace(id, '\.0+$', '')")
        yield Finding(
            "ids_decimal", "warn",
            f"{some(count, 'customer id')} {agree(count, 'ends', 'end')} in .0, as whole numbers "
            f"do that went through a spreadsheet or a frame; {_twins(twins, 'without it')}",
            "Write the ids as text or whole numbers at the source.",
        )  # fmt: skip


def _leading_zeros(counts: Counts, ids: str) -> Iterator[Finding]:
    twins = _joined(counts, ids, "ltrim(id, '0')", r"regexp_matches(id, '^\d+$')")
    if twins:
        yield Finding(
            "ids_leading_zeros", "warn",
            f"{_twins(twins, 'but for leading zeros')}, as 00123 and 123",
            "Write the ids as text of one length at the source; numbers lose their zeros.",
        )  # fmt: skip


def _cases(counts: Counts, ids: str) -> Iterator[Finding]:
    twins = _joined(counts, ids, "lower(id)")
    if twins:
        yield Finding(
            "ids_case", "warn",
            f"{_twins(twins, 'in other capitals')}, as Anna@shop and anna@shop",
            "If capitals mean nothing in them, write the ids in lower case at the source.",
        )  # fmt: skip


def _variants(counts: Counts, ids: str, mapping: LogMapping) -> Iterator[Finding]:
    beyond_ascii = "strlen(id) > length(id)"
    (count,) = counts.one(f"SELECT count(*) FROM {ids} WHERE {beyond_ascii}")
    if not count or mapping.fold_ids:
        return
    one_way = trimmed(f"({folded('id')})")
    (odd,) = counts.one(f"SELECT count(*) FROM {ids} WHERE {beyond_ascii} AND {one_way} <> id")
    if odd:
        twins = _joined(counts, ids, one_way)
        yield Finding(
            "ids_variants", "warn" if twins else "note",
            f"{some(odd, 'customer id')} {agree(odd, 'holds', 'hold')} Persian or Arabic digits, "
            f"letter variants or invisible characters; {_twins(twins, 'written the plain way')}",
            "Set fold_ids = true for this log, and for every other log of these customers.",
        )  # fmt: skip


def _mixed(counts: Counts, ids: str, shown: Callable[[str], str]) -> Iterator[Finding]:
    (count, other, example) = counts.one(
        r"SELECT count(*), count_if(NOT regexp_matches(id, '^\d+(\.0+)?$')), "
        r"min(id) FILTER (NOT regexp_matches(id, '^\d+(\.0+)?$')) "
        f"FROM {ids}"
    )
    if 0 < other < _FEW * count:
        yield Finding(
            "ids_mixed", "note",
            f"{some(other, 'customer id')} of {count:,} {agree(other, 'is', 'are')} no number, "
            f"such as {shown(example)}, while the others are",
            "Are these customers, or accounts of the shop itself?",
        )  # fmt: skip


def _long(counts: Counts, ids: str) -> Iterator[Finding]:
    (count, longest) = counts.one(
        f"SELECT count(*), max(length(id)) FROM {ids} WHERE length(id) > {_LONG}"
    )
    if count:
        yield Finding(
            "ids_long", "note",
            f"{some(count, 'customer id')} {agree(count, 'has', 'have')} more than {_LONG} "
            f"characters, the longest {longest:,}",
            "Is the right column mapped to customer_id?",
        )  # fmt: skip


def _nobody(counts: Counts, ids: str, mapping: LogMapping) -> Iterator[Finding]:
    found = counts.all(
        f"SELECT id, rows FROM {ids} WHERE lower(id) IN ({listed(_NOBODY)}) ORDER BY rows DESC, id"
    )
    if found:
        rows = sum(n for _, n in found)
        shown = ", ".join(repr(word) for word, _ in found[:5])
        column = json.dumps(mapping.columns.get("customer_id", "customer_id"), ensure_ascii=False)
        values = ", ".join(json.dumps(word, ensure_ascii=False) for word, _ in found)
        yield Finding(
            "ids_of_nobody", "warn",
            f"{some(rows, 'row')} {agree(rows, 'belongs', 'belong')} to a customer called "
            f"{shown}, which looks like nobody",
            "So that it is not taken for one customer, leave the id empty at the source, or write "
            f"{column} = [{values}] under [logs.{counts.log}.exclude].",
        )  # fmt: skip


def _guest(counts: Counts, ids: str, shown: Callable[[str], str]) -> Iterator[Finding]:
    if counts.log == "customers":
        return
    (customers, rows, example, usual) = counts.one(
        f"SELECT count(*), max(rows), max_by(id, rows), quantile_cont(rows, 0.99) FROM {ids} "
        f"WHERE NOT lower(id) IN ({listed(_NOBODY)})"
    )
    is_guest = rows is not None and rows > max(_GUEST_SHARE * counts.rows, _GUEST_RATIO * usual)
    if customers >= _GUEST_CUSTOMERS and is_guest:
        yield Finding(
            "ids_guest", "warn",
            f"one customer, {shown(example)}, has {share(rows, counts.rows)} of all rows "
            f"({rows:,}): is it a guest or collective account?",
            "If so, name it in exclude: it stands for many people.",
        )  # fmt: skip


def _blanks(counts: Counts, ids: str) -> Iterator[Finding]:
    (count, rows) = counts.one(
        f"SELECT count(*), COALESCE(sum(edged), 0)::BIGINT FROM {ids} WHERE edged > 0"
    )
    if count:
        yield Finding(
            "ids_trimmed", "note",
            f"{some(count, 'customer id')} came with blanks around {agree(count, 'it', 'them')} "
            f"in {some(rows, 'row')}; they were trimmed",
        )  # fmt: skip


def _twins(count: int, how: str) -> str:
    if not count:
        return f"none of them is there a second time {how}"
    return f"{some(count, 'id')} {agree(count, 'is', 'are')} there a second time {how}"
