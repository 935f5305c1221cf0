from __future__ import annotations

import time
from dataclasses import astuple
from math import isnan
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from churnkit.metrics import (
    METRICS,
    Interval,
    auroc,
    average_precision,
    brier,
    ece,
    evaluate,
    lift_top_decile,
    log_loss,
    measuring,
    paired_difference,
    proportion,
    resample,
)

# A few fixed values beside the continuum, so that ties, 0 and 1 all turn up.
probabilities = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]) | st.floats(0, 1)


@st.composite
def scored(draw, weights):
    """Columns y, p, weight with at least one churner and one stayer of positive weight."""
    rest = draw(st.lists(st.tuples(st.integers(0, 1), probabilities, weights), max_size=15))
    rows = [(0, draw(probabilities), 1), (1, draw(probabilities), 2), *rest]
    y, p, weight = zip(*draw(st.permutations(rows)), strict=True)
    return np.array(y), np.array(p), np.array(weight)


def shop(rows=400, seed=0):
    """Calibrated probabilities and what happened."""
    rng = np.random.default_rng(seed)
    p = rng.beta(2, 3, rows)
    return (rng.random(rows) < p).astype(int), p


def width(interval):
    return interval.high - interval.low


# ── Against scikit-learn ────────────────────────────────────────────────────────────────────


def clipped_log_loss(y, p, sample_weight=None):
    # scikit-learn clips at 2.2e-16 since 1.3, at 1e-15 before.
    return sk.log_loss(y, np.clip(p, 1e-15, 1 - 1e-15), sample_weight=sample_weight)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (auroc, sk.roc_auc_score),
        (average_precision, sk.average_precision_score),
        (log_loss, clipped_log_loss),
        (brier, sk.brier_score_loss),
    ],
    ids=["auroc", "average_precision", "log_loss", "brier"],
)
@given(rows=scored(weights=st.floats(0.01, 100)))
def test_the_fields_metrics_agree_with_scikit_learn(ours, theirs, rows):
    y, p, weight = rows
    assert ours(y, p) == pytest.approx(theirs(y, p), rel=1e-9, abs=1e-12)
    assert ours(y, p, weight) == pytest.approx(
        theirs(y, p, sample_weight=weight), rel=1e-9, abs=1e-12
    )


# ── Against a slow, obvious reference ───────────────────────────────────────────────────────


def rows_split_in_ten(y, p):
    """Each row as ten tenths of a row, rising in p; tied rows share their churners."""
    shared = np.array([y[p == score].mean() for score in p])
    order = np.argsort(p)
    return np.repeat(shared[order], 10), np.repeat(p[order], 10)


@given(scored(weights=st.just(1)))
def test_ece_compares_bins_of_exactly_a_tenth_of_the_rows(rows):
    y, p, _ = rows
    churned, score = (column.reshape(10, len(y)) for column in rows_split_in_ten(y, p))
    expected = np.abs(churned.mean(axis=1) - score.mean(axis=1)).mean()
    assert ece(y, p) == pytest.approx(expected, abs=1e-12)


@given(scored(weights=st.just(1)))
def test_lift_compares_exactly_a_tenth_of_the_rows_with_all(rows):
    y, p, _ = rows
    churned, _ = rows_split_in_ten(y, p)
    assert lift_top_decile(y, p) == pytest.approx(churned[-len(y) :].mean() / y.mean())


def test_without_ties_ece_is_the_textbook_one():
    y, p = shop(rows=400)
    order = np.argsort(p)
    bins = zip(np.split(y[order], 10), np.split(p[order], 10), strict=True)
    assert ece(y, p) == pytest.approx(sum(40 / 400 * abs(o.mean() - s.mean()) for o, s in bins))


# ── Worked by hand ──────────────────────────────────────────────────────────────────────────


def test_ece_by_hand():
    # Bin 1: churn 1/2 against mean p .2, off by .3. Bin 2: 1/2 against .7, off by .2.
    assert ece([0, 1, 0, 1], [0.1, 0.3, 0.6, 0.8], bins=2) == pytest.approx((0.3 + 0.2) / 2)
    # One bin: churn 1/2 against .45.
    assert ece([0, 1, 0, 1], [0.1, 0.3, 0.6, 0.8], bins=1) == pytest.approx(0.05)


