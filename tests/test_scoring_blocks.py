"""Scoring block by block: the same wherever blocks end, and of changed customers only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.clock import Cutoff
from churnkit.dataset import build_dataset
from churnkit.errors import ConfigError
from churnkit.features import kernel
from churnkit.labels import Question
from churnkit.lights import Capacity, TrafficLight
from churnkit.logs import Logs
from churnkit.model import ChurnModel, fit, medians, rung_named
from churnkit.scoring import Scores, score
from churnkit.scoring import run as scoring_run
from churnkit.scoring.fingerprints import fingerprints
from churnkit.scoring.increment import Increment, find_changed, keep, kept, only_full
from churnkit.scoring.run import decide, seek
from churnkit.scoring.sweep import find
from churnkit.simulate import Shop
from churnkit.sources import read_logs

LOGS = ("purchases", "activity", "surveys")
LIGHT = TrafficLight(Capacity(40))


class Cut:
    """Logs whose blocks have other ends."""

    def __init__(self, logs: Logs, customers: int) -> None:
        self._logs, self._customers = logs, customers

    def blocks(self) -> Iterator[Logs]:
        return self._logs.blocks(self._customers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._logs, name)


@pytest.fixture(scope="module")
def frames(shop: Shop) -> dict[str, pd.DataFrame]:
    """The rows of a few customers."""
    whose = set(sorted(shop.purchases["customer_id"].unique())[:90])
    told = {log: getattr(shop, log) for log in LOGS}
    return {log: f[f["customer_id"].isin(whose)] for log, f in told.items()}


@pytest.fixture(scope="module")
def few(frames: dict[str, pd.DataFrame]) -> Logs:
    return read_logs(**frames)


def rows(scores: Scores) -> pd.DataFrame:
    """All rows of a run in order of the ids."""
    return scores.table(np.arange(len(scores))).to_pandas()


def blended(model: ChurnModel, logs: Logs, question: Question, as_of: Cutoff) -> ChurnModel:
    """A blend of the trees with a logistic regression on all columns."""
    learnt = build_dataset(logs, question, [as_of.shifted(-60)], model.spec)
    fitted = {"lightgbm": model, "logistic": fit(rung_named("logistic"), learnt, question)}
    return fit(rung_named("blend"), learnt, question, fitted=fitted)


def test_what_all_customers_did_is_counted_once(
    model: ChurnModel, few: Logs, as_of: Cutoff, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second look at some customers does not go through the logs for that again."""
    counted = []
    count = kernel.count_market
    monkeypatch.setattr(kernel, "count_market", lambda *told: (counted.append(1), count(*told))[1])
    monkeypatch.setattr(scoring_run, "EXACT_REASONS", 0)
    monkeypatch.setattr(scoring_run, "EXACT_OF_MANY", 5)
    assert score(model, few, as_of, LIGHT).found.exact.sum() == 5
    assert counted == [1]


# ── Blocks ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["lightgbm", "blend"])
def test_where_blocks_end_makes_no_difference_to_the_last_bit(
    kind, model, logs, few, question, as_of, monkeypatch
):
    """With a run before, exact and approximate reasons, and changed lights told in both ways."""
    monkeypatch.setattr(scoring_run, "EXACT_REASONS", 15)
    monkeypatch.setattr(scoring_run, "EXACT_OF_MANY", 8)
    asked = model if kind == "lightgbm" else blended(model, logs, question, as_of)
    before = score(asked, few, as_of.shifted(-28), LIGHT).to_run()
    whole = rows(score(asked, few, as_of, LIGHT, before=before, keep_features=False))
    assert whole["reasons"].str.contains("≈").any()
    assert (whole["changed"] != "").any()
    for customers in (13, 50):
        cut = score(asked, Cut(few, customers), as_of, LIGHT, before=before, keep_features=False)
        pd.testing.assert_frame_equal(rows(cut), whole, check_exact=True)


def test_features_that_are_not_kept_are_not_there(model, few, as_of):
    scores = score(model, few, as_of, keep_features=False)
    with pytest.raises(ValueError, match="not kept"):
        _ = scores.features


def test_a_prediction_does_not_depend_on_the_rows_beside_it(model, logs, question, as_of):
    asked = blended(model, logs, question, as_of).estimator
    X = build_dataset(logs, question, [as_of.shifted(-60)], model.spec).features.values[:150]
    told, shares = asked.explained(X)
    assert np.array_equal(told, asked.decision_function(X))
    for size in (1, 64):
        parts = [asked.on_threads(1).explained(X[k : k + size]) for k in range(0, len(X), size)]
        assert np.array_equal(np.concatenate([part for part, _ in parts]), told)
        assert np.array_equal(np.concatenate([part for _, part in parts]), shares)


# ── Fingerprints ────────────────────────────────────────────────────────────────────────────


