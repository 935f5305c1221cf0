"""One customer: why now, what moved it, and what is said where there is nothing to explain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from churnkit import bundle
from churnkit.cli import app
from churnkit.clock import Cutoff
from churnkit.customer import explain_customer
from churnkit.errors import ConfigError, DataError
from churnkit.labels import Question
from churnkit.logs import Logs
from churnkit.model import ChurnModel
from churnkit.scaffold import write_config
from churnkit.scoring import Scores, score
from churnkit.sections import QuestionSection
from churnkit.simulate import Shop
from churnkit.sources import open_logs, read_logs

SINCE = Cutoff.parse("2024-04-20")


@pytest.fixture(scope="module")
def before(model: ChurnModel, logs: Logs) -> Scores:
    return score(model, logs, SINCE)


@pytest.fixture(scope="module")
def customers(scores: Scores, before: Scores) -> list[str]:
    """Some who are at risk on both days: the first by rank, one of the middle, the last."""
    both = set(before.features.customer_id)
    ranked = [c for c in scores.to_frame()["customer_id"] if c in both]
    return [ranked[0], ranked[len(ranked) // 2], ranked[-1]]


def row_of(scores: Scores, customer: str) -> Any:
    frame = scores.to_frame().set_index("customer_id")
    return frame.loc[customer]


# Why now


def test_it_tells_what_the_scores_tell(model, logs, scores, customers, as_of) -> None:
    for customer in customers:
        told, row = explain_customer(model, logs, customer, as_of), row_of(scores, customer)
        assert told["churn_probability"] == row["churn_probability"]
        assert (told["light"], told["base_light"]) == (row["light"], row["base_light"])
        assert told["value_at_risk"] == pytest.approx(row["value_at_risk"])
        assert "; ".join(told["rules"]) == row["rules"]
        arrows = [f"{'↑' if r['weight'] > 0 else '↓'} {r['says']}" for r in told["reasons"]]
        assert "; ".join(arrows[:4]) == row["reasons"]


def test_start_reasons_and_rest_add_up_to_the_log_odds(model, logs, customers, as_of) -> None:
    starts = set()
    for customer in customers:
        told = explain_customer(model, logs, customer, as_of)
        weights = sum(reason["weight"] for reason in told["reasons"])
        assert told["start"] + weights + told["rest"] == pytest.approx(told["log_odds"])
        assert 1 / (1 + np.exp(-told["log_odds"])) == pytest.approx(told["churn_probability"])
        starts.add(round(told["start"], 9))
    assert len(starts) == 1  # everybody starts from the same mean


def test_features_are_told_with_their_values(model, logs, scores, customers, as_of) -> None:
    told = explain_customer(model, logs, customers[0], as_of)
    row = list(scores.features.customer_id).index(customers[0])
    for reason in told["reasons"]:
        for feature in reason["features"]:
            value = scores.features.columns[feature["name"]][row]
            assert (feature["value"] is None) == bool(np.isnan(value))
            assert feature["value"] is None or feature["value"] == value


def test_logs_on_disk_tell_the_same(model, shop, logs, customers, as_of) -> None:
    expected = explain_customer(model, logs, customers[1], as_of, SINCE)
    frames = (shop.purchases, shop.activity, shop.surveys)
    with open_logs(*frames) as stored:
        assert explain_customer(model, stored, customers[1], as_of, SINCE) == expected


def test_the_base_rate_has_nothing_to_explain(rules, logs, customers, as_of) -> None:
    told = explain_customer(rules["base_rate"], logs, customers[0], as_of, SINCE)
    assert told["reasons"] == told["since"]["moves"] == []
    assert told["start"] == told["log_odds"]
    assert told["rest"] == told["since"]["rest"] == told["since"]["change"] == 0


# What moved it


def test_the_earlier_state_is_that_of_the_earlier_scores(
    model, logs, before, customers, as_of
) -> None:
    for customer in customers:
        told, row = explain_customer(model, logs, customer, as_of, SINCE), row_of(before, customer)
        assert told["since"]["as_of"] == str(SINCE)
        assert told["since"]["churn_probability"] == row["churn_probability"]
        assert told["since"]["light"] == row["light"]
        assert told["since"]["change"] == pytest.approx(
            told["log_odds"] - told["since"]["log_odds"], abs=1e-12
        )


def test_moves_and_rest_add_up_to_the_change(training, logs, customers, as_of) -> None:
    """Of every model of the ladder; what is told is all that is not too small to be told."""
    models = training.backtest.test.models
    assert len(models) >= 5
    for model in models.values():
        for customer in customers:
            told = explain_customer(model, logs, customer, as_of, SINCE)["since"]
            moved = sum(move["weight"] for move in told["moves"])
            assert moved + told["rest"] == pytest.approx(told["change"])
            assert all(abs(move["weight"]) >= 0.02 for move in told["moves"])


def test_contributions_of_every_model_begin_at_one_mean(training, scores) -> None:
    """So that differences of contributions are differences of log-odds, exactly."""
    for name, model in training.backtest.test.models.items():
        p = model.churn_probability(scores.features)
        start = np.log(p / (1 - p)) - model.contributions(scores.features).sum(axis=1)
        assert np.ptp(start) < 1e-6, name


def test_a_move_tells_what_was(model, logs, customers, as_of) -> None:
    told = [explain_customer(model, logs, c, as_of, SINCE)["since"]["moves"] for c in customers]
    moves = [move for moves in told for move in moves]
    changed = [f for m in moves for f in m["features"] if f["value"] != f["before"]]
    assert any("(was " in move["says"] for move in moves)
    assert {"name", "says", "weight", "value", "before"} == changed[0].keys()


# Where there is nothing to explain


def test_an_unknown_customer_is_refused(model, logs, as_of) -> None:
    with pytest.raises(ConfigError, match="no log knows the customer 'nobody'") as error:
        explain_customer(model, logs, "nobody", as_of)
    assert "Did you mean" not in error.value.mend


@pytest.mark.parametrize("mistyped", ["c00012", " C00012", "C00012.0"])
def test_an_id_that_is_nearly_known_is_offered(model, logs, as_of, mistyped) -> None:
    with pytest.raises(ConfigError) as error:
        explain_customer(model, logs, mistyped, as_of)
    assert "Did you mean 'C00012'?" in error.value.mend


@pytest.mark.parametrize("since", ["2024-05-15", "2024-06-01"])
def test_the_earlier_day_must_be_earlier(model, logs, customers, as_of, since) -> None:
    with pytest.raises(ConfigError, match=f"{since} is not before 2024-05-15"):
        explain_customer(model, logs, customers[0], as_of, Cutoff.parse(since))


def test_who_has_been_silent_for_too_long_is_not_explained(model, logs, shop, as_of) -> None:
    sales = shop.purchases[shop.purchases["amount"] > 0].groupby("customer_id")["ts"].max()
    silent = pd.Timestamp(str(as_of)) - sales
    customer = str(silent.idxmax())
    days = silent.max() / pd.Timedelta(days=1)
    with pytest.raises(DataError) as error:
        explain_customer(model, logs, customer, as_of)
    assert f"the last purchase was {days:,.0f} days before" in error.value.found
    assert "customers with purchase in the 90 days before" in error.value.found


def test_who_is_not_known_yet_is_not_explained(model, logs, shop, as_of) -> None:
    first = shop.purchases.groupby("customer_id")["ts"].min()
    at_risk = set(score(model, logs, as_of).features.customer_id)
    newcomer = next(c for c in first.sort_values(ascending=False).index if c in at_risk)
    earlier = Cutoff.parse(first[newcomer].date())
    with pytest.raises(DataError, match=f"not known as of {earlier}: there is no purchase before"):
        explain_customer(model, logs, newcomer, as_of, earlier)


@pytest.mark.parametrize(
    ("churn", "sign"),
    [
        ("no_purchase", "purchase was 19"),
        ("no_activity", "activity was 18"),
        ("event", "activity was 18"),
    ],
)
def test_who_has_left_is_not_explained(model, churn, sign) -> None:
    """A visit, a purchase, a cancellation, which is no sign of life; another did not cancel."""
    bought = pd.DataFrame(
        {"customer_id": ["ann", "ben"], "ts": pd.Timestamp("2024-03-01"), "amount": [10, 10]}
    )
    did = pd.DataFrame(
        {
            "customer_id": ["ann", "ann", "ben"],
            "ts": pd.to_datetime(["2024-03-02", "2024-03-09", "2024-03-02"]),
            "event": ["visit", "cancellation", "visit"],
        }
    )
    asked = ChurnModel("any", model.estimator, model.names, model.spec, Question(churn, 30, 90))
    with pytest.raises(DataError) as error:
        explain_customer(asked, read_logs(bought, did), "ann", Cutoff.parse("2024-03-20"))
    assert error.value.found == (
        "customer 'ann' is not at risk as of 2024-03-20: it had left by then; "
        f"the last {sign} days before"
    )


# The command


@pytest.fixture(scope="module")
def project(shop: Shop, training: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the logs of the small shop, and a bundle of its model."""
    folder = tmp_path_factory.mktemp("project")
    files = shop.write(folder / "data")
    files.pop("customers", None)
    asked = QuestionSection(horizon_days=30, lookback_days=90)
    write_config(folder / "churnkit.toml", files, asked, force=True)
    bundle.save(training.model, folder / "bundle", training.card(), "")
    return folder


