"""The whole way on the real logs, by the commands and without an edit, and what it must reach.

Needs CHURNKIT_REAL_DATA, the folder with the sets; skipped without it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from commands import told

REAL = os.environ.get("CHURNKIT_REAL_DATA")
pytestmark = pytest.mark.skipif(not REAL, reason="CHURNKIT_REAL_DATA is not set")


def whole_way(log: str, file: str, as_of: str, *options: str) -> tuple[Any, pd.DataFrame]:
    told("init", f"--{log}", str(Path(REAL or "") / file), *options)
    trained = told("train")
    told("score", "--as-of", as_of, "--out", "scores.parquet")
    return trained, pd.read_parquet("scores.parquet")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(empty_store, tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_cdnow() -> None:
    trained, scores = whole_way("purchases", "cdnow/transactions.parquet", "1998-07-01")
    test = trained["trials"][-1]
    assert test["cutoff"] == "1998-04-01"
    assert test["customers"] == 6055
    assert test["base_rate"] == pytest.approx(0.615, abs=5e-4)
    used = test["metrics"][trained["model"]]
    assert used["auroc"]["value"] >= 0.728
    assert used["log_loss"]["value"] <= 0.582
    assert used["ece"]["value"] <= 0.03
    assert test["metrics"]["lightgbm"]["auroc"]["value"] >= 0.725
    assert test["metrics"]["recency"]["auroc"]["value"] < 0.70
    assert trained["champion"]
    assert set(scores["light"]) == {"green", "yellow", "red"}


def test_online_retail() -> None:
    """The raw lines; they fold to the orders, see test_real_logs.py."""
    file = "online_retail_ii/transactions.parquet"
    trained, scores = whole_way("purchases", file, "2011-12-10")
    test = trained["trials"][-1]
    assert test["cutoff"] == "2011-09-10"
    assert test["customers"] == 2787
    assert test["base_rate"] == pytest.approx(0.382, abs=5e-4)
    assert trained["model"] == "lightgbm"
    assert test["metrics"]["lightgbm"]["auroc"]["value"] >= 0.77
    assert test["metrics"]["lightgbm"]["log_loss"]["value"] <= 0.550
    assert "rfm_logistic" in test["metrics"]
    lights = {light["light"]: light["churned"]["value"] for light in trained["lights"]}
    assert lights["green"] < lights["yellow"] < lights["red"]
    assert scores["customer_id"].is_unique


def test_oulad_withdrawals() -> None:
    """Contractual churn, with what is known of students beside the log; see benchmarks/oulad.py."""
    script = Path(__file__).parents[1] / "benchmarks" / "oulad.py"
    done = subprocess.run(
        [sys.executable, str(script), "--json"], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found["customers"] == 8815
    assert found["base_rate"] == pytest.approx(0.0917, abs=5e-4)
    rungs = found["rungs"]
    assert rungs["recency"]["auroc"] < 0.62
    assert rungs["lightgbm"]["auroc"] >= 0.676
    assert rungs["lightgbm"]["log_loss"] <= 0.290
    assert rungs["lightgbm"]["log_loss"] < rungs["rfm_logistic"]["log_loss"] - 0.01


def test_oulad_activity_alone() -> None:
    file = str(Path(REAL or "") / "oulad/events.parquet")
    told("init", "--activity", file, "--churn", "no_activity")
    settings = Path("churnkit.toml")
    # Little is learnt: the choice between rungs is looked at with the other logs.
    text = settings.read_text().replace("tests = 2", "tests = 1")
    settings.write_text(text.replace("cutoffs = 13", "cutoffs = 4"))
    trained = told("train")
    told("score", "--as-of", "2015-06-10", "--out", "scores.parquet")
    scores = pd.read_parquet("scores.parquet")
    test = trained["trials"][-1]
    assert test["metrics"]["lightgbm"]["auroc"]["value"] > 0.9
    assert trained["champion"]
    assert scores["value_at_risk"].isna().all()
