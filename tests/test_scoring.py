"""From a model and logs to scores: what decides the rank, what must not change a score, and files.

The scores of the small shop are those of 2024-05-15; what must not change a score is tried on
three hundred of its customers as of 2024-04-14.
"""

from __future__ import annotations

import dataclasses
import resource

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from churnkit.clock import Cutoff
from churnkit.dataset import build_dataset
from churnkit.errors import ConfigError, DataError
from churnkit.lights import Fixed, TrafficLight
from churnkit.model import LADDER, fit
from churnkit.scoring import Scores, at_risk, score, write_scores
from churnkit.sources import read_logs

AS_OF = Cutoff.parse("2024-04-14")


# ── The frame of scores ─────────────────────────────────────────────────────────────────────


def test_one_row_for_every_customer_at_risk(scores, shop, question, as_of):
    sales = shop.purchases[shop.purchases["amount"] > 0]
    since = pd.Timestamp(str(as_of)) - pd.Timedelta(days=question.lookback_days)
    at_risk = sales.loc[sales["ts"] >= since, "customer_id"].unique()
    assert sorted(scores.to_frame()["customer_id"]) == sorted(at_risk)


def test_the_columns(scores):
    frame = scores.to_frame()
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == {
        "customer_id": "str",
        "as_of": "str",
        "churn_probability": "float64",
        "light": "str",
        "rank": "int64",
        "value_at_risk": "float64",
        "reasons": "str",
        "rules": "str",
        "base_light": "str",
        "light_before": "str",
        "changed": "str",
        "unknown": "str",
        "model_version": "str",
    }
    assert frame["churn_probability"].between(0, 1).all()
    assert (frame["value_at_risk"] >= 0).all()
    assert set(frame["as_of"]) == {"2024-05-15"}
    assert not frame.isna().any(axis=None)


def test_the_best_rank_comes_first(scores):
    assert scores.to_frame()["rank"].tolist() == list(range(1, len(scores) + 1))


def test_several_reasons_share_a_cell(scores):
    cells = scores.to_frame()["reasons"]
    assert cells.str.split("; ").map(len).max() == 4


def test_without_a_model_of_it_last_years_spend_is_expected(model, logs, shop, question, as_of):
    """A year's spend less returns, spread evenly; a younger customer is taken by its age."""
    age = {}
    features, value = at_risk(dataclasses.replace(model, spend=None), logs, [as_of])
    for customer, expected in zip(features.customer_id[:20], value[:20], strict=True):
        own = shop.purchases[shop.purchases["customer_id"] == customer]
        first = own.loc[own["amount"] > 0, "ts"].min()
        days = (pd.Timestamp(str(as_of)) - own["ts"]) / pd.Timedelta(days=1)
        age[customer] = (pd.Timestamp(str(as_of)) - first) / pd.Timedelta(days=1)
        spent = own.loc[days <= 365, "amount"].sum()
        over = np.clip(age[customer], question.horizon_days, 365)
        assert expected == pytest.approx(spent / over * question.horizon_days)
    assert min(age.values()) < 365 < max(age.values())


def test_the_call_list_holds_no_green(scores):
    calls = scores.call_list()
    assert set(calls["light"]) == {"red", "yellow"}
    assert len(calls) == (scores.lights.light != "green").sum()
    assert calls["rank"].is_monotonic_increasing


def test_a_call_list_of_ten(scores):
    assert_frame_equal(scores.call_list(10), scores.call_list().head(10))


def test_the_policy_colours(model, few, few_scores):
    careful = score(model, read_logs(**few), AS_OF, TrafficLight(Fixed(0.05, 0.1), rules=()))
    assert np.array_equal(careful.probability, few_scores.probability)
    assert (careful.lights.light == "red").sum() > (few_scores.lights.light == "red").sum()


# ── Rank ────────────────────────────────────────────────────────────────────────────────────


