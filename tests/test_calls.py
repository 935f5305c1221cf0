"""Calls: how many there is time for, whose they are, and until when they are due."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from churnkit.actions import Actions, Calls, Holdout, Playbook, Playbooks, Within, WorkingWeek, plan
from churnkit.clock import DAY, SECOND, Cutoff, Window, time_left
from churnkit.errors import ConfigError

HOUR = 3600 * SECOND
MONDAY = Cutoff.parse("2024-06-03")
BOOKS = Playbooks(
    (
        Playbook("ask anna", "call", "call", "1 day", reason=("score",), owner="anna"),
        Playbook("ask bob", "visit", "visit", "1 day", reason=("rhythm",), owner="bob"),
        Playbook(
            "owed", "call", "call", "1 day", reason=("complaint",), owner="anna", holdout=False
        ),
        Playbook("rest", "mail", "mail", "1 day", owner="marketing"),
    )
)
OWNER = {"score": "anna", "rhythm": "bob", "complaint": "anna", "other": "marketing"}


def run_of(reasons: list[str], ranks: list[int] | None = None) -> pd.DataFrame:
    rows = len(reasons)
    return pd.DataFrame(
        {
            "customer_id": [f"c{k}" for k in range(rows)],
            "value_at_risk": np.full(rows, np.nan),
            "rank": ranks or list(range(1, rows + 1)),
            "light": "red",
            "reason": pd.Series(reasons, dtype=object),
            "segment": "",
        }
    )


def planned(
    reasons: list[str], calls: Calls, share: float = 0.0, **told: list[int]
) -> pd.DataFrame:
    return plan(
        run_of(reasons, **told), Actions(BOOKS, calls=calls, holdout=Holdout(share)), MONDAY
    )


# ── Capacity and quotas ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("reasons", "calls", "listed"),
    [
        ("ssss", Calls(), "cccc"),
        ("ssss", Calls(2), "ccww"),
        ("soso", Calls(1), "ccwc"),  # mails need no time
        ("srsr", Calls(3, {"anna": 1}), "ccwc"),  # who waits takes no time from others
        ("srsr", Calls(None, {"anna": 0}), "wcwc"),  # anna is away
        ("srsr", Calls(1, {"anna": 5, "bob": 5}), "cwww"),
        ("oooo", Calls(1), "cccc"),
    ],
)
def test_the_list_by_hand(reasons, calls, listed):
    names = {"s": "score", "r": "rhythm", "o": "other"}
    told = planned([names[r] for r in reasons], calls)
    assert "".join(name[0] for name in told["listed"]) == listed


def test_the_best_ranks_are_called_wherever_they_stand():
    told = planned(["score"] * 4, Calls(2), ranks=[3, 1, 4, 2])
    assert told["listed"].tolist() == ["waiting", "call", "waiting", "call"]


RUNS = st.lists(st.sampled_from(sorted(OWNER)), max_size=30)
CALLS = st.builds(
    Calls,
    st.none() | st.integers(1, 10),
    st.dictionaries(st.sampled_from(["anna", "bob"]), st.integers(0, 8)),
)


@settings(max_examples=40, deadline=None)
@given(RUNS, CALLS, st.sampled_from([0.0, 0.3]), st.randoms(use_true_random=False))
def test_what_the_capacity_promises(reasons, calls, share, chance):
    told = planned(reasons, calls, share)
    most = np.inf if calls.per_week is None else calls.per_week
    by_person = told["channel"] != "mail"
    done: Counter[str] = Counter()
    for row in told.itertuples():  # in order of rank
        owner = OWNER[row.reason]
        full = sum(done.values()) >= most or done[owner] >= calls.quotas.get(owner, np.inf)
        needs_time = row.channel != "mail"
        # Who waits does so for want of time, and whoever there is time for does not wait.
        assert (row.listed == "waiting") <= (needs_time and full)
        assert (row.listed == "call") <= (not needs_time or not full)
        # Controls take no time, and are those whose turn would have come.
        assert (row.arm == "control") <= (row.listed == "" and not (needs_time and full))
        assert (row.arm == "treated") <= (row.listed == "call")
        done[owner] += row.listed == "call" and needs_time
    assert (by_person & (told["listed"] == "call")).sum() <= most
    order = list(range(len(reasons)))
    chance.shuffle(order)
    actions = Actions(BOOKS, calls=calls, holdout=Holdout(share))
    again = plan(run_of(reasons).iloc[order], actions, MONDAY)
    pd.testing.assert_frame_equal(again.sort_index(), told)


def test_controls_and_those_beyond_the_capacity_can_be_compared():
    """Whether there is time depends on those before, never on one's own arm."""
    told = planned(["score"] * 400, Calls(50), 0.5)
    last_called = told.index[told["listed"] == "call"].max()
    assert (told["listed"] == "call").sum() == 50
    assert set(told["arm"][: last_called + 1]) == {"treated", "control"}
    assert set(told["arm"][last_called + 1 :]) == {""}
    assert set(told["listed"][last_called + 1 :]) == {"waiting", ""}
    held = told[told["arm"] == "control"]
    assert set(held["owner"]) == set(held["due"]) == set(held["listed"]) == {""}
    assert set(held["playbook"]) == {"ask anna"}
    assert set(held["action"]) == {"call"}


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"per_week": 0}, "per_week = 0 in [calls]: nobody could be called"),
        ({"per_week": -3}, "per_week = -3 in [calls]"),
        ({"quotas": {"anna": -1}}, "the quota of 'anna' in [calls.quotas] is -1"),
        ({"owner": ""}, "owner = '' in [calls] is nobody"),
        ({"owner": "{manager}"}, "owner = '{manager}' in [calls] is nobody"),
    ],
)
def test_a_faulty_capacity_is_named(wrong, found):
    with pytest.raises(ConfigError) as told:
        Calls(**wrong)
    assert found in told.value.found
    assert told.value.mend


