"""The contract of the logs: what a row must hold, what is made of it, and why one is set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from same import assert_same_logs
from tables import drawn, logs_of

from churnkit.clock import Cutoff
from churnkit.errors import ConfigError, DataError
from churnkit.features import build_features
from churnkit.logs import (
    MONEY_UNITS,
    SCHEMAS,
    SCORE_UNITS,
    Contract,
    Instrument,
    LogMapping,
    Logs,
)
from churnkit.logs.check import all_reasons
from churnkit.sources import read_logs

LAX = Contract(max_rejected_share=1.0)

GOOD = {
    "purchases": {"customer_id": "anna", "ts": "2024-01-01", "amount": "10", "quantity": "1"},
    "activity": {"customer_id": "anna", "ts": "2024-01-01", "event": "visit", "value": "1"},
    "surveys": {"customer_id": "anna", "ts": "2024-01-01", "instrument": "nps", "score": "9"},
    "customers": {"customer_id": "anna", "value": "100"},
}


def read(log: str, *rows: dict[str, object], contract: Contract = LAX) -> Logs:
    """The logs of these rows, beside a purchase where the log cannot stand alone."""
    frames = {log: pd.DataFrame(list(rows), dtype=object)}
    if log in {"surveys", "customers"}:
        frames["purchases"] = pd.DataFrame([GOOD["purchases"]])
    return read_logs(**frames, contract=contract)


def set_aside(logs: Logs) -> list[tuple[int, str, str | None]]:
    """Row, reason and value at fault of every row set aside."""
    return [(row["row"], row["reason"], row["found"]) for row in logs.rejected.to_pylist()]


def check_of(logs: Logs, log: str):
    return next(check for check in logs.checks if check.log == log)


# ── Every reason, by the smallest log that shows it ─────────────────────────────────────────

FILL, NUMBER, FINITE, UNIT = "Fill", "Write a plain number", "NaN and infinity", "Check the unit"
TIME, SPAN = "Write YYYY-MM-DD HH:MM:SS of a day that exists", "between 1970-01-01 and 2200-01-01"
SCALE = "[logs.surveys.instruments]"

FAULTS = {
    # log: (column, value at fault, reason, what the mend says)
    "purchases": [
        ("customer_id", "", "missing_customer_id", FILL),
        ("customer_id", "   ", "missing_customer_id", FILL),
        ("customer_id", None, "missing_customer_id", FILL),
        ("ts", None, "missing_ts", FILL),
        ("ts", "yesterday", "unreadable_ts", TIME),
        ("ts", "2024-02-30", "unreadable_ts", TIME),
        ("ts", "1969-12-31", "implausible_ts", SPAN),
        ("ts", "2924-01-01", "implausible_ts", SPAN),
        ("amount", None, "missing_amount", FILL),
        ("amount", "12,50", "unreadable_amount", NUMBER),
        ("amount", "NaN", "amount_not_finite", FINITE),
        ("amount", "2e12", "amount_too_large", UNIT),
        ("quantity", "two", "unreadable_quantity", NUMBER),
        ("quantity", "inf", "quantity_not_finite", FINITE),
        ("quantity", "2e12", "quantity_too_large", UNIT),
        ("unit_price", "cheap", "unreadable_unit_price", NUMBER),
        ("unit_price", "inf", "unit_price_not_finite", FINITE),
        ("unit_price", "2e12", "unit_price_too_large", UNIT),
        ("discount", "10%", "unreadable_discount", NUMBER),
        ("discount", "-inf", "discount_not_finite", FINITE),
        ("discount", "2e12", "discount_too_large", UNIT),
    ],
    "activity": [
        ("customer_id", None, "missing_customer_id", FILL),
        ("ts", "", "missing_ts", FILL),
        ("ts", "soon", "unreadable_ts", TIME),
        ("event", " ", "missing_event", FILL),
        ("value", "many", "unreadable_value", NUMBER),
        ("value", "-inf", "value_not_finite", FINITE),
        ("value", "-2e12", "value_too_large", UNIT),
    ],
    "surveys": [
        ("customer_id", "", "missing_customer_id", FILL),
        ("ts", "0", "unreadable_ts", TIME),
        ("instrument", None, "missing_instrument", FILL),
        ("instrument", "mood", "unknown_instrument", SCALE),
        ("score", "", "missing_score", FILL),
        ("score", "ten", "unreadable_score", NUMBER),
        ("score", "nan", "score_not_finite", FINITE),
        ("score", "1e13", "score_too_large", UNIT),
        ("score", "11", "score_outside_scale", SCALE),
        ("score", "-1", "score_outside_scale", SCALE),
    ],
    "customers": [
        ("customer_id", "", "missing_customer_id", FILL),
        ("value", "a lot", "unreadable_value", NUMBER),
        ("value", "inf", "value_not_finite", FINITE),
        ("value", "-9e99", "value_too_large", UNIT),
        ("since", "long ago", "unreadable_since", TIME),
        ("since", "1066-10-14", "implausible_since", SPAN),
    ],
}


@pytest.mark.parametrize("log", FAULTS)
def test_a_faulty_row_is_set_aside_with_its_number_value_and_mend(log):
    bad = [{**GOOD[log], "customer_id": "ben", column: cell} for column, cell, *_ in FAULTS[log]]
    logs = read(log, GOOD[log], *bad)
    told = logs.rejected.to_pylist()
    assert [(t["row"], t["reason"], t["found"]) for t in told] == [
        (row, reason, cell) for row, (_, cell, reason, _) in enumerate(FAULTS[log], start=2)
    ]
    for row, (*_, mend) in zip(told, FAULTS[log], strict=True):
        assert mend in row["mend"]
        assert (row["log"], row["file"]) == (log, f"the {log} frame")
    assert check_of(logs, log).rejected == Counter(reason for _, _, reason, _ in FAULTS[log])


def test_no_reason_is_left_without_an_example():
    told = {reason.code for log in SCHEMAS for reason in all_reasons(log)}
    # These need declarations; see test_account.py, test_reading.py and test_forget.py.
    told -= {"excluded", "duplicate", "unknown_currency", "forgotten"}
    assert {reason for faults in FAULTS.values() for *_, reason, _ in faults} == told


def test_a_row_with_several_faults_is_counted_once_for_its_first_column():
    logs = read("purchases", GOOD["purchases"], {"customer_id": None, "ts": "?", "amount": "?"})
    assert set_aside(logs) == [(2, "missing_customer_id", None)]


def test_rows_set_aside_are_told_log_by_log_in_the_order_of_the_source():
    logs = logs_of(
        purchases="""
            customer | ts         | amount
            anna     | never      | 10
            anna     | 2024-01-01 | 10
                     | 2024-01-02 | 10
        """,
        activity="""
            customer | ts         | event
            anna     | 2024-01-01 | visit
            anna     | 2024-01-01 |
        """,
        contract=LAX,
    )
    assert [(r["log"], r["row"], r["reason"]) for r in logs.rejected.to_pylist()] == [
        ("purchases", 1, "unreadable_ts"),
        ("purchases", 3, "missing_customer_id"),
        ("activity", 2, "missing_event"),
    ]


def test_the_check_tells_what_became_of_every_row():
    logs = logs_of(
        purchases="""
            customer | ts               | amount | order_id
            anna     | 2024-01-01 10:00 | 10     | A1
            anna     | 2024-01-01 10:00 | 5      | A1
            anna     | 2024-01-01 10:00 | 5      | A1
            ben      | 2024-01-03       | 7      | B1
            ben      | 2024-01-04       |        | B2
            ben      | 2024-01-05       |        | B3
        """,
        contract=LAX,
    )
    (check,) = logs.checks
    assert (check.log, check.source) == ("purchases", "the purchases frame")
    assert (check.read, check.kept, check.folded, check.customers) == (6, 3, 2, 2)
    assert list(check.rejected.items()) == [("missing_amount", 2), ("duplicate", 1)]
    assert check.faulty == 2
    assert (check.first, check.last) == (us("2024-01-01 10:00"), us("2024-01-03"))


# ── Nothing is silently dropped ─────────────────────────────────────────────────────────────

IDS = st.sampled_from(["anna", " anna", "ben", "00123", "123", "", " ", None, "nan"])
TIMES = st.sampled_from(
    ["2024-01-01", "2024-01-01 00:00:00", "2024-06-30T12:00:00+02:00", "1066-10-14", "", None, "?"]
)
AMOUNTS = st.sampled_from(["1", "1.00", "-2.5", "0", "nan", "inf", "1e308", "", None, "x"])
SCORES = st.sampled_from(["0", "7", "10", "11", "-1", "", None, "good", "inf"])
EVENTS = st.sampled_from(["visit", "Visit ", "what's new?", "; DROP", "", None])
MESSY = {
    "purchases": st.fixed_dictionaries({"customer_id": IDS, "ts": TIMES, "amount": AMOUNTS}),
    "activity": st.fixed_dictionaries({"customer_id": IDS, "ts": TIMES, "event": EVENTS}),
    "surveys": st.fixed_dictionaries(
        {"customer_id": IDS, "ts": TIMES, "instrument": EVENTS | st.just("nps"), "score": SCORES}
    ),
}


@pytest.mark.parametrize("log", MESSY)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_every_row_is_either_kept_or_set_aside(log, data):
    rows = [GOOD[log], *data.draw(st.lists(MESSY[log], max_size=40))]
    logs = read(log, *rows)
    check = check_of(logs, log)
    told = logs.rejected.to_pylist()
    assert check.read == len(rows)
    assert check.kept + len(told) == check.read
    assert sum(check.rejected.values()) == len(told)
    assert sorted({row["row"] for row in told}) == [row["row"] for row in told]
    assert {row["row"] for row in told} <= set(range(2, len(rows) + 1))
    assert all(logs.customer_ids)
    assert [name.strip() for name in logs.customer_ids] == list(logs.customer_ids)
    if log == "purchases":
        assert_the_money_of_the_log_is_that_of_the_kept_rows(logs, rows)


def assert_the_money_of_the_log_is_that_of_the_kept_rows(logs, rows):
    aside = {row for row, *_ in set_aside(logs)}
    kept = [row for number, row in enumerate(rows, start=1) if number not in aside]
    assert logs.purchases.columns["amount"].sum() == sum(100 * float(r["amount"]) for r in kept)


# ── Exact repetitions ───────────────────────────────────────────────────────────────────────


def test_a_row_that_is_repeated_exactly_counts_once():
    logs = logs_of(
        purchases="""
            customer | ts         | amount | order_id
            anna     | 2024-01-01 | 10     | A1
            anna     | 2024-01-01 | 10.00  | A1
             anna    | 2024-01-01 | 10     | A1
            anna     | 2024-01-01 | 10     | A2
            anna     | 2024-01-02 | 10     | A1
        """
    )
    assert set_aside(logs) == [(2, "duplicate", None), (3, "duplicate", None)]
    assert logs.purchases.columns["amount"].tolist() == [2000, 1000]


def test_repetitions_are_no_faults():
    strict = Contract(max_rejected_share=0.0)
    logs = read("purchases", *[GOOD["purchases"]] * 100, contract=strict)
    (check,) = logs.checks
    assert (check.read, check.kept, check.faulty) == (100, 1, 0)
    assert check.rejected == {"duplicate": 99}


ROWS = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from("abc"),
        "ts": st.sampled_from(["2024-01-01", "2024-01-02", "2024-02-01"]),
        "amount": st.sampled_from(["5", "10", "-5"]),
        "order_id": st.sampled_from(["1", "2", None]),
    }
)


@settings(max_examples=8, deadline=None)
@given(
    rows=st.lists(ROWS, min_size=1, max_size=8, unique_by=lambda r: tuple(r.values())),
    data=st.data(),
)
def test_repetitions_and_row_order_change_no_feature(rows, data):
    repeated = rows + data.draw(st.lists(st.sampled_from(rows), min_size=1, max_size=5))
    shuffled = data.draw(st.permutations(repeated))
    once, again = read("purchases", *rows), read("purchases", *shuffled)
    assert_same_logs(once, again)
    at = Cutoff.parse("2024-03-01")
    pd.testing.assert_frame_equal(
        build_features(once, at).to_frame(), build_features(again, at).to_frame()
    )


# ── Ids are text ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("column", "ids"),
    [
        (["00123", "123"], ["00123", "123"]),
        (["  anna ", "\tben\n"], ["anna", "ben"]),
        (["anna\u00a0", "\u2003ben"], ["anna", "ben"]),
        ([123, 45], ["123", "45"]),
        ([123.0, 45.0], ["123", "45"]),
        ([123.5, -0.0], ["0", "123.5"]),
        ([123.0, None], ["123"]),
        ([123, "00123"], ["00123", "123"]),
        ([123, 123.0, "123"], ["123"]),
        ([True, "x"], ["True", "x"]),
        (["Ünal", "آنا"], ["Ünal", "آنا"]),
        (["a'b", 'a"b', "a;b"], ['a"b', "a'b", "a;b"]),
    ],
)
def test_ids_are_kept_as_text(column, ids):
    frame = pd.DataFrame({"customer_id": column, "ts": "2024-01-01"})
    assert sorted(read_logs(frame, contract=LAX).customer_ids) == sorted(ids)


def test_a_gap_in_a_column_of_numbers_is_no_customer():
    # Parquet and Arrow keep NaN and null apart; neither names anyone.
    ids = pa.array([1.0, float("nan"), None, float("inf")])
    logs = read_logs(pa.table({"customer_id": ids, "ts": ["2024-01-01"] * 4}), contract=LAX)
    assert list(logs.customer_ids) == ["1"]
    assert [(row, reason) for row, reason, _ in set_aside(logs)] == [
        (2, "missing_customer_id"),
        (3, "missing_customer_id"),
        (4, "missing_customer_id"),
    ]


def test_a_gap_in_a_column_of_order_numbers_is_no_order():
    orders = pa.array([float("nan"), float("nan"), 7.0, 7.0])
    table = {"customer_id": ["anna"] * 4, "ts": ["2024-01-01"] * 4, "amount": [3, -1, 4, -6]}
    logs = read_logs(pa.table({**table, "order_id": orders}))
    assert logs.purchases.columns["is_return"].tolist() == [0, 1]
    assert logs.purchases.columns["amount"].tolist() == [300, -300]


# ── Amounts ─────────────────────────────────────────────────────────────────────────────────


CENTS = {
    "10": 1000,
    "10.25": 1025,
    "-3.2": -320,
    "0": 0,
    "-0.0": 0,
    " 7 ": 700,
    "1e3": 100_000,
    "+5": 500,
    "0.004": 0,
    "999999999999.99": 99_999_999_999_999,
    12: 1200,
    0.1 + 0.2: 30,
    np.float32(1.1): 110,
}


def test_amounts_are_whole_cents():
    rows = [{**GOOD["purchases"], "customer_id": n, "amount": c} for n, c in enumerate(CENTS, 100)]
    amounts = read("purchases", *rows).purchases.columns["amount"].tolist()
    assert dict(zip(CENTS, amounts, strict=True)) == CENTS


NO_MONEY = {
    np.nan: "missing_amount",
    pd.NA: "missing_amount",
    float("inf"): "amount_not_finite",
    float("-inf"): "amount_not_finite",
    "NaN": "amount_not_finite",
    "1e309": "amount_not_finite",
    1e308: "amount_too_large",
    -1e308: "amount_too_large",
    "1.234,50": "unreadable_amount",
    "€ 5": "unreadable_amount",
}


def test_amounts_that_are_no_money():
    rows = [{**GOOD["purchases"], "amount": cell} for cell in NO_MONEY]
    reasons = [reason for _, reason, _ in set_aside(read("purchases", GOOD["purchases"], *rows))]
    assert dict(zip(NO_MONEY, reasons, strict=True)) == NO_MONEY


def test_an_amount_that_is_not_mapped_cannot_be_missing():
    columns = {"customer_id": "customer_id", "ts": "ts"}
    contract = Contract({"purchases": LogMapping(columns)}, max_rejected_share=0.0)
    row = {**GOOD["purchases"], "amount": None}
    assert not read("purchases", row, contract=contract).has_amounts


# ── Times ───────────────────────────────────────────────────────────────────────────────────


def us(moment: str) -> int:
    """Microseconds UTC of ISO text."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1_000_000)


