"""The whole way on the real logs, by the commands and without an edit, and what it must reach.

Needs CHURNKIT_REAL_DATA, the folder with the sets; skipped without it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from churnkit.cli import app

REAL = os.environ.get("CHURNKIT_REAL_DATA")
pytestmark = pytest.mark.skipif(not REAL, reason="CHURNKIT_REAL_DATA is not set")


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def whole_way(log: str, file: str, as_of: str, *options: str) -> tuple[Any, pd.DataFrame]:
    run("init", f"--{log}", str(Path(REAL or "") / file), *options)
    run("check")
    trained = run("train")
    run("score", "--as-of", as_of, "--out", "scores.parquet")
    return trained, pd.read_parquet("scores.parquet")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_cdnow() -> None:
    trained, scores = whole_way("purchases", "cdnow/transactions.parquet", "1998-07-01")
    test = trained["trials"][-1]
    assert test["cutoff"] == "1998-04-01"
    assert test["customers"] == 6055
    assert test["base_rate"] == pytest.approx(0.615, abs=5e-4)
    assert test["metrics"][trained["model"]]["auroc"]["value"] >= 0.725
    assert test["metrics"]["lightgbm"]["auroc"]["value"] >= 0.725
    assert test["metrics"]["recency"]["auroc"]["value"] < 0.70
    assert trained["champion"]
    assert set(scores["light"]) == {"green", "yellow", "red"}


@pytest.mark.parametrize("file", ["orders", "transactions"])
def test_online_retail(file: str) -> None:
    trained, scores = whole_way(
        "purchases", f"online_retail_ii/{file}.parquet", "2011-12-10"
    )  # fmt: skip
    test = trained["trials"][-1]
    assert test["cutoff"] == "2011-09-10"
    assert test["customers"] == 2787
    assert test["base_rate"] == pytest.approx(0.382, abs=5e-4)
    assert trained["model"] == "lightgbm"
    assert test["metrics"]["lightgbm"]["auroc"]["value"] >= 0.76
    assert "rfm_logistic" in test["metrics"]
    lights = {light["light"]: light["churned"]["value"] for light in trained["lights"]}
    assert lights["green"] < lights["yellow"] < lights["red"]
    assert scores["customer_id"].is_unique


def test_oulad_activity_alone() -> None:
    trained, scores = whole_way(
        "activity", "oulad/events.parquet", "2015-06-10", "--churn", "no_activity"
    )
    test = trained["trials"][-1]
    assert test["metrics"]["lightgbm"]["auroc"]["value"] > 0.9
    assert trained["champion"]
    assert scores["value_at_risk"].isna().all()
