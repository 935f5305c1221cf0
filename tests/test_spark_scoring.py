"""Scoring on Spark: a published run that no reader can tell from that of one machine."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import small
from commands import run, told
from hypothesis import given
from hypothesis import strategies as st
from test_engines import frames_of

from churnkit import bundle
from churnkit.actions import Actions, Calls
from churnkit.engines import spark
from churnkit.engines.spark import bundles, order, telling
from churnkit.engines.spark.scores import nth_highest
from churnkit.errors import BundleError, ConfigError, DataError
from churnkit.lights import Cost, TrafficLight
from churnkit.logs import Texts
from churnkit.publishing import ScoreStore, read_scores
from churnkit.scoring import Totals, score
from churnkit.scoring.rows import plan_of, run_tables
from churnkit.sources import read_logs

BEFORE, DAY = "2024-05-08", "2024-05-15"
SETTINGS = f"""{small.SETTINGS}
[lights]
policy = "capacity"
margin = 0.02
runs = 2

[calls]
per_week = 60
[calls.quotas]
service = 25
"retention team" = 0

[holdout]
share = 0.2
"""
ON_SPARK = '\n[engine]\nname = "spark"\nmaster = "local[2]"\n'
LOGS = ("purchases", "activity", "surveys")


# ── A whole published run of both engines ───────────────────────────────────────────────────


@pytest.fixture(scope="module")
def project(shop, training, tmp_path_factory) -> Path:
    """A project that was scored a week before; never to be changed."""
    folder = tmp_path_factory.mktemp("project")
    for log in LOGS:
        getattr(shop, log).to_parquet(folder / f"{log}.parquet", index=False)
    bundle.save(training.model, folder / "model", training.card(), "")
    (folder / "churnkit.toml").write_text(SETTINGS)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        told("score", "--model", "model", "--as-of", BEFORE)
        some = str(read_scores(BEFORE)["customer_id"].iloc[3])
        days = ("--as-of", BEFORE, "--until", "2024-06-01")
        why = ("--owner", "ada", "--reason", "ill")
        assert run("lights", "set", some, "red", *days, *why).exit_code == 0
    return folder


def scored(folder: Path, settings: str) -> dict[str, Any]:
    """What scoring the day tells, in a project of these settings."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        Path("churnkit.toml").write_text(settings)
        # Fewer of whom more is told than there are customers.
        patched.setattr("churnkit.scoring.run.EXACT_REASONS", 200)
        patched.setattr("churnkit.scoring.run.EXACT_OF_MANY", 100)
        found: dict[str, Any] = told("score", "--model", "model", "--as-of", DAY)
        return found


def rounded(found: dict[str, Any]) -> dict[str, Any]:
    """What both engines tell alike: sums of amounts are in another order, and files elsewhere."""
    lights = [{**t, "value_at_risk": round(t["value_at_risk"], 6)} for t in found["lights"]]
    data = [{**log, "source": ""} for log in found["data"]]
    left = {name: told for name, told in found.items() if name not in ("paths", "published")}
    return {**left, "lights": lights, "data": data}


def test_a_run_of_spark_is_that_of_one_machine_byte_for_byte(
    project, session, tmp_path, monkeypatch
):
    """With a run before, a capacity, quotas, controls, an override and few exact reasons."""
    monkeypatch.setattr(
        "churnkit.engines.spark.spark_session", lambda *_, **__: nullcontext(session)
    )
    here, there = (shutil.copytree(project, tmp_path / name) for name in ("here", "there"))
    one, many = scored(here, SETTINGS), scored(there, SETTINGS + ON_SPARK)
    ours, theirs = (ScoreStore(folder / "scores") for folder in (here, there))
    frame, manifest = ours.read(DAY), theirs.manifest(DAY)
    pd.testing.assert_frame_equal(theirs.read(DAY), frame, check_exact=True)
    assert manifest.content == ours.manifest(DAY).content
    assert manifest.file.sha256 == ours.manifest(DAY).file.sha256
    assert rounded(many) == rounded(one)
    # The trial is one: everything that is told of some is told of a few.
    for column, some in {
        "light": ("red", "yellow", "green"), "listed": ("call", "waiting", ""),
        "arm": ("treated", "control", ""), "light_before": ("red", "yellow", "green", ""),
    }.items():  # fmt: skip
        assert set(some) <= set(frame[column]), column
    assert (frame["changed"] != "").sum() > 5
    assert (frame["override"] != "").sum() == 1
    assert 100 < frame["reasons"].str.contains("≈").sum() < len(frame)
    again = scored(there, SETTINGS + ON_SPARK)
    assert again["published"]["unchanged"]
    assert again["published"]["run"] == many["published"]["run"]


