"""Whether a column of prices is the money of a row or the price of one piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from churnkit.logs.reading import number
from churnkit.logs.sql import quoted
from churnkit.sources.proposal.evidence import Evidence, Looked
from churnkit.sources.proposal.matching import Match

if TYPE_CHECKING:
    import duckdb

_MOST = 0.95
_CLEARLY = 0.1
_LEAST = 20


@dataclass(frozen=True)
class Money:
    """What was made of the columns of money.

    Attributes
    ----------
    matches
        The matches with ``amount`` or ``unit_price``, or neither; with both if one explains the
        other.
    banned
        A column that was taken for the amount and cannot be; ``None`` if all is well.
    undecided
        Sentences about what the rows do not show.
    """

    matches: dict[str, Match]
    banned: str | None = None
    undecided: tuple[str, ...] = ()


def settled(
    con: duckdb.DuckDBPyConnection,
    looked: Looked,
    cells: Mapping[str, Evidence],
    matches: Mapping[str, Match],
) -> Money:
    """Keep the amount of the rows if there is one, else the price of one piece and the quantity."""
    rows = _Rows(con, looked, cells, matches)
    if "amount" in matches:
        return _with_amount(rows)
    if "unit_price" not in matches:
        return Money(dict(matches))
    if "quantity" not in matches:
        price = replace(matches["unit_price"], says="no quantity stands beside it")
        return Money(_without(matches, "unit_price") | {"amount": price})
    return _with_price(rows)


def _without(matches: Mapping[str, Match], *columns: str) -> dict[str, Match]:
    return {column: match for column, match in matches.items() if column not in columns}


def _with_amount(rows: _Rows) -> Money:
    amount, others = rows.matches["amount"], _without(rows.matches, "unit_price")
    if rows.of_order():
        says = (
            f"{amount.column!r} is the same on all lines of an order: if it is the total of the "
            "order, it is counted once for every line"
        )
        priced = {"unit_price", "quantity"} <= rows.matches.keys()
        return Money(others | {"amount": amount}, amount.column, () if priced else (says,))
    if rows.is_product():
        price, count = rows.matches["unit_price"], rows.matches["quantity"].column
        amount = replace(amount, says=f"it is {price.column!r} times {count!r}")
        price = replace(price, says=f"{amount.column!r} is it times {count!r}; only looked at")
        return Money({**rows.matches, "amount": amount, "unit_price": price})
    return Money(others | {"amount": amount})


def _with_price(rows: _Rows) -> Money:
    price, quantity = rows.matches["unit_price"], rows.matches["quantity"]
    of_piece, of_row, why = rows.constant()
    if of_row > of_piece + _CLEARLY:
        total = replace(price, says="it grows with the quantity of the same product")
        return Money(_without(rows.matches, "unit_price") | {"amount": total})
    if why or price.name >= 1:
        told = replace(
            price, says=why or f"no column is the money of the row; times {quantity.column!r}"
        )
        return Money({**rows.matches, "unit_price": told})
    doubt = (
        f"is {price.column!r} the money of the whole row, or the price of one piece (as written "
        "here)? For the whole row write amount instead of unit_price"
    )
    return Money(dict(rows.matches), undecided=(doubt,))


@dataclass(frozen=True)
class _Rows:
    """The first rows as numbers."""

    con: duckdb.DuckDBPyConnection
    looked: Looked
    cells: Mapping[str, Evidence]
    matches: Mapping[str, Match]

    def number(self, column: str) -> str:
        cells = self.cells[self.matches[column].column]
        return number(quoted(cells.name), cells.type, cells.decimal)

    def name(self, column: str) -> str:
        return quoted(self.matches[column].column)

    def is_product(self) -> bool:
        """Whether the amount is the price of one piece times the quantity."""
        if not {"unit_price", "quantity"} <= self.matches.keys():
            return False
        amount, price, count = map(self.number, ("amount", "unit_price", "quantity"))
        agree = f"abs({amount} - {price} * {count}) <= 0.011 + 0.001 * abs({amount})"
        ((share, rows),) = self.con.sql(
            f"SELECT avg(({agree})::INT), count(*) FROM {self.looked.first} WHERE {count} <> 1"
        ).fetchall()
        return rows > 0 and (share or 0) > _MOST

    def of_order(self) -> bool:
        """Whether the amount is one of the order: repeated on its lines, or on the first only."""
        if "order_id" not in self.matches:
            return False
        lines = self.cells[self.matches["order_id"].column]
        if "product_id" not in self.matches and lines.repeats < 1.2:
            return False
        amount, order = self.number("amount"), self.name("order_id")
        ((orders, same, once),) = self.con.sql(
            f"SELECT count(*), avg((kinds = 1 AND filled = lines)::INT), avg((filled = 1)::INT) "
            f"FROM (SELECT count(*) AS lines, count({amount}) AS filled, "
            f"count(DISTINCT {amount}) AS kinds FROM {self.looked.first} "
            f"WHERE {order} IS NOT NULL GROUP BY {order} HAVING count(*) > 1)"
        ).fetchall()
        return orders >= 3 and max(same, once) > _MOST and not self.is_product()

    def constant(self) -> tuple[float, float, str]:
        """Shares of rows whose price is the usual one of their product, alone and by quantity."""
        price, count = self.number("unit_price"), self.number("quantity")
        ((returns, positive),) = self.con.sql(
            f"SELECT count(*), avg(({price} >= 0)::INT) FROM {self.looked.first} WHERE {count} < 0"
        ).fetchall()
        if returns >= _LEAST and positive > _MOST:
            return 1.0, 0.0, "it stays above zero where the quantity is below zero"
        if "product_id" not in self.matches:
            return 0.0, 0.0, ""
        product = self.name("product_id")
        ((piece, row, seen),) = self.con.sql(
            "SELECT avg((abs(price - usual) < 0.005)::INT), "
            "avg((abs(price / many - ratio) < 0.005)::INT), count(*) FROM ("
            f"SELECT {price} AS price, {count} AS many, "
            f"mode(round({price}, 2)) OVER (PARTITION BY {product}) AS usual, "
            f"mode(round({price} / {count}, 2)) OVER (PARTITION BY {product}) AS ratio, "
            f"min({count}) OVER (PARTITION BY {product}) AS least, "
            f"max({count}) OVER (PARTITION BY {product}) AS most "
            f"FROM {self.looked.first} WHERE {count} > 0 AND {price} > 0) WHERE most > least"
        ).fetchall()
        if not seen or seen < _LEAST or piece < row + _CLEARLY:
            return piece or 0.0, row or 0.0, ""
        return piece, row, "products cost the same whatever the quantity"
