"""What the report tells of why customers leave, month by month, and whether anything is off."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import browser as chromium
import pytest
from test_plots import DRIFT, FIGURES, KPIS, MOVED, OUTCOMES, estimate
from test_report import HOSTILE, Reader, assert_harmless, shop

from churnkit.report import render

browser, opened = chromium.browser, chromium.opened


def figures(values: dict[str, list[float | None]]) -> dict[str, Any]:
    return {
        name: [{**estimate(value, 0.01), "n": 100 if value else 0} for value in told]
        for name, told in values.items()
    }


def kpis() -> dict[str, Any]:
    told = copy.deepcopy(KPIS)
    for measure in told["measures"]:
        measure["says"] = f"what {measure['name']} is"
    for segment in told["segments"]:
        segment["figures"] = figures({n: [e["value"] for e in f] for n, f in FIGURES.items()})
    return {**told, "says": ["In 2024-03, 5.0% left."], "rules": {"cohorts": "By first month."}}


def watch() -> dict[str, Any]:
    features = [{**told, "feature": told["says"]} for told in DRIFT]
    runs = [
        {**run, "customers": 900, "mean": 0.3, "churned": estimate(0.31)}
        for run in copy.deepcopy(OUTCOMES["runs"])
    ]
    alarm = {
        "code": "score_drift", "severity": "watch", "what": "the scores jumped by half",
        "do": "Look at the inputs first.",
    }  # fmt: skip
    return {
        "verdict": "watch",
        "reason": "the scores jumped by half",
        "alarms": [alarm],
        "notes": ["it is the week of a holiday"],
        "untried": [{"check": "scale of ces", "why": "there are too few answers"}],
        "drift": {"features": features, "compared": 208, "far": 1, "sudden": 0},
        "outcomes": {"runs": runs, "judged": None},
    }


@pytest.fixture
def told() -> dict[str, Any]:
    return {
        **shop(), "kpis": kpis(), "watch": watch(), "before": "2024-12-24",
        "transitions": MOVED, "changes_total": 240,
    }  # fmt: skip


def text_of(summary: dict[str, Any]) -> str:
    return " ".join(Reader(render(summary)).text.split())


def drawn(summary: dict[str, Any]) -> list[str]:
    """What the figures of the page are said to show."""
    return re.findall(r'<svg role="img" aria-label="([^"]*)"', render(summary))


# ── Why customers leave ─────────────────────────────────────────────────────────────────────


def test_all_dependences_share_one_scale(told: dict[str, Any]) -> None:
    shapes = re.findall(r'aria-label="Mean churn probability by .*?</svg>', render(told), re.DOTALL)
    scales = {tuple(re.findall(r">(\d+\xa0%)</text>", shape)) for shape in shapes}
    assert len(shapes) == 4
    assert len(scales) == 1


def test_key_figures_that_are_known_are_drawn_and_others_named(told: dict[str, Any]) -> None:
    assert "Churn rate from 2024-01 to 2024-03" in drawn(told)
    assert not [label for label in drawn(told) if label.startswith("NPS")]
    text = text_of(told)
    assert "what churn_rate is" in text
    assert "since the logs do not tell it: Net revenue retention, NPS of the company, Ease" in text


def test_segments_stand_beside_all_customers(told: dict[str, Any]) -> None:
    text = text_of(told)
    assert "Churn of 2024-03 by channel" in text
    [rows] = re.findall(r"Net revenue retention (All customers .*?) Of those who came", text)
    assert rows.count("100 5 % [4 %, 6 %]") == 3
    alone = {**told, "kpis": {**told["kpis"], "segments": told["kpis"]["segments"][:1]}}
    assert "by channel" not in text_of(alone)


def test_the_cohorts_can_be_scrolled_by_keyboard(told: dict[str, Any]) -> None:
    region = re.search(r'<div class="scroll" (.*?)>\s*<svg', render(told))
    assert region is not None
    assert region[1] == 'tabindex="0" role="region" aria-label="Cohorts"'


def test_without_key_figures_the_page_says_how_to_get_them(told: dict[str, Any]) -> None:
    text = text_of({**told, "kpis": None})
    assert "Not in this report: churnkit report and churnkit kpi sum up the months" in text


def test_segments_of_which_nothing_is_known_are_said_so(told: dict[str, Any]) -> None:
    bare = figures({name: [None] * 3 for name in FIGURES})
    for segment in told["kpis"]["segments"]:
        segment["figures"] = bare
        segment["cohorts"] = []
    text = text_of(told)
    assert "All customers 0 not known not known" in text
    assert "Of those who came in one month" not in text


# ── Whether anything is off ─────────────────────────────────────────────────────────────────


def test_an_alarm_says_what_was_found_and_what_to_do(told: dict[str, Any]) -> None:
    text = text_of(told)
    assert "▲ look at it The scores jumped by half." in text
    assert "the scores jumped by half. Look at the inputs first." in text
    assert "Not looked at: scale of ces, since there are too few answers." in text


def test_no_alarm_is_said_too(told: dict[str, Any]) -> None:
    calm = {"verdict": "ok", "reason": "nothing is out of the ordinary", "alarms": []}
    text = text_of({**told, "watch": {**told["watch"], **calm}})
    assert "● all is well Nothing is out of the ordinary. No alarm:" in text


def test_drift_and_past_runs_are_drawn_with_their_numbers(told: dict[str, Any]) -> None:
    labels = drawn(told)
    assert any(label.startswith("Population stability index") for label in labels)
    assert any(label.startswith("Share that churned of each light") for label in labels)
    text = text_of(told)
    assert "208 features were compared with the training; 1 are beyond their limits" in text
    assert "2024-05-01 900 30 % 31 % [26 %, 36 %] 70 % not known 10 %" in text


def test_what_watching_does_not_know_is_said(told: dict[str, Any]) -> None:
    bare = {**told["watch"], "drift": None, "outcomes": None}
    text = text_of({**told, "watch": bare})
    assert "no run lies so far back that it is certain who left" in text
    assert "Features that moved most" not in text
    assert "Not looked at in this report" in text_of({**told, "watch": None})


def test_the_flow_between_lights_has_its_numbers_in_a_table(told: dict[str, Any]) -> None:
    assert any(label.startswith("Customers flowing from their light") for label in drawn(told))
    text = text_of(told)
    assert "240 of them have another light" in text
    assert "■ red 660 30 0 ▲ yellow 40 1,200 80 ● green 0 90 900" in text


# ── The page as a whole ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_shown_and_never_run(told: dict[str, Any], text: str) -> None:
    told["kpis"]["column"] = told["kpis"]["segments"][1]["segment"] = text
    told["kpis"]["says"] = told["watch"]["notes"] = [text]
    told["watch"]["reason"] = told["watch"]["drift"]["features"][0]["says"] = text
    told["watch"]["alarms"][0] |= {"what": text, "do": text}
    assert_harmless(render(told))


def test_no_id_is_there_twice(told: dict[str, Any]) -> None:
    ids = [value for name, value in Reader(render(told)).attributes if name == "id"]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_the_page_fits_and_is_accessible(
    told: dict[str, Any], opened: Any, tmp_path: Path, width: int, scheme: str
) -> None:
    path = tmp_path / "page.html"
    path.write_text(render(told), encoding="utf-8")
    found = opened(path, viewport={"width": width, "height": 800}, color_scheme=scheme)
    assert found.violations() == []
    assert not found.too_wide
    outside = """() => [...document.querySelectorAll('figure svg')].filter(svg => {
        const [a, b] = [svg.getBoundingClientRect(), svg.closest('figure').getBoundingClientRect()];
        return a.left < b.left - 1 || a.right > b.right + 1;
    }).length"""
    assert found.page.evaluate(outside) == 0
