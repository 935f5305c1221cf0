"""The holdout: a stable share of customers, the same whatever else is there."""

from __future__ import annotations

import hashlib
import hmac
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.actions import Actions, Holdout, Playbook, Playbooks, arm, plan
from churnkit.clock import Cutoff
from churnkit.errors import ConfigError
from churnkit.metrics import proportion

IDS = [f"customer {k}" for k in range(20_000)]
MONDAY = Cutoff.parse("2024-06-03")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SHARES = st.floats(0, 0.5)


def controls(*told: object) -> np.ndarray:
    return arm(*told) == "control"


# ── Stable ──────────────────────────────────────────────────────────────────────────────────


def test_known_arms_stay_what_they_are():
    """Whoever was held out last year is held out this year: a change here breaks campaigns."""
    ids = ["anna", "bob", "c1", "c2", "c3", "c4", "مریم", "=cmd", "", "c5"]
    drawn = "".join(name[0] for name in arm(ids, "spring", 0.5, "secret"))
    places = [
        hmac.new(b"secret", f"6:spring{who}".encode(), hashlib.sha256).digest()[0] for who in ids
    ]
    assert drawn == "".join("c" if place < 128 else "t" for place in places) == KNOWN


KNOWN = "cctctctctt"


@given(st.lists(TEXT, max_size=5), TEXT, SHARES, TEXT, st.integers(1, 9))
def test_places_are_those_of_the_standard_library(ids, campaign, share, key, longer):
    key = key * longer  # keys longer than a block of the hash are hashed first
    told = [f"{len(campaign)}:{campaign}{who}".encode() for who in ids]
    places = [hmac.digest(key.encode(), text, "sha256")[:8] for text in told]
    below = [int.from_bytes(place) < int(share * 2**64) for place in places]
    assert controls(ids, campaign, share, key).tolist() == below


@given(st.lists(TEXT, max_size=12), TEXT, SHARES, TEXT, st.randoms(use_true_random=False))
def test_neither_the_order_nor_other_customers_matter(ids, campaign, share, key, chance):
    alone = {who: arm([who], campaign, share, key)[0] for who in ids}
    chance.shuffle(ids)
    assert arm(ids, campaign, share, key).tolist() == [alone[who] for who in ids]


@given(st.lists(TEXT, max_size=12), SHARES, SHARES)
def test_a_larger_share_keeps_the_controls(ids, one, other):
    small, large = sorted([one, other])
    assert (controls(ids, "c", small, "k") <= controls(ids, "c", large, "k")).all()


@pytest.mark.parametrize("share", [0.05, 0.1, 0.25, 0.5])
def test_the_share_is_kept(share):
    held = controls(IDS, "spring", share, "key")
    interval = proportion(int(held.sum()), len(held), 0.999)
    assert interval.low < share < interval.high


def test_a_share_of_nothing_holds_out_nobody():
    assert not controls(IDS, "spring", 0, "key").any()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("spring", 0.3, "key"), ("autumn", 0.3, "key")),
        (("spring", 0.3, "key"), ("spring", 0.3, "another key")),
        (("spring", 0.3, "key"), ("spring 2", 0.3, "key")),
    ],
)
def test_campaigns_and_keys_draw_independently(one, other):
    both = controls(IDS, *one) & controls(IDS, *other)
    interval = proportion(int(both.sum()), len(both), 0.999)
    assert interval.low < 0.3 * 0.3 < interval.high


def test_campaign_and_customer_are_not_run_together():
    ends = controls([f"9{who}" for who in IDS], "spring", 0.5, "key")
    assert (ends != controls(IDS, "spring9", 0.5, "key")).any()


def test_a_hundred_thousand_customers_take_less_than_a_second():
    ids = pd.Series([f"customer {k}" for k in range(100_000)])
    start = time.process_time()
    assert len(arm(ids, "spring", 0.1, "key")) == 100_000
    assert time.process_time() - start < 1


# ── As it is set ────────────────────────────────────────────────────────────────────────────


def test_without_a_key_the_campaign_gives_one():
    held = Holdout(campaign="spring")
    assert (held.arms(IDS) == arm(IDS, "spring", 0.1, "churnkit holdout of spring")).all()
    assert (held.arms(IDS) != Holdout(campaign="autumn").arms(IDS)).any()


