"""What the report tells of policy, changes, rules, deeds, and of what is not known."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from test_report import HOSTILE, Reader, assert_harmless, shop

from churnkit.report.summary import lift

CAUSE = "risk went from 39% to 44% (visit 2 times in the last 30 days (was 3))"


def rule(says: str, fired: int, lifted: int, speaks: bool = True) -> dict[str, Any]:
    counted = {"fired": fired, "lifted": lifted, "lowered": 0}
    return {"name": says.replace(" ", "_"), "says": says, **counted, "speaks": speaks}


def change(customer: str, why: str = CAUSE) -> dict[str, Any]:
    return {"customer_id": customer, "before": "green", "light": "yellow", "changed": why}


@pytest.fixture
def second() -> dict[str, Any]:
    """A second run: twelve customers turned yellow, and much is planned."""
    told = shop()
    told["calls"][2] |= {"before": "green", "changed": CAUSE}
    return {
        **told,
        "unknown": {"NPS": 3_021, "CES": 5_321},
        "rules": [
            rule("unresolved ticket", 259, 113),
            rule("open complaint", 164, 120),
            rule("renewal due within 30 days, and activity has halved", 0, 0, speaks=False),
        ],
        "before": "2024-12-24",
        "transitions": {
            "green": {"green": 2_862, "yellow": 12, "red": 0},
            "yellow": {"green": 0, "yellow": 1_796, "red": 0},
            "red": {"green": 0, "yellow": 0, "red": 639},
        },
        "changes": [change(f"C{k:05}") for k in range(12)],
        "changes_total": 12,
        "planned": {
            "call": 5_321,
            "waiting": 40,
            "control": 59,
            "by_channel": {"mail": 5_298, "call": 23},
            "by_owner": {"anna": 23, "marketing": 5_298},
            "by_playbook": {"red_high": 23, "yellow_rest": 5_298},
        },
    }


def text_of(summary: dict[str, Any]) -> str:
    from churnkit.report import render

    return Reader(render(summary)).text


def page_of(summary: dict[str, Any]) -> str:
    from churnkit.report import render

    return render(summary)


def test_the_policy_is_told_in_words(second):
    assert "Policy fixed: red from 0.7, yellow from 0.4" in text_of(second)


def test_value_at_risk_says_what_it_stands_on(second):
    says = "is expected to bring: the spend of the last year goes on. run_rate is used."
    assert says in text_of(second)
    assert "is expected to bring" not in text_of({**second, "spend": None})


def test_what_nothing_is_known_of_is_counted_by_side(second):
    says = "Nothing is known of NPS of 3,021 customers; CES of all customers. No rule"
    assert says in text_of(second)
    assert "Nothing is known of" not in text_of({**second, "unknown": {}})


def test_transitions_go_from_before_to_now_red_first(second):
    text = text_of(second)
    assert "Before now red now yellow now green" in text
    assert "■ red 639 0 0 ▲ yellow 0 1,796 0 ● green 0 12 2,862" in text
    assert "12 of them have another light" in text
    assert re.findall(r"Since 2024-12-24 (\d+) came, (\d+) went", text) == [
        ("0", "0"), ("12", "0"), ("0", "12")
    ]  # fmt: skip


def test_ten_changes_are_told_with_their_cause_and_the_others_counted(second):
    page = page_of(second)
    told = page[page.index("Why lights changed") : page.index("What the rules did")]
    assert re.findall(r"<bdi>(C\d+)<", told) == [f"C{k:05}" for k in range(10)]
    assert told.count(CAUSE) == 10
    assert "And 2 more" in told
    ten = {**second, "changes": second["changes"][:10], "changes_total": 10}
    assert "more: column changed" not in page_of(ten)


def test_a_first_run_says_nothing_of_changes(second):
    first = {"before": None, "transitions": None, "changes": [], "changes_total": 0}
    second["calls"][2] |= {"before": "", "changed": ""}
    text = text_of({**second, **first})
    for word in ("Since", "Before", "changed colour", "Why lights changed", "None", "was ●"):
        assert word not in text


def test_a_run_in_which_nothing_changed_says_so(second):
    text = text_of({**second, "changes": [], "changes_total": 0})
    assert "; 0 of them have another light" in text
    assert "Why lights changed" not in text


def test_each_rule_tells_for_whom_it_fired_and_what_it_changed(second):
    text = text_of(second)
    assert "unresolved ticket 259 113 0 open complaint 164 120 0" in text
    silent = "Cannot speak, since the logs tell nothing of it: renewal due within 30 days, and"
    assert silent in text
    assert "There is no rule." in text_of({**second, "rules": []})


def test_a_call_tells_what_to_do_who_by_when_and_why_it_changed(second):
    text = text_of(second)
    assert "personal call account owner call 2025-01-02 17:00" in text
    assert f"was ● green: {CAUSE}" in text
    second["calls"][0] |= {"action": "", "owner": "", "due": ""}
    assert "nothing is planned" in text_of(second)


def test_who_waits_and_who_is_held_out_is_counted(second):
    text = text_of(second)
    assert "40 more wait for want of time." in text
    assert "59 customers are held out as controls" in text
    assert "anna 23 marketing 5,298" in text
    second["planned"] |= {"waiting": 1, "control": 1}
    assert "1 more waits for" in text_of(second)
    assert "1 customer is held out as control:" in text_of(second)
    second["planned"] |= {"waiting": 0, "control": 0}
    assert not {"wait", "waits", "held"} & set(text_of(second).split())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_in_deeds_changes_and_rules_never_run(second, text):
    for row in second["calls"]:
        row |= dict.fromkeys(("action", "owner", "due", "changed", "channel"), text)
    second["changes"] = [{**change(text, text)} for _ in range(3)]
    second["rules"] = [{**told, "says": text, "name": text} for told in second["rules"]]
    second["planned"]["by_owner"] = {text: 3}
    second |= {"policy": text, "before": text, "unknown": {text: 3}}
    second["spend"] = {"way": text, "says": text}
    page = page_of(second)
    assert_harmless(page)
    assert Reader(page).text.count(" ".join(text.split())) >= 5 * 3 + 3 * 2 + 3


# ── What was promised, and what came ────────────────────────────────────────────────────────


def share(customers: int, left: float | None, mean: float | None) -> dict[str, Any]:
    churned = None if left is None else {"value": left, "low": left - 0.05, "high": left + 0.05}
    return {"customers": customers, "churned": churned, "mean": mean}


def judged() -> dict[str, Any]:
    """Monitoring of a day when one run of a promise was over; nobody in it was green."""
    came = {"red": share(300, 0.72, 0.81), "yellow": share(500, 0.44, 0.41),
            "green": share(0, None, None)}  # fmt: skip
    told = {
        "days": ["2024-10-01"],
        "customers": 800,
        "lights": [{"light": light, **told} for light, told in came.items()],
        "promises": [{"light": "red", "promised": 0.7, "customers": 300, "realised": None}],
    }
    run = {"day": "2024-10-01", "model": "3", "auroc": 0.7, "lights": came, **share(800, 0.5, 0.5)}
    return {
        "as_of": "2024-12-31", "verdict": "retrain", "reason": "the promise of red broke",
        "alarms": [], "notes": [], "untried": [], "drift": None, "runs": None,
        "outcomes": {"runs": [run], "judged": {**told, "judged_on": "all", "untreated": None}},
    }  # fmt: skip


def test_what_came_stands_beside_what_was_said_tested_and_promised(second):
    text = text_of({**second, "watch": judged()})
    assert "Runs whose time is over: 2024-10-01; 800 customers." in text
    assert "■ red 300 81 % 72 % [67 %, 77 %] 74 % at least 70 %" in text.replace("\xa0", " ")
    assert "▲ yellow 500 41 % 44 % [39 %, 49 %] 41 % nothing" in text.replace("\xa0", " ")
    assert "● green 0 not known not known 8 % nothing" in text.replace("\xa0", " ")
    assert "Before that, train anew: monitoring says" in text


def test_of_treated_customers_the_controls_are_judged(second):
    watch = judged()
    came = watch["outcomes"]["judged"]
    came |= {"judged_on": "untreated", "untreated": {**came, "customers": 61}}
    assert "2024-10-01; 61 customers." in text_of({**second, "watch": watch})


def test_what_has_not_come_yet_is_said(second):
    assert "of no run so far" in text_of({**second, "watch": {**judged(), "outcomes": None}})
    assert "churnkit report adds what came of past runs" in text_of(second)


# ── What to do this week ────────────────────────────────────────────────────────────────────


def test_one_sentence_says_what_to_do_this_week(second):
    says = (
        "This week: work down the call list of 5,321 customers, the first by 2025-01-02 17:00; "
        "red alone holds 48,210 of value at risk."
    )
    assert says in text_of(second).replace(" ;", ";")
    second["lights"][0]["value_at_risk"] = None
    assert "of 5,321 customers, the most urgent first." in text_of(second)
    assert "there is nobody to call" in text_of({**second, "calls": [], "calls_total": 0})


def test_the_first_is_due_at_the_earliest_time_of_the_list(second):
    second["calls"][-1]["due"] = "2025-01-01T09:00:00+00:00"
    assert "the first by 2025-01-01 09:00;" in text_of(second).replace(" ;", ";")


def test_calls_and_mails_are_counted_apart(second):
    assert "mail 5,298 call 23" in text_of(second)
    del second["planned"]["by_channel"]  # of a run that is older
    assert "mail 5,298" not in text_of(second)


@pytest.mark.parametrize(
    ("now", "then", "told"),
    [(0.6, 0.4, "60% of the customers are expected to churn now, 40% were at the test of 2024-"),
     (0.2, 0.4, "20% of the customers are expected to churn now, 40%"), (0.5, 0.4, "")],
)  # fmt: skip
def test_another_level_than_at_the_test_is_warned_of(now, then, told):
    from churnkit.project import _unlike_the_test

    totals: Any = SimpleNamespace(expected=2 * now, customers=2)
    groups = [{"predicted": 0.0, "customers": 1}, {"predicted": then * 4 / 3, "customers": 3}]
    card = {"calibration": groups, "trials": [{"cutoff": "2024-10-31"}]}
    assert _unlike_the_test(totals, card).startswith(told)
    assert bool(_unlike_the_test(totals, card)) == bool(told)
    assert _unlike_the_test(totals, {**card, "calibration": []}) == ""


def test_logs_that_are_missing_are_named(second):
    assert "Not among the logs: activity." in text_of(second)
    second["data"] = second["data"][:1]
    assert "Not among the logs: surveys, activity." in text_of(second)


def test_the_likeliest_are_told_with_intervals():
    bins = [{"predicted": p, "observed": {"value": v}, "customers": 100}
            for p, v in ((0.1, 0.1), (0.5, 0.4), (0.9, 0.7))]  # fmt: skip
    first, second, everybody = lift(bins)
    assert (first["customers"], first["churners"]) == (100, 70)
    assert first["share"] == pytest.approx(1 / 3)
    assert first["lift"]["value"] == pytest.approx(0.7 / 0.4)
    assert first["caught"]["value"] == pytest.approx(70 / 120)
    assert first["lift"]["low"] < first["lift"]["value"] < first["lift"]["high"]
    assert second["caught"]["value"] == pytest.approx(110 / 120)
    assert everybody["lift"]["value"] == pytest.approx(1)
    assert lift([]) == []
    assert lift([{**bins[0], "observed": {"value": 0.0}}]) == [], "nobody left"
