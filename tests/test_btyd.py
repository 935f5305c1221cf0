"""BG/NBD as a plain rule: its formula, its fit, and its promises as a classifier."""

from __future__ import annotations

import json
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln, expit, gammaln
from sklearn.utils.estimator_checks import parametrize_with_checks

from churnkit.estimators import BgNbd, restored
from churnkit.estimators.btyd import log_odds_of_silence

PUBLISHED = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
"""Fader, Hardie and Lee's estimates for CDNOW, in weeks (their table 1)."""


class Simulated:
    """Customers of a BG/NBD world, seen for `tenure` and then for `horizon` days more."""

    truth: ClassVar[dict[str, float]] = {"r": 0.8, "alpha": 40.0, "a": 0.7, "b": 2.5}

    def __init__(self, customers: int, horizon: float, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        told = self.truth
        rate = rng.gamma(told["r"], 1 / told["alpha"], customers)
        leaves = rng.beta(told["a"], told["b"], customers)
        self.tenure = rng.uniform(30, 720, customers)
        self.repeats, self.span = np.zeros(customers), np.zeros(customers)
        self.silent = np.ones(customers, dtype=bool)
        at, alive = np.zeros(customers), np.ones(customers, dtype=bool)
        while alive.any():
            at = at + rng.exponential(1 / np.maximum(rate, 1e-12))
            seen, ahead = alive & (at < self.tenure), alive & (at >= self.tenure)
            self.repeats += seen
            self.span = np.where(seen, at, self.span)
            self.silent &= ~(ahead & (at < self.tenure + horizon))
            alive = seen & (rng.random(customers) >= leaves)
        self.X = np.column_stack([self.repeats + 1, self.span, self.tenure])


HORIZON = 60
WORLD = Simulated(40_000, HORIZON)


@pytest.fixture(scope="module")
def fitted() -> BgNbd:
    return BgNbd(horizon_days=HORIZON).fit(WORLD.X, WORLD.silent)


def chance(repeats: float, span: float, tenure: float, horizon: float, **told: float) -> float:
    row = (np.array([value]) for value in (repeats, span, tenure))
    return float(expit(log_odds_of_silence(*row, horizon, **(told or PUBLISHED))[0]))


# ── The formula ─────────────────────────────────────────────────────────────────────────────


def as_published(x, t, tenure, horizon, r, alpha, a, b):
    """The same from the likelihoods of the whole histories, before anything cancels."""

    def still_there(until):
        repeated = betaln(a, b + x) - betaln(a, b) + gammaln(r + x) - gammaln(r)
        return np.exp(repeated + r * np.log(alpha) - (r + x) * np.log(alpha + until))

    gone = 0.0
    if x > 0:
        bought = betaln(a + 1, b + x - 1) - betaln(a, b) + gammaln(r + x) - gammaln(r)
        gone = np.exp(bought + r * np.log(alpha) - (r + x) * np.log(alpha + t))
    return (gone + still_there(tenure + horizon)) / (gone + still_there(tenure))


@given(
    x=st.integers(0, 40),
    share=st.floats(0, 1),
    tenure=st.floats(0, 200),
    horizon=st.floats(0.5, 100),
    parameters=st.tuples(*[st.floats(0.05, 20)] * 4),
)
def test_the_short_form_is_the_published_one(x, share, tenure, horizon, parameters):
    told = dict(zip(("r", "alpha", "a", "b"), parameters, strict=True))
    span = share * tenure if x else 0.0
    expected = as_published(x, span, tenure, horizon, **told)
    assert chance(x, span, tenure, horizon, **told) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_by_hand():
    """r = 1, alpha = 10, a = b = 1; two repeats, the last at 20, seen for 40, 10 more to come.

    d = 1/2 (50/30)³ = 2.3148, u = (50/60)³ = .5787; (d + u) / (1 + d) = .8729.
    """
    assert chance(2, 20, 40, 10, r=1, alpha=10, a=1, b=1) == pytest.approx(0.87291, abs=1e-5)


def test_after_a_single_purchase_silence_is_neither_sure_nor_impossible():
    """It has not left, since one leaves after a repeat purchase only: ((α + T)/(α + T + H))^r."""
    told = PUBLISHED
    for tenure in (1.0, 10.0, 39.0):
        known = told["alpha"] + tenure
        by_hand = (known / (known + 39)) ** told["r"]
        assert chance(0, 0, tenure, 39) == pytest.approx(by_hand)
        assert 0.5 < by_hand < 0.95


def test_a_busy_customer_that_falls_silent_has_rather_left_than_a_slow_one():
    """The paradox that recency alone does not see."""
    assert chance(1, 10, 39, 8) < chance(12, 10, 39, 8)
    assert chance(1, 38, 39, 8) > chance(12, 38, 39, 8)


@pytest.mark.parametrize("longer", [1.5, 3, 10])
def test_silence_is_less_likely_the_longer_it_must_last(longer):
    assert chance(3, 20, 39, 8 * longer) < chance(3, 20, 39, 8)


def test_the_chance_is_the_share_in_simulated_futures():
    p = expit(log_odds_of_silence(WORLD.repeats, WORLD.span, WORLD.tenure, HORIZON, **WORLD.truth))
    for rows in (
        WORLD.repeats == 0,
        (WORLD.repeats == 1) & (WORLD.span > WORLD.tenure / 2),
        (WORLD.repeats == 1) & (WORLD.span <= WORLD.tenure / 2),
        (WORLD.repeats > 1) & (WORLD.span > WORLD.tenure - 60),
        (WORLD.repeats > 4) & (WORLD.span < WORLD.tenure - 120),
    ):
        error = np.sqrt(p[rows].mean() / rows.sum())
        assert WORLD.silent[rows].mean() == pytest.approx(p[rows].mean(), abs=4 * error)


# ── The fit ─────────────────────────────────────────────────────────────────────────────────


def test_the_fit_finds_the_world_it_looks_at(fitted):
    p = fitted.predict_proba(WORLD.X)[:, 1]
    true = expit(
        log_odds_of_silence(WORLD.repeats, WORLD.span, WORLD.tenure, HORIZON, **WORLD.truth)
    )
    assert np.abs(p - true).mean() < 0.01
    assert fitted.r_ == pytest.approx(WORLD.truth["r"], rel=0.25)
    assert fitted.r_ / fitted.alpha_ == pytest.approx(0.8 / 40, rel=0.15)
    assert fitted.a_ / (fitted.a_ + fitted.b_) == pytest.approx(0.7 / 3.2, rel=0.15)


def test_no_other_parameters_near_by_are_likelier(fitted):
    def loss(**other):
        told = {"r": fitted.r_, "alpha": fitted.alpha_, "a": fitted.a_, "b": fitted.b_} | other
        z = log_odds_of_silence(WORLD.repeats, WORLD.span, WORLD.tenure, HORIZON, **told)
        return np.mean(np.logaddexp(0, z) - WORLD.silent * z)

    for name in ("r", "alpha", "a", "b"):
        for factor in (0.9, 1.1):
            assert loss(**{name: factor * getattr(fitted, f"{name}_")}) > loss()


def parameters(rule: BgNbd) -> tuple[float, ...]:
    return rule.r_, rule.alpha_, rule.a_, rule.b_


def test_the_order_of_the_rows_does_not_matter(fitted):
    order = np.random.default_rng(1).permutation(len(WORLD.X))
    again = BgNbd(horizon_days=HORIZON).fit(WORLD.X[order], WORLD.silent[order])
    assert parameters(again) == parameters(fitted)


def test_a_row_of_weight_two_is_the_row_given_twice():
    X, y = WORLD.X[:3000], WORLD.silent[:3000]
    weight = np.random.default_rng(1).integers(0, 3, len(X))
    weighted = BgNbd(horizon_days=HORIZON).fit(X, y, weight)
    repeated = BgNbd(horizon_days=HORIZON).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    assert np.allclose(weighted.decision_function(X), repeated.decision_function(X))
    assert not np.allclose(
        weighted.decision_function(X), BgNbd(horizon_days=HORIZON).fit(X, y).decision_function(X)
    )


def test_the_unit_of_time_does_not_matter(fitted):
    """Days or hours: the same world, so the same chances."""
    hours = WORLD.X * [1, 24, 24]
    other = BgNbd(horizon_days=HORIZON * 24).fit(hours, WORLD.silent)
    p, q = other.predict_proba(hours)[:, 1], fitted.predict_proba(WORLD.X)[:, 1]
    assert np.allclose(p, q, atol=2e-3)


@pytest.mark.parametrize("outcome", [0, 1])
def test_known_customers_that_all_went_one_way_give_finite_chances(outcome):
    """The one that went the other way is unknown, so the four parameters run to their bounds."""
    X = np.vstack([WORLD.X[:50], [[np.nan] * 3]])
    y = np.append(np.full(50, outcome), 1 - outcome)
    p = BgNbd().fit(X, y).predict_proba(X)[:, 1]
    assert np.isfinite(p).all()
    assert p[:50].mean() == pytest.approx(outcome, abs=0.2)


# ── Missing and odd values ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("column", [0, 1, 2])
def test_a_customer_that_never_bought_gets_the_base_rate(fitted, column):
    row = WORLD.X[:1].copy()
    row[0, column] = np.nan
    assert fitted.predict_proba(row)[0, 1] == pytest.approx(WORLD.silent.mean())


def test_where_nobody_ever_bought_everybody_gets_the_base_rate():
    X, y = np.full((40, 3), np.nan), np.arange(40) < 10
    assert BgNbd().fit(X, y).predict_proba(X)[:, 1] == pytest.approx(0.25)


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3)
    | st.tuples(st.integers(1, 10**9), st.floats(0, 1e9), st.floats(0, 1e9)).map(list)
)
def test_every_number_has_a_finite_chance_and_finite_reasons(fitted, row):
    X = np.array([row], dtype=float)
    assert np.isfinite(fitted.decision_function(X)).all()
    assert np.isfinite(fitted.contributions(X)).all()