def times(cells: Sequence[object], zone: str = "UTC", time_format: str | None = None) -> list[str]:
    """How the cells are read, as ISO text in UTC."""
    contract = Contract({"purchases": LogMapping(time_format=time_format)}, zone=zone)
    frame = pd.DataFrame({"customer_id": range(100, 100 + len(cells)), "ts": cells})
    read_as = read_logs(frame, contract=contract).purchases.ts
    return [str(moment) for moment in read_as.astype("datetime64[us]").astype("datetime64[s]")]


TIMES_AS_TEXT = {
    # Naive times are in the business zone, and a bare date is the start of that day.
    "UTC": {
        "2024-01-01": "2024-01-01T00:00:00",
        "2024-01-01 10:00:00": "2024-01-01T10:00:00",
        "2024-01-01T10:00": "2024-01-01T10:00:00",
        "2024-01-01 10:00:00.999": "2024-01-01T10:00:00",
        "2024/1/5 1:02": "2024-01-05T01:02:00",
        "  2024-01-01  ": "2024-01-01T00:00:00",
        "2024-01-01 24:00:00": "2024-01-02T00:00:00",
    },
    "Europe/Berlin": {
        "2024-01-01": "2023-12-31T23:00:00",
        "2024-07-01": "2024-06-30T22:00:00",
        "2024-07-01 10:00": "2024-07-01T08:00:00",
    },
    # An offset or a named zone wins over the business zone.
    "Asia/Tehran": {
        "2024-01-01": "2023-12-31T20:30:00",
        "2024-01-01T10:00:00Z": "2024-01-01T10:00:00",
        "2024-01-01 10:00:00+02:00": "2024-01-01T08:00:00",
        "2024-01-01 10:00:00.5-0530": "2024-01-01T15:30:00",
        "2024-01-01 10:00+02": "2024-01-01T08:00:00",
        "2024-01-01 10:00:00 UTC": "2024-01-01T10:00:00",
        "2024-01-01 10:00:00 America/New_York": "2024-01-01T15:00:00",
    },
}


