"""A trained model and the evidence for it: gates, table, lights and the model card."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from churnkit.errors import GateRefused
from churnkit.gates import GATES, Gate
from churnkit.lights import Fixed, TrafficLight
from churnkit.metrics import METRICS, Interval
from churnkit.training import card_text, interval_dict, interval_of, out_of_order


@pytest.fixture(scope="module")
def card(training):
    return training.card()


# ── Training ────────────────────────────────────────────────────────────────────────────────


def test_the_trees_are_chosen_on_the_small_shop(training):
    assert training.model.rung == "lightgbm"
    assert training.backtest.chosen == "lightgbm"


def test_the_final_model_is_fitted_on_all_cutoffs(training, schedule):
    assert training.model.trained_on == (
        "2023-12-24", "2024-01-21", "2024-02-18", "2024-03-17", "2024-04-14",
    )  # fmt: skip
    assert len(training.model.trained_on) == schedule.cutoffs
    assert len(training.learnt) > 4000


def test_passing_all_gates_nothing_is_refused(training):
    assert all(gate.passed for gate in training.gates)
    training.require_gates()


def test_every_failed_gate_is_named_with_what_was_found(training, failing):
    failed = failing("better than chance", "no leak suspected")
    with pytest.raises(GateRefused) as refused:
        failed.require_gates()
    assert refused.value.exit_code == 4
    found = {gate.name: gate.says for gate in training.gates}
    assert f"better than chance: {found['better than chance']}" in refused.value.found
    assert f"no leak suspected: {found['no leak suspected']}" in refused.value.found
    assert "not beaten by a plain rule" not in refused.value.found


# ── Table and lights ────────────────────────────────────────────────────────────────────────


def test_the_table_compares_the_model_with_every_rule(training):
    table = training.table()
    assert table.index.tolist() == list(training.backtest.test.metrics)
    assert table.columns.tolist() == ["used", *METRICS]
    assert table.index[table["used"] == "✓"].tolist() == [training.model.rung]
    assert table.loc["base_rate", "auroc"] == ".500 [.500, .500]"


def test_lights_of_the_test_from_red_to_green(training):
    lights = training.lights()
    assert [told["light"] for told in lights] == ["red", "yellow", "green"]
    assert sum(told["customers"] for told in lights) == len(training.backtest.test.data)
    red, _, green = (told["churned"]["value"] for told in lights)
    assert red > 0.65 > 0.35 > green


def test_lights_follow_the_policy(training):
    all_red = training.lights(TrafficLight(Fixed(1e-9, 2e-9), rules=()))
    assert [told["customers"] for told in all_red] == [len(training.backtest.test.data), 0, 0]
    assert all_red[1]["churned"] == {"value": None, "low": 0.0, "high": 1.0}


# ── The card ────────────────────────────────────────────────────────────────────────────────


def test_the_card_is_plain_json(card):
    assert json.loads(json.dumps(card, allow_nan=False)) == card


def test_the_card_is_plain_json_even_where_a_light_is_empty(training):
    json.dumps(training.card(TrafficLight(Fixed(1e-9, 2e-9), rules=())), allow_nan=False)


def test_the_card_tells_question_training_and_test(card, training):
    assert card["question"] == (
        "no purchase within 30 days, of customers with purchase in the 90 days before"
    )
    assert card["training"]["rows"] == len(training.learnt)
    assert card["training"]["base_rate"] == training.learnt.base_rate
    assert [trial["cutoff"] for trial in card["trials"]] == ["2024-03-15", "2024-04-14"]
    assert card["features"] == len(training.model.names)
    assert card["verdict"] == training.backtest.verdict
    assert [gate["key"] for gate in card["gates"] if gate["passed"]] == list(GATES)


def test_the_card_holds_every_metric_of_every_rung(card, training):
    for told, trial in zip(card["trials"], training.backtest.trials, strict=True):
        assert told["metrics"].keys() == trial.metrics.keys()
        for rung, metrics in told["metrics"].items():
            back = {name: interval_of(interval) for name, interval in metrics.items()}
            assert back == trial.metrics[rung]


def test_the_card_has_drivers_of_the_tested_model(card):
    assert 0.5 < sum(driver["share"] for driver in card["drivers"]) < 1
    assert card["drivers"][0].keys() == {
        "theme", "share", "direction", "features", "separation", "dependence"
    }  # fmt: skip


def test_the_card_as_text_holds_the_table(card, training):
    text = card_text(card)
    for rung, row in training.table().drop(columns="used").iterrows():
        assert f"| {rung} | {' | '.join(row)} |" in text
    assert f"| model | {' | '.join(METRICS)} |" in text


def test_the_card_as_text_says_what_was_asked_and_found(card):
    text = card_text(card)
    assert text.startswith("# Churn model: lightgbm\n")
    assert f"Asks: {card['question']}." in text
    assert card["verdict"] in text
    assert f"Grade {card['grade']}: {card['grade_says']}." in text
    assert f"With contact 1, offer 10, value 200, 30% accept: {card['profit']['says']}." in text
    assert text.count("- passed: ") == len(GATES)


def test_the_card_as_text_shouts_failed_gates(failing):
    text = card_text(failing("better than chance").card())
    assert "- FAILED: better than chance (AUROC" in text
    assert "Refused: it fails “better than chance”." in text
    assert text.count("- passed: ") == len(GATES) - 1


def test_the_card_as_text_tells_what_was_waived(failing):
    failed = failing("better than chance")
    gates = tuple(replace(gate, waived=not gate.passed) for gate in failed.gates)
    waived = replace(failed)
    vars(waived)["gates"] = gates
    assert "- waived: better than chance (AUROC" in card_text(waived.card())
    waived.require_gates()


def test_lights_in_the_wrong_order_are_warned_of():
    def light(name, value, low, high):
        churned = {"value": value, "low": low, "high": high}
        return {"light": name, "customers": 100, "churned": churned}

    red, green = light("red", 0.8, 0.7, 0.9), light("green", 0.2, 0.15, 0.25)
    [said] = out_of_order([red, light("yellow", 0.1, 0.05, 0.14), green])
    assert said.startswith("10.0% of the yellow customers of the test churned, and 20.0% of the g")
    assert out_of_order([red, light("yellow", 0.18, 0.14, 0.22), green]) == []
    assert out_of_order([red, light("yellow", None, 0.0, 1.0), green]) == []


# ── Intervals as JSON ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("interval", "told"),
    [
        (Interval(0.5, 0.4, 0.6), {"value": 0.5, "low": 0.4, "high": 0.6}),
        (Interval(float("nan"), 0.0, 1.0), {"value": None, "low": 0.0, "high": 1.0}),
    ],
)
def test_an_interval_there_and_back(interval, told):
    assert interval_dict(interval) == told
    assert repr(interval_of(told)) == repr(interval)


def test_gates_are_told_in_one_order(training):
    assert all(isinstance(gate, Gate) for gate in training.gates)
    assert [gate.name for gate in training.gates] == list(GATES.values())