def ranked(scores: Scores, **rows: tuple[float, float]) -> list[str]:
    """Customers by rank; given are the probability and the value at risk of each."""
    ids = sorted(rows)
    probability, value = np.array([rows[name] for name in ids], dtype=float).T
    found = dataclasses.replace(
        scores.found, customer=pa.array(ids), probability=probability, value=value
    )
    return np.array(ids)[dataclasses.replace(scores, found=found).in_rank_order].tolist()


NAN = float("nan")


def test_probability_times_value_decides(scores):
    assert ranked(scores, ann=(0.9, 10), ben=(0.1, 1000), cleo=(0.5, 100)) == ["ben", "cleo", "ann"]


def test_of_equal_weight_the_likelier_comes_first(scores):
    assert ranked(scores, ann=(0.25, 100), ben=(0.5, 50)) == ["ben", "ann"]


def test_of_all_else_equal_the_id_decides(scores):
    assert ranked(scores, cleo=(0.5, 50), ann=(0.5, 50), ben=(0.5, 50)) == ["ann", "ben", "cleo"]


def test_an_unknown_value_counts_as_none(scores):
    assert ranked(scores, ann=(0.9, NAN), ben=(0.1, 1), cleo=(0.2, 0)) == ["ben", "ann", "cleo"]


def test_without_any_value_the_probability_decides(scores):
    assert ranked(scores, ann=(0.2, NAN), ben=(0.9, NAN), cleo=(0.5, NAN)) == ["ben", "cleo", "ann"]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1e6) | st.just(NAN)), min_size=1))
def test_ranks_are_one_to_the_number_of_customers(scores, rows):
    order = ranked(scores, **{f"c{k:03}": row for k, row in enumerate(rows)})
    assert sorted(order) == [f"c{k:03}" for k in range(len(rows))]


def test_without_amounts_nothing_is_known_of_the_value(few, question):
    visits_only = read_logs(few["purchases"][["customer_id", "ts"]])
    recency = fit(LADDER[1], build_dataset(visits_only, question, [AS_OF]), question)
    frame = score(recency, visits_only, AS_OF).to_frame()
    assert frame["value_at_risk"].isna().all()
    assert frame["churn_probability"].is_monotonic_decreasing
    assert frame["rank"].tolist() == list(range(1, len(frame) + 1))


# ── What is refused ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("day", ["2022-12-31", "2025-01-01"])
def test_nobody_at_risk_is_refused(few, model, day):
    with pytest.raises(DataError, match=f"nobody is at risk as of {day}") as refused:
        score(model, read_logs(**few), Cutoff.parse(day))
    assert "The purchases log runs from 2023-01-01 to 2024-05-14" in refused.value.mend


# ── Files ───────────────────────────────────────────────────────────────────────────────────


def test_scores_as_csv(scores, tmp_path):
    write_scores(scores, tmp_path / "scores.csv")
    told = pd.read_csv(tmp_path / "scores.csv", keep_default_na=False)
    assert_frame_equal(told, scores.to_frame(), check_exact=True)


def test_scores_as_parquet(scores, tmp_path):
    write_scores(scores, tmp_path / "scores.parquet")
    assert_frame_equal(pd.read_parquet(tmp_path / "scores.parquet"), scores.to_frame())


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_the_same_scores_are_the_same_bytes(scores, tmp_path, ending):
    one, two = tmp_path / f"one{ending}", tmp_path / f"two{ending}"
    write_scores(scores, one)
    write_scores(scores, two)
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("name", ["scores.xlsx", "scores", "scores.parquet.gz"])
def test_an_unknown_ending_is_refused(scores, tmp_path, name):
    with pytest.raises(ConfigError, match="tables are not written as") as refused:
        write_scores(scores, tmp_path / name)
    assert refused.value.exit_code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".CSV"])
def test_a_full_disk_leaves_the_old_scores(scores, tmp_path, ending):
    path = tmp_path / f"scores{ending}"
    write_scores(scores, path)
    old = path.read_bytes()
    limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, most))
    try:
        with pytest.raises(ConfigError, match="cannot be written"):
            write_scores(scores, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]
