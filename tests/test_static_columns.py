"""Static columns of the customers: what becomes of them as features, and who is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import drawn

from churnkit.audit import audit
from churnkit.clock import Cutoff
from churnkit.dataset import Dataset, Recipe
from churnkit.errors import ConfigError, DataError
from churnkit.explain import drivers
from churnkit.features import FeatureSpec, build_features
from churnkit.features.static import CATEGORIES, StaticColumn
from churnkit.labels import Question
from churnkit.logs import Contract, LogMapping, Logs, Texts
from churnkit.model import fit, rung_named
from churnkit.scoring import require_same_logs
from churnkit.sources import open_logs, read_logs

CUTOFF = Cutoff.parse("2024-03-01")
MANY = [f"c{k:03}" for k in range(CATEGORIES + 20)]


def people(ids, ts="2024-02-01"):
    """A purchase of each customer."""
    return drawn("customer | ts | amount" + "".join(f"\n {who} | {ts} | 1" for who in ids))


def shop(rows: str, *static: str, columns: str = "customer | region | age") -> Logs:
    customers = drawn(f"{columns}\n{rows}")
    contract = Contract({"customers": LogMapping(static=static)})
    return read_logs(people(customers["customer_id"]), customers=customers, contract=contract)


def regions(*names: str) -> Logs:
    """One customer for each region."""
    return shop("\n".join(f"{k:04} | {name} |" for k, name in enumerate(names)), "region")


# ── What is learnt ──────────────────────────────────────────────────────────────────────────


def test_nothing_is_static_unless_it_is_declared():
    logs = shop("anna | north | 31")
    assert logs.static_columns == ()
    assert not [c for c in FeatureSpec.learn(logs, CUTOFF).columns() if c.theme == "customer"]


def test_categories_are_numbered_in_their_order_and_numbers_stay():
    logs = shop("anna | south | 31\n ben | north | 4.5\n cleo | south |", "region", "age")
    built = build_features(logs, CUTOFF)
    assert built.column("region").tolist() == [1, 0, 1]
    np.testing.assert_array_equal(built.column("age"), [31, 4.5, np.nan])
    assert built.classes("region") == {0: "north", 1: "south"}
    assert built.class_of("region").tolist() == ["south", "north", "south"]
    assert built.classes("age") == {}
    assert built.spec.categorical(["age", "region", "recency"]) == (1,)


def test_the_table_tells_categories_by_name():
    frame = build_features(shop("anna | south | 31\n ben | | 2", "region"), CUTOFF).to_frame()
    assert frame["region"].astype(object).where(frame["region"].notna(), None).tolist() == [
        *["south", None]
    ]


@pytest.mark.parametrize("number", ["1", "-2.5", "+.5", "1e3", "۳۱", "٣.٥"])
def test_plain_numbers_are_numbers_whatever_their_digits(number):
    assert StaticColumn.learn("age", {number: 1}).words is None


@pytest.mark.parametrize("text", ["1 year", "nan", "inf", "1e999", "1_000", "1,000", "0x1", "true"])
def test_what_is_no_plain_number_is_a_category(text):
    assert StaticColumn.learn("age", {"31": 9, text: 1}).words == tuple(sorted(["31", text]))


def test_rare_categories_share_a_code():
    counts = dict.fromkeys(MANY, 1) | {MANY[-1]: 5}
    column = StaticColumn.learn("region", counts)
    assert column.words == (*MANY[: CATEGORIES - 1], MANY[-1])
    assert column.classes[CATEGORIES] == "other"
    rare, common, missing = column.values(Texts.of([MANY[-2], MANY[-1], None]))
    assert (rare, common) == (CATEGORIES, CATEGORIES - 1)
    assert np.isnan(missing)


def test_a_category_called_other_is_not_mixed_with_the_rare_ones():
    counts = {"other": 9, **dict.fromkeys(MANY, 1)}
    names = list(StaticColumn.learn("region", counts).classes.values())
    assert names[-2:] == ["other", "(other)"]


def test_only_customers_known_before_the_cutoff_are_learnt_of():
    customers = drawn("customer | region\n anna | north\n ben | south")
    purchases = drawn("customer | ts\n anna | 2024-02-01\n ben | 2024-03-01")
    contract = Contract({"customers": LogMapping(static=("region",))})
    logs = read_logs(purchases, customers=customers, contract=contract)
    later = Cutoff.parse("2024-03-02")
    assert FeatureSpec.learn(logs, CUTOFF).static == (StaticColumn("region", ("north",)),)
    assert FeatureSpec.learn(logs, later).static == (StaticColumn("region", ("north", "south")),)
    assert FeatureSpec.learn(logs, Cutoff.parse("2024-01-01")).static == ()


def test_scoring_keeps_the_codes_of_training():
    """A region that training did not know is missing; the order of the new ones changes nothing."""
    spec = FeatureSpec.learn(regions("south", "north"), CUTOFF)
    told = FeatureSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert told == spec
    built = build_features(regions("east", "north", "south"), CUTOFF, told)
    np.testing.assert_array_equal(built.column("region"), [np.nan, 0, 1])


def test_models_from_before_there_were_static_columns_can_be_read():
    spec = FeatureSpec.learn(regions("north"), CUTOFF)
    told = {k: v for k, v in spec.to_dict().items() if k not in {"static", "valued"}}
    assert FeatureSpec.from_dict(told).static == ()


@given(st.lists(st.none() | st.sampled_from(["n", "s", "e", "7", "8.5"]), min_size=1))
def test_texts_of_customers_are_counted_and_cut(told):
    texts = Texts.of(told)
    assert texts.as_list() == told
    assert texts.where(slice(1, None)).as_list() == told[1:]
    assert texts.counts() == {word: told.count(word) for word in sorted({*told} - {None})}


# ── Names ───────────────────────────────────────────────────────────────────────────────────


def test_features_have_the_names_of_their_columns_in_small_letters():
    logs = shop("anna | north | 31", "IMD Band", "2nd age", columns="customer | IMD Band | 2nd age")
    assert logs.static_columns == ("imd_band", "c_2nd_age")


@pytest.mark.parametrize(
    ("static", "columns", "error", "found"),
    [
        (("regoin",), "customer | region | age", DataError, "'regoin' (named by static)"),
        (("Is vip", "is-vip"), "customer | Is vip | is-vip", ConfigError, "have one name in small"),
    ],
)
def test_columns_that_are_not_there_or_have_one_name_are_refused(static, columns, error, found):
    with pytest.raises(error) as told:
        shop("anna | north | 31", *static, columns=columns)
    assert found in told.value.found


@pytest.mark.parametrize("name", ["recency", "As of"])
def test_a_column_named_like_a_feature_or_a_key_is_refused(name):
    logs = shop("anna | north | 31", name, columns=f"customer | {name} | age")
    with pytest.raises(ConfigError, match="called") as told:
        build_features(logs, CUTOFF)
    assert "static" in told.value.mend


def test_a_model_is_not_used_without_the_static_columns_it_learnt():
    spec = FeatureSpec.learn(regions("north", "south"), CUTOFF)
    with pytest.raises(DataError, match=r"static columns of the customers .*: region") as told:
        require_same_logs(spec, shop("anna | north | 31", "age"))
    assert "[logs.customers]" in told.value.mend


# ── Wherever the logs are ───────────────────────────────────────────────────────────────────


def test_blocks_on_disk_give_the_same_and_letters_are_written_one_way():
    ids = [f"{k:03}" for k in range(30)]
    purchases = people(ids)
    words = ["ﻚرج", "کرج", " north", "north ", None, "7"]
    rows = "".join(f"\n {who} | {words[k % 6] or ''}" for k, who in enumerate(ids[:-3]))
    customers = drawn(f"customer | region{rows}\n stranger | nowhere")
    contract = Contract({"customers": LogMapping(static=("region",), fold_ids=True)})
    at_once = build_features(read_logs(purchases, customers=customers, contract=contract), CUTOFF)
    with open_logs(
        purchases, customers=customers, contract=contract, customers_per_block=7
    ) as stored:
        built = build_features(stored, CUTOFF)
    assert built.spec == at_once.spec
    assert built.classes("region") == {0: "7", 1: "north", 2: "کرج"}
    np.testing.assert_array_equal(built.values, at_once.values)
    assert np.isnan(built.column("region")[-3:]).all()


def test_static_columns_pass_the_audit():
    logs = regions(*["north", "south", "east"] * 10)
    spec = FeatureSpec.learn(logs, CUTOFF).limited_to(["region", "recency"])
    found = audit(logs, spec, [CUTOFF], customers=20)
    assert found.leaks == ()
    assert found.compared > 0


def test_categories_drive_no_way_up_or_down():
    """Codes have no order, so that "more of it" means nothing; numbers have one."""
    rows = "\n".join(f"{k:04} | {'north' if k % 2 else 'south'} | {k}" for k in range(400))
    features = build_features(shop(rows, "region", "age"), CUTOFF)
    age = np.arange(400)
    churned = np.random.default_rng(0).random(400) < 0.6 * age / 400 + 0.4 * (age % 2)
    few = {"trees": 20, "seeds": 1}
    data = Dataset(features, churned)
    model = fit(rung_named("lightgbm"), data, Question(), Recipe(trees=few))
    told = {f.name: f.direction for driver in drivers(model, features) for f in driver.features}
    assert told["region"] == "mixed"
    assert told["age"] == "up"
