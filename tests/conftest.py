"""A small simulated shop, trained once and shared by all tests of the model side.

The shop runs for 500 days from 2023-01-01. Asked is who buys nothing within 30 days, of those who
bought in the 90 days before; the two tests are at 2024-03-15 and 2024-04-14, and scores are made
as of 2024-05-15, the day after the last one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

# Read when the first OpenMP library is loaded, and scikit-learn may load one before churnkit.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# One core for each worker: two threads of two workers would wait for each other most of the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import needs
import pandas as pd
import pytest
import stores
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from tracking import tracking_server

from churnkit.clock import Cutoff
from churnkit.dataset import Schedule
from churnkit.labels import Question
from churnkit.logs import Logs
from churnkit.model import ChurnModel
from churnkit.registry import Registry
from churnkit.scoring import Scores, score
from churnkit.simulate import Shop, simulate
from churnkit.sources import read_logs
from churnkit.training import Training, train

# Properties are about results, not about speed: a busy machine shall not fail them. Their examples
# are the same in every run; `make fuzz` looks for new ones.
hypothesis_settings.register_profile(
    "same",
    deadline=None,
    derandomize=True,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.register_profile(
    "new", deadline=None, derandomize=False, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("same")


collect_ignore = ["warm.py"]  # for Spark alone, which may not be there

# Minutes each: begun last, one of them would keep one worker busy while the other is idle.
HEAVY = (
    *("test_spark_cluster", "test_spark_training"),
    *("test_docs", "test_real_quality", "test_cli", "test_engines", "test_project_engines"),
    *("test_release", "test_models_commands", "test_kernel", "test_scoring_blocks", "test_propose"),
    *("test_rolling", "test_scaffold", "test_published_scores", "test_history"),
    *("test_docs_pages", "test_spark_scoring"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Heavy files first; the order within a file stays."""
    place = {name: number for number, name in enumerate(HEAVY)}
    items.sort(key=lambda item: place.get(item.path.stem, len(HEAVY)))


@pytest.fixture(scope="module")
def postgres() -> Iterator[stores.Postgres]:
    yield stores.postgres()
    stores.sweep()


@pytest.fixture(scope="module")
def mysql() -> Iterator[stores.MySql]:
    yield stores.mysql()
    stores.sweep()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store that was opened once; opening it first takes seconds."""
    folder = tmp_path_factory.mktemp("empty") / "models"
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        Registry(folder).versions()
    return folder


@pytest.fixture(scope="session")
def server(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an MLflow server that is empty at first."""
    folder = shutil.copytree(empty_store, tmp_path_factory.mktemp("server") / "store")
    with tracking_server(folder) as address:
        yield address


@pytest.fixture(scope="session")
def java() -> None:
    """What Spark needs; the test is skipped where it is not."""
    needs.package("spark", "pyspark")
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        needs.missing("spark", "there is no Java")


@pytest.fixture(scope="session")
def session(java: None) -> Iterator[Any]:
    """A real Spark with two executor threads, each with Python workers of its own.

    Few tasks for few rows, no second pass of Java's compiler, and workers that are forked from a
    Python in which everything is loaded: most of the time of a small job is the start.
    """
    from churnkit.engines.spark import spark_session

    here = str(Path(__file__).parent)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        patched.setenv("PYTHONPATH", here, prepend=os.pathsep)
        settings = {"spark.sql.shuffle.partitions": "2", "spark.python.daemon.module": "warm"}
        with spark_session("local[2]", settings) as session:
            yield session


@pytest.fixture(scope="session")
def shop() -> Shop:
    return simulate(customers=1500, days=500)


@pytest.fixture(scope="session")
def logs(shop: Shop) -> Logs:
    return read_logs(shop.purchases, shop.activity, shop.surveys)


@pytest.fixture(scope="session")
def question() -> Question:
    return Question(horizon_days=30, lookback_days=90)


@pytest.fixture(scope="session")
def schedule() -> Schedule:
    return Schedule(every=28, cutoffs=5, tests=2)


def customers_of(shop: Shop, first: str, last: str) -> dict[str, pd.DataFrame]:
    """The logs of some customers, by name."""
    frames = {log: getattr(shop, log) for log in ("purchases", "activity", "surveys")}
    return {log: f[f["customer_id"].between(first, last)] for log, f in frames.items()}


@pytest.fixture(scope="session")
def few(shop: Shop) -> dict[str, pd.DataFrame]:
    """The logs of three hundred customers."""
    return customers_of(shop, "C00200", "C00499")


@pytest.fixture(scope="session")
def crowd(shop: Shop) -> dict[str, pd.DataFrame]:
    """The logs of five hundred, the three hundred among them."""
    return customers_of(shop, "C00100", "C00599")


@pytest.fixture(scope="session")
def few_scores(few: dict[str, pd.DataFrame], model: ChurnModel) -> Scores:
    """Scores of the three hundred as of 2024-04-14."""
    return score(model, read_logs(**few), Cutoff.parse("2024-04-14"))


@pytest.fixture(scope="session")
def training(logs: Logs, question: Question, schedule: Schedule) -> Training:
    return train(logs, question, schedule)


@pytest.fixture(scope="session")
def model(training: Training) -> ChurnModel:
    """The trees, fitted on all cutoffs."""
    assert training.model.rung == "lightgbm"
    return training.model


@pytest.fixture(scope="session")
def rules(training: Training) -> dict[str, ChurnModel]:
    """The plain rules by name, fitted before the last test."""
    return {n: m for n, m in training.backtest.test.models.items() if n != "lightgbm"}


@pytest.fixture(scope="session")
def failing(training: Training) -> Callable[..., Training]:
    """Makes the same training, of which the named gates failed."""

    def fail(*names: str) -> Training:
        gates = tuple(replace(g, passed=g.passed and g.name not in names) for g in training.gates)
        again = replace(training)
        # Gates are computed once and kept here, so that these are found in their place; drivers
        # are the same.
        vars(again)["_drivers"] = training._drivers
        vars(again)["gates"] = gates
        return again

    return fail


@pytest.fixture(scope="session")
def as_of(logs: Logs) -> Cutoff:
    return logs.day_after_last("purchases")


@pytest.fixture(scope="session")
def scores(model: ChurnModel, logs: Logs, as_of: Cutoff) -> Scores:
    return score(model, logs, as_of)
