"""The year of nights: nothing is seen early, what is planted is there, and alarms are counted."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import year

QUIET = year.Night(1, "2023-09-09", 0, "ok", "", (), (), {}, (), 1.0, "")


@pytest.fixture(scope="module")
def world() -> year.World:
    return year.World(customers=400, seed=3)


@pytest.mark.parametrize("week", [0, year.SCHEMA, year.WEEKS])
def test_no_week_sees_what_comes_after_it(world: year.World, week: int) -> None:
    frames = world.seen(week)
    for name in year.EVENTS_OF:
        assert frames[name]["ts"].max() < world.day(week)
    assert frames["customers"]["since"].max() < world.day(week)


def test_the_shop_grows_all_year(world: year.World) -> None:
    known = [len(world.seen(week)["customers"]) for week in (0, 26, 52)]
    assert known[0] < known[1] < known[2]


def test_a_column_has_another_name_for_a_week(world: year.World) -> None:
    with_amount = ["amount" in world.seen(year.SCHEMA + k)["purchases"] for k in (-1, 0, 1)]
    assert with_amount == [True, False, True]


def test_amounts_are_a_hundredfold_for_a_week_and_only_the_newest(world: year.World) -> None:
    now, later = (world.seen(week)["purchases"] for week in (year.UNIT, year.UNIT + 1))
    factor = now["amount"] / later.loc[now.index, "amount"]
    newest = now["ts"] >= world.day(year.UNIT - 1)
    assert factor[newest].round(6).eq(100).all()
    assert factor[~newest].eq(1).all()
    assert newest.any()


def test_a_day_never_arrives(world: year.World) -> None:
    days = world.seen(year.WEEKS)["activity"]["ts"].dt.date
    lost = (world.day(year.GAP) - timedelta(days=3)).date()
    around = [(days == lost + timedelta(days=k)).sum() for k in (-1, 0, 1)]
    assert around[1] == 0 < min(around[0], around[2])


def test_the_segment_does_half_as_much(world: year.World) -> None:
    frames = world.seen(year.STALE - 1)
    theirs = frames["customers"].query("segment == @year.SEGMENT")["customer_id"]
    visits = frames["activity"]
    of_theirs = visits["customer_id"].isin(theirs)
    since, weeks = world.day(year.SHIFT - 1), year.STALE - year.SHIFT

    def share_after(mask: object) -> float:
        ts = visits.loc[mask, "ts"]
        span = (world.day(year.SHIFT - 1 - weeks) <= ts) & (ts < since)
        return (ts >= since).sum() / span.sum()

    assert share_after(of_theirs) / share_after(~of_theirs) == pytest.approx(0.5, abs=0.2)


def test_customers_leave_for_good(world: year.World) -> None:
    last = world.seen(year.WEEKS)["activity"].groupby("customer_id")["ts"].max()
    long_gone = last < world.day(year.STALE + 8)
    before = world.seen(year.STALE - 1)["activity"].groupby("customer_id")["ts"].max()
    lively = before[before >= world.day(year.STALE - 3)].index
    assert long_gone[lively].mean() > 0.35


def test_an_event_is_noticed_in_its_week_or_not_at_all() -> None:
    event = next(event for event in year.PLANTED if event.name == "unit")
    told = replace(QUIET, week=year.UNIT, verdict="watch", codes=("unit_change",))
    assert event.noticed([QUIET, told]) == year.UNIT
    assert event.noticed([replace(told, week=year.UNIT + 1)]) is None
    assert event.noticed([replace(told, codes=("feature_drift",))]) is None


def test_a_stop_for_the_data_notices_a_renamed_column() -> None:
    event = next(event for event in year.PLANTED if event.name == "schema")
    assert event.noticed([replace(QUIET, week=year.SCHEMA, exit_code=3)]) == year.SCHEMA
    assert event.noticed([replace(QUIET, week=year.SCHEMA, exit_code=1)]) is None


def test_alarms_that_nothing_explains_are_false() -> None:
    loud = replace(QUIET, verdict="watch", codes=("feature_drift",))
    weeks = [replace(loud, week=week) for week in (2, year.UNIT, year.UNIT + 1, year.CHRISTMAS)]
    assert [night.week for night in year.false_alarms(weeks)] == [2, year.CHRISTMAS]


def test_promises_are_told_of_runs_before_behaviour_changed() -> None:
    came = {"value": 0.75, "low": 0.7, "high": 0.8}
    one = {"light": "red", "promised": 0.7, "realised": came, "customers": 1200}
    nights = [replace(QUIET, week=week, promises=(one,)) for week in (20, year.SHIFT)]
    assert list(year.promised(nights)) == [
        ["2023-09-09", "red", "≥ 70%", "75.0% [70.0%, 80.0%]", "1,200"]
    ]