@pytest.mark.parametrize("zone", TIMES_AS_TEXT)
def test_times_as_text(zone):
    told = TIMES_AS_TEXT[zone]
    assert dict(zip(told, times(list(told), zone), strict=True)) == told


CLOCK_CHANGES = {
    # The hour that is skipped moves forward by its length: 02:30 is read as 03:30. The hour
    # that comes twice is taken for the second one, in winter time.
    "Europe/Berlin": {
        "2024-03-31 02:30:00": "2024-03-31T01:30:00",
        "2024-10-27 02:30:00": "2024-10-27T01:30:00",
    },
    "America/New_York": {
        "2024-03-10 02:30:00": "2024-03-10T07:30:00",
        "2024-11-03 01:30:00": "2024-11-03T06:30:00",
    },
}


@pytest.mark.parametrize("zone", CLOCK_CHANGES)
def test_naive_times_in_the_hour_when_clocks_change(zone):
    local, utc = list(CLOCK_CHANGES[zone]), list(CLOCK_CHANGES[zone].values())
    assert times(local, zone) == utc
    assert times(pd.to_datetime(local), zone) == utc


@pytest.mark.parametrize(
    ("cells", "time_format"),
    [
        ([1704103200, 1704103201], "epoch_s"),
        (["1704103200", "1704103201.0"], "epoch_s"),
        ([1704103200000, 1704103201000], "epoch_ms"),
        ([1.7041032e12, 1.704103201e12], "epoch_ms"),
        (["01/01/2024 10:00:00", "01/01/2024 10:00:01"], "%d/%m/%Y %H:%M:%S"),
        (["20240101100000", "20240101100001"], "%Y%m%d%H%M%S"),
        ([20240101100000, 20240101100001], "%Y%m%d%H%M%S"),
    ],
)
def test_times_by_a_declared_format(cells, time_format):
    assert times(cells, "UTC", time_format) == ["2024-01-01T10:00:00", "2024-01-01T10:00:01"]


