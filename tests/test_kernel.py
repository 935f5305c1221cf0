"""The kernel against the slow reference, and what must never change a feature.

`reference` folds raw frames and loops over them. Reading is compared with its folds and the
kernel with its rows; after that, properties take logs straight from the folds, which is a
hundred times faster than `read_logs`, or compare one reading with the folds.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import reference
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from churnkit.clock import Cutoff
from churnkit.dataset import build_dataset
from churnkit.features import FeatureSpec, build_features, known, plan_features
from churnkit.index import ActivityIndex, BlockIndex, EventIndex, Observations
from churnkit.index import events as lookups
from churnkit.labels import Question
from churnkit.logs import Contract, Events, Instrument, Logs
from churnkit.sources import read_logs

DAY = 86_400_000_000
CUTOFF = Cutoff.parse("2024-03-01")
EARLIER = Cutoff.parse("2023-12-02T06:00")
CUTOFFS = [EARLIER, CUTOFF]
HORIZONS = LOOKBACKS = (1, 30, 90)

slow = settings(max_examples=9, deadline=None)
quick = settings(max_examples=18, deadline=None)


# ── Random logs ─────────────────────────────────────────────────────────────────────────────

LENGTHS = {
    *[0, *filter(None, reference.WINDOWS), *(2 * days for days in reference.TREND_WINDOWS), 730],
    *(365 + days for days in reference.SEASON_WINDOWS),
    *(365 - days for days in reference.SEASON_WINDOWS),
}
BORDERS = sorted(
    {c.us - days * DAY for c in CUTOFFS for days in LENGTHS}
    | {c.us + days * DAY for c in CUTOFFS for days in HORIZONS}
)
past = st.sampled_from([us for us in BORDERS if us < CUTOFF.us]) | st.integers(1, 400).map(
    lambda thirds: CUTOFF.us - thirds * DAY // 3
)
future = st.sampled_from([us for us in BORDERS if us >= CUTOFF.us]) | st.integers(1, 100).map(
    lambda hours: CUTOFF.us + hours * DAY // 24
)
nearby = st.sampled_from([-1, 0, 0, 0, 1])
before = st.tuples(past, nearby).map(lambda moved: min(sum(moved), CUTOFF.us - 1))
after = st.tuples(future, nearby).map(lambda moved: max(sum(moved), CUTOFF.us))
instants = before | after

KINDS = [
    *["visit", "Visit", "login", "cancellation", "Newsletter Opened!", "wishlist"],
    *["complaint_opened", "complaint_resolved", "support_opened", "support_resolved"],
    *["payment_failed", "payment_ok", "renewal", "survey_sent"],
]
ANSWERS = [
    (instrument, score)
    for instrument, (low, high, _) in reference.SCALES.items()
    for score in range(low, high + 1)
]
INSTRUMENTS = tuple(
    Instrument(name, low, high, better, "agent" if name in reference.AGENTS else "customer")
    for name, (low, high, better) in reference.SCALES.items()
)
CONTRACT = Contract(instruments=INSTRUMENTS)
COLUMNS = {
    "purchases": [
        *["customer_id", "ts", "amount", "order_id", "product_id", "quantity"],
        *["category", "channel", "discount"],
    ],
    "activity": ["customer_id", "ts", "event", "ref", "value"],
    "surveys": ["customer_id", "ts", "instrument", "score"],
}
SOME_LOGS = [
    *[("purchases",), ("activity",)],
    *[("purchases", "activity"), ("purchases", "surveys"), ("activity", "surveys")],
]


def rows_of(log, ts):
    """Strategy of one raw row of a log, in the order of its columns."""
    customer = st.sampled_from(["10", "9", "b", "A"])
    if log == "activity":
        ref, value = st.sampled_from([None, *"xy"]), st.sampled_from([None, 0.0, 0.5, -3.0, 70.0])
        return st.tuples(customer, ts, st.sampled_from(KINDS), ref, value)
    if log == "surveys":
        answer = st.sampled_from(ANSWERS)
        return st.tuples(customer, ts, answer).map(lambda row: (*row[:2], *row[2]))
    # Returns are as likely as sales, and order ids look like row numbers.
    amount = st.sampled_from([0, 1, 1999, 250_000, -1, -1999]).map(lambda cents: cents / 100)
    order, product, category, channel = (
        st.sampled_from([None, *words]) for words in ("123", "pqr", "fg", "sw")
    )
    quantity = st.sampled_from([None, 1.0, 2.5, -1.0])
    discount = st.sampled_from([None, 0.0, 0.5, 19.99])
    return st.tuples(customer, ts, amount, order, product, quantity, category, channel, discount)


def frame_of(log, rows):
    frame = pd.DataFrame(rows, columns=COLUMNS[log])
    frame["ts"] = pd.to_datetime(frame["ts"].astype("int64"), unit="us")
    return frame.astype({"value": float}) if "value" in frame else frame


@st.composite
def shops(draw, ts=instants, logs=tuple(COLUMNS), optional=True):
    """Raw frames by log: rows that tie and repeat; logs and columns may be absent."""
    if optional:
        logs = draw(st.sampled_from([logs, logs, *SOME_LOGS]))
    moments = st.sampled_from(draw(st.lists(ts, min_size=2, max_size=10)))
    frames = {
        log: frame_of(log, draw(st.lists(rows_of(log, moments), min_size=1, max_size=12)))
        for log in logs
    }
    if optional and "purchases" in frames:
        spare = draw(st.sets(st.sampled_from(COLUMNS["purchases"][2:]), max_size=4))
        frames["purchases"] = frames["purchases"].drop(columns=list(spare))
    if optional and "activity" in frames:
        spare = draw(st.sets(st.sampled_from(["ref", "value"])))
        frames["activity"] = frames["activity"].drop(columns=list(spare))
    if optional:
        frames = {log: repeated(frame, draw(st.integers(0, 2))) for log, frame in frames.items()}
    return frames


def repeated(frame, times):
    """Some rows once more, at the end."""
    return pd.concat([frame, *[frame.iloc[:2]] * times], ignore_index=True)


def big_shop(seed, customers=30, visits=250, rows=500):
    """A shop with long histories, which random examples seldom have; rows share their visits."""
    rng = np.random.default_rng(seed)
    ids = rng.zipf(1.5, visits) % customers
    ts = CUTOFF.us + rng.integers(-800 * 24, 100 * 24, visits) * (DAY // 24)
    visit = rng.integers(0, visits, (3, rows))
    events = {
        log: {"customer_id": ids[v], "ts": ts[v]} for log, v in zip(COLUMNS, visit, strict=True)
    }
    events["purchases"] |= {
        "amount": rng.integers(-500, 5000, rows) / 100,
        "order_id": rng.choice(["1", "2", None], rows),
        "product_id": rng.choice(["p", "q", "r", None], rows),
        "quantity": rng.choice([1.0, 2.0, 0.25, np.nan], rows),
        "category": rng.choice(["f", "g", None], rows),
        "channel": rng.choice(["s", "w", None], rows),
        "discount": rng.choice([0.0, 0.5, 19.99, np.nan], rows),
    }
    events["activity"] |= {
        "event": rng.choice([*KINDS, *["survey_sent"] * len(KINDS)], rows),
        "ref": rng.choice(["x", "y", None], rows),
        "value": rng.choice([0.0, 1.5, -2.0, 80.0, np.nan], rows),
    }
    instrument, score = zip(*(ANSWERS[k] for k in rng.integers(0, len(ANSWERS), rows)), strict=True)
    events["surveys"] |= {"instrument": instrument, "score": score}
    frames = {log: pd.DataFrame(columns) for log, columns in events.items()}
    frames["surveys"] = frames["surveys"][: rows // 3]  # some surveys sent bring no answer
    return {log: f.assign(ts=pd.to_datetime(f["ts"], unit="us")) for log, f in frames.items()}


def named(frames):
    """The frames with ids as text."""
    return {log: f.assign(customer_id=f["customer_id"].astype(str)) for log, f in frames.items()}


# ── From frames to logs, with and without DuckDB ────────────────────────────────────────────


def read(frames):
    return read_logs(**frames, contract=CONTRACT)


def logs_of(frames):
    """The logs that `read_logs` must make of the frames, from the folds of the reference."""
    folded = {log: reference.FOLDS[log](frame) for log, frame in frames.items()}
    ids = sorted(set().union(*(fold["customer_id"].astype(str) for fold in folded.values())))
    lines = reference.lines_bought(frames["purchases"]) if "purchases" in frames else None
    if lines is not None:
        folded["lines"] = lines.rename(columns={"product_id": "product"})
    return Logs(
        np.array(ids, dtype=object),
        **{log: events_of(fold, ids) for log, fold in folded.items()},
        instruments=INSTRUMENTS,
    )


HASHED = ("ref", "product", "category", "channel")


def codes_of(texts):
    """A positive number for each text, where `read_logs` has a hash; 0 for a blank one."""
    return pd.Series(pd.factorize(texts.where(texts != ""))[0] + 1, texts.index)


def events_of(fold, ids):
    columns = dict(fold.assign(customer_id=fold["customer_id"].astype(str).map(ids.index)))
    words = {m: sorted(set(columns[m])) for m in ("kind", "instrument") if m in columns}
    columns |= {m: columns[m].map(words[m].index) for m in words}
    columns |= {m: codes_of(columns[m]) for m in HASHED if m in columns}
    order = np.lexsort(list(columns.values())[::-1])
    arrays = {name: values.to_numpy(dtype=np.int64)[order] for name, values in columns.items()}
    vocabularies = {m: tuple(w) for m, w in words.items()}
    return Events(arrays.pop("customer_id"), arrays.pop("ts"), arrays, vocabularies)


def assert_same_events(read, expected):
    assert read.vocabularies == expected.vocabularies
    assert read.columns.keys() == expected.columns.keys()
    np.testing.assert_array_equal(read.customer, expected.customer)
    np.testing.assert_array_equal(read.ts, expected.ts)
    for name, values in expected.columns.items():
        np.testing.assert_array_equal(read.columns[name], values, err_msg=name)


def assert_same_features(built, expected):
    assert built.names == expected.names
    np.testing.assert_array_equal(built.customer_id, expected.customer_id)
    np.testing.assert_array_equal(built.cutoff, expected.cutoff)
    for name in expected.names:
        np.testing.assert_array_equal(built.column(name), expected.column(name), err_msg=name)


def assert_as_in_the_reference(built, frames, cutoffs):
    expected = by_customer(reference.features(frames, [c.us for c in cutoffs]))
    keys = list(zip(built.cutoff, built.customer_id, strict=True))
    assert keys == list(expected.index)
    if keys:
        assert sorted(built.names) == sorted(expected.columns)
        for name in built.names:
            found = built.column(name)
            np.testing.assert_array_equal(
                found, expected[name].to_numpy().astype(found.dtype), err_msg=name
            )


def by_customer(table):
    """The rows of a table with the index (cutoff, customer), sorted by customer, then cutoff."""
    return table.iloc[np.lexsort([table.index.get_level_values(k) for k in (0, 1)])]


# ── Agreement with the reference, to the last bit ───────────────────────────────────────────


@slow
@given(shops())
def test_logs_are_read_as_the_reference_folds_them(frames):
    frames = {log: f.drop(columns="ref", errors="ignore") for log, f in frames.items()}
    logs, expected = read(frames), logs_of(frames)
    assert logs.customer_ids.tolist() == expected.customer_ids.tolist()
    assert logs.events.keys() == expected.events.keys()
    for log, events in expected.events.items():
        assert_same_events(logs.events[log], events)


@slow
@given(shops())
def test_features_of_read_logs_are_those_of_the_reference(frames):
    built = build_features(read(frames), CUTOFFS)
    assert_as_in_the_reference(built, frames, CUTOFFS)
    assert_same_features(built, build_features(logs_of(frames), CUTOFFS))


@settings(quick, max_examples=40)
@given(shops())
def test_features_are_those_of_the_reference(frames):
    assert_as_in_the_reference(build_features(logs_of(frames), CUTOFFS), frames, CUTOFFS)


@pytest.mark.parametrize("seed", range(3))
def test_features_of_long_histories_are_those_of_the_reference(seed):
    frames = big_shop(seed)
    built = build_features(read(frames), CUTOFFS)
    assert_as_in_the_reference(built, named(frames), CUTOFFS)


def test_of_histories_that_outgrow_the_memory_intervals_are_those_of_the_reference(monkeypatch):
    monkeypatch.setattr(lookups, "_CELLS_AT_ONCE", 1)  # one cutoff after the other
    frames = named(big_shop(seed=4))
    cutoffs = [CUTOFF.shifted(-9 * k) for k in range(12)]
    assert_as_in_the_reference(build_features(logs_of(frames), cutoffs), frames, sorted(cutoffs))


@quick
@given(
    shops(logs=("purchases", "activity"), optional=False),
    st.sampled_from(["no_purchase", "no_activity", "event"]),
    st.sampled_from(CUTOFFS),
    st.sampled_from(HORIZONS),
    st.sampled_from(LOOKBACKS),
)
def test_labels_are_those_of_the_reference(frames, churn, at, horizon, lookback):
    logs, question = logs_of(frames), asked(churn, horizon, lookback)
    expected = reference.labels(frames, churn, at.us, horizon, lookback)
    block = BlockIndex(logs)
    rows = block.at(at)
    assert logs.customer_ids.tolist() == expected.index.tolist()
    assert question.at_risk(block, rows).tolist() == expected["at_risk"].tolist()
    assert question.churned(block, rows).tolist() == expected["churned"].tolist()


def asked(churn, horizon, lookback):
    events = {"events": reference.EVENTS} if churn == "event" else {}
    return Question(churn, horizon, lookback, **events)


@pytest.mark.parametrize("churn", ["no_purchase", "no_activity", "event"])
def test_a_dataset_holds_the_customers_at_risk_with_their_labels(churn):
    frames = big_shop(seed=6)
    dataset = build_dataset(read(frames), asked(churn, 30, 90), CUTOFFS)
    frames = named(frames)
    labels = {c.us: reference.labels(frames, churn, c.us, 30, 90) for c in CUTOFFS}
    expected = by_customer(pd.concat(labels).query("at_risk"))
    keys = zip(dataset.features.cutoff, dataset.features.customer_id, strict=True)
    assert list(keys) == list(expected.index)
    assert dataset.churned.tolist() == expected["churned"].tolist()
    assert 0 < dataset.base_rate < 1


# ── The future is invisible ─────────────────────────────────────────────────────────────────


@quick
@given(shops())
def test_features_are_those_of_the_logs_as_they_stood_at_the_cutoff(frames):
    logs = logs_of(frames)
    assert_same_features(build_features(logs, CUTOFF), build_features(logs.before(CUTOFF), CUTOFF))


@slow
@given(shops(ts=before), shops(ts=after, optional=False))
def test_features_are_those_of_rows_cut_before_reading(seen, unseen):
    everything = with_future(seen, unseen)
    cut = {log: f[f["ts"] < pd.Timestamp("2024-03-01")] for log, f in everything.items()}
    assert_same_features(
        build_features(read(everything), CUTOFF), build_features(logs_of(cut), CUTOFF)
    )


@quick
@given(
    shops(ts=before),
    shops(ts=after, optional=False),
    shops(ts=after, optional=False),
    st.booleans(),
)
def test_rows_from_the_cutoff_on_may_come_go_and_change(seen, future, another_future, come):
    known = build_features(logs_of(seen), CUTOFF)
    rows = with_future(with_future(seen, another_future) if come else seen, future)
    assert_same_features(build_features(logs_of(rows), CUTOFF), known)


def with_future(seen, future):
    """The frames with later rows of the same logs and columns."""
    return {
        log: pd.concat([frame, future[log][list(frame.columns)]], ignore_index=True)
        for log, frame in seen.items()
    }


# ── What changes nothing ────────────────────────────────────────────────────────────────────


@slow
@given(shops(), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_nothing(frames, seed):
    shuffled = {log: f.sample(frac=1, random_state=seed) for log, f in frames.items()}
    assert_same_features(
        build_features(read(shuffled), CUTOFFS), build_features(logs_of(frames), CUTOFFS)
    )


@slow
@given(shops(), st.integers(1, 3))
def test_repeated_rows_change_nothing(frames, times):
    doubled = {log: repeated(frame, times) for log, frame in frames.items()}
    logs = read(doubled)
    assert all(check.rejected["duplicate"] for check in logs.checks)
    assert_same_features(build_features(logs, CUTOFFS), build_features(logs_of(frames), CUTOFFS))


@quick
@given(shops())
def test_moving_everything_by_a_week_changes_nothing_but_the_time_of_the_year(frames):
    week = pd.Timedelta(days=7)
    moved = {log: f.assign(ts=f["ts"] + week) for log, f in frames.items()}
    now = build_features(logs_of(frames), CUTOFFS)
    later = build_features(logs_of(moved), [c.shifted(7) for c in CUTOFFS])
    assert later.names == now.names
    assert later.customer_id.tolist() == now.customer_id.tolist()
    names = [name for name in now.names if not name.endswith(("year_sin", "year_cos"))]
    np.testing.assert_array_equal(later.matrix(names), now.matrix(names))


@quick
@given(shops())
def test_new_ids_only_reorder_the_rows(frames):
    new_id = {"10": "z", "9": "y", "b": "x", "A": "0"}
    renamed = {log: f.assign(customer_id=f["customer_id"].map(new_id)) for log, f in frames.items()}
    named, again = (build_features(logs_of(f), CUTOFFS) for f in (frames, renamed))
    assert again.names == named.names
    expected = {(us, new_id[c]): row for us, c, row in rows_by_key(named)}
    assert len(again) == len(named)
    for us, customer, row in rows_by_key(again):
        np.testing.assert_array_equal(row, expected[us, customer])


def rows_by_key(features):
    return zip(features.cutoff, features.customer_id, features.values, strict=True)


@quick
@given(shops(optional=False), shops(optional=False), st.sampled_from(["0", "zz"]))
def test_other_customers_change_no_row(frames, others, prefix):
    strangers = {log: f.assign(customer_id=prefix + f["customer_id"]) for log, f in others.items()}
    logs = logs_of(frames)
    columns = FeatureSpec.learn(logs, CUTOFF).columns()
    own = [column.name for column in columns if not column.feature.streams]
    alone = build_features(logs, CUTOFFS, FeatureSpec.learn(logs, CUTOFF).limited_to(own))
    crowd = build_features(logs_of(with_future(frames, strangers)), CUTOFFS, alone.spec)
    ours = crowd.where(np.isin(crowd.customer_id, ["10", "9", "b", "A"]))
    assert_same_features(ours, alone)


@quick
@given(shops())
def test_several_cutoffs_at_once_are_as_one_at_a_time(frames):
    logs = logs_of(frames)
    together = build_features(logs, CUTOFFS[::-1])
    for c in CUTOFFS:
        alone = build_features(logs, c, together.spec)
        assert_same_features(together.where(together.cutoff == c.us), alone)


@quick
@given(shops(), st.integers(1, 3))
def test_any_block_size_gives_the_same_rows(frames, customers):
    logs = logs_of(frames)
    cut = InBlocks(logs, customers)
    assert_same_features(build_features(cut, CUTOFFS), build_features(logs, CUTOFFS))


class InBlocks:
    """Logs that come in blocks of so many customers."""

    def __init__(self, logs, customers):
        self._logs, self._customers = logs, customers

    def blocks(self):
        return self._logs.blocks(self._customers)

    def __getattr__(self, name):
        return getattr(self._logs, name)


@quick
@given(shops())
def test_lags_that_were_not_announced_are_found_as_well(frames):
    logs = logs_of(frames)
    assume(logs.purchases)
    customers = len(logs.customer_ids)
    at = Observations.of_all(customers, CUTOFFS)
    announced = EventIndex(logs.purchases, customers, {days * DAY for days in LENGTHS})
    asked_late = EventIndex(logs.purchases, customers)
    for days in reference.WINDOWS:
        late = asked_late.count(at, days)
        np.testing.assert_array_equal(late, announced.count(at, days))


def test_a_plan_rehearses_once_for_all_blocks(monkeypatch):
    """What blocks will be asked is found out once, and each of them counts in one pass."""
    rows = [(str(k), CUTOFF.us - k, "visit", None, None) for k in range(1, 9)]
    logs = logs_of({"activity": frame_of("activity", rows)})
    plan, rehearsals = plan_features(logs, CUTOFF), []
    rehearse = type(plan)._rehearse
    monkeypatch.setattr(
        type(plan), "_rehearse", lambda *given: (rehearsals.append(1), rehearse(*given))
    )
    for block in logs.blocks(2):
        list(plan.rows(block))
    assert rehearsals == [1]


def test_event_names_may_be_many():
    words = tuple(f"page_{k:05}" for k in range(70_000))
    kind = np.arange(len(words))[::-1]
    events = Events(np.zeros_like(kind), CUTOFF.us - 1 - kind, {"kind": kind}, {"kind": words})
    activity, at = ActivityIndex(events, 1), Observations.of_all(1, [CUTOFF])
    for word in words[::9_999]:
        assert activity.of(word).count(at).tolist() == [1]
        assert activity.of(word).events.ts.tolist() == [CUTOFF.us - 1 - words.index(word)]


def test_logs_without_customers_give_an_empty_table():
    nobody = np.array([], dtype=object)
    none = np.array([], dtype=np.int64)
    logs = Logs(nobody, purchases=Events(none, none, {"is_return": none, "amount": none}))
    features = build_features(logs, CUTOFF)
    assert len(features) == 0
    assert features.values.shape == (0, len(features.names))
    assert "spend_sum_90d" in features.names


def test_a_cutoff_before_every_event_gives_an_empty_table():
    logs = logs_of({"activity": frame_of("activity", [("9", CUTOFF.us, "visit", None, None)])})
    features = build_features(logs, CUTOFF)
    assert len(features) == 0
    assert features.spec == FeatureSpec({"activity": ("kind", "ref", "value", "valued")})


def test_a_cutoff_named_twice_gives_its_rows_once():
    logs = logs_of({"activity": frame_of("activity", [("9", EARLIER.us, "visit", None, None)])})
    assert_same_features(build_features(logs, [CUTOFF, CUTOFF]), build_features(logs, CUTOFF))


def test_features_at_no_cutoff_are_refused():
    logs = logs_of({"activity": frame_of("activity", [("9", EARLIER.us, "visit", None, None)])})
    with pytest.raises(ValueError, match="at no cutoff"):
        build_features(logs, [])


# ── What the authors of features may rely on ────────────────────────────────────────────────


@pytest.fixture
def visits():
    """One customer's visits, one, two and four days before the cutoff, and one that is to come."""
    ts = CUTOFF.us - np.array([4, 2, 1, -1]) * DAY
    return EventIndex(Events(np.zeros(4, dtype=np.int64), ts, {"value": np.arange(4)}), 1)


