"""The way back from pseudonyms: a list whose customers can be called by whoever has the key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.config import Settings
from churnkit.errors import ConfigError, DataError
from churnkit.progress import Progress, silent
from churnkit.pseudonyms import is_pseudonym
from churnkit.scoring import ending_of, write_frame
from churnkit.sources import FileSource, connect, engine_faults
from churnkit.sources.naming import ids_behind

if TYPE_CHECKING:
    import pandas as pd

_CUSTOMER, _PSEUDONYM = "customer_id", "pseudonym"


def reveal_project(
    settings: Settings, file: Path, out: Path, progress: Progress = silent
) -> dict[str, Any]:
    """Write a list anew with the ids of the logs in place of pseudonyms, for its owner alone.

    Nothing else is written, and no id is told.

    Parameters
    ----------
    settings
        The project.
    file
        A list with the column ``customer_id``: CSV, Parquet, JSON lines or a workbook.
    out
        A .parquet or .csv file. Its rows are those of the list; ``customer_id`` holds the id, and
        ``pseudonym`` what stood there.
    progress
        Told what is being done.

    Returns
    -------
    dict
        ``out``, ``rows``, ``revealed``, and ``unknown``: rows whose pseudonym is that of no
        customer of the logs, or of one who was forgotten; their id is empty.

    Raises
    ------
    ConfigError
        If customers have no pseudonyms, the key is missing or is not that of the ledger, or the
        list would be written over itself, a log or the settings.
    DataError
        If the list or a log cannot be read, or the list has no such column.
    """
    ending_of(out)
    settings.require_no_input(out)
    if out.resolve() == file.resolve():
        raise ConfigError(f"{out} is the list itself", "Write to another file.")
    names = settings.require_same_key()
    if names is None:
        raise ConfigError(
            "customers are called by their ids: there is nothing to reveal",
            "Pseudonyms are made with pseudonymise = true in [privacy].",
        )
    rows = _read(file)
    found = rows[_CUSTOMER].astype("string")
    contract = settings.contract()
    listed = {text for text in found.dropna().unique() if is_pseudonym(text)}
    left_out = contract.suppression
    wanted = {text for text in listed if left_out is None or not left_out.covers(text)}
    progress("looking for the customers in the logs")
    ids = ids_behind(wanted, settings.sources(), contract, names, settings.engine.memory_limit)
    hidden = found.isin(listed)
    shown = found.mask(hidden, found.map(ids))
    write_frame(rows.assign(**{_CUSTOMER: shown, _PSEUDONYM: found.where(hidden)}), out)
    out.chmod(0o600)
    unknown = int((hidden & shown.isna()).sum())
    revealed = int(hidden.sum()) - unknown
    return {"out": str(out), "rows": len(rows), "revealed": revealed, "unknown": unknown}


def _read(file: Path) -> pd.DataFrame:
    """The rows of a list, in their order."""
    source = FileSource(file)
    with connect(reads=source.files()) as con, engine_faults([source]):
        rows = source.attach(con, "list")
        told = con.sql(f"DESCRIBE FROM {rows.table}").fetchall()
        names = [name for name, *_ in told if name not in rows.hidden]
        if _CUSTOMER not in names:
            raise DataError(
                f"{file} has no column {_CUSTOMER}", f"It has {', '.join(map(repr, names))}."
            )
        frame = con.execute(f"SELECT *, {rows.row} AS row_of_the_list FROM {rows.table}").df()
    return frame.sort_values("row_of_the_list", ignore_index=True)[names]
