"""Champion against challenger, where the champion is an estimator that holds others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from churnkit.challenge import compare
from churnkit.dataset import Recipe
from churnkit.errors import ConfigError
from churnkit.estimators import Blend, Calibrated, ChurnClassifier, Hazard, PlainRule
from churnkit.model import fit, fit_to, rung_named

FEW = {"trees": 10, "seeds": 1}
SMALL, OTHER = (ChurnClassifier(trees=trees, seeds=1) for trees in (10, 5))


@pytest.fixture(scope="module")
def learnt(training):
    return training.backtest.test.learnt


def champion(training, estimator):
    """The model of the training with another estimator, which knows the outcome of the test."""
    fitted = fit_to(training.learnt, estimator, training.model.names)
    return replace(training.model, estimator=fitted, version="1")


def nested(trees):
    """One of each kind that holds trees."""
    return [Hazard(10, 30, trees), Calibrated(trees), Blend([trees, PlainRule([0])], [1, 1])]


@pytest.mark.parametrize("kind", range(3), ids=["hazard", "calibrated", "blend"])
def test_the_recipe_tells_of_the_trees_inside(learnt, kind):
    one, again, other = (
        fit_to(learnt, nested(trees)[kind], learnt.features.names).recipe()
        for trees in (SMALL, SMALL, OTHER)
    )
    assert one == again
    assert one != other


@pytest.mark.parametrize("kind", range(3), ids=["hazard", "calibrated", "blend"])
def test_a_champion_that_holds_other_trees_is_made_anew_and_compared(training, logs, kind):
    found = compare(training, champion(training, nested(SMALL)[kind]), logs)
    assert "version 1 made anew of what was known before the test" in found.says
    assert found.log_loss.value != 0


def test_a_blend_with_the_same_members_is_the_same_recipe(training, logs):
    rich = replace(training, model=champion(training, nested(SMALL)[2]))
    trials = training.backtest.trials
    models = {**trials[-1].models, training.model.rung: rich.model}
    test = replace(trials[-1], models=models)
    again = replace(rich, backtest=replace(training.backtest, trials=(*trials[:-1], test)))
    assert compare(again, rich.model, logs).says.startswith("made like version 1")


def test_a_hazard_learns_the_days_until_the_return(learnt, question):
    made = fit(rung_named("hazard"), learnt, question, Recipe(trees=FEW))
    again = fit_to(learnt, made.estimator, made.names)
    X = learnt.features.values
    assert np.array_equal(again.decision_function(X), made.estimator.decision_function(X))
    assert again.predict_proba(X)[:, 1].mean() == pytest.approx(learnt.base_rate, abs=0.04)


def test_where_nobody_returns_there_is_no_hazard(learnt):
    with pytest.raises(ConfigError, match="no silence ends"):
        fit_to(replace(learnt, days=None), Hazard(10, 30, SMALL), learnt.features.names)


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a blend"])
def test_what_is_calibrated_leaves_out_whole_customers(learnt, inside, monkeypatch):
    fitted, left_out_by = Calibrated.fit, []

    def watched(calibrated, X, y, sample_weight=None, groups=None):
        left_out_by.append(groups)
        return fitted(calibrated, X, y, sample_weight, groups)

    monkeypatch.setattr(Calibrated, "fit", watched)
    estimator = Calibrated(PlainRule([0]))
    fit_to(learnt, Blend([estimator], [1]) if inside else estimator, learnt.features.names)
    [groups] = left_out_by
    assert np.array_equal(groups, learnt.features.customer_id)


def test_the_card_tells_of_the_trees_inside(training):
    rich = replace(training, model=champion(training, Blend([SMALL, PlainRule([0])], [1, 1])))
    told = rich.card()["estimator"]
    assert told["kind"] == "Blend"
    assert [m["kind"] for m in told["parameters"]["members"]] == ["ChurnClassifier", "PlainRule"]
    assert told["parameters"]["members"][0]["trees"] == 10
