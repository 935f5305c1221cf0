"""What `profile` finds in a log: true on messy data, silent on clean data."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.logs.collect import judge_all
from churnkit.logs.profile import LogProfile, profile
from churnkit.logs.profile.finding import masked
from churnkit.logs.schema import Contract, Instrument, LogMapping
from churnkit.sources import connect, source_of
from tests.tables import drawn

REAL = os.environ.get("CHURNKIT_REAL_DATA", "")


def profiles_of(contract: Contract | None = None, **logs: Any) -> dict[str, LogProfile]:
    """The profile of each log, read under a contract that sets any number of rows aside."""
    told = contract or Contract(max_rejected_share=1.0)
    sources = {log: source_of(given, log) for log, given in logs.items()}
    with connect(reads=[file for source in sources.values() for file in source.files()]) as con:
        rows = {log: source.attach(con, log) for log, source in sources.items()}
        judge_all(con, rows, told)
        return {log: profile(con, log, told, rows[log]) for log in logs}


def profile_of(log: str, rows: Any, contract: Contract | None = None) -> LogProfile:
    return profiles_of(contract, **{log: rows})[log]


def codes(found: LogProfile) -> set[str]:
    return {finding.code for finding in found.findings}


def said(found: LogProfile, code: str) -> str:
    (finding,) = (f for f in found.findings if f.code == code)
    return finding.says


def sound(rows: int = 2000, days: int = 200, seed: int = 0) -> pd.DataFrame:
    """Purchases of a shop about which there is nothing to say."""
    rng = np.random.default_rng(seed)
    at = rng.integers(0, days, rows) * 1440 + rng.integers(8 * 60, 20 * 60, rows)
    at[:days] = np.arange(days) * 1440 + 600
    ts = pd.Timestamp("2024-01-01") + pd.to_timedelta(at, unit="min")
    ids = np.char.add("c", rng.integers(1000, 1400, rows).astype(str))
    amount = np.round(np.exp(rng.normal(3, 0.7, rows)), 2)
    return pd.DataFrame({"customer_id": ids, "ts": ts, "amount": amount})


def ending_on(frame: pd.DataFrame, day: str) -> pd.DataFrame:
    return frame[frame["ts"] < day].reset_index(drop=True)


def renamed(frame: pd.DataFrame, ids: dict[str, str]) -> pd.DataFrame:
    return frame.assign(customer_id=frame["customer_id"].replace(ids))


def kept_under(**mapping: Any) -> Contract:
    return Contract(
        mappings={"purchases": LogMapping(**mapping)}, max_rejected_share=1.0
    )  # fmt: skip


# ── A sound log ─────────────────────────────────────────────────────────────────────────────


def test_of_a_sound_log_nothing_is_said():
    assert profile_of("purchases", ending_on(sound(), "2024-07-01")).findings == ()


@settings(max_examples=12)
@given(st.integers(0, 1000))
def test_of_no_sound_log_anything_alarming_is_said(seed: int):
    found = profile_of("purchases", sound(rows=600, days=90, seed=seed))
    assert {f.severity for f in found.findings} <= {"note"}


def test_the_simulated_shop_alarms_nobody(shop):
    found = profiles_of(
        purchases=shop.purchases, activity=shop.activity, surveys=shop.surveys,
        customers=shop.customers,
    )  # fmt: skip
    alarms = [f for p in found.values() for f in p.findings if f.severity != "note"]
    assert alarms == []


def test_told_is_ready_for_json():
    told = profile_of("purchases", sound()).told()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["rows"] == 2000
    assert sum(month["rows"] for month in told["months"]) == 2000
    assert sum(told["hours"]) == 2000


# ── Rows set aside ──────────────────────────────────────────────────────────────────────────


def test_rows_set_aside_are_told_by_reason_with_masked_examples():
    found = profile_of("purchases", drawn("""
        customer         | ts         | amount
        anna@shop.test   | 2024-01-01 | 10
        anna@shop.test   | 2024-01-01 | ten EUR
        ben@shop.test    | 2024-02-30 | 10
        ben@shop.test    | 2024-02-31 | 10
        ben@shop.test    | 2024-02-32 | 10
        ben@shop.test    | 2024-02-33 | 10
                         | 2024-02-03 | 10
    """))  # fmt: skip
    told = {s.reason: s for s in found.set_aside}
    assert {reason: s.rows for reason, s in told.items()} == {
        "unreadable_ts": 4, "missing_customer_id": 1, "unreadable_amount": 1
    }  # fmt: skip
    assert [(row, value) for _, row, value in told["unreadable_ts"].examples] == [
        (3, "2999-99-90"), (4, "2999-99-91"), (5, "2999-99-92")
    ]  # fmt: skip
    assert told["unreadable_amount"].examples[0][2] == "txx XXR"
    assert told["missing_customer_id"].examples[0][2] is None
    assert told["unreadable_ts"].mend.startswith("Write YYYY-MM-DD")


def test_too_many_rows_set_aside_stand_in_the_way():
    rows = drawn("""
        customer | ts         | amount
        a        | 2024-01-01 | 1
        b        | 2024-01-01 | x
    """)
    with connect() as con:
        attached = {"purchases": source_of(rows, "purchases").attach(con, "purchases")}
        judge_all(con, attached, Contract(max_rejected_share=1.0))
        found = profile(con, "purchases", Contract(), attached["purchases"])
    assert found.findings[0].severity == "stop"
    assert said(found, "too_many_set_aside") == (
        "50.0% of 2 rows are set aside, more than the allowed 5.0%"
    )


@given(st.text(min_size=1, max_size=60))
def test_masked_values_show_at_most_their_ends(text: str):
    told = masked(text)
    letters = sum(a == b and a.isalnum() for a, b in zip(text[1:-1], told[1:-1], strict=False))
    hidden = {"9", "x", "X"}
    assert letters == sum(
        a == b and a in hidden for a, b in zip(text[1:-1], told[1:-1], strict=False)
    )
    assert len(text) >= 4 or not any(c.isalnum() and c not in hidden for c in told)


def test_a_load_that_was_read_twice_is_suspected():
    frame = sound()
    found = profile_of("purchases", pd.concat([frame, frame]))
    assert said(found, "many_repetitions").startswith("50.0% of the rows repeat another")


def test_repetitions_in_a_log_of_days_may_be_purchases():
    rows = drawn("""
        customer | ts         | amount | order_id
        a        | 2024-01-01 | 10     | 1
        a        | 2024-01-01 | 10     | 1
        b        | 2024-01-01 | 10     | 2
    """ + "\n".join(f"c{k} | 2024-01-01 | 10 | {k}" for k in range(3, 20)))  # fmt: skip
    assert "repetitions_of_days" not in codes(profile_of("purchases", rows))
    without = profile_of("purchases", rows.drop(columns="order_id"))
    assert said(without, "repetitions_of_days").startswith("1 row repeats another")


# ── When ────────────────────────────────────────────────────────────────────────────────────


def test_months_are_counted_in_the_business_zone():
    rows = drawn("""
        customer | ts                        | amount
        a        | 2024-01-31T23:30:00+00:00 | 10
        a        | 2024-02-01T12:00:00+00:00 | 5
    """)
    berlin = Contract(zone="Europe/Berlin")
    assert [(m.month, m.rows, m.money) for m in profile_of("purchases", rows).months] == [
        ("2024-01", 1, 10.0), ("2024-02", 1, 5.0)
    ]  # fmt: skip
    assert [(m.month, m.rows, m.money) for m in profile_of("purchases", rows, berlin).months] == [
        ("2024-02", 2, 15.0)
    ]


def test_repetitions_are_no_volume():
    rows = drawn("""
        customer | ts         | amount
        a        | 2024-01-01 | 10
        a        | 2024-01-01 | 10
    """)
    found = profile_of("purchases", rows)
    assert (found.rows, found.months[0].rows, found.set_aside) == (1, 1, ())


def test_a_month_without_rows_is_a_gap():
    frame = sound()
    found = profile_of("purchases", frame[frame["ts"].dt.month != 3])
    assert said(found, "empty_months") == "no rows in 2024-03 (1 of 7 months)"
    assert next(m for m in found.months if m.month == "2024-03").rows == 0
    assert "31 days from 2024-03-01" in said(found, "silent_days")


def test_a_month_with_hardly_any_rows_is_a_gap_too():
    frame = sound(rows=6000)
    thin = frame[(frame["ts"].dt.month != 3) | (frame.index % 50 == 0)]
    assert "hardly any rows in 2024-03" in said(profile_of("purchases", thin), "thin_months")


def test_a_closed_shop_is_told_by_its_days():
    frame = sound(rows=4000)
    open_ = frame[frame["ts"].dt.day_of_week != 5]
    closed = open_[~open_["ts"].between("2024-04-01", "2024-04-10")]
    found = profile_of("purchases", closed)
    assert said(found, "closed_weekdays") == "no rows on Saturdays"
    assert said(found, "silent_days") == "no rows on 9 days from 2024-04-01"


def test_a_month_cut_short_is_no_fall():
    found = profile_of("purchases", ending_on(sound(), "2024-06-10"))
    assert "2024-06, ends on day 9 of 30" in said(found, "late_partial_month")
    assert [m.month for m in found.months if m.told()["partial"]] == ["2024-06"]


@pytest.mark.parametrize(("stray", "where"), [("2099-01-01", "after"), ("1970-01-01", "before")])
def test_strays_are_told_and_do_not_stretch_the_months(stray: str, where: str):
    frame = sound()
    frame.loc[5, "ts"] = pd.Timestamp(stray)
    found = profile_of("purchases", frame)
    assert said(found, "stray_times") == (
        f"1 row lies half a year or more {where} all others, as far as {stray}"
    )
    assert len(found.months) == 7


# ── The clock ───────────────────────────────────────────────────────────────────────────────


def test_a_log_of_days_is_called_so():
    frame = sound()
    found = profile_of("purchases", frame.assign(ts=frame["ts"].dt.normalize()))
    assert found.resolution == "day"
    assert "days_only" in codes(found)
    assert found.hours == ()


def test_days_of_another_zone_are_suspected():
    frame = sound()
    utc = frame.assign(ts=frame["ts"].dt.normalize().dt.tz_localize("UTC"))
    found = profile_of("purchases", utc, Contract(zone="Asia/Tokyo"))
    assert said(found, "dates_shifted").startswith("all times are 09:00 in Asia/Tokyo")


def test_dates_among_times_are_suspected():
    frame = sound()
    frame.loc[::3, "ts"] = frame.loc[::3, "ts"].dt.normalize()
    assert said(profile_of("purchases", frame), "midnights_among_times").startswith("33.4%")


def test_a_shop_busy_at_night_is_suspected():
    frame = sound()
    office = frame[frame["ts"].dt.hour.between(9, 16)]
    night = office.assign(ts=(office["ts"] - pd.Timedelta(hours=8)).dt.tz_localize("UTC"))
    assert "busy_nights" in codes(profile_of("purchases", night))
    assert "busy_nights" not in codes(
        profile_of("purchases", night, Contract(zone="America/Los_Angeles"))
    )


def test_times_that_do_not_exist_are_told():
    frame = sound()
    frame.loc[0, "ts"] = pd.Timestamp("2024-03-31 02:30")
    berlin = Contract(zone="Europe/Berlin")
    assert said(profile_of("purchases", frame, berlin), "skipped_hours") == (
        "1 row has a time that does not exist in Europe/Berlin, such as 2024-03-31 02:30:00: "
        "clocks skipped it"
    )
    frame.loc[0, "ts"] = pd.Timestamp("2024-03-31 03:30")
    assert "skipped_hours" not in codes(profile_of("purchases", frame, berlin))


@pytest.mark.parametrize("zone", ["Europe/London", "Europe/Berlin"])
@pytest.mark.parametrize(
    ("written", "exists"),
    [
        ("2024-03-31 {:02d}:30", False),
        ("2024-03-31T{:02d}:30:00", False),
        ("2024-03-31 {:02d}:30+00:00", True),
        ("2024-03-31T{:02d}:30:00Z", True),
    ],
)
def test_only_times_without_an_offset_can_fail_to_exist(zone: str, written: str, exists: bool):
    frame = sound()
    frame["ts"] = frame["ts"].dt.strftime("%Y-%m-%d %H:%M")
    frame.loc[0, "ts"] = written.format({"Europe/London": 1, "Europe/Berlin": 2}[zone])
    found = profile_of("purchases", frame, Contract(zone=zone))
    assert ("skipped_hours" in codes(found)) is not exists


# ── Ids ─────────────────────────────────────────────────────────────────────────────────────


def with_ids(**ids: int) -> pd.DataFrame:
    """Purchases of 300 numbered customers and of the given ids."""
    every = [str(k) for k in range(1000, 1300) for _ in range(3)]
    every += [customer for customer, n in ids.items() for _ in range(n)]
    ts = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(every)) % 120, unit="D")
    return pd.DataFrame({"customer_id": every, "ts": ts + pd.Timedelta(hours=9)})


@pytest.mark.parametrize(
    ("ids", "code", "words"),
    [
        ({"1005.0": 2}, "ids_decimal", "1 id is there a second time without it"),
        ({"7.0": 2}, "ids_decimal", "none of them is there a second time without it"),
        ({"00123": 1, "123": 1, "0123": 1}, "ids_leading_zeros", "2 ids are there a second time"),
        ({"Anna": 1, "anna": 1}, "ids_case", "1 id is there a second time in other capitals"),
        ({"۱۰۰۵": 1, "1\u200c009": 1}, "ids_variants", "2 ids are there a second time"),
        ({"مشتري": 1}, "ids_variants", "none of them is there"),
        ({"WEB": 3}, "ids_mixed", "1 customer id of 301 is no number, such as XXX"),
        ({"9" * 80: 1}, "ids_long", "1 customer id has more than 64 characters"),
        ({"Guest": 7}, "ids_of_nobody", "7 rows belong to a customer called 'Guest'"),
        ({"5555": 100}, "ids_guest", "one customer, 5995, has 10.0% of all rows (100)"),
        ({" 77 ": 2}, "ids_trimmed", "1 customer id came with blanks around it in 2 rows"),
    ],
)
def test_ids_that_are_not_healthy(ids: dict[str, int], code: str, words: str):
    assert words in said(profile_of("purchases", with_ids(**ids)), code)


def test_the_way_to_set_nobody_aside_is_written_as_it_is_declared():
    mapping = LogMapping({"customer_id": "Kunde", "ts": "ts"})
    frame = with_ids(Guest=7).rename(columns={"customer_id": "Kunde"})
    (found,) = (
        f for f in profile_of("purchases", frame, Contract({"purchases": mapping})).findings
        if f.code == "ids_of_nobody"
    )  # fmt: skip
    assert '"Kunde" = ["Guest"] under [logs.purchases.exclude]' in found.hint


def test_healthy_ids_are_not_spoken_of():
    assert not {c for c in codes(profile_of("purchases", with_ids())) if c.startswith("ids_")}


def test_folded_ids_are_told_no_more():
    frame = with_ids(**{"۱۰۰۵": 1})
    folding = Contract({"purchases": LogMapping(fold_ids=True)})
    assert "ids_variants" not in codes(profile_of("purchases", frame, folding))


def test_an_id_is_never_shown_in_full():
    frame = with_ids(**{"secret@mail.example": 200})
    assert "secret" not in json.dumps(profile_of("purchases", frame).told())


# ── Money ───────────────────────────────────────────────────────────────────────────────────


def test_zero_and_negative_amounts_are_counted():
    frame = sound()
    frame.loc[:9, "amount"] = 0
    frame.loc[10:39, "amount"] *= -1
    found = profile_of("purchases", frame)
    assert said(found, "zero_amounts").startswith("10 rows (0.5%) have the amount 0")
    assert said(found, "returns").startswith("30 rows (1.5%) have an amount below zero")


def test_a_ledger_with_its_sign_turned_round_stands_in_the_way():
    frame = sound()
    found = profile_of("purchases", frame.assign(amount=-frame["amount"]))
    assert found.findings[0].code == "mostly_returns"
    assert found.findings[0].severity == "stop"


def test_cents_among_whole_units_are_suspected():
    frame = sound(rows=4000)
    frame.loc[:199, "amount"] = (frame.loc[:199, "amount"] * 100).round()
    assert "cents among whole units" in said(profile_of("purchases", frame), "hundredfold")


def test_a_long_tail_is_not_taken_for_cents():
    rng = np.random.default_rng(1)
    frame = sound(rows=20000).assign(amount=np.round(np.exp(rng.normal(2, 1.8, 20000)), 2))
    assert "hundredfold" not in codes(profile_of("purchases", frame))


def test_a_column_of_cents_is_suspected():
    rng = np.random.default_rng(2)
    prices = rng.choice([1999, 4995, 2500, 990, 7900], 2000)
    assert "amounts_in_cents" in codes(profile_of("purchases", sound().assign(amount=prices)))


def test_large_round_amounts_are_noted():
    rng = np.random.default_rng(2)
    rials = rng.integers(100, 90000, 2000) * 1000
    found = profile_of("purchases", sound().assign(amount=rials))
    assert said(found, "round_amounts").startswith("100% of the amounts are multiples of 100")


def test_a_few_rows_that_hold_the_money_are_told():
    frame = sound()
    frame.loc[0, "amount"] = 100_000
    assert said(profile_of("purchases", frame), "outliers").startswith("the 1 largest row of 2,000")


def test_prices_of_nothing_are_counted():
    frame = sound().drop(columns="amount").assign(unit_price=2.5, quantity=3)
    frame.loc[:4, "unit_price"] = 0
    frame.loc[5:6, "unit_price"] = -1
    told = said(profile_of("purchases", frame), "prices_not_above_zero")
    assert told == "7 rows have a price of 0 (5) or below (2)"


def test_currencies_are_added_up_only_with_a_warning():
    frame = sound().assign(currency=["EUR", "eur", "USD", "GBP"] * 500)
    told = said(profile_of("purchases", frame), "currencies")
    assert told == (
        "3 currencies are added up as if they were one: EUR 50.0%, GBP 25.0%, USD 25.0%"
    )
    rates = kept_under(rates={"EUR": 1.0, "USD": 0.9, "GBP": 1.2})
    (finding,) = (
        f for f in profile_of("purchases", frame, rates).findings if f.code == "currencies"
    )
    assert finding.severity == "note"


# ── Products and orders ─────────────────────────────────────────────────────────────────────


def test_codes_unlike_products_come_with_the_line_to_write():
    codes_ = [f"{85000 + k % 90}{'A' if k % 3 else ''}" for k in range(2000)]
    codes_[:12] = ["POST"] * 8 + ["BANK CHARGES"] * 4
    frame = sound().assign(amount=2.0, sku=codes_)
    mapping = {"customer_id": "customer_id", "ts": "ts", "amount": "amount", "product_id": "sku"}
    found = profile_of("purchases", frame, kept_under(columns=mapping))
    (finding,) = (f for f in found.findings if f.code == "codes_unlike_products")
    assert "POST (8 rows, 16), BANK CHARGES (4 rows, 8); 12 rows in all" in finding.says
    assert 'exclude = { "sku" = ["POST", "BANK CHARGES"] }' in finding.hint


def test_codes_of_all_shapes_are_left_alone():
    frame = sound().assign(product_id=["LAMP", "1234", "X9"] * 666 + ["LAMP", "X9"])
    assert "codes_unlike_products" not in codes(profile_of("purchases", frame))


def test_line_items_are_told_from_orders():
    lines = sound().assign(order_id=[str(k // 4) for k in range(2000)])
    assert "line_items" in codes(profile_of("purchases", lines))
    orders = sound().assign(order_id=[str(k) for k in range(2000)])
    assert "line_items" not in codes(profile_of("purchases", orders))


# ── Surveys ─────────────────────────────────────────────────────────────────────────────────


def answered(instrument: str, scores: list[float]) -> pd.DataFrame:
    ts = pd.Timestamp("2024-01-01 10:00") + pd.to_timedelta(np.arange(len(scores)), unit="h")
    ids = [f"c{k}" for k in range(len(scores))]
    told = {"customer_id": ids, "ts": ts, "instrument": instrument, "score": scores}
    return pd.DataFrame(told)


@pytest.mark.parametrize(
    ("instrument", "scores", "code", "words"),
    [
        ("nps", [1, 5, 9, 10] * 20, "scale_from_one", "is the scale 1–10?"),
        ("nps", [1, 2, 4, 5] * 20, "scale_half_used", "no nps answer is above 5"),
        ("nps", [6, 7, 8, 9] * 20, "scale_from_one", "no nps answer is 0"),
        ("csat", [4, 5] * 40, "scale_half_used", "no csat answer is below 4"),
        ("nps", [0, 5, 10, 7.5] * 20, "scores_with_decimals", "25.0% of the nps scores"),
        ("nps", [0, 5, 10, 11] * 20, "answers_outside_scale", "25.0% of the nps answers (20)"),
        ("ces", [1, 4, 7] * 20, "ces_direction", "ces is read on 1–7 with 7 for the least effort"),
    ],
)
def test_scales_that_do_not_fit(instrument: str, scores: list[float], code: str, words: str):
    assert words in said(profile_of("surveys", answered(instrument, scores)), code)


def test_a_scale_in_full_use_is_not_spoken_of():
    found = profile_of("surveys", answered("nps", list(range(11)) * 20))
    assert codes(found) == set()
    (nps,) = found.answers
    assert (nps.rows, nps.lowest, nps.highest, nps.values) == (220, 0, 10, 11)


def test_a_declared_scale_is_taken_at_its_word():
    declared = Contract(instruments=(Instrument("nps", 1, 10), Instrument("ces", 1, 5, "low")))
    found = profile_of("surveys", answered("nps", [1, 5, 9, 10] * 20), declared)
    assert codes(found) == set()
    effort = profile_of("surveys", answered("ces", [1, 3, 5] * 20), declared)
    assert "on 1–5 with 1 for the least effort" in said(effort, "ces_direction")


def test_answers_given_twice_on_a_day_are_counted():
    told = profile_of("surveys", drawn("""
        customer | ts               | instrument | score
        a        | 2024-01-01 09:00 | nps        | 9
        a        | 2024-01-01 10:00 | NPS        | 3
        a        | 2024-01-01 10:00 | csat       | 3
        a        | 2024-01-02 10:00 | nps        | 3
    """))  # fmt: skip
    assert said(told, "several_answers_a_day").startswith("1 time a customer answered")


# ── Activity ────────────────────────────────────────────────────────────────────────────────


def happened(**events: int) -> pd.DataFrame:
    names = [name for name, n in events.items() for _ in range(n)]
    ts = pd.Timestamp("2024-01-01 10:00") + pd.to_timedelta(np.arange(len(names)), unit="min")
    ids = [f"c{k % 50}" for k in range(len(names))]
    return pd.DataFrame({"customer_id": ids, "ts": ts, "event": names})


def test_events_are_told_by_how_they_are_understood():
    contract = Contract(kinds={"Beschwerde": "complaint_opened"})
    found = profile_of("activity", happened(login=5, Beschwerde=3, wishlist=2), contract)
    assert [(e.event, e.rows, e.kind, e.how) for e in found.events] == [
        ("login", 5, "login", "known"),
        ("Beschwerde", 3, "complaint_opened", "declared"),
        ("wishlist", 2, "wishlist", "own name"),
    ]
    assert said(found, "events_of_own_name").startswith("20.0% of the rows count under their own")


def test_a_known_event_is_known_however_its_words_are_joined():
    found = profile_of("activity", happened(**{"Payment Failed": 3, "e-mail": 1}))
    assert [(e.event, e.kind, e.how) for e in found.events] == [
        ("Payment Failed", "payment_failed", "known"),
        ("e-mail", "e-mail", "own name"),
    ]


def test_known_events_need_no_word():
    assert codes(profile_of("activity", happened(login=500, visit=500))) == set()


def test_rare_events_are_noted():
    found = profile_of("activity", happened(login=9000, visit=9000, renewal=3))
    assert said(found, "rare_events") == "1 event name is rare: 3 rows of 18,003 in all"


def test_free_text_is_no_event_name():
    found = profile_of("activity", happened(**{f"called about {k}": 1 for k in range(300)}))
    assert "300 different event names" in said(found, "many_events")
    assert "events_of_own_name" not in codes(found)


# ── Customers ───────────────────────────────────────────────────────────────────────────────


def test_customers_are_compared_with_what_they_did():
    found = profiles_of(
        purchases=drawn("""
            customer | ts
            a        | 2024-01-05
            b        | 2024-01-05
            z        | 2024-01-05
        """),
        customers=drawn("""
            customer | since
            a        | 2024-01-01
            b        | 2024-03-01
            c        | 2024-01-01
            d        | 2024-01-01
        """),
    )["customers"]
    assert said(found, "customers_without_events").startswith("2 customers of 4 listed (50.0%)")
    assert said(found, "customers_not_listed").startswith("1 customer with events (33.3%)")
    assert said(found, "events_before_since").startswith("1 customer of 2 (50.0%) has events")


def test_customers_who_are_listed_twice_are_told():
    customers = drawn("""
        customer | value
        a        | 10
        a        | 20
    """)
    found = profile_of("customers", customers)
    assert said(found, "customers_twice").startswith("1 row lists a customer again")


def test_customers_of_whom_no_log_knows_stand_in_the_way():
    found = profiles_of(
        purchases=drawn("""
            customer | ts
            1        | 2024-01-05
        """),
        customers=drawn("""
            customer
            00001
        """),
    )["customers"]
    assert [f.severity for f in found.findings] == ["stop"]


def test_nothing_kept_is_no_fault_of_the_profile():
    rows = drawn("""
        customer | ts
                 | 2024-01-05
    """)
    with connect() as con:
        attached = {"purchases": source_of(rows, "purchases").attach(con, "purchases")}
        from churnkit.logs.account import account
        from churnkit.logs.check import judge

        judge(con, "purchases", attached["purchases"], Contract())
        account(con, "purchases", "rows")
        found = profile(con, "purchases", Contract(), attached["purchases"])
    assert (found.rows, found.months, found.set_aside[0].rows) == (0, (), 1)


# ── Real logs ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(not REAL, reason="CHURNKIT_REAL_DATA names no folder")
class TestRealLogs:
    def read(self, file: str, log: str = "purchases", **columns: str) -> LogProfile:
        provenance = ("sheet", "in_both_sheets") if "retail_ii/trans" in file else ()
        mapping = LogMapping({"customer_id": "customer_id", **columns}, provenance=provenance)
        contract = Contract(mappings={log: mapping}, max_rejected_share=0.3)
        return profile_of(log, Path(REAL) / file, contract)

    def test_cdnow_alarms_nobody(self):
        found = self.read("cdnow/transactions.parquet", ts="timestamp", amount="amount")
        assert codes(found) == {"days_only", "zero_amounts", "repetitions_of_days"}
        assert said(found, "zero_amounts").startswith("80 rows")
        assert found.resolution == "day"

    def test_the_orders_of_online_retail_tell_when_the_shop_was_closed(self):
        found = self.read(
            "online_retail_ii/orders.parquet", ts="timestamp", amount="amount", order_id="order_id"
        )
        assert codes(found) == {
            "silent_days", "closed_weekdays", "late_partial_month", "zero_amounts", "returns"
        }  # fmt: skip
        assert {f.severity for f in found.findings} == {"note"}
        assert "11 days from 2009-12-24" in said(found, "silent_days")
        assert "on Saturdays" in said(found, "closed_weekdays")
        assert "2011-12, ends on day 9 of 31" in said(found, "late_partial_month")
        assert said(found, "returns").startswith("7,901 rows")

    def test_the_lines_of_online_retail_tell_their_mess(self):
        found = self.read(
            "online_retail_ii/transactions.parquet", ts="timestamp", amount="amount",
            order_id="order_id", product_id="product_id",
        )  # fmt: skip
        assert "243,007 of them for missing customer id" in said(found, "many_set_aside")
        assert {"line_items", "codes_unlike_products"} <= codes(found)
        for code in ("POST", "D (", "M (", "BANK CHARGES"):
            assert code in said(found, "codes_unlike_products")

    def test_oulad_has_two_months_with_hardly_any_rows(self):
        found = self.read("oulad/events.parquet", "activity", ts="timestamp", event="event_type")
        assert [f.code for f in found.findings if f.severity == "warn"] == ["thin_months"]