def test_epochs_know_no_zone_and_patterns_do():
    assert times([1704103200], "Asia/Tehran", "epoch_s") == ["2024-01-01T10:00:00"]
    assert times(["01.01.2024"], "Asia/Tehran", "%d.%m.%Y") == ["2023-12-31T20:30:00"]
    pattern = "%d.%m.%Y %H:%M %z"
    assert times(["01.01.2024 10:00 +0200"], "Asia/Tehran", pattern) == ["2024-01-01T08:00:00"]


def test_times_that_cannot_be_read_as_told():
    cells = ["2024-01-01 10:00 PM", "10:00", "2024-13-01", "2024-01-01 25:00", "1704103200", "now"]
    rows = [{**GOOD["purchases"], "ts": cell} for cell in cells]
    assert set_aside(read("purchases", GOOD["purchases"], *rows)) == [
        (row, "unreadable_ts", cell) for row, cell in enumerate(cells, start=2)
    ]


def test_an_open_end_is_no_time():
    frame = pd.DataFrame({"customer_id": "a", "ts": ["2024-01-01", "9999-12-31", "0001-01-01"]})
    for ts in (frame["ts"], frame["ts"].astype("datetime64[s]")):
        (check,) = read_logs(frame.assign(ts=ts), contract=LAX).checks
        assert check.rejected == {"implausible_ts": 2}


