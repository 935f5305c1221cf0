"""What keeps a model from becoming the champion, what waives it, and the grade it gets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from typer.testing import CliRunner

from churnkit.cli import app
from churnkit.clock import Cutoff
from churnkit.dataset import Dataset, Recipe, Schedule
from churnkit.errors import ConfigError, GateRefused
from churnkit.evaluation import Backtest, Trial
from churnkit.features import Features, FeatureSpec
from churnkit.gates import (
    GATES,
    Gate,
    _auroc_alone,
    base_rate_moved,
    calibration_of,
    cross_validated_auroc,
    gates_of,
    grade_of,
)
from churnkit.labels import Question
from churnkit.metrics import evaluate
from churnkit.model import fit, rung_named
from churnkit.project import _careful
from churnkit.sources import read_logs
from churnkit.training import train

QUESTION = Question(horizon_days=30, lookback_days=90)
ONE_TEST = Schedule(every=28, cutoffs=3, tests=1)
CHEAP = Recipe(trees={"trees": 20, "seeds": 1, "learning_rate": 0.2, "rows_per_leaf": 20})


def trial(churned: np.ndarray, values: np.ndarray | None = None, **rungs: np.ndarray) -> Trial:
    """A trial made by hand: rung → its probabilities, and perhaps the values of one feature."""
    column = np.zeros(len(churned)) if values is None else values
    data = rows_of({"some_feature": column}, churned, "2024-06-01")
    ids = data.features.customer_id
    metrics = {name: evaluate(churned, p, ids, repeats=50) for name, p in rungs.items()}
    return Trial(Cutoff.parse("2024-06-01"), data, {}, rungs, metrics)


def rows_of(columns: dict[str, np.ndarray], churned: np.ndarray, *days: str) -> Dataset:
    """One row for each customer and day; the customers come again every day."""
    customers = len(churned) // len(days)
    ids = np.tile([f"c{k:05}" for k in range(customers)], len(days)).astype(object)
    cutoff = np.repeat([Cutoff.parse(day).us for day in days], customers)
    return Dataset(Features(ids, cutoff, columns, FeatureSpec({})), churned)


def gates(one: Trial, chosen: str, *allowed: str) -> dict[str, Gate]:
    found = gates_of(Backtest(QUESTION, (one,), chosen, CHEAP), allowed)
    return {gate.key: gate for gate in found}


RNG = np.random.default_rng(0)
CHURNED = RNG.random(800) < 0.4
NOISE = RNG.normal(size=800)
BASE_RATE = np.full(800, CHURNED.mean())


def knowing(how_much: float) -> np.ndarray:
    """Probabilities that know the outcome more or less."""
    return 1 / (1 + np.exp(-how_much * (CHURNED - 0.4 + NOISE)))


GOOD = knowing(0.8)


# ── Better than chance, than a rule, than a feature ─────────────────────────────────────────


def test_guessing_is_not_better_than_chance():
    guessed = trial(CHURNED, base_rate=BASE_RATE, recency=np.random.default_rng(1).random(800))
    assert not gates(guessed, "recency")["chance"].passed
    assert not gates(guessed, "base_rate")["chance"].passed


def test_a_model_that_a_plain_rule_beats_is_refused():
    one = trial(CHURNED, base_rate=BASE_RATE, recency=GOOD, lightgbm=knowing(0.1))
    gate = gates(one, "lightgbm")["beaten"]
    assert not gate.passed
    assert "against recency (lower is better)" in gate.says


# ── A world of two features, made by hand ───────────────────────────────────────────────────

DAYS = ("2024-01-01", "2024-02-01", "2024-03-01")


def world(
    signal: float = 1.0, signal_at_test: float | None = None, told_in_training: float = 0.0
) -> Trial:
    """Silence tells of churn; a second feature knows the answer, but before the test only."""
    rng = np.random.default_rng(5)

    def rows(customers: int, strength: float, told: float, *days: str) -> Dataset:
        churned = rng.random(customers * len(days)) < 0.4
        silence = strength * churned + rng.normal(size=len(churned))
        columns = {"recency": silence, "told": told * churned + rng.normal(size=len(churned))}
        return rows_of(columns, churned, *days)

    learnt = rows(700, signal, told_in_training, *DAYS)
    test = rows(900, signal if signal_at_test is None else signal_at_test, 0.0, "2024-06-01")
    ladder = ("base_rate", "recency", "lightgbm")
    models = {name: fit(rung_named(name), learnt, QUESTION, CHEAP) for name in ladder}
    p = {name: model.churn_probability(test.features) for name, model in models.items()}
    ids = test.features.customer_id
    metrics = {name: evaluate(test.churned, found, ids, repeats=50) for name, found in p.items()}
    return Trial(Cutoff.parse("2024-06-01"), test, models, p, metrics, learnt)


@pytest.fixture(scope="module")
def honest() -> Trial:
    return world()


@pytest.fixture(scope="module")
def leaking() -> Trial:
    return world(told_in_training=1.5)


def test_an_honest_model_passes_every_gate_and_they_are_told_in_one_order(honest):
    found = gates(honest, "lightgbm")
    assert list(found) == list(GATES)
    assert [gate.name for gate in found.values()] == list(GATES.values())
    assert all(gate.passed and gate.open and not gate.waived for gate in found.values())


def test_what_was_known_in_training_only_is_seen_by_cross_validation(leaking):
    found = gates(leaking, "lightgbm")
    assert not found["optimism"].passed
    assert found["leak"].passed, "at the test the feature is noise"
    assert "cross-validated by customer" in found["optimism"].says


def test_a_test_that_is_harder_for_every_model_is_no_leak():
    harder = world(signal=1.5, signal_at_test=1.0)
    rows, after = harder.learnt, harder.metrics["lightgbm"]["auroc"].value
    assert cross_validated_auroc(rows, QUESTION, "lightgbm", CHEAP) - after > 0.05
    assert gates(harder, "lightgbm")["optimism"].passed


def test_cross_validation_keeps_the_rows_of_a_customer_together():
    """Each customer has a number and a fate; in another fold the number would tell the fate."""
    fate = np.random.default_rng(3).random(600) < 0.5
    number = np.tile(np.arange(600.0), 3)
    rows = rows_of({"recency": number, "other": -number}, np.tile(fate, 3), *DAYS)
    found = cross_validated_auroc(rows, QUESTION, "lightgbm", CHEAP)
    assert found == pytest.approx(0.5, abs=0.08)


def test_a_model_behind_the_strongest_feature_of_training_is_refused(honest):
    ignorant = replace(
        honest,
        probabilities={**honest.probabilities, "lightgbm": np.full(len(honest.data), 0.4)},
    )
    assert gates(honest, "lightgbm")["feature"].passed
    gate = gates(ignorant, "lightgbm")["feature"]
    assert not gate.passed
    assert "against recency, the strongest alone in training" in gate.says


def test_few_rows_are_too_little(honest):
    few = Dataset(
        honest.learnt.features.where(np.arange(len(honest.learnt)) < 60),
        honest.learnt.churned[:60],
    )
    gate = gates(replace(honest, learnt=few), "base_rate")["too-little"]
    left = int(few.churned.sum())
    assert not gate.passed
    assert gate.says.startswith(f"{left} churners and {60 - left} stayers in training")


def test_without_training_rows_only_the_test_is_looked_at(honest):
    found = gates(replace(honest, learnt=None), "lightgbm")
    assert list(found) == ["chance", "beaten", "leak", "calibration"]


# ── A feature that knows the answer ─────────────────────────────────────────────────────────


def test_a_feature_that_knows_the_answer_is_a_leak():
    one = trial(CHURNED, np.where(CHURNED, np.nan, NOISE), base_rate=BASE_RATE)
    gate = gates(one, "base_rate")["leak"]
    assert not gate.passed
    assert gate.says == "the strongest single feature is some_feature with AUROC 1.000"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3, 4], 1.0),
        ([4, 3, 2, 1], 1.0),
        ([1, 4, 2, 3], 0.5),
        ([7, 7, 7, 7], 0.5),
        ([np.nan] * 4, 0.5),
        ([np.nan, np.nan, 3, 4], 1.0),
        ([3, 4, np.nan, np.nan], 1.0),
        ([-np.inf, np.nan, 5, np.inf], 1.0),
    ],
)
def test_a_feature_alone_is_taken_in_its_better_direction(values, expected):
    stay_stay_leave_leave = np.array([False, False, True, True])
    assert _auroc_alone(np.array(values, dtype=float), stay_stay_leave_leave) == expected


@given(arrays(float, 30, elements=st.floats(-1e6, 1e6)))
def test_the_scale_of_a_feature_does_not_matter(values):
    churned = np.arange(30) % 3 == 0
    assert _auroc_alone(values, churned) == pytest.approx(_auroc_alone(-3 * values, churned))


# ── Calibration: level and shape ────────────────────────────────────────────────────────────


def forecast(customers: int = 3000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Perfect probabilities and what came of them."""
    rng = np.random.default_rng(seed)
    p = rng.beta(2, 3, customers)
    return p, rng.random(customers) < p


