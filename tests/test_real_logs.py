"""Public logs of real shops, read as ``init`` proposes: the counts that are published for them.

Skipped unless the environment names a folder with the files in CHURNKIT_REAL_DATA.
"""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from churnkit.config import FILE_NAME, Settings, load_settings
from churnkit.dataset import Dataset, build_dataset
from churnkit.features import FeatureSpec
from churnkit.labels import Question
from churnkit.logs import Logs
from churnkit.logs.sql import literal
from churnkit.scaffold import write_config
from churnkit.sections import QuestionSection

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
def read_lines(lines) -> Logs:
    return lines.read_logs()


@pytest.fixture(scope="module")
def read_orders(orders) -> Logs:
    return orders.read_logs()


UCI = """
    SELECT order_id AS Invoice, product_id AS StockCode, description AS Description,
           quantity AS Quantity, strftime(timestamp, '%d/%m/%Y %H:%M') AS InvoiceDate,
           unit_price AS Price, customer_id AS "Customer ID", country AS Country
"""


@pytest.fixture(scope="module")
def uci_file(tmp_path_factory) -> Path:
    """The eight columns that UCI publishes, as a spreadsheet writes them to CSV."""
    path = tmp_path_factory.mktemp("uci") / "online_retail_II.csv"
    rows = literal(f"{FOLDER}/online_retail_ii/transactions.parquet")
    with duckdb.connect() as con:
        con.execute(f"COPY ({UCI} FROM {rows}) TO {literal(str(path))} (HEADER)")
    return path


@pytest.fixture(scope="module")
def uci_book(tmp_path_factory) -> Path:
    """The days that stand in both sheets, as the book of two sheets that UCI publishes."""
    openpyxl = pytest.importorskip("openpyxl")
    path = tmp_path_factory.mktemp("book") / "online_retail_II.xlsx"
    rows = literal(f"{FOLDER}/online_retail_ii/transactions.parquet")
    days = "timestamp >= '2010-12-01' AND timestamp < '2010-12-04'"
    columns = UCI.replace("strftime(timestamp, '%d/%m/%Y %H:%M')", "timestamp")
    book = openpyxl.Workbook(write_only=True)
    with duckdb.connect() as con:
        for sheet in ("2009-2010", "2010-2011"):
            told = con.sql(f"{columns} FROM {rows} WHERE {days} AND sheet = {literal(sheet)}")
            page = book.create_sheet(f"Year {sheet}")
            page.append(told.columns)
            for row in told.fetchall():
                page.append(row)
    book.save(path)
    return path


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


def test_online_retail_orders(orders, read_orders):
    assert orders.logs.purchases.columns == {
        "customer_id": "customer_id",
        "ts": "timestamp",
        "amount": "amount",
        "order_id": "order_id",
        "quantity": "items",
    }
    logs = read_orders
    (check,) = logs.checks
    assert (check.read, check.kept, check.customers) == (44_876, 44_876, 5942)
    told = at_risk(logs, Question(), "2011-09-10", orders)
    assert len(told) == 2787
    assert told.base_rate == pytest.approx(0.382, abs=5e-4)


def test_online_retail_lines(lines, read_lines):
    assert lines.logs.purchases.columns == {
        "customer_id": "customer_id",
        "ts": "timestamp",
        "amount": "amount",
        "unit_price": "unit_price",
        "order_id": "order_id",
        "product_id": "product_id",
        "quantity": "quantity",
    }
    assert lines.logs.purchases.provenance == ("sheet", "in_both_sheets")
    assert 0.25 <= lines.quality.max_rejected_share <= 0.5
    logs = read_lines
    (check,) = logs.checks
    assert check.read == 1_067_370
    assert check.rejected["missing_customer_id"] == check.faulty == 243_007
    assert check.rejected["duplicate"] > 22_523 - 7_000  # in both sheets, with a customer
    assert check.customers == 5942
    told = at_risk(logs, Question(), "2011-09-10", lines)
    assert len(told) == 2787
    assert told.base_rate == pytest.approx(0.382, abs=5e-4)


RAW = {
    "customer_id": "Customer ID",
    "ts": "InvoiceDate",
    "unit_price": "Price",
    "order_id": "Invoice",
    "product_id": "StockCode",
    "quantity": "Quantity",
}


def test_the_raw_file_of_uci_is_read_as_the_lines_are(uci_file, read_lines, tmp_path):
    (proposal,) = write_config(tmp_path / FILE_NAME, {"purchases": uci_file}, QuestionSection())
    assert proposal.columns == RAW
    assert {reason.sure for reason in proposal.reasons.values()} == {"sure"}
    assert (proposal.time_format, proposal.resolution) == ("%d/%m/%Y %H:%M", "second")
    assert proposal.grain == "line items"
    assert proposal.notes == ()
    assert proposal.noticed[0].endswith("their order ids begin with 'C'")
    logs, expected = load_settings(tmp_path / FILE_NAME).read_logs(), read_lines
    assert logs.checks[0].rejected == expected.checks[0].rejected
    assert list(logs.customer_ids) == list(expected.customer_ids)
    money, total = (told.purchases.columns["amount"] for told in (logs, expected))
    assert (money == total).all()


def test_the_book_of_uci_is_read_with_both_sheets(uci_book, tmp_path):
    (proposal,) = write_config(tmp_path / FILE_NAME, {"purchases": uci_book}, QuestionSection())
    assert proposal.columns == RAW
    assert proposal.time_format is None
    (check,) = load_settings(tmp_path / FILE_NAME).read_logs().checks
    assert check.read % 2 == 0
    good = check.read - check.rejected["missing_customer_id"]
    assert check.rejected["duplicate"] >= good / 2  # each line stands in both sheets
    assert check.kept <= good / 2


def test_the_lines_fold_to_the_orders(read_lines, read_orders):
    assert list(read_lines.customer_ids) == list(read_orders.customer_ids)
    folded = read_lines.checks[0].folded
    assert folded == pytest.approx(read_orders.checks[0].folded, rel=0.01)


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


def test_oulad_marks_banked_results_and_knows_starts(tmp_path):
    files = {
        "activity": Path(FOLDER) / "oulad/events.parquet",
        "customers": Path(FOLDER) / "oulad/enrolments.parquet",
    }
    asked = QuestionSection(churn="no_activity")
    events, enrolments = write_config(tmp_path / FILE_NAME, files, asked)
    assert [(mark.column, mark.values) for mark in events.marks] == [("is_banked", ("true",))]
    assert events.resolution == "day"
    assert enrolments.columns == {"customer_id": "customer_id", "since": "start"}
    checks = load_settings(tmp_path / FILE_NAME).read_logs().checks
    assert [check.read for check in checks] == [216_532, 32_593]
    assert checks[1].kept == 32_593
