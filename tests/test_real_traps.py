"""The traps of public logs are caught by `check`, on the files as they are, with no edit.

Skipped unless the environment names a folder with the files in CHURNKIT_REAL_DATA. What is
expected is counted here with pandas, and published for the sets.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from churnkit.config import FILE_NAME, load_settings
from churnkit.project import Checkup, check_project
from churnkit.scaffold import write_config
from churnkit.sections import QuestionSection

FOLDER = os.environ.get("CHURNKIT_REAL_DATA", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="CHURNKIT_REAL_DATA names no folder")


def checked(folder: Path, files: dict[str, Path], **question: str) -> Checkup:
    write_config(folder / FILE_NAME, files, QuestionSection(**question))
    return check_project(load_settings(folder / FILE_NAME))


def sentences(found: Checkup, code: str) -> list[str]:
    return [f["says"] for f in found.summary["findings"] if f["code"] == code]


# ── Online Retail II ────────────────────────────────────────────────────────────────────────

LINES = Path(FOLDER) / "online_retail_ii" / "transactions.parquet"


@pytest.fixture(scope="module")
def lines() -> pd.DataFrame:
    return pd.read_parquet(LINES)


@pytest.fixture(scope="module")
def retail(tmp_path_factory) -> Checkup:
    return checked(tmp_path_factory.mktemp("retail"), {"purchases": LINES})


@pytest.fixture(scope="module")
def told(retail) -> dict[str, Any]:
    return retail.summary["logs"][0]


def test_rows_without_a_customer_are_counted(told):
    assert told["read"] == 1_067_370
    assert told["rejected"]["missing_customer_id"] == 243_007


def test_rows_of_both_sheets_and_repeated_lines_count_once(told, lines):
    """22,523 rows stand in both sheets, and about 12,000 lines stand twice in one."""
    assert lines["in_both_sheets"].sum() == 22_523
    named = lines[lines["customer_id"].notna()]
    same = named.drop(columns=["sheet", "in_both_sheets"]).duplicated()
    assert told["rejected"]["duplicate"] == same.sum() == 26_479
    # Sheet for sheet, and lines without a customer too, as the set is described.
    within = lines[~lines["in_both_sheets"]].drop(columns=["sheet", "in_both_sheets"])
    assert 11_500 < within.duplicated().sum() < 12_500
    assert told["kept"] == len(named) - same.sum()


def test_nothing_else_is_set_aside(told):
    assert told["rejected"].keys() == {"missing_customer_id", "duplicate"}


def test_cancellations_are_returns_and_told_so(retail, lines):
    assert (lines["order_id"].str.startswith("C")).sum() == 19_494
    named = lines[lines["customer_id"].notna()].drop(columns=["sheet", "in_both_sheets"])
    returned = (named.drop_duplicates()["amount"] < 0).sum()
    (sentence,) = sentences(retail, "returns")
    assert f"{returned:,} rows" in sentence


def test_prices_of_zero_or_less_are_told(retail, lines):
    assert (lines["unit_price"] <= 0).sum() == 6_207
    named = lines[lines["customer_id"].notna()].drop(columns=["sheet", "in_both_sheets"])
    free = (named.drop_duplicates()["unit_price"] <= 0).sum()
    (sentence,) = sentences(retail, "prices_not_above_zero")
    assert f"{free:,} rows" in sentence


def test_codes_that_are_no_products_are_told(retail):
    (sentence,) = sentences(retail, "codes_unlike_products")
    for code in ("POST", "BANK CHARGES", "ADJUST", "M ("):
        assert code in sentence


def test_the_shop_was_closed_on_saturdays_and_over_christmas(retail):
    (pause,) = sentences(retail, "silent_days")
    assert "11 days from 2009-12-24" in pause
    (weekday,) = sentences(retail, "closed_weekdays")
    assert "Saturdays" in weekday


def test_the_last_month_is_partial(retail):
    (sentence,) = sentences(retail, "late_partial_month")
    assert "2011-12, ends on day 9 of 31" in sentence


# ── CDNOW ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def cdnow(tmp_path_factory) -> Checkup:
    file = Path(FOLDER) / "cdnow" / "transactions.parquet"
    return checked(tmp_path_factory.mktemp("cdnow"), {"purchases": file})


def test_a_single_cohort_is_told(cdnow):
    (sentence,) = sentences(cdnow, "single_cohort")
    assert "no new customers after 1997-03-25" in sentence


def test_rows_of_one_customer_and_day_are_one_occasion(cdnow):
    rows = pd.read_parquet(Path(FOLDER) / "cdnow" / "transactions.parquet")
    days = rows.drop_duplicates(["customer_id", "timestamp"])
    assert cdnow.summary["logs"][0]["folded"] == len(days) == 67_591


def test_purchases_of_nothing_are_told(cdnow):
    (sentence,) = sentences(cdnow, "zero_amounts")
    assert sentence.startswith("80 rows")


def test_equal_rows_of_a_day_may_be_two_purchases(cdnow):
    (sentence,) = sentences(cdnow, "repetitions_of_days")
    assert sentence.startswith("255 rows")


# ── OULAD ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def oulad(tmp_path_factory) -> Checkup:
    names = {"activity": "events", "customers": "enrolments"}
    files = {log: Path(FOLDER) / "oulad" / f"{name}.parquet" for log, name in names.items()}
    return checked(tmp_path_factory.mktemp("oulad"), files, churn="no_activity")


def test_events_before_the_start_of_a_course_are_told(oulad):
    (sentence,) = sentences(oulad, "events_before_since")
    assert "have events before the day they became a customer" in sentence


def test_banked_results_are_offered_for_exclusion(tmp_path):
    file = Path(FOLDER) / "oulad" / "events.parquet"
    settings = tmp_path / FILE_NAME
    write_config(settings, {"activity": file}, QuestionSection(churn="no_activity"))
    text = settings.read_text(encoding="utf-8")
    assert '# "is_banked" = ["true"]' in text
    exclusion = text.replace("# [logs.activity.exclude]", "[logs.activity.exclude]")
    settings.write_text(exclusion.replace('# "is_banked"', '"is_banked"'), encoding="utf-8")
    (check,) = load_settings(settings).read_logs().checks
    assert check.rejected["excluded"] == pd.read_parquet(file)["is_banked"].eq(True).sum()
    assert check.faulty == 0
