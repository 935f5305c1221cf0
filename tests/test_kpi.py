"""Key figures: worked out by hand on small tables, and what holds of any log."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from functools import cache
from math import isnan, sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kpi_reference import cohorts_by_hand, month_by_hand
from tables import logs_of

from churnkit.clock import DAY, Cutoff
from churnkit.errors import ConfigError, DataError
from churnkit.kpi import MEASURES, Kpis, kpis
from churnkit.kpi.figures import lifetime_value, mean_on_scale, net_promoters, ratio, share
from churnkit.labels import Question
from churnkit.logs import Contract, Events, Instrument, LogMapping, Logs, Texts
from churnkit.metrics import proportion
from churnkit.sources import open_logs

APRIL = Cutoff.parse("2024-04-01")
TWO_MONTHS = Question(lookback_days=60)

# Active is who bought in the 60 days before:
#             | Jan 1 | Feb 1 | Mar 1 | Apr 1 | spent in Dec | Jan | Feb | Mar
#        anna |   x   |   x   |   x   |   x   |     100      | 150 | 150 | 120
#        ben  |   x   |       |       |   x   |       0      |   0 |   0 |  80
#        cleo |   x   |   x   |       |       |     200      | -50 |   0 |   0
#        dora |       |   x   |   x   |   x   |       0      |  40 |  60 |   0
#        eve  |       |       |       |       |       0      |   0 |   0 |   0
SHOP = """
    customer | ts         | amount
    eve      | 2023-11-01 | 10
    ben      | 2023-11-20 | 50
    anna     | 2023-12-10 | 100
    cleo     | 2023-12-20 | 200
    dora     | 2024-01-10 | 40
    anna     | 2024-01-15 | 150
    cleo     | 2024-01-20 | -50
    anna     | 2024-02-10 | 150
    dora     | 2024-02-20 | 60
    ben      | 2024-03-05 | 80
    anna     | 2024-03-10 | 120
"""
ANSWERS = """
    customer | ts         | instrument | score
    anna     | 2024-01-03 | nps        | 3
    anna     | 2024-01-31 | nps        | 9
    ben      | 2024-01-05 | nps        | 6
    cleo     | 2024-01-06 | nps        | 8
    eve      | 2024-02-06 | nps        | 10
    anna     | 2024-01-07 | ces        | 7
    cleo     | 2024-01-08 | ces        | 4
    anna     | 2024-01-09 | csat       | 4
    ben      | 2024-01-09 | csat       | 3