def test_what_features_share_cannot_be_written_to(visits):
    at = Observations.of_all(1, [CUTOFF])
    value = np.array([10.0])
    block = BlockIndex(Logs(np.array(["anna"], dtype=object), yearly_value=value))
    shared = [visits.count(at), at.us, at.customer, at.nth, visits.events.ts]
    shared += [visits.events.columns["value"], block.customer_ids, block.yearly_value]
    for values in shared:
        with pytest.raises(ValueError, match="read-only"):
            values[:] = 0
    assert visits.count(at).tolist() == [3]
    value[:] = 20  # what the caller gave stays the caller's


@pytest.mark.parametrize(
    "ask",
    [
        lambda visits, at: visits.count(at, 30, ago=-30),
        lambda visits, at: visits.count(at, -30),
        lambda visits, at: visits.sum("value", at, 30, ago=-1),
        lambda visits, at: visits.last("value", at, back=-1),
        lambda visits, at: visits.days_since_nth(0, at),
        lambda visits, at: visits.gap_quantile(90, at),
        lambda visits, at: visits.gap_quantile(0, at),
    ],
)
def test_what_would_be_the_future_or_of_somebody_else_is_refused(visits, ask):
    with pytest.raises(ValueError, match=r"future|is the first|quantile"):
        ask(visits, Observations.of_all(1, [CUTOFF]))


