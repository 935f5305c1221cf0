"""The table of features and its specification; what each feature is, tests/spec tells."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from tables import feature_of, logs_of

from churnkit.clock import Cutoff
from churnkit.errors import ConfigError
from churnkit.features import CATALOGUE, FeatureSpec, build_features, feature
from churnkit.index import ActivityIndex, Observations, PurchaseIndex
from churnkit.logs import DEFAULT_INSTRUMENTS, Contract, Instrument

AT = "2024-03-01"
CUTOFF = Cutoff.parse(AT)

VISITS = """
    customer | ts         | event
    anna     | 2024-02-01 | visit
    ben      | 2024-02-01 | visit
    cleo     | 2024-02-01 | visit
    dora     | 2024-02-01 | visit
    emil     | 2024-02-01 | visit
"""


def shop(**tables):
    """A fixture that reads drawn logs once for all the tests below it."""
    return pytest.fixture(scope="module")(lambda: logs_of(**tables))


def names_of(logs):
    return build_features(logs, CUTOFF).names


# ── Which columns there are ─────────────────────────────────────────────────────────────────


def test_without_amounts_there_are_no_money_columns_and_no_returns():
    logs = logs_of(purchases="customer | ts\n anna | 2024-02-01")
    assert not [c.name for c in FeatureSpec.learn(logs, CUTOFF).columns() if is_money(c.feature)]
    assert feature_of(logs, "purchases_count_30d", AT) == {"anna": 1}
    assert feature_of(logs, "returns_count_30d", AT) == {"anna": 0}


def is_money(built):
    return built.unit == "money" or "amount" in built.needs


@pytest.mark.parametrize(
    ("column", "names"),
    [
        ("product_id", {"products_count_all", "products_new_30d", "basket_mean_all"}),
        ("category", {"categories_count_all"}),
        ("channel", {"channels_count_all"}),
        ("discount", {"discount_sum_all"}),
        ("quantity", {"items_sum_all"}),
    ],
)
def test_a_column_of_the_log_brings_its_features(column, names):
    bare = logs_of(purchases="customer | ts\n anna | 2024-02-01")
    more = logs_of(purchases=f"customer | ts | {column}\n anna | 2024-02-01 | 1")
    assert names <= {*names_of(more)} - {*names_of(bare)}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("renewal", {"days_to_renewal"}),
        ("complaint_opened", {"complaints_open_days", "complaints_open_share"}),
        ("support_opened", {"tickets_open_days", "tickets_open_share"}),
        ("payment_failed", {"payments_failed_open_days"}),
    ],
)
def test_a_kind_of_event_brings_its_features(kind, names):
    bare = logs_of(activity="customer | ts | event\n anna | 2024-02-01 | visit")
    more = logs_of(activity=f"customer | ts | event\n anna | 2024-02-01 | {kind}")
    assert names <= {*names_of(more)} - {*names_of(bare)}
    assert {"complaints_open", "tickets_open", "payments_failed_open"} <= {*names_of(bare)}


@pytest.mark.parametrize("log", ["purchases", "activity"])
def test_one_log_is_enough(log):
    rows = "customer | ts         | event\n anna | 2024-02-01 | visit"
    features = build_features(logs_of(**{log: rows}), CUTOFF)
    logs_read = {c.feature.log for c in features.spec.columns()}
    assert logs_read == {log, ""}  # the calendar needs none
    assert features.column("year_cos").tolist() == [pytest.approx(0.5130, abs=1e-4)]


def test_the_season_may_be_left_out(everything):
    spec = FeatureSpec.learn(everything, CUTOFF, seasonal=False)
    seasonal = {c.name for c in FeatureSpec.learn(everything, CUTOFF).columns()} - {
        c.name for c in spec.columns()
    }
    assert seasonal >= {"year_sin", "market_trend_30d", "purchases_count_last_year_30d"}
    assert "trend_against_market_30d" not in seasonal


@pytest.mark.parametrize(
    ("windows", "names"),
    [
        ((14, 28, 56, 112, None), {"purchases_trend_28d", "purchases_count_last_year_56d"}),
        ((400, 500, 600, None), {"purchases_trend_500d", "market_trend_500d"}),
        ((4000, 5000, 6000, None), {"market_trend_5000d"}),
        ((10, None), {"purchases_ahead_last_year_10d", "nps_trend_10d"}),
        ((None,), {"purchases_count_all", "nps_good_mean_all"}),
    ],
)
def test_any_windows_will_do(everything, windows, names):
    spec = FeatureSpec.learn(everything, CUTOFF, windows)
    assert names <= {*build_features(everything, CUTOFF, spec).names}


def test_the_rarest_kinds_are_only_counted_together():
    rows = [f"anna | 2024-02-{day:02} | kind {k:02}" for k in range(25) for day in range(1, 27 - k)]
    logs = logs_of(activity="\n".join(["customer | ts | event", *rows]))
    names = names_of(logs)
    own = [f"kind_{k:02}" for k in range(25) if f"kind_{k:02}_count_30d" in names]
    assert own == [f"kind_{k:02}" for k in range(20)]
    assert feature_of(logs, "activity_count_all", AT) == {"anna": len(rows)}


def test_any_declared_instrument_has_columns_but_no_class_of_its_own():
    logs = logs_of(
        activity=VISITS,
        surveys="""
            customer | ts         | instrument  | score
            anna     | 2024-02-20 | agent_skill | 62.5
        """,
        contract=Contract(instruments=(*DEFAULT_INSTRUMENTS, Instrument("agent_skill", 0, 100))),
    )
    names = [name for name in names_of(logs) if "agent_skill" in name]
    assert names == [
        *["agent_skill_last", "agent_skill_mean_365d", "agent_skill_mean_all"],
        *["agent_skill_count_365d", "agent_skill_count_all", "days_since_agent_skill"],
        *["agent_skill_change", "agent_skill_trend_365d", "agent_skill_good_last"],
        *["agent_skill_good_mean_365d", "agent_skill_good_mean_all", "agent_skill_silence_ratio"],
    ]


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


def is_counted(column):
    sums = ("spend_sum", "spend_ahead", "items_sum", "returns_sum")
    return column.feature.dtype == "int32" or column.name.startswith(sums)


def test_names_tell_what_how_and_since_when(everything):
    columns = build_features(everything, CUTOFF).spec.columns()
    names = [column.name for column in columns]
    assert len(set(names)) == len(names) > 150
    for column in columns:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+|recency|tenure", column.name)
        of_a_window = "window" in column.feature.per
        assert bool(re.search(r"(?<!first)_(\d+d|all)$", column.name)) == of_a_window, column.name


def test_every_column_says_what_it_is(everything):
    for column in build_features(everything, CUTOFF).spec.columns():
        assert column.feature.unit
        assert column.says
        assert "{" not in column.says
        is_of_calendar = "year_" in column.name and not column.window  # a sine tells nothing
        assert column.reads.count("{value}") == (not is_of_calendar)


def test_what_is_counted_is_zero_where_there_is_none_and_all_else_is_missing(everything):
    """Emil visited once, that is all: there is nothing to tell of purchases and answers."""
    features = build_features(everything, CUTOFF)
    emil = features.where(features.customer_id == "emil")
    told = [c for c in features.spec.columns() if c.feature.log in ("purchases", "surveys")]
    own = [c for c in told if not c.name.startswith("market_")]
    for column in own:
        [value] = emil.column(column.name)
        assert value == 0 if is_counted(column) else np.isnan(value), column.name
    assert {c.name for c in own if c.feature.streams} == {
        *["overdue_ratio", "trend_against_market_30d"],
        *["trend_against_market_90d", "trend_against_market_180d"],
    }


def test_as_a_frame_the_table_has_its_keys_first(everything):
    frame = build_features(everything, [CUTOFF, Cutoff.parse("2024-02-21")]).to_frame()
    assert list(frame.columns[:3]) == ["customer_id", "as_of", "recency"]
    assert set(frame["as_of"]) == {"2024-02-21", "2024-03-01"}
    anna = frame[frame["customer_id"] == "anna"].set_index("as_of")
    assert anna["recency"].to_dict() == {"2024-02-21": 1, "2024-03-01": 10}


def test_of_a_log_that_is_gone_nothing_is_known_and_no_money_is_zero(everything):
    trained = build_features(everything, CUTOFF)
    later = build_features(logs_of(activity=VISITS), CUTOFF, trained.spec)
    assert later.names == trained.names
    for column in trained.spec.columns():
        if column.feature.log in ("purchases", "surveys"):
            values = later.column(column.name)
            counts = column.feature.dtype == "int32"
            assert (values == 0 if counts else np.isnan(values)).all(), column.name
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
    def returned_part(p: PurchaseIndex, at: Observations, window: int | None) -> np.ndarray:
        returned, bought = p.returns.count(at, window), p.sales.count(at, window)
        return returned / np.maximum(returned + bought, 1)

    shares = feature_of(everything, "returned_part_30d", AT)
    assert shares == {"anna": 0, "ben": 1, "cleo": 0, "dora": 0, "emil": 0}
    assert catalogue["returned_part"].log == "purchases"
    [column] = [
        c for c in FeatureSpec.learn(everything, CUTOFF).columns() if c.name == "returned_part_30d"
    ]
    assert column.says == "returns a purchase or return in the last 30 days"
    assert column.reads == "returns a purchase or return in the last 30 days: {value}"


def test_a_feature_may_be_written_without_postponed_annotations(catalogue, everything):
    def visits_and_more(a, at):
        return a.alive.count(at) + 1

    visits_and_more.__annotations__ = {"a": ActivityIndex}
    feature(unit="events", says="activity and one more")(visits_and_more)
    assert set(feature_of(everything, "visits_and_more", AT).values()) == {2}


def test_a_feature_of_one_kind_exists_only_where_that_kind_does(catalogue, everything):
    @feature(unit="days", name="{kind}_age", says="days since the first {kind}", only=("login",))
    def age(a: ActivityIndex, at: Observations, kind: str) -> np.ndarray:
        return a.of(kind).days_since_first(at)

    logs = logs_of(
        activity="""
            customer | ts         | event
            anna     | 2024-02-20 | login
            ben      | 2024-02-20 | visit
        """
    )
    assert feature_of(logs, "login_age", AT) == {"anna": 10, "ben": None}
    assert not [n for n in build_features(everything, CUTOFF).names if n.endswith("_age")]
