"""What the logs alone tell: days without data, units, names, columns; and what is no alarm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.clock import Cutoff
from churnkit.features.static import StaticColumn
from churnkit.inputs import inputs_told
from churnkit.labels import Question
from churnkit.logs import Contract, LogMapping
from churnkit.monitor.behaviour import behaviour
from churnkit.monitor.columns import columns
from churnkit.monitor.days import LogDays, days_of, decades
from churnkit.monitor.sizes import sizes
from churnkit.monitor.volumes import YEAR, Level, Span, level_of, market_moved, volumes
from churnkit.simulate import Shop, simulate
from churnkit.sources import read_logs

WEEK = Span.of(7)
AS_OF = Cutoff.parse("2024-03-15")
ASKED = Question(horizon_days=30, lookback_days=90)
CONTRACT = Contract(mappings={"customers": LogMapping(static=("segment",))})
Frames = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def frames() -> Frames:
    """A shop of 2,500 customers; whoever changes a log changes a copy."""
    made: Shop = simulate(customers=2500, days=500)
    return {n: getattr(made, n) for n in ("purchases", "activity", "surveys", "customers")}


def found(frames: Frames, as_of: Cutoff = AS_OF, span: Span = WEEK, **changed: pd.DataFrame):
    """Codes and subjects of the alarms, and the notes."""
    logs = read_logs(**{**frames, **changed}, contract=replace(CONTRACT, max_rejected_share=1.0))
    days = days_of(logs, as_of)
    told = volumes(days, as_of, span, "purchases")
    told.add(sizes(days, span, logs.instruments))
    words = logs.static_words(as_of)
    static = [StaticColumn.learn(name, counts) for name, counts in words.items()]
    told.add(behaviour(logs, ASKED, as_of, static)[0])
    return {(a.code, a.subject) for a in told.alarms}, told.notes


def since(frame: pd.DataFrame, days: float, until: float = 0.0) -> pd.Series:
    """The rows of the last days before the run."""
    end = pd.Timestamp(str(AS_OF))
    return (frame["ts"] >= end - pd.Timedelta(days=days)) & (
        frame["ts"] < end - pd.Timedelta(days=until)
    )


# ── Nothing planted ─────────────────────────────────────────────────────────────────────────


def test_weeks_in_which_nothing_happened_raise_no_alarm(frames: Frames) -> None:
    logs = read_logs(**frames, contract=CONTRACT)
    words = logs.static_words(AS_OF)
    static = [StaticColumn.learn(name, counts) for name, counts in words.items()]
    for week in range(5):
        as_of = AS_OF.shifted(-7 * week)
        days = days_of(logs, as_of)
        told = volumes(days, as_of, WEEK, "purchases")
        told.add(sizes(days, WEEK, logs.instruments))
        told.add(behaviour(logs, ASKED, as_of, static)[0])
        assert told.alarms == [], as_of


def test_what_happens_at_the_cutoff_or_later_changes_nothing(frames: Frames) -> None:
    logs = read_logs(**frames, contract=CONTRACT)
    whole, known = days_of(logs, AS_OF), days_of(logs.before(AS_OF), AS_OF)
    for log, told in known.items():
        assert (told.rows == whole[log].rows).all()
        assert {k: v.tolist() for k, v in told.words.items()} == {
            k: v.tolist() for k, v in whole[log].words.items()
        }


# ── Planted, each in the week in which it happens ───────────────────────────────────────────


def test_a_unit_change_is_noticed_and_its_factor_told(frames: Frames) -> None:
    purchases = frames["purchases"].copy()
    purchases.loc[since(purchases, 7), "amount"] *= 100
    assert found(frames, purchases=purchases)[0] == {("unit_change", "purchases.amount")}
    logs = read_logs(purchases)
    told = sizes(days_of(logs, AS_OF), WEEK, logs.instruments)
    assert "is 100 times larger" in told.alarms[0].what
    assert told.alarms[0].figure == pytest.approx(100, rel=0.15)


def test_a_unit_change_of_the_last_two_days_is_noticed(frames: Frames) -> None:
    purchases = frames["purchases"].copy()
    purchases.loc[since(purchases, 2), "amount"] *= 100
    assert found(frames, purchases=purchases)[0] == {("unit_of_some", "purchases.amount")}


def test_a_turned_sign_is_noticed(frames: Frames) -> None:
    purchases = frames["purchases"].copy()
    purchases.loc[since(purchases, 7), "amount"] *= -1
    assert ("sign_change", "purchases.amount") in found(frames, purchases=purchases)[0]


def test_an_optional_column_that_went_blank_is_noticed(frames: Frames) -> None:
    activity = frames["activity"].assign(value=2.0)
    activity.loc[since(activity, 7), "value"] = np.nan
    assert found(frames, activity=activity)[0] == {("gone_blank", "activity.value")}


def test_another_scale_of_a_survey_is_noticed(frames: Frames) -> None:
    surveys = frames["surveys"].copy()
    halved = since(surveys, 7) & (surveys["instrument"] == "nps")
    surveys.loc[halved, "score"] = (surveys.loc[halved, "score"] / 2).round()
    assert found(frames, surveys=surveys)[0] == {("scale_change", "surveys.nps")}


@pytest.mark.parametrize("log", ["purchases", "activity"])
def test_a_day_without_data_is_noticed(frames: Frames, log: str) -> None:
    rows = frames[log]
    codes, _ = found(frames, **{log: rows[~since(rows, 4, 3)]})
    assert codes == {("day_without_data", log)}


def test_a_log_that_ends_early_is_stale(frames: Frames) -> None:
    rows = frames["purchases"]
    assert found(frames, purchases=rows[~since(rows, 2)])[0] == {("stale_log", "purchases")}


def test_a_log_of_the_question_that_ended_long_ago_stays_an_alarm(frames: Frames) -> None:
    rows = frames["purchases"]
    logs = read_logs(**{**frames, "purchases": rows[~since(rows, 100)]}, contract=CONTRACT)
    told = volumes(days_of(logs, AS_OF), AS_OF, WEEK, "purchases")
    assert ("stale_log", "purchases") in {(a.code, a.subject) for a in told.alarms}


def test_half_of_a_day_lost_or_loaded_five_times_is_noticed(frames: Frames) -> None:
    rows, rng = frames["activity"], np.random.default_rng(1)
    lost = since(rows, 4, 3) & (rng.random(len(rows)) < 0.9)
    assert found(frames, activity=rows[~lost])[0] == {("thin_day", "activity")}
    day = rows[since(rows, 4, 3)]
    copies = [day.assign(ts=day["ts"] + pd.Timedelta(seconds=k)) for k in range(1, 6)]
    swollen, _ = found(frames, activity=pd.concat([rows, *copies]))
    assert ("swollen_day", "activity") in swollen


def test_a_renamed_event_is_lost_and_new(frames: Frames) -> None:
    rows = frames["activity"].copy()
    rows.loc[since(rows, 7) & (rows["event"] == "visit"), "event"] = "page_view"
    assert found(frames, activity=rows)[0] == {
        ("lost_name", "activity.visit"), ("new_names", "activity"),
    }  # fmt: skip


def test_a_segment_that_buys_half_as_often_is_noticed_and_no_other(frames: Frames) -> None:
    rows, rng = frames["purchases"], np.random.default_rng(2)
    customers = frames["customers"]
    home = rows["customer_id"].isin(customers.loc[customers["segment"] == "home", "customer_id"])
    left_out = since(rows, 7) & home & (rng.random(len(rows)) < 0.5)
    codes, _ = found(frames, purchases=rows[~left_out])
    assert codes == {("behaviour_shift", "segment=home")}


def test_when_all_customers_buy_less_it_is_a_note(frames: Frames) -> None:
    rng, thinned = np.random.default_rng(3), {}
    for log in ("purchases", "activity"):
        rows = frames[log]
        thinned[log] = rows[~(since(rows, 7) & (rng.random(len(rows)) < 0.35))]
    codes, notes = found(frames, **thinned)
    assert codes == set()
    assert any("the market as a whole has moved" in note for note in notes)


# ── Daily counts, by hand ───────────────────────────────────────────────────────────────────


def log_of(rows: np.ndarray) -> LogDays:
    told = LogDays(rows.astype(np.int64))
    told.begun = int(np.flatnonzero(rows)[0])
    return told


def alarms_of(rows: np.ndarray, closed: tuple[str, ...] = ()) -> tuple[list[str], list[str]]:
    told = volumes({"purchases": log_of(rows)}, AS_OF, WEEK, "purchases", closed)
    return [alarm.code for alarm in told.alarms], told.notes


def steady(days: int = 470, mean: float = 60.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(mean, days)


def test_a_shop_that_is_closed_on_one_weekday_raises_no_alarm() -> None:
    rows = steady()
    rows[::7] = 0
    assert alarms_of(rows) == ([], [])


@settings(max_examples=20)
@given(st.integers(0, 200))
def test_a_shop_that_often_has_empty_days_raises_no_alarm(seed: int) -> None:
    rows = steady(seed=seed)
    rows[np.random.default_rng(seed).random(len(rows)) < 0.3] = 0
    assert "day_without_data" not in alarms_of(rows)[0]
    assert "stale_log" not in alarms_of(rows)[0]


@settings(max_examples=40)
@given(st.integers(0, 200), st.sampled_from([0.3, 2.0, 15.0, 4000.0]))
def test_chance_alone_raises_no_alarm_however_small_or_large_the_shop(
    seed: int, mean: float
) -> None:
    assert alarms_of(steady(mean=mean, seed=seed)) == ([], [])


def test_a_few_events_a_day_need_more_than_one_empty_day() -> None:
    rows = steady(mean=4.0)
    rows[rows == 0] = 4
    one, many = rows.copy(), rows.copy()
    one[-3], many[-7:-2] = 0, 0
    assert "day_without_data" not in alarms_of(one)[0]
    assert "day_without_data" in alarms_of(many)[0]


def test_a_day_that_is_declared_closed_is_expected_to_be_empty() -> None:
    rows = steady()
    rows[-3] = 0
    assert alarms_of(rows)[0] == ["day_without_data"]
    assert alarms_of(rows, closed=(str(AS_OF.shifted(-3)),))[0] == []


def test_a_closure_that_last_year_had_as_well_is_a_season() -> None:
    rows = steady()
    rows[-5:-2] = 0
    rows[-YEAR - 4 : -YEAR - 1] = 0
    codes, notes = alarms_of(rows)
    assert codes == []
    assert any("a season" in note for note in notes)


def test_a_week_of_twice_as_much_is_an_alarm_unless_last_year_had_it() -> None:
    rows = steady()
    rows[-7:] *= 3
    assert "volume_rise" in alarms_of(rows)[0]
    rows[-YEAR - 7 : -YEAR] *= 3
    codes, notes = alarms_of(rows)
    assert codes == []
    assert any("a season" in note for note in notes)


def test_a_young_log_is_not_judged_and_says_so() -> None:
    rows = np.zeros(470, dtype=int)
    rows[-20:] = 50
    told = volumes({"purchases": log_of(rows)}, AS_OF, WEEK, "purchases")
    assert told.alarms == []
    assert {check for check, _ in told.untried} == {"days of purchases", "volume of purchases"}


def test_the_market_has_moved_only_if_a_week_or_a_month_is_off() -> None:
    rows = steady()
    assert market_moved(log_of(rows)) is None
    rows[-7:] = rows[-7:] // 2
    assert market_moved(log_of(rows)) is not None


def test_a_level_is_compared_with_the_weeks_before_it_alone() -> None:
    rows = np.zeros(470)
    rows[-70:] = 10.0
    told = level_of(rows, 7, 400)
    assert told is not None
    assert (told.count, told.usual) == (70.0, 70.0)
    assert told.ratio == pytest.approx(1)
    assert level_of(rows, 7, 445) is None


def test_a_long_pause_between_runs_looks_at_four_weeks() -> None:
    assert Span.of(0) == Span(1, 7)
    assert Span.of(8) == Span(8, 14)
    assert Span.of(200) == Span(28, 28)


@pytest.mark.parametrize("value", [0.01, 9.99, 350.0, 1e6])
def test_the_median_of_a_log_is_found_to_a_twentieth_of_a_decade(value: float) -> None:
    frame = pd.DataFrame({"customer_id": ["a"], "ts": ["2024-03-01"], "amount": [value]})
    counts = days_of(read_logs(frame), AS_OF)["purchases"].sizes["amount"].sum(axis=0)
    assert decades(0.5, counts) == pytest.approx(np.log10(round(value, 2)), abs=0.05)


def test_counts_that_are_as_usual_surprise_nobody() -> None:
    assert abs(Level.of(100, [100] * 8).surprise) < 1e-9
    assert not Level.of(40, [30] * 8).beyond(1.25)


# ── What only runs before can tell ──────────────────────────────────────────────────────────


def told_of(**change: object) -> dict[str, object]:
    log = {"read": 1000, "faulty": 2, "rejected": {"missing_ts": 2},
           "columns": {"id": "VARCHAR", "ts": "TIMESTAMP", "amount": "DOUBLE"}}  # fmt: skip
    return {"logs": {"purchases": {**log, **change}}}


def test_columns_that_came_went_or_changed_their_type_are_one_alarm() -> None:
    now = told_of(columns={"id": "VARCHAR", "ts": "VARCHAR", "price": "DOUBLE"})
    (alarm,) = columns(now, [told_of()]).alarms
    assert alarm.code == "schema_change"
    for said in ("price came", "amount are gone", "ts (TIMESTAMP to VARCHAR)"):
        assert said in alarm.what


def test_a_wider_number_is_no_other_type() -> None:
    now = told_of(columns={"id": "VARCHAR", "ts": "TIMESTAMP", "amount": "DECIMAL(18,3)"})
    assert columns(now, [told_of()]).alarms == []


def test_rows_set_aside_beyond_the_habit_are_an_alarm_and_chance_is_not() -> None:
    bad = told_of(read=1100, faulty=42, rejected={"missing_ts": 2, "score_outside_scale": 40})
    (alarm,) = columns(bad, [told_of()]).alarms
    assert alarm.code == "rejected_share"
    assert "40 score_outside_scale" in alarm.what
    assert columns(told_of(read=1100, faulty=3), [told_of()]).alarms == []
    assert columns(told_of(read=1005, faulty=7), [told_of()]).alarms == []  # five new rows


def test_a_shop_that_often_sets_rows_aside_has_another_habit() -> None:
    runs = [told_of(read=1000 * k, faulty=60 * k, rejected={"missing_ts": 60 * k}) for k in (1, 2)]
    now = told_of(read=3000, faulty=190, rejected={"missing_ts": 190})
    assert columns(now, runs).alarms == []


def test_a_log_that_came_or_went_is_an_alarm() -> None:
    both = {"logs": {**told_of()["logs"], "surveys": told_of()["logs"]["purchases"]}}
    assert [a.code for a in columns(both, [told_of()]).alarms] == ["new_log"]
    assert [a.code for a in columns(told_of(), [both]).alarms] == ["lost_log"]


def test_the_first_run_compares_no_columns_and_says_so() -> None:
    told = columns(told_of(), [])
    assert told.alarms == []
    assert told.untried == [("columns of the sources", "no run before told what its logs were")]


def test_an_added_column_is_seen_between_two_runs() -> None:
    frame = pd.DataFrame({"customer_id": ["a", "b"], "ts": ["2024-01-01", "2024-02-01"]})
    before = inputs_told(read_logs(frame))
    (alarm,) = columns(inputs_told(read_logs(frame.assign(coupon="x"))), [before]).alarms
    assert (alarm.code, alarm.subject) == ("schema_change", "purchases")
    assert "coupon came" in alarm.what


def test_one_event_where_twelve_are_usual_may_be_chance() -> None:
    assert not Level.of(1, [12, 14, 9, 11, 13, 12, 10, 15]).beyond(4.0)
    assert Level.of(10, [120, 140, 90, 110, 130, 120, 100, 150]).beyond(4.0)
