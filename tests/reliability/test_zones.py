"""Where days begin: gaps and overlaps, Tehran's rules, leap days, and any zone of the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.clock import Cutoff
from churnkit.features import build_features
from churnkit.logs import Contract
from churnkit.sources import read_logs

BUILD = """
import json, sys
import pandas as pd
from churnkit.clock import Cutoff
from churnkit.features import build_features
from churnkit.logs import Contract
from churnkit.sources import read_logs

ts = ["2024-01-01", "2024-02-29 23:59:59", "2024-03-01", "2024-02-29T20:29:59Z"]
purchases = pd.DataFrame({"customer_id": list("abcd"), "ts": ts, "amount": [1, 2, 3, 4]})
naive = pd.to_datetime(ts[:3], format="ISO8601")
visits = pd.DataFrame({"customer_id": list("abc"), "ts": naive, "event": "visit"})
aware = pd.to_datetime(["2024-02-29T20:29:59Z", "1960-01-01T00:00:00Z"])
answers = pd.DataFrame({"customer_id": list("ab"), "ts": aware, "instrument": "nps", "score": 9})
contract = Contract(zone="Asia/Tehran", max_rejected_share=0.5)
logs = read_logs(purchases, visits, answers, contract=contract)
features = build_features(logs, Cutoff.parse("2024-03-01", "Asia/Tehran"))
times = [events.ts.tolist() for events in logs.events.values()]
print(json.dumps([times, features.to_frame().to_csv(), logs.rejected["found"].to_pylist()]))
"""


def built_under(machine_zone):
    run = subprocess.run(
        [sys.executable, "-c", BUILD],
        env=os.environ | {"TZ": machine_zone},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_16_the_zone_of_the_machine_changes_nothing():
    (bought, visited, answered), table, set_aside = built_under("UTC")
    assert bought[0] == Cutoff.parse("2024-01-01", "Asia/Tehran").us
    assert visited == bought[:3]
    assert answered == bought[3:]
    assert len(table.splitlines()) == 1 + 3  # c bought and came at the cutoff itself
    assert set_aside == ["1960-01-01 00:00:00+00"]
    for machine_zone in ("America/New_York", "Pacific/Auckland"):
        assert built_under(machine_zone) == [[bought, visited, answered], table, set_aside]


# Day, zone, and the first and last instant of that day in UTC, worked out by hand.
ODD_DAYS = [
    ("2024-03-31", "Europe/Berlin", "2024-03-30 23:00:00", "2024-03-31 21:59:59"),
    ("2024-10-27", "Europe/Berlin", "2024-10-26 22:00:00", "2024-10-27 22:59:59"),
    ("2022-03-22", "Asia/Tehran", "2022-03-21 20:30:00", "2022-03-22 19:29:59"),
    ("2022-09-21", "Asia/Tehran", "2022-09-20 19:30:00", "2022-09-21 20:29:59"),
    ("2023-03-22", "Asia/Tehran", "2023-03-21 20:30:00", "2023-03-22 20:29:59"),
    ("2024-02-29", "UTC", "2024-02-29 00:00:00", "2024-02-29 23:59:59"),
    ("2024-02-29", "Asia/Tehran", "2024-02-28 20:30:00", "2024-02-29 20:29:59"),
    ("2018-11-04", "America/Sao_Paulo", "2018-11-04 03:00:00", "2018-11-05 01:59:59"),
]


@pytest.mark.parametrize(("day", "zone", "first", "last"), ODD_DAYS)
def test_16_a_day_is_seen_from_its_end_on_and_not_a_second_earlier(day, zone, first, last):
    """Bought in the first and in the last second: unseen as of the day, both seen a day later."""
    ts = [pd.Timestamp(text, tz="UTC") for text in (first, last)]
    old = pd.Timestamp("2015-01-01", tz="UTC")
    rows = pd.DataFrame({"customer_id": ["a", "b", "a", "b"], "ts": [old, old, *ts]})
    logs = read_logs(rows, contract=Contract(zone=zone))
    cutoff = Cutoff.parse(day, zone)
    counts = [
        build_features(logs, at).column("purchases_count_all").tolist()
        for at in (cutoff, cutoff.shifted(1))
    ]
    assert counts == [[1, 1], [2, 2]]


@settings(max_examples=12)
@given(st.integers(0, 3650), st.sampled_from(["Asia/Tehran", "Europe/Berlin", "Pacific/Apia"]))
def test_16_a_date_alone_is_seen_from_the_next_day_on(day, zone):
    text = str((pd.Timestamp("2014-01-01") + pd.Timedelta(days=day)).date())
    rows = pd.DataFrame({"customer_id": ["a", "a"], "ts": ["2013-06-01", text]})
    logs = read_logs(rows, contract=Contract(zone=zone))
    cutoff = Cutoff.parse(text, zone)
    counted = [
        build_features(logs, at).column("purchases_count_all").tolist()
        for at in (cutoff, cutoff.shifted(1))
    ]
    assert counted == [[1], [2]]
