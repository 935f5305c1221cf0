"""Simulated campaigns: their truth is what their outcomes show, and chance alone makes the arms."""

from __future__ import annotations

import numpy as np
import pytest

from churnkit.campaign import KINDS, PLAIN_KINDS, Kind, Population, draw_campaign

MANY = Population(customers=100_000)


def test_the_same_seed_gives_the_same_campaign() -> None:
    one, again, other = (draw_campaign(Population(customers=50), seed) for seed in (1, 1, 2))
    for name in ("alone", "acted", "value", "features", "treated", "done", "churned"):
        assert np.array_equal(getattr(one, name), getattr(again, name)), name
    assert not np.array_equal(one.alone, other.alone)


@pytest.mark.parametrize("reached", [1.0, 0.6])
def test_outcomes_show_the_true_effect(reached: float) -> None:
    asked = Population(customers=100_000, control=0.5, reached=reached, leaked=0.1)
    campaign = draw_campaign(asked, seed=3)
    churned, treated = campaign.churned, campaign.treated
    seen = churned[treated].mean() - churned[~treated].mean()
    assert seen == pytest.approx(campaign.average_effect, abs=0.01)
    assert campaign.average_effect == pytest.approx(campaign.effect_if_reached * (reached - 0.1))
    assert campaign.done[~treated].mean() == pytest.approx(0.1, abs=0.01)


def test_kinds_come_in_their_shares_with_their_risks() -> None:
    campaign = draw_campaign(Population(customers=100_000, spread=0.0))
    for name, kind in KINDS.items():
        of = campaign.kind == name
        assert of.mean() == pytest.approx(kind.share, abs=0.01)
        assert np.allclose(campaign.alone[of], kind.alone)
        assert np.allclose(campaign.acted[of], kind.acted)


def test_chance_alone_makes_the_arms() -> None:
    campaign = draw_campaign(MANY, seed=5)
    assert campaign.treated.mean() == pytest.approx(0.8, abs=0.01)
    for column in (campaign.alone, campaign.effect, campaign.features[:, 0]):
        arms = column[campaign.treated], column[~campaign.treated]
        assert arms[0].mean() == pytest.approx(arms[1].mean(), abs=4 * column.std() / 130)


def test_features_tell_the_kinds_apart_noisily() -> None:
    campaign = draw_campaign(MANY)
    persuadable = campaign.kind == "persuadable"
    told = campaign.features[:, 0]
    assert told[persuadable].mean() - told[~persuadable].mean() == pytest.approx(2, abs=0.05)
    assert told[persuadable].min() < told[~persuadable].max()


def test_risk_ranks_by_effect_only_where_kinds_are_plain() -> None:
    by_risk = {}
    for name, kinds in (("plain", PLAIN_KINDS), ("hard", KINDS)):
        campaign = draw_campaign(Population(customers=20_000, kinds=kinds))
        first = campaign.risk >= np.quantile(campaign.risk, 0.8)
        by_risk[name] = -campaign.effect[first].mean() / -np.sort(campaign.effect)[:4000].mean()
    assert by_risk["plain"] > 0.9
    assert by_risk["hard"] < 0.4


def test_saved_value_is_what_the_treated_were_expected_to_keep() -> None:
    certain = {"kept": Kind(1.0, alone=0.5, acted=0.25)}
    campaign = draw_campaign(Population(customers=500, kinds=certain, spread=0.0))
    assert campaign.saved_value == pytest.approx(0.25 * campaign.value[campaign.treated].sum())


def test_runs_have_what_the_ledger_keeps() -> None:
    campaign = draw_campaign(Population(customers=200, reached=0.5))
    run, deeds = campaign.assigned("2024-06-01"), campaign.deeds("2024-06-01")
    assert set(run["arm"]) == {"treated", "control"}
    assert (run["light"] == "red").equals(run["churn_probability"] >= 0.5)
    assert set(deeds["customer_id"]) == set(campaign.customer_id[campaign.done])
