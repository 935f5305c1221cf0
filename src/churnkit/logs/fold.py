"""From kept rows to events: one row for each thing that happened to a customer at an instant.

Purchases
    Lines of one order at one instant are one order; orders of one customer at one instant are
    one occasion, sales and returns apart. Lines of an order at *different* instants are never
    joined: the sum would show at the first instant what came later.
Activity
    One row an event, under its kind.
Surveys
    One row an answer.
"""

from __future__ import annotations

from collections.abc import Mapping

from churnkit.logs.schema import EVENT_KINDS
from churnkit.logs.sql import literal


def events_sql(
    log: str, columns: tuple[str, ...], kinds: Mapping[str, str], one_in: int = 1
) -> str:
    """SQL of the events of a judged log: ``customer_id``, ``ts``, then the measures of the log.

    Text measures (``kind``, ``instrument``) are folded to lower case; numbers are integers in
    the units of `churnkit.logs.schema`. With ``one_in`` above 1 only about one in so many
    customers is read, the same ones of every log.
    """
    only = f" WHERE hash(customer_id) % {one_in} = 0" if one_in > 1 else ""
    if log == "purchases":
        return _occasions(columns, only)
    measures = (
        f"{_kind(kinds)} AS kind" if log == "activity" else "lower(instrument) AS instrument, score"
    )
    return f"SELECT customer_id, ts, {measures} FROM {log}_kept{only}"


def _occasions(columns: tuple[str, ...], only: str) -> str:
    sums = {
        "amount": ("amount", "SUM(amount)"),
        "items": ("quantity", "SUM(quantity)"),
        # Twice as fast as COUNT(DISTINCT …), which keeps a table for every order.
        "products": ("product_id", "len(list_distinct(list(product_id)))"),
    }
    present = {name: sql for name, (column, sql) in sums.items() if column in columns}
    per_order = "".join(f", {sql} AS {name}" for name, sql in present.items())
    per_occasion = "".join(f", CAST(SUM({name}) AS BIGINT) AS {name}" for name in present)
    order = "file, row"
    if "order_id" in columns:  # a row without one stands alone
        order = "order_id, CASE WHEN order_id IS NULL THEN (file, row) END"
    is_return = "CAST(amount < 0 AS BIGINT)" if "amount" in present else "0"
    return f"""
        WITH orders AS (SELECT customer_id, ts{per_order} FROM purchases_kept{only}
                        GROUP BY customer_id, ts, {order})
        SELECT customer_id, ts, {is_return} AS is_return{per_occasion}
        FROM orders GROUP BY customer_id, ts, is_return"""


def _kind(kinds: Mapping[str, str]) -> str:
    """SQL that names the kind of an event: declared, else known, else its own name as a slug."""
    declared = {event.strip().lower(): kind.strip().lower() for event, kind in kinds.items()}
    known = {kind: kind for kind in EVENT_KINDS} | declared
    branches = " ".join(
        f"WHEN lower(event) = {literal(event)} THEN {literal(kind)}"
        for event, kind in known.items()
    )
    slug = r"trim(regexp_replace(lower(event), '[^\p{L}\p{N}]+', '_', 'g'), '_')"
    return f"CASE {branches} ELSE COALESCE(NULLIF({slug}, ''), lower(event)) END"
