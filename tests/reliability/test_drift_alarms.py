"""What a log may suddenly hold: words nobody has seen, columns without values, another unit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churnkit.clock import Cutoff
from churnkit.ledger import Ledger
from churnkit.model import ChurnModel
from churnkit.monitor import monitor
from churnkit.outcomes import Deeds
from churnkit.scoring import score
from churnkit.simulate import Shop
from churnkit.sources import read_logs

AS_OF = Cutoff.parse("2024-05-15")
LAST_WEEK = pd.Timestamp(str(AS_OF.shifted(-7)))
Frames = dict[str, pd.DataFrame]


def other_names(rows: Frames) -> None:
    activity = rows["activity"]
    late = activity["ts"] >= LAST_WEEK
    activity["event"] = activity["event"].where(~late, "app_" + activity["event"].astype(str))


def no_amounts(rows: Frames) -> None:
    purchases = rows["purchases"]
    purchases["amount"] = purchases["amount"].where(purchases["ts"] < LAST_WEEK)


def no_values(rows: Frames) -> None:
    activity = rows["activity"]
    activity["value"] = np.where(activity["ts"] < LAST_WEEK, 2.0, np.nan)


def other_unit(rows: Frames) -> None:
    purchases = rows["purchases"]
    purchases["amount"] *= np.where(purchases["ts"] >= LAST_WEEK, 100, 1)


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        (other_names, {"new_names", "lost_name"}),
        (no_values, {"gone_blank"}),
        (no_amounts, {"stale_log"}),  # such rows are set aside
        (other_unit, {"unit_change"}),
    ],
)
def test_12_what_changes_all_at_once_is_scored_and_raises_an_alarm(
    shop: Shop, model: ChurnModel, tmp_path: Path, change, codes: set[str]
) -> None:
    rows = {log: getattr(shop, log).copy() for log in ("purchases", "activity", "surveys")}
    change(rows)
    logs = read_logs(**rows)
    scores = score(model, logs, AS_OF)
    assert np.isfinite(scores.probability).all()
    ledger, deeds = Ledger(tmp_path), Deeds(tmp_path)
    told = monitor(logs, AS_OF, model.question, ledger=ledger, deeds=deeds, model=model)
    assert codes <= {alarm["code"] for alarm in told["alarms"]}
    assert told["verdict"] != "ok"
