"""Time: half-open borders, business zones, and one module that compares timestamps."""

from __future__ import annotations

import ast
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import churnkit
from churnkit.clock import (
    DAY,
    Cutoff,
    Window,
    cutoffs_back_from,
    cutoffs_between,
    day_after,
    every_named,
    first_observer,
    happened_within,
    horizon_ends_by,
    local_days,
    precedes_all,
    reaches_back,
    seen_before,
    span_a_year,
    start_of_day,
    zone_named,
)
from churnkit.errors import ConfigError
from churnkit.logs import Contract
from churnkit.sources import read_logs

HOUR = DAY // 24
CUTOFF = Cutoff.parse("2024-03-01")
# Clocks jump at 02:00 in Berlin, at midnight in Tehran, São Paulo and Havana (where midnight
# also comes twice), by half an hour on Lord Howe; Apia left out a whole day.
ZONES = [
    *["UTC", "Europe/Berlin", "Asia/Tehran", "America/Sao_Paulo", "America/Havana"],
    *["Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"],
]
days = st.dates(date(2000, 1, 1), date(2037, 12, 31))
zones = st.sampled_from(ZONES)


def hours(begin, end):
    return (end.us - begin.us) / HOUR


# ── Half-open, to the microsecond ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(("us", "seen"), [(-1, True), (0, False), (1, False)])
def test_a_feature_sees_what_is_before_the_cutoff(us, seen):
    assert seen_before(np.array([CUTOFF.us + us]), CUTOFF).tolist() == [seen]


def test_a_window_begins_with_its_start_and_ends_before_its_end():
    assert Window.before(CUTOFF, 30) == Window(CUTOFF.us - 30 * DAY, CUTOFF.us)
    assert Window.after(CUTOFF, 90) == Window(CUTOFF.us, CUTOFF.us + 90 * DAY)
    assert Window.before(CUTOFF, 0.5) == Window(CUTOFF.us - 12 * HOUR, CUTOFF.us)


def test_an_event_at_an_instant_is_first_seen_at_the_next_one():
    instants = np.array([10, 20, 30])
    ts = np.array([9, 10, 11, 19, 20, 29, 30])
    assert first_observer(ts, instants).tolist() == [0, 1, 1, 1, 2, 2, 3]


@given(st.lists(st.integers(-5, 5)), st.lists(st.integers(-5, 5), unique=True))
def test_the_first_observer_is_the_first_instant_after_the_event(ts, instants):
    instants = sorted(instants)
    expected = [sum(not event < instant for instant in instants) for event in ts]
    assert first_observer(np.array(ts), np.array(instants)).tolist() == expected


@pytest.mark.parametrize(("us", "within"), [(-1, True), (0, False), (1, False)])
def test_the_first_days_of_a_customer_end_at_their_very_hour(us, within):
    first = np.array([CUTOFF.us])
    assert happened_within(first + 30 * DAY + us, first, 30).tolist() == [within]


@pytest.mark.parametrize(("us", "reaches"), [(-1, True), (0, False), (1, False)])
def test_a_window_reaches_back_if_it_begins_before_the_history(us, reaches):
    first = CUTOFF.shifted(-90)
    assert reaches_back(Cutoff(CUTOFF.us + us), 90, first) == reaches


@pytest.mark.parametrize(("us", "nothing"), [(-1, True), (0, True), (1, False)])
def test_nothing_is_known_when_the_logs_begin(us, nothing):
    assert precedes_all(Cutoff(CUTOFF.us + us), CUTOFF) == nothing


@pytest.mark.parametrize(("us", "over"), [(-1, False), (0, True), (1, True)])
def test_a_horizon_may_end_at_the_very_instant_that_another_begins(us, over):
    end = Cutoff(CUTOFF.us + 90 * DAY + us)
    assert horizon_ends_by(CUTOFF, 90, end) == over