def test_ece_shares_the_row_on_a_border_between_its_bins():
    # Three rows in two bins: 1.5 rows each. Off by p - y: .2, -.5, .8; the middle one is halved.
    off = (abs(0.2 - 0.25) + abs(-0.25 + 0.8)) / 3
    assert ece([0, 1, 0], [0.2, 0.5, 0.8], bins=2) == pytest.approx(off)


def test_ece_of_a_constant_is_its_distance_from_the_churn_rate():
    assert ece([1, 0, 0, 0], [0.4] * 4) == pytest.approx(0.15)


def test_lift_by_hand():
    # Twenty customers, four churners; the top tenth is two customers, one of them churned.
    y = [1, 0] + [1, 1, 1] + [0] * 15
    assert lift_top_decile(y, np.linspace(0.9, 0.1, 20)) == pytest.approx((1 / 2) / (4 / 20))


def test_lift_shares_ties_at_the_border():
    # The tenth takes the surest row and one of four tied rows, of which one churned.
    p = np.array([0.9] + [0.5] * 4 + [0.1] * 15)
    y = np.array([1] + [0, 0, 1, 0] + [0] * 15)
    assert lift_top_decile(y, p) == pytest.approx(((1 + 1 / 4) / 2) / (2 / 20))


@given(scored(weights=st.integers(1, 5)), probabilities)
def test_a_constant_has_lift_exactly_1_and_auroc_exactly_a_half(rows, constant):
    y, _, weight = rows
    p = np.full(len(y), constant)
    assert lift_top_decile(y, p, weight) == 1
    assert auroc(y, p, weight) == 0.5


def test_a_sure_and_wrong_probability_costs_a_finite_log_loss():
    assert log_loss([1], [0.0]) == pytest.approx(-np.log(1e-15))
    assert log_loss([0], [1.0]) == pytest.approx(-np.log(1e-15), rel=0.01)


# ── Weights and order ───────────────────────────────────────────────────────────────────────


@given(scored(weights=st.integers(0, 4)))
def test_a_weight_of_k_equals_k_copies_of_the_row(rows):
    y, p, times = rows
    for name, metric in METRICS.items():
        copied = metric.function(np.repeat(y, times), np.repeat(p, times), None)
        assert metric.function(y, p, times) == copied, name


@given(scored(weights=st.floats(0.1, 10)))
def test_only_the_ratio_of_weights_matters(rows):
    y, p, weight = rows
    for name, metric in METRICS.items():
        once = metric.function(y, p, weight)
        assert metric.function(y, p, 7 * weight) == pytest.approx(once, abs=1e-12), name


@given(scored(weights=st.integers(0, 4)), st.data())
def test_the_order_of_rows_does_not_matter(rows, data):
    y, p, weight = rows
    order = data.draw(st.permutations(range(len(y))))
    for name, metric in METRICS.items():
        shuffled = metric.function(y[order], p[order], weight[order])
        assert shuffled == metric.function(y, p, weight), name


# ── A single class ──────────────────────────────────────────────────────────────────────────


def test_nobody_churned():
    y, p = [0, 0, 0], [0.1, 0.2, 0.6]
    assert all(isnan(undefined(y, p)) for undefined in (auroc, average_precision, lift_top_decile))
    assert brier(y, p) == pytest.approx((0.01 + 0.04 + 0.36) / 3)
    assert ece(y, p) == pytest.approx(0.3)


def test_everybody_churned():
    y, p = [1, 1, 1], [0.1, 0.2, 0.6]
    assert isnan(auroc(y, p))
    assert average_precision(y, p) == 1
    assert lift_top_decile(y, p) == 1


