"""The benchmark of the features in small: SQL and pandas, written by hand, agree with churnkit."""

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
