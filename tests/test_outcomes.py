"""What was done is recorded whole or not at all; what it did is told with honest intervals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from churnkit.campaign import Kind, Population, draw_campaign
from churnkit.clock import Cutoff
from churnkit.dataset import Dataset
from churnkit.errors import ConfigError, DataError
from churnkit.estimators import PlainRule
from churnkit.features import Features, FeatureSpec
from churnkit.labels import Question
from churnkit.ledger import Ledger
from churnkit.logs import LogMapping, Logs
from churnkit.outcomes import (
    Deeds,
    all_assigned,
    churned_since,
    first_assigned,
    outcome_report,
    record,
    report_of,
    sample_size,
    with_deeds,
    without_treated,
)
from churnkit.outcomes.effect import Arms, difference, holm, p_value, per_contact, saved_value
from churnkit.sources import read_logs

FIRST, SECOND = "2024-06-01", "2024-06-08"


def run_of(day: str, **arms: str) -> pd.DataFrame:
    """A run: customer → its arm, all red and to be called."""
    n = len(arms)
    return pd.DataFrame(
        {
            "customer_id": list(arms),
            "as_of": day,
            "churn_probability": 0.6,
            "value_at_risk": 100.0,
            "light": "red",
            "playbook": "call",
            "action": "call",
            "arm": list(arms.values()),
            "campaign": ["spring"] * n,
        }
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    kept = Ledger(tmp_path / "ledger")
    kept.write(run_of(FIRST, a="treated", b="control", c=""), Cutoff.parse(FIRST))
    kept.write(run_of(SECOND, a="treated", d="treated", e="control"), Cutoff.parse(SECOND))
    return kept


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outcomes"


def file_of(tmp_path: Path, text: str, name: str = "done.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


# ── Recording ───────────────────────────────────────────────────────────────────────────────


def test_a_file_is_recorded_with_the_arms_of_the_ledger(
    ledger: Ledger, folder: Path, tmp_path: Path
) -> None:
    text = (
        "customer_id,as_of,done,result,cost,note\n"
        f"a,{FIRST},yes,stays,2.50,nice\nb,{FIRST},Yes,,,\nc,{FIRST},1,,0,\nd,{SECOND},no,,,\n"
    )
    told = record(file_of(tmp_path, text), ledger, folder)
    assert (told.rows, told.done, told.not_done) == (4, 3, 1)
    assert (told.contaminated, told.outside, told.superseded, told.record) == (1, 1, 0, 1)
    assert told.says == (
        "record 1: rows: 4; done: 3; of the control, and done nevertheless: 1; "
        "of no arm, and done: 1"
    )
    kept = Deeds(folder).current().set_index("customer_id")
    assert kept["arm"].to_dict() == {"a": "treated", "b": "control", "c": "", "d": "treated"}
    assert kept.loc["a", ["result", "cost", "note", "row"]].tolist() == ["stays", 2.5, "nice", 1]
    assert np.isnan(kept.loc["b", "cost"])
    assert json.dumps(told.told())


def test_the_same_content_is_recorded_once(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    text = f"customer_id,as_of,done\na,{FIRST},yes\n"
    first = record(file_of(tmp_path, text), ledger, folder)
    again = record(file_of(tmp_path, text, "copy.csv"), ledger, folder)
    assert (first.again, again.again) == (False, True)
    assert again.record == 1
    assert "already" in again.says
    assert len(Deeds(folder).history()) == 1


def test_a_later_record_supersedes_and_the_earlier_one_is_kept(
    ledger: Ledger, folder: Path, tmp_path: Path
) -> None:
    record(file_of(tmp_path, f"customer_id,as_of,done\na,{FIRST},no\n"), ledger, folder)
    later = record(
        file_of(tmp_path, f"customer_id,as_of,done\na,{FIRST},yes\na,{SECOND},yes\n"),
        ledger,
        folder,
    )
    assert later.superseded == 1
    current = Deeds(folder).current()
    assert current[["as_of", "done", "record"]].values.tolist() == [
        [FIRST, True, 2],
        [SECOND, True, 2],
    ]
    history = Deeds(folder).history()
    assert history[["done", "superseded"]].values.tolist() == [
        [False, True],
        [True, False],
        [True, False],
    ]


@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
        (f"ghost,{FIRST},yes,1", "customer_id", "the customer was never scored"),
        (f"d,{FIRST},yes,1", "customer_id", f"the customer is not in the run of {FIRST}"),
        (f",{FIRST},yes,1", "customer_id", "is empty, and should be an id"),
        ("a,2024-06-02,yes,1", "as_of", "there is no run of 2024-06-02 in the ledger"),
        ("a,June,yes,1", "as_of", "looks like 'Xxxx', and should be a day"),
        (f"a,{FIRST},perhaps,1", "done", "looks like 'xxxxxxx', and should be yes or no"),
        (f"a,{FIRST},,1", "done", "is empty"),
        (f"a,{FIRST},yes,much", "cost", "looks like 'xxxx', and should be an amount"),
        (f"a,{FIRST},yes,-1", "cost", "looks like '-9'"),
        (f"b,{FIRST},yes,1", "customer_id", "the customer stands in row 1 already"),
    ],
)
def test_a_fault_is_named_and_nothing_is_recorded(
    ledger: Ledger, folder: Path, tmp_path: Path, row: str, column: str, says: str
) -> None:
    text = f"customer_id,as_of,done,cost\nb,{FIRST},yes,1\n{row}\n"
    with pytest.raises(DataError, match="Nothing was recorded") as refused:
        record(file_of(tmp_path, text), ledger, folder)
    assert f"row 2, column {column}: " in refused.value.found
    assert says in refused.value.found
    assert not folder.exists()


def test_many_faults_are_counted(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    rows = "".join(f"x{k},{FIRST},yes\n" for k in range(8))
    with pytest.raises(DataError, match="and 3 more"):
        record(file_of(tmp_path, f"customer_id,as_of,done\n{rows}"), ledger, folder)


def test_a_missing_column_or_row_or_file_is_named(
    ledger: Ledger, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="has no column done"):
        record(file_of(tmp_path, f"customer_id,as_of,don\na,{FIRST},yes\n"), ledger, folder)
    with pytest.raises(DataError, match="two columns for done: 'done' and 'Done '"):
        record(file_of(tmp_path, "customer_id,as_of,done,Done \na,1,yes,no\n"), ledger, folder)
    with pytest.raises(DataError, match="has a header and no rows"):
        record(file_of(tmp_path, "customer_id,as_of,done\n"), ledger, folder)
    with pytest.raises(DataError, match="cannot be read"):
        record(tmp_path / "none.csv", ledger, folder)


def test_marks_digits_and_other_columns_are_understood(folder: Path, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.write(run_of(FIRST, **{"123": "treated"}), Cutoff.parse(FIRST))
    text = "Customer_ID,as_of,Done,cost,agent\n۱۲۳,۲۰۲۴-۰۶-۰۱,بله,۱۲٫۵,Sara\n"
    path = file_of(tmp_path, text, encoding="utf-8-sig")
    told = record(path, ledger, folder, LogMapping(fold_ids=True))
    assert told.ignored == ("agent",)
    assert Deeds(folder).current()[["customer_id", "cost"]].values.tolist() == [["123", 12.5]]


def test_parquet_with_real_dates_and_flags(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"customer_id": ["a"], "as_of": pd.to_datetime([FIRST]), "done": [True], "cost": [3]}
    )
    frame.to_parquet(tmp_path / "done.parquet")
    assert record(tmp_path / "done.parquet", ledger, folder).done == 1


def test_a_damaged_store_is_named(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    record(file_of(tmp_path, f"customer_id,as_of,done\na,{FIRST},no\n"), ledger, folder)
    next(folder.glob("*.parquet")).write_bytes(b"PAR1")
    with pytest.raises(DataError, match="deeds-000001"):
        Deeds(folder).current()


def test_an_empty_store_has_no_deeds(folder: Path) -> None:
    assert Deeds(folder).current().empty


# ── Who was assigned, and what came of them ─────────────────────────────────────────────────


def test_every_customer_counts_once_with_its_first_run(ledger: Ledger) -> None:
    told = first_assigned(ledger)
    assert dict(zip(told["customer_id"], told["as_of"], strict=True)) == {
        "a": FIRST,
        "b": FIRST,
        "d": SECOND,
        "e": SECOND,
    }
    with pytest.raises(DataError, match="of the campaign 'autumn'"):
        first_assigned(ledger, "autumn")


def test_churned_since_is_the_label_of_training_and_open_until_the_horizon_is_over() -> None:
    days = ["2024-01-01", "2024-02-20", "2024-06-01"]
    purchases = pd.DataFrame({"customer_id": ["a", "a", "b"], "ts": days})
    question = Question(horizon_days=30, lookback_days=90)
    pairs = pd.DataFrame(
        {
            "customer_id": ["b", "a", "a", "a", "ghost"],
            "as_of": ["2024-05-15", "2024-02-01", "2024-03-01", "2024-05-02", "2024-02-01"],
        }
    )
    found = churned_since(read_logs(purchases), question, pairs)
    # The last day of the log, the 1st of June, is the day on which knowledge ends.
    assert found.tolist()[1:4] == [0.0, 1.0, 1.0]
    assert np.isnan(found[[0, 4]]).all()
    open_now = churned_since(read_logs(purchases), question, pairs, Cutoff.parse("2024-03-30"))
    assert np.isnan(open_now).tolist() == [True, False, True, True, True]


def test_churned_since_agrees_with_the_labels_of_a_dataset(logs: Logs, question: Question) -> None:
    from churnkit.dataset import build_dataset

    data = build_dataset(logs, question, [Cutoff.parse("2024-03-01")], FeatureSpec({}))
    pairs = pd.DataFrame({"customer_id": data.features.customer_id, "as_of": "2024-03-01"})
    assert np.array_equal(churned_since(logs, question, pairs[::-1])[::-1], data.churned)


def test_deeds_of_any_run_within_the_horizon_count(ledger: Ledger) -> None:
    deeds = pd.DataFrame(
        {
            "customer_id": ["a", "a", "a", "d", "ghost"],
            "as_of": [FIRST, SECOND, "2024-08-01", SECOND, FIRST],
            "done": [False, True, True, False, True],
            "cost": [1.0, 2.0, 4.0, np.nan, 8.0],
        }
    )
    told = with_deeds(first_assigned(ledger), deeds, horizon_days=30).set_index("customer_id")
    assert told["done"].to_dict() == {"a": True, "b": False, "d": False, "e": False}
    assert told["told"].to_dict() == {"a": True, "b": False, "d": True, "e": False}
    assert told.loc["a", "cost"] == 3.0


def test_the_report_from_files_to_verdict(ledger: Ledger, folder: Path, tmp_path: Path) -> None:
    rows = f"customer_id,as_of,done,cost\na,{FIRST},yes,2\n"
    record(file_of(tmp_path, rows), ledger, folder)
    purchases = pd.DataFrame(
        {"customer_id": ["a", "b", "e", "x"], "ts": [SECOND, "2024-05-01", "2024-05-01", FIRST]}
    )
    logs = read_logs(pd.concat([purchases, purchases.tail(1).assign(ts="2024-07-05")]))
    told = outcome_report(ledger, Deeds(folder), logs, Question(horizon_days=30), "spring")
    # The treated d is not in the logs, the control e is still open.
    assert (told.together.treated, told.together.control, told.together.open) == (1, 1, 2)
    assert told.together.difference is not None
    assert told.together.difference.value == -1.0
    assert told.together.cost == 2.0
    assert told.question.startswith("no purchase within 30 days")
    assert json.dumps(told.told(), allow_nan=False)


# ── Differences, their intervals, and what they are worth ───────────────────────────────────


def arms(treated: int, treated_churned: int, control: int, control_churned: int) -> Arms:
    counts = treated, treated_churned, control, control_churned
    return Arms(*(np.array([float(n)]) for n in counts))


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [  # Newcombe (1998), table II, method 10
        ((70, 56, 80, 48), 0.0524, 0.3339),
        ((10, 9, 10, 3), 0.1705, 0.8090),
        ((7, 6, 7, 2), 0.0582, 0.8062),
        ((56, 5, 29, 0), -0.0381, 0.1926),
        ((10, 0, 20, 0), -0.1611, 0.2775),
        ((10, 10, 20, 0), 0.6791, 1.0),
    ],
)
def test_intervals_are_those_of_the_paper(
    counts: tuple[int, int, int, int], low: float, high: float
) -> None:
    found = difference(arms(*counts))
    assert [round(float(end), 4) for end in found[1:]] == [low, high]


shares = st.tuples(st.integers(1, 300), st.floats(0, 1))


@given(shares, shares)
@example((43, 0.0), (55, 1.0))
def test_p_is_below_5_percent_just_when_the_interval_leaves_out_zero(
    one: tuple[int, float], other: tuple[int, float]
) -> None:
    counts = arms(one[0], round(one[0] * one[1]), other[0], round(other[0] * other[1]))
    value, low, high = difference(counts)
    assert -1 <= low <= value <= high <= 1
    p = p_value(counts)
    if abs(p - 0.05) > 1e-9:
        assert (p < 0.05) == (low > 0 or high < 0)


def test_groups_with_other_shares_of_control_are_not_pooled() -> None:
    """Nothing has an effect; but most of the group that leaves is treated (Simpson's paradox)."""
    stratum = np.repeat([0, 0, 1, 1], [900, 100, 100, 900])
    treated = np.repeat([True, False, True, False], [900, 100, 100, 900])
    churned = np.concatenate([np.arange(n) < n * r for n, r in
                              ((900, 0.8), (100, 0.8), (100, 0.2), (900, 0.2))])  # fmt: skip
    pooled, _, _ = difference(Arms.of(np.zeros(2000, int), treated, churned))
    value, low, high = difference(Arms.of(stratum, treated, churned))
    assert pooled == pytest.approx(0.48)
    assert value == pytest.approx(0)
    assert low < 0 < high


def test_one_stratum_split_by_chance_gives_about_the_same_interval() -> None:
    rng = np.random.default_rng(0)
    treated, churned = rng.random(4000) < 0.8, rng.random(4000) < 0.3
    one = np.array(difference(Arms.of(np.zeros(4000, int), treated, churned)))
    four = np.array(difference(Arms.of(rng.integers(0, 4, 4000), treated, churned)))
    assert np.abs(one - four).max() < 0.005


def test_a_stratum_without_control_counts_for_nothing() -> None:
    stratum, treated = np.array([0] * 20 + [1] * 20), np.array([True] * 30 + [False] * 10)
    churned = np.arange(40) % 2 == 0
    both = difference(Arms.of(stratum, treated, churned))
    alone = difference(Arms.of(np.zeros(20, int), treated[20:], churned[20:]))
    assert np.allclose(both, alone)
    assert np.isnan(difference(Arms.of(stratum[:20], treated[:20], churned[:20]))[0])


def test_holm_by_hand() -> None:
    assert holm([0.01, np.nan, 0.04, 0.03]).tolist() == pytest.approx(
        [0.03, np.nan, 0.06, 0.06], nan_ok=True
    )


def test_sample_sizes_of_the_books() -> None:
    assert sample_size(0.2, 0.1) == (199, 199)
    assert sample_size(0.75, 0.5, power=0.9) == (77, 77)
    assert sample_size(0.3, 0.3) is None


def test_a_sample_of_that_size_finds_the_effect_4_times_out_of_5() -> None:
    treated, control = sample_size(0.30, 0.22, ratio=0.25) or (0, 0)
    rng = np.random.default_rng(1)
    left = [rng.binomial(n, p, (1, 2000)) for n, p in ((treated, 0.22), (control, 0.30))]
    size = [np.full((1, 2000), float(n)) for n in (treated, control)]
    _, _, high = difference(Arms(size[0], left[0].astype(float), size[1], left[1].astype(float)))
    assert np.mean(high < 0) == pytest.approx(0.8, abs=0.04)


def test_effect_per_contact_by_hand() -> None:
    """Half of the treated are reached, and churn falls by a quarter: half per contact."""
    treated = np.repeat([True, False], 400)
    churned = np.r_[np.arange(400) < 100, np.arange(400) < 200]
    done = np.r_[np.arange(400) % 2 == 0, np.zeros(400, bool)]
    found = per_contact(np.zeros(800, int), treated, churned, done)
    assert found is not None
    assert found.value == pytest.approx(-0.5)
    assert found.low < -0.5 < found.high < 0
    assert per_contact(np.zeros(800, int), treated, churned, np.zeros(800, bool)) is None


def test_saved_value_weighs_customers_by_what_they_are_worth() -> None:
    treated = np.repeat([True, False], 4)
    churned = np.array([0, 0, 1, 1, 1, 0, 1, 1], dtype=float)
    value = np.array([100, 100, 10, 10, 100, 100, 10, np.nan])
    found = saved_value(np.zeros(8, int), treated, churned, value)
    assert found is not None
    assert found.value == pytest.approx((110 / 210 - 20 / 220) * 220)
    assert saved_value(np.zeros(8, int), treated, churned, np.full(8, np.nan)) is None


# ── The report ──────────────────────────────────────────────────────────────────────────────


def rows_of(*groups: tuple[str, int, int, int, int]) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of (action, treated, of them churned, control, of them churned), all red."""
    parts, churned = [], []
    for action, treated, left, control, control_left in groups:
        n = treated + control
        arm = ["treated"] * treated + ["control"] * control
        churned += [1.0] * left + [0.0] * (treated - left)
        churned += [1.0] * control_left + [0.0] * (control - control_left)
        parts.append(pd.DataFrame({"light": "red", "action": action, "arm": arm,
                                   "value_at_risk": 10.0, "as_of": FIRST, "told": True,
                                   "done": [a == "treated" for a in arm], "cost": 0.5},
                                  index=range(n)))  # fmt: skip
    return pd.concat(parts, ignore_index=True), np.array(churned)


def test_verdicts_help_harm_and_cannot_be_told() -> None:
    told = report_of(
        *rows_of(("call", 800, 160, 200, 80), ("gift", 800, 320, 200, 40), ("mail", 80, 16, 20, 5))
    )
    assert [(g.action, g.verdict) for g in told.groups] == [
        ("call", "helps"),
        ("gift", "harms"),
        ("mail", "unclear"),
    ]
    call, _, mail = told.groups
    assert call.says.startswith("helps: -20.0 points of churn [")
    assert call.saved_customers is not None
    assert call.saved_customers.value == pytest.approx(160)
    assert call.saved_value is not None
    assert call.saved_value.value == pytest.approx(1600)
    assert call.cost == 400
    assert mail.says.startswith("cannot be told yet: -5.0 points")
    assert mail.needed is not None
    assert mail.more_needed == (mail.needed[0] - 80, mail.needed[1] - 20)
    assert "3 groups are looked at" in told.notes[0]


def test_looking_at_many_groups_makes_a_verdict_harder() -> None:
    border = ("call", 400, 100, 400, 128)
    alone = report_of(*rows_of(border))
    quiet = [(f"mail {k}", 400, 120, 400, 120) for k in range(5)]
    among = report_of(*rows_of(border, *quiet))
    assert alone.groups[0].verdict == "helps"
    assert among.groups[0].verdict == "unclear"
    assert among.groups[0].p == pytest.approx(6 * alone.groups[0].p)


def test_a_group_without_control_is_named() -> None:
    told = report_of(*rows_of(("call", 50, 10, 0, 0)))
    assert told.groups[0].verdict == "not comparable"
    assert "no control customer whose horizon is over" in told.groups[0].says
    assert json.dumps(told.told(), allow_nan=False)


def test_open_horizons_are_counted_and_left_out() -> None:
    rows, churned = rows_of(("call", 100, 20, 100, 40))
    churned[::2] = np.nan
    told = report_of(rows, churned)
    assert (told.together.treated, told.together.control, told.together.open) == (50, 50, 100)
    assert any("100 customers is not over" in note for note in told.notes)
    nothing = report_of(rows, np.full(200, np.nan))
    assert nothing.together.verdict == "not comparable"


def test_a_given_effect_decides_the_sample_size() -> None:
    rows, churned = rows_of(("call", 100, 20, 100, 21))
    told = report_of(rows, churned, least=0.05).together
    assert told.least == -0.05
    assert told.needed == sample_size(0.21, 0.16)
    with pytest.raises(ConfigError, match=r"Write 5 points as 0\.05"):
        report_of(rows, churned, least=5)


def test_intervals_hold_the_truth_in_200_campaigns() -> None:
    """Intention to treat over the lights, per contact, and the value that was saved."""
    asked = Population(customers=2_000, reached=0.7, leaked=0.05)
    held = []
    for seed in range(200):
        campaign = draw_campaign(asked, seed)
        light = np.digitize(campaign.risk, [0.25, 0.5])
        columns = light, campaign.treated, campaign.churned
        _, low, high = difference(Arms.of(*columns))
        contact, saved = per_contact(*columns, campaign.done), saved_value(*columns, campaign.value)
        assert contact is not None
        assert saved is not None
        held.append(
            (
                low <= campaign.average_effect <= high,
                contact.low <= campaign.effect_if_reached <= contact.high,
                saved.low <= campaign.saved_value <= saved.high,
            )
        )
    assert np.all(np.mean(held, axis=0) >= 0.9)


def test_without_an_effect_few_verdicts_are_wrong() -> None:
    nothing = {"a": Kind(0.5, 0.2, 0.2), "b": Kind(0.5, 0.6, 0.6)}
    wrong = 0
    for seed in range(20):
        campaign = draw_campaign(Population(customers=1_000, kinds=nothing), seed)
        rows = with_deeds(campaign.assigned(), campaign.deeds(), horizon_days=30)
        told = report_of(rows, campaign.churned.astype(float))
        wrong += any(group.verdict in ("helps", "harms") for group in told.groups)
    assert wrong <= 3  # 1 is to be expected; more than 3 come twice in 100


# ── Learning from what nobody touched ───────────────────────────────────────────────────────


def dataset_of(ids: list[str], *days: str, churned: np.ndarray | None = None) -> Dataset:
    us = np.tile([Cutoff.parse(day).us for day in days], len(ids))
    names = np.repeat(np.array(ids, dtype=object), len(days))
    label = np.zeros(len(names), dtype=bool) if churned is None else churned
    return Dataset(Features(names, us, {}, FeatureSpec({})), label)


def deeds_of(*done: tuple[str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(done, columns=["customer_id", "as_of"], dtype="str")
    return frame.assign(done=True)


def test_treated_rows_are_left_out_and_controls_stand_in() -> None:
    assigned = run_of(FIRST, a="treated", b="treated", c="control", d="control", e="control")
    data = dataset_of(list("abcdef"), "2024-05-15")
    told = without_treated(data, assigned, deeds_of(("e", FIRST)), horizon_days=30)
    assert told.dataset.features.customer_id.tolist() == ["c", "d", "f"]
    assert told.weight.tolist() == [2.5, 2.5, 1.0]  # two of five are left of the group
    assert (told.treated, told.reached, told.lost) == (2, 1, 0)
    assert "3 rows are left out" in told.says


def test_only_actions_within_the_label_window_touch_a_row() -> None:
    assigned = run_of(FIRST, a="treated", b="control")
    days = ["2024-05-01", "2024-05-02", "2024-06-01", "2024-06-02"]
    data = dataset_of(["a"], *days)
    kept = without_treated(data, assigned, deeds_of(), horizon_days=31).dataset.features.cutoff
    assert [str(Cutoff(int(us))) for us in kept] == ["2024-05-01", "2024-06-02"]
    lasting = without_treated(data, assigned, deeds_of(), horizon_days=31, lasting_days=1)
    assert len(lasting.dataset) == 1


def test_the_first_group_counts_and_a_group_without_control_is_told() -> None:
    first, then = run_of(FIRST, a="control", b="treated"), run_of(SECOND, a="control", c="treated")
    assigned = pd.concat([first, then.assign(action="gift")], ignore_index=True)
    told = without_treated(dataset_of(list("abc"), "2024-06-01"), assigned, deeds_of(), 30)
    assert told.dataset.features.customer_id.tolist() == ["a"]
    assert told.weight.tolist() == [2.0]
    assert (told.treated, told.lost) == (2, 1)


def test_no_campaign_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    data = dataset_of(list("abc"), "2023-01-01")
    none = all_assigned(Ledger(tmp_path / "nowhere"))
    for assigned in (none, all_assigned(ledger)):
        told = without_treated(data, assigned, Deeds(tmp_path / "none").current(), 30)
        assert len(told.dataset) == 3
        assert told.weight.tolist() == [1.0, 1.0, 1.0]
        assert "no action touched" in told.says


def test_naive_training_learns_the_risk_of_rescued_customers_and_this_does_not() -> None:
    """All red customers but a fifth were called; a call keeps many of them."""
    kinds = {"loyal": Kind(0.5, 0.1, 0.1), "leaving": Kind(0.5, 0.7, 0.3)}
    campaign = draw_campaign(Population(customers=6_000, kinds=kinds), seed=2)
    red = campaign.risk >= 0.5
    churned = np.where(red, campaign.churned, np.random.default_rng(0).random(6_000)
                       < campaign.alone)  # fmt: skip
    run = campaign.assigned(FIRST)[red]
    deeds = campaign.deeds(FIRST)
    data = dataset_of(campaign.customer_id.tolist(), FIRST, churned=churned)
    told = without_treated(data, run, deeds[deeds["customer_id"].isin(run["customer_id"])], 30)
    place = {name: k for k, name in enumerate(campaign.customer_id)}
    left = [place[name] for name in told.dataset.features.customer_id]

    X, leaving = campaign.features, campaign.kind == "leaving"
    nobody_called = np.random.default_rng(1).random(6_000) < campaign.alone
    truth = PlainRule().fit(X, nobody_called).predict_proba(X)[:, 1]
    naive = PlainRule().fit(X, churned).predict_proba(X)[:, 1]
    unweighted = PlainRule().fit(X[left], churned[left]).predict_proba(X)[:, 1]
    honest = PlainRule().fit(X[left], churned[left], told.weight).predict_proba(X)[:, 1]
    assert (naive - truth)[leaving].mean() < -0.15
    assert (unweighted - truth)[leaving].mean() < -0.1  # without the weights its level is wrong
    assert abs((honest - truth)[leaving].mean()) < 0.02
    assert np.abs(honest - truth).mean() < 0.02
    assert told.weight.sum() == pytest.approx(6_000)
