"""Public logs of real shops, read as ``init`` proposes: the counts that are published for them.

Skipped unless the environment names a folder with the files in CHURNKIT_REAL_DATA.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from churnkit.config import FILE_NAME, QuestionSection, Settings, load_settings, write_config
from churnkit.dataset import Dataset, build_dataset
from churnkit.features import FeatureSpec
from churnkit.labels import Question
from churnkit.logs import Logs

FOLDER = os.environ.get("CHURNKIT_REAL_DATA", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="CHURNKIT_REAL_DATA names no folder")


def initialised(folder: Path, log: str, file: str, **question: str) -> Settings:
    """Settings as ``init`` writes them, without an edit."""
    files = {log: Path(FOLDER) / file}
    write_config(folder / FILE_NAME, files, QuestionSection(**question))
    return load_settings(folder / FILE_NAME)


def at_risk(logs: Logs, question: Question, day: str, settings: Settings) -> Dataset:
    """Who is at risk on a day, with labels only: they need no features."""
    return build_dataset(logs, question, [settings.cutoff(day)], FeatureSpec(logs={}))


@pytest.fixture(scope="module")
def cdnow(tmp_path_factory) -> Settings:
    folder = tmp_path_factory.mktemp("cdnow")
    return initialised(folder, "purchases", "cdnow/transactions.parquet")


@pytest.fixture(scope="module")
def orders(tmp_path_factory) -> Settings:
    folder = tmp_path_factory.mktemp("orders")
    return initialised(folder, "purchases", "online_retail_ii/orders.parquet")


@pytest.fixture(scope="module")
def lines(tmp_path_factory) -> Settings:
    folder = tmp_path_factory.mktemp("lines")
    return initialised(folder, "purchases", "online_retail_ii/transactions.parquet")


@pytest.fixture(scope="module")
def oulad(tmp_path_factory) -> Settings:
    folder = tmp_path_factory.mktemp("oulad")
    return initialised(folder, "activity", "oulad/events.parquet", churn="no_activity")


def test_cdnow(cdnow):
    assert cdnow.logs.purchases.columns == {
        "customer_id": "customer_id",
        "ts": "timestamp",
        "amount": "amount",
        "quantity": "quantity",
    }
    assert cdnow.quality.max_rejected_share == 0.05
    logs = cdnow.read_logs()
    (check,) = logs.checks
    assert (check.read, check.customers, check.faulty) == (69_659, 23_570, 0)
    assert check.rejected.keys() == {"duplicate"}
    told = at_risk(logs, Question(), "1998-04-01", cdnow)
    assert len(told) == 6055
    assert told.base_rate == pytest.approx(0.615, abs=5e-4)


def test_online_retail_orders(orders):
    assert orders.logs.purchases.columns == {
        "customer_id": "customer_id",
        "ts": "timestamp",
        "amount": "amount",
        "order_id": "order_id",
        "quantity": "items",
    }
    logs = orders.read_logs()
    (check,) = logs.checks
    assert (check.read, check.kept, check.customers) == (44_876, 44_876, 5942)
    told = at_risk(logs, Question(), "2011-09-10", orders)
    assert len(told) == 2787
    assert told.base_rate == pytest.approx(0.382, abs=5e-4)


def test_online_retail_lines(lines):
    assert lines.logs.purchases.columns == {
        "customer_id": "customer_id",
        "ts": "timestamp",
        "amount": "amount",
        "order_id": "order_id",
        "product_id": "product_id",
        "quantity": "quantity",
    }
    assert 0.25 <= lines.quality.max_rejected_share <= 0.5
    logs = lines.read_logs()
    (check,) = logs.checks
    assert check.read == 1_067_370
    assert check.rejected["missing_customer_id"] == check.faulty == 243_007
    assert check.customers == 5942
    told = at_risk(logs, Question(), "2011-09-10", lines)
    assert len(told) == 2787
    assert told.base_rate == pytest.approx(0.382, abs=5e-4)


def test_the_lines_fold_to_the_orders(lines, orders):
    from_lines, from_orders = lines.read_logs(), orders.read_logs()
    assert list(from_lines.customer_ids) == list(from_orders.customer_ids)
    folded = from_lines.checks[0].folded
    assert folded == pytest.approx(from_orders.checks[0].folded, rel=0.01)


def test_oulad(oulad):
    told = oulad.logs.activity
    assert told.columns == {
        "customer_id": "customer_id",
        "ts": "timestamp",
        "event": "event_type",
        "value": "score",
    }
    assert told.kinds == {"unregister": "cancellation"}
    logs = oulad.read_logs()
    (check,) = logs.checks
    assert check.read == 216_532
    assert "cancellation" in logs.activity.vocabularies["kind"]
    leavers = logs.activity.of("kind", "cancellation")
    assert len(set(leavers.customer)) / check.customers == pytest.approx(0.309, abs=0.01)
