"""What objects show of themselves: in a notebook as small escaped tables, elsewhere in one line."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import churnkit as ck
from churnkit.labels import Question
from churnkit.lights import Condition, Rule
from churnkit.logs import Contract, Logs
from churnkit.notebook import MOST_NAMES, MOST_ROWS, Figure, Table, light, names, panel
from churnkit.scoring import Scores
from churnkit.sources import open_logs, read_logs
from churnkit.training import Training

HOSTILE = "<script>alert(1)</script>&\"'\u202e"
SHOWN = ("logs", "dataset", "features", "model", "backtest", "training", "lights", "scores")


class Cells(HTMLParser):
    """The tags of a piece of HTML, and its tables as rows of texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def row(self, named: str) -> list[str]:
        """The cells beside the first cell with that text."""
        return next(row[1:] for row in self.rows if row[0] == named)


@pytest.fixture(scope="module")
def objects(training: Training, scores: Scores, logs: Logs) -> dict[str, object]:
    made = (
        logs, training.learnt, training.learnt.features, training.model, training.backtest,
        training, scores.lights, scores,
    )  # fmt: skip
    return dict(zip(SHOWN, made, strict=True))


@pytest.mark.parametrize("name", SHOWN)
def test_html_is_small_whole_and_still(objects: dict[str, object], name: str) -> None:
    html = objects[name]._repr_html_()
    told = Cells(html)
    assert not told.open
    assert set(told.tags) <= {
        *("div", "strong", "table", "caption", "thead", "tbody", "tr", "th", "td", "span"),
        *("details", "summary"),
    }
    assert len(html) < 30_000
    assert "http" not in html
    assert "nan" not in re.sub("<[^>]*>", " ", html).split()


@pytest.mark.parametrize("name", SHOWN)
def test_plain_text_is_one_short_line(objects: dict[str, object], name: str) -> None:
    told = repr(objects[name])
    assert len(told) < 250
    assert "\n" not in told
    assert "array(" not in told


def test_logs_tell_each_log(logs: Logs) -> None:
    told = Cells(logs._repr_html_())
    for check in logs.checks:
        rows, events, customers, first, last, aside = told.row(check.log)
        assert rows == f"{check.read:,}"
        assert events == f"{len(logs.events[check.log]):,}"
        assert customers == f"{check.customers:,}"
        assert (first, last) == (
            str(logs.first_day(check.log)), str(logs.last_day(check.log))
        )  # fmt: skip
        assert aside == ", ".join(f"{n:,} {why}" for why, n in check.rejected.items()) or "none"


def test_logs_cut_at_a_day_tell_what_is_left(logs: Logs) -> None:
    cutoff = logs.first_day("purchases").shifted(100)
    cut = logs.before(cutoff)
    told = Cells(cut._repr_html_())
    assert told.rows[0] == ["log", "events", "customers", "first", "last"]
    events, customers, _, last = told.row("purchases")
    assert events == f"{len(cut.purchases):,}"
    assert customers == f"{len(np.unique(cut.purchases.customer)):,}"
    assert last < str(cutoff)


def test_logs_without_events_show_themselves() -> None:
    told = Cells(Logs(customer_ids=np.empty(0, dtype=object))._repr_html_())
    assert told.rows == []
    assert repr(Logs(customer_ids=np.empty(0, dtype=object))) == "<Logs: 0 customers; events: none>"


def test_logs_on_disk_show_the_same() -> None:
    purchases = pd.DataFrame(
        {"customer_id": ["a", "b", "b"], "ts": ["2024-01-01", "2024-02-03", "oops"], "amount": 5.0}
    )
    contract = Contract(max_rejected_share=1.0)
    here = read_logs(purchases, contract=contract)
    with open_logs(purchases, contract=contract) as stored:
        assert stored._repr_html_() == here._repr_html_()
        assert repr(stored) == repr(here)
    assert "1 unreadable_ts" in here._repr_html_()


def test_dataset_tells_base_rate_cutoff_by_cutoff(training: Training) -> None:
    dataset = training.learnt
    told = Cells(dataset._repr_html_())
    assert told.row("customers") == [f"{dataset.customers:,}"]
    assert f"base rate {dataset.base_rate:.1%}" in told.row("churned")[0]
    first = dataset.at(dataset.cutoffs[:1])
    assert told.row(str(dataset.cutoffs[0])) == [
        f"{len(first):,}", f"{int(first.churned.sum()):,}", f"{first.base_rate:.1%}"
    ]  # fmt: skip


