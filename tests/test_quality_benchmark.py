"""The benchmark of quality: what it hands to other models, and whom it calls the best."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from churnkit.clock import Cutoff
from churnkit.metrics import log_loss
from churnkit.simulate import simulate
from churnkit.sources import read_logs

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
CUTOFF, HORIZON = Cutoff.parse("2023-12-01"), 60


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    monkeypatch.syspath_prepend(BENCHMARKS)
    names = {"quality": "quality", "own": "peers.quality.own", "run": "peers.quality.run",
             "optimum": "peers.quality.optimum"}  # fmt: skip
    return SimpleNamespace(**{k: importlib.import_module(name) for k, name in names.items()})


@pytest.fixture(scope="module")
def shop():
    return simulate(customers=120, days=420, seed=3)


def test_the_best_peer_is_told_apart_by_the_metric(benchmark):
    rng = np.random.default_rng(0)
    truth = rng.random(400)
    churned = rng.random(400) < truth
    result = benchmark.quality.Result("set", "asked", "day", churned, np.arange(400))
    result.add("ours", np.clip(truth + rng.normal(0, 0.1, 400), 0.01, 0.99), 1.0, peer=False)
    result.add("the truth, no peer", truth, None, peer=False)
    result.add("ranks well", truth**6, 1.0)
    result.add("says nothing", np.full(400, churned.mean()), 1.0)
    name, gain = result.against_best("auroc")
    assert name == "ranks well"
    assert gain.value == pytest.approx(
        result.scores[0].metrics["auroc"].value - result.scores[2].metrics["auroc"].value
    )
    assert result.against_best("log_loss")[0] == "says nothing"
    assert result.against_best("log_loss")[1].high < 0


def test_others_get_what_happened_before_the_test_and_nothing_after(benchmark, shop):
    logs = read_logs(shop.purchases, shop.activity, shop.surveys)
    told = benchmark.own._logs_before(logs, CUTOFF)
    for name, given in (("purchases", shop.purchases), ("activity", shop.activity)):
        known = given[given["ts"] < "2023-12-01"]
        assert 0 < len(known) < len(given)
        assert told[name]["ts"].max() == known["ts"].max()
        assert set(told[name]["customer_id"]) == set(known["customer_id"])
    amounts = shop.purchases.loc[shop.purchases["ts"] < "2023-12-01", "amount"]
    assert told["purchases"]["amount"].sum() == pytest.approx(amounts.sum())
    assert told["surveys"]["score"].between(0, 10).all()


def test_the_optimum_comes_near_the_hidden_truth(benchmark, shop, tmp_path):
    logs = read_logs(shop.purchases, shop.activity, shop.surveys)
    for name, rows in benchmark.own._logs_before(logs, CUTOFF).items():
        rows.to_parquet(tmp_path / f"{name}.parquet")
    true = shop.truth.churn_probability("2023-12-01", HORIZON)
    at = np.full(len(true), CUTOFF.us).astype("datetime64[us]")
    test = pd.DataFrame({"customer_id": true.index.astype(str), "cutoff": at})
    test.to_parquet(tmp_path / "test.parquet")
    p = benchmark.optimum.predict(benchmark.run.Task(str(tmp_path), HORIZON, "2024-01-30", 0))
    assert np.corrcoef(p, true)[0, 1] > 0.8
    silent = np.random.default_rng(0).random(len(true)) < true
    assert log_loss(silent, p) < log_loss(silent, np.full(len(p), silent.mean())) - 0.05
