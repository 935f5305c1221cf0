"""What the report tells of policy, changes, rules, deeds, and of what is not known."""

from __future__ import annotations

import re
from typing import Any

import pytest
from test_report import HOSTILE, Reader, assert_harmless, shop

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
    assert "Since 2024-12-24 Before now red now yellow now green" in text
    assert "■ red 639 0 0 ▲ yellow 0 1,796 0 ● green 0 12 2,862" in text
    assert "12 customers changed colour" in text


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
    assert "No light changed." in text
    assert "Why lights changed" not in text


def test_each_rule_tells_for_whom_it_fired_and_what_it_changed(second):
    text = text_of(second)
    assert "unresolved ticket 259 113 0 open complaint 164 120 0" in text
    silent = "Cannot speak, since the logs tell nothing of it: renewal due within 30 days, and"
    assert silent in text
    assert "There is no rule." in text_of({**second, "rules": []})


def test_a_call_tells_what_to_do_who_by_when_and_why_it_changed(second):
    text = text_of(second)
    assert "personal call account owner by 2025-01-02 17:00" in text
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
