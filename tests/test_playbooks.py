"""Playbooks: the first that takes a customer holds, none is missing, and none is in vain."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.actions import (
    SHIPPED,
    SHIPPED_REASONS,
    TIERS,
    Actions,
    Calls,
    Holdout,
    Playbook,
    Playbooks,
    Tiers,
    plan,
)
from churnkit.clock import Cutoff
from churnkit.config import FILE_NAME, load_settings
from churnkit.errors import ConfigError, DataError
from churnkit.logs import Texts

MONDAY = Cutoff.parse("2024-06-03", "Europe/Berlin")
KNOWN = ("rhythm", "score", "nps")
REST = Playbook("rest", "mail", "mail", "5 working days")


def book(name: str, **told: object) -> Playbook:
    return Playbook(**{"name": name, "action": "call", "channel": "call", "due": "1 day"} | told)


def taken_by(playbooks: Playbooks, *told: str) -> str:
    """Name of the playbook that takes a customer of colour, reason, tier and segment."""
    row = [Texts((value,), np.array([0])) for value in told]
    position = int(playbooks.of_texts(*row)[0])
    return "" if position < 0 else playbooks.entries[position].name


def customers(**columns: list) -> pd.DataFrame:
    rows = len(next(iter(columns.values())))
    told = {
        "customer_id": [f"c{k}" for k in range(rows)],
        "value_at_risk": [100.0] * rows,
        "rank": list(range(1, rows + 1)),
        "light": ["red"] * rows,
        "reason": ["score"] * rows,
        "segment": [""] * rows,
    }
    return pd.DataFrame(told | columns)


# ── What is shipped ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("light", "reason", "tier", "name"),
    [
        ("red", "open_complaint", "low", "open_complaint"),
        ("yellow", "failed_payment", "high", "failed_payment"),
        ("yellow", "renewal_due", "unknown", "renewal_due"),
        ("red", "unresolved_ticket", "middle", "unresolved_ticket"),
        ("yellow", "detractor", "low", "unhappy_answer"),
        ("red", "low_ease", "high", "unhappy_answer"),
        ("yellow", "tenure", "low", "silent_new_buyer"),
        ("red", "early life", "unknown", "silent_new_buyer"),
        ("red", "tenure", "high", "red_high"),  # a person speaks to those
        ("yellow", "own_interval", "high", "valuable_overdue"),
        ("red", "rhythm", "high", "valuable_overdue"),
        ("yellow", "own_interval", "low", "yellow_rest"),
        ("red", "score", "high", "red_high"),
        ("red", "silent_30d", "middle", "red_middle"),
        ("red", "score", "unknown", "red_middle"),
        ("red", "recency", "low", "red_low"),
        ("yellow", "score", "high", "yellow_high"),
        ("yellow", "a theme of one's own", "middle", "yellow_rest"),
        ("green", "score", "high", ""),
        ("green", "open_complaint", "high", ""),
    ],
)
def test_the_shipped_playbooks(light, reason, tier, name):
    assert taken_by(Playbooks(), light, reason, tier, "") == name


def test_a_complaint_is_called_within_four_working_hours_and_nobody_is_held_out():
    complaint = SHIPPED[0]
    assert (complaint.channel, complaint.due) == ("call", "4 working hours")
    assert not complaint.holdout
    run = customers(reason=["open_complaint"] * 300)
    planned = plan(run, Actions(holdout=Holdout(share=0.5)), MONDAY)
    assert set(planned["arm"]) == {""}
    assert set(planned["listed"]) == {"call"}
    assert set(planned["due"]) == {"2024-06-03T13:00:00+02:00"}


DOCS = (Path(__file__).parents[1] / "docs" / "actions.md").read_text(encoding="utf-8")


def test_the_docs_tell_the_shipped_playbooks_in_order():
    rows = [line.split(" | ") for line in DOCS.splitlines() if line.startswith("| `")][
        : len(SHIPPED)
    ]
    told = [(row[0].strip("| `"), row[3].strip(), row[4].strip()) for row in rows]
    assert told == [(b.name, b.owner or Calls().owner, b.due) for b in SHIPPED]
    assert all(len(row[5]) > 20 for row in rows)  # why


def test_the_example_of_the_docs_is_taken(tmp_path):
    example = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)[0]
    (tmp_path / FILE_NAME).write_text(
        MINIMAL
        + "[logs.customers]\npath = 'c.csv'\nstatic = ['account_manager', 'segment']\n"
        + example,
        encoding="utf-8",
    )
    mine = load_settings(tmp_path / FILE_NAME).actions().playbooks.entries[0]
    assert (mine.name, mine.segment, mine.column) == (
        "trade_overdue",
        ("trade",),
        "account_manager",
    )


# ── The first that takes a customer holds ───────────────────────────────────────────────────


def test_an_empty_list_takes_all_and_green_has_none():
    only = Playbooks((REST,))
    assert taken_by(only, "red", "whatever", "low", "vip") == "rest"
    assert taken_by(only, "yellow", "", "unknown", "") == "rest"
    assert taken_by(only, "green", "", "high", "") == ""


def test_the_first_of_two_holds():
    vip, red = book("vip", segment=("vip",)), book("red", light=("red",))
    playbooks = Playbooks((vip, red, REST))
    assert taken_by(playbooks, "red", "score", "low", "vip") == "vip"
    assert taken_by(playbooks, "red", "score", "low", "") == "red"
    assert taken_by(playbooks, "yellow", "score", "low", "") == "rest"


def test_the_empty_segment_can_be_named():
    playbooks = Playbooks((book("none", segment=("",)), REST))
    assert taken_by(playbooks, "red", "score", "low", "") == "none"
    assert taken_by(playbooks, "red", "score", "low", "another") == "rest"


SOME = {
    "light": ("red", "yellow"),
    "reason": ("rhythm", "score"),
    "tier": TIERS,
    "segment": ("", "vip"),
}
BOOKS = st.lists(
    st.fixed_dictionaries(
        {key: st.lists(st.sampled_from(v), unique=True).map(tuple) for key, v in SOME.items()}
    ),
    max_size=6,
)
# One more value than any playbook names stands for all that none names.
EVERYBODY = list(
    product(SOME["light"], (*SOME["reason"], "other"), TIERS, (*SOME["segment"], "other"))
)


@settings(max_examples=300, deadline=None)
@given(BOOKS)
def test_holes_and_playbooks_in_vain_are_found_as_by_trying_everybody(told):
    """Against the plain way: for each possible customer, the first playbook that takes it."""
    books = tuple(book(str(k), **of) for k, of in enumerate(told))
    takers = [
        [
            b.name
            for b in books
            if all(not of or v in of for of, v in zip(fields(b), who, strict=True))
        ]
        for who in EVERYBODY
    ]
    in_vain = next((b.name for b in books if b.name not in {t[0] for t in takers if t}), None)
    if in_vain is not None:
        with pytest.raises(ConfigError, match=rf"playbook '{in_vain}' can never be reached"):
            Playbooks(books)
    elif not all(takers):
        with pytest.raises(ConfigError, match="there is no playbook for customers of"):
            Playbooks(books)
    else:
        playbooks = Playbooks(books)
        assert [taken_by(playbooks, *who) for who in EVERYBODY] == [t[0] for t in takers]


def fields(of: Playbook) -> tuple[tuple[str, ...], ...]:
    return of.light, of.reason, of.tier, of.segment


# ── Faults ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("books", "hole"),
    [
        ((), "light 'red', tier 'high'"),
        ((book("a", light=("red",)),), "light 'yellow', tier 'high'"),
        (
            (book("a", tier=("high", "middle", "low")),),
            "light 'red', tier 'unknown'",
        ),
        (
            (book("a", reason=("score",)), book("b", light=("red",))),
            "light 'yellow', any other reason, tier 'high'",
        ),
        (
            (book("a", light=("red",)), book("b", segment=("vip",))),
            "light 'yellow', tier 'high', any other segment",
        ),
        (
            (book("a", light=("red",)), book("b", reason=("score",), tier=TIERS[1:]),
             book("c", reason=("rhythm",)), book("d", light=("yellow",), tier=("low",))),
            "light 'yellow', reason 'score', tier 'high'",
        ),
    ],
)  # fmt: skip
def test_the_first_hole_is_named(books, hole):
    with pytest.raises(ConfigError) as told:
        Playbooks(books)
    assert told.value.found == f"there is no playbook for customers of {hole}"
    assert "names neither light, reason, tier nor segment" in told.value.mend


@pytest.mark.parametrize(
    ("books", "found"),
    [
        ((REST, book("late")), "'late' can never be reached: 'rest' before it takes all its"),
        (
            (book("a", light=("red",)), book("b", light=("red",), tier=("low",)), REST),
            "'b' can never be reached: 'a' before it takes all",
        ),
        (
            (book("a", light=("red",)), book("b", light=("yellow",)), book("c", reason=("score",))),
            "'c' can never be reached: 'a' and 'b' before it take all",
        ),
        ((book("a", light=("red",)), book("a")), "two playbooks are called 'a'"),
    ],
)
def test_a_playbook_in_vain_is_named_with_those_before_it(books, found):
    with pytest.raises(ConfigError) as told:
        Playbooks(books)
    assert found in told.value.found
    assert told.value.mend


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"light": ("rad",)}, "names a light that does not exist: 'rad'\nDid you mean 'red'?"),
        ({"light": ("green",)}, "is for green customers, who are left alone"),
        ({"tier": ("hihg",)}, "names a tier that does not exist: 'hihg'\nDid you mean 'high'?"),
        ({"channel": "cal"}, "names a channel that does not exist: 'cal'\nDid you mean 'call'?"),
        ({"tier": ("low", "low")}, "'low' stands twice in tier of the playbook 'x'"),
        ({"due": "soon"}, "the playbook 'x': due = 'soon' is no time"),
        ({"due": "0 days"}, "no time"),
        ({"due": "1000 days"}, "no time"),
        ({"due": "-1 day"}, "no time"),
        ({"due": "٣ days"}, "no time"),
        ({"action": " "}, "action of the playbook 'x' is empty"),
        ({"name": ""}, "name of the playbook '' is empty"),
        ({"owner": "{}"}, "is neither a name nor a column"),
        ({"owner": "the {team}"}, "is neither a name nor a column"),
        ({"owner": "{a}{b}"}, "is neither a name nor a column"),
        ({"owner": "a}"}, "is neither a name nor a column"),
    ],
)
def test_a_faulty_playbook_is_named(wrong, found):
    with pytest.raises(ConfigError) as told:
        book(**{"name": "x"} | wrong)
    assert found in str(told.value)
    assert told.value.mend


def test_an_unknown_reason_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match="reason that does not exist: 'rythm'\nDid you mean 'rhy"):
        Playbooks.of([book("x", reason=("rythm",))], KNOWN)


# ── One's own and the shipped ones ──────────────────────────────────────────────────────────


def test_ones_own_come_first():
    playbooks = Playbooks.of([book("vip", segment=("vip",))], KNOWN)
    assert [b.name for b in playbooks.entries] == ["vip", *(b.name for b in SHIPPED)]


def test_ones_own_of_the_same_name_replaces_the_shipped_one():
    mine = book("open_complaint", reason=("open_complaint",), owner="anna")
    playbooks = Playbooks.of([mine], KNOWN)
    assert [b.name for b in playbooks.entries] == [b.name for b in SHIPPED]
    assert playbooks.entries[0].owner == "anna"


def test_shipped_ones_give_way_where_ones_own_take_all():
    playbooks = Playbooks.of([book("red", light=("red",))], KNOWN)
    names = [b.name for b in playbooks.entries]
    assert "red" in names
    assert "yellow_rest" in names
    assert not {"red_high", "red_middle", "red_low"} & set(names)
    assert Playbooks.of([REST], KNOWN).entries == (REST,)


def test_ones_own_in_vain_is_refused_before_the_shipped_ones_too():
    with pytest.raises(ConfigError, match="'late' can never be reached: 'rest'"):
        Playbooks.of([REST, book("late")], KNOWN)


def test_a_replaced_one_that_leaves_a_hole_is_refused():
    with pytest.raises(ConfigError, match="there is no playbook for customers of light 'yellow'"):
        Playbooks.of([book("yellow_rest", light=("yellow",), reason=("score",))], KNOWN)


def test_without_the_shipped_ones_only_ones_own_are_left():
    assert Playbooks.of([REST], KNOWN, shipped=False).entries == (REST,)
    with pytest.raises(ConfigError, match="there is no playbook"):
        Playbooks.of([], KNOWN, shipped=False)


# ── Tiers ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("values", "tiers"),
    [
        ([], ""),
        ([5], "h"),
        ([np.nan, np.nan], "uu"),
        ([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], "hhmmmlllll"),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "lllllmmmhh"),
        ([10, 9, 9, 7, 6, 5, 4, 3, 2, 1], "hhhmmlllll"),  # as much as the second: high, too
        ([10, 9, 8, 7, 6, 6, 6, 3, 2, 1], "hhmmmmmlll"),
        ([10, 9, 8, 7, 6, 5, 4, 3, 2, 1, np.nan], "hhmmmlllllu"),  # shares of the known
        ([7, 7, 7, 7], "hhhh"),
        ([9, 0, 0, 0, 0], "hllll"),  # nothing at risk is low, however many
        ([-1, -2], "ll"),
    ],
)
def test_tiers(values, tiers):
    found = Tiers().of(np.array(values, dtype=float))
    assert "".join(tier[0] for tier in found) == tiers


def test_shares_that_add_up_in_decimals_do_so_here():
    tier = Tiers(0.1, 0.2).of(np.arange(10, 0, -1, dtype=float))
    assert "".join(name[0] for name in tier) == "hmmlllllll"


@given(
    st.lists(st.sampled_from([np.nan, -1.0, 0.0, 1.0, 2.0, 3.0, 4.5]), max_size=40),
    st.sampled_from([0.05, 0.2, 0.3, 0.5]),
    st.sampled_from([0.05, 0.2, 0.3, 0.5]),
)
def test_tiers_follow_the_value_and_hold_at_least_their_share(values, high, middle):
    told = np.array(values)
    tier = Tiers(high, middle).of(told)
    level = np.array([TIERS.index(name) for name in tier], dtype=int)
    known = ~np.isnan(told)
    assert (level[~known] == TIERS.index("unknown")).all()
    order = np.argsort(-told[known], kind="stable")
    assert (np.diff(level[known][order]) >= 0).all()
    for value in set(told[known]):
        assert len(set(tier[told == value])) == 1  # equal values are never told apart
    positive = told[known] > 0
    assert (level[known] == 0).sum() >= min(high * known.sum(), positive.sum())
    # Without the customers of the edge itself, less than the share is left.
    edge = told[known][level[known] == 0].min(initial=np.inf)
    assert (told[known] > edge).sum() < max(high * known.sum(), 1)


@pytest.mark.parametrize("share", [0, -0.1, 0.51, np.nan])
def test_a_share_of_a_tier_that_is_none(share):
    with pytest.raises(ConfigError, match="high_share"):
        Tiers(high=share)
    with pytest.raises(ConfigError, match="middle_share"):
        Tiers(middle=share)


# ── What is planned ─────────────────────────────────────────────────────────────────────────


def test_a_plan_by_hand():
    run = customers(
        light=["red", "yellow", "green", "red", "red"],
        value_at_risk=[900.0, 10.0, 500.0, np.nan, 20.0],
        reason=["score", "failed_payment", "score", "open_complaint", "tenure"],
    )
    planned = plan(run, Actions(holdout=Holdout(share=0)), MONDAY)
    assert planned.columns.tolist() == [
        *run.columns, "tier", "playbook", "action", "channel", "owner", "due", "arm", "campaign",
        "listed",
    ]  # fmt: skip
    assert planned["tier"].tolist() == ["high", "low", "middle", "unknown", "low"]
    assert planned["playbook"].tolist() == [
        "red_high", "failed_payment", "", "open_complaint", "silent_new_buyer",
    ]  # fmt: skip
    assert planned["channel"].tolist() == ["call", "mail", "", "call", "mail"]
    assert planned["owner"].tolist() == ["account owner", "billing", "", "service", "marketing"]
    assert planned["due"].tolist() == [
        "2024-06-03T17:00:00+02:00",
        "2024-06-03T17:00:00+02:00",
        "",
        "2024-06-03T13:00:00+02:00",
        "2024-06-04T17:00:00+02:00",
    ]
    assert planned["arm"].tolist() == ["treated", "treated", "", "", "treated"]
    assert planned["campaign"].tolist() == ["retention"] * 2 + [""] + ["retention"] * 2
    assert planned["listed"].tolist() == ["call", "call", "", "call", "call"]


def test_nobody_at_risk_is_planned_for():
    planned = plan(customers(light=[]), Actions(), MONDAY)
    assert len(planned) == 0
    assert "listed" in planned.columns


def test_an_owner_from_a_static_column_and_who_takes_over():
    mine = book("mine", owner="{manager}")
    actions = Actions(Playbooks((mine,)), calls=Calls(owner="sales"), holdout=Holdout(share=0))
    managers = np.array(["anna", " bob ", "", None, np.nan], dtype=object)
    run = customers(light=["red"] * 4 + ["green"])
    planned = plan(run, actions, MONDAY, {"manager": managers})
    assert planned["owner"].tolist() == ["anna", "bob", "sales", "sales", ""]
    with pytest.raises(ConfigError, match="'manager', which is no static column"):
        plan(run, actions, MONDAY)


def test_what_is_no_run_is_named():
    with pytest.raises(DataError, match="have no 'reason'"):
        plan(customers(light=["red"]).drop(columns="reason"), Actions(), MONDAY)
    with pytest.raises(DataError, match="'amber' in the column light is no colour"):
        plan(customers(light=["amber"]), Actions(), MONDAY)


# ── In churnkit.toml ────────────────────────────────────────────────────────────────────────

MINIMAL = '[logs.purchases]\npath = "orders.csv"\n'
MINE = '[[playbooks]]\nname = "mine"\naction = "ring up"\nchannel = "call"\ndue = "2 days"\n'
ALONE = "[calls]\nshipped_playbooks = false\n"


@pytest.fixture
def load(tmp_path):
    def loaded(text: str) -> Actions:
        (tmp_path / FILE_NAME).write_text(MINIMAL + text, encoding="utf-8")
        return load_settings(tmp_path / FILE_NAME).actions()

    return loaded


def test_without_a_word_the_defaults_hold(load):
    assert load("") == Actions()
    assert {reason for b in SHIPPED for reason in b.reason} == set(SHIPPED_REASONS)


def test_all_is_editable(load):
    told = load(
        "[logs.customers]\npath = 'c.csv'\nstatic = ['kind']\n"
        "[calls]\nsegment = 'kind'\nper_week = 30\nowner = 'sales'\nhigh_share = 0.1\n"
        "middle_share = 0.5\n"
        "day_starts = '08:30'\nday_ends = '16:30'\n"
        "working_days = ['sat', 'sun', 'mon', 'tue', 'wed']\n[calls.quotas]\nanna = 4\n"
        "[holdout]\nshare = 0.25\ncampaign = 'spring'\nkey = '${SECRET}'\n"
        + MINE
        + "light = ['red']\nreason = ['nps', 'score', 'low_ease']\ntier = ['high']\n"
        "segment = ['vip']\nowner = 'anna'\nholdout = false\n"
    )
    assert told.calls == Calls(30, {"anna": 4}, "sales")
    assert told.tiers == Tiers(0.1, 0.5)
    assert (told.week.day_starts, told.week.day_ends) == ("08:30", "16:30")
    assert told.week.days == ("sat", "sun", "mon", "tue", "wed")
    assert told.holdout == Holdout(0.25, "spring", "${SECRET}")
    assert told.playbooks.entries[0] == Playbook(
        "mine", "ring up", "call", "2 days", ("red",), ("nps", "score", "low_ease"), ("high",),
        ("vip",), "anna", holdout=False,
    )  # fmt: skip
    assert told.playbooks.entries[1:] == SHIPPED


def test_only_ones_own(load):
    assert [b.name for b in load(ALONE + MINE).playbooks.entries] == ["mine"]


STATIC = "[logs.customers]\npath = 'c.csv'\nstatic = ['manager']\n"


def test_an_owner_by_column_needs_a_static_column(load):
    assert load(STATIC + MINE + "owner = '{manager}'\n").playbooks.columns == ("manager",)
    with pytest.raises(ConfigError, match="'manger', which is no static column\nDid you mean 'man"):
        load(STATIC + MINE + "owner = '{manger}'\n")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ALONE, "there is no playbook for customers of light 'red'"),
        (ALONE + MINE + "light = ['red']\n", "customers of light 'yellow', tier 'high'"),
        (MINE + MINE.replace("mine", "late"), "'late' can never be reached: 'mine' before it"),
        (MINE + MINE, "two playbooks are called 'mine'"),
        (MINE + "reason = ['open_complain']\n", "reason that does not exist: 'open_complain'"),
        (MINE + "light = ['amber']\n", "light that does not exist: 'amber'"),
        (MINE + "tier = ['top']\n", "tier that does not exist: 'top'"),
        (MINE.replace("2 days", "2 weeks"), "due = '2 weeks' is no time"),
        (MINE + "ownr = 'anna'\n", "'ownr' in [[playbooks]] no. 1 is an unknown key"),
        (MINE + MINE.replace("name =", "label ="), "'label' in [[playbooks]] no. 2 is an unknown"),
        (MINE.replace("due =", "# due ="), "'due' in [[playbooks]] no. 1 is missing"),
        ("[calls]\nper_week = 0\n", "'per_week' in [calls] = 0"),
        ("[calls]\nper_week = true\n", "'per_week' in [calls] = True"),
        ("[calls.quotas]\nanna = 40\n", "'anna' has a quota in [calls.quotas] and no playbook"),
        ("[calls.quotas]\nmarketing = 40\n", "'marketing' has a quota"),  # which sends mails
        ("[calls.quotas]\nservice = -1\n", "'service' in [calls.quotas] = -1"),
        ("[calls]\nhigh_share = 0\n", "'high_share' in [calls] = 0"),
        ("[calls]\nowner = ' '\n", "owner = ' ' in [calls] is nobody"),
        ("[calls]\nday_starts = '25:00'\n", "day_starts = '25:00' in [calls] is no time of day"),
        ("[calls]\nday_ends = '09:30'\n", "leave less than an hour of work a day"),
        ("[calls]\nworking_days = []\n", "working_days in [calls] names no day"),
        ("[calls]\nworking_days = ['mon', 'mon']\n", "'mon' stands twice"),
        ("[calls]\nworking_days = ['Mon']\n", "in [calls.working_days] = 'Mon'"),
        ("[holdout]\nshare = 0.6\n", "'share' in [holdout] = 0.6"),
        ("[holdout]\ncampaign = ''\n", "campaign in [holdout] is empty"),
    ],
)
def test_faults_of_the_file_are_named_with_the_file(load, text, found, tmp_path):
    with pytest.raises(ConfigError) as told:
        load(text)
    assert told.value.found.startswith(f"{tmp_path / FILE_NAME}: ")
    assert found in told.value.found
    assert told.value.mend