def shifted(p: np.ndarray, by: float) -> np.ndarray:
    """Probabilities whose log-odds are higher by so much."""
    return 1 / (1 + (1 - p) / p * np.exp(-by))


def test_perfect_probabilities_hold():
    p, churned = forecast()
    found = calibration_of(trial(churned, recency=p), "recency")
    assert not found.moved
    assert not found.off
    assert found.observed.low <= found.predicted <= found.observed.high


@pytest.mark.parametrize("customers", [150, 1000])
def test_chance_alone_does_not_refuse_perfect_probabilities(customers):
    ways = (forecast(customers, seed) for seed in range(60))
    found = [calibration_of(trial(churned, recency=p), "recency") for p, churned in ways]
    assert not any(one.off for one in found)


def test_fewer_customers_may_err_more():
    few, many = (
        calibration_of(trial(churned, recency=p), "recency")
        for p, churned in (forecast(200), forecast(20_000))
    )
    assert few.limit > 2 * many.limit > 0.1


def test_a_base_rate_that_moved_is_told_in_words_and_does_not_refuse():
    p, churned = forecast()
    one = trial(churned, base_rate=np.full(len(p), p.mean()), recency=shifted(p, 0.6))
    found = calibration_of(one, "recency")
    assert found.moved
    assert not found.off
    assert found.ece > 0.1 > 0.03 > found.shape
    told = base_rate_moved(one, "recency")
    assert told.startswith("the base rate moved: 53.")
    assert told.endswith("take its probabilities for too high")
    assert base_rate_moved(trial(churned, recency=p), "recency") == ""


