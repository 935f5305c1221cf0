"""Rows of people who were forgotten: found by salted hashes of the ids of a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churnkit.logs.naming import forget_key, know_key, pseudonym_sql
from churnkit.logs.schema import Contract
from churnkit.logs.sql import listed, literal

if TYPE_CHECKING:
    import duckdb


def find_forgotten(con: duckdb.DuckDBPyConnection, log: str, ids: str, contract: Contract) -> str:
    """SQL that says whether a row with a ``customer_id`` is of somebody who was forgotten.

    It looks into the table ``<log>_forgotten``, since no id is to stand in the text of a statement,
    which may come to stand in the message of a fault. Each id is hashed once, however many rows it
    has.

    Parameters
    ----------
    con
        The connection that judges the log.
    log
        Name of the log.
    ids
        SQL of the ``customer_id`` of its rows, as they are read.
    contract
        Who is left out, and what customers are called.

    Returns
    -------
    str
        Empty if nobody is left out.
    """
    suppression = contract.suppression
    if suppression is None or not suppression.hashes:
        return ""
    name = "customer_id"
    if contract.pseudonyms is not None:
        know_key(con, contract.pseudonyms)
        name = f"({pseudonym_sql('customer_id')})"
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {log}_forgotten AS SELECT customer_id "
        f"FROM (SELECT DISTINCT customer_id FROM ({ids}) WHERE customer_id IS NOT NULL) "
        f"WHERE sha256({literal(suppression.salt)} || {name}) IN ({listed(suppression.hashes)})"
    )
    forget_key(con)
    return f"customer_id IN (SELECT customer_id FROM {log}_forgotten)"
