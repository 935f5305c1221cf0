"""Whom the logs are about: shared customers, newcomers, single cohorts."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churnkit.coverage import Coverage, Shared, coverage
from churnkit.labels import Question
from churnkit.logs import Contract, LogMapping
from churnkit.sources import read_logs
from tests.tables import logs_of

REAL = os.environ.get("CHURNKIT_REAL_DATA", "")


def codes(found: Coverage) -> list[str]:
    return [finding.code for finding in found.findings]


def joining(until: int, customers: int = 300, days: int = 400) -> pd.DataFrame:
    """Customers who join evenly in the first days and then buy every forty."""
    joined = np.linspace(0, until, customers).astype(int)
    rows = [
        (f"c{c}", pd.Timestamp("2023-01-01") + pd.Timedelta(days=int(day)))
        for c, start in enumerate(joined)
        for day in range(start, days, 40)
    ]
    return pd.DataFrame(rows, columns=["customer_id", "ts"])


def test_shared_customers_are_counted():
    logs = logs_of(
        purchases="""
            customer | ts
            anna     | 2024-01-01
            anna     | 2024-02-01
            ben      | 2024-01-01
            cleo     | 2024-01-01
        """,
        activity="""
            customer | ts         | event
            anna     | 2024-01-02 | login
            ben      | 2024-01-02 | login
            dora     | 2024-01-02 | login
        """,
    )
    found = coverage(logs, Question())
    assert (found.customers, found.once) == (3, 2)
    assert found.shared == (Shared("activity", 3, 2),)
    assert found.newcomers == {"2024-01": 3, "2024-02": 0}
    assert codes(found) == []


def test_logs_that_share_nobody_stand_in_the_way():
    logs = logs_of(
        purchases="""
            customer | ts
            00123    | 2024-01-01
        """,
        surveys="""
            customer | ts         | instrument | score
            123      | 2024-01-02 | nps        | 9
        """,
    )
    (finding,) = coverage(logs, Question()).findings
    assert finding.severity == "stop"
    assert finding.says == "none of 1 customer of surveys is in purchases"


@pytest.mark.parametrize(
    ("bought", "answered", "hint"),
    [
        ("00123", "123", "1 of them would be, but for leading zeros"),
        ("123", "123.0", "1 of them would be, but for a .0 at the end"),
        ("Anna", "ANNA", "1 of them would be, but for capital letters"),
        ("anna", "ben", "Are the ids written alike in both logs?"),
    ],
)
def test_why_logs_share_nobody_is_looked_for(bought: str, answered: str, hint: str):
    logs = logs_of(
        purchases=f"customer | ts\n{bought} | 2024-01-01",
        surveys=f"customer | ts | instrument | score\n{answered} | 2024-01-02 | nps | 9",
    )
    (finding,) = coverage(logs, Question()).findings
    assert finding.hint.startswith(hint)


def test_newcomers_are_counted_up_to_the_end_of_the_log():
    logs = logs_of(
        purchases="""
            customer | ts
            anna     | 2024-01-01
            anna     | 2024-03-05
        """
    )
    assert coverage(logs, Question()).newcomers == {"2024-01": 1, "2024-02": 0, "2024-03": 0}


def test_newcomers_are_counted_by_local_month():
    logs = logs_of(
        purchases="""
            customer | ts
            anna     | 2024-01-31T23:30:00+00:00
            ben      | 2024-03-01T12:00:00+00:00
        """,
        contract=Contract(zone="Europe/Berlin"),
    )
    assert coverage(logs, Question()).newcomers == {"2024-02": 1, "2024-03": 1}


def test_a_single_cohort_is_told_with_its_last_day():
    found = coverage(read_logs(joining(until=60)), Question())
    assert codes(found) == ["single_cohort"]
    assert "after 2023-03-01" in found.findings[0].says


@pytest.mark.parametrize("until", [200, 390])
def test_a_log_with_newcomers_is_no_cohort(until: int):
    assert codes(coverage(read_logs(joining(until)), Question())) == []


def test_customers_of_one_purchase_and_of_returns_only_are_told():
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{k}" for k in range(200)],
            "ts": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(200), unit="D"),
            "amount": [10.0] * 198 + [-1.0] * 2,
        }
    )
    found = coverage(read_logs(frame), Question())
    assert codes(found) == ["mostly_once", "only_returns"]
    assert found.findings[1].says == "2 customers with returns, but no purchase in the log"


@pytest.mark.skipif(not REAL, reason="CHURNKIT_REAL_DATA names no folder")
def test_cdnow_is_a_single_cohort():
    mapping = {"customer_id": "customer_id", "ts": "timestamp", "amount": "amount"}
    contract = Contract(mappings={"purchases": LogMapping(mapping)})
    logs = read_logs(Path(REAL) / "cdnow/transactions.parquet", contract=contract)
    found = coverage(logs, Question())
    assert found.findings[0].says.startswith("no new customers after 1997-03-25: 23,570 of 23,570")
    assert [month for month, new in found.newcomers.items() if new] == [
        "1997-01",
        "1997-02",
        "1997-03",
    ]
    assert list(found.newcomers)[-1] == "1998-06"
