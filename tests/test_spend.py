"""What a customer who stays will spend: the label, the three ways, how one is chosen, and what
becomes of it in scores and bundles.

The cutoff of the examples is 2024-03-01.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.stats import beta, spearmanr
from tables import drawn, logs_of

from churnkit import bundle
from churnkit.clock import DAY, Cutoff
from churnkit.dataset import build_dataset
from churnkit.errors import BundleError
from churnkit.estimators import GammaGamma, SpendTrees, restored_spend
from churnkit.estimators.spend import fitted_money, purchases_of_stayers
from churnkit.index import BlockIndex
from churnkit.labels import Question, declared_margin, run_rate, spend_ahead
from churnkit.logs import Events, Logs
from churnkit.metrics import resample_rows
from churnkit.model import LADDER, ChurnModel, fit
from churnkit.scoring import at_risk
from churnkit.sections import MoneySection
from churnkit.sources import read_logs
from churnkit.spend import (
    MEASURES,
    TIE,
    WAYS,
    SpendTrial,
    choose_way,
    fit_spend,
    measuring,
    poisson_deviance,
    ways_for,
)
from churnkit.training import Training, card_text

CUTOFF = Cutoff.parse("2024-03-01")
QUESTION = Question(horizon_days=30, lookback_days=60)


def of_each(function, logs, days: int) -> dict[str, float]:
    """Customer → what a function of labels gives at the cutoff."""
    block = BlockIndex(logs)
    found = function(block, block.at(CUTOFF), days).tolist()
    return dict(zip(logs.customer_ids, found, strict=True))


# ── The label ───────────────────────────────────────────────────────────────────────────────


def test_the_spend_is_sales_less_returns_within_the_horizon():
    logs = logs_of(
        purchases="""
            customer | ts                  | amount
            anna     | 2024-02-29 23:59:59 | 500
            anna     | 2024-03-01          | 10.10
            anna     | 2024-03-30 23:59:59 | 0.20
            anna     | 2024-03-31          | 500
            ben      | 2024-02-01          | 10
            ben      | 2024-03-05          | 30
            ben      | 2024-03-06          | -12.50
            cleo     | 2024-03-05          | 5
            cleo     | 2024-03-20          | -80
            dora     | 2024-02-20          | 10
        """
    )
    expected = {"anna": 10.3, "ben": 17.5, "cleo": 0.0, "dora": 0.0}
    assert of_each(spend_ahead, logs, 30) == expected


HOUR = DAY // 24
PURCHASES = st.lists(st.tuples(st.integers(-1_000, 1_000), st.integers(-5_000, 20_000)), max_size=8)


@given(PURCHASES, PURCHASES)
def test_only_the_horizon_counts(within, around):
    """Whatever happens before the cutoff, or from the end of the horizon on, changes nothing."""
    inside = [(hours % (30 * 24), cents) for hours, cents in within]
    outside = [(hours if hours < 0 else 30 * 24 + hours, cents) for hours, cents in around]
    spent = of_each(spend_ahead, anna_who(inside + outside), 30)["anna"]
    assert spent == max(sum(cents for _, cents in inside), 0) / 100


def anna_who(bought: list[tuple[int, int]]) -> Logs:
    """One customer who spends or returns so many cents so many hours after the cutoff."""
    hours, cents = np.array(sorted(bought), dtype=np.int64).reshape(-1, 2).T
    columns = {"amount": cents, "is_return": (cents < 0).astype(np.int64)}
    events = Events(np.zeros_like(hours), CUTOFF.us + hours * HOUR, columns)
    return Logs(np.array(["anna"], dtype=object), purchases=events)


def test_a_dataset_holds_the_spend_where_the_log_has_amounts():
    purchases = """
        customer | ts         | amount
        anna     | 2024-02-01 | 40
        anna     | 2024-03-02 | 25
        ben      | 2024-02-02 | 10
    """
    told = build_dataset(logs_of(purchases=purchases), QUESTION, [CUTOFF])
    assert told.spend.tolist() == [25.0, 0.0]
    assert told.run_rate.tolist() == [40.0, 10.0]
    assert told.where(~told.churned).spend.tolist() == [25.0]
    visits = read_logs(drawn(purchases).drop(columns="amount"))
    silent = build_dataset(visits, QUESTION, [CUTOFF])
    assert silent.spend is None
    assert silent.run_rate is None
    assert silent.at([CUTOFF]).spend is None


# ── The run rate, and what is declared ──────────────────────────────────────────────────────


def test_the_run_rate_is_the_yearly_spend_spread_evenly():
    """Over a horizon of 73 days, a fifth of a year: Anna's returns are taken off, Ben's first
    purchase counts for a whole horizon, of Cleo only the last year counts; Emil has but returned,
    and Fay is not known to buy at all.
    """
    purchases = """
        customer | ts         | amount
        anna     | 2023-03-02 | 400
        anna     | 2024-02-01 | -35
        ben      | 2024-02-20 | 50
        cleo     | 2022-01-01 | 999
        cleo     | 2023-05-01 | 365
        emil     | 2024-02-20 | -9
    """
    activity = "customer | ts | event\n fay | 2024-02-01 | login"
    told = of_each(run_rate, logs_of(purchases=purchases, activity=activity), 73)
    expected = {"anna": 73.0, "ben": 50.0, "cleo": 73.0, "emil": 0.0, "fay": np.nan}
    assert told == pytest.approx(expected, nan_ok=True)


def test_without_money_nothing_is_known():
    logs = logs_of(purchases="customer | ts\n anna | 2024-02-01")
    for function in (run_rate, spend_ahead, declared_margin):
        assert np.isnan(of_each(function, logs, 30)["anna"])


def test_a_declared_yearly_margin_wins_and_is_not_cut_again():
    purchases = """
        customer | ts         | amount
        anna     | 2024-02-20 | 50
        dora     | 2024-02-20 | 1
        emil     | 2024-02-20 | 9
    """
    customers = "customer | value\n dora | 365\n anna |\n emil | -365"
    logs = logs_of(purchases=purchases, customers=customers)
    model = fit(LADDER[0], _both_outcomes(), QUESTION)
    for margin in (1.0, 0.4):
        features, value = at_risk(replace(model, spec=_spec(logs)), logs, [CUTOFF], margin)
        told = dict(zip(features.customer_id, value, strict=True))
        assert told == pytest.approx({"anna": 50 * margin, "dora": 30.0, "emil": 0.0})


def _both_outcomes():
    rows = """
        customer | ts         | amount
        anna     | 2024-02-01 | 40
        anna     | 2024-03-02 | 25
        ben      | 2024-02-02 | 10
    """
    return build_dataset(logs_of(purchases=rows), QUESTION, [CUTOFF])


def _spec(logs):
    return build_dataset(logs, QUESTION, [CUTOFF]).features.spec


# ── Gamma-gamma ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("r", "alpha", "a", "b"),
    [(0.25, 30.0, 0.8, 2.4), (3.0, 150.0, 2.2, 35.0), (1.5, 20.0, 1.0, 1.0), (12.0, 9.0, 0.4, 0.6)],
)
@pytest.mark.parametrize(("repeats", "tenure"), [(0, 5.0), (1, 200.0), (24, 700.0)])
def test_purchases_of_stayers_are_the_mean_over_what_is_not_known(r, alpha, a, b, repeats, tenure):
    """Of who is still there, the chance p to leave after a purchase is beta(a, b + x) distributed,
    and the rate gamma(r + x, alpha + T): then E[N] = E[(1 - exp(-rate p H)) / p].
    """
    p = beta(a, b + repeats).ppf((np.arange(40_000) + 0.5) / 40_000).clip(1e-12)
    bought = -np.expm1(-(r + repeats) * np.log1p(p * 90 / (alpha + tenure))) / p
    buys = -np.expm1(-(r + repeats) * np.log1p(90 / (alpha + tenure)))
    told = purchases_of_stayers(np.array([repeats]), np.array([tenure]), 90.0, r, alpha, a, b)
    assert told[0] == pytest.approx(bought.mean() / buys, rel=2e-3)


AMOUNT = st.floats(1e-3, 1e5)


@given(AMOUNT, AMOUNT, AMOUNT, AMOUNT, st.integers(0, 10_000), st.floats(0, 1e4))
def test_who_buys_buys_once_at_least_and_as_a_customer_for_ever_at_most(
    r, alpha, a, b, repeats, tenure
):
    told = purchases_of_stayers(np.array([repeats]), np.array([tenure]), 90.0, r, alpha, a, b)[0]
    rate = (r + repeats) / (alpha + tenure)
    buys = -np.expm1(-(r + repeats) * np.log1p(90 / (alpha + tenure)))
    assert 1 <= told <= max(rate * 90 / buys, 1) * (1 + 1e-9)


def test_the_spend_of_a_purchase_is_fitted_on_customers_of_many_sizes():
    """Customers made by the model: their own mean scale, and 1 to 12 purchases."""
    rng = np.random.default_rng(3)
    n = rng.integers(1, 13, size=20_000)
    scale = rng.gamma(4.0, 1 / 60.0, size=len(n))
    mean = rng.gamma(2.0 * n, 1 / scale) / n
    p, q, gamma = fitted_money(n, mean)
    assert (p, q) == pytest.approx((2.0, 4.0), rel=0.06)
    assert p * gamma / (q - 1) == pytest.approx(2 * 60 / 3, rel=0.02)
    again = fitted_money(n[::-1], 100 * mean[::-1])
    assert again == pytest.approx((p, q, 100 * gamma), rel=1e-3)


OWN = GammaGamma((0, 1, 2), 90, (0.25, 30.0, 0.8, 2.4), (2.0, 4.0, 60.0))


def expected_of(model: GammaGamma, count: float, mean: float) -> float:
    return float(model.predict(np.array([[count, 100.0, mean]]))[0])


def test_few_purchases_tell_little_of_the_spend_and_many_all():
    """The mean of all customers is 2 · 60 / 3 = 40; the number of purchases is divided out."""
    for count, own, expected in ((1, 100, 64.0), (4, 100, 2 * 460 / 11), (10_000, 100, 99.99)):
        times = purchases_of_stayers(np.array([count - 1]), np.array([100.0]), 90.0, *OWN.purchases)
        assert expected_of(OWN, count, own) / times[0] == pytest.approx(expected, rel=1e-4)


def test_of_whom_nothing_is_known_the_mean_of_all_is_told():
    rows = np.array([[0, np.nan, np.nan], [np.nan] * 3, [1, 0, 0.0], [1, 0, np.nan]])
    assert np.ptp(OWN.predict(rows)) == 0
    assert OWN.predict(rows)[0] > 40


def test_the_level_makes_the_mean_of_the_stayers_right():
    rng = np.random.default_rng(0)
    logs = _shop(rng)
    learnt = build_dataset(logs, QUESTION, [CUTOFF])
    model = fit_spend("gamma_gamma", learnt, QUESTION)
    stayed = learnt.where(~learnt.churned)
    said = model.predict(stayed.features.matrix(stayed.features.names))
    assert said.mean() == pytest.approx(stayed.spend.mean())


def _shop(rng):
    """Customers who buy in their own rhythm, at their own price."""
    rows = ["customer | ts | amount"]
    for k in range(150):
        day, price = -int(rng.integers(40, 200)), rng.gamma(3.0, 20.0)
        while day < 30:
            amount = price * rng.uniform(0.5, 1.5)
            rows.append(f"c{k:03} | {CUTOFF.shifted(day)} | {amount:.2f}")
            day += 1 + int(rng.exponential(15 + k % 40))
    return logs_of(purchases="\n".join(rows))


# ── Trees ───────────────────────────────────────────────────────────────────────────────────


def test_trees_find_what_tells_the_spend_whatever_the_order_of_the_rows():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(3_000, 4)).astype(np.float32)
    X[rng.random(3_000) < 0.1, 1] = np.nan
    mean = np.exp(3 + X[:, 0])
    spend = rng.poisson(2, 3_000) * mean / 2
    rate, order = np.zeros(3_000), rng.permutation(3_000)
    model = SpendTrees.fitted(X, spend, rate)
    again = SpendTrees.fitted(X[order], spend[order], rate[order])
    told = model.predict(X, rate)
    assert np.array_equal(told, again.predict(X, rate))
    assert (told > 0).all()
    assert told.mean() == pytest.approx(spend.mean())
    assert spearmanr(told, mean)[0] > 0.95


def test_an_order_that_came_back_is_not_expected_again():
    """Gross spend alone tells these apart from nobody; what was kept does."""
    rng = np.random.default_rng(1)
    kept = rng.gamma(2.0, 50.0, 3_000)
    gross = kept * rng.uniform(1.0, 1.2, 3_000)
    X = np.column_stack([gross, rng.normal(size=3_000)]).astype(np.float32)
    model = SpendTrees.fitted(X, rng.poisson(kept).astype(float), kept)
    usual, sent_back = model.predict(
        np.array([[100_000.0, 0.0], [100_000.0, 0.0]]), np.array([95_000.0, 1.0])
    )
    assert usual > 50_000
    assert sent_back < 1_000


# ── Measures ────────────────────────────────────────────────────────────────────────────────


def test_the_deviance_by_hand():
    """2 (20 ln 2 - 10) of the second; who spends nothing costs twice what was expected."""
    assert poisson_deviance([10], [10]) == 0
    assert poisson_deviance([20], [10]) == pytest.approx(2 * (20 * np.log(2) - 10))
    assert poisson_deviance([0, 0], [10, 30]) == 40
    assert poisson_deviance([5], [0]) == poisson_deviance([5], [0.01])
    assert np.isfinite(poisson_deviance([5], [0]))


MONEY = st.integers(0, 6).map(float)


@given(st.lists(st.tuples(MONEY, MONEY, st.integers(0, 3)), min_size=2))
def test_a_row_of_weight_three_is_the_row_given_three_times(rows):
    y, m, weight = (np.array(column) for column in zip(*rows, strict=True))
    if not weight.any():
        return
    copies = np.repeat(y, weight), np.repeat(m, weight)
    ones = np.ones(int(weight.sum()))
    told = measuring(y, m)(weight.astype(float))
    assert told == pytest.approx(measuring(*copies)(ones), nan_ok=True)
    by_hand = [poisson_deviance(*copies), np.abs(copies[0] - copies[1]).mean()]
    assert told[:2] == pytest.approx(by_hand)
    if np.ptp(copies[0]) and np.ptp(copies[1]):
        assert told[2] == pytest.approx(spearmanr(*copies)[0])


def test_the_top_tenth_by_what_was_expected_holds_so_much_of_the_spend():
    y = np.array([100, 60, 10, 10, 10, 2, 2, 2, 2, 2.0])
    captured = MEASURES.index("captured")
    for expected, share in (
        (np.arange(10, 0, -1), 0.5),  # the first holds 100 of 200
        (np.arange(10), 0.01),
        (np.ones(10), 0.1),  # equals share
        ([9, 9, 1, 1, 1, 1, 1, 1, 1, 1], 0.4),
    ):
        assert measuring(y, expected)(np.ones(10))[captured] == pytest.approx(share)
    assert np.isnan(measuring(0 * y, y)(np.ones(10))[captured])


def test_intervals_are_clustered_by_customer():
    """Ten copies of each row are no more customers than one."""
    rng = np.random.default_rng(0)
    y, m, ids = rng.gamma(1, 50, 60), rng.gamma(1, 50, 60), np.arange(60)

    def interval(times: int):
        measure = measuring(np.repeat(y, times), np.repeat(m, times))
        return resample_rows({"way": measure}, np.repeat(ids, times)).interval("way", 0)

    once, ten_times = interval(1), interval(10)
    for end in ("value", "low", "high"):
        assert getattr(ten_times, end) == pytest.approx(getattr(once, end))
    assert once.low < once.value < once.high


# ── The choice ──────────────────────────────────────────────────────────────────────────────


def trial_where(**misses: float) -> SpendTrial:
    """A trial in which each way expects so many times the spend."""
    spent = np.array([50.0, 80.0, 120.0])
    expected = {way: spent * (1 + miss) for way, miss in misses.items()}
    return SpendTrial(CUTOFF, spent, expected, np.array(["a", "b", "c"]))


def test_the_way_with_the_lowest_deviance_is_chosen():
    assert choose_way([trial_where(run_rate=0.4, gamma_gamma=0.2, lightgbm=0.1)]) == "lightgbm"
    assert choose_way([trial_where(run_rate=0.1, gamma_gamma=0.2, lightgbm=0.4)]) == "run_rate"


def test_ties_go_to_the_plainer():
    nearly = 0.2 * (1 - TIE / 4)
    assert choose_way([trial_where(run_rate=0.4, gamma_gamma=0.2, lightgbm=nearly)]) == (
        "gamma_gamma"
    )


def test_all_earlier_trials_decide_and_every_one_must_know_the_way():
    trials = [
        trial_where(run_rate=0.4, gamma_gamma=0.1, lightgbm=0.2),
        trial_where(run_rate=0.4, gamma_gamma=0.9, lightgbm=0.3),
    ]
    assert choose_way(trials) == "lightgbm"
    assert choose_way([*trials, trial_where(run_rate=0.4, gamma_gamma=0.0)]) == "run_rate"


def test_what_the_rows_can_feed():
    learnt = _both_outcomes()
    assert ways_for(learnt, QUESTION) == tuple(WAYS)
    assert ways_for(replace(learnt, spend=0 * learnt.spend), QUESTION) == ("run_rate",)
    assert ways_for(replace(learnt, spend=None), QUESTION) == ()
    visits = Question("no_activity", horizon_days=30, lookback_days=60)
    assert ways_for(learnt, visits) == ("run_rate", "lightgbm")


# ── In training, in scores ──────────────────────────────────────────────────────────────────


def test_a_training_chooses_on_the_earlier_cutoff_and_tells_the_test(training: Training):
    worth = training.worth
    assert worth is not None
    assert worth.used == choose_way(worth.trials[:1]) == "lightgbm"
    assert isinstance(training.model.spend, SpendTrees)
    assert str(worth.test.cutoff) == "2024-04-14"
    assert worth.test.gain(worth.used).low > 0
    stayed = ~training.backtest.test.data.churned
    assert np.array_equal(worth.test.spent, training.backtest.test.data.spend[stayed])


@pytest.fixture(scope="module")
def card(training: Training) -> dict[str, Any]:
    return training.card()


def test_the_card_tells_each_way_beside_the_run_rate(card):
    told = card["spend"]
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["used"] == "lightgbm"
    assert list(told["ways"]) == list(WAYS)
    for way in told["ways"].values():
        assert all(way[m]["low"] <= way[m]["value"] <= way[m]["high"] for m in MEASURES)
    text = card_text(card)
    assert "lightgbm is used: better than run_rate by" in text
    assert "| gamma_gamma |" in text


def test_without_amounts_the_card_says_so(card):
    assert "tell no amounts" in card_text({**card, "spend": None})


def test_the_value_at_risk_is_the_margin_of_the_spend_expected(training, logs, as_of):
    features, value = at_risk(training.model, logs, [as_of])
    rate = build_dataset(logs, training.model.question, [as_of], training.model.spec).run_rate
    expected = training.model.spend.predict(features.matrix(training.model.names), rate)
    assert np.array_equal(value, expected)
    assert np.allclose(at_risk(training.model, logs, [as_of], margin=0.25)[1], 0.25 * value)


def test_who_has_but_returned_is_expected_to_spend_nothing(training, logs, as_of):
    features, _ = at_risk(training.model, logs, [as_of])
    rate = np.array([np.nan, 0.0, 0.0, 5.0])
    few = features.where(np.arange(len(features)) < 4)
    count = np.array([0, 0, 3, 3], dtype=np.int32)
    few = replace(few, columns={**few.columns, "purchases_count_all": count})
    told = training.model.expected_spend(few, rate)
    assert np.isnan(told[0])
    assert told[1] == 0
    assert (told[2:] > 0).all()


def test_the_margin_is_a_share_of_the_spend():
    assert MoneySection().margin == MoneySection(margin=1.0).margin == 1.0
    assert MoneySection(margin=0.25).amounts() == MoneySection().amounts()
    for wrong in (0.0, -0.1, 1.01, float("nan")):
        with pytest.raises(ValidationError, match="margin"):
            MoneySection(margin=wrong)


# ── On disk ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def kept(training: Training, tmp_path_factory) -> dict[str, Path]:
    """A bundle with each way."""
    folder = tmp_path_factory.mktemp("kept")
    models = {way: _with(way, training) for way in WAYS}
    return {way: bundle.save(model, folder / way, {}, "") for way, model in models.items()}


def _with(way: str, training: Training) -> ChurnModel:
    learnt, question = training.learnt, training.model.question
    return replace(training.model, spend=fit_spend(way, learnt, question))


@pytest.mark.parametrize("way", WAYS)
def test_a_bundle_gives_the_same_spend(kept, training, logs, as_of, way):
    loaded = bundle.load(kept[way])
    features, value = at_risk(loaded, logs, [as_of])
    assert np.array_equal(value, at_risk(_with(way, training), logs, [as_of])[1])
    assert np.array_equal(
        loaded.churn_probability(features), training.model.churn_probability(features)
    )


def forged(folder: Path, tmp_path: Path, **changed) -> Path:
    """A copy whose manifest fits, with other values in what it tells of the spend."""
    told = json.loads((folder / "model.json").read_text())
    told["spend"] = {**told["spend"], **changed}
    (tmp_path / "forged").mkdir()
    for path in folder.iterdir():
        (tmp_path / "forged" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "forged" / "model.json").write_text(json.dumps(told))
    (tmp_path / "forged" / "manifest.json").unlink()
    manifest = bundle._manifest(tmp_path / "forged")
    (tmp_path / "forged" / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path / "forged"


@pytest.mark.parametrize(
    ("way", "changed"),
    [
        ("gamma_gamma", {"kind": "SpendTrees"}),
        ("gamma_gamma", {"kind": "Oracle"}),
        ("gamma_gamma", {"columns": [0, 1]}),
        ("gamma_gamma", {"columns": [0, 1, 100_000]}),
        ("gamma_gamma", {"columns": [0, 1, -1]}),
        ("gamma_gamma", {"horizon_days": 0}),
        ("gamma_gamma", {"horizon_days": 31}),
        ("gamma_gamma", {"purchases": [0.2, -30.0, 0.8, 2.4]}),
        ("gamma_gamma", {"money": [2.0, 0.5, 60.0]}),
        ("gamma_gamma", {"level": -1.0}),
        ("gamma_gamma", {"level": "much"}),
        ("lightgbm", {"kind": "GammaGamma"}),
        ("lightgbm", {"level": 0}),
        ("lightgbm", {"floor": 0}),
    ],
)
def test_a_forged_spend_is_refused(kept, tmp_path, way, changed):
    with pytest.raises(BundleError, match="cannot be used"):
        bundle.load(forged(kept[way], tmp_path, **changed))


def test_a_booster_of_the_spend_is_verified_like_all_others(kept, tmp_path):
    folder = forged(kept["lightgbm"], tmp_path)
    last = sorted(folder.glob("booster-*.txt"))[-1]
    assert len(list(folder.glob("booster-*.txt"))) == 3
    text = last.read_text()
    last.write_text(text.replace("left_child=", "left_child=9", 1))
    (folder / "manifest.json").write_text(json.dumps(bundle._manifest(folder)))
    with pytest.raises(BundleError):
        bundle.load(folder)


def test_what_was_told_makes_the_same_again():
    told = json.loads(json.dumps(OWN.told()))
    assert restored_spend(told, []) == OWN
    with pytest.raises(ValueError, match="1 boosters"):
        restored_spend(told, [object()])