def test_the_range_of_training_is_told_beside_the_base_rate(honest):
    shift = {name: shifted(p, 1.0) for name, p in honest.probabilities.items()}
    rates = [honest.learnt.churned[k * 700 : (k + 1) * 700].mean() for k in range(3)]
    told = base_rate_moved(replace(honest, probabilities=shift), "lightgbm")
    assert f"(by training cutoff {min(rates):.1%} to {max(rates):.1%})" in told


def test_probabilities_that_are_far_too_sure_are_refused():
    p, churned = forecast()
    sure = np.where(p > 0.4, 0.97, 0.03)
    found = calibration_of(trial(churned, recency=sure), "recency")
    assert found.shape > found.limit
    assert not gates(trial(churned, recency=sure), "recency")["calibration"].passed


def test_a_level_beyond_all_use_is_refused():
    p, churned = forecast()
    found = calibration_of(trial(churned, recency=shifted(p, 1.5)), "recency")
    assert found.shape < found.limit
    assert found.off


# ── Grades ──────────────────────────────────────────────────────────────────────────────────


def grade(one: Trial, chosen: str, *allowed: str) -> str:
    result = Backtest(QUESTION, (one,), chosen, CHEAP)
    return str(grade_of(result, gates_of(result, allowed)))


P, LEFT = forecast()
VAGUE = 0.4 + 0.2 * (P - 0.4)
CONSTANT = np.full(len(P), LEFT.mean())


