"""The hazard: when the next sign of life comes, and with it the chance for every horizon."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.special import expit
from sklearn.base import clone
from tables import logs_of

from churnkit.clock import Cutoff
from churnkit.errors import ConfigError
from churnkit.estimators import ChurnClassifier, Hazard, restored
from churnkit.estimators.hazard import _log_odds_of_silence
from churnkit.index import BlockIndex
from churnkit.labels import Question
from churnkit.metrics import auroc

SMALL = ChurnClassifier(trees=60, learning_rate=0.1, seeds=1, rows_per_leaf=50)


def table(rows: int = 6000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns, the daily hazard they make, and the days until the silence ends."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 4))
    hazard = np.exp(-4 + X[:, 0] - 0.5 * X[:, 1])
    X[rng.random(X.shape) < 0.05] = np.nan
    return X, hazard, rng.exponential(1 / hazard)


X, HAZARD, DAYS = table()
TEST, TRUE_HAZARD, TRUE_DAYS = table(seed=1)


@pytest.fixture(scope="module")
def fitted() -> Hazard:
    return Hazard(step_days=20, horizon_days=60, trees=SMALL).fit(X, DAYS)


# ── Chances for every horizon ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("days", [10, 20, 40, 50, 60])
def test_the_chances_are_those_of_the_world_for_every_horizon(fitted, days):
    p = fitted.predict_survival(TEST, days)
    assert p.mean() == pytest.approx((days <= TRUE_DAYS).mean(), abs=0.02)
    assert np.corrcoef(p, np.exp(-TRUE_HAZARD * days))[0, 1] > 0.9


@pytest.mark.parametrize("days", [20, 40])
def test_a_shorter_horizon_is_as_good_as_a_model_of_its_own(fitted, days):
    own = clone(SMALL).fit(X, days <= DAYS).predict_proba(TEST)[:, 1]
    late = days <= TRUE_DAYS
    assert auroc(late, fitted.predict_survival(TEST, days)) > auroc(late, own) - 0.01


def test_churn_is_silence_over_the_whole_horizon(fitted):
    p = fitted.predict_proba(TEST)[:, 1]
    assert np.allclose(p, fitted.predict_survival(TEST, 60))
    assert fitted.classes_.tolist() == [False, True]
    assert np.array_equal(fitted.predict(TEST), p > 0.5)


def test_the_longer_the_less_likely(fitted):
    told = np.array([fitted.predict_survival(TEST, days) for days in (0, 1, 10, 20, 21, 45, 60)])
    assert (told[0] == 1).all()
    assert (np.diff(told, axis=0) < 0).all()


def test_within_a_step_the_hazard_is_constant(fitted):
    at_20, at_30, at_40 = (fitted.predict_survival(TEST, days) for days in (20, 30, 40))
    assert np.allclose(at_30, np.sqrt(at_20 * at_40))


def test_the_last_step_is_shorter_where_the_horizon_is_no_whole_number_of_steps():
    odd = Hazard(step_days=25, horizon_days=60, trees=SMALL).fit(X, DAYS)
    assert odd.predict_proba(TEST)[:, 1].mean() == pytest.approx((TRUE_DAYS >= 60).mean(), abs=0.02)
    steps = [odd.predict_survival(TEST, days).mean() for days in (0, 25, 50, 60)]
    last, before = (1 - steps[k] / steps[k - 1] for k in (3, 2))
    assert last < 0.6 * before


def test_silence_is_the_product_of_the_steps():
    """The formula by hand: hazards 1/2 and 1/4 leave 3/8."""
    ends = np.log(np.array([[1.0], [1 / 3]]))
    assert expit(_log_odds_of_silence(ends)) == pytest.approx(3 / 8)


# ── What it learns from ─────────────────────────────────────────────────────────────────────


def test_what_comes_after_the_horizon_is_not_looked_at(fitted):
    blind = np.where(DAYS >= 60, np.inf, DAYS)
    again = Hazard(step_days=20, horizon_days=60, trees=SMALL).fit(X, blind)
    assert np.array_equal(again.decision_function(TEST), fitted.decision_function(TEST))


def test_a_sign_of_life_at_the_end_of_a_step_falls_into_the_next():
    known = np.repeat([[0.0], [1.0]], 200, axis=0)
    days = np.repeat([[29.999, 30.0]], 200, axis=0).T.ravel()
    model = Hazard(step_days=30, horizon_days=60, trees=SMALL).fit(known, days)
    early, late = model.predict_survival([[0.0], [1.0]], 30)
    assert early < 0.2
    assert late > 0.8


def test_rows_of_weight_zero_are_not_there(fitted):
    half = np.arange(len(X)) < len(X) // 2
    weighted = Hazard(20, 60, SMALL).fit(X, DAYS, half.astype(float))
    alone = Hazard(20, 60, SMALL).fit(X[half], DAYS[half])
    assert np.array_equal(weighted.decision_function(TEST), alone.decision_function(TEST))
    assert not np.array_equal(weighted.decision_function(TEST), fitted.decision_function(TEST))


# ── Contributions ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("told", ["contributions", "path_contributions"])
def test_contributions_add_up_to_the_log_odds_less_their_mean(fitted, told):
    shares = getattr(fitted, told)(TEST)
    assert shares.shape == TEST.shape
    expected = fitted.decision_function(TEST) - fitted.decision_function(X).mean()
    assert np.allclose(shares.sum(axis=1), expected)


def test_contributions_go_with_what_drives_the_silence(fitted):
    shares = fitted.contributions(TEST)
    size = np.abs(shares).mean(axis=0)
    assert size[0] > size[1] > 3 * size[2:].max()
    known = ~np.isnan(TEST[:, 0])
    assert np.corrcoef(shares[known, 0], TEST[known, 0])[0, 1] < -0.9


# ── To disk and back ────────────────────────────────────────────────────────────────────────


def test_what_it_tells_of_itself_makes_it_again(fitted):
    told = json.loads(json.dumps(fitted.told()))
    again = restored(told, fitted.boosters())
    assert again.get_params(deep=False)["step_days"] == 20
    assert np.array_equal(again.decision_function(TEST), fitted.decision_function(TEST))
    assert np.array_equal(again.contributions(TEST), fitted.contributions(TEST))


# ── What it refuses ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (np.where(np.arange(len(X)) == 7, -0.5, DAYS), "days holds -0.5"),
        (np.where(np.arange(len(X)) == 7, np.nan, DAYS), "days holds nan"),
        (DAYS[:-1], r"days has shape \(5999,\) for 6000 rows"),
        (np.full(len(X), np.inf), "one class only"),
    ],
)
def test_days_that_cannot_be_are_refused(days, said):
    with pytest.raises(ValueError, match=said):
        Hazard(trees=SMALL).fit(X, days)


@pytest.mark.parametrize("lengths", [{"step_days": 0}, {"horizon_days": -1}])
def test_lengths_are_positive(lengths):
    with pytest.raises(ValueError, match="at least one day is needed"):
        Hazard(**lengths).fit(X, DAYS)


@pytest.mark.parametrize("days", [-1, 60.5])
def test_no_more_is_known_than_the_horizon(fitted, days):
    with pytest.raises(ValueError, match="it knows of 0 to 60, its horizon"):
        fitted.predict_survival(TEST, days)


# ── The days until the return ───────────────────────────────────────────────────────────────

CUTOFF = Cutoff.parse("2024-03-01")
PURCHASES = """
    customer | ts                  | amount
    anna     | 2024-02-01          | 10
    anna     | 2024-03-01          | 10
    ben      | 2024-02-01          | 10
    ben      | 2024-03-05          | -10
    ben      | 2024-03-11 12:00:00 | 10
    ben      | 2024-03-12          | 10
    cleo     | 2024-02-01          | 10
    cleo     | 2024-03-31          | 10
    dora     | 2024-02-01          | 10
"""


def test_the_day_of_the_return_lies_within_the_horizon_or_nowhere():
    question = Question(horizon_days=30, lookback_days=60)
    block = BlockIndex(logs_of(purchases=PURCHASES))
    at = block.at(CUTOFF)
    days = question.days_until_return(block, at)
    assert days.tolist() == [0, 10.5, np.inf, np.inf]
    assert np.array_equal(np.isinf(days), question.churned(block, at))


def test_nobody_returns_from_an_event():
    logs = logs_of(
        activity="""
        customer | ts         | event
        anna     | 2024-02-01 | login
        anna     | 2024-03-10 | cancellation
    """
    )
    block = BlockIndex(logs)
    with pytest.raises(ConfigError, match="'event' has no day of return"):
        Question("event", 30, 60).days_until_return(block, block.at(CUTOFF))
