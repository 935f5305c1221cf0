"""`Inspection`: all that can be said about logs before anything is learnt from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.logs.account import LogCheck, stop_if_too_many
from churnkit.logs.collect import judge_all, load
from churnkit.logs.profile import LogProfile, profile
from churnkit.logs.quarantine import write_quarantine
from churnkit.logs.rows import Rows
from churnkit.logs.schema import SCHEMAS, Contract
from churnkit.logs.table import Logs
from churnkit.progress import Progress, Step, silent

if TYPE_CHECKING:
    import duckdb

ROWS_LOADED = 10_000_000
"""Of longer logs only the events of some customers are loaded; every row is still judged."""


@dataclass(frozen=True)
class Inspection:
    """What was found in the logs.

    Attributes
    ----------
    logs
        The events, of one in ``one_in`` customers.
    profiles
        Log name → what it looks like.
    quarantine
        Files that list every row set aside; none if nothing was, or nothing was to be written.
    one_in
        1 if the events of all customers are loaded.
    """

    logs: Logs
    profiles: Mapping[str, LogProfile]
    quarantine: tuple[Path, ...] = ()
    one_in: int = 1


def inspect(
    con: duckdb.DuckDBPyConnection,
    tables: Mapping[str, Rows],
    contract: Contract,
    quarantine: Path | None = None,
    progress: Progress = silent,
) -> Inspection:
    """Judge every row of the tables of a connection, and look at what they add up to.

    However many rows are set aside, they are listed first, and looked at as long as any is left:
    a broken log is what a check is for.

    Raises
    ------
    DataError
        If a column is missing, or nothing of a log is left.
    ConfigError
        If the time zone is unknown, a time format is no pattern, or the quarantine cannot be
        written.
    """
    steps = len(tables) + 2
    progress(Step("checking every row", 0, steps))
    checks = judge_all(con, tables, contract)
    written = [] if quarantine is None else write_quarantine(con, quarantine)
    for check in checks:
        stop_if_too_many(check, limit=1.0)
    # The customers log is compared with the others, so that it comes after them.
    profiles = {}
    for done, log in enumerate((log for log in SCHEMAS if log in tables), 1):
        progress(Step(f"looking what is odd about {log}", done, steps))
        profiles[log] = profile(con, log, contract, tables[log])
    progress(Step("sorting what is kept", steps - 1, steps))
    logs, one_in = _load(con, checks, contract)
    return Inspection(logs, profiles, tuple(written), one_in)


def _load(
    con: duckdb.DuckDBPyConnection, checks: list[LogCheck], contract: Contract
) -> tuple[Logs, int]:
    """The events of one in so many customers, and in how many; of all if that leaves a log none."""
    one_in = max(-(-max(check.kept for check in checks) // ROWS_LOADED), 1)
    logs = load(con, checks, contract, one_in)
    if one_in > 1 and not all(map(len, logs.events.values())):
        return load(con, checks, contract), 1
    return logs, one_in
