"""The store of published scores: whole runs behind one pointer, verified by whoever reads."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from killed import key_of, publish, table_of

import churnkit
from churnkit.errors import ConfigError, DataError
from churnkit.publishing import ScoreStore, StaleScores, content_hash
from churnkit.sinks import write_csv

DAY, NEXT = "2024-05-15", "2024-05-22"


@pytest.fixture
def store(tmp_path: Path) -> ScoreStore:
    """A store with a run of two days."""
    for seed, day in ((1, DAY), (2, NEXT)):
        publish(tmp_path / "scores", seed, day)
    return ScoreStore(tmp_path / "scores")


def file_of(store: ScoreStore, day: str, ending: str = "parquet") -> Path:
    manifest = store.manifest(day)
    return store.folder / f"as_of={day}" / f"{manifest.run}.{ending}"


def files(store: ScoreStore) -> dict[str, bytes]:
    whole = (path for path in store.folder.rglob("*") if path.is_file())
    return {str(p.relative_to(store.folder)): p.read_bytes() for p in whole if p.name != ".lock"}


# ── What is published is what is read ───────────────────────────────────────────────────────


def test_what_was_written_is_read_back(store):
    expected = table_of(1, DAY).to_pandas()
    pd.testing.assert_frame_equal(store.read(DAY), expected)
    pd.testing.assert_frame_equal(
        churnkit.read_scores(DAY, store.folder, ["light", "customer_id"]),
        expected[["light", "customer_id"]],
    )
    newest = churnkit.read_scores(folder=store.folder)
    pd.testing.assert_frame_equal(newest, table_of(2, NEXT).to_pandas())
    assert store.days() == (DAY, NEXT)


def test_a_manifest_tells_where_scores_come_from(store):
    told = json.loads(file_of(store, DAY, "json").read_text())
    assert told["run"] == key_of(1)[:12]
    assert (told["as_of"], told["key"], told["previous"]) == (DAY, key_of(1), None)
    assert told["model"] == {"version": "1"}
    assert told["file"]["rows"] == len(table_of(1))
    assert told["content"] == content_hash(table_of(1, DAY))
    pointer = json.loads((store.folder / "current.json").read_text())
    assert pointer["newest"] == NEXT
    assert pointer["days"][DAY]["run"] == told["run"]


def test_pages_of_the_file_have_checksums(store):
    import pyarrow.parquet as pq

    path = file_of(store, DAY)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(OSError, match="checksum"):
        pq.read_table(path, page_checksum_verification=True)


def test_the_same_inputs_are_published_once(store):
    before = files(store)
    again = publish(store.folder, 1, DAY)
    assert again == store.manifest(DAY)
    assert files(store) == before


def test_forced_runs_have_names_of_their_own_and_the_same_content(store):
    first = store.manifest(DAY)
    second, third = (publish(store.folder, 1, DAY, force=True) for _ in range(2))
    assert [m.run for m in (first, second, third)] == [
        first.run, f"{first.run}-2", f"{first.run}-3",
    ]  # fmt: skip
    assert (third.sequence, third.previous) == (3, second.run)
    assert first.content == second.content == third.content
    assert store.manifest(DAY) == third


def test_inputs_that_turn_back_are_published_anew(store):
    first = store.manifest(DAY)
    publish(store.folder, 7, DAY)
    back = publish(store.folder, 1, DAY)
    assert back.run == f"{first.run}-2"
    assert back.content == first.content
    assert [one.run for one in store.runs() if one.as_of == DAY] == [
        first.run, key_of(7)[:12], back.run,
    ]  # fmt: skip


def test_an_older_day_does_not_become_the_newest(store):
    publish(store.folder, 9, "2024-01-01")
    assert churnkit.read_scores(folder=store.folder)["as_of"].iloc[0] == NEXT


def test_a_run_that_is_not_published_leaves_nothing(store):
    before = files(store)
    with store.lock(), store.publication("2024-06-01", key_of(3)) as publication:
        publication.write(table_of(3))
    assert files(store) == before

    def fail() -> None:
        with store.lock(), store.publication(DAY, key_of(3)) as failing:
            failing.write(table_of(3))
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        fail()
    assert files(store) == before


def test_rows_of_other_columns_are_refused(store):
    with store.lock(), store.publication(DAY, key_of(3)) as publication:
        publication.write(table_of(3))
        with pytest.raises(DataError, match="light string → absent"):
            publication.write(table_of(3).drop_columns("light"))
    with (
        store.lock(),
        store.publication(DAY, key_of(3)) as publication,
        pytest.raises(DataError, match="nothing is to be published"),
    ):
        publication.publish({})


# ── The hash of the content ─────────────────────────────────────────────────────────────────

CELLS = st.tuples(
    st.one_of(st.none(), st.text(max_size=3)),
    st.one_of(st.none(), st.floats(width=32)),
    st.one_of(st.none(), st.integers(-3, 3)),
    st.one_of(st.none(), st.booleans()),
)


def rows_table(rows: list[tuple[object, ...]]) -> pa.Table:
    types = (pa.string(), pa.float64(), pa.int64(), pa.bool_())
    columns = [pa.array([row[k] for row in rows], kind) for k, kind in enumerate(types)]
    return pa.table(dict(zip("tfib", columns, strict=True)))


@given(st.lists(CELLS, max_size=12), st.lists(st.integers(0, 12), max_size=3))
def test_content_does_not_depend_on_chunks_or_encodings(rows, cuts):
    whole = rows_table(rows)
    borders = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    parts = [whole.slice(a, b - a) for a, b in pairwise(borders)]
    cut = pa.concat_tables(parts)
    texts = cut["t"].cast(pa.large_string())
    other = cut.set_column(0, "t", texts.dictionary_encode()).replace_schema_metadata({"x": "y"})
    assert content_hash(whole) == content_hash(cut) == content_hash(other)


@given(st.lists(CELLS, min_size=1, max_size=6), st.data())
def test_content_depends_on_every_value(rows, data):
    place = data.draw(st.integers(0, len(rows) - 1))
    other = data.draw(CELLS)
    changed = [*rows[:place], other, *rows[place + 1 :]]
    same = repr(rows_table(rows).to_pydict()) == repr(rows_table(changed).to_pydict())
    assert (content_hash(rows_table(rows)) == content_hash(rows_table(changed))) == same


def test_a_gap_is_not_an_empty_text_and_not_nan():
    texts, numbers = [["ab", ""], ["a", "b"], ["ab", None]], [[0.0], [None], [np.nan], [-0.0]]
    told = [content_hash(pa.table({"x": pa.array(t, pa.string())})) for t in texts]
    told += [content_hash(pa.table({"x": pa.array(n, pa.float64())})) for n in numbers]
    assert len(set(told)) == len(told)


# ── Damage ──────────────────────────────────────────────────────────────────────────────────


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


DAMAGE: dict[str, Callable[[Path], None]] = {
    "flipped": flip,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "emptied": lambda path: path.write_bytes(b""),
    "removed": Path.unlink,
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("ending", ["parquet", "json"])
def test_damage_is_named_with_the_last_good_run(store, ending, damage):
    path = file_of(store, NEXT, ending)
    good = store.manifest(DAY)
    DAMAGE[damage](path)
    with pytest.raises(DataError) as error:
        churnkit.read_scores(NEXT, store.folder)
    assert str(path) in error.value.found
    assert f"The last good run is {good.run} of {DAY}" in error.value.mend
    with pytest.warns(StaleScores, match=rf"{path.name}.*scores of {DAY} \(run {good.run}\)"):
        served = churnkit.read_scores(folder=store.folder)
    pd.testing.assert_frame_equal(served, table_of(1, DAY).to_pandas())
    # The next run of that day mends it.
    mended = publish(store.folder, 2, NEXT)
    assert mended.run == f"{key_of(2)[:12]}-2"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pd.testing.assert_frame_equal(store.newest(), table_of(2, NEXT).to_pandas())


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied"])
def test_a_damaged_pointer_is_told_and_mended_by_removing_it(store, damage):
    pointer = store.folder / "current.json"
    before = pointer.read_bytes()
    DAMAGE[damage](pointer)
    kept = files(store)
    for attempt in (lambda: store.read(DAY), lambda: publish(store.folder, 5, DAY)):
        with pytest.raises(DataError, match=r"current\.json is damaged") as error:
            attempt()
        assert "Remove" in error.value.mend
    with pytest.warns(StaleScores):
        assert store.newest()["as_of"].iloc[0] == NEXT
    assert files(store) == kept
    pointer.unlink()
    with store.lock():
        pass
    assert pointer.read_bytes() == before


def test_a_pointer_that_is_gone_is_no_empty_store(store):
    (store.folder / "current.json").unlink()
    for attempt in (store.days, lambda: store.read(DAY)):
        with pytest.raises(DataError, match=r"current\.json is gone, and runs lie beside it"):
            attempt()
    with pytest.warns(StaleScores):
        assert store.newest()["as_of"].iloc[0] == NEXT


def test_a_pointer_to_a_missing_run_serves_the_last_good_one(store):
    shutil.rmtree(store.folder / f"as_of={NEXT}")
    with pytest.raises(DataError, match="is not there"):
        store.read(NEXT)
    with pytest.warns(StaleScores):
        assert store.newest()["as_of"].iloc[0] == DAY


def test_a_manifest_of_another_run_is_not_believed(store):
    shutil.copy(file_of(store, DAY, "json"), file_of(store, NEXT, "json"))
    with pytest.raises(DataError, match="is not the manifest that"):
        store.read(NEXT)


@pytest.mark.parametrize("name", ["pointer", "manifest"])
def test_a_newer_format_is_refused(store, name):
    path = store.folder / "current.json" if name == "pointer" else file_of(store, NEXT, "json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(ConfigError, match="written by a newer churnkit"):
        churnkit.read_scores(folder=store.folder)


def test_what_is_not_there_is_told(store, tmp_path):
    with pytest.raises(DataError, match="no scores are published in"):
        churnkit.read_scores(folder=tmp_path / "nowhere")
    with pytest.raises(DataError, match="no scores as of 2024-05-16") as error:
        churnkit.read_scores("2024-05-16", store.folder)
    assert f"There are {DAY}, {NEXT}." in error.value.mend
    with pytest.raises(DataError, match="no column 'lights'") as lacking:
        churnkit.read_scores(None, store.folder, ["lights"])
    assert "Did you mean 'light'?" in lacking.value.mend


def test_a_reader_follows_a_pointer_that_moves_meanwhile(store, monkeypatch):
    """The run it was reading is pruned: it reads the one that took its place."""
    whole, moved = store.verified, []

    def read(manifest, columns):
        if not moved:
            moved.append(publish(store.folder, 5, DAY))
            with store.lock():
                store.prune(keep=1)
        return pd.read_parquet(whole(manifest))

    monkeypatch.setattr(store, "_frame", read)
    pd.testing.assert_frame_equal(store.read(DAY), table_of(5, DAY).to_pandas())


# ── Retention and what was left behind ──────────────────────────────────────────────────────


def test_old_runs_are_pruned_oldest_first_and_published_ones_stay(store):
    for seed in (3, 4, 5):
        publish(store.folder, seed, DAY)
    with store.lock():
        gone = store.prune(keep=2)
        assert gone == tuple(f"{DAY}/{key_of(seed)[:12]}" for seed in (1, 3))
        assert store.prune(keep=2) == ()
    assert [one.run for one in store.runs()] == [key_of(seed)[:12] for seed in (4, 5, 2)]
    # A name is never given twice, also where its run is gone.
    assert publish(store.folder, 1, DAY).run == f"{key_of(1)[:12]}-2"


def test_old_days_are_pruned_whole(store):
    for place in range(3):
        publish(store.folder, 10 + place, f"2024-06-0{place + 1}")
    (store.folder / f"as_of={DAY}" / "notes.txt").write_text("mine")
    with store.lock():
        store.prune(keep=3, days=2)
    assert store.days() == ("2024-06-02", "2024-06-03")
    left = {path.name for path in store.folder.iterdir()}
    assert left == {".lock", "current.json", f"as_of={DAY}", "as_of=2024-06-02", "as_of=2024-06-03"}
    assert [path.name for path in (store.folder / f"as_of={DAY}").iterdir()] == ["notes.txt"]


def test_leftovers_are_removed_and_nothing_foreign(store):
    day = store.folder / f"as_of={DAY}"
    run = "0123456789ab"
    ours = [
        day / f"{run}.parquet", day / f".{run}.parquet.a1b2c3d4", day / f".{run}.json.abcdefgh",
        store.folder / ".current.json.12345678",
    ]  # fmt: skip
    foreign = [
        day / "notes.txt", day / ".hidden.parquet.a1b2c3d4", store.folder / "scores.parquet",
        store.folder / f"{run}.parquet", day / "0123.parquet", day / f".{run}.parquet.swp",
    ]  # fmt: skip
    for path in (*ours, *foreign):
        path.write_bytes(b"x")
    # A whole run that was killed just before the pointer.
    publish(store.folder, 8, "2024-04-01")
    pointer = json.loads((store.folder / "current.json").read_text())
    unseen = store.folder / "as_of=2024-04-01"
    before = ScoreStore(store.folder)
    with before.lock():
        told = before._pointer()
        del told["2024-04-01"]
        before._write_pointer(told)
    assert "2024-04-01" in pointer["days"]
    with store.lock():
        pass
    assert [path for path in ours if path.exists()] == []
    assert [path for path in foreign if not path.exists()] == []
    assert not [path for path in unseen.iterdir() if path.suffix in {".json", ".parquet"}]
    assert store.days() == (DAY, NEXT)


def test_runs_are_written_with_the_lock_held(store):
    with pytest.raises(RuntimeError), store.publication(DAY, key_of(3)):
        pass
    with pytest.raises(RuntimeError):
        store.prune(1)
    with store.lock(), pytest.raises(ValueError, match="no hash"), store.publication(DAY, "../x"):
        pass


# ── As a table for spreadsheets ─────────────────────────────────────────────────────────────


def test_published_scores_as_csv_are_neutralised_and_whole(store, tmp_path, monkeypatch):
    monkeypatch.setattr("churnkit.sinks.csv._ROWS_AT_ONCE", 2)
    rows = pa.table({"customer_id": ["=1+1", "b\rc", "@x", None], "p": [-0.5, 0.25, 1.0, 0.0]})
    with store.lock(), store.publication(DAY, key_of(3)) as publication:
        publication.write(rows)
        publication.publish({})
    out = tmp_path / "out" / "scores.csv"
    assert write_csv(store.path(DAY), out) == 4
    assert out.read_bytes() == (
        b"customer_id,p\r\n'=1+1,-0.5\r\n\"b\rc\",0.25\r\n'@x,1.0\r\n,0.0\r\n"
    )
