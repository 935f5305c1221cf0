"""Lights, ledger and outcomes under odd inputs, and nothing learnt from what comes later."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnkit import project_outcomes
from churnkit.clock import Cutoff
from churnkit.config import load_settings
from churnkit.errors import ConfigError, DataError
from churnkit.ledger import Ledger
from churnkit.lights import (
    Condition,
    Everyone,
    Evidence,
    Past,
    Promise,
    Rule,
    TrafficLight,
    read_overrides,
    set_override,
)
from churnkit.lights.overrides import FILE_NAME
from churnkit.lights.rules import contradiction
from churnkit.project_lights import set_light
from churnkit.scoring import score


def rule(name: str, *when: str, **told: Any) -> Rule:
    conditions = tuple(Condition.parse(text) for text in when)
    return Rule(name, f"it is {name}", **{"light": "yellow", **told}, conditions=conditions)


def put(folder: Path, reason: str, customer: str = "anna") -> None:
    first, end = Cutoff.parse("2024-03-01"), Cutoff.parse("2024-04-01")
    set_override(folder, customer, "red", first, end, "mia", reason)


# ── Overrides ───────────────────────────────────────────────────────────────────────────────


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_reason_is_read_as_it_was_written(tmp_path_factory, reason):
    folder = tmp_path_factory.mktemp("overrides")
    text = f"{reason}\u2028\u0085."
    put(folder, text)
    assert [entry.reason for entry in read_overrides(folder).entries] == [text]


def test_what_is_no_text_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ConfigError, match="reason"):
        put(tmp_path, "bad \udcff byte")
    with pytest.raises(ConfigError, match="customer"):
        put(tmp_path, "fine", customer="\udcff")
    assert not (tmp_path / FILE_NAME).exists()


def test_a_file_that_is_no_text_is_named(tmp_path):
    put(tmp_path, "fine")
    with (tmp_path / FILE_NAME).open("ab") as file:
        file.write(b"\xff\xfe\n")
    with pytest.raises(DataError, match=FILE_NAME):
        read_overrides(tmp_path)


# ── Rules ───────────────────────────────────────────────────────────────────────────────────


def test_an_exception_to_whatever_is_known_is_no_contradiction():
    known = rule("known", "nps_last is known")
    praise = rule("praise", "nps_last >= 9", effect="set", light="green")
    assert not contradiction(known, praise)
    assert contradiction(praise, replace(known, effect="at_least", light="red"))


@pytest.mark.parametrize("other", ["nps_last >= 0", "nps_last is known"])
def test_what_is_unknown_meets_no_comparison_beside(other):
    with pytest.raises(ConfigError, match="never fires"):
        TrafficLight(rules=(rule("odd", "nps_last is unknown", other),))
    with pytest.raises(ConfigError, match="never fires"):
        TrafficLight(rules=(rule("odd", "segment is unknown", "segment == 'trade'"),))


def test_an_empty_name_is_compared_as_names_are():
    with pytest.raises(ConfigError, match="no condition"):
        Condition.parse("segment >= ''")
    assert Condition.parse("segment == ''").value == ""


def test_a_rule_past_its_end_is_told_by_what_it_says(model, logs):
    lifting = rule("spring", "recency >= 0", light="red", end=date(2024, 5, 1))
    light = TrafficLight(rules=(lifting,))
    before = score(model, logs, Cutoff.parse("2024-05-01"), light).to_run()
    after = score(model, logs, Cutoff.parse("2024-05-02"), light, before=before)
    told = [why for why in after.changed if "spring" in why]
    assert told
    assert all("it is spring: ended" in why for why in told)


# ── A promise ───────────────────────────────────────────────────────────────────────────────


def test_what_could_be_promised_is_a_share():
    """The test expected far more than came, and today fewer are expected."""
    tested = np.full(400, 0.6)
    past = Past.of("2024-01-01", tested, np.arange(400) < 20)
    light = TrafficLight(Promise()).fit(Evidence((past,)))
    today = Everyone.of(np.full(300, 0.3))
    policy = cast(Promise, light.policy)
    for found in (policy.red(today), policy.green(today)):
        assert found.could is None or 0 <= found.could <= 1


# ── Ledger ──────────────────────────────────────────────────────────────────────────────────


def test_a_run_that_is_none_of_ours_is_named(tmp_path):
    path = Ledger(tmp_path).write(pd.DataFrame({"customer_id": ["a"]}), Cutoff.parse("2024-05-01"))
    at, end = Cutoff.parse("2024-05-01"), Cutoff.parse("2024-06-01")
    settings: Any = SimpleNamespace(
        ledger=tmp_path,
        cutoff=Cutoff.parse,
        open_ledger=lambda: Ledger(tmp_path),
        spoken=str,
        customer_named=str,
    )
    with pytest.raises(DataError, match=path.name):
        set_light(settings, "a", "red", at, end, "mia", "said so")
    with pytest.raises(DataError, match="the plan has no"):
        project_outcomes.export_calls(settings, at, tmp_path / "crm")
    assert not (tmp_path / "crm").exists()


def test_a_run_before_that_is_none_is_refused(model, logs):
    foreign = pd.DataFrame({"customer_id": ["a"], "as_of": ["2024-05-01"]})
    for before in (foreign, foreign.iloc[:0]):
        with pytest.raises(DataError, match="the run before has no"):
            score(model, logs, Cutoff.parse("2024-05-02"), before=before)


# ── Nothing is learnt from what comes later ─────────────────────────────────────────────────


def test_uplift_is_learnt_from_what_was_known_at_the_scoring(model, logs, tmp_path, monkeypatch):
    ledger, days = Ledger(tmp_path), ("2024-03-01", "2024-05-01", "2024-05-20")
    ids = sorted({str(one) for block in logs.blocks() for one in block.customer_ids})[:90]
    for k, day in enumerate(days):
        ledger.write(_run(ids[30 * k : 30 * k + 30], day), Cutoff.parse(day))
    seen: dict[str, Any] = {}

    def learnt(features: Any, assigned: pd.DataFrame, churned: np.ndarray) -> None:
        seen.update(days=set(assigned["as_of"]), known=set(assigned["as_of"][~np.isnan(churned)]))
        raise DataError("enough is seen", "")

    monkeypatch.setattr(project_outcomes, "ranking_of", learnt)
    settings: Any = SimpleNamespace(
        ledger=tmp_path, cutoff=Cutoff.parse, open_ledger=lambda: Ledger(tmp_path)
    )
    at = Cutoff.parse("2024-05-10")
    project_outcomes.saved_by_acting(settings, model, logs, at)
    assert seen == {"days": {"2024-03-01", "2024-05-01"}, "known": {"2024-03-01"}}


def _run(ids: list[str], day: str) -> pd.DataFrame:
    told = {"churn_probability": 0.6, "value_at_risk": 1.0, "light": "red", "playbook": "call"}
    arms = ["treated", "control"] * (len(ids) // 2)
    frame = pd.DataFrame({"customer_id": ids, "as_of": day, **told, "action": "call"})
    return frame.assign(arm=arms, campaign="spring")


# ── Settings ────────────────────────────────────────────────────────────────────────────────


def test_a_playbook_for_a_segment_needs_to_know_where_segments_stand(tmp_path):
    path = tmp_path / "churnkit.toml"
    path.write_text(
        '[logs.purchases]\npath = "p.csv"\n[[playbooks]]\nname = "trade"\nsegment = ["trade"]\n'
        'action = "call"\nchannel = "call"\ndue = "1 day"\n'
    )
    with pytest.raises(ConfigError, match="segment"):
        load_settings(path)
