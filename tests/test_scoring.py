"""From a model and logs to scores: what decides the rank, what must not change a score, and files.

The scores of the small shop are those of 2024-05-15; what must not change a score is tried on
three hundred of its customers as of 2024-04-14.
"""

from __future__ import annotations

import csv
import dataclasses
import resource

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from churnkit.clock import Cutoff
from churnkit.dataset import build_dataset
from churnkit.errors import ConfigError, DataError
from churnkit.features import Features
from churnkit.lights import Fixed, TrafficLight
from churnkit.logs import Logs
from churnkit.model import LADDER, ChurnModel, fit
from churnkit.scoring import Scores, at_risk, score, write_frame, write_scores
from churnkit.simulate import Shop
from churnkit.sources import read_logs
from churnkit.spreadsheet import neutralised

AS_OF = Cutoff.parse("2024-04-14")
LOGS = ("purchases", "activity", "surveys")


def customers_of(shop: Shop, first: str, last: str) -> dict[str, pd.DataFrame]:
    """The logs of some customers, by name."""
    frames = {log: getattr(shop, log) for log in LOGS}
    return {log: f[f["customer_id"].between(first, last)] for log, f in frames.items()}


@pytest.fixture(scope="module")
def few(shop) -> dict[str, pd.DataFrame]:
    return customers_of(shop, "C00200", "C00499")


@pytest.fixture(scope="module")
def few_scores(few, model) -> Scores:
    return score(model, read_logs(**few), AS_OF)


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


# ── What must not change a score ────────────────────────────────────────────────────────────


def probabilities(model: ChurnModel, logs: Logs, as_of: Cutoff = AS_OF) -> dict[str, float]:
    scores = score(model, logs, as_of)
    return dict(zip(scores.features.customer_id, scores.probability.tolist(), strict=True))


@pytest.fixture(scope="module")
def expected(few_scores) -> dict[str, float]:
    ids, p = few_scores.features.customer_id, few_scores.probability
    return dict(zip(ids, p.tolist(), strict=True))


def before(frames: dict[str, pd.DataFrame], cutoff: Cutoff) -> dict[str, pd.DataFrame]:
    return {log: frame[frame["ts"] < str(cutoff)] for log, frame in frames.items()}


def test_the_future_changes_no_score(few, model):
    """Neither do events at the very instant of the cutoff, of customers known or new."""
    past = before(few, AS_OF)
    known = past["purchases"]["customer_id"].unique()[:50]
    at_once = pd.DataFrame({"customer_id": [*known, "new"], "ts": pd.Timestamp(str(AS_OF))})
    future = {
        "purchases": at_once.assign(amount=-1e6, order_id="x"),
        "activity": at_once.assign(event="complaint_opened"),
        "surveys": at_once.assign(instrument="nps", score=0),
    }
    later = {log: pd.concat([few[log], future[log]]) for log in LOGS}
    seen_then = score(model, read_logs(**past), AS_OF)
    seen_later = score(model, read_logs(**later), AS_OF)
    assert_frame_equal(seen_then.to_frame(), seen_later.to_frame(), check_exact=True)


def test_unrelated_customers_change_nobody_but_through_the_market(shop, few, model, rules):
    everyone = read_logs(**customers_of(shop, "C00100", "C00599"))
    alone = probabilities(rules["rfm_logistic"], read_logs(**few))
    crowd = probabilities(rules["rfm_logistic"], everyone)
    assert len(crowd) > len(alone)
    assert {customer: crowd[customer] for customer in alone} == pytest.approx(alone, rel=1e-12)
    assert any(column.feature.streams for column in model.spec.columns())


def test_names_do_not_matter(few, model, expected):
    renamed = {
        log: f.assign(customer_id="x" + f["customer_id"].str[::-1]) for log, f in few.items()
    }
    found = probabilities(model, read_logs(**renamed))
    assert {customer[1:][::-1]: p for customer, p in found.items()} == expected


def test_all_a_week_later_is_the_same(few, model, expected):
    later = {log: f.assign(ts=f["ts"] + pd.Timedelta(days=7)) for log, f in few.items()}
    assert probabilities(model, read_logs(**later), AS_OF.shifted(7)) == expected


def test_the_order_of_rows_does_not_matter(few, model, expected):
    shuffled = {log: f.sample(frac=1, random_state=1) for log, f in few.items()}
    assert probabilities(model, read_logs(**shuffled)) == expected


def test_rows_given_twice_do_not_matter(few, model, expected):
    doubled = {log: pd.concat([f, f.iloc[::3]]) for log, f in few.items()}
    assert probabilities(model, read_logs(**doubled)) == expected


# ── Features by name ────────────────────────────────────────────────────────────────────────


def columns(features: Features, order: list[int]) -> Features:
    """The columns at these positions, in this order."""
    chosen = {features.names[k]: features.columns[features.names[k]] for k in order}
    return dataclasses.replace(features, columns=chosen)


