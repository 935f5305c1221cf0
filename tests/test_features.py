"""Every family of features by example: a log as a table, a feature, the value of each customer.

The cutoff is 2024-03-01 throughout; what happens at it or later is not seen. ``None`` stands
for a missing value.
"""

from __future__ import annotations

import inspect
import json
import re

import numpy as np
import pytest
from tables import feature_of, logs_of

from churnkit import features as families
from churnkit.clock import Cutoff
from churnkit.errors import ConfigError
from churnkit.features import CATALOGUE, FeatureSpec, build_features, feature
from churnkit.index import ActivityIndex, PurchaseIndex, SurveyIndex
from churnkit.logs import DEFAULT_INSTRUMENTS, Contract, Instrument

AT = "2024-03-01"
CUTOFF = Cutoff.parse(AT)


def shop(**tables):
    """A fixture that reads drawn logs once for all the specs below it."""
    return pytest.fixture(scope="module")(lambda: logs_of(**tables))


def spec(*examples):
    return pytest.mark.parametrize(("name", "expected"), examples, ids=[e[0] for e in examples])


# ── Recency, frequency, monetary value ──────────────────────────────────────────────────────

purchases = shop(
    purchases="""
        customer | ts                  | amount
        anna     | 2024-01-01          | 10
        anna     | 2024-02-20          | 20
        anna     | 2024-02-20          | 5
        anna     | 2024-03-01          | 99
        ben      | 2023-06-01          | 40
        ben      | 2024-02-29 12:00    | -40
        cleo     | 2024-02-01          | -3
        dora     | 2024-01-31          | 0
        emil     | 2024-02-29 23:59:59 | 0.10
        fay      | 2024-03-01          | 8
    """
)


@spec(
    ("recency", {"anna": 10, "ben": 274, "cleo": None, "dora": 30, "emil": 1 / 86_400}),
    ("tenure", {"anna": 60, "ben": 274, "cleo": None, "dora": 30, "emil": 1 / 86_400}),
    ("active_span", {"anna": 50, "ben": 0, "cleo": None, "dora": 0, "emil": 0}),
    ("purchases_count_7d", {"anna": 0, "ben": 0, "cleo": 0, "dora": 0, "emil": 1}),
    ("purchases_count_30d", {"anna": 1, "ben": 0, "cleo": 0, "dora": 1, "emil": 1}),
    ("purchases_count_90d", {"anna": 2, "ben": 0, "cleo": 0, "dora": 1, "emil": 1}),
    ("purchases_count_all", {"anna": 2, "ben": 1, "cleo": 0, "dora": 1, "emil": 1}),
    ("spend_sum_30d", {"anna": 25, "ben": 0, "cleo": 0, "dora": 0, "emil": 0.1}),
    ("spend_sum_all", {"anna": 35, "ben": 40, "cleo": 0, "dora": 0, "emil": 0.1}),
    ("spend_mean_30d", {"anna": 25, "ben": None, "cleo": None, "dora": 0, "emil": 0.1}),
    ("spend_mean_all", {"anna": 17.5, "ben": 40, "cleo": None, "dora": 0, "emil": 0.1}),
    ("spend_last", {"anna": 25, "ben": 40, "cleo": None, "dora": 0, "emil": 0.1}),
)
def test_recency_frequency_and_monetary_value(purchases, name, expected):
    assert feature_of(purchases, name, AT) == expected


@spec(
    ("returns_count_7d", {"anna": 0, "ben": 1, "cleo": 0, "dora": 0, "emil": 0}),
    ("returns_count_30d", {"anna": 0, "ben": 1, "cleo": 1, "dora": 0, "emil": 0}),
    ("returns_sum_all", {"anna": 0, "ben": 40, "cleo": 3, "dora": 0, "emil": 0}),
    ("days_since_return", {"anna": None, "ben": 0.5, "cleo": 29, "dora": None, "emil": None}),
)
def test_a_return_is_a_negative_amount_and_no_purchase(purchases, name, expected):
    assert feature_of(purchases, name, AT) == expected