@pytest.mark.parametrize(
    ("arguments", "more", "found"),
    [
        (("--incremental",), "", "--incremental is for one machine"),
        (("--out", "scores.parquet"), "", "--out is for one machine"),
        ((), '[output]\nurl = "sqlite:///s.db"\n', "Spark does not write to the store"),
        ((), 'rank_by = "uplift"', "learns from all customers on one machine"),
    ],
)
def test_what_only_one_machine_does_is_refused_before_spark_starts(
    project, tmp_path, monkeypatch, arguments, more, found
):
    monkeypatch.setattr("churnkit.engines.spark.spark_session", None)
    folder = shutil.copytree(project, tmp_path / "project")
    monkeypatch.chdir(folder)
    text = (
        SETTINGS.replace("per_week", f"{more}\nper_week") if "rank_by" in more else SETTINGS + more
    )
    Path("churnkit.toml").write_text(text + ON_SPARK)
    result = run("score", "--model", "model", "--as-of", DAY, *arguments)
    assert result.exit_code == 2
    assert found in result.stderr
    assert "Traceback" not in result.stderr


# ── As a library ────────────────────────────────────────────────────────────────────────────


def arrow(frame: pd.DataFrame) -> pa.Table:
    """A log as Spark takes it, of which texts and times have no larger type."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    kinds = {"large_string": pa.string(), "timestamp[ns]": pa.timestamp("us")}
    fields = [pa.field(f.name, kinds.get(str(f.type), f.type)) for f in table.schema]
    return table.cast(pa.schema(fields))


def test_parts_of_a_run_lie_in_order_and_do_not_depend_on_the_cluster(
    shop, model, as_of, session, tmp_path
):
    frames = {log: getattr(shop, log) for log in LOGS}
    few = {log: frame[frame["customer_id"] < "C00450"] for log, frame in frames.items()}
    light, actions = TrafficLight(Cost()), Actions(calls=Calls(quotas={"service": 7}))
    alone = score(model, read_logs(*few.values()), as_of, light)
    plan = plan_of(alone, actions, "")
    expected = pa.concat_tables(run_tables(alone, plan))
    store = ScoreStore(tmp_path / "scores")
    there = frames_of(session, {log: arrow(frame) for log, frame in few.items()})
    with store.lock(), spark.spark_scores(
        there, model, as_of, None, light, actions, partitions=3,
        rows_per_part=100, rows_per_stretch=120,
    ) as found:  # fmt: skip
        manifest = found.publish(store, "0123456789ab")
        totals = Totals.of(alone, plan)
        assert found.totals.lights["red"].value == pytest.approx(totals.lights["red"].value)
        assert found.totals.calls == totals.calls
        assert found.totals.rules == totals.rules
        assert found.totals.planned == totals.planned
    rows = read_scores(as_of, store.folder)
    pd.testing.assert_frame_equal(rows, expected.to_pandas(), check_exact=True)
    parts = [part.rows for part in manifest.parts]
    assert len(parts) > 2
    assert parts[:-1] == [100] * (len(rows) // 100)
    assert sum(parts) == len(rows)
    folder = store.path(str(as_of))
    assert [file.name for file in sorted(folder.iterdir())] == [p.name for p in manifest.parts]
    assert pd.read_parquet(folder)["customer_id"].is_monotonic_increasing
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]


def test_a_run_before_that_is_none_and_a_model_of_old_are_refused(session, model, as_of, shop):
    frames = frames_of(session, {"purchases": arrow(shop.purchases.head(10))})
    before = session.createDataFrame([("a",)], ["customer_id"])
    with (
        pytest.raises(DataError, match="the run before has no column as_of"),
        spark.spark_scores(frames, model, as_of, before=before),
    ):
        pass
    with (
        pytest.raises(ConfigError, match="medians of its training"),
        spark.spark_scores(frames, replace(model, middle=None), as_of),
    ):
        pass


# ── The model on its way ────────────────────────────────────────────────────────────────────


def test_a_model_that_was_changed_on_its_way_is_refused_before_lightgbm_sees_it(model, monkeypatch):
    content = bundles.packed(model)
    again = bundles.unpacked(content, sha256(content).hexdigest())
    assert bundle.fingerprint(again) == bundle.fingerprint(model)
    monkeypatch.setattr("lightgbm.Booster", None)
    flipped = content.replace(b"leaf_value=0", b"leaf_value=1", 1)
    assert flipped != content
    with pytest.raises(BundleError, match="not the one that was sent"):
        bundles.unpacked(flipped, sha256(content).hexdigest())
    with pytest.raises(BundleError, match="its sha256 is not the one in the manifest"):
        bundles.unpacked(flipped, sha256(flipped).hexdigest())


# ── Exact places ────────────────────────────────────────────────────────────────────────────

few_numbers = st.sampled_from([-1.5, 0.0, -0.0, 2.0, float("1e300")])


@given(
    rows=st.lists(st.tuples(few_numbers, few_numbers), min_size=1, max_size=60),
    borders=st.sets(st.integers(0, 59), max_size=5),
    length=st.integers(1, 9),
)
def test_places_follow_from_borders_counts_and_sorted_stretches(rows, borders, length):
    keys = ("first", "then", "customer_id")
    ids = [f"c{k:02}" for k in range(len(rows))]
    table = pa.table({"first": [r[0] + 0.0 for r in rows], "then": [r[1] + 0.0 for r in rows],
                      "customer_id": ids})  # fmt: skip
    nth = pa.array([k for k in borders if k < len(rows)], pa.int64())
    known = order.in_order(table.take(nth), keys)
    stretch = order.stretch_of(table.to_batches()[0], keys, known)
    starts = [0, *np.cumsum(np.bincount(stretch, minlength=len(known) + 1))[:-1].tolist()]
    sorted_rows = order.in_order(
        table.append_column(order.STRETCH, [stretch]), (order.STRETCH, *keys)
    )
    placed = pa.Table.from_batches(
        order.numbered(starts, iter(sorted_rows.to_batches(max_chunksize=length)))
    )
    assert placed[order.PLACE].to_pylist() == list(range(len(rows)))
    assert placed.select(list(keys)).equals(order.in_order(table, keys))


def test_the_nth_highest_of_numbers_is_found_in_rounds_of_bits(session):
    rng = np.random.default_rng(5)
    values = np.concatenate([rng.normal(0, 1e4, 60), [0.0] * 20, rng.normal(3, 1e-9, 20)])
    batch = pa.RecordBatch.from_pydict({"value": np.append(values, np.nan)})
    (keys,) = telling.sortable(iter([batch]))
    assert [telling.value_of(k) for k in sorted(keys["key"].to_pylist())] == sorted(values)
    frame = frames_of(session, {"keys": pa.table(keys)})["keys"]
    places = [20, 55, 1]
    found = nth_highest(frame, "key", places, len(values), few=3)
    falling = sorted(values, reverse=True)
    assert [telling.value_of(key) for key in found] == [falling[k - 1] for k in places]


# ── What is global, in small objects ────────────────────────────────────────────────────────


def one_after_the_other(calls: Calls, order: Any, owner: Texts, by_person: Any, held: Any) -> Any:
    """Who has room, told as people would go through the list."""
    room = ~by_person
    left = np.inf if calls.per_week is None else calls.per_week
    quota = {who: calls.quotas.get(who, np.inf) for who in owner.words}
    for at in order[by_person[order]]:
        who = owner.words[owner.code[at]]
        if left <= 0:
            break
        room[at] = quota[who] > 0
        if room[at] and not held[at]:
            left -= 1
            quota[who] -= 1
    return room


@given(
    rows=st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.booleans()), max_size=40),
    per_week=st.none() | st.integers(1, 12),
    quotas=st.dictionaries(st.sampled_from(["ada", "bo"]), st.integers(0, 6)),
    seed=st.integers(0, 99),
)
def test_turns_are_as_if_people_went_through_the_list(rows, per_week, quotas, seed):
    calls = Calls(per_week, quotas)
    # Two positions may stand for one name, as where a column names who has a playbook, too.
    owner = Texts(("ada", "bo", "ada"), np.array([who for who, _, _ in rows], dtype=np.int64))
    by_person = np.array([person for _, person, _ in rows], dtype=bool)
    held = np.array([control for _, _, control in rows], dtype=bool)
    rank = 1 + np.random.default_rng(seed).permutation(len(rows))
    takes = by_person & ~held
    turns = calls.turns(rank[takes], owner.where(takes))
    expected = one_after_the_other(calls, np.argsort(rank), owner, by_person, held)
    assert turns.room(rank, owner, by_person).tolist() == expected.tolist()


def test_totals_of_parts_add_up_to_those_of_all(scores):
    plan = plan_of(scores, Actions(), "")
    whole, parts = Totals.of(scores, plan), []
    for rows in np.array_split(np.arange(len(scores)), 4):
        some = replace(
            scores, found=scores.found.where(rows), lights=scores.lights.where(rows),
            ranks=scores.rank[rows],
        )  # fmt: skip
        told = Totals.of(some, {name: texts.where(rows) for name, texts in plan.items()})
        parts.append(Totals.from_json(told.to_json(), scores.as_of))
    both = sum(parts[1:], parts[0])
    assert both.lights["red"].value == pytest.approx(whole.lights["red"].value)
    for name in ("customers", "counts", "unknown", "planned", "calls", "calls_total", "version"):
        assert getattr(both, name) == getattr(whole, name), name
    assert both.expected == pytest.approx(whole.expected)