def test_numbers_do_not_say_what_they_count():
    with pytest.raises(DataError, match=r"the purchases frame: .* BIGINT.* count") as told:
        times([1704103200])
    assert "epoch_s" in told.value.mend


@pytest.mark.parametrize("time_format", ["%Q", "epoch", "iso", "%d/%m/%"])
def test_a_format_that_is_none(time_format):
    with pytest.raises(ConfigError, match="purchases log is no pattern") as told:
        times(["2024-01-01"], "UTC", time_format)
    assert repr(time_format) in told.value.found


def test_an_unknown_zone():
    with pytest.raises(ConfigError, match="'Mars/Olympus' is unknown"):
        times(["2024-01-01"], "Mars/Olympus")


# ── Survey scales ───────────────────────────────────────────────────────────────────────────


def scored(instrument: str, scores: list[object], *declared: Instrument) -> list[str]:
    """``"kept"`` or the reason for which an answer is set aside, for each score."""
    contract = Contract(max_rejected_share=1.0, **({"instruments": declared} if declared else {}))
    answers = [{**GOOD["surveys"], "instrument": instrument, "score": score} for score in scores]
    reasons = {
        row: reason for row, reason, _ in set_aside(read("surveys", *answers, contract=contract))
    }
    return [reasons.get(row, "kept") for row, _ in enumerate(scores, start=1)]