def test_evaluate_gives_nan_only_where_a_metric_is_undefined():
    found = evaluate([0, 0, 0], [0.1, 0.2, 0.6], repeats=20)
    undefined = {name for name, interval in found.items() if isnan(interval.value)}
    assert undefined == {"auroc", "average_precision", "lift_top_decile"}
    assert all(isnan(found[name].low) and isnan(found[name].high) for name in undefined)
    assert 0 < found["brier"].low < found["brier"].value < found["brier"].high


def test_resamples_that_lost_a_class_are_skipped():
    # Two customers: half of the resamples hold only one of them, the others rank them right.
    found = evaluate([0, 1], [0.2, 0.7], repeats=50)
    assert found["auroc"] == Interval(1, 1, 1)
    assert paired_difference("auroc", [0, 1], [0.2, 0.7], [0.5, 0.5]) == Interval(0.5, 0.5, 0.5)


# ── The bootstrap ───────────────────────────────────────────────────────────────────────────


def test_evaluate_gives_every_metric_in_order_with_its_own_value():
    y, p = shop()
    found = evaluate(y, p, repeats=20)
    assert list(found) == list(METRICS)
    assert list(METRICS) == [
        "auroc",
        "average_precision",
        "log_loss",
        "brier",
        "ece",
        "lift_top_decile",
    ]
    for name, interval in found.items():
        assert interval.value == METRICS[name].function(y, p, None)
        assert interval.low < interval.high


def test_better_points_to_the_informed_model():
    y, p = shop()
    worse = np.random.default_rng(1).permutation(p)
    for name, metric in METRICS.items():
        gain = metric.function(y, p, None) - metric.function(y, worse, None)
        assert (gain > 0) == (metric.better == "high"), name


def test_the_seed_decides():
    y, p = shop()
    assert evaluate(y, p, repeats=20, seed=3) == evaluate(y, p, repeats=20, seed=3)
    assert evaluate(y, p, repeats=20, seed=3) != evaluate(y, p, repeats=20, seed=4)


@pytest.mark.parametrize("clustered", [True, False])
def test_intervals_do_not_depend_on_the_order_of_rows(clustered):
    y, p = shop(rows=120)
    p, q = p.round(1), p.round(2)
    customer = np.array([f"c{row // 3}" for row in range(120)])
    order = np.random.default_rng(5).permutation(120)
    groups, shuffled = (customer, customer[order]) if clustered else (None, None)
    assert evaluate(y[order], p[order], shuffled, 20) == evaluate(y, p, groups, 20)
    assert paired_difference(
        "auroc", y[order], p[order], q[order], shuffled, 20
    ) == paired_difference("auroc", y, p, q, groups, 20)


def test_copies_of_a_customers_rows_add_no_certainty_when_clustered():
    y, p = shop(rows=200)
    customer = np.arange(200)
    once = evaluate(y, p, customer, repeats=100)
    copied = np.repeat(y, 4), np.repeat(p, 4)
    clustered = evaluate(*copied, np.repeat(customer, 4), repeats=100)
    unclustered = evaluate(*copied, repeats=100)
    for name in METRICS:
        assert clustered[name].low == pytest.approx(once[name].low)
        assert clustered[name].high == pytest.approx(once[name].high)
        assert width(clustered[name]) > 1.4 * width(unclustered[name]), name


def test_the_95_percent_interval_covers_the_true_auroc():
    true, covered = NormalDist().cdf(1 / np.sqrt(2)), 0
    rng = np.random.default_rng(11)
    for seed in range(100):
        y = (rng.random(150) < 0.4).astype(int)
        p = 1 / (1 + np.exp(-rng.normal(y, 1)))
        found = evaluate(y, p, repeats=80, seed=seed)["auroc"]
        covered += found.low <= true <= found.high
    assert 88 <= covered <= 99