# ── Reading a moment ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "moment",
    [
        "2024-03-01",
        "20240301",
        "2024-03-01T00:00",
        "2024-03-01 00:00:00.000000",
        "2024-03-01T00:00Z",
        "2024-03-01T03:30+03:30",
        date(2024, 3, 1),
        datetime(2024, 3, 1, tzinfo=UTC),
        pd.Timestamp("2024-03-01"),
        pd.Timestamp("2024-03-01T01:00", tz="Europe/Berlin"),
    ],
    ids=str,
)
def test_one_moment_in_many_spellings(moment):
    assert Cutoff.parse(moment) == CUTOFF


def test_a_date_is_the_start_of_the_day_in_the_business_zone():
    tehran = Cutoff.parse("2024-03-01", "Asia/Tehran")
    assert hours(tehran, CUTOFF) == 3.5
    assert str(tehran) == "2024-03-01"
    assert tehran.local.isoformat() == "2024-03-01T00:00:00+03:30"


def test_an_offset_wins_over_the_business_zone():
    assert Cutoff.parse("2024-03-01T00:00Z", "Asia/Tehran").us == CUTOFF.us


def test_a_cutoff_within_a_day_shows_its_time_and_offset():
    assert str(Cutoff.parse("2024-03-01 12:30", "Asia/Tehran")) == "2024-03-01T12:30:00+03:30"


@pytest.mark.parametrize(
    "moment",
    ["", "yesterday", "01.03.2024", "2024-02-30", "2024-13-01", None, 20240301, 1.5, pd.NaT],
    ids=repr,
)
def test_what_is_no_date_is_refused_by_name(moment):
    with pytest.raises(ConfigError, match="is not a date") as refusal:
        Cutoff.parse(moment)
    assert repr(moment) in refusal.value.found
    assert "2011-09-10" in refusal.value.mend


def test_a_moment_before_the_first_year_is_refused():
    with pytest.raises(ConfigError, match="'0001-01-01' is not a date"):
        Cutoff.parse("0001-01-01", "Asia/Tehran")


@pytest.mark.parametrize("name", ["Mars/Phobos", "", "Europe", "../etc/passwd", "Europe/Berlin "])
def test_an_unknown_zone_is_refused_by_name(name):
    with pytest.raises(ConfigError, match="is unknown") as refusal:
        zone_named(name)
    assert repr(name) in refusal.value.found
    with pytest.raises(ConfigError, match="is unknown"):
        Cutoff.parse("2024-03-01", name)


# ── Days that are not 24 hours long ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("zone", "day", "length"),
    [
        ("Europe/Berlin", "2024-03-31", 23),
        ("Europe/Berlin", "2024-10-27", 25),
        ("Asia/Tehran", "2022-03-22", 23),  # 00:00 does not exist
        ("Asia/Tehran", "2022-09-21", 25),
        ("Asia/Tehran", "2023-03-22", 24),  # summer time was given up
        ("America/Sao_Paulo", "2018-11-04", 23),  # 00:00 does not exist
        ("America/Havana", "2024-11-03", 25),  # 00:00 comes twice, the first begins the day
        ("Australia/Lord_Howe", "2024-04-07", 24.5),
    ],
)
def test_the_length_of_a_day(zone, day, length):
    begins = Cutoff.parse(day, zone)
    assert hours(begins, begins.shifted(1)) == length
    assert hours(begins.shifted(1).shifted(-1), begins) == 0
    assert str(begins) == day
    last = begins.shifted(1).us - 1
    assert [start_of_day(us, zone) for us in (begins.us, last)] == [begins, begins]
    assert [day_after(us, zone) for us in (begins.us, last)] == [begins.shifted(1)] * 2


@given(days, zones, st.integers(-800, 800))
def test_the_start_of_a_day_moves_to_the_start_of_another(day, zone, count):
    moved = Cutoff.parse(day, zone).shifted(count)
    if zone != "Pacific/Apia":  # has no 2011-12-30
        assert moved == Cutoff.parse(day + timedelta(days=count), zone)
    assert moved == start_of_day(moved.us, zone)


def test_a_time_of_day_is_kept_across_a_change_of_clocks():
    noon = Cutoff.parse("2024-03-30 12:00", "Europe/Berlin")
    assert str(noon.shifted(1)) == "2024-03-31T12:00:00+02:00"
    assert hours(noon, noon.shifted(1)) == 23