"""


@cache
def small_shop() -> Logs:
    """The purchases above; reading them takes a while."""
    return logs_of(purchases=SHOP)


def values(found: Kpis, measure: str, segment: str | None = None) -> list[float | None]:
    """The values of a measure month by month, ``None`` where not known."""
    figures = found.figures[segment or found.everybody][measure]
    return [None if isnan(figure.value) else figure.value for figure in figures]


@pytest.fixture(scope="module")
def worked() -> Kpis:
    logs = logs_of(purchases=SHOP, surveys=ANSWERS)
    return kpis(logs, APRIL, TWO_MONTHS, months=3)


# ── By hand ─────────────────────────────────────────────────────────────────────────────────


def test_only_whole_months_are_shown(worked):
    assert worked.months == ("2024-01", "2024-02", "2024-03")
    logs = small_shop()
    assert kpis(logs, Cutoff.parse("2024-03-31"), TWO_MONTHS, months=2).months == (
        "2024-01",
        "2024-02",
    )


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        # Jan: ben goes, dora comes. Feb: cleo goes. Mar: ben is won back.
        ("active_start", [3, 3, 2]),
        ("churned", [1, 1, 0]),
        ("new", [1, 0, 0]),
        ("new_lost", [0, 0, 0]),
        ("won_back", [0, 0, 1]),
        ("active_end", [3, 2, 3]),
        ("churn_rate", [1 / 3, 1 / 3, 0]),
        ("retention", [2 / 3, 2 / 3, 1]),
    ],
)
def test_customers_come_and_go(worked, measure, expected):
    assert values(worked, measure) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("revenue", [140, 210, 200]),
        # Jan: anna 100 + ben 0 + cleo 200. Feb: anna 150 + cleo -50 + dora 40. Mar: 150 + 60.
        ("revenue_start", [300, 140, 210]),
        ("revenue_churned", [0, -50, 0]),  # ben had spent nothing, cleo had sent back
        ("contraction", [250, 0, 90]),  # cleo 200 → -50; anna 150 → 120 and dora 60 → 0
        ("expansion", [50, 20, 0]),  # anna 100 → 150; dora 40 → 60
        ("nrr", [100 / 300, 210 / 140, 120 / 210]),
        ("grr", [50 / 300, 190 / 140, 120 / 210]),
    ],
)
def test_revenue_of_those_active_at_the_start(worked, measure, expected):
    assert values(worked, measure) == pytest.approx(expected)


def test_a_lifetime_value_is_the_margin_of_a_month_over_what_ends(worked):
    # Of the 3 + 3 + 2 customer-months since January 6 went on; these spent 100 + 210 + 120.
    monthly = 1.1 ** (1 / 12) - 1
    assert values(worked, "clv_margin")[-1] == pytest.approx(430 / 8)
    assert values(worked, "clv_retention")[-1] == pytest.approx(6 / 8)
    assert values(worked, "clv")[-1] == pytest.approx(430 / 8 / (1 + monthly - 6 / 8))
    third = kpis(small_shop(), APRIL, TWO_MONTHS, months=3, margin=0.3, discount=0)
    assert values(third, "clv")[-1] == pytest.approx(0.3 * 430 / 8 / (1 - 6 / 8))


def test_surveys_count_the_last_answer_of_a_customer_in_a_month(worked):
    # Jan: anna promotes (not the 3 before), ben detracts, cleo is passive. Feb: eve promotes.
    assert values(worked, "nps") == [0, 100, None]
    assert values(worked, "ces") == [(1 + 0.5) / 2, None, None]
    assert values(worked, "csat") == [0.5, None, None]


def test_response_rates_are_of_those_active_in_the_month(worked):
    # Jan: anna, ben and cleo at the start, and dora who came: three of four answered. Feb: eve
    # answered, but is not active; Mar: anna and dora at the start, and ben who came.
    assert values(worked, "nps_response") == [3 / 4, 0, 0]
    assert [f.n for f in worked.figures["all"]["nps_response"]] == [4, 3, 3]
    assert values(worked, "ces_response") == [2 / 4, 0, 0]


def test_cohorts_are_by_the_month_of_the_first_purchase():
    found = kpis(small_shop(), APRIL, TWO_MONTHS)
    assert {c.month: (c.customers, c.there) for c in found.cohorts["all"]} == {
        "2023-11": (2, (2, 0, 0, 0, 1)),  # eve never again, ben in March
        "2023-12": (2, (2, 1, 1, 1)),  # anna always, cleo only sent back
        "2024-01": (1, (1, 1, 0)),  # dora
        "2024-02": (0, (0, 0)),
        "2024-03": (0, (0,)),
    }
    assert [f.value for f in found.cohorts["all"][1].shares()] == [1, 0.5, 0.5, 0.5]


def test_intervals_are_those_of_their_sources(worked):
    churn = worked.figure("churn_rate", "2024-01")
    wilson = proportion(1, 3)
    assert (churn.low, churn.high, churn.n) == (wilson.low, wilson.high, 3)
    nps = worked.figure("nps", "2024-01")
    # One of each with 3/4, 3/2 and 3/4 more: six answers, 1.75 at either end.
    half = 1.959964 * sqrt(2 * 1.75 / 6 / 6)
    assert (nps.low, nps.high) == pytest.approx((-100 * half, 100 * half), rel=1e-6)
    nrr = worked.figure("nrr", "2024-01")
    rest = np.array([150 - 100 / 3, 0, -50 - 200 / 3])  # what each brought less NRR × what it had
    error = sqrt((rest**2).sum() * 3 / 2) / 300
    assert (nrr.low, nrr.high) == pytest.approx(
        (1 / 3 - 1.959964 * error, 1 / 3 + 1.959964 * error), rel=1e-6
    )


def test_negative_churn_is_said_in_words():
    found = kpis(small_shop(), Cutoff.parse("2024-03-01"), TWO_MONTHS)
    (said,) = [sentence for sentence in found.says() if "Negative churn" in sentence]
    assert "150.0%" in said
    assert "the interval does not rule out the contrary" in said
    later = kpis(small_shop(), APRIL, TWO_MONTHS)
    assert "no negative churn" in later.says()[-1]


def test_every_definition_is_told(worked):
    told = json.dumps(worked.told())
    for words in (
        "with a purchase in the 60 days before it",
        "newcomers are left out",
        "(start − churned − contraction + expansion) / start",
        "margin of a month / (1 + discount of a month − retention of a month)",
        "promoters (9–10) less % detractors (0–6) on 0 to 10",
        "in 4 and 5 of 1 to 5",
        "Returns count as negative",
    ):
        assert json.dumps(words)[1:-1] in told


def test_with_a_contract_a_customer_is_gone_from_the_event_on():
    #      | Jan 1  | in January                  | Feb 1
    # pia  | active | cancels on the 20th         | gone
    # quim | active | cancels, comes back on 25th | active
    # rosa |        | comes and cancels           | gone, a newcomer
    # sam  | active | nothing                     | gone in silence: 60 days are over
    logs = logs_of(
        activity="""
            customer | ts         | event
            tom      | 2023-10-01 | login
            sam      | 2023-11-25 | login
            quim     | 2023-12-20 | login
            pia      | 2024-01-05 | login
            pia      | 2023-12-05 | login
            pia      | 2024-01-20 | cancellation
            quim     | 2024-01-10 | cancellation
            quim     | 2024-01-25 | login
            rosa     | 2024-01-03 | login
            rosa     | 2024-01-09 | cancellation
        """
    )
    asked = Question("event", lookback_days=60)
    found = kpis(logs, Cutoff.parse("2024-02-01"), asked, months=1)
    told = {name: values(found, name)[0] for name in ("active_start", "churned", "active_end")}
    assert told == {"active_start": 3, "churned": 2, "active_end": 1}
    assert values(found, "churned_by_event") == [1]
    assert (values(found, "new"), values(found, "new_lost")) == ([1], [1])
    assert found.cohorts["all"][0].there == (0,)  # rosa is gone at the end of her first month
    assert "no cancellation since" in found.rules["active"]


def test_the_lookback_may_be_another():
    short = kpis(small_shop(), APRIL, TWO_MONTHS, months=1, lookback_days=31)
    assert values(short, "active_start") == [2]
    assert values(short, "churned") == [1]  # dora bought on 20 February
    assert "31 days" in short.rules["active"]


def test_months_begin_in_the_business_zone():
    rows = (
        "customer | ts\nann | 2023-11-15T00:00Z\nann | 2024-01-31T20:00Z\nbob | 2024-01-31T21:00Z"
    )
    logs = logs_of(purchases=rows, contract=Contract(zone="Asia/Tehran"))  # UTC + 3:30
    found = kpis(logs, Cutoff.parse("2024-03-01", "Asia/Tehran"), Question(lookback_days=30))
    assert dict(zip(found.months, values(found, "new"), strict=True))["2024-02"] == 1


# ── Segments ────────────────────────────────────────────────────────────────────────────────

PLANS = """
    customer | plan
    anna     | pro
    ben      | basic
    cleo     | basic
    eve      | basic
    zoe      | gold
