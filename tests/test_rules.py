"""Rules as data: conditions in a small closed language, effects, days, and contradictions."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import features_of

from churnkit.clock import Cutoff
from churnkit.errors import ConfigError
from churnkit.features import FeatureSpec
from churnkit.features.spec import StaticColumn
from churnkit.lights import RULES, Condition, Rule, TrafficLight, merged, require_features
from churnkit.lights.rules import contradiction

SPEC = FeatureSpec(
    {"purchases": ("amount",)}, static=(StaticColumn("segment", ("home", "trade"), False),)
)


def table(**columns):
    return features_of(SPEC, **columns)


def rule(name, *when, light="yellow", effect="at_least", **days):
    conditions = tuple(Condition.parse(text) for text in when)
    return Rule(name, f"it is {name}", light, conditions, effect, **days)


def lit(p, rules, **columns):
    light = TrafficLight(rules=tuple(rules))
    return light.assign(np.array(p, dtype=float), table(**columns)).light.tolist()


# ── Conditions ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("recency >= 5", [False, True, True, False]),
        ("recency > 5", [False, False, True, False]),
        ("recency <= 5.0", [True, True, False, False]),
        ("recency < 5", [True, False, False, False]),
        ("recency == 5", [False, True, False, False]),
        ("recency != 5", [True, False, True, False]),
        ("recency is known", [True, True, True, False]),
        ("recency is unknown", [False, False, False, True]),
        ("absent > 0", [False] * 4),
        ("absent is unknown", [True] * 4),
    ],
)
def test_conditions_are_read_and_met(text, met):
    assert Condition.parse(text).holds(table(recency=[4, 5, 6, np.nan])).tolist() == met


def test_a_category_is_compared_by_its_name():
    segments = table(segment=[0, 1, np.nan])
    names = [segments.class_of("segment")[k] for k in range(2)]
    assert names == ["home", "trade"]
    assert Condition.parse("segment == 'trade'").holds(segments).tolist() == [False, True, False]
    assert Condition.parse('segment != "trade"').holds(segments).tolist() == [True, False, False]


def test_conditions_may_look_at_the_score():
    condition = Condition.parse("value_at_risk >= 100")
    known = {"value_at_risk": np.array([99.0, 100.0, np.nan])}
    assert condition.holds(table(recency=[1, 1, 1]), known).tolist() == [False, True, False]


@pytest.mark.parametrize(
    "text",
    ["", "recency", "recency >=", "recency >= x", "recency => 5", "5 < recency", "a and b > 5",
     "recency > 5 or 1", "segment > 'trade'", "recency is missing",
     "recency >= 5; recency < 7", "recency >= 1e", "recency>=5"],
)  # fmt: skip
def test_anything_else_is_no_condition(text):
    with pytest.raises(ConfigError, match="is no condition"):
        Condition.parse(text)


comparisons = st.sampled_from([">=", ">", "<=", "<", "==", "!="])


@given(comparisons, st.floats(-1e6, 1e6).map(lambda x: float(f"{x:g}")))
def test_what_is_written_is_read_again(comparison, value):
    condition = Condition("recency", comparison, value)
    assert Condition.parse(str(condition)) == condition


@given(st.text(max_size=40))
def test_no_text_does_anything_but_be_read_or_refused(text):
    try:
        found = Condition.parse(text)
    except ConfigError:
        return
    assert Condition.parse(str(found)) == found


# ── Effects and order ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("effect", "light", "left"),
    [
        ("at_least", "yellow", ["yellow", "yellow", "red"]),
        ("at_least", "red", ["red"] * 3),
        ("at_most", "yellow", ["green", "yellow", "yellow"]),
        ("at_most", "green", ["green"] * 3),
        ("set", "yellow", ["yellow"] * 3),
    ],
)
def test_effects(effect, light, left):
    one = rule("one", "recency >= 0", effect=effect, light=light)
    assert lit([0.1, 0.5, 0.9], [one], recency=[1, 1, 1]) == left


def test_the_last_word_counts():
    up = rule("up", "recency >= 0", light="red")
    trade = rule("trade", "recency >= 10", light="green", effect="set")
    assert lit([0.1, 0.1], [up, trade], recency=[5, 10]) == ["red", "green"]
    # The other way round the exception would always be undone, which is refused.
    with pytest.raises(ConfigError, match="'trade' and 'up' contradict each other"):
        TrafficLight(rules=(trade, up))


def test_what_rules_did_is_counted():
    up = rule("up", "recency >= 5", light="yellow")
    down = rule("down", "recency >= 8", light="green", effect="at_most")
    p = np.array([0.1, 0.1, 0.9, 0.5])
    found = TrafficLight(rules=(up, down)).assign(p, table(recency=[1, 6, 9, 7]))
    told = [(c.name, c.fired, c.lifted, c.lowered, c.speaks) for c in found.counts]
    assert told == [("up", 3, 1, 0, True), ("down", 1, 0, 1, True)]
    assert found.fired == [[], ["up"], ["up", "down"], ["up"]]
    assert found.deciding == ["", "up", "", "up"]


def test_a_rule_decides_even_where_the_score_says_the_same():
    """An open complaint is what a red customer is about, whatever its probability."""
    up = rule("complaint", "recency >= 5", light="red")
    late = rule("late", "recency >= 1")
    found = TrafficLight(rules=(late, up)).assign(np.array([0.9, 0.9]), table(recency=[6, 2]))
    assert found.deciding == ["complaint", ""]


def test_a_rule_without_its_log_says_so():
    found = TrafficLight().assign(np.array([0.1]), table(recency=[1]))
    assert {c.name for c in found.counts if not c.speaks} >= {"open_complaint", "detractor"}
    assert next(c for c in found.counts if c.name == "own_interval").speaks


# ── Days ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("day", "fires"),
    [("2024-02-28", False), ("2024-02-29", True), ("2024-03-05", True), ("2024-03-06", False)],
)
def test_a_rule_applies_from_its_first_to_its_last_day(day, fires):
    campaign = rule("sale", "recency >= 0", start=date(2024, 2, 29), end=date(2024, 3, 5))
    found = TrafficLight(rules=(campaign,)).assign(
        np.array([0.1]), table(recency=[1]), at=Cutoff.parse(day)
    )
    assert found.light.tolist() == (["yellow"] if fires else ["green"])


def test_the_day_is_that_of_the_business():
    campaign = rule("sale", "recency >= 0", end=date(2024, 3, 6))
    late = "2024-03-06T20:30:00+00:00"  # midnight in Tehran, where the 7th begins
    assert campaign.in_force(Cutoff.parse(late))
    assert not campaign.in_force(Cutoff.parse(late, "Asia/Tehran"))


# ── What makes no sense ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "when",
    [("recency > 5", "recency < 3"), ("recency > 5", "recency <= 5"),
     ("segment == 'trade'", "segment == 'home'"), ("segment == 'trade'", "segment != 'trade'"),
     ("nps_last is known", "nps_last is unknown")],
)  # fmt: skip
def test_a_rule_that_can_never_fire_is_refused(when):
    with pytest.raises(ConfigError, match="the rule 'never' never fires: no"):
        TrafficLight(rules=(rule("never", *when),))


def test_a_rule_that_ends_before_it_starts_is_refused():
    with pytest.raises(ConfigError, match="ends on 2024-01-01, before it starts on 2024-02-01"):
        TrafficLight(
            rules=(rule("r", "recency > 1", start=date(2024, 2, 1), end=date(2024, 1, 1)),)
        )


LONG = rule("a", "recency > 5", light="red")
BOTH = rule("a", "recency > 5", "tenure > 1", light="red")


def green(*when, **days):
    return rule("b", *when, light="green", effect="set", **days)


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        (LONG, green("recency > 5"), True),
        (LONG, rule("b", "recency > 1", light="yellow", effect="at_most"), True),
        (BOTH, green("recency > 5"), True),
        # narrower: an exception
        (LONG, green("recency > 9"), False),
        (LONG, green("tenure > 5"), False),
        # both may leave yellow
        (rule("a", "recency > 5"), rule("b", "recency > 5", effect="at_most"), False),
        # never on the same day
        (
            rule("a", "recency > 5", light="red", end=date(2024, 1, 31)),
            green("recency > 5", start=date(2024, 2, 1)),
            False,
        ),
    ],
)
def test_rules_contradict_if_the_later_always_undoes_the_earlier(first, second, clash):
    assert contradiction(first, second) is clash
    if clash:
        with pytest.raises(ConfigError, match="'a' and 'b' contradict each other"):
            TrafficLight(rules=(first, second))


spans = st.tuples(
    comparisons, st.integers(0, 4), st.sampled_from(["at_least", "at_most", "set"]),
    st.sampled_from(["green", "yellow", "red"]),
)  # fmt: skip


@given(spans, spans)
def test_a_contradiction_is_what_trying_all_values_shows(one, other):
    a = rule("a", f"recency {one[0]} {one[1]}", effect=one[2], light=one[3])
    b = rule("b", f"recency {other[0]} {other[1]}", effect=other[2], light=other[3])
    values = table(recency=np.arange(-1, 6, 0.5))
    fired_a, fired_b = a.fires(values), b.fires(values)
    undone = bool((fired_b | ~fired_a).all()) and not a.outcomes & b.outcomes
    assert contradiction(a, b) is undone


def test_a_rule_on_a_feature_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="looks at 'recencyy'; these logs make no such") as found:
        require_features([rule("typo", "recencyy > 5")], SPEC)
    assert "Did you mean 'recency'" in found.value.mend


@pytest.mark.parametrize(
    ("when", "said"),
    [("segment > 5", "segment is a category"), ("recency == 'trade'", "recency is a number")],
)
def test_names_are_for_categories_and_numbers_for_the_rest(when, said):
    with pytest.raises(ConfigError, match=said):
        require_features([rule("odd", when)], SPEC)


def test_built_in_rules_may_lack_their_logs():
    require_features(RULES, SPEC)


def test_a_rule_of_a_built_in_name_takes_its_place():
    mine = rule("silent_30d", "days_since_activity >= 14")
    found = merged(RULES, [mine, rule("new", "recency > 90")])
    assert [one.name for one in found] == [*(one.name for one in RULES), "new"]
    assert found[0] is mine


def test_two_rules_of_one_name_are_refused():
    with pytest.raises(ConfigError, match=r"two rules of .* are called 'a'"):
        merged(RULES, [rule("a", "recency > 1"), rule("a", "recency > 2")])
