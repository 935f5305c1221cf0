"""Line 19: numbers and logs that nobody expects: set aside or refused, and scores stay numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import run, told
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import LAX
from small import project as small_project

import churnkit
from churnkit.clock import Cutoff
from churnkit.dataset import Schedule
from churnkit.errors import ChurnkitError, DataError, GateRefused
from churnkit.labels import Question
from churnkit.logs import Contract
from churnkit.scoring import Scores, score
from churnkit.sources import read_logs
from churnkit.training import train

DAY = "2024-05-15"
NUMBERS = ("churn_probability", "value_at_risk", "priority")
REASONS = {
    "nan": "amount_not_finite",
    "inf": "amount_not_finite",
    "-inf": "amount_not_finite",
    "1e309": "amount_not_finite",
    "1e308": "amount_too_large",
    "-1e308": "amount_too_large",
    "ten": "unreadable_amount",
    "": "missing_amount",
}
"""What is set aside, and why."""
KEPT = ["-5", "0", "-0.0", "999999999999.99", "-999999999999.99", "0.004"]


def assert_numbers(scores: pd.DataFrame) -> None:
    """Every score is a number; a value that nobody knows is missing, and never infinite."""
    assert len(scores)
    assert scores["churn_probability"].between(0, 1).all()
    for name in set(NUMBERS) & set(scores.columns):
        assert not np.isinf(scores[name].to_numpy(dtype=float, na_value=np.nan)).any(), name
    assert scores["light"].isin(["green", "yellow", "red"]).all()


def as_frame(scores: Scores) -> pd.DataFrame:
    return scores.table(np.arange(len(scores))).to_pandas()


@pytest.fixture
def project(shop, training, tmp_path, monkeypatch) -> Path:
    folder = small_project(tmp_path / "project", shop, training, 60, "[quality]\n"
                           "max_rejected_share = 0.5\n")  # fmt: skip
    monkeypatch.chdir(folder)
    return folder


def orders_with(project: Path, cells: list[str]) -> None:
    """The purchases as text, with one more row for each of these amounts."""
    orders = pd.read_parquet(project / "purchases.parquet").astype({"amount": object})
    odd = orders.iloc[: len(cells)].assign(amount=cells, order_id=[f"odd-{k}" for k in cells])
    pd.concat([orders, odd]).to_csv(project / "purchases.csv", index=False)
    settings_file = project / "churnkit.toml"
    settings_file.write_text(
        settings_file.read_text().replace("purchases.parquet", "purchases.csv")
    )


# ── The commands ────────────────────────────────────────────────────────────────────────────


def test_19_odd_amounts_are_set_aside_with_their_reason_and_scores_stay_numbers(project):
    orders_with(project, [*REASONS, *KEPT])
    told("score", "--model", "model", "--as-of", DAY)
    assert_numbers(churnkit.read_scores(DAY))
    assert run("check").exit_code == 0
    rejected = pd.read_csv(project / "reports" / "rejected.csv", keep_default_na=False)
    ours = rejected[rejected["reason"].str.contains("amount")]
    assert sorted(ours["reason"]) == sorted(REASONS.values())


def test_19_an_empty_log_is_refused_by_its_name(project):
    for content in ("", "customer_id,ts,amount\n"):
        (project / "purchases.csv").write_text(content)
        settings_file = project / "churnkit.toml"
        text = settings_file.read_text().replace("purchases.parquet", "purchases.csv")
        settings_file.write_text(text)
        for command in (["check"], ["train"], ["score", "--model", "model", "--as-of", DAY]):
            result = run(*command)
            assert result.exit_code == 3
            assert "purchases.csv" in result.stderr
            assert "empty" in result.stderr
    assert not list(project.rglob("scores/**/*.parquet"))


def test_19_one_customer_is_scored_and_is_too_little_to_learn_from(project):
    orders = pd.read_parquet(project / "purchases.parquet")
    last = orders.loc[orders["ts"].idxmax(), "customer_id"]
    for log in ("purchases", "activity", "surveys"):
        rows = pd.read_parquet(project / f"{log}.parquet")
        rows[rows["customer_id"] == last].to_parquet(project / f"{log}.parquet", index=False)
    assert len(told("score", "--model", "model", "--as-of", DAY, "--force")["lights"])
    scores = churnkit.read_scores(DAY)
    assert list(scores["customer_id"]) == [last]
    assert_numbers(scores)
    result = run("train")
    assert result.exit_code in (3, 4)
    assert "Traceback" not in result.output


# ── The library ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("everyone", ["stays", "leaves"])
def test_19_one_class_is_told_in_words(everyone):
    """Customers who buy every week, or all of whom are never seen again."""
    days = pd.date_range("2023-01-01", periods=60, freq="7D")
    rows = [
        (f"c{k}", day) for k in range(60) for day in (days if everyone == "stays" else days[:20])
    ]
    rows += [] if everyone == "stays" else [("last", day) for day in days]
    frame = pd.DataFrame(rows, columns=["customer_id", "ts"]).assign(amount=5.0)
    logs = read_logs(frame)
    with pytest.raises((DataError, GateRefused)) as refusal:
        train(logs, Question(horizon_days=30, lookback_days=60), Schedule(every=28, cutoffs=3))
    assert len(refusal.value.found) > 20


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e308, -1e308])
def test_19_odd_numbers_of_frames_never_reach_a_score(model, shop, as_of, value):
    purchases = shop.purchases.copy()
    odd = np.random.default_rng(0).choice(len(purchases), 500, replace=False)
    purchases.loc[purchases.index[odd], "amount"] = value
    logs = read_logs(purchases, shop.activity, shop.surveys, contract=LAX)
    assert sum(logs.checks[0].rejected.values()) >= 500
    assert_numbers(as_frame(score(model, logs, as_of)))


AMOUNTS = st.one_of(
    st.sampled_from([*REASONS, *KEPT, "1e12", "-1e12", "1e-300", "NaN", "Infinity", None]),
    st.floats(allow_nan=True, allow_infinity=True).map(str),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.integers(-(10**14), 10**14).map(str),
)
TIMES = st.sampled_from(
    ["2024-05-01", "2024-03-01", "2023-06-01", "0001-01-01", "9999-12-31", "1969-12-31", "x", ""]
)
ROWS = st.lists(st.tuples(st.sampled_from("abc"), TIMES, AMOUNTS, AMOUNTS), min_size=1, max_size=12)


def test_19_no_log_makes_a_score_that_is_no_number(model, trials, seen):
    """Whatever the amounts and discounts are: a clear error, or scores that are numbers."""
    scored, codes = 0, set[int]()
    examples = trials(10, 500)

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(ROWS)
    def no_odd_score(rows):
        nonlocal scored
        frame = pd.DataFrame(rows, columns=["customer_id", "ts", "amount", "discount"], dtype=str)
        visits = pd.DataFrame(
            {"customer_id": ["a", "b"], "ts": ["2024-05-02"] * 2, "event": "visit"}
        ).assign(value=[rows[0][2], "7"])
        answers = visits.rename(columns={"event": "instrument", "value": "score"})
        answers = answers.assign(instrument="nps")
        try:
            logs = read_logs(frame, visits, answers, contract=Contract(max_rejected_share=1.0))
            scores = as_frame(score(model, logs, Cutoff.parse(DAY)))
        except ChurnkitError as error:
            codes.add(error.exit_code)
            return
        if len(scores):
            assert_numbers(scores)
            scored += 1

    no_odd_score()
    assert codes <= {3}
    seen("logs of odd numbers", examples)
    seen("of them scored, in numbers", scored)
