"""Why a light changed: whatever moved the colour is named, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from churnkit.clock import Cutoff
from churnkit.errors import DataError
from churnkit.ledger import Ledger
from churnkit.lights import Fixed, Hysteresis, Override, Rule, TrafficLight, level_of
from churnkit.lights.rules import Condition
from churnkit.scoring import Scores, score

EARLIER, LATER = Cutoff.parse("2024-05-01"), Cutoff.parse("2024-05-15")
BARE = TrafficLight(Fixed(0.4, 0.7), rules=(), hysteresis=Hysteresis(0.0, 1))


@pytest.fixture(scope="module")
def before(model, logs) -> pd.DataFrame:
    return score(model, logs, EARLIER, BARE).to_run()


def causes(scores: Scores) -> dict[str, str]:
    """Customer → why its light changed, for those whose light did."""
    told = dict(zip(scores.features.customer_id, scores.changed, strict=True))
    return {customer: why for customer, why in told.items() if why}


def turned(scores: Scores, before: pd.DataFrame) -> set[str]:
    """The customers of both runs whose lights differ."""
    was = before.set_index("customer_id")["light"]
    now = pd.Series(scores.lights.light, index=scores.features.customer_id)
    both = now.index.intersection(was.index)
    return set(both[now[both].astype(str).to_numpy() != was[both].to_numpy()])


@pytest.mark.parametrize(
    "light",
    [
        BARE,
        replace(BARE, hysteresis=Hysteresis(0.1, 2)),
        TrafficLight(Fixed(0.2, 0.9)),
        TrafficLight(Fixed(0.5, 0.6), hysteresis=Hysteresis(0.2)),
    ],
    ids=["score", "hysteresis", "rules", "all"],
)
def test_every_change_has_a_cause_and_nothing_else_has_one(model, logs, before, light):
    scores = score(model, logs, LATER, light, before=before)
    assert set(causes(scores)) == turned(scores, before)
    assert turned(scores, before)


def test_by_the_score_alone_it_says_from_where_to_where_and_what_moved_it(model, logs, before):
    scores = score(model, logs, LATER, BARE, before=before)
    told = causes(scores)
    was = before.set_index("customer_id")["churn_probability"]
    now = dict(zip(scores.features.customer_id, scores.probability, strict=True))
    for customer, why in told.items():
        assert why.startswith(f"risk went from {was[customer]:.0%} to {now[customer]:.0%}")
    assert sum("(" in why for why in told.values()) > 0.9 * len(told)


def test_a_new_policy_is_named(model, logs, before):
    scores = score(model, logs, EARLIER, TrafficLight(Fixed(0.2, 0.5), rules=(),
                   hysteresis=Hysteresis(0.0, 1)), before=before)  # fmt: skip
    assert set(causes(scores).values()) == {"the policy changed"}


def test_a_new_model_is_named(rules, logs, before):
    other = rules["recency"].called("4")
    scores = score(other, logs, EARLIER, BARE, before=before)
    assert set(causes(scores).values()) == {"the model changed (unregistered → 4)"}


def test_a_rule_that_fires_or_ends_is_named(model, logs, before):
    always = Rule("new", "it is so", "red", (Condition("recency", ">=", 0),))
    lit = replace(BARE, rules=(always,))
    scores = score(model, logs, EARLIER, lit, before=before)
    assert set(causes(scores).values()) == {"it is so: fired"}
    ended = score(model, logs, EARLIER, BARE, before=scores.to_run())
    assert set(causes(ended).values()) == {"new: ended"}


def test_a_rule_that_says_another_colour_is_named(model, logs, before):
    def lit(light: str) -> TrafficLight:
        rule = Rule("one", "it is so", light, (Condition("recency", ">=", 0),), "set")  # type: ignore[arg-type]
        return replace(BARE, rules=(rule,))

    first = score(model, logs, EARLIER, lit("red")).to_run()
    scores = score(model, logs, EARLIER, lit("yellow"), before=first)
    assert set(causes(scores).values()) == {"the rules changed"}


def test_an_override_that_begins_or_ends_is_named(model, logs, before):
    customer = before.loc[before["light"] == "green", "customer_id"].iloc[0]
    held = Override(customer, "2024-05-01", "red", "green", "2024-06-01", "mia", "said so")
    scores = score(model, logs, EARLIER, BARE, before=before, overrides={customer: held})
    assert causes(scores) == {customer: held.says}
    over = score(model, logs, EARLIER, BARE, before=scores.to_run())
    assert causes(over) == {customer: "the override ended"}


def test_what_hysteresis_lets_go_is_named(model, logs, before):
    patient = replace(BARE, hysteresis=Hysteresis(0.0, 2))
    kept = before.assign(held_light="red", light="red", better_due=1)
    scores = score(model, logs, EARLIER, patient, before=kept)
    assert set(causes(scores).values()) == {"its risk is clearly below the edge of red by now"}


def test_customers_of_one_run_only_did_not_change(model, logs, before):
    known = before.iloc[::2]
    scores = score(model, logs, LATER, BARE, before=known)
    new = [c for c in scores.features.customer_id if c not in set(known["customer_id"])]
    told = scores.to_frame().set_index("customer_id")
    assert (told.loc[new, "light_before"] == "").all()
    assert (told.loc[new, "changed"] == "").all()


def test_transitions_count_the_customers_of_both_runs(model, logs, before):
    scores = score(model, logs, LATER, BARE, before=before)
    moved = scores.transitions
    both = len(set(scores.features.customer_id) & set(before["customer_id"]))
    assert sum(n for row in moved.values() for n in row.values()) == both
    differ = sum(n for was, row in moved.items() for now, n in row.items() if was != now)
    assert differ == len(turned(scores, before))
    assert score(model, logs, LATER, BARE).transitions is None


# ── The ledger ──────────────────────────────────────────────────────────────────────────────


def test_a_run_comes_back_as_it_was_written(tmp_path, before):
    ledger = Ledger(tmp_path / "ledger")
    ledger.write(before, EARLIER)
    pd.testing.assert_frame_equal(ledger.read("2024-05-01"), before)


def test_the_run_before_is_the_latest_earlier_one(tmp_path, before):
    ledger = Ledger(tmp_path)
    for day in ("2024-05-01", "2024-04-24", "2024-05-15"):
        ledger.write(before.assign(as_of=day), Cutoff.parse(day))
    assert ledger.days() == ("2024-04-24", "2024-05-01", "2024-05-15")

    def found(day: str) -> str | None:
        run = ledger.before(Cutoff.parse(day))
        return None if run is None else str(run["as_of"].iloc[0])

    assert [found(d) for d in ("2024-04-24", "2024-05-01", "2024-05-15", "2024-06-01")] == [
        None, "2024-04-24", "2024-05-01", "2024-05-15",
    ]  # fmt: skip
    assert ledger.latest(EARLIER)["as_of"].iloc[0] == "2024-05-01"


def test_a_second_run_of_a_day_takes_the_place_of_the_first(tmp_path, before):
    ledger = Ledger(tmp_path)
    ledger.write(before, EARLIER)
    ledger.write(before.iloc[:3], EARLIER)
    assert len(ledger.read("2024-05-01")) == 3


def test_a_run_that_is_not_there_or_damaged_is_told(tmp_path, before):
    ledger = Ledger(tmp_path)
    with pytest.raises(DataError, match="there is no run of 2024-05-01"):
        ledger.read("2024-05-01")
    path = ledger.write(before, EARLIER)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"ledger\.duckdb cannot be read"):
        ledger.before(LATER)


def test_the_run_remembers_what_hysteresis_must_know(model, logs, before):
    held = before.set_index("customer_id")["held_light"]
    scores = score(model, logs, LATER, replace(BARE, hysteresis=Hysteresis(0.5)), before=before)
    kept = pd.Series(scores.lights.held, index=scores.features.customer_id)
    both = kept.index.intersection(held.index)
    assert all(level_of(kept[c]) >= level_of(held[c]) for c in both)
    assert np.isfinite(scores.to_run()["red_from"]).all()