def test_a_higher_level_gives_a_wider_interval():
    y, p = shop()
    narrow, wide = (evaluate(y, p, repeats=100, level=level)["brier"] for level in (0.5, 0.95))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_evaluating_6000_rows_takes_less_than_two_seconds():
    y, p = shop(rows=6000)
    start = time.process_time()
    evaluate(y, p, groups=np.arange(6000) // 2, repeats=200)
    assert time.process_time() - start < 2


# ── Paired differences ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("metric", METRICS)
def test_a_model_does_not_differ_from_itself(metric):
    y, p = shop()
    assert paired_difference(metric, y, p, p, repeats=20) == Interval(0, 0, 0)


def test_a_paired_difference_is_p_minus_q():
    y, p = shop()
    q, customer = np.full(len(p), 0.4), np.arange(len(p)) // 2
    found = paired_difference("brier", y, p, q, customer, repeats=50)
    assert found.value == pytest.approx(brier(y, p) - brier(y, q))
    assert found.low < found.value < found.high < 0
    turned = paired_difference("brier", y, q, p, customer, repeats=50)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_pairing_sees_a_difference_that_single_intervals_hide():
    y, p = shop()
    q = np.clip(p + np.random.default_rng(2).normal(0, 0.15, len(p)), 0, 1)
    mine, other = evaluate(y, p)["auroc"], evaluate(y, q)["auroc"]
    assert mine.low < other.high
    assert paired_difference("auroc", y, p, q).low > 0


# ── Proportions ─────────────────────────────────────────────────────────────────────────────


def test_wilson_by_hand():
    # z = 1.96, z² = 3.84: (.1 + .192 ± 1.96 · sqrt(.009 + .0096)) / 1.384
    found = proportion(1, 10)
    assert found.value == 0.1
    assert (found.low, found.high) == pytest.approx((0.0179, 0.4042), abs=1e-4)


@given(st.integers(1, 10_000), st.data(), st.floats(0.01, 0.99))
def test_the_ends_solve_wilsons_equation(n, data, level):
    share, low, high = astuple(proportion(data.draw(st.integers(0, n)), n, level))
    z = NormalDist().inv_cdf((1 + level) / 2)
    assert 0 <= low <= share <= high <= 1
    for end in (low, high):
        assert (share - end) ** 2 == pytest.approx(z**2 * end * (1 - end) / n, abs=1e-12)


@given(st.integers(1, 10_000))
def test_none_and_all_reach_the_very_end(n):
    assert proportion(0, n).low == 0 < proportion(0, n).high
    assert proportion(n, n).low < 1 == proportion(n, n).high


def test_a_share_of_nothing_is_unknown():
    found = proportion(0, 0)
    assert isnan(found.value)
    assert (found.low, found.high) == (0, 1)


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, -1)])
def test_a_share_cannot_leave_the_whole(successes, n):
    with pytest.raises(ValueError, match=r"successes must lie in 0\.\.n"):
        proportion(successes, n)


# ── Showing ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("interval", "shown"),
    [
        (Interval(0.73, 0.717, 0.743), ".730 [.717, .743]"),
        (Interval(2.31, 0.98, 10.5), "2.310 [.980, 10.500]"),
        (Interval(-0.012, -0.02, -0.0001), "-.012 [-.020, .000]"),
        (Interval(float("nan"), 0.0, 1.0), "nan [.000, 1.000]"),
    ],
)
def test_an_interval_shows_as_papers_print_it(interval, shown):
    assert str(interval) == shown


