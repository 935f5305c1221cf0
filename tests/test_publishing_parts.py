"""A run that many wrote: a folder of parts, read as one; refused if one is not what it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churnkit.errors import ConfigError, DataError
from churnkit.ledger import Ledger
from churnkit.publishing import Manifest, Part, ScoreStore, content_hash, write_part
from churnkit.report.calls import first_calls, write_whole_list
from churnkit.sinks import write_csv

DAY, KEY = "2024-05-15", "0123456789abcdef"


def rows(first: int, last: int) -> pa.Table:
    """Customers of some numbers, ranked the other way round."""
    numbers = range(first, last)
    return pa.table(
        {
            "customer_id": [f"c{k:03}" for k in numbers], "as_of": [DAY for _ in numbers],
            "rank": [100 - k for k in numbers], "light": ["red" for _ in numbers],
            "churn_probability": [k / 100 for k in numbers],
            "value_at_risk": pa.array([None if k % 2 else 1.5 * k for k in numbers], pa.float64()),
            **{name: ["" for _ in numbers] for name in (
                "reasons", "rules", "light_before", "changed", "model_version", "policy")},
        }
    )  # fmt: skip


def published(folder: Path, *sizes: int) -> tuple[ScoreStore, Manifest]:
    """A store with a run of parts of these sizes; the last one was tried twice."""
    store, start = ScoreStore(folder), 0
    with store.lock(), store.publication(DAY, KEY) as publication:
        place = publication.folder()
        parts = []
        for number, size in enumerate(sizes):
            pieces = [rows(start, start + size - 1), rows(start + size - 1, start + size)]
            parts.append(write_part(place, number, pieces))
            start += size
        write_part(place, len(sizes) - 1, [rows(90, 91)])  # whose task was lost
        told = [Part.from_json(part.to_json()) for part in reversed(parts)]
        return store, publication.publish_parts(told, {"config": "x"})


def test_parts_are_read_as_one_run_by_all_readers(tmp_path):
    store, manifest = published(tmp_path / "scores", 4, 4, 2)
    expected = rows(0, 10).to_pandas()
    pd.testing.assert_frame_equal(store.read(DAY), expected)
    assert [part.name for part in manifest.parts] == [f"part-0000{k}.parquet" for k in range(3)]
    assert (manifest.rows, manifest.file.rows, len(manifest.columns)) == (10, 10, 12)
    folder = store.path(DAY)
    pd.testing.assert_frame_equal(pd.read_parquet(folder), expected)
    assert write_csv(folder, tmp_path / "run.csv") == 10
    assert write_whole_list(folder, tmp_path / "list.csv") == 10
    assert pd.read_csv(tmp_path / "list.csv")["customer_id"].iloc[0] == "c009"
    calls, total = first_calls(folder, 2)
    assert ([call["customer_id"] for call in calls], total) == (["c009", "c008"], 10)
    ledger = Ledger(tmp_path / "ledger")
    assert ledger.catch_up(store).runs == (f"{DAY}/{manifest.run}",)
    assert ledger.read(DAY)["customer_id"].tolist() == expected["customer_id"].tolist()
    assert store.published(DAY, KEY) == manifest


def test_a_single_part_is_a_run_of_one_file_as_ever(tmp_path):
    _, manifest = published(tmp_path / "scores", 5)
    one = ScoreStore(tmp_path / "one")
    with one.lock(), one.publication(DAY, KEY) as publication:
        publication.write(rows(0, 4))
        publication.write(rows(4, 5))
        assert publication.publish({"config": "x"}) == manifest
    assert manifest.content == content_hash(rows(0, 5))
    texts = [
        (tmp_path / name / f"as_of={DAY}/{manifest.run}.json").read_text()
        for name in ("one", "scores")
    ]
    assert texts[0] == texts[1]
    assert {path.name for path in (tmp_path / f"scores/as_of={DAY}").iterdir()} == {
        f"{manifest.run}.json", f"{manifest.run}.parquet",
    }  # fmt: skip


@pytest.mark.parametrize("damage", ["flipped", "gone", "more", "swapped"])
def test_a_damaged_part_is_refused_with_its_name(tmp_path, damage):
    store, _ = published(tmp_path / "scores", 3, 3)
    part = store.path(DAY) / "part-00001.parquet"
    if damage == "flipped":
        content = bytearray(part.read_bytes())
        content[len(content) // 2] ^= 1
        part.write_bytes(content)
    elif damage == "gone":
        part.unlink()
    elif damage == "more":
        shutil.copy(part, part.with_name("part-00002.parquet"))
    else:
        shutil.copy(part.with_name("part-00000.parquet"), part)
    with pytest.raises(
        DataError, match=r"part-0000[12]\.parquet.* (damaged|too much|missing)|damaged: part"
    ):
        store.read(DAY)
    assert store.published(DAY, KEY) is None


def test_an_earlier_churnkit_is_told_to_be_updated(tmp_path, monkeypatch):
    store, manifest = published(tmp_path / "scores", 3, 3)
    path = tmp_path / f"scores/as_of={DAY}/{manifest.run}.json"
    assert json.loads(path.read_text())["format"] == 2
    monkeypatch.setattr("churnkit.publishing.manifest.FORMAT", 1)
    with pytest.raises(ConfigError, match="newer churnkit"):
        store.read(DAY)


def test_what_is_no_run_is_not_published_and_nothing_stays(tmp_path):
    store = ScoreStore(tmp_path / "scores")
    for wrong in ((), (1,), (0, 2)):
        with store.lock(), store.publication(DAY, KEY) as publication:
            parts = [write_part(publication.folder(), k, [rows(k, k + 1)]) for k in wrong]
            with pytest.raises(DataError, match="do not make a run"):
                publication.publish_parts(parts, {})
    with store.lock(), store.publication(DAY, KEY) as publication:
        place = publication.folder()
        parts = [write_part(place, 0, [rows(0, 1)]),
                 write_part(place, 1, [rows(1, 2).drop(["rank"])])]  # fmt: skip
        with pytest.raises(DataError, match="the same columns"):
            publication.publish_parts(parts, {})
    assert not list((tmp_path / f"scores/as_of={DAY}").iterdir())
    assert store.days() == ()


def test_what_a_killed_driver_left_is_removed_by_the_next_one(tmp_path):
    store, manifest = published(tmp_path / "scores", 3, 3)
    day = tmp_path / f"scores/as_of={DAY}"
    left = day / ".fedcba987654.parquet.0a1b2c3d"
    left.mkdir()
    pq.write_table(rows(0, 1), left / "part-00000.parquet.deadbeef")
    shutil.copytree(store.path(DAY), day / "fedcba987654.parquet")  # named, and not yet told
    with store.lock():
        pass
    assert {path.name for path in day.iterdir()} == {
        f"{manifest.run}.json", f"{manifest.run}.parquet",
    }  # fmt: skip
    assert len(store.read(DAY)) == 6