@pytest.mark.parametrize(
    ("instrument", "low", "high"),
    [("nps", 0, 10), ("ces", 1, 7), ("csat", 1, 5), ("intent", 1, 5)],
)
def test_both_ends_of_a_scale_belong_to_it(instrument, low, high):
    outside = "score_outside_scale"
    ends = [low - 0.001, low, high, high + 0.001]
    assert scored(instrument, ends) == [outside, "kept", "kept", outside]


def test_a_shop_may_declare_its_own_scale():
    outside = "score_outside_scale"
    assert scored("nps", [0, 1, 10], Instrument("nps", 1, 10)) == [outside, "kept", "kept"]
    assert scored("talk", [99.5, 101], Instrument("talk", 0, 100)) == ["kept", outside]


def test_what_is_declared_is_all_there_is():
    answers = """
        customer | ts         | instrument | score
        anna     | 2024-01-01 | quality    | 5
        anna     | 2024-01-01 | nps        | 5
    """
    contract = Contract(instruments=(Instrument("quality", 0, 10),), max_rejected_share=1.0)
    logs = read_logs(
        drawn("customer|ts\nanna|2024-01-01"), surveys=drawn(answers), contract=contract
    )
    assert set_aside(logs) == [(2, "unknown_instrument", "nps")]


def test_names_of_questions_know_no_case():
    assert scored(" NPS ", [9]) == ["kept"]
    assert scored("Mood", [5, 7], Instrument("MOOD", 1, 6)) == ["kept", "score_outside_scale"]


@pytest.mark.parametrize(("low", "high"), [(5, 5), (5, 1), (0, float("inf")), (float("nan"), 5)])
def test_a_scale_runs_from_low_to_high(low, high):
    with pytest.raises(ValueError, match="scale of mood"):
        Instrument("mood", low, high)


# ── Kinds of events ─────────────────────────────────────────────────────────────────────────


def kinds_of(events: Sequence[str], kinds: dict[str, str] | None = None) -> dict[str, str]:
    """Event → the kind it becomes."""
    customers = range(100, 100 + len(events))
    frame = pd.DataFrame({"customer_id": customers, "ts": "2024-01-01", "event": events})
    activity = read_logs(activity=frame, contract=Contract(kinds=kinds or {})).activity
    words = activity.vocabularies["kind"]
    told = [words[code] for code in activity.columns["kind"]]
    return dict(zip(events, told, strict=True))