baskets = shop(
    purchases="""
        customer | ts         | order_id | product_id | quantity | amount
        anna     | 2024-02-01 | 7        | pen        | 2        | 3
        anna     | 2024-02-01 | 7        | ink        | 1.5      | 30
        anna     | 2024-02-01 | 7        | pen        | 1        | 2
        anna     | 2024-02-10 | 8        | pen        |          | 3
        ben      | 2024-02-01 | 9        | pen        | 10       | 20
        ben      | 2024-02-01 | 9        | ink        | -1       | -5
        ben      | 2024-02-02 | 9        | ink        | -1       | -5
        cleo     | 2024-02-01 |          | pen        | 1        | 30
        cleo     | 2024-02-01 | 7        | ink        | 1        | -10
        dora     | 2023-12-01 | 10       |            | 1        | 1
    """
)


@spec(
    ("purchases_count_30d", {"anna": 2, "ben": 1, "cleo": 1, "dora": 0}),
    ("spend_sum_30d", {"anna": 38, "ben": 15, "cleo": 30, "dora": 0}),
    ("returns_count_30d", {"anna": 0, "ben": 1, "cleo": 1, "dora": 0}),
    ("returns_sum_30d", {"anna": 0, "ben": 5, "cleo": 10, "dora": 0}),
    ("items_sum_30d", {"anna": 4.5, "ben": 9, "cleo": 1, "dora": 0}),
    ("items_sum_all", {"anna": 4.5, "ben": 9, "cleo": 1, "dora": 1}),
    ("basket_mean_30d", {"anna": 1.5, "ben": 2, "cleo": 1, "dora": None}),
    ("basket_mean_all", {"anna": 1.5, "ben": 2, "cleo": 1, "dora": 0}),
)
def test_lines_of_an_order_at_one_instant_are_one_purchase(baskets, name, expected):
    """Ben's order counts by its sum, what he brought back a day later is a return. The row
    number of Cleo's line without an order is the id of her other order: still two orders.
    """
    assert feature_of(baskets, name, AT) == expected


def test_without_amounts_there_are_no_money_columns_and_no_returns():
    logs = logs_of(purchases="customer | ts\n anna | 2024-02-01")
    names = build_features(logs, CUTOFF).names
    assert not [name for name in names if "spend" in name or "returns_sum" in name]
    assert feature_of(logs, "purchases_count_30d", AT) == {"anna": 1}
    assert feature_of(logs, "returns_count_30d", AT) == {"anna": 0}


# ── Rhythm and trend ────────────────────────────────────────────────────────────────────────

rhythm = shop(
    purchases="""
        customer | ts               | amount
        anna     | 2024-01-01       | 1
        anna     | 2024-01-11       | 1
        anna     | 2024-01-21       | 1
        anna     | 2024-01-31       | 1
        ben      | 2024-01-01       | 1
        ben      | 2024-01-11       | 1
        ben      | 2024-02-10       | 1
        cleo     | 2024-02-20       | 1
        dora     | 2024-02-19 23:59 | 1
        dora     | 2024-02-20       | 1
        emil     | 2024-01-01       | 1
        emil     | 2024-01-02       | 1
        emil     | 2024-01-10       | 1
        emil     | 2024-01-14       | 1
        emil     | 2024-02-14       | -1
        emil     | 2024-02-20       | 1
    """
)
MINUTE = 1 / 1440


@spec(
    ("gap_mean", {"anna": 10, "ben": 20, "cleo": None, "dora": MINUTE, "emil": 12.5}),
    ("gap_median", {"anna": 10, "ben": 20, "cleo": None, "dora": MINUTE, "emil": 6}),
    ("gap_std", {"anna": 0, "ben": pytest.approx(200**0.5), "cleo": None, "dora": None,
                 "emil": pytest.approx(np.std([1, 8, 4, 37], ddof=1))}),
    ("gap_p90", {"anna": 10, "ben": None, "cleo": None, "dora": None, "emil": 37}),
)  # fmt: skip
def test_rhythm_is_in_the_intervals_between_purchases(rhythm, name, expected):
    assert feature_of(rhythm, name, AT) == expected


@spec(
    ("overdue_mean_ratio", {"anna": 3, "ben": 1, "cleo": None, "dora": 10, "emil": 0.8}),
    ("overdue_ratio", {"anna": 3, "ben": None, "cleo": None, "dora": None, "emil": 10 / 37}),
)
def test_overdue_is_the_wait_over_the_own_interval(rhythm, name, expected):
    """Dora's minute counts as a day; fewer than three intervals have no 90th percentile."""
    assert feature_of(rhythm, name, AT) == expected


