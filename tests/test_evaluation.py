"""Later cutoffs as judges: how a rung is chosen, what the gates refuse, and what is too little."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tables import logs_of

from churnkit import evaluation
from churnkit.clock import Cutoff, horizon_ends_by
from churnkit.dataset import Dataset, Recipe, Schedule
from churnkit.errors import ConfigError, GateRefused
from churnkit.evaluation import Backtest, Trial, backtest, choose
from churnkit.features import Features, FeatureSpec
from churnkit.labels import Question
from churnkit.metrics import evaluate
from churnkit.model import LADDER
from churnkit.sources import read_logs
from churnkit.training import train

QUESTION = Question(horizon_days=30, lookback_days=90)
ONE_TEST = Schedule(every=28, cutoffs=3, tests=1)


CHEAP = Recipe(trees={"trees": 30, "seeds": 1})
"""Fewer trees, where the quality of the model is not what is looked at."""


# ── Choosing a rung ─────────────────────────────────────────────────────────────────────────

RNG = np.random.default_rng(0)
CHURNED = RNG.random(800) < 0.4
NOISE = RNG.normal(size=800)


def knowing(how_much: float) -> np.ndarray:
    """Probabilities that know the outcome more or less."""
    return 1 / (1 + np.exp(-how_much * (CHURNED - 0.4 + NOISE)))


def trial(at: str = "2024-01-01", values: np.ndarray | None = None, **rungs: np.ndarray) -> Trial:
    """A trial made by hand: rung → its probabilities, and perhaps the values of one feature."""
    ids = np.array([f"c{k:04}" for k in range(len(CHURNED))], dtype=object)
    column = NOISE if values is None else values
    features = Features(
        ids, np.zeros(len(ids), dtype=int), {"some_feature": column}, FeatureSpec({})
    )
    metrics = {name: evaluate(CHURNED, p, ids, repeats=50) for name, p in rungs.items()}
    return Trial(Cutoff.parse(at), Dataset(features, CHURNED), {}, rungs, metrics)


BASE_RATE = np.full(800, CHURNED.mean())
GOOD = knowing(0.8)
# The same knowledge with a little noise on top: no more than another seed would make.
AS_GOOD = np.clip(GOOD + RNG.normal(0, 0.001, 800), 0.01, 0.99)


def test_a_richer_model_is_chosen_when_it_is_better():
    assert choose((trial(base_rate=BASE_RATE, recency=GOOD),)) == "recency"


def test_ties_go_to_the_simpler():
    assert choose((trial(recency=GOOD, lightgbm=GOOD),)) == "recency"
    assert choose((trial(recency=GOOD, lightgbm=AS_GOOD),)) == "recency"


def test_the_simpler_stays_when_the_richer_is_worse():
    assert choose((trial(base_rate=BASE_RATE, recency=1 - GOOD),)) == "base_rate"


def test_a_step_that_does_not_help_does_not_stop_the_climb():
    rungs = {"base_rate": BASE_RATE, "recency": 1 - GOOD, "overdue": BASE_RATE, "lightgbm": GOOD}
    assert choose((trial(**rungs),)) == "lightgbm"


def test_the_richer_must_be_better_over_all_trials_together():
    better = trial(base_rate=BASE_RATE, recency=GOOD)
    much_worse = trial(base_rate=BASE_RATE, recency=1 - knowing(4))
    assert choose((better, better)) == "recency"
    assert choose((better, much_worse)) == "base_rate"


def test_the_settings_may_name_the_rung(logs, question, monkeypatch):
    always = trial(base_rate=BASE_RATE, recency=GOOD)
    monkeypatch.setattr(evaluation, "trial_at", lambda *_, **__: always)
    result = backtest(logs, question, Schedule(tests=1), recipe=Recipe(use="base_rate"))
    assert result.chosen == "base_rate"
    assert result.verdict == "base_rate is used, as the settings say"


def test_a_rung_that_the_logs_cannot_feed_is_not_used(logs, question, monkeypatch):
    always = trial(base_rate=BASE_RATE, recency=GOOD)
    monkeypatch.setattr(evaluation, "trial_at", lambda *_, **__: always)
    with pytest.raises(ConfigError, match="use = 'bgnbd' is no model that these logs can feed"):
        backtest(logs, question, Schedule(tests=1), recipe=Recipe(use="bgnbd"))


def test_a_rung_that_some_trial_lacks_is_not_chosen():
    with_it = trial(base_rate=BASE_RATE, recency=GOOD)
    assert choose((with_it, trial(base_rate=BASE_RATE))) == "base_rate"


def test_the_last_trial_takes_no_part_in_the_choice(logs, question, monkeypatch):
    better = trial(base_rate=BASE_RATE, recency=GOOD)
    worse = trial(base_rate=BASE_RATE, recency=1 - GOOD)
    made = iter([better, worse])
    monkeypatch.setattr(evaluation, "trial_at", lambda *_, **__: next(made))
    result = backtest(logs, question, Schedule(tests=2))
    assert (result.chosen, result.test) == ("recency", worse)


def test_a_single_trial_both_chooses_and_tests(logs, question, monkeypatch):
    always = trial(base_rate=BASE_RATE, recency=GOOD)
    monkeypatch.setattr(evaluation, "trial_at", lambda *_, **__: always)
    assert backtest(logs, question, Schedule(tests=1)).chosen == "recency"


# ── Trials ──────────────────────────────────────────────────────────────────────────────────


def test_every_label_of_the_training_was_known_when_the_test_began(training, question):
    for one in training.backtest.trials:
        for model in one.models.values():
            for cutoff in map(Cutoff.parse, model.trained_on):
                assert horizon_ends_by(cutoff, question.horizon_days, one.cutoff)


def test_the_final_model_learns_from_the_newest_labels(training, logs, question):
    newest = Cutoff.parse(training.model.trained_on[-1])
    assert newest == training.backtest.test.cutoff
    assert horizon_ends_by(newest, question.horizon_days, logs.last_day("purchases"))


def test_tests_rise_and_the_last_is_reported(training):
    cutoffs = [str(one.cutoff) for one in training.backtest.trials]
    assert cutoffs == ["2024-03-15", "2024-04-14"]
    assert str(training.backtest.test.cutoff) == cutoffs[-1]


def test_all_rungs_are_tested_on_the_same_customers(training):
    for one in training.backtest.trials:
        assert list(one.metrics) == list(one.models) == list(one.probabilities)
        assert {len(p) for p in one.probabilities.values()} == {len(one.data)}


def test_calibration_has_ten_bins_of_equal_size(training):
    test = training.backtest.test
    bins = test.calibration("lightgbm")
    sizes = [told["customers"] for told in bins]
    predicted = [told["predicted"] for told in bins]
    assert len(bins) == 10
    assert sum(sizes) == len(test.data)
    assert max(sizes) - min(sizes) <= 1
    assert predicted == sorted(predicted)


def test_calibration_of_a_perfect_forecast():
    bins = trial(recency=CHURNED.astype(float)).calibration("recency")
    assert [told["observed"].value for told in bins] == [told["predicted"] for told in bins]


# ── The verdict ─────────────────────────────────────────────────────────────────────────────


def test_the_best_rule_has_the_lowest_log_loss():
    one = trial(base_rate=BASE_RATE, recency=GOOD, overdue=knowing(0.4), lightgbm=knowing(1.6))
    assert Backtest(QUESTION, (one,), "lightgbm").best_rule == "recency"


@pytest.mark.parametrize(
    ("rung", "probability", "verdict"),
    [
        ("recency", GOOD, "recency is used: no richer model did better on the earlier cutoffs"),
        ("lightgbm", CHURNED * 0.8 + 0.1, "lightgbm is used: better than the best plain rule"),
        ("lightgbm", AS_GOOD, "lightgbm is used: not clearly better than the best plain rule"),
    ],
)
def test_the_verdict_says_what_is_used_and_why(rung, probability, verdict):
    one = trial(recency=GOOD, **({} if rung == "recency" else {rung: probability}))
    assert Backtest(QUESTION, (one,), rung).verdict.startswith(verdict)


def test_progress_tells_every_step(logs):
    told: list[str] = []
    backtest(logs, QUESTION, ONE_TEST, told.append, CHEAP)
    assert told[0] == "building features at 3 cutoffs before 2024-04-14"
    steps = [line.partition(" on ")[0] for line in told[1:]]
    assert steps == [f"fitting {rung.name}" for rung in LADDER if rung.kind != "hazard"]
    assert all(line.endswith("rows, testing at 2024-04-14") for line in told[1:])
    done = [step.done / step.of for step in told]
    assert done == sorted(set(done))
    assert done[0] == 0
    assert done[-1] < 1


# ── Too little ──────────────────────────────────────────────────────────────────────────────


def regular(customers: int, days: int = 400, every: int = 10) -> pd.DataFrame:
    """Purchases of customers who all buy every so many days."""
    stamps = pd.Timestamp("2023-01-01") + pd.to_timedelta(range(0, days, every), unit="D")
    ids = [f"c{k}" for k in range(customers)]
    return pd.DataFrame(
        [(c, ts, 10) for c in ids for ts in stamps], columns=["customer_id", "ts", "amount"]
    )


def refused(purchases: pd.DataFrame, schedule: Schedule = ONE_TEST) -> str:
    with pytest.raises(GateRefused) as refusal:
        backtest(read_logs(purchases), QUESTION, schedule)
    assert refusal.value.exit_code == 4
    return refusal.value.found


def test_too_few_customers_are_refused_with_their_counts(shop):
    few = shop.purchases[shop.purchases["customer_id"] < "C00050"]
    said = refused(few)
    assert said == (
        "the training set has 66 churners and 47 stayers in 113 rows of 43 customers; "
        "100 and 100 are needed"
    )


def test_one_customer_is_refused():
    assert "0 churners and 3 stayers in 3 rows of 1 customers" in refused(regular(1))


def test_a_single_class_is_refused():
    assert "0 churners and 900 stayers in 900 rows" in refused(regular(300))


def test_a_history_that_is_too_short_is_refused(shop):
    first_months = shop.purchases[shop.purchases["ts"] < "2023-05-31"]
    assert refused(first_months) == (
        "the purchases log runs from 2023-01-01 to 2023-05-30; one training and one later test "
        "cutoff need 150 days (lookback + twice the horizon)"
    )


def test_the_shortest_history_that_is_enough(shop):
    """Lookback plus twice the horizon before the last day, which may be cut short."""
    five_months = shop.purchases[shop.purchases["ts"] < "2023-06-01"]
    [test] = ONE_TEST.test_cutoffs(read_logs(five_months), QUESTION)
    [training] = ONE_TEST.training_cutoffs(read_logs(five_months), QUESTION, test)
    assert (str(training), str(test)) == ("2023-04-01", "2023-05-01")


def with_newcomers(purchases: pd.DataFrame, day: str) -> pd.DataFrame:
    """Some customers nobody knew, on the last day of the log."""
    new = [(f"new{k}", pd.Timestamp(day), 10) for k in range(50)]
    return pd.concat([purchases, pd.DataFrame(new, columns=["customer_id", "ts", "amount"])])


def test_a_test_at_which_all_churned_is_refused(shop):
    closed = shop.purchases[shop.purchases["ts"] < "2024-04-14"]
    said = refused(with_newcomers(closed, "2024-05-14"))
    assert said == "at the test cutoff 2024-04-14 of 997 customers at risk all churned"


def test_a_test_at_which_none_churned_is_refused(shop):
    everyone = shop.customers["customer_id"].to_numpy()
    sale = pd.DataFrame({"customer_id": everyone, "ts": pd.Timestamp("2024-04-20"), "amount": 10})
    said = refused(pd.concat([shop.purchases, sale]))
    assert said == "at the test cutoff 2024-04-14 of 997 customers at risk none churned"


def test_a_test_at_which_nobody_is_at_risk_is_refused(shop):
    closed_for_long = shop.purchases[shop.purchases["ts"] < "2023-12-31"]
    many_cutoffs = Schedule(every=28, cutoffs=8, tests=1)
    said = refused(with_newcomers(closed_for_long, "2024-05-14"), many_cutoffs)
    assert said == "at the test cutoff 2024-04-14 nobody is at risk"


def test_a_question_without_its_log_is_refused():
    visits = logs_of(
        activity="""
        customer | ts         | event
        anna     | 2024-01-01 | visit
    """
    )
    with pytest.raises(ConfigError, match="needs a purchases log, and there is none"):
        train(visits, QUESTION, ONE_TEST)
