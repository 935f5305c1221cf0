"""Product codes that are unlike the others: postage, fees, corrections, gift vouchers."""

from __future__ import annotations

import json
from collections.abc import Iterator

from churnkit.logs.profile.counts import Counts
from churnkit.logs.profile.finding import Finding, some
from churnkit.logs.schema import LogMapping

_NEARLY_ALL = 0.95
_SHOWN, _NAMED = 8, 20
_LONGEST = 30
_SHAPES = {
    "begin with a digit": r"regexp_matches(product_id, '^\d')",
    "hold a digit": r"regexp_matches(product_id, '\d')",
}


def product_findings(counts: Counts, mapping: LogMapping) -> Iterator[Finding]:
    """The codes that look like no product, with their rows and money, the most frequent first."""
    if not counts.has("product_id"):
        return
    products = f"(SELECT * FROM {counts.of('product')} WHERE product_id IS NOT NULL)"
    for says, shape in _SHAPES.items():
        (alike, rows) = counts.one(
            f"SELECT COALESCE(sum(rows) FILTER ({shape}), 0)::BIGINT, "
            f"COALESCE(sum(rows), 0)::BIGINT FROM {products}"
        )
        if alike == rows:
            return
        if alike > _NEARLY_ALL * rows:
            odd = counts.all(
                f"SELECT product_id, rows, money FROM {products} WHERE NOT {shape} "
                "ORDER BY rows DESC, product_id"
            )
            yield _unlike(odd, says, mapping, counts.has("amount"))
            return


def _unlike(
    odd: list[tuple[str, int, float]], says: str, mapping: LogMapping, with_money: bool
) -> Finding:
    shown = ", ".join(
        f"{code[:_LONGEST]} ({some(n, 'row')}{f', {money:,.0f}' if with_money else ''})"
        for code, n, money in odd[:_SHOWN]
    )
    more = f" and {some(len(odd) - _SHOWN, 'other')}" if len(odd) > _SHOWN else ""
    rows = sum(n for _, n, _ in odd)
    column = json.dumps(mapping.columns.get("product_id", "product_id"), ensure_ascii=False)
    codes = json.dumps([code for code, _, _ in odd[:_NAMED]], ensure_ascii=False)
    return Finding(
        "codes_unlike_products", "note",
        f"{some(len(odd), 'product code')} do not {says}, as nearly all others do: {shown}{more}; "
        f"{some(rows, 'row')} in all",
        f"If they are postage, fees or corrections, write exclude = {{ {column} = {codes} }} "
        "in [logs.purchases].",
    )  # fmt: skip
