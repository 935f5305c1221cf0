"""What the logs of one run were, so that the next run can tell what is different in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from churnkit.clock import AFTER_ALL, Cutoff, start_of_day
from churnkit.logs import CustomerLogs, LogCheck
from churnkit.logs.digest import digests

WORDS = {"activity": "kind", "surveys": "instrument"}
"""Log → its text measure: what events and survey questions are called."""


def inputs_told(
    logs: CustomerLogs, as_of: Cutoff | None = None, *, with_digests: bool = True
) -> dict[str, Any]:
    """The logs as they were read for one run.

    Scoring keeps it in the manifest of the run; `churnkit.monitor` compares it with that of the
    runs before, for what the logs alone do not show: columns, and rows that were set aside.

    Parameters
    ----------
    logs
        Checked logs.
    as_of
        The cutoff of the run; names of events are counted before it. By default all are counted.
    with_digests
        Whether the content is hashed, which reads all events once.

    Returns
    -------
    dict
        ``as_of`` (``None`` without one), and ``logs``: log name → ``source``, ``read``, ``kept``,
        ``faulty``, ``rejected`` (reason → rows), ``customers``, ``first`` and ``last`` (ISO days in
        the business zone, ``None`` for the customers), ``columns`` (column of the source → type),
        ``words`` (name of an event or a question → events; empty for logs without names) and
        ``sha256`` (``None`` without digests). JSON-ready.

    Examples
    --------
    >>> import pandas as pd
    >>> from churnkit.sources import read_logs
    >>> frame = pd.DataFrame({"customer_id": ["a", "a"], "ts": ["2024-01-01", "2024-02-01"]})
    >>> told = inputs_told(read_logs(frame))["logs"]["purchases"]
    >>> told["read"], told["first"], told["last"]
    (2, '2024-01-01', '2024-02-01')
    """
    sha256 = digests(logs) if with_digests else {}
    until = as_of or AFTER_ALL
    return {
        "as_of": None if as_of is None else str(as_of),
        "logs": {
            check.log: {**_told(check, logs.zone), "words": _words(logs, check.log, until),
                        "sha256": sha256.get(check.log)}
            for check in logs.checks
        },
    }  # fmt: skip


def _told(check: LogCheck, zone: str) -> dict[str, Any]:
    return {
        "source": check.source,
        "read": check.read,
        "kept": check.kept,
        "faulty": check.faulty,
        "rejected": dict(check.rejected),
        "customers": check.customers,
        "first": _day(check.first, zone),
        "last": _day(check.last, zone),
        "columns": dict(check.columns),
    }


def _day(us: int | None, zone: str) -> str | None:
    return None if us is None else str(start_of_day(us, zone))


def _words(logs: CustomerLogs, log: str, until: Cutoff) -> Mapping[str, int]:
    measure = WORDS.get(log)
    if measure is None or log not in logs.measures:
        return {}
    return logs.words(log, measure, until)