def test_quantiles_of_intervals_are_those_before_the_cutoff(visits):
    at = Observations.of_all(1, [CUTOFF.shifted(-3), CUTOFF.shifted(-1), CUTOFF, CUTOFF.shifted(2)])
    np.testing.assert_array_equal(visits.gap_quantile(1.0, at), [np.nan, 2, 2, 2])
    np.testing.assert_array_equal(visits.gap_median(at), [np.nan, 2, 1.5, 2])


def test_observations_may_come_in_any_order_and_more_than_once(visits):
    cutoffs = (CUTOFF, CUTOFF.shifted(2))
    at = Observations(np.zeros(3, dtype=np.int64), np.array([1, 0, 1]), cutoffs)
    assert visits.count(at).tolist() == [4, 3, 4]
    assert visits.gap_median(at).tolist() == [2, 1.5, 2]


def test_an_index_that_is_gone_is_not_taken_for_the_next_one(visits):
    """Python gives the place of an object that is gone to the next one."""
    at = Observations.of_all(1, [CUTOFF])
    for day, later in [(4, 2), (2, 1), (1, 0)] * 3:
        ts = np.array([CUTOFF.us - day * DAY])
        other = EventIndex(Events(np.zeros(1, dtype=np.int64), ts, {}), 1)
        assert visits.count_after_last(other, at).tolist() == [later]
        del other


def test_what_closes_a_ticket_is_up_to_the_author():
    kinds = ("answered", "asked", "gave_up")
    ts = CUTOFF.us - np.array([3, 2, 1]) * DAY
    events = Events(np.zeros(3, dtype=np.int64), ts, {"kind": np.array([1, 1, 2])}, {"kind": kinds})
    activity, at = ActivityIndex(events, 1), Observations.of_all(1, [CUTOFF])
    assert activity.tickets("asked", "answered").open_count(at).tolist() == [2]
    assert activity.tickets("asked", "gave_up").open_count(at).tolist() == [1]


def test_what_is_asked_is_found_out_from_nobody():
    """Each customer is looked at once, be it one with millions of events."""
    logs, asked = logs_of(big_shop(seed=5)), []

    def counted(block, at):
        asked.append(len(at))
        return known(block, at)

    plan = plan_features(logs, CUTOFFS)
    for _ in plan.rows(logs, counted):
        pass
    assert asked == [logs.customer_count * len(CUTOFFS)]
