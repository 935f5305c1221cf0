"""Ids and pseudonyms: an id that somebody typed read as logs are, and the ids behind pseudonyms."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from churnkit.logs import SCHEMAS, Contract, LogMapping, reading
from churnkit.logs.check import judge
from churnkit.logs.naming import AS_READ, name_customers
from churnkit.pseudonyms import Pseudonyms
from churnkit.sources.engine import connect
from churnkit.sources.faults import engine_faults

if TYPE_CHECKING:
    from churnkit.sources import Source


def id_as_read(text: str, mapping: LogMapping) -> str:
    """An id that stands in no log, as reading would make it of a cell; ``""`` if nothing is left.

    >>> id_as_read(" ۱۲۷۴۸ ", LogMapping(fold_ids=True)), id_as_read(" ۱۲ ", LogMapping())
    ('12748', '۱۲')
    """
    with connect() as con:
        told = con.execute(f"SELECT {reading.customer('$1', 'VARCHAR', mapping)}", [text])
        [(read,)] = told.fetchall()
    return read or ""


def ids_behind(
    wanted: Collection[str],
    sources: Mapping[str, Source],
    contract: Contract,
    pseudonyms: Pseudonyms,
    memory_limit: str | None = None,
) -> dict[str, str]:
    """The ids of the logs behind some pseudonyms.

    Every id of the logs is hashed with the key, since there is no other way back.

    Parameters
    ----------
    wanted
        The pseudonyms.
    sources
        Log name → where its rows come from.
    contract
        How the logs are read.
    pseudonyms
        By which key.
    memory_limit
        Memory of the engine.

    Returns
    -------
    dict
        Pseudonym → id; those of customers who are in no log, or of another key, are missing.

    Raises
    ------
    DataError, ConfigError
        If a log cannot be read, see `churnkit.sources.read_logs`.
    """
    import pyarrow as pa

    files = [file for source in sources.values() for file in source.files()]
    found: dict[str, str] = {}
    bare = replace(contract, pseudonyms=None, suppression=None)
    with connect(memory_limit, reads=files) as con, engine_faults(sources.values()):
        con.register("wanted", pa.table({"pseudonym": pa.array(sorted(wanted), pa.string())}))
        for log in (log for log in SCHEMAS if log in sources):
            judge(con, log, sources[log].attach(con, log), bare)
            name_customers(con, log, pseudonyms)
            named = f"{log}_names JOIN wanted USING (pseudonym)"
            found.update(con.sql(f"SELECT pseudonym, {AS_READ} FROM {named}").fetchall())
    return found