def run(project: Path, *arguments: str) -> Result:
    options = ["--config", str(project / "churnkit.toml"), "--model", str(project / "bundle")]
    wide = {"COLUMNS": "300"}  # no sentence is cut
    whole = ["explain", *arguments, *options]
    return CliRunner().invoke(app, whole, env=wide, catch_exceptions=False)


def test_the_command_says_why_and_what_moved_it(project, customers) -> None:
    options = ("--as-of", "2024-05-15", "--since", "2024-04-20")
    told = json.loads(run(project, customers[0], *options, "--json").stdout)
    shown = run(project, customers[0], *options).stdout
    assert f"{customers[0]} as of 2024-05-15: {told['churn_probability']:.0%} churn" in shown
    assert f"Together {told['log_odds']:+.2f} in log-odds" in shown
    assert f"Since 2024-04-20, then: {told['since']['churn_probability']:.0%} churn" in shown
    assert f"Together {told['since']['change']:+.2f} in log-odds" in shown
    for reason in (*told["reasons"][:8], *told["since"]["moves"][:8]):
        arrow = "↑" if reason["weight"] > 0 else "↓"
        start = [arrow, f"{reason['weight']:+.2f}"]
        told_in = [line for line in shown.splitlines() if line.rstrip().endswith(reason["says"])]
        assert [line for line in told_in if line.split()[:2] == start and "█" in line]


