"""The audit: built-in features pass it, and every planted leak is named with who shows it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from churnkit.audit import TRIALS, Audit, audit
from churnkit.audit.sample import sample
from churnkit.clock import DAY, Cutoff, cutoffs_between, seen_before
from churnkit.errors import ConfigError, DataError, GateRefused
from churnkit.features import CATALOGUE, FeatureSpec, feature
from churnkit.index import BlockIndex, Observations, PurchaseIndex
from churnkit.logs import Contract, Events, Logs
from churnkit.simulate import simulate
from churnkit.sources import open_logs, read_logs

FUTURE = {"the future dropped", "the future changed", "events added to the future"}
TWICE, AMONG, MOVED, ALONE, RENAMED = (
    "built twice", "other cutoffs beside", "everything 13 weeks later", "a customer alone",
    "customers renamed",
)  # fmt: skip

VISITS = {"kind": ("visit",)}


@pytest.fixture(scope="module")
def shop():
    return simulate(customers=300, days=500)


@pytest.fixture(scope="module")
def logs(shop) -> Logs:
    return read_logs(shop.purchases, shop.activity, shop.surveys)


@pytest.fixture(scope="module")
def cutoffs(logs) -> tuple[Cutoff, ...]:
    return cutoffs_between(logs.first_day("purchases"), logs.last_day("purchases"), 2)


@pytest.fixture(autouse=True)
def _nothing_stays():
    builtin = dict(CATALOGUE)
    yield
    CATALOGUE.clear()
    CATALOGUE.update(builtin)


def found(logs, cutoffs, *names: str, customers: int = 60, seed: int = 0) -> Audit:
    """The audit of some features; of all if none is named."""
    spec = FeatureSpec.learn(logs, cutoffs[-1])
    return audit(logs, spec.limited_to(names) if names else spec, cutoffs, customers, seed)


def trials_that_showed(result: Audit) -> set[str]:
    return {leak.trial for leak in result.leaks}


# ── What does not leak ──────────────────────────────────────────────────────────────────────


def test_no_built_in_feature_leaks(logs, cutoffs):
    result = found(logs, cutoffs)
    assert result.leaks == ()
    assert result.customers == 60
    assert result.columns > 150
    assert result.cutoffs == tuple(map(str, cutoffs))
    assert result.trials == tuple(trial.name for trial in TRIALS)
    assert result.compared > 5 * 60 * len(cutoffs) * 150
    result.require_clean()


def test_neither_do_they_where_clocks_change_and_logs_lie_on_disk(shop):
    contract = Contract(zone="Europe/Berlin")
    given = (shop.purchases, shop.activity, shop.surveys)
    with open_logs(*given, contract=contract, customers_per_block=50) as stored:
        cutoffs = cutoffs_between(stored.first_day("purchases"), stored.last_day("purchases"), 2)
        result = found(stored, cutoffs, customers=30)
    assert result.leaks == ()
    assert result.customers == 30


def test_a_feature_of_the_calendar_may_change_with_the_date_and_else_must_not(logs, cutoffs):
    @feature(unit="day", says="day of the year", seasonal=True, dtype="int32")
    def day_of_year(_: BlockIndex, at: Observations) -> np.ndarray:
        return at.us // DAY % 365

    assert found(logs, cutoffs, "day_of_year").leaks == ()


# ── Planted leaks ───────────────────────────────────────────────────────────────────────────


def all_of_them(p: PurchaseIndex, at: Observations) -> np.ndarray:
    """Counts all events, whatever the cutoff."""
    return np.bincount(p.sales.events.customer, minlength=p.sales.customers)[at.customer]


def ahead(p: PurchaseIndex, at: Observations) -> np.ndarray:
    """Looks at what the label looks at."""
    return p.sales.count_ahead(at, 30)


def last_of_all(p: PurchaseIndex, at: Observations) -> np.ndarray:
    """Takes the customer's last event, even if it is still to come."""
    last = np.full(p.sales.customers, np.nan)
    last[p.sales.events.customer] = p.sales.events.ts
    return (at.us - last[at.customer]) / DAY


def including_the_cutoff(p: PurchaseIndex, at: Observations) -> np.ndarray:
    """Is wrong by one microsecond."""
    counts = np.zeros(len(at))
    for k, cutoff in enumerate(at.cutoffs):
        seen = seen_before(p.sales.events.ts, Cutoff(cutoff.us + 1))
        customer = p.sales.events.customer[seen]
        rows = at.nth == k
        counts[rows] = np.bincount(customer, minlength=p.sales.customers)[at.customer[rows]]
    return counts