trends = shop(
    purchases="""
        customer | ts         | amount
        anna     | 2024-01-15 | 10
        anna     | 2024-02-10 | 10
        anna     | 2024-02-11 | 10
        anna     | 2024-02-12 | 10
        ben      | 2024-01-01 | 10
        cleo     | 2024-01-31 | 0
        dora     | 2023-12-31 | 10
        emil     | 2024-01-30 | 30
        emil     | 2024-02-01 | 10
    """,
    activity="""
        customer | ts         | event
        anna     | 2024-01-15 | visit
        anna     | 2024-02-10 | visit
        anna     | 2024-02-10 | visit
        anna     | 2024-02-10 | cancellation
    """,
)


@spec(
    ("purchases_trend_30d", {"anna": 0.5, "ben": -1, "cleo": 1, "dora": None, "emil": 0}),
    ("spend_trend_30d", {"anna": 0.5, "ben": -1, "cleo": None, "dora": None, "emil": -0.5}),
    ("purchases_trend_90d", {"anna": 1, "ben": 1, "cleo": 1, "dora": 1, "emil": 1}),
    ("activity_trend_30d", {"anna": 0, "ben": None, "cleo": None, "dora": None, "emil": None}),
)
def test_trend_is_this_window_against_the_one_before(trends, name, expected):
    """(now - then) / (now + then); what stands alike twice in the log is one visit."""
    assert feature_of(trends, name, AT) == expected


# ── Activity ────────────────────────────────────────────────────────────────────────────────

activity = shop(
    activity="""
        customer | ts         | event
        anna     | 2024-01-01 | visit
        anna     | 2024-02-20 | Visit
        anna     | 2024-02-20 | login
        anna     | 2024-02-28 | cancellation
        ben      | 2024-02-01 | Newsletter: opened!
        ben      | 2024-03-01 | visit
        cleo     | 2024-02-01 | cancellation
    """
)


@spec(
    ("days_since_activity", {"anna": 10, "ben": 29}),
    ("activity_tenure", {"anna": 60, "ben": 29}),
    ("activity_count_30d", {"anna": 2, "ben": 1}),
    ("visit_count_30d", {"anna": 1, "ben": 0}),
    ("visit_count_all", {"anna": 2, "ben": 0}),
    ("newsletter_opened_count_30d", {"anna": 0, "ben": 1}),
    ("days_since_newsletter_opened", {"anna": None, "ben": 29}),
    ("days_since_cancellation", {"anna": 2, "ben": None}),
    ("activity_gap_mean", {"anna": 25, "ben": None}),
    ("activity_overdue_ratio", {"anna": 0.4, "ben": None}),
)
def test_activity_together_and_kind_by_kind(activity, name, expected):
    """A cancellation is no sign of life: who has done nothing else has no row."""
    assert feature_of(activity, name, AT) == expected


def test_the_rarest_kinds_are_only_counted_together():
    rows = [f"anna | 2024-02-{day:02} | kind {k:02}" for k in range(25) for day in range(1, 27 - k)]
    logs = logs_of(activity="\n".join(["customer | ts | event", *rows]))
    names = build_features(logs, CUTOFF).names
    own = [f"kind_{k:02}" for k in range(25) if f"kind_{k:02}_count_30d" in names]
    assert own == [f"kind_{k:02}" for k in range(20)]
    assert feature_of(logs, "activity_count_all", AT) == {"anna": len(rows)}


# ── Complaints, tickets, payments ───────────────────────────────────────────────────────────

service = shop(
    activity="""
        customer | ts         | event
        anna     | 2024-02-01 | complaint_opened
        anna     | 2024-02-05 | complaint_opened
        anna     | 2024-02-09 | complaint_resolved
        ben      | 2024-02-01 | complaint_opened
        ben      | 2024-02-02 | complaint_resolved
        cleo     | 2024-02-01 | complaint_opened
        cleo     | 2024-03-01 | complaint_resolved
        cleo     | 2024-02-01 | Ticket created
        dora     | 2024-02-01 | complaint_resolved
        dora     | 2024-02-01 | Ticket created
        dora     | 2024-02-02 | support_resolved
        dora     | 2024-02-03 | complaint_opened
        emil     | 2024-02-01 | visit
    """,
    contract=Contract(kinds={"Ticket created": "support_opened"}),
)