def test_an_hour_that_does_not_exist_is_read_by_the_clock_before_the_jump():
    assert str(Cutoff.parse("2024-03-31 02:30", "Europe/Berlin")) == "2024-03-31T03:30:00+02:00"


def test_an_hour_that_comes_twice_is_the_first():
    assert str(Cutoff.parse("2024-10-27 02:30", "Europe/Berlin")) == "2024-10-27T02:30:00+02:00"


@given(st.integers(0, 2**51), zones)
def test_every_instant_lies_within_its_day(us, zone):
    assert start_of_day(us, zone).us <= us < day_after(us, zone).us


@pytest.mark.parametrize("zone", ZONES)
def test_a_purchase_known_by_its_date_alone_lies_within_that_day(zone):
    """A date-only timestamp must not be seen at the cutoff of its own day, however odd that is."""
    dates = [d.date() for d in pd.date_range("2011-01-01", "2024-12-31")]
    ids = [f"{k:05}" for k in range(len(dates))]
    frame = pd.DataFrame({"customer_id": ids, "ts": [d.isoformat() for d in dates]})
    ts = read_logs(frame, contract=Contract(zone=zone)).purchases.ts
    begins = [Cutoff.parse(d, zone) for d in dates]
    assert (ts >= [c.us for c in begins]).all()
    assert (ts < [c.shifted(1).us for c in begins]).all()


# ── Grids of cutoffs ────────────────────────────────────────────────────────────────────────


def test_cutoffs_run_back_from_the_last_and_stop_at_a_floor():
    last, floor = Cutoff.parse("2024-03-29"), Cutoff.parse("2024-02-16")
    assert [str(c) for c in cutoffs_back_from(last, 14, 3, floor)] == [
        *["2024-03-01", "2024-03-15", "2024-03-29"]
    ]
    assert [str(c) for c in cutoffs_back_from(last, 14, 9, floor)] == [
        *["2024-02-16", "2024-03-01", "2024-03-15", "2024-03-29"]
    ]
    assert cutoffs_back_from(last, 14, 0, floor) == ()
    assert cutoffs_back_from(floor.shifted(-1), 14, 9, floor) == ()