@pytest.mark.parametrize("leaking", [all_of_them, ahead, last_of_all, including_the_cutoff])
def test_a_feature_that_sees_the_future_is_named_with_who_shows_it(logs, cutoffs, leaking):
    feature(unit="x", says="a planted leak")(leaking)
    name = leaking.__name__
    result = found(logs, cutoffs, "recency", name)
    shown = trials_that_showed(result)
    assert shown & FUTURE
    assert not shown & {TWICE, RENAMED}
    assert {leak.feature for leak in result.leaks} == {name}
    for leak in result.leaks:
        assert leak.customer_id in logs.customer_ids
        assert leak.cutoff in result.cutoffs
        assert leak.value != leak.other
        assert 1 <= leak.customers <= result.customers
    with pytest.raises(GateRefused) as refused:
        result.require_clean()
    assert refused.value.exit_code == 4
    first = result.leaks[0]
    for part in (name, "test_audit.py, line", first.customer_id, first.cutoff, first.trial):
        assert part in refused.value.found


def test_an_event_at_the_very_cutoff_is_the_future(logs, cutoffs):
    feature(unit="x", says="a planted leak")(including_the_cutoff)
    result = found(logs, cutoffs, "including_the_cutoff")
    assert "events added to the future" in trials_that_showed(result)


def test_a_customer_that_is_told_shows_the_leak(logs, cutoffs):
    feature(unit="x", says="a planted leak")(all_of_them)
    leak = next(
        leak
        for leak in found(logs, cutoffs, "all_of_them").leaks
        if leak.trial == "the future dropped"
    )
    number = logs.customer_ids.tolist().index(leak.customer_id)
    sales = logs.purchases.where(logs.purchases.columns["is_return"] == 0)
    theirs = sales.ts[sales.customer == number]
    assert leak.value == len(theirs)
    assert leak.other == seen_before(theirs, Cutoff.parse(leak.cutoff)).sum()


