"""What calling customers earns: against the paper, a kept implementation, and plain counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta

from churnkit.errors import ConfigError
from churnkit.profit import (
    CONCENTRATION,
    Money,
    expected_maximum_profit,
    maximum_profit,
    profit_curve,
    profit_of,
)

# The vector that is published with the measure.
Y = [0, 1, 0, 1, 0, 1, 0, 1]
SCORES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9]
DEAR = Money(contact_cost=2, offer_cost=15, acceptance=0.2, value=120)

amounts = st.builds(
    Money,
    contact_cost=st.floats(0, 20),
    offer_cost=st.floats(0, 49),
    acceptance=st.floats(0.05, 0.95),
    value=st.floats(50, 500),
)


@st.composite
def scored(draw):
    """Labels with both classes, and probabilities with ties."""
    rest = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), max_size=25))
    rows = [(0, draw(st.integers(0, 20))), (1, draw(st.integers(0, 20))), *rest]
    y, p = zip(*draw(st.permutations(rows)), strict=True)
    return np.array(y), np.array(p) / 20


def calling(y, p, money, threshold):
    """Profit per customer of calling everybody from a threshold on, counted one by one."""
    earned = 0.0
    for left, score in zip(y, p, strict=True):
        if score >= threshold:
            kept = money.acceptance * (money.value - money.offer_cost)
            earned += kept - money.contact_cost if left else -money.offer_cost - money.contact_cost
    return earned / len(y)


def shop(rows=600, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 6, rows)
    return (rng.random(rows) < p).astype(int), p


# ── Against the paper and others ────────────────────────────────────────────────────────────


def test_the_published_vector():
    assert expected_maximum_profit(Y, SCORES) == pytest.approx(23.8755934, abs=1e-7)
    assert maximum_profit(Y, SCORES) == pytest.approx(23.875)


@given(rows=scored(), money=amounts)
def test_expected_profit_agrees_with_a_kept_implementation(rows, money):
    """Where it is installed: it is AGPL, and 130 MB with what it needs."""
    kept = pytest.importorskip("empulse.metrics")
    y, p = rows
    theirs = kept.empc_score(
        y,
        p,
        alpha=CONCENTRATION * money.acceptance,
        beta=CONCENTRATION * (1 - money.acceptance),
        clv=money.value,
        incentive_cost=money.offer_cost,
        contact_cost=money.contact_cost,
    )
    assert expected_maximum_profit(y, p, money) == pytest.approx(theirs, rel=1e-8, abs=1e-8)


@pytest.mark.parametrize("money", [Money(), DEAR], ids=["paper", "dear"])
def test_expected_profit_is_the_mean_of_the_best_profits(money):
    """Integrated by brute force: at each acceptance the best threshold is looked for."""
    y, p = shop(80)
    sure = beta(CONCENTRATION * money.acceptance, CONCENTRATION * (1 - money.acceptance))
    steps = [(y[p >= t].mean() * (p >= t).mean(), (p >= t).mean()) for t in p]

    def best(acceptance):
        kept = acceptance * money.kept - money.contact_cost
        earned = (left * kept - (called - left) * money.wasted for left, called in steps)
        return max(0.0, *earned) * sure.pdf(acceptance)

    expected, _ = quad(best, 0, 1, limit=400, epsabs=1e-7)
    assert expected_maximum_profit(y, p, money) == pytest.approx(expected, abs=1e-5)


@given(rows=scored(), money=amounts)
def test_maximum_profit_is_that_of_the_best_threshold(rows, money):
    y, p = rows
    best = max(calling(y, p, money, threshold) for threshold in [2.0, *p])
    assert maximum_profit(y, p, money) == pytest.approx(best, abs=1e-9)


@given(rows=scored(), money=amounts)
def test_to_know_the_acceptance_can_only_help(rows, money):
    y, p = rows
    known = expected_maximum_profit(y, p, money)
    assert known >= maximum_profit(y, p, money) - 1e-9


@given(rows=scored())
def test_a_weight_of_two_is_a_row_twice(rows):
    y, p = rows
    weight = np.arange(len(y)) % 2 + 1
    twice = np.repeat(y, weight), np.repeat(p, weight)
    assert expected_maximum_profit(y, p, weight=weight) == pytest.approx(
        expected_maximum_profit(*twice), abs=1e-9
    )


# ── By hand ─────────────────────────────────────────────────────────────────────────────────


def test_profit_by_hand():
    # The first two of four are called: one churner keeps .3 · 190 − 1 = 56, one stayer costs 11.
    assert maximum_profit([1, 0, 1, 0], [0.9, 0.9, 0.1, 0.0]) == pytest.approx((2 * 56 - 11) / 4)
    curve = profit_curve([1, 0, 1, 0], [0.9, 0.8, 0.2, 0.1], points=5)
    assert curve[:, 0] == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert curve[:, 1] == pytest.approx([0, 56 / 4, 45 / 4, 101 / 4, 90 / 4])


def test_customers_with_equal_probability_are_called_in_part():
    curve = profit_curve([1, 0], [0.5, 0.5], points=5)
    assert curve[:, 1] == pytest.approx(np.linspace(0, (56 - 11) / 2, 5))


def test_nobody_is_called_where_it_never_pays():
    hopeless = Money(contact_cost=80)
    y, p = shop()
    assert maximum_profit(y, p, hopeless) == 0
    assert hopeless.pays_from == float("inf")
    found = profit_of(y, p, money=hopeless)
    assert found.says == "calling nobody earns most: a call costs more than it keeps"


def test_without_churners_there_is_nothing_to_earn():
    assert expected_maximum_profit([0, 0, 0], [0.1, 0.5, 0.9]) == 0


def test_with_churners_only_everybody_is_called():
    found = profit_of([1, 1, 1], [0.1, 0.5, 0.9])
    assert (found.share.value, found.most.value) == (1.0, pytest.approx(56))


@given(amounts)
def test_a_call_pays_from_the_break_even_probability_on(money):
    """A customer of that probability earns nothing on average: design and paper agree."""
    p = money.pays_from
    if p < 1:
        gain = p * (money.acceptance * money.kept - money.contact_cost) - (1 - p) * money.wasted
        assert gain == pytest.approx(0, abs=1e-9)


# ── Told with intervals ─────────────────────────────────────────────────────────────────────


def test_the_share_that_earns_most_is_told_in_words():
    y, p = shop()
    found = profit_of(y, p)
    assert found.most.value == pytest.approx(maximum_profit(y, p))
    assert found.expected.value == pytest.approx(expected_maximum_profit(y, p))
    assert found.everyone.value == pytest.approx(profit_curve(y, p)[-1, 1])
    assert found.says.startswith(f"calling the top {100 * found.share.value:.0f} % earns most: ")
    assert found.money.rule == "contact 1, offer 10, value 200, 30% accept"


def test_rows_of_one_customer_are_drawn_together():
    """With every customer ten times over, the intervals are those of the customers alone."""
    y, p = shop(150)
    alone = profit_of(y, p, np.arange(150)).most
    tenfold = profit_of(np.tile(y, 10), np.tile(p, 10), np.tile(np.arange(150), 10)).most
    unaware = profit_of(np.tile(y, 10), np.tile(p, 10)).most
    assert (tenfold.low, tenfold.high) == pytest.approx((alone.low, alone.high))
    assert unaware.high - unaware.low < 0.5 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"contact_cost": -1}, "a cost in .money. is negative"),
        ({"offer_cost": 200}, "offer_cost = 200 in .money., and a customer is worth 200"),
        ({"acceptance": 1.0}, "acceptance = 1 in .money. is no share inside"),
        ({"acceptance": float("nan")}, "acceptance = nan"),
    ],
)
def test_impossible_amounts_are_refused(wrong, says):
    with pytest.raises(ConfigError, match=says):
        Money(**wrong)