def test_known_kinds_are_found_whatever_their_case():
    assert kinds_of(["visit", "Login", " COMPLAINT_OPENED "]) == {
        "visit": "visit",
        "Login": "login",
        " COMPLAINT_OPENED ": "complaint_opened",
    }


def test_declared_events_become_their_kind_and_win_over_known_ones():
    kinds = {"unregister": "cancellation", " Kündigung": " Cancellation ", "visit": "showroom"}
    assert kinds_of(["Unregister ", "kündigung", "visit", "login"], kinds) == {
        "Unregister ": "cancellation",
        "kündigung": "cancellation",
        "visit": "showroom",
        "login": "login",
    }


def test_other_events_keep_their_own_name_as_a_slug():
    assert kinds_of(["Price-List (PDF)", "Ünder_müde", "خرید"]) == {
        "Price-List (PDF)": "price_list_pdf",
        "Ünder_müde": "ünder_müde",
        "خرید": "خرید",
    }


def test_events_without_a_letter_keep_their_name_as_it_is():
    assert kinds_of(["!!!", "🎉"]) == {"!!!": "!!!", "🎉": "🎉"}


# ── Names that would break careless SQL ─────────────────────────────────────────────────────

WICKED = ['x"; DROP TABLE t; --', "it's", "a'b\"c", "sel ect", "row", "reason", "найм", "%s {0}"]


def test_any_column_name_can_be_mapped():
    frame = pd.DataFrame([["anna", "2024-01-01", 1, "A", "P", 2]] * 2, columns=WICKED[:6])
    frame.iloc[1, 0] = ""
    names = ("customer_id", "ts", "amount", "order_id", "product_id", "quantity")
    mapping = LogMapping(dict(zip(names, WICKED, strict=False)))
    logs = read_logs(frame, contract=Contract({"purchases": mapping}, max_rejected_share=1.0))
    assert list(logs.customer_ids) == ["anna"]
    assert set_aside(logs) == [(2, "missing_customer_id", "")]
    assert {name: values.tolist() for name, values in logs.purchases.columns.items()} == {
        "is_return": [0],
        "amount": [100],
        "items": [2000],
        "products": [1],
    }


def test_names_of_our_own_do_not_clash_with_those_of_the_source():
    ours = dict.fromkeys(("row", "reason", "found", "nth", "raw_ts", "raw_amount", "customer"), "x")
    logs = read(
        "purchases", {**ours, **GOOD["purchases"]}, {**ours, **GOOD["purchases"], "ts": "?"}
    )
    assert set_aside(logs) == [(2, "unreadable_ts", "?")]


def test_any_event_and_any_kind_can_be_named():
    assert kinds_of(WICKED, dict.fromkeys(WICKED, "renewal")) == dict.fromkeys(WICKED, "renewal")
    same = {name: name.lower() for name in WICKED}
    assert kinds_of(WICKED, same) == same


def test_any_question_can_be_named():
    instruments = tuple(Instrument(name, 1, 6) for name in WICKED)
    rows = [{**GOOD["surveys"], "instrument": n, "score": s} for n in WICKED for s in (6, 7)]
    logs = read(
        "surveys", *rows, contract=Contract(instruments=instruments, max_rejected_share=1.0)
    )
    assert logs.surveys.vocabularies["instrument"] == tuple(sorted(n.lower() for n in WICKED))
    assert {reason for _, reason, _ in set_aside(logs)} == {"score_outside_scale"}


# ── The customers log ───────────────────────────────────────────────────────────────────────


def test_yearly_values_go_to_the_customers_of_the_other_logs():
    logs = logs_of(
        purchases="""
            customer | ts         | amount
            anna     | 2024-01-01 | 10
            ben      | 2024-01-01 | 10
            cleo     | 2024-01-01 | 10
        """,
        customers="""
            customer | value
            ben      | 250.50
            dora     | 99
            cleo     |
        """,
    )
    assert list(logs.customer_ids) == ["anna", "ben", "cleo"]
    np.testing.assert_array_equal(logs.yearly_value, [np.nan, 250.5, np.nan])