def mean_of_the_block(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return np.full(len(at), p.sales.count(at).mean())


def rank_in_the_block(p: PurchaseIndex, at: Observations) -> np.ndarray:
    return at.customer


def until_the_last_cutoff(p: PurchaseIndex, at: Observations) -> np.ndarray:
    """Sees nothing of the future of one cutoff alone, but that of all others in training."""
    seen = p.sales.events.where(seen_before(p.sales.events.ts, at.cutoffs[-1]))
    return np.bincount(seen.customer, minlength=p.sales.customers)[at.customer]


def at_random(_: PurchaseIndex, at: Observations) -> np.ndarray:
    return np.random.default_rng().random(len(at))


def of_the_id(block: BlockIndex, at: Observations) -> np.ndarray:
    return np.array([len(name) for name in block.customer_ids])[at.customer]


def of_the_date(_: BlockIndex, at: Observations) -> np.ndarray:
    return at.us // DAY % 365


@pytest.mark.parametrize(
    ("leaking", "shown"),
    [
        (mean_of_the_block, {ALONE, AMONG}),
        (rank_in_the_block, {ALONE, RENAMED}),
        (until_the_last_cutoff, {AMONG}),
        (at_random, {TWICE}),
        (of_the_id, {RENAMED}),
        (of_the_date, {MOVED}),
    ],
)
def test_what_else_a_feature_must_not_depend_on(logs, cutoffs, leaking, shown):
    feature(unit="x", says="a planted leak")(leaking)
    result = found(logs, cutoffs, "recency", leaking.__name__)
    assert trials_that_showed(result) == shown
    assert {leak.feature for leak in result.leaks} == {leaking.__name__}
    with pytest.raises(GateRefused, match=result.leaks[0].fault) as refused:
        result.require_clean()
    assert refused.value.mend == result.leaks[0].mend
    told_how = {leak.trial: leak.mend for leak in result.leaks}
    assert len(set(told_how.values())) == len(told_how)


def test_other_customers_count_where_a_feature_asks_for_the_market(logs, cutoffs):
    @feature(unit="x", says="sales of the market", streams=("sales",))
    def of_the_market(p: PurchaseIndex, at: Observations) -> np.ndarray:
        return p.market.of("sales").count(at, 30)

    assert found(logs, cutoffs, "of_the_market").leaks == ()


def test_a_missing_value_differs_from_a_known_one(logs, cutoffs):
    @feature(unit="x", says="known if the customer comes back")
    def comes_back(p: PurchaseIndex, at: Observations) -> np.ndarray:
        return np.where(p.sales.count_ahead(at, 90) > 0, 1.0, np.nan)

    result = found(logs, cutoffs, "comes_back")
    leaks = result.leaks
    assert {(leak.value, leak.other) for leak in leaks} <= {(1.0, None), (None, 1.0)}
    with pytest.raises(GateRefused, match=r"was (1 and, .* missing|missing and, .* 1): it sees"):
        result.require_clean()


def test_a_feature_that_fails_without_a_future_is_told_with_the_trial(logs, cutoffs):
    @feature(unit="x", says="counts on tomorrow")
    def hopeful(p: PurchaseIndex, at: Observations) -> np.ndarray:
        return p.sales.count(at) + p.sales.events.ts[p.sales.count_ahead(at, 90) > 0][0] * 0

    with pytest.raises(ConfigError, match="hopeful"):
        found(logs, cutoffs, "hopeful")


# ── The sample, and what is told ────────────────────────────────────────────────────────────


def test_the_sample_does_not_depend_on_the_blocks(logs, shop, cutoffs):
    with open_logs(shop.purchases, shop.activity, shop.surveys, customers_per_block=7) as stored:
        some = sample(stored, cutoffs, 40, seed=1)
    same = sample(logs, cutoffs, 40, seed=1)
    assert some.customer_ids.tolist() == same.customer_ids.tolist()
    for log, events in same.events.items():
        np.testing.assert_array_equal(some.events[log].ts, events.ts)
        np.testing.assert_array_equal(some.events[log].customer, events.customer)
    assert sample(logs, cutoffs, 40, seed=2).customer_ids.tolist() != same.customer_ids.tolist()


def test_the_sample_holds_all_events_of_its_customers_and_no_others(logs, cutoffs):
    some = sample(logs, cutoffs, 25, seed=0)
    assert some.customer_count == len(set(some.customer_ids)) == 25
    for log, events in some.events.items():
        whole = logs.events[log]
        chosen = np.isin(logs.customer_ids[whole.customer], some.customer_ids)
        np.testing.assert_array_equal(events.ts, whole.ts[chosen])
        np.testing.assert_array_equal(
            some.customer_ids[events.customer], logs.customer_ids[whole.customer[chosen]]
        )


def test_most_of_the_sample_has_a_past_and_a_future(logs, cutoffs):
    some = sample(logs, cutoffs, 40, seed=0)
    crossing = np.zeros(40, dtype=bool)
    for cutoff in cutoffs:
        sides = []
        for is_past in (True, False):
            times = np.concatenate([e.ts for e in some.events.values()])
            customer = np.concatenate([e.customer for e in some.events.values()])
            there = seen_before(times, cutoff) == is_past
            sides.append(np.bincount(customer[there], minlength=40) > 0)
        crossing |= sides[0] & sides[1]
    assert crossing.sum() >= 30


def test_every_customer_is_compared_whatever_the_ids_end_with():
    ids = np.array(["a", "a\0"], dtype=object)
    visits = Events(np.arange(2), np.zeros(2, np.int64), {"kind": np.zeros(2, int)}, VISITS)
    cutoff = Cutoff(DAY)
    spec = FeatureSpec.learn(Logs(ids, activity=visits), cutoff).limited_to(["activity_count_all"])
    result = audit(Logs(ids, activity=visits), spec, [cutoff])
    of_all = len(TRIALS) - 1
    assert result.compared == of_all * len(ids) + len(ids)  # the last takes them one by one


def test_more_customers_than_there_are_means_all(logs, cutoffs):
    assert sample(logs, cutoffs, 10**6, seed=0).customer_count == logs.customer_count


def test_the_same_seed_finds_the_same(logs, cutoffs):
    feature(unit="x", says="a planted leak")(ahead)
    one, again = (found(logs, cutoffs, "ahead", customers=20) for _ in range(2))
    assert one == again


def test_the_audit_is_plain_json(logs, cutoffs):
    feature(unit="x", says="a planted leak")(ahead)
    told = found(logs, cutoffs, "ahead", customers=20).told()
    assert told["leaks"][0].keys() == {
        "feature", "where", "trial", "fault", "mend", "customer_id", "cutoff", "value", "other",
        "customers",
    }  # fmt: skip
    assert set(json.loads(json.dumps(told, allow_nan=False))) == {
        "columns", "customers", "cutoffs", "trials", "compared", "leaks"
    }  # fmt: skip


def test_a_moment_at_which_nobody_is_known_proves_nothing(logs):
    early = Cutoff.parse("2001-01-01")
    with pytest.raises(DataError, match="nobody is known as of 2001-01-01"):
        audit(logs, FeatureSpec.learn(logs, early), [early])