def test_what_cannot_be_is_read_as_the_nearest_that_can(fitted):
    """Fewer purchases than one, a span longer than the tenure."""
    odd = np.array([[0, 0, 40], [3, 90, 40]], dtype=float)
    even = np.array([[1, 0, 40], [3, 40, 40]], dtype=float)
    assert np.array_equal(fitted.decision_function(odd), fitted.decision_function(even))


# ── Contributions ───────────────────────────────────────────────────────────────────────────


def test_contributions_add_up_to_the_log_odds_less_those_of_the_mean_customer(fitted):
    rows = np.vstack([WORLD.X[:500], [[np.nan] * 3, [3, np.nan, 100]]])
    mean = fitted.decision_function(fitted.reference_[None, :])
    assert np.allclose(fitted.reference_, WORLD.X.mean(axis=0))
    added = fitted.contributions(rows).sum(axis=1)
    assert np.allclose(added, fitted.decision_function(rows) - mean)


def test_columns_at_their_mean_contribute_nothing(fitted):
    row = fitted.reference_ * [1, 1, 2]
    told = fitted.contributions(row[None, :])[0]
    assert told[:2] == pytest.approx([0, 0])
    assert abs(told[2]) > 0.1


def test_it_looks_at_its_columns_only(fitted):
    wide = np.column_stack([np.full(len(WORLD.X), 7.0), WORLD.X[:, ::-1]])
    other = BgNbd(columns=[3, 2, 1], horizon_days=HORIZON).fit(wide, WORLD.silent)
    assert np.array_equal(other.decision_function(wide), fitted.decision_function(WORLD.X))
    told = other.contributions(wide)
    assert not told[:, 0].any()
    assert np.array_equal(told[:, [3, 2, 1]], fitted.contributions(WORLD.X))


