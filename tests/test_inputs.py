"""What the logs of a run were, as its manifest keeps it."""

from __future__ import annotations

import json

import pandas as pd

from churnkit.clock import Cutoff
from churnkit.inputs import inputs_told
from churnkit.logs import Contract, Logs
from churnkit.sources import read_logs

FRAME = pd.DataFrame(
    {
        "customer_id": ["a", "a", None, "b"],
        "ts": ["2024-01-01", "2024-02-01", "2024-01-03", "2024-03-01"],
        "event": ["visit", "login", "visit", "visit"],
        "campus": ["x", "y", "x", "x"],
    }
)
LAX = Contract(max_rejected_share=1.0)


def test_rows_reasons_days_columns_and_names_are_told() -> None:
    told = inputs_told(read_logs(activity=FRAME, contract=LAX), Cutoff.parse("2024-02-15"))
    log = told["logs"]["activity"]
    assert told["as_of"] == "2024-02-15"
    assert (log["read"], log["kept"], log["faulty"]) == (4, 3, 1)
    assert log["rejected"] == {"missing_customer_id": 1}
    assert (log["first"], log["last"], log["customers"]) == ("2024-01-01", "2024-03-01", 2)
    assert list(log["columns"]) == ["customer_id", "ts", "event", "campus"]
    assert log["words"] == {"visit": 1, "login": 1}  # what comes after the cutoff is not counted


def test_it_is_json_and_the_same_for_the_same_rows_in_any_order() -> None:
    one = inputs_told(read_logs(activity=FRAME, contract=LAX))
    other = inputs_told(read_logs(activity=FRAME[::-1], contract=LAX))
    assert json.loads(json.dumps(one)) == one == other


def test_another_row_gives_another_digest_and_digests_can_be_left_out(logs: Logs) -> None:
    one, other = (read_logs(activity=frame, contract=LAX) for frame in (FRAME, FRAME[:2]))
    first, second = (inputs_told(told)["logs"]["activity"]["sha256"] for told in (one, other))
    assert first != second
    bare = inputs_told(logs, with_digests=False)["logs"]
    assert {told["sha256"] for told in bare.values()} == {None}
    assert bare["purchases"]["words"] == {}
    assert "visit" in bare["activity"]["words"]