def test_the_key_from_the_environment_or_a_file(monkeypatch, tmp_path):
    plain = arm(IDS, "retention", 0.1, "hunter2")
    assert (Holdout(key="hunter2").arms(IDS) == plain).all()
    monkeypatch.setenv("DRAW", "hunter2")
    assert (Holdout(key="${DRAW}").arms(IDS) == plain).all()
    monkeypatch.delenv("DRAW")
    (tmp_path / "key").write_text("hunter2\n")
    monkeypatch.setenv("DRAW_FILE", str(tmp_path / "key"))
    assert (Holdout(key="${DRAW}").arms(IDS) == plain).all()


def test_a_key_that_is_not_set_is_named_when_it_is_needed(monkeypatch):
    monkeypatch.delenv("DRAW", raising=False)
    held = Holdout(key="${DRAW}")
    with pytest.raises(ConfigError, match=r"key in \[holdout\] is \$\{DRAW\}.*\n.*DRAW_FILE"):
        held.arms(["anna"])


def test_the_key_is_not_shown():
    assert "hunter2" not in repr(Holdout(key="hunter2"))


@pytest.mark.parametrize("share", [-0.01, 0.501, 1, np.nan])
def test_a_share_that_is_none(share):
    with pytest.raises(ConfigError, match=r"share = .* in \[holdout\]"):
        Holdout(share)
    with pytest.raises(ConfigError, match=r"share = .* in \[holdout\]"):
        arm(["anna"], "spring", share, "key")


def test_a_campaign_without_a_name():
    with pytest.raises(ConfigError, match=r"campaign in \[holdout\] is empty"):
        Holdout(campaign=" ")


# ── In a plan ───────────────────────────────────────────────────────────────────────────────


def planned(ids: list[str], cutoff: Cutoff = MONDAY, light: str = "red") -> pd.DataFrame:
    run = pd.DataFrame(
        {
            "customer_id": pd.Series(ids, dtype=object),
            "value_at_risk": 1.0,
            "rank": range(1, len(ids) + 1),
            "light": light,
            "reason": ["open_complaint" if who.endswith("7") else "score" for who in ids],
            "segment": "",
        }
    )
    return plan(run, Actions(holdout=Holdout(0.2)), cutoff)


def test_controls_are_on_no_list_and_keep_their_playbook():
    told = planned(IDS[:2_000])
    held = told["arm"] == "control"
    assert 300 < held.sum() < 420
    for column in ("owner", "due", "listed"):
        assert (told.loc[held, column] == "").all()
        assert (told.loc[~held, column] != "").all()
    assert set(told.loc[held, "playbook"]) == {"red_high"}
    assert (told.loc[held, "campaign"] == "retention").all()


def test_whoever_may_not_be_held_out_is_in_no_arm():
    told = planned(IDS[:2_000])
    owed = told["reason"] == "open_complaint"
    assert set(told.loc[owed, "arm"]) == {""}
    assert set(told.loc[owed, "listed"]) == {"call"}
    assert set(told.loc[~owed, "arm"]) == {"treated", "control"}


@settings(max_examples=8, deadline=None)
@given(
    st.sets(st.sampled_from(IDS[:200]), min_size=1), st.sampled_from(["2024-06-10", "2025-01-01"])
)
def test_a_customer_stays_in_or_out_from_week_to_week(ids, later):
    first = planned(IDS[:200]).set_index("customer_id")["arm"]
    then = planned(sorted(ids), Cutoff.parse(later), "yellow").set_index("customer_id")["arm"]
    assert (then == first[then.index]).all()


def test_green_customers_are_in_no_arm():
    told = planned(IDS[:50], light="green")
    assert set(told["arm"]) == set(told["campaign"]) == {""}


def test_mails_hold_out_as_well():
    mails = Actions(Playbooks((Playbook("m", "mail", "mail", "1 day"),)), holdout=Holdout(0.2))
    told = plan(planned(IDS[:500]).drop(columns="arm"), mails, MONDAY)
    assert set(told["arm"]) == {"treated", "control"}