def test_a_customer_listed_twice_keeps_the_first_value():
    logs = logs_of(
        purchases="customer|ts\nanna|2024-01-01",
        customers="""
            customer | value
            anna     | 100
            anna     | 200
             anna    | 300
        """,
    )
    assert set_aside(logs) == [(2, "duplicate", None), (3, "duplicate", None)]
    assert logs.yearly_value.tolist() == [100]


def test_a_faulty_line_does_not_hide_a_good_one():
    logs = logs_of(
        purchases="customer|ts\nanna|2024-01-01",
        customers="customer|value\nanna|much\nanna|200",
        contract=LAX,
    )
    assert set_aside(logs) == [(1, "unreadable_value", "much")]
    assert logs.yearly_value.tolist() == [200]


def test_customers_need_no_value():
    logs = logs_of(purchases="customer|ts\nanna|2024-01-01", customers="customer\nanna")
    assert logs.yearly_value is None


# ── When reading stops ──────────────────────────────────────────────────────────────────────


def rows_with_gaps(gaps: int, of: int) -> list[dict[str, object]]:
    days = pd.date_range("2024-01-01", periods=of).astype(str)
    customers = [None if day < gaps else "anna" for day in range(of)]
    return [{"customer_id": c, "ts": d} for c, d in zip(customers, days, strict=True)]


def test_the_limit_itself_is_allowed():
    logs = read("purchases", *rows_with_gaps(1, of=20), contract=Contract(max_rejected_share=0.05))
    assert check_of(logs, "purchases").faulty == 1


def test_too_many_faulty_rows_stop_the_reading():
    rows = [*rows_with_gaps(2, of=20), {"customer_id": "anna", "ts": "?"}]
    with pytest.raises(DataError) as told:
        read("purchases", *rows, *rows[-2:], contract=Contract(max_rejected_share=0.05))
    assert told.value.exit_code == 3
    assert told.value.found == (
        "the purchases frame: 17.4% of 23 rows are set aside "
        "(2 missing_customer_id, 2 unreadable_ts, 1 duplicate), more than the allowed 5.0%"
    )
    assert "max_rejected_share" in told.value.mend


def test_nothing_left_is_no_log():
    with pytest.raises(
        DataError, match=r"none of 3 rows keeps .*\(3 missing_customer_id\)"
    ) as told:
        read("purchases", *rows_with_gaps(3, of=3))
    assert "column mapping" in told.value.mend


@pytest.mark.parametrize("log", GOOD)
def test_an_empty_log_is_a_fault(log):
    empty = pd.DataFrame([GOOD[log]]).iloc[:0]
    logs = {"purchases": pd.DataFrame([GOOD["purchases"]]), log: empty}
    with pytest.raises(DataError, match=f"the {log} frame: the {log} log is empty"):
        read_logs(**logs)


def test_purchases_or_activity_must_be_there():
    with pytest.raises(DataError, match="neither a purchases nor an activity log"):
        read_logs(surveys=pd.DataFrame([GOOD["surveys"]]))


@pytest.mark.parametrize("log", GOOD)
def test_a_required_column_that_is_not_there(log):
    required = SCHEMAS[log].required[-1]
    renamed = pd.DataFrame([GOOD[log]]).rename(columns={required: f"{required}_x"})
    logs = {"purchases": pd.DataFrame([GOOD["purchases"]]), log: renamed}
    with pytest.raises(DataError) as told:
        read_logs(**logs)
    assert f"the {log} frame: the {log} log has no column for {required}" in told.value.found
    assert f"Did you mean '{required}_x'?" in told.value.mend
    assert f"[logs.{log}.columns]" in told.value.mend


def test_a_mapped_column_that_is_not_there():
    mapping = LogMapping({"customer_id": "Custommer ID", "ts": "ts"})
    frame = pd.DataFrame({"Customer ID": ["anna"], "ts": "2024-01-01"})
    with pytest.raises(DataError) as told:
        read_logs(frame, contract=Contract({"purchases": mapping}))
    assert "no column 'Custommer ID' (mapped to customer_id)" in told.value.found
    assert told.value.mend == ("Did you mean 'Customer ID'? The source has 'Customer ID', 'ts'.")


def test_units_are_integers():
    logs = read("surveys", GOOD["surveys"])
    assert logs.purchases.columns["amount"].tolist() == [10 * MONEY_UNITS]
    assert logs.surveys.columns["score"].tolist() == [9 * SCORE_UNITS]
