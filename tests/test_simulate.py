"""The simulated shop: reproducible, well-formed, and with a truth that its logs bear out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_series_equal

from churnkit import simulate as simulation
from churnkit.simulate import RATES, SCALES, SEGMENTS, Shop, simulate

if TYPE_CHECKING:
    from pathlib import Path

START, DAYS = pd.Timestamp("2023-01-01"), 730
END = START + pd.Timedelta(days=DAYS)
CUTOFF, HORIZON = pd.Timestamp("2024-06-15 09:30"), 60
LOGS = ("purchases", "activity", "surveys", "customers")
TIMED = LOGS[:3]
EVENTS = {
    "visit",
    "email_open",
    "support_opened",
    "support_resolved",
    "complaint_opened",
    "complaint_resolved",
    "payment_failed",
    "payment_ok",
}


@pytest.fixture(scope="module")
def shop() -> Shop:
    return simulate(customers=800, days=DAYS)


@pytest.fixture(scope="module")
def bought(shop: Shop) -> pd.DataFrame:
    """Purchases without the returns."""
    return shop.purchases[shop.purchases["amount"] > 0]


def stayed_away(bought: pd.DataFrame, customers: pd.Index, cutoff: pd.Timestamp) -> pd.Series:
    """Who bought nothing in [cutoff, cutoff + HORIZON days)."""
    end = cutoff + pd.Timedelta(days=HORIZON)
    window = bought[(bought["ts"] >= cutoff) & (bought["ts"] < end)]
    return pd.Series(~customers.isin(window["customer_id"]), index=customers)


def standard_errors_off(truth: pd.Series, churned: pd.Series) -> float:
    """Distance of the realised count from its expectation; customers are independent."""
    return abs(churned.sum() - truth.sum()) / np.sqrt((truth * (1 - truth)).sum())


def mood(shop: Shop, events: pd.DataFrame) -> np.ndarray:
    """Hidden satisfaction of the customer in the week of each event."""
    hidden = shop.truth.satisfaction
    row = hidden.index.get_indexer(events["customer_id"])
    week = (events["ts"] - START) // pd.Timedelta(days=7)
    return hidden.to_numpy()[row, week]


# Reproducible


def test_same_seed_gives_the_same_shop() -> None:
    one, two = simulate(customers=60, days=300, seed=3), simulate(customers=60, days=300, seed=3)
    for log in LOGS:
        assert_frame_equal(getattr(one, log), getattr(two, log))
    assert_frame_equal(one.truth.satisfaction, two.truth.satisfaction)
    assert_frame_equal(one.truth.purchase_rate, two.truth.purchase_rate)


@pytest.mark.parametrize("log", LOGS)
def test_another_seed_gives_another_shop(log: str) -> None:
    one, two = simulate(customers=60, days=300, seed=3), simulate(customers=60, days=300, seed=4)
    assert not getattr(one, log).equals(getattr(two, log))


def test_a_change_in_one_log_leaves_the_others_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = simulate(customers=60, days=300)
    monkeypatch.setattr(simulation, "RATES", replace(RATES, opens=5.0))
    after = simulate(customers=60, days=300)
    assert_frame_equal(before.purchases, after.purchases)
    assert len(after.activity) > len(before.activity)


# Well-formed logs


@pytest.mark.parametrize(
    ("log", "columns"),
    [
        ("purchases", ["customer_id", "ts", "order_id", "amount"]),
        ("activity", ["customer_id", "ts", "event"]),
        ("surveys", ["customer_id", "ts", "instrument", "score"]),
        ("customers", ["customer_id", "since", "segment"]),
    ],
)
def test_columns_have_the_declared_names_and_no_gaps(
    shop: Shop, log: str, columns: list[str]
) -> None:
    frame = getattr(shop, log)
    assert list(frame.columns) == columns
    assert frame.notna().all(axis=None)
    for column in {"customer_id", "order_id", "event", "instrument", "segment"} & set(columns):
        assert pd.api.types.is_string_dtype(frame[column])
    for column in {"ts", "since"} & set(columns):
        assert frame[column].dtype == "datetime64[us]"


@pytest.mark.parametrize("log", TIMED)
def test_logs_are_sorted_with_a_clean_index(shop: Shop, log: str) -> None:
    frame = getattr(shop, log)
    assert_frame_equal(frame, frame.sort_values(["ts", "customer_id"], ignore_index=True))
    assert frame.index.equals(pd.RangeIndex(len(frame)))


@pytest.mark.parametrize("log", TIMED)
def test_everything_happens_inside_the_span_on_whole_minutes(shop: Shop, log: str) -> None:
    ts = getattr(shop, log)["ts"]
    assert ts.min() >= START
    assert ts.max() < END
    assert (ts == ts.dt.floor("min")).all()
    assert ts.max() > END - pd.Timedelta(days=7), "the log stops before the span ends"


@pytest.mark.parametrize("log", TIMED)
def test_nothing_happens_before_the_customer_joined(shop: Shop, log: str) -> None:
    frame = getattr(shop, log)
    joined = shop.truth.joined.reindex(frame["customer_id"]).to_numpy()
    assert (frame["ts"] >= joined).all()


def test_orders_have_their_own_id_and_whole_cents(shop: Shop) -> None:
    orders = shop.purchases
    assert orders["order_id"].is_unique
    assert (orders["amount"] == orders["amount"].round(2)).all()
    assert (orders["amount"] != 0).all()


def test_customers_buy_more_than_once_on_some_days(bought: pd.DataFrame) -> None:
    assert bought.assign(day=bought["ts"].dt.date).duplicated(["customer_id", "day"]).any()


def test_a_return_follows_a_purchase_and_is_no_larger_than_one(
    shop: Shop, bought: pd.DataFrame
) -> None:
    returned = shop.purchases[shop.purchases["amount"] < 0]
    pairs = returned.merge(bought, on="customer_id", suffixes=("", "_bought"))
    fits = (pairs["ts_bought"] < pairs["ts"]) & (pairs["amount_bought"] >= -pairs["amount"])
    assert set(pairs.loc[fits, "order_id"]) == set(returned["order_id"])
    assert 0.02 < len(returned) / len(shop.purchases) < 0.08


def test_activity_knows_exactly_the_declared_events(shop: Shop) -> None:
    assert set(shop.activity["event"]) == EVENTS


@pytest.mark.parametrize("kind", ["support", "complaint"])
def test_tickets_are_resolved_after_they_open_and_some_never(shop: Shop, kind: str) -> None:
    events = shop.activity[shop.activity["event"].str.startswith(kind)]
    step = events["event"].map({f"{kind}_opened": 1, f"{kind}_resolved": -1})
    # Of one minute, the opening counts first.
    order = events.assign(step=step).sort_values(["ts", "step"], ascending=[True, False])
    still_open = order.groupby("customer_id")["step"].cumsum()
    assert still_open.min() == 0
    early = order[order["ts"] < END - pd.Timedelta(days=60)]
    assert early["step"].sum() > 0.05 * (early["step"] == 1).sum()


def test_every_purchase_asks_for_a_payment(shop: Shop, bought: pd.DataFrame) -> None:
    asked = shop.activity[shop.activity["event"].isin(["payment_ok", "payment_failed"])]
    keys = ["customer_id", "ts"]
    assert len(bought[keys].merge(asked[keys].drop_duplicates(), on=keys)) == len(bought)
    failed = (asked["event"] == "payment_failed").sum()
    assert len(bought) < len(asked) < len(bought) + failed, "a few failures are never mended"


@pytest.mark.parametrize(
    ("instrument", "low", "high"), [("nps", 0, 10), ("ces", 1, 7), ("csat", 1, 5)]
)
def test_scores_are_whole_and_use_their_scale(
    shop: Shop, instrument: str, low: int, high: int
) -> None:
    scores = shop.surveys.loc[shop.surveys["instrument"] == instrument, "score"]
    assert set(scores) <= set(range(low, high + 1))
    assert scores.nunique() >= high - low, "at most the rarest score is missing"


def test_there_are_three_instruments_and_few_answers(shop: Shop, bought: pd.DataFrame) -> None:
    assert set(shop.surveys["instrument"]) == set(SCALES)
    nps = (shop.surveys["instrument"] == "nps").sum()
    assert 0.05 < nps / len(bought) < 0.2


def test_each_customer_stands_once_in_customers(shop: Shop, bought: pd.DataFrame) -> None:
    assert shop.customers["customer_id"].tolist() == [f"C{i:05d}" for i in range(800)]
    first_day = bought.groupby("customer_id")["ts"].min().dt.normalize()
    assert (shop.customers.set_index("customer_id")["since"] == first_day).all()
    assert set(shop.customers["segment"]) == set(SEGMENTS)


def test_customers_join_in_the_first_three_quarters_many_at_the_start(
    shop: Shop, bought: pd.DataFrame
) -> None:
    joined = shop.truth.joined
    assert (bought.groupby("customer_id")["ts"].min() == joined).all()
    assert joined.max() < START + pd.Timedelta(days=0.75 * DAYS)
    assert 0.35 < (joined < START + pd.Timedelta(days=28)).mean() < 0.55


@settings(max_examples=25, deadline=None)
@given(customers=st.integers(1, 5), days=st.integers(1, 30), seed=st.integers(0, 99))
def test_tiny_shops_keep_the_schema(customers: int, days: int, seed: int) -> None:
    shop = simulate(customers=customers, days=days, start="2024-02-27", seed=seed)
    assert len(shop.purchases) >= len(shop.customers) == customers
    assert shop.truth.end == pd.Timestamp("2024-02-27") + pd.Timedelta(days=days)
    for log in TIMED:
        ts = getattr(shop, log)["ts"]
        assert ts.dtype == "datetime64[us]"
        assert ((ts >= shop.truth.start) & (ts < shop.truth.end)).all()


@pytest.mark.parametrize(("customers", "days"), [(0, 10), (10, 0), (-1, 10)])
def test_an_empty_shop_is_refused(customers: int, days: int) -> None:
    with pytest.raises(ValueError, match="at least 1 customer and 1 day"):
        simulate(customers=customers, days=days)


# The truth


@pytest.mark.parametrize("cutoff", ["2023-04-03", "2023-11-16 17:05", "2024-06-15", "2024-11-01"])
def test_truth_agrees_with_what_happened(shop: Shop, bought: pd.DataFrame, cutoff: str) -> None:
    truth = shop.truth.churn_probability(cutoff, HORIZON)
    churned = stayed_away(bought, truth.index, pd.Timestamp(cutoff))
    assert standard_errors_off(truth, churned) < 3


def test_truth_agrees_with_what_happened_in_each_tenth(shop: Shop, bought: pd.DataFrame) -> None:
    truth = shop.truth.churn_probability(CUTOFF, HORIZON)
    churned = stayed_away(bought, truth.index, CUTOFF)
    for tenth in np.array_split(truth.sort_values().index, 10):
        assert standard_errors_off(truth[tenth], churned[tenth]) < 3.5
    assert truth.max() - truth.min() > 0.8


def test_number_of_purchases_is_that_of_the_rate(shop: Shop, bought: pd.DataFrame) -> None:
    since = pd.Timestamp("2023-11-01")
    veterans = shop.truth.joined.index[shop.truth.joined < since]
    expected = -np.log(shop.truth.churn_probability(since, 400)[veterans]).sum()
    window = (bought["ts"] >= since) & (bought["ts"] < since + pd.Timedelta(days=400))
    count = (window & bought["customer_id"].isin(veterans)).sum()
    assert abs(count - expected) < 3 * np.sqrt(expected)


@pytest.mark.parametrize("cutoff", [CUTOFF, END - pd.Timedelta(days=20)])
def test_truth_equals_the_integral_minute_by_minute(shop: Shop, cutoff: pd.Timestamp) -> None:
    customer = shop.customers["customer_id"][0]
    rate = shop.truth.purchase_rate.loc[customer]
    minutes = pd.date_range(cutoff, periods=20 * 24 * 60, freq="min")
    integral = sum(rate.asof(day) * n for day, n in minutes.floor("D").value_counts().items())
    truth = shop.truth.churn_probability(cutoff, 20)[customer]
    assert truth == pytest.approx(np.exp(-integral / (24 * 60)), rel=1e-12)


@given(
    minute=st.integers(1, (DAYS - 200) * 24 * 60),
    first=st.integers(1, 100),
    then=st.integers(1, 100),
)
def test_a_window_is_the_product_of_its_parts(
    shop: Shop, minute: int, first: int, then: int
) -> None:
    cutoff = START + pd.Timedelta(minutes=minute)
    between = cutoff + pd.Timedelta(days=first)
    whole = shop.truth.churn_probability(cutoff, first + then)
    early = shop.truth.churn_probability(cutoff, first)
    late = shop.truth.churn_probability(between, then)[whole.index]
    np.testing.assert_allclose(whole, early * late, rtol=1e-9)


def test_truth_knows_only_those_who_joined_before_the_cutoff(shop: Shop) -> None:
    newest = shop.truth.joined.idxmax()
    instant = shop.truth.joined[newest]
    assert newest not in shop.truth.churn_probability(instant, HORIZON).index
    a_minute_later = shop.truth.churn_probability(instant + pd.Timedelta(minutes=1), HORIZON)
    assert newest in a_minute_later.index
    assert shop.truth.churn_probability(START, HORIZON).empty


@pytest.mark.parametrize(
    "cutoff",
    [
        date(2024, 6, 15),
        pd.Timestamp("2024-06-15"),
        pd.Timestamp("2024-06-15 03:30", tz="Asia/Tehran"),
        np.datetime64("2024-06-15"),
        # No event lies between a minute and the seconds before it.
        "2024-06-14 23:59:30",
    ],
)
def test_cutoffs_of_every_kind_mean_the_same_instant(shop: Shop, cutoff: object) -> None:
    expected = shop.truth.churn_probability("2024-06-15", HORIZON)
    assert_series_equal(shop.truth.churn_probability(cutoff, HORIZON), expected)


@pytest.mark.parametrize(
    ("cutoff", "horizon"),
    [("2022-12-31", 30), ("2024-12-01", 31), ("2024-06-15", 0), ("2024-06-15", -5), (None, 30)],
)
def test_a_window_outside_the_span_is_refused(shop: Shop, cutoff: str, horizon: int) -> None:
    with pytest.raises(ValueError, match="inside the simulated span"):
        shop.truth.churn_probability(cutoff, horizon)


def test_the_last_window_ends_with_the_span(shop: Shop) -> None:
    last = shop.truth.churn_probability("2024-12-01", 30)
    assert len(last) == len(shop.customers)
    assert last.between(0, 1).all()


# Satisfaction drives everything


def test_churn_falls_with_satisfaction(shop: Shop) -> None:
    truth = shop.truth.churn_probability(CUTOFF, HORIZON)
    weeks = shop.truth.satisfaction.loc[truth.index, :CUTOFF]
    assert truth.corr(weeks.iloc[:, -1], method="spearman") < -0.5


def test_purchases_follow_satisfaction_with_a_delay(shop: Shop) -> None:
    logged = np.log(shop.truth.purchase_rate)
    pulled = RATES.purchase_pull * shop.truth.satisfaction.shift(RATES.purchase_lag, axis=1)
    # What is left is the own level plus the season: the same weekly steps for everybody.
    steps = (logged - pulled).iloc[:, RATES.purchase_lag :].diff(axis=1).iloc[:, 1:]
    assert steps.std().max() < 1e-12
    assert 0 < steps.mean().abs().max() < 0.05, "the season is mild"


def test_visits_react_before_purchases(shop: Shop, bought: pd.DataFrame) -> None:
    visits = shop.activity[shop.activity["event"] == "visit"]
    browsed = visits[
        ~visits.set_index(["customer_id", "ts"]).index.isin(
            bought.set_index(["customer_id", "ts"]).index
        )
    ]
    later = pd.Timedelta(weeks=RATES.purchase_lag)

    def change(events: pd.DataFrame) -> float:
        """Mean change of satisfaction in the lag before the events."""
        old = events[events["ts"] >= START + later]
        return float(np.mean(mood(shop, old) - mood(shop, old.assign(ts=old["ts"] - later))))

    # Visits come when satisfaction is already up; purchases do not know of it yet.
    assert change(browsed) > change(bought) + 0.01


@pytest.mark.parametrize("instrument", ["nps", "ces", "csat"])
def test_survey_scores_rise_with_satisfaction(shop: Shop, instrument: str) -> None:
    answers = shop.surveys[shop.surveys["instrument"] == instrument]
    assert np.corrcoef(mood(shop, answers), answers["score"])[0, 1] > 0.5


@pytest.mark.parametrize("event", ["complaint_opened", "support_opened", "payment_failed"])
def test_trouble_comes_with_low_satisfaction(shop: Shop, event: str) -> None:
    trouble = shop.activity[shop.activity["event"] == event]
    visits = shop.activity[shop.activity["event"] == "visit"]
    assert mood(shop, trouble).mean() < mood(shop, visits).mean() - 0.2


def test_complainers_are_the_less_satisfied_customers(shop: Shop) -> None:
    complaints = shop.activity[shop.activity["event"] == "complaint_opened"]
    count = complaints["customer_id"].value_counts().reindex(shop.customers["customer_id"])
    satisfaction = shop.truth.satisfaction.mean(axis=1)
    visits = shop.activity.loc[shop.activity["event"] == "visit", "customer_id"].value_counts()
    per_visit = count.fillna(0) / visits.reindex(count.index)
    assert per_visit.corr(satisfaction, method="spearman") < -0.1


def test_returns_come_with_low_satisfaction(shop: Shop, bought: pd.DataFrame) -> None:
    returned = shop.purchases[shop.purchases["amount"] < 0]
    assert mood(shop, returned).mean() < mood(shop, bought).mean() - 0.1


def test_some_slide_down_for_good(shop: Shop) -> None:
    end, start = shop.truth.satisfaction.iloc[:, -13:], shop.truth.satisfaction.iloc[:, :13]
    assert 0.1 < (end.mean(axis=1) < start.mean(axis=1) - 1.5).mean() < 0.5
    assert (end.mean(axis=1) > start.mean(axis=1) + 1.5).mean() < 0.02


def test_base_rate_of_the_recent_buyers_is_worth_predicting(bought: pd.DataFrame) -> None:
    cutoff = END - pd.Timedelta(days=HORIZON)
    lookback = cutoff - pd.Timedelta(days=180)
    recent = bought[(bought["ts"] >= lookback) & (bought["ts"] < cutoff)]
    at_risk = pd.Index(recent["customer_id"].unique())
    assert 0.25 < stayed_away(bought, at_risk, cutoff).mean() < 0.5


# On disk


def test_write_round_trips_and_keeps_the_truth_back(shop: Shop, tmp_path: Path) -> None:
    paths = shop.write(tmp_path / "new" / "folder")
    assert list(paths) == list(LOGS)
    for log, path in paths.items():
        assert path.name == f"{log}.parquet"
        assert_frame_equal(pd.read_parquet(path), getattr(shop, log))
    assert sorted(path.parent.iterdir()) == sorted(paths.values())
