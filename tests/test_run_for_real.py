"""One real night of a small simulated shop, by the command, and the one after it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import jsonschema
import pytest
import small
from commands import run

from churnkit import bundle
from churnkit.registry import Registry
from churnkit.release import push

DAY, EARLIER = "2024-04-15", "2024-04-08"
SETTINGS = f"""{small.SETTINGS}
[run]
metrics_file = "churnkit.prom"
"""
SCHEMA = Path(__file__).parents[1] / "docs" / "run_log.schema.json"


@pytest.fixture(scope="module")
def project(shop, training, empty_store, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("night")
    for log in ("purchases", "activity", "surveys"):
        getattr(shop, log).to_parquet(folder / f"{log}.parquet", index=False)
    (folder / "churnkit.toml").write_text(SETTINGS)
    models = shutil.copytree(empty_store, folder / "models")
    bundle.save(training.model, models / "first", training.card(), "")
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        push(models / "first", models, Registry(models))
    return folder


def test_a_real_night_and_the_same_again(project, shop, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    asked = ("run", "--as-of", DAY, "--log-format", "json", "--json", "--retrain-if", "age:90d")
    first = run(*asked)
    assert first.exit_code == 0, first.stderr
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    for line in first.stderr.splitlines():
        jsonschema.validate(json.loads(line), schema)
    told = json.loads(first.stdout)
    states = {step["step"]: step["state"] for step in told["steps"]}
    assert states.pop("kpi") in ("done", "lacking")
    assert set(states.values()) == {"done"}
    assert sum(told["lights"].values()) > 100
    assert told["verdict"] in ("ok", "watch", "retrain")
    assert told["decisions"][-1]["decision"] == "kept"
    assert all(Path(path).exists() for path in told["paths"].values())
    assert 'churnkit_customers{light="red"}' in (project / "churnkit.prom").read_text()
    ids = set(shop.purchases["customer_id"])
    assert not ids & set(re.findall(r"\w+", first.stderr))

    again = run(*asked)
    assert again.exit_code == 99, again.stderr
    assert json.loads(again.stdout)["lights"] == told["lights"]

    backwards = run("run", "--as-of", EARLIER)
    assert backwards.exit_code == 2, backwards.stdout
    assert "--backfill" in backwards.stderr