def test_fingerprints_follow_from_the_rows_before_the_cutoff_alone(frames, few, as_of):
    early = as_of.shifted(-100)
    day = pd.Timestamp(str(early))
    past = {log: frame[frame["ts"] < day] for log, frame in frames.items()}
    there = fingerprints(few, early)
    again = fingerprints(
        read_logs(**{k: f.sample(frac=1, random_state=1) for k, f in past.items()}), early
    )
    assert there.customer.to_pylist() == again.customer.to_pylist()
    assert np.array_equal(there.value, again.value)
    assert there.sha256 == again.sha256


@pytest.mark.parametrize("column", ["amount", "ts"])
def test_one_changed_cell_changes_one_fingerprint(frames, few, as_of, column):
    purchases = frames["purchases"].copy()
    at = purchases.index[5]
    more = pd.Timedelta(seconds=1) if column == "ts" else 0.01
    purchases.loc[at, column] += more
    changed, gone = fingerprints(
        read_logs(**frames | {"purchases": purchases}), as_of
    ).changed_since(fingerprints(few, as_of))
    assert (changed, gone) == ([purchases.loc[at, "customer_id"]], [])


# ── Only who has changed ────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def alone(logs, question, as_of) -> ChurnModel:
    """A model that compares nobody with the market."""
    learnt = build_dataset(logs, question, [as_of.shifted(-60)])
    market = {c.name for c in learnt.features.spec.columns() if c.feature.streams}
    columns = {n: v for n, v in learnt.features.columns.items() if n not in market}
    learnt = replace(learnt, features=replace(learnt.features, columns=columns))
    fitted = fit(rung_named("lightgbm"), learnt, question)
    return replace(fitted, middle=medians(learnt.features, fitted.names))


def test_what_stands_against_scoring_only_the_changed_is_told(model, alone):
    assert only_full(alone, ["recency"]) == ""
    assert "train anew" in only_full(replace(alone, middle=None), [])
    assert "compares each customer with all others" in only_full(model, [])
    assert only_full(alone, ["trend_against_market_30d"])


@st.composite
def changes(draw: st.DrawFn) -> dict[str, list[int]]:
    """Customers, by their numbers, who lose a row, are changed, come anew, or go."""
    numbers = st.lists(st.integers(0, 89), max_size=4, unique=True)
    return {name: draw(numbers) for name in ("fewer", "other", "new", "gone")}


@pytest.fixture(scope="module")
def first(alone, few, as_of, tmp_path_factory) -> Path:
    """What a run left."""
    sought = seek(alone, few, as_of, LIGHT)
    path = tmp_path_factory.mktemp("left") / "run.parquet"
    found = find(few, sought)
    assert found is not None
    keep(Increment("grounds", fingerprints(few, as_of), found), path)
    return path


@settings(max_examples=6)
@given(what=changes())
def test_scoring_the_changed_gives_what_scoring_all_gives(what, alone, frames, few, as_of, first):
    ids = few.customer_ids
    purchases = frames["purchases"].copy()
    lost = purchases[purchases["customer_id"].isin(ids[what["fewer"]])]
    purchases = purchases.drop(lost.groupby("customer_id").tail(1).index)
    other = purchases["customer_id"].isin(ids[what["other"]])
    purchases.loc[other, "amount"] *= 2
    added = purchases[purchases["customer_id"].isin(ids[what["new"]])]
    purchases = pd.concat([purchases, added.assign(customer_id="new " + added["customer_id"])])
    now = {
        log: f[~f["customer_id"].isin(ids[what["gone"]])]
        for log, f in (frames | {"purchases": purchases}).items()
    }
    logs = read_logs(**now)
    sought = seek(alone, logs, as_of, LIGHT)
    earlier = kept(first, sought, "grounds")
    assert isinstance(earlier, Increment)
    found, looked_at = find_changed(logs, sought, earlier, fingerprints(logs, as_of))
    assert found is not None
    assert looked_at <= 12
    some, full = decide(logs, sought, found, None, {}), score(alone, logs, as_of, LIGHT)
    pd.testing.assert_frame_equal(rows(some), rows(full), check_exact=True)
    assert some.reason_groups == full.reason_groups


@pytest.mark.parametrize("fault", ["gone", "other grounds", "damaged"])
def test_what_cannot_be_gone_on_from_is_told(fault, alone, few, as_of, first, tmp_path):
    path = tmp_path / "run.parquet"
    content = bytearray(first.read_bytes())
    if fault == "damaged":
        content[len(content) // 2] ^= 1
    if fault != "gone":
        path.write_bytes(content)
    sought = seek(alone, few, as_of, LIGHT)
    told = kept(path, sought, "others" if fault == "other grounds" else "grounds")
    assert isinstance(told, str)
    expected = {"gone": "nothing", "other grounds": "are not those", "damaged": "cannot be read"}
    assert expected[fault] in told.replace("no run of the day has left anything", "nothing")


def test_a_folder_that_cannot_be_written_is_told(alone, few, as_of, first, tmp_path):
    sought = seek(alone, few, as_of, LIGHT)
    earlier = kept(first, sought, "grounds")
    assert isinstance(earlier, Increment)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError):
        keep(earlier, tmp_path / "file" / "run.parquet")