"""
BY_PLAN = Contract(mappings={"customers": LogMapping(static=("plan",))})


def test_segments_add_up_and_one_that_nobody_has_is_not_shown():
    logs = logs_of(purchases=SHOP, customers=PLANS, contract=BY_PLAN)
    found = kpis(logs, APRIL, TWO_MONTHS, months=3, segment="plan")
    assert found.segments == ("all", "basic", "pro", "unknown")  # zoe never did anything
    assert values(found, "active_start", "basic") == [2, 1, 0]
    assert values(found, "churn_rate", "basic") == [0.5, 1, None]
    assert values(found, "churn_rate", "unknown") == [None, 0, 0]  # dora
    assert values(found, "nrr", "pro") == [1.5, 1, 0.8]
    assert found.cohorts["unknown"][0].there == (1, 1, 0)


def test_segments_named_like_all_are_told_apart():
    plans = "customer | plan\nanna | all\nben | other\ncleo | unknown"
    logs = logs_of(purchases=SHOP, customers=plans, contract=BY_PLAN)
    found = kpis(logs, APRIL, TWO_MONTHS, months=3, segment="plan")
    assert found.segments == ("(all)", "all", "other", "unknown", "(unknown)")
    assert values(found, "active_start", "all") == [1, 1, 1]
    assert found.figure("active_start", "2024-01").value == 3


def test_the_rarest_of_many_segments_are_one():
    rows = "\n".join(f"c{k} | 2024-01-{1 + k % 28:02d} | 5" for k in range(120))
    plans = "\n".join(f"c{k} | p{k if k < 60 else 0}" for k in range(120))
    logs = logs_of(
        purchases=f"customer | ts | amount\n{rows}",
        customers=f"customer | plan\n{plans}",
        contract=BY_PLAN,
    )
    found = kpis(logs, Cutoff.parse("2024-02-01"), Question(lookback_days=1), segment="plan")
    assert len(found.segments) == 1 + 50 + 1
    assert found.segments[-1] == "other"
    assert sum(values(found, "revenue", s)[0] for s in found.segments[1:]) == 600


def test_an_unknown_segment_is_refused():
    logs = logs_of(purchases=SHOP, customers=PLANS, contract=BY_PLAN)
    with pytest.raises(ConfigError, match="no static column 'plam'") as told:
        kpis(logs, APRIL, segment="plam")
    assert "Did you mean 'plan'?" in told.value.mend


# ── Edges ───────────────────────────────────────────────────────────────────────────────────


def test_a_log_without_amounts_tells_of_customers_alone():
    rows = "\n".join(line.rpartition("|")[0] for line in SHOP.strip().splitlines()[:6])
    found = kpis(logs_of(purchases=rows), Cutoff.parse("2024-02-01"), TWO_MONTHS, months=1)
    assert {measure.group for measure in found.measures} == {"customers"}
    assert values(found, "churned") == [1]
    assert any("no amounts" in warning for warning in found.warnings)
    assert not found.rules.keys() & {"revenue", "value"}


def test_a_log_without_surveys_says_so(worked):
    found = kpis(small_shop(), APRIL, TWO_MONTHS)
    assert any("no answers" in warning for warning in found.warnings)
    assert not any("answers" in warning for warning in worked.warnings)


def test_one_customer_is_enough():
    rows = "customer | ts | amount\nann | 2023-12-01 | 10\nann | 2024-01-05 | 12.34"
    found = kpis(logs_of(purchases=rows), Cutoff.parse("2024-02-01"), Question(lookback_days=31))
    nrr = found.figure("nrr", "2024-01")
    assert (nrr.value, isnan(nrr.low), nrr.n) == (1.234, True, 1)  # nobody to differ from
    assert isnan(found.figure("clv", "2024-01").value)  # nobody was lost: no end can be seen
    json.dumps(found.told(), allow_nan=False)


def test_a_month_without_anybody_has_no_rates():
    rows = "customer | ts | amount\nann | 2023-10-01 | 10\nann | 2024-01-05 | 12"
    found = kpis(logs_of(purchases=rows), Cutoff.parse("2024-02-01"), Question(lookback_days=31))
    assert found.months == ("2023-10", "2023-11", "2023-12", "2024-01")
    assert values(found, "active_start") == [None, 1, 0, 0]
    assert values(found, "churn_rate") == [None, 1, None, None]
    assert values(found, "nrr") == [None, 0, None, None]
    assert values(found, "won_back") == [None, 0, 0, 1]


def test_what_the_log_does_not_reach_back_to_is_not_known():
    found = kpis(small_shop(), APRIL, TWO_MONTHS)
    assert values(found, "churned") == [None, None, 1, 1, 0]
    assert values(found, "revenue") == [60, 300, 140, 210, 200]
    (warning,) = [w for w in found.warnings if "log begins" in w]
    assert "from 2023-11 to 2023-12: the log begins on 2023-11-01" in warning


def test_the_month_before_must_be_known_for_revenue_retention():
    rows = (
        "customer | ts | amount\nann | 2024-01-10 | 10\nann | 2024-02-10 | 20\nann | 2024-03-20 | 5"
    )
    found = kpis(logs_of(purchases=rows), APRIL, Question(lookback_days=20))
    assert values(found, "churned") == [None, 0, 0]  # 20 days before February are known
    assert values(found, "nrr") == [None, None, 0.25]  # but not all of January


def test_an_empty_end_of_the_log_is_pointed_out():
    found = kpis(small_shop(), Cutoff.parse("2024-06-01"), TWO_MONTHS)
    assert any("the last purchase is of 2024-03-10" in warning for warning in found.warnings)
    march = kpis(small_shop(), APRIL, TWO_MONTHS)  # silent for three weeks by its end
    assert any("2024-03-10" in warning for warning in march.warnings)


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2023-10-05", "the log begins on 2023-11-01"),
        ("2023-11-30", "the log begins on 2023-11-01"),
        ("2031-01-01", "the last purchase before 2031-01-01 is of 2024-03-10"),
    ],
)
def test_months_of_which_nothing_is_known_are_refused(day, words):
    with pytest.raises(DataError, match=words):
        kpis(small_shop(), Cutoff.parse(day), TWO_MONTHS)


@pytest.mark.parametrize(
    "given_", [{"months": 0}, {"margin": 0}, {"margin": 2}, {"discount": -1}, {"lookback_days": 0}]
)
def test_impossible_numbers_are_refused(given_):
    with pytest.raises(ConfigError):
        kpis(small_shop(), APRIL, **given_)


def scales(*instruments: Instrument) -> Contract:
    return Contract(instruments=instruments)


def test_nps_may_be_declared_from_one_to_ten():
    answers = ANSWERS.replace("nps        | 6", "nps        | 1")
    contract = scales(Instrument("nps", 1, 10), Instrument("ces", 1, 7), Instrument("csat", 1, 5))
    logs = logs_of(purchases=SHOP, surveys=answers, contract=contract)
    found = kpis(logs, APRIL, TWO_MONTHS, months=3)
    assert values(found, "nps") == [0, 100, None]
    assert "% detractors (1–6) on 1 to 10" in found.rules["nps"]


def test_nps_on_another_scale_is_not_told():
    contract = scales(Instrument("nps", 0, 100), Instrument("ces", 1, 7), Instrument("csat", 1, 5))
    logs = logs_of(purchases=SHOP, surveys=ANSWERS, contract=contract)
    found = kpis(logs, APRIL, TWO_MONTHS)
    assert "nps" not in found.figures["all"]
    assert any("declared on 0 to 100" in warning for warning in found.warnings)


def test_ease_is_turned_round_where_low_is_easy():
    answers = """
        customer | ts         | instrument | score
        anna     | 2024-03-03 | ces        | 1
        ben      | 2024-03-04 | ces        | 4
    """
    contract = scales(Instrument("ces", 1, 5, better="low"))
    found = kpis(logs_of(purchases=SHOP, surveys=answers, contract=contract), APRIL, TWO_MONTHS)
    assert values(found, "ces")[-1] == pytest.approx((1 + 1 / 4) / 2)
    assert "turned round" in found.rules["ces"]


@pytest.mark.parametrize(
    ("scale", "scores", "expected"),
    [
        (Instrument("csat", 1, 5), (4, 3), 0.5),
        (Instrument("csat", 1, 5, better="low"), (2, 3), 0.5),
        (Instrument("csat", 0, 100), (75, 74), 0.5),
        (Instrument("csat", 1, 7), (6, 5), 0.5),
    ],
)
def test_csat_counts_the_best_quarter_of_its_scale(scale, scores, expected):
    answers = "customer | ts | instrument | score\n" + "\n".join(
        f"{who} | 2024-03-03 | csat | {score}" for who, score in zip("ab", scores, strict=True)
    )
    logs = logs_of(purchases=SHOP, surveys=answers, contract=scales(scale))
    assert values(kpis(logs, APRIL, TWO_MONTHS), "csat")[-1] == expected


# ── Intervals ───────────────────────────────────────────────────────────────────────────────


def test_an_index_of_answers_all_alike_still_has_a_width():
    figure = net_promoters(2, 0, 2)
    assert figure.value == figure.high == 100
    assert figure.low < 50
    alike = mean_on_scale(6000, 18_000_000, 2, Fraction(1000), Fraction(7000))
    assert (round(alike.value, 9), isnan(alike.low)) == (0.333333333, True)


def test_the_mean_of_a_scale_has_the_interval_of_student():
    scores = np.array([2, 5, 5, 7, 3])
    figure = mean_on_scale(
        int(scores.sum()) * 1000, int((scores**2).sum()) * 10**6, 5, Fraction(1000), Fraction(7000)
    )
    ease = (scores - 1) / 6
    half = 2.776445 * ease.std(ddof=1) / sqrt(5)
    assert figure.value == pytest.approx(ease.mean())
    assert (figure.low, figure.high) == pytest.approx((ease.mean() - half, ease.mean() + half))


def test_the_interval_of_a_lifetime_value_follows_from_its_customers():
    rng = np.random.default_rng(3)
    months = rng.integers(1, 13, 400)
    stayed = months - (rng.random(400) < 0.3)
    spent = rng.integers(0, 9_000, 400) * months
    each = {"months": months, "stayed": stayed, "spent": spent}
    sums = {name: int(x.sum()) for name, x in each.items()}
    sums |= {f"{a}*{b}": int((each[a] * each[b]).sum()) for a in each for b in each}
    found = lifetime_value(sums, 400, Fraction(1, 100), 0.01)

    def by_hand(rows: np.ndarray) -> float:
        m, r = spent[rows].sum() / 100 / months[rows].sum(), stayed[rows].sum() / months[rows].sum()
        return float(m / (1.01 - r))

    everybody = np.arange(400)
    assert found.value == pytest.approx(by_hand(everybody))
    left_out = np.array([by_hand(np.delete(everybody, k)) for k in range(400)])
    jackknife = sqrt(399 / 400 * ((left_out - left_out.mean()) ** 2).sum())
    assert (found.high - found.value) / 1.959964 == pytest.approx(jackknife, rel=0.02)


def test_shares_and_ratios_of_nobody_are_not_known():
    assert isnan(share(0, 0).value)
    assert isnan(ratio({"a": 5, "b": 0}, "a", "b", 3).value)


# ── What holds of any log ───────────────────────────────────────────────────────────────────


def made(rows: list[tuple[int, int, int]], plans: list[int], names: list[str]) -> Logs:
    """Logs of purchases (customer, day, cents), without a source and its checks."""
    folded: dict[tuple[str, int, bool], int] = {}
    for who, day, cents in rows:
        key = (names[who], day * DAY, cents < 0)
        folded[key] = folded.get(key, 0) + cents
    ids = sorted(set(names))
    told = sorted(
        (ids.index(name), when, back, cents) for (name, when, back), cents in folded.items()
    )
    who, when, back, cents = (np.array(c, dtype=np.int64) for c in zip(*told, strict=True))
    plan = {name: plans[k] for k, name in enumerate(names)}
    texts = Texts.of([f"p{plan[name]}" if plan[name] else None for name in ids])
    events = Events(who, when, {"amount": cents, "is_return": back})
    return Logs(np.array(ids, dtype=object), purchases=events, static={"plan": texts})


class InPairs(Logs):
    """Logs that come two customers at a time."""

    def blocks(self, customers=2, events=10**9):
        return super().blocks(customers, events)


ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 400), st.integers(-3_000, 9_000)), min_size=1
)
PLANS_OF = st.lists(st.integers(0, 2), min_size=6, max_size=6)
NAMES = ["a", "b", "c", "d", "e", "f"]
AFTER = Cutoff(300 * DAY)  # 28 October 1970: September is the last whole month


def figures(logs: Logs, **asked) -> dict:
    found = kpis(logs, AFTER, Question(lookback_days=45), segment="plan", months=6, **asked)
    return found.told()


@settings(max_examples=30)
@given(ROWS, PLANS_OF)
def test_what_happens_later_changes_nothing(rows, plans):
    known = [row for row in rows if row[1] < 273]
    rows, known = [(0, 250, 500), *rows], [(0, 250, 500), *known]
    assert figures(made(rows, plans, NAMES)) == figures(made(known, plans, NAMES))


@settings(max_examples=30)
@given(ROWS, PLANS_OF, st.permutations(NAMES))
def test_order_and_blocks_of_customers_change_nothing(rows, plans, names):
    rows = [(0, 250, 500), *rows]
    told = figures(made(rows, plans, NAMES))
    assert figures(made(rows, plans, names)) == told
    logs = made(rows, plans, NAMES)
    assert figures(InPairs(**vars(logs))) == told


@settings(max_examples=30)
@given(ROWS, PLANS_OF)
def test_the_figures_keep_their_identities(rows, plans):
    logs = made([(0, 250, 500), *rows], plans, NAMES)
    found = kpis(logs, AFTER, Question(lookback_days=45), segment="plan")
    for segment in found.segments:
        of = {name: np.array([f.value for f in fs]) for name, fs in found.figures[segment].items()}
        end = of["active_start"] - of["churned"] + of["new"] - of["new_lost"] + of["won_back"]
        np.testing.assert_array_equal(end, of["active_end"])
        np.testing.assert_allclose(of["churn_rate"] + of["retention"], np.where(
            of["active_start"] > 0, 1.0, np.nan))  # fmt: skip
        start = np.where(of["revenue_start"] > 0, of["revenue_start"], np.nan)
        kept = of["revenue_start"] - of["revenue_churned"] - of["contraction"]
        np.testing.assert_allclose(of["grr"], kept / start)
        np.testing.assert_allclose(of["nrr"], (kept + of["expansion"]) / start)
    for name in ("active_start", "churned", "new", "revenue", "expansion"):
        parts = [[f.value for f in found.figures[s][name]] for s in found.segments[1:]]
        whole = [f.value for f in found.figures["all"][name]]
        np.testing.assert_allclose(np.sum(parts, axis=0), whole, atol=1e-9)


def test_huge_amounts_are_summed_without_overflow():
    rows = [(0, 250, 10**14), (1, 251, 10**14), (2, 252, 3), (0, 225, 10**14), (1, 226, 1)]
    found = kpis(made([(2, 100, 1), *rows], [0] * 6, NAMES), AFTER, Question(lookback_days=60))
    nrr = found.figure("nrr", "1970-09")
    assert nrr.value == 2 * 10**14 / (10**14 + 1)
    assert 0 < nrr.high - nrr.value < 5


# ── Against the same once more in pandas ────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def simulated(logs, question) -> Kpis:
    return kpis(logs, Cutoff.parse("2024-05-15"), replace(question, lookback_days=90))


@pytest.mark.parametrize("nth", [0, 4, 11])
def test_a_simulated_shop_agrees_with_pandas(simulated, shop, nth):
    rows = shop.purchases.assign(ts=pd.to_datetime(shop.purchases["ts"]))
    cancelled = shop.activity.loc[shop.activity["event"] == "cancellation"]
    assert cancelled.empty  # by hand nobody leaves but in silence
    month = simulated.months[nth]
    for name, expected in month_by_hand(rows, month, 90).items():
        assert simulated.figure(name, month).value == pytest.approx(expected), name


def test_cohorts_of_a_simulated_shop_agree_with_pandas(simulated, shop):
    rows = shop.purchases.assign(ts=pd.to_datetime(shop.purchases["ts"]))
    expected = cohorts_by_hand(rows, list(simulated.months))
    assert {c.month: list(c.there) for c in simulated.cohorts["all"]} == expected


def test_logs_on_disk_give_the_same(shop, logs, question):
    as_of = Cutoff.parse("2024-05-15")
    with open_logs(shop.purchases, shop.activity, shop.surveys) as stored:
        assert kpis(stored, as_of, question).told() == kpis(logs, as_of, question).told()


def test_the_table_is_tidy(worked):
    frame = worked.to_frame()
    assert list(frame) == ["month", "segment", "measure", "value", "low", "high", "n"]
    assert not frame.duplicated(["month", "segment", "measure"]).any()
    row = frame[(frame["measure"] == "churn_rate") & (frame["month"] == "2024-02")].iloc[0]
    assert (row["segment"], row["value"], row["n"]) == ("all", pytest.approx(1 / 3), 3)
    cohort = frame[frame["measure"] == "cohort_2024-01"]
    assert cohort["month"].tolist() == ["2024-01", "2024-02", "2024-03"]
    assert cohort["value"].tolist() == [1, 1, 0]


def test_every_measure_says_what_it_is(worked):
    names = [measure.name for measure in MEASURES]
    assert len(set(names)) == len(names)
    assert all(measure.says for measure in MEASURES)
    assert {measure.name for measure in worked.measures} == set(names)
