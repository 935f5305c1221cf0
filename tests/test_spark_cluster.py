"""On a real cluster of Spark, a master and two workers, one of which is lost: the same result."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cluster import Daemon, cluster, environment, killing, of_session
from on_cluster import CUTOFFS, LOGS
from test_engines import plain

from churnkit import bundle
from churnkit.clock import Cutoff
from churnkit.features import build_features
from churnkit.logs import Logs
from churnkit.simulate import Shop
from churnkit.training import Training

DRIVER = Path(__file__).with_name("on_cluster.py")


@dataclass(frozen=True)
class Worked:
    """What the application left behind.

    Attributes
    ----------
    folder
        Its results.
    killed
        The sessions of the workers that were killed.
    daemons
        All daemons that there were.
    registered
        How many workers the master has known.
    """

    folder: Path
    killed: list[int]
    daemons: list[Daemon]
    registered: int


@pytest.fixture(scope="module")
def worked(
    java: None, shop: Shop, training: Training, tmp_path_factory: pytest.TempPathFactory
) -> Worked:
    """Features and scores of the shop, made on a cluster that loses a worker each time."""
    folder = tmp_path_factory.mktemp("cluster")
    for log in LOGS:
        table = pa.Table.from_pandas(getattr(shop, log), preserve_index=False)
        pq.write_table(table, folder / f"{log}.parquet")
    bundle.save(training.model, folder / "model", training.card(), "")
    with cluster(folder) as made, killing(made, folder / "pipe", deaths=2) as killed:
        done = subprocess.run(
            [sys.executable, DRIVER, made.url, folder],
            env=environment(), capture_output=True, text=True, timeout=900, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-9000:]
        daemons = [made.master, *made.workers]
    return Worked(folder, killed, daemons, made.started)


@pytest.fixture(scope="module")
def features(logs: Logs) -> pa.Table:
    """Those of one machine."""
    return plain(build_features(logs, [Cutoff.parse(day) for day in CUTOFFS]).to_arrow())


def assert_same(found: pa.Table, wanted: pa.Table) -> None:
    assert found.column_names == wanted.column_names
    for name in wanted.column_names:
        assert found[name].combine_chunks().equals(wanted[name].combine_chunks()), name


def test_features_of_the_cluster_are_those_of_one_machine_to_the_last_bit(worked, features):
    assert_same(plain(pq.read_table(worked.folder / "features")), features)


def test_a_worker_that_is_killed_half_way_changes_no_feature(worked, features):
    assert len(worked.killed) == len(set(worked.killed)) == 2
    assert worked.registered == 3  # the first was replaced, so that there were two to kill one of
    assert_same(plain(pq.read_table(worked.folder / "features disturbed.parquet")), features)
    # What its task had made was lost with it, and made again by another one.
    assert len(list((worked.folder / "tasks of features").iterdir())) > 4


def test_a_worker_that_is_killed_half_way_changes_no_score(worked, scores):
    found = pq.read_table(worked.folder / "scores disturbed.parquet").sort_by("customer_id")
    assert found["customer_id"].to_pylist() == scores.customer.to_pylist()
    for column, wanted in (
        ("churn_probability", scores.probability),
        ("value_at_risk", scores.value_at_risk),
    ):
        np.testing.assert_allclose(found[column].to_numpy(), wanted, rtol=0, atol=1e-12)
    assert found["light"].to_pylist() == list(scores.lights.light)
    assert found["rank"].to_pylist() == scores.rank.tolist()
    assert len(list((worked.folder / "tasks of scores").iterdir())) > 4


def test_nothing_of_the_cluster_is_left(worked):
    left = {daemon.name: of_session(daemon.session) for daemon in worked.daemons}
    assert not any(left.values()), left
