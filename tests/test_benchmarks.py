"""The benchmarks in small: SQL and pandas, written by hand, agree with churnkit; LightGBM runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "features.py"


def test_sql_and_pandas_give_the_same_features(tmp_path: Path) -> None:
    ways = ["churnkit", "sql", "pandas"]
    small = ["--events", "20000", "--cutoffs", "3", "--rounds", "1", "--folder", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), *small, "--ways", *ways, "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = {told["way"]: told for told in json.loads(done.stdout)["figures"]}
    assert list(figures) == ways
    assert len({told["rows"] for told in figures.values()}) == 1
    assert not any(told["differences"] for told in figures.values())


def test_bare_lightgbm_is_compared_at_training_and_prediction() -> None:
    small = ["--rows", "3000", "--columns", "4", "--trees", "3", "--seeds", "1", "--rounds", "1"]
    done = subprocess.run(
        [sys.executable, str(BENCHMARK.with_name("model.py")), *small, "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert [told["step"] for told in figures] == ["train", "predict"]
    for told in figures:
        assert told["wall"] == told["churnkit"]["seconds"] / told["lightgbm"]["seconds"] > 0
        assert told["memory"] > 1
