"""`LogCheck`: what became of every row of a log, and whether too many were set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from churnkit.errors import DataError
from churnkit.logs.check import DUPLICATE, NO_FAULTS, columns_of
from churnkit.logs.naming import AS_READ, name_customers
from churnkit.logs.schema import SCHEMAS
from churnkit.logs.tally import Tally, tally
from churnkit.pseudonyms import Pseudonyms

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class LogCheck:
    """What became of the rows of one log.

    Attributes
    ----------
    log, source
        Name of the log and of the file, table or frame it was read from.
    read, kept, folded
        Rows read, rows that keep the contract, and what is left when lines of one order and
        rows of one instant are folded; the last is ``None`` if only some of them were.
    rejected
        Reason code → rows set aside for it, the most frequent first; ``duplicate`` counts exact
        repetitions (of customers all but the first row of each), ``excluded`` what was set aside
        on purpose.
    customers
        Distinct customers among the kept rows.
    first, last
        Time of the first and last kept row, microseconds UTC; ``None`` for an empty log.
    columns
        Column of the source → its type as the engine reads it, mapped or not; empty if the log was
        read in another way.
    """

    log: str
    source: str
    read: int
    kept: int
    folded: int | None
    rejected: Mapping[str, int]
    customers: int
    first: int | None
    last: int | None
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def faulty(self) -> int:
        """Rows set aside for a fault; repetitions and rows excluded on purpose are none."""
        return sum(n for code, n in self.rejected.items() if code not in NO_FAULTS)


def account(
    con: duckdb.DuckDBPyConnection, log: str, source: str, pseudonyms: Pseudonyms | None = None
) -> LogCheck:
    """Count the rows of a judged log by what became of them, and find the exact repetitions.

    Afterwards the view ``<log>_kept`` holds the rows that are kept, and the table
    ``<log>_repeats`` the ``file`` and ``row`` of the repetitions. ``folded`` is not known yet.
    With pseudonyms the kept rows have them for ``customer_id``, and `AS_READ` beside it.
    """
    told = tally(con, log)
    _set_repeats_aside(con, log, told)
    _keep(con, log, has_suspects=len(told.suspects) > 0, pseudonyms=pseudonyms)
    (repeats,) = con.sql(f"SELECT count(*) FROM {log}_repeats").fetchall()[0]
    names = con.sql(f"SELECT code, reason FROM {log}_reasons ORDER BY code").fetchall()
    rejected = Counter({DUPLICATE: repeats})
    for code, reason in names:
        rejected[reason] += int(told.rows[code])
    kept = int(told.rows[0]) - repeats
    first, last = (told.first, told.last) if "ts" in columns_of(con, log) else (None, None)
    return LogCheck(
        log, source, int(told.rows.sum()), kept, None,
        {reason: n for reason, n in sorted(rejected.items(), key=_most_first) if n},
        told.customers, first, last,
    )  # fmt: skip


def _most_first(counted: tuple[str, int]) -> tuple[int, str]:
    reason, count = counted
    return -count, reason


def _set_repeats_aside(con: duckdb.DuckDBPyConnection, log: str, told: Tally) -> None:
    """Compare the suspects in full; of equal rows the first is kept."""
    import pyarrow as pa

    same = ", ".join(SCHEMAS[log].key or (*columns_of(con, log), "rest"))
    con.register(f"{log}_suspects", pa.table({"h": told.suspects}))
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE {log}_repeats AS
        SELECT file, row FROM {log}_judged
        WHERE {len(told.suspects)} > 0 AND code = 0
              AND hash({", ".join(told.same)}) IN (SELECT h FROM {log}_suspects)
        QUALIFY row_number() OVER (PARTITION BY {same} ORDER BY file, row) > 1""")


def _keep(
    con: duckdb.DuckDBPyConnection,
    log: str,
    *,
    has_suspects: bool,
    pseudonyms: Pseudonyms | None,
) -> None:
    """Create the view of the rows that are kept, in which customers have the names they keep."""
    rows = f"{log}_judged" + (f" ANTI JOIN {log}_repeats USING (file, row)" * has_suspects)
    columns = "*"
    if pseudonyms is not None:
        name_customers(con, log, pseudonyms)
        rows += f" JOIN {log}_names ON {log}_judged.customer_id = {log}_names.{AS_READ}"
        columns = f"{log}_judged.* REPLACE (pseudonym AS customer_id), {AS_READ}"
    con.execute(
        f"CREATE OR REPLACE TEMP VIEW {log}_kept AS SELECT {columns} FROM {rows} WHERE code = 0"
    )


def stop_if_too_many(check: LogCheck, limit: float) -> None:
    """Refuse a log of which more than the declared share of rows breaks the contract.

    Raises
    ------
    DataError
        With the counts by reason, or if nothing at all is left.
    """
    counts = ", ".join(f"{n:,} {code}" for code, n in check.rejected.items())
    if check.read == 0:
        raise DataError(f"{check.source}: the {check.log} log is empty", "Check the path.")
    if check.kept == 0:
        raise DataError(
            f"{check.source}: none of {check.read:,} rows keeps the contract ({counts})",
            "Check the column mapping in churnkit.toml against the file.",
        )
    if check.faulty > limit * check.read:
        raise DataError(
            f"{check.source}: {check.faulty / check.read:.1%} of {check.read:,} rows are set "
            f"aside ({counts}), more than the allowed {limit:.1%}",
            "Mend the rows (churnkit check lists them), or raise max_rejected_share in "
            "[quality] of churnkit.toml if they are expected.",
        )
