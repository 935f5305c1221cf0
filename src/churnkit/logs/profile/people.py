"""The customers log against the logs of what they did."""

from __future__ import annotations

from collections.abc import Iterator

from churnkit.clock import DAY
from churnkit.logs.profile.counts import Counts
from churnkit.logs.profile.finding import Finding, agree, share, some
from churnkit.logs.sql import listed

_MOST = 0.5


def people_findings(counts: Counts) -> Iterator[Finding]:
    """Customers without any event, events of nobody listed, events before ``since``.

    Only the logs that were counted before on the same connection are looked at.
    """
    counted = counts.all(
        "SELECT table_name FROM duckdb_tables() WHERE temporary AND table_name IN "
        f"({listed(f'{log}_counts' for log in ('purchases', 'activity', 'surveys'))})"
    )
    if not counted:
        return
    each = " UNION ALL ".join(
        f"SELECT customer_id, first FROM {table} WHERE part = 'customer'" for (table,) in counted
    )
    events = f"(SELECT customer_id, min(first) AS first FROM ({each}) GROUP BY customer_id)"
    yield from _strangers(counts, events)
    if counts.has("since"):
        yield from _before_since(counts, events)


def _strangers(counts: Counts, events: str) -> Iterator[Finding]:
    (both, listed_only, events_only) = counts.one(
        "SELECT count(e.customer_id) FILTER (c.customer_id IS NOT NULL), "
        "count_if(e.customer_id IS NULL), count_if(c.customer_id IS NULL) "
        f"FROM customers_kept c FULL JOIN {events} e USING (customer_id)"
    )
    customers, seen = both + listed_only, both + events_only
    if not both:
        yield Finding(
            "customers_strangers", "stop",
            f"none of the {some(customers, 'customer')} listed occurs in any other log",
            "Are the ids written alike in all logs? Compare a few of each.",
        )  # fmt: skip
        return
    if listed_only:
        yield Finding(
            "customers_without_events", "note",
            f"{some(listed_only, 'customer')} of {customers:,} listed "
            f"({share(listed_only, customers)}) {agree(listed_only, 'has', 'have')} no event in "
            "any log",
        )  # fmt: skip
    if events_only:
        yield Finding(
            "customers_not_listed", "warn" if events_only > _MOST * seen else "note",
            f"{some(events_only, 'customer')} with events ({share(events_only, seen)}) "
            f"{agree(events_only, 'is', 'are')} not listed in customers",
            "Are the ids written alike in all logs? Compare a few of each.",
        )  # fmt: skip


def _before_since(counts: Counts, events: str) -> Iterator[Finding]:
    (dated, early) = counts.one(
        f"SELECT count(*), count_if(first < since - {DAY}) "
        f"FROM customers_kept JOIN {events} USING (customer_id) WHERE since IS NOT NULL"
    )
    if early:
        yield Finding(
            "events_before_since", "warn" if early > 0.05 * dated else "note",
            f"{some(early, 'customer')} of {dated:,} ({share(early, dated)}) "
            f"{agree(early, 'has', 'have')} events before the day they became a customer (since)",
            "Is since the date of something else, a contract or a course perhaps?",
        )  # fmt: skip