def test_what_is_shown_adds_up(project, customers) -> None:
    shown = run(project, customers[0], "--as-of", "2024-05-15").stdout
    weights = [float(line.split()[1]) for line in shown.splitlines() if line[:1] in ("↑", "↓")]
    others = {
        name: next(line for line in shown.splitlines() if line.strip().endswith(name))
        for name in ("where everybody starts", "all else")
    }
    together = next(line for line in shown.splitlines() if line.startswith("Together"))
    total = sum(weights) + sum(float(line.split()[0]) for line in others.values())
    assert total == pytest.approx(float(together.split()[1]), abs=0.06)
    assert "What moved it" not in shown


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (("nobody", "--as-of", "2024-05-15"), 2, "no log knows the customer 'nobody'"),
        (("C00012", "--as-of", "2023-01-01"), 3, "is not known as of 2023-01-01"),
        (("C00012", "--as-of", "2024-05-15", "--since", "2024-05-16"), 2, "is not before"),
        (("C00012", "--as-of", "soon"), 2, "'soon'"),
    ],
)
def test_what_cannot_be_explained_has_its_exit_code(project, arguments, exit_code, says) -> None:
    result = run(project, *arguments)
    assert result.exit_code == exit_code
    assert says in result.stderr
    assert result.stdout == ""


def test_the_outcome_that_the_model_learnt_from_is_warned_of(project, customers) -> None:
    result = run(project, customers[0], "--as-of", "2024-05-15", "--since", "2024-04-20")
    assert "these scores look better than they would have been then" in result.stderr