@pytest.mark.parametrize("rung", ["lightgbm", "rfm_logistic"])
def test_shuffled_columns_give_the_same_scores(few_scores, model, rules, rung):
    one, features = {**rules, "lightgbm": model}[rung], few_scores.features
    order = np.random.default_rng(3).permutation(len(features.names)).tolist()
    shuffled = columns(features, order)
    assert shuffled.names != features.names
    assert np.array_equal(one.churn_probability(shuffled), one.churn_probability(features))
    assert np.array_equal(one.contributions(shuffled), one.contributions(features))


def test_columns_too_many_do_not_matter(few_scores, model):
    features = few_scores.features
    unheard_of = {"unheard_of": np.ones(len(features))}
    more = dataclasses.replace(features, columns={**unheard_of, **features.columns})
    assert np.array_equal(model.churn_probability(more), few_scores.probability)


def test_a_missing_column_is_named(few_scores, model):
    order = [k for k, n in enumerate(few_scores.features.names) if n != "visit_count_30d"]
    lacking = columns(few_scores.features, order)
    with pytest.raises(DataError, match="lack 1 columns of the model: visit_count_30d"):
        model.churn_probability(lacking)


# ── What is refused ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("log", ["surveys", "activity"])
def test_a_log_the_model_knew_is_missing(few, model, log):
    fewer = {name: frame for name, frame in few.items() if name != log}
    with pytest.raises(DataError, match=f"trained with a {log} log that is not there") as refused:
        score(model, read_logs(**fewer), AS_OF)
    assert refused.value.exit_code == 3
    assert f"[logs.{log}]" in refused.value.mend


def test_a_column_the_model_knew_is_missing(few, model):
    no_amounts = {**few, "purchases": few["purchases"].drop(columns="amount")}
    with pytest.raises(DataError, match="trained with a purchases columns amount"):
        score(model, read_logs(**no_amounts), AS_OF)


@pytest.mark.parametrize("day", ["2022-12-31", "2025-01-01"])
def test_nobody_at_risk_is_refused(few, model, day):
    with pytest.raises(DataError, match=f"nobody is at risk as of {day}") as refused:
        score(model, read_logs(**few), Cutoff.parse(day))
    assert "The purchases log runs from 2023-01-01 to 2024-05-14" in refused.value.mend


# ── Files ───────────────────────────────────────────────────────────────────────────────────

FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1+1", "＋1", "－1", "＠x",
    "=HYPERLINK(\"http://evil\")",
]  # fmt: skip
PLAIN = ["anna", "C-1", "a=b", "'quoted", "", "ن=", " 5"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_would_run_is_neutralised(text):
    assert neutralised(pd.DataFrame({"customer_id": [text]}))["customer_id"].tolist() == [
        f"'{text}"
    ]


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_are_left_alone(text):
    frame = pd.DataFrame({"customer_id": [text]})
    assert neutralised(frame)["customer_id"].tolist() == [text]


@pytest.mark.parametrize("dtype", ["object", "str", "string", "category"])
def test_texts_are_found_whatever_their_type(dtype):
    frame = pd.DataFrame({"customer_id": pd.Series(["=1", "anna"], dtype=dtype)})
    assert neutralised(frame)["customer_id"].tolist() == ["'=1", "anna"]


def test_numbers_and_gaps_are_left_alone():
    frame = pd.DataFrame({"p": [-0.5, np.nan], "n": [-1, 2], "text": ["-", None]})
    told = neutralised(frame)
    assert_frame_equal(told[["p", "n"]], frame[["p", "n"]])
    assert told["text"].tolist()[0] == "'-"
    assert told["text"].isna().tolist() == [False, True]


@given(st.lists(st.text() | st.text("a\r\n\t=,\"'"), min_size=1, max_size=5))
@example(["a\r=1+1"])
def test_no_cell_of_a_csv_begins_like_a_formula(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("csv") / "scores.csv"
    write_frame(pd.DataFrame({"row": range(len(texts)), "text": texts}), path)
    with path.open(encoding="utf-8", newline="") as file:
        cells = [row["text"] for row in csv.DictReader(file)]
    assert len(cells) == len(texts)
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))]


def test_scores_as_csv(scores, tmp_path):
    write_scores(scores, tmp_path / "scores.csv")
    told = pd.read_csv(tmp_path / "scores.csv", keep_default_na=False)
    assert_frame_equal(told, scores.to_frame(), check_exact=True)


def test_scores_as_parquet(scores, tmp_path):
    write_scores(scores, tmp_path / "scores.parquet")
    assert_frame_equal(pd.read_parquet(tmp_path / "scores.parquet"), scores.to_frame())


def test_parquet_keeps_texts_as_they_are(tmp_path):
    frame = pd.DataFrame({"customer_id": FORMULAS, "p": range(len(FORMULAS))})
    write_frame(frame, tmp_path / "scores.parquet")
    assert_frame_equal(pd.read_parquet(tmp_path / "scores.parquet"), frame)


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
