"""What a log looks like: what was set aside, when things happened, and what to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from churnkit.logs.check import EXCLUDED, NO_FAULTS
from churnkit.logs.profile.answers import Answers, answer_findings, answers
from churnkit.logs.profile.counts import Counts, count_rows
from churnkit.logs.profile.finding import (
    SEVERITIES,
    Finding,
    agree,
    masked,
    share,
    some,
    worst_first,
)
from churnkit.logs.profile.hours import hour_counts, hour_findings, resolution
from churnkit.logs.profile.ids import id_findings
from churnkit.logs.profile.kinds import EventName, event_findings, event_names
from churnkit.logs.profile.money import money_findings
from churnkit.logs.profile.people import people_findings
from churnkit.logs.profile.products import product_findings
from churnkit.logs.profile.volumes import Month, bulk, months, timeline, volume_findings
from churnkit.logs.schema import Contract, LogMapping

if TYPE_CHECKING:
    import duckdb

    from churnkit.logs.rows import Rows

__all__ = [
    "SEVERITIES",
    "Finding",
    "LogProfile",
    "Month",
    "SetAside",
    "masked",
    "profile",
    "worst_first",
]

_EXAMPLES = 3
_MANY_ASIDE, _MANY_REPEATS = 0.05, 0.1
_LONGEST_FOUND = 500
_LINES_AN_ORDER = 1.1


@dataclass(frozen=True)
class SetAside:
    """Rows set aside for one reason.

    Attributes
    ----------
    reason, rows
        Code of the reason and number of rows.
    examples
        The first rows: file, row in it, and the value at fault, masked; ``None`` if it is empty.
    mend
        What to do about such rows.
    """

    reason: str
    rows: int
    examples: tuple[tuple[str, int, str | None], ...]
    mend: str

    def told(self) -> dict[str, Any]:
        """JSON-ready values."""
        examples = [{"file": f, "row": r, "found": v} for f, r, v in self.examples]
        return {"reason": self.reason, "rows": self.rows, "examples": examples, "mend": self.mend}


@dataclass(frozen=True)
class LogProfile:
    """What one log looks like.

    Attributes
    ----------
    log, source
        Name of the log, and of what it was read from.
    rows
        Rows that keep the contract, exact repetitions counted once.
    set_aside
        Reasons with examples, the most frequent first; repetitions are not among them.
    months
        Volume of every month, without strays.
    resolution
        ``"day"`` or ``"second"``; ``None`` for a log without times.
    hours
        Rows by hour of the local day, 24 of them; empty without times or with days only.
    events, answers
        Event names of activity, questions of surveys.
    findings
        What to look at, the most severe first.
    """

    log: str
    source: str
    rows: int
    set_aside: tuple[SetAside, ...] = ()
    months: tuple[Month, ...] = ()
    resolution: str | None = None
    hours: tuple[int, ...] = ()
    events: tuple[EventName, ...] = ()
    answers: tuple[Answers, ...] = ()
    findings: tuple[Finding, ...] = ()

    def told(self) -> dict[str, Any]:
        """JSON-ready values."""
        lists = ("set_aside", "months", "events", "answers", "findings")
        return {
            "log": self.log,
            "source": self.source,
            "rows": self.rows,
            "resolution": self.resolution,
            "hours": list(self.hours),
            **{name: [one.told() for one in getattr(self, name)] for name in lists},
        }


def profile(con: duckdb.DuckDBPyConnection, log: str, contract: Contract, rows: Rows) -> LogProfile:
    """Look at a log that has been judged and freed of repetitions, in two passes.

    Parameters
    ----------
    con
        Connection with the views ``<log>_judged`` and ``<log>_kept``. The customers log is
        compared with the logs that were looked at before it on the same connection.
    log
        Name of the log.
    contract
        The declarations under which it was judged.
    rows
        The rows of its source.

    Returns
    -------
    LogProfile
        Figures and findings. Ids and free text occur in it only masked; event names, product
        codes and currencies are shown.
    """
    mapping = contract.mappings.get(log, LogMapping())
    counted = count_rows(con, log, contract.zone)
    read = _read(counted)
    findings = [*_aside_findings(read, contract.max_rejected_share), *_grain(read)]
    times: dict[str, Any] = {}
    if counted.rows:
        findings += id_findings(counted, mapping, has_pseudonyms=contract.pseudonyms is not None)
        times, more = _times(counted)
        findings += more
        findings += _content(counted, mapping)
        findings += _repeats(counted, times.get("resolution"))
    events = event_names(counted, contract.kinds) if counted.has("event") else []
    answered = answers(counted, contract.instruments) if log == "surveys" else []
    findings += event_findings(counted, events) if events else ()
    findings += answer_findings(counted, answered) if answered else ()
    return LogProfile(
        log, rows.source, counted.rows, read.aside, **times,
        events=tuple(events), answers=tuple(answered), findings=worst_first(findings),
    )  # fmt: skip


@dataclass(frozen=True)
class _Read:
    """The rows of a log by what became of them: all of them, set aside, and lines of orders."""

    rows: int
    aside: tuple[SetAside, ...]
    orders: int
    lines: int


def _read(counted: Counts) -> _Read:
    example = f"{{'file': file, 'row': row, 'found': left(found, {_LONGEST_FOUND})}}"
    order = "order_id" if counted.has("order_id") else "NULL::VARCHAR"
    told = counted.all(
        f"SELECT reason, count(*), min_by({example}, row, {_EXAMPLES}) "
        f"FILTER (reason IS NOT NULL), approx_count_distinct({order}), count({order}) "
        f"FROM {counted.log}_judged GROUP BY reason ORDER BY 2 DESC, 1"
    )
    mend = dict(counted.all(f"SELECT reason, mend FROM {counted.log}_reasons"))
    aside = tuple(
        SetAside(reason, count, tuple(map(_example, examples)), mend[reason])
        for reason, count, examples, *_ in told
        if reason is not None
    )
    orders, lines = next((tuple(row[3:]) for row in told if row[0] is None), (0, 0))
    return _Read(sum(row[1] for row in told), aside, orders, lines)


def _example(told: Mapping[str, Any]) -> tuple[str, int, str | None]:
    return told["file"], told["row"], None if told["found"] is None else masked(told["found"])


def _aside_findings(read: _Read, limit: float) -> Iterator[Finding]:
    faulty = sum(s.rows for s in read.aside if s.reason not in NO_FAULTS)
    if faulty > limit * read.rows:
        yield Finding(
            "too_many_set_aside", "stop",
            f"{share(faulty, read.rows)} of {read.rows:,} rows are set aside, more than the "
            f"allowed {limit:.1%}",
            "Mend the rows, or raise max_rejected_share in [quality] if they are expected.",
        )  # fmt: skip
    elif faulty > _MANY_ASIDE * read.rows:
        most = max((s for s in read.aside if s.reason not in NO_FAULTS), key=lambda s: s.rows)
        yield Finding(
            "many_set_aside", "warn",
            f"{share(faulty, read.rows)} of {read.rows:,} rows are set aside, "
            f"{most.rows:,} of them for {most.reason.replace('_', ' ')}",
            "Be sure that what is left speaks for all customers.",
        )  # fmt: skip
    on_purpose = sum(s.rows for s in read.aside if s.reason == EXCLUDED)
    if on_purpose > read.rows / 2:
        yield Finding(
            "mostly_excluded", "warn",
            f"exclude sets {share(on_purpose, read.rows)} of the rows aside",
            "Check the values it names.",
        )  # fmt: skip


def _times(counted: Counts) -> tuple[dict[str, Any], list[Finding]]:
    if not counted.has("ts"):
        return {}, []
    told, found = bulk(timeline(counted))
    of = months(told, counted.has("amount"))
    found += [*volume_findings(told, of), *hour_findings(counted, told)]
    kept = {"months": tuple(of), "resolution": resolution(told)}
    if kept["resolution"] != "day":
        kept["hours"] = tuple(hour_counts(told))
    return kept, found


def _content(counted: Counts, mapping: LogMapping) -> Iterator[Finding]:
    if counted.log == "purchases":
        yield from money_findings(counted, mapping)
        yield from product_findings(counted, mapping)
    if counted.log == "customers":
        yield from people_findings(counted)


def _repeats(counted: Counts, resolution: str | None) -> Iterator[Finding]:
    (repeats,) = counted.one(f"SELECT count(*) FROM {counted.log}_repeats")
    if repeats and counted.log == "customers":
        yield Finding(
            "customers_twice", "warn",
            f"{some(repeats, 'row')} {agree(repeats, 'lists', 'list')} a customer again; the first "
            "row of each counts",
            "Keep the one that holds today at the source.",
        )  # fmt: skip
    elif repeats > _MANY_REPEATS * (counted.rows + repeats):
        yield Finding(
            "many_repetitions", "warn",
            f"{share(repeats, counted.rows + repeats)} of the rows repeat another to the last "
            "character; each counts once",
            "Was a file or a load read twice?",
        )  # fmt: skip
    elif repeats and resolution == "day" and not counted.has("order_id"):
        yield Finding(
            "repetitions_of_days", "note",
            f"{some(repeats, 'row')} {agree(repeats, 'repeats', 'repeat')} another to the last "
            "character and were set aside; in a log of days they may as well have happened twice",
            "Map an order number, or keep any column that tells them apart.",
        )  # fmt: skip


def _grain(read: _Read) -> Iterator[Finding]:
    if read.orders and read.lines > _LINES_AN_ORDER * read.orders:
        yield Finding(
            "line_items", "note",
            f"the rows are line items, about {read.lines / read.orders:.1f} to an order; lines of "
            "one order at one instant count as one purchase",
        )  # fmt: skip
