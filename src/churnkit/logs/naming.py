"""Customers of judged logs called by pseudonyms: SQL of a keyed hash, and who is called what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.logs.sql import literal
from churnkit.pseudonyms import PREFIX, Pseudonyms

if TYPE_CHECKING:
    import duckdb

_INNER, _OUTER = "churnkit_inner", "churnkit_outer"
_LENGTH = 32

AS_READ = "id_as_read"
"""Column of the kept rows with pseudonyms: the id, as reading made it of the cell."""


def know_key(con: duckdb.DuckDBPyConnection, pseudonyms: Pseudonyms) -> None:
    """Give a connection the key, without which `pseudonym_sql` is NULL; see `forget_key`."""
    # As variables, since the text of a statement may come to stand in the message of a fault.
    for name, pad in zip((_INNER, _OUTER), pseudonyms.pads, strict=True):
        con.execute(f"SET VARIABLE {name} = ?", [pad])


def forget_key(con: duckdb.DuckDBPyConnection) -> None:
    """Take the key from a connection."""
    for name in (_INNER, _OUTER):
        con.execute(f"RESET VARIABLE {name}")


def pseudonym_sql(text: str) -> str:
    """SQL of the pseudonym of a text, equal to `Pseudonyms.of`; NULL for NULL.

    A million of them take about half a second on two cores.
    """
    inner = f"unhex(sha256(getvariable('{_INNER}') || encode({text})))"
    return f"{literal(PREFIX)} || left(sha256(getvariable('{_OUTER}') || {inner}), {_LENGTH})"


def name_customers(con: duckdb.DuckDBPyConnection, log: str, pseudonyms: Pseudonyms) -> None:
    """Create the table ``<log>_names``: each ``id_as_read`` of a judged log, and its ``pseudonym``.

    An id is hashed once, however many rows it has.
    """
    know_key(con, pseudonyms)
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {log}_names AS "
        f"SELECT customer_id AS {AS_READ}, {pseudonym_sql('customer_id')} AS pseudonym "
        f"FROM (SELECT DISTINCT customer_id FROM {log}_judged WHERE customer_id IS NOT NULL)"
    )
    forget_key(con)
