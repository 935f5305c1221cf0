"""The search for better settings: where it looks, where it never looks, and what it may change."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from churnkit import tuning
from churnkit.cli import app
from churnkit.clock import Cutoff, horizon_ends_by
from churnkit.dataset import Recipe, Schedule
from churnkit.errors import ConfigError, GateRefused
from churnkit.labels import Question
from churnkit.metrics import Interval
from churnkit.simulate import simulate
from churnkit.sources import read_logs
from churnkit.tuning import Budget, Tuned, _inner_cutoffs, budget_of, tune

QUESTION = Question(horizon_days=30, lookback_days=90)
PLAN = Schedule(every=28, cutoffs=2, tests=2)
RECIPE = Recipe(trees={"trees": 12, "seeds": 1, "rows_per_leaf": 50, "learning_rate": 0.1})


@pytest.fixture(scope="module")
def shop():
    """Fewer customers than elsewhere: how well the trees are does not matter here."""
    return simulate(customers=500, days=500)


@pytest.fixture(scope="module")
def logs(shop):
    return read_logs(shop.purchases, shop.activity, shop.surveys)


@pytest.fixture(scope="module", autouse=True)
def few_trees():
    """Settings that are quick to try."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(tuning._SPACE, "trees", (5, 15, True))
        yield


@pytest.fixture
def tried(monkeypatch):
    """The settings that were fitted during the search, one entry for each."""
    fitted: list[dict[str, object]] = []
    lost = tuning._Split.log_loss

    def counted(split, question, recipe):
        fitted.append(dict(recipe.trees))
        return lost(split, question, recipe)

    monkeypatch.setattr(tuning._Split, "log_loss", counted)
    return fitted


# ── Where it looks ──────────────────────────────────────────────────────────────────────────


def test_the_inner_cutoffs_are_over_before_the_test(logs):
    test = PLAN.test_cutoffs(logs, QUESTION)[-1]
    inner = _inner_cutoffs(logs, QUESTION, PLAN)
    assert [str(c) for c in inner] == ["2024-01-15", "2024-02-14", "2024-03-15"]
    for early, late in zip(inner, (*inner[1:], test), strict=True):
        assert horizon_ends_by(early, 30, late)


def test_what_happens_from_the_test_on_changes_nothing(shop, logs):
    test = PLAN.test_cutoffs(logs, QUESTION)[-1]
    day = pd.Timestamp(str(test))
    known = shop.purchases[shop.purchases["ts"] < day]
    later = shop.purchases[shop.purchases["ts"] >= day]
    by_others = later.assign(customer_id=later["customer_id"].to_numpy()[::-1], amount=1)
    other = read_logs(pd.concat([known, by_others]), shop.activity[shop.activity["ts"] < day])
    same = read_logs(shop.purchases, shop.activity)
    assert [PLAN.test_cutoffs(logs, QUESTION)[-1] for logs in (other, same)] == [test] * 2
    budget = Budget(trials=2)
    assert tune(other, QUESTION, PLAN, RECIPE, budget) == tune(same, QUESTION, PLAN, RECIPE, budget)


def test_the_settings_of_the_recipe_are_tried_first(logs, tried):
    found = tune(logs, QUESTION, PLAN, RECIPE, Budget(trials=1))
    assert {name: tried[0][name] for name in RECIPE.trees} == dict(RECIPE.trees)
    assert {name: found.trees[name] for name in ("trees", "rows_per_leaf")} == {
        "trees": 12, "rows_per_leaf": 50
    }  # fmt: skip
    assert found.gain == Interval(0, 0, 0)
    assert not found.kept


def test_a_search_that_may_take_no_time_tries_one(logs):
    assert tune(logs, QUESTION, PLAN, RECIPE, Budget(None, minutes=1e-6)).tried == 1


# ── Going on where it ended ─────────────────────────────────────────────────────────────────


def test_an_interrupted_search_goes_on(logs, tried, tmp_path):
    storage = tmp_path / "models" / "tuning.journal"
    first = tune(logs, QUESTION, PLAN, RECIPE, Budget(trials=2), storage)
    before = len(tried)
    second = tune(logs, QUESTION, PLAN, RECIPE, Budget(trials=3), storage)
    assert (first.tried, second.tried) == (2, 3)
    assert before == 2 * len(first.searched_at)
    assert len(tried) - before == len(first.searched_at), "one more setting at each cutoff"


def test_what_goes_on_draws_nothing_a_second_time(logs, tmp_path, monkeypatch):
    drawn = []

    def cheap(split, question, recipe):
        drawn.append(tuple(recipe.trees[name] for name in tuning._SPACE))
        return 0.5 + recipe.trees["learning_rate"]

    monkeypatch.setattr(tuning._Split, "log_loss", cheap)
    monkeypatch.setattr(tuning, "_gain", lambda *_: Interval(0, 0, 0))
    for trials in (4, 8):
        tune(logs, QUESTION, PLAN, RECIPE, Budget(trials=trials), tmp_path / "tuning.journal")
    assert len(set(drawn)) == 8


def test_the_default_is_tried_again_if_it_was_interrupted(logs, tmp_path, monkeypatch):
    drawn = []

    def stopped(split, question, recipe):
        drawn.append(recipe.trees["trees"])
        if len(drawn) == 1:
            raise KeyboardInterrupt
        return 0.5

    monkeypatch.setattr(tuning._Split, "log_loss", stopped)
    monkeypatch.setattr(tuning, "_gain", lambda *_: Interval(0, 0, 0))
    with pytest.raises(KeyboardInterrupt):
        tune(logs, QUESTION, PLAN, RECIPE, Budget(trials=1), tmp_path / "tuning.journal")
    tune(logs, QUESTION, PLAN, RECIPE, Budget(trials=1), tmp_path / "tuning.journal")
    assert set(drawn) == {RECIPE.trees["trees"]}


