"""Whom acting keeps: learnt where it pays, and used only where it is clearly better than risk."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from churnkit.campaign import PLAIN_KINDS, Campaign, Kind, Population, draw_campaign
from churnkit.clock import Cutoff
from churnkit.errors import GateRefused
from churnkit.features import Features, FeatureSpec
from churnkit.outcomes import Ranking, Uplift, choose_ranking, ranking_of, with_risk
from churnkit.outcomes.uplift import gains

SEEDS = range(4)
HARD = Population(customers=4_000, control=0.5)
PLAIN = Population(customers=4_000, control=0.5, kinds=PLAIN_KINDS)


def chosen(campaign: Campaign, value: np.ndarray | None = None) -> Ranking:
    columns = campaign.features, campaign.treated, campaign.churned, campaign.risk
    return choose_ranking(*columns, campaign.customer_id, value)


def true_gains(ranking: Ranking, later: Campaign) -> tuple[float, float]:
    """What both rankings gain among other customers, by the true effect."""
    saved = ranking.learner.saved(with_risk(later.features, later.risk))
    return gains(saved, -later.effect), gains(later.risk, -later.effect)


def test_uplift_wins_where_there_are_lost_causes_and_sleeping_dogs() -> None:
    used = 0
    for seed in SEEDS:
        ranking = chosen(draw_campaign(HARD, seed))
        by_uplift, by_risk = true_gains(ranking, draw_campaign(HARD, 100 + seed))
        assert by_uplift > 2 * by_risk
        used += ranking.use == "uplift"
    assert used >= 3


def test_risk_stays_where_it_ranks_right() -> None:
    for seed in SEEDS:
        ranking = chosen(draw_campaign(PLAIN, seed))
        by_uplift, by_risk = true_gains(ranking, draw_campaign(PLAIN, 100 + seed))
        assert ranking.use == "risk"
        assert "not clearly better, so risk stays" in ranking.says
        assert by_uplift <= by_risk


def test_uplift_finds_the_sleeping_dogs() -> None:
    campaign, later = draw_campaign(HARD, 1), draw_campaign(HARD, 2)
    saved = chosen(campaign).learner.saved(with_risk(later.features, later.risk))
    mean = {kind: saved[later.kind == kind].mean() for kind in set(later.kind)}
    assert mean["sleeping_dog"] < 0 < mean["persuadable"]
    assert mean["sleeping_dog"] < min(mean["sure_thing"], mean["lost_cause"])
    assert np.corrcoef(saved, -later.effect)[0, 1] > 0.5


def test_by_value_the_gain_is_money() -> None:
    campaign = draw_campaign(HARD, 3)
    plain, money = chosen(campaign), chosen(campaign, 50 * np.ones(len(campaign)))
    assert money.uplift.value == pytest.approx(50 * plain.uplift.value)
    assert "in money" in money.says


def test_the_order_of_rows_makes_no_difference() -> None:
    campaign = draw_campaign(Population(customers=2_000, control=0.4), 4)
    at = np.random.default_rng(0).permutation(len(campaign))
    columns = ("features", "treated", "churned", "risk", "customer_id")
    one = choose_ranking(*(getattr(campaign, name) for name in columns))
    other = choose_ranking(*(getattr(campaign, name)[at] for name in columns))
    assert one.told() == other.told()
    assert json.dumps(one.told(), allow_nan=False)


def test_customers_of_the_ledger_are_matched_by_id_and_day() -> None:
    campaign = draw_campaign(Population(customers=2_000, control=0.4), 4)
    at = np.random.default_rng(1).permutation(len(campaign))
    columns = {f"x{k}": values[at] for k, values in enumerate(campaign.features.T)}
    us = np.full(2_000, Cutoff.parse("2024-06-01", "Europe/Berlin").us)
    table = Features(campaign.customer_id[at], us, columns, FeatureSpec({}), "Europe/Berlin")
    open_now = np.arange(2_000) < 100
    churned = np.where(open_now, np.nan, campaign.churned)
    told = ranking_of(table, campaign.assigned("2024-06-01"), churned)
    names = ("features", "treated", "churned", "risk", "customer_id")
    by_hand = choose_ranking(*(getattr(campaign, name)[~open_now] for name in names))
    assert told.told() == by_hand.told()
    elsewhere = campaign.assigned("2024-06-02")
    with pytest.raises(GateRefused, match="0 treated customers"):
        ranking_of(table, elsewhere, churned)


def test_missing_features_are_borne() -> None:
    campaign = draw_campaign(Population(customers=2_000, control=0.4), 5)
    X = campaign.features.copy()
    X[::7, 0] = np.nan
    X[:, 5] = np.nan
    learner = Uplift().fit(X, campaign.treated, campaign.churned)
    assert np.isfinite(learner.saved(X)).all()


def test_too_few_outcomes_are_refused_in_words() -> None:
    few = draw_campaign(Population(customers=900, control=0.2))
    with pytest.raises(GateRefused, match="control customers have an outcome") as refused:
        chosen(few)
    assert "300 are needed in each arm" in refused.value.mend
    calm = {"calm": Kind(1.0, 0.02, 0.02)}
    with pytest.raises(GateRefused, match="treated customers have an outcome"):
        chosen(draw_campaign(Population(customers=2_000, kinds=calm)))


# ── The gain ────────────────────────────────────────────────────────────────────────────────


def test_the_gain_is_the_area_above_a_random_order() -> None:
    """Treating the top k of 4 keeps 1, 1, 2, 0: of the curve from 0, 0 the area by trapezes."""
    score, kept = np.array([4, 3, 2, 1]), np.array([1.0, 0.0, 1.0, -2.0])
    curve = np.array([0, 1, 1, 2, 0]) / 4
    random = np.linspace(0, curve[-1], 5)
    assert gains(score, kept) == pytest.approx(np.trapezoid(curve - random, dx=0.25))


finite = arrays(float, 12, elements=st.floats(-5, 5).map(lambda x: round(x, 2)))


@given(finite, finite)
def test_the_gain_turns_its_sign_with_the_order(score: np.ndarray, kept: np.ndarray) -> None:
    assert gains(-score, kept) == pytest.approx(-gains(score, kept))
    assert gains(np.zeros(12), kept) == pytest.approx(0)
    assert gains(kept, kept) >= gains(score, kept) - 1e-9