@spec(
    ("complaints_open", {"anna": 1, "ben": 0, "cleo": 1, "dora": 1, "emil": 0}),
    ("tickets_open", {"anna": 0, "ben": 0, "cleo": 1, "dora": 0, "emil": 0}),
    ("support_opened_count_30d", {"anna": 0, "ben": 0, "cleo": 1, "dora": 1, "emil": 0}),
)
def test_open_is_opened_and_not_resolved(service, name, expected):
    """Dora's first resolution closes one from before the log and hides nothing later."""
    assert feature_of(service, name, AT) == expected


payments = shop(
    activity="""
        customer | ts         | event
        anna     | 2024-01-01 | payment_failed
        anna     | 2024-01-02 | payment_failed
        anna     | 2024-01-03 | payment_ok
        anna     | 2024-02-01 | payment_failed
        ben      | 2024-01-01 | payment_ok
        ben      | 2024-02-01 | payment_ok
        ben      | 2024-02-02 | payment_failed
        ben      | 2024-02-09 | payment_failed
        cleo     | 2024-01-01 | payment_failed
        cleo     | 2024-01-02 | payment_ok
        dora     | 2024-01-01 | payment_failed
        dora     | 2024-01-01 | payment_ok
        emil     | 2024-01-01 | payment_failed
        emil     | 2024-03-01 | payment_ok
        fay      | 2024-01-01 | payment_ok
        fay      | 2024-03-01 | payment_failed
    """
)


def test_failed_payments_are_open_until_one_goes_through(payments):
    expected = {"anna": 1, "ben": 2, "cleo": 0, "dora": 0, "emil": 1, "fay": 0}
    assert feature_of(payments, "payments_failed_open", AT) == expected


# ── NPS, CES, CSAT ──────────────────────────────────────────────────────────────────────────

VISITS = """
    customer | ts         | event
    anna     | 2024-02-01 | visit
    ben      | 2024-02-01 | visit
    cleo     | 2024-02-01 | visit
    dora     | 2024-02-01 | visit
    emil     | 2024-02-01 | visit
"""

surveys = shop(
    activity=VISITS,
    surveys="""
        customer | ts         | instrument | score
        anna     | 2023-01-01 | NPS        | 0
        anna     | 2024-02-20 | nps        | 9
        ben      | 2024-02-20 | nps        | 8
        cleo     | 2024-02-20 | nps        | 7
        dora     | 2024-02-20 | nps        | 6
        dora     | 2024-03-01 | nps        | 10
        anna     | 2024-02-20 | ces        | 7
        ben      | 2024-02-10 | ces        | 1
        ben      | 2024-02-20 | ces        | 4
        anna     | 2024-02-20 | csat       | 4
        ben      | 2024-02-20 | csat       | 3
        cleo     | 2024-02-20 | csat       | 5
    """,
)


@spec(
    ("nps_last", {"anna": 9, "ben": 8, "cleo": 7, "dora": 6, "emil": None}),
    ("nps_class", {"anna": 1, "ben": 0, "cleo": 0, "dora": -1, "emil": None}),
    ("nps_mean_365d", {"anna": 9, "ben": 8, "cleo": 7, "dora": 6, "emil": None}),
    ("nps_mean_all", {"anna": 4.5, "ben": 8, "cleo": 7, "dora": 6, "emil": None}),
    ("nps_count_365d", {"anna": 1, "ben": 1, "cleo": 1, "dora": 1, "emil": 0}),
    ("nps_count_all", {"anna": 2, "ben": 1, "cleo": 1, "dora": 1, "emil": 0}),
    ("days_since_nps", {"anna": 10, "ben": 10, "cleo": 10, "dora": 10, "emil": None}),
    ("ces_last", {"anna": 7, "ben": 4, "cleo": None, "dora": None, "emil": None}),
    ("ces_ease_last", {"anna": 1, "ben": 0.5, "cleo": None, "dora": None, "emil": None}),
    ("ces_ease_mean_all", {"anna": 1, "ben": 0.25, "cleo": None, "dora": None, "emil": None}),
    ("ces_class", {"anna": 1, "ben": 0, "cleo": None, "dora": None, "emil": None}),
    ("csat_class", {"anna": 1, "ben": 0, "cleo": 1, "dora": None, "emil": None}),
)
def test_answers_and_what_they_mean(surveys, name, expected):
    """Emil never answered: his score is missing, not neutral, and his count is zero."""
    assert feature_of(surveys, name, AT) == expected


