"""The drawings of a card that MLflow shows: well-formed, by themselves, and within their frame."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from churnkit.plots import gains
from churnkit.report.evidence import drawings
from churnkit.training import Training

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def card(training: Training) -> dict[str, Any]:
    return training.card()


def texts(svg: str) -> str:
    return " | ".join(element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text"))


def test_each_is_a_whole_drawing_in_colours_of_its_own(card):
    drawn = drawings(card)
    assert drawn.keys() >= {"ladder.svg", "calibration.svg", "gains.svg", "drivers.svg"}
    for svg in drawn.values():
        root = ET.fromstring(svg)
        assert root.tag == f"{SVG}svg"
        assert root.find(f"{SVG}rect").attrib["fill"] == "#ffffff"
        assert "var(" not in svg
        assert "script" not in svg
        assert "href" not in svg
        assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_the_ladder_names_every_rung_with_its_interval(card, training):
    told = texts(drawings(card)["ladder.svg"])
    for rung, metrics in training.backtest.test.metrics.items():
        assert rung in told
        assert f"{metrics['auroc'].value:.3f}"[1:] in told
    assert "Test at 2024-04-14" in told


def test_the_drivers_are_named_with_their_share(card):
    told = texts(drawings(card)["drivers.svg"])
    assert all(driver["theme"] in told for driver in card["drivers"])


def test_words_of_the_user_are_escaped(card):
    mine = copy.deepcopy(card)
    mine["drivers"][0]["theme"] = "<script>f()</script> & x"
    svg = drawings(mine)["drivers.svg"]
    assert "<script>" not in svg
    assert "<script>f()</script> & x" in texts(svg)


def test_what_a_card_does_not_know_is_not_drawn(card):
    bare = {**copy.deepcopy(card), "drivers": [], "calibration": []}
    assert not {"drivers.svg", "calibration.svg", "gains.svg"} & drawings(bare).keys()
    bare["profit"]["curve"] = []
    assert drawings(bare).keys() == {"ladder.svg"}
    for metrics in bare["trials"][-1]["metrics"].values():
        metrics["auroc"] = {"value": None, "low": None, "high": None}
    told = texts(drawings(bare)["ladder.svg"])
    assert "AUROC" not in told
    assert "log loss" in told


# ── Gains ───────────────────────────────────────────────────────────────────────────────────


def bins(*told: tuple[int, float | None]) -> list[dict[str, Any]]:
    return [
        {"predicted": 0.1, "customers": n, "observed": {"value": v, "low": v, "high": v}}
        for n, v in told
    ]


def test_gains_are_counted_from_the_likeliest():
    found = gains(bins((10, 0.0), (10, 0.2), (20, 0.5)))
    assert [(g["share"], g["caught"]) for g in found] == [
        (0.0, 0.0), (0.5, 10 / 12), (0.75, 1.0), (1.0, 1.0)
    ]  # fmt: skip
    assert found[1]["lift"] == pytest.approx(10 / 12 / 0.5)
    assert (found[-1]["customers"], found[-1]["churners"]) == (40, 12)


@pytest.mark.parametrize("told", [(), ((10, 0.0), (10, 0.0)), ((10, None), (10, 0.5))])
def test_without_churners_nothing_is_gained(told):
    assert gains(bins(*told)) == []
