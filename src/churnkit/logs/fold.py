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

import re
from collections.abc import Mapping

from churnkit.logs.schema import EVENT_KINDS
from churnkit.logs.sql import literal

# A row without an order number stands alone.
_ORDER = (
    "order_id, CASE WHEN order_id IS NULL THEN row END, CASE WHEN order_id IS NULL THEN file END"
)
_THINGS = {"product_id": "product", "category": "category", "channel": "channel"}


def events_sql(
    log: str, columns: tuple[str, ...], kinds: Mapping[str, str], one_in: int = 1
) -> str:
    """SQL of the events of a judged log: ``customer_id``, ``ts``, then the measures of the log.

    Text measures (``kind``, ``instrument``) are folded to lower case; numbers are integers in
    the units of `churnkit.logs.schema`; ``ref`` is a number from 0 to 2⁶³ - 1 that stands for a
    text, NULL for a blank one; ``valued`` says whether an event came with a ``value``. With
    ``one_in`` above 1 only about one in so many customers is read, the same ones of every log.
    """
    only = _where(_chosen(one_in))
    if log == "purchases":
        return _occasions(columns, only)
    if log == "surveys":
        measures = "lower(instrument) AS instrument, score"
    else:
        ref = f", {_hashed('ref')} AS ref" if "ref" in columns else ""
        value = ", value, CAST(value IS NOT NULL AS BIGINT) AS valued" if "value" in columns else ""
        measures = f"{_kind(kinds)} AS kind{value}{ref}"
    return f"SELECT customer_id, ts, {measures} FROM {log}_kept{only}"


def lines_sql(columns: tuple[str, ...], one_in: int = 1) -> str | None:
    """SQL of what was bought: one row for each customer, instant and distinct thing.

    The columns are ``customer_id``, ``ts``, then ``product``, ``category`` and ``channel``, as far
    as they are mapped: numbers from 0 to 2⁶³ - 1 that stand for texts, NULL for blank ones. Rows
    that bring something back are left out, whatever the rest of their order is.

    Parameters
    ----------
    columns
        Contract columns of the judged purchases.
    one_in
        As in `events_sql`.

    Returns
    -------
    str or None
        ``None`` if no column says what was bought.
    """
    things = [f"{_hashed(c)} AS {name}" for c, name in _THINGS.items() if c in columns]
    if not things:
        return None
    bought = ["(amount < 0) IS NOT TRUE"] if "amount" in columns else []
    return (
        f"SELECT DISTINCT customer_id, ts, {', '.join(things)} "
        f"FROM purchases_kept{_where(_chosen(one_in) + bought)}"
    )


def _chosen(one_in: int) -> list[str]:
    return [f"hash(customer_id) % {one_in} = 0"] if one_in > 1 else []


def _where(conditions: list[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _hashed(column: str) -> str:
    """SQL of a BIGINT that stands for a text; the lowest bit of the hash makes room for a sign."""
    return f"CASE WHEN {column} IS NOT NULL THEN CAST(hash({column}) >> 1 AS BIGINT) END"


def _occasions(columns: tuple[str, ...], only: str) -> str:
    """SQL of the sales and returns of each customer and instant."""
    is_return = "CAST(amount < 0 AS BIGINT)" if "amount" in columns else "0"
    if "order_id" not in columns:  # every row is an order, so that one pass will do
        return f"""
            SELECT customer_id, ts, {is_return} AS is_return{_sums(columns, "count(product_id)")}
            FROM purchases_kept{only} GROUP BY customer_id, ts, is_return"""
    # A third faster than lists of texts; COUNT(DISTINCT …) keeps a table for every order.
    products = f"list_unique(list({_hashed('product_id')}))"
    per_occasion = "".join(
        f", CAST(SUM({name}) AS BIGINT) AS {name}" for name in _measures(columns, products)
    )
    return f"""
        WITH orders AS (SELECT customer_id, ts{_sums(columns, products)}
                        FROM purchases_kept{only} GROUP BY customer_id, ts, {_ORDER})
        SELECT customer_id, ts, {is_return} AS is_return{per_occasion}
        FROM orders GROUP BY customer_id, ts, is_return"""


def _sums(columns: tuple[str, ...], products: str) -> str:
    return "".join(
        f", CAST({sql} AS BIGINT) AS {name}" for name, sql in _measures(columns, products).items()
    )


def _measures(columns: tuple[str, ...], products: str) -> dict[str, str]:
    """Measure → its SQL over the rows of a group, as far as the columns are mapped."""
    sums = {
        "amount": ("amount", "SUM(amount)"),
        "items": ("quantity", "SUM(quantity)"),
        "products": ("product_id", products),
        "discount": ("discount", "SUM(discount)"),
    }
    return {name: sql for name, (column, sql) in sums.items() if column in columns}


def kind_named(event: str, kinds: Mapping[str, str] | None = None) -> str:
    """The kind of an event as the activity log has it: declared, else known, else its own name.

    >>> kind_named("Un-subscribed!"), kind_named("Kündigung", {"kündigung": "cancellation"})
    ('un_subscribed', 'cancellation')
    """
    name = event.strip().lower()
    declared = {told.strip().lower(): kind for told, kind in (kinds or {}).items()}
    if name in declared:
        return declared[name].strip().lower()
    return re.sub(r"[\W_]+", "_", name).strip("_") or name


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
