"""Training that does not learn from customers whom an action kept.

The shop of all tests, and a campaign in it: on 2024-04-14 everybody who had bought nothing for 40
days is red and to be called, three in ten by lot are not, and whoever is called buys once more
within the horizon. The true churn of those not called is known from the simulator.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from churnkit import project
from churnkit.challenge import compare
from churnkit.clock import Cutoff
from churnkit.config import load_settings
from churnkit.dataset import Dataset, Recipe, Schedule, Untreating, build_dataset
from churnkit.errors import GateRefused
from churnkit.estimators import (
    BgNbd,
    BinaryClassifier,
    Blend,
    Calibrated,
    ChurnClassifier,
    GammaGamma,
    Hazard,
    PlainRule,
    SpendTrees,
)
from churnkit.features import Features, FeatureSpec
from churnkit.ledger import Ledger
from churnkit.logs import Logs
from churnkit.metrics import METRICS, auroc, evaluate, log_loss
from churnkit.model import LADDER, fit_to
from churnkit.outcomes import Deeds, untreating
from churnkit.rolling import roll
from churnkit.sources import read_logs
from churnkit.spend import SpendTrial, poisson_deviance
from churnkit.training import Training, card_text, train
from churnkit.tuning import _Split

DAY, LATER = Cutoff.parse("2024-04-14"), Cutoff.parse("2024-05-14")
ONCE = Schedule(every=28, cutoffs=1, tests=1)
FEW = ChurnClassifier(trees=12, seeds=1)
CHEAP = Recipe((90,), trees={"trees": 5, "seeds": 1}, use="rfm_logistic", least=20)


def run_of(ids: np.ndarray, arms: np.ndarray, day: Cutoff) -> pd.DataFrame:
    said = {"light": "red", "action": "call", "campaign": "spring"}
    return pd.DataFrame({"customer_id": ids, "as_of": str(day), "arm": arms, **said})


def recorded(folder: Path, run: pd.DataFrame, day: Cutoff) -> Untreating | None:
    Ledger(folder).write(run, day)
    return untreating(Ledger(folder), Deeds(folder / "outcomes"), horizon_days=30)


@dataclass(frozen=True)
class Spring:
    """The campaign: who was called, the logs after it, and what takes the called out."""

    ids: np.ndarray
    called: np.ndarray
    logs: Logs
    untreated: Untreating | None

    def risk(self, trained: Training, logs: Logs) -> float:
        """What a model says of all red customers, in the mean."""
        features = build_dataset(logs, trained.model.question, [DAY], trained.model.spec).features
        red = features.where(np.isin(features.customer_id, self.ids))
        return float(trained.model.churn_probability(red).mean())


@pytest.fixture(scope="module")
def whole(logs, question) -> Dataset:
    return build_dataset(logs, question, [DAY])


@pytest.fixture(scope="module")
def spring(shop, whole, tmp_path_factory) -> Spring:
    ids = whole.features.customer_id[whole.features.column("recency") >= 40]
    called = np.random.default_rng(3).random(len(ids)) < 0.7
    rescued = {"customer_id": ids[called], "ts": "2024-04-20 12:00:00", "amount": 30.0}
    purchases = pd.concat([shop.purchases, pd.DataFrame(rescued)], ignore_index=True)
    purchases["ts"] = pd.to_datetime(purchases["ts"])
    run = run_of(ids, np.where(called, "treated", "control"), DAY)
    sifted = recorded(tmp_path_factory.mktemp("ledger"), run, DAY)
    return Spring(ids, called, read_logs(purchases, shop.activity, shop.surveys), sifted)


@pytest.fixture(scope="module")
def aware(spring, question) -> Training:
    return train(spring.logs, question, ONCE, recipe=CHEAP, untreated=spring.untreated)


@pytest.fixture(scope="module")
def naive(spring, question) -> Training:
    return train(spring.logs, question, ONCE, recipe=CHEAP)


# ── What is learnt ──────────────────────────────────────────────────────────────────────────


def test_the_called_are_learnt_as_if_nobody_had_called(spring, naive, aware, shop, logs):
    truth = shop.truth.churn_probability(str(DAY), 30).loc[spring.ids].mean()
    unaware, told = spring.risk(naive, logs), spring.risk(aware, logs)
    assert truth > 0.5
    assert unaware < truth - 0.25  # the called would be green
    assert abs(told - truth) < 0.06


def test_the_controls_stand_for_the_called(spring, aware):
    learnt = aware.learnt
    red = np.isin(learnt.features.customer_id, spring.ids)
    assert red.sum() == (~spring.called).sum()
    assert learnt.weight[red].sum() == pytest.approx(len(spring.ids))
    assert (learnt.weight[~red] == 1).all()


def test_the_test_leaves_them_out_as_well(spring, naive, aware):
    test, unaware = aware.backtest.test, naive.backtest.test
    called = set(spring.ids[spring.called])
    assert not called & set(test.data.features.customer_id)
    assert called <= set(unaware.data.features.customer_id)
    assert test.data.base_rate > unaware.data.base_rate + 0.1
    p, churned = test.probabilities["rfm_logistic"], test.data.churned
    found = test.metrics["rfm_logistic"]["log_loss"].value
    assert found == pytest.approx(log_loss(churned, p, test.data.weight))
    assert found != pytest.approx(log_loss(churned, p))


def test_the_card_tells_it(aware, naive):
    card = json.loads(json.dumps(aware.card(), allow_nan=False))
    left_out = len(naive.learnt) - len(aware.learnt)
    assert card["untreated"].startswith(f"{left_out:,} rows are left out, since an action may")
    assert card["trials"][-1]["untreated"] == aware.backtest.test.data.untreated
    assert f"Treated customers: {card['untreated']}." in card_text(card)
    assert naive.learnt.untreated is None
    for told in (card, *card["trials"]):
        told["untreated"] = None
    assert "Treated customers" not in card_text(card)


# ── Nothing recorded, or nothing that touches a row ─────────────────────────────────────────


def told(trained: Training) -> list[str]:
    """All that the models learnt, and all that was measured of them."""
    test = trained.backtest.test
    models = [trained.model, *(test.models[name] for name in sorted(test.models))]
    trees = [b.model_to_string() for m in models for b in m.estimator.boosters()]
    assert trained.worth is not None
    measured = (test.metrics, trained.worth.used, trained.worth.test.metrics("lightgbm"))
    return [json.dumps(m.estimator.told()) for m in models] + trees + [repr(measured)]


def test_without_a_record_nothing_is_passed_along(tmp_path, whole):
    assert untreating(Ledger(tmp_path), Deeds(tmp_path / "outcomes"), 30) is None
    untreatable = run_of(whole.features.customer_id, np.array(""), DAY)
    assert recorded(tmp_path, untreatable, DAY) is None


def test_an_action_after_every_label_window_changes_not_a_bit(naive, spring, question, tmp_path):
    """The windows of 2024-04-14 end when 2024-05-14 begins."""
    everybody = run_of(spring.ids, np.array("treated"), LATER)
    late = recorded(tmp_path, everybody, LATER)
    trained = train(spring.logs, question, ONCE, recipe=CHEAP, untreated=late)
    assert trained.learnt.weight is None
    assert "no action touched" in trained.learnt.untreated
    assert told(trained) == told(naive)


def test_where_all_are_called_and_nobody_is_held_out_training_is_refused(
    spring, naive, question, tmp_path
):
    everybody = run_of(naive.learnt.features.customer_id, np.array("treated"), DAY)
    nobody_left = recorded(tmp_path, everybody, DAY)
    with pytest.raises(GateRefused, match=r"nobody is at risk; .* rows are left out"):
        train(spring.logs, question, ONCE, recipe=CHEAP, untreated=nobody_left)


# ── Every place that builds rows ────────────────────────────────────────────────────────────


def test_rolling_tests_and_tuning_leave_them_out(spring, question):
    told = {"tests": 1, "untreated": spring.untreated}
    rolled = roll(spring.logs, question, ONCE, recipe=CHEAP, **told)
    data = rolled.trials[-1].data
    assert "rows are left out" in rolled.untreated
    one = next(found for found in rolled.pooled if found.name == "recency")
    p = rolled.trials[-1].probabilities["recency"]
    assert one.metrics["auroc"].value == pytest.approx(auroc(data.churned, p, data.weight))

    split = _Split.at(spring.logs, question, ONCE, DAY, CHEAP, spring.untreated)
    assert len(split.data) == len(data)
    assert split.data.weight is not None


def test_a_champion_is_compared_on_the_customers_of_the_test(aware, spring):
    before = replace(aware.backtest.test.models["recency"], version="1")
    found = compare(aware, before, spring.logs)
    assert f"on the same {len(aware.backtest.test.data):,} customers" in found.says
    knows_all = replace(aware.model, estimator=PlainRule([0]).fit(*matrix(aware.learnt)))
    anew = compare(aware, replace(knows_all, version="2"), spring.logs)
    assert "made anew" in anew.says


def matrix(learnt: Dataset) -> tuple[np.ndarray, np.ndarray]:
    return learnt.features.values, learnt.churned


@pytest.mark.parametrize("step", ["train_project", "backtest_project"])
def test_the_commands_take_it_from_ledger_and_outcomes(step, shop, monkeypatch, tmp_path):
    """Only what they pass along is looked at; nothing is trained."""
    seen: list[Untreating | None] = []

    def watched(*_: object, untreated: Untreating | None = None, **__: object) -> None:
        seen.append(untreated)
        raise GateRefused("enough seen", "")

    for name in ("train", "roll"):
        monkeypatch.setattr(project, name, watched)
    shop.purchases.to_csv(tmp_path / "purchases.csv", index=False)
    config = tmp_path / "churnkit.toml"
    config.write_text('[logs.purchases]\npath = "purchases.csv"\n', encoding="utf-8")
    settings = load_settings(config)
    for arm in ("", "treated"):
        run = run_of(np.array(["c1"], dtype=object), np.array(arm), DAY)
        Ledger(settings.ledger).write(run, DAY)
        with pytest.raises(GateRefused, match="enough seen"):
            getattr(project, step)(settings)
    nothing, something = seen
    assert nothing is None
    assert callable(something)


# ── Weights ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def weighed(whole) -> Dataset:
    """Every second row stands for two and a half."""
    return replace(whole, weight=np.where(np.arange(len(whole)) % 2, 2.5, 1.0))


def test_rows_take_their_weights_along(weighed):
    some = replace(weighed, untreated="a sentence").where(weighed.churned)
    assert np.array_equal(some.weight, weighed.weight[weighed.churned])
    assert some.untreated == "a sentence"
    assert replace(weighed, weight=None).weights.tolist() == [1.0] * len(weighed)


def test_the_base_rate_weighs():
    features = Features(np.array(list("ab")), np.zeros(2, dtype=int), {}, FeatureSpec({}))
    rows = Dataset(features, np.array([True, False]), weight=np.array([3.0, 1.0]))
    assert rows.base_rate == 0.75
    assert rows.rarer == 1


def bgnbd(names: tuple[str, ...]) -> BgNbd:
    rung = next(rung for rung in LADDER if rung.kind == "bgnbd")
    return BgNbd([names.index(name) for name in rung.columns["purchases"]], 30)


KINDS: list[Callable[[tuple[str, ...]], BinaryClassifier]] = [
    lambda names: FEW,
    lambda names: PlainRule([0, 1]),
    bgnbd,
    lambda names: Hazard(10, 30, FEW),
    lambda names: Calibrated(PlainRule([0])),
    lambda names: Blend([FEW, PlainRule([0])], [1, 1]),
]


@pytest.mark.parametrize("kind", KINDS, ids=["trees", "rule", "bgnbd", "hazard", "cal", "blend"])
def test_every_kind_of_model_learns_by_weight(kind, whole):
    """Churners weigh four times: the mean probability must follow."""
    some = whole.where(np.arange(len(whole)) < 400)
    heavy = replace(some, weight=np.where(some.churned, 4.0, 1.0))
    names, X = some.features.names, some.features.values
    plain, heavier = (fit_to(rows, kind(names), names) for rows in (some, heavy))
    assert heavier.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean() + 0.1


def test_early_stopping_looks_at_the_weights_of_later_rows(whole):
    """The later rows are told twice, once rightly and once wrongly: who is right must count."""
    X, right = whole.features.values[:400], whole.churned[:400]
    rows = X, right, np.vstack([X, X]), np.concatenate([right, ~right])
    half = np.repeat([1.0, 0.01], len(X))
    plain, ones, by_right = (
        FEW.best_trees(*rows, None, weight, patience=5, most=40)
        for weight in (None, np.ones(2 * len(X)), half)
    )
    assert (plain, ones, by_right) == (20, 20, 40)


def test_the_level_of_the_expected_spend_weighs(whole):
    stayed = ~whole.churned
    X, spend, rate = whole.features.values[stayed], whole.spend[stayed], whole.run_rate[stayed]
    big = np.where(spend > np.median(spend), 3.0, 1.0)
    latest = np.ones(len(X), dtype=bool)
    by_purchases = fit_to(whole, bgnbd(whole.features.names), whole.features.names)
    column = whole.features.names.index("spend_mean_all")
    for plain, weighed in (
        (SpendTrees.fitted(X, spend, rate), SpendTrees.fitted(X, spend, rate, (), big)),
        (
            GammaGamma.fitted(X, spend, by_purchases, column, latest),
            GammaGamma.fitted(X, spend, by_purchases, column, latest, big),
        ),
    ):
        assert plain.predict(X, rate).sum() == pytest.approx(spend.sum())
        assert big @ weighed.predict(X, rate) == pytest.approx(big @ spend)


def test_measures_of_the_spend_weigh():
    said = {"run_rate": np.array([10.0, 20.0, 30.0])}
    spent, weight = np.array([12.0, 20.0, 20.0]), np.array([1.0, 1.0, 2.0])
    trial = SpendTrial(DAY, spent, said, np.array(list("abc")), weight)
    assert trial.metrics("run_rate")["mae"].value == pytest.approx((2 + 0 + 20) / 4)
    twice = np.array([0, 1, 2, 2])
    found = poisson_deviance(spent, said["run_rate"], weight)
    assert found == pytest.approx(poisson_deviance(spent[twice], said["run_rate"][twice]))


def test_a_metric_with_weights_is_that_of_rows_given_so_often():
    rng = np.random.default_rng(5)
    p, times = rng.random(80), rng.integers(1, 4, 80)
    churned = rng.random(80) < p
    row = np.repeat(np.arange(80), times)
    ids = np.array([f"c{k}" for k in range(80)])
    weighed = evaluate(churned, p, ids, repeats=20, weight=times)
    repeated = evaluate(churned[row], p[row], ids[row], repeats=20)
    for name in METRICS:
        for end in ("value", "low", "high"):
            assert getattr(weighed[name], end) == pytest.approx(getattr(repeated[name], end))


def test_weights_that_are_none_are_named():
    two = SimpleNamespace(y=[0, 1], p=[0.2, 0.8])
    with pytest.raises(ValueError, match="weight must be finite and >= 0; row 1"):
        evaluate(two.y, two.p, weight=[1, -1])
