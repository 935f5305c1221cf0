"""Plots draw what they are told: dots, bars, bands, words; a sentence where nothing is known."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from churnkit import plots
from churnkit.plots.style import PALETTE, SHAPES, short
from churnkit.scoring import Scores
from churnkit.training import Training

Draw = Callable[..., Any]


def estimate(value: float | None, half: float = 0.05) -> dict[str, float | None]:
    if value is None:
        return {"value": None, "low": None, "high": None}
    return {"value": value, "low": value - half, "high": value + half}


BINS = [
    {"predicted": p, "observed": estimate(seen), "customers": 100}
    for p, seen in ((0.1, 0.08), (0.3, 0.35), (0.7, 0.57))
]
PROFIT = {
    "curve": [[0.0, 0.0], [0.5, 12.0], [1.0, 9.0]],
    "share": estimate(0.5),
    "most": estimate(12.0, 1.0),
}
RUNGS = [
    {"name": "recency", "used": False, "metrics": {"auroc": estimate(0.65)}},
    {"name": "trees", "used": True, "metrics": {"auroc": estimate(0.81)}},
    {"name": "unknown", "used": False, "metrics": {}},
]
ROLLING = {
    "chosen": "trees",
    "best_rule": "recency",
    "trials": [
        {"cutoff": day, "metrics": {"trees": {"auroc": estimate(a)}, "recency": {"auroc": rule}}}
        for day, a, rule in (("2024-01-01", 0.8, estimate(0.6)), ("2024-02-01", 0.82, None))
    ],
}
DRIVERS = [
    {
        "theme": "visits",
        "share": 0.6,
        "direction": "down",
        "dependence": {
            "feature": "visits_90d", "says": "visits in the last 90 days", "unit": "events",
            "values": [1, 4, 9], "probabilities": [0.5, 0.3, 0.1],
        },
    },
    {"theme": "season", "share": 0.1, "direction": "mixed", "dependence": None},
]  # fmt: skip
MOVED = {
    "green": {"green": 900, "yellow": 90, "red": 0},
    "yellow": {"green": 80, "yellow": 1200, "red": 40},
    "red": {"green": 0, "yellow": 30, "red": 660},
}
FIGURES = {
    "churn_rate": [estimate(0.04, 0.01), estimate(None), estimate(0.05, 0.01)],
    "nps": [estimate(None)] * 3,
}
KPIS = {
    "months": ["2024-01", "2024-02", "2024-03"],
    "column": "channel",
    "measures": [{"name": "churn_rate", "unit": "share"}, {"name": "nps", "unit": "points"}],
    "segments": [
        {
            "segment": name,
            "figures": FIGURES,
            "cohorts": [
                {"month": "2024-01", "customers": 20, "shares": [estimate(1.0), estimate(0.45)]},
                {"month": "2024-02", "customers": 0, "shares": [estimate(None)]},
                {"month": "2024-03", "customers": 10, "shares": [estimate(1.0)]},
            ],
        }
        for name in ("all", "online", "shop")
    ],
}
HORIZON = {
    "curve": [{"days": days, "within": share} for days, share in ((14, 0.8), (30, 0.5), (60, 0.1))],
    "suggested_days": 60,
}
DRIFT = [
    {"says": "days since the first purchase", "psi": 1.4, "limit": 0.25, "far": True,
     "sudden": False},
    {"says": "purchases", "psi": 0.02, "limit": 0.25, "far": False, "sudden": False},
]  # fmt: skip
OUTCOMES = {
    "runs": [
        {"day": day, "lights": {"red": {"churned": estimate(red)}, "yellow": {"churned": None},
                                "green": {"churned": estimate(0.1)}}}
        for day, red in (("2024-05-01", 0.7), ("2024-04-01", 0.6))
    ],
    "judged": {"promises": [{"light": "red", "promised": 0.5}]},
}  # fmt: skip
GROUPS = [
    {"light": "red", "action": "call", "verdict": "helps",
     "churn_treated": estimate(0.4), "churn_control": estimate(0.5)},
    {"light": "green", "action": "mail", "verdict": "not comparable",
     "churn_treated": estimate(0.1), "churn_control": None},
]  # fmt: skip
KEPT = {"kept": [{"share": s, "uplift": 0.1 * s, "risk": 0.05 * s} for s in (0.1, 0.2, 0.5)]}
POLICIES = [
    {"name": "promise", "colours": [
        {"light": "red", "customers": 100.0, "churned": estimate(0.7)},
        {"light": "yellow", "customers": 300.0, "churned": estimate(None)},
        {"light": "green", "customers": 600.0, "churned": estimate(0.1)},
    ]},
]  # fmt: skip
MONTHS = [
    {"month": "2023-12", "rows": 10, "partial": True},
    {"month": "2024-01", "rows": 30},
    {"month": "2024-02", "rows": 20},
]

# Plot, what it is told, and what is not known to it.
CASES: dict[str, tuple[Draw, tuple[Any, ...], tuple[Any, ...]]] = {
    "calibration": (plots.calibration, (BINS,), ([],)),
    "lift": (plots.lift, (BINS,), ([],)),
    "profit": (plots.profit, (PROFIT,), ({"curve": [], "share": estimate(None)},)),
    "models": (plots.models, (RUNGS,), ([],)),
    "backtest": (plots.backtest, (ROLLING,), ({"trials": []},)),
    "course": (plots.course, (["a", "b"], {"one": [0.1, 0.2]}), (["a"], {"one": [None]})),
    "drivers": (plots.drivers, (DRIVERS,), ([],)),
    "dependence": (plots.dependence, (DRIVERS[0],), (DRIVERS[1],)),
    "lights": (plots.lights, ({"red": 1, "yellow": 2, "green": 7},), ({},)),
    "transitions": (plots.transitions, (MOVED,), (None,)),
    "probabilities": (plots.probabilities, ({"red": [0.91, 1.0], "green": [0.0]},), ({},)),
    "policies": (plots.policies, (POLICIES,), ([],)),
    "cohorts": (plots.cohorts, (KPIS,), ([],)),
    "kpi_line": (plots.kpi_line, (KPIS, "churn_rate"), (KPIS, "nps")),
    "segments": (plots.segments, (KPIS,), (KPIS, "nps")),
    "horizon": (plots.horizon, (HORIZON,), ({"curve": []},)),
    "gaps": (plots.gaps, ([20, 30, 40], 75), ([],)),
    "events": (plots.events, (MONTHS,), ([],)),
    "drift": (plots.drift, (DRIFT,), (None,)),
    "promises": (plots.promises, (OUTCOMES,), (None,)),
    "outcomes": (plots.outcomes, ({"groups": GROUPS},), ({"groups": []},)),
    "uplift": (plots.uplift, (KEPT,), ({},)),
}
each = pytest.mark.parametrize("name", CASES)

CERTAIN = {"predicted": 1.0, "observed": estimate(1.0, 0.0), "customers": 1}
FLAT = {"curve": [[0, 0], [1, 0]], "share": estimate(0.0), "most": estimate(0.0, 0.0)}
NOTHING = float("nan")
EDGES: list[tuple[Draw, Any]] = [
    (plots.calibration, [CERTAIN]),
    (plots.calibration, [{"predicted": 0.0, "observed": estimate(0.0, 0.0), "customers": 1}]),
    (plots.lift, [CERTAIN]),
    (plots.profit, FLAT),
    (plots.models, RUNGS[:1]),
    (plots.backtest, {"chosen": "trees", "trials": ROLLING["trials"][:1]}),
    (plots.drivers, [{"theme": "", "share": 0.0, "direction": "up"}]),
    (plots.dependence, {"says": "x", "unit": "days", "values": [3], "probabilities": [0.0]}),
    (plots.lights, {"red": 10**9}),
    (plots.transitions, {"red": {"red": 1}}),
    (plots.probabilities, {"red": [0.0, 1.0, NOTHING]}),
    (plots.policies, [{"name": "none", "colours": []}]),
    (plots.cohorts, [{"month": "2024-01", "customers": 1, "shares": [estimate(1.0)] * 60}]),
    (plots.horizon, {"curve": [{"days": 7, "within": 0.0}], "suggested_days": None}),
    (plots.gaps, [0]),
    (plots.gaps, list(range(1000))),
    (plots.events, {"2024-01": 1}),
    (plots.drift, [{**DRIFT[0], "psi": 0.0}, {**DRIFT[0], "psi": None}]),
    (plots.promises, {"runs": OUTCOMES["runs"][:1]}),
    (plots.outcomes, {"together": {**GROUPS[0], "light": "", "action": ""}}),
    (plots.uplift, {"kept": [{"share": 0.1, "uplift": 0.0, "risk": 0.0}]}),
]


def words(ax: Any) -> list[str]:
    """Every text of the Axes that is not empty."""
    from matplotlib.text import Text

    ax.get_figure().draw_without_rendering()
    return [text.get_text() for text in ax.findobj(Text) if text.get_text()]


def marks(ax: Any, marker: str = "o") -> list[tuple[float, float]]:
    """Places of single markers, in the order they were drawn."""
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in ax.lines
        if line.get_marker() == marker and len(line.get_xdata()) == 1
    ]


def rows(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_yticklabels()]


# ── What holds for all of them ──────────────────────────────────────────────────────────────


@each
def test_it_draws_on_axes_of_its_own_or_on_given_ones(name: str) -> None:
    from matplotlib._pylab_helpers import Gcf
    from matplotlib.figure import Figure

    draw, told, _ = CASES[name]
    mine = Figure().add_subplot()
    assert draw(*told, ax=mine) is mine
    assert words(mine) == words(draw(*told))
    assert Gcf.figs == {}, "a figure of pyplot was left open"


@each
def test_what_is_not_known_is_a_sentence(name: str) -> None:
    draw, _, unknown = CASES[name]
    ax = draw(*unknown)
    [sentence] = words(ax)
    assert sentence.startswith(("not known", "nobody"))
    assert not ax.lines
    assert not ax.patches


@each
def test_it_leaves_the_rules_of_matplotlib_alone(name: str) -> None:
    import matplotlib as mpl

    draw, told, _ = CASES[name]
    before = dict(mpl.rcParams)
    draw(*told)
    assert dict(mpl.rcParams) == before


@each
def test_no_text_is_yellow(name: str) -> None:
    from matplotlib.colors import to_hex
    from matplotlib.text import Text

    draw, told, _ = CASES[name]
    colours = {to_hex(text.get_color()) for text in draw(*told).findobj(Text)}
    assert PALETTE["yellow"] not in colours


def test_new_axes_show_themselves_in_a_notebook() -> None:
    assert plots.lights({"red": 1})._repr_png_().startswith(b"\x89PNG")


def test_plots_load_matplotlib_only_when_they_draw() -> None:
    code = "import sys, churnkit, churnkit.plots; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(("draw", "told"), EDGES)
def test_very_little_and_very_much_is_drawn_without_a_warning(draw: Draw, told: Any) -> None:
    ax = draw(told)
    assert words(ax)
    assert ax.lines or ax.patches


HOSTILE = ["$\\frac{", "</text><script>alert(1)</script>", "a\x00b\nc", "\u202e😀" * 99, "ن" * 500]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_names_are_drawn_as_they_are(name: str) -> None:
    [shown, *_] = rows(plots.drivers([{**DRIVERS[0], "theme": name}]))
    assert shown == short(name, 24)
    assert len(shown) <= 24
    assert not set(shown) & set("\x00\n\u202e")


# ── Whether a model can be trusted ──────────────────────────────────────────────────────────


def test_calibration_has_a_dot_and_an_interval_for_each_bin() -> None:
    ax = plots.calibration(BINS)
    assert marks(ax) == [(0.1, 0.08), (0.3, 0.35), (0.7, 0.57)]
    standing = [list(line.get_ydata()) for line in ax.lines if line.get_linewidth() == 2.0]
    assert [pytest.approx([0.03, 0.13]), pytest.approx([0.3, 0.4])] == standing[:4:2]
    [diagonal] = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata())


def test_a_bin_of_which_nothing_came_is_left_out() -> None:
    open_bin = {"predicted": 0.5, "observed": estimate(None), "customers": 10}
    assert len(marks(plots.calibration([*BINS, open_bin]))) == 3


def test_gains_count_the_likeliest_first() -> None:
    told = plots.gains(BINS)
    assert [round(step["caught"], 3) for step in told] == [0.0, 0.57, 0.92, 1.0]
    assert told[1]["lift"] == pytest.approx(0.57 / (1 / 3))
    assert plots.gains([{**BINS[0], "observed": estimate(0.0)}]) == []


def test_lift_draws_the_gains_and_writes_the_first() -> None:
    ax = plots.lift({"calibration": BINS})
    [curve] = [line for line in ax.lines if line.get_marker() == "o"]
    assert list(curve.get_ydata()) == pytest.approx([0.0, 0.57, 0.92, 1.0])
    assert "57\xa0% · 1.7 ×" in words(ax)


def test_profit_marks_the_share_that_earns_most() -> None:
    ax = plots.profit({"profit": PROFIT})
    assert marks(ax) == [(0.5, 12.0)]
    assert "50\xa0% · 12" in words(ax)


def test_calling_that_only_loses_is_drawn_below_zero() -> None:
    nobody = {"share": estimate(0.0), "most": estimate(0.0)}
    ax = plots.profit({**nobody, "curve": [[0.0, 0.0], [0.5, -3.0], [1.0, -9.0]]})
    assert ax.get_ylim()[0] < -9
    assert "−5" in words(ax)


def test_models_are_rows_and_the_one_in_use_is_full_and_bold() -> None:
    ax = plots.models(RUNGS)
    assert rows(ax) == ["recency", "trees"]
    assert [text.get_fontweight() for text in ax.get_yticklabels()] == ["normal", "bold"]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() for dot in dots] == [PALETTE["sheet"], PALETTE["accent"]]
    assert marks(ax) == [(0.65, 0.0), (0.81, 1.0)]
    assert {".650", ".810", "AUROC, high is good"} <= set(words(ax))


def test_a_backtest_is_a_line_for_the_model_and_one_for_the_best_rule() -> None:
    ax = plots.backtest(ROLLING)
    assert len(marks(ax)) == 3, "one cutoff of the rule is not known"
    assert {"trees", "recency", "2024-01-01", "2024-02-01"} <= set(words(ax))


def test_names_at_the_ends_of_lines_do_not_meet() -> None:
    ax = plots.course(["a", "b"], {"one": [0.7, 0.7], "other": [0.5, 0.7]}, share=True)
    [one, other] = [text for text in ax.texts if text.get_text() in ("one", "other")]
    assert abs(one.xy[1] - other.xy[1]) > 0.01
    assert "70\xa0%" in words(ax)


def test_a_training_draws_itself(training: Training) -> None:
    result = training.backtest
    bins = result.test.calibration(result.chosen)
    assert [x for x, _ in marks(plots.calibration(training))] == [b["predicted"] for b in bins]
    assert words(plots.lift(training)) == words(plots.lift(bins))
    assert marks(plots.profit(training)) == [
        (training.profit.share.value, training.profit.most.value)
    ]
    assert rows(plots.models(training)) == list(result.test.metrics)
    assert {result.chosen, result.best_rule} <= set(words(plots.backtest(training)))


# ── Why customers leave ─────────────────────────────────────────────────────────────────────


def test_drivers_are_bars_with_their_direction() -> None:
    ax = plots.drivers({"drivers": DRIVERS})
    assert [bar.get_width() for bar in ax.patches] == [0.6, 0.1]
    assert {"↓ 60\xa0%", "↕ 10\xa0%"} <= set(words(ax))


def test_dependence_follows_the_values_on_the_scale_that_is_asked_for() -> None:
    ax = plots.dependence(DRIVERS[0], most=0.8)
    [line] = ax.lines
    assert list(line.get_xdata()) == [1, 4, 9]
    assert list(line.get_ydata()) == [0.5, 0.3, 0.1]
    assert ax.get_ylim() == (0, 0.8)
    assert "events" in words(ax)


def test_a_share_is_drawn_in_per_cent() -> None:
    told = {"unit": "share", "values": [0.25, 0.5], "probabilities": [0.1, 0.2]}
    assert {"30\xa0%", "50\xa0%"} <= set(words(plots.dependence(told)))


def test_the_horizon_that_is_suggested_is_named() -> None:
    ax = plots.horizon({"horizon": HORIZON}, few=0.2)
    assert {"60 days", "few return", "14", "30", "60"} <= set(words(ax))
    assert marks(ax) == [(0, 0.8), (1, 0.5), (2, 0.1)]


def test_gaps_compare_the_silence_with_the_own_median() -> None:
    ax = plots.gaps([20, 30, 40], silent=75)
    assert [bar.get_height() for bar in ax.patches] == [20, 30, 40, 75]
    assert {"silent now", "own median · 30"} <= set(words(ax))
    assert "silent now" not in words(plots.gaps([20, 30, 40]))


def test_months_in_part_are_hollow() -> None:
    from matplotlib.colors import to_hex

    ax = plots.events(MONTHS, name="purchases")
    assert [bar.get_height() for bar in ax.patches] == [10, 30, 20]
    faces = [to_hex(bar.get_facecolor()) for bar in ax.patches]
    assert faces == [PALETTE["sheet"], PALETTE["accent"], PALETTE["accent"]]
    assert words(plots.events({"2024-01": 30, "2024-02": 20}))


# ── Customers by light ──────────────────────────────────────────────────────────────────────


def test_lights_have_shape_word_count_and_share() -> None:
    ax = plots.lights([{"light": "green", "customers": 7}, {"light": "red", "customers": 1}])
    assert [bar.get_width() for bar in ax.patches] == [1, 0, 7]
    assert rows(ax) == ["■ red", "▲ yellow", "● green"]
    assert "7 · 88\xa0%" in words(ax)


def test_bands_are_as_high_as_the_customers_who_flow() -> None:
    from matplotlib.patches import PathPatch, Rectangle

    ax = plots.transitions({"transitions": MOVED})
    whole = sum(sum(row.values()) for row in MOVED.values())
    bands = [patch for patch in ax.patches if isinstance(patch, PathPatch)]
    ends = [band.get_path().vertices[[0, 7], 1] for band in bands]
    heights = sorted(round(top - bottom, 6) for top, bottom in ends)
    flows = [n for row in MOVED.values() for n in row.values() if n]
    assert heights == sorted(round(n / whole, 6) for n in flows)
    falling = sorted(((top, bottom) for top, bottom in ends), reverse=True)
    assert all(one[1] >= other[0] - 1e-9 for one, other in pairwise(falling)), "none on another"
    posts = [patch.get_height() for patch in ax.patches if isinstance(patch, Rectangle)]
    assert sum(posts) == pytest.approx(2.0), "both sides hold all customers"
    assert {"690", "1,320", "990", "40", "30"} <= set(words(ax))


def test_scores_draw_themselves(scores: Scores) -> None:
    told = {name: int((scores.lights.light == name).sum()) for name in SHAPES}
    assert words(plots.lights(scores)) == words(plots.lights(told))
    ax = plots.probabilities(scores)
    assert sum(bar.get_height() for bar in ax.patches) == len(scores)
    assert words(ax) == words(plots.probabilities(scores.to_frame()))


def test_probabilities_are_stacked_by_light() -> None:
    ax = plots.probabilities({"red": [0.91, 1.0], "green": [0.0, 0.93]})
    last = [bar for bar in ax.patches if bar.get_height() and bar.get_x() > 0.9]
    assert sorted((bar.get_y(), bar.get_height()) for bar in last) == [(0, 1), (0, 1), (1, 1)]


def test_policies_are_cut_by_light_with_the_share_that_churned() -> None:
    ax = plots.policies({"policies": POLICIES})
    assert [bar.get_width() for bar in ax.patches] == pytest.approx([0.1, 0.3, 0.6])
    assert {"■", "▲", "● 10\xa0%"} <= set(words(ax))


# ── Key figures ─────────────────────────────────────────────────────────────────────────────


def test_a_month_that_is_not_known_is_a_gap() -> None:
    import numpy as np

    ax = plots.kpi_line(KPIS, "churn_rate", segment="shop")
    [line] = ax.lines
    assert list(np.isnan(line.get_ydata())) == [False, True, False]
    assert {"5.0\xa0%", "churn rate", "2024-01", "2024-03"} <= set(words(ax))


def test_cohorts_are_a_triangle_of_per_cent() -> None:
    ax = plots.cohorts(KPIS)
    assert rows(ax) == ["2024-01 · 20", "2024-03 · 10"], "nobody came in February"
    cells = [(t.get_position(), t.get_text()) for t in ax.texts]
    assert cells == [((0, 0), "100"), ((1, 0), "45"), ((0, 1), "100")]
    shades = [patch.get_alpha() for patch in ax.patches]
    assert shades[0] == shades[2] > shades[1]


def test_segments_stand_beside_all_customers() -> None:
    ax = plots.segments(KPIS)
    assert rows(ax) == ["online", "shop"]
    assert marks(ax) == [(0.05, 0.0), (0.05, 1.0)]
    assert "all customers" in words(ax)


# ── Acting, and watching ────────────────────────────────────────────────────────────────────


def test_outcomes_are_pairs_of_treated_and_control() -> None:
    ax = plots.outcomes({"groups": GROUPS})
    assert rows(ax) == ["■ call", "● mail"]
    assert marks(ax) == [(0.4, -0.15), (0.5, 0.15), (0.1, 0.85)]
    faces = [line.get_markerfacecolor() for line in ax.lines if line.get_marker() == "o"]
    assert faces == [PALETTE["accent"], PALETTE["sheet"], PALETTE["accent"]]
    assert {"were treated", "left alone", "helps", "not comparable"} <= set(words(ax))


def test_uplift_is_drawn_against_risk() -> None:
    ax = plots.uplift(KEPT)
    uplift, risk = (line for line in ax.lines if line.get_marker() == "o")
    assert list(uplift.get_ydata()) == pytest.approx([0.01, 0.02, 0.05])
    assert list(risk.get_ydata()) == pytest.approx([0.005, 0.01, 0.025])
    assert {"by uplift", "by risk"} <= set(words(ax))


def test_drift_is_filled_beyond_its_limit() -> None:
    ax = plots.drift({"drift": {"features": DRIFT[::-1]}})
    named = [text.get_text() for text in ax.texts if text.get_gid()]
    assert named == ["days since the first purchase", "purchases"], "the largest on top"
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_markerfacecolor() for dot in dots] == [PALETTE["accent"], PALETTE["sheet"]]


def test_promises_stand_beside_what_came() -> None:
    ax = plots.promises({"outcomes": OUTCOMES})
    assert marks(ax, "s") == [(0, 0.6), (1, 0.7)], "in order of days"
    assert marks(ax, "^") == []
    assert {"red", "green", "■ ≥ 50\xa0%", "2024-04-01"} <= set(words(ax))