def test_effort_is_turned_into_ease_where_the_scale_says_so():
    logs = logs_of(
        activity=VISITS,
        surveys="""
            customer | ts         | instrument | score
            anna     | 2024-02-20 | ces        | 1
            ben      | 2024-02-20 | ces        | 5
            cleo     | 2024-02-10 | ces        | 5
            cleo     | 2024-02-20 | ces        | 2
        """,
        contract=Contract(instruments=(Instrument("ces", 1, 5, better="low"),)),
    )
    last = {"anna": 1, "ben": 0, "cleo": 0.75, "dora": None, "emil": None}
    assert feature_of(logs, "ces_ease_last", AT) == last
    assert feature_of(logs, "ces_ease_mean_365d", AT) == last | {"cleo": 0.375}


def test_any_declared_instrument_has_columns_but_no_class_of_its_own():
    logs = logs_of(
        activity=VISITS,
        surveys="""
            customer | ts         | instrument  | score
            anna     | 2024-02-20 | agent_skill | 62.5
        """,
        contract=Contract(instruments=(*DEFAULT_INSTRUMENTS, Instrument("agent_skill", 0, 100))),
    )
    names = [name for name in build_features(logs, CUTOFF).names if "agent_skill" in name]
    assert names == [
        *["agent_skill_last", "agent_skill_mean_365d", "agent_skill_mean_all"],
        *["agent_skill_count_365d", "agent_skill_count_all", "days_since_agent_skill"],
    ]
    assert feature_of(logs, "agent_skill_last", AT)["anna"] == 62.5


# ── The table ───────────────────────────────────────────────────────────────────────────────


everything = shop(
    purchases="""
        customer | ts         | amount | product_id | quantity
        anna     | 2024-02-20 | 10     | pen        | 1
        ben      | 2024-02-20 | -10    | pen        | 1
    """,
    activity=VISITS,
    surveys="""
        customer | ts         | instrument | score
        anna     | 2024-02-20 | nps        | 9
        anna     | 2024-02-20 | ces        | 7
        anna     | 2024-02-20 | csat       | 4
    """,
)
COUNTED = ("_count_", "_sum_", "_open")


def test_every_feature_of_the_families_is_in_the_catalogue():
    """Two features of one name would leave only the later."""
    modules = [module for _, module in inspect.getmembers(families, inspect.ismodule)]
    indexes = {PurchaseIndex.__name__, ActivityIndex.__name__, SurveyIndex.__name__}
    functions = {
        function
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if set(function.__annotations__.values()) & indexes and not name.startswith("_")
    }
    assert functions == {built.build for built in CATALOGUE.values()}


def test_names_tell_what_how_and_since_when(everything):
    columns = build_features(everything, CUTOFF).spec.columns()
    names = [column.name for column in columns]
    assert len(set(names)) == len(names) > 90
    for column in columns:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+|recency|tenure", column.name)
        of_a_window = "window" in column.feature.per
        assert bool(re.search(r"_(\d+d|all)$", column.name)) == of_a_window, column.name


def test_every_column_says_what_it_is(everything):
    for column in build_features(everything, CUTOFF).spec.columns():
        assert column.feature.unit
        assert column.says
        assert "{" not in column.says
        assert column.reads.count("{value}") == 1


def test_what_is_counted_is_zero_where_there_is_none_and_all_else_is_missing(everything):
    features = build_features(everything, CUTOFF)
    counted = {name for name in features.names if any(how in name for how in COUNTED)}
    assert not any(np.isnan(features.column(name)).any() for name in counted)
    emil = dict(zip(features.names, features.values[-1].tolist(), strict=True))
    assert features.customer_id[-1] == "emil"  # visited once, that is all
    assert {name for name, value in emil.items() if value == 0} == {
        name for name in counted if not name.startswith(("visit_", "activity_")) or "_7d" in name
    }
    assert {name for name, value in emil.items() if not np.isnan(value)} - counted == {
        *["days_since_activity", "activity_tenure", "days_since_visit"],
        *["activity_trend_30d", "activity_trend_90d", "activity_trend_180d"],
    }


def test_as_a_frame_the_table_has_its_keys_first(everything):
    frame = build_features(everything, [CUTOFF, Cutoff.parse("2024-02-21")]).to_frame()
    assert list(frame.columns[:3]) == ["customer_id", "as_of", "recency"]
    assert set(frame["as_of"]) == {"2024-02-21", "2024-03-01"}
    anna = frame[frame["customer_id"] == "anna"].set_index("as_of")
    assert anna["recency"].to_dict() == {"2024-02-21": 1, "2024-03-01": 10}