def test_a_quota_for_somebody_who_never_calls():
    with pytest.raises(
        ConfigError, match=r"'ana' has a quota .* no playbook.*\nDid you mean 'anna'"
    ):
        Actions(BOOKS, calls=Calls(quotas={"ana": 3}))
    with pytest.raises(ConfigError, match="'marketing' has a quota"):  # which only sends mails
        Actions(BOOKS, calls=Calls(quotas={"marketing": 3}))
    by_column = Playbooks((Playbook("x", "call", "call", "1 day", owner="{manager}"),))
    assert Actions(by_column, calls=Calls(quotas={"ana": 3})).calls.quotas == {"ana": 3}


# ── Due ─────────────────────────────────────────────────────────────────────────────────────

SHOPS = WorkingWeek(days=("sat", "sun", "mon", "tue", "wed"))


@pytest.mark.parametrize(
    ("week", "zone", "as_of", "within", "due"),
    [
        # A Monday; the day begins at 09:00 and ends at 17:00.
        (WorkingWeek(), "UTC", "2024-06-03", "1 working hour", "2024-06-03T10:00"),
        (WorkingWeek(), "UTC", "2024-06-03", "4 working hours", "2024-06-03T13:00"),
        (WorkingWeek(), "UTC", "2024-06-03", "8 working hours", "2024-06-03T17:00"),
        (WorkingWeek(), "UTC", "2024-06-03", "9 working hours", "2024-06-04T10:00"),
        (WorkingWeek(), "UTC", "2024-06-03T15:30", "4 working hours", "2024-06-04T11:30"),
        (WorkingWeek(), "UTC", "2024-06-07T15:30", "4 working hours", "2024-06-10T11:30"),
        (WorkingWeek(), "UTC", "2024-06-08", "4 working hours", "2024-06-10T13:00"),
        (WorkingWeek(), "UTC", "2024-06-03T17:00", "1 working hour", "2024-06-04T10:00"),
        (WorkingWeek(), "UTC", "2024-06-03", "1 working day", "2024-06-03T17:00"),
        (WorkingWeek(), "UTC", "2024-06-03", "2 working days", "2024-06-04T17:00"),
        (WorkingWeek(), "UTC", "2024-06-03T09:00", "1 working day", "2024-06-03T17:00"),
        (WorkingWeek(), "UTC", "2024-06-03T12:00", "1 working day", "2024-06-04T12:00"),
        (WorkingWeek(), "UTC", "2024-06-03T17:00", "1 working day", "2024-06-04T17:00"),
        (WorkingWeek(), "UTC", "2024-06-07T12:00", "1 working day", "2024-06-10T12:00"),
        (WorkingWeek(), "UTC", "2024-06-07", "2 working days", "2024-06-10T17:00"),
        (WorkingWeek(), "UTC", "2024-06-08", "1 working day", "2024-06-10T17:00"),
        (WorkingWeek(), "UTC", "2024-06-07", "1 day", "2024-06-08T00:00"),
        (WorkingWeek(), "UTC", "2024-06-07", "36 hours", "2024-06-08T12:00"),
        # Saturday to Wednesday: Thursday 6 June and Friday are free.
        (SHOPS, "Asia/Tehran", "2024-06-05", "9 working hours", "2024-06-08T10:00"),
        (SHOPS, "Asia/Tehran", "2024-06-06", "4 working hours", "2024-06-08T13:00"),
        (SHOPS, "Asia/Tehran", "2024-06-05", "2 working days", "2024-06-08T17:00"),
        # Clocks go forward on Sunday 31 March 2024, and back on Sunday 27 October.
        (WorkingWeek(), "Europe/Berlin", "2024-03-29", "9 working hours", "2024-04-01T10:00"),
        (WorkingWeek(), "Europe/Berlin", "2024-03-30", "1 day", "2024-03-31T00:00"),
        (WorkingWeek(), "Europe/Berlin", "2024-03-31", "1 day", "2024-04-01T00:00"),
        (WorkingWeek(), "Europe/Berlin", "2024-03-31", "4 hours", "2024-03-31T05:00"),
        (
            WorkingWeek("00:00", "08:00", ("sun",)), "Europe/Berlin", "2024-03-31",
            "4 working hours", "2024-03-31T05:00",
        ),
        (
            WorkingWeek("00:00", "08:00", ("sun",)), "Europe/Berlin", "2024-10-27",
            "4 working hours", "2024-10-27T03:00",
        ),
        # Samoa had no Friday 30 December 2011, and Tehran no midnight on 22 March 2021.
        (WorkingWeek(), "Pacific/Apia", "2011-12-29", "2 working days", "2012-01-02T17:00"),
        (WorkingWeek(), "Pacific/Apia", "2011-12-29", "9 working hours", "2012-01-02T10:00"),
        (WorkingWeek("00:00", "08:00"), "Asia/Tehran", "2021-03-22", "1 working day",
         "2021-03-22T08:00"),
    ],
)  # fmt: skip
def test_due_by_hand(week, zone, as_of, within, due):
    found = week.due(Cutoff.parse(as_of, zone), Within.parse(within))
    assert found == Cutoff.parse(due, zone)