# ── To disk and back ────────────────────────────────────────────────────────────────────────


def test_what_it_tells_of_itself_makes_it_again(fitted):
    told = json.loads(json.dumps(fitted.told()))
    again = restored(told, fitted.boosters())
    assert again.get_params() == {"columns": [0, 1, 2], "horizon_days": HORIZON}
    assert np.array_equal(again.decision_function(WORLD.X), fitted.decision_function(WORLD.X))
    assert np.array_equal(again.contributions(WORLD.X), fitted.contributions(WORLD.X))


# ── What it refuses ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("columns", [(0, 1), (0, 1, 3), (0, 1, -1), (0, 1, 1, 2)])
def test_three_columns_of_the_table_are_needed(columns):
    with pytest.raises(ValueError, match="the positions of three columns of X are needed"):
        BgNbd(columns).fit(WORLD.X, WORLD.silent)


def test_a_horizon_is_needed():
    with pytest.raises(ValueError, match="horizon_days is 0; at least one day is needed"):
        BgNbd(horizon_days=0).fit(WORLD.X, WORLD.silent)


# ── The contract of scikit-learn ────────────────────────────────────────────────────────────


# Some checks fit two columns only: the second is span and tenure at once.
@parametrize_with_checks([BgNbd(columns=(0, 1, 1))])
def test_keeps_the_contract_of_scikit_learn(estimator, check):
    check(estimator)