def test_a_log_that_is_gone_leaves_its_columns_missing_and_not_zero(everything):
    trained = build_features(everything, CUTOFF)
    later = build_features(logs_of(activity=VISITS), CUTOFF, trained.spec)
    assert later.names == trained.names
    assert np.isnan(later.column("nps_count_all")).all()
    assert np.isnan(later.column("purchases_count_30d")).all()
    assert later.column("visit_count_30d").tolist() == [1] * 5


def test_a_column_that_does_not_exist_is_missing(everything):
    assert np.isnan(build_features(everything, CUTOFF).column("horoscope")).all()


# ── The specification ───────────────────────────────────────────────────────────────────────


def test_a_specification_survives_json(everything):
    spec = FeatureSpec.learn(everything, CUTOFF, windows=(14, 56, None))
    told = json.loads(json.dumps(spec.to_dict()))
    assert FeatureSpec.from_dict(told) == spec
    first, again = (
        build_features(everything, CUTOFF, s) for s in (spec, FeatureSpec.from_dict(told))
    )
    assert first.names == again.names
    np.testing.assert_array_equal(first.values, again.values)
    assert {"purchases_count_14d", "purchases_count_56d", "purchases_count_all"} <= {*first.names}
    assert "purchases_count_30d" not in first.names


def test_columns_are_chosen_by_what_was_known_before_the_cutoff():
    logs = logs_of(
        activity="""
            customer | ts         | event
            anna     | 2024-02-01 | visit
            anna     | 2024-03-01 | login
        """,
        surveys="""
            customer | ts         | instrument | score
            anna     | 2024-03-01 | nps        | 9
        """,
    )
    spec = FeatureSpec.learn(logs, CUTOFF)
    assert spec.kinds == ("visit",)
    assert spec.instruments == ()
    assert FeatureSpec.learn(logs, CUTOFF.shifted(1)).kinds == ("login", "visit")


@pytest.mark.parametrize("event", ["return", "Activity!"])
def test_an_event_that_takes_the_name_of_a_feature_is_refused(event):
    logs = logs_of(
        purchases="customer | ts\n anna | 2024-02-01",
        activity=f"customer | ts | event\n anna | 2024-02-01 | {event}",
    )
    with pytest.raises(ConfigError, match="two features are called"):
        build_features(logs, CUTOFF)


# ── A feature of one's own ──────────────────────────────────────────────────────────────────


@pytest.fixture
def catalogue():
    """The catalogue, put back afterwards as it was."""
    before = dict(CATALOGUE)
    yield CATALOGUE
    CATALOGUE.clear()
    CATALOGUE.update(before)


def test_a_feature_is_a_few_lines(catalogue, everything):
    @feature(unit="share", says="returns a purchase or return {window}")
    def returns_share(p: PurchaseIndex, at: Cutoff, window: int | None) -> np.ndarray:
        returned, bought = p.returns.count(at, window), p.sales.count(at, window)
        return returned / np.maximum(returned + bought, 1)

    shares = feature_of(everything, "returns_share_30d", AT)
    assert shares == {"anna": 0, "ben": 1, "cleo": 0, "dora": 0, "emil": 0}
    assert catalogue["returns_share"].log == "purchases"
    [column] = [
        c for c in FeatureSpec.learn(everything, CUTOFF).columns() if c.name == "returns_share_30d"
    ]
    assert column.says == "returns a purchase or return in the last 30 days"
    assert column.reads == "returns a purchase or return in the last 30 days: {value}"


def test_a_feature_may_be_written_without_postponed_annotations(catalogue, everything):
    def visits_and_more(a, at):
        return a.alive.count(at) + 1

    visits_and_more.__annotations__ = {"a": ActivityIndex}
    feature(unit="events", says="activity and one more")(visits_and_more)
    assert set(feature_of(everything, "visits_and_more", AT).values()) == {2}


def test_a_feature_of_one_kind_exists_only_where_that_kind_does(catalogue, everything, activity):
    @feature(unit="days", name="{kind}_age", says="days since the first {kind}", only=("login",))
    def age(a: ActivityIndex, at: Cutoff, kind: str) -> np.ndarray:
        return a.of(kind).days_since_first(at)

    assert feature_of(activity, "login_age", AT) == {"anna": 10, "ben": None}
    assert not [n for n in build_features(everything, CUTOFF).names if n.endswith("_age")]
