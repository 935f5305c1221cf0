"""Who is at risk and who has churned, by example; when is trained and when is tested.

The cutoff of the examples is 2024-03-01, the horizon 30 days (to 2024-03-31, which is not in
it), the lookback 60 days (from 2024-01-01, which is).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import drawn, logs_of

from churnkit.clock import DAY, Cutoff, Window
from churnkit.dataset import Schedule, build_dataset, require_enough
from churnkit.errors import ConfigError, GateRefused
from churnkit.labels import Question
from churnkit.logs import Contract, Events, Logs, kind_named
from churnkit.sources import read_logs

CUTOFF = Cutoff.parse("2024-03-01")
NO_PURCHASE = Question("no_purchase", horizon_days=30, lookback_days=60)
NO_ACTIVITY = Question("no_activity", horizon_days=30, lookback_days=60)
CANCELLATION = Question("event", horizon_days=30, lookback_days=60)


def churned(logs, question, at=CUTOFF):
    """Customer → whether it churned, for the customers at risk."""
    dataset = build_dataset(logs, question, [at])
    return dict(zip(dataset.features.customer_id, dataset.churned.tolist(), strict=True))


# ── No purchase within the horizon ──────────────────────────────────────────────────────────


def test_no_purchase_within_the_horizon():
    logs = logs_of(
        purchases="""
            customer | ts                  | amount
            anna     | 2024-02-01          | 10
            anna     | 2024-03-01          | 10
            ben      | 2024-02-01          | 10
            ben      | 2024-03-30 23:59:59 | 10
            cleo     | 2024-02-01          | 10
            cleo     | 2024-03-31          | 10
            dora     | 2024-02-01          | 10
        """
    )
    assert churned(logs, NO_PURCHASE) == {"anna": False, "ben": False, "cleo": True, "dora": True}


def test_at_risk_is_who_bought_in_the_lookback():
    logs = logs_of(
        purchases="""
            customer | ts                  | amount
            anna     | 2024-02-29 23:59:59 | 10
            ben      | 2024-03-01          | 10
            cleo     | 2024-01-01          | 10
            dora     | 2023-12-31 23:59:59 | 10
        """
    )
    assert churned(logs, NO_PURCHASE) == {"anna": True, "cleo": True}


def test_a_return_is_no_purchase_before_or_after_the_cutoff():
    logs = logs_of(
        purchases="""
            customer | ts         | amount
            anna     | 2024-02-01 | 10
            anna     | 2024-03-10 | -10
            ben      | 2024-02-01 | -10
            ben      | 2024-03-10 | 10
            cleo     | 2024-02-01 | 0
            cleo     | 2024-03-10 | 10
            cleo     | 2024-03-10 | -10
        """
    )
    assert churned(logs, NO_PURCHASE) == {"anna": True, "cleo": False}


def test_who_has_cancelled_and_not_come_back_is_not_at_risk():
    logs = logs_of(
        purchases="""
            customer | ts         | amount
            anna     | 2024-02-01 | 10
            ben      | 2024-02-10 | 10
            cleo     | 2024-02-10 | 10
            dora     | 2024-02-01 | 10
            emil     | 2024-02-01 | 10
        """,
        activity="""
            customer | ts         | event
            anna     | 2024-02-10 | cancellation
            anna     | 2024-02-20 | visit
            ben      | 2024-02-01 | cancellation
            cleo     | 2024-02-10 | cancellation
            dora     | 2024-03-01 | cancellation
            emil     | 2024-02-10 | visit
        """,
    )
    assert churned(logs, NO_PURCHASE) == {"ben": True, "dora": True, "emil": True}


# ── No activity within the horizon ──────────────────────────────────────────────────────────


def test_no_activity_within_the_horizon():
    logs = logs_of(
        purchases="""
            customer | ts         | amount
            gus      | 2024-02-01 | 10
            ben      | 2024-03-10 | 10
        """,
        activity="""
            customer | ts                  | event
            anna     | 2024-02-01          | visit
            anna     | 2024-03-01          | login
            ben      | 2024-02-01          | visit
            cleo     | 2024-01-01          | visit
            cleo     | 2024-03-30 23:59:59 | complaint_opened
            dora     | 2024-02-01          | visit
            dora     | 2024-03-31          | visit
            emil     | 2024-03-01          | visit
            fay      | 2023-12-31 23:59:59 | visit
        """,
    )
    assert churned(logs, NO_ACTIVITY) == {"anna": False, "ben": True, "cleo": False, "dora": True}


def test_a_cancellation_is_no_sign_of_life():
    logs = logs_of(
        activity="""
            customer | ts         | event
            anna     | 2024-02-01 | visit
            anna     | 2024-03-05 | cancellation
            ben      | 2024-02-01 | visit
            ben      | 2024-02-10 | cancellation
            ben      | 2024-03-05 | visit
            cleo     | 2024-02-01 | cancellation
            dora     | 2024-02-01 | cancellation
            dora     | 2024-02-10 | visit
            dora     | 2024-03-05 | visit
            emil     | 2024-02-01 | visit
            emil     | 2024-02-01 | cancellation
        """
    )
    assert churned(logs, NO_ACTIVITY) == {"anna": True, "dora": False}


# ── An event within the horizon ─────────────────────────────────────────────────────────────


def test_a_cancellation_within_the_horizon():
    logs = logs_of(
        activity="""
            customer | ts                  | event
            anna     | 2024-02-01          | visit
            anna     | 2024-03-01          | cancellation
            ben      | 2024-02-01          | visit
            ben      | 2024-03-30 23:59:59 | cancellation
            ben      | 2024-04-10          | visit
            cleo     | 2024-02-01          | visit
            cleo     | 2024-03-31          | cancellation
            dora     | 2024-01-01          | visit
            emil     | 2023-12-31 23:59:59 | visit
            emil     | 2024-03-10          | cancellation
            fay      | 2024-03-01          | visit
            fay      | 2024-03-10          | cancellation
        """
    )
    assert churned(logs, CANCELLATION) == {"anna": True, "ben": True, "cleo": False, "dora": False}


def test_who_has_left_by_an_event_is_asked_about_again_once_back():
    logs = logs_of(
        activity="""
            customer | ts         | event
            anna     | 2024-02-01 | visit
            anna     | 2024-02-10 | cancellation
            ben      | 2024-02-01 | cancellation
            ben      | 2024-02-10 | visit
            ben      | 2024-03-10 | cancellation
            cleo     | 2024-02-10 | visit
            cleo     | 2024-02-10 | cancellation
        """
    )
    assert churned(logs, CANCELLATION) == {"ben": True}


def test_events_of_any_name_can_be_the_end():
    """They then are no signs of life, while a cancellation says nothing any more."""
    question = Question("event", 30, 60, events=("Plan: ended!", "moved away"))
    logs = logs_of(
        activity="""
            customer | ts         | event
            anna     | 2024-02-01 | visit
            anna     | 2024-03-10 | plan ended
            ben      | 2024-02-01 | visit
            ben      | 2024-02-10 | Moved away
            cleo     | 2024-02-10 | visit
            cleo     | 2024-02-20 | cancellation
            cleo     | 2024-03-10 | cancellation
            dora     | 2024-02-10 | plan ended
        """
    )
    assert question.events == ("plan_ended", "moved_away")
    assert churned(logs, question) == {"anna": True, "cleo": False}


def test_an_event_that_never_occurs_is_refused_with_the_names_there_are():
    logs = logs_of(
        activity="customer | ts | event\n anna | 2024-02-01 | visit\n anna | 2024-02-02 | cancelled"
    )
    with pytest.raises(ConfigError, match="'cancellation', and the activity log has no such") as e:
        churned(logs, CANCELLATION)
    assert "Did you mean 'cancelled'? It has cancelled, visit: name one" in e.value.mend
    assert "[logs.activity.kinds]" in e.value.mend


def test_of_many_events_the_most_frequent_are_named():
    rows = "".join(f"\n anna | 2024-02-{k + 1:02d} | event {k}" for k in range(20))
    logs = logs_of(activity=f"customer | ts | event{rows}\n anna | 2024-03-01 | event 19")
    with pytest.raises(ConfigError, match="'cancellation'") as told:
        CANCELLATION.require(logs)
    assert "It has event_19, event_0, " in told.value.mend
    assert " and 8 more: name" in told.value.mend


def test_the_question_outlives_a_model_bundle():
    question = Question("event", 30, 60, events=["left", "Left", "gone away"])
    assert question.events == ("left", "gone_away")
    told = json.loads(json.dumps(asdict(question)))
    assert Question(**told) == question
    assert Question(churn="no_purchase", horizon_days=30, lookback_days=60) == NO_PURCHASE


@pytest.mark.parametrize(
    ("event", "kind"),
    [("cancellation", "cancellation"), ("Ticket – open?", "ticket_open"), ("?", "?"), ("Ja", "x")],
)
def test_events_are_named_as_the_log_names_them(event, kind):
    contract = Contract(kinds={" ja": "X "})
    logs = read_logs(activity=drawn(f"customer | ts | event\n a | 2024-02-01 | {event}"),
                     contract=contract)  # fmt: skip
    assert logs.activity.vocabularies["kind"] == (kind,)
    assert kind_named(event, contract.kinds) == kind


# ── The question ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"churn": "no_smile"}, "churn = 'no_smile' is not a definition of churn"),
        ({"horizon_days": 0}, "horizon_days = 0"),
        ({"lookback_days": -1}, "lookback_days = -1"),
        ({"events": ("left",)}, "churn = 'no_purchase' looks at no events, and left is named"),
        ({"churn": "event", "events": ()}, "does not say which event"),
        ({"churn": "event", "events": (" ",)}, "does not say which event"),
    ],
)
def test_an_impossible_question_is_refused(asked, found):
    with pytest.raises(ConfigError, match=found):
        Question(**asked)


@pytest.mark.parametrize(
    ("question", "table"),
    [
        (NO_PURCHASE, {"activity": "customer | ts | event\n anna | 2024-02-01 | visit"}),
        (NO_ACTIVITY, {"purchases": "customer | ts\n anna | 2024-02-01"}),
        (CANCELLATION, {"purchases": "customer | ts\n anna | 2024-02-01"}),
    ],
    ids=["no_purchase", "no_activity", "event"],
)
def test_a_question_needs_the_log_it_is_about(question, table):
    with pytest.raises(ConfigError, match=f"needs a {question.log} log, and there is none"):
        churned(logs_of(**table), question)


def test_the_rule_is_told_in_words():
    assert NO_PURCHASE.rule == (
        "no purchase within 30 days, of customers with purchase in the 60 days before"
    )
    assert NO_ACTIVITY.rule == (
        "no activity within 30 days, of customers with activity in the 60 days before"
    )
    assert Question("event", 30, 60, events=("cancellation", "non_renewal")).rule == (
        "cancellation or non renewal within 30 days, of customers with activity in the 60 days "
        "before and no cancellation or non renewal since"
    )


# ── The dataset ─────────────────────────────────────────────────────────────────────────────


def test_a_dataset_stacks_cutoffs_and_can_be_taken_apart():
    logs = logs_of(
        purchases="""
            customer | ts         | amount
            anna     | 2024-01-20 | 10
            anna     | 2024-02-20 | 10
            ben      | 2024-01-20 | 10
            ben      | 2024-03-20 | 10
            cleo     | 2024-02-20 | 10
        """
    )
    february = Cutoff.parse("2024-02-01")
    dataset = build_dataset(logs, NO_PURCHASE, [CUTOFF, february])
    assert dataset.features.customer_id.tolist() == ["anna", "anna", "ben", "ben", "cleo"]
    assert dataset.churned.tolist() == [False, True, True, False, True]
    assert (len(dataset), dataset.customers, dataset.base_rate) == (5, 3, 0.6)
    assert dataset.at([february]).churned.tolist() == [False, True]
    assert dataset.at([february]).features.column("recency").tolist() == [12, 12]
    assert dataset.at([CUTOFF]).features.column("recency").tolist() == [10, 41, 10]


def test_too_small_a_dataset_is_refused_with_its_counts():
    logs = logs_of(
        purchases="customer | ts\n anna | 2024-02-01\n ben | 2024-02-01\n ben | 2024-03-01"
    )
    dataset = build_dataset(logs, NO_PURCHASE, [CUTOFF])
    require_enough(dataset, churners=1, stayers=1)
    for enough in ({"churners": 2, "stayers": 1}, {"churners": 1, "stayers": 2}):
        with pytest.raises(GateRefused, match="1 churners and 1 stayers in 2 rows of 2 customers"):
            require_enough(dataset, **enough)


# ── When is trained, when is tested ─────────────────────────────────────────────────────────


def log_at(instants, zone="UTC"):
    """Purchases of one customer at these instants."""
    ts = np.sort(np.array(instants, dtype=np.int64))
    none = np.zeros(len(ts), dtype=np.int64)
    return Logs(np.array(["anna"]), purchases=Events(none, ts, {"is_return": none}), zone=zone)


def log_between(first, last, zone="UTC"):
    return log_at([Cutoff.parse(day, zone).us + DAY // 2 for day in (first, last)], zone)


def test_a_schedule_by_example():
    logs = log_between("2023-01-01", "2023-12-31")
    schedule = Schedule(every=14, cutoffs=3, tests=2)
    assert str(schedule.last_known(logs, NO_PURCHASE)) == "2023-12-01"
    first, second = schedule.test_cutoffs(logs, NO_PURCHASE)
    assert (str(first), str(second)) == ("2023-11-01", "2023-12-01")
    assert [str(c) for c in schedule.training_cutoffs(logs, NO_PURCHASE, second)] == [
        *["2023-10-04", "2023-10-18", "2023-11-01"]
    ]


def test_training_may_be_told_to_end_earlier():
    logs = log_between("2023-01-01", "2023-12-31")
    schedule = Schedule(until=Cutoff.parse("2023-10-01"))
    assert str(schedule.last_known(logs, NO_PURCHASE)) == "2023-09-01"


def test_training_cannot_be_told_to_end_after_the_log():
    """Nothing is known there, so everybody would seem to have churned."""
    logs = log_between("2023-01-01", "2023-12-31")
    whole = Schedule(until=Cutoff.parse("2024-01-01"))
    assert str(whole.last_known(logs, NO_PURCHASE)) == "2023-12-02"
    with pytest.raises(ConfigError, match="until = 2024-01-02 lies after 2023-12-31"):
        Schedule(until=Cutoff.parse("2024-01-02")).last_known(logs, NO_PURCHASE)


@pytest.mark.parametrize(
    ("last_day", "tests"),
    [
        ("2023-05-01", ["2023-04-01"]),
        ("2023-04-30", []),
        ("2023-05-31", ["2023-04-01", "2023-05-01"]),
    ],
)
def test_a_test_needs_a_lookback_and_two_horizons_of_history(last_day, tests):
    logs = log_between("2023-01-01", last_day)
    assert [str(c) for c in Schedule().test_cutoffs(logs, NO_PURCHASE)] == tests


@settings(deadline=None)
@given(
    start=st.dates(date(2010, 1, 1), date(2023, 12, 31)),
    length=st.integers(1, 1500),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Tehran", "America/Havana"]),
    schedule=st.builds(Schedule, st.integers(1, 60), st.integers(1, 30), st.integers(1, 5)),
    question=st.builds(Question, st.just("no_purchase"), st.integers(1, 200), st.integers(1, 400)),
)
def test_no_label_reaches_beyond_what_is_known_when_it_is_used(
    start, length, zone, schedule, question
):
    begin = Cutoff.parse(start, zone)
    end = begin.shifted(length)
    logs = log_at([begin.us, end.us + DAY // 2], zone)
    tests = schedule.test_cutoffs(logs, question)
    assert len(tests) <= schedule.tests
    for test in tests:
        assert label_is_known(test, question, by=end)
        training = schedule.training_cutoffs(logs, question, test)
        assert 1 <= len(training) <= schedule.cutoffs
        assert all(label_is_known(c, question, by=test) for c in training)
        assert training[0] >= begin.shifted(question.lookback_days)
        assert training[-1] >= test.shifted(-question.horizon_days - 1)
        assert all(a.shifted(schedule.every) == b for a, b in pairwise(training))
    assert all(a.shifted(question.horizon_days) == b for a, b in pairwise(tests))


def label_is_known(cutoff, question, by):
    return Window.after(cutoff, question.horizon_days).end <= by.us


def test_across_the_start_of_summer_time_the_gap_is_still_a_whole_horizon():
    """30 local days from 2024-03-02 to 2024-04-01 are 719 hours, one too few."""
    logs = log_between("2023-01-01", "2024-04-01", "Europe/Berlin")
    april = Cutoff.parse("2024-04-01", "Europe/Berlin")
    schedule = Schedule(every=7, cutoffs=2)
    assert str(schedule.last_known(logs, NO_PURCHASE)) == "2024-03-01"
    training = schedule.training_cutoffs(logs, NO_PURCHASE, april)
    assert [str(c) for c in training] == ["2024-02-23", "2024-03-01"]


def test_a_handful_of_stragglers_does_not_move_the_end():
    minute = DAY // 1440
    year = Cutoff.parse("2023-01-01").us + np.arange(365 * 1440, step=17) * minute
    mistyped = [Cutoff.parse(day).us for day in ("2032-06-01", "2099-01-01", "2123-12-31")]
    logs = log_at([*year, *mistyped])
    assert str(logs.last_day("purchases")) == "2023-12-31"
    assert str(logs.day_after_last("purchases")) == "2024-01-01"
    schedule = Schedule()
    assert schedule.last_known(logs, NO_PURCHASE) == schedule.last_known(log_at(year), NO_PURCHASE)


def test_the_last_day_is_a_day_of_the_business_zone():
    logs = log_at([Cutoff.parse("2023-12-31T23:00Z").us], "Asia/Tehran")
    assert str(logs.last_day("purchases")) == str(logs.first_day("purchases")) == "2024-01-01"
    assert str(logs.day_after_last("purchases")) == "2024-01-02"
