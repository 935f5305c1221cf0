"""Key figures of public shops, each worked out once more in pandas from the raw file.

Skipped unless the environment names a folder with the files in CHURNKIT_REAL_DATA.
"""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from kpi_reference import cohorts_by_hand, month_by_hand

from churnkit.clock import Cutoff
from churnkit.kpi import Kpis, kpis
from churnkit.labels import Question
from churnkit.logs import Contract, LogMapping
from churnkit.sources import read_logs

FOLDER = os.environ.get("CHURNKIT_REAL_DATA", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="CHURNKIT_REAL_DATA names no folder")

SHOPS = {
    "cdnow/transactions.parquet": ("1998-07-01", "timestamp", {}),
    "online_retail_ii/orders.parquet": ("2011-12-01", "timestamp", {"order_id": "order_id"}),
}


@pytest.fixture(scope="module", params=SHOPS)
def worked(request) -> tuple[Kpis, pd.DataFrame]:
    """The key figures of a year, and the rows that they are from."""
    as_of, when, more = SHOPS[request.param]
    columns = {"customer_id": "customer_id", "ts": when, "amount": "amount", **more}
    rows = pd.read_parquet(Path(FOLDER) / request.param)
    contract = Contract(mappings={"purchases": LogMapping(columns=columns)})
    found = kpis(read_logs(rows, contract=contract), Cutoff.parse(as_of), Question())
    once = rows.drop_duplicates().rename(columns={when: "ts"})
    once = once[once["customer_id"].notna()].assign(ts=lambda r: pd.to_datetime(r["ts"]))
    return found, once[["customer_id", "ts", "amount"]]


def test_every_month_agrees_with_pandas(worked):
    found, rows = worked
    compared = 0
    for month in found.months:
        expected = month_by_hand(rows, month, 180)
        for name, value in expected.items():
            figure = found.figure(name, month)
            if figure.known:
                assert figure.value == pytest.approx(value, rel=1e-9, abs=1e-6), (month, name)
                compared += 1
    assert compared > 80


def test_cohorts_agree_with_pandas(worked):
    found, rows = worked
    told = {c.month: list(c.there) for c in found.cohorts["all"]}
    assert told == cohorts_by_hand(rows, list(found.months))