# ── Refusals ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "function", [metric.function for metric in METRICS.values()], ids=list(METRICS)
)
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0, 1], [0.1]), "lengths differ: y has 2, p has 1 rows"),
        (([0, 1], [0.1, 0.2], [1]), "lengths differ: y has 2, weight has 1 rows"),
        (([], []), "y is empty"),
        (([0, 2], [0.1, 0.2]), r"y must be 0 .* row 1 \(counted from 0\) is 2"),
        (([np.nan, 1], [0.1, 0.2]), "y must be 0 .* row 0 .* is nan"),
        ((["no", "yes"], [0.1, 0.2]), "y must hold numbers: .*'no'"),
        (([0, 1], [0.1, 1.5]), r"p must be a probability in \[0, 1\]; row 1 .* is 1.5"),
        (([0, 1], [-0.1, 0.5]), "p must be a probability .* row 0 .* is -0.1"),
        (([0, 1], [0.1, np.nan]), "p must be a probability .* row 1 .* is nan"),
        (([0, 1], [[0.9, 0.1], [0.2, 0.8]]), r"p must have one dimension, got shape \(2, 2\)"),
        (([0, 1], [0.1, 0.2], [1, -1]), "weight must be finite and >= 0; row 1 .* is -1"),
        (([0, 1], [0.1, 0.2], [np.inf, 1]), "weight must be finite and >= 0; row 0 .* is inf"),
        (([0, 1], [0.1, 0.2], [0, 0]), "all weights are 0"),
    ],
)
def test_a_metric_refuses_what_it_cannot_read(function, columns, message):
    with pytest.raises(ValueError, match=message):
        function(*columns)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": ["a"]}, "lengths differ: y has 2, groups has 1 rows"),
        ({"groups": [["a", "b"]]}, r"groups must have one dimension, got shape \(1, 2\)"),
        ({"groups": [1.0, np.nan]}, "groups holds nan"),
        ({"groups": ["a", None]}, "groups must be ids of one type, none missing"),
        ({"repeats": 0}, "repeats must be at least 1, got 0"),
        ({"level": 95}, r"level must lie inside \(0, 1\), got 95"),
    ],
)
def test_the_bootstrap_refuses_what_it_cannot_use(options, message):
    with pytest.raises(ValueError, match=message):
        evaluate([0, 1], [0.2, 0.7], **options)
    with pytest.raises(ValueError, match=message):
        paired_difference("brier", [0, 1], [0.2, 0.7], [0.5, 0.5], **options)


def test_a_paired_difference_names_the_column_or_metric_it_refuses():
    with pytest.raises(ValueError, match=r"q must be a probability .* row 1 .* is 2"):
        paired_difference("brier", [0, 1], [0.2, 0.7], [0.5, 2])
    with pytest.raises(ValueError, match="unknown metric 'auc'; known are auroc, "):
        paired_difference("auc", [0, 1], [0.2, 0.7], [0.5, 0.5])


def test_ece_needs_a_bin():
    with pytest.raises(ValueError, match="bins must be at least 1, got 0"):
        ece([0, 1], [0.2, 0.7], bins=0)


# ── Parts, each measured by itself ──────────────────────────────────────────────────────────


def test_parts_are_measured_by_themselves_and_averaged():
    y, p = shop(rows=400)
    part = np.arange(400) % 2
    found = resample(measuring("auroc", "log_loss"), y, {"p": p}, parts=part, repeats=20)
    for nth, metric in enumerate((auroc, log_loss)):
        each = [metric(y[part == k], p[part == k]) for k in (0, 1)]
        assert found.interval("p", nth).value == pytest.approx(np.mean(each))


def test_a_part_of_one_class_leaves_the_others_their_say():
    y, p = shop(rows=200)
    part = np.repeat(["a", "b"], 100)
    y[part == "b"] = 1
    found = resample(measuring("auroc", "log_loss"), y, {"p": p}, parts=part, repeats=20)
    assert found.interval("p", 0).value == auroc(y[:100], p[:100])
    assert not isnan(found.interval("p", 1).value)


def test_a_part_that_no_resample_drew_is_left_out():
    y, p = np.array([0, 1, 0, 1]), np.array([0.2, 0.7, 0.4, 0.6])
    found = resample(
        measuring("log_loss"), y, {"p": p}, parts=[0, 0, 0, 1], groups=[1, 2, 3, 4], repeats=50
    )
    assert not np.isnan(found.drawn["p"]).any()


def test_columns_meet_the_same_resamples():
    y, p = shop(rows=200)
    found = resample(measuring("brier"), y, {"p": p, "same": p, "other": 1 - p}, repeats=20)
    assert (found.drawn["p"] == found.drawn["same"]).all()
    assert astuple(found.difference("p", "same")) == (0, 0, 0)
    assert found.difference("p", "other").high < 0


def test_parts_must_be_as_many_as_rows():
    with pytest.raises(ValueError, match="lengths differ"):
        resample(measuring("brier"), [0, 1], {"p": [0.1, 0.9]}, parts=[1])