def test_backtest_tells_every_model_and_the_winner(training: Training) -> None:
    told = Cells(training.backtest._repr_html_())
    metrics = training.backtest.test.metrics
    for rung, found in metrics.items():
        kind, auroc, *_ = told.row(("→ " if rung == training.backtest.chosen else "") + rung)
        assert auroc == str(found["auroc"])
        assert kind == ("model" if rung in ("logistic", "lightgbm", "blend") else "plain rule")
    assert told.row("verdict") == [training.backtest.verdict]


def test_training_tells_grade_and_gates(training: Training) -> None:
    told = Cells(training._repr_html_())
    assert told.row("grade") == [str(training.grade)]
    assert (told.row("gates") == ["all met"]) == all(gate.passed for gate in training.gates)


def test_model_tells_its_question_and_version(training: Training) -> None:
    told = Cells(training.model.called("7")._repr_html_())
    assert told.row("asks") == [training.model.question.rule]
    assert told.row("version") == ["7"]
    assert told.row("trained on")[0].endswith(training.model.trained_on[-1])


def test_lights_tell_counts_with_shapes_and_rules(scores: Scores) -> None:
    told = Cells(scores.lights._repr_html_())
    for shape, colour in (("■", "red"), ("▲", "yellow"), ("●", "green")):
        customers, _, alone = told.row(f"{shape} {colour}")
        assert customers == f"{int((scores.lights.light == colour).sum()):,}"
        assert alone == f"{int((scores.lights.base == colour).sum()):,}"
        assert f"{shape} {colour} {customers}" in repr(scores.lights)
    for rule in scores.lights.counts:
        if rule.fired:
            says, *counts = told.row(rule.name)
            assert says == rule.says
            assert counts == [f"{n:,}" for n in (rule.fired, rule.lifted, rule.lowered)]


def test_scores_tell_the_first_of_the_call_list(scores: Scores) -> None:
    told = Cells(scores._repr_html_())
    for called in scores.call_list(5).itertuples():
        customer, colour, churn, _, why = told.row(f"{called.rank:,}")
        assert customer == called.customer_id
        assert colour.endswith(called.light)
        assert churn == f"{called.churn_probability:.0%}"
        assert why
        assert why.startswith(called.rules[:100])


def test_hostile_texts_stay_texts(scores: Scores, training: Training) -> None:
    rule = Rule("odd", HOSTILE, "yellow", (Condition("recency", ">", 0),))
    lit = ck.TrafficLight(rules=(rule,)).assign(scores.probability, scores.features)
    model = replace(training.model, version=HOSTILE)
    for html in (lit._repr_html_(), model._repr_html_(), panel(HOSTILE, {HOSTILE: HOSTILE})):
        told = Cells(html)
        assert "script" not in told.tags
        assert not told.open
    assert HOSTILE in Cells(lit._repr_html_()).row("odd")
    assert Cells(model._repr_html_()).row("version") == [HOSTILE]


def test_ids_that_are_markup_stay_texts() -> None:
    hostile = pd.DataFrame({"customer_id": [HOSTILE] * 2, "ts": "2024-01-01", "amount": [1.0, 2.0]})
    logs = read_logs(hostile)
    question = Question(horizon_days=1)
    dataset = ck.build_dataset(logs, question, [ck.Cutoff.parse("2024-01-02")])
    for shown in (logs, dataset, dataset.features):
        assert "<script" not in shown._repr_html_() + repr(shown)


def test_long_tables_texts_and_lists_are_cut() -> None:
    table = Table(("row", "n"), [(f"r{k}", k) for k in range(1_000)])
    told = Cells(panel("many", tables=[table]))
    assert len(told.rows) == 1 + MOST_ROWS + 1
    assert told.row("r0") == ["0"]
    assert told.row("r999") == ["999"]
    assert ["… 984 more …"] in told.rows
    assert len(panel("x" * 10_000)) < 1_000
    listed = names([f"f{k}" for k in range(10_000)])
    assert f"and {10_000 - MOST_NAMES:,} more" in listed


def test_numbers_stand_at_the_end_and_texts_at_the_start() -> None:
    html = panel("t", tables=[Table(("a", "b", "c"), [("x", 1234, Figure(".5 [.4, .6]"))])])
    assert Cells(html).row("x") == ["1,234", ".5 [.4, .6]"]
    assert html.count("text-align:end") == 4  # two heads, two cells


def test_a_light_has_colour_shape_and_word() -> None:
    assert "#FFC72C" in light("yellow", "▲")
    assert "color:#000" in light("yellow", "▲")
    assert re.sub("<[^>]*>", "", light("red", "■")) == "■ red"
