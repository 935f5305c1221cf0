"""Every cutoff as a test: pooled comparisons, learning curves, segments, and how they are told."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from typer.testing import CliRunner

from churnkit.cli import app
from churnkit.clock import Cutoff, horizon_ends_by
from churnkit.dataset import Dataset, Recipe, Schedule
from churnkit.errors import ConfigError, GateRefused
from churnkit.evaluation import Trial
from churnkit.features import Features, FeatureSpec
from churnkit.features.static import StaticColumn
from churnkit.labels import Question
from churnkit.metrics import auroc, evaluate, log_loss, paired_difference
from churnkit.report.rolling import render_rolling, rolling_summary
from churnkit.rolling import (
    Rolling,
    cutoffs_to_test,
    learning_by_customers,
    learning_by_cutoffs,
    roll,
    segments,
)
from churnkit.simulate import simulate

QUESTION = Question(horizon_days=30, lookback_days=90)
CHEAP = Recipe(trees={"trees": 20, "seeds": 1, "learning_rate": 0.2, "rows_per_leaf": 20})
PLAN = Schedule(every=28, cutoffs=3)


@pytest.fixture(scope="module")
def rolled(logs):
    """Three tests on the small shop, and what was told of the progress."""
    told: list[str] = []
    found = roll(logs, QUESTION, PLAN, told.append, CHEAP, tests=3, every="month")
    return found, told


@pytest.fixture(scope="module")
def summary(rolled):
    return rolling_summary(rolled[0])


# ── Which cutoffs ───────────────────────────────────────────────────────────────────────────


def test_tests_lie_one_horizon_apart_as_far_back_as_there_is_room_to_train(logs):
    cutoffs = cutoffs_to_test(logs, QUESTION, PLAN)
    assert [str(c) for c in cutoffs[-2:]] == ["2024-03-15", "2024-04-14"]
    assert all(b == a.shifted(30) for a, b in pairwise(cutoffs))
    first = logs.first_day("purchases").shifted(90 + 30)
    assert first <= cutoffs[0] < first.shifted(30)


def test_fewer_tests_are_the_latest_ones(logs):
    everything = cutoffs_to_test(logs, QUESTION, PLAN)
    assert cutoffs_to_test(logs, QUESTION, PLAN, tests=2) == everything[-2:]


def test_tests_may_lie_otherwise(logs):
    weekly = cutoffs_to_test(logs, QUESTION, PLAN, tests=3, every="week")
    assert [str(c) for c in weekly] == ["2024-03-31", "2024-04-07", "2024-04-14"]


def test_a_rung_that_the_logs_cannot_feed_is_refused_at_the_first_test(logs):
    told: list[str] = []
    asked = replace(CHEAP, use="hazard", trees={"trees": 1, "seeds": 1})
    leaving = Question("event", 30, 90, ("complaint_opened",))
    with pytest.raises(ConfigError, match="use = 'hazard' is no model that these logs can feed"):
        roll(logs, leaving, PLAN, told.append, asked, tests=3)
    assert not any(message.startswith("test 2") for message in told)


def test_nothing_of_a_test_was_known_to_its_models(rolled):
    for trial in rolled[0].trials:
        for model in trial.models.values():
            for told in model.trained_on:
                assert horizon_ends_by(Cutoff.parse(told), 30, trial.cutoff)


def test_words_of_the_future_make_no_feature(shop, rolled):
    """The columns of a test are those that its own past can fill."""
    early, *_, late = rolled[0].trials
    assert early.models["lightgbm"].trained_on[-1] < str(early.cutoff)
    assert set(early.data.features.names) <= set(late.data.features.names)


def test_only_the_last_trial_keeps_its_training_rows(rolled):
    assert [trial.learnt is not None for trial in rolled[0].trials] == [False, False, True]


def test_progress_tells_which_test_is_made(rolled):
    _, told = rolled
    assert told[0].startswith("test 1 of 3: building features")
    assert told[-1].startswith("test 3 of 3: fitting")


def test_cutoffs_with_too_few_customers_are_told_and_left_out(logs):
    many = replace(CHEAP, least=2_000)
    with pytest.raises(GateRefused, match="there is no cutoff to test at: the training set has"):
        roll(logs, QUESTION, PLAN, recipe=many, tests=1)


# ── Trials made by hand ─────────────────────────────────────────────────────────────────────


def trial(day: str, seed: int, customers: int = 400, **columns: np.ndarray) -> Trial:
    """One test: ``recency`` knows something, ``lightgbm`` more, ``base_rate`` nothing."""
    rng = np.random.default_rng(seed)
    truth = rng.beta(1, 1, customers)
    churned = rng.random(customers) < truth
    p = {
        "base_rate": np.full(customers, 0.5),
        "recency": 0.25 + 0.5 * np.where(rng.random(customers) < 0.5, truth, 0.5),
        "lightgbm": np.clip(truth, 0.02, 0.98),
    }
    ids = np.array([f"c{k:04}" for k in range(customers)], dtype=object)
    at = Cutoff.parse(day)
    spec = FeatureSpec({}, static=(StaticColumn("region", ("north", "south"), others=True),))
    features = Features(ids, np.full(customers, at.us), columns, spec)
    metrics = {name: evaluate(churned, q, ids, repeats=20) for name, q in p.items()}
    return Trial(at, Dataset(features, churned), {}, p, metrics)


def rolling(*trials: Trial, **recipe: str) -> Rolling:
    return Rolling(QUESTION, trials, {}, replace(CHEAP, **recipe))


TWO = rolling(trial("2024-01-01", 1), trial("2024-02-01", 2))


def test_pooled_metrics_are_means_over_the_cutoffs():
    for pooled in TWO.pooled:
        each = [t.metrics[pooled.name] for t in TWO.trials]
        for name, found in pooled.metrics.items():
            assert found.value == pytest.approx(np.mean([one[name].value for one in each]))


def test_customers_of_different_cutoffs_are_not_ranked_against_each_other():
    """Where everybody stays at one cutoff and leaves at the other, no ranking is to be praised."""
    one, other = trial("2024-01-01", 1), trial("2024-02-01", 2)
    raised = {**other.probabilities, "recency": np.clip(other.probabilities["recency"] * 9, 0, 1)}
    moved = rolling(one, replace(other, probabilities=raised))
    both = next(p for p in moved.pooled if p.name == "recency").metrics["auroc"].value
    alone = [auroc(t.data.churned, t.probabilities["recency"]) for t in moved.trials]
    assert both == pytest.approx(np.mean(alone))


def test_differences_are_those_of_the_chosen_rung():
    behind = {p.name: p.behind for p in TWO.pooled}
    assert TWO.chosen == "lightgbm"
    assert behind["lightgbm"]["log_loss"].value == 0
    assert behind["recency"]["log_loss"].high < 0 < behind["recency"]["auroc"].low


def test_the_same_customers_twice_are_no_more_evidence_than_once():
    one = trial("2024-01-01", 1)
    features = one.data.features
    later = replace(features, cutoff=features.cutoff + 1)
    again = replace(one, data=replace(one.data, features=later))
    once, twice = (rolling(*trials).pooled[1] for trials in ([one], [one, again]))
    for name, found in once.metrics.items():
        assert (twice.metrics[name].low, twice.metrics[name].high) == pytest.approx(
            (found.low, found.high)
        )


def test_with_one_cutoff_the_difference_is_that_of_the_trial():
    one = rolling(trial("2024-01-01", 1))
    found = next(p for p in one.pooled if p.name == "recency").behind["log_loss"]
    data, p = one.trials[0].data, one.trials[0].probabilities
    expected = paired_difference(
        "log_loss", data.churned, p["lightgbm"], p["recency"], data.features.customer_id, 200
    )
    assert (found.value, found.low) == pytest.approx((expected.value, expected.low))


def test_the_verdict_names_the_gain_over_the_best_rule():
    assert TWO.best_rule == "recency"
    assert TWO.verdict.startswith(
        "lightgbm is used: better than the best plain rule (recency) over 2 cutoffs, by ."
    )
    assert rolling(*TWO.trials, use="recency").verdict == (
        "recency, a plain rule, is used: no richer model is better over 2 cutoffs"
    )


# ── Segments ────────────────────────────────────────────────────────────────────────────────


def segmented(**columns: np.ndarray) -> list[tuple[str, str, int]]:
    found = segments(rolling(trial("2024-01-01", 1, **columns)))
    return [(s.by, s.name, s.rows) for s in found]


def test_customers_are_told_apart_by_tenure():
    days = np.repeat([0.0, 90.0, 91.0, 730.0, 731.0], 80)
    assert segmented(tenure=days) == [
        ("tenure", "up to 90 days", 160),
        ("tenure", "91 to 365 days", 80),
        ("tenure", "1 to 2 years", 80),
        ("tenure", "over 2 years", 80),
    ]


def test_customers_are_told_apart_by_thirds_of_value_at_each_cutoff():
    spent = np.arange(400.0)
    cheap = rolling(
        trial("2024-01-01", 1, spend_sum_365d=spent),
        trial("2024-02-01", 2, spend_sum_365d=spent + 10_000),
    )
    told = [(s.by, s.name, s.rows, s.customers) for s in segments(cheap)]
    assert told == [
        ("value", "lowest third", 268, 134),
        ("value", "middle third", 266, 133),
        ("value", "highest third", 266, 133),
    ]


def test_customers_are_told_apart_by_declared_categories():
    codes = np.repeat([0.0, 1.0, 2.0, np.nan], 100)
    assert segmented(region=codes) == [
        ("region", "north", 100),
        ("region", "other", 100),
        ("region", "south", 100),
    ]


def test_a_segment_is_measured_on_its_own_rows():
    one = trial("2024-01-01", 1, region=np.repeat([0.0, 1.0], 200))
    north, _ = segments(rolling(one))
    rows = slice(0, 200)
    churned, p = one.data.churned[rows], one.probabilities
    assert north.base_rate == pytest.approx(churned.mean())
    assert north.metrics["auroc"].value == pytest.approx(auroc(churned, p["lightgbm"][rows]))
    lost = log_loss(churned, p["recency"][rows]) - log_loss(churned, p["lightgbm"][rows])
    assert north.gain.value == pytest.approx(lost)


def test_of_a_segment_with_too_few_only_the_size_is_told():
    one = trial("2024-01-01", 1, region=np.repeat([0.0, 1.0], [380, 20]))
    _, south = segments(rolling(one))
    assert (south.name, south.rows, south.metrics, south.gain) == ("south", 20, {}, None)


# ── Learning curves ─────────────────────────────────────────────────────────────────────────


def test_more_customers_are_learnt_from_step_by_step(rolled):
    found = rolled[0]
    points = learning_by_customers(found)
    everybody = found.trials[-1].learnt
    assert [point.share for point in points] == [0.1, 0.25, 0.5, 1.0]
    assert [point.customers for point in points] == sorted(point.customers for point in points)
    assert points[0].customers == pytest.approx(everybody.customers / 10, abs=1)
    assert points[-1].rows == len(everybody)


def test_all_customers_and_all_cutoffs_are_the_model_of_the_trial(rolled):
    found = rolled[0]
    last = found.trials[-1].metrics[found.chosen]
    ends = learning_by_customers(found)[-1], learning_by_cutoffs(found)[-1]
    for point in ends:
        assert point.metrics["log_loss"].value == pytest.approx(last["log_loss"].value)


def test_more_cutoffs_are_learnt_from_beginning_with_the_latest(rolled):
    points = learning_by_cutoffs(rolled[0])
    assert [point.cutoffs for point in points] == [1, 2, 3]


# ── Told ────────────────────────────────────────────────────────────────────────────────────


def test_the_summary_is_plain_json(summary):
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_the_summary_tells_each_cutoff_with_its_base_rate(summary, rolled):
    for told, one in zip(summary["trials"], rolled[0].trials, strict=True):
        assert told["cutoff"] == str(one.cutoff)
        assert told["base_rate"] == one.data.base_rate
        assert told["metrics"].keys() == one.metrics.keys()
        assert told["training_cutoffs"] == 3


def test_the_page_holds_every_rung_cutoff_and_segment(summary):
    page = render_rolling(summary)
    assert page == render_rolling(summary)
    for told in (*summary["models"], *summary["segments"]):
        assert f"<b>{told['name']}</b>" in page
    for told in summary["trials"]:
        assert f"<b>{told['cutoff']}</b>" in page
    assert "<script" not in page
    assert "//" not in page, "no address"


def test_hostile_names_are_escaped(summary):
    hostile = "</style><img src=x onerror=alert(1)>"
    told = {**summary, "segments": [{**summary["segments"][0], "name": hostile}]}
    assert hostile not in render_rolling(told)


def test_the_command_prints_tables_and_writes_a_page(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    files = simulate(customers=500, days=400).write(tmp_path / "data")
    config = tmp_path / "churnkit.toml"
    run = CliRunner().invoke
    asked = ["--horizon", "30", "--lookback", "90", "--config", str(config)]
    assert run(app, ["init", "--purchases", str(files["purchases"]), *asked]).exit_code == 0
    with config.open("a", encoding="utf-8") as file:
        file.write("\n[model]\ntrees = 10\nseeds = 1\n")
    page = tmp_path / "backtest.html"
    arguments = ["backtest", "--tests", "1", "--html", str(page), "--config", str(config)]
    done = run(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    for part in ("Mean over 1 test cutoff", "rfm_logistic", "Segments", "learnt from more and"):
        assert part in done.output
    assert "How would it have done all along?" in page.read_text(encoding="utf-8")
    told = json.loads(run(app, [*arguments, "--json"], catch_exceptions=False).output)
    assert told["trials"][0]["cutoff"] == "2024-01-05"