def test_a_search_that_was_stopped_while_trying_tries_that_again(logs, tmp_path, monkeypatch):
    storage, lost, calls = tmp_path / "tuning.journal", tuning._Split.log_loss, []

    def stopped(split, question, recipe):
        calls.append(1)
        if len(calls) > 2:
            raise KeyboardInterrupt
        return lost(split, question, recipe)

    with monkeypatch.context() as patched:
        patched.setattr(tuning._Split, "log_loss", stopped)
        with pytest.raises(KeyboardInterrupt):
            tune(logs, QUESTION, PLAN, RECIPE, Budget(trials=2), storage)
    assert tune(logs, QUESTION, PLAN, RECIPE, Budget(trials=2), storage).tried == 2


@pytest.fixture(scope="module")
def searched(logs, tmp_path_factory):
    """The journal of a search; never to be changed."""
    storage = tmp_path_factory.mktemp("searched") / "tuning.journal"
    tune(logs, QUESTION, PLAN, RECIPE, Budget(trials=1), storage)
    return storage


@pytest.mark.parametrize("other", ["nothing", "rows", "recipe", "calibration", "question"])
def test_a_search_over_something_else_begins_anew(
    shop, logs, tried, searched, tmp_path, monkeypatch, other
):
    monkeypatch.setattr(tuning, "_gain", lambda *_: Interval(0, 0, 0))
    storage = Path(shutil.copy(searched, tmp_path))
    question, recipe = QUESTION, RECIPE
    if other == "rows":
        logs = read_logs(shop.purchases.iloc[5:], shop.activity, shop.surveys)
    elif other == "recipe":
        recipe = replace(RECIPE, trees={**RECIPE.trees, "l2": 1.0})
    elif other == "calibration":
        recipe = replace(RECIPE, calibrate=True)
    elif other == "question":
        question = Question(horizon_days=30, lookback_days=80)
    tune(logs, question, PLAN, recipe, Budget(trials=1), storage)
    assert bool(tried) == (other != "nothing")


# ── What it may change ──────────────────────────────────────────────────────────────────────


def tuned(low: float) -> Tuned:
    at = Cutoff.parse("2024-01-01")
    return Tuned({"leaves": 5}, 30, (at.shifted(-30),), at, Interval(0.003, low, 0.006))


def test_a_gain_is_used():
    found = tuned(low=0.001)
    assert found.applied(RECIPE).trees == {**RECIPE.trees, "leaves": 5}
    assert found.says == (
        "the best of 30 settings of the trees gains .003 [.001, .006] log loss on the default at "
        "2024-01-01: it is used"
    )


def test_what_may_be_no_gain_is_dropped():
    found = tuned(low=-0.001)
    assert found.applied(RECIPE) is RECIPE
    assert found.says.endswith("no gain beyond chance, and it is dropped")
    assert json.loads(json.dumps(found.told()))["kept"] is False


# ── Refused ─────────────────────────────────────────────────────────────────────────────────


def test_a_short_history_is_refused(shop):
    months = shop.purchases[shop.purchases["ts"] < "2023-06-20"]
    with pytest.raises(GateRefused, match="the history is too short to tune"):
        tune(read_logs(months), QUESTION, PLAN, RECIPE)


def test_a_rule_has_nothing_to_tune(logs):
    with pytest.raises(ConfigError, match="use = 'recency' is another model"):
        tune(logs, QUESTION, PLAN, replace(RECIPE, use="recency"))


def test_without_optuna_the_command_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    config = tmp_path / "churnkit.toml"
    config.write_text('[logs.purchases]\npath = "none.csv"\n', encoding="utf-8")
    done = CliRunner().invoke(app, ["train", "--tune", "--config", str(config)])
    assert done.exit_code == 2
    assert "pip install 'churnkit[tune]'" in done.output


# ── On the command line ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "trials", "minutes", "budget"),
    [
        (False, None, None, None),
        (True, None, None, Budget(30, None)),
        (True, 5, None, Budget(5, None)),
        (False, None, 2.0, Budget(None, 2.0)),
        (True, 5, 2.0, Budget(5, 2.0)),
    ],
)
def test_a_limit_asks_for_a_search(asked, trials, minutes, budget):
    assert budget_of(asked, trials, minutes) == budget


def test_the_outcome_is_on_the_card(tmp_path, empty_store):
    shutil.copytree(empty_store, tmp_path / "models")
    files = simulate(customers=500, days=400).write(tmp_path / "data")
    config = tmp_path / "churnkit.toml"
    asked = ["--horizon", "30", "--lookback", "90", "--config", str(config)]
    CliRunner().invoke(app, ["init", "--purchases", str(files["purchases"]), *asked])
    settings = config.read_text(encoding="utf-8") + "\n[model]\ntrees = 10\nseeds = 1\n"
    config.write_text(settings.replace("cutoffs = 13", "cutoffs = 3"), encoding="utf-8")
    arguments = ["train", "--tune-trials", "1", "--config", str(config), "--json"]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    told = json.loads(done.stdout)
    assert (told["tuning"]["tried"], told["tuning"]["kept"]) == (1, False)
    assert (tmp_path / "models" / "tuning.journal").exists()
    card = (tmp_path / told["bundle"] / "card.md").read_text(encoding="utf-8")
    assert f"Tuning: {told['tuning']['says']}." in card
