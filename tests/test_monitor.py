"""Drift, groups, runs, realised outcomes and the verdict: what is an alarm, and what is chance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.clock import Cutoff
from churnkit.labels import Question
from churnkit.logs import Logs
from churnkit.model import ChurnModel
from churnkit.monitor import Alarm, monitor, stability, verdict, worse_or_equal
from churnkit.monitor.behaviour import Groups, shifts_of
from churnkit.monitor.drift import drift
from churnkit.monitor.realised import realised
from churnkit.monitor.runs import runs
from churnkit.monitor.sample import chosen
from churnkit.monitor.stability import LARGE
from churnkit.monitor.volumes import Level
from churnkit.outcomes import Deeds, churned_since
from churnkit.scoring import at_risk
from churnkit.training import Training

WEEKS = tuple(str(Cutoff.parse("2024-03-11").shifted(7 * k)) for k in range(9))


@dataclass
class Kept:
    """A ledger in memory."""

    kept: dict[str, pd.DataFrame] = field(default_factory=dict)
    folder: Path = Path("nowhere")

    def days(self) -> tuple[str, ...]:
        return tuple(sorted(self.kept))

    def columns(self, day: str) -> tuple[str, ...]:
        return tuple(self.kept[day].columns)

    def read(self, day: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        return self.kept[day][list(columns or self.kept[day].columns)]


@pytest.fixture(scope="module")
def weekly(model: ChurnModel, logs: Logs) -> dict[str, pd.DataFrame]:
    """Nine weekly runs of the shop, four of them with a horizon that is over."""
    features, _ = at_risk(model, logs, [Cutoff.parse(day) for day in WEEKS])
    probability = model.churn_probability(features)
    light = np.select([probability >= 0.7, probability >= 0.4], ["red", "yellow"], "green")
    day = {Cutoff.parse(day).us: day for day in WEEKS}
    whole = pd.DataFrame(
        {
            "customer_id": features.customer_id.astype(str),
            "as_of": [day[us] for us in features.cutoff.tolist()],
            "churn_probability": probability,
            "light": light,
            "base_light": light,
            "policy": "fixed: red from 0.7, yellow from 0.4",
            "model_version": model.version,
        }
    )
    return {day: rows.reset_index(drop=True) for day, rows in whole.groupby("as_of")}


@pytest.fixture
def ledger(weekly: dict[str, pd.DataFrame]) -> Kept:
    return Kept({day: run.copy() for day, run in weekly.items()})


@pytest.fixture
def deeds(tmp_path: Path) -> Deeds:
    return Deeds(tmp_path / "outcomes")


@pytest.fixture(scope="module")
def card(training: Training) -> dict[str, Any]:
    return training.card()


# ── PSI and its limits ──────────────────────────────────────────────────────────────────────


def test_psi_is_the_sum_of_the_definition() -> None:
    b, c = np.array([50, 50]), np.array([80, 20])
    reference, now = np.repeat([0.0, 1.0], b), np.repeat([0.0, 1.0], c)
    share_b, share_c = (b + 0.5) / 101, (c + 0.5) / 101
    assert stability(now, reference, classes=True).psi == pytest.approx(
        ((share_c - share_b) * np.log(share_c / share_b)).sum()
    )


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([35, 300, 20_000]))
def test_chance_is_no_drift_at_any_size(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    assert not stability(rng.normal(size=rows), rng.normal(size=rows), compared=200).moved


def test_its_mean_under_no_drift_is_what_is_told() -> None:
    rng = np.random.default_rng(0)
    told = [stability(rng.normal(size=800), rng.normal(size=1500)) for _ in range(200)]
    assert np.mean([t.psi for t in told]) == pytest.approx(told[0].chance, rel=0.1)
    assert told[0].chance == pytest.approx(9 * (1 / 800 + 1 / 1500))


def test_with_many_rows_what_is_beyond_chance_must_still_matter() -> None:
    rng = np.random.default_rng(0)
    told = stability(rng.normal(0.05, 1, 200_000), rng.normal(size=200_000), compared=200)
    assert told.psi > told.beyond_chance
    assert not told.moved


def test_with_few_rows_the_convention_is_not_enough() -> None:
    rng = np.random.default_rng(3)
    told = stability(rng.normal(0.3, 1, 35), rng.normal(size=35), compared=200)
    assert told.psi > LARGE
    assert told.limit > LARGE
    assert not told.moved


def test_a_real_shift_and_a_column_that_went_missing_have_moved() -> None:
    rng = np.random.default_rng(0)
    now, reference = rng.normal(1, 1, 2000), rng.normal(size=2000)
    assert stability(now, reference, compared=200).moved
    gone = stability(np.full(2000, np.nan), reference, compared=200)
    assert gone.moved
    assert (gone.missing, gone.was_missing) == (1.0, 0.0)


def test_a_class_that_was_never_seen_is_a_bin_of_its_own() -> None:
    reference = np.repeat([0.0, 1.0], 500)
    now = np.where(np.arange(1000) < 700, reference, 2.0)
    assert stability(now, reference, classes=True).moved


# ── Features ────────────────────────────────────────────────────────────────────────────────


def test_features_of_a_quiet_week_raise_no_alarm(
    model: ChurnModel, logs: Logs, as_of: Cutoff
) -> None:
    found, told = drift(model, logs, as_of)
    assert found.alarms == []
    assert told.customers > 500
    assert told.learnt == model.trained_on[-1]
    assert {one.feature for one in told.features} <= set(model.names)


def test_a_changed_unit_of_a_month_moves_what_is_spent_and_is_one_alarm(
    model: ChurnModel, logs: Logs, as_of: Cutoff
) -> None:
    events = logs.purchases
    assert events is not None
    amount = np.where(events.ts >= as_of.shifted(-28).us, 100, 1) * events.columns["amount"]
    changed = replace(logs, purchases=replace(events, columns={**events.columns, "amount": amount}))
    found, told = drift(model, changed, as_of)
    (alarm,) = found.alarms
    assert alarm.code == "feature_drift"
    assert "spend" in alarm.what
    moved = {one.feature for one in told.features if one.far and one.sudden}
    assert moved
    assert all("spend" in name or "returns" in name or "spent" in name for name in moved), moved
    market = Level(50.0, 100.0, 0.5, -6.0)
    quiet, _ = drift(model, changed, as_of, market)
    assert quiet.alarms == []
    assert any("the market as a whole is at 50%" in note for note in quiet.notes)


def test_of_a_few_customers_nothing_is_said(model: ChurnModel, logs: Logs, as_of: Cutoff) -> None:
    few = next(logs.blocks(customers=25))
    found, told = drift(model, few, as_of)
    assert (found.alarms, told.features) == ([], ())
    assert found.untried[0][0] == "drift of features"


# ── Groups ──────────────────────────────────────────────────────────────────────────────────


def groups(now: Sequence[float], weeks: int = 8, seed: int = 0) -> Groups:
    rates = np.array([300.0, 150.0, 80.0])
    before = np.random.default_rng(seed).poisson(rates, (weeks, 3))
    events = np.vstack([np.array(now), before]).astype(float)
    return Groups("segment", ("a", "b", "c"), events, np.tile([1000, 500, 250], (weeks + 1, 1)))


@given(st.integers(0, 300), st.floats(0.3, 3.0))
def test_whatever_the_market_does_together_moves_no_group(seed: int, level: float) -> None:
    rng = np.random.default_rng(seed + 1000)
    now = rng.poisson(np.array([300, 150, 80]) * level)
    assert not any(shift.moved for shift in shifts_of(groups(list(now), seed=seed)))


def test_a_group_that_does_half_is_the_one_that_moved() -> None:
    shifts = shifts_of(groups([150, 150, 80]))
    first = max(shifts, key=lambda shift: abs(shift.surprise))
    assert (first.group, first.moved) == ("a", True)
    assert first.ratio == pytest.approx(0.5, rel=0.15)


def test_groups_with_hardly_any_event_are_not_judged() -> None:
    table = groups([0, 150, 80])
    tiny = Groups(table.column, table.names, table.events / 100, table.customers)
    assert shifts_of(tiny) == []


# ── Runs ────────────────────────────────────────────────────────────────────────────────────


def test_usual_weeks_move_few_scores_and_lights(ledger: Kept) -> None:
    found, told = runs(ledger, Cutoff.parse(WEEKS[-1]))
    assert found.alarms == []
    assert told is not None
    step = told["steps"][0]
    assert (told["day"], step["before"]) == (WEEKS[-1], WEEKS[-2])
    assert sum(sum(row.values()) for row in step["transitions"].values()) == step["customers"]
    assert 0 <= told["flicker"] < 0.2
    assert told["customers"] == sum(told["lights"].values())


def test_scores_and_lights_that_jump_are_alarms(ledger: Kept) -> None:
    run = ledger.kept[WEEKS[-1]]
    run["churn_probability"] = run["churn_probability"] ** 0.2
    run["light"] = "red"
    found, _ = runs(ledger, Cutoff.parse(WEEKS[-1]))
    assert {alarm.code for alarm in found.alarms} == {"score_drift", "light_migration"}


def test_another_model_may_move_all_lights(ledger: Kept) -> None:
    run = ledger.kept[WEEKS[-1]]
    run["light"], run["model_version"] = "red", "another"
    found, _ = runs(ledger, Cutoff.parse(WEEKS[-1]))
    assert found.alarms == []
    assert "another model or policy" in found.notes[0]


def test_a_first_run_is_compared_with_none_and_says_so(ledger: Kept) -> None:
    assert runs(Kept(), Cutoff.parse(WEEKS[0]))[1] is None
    found, told = runs(ledger, Cutoff.parse(WEEKS[0]))
    assert told is not None
    assert told["steps"] == []
    assert found.untried == [("scores and lights", "there is no run before")]


# ── Realised outcomes ───────────────────────────────────────────────────────────────────────


def judged(
    ledger: Kept, deeds: Deeds, logs: Logs, model: ChurnModel, card: dict[str, Any], as_of: Cutoff
) -> tuple[dict[str, str], dict[str, Any]]:
    """Code → severity of the alarms, and what is told."""
    found, told = realised(ledger, deeds, logs, model, card, as_of)
    assert told is not None
    return {alarm.code: alarm.severity for alarm in found.alarms}, told


def test_a_model_that_keeps_what_it_promised_is_left_alone(
    ledger: Kept, deeds: Deeds, logs: Logs, model: ChurnModel, card: dict[str, Any], as_of: Cutoff
) -> None:
    codes, told = judged(ledger, deeds, logs, model, card, as_of)
    assert codes == {}
    assert told["judged"]["days"] == list(WEEKS[:5][-4:])
    assert [run["day"] for run in told["runs"]] == list(WEEKS[:5][::-1])
    assert told["judged"]["metrics"]["auroc"]["value"] > 0.65
    assert (
        sum(light["customers"] for light in told["judged"]["lights"])
        == (told["judged"]["customers"])
    )
    assert told["judged"]["untreated"] is None


def test_churn_is_that_of_the_logs_and_only_of_horizons_that_are_over(
    ledger: Kept, deeds: Deeds, logs: Logs, model: ChurnModel, card: dict[str, Any], as_of: Cutoff
) -> None:
    _, told = judged(ledger, deeds, logs, model, card, as_of)
    run = ledger.kept[WEEKS[4]]
    assert told["runs"][0]["churned"]["value"] == pytest.approx(
        churned_since(logs, model.question, run[["customer_id", "as_of"]]).mean()
    )
    early = Cutoff.parse(WEEKS[0]).shifted(29)
    found, nothing = realised(ledger, deeds, logs, model, card, early)
    assert nothing is None
    assert found.untried[0][0] == "realised outcomes"


def test_scores_that_say_nothing_any_more_ask_for_a_training(
    ledger: Kept, deeds: Deeds, logs: Logs, model: ChurnModel, card: dict[str, Any], as_of: Cutoff
) -> None:
    for run in ledger.kept.values():
        rng = np.random.default_rng(0)
        run["churn_probability"] = rng.permutation(run["churn_probability"].to_numpy())
        run["light"] = rng.permutation(run["light"].to_numpy())
    codes, _ = judged(ledger, deeds, logs, model, card, as_of)
    assert codes["ranking_lost"] == "retrain"
    assert codes["no_better_than_base_rate"] == "retrain"


def test_lights_that_stand_on_their_head_ask_for_a_training(
    ledger: Kept, deeds: Deeds, logs: Logs, model: ChurnModel, card: dict[str, Any], as_of: Cutoff
) -> None:
    for run in ledger.kept.values():
        run["light"] = run["light"].map({"red": "green", "yellow": "yellow", "green": "red"})
    codes, _ = judged(ledger, deeds, logs, model, card, as_of)
    assert codes == {"lights_out_of_order": "retrain"}


def test_probabilities_that_are_too_low_are_watched_first(
    ledger: Kept, deeds: Deeds, logs: Logs, model: ChurnModel, card: dict[str, Any], as_of: Cutoff
) -> None:
    for run in ledger.kept.values():
        odds = run["churn_probability"] / (1 - run["churn_probability"]) / 2.2
        run["churn_probability"] = odds / (1 + odds)
    codes, _ = judged(ledger, deeds, logs, model, card, as_of)
    assert codes == {"calibration": "watch"}  # not for two months yet


def test_a_broken_promise_is_told_and_a_kept_one_is_not(
    ledger: Kept, deeds: Deeds, logs: Logs, model: ChurnModel, card: dict[str, Any], as_of: Cutoff
) -> None:
    says = "promise: at least {}% of red churn and at most {}% of green, with 95% confidence"
    for red, green, expected in ((95, 1, {"promise_broken"}), (50, 60, set())):
        for run in ledger.kept.values():
            run["policy"] = says.format(red, green)
        codes, told = judged(ledger, deeds, logs, model, card, as_of)
        assert set(codes) == expected
        assert {p["promised"] for p in told["judged"]["promises"]} == {red / 100, green / 100}


def test_runs_of_another_model_are_shown_and_not_judged(
    ledger: Kept, deeds: Deeds, logs: Logs, model: ChurnModel, card: dict[str, Any], as_of: Cutoff
) -> None:
    for run in ledger.kept.values():
        run["model_version"] = "the one before"
    found, told = realised(ledger, deeds, logs, model, card, as_of)
    assert found.alarms == []
    assert told is not None
    assert told["judged"] is None
    assert told["runs"][0]["model"] == "the one before"
    assert "is over yet" in found.untried[0][1]


def test_those_who_were_acted_on_are_told_with_and_without(
    ledger: Kept, deeds: Deeds, logs: Logs, model: ChurnModel, card: dict[str, Any], as_of: Cutoff
) -> None:
    for run in ledger.kept.values():
        arm = np.where(np.arange(len(run)) % 2 == 0, "treated", "control")
        run["arm"] = np.where(run["light"] == "red", arm, "")
        run["campaign"], run["action"] = "retention", "call"
    _, told = judged(ledger, deeds, logs, model, card, as_of)
    left = told["judged"]["untreated"]
    assert told["judged"]["judged_on"] == "untreated"
    assert left["customers"] < told["judged"]["customers"]
    assert left["churned"]["value"] == pytest.approx(told["judged"]["churned"]["value"], abs=0.05)


# ── The verdict ─────────────────────────────────────────────────────────────────────────────


def alarm(severity: str, area: str = "outcomes", what: str = "it is off") -> Alarm:
    return Alarm("code", severity, area, "", what, None, None, "mend it")


def test_the_verdict_is_the_worst_alarm_and_its_words_the_reason() -> None:
    assert verdict([])[0] == "ok"
    assert verdict([alarm("watch", what="a")]) == ("watch", "a")
    among = [alarm("watch", "features", "b"), alarm("watch", "inputs", "a day lost")]
    assert verdict(among) == ("watch", "a day lost (and 1 more)")
    assert verdict([alarm("watch", what="a"), alarm("retrain", what="b")]) == ("retrain", "b")


def test_nothing_is_retrained_on_broken_logs() -> None:
    word, reason = verdict([alarm("retrain", what="stale"), alarm("watch", "inputs", "a day lost")])
    assert word == "watch"
    assert "a day lost" in reason
    assert "mend the logs first" in reason


def test_verdicts_have_an_order() -> None:
    assert worse_or_equal("retrain", "watch")
    assert worse_or_equal("watch", "watch")
    assert not worse_or_equal("ok", "watch")


def test_a_quiet_run_is_ok_and_all_of_it_is_json(
    ledger: Kept, deeds: Deeds, logs: Logs, model: ChurnModel, card: dict[str, Any]
) -> None:
    as_of = Cutoff.parse(WEEKS[-1])
    told = monitor(logs, as_of, model.question, ledger=ledger, deeds=deeds, model=model, card=card)
    assert (told["verdict"], told["alarms"]) == ("ok", [])
    assert (told["since"], told["days"]) == (WEEKS[-2], 7)
    last = Cutoff.parse(model.trained_on[-1])
    assert told["model"]["trained_until"] == str(last.shifted(30))
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    again = monitor(
        logs.before(as_of), as_of, model.question,
        ledger=ledger, deeds=deeds, model=model, card=card,
    )  # fmt: skip
    assert again["runs"] == told["runs"]
    assert again["behaviour"] == told["behaviour"]


def test_without_model_and_runs_the_logs_are_looked_at_all_the_same(
    deeds: Deeds, logs: Logs, as_of: Cutoff
) -> None:
    asked = Question(horizon_days=30, lookback_days=90)
    told = monitor(logs, as_of, asked, ledger=Kept(), deeds=deeds)
    assert (told["verdict"], told["model"], told["outcomes"]) == ("ok", None, None)
    assert {"drift of features", "realised outcomes", "scores and lights"} <= {
        one["check"] for one in told["untried"]
    }


def test_of_very_many_customers_the_same_some_are_looked_at() -> None:
    ids = np.array([f"C{k}" for k in range(20_000)], dtype=object)
    first = chosen(ids, 10)
    assert first.sum() == pytest.approx(2000, rel=0.1)
    assert (chosen(ids[::-1], 10)[::-1] == first).all()
    assert chosen(ids, 1).all()