def test_grade_a_is_clearly_better_than_every_rule():
    told = grade(trial(LEFT, base_rate=CONSTANT, recency=VAGUE, lightgbm=P), "lightgbm")
    assert told.startswith("Grade A: clearly better than the best plain rule (recency), by ")
    assert told.endswith("log loss; its probabilities hold")


def test_grade_b_is_as_good_as_the_best_rule():
    told = grade(trial(LEFT, base_rate=CONSTANT, recency=P, lightgbm=P), "lightgbm")
    assert told.startswith("Grade B: better than chance and as good as the best plain rule (rece")


def test_grade_b_may_be_a_rule_itself():
    told = grade(trial(LEFT, base_rate=CONSTANT, recency=P), "recency")
    assert told == "Grade B: a plain rule, better than chance; its probabilities hold"


def test_grade_c_is_for_a_base_rate_that_moved():
    told = grade(trial(LEFT, base_rate=CONSTANT, recency=shifted(P, 0.4)), "recency")
    assert told.startswith("Grade C: use with care: the base rate moved: ")


def test_grade_c_is_for_a_gate_that_was_waived():
    answer = np.where(LEFT, 1.0, 0.0)
    one = trial(LEFT, answer, base_rate=CONSTANT, recency=P)
    assert grade(one, "recency") == "Refused: it fails “no leak suspected”"
    assert grade(one, "recency", "leak") == (
        "Grade C: use with care: “no leak suspected” was waived"
    )


def test_whoever_scores_with_grade_c_is_warned():
    card = {"grade": "C", "grade_says": "use with care: the base rate moved"}
    assert _careful(card) == "the model has grade C: use with care: the base rate moved"
    assert _careful({**card, "grade": "A"}) == ""


# ── Waiving ─────────────────────────────────────────────────────────────────────────────────


def test_only_what_failed_is_waived():
    one = trial(LEFT, base_rate=CONSTANT, recency=P)
    assert not any(gate.waived for gate in gates(one, "recency", *GATES).values())


def test_a_gate_that_does_not_exist_cannot_be_waived():
    with pytest.raises(ConfigError, match="--allow calibrtion: there is no such gate") as told:
        gates(trial(LEFT, recency=P), "recency", "calibrtion")
    assert told.value.mend.startswith("Did you mean 'calibration'? The gates are too-little, ")


def test_the_command_line_refuses_an_unknown_gate_before_it_reads_anything(tmp_path):
    config = tmp_path / "churnkit.toml"
    config.write_text('[logs.purchases]\npath = "none.csv"\n', encoding="utf-8")
    done = CliRunner().invoke(app, ["train", "--config", str(config), "--allow", "leek"])
    assert done.exit_code == 2
    assert "Did you mean 'leak'?" in done.output


def test_the_help_of_train_names_every_gate(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    told = CliRunner().invoke(app, ["train", "--help"]).output
    assert all(key in told for key in GATES)


def test_too_little_may_be_trained_on_all_the_same(shop):
    few = read_logs(shop.purchases[shop.purchases["customer_id"] < "C00050"])
    recipe = replace(CHEAP, use="recency")
    with pytest.raises(GateRefused, match="100 and 100 are needed"):
        train(few, QUESTION, ONE_TEST, recipe=recipe)
    trained = train(few, QUESTION, ONE_TEST, recipe=replace(recipe, least=1))
    told = {gate.key: gate for gate in replace(trained, allowed=("too-little",)).gates}
    assert told["too-little"].waived
    assert told["too-little"].says.startswith("66 churners and 47 stayers")
