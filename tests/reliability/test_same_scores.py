"""What must not change a score: order, repetition, the future, names, other people, other weeks."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from churnkit.clock import Cutoff
from churnkit.errors import DataError
from churnkit.features import Features
from churnkit.logs import Logs
from churnkit.model import ChurnModel
from churnkit.scoring import score
from churnkit.sources import read_logs

AS_OF = Cutoff.parse("2024-04-14")
LOGS = ("purchases", "activity", "surveys")
LEARN = """
import json, sys
from pathlib import Path
import pandas as pd
from churnkit import bundle
from churnkit.clock import Cutoff
from churnkit.dataset import Recipe, build_dataset
from churnkit.labels import Question
from churnkit.model import fit, rung_named
from churnkit.scoring import score
from churnkit.sources import read_logs

folder, seed = Path(sys.argv[1]), int(sys.argv[2])
rows = {file.stem: pd.read_parquet(file) for file in folder.glob("*.parquet")}
rows = {log: frame.sample(frac=1, random_state=seed) for log, frame in rows.items()}
logs, question = read_logs(**rows), Question(horizon_days=30, lookback_days=90)
learnt = build_dataset(logs, question, [Cutoff.parse("2024-02-14"), Cutoff.parse("2024-03-14")])
recipe = Recipe(trees={"trees": 20, "seeds": 2, "rows_per_leaf": 20})
model = fit(rung_named("lightgbm"), learnt, question, recipe)
scores = score(model, logs, Cutoff.parse("2024-04-14")).to_frame()
print(json.dumps({"model": bundle.fingerprint(model), "scores": scores.to_csv(index=False)}))
"""


def learnt_with(folder: Path, threads: int, seed: int) -> str:
    """What a process with so many threads told that learnt from rows in another order."""
    done = subprocess.run(
        [sys.executable, "-c", LEARN, str(folder), str(seed)],
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def probabilities(model: ChurnModel, logs: Logs, as_of: Cutoff = AS_OF) -> dict[str, float]:
    scores = score(model, logs, as_of)
    return dict(zip(scores.features.customer_id, scores.probability.tolist(), strict=True))


@pytest.fixture(scope="module")
def expected(few_scores) -> dict[str, float]:
    ids, p = few_scores.features.customer_id, few_scores.probability
    return dict(zip(ids, p.tolist(), strict=True))


def before(frames: dict[str, pd.DataFrame], cutoff: Cutoff) -> dict[str, pd.DataFrame]:
    return {log: frame[frame["ts"] < str(cutoff)] for log, frame in frames.items()}


def test_14_events_at_the_cutoff_and_later_change_no_score(few, model):
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


def test_14_dates_that_no_log_has_are_set_aside_and_change_no_score(few, model, expected):
    far = few["purchases"].head(3).assign(ts=pd.Timestamp("2999-12-31"))
    logs = read_logs(**{**few, "purchases": pd.concat([few["purchases"], far])})
    [check] = [check for check in logs.checks if check.log == "purchases"]
    assert check.rejected["implausible_ts"] == 3
    assert probabilities(model, logs) == expected


def test_18_unrelated_customers_change_nobody_but_through_the_market(few, crowd, model, rules):
    everyone = read_logs(**crowd)
    alone = probabilities(rules["rfm_logistic"], read_logs(**few))
    together = probabilities(rules["rfm_logistic"], everyone)
    assert len(together) > len(alone)
    assert {customer: together[customer] for customer in alone} == pytest.approx(alone, rel=1e-12)
    assert any(column.feature.streams for column in model.spec.columns())


def test_18_ids_renamed_give_the_same_scores(few, model, expected):
    renamed = {
        log: f.assign(customer_id="x" + f["customer_id"].str[::-1]) for log, f in few.items()
    }
    found = probabilities(model, read_logs(**renamed))
    assert {customer[1:][::-1]: p for customer, p in found.items()} == expected


def test_18_all_dates_and_the_cutoff_a_week_later_give_the_same_scores(few, model, expected):
    later = {log: f.assign(ts=f["ts"] + pd.Timedelta(days=7)) for log, f in few.items()}
    assert probabilities(model, read_logs(**later), AS_OF.shifted(7)) == expected


def test_17_rows_shuffled_give_the_same_scores(few, model, expected):
    shuffled = {log: f.sample(frac=1, random_state=1) for log, f in few.items()}
    assert probabilities(model, read_logs(**shuffled)) == expected


def test_17_threads_and_shuffled_rows_give_the_same_model_and_scores(few, question, tmp_path):
    """Each in a process of its own, since OpenMP reads its number of threads but once."""
    for log, frame in few.items():
        frame.to_parquet(tmp_path / f"{log}.parquet")
    told = {learnt_with(tmp_path, threads, seed) for threads, seed in ((1, 0), (2, 1), (8, 2))}
    assert len(told) == 1
    assert json.loads(told.pop())["scores"] != []


def test_13_rows_given_twice_give_the_same_scores_and_are_counted(few, model, expected):
    doubled = {log: pd.concat([f, f.iloc[::3]]) for log, f in few.items()}
    logs = read_logs(**doubled)
    assert [check.rejected["duplicate"] for check in logs.checks] == [
        len(few[check.log].iloc[::3]) for check in logs.checks
    ]
    assert probabilities(model, logs) == expected


# ── Columns ────────────────────────────────────────────────────────────────────────


def columns(features: Features, order: list[int]) -> Features:
    """The columns at these positions, in this order."""
    chosen = {features.names[k]: features.columns[features.names[k]] for k in order}
    return dataclasses.replace(features, columns=chosen)


@pytest.mark.parametrize("rung", ["lightgbm", "rfm_logistic"])
def test_11_features_shuffled_give_the_same_scores(few_scores, model, rules, rung):
    one, features = {**rules, "lightgbm": model}[rung], few_scores.features
    order = np.random.default_rng(3).permutation(len(features.names)).tolist()
    shuffled = columns(features, order)
    assert shuffled.names != features.names
    assert np.array_equal(one.churn_probability(shuffled), one.churn_probability(features))
    assert np.array_equal(one.contributions(shuffled), one.contributions(features))


def test_11_columns_of_the_logs_shuffled_or_too_many_give_the_same_scores(few, model, expected):
    other = {log: f[f.columns[::-1]].assign(unheard_of="x") for log, f in few.items()}
    assert probabilities(model, read_logs(**other)) == expected


@pytest.mark.parametrize("column", ["ts", "amount"])
def test_11_a_column_of_another_type_is_named(few, column):
    retyped = few["purchases"].assign(**{column: "red"})
    with pytest.raises(DataError, match=rf"3,704 unreadable_{column}") as refused:
        read_logs(**{**few, "purchases": retyped})
    assert refused.value.exit_code == 3


def test_11_features_too_many_give_the_same_scores(few_scores, model):
    features = few_scores.features
    unheard_of = {"unheard_of": np.ones(len(features))}
    more = dataclasses.replace(features, columns={**unheard_of, **features.columns})
    assert np.array_equal(model.churn_probability(more), few_scores.probability)


def test_11_a_missing_feature_is_named(few_scores, model):
    order = [k for k, n in enumerate(few_scores.features.names) if n != "visit_count_30d"]
    lacking = columns(few_scores.features, order)
    with pytest.raises(DataError, match="lack 1 columns of the model: visit_count_30d"):
        model.churn_probability(lacking)


@pytest.mark.parametrize("log", ["surveys", "activity"])
def test_11_a_log_the_model_knew_is_missing(few, model, log):
    fewer = {name: frame for name, frame in few.items() if name != log}
    with pytest.raises(DataError, match=f"trained with a {log} log that is not there") as refused:
        score(model, read_logs(**fewer), AS_OF)
    assert refused.value.exit_code == 3
    assert f"[logs.{log}]" in refused.value.mend


def test_11_a_column_the_model_knew_is_missing(few, model):
    no_amounts = {**few, "purchases": few["purchases"].drop(columns="amount")}
    with pytest.raises(DataError, match="trained with a purchases columns amount"):
        score(model, read_logs(**no_amounts), AS_OF)