@given(days, zones, st.integers(1, 90), st.integers(1, 20), st.integers(0, 900))
def test_cutoffs_rise_by_equal_days_to_the_last_and_none_is_too_early(day, zone, every, count, ago):
    last = Cutoff.parse(day, zone)
    floor = last.shifted(-ago)
    grid = cutoffs_back_from(last, every, count, floor)
    assert grid[-1] == last
    assert len(grid) == min(count, ago // every + 1)
    assert grid[0] >= floor
    assert all(a.shifted(every) == b for a, b in pairwise(grid))


@given(days, zones, st.integers(1, 20))
def test_weeks_are_seven_days(day, zone, count):
    last = Cutoff.parse(day, zone)
    assert cutoffs_back_from(last, "week", count) == cutoffs_back_from(last, 7, count)


def test_months_keep_their_day_as_far_as_they_have_it():
    last = Cutoff.parse("2024-05-31")
    assert [str(c) for c in cutoffs_back_from(last, "month", 5)] == [
        *["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31"]
    ]


@given(days, zones, st.integers(1, 30))
def test_every_month_has_one_cutoff_and_none_drifts(day, zone, count):
    grid = cutoffs_back_from(Cutoff.parse(day, zone), "month", count)
    months = [c.local.year * 12 + c.local.month for c in grid]
    assert months == list(range(months[-1] - count + 1, months[-1] + 1))
    last_days = [(c.local.date().replace(day=1) + timedelta(31)).replace(day=1) for c in grid]
    assert all(
        c.local.day == min(day.day, (end - timedelta(1)).day)
        for c, end in zip(grid, last_days, strict=True)
    )


def test_months_keep_the_time_of_day_where_clocks_change():
    last = Cutoff.parse("2024-04-15T09:30", "Europe/Berlin")
    assert [str(c) for c in cutoffs_back_from(last, "month", 2)] == [
        *["2024-03-15T09:30:00+01:00", "2024-04-15T09:30:00+02:00"]
    ]


@pytest.mark.parametrize("every", [3_650, "month"])
def test_cutoffs_before_the_first_year_are_refused(every):
    with pytest.raises(ConfigError, match="begin before the year 1"):
        cutoffs_back_from(Cutoff.parse("0010-01-01"), every, 180)


@pytest.mark.parametrize(("text", "every"), [("28", 28), ("week", "week"), ("month", "month")])
def test_how_far_apart_cutoffs_are_is_told_by_a_word(text, every):
    assert every_named(text) == every


@pytest.mark.parametrize("text", ["", "0", "-7", "1.5", "3651", "year", "²", "٧"])
def test_other_words_for_it_are_refused(text):
    with pytest.raises(ConfigError, match="apart"):
        every_named(text)


def test_cutoffs_between_two_days_part_the_time_equally():
    first, last = Cutoff.parse("2024-01-01"), Cutoff.parse("2024-01-09")
    assert [str(c) for c in cutoffs_between(first, last, 3)] == [
        *["2024-01-03", "2024-01-05", "2024-01-07"]
    ]
    assert cutoffs_between(first, first, 3) == (first,)


@pytest.mark.parametrize("zone", [*ZONES, "Atlantic/Azores"])
def test_local_days_are_counted_one_by_one(zone):
    # Around every change of a clock: in the Azores a day of 23 hours lies between two of UTC.
    hours = Cutoff.parse("2011-01-01").us + np.arange(0, 366 * 24) * HOUR
    found = local_days(hours, zone)
    one_by_one = Counter(start_of_day(us, zone).us for us in hours.tolist())
    assert found == dict(one_by_one)
    assert list(found) == sorted(found)


def test_a_year_is_spanned_from_day_to_day():
    first = Cutoff.parse("2023-03-01", "Europe/Berlin")
    year = [first, first.shifted(365)]
    assert span_a_year(year)
    assert not span_a_year([first, first.shifted(364)])
    assert not span_a_year([first])
    assert not span_a_year([])


# ── One owner of time ───────────────────────────────────────────────────────────────────────

PACKAGE = Path(churnkit.__file__).parent
TIMES = {"ts", "cutoff", "us", "at", "instant"}
ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
PASSES_ON = {"abs", "float", "int", "max", "min", "np"}


def mentions_time(node):
    """Whether a time stands in an expression; arguments of most calls do not count.

    ``events.count(at) > 0`` compares a number, ``np.max(ts) > 0`` a time.
    """
    if isinstance(node, ast.Name):
        return node.id in TIMES
    if isinstance(node, ast.Attribute) and node.attr in TIMES:
        return True
    parts = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Call):
        passes_on = {n.id for n in ast.walk(node.func) if isinstance(n, ast.Name)} & PASSES_ON
        parts = [node.func, *node.args] if passes_on else [node.func]
    return any(mentions_time(part) for part in parts)


def compared_times(source):
    """The comparisons by order in a source that mention a time."""
    return [
        ast.unparse(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        and any(isinstance(op, ORDER) for op in node.ops)
        and any(mentions_time(side) for side in (node.left, *node.comparators))
    ]


@pytest.mark.parametrize(
    "source",
    [
        "events[events.ts < end]",
        "ts <= cutoff.us",
        "0 < np.min(ts)",
        "a if row['x'].ts.max() >= 3 else b",
        "(at.us - last) / DAY > 30",
    ],
)
def test_the_heuristic_finds_comparisons_of_times(source):
    assert compared_times(source)


@pytest.mark.parametrize(
    "source", ["events.count(at) > 0", "ts == cutoff", "len(ts) > 1", "rate < threshold"]
)
def test_the_heuristic_lets_other_comparisons_be(source):
    assert not compared_times(source)


@pytest.mark.parametrize(
    "module", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_only_the_clock_compares_timestamps(module):
    found = compared_times(module.read_text(encoding="utf-8"))
    assert bool(found) == (module == PACKAGE / "clock.py"), found
