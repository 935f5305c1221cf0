"""What only the runs before can tell: columns of the sources, and rows that were set aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import Any

from churnkit.monitor.alarm import Alarm, Found, listed
from churnkit.monitor.volumes import SURPRISE

Inputs = Mapping[str, Any]
"""What `churnkit.inputs.inputs_told` tells."""

_FAMILIES = {
    "number": ("INT", "DOUBLE", "FLOAT", "DECIMAL", "REAL", "NUMERIC", "HUGEINT"),
    "time": ("TIME", "DATE"),
    "yes or no": ("BOOL",),
}
_REJECTED = 0.01  # of the new rows
_TIMES = 3.0
_LEAST_ROWS = 20


def columns(now: Inputs, before: Sequence[Inputs]) -> Found:
    """Columns that came, went or changed their type, and rows set aside beyond the habit.

    Parameters
    ----------
    now
        The logs as they are read now.
    before
        Those of the runs before, in rising order; the last is the one that is compared with.
    """
    found = Found()
    if not before:
        found.too_little("columns of the sources", "no run before told what its logs were")
        return found
    for log, told in now["logs"].items():
        earlier = [run["logs"][log] for run in before if log in run["logs"]]
        if not earlier:
            found.alarms.append(
                Alarm("new_log", "watch", "inputs", log, f"there was no {log} log before",
                      None, None, "The model does not know it: train anew to use it.")
            )  # fmt: skip
            continue
        found.alarms += _schema(log, earlier[-1]["columns"], told["columns"])
        found.alarms += _set_aside(log, told, earlier)
    gone = [log for log in before[-1]["logs"] if log not in now["logs"]]
    found.alarms += [
        Alarm("lost_log", "watch", "inputs", log, f"the {log} log of the run before is gone",
              None, None, f"Put [logs.{log}] back, or train anew without it.")
        for log in gone
    ]  # fmt: skip
    return found


def _schema(log: str, was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Alarm]:
    if not was or not now:
        return
    odd = {
        "came": [name for name in now if name not in was],
        "are gone": [name for name in was if name not in now],
        "changed their type": [
            f"{name} ({was[name]} to {now[name]})"
            for name in now
            if name in was and _family(was[name]) != _family(now[name])
        ],
    }
    said = [f"{listed(names)} {what}" for what, names in odd.items() if names]
    if said:
        yield Alarm(
            "schema_change", "watch", "inputs", log,
            f"the columns of the {log} log are others than in the run before: {'; '.join(said)}",
            float(sum(map(len, odd.values()))), 0.0,
            f"Look whether [logs.{log}] still maps what is meant; the next run takes them for "
            "granted.",
        )  # fmt: skip


def _family(sql_type: str) -> str:
    told = sql_type.upper()
    for family, marks in _FAMILIES.items():
        if any(mark in told for mark in marks):
            return family
    return "text"


def _set_aside(log: str, now: Inputs, earlier: Sequence[Inputs]) -> Iterator[Alarm]:
    """Compare the share of faulty rows among those that are new, where logs grow; else of all."""
    steps = list(zip(earlier, [*earlier[1:], now], strict=True))
    shares = [_share(a, b) for a, b in steps]
    faulty, rows = shares[-1]
    if rows < _LEAST_ROWS:
        return
    first = earlier[0]["faulty"] / max(earlier[0]["read"], 1)
    habit = max([first, *(f / r for f, r in shares[:-1] if r >= _LEAST_ROWS)])
    share = faulty / rows
    error = sqrt(max(habit * (1 - habit), 1 / rows) / rows)
    limit = max(_REJECTED, _TIMES * habit, habit + SURPRISE * error)
    if share > limit:
        reasons = _grown(earlier[-1]["rejected"], now["rejected"])
        yield Alarm(
            "rejected_share", "watch", "inputs", log,
            f"{share:.1%} of {rows:,} new rows of the {log} log are set aside ({listed(reasons)}), "
            f"where {habit:.1%} is the habit",
            share, limit,
            "churnkit check lists the rows and how to mend them.",
        )  # fmt: skip


def _share(was: Inputs, now: Inputs) -> tuple[int, int]:
    """Faulty rows and rows that are new; of all if the log did not simply grow."""
    rows, faulty = now["read"] - was["read"], now["faulty"] - was["faulty"]
    if rows < 0 or not 0 <= faulty <= rows:
        return now["faulty"], now["read"]
    return faulty, rows


def _grown(was: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    more = {reason: n - was.get(reason, 0) for reason, n in now.items()}
    rising = sorted((reason for reason, n in more.items() if n > 0), key=lambda r: -more[r])
    return [f"{more[reason]:,} {reason}" for reason in rising]
