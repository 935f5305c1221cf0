"""The advice on the churn horizon, held against silences whose law is known."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit.errors import ConfigError
from churnkit.horizon import CANDIDATES, FEW_RETURN, Silence, advice, silences
from churnkit.labels import Question
from churnkit.logs import Contract, LogMapping, Logs
from churnkit.sources import read_logs
from tests.tables import logs_of

REAL = os.environ.get("CHURNKIT_REAL_DATA", "")
START = pd.Timestamp("2022-01-01")
lengths = st.lists(st.integers(0, 60), max_size=30).map(lambda days: np.array(days, dtype=np.int64))


def buying(customers: int, gap: float, leave: float, days: int = 730, seed: int = 0) -> Logs:
    """Customers who buy about every ``gap`` days (gamma of shape 4), and leave with a chance."""
    rng = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        at = rng.uniform(0, days / 2)
        while at < days:
            rows.append((f"c{customer}", START + pd.Timedelta(days=at)))
            if rng.random() < leave:
                break
            at += rng.gamma(4, gap / 4)
    return read_logs(pd.DataFrame(rows, columns=["customer_id", "ts"]))


def product_limit(ended: np.ndarray, running: np.ndarray, start: int, stop: int) -> float:
    """The estimate of Kaplan and Meier, day by day: slow and obvious."""
    left = 1.0
    for day in range(start, stop):
        at_risk = sum(e >= day for e in ended) + sum(r >= day for r in running)
        if at_risk:
            left *= 1 - sum(e == day for e in ended) / at_risk
    return left


# ── Silences ────────────────────────────────────────────────────────────────────────────────


def test_silences_end_with_a_purchase_or_run_to_the_end_of_the_log():
    logs = logs_of(
        purchases="""
        customer | ts
        anna     | 2024-01-01
        anna     | 2024-01-11
        anna     | 2024-01-31
        ben      | 2024-01-21
    """
    )
    ended, running = silences(logs, Question())
    assert ended.tolist() == [10, 20]
    assert running.tolist() == [1, 11]


def test_two_purchases_within_a_day_are_one_occasion():
    logs = logs_of(
        purchases="""
        customer | ts
        anna     | 2024-01-01 09:00
        anna     | 2024-01-01 18:00
        anna     | 2024-01-05 18:00
    """
    )
    assert silences(logs, Question())[0].tolist() == [4]


def test_a_return_is_no_sign_of_life():
    logs = logs_of(
        purchases="""
        customer | ts         | amount
        anna     | 2024-01-01 | 10
        anna     | 2024-01-05 | -10
        anna     | 2024-01-21 | 10
    """
    )
    assert silences(logs, Question())[0].tolist() == [20]


def test_a_cancellation_is_no_sign_of_life():
    logs = logs_of(
        activity="""
        customer | ts         | event
        anna     | 2024-01-01 | login
        anna     | 2024-01-05 | cancellation
        ben      | 2024-01-21 | login
    """
    )
    ended, running = silences(logs, Question("no_activity"))
    assert (ended.tolist(), running.tolist()) == ([], [21, 1])


@given(lengths, lengths, st.integers(0, 20), st.integers(1, 30))
def test_the_estimate_is_that_of_kaplan_and_meier(ended, running, start, days):
    fast = Silence.of(ended, running).outlast(start, start + days)
    assert fast == pytest.approx(product_limit(ended, running, start, start + days))


def test_running_silences_pull_the_share_of_returns_up():
    ended = np.full(100, 40)
    unseen = np.full(300, 35)  # the log ends before these could come back
    gone = np.full(300, 700)
    assert Silence.of(ended, unseen).returned(30) is None
    assert Silence.of(ended, gone).returned(30).within == pytest.approx(0.25)


# ── The advice ──────────────────────────────────────────────────────────────────────────────


def test_the_horizon_lies_where_the_rhythm_ends():
    found = advice(buying(800, gap=20, leave=0.2), Question(horizon_days=14))
    assert found.suggested_days in {45, 60}
    assert found.parts
    assert found.asked is not None
    assert found.asked.within > 0.5
    assert f"{found.suggested_days} days is what the data suggest" in found.says
    assert "takes some for gone who only pause" in found.says


def test_a_slower_rhythm_asks_for_a_longer_horizon():
    suggested = [
        advice(buying(600, gap=gap, leave=0.2), Question()).suggested_days for gap in (10, 20, 40)
    ]
    assert suggested == sorted(set(suggested))


def test_a_horizon_that_is_longer_than_needed_is_told():
    found = advice(buying(800, gap=10, leave=0.2), Question(horizon_days=180))
    assert "would warn earlier" in found.says


def test_where_nobody_leaves_no_horizon_parts():
    found = advice(buying(300, gap=60, leave=0.0), Question(horizon_days=30))
    assert not found.parts
    assert found.suggested_days in {90, 120}
    assert "no horizon parts those who left" in found.says


def test_pauses_longer_than_any_horizon_are_not_blamed_on_the_history():
    found = advice(buying(800, gap=400, leave=0.0, days=15 * 365), Question())
    assert found.suggested_days is None
    assert found.nine_of_ten_days > max(CANDIDATES)
    assert "later than any horizon that is looked at" in found.says
    assert "too short" not in found.says


def test_a_short_history_gives_no_advice():
    logs = logs_of(
        purchases="""
        customer | ts
        anna     | 2024-01-01
        anna     | 2024-01-11
    """
    )
    found = advice(logs, Question())
    assert (found.suggested_days, found.asked, found.curve) == (None, None, ())
    assert found.says.startswith("The history is too short")


def test_returns_alone_give_no_advice():
    logs = logs_of(
        purchases="""
        customer | ts         | amount
        anna     | 2024-01-01 | -10
    """
    )
    assert advice(logs, Question()).suggested_days is None


def test_the_curve_holds_what_the_history_allows():
    found = advice(buying(500, gap=20, leave=0.1, days=200), Question())
    days = [point.days for point in found.curve]
    assert days == [d for d in CANDIDATES if d <= max(days)]
    assert max(days) < 100
    assert all(0 <= point.within <= 1 and point.silences >= 50 for point in found.curve)


def test_the_advice_is_ready_for_json():
    told = advice(buying(300, gap=20, leave=0.2), Question()).told()
    assert json.loads(json.dumps(told, allow_nan=False))["log"] == "purchases"


def test_an_absent_log_is_named():
    with pytest.raises(ConfigError, match="needs a activity log"):
        advice(buying(5, gap=20, leave=0.2), Question("no_activity"))


# ── Where an event says who left ────────────────────────────────────────────────────────────


def test_where_an_event_says_who_left_it_tells_how_many_leave_and_when():
    """Anna, Ben and Cleo are there for 30 days in all until they leave, 10, 5 and 15 each; Dora
    left and came back, Emil stayed, 20 days each: 3 leave in 70 days.
    """
    logs = logs_of(
        activity="""
        customer | ts         | event
        anna     | 2024-01-01 | login
        anna     | 2024-01-11 | cancellation
        ben      | 2024-01-01 | login
        ben      | 2024-01-06 | cancellation
        cleo     | 2024-01-01 | login
        cleo     | 2024-01-16 | cancellation
        dora     | 2024-01-01 | login
        dora     | 2024-01-05 | cancellation
        dora     | 2024-01-20 | login
        emil     | 2024-01-01 | login
    """
    )
    found = advice(logs, Question("event", horizon_days=10))
    assert (found.suggested_days, found.curve, found.asked) == (None, (), None)
    assert found.says == (
        "The event cancellation says who left: no silence has to be waited for, take the horizon "
        "in which you can still act. 3 of 5 customers left, half of them within 10 days of their "
        "first sign of life; of those who are there, 1 in 3 leave in 10 days on average."
    )


def test_where_nobody_left_for_good_it_says_so():
    logs = logs_of(
        activity="customer | ts | event\n a | 2024-01-01 | cancellation\n a | 2024-01-02 | login"
    )
    assert advice(logs, Question("event")).says.endswith("So far all have come back.")


# ── Real logs ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(not REAL, reason="CHURNKIT_REAL_DATA names no folder")
class TestRealLogs:
    def read(self, file: str) -> Logs:
        mapping = {"customer_id": "customer_id", "ts": "timestamp", "amount": "amount"}
        contract = Contract(mappings={"purchases": LogMapping(mapping)})
        return read_logs(Path(REAL) / file, contract=contract)

    def test_wholesalers_pause_too_long_for_any_horizon(self):
        found = advice(self.read("online_retail_ii/orders.parquet"), Question(horizon_days=60))
        assert found.asked is not None
        assert found.asked.within == pytest.approx(0.39, abs=0.02)
        assert not found.parts
        assert found.nine_of_ten_days == pytest.approx(200, abs=15)

    def test_few_of_the_silent_of_cdnow_return(self):
        found = advice(self.read("cdnow/transactions.parquet"), Question(horizon_days=90))
        assert found.parts
        assert max(point.within for point in found.curve) < FEW_RETURN + 0.02