def test_the_plan_tells_the_instant_in_the_business_zone():
    cutoff = Cutoff.parse("2024-06-05", "Asia/Tehran")
    told = plan(run_of(["other"]), Actions(BOOKS, week=SHOPS, holdout=Holdout(0)), cutoff)
    assert told["due"].tolist() == ["2024-06-06T00:00:00+03:30"]


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Tehran", "America/New_York", "Asia/Kolkata"])
MOMENTS = st.builds(
    datetime.combine,
    st.dates(date(2019, 1, 1), date(2026, 1, 1)),
    st.times().map(lambda at: at.replace(microsecond=0)),
)
WEEKS = st.builds(
    lambda starts, length, days: WorkingWeek(
        f"{starts // 60:02}:{starts % 60:02}",
        f"{(starts + length) // 60:02}:{(starts + length) % 60:02}",
        tuple(sorted(days)),
    ),
    st.integers(0, 10 * 60),
    st.integers(60, 13 * 60),
    st.sets(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1),
)
FEW = settings(max_examples=80, deadline=None)


def worked(week: WorkingWeek, start: Cutoff, end: Cutoff) -> int:
    """Microseconds of work between two moments, minute by minute; both on whole minutes."""
    zone, total = ZoneInfo(start.zone), 0
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    for us in range(start.us, end.us, 60 * SECOND):
        local = datetime.fromtimestamp(us // SECOND, zone)
        clock = f"{local:%H:%M}"
        at_work = week.day_starts <= clock < week.day_ends
        total += at_work and names[local.weekday()] in week.days
    return total * 60 * SECOND


@settings(max_examples=25, deadline=None)
@given(MOMENTS, ZONES, WEEKS, st.integers(1, 6))
@example(
    datetime.fromisoformat("2024-03-30T20:00"),
    "Europe/Berlin",
    WorkingWeek("01:30", "06:00", ("sun",)),
    3,
)
@example(
    datetime.fromisoformat("2024-10-26T20:00"),
    "Europe/Berlin",
    WorkingWeek("01:00", "06:00", ("sun",)),
    6,
)
def test_working_hours_are_those_that_people_work(at, zone, week, hours):
    """Counted minute by minute on the clocks of the zone."""
    start = Cutoff.parse(at.replace(second=0), zone)
    due = week.due(start, Within(hours, "working hour"))
    assume(due.us - start.us < 30 * DAY)
    assert worked(week, start, due) == hours * HOUR
    # The last minute before is one of work: nothing is put off.
    assert worked(week, Cutoff(due.us - 60 * SECOND, zone), due) == 60 * SECOND


@FEW
@given(MOMENTS, ZONES, WEEKS, st.integers(1, 40), st.integers(1, 40))
def test_hours_add_up(at, zone, week, first, then):
    start = Cutoff.parse(at, zone)
    twice = week.due(week.due(start, Within(first, "working hour")), Within(then, "working hour"))
    assert twice == week.due(start, Within(first + then, "working hour"))


@FEW
@given(MOMENTS, ZONES, WEEKS, st.integers(1, 20), st.sampled_from(["working hour", "working day"]))
def test_due_lies_at_work_later_and_later(at, zone, week, amount, unit):
    start = Cutoff.parse(at, zone)
    due, later = (week.due(start, Within(n, unit)) for n in (amount, amount + 1))
    assert start.us < due.us < later.us
    local = due.local
    assert week.day_starts <= f"{local:%H:%M}" <= week.day_ends
    assert ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[local.weekday()] in week.days


@FEW
@given(st.dates(date(2019, 1, 1), date(2026, 1, 1)), ZONES, WEEKS, st.integers(1, 20))
def test_from_the_start_of_a_day_working_days_are_counted_by_the_calendar(day, zone, week, days):
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    found = [d for d in (day + timedelta(k) for k in range(150)) if names[d.weekday()] in week.days]
    ends = datetime.fromisoformat(f"{found[days - 1]}T{week.day_ends}")
    due = week.due(Cutoff.parse(day, zone), Within(days, "working day"))
    assert due == Cutoff.parse(ends, zone)


@given(MOMENTS, ZONES, st.integers(1, 30))
def test_a_day_keeps_the_time_of_day_and_an_hour_is_an_hour(at, zone, amount):
    start = Cutoff.parse(at, zone)
    assert WorkingWeek().due(start, Within(amount, "hour")).us == start.us + amount * HOUR
    assert WorkingWeek().due(start, Within(amount, "day")) == start.shifted(amount)


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 250))
def test_the_time_left_of_a_window(start, length, at):
    left = [k for k in range(start, start + length) if k not in range(at)]
    assert time_left(Window(start, start + length), Cutoff(at)) == len(left)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("4 working hours", Within(4, "working hour")),
        ("1 working hour", Within(1, "working hour")),
        (" 2 working days ", Within(2, "working day")),
        ("1 day", Within(1, "day")),
        ("36 hours", Within(36, "hour")),
    ],
)
def test_times_as_they_are_written(text, told):
    assert Within.parse(text) == told


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"day_starts": "9:00"}, "day_starts = '9:00' in [calls] is no time of day"),
        ({"day_ends": "24:00"}, "day_ends = '24:00' in [calls] is no time of day"),
        ({"day_ends": "17:00:00"}, "is no time of day"),
        ({"day_starts": "17:00", "day_ends": "09:00"}, "less than an hour of work"),
        ({"day_starts": "09:00", "day_ends": "09:59"}, "less than an hour of work"),
        ({"days": ()}, "working_days in [calls] names no day"),
        ({"days": ("mon", "tus")}, "working_days in [calls] names 'tus'"),
        ({"days": ("mon", "mon")}, "'mon' stands twice"),
    ],
)
def test_a_week_that_is_none(wrong, found):
    with pytest.raises(ConfigError) as told:
        WorkingWeek(**wrong)
    assert found in told.value.found
    assert told.value.mend
